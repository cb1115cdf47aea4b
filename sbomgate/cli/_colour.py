"""Colour, restrained: the verdict words of a text, on a terminal only.

NO_COLOR (https://no-color.org) turns it off wherever it is set to anything; FORCE_COLOR (https://force-color.org)
turns it on where the output is no terminal. Nothing but colour is lost without it: the words are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_GREEN, _RED, _YELLOW, _END = "\x1b[1;32m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[0m"
_WORDS = {
    "ALLOWED": _GREEN,
    "VERIFIED": _GREEN,
    "DENIED": _RED,
    "REFUSED": _RED,
    "NOT VERIFIED": _RED,
    "FAIL": _RED,
    "UNDECIDED": _YELLOW,
    "OVERRIDDEN": _YELLOW,
    "warn": _YELLOW,
}
# At the start of a line alone: no name from a lockfile begins one (sbomgate.report.escape).
_WORD = re.compile(rf"^(?P<blanks> *)(?P<word>{'|'.join(_WORDS)})(?= |$)", re.MULTILINE)


def wanted(variables: Mapping[str, str], stream: TextIO) -> bool:
    """Whether to colour what goes to a stream."""
    if variables.get("NO_COLOR"):
        return False
    if variables.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return variables.get("TERM") != "dumb" and stream.isatty()


def verdicts(text: str, variables: Mapping[str, str], stream: TextIO) -> str:
    """Return a text of ours with its verdict words in colour where that is wanted, else as it is."""
    if not wanted(variables, stream):
        return text
    return _WORD.sub(lambda match: f"{match['blanks']}{_WORDS[match['word']]}{match['word']}{_END}", text)
