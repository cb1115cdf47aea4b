"""The project's files, read once, with limits: from disk, or from memory for tests and replay."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping, Set
from pathlib import Path, PurePosixPath

from sbomgate.errors import InputError

MAX_DIRECTORIES = 200_000
"""Most directories that are looked into for lockfiles: the largest monorepos known have some tens of thousands."""

MAX_LEVELS = 64
"""Deepest level of directories that is looked into for lockfiles."""

MAX_FILE_BYTES = 256 << 20
"""Largest file that is read, in bytes: a lockfile of 100,000 packages has about 60 MB."""


_SKIPPED = frozenset({"node_modules", ".git"})


class DiskFiles:
    """The files under `root`, as `ProjectFiles`: each is read at most once, so digest and parse are of the same bytes.

    A link may lead to another file of the same repository; one that leaves it is refused.
    """

    def __init__(self, root: Path, repository: Path | None = None) -> None:
        """Look at the project in `root`, inside the `repository` (by default the nearest directory with `.git`)."""
        self.root = root.resolve()
        self.repository = (repository or find_repository(self.root) or self.root).resolve()
        # Paths as text: a monorepo asks about hundreds, and `pathlib` would take most of the time.
        self._base = str(self.root)
        self._inside = os.path.normcase(os.path.join(self.repository, ""))  # noqa: PTH118
        self._contents: dict[str, bytes | None] = {}
        self._digests: dict[str, str] = {}

    def read(self, path: str) -> bytes | None:
        """Return the bytes of `path`, or None where there is no such file; see `ProjectFiles.read`."""
        if path not in self._contents:
            data = self._read(path)
            self._contents[path] = data
            if data is not None:
                self._digests[path] = hashlib.sha256(data).hexdigest()
        return self._contents[path]

    def has(self, path: str) -> bool:
        """Whether there is anything at `path`, a dangling link included; nothing is read."""
        return os.path.lexists(os.path.join(self._base, path))  # noqa: PTH118

    def names(self, path: str) -> tuple[str, ...]:
        """Names of what lies in the directory `path`, sorted; none where it is no directory, or outside."""
        if not self.is_inside(path):
            return ()
        try:
            return tuple(sorted(found.name for found in (self.root / path).iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be listed: {_reason(error)}", where=path, hint="check its permissions") from error

    def is_link(self, path: str) -> bool:
        """Whether `path`, or a directory on the way to it from the project's root, is a symbolic link."""
        here = self._base
        for part in PurePosixPath(path).parts:
            here = os.path.join(here, part)  # noqa: PTH118
            if os.path.islink(here):  # noqa: PTH114
                return True
        return False

    def is_inside(self, path: str) -> bool:
        """Whether `path` (POSIX, relative, may hold `..`) stays within the repository, links followed."""
        real = os.path.normcase(os.path.realpath(os.path.join(self._base, path)))  # noqa: PTH118
        return os.path.join(real, "").startswith(self._inside)  # noqa: PTH118

    def seen_from(self, directory: str, /) -> str:
        """Return the project's directory relative to one above it (`..`), with names as they are on disk."""
        return Path(os.path.relpath(self.root, (self.root / directory).resolve())).as_posix()

    def digests(self) -> Mapping[str, str]:
        """SHA-256 (hex) of every file read so far, by path."""
        return dict(sorted(self._digests.items()))

    def _read(self, path: str) -> bytes | None:
        full = self.root / path
        # (1) what a link leads to is part of the repository, or it is not the project's
        if not self.is_inside(path):
            raise InputError(
                "the path leaves the repository",
                where=path,
                hint="replace the symbolic link by the file itself",
            )
        try:
            # (2) O_NONBLOCK: a named pipe in place of the file must not hang the gate
            handle = os.open(full, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
        except (FileNotFoundError, NotADirectoryError):
            if full.is_symlink():
                raise InputError("a symbolic link that leads nowhere", where=path, hint="remove it") from None
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read: {_reason(error)}", where=path, hint="check its permissions") from error
        # (3) the kind and the size of what was opened, not of what the name meant a moment ago
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise InputError("not a regular file", where=path, hint="a file is expected here")
        with os.fdopen(handle, "rb") as file:
            try:
                data = file.read(MAX_FILE_BYTES + 1)
            except OSError as error:
                raise InputError(f"cannot be read: {_reason(error)}", where=path, hint="try again") from error
        if len(data) > MAX_FILE_BYTES:
            raise InputError(f"more than {MAX_FILE_BYTES:,} bytes", where=path, hint="is this the right file?")
        return data


class MemoryFiles:
    """Files held in memory, as `ProjectFiles`: for replay and tests. `links` are the paths that count as links."""

    def __init__(self, contents: Mapping[str, bytes], links: frozenset[str] = frozenset()) -> None:
        self._contents = dict(contents)
        self._links = links
        self._digests: dict[str, str] = {}

    def read(self, path: str) -> bytes | None:
        """Return the bytes of `path`, or None where there is no such file."""
        data = self._contents.get(path)
        if data is not None and path not in self._digests:
            self._digests[path] = hashlib.sha256(data).hexdigest()
        return data

    def has(self, path: str) -> bool:
        """Whether there is a file at `path`."""
        return path in self._contents

    def names(self, path: str) -> tuple[str, ...]:
        """Names of what lies below `path`, by the paths that are held."""
        base = f"{path}/" if path else ""
        return tuple(sorted({name[len(base) :].partition("/")[0] for name in self._contents if name.startswith(base)}))

    def is_link(self, path: str) -> bool:
        """Whether `path` was named as a link."""
        return path in self._links

    def is_inside(self, path: str) -> bool:
        """Whether `path` stays within the project, by its text alone."""
        depth = 0
        for part in PurePosixPath(path).parts:
            if part == "/":
                return False
            depth += -1 if part == ".." else 1
            if depth < 0:
                return False
        return True

    def seen_from(self, _: str, /) -> str:
        """Return the project's directory; nothing that is held lies above it."""
        return "."

    def digests(self) -> Mapping[str, str]:
        """SHA-256 (hex) of every file read so far, by path."""
        return dict(sorted(self._digests.items()))


def find_repository(start: Path) -> Path | None:
    """Return the nearest directory from `start` upwards that holds `.git` (a directory, or a worktree's file)."""
    start = start.resolve()
    for directory in (start, *start.parents):
        if os.path.lexists(directory / ".git"):
            return directory
    return None


def find(files: DiskFiles, names: Set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where files with these names lie in the project's folder and below, and what could not be searched.

    Both are paths relative to the project, sorted; those of directories end with `/`. `node_modules` and `.git` are
    not looked into, nor is what a symbolic link leads to; a link itself is found. A directory that cannot be listed,
    or lies too deep, or comes after `MAX_DIRECTORIES` others, could not be searched.
    """
    found: list[str] = []
    unseen: list[str] = []
    todo = [("", 0)]
    seen = 0
    while todo:
        directory, level = todo.pop()
        seen += 1
        if level > MAX_LEVELS or seen > MAX_DIRECTORIES:
            unseen.append(directory or "./")
            if seen > MAX_DIRECTORIES:
                break
            continue
        try:
            with os.scandir(files.root / directory) as entries:
                for entry in entries:
                    path = directory + entry.name
                    if entry.name in names and not entry.is_dir(follow_symlinks=False):
                        found.append(path)
                    elif entry.name not in _SKIPPED and entry.is_dir(follow_symlinks=False):
                        todo.append((f"{path}/", level + 1))
        except OSError:
            unseen.append(directory or "./")
    return tuple(sorted(found)), tuple(sorted(unseen))


def path_in_repository(files: DiskFiles, path: str) -> str:
    """Return `path` of the project relative to the repository's root, POSIX: what a decision is bound to (P12).

    Raises:
        InputError: the project does not lie in its repository, or under a name that JSON cannot hold.
    """
    try:
        found = Path(os.path.normpath(files.root / path)).relative_to(files.repository).as_posix()
    except ValueError as error:
        raise InputError("the project does not lie in its repository", where=str(path)) from error
    try:
        found.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "the name of a folder is not UTF-8, and nothing that is signed could name it",
            where=found[:300],
            hint="rename the folder",
        ) from error
    return found


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or "unknown error") if isinstance(error, OSError) else str(error)
