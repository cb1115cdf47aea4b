"""A review as a comment on a pull request (GitHub flavoured Markdown); text from outside stands in code spans (P39)."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.review import Review
from sbomgate.report._review_words import Told, grouped, marked, named
from sbomgate.report.diff_markdown import code
from sbomgate.report.review_text import made_by, references, summary

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
    found = grouped(review)
    if found.shared:
        yield ""
        yield "**Said of many packages**"
        yield ""
        for one in found.shared:
            said = f"{one.level} `{one.rule}`: {code(one.text)}" if one.rule else code(one.text)
            yield f"- [{one.number}] {said} ({one.packages} packages)"
    for told in found.told[:FOLD]:
        yield ""
        yield from _entry(told)
    if folded := found.told[FOLD:]:
        yield ""
        yield f"<details><summary>{len(folded)} more packages</summary>"
        for told in folded:
            yield ""
            yield from _entry(told)
        yield ""
        yield "</details>"
    for numbers, entries in found.alike:
        yield ""
        yield f"<details><summary>{len(entries)} packages, of which nothing else is said than "
        yield f"{references(numbers)}</summary>"
        yield ""
        yield from (f"- {code(named(entry))}" for entry in entries)
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


def _entry(told: Told) -> Iterator[str]:
    entry = told.entry
    was = "unchanged: " if not entry.changed else f"{code(', '.join(entry.was))} → " if entry.was else "new: "
    yield f"**{code(entry.name)}** {was}{code(entry.version)}" + (
        f" — {code(' › '.join(entry.path))}" if entry.path else ""
    )
    yield ""
    yield from (f"- {code(phrase)}" for phrase in told.can)
    yield from (f"- `{name}` runs {code(script)}" for name, script in sorted(entry.scripts.items()))
    for finding in told.findings:
        yield f"- {marked(finding)} `{finding.rule}`: {code(finding.message)}"
    if told.numbers:
        yield f"- and {references(told.numbers)}"
