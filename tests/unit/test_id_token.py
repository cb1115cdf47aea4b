"""Identity tokens: signed by a pinned key, for us, and now; whoever signs them with what (P30)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from sbomgate import id_token
from sbomgate.errors import EvidenceError, TrustError
from testkit import tokens

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def verify(token: str, *, keys: bytes = tokens.KEYS, now: datetime = NOW) -> dict[str, Any]:
    return dict(id_token.verify(token, issuer=tokens.ISSUER, audience="sbomgate", keys=keys, now=now))


def rsa_keys(key: rsa.RSAPrivateKey, **fields: str) -> bytes:
    numbers = key.public_key().public_numbers()
    n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    return json.dumps({"keys": [{"kty": "RSA", "kid": "one", "n": tokens.url64(n), "e": "AQAB", **fields}]}).encode()


def rsa_token(key: rsa.RSAPrivateKey, **header: object) -> str:
    body = tokens.github(now=NOW, sub="x").split(".")[1]
    head = tokens.url64(json.dumps({"alg": "RS256", "kid": "one", **header}).encode())
    signed = f"{head}.{body}"
    return f"{signed}.{tokens.url64(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def test_both_algorithms_of_ci_systems() -> None:
    assert verify(tokens.github(now=NOW, actor_id="1"))["actor_id"] == "1"
    assert verify(rsa_token(RSA), keys=rsa_keys(RSA))["sub"] == "x"
    assert id_token.issuer_of(tokens.github(now=NOW)) == tokens.ISSUER


@pytest.mark.parametrize(
    ("token", "keys", "says"),
    [
        pytest.param(rsa_token(RSA), tokens.KEYS, "not its issuer's", id="an RSA signature for an EC key"),
        pytest.param(rsa_token(RSA, alg="PS256"), rsa_keys(RSA), "expected RS256", id="another algorithm"),
        pytest.param(rsa_token(RSA, crit=["x"]), rsa_keys(RSA), "expected RS256", id="what must be understood"),
        pytest.param(rsa_token(RSA, kid="two"), rsa_keys(RSA), "not among", id="an unknown key"),
        pytest.param(rsa_token(RSA), rsa_keys(RSA, use="enc"), "not among", id="a key for another use"),
        pytest.param(rsa_token(RSA), rsa_keys(RSA, alg="RS512"), "not among", id="a key for another algorithm"),
        pytest.param("a.b", tokens.KEYS, "three parts", id="no token"),
        pytest.param("a" * 70_000, tokens.KEYS, "three parts", id="too long"),
        pytest.param("é.a.b", tokens.KEYS, "three parts", id="not ASCII"),
        pytest.param("e30.e30.AAAA", tokens.KEYS, "signed by 'None'", id="no algorithm"),
        pytest.param("W10.e30.AAAA", tokens.KEYS, "not an object", id="a header that is no object"),
        pytest.param("e31.e30.AAAA", tokens.KEYS, "canonical", id="not canonical base64"),
    ],
)
def test_what_is_refused(token: str, keys: bytes, says: str) -> None:
    with pytest.raises(EvidenceError, match=says):
        verify(token, keys=keys)


def test_a_claim_that_is_there_twice_is_no_claim() -> None:
    """The payload is read as strictly as any statement: one meaning, or none."""
    twice = tokens.url64(b'{"iss": "a", "iss": "b"}')
    with pytest.raises(EvidenceError, match="twice"):
        id_token.issuer_of(f"e30.{twice}.AAAA")


def test_a_weak_key_is_not_accepted() -> None:
    with pytest.raises(TrustError, match="1024 bits"):
        verify(rsa_token(SMALL), keys=rsa_keys(SMALL))


@pytest.mark.parametrize(("seconds", "good"), [(-61, False), (-30, True), (0, True), (299, True), (300, False)])
def test_when_it_is_valid(seconds: int, good: bool) -> None:
    """From its issue, with a minute for the clocks, and not at its end any more."""
    token = tokens.github(now=NOW)
    if good:
        assert verify(token, now=NOW + timedelta(seconds=seconds))
    else:
        with pytest.raises(EvidenceError, match="not valid"):
            verify(token, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys": []}', b'{"keys": [{"kty": "oct"}]}']
)
def test_what_is_no_key_set(data: bytes) -> None:
    with pytest.raises(TrustError):
        id_token.check_keys(data)


def test_a_signature_of_another_length_is_none() -> None:
    head, body, signature = tokens.github(now=NOW).split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    with pytest.raises(EvidenceError, match="not its issuer's"):
        verify(f"{head}.{body}.{tokens.url64(raw + b'x')}")
