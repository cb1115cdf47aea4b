"""The numbered steps for bundles that are not a registry's: our own evidence. Pure.

A certified bundle takes steps 1 to 6, as a package's provenance does, and 8 for what its certificate says; a timestamp
on a key's signature takes step 4b. What the statement says, and who is accepted, is for the caller to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from sbomgate.model import Claims
from sbomgate.provenance import selftest, shipped
from sbomgate.provenance._bundle import verify_bundle
from sbomgate.provenance._claims import read_claims
from sbomgate.provenance._outcome import CannotVerify, Stop
from sbomgate.provenance._timestamp import verify_timestamp
from sbomgate.provenance.material import TrustMaterial

__all__ = ["CannotVerify", "Certified", "Stop", "claimed", "verify_certified", "verify_timestamps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What a verified bundle proves.

    Attributes:
        payload: the bytes that were signed.
        claims: what the certificate says of its holder.
        time: the latest of the verified times of the signature.
        timestamped: whether an RFC 3161 authority vouches for it; else the log does.
    """

    payload: bytes
    claims: Claims
    time: datetime
    timestamped: bool


def claimed(certificate: bytes) -> Claims | None:
    """Return whom a certificate names, or None where it cannot be read. Nothing of it is verified."""
    try:
        return read_claims(x509.load_der_x509_certificate(certificate), None, persons=True)
    except (Stop, ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        return None


def verify_certified(bundle: dict[str, Any], trusted_root: bytes | None) -> Certified:
    """Verify a bundle with a certificate.

    Args:
        bundle: parsed.
        trusted_root: of the sigstore that it must come from; None for the shipped one.

    Raises:
        Stop: a step did not pass; its message names the step.
        ProvenanceError: the trusted root cannot be used, or the self-test failed.
    """
    envelope = verify_bundle(bundle, _material(trusted_root))
    if envelope.certificate is None:
        raise ValueError("a bundle with a certificate is expected")
    return Certified(
        payload=envelope.payload,
        claims=read_claims(envelope.certificate, None, persons=True),
        time=envelope.time,
        timestamped=bool(bundle["verificationMaterial"].get("timestampVerificationData", {}).get("rfc3161Timestamps")),
    )


def verify_timestamps(timestamps: tuple[bytes, ...], signature: bytes, trusted_root: bytes | None) -> datetime:
    """Return the latest of the times at which authorities of the trusted root saw `signature`: each of them must hold.

    Raises:
        Stop: one does not.
        ProvenanceError: the trusted root cannot be used, or the self-test failed.
    """
    authorities = _material(trusted_root).timestamp_authorities
    return max(verify_timestamp(one, signature, authorities) for one in timestamps)


@cache
def _material(trusted_root: bytes | None) -> TrustMaterial:
    selftest.run_once()
    ours = shipped.load()
    return TrustMaterial.parse(trusted_root or ours.trusted_root, ours.registry_keys)
