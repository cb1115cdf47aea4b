"""SPDX licence expressions: whether a text is one (SPDX specification 3.0, annex B, on the list that CycloneDX ships).

Identifiers are compared exactly. SPDX would match them in any case, but the schemas of CycloneDX do not, and a reader
may not change what the author wrote: `mit` is a name, not the identifier.
"""

from __future__ import annotations

import re

from sbomgate.spdx._list import EXCEPTIONS, LICENCES

MAX_EXPRESSION = 4096
"""Characters of an expression that is looked at: the longest that is known in a registry has about 300."""

MAX_DEPTH = 32
"""Parentheses inside each other, counted: people write three."""

# Compiled at their first use: most lockfiles hold single identifiers only, and every start would pay.
_WORD = r"[ \t]*([()]|[A-Za-z0-9.:+-]+)"
_REFERENCE = r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+"
_ADDITION = r"(DocumentRef-[A-Za-z0-9.-]+:)?AdditionRef-[A-Za-z0-9.-]+"


def is_identifier(text: str) -> bool:
    """Whether the text is the identifier of one licence of the list: no exception, no `+`."""
    return text in LICENCES


def is_expression(text: str) -> bool:
    """Whether the text is a licence expression, a single identifier included.

    `AND`, `OR`, `WITH` with an exception of the list (or an `AdditionRef-`), `+`, parentheses, `LicenseRef-` and
    `DocumentRef-`. `NONE` and `NOASSERTION` are no licences.
    """
    if text in LICENCES:
        return True
    if len(text) > MAX_EXPRESSION:
        return False
    words: list[str] = []
    at = 0
    text = text.rstrip(" \t")
    word = re.compile(_WORD)
    while at < len(text):
        found = word.match(text, at)
        if found is None:
            return False
        words.append(found.group(1))
        at = found.end()
    return _compound(words)


def _compound(words: list[str]) -> bool:
    """Whether the words are `term (operator term)*`, where a term may be such a thing in parentheses."""
    depth, at, wants_term = 0, 0, True
    while at < len(words):
        word = words[at]
        at += 1
        if wants_term and word == "(":
            depth += 1
            if depth > MAX_DEPTH:
                return False
        elif wants_term and _is_simple(word):
            wants_term = False
            if words[at : at + 1] == ["WITH"]:
                if not _is_exception(words[at + 1 : at + 2]):
                    return False
                at += 2
        elif not wants_term and word == ")" and depth:
            depth -= 1
        elif not wants_term and word in ("AND", "OR"):
            wants_term = True
        else:
            return False
    return not wants_term and depth == 0


def _is_simple(word: str) -> bool:
    return word in LICENCES or word.removesuffix("+") in LICENCES or re.fullmatch(_REFERENCE, word) is not None


def _is_exception(words: list[str]) -> bool:
    return len(words) == 1 and (words[0] in EXCEPTIONS or re.fullmatch(_ADDITION, words[0]) is not None)
