"""Identity tokens (OpenID Connect) that a CI system gives to a job, verified without a network. Pure.

Sources: RFC 7519 (JWT), RFC 7515 (JWS, compact), RFC 7517 and 7518 (keys and algorithms), OpenID Connect Core section
3.1.3.7 (what is validated). The issuer's keys are pinned by the trust file: discovery is left out on purpose.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sbomgate import dsse
from sbomgate.errors import EvidenceError, TrustError

MAX_TOKEN_BYTES = 64 << 10  # a token of GitHub has 2 kB
MAX_SECONDS = 253_402_300_800  # the year 10000, where Python's times end
MIN_RSA_BITS = 2048
CLOCK_SKEW = timedelta(minutes=1)
_WHERE = "identity token"


def issuer_of(token: str) -> str:
    """Return the issuer that a token names: only its word, to find the keys that it must be verified with.

    Raises:
        EvidenceError: not a token.
    """
    return str(_claims(token).get("iss", ""))


def words_of(token: str) -> str:
    """Return what a token says of itself: `for AUDIENCE, by ISSUER, until TIME`. Only its word, for people.

    Raises:
        EvidenceError: not a token.
    """
    claims = _claims(token)
    ends = claims.get("exp")
    until = "no time that can be read"
    if isinstance(ends, int) and 0 <= ends < MAX_SECONDS:
        until = f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"for {str(claims.get('aud'))[:200]!r}, by {str(claims.get('iss'))[:200]!r}, until {until}"


def has_ended(token: str, now: datetime) -> bool:
    """Return whether a token says that it ended before `now`. Only its word: False where it says nothing.

    Raises:
        EvidenceError: not a token.
    """
    ends = _claims(token).get("exp")
    return isinstance(ends, int) and now.timestamp() >= ends


def verify(token: str, *, issuer: str, audience: str, keys: bytes, now: datetime) -> Mapping[str, Any]:
    """Return the claims of a token.

    Args:
        token: compact JWS.
        issuer: what `iss` must be, exactly.
        audience: what `aud` must be, exactly; several audiences are refused.
        keys: the issuer's JSON Web Key Set.
        now: the time; the token must be valid at it.

    Raises:
        EvidenceError: it is not this issuer's, for this audience, valid now, or signed by one of its keys.
        TrustError: the key set cannot be used.
    """
    head, body, signature = _split(token)
    header = _part(head, "header")
    # (1) an algorithm with a public key, named in the header, and nothing in it that must be understood (RFC 7515 4.1)
    algorithm = header.get("alg")
    if algorithm not in ("RS256", "ES256") or "crit" in header:
        raise EvidenceError(f"signed by {str(algorithm)[:32]!r}, expected RS256 or ES256", where=_WHERE)
    # (2) the signature of the one key with that id (RFC 7515 5.2)
    if not _signed(keys, header.get("kid"), algorithm, f"{head}.{body}".encode(), _unbase64(signature, "signature")):
        raise EvidenceError("the signature is not its issuer's, as far as the pinned keys tell", where=_WHERE)
    # (3) issuer, audience and time (OpenID Connect Core 3.1.3.7: 2, 3, 9, 10)
    claims = _part(body, "payload")
    if claims.get("iss") != issuer:
        raise EvidenceError(f"its issuer is {str(claims.get('iss'))[:200]!r}, expected {issuer!r}", where=_WHERE)
    if claims.get("aud") not in (audience, [audience]):
        raise EvidenceError(f"it is for {str(claims.get('aud'))[:200]!r}, expected {audience!r}", where=_WHERE)
    times = [claims.get("exp"), claims.get("iat"), claims.get("nbf", claims.get("iat"))]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in times):
        raise EvidenceError("does not say from when to when it is valid", where=_WHERE)
    ends, issued, begins = times
    if now.timestamp() >= ends:
        raise EvidenceError("is not valid any more", where=_WHERE)
    if (now + CLOCK_SKEW).timestamp() < max(issued, begins):
        raise EvidenceError("is not valid yet", where=_WHERE)
    return claims


def check_keys(keys: bytes) -> None:
    """Refuse a key set that holds no key that could be used.

    Raises:
        TrustError: it does not.
    """
    if not any(one.get("kty") in ("RSA", "EC") for one in _keys(keys)):
        raise TrustError("holds neither an RSA nor an EC key")


def _keys(keys: bytes) -> list[Mapping[str, Any]]:
    try:
        found = dsse.loads(keys, "")
    except EvidenceError as e:
        raise TrustError(f"not a JSON Web Key Set: {e.message}") from e
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise TrustError("not a JSON Web Key Set: no list of keys")
    return listed


def _signed(keys: bytes, key_id: object, algorithm: str, signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    named = [one for one in _keys(keys) if one.get("kid") == key_id and one.get("alg", algorithm) == algorithm]
    if len(named) != 1 or named[0].get("use", "sig") != "sig":
        raise EvidenceError(
            f"signed by the key {str(key_id)[:64]!r}, which is not among the issuer's pinned keys", where=_WHERE
        )
    (key,) = named
    try:
        match key.get("kty"), algorithm:
            case "RSA", "RS256":
                public = rsa.RSAPublicNumbers(_number(key, "e"), _number(key, "n")).public_key()
                if public.key_size < MIN_RSA_BITS:
                    raise TrustError(f"an RSA key of {public.key_size} bits, at least {MIN_RSA_BITS} are accepted")
                public.verify(signature, signed, padding.PKCS1v15(), SHA256())
            case "EC", "ES256" if key.get("crv") == "P-256" and len(signature) == 64:
                point = ec.EllipticCurvePublicNumbers(_number(key, "x"), _number(key, "y"), ec.SECP256R1())
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                point.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
            case _:
                return False
    except InvalidSignature:
        return False
    except ValueError as e:
        raise TrustError(f"the issuer's key {str(key_id)[:64]!r} cannot be read: {e}") from e
    return True


def _number(key: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_unbase64(str(key.get(name, "")), name), "big")


def _claims(token: str) -> Mapping[str, Any]:
    return _part(_split(token)[1], "payload")


def _split(token: str) -> tuple[str, str, str]:
    parts = token.split(".")
    if len(token) > MAX_TOKEN_BYTES or len(parts) != 3 or not token.isascii():
        raise EvidenceError("not three parts in base64, with dots", where=_WHERE)
    return parts[0], parts[1], parts[2]


def _part(text: str, place: str) -> Mapping[str, Any]:
    found = dsse.loads(_unbase64(text, place), _WHERE)
    if not isinstance(found, dict):
        raise EvidenceError("not an object", where=_WHERE, place=place)
    return found


def _unbase64(text: str, place: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as e:
        raise EvidenceError(f"not base64: {e}", where=_WHERE, place=place) from e
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise EvidenceError("not base64url in its one canonical form", where=_WHERE, place=place)
    return data
