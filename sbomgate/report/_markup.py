"""HTML and SVG as values: `tag` is the only place that writes markup, and it escapes everything but what it wrote.

What comes from outside is a `str`, and becomes text whatever it holds (PROMISES P39); what `tag` returns is `Html`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from sbomgate.report.escape import plain

MAX_TEXT = 4_000
"""Characters of one text from outside: an install script of a megabyte must not hide the rest of the page."""

_VOID = frozenset({"br", "hr", "input", "link", "meta", "wbr"})


class Html(str):
    """Markup that `tag` wrote."""

    __slots__ = ()


Content = str | Html | None
NOTHING = Html("")


def tag(name: str, /, *content: Content | Iterable[Any], **attributes: str | int | float | bool | None) -> Html:
    """Return an element.

    Args:
        name: of the element; our own word, never from outside.
        content: text, which is escaped; `Html`, which is not; or several of either.
        attributes: an underscore at the end is dropped, others become hyphens (`class_`, `aria_label`); None and False
            leave the attribute out, True writes it without a value.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        named = key.rstrip("_").replace("_", "-")
        parts.append(f" {named}" if value is True else f' {named}="{_escaped(str(value))}"')
    parts.append(">")
    if name in _VOID:
        return Html("".join(parts))
    parts.append(join(*content))
    parts.append(f"</{name}>")
    return Html("".join(parts))


def join(*content: Content | Iterable[Any]) -> Html:
    """Return several pieces as one, the text among them escaped."""
    parts: list[str] = []
    for piece in content:
        if isinstance(piece, Html):
            parts.append(piece)
        elif isinstance(piece, str):
            parts.append(_escaped(piece))
        elif piece is not None:
            parts.append(join(*piece))
    return Html("".join(parts))


def _escaped(text: str) -> str:
    return html.escape(plain(text, MAX_TEXT), quote=True)
