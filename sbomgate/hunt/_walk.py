"""Walk folders: every file and folder once, in order, no link followed, what cannot be read told and passed over."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

from sbomgate import files
from sbomgate.errors import InputError
from sbomgate.model.hunt import Unread

# Not files of anybody: reading them may block, or never end.
_SYSTEM = frozenset({"/proc", "/sys", "/dev"})
_REPOSITORY = frozenset({"HEAD", "objects", "refs"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or link as the walk meets it.

    Attributes:
        path: of it. folder: the path of the folder that it lies in, with `/` at the end. name: its own.
        is_folder, is_link: what it is; neither: a regular file.
        is_named: it was asked for by its own path.
        is_repository: a folder with a git repository's objects, bare or the `.git` of a work tree.
        git: the git program, or None.
    """

    path: str
    folder: str
    name: str
    is_folder: bool = False
    is_link: bool = False
    is_named: bool = False
    is_repository: bool = False
    git: Path | None = None

    def read(self, limit: int) -> bytes:
        """Return the file's bytes.

        Raises:
            InputError: it cannot be read, is no regular file, or is larger than `limit` bytes.
        """
        return files.read(Path(self.path), limit=limit, error=InputError, follow=self.is_named)

    def open(self) -> IO[bytes]:
        """Return the file's bytes as a stream that can be read again from its start.

        Raises:
            OSError: it cannot be read.
        """
        return Path(self.path).open("rb")

    def database(self) -> sqlite3.Connection:
        """Open it as a database, read-only: no lock, no journal.

        Raises:
            sqlite3.Error: it is none.
        """
        return sqlite3.connect(f"file:{quote(self.path)}?mode=ro&immutable=1", uri=True)

    def changed(self) -> datetime | None:
        """Return when the file or folder was last changed, or None where the system does not say."""
        try:
            return datetime.fromtimestamp(Path(self.path).lstat().st_mtime, UTC)
        except (OSError, ValueError, OverflowError):
            return None


def walk(paths: Iterable[Path], *, unread: list[Unread], git: Path | None) -> Iterator[Entry]:
    """Yield everything at and below `paths`; what cannot be read goes into `unread`.

    A path that lies below another is walked once. A link that is named itself is followed; no other is.
    """
    starts: dict[str, str] = {}
    for path in paths:
        starts.setdefault(os.path.realpath(path), str(path))
    for real, shown in starts.items():
        if any(real != other and real.startswith(other.rstrip("/") + "/") for other in starts):
            continue
        if Path(real).is_dir():
            yield from _below(shown, unread, git)
        elif Path(real).is_file():
            folder, _, name = real.rpartition("/")
            yield Entry(shown, folder + "/", name, is_named=True, git=git)
        else:
            unread.append(Unread(path=shown, reason="there is nothing" if not os.path.lexists(real) else "no file"))


def _below(top: str, unread: list[Unread], git: Path | None) -> Iterator[Entry]:
    stack = [top.rstrip("/") or "/"]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda one: one.name)
        except OSError as error:
            unread.append(Unread(path=folder, reason=(error.strerror or "cannot be listed").lower()))
            continue
        prefix = folder.rstrip("/") + "/"
        if _REPOSITORY.issubset(one.name for one in entries):
            parent, _, name = folder.rpartition("/")
            yield Entry(folder, parent + "/", name, is_folder=True, is_repository=True, git=git)
            continue
        below = []
        for one in entries:
            path = prefix + one.name
            try:
                if one.is_symlink():
                    yield Entry(path, prefix, one.name, is_link=True)
                elif one.is_dir(follow_symlinks=False):
                    if path in _SYSTEM:
                        continue
                    yield Entry(path, prefix, one.name, is_folder=True)
                    below.append(path)
                elif one.is_file(follow_symlinks=False):
                    yield Entry(path, prefix, one.name)
            except OSError as error:
                unread.append(Unread(path=path, reason=(error.strerror or "cannot be read").lower()))
        stack.extend(reversed(below))
