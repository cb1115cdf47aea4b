"""What an SBOM says of its own completeness: CycloneDX `compositions`.

Two questions for each component. Are its dependencies all here (`dependencies`)? And is what lies inside its bytes all
here (`assemblies`): packages that its tarball bundles? What the format of the lockfile does not say is `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind

_FETCHED = frozenset({Kind.REGISTRY, Kind.GIT, Kind.TARBALL, Kind.FILE, Kind.PATCH, Kind.UNKNOWN})
# An optional peer that nobody installs is no dependency; everything else that is declared and not here is a gap.
_NEEDED = frozenset(EdgeKind) - {EdgeKind.PEER_OPTIONAL}


def compositions(graph: DependencyGraph, edges: Mapping[str, Sequence[Edge]]) -> list[dict[str, Any]]:
    """Return one composition for each answer that occurs, in a fixed order; every component stands in one of them.

    Args:
        graph: what the lockfile says.
        edges: package id → its edges.
    """
    kind, version = graph.lockfile.kind, graph.lockfile.version
    # npm 1 and yarn classic do not say which peers a package wants.
    peers_unsaid = (kind, version) in (("npm", "1"), ("yarn", "1"))
    # pnpm and yarn do not say what a tarball bundles.
    bundles_unsaid = kind in ("pnpm", "yarn")
    complete: list[str] = []
    incomplete: list[str] = []
    unknown: list[str] = []
    closed: list[str] = []
    opaque: list[str] = []
    for package in graph.packages:
        ref = "/" + package.id
        fetched = package.kind in _FETCHED
        if any(edge.target is None and edge.kind in _NEEDED for edge in edges.get(package.id, ())):
            incomplete.append(ref)
        elif (fetched and peers_unsaid) or (package.kind is Kind.LINK and package.target is None):
            unknown.append(ref)
        else:
            complete.append(ref)
        if fetched and bundles_unsaid:
            opaque.append(ref)
        else:
            closed.append(ref)
    answers = (
        ("complete", "dependencies", complete),
        ("incomplete", "dependencies", incomplete),
        ("unknown", "dependencies", unknown),
        ("complete", "assemblies", closed),
        ("unknown", "assemblies", opaque),
    )
    return [{"aggregate": aggregate, of: refs} for aggregate, of, refs in answers if refs]
