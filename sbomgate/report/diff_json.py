"""A difference for a program: every word of it, versioned. docs/diff.md describes it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sbomgate.model.difference import Difference, PackageChange
from sbomgate.report.escape import document

SCHEMA = "sbomgate/diff/v1"
_CHANGES = ("other_bytes", "updated", "altered")
_PLAIN = ("new", "added", "removed", "edges_added", "edges_removed", "edges_changed")


def render(difference: Difference) -> str:
    """Return the difference as JSON, complete, indented, keys sorted, ending in a newline."""
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "differs": not difference.empty,
        "before": asdict(difference.before),
        "after": asdict(difference.after),
    }
    for name in _CHANGES:
        value[name] = [_change(change) for change in getattr(difference, name)]
    for name in _PLAIN:
        value[name] = [asdict(one) for one in getattr(difference, name)]
    return document(value) + "\n"


def _change(change: PackageChange) -> dict[str, Any]:
    return {
        **asdict(change),
        "new_script": change.new_script,
        "source_changed": change.source_changed,
        "lost_integrity": change.lost_integrity,
    }
