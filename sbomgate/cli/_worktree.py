"""What a checkout says of itself, read from its files: which commit is checked out, and whether files were changed.

git is not run: the repository under test could configure what git runs. Only HEAD, refs and the index are read, and
what cannot be read is "not known": these are warnings to whoever releases the wrong tree by accident. An attacker in
the release job's checkout is beyond them.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sbomgate import files
from sbomgate.cli._objects import Objects
from sbomgate.errors import InputError

MAX_REF_BYTES = 4096  # "ref: " and a name, or a commit id
MAX_PACKED_REFS_BYTES = 64 << 20  # a million refs
MAX_INDEX_BYTES = 256 << 20  # a million files
MAX_CONFIG_BYTES = 1 << 20  # remotes and branches; a fork with hundreds of remotes has some 100 kB
MAX_LINKS = 5  # symbolic refs that lead to others; git follows as many

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/[^\x00-\x20~^:?*\[\\]{1,1000}")


def head(repository: Path) -> str | None:
    """Return the id of the commit that is checked out, or None where the files do not tell."""
    folders = _folders(repository)
    if folders is None:
        return None
    at = "HEAD"
    for _ in range(MAX_LINKS):
        text = _ref(at, folders)
        if text is None:
            return None
        if _COMMIT.fullmatch(text):
            return text
        at = text.removeprefix("ref:").strip()
        if not text.startswith("ref:") or not _REF.fullmatch(at) or ".." in at:
            return None
    return None


def config(repository: Path) -> bytes | None:
    """Return the bytes of the repository's own git configuration, or None where the files do not tell."""
    folders = _folders(repository)
    try:
        return None if folders is None else files.read(folders[1] / "config", limit=MAX_CONFIG_BYTES, error=InputError)
    except InputError:
        return None


