"""Edges of an npm tree: what is declared, what it resolves to by npm's own walk, and what can be reached.

Source: npm's arborist (`Node.resolve`, `Node._loadDeps`, `Edge.satisfiedBy`, `depValid`, `calcDepFlags`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from posixpath import join, normpath
from typing import Any

from sbomgate.errors import InputError
from sbomgate.lockfiles._npm_source import commit_of, is_git
from sbomgate.lockfiles._range import satisfies
from sbomgate.model import Edge, EdgeKind
from sbomgate.strict_json import kind_of, place

Declared = dict[str, tuple[EdgeKind, str]]
"""Name → section and specifier: one declaration a name, as npm keeps it."""

_TARBALL = (".tgz", ".tar.gz", ".tar")
_FORGES = ("https://github.com/", "https://gitlab.com/", "https://bitbucket.org/", "http://github.com/")
_SHORTHAND = r"(?s)[^@/:\s#.~-][^@/:\s#]*/[^/:@\s#]+(#.*)?"
_EXACT = r"[v=]?\s*[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_BOUNDED = r"(?:\^|~>?)\s*v?[0-9][0-9A-Za-z.+*-]*|v?[0-9]+(?:\.[0-9]+)?(?:\.[xX*])*"

ANY, NEEDED, NO_DEV, NO_OPTIONAL, NO_DEV_OPTIONAL, NO_PEER, NO_DEV_PEER = 1, 2, 4, 8, 16, 32, 64
"""Bits of a package: it is reached at all; by edges that bring a package in; and by such edges none of which is dev;
optional; dev or optional; peer; dev or peer. An optional peer brings nothing in: npm installs nothing for its sake."""

_ALL = 127
_PASSES = {
    EdgeKind.WORKSPACE: _ALL,
    EdgeKind.DEV: _ALL & ~(NO_DEV | NO_DEV_OPTIONAL | NO_DEV_PEER),
    EdgeKind.OPTIONAL: _ALL & ~(NO_OPTIONAL | NO_DEV_OPTIONAL),
    EdgeKind.PEER: _ALL & ~(NO_PEER | NO_DEV_PEER),
    EdgeKind.PEER_OPTIONAL: ANY,
}


def declared(manifest: Mapping[str, Any], *, top: bool, where: str, at: tuple[str, ...] = ()) -> Declared:
    """Return what a package.json, or a lockfile's entry, declares.

    Where a name stands in several sections the last of peer, prod, optional and dev counts; dev only for the root,
    workspaces and link targets (`top`).

    Raises:
        InputError: a section is not an object of strings.
    """
    result: Declared = {}
    peers = manifest.get("peerDependencies")
    if peers is not None:
        meta = manifest.get("peerDependenciesMeta")
        meta = meta if type(meta) is dict else {}
        for name, spec in _section(peers, where, (*at, "peerDependencies")):
            details = meta.get(name)
            optional = type(details) is dict and bool(details.get("optional"))
            result[name] = (EdgeKind.PEER_OPTIONAL if optional else EdgeKind.PEER, spec)
    dependencies = manifest.get("dependencies")
    if dependencies is not None:
        for name, spec in _section(dependencies, where, (*at, "dependencies")):
            result[name] = (EdgeKind.PROD, spec)
    optionals = manifest.get("optionalDependencies")
    if optionals is not None:
        for name, spec in _section(optionals, where, (*at, "optionalDependencies")):
            result[name] = (EdgeKind.OPTIONAL, spec)
    if top and (development := manifest.get("devDependencies")) is not None:
        for name, spec in _section(development, where, (*at, "devDependencies")):
            result[name] = (EdgeKind.DEV, spec)
    return result


def _section(section: Any, where: str, at: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    if type(section) is not dict:
        raise InputError(f"{kind_of(section)}, expected an object", where=where, place=place(*at))
    for name, spec in section.items():
        if type(spec) is not str:
            raise InputError(f"{kind_of(spec)}, expected a string", where=where, place=place(*at, name))
    items: Iterable[tuple[str, str]] = section.items()
    return items


def prefixes(location: str) -> list[str]:
    """Return where npm looks for a dependency of the package at `location`, nearest first."""
    found = [f"{location}/node_modules/"] if location else []
    rest = location
    while rest:
        rest = rest.rpartition("/")[0]
        if rest == ".." or rest.endswith("/.."):
            return found  # outside the project nobody looks into the project's node_modules
        if rest and not rest.endswith("node_modules") and not rest.rpartition("/")[2].startswith("@"):
            found.append(f"{rest}/node_modules/")
    found.append("node_modules/")
    return found


def reach(roots: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Return package id → bits (`ANY`, `NO_DEV`, …) for everything that some chain of edges reaches from `roots`."""
    outgoing: dict[str, list[tuple[str, int]]] = {}
    prod = EdgeKind.PROD
    for edge in edges:
        target = edge.target
        if target is not None:
            pair = (target, _ALL if edge.kind is prod else _PASSES[edge.kind])
            if (pairs := outgoing.get(edge.source)) is None:
                outgoing[edge.source] = [pair]
            else:
                pairs.append(pair)
    bits = dict.fromkeys(roots, _ALL)
    todo = list(bits)
    while todo:
        source = todo.pop()
        own = bits[source]
        for target, passes in outgoing.get(source, ()):
            before = bits.get(target, 0)
            after = before | (own & passes)
            if after != before:
                bits[target] = after
                todo.append(target)
    return bits


