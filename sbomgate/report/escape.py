"""Make text from outside inert: for a terminal, a log, a CI system that reads commands from logs (PROMISES P39)."""

from __future__ import annotations

import re

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
_TABLE = {c: f"\\x{c:02x}" if c < 0x100 else f"\\u{c:04x}" if c < 0x10000 else f"\\U{c:08x}" for c in _HIDDEN}

# GitHub Actions: at the start of a line, and a long line may be broken at any blank.
_GITHUB = re.compile(r"(?:(?<=\s)|^)::")
# Azure Pipelines, GitHub Actions' older form, TeamCity: each finds its opener anywhere in a line.
_COMMAND = re.compile(r"##((?:vso|teamcity)?\[)", re.IGNORECASE)

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
        text = text.translate(_TABLE)
    if "::" in text:
        text = _GITHUB.sub(r":\\:", text)
    return _COMMAND.sub(r"#\\#\1", text) if "##" in text else text
