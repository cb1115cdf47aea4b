"""The fact cache: one SQLite file in a private directory (docs/facts.md describes it).

It holds the registry's words (with the dates of asking), attestation documents and the facts of tarballs. Each row
carries the SHA-256 of its value: a damaged row is a row that is not there. The digest finds damage, not forgery: who
can write the directory can write the digest too. That is why the directory must be ours alone, why attestations are
verified again from their bytes, and why `gate` reads tarballs again and asks the registry again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sbomgate.errors import FetchError

MAX_VALUE_BYTES = 64 * 1024 * 1024  # one row; attestation documents are about 25 kB
_FILE: Final = "facts-v1.sqlite3"
_BUSY_SECONDS = 10.0  # another sbomgate may be writing
_BATCH = 400  # keys a query; SQLite's oldest limit on variables is 999


class FactCache:
    """key → bytes, on disk. Use it as a context manager; it must be used from one thread.

    Raises (from every method):
        FetchError: the disk is full, the directory is not writable, or another process keeps it locked.
    """

    def __init__(self, directory: Path) -> None:
        """Open the cache in `directory`, which is made (mode 0700) where it does not exist.

        Raises:
            FetchError: another user owns it or may write to it, or it cannot be made.
        """
        self._directory = _private(directory)
        self._path = self._directory / _FILE
        with self._translated():
            try:
                self._connection = self._open()
            except sqlite3.DatabaseError as e:
                if isinstance(e, sqlite3.OperationalError):
                    raise
                self._discard()  # not a database: a cache that is damaged is empty
                self._connection = self._open()

    def __enter__(self) -> Self:
        """Return the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those `keys` that are there and undamaged."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, bytes] = {}
        with self._translated():
            try:
                for start in range(0, len(wanted), _BATCH):
                    batch = wanted[start : start + _BATCH]
                    marks = ",".join("?" * len(batch))
                    query = f"SELECT key, value, sha256 FROM fact WHERE key IN ({marks})"  # noqa: S608 - only marks
                    found.update(
                        (key, value)
                        for key, value, sha256 in self._connection.execute(query, batch)
                        if isinstance(value, bytes) and hashlib.sha256(value).digest() == sha256
                    )
            except sqlite3.DatabaseError as e:
                if isinstance(e, sqlite3.OperationalError):
                    raise
                self._connection.close()
                self._discard()
                self._connection = self._open()
                return {}
        return found

    def put(self, values: Mapping[str, bytes]) -> None:
        """Store `values`: all of them, or none where it fails."""
        rows = [
            (key, value, hashlib.sha256(value).digest())
            for key, value in values.items()
            if len(value) <= MAX_VALUE_BYTES
        ]
        with self._translated(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO fact (key, value, sha256) VALUES (?, ?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        # Not WAL: to enter it, and to close it last, SQLite answers "busy" at once, whatever the timeout says
        # (sqlite.org/wal.html). With a rollback journal and IMMEDIATE every lock is one that it waits for.
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level="IMMEDIATE")
        try:
            self._path.chmod(0o600)
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value BLOB NOT NULL, sha256 BLOB NOT NULL)"
            )
            connection.execute("SELECT key, value, sha256 FROM fact LIMIT 1").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _discard(self) -> None:
        for suffix in ("", "-journal"):
            self._path.with_name(_FILE + suffix).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            raise FetchError(
                f"the fact cache cannot be used: {e.strerror if isinstance(e, OSError) else e}",
                where=str(self._directory / _FILE),
                hint="make room on the disk and check the permissions of the cache directory, or delete it",
            ) from e


def _private(directory: Path) -> Path:
    """Return the real path of a directory that nobody else can write to."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = directory.resolve(strict=True)
        status = real.stat()
    except OSError as e:
        raise FetchError(
            f"the cache directory cannot be used: {e.strerror}",
            where=str(directory),
            hint="name a directory that this user can write to",
        ) from e
    if hasattr(os, "getuid"):
        hint = "use a directory of your own with mode 0700; what another user can write, sbomgate does not read"
        if status.st_uid != os.getuid():
            raise FetchError("the cache directory belongs to another user", where=str(directory), hint=hint)
        if stat.S_IMODE(status.st_mode) & 0o022:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            raise FetchError(f"others may write to the cache directory (mode {mode})", where=str(directory), hint=hint)
    return real