def specifier(spec: str) -> str:
    """Return what a dependency specifier asks for: `range`, `alias`, `git`, `remote` or `file` (npm-package-arg).

    Tags (`latest`) count as `range`: only a registry answers either.
    """
    if ":" not in spec and "/" not in spec:
        return "file" if spec.endswith(_TARBALL) or (spec.startswith((".", "~/")) and spec != ".") else "range"
    if spec.startswith("npm:"):
        return "alias"
    if spec.startswith(("file:", "link:", "/", "./", "../", "~/", "workspace:", "portal:")):
        return "file"
    if is_git(spec) or re.fullmatch(_SHORTHAND, spec):
        return "git"
    if spec.startswith(("http://", "https://")):
        path = spec.partition("#")[0]
        forge = spec.startswith(_FORGES) and not path.endswith(_TARBALL)
        return "git" if forge and "/archive/" not in path and "/tarball/" not in path else "remote"
    return "git" if "@" in spec and ":" in spec else "range"


def alias_of(spec: str) -> tuple[str, str]:
    """Return the name and the range of an alias (`npm:@scope/name@^1`)."""
    name, _, range_ = spec[4:].rpartition("@")
    return (name, range_) if name else (spec[4:], "")


def satisfied(
    spec: str, source: str, target: str, name: str, version: str | None, resolved: str | None, *, linked: bool
) -> bool | None:
    """Whether an entry satisfies a specifier, as npm's `depValid` says; None where that cannot be told offline.

    `source` is the id of the package that declares `spec`; `target`, `name`, `version` and `resolved` are the entry's
    id, real name, version and origin; `linked` says that it was reached through a link.
    """
    match specifier(spec):
        case "range":
            if spec in ("", "*"):
                return True
            return None if version is None else satisfies(version, spec)
        case "alias":
            real, range_ = alias_of(spec)
            if real != name:
                return False
            return satisfied(range_, source, target, name, version, resolved, linked=linked)
        case "remote":
            return resolved == spec
        case "git":
            if resolved is None or not is_git(resolved):
                return False
            asked = commit_of(spec)
            return False if asked and asked != commit_of(resolved) else None
        case _:
            path = normpath(join(source, spec.partition(":")[2] if ":" in spec else spec))
            if linked:
                return path == target or (path == "." and target == "")
            if resolved is None or not resolved.startswith("file:"):
                return False
            return normpath(resolved[5:]) == path or None


def pinning(spec: str) -> str:
    """Return how tight a specifier is: `exact`, `range` (caret, tilde, `1.x`) or `floating` (anything may come)."""
    match specifier(spec):
        case "range":
            if re.fullmatch(_EXACT, spec.strip()):
                return "exact"
            return "range" if re.fullmatch(_BOUNDED, spec.strip()) else "floating"
        case "alias":
            range_ = alias_of(spec)[1]
            return pinning(range_) if range_ else "floating"
        case "git":
            return "exact" if commit_of(spec) else "floating"
        case "remote":
            return "floating"
        case _:
            return "exact"
