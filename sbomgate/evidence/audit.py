"""Looking through a whole store: every layout, every signature, every head; what is not as they say, by its path.

`look` takes one build and knows nothing of the others, so that several processes can share the builds. `heads` takes
the log with every head in it. `compare` holds what was found against the newest head. Attestations of packages are
`sbomgate.audit`'s: this package knows nothing of them.

A problem is a value. What cannot be read at all is one too, of the kind `unreadable`: nobody knows then.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sbomgate import dsse, files, override
from sbomgate.decision import OBSERVE
from sbomgate.errors import EvidenceError
from sbomgate.evidence import head as heads_
from sbomgate.evidence import layout, log, overrides
from sbomgate.evidence.head import SEGMENT, Entry, Head, SignedHead, View
from sbomgate.evidence.record import Statements
from sbomgate.evidence.revocation import SignedRevocation, accepted_of
from sbomgate.evidence.verify import CLOCK_SKEW, Reason, Signed, detail_by, hits, signed_by
from sbomgate.model import Signer, Trust, Verdict
from sbomgate.signing.verify import NotAccepted

UNREADABLE = "unreadable"
UNCOVERED = "uncovered"
AGE = "age"
MENDED = (UNCOVERED, AGE)
"""What a fresh head puts right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as the signatures or the head say: `kind` is a stable word, `path` says where it lies."""

    kind: str
    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision in the store.

    `digest` is its artefact's, `sha256:…` or `gitCommit:…`; `signer` is None where nobody who is accepted signed it,
    and "" where that was not looked at; `entry` is its entry in the log; `revoked` holds the ids of the revocations
    that hit it.
    """

    id: str
    build: str
    subject: str
    digest: str
    environment: str | None
    time: datetime
    verdict: Verdict
    profile: str
    signer: str | None
    entry: Entry
    revoked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found in a build's folder."""

    decisions: tuple[Decided, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def problem(e: EvidenceError, kind: str = "altered", path: str = "") -> Problem:
    """Return what an error of reading evidence says, as a value."""
    return Problem(kind=UNREADABLE if _unreadable(e) else kind, path=e.where or path, message=_message(e))


def _message(e: EvidenceError) -> str:
    return f"{e.place}: {e.message}" if e.place else e.message


def _unreadable(e: BaseException) -> bool:
    """Whether the file system kept somebody from reading, which says nothing of what is there."""
    cause = e.__cause__
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__
    return isinstance(cause, OSError) and cause.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def look(
    build: Path, signers: Sequence[Signer] | None, revoking: Sequence[SignedRevocation], view: View, known: layout.Known
) -> tuple[Looked, tuple[Statements, ...]]:
    """Look at one build: every byte, and every signature.

    Args:
        build: its folder.
        signers: who is accepted, or None: then nobody's signature is looked at.
        revoking: the revocations that count.
        view: the store's head, for those.
        known: the files that were hashed before in this process.
    """
    try:
        found = layout.inspect(build, known)
    except EvidenceError as e:
        # The first thing that is wrong; other blobs of it may be as well.
        first = problem(e, path=str(build))
        return Looked(problems=(first, *_blobs(build, first.path))), ()
    if not found:
        return Looked(notes=(f"{build} holds no decision: a writer was killed, or its index is gone",)), ()
    return signed(build, found, signers, revoking, view), found


def signed(
    build: Path,
    found: Sequence[Statements],
    signers: Sequence[Signer] | None,
    revoking: Sequence[SignedRevocation],
    view: View,
) -> Looked:
    """Return the decisions in a build's folder with who signed them, and what revokes them."""
    decisions: list[Decided] = []
    problems: list[Problem] = []
    notes: list[str] = []
    for one in found:
        name, revoked = "" if signers is None else None, []
        path = str(build / "decisions" / one.id)
        try:
            match None if signers is None else signed_by(one, signers):
                case Signed() as by:
                    name = by.signer.name
                    revoked = [r.id for r in revoking if hits(r, by, view)]
                case Reason() as reason:
                    if isinstance(detail_by(one, signers or ()), Signed):  # (P36) the detail is his, the summary not
                        problems.append(Problem(kind="signature", path=path, message=reason.message))
                    notes.append(f"{path} does not count: {reason.message}")
        except EvidenceError as e:
            problems.append(Problem(kind="signature", path=path, message=f"{e.where}: {_message(e)}"))
        context = one.claimed.context
        decisions.append(
            Decided(
                id=one.id,
                build=one.build.sha256,
                subject=one.claimed.subject.name,
                digest=":".join(next(iter(one.claimed.subject.digest.items()))),
                environment=context.environment_name,
                time=one.claimed_time,
                verdict=one.claimed.verdict,
                profile=context.profile,
                signer=name,
                entry=heads_.entry_of(one),
                revoked=tuple(revoked),
            )
        )
    return Looked(decisions=tuple(decisions), problems=tuple(problems), notes=tuple(notes))


def _blobs(build: Path, told: str) -> list[Problem]:
    """Return every blob of a layout that is not what its name says, but for the one that was told of already."""
    found = []
    folder = build / "blobs" / "sha256"
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    for name in names:
        path = folder / name
        if name.startswith(".tmp-") or str(path) == told:
            continue
        try:
            data = files.read(path, limit=layout.MAX_BLOB_BYTES, error=EvidenceError, follow=False)
        except EvidenceError as e:
            found.append(problem(e))
            continue
        if (got := hashlib.sha256(data).hexdigest()) != name:
            found.append(Problem(kind="altered", path=str(path), message=f"altered: its sha256 is {got}"))
    return found


# --------------------------------------------------------------------------------------------------------------------
# The log and its heads


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What the log says.

    Attributes:
        view: the newest head, what it covers, and the revocations; empty where the log is not to be believed.
        newest: that head, where an accepted signer signed it.
        revoking: the revocations that count.
        overrides: those that accepted persons signed.
        count: how many heads there are.
        problems, notes: what is wrong with the log; what else was seen.
    """

    view: View
    newest: SignedHead | None
    revoking: tuple[SignedRevocation, ...]
    overrides: tuple[Entry, ...]
    count: int
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def heads(store: Path, trust: Trust | None, *, now: datetime, earlier: bytes | None = None) -> Chain:
    """Verify every head of a store: signature, number, the head before it, and exactly the entries that it covers.

    Args:
        store: the store.
        trust: who is accepted, and how old the newest head may be; None: signatures are not looked at.
        now: the time of the audit.
        earlier: a head (bundle) that somebody kept: the store must still hold it.

    Raises:
        EvidenceError: the log cannot be listed.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    signers = None if trust is None else trust.signers
    try:
        view = log.view(store)
    except EvidenceError as e:
        of_log = str(store / heads_.LOG) in e.where
        problems.append(problem(e, "head" if of_log else "altered", str(store / heads_.LOG)))
        view = heads_.NOTHING
    told = {one.path for one in problems}
    count, kept = 0, None if earlier is None else hashlib.sha256(earlier).hexdigest()
    seen: set[str] = set()
    previous: tuple[Head, str] | None = None
    newest: SignedHead | None = None
    strangers: Problem | None = None
    digests = _Prefixes(store)
    try:
        for path, bundle in log.heads(store):
            count += 1
            sha256 = hashlib.sha256(bundle).hexdigest()
            seen.add(sha256)
            newest = strangers = None
            try:
                found = None if signers is None else heads_.accepted(bundle, signers, str(path))
                match found:
                    case SignedHead() as signed:
                        head, newest = signed.head, signed
                    case _:
                        head = heads_.read_head(dsse.read_bundle(bundle, str(path)).payload, str(path))
                if isinstance(found, NotAccepted):
                    notes.append(f"{path} is {found.reason}")
                    strangers = Problem(kind="head", path=str(path), message=f"the newest head is {found.reason}")
                log.check_place(path, head)
                wrong = _follows(head, previous) or digests.compare(head)
            except EvidenceError as e:
                if str(path) not in told:
                    problems.append(problem(e, "head", str(path)))
                previous = None
                continue
            if wrong:
                problems.append(Problem(kind="head", path=str(path), message=wrong))
            if previous is None and head.sequence != 1 and count == 1:
                message = f"the heads before number {head.sequence} are missing"
                problems.append(Problem(kind="head", path=str(path), message=message))
            if previous is not None and previous[0].time - head.time > CLOCK_SKEW:
                notes.append(f"{path} says that it is older than the head before it")
            previous = head, sha256
    except EvidenceError as e:
        problems.append(problem(e, "head", str(store / heads_.LOG)))
    problems += [
        Problem(kind="head", path=str(path), message="lies in the log and is no part of it")
        for path in log.strange(store)
    ]
    if strangers is not None:  # (P36) whoever can write a store can put a head of his own over what he left in it
        problems.append(strangers)
    if kept is not None and kept not in seen:
        message = (
            "the store does not hold the head that was kept: it was taken back to an earlier state, or started anew"
        )
        problems.append(Problem(kind="head", path=str(store / heads_.LOG), message=message))
    if count == 0:
        message = "the store has no signed head: what was removed from it is not seen"
        if trust is not None and trust.max_head_age_hours is not None:
            problems.append(Problem(kind=AGE, path=str(store / heads_.LOG), message=message))
        else:
            notes.append(message)
    elif trust is not None and trust.max_head_age_hours is not None:
        problems += _too_old(newest, view, trust.max_head_age_hours, now)
    revoking: tuple[SignedRevocation, ...] = ()
    if signers is not None:
        try:
            revoking, refused = accepted_of(view.revocations, signers)
            notes += refused
        except EvidenceError as e:
            problems.append(problem(e, "signature"))
    return Chain(
        view=view,
        newest=newest,
        revoking=revoking,
        overrides=tuple(_overrides(store, trust, problems, notes)),
        count=count,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _overrides(store: Path, trust: Trust | None, problems: list[Problem], notes: list[str]) -> Iterator[Entry]:
    """Yield the overrides by accepted persons; what else lies there is told."""
    for failed in overrides.decisions(store):
        try:
            bundles = overrides.read(store, failed)
        except EvidenceError as e:
            problems.append(problem(e, path=str(store / layout.OVERRIDES / failed)))
            continue
        if trust is None:
            continue
        found = override.history(bundles, trust)
        for one in found.signed:
            path = str(store / layout.OVERRIDES / failed / one.file)
            sha256 = hashlib.sha256(bundles[one.file]).hexdigest()
            if one.said.decision != failed or one.file != f"{sha256}{overrides.SUFFIX}":
                notes.append(f"{path} does not count: it lies where another belongs")
            else:
                yield Entry(sha256=sha256, failed=failed)
        notes += [
            f"{store / layout.OVERRIDES / failed / file} does not count: {reason}" for file, reason in found.refused
        ]


def _too_old(newest: SignedHead | None, view: View, hours: float, now: datetime) -> list[Problem]:
    if newest is None:
        return [Problem(kind="head", path=view.where, message="the newest head is by nobody who is accepted")]
    if now - newest.head.time > timedelta(hours=hours):
        age = (now - newest.head.time).total_seconds() / 3600
        message = f"the newest head was signed {age:.0f} hours ago, the trust file accepts {hours:g}"
        return [Problem(kind=AGE, path=view.where, message=message)]
    return []


def _follows(head: Head, previous: tuple[Head, str] | None) -> str:
    """Return what is wrong with a head as the one after another, or ""."""
    if previous is None:
        return ""
    before, digest = previous
    if head.sequence != before.sequence + 1:
        return f"is number {head.sequence}, and follows number {before.sequence}: heads are missing"
    if head.previous != digest:
        return f"names {head.previous} as the head before it, which is {digest}"
    if head.entries < before.entries:
        return f"covers {head.entries} entries, the head before it {before.entries}"
    return ""


class _Prefixes:
    """The digests of the log's segments up to each entry: every one is read and hashed once."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._number = -1
        self._digests: list[str] = []

    def compare(self, head: Head) -> str:
        """Return what is wrong with the entries that a head covers, or ""."""
        if self._number != head.number:
            at = self._store / heads_.LOG / f"{head.number:06}" / heads_.ENTRIES
            data = files.read(at, limit=log.MAX_SEGMENT_BYTES, error=EvidenceError, follow=False)
            whole = hashlib.sha256()
            self._digests = []
            for line in data.splitlines(keepends=True):
                whole.update(line)
                self._digests.append(whole.copy().hexdigest())
            self._number = head.number
        index = head.entries - head.number * SEGMENT
        if index >= len(self._digests) or self._digests[index] != head.segment:
            return "covers other entries than the log has: removed, altered, reordered or cut"
        return ""


def compare(store: Path, chain: Chain, decisions: Iterable[Decided]) -> list[Problem]:
    """Hold what was found in a store against its newest head: what is missing, and what no head covers."""
    view = chain.view
    if view.bundle is None and chain.count:
        return []  # the log is not to be believed, and that was told
    problems: list[Problem] = []
    here = {one.entry: one for one in decisions}
    covered: set[Entry] = set()
    last: datetime | None = None
    for entry in view.entries:
        path = log.path_of(store, entry)
        if entry in covered:
            problems.append(Problem(kind="head", path=str(path), message="the log has it twice"))
        covered.add(entry)
        if entry.failed is not None:
            lost = entry in view.lost
            if lost and os.path.lexists(path):
                message = "altered: not the bytes that the head covers"
                problems.append(Problem(kind="altered", path=str(path), message=message))
                continue
        elif entry.build is None:
            lost = entry.sha256 not in view.revocations
        else:
            # Where its build is altered, that was told already.
            lost = entry not in here and not os.path.lexists(path)
        if (found := here.get(entry)) is not None and entry.project not in (None, found.entry.project):
            problems.append(Problem(kind="head", path=str(path), message="the log says that it is of another project"))
        if (logged := entry.logged) is not None:
            if (last is not None and logged < last) or (found is not None and logged < found.time):
                message = f"the log has it at {entry.time}, which is before it was decided, or before the line above"
                problems.append(Problem(kind="head", path=str(path), message=message))
            last = logged
        if lost:
            problems.append(Problem(kind="missing", path=str(path), message="the head covers it, and it is not there"))
    for entry, one in here.items():
        if entry not in covered and one.signer is not None:
            path = log.path_of(store, entry)
            problems.append(Problem(kind=UNCOVERED, path=str(path), message="no head covers it"))
    for entry in (*(Entry(sha256=one.id) for one in chain.revoking), *chain.overrides):
        if entry not in covered:
            path = log.path_of(store, entry)
            problems.append(Problem(kind=UNCOVERED, path=str(path), message="no head covers it"))
    return problems


def count(decisions: Iterable[Decided]) -> Mapping[str, int]:
    """Return how many decisions there are of each kind."""
    found = {"passed": 0, "failed": 0, "observed": 0, "revoked": 0, "strangers": 0}
    for one in decisions:
        if one.signer is None:
            found["strangers"] += 1
        elif one.revoked:
            found["revoked"] += 1
        elif one.profile == OBSERVE:
            found["observed"] += 1
        else:
            found["passed" if one.verdict is Verdict.ALLOWED else "failed"] += 1
    return found
