"""Every call of Python to the file system, counted; the n-th one fails, or from the n-th on all of its kind do.

`os` and `open` are replaced while a command runs in this process. What SQLite, DuckDB and wasmtime do inside
themselves is not seen here.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

READS = ("open", "read", "scandir", "listdir")
WRITES = ("open", "write", "fsync", "rename", "replace", "link", "mkdir", "unlink", "truncate", "ftruncate")
REASONS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}


@dataclass
class Faults:
    """What fails. `calls` is every call so far: its name, and the file where it is known.

    Attributes:
        at: the number of the call that fails, from 0; None: none does.
        reason: an errno.
        lasting: whether all later calls that write fail as well: a disk that is full stays full.
    """

    at: int | None = None
    reason: int = errno.EIO
    lasting: bool = False
    calls: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def pass_by(self, name: str, file: object) -> None:
        """Count one call; raise where it is its turn to fail."""
        number = len(self.calls)
        self.calls.append((name, str(file)))
        again = self.lasting and self.at is not None and number > self.at and name in WRITES[1:]
        if number == self.at or again:
            self.failed.append(self.calls[-1])
            raise OSError(self.reason, os.strerror(self.reason), file if isinstance(file, str) else None)


class _File:
    """A file object whose reads and writes are counted; everything else is the real one's."""

    def __init__(self, real: Any, faults: Faults, name: str) -> None:
        self._real, self._faults, self._name = real, faults, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name in ("read", "readinto", "readline", "readlines", "read1", "readall"):
            return self._counted("read", found)
        if name in ("write", "writelines", "flush", "truncate"):
            return self._counted("write", found)
        return found

    def _counted(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **settings: Any) -> Any:
            self._faults.pass_by(kind, self._name)
            return call(*arguments, **settings)

        return counted

    def __enter__(self) -> _File:
        self._real.__enter__()
        return self

    def __exit__(self, *about: Any) -> Any:
        return self._real.__exit__(*about)

    def __iter__(self) -> Iterator[Any]:
        self._faults.pass_by("read", self._name)
        return iter(self._real)


@contextmanager
def failing(at: int | None, reason: int = errno.EIO, *, lasting: bool = False) -> Iterator[Faults]:
    """Let the call number `at` fail, with `reason`, as long as the block lasts."""
    faults = Faults(at=at, reason=reason, lasting=lasting)
    held: list[tuple[Any, str, Any]] = []

    def put(module: Any, name: str, made: Any) -> None:
        held.append((module, name, getattr(module, name)))
        setattr(module, name, made)

    def counted(name: str, real: Any) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            faults.pass_by(name, os.fspath(arguments[0]) if arguments and _is_path(arguments[0]) else "")
            return real(*arguments, **settings)

        return call

    def opened(real: Any) -> Any:
        def call(file: Any, *arguments: Any, **settings: Any) -> Any:
            name = str(file)
            if isinstance(file, int):  # os.fdopen: opened before, and counted there
                return _File(real(file, *arguments, **settings), faults, name)
            faults.pass_by("open", name)
            return _File(real(file, *arguments, **settings), faults, name)

        return call

    for name in sorted({*READS, *WRITES}):
        put(os, name, counted(name, getattr(os, name)))
    real = io.open
    for module in (builtins, io):
        put(module, "open", opened(real))
    try:
        yield faults
    finally:
        for module, name, before in reversed(held):
            setattr(module, name, before)


def recorded_syncs(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Return the set that every file and folder comes into once it is waited for until it is on disk (Linux)."""
    synced: set[Path] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return synced


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike)
