"""The entries of an artefact: a tar (plain, gzip, bzip2, xz), a zip, or the layers of an image in an OCI layout.

Nothing is unpacked to disk: archives are read as streams, and only digests are kept. The digest of the whole is
computed from the very bytes that are read, and must be the subject's (P10). A name that leaves the archive is refused;
a file that is written through a symbolic link lies where the link leads, as it does for whoever unpacks it.

Layers: OCI image specification, "Image Layer Filesystem Changeset": whiteouts `.wh.NAME` and `.wh..wh..opq`.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from sbomgate import files, tar_header
from sbomgate.errors import InputError
from sbomgate.installed._survey import MANIFEST, MAX_ENTRIES, MODULES, Entry, File

MAX_UNPACKED_BYTES = 64 << 30  # of one archive or layer; it is streamed, so this bounds time, not memory
MAX_ARCHIVE_BYTES = 1 << 40  # as read from disk: a limit only against a device that never ends
MAX_MANIFESTS_BYTES = 1 << 30  # all package.json together, which are kept until they are read
MAX_MANIFEST_BYTES = 16 << 20  # one package.json
MAX_HEADER_BYTES = 1 << 20  # one extended header; the same limit as npm's reader
MAX_LAYERS = 256  # of one image: runtimes take 127
MAX_JSON_BYTES = 4 << 20  # a manifest or an index, as the OCI distribution specification limits them
MAX_HOPS = 40  # links on the way to one file, as Linux limits them

_CHUNK = 1 << 20
_HINT = "name an archive (tar, tar.gz, zip), or give layout:DIR for an image"


@dataclass(slots=True)
class _Tree:
    """What an archive comes to once everything in it is written: path → entry, and what a layer takes away."""

    entries: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # every link, wherever it lies
    folders: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)
    unread: dict[str, bool] = field(default_factory=dict)  # files that hard links name → whether as package.json

    def put(self, path: str, entry: Entry | None) -> None:
        """Write an entry; None is a folder, or a file that no package could hold."""
        self.entries.pop(path, None)
        self.links.pop(path, None)
        if path in self.folders:
            self.take(path)
        parent = path.rpartition("/")[0]
        while parent and parent not in self.folders:
            self.entries.pop(parent, None)  # a file that a folder takes the place of
            self.links.pop(parent, None)
            self.folders.add(parent)
            parent = parent.rpartition("/")[0]
        if entry is not None:
            self.entries[path] = entry
            if entry.link is not None:
                self.links[path] = entry.link

    def take(self, path: str) -> None:
        """Remove what lies below a path, and the path itself."""
        below = f"{path}/"
        for held in (self.entries, self.links):
            for one in [one for one in held if one == path or one.startswith(below)]:
                del held[one]
        self.folders = {one for one in self.folders if one != path and not one.startswith(below)}

    def where(self, path: str, *, rooted: bool) -> str:
        """Return where a path leads once the links on the way to its last part are followed.

        Raises:
            InputError: out of the archive, or in a circle.
        """
        todo, done, hops = path.split("/"), list[str](), 0
        while len(todo) > 1:
            part = todo.pop(0)
            if part == "..":
                if not done and not rooted:
                    raise InputError("a link that leads out of the archive", place=path[:200])
                done = done[:-1]
                continue
            if part in ("", "."):
                continue
            done.append(part)
            target = self.links.get("/".join(done))
            if target is None:
                continue
            hops += 1
            if hops > MAX_HOPS:
                raise InputError("links that lead in a circle", place=path[:200])
            if target.startswith("/"):
                if not rooted:
                    raise InputError("a link that leads out of the archive", place=path[:200])
                done = []
            else:
                done.pop()
            todo = [*target.strip("/").split("/"), *todo]
        return "/".join([*done, *todo])


@dataclass(slots=True)
class _Budget:
    """What is left of the limits that hold for everything together."""

    entries: int = MAX_ENTRIES
    manifests: int = MAX_MANIFESTS_BYTES

    def count(self, where: str) -> None:
        self.entries -= 1
        if self.entries < 0:
            raise InputError(f"more than {MAX_ENTRIES:,} files", where=where)

    def keep(self, size: int, where: str) -> None:
        self.manifests -= size
        if self.manifests < 0:
            raise InputError(f"more than {MAX_MANIFESTS_BYTES:,} bytes of {MANIFEST}", where=where)


def entries_of_file(path: Path, *, sha256: str) -> Iterator[Entry]:
    """Return the entries of an archive whose SHA-256 is that of the subject.

    Raises:
        InputError: another digest, no archive that can be read, hostile names, or over a limit.
    """
    with files.opened(path, error=InputError) as file:
        head = file.read(4)
        file.seek(0)
        where = path.name
        if head[:2] == b"PK":
            tree = _zip(file, where, sha256)
        else:
            tree = _tar(file, where, sha256, _Budget(), rooted=False, layer=False)
    return iter(tree.entries.values())


def entries_of_layout(layout: Path, *, sha256: str) -> Iterator[Entry]:
    """Return the entries of the file system that an image's layers come to; every blob is compared with its digest.

    Args:
        layout: an OCI image layout (a folder).
        sha256: of the image's manifest (hex).

    Raises:
        InputError: it is not there, not an image of tar layers, a digest differs, hostile names, or over a limit.
    """
    manifest = _json(_blob(layout, f"sha256:{sha256}"), sha256, f"sha256:{sha256}")
    if "manifests" in manifest:
        raise InputError(
            "an index of several images", where=f"sha256:{sha256}", hint="name one of its images by its own digest"
        )
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not layers or len(layers) > MAX_LAYERS:
        raise InputError(f"not 1 to {MAX_LAYERS} layers", where=f"sha256:{sha256}", place="layers")
    whole, budget = _Tree(), _Budget()
    for index, layer in enumerate(layers):
        place = f"layers[{index}]"
        digest = layer.get("digest") if isinstance(layer, dict) else None
        media_type = str(layer.get("mediaType")) if isinstance(layer, dict) else ""
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise InputError("its digest is not sha256", where=f"sha256:{sha256}", place=place)
        if "tar" not in media_type or "zstd" in media_type:
            raise InputError(
                f"a layer of the type {media_type[:100]!r} cannot be looked into",
                where=f"sha256:{sha256}", place=f"{place}.mediaType", hint="build with layers in tar or tar+gzip",
            )  # fmt: skip
        with files.opened(_blob(layout, digest), error=InputError) as file:
            one = _tar(file, f"{place} {digest[:19]}…", digest[7:], budget, rooted=True, layer=True, below=whole)
        for path in one.opaque:
            below = f"{path}/" if path else ""
            whole.entries = {e: entry for e, entry in whole.entries.items() if not e.startswith(below)}
            whole.links = {e: target for e, target in whole.links.items() if not e.startswith(below)}
        for path in one.removed:
            whole.take(path)
        for path in sorted(one.folders - whole.folders):  # a folder takes the place of a file or a link
            whole.entries.pop(path, None)
            whole.links.pop(path, None)
        whole.folders |= one.folders
        for path, entry in one.entries.items():
            whole.put(path, entry)
    return iter(whole.entries.values())


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _json(path: Path, sha256: str, where: str) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(
            "the layout does not hold it", where=where, hint="name the layout that the image was written to"
        )
    data = files.read(path, limit=MAX_JSON_BYTES, error=InputError)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError("its bytes have another digest", where=where)
    from sbomgate.strict_json import load_object

    return load_object(data, where)


# --------------------------------------------------------------------------------------------------------------------
# tar


class _Header(tarfile.TarInfo):
    """A header whose extended parts, which are held in memory, are bounded."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header of a block."""
        found = super().frombuf(buf, encoding, errors)
        if tar_header.is_over(found, MAX_HEADER_BYTES):
            raise InputError(f"an extended header of {found.size:,} bytes, at most {MAX_HEADER_BYTES:,} are read")
        return found


