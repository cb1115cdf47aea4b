"""A store's signed head: what was stored, in which order, so that what is gone is seen (P19, P36). Pure.

The log of a store (`evidence.log` reads and writes it) is text, one line an entry, in segments of 256 entries at most.
A segment begins with the SHA-256 of the segment before it (zeros for the first):

    previous 0000…
    decision <SHA-256 of the build manifest> <SHA-256 of decision.sigstore.json> <project> <time>
    revocation <SHA-256 of the revocation's bundle> <time>
    override <SHA-256 of decision.sigstore.json> <SHA-256 of the override's bundle> <time>

The project is three short digests (`project_of`), so that whoever looks for one project's newest decision reads no
other one's. The time is when the line was written, never before the line above it, nor before the decision that it
names was made: nothing further up is newer. Lines of earlier versions end before these words.

A head is an in-toto statement whose subject is the newest segment up to its last entry: a chain of plain SHA-256 over
all entries, which `sha256sum` and `cosign` can follow. It names the head before it, counts heads and entries, and says
when.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sbomgate import __version__, dsse
from sbomgate.canonical import dumps
from sbomgate.errors import EvidenceError
from sbomgate.evidence.record import Statements
from sbomgate.model import TIME_SOURCES, Context, Signer
from sbomgate.signing.verify import NotAccepted, VerifiedStatement, verify
from sbomgate.times import format_time, parse_time

HEAD_TYPE = "https://sbomgate.dev/store-head/v1"
ROLES = ("decision", "revoker")
"""Whoever may put something into the store may sign its head."""

SEGMENT = 256  # entries of one segment: 56 kB, which an append reads, hashes and writes once
CLOCK_SKEW = timedelta(minutes=5)
FIRST = "0" * 64
LOG, ENTRIES = "log", "entries"
SUFFIX = ".sigstore.json"

_HEX = "[0-9a-f]{64}"
_SHA256 = re.compile(_HEX)
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z"
_PROJECT = r"[0-9a-f]{16}(?:\.[0-9a-f]{16}){2}"
_ENTRY = re.compile(
    rf"(?:decision (?P<build>{_HEX}) (?P<decision>{_HEX})(?: (?P<project>{_PROJECT})(?= {_TIME}))?"
    rf"|revocation (?P<revocation>{_HEX})|override (?P<failed>{_HEX}) (?P<override>{_HEX}))(?: (?P<time>{_TIME}))?"
)
_PREVIOUS = re.compile(rf"previous (?P<sha256>{_HEX})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that was stored: a decision (SHA-256 of its signed detail) on a build, or a bundle by its SHA-256.

    That is a revocation, or the override of a decision, which `failed` names.

    `project` is what `project_of` says of the decision and `time` when it was put into the log, as text: None in lines
    of earlier versions. An entry is the same whatever these say.
    """

    sha256: str
    build: str | None = None
    failed: str | None = None
    project: str | None = field(default=None, compare=False)
    time: str | None = field(default=None, compare=False)

    @property
    def line(self) -> str:
        """Its line in the log, without the line feed."""
        if self.build is not None:
            what = f"decision {self.build} {self.sha256}"
        else:
            what = f"revocation {self.sha256}" if self.failed is None else f"override {self.failed} {self.sha256}"
        return " ".join(filter(None, (what, self.project, self.time)))

    @property
    def logged(self) -> datetime | None:
        """When it was put into the log, at the latest: what it names is not newer, nor is anything before it."""
        return None if self.time is None else parse_time(self.time)


def project_of(context: Context, name: str) -> str:
    """Return what a decision is about, as three short digests: by its repository, by its name, and its workspace.

    They tell what need not be read, never what is the same: two projects may share one.
    """
    folder = context.lockfile_path.rpartition("/")[0]
    repository = None if context.repository is None else context.repository.value
    parts = (["repository", repository, folder], ["name", name, folder], ["workspace", context.workspace])
    return ".".join(hashlib.sha256(dumps(part)).hexdigest()[:16] for part in parts)


