"""package.json: who its author is, in each of the forms that npm takes."""

from __future__ import annotations

from typing import Any

import pytest

from sbomgate.npm import manifest

AUTHORS: dict[str, tuple[Any, str | None]] = {
    "text": ("Ann <a@b.example> (https://b.example)", "Ann <a@b.example> (https://b.example)"),
    "an object": ({"name": "Ann", "email": "a@b.example", "url": "u"}, "Ann <a@b.example> (u)"),
    "a name alone": ({"name": "Ann"}, "Ann"),
    "an address that is no text": ({"name": "Ann", "email": 1}, "Ann"),
    "blanks and line ends": (" Ann\r\n  B ", "Ann B"),
    "nothing": ("", None),
    "an empty object": ({}, None),
    "a list": (["Ann"], None),
    "half of a surrogate pair": ("Ann\ud800", "Ann?"),
    "too long": ("x" * 5000, "x" * manifest.MAX_AUTHOR),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_author(name: str) -> None:
    written, expected = AUTHORS[name]
    assert manifest.author({"author": written}) == expected


def test_no_author() -> None:
    assert manifest.author({}) is None
