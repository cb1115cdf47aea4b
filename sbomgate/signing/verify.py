"""Verifying what an accepted signer signed: bytes in, a value out, no I/O, no clock, no sigstore-python.

Checked here: the bundle's form, that its key or certificate is an accepted signer's with the role that is asked for,
the signature over exactly the payload that is then parsed, and the time of it where the bundle proves one. A
certificate takes the numbered steps of package provenance (docs/provenance.md).
Not checked here: what the statement says (its subject, type, environment, age): `evidence.verify` judges that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sbomgate import dsse
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.model import LOGGED, SELF_DECLARED, TIMESTAMPED, Claims, Signer
from sbomgate.signing.identity import refusal
from sbomgate.signing.local_key import hint, key_id


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStatement:
    """A statement that an accepted signer signed.

    Attributes:
        payload: the exact bytes that were signed. statement: those bytes, parsed (in-toto Statement v1).
        signer: who signed, as the trust file names it.
        time_source: who vouches for `time`, one of `TIME_SOURCES`; `self-declared` where a key alone proves none (P17).
        time: when the signature existed at the latest, as far as it is proved; None for `self-declared`.
        claims: what the certificate says of its holder; None for a key.
    """

    payload: bytes
    statement: dict[str, Any]
    signer: Signer
    time_source: str
    time: datetime | None = None
    claims: Claims | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAccepted:
    """The bundle may be sound, but nobody who is accepted for this role signed it: `reason` says so in one sentence."""

    reason: str


def verify(
    bundle: bytes, signers: Sequence[Signer], *, role: str, where: str = "bundle"
) -> VerifiedStatement | NotAccepted:
    """Verify a bundle against the signers that a trust file accepts.

    Args:
        bundle: a sigstore bundle v0.3 (JSON) with one DSSE signature, by a key or by the holder of a certificate.
        signers: `Trust.signers`; nobody is accepted where it is empty.
        role: `decision`, `facts` or `policy`.
        where: what to call the bundle in errors.

    Raises:
        EvidenceError: the bundle is malformed, or names an accepted signer and does not hold for him (altered).
        TrustError: a signer's key cannot be used.
        ProvenanceError: a signer's trusted root cannot be used.
    """
    # (1) the bundle has one meaning: known version, one signature, canonical base64
    envelope = dsse.read_bundle(bundle, where)
    if envelope.certificate is not None:
        found = _by_certificate(envelope, envelope.certificate, signers, where)
    else:
        found = _by_key(envelope, signers, where)
    if isinstance(found, NotAccepted):
        return found
    # (4) the signer is accepted for this role
    if role not in found.signer.roles:
        return NotAccepted(
            reason=f"signed by {found.signer.name!r}, accepted for {', '.join(found.signer.roles)}, not for {role}"
        )
    return found


def verify_other(bundle: bytes, signers: Sequence[Signer], *, where: str = "bundle") -> VerifiedStatement | NotAccepted:
    """Verify a bundle that another tool made, v0.1 to v0.3, against the verifiers that a trust file accepts.

    Tools name keys in ways of their own: where the hint is none of ours, every accepted key is tried.

    Raises:
        EvidenceError, TrustError, ProvenanceError: as `verify`.
    """
    envelope = dsse.read_other_bundle(bundle, where)
    if envelope.certificate is not None:
        return _by_certificate(envelope, envelope.certificate, signers, where, dsse.read_other_statement)
    if not any(s.key_id is not None and hint(s.key_id) == envelope.hint for s in signers):
        named = next((s for s in signers if signed_by(s, envelope.signature, envelope.payload)), None)
        if named is not None and named.key_id is not None:
            envelope = replace(envelope, hint=hint(named.key_id))
    return _by_key(envelope, signers, where, dsse.read_other_statement)


Read = Callable[[bytes, str], dict[str, Any]]


def _by_key(
    envelope: dsse.Envelope, signers: Sequence[Signer], where: str, read: Read = dsse.read_statement
) -> VerifiedStatement | NotAccepted:
    # (2) its key is an accepted signer's
    signer = next((s for s in signers if s.key_id is not None and hint(s.key_id) == envelope.hint), None)
    if signer is None:
        return NotAccepted(
            reason=f"signed by a key that the trust file does not accept (hint {(envelope.hint or '')[:64]!r})"
        )
    # (3) the signature is that key's, over the payload (DSSE: PAE of type and payload)
    if not signed_by(signer, envelope.signature, envelope.payload):
        raise EvidenceError(
            f"the signature is not {signer.name!r}'s over this payload: one of the two was altered",
            where=where,
            place="dsseEnvelope.signatures[0].sig",
        )
    time = None
    if envelope.timestamps:
        # (3a) every timestamp on it holds, as step 4b of package provenance
        from sbomgate.provenance import evidence

        try:
            time = evidence.verify_timestamps(envelope.timestamps, envelope.signature, signer.trusted_root)
        except evidence.Stop as e:
            raise EvidenceError(str(e), where=where, place="verificationMaterial.timestampVerificationData") from e
    # (5) the statement is parsed from the very bytes that were verified
    return VerifiedStatement(
        payload=envelope.payload,
        statement=read(envelope.payload, where),
        signer=signer,
        time_source=SELF_DECLARED if time is None else TIMESTAMPED,
        time=time,
    )


def _by_certificate(
    envelope: dsse.Envelope,
    certificate: bytes,
    signers: Sequence[Signer],
    where: str,
    read: Read = dsse.read_statement,
) -> VerifiedStatement | NotAccepted:
    from sbomgate.provenance import evidence

    # (2) whom its certificate names is an accepted identity: so far only its word, which (3) proves
    claims = evidence.claimed(certificate)
    if claims is None:
        return NotAccepted(reason="signed with a certificate that names nobody who could be accepted")
    refusals = {s.name: refusal(claims, s.identity) for s in signers if s.identity is not None}
    signer = next((s for s in signers if s.name in refusals and refusals[s.name] is None), None)
    if signer is None:
        # The reason is of interest where it is one signer's own: the right identity, and one thing that is not.
        near = [f"{name!r}: {why}" for name, why in refusals.items() if why is not None]
        reason = f"signed by {claims.identity[:200]!r} of {claims.issuer[:200]!r}, whom the trust file does not accept"
        return NotAccepted(reason=f"{reason} ({near[0]})" if len(near) == 1 else reason)
    # (3) the numbered steps of package provenance: log, time, chain, certificate log, signature, body
    try:
        proved = evidence.verify_certified(dict(envelope.bundle), signer.trusted_root)
    except evidence.Stop as e:
        raise EvidenceError(
            f"names the identity of {signer.name!r}, and does not hold: {e}", where=where, place="verificationMaterial"
        ) from e
    if proved.claims != claims or proved.payload != envelope.payload:
        raise EvidenceError("read in two ways, which differ", where=where)
    # (5) the statement is parsed from the very bytes that were verified
    return VerifiedStatement(
        payload=proved.payload,
        statement=read(proved.payload, where),
        signer=signer,
        time_source=TIMESTAMPED if proved.timestamped else LOGGED,
        time=proved.time,
        claims=claims,
    )


def signed_by(signer: Signer, signature: bytes, payload: bytes) -> bool:
    """Whether a signature is that of a signer's key over a payload (DSSE). Never for a signer without a key.

    Raises:
        TrustError: the key cannot be used.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if signer.public_key is None:
        return False
    try:
        key = serialization.load_pem_public_key(signer.public_key.encode())
    except (ValueError, UnsupportedAlgorithm) as e:
        raise TrustError(f"the public key of {signer.name!r} cannot be read") from e
    signed = dsse.pae(dsse.PAYLOAD_TYPE, payload)
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1)
    ):
        raise TrustError(f"the public key of {signer.name!r} is neither ECDSA P-256 nor Ed25519")
    if key_id(key) != signer.key_id:
        raise TrustError(f"the key id of {signer.name!r} is not its key's")
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
