from __future__ import annotations

import io

import pytest

from sbomgate.cli import _colour

TEXT = "DENIED   shop 1.0.0 · package-lock.json\n\n  ALLOWED is a name\n  DENIEDLY\nnot DENIED here\nFAIL  clock\n"


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("variables", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),  # no-color.org: set and not empty
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "xterm"}, True, True),
    ],
)
def test_when(variables: dict[str, str], terminal: bool, coloured: bool) -> None:
    made = _colour.verdicts(TEXT, variables, Stream(terminal=terminal))
    assert ("\x1b" in made) is coloured


def test_only_verdict_words_at_the_start_of_a_line_and_nothing_is_lost() -> None:
    made = _colour.verdicts(TEXT, {"FORCE_COLOR": "1"}, Stream(terminal=False))
    assert made.count("\x1b[0m") == 3
    assert made.startswith("\x1b[1;31mDENIED\x1b[0m ")
    assert "not DENIED here" in made
    plain = made
    for code in ("\x1b[1;31m", "\x1b[1;32m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert plain == TEXT
