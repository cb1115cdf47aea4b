"""Drawings as inline SVG: a tree of dependency paths, bars of parts, columns, lines over time. No font is measured.

Every drawing has a title and a description for who does not see it, and the page says the same in words beside it.
Colours are classes of the page's style sheet, so that they follow light, dark and print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sbomgate.report._markup import Content, Html, tag
from sbomgate.report.escape import plain

MAX_PATHS = 40
"""Paths that are drawn: more than that nobody reads; the list beside it has all of them."""

MAX_LABEL = 34  # characters
_CHARACTER = 7.3  # px, of the style sheet's 12 px monospaced font
_ROW, _BOX, _GAP = 30, 22, 28  # px


@dataclass(slots=True)
class _Node:
    name: str
    mark: str = ""
    children: dict[str, _Node] = field(default_factory=dict)
    row: float = 0.0


def tree(paths: Mapping[tuple[str, ...], str], *, title: str) -> Html:
    """Draw chains of names as one tree from left to right.

    Args:
        paths: a chain of names from the root to a package → class of its last box (`deny`, `warn`, `note`, `waived`).
        title: what it shows.
    """
    roots = _Node("")
    for path, mark in list(paths.items())[:MAX_PATHS]:
        node = roots
        for name in path:
            node = node.children.setdefault(name, _Node(name))
        node.mark = mark
    columns: list[list[_Node]] = []
    edges: list[tuple[int, _Node, _Node]] = []
    rows = 0

    def place(node: _Node, depth: int) -> None:
        nonlocal rows
        if depth >= 0:
            while len(columns) <= depth:
                columns.append([])
            columns[depth].append(node)
        for child in node.children.values():
            place(child, depth + 1)
            if depth >= 0:
                edges.append((depth, node, child))
        if node.children:
            held = [child.row for child in node.children.values()]
            node.row = (held[0] + held[-1]) / 2
        else:
            node.row = rows
            rows += 1

    place(roots, -1)
    widths = [max(len(_label(node.name)) for node in column) * _CHARACTER + 16 for column in columns]
    left = [sum(widths[:depth]) + _GAP * depth + 1 for depth in range(len(widths))]
    drawn: list[Content] = [tag("title", title)]
    for depth, node, child in edges:
        x1, y1 = left[depth] + widths[depth], node.row * _ROW + _BOX / 2 + 1
        x2, y2 = left[depth + 1], child.row * _ROW + _BOX / 2 + 1
        middle = (x1 + x2) / 2
        drawn.append(
            tag(
                "path",
                d=f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}",
                class_="edge",
            )
        )
    for depth, column in enumerate(columns):
        for node in column:
            y = node.row * _ROW + 1
            drawn.append(
                tag(
                    "g",
                    tag("title", node.name),
                    tag("rect", x=f"{left[depth]:.1f}", y=f"{y:.1f}", width=f"{widths[depth]:.1f}", height=_BOX, rx=4),
                    tag("text", _label(node.name), x=f"{left[depth] + 8:.1f}", y=f"{y + 15:.1f}"),
                    class_=f"node {node.mark}".rstrip(),
                )
            )
    width = (left[-1] + widths[-1] + 1) if columns else 1
    return _svg(drawn, width, max(1, rows) * _ROW, class_="tree")


def parts(counted: Mapping[str, int], good: str, *, title: str) -> Html:
    """Draw a bar of parts that add up to the whole, their numbers as a list below; `good` is what one hopes for."""
    total = sum(counted.values())
    drawn: list[Content] = [tag("title", title)]
    legend = []
    x = 0.0
    for index, (name, number) in enumerate(counted.items()):
        width = 600 * number / total if total else 0.0
        class_ = "good" if name == good else f"part{index % 5}"
        said = f"{name}: {number}"
        drawn.append(tag("rect", tag("title", said), x=f"{x:.1f}", y=0, width=f"{width:.1f}", height=16, class_=class_))
        legend.append(
            tag("li", tag("span", class_=f"swatch {class_}", aria_hidden="true"), f"{name}: ", tag("b", f"{number:,}"))
        )
        x += width
    return tag("figure", _svg(drawn, 600, 16, class_="parts", stretch=True), tag("ul", legend, class_="legend"))


def columns(counted: Mapping[str, int], *, title: str) -> Html:
    """Draw a column for each count, the number above it, the name below."""
    width, height, top = 96, 110, 18
    most = max(counted.values(), default=0) or 1
    drawn: list[Content] = [tag("title", title)]
    for index, (name, number) in enumerate(counted.items()):
        x, tall = index * width, height * number / most
        drawn += [
            tag(
                "rect", x=x + 18, y=f"{top + height - tall:.1f}", width=width - 36, height=f"{tall:.1f}", class_="part0"
            ),
            tag("text", f"{number:,}", x=x + width / 2, y=f"{top + height - tall - 5:.1f}", text_anchor="middle"),
            tag("text", name, x=x + width / 2, y=top + height + 16, text_anchor="middle"),
        ]
    drawn.append(tag("path", d=f"M0 {top + height}H{width * len(counted)}", class_="axis"))
    return _svg(drawn, width * max(1, len(counted)), height + top + 24, class_="columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a plot: `x` from 0 to 1, `y` the value, `mark` its class, `said` in words, `href` where it leads."""

    x: float
    y: float
    mark: str
    said: str
    href: str = ""


