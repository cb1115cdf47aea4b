"""A difference as a comment on a pull request (GitHub flavoured Markdown).

Everything from outside stands in a code span, where Markdown, HTML, mentions and links mean nothing (PROMISES P39).
Long parts are folded, never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sbomgate.model.difference import Difference, Side
from sbomgate.report._diff_words import sections
from sbomgate.report.escape import plain

FOLD = 12
"""Lines of one part before it is folded: what fits a screen stays open."""


def render(difference: Difference) -> str:
    """Return the difference as Markdown, ending in a newline."""
    return "\n".join(_lines(difference)) + "\n"


def code(text: str) -> str:
    """Return text from outside as a code span that it cannot leave."""
    shown = plain(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[:1] in ("", "`", " ") or shown[-1:] in ("`", " ") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _lines(difference: Difference) -> Iterator[str]:
    yield f"### Dependencies: {_headline(difference)}"
    yield ""
    yield f"- before: {_side(difference.before)}"
    yield f"- after: {_side(difference.after)}"
    for title, meaning, lines in sections(difference, code):
        loud = title.isupper()
        heading = f"{title} ({len(lines)})" + (f": {meaning}" if meaning else "")
        yield ""
        if len(lines) > FOLD and not loud:
            yield f"<details><summary>{heading}</summary>"
        else:
            yield f"**{'⚠️ ' if loud else ''}{heading}**"
        yield ""
        yield from (f"- {line}" for line in lines)
        if len(lines) > FOLD and not loud:
            yield ""
            yield "</details>"
    unknown = [
        (name, said)
        for name, side in (("before", difference.before), ("after", difference.after))
        for said in side.unknown
    ]
    if unknown:
        yield ""
        yield "**Not known**"
        yield ""
        yield from (f"- {name}: {code(said)}" for name, said in unknown)


def _headline(difference: Difference) -> str:
    if difference.empty:
        return "no difference"
    counts = (
        (len(difference.other_bytes), "with other bytes"),
        (len(difference.new), "new"),
        (len(difference.updated), "updated"),
        (len(difference.added), "further versions"),
        (len(difference.removed), "removed"),
    )
    said = ", ".join(f"{number} {word}" for number, word in counts if number)
    return said or "the same packages, said or tied together otherwise"


def _side(side: Side) -> str:
    title = " ".join(filter(None, (side.project or "(unnamed project)", side.version)))
    return f"{code(title)}, {code(side.path)} ({side.what}), {side.packages} packages, {side.edges} edges"
