"""The baseline: the newest accepted, PASSED evidence of the same project, to measure drift against (PROMISES P19).

A missing one is a value with the reason (`bootstrap`), said in the decision. Altered evidence is an error: skipping it
would let whoever can write the store choose the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sbomgate.decision import OBSERVE
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.evidence import head as heads
from sbomgate.evidence import layout, log
from sbomgate.evidence.head import Entry, SignedHead, View
from sbomgate.evidence.record import Record, Statements
from sbomgate.evidence.revocation import accepted_of
from sbomgate.evidence.verify import Reason, Signed, in_future, revoked, signed_by
from sbomgate.model import Context, Signer, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was found.

    Attributes:
        evidence: the record, all its bytes hashed again, and who signed it; or None.
        latest: the newest accepted decision on the project, whatever it was: what was seen when it was made was seen.
        reason: why there is no evidence; "" otherwise.
        notes: what was seen and did not count, one sentence each.
        disregarded: how many decisions there are, where nobody who is accepted made any of them about this project; 0
            otherwise, and for an empty store.
    """

    evidence: Signed[Record] | None
    latest: Signed[Record] | None
    reason: str
    notes: tuple[str, ...]
    disregarded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Every decision at a path, each with its folder, and what lies there besides. What they name was not read.

    `view` is the head of the store that they lie in; `whole` says whether they are all that it holds.
    """

    path: Path
    decisions: tuple[tuple[Statements, Path], ...]
    notes: tuple[str, ...]
    view: View
    whole: bool


def read(path: Path) -> Candidates:
    """Read the decisions at a path once, for as many workspaces as there are.

    Args:
        path: a store, or the folder of one build or one decision in it.

    Raises:
        EvidenceError: the path is no evidence, or a statement in it was altered.
    """
    notes: list[str] = []
    whole = not layout.is_build(path)
    view = log.view(path if whole else layout.store_of(path))  # before the builds: what it covers was stored before it
    decisions = tuple(_candidates(path, notes))
    return Candidates(path=path, decisions=decisions, notes=tuple(notes), view=view, whole=whole)


def baseline(
    found: Candidates, context: Context, project: str, *, signers: Sequence[Signer], now: datetime
) -> Baseline:
    """Return the newest accepted evidence of a project, or of one workspace of it.

    Args:
        found: what `read` found.
        context: of the decision that is about to be made: its repository, the folder of its lockfile and its workspace
            name the project. Where it names no repository, the name in package.json stands in.
        project: that name.
        signers: `Trust.signers`.
        now: the time of the decision.

    Raises:
        TrustError: nobody is accepted.
        EvidenceError: anything of the chosen evidence was altered; a decision is from the future; one build's or
            decision's folder was given and is another project's.
    """
    if not signers:
        raise TrustError("no signer is accepted: no baseline can be believed", hint="give a trust file with --trust")
    notes = list(found.notes)
    accepted: list[tuple[Signed[Statements], Path]] = []
    seen, count, ours = False, 0, False
    elsewhere: list[Statements] = []
    for statements, folder in found.decisions:
        count += 1
        if not _same_project(statements, context, project):
            if _another_workspace(statements, context):
                elsewhere.append(statements)
            continue
        seen = True
        match signed_by(statements, signers):
            case Signed() as signed if in_future(signed, now):
                raise EvidenceError(
                    f"decided at {signed.time.isoformat()}, which is after {now.isoformat()}",
                    where=str(folder),
                    hint="correct the clock of this machine, or of the one that decided",
                )
            case Signed() as signed if signed.decision.context.profile == OBSERVE:
                ours = True
                notes.append(f"decision {statements.id[:12]} only records (profile observe)")
            case Signed() as signed if not signed.in_environment:
                notes.append(f"decision {statements.id[:12]} is for an environment that its signer may not sign for")
            case Signed() as signed:
                accepted.append((signed, folder))
            case Reason() as reason:
                notes.append(f"decision {statements.id[:12]}: {reason.message}")
    if not seen and layout.is_build(found.path):
        raise EvidenceError(
            "this is the evidence of another project, repository, lockfile or workspace",
            where=str(found.path),
            hint="give the store, or evidence of this project",
        )
    newest = _newest_passed(_not_revoked(accepted, found.view, signers, notes))
    if found.whole:
        _must_be_whole(found, newest, signers)
    latest = None
    if accepted:
        last = max(accepted, key=lambda one: (one[0].time, one[0].decision.verdict is Verdict.DENIED, one[0].record.id))
        latest = _read(last[1], signers)
    if newest is None:
        why = "no evidence of this project by an accepted signer"
        if accepted:
            why = f"none of the {len(accepted)} decisions on this project stands as PASSED"
        # A workspace that is new beside others that are accepted has no evidence yet, and that is nothing strange.
        ours = ours or bool(accepted) or any(isinstance(signed_by(one, signers), Signed) for one in elsewhere)
        disregarded = 0 if ours else count
        return Baseline(evidence=None, latest=latest, reason=why, notes=tuple(sorted(notes)), disregarded=disregarded)
    evidence = latest if latest is not None and newest == last[1] else _read(newest, signers)
    return Baseline(evidence=evidence, latest=latest, reason="", notes=tuple(sorted(notes)))


def _read(folder: Path, signers: Sequence[Signer]) -> Signed[Record]:
    match signed_by(layout.read(folder), signers):
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


Accepted = list[tuple[Signed[Statements], Path]]


def _not_revoked(accepted: Accepted, view: View, signers: Sequence[Signer], notes: list[str]) -> Accepted:
    """Return what no revocation withdraws: neither itself, nor a decision that is not older on the same artefact."""
    revoking, refused = accepted_of(view.revocations, signers)
    notes.extend(refused)
    beaten: set[str] = set()
    for revocation, hit in revoked([signed for signed, _ in accepted], revoking, view):
        builds = {one.record.build.sha256 for one in hit}
        for signed, _ in accepted:
            older = signed.record.build.sha256 in builds and signed.time <= revocation.said.issued_at
            if signed in hit or older:
                beaten.add(signed.record.id)
                notes.append(f"decision {signed.record.id[:12]} was {revocation}")
    return [one for one in accepted if one[0].record.id not in beaten]


def _must_be_whole(found: Candidates, newest: Path | None, signers: Sequence[Signer]) -> None:
    """Refuse a store from which something newer than the baseline was taken away: it could have been the baseline.

    Raises:
        EvidenceError: its head, by an accepted signer, covers a decision or a revocation that is not there.
    """
    view = found.view
    if view.bundle is None or not isinstance(heads.accepted(view.bundle, signers, view.where), SignedHead):
        return
    here = {Entry(sha256=one.id, build=one.build.sha256) for one, _ in found.decisions}
    for entry in reversed(view.entries):
        if newest is not None and entry.build is not None and entry.sha256 == newest.name:
            return
        if entry.sha256 not in view.revocations if entry.build is None else entry not in here:
            raise EvidenceError(
                "the store's head covers it, and it is not there: it could be the newest word on this project",
                where=str(log.path_of(found.path, entry)),
                hint="restore it; `sbomgate audit` names everything that is missing",
            )


def _newest_passed(accepted: Accepted) -> Path | None:
    """Return the folder of the newest decision among those that are the newest on their artefact and PASSED."""
    newest: dict[str, tuple[Signed[Statements], Path]] = {}
    # At the same moment FAILED comes later and so wins.
    for one in sorted(accepted, key=lambda a: (a[0].time, a[0].decision.verdict is Verdict.DENIED, a[0].record.id)):
        newest[one[0].record.build.sha256] = one
    passed = [one for one in newest.values() if one[0].decision.verdict is Verdict.ALLOWED]
    return max(passed, key=lambda one: (one[0].time, one[0].record.id))[1] if passed else None


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
