"""A registry tarball, read as npm reads it, without extracting anything.

The header walk is our own: `tarfile` is slower, and takes without a word archives that npm's reader (node-tar 7) reads
otherwise: names after a NUL, data after the end blocks, link names on files, sizes in global headers. Where readers
differ, the tarball is malformed: its facts are then unknown, never somebody's reading of it. `tarfile` is the oracle in
tests.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sbomgate.model import Absence, BundledManifest, Missing, Origin, TarballFacts
from sbomgate.npm import manifest
from sbomgate.npm.manifest import MalformedManifest, Manifest

MAX_TARBALL_BYTES = 512 * 1024 * 1024  # compressed; several times the largest packages (browsers, compilers)
MAX_UNPACKED_BYTES = 4 * 1024 * 1024 * 1024  # bytes of tar; it is streamed, so this bounds time, not memory
MAX_RATIO = 250  # unpacked to packed, beyond the size below; source text packs at about 5, repetitive data at 50
RATIO_APPLIES_BYTES = 64 * 1024 * 1024
MAX_MEMBERS = 500_000  # headers; the largest icon packages have some 100,000
MAX_NAME_BYTES = 4096  # PATH_MAX on Linux
MAX_NAME_PARTS = 256  # nesting of folders
MAX_PAX_BYTES = 1024 * 1024  # one extended header; the same limit as npm's reader
MAX_SCRIPT = 64 * 1024  # characters of a script in which names are looked for
MAX_NAMED_FILES = 64  # files that scripts name: real ones name one or two
MAX_BUNDLED = 10_000  # manifests of bundled packages

_BLOCK: Final = 512
_ZERO_BLOCK: Final = bytes(_BLOCK)
_INPUT_CHUNK = 256 * 1024  # compressed bytes a step: large enough to be cheap, small enough to copy
_OUTPUT_CHUNK = 4 * 1024 * 1024  # unpacked bytes a step at most: the memory that a bomb can take
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,8}) ")
_WORD = re.compile(r"[^\s\"'`;&|()<>=,]+")  # of a shell's command line, near enough: what is quoted loses its quotes
_EXTENSION = re.compile(rb"\.(js|cjs|mjs|json|node|sh|ts)$")  # what node may add to a name
_DRIVE = re.compile(rb"[A-Za-z]:[\\/]")
_MANIFEST = "package.json"
_GYP = "binding.gyp"


class _Malformed(ValueError):
    """The tarball has no one meaning; the message is the reason."""


def read(data: bytes, *, sha512: str, origin: Origin) -> TarballFacts | Missing:
    """Return what a tarball says of itself.

    Args:
        data: the bytes of the tarball.
        sha512: hex, from the lockfile's integrity: compared before any byte is interpreted.
        origin: where the bytes came from.

    Returns:
        The facts, or Missing: `mismatch` where the digest differs, `malformed` where the archive or a package.json in
        it has no one meaning or is over a limit.
    """
    if len(data) > MAX_TARBALL_BYTES:
        return Missing(absence=Absence.MALFORMED, reason=_over("the tarball", len(data), MAX_TARBALL_BYTES))
    # (1) sha512 of the bytes == lockfile integrity, before anything is read
    found = hashlib.sha512(data).hexdigest()
    if found != sha512:
        return Missing(
            absence=Absence.MISMATCH,
            reason=f"sha512 of the tarball is {found[:16]}…, the lockfile's integrity is {sha512[:16]}…",
        )
    try:
        facts = _facts(data, found, origin)
        named = _named([facts.scripts, *(one.scripts for one in facts.bundled)])
        return replace(facts, files=_files(data, named)) if named else facts
    except (_Malformed, MalformedManifest) as e:
        return Missing(absence=Absence.MALFORMED, reason=f"the tarball has no one meaning: {e}")


@dataclass(slots=True)
class _Folder:
    """What was seen of one package: the root ("") or `node_modules/…` inside it."""

    manifest: Manifest | None = None
    gyp: bool = False


def _facts(data: bytes, sha512: str, origin: Origin) -> TarballFacts:
    folders: dict[str, _Folder] = {}
    for path, file, body in _interesting(data):
        folder = folders.setdefault(path, _Folder())
        if len(folders) > MAX_BUNDLED:
            raise _Malformed(f"more than {MAX_BUNDLED:,} packages inside it")
        # (4) one package.json and one binding.gyp per package, whatever the case of the name or the first folder
        if file == _GYP:
            if folder.gyp:
                raise _Malformed(f"{_join(path, file)} is there twice")
            folder.gyp = True
        else:
            if folder.manifest is not None:
                raise _Malformed(f"{_join(path, file)} is there twice")
            try:
                folder.manifest = manifest.read(body)
            except MalformedManifest as e:
                raise _Malformed(f"{_join(path, file)} {e}") from e
    root = folders.pop("", _Folder())
    if root.manifest is None:
        raise _Malformed("no package.json")
    if root.manifest.name is None or root.manifest.version is None:
        raise _Malformed("package.json states no name or no version")
    return TarballFacts(
        sha512=sha512,
        origin=origin,
        name=root.manifest.name,
        version=root.manifest.version,
        scripts=root.manifest.scripts,
        gyp=_runs_gyp(root),
        bundled=tuple(_bundled(path, folder) for path, folder in sorted(folders.items())),
        licence=root.manifest.licence,
        dependencies=root.manifest.dependencies,
        bin=root.manifest.bin,
        repository=root.manifest.repository,
        author=root.manifest.author,
    )


def _named(scripts: Iterable[Mapping[str, str]]) -> frozenset[bytes]:
    """Return the words of install scripts that could name a file, without `./` and without an extension.

    `node ./scripts/install` runs scripts/install.js, `sh build.sh` what it says: whatever a word could mean is hashed.
    """
    words = (word for of in scripts for text in of.values() for word in _WORD.findall(text[:MAX_SCRIPT]))
    return frozenset(bare for word in words if (bare := _bare(word.encode("utf-8", "replace"))))


def _files(data: bytes, named: frozenset[bytes]) -> dict[str, str]:
    """Return path → SHA-256 of the members that a script names: a second walk, only where there is a script."""
    found: dict[str, str] = {}
    for name, size, stream in _members(data):
        path = name.partition(b"/")[2]
        # A script of a bundled package runs in its own folder.
        own = path.rpartition(b"node_modules/")[2].partition(b"/")[2] if b"node_modules/" in path else path
        wanted = {_bare(path), _bare(own), _bare(own.removesuffix(b"/index.js"))} & named
        if not wanted or len(found) == MAX_NAMED_FILES:
            stream.skip(size)
            continue
        found[path.decode("utf-8", "replace")] = stream.sha256(size)
    return dict(sorted(found.items()))


def _bare(path: bytes) -> bytes:
    while path.startswith(b"./"):
        path = path[2:]
    return _EXTENSION.sub(b"", path)


def _bundled(path: str, folder: _Folder) -> BundledManifest:
    found = folder.manifest
    return BundledManifest(
        path=path,
        name=(found and found.name) or path.rpartition("node_modules/")[2],
        version=(found and found.version) or "",
        scripts=found.scripts if found else {},
        gyp=_runs_gyp(folder),
    )


def _runs_gyp(folder: _Folder) -> bool:
    """Whether npm runs node-gyp by itself: binding.gyp, no `gypfile: false`, no install nor preinstall script."""
    if not folder.gyp or folder.manifest is None:
        return folder.gyp
    own = folder.manifest.scripts
    return folder.manifest.gypfile and "install" not in own and "preinstall" not in own


def _interesting(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield (folder of the package, file, content) of each package.json and binding.gyp that npm could act on."""
    for name, size, stream in _members(data):
        found = _place(name)
        if found is None:
            stream.skip(size)
            continue
        if found[1] == _MANIFEST and size > manifest.MAX_MANIFEST_BYTES:
            raise _Malformed(_over(_join(*found), size, manifest.MAX_MANIFEST_BYTES))
        if found[1] == _MANIFEST:
            yield *found, stream.take(size)
        else:
            stream.skip(size)
            yield *found, b""


