"""The smallest change of versions that makes a decision pass: which package to change, to which version. Pure.

It proposes; the package manager resolves and the gate judges (`sbomgate.cli.fix`), until nothing denies or there is no
other version left to try. One module of this package per package manager says how a version is pinned in the project's
own files and how its lockfile is made again:

    def edit(files: Mapping[str, bytes], pins: Sequence[Pin], folder: str) -> dict[str, bytes]
    def command(settings: Settings) -> Command
    def purge(name: str, version: str) -> dict[str, str]     manager → the command that takes it out of its cache
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

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
        below: (name, version) of the packages below which alone it holds, where other versions of it stay; () for
            everywhere. The version is "" where every version of that name has the package in the version that goes.
        direct: the project or a workspace declares it.
        inner: another package declares it.
    """

    name: str
    version: str
    below: tuple[tuple[str, str], ...] = ()
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


class Release(Protocol):
    """A version that a registry has, and when it says that it was published, or None."""

    @property
    def version(self) -> str:  # noqa: D102
        ...

    @property
    def published(self) -> datetime | None:  # noqa: D102
        ...


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


DEBTS = frozenset({"approved_changes", "deprecated", "licences"})
"""Rules whose findings say nothing against what ran where the package was installed."""


def suspects(graph: DependencyGraph, findings: Iterable[PolicyFinding]) -> list[tuple[str, str]]:
    """Return (name, version) of the packages that are denied for more than a debt, sorted: they may have done harm."""
    held = {package.id: package for package in graph.packages if package.kind is Kind.REGISTRY}
    return sorted(
        {
            (held[one.package].name, held[one.package].version or "")
            for one in findings
            if one.package in held and one.rule in FIXABLE - DEBTS
        }
    )


def candidates(
    version: str,
    ranges: Collection[str],
    releases: Iterable[Release],
    *,
    now: datetime,
    minimum_age: timedelta,
    approved: Collection[str],
    malicious: Collection[str],
) -> list[str]:
    """Return the versions to try in the place of `version`, the best first.

    First the version of the last approved build; then what all `ranges` of the dependants allow and is old enough, the
    newest first; then what is older than `version`. A prerelease is proposed only in the place of another of its own.
    """
    present = parse_version(version)
    known = []
    for release in releases:
        parsed = parse_version(release.version)
        if parsed is None or release.version == version or release.version in malicious:
            continue
        if "-" in release.version and release.version.partition("-")[0] != version.partition("-")[0]:
            continue
        known.append((parsed, release))
    known.sort(key=lambda one: one[0], reverse=True)

    def old(release: Release) -> bool:
        return release.published is not None and release.published <= now - minimum_age

    held = [one.version for _, one in known if one.version in approved]
    fitting = [one.version for _, one in known if old(one) and all(satisfies(one.version, range_) for range_ in ranges)]
    lower = [one.version for parsed, one in known if present is not None and parsed < present and old(one)]
    return list(dict.fromkeys([*held, *fitting, *lower]))


def pin(graphs: Sequence[DependencyGraph], name: str, present: str, version: str) -> Pin:
    """Return the pin that brings a package from one version to another, in the graphs where it is.

    It holds everywhere where there are no other versions of the package, else below those who have the present one.
    """
    own = (Kind.ROOT, Kind.WORKSPACE)
    above: set[tuple[str, str, bool]] = set()
    others: set[str] = set()  # names of packages that have another version of it, which stays
    several = False
    for graph in graphs:
        held = {package.id: package for package in graph.packages}
        several |= any(one.name == name and one.version not in (present, version) for one in graph.packages)
        for edge in graph.edges:
            target = held.get(edge.target or "")
            if target is None or target.name != name or edge.source not in held:
                continue
            source = held[edge.source]
            if target.version == present:
                above.add((source.name, source.version or "", source.kind in own))
            elif target.version != version:
                others.add(source.name)
    below = {(parent, number if parent in others else "") for parent, number, is_own in above if not is_own}
    return Pin(
        name=name,
        version=version,
        below=tuple(sorted(below)) if several else (),
        direct=any(is_own for _, _, is_own in above),
        inner=any(not is_own for _, _, is_own in above),
    )


def ranges_of(graph: DependencyGraph, name: str, version: str) -> set[str]:
    """Return the ranges under which a version of a package is depended on."""
    ids = {one.id for one in graph.packages if (one.name, one.version) == (name, version)}
    return {edge.range for edge in graph.edges if edge.target in ids}
