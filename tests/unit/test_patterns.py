"""Regular expressions mean the same in every Python that we run on."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "sbomgate"
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>")
CHARACTER_CLASS = re.compile(r"\[[^\]]*\]")


def test_no_group_is_possessive() -> None:
    """Before Python 3.11.5 such a group may end where it should not (cpython gh-106052): P1."""
    assert POSSESSIVE_GROUP.search(r"(?:ab?c)++")
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    assert not [
        f"{path.name}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if POSSESSIVE_GROUP.search(CHARACTER_CLASS.sub("x", line))
    ]
