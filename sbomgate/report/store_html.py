"""A store as one HTML file: what may ship today, how that went over time, which waivers end, how much is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from sbomgate.model import Verdict, Waiver
from sbomgate.report import _drawing
from sbomgate.report._markup import Content, Html, join, tag
from sbomgate.report._page import day, document, facts, table
from sbomgate.report._store import Line, Moment, Register, StoreReport

MAX_POINTS = 200
"""Decisions of one line that are drawn, the newest."""

MAX_SPANS = 60
"""Waivers that are drawn, those that end first."""

MAX_ROWS = 2_000
"""Rows of one table; the other formats hold every decision."""


def render(store: StoreReport) -> str:
    """Return the page, ending in a newline."""
    return document("Evidence · sbomgate", *_page(store))


def _page(store: StoreReport) -> Iterator[Content]:
    moments = store.moments
    denied = sum(line.newest.verdict is Verdict.DENIED for line in store.lines)
    unverified = sum(not moment.standing.verified for moment in moments)
    yield tag("p", "What was decided, over time", class_="soft")
    yield tag("h1", "Evidence")
    if store.broken:
        rows = [tag("li", tag("code", build), f": {why}") for build, why in store.broken[:MAX_ROWS]]
        said = "What follows leaves these builds out; nothing of them can be relied on."
        yield tag("div", tag("b", "Altered, or cannot be read. "), said, tag("ul", rows), class_="alarm", role="note")
    if unverified:
        said = f"{_count(unverified, 'decision')} of {len(moments):,}: {_unverified(moments)}"
        yield tag("div", tag("b", "Not verified. "), said, class_="alarm", role="note")
    if not moments or store.as_of is None:
        yield tag("p", "The store holds no decision.")
        return
    yield facts(
        ("Decisions", f"{len(moments):,}"),
        ("From", f"{moments[0].context.evaluated_at:%Y-%m-%d %H:%M} UTC"),
        ("To", f"{store.as_of:%Y-%m-%d %H:%M} UTC: what follows is as of then"),
        ("No evidence", ", ".join(store.strange)),
    )

    def tile(number: int, words: str) -> Html:
        return tag("li", tag("b", f"{number:,}"), words)

    ends = sum(one.state == "ends soon" for one in store.waivers)
    yield tag(
        "ul",
        tile(
            len(store.lines),
            f"{'project' if len(store.lines) == 1 else 'projects'}, by lockfile, workspace and environment",
        ),
        tile(denied, "of them denied by their newest decision"),
        tile(ends, "waivers and approvals that end within two weeks"),
        class_="tiles",
    )
    yield tag("h2", "May it ship: the newest decision on each", class_="first")
    yield table(
        ("project", "decision", "decided", "packages", "provenance verified", "waived", "digest"),
        [
            (
                tag("a", _name(line), href=f"#l{number}"),
                _badge(line.newest),
                day(line.newest.context.evaluated_at),
                f"{line.newest.counts['packages']:,}",
                _share(line.newest),
                f"{line.newest.counts['waived']:,}",
                _digest(line.newest),
            )
            for number, line in enumerate(store.lines[:MAX_ROWS], 1)
        ],
    )
    yield tag("h2", "Waivers and approvals, those that end first at the top")
    yield from _waivers(store.waivers, store.as_of)
    yield tag("h2", "Over time")
    for number, line in enumerate(store.lines[:MAX_ROWS], 1):
        yield tag("section", list(_line(line)), id=f"l{number}")


def _unverified(moments: Sequence[Moment]) -> str:
    """Return why, for the first that is not verified: the others are listed with their decisions."""
    return next(moment.standing.said for moment in moments if not moment.standing.verified)


def _waivers(waivers: Sequence[Register], as_of: datetime) -> Iterator[Content]:
    if not waivers:
        yield tag("p", "None: nobody signed one that counted.")
        return
    rows: list[tuple[Content, ...]] = []
    for one in waivers[:MAX_ROWS]:
        said = one.signed.said
        state = tag("span", one.state, class_=f"badge {'warn' if one.state == 'ends soon' else 'note'}")
        rows.append(
            (
                _what(one),
                state,
                day(said.until),
                one.signed.by,
                said.reason,
                one.project,
                "yes" if one.used else "no",
                tag("code", f"{one.signed.id[:12]}…", title=one.signed.id),
            )
        )
    yield _timeline(waivers[:MAX_SPANS], as_of)
    yield table(("what", "state", "until", "by", "why", "project", "used", "digest"), rows)


def _timeline(waivers: Sequence[Register], as_of: datetime) -> Html:
    """Draw from when until when each holds, and where the newest decision is among them."""
    begin = min(one.signed.said.issued_at for one in waivers)
    end = max(as_of, *(one.signed.said.until for one in waivers))
    whole = (end - begin).total_seconds() or 1.0

    def at(time: datetime) -> float:
        return min(1.0, max(0.0, (time - begin).total_seconds() / whole))

    rows = [
        _drawing.Span(
            start=at(one.signed.said.issued_at),
            end=at(one.signed.said.until),
            mark={"ended": "ended", "ends soon": "soon"}.get(one.state, "part0"),
            name=_what(one),
            said=f"{_what(one)}: by {one.signed.by}, until {one.signed.said.until:%Y-%m-%d}, {one.state}",
        )
        for one in waivers
    ]
    title = f"Waivers and approvals over time; the dashed line is {as_of:%Y-%m-%d}, the newest decision"
    drawing = _drawing.spans(rows, at(as_of), title=title, first=f"{begin:%Y-%m-%d}", last=f"{end:%Y-%m-%d}")
    caption = tag("figcaption", title, class_="soft small")
    return tag("figure", caption, tag("div", drawing, class_="scroll", tabindex=0, role="region", aria_label=title))


def _what(one: Register) -> str:
    said = one.signed.said
    if not isinstance(said, Waiver):
        return f"approves a change of {_count(len(said.packages), 'package')}"
    return f"waives {said.rule} for " + (" ".join(said.package[:2]) if said.package else "one finding")


def _line(line: Line) -> Iterator[Content]:
    yield tag("h3", _name(line))
    shown = line.moments[-MAX_POINTS:]
    if len(shown) < len(line.moments):
        yield tag("p", f"The newest {MAX_POINTS} of {len(line.moments):,} decisions are drawn.", class_="soft")
    first, last = shown[0].context.evaluated_at, shown[-1].context.evaluated_at
    span = (last - first).total_seconds()

    def at(moment: Moment) -> float:
        return (moment.context.evaluated_at - first).total_seconds() / span if span else 0.5

    def plot(
        title: str, values: Sequence[tuple[float, str]], most: float, *, marks: bool = False, unit: str = ""
    ) -> Html:
        points = [
            _drawing.Point(
                x=at(moment),
                y=value,
                mark=moment.verdict.value if marks else "value",
                said=f"{moment.context.evaluated_at:%Y-%m-%d %H:%M} UTC: {words}",
                href=f"#d{moment.decision}",
            )
            for moment, (value, words) in zip(shown, values, strict=True)
        ]
        drawing = _drawing.lines(
            points,
            title=f"{title}: {_name(line)}",
            first=f"{first:%Y-%m-%d}",
            last=f"{last:%Y-%m-%d}",
            most=most,
            unit=unit,
        )
        caption = tag("figcaption", title, class_="soft small")
        return tag("figure", caption, tag("div", drawing, class_="scroll", tabindex=0, role="region", aria_label=title))

    denials = [
        (float(m.counts["denied"]), f"{m.verdict.value}, {_count(m.counts['denied'], 'finding')} deny") for m in shown
    ]
    yield plot("Findings that deny", denials, _scale(value for value, _ in denials), marks=True)
    coverage = [
        (100 * m.coverage.verified / m.coverage.packages if m.coverage.packages else 0.0, _share(m)) for m in shown
    ]
    yield plot("Packages with verified provenance, in percent", coverage, 100, unit=" %")
    packages = [(float(m.counts["packages"]), _count(m.counts["packages"], "package")) for m in shown]
    yield plot("Packages", packages, _scale(value for value, _ in packages))
    yield table(
        ("decided", "decision", "version", "artefact", "denied by", "waived", "not known", "digest"),
        [
            (
                tag("span", f"{m.context.evaluated_at:%Y-%m-%d %H:%M} UTC", id=f"d{m.decision}"),
                _badge(m),
                m.version or "",
                "" if m.context.subject is None else m.context.subject.name,
                _rules(m.denied_by),
                f"{m.counts['waived']:,}",
                f"{m.counts['unknown']:,}",
                _digest(m),
            )
            for m in reversed(shown)
        ],
    )


def _rules(ids: Sequence[str]) -> Html:
    """Return the ids of rules; one that does not fit into a column is broken behind an underscore."""
    *parts, last = re.split("(?<=_)", ", ".join(ids))
    return join([[part, tag("wbr")] for part in parts], last)


def _name(line: Line) -> str:
    parts = [line.newest.project, line.lockfile]
    parts += [f"workspace {line.workspace}"] if line.workspace else []
    parts += [line.environment] if line.environment else []
    return " · ".join(parts)


def _badge(moment: Moment) -> Html:
    badge = tag("span", moment.verdict.value, class_=f"badge {moment.verdict.value}")
    more = None
    if not moment.standing.verified:
        more = tag("span", "not verified", class_="badge warn", title=moment.standing.said)
    elif moment.context.profile == "observe":
        more = tag("span", "only recorded", class_="badge note")
    elif moment.standing.reasons:
        more = tag("span", "refused", class_="badge warn", title="; ".join(moment.standing.reasons))
    return tag("span", badge, more)


def _share(moment: Moment) -> str:
    return f"{moment.coverage.verified:,} of {moment.coverage.packages:,}"


def _digest(moment: Moment) -> Html:
    return tag("code", f"{moment.decision[:12]}…", title=f"sha256:{moment.decision}")


def _scale(values: Iterator[float]) -> float:
    """Return the top of an axis: 1, 2 or 5 times a power of ten."""
    most, scale = max(values, default=0.0), 1.0
    while scale < most:
        scale *= 2.5 if f"{scale:g}"[0] == "2" else 2
    return scale


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