def _place(name: bytes) -> tuple[str, str] | None:
    """Return (folder of the package, file) where `name` is a package.json or binding.gyp that counts, else None.

    npm strips the first folder, whatever its name; on macOS and Windows the case of names does not count.
    """
    if name.isascii():
        lower = name.lower()
        if b"package.json" not in lower and b"binding.gyp" not in lower:
            return None
        text = lower.decode()
    else:
        text = name.decode("utf-8", "surrogateescape").casefold()
        if _MANIFEST not in text and _GYP not in text:
            return None
    parts = [part for part in text.replace("\\", "/").split("/")[1:] if part not in ("", ".")]
    if not parts:  # at the top, above any folder: npm drops it, pnpm reads it
        raise _Malformed(f"{_show(name)} lies outside of any folder")
    if parts[-1] not in (_MANIFEST, _GYP):
        return None
    at = 0
    while parts[at] == "node_modules" and at + 2 < len(parts):
        at += 3 if parts[at + 1].startswith("@") else 2
        if at >= len(parts):
            return None
    if at != len(parts) - 1:
        return None
    if b"\\" in name:  # a folder on Windows, a letter elsewhere
        raise _Malformed(f"{_show(name)} holds a backslash")
    if at and not name.isascii():  # only the exact name of a bundled package is of use
        raise _Malformed(f"{_show(name)} is not ASCII")
    # The folder keeps its case: it is compared with the lockfile's path.
    exact = [part for part in name.decode().split("/")[1:] if part not in ("", ".")]
    return "/".join(exact[:-1]), parts[-1]


