"""One workspace of a monorepo as a dependency graph of its own: what belongs to it, and nothing else.

Pure: the graph of the whole lockfile and the package.json of its workspaces in, a graph out. docs/monorepos.md says
what belongs to a workspace, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sbomgate.errors import InputError, UsageError
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles._reading import reached
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind, LockFinding, Package

ROOT = "."
"""The path of the root project."""

MAX_SHOWN = 8
"""Workspaces that a message names."""

_OWN = frozenset({Kind.ROOT, Kind.WORKSPACE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace of a lockfile: its directory relative to the lockfile's ("." for the root), package id, and name."""

    path: str
    id: str
    name: str


def workspaces(graph: DependencyGraph, directory_of: Callable[[Package], str | None]) -> tuple[Workspace, ...]:
    """Return the root project and every workspace that the lockfile knows, the root first, then by path."""
    found = [
        Workspace(path=directory, id=package.id, name=package.name)
        for package in graph.packages
        if package.kind in _OWN and (directory := ROOT if not package.id else directory_of(package)) is not None
    ]
    return tuple(sorted(found, key=lambda one: (one.path != ROOT, one.path)))


def choose(known: Iterable[Workspace], name: str) -> Workspace:
    """Return the workspace of that path or name; see `lockfiles.choose`."""
    path = name.removeprefix("./").rstrip("/") or (ROOT if name == "./" else "")
    named = "" if name.startswith("./") else name
    found = {one.path: one for one in known if one.path == path or (named and one.name == named)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise UsageError(
            f"several workspaces are meant: {', '.join(_shown(one) for one in found.values())}",
            where="--workspace",
            place=name,
            hint="name it by its directory: `./DIRECTORY`",
        )
    others = [one for one in known if one.path != ROOT]
    if not others:
        raise UsageError(
            "the lockfile knows no workspaces", where="--workspace", place=name, hint="leave --workspace out"
        )
    listed = "; ".join(_shown(one) for one in _nearest(others, name)[:MAX_SHOWN])
    more = f"; and {len(others) - MAX_SHOWN} more" if len(others) > MAX_SHOWN else ""
    raise UsageError(
        "the lockfile knows no such workspace",
        where="--workspace",
        place=name,
        hint=f"there are {listed}{more}",
    )


def _nearest(known: Iterable[Workspace], name: str) -> list[Workspace]:
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(b=name[:200], autojunk=False)

    def likeness(text: str) -> float:
        matcher.set_seq1(text[:200])
        return matcher.ratio()

    return sorted(known, key=lambda one: (-max(likeness(one.path), likeness(one.name)), one.path))


def _shown(one: Workspace) -> str:
    return one.path if one.name in (one.path, one.path.rpartition("/")[2]) else f"{one.path} ({one.name})"


def sub_graph(
    graph: DependencyGraph,
    workspace: Workspace,
    known: Iterable[Workspace],
    manifests: Mapping[str, Mapping[str, Any]],
) -> DependencyGraph:
    """Return the graph of one workspace, which is its root: "" is its id there, and "." that of the root project.

    Every edge of the result leads to a package of the result, and every package is reached from the root; but for the
    root project, which also holds what no workspace reaches. `dev`, `optional`, `peer`, `direct` and `reachable` are
    computed anew. Lockfile and settings are those of the whole.

    Args:
        graph: of the whole lockfile.
        workspace: one of `known`.
        known: all workspaces.
        manifests: package id → package.json of each workspace and of the root, as far as it is there.

    Raises:
        InputError: an entry of the lockfile has the id "."; a package.json is malformed.
    """
    own = {one.id for one in known}
    others = own - {""}
    edges = _edges(graph, own, {workspace.id}, manifests)
    start = {workspace.id}
    if workspace.id:
        edges += _of_the_manager(graph, workspace.id)
    else:
        start |= {package.id for package in graph.packages} - _closure(
            graph, _edges(graph, own, others, manifests), others
        )
    kept = _closure(graph, edges, start)
    edges = [edge for edge in edges if edge.source in kept]
    if workspace.id and ROOT in kept:
        raise InputError("an entry with the id of the root project", where=graph.lockfile.path, place=ROOT)
    ids = {workspace.id: "", "": ROOT} if workspace.id else {}
    bits = links.reach([workspace.id], edges)
    direct = {edge.target for edge in edges if edge.source in own}
    packages = [
        _package(package, bits, direct, ids)
        for package in graph.packages
        if package.id in kept and not (_is_link(package) and package.target == workspace.id)
    ]
    held = {package.id for package in packages}
    return DependencyGraph(
        lockfile=graph.lockfile,
        manager=graph.manager,
        packages=tuple(sorted(packages, key=lambda package: package.id)),
        edges=tuple(
            sorted(
                (_edge(edge, ids) for edge in edges),
                key=lambda edge: (edge.source, edge.name, edge.kind.value, edge.target or ""),
            )
        ),
        findings=tuple(_findings(graph, ids, held)),
        workspace=workspace.path,
    )


def _edges(
    graph: DependencyGraph, own: Collection[str], roots: Collection[str], manifests: Mapping[str, Mapping[str, Any]]
) -> list[Edge]:
    """Return the edges that hold when `roots` are installed for themselves, and all else only as their dependency.

    No workspace depends on those that it merely contains. A dependency brings no devDependencies, but what is among its
    peers too: a linked workspace resolves those from its own directory.
    """
    found: list[Edge] = []
    for edge in graph.edges:
        top = edge.source in roots
        if edge.source in own and (edge.kind is EdgeKind.WORKSPACE or (edge.kind is EdgeKind.DEV and not top)):
            declared = links.declared(manifests.get(edge.source, {}), top=top, where="package.json")
            if edge.name not in declared:
                continue
            kind, range_ = declared[edge.name]
            edge = replace(edge, kind=kind, range=range_)
        found.append(edge)
    return found


def _of_the_manager(graph: DependencyGraph, root: str) -> list[Edge]:
    """Return edges from `root` to what the root project has the package manager run: it does so for every workspace."""
    run = {finding.package for finding in graph.findings if finding.rule == "manager_code" and finding.package}
    return [replace(edge, source=root) for edge in graph.edges if not edge.source and edge.target in run]


def _closure(graph: DependencyGraph, edges: Iterable[Edge], start: Collection[str]) -> set[str]:
    """Return the ids that `start` leads to: by edges, from a link to its target and back, into and out of a bundle."""
    onward: dict[str, list[str]] = {}
    for edge in edges:
        if edge.target is not None:
            onward.setdefault(edge.source, []).append(edge.target)
    for package in graph.packages:
        for other, back in ((package.target, _is_link(package)), (package.bundled_in, True)):
            if other is not None:
                onward.setdefault(package.id, []).append(other)
                if back:
                    onward.setdefault(other, []).append(package.id)
    known = {package.id for package in graph.packages}
    found = set(start)
    todo = list(found)
    while todo:
        for target in onward.get(todo.pop(), ()):
            if target in known and target not in found:
                found.add(target)
                todo.append(target)
    return found


def _is_link(package: Package) -> bool:
    return package.target is not None and package.kind in (Kind.WORKSPACE, Kind.LINK)


def _package(
    package: Package, bits: Mapping[str, int], direct: Collection[str | None], ids: Mapping[str, str]
) -> Package:
    id_ = ids.get(package.id, package.id)
    if not id_:
        return replace(
            package, id="", kind=Kind.ROOT, resolved=None, direct=package.id in direct, **reached(bits[package.id])
        )
    reached_as = package.target if package.target is not None and _is_link(package) else package.id
    return replace(
        package,
        id=id_,
        kind=Kind.WORKSPACE if package.kind is Kind.ROOT else package.kind,
        name=package.name or ROOT,
        target=None if package.target is None else ids.get(package.target, package.target),
        bundled_in=None if package.bundled_in is None else ids.get(package.bundled_in, package.bundled_in),
        direct=reached_as in direct,
        **reached(bits.get(reached_as, 0)),
    )


def _edge(edge: Edge, ids: Mapping[str, str]) -> Edge:
    if edge.source not in ids and edge.target not in ids:
        return edge
    target = None if edge.target is None else ids.get(edge.target, edge.target)
    return replace(edge, source=ids.get(edge.source, edge.source), target=target)


def _findings(graph: DependencyGraph, ids: Mapping[str, str], held: Collection[str]) -> Iterable[LockFinding]:
    """Yield what concerns the whole lockfile, or a package that is held.

    What the root project's own entry contradicts is a contradiction of the lockfile that all are installed from; what
    it declares loosely is its own affair.
    """
    for finding in graph.findings:
        if finding.package is None:
            yield finding
            continue
        package = ids.get(finding.package, finding.package)
        if package in held:
            yield finding if package == finding.package else replace(finding, package=package)
        elif not finding.package and finding.rule != "pinned":
            yield replace(finding, package=None)
