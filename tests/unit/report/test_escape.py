"""Hostile text is inert wherever it is shown (P39)."""

from __future__ import annotations

import json
from xml.etree import ElementTree
from xml.sax.saxutils import escape as escape_xml
from xml.sax.saxutils import quoteattr

import pytest

from sbomgate.report import escape
from sbomgate.report.escape import MAX_LENGTH, plain

CASES = {
    "ordinary": ("axios 1.14.1", "axios 1.14.1"),
    "other scripts": ("пакет 包 é", "пакет 包 é"),
    "newline": ("a\nb", "a\\x0ab"),
    "carriage return": ("a\rDENIED", "a\\x0dDENIED"),
    "ansi": ("\x1b[2Jallowed", "\\x1b[2Jallowed"),
    "c1 csi": ("\x9b2J", "\\x9b2J"),
    "bidi": ("a\u202eb", "a\\u202eb"),
    "zero width": ("ax\u200bios", "ax\\u200bios"),
    "tag": ("a\U000e0041", "a\\U000e0041"),
    "lone surrogate": ("a\ud800", "a\\ud800"),
    "github command": ("::set-output name=x::y", ":\\:set-output name=x::y"),
    "github command, indented": ("  ::stop-commands::x", "  :\\:stop-commands::x"),
    "github command, where a line may be broken": ("x ::add-mask::y a::b", "x :\\:add-mask::y a::b"),
    "azure command": ("##vso[task.setvariable]x", "#\\#vso[task.setvariable]x"),
    "azure command in capitals": ("##VSO[task.x]y", "#\\#VSO[task.x]y"),
    "teamcity command": ("a ##teamcity[setParameter name='x']", "a #\\#teamcity[setParameter name='x']"),
    "github legacy command": ("x ##[error]y", "x #\\#[error]y"),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected
    assert plain(text).isprintable() or " " in expected


def test_long_text_is_cut_and_says_so() -> None:
    shown = plain("x" * 10_000)
    assert shown.startswith("x" * MAX_LENGTH)
    assert shown.endswith("(10000 characters)")


@pytest.mark.parametrize(
    "text",
    ["##vso[task.setvariable variable=a]b", "a###b", "\u202e\u200b", "\x7f\x9b", "\U000e0041", "é", "\\", '"##"'],
)
def test_json_and_xml_keep_their_meaning_and_are_inert(text: str) -> None:
    """P39: what a program reads is the same; what a log or a terminal reads is no command and hides nothing."""
    shown = escape.document({text: [text]})
    assert json.loads(shown) == {text: [text]}
    assert escape.inert_json(shown.encode()) == shown.encode()
    xml = escape.inert_xml(f"<a b={quoteattr(text)}>{escape_xml(text)}</a>".encode())
    read = ElementTree.fromstring(xml)
    assert (read.get("b"), read.text) == (text, text)
    for one in (shown, xml.decode()):
        assert "##" not in one
        assert not any(hidden in one for hidden in "\u202e\u200b\x9b\U000e0041")
