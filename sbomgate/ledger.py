"""The ledger: which versions of a package a registry had when it was looked at. Pure: no I/O, no clock.

A registry's publish times are its unsigned word, and a mirror can date a release back so that it looks old enough. What
it cannot do is have shown the release when it was asked before. Each gated build stores the ledger of its looks as
signed evidence; the next one reads it from the approved build (so nobody can forge it), and finds a version that was
not there at a look after the time that the registry now gives for it.

One entry a registry and name: when it was last looked at, all versions that it had then, and for each that appeared
between two looks, the one without and the one with it. An entry is kept for `KEPT` after the last look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from sbomgate import version_set
from sbomgate.errors import EvidenceError, InputError
from sbomgate.model import CollectedFacts, FactKey, Missing, Sighting
from sbomgate.times import format_time, parse_time

SCHEMA = "sbomgate/ledger/v1"
KEPT = timedelta(days=366)  # longer than any project waits for a release to grow old
MAX_LEDGER_BYTES = 256 << 20  # 100,000 packages of 2 kB; eight well known ones take 630 bytes each


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeared:
    """Versions (a text of `version_set`) that the look at `absent` did not have, and the next, at `seen`, had."""

    absent: datetime
    seen: datetime
    versions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of one package in one registry.

    Attributes:
        at: the last look.
        versions: what was there then, as a text of `version_set`.
        appeared: what was not there at an earlier look, oldest first.
    """

    at: datetime
    versions: str
    appeared: tuple[Appeared, ...] = ()


Ledger = Mapping[tuple[str, str], Entry]
"""(registry's URL, name) → entry."""


def update(before: Ledger, collected: Iterable[CollectedFacts], *, now: datetime) -> dict[tuple[str, str], Entry]:
    """Return the ledger after the looks that collecting facts took.

    A look that is not newer than the last one changes nothing. Where another registry is asked, another entry starts:
    it may well have other versions.

    Raises:
        InputError: a list of versions is not one.
    """
    after = {key: entry for key, entry in before.items() if now - entry.at <= KEPT}
    looks: dict[tuple[str, str], tuple[datetime, str]] = {}
    for facts in collected:
        word = facts.registry
        if not isinstance(word, Missing) and word.versions:
            key = (word.registry, facts.key.name)
            looks[key] = max(looks.get(key, (word.asked_at, word.versions)), (word.asked_at, word.versions))
    for key, (at, versions) in looks.items():
        entry = after.get(key)
        if entry is None:
            after[key] = Entry(at=at, versions=versions)
        elif at > entry.at:
            new = "" if versions == entry.versions else _new(entry.versions, versions, key[1])
            appeared = [one for one in entry.appeared if now - one.seen <= KEPT]
            if new:
                appeared.append(Appeared(absent=entry.at, seen=at, versions=new))
            after[key] = replace(entry, at=at, versions=versions, appeared=tuple(appeared))
    return after


def sightings(ledger: Ledger, collected: Iterable[CollectedFacts]) -> dict[FactKey, Sighting]:
    """Return, for each version that some look did not have, that look and the first that had it.

    Raises:
        InputError: a list of versions is not one.
    """
    found: dict[FactKey, Sighting] = {}
    for facts in collected:
        if isinstance(facts.registry, Missing):
            continue
        entry = ledger.get((facts.registry.registry, facts.key.name))
        if entry is None or not version_set.is_version(facts.key.version):
            continue
        for one in reversed(entry.appeared):  # the newest: a version that went away and came back is new
            if facts.key.version in _decoded(one.versions, facts.key.name):
                found[facts.key] = Sighting(absent=one.absent, seen=one.seen)
                break
    return found


def _new(before: str, after: str, name: str) -> str:
    return version_set.encode(_decoded(after, name) - _decoded(before, name))


def _decoded(text: str, name: str) -> set[str]:
    try:
        return version_set.decode(text)
    except ValueError as e:
        raise InputError(f"the versions of {name[:214]!a}: {e}", where="ledger or facts") from e


def dumps(ledger: Ledger) -> bytes:
    """Return a ledger as canonical JSON: sorted, the same bytes for the same ledger."""
    registries: dict[str, dict[str, Any]] = {}
    for (registry, name), entry in ledger.items():
        appeared = [[format_time(one.absent), format_time(one.seen), one.versions] for one in entry.appeared]
        registries.setdefault(registry, {})[name] = [format_time(entry.at), entry.versions, appeared]
    return orjson.dumps({"schema": SCHEMA, "registries": registries}, option=orjson.OPT_SORT_KEYS)


def loads(data: bytes, *, where: str = "ledger") -> dict[tuple[str, str], Entry]:
    """Read what `dumps` wrote.

    Raises:
        EvidenceError: over the limit, or not exactly what `dumps` would write.
    """
    if len(data) > MAX_LEDGER_BYTES:
        raise EvidenceError(f"is {len(data):,} bytes, over the limit of {MAX_LEDGER_BYTES:,}", where=where)
    ledger: dict[tuple[str, str], Entry] = {}
    try:
        document = orjson.loads(data)
        if document["schema"] != SCHEMA:
            raise ValueError(f"got the schema {document['schema']!r}, expected {SCHEMA!r}")
        for registry, names in document["registries"].items():
            for name, (at, versions, appeared) in names.items():
                ledger[registry, name] = Entry(
                    at=parse_time(at),
                    versions=_text(versions),
                    appeared=tuple(
                        Appeared(absent=parse_time(absent), seen=parse_time(seen), versions=_text(new))
                        for absent, seen, new in appeared
                    ),
                )
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise EvidenceError(f"not a ledger of this version ({type(e).__name__}: {e})", where=where) from e
    if dumps(ledger) != data:
        raise EvidenceError("is not the canonical form of a ledger", where=where)
    return ledger


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("versions are a text")
    return value