def changed(repository: Path, contents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return which of these files (path in the repository → bytes) are not as the index has them.

    A file that git does not track counts as well. Line ends that a checkout converted do not.
    """
    folders = _folders(repository)
    try:
        data = None if folders is None else files.read(folders[0] / "index", limit=MAX_INDEX_BYTES, error=InputError)
        known = {} if data is None else _blobs(data, set(contents))
    except (InputError, struct.error, ValueError, IndexError):
        return ()
    if data is None or known is None:
        return ()
    return tuple(
        path
        for path, content in sorted(contents.items())
        if (oid := known.get(path)) is None
        or oid not in (_blob(content, len(oid)), _blob(content.replace(b"\r\n", b"\n"), len(oid)))
    )


def _folders(repository: Path) -> tuple[Path, Path] | None:
    """Return the folders of HEAD and index, and of the refs: they differ in a worktree that `git worktree` made."""
    at = repository / ".git"
    try:
        if not at.is_dir():
            text = files.read(at, limit=MAX_REF_BYTES, error=InputError).decode("utf-8").strip()
            if not text.startswith("gitdir: "):
                return None
            at = repository / text.removeprefix("gitdir: ")
        common = at / "commondir"
        if not common.is_file():
            return at, at
        return at, at / files.read(common, limit=MAX_REF_BYTES, error=InputError).decode("utf-8").strip()
    except (InputError, UnicodeDecodeError, ValueError):
        return None


def _ref(name: str, folders: tuple[Path, Path]) -> str | None:
    """Return what a ref says: one file each, or a line of packed-refs."""
    for folder in folders:
        try:
            return files.read(folder / name, limit=MAX_REF_BYTES, error=InputError).decode("ascii").strip()
        except (InputError, UnicodeDecodeError):
            continue
    try:
        packed = files.read(folders[1] / "packed-refs", limit=MAX_PACKED_REFS_BYTES, error=InputError)
    except InputError:
        return None
    for line in packed.decode("utf-8", "replace").splitlines():
        if line.endswith(f" {name}"):
            return line.partition(" ")[0]
    return None


def _digest(data: bytes, size: int) -> bytes:
    """Return what names these bytes in a repository whose ids have so many bytes: 20 (SHA-1) or 32 (SHA-256)."""
    return hashlib.sha256(data).digest() if size == 32 else hashlib.sha1(data, usedforsecurity=False).digest()


def _blob(content: bytes, size: int) -> bytes:
    """Return the id that git gives these bytes as a blob."""
    return _digest(b"blob %d\x00" % len(content) + content, size)


def tracked(repository: Path, directories: Collection[str]) -> dict[str, str]:
    """Return those of these directories (paths in the repository) that hold files which git tracks → what they hold.

    What they hold is told by a digest (SHA-256, hex) over paths, modes and ids of the files, as the index has them.
    Where the files of git do not tell, there are none.
    """
    folders = _folders(repository)
    found: dict[str, list[bytes]] = {}
    try:
        data = None if folders is None else files.read(folders[0] / "index", limit=MAX_INDEX_BYTES, error=InputError)
        # Names are whole in an index of version 2 and 3: most have none of these directories, and need no walk.
        last = {one.rpartition("/")[2].encode() for one in directories}
        if data is None or (data[7:8] != b"\x04" and not any(one in data for one in last)):
            return {}
        for path, oid, mode in _entries(data) or ():
            for one in directories:
                if path.startswith(one) and path[len(one) : len(one) + 1] in ("/", ""):  # a link has no slash behind it
                    found.setdefault(one, []).append(f"{oid.hex()} {mode:o} {path}".encode("utf-8", "surrogateescape"))
    except (InputError, struct.error, ValueError, IndexError):
        return {}
    return {one: hashlib.sha256(b"\0".join(held)).hexdigest() for one, held in sorted(found.items())}


def _blobs(data: bytes, wanted: set[str]) -> dict[str, bytes] | None:
    """Return path → blob id of the wanted entries of an index, or None where it cannot be read."""
    entries = _entries(data)
    return None if entries is None else {path: oid for path, oid, _ in entries if path in wanted}


def _entries(data: bytes) -> Iterator[tuple[str, bytes, int]] | None:
    """Return path, blob id and mode of each entry of an index (gitformat-index, versions 2 to 4), or None.

    None: another version, or an index that is damaged.
    """
    signature, version, count = struct.unpack_from(">4sII", data)
    size = next((one for one in (20, 32) if _digest(data[:-one], one) == data[-one:]), 0)
    if signature != b"DIRC" or version not in (2, 3, 4) or not size:
        return None
    return _walk(data, version, count, size)


def _walk(data: bytes, version: int, count: int, size: int) -> Iterator[tuple[str, bytes, int]]:
    at, name = 12, b""
    for _ in range(count):
        start, oid = at, data[at + 40 : at + 40 + size]
        (mode,) = struct.unpack_from(">I", data, at + 24)
        (flags,) = struct.unpack_from(">H", data, at + 40 + size)
        at += size + (44 if flags & 0x4000 else 42)  # extended entries have two bytes more
        if version == 4:  # the name shares its beginning with the one before it
            byte = data[at]
            cut = byte & 0x7F
            while byte & 0x80:
                at += 1
                byte = data[at]
                cut = ((cut + 1) << 7) | (byte & 0x7F)
            end = data.index(b"\x00", at + 1)
            name = name[: len(name) - cut] + data[at + 1 : end]
            at = end + 1
        else:
            end = data.index(b"\x00", at)
            name = data[at:end]
            at = start + ((end - start) // 8 + 1) * 8  # padded with one to eight zeros
        if not flags & 0x3000:  # stage 0: not in the middle of a merge
            yield name.decode("utf-8", "surrogateescape"), oid, mode


# --------------------------------------------------------------------------------------------------------------------
# The time of the commit


def committed_at(repository: Path) -> datetime | None:
    """Return the committer's time of the commit that is checked out, UTC, or None where the files do not tell.

    Reftable is not read.
    """
    commit = head(repository)
    folders = _folders(repository)
    if commit is None or folders is None:
        return None
    try:
        with Objects(folders[1] / "objects") as objects:
            held = objects.read(commit)
        if held is None:
            return None
        found = re.search(rb"^committer [^\n]*> (\d{1,12}) [+-]\d{4}$", held[1].partition(b"\n\n")[0], re.MULTILINE)
        return None if found is None else datetime.fromtimestamp(int(found.group(1)), UTC)
    except (InputError, ValueError, OverflowError):
        return None


def objects(repository: Path) -> Objects:
    """Return the objects of a repository; where the files do not tell where they lie, there are none."""
    folders = _folders(repository)
    return Objects((repository / ".git" if folders is None else folders[1]) / "objects")
