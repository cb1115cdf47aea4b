"""A rollback checklist for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.checklist import Checklist
from sbomgate.report._checklist_words import named, sections
from sbomgate.report.escape import plain


def render(checklist: Checklist) -> str:
    """Return the checklist as lines of text, ending in a newline."""
    return "\n".join(_lines(checklist)) + "\n"


def _lines(checklist: Checklist) -> Iterator[str]:
    yield f"Rollback, wherever {named(checklist, plain)} was installed"
    for title, points, shell in sections(checklist, plain):
        yield f"  {title}"
        yield from (f"    [ ] {point}" for point in points)
        yield from (f"        {line}" for line in shell)
