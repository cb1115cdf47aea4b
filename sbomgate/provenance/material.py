"""The keys and certificates that verification rests on: a sigstore trusted root and a registry's keys, parsed once.

Formats: protobuf-specs `TrustedRoot` (`application/vnd.dev.sigstore.trustedroot+json;version=0.1`) and npm's keys.json
(the TUF target of the registry's delegated role). Keys are found by their exact id; none is tried because another does
not fit.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.verification import Store

from sbomgate.errors import ProvenanceError
from sbomgate.provenance._encoding import decode_base64, parse_json

MAX_TRUST_BYTES = 1 << 20
"""Bytes of a trusted root or of a registry's keys: the public ones have 7 kB and 2 kB."""

SIGNATURES = "npm:signatures"
ATTESTATIONS = "npm:attestations"

_TRUSTED_ROOT_TYPES = (
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
)

_P256, _P384 = ec.ECDSA(SHA256()), ec.ECDSA(SHA384())

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A period of validity, both ends included; `end` None means that none is set."""

    start: datetime
    end: datetime | None

    def contains(self, time: datetime) -> bool:
        """Whether `time` lies in the period."""
        return self.start <= time and (self.end is None or time <= self.end)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}" if self.end else f"from {self.start:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key with its period of validity: of a transparency log, a certificate log or a registry."""

    key: PublicKey
    der: bytes
    window: Window

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` (ECDSA in DER with the curve's hash, or Ed25519) is this key's over `data`."""
        return verifies(self.key, signature, data)


def verifies(key: object, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is `key`'s over `data`.

    P-256 goes with SHA-256, P-384 with SHA-384, Ed25519 with itself.

    Raises:
        ValueError: a key of another kind.
    """
    try:
        match key:
            case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
                key.verify(signature, data, _P256)
            case ec.EllipticCurvePublicKey(curve=ec.SECP384R1()):
                key.verify(signature, data, _P384)
            case ed25519.Ed25519PublicKey():
                key.verify(signature, data)
            case _:
                raise ValueError(f"a key of an unsupported kind ({type(key).__name__})")
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: its certificates, issuer of end-entity certificates first, also as a store of anchors.

    `key_hashes` holds the SHA-256 of each certificate's DER SubjectPublicKeyInfo: how a certificate log names it.
    """

    certificates: tuple[x509.Certificate, ...]
    key_hashes: tuple[bytes, ...]
    window: Window
    store: Store

    def key_hash(self, certificate: x509.Certificate) -> bytes:
        """Return the hash of one of its certificates' keys."""
        return self.key_hashes[self.certificates.index(certificate)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustMaterial:
    """A trusted root and a registry's keys.

    Attributes:
        logs: transparency logs by log id; ct_logs: certificate logs by log id.
        authorities: certificate authorities, as Fulcio; timestamp_authorities: RFC 3161 authorities, signer first.
        registry_keys: a registry's keys by (key id, usage); one id may have several periods.
        trusted_root_sha256, registry_keys_sha256: SHA-256 (hex) of the bytes that they were read from.
        newest: start of the youngest period in the trusted root: it cannot be older than this.
    """

    logs: Mapping[bytes, TrustedKey]
    ct_logs: Mapping[bytes, TrustedKey]
    authorities: tuple[Authority, ...]
    timestamp_authorities: tuple[Authority, ...]
    registry_keys: Mapping[tuple[str, str], tuple[TrustedKey, ...]]
    trusted_root_sha256: str
    registry_keys_sha256: str
    newest: datetime

    @classmethod
    def parse(cls, trusted_root: bytes, registry_keys: bytes) -> TrustMaterial:
        """Read both files.

        Raises:
            ProvenanceError: one of them is not what it should be, or names no log, no certificate log, no authority or
                no registry key: nothing could ever be verified (empty means refuse).
        """
        root = _read(trusted_root, "trusted_root.json", _TRUSTED_ROOT_TYPES)
        keys = _read(registry_keys, "keys.json", None)
        try:
            authorities = tuple(_authority(a) for a in _items(root, "certificateAuthorities"))
            timestamp_authorities = tuple(_authority(a) for a in root.get("timestampAuthorities") or ())
            logs = _keys(_items(root, "tlogs"))
            ct_logs = _keys(_items(root, "ctlogs"))
        except _UNUSABLE as e:
            raise ProvenanceError(
                f"this trusted root cannot be used: {_reason(e)}",
                where="trusted_root.json",
                hint="take the file as sigstore publishes it, or the one that your private sigstore gave you",
            ) from e
        try:
            by_id: dict[tuple[str, str], tuple[TrustedKey, ...]] = {}
            for item in _items(keys, "keys"):
                name = (str(item["keyId"]), str(item["keyUsage"]))
                by_id[name] = (*by_id.get(name, ()), _key(item["publicKey"]))
        except _UNUSABLE as e:
            raise ProvenanceError(
                f"these registry keys cannot be used: {_reason(e)}",
                where="keys.json",
                hint="take the file as the registry publishes it through sigstore's TUF repository",
            ) from e
        return cls(
            logs=logs,
            ct_logs=ct_logs,
            authorities=authorities,
            timestamp_authorities=timestamp_authorities,
            registry_keys=by_id,
            trusted_root_sha256=hashlib.sha256(trusted_root).hexdigest(),
            registry_keys_sha256=hashlib.sha256(registry_keys).hexdigest(),
            newest=max(
                w.start
                for w in (
                    *(k.window for k in logs.values()),
                    *(k.window for k in ct_logs.values()),
                    *(a.window for a in authorities),
                    *(a.window for a in timestamp_authorities),
                )
            ),
        )


_UNUSABLE = (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm)


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def _read(document: bytes, where: str, media_types: tuple[str, ...] | None) -> dict[str, Any]:
    if len(document) > MAX_TRUST_BYTES:
        raise ProvenanceError(f"{len(document)} bytes, more than the limit of {MAX_TRUST_BYTES}", where=where)
    try:
        value = parse_json(document)
    except ValueError as e:
        raise ProvenanceError(f"not JSON with one meaning: {e}", where=where) from e
    if not isinstance(value, dict):
        raise ProvenanceError("a JSON object is expected", where=where)
    if media_types is not None and value.get("mediaType") not in media_types:
        raise ProvenanceError(
            f"an unknown media type {value.get('mediaType')!r}, expected {media_types[0]!r}",
            where=where,
            place="mediaType",
            hint="give a trusted_root.json as sigstore publishes it",
        )
    return value


def _items(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = document.get(name)
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"{name} must be a list of objects that is not empty")
    return items


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return time.astimezone(UTC)


def _window(value: dict[str, Any]) -> Window:
    end = value.get("end")
    return Window(start=_time(value["start"]), end=None if end is None else _time(end))


def _key(value: dict[str, Any]) -> TrustedKey:
    der = decode_base64(value["rawBytes"])
    key = load_der_public_key(der)
    match key, value["keyDetails"]:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()), "PKIX_ECDSA_P256_SHA_256":
            pass
        case ec.EllipticCurvePublicKey(curve=ec.SECP384R1()), "PKIX_ECDSA_P384_SHA_384":
            pass
        case ed25519.Ed25519PublicKey(), "PKIX_ED25519":
            pass
        case _, details:
            raise ValueError(f"a key {details!r} is not supported")
    return TrustedKey(key=key, der=der, window=_window(value["validFor"]))


def _keys(items: list[dict[str, Any]]) -> dict[bytes, TrustedKey]:
    found: dict[bytes, TrustedKey] = {}
    for item in items:
        if item["hashAlgorithm"] != "SHA2_256":
            raise ValueError(f"a log with the hash {item['hashAlgorithm']!r} is not supported")
        log_id = decode_base64(item["logId"]["keyId"])
        if len(log_id) != hashlib.sha256().digest_size or log_id in found:
            raise ValueError(f"the log id {base64.b64encode(log_id).decode()} is doubled or not 32 bytes long")
        found[log_id] = _key(item["publicKey"])
    return found


def _authority(item: dict[str, Any]) -> Authority:
    certificates = tuple(
        x509.load_der_x509_certificate(decode_base64(c["rawBytes"])) for c in _items(item["certChain"], "certificates")
    )
    hashes = tuple(
        hashlib.sha256(c.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        for c in certificates
    )
    return Authority(certificates, hashes, _window(item["validFor"]), Store(list(certificates)))