# --------------------------------------------------------------------------------------------------------------------
# The archive: POSIX ustar with pax headers, and GNU long names


class _Stream:
    """The unpacked bytes, a chunk at a time: never more than `_OUTPUT_CHUNK` of them in memory at once."""

    __slots__ = ("_data", "_inflate", "_offset", "_pending", "_pos", "_total", "_window")

    def __init__(self, data: bytes) -> None:
        if data[:2] != b"\x1f\x8b":
            raise _Malformed("not gzip")
        self._data = memoryview(data)
        self._offset = 0  # of the next compressed byte
        self._pending = b""  # compressed bytes that were not consumed yet
        self._inflate = zlib.decompressobj(wbits=31)
        self._window = b""
        self._pos = 0
        self._total = 0

    def _fill(self) -> bool:
        """Replace the spent window by the next unpacked bytes; False at the end of the stream."""
        while True:
            if self._inflate.eof:
                rest = self._inflate.unused_data
                if not rest:
                    rest = bytes(self._data[self._offset : self._offset + _INPUT_CHUNK])
                    self._offset += len(rest)
                if not rest:
                    return False
                if rest[:2] != b"\x1f\x8b":  # npm ignores what follows, others refuse it
                    if any(rest) or any(self._data[self._offset :]):
                        raise _Malformed("bytes follow the gzip stream")
                    self._offset = len(self._data)
                    self._inflate = zlib.decompressobj(wbits=31)
                    return False
                self._inflate = zlib.decompressobj(wbits=31)
                self._pending = rest
            source = self._pending
            if not source:
                source = bytes(self._data[self._offset : self._offset + _INPUT_CHUNK])
                self._offset += len(source)
                if not source:
                    raise _Malformed("the gzip stream is cut short")
            try:
                window = self._inflate.decompress(source, _OUTPUT_CHUNK)
            except zlib.error as e:
                raise _Malformed(f"the gzip stream is broken ({e})") from e
            self._pending = self._inflate.unconsumed_tail
            if window:
                self._count(len(window))
                self._window = window
                self._pos = 0
                return True

    def _count(self, size: int) -> None:
        self._total += size
        if self._total > MAX_UNPACKED_BYTES:
            raise _Malformed(f"unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        if self._total > RATIO_APPLIES_BYTES and self._total > MAX_RATIO * len(self._data):
            raise _Malformed(f"unpacks to more than {MAX_RATIO} times its size")

    def block(self) -> bytes:
        """Return the next header block, or nothing at the end of the stream."""
        pos = self._pos
        end = pos + _BLOCK
        if end <= len(self._window):
            self._pos = end
            return self._window[pos:end]
        head = self._window[pos:]
        self._window = b""
        self._pos = 0
        if not head and not self._fill():
            return b""
        return head + self._exactly(_BLOCK - len(head))

    def take(self, size: int) -> bytes:
        """Return `size` bytes of a member and pass over its padding."""
        body = self._exactly(size)
        self._exactly(-size % _BLOCK)
        return body

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            if self._pos == len(self._window) and not self._fill():
                raise _Malformed("the archive is cut short")
            piece = self._window[self._pos : self._pos + size]
            self._pos += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def sha256(self, size: int) -> str:
        """Return the digest (hex) of `size` bytes of a member, a window at a time, and pass over its padding."""
        digest = hashlib.sha256()
        left = size
        while left:
            if self._pos == len(self._window) and not self._fill():
                raise _Malformed("the archive is cut short")
            piece = self._window[self._pos : self._pos + left]
            self._pos += len(piece)
            left -= len(piece)
            digest.update(piece)
        self._exactly(-size % _BLOCK)
        return digest.hexdigest()

    def skip(self, size: int) -> None:
        """Pass over `size` bytes of a member and its padding."""
        size += -size % _BLOCK
        while size > len(self._window) - self._pos:
            size -= len(self._window) - self._pos
            self._pos = len(self._window)
            if not self._fill():
                raise _Malformed("the archive is cut short")
        self._pos += size

    def expect_zeros(self) -> None:
        """Read to the end: npm's reader goes on after the end blocks, others stop, so only zeros may follow."""
        while True:
            rest = self._window[self._pos :]
            if rest.count(0) != len(rest):
                raise _Malformed("data after the end of the archive")
            self._window = b""
            self._pos = 0
            if not self._fill():
                return


def _members(data: bytes) -> Iterator[tuple[bytes, int, _Stream]]:
    """Yield (name, size, stream) of each file, in order; the consumer takes or skips exactly `size`.

    Raises:
        _Malformed: anything but files and folders, or anything that readers take differently.
    """
    stream = _Stream(data)
    count = 0
    long_name: bytes | None = None
    long_size: int | None = None
    extended = False
    while block := stream.block():
        if block == _ZERO_BLOCK:
            stream.expect_zeros()
            break
        count += 1
        if count > MAX_MEMBERS:
            raise _Malformed(f"more than {MAX_MEMBERS:,} members")
        # (2) the header is whole: npm skips one whose checksum is wrong, and reads what follows as headers
        if sum(block) - sum(block[148:156]) + 256 != _number(block[148:156], "checksum"):
            raise _Malformed(f"header {count} has a wrong checksum")
        kind = block[156:157]
        if kind in (b"x", b"g", b"L"):
            size = _number(block[124:136], "size")
            if size > MAX_PAX_BYTES:
                raise _Malformed(_over(f"extended header {count}", size, MAX_PAX_BYTES))
            body = stream.take(size)
            if kind == b"g":
                _global_header(body)
                continue
            if kind == b"L":
                given: bytes | None = _cut(body, "long name")
                size_of_file = None
            else:
                if extended:
                    raise _Malformed(f"two extended headers before header {count + 1}")
                extended = True
                given, size_of_file = _extended_header(body)
            if given is not None and long_name is not None:
                raise _Malformed(f"two long names before header {count + 1}")
            long_name = long_name if given is None else given
            long_size = long_size if size_of_file is None else size_of_file
            continue
        name = long_name if long_name is not None else _name(block)
        folder = kind == b"5" or (kind in (b"0", b"\0") and name.endswith(b"/"))
        # (3) only files and folders, and no way out of the package
        if not folder and kind not in (b"0", b"\0", b"7"):
            raise _Malformed(f"{_show(name)} is {_KINDS.get(kind, f'a member of the unknown type {kind!r}')}")
        if block[157] != 0:
            raise _Malformed(f"{_show(name)} is a file with a link name")
        _check_name(name)
        size = 0 if folder else long_size if long_size is not None else _number(block[124:136], "size")
        long_name = long_size = None
        extended = False
        if not folder:
            yield name, size, stream
    if long_name is not None or extended:
        raise _Malformed("the archive ends after an extended header")


_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
}


