"""A hunt for a program: every trace with its place and time, versioned. docs/hunt.md describes it."""

from __future__ import annotations

from dataclasses import asdict

from sbomgate.model.hunt import Found
from sbomgate.report.escape import document

SCHEMA = "sbomgate/hunt/v1"


def render(found: Found) -> str:
    """Return the hunt as JSON, complete, indented, keys sorted, ending in a newline."""
    value = {
        "schema": SCHEMA,
        "traces": [{"ids": one.ids, "path": one.path, **asdict(one.mention)} for one in found.traces],
        "unread": [asdict(one) for one in found.unread],
        "files": found.files,
        "links": found.links,
    }
    return document(value) + "\n"
