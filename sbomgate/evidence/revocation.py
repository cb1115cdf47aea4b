"""Revocations: signed statements that withdraw one decision, or all by one signer from a time on. Pure.

A revocation acts as a FAILED does: whatever it hits does not count, and it beats every older PASSED on the same
artefact (P19). It says nothing good of anything: what passed before and stands beside it has to be gated again.

Who may revoke: a signer with the role `revoker`, everything; a signer of decisions, those for environments that he may
decide for, because he could sign a FAILED for each of them as well. A revocation is withdrawn by nothing but the trust
file, which can stop accepting who signed it.

Reading is strict as in `sbomgate.decision`: what was read is written again and must give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sbomgate import dsse
from sbomgate.canonical import dumps
from sbomgate.errors import EvidenceError
from sbomgate.evidence.record import DETAIL_BUNDLE
from sbomgate.model import Signer
from sbomgate.signing.verify import NotAccepted, VerifiedStatement, verify
from sbomgate.times import format_time, parse_time

REVOCATION_TYPE = "https://sbomgate.dev/revocation/v1"
ROLE = "revoker"
MAX_REASON = 2000  # characters

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedSigner:
    """Whose decisions are withdrawn: the holder of a key (SHA-256, hex), or of an identity that `issuer` vouches for.

    `since`: from when on; None for all of them.
    """

    key_id: str | None = None
    issuer: str | None = None
    identity: str | None = None
    since: datetime | None = None

    def is_(self, signer: Signer, certified: str | None) -> bool:
        """Whether that is an accepted signer, whose certificate names `certified`."""
        if self.key_id is not None:
            return signer.key_id == self.key_id
        named = signer.identity
        return named is not None and named.issuer == self.issuer and self.identity in (named.identity, certified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What a revocation says: exactly one of `decision` (SHA-256, hex) and `signer` is withdrawn, why and when.

    `build` is the SHA-256 (hex) of the build manifest that the decision is about: where a store holds that back, the
    revocation still beats an older PASSED on the artefact. None in those of earlier versions.
    """

    decision: str | None
    signer: RevokedSigner | None
    issued_at: datetime
    reason: str
    build: str | None = None


def write(said: Revocation) -> bytes:
    """Return the statement to sign; the same revocation gives the same bytes."""
    _check(said)
    signer = None
    if said.signer is not None:
        one = said.signer
        signer = {
            "keyId": one.key_id,
            "issuer": one.issuer,
            "identity": one.identity,
            "from": None if one.since is None else format_time(one.since),
        }
        subject = ("signer", hashlib.sha256(dumps(signer)).hexdigest())
    else:
        subject = (DETAIL_BUNDLE, said.decision or "")
    about = [] if said.build is None else [("build-manifest", {"sha256": said.build})]
    return dsse.statement(
        [(subject[0], {"sha256": subject[1]}), *about],
        REVOCATION_TYPE,
        {
            "decision": None if said.decision is None else {"sha256": said.decision},
            **({} if said.build is None else {"build": {"sha256": said.build}}),
            "signer": signer,
            "issuedAt": format_time(said.issued_at),
            "reason": said.reason,
        },
    )


def read(payload: bytes, where: str) -> Revocation:
    """Return what a statement says.

    Raises:
        EvidenceError: not a revocation of this version, or not the bytes that it is written as.
    """
    statement = dsse.read_statement(payload, where)
    dsse.expect(statement["predicateType"], REVOCATION_TYPE, where, "predicateType")
    return dsse.exactly(payload, where, "revocation", lambda: _revocation(statement["predicate"]), write)


def _revocation(said: Mapping[str, Any]) -> Revocation:
    signer = None
    if said["signer"] is not None:
        one = said["signer"]
        signer = RevokedSigner(
            key_id=one["keyId"],
            issuer=one["issuer"],
            identity=one["identity"],
            since=None if one["from"] is None else parse_time(one["from"]),
        )
    return Revocation(
        decision=None if said["decision"] is None else said["decision"]["sha256"],
        signer=signer,
        issued_at=parse_time(said["issuedAt"]),
        reason=said["reason"],
        build=said["build"]["sha256"] if "build" in said else None,
    )


