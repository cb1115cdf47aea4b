"""Recorded facts as an in-toto statement: what `--facts FILE` holds, signed (PROMISES P14)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sbomgate import dsse
from sbomgate.errors import InputError
from sbomgate.facts.document import dumps, from_document, to_document
from sbomgate.model import CollectedFacts, FactKey

PREDICATE_TYPE = "https://sbomgate.dev/facts/v1"
SUBJECT = "facts.json"


def write_statement(collected: Mapping[FactKey, CollectedFacts]) -> bytes:
    """Return the statement to sign; its subject is the document itself, by digest."""
    digest = hashlib.sha256(dumps(collected)).hexdigest()
    return dsse.statement([(SUBJECT, {"sha256": digest})], PREDICATE_TYPE, to_document(collected))


def read_statement(payload: bytes, *, where: str) -> dict[FactKey, CollectedFacts]:
    """Return the facts that a statement holds. Whether its signer is accepted is for the caller to know.

    Raises:
        EvidenceError: no in-toto statement.
        InputError: a statement of another type, or about other bytes than its own predicate.
    """
    found = dsse.read_statement(payload, where)
    if found["predicateType"] != PREDICATE_TYPE:
        raise InputError(
            f"got {found['predicateType']!r}, expected {PREDICATE_TYPE!r}",
            where=where,
            place="predicateType",
            hint="give a file of recorded facts",
        )
    collected = from_document(found["predicate"], where=where)
    digest = hashlib.sha256(dumps(collected)).hexdigest()
    if found["subject"] != [{"name": SUBJECT, "digest": {"sha256": digest}}]:
        raise InputError("its subject is not its own predicate", where=where, place="subject")
    return collected
