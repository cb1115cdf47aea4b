"""SLSA Verification Summaries that other verifiers made: whether one allows a deployment. Pure, from bytes.

The trust file names each verifier (`[[verifiers]]`): who signs, under which `verifier.id`, by which policies, with
which levels. The steps follow SLSA's "Verification Summary Attestation", "How to verify":

 1. an accepted verifier signed it: by key or certificate, in a bundle v0.1 to v0.3
 2. an in-toto statement with the predicate type of a VSA v1
 3. one of its subjects is this artefact, by its digest
 4. its verifier.id is the one that this signer signs for
 5. the resourceUri is one that is accepted, where any is named
 6. the policy is an accepted one, by digest or URI
 7. environment, repository, lockfile path, profile: where it says them (sbomgate's extension fields) they must be those
    that are demanded; where it does not, that is noted, and the verifier's own `environments` count
 8. it is not from the future, nor older than the trust file accepts; nor from after its signature
 9. the result is PASSED, with an accepted level
10. it is the newest about this artefact: a FAILED that is as new beats it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sbomgate import dsse
from sbomgate.decision import EXTENSION, PROFILES, SUMMARY_TYPE
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.evidence.bundles import Given
from sbomgate.evidence.verify import (
    CLOCK_SKEW,
    DEFAULT_MAX_AGE_HOURS,
    Reason,
    VerificationResult,
    demanded_environments,
)
from sbomgate.model import OtherVerifier, Subject, Trust, Verdict
from sbomgate.signing.verify import NotAccepted, VerifiedStatement, verify_other

_DEMANDS = ("environment", "repository", "lockfilePath", "profile")


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSummary:
    """A summary by another verifier that the trust file accepts, about this artefact.

    Attributes:
        verifier: as the trust file names it.
        passed: the result.
        time: when it was verified, by the verifier's word; `time_source` says who vouches for it.
        levels: `verifiedLevels`.
        resource_uri, policy: as it says them; the policy by digest, else by URI.
        says: what it says of sbomgate's extension fields: name → value.
        reasons: why it does not allow the deployment, in the order of the steps; `notes`: what it does not say.
    """

    verifier: str
    passed: bool
    time: datetime
    time_source: str
    levels: tuple[str, ...]
    resource_uri: str
    policy: str
    says: dict[str, str]
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]


def verify_summaries(
    given: Sequence[Given],
    subject: Subject,
    trust: Trust,
    *,
    now: datetime,
    environment: str | None = None,
) -> tuple[tuple[OtherSummary, ...], tuple[str, ...]]:
    """Return the summaries about an artefact by accepted verifiers, newest first, and why others do not count.

    Args:
        given: bundles with a VSA, in any order.
        subject: what is about to be deployed.
        trust: who is accepted.
        now: the time of the deployment.
        environment: where it is to be deployed.

    Raises:
        EvidenceError: a bundle names an accepted verifier and does not hold for it (altered).
        TrustError: the age limit is no limit, or a key or trusted root cannot be used.
        UsageError: the environment is needed, or is not one of the trust file's.
    """
    environments = demanded_environments(trust, environment)
    found: list[OtherSummary] = []
    notes: list[str] = []
    for one in given:
        match _verify(one, subject, trust, environments, now):
            case OtherSummary() as summary:
                found.append(summary)
            case str() as why:
                notes.append(f"{one.where} does not count: {why}")
    found.sort(key=lambda s: (s.time, not s.passed, s.verifier), reverse=True)
    return tuple(found), tuple(sorted(notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Whether the evidence allows the deployment, of sbomgate's own decisions and of other verifiers' summaries.

    `result` says so; `other` is the summary that it rests on, where there was no decision of sbomgate.
    """

    result: VerificationResult
    other: OtherSummary | None


