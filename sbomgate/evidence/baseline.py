"""The baseline: the newest accepted, PASSED evidence of the same project, to measure drift against (PROMISES P19).

A missing one is a value with the reason (`bootstrap`), said in the decision. Altered evidence is an error: skipping it
would let whoever can write the store choose the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sbomgate.decision import OBSERVE
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.evidence import layout
from sbomgate.evidence.record import Record
from sbomgate.evidence.verify import Reason, Signed, in_future, signed_by
from sbomgate.model import Context, Signer, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was found.

    Attributes:
        evidence: the record and who signed it, or None.
        reason: why there is none; "" otherwise.
        notes: what was seen and did not count, one sentence each.
    """

    evidence: Signed | None
    reason: str
    notes: tuple[str, ...]


def baseline(path: Path, context: Context, project: str, *, signers: Sequence[Signer], now: datetime) -> Baseline:
    """Return the newest accepted evidence of a project.

    Args:
        path: a store, or the folder of one build or one decision in it.
        context: of the decision that is about to be made: its repository and lockfile path name the project. Where
            neither side names a repository, the name in package.json stands in.
        project: that name.
        signers: `Trust.signers`.
        now: the time of the decision.

    Raises:
        TrustError: nobody is accepted.
        EvidenceError: the path is no evidence; something in it was altered, or is from the future; one build's or one
            decision's folder was given and is another project's.
    """
    if not signers:
        raise TrustError("no signer is accepted: no baseline can be believed", hint="give a trust file with --trust")
    if single := layout.is_build(path):
        records: list[Record] = [*layout.read_all(path)]
        notes: list[str] = []
    else:
        found = layout.scan(path)
        notes = [f"{p.relative_to(path)} is no evidence" for p in found.strange]
        records = []
        for build in found.builds:
            here = layout.read_build(build)
            if not here:
                notes.append(
                    f"{build.relative_to(path)} holds no decision: a writer did not finish, or its index is gone"
                )
            records.extend(r for r in here if _same_project(r, context, project))
    if single and not any(_same_project(r, context, project) for r in records):
        raise EvidenceError(
            "this is the evidence of another project, repository or lockfile",
            where=str(path),
            hint="give the store, or evidence of this project",
        )
    accepted: list[Signed] = []
    for record in records:
        match signed_by(record, signers):
            case Signed() as signed if in_future(signed, now):
                raise EvidenceError(
                    f"decided at {signed.time.isoformat()}, which is after {now.isoformat()}",
                    where=f"decision {record.id}",
                    hint="correct the clock of this machine, or of the one that decided",
                )
            case Signed() as signed if signed.decision.context.profile == OBSERVE:
                notes.append(f"decision {record.id[:12]} only records (profile observe)")
            case Signed() as signed if not signed.in_environment:
                notes.append(f"decision {record.id[:12]} is for an environment that its signer may not sign for")
            case Signed() as signed:
                accepted.append(signed)
            case Reason() as reason:
                notes.append(f"decision {record.id[:12]}: {reason.message}")
    return _newest_passed(accepted, notes)


def _newest_passed(accepted: list[Signed], notes: list[str]) -> Baseline:
    # The newest decision on an artefact wins; at the same moment FAILED does.
    newest: dict[str, Signed] = {}
    for signed in sorted(accepted, key=lambda s: (s.time, s.decision.verdict is Verdict.DENIED, s.record.id)):
        newest[signed.record.build.sha256] = signed
    passed = [s for s in newest.values() if s.decision.verdict is Verdict.ALLOWED]
    if passed:
        best = max(passed, key=lambda s: (s.time, s.record.id))
        return Baseline(evidence=best, reason="", notes=tuple(sorted(notes)))
    reason = "no evidence of this project by an accepted signer"
    if accepted:
        reason = f"none of the {len(accepted)} decisions on this project stands as PASSED"
    return Baseline(evidence=None, reason=reason, notes=tuple(sorted(notes)))


def _same_project(record: Record, context: Context, project: str) -> bool:
    other = record.claimed.context
    if other.lockfile_path != context.lockfile_path:
        return False
    if other.repository is None and context.repository is None:
        return record.claimed.project == project
    return (
        other.repository is not None
        and context.repository is not None
        and other.repository.value == context.repository.value
    )
