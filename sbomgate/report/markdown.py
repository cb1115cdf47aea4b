"""The decision as a comment on a merge request or a job's summary: GitHub's and GitLab's Markdown.

Everything from outside stands in a code span, where Markdown, HTML, mentions, references, links and emoji mean nothing
(PROMISES P39); nothing from outside begins a line, so nothing is a quick action. GitHub takes 65,536 characters in a
comment: what denies comes first, and what does not fit is counted, never dropped without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sbomgate.model import Level, Verdict
from sbomgate.report import Entry, Report, Undecided, chain
from sbomgate.report.diff_markdown import code
from sbomgate.times import format_time

MAX_CHARACTERS = 60_000
"""Of one document: what GitHub takes in a comment, with room for what a template adds."""

OPEN = 12
"""Packages that are shown open; those after them are folded."""

MAX_LINES = 150
"""Decisions that have a line of their own."""

RESERVE = 1_000
"""Characters of a decision's part that headings and counts may take."""

_YES = "✅"


def render(reports: Sequence[Report], undecided: Sequence[Undecided] = ()) -> str:
    """Return all decisions as one Markdown document of about `MAX_CHARACTERS` at most, ending in a newline.

    Of several decisions each has a line, and only what is not simply allowed is told in full.
    """
    if len(reports) == 1 and not undecided:
        return "\n".join(_report(reports[0], MAX_CHARACTERS)) + "\n"
    index = "\n".join(_index(reports, undecided))
    told = [report for report in reports if _headline(report)[0] != _YES]
    room = (MAX_CHARACTERS - len(index)) // max(1, len(told))
    shown = told[: MAX_CHARACTERS // (2 * RESERVE)]
    parts = [index, *("\n".join(_report(report, room)) for report in shown)]
    if left := len(told) - len(shown):
        parts.append(f"… and {left} more decisions, in the other formats.")
    return "\n\n".join(parts) + "\n"


def _index(reports: Sequence[Report], undecided: Sequence[Undecided]) -> Iterator[str]:
    signs = [_headline(report) for report in reports]
    words = dict.fromkeys(word for _, word in signs)
    said = [f"{sum(one == word for _, one in signs)} {word.lower()}" for word in words]
    said += [f"{len(undecided)} undecided"] if undecided else []
    yield f"### {len(reports) + len(undecided)} decisions: {', '.join(said)}"
    yield ""
    for one in undecided[:MAX_LINES]:
        yield f"- ⚠️ {code(one.label)}: no decision: {code(one.message)}"
    for report, (sign, _) in list(zip(reports, signs, strict=True))[:MAX_LINES]:
        where = report.whole.context.lockfile_path
        place = code(where if report.workspace is None else f"{where}, {report.workspace}")
        yield f"- {sign} {code(report.project)} {place}: {_count(report.packages, 'package')}"
    if (left := max(len(undecided), len(reports)) - MAX_LINES) > 0:
        yield f"- … and {left} more"


def _report(report: Report, room: int) -> Iterator[str]:
    detail = report.whole
    sign, word = _headline(report)
    version = "" if report.version is None else f" {code(report.version)}"
    yield f"### {sign} {word}: {code(report.project)}{version}"
    yield ""
    workspace = "" if report.workspace is None else f" · workspace {code(report.workspace)}"
    yield (
        f"{code(detail.context.lockfile_path)}{workspace} · {_count(report.packages, 'package')} · "
        f"profile `{report.profile}` · compared with {code(report.baseline)}"
    )
    end = list(_end(report))
    left = room - RESERVE - sum(len(line) + 1 for line in end)
    for title, entries, folded in (
        ("", report.denials, False),
        ("Warnings", report.warnings, True),
        ("Notes", report.notes, True),
    ):
        lines, left = _section(entries, left)
        if not lines:
            continue
        yield ""
        count = sum(len(entry.findings) for entry in entries)
        if folded:
            yield f"<details><summary>{title} ({count})</summary>"
            yield ""
        yield from lines
        if folded:
            yield ""
            yield "</details>"
    yield from end


def _headline(report: Report) -> tuple[str, str]:
    """Return a sign and a word: what was stored says yes only where somebody verified who says so."""
    standing = report.whole.standing
    if report.profile == "observe":
        return "👁️", "Recorded"
    if report.verdict is Verdict.DENIED:
        return "❌", "Denied"
    if report.decision is not None and not standing.verified:
        return "⚠️", "Allowed, and nobody verified who says so"
    if standing.reasons:
        return "⚠️", "Allowed, and this trust file refuses it"
    return _YES, "Allowed"


def _section(entries: Sequence[Entry], room: int) -> tuple[list[str], int]:
    """Return the lines of these entries that fit, with a count of the rest, and the room that is left."""
    lines: list[str] = []
    shown = 0
    for entry in entries:
        made = list(_entry(entry))
        size = sum(len(line) + 1 for line in made)
        if size > room:
            break
        if shown == OPEN:
            lines += ["", f"<details><summary>{len(entries) - OPEN} more packages</summary>"]
        lines += ["", *made]
        room -= size
        shown += 1
    if left := len(entries) - shown:
        lines += ["", f"… and {left} more packages, which do not fit here: the other formats hold all of them."]
    if shown > OPEN:
        lines += ["", "</details>"]
    return lines[1:], room


def _entry(entry: Entry) -> Iterator[str]:
    if entry.name:
        was = "" if entry.was is None else f"{code(entry.was)} → "
        yield f"**{code(entry.name)}** {was}{code(entry.version)} — {code(' › '.join(chain(entry.path)))}"
    else:
        yield "**The project as a whole**"
    yield ""
    for finding in entry.findings:
        unknown = " (not known)" if finding.unknown else ""
        yield f"- {code(finding.rule)}{unknown}: {code(finding.message)}"
        if finding.fix and finding.level is Level.DENY and not finding.waived:
            yield f"  - to do: {code(finding.fix)}"
    for script in entry.scripts:
        yield from (f"- {code(name)} runs {code(text)}" for name, text in sorted(script.scripts.items()))


def _end(report: Report) -> Iterator[str]:
    detail = report.whole
    evaluation = report.evaluation
    waived = [finding for entry in report.waived for finding in entry.findings]
    if waived:
        signed = {one.id: one for one in detail.people.signed}
        used = sorted({id_ for finding in waived for id_ in evaluation.waived_by.get(finding.fingerprint, ())})
        yield ""
        yield f"**Waived: {_count(len(waived), 'finding')}**"
        yield ""
        for id_ in used[:OPEN]:
            if id_ in signed:
                one = signed[id_]
                yield f"- by {code(one.by)} until {one.said.until:%Y-%m-%d}: {code(one.said.reason)} `{id_[:12]}`"
        if len(used) > OPEN:
            yield f"- … and {len(used) - OPEN} more"
    if detail.standing.reasons:
        yield ""
        yield f"**{'Refused' if detail.standing.verified else 'Not verified'}**"
        yield ""
        yield from (f"- {code(reason)}" for reason in detail.standing.reasons[:OPEN])
    if report.unknown:
        yield ""
        yield "**Not known**"
        yield ""
        yield from (f"- {code(finding.message.removeprefix('not known: '))}" for finding in report.unknown[:OPEN])
    yield ""
    yield f"<sub>{format_time(detail.context.evaluated_at)} · {_standing(report)}</sub>"


def _standing(report: Report) -> str:
    standing = report.whole.standing
    if report.decision is None:
        return f"not signed · evaluation `sha256:{report.evaluation.sha256}`"
    said = f"signed by {code(standing.signer)}" if standing.verified else "not verified"
    return f"{said} · decision `sha256:{report.decision}`"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
