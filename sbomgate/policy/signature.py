"""The signature beside a policy bundle (`policy.tar.gz.sigstore.json`): an in-toto statement about its bytes. Pure.

Whose signature it is the caller verifies (`signing.verify`, role `policy`); here is what it must say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sbomgate import dsse
from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle

PREDICATE_TYPE = "https://sbomgate.dev/policy/v1"
SUBJECT = "policy.tar.gz"
SUFFIX = ".sigstore.json"
"""Of the file beside the bundle."""


def statement(bundle: PolicyBundle, data: bytes) -> bytes:
    """Return the statement to sign about a bundle and its bytes."""
    subject = [(SUBJECT, {"sha256": hashlib.sha256(data).hexdigest()})]
    return dsse.statement(subject, PREDICATE_TYPE, {"policy": bundle.sha256, "rules": list(bundle.rules)})


def check(signed: Mapping[str, Any], bundle: PolicyBundle, data: bytes, *, where: str) -> None:
    """Check that a statement whose signature was verified is about this bundle.

    Raises:
        PolicyError: it is about something else.
    """
    if signed["predicateType"] != PREDICATE_TYPE:
        raise PolicyError(f"got {str(signed['predicateType'])[:80]!r}, expected {PREDICATE_TYPE!r}", where=where)
    expected = [{"name": SUBJECT, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}]
    if signed["subject"] != expected or signed["predicate"].get("policy") != bundle.sha256:
        raise PolicyError(
            "the signature is about another bundle", where=where, place="subject", hint="build and sign it again"
        )
