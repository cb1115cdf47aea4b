"""The baseline: the newest accepted, PASSED evidence of the same project, to measure drift against (PROMISES P19).

A missing one is a value with the reason (`bootstrap`), said in the decision. Altered evidence is an error: skipping it
would let whoever can write the store choose the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path

from sbomgate.decision import OBSERVE
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.evidence import head as heads
from sbomgate.evidence import layout, log
from sbomgate.evidence.head import Entry, SignedHead, View
from sbomgate.evidence.record import Record, Statements
from sbomgate.evidence.revocation import SignedRevocation, accepted_of
from sbomgate.evidence.verify import Reason, Signed, counted_by, in_future, lost, revoked, signed_by
from sbomgate.model import Context, Signer, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was found.

    Attributes:
        evidence: the record, all its bytes hashed again, and who signed it; or None.
        latest: the newest accepted decision on the project, whatever it was: what was seen when it was made was seen.
        reason: why there is no evidence; "" otherwise.
        notes: what was seen and did not count, one sentence each.
        future: those of them that a decision from the future is the reason for: worth saying each time.
        disregarded: how many decisions there are, where nobody who is accepted made any of them about this project; 0
            otherwise, and for an empty store.
    """

    evidence: Signed[Record] | None
    latest: Signed[Record] | None
    reason: str
    notes: tuple[str, ...]
    future: tuple[str, ...] = ()
    disregarded: int = 0


class Candidates:
    """The decisions at a path, for as many workspaces as there are: read once, and not before somebody asks.

    Of a store with a log only what is about the project is read, the newest first.
    """

    def __init__(self, path: Path) -> None:
        """Read the head of the store, before the builds: what it covers was stored before it."""
        self.path = path
        self.whole = not layout.is_build(path)
        self.store = path if self.whole else layout.store_of(path)
        self.newest = log.newest(self.store)
        self._walk = iter(()) if self.newest is None else log.backwards(self.store, self.newest.head)
        self._walked: list[Entry] = []
        self._broken: EvidenceError | None = None
        self._builds: dict[str, tuple[Statements, ...]] = {}

    @cached_property
    def view(self) -> View:
        """The store's head with all that it covers, and the revocations."""
        return log.view_of(self.store, self.newest)

    @cached_property
    def revocations(self) -> Mapping[str, bytes]:
        """The revocations alone."""
        return log.revocations(self.store)

    @cached_property
    def coming(self) -> list[Entry]:
        """What a writer stores now, or was killed at."""
        return log.coming(self.store)

    def entries(self) -> Iterator[Entry]:
        """Yield what the head covers, the newest first.

        Raises:
            EvidenceError: the log is not what the head says: for whoever gets there, not only for the first.
        """
        yield from self._walked
        while self._broken is None:
            try:
                entry = next(self._walk, None)
            except EvidenceError as e:
                self._broken = e
                break
            if entry is None:
                return
            self._walked.append(entry)
            yield entry
        raise self._broken

    def build(self, sha256: str) -> tuple[Statements, ...]:
        """Return the decisions on a build; empty where it is not there."""
        if sha256 not in self._builds:
            self._builds[sha256] = layout.read_statements(layout.folder(self.store, sha256))
        return self._builds[sha256]

    @cached_property
    def all(self) -> tuple[tuple[tuple[Statements, Path], ...], tuple[str, ...]]:
        """Every decision with its folder, and what lies there besides."""
        notes: list[str] = []
        return tuple(_candidates(self.path, notes)), tuple(notes)


def read(path: Path) -> Candidates:
    """Open what may hold the baseline.

    Args:
        path: a store, or the folder of one build or one decision in it.

    Raises:
        EvidenceError: the path is no evidence, or its newest head was altered.
    """
    if not path.is_dir():
        raise EvidenceError("no such folder", where=str(path), hint="give a store, or one build's evidence")
    return Candidates(path)


