"""Every build that a list of malicious packages hits, and what to go back to. Pure, but for what the engine reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sbomgate.inventory import answers
from sbomgate.inventory.answers import Artefact, Hit
from sbomgate.inventory.engines import Engine
from sbomgate.inventory.terms import Condition

Judge = Callable[[Sequence[tuple[str, str]]], Mapping[tuple[str, str], Sequence[str]]]
"""Returns, for those of (name, version) that the list names exactly, its ids."""

_OWN = ("workspace", "link")  # the project's own: a list of the registry's packages is not about them (CASES L30)


Running = Mapping[str, Sequence[str]]
"""Digest of an artefact → the environments where it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """What going back would change of one name: versions then and now, sorted; empty where there are none."""

    name: str
    now: tuple[str, ...]
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One project that is hit.

    Attributes:
        project: what makes it this one (`answers.project`).
        artefacts: its builds that are hit, the newest first, each with what it holds and the ids that name it.
        since: the first of them.
        last_good: the newest build that PASSED then, by verified evidence where any of the project's is, and is not
            hit; or None.
        newer_good: whether it is newer than every build that is hit.
        changes: from the newest that is hit to the last good one.
        reasons: what denies the newest, where a policy judged.
    """

    project: tuple[str, ...]
    artefacts: tuple[tuple[Artefact, tuple[tuple[Hit, tuple[str, ...]], ...]], ...]
    since: Artefact
    last_good: Artefact | None
    newer_good: bool
    changes: tuple[PackageChange, ...]
    reasons: tuple[str, ...] = ()


def is_open(artefact: Artefact, running: Running) -> bool:
    """Whether something is left to do about a build that is hit: `verify` may accept it still, or it runs."""
    refused = artefact.build["verdict"] in ("denied", "revoked") and artefact.overridden is None
    return not refused or bool(running.get(artefact.build["digest"] or ""))


def sweep(engine: Engine, names: Sequence[str] | None, judge: Judge) -> tuple[Affected, ...]:
    """Return the projects that a list hits, sorted by name.

    Args:
        engine: an open one.
        names: every name on the list; None where the judge has to be asked about all.
        judge: says which versions of them are meant.
    """
    named = judge(sorted((name, version or "") for name, version in answers.known(engine, names)))
    if not named:
        return ()
    engine.table("named", {"name": [name for name, _ in named], "version": [version for _, version in named]})
    condition = Condition(sql=f"package.kind NOT IN {_OWN}")
    join = "JOIN named ON named.name = package.name AND named.version = coalesce(package.version, '')"
    held: dict[tuple[str, ...], list[Hit]] = {}
    for hit in answers.hits(engine, [condition], join=join):
        held.setdefault(hit.artefact.identity, []).append(hit)
    ids = {identity: _with_ids(hits, named) for identity, hits in held.items()}
    return _affected(engine, ids, {})


def failing(engine: Engine, reasons: Mapping[tuple[str, ...], tuple[str, ...]]) -> tuple[Affected, ...]:
    """Return the projects of the artefacts (by identity) that another policy denies, sorted by name."""
    return _affected(engine, dict.fromkeys(reasons, ()), reasons) if reasons else ()


def _affected(
    engine: Engine,
    held: Mapping[tuple[str, ...], tuple[tuple[Hit, tuple[str, ...]], ...]],
    reasons: Mapping[tuple[str, ...], tuple[str, ...]],
) -> tuple[Affected, ...]:
    everything = answers.builds(engine)
    projects: dict[tuple[str, ...], list[Artefact]] = {}
    for artefact in everything.values():
        projects.setdefault(artefact.project, []).append(artefact)
    found = []
    for project in sorted({everything[identity].project for identity in held}):
        builds = sorted(projects[project], key=answers.newest_first)
        hit = [one for one in builds if one.identity in held]
        good = _last_good(builds, held)
        found.append(
            Affected(
                project=project,
                artefacts=tuple((one, held[one.identity]) for one in hit),
                since=hit[-1],
                last_good=good,
                newer_good=good is not None and builds.index(good) < builds.index(hit[0]),
                changes=() if good is None else _changes(engine, hit[0], good),
                reasons=reasons.get(hit[0].identity, ()),
            )
        )
    return tuple(found)


def _with_ids(
    hits: Sequence[Hit], named: Mapping[tuple[str, str], Sequence[str]]
) -> tuple[tuple[Hit, tuple[str, ...]], ...]:
    return tuple((hit, tuple(named[hit.package["name"], hit.package["version"] or ""])) for hit in hits)


def _last_good(builds: Sequence[Artefact], held: Mapping[tuple[str, ...], Any]) -> Artefact | None:
    """Return the newest build that is not hit and PASSED; where any evidence is verified, only such counts."""
    passed = [one for one in builds if one.identity not in held and one.passed]
    verified = any(one.build["standing"] == "verified" for one in builds)
    return next((one for one in passed if not verified or one.build["standing"] == "verified"), None)


def _changes(engine: Engine, now: Artefact, then: Artefact) -> tuple[PackageChange, ...]:
    """Return what differs by name and version between two builds."""
    rows = engine.query(
        "SELECT DISTINCT build, name, version FROM package WHERE build IN (?, ?) AND called IS NULL",
        [now.key, then.key],
    )
    versions: dict[str, dict[int, set[str]]] = {}
    for build, name, version in rows:
        versions.setdefault(name, {now.key: set(), then.key: set()})[build].add(version or "")
    return tuple(
        PackageChange(name=name, now=tuple(sorted(of[now.key])), then=tuple(sorted(of[then.key])))
        for name, of in sorted(versions.items())
        if of[now.key] != of[then.key]
    )
