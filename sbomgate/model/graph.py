"""The dependency graph: what a lockfile, and the files beside it, say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def numerous(cls: type[_T]) -> type[_T]:
    """Make a dataclass of which there are ten thousand: frozen to the type checker, which reads every line of ours.

    At run time a frozen one takes two and a half times as long to make; these alone were a tenth of `generate`.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)


# --------------------------------------------------------------------------------------------------------------------
# Files of the project


class ProjectFiles(Protocol):
    """The project's files, as a reader may ask for them. The reader itself does no I/O.

    Each path is read from its source at most once: the digest and the parse come from the same bytes (PROMISES P10).
    """

    def read(self, path: str) -> bytes | None:
        """Return the bytes of `path` (POSIX, relative to the project), or None where there is no such file.

        Raises:
            InputError: unreadable, larger than its limit, or a link that leaves the project.
        """
        ...

    def has(self, path: str) -> bool:
        """Whether there is anything at `path`; nothing is read."""
        ...

    def names(self, path: str) -> tuple[str, ...]:
        """Names of what lies in the directory `path` ("" is the project's), sorted; none where it is no directory."""
        ...

    def is_link(self, path: str) -> bool:
        """Whether `path`, or a directory on the way to it, is a symbolic link."""
        ...

    def is_inside(self, path: str) -> bool:
        """Whether `path` (POSIX, relative, may hold `..`) stays within the repository."""
        ...

    def seen_from(self, directory: str, /) -> str:
        """Return the project's directory as a path (POSIX) relative to one above it (`..`)."""
        ...

    def digests(self) -> Mapping[str, str]:
        """SHA-256 (hex) of every file read so far, by path."""
        ...


# --------------------------------------------------------------------------------------------------------------------
# The dependency graph


class Kind(StrEnum):
    """Where an entry's bytes come from. Every entry has exactly one kind; an alias is a name, not a kind."""

    ROOT = "root"
    REGISTRY = "registry"
    GIT = "git"
    TARBALL = "tarball"  # an http(s) tarball that is not a registry's canonical URL
    FILE = "file"  # a tarball or a directory on disk, copied
    LINK = "link"  # a symbolic link to a directory that is not a workspace
    WORKSPACE = "workspace"  # first-party: a workspace, or the link to it
    BUNDLED = "bundled"  # inside the tarball of another package
    PATCH = "patch"
    UNKNOWN = "unknown"  # the lockfile does not say; never guessed


OWN_KINDS = (Kind.ROOT, Kind.WORKSPACE, Kind.LINK)
"""What is the project's own, and no package of a registry's. Found in a tuple quicker than in a set of enum members."""


class EdgeKind(StrEnum):
    """The section of package.json that an edge was declared in."""

    PROD = "prod"
    DEV = "dev"
    OPTIONAL = "optional"
    PEER = "peer"
    PEER_OPTIONAL = "peerOptional"
    WORKSPACE = "workspace"
    UNKNOWN = "unknown"  # an SBOM that another tool made: it says that there is an edge, and no more


@numerous
class Hash:
    """One hash of a Subresource Integrity string (W3C SRI): `algorithm` is sha1, sha256, sha384 or sha512."""

    algorithm: str
    hex: str


@numerous
class Package:
    """One entry of a lockfile.

    Attributes:
        id: the entry's own key, unique in the graph: for npm the install path (`node_modules/a/node_modules/b`), the
            empty string for the root project.
        name: the real name in the registry (of the target, where it is an alias); "" only for an unnamed root.
        version: as the lockfile states it, or None.
        alias: the name that it is installed under, where that differs from `name`.
        kind: where its bytes come from.
        resolved: the URL or path as the lockfile states it, verbatim (may hold credentials: `sbom` strips them).
        integrity: the integrity string verbatim, or None.
        hashes: what parsed of it, strongest algorithm first; malformed tokens are a Finding, not a hash.
        dev, optional, peer: recomputed from the graph: reached only by such edges. Never the lockfile's word.
        bundled_in: id of the package whose tarball holds it.
        target: id of the package that a link leads to.
        has_install_script: the lockfile's word; None where the format does not say.
        direct: the root project or a workspace declares it.
        reachable: some chain of edges leads to it from the root or a workspace.
        os, cpu, libc: platform limits as declared.
        engines: declared engines, name → range.
        licence: the lockfile's word, or None.
        deprecated: the lockfile's word, or None.
        line: 1-based line in the lockfile where the entry starts, or None.
        commands: names of the commands that the entry gives it (`bin`), sorted: what npm and bun link. None where the
            format does not say. The SBOM has what was found out with them (`facts:shadows`), not them.
        withheld: something was left out of `resolved` before it came here (read from an SBOM, PROMISES P40).
    """

    id: str
    name: str
    version: str | None
    alias: str | None = None
    kind: Kind
    resolved: str | None = None
    integrity: str | None = None
    hashes: tuple[Hash, ...] = ()
    dev: bool = False
    optional: bool = False
    peer: bool = False
    bundled_in: str | None = None
    target: str | None = None
    has_install_script: bool | None = None
    direct: bool = False
    reachable: bool = True
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    engines: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    deprecated: str | None = None
    line: int | None = None
    commands: tuple[str, ...] | None = field(default=None, compare=False)
    withheld: bool = False

    @property
    def sha512(self) -> str | None:
        """The only sha512 (hex) of the integrity, or None where there is none or more than one."""
        if len(self.hashes) == 1:  # as nearly all have
            return self.hashes[0].hex if self.hashes[0].algorithm == "sha512" else None
        found = {h.hex for h in self.hashes if h.algorithm == "sha512"}
        return found.pop() if len(found) == 1 else None


