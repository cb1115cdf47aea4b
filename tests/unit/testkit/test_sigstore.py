"""The test sigstore: deterministic, and sound enough that stock sigstore-python believes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sbomgate
from testkit.sigstore import TestSigstore, merkle

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHA512 = "c0" * 64


def test_the_same_calls_give_the_same_bytes() -> None:
    first, second = TestSigstore(NOW), TestSigstore(NOW)
    assert first.trusted_root_json() == second.trusted_root_json()
    assert first.registry_keys_json() == second.registry_keys_json()
    assert first.provenance("a", "1.0.0", SHA512) == second.provenance("a", "1.0.0", SHA512)
    assert first.publish("a", "1.0.0", SHA512) == second.publish("a", "1.0.0", SHA512)
    assert first.registry_signature("a", "1.0.0", "sha512-x") == second.registry_signature("a", "1.0.0", "sha512-x")
    assert TestSigstore(NOW, seed="another").trusted_root_json() != first.trusted_root_json()
    # everything slides with the time, as the demo needs it
    later = TestSigstore(NOW + timedelta(days=1)).publish("a", "1.0.0", SHA512)
    assert later["verificationMaterial"]["tlogEntries"][0]["integratedTime"] == str(int(NOW.timestamp()) + 86400)


@pytest.mark.parametrize("size", range(1, 10))
def test_every_leaf_of_a_small_tree_has_a_proof(size: int) -> None:
    import hashlib

    leaves = [hashlib.sha256(bytes((n,))).digest() for n in range(size)]
    roots = {merkle(leaves, index)[0] for index in range(size)}
    assert len(roots) == 1


def test_it_is_not_reachable_from_the_package() -> None:
    """A test-made trust root must never be a default: nothing in the package names the test kit."""
    folder = Path(sbomgate.__file__).parent
    assert [p for p in folder.rglob("*.py") if "testkit" in p.read_text()] == []


ORACLE: dict[str, dict[str, Any]] = {
    "dsse/0.0.1 with inclusion proof and SET": {},
    "Rekor v2 with an RFC 3161 timestamp": {"entry": "hashedrekord", "proof": "inclusion"},
}


@pytest.mark.parametrize("how", ORACLE.values(), ids=ORACLE)
@pytest.mark.parametrize("damaged", [False, True])
def test_stock_sigstore_python_agrees(how: dict[str, Any], damaged: bool, tmp_path: Path) -> None:
    """The oracle: what we mint is what sigstore-python verifies, and refuses when damaged."""
    from sigstore.errors import VerificationError
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity

    sigstore = TestSigstore(NOW)
    root = tmp_path / "trusted_root.json"
    root.write_bytes(sigstore.trusted_root_json())
    minted = sigstore.provenance(
        "a", "1.0.0", SHA512, **how, mutate={"signed_payload": lambda p: p + b" "} if damaged else None
    )
    bundle = Bundle.from_json(json.dumps(minted))
    policy = Identity(
        identity="https://github.com/example/project/.github/workflows/publish.yml@refs/heads/main",
        issuer="https://token.actions.githubusercontent.com",
    )
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(root)))
    if damaged:
        with pytest.raises(VerificationError):
            verifier.verify_dsse(bundle, policy)
        return
    type_, payload = verifier.verify_dsse(bundle, policy)
    assert type_ == "application/vnd.in-toto+json"
    assert json.loads(payload)["subject"] == [{"name": "pkg:npm/a@1.0.0", "digest": {"sha512": SHA512}}]