def combine(result: VerificationResult, summaries: Sequence[OtherSummary], notes: Sequence[str]) -> Combined:
    """Judge both kinds together (step 10).

    Where there is a decision by an accepted signer, it decides, and no other verifier's PASSED outweighs it; a FAILED
    that is as new supersedes it. Where there is none, the newest summary that is about what is demanded decides.
    """
    told = [*result.notes, *notes]
    failed = [s for s in summaries if not s.passed and not {"verifier", "environment"} & {r.code for r in s.reasons}]

    def superseded(time: datetime) -> list[Reason]:
        return [
            Reason(code="superseded", message=f"{s.verifier} said FAILED of the same artefact at {s.time.isoformat()}")
            for s in failed[:1]
            if s.time >= time
        ]

    if result.deciding is not None or not summaries:
        reasons = list(result.reasons)
        if result.deciding is not None and result.deciding.decision.verdict is Verdict.ALLOWED:
            reasons += superseded(result.deciding.time)
        return Combined(
            result=replace(result, accepted=not reasons, reasons=tuple(reasons), notes=tuple(sorted(told))), other=None
        )
    about = [s for s in summaries if {r.code for r in s.reasons} <= _NOT_ABOUT]
    deciding = (about or list(summaries))[0]
    reasons = [*(r for r in result.reasons if r.code != "no-decision"), *deciding.reasons]
    if deciding.passed:
        reasons += superseded(deciding.time)
    told += [f"no decision by a signer that is accepted; {deciding.verifier} decides", *deciding.notes]
    return Combined(
        result=replace(result, accepted=not reasons, reasons=tuple(reasons), notes=tuple(sorted(told))), other=deciding
    )


_NOT_ABOUT = frozenset({"future", "age", "waiver-ended", "failed", "level"})


def _verify(
    one: Given, subject: Subject, trust: Trust, environments: tuple[str, ...], now: datetime
) -> OtherSummary | str:
    # (1) an accepted verifier signed it; a bundle of an unknown form proves nothing, and harms nobody
    try:
        dsse.read_other_bundle(one.data, one.where)
    except EvidenceError as e:
        return e.message
    signed = verify_other(one.data, [v.signer for v in trust.verifiers], where=one.where)
    if isinstance(signed, NotAccepted):
        return signed.reason
    verifier = next(v for v in trust.verifiers if v.signer == signed.signer)
    # (2) a VSA v1
    statement = signed.statement
    if statement["predicateType"] != SUMMARY_TYPE:
        return f"its predicate is a {str(statement['predicateType'])[:200]!r}, not a VSA v1"
    # (3) about this artefact, whatever it is called there
    wanted = dict(subject.digest)
    if not any(wanted.items() <= entry["digest"].items() for entry in statement["subject"]):
        return f"it is about {str(statement['subject'][0].get('name'))[:200]!r}, another artefact"
    return _judge(one, signed, verifier, trust, environments, now)


