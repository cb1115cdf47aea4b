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

ROOM_FOR_THE_END = 4_000


def render(reports: Sequence[Report], undecided: Sequence[Undecided] = ()) -> str:
    """Return all decisions as one Markdown document of at most `MAX_CHARACTERS`, ending in a newline."""
    room = MAX_CHARACTERS // max(1, len(reports) + bool(undecided))
    parts = ["\n".join(_report(report, room)) for report in reports[: MAX_CHARACTERS // ROOM_FOR_THE_END]]
    if left := len(reports) - len(parts):
        parts.append(f"… and {left} more decisions, in the other formats.")
    if undecided:
        lines = ["### ⚠️ No decision", ""]
        lines += [f"- {code(one.label)}: {code(one.message)}" for one in undecided]
        parts.append(_cut("\n".join(lines), room))
    return "\n\n".join(parts) + "\n"


def _report(report: Report, room: int) -> Iterator[str]:
    detail = report.whole
    sign, word = _headline(report)
    version = "" if report.version is None else f" {code(report.version)}"
    yield f"### {sign} {word}: {code(report.project)}{version}"
    yield ""
    workspace = "" if report.workspace is None else f" · workspace {code(report.workspace)}"
    yield (
        f"{code(detail.context.lockfile_path)}{workspace} · {report.packages} packages · profile `{report.profile}` · "
        f"compared with {code(report.baseline)}"
    )
    end = list(_end(report))
    left = room - ROOM_FOR_THE_END - sum(len(line) + 1 for line in end)
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
    return "✅", "Allowed"


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
        yield f"**Waived: {len(waived)} findings**"
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
        yield from (f"- {code(finding.message)}" for finding in report.unknown[:OPEN])
    yield ""
    yield f"<sub>{format_time(detail.context.evaluated_at)} · {_standing(report)}</sub>"


def _standing(report: Report) -> str:
    standing = report.whole.standing
    said = f"signed by {code(standing.signer)}" if standing.verified else "not signed, or not verified"
    if report.decision is None:
        return f"{said} · evaluation `sha256:{report.evaluation.sha256}`"
    return f"{said} · decision `sha256:{report.decision}`"


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return text[:room].rpartition("\n")[0] + "\n\n… and more, which does not fit here."
