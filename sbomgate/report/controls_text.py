"""Requirements and what the evidence says to them, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from sbomgate.report._controls import NOTICE, Answer, Controls
from sbomgate.report.escape import plain

WIDTH = 110


def render(controls: Controls) -> str:
    """Return the report as text, ending in a newline."""
    return "\n".join(_lines(controls)) + "\n"


def _lines(controls: Controls) -> Iterator[str]:
    report = controls.report
    title = f"{report.project} {report.version or ''}".rstrip()
    yield f"Controls: {plain(title)} · {report.verdict.value} · {plain(report.whole.standing.said)}"
    yield NOTICE
    for chapter in controls.chapters:
        yield ""
        yield plain(chapter.title)
        for answer in chapter.answers:
            yield ""
            yield from _answer(answer)
    yield ""
    yield "Digests (SHA-256)"
    named = {name for chapter in controls.chapters for answer in chapter.answers for name in answer.files}
    for name, sha256 in controls.digests.items():
        if name in named:
            yield f"  {sha256}  {plain(name)}"


def _answer(answer: Answer) -> Iterator[str]:
    yield f"  {plain(answer.id)}: {answer.support.value}"
    yield from _wrapped("    asks     ", answer.asks)
    for said in answer.said:
        yield from _wrapped("    found    ", said)
    if answer.rest:
        yield from _wrapped("    rest     ", answer.rest)
    if answer.files:
        yield from _wrapped("    digests  ", ", ".join(answer.files))


def _wrapped(first: str, text: str) -> list[str]:
    return textwrap.wrap(
        plain(text, 2_000), WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False
    )