class _Unpacked:
    """The unpacked bytes of a file as a stream, hashing what is read from it, and knowing where zeros begin."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file, self._where = file, where
        self.digest = hashlib.sha256()
        self.size = self.content = self.packed = 0
        self._window = b""
        self._over = False
        self._rest = self._take()
        self._decompressor = _decompressor(self._rest)

    def read(self, size: int) -> bytes:
        """Return at most `size` unpacked bytes; none at the end."""
        while not self._window and not self._over:
            self._fill()
        found, self._window = self._window[:size], self._window[size:]
        return found

    def drain(self) -> None:
        """Read everything that is left."""
        while self.read(_CHUNK):
            pass

    def _take(self) -> bytes:
        data = self._file.read(_CHUNK)
        self.digest.update(data)
        self.packed += len(data)
        if self.packed > MAX_ARCHIVE_BYTES:
            raise InputError(f"larger than the limit of {MAX_ARCHIVE_BYTES} bytes", where=self._where)
        return data

    def _fill(self) -> None:
        data, self._rest = self._rest or self._take(), b""
        if self._decompressor is None:
            window = data
            self._over = not data
        else:
            try:
                window, self._rest, self._over = self._decompressor.decompress(data)
            except (zlib.error, OSError, lzma.LZMAError, EOFError) as e:
                raise InputError(f"cannot be unpacked: {e}", where=self._where) from e
            if self._over and (self._rest or (more := self._take())):
                self._rest = self._rest or more
                again = _decompressor(self._rest)
                if again is None:  # padding, as some writers add it
                    if self._rest.strip(b"\0"):
                        raise InputError("bytes follow the compressed archive", where=self._where)
                    while more := self._take():
                        if more.strip(b"\0"):
                            raise InputError("bytes follow the compressed archive", where=self._where)
                    self._rest = b""
                else:
                    self._decompressor, self._over = again, False
            elif not data and not window and not self._over:
                raise InputError(
                    "the compressed archive is cut short", where=self._where, hint="copy it again, or make it again"
                )
        kept = len(window.rstrip(b"\0"))
        if kept:
            self.content = self.size + kept
        self.size += len(window)
        if self.size > MAX_UNPACKED_BYTES:
            raise InputError(f"unpacks to more than {MAX_UNPACKED_BYTES:,} bytes", where=self._where)
        self._window = window


class _Gzip:
    """`zlib` with the interface of `bz2` and `lzma`: bounded output."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes) -> tuple[bytes, bytes, bool]:
        found = self._inflate.decompress(data, 4 * _CHUNK)
        over = self._inflate.eof
        return found, self._inflate.unused_data if over else self._inflate.unconsumed_tail, over


