"""Recorded facts, and the ledger of earlier looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from sbomgate import facts, ledger
from sbomgate.errors import EvidenceError
from sbomgate.facts import document
from testkit.bench import known

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return facts of two packages, and a ledger of them."""
    both = [known("good"), known("@acme/b", "2.0.0", deprecated="old", scripts={"postinstall": "node x"})]
    yield "facts.json", facts.dumps({one.key: one for one in both})
    yield "ledger.json", ledger.dumps(ledger.update({}, both, now=NOW))
    yield "empty.json", json.dumps({"schema": document.SCHEMA, "facts": []}, separators=(",", ":")).encode()


def read(data: bytes) -> object:
    """Read it as both. What is read says the same again."""
    try:
        return ledger.loads(data)
    except EvidenceError:
        found = document.loads(data)
    if document.dumps(found) != data:
        raise AssertionError("facts that are written otherwise than they were read")
    return found
