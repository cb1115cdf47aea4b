"""What a registry has of a package that it had not at the last look, and how that differs from before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sbomgate import version_set
from sbomgate.errors import FetchError
from sbomgate.lockfiles._range import Version, parse_version, satisfies
from sbomgate.model import RegistryWord
from sbomgate.npm import packument
from sbomgate.npm.packument import Said
from sbomgate.watch.state import Known

SILENCE: Final = timedelta(days=2 * 365)
"""How long nothing was published when a release counts as coming back after years."""

MAX_NEW: Final = 50
"""Releases of one package that one run judges, the newest first: each is some requests. The rest waits for the next."""

_FINAL = ((2, 0, ""),)
_ALIAS = "npm:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version_:
    """A version as a registry names it: what a lockfile would say of it.

    Attributes:
        version, integrity, tarball: as in `RegistryWord`.
    """

    version: str
    integrity: str | None
    tarball: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release that no run has judged.

    Attributes:
        itself: its version, bytes and address.
        published: by the registry's word, or None.
        before: the earlier releases that it is measured against (`npm.earlier`), the nearest first.
        gained: name → range of what it depends on and one of those does not, by the registry's manifests.
        silent_since: when the release before it was published, where that is `SILENCE` or more before; else None.
        newest: the newest stable version of a newer major line that was out by then; None where it is on the newest, or
            on a line that no build holds.
    """

    itself: Version_
    published: datetime | None
    before: tuple[Version_, ...]
    gained: Mapping[str, str] = field(default_factory=dict)
    silent_since: datetime | None = None
    newest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one answer of a registry showed: every version that is there, and what has to be judged of it.

    `waiting` are new releases beyond `MAX_NEW`.
    """

    versions: frozenset[str]
    releases: tuple[Release, ...]
    waiting: frozenset[str]


def read(
    data: bytes,
    *,
    name: str,
    registry: str,
    known: Known | None,
    held: Iterable[str],
    now: datetime,
    window: timedelta,
) -> Look:
    """Return what is new in a packument.

    Args:
        data: its bytes.
        name: of the package.
        registry: its URL.
        known: what earlier runs left; None at the first look, where only what was published within `window` is new.
        held: versions that builds hold: only on their major lines can an older line's release land.
        now: when it was asked for.
        window: see `known`.

    Raises:
        FetchError: it is none, or about another package.
    """
    published = {
        one.version: one.published for one in packument.releases(data, name=name) if version_set.is_version(one.version)
    }
    if len(published) > version_set.MAX_VERSIONS:
        raise FetchError(f"the registry names {len(published):,} versions", where=name)
    if known is None:
        new = {version for version, at in published.items() if at is not None and now - at <= window}
    else:
        new = (published.keys() - known.versions) | (known.open.keys() & published.keys())
    ordered = sorted(new, key=lambda one: (_moment(published[one]), one), reverse=True)
    chosen = ordered[:MAX_NEW]
    return Look(
        versions=frozenset(published),
        releases=_releases(data, sorted(chosen), published, frozenset(held), name=name, registry=registry, now=now),
        waiting=frozenset(ordered[MAX_NEW:]),
    )


def _releases(
    data: bytes,
    versions: list[str],
    published: Mapping[str, datetime | None],
    held: Iterable[str],
    *,
    name: str,
    registry: str,
    now: datetime,
) -> tuple[Release, ...]:
    if not versions:
        return ()
    said = {
        version: one
        for version, one in packument.read(data, name=name, versions=versions, registry=registry, asked_at=now).items()
        if isinstance(one, Said)
    }
    earlier = {version: [one.version for one in of.earlier] for version, of in said.items()}
    words = packument.read(
        data, name=name, versions={one for of in earlier.values() for one in of}, registry=registry, asked_at=now
    )
    found = []
    for version, own in said.items():
        before = [(one, other.word) for one in earlier[version] if isinstance(other := words[one], Said)]
        found.append(
            Release(
                itself=_version(version, own.word),
                published=published[version],
                before=tuple(_version(one, word) for one, word in before),
                gained=_gained(own.word, [word for _, word in before]),
                silent_since=_silent_since(version, published, now),
                newest=_newer_line(version, published, held, now),
            )
        )
    return tuple(found)


def _version(version: str, word: RegistryWord) -> Version_:
    return Version_(version=version, integrity=word.integrity, tarball=word.tarball)


def _gained(own: RegistryWord, before: list[RegistryWord]) -> dict[str, str]:
    """Return what any of the earlier releases did not have: two evil releases do not vouch for each other."""
    if not before:
        return {}
    common = set.intersection(*(set(one.dependencies or ()) for one in before))
    return {name: range_ for name, range_ in (own.dependencies or {}).items() if name not in common}


def _silent_since(version: str, published: Mapping[str, datetime | None], now: datetime) -> datetime | None:
    at = published[version] or now
    before = [time for other, time in published.items() if other != version and time is not None and time < at]
    last = max(before, default=at)
    return last if at - last >= SILENCE else None


def _newer_line(
    version: str, published: Mapping[str, datetime | None], held: Iterable[str], now: datetime
) -> str | None:
    own = parse_version(version)
    lines = {parsed[0] for one in held if (parsed := parse_version(one)) is not None}
    at = published[version] or now
    stable = [
        (parsed, other)
        for other, time in published.items()
        if (parsed := parse_version(other)) is not None and parsed[3] == _FINAL and (time is None or time <= at)
    ]
    if own is None or not stable or own[0] not in lines:
        return None
    newest, text = max(stable)
    return text if newest[0] > own[0] else None


def _moment(time: datetime | None) -> float:
    return float("inf") if time is None else time.timestamp()


# --------------------------------------------------------------------------------------------------------------------
# What a release has come to depend on


def target_of(name: str, range_: str) -> tuple[str, str] | None:
    """Return the real name and the range of a dependency from the registry; None where it comes from elsewhere.

    A range that is a tag (`latest`) counts as any version.
    """
    if range_.startswith(_ALIAS):
        name, at, rest = range_.removeprefix(_ALIAS).rpartition("@")
        name, range_ = (name, rest) if name else (at + rest, "*")  # `npm:axios`, `npm:@scope/name`
    if range_ == "" or satisfies("0.0.0", range_) is not None:
        return name, range_ or "*"
    return (name, "*") if range_.isidentifier() else None


def resolve(data: bytes, *, name: str, range_: str, registry: str, now: datetime) -> Version_ | None:
    """Return the newest version that satisfies a range, a stable one where there is any; None where there is none.

    Raises:
        FetchError: the packument is none, or about another package.
    """
    fitting: list[tuple[bool, Version, str]] = []
    for one in packument.releases(data, name=name):
        parsed = parse_version(one.version)
        if parsed is not None and (range_ == "*" or satisfies(one.version, range_)):
            fitting.append((parsed[3] == _FINAL, parsed, one.version))
    if not fitting:
        return None
    version = max(fitting)[2]
    said = packument.read(data, name=name, versions=[version], registry=registry, asked_at=now)[version]
    return _version(version, said.word) if isinstance(said, Said) else None
