"""A timestamp authority's answer (RFC 3161, CMS of RFC 5652), written by hand: no library here makes one."""

from __future__ import annotations

import hashlib
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding


def der(tag: int, *parts: bytes) -> bytes:
    """Return the DER encoding of a value with this tag."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*parts: bytes) -> bytes:
    """Return a DER SEQUENCE."""
    return der(0x30, *parts)


def integer(value: int) -> bytes:
    """Return a DER INTEGER that is not negative."""
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """Return a DER OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    body = b""
    for arc in (first * 40 + second, *rest):
        group = [arc & 0x7F]
        while arc := arc >> 7:
            group.append(0x80 | arc & 0x7F)
        body += bytes(reversed(group))
    return der(0x06, body)


_SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), der(0x05))
_TST_INFO = oid("1.2.840.113549.1.9.16.1.4")


def timestamp_response(
    signature: bytes, time: datetime, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> bytes:
    """Return a DER TimeStampResp: `certificate`, whose key is `key`, saw `signature` at `time` (whole seconds, UTC)."""
    info = sequence(
        integer(1),
        oid("1.3.6.1.4.1.57264.2"),
        sequence(_SHA256, der(0x04, hashlib.sha256(signature).digest())),
        integer(int(time.timestamp())),
        der(0x18, time.strftime("%Y%m%d%H%M%SZ").encode()),
    )
    encoded = certificate.public_bytes(Encoding.DER)
    signing_certificate = sequence(sequence(sequence(der(0x04, hashlib.sha256(encoded).digest()))))
    attributes = sorted(
        (
            sequence(oid("1.2.840.113549.1.9.3"), der(0x31, _TST_INFO)),
            sequence(oid("1.2.840.113549.1.9.4"), der(0x31, der(0x04, hashlib.sha256(info).digest()))),
            sequence(oid("1.2.840.113549.1.9.16.2.47"), der(0x31, signing_certificate)),
        )
    )
    signed = key.sign(der(0x31, *attributes), ec.ECDSA(SHA256(), deterministic_signing=True))
    signer = sequence(
        integer(1),
        sequence(certificate.issuer.public_bytes(), integer(certificate.serial_number)),
        _SHA256,
        der(0xA0, *attributes),
        sequence(oid("1.2.840.10045.4.3.2")),
        der(0x04, signed),
    )
    signed_data = sequence(
        integer(3),
        der(0x31, _SHA256),
        sequence(_TST_INFO, der(0xA0, der(0x04, info))),
        der(0xA0, encoded),
        der(0x31, signer),
    )
    token = sequence(oid("1.2.840.113549.1.7.2"), der(0xA0, signed_data))
    return sequence(sequence(integer(0)), token)
