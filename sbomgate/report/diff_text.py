"""A difference for a person at a terminal: complete, one line each, the dangerous first."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.difference import Difference, Side
from sbomgate.report._diff_words import sections
from sbomgate.report.escape import plain


def render(difference: Difference) -> str:
    """Return the difference as lines of text, without colour, ending in a newline."""
    return "\n".join(_lines(difference)) + "\n"


def _lines(difference: Difference) -> Iterator[str]:
    yield f"before  {_side(difference.before)}"
    yield f"after   {_side(difference.after)}"
    for title, meaning, lines in sections(difference, plain):
        yield ""
        yield f"{title} ({len(lines)})" + (f": {meaning}" if meaning else "")
        for line in lines:
            yield f"  {line}"
    if difference.empty:
        yield ""
        yield "No difference"
    unknown = [(name, said) for name, side in _sides(difference) for said in side.unknown]
    if unknown:
        yield ""
        yield "Not known"
        for name, said in unknown:
            yield f"  {name}: {plain(said)}"


def _sides(difference: Difference) -> tuple[tuple[str, Side], ...]:
    return ("before", difference.before), ("after", difference.after)


def _side(side: Side) -> str:
    title = " ".join(plain(one) for one in (side.project or "(unnamed project)", side.version) if one)
    return f"{title} · {plain(side.path)} ({plain(side.what)}) · {side.packages} packages, {side.edges} edges"
