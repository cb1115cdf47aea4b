"""Reading a file that somebody else wrote: bounded, regular files only, one open, errors with a place.

A leaf that knows nothing of what it reads. Every open is non-blocking, so that a named pipe cannot hang the gate, and
the size is judged on the bytes that were read, not on what the directory says.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from sbomgate.errors import SbomgateError

SYNCS = 8  # threads that wait for the disk: more were no faster on ext4


def read(
    path: Path, *, limit: int, error: type[SbomgateError], follow: bool = True, forbid_mode: int = 0, hint: str = ""
) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: the file.
        limit: the largest size in bytes that is read.
        error: the class to raise.
        follow: whether `path` itself may be a symbolic link.
        forbid_mode: permission bits, none of which may be set (POSIX only), judged on the file that was opened.
        hint: what to do where `forbid_mode` matches.

    Raises:
        SbomgateError: as `error`: missing, unreadable, not a regular file, over the limit, or too open.
    """
    with _open(path, error, follow=follow, forbid_mode=forbid_mode, hint=hint) as file:
        try:
            data = file.read(limit + 1)
        except OSError as e:
            raise error(_reason(e), where=str(path)) from e
    if len(data) > limit:
        raise error(f"larger than the limit of {limit} bytes", where=str(path))
    return data


def sha256_of(path: Path, *, limit: int, error: type[SbomgateError]) -> str:
    """Return the SHA-256 (hex) of a regular file of up to `limit` bytes, read in pieces.

    Raises:
        SbomgateError: as `error`: missing, unreadable, not a regular file, or over the limit.
    """
    digest, size = hashlib.sha256(), 0
    with _open(path, error) as file:
        try:
            while piece := file.read(1 << 20):
                size += len(piece)
                if size > limit:
                    raise error(f"larger than the limit of {limit} bytes", where=str(path))
                digest.update(piece)
        except OSError as e:
            raise error(_reason(e), where=str(path)) from e
    return digest.hexdigest()


def opened(path: Path, *, error: type[SbomgateError]) -> BinaryIO:
    """Open a regular file for reading; the caller closes it, and limits what it reads.

    Raises:
        SbomgateError: as `error`: missing, unreadable, not a regular file.
    """
    return _open(path, error)


def below(folder: Path, *, error: type[SbomgateError]) -> list[Path]:
    """Return every file below a folder, sorted. No link to a folder is followed.

    Raises:
        SbomgateError: as `error`: one of the folders cannot be listed (`Path.rglob` would leave out what it holds).
    """

    def failed(e: OSError) -> None:
        raise error(_reason(e), where=str(e.filename or folder), hint=_HINTS.get(type(e), "")) from e

    return sorted(Path(at, name) for at, _, names in os.walk(folder, onerror=failed) for name in names)


def _open(
    path: Path, error: type[SbomgateError], *, follow: bool = True, forbid_mode: int = 0, hint: str = ""
) -> BinaryIO:
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as e:  # ValueError: an embedded NUL
        raise error(_reason(e), where=str(path), hint=_HINTS.get(type(e), "")) from e
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise error("not a regular file", where=str(path))
        if os.name == "posix" and status.st_mode & forbid_mode:
            mode = stat.S_IMODE(status.st_mode)
            raise error(f"its mode is {mode:04o}: others could read or change it", where=str(path), hint=hint)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


_HINTS: dict[type[Exception], str] = {
    FileNotFoundError: "is the path right, and is everything there?",
    PermissionError: "let this user read it",
}


def _reason(e: OSError | ValueError) -> str:
    return (e.strerror or str(e)).lower() if isinstance(e, OSError) else str(e)


def sync(path: Path) -> None:
    """Force a file or folder to disk; folders cannot be opened on Windows, where nothing is done.

    Raises:
        OSError: it cannot be.
    """
    if os.name != "posix" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(paths: Iterable[Path]) -> None:
    """Force files and folders to disk, several at a time: file systems write out together what waits together.

    Raises:
        OSError: one of them cannot be.
    """
    todo = list(dict.fromkeys(paths))
    if len(todo) < 2:
        for path in todo:
            sync(path)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(SYNCS, len(todo))) as pool:
        for _ in pool.map(sync, todo):
            pass


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock on an open file, and return whether nobody else has it. It ends when the file is closed.

    flock, which does not work on every network file system; Windows knows no shared lock, and there all take turns.
    """
    if os.name == "posix":
        import fcntl

        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    import msvcrt

    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