class _Other:
    def __init__(self, inner: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._inner = inner

    def decompress(self, data: bytes) -> tuple[bytes, bytes, bool]:
        pieces = [self._inner.decompress(data, 4 * _CHUNK)]
        # What it keeps of its input it must give before it is given more: bounded by the size of one piece of input.
        while not self._inner.eof and not self._inner.needs_input:
            pieces.append(self._inner.decompress(b"", 4 * _CHUNK))
            if sum(map(len, pieces)) > MAX_HEADER_BYTES * 1024:
                raise OSError("it unpacks to more than a thousand times its size")
        return b"".join(pieces), self._inner.unused_data if self._inner.eof else b"", self._inner.eof


def _decompressor(head: bytes) -> _Gzip | _Other | None:
    if head[:2] == b"\x1f\x8b":
        return _Gzip()
    if head[:3] == b"BZh":
        return _Other(bz2.BZ2Decompressor())
    if head[:6] == b"\xfd7zXZ\0":
        return _Other(lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=256 << 20))
    return None


def _tar(
    file: IO[bytes], where: str, sha256: str, budget: _Budget, *, rooted: bool, layer: bool, below: _Tree | None = None
) -> _Tree:
    tree = _walk(file, where, sha256, budget, {}, rooted=rooted, layer=layer, below=below)
    if tree.unread:  # hard links to what lies outside node_modules, as into a package manager's store: read again
        file.seek(0)
        tree = _walk(file, where, sha256, budget, tree.unread, rooted=rooted, layer=layer, below=below)
    return tree


def _walk(
    file: IO[bytes], where: str, sha256: str, budget: _Budget, also: dict[str, bool], *, rooted: bool, layer: bool,
    below: _Tree | None,
) -> _Tree:  # fmt: skip
    stream = _Unpacked(file, where)
    tree = _Tree(links=dict(below.links) if below else {})
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header, errorlevel=1) as archive:  # type: ignore[call-overload]
            for member in archive:
                budget.count(where)
                _take(tree, archive, member, where, budget, also, rooted=rooted, layer=layer, below=below)
            end = archive.offset
        stream.drain()
    except (tarfile.TarError, OSError, EOFError) as e:
        raise InputError(f"not an archive that can be read: {e}", where=where, hint=_HINT) from e
    except InputError as e:
        e.where = e.where or where
        raise
    # Readers stop at the end blocks, or read on: only zeros may follow. A broken header ends the walk as well.
    if stream.content > end:
        raise InputError("data after the end of the archive, or a broken header in it", where=where)
    if (found := stream.digest.hexdigest()) != sha256:
        raise InputError(f"its sha256 is {found}, expected {sha256}: it was changed while it was read", where=where)
    if below is not None:
        tree.links = {path: target for path, target in tree.links.items() if path in tree.entries}
    return tree


