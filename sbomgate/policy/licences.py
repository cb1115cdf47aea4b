"""SPDX licence expressions, taken apart for the rule `licences` (SPDX 2.3, Annex D).

Rego is handed what an expression comes to, not its text: the ways in which its licences can be accepted. `A OR B` is
two ways, `A AND B` is one way with two licences. A licence is a list of names, from the most exact to the most
general, so that a list that names `GPL-2.0-only` also speaks of `GPL-2.0-or-later WITH Classpath-exception-2.0`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from sbomgate.spdx._list import EXCEPTIONS, LICENCES

MAX_CHARACTERS = 1024
"""Of an expression: real ones are below 100. A longer one counts as unknown."""

MAX_DEPTH = 16
"""Parentheses in each other."""

MAX_WAYS = 64
"""Ways to accept one expression: `(A OR B) AND (C OR D)` are four, and they multiply."""

Licence = tuple[str, ...]
"""Names of one licence, from the most exact to the most general."""
Way = tuple[Licence, ...]
"""Licences that hold together."""

_TOKEN = re.compile(r"\s*([()]|[A-Za-z0-9.:-]+\+?)", re.ASCII)
_REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+", re.ASCII)
_OPERATORS = frozenset({"AND", "OR", "WITH", "and", "or", "with"})


class _NoExpressionError(ValueError):
    """The text is no SPDX expression that is understood here."""


@functools.lru_cache(maxsize=4096)
def ways(text: str) -> tuple[Way, ...] | None:
    """Return the ways in which the licences of an expression can be accepted, or None where it is no SPDX expression.

    Identifiers are matched without regard to case and returned as SPDX writes them; `GPL-2.0` and `GPL-2.0+` are read
    as what replaced them. None also stands for identifiers that SPDX does not know, and for what is over a limit.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        tokens = _tokens(text)
        found, end = _or(tokens, 0, 0)
    except _NoExpressionError:
        return None
    return tuple(sorted(set(found))) if end == len(tokens) else None


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _NoExpressionError
        tokens.append(found[1])
        at = found.end()
    return tokens


def _or(tokens: Sequence[str], at: int, depth: int) -> tuple[list[Way], int]:
    found, at = _and(tokens, at, depth)
    while at < len(tokens) and tokens[at].upper() == "OR":
        more, at = _and(tokens, at + 1, depth)
        found = _limited([*found, *more])
    return found, at


def _and(tokens: Sequence[str], at: int, depth: int) -> tuple[list[Way], int]:
    found, at = _one(tokens, at, depth)
    while at < len(tokens) and tokens[at].upper() == "AND":
        more, at = _one(tokens, at + 1, depth)
        found = _limited([tuple(sorted({*a, *b})) for a in found for b in more])
    return found, at


def _one(tokens: Sequence[str], at: int, depth: int) -> tuple[list[Way], int]:
    token = tokens[at] if at < len(tokens) else ""
    if token == "(":  # noqa: S105  not a password
        if depth == MAX_DEPTH:
            raise _NoExpressionError
        found, at = _or(tokens, at + 1, depth + 1)
        if at >= len(tokens) or tokens[at] != ")":
            raise _NoExpressionError
        return found, at + 1
    if token in ("", ")") or token in _OPERATORS:
        raise _NoExpressionError
    names = _names(token)
    at += 1
    if at < len(tokens) and tokens[at].upper() == "WITH":
        exception = _EXCEPTIONS.get(tokens[at + 1].lower()) if at + 1 < len(tokens) else None
        if exception is None:
            raise _NoExpressionError
        names = (*(f"{name} WITH {exception}" for name in names), *names)
        at += 2
    return [(names,)], at


def _limited(found: list[Way]) -> list[Way]:
    found = list(dict.fromkeys(found))
    if len(found) > MAX_WAYS:
        raise _NoExpressionError
    return found


_IDS = {identifier.lower(): identifier for identifier in LICENCES}
_EXCEPTIONS = {identifier.lower(): identifier for identifier in EXCEPTIONS}


def _names(token: str) -> Licence:
    """Return the names of one identifier. Who may choose "or later" may also choose the version itself."""
    if _REFERENCE.fullmatch(token):
        return (token,)
    identifier = _IDS.get(token.removesuffix("+").lower())
    if identifier is None:
        raise _NoExpressionError
    family = identifier.removesuffix("-only").removesuffix("-or-later").removesuffix("+")
    later = token.endswith("+") or identifier.endswith(("-or-later", "+"))
    if f"{family}-only" in LICENCES:
        exact = (f"{family}-only", family)
        return (f"{family}-or-later", f"{family}+", *exact) if later else exact
    return (f"{family}+", family) if later else (identifier,)
