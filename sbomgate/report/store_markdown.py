"""A store in Markdown: the newest decision on each project, waivers that end, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model import Verdict
from sbomgate.report._store import Line, StoreReport
from sbomgate.report.diff_markdown import code
from sbomgate.times import format_time

MAX_LINES = 200
"""Lines of one part: what fits a comment. The other formats hold everything."""


def render(store: StoreReport) -> str:
    """Return the store as Markdown, ending in a newline."""
    return "\n".join(_lines(store)) + "\n"


def _lines(store: StoreReport) -> Iterator[str]:
    denied = sum(line.newest.verdict is Verdict.DENIED for line in store.lines)
    yield f"### Evidence: {len(store.lines)} projects, {denied} denied"
    yield ""
    yield f"As of {'nothing' if store.as_of is None else format_time(store.as_of)}."
    parts = (
        ("⚠️ Altered, or cannot be read", [f"{code(build)}: {code(why)}" for build, why in store.broken]),
        ("The newest decision on each", [_newest(line) for line in store.lines]),
        (
            "Waivers and approvals that end within two weeks",
            [
                f"until {one.signed.said.until:%Y-%m-%d} by {code(one.signed.by)}: {code(one.signed.said.reason)}"
                for one in store.waivers
                if one.state == "ends soon"
            ],
        ),
    )
    for title, lines in parts:
        if lines:
            yield ""
            yield f"**{title}**"
            yield ""
            yield from (f"- {line}" for line in lines[:MAX_LINES])
            if len(lines) > MAX_LINES:
                yield f"- … and {len(lines) - MAX_LINES} more"


def _newest(line: Line) -> str:
    moment, verdict = line.newest, line.newest.verdict
    sign = "✅" if verdict is Verdict.ALLOWED else "❌"
    what = [code(moment.project), code(line.lockfile)]
    what += [code(line.workspace)] if line.workspace else []
    what += [code(line.environment)] if line.environment else []
    verified = "" if moment.standing.verified else " · **not verified**"
    verified += " · **refused by this trust file**" if moment.standing.verified and moment.standing.reasons else ""
    return (
        f"{sign} {' · '.join(what)}: {verdict.value} {moment.context.evaluated_at:%Y-%m-%d}, "
        f"{moment.counts['packages']} packages, provenance of {moment.coverage.verified} verified{verified} "
        f"`{moment.decision[:12]}`"
    )
