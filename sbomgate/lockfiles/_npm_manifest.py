"""Fields of package.json that have had several forms over the years, and the patterns of `workspaces`."""

from __future__ import annotations

import re
from typing import Any

Patterns = list[tuple[bool, re.Pattern[str]]]
"""Whether a pattern adds or (`!…`) takes away, and the pattern."""


def workspace_patterns(manifest: dict[str, Any]) -> Patterns:
    """Return the patterns of `workspaces`, in order; a later one overrules an earlier one."""
    value = manifest.get("workspaces")
    if type(value) is dict:
        value = value.get("packages")
    if type(value) is not list:
        return []
    patterns: Patterns = []
    for text in value:
        if type(text) is str:
            negated = text.startswith("!")
            pattern = text.lstrip("!").removeprefix("./").strip("/")
            patterns.append((not negated, re.compile(_glob(pattern))))
    return patterns


def matches(patterns: Patterns, directory: str) -> bool:
    """Whether a directory is a workspace by these patterns."""
    matched = False
    for positive, pattern in patterns:
        if pattern.fullmatch(directory):
            matched = positive
    return matched


def _glob(pattern: str) -> str:
    """Return a workspace pattern (`packages/*`, `apps/**`, `{a,b}/c`) as a regular expression."""
    out: list[str] = []
    at, braces = 0, 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "{":
            braces += 1
            out.append("(?:")
        elif char == "}" and braces:
            braces -= 1
            out.append(")")
        elif char == "," and braces:
            out.append("|")
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out) + ")" * braces


def engines_of(value: Any) -> dict[str, str]:
    """Return `engines` as name → range, whatever form it has."""
    if type(value) is dict:
        pairs = value.items() if len(value) == 1 else sorted(value.items())
        return {name: range_ for name, range_ in pairs if type(range_) is str}
    if type(value) is list:  # a form of npm's first years: ["node >= 0.6"]
        words = (text.strip().partition(" ") for text in value if type(text) is str)
        return dict(sorted((name, range_.strip()) for name, _, range_ in words if name))
    return {}


def licence_of(value: Any) -> str | None:
    """Return `license` as one text, or None: the field was an object or an array in npm's first years."""
    if type(value) is str:
        return value
    if type(value) is dict:
        kind = value.get("type")
        return kind if type(kind) is str else None
    if type(value) is list:
        names = [name for item in value if (name := licence_of(item))]
        return f"({' OR '.join(names)})" if len(names) > 1 else names[0] if names else None
    return None


def deprecation_of(value: Any) -> str | None:
    """Return the text of `deprecated`, or None where the package is not."""
    if type(value) is str:
        return value or None
    return "deprecated" if value is True else None
