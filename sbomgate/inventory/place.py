"""Where an inventory lies, for reading: a folder (`folder`) or object storage (`bucket`). The same files in both."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson

from sbomgate.errors import EvidenceError
from sbomgate.inventory import amendments, lines
from sbomgate.inventory.amendments import Amendment, Look
from sbomgate.inventory.engines import Engine, Rows, VanishedError
from sbomgate.inventory.engines.duck import DuckDB

SCHEMA = "sbomgate/inventory/v1"
MANIFEST = "segments.json"
DELTA = "delta"
SEGMENTS = "segments"

MAX_MANIFEST_BYTES = 1 << 20  # a line of 80 bytes for each segment, of which there are a dozen
LISTINGS = 20  # times that a reader lists again: compactions take seconds, listing milliseconds
REBUILD = "make it again from the evidence: `sbomgate inventory rebuild`"

_SEGMENT = re.compile(r"[0-9]{6}(?:-[0-9a-f]{16})?\.parquet")
_SPANS = re.compile(r"[0-9]{6}(?:-[0-9a-f]{16})?\.spans\.parquet")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A sorted file of many builds: its name in `segments/`, and how many rows and builds it holds.

    `spans` is the name of the file beside it that says which builds hold what (`rows.SPAN_COLUMNS`). A compaction by an
    older version made none: then the rows are asked, which takes longer.
    """

    name: str
    rows: int
    builds: int
    spans: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all its files."""
        return (self.name,) if self.spans is None else (self.name, self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What counted at one moment: segments, and the names of single builds in `delta/`."""

    segments: tuple[Segment, ...]
    deltas: tuple[str, ...]


class Place(ABC):
    """An inventory, for reading."""

    @property
    @abstractmethod
    def where(self) -> str:
        """What it is called, for people."""

    @abstractmethod
    def at(self, name: str) -> str:
        """Return what engines open a file of it by."""

    @abstractmethod
    def read(self, name: str, limit: int) -> bytes | None:
        """Return the bytes of a file of it, or None where there is none.

        Raises:
            EvidenceError: it cannot be read, or has more than `limit` bytes.
        """

    @abstractmethod
    def reader(self) -> DuckDB:
        """Return the engine that reads this inventory and nothing else."""

    @abstractmethod
    def _deltas(self) -> tuple[str, ...]:
        """Return the names in `delta/`, sorted."""

    def exists(self) -> bool:
        """Whether there is an inventory here."""
        return self.read(MANIFEST, MAX_MANIFEST_BYTES) is not None

    def listing(self) -> Listing:
        """Return what counts now.

        Raises:
            EvidenceError: this is no inventory.
        """
        deltas = self._deltas()  # before the segments: what moves meanwhile is seen twice and not never
        return Listing(segments=self._segments(), deltas=deltas)

    def amended(self) -> tuple[Amendment | Look, ...]:
        """Return what was signed about decisions after them, and when it was looked for, in the order of finding.

        Raises:
            EvidenceError: it cannot be read, or a line of it is none.
        """
        return amendments.read(self.read(amendments.FILE, lines.MAX_BYTES), self.at(amendments.FILE))

    def ask(self, engine: Engine, question: Callable[[Engine], T]) -> T:
        """Have a question answered over everything that counts, again where files vanish while it is answered.

        Raises:
            EvidenceError: a file cannot be read; two builds have one key.
        """

        def attempt() -> T:
            listing = self.listing()
            files = [self._rows(segment) for segment in listing.segments]
            engine.open(files)
            if listing.deltas:
                held = {key for (key,) in engine.query("SELECT build FROM build")}
                new = [name for name in listing.deltas if int(name.partition(".")[0], 16) not in held]
                engine.open([*files, *(Rows(file=self.at(f"{DELTA}/{name}")) for name in new)])
            twice = engine.query("SELECT build FROM build GROUP BY build HAVING count(*) > 1 LIMIT 1")
            if twice:
                raise EvidenceError("two builds have one key", where=self.where, place=f"{twice[0][0]:016x}")
            amendments.apply(engine, [one for one in self.amended() if isinstance(one, Amendment)])
            return question(engine)

        for _ in range(LISTINGS):
            try:
                return attempt()
            except VanishedError as e:
                vanished = e
        raise EvidenceError(f"a file that is listed is not there: {vanished}", where=self.where, hint=REBUILD)

    def _rows(self, segment: Segment) -> Rows:
        spans = None if segment.spans is None else self.at(f"{SEGMENTS}/{segment.spans}")
        return Rows(file=self.at(f"{SEGMENTS}/{segment.name}"), spans=spans)

    def _segments(self) -> tuple[Segment, ...]:
        where = self.at(MANIFEST)
        data = self.read(MANIFEST, MAX_MANIFEST_BYTES)
        if data is None:
            raise EvidenceError("there is no such file", where=where, hint="make it with `sbomgate inventory add`")
        try:
            value = json.loads(data)
            if value["schema"] != SCHEMA:
                raise EvidenceError(f"{value['schema']!r:.80}, expected {SCHEMA!r}", where=where, hint=REBUILD)
            found = [
                Segment(name=s["name"], rows=s["rows"], builds=s["builds"], spans=s.get("spans"))
                for s in value["segments"]
            ]
            if not all(_SEGMENT.fullmatch(s.name) and (s.spans is None or _SPANS.fullmatch(s.spans)) for s in found):
                raise ValueError("a name that is no segment's")
        except (ValueError, KeyError, TypeError) as e:
            raise EvidenceError(f"not the list of an inventory's segments: {e}", where=where, hint=REBUILD) from e
        return tuple(found)


def manifest(segments: Sequence[Segment]) -> bytes:
    """Return the bytes of `segments.json`."""
    listed = [
        {"name": s.name, "rows": s.rows, "builds": s.builds} | ({} if s.spans is None else {"spans": s.spans})
        for s in segments
    ]
    return orjson.dumps({"schema": SCHEMA, "segments": listed}, option=orjson.OPT_INDENT_2) + b"\n"