def _judge(
    one: Given,
    signed: VerifiedStatement,
    verifier: OtherVerifier,
    trust: Trust,
    environments: tuple[str, ...],
    now: datetime,
) -> OtherSummary:
    predicate = signed.statement["predicate"]
    reasons: list[Reason] = []
    notes: list[str] = []

    def text(*path: str) -> str | None:
        value: Any = predicate
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None

    def refuse(code: str, message: str) -> None:
        reasons.append(Reason(code=code, message=message))

    # (4) the pair of signer and verifier.id
    if (id_ := text("verifier", "id")) != verifier.signer.verifier_id:
        refuse(
            "verifier", f"verifier.id is {id_!r}, {verifier.signer.name!r} signs for {verifier.signer.verifier_id!r}"
        )
    # (5) the resource
    uri = text("resourceUri")
    accepted = verifier.resource_uris or ((trust.resource_uri,) if trust.resource_uri else ())
    if uri is None:
        refuse("resource", "it has no resourceUri")
    elif accepted and uri not in accepted:
        refuse("resource", f"resourceUri is {uri!r}, expected {' or '.join(map(repr, accepted))}")
    # (6) the policy
    digest, policy_uri = text("policy", "digest", "sha256"), text("policy", "uri")
    if verifier.policy_digests and digest not in verifier.policy_digests:
        refuse("policy", f"the policy sha256:{digest} is not one of this verifier's that the trust file accepts")
    if verifier.policy_uris and policy_uri not in verifier.policy_uris:
        refuse("policy", f"the policy {policy_uri!r} is not one of this verifier's that the trust file accepts")
    if not verifier.policy_digests:
        notes.append(f"the policy of {verifier.signer.name} is named by its URI alone: what it says may change")
    # (7) what SLSA's fields do not say
    says = {name: value for name in _DEMANDS if (value := _extension(predicate, name)) is not None}
    allowed = verifier.signer.environments
    if "environment" in says:
        if environments and says["environment"] not in environments:
            refuse("environment", f"it is for {says['environment']!r}, expected {' or '.join(map(repr, environments))}")
        if allowed and says["environment"] not in allowed:
            refuse("environment", f"it is for {says['environment']!r}, accepted for {', '.join(allowed)} only")
    elif allowed and not set(environments) & set(allowed):
        refuse("environment", f"{verifier.signer.name!r} is accepted for {', '.join(allowed)} only")
    demands = (
        ("repository", "repository", trust.repository),
        ("lockfilePath", "lockfile-path", trust.lockfile_path),
    )
    for name, code, demanded in demands:
        if demanded is not None and name in says and says[name] != demanded:
            refuse(code, f"{name} is {says[name]!r}, expected {demanded!r}")
    if trust.profile is not None and "profile" in says:
        rank = PROFILES.index(says["profile"]) if says["profile"] in PROFILES else -1
        if rank < PROFILES.index(trust.profile):
            refuse("profile", f"decided under the profile {says['profile']!r}, expected {trust.profile} or stricter")
    if silent := [name for name in _DEMANDS if name not in says]:
        notes.append(f"the summary of {verifier.signer.name} does not say: {', '.join(silent)}")
    # (8) the time
    time = _time(text("timeVerified"), one.where)
    limit = DEFAULT_MAX_AGE_HOURS if trust.max_age_hours is None else trust.max_age_hours
    if not (math.isfinite(limit) and limit > 0):
        raise TrustError(f"{limit} is no age limit", place="max_age_hours")
    if signed.time is not None and time - signed.time > CLOCK_SKEW:
        raise EvidenceError(
            f"verified at {time.isoformat()}, and signed before, at {signed.time.isoformat()}",
            where=one.where,
            place="predicate.timeVerified",
        )
    if max(time, signed.time or time) - now > CLOCK_SKEW:
        refuse("future", f"verified at {time.isoformat()}, which is after {now.isoformat()}")
    age = now - time
    if age > timedelta(hours=limit):
        refuse("age", f"verified {age.total_seconds() / 3600:.0f} hours ago, at most {limit:g} are accepted")
    until = _extension(predicate, "validUntil")
    if until is not None and now >= _time(until, one.where):
        refuse("waiver-ended", f"a waiver, approval or exclusion that it rests on ended at {until}")
    # (9) the result, and its levels
    result, found = text("verificationResult"), predicate.get("verifiedLevels")
    if result not in ("PASSED", "FAILED"):
        raise EvidenceError(f"{result!r} is no result", where=one.where, place="predicate.verificationResult")
    levels = tuple(level for level in found if isinstance(level, str)) if isinstance(found, list) else ()
    if result == "FAILED":
        refuse("failed", f"{verifier.signer.name} says FAILED")
    elif not set(levels) & set(verifier.levels):
        refuse("level", f"verified as {', '.join(levels) or 'nothing'}, expected {' or '.join(verifier.levels)}")
    return OtherSummary(
        verifier=verifier.signer.name,
        passed=result == "PASSED",
        time=time,
        time_source=signed.time_source,
        levels=levels,
        resource_uri=uri or "",
        policy=f"sha256:{digest}" if digest else str(policy_uri),
        says=says,
        reasons=tuple(reasons),
        notes=tuple(notes),
    )


def _extension(predicate: dict[str, Any], name: str) -> str | None:
    """Return an extension field of sbomgate: a text, or the value of a claim (`{value, source}`); None where absent."""
    value = predicate.get(f"{EXTENSION}{name}")
    if isinstance(value, dict):
        value = value.get("value")
    return value if isinstance(value, str) else None


def _time(value: str | None, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(value or "")
        if time.tzinfo is None:
            raise ValueError("without a time zone")
    except ValueError as e:
        raise EvidenceError(f"{value!r} is no time: {e}", where=where, place="predicate.timeVerified") from e
    return time.astimezone(UTC)
