"""Waivers and approvals: in-toto statements that an approver signs, and back. Pure: no I/O, no clock.

Each is one sigstore bundle in one file. What counts is decided in three places, each for what it can know: here, that
an accepted approver signed something of one meaning, for no longer than the trust file allows; in
`policies/decision.rego`, that it is for this project, that its end lies ahead, that it is not by the change's own
author, and which finding it covers; in `decision` and `evidence.verify`, that no decision outlives what it rests on.

Reading is strict as in `sbomgate.decision`: what was read is written again and must give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sbomgate import dsse
from sbomgate.canonical import dumps
from sbomgate.errors import EvidenceError
from sbomgate.model import Approval, Authors, Context, People, Signed, Trust, Waiver
from sbomgate.signing.verify import NotAccepted, verify
from sbomgate.times import format_time, parse_time

WAIVER_TYPE = "https://sbomgate.dev/waiver/v1"
APPROVAL_TYPE = "https://sbomgate.dev/approval/v1"
ROLE = "approver"
CLOCK_SKEW = timedelta(minutes=5)

NEVER_WAIVED = ("known_malicious",)
"""Rules that no waiver covers, whatever it says (PROMISES P28); Rego marks other findings one by one."""


def write(said: Waiver | Approval) -> bytes:
    """Return the statement to sign; the same waiver gives the same bytes."""
    about = predicate(said)
    if isinstance(said, Approval):
        return dsse.statement([("change", {"sha256": said.change})], APPROVAL_TYPE, about)
    scope = {key: about[key] for key in ("rule", "package", "fingerprint", "project")}
    return dsse.statement([("waived", {"sha256": _sha256(scope)})], WAIVER_TYPE, about)


def predicate(said: Waiver | Approval) -> dict[str, Any]:
    """Return what a waiver or an approval says, as JSON has it."""
    common = {
        "project": said.project,
        "issuedAt": format_time(said.issued_at),
        "until": format_time(said.until),
        "reason": said.reason,
    }
    if isinstance(said, Approval):
        packages = [dict(zip(_PACKAGE, one, strict=True)) for one in said.packages]
        return {**common, "findings": list(said.findings), "packages": packages}
    return {
        **common,
        "rule": said.rule,
        "package": None if said.package is None else dict(zip(_PACKAGE, said.package, strict=True)),
        "fingerprint": said.fingerprint,
        "advisory": said.advisory,
    }


_PACKAGE = ("name", "version", "integrity")


def read(payload: bytes, where: str) -> Waiver | Approval:
    """Return what a statement says.

    Raises:
        EvidenceError: not a waiver or an approval of this version, or not the bytes that it is written as.
    """
    statement = dsse.read_statement(payload, where)
    kind = statement["predicateType"]
    if kind not in (WAIVER_TYPE, APPROVAL_TYPE):
        raise EvidenceError(f"got {kind!r}, expected a waiver or an approval", where=where, place="predicateType")
    make = _waiver if kind == WAIVER_TYPE else _approval

    def checked() -> Waiver | Approval:
        said = make(statement)
        _check(said)
        return said

    return dsse.exactly(payload, where, "waiver or approval", checked, write)


def _waiver(statement: Mapping[str, Any]) -> Waiver:
    said = statement["predicate"]
    waiver = Waiver(
        rule=said["rule"],
        package=None if said["package"] is None else _package(said["package"]),
        fingerprint=said["fingerprint"],
        project=said["project"],
        issued_at=parse_time(said["issuedAt"]),
        until=parse_time(said["until"]),
        reason=said["reason"],
        advisory=said["advisory"],
    )
    if (waiver.package is None) == (waiver.fingerprint is None):
        raise EvidenceError("names a package or a finding, and exactly one of the two", place="predicate")
    return waiver


def _approval(statement: Mapping[str, Any]) -> Approval:
    said = statement["predicate"]
    return Approval(
        project=said["project"],
        change=statement["subject"][0]["digest"]["sha256"],
        findings=tuple(said["findings"]),
        packages=tuple(_package(one) for one in said["packages"]),
        issued_at=parse_time(said["issuedAt"]),
        until=parse_time(said["until"]),
        reason=said["reason"],
    )


def accepted(
    bundles: Mapping[str, bytes], trust: Trust, *, now: datetime, authors: Authors, context: Context | None = None
) -> People:
    """Sort out what people signed.

    Args:
        bundles: file name → bytes of every waiver and approval beside the project.
        trust: who may approve, and for how long.
        now: the time of the decision.
        authors: who made the change.
        context: of the decision that is signed; None, and one that is not signed, asks about no environment.

    What nobody accepted has signed, or what has no single meaning, is refused with its reason and stops nothing: it
    only does not count (CASES W06, W11).
    """
    signed: dict[str, Signed] = {}
    refused: list[tuple[str, str]] = []
    for name, data in sorted(bundles.items()):
        try:
            found = _accepted(data, trust, now, name, context)
        except EvidenceError as e:
            found = str(e)
        if isinstance(found, Signed) and found.id in signed:
            found = "the same bundle is there twice"
        if isinstance(found, Signed):
            signed[found.id] = found
        else:
            refused.append((name, found))
    return People(signed=tuple(signed[key] for key in sorted(signed)), refused=tuple(refused), authors=authors)


def _accepted(data: bytes, trust: Trust, now: datetime, where: str, context: Context | None) -> Signed | str:
    # (1) an accepted approver signed exactly these bytes
    found = verify(data, trust.signers, role=ROLE, where=where)
    if isinstance(found, NotAccepted):
        return found.reason
    # (1a) for the environment that the decision is for (P20)
    about = None if context is None or context.time_source is None else context
    if about is not None and not found.signer.may_for(about.environment_name):
        return found.signer.only_for(about.environment_name)
    # (2) they have one meaning
    said = read(found.payload, where)
    # (3) a time that is proved is the time: nobody dates his word otherwise
    if found.time is not None and abs(said.issued_at - found.time) > CLOCK_SKEW:
        return f"issued at {format_time(said.issued_at)} by its own word, and signed at {format_time(found.time)}"
    # (4) it holds for no longer than the trust file allows, and was not issued ahead of its time to hold for longer
    if said.issued_at - now > CLOCK_SKEW:
        return f"issued at {format_time(said.issued_at)}, which is after {format_time(now)}"
    if said.until - said.issued_at > timedelta(days=trust.max_waiver_days):
        return f"holds for longer than the {trust.max_waiver_days:g} days that the trust file allows"
    # (5) it waives nothing that nothing waives
    if isinstance(said, Waiver) and said.rule in NEVER_WAIVED:
        return f"no waiver covers {said.rule}"
    return Signed(id=hashlib.sha256(data).hexdigest(), by=found.signer.person, said=said)


def _package(value: Mapping[str, Any]) -> tuple[str, str, str]:
    return value["name"], value["version"], value["integrity"]


def _check(said: Waiver | Approval) -> None:
    """Refuse values of other types than they are said to have: JSON has its own."""
    texts = [said.project, said.reason]
    digests: list[object] = []
    if isinstance(said, Waiver):
        texts += [said.rule, *([] if said.advisory is None else [said.advisory]), *(said.package or ())[:2]]
        digests += [] if said.fingerprint is None else [said.fingerprint]
    else:
        digests += [said.change, *said.findings]
        if list(said.findings) != sorted(set(said.findings)):
            raise EvidenceError("not sorted, or one is there twice", place="predicate.findings")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise EvidenceError("a text is empty, or no text", place="predicate")
    for digest in digests:
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise EvidenceError("not a SHA-256 in lowercase hex", place="predicate")
    if said.until <= said.issued_at:
        raise EvidenceError("ends before it begins", place="predicate.until")


def _sha256(value: object) -> str:
    return hashlib.sha256(dumps(value)).hexdigest()
