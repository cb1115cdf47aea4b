"""Identity tokens as CI systems issue them, by keys of our own."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

ISSUER = "https://token.actions.githubusercontent.com"
KEY = ec.derive_private_key(0x5B0_6A7E, ec.SECP256R1())
OTHER = ec.derive_private_key(0x0_7E5, ec.SECP256R1())


def url64(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key_set(key: ec.EllipticCurvePrivateKey = KEY, name: str = "one") -> bytes:
    """Return a JSON Web Key Set that holds one key."""
    numbers = key.public_key().public_numbers()
    point = {"x": url64(numbers.x.to_bytes(32, "big")), "y": url64(numbers.y.to_bytes(32, "big"))}
    return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": name, **point}]}).encode()


KEYS = key_set()


def github(
    *, now: datetime, key: ec.EllipticCurvePrivateKey = KEY, algorithm: str = "ES256", **claims: Any
) -> str:  # fmt: skip
    """Return a token of a GitHub job for the audience `sbomgate`; None as a claim leaves it out."""
    at = int(now.timestamp())
    body = {
        "iss": ISSUER,
        "aud": "sbomgate",
        "iat": at,
        "nbf": at,
        "exp": at + 300,
        "repository": "acme/shop",
        "event_name": "push",
        **claims,
    }
    body = {name: value for name, value in body.items() if value is not None}
    head = {"alg": algorithm, "typ": "JWT", "kid": "one"}
    signed = f"{url64(json.dumps(head).encode())}.{url64(json.dumps(body).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
