"""Trust material: unusable is an error, never an empty keyring."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sbomgate import resources
from sbomgate.errors import ProvenanceError, SbomgateError
from sbomgate.provenance import shipped
from sbomgate.provenance.material import MAX_TRUST_BYTES, TrustMaterial, Window, verifies
from testkit.sigstore import TestSigstore

from .test_steps import drop, put

BAD_ROOTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "media type unknown": put("mediaType", value="application/vnd.dev.sigstore.trustedroot.v9+json"),
    "media type missing": drop("mediaType"),
    "no log": put("tlogs", value=[]),
    "no certificate log": put("ctlogs", value=[]),
    "no authority": drop("certificateAuthorities"),
    "authority without a certificate": put("certificateAuthorities", 0, "certChain", "certificates", value=[]),
    "certificate damaged": put("certificateAuthorities", 0, "certChain", "certificates", 0, "rawBytes", value="AAAA"),
    "log without an id": drop("tlogs", 0, "logId"),
    "log id of another length": put("tlogs", 0, "logId", "keyId", value="AAAA"),
    "two logs of one id": lambda root: {**root, "tlogs": [root["tlogs"][0]] * 2},
    "log with another hash": put("tlogs", 0, "hashAlgorithm", value="SHA2_512"),
    "key damaged": put("tlogs", 0, "publicKey", "rawBytes", value="AAAA"),
    "key of another kind than it says": put("tlogs", 0, "publicKey", "keyDetails", value="PKIX_ED25519"),
    "key kind unknown": put("tlogs", 0, "publicKey", "keyDetails", value="PKIX_RSA_PSS_2048_SHA256"),
    "period missing": drop("tlogs", 0, "publicKey", "validFor"),
    "period without a zone": put("tlogs", 0, "publicKey", "validFor", "start", value="2021-01-12T11:53:27"),
    "period that is no time": put("tlogs", 0, "publicKey", "validFor", "start", value="soon"),
    "not an object": lambda _: [],
}


@pytest.mark.parametrize("change", BAD_ROOTS.values(), ids=BAD_ROOTS)
def test_an_unusable_trusted_root_is_an_error(change: Callable[[dict[str, Any]], Any], sigstore: TestSigstore) -> None:
    root = json.dumps(change(sigstore.trusted_root())).encode()
    with pytest.raises(ProvenanceError) as caught:
        TrustMaterial.parse(root, sigstore.registry_keys_json())
    assert caught.value.where == "trusted_root.json"


@pytest.mark.parametrize("document", [b"", b"{", b'{"a":1,"a":1}', b" " * (MAX_TRUST_BYTES + 1), b"\xff"])
def test_a_file_without_one_meaning_is_an_error(document: bytes, sigstore: TestSigstore) -> None:
    """P1, P9"""
    with pytest.raises(ProvenanceError):
        TrustMaterial.parse(document, sigstore.registry_keys_json())
    with pytest.raises(ProvenanceError) as caught:
        TrustMaterial.parse(sigstore.trusted_root_json(), document)
    assert caught.value.where == "keys.json"


def test_P9_more_than_the_limit_is_not_parsed(sigstore: TestSigstore) -> None:
    """What would be fine but for that."""
    root, keys = sigstore.trusted_root_json(), sigstore.registry_keys_json()
    TrustMaterial.parse(root + b" " * (MAX_TRUST_BYTES - len(root)), keys)
    for large in (
        (root + b" " * (MAX_TRUST_BYTES + 1 - len(root)), keys),
        (root, keys + b" " * (MAX_TRUST_BYTES + 1 - len(keys))),
    ):
        with pytest.raises(ProvenanceError, match="more than the limit"):
            TrustMaterial.parse(*large)


@pytest.mark.parametrize("change", [drop("timestampAuthorities"), put("timestampAuthorities", value=[])])
def test_a_sigstore_without_timestamp_authorities(
    change: Callable[[dict[str, Any]], Any], sigstore: TestSigstore
) -> None:
    root = json.dumps(change(sigstore.trusted_root())).encode()
    assert TrustMaterial.parse(root, sigstore.registry_keys_json()).timestamp_authorities == ()


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": [{"keyId": "x", "keyUsage": "npm:signatures"}]}])
def test_unusable_registry_keys_are_an_error(keys: Any, sigstore: TestSigstore) -> None:
    with pytest.raises(ProvenanceError):
        TrustMaterial.parse(sigstore.trusted_root_json(), json.dumps(keys).encode())


def test_signatures_of_each_kind_of_key() -> None:
    p256, p384 = (ec.derive_private_key(7, curve) for curve in (ec.SECP256R1(), ec.SECP384R1()))
    ed = ed25519.Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    signatures = [
        (p256.public_key(), p256.sign(b"x", ec.ECDSA(SHA256()))),
        (p384.public_key(), p384.sign(b"x", ec.ECDSA(SHA384()))),
        (ed.public_key(), ed.sign(b"x")),
    ]
    for key, signature in signatures:
        assert verifies(key, signature, b"x")
        assert not verifies(key, signature, b"y")
        assert not verifies(key, b"", b"x")
    with pytest.raises(ValueError, match="unsupported"):
        verifies(ec.derive_private_key(7, ec.SECP521R1()).public_key(), b"", b"x")


def test_a_private_sigstore_may_use_p384(sigstore: TestSigstore) -> None:
    key = ec.derive_private_key(7, ec.SECP384R1()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    root = sigstore.trusted_root()
    root["tlogs"][0]["publicKey"] |= {
        "rawBytes": base64.b64encode(spki).decode(),
        "keyDetails": "PKIX_ECDSA_P384_SHA_384",
    }
    material = TrustMaterial.parse(json.dumps(root).encode(), sigstore.registry_keys_json())
    assert [k.der for k in material.logs.values()].count(spki) == 1


def test_a_window_includes_its_ends() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    window = Window(start=start, end=end)
    assert window.contains(start)
    assert window.contains(end)
    assert not window.contains(start - timedelta(microseconds=1))
    assert not window.contains(end + timedelta(microseconds=1))
    assert Window(start=start, end=None).contains(datetime(9999, 1, 1, tzinfo=UTC))


def test_the_shipped_trust_root_is_the_public_one() -> None:
    trust = shipped.load()
    material = TrustMaterial.parse(trust.trusted_root, trust.registry_keys)
    assert material.trusted_root_sha256 == shipped.TRUSTED_ROOT_SHA256
    assert material.registry_keys_sha256 == shipped.REGISTRY_KEYS_SHA256
    assert (len(material.logs), len(material.ct_logs), len(material.authorities)) == (2, 2, 2)
    assert len(material.registry_keys) == 4
    assert material.newest == datetime(2025, 9, 23, tzinfo=UTC)


@pytest.mark.parametrize("name", ["trusted_root.json", "keys.json", "selftest.json", "tuf_root.json"])
def test_an_altered_installation_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P25: pinned by digest. One byte more, the same JSON."""
    altered = tmp_path / name
    altered.write_bytes(resources.path("trust_root", name).read_bytes() + b"\n")
    monkeypatch.setattr(resources, "path", lambda *parts: tmp_path.joinpath(*parts[1:]))
    with pytest.raises(ProvenanceError, match="expected") as caught:
        shipped.read(name, {"keys.json": shipped.REGISTRY_KEYS_SHA256}.get(name, shipped.TRUSTED_ROOT_SHA256))
    assert caught.value.where == str(altered)


def test_a_missing_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    with pytest.raises(SbomgateError, match="missing"):
        shipped.load()
