"""Container images: what `docker save`, `podman save`, skopeo and buildx write, as a tar or as an OCI layout.

Every layer is read as a stream, once, in the order in which it lies there; nothing is unpacked to disk. What lies in a
layer is looked at as on a machine. A file that a later layer removes was there when the image was made, and counts.
The manifests say which layers there are: one that was not looked into is told.
"""

from __future__ import annotations

import gzip
import importlib
import io
import json
import os
import re
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self, cast

from sbomgate import tar_header
from sbomgate.errors import InputError
from sbomgate.hunt import Mention, Wanted
from sbomgate.hunt._walk import Entry

MAX_UNPACKED_BYTES = 256 << 30  # of one image: it is streamed, so this bounds time, not memory
MAX_ENTRIES = 5_000_000  # files of one image: ten times what a large one has
MAX_FILE_BYTES = 256 << 20  # of a file in a layer that is read: it is held in memory
MAX_HEADER_BYTES = 1 << 20  # one extended header, as npm's reader limits it
MAX_JSON_BYTES = 4 << 20  # a manifest, as the OCI distribution specification limits it
MAX_JSONS = 1_000  # manifests and configurations of one image that are kept
MAX_TOLD = 5  # layers and files that are named in one reason

_NAMES = (".tar", ".tar.gz", ".tgz", ".oci")
# How such an archive begins: with blobs, a layer, a configuration, or a list of them.
_FIRST = re.compile(
    r"(?:\./)?(?:blobs(?:/.*)?|(?:sha256:)?[0-9a-f]{64}(?:/.*|\.json|\.tar(?:\.gz)?)?|(?:manifest|index)\.json"
    r"|oci-layout|repositories)"
)
_ZSTD = b"\x28\xb5\x2f\xfd"
_LAYOUT = "oci-layout"
_LISTS = ("manifest.json", "index.json")
# What tarfile and gzip raise where bytes are cut or hostile: numbers and lists in headers are a ValueError or worse.
_BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError, IndexError)


@dataclass(frozen=True, slots=True)
class Packed(Entry):
    """A file or folder in a layer; its `path` is that in the image, with `/` before it."""

    stream: IO[bytes] | None = None
    size: int = 0
    time: float = 0.0
    held: list[bytes] = field(default_factory=list)

    def read(self, limit: int) -> bytes:
        """See `Entry`."""
        limit = min(limit, MAX_FILE_BYTES)
        if self.size > limit:
            raise InputError(f"larger than the limit of {limit} bytes", where=self.path)
        if not self.held:
            self.held.append(b"" if self.stream is None else self.stream.read())
        return self.held[0]

    def open(self) -> IO[bytes]:
        """See `Entry`."""
        return io.BytesIO(self.read(MAX_FILE_BYTES))

    def database(self) -> sqlite3.Connection:
        """See `Entry`."""
        data = bytearray(self.read(MAX_FILE_BYTES))
        data[18:20] = b"\x01\x01"  # what a journal beside it would add is not read: in memory there is none
        connection = sqlite3.connect(":memory:")
        connection.deserialize(bytes(data))
        return connection

    def changed(self) -> datetime | None:
        """See `Entry`."""
        try:
            return datetime.fromtimestamp(self.time, UTC)
        except (ValueError, OverflowError, OSError):
            return None


def look(entry: Entry, wanted: Wanted) -> Iterator[Mention]:
    """Yield what lies in the layers of an image, each with its layer and its path there.

    Raises:
        InputError: something in it was not looked into: cut, packed otherwise, over a limit, a history of git.
    """
    image = _Image(entry, wanted)
    if entry.name == _LAYOUT and not entry.is_folder and not isinstance(entry, Packed):
        yield from image.of_layout(Path(entry.path).parent)
        image.must_be_whole()
    elif is_image(entry):
        with entry.open() as file:
            yield from image.of_archive(file)
        image.must_be_whole()
    elif entry.is_named and entry.name.lower().endswith(_NAMES):
        raise InputError("an archive that is no image, searched as one text: unpack it, and name the folder")