def _take(
    tree: _Tree, archive: tarfile.TarFile, member: tarfile.TarInfo, where: str, budget: _Budget, also: dict[str, bool],
    *, rooted: bool, layer: bool, below: _Tree | None,
) -> None:  # fmt: skip
    path = tree.where(_path(member.name, where), rooted=rooted)
    if not path:
        return
    folder, _, name = path.rpartition("/")
    if layer and name.startswith(".wh."):
        if name == ".wh..wh..opq":
            tree.opaque.append(folder)
        elif name[4:]:
            tree.removed.append(f"{folder}/{name[4:]}" if folder else name[4:])
        return
    if member.isdir():
        if path not in tree.folders:
            tree.put(path, None)
            tree.folders.add(path)
        return
    modules = MODULES in path.split("/")
    entry: Entry | None = None
    if member.issym():
        entry = Entry(path=path, link=_text(member.linkname))
    elif member.islnk():
        target = tree.where(_path(member.linkname, where), rooted=rooted)
        same = tree.entries.get(target) or (below.entries.get(target) if below else None)
        if modules and same is None and target not in also:
            tree.unread[target] = tree.unread.get(target, False) or name == MANIFEST
        if modules:
            entry = Entry(path=path, file=same.file if same else None, link=same.link if same else None)
    elif modules and not member.isreg():
        entry = Entry(path=path)
    elif (modules or path in also) and member.issparse():
        raise InputError("a sparse file: its size is only claimed", where=where, place=path[:200])
    elif modules or path in also:
        data = archive.extractfile(member)
        if data is None:
            raise InputError("a file without content", where=where, place=path[:200])
        entry = Entry(path=path, file=_file(data, member.size, MANIFEST if also.get(path) else name, where, budget))
    tree.put(path, entry)


def _path(name: str, where: str) -> str:
    text = _text(name)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in text or "\\" in text.partition("/")[0] or re.match(r"[A-Za-z]:", text):
        raise InputError(f"{name[:200]!a} leaves the archive", where=where, hint="do not use this archive")
    return "/".join(parts)


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _file(data: IO[bytes], size: int, name: str, where: str, budget: _Budget) -> File:
    """Read a member once: its digest, and its bytes where it may be a manifest."""
    digest = hashlib.sha256()
    kept = bytearray() if name == MANIFEST and size <= MAX_MANIFEST_BYTES else None
    if kept is not None:
        budget.keep(size, where)
    while piece := data.read(_CHUNK):
        digest.update(piece)
        if kept is not None:
            kept += piece
    value = digest.hexdigest()
    held = None if kept is None else bytes(kept)

    def read(limit: int) -> bytes:
        if held is None or len(held) > limit:
            raise InputError(f"larger than the limit of {limit} bytes", where=where)
        return held

    return File(sha256=lambda: value, read=read)


# --------------------------------------------------------------------------------------------------------------------
# zip


def _zip(file: IO[bytes], where: str, sha256: str) -> _Tree:
    tree, budget, unpacked = _Tree(), _Budget(), 0
    _compare(file, where, sha256)
    try:
        with zipfile.ZipFile(file) as archive:
            seen: set[str] = set()
            for member in archive.infolist():
                budget.count(where)
                path = _path(member.filename, where)
                if path in seen:
                    raise InputError(f"{path[:200]!a} is there twice", where=where)
                seen.add(path)
                unpacked += member.file_size
                if unpacked > MAX_UNPACKED_BYTES:
                    raise InputError(f"unpacks to more than {MAX_UNPACKED_BYTES:,} bytes", where=where)
                is_link = stat.S_ISLNK(member.external_attr >> 16)
                if member.filename.endswith("/") or not (is_link or MODULES in path.split("/")):
                    continue
                path = tree.where(path, rooted=False)
                tree.put(path, _zip_entry(archive, member, path, where, budget))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError,
            ValueError, lzma.LZMAError) as e:  # fmt: skip
        raise InputError(f"not a zip that can be read: {e}", where=where, hint=_HINT) from e
    _compare(file, where, sha256)  # nobody wrote to it in between
    return tree


def _zip_entry(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str, where: str, budget: _Budget) -> Entry:
    mode = member.external_attr >> 16
    with archive.open(member) as data:
        if stat.S_ISLNK(mode):
            return Entry(path=path, link=data.read(4096).decode("utf-8", "backslashreplace"))
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            return Entry(path=path)
        return Entry(path=path, file=_file(data, member.file_size, path.rpartition("/")[2], where, budget))


def _compare(file: IO[bytes], where: str, sha256: str) -> None:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_CHUNK):
        digest.update(piece)
        size += len(piece)
        if size > MAX_ARCHIVE_BYTES:
            raise InputError(f"larger than the limit of {MAX_ARCHIVE_BYTES} bytes", where=where)
    file.seek(0)
    if (found := digest.hexdigest()) != sha256:
        raise InputError(f"its sha256 is {found}, expected {sha256}: it was changed while it was read", where=where)
