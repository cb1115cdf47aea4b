"""Which earlier releases of a package a version is measured against. Pure.

Two at most, so that what a change costs follows the change:

1. the nearest release before it by semantic version that was also published before it;
2. the nearest of those that were out for a week when it was published: whoever publishes twice on one day is measured
   against what was there before the first.

Of the same release line (a major version; for 0.x a minor one), else of the nearest older line. A stable release is
measured against stable ones; a prerelease against prereleases of its line, else against stable ones. Semantic
Versioning 2.0.0, clause 11, is the order; a version that is none has no earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

SETTLED: Final = timedelta(days=7)
"""How long a release must have been out, when the next one came, to stand for what the package was before."""

YOUNG: Final = timedelta(days=30)
"""Without an approved build only releases younger than this are measured against earlier ones: what is older has been
looked at by others, and the first run over a whole tree stays cheap."""

_NUMBER = r"(0|[1-9][0-9]{0,14})"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
_FINAL: Final = ((2, 0, ""),)  # sorts behind every prerelease

_Key = tuple[int, int, int, tuple[tuple[int, int, str], ...]]


def earlier_versions(version: str, published: Mapping[str, datetime | None]) -> tuple[str, ...]:
    """Return the versions to measure `version` against, the nearest first; none where it is the first.

    Args:
        version: what is judged.
        published: every version of the package → when it was published, None where the registry does not say. A
            release whose time (or the judged one's) is not known counts as published before.
    """
    own = _key(version)
    if own is None:
        return ()
    at = published.get(version)
    before = sorted(
        (
            (key, other, time)
            for other, time in published.items()
            if (key := _key(other)) is not None and key < own and (time is None or at is None or time <= at)
        ),
        reverse=True,
    )
    candidates = _comparable(own, before)
    found = candidates[:1]
    if at is not None:
        found += [one for one in candidates if one[2] is None or at - one[2] >= SETTLED][:1]
    return tuple(dict.fromkeys(other for _, other, _ in found))


def is_lower(other: str, version: str) -> bool:
    """Whether `other` comes before `version`, which is no prerelease, by semantic version; what is none does not."""
    own, key = _key(version), _key(other)
    return own is not None and own[3] == _FINAL and key is not None and key < own


_Candidate = tuple[_Key, str, datetime | None]


def _comparable(own: _Key, before: list[_Candidate]) -> list[_Candidate]:
    stable = [one for one in before if one[0][3] == _FINAL]
    if own[3] != _FINAL:
        alike = [one for one in before if one[0][3] != _FINAL and _line(one[0]) == _line(own)]
        if alike:
            return alike
    same = [one for one in stable if _line(one[0]) == _line(own)]
    if same or not stable:
        return same
    nearest = _line(stable[0][0])
    return [one for one in stable if _line(one[0]) == nearest]


def _line(key: _Key) -> tuple[int, int]:
    return (0, key[1]) if key[0] == 0 else (key[0], 0)


def _key(version: str) -> _Key | None:
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    major, minor, patch, prerelease = match.groups()
    if prerelease is None:
        return int(major), int(minor), int(patch), _FINAL
    parts = tuple(
        (0, int(part), "") if part.isdigit() and len(part) < 16 else (1, 0, part) for part in prerelease.split(".")
    )
    return int(major), int(minor), int(patch), parts
