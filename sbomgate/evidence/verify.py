"""Whether evidence allows a deployment: pure, from records, trust file and time. No network, no cached word (P16).

The steps, each with the promise that it keeps; what fails is a reason, in this order:

 1. the decision is about this subject's digest                                       P12
 2. an accepted signer signed the detail, in the role `decision`                      P21
 3. the same signer signed the summary, and it names exactly this detail              P10
 4. the summary's verifier.id is this signer's; its resourceUri where demanded        (SLSA: signer and id as a pair)
 5. the profile is not `observe`, and not weaker than the trust file's                P8
 6. the environment is one that is demanded, and one that the signer may sign for     P20
 7. the policy's digest is accepted                                                   P20
 8. repository and lockfile path are those that the trust file demands, and the
    workspace is the one that the consumer demands                                    P12
 9. it is not from the future by more than five minutes, nor from after its signature P17
10. it is not older than the trust file accepts; no limit means the default, not never P18
11. no newer decision by an accepted signer on this subject FAILED; of a commit only
    those on the demanded workspace count, since one commit holds many; where none
    is demanded, each part of it that was decided on must have passed                P19
12. the result is PASSED
13. the decision, or a newer one about the same artefact, is not revoked             P19
14. the store's head is by an accepted signer, not older than the trust file
    demands, and covers the decision                                                 P19
15. nothing that the head covers on this artefact, and no revocation, is missing     P19, P36

That each stored material has the digest that the detail names holds for every `Record` that exists. Of `Statements`, as
they lie beside a build, nothing that they name was read.

Without a demand in the trust file, 14 and 15 hold as far as there is a head by an accepted signer: a note says where
there is none. Not judged here: whether the decision was right (`replay`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from sbomgate.decision import DEFAULT_VERIFIER_ID, OBSERVE, PROFILES, Decision
from sbomgate.errors import EvidenceError, TrustError, UsageError
from sbomgate.evidence import head as heads
from sbomgate.evidence.head import NOTHING, Entry, SignedHead, View
from sbomgate.evidence.record import DETAIL_BUNDLE, SUMMARY_BUNDLE, Statements
from sbomgate.model import Claims, Signer, Subject, SubjectKind, Trust, Verdict
from sbomgate.signing.verify import NotAccepted, verify
from sbomgate.subject import build_manifest

if TYPE_CHECKING:  # `gate` signs and stores without them
    from sbomgate.evidence.revocation import SignedRevocation
    from sbomgate.override import Overrides

DEFAULT_MAX_AGE_HOURS = 168.0  # a week: what a trust file without `max_age_hours` accepts
CLOCK_SKEW = timedelta(minutes=5)

Evidence = TypeVar("Evidence", bound=Statements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why evidence does not allow a deployment: a stable word, and one sentence with got and expected."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Generic[Evidence]):
    """A decision whose statements an accepted signer signed, both of them.

    `record` is what was given: a `Record`, or only its `Statements` where what they name was not read. `signed_at` is
    when both signatures existed, as far as that is proved. `claims` is what the detail's certificate says, if any.
    """

    record: Evidence
    signer: Signer
    time_source: str
    signed_at: datetime | None = None
    claims: Claims | None = None

    @property
    def decision(self) -> Decision:
        """What was signed."""
        return self.record.claimed

    @property
    def time(self) -> datetime:
        """When it was decided, by the signer's word; `time_source` says who vouches that it was signed no earlier."""
        return self.record.claimed_time

    @property
    def in_environment(self) -> bool:
        """Whether its signer may sign for its environment."""
        return self.signer.may_for(self.decision.context.environment_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """Whether the evidence allows the deployment.

    Attributes:
        accepted: exactly when `reasons` is empty, or `overridden` is there.
        reasons: why not, in the order of the steps above, for the newest decision that could have counted.
        deciding: the decision that `accepted` or `reasons` rest on, or None where none is by an accepted signer.
        notes: what else was seen, one sentence each: decisions that did not count, and why.
        head: the store's newest head, where an accepted signer signed it.
        revoked: the revocations that hit a decision on the artefact, the newest first.
        overridden: who overrode the FAILED decision (`evidence.overrides`): then it is accepted, and never PASSED.
    """

    accepted: bool
    reasons: tuple[Reason, ...]
    deciding: Signed[Statements] | None
    notes: tuple[str, ...]
    head: SignedHead | None = None
    revoked: tuple[SignedRevocation, ...] = ()
    overridden: Overrides | None = None


def verify_build(
    records: Sequence[Statements],
    subject: Subject,
    trust: Trust,
    *,
    now: datetime,
    shipped_policy: str,
    environment: str | None = None,
    workspace: str | None = None,
    view: View = NOTHING,
    part: Subject | None = None,
) -> VerificationResult:
    """Verify the decisions on one build.

    Args:
        records: every decision that was found on the subject, in any order: whole, or their statements alone.
        subject: what is about to be deployed.
        trust: who and what is accepted.
        now: the time of the deployment.
        shipped_policy: SHA-256 (hex) of the policy bundle of this installation: what a trust file without
            `policy_digests` accepts.
        environment: where it is to be deployed; needed where the trust file names several.
        workspace: directory of the workspace that is to be deployed, or None where none is demanded.
        view: the store's head and revocations, read before the records.
        part: of the subject, which is all that is deployed: the image of an index. What PASSED about it says nothing of
            the subject; what FAILED or was revoked about it beats the subject's older PASSED (P19).

    Raises:
        TrustError: the trust file accepts nobody, or its age limit is no limit.
        UsageError: the environment is needed, or is not one of the trust file's.
        EvidenceError: a record carries an accepted signer's name on bytes that he did not sign.
    """
    if not trust.signers:
        raise TrustError("no signer is accepted: nothing can be verified", hint="give a trust file with --trust")
    limit = DEFAULT_MAX_AGE_HOURS if trust.max_age_hours is None else trust.max_age_hours
    if not (math.isfinite(limit) and limit > 0):
        raise TrustError(f"{limit} is no age limit", place="max_age_hours")
    environments = demanded_environments(trust, environment)
    notes: list[str] = []
    signed: list[Signed[Statements]] = []
    halves: list[Signed[Statements]] = []
    of_part: list[Signed[Statements]] = []
    for record in records:
        if part is not None and _is_about(record, part):
            own = detail_by(record, trust.signers)
            if isinstance(own, Signed) and own.decision.context.profile != OBSERVE:
                of_part.append(own)
            continue
        match _signed(record, subject, trust):
            case Signed() as found:
                signed.append(found)
            case Reason() as reason:
                notes.append(f"decision {record.id[:12]} does not count: {reason.message}")
                if _is_about(record, subject) and (half := failed_by(record, trust.signers)) is not None:
                    halves.append(half)
    known = {one.record.id for one in signed}
    signed += {one.record.id: one for one in halves if one.record.id not in known}.values()
    revoking: Sequence[SignedRevocation] = ()
    if view.revocations:
        from sbomgate.evidence.revocation import accepted_of

        revoking, refused = accepted_of(view.revocations, trust.signers)
        notes.extend(refused)
    # (14), (15) what the store's head says of the view that was given
    present = {record.id for record in records}
    builds = {build_manifest(one).sha256 for one in (subject, part) if one is not None}
    signed_head, withheld = _head(view, trust, revoking, builds, present, notes, now)
    counting = [s for s in signed if s.decision.context.profile != OBSERVE]
    notes.extend(
        f"decision {s.record.id[:12]} does not count: the profile observe only records"
        for s in signed
        if s not in counting
    )
    if not counting:
        observed = " but by the profile observe, which only records" if signed else ""
        reason = Reason(code="no-decision", message=f"no decision by an accepted signer on this artefact{observed}")
        return VerificationResult(
            accepted=False,
            reasons=(reason, *withheld),
            deciding=None,
            notes=tuple(sorted(notes)),
            head=signed_head,
        )
    # Newest first; at the same moment FAILED comes first.
    counting.sort(key=lambda s: (s.time, s.decision.verdict is Verdict.DENIED, s.record.id), reverse=True)
    judged = [
        (s, _reasons(s, trust, environments, workspace, now=now, limit=limit, shipped_policy=shipped_policy))
        for s in counting
    ]
    # The newest decision that is about what is demanded decides, whatever its age and result; where there is none, the
    # newest of all says why.
    deciding, reasons = next(
        (one for one in judged if {r.code for r in one[1]} <= {"future", "age", "waiver-ended"}), judged[0]
    )
    # Of a commit, only what is about the demanded workspace can beat it: one commit holds many.
    rivals = of_part + [
        other
        for other in counting
        if not (
            workspace is not None
            and subject.kind is SubjectKind.GIT
            and other.decision.context.workspace not in (None, workspace)
        )
    ]
    # (11) another FAILED that is as new or newer, whatever it was for, beats it: it is about the same bytes (P19). Of
    # two that FAILED neither may stand alone: an override is of one (P32)
    for other in rivals:
        denied = other.decision.verdict is Verdict.DENIED and other.in_environment
        if denied and other is not deciding and other.time >= deciding.time:
            message = f"a decision of {other.time.isoformat()} on the same artefact{_for(other.decision)} FAILED"
            reasons = [*reasons, Reason(code="superseded", message=message)]
            break
    # (11a) where nobody names a workspace, each part of it that was decided on must have passed: whichever service of
    # a commit or an image was gated last does not answer for the others
    if workspace is None:
        reasons = [*reasons, *_parts_that_failed(counting, deciding, trust)]
    # (12) the result
    if deciding.decision.verdict is not Verdict.ALLOWED:
        findings = deciding.decision.counts.denied
        reasons = [*reasons, Reason(code="failed", message=f"the policy denied it: {findings} findings")]
    # (13) a revocation of it, or of another decision on the same bytes that is not newer than the revocation
    hitting = revoked(rivals, revoking, view)
    for revocation, hit in hitting:
        if deciding in hit or revocation.said.issued_at >= deciding.time:
            which = "it" if deciding in hit else f"decision {hit[0].record.id[:12]} on the same artefact"
            reasons = [*reasons, Reason(code="revoked", message=f"{which} was {revocation}")]
            break
    else:
        if (one := lost(deciding, revoking, present, builds)) is not None:
            what = f"decision {(one.said.decision or '')[:12]} on the same artefact, which is not here,"
            reasons = [*reasons, Reason(code="revoked", message=f"{what} was {one}")]
    reasons = [*reasons, *withheld]
    if trust.max_head_age_hours is not None and signed_head is not None:
        entry = Entry(sha256=deciding.record.id, build=deciding.record.build.sha256)
        if entry not in view.entries:
            reasons = [*reasons, Reason(code="head", message="the store's head does not cover this decision")]
    notes.extend(_unasked(deciding.decision, trust, environments, workspace))
    return VerificationResult(
        accepted=not reasons,
        reasons=tuple(reasons),
        deciding=deciding,
        notes=tuple(sorted(notes)),
        head=signed_head,
        revoked=tuple(one for one, _ in hitting),
    )


def lost(
    signed: Signed[Evidence], revoking: Sequence[SignedRevocation], present: Collection[str], builds: Collection[str]
) -> SignedRevocation | None:
    """Return the revocation of a decision that is not there, and that beats this one all the same (P19).

    Who may delete in a registry, and cannot reach the revocations, would bring the older PASSED back.

    Args:
        signed: the decision that would count.
        revoking: the revocations that count.
        present: SHA-256 (hex) of every decision that is there.
        builds: the build manifests of the artefact.
    """
    environment = signed.decision.context.environment_name
    for one in revoking:
        withheld = one.said.build in builds and one.said.decision not in present
        if withheld and one.covers(environment) and one.said.issued_at >= signed.time:
            return one
    return None


def _parts_that_failed(
    newest_first: Sequence[Signed[Statements]], deciding: Signed[Statements], trust: Trust
) -> list[Reason]:
    """Return that another lockfile or workspace of the same artefact FAILED, the last time that it was decided on.

    What is newer than `deciding` beats it anyway (11); what is older on the same lockfile is within a whole one.
    """
    mine = deciding.decision.context
    seen: set[tuple[str, str | None]] = set()
    for one in newest_first:
        context = one.decision.context
        about = context.lockfile_path, context.workspace
        if about in seen or not one.in_environment:
            continue
        seen.add(about)
        within = context.lockfile_path == mine.lockfile_path and mine.workspace in (None, context.workspace)
        demanded = trust.lockfile_path in (None, context.lockfile_path)
        if one.decision.verdict is Verdict.DENIED and one.time < deciding.time and demanded and not within:
            what = f"{context.lockfile_path!r}" + (f", workspace {context.workspace!r}," if context.workspace else "")
            message = f"the newest decision on {what} for the same artefact FAILED, and no workspace is demanded"
            return [Reason(code="workspace", message=message)]
    return []


def _head(
    view: View,
    trust: Trust,
    revoking: Sequence[SignedRevocation],
    builds: set[str],
    present: set[str],
    notes: list[str],
    now: datetime,
) -> tuple[SignedHead | None, list[Reason]]:
    """Return the store's head, and why the view that was given is not to be believed."""
    demanded = trust.max_head_age_hours

    def refuse(message: str) -> tuple[None, list[Reason]]:
        if demanded is None:
            notes.append(f"{message}: what was removed from the store is not seen")
            return None, []
        return None, [Reason(code="head", message=message)]

    if view.bundle is None:
        return refuse("the store has no signed head")
    found = heads.accepted(view.bundle, trust.signers, view.where)
    if isinstance(found, NotAccepted):
        return refuse(f"the store's head is {found.reason}")
    reasons: list[Reason] = []
    age = now - found.head.time
    if by := _revoked_head(found, revoking):
        message = f"the store's head is by {found.signer.name!r}, {by}"
        if demanded is None:
            notes.append(message)
        else:
            reasons.append(Reason(code="head", message=message))
    if max(found.head.time, found.signed_at or found.head.time) - now > CLOCK_SKEW:
        message = f"the store's head is of {found.head.time.isoformat()}, which is after {now.isoformat()}"
        reasons.append(Reason(code="head", message=message))
    elif demanded is not None and age > timedelta(hours=demanded):
        hours = age.total_seconds() / 3600
        message = f"the store's head was signed {hours:.0f} hours ago, at most {demanded:g} are accepted"
        reasons.append(Reason(code="head", message=message))
    for entry in view.entries:
        if entry.build in builds and entry.sha256 not in present:
            message = (
                f"the store's head covers decision {entry.sha256} on this artefact, and the store does not hold it"
            )
            reasons.append(Reason(code="withheld", message=message))
        elif entry.failed is not None:
            if entry in view.lost and entry.failed in present:
                message = (
                    f"the store's head covers override {entry.sha256} of decision {entry.failed} on this artefact, and "
                    "the store does not hold it"
                )
                reasons.append(Reason(code="withheld", message=message))
        elif entry.build is None and entry.sha256 not in view.revocations:
            message = f"the store's head covers revocation {entry.sha256}, and the store does not hold it"
            reasons.append(Reason(code="withheld", message=message))
    return found, reasons


def _revoked_head(head: SignedHead, revoking: Sequence[SignedRevocation]) -> SignedRevocation | None:
    """Return the revocation of whoever signed a head, where it is from then on: it would hide what it likes."""
    for one in revoking:
        signer = one.said.signer
        if signer is None or not signer.is_(head.signer, None):
            continue
        if signer.since is None or head.head.time >= signer.since:
            return one
    return None


def revoked(
    signed: Sequence[Signed[Evidence]], revoking: Sequence[SignedRevocation], view: View
) -> list[tuple[SignedRevocation, list[Signed[Evidence]]]]:
    """Return each revocation that hits any of these decisions, the newest first, with those that it hits."""
    found = [(one, [s for s in signed if hits(one, s, view)]) for one in revoking]
    found.sort(key=lambda one: (one[0].said.issued_at, one[0].id), reverse=True)
    return [one for one in found if one[1]]


def hits(revocation: SignedRevocation, signed: Signed[Evidence], view: View) -> bool:
    """Whether a revocation withdraws a decision.

    Where only the signer's own word says when it was made, it stands only if it claims to be older than what is
    withdrawn *and* the store's log has it before the revocation: who stole a key can date back what he signs.
    """
    if not revocation.covers(signed.decision.context.environment_name):
        return False
    said = revocation.said
    if said.signer is None:
        return signed.record.id == said.decision
    if not said.signer.is_(signed.signer, None if signed.claims is None else signed.claims.identity):
        return False
    since = said.signer.since
    if since is None:
        return True
    if signed.signed_at is not None:
        return signed.signed_at >= since
    if signed.time >= since:
        return True
    mine = Entry(sha256=signed.record.id, build=signed.record.build.sha256)
    for entry in view.entries:
        if entry == mine:
            return False
        if entry == Entry(sha256=revocation.id):
            break
    return True


def signed_by(record: Evidence, trust_signers: Sequence[Signer]) -> Signed[Evidence] | Reason:
    """Return the statements as signed by an accepted signer, or why not (steps 2, 3 and the pair of 4).

    Raises:
        EvidenceError: it carries an accepted key's hint on bytes that this key did not sign.
    """
    found = detail_by(record, trust_signers)
    if isinstance(found, Reason) or record.summary is None:
        return found
    # (3) the same signer signed the summary; that it names exactly this detail holds for every Record
    summary = verify(record.summary, trust_signers, role="decision", where=SUMMARY_BUNDLE)
    if isinstance(summary, NotAccepted):
        return Reason(code="signer", message=f"its summary is {summary.reason}")
    if summary.time_source != found.time_source:
        raise EvidenceError(
            f"its signature proves the time by {summary.time_source!r}, the detail's by {found.time_source!r}",
            where=SUMMARY_BUNDLE,
        )
    if summary.signer != found.signer:
        names = f"{found.signer.name!r} and {summary.signer.name!r}"
        return Reason(code="signer", message=f"detail and summary are signed by two: {names}")
    if summary.time is None or found.signed_at is None:
        return found
    return replace(found, signed_at=max(found.signed_at, summary.time))


def detail_by(record: Evidence, trust_signers: Sequence[Signer]) -> Signed[Evidence] | Reason:
    """Return the statements as their detail alone is signed by an accepted signer, or why not: of the summary nothing.

    Raises:
        EvidenceError: as `signed_by`.
    """
    # (2) an accepted signer signed the detail, in the role `decision`
    detail = verify(record.detail, trust_signers, role="decision", where=DETAIL_BUNDLE)
    if isinstance(detail, NotAccepted):
        return Reason(code="signer", message=detail.reason)
    if detail.time_source != record.claimed.time_source:
        raise EvidenceError(
            f"claims its time from {record.claimed.time_source!r}, its signature proves {detail.time_source!r}",
            where=DETAIL_BUNDLE,
            place="predicate.timeSource",
        )
    # (9) what is decided is signed afterwards: a time that is proved bounds the one that is claimed
    signed_at = detail.time
    if signed_at is not None and record.claimed_time - signed_at > CLOCK_SKEW:
        raise EvidenceError(
            f"decided at {record.claimed_time.isoformat()}, and signed before, at {signed_at.isoformat()}",
            where=DETAIL_BUNDLE,
            place="predicate.evaluatedAt",
        )
    # (4) SLSA: signer and verifier.id are accepted as a pair
    expected = detail.signer.verifier_id or DEFAULT_VERIFIER_ID
    if record.claimed.verifier_id != expected:
        message = f"verifier.id is {record.claimed.verifier_id!r}, {detail.signer.name!r} signs for {expected!r}"
        return Reason(code="verifier", message=message)
    return Signed(
        record=record,
        signer=detail.signer,
        time_source=detail.time_source,
        signed_at=signed_at,
        claims=detail.claims,
    )


def failed_by(record: Evidence, trust_signers: Sequence[Signer]) -> Signed[Evidence] | None:
    """Return a decision that FAILED by its detail, where an accepted signer signed that, whoever signed its summary.

    Whoever can write a store can put a summary of his own in the place of the signer's: it takes nothing back (P19).

    Raises:
        EvidenceError: as `signed_by`.
    """
    if record.claimed.verdict is Verdict.ALLOWED:
        return None
    found = detail_by(record, trust_signers)
    return None if isinstance(found, Reason) else found


def counted_by(record: Evidence, trust_signers: Sequence[Signer]) -> Signed[Evidence] | Reason:
    """Return the decision as it counts: a FAILED by its detail alone, any other by both of its statements.

    Raises:
        EvidenceError: as `signed_by`.
    """
    return failed_by(record, trust_signers) or signed_by(record, trust_signers)


def in_future(signed: Signed[Evidence], now: datetime) -> bool:
    """Whether it is from more than five minutes ahead: decided or, where that is proved, signed (P17)."""
    return max(signed.time, signed.signed_at or signed.time) - now > CLOCK_SKEW


def _signed(record: Statements, subject: Subject, trust: Trust) -> Signed[Statements] | Reason:
    # (1) the decision is about this subject's digest; the name is only for people
    if not _is_about(record, subject):
        about = record.claimed.subject
        return Reason(code="subject", message=f"it is about {about.kind.value} {about.name!r}, another artefact")
    return signed_by(record, trust.signers)


def _is_about(record: Statements, subject: Subject) -> bool:
    about = record.claimed.subject
    return about.kind is subject.kind and dict(about.digest) == dict(subject.digest)


def _reasons(
    signed: Signed[Statements],
    trust: Trust,
    environments: tuple[str, ...],
    workspace: str | None,
    *,
    now: datetime,
    limit: float,
    shipped_policy: str,
) -> list[Reason]:
    found: list[Reason] = []
    decision, context = signed.decision, signed.decision.context

    def refuse(code: str, message: str) -> None:
        found.append(Reason(code=code, message=message))

    # (4) the resource, where the trust file demands one
    summary = signed.record.summary_claimed
    uri = summary.resource_uri if summary else None
    if trust.resource_uri is not None and uri != trust.resource_uri:
        refuse("resource", f"resourceUri is {uri!r}, expected {trust.resource_uri!r}")
    # (5) the profile
    if trust.profile is not None and PROFILES.index(context.profile) < PROFILES.index(trust.profile):
        refuse("profile", f"decided under the profile {context.profile}, expected {trust.profile} or stricter")
    # (6) the environment: demanded by the consumer, and the signer's to sign for
    environment = context.environment_name
    if environments and environment not in environments:
        refuse("environment", f"it is{_for(decision)}, expected {' or '.join(map(repr, environments))}")
    elif not signed.in_environment:
        names = ", ".join(map(repr, signed.signer.environments))
        refuse("environment", f"it is{_for(decision)}, and {signed.signer.name!r} is accepted for {names} only")
    # (7) the policy
    accepted = trust.policy_digests or (shipped_policy,)
    if decision.policy not in accepted:
        what = "not accepted by the trust file" if trust.policy_digests else "not the one shipped with this version"
        refuse("policy", f"the policy sha256:{decision.policy} is {what}")
    # (8) repository, lockfile path and workspace
    repository = context.repository.value if context.repository else None
    if trust.repository is not None and repository != trust.repository:
        said = "it names no repository" if repository is None else f"the repository is {repository!r}"
        refuse("repository", f"{said}, expected {trust.repository!r}")
    if trust.lockfile_path is not None and context.lockfile_path != trust.lockfile_path:
        refuse("lockfile-path", f"the lockfile is {context.lockfile_path!r}, expected {trust.lockfile_path!r}")
    if workspace is not None and context.workspace != workspace:
        held = "the whole lockfile" if context.workspace is None else f"the workspace {context.workspace!r}"
        refuse("workspace", f"it is about {held}, expected the workspace {workspace!r}")
    # (9) not from the future
    if in_future(signed, now):
        refuse("future", f"decided at {signed.time.isoformat()}, which is after {now.isoformat()}")
    # (10) not too old
    age = now - signed.time
    if age > timedelta(hours=limit):
        refuse("age", f"decided {age.total_seconds() / 3600:.0f} hours ago, at most {limit:g} are accepted")
    # (10a) nothing that it rests on has ended since (P29)
    if decision.valid_until is not None and now >= decision.valid_until:
        refuse(
            "waiver-ended",
            f"a waiver, approval or exclusion that it rests on ended at {decision.valid_until.isoformat()}",
        )
    return found


def _unasked(decision: Decision, trust: Trust, environments: tuple[str, ...], workspace: str | None) -> list[str]:
    """Return what was accepted only because the trust file does not ask: "verified" does not say it."""
    context, found = decision.context, []
    if trust.repository is None:
        held = repr(context.repository.value) if context.repository else "not said"
        found.append(f"the trust file demands no repository: it is {held}")
    if trust.lockfile_path is None:
        found.append(f"the trust file demands no lockfile path: it is {context.lockfile_path!r}")
    if workspace is None and context.workspace is not None:
        found.append(f"no workspace is demanded: it is {context.workspace!r}")
    if not environments:
        found.append(f"no environment is demanded: it is{_for(decision)}")
    if decision.trust != trust.sha256:
        found.append(f"it was decided by another trust file, sha256:{decision.trust}")
    if not decision.engine.ours:
        found.append("it was decided by an OPA that sbomgate did not run (P24)")
    return found


def demanded_environments(trust: Trust, environment: str | None) -> tuple[str, ...]:
    """Return the environments that a decision may be for; empty demands none.

    Raises:
        UsageError: the environment is needed, or is not one of the trust file's.
    """
    if environment is not None:
        if trust.environments and environment not in trust.environments:
            names = ", ".join(trust.environments)
            raise UsageError(f"the environment {environment!r} is not one of the trust file's: {names}")
        return (environment,)
    if len(trust.environments) > 1:
        raise UsageError(
            f"the trust file accepts several environments: {', '.join(trust.environments)}",
            hint="say with --environment which one this is",
        )
    return trust.environments


def _for(decision: Decision) -> str:
    environment = decision.context.environment
    return f" for {environment.value!r}" if environment else " for no environment"
