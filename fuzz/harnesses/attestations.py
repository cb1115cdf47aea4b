"""A registry's attestation documents: every kind of bundle and log entry; signed by a test sigstore, and real ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Any

from fuzz.inputs import FIXTURES
from sbomgate.model import AttestationState
from sbomgate.provenance import DEFAULT_ISSUERS, Verifier, shipped
from testkit.sigstore import TestSigstore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHA512 = "c0" * 64
SAMPLES = FIXTURES.parent / "unit" / "provenance" / "samples"


@cache
def _sigstore() -> TestSigstore:
    return TestSigstore(NOW)


@cache
def _verifiers() -> tuple[Verifier, Verifier]:
    own, public = _sigstore(), shipped.load()
    return (
        Verifier.from_material(own.trusted_root_json(), own.registry_keys_json(), DEFAULT_ISSUERS),
        Verifier.from_material(public.trusted_root, public.registry_keys, DEFAULT_ISSUERS),
    )


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return one document of each kind, and the public samples."""
    own = _sigstore()
    for bundle, entry, proof in product(("v0.1", "v0.3"), ("dsse", "intoto", "hashedrekord"), ("inclusion+SET",)):
        how: dict[str, Any] = {"bundle": bundle, "entry": entry, "proof": proof}
        both = [own.publish("@a/b", "1.0.0", SHA512, **how), own.provenance("@a/b", "1.0.0", SHA512, **how)]
        yield f"{bundle}-{entry}-{proof}.json", own.attestations_document(both)
    for path in sorted(SAMPLES.glob("*.json")):
        yield path.name, path.read_bytes()


def read(data: bytes) -> object:
    """Verify it by both roots. A bad document is a value; what is verified differs from the seeds in nothing signed."""
    found = []
    for verifier in _verifiers():
        said = verifier.verify(data, name="@a/b", version="1.0.0", sha512=SHA512)
        for one in (said.publish, said.provenance):
            if one.state is AttestationState.VERIFIED and (one.log_time is None or one.log_proof is None):
                raise AssertionError(f"verified without a time: {one}")
        found.append(said)
    return found
