"""The files of an inventory: builds are added without waiting, compacted under a lock, and never half there.

- A build is added as one file of its own: temporary name, fsync, rename, fsync of the folder. Any number of writers.
- A compaction writes a sorted segment, replaces `segments.json`, and only then removes what it was made of. One at a
  time (flock). A build that stands in a segment counts there: a file of it in `delta/` that a kill left is not read.
- A reader lists `delta/` first and `segments.json` after it, so that what moves meanwhile is seen twice and not never;
  where a file vanishes under it, it lists again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from sbomgate import files
from sbomgate.errors import EvidenceError, UsageError
from sbomgate.inventory import amendments, lines
from sbomgate.inventory.amendments import Amendment, Look
from sbomgate.inventory.engines import VanishedError
from sbomgate.inventory.engines.duck import DuckDB, Writer
from sbomgate.inventory.place import DELTA, MANIFEST, REBUILD, SEGMENTS, Listing, Place, Segment, manifest

MAX_DELTAS = 500
"""Files of single builds before they are made one segment: each costs a query a fifth of a millisecond."""
MAX_SEGMENT_ROWS = 64_000_000
"""Rows of a segment that is still merged with others: beyond it rewriting costs more than opening one more file."""
LOCK_WAIT_SECONDS = 60  # a compaction of 500 builds takes seconds

_TEMPORARY = ".tmp-"
_LOCKS = frozenset({".lock", ".writing", ".deploying"})
_DELTA = re.compile(r"([0-9a-f]{16})\.parquet")


class Folder(Place):
    """An inventory on disk."""

    def __init__(self, path: Path) -> None:
        """Name it; nothing is read or written."""
        self.path = path
        self._writes: Writer | None = None

    # -- reading

    @property
    def where(self) -> str:
        """See `Place`."""
        return str(self.path)

    def at(self, name: str) -> str:
        """See `Place`."""
        return str(self.path.absolute() / name)

    def read(self, name: str, limit: int) -> bytes | None:
        """See `Place`."""
        at = self.path / name
        return files.read(at, limit=limit, error=EvidenceError, follow=False) if at.exists() else None

    def reader(self) -> DuckDB:
        """See `Place`."""
        return DuckDB([self.at(SEGMENTS), self.at(DELTA)])

    @property
    def _aside(self) -> Path:
        return self.path / f"{_TEMPORARY}rebuilt"

    def _deltas(self) -> tuple[str, ...]:
        try:
            return tuple(sorted(path.name for path in (self.path / DELTA).iterdir() if _DELTA.fullmatch(path.name)))
        except OSError as e:
            raise self._could_not("read", e) from e

    # -- writing

    def create(self) -> None:
        """Make an empty inventory, where there is none yet.

        Raises:
            UsageError: something else is here.
            EvidenceError: it cannot be written.
        """
        if self.exists():
            return
        try:
            if self.path.is_dir() and not {DELTA, SEGMENTS, *_LOCKS} >= {
                path.name for path in self.path.iterdir() if not path.name.startswith(_TEMPORARY)
            }:
                raise UsageError(
                    "holds other files and no inventory", where=str(self.path), hint="give a folder of its own"
                )
            for folder in (self.path, self.path / DELTA, self.path / SEGMENTS):
                folder.mkdir(parents=folder == self.path, exist_ok=True)
            with self.lock(".lock"):
                if not self.exists():
                    self._publish(())
        except OSError as e:
            raise self._could_not("be written", e) from e

    def add(self, builds: Sequence[tuple[int, list[dict[str, Any]]]]) -> None:
        """Add builds: (key, rows). When this returns they are on disk; adding one again changes nothing.

        Raises:
            EvidenceError: it cannot be written. Readers see what they saw before, or some of the builds whole.
        """
        try:
            with self.lock(".writing", shared=True):
                for key, rows in builds:
                    self._add(self._writer(), key, rows)
                files.sync(self.path / DELTA)
        except OSError as e:
            raise self._could_not("be written", e) from e

    def _add(self, writer: Writer, key: int, rows: list[dict[str, Any]]) -> None:
        try:
            lines = orjson.dumps(rows)
        except orjson.JSONEncodeError as e:  # a lone surrogate
            raise EvidenceError(f"a text that is none: {e}", where="SBOM") from e
        delta = self.path / DELTA
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, suffix=".json", dir=delta)
        made = Path(f"{name}.parquet")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(lines)
            writer.write(Path(name), made)
            files.sync(made)
            made.replace(delta / f"{key:016x}.parquet")
        finally:
            Path(name).unlink(missing_ok=True)
            made.unlink(missing_ok=True)

    def amend(self, found: Iterable[Amendment | Look], *, again: bool = False) -> int:
        """Keep what is not there yet, on disk when this returns; return how many amendments those are.

        Args:
            found: the amendments, and when they were looked for.
            again: keep also what is there: it is about to be removed.

        Raises:
            EvidenceError: it cannot be written.
        """
        wanted = list(dict.fromkeys(found))
        if not wanted:
            return 0
        at = self.path / amendments.FILE
        try:
            with self.lock(".deploying"):
                # While it is made again what is here is about to be removed as well.
                held = set() if again or self._aside.is_dir() else set(self.amended())
                new = [one for one in wanted if one not in held]
                if new:
                    lines.append(at, [amendments.written(one) for one in new])
        except OSError as e:
            raise EvidenceError(f"cannot be written: {(e.strerror or str(e)).lower()}", where=str(at)) from e
        return sum(isinstance(one, Amendment) for one in new)

    def compact(self, *, everything: bool = False, wait: bool = True) -> int:
        """Make one segment of the single builds, and of the segments that are not much larger; return how many rows.

        Args:
            everything: take all segments.
            wait: for another that compacts; else do nothing then.

        Raises:
            EvidenceError: it cannot be written, or another does not finish. Nothing is lost.
        """
        try:
            with self.lock(".lock", wait=wait) as held:
                return self._compact(everything=everything) if held else 0
        except VanishedError as e:
            raise EvidenceError(f"a file that is listed is not there: {e}", where=str(self.path), hint=REBUILD) from e
        except OSError as e:
            raise self._could_not("be written", e) from e

    @contextlib.contextmanager
    def still(self) -> Iterator[Listing]:
        """Compact what is due, and yield what counts while no other compaction and no rebuild runs.

        Raises:
            EvidenceError: as `compact`.
        """
        try:
            with self.lock(".lock"):
                self._compact(everything=False)
                yield self.listing()
        except OSError as e:
            raise self._could_not("be read", e) from e

    def compact_if_due(self) -> int:
        """Compact where so many builds were added that readers feel it, and nobody else does."""
        return self.compact(wait=False) if len(self._deltas()) >= MAX_DELTAS else 0

    @contextlib.contextmanager
    def rebuilding(self) -> Iterator[Folder]:
        """Yield an empty inventory: what it holds in the end takes the place, at once, of all builds that were here.

        What others add meanwhile stays, and so does what is not made of builds. After an error nothing has changed.

        Raises:
            EvidenceError: it cannot be written, or another compaction does not finish.
        """
        aside = Folder(self._aside)
        try:
            with self.lock(".lock"):
                before = self.listing()
                files_before = {path: path.stat().st_ino for path in self._paths(before)}
                shutil.rmtree(aside.path, ignore_errors=True)
                try:
                    aside.create()
                    with self.lock(".deploying"):
                        amended = lines.size(self.path / amendments.FILE)
                    yield aside
                    aside.compact(everything=True)
                    # Until the end what is revoked by the old or by the new evidence is.
                    self.amend(aside.amended(), again=True)
                    self._take(aside, before, files_before)
                    with self.lock(".deploying"):
                        lines.cut(self.path / amendments.FILE, amended)
                finally:
                    shutil.rmtree(aside.path, ignore_errors=True)
        except OSError as e:
            raise self._could_not("be written", e) from e

    def _take(self, aside: Folder, before: Listing, files_before: Mapping[Path, int]) -> None:
        number = max((int(segment.name[:6]) for segment in before.segments), default=0)
        taken = []
        for segment in aside.listing().segments:
            number += 1
            taken.append(_named(segment, number))
            for old, new in zip(segment.files, taken[-1].files, strict=True):
                (aside.path / SEGMENTS / old).replace(self.path / SEGMENTS / new)
        files.sync(self.path / SEGMENTS)
        self._publish(taken)
        self._remove(self.path / SEGMENTS / name for segment in before.segments for name in segment.files)
        with self.lock(".writing"):  # what was added again meanwhile is another file of that name: it stays
            self._remove(path for path, number in files_before.items() if path.stat().st_ino == number)

    def _compact(self, *, everything: bool) -> int:
        listing = self.listing()
        self._clean(listing)
        segments = listing.segments
        held = self._writer().keys([self.path / SEGMENTS / segment.name for segment in segments])
        new = [path for path in self._paths(listing) if int(path.stem, 16) not in held]
        merged = list(segments) if everything else _tier(segments, new)
        if not new and len(merged) < 2 and all(segment.spans is not None for segment in merged):
            self._remove(self._paths(listing))
            return 0
        last = max((int(segment.name[:6]) for segment in segments), default=0)
        made = self.path / SEGMENTS / f"{_TEMPORARY}{last + 1:06}.parquet"
        spans = made.with_suffix(".spans.parquet")
        sources = [*(self.path / SEGMENTS / segment.name for segment in merged), *new]
        rows, builds = self._writer().merge(sources, made)
        self._writer().span(made, spans)
        segment = _named(Segment(name=made.name, rows=rows, builds=builds, spans=spans.name), last + 1)
        for old, name in zip((made, spans), segment.files, strict=True):
            files.sync(old)
            old.replace(self.path / SEGMENTS / name)
        files.sync(self.path / SEGMENTS)
        kept = [segment for segment in segments if segment not in merged]
        self._publish((*kept, segment))
        gone = [self.path / SEGMENTS / name for segment in merged for name in segment.files]
        self._remove([*gone, *self._paths(listing)])
        return rows

    def _paths(self, listing: Listing) -> list[Path]:
        return [self.path / DELTA / name for name in listing.deltas]

    def _clean(self, listing: Listing) -> None:
        """Remove what a killed compaction left, and what killed writers left where none is writing."""
        known = {name for segment in listing.segments for name in segment.files}
        self._remove(path for path in (self.path / SEGMENTS).iterdir() if path.name not in known)
        with self.lock(".writing", wait=False) as alone:
            if alone:
                self._remove((self.path / DELTA).glob(f"{_TEMPORARY}*"))

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in list(paths):
            path.unlink(missing_ok=True)

    def _publish(self, segments: Sequence[Segment]) -> None:
        data = manifest(segments)
        made = self.path / f"{_TEMPORARY}{MANIFEST}"
        with made.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        made.replace(self.path / MANIFEST)
        files.sync(self.path)

    def _writer(self) -> Writer:
        if self._writes is None:
            self._writes = Writer(self.path / f"{_TEMPORARY}sort")
        return self._writes

    @contextlib.contextmanager
    def lock(self, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
        """Hold a lock on a file of its own, which stays; the system drops it when its holder dies.

        Yields whether it is held: without `wait` somebody else may hold it.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path / name, flags, 0o644)
        try:
            held = files.try_lock(descriptor, shared=shared)
            tries = LOCK_WAIT_SECONDS * 50 if wait else 0
            while not held and tries:
                time.sleep(0.02)
                tries -= 1
                held = files.try_lock(descriptor, shared=shared)
            if wait and not held:
                raise EvidenceError(
                    f"somebody else has held this lock for {LOCK_WAIT_SECONDS} seconds",
                    where=str(self.path / name),
                    hint="see which process has it open (`fuser`), and run again",
                )
            yield held
        finally:
            os.close(descriptor)

    def _could_not(self, what: str, e: OSError) -> EvidenceError:
        hint = "make it with `sbomgate inventory add`" if e.errno == errno.ENOENT else ""
        return EvidenceError(
            f"cannot {what}: {(e.strerror or str(e)).lower()}", where=str(e.filename or self.path), hint=hint
        )


def _named(segment: Segment, number: int) -> Segment:
    """Return a segment whose files are called by a number."""
    spans = None if segment.spans is None else f"{number:06}.spans.parquet"
    return replace(segment, name=f"{number:06}.parquet", spans=spans)


def _tier(segments: Sequence[Segment], new: Sequence[Path]) -> list[Segment]:
    """Return the segments that are merged with so many new builds: as long as each is at most twice what comes to it.

    Each row is then rewritten as often as the number of segments has doublings.
    """
    merged: list[Segment] = []
    builds = len(new)
    for segment in sorted(segments, key=lambda s: (s.builds, s.name)):
        if segment.builds > 2 * builds or segment.rows > MAX_SEGMENT_ROWS:
            break
        merged.append(segment)
        builds += segment.builds
    return merged