def _number(field: bytes, what: str) -> int:
    match = _OCTAL.fullmatch(field)
    if match:
        return int(match[1], 8)
    if field[0] == 0x80:  # GNU's base 256, for sizes of 8 GiB and more
        return int.from_bytes(field[1:], "big")
    raise _Malformed(f"a header's {what} is not a number")


def _name(block: bytes) -> bytes:
    name = _cut(block[:100], "name")
    if block[257:265] == b"ustar\x0000":
        # npm's reader takes 130 bytes of prefix unless the last byte is used
        prefix = _cut(block[345:500] if block[475] else block[345:475], "prefix")
        return prefix + b"/" + name if prefix else name
    if block[257:263] == b"ustar\0" and block[345]:
        raise _Malformed("a header of an unknown version has a prefix")
    return name


def _cut(field: bytes, what: str) -> bytes:
    text = field.rstrip(b"\0")
    if b"\0" in text:
        raise _Malformed(f"a header's {what} goes on after its end")
    return text


def _check_name(name: bytes) -> None:
    if not name:
        raise _Malformed("a member without a name")
    if len(name) > MAX_NAME_BYTES:
        raise _Malformed(_over("a member's name", len(name), MAX_NAME_BYTES))
    if name.count(b"/") > MAX_NAME_PARTS:
        raise _Malformed(f"a member's name has more than {MAX_NAME_PARTS} parts")
    if name[0] in b"/\\" or _DRIVE.match(name):
        raise _Malformed(f"{_show(name)} is an absolute path")
    if b".." in name and b".." in name.replace(b"\\", b"/").split(b"/"):
        raise _Malformed(f"{_show(name)} leaves its folder")


