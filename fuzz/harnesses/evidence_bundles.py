"""Signed evidence as bundles: ours, other verifiers', waivers and approvals, by keys and by certificates."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

from sbomgate import approvals, dsse
from sbomgate.errors import EvidenceError
from sbomgate.evidence import bundles, head, revocation
from sbomgate.model import Authors
from sbomgate.signing.verify import verify
from testkit import evidence
from testkit.sigstore import TestSigstore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TRUST = evidence.trusting(evidence.signer(evidence.key(), roles=("decision", "approver", "facts")))
AUTHORS = Authors(people=(), known=True, reason="")


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return a decision's two bundles, one of an identity, and a line of both."""
    record = evidence.record()
    assert record.summary is not None
    yield "detail.json", record.detail
    yield "summary.json", record.summary
    yield "both.jsonl", record.detail + b"\n" + record.summary + b"\n"
    yield "keyless.json", json.dumps(TestSigstore(NOW).provenance("@a/b", "1.0.0", "c0" * 64)).encode()


def read(data: bytes) -> object:
    """Read it through each of the doors."""
    lines = dsse.split_lines(data)
    given = [bundles.Given(where="x", data=one) for one in lines]
    found = bundles.sort(given)
    approvals.accepted({"x": data}, TRUST, now=NOW, authors=AUTHORS)
    for one in lines:
        dsse.read_other_statement(dsse.payload_of(one), "x")
        verify(one, TRUST.signers, role="decision")
        for door in (head.accepted, revocation.accepted):
            with contextlib.suppress(EvidenceError):  # signed, and another kind of statement
                door(one, TRUST.signers, "x")
    return found
