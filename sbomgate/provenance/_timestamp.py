"""Step 4b: RFC 3161 timestamps, through rfc3161-client (sigstore's own; imported only where a bundle carries one)."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from sbomgate.provenance._outcome import CannotVerify, Invalid
from sbomgate.provenance.material import Authority

_MALFORMED = (ValueError, OverflowError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


def verify_timestamp(token: bytes, signature: bytes, authorities: tuple[Authority, ...]) -> datetime:
    """Return the time at which an authority of the trusted root saw `signature`.

    Args:
        token: a DER TimeStampResp.
        signature: the bytes that it must be about.
        authorities: chains with the signing certificate first and the root last.

    Raises:
        Invalid: no authority that was in use at that time made it for this signature.
        CannotVerify: the trusted root names no timestamp authority.
    """
    if not authorities:
        raise CannotVerify("4b", "the bundle carries a timestamp, and the trusted root names no timestamp authority")
    try:
        response = decode_timestamp_response(token)
        time = response.tst_info.gen_time.astimezone(UTC)
    except _MALFORMED as e:
        raise Invalid("4b", f"the timestamp is malformed: {e}") from e
    reason = "no authority in the trusted root was in use then"
    for authority in authorities:
        if not authority.window.contains(time):
            continue
        signer, *intermediates, root = authority.certificates
        builder = VerifierBuilder(tsa_certificate=signer, intermediates=intermediates, roots=[root])
        try:
            builder.build().verify_message(response, signature)
        except (VerificationError, *_MALFORMED) as e:
            # What OpenSSL adds names its own files and lines, which differ from one build to the next (P38).
            reason = str(e).partition(": ErrorStack(")[0]
            continue
        return time
    raise Invalid("4b", f"no timestamp authority vouches for {time:%Y-%m-%d %H:%M:%SZ}: {reason}")