def lines(points: Sequence[Point], *, title: str, first: str, last: str, most: float, unit: str = "") -> Html:
    """Draw values over time, from 0 to `most`, with a dot that says what it is; `first` and `last` name the ends."""
    width, height, left, top = 900, 160, 46, 12
    scale = most or 1.0

    def at(point: Point) -> tuple[float, float]:
        return left + 12 + point.x * (width - left - 24), top + height * (1 - point.y / scale)

    drawn: list[Content] = [tag("title", title)]
    for share in (0.0, 0.5, 1.0):
        if not (most * share).is_integer():
            continue  # nobody counts half a finding
        y = top + height * (1 - share)
        drawn.append(tag("path", d=f"M{left} {y:.1f}H{width}", class_="grid"))
        drawn.append(tag("text", f"{most * share:,.0f}{unit}", x=left - 6, y=f"{y + 4:.1f}", text_anchor="end"))
    run = " L".join("{:.1f} {:.1f}".format(*at(point)) for point in points)
    if len(points) > 1:
        drawn.append(tag("path", d=f"M{run}", class_="line"))
    for point in points:
        x, y = at(point)
        dot = tag("circle", tag("title", point.said), cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_=point.mark)
        drawn.append(tag("a", dot, href=point.href, aria_label=point.said) if point.href else dot)
    drawn.append(tag("text", first, x=left, y=top + height + 20))
    drawn.append(tag("text", last, x=width, y=top + height + 20, text_anchor="end"))
    return _svg(drawn, width, top + height + 26, class_="plot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time, from 0 to 1: `mark` its class, `name` and `said` in words."""

    start: float
    end: float
    mark: str
    name: str
    said: str


def spans(rows: Sequence[Span], now: float, *, title: str, first: str, last: str) -> Html:
    """Draw stretches of time below each other, and where `now` (0 to 1) is in them."""
    width, left, row = 900, 250, 26

    def at(share: float) -> float:
        return left + share * (width - left)

    drawn: list[Content] = [tag("title", title)]
    for index, one in enumerate(rows):
        y = index * row + 4
        x, wide = f"{at(one.start):.1f}", f"{max(3.0, at(one.end) - at(one.start)):.1f}"
        drawn.append(tag("text", _label(one.name), x=left - 8, y=y + 13, text_anchor="end"))
        said = tag("title", one.said)
        drawn.append(tag("rect", said, x=x, y=y, width=wide, height=row - 10, rx=3, class_=one.mark))
    bottom = len(rows) * row + 2
    drawn.append(tag("path", d=f"M{at(now):.1f} 0V{bottom}", class_="now"))
    drawn.append(tag("text", first, x=left, y=bottom + 18))
    drawn.append(tag("text", last, x=width, y=bottom + 18, text_anchor="end"))
    return _svg(drawn, width, bottom + 24, class_="plot")


def _svg(drawn: Sequence[Content], width: float, height: float, *, class_: str, stretch: bool = False) -> Html:
    return tag(
        "svg",
        drawn,
        role="img",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=None if stretch else f"{width:.0f}",
        height=f"{height:.0f}",
        preserveAspectRatio="none" if stretch else None,
        class_=class_,
    )


def _label(name: str) -> str:
    shown = plain(name)
    return shown if len(shown) <= MAX_LABEL else f"{shown[: MAX_LABEL - 1]}…"
