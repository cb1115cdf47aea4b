"""The real npm attestations that lie beside the clone: every verdict as expected, per predicate."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sbomgate.model import AttestationState
from sbomgate.provenance import Verifier

pytestmark = pytest.mark.shared


def test_every_case_ends_as_expected(npm_attestations: Path, public: Verifier) -> None:
    """What is good is verified, what is tampered with is not, and neither depends on the other predicate."""
    cases = json.loads((npm_attestations / "cases.json").read_bytes())
    wrong, counted = [], {"ok": 0, "reject": 0}
    for case in cases:
        tokens = [t.removeprefix("sha512-") for t in case["integrity"].split() if t.startswith("sha512-")]
        sha512 = base64.b64decode(tokens[0]).hex() if tokens else None
        document = (npm_attestations / case["file"]).read_bytes()
        found = public.verify(document, name=case["name"], version=case["version"], sha512=sha512)
        for predicate, expected in case["expected"].items():
            attestation = getattr(found, predicate)
            verdict = expected.partition(":")[0]
            counted[verdict] += 1
            unbound = "no sha512" in expected
            states = {
                "ok": AttestationState.VERIFIED,
                "reject": AttestationState.CANNOT_VERIFY if unbound else AttestationState.INVALID,
            }
            if attestation.state is not states[verdict]:
                wrong.append((case["file"], case["version"], predicate, attestation.reason, expected))
    assert wrong == []
    assert counted == {"ok": 15, "reject": 15}


def test_what_is_reported_of_a_real_one(npm_attestations: Path, public: Verifier) -> None:
    document = (npm_attestations / "npm__cli/valid-sigstore-attestations.json").read_bytes()
    statement = json.loads(
        base64.b64decode(json.loads(document)["attestations"][0]["bundle"]["dsseEnvelope"]["payload"])
    )
    sha512 = statement["subject"][0]["digest"]["sha512"]
    found = public.verify(document, name="sigstore", version="1.0.0", sha512=sha512)
    assert (found.publish.log_proof, found.provenance.log_proof) == ("SET", "SET")
    assert found.publish.log_time is not None
    assert found.publish.log_time.isoformat() == "2023-02-09T17:56:02+00:00"
    assert found.provenance.claims is not None
    assert found.provenance.claims.repository == "https://github.com/sigstore/sigstore-js"
    assert found.provenance.claims.ref == "refs/tags/v1.0.0"
    assert found.provenance.claims.runner is None