@numerous
class Edge:
    """One declared dependency.

    Attributes:
        source: id of the declaring package.
        target: id of the package that it resolves to, or None where nothing in the lockfile satisfies the name.
        name: the key it is declared under (the alias, for an alias).
        kind: the section it is declared in.
        range: the specifier verbatim (`^1.0.0`, `npm:axios@1`, `github:a/b#c`).
        satisfied: whether the target's version satisfies the range; None where that cannot be told (git, tag, URL).
    """

    source: str
    target: str | None
    name: str
    kind: EdgeKind
    range: str
    satisfied: bool | None = None


@numerous
class LockFinding:
    """Something that a lockfile, or the files beside it, says of itself that is wrong or worth knowing.

    Attributes:
        code: a stable word in kebab case, `docs/lockfiles.md` lists them.
        rule: the rule that judges it: lockfile_sound, bound_bytes, pinned, registries, exotic_sources or manager_code.
        package: id of the package concerned, or None.
        place: path in the document (`packages["node_modules/a"].integrity`).
        message: one sentence: what was found and what was expected.
    """

    code: str
    rule: str
    package: str | None
    place: str
    message: str


SBOM_KIND = "cyclonedx"
"""`Lockfile.kind` where an SBOM that another tool made stands for the lockfile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """The lockfile that was read: its path in the project, kind (`npm`), format version, digest and size in bytes."""

    path: str
    kind: str
    version: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """What the package manager obeys beside the lockfile, without any secret.

    Attributes:
        name: `npm`.
        registry: the default registry's URL, normalised, with a trailing slash.
        scopes: `@scope` → registry URL.
        settings: other settings that change what is fetched or run (`script-shell`, `omit-lockfile-registry-resolved`),
            verbatim, secrets left out.
        files: path → SHA-256 (hex) of each file that was read beside the lockfile (package.json, .npmrc, workspaces').
    """

    name: str
    registry: str
    scopes: Mapping[str, str]
    settings: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyGraph:
    """Everything that a lockfile says: each entry once, each edge, and what is wrong with it.

    `packages` is sorted by id and holds the root (id "") first; `edges` is sorted by (source, name, kind).
    `workspace` is None for the whole; else this is the part that belongs to one workspace, which is the root, and
    `workspace` its directory relative to the lockfile's ("." for the root project without its workspaces).
    """

    lockfile: Lockfile
    manager: ManagerSettings
    packages: tuple[Package, ...]
    edges: tuple[Edge, ...]
    findings: tuple[LockFinding, ...]
    workspace: str | None = None

    def named_edges(self) -> Iterator[tuple[str, str, Edge]]:
        """Yield every edge that leads to a package, with the real names of its two ends ("" for the root)."""
        names = {package.id: "" if package.kind is Kind.ROOT else package.name for package in self.packages}
        for edge in self.edges:
            if edge.target in names and edge.source in names:
                yield names[edge.source], names[edge.target], edge

    def chains(self, starts: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return id → one shortest chain of names from one of `starts` (ids), of all that can be reached from them."""
        onward: dict[str, list[str]] = {}
        for edge in self.edges:
            if edge.target is not None:
                onward.setdefault(edge.source, []).append(edge.target)
        label = {package.id: package.alias or package.name or "." for package in self.packages}
        queue = list(starts)
        found: dict[str, tuple[str, ...]] = {start: (label.get(start, "."),) for start in queue}
        for current in queue:
            for target in onward.get(current, ()):
                if target not in found:
                    found[target] = (*found[current], label.get(target, target))
                    queue.append(target)
        return found
