"""A verifier that trusts the test sigstore, and the real samples that lie beside the clone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sbomgate.provenance import DEFAULT_ISSUERS, Verifier, shipped
from testkit.sigstore import TestSigstore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHA512 = "c0" * 64


@pytest.fixture(scope="session")
def sigstore() -> TestSigstore:
    return TestSigstore(NOW)


@pytest.fixture(scope="session")
def verifier(sigstore: TestSigstore) -> Verifier:
    return Verifier.from_material(sigstore.trusted_root_json(), sigstore.registry_keys_json(), DEFAULT_ISSUERS)


@pytest.fixture(scope="session")
def npm_attestations() -> Path:
    folder = Path(__file__).resolve().parents[4] / "shared" / "data" / "npm-attestations"
    if not folder.is_dir():
        pytest.skip(f"no real attestations: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def public() -> Verifier:
    """A verifier with the shipped trust root."""
    trust = shipped.load()
    return Verifier.from_material(trust.trusted_root, trust.registry_keys, DEFAULT_ISSUERS)
