"""Files that appear in a store together: bytes reach the disk under temporary names, then the names follow in stages.

A stage is on disk before the next one begins, so that what leads to other files (an index, a head) never does so
without them, whenever power is lost. What was prepared and did not get that far is removed; what a killed process
leaves has a temporary name, which no reader knows and the next writer removes.

A file system commits what waits together: a stage is synced at once, by several threads, and costs about what one file
does. So a decision of twenty files is four waits for the disk: bytes, names, index, head.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType

from sbomgate import files
from sbomgate.errors import EvidenceError

NAMES, INDEX, HEAD = 0, 1, 2
"""Stages: what nothing leads to yet, what leads to it (a build's index), what covers that (the log's head)."""

TEMPORARY = ".tmp-"
NO_LINKS = {errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class Commit:
    """A context: leaving it without `run` takes everything back, and the locks that it holds are released.

    An OSError inside becomes an EvidenceError that names what was to be written.
    """

    def __init__(self, where: Path) -> None:
        """Prepare nothing yet; `where` is named in errors."""
        self._where = where
        self._held = ExitStack()
        self._stages: tuple[list[tuple[Path, Path]], ...] = ([], [], [])
        self._bytes: list[Path] = []
        self._folders: set[Path] = set()

    def hold(self, lock: AbstractContextManager[None]) -> None:
        """Take a lock until the end."""
        self._held.enter_context(lock)

    def make_folders(self, *paths: Path) -> None:
        """Make folders now, with those above them; their names are on disk before the first stage ends."""
        for path in paths:
            missing = [one for one in (path, *path.parents) if not one.is_dir()]
            for one in reversed(missing):
                with contextlib.suppress(FileExistsError):  # another writer was faster
                    one.mkdir()
                self._folders.add(one.parent)

    def sync(self, *folders: Path) -> None:
        """Have names on disk that a killed writer may have left without waiting for the disk."""
        self._folders.update(folders)

    def file(self, target: Path, data: bytes, stage: int = NAMES) -> Path:
        """Write a read-only file that will appear, or replace the one of that name; return where it is until then."""
        temporary = target.with_name(f"{TEMPORARY}{target.name}")
        self._stages[stage].append((temporary, target))
        self._bytes.append(temporary)
        create(temporary, data)
        return temporary

    def link(self, target: Path, source: Path) -> Path:
        """Prepare a second name for a file that is on disk already; return where it is until then.

        Raises:
            OSError: the file system makes no such link (`NO_LINKS`), or the file is gone.
        """
        temporary = target.with_name(f"{TEMPORARY}{target.name}")
        os.link(source, temporary)
        self._stages[NAMES].append((temporary, target))
        return temporary

    def folder(self, target: Path, named: Mapping[str, tuple[bytes, Path | None]]) -> None:
        """Prepare a folder that appears at once: relative name → bytes, and a file that holds them to link to."""
        temporary = target.with_name(f"{TEMPORARY}{target.name}")
        self._stages[NAMES].append((temporary, target))
        temporary.mkdir()
        made = {temporary}
        for relative, (data, held) in named.items():
            at = temporary / relative
            if at.parent not in made:
                at.parent.mkdir(parents=True, exist_ok=True)
                made.update(one for one in at.parents if temporary in one.parents)
            try:
                if held is not None:
                    os.link(held, at)
                    continue
            except OSError as e:
                if e.errno not in NO_LINKS:
                    raise
            create(at, data)
            self._bytes.append(at)
        self._bytes.extend(made)

    def run(self) -> None:
        """Have everything on disk when this returns."""
        files.sync_all(self._bytes)
        for number, stage in enumerate(self._stages):
            folders = {target.parent for _, target in stage} | (self._folders if number == NAMES else set())
            for temporary, target in stage:
                temporary.replace(target)
            files.sync_all(sorted(folders))

    def __enter__(self) -> Commit:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        """Remove what did not get its name, and release the locks."""
        with self._held:
            if e is not None:
                for temporary, _ in (one for stage in self._stages for one in stage):
                    with contextlib.suppress(OSError):
                        if temporary.is_dir() and not temporary.is_symlink():
                            shutil.rmtree(temporary)
                        else:
                            temporary.unlink()
        if isinstance(e, OSError):
            raise could_not("be written", self._where, e) from e


def create(path: Path, data: bytes) -> None:
    """Write a new read-only file, which is not on disk yet.

    Raises:
        OSError: it exists, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o444)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def could_not(what: str, path: Path, e: OSError) -> EvidenceError:
    """Return the error of a store that cannot be read or written."""
    return EvidenceError(f"cannot {what}: {(e.strerror or str(e)).lower()}", where=str(e.filename or path))
