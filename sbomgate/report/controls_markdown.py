"""Requirements and what the evidence says to them, in Markdown; what comes from outside stands in code spans (P39)."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.report._controls import NOTICE, Controls, Support
from sbomgate.report.diff_markdown import code

_SIGN = {Support.SUPPORTED: "✅", Support.PARTLY: "🟡", Support.NOT: "❌", Support.OUTSIDE: "➖"}


def render(controls: Controls) -> str:
    """Return the report as Markdown, ending in a newline."""
    return "\n".join(_lines(controls)) + "\n"


def _lines(controls: Controls) -> Iterator[str]:
    report = controls.report
    yield f"# Controls: {code(report.project)} {code(report.version or '-')}"
    yield ""
    yield f"{NOTICE} Verdict: **{report.verdict.value}**. {code(report.whole.standing.said)}."
    for chapter in controls.chapters:
        yield ""
        yield f"## {chapter.title}"
        for answer in chapter.answers:
            yield ""
            yield f"**{answer.id}** {_SIGN[answer.support]} {answer.support.value}"
            yield ""
            yield f"- asks: {answer.asks}"
            yield from (f"- found: {code(said)}" for said in answer.said)
            if answer.rest:
                yield f"- stays with the organisation: {answer.rest}"
            if answer.files:
                yield f"- counted from: {', '.join(code(name) for name in answer.files)}"
    yield ""
    yield "## Digests (SHA-256)"
    yield ""
    named = {name for chapter in controls.chapters for answer in chapter.answers for name in answer.files}
    yield from (f"- `{sha256}` {code(name)}" for name, sha256 in controls.digests.items() if name in named)
