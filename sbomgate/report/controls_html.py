"""Requirements and what the evidence says to them, as one HTML file."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.report._controls import NOTICE, Controls, Support
from sbomgate.report._markup import Content, Html, tag
from sbomgate.report._page import document, facts, table

_CLASS = {Support.SUPPORTED: "allowed", Support.PARTLY: "warn", Support.NOT: "denied", Support.OUTSIDE: "note"}


def render(controls: Controls) -> str:
    """Return the page, ending in a newline."""
    return document(f"Controls: {controls.report.project} · sbomgate", *_page(controls))


def _page(controls: Controls) -> Iterator[Content]:
    report, standing = controls.report, controls.report.whole.standing
    yield tag("p", "What the evidence supports, requirement by requirement", class_="soft")
    yield tag("h1", f"{report.project} {report.version or ''}".rstrip())
    yield tag("p", tag("b", NOTICE))
    if not standing.verified:
        yield tag("div", tag("b", "Not verified. "), standing.said, class_="alarm", role="note")
    yield facts(
        ("Verdict", report.verdict.value),
        ("Decided", f"{report.whole.context.evaluated_at:%Y-%m-%d %H:%M} UTC"),
        ("Decision", None if report.decision is None else tag("code", f"sha256:{report.decision}")),
        ("Standing", standing.said),
    )
    rows: list[tuple[Content, ...]] = [
        (
            tag("a", chapter.title, href=f"#{chapter.id}"),
            *(str(sum(answer.support is one for answer in chapter.answers)) for one in Support),
        )
        for chapter in controls.chapters
    ]
    yield table(("document", *(one.value for one in Support)), rows)
    for chapter in controls.chapters:
        yield tag("h2", chapter.title, id=chapter.id)
        yield table(
            ("requirement", "the evidence", "what was counted", "what stays with the organisation"),
            [
                (
                    tag("div", answer.id, tag("p", answer.asks, class_="soft small")),
                    tag("span", answer.support.value, class_=f"badge {_CLASS[answer.support]}"),
                    tag(
                        "ul",
                        [tag("li", said) for said in answer.said],
                        tag("li", _files(answer.files)) if answer.files else None,
                    )
                    if answer.said
                    else "",
                    answer.rest,
                )
                for answer in chapter.answers
            ],
        )
    yield tag("h2", "Digests")
    named = {name for chapter in controls.chapters for answer in chapter.answers for name in answer.files}
    digests: list[tuple[Content, ...]] = [
        (tag("span", name, id=f"d-{name}"), tag("code", sha256))
        for name, sha256 in controls.digests.items()
        if name in named
    ]
    yield table(("file", "SHA-256"), digests, wide=False)


def _files(names: tuple[str, ...]) -> Html:
    links: list[Content] = []
    for name in names:
        links += [", " if links else "counted from ", tag("a", name, href=f"#d-{name}")]
    return tag("span", links, class_="soft small")
