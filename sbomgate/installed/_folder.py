"""The entries of a folder on disk. No link is followed, and nothing but regular files is opened."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sbomgate.errors import InputError
from sbomgate.installed._survey import MODULES, Entry, File

MAX_FOLDERS = 2_000_000  # that are looked into, node_modules or not
MAX_FILE_BYTES = 16 << 30  # one file of a package: the largest hold a browser
_CHUNK = 1 << 20
_LEFT_OUT = frozenset({".git", ".hg", ".svn"})


def entries(root: Path) -> Iterator[Entry]:
    """Yield everything in any folder `node_modules` below `root`, and links to such folders; sorted within a folder.

    Raises:
        InputError: a folder cannot be read, or there is none.
    """
    base = os.fspath(root)
    todo = [("", base, False)]
    left = MAX_FOLDERS
    while todo:
        path, folder, inside = todo.pop()
        left -= 1
        if left < 0:
            raise InputError(f"more than {MAX_FOLDERS:,} folders", where=base, hint="name the project's folder itself")
        try:
            with os.scandir(folder) as scan:
                found = sorted(scan, key=lambda one: one.name)
        except OSError as e:
            raise InputError(
                f"cannot be read: {(e.strerror or str(e)).lower()}",
                where=base,
                place=path,
                hint="name the folder that holds node_modules, readable for this user",
            ) from e
        for one in found:
            name = text(one.name)
            where = f"{path}/{name}" if path else name
            if one.is_symlink():
                if inside or name == MODULES:
                    yield Entry(path=where, link=_target(one.path))
            elif one.is_dir(follow_symlinks=False):
                if inside or name not in _LEFT_OUT:
                    todo.append((where, one.path, inside or name == MODULES))
            elif inside:
                yield Entry(path=where, file=_file(one.path) if one.is_file(follow_symlinks=False) else None)


def text(name: str) -> str:
    """Return a file name as text that JSON can hold: bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _target(path: str) -> str:
    try:
        return text(os.readlink(path))  # noqa: PTH115 - paths are texts here: a Path for each of a million files is slow
    except OSError:
        return ""  # it went away: it leads nowhere


def _file(path: str) -> File:
    return File(sha256=lambda: _sha256(path), read=lambda limit: _read(path, limit))


def _sha256(path: str) -> str:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = -1
    try:
        descriptor = os.open(path, flags)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file", where=path)
        data = os.read(descriptor, _CHUNK)
        digest, size = hashlib.sha256(data), len(data)
        while data and size != status.st_size:
            data = os.read(descriptor, _CHUNK)
            digest.update(data)
            size += len(data)
            if size > MAX_FILE_BYTES:
                raise InputError(f"larger than the limit of {MAX_FILE_BYTES} bytes", where=path)
        return digest.hexdigest()
    except OSError as e:
        raise InputError(f"cannot be read: {(e.strerror or str(e)).lower()}", where=path) from e
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _read(path: str, limit: int) -> bytes:
    from sbomgate import files

    return files.read(Path(path), limit=limit, error=InputError, follow=False)
