"""The archives that yarn 2 and later make of packages: zip files, whose SHA-512 is the `checksum` in yarn.lock.

They are believed by that digest alone, wherever they lie. `zip:HEX` names one where a tarball's digest would stand.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import stat
import zipfile
import zlib
from pathlib import Path

from sbomgate import files
from sbomgate.errors import InputError
from sbomgate.npm.tarball import (
    MAX_MEMBERS,
    MAX_TARBALL_BYTES,
    MAX_UNPACKED_BYTES,
    Contents,
    package_of,
    runs_something,
)

PREFIX = "zip:"
MANIFEST = "package.json"


def read(path: Path) -> bytes:
    """Return the bytes of an archive.

    Raises:
        InputError: missing, no regular file, or over the limit.
    """
    return files.read(path, limit=MAX_TARBALL_BYTES, error=InputError)


def checksum(data: bytes) -> str:
    """Return the SHA-512 (hex) of an archive."""
    return hashlib.sha512(data).hexdigest()


def contents(data: bytes, name: str) -> Contents | None:
    """Return every file of the package in an archive whose digest was compared, or None where it cannot be read."""
    found = members(data, name)
    if found is None:
        return None
    digests: dict[str, dict[str, tuple[str, ...]]] = {"": {}}
    scripted = set()
    for path, body in found.items():
        folder, inside = package_of(path)
        digests.setdefault(folder, {})[inside] = (hashlib.sha256(body).hexdigest(),)
        if inside == "binding.gyp" or (inside == MANIFEST and runs_something(body)):
            scripted.add(folder)
    return Contents(files=digests, scripted=frozenset(scripted))


def members(data: bytes, name: str, only: str | None = None) -> dict[str, bytes] | None:
    """Return path in the package → bytes of the files in an archive; None where it cannot be read or has links.

    Args:
        data: the archive.
        name: of the package: its files lie below `node_modules/NAME/`.
        only: the one path that is wanted, or None for all.
    """
    start = f"node_modules/{name}/"
    found: dict[str, bytes] = {}
    left = min(MAX_UNPACKED_BYTES, 1 << 30)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
            if len(listed) > MAX_MEMBERS:
                return None
            for member in listed:
                path = member.filename.removeprefix(start)
                if member.filename.endswith("/") or path == member.filename or (only is not None and path != only):
                    continue
                left -= member.file_size
                if left < 0 or path in found or stat.S_ISLNK(member.external_attr >> 16):
                    return None
                found[path] = archive.read(member)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError,
            lzma.LZMAError):  # fmt: skip
        return None
    return found
