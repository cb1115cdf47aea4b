"""A review as a comment on a pull request (GitHub flavoured Markdown); text from outside stands in code spans (P39)."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.review import Entry, Review
from sbomgate.report.diff_markdown import code
from sbomgate.report.review_text import made_by, summary

FOLD = 12
"""Packages that are shown open; those after them are folded, never cut."""


def render(review: Review) -> str:
    """Return the review as Markdown, ending in a newline."""
    return "\n".join(_lines(review)) + "\n"


def _lines(review: Review) -> Iterator[str]:
    yield f"### Dependency review: {summary(review) if review.compared else 'first run'}"
    yield ""
    compared = f"decision `sha256:{review.compared[:12]}…`" if review.compared else f"nothing ({code(review.reason)})"
    yield (
        f"{code(review.project)} · {code(review.lockfile)} · profile `{review.profile}` · "
        f"today **{review.verdict.value}** · compared with {compared}"
    )
    yield ""
    yield code(made_by(review))
    for entry in review.entries[:FOLD]:
        yield ""
        yield from _entry(entry)
    if folded := review.entries[FOLD:]:
        yield ""
        yield f"<details><summary>{len(folded)} more packages</summary>"
        for entry in folded:
            yield ""
            yield from _entry(entry)
        yield ""
        yield "</details>"
    for title, lines in (
        ("New edges", [f"{code(source or review.project)} → {code(target)}" for source, target in review.edges]),
        ("Removed", [f"{code(name)} {code(version)}" for name, version in review.removed]),
        ("The project as a whole", [f"{f.level.value} `{f.rule}` {code(f.message)}" for f in review.whole]),
    ):
        if lines:
            yield ""
            yield f"<details><summary>{title} ({len(lines)})</summary>"
            yield ""
            yield from (f"- {line}" for line in lines)
            yield ""
            yield "</details>"
    yield ""
    if review.never:
        yield f"**{len(review.never)} findings deny and nothing approves them.**"
        yield ""
    if review.covers:
        yield f"Approve exactly this ({len(review.covers)} findings):"
        yield ""
        yield f"    sbomgate approve --change sha256:{review.sha256}"
    else:
        yield "Nothing here needs an approval."


def _entry(entry: Entry) -> Iterator[str]:
    was = "unchanged: " if not entry.changed else f"{code(', '.join(entry.was))} → " if entry.was else "new: "
    yield f"**{code(entry.name)}** {was}{code(entry.version)}" + (
        f" — {code(' › '.join(entry.path))}" if entry.path else ""
    )
    yield ""
    yield from (f"- {code(phrase)}" for phrase in entry.can)
    yield from (f"- `{name}` runs {code(script)}" for name, script in sorted(entry.scripts.items()))
    for finding in entry.findings:
        marked = "waived" if finding.waived else finding.level.value
        yield f"- {marked} `{finding.rule}`: {code(finding.message)}"
