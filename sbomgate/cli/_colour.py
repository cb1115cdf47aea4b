"""Colour, restrained: the verdict words of a text, on a terminal only. Every verb that prints a verdict prints it here.

NO_COLOR (https://no-color.org) turns it off wherever it is set to anything; FORCE_COLOR (https://force-color.org)
turns it on where the output is no terminal. Nothing but colour is lost without it: the words are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from sbomgate.cli._environment import Environment

_GREEN, _RED, _YELLOW, _END = "\x1b[1;32m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[0m"
_WORDS = {
    "ALLOWED": _GREEN,
    "VERIFIED": _GREEN,
    "REPRODUCED": _GREEN,
    "SOUND": _GREEN,
    "DENIED": _RED,
    "REFUSED": _RED,
    "NOT VERIFIED": _RED,
    "DIFFERENT": _RED,
    "PROBLEMS": _RED,
    "FAIL": _RED,
    "UNDECIDED": _YELLOW,
    "OVERRIDDEN": _YELLOW,
    "warn": _YELLOW,
}
# At the start of a line alone: no name from a lockfile begins one (sbomgate.report.escape). A review says it at the end
# of its first line.
_WORD = re.compile(
    rf"^(?P<before> *)(?P<word>{'|'.join(_WORDS)})(?= |$)|\A(?P<review>REVIEW .* · today )(?P<verdict>allowed|denied)$",
    re.MULTILINE,
)


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
    return _WORD.sub(_coloured, text)


def _coloured(match: re.Match[str]) -> str:
    word = match["word"] or match["verdict"]
    return f"{match['before'] or match['review'] or ''}{_WORDS[word.upper() if match['verdict'] else word]}{word}{_END}"


def emit(text: str, output: str | None, env: Environment, *, plain: bool = False) -> None:
    """Write a result as `_environment.emit` does, its verdicts in colour where people read stdout.

    Args:
        text: of ours.
        output: a file, or None or `-` for stdout.
        env: the surroundings.
        plain: it is for programs: as it is.

    Raises:
        UsageError: it cannot be written.
    """
    import sys

    from sbomgate.cli import _environment

    if not plain and output in (None, "-"):
        text = verdicts(text, env.variables, sys.stdout)
    _environment.emit(text.encode("utf-8"), output, env)