def is_image(entry: Entry) -> bool:
    """Return whether a file is an image's archive: by its name, where nobody named it, and by what is first in it."""
    if entry.is_folder or isinstance(entry, Packed) or "/node_modules/" in entry.folder:
        return False
    if not entry.is_named and not entry.name.lower().endswith(_NAMES):
        return False
    try:
        with entry.open() as file, _unpacked(file) as data:
            block = data.read(tarfile.BLOCKSIZE)
        name = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").name
    except _BROKEN:
        return False
    return _FIRST.fullmatch(name) is not None


class _Image:
    """What is looked at, what was found, and what was not looked into."""

    def __init__(self, entry: Entry, wanted: Wanted) -> None:
        self._entry, self._wanted = entry, wanted
        package = __name__.rpartition(".")[0]
        self._looks = [
            importlib.import_module(f"{package}.{name}").look for name in ("cache", "installed", "lockfile", "log")
        ]
        self._entries, self._bytes = MAX_ENTRIES, MAX_UNPACKED_BYTES
        self._jsons: dict[str, Any] = {}
        self._names: set[str] = set()
        self._layers: set[str] = set()
        self._unread: list[str] = []

    def of_layout(self, root: Path) -> Iterator[Mention]:
        """Yield what the blobs of an OCI layout hold."""
        blobs = root / "blobs" / "sha256"
        try:
            paths = sorted(path for path in (*blobs.iterdir(), root / "index.json") if not path.is_symlink())
        except OSError as error:
            raise InputError(f"its blobs cannot be listed: {error.strerror}", where=self._entry.path) from error
        for path in paths:
            if not path.is_file():
                continue
            name = path.relative_to(root).as_posix()
            try:
                with path.open("rb") as file:
                    yield from self._member(name, file, os.fstat(file.fileno()).st_size)
            except OSError as error:
                self._unread.append(f"{name}: {(error.strerror or 'cannot be read').lower()}")

    def of_archive(self, file: IO[bytes]) -> Iterator[Mention]:
        """Yield what the layers in a tar hold."""
        try:
            with _unpacked(file) as data, _tar(data) as archive:
                for member in archive:
                    self._count()
                    name = member.name.removeprefix("./")
                    if member.issym() or member.islnk():  # a layer that stands there twice
                        self._names.add(name)
                        self._layers.add(name)
                    elif member.isreg() and (inner := archive.extractfile(member)) is not None:
                        yield from self._member(name, inner, member.size)
        except (*_BROKEN, OSError) as error:
            raise InputError(f"an image that cannot be read to its end: {error}", where=self._entry.path) from error

    def must_be_whole(self) -> None:
        """Refuse to call it searched where something was left out.

        Raises:
            InputError: with the first of what was left out.
        """
        if not any(name in self._names for name in _LISTS):
            self._unread.append("it has no manifest: it is cut short, or no image")
        missing = sorted(self._listed() - self._layers)
        if missing:
            self._unread.append(f"{len(missing)} layers are not in it as a tar: {', '.join(missing[:MAX_TOLD])}")
        if self._unread:
            more = f" and {len(self._unread) - MAX_TOLD} more" if len(self._unread) > MAX_TOLD else ""
            raise InputError(f"not all of it: {'; '.join(self._unread[:MAX_TOLD])}{more}", where=self._entry.path)

    def _listed(self) -> set[str]:
        """Return the layers that the manifests name, as files are called here."""
        found: set[str] = set()
        for name, value in self._jsons.items():
            if name == "manifest.json" and isinstance(value, list):  # docker's
                for one in value:
                    layers = one.get("Layers") if isinstance(one, dict) else None
                    found |= {layer for layer in layers or () if isinstance(layer, str)}
            elif isinstance(value, dict) and isinstance(layers := value.get("layers"), list):  # OCI's
                for layer in layers:
                    digest = layer.get("digest") if isinstance(layer, dict) else None
                    if isinstance(digest, str) and "tar" in str(layer.get("mediaType")):
                        found.add("blobs/" + digest.replace(":", "/", 1))
        return found

    def _count(self) -> None:
        self._entries -= 1
        if self._entries < 0:
            raise InputError(f"more than {MAX_ENTRIES:,} files, the rest is not read", where=self._entry.path)

    def _member(self, name: str, file: IO[bytes], size: int) -> Iterator[Mention]:
        """Look into a file of an image: a layer, or what says which there are."""
        self._names.add(name)
        stream = io.BufferedReader(cast("io.RawIOBase", file)) if not isinstance(file, io.BufferedReader) else file
        head = stream.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
        if head[:1] in (b"{", b"["):
            if size <= MAX_JSON_BYTES and len(self._jsons) < MAX_JSONS:
                try:
                    self._jsons[name] = json.loads(stream.read(MAX_JSON_BYTES))
                except (ValueError, RecursionError):
                    if name in _LISTS:  # of blobs anything may look like it
                        self._unread.append(f"{name} is no JSON")
        elif head[:4] == _ZSTD:
            self._layers.add(name)
            self._unread.append(f"the layer {name} is packed with zstd, which is not read")
        elif head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar" or name.endswith((".tar", "/layer.tar")):
            self._layers.add(name)
            try:
                yield from self._layer(name, cast("IO[bytes]", stream))
            except (*_BROKEN, OSError) as error:
                self._unread.append(f"the layer {name} cannot be read to its end: {error}")

    def _layer(self, name: str, file: IO[bytes]) -> Iterator[Mention]:
        folders: set[str] = set()
        with _unpacked(file) as data, _tar(data) as archive:
            for member in archive:
                self._count()
                self._bytes -= member.size
                if self._bytes < 0:
                    raise InputError(f"unpacks to more than {MAX_UNPACKED_BYTES:,} bytes", where=self._entry.path)
                for packed in self._packed(archive, member, folders):
                    for found in self._looked(packed):
                        place = f"{packed.path}: {found.place}" if found.place else packed.path
                        yield replace(found, place=f"layer {_short(name)}: {place}")

    def _packed(self, archive: tarfile.TarFile, member: tarfile.TarInfo, folders: set[str]) -> Iterator[Packed]:
        """Yield a file of a layer, after the folders above it that no other file had."""
        path = "/" + "/".join(part for part in member.name.split("/") if part not in ("", "."))
        parts = path.split("/")
        last = len(parts) if member.isdir() else len(parts) - 1
        for end in range(2, last + 1):
            above = "/".join(parts[:end])
            if above not in folders:
                folders.add(above)
                yield Packed(above, above.rpartition("/")[0] + "/", parts[end - 1], is_folder=True, time=member.mtime)
        if path.endswith("/.git/HEAD"):
            self._unread.append(f"the history of {path.removesuffix('/HEAD')} is not searched")
        if member.isreg():
            stream = archive.extractfile(member)
            folder, _, own = path.rpartition("/")
            yield Packed(path, folder + "/", own, stream=stream, size=member.size, time=member.mtime)

    def _looked(self, packed: Packed) -> Iterator[Mention]:
        for one in self._looks:
            try:
                for found in one(packed, self._wanted):
                    if self._wanted.of(found):
                        yield found
            except InputError as error:
                self._unread.append(f"{packed.path}: {error.message}")


class _Header(tarfile.TarInfo):
    """A header whose extended parts and lists, which are held in memory, are bounded."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header of a block."""
        found = super().frombuf(buf, encoding, errors)
        if tar_header.is_over(found, MAX_HEADER_BYTES):
            raise tarfile.ReadError(f"an extended header of {found.size:,} bytes")
        if found.type == tarfile.GNUTYPE_SPARSE:  # a list of holes without end; no builder of images writes one
            raise tarfile.ReadError("a sparse file")
        return found

    def _proc_gnusparse_10(self, *_: object) -> None:
        # The same list, in front of the file's content: tarfile has no public name for refusing it.
        raise tarfile.ReadError("a sparse file")


def _tar(data: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=data, mode="r|", tarinfo=_Header, errorlevel=1, errors="backslashreplace")


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    """Return the stream, unpacked where it is gzip. Closing what it returns leaves the file open."""
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", file))
    if buffered.peek(2)[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=buffered))
    return cast("IO[bytes]", _Open(buffered))


class _Open:
    """A stream that stays open."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _short(name: str) -> str:
    """Return a layer's name with as much of its digest as people compare."""
    return re.sub(r"([0-9a-f]{12})[0-9a-f]{52}", r"\1…", name)
