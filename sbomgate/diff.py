"""What differs between two dependency graphs, for whoever reviews an update. Pure.

Copies of one version are one package here, and edges lead from name to name: a tree that npm lays out otherwise, or
another package manager's lockfile of the same packages, is no difference. Unmet peers and optional dependencies lead
to no package and are no edges. Where one side states a thing and the other does not (an SBOM has no ranges, not every
lockfile knows of install scripts), the two are not compared; only an integrity that one side alone states is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sbomgate.model import SBOM_KIND, DependencyGraph, EdgeKind, Kind, Package
from sbomgate.model.difference import (
    Difference,
    EdgeChange,
    EdgeKey,
    EdgeState,
    PackageChange,
    PackageKey,
    PackageState,
    Side,
)
from sbomgate.purl import public_url

VersionOrder = tuple[tuple[tuple[int, int, str], ...], bool, tuple[tuple[int, int, str], ...]]
_PARTS = re.compile(r"[0-9]+|[^0-9.+-]+")


def diff(before: DependencyGraph, after: DependencyGraph, *, names: tuple[str, str] | None = None) -> Difference:
    """Return what differs.

    `diff(a, a)` is empty; what `diff(a, b)` returns turns the keys of `packages(a)` and `edges(a)` into those of b.

    `names` are what the two sides are called; else each is called by its lockfile's path.
    """
    old, new = packages(before), packages(after)
    names_before = {name for name, _ in old}
    gone, come = set(old) - set(new), set(new) - set(old)
    pairs = _pairs([old[key] for key in gone], [new[key] for key in come])
    updated = [PackageChange(before=old[a], after=new[b]) for a, b in pairs]
    gone -= {a for a, _ in pairs}
    come -= {b for _, b in pairs}
    same = [PackageChange(before=old[key], after=new[key]) for key in old.keys() & new.keys()]
    other_bytes = [change for change in same if change.other_bytes]
    altered = [change for change in same if not change.other_bytes and _altered(change)]
    edges_old, edges_new = edges(before), edges(after)
    return Difference(
        before=_side(before, old, edges_old, names and names[0]),
        after=_side(after, new, edges_new, names and names[1]),
        other_bytes=_sorted(other_bytes),
        new=_states(new[key] for key in come if key[0] not in names_before),
        updated=_sorted(updated),
        added=_states(new[key] for key in come if key[0] in names_before),
        removed=_states(old[key] for key in gone),
        altered=_sorted(altered),
        edges_added=tuple(edges_new[key] for key in sorted(edges_new.keys() - edges_old.keys())),
        edges_removed=tuple(edges_old[key] for key in sorted(edges_old.keys() - edges_new.keys())),
        edges_changed=tuple(
            EdgeChange(before=edges_old[key], after=edges_new[key])
            for key in sorted(edges_old.keys() & edges_new.keys())
            if _declared_otherwise(edges_old[key], edges_new[key])
        ),
    )


def packages(graph: DependencyGraph) -> dict[PackageKey, PackageState]:
    """Return (name, version) → its state, of everything but the project itself."""
    held: dict[PackageKey, list[Package]] = {}
    for package in graph.packages:
        if package.kind is not Kind.ROOT:
            held.setdefault((package.name, package.version or ""), []).append(package)
    return {key: _state(key, copies) for key, copies in held.items()}


def edges(graph: DependencyGraph) -> dict[EdgeKey, EdgeState]:
    """Return (name, name) → the dependency, for every edge that leads to another package.

    One to the same version of itself is a link to its directory, as SBOMs state it.
    """
    versions = {package.id: package.version for package in graph.packages}
    held: dict[EdgeKey, set[tuple[str, str]]] = {}
    for source, target, edge in graph.named_edges():
        if source == target and versions[edge.source] == versions[edge.target or ""]:
            continue
        held.setdefault((source, target), set()).add((edge.kind.value, public_url(edge.range)))
    return {
        (source, target): EdgeState(source=source, target=target, declared=tuple(sorted(declared)))
        for (source, target), declared in held.items()
    }


def version_order(version: str) -> VersionOrder:
    """Return a key that sorts versions as people expect: 1.9 before 1.10, a prerelease before its release."""
    main, _, prerelease = version.partition("+")[0].partition("-")

    def parts(text: str) -> tuple[tuple[int, int, str], ...]:
        return tuple((0, int(p[:18]), "") if p[0] in "0123456789" else (1, 0, p) for p in _PARTS.findall(text))

    return parts(main), not prerelease, parts(prerelease)


def _state(key: PackageKey, copies: list[Package]) -> PackageState:
    scripts = {package.has_install_script for package in copies}
    return PackageState(
        name=key[0],
        version=key[1],
        integrities=tuple(sorted({p.integrity for p in copies if p.integrity})),
        sources=tuple(sorted({public_url(p.resolved) for p in copies if p.resolved})),
        kinds=tuple(sorted({p.kind.value for p in copies})),
        install_script=True if True in scripts else None if None in scripts else False,
        direct=any(p.direct for p in copies),
        aliases=tuple(sorted({p.alias for p in copies if p.alias})),
        places=tuple(sorted(p.id for p in copies)),
    )


def _pairs(gone: list[PackageState], come: list[PackageState]) -> list[tuple[PackageKey, PackageKey]]:
    """Pair the versions of a name that went with those that came: by place first, then the newest with the newest."""
    olds: dict[str, list[PackageState]] = {}
    for state in gone:
        olds.setdefault(state.name, []).append(state)
    news: dict[str, list[PackageState]] = {}
    for state in come:
        if state.name in olds:
            news.setdefault(state.name, []).append(state)
    pairs: list[tuple[PackageKey, PackageKey]] = []
    for name, arrived in news.items():
        left = sorted(olds[name], key=_order, reverse=True)
        at = {place: state for state in left for place in state.places}
        rest = []
        for state in sorted(arrived, key=_order, reverse=True):
            found = next((at[place] for place in state.places if at.get(place) in left), None)
            if found is None:
                rest.append(state)
            else:
                left.remove(found)
                pairs.append(((name, found.version), (name, state.version)))
        pairs += [((name, a.version), (name, b.version)) for a, b in zip(left, rest, strict=False)]
    return pairs


def _altered(change: PackageChange) -> bool:
    before, after = change.before, change.after
    if bool(before.integrities) != bool(after.integrities) or set(before.integrities) != set(after.integrities):
        return True
    return change.source_changed or _scripts_differ(before, after)


def _scripts_differ(before: PackageState, after: PackageState) -> bool:
    return None not in (before.install_script, after.install_script) and before.install_script != after.install_script


def _declared_otherwise(before: EdgeState, after: EdgeState) -> bool:
    unknown = EdgeKind.UNKNOWN.value
    stated = all(kind != unknown for state in (before, after) for kind, _ in state.declared)
    return stated and before.declared != after.declared


def _side(
    graph: DependencyGraph,
    held: Mapping[PackageKey, PackageState],
    edges_: Mapping[EdgeKey, EdgeState],
    name: str | None,
) -> Side:
    root = graph.packages[0]
    said: tuple[str, ...] = ()
    if graph.lockfile.kind == SBOM_KIND:
        said = tuple(f.message for f in graph.findings if f.package is None and f.rule == "lockfile_sound")
    return Side(
        project=root.name,
        version=root.version,
        path=graph.lockfile.path if name is None else name,
        what=f"{graph.lockfile.kind} {graph.lockfile.version}",
        packages=len(held),
        edges=len(edges_),
        unknown=said,
    )


def _order(state: PackageState) -> tuple[VersionOrder, str]:
    return version_order(state.version), state.version


def _sorted(changes: list[PackageChange]) -> tuple[PackageChange, ...]:
    return tuple(sorted(changes, key=lambda c: (c.after.name, _order(c.before), _order(c.after))))


def _states(states: Iterable[PackageState]) -> tuple[PackageState, ...]:
    return tuple(sorted(states, key=lambda state: (state.name, _order(state))))
