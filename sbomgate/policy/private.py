"""A folder that nobody else can write: compiled engines are machine code, and are only loaded from there (P26).

Each step looks at the folder and the file that it holds open, not at a path that could be exchanged meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sbomgate.errors import PolicyError

T = TypeVar("T")

_POSIX = os.name == "posix"
_FILES = Path("/proc/self/fd")  # Linux: opens the very file behind a descriptor


def load(folder: Path, name: str, read: Callable[[str], T]) -> T | None:
    """Return `read(path)` of a file in the private folder, or None where there is no such file. Makes the folder.

    Raises:
        PolicyError: the folder or the file belongs to somebody else, others may write to it, or it is a link.
        OSError: the folder cannot be made or read for another reason.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _POSIX:  # Windows: the profile's folder is private by its access list
        return read(str(folder / name)) if (folder / name).is_file() else None
    where = folder / name
    directory = _open_folder(folder)
    try:
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as e:
            if where.is_symlink():
                raise _refused(where, "is a link") from e
            raise
    finally:
        os.close(directory)
    try:
        _require_private(os.fstat(file), where, stat.S_ISREG)
        # (3) read through the descriptor that was looked at; elsewhere than on Linux by path, in a folder that is ours
        return read(str(_FILES / str(file)) if _FILES.is_dir() else str(where))
    finally:
        os.close(file)


def store(folder: Path, name: str, data: bytes | bytearray) -> None:
    """Write a file of mode 0600 into the private folder, whole or not at all; the last of several writers wins.

    Raises:
        PolicyError: the folder is not private.
        OSError: it cannot be written.
    """
    temporary = f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    directory = _open_folder(folder) if _POSIX else None
    at = temporary if _POSIX else str(folder / temporary)
    try:
        try:
            with os.fdopen(os.open(at, flags, 0o600, dir_fd=directory), "wb") as f:
                f.write(data)
            to = name if _POSIX else str(folder / name)
            os.replace(at, to, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(at, dir_fd=directory)
            raise
    finally:
        if directory is not None:
            os.close(directory)


def _open_folder(folder: Path) -> int:
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as e:
        if folder.is_symlink():
            raise _refused(folder, "is a link") from e
        raise
    try:
        _require_private(os.fstat(directory), folder, stat.S_ISDIR)
    except BaseException:
        os.close(directory)
        raise
    return directory


def _require_private(found: os.stat_result, where: Path, kind: Callable[[int], bool]) -> None:
    if not kind(found.st_mode):
        raise _refused(where, "is not what is expected there")
    # (1) ours, or root's (a prepared image): root could write our memory as well
    if found.st_uid not in (os.geteuid(), 0):
        raise _refused(where, f"belongs to user {found.st_uid}, not to {os.geteuid()}")
    # (2) nobody else writes to it
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _refused(where, f"can be written by others (mode {stat.S_IMODE(found.st_mode):04o})")


def _refused(where: Path, why: str) -> PolicyError:
    return PolicyError(
        f"{why}: the compiled engine is only loaded from a private place",
        where=str(where),
        hint="remove it, or name another cache folder",
    )
