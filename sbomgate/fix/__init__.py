"""The smallest change of versions that makes a decision pass: which package to change, to which version. Pure.

It proposes; the package manager resolves and the gate judges (`sbomgate.cli.fix`), until nothing denies or there is no
other version left to try. One module of this package per package manager says how a version is pinned in the project's
own files and how its lockfile is made again:

    NAMES: tuple[str, ...]                                          lockfile kinds that it writes
    def edit(files: Mapping[str, bytes], pins: Sequence[Pin], folder: str) -> dict[str, bytes]
    def command(settings: Settings) -> Command
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sbomgate.lockfiles._range import parse_version, satisfies
from sbomgate.model import DependencyGraph, Kind, PolicyFinding

FIXABLE = frozenset(
    {
        "approved_changes",
        "deprecated",
        "install_scripts",
        "known_malicious",
        "licences",
        "new_dependencies",
        "provenance",
        "release_age",
        "trust_drift",
    }
)
"""Rules whose findings another version may not have. What the others find lies in the lockfile or the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package's version, as the project shall have it.

    Attributes:
        name, version: of the package.
        below: names of the packages below which alone it holds, where other versions of it stay; () for everywhere.
        direct: the project or a workspace declares it.
        inner: another package declares it.
    """

    name: str
    version: str
    below: tuple[str, ...] = ()
    direct: bool
    inner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a package manager is told beside the project: where packages come from, and nothing else of its settings.

    Attributes:
        registry: the default registry's URL. scopes: `@scope` → URL.
        kind, version: of the lockfile.
    """

    registry: str
    scopes: Mapping[str, str]
    kind: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a lockfile is made again: the program's arguments, variables, and files that only the copy has."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version that a registry has, and when it says that it was published, or None."""

    version: str
    published: datetime | None


def to_blame(graph: DependencyGraph, findings: Iterable[PolicyFinding]) -> tuple[list[str], list[PolicyFinding]]:
    """Return the ids of the packages whose version has to change, and the findings that no version changes.

    A package below others that have to change as well is left out: it may go with them.
    """
    held = {package.id: package for package in graph.packages}
    stuck, denied = [], set()
    for finding in findings:
        package = held.get(finding.package or "")
        if finding.rule in FIXABLE and package is not None and package.kind is Kind.REGISTRY:
            denied.add(package.id)
        else:
            stuck.append(finding)
    above: dict[str, set[str]] = {}
    for edge in graph.edges:
        if edge.target in denied and edge.source != edge.target:
            above.setdefault(edge.target, set()).add(edge.source)
    top = [id_ for id_ in denied if not above.get(id_) or not above[id_] <= denied]
    return sorted(top or denied), stuck


def candidates(
    graph: DependencyGraph,
    id_: str,
    releases: Sequence[Release],
    *,
    now: datetime,
    minimum_age: timedelta,
    approved: Collection[str],
    malicious: Collection[str],
) -> list[str]:
    """Return the versions to try for a package, the best first.

    First the version of the last approved build; then what every dependant's range allows and is old enough, the newest
    first; then what is older than the present one. A prerelease is proposed only in the place of a prerelease.
    """
    package = next(one for one in graph.packages if one.id == id_)
    present = parse_version(package.version or "")
    ranges = {edge.range for edge in graph.edges if edge.target == id_}
    known = []
    for release in releases:
        parsed = parse_version(release.version)
        if parsed is None or release.version == package.version or release.version in malicious:
            continue
        if len(parsed[3]) != 1 or parsed[3][0][0] != 2:  # a prerelease
            if release.version.partition("-")[0] != (package.version or "").partition("-")[0]:
                continue
        known.append((parsed, release))
    known.sort(key=lambda one: one[0], reverse=True)

    def old(release: Release) -> bool:
        return release.published is not None and release.published <= now - minimum_age

    def fits(version: str) -> bool:
        return all(satisfies(version, range_) for range_ in ranges)

    held = [one.version for _, one in known if one.version in approved]
    fitting = [one.version for _, one in known if fits(one.version) and old(one)]
    lower = [one.version for parsed, one in known if present is not None and parsed < present and old(one)]
    return list(dict.fromkeys([*held, *fitting, *lower]))


def pin(graph: DependencyGraph, id_: str, version: str) -> Pin:
    """Return the pin that brings this entry to a version: of all entries of its name, where all have its version."""
    held = {package.id: package for package in graph.packages}
    package = held[id_]
    others = {one.version for one in graph.packages if one.name == package.name and one.id != id_} - {package.version}
    same = {one.id for one in graph.packages if (one.name, one.version) == (package.name, package.version)}
    own = (Kind.ROOT, Kind.WORKSPACE)
    above = [held[edge.source] for edge in graph.edges if edge.target in same and edge.source in held]
    return Pin(
        name=package.name,
        version=version,
        below=tuple(sorted({one.name for one in above if one.kind not in own})) if others else (),
        direct=any(one.kind in own for one in above),
        inner=any(one.kind not in own for one in above),
    )
