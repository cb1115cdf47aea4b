"""What an SBOM states of a graph and its facts: what `_reading.read` makes of what `write` writes, without reading it.

Nearly everything is as it was. Left out, or spelled in another way, is this:

- addresses lose what is nobody's business (`purl.public_url`), and an entry that lost some of its own says so
- an edge is its source's, a fact its package's: of those that are no packages there is none
- times are in UTC; a first look that had a version is nothing without one that had it not, and the other way round
- texts by name (scripts, scopes, settings, files) are sorted

A property test holds this file to `read(write(…))`, for what it returns and for what it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sbomgate.errors import InputError
from sbomgate.model import (
    Attestation,
    DependencyGraph,
    Earlier,
    Edge,
    Package,
    PackageFacts,
    Publish,
    Scripts,
)
from sbomgate.purl import public_url

MAX_LINE = 10**9 - 1
"""The last line of a lockfile that is read: nine digits."""
MAX_SIZE = 10**15 - 1
"""Bytes of a lockfile whose size is read: fifteen digits."""


def stated(
    graph: DependencyGraph, facts: Mapping[str, PackageFacts]
) -> tuple[DependencyGraph, dict[str, PackageFacts]]:
    """Return graph and facts as the SBOM of them states them.

    Raises:
        InputError: the SBOM would be refused: an id that stands twice, an edge that leads nowhere, a line or a size
            that is none.
    """
    if not 0 <= graph.lockfile.size <= MAX_SIZE:
        raise _refused("lockfile:size", "a number")
    packages = tuple(map(_package, graph.packages))
    below: dict[str, list[Edge]] = {package.id: [] for package in packages}
    if len(below) != len(packages):
        raise _refused("components", "each install path once")
    public = {range_: public_url(range_) for range_ in {edge.range for edge in graph.edges}}
    for edge in graph.edges:
        if (own := below.get(edge.source)) is None:
            continue
        if edge.target is not None and edge.target not in below:
            raise _refused(f"edge {edge.source} → {edge.name}", "a target among the components")
        range_ = public[edge.range]
        own.append(edge if range_ == edge.range else replace(edge, range=range_))
    manager = graph.manager
    manager = replace(
        manager,
        registry=public_url(manager.registry),
        scopes={scope: public_url(url) for scope, url in sorted(manager.scopes.items())},
        settings={key: public_url(value) for key, value in sorted(manager.settings.items())},
        files=dict(sorted(manager.files.items())),
    )
    told = replace(
        graph,
        manager=manager,
        packages=packages,
        edges=tuple(edge for own in below.values() for edge in own),
    )
    return told, {package.id: _facts(facts[package.id]) for package in packages if package.id in facts}


def _refused(what: str, expected: str) -> InputError:
    return InputError(f"cannot stand in an SBOM, expected {expected}", where="SBOM", place=what)


def _package(package: Package) -> Package:
    if package.line is not None and not 0 <= package.line <= MAX_LINE:
        raise _refused(f"{package.id} line", "a number")
    resolved = package.resolved
    if resolved is None:  # nothing was left out of nothing
        return replace(package, withheld=False) if package.withheld else package
    public = public_url(resolved)
    return package if public == resolved else replace(package, resolved=public, withheld=True)


def _facts(facts: PackageFacts) -> PackageFacts:
    """Return the very same, where nothing in it has to be spelled in another way: as of nearly all packages."""
    publish, scripts = _publish(facts.publish), _scripts(facts.scripts)
    attestation, provenance = _attestation(facts.publish_attestation), _attestation(facts.provenance)
    registry = None if facts.registry is None else public_url(facts.registry)
    earlier = None if facts.earlier is None else _earlier(facts.earlier)
    if (
        publish is facts.publish
        and scripts is facts.scripts
        and attestation is facts.publish_attestation
        and provenance is facts.provenance
        and registry == facts.registry
        and earlier is facts.earlier
    ):
        return facts
    return replace(
        facts,
        publish=publish,
        scripts=scripts,
        publish_attestation=attestation,
        provenance=provenance,
        registry=registry,
        earlier=earlier,
    )


def _publish(publish: Publish) -> Publish:
    time, first, absent, seen = map(_utc, (publish.time, publish.first, publish.absent, publish.seen))
    if absent is None or seen is None:
        absent = seen = None
    if time is publish.time and first is publish.first and absent is publish.absent and seen is publish.seen:
        return publish
    return replace(publish, time=time, first=first, absent=absent, seen=seen)


def _scripts(scripts: Scripts) -> Scripts:
    if len(scripts.scripts) < 2 and len(scripts.files) < 2:
        return scripts
    return replace(scripts, scripts=dict(sorted(scripts.scripts.items())), files=dict(sorted(scripts.files.items())))


def _earlier(earlier: Earlier) -> Earlier:
    releases = tuple(replace(one, provenance=_attestation(one.provenance)) for one in earlier.releases)
    return replace(earlier, releases=releases) if releases else earlier


def _attestation(attestation: Attestation) -> Attestation:
    time = _utc(attestation.log_time)
    return attestation if time is attestation.log_time else replace(attestation, log_time=time)


def _utc(time: datetime | None) -> datetime | None:
    return time if time is None or time.tzinfo is UTC else time.astimezone(UTC)
