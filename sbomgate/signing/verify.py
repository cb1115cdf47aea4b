"""Verifying what an accepted signer signed: bytes in, a value out, no I/O, no clock, no sigstore import.

Checked here: the bundle's form, that its key belongs to an accepted signer with the role that is asked for, and the
signature over exactly the payload that is then parsed.
Not checked here: what the statement says (its subject, type, environment, age): `evidence.verify` judges that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sbomgate import dsse
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.model import Signer
from sbomgate.signing.local_key import TIME_SOURCE, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStatement:
    """A statement that an accepted signer signed.

    Attributes:
        payload: the exact bytes that were signed. statement: those bytes, parsed (in-toto Statement v1).
        signer: who signed, as the trust file names it.
        time_source: `self-declared`: a key alone proves no time (PROMISES P17). The time itself is in the predicate.
    """

    payload: bytes
    statement: dict[str, Any]
    signer: Signer
    time_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAccepted:
    """The bundle may be sound, but nobody who is accepted for this role signed it: `reason` says so in one sentence."""

    reason: str


def verify(
    bundle: bytes, signers: Sequence[Signer], *, role: str, where: str = "bundle"
) -> VerifiedStatement | NotAccepted:
    """Verify a bundle against the signers that a trust file accepts.

    Args:
        bundle: a sigstore bundle v0.3 (JSON) with one DSSE signature by a key.
        signers: `Trust.signers`; nobody is accepted where it is empty.
        role: `decision`, `facts` or `policy`.
        where: what to call the bundle in errors.

    Raises:
        EvidenceError: the bundle is malformed, or names an accepted key whose signature it does not carry (altered).
        TrustError: a signer's key cannot be used.
    """
    # (1) the bundle has one meaning: known version, one signature, canonical base64
    envelope = dsse.read_bundle(bundle, where)
    # (2) its key is an accepted signer's
    signer = next((s for s in signers if hint(s.key_id) == envelope.hint), None)
    if signer is None:
        return NotAccepted(reason=f"signed by a key that the trust file does not accept (hint {envelope.hint[:64]!r})")
    # (3) the signature is that key's, over the payload (DSSE: PAE of type and payload)
    _verify(envelope, signer, where)
    # (4) the signer is accepted for this role
    if role not in signer.roles:
        return NotAccepted(
            reason=f"signed by {signer.name!r}, who is accepted for {', '.join(signer.roles)}, not for {role}"
        )
    # (5) the statement is parsed from the very bytes that were verified
    return VerifiedStatement(
        payload=envelope.payload,
        statement=dsse.read_statement(envelope.payload, where),
        signer=signer,
        time_source=TIME_SOURCE,
    )


def _verify(envelope: dsse.Envelope, signer: Signer, where: str) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from sbomgate.signing.local_key import key_id

    try:
        key = serialization.load_pem_public_key(signer.public_key.encode())
    except (ValueError, UnsupportedAlgorithm) as e:
        raise TrustError(f"the public key of {signer.name!r} cannot be read") from e
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TrustError(f"the public key of {signer.name!r} is not ECDSA P-256")
    if key_id(key) != signer.key_id:
        raise TrustError(f"the key id of {signer.name!r} is not its key's")
    try:
        key.verify(envelope.signature, dsse.pae(dsse.PAYLOAD_TYPE, envelope.payload), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as e:
        raise EvidenceError(
            f"the signature is not {signer.name!r}'s over this payload: one of the two was altered",
            where=where,
            place="dsseEnvelope.signatures[0].sig",
        ) from e