def baseline(
    found: Candidates, context: Context, project: str, *, signers: Sequence[Signer], now: datetime
) -> Baseline:
    """Return the newest accepted evidence of a project, or of one workspace of it.

    What a signer says counts for his environments only: he chooses no baseline for another one, as long as there is
    one by somebody who may decide there (P20).

    Args:
        found: what `read` found.
        context: of the decision that is about to be made: its repository, the folder of its lockfile and its workspace
            name the project. Where it names no repository, the name in package.json stands in.
        project: that name.
        signers: `Trust.signers`.
        now: the time of the decision.

    Raises:
        TrustError: nobody is accepted.
        EvidenceError: anything of the chosen evidence was altered; one build's or decision's folder was given and is
            another project's; the store's head, by an accepted signer, covers something that is not there and could be
            newer than what was found; a PASSED from the future stands and no other does: then the clock of this machine
            may be the wrong one, and what was approved would not count.
    """
    if not signers:
        raise TrustError("no signer is accepted: no baseline can be believed", hint="give a trust file with --trust")
    ours = _Sorted(found=found, context=context, project=project, signers=signers, now=now)
    chosen = _chosen(ours)
    if chosen.evidence is not None or not ours.has_others:
        return chosen
    # Nobody who may decide here has: the first build here is still compared with what was approved elsewhere.
    return _chosen(
        _Sorted(found=found, context=context, project=project, signers=signers, now=now, any_environment=True)
    )


def _chosen(sorted_: _Sorted) -> Baseline:
    found, signers, now = sorted_.found, sorted_.signers, sorted_.now
    head = found.newest
    if (
        found.whole
        and head is not None
        and isinstance(heads.accepted(head.bundle, signers, str(head.path)), SignedHead)
    ):
        newest, count = _along_the_log(sorted_)
    else:
        decisions, notes = found.all
        sorted_.notes.extend(notes)
        for statements, folder in decisions:
            sorted_.take(statements, folder)
        count = len(decisions)
        if layout.is_build(found.path) and not sorted_.seen:
            raise EvidenceError(
                "this is the evidence of another project, repository, lockfile or workspace",
                where=str(found.path),
                hint="give the store, or evidence of this project",
            )
        newest = _newest_passed(sorted_.standing(sorted_.weighed()))
    accepted = [one for one in sorted_.counted if not in_future(one[0], now)]
    ahead = sorted_.standing([one for one in sorted_.counted if in_future(one[0], now)])
    future = tuple(sorted(_from_the_future(one, now) for one, _ in ahead))
    notes = tuple(sorted((*sorted_.notes, *future)))
    if newest is None and any(one.decision.verdict is Verdict.ALLOWED for one, _ in ahead):
        raise EvidenceError(
            f"{future[0]}, and no other one stands",
            where=str(ahead[0][1]),
            hint="correct the clock of this machine; if the other was wrong, withdraw the decision (`sbomgate revoke`)",
        )
    latest = None
    if seen := [one for one in accepted if sorted_.may_decide(one[0])]:  # a FAILED by others beats, and tells nothing
        last = max(seen, key=_age)
        latest = _read(last[1], signers)
    if newest is None:
        why = "no evidence of this project by an accepted signer"
        if accepted:
            why = f"none of the {len(accepted)} decisions on this project stands as PASSED"
        # A workspace that is new beside others that are accepted has no evidence yet, and that is nothing strange.
        ours = bool(sorted_.counted) or sorted_.observed
        ours = ours or any(isinstance(signed_by(one, signers), Signed) for one in sorted_.elsewhere())
        disregarded = 0 if ours else count
        return Baseline(evidence=None, latest=latest, reason=why, notes=notes, future=future, disregarded=disregarded)
    evidence = latest if latest is not None and newest[1] == last[1] else _read(newest[1], signers)
    return Baseline(evidence=evidence, latest=latest, reason="", notes=notes, future=future)


def _from_the_future(one: Signed[Statements], now: datetime) -> str:
    return f"decision {one.record.id[:12]} was made at {one.time.isoformat()}, which is after {now.isoformat()}"


Accepted = list[tuple[Signed[Statements], Path]]


