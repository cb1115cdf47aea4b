"""A review for a person at a terminal: the change, most dangerous first, and the command that approves exactly it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from sbomgate.model.review import Review
from sbomgate.report._review_words import Told, grouped, marked, named
from sbomgate.report.escape import plain

WIDTH = 120  # columns: longer lists are broken, and what follows is indented
MAX_SCRIPT = 2000  # characters of a script that are shown: enough to see that it is long


def render(review: Review) -> str:
    """Return the review as lines of text, ending in a newline."""
    return "\n".join(_lines(review)) + "\n"


def summary(review: Review) -> str:
    """Return one sentence: how much changed."""
    if review.compared is None:
        return f"first run ({review.reason}): {len(review.entries)} of {review.packages} packages have findings"
    counts = (
        (len(review.differing), "new or changed"),
        (len(review.entries) - len(review.differing), "unchanged and denied"),
        (len(review.removed), "removed"),
        (len(review.edges), "edges new"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts if number) or "nothing changed"


def made_by(review: Review) -> str:
    """Return one sentence: who made the change, and what that means for who may approve it."""
    found = review.authors
    if not found.known:
        return f"nobody can tell who made it ({found.reason}), so one approver more is needed"
    return f"made by {', '.join(found.people)}: {found.reason}" if found.people else found.reason


def _lines(review: Review) -> Iterator[str]:
    title = " ".join(filter(None, (plain(review.project, 80), plain(review.version or "", 40))))
    yield f"REVIEW  {title} · {plain(review.lockfile)} · profile {review.profile} · today {review.verdict.value}"
    compared = "nothing" if review.compared is None else f"decision sha256:{review.compared[:12]}…"
    yield f"  compared with {compared}: {plain(summary(review))}"
    yield f"  {plain(made_by(review))}"
    found = grouped(review)
    if found.shared:
        yield ""
        yield "  Said of many packages"
        for one in found.shared:
            head = f"    {f'[{one.number}]':<5}{one.level or '·':<7}"
            said = f"{one.rule}: {one.text}" if one.rule else one.text
            yield from _wrapped(head, f"{plain(said)} ({one.packages} packages)")
    for told in found.told:
        yield ""
        yield from _entry(told)
    for numbers, entries in found.alike:
        yield ""
        count = f"{len(entries)} packages" if len(entries) > 1 else "1 package"
        yield f"  {count}, of which nothing else is said than {references(numbers)}"
        yield from _listed(plain(named(entry), 300) for entry in entries)
    if review.edges:
        yield ""
        yield "  New edges between packages that were there"
        for source, target in review.edges:
            yield f"    {plain(source or review.project)} → {plain(target)}"
    if review.removed:
        yield ""
        yield "  Removed"
        yield from _listed(plain(f"{name} {version}", 300) for name, version in review.removed)
    if review.whole:
        yield ""
        yield "  The project as a whole"
        for finding in review.whole:
            yield f"    {finding.level.value:<6}{finding.rule}: {plain(finding.message)}"
    yield ""
    if review.never:
        yield f"  {len(review.never)} findings deny and nothing approves them: an approval does not make this pass"
    yield f"  Change: sha256:{review.sha256}"
    if review.covers:
        yield f"  Approve exactly this ({len(review.covers)} findings):"
        yield f"    sbomgate approve --change sha256:{review.sha256}"
    else:
        yield "  Nothing here needs an approval"


def references(numbers: Iterable[int]) -> str:
    """Return numbers as they are referred to: `[1] [2]`."""
    return " ".join(f"[{number}]" for number in numbers)


def _entry(told: Told) -> Iterator[str]:
    entry = told.entry
    yield f"  {plain(named(entry), 400)}   {plain(' › '.join(entry.path), 200)}".rstrip()
    for phrase in told.can:
        yield f"    · {plain(phrase)}"
    for name, script in sorted(entry.scripts.items()):
        yield f"      {plain(name, 40)}: {plain(script, MAX_SCRIPT)}"
    for finding in told.findings:
        yield f"    {marked(finding):<7}{finding.rule}: {plain(finding.message)}"
    if told.numbers:
        yield f"    and    {references(told.numbers)}"


def _listed(items: Iterable[str]) -> list[str]:
    """Return the items in lines, none of them broken."""
    return [line.replace("\xa0", " ") for line in _wrapped("    ", ", ".join(i.replace(" ", "\xa0") for i in items))]


def _wrapped(first: str, text: str) -> list[str]:
    """Return the text in lines of `WIDTH`, indented as far as `first`."""
    rest = " " * len(first)
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
