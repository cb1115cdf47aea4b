"""One file of a package manager's own cache: bytes that nobody believes before their digest was compared."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from sbomgate.errors import FetchError
from sbomgate.npm.tarball import MAX_TARBALL_BYTES


def is_there(folder: Path) -> bool:
    """Whether anything may lie in a folder: False only where there is none.

    Of one that nobody may look into reading says so.
    """
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read(path: Path, *, owner: str, where: str) -> bytes | None:
    """Return the bytes of a file, or None where there is none, where it is no file, or one over `MAX_TARBALL_BYTES`.

    Args:
        path: of the file.
        owner: the package manager whose cache it is, for the message.
        where: the path inside the cache, for the message: no home folder is shown (P40).

    Raises:
        FetchError: it is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_TARBALL_BYTES:
                return None
            return file.read(MAX_TARBALL_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as e:
        if e.errno == errno.ENAMETOOLONG:  # no file system holds such a name, so nothing lies there
            return None
        raise FetchError(
            f"{owner}'s cache cannot be read: {e.strerror}",
            where=where,
            hint=f"make {owner}'s cache readable for this user, or name another one",
        ) from e