@dataclass(slots=True, kw_only=True)
class _Sorted:
    """The decisions on a project, sorted by whether they count; `counted` has those from the future too."""

    found: Candidates
    context: Context
    project: str
    signers: Sequence[Signer]
    now: datetime
    counted: Accepted = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: bool = False
    observed: bool = False
    others: list[Statements] = field(default_factory=list)
    builds: list[str] = field(default_factory=list)
    revoking: tuple[SignedRevocation, ...] | None = None
    any_environment: bool = False
    has_others: bool = False

    def may_decide(self, signed: Signed[Statements]) -> bool:
        """Whether its signer may decide for the environment that is asked about; `check` asks about none."""
        asked = self.context.environment_name
        unasked = asked is None and self.context.time_source is None
        return self.any_environment or unasked or signed.signer.may_for(asked)

    def take(self, statements: Statements, folder: Path) -> None:
        """Take a decision in."""
        if not _same_project(statements, self.context, self.project):
            if _another_workspace(statements, self.context):
                self.others.append(statements)
            return
        self.seen = True
        match counted_by(statements, self.signers):
            case Signed() as signed if signed.decision.context.profile == OBSERVE:
                self.observed = True
                self.notes.append(f"decision {statements.id[:12]} only records (profile observe)")
            case Signed() as signed if not signed.in_environment:
                self.notes.append(
                    f"decision {statements.id[:12]} is for an environment that its signer may not sign for"
                )
            case Signed() as signed if signed.decision.verdict is Verdict.ALLOWED and not self.may_decide(signed):
                self.has_others = True
                names = ", ".join(map(repr, signed.signer.environments))
                self.notes.append(
                    f"decision {statements.id[:12]} is by {signed.signer.name!r}, who decides for {names}"
                )
            case Signed() as signed:
                self.counted.append((signed, folder))
            case Reason() as reason:
                self.notes.append(f"decision {statements.id[:12]}: {reason.message}")

    def weighed(self, since: int = 0) -> Accepted:
        """Return what the baseline is chosen from, of what was counted after the first `since`.

        (P17) What is from the future is neither baseline nor what was seen last. A FAILED of it beats its artefact.
        """
        return [
            one
            for one in self.counted[since:]
            if one[0].decision.verdict is Verdict.DENIED or not in_future(one[0], self.now)
        ]

    def elsewhere(self) -> Iterator[Statements]:
        """Yield the decisions on other workspaces."""
        yield from self.others
        for build in dict.fromkeys(self.builds):
            yield from (one for one in self.found.build(build) if _another_workspace(one, self.context))

    def standing(self, accepted: Accepted) -> Accepted:
        """Return what no revocation withdraws: neither itself, nor what is not newer on the same artefact."""
        if self.revoking is None:
            self.revoking, refused = accepted_of(self.found.revocations, self.signers)
            self.notes.extend(refused)
        if not self.revoking:
            return accepted
        beaten: set[str] = set()
        for revocation, hit in revoked([signed for signed, _ in accepted], self.revoking, self.found.view):
            builds = {one.record.build.sha256 for one in hit}
            for signed, _ in accepted:
                older = signed.record.build.sha256 in builds and signed.time <= revocation.said.issued_at
                if signed in hit or older:
                    beaten.add(signed.record.id)
                    self.notes.append(f"decision {signed.record.id[:12]} was {revocation}")
        named = {one.said.build for one in self.revoking}
        for signed, _ in accepted:
            build = signed.record.build.sha256
            if signed.record.id in beaten or build not in named:
                continue
            held = {one.id for one in self.found.build(build)}
            if (by := lost(signed, self.revoking, held, (build,))) is not None:
                beaten.add(signed.record.id)
                self.notes.append(f"decision {signed.record.id[:12]}: a newer one, which is not here, was {by}")
        return [one for one in accepted if one[0].record.id not in beaten]


