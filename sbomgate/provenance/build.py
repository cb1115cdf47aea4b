"""Steps 7 and 9 for the provenance of a build's own artefact: an in-toto statement with a SLSA provenance. Pure.

Steps 1 to 6 and 8 are those of every bundle (`evidence.verify_certified`). What differs from an npm package's
provenance is the subject: here it is named by SHA-256, and may be one of several that the build made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbomgate.model import Claims
from sbomgate.provenance._encoding import parse_json
from sbomgate.provenance._outcome import CannotVerify, Invalid
from sbomgate.provenance._statement import PROVENANCE, PROVENANCE_FAMILY, check_provenance

__all__ = ["builder_of", "subjects_of"]

MAX_SUBJECTS = 10_000
_STATEMENTS = ("https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1")


def subjects_of(payload: bytes) -> tuple[str, frozenset[str]] | None:
    """Return predicate type and the SHA-256 of each subject of a payload, verified or not; None for no statement."""
    try:
        statement = parse_json(payload)
    except ValueError:
        return None
    if not isinstance(statement, dict):
        return None
    return str(statement.get("predicateType")), frozenset(digest for _, digest in _subjects(statement) if digest)


def builder_of(payload: bytes, claims: Claims, *, sha256: str) -> str:
    """Return the builder's id of a provenance that is about an artefact and agrees with its certificate.

    Args:
        payload: the verified bytes of the statement.
        claims: of the certificate that signed it.
        sha256: of the artefact (hex).

    Raises:
        Invalid: it is malformed, about other artefacts, or names another source than the certificate.
        CannotVerify: a statement or predicate of an unknown version.
    """
    # (7a) a statement of a known version with a SLSA provenance of a known version
    try:
        statement = parse_json(payload)
    except ValueError as e:
        raise Invalid("7a", f"the statement is not JSON with one meaning: {e}") from e
    if not isinstance(statement, dict) or not isinstance(statement.get("predicate"), dict):
        raise Invalid("7a", "the statement is not an object with a predicate")
    if statement.get("_type") not in _STATEMENTS:
        raise CannotVerify("7a", f"a statement of the type {str(statement.get('_type'))[:100]!r} is not known here")
    label = statement.get("predicateType")
    if label not in PROVENANCE:
        known = isinstance(label, str) and label.startswith(PROVENANCE_FAMILY)
        raise (CannotVerify if known else Invalid)(
            "7a", f"a predicate {str(label)[:100]!r} is no provenance known here"
        )
    # (7b) the artefact is among its subjects
    subjects = _subjects(statement)
    if not subjects or len(subjects) > MAX_SUBJECTS:
        raise Invalid("7b", f"not 1 to {MAX_SUBJECTS:,} subjects")
    if sha256 not in {digest for _, digest in subjects}:
        raise Invalid("7b", f"it is about {subjects[0][0][:200]!r} and {len(subjects) - 1} more, not this artefact")
    # (9b) what the workflow wrote is what the certificate says of repository, ref and commit
    predicate: Mapping[str, Any] = statement["predicate"]
    check_provenance(label, predicate, claims)
    # (9d) who built it, by its own word
    where = predicate if label == PROVENANCE[0] else predicate.get("runDetails")
    builder = where.get("builder") if isinstance(where, dict) else None
    found = builder.get("id") if isinstance(builder, dict) else None
    if not isinstance(found, str) or not found:
        raise Invalid("9d", "it names no builder")
    return found


def _subjects(statement: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    found = statement.get("subject")
    return [
        (str(one.get("name")), digest if isinstance(digest := _digest(one).get("sha256"), str) else None)
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict)
    ]


def _digest(subject: Mapping[str, Any]) -> Mapping[str, Any]:
    digest = subject.get("digest")
    return digest if isinstance(digest, dict) else {}