def _check(said: Revocation) -> None:
    if (said.decision is None) == (said.signer is None):
        raise EvidenceError("names a decision or a signer, and exactly one of the two", place="predicate")
    if not isinstance(said.reason, str) or not said.reason.strip() or len(said.reason) > MAX_REASON:
        raise EvidenceError(f"no reason, or one of more than {MAX_REASON} characters", place="predicate.reason")
    if said.build is not None and said.decision is None:
        raise EvidenceError("names the artefact of no decision", place="predicate.build")
    digests = [said.decision, said.build, None if said.signer is None else said.signer.key_id]
    for digest in digests:
        if digest is not None and not (isinstance(digest, str) and _HEX.fullmatch(digest)):
            raise EvidenceError("not a SHA-256 in lowercase hex", place="predicate")
    if said.signer is not None:
        one = said.signer
        match one.key_id, one.issuer, one.identity:
            case (str(), None, None) | (None, str(), str()):
                pass
            case _:
                raise EvidenceError("names neither a key nor an identity with its issuer", place="predicate.signer")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRevocation:
    """A revocation that counts: `id` is the SHA-256 (hex) of its bundle, `by` who signed it."""

    id: str
    by: Signer
    said: Revocation

    def covers(self, environment: str | None) -> bool:
        """Whether who signed it may revoke what is for an environment."""
        return ROLE in self.by.roles or self.by.may_for(environment)

    def __str__(self) -> str:
        """Who, when and why, in one phrase."""
        return f"revoked by {self.by.name!r} at {format_time(self.said.issued_at)}: {self.said.reason}"


def accepted(bundle: bytes, signers: Sequence[Signer], where: str) -> SignedRevocation | NotAccepted:
    """Return a revocation as signed by somebody who may revoke, or why it does not count.

    Raises:
        EvidenceError: it carries an accepted signer's name and does not hold, or has no single meaning.
    """
    found = verify(bundle, signers, role=ROLE, where=where)
    if isinstance(found, NotAccepted):
        found = verify(bundle, signers, role="decision", where=where)
    if isinstance(found, NotAccepted):
        return found
    return SignedRevocation(id=hashlib.sha256(bundle).hexdigest(), by=found.signer, said=read(found.payload, where))


def withdraws(
    bundles: Mapping[str, bytes], signers: Sequence[Signer], environment: str | None
) -> Callable[[VerifiedStatement], str | None]:
    """Return what tells why a statement about a decision for an environment was withdrawn with all by its signer.

    It stands beside a revocation `--from` a time only where a log or a timestamp authority proves it older: whoever
    stole a key dates back.

    Args:
        bundles: the revocations, by SHA-256 of each.
        signers: `Trust.signers`.
        environment: of the decision.

    Raises:
        EvidenceError: as `accepted`.
    """
    revoking = accepted_of(bundles, signers)[0]

    def why(signed: VerifiedStatement) -> str | None:
        certified = None if signed.claims is None else signed.claims.identity
        for one in revoking:
            by = one.said.signer
            if by is None or not one.covers(environment) or not by.is_(signed.signer, certified):
                continue
            if by.since is None or signed.time is None or signed.time >= by.since:
                return f"what {signed.signer.name!r} signs was {one}"
        return None

    return why


def accepted_of(
    bundles: Mapping[str, bytes], signers: Sequence[Signer]
) -> tuple[tuple[SignedRevocation, ...], tuple[str, ...]]:
    """Sort out the revocations of a store, by SHA-256 of each bundle: those that count, and notes on the others.

    Raises:
        EvidenceError: as `accepted`.
    """
    counting: list[SignedRevocation] = []
    notes: list[str] = []
    for sha256, bundle in sorted(bundles.items()):
        match accepted(bundle, signers, f"revocations/{sha256}.sigstore.json"):
            case SignedRevocation() as one:
                counting.append(one)
            case NotAccepted() as refused:
                notes.append(f"revocation {sha256[:12]} does not count: {refused.reason}")
    return tuple(counting), tuple(notes)
