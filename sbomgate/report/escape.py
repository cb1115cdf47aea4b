"""Make text from outside inert: for a terminal, a log, a CI system that reads commands from logs (PROMISES P39)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

# Characters that move the cursor, reorder text or cannot be seen: C0, C1, bidirectional controls, zero-width
# characters, line and paragraph separators, byte order mark, tags. https://trojansource.codes/
_HIDDEN = {
    *range(0x20),
    *range(0x7F, 0xA0),
    0xAD,
    0x61C,
    0x115F,
    0x1160,
    0x180E,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0x3164,
    0xFEFF,
    0xFFA0,
    *range(0xFFF9, 0xFFFC),
    0xFFFE,  # no characters; XML has no way to write them
    0xFFFF,
    *range(0xD800, 0xE000),
    *range(0xE0000, 0xE0080),
}
_PLAIN = bytes(range(0x7F))

# Compiled at their first use: most texts are plain words. GitHub Actions: at the start of a line, and a long line may
# be broken at any blank.
_GITHUB = r"(?:(?<=\s)|^)::"
# Azure Pipelines, GitHub Actions' older form, TeamCity: each finds its opener anywhere in a line.
_COMMAND = r"(?i)##((?:vso|teamcity)?\[)"


@cache
def _table() -> dict[int, str]:
    """Return hidden character → how it is shown."""
    return {c: f"\\x{c:02x}" if c < 0x100 else f"\\u{c:04x}" if c < 0x10000 else f"\\U{c:08x}" for c in _HIDDEN}


@cache
def _beyond_ascii() -> re.Pattern[str]:
    """Return what finds a hidden character in JSON or XML, which hold those of ASCII only as escapes, if at all.

    In ranges: of single characters beyond U+FFFF each would be compared with every one.
    """
    ranges: list[list[int]] = []
    for c in sorted(c for c in _HIDDEN if c >= 0x7F):
        if ranges and c == ranges[-1][1] + 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return re.compile("[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]")


MAX_LENGTH = 500  # characters: a script of a megabyte must not hide the next finding


def plain(text: str, limit: int = MAX_LENGTH) -> str:
    r"""Return `text` as one line that no terminal, log reader or CI system takes for a command.

    Control, bidirectional and invisible characters are written as escapes; `::` and `##` before a word, which GitHub
    Actions, Azure Pipelines and TeamCity read as commands, are broken with a backslash wherever a line could be broken;
    what is longer than `limit` characters is cut, and says so.
    """
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text)} characters)"
    if not (text.isascii() and text.isprintable()):  # a page has a hundred thousand texts, and most are plain words
        text = text.translate(_table())
    if "::" in text:
        text = re.sub(_GITHUB, r":\\:", text)
    return re.sub(_COMMAND, r"#\\#\1", text) if "##" in text else text


def document(value: Any) -> str:
    """Return a value as JSON for programs, and for the logs that it ends up in: indented, keys sorted, inert.

    No line ends it.
    """
    import orjson

    return inert_json(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)).decode()


def inert_json(data: bytes) -> bytes:
    """Return JSON of the same meaning, in which no log reader finds a command and no terminal a hidden character.

    The `##` of Azure Pipelines, GitHub Actions and TeamCity, and characters that hide or reorder, become escapes. No
    line of JSON begins with `::`, and control characters are escaped in JSON anyhow.
    """
    if b"##" in data:
        data = data.replace(b"##", b"#\\u0023")
    return _without_hidden(data, _escape)


def inert_xml(data: bytes) -> bytes:
    """Return XML (of ours: without comments and CDATA) of the same meaning in which no log reader finds a command."""
    if b"##" in data:
        data = data.replace(b"##", b"#&#35;")
    return _without_hidden(data, lambda found: f"&#{ord(found[0])};")


def _without_hidden(data: bytes, escape: Callable[[re.Match[str]], str]) -> bytes:
    # Nearly every byte is a plain one: only the rest is looked at one by one.
    rest = data.translate(None, _PLAIN)
    if not rest or _beyond_ascii().search(rest.decode("utf-8")) is None:
        return data
    return _beyond_ascii().sub(escape, data.decode("utf-8")).encode("utf-8")


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
