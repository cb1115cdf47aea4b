"""What to collect for a dependency graph: pure, no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sbomgate.facts.assembly import key_of, why_nothing
from sbomgate.model import Absence, DependencyGraph, FactKey, Kind, ManagerSettings, Missing


class Measured(StrEnum):
    """Which packages are measured against the releases before them."""

    ALWAYS = "always"  # new or changed against the last approved build
    YOUNG = "young"  # without an approved build: only where it was published lately
    NEVER = "never"  # approved as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to collect about.

    Attributes:
        key: name, version, integrity.
        sha512: hex, the only one of the integrity, or None: then no tarball can be bound to the lockfile.
        registry: URL to ask, or None where none is to be asked; `nowhere` then says why.
        resolved: the lockfile's URL of the tarball, or None.
        measured: whether its earlier releases are asked for too.
    """

    key: FactKey
    sha512: str | None
    registry: str | None
    resolved: str | None
    nowhere: Missing | None
    measured: Measured = Measured.NEVER


def measure(parts: Iterable[tuple[DependencyGraph, Collection[FactKey] | None]]) -> dict[FactKey, Measured]:
    """Return which packages are measured against the releases before them.

    Args:
        parts: each graph that is decided about, with what its last approved build held, or None where there is none.
            What one of them had not approved is measured for all.
    """
    found: dict[FactKey, Measured] = {}
    for graph, approved in parts:
        for package in graph.packages:
            if package.kind is not Kind.REGISTRY:
                continue
            key = key_of(package)
            if approved is not None and not (key in approved and key.integrity):
                found[key] = Measured.ALWAYS
            elif approved is None:
                found.setdefault(key, Measured.YOUNG)
    return found


def wanted(
    graph: DependencyGraph,
    *,
    first_party: Sequence[str] = (),
    measured: Mapping[FactKey, Measured] | None = None,
) -> tuple[Wanted, ...]:
    """Return what to collect for a graph: once per (name, version, integrity), sorted.

    Packages from a registry are asked for there, under their real name. Tarballs from a URL or a file are only looked
    for in the package managers' caches, by their digest. Everything else has no facts of its own: bundled packages are
    in the facts of the package that holds them.

    Args:
        graph: what the lockfile says.
        first_party: scopes (`@acme`, `@acme/*`) and names that no registry is asked about.
        measured: of `measure`; about what is not in it, nobody asks what was released before.
    """
    found: dict[FactKey, Wanted] = {}
    for package in graph.packages:
        if package.kind not in (Kind.REGISTRY, Kind.TARBALL, Kind.FILE) or package.bundled_in is not None:
            continue
        key = key_of(package)
        nowhere = why_nothing(package)
        if nowhere is None and is_first_party(package.name, first_party):
            reason = "first-party: the trust file asks for no public evidence of it"
            nowhere = Missing(absence=Absence.NOT_APPLICABLE, reason=reason)
        if nowhere is not None and package.sha512 is None:
            continue
        one = Wanted(
            key=key,
            sha512=package.sha512,
            registry=None if nowhere else registry_of(package.name, graph.manager),
            resolved=package.resolved,
            nowhere=nowhere,
            measured=(measured or {}).get(key, Measured.NEVER),
        )
        known = found.get(key)
        if known is None or (known.registry is None, known.resolved is None) > (
            one.registry is None,
            one.resolved is None,
        ):
            found[key] = one
    return tuple(found[key] for key in sorted(found))


def registry_of(name: str, manager: ManagerSettings) -> str:
    """Return the registry that the package manager asks about a name."""
    scope, slash, _ = name.partition("/")
    return manager.scopes.get(scope, manager.registry) if slash else manager.registry


def is_first_party(name: str, first_party: Sequence[str]) -> bool:
    """Whether a name is among the scopes and names that no registry is asked about."""
    return any(
        name == one or name.startswith(one.removesuffix("*").removesuffix("/") + "/")
        for one in first_party
        if one.startswith("@") or name == one
    )
