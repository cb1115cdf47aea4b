"""The versions of a package as one text: sorted, numbers that follow one another as a run. Pure, a leaf.

    1.0.0..3 1.1.0 2.0.0-rc.1..2        is 1.0.0, 1.0.1, 1.0.2, 1.0.3, 1.1.0, 2.0.0-rc.1, 2.0.0-rc.2

A few bytes a version, lossless, and readable for whoever audits it. `..` is in no version (semver 2.0.0, clause 9:
identifiers are not empty), nor is a blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_VERSIONS = 100_000  # of one package; the longest list in the public registry has some 40,000
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,256}")
_NUMBERED = re.compile(r"(.*?)(0|[1-9][0-9]{0,14})")


def is_version(text: str) -> bool:
    """Whether a text can be in a set: others are no version that a package manager could install."""
    return _VERSION.fullmatch(text) is not None and ".." not in text


def encode(versions: Iterable[str]) -> str:
    """Return the text of a set; what is no version is left out."""
    numbers: dict[str, list[int]] = {}
    tokens: list[tuple[str, int, str]] = []
    for version in set(versions):
        if not is_version(version):
            continue
        match = _NUMBERED.fullmatch(version)
        if match is None:
            tokens.append((version, -1, version))
        else:
            numbers.setdefault(match[1], []).append(int(match[2]))
    for prefix, found in numbers.items():
        found.sort()
        start = last = found[0]
        for number in [*found[1:], -1]:
            if number == last + 1:
                last = number
                continue
            tokens.append((prefix, start, f"{prefix}{start}" + (f"..{last}" if last > start else "")))
            start = last = number
    return " ".join(token for _, _, token in sorted(tokens))


def decode(text: str) -> set[str]:
    """Return the versions of a text.

    Raises:
        ValueError: not such a text, or more than `MAX_VERSIONS`.
    """
    found: set[str] = set()
    for token in text.split(" ") if text else ():
        first, dots, last = token.partition("..")
        match = _NUMBERED.fullmatch(first)
        if not is_version(first) or (dots and (match is None or not re.fullmatch("[1-9][0-9]{0,14}", last))):
            raise ValueError(f"{token[:80]!a} is no version and no run of versions")
        if not dots or match is None:
            found.add(first)
        else:
            run = range(int(match[2]), int(last) + 1)
            if len(found) + len(run) > MAX_VERSIONS:
                raise ValueError(f"more than {MAX_VERSIONS} versions")
            found.update(f"{match[1]}{number}" for number in run)
    if len(found) > MAX_VERSIONS:
        raise ValueError(f"more than {MAX_VERSIONS} versions")
    return found
