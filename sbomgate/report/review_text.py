"""A review for a person at a terminal: the change, most dangerous first, and the command that approves exactly it."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.review import Entry, Review
from sbomgate.report.escape import plain

MAX_SCRIPT = 2000  # characters of a script that are shown: enough to see that it is long


def render(review: Review) -> str:
    """Return the review as lines of text, ending in a newline."""
    return "\n".join(_lines(review)) + "\n"


def summary(review: Review) -> str:
    """Return one sentence: how much changed."""
    if review.compared is None:
        return f"first run ({review.reason}): {len(review.entries)} of {review.packages} packages have findings"
    counts = (
        (sum(entry.changed for entry in review.entries), "new or changed"),
        (sum(not entry.changed for entry in review.entries), "unchanged and denied"),
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
    for entry in review.entries:
        yield ""
        yield from _entry(entry)
    if review.edges:
        yield ""
        yield "  New edges between packages that were there"
        for source, target in review.edges:
            yield f"    {plain(source or review.project)} → {plain(target)}"
    if review.removed:
        yield ""
        yield "  Removed"
        for name, version in review.removed:
            yield f"    {plain(name)} {plain(version)}"
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


def _entry(entry: Entry) -> Iterator[str]:
    was = f"{plain(', '.join(entry.was), 80)} → " if entry.was and entry.changed else ""
    new = " (unchanged)" if not entry.changed else "" if entry.was else " (new)"
    yield f"  {plain(entry.name, 214)} {was}{plain(entry.version, 80)}{new}   {plain(' › '.join(entry.path), 200)}"
    for phrase in entry.can:
        yield f"    · {plain(phrase)}"
    for name, script in sorted(entry.scripts.items()):
        yield f"      {plain(name, 40)}: {plain(script, MAX_SCRIPT)}"
    for finding in entry.findings:
        marked = "waived" if finding.waived else finding.level.value
        yield f"    {marked:<7}{finding.rule}: {plain(finding.message)}"