def _along_the_log(to: _Sorted) -> tuple[tuple[Signed[Statements], Path] | None, int]:
    """Take in what the log has on a project, the newest first, up to where nothing newer than the baseline can follow.

    Returns the baseline and how many decisions were passed. What an accepted signer's head says of a decision's project
    tells which builds need not be read.

    Raises:
        EvidenceError: the head covers something after the baseline that is not there: it could be newer.
    """
    found = to.found
    mine = heads.project_of(to.context, to.project).split(".")
    newest: tuple[Signed[Statements], Path] | None = None
    count = 0
    read: dict[str, set[str]] = {}
    passed: set[str] = set()
    for entry, is_covered in chain(((one, False) for one in found.coming), ((one, True) for one in found.entries())):
        logged = entry.logged if is_covered else None
        if newest is not None and logged is not None and logged < newest[0].time:
            break
        # What comes before the baseline in the log is history, and may have been put elsewhere.
        is_history = not is_covered or (newest is not None and newest[0].record.id in passed)
        if entry.build is None:
            lost = entry.sha256 not in found.revocations if entry.failed is None else entry in found.view.lost
            if lost and not is_history:
                raise _withheld(found, entry)
            continue
        count += 1
        if entry.project is not None:
            if not _may_be(entry.project, mine, to.context):
                continue
            if not entry.project.endswith(mine[2]):
                to.builds.append(entry.build)
                continue
        if entry.build not in read:
            held = found.build(entry.build)
            read[entry.build] = {one.id for one in held}
            before = len(to.counted)
            for one in held:
                to.take(one, layout.folder(found.store, entry.build) / "decisions" / one.id)
            best = _newest_passed(to.standing(to.weighed(before)))
            newest = max(filter(None, (newest, best)), key=_age, default=None)
        if not is_history and entry.sha256 not in read[entry.build]:
            raise _withheld(found, entry)
        if is_covered:
            passed.add(entry.sha256)
    return newest, count


def _withheld(found: Candidates, entry: Entry) -> EvidenceError:
    return EvidenceError(
        "the store's head covers it, and it is not there: it could be the newest word on this project",
        where=str(log.path_of(found.store, entry)),
        hint="restore it; `sbomgate audit` names everything that is missing",
    )


def _may_be(theirs: str, mine: Sequence[str], context: Context) -> bool:
    """Whether a decision may be about a project, whichever workspace of it, by what the log says."""
    which = 1 if context.repository is None else 0
    return theirs.split(".")[which] == mine[which]


def _age(one: tuple[Signed[Statements], Path]) -> tuple[datetime, bool, str]:
    """Return what decisions are ordered by: at the same moment FAILED comes later and so wins."""
    return one[0].time, one[0].decision.verdict is Verdict.DENIED, one[0].record.id


def _read(folder: Path, signers: Sequence[Signer]) -> Signed[Record]:
    match counted_by(layout.read(folder), signers):
        case Signed() as evidence:
            return evidence
        case Reason() as reason:
            raise EvidenceError(f"changed while it was read: {reason.message}", where=str(folder))


def _candidates(path: Path, notes: list[str]) -> Iterator[tuple[Statements, Path]]:
    """Yield the statements at a path, each with its folder. Of a store only these are read, not what they name."""
    if layout.is_build(path):
        for record in layout.read_all(path):
            yield record, path if path.parent.name == "decisions" else path / "decisions" / record.id
        return
    found = layout.scan(path)
    notes.extend(f"{p.relative_to(path)} is no evidence" for p in found.strange)
    for build in found.builds:
        statements = layout.read_statements(build)
        if not statements:
            notes.append(f"{build.relative_to(path)} holds no decision: a writer was killed, or its index is gone")
        for one in statements:
            yield one, build / "decisions" / one.id


def _newest_passed(accepted: Accepted) -> tuple[Signed[Statements], Path] | None:
    """Return the newest decision among those that are the newest on their artefact and PASSED."""
    newest = {one[0].record.build.sha256: one for one in sorted(accepted, key=_age)}
    passed = [one for one in newest.values() if one[0].decision.verdict is Verdict.ALLOWED]
    return max(passed, key=_age) if passed else None


def _same_project(statements: Statements, context: Context, project: str) -> bool:
    other = statements.claimed.context
    # The folder, not the file: whoever renames the lockfile (npm-shrinkwrap.json), or changes the package manager, is
    # still measured against what was approved.
    if _folder(other.lockfile_path) != _folder(context.lockfile_path):
        return False
    # What another workspace holds, or all of them, was approved for another service.
    if other.workspace != context.workspace:
        return False
    if context.repository is None:
        return statements.claimed.project == project
    return _same_repository(other, context)


def _another_workspace(statements: Statements, context: Context) -> bool:
    """Whether it is about another part of the same lockfile's tree, as far as anything tells."""
    other = statements.claimed.context
    same_tree = _folder(other.lockfile_path) == _folder(context.lockfile_path)
    named = context.repository is None or _same_repository(other, context)
    return same_tree and named and other.workspace != context.workspace


def _same_repository(one: Context, other: Context) -> bool:
    return (
        one.repository is not None and other.repository is not None and one.repository.value == other.repository.value
    )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
