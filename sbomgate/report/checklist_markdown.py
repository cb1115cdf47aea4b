"""A rollback checklist for an issue (GitHub flavoured Markdown): boxes to tick, commands to copy."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.checklist import Checklist
from sbomgate.report._checklist_words import named, sections
from sbomgate.report.diff_markdown import code


def render(checklist: Checklist) -> str:
    """Return the checklist as Markdown, ending in a newline."""
    return "\n".join(_lines(checklist)) + "\n"


def _lines(checklist: Checklist) -> Iterator[str]:
    yield f"### Rollback, wherever {named(checklist, code)} was installed"
    for title, points, shell in sections(checklist, code):
        yield ""
        yield f"**{title}**"
        yield ""
        yield from (f"- [ ] {point}" for point in points)
        if shell:
            yield ""
            yield "```sh"
            yield from shell
            yield "```"