def entry_of(statements: Statements) -> Entry:
    """Return the entry of a decision, with the time that it says it was made at."""
    claimed = statements.claimed
    return Entry(
        sha256=statements.id,
        build=statements.build.sha256,
        project=project_of(claimed.context, claimed.project),
        time=format_time(statements.claimed_time),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a head says.

    Attributes:
        sequence: its number, from 1.
        entries: how many entries it covers, from 1.
        segment: SHA-256 (hex) of the newest segment up to the last of them.
        previous: SHA-256 (hex) of the head before it (its bundle), or None for the first.
        time: when it was signed, by the signer's word; `time_source` says who vouches for that.
        sbomgate: the version that wrote it.
    """

    sequence: int
    entries: int
    segment: str
    previous: str | None
    time: datetime
    time_source: str
    sbomgate: str = __version__

    @property
    def number(self) -> int:
        """The number of the newest segment, from 0."""
        return (self.entries - 1) // SEGMENT


def write_head(head: Head) -> bytes:
    """Return the statement to sign; the same head gives the same bytes."""
    for name, value in (("sequence", head.sequence), ("entries", head.entries)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise EvidenceError("not a number from 1", place=f"predicate.{name}")
    if (head.previous is None) != (head.sequence == 1):
        raise EvidenceError("the first head has no head before it, every other has one", place="predicate.previous")
    if head.previous is not None and not _SHA256.fullmatch(head.previous):
        raise EvidenceError("not a SHA-256", place="predicate.previous")
    if not _SHA256.fullmatch(head.segment):
        raise EvidenceError("not a SHA-256", place="subject[0].digest.sha256")
    if head.time_source not in TIME_SOURCES:
        raise EvidenceError(f"no such source of time: {head.time_source!r}", place="predicate.timeSource")
    if not isinstance(head.sbomgate, str):
        raise EvidenceError("not a text", place="predicate.sbomgate")
    return dsse.statement(
        [(f"{LOG}/{head.number:06}/{ENTRIES}", {"sha256": head.segment})],
        HEAD_TYPE,
        {
            "sequence": head.sequence,
            "entries": head.entries,
            "previous": None if head.previous is None else {"sha256": head.previous},
            "time": format_time(head.time),
            "timeSource": head.time_source,
            "sbomgate": head.sbomgate,
        },
    )


def read_head(payload: bytes, where: str) -> Head:
    """Return what a head says.

    Raises:
        EvidenceError: not a head of this version, or not the bytes that its own content would be written as.
    """
    statement = dsse.read_statement(payload, where)
    dsse.expect(statement["predicateType"], HEAD_TYPE, where, "predicateType")
    return dsse.exactly(payload, where, "store head", lambda: _head(statement), write_head)


def _head(statement: Mapping[str, Any]) -> Head:
    said = statement["predicate"]
    return Head(
        sequence=said["sequence"],
        entries=said["entries"],
        segment=statement["subject"][0]["digest"]["sha256"],
        previous=None if said["previous"] is None else said["previous"]["sha256"],
        time=parse_time(said["time"]),
        time_source=said["timeSource"],
        sbomgate=said["sbomgate"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A head that an accepted signer signed; `signed_at` is when, as far as that is proved."""

    head: Head
    signer: Signer
    signed_at: datetime | None


def accepted(bundle: bytes, signers: Sequence[Signer], where: str) -> SignedHead | NotAccepted:
    """Return what an accepted signer's head says, or why it does not count.

    Raises:
        EvidenceError: it carries an accepted signer's name and does not hold, or has no single meaning.
    """
    found = _by_role(bundle, signers, where)
    if isinstance(found, NotAccepted):
        return found
    head = read_head(found.payload, where)
    if found.time_source != head.time_source:
        raise EvidenceError(
            f"claims its time from {head.time_source!r}, its signature proves {found.time_source!r}",
            where=where,
            place="predicate.timeSource",
        )
    if found.time is not None and head.time - found.time > CLOCK_SKEW:
        raise EvidenceError("claims a time that lies after its signature", where=where, place="predicate.time")
    return SignedHead(head=head, signer=found.signer, signed_at=found.time)


def _by_role(bundle: bytes, signers: Sequence[Signer], where: str) -> VerifiedStatement | NotAccepted:
    found: VerifiedStatement | NotAccepted = NotAccepted(reason="nobody may sign it")
    for role in ROLES:
        found = verify(bundle, signers, role=role, where=where)
        if isinstance(found, VerifiedStatement):
            break
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a store says of itself beside its builds, read before them.

    Attributes:
        bundle: the newest head, or None where the store has none (it is older than heads, or they were removed).
        where: its path.
        entries: what it covers, in order, compared with its digest. Who signed it has not been looked at.
        revocations: SHA-256 (hex) → bundle of every revocation that lies there.
        lost: the overrides that it covers and that do not lie there.
    """

    bundle: bytes | None
    where: str
    entries: tuple[Entry, ...]
    revocations: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    lost: frozenset[Entry] = frozenset()


NOTHING = View(bundle=None, where="", entries=())
"""What holds where there is no store that could have a head."""


# --------------------------------------------------------------------------------------------------------------------
# Segments of the log


def read_segment(data: bytes, previous: str, where: str) -> list[str]:
    """Return the lines of a segment, which must follow the one with the digest `previous`; the first names that one.

    Raises:
        EvidenceError: it is no segment, is cut, or follows another one.
    """
    lines = data.decode("utf-8", "replace").split("\n")
    if lines.pop() != "":
        raise EvidenceError("its last line is cut", where=where)
    first = _PREVIOUS.fullmatch(lines[0]) if lines else None
    if first is None:
        raise EvidenceError("not a segment of a store's log", where=where)
    if first["sha256"] != previous:
        raise EvidenceError(
            f"altered: it follows a segment with the sha256 {first['sha256']}, the one before it has {previous}",
            where=where,
        )
    return lines


def write_segment(lines: Sequence[str]) -> bytes:
    """Return the bytes of a segment."""
    return "".join(f"{line}\n" for line in lines).encode()


def digest(lines: Sequence[str]) -> str:
    """Return the SHA-256 (hex) of a segment."""
    return hashlib.sha256(write_segment(lines)).hexdigest()


def segments(entries: Sequence[Entry]) -> dict[int, bytes]:
    """Return the segments that a head over these entries covers, by their number."""
    found: dict[int, bytes] = {}
    previous = FIRST
    for number in range(0, (len(entries) + SEGMENT - 1) // SEGMENT):
        part = entries[number * SEGMENT : (number + 1) * SEGMENT]
        lines = [f"previous {previous}", *(one.line for one in part)]
        found[number], previous = write_segment(lines), digest(lines)
    return found


def read_entry(line: str, where: str) -> Entry:
    """Return what a line of the log says.

    Raises:
        EvidenceError: it is none.
    """
    match = _ENTRY.fullmatch(line)
    if match is None:
        raise EvidenceError(f"{line[:200]!r} is no entry of a store's log", where=where)
    return Entry(
        sha256=match["decision"] or match["revocation"] or match["override"],
        build=match["build"],
        failed=match["failed"],
        project=match["project"],
        time=match["time"],
    )
