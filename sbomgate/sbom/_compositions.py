"""What an SBOM says of its own completeness: CycloneDX `compositions`.

Two questions for each component. Are its dependencies all here (`dependencies`)? And is what lies inside its bytes all
here (`assemblies`): packages that its tarball bundles? What the format of the lockfile does not say is `unknown`.
"""

from __future__ import annotations

from typing import Any

from sbomgate.model import SBOM_KIND, DependencyGraph, EdgeKind, Kind

_FETCHED = frozenset({Kind.REGISTRY, Kind.GIT, Kind.TARBALL, Kind.FILE, Kind.PATCH, Kind.UNKNOWN})
# An optional peer that nobody installs is no dependency; everything else that is declared and not here is a gap.
_NEEDED = frozenset(EdgeKind) - {EdgeKind.PEER_OPTIONAL}


def compositions(graph: DependencyGraph) -> list[dict[str, Any]]:
    """Return one composition for each answer that occurs, in a fixed order.

    Every component stands in one of those about dependencies. Of those about assemblies, the complete one names what
    holds others: the project itself, and whatever bundles packages by the lockfile's own word.
    """
    kind, version = graph.lockfile.kind, graph.lockfile.version
    # npm 1 and yarn classic do not say which peers a package wants.
    peers_unsaid = (kind, version) in (("npm", "1"), ("yarn", "1"))
    # pnpm and yarn do not say what a tarball bundles.
    bundles_unsaid = kind in ("pnpm", "yarn")
    # Of an SBOM that another tool made, nothing is known to be complete.
    claimed = kind == SBOM_KIND
    complete: list[str] = []
    incomplete: list[str] = []
    unknown: list[str] = []
    opaque: list[str] = []
    gaps = {edge.source for edge in graph.edges if edge.target is None and edge.kind in _NEEDED}
    for package in graph.packages:
        ref = "/" + package.id
        fetched = package.kind in _FETCHED
        if package.id in gaps:
            incomplete.append(ref)
        elif claimed or (fetched and peers_unsaid) or (package.kind is Kind.LINK and package.target is None):
            unknown.append(ref)
        else:
            complete.append(ref)
        if claimed or (fetched and bundles_unsaid):
            opaque.append(ref)
    holders = (
        set()
        if claimed
        else {"", *(package.bundled_in for package in graph.packages if package.bundled_in is not None)}
    )
    answers = (
        ("complete", "dependencies", complete),
        ("incomplete", "dependencies", incomplete),
        ("unknown", "dependencies", unknown),
        ("complete", "assemblies", [f"/{holder}" for holder in sorted(holders)]),
        ("unknown", "assemblies", opaque),
    )
    return [{"aggregate": aggregate, of: refs} for aggregate, of, refs in answers if refs]
