"""The self-test: it must fail when the verifier, its trust root or its sample is wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sbomgate import resources
from sbomgate.errors import ProvenanceError
from sbomgate.provenance import Verifier, _bundle, selftest, shipped
from sbomgate.provenance._outcome import Stop
from sbomgate.provenance.material import TrustMaterial
from testkit.sigstore import TestSigstore

from .conftest import NOW


@pytest.fixture
def sample() -> bytes:
    return resources.path("trust_root", "selftest.json").read_bytes()


@pytest.fixture
def material() -> TrustMaterial:
    trust = shipped.load()
    return TrustMaterial.parse(trust.trusted_root, trust.registry_keys)


def test_it_passes_here(material: TrustMaterial, sample: bytes) -> None:
    selftest.run(material, sample)


def test_a_verifier_that_accepts_nothing_is_noticed(sample: bytes) -> None:
    sigstore = TestSigstore(NOW)
    other = TrustMaterial.parse(sigstore.trusted_root_json(), sigstore.registry_keys_json())
    with pytest.raises(ProvenanceError, match="a good attestation was refused"):
        selftest.run(other, sample)


@pytest.mark.parametrize("step", ["_verify_signature", "_verify_times"])
def test_a_verifier_that_accepts_everything_is_noticed(
    step: str, material: TrustMaterial, sample: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: with one step gone, no attestation is believed."""
    from datetime import UTC, datetime

    def lenient(form: Any, *_: Any) -> Any:
        return (datetime.fromtimestamp(form.integrated_time, UTC),)

    monkeypatch.setattr(_bundle, step, lenient)
    with pytest.raises(ProvenanceError, match="damaged for step"):
        selftest.run(material, sample)


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b"null"])
def test_a_sample_that_is_gone_is_noticed(document: bytes, material: TrustMaterial) -> None:
    with pytest.raises(ProvenanceError, match="a good attestation was refused"):
        selftest.run(material, document)


def test_a_sample_of_something_else_is_noticed(
    material: TrustMaterial, sample: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "SUBJECT", {"name": "other", "sha256": "00" * 32})
    with pytest.raises(ProvenanceError, match="about something else"):
        selftest.run(material, sample)


def test_no_verifier_comes_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first verifier of a process runs it; a failure leaves no verifier."""
    sigstore = TestSigstore(NOW)
    selftest.run_once.cache_clear()
    monkeypatch.setattr(shipped, "SELFTEST_SHA256", "00" * 32)
    with pytest.raises(ProvenanceError, match="expected"):
        Verifier.from_material(sigstore.trusted_root_json(), sigstore.registry_keys_json(), ("https://issuer",))
    monkeypatch.undo()
    selftest.run_once()


def test_the_sample_is_what_the_notice_says(sample: bytes) -> None:
    statement = json.loads(base64.b64decode(json.loads(sample)["dsseEnvelope"]["payload"]))
    assert statement["subject"] == [
        {"name": selftest.SUBJECT["name"], "digest": {"sha256": selftest.SUBJECT["sha256"]}}
    ]
    assert selftest.SUBJECT["name"] in resources.path("trust_root", "NOTICE").read_text()


def test_one_file_may_name_the_public_sigstore_and_a_private_one(sample: bytes) -> None:
    """As docs/signing.md merges them: packages are verified by the one, our own evidence by the other."""
    merged, ours = json.loads(shipped.load().trusted_root), json.loads(TestSigstore(NOW).trusted_root_json())
    for kind in ("tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"):
        merged[kind] += ours[kind]
    material = TrustMaterial.parse(json.dumps(merged).encode(), shipped.load().registry_keys)
    selftest.run(material, sample)
    private = TestSigstore(NOW).provenance("left-pad", "1.3.0", "cd" * 64)
    assert _bundle.verify_bundle(private, material).payload
    with pytest.raises(Stop):
        _bundle.verify_bundle(private, TrustMaterial.parse(shipped.load().trusted_root, shipped.load().registry_keys))
