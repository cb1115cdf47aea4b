"""What differs between two dependency graphs: the types of `sbomgate.diff`."""

from __future__ import annotations

from dataclasses import dataclass


def _origin(source: str) -> str:
    """Return what stays the same in an update: a registry without the path, everything else without the commit."""
    start, separator, _ = source.partition("://")
    if separator and "/-/" in source:
        return f"{start}://{source[len(start) + 3 :].partition('/')[0]}".lower()
    return source.partition("#")[0]


PackageKey = tuple[str, str]
"""Real name and version ("" where none is stated)."""

EdgeKey = tuple[str, str]
"""Real names of the package that depends ("" for the project itself) and of what it depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageState:
    """One version of a package in one graph, all its copies together; every tuple is sorted.

    Attributes:
        integrities: the integrity strings; none where the graph states none.
        sources: addresses without secrets; none where the graph states none.
        kinds: where the bytes come from (`registry`, `git`).
        install_script: the lockfile's word; None where it has none.
        aliases: names that it is installed under beside its own.
        places: ids of the copies in their graph.
    """

    name: str
    version: str
    integrities: tuple[str, ...]
    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    install_script: bool | None
    direct: bool
    aliases: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package on both sides: another version, or the same one with something else about it."""

    before: PackageState
    after: PackageState

    @property
    def same_version(self) -> bool:
        """Whether it is the same version on both sides."""
        return self.before.version == self.after.version

    @property
    def other_bytes(self) -> bool:
        """Whether the same version stands for other bytes: both sides state an integrity, and share none."""
        before, after = set(self.before.integrities), set(self.after.integrities)
        return self.same_version and bool(before) and bool(after) and not before & after

    @property
    def new_script(self) -> bool:
        """Whether there is an install script that was not there, or not known to be there."""
        return self.after.install_script is True and self.before.install_script is not True

    @property
    def source_changed(self) -> bool:
        """Whether the bytes come from elsewhere: another address of the same version, another origin of an update."""
        before, after = self.before, self.after
        if not before.sources or not after.sources:
            return False
        if self.same_version:
            return before.sources != after.sources
        return {_origin(source) for source in before.sources} != {_origin(source) for source in after.sources}

    @property
    def lost_integrity(self) -> bool:
        """Whether an integrity was stated and is no more."""
        return bool(self.before.integrities) and not self.after.integrities


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeState:
    """One dependency between two names in one graph: `declared` is each (kind, range), sorted; secrets left out."""

    source: str
    target: str
    declared: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeChange:
    """A dependency on both sides that is declared otherwise."""

    before: EdgeState
    after: EdgeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two graphs.

    Attributes:
        path: what it is called; what: kind and version of the lockfile (`npm 3`).
        packages, edges: how many, as `sbomgate.diff` counts them.
        unknown: what it does not say, one sentence each.
    """

    project: str
    version: str | None
    path: str
    what: str
    packages: int
    edges: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that differs, each thing once, each tuple sorted by name and version.

    Attributes:
        other_bytes: the same version with another integrity: an edited file, or a registry that serves something else.
        new: versions of names that were not there at all.
        updated: another version in place of one that is gone.
        added: further versions of names that were there.
        removed: versions that are gone, with nothing in their place.
        altered: the same version with another source, another word on install scripts, or an integrity on one side.
        edges_added, edges_removed, edges_changed: dependencies between names.
    """

    before: Side
    after: Side
    other_bytes: tuple[PackageChange, ...]
    new: tuple[PackageState, ...]
    updated: tuple[PackageChange, ...]
    added: tuple[PackageState, ...]
    removed: tuple[PackageState, ...]
    altered: tuple[PackageChange, ...]
    edges_added: tuple[EdgeState, ...]
    edges_removed: tuple[EdgeState, ...]
    edges_changed: tuple[EdgeChange, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not any(
            (
                self.other_bytes,
                self.new,
                self.updated,
                self.added,
                self.removed,
                self.altered,
                self.edges_added,
                self.edges_removed,
                self.edges_changed,
            )
        )
