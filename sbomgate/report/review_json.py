"""A review as JSON (`sbomgate/review/v1`): every word of it."""

from __future__ import annotations

from dataclasses import asdict

from sbomgate.model.review import Review
from sbomgate.report.escape import document


def render(review: Review) -> str:
    """Return the review as JSON, ending in a newline."""
    value = {"schema": "sbomgate/review/v1", **asdict(review)}
    return document(value) + "\n"
