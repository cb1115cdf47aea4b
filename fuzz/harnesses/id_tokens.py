"""Identity tokens of CI jobs, and the key sets that they are verified with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from fuzz.inputs import pack, unpack
from sbomgate import id_token
from testkit import tokens

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return a token as its parts in plain text, so that changes reach the claims, and one as it is sent."""
    token = tokens.github(now=NOW)
    yield "sent", pack({"token": token.encode(), "keys": tokens.KEYS})
    yield (
        "unsent",
        pack({"header": b'{"alg":"ES256","kid":"one","typ":"JWT"}', "payload": _claims(token), "keys": tokens.KEYS}),
    )


def _claims(token: str) -> bytes:
    import base64

    body = token.split(".")[1]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def read(data: bytes) -> object:
    """Verify it; one in plain text is signed by the issuer's key first: what it claims may be anything."""
    files = unpack(data)
    token = files.get("token", b"").decode("latin-1")
    if "token" not in files:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        signed = f"{tokens.url64(files.get('header', b''))}.{tokens.url64(files.get('payload', b''))}"
        r, s = decode_dss_signature(tokens.KEY.sign(signed.encode(), ec.ECDSA(SHA256())))
        token = f"{signed}.{tokens.url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    keys = files.get("keys", b"")
    id_token.issuer_of(token)
    id_token.check_keys(keys)
    return id_token.verify(token, issuer=tokens.ISSUER, audience="sbomgate", keys=keys, now=NOW)
