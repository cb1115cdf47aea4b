"""Whether a version satisfies a range, as npm's semver says in its loose way.

Ranges of a lockfile are checked by the thousand on the hot path, where importing and running node-semver costs more
than all the rest. So the grammar of semver 7 is evaluated here, and what is not plain grammar (`v1.2`, `1.2.3beta`)
is left to node-semver. The tests compare both, and npm's own semver, on generated and on real ranges.
"""

from __future__ import annotations

import re

Version = tuple[int, int, int, tuple[tuple[int, int, str], ...]]
"""Major, minor, patch and the prerelease's identifiers; `_FINAL` sorts behind every prerelease."""

_FINAL = ((2, 0, ""),)
_LOWEST = ((0, 0, ""),)
_NUMBER = r"0|[1-9][0-9]{0,14}"
_TAIL = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER}){_TAIL}", re.ASCII)
_PARTIAL = rf"(?:({_NUMBER}|[xX*])(?:\.({_NUMBER}|[xX*])(?:\.({_NUMBER}|[xX*]){_TAIL})?)?)"
_COMPARATOR = re.compile(rf"(\^|~>?|>=|<=|>|<|=)?{_PARTIAL}", re.ASCII)
# A tag (`latest`). In npm's loose way it is dropped among alternatives, and alone it is no range. What starts like a
# version (`v1`, `x`) is left to the grammar.
_TAG = re.compile(r"[A-UWYZa-uwyz][A-Za-z_-]*", re.ASCII)
_GAP = re.compile(r"(\^|~>?|[<>]=?|=)\s+")

_Comparator = tuple[str, Version]
_NO_RANGE: list[list[_Comparator]] = []
_versions: dict[str, Version | None] = {}
_ranges: dict[str, list[list[_Comparator]] | None] = {}
MAX_LENGTH = 256
"""Characters of a version or a range that is not plain grammar: npm's own limit for versions. A longer one is met by
nothing."""

_CACHE_LIMIT = 200_000  # entries: more than any lockfile has distinct ranges, and a bound for a long-lived process


def satisfies(version: str, range_: str) -> bool | None:
    """Whether `version` satisfies `range_`; None where one of them is neither version nor range (a tag, a URL)."""
    parsed = parse_version(version)
    sets = _parse_range(range_)
    if parsed is None or sets is None:
        return _by_library(version, range_)
    if sets is _NO_RANGE:
        return None
    return any(_satisfies_all(parsed, comparators) for comparators in sets)


def parse_version(version: str) -> Version | None:
    """Return a strict semantic version as a tuple that sorts by precedence, or None."""
    if version in _versions:
        return _versions[version]
    match = _VERSION.fullmatch(version)
    parsed = None
    if match:
        major, minor, patch, prerelease = match.groups()
        parsed = (int(major), int(minor), int(patch), _prerelease(prerelease))
    if len(_versions) < _CACHE_LIMIT:
        _versions[version] = parsed
    return parsed


def _prerelease(text: str | None) -> tuple[tuple[int, int, str], ...]:
    if text is None:
        return _FINAL
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split("."))


def _satisfies_all(version: Version, comparators: list[_Comparator]) -> bool:
    for operator, bound in comparators:
        if operator == "=":
            if version != bound:
                return False
        elif operator == ">=":
            if version < bound:
                return False
        elif operator == "<":
            if version >= bound:
                return False
        elif operator == ">":
            if version <= bound:
                return False
        elif version > bound:
            return False
    if version[3] is not _FINAL:
        # A prerelease only satisfies a set that names a prerelease of the same major.minor.patch.
        return any(bound[3] != _FINAL and bound[:3] == version[:3] for _, bound in comparators)
    return True


def _parse_range(text: str) -> list[list[_Comparator]] | None:
    try:
        return _ranges[text]
    except KeyError:
        pass
    sets: list[list[_Comparator]] | None = []
    for alternative in map(str.strip, text.split("||")):
        if _TAG.fullmatch(alternative):
            continue
        comparators = _parse_set(alternative)
        if comparators is None:
            sets = None
            break
        assert sets is not None  # noqa: S101 - for the type checker
        sets.append(comparators)
    if sets == []:
        sets = _NO_RANGE
    if len(_ranges) < _CACHE_LIMIT:
        _ranges[text] = sets
    return sets


def _parse_set(text: str) -> list[_Comparator] | None:
    if not text:
        return []
    words = text.split()
    if len(words) == 3 and words[1] == "-":
        return _hyphen(words[0], words[2])
    if len(words) > 1:
        words = _GAP.sub(r"\1", text).split()
    comparators: list[_Comparator] = []
    kept = False
    for word in words:
        match = _COMPARATOR.fullmatch(word)
        if match is None:
            return None
        operator, major, minor, patch, _ = match.groups()
        if operator not in ("^", "~", "~>") and (
            (_any(major) and not _any(minor)) or (_any(minor) and not _any(patch))
        ):
            continue  # `x.1`, `1.x.2`: npm's loose way drops what is no comparator
        kept = True
        comparators += _expand(*match.groups())
    return comparators if kept else [("<", (0, 0, 0, _LOWEST))]


def _expand(
    operator: str | None, major: str, minor: str | None, patch: str | None, prerelease: str | None
) -> list[_Comparator]:
    if _any(major):
        return [("<", (0, 0, 0, _LOWEST))] if operator in ("<", ">") else []
    first = int(major)
    low: Version
    high: Version
    if _any(minor):
        low, high = (first, 0, 0, _FINAL), (first + 1, 0, 0, _LOWEST)
    elif _any(patch):
        second = int(minor or 0)
        low = (first, second, 0, _FINAL)
        high = (first + 1, 0, 0, _LOWEST) if operator == "^" and first else (first, second + 1, 0, _LOWEST)
    else:
        second, third = int(minor or 0), int(patch or 0)
        low = (first, second, third, _prerelease(prerelease))
        if operator == "^":
            if first:
                high = (first + 1, 0, 0, _LOWEST)
            elif second:
                high = (0, second + 1, 0, _LOWEST)
            else:
                high = (0, 0, third + 1, _LOWEST)
        elif operator in ("~", "~>"):
            high = (first, second + 1, 0, _LOWEST)
        else:
            return [(operator or "=", low)]
    if operator == ">":
        return [(">=", (*high[:3], _FINAL))]
    if operator == "<=":
        return [("<", high)]
    if operator == ">=":
        return [(">=", low)]
    if operator == "<":
        return [("<", (*low[:3], _LOWEST))]
    return [(">=", low), ("<", high)]


def _hyphen(low: str, high: str) -> list[_Comparator] | None:
    first, last = _COMPARATOR.fullmatch(low), _COMPARATOR.fullmatch(high)
    if first is None or last is None or first[1] or last[1]:
        return None
    return _expand(">=", *first.groups()[1:]) + _expand("<=", *last.groups()[1:])


def _any(part: str | None) -> bool:
    return part is None or part in "xX*"


def _by_library(version: str, range_: str) -> bool | None:
    import nodesemver  # 50 ms: only for what is not plain grammar

    # Its expressions take minutes for a few hundred blanks (P9). To npm's semver a run of blanks is one as well.
    version, range_ = " ".join(version.split()), " ".join(range_.split())
    if len(version) > MAX_LENGTH or len(range_) > MAX_LENGTH:
        return False
    try:
        nodesemver.make_range(range_, loose=True)
        nodesemver.make_semver(version, loose=True)
        return bool(nodesemver.satisfies(version, range_, loose=True))
    except ValueError:
        return None