def _extended_header(body: bytes) -> tuple[bytes | None, int | None]:
    """Return (path, size) of a pax header (POSIX.1-2001, "pax Header Block"): length, key and value a line."""
    records = _records(body)
    for key in records:
        if key in ("linkpath", "type") or key.startswith("GNU.sparse"):  # readers differ on what these do to a file
            raise _Malformed(f"an extended header sets {key!r}")
    path = records.get("path")
    size = records.get("size")
    if size is not None and not (size.isdigit() and len(size) <= 15):
        raise _Malformed("an extended header's size is not a number")
    return path, None if size is None else int(size)


def _global_header(body: bytes) -> None:
    for key in _records(body):
        if key in ("path", "linkpath", "size", "type"):
            raise _Malformed(f"a global extended header sets {key!r}")


def _records(body: bytes) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        match = _PAX_LENGTH.match(body, at)
        record = body[match.end() : at + int(match[1])] if match else b""
        key, equals, value = record[:-1].partition(b"=")
        if match is None or at + int(match[1]) > len(body) or not equals or record[-1:] != b"\n":
            raise _Malformed("an extended header is broken")
        if b"\n" in record[:-1] or b"\0" in record:  # npm's reader splits at line ends and cuts at NUL
            raise _Malformed("an extended header's value has a line end or NUL")
        name = key.decode("utf-8", "replace")
        if name in records:
            raise _Malformed(f"an extended header sets {name[:80]!r} twice")
        records[name] = value
        at += int(match[1])
    return records


def _join(path: str, file: str) -> str:
    return ascii(f"{path}/{file}")[1:-1] if path else file


def _show(name: bytes) -> str:
    return ascii(name[:200].decode("utf-8", "replace"))


def _over(what: str, size: int, limit: int) -> str:
    return f"{what} is {size:,} bytes, over the limit of {limit:,}"


# --------------------------------------------------------------------------------------------------------------------
# Every file of it: what an installed package is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The files of a tarball, sorted by package: "" for its own, `node_modules/…` for each that is bundled in it.

    Attributes:
        files: folder of the package → path in it → the SHA-256 (hex) values that its content may have once installed.
        scripted: folders of packages that run something on install.
    """

    files: Mapping[str, Mapping[str, tuple[str, ...]]]
    scripted: frozenset[str]


def contents(data: bytes, *, sha512: str) -> Contents | None:
    """Return every file of a tarball, or None where it is not the one with this digest, or has no one meaning.

    Args:
        data: the bytes of the tarball.
        sha512: hex, from the lockfile's integrity: compared before any byte is interpreted.
    """
    # (1) sha512 of the bytes == lockfile integrity, before anything is read
    if len(data) > MAX_TARBALL_BYTES or hashlib.sha512(data).hexdigest() != sha512:
        return None
    files: dict[str, dict[str, tuple[str, ...]]] = {"": {}}
    scripted: set[str] = set()
    try:
        for name, size, stream in _members(data):
            path = posixpath.normpath(name.partition(b"/")[2].decode("utf-8", "backslashreplace"))
            folder, path = package_of(path)
            if size > _WHOLE:
                digests: tuple[str, ...] = (stream.sha256(size),)
            else:
                body = stream.take(size)
                digests = (hashlib.sha256(body).hexdigest(),)
                if body[:2] == b"#!" and (end := body.find(b"\n")) > 0 and body[end - 1 : end] == b"\r":
                    # package managers turn the first line of a command into one that the system can run (bin-links)
                    digests += (hashlib.sha256(body[: end - 1] + body[end:]).hexdigest(),)
                if path == _MANIFEST and runs_something(body):
                    scripted.add(folder)
            if path == _GYP:
                scripted.add(folder)
            files.setdefault(folder, {})[path] = digests
    except _Malformed:
        return None
    return Contents(files=files, scripted=frozenset(scripted))


_WHOLE = 8 << 20  # bytes of a member that is held in memory at once


def package_of(path: str) -> tuple[str, str]:
    """Return the folder of the innermost bundled package that a path lies in, and the path inside it."""
    parts = path.split("/")
    end = 0
    while end < len(parts) and parts[end] == "node_modules" and end + 1 < len(parts):
        width = 3 if parts[end + 1].startswith("@") else 2
        if parts[end + 1].startswith(".") or end + width >= len(parts):
            break
        end += width
    return "/".join(parts[:end]), "/".join(parts[end:])


def runs_something(body: bytes) -> bool:
    """Whether a package.json names an install script; one that has no meaning names none."""
    try:
        return bool(manifest.read(body).scripts)
    except MalformedManifest:
        return False
