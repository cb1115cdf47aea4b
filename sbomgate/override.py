"""Break-glass: two persons' signed word that a FAILED decision may be deployed all the same, for hours (P32).

A statement of its own, OVERRIDDEN: the decision and its summary stay FAILED. Pure: no I/O, no clock.

 1. a signer with the role `override` signed exactly these bytes, and they have one meaning
 2. they name this very decision, and the artefact that it is about
 3. it holds for no longer than the trust file allows, a day at most, counted from when it was signed as far as that is
    proved; it has begun, and has not ended
 4. no revocation withdraws what its signer signs
 5. two different persons have signed such statements

What nothing waives nothing overrides: a known malicious package, an invalid signature or attestation, other bytes than
the registry's (P28). Nor does it mend anything else than the policy's word: not the signer, the age, the environment,
the policy of the decision, nor a revocation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sbomgate import dsse
from sbomgate.errors import EvidenceError
from sbomgate.model import Subject, Trust
from sbomgate.signing.verify import NotAccepted, VerifiedStatement, verify
from sbomgate.times import format_time, parse_time

OVERRIDE_TYPE = "https://sbomgate.dev/override/v1"
ROLE = "override"
PERSONS = 2
MAX_HOURS = 24.0
CLOCK_SKEW = timedelta(minutes=5)
NEVER = ("known_malicious",)
"""Rules whose findings nothing overrides, whatever a policy of somebody's own makes of them."""
Revoked = Callable[[VerifiedStatement], str | None]
"""Why what somebody signed was withdrawn, or None where it was not (`evidence.revocation.withdraws`)."""
_DECISION = "decision"
_RESULT = "OVERRIDDEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One person's word.

    Attributes:
        decision: SHA-256 (hex) of the signed detail of the FAILED decision.
        subject: the artefact's digests, algorithm → hex; name: what it is called, for people.
        issued_at, until: from when, and its end.
        reason: why, for whoever reads it later.
    """

    decision: str
    name: str
    subject: Mapping[str, str]
    issued_at: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOverride:
    """An override that an accepted person signed; `time_source` says who vouches for when."""

    file: str
    by: str
    time_source: str
    said: Override


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What was said about one decision: `signed` counts, the longest of each person; `refused` says why not the others.

    `honoured` is whether that is enough.
    """

    signed: tuple[SignedOverride, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def honoured(self) -> bool:
        """Two different persons."""
        return len(self.signed) >= PERSONS

    @property
    def until(self) -> datetime | None:
        """When fewer than two are left; None where they are not enough now."""
        return sorted(one.said.until for one in self.signed)[-PERSONS] if self.honoured else None


def write(said: Override) -> bytes:
    """Return the statement to sign; the same override gives the same bytes."""
    return dsse.statement(
        [(said.name, said.subject), (_DECISION, {"sha256": said.decision})],
        OVERRIDE_TYPE,
        {
            "result": _RESULT,
            "issuedAt": format_time(said.issued_at),
            "until": format_time(said.until),
            "reason": said.reason,
        },
    )


def read(payload: bytes, where: str) -> Override:
    """Return what a statement says.

    Raises:
        EvidenceError: not an override of this version, or not the bytes that it is written as.
    """
    statement = dsse.read_statement(payload, where)
    dsse.expect(statement["predicateType"], OVERRIDE_TYPE, where, "predicateType")

    def checked() -> Override:
        said = _override(statement)
        if not isinstance(said.reason, str) or not said.reason.strip():
            raise EvidenceError("gives no reason", place="predicate.reason")
        if said.until <= said.issued_at:
            raise EvidenceError("ends before it begins", place="predicate.until")
        return said

    return dsse.exactly(payload, where, "override", checked, write)


def _override(statement: Mapping[str, Any]) -> Override:
    about, decision = statement["subject"]
    said = statement["predicate"]
    return Override(
        decision=decision["digest"]["sha256"],
        name=about["name"],
        subject=about["digest"],
        issued_at=parse_time(said["issuedAt"]),
        until=parse_time(said["until"]),
        reason=said["reason"],
    )


def _nobody(_: VerifiedStatement) -> None:
    """Know of no revocation."""


def accepted(
    bundles: Mapping[str, bytes],
    trust: Trust,
    *,
    decision: str,
    subject: Subject,
    now: datetime,
    revoked: Revoked,
) -> Overrides:
    """Sort out what people signed about a decision.

    Args:
        bundles: file name → bytes of each override that is kept beside it.
        trust: who may, and for how long.
        decision: SHA-256 (hex) of the decision's signed detail.
        subject: the artefact that it is about.
        now: the time.
        revoked: what revocations of the store withdraw.

    What does not count is refused with its reason, and stops nothing: without it the decision is FAILED.
    """
    signed: dict[str, SignedOverride] = {}
    refused: list[tuple[str, str]] = []
    for file, data in sorted(bundles.items()):
        try:
            found = _accepted(data, trust, decision, subject, now, file, revoked)
        except EvidenceError as e:
            found = str(e)
        if isinstance(found, str):
            refused.append((file, found))
        elif found.by not in signed or signed[found.by].said.until < found.said.until:
            signed[found.by] = found
    return Overrides(signed=tuple(signed[person] for person in sorted(signed)), refused=tuple(refused))


def history(bundles: Mapping[str, bytes], trust: Trust, *, revoked: Revoked = _nobody) -> Overrides:
    """Return every override that an accepted person ever signed, ended ones too, by its beginning: for a register.

    Whether one counts is not asked: neither what it is about, nor for how long it holds. What was revoked is refused.
    """
    signed: list[SignedOverride] = []
    refused: list[tuple[str, str]] = []
    for file, data in sorted(bundles.items()):
        try:
            found = _signed(data, trust, file, revoked)
        except EvidenceError as e:
            found = str(e)
        if isinstance(found, str):
            refused.append((file, found))
        else:
            signed.append(found[0])
    return Overrides(
        signed=tuple(sorted(signed, key=lambda one: (one.said.issued_at, one.file))), refused=tuple(refused)
    )


def _signed(data: bytes, trust: Trust, where: str, revoked: Revoked) -> tuple[SignedOverride, datetime | None] | str:
    """Return what somebody accepted signed, and the proved time of it (steps 1 and 4)."""
    found = verify(data, trust.signers, role=ROLE, where=where)
    if isinstance(found, NotAccepted):
        return found.reason
    said = read(found.payload, where)
    # (4)
    if (why := revoked(found)) is not None:
        return why
    return SignedOverride(file=where, by=found.signer.person, time_source=found.time_source, said=said), found.time


def _accepted(
    data: bytes, trust: Trust, decision: str, subject: Subject, now: datetime, where: str, revoked: Revoked
) -> SignedOverride | str:
    if trust.break_glass_hours is None:
        return "the trust file honours no override: it has no [break_glass]"
    # (1)
    found = _signed(data, trust, where, revoked)
    if isinstance(found, str):
        return found
    signed, time = found
    said = signed.said
    # (2)
    if said.decision != decision or dict(said.subject) != dict(subject.digest):
        return f"it is about decision {said.decision[:12]} on {said.name!r}"
    # (3)
    if time is not None and abs(said.issued_at - time) > CLOCK_SKEW:
        return f"issued at {format_time(said.issued_at)} by its own word, and signed at {format_time(time)}"
    if said.issued_at - now > CLOCK_SKEW:
        return f"issued at {format_time(said.issued_at)}, which is after {format_time(now)}"
    hours = min(MAX_HOURS, trust.break_glass_hours)
    if said.until - said.issued_at > timedelta(hours=hours):
        return f"holds for longer than the {hours:g} hours that the trust file allows"
    if said.until <= now:
        return f"ended at {format_time(said.until)}"
    return signed
