"""What both yarn readers share: the project's files, edges and what they prove, findings, and the graph itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from posixpath import join, normpath
from typing import Any

from sbomgate.errors import InputError
from sbomgate.lockfiles import _above, _npmrc, _yarnrc
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles._npm_manifest import MAX_MANIFEST_BYTES, package_managers
from sbomgate.lockfiles._range import parse_version
from sbomgate.lockfiles._told import order
from sbomgate.model import (
    DependencyGraph,
    Edge,
    EdgeKind,
    Hash,
    Kind,
    Lockfile,
    LockFinding,
    ManagerSettings,
    Package,
    ProjectFiles,
)
from sbomgate.purl import public_url
from sbomgate.strict_json import kind_of, load_object, place

MAX_ENTRIES = 500_000
"""Most entries of a lockfile: four times the largest monorepo known; a million is an attack on memory."""

NAME = re.compile(r"(?:@[a-zA-Z0-9~-][a-zA-Z0-9._~-]*/)?[a-zA-Z0-9~_-][a-zA-Z0-9._~!'()*-]*")
"""Names that npm allows, those of its first years included."""

_SECTIONS = {
    EdgeKind.PROD: "dependencies",
    EdgeKind.DEV: "devDependencies",
    EdgeKind.OPTIONAL: "optionalDependencies",
    EdgeKind.PEER: "peerDependencies",
    EdgeKind.PEER_OPTIONAL: "peerDependencies",
}
_OWN = (Kind.ROOT, Kind.WORKSPACE)
_PEERS = (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)
HINT = "let yarn write the file again: yarn install --mode=update-lockfile (yarn 1: yarn install --ignore-scripts)"


@dataclass(slots=True, kw_only=True)
class Node:
    """A package in the making; `declared` is what it depends on, `directory` where an own or linked one lies."""

    id: str
    name: str
    version: str | None
    kind: Kind
    alias: str | None = None
    resolved: str | None = None
    integrity: str | None = None
    hashes: tuple[Hash, ...] = ()
    target: str | None = None
    line: int | None = None
    directory: str | None = None
    declared: links.Declared = field(default_factory=dict)
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    commands: tuple[str, ...] | None = None  # what the lockfile's `bin` names, None where the format has none
    kept: bool = False  # yarn keeps the entry though nothing depends on it


class Project:
    """The project around one yarn.lock, while it is read."""

    def __init__(self, files: ProjectFiles, path: str, data: bytes) -> None:
        """Take the lockfile's path and bytes; the project is the directory that holds it."""
        self.files = files
        self.path = path
        self.data = data
        directory = path.rpartition("/")[0]
        self.base = directory + "/" if directory else ""
        self.findings: list[LockFinding] = []
        self.settings = _yarnrc.Settings()
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self._beside: set[str] = set()
        self._manifests: dict[str, dict[str, Any] | None] = {}

    # -- files beside the lockfile

    def beside(self, path: str) -> bytes | None:
        """Return the bytes of a file that yarn reads as well, None where there is none."""
        full = normpath(self.base + path)
        data = self.files.read(full)
        if data is not None:
            self._beside.add(full)
        return data

    def manifest(self, directory: str) -> dict[str, Any] | None:
        """Return the package.json of a directory of the repository ("" is the project), None where there is none."""
        if directory not in self._manifests:
            name = f"{directory}/package.json" if directory else "package.json"
            inside = not directory or self.files.is_inside(self.base + directory)
            data = self.beside(name) if inside else None
            self._manifests[directory] = (
                None if data is None else load_object(data, normpath(self.base + name), limit=MAX_MANIFEST_BYTES)
            )
        return self._manifests[directory]

    def root(self) -> dict[str, Any]:
        """Return the project's package.json.

        Raises:
            InputError: there is none; a yarn.lock does not say what the project declares.
        """
        manifest = self.manifest("")
        if manifest is None:
            raise InputError(
                "missing, and a yarn.lock alone does not say what the project declares",
                where=self.base + "package.json",
                hint="the lockfile's directory must hold the project's package.json",
            )
        return manifest

    def declared(self, directory: str, *, top: bool) -> links.Declared:
        """Return what the package.json of a directory declares; `top`: development dependencies as well.

        A name that is declared for production and for development is no development dependency, whatever the range.
        """
        manifest = self.manifest(directory)
        if manifest is None:
            return {}
        where = self.base + (f"{directory}/package.json" if directory else "package.json")
        found = links.declared(manifest, top=top, where=where)
        if top and "devDependencies" in manifest:
            for section, kind in (("optionalDependencies", EdgeKind.OPTIONAL), ("dependencies", EdgeKind.PROD)):
                for name in manifest.get(section) or ():
                    if name in found and found[name][0] is EdgeKind.DEV:
                        found[name] = (kind, found[name][1])
        return found

    def resolutions(self) -> dict[str, str]:
        """Return `resolutions` of the root's package.json: pattern → range; each is a finding.

        Raises:
            InputError: not an object of strings.
        """
        section = self.root().get("resolutions")
        if section is None:
            return {}
        where = self.base + "package.json"
        if type(section) is not dict:
            raise InputError(f"{kind_of(section)}, expected an object", where=where, place="resolutions")
        for pattern, value in section.items():
            if type(value) is not str:
                message = f"{kind_of(value)}, expected a string"
                raise InputError(message, where=where, place=place("resolutions", pattern))
            shown = public_url(pattern) if "://" in pattern else pattern
            message = f"{shown} is replaced by {public_url(value) or '*'}"
            self.find("override", "pinned", None, f"package.json {place('resolutions', shown)}", message)
        return section

    def load_settings(self, *, npmrc: bool) -> None:
        """Read `.yarnrc.yml`, `.yarnrc` and (yarn 1) `.npmrc`.

        Both of yarn's own are read for every yarn: the one that is installed on a machine first runs the one that
        `yarnPath` or `yarn-path` names, in whichever file that stands.
        """
        # The nearest goes before those further up: they are read from the farthest on, and .npmrc before yarn's own.
        folders = [*reversed(_above.directories(self.files, self.base)), ""]
        told: _npmrc.Npmrc | None = None
        for folder in folders if npmrc else ():
            path = join(folder, ".npmrc")
            if (data := self.beside(path)) is not None:
                fetches = _yarnrc.NPMRC_FETCHES
                told = _npmrc.parse(data, self.base + path, fetches=fetches, redirects=fetches, above=told)
        if told is not None:
            self.settings.registry = _yarnrc.public_name(told.registry)
            self.settings.scopes |= {scope: _yarnrc.public_name(url) for scope, url in told.scopes.items()}
            self.settings.settings |= told.settings
            public = self.settings.registry == _npmrc.PUBLIC_REGISTRY
            self.findings += [f for f in told.findings if not (public and f.message.endswith(_yarnrc.YARN_REGISTRY))]
        for folder in folders:
            self.settings.folder = folder
            for name, parse in ((".yarnrc", _yarnrc.parse_classic), (".yarnrc.yml", _yarnrc.parse_berry)):
                path = join(folder, name)
                if (data := self.beside(path)) is not None:
                    parse(data, self.base + path, self.settings)
        for name in _yarnrc.paths(self.settings):
            # What yarn runs is part of what was judged: the same path with another content is another setting.
            if self.files.is_inside(self.base + name) and (code := self.beside(name)) is not None:
                self.settings.settings[f"{normpath(name)} sha256"] = sha256(code).hexdigest()
        if not npmrc:
            self._load_environment()
        self.findings += self.settings.findings

    def _load_environment(self) -> None:
        """Find the files (.env.yarn) whose variables yarn 4 sets for every script: NODE_OPTIONS runs a file."""
        for name in self.settings.environment:
            inside = name[:1] not in "/~" and "${" not in name and self.files.is_inside(self.base + name)
            if inside and (data := self.beside(name)) is not None:
                self.settings.settings[f"{normpath(name)} sha256"] = sha256(data).hexdigest()
                message = "yarn sets the variables of this file for every script that it runs"
                self.find("npmrc-runs-code", "manager_code", None, self.base + name, message)

    # -- findings

    def find(self, code: str, rule: str, package: str | None, where: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(LockFinding(code=code, rule=rule, package=package, place=where, message=message))

    def place(self, node: Node, *keys: str) -> str:
        """Return the place of an entry, or of a field of it; never a line, which moves."""
        return place(node.id, *keys).removeprefix(".") if node.id else place(*keys)

    def judge_name(self, node: Node, lower: dict[str, Node]) -> None:
        """Judge the name and version of an entry that is not the project's own."""

        def find(code: str, rule: str, message: str, *keys: str) -> None:
            self.find(code, rule, node.id, self.place(node, *keys), message)

        name, key, version = node.name, node.alias or node.name, node.version
        if not NAME.fullmatch(name) or len(name) > 214 or (key != name and not NAME.fullmatch(key)):
            find("name-invalid", "lockfile_sound", "not a name that npm allows")
        small = name.lower()
        if small != name:
            find("name-case", "lockfile_sound", "upper case, which only old packages of the registry have")
        other = lower.setdefault(small, node)
        if other.name != name:
            # Of both: which of the two is new, the reader does not know.
            find("name-case-collision", "lockfile_sound", f"differs from {other.name} by case only")
            message = f"differs from {name} by case only"
            self.find("name-case-collision", "lockfile_sound", other.id, self.place(other), message)
        if node.kind in (Kind.REGISTRY, Kind.PATCH) and (version is None or parse_version(version) is None):
            message = "no version" if version is None else f"{version[:60]!a} is no version"
            find("version-invalid", "bound_bytes", message)
        if version is not None and "-" in version.partition("+")[0]:
            find("prerelease", "pinned", f"{version[:60]} is a prerelease", "version")

    def judge_link(self, node: Node, path: str) -> None:
        """Judge a link to a directory that is no workspace."""
        if path.startswith("/") or not self.files.is_inside(self.base + path):
            message = f"a link to {public_url(path)}, outside the repository"
            self.find("link-outside", "exotic_sources", node.id, self.place(node), message)
        else:
            message = f"a link to the directory {path or '.'}, which is no workspace"
            self.find("link", "exotic_sources", node.id, self.place(node), message)

    def judge_edges(
        self, pinning: dict[tuple[str, str], str], *, drops: Callable[[Edge], bool] = lambda _: False
    ) -> None:
        """Judge every edge.

        Args:
            pinning: how tight what a package of the project's own declares is.
            drops: whether yarn ignores the entry that an edge leads to, if that does not meet its range.
        """
        own = {node.id for node in self.nodes.values() if node.kind in _OWN}
        for edge in self.edges:
            mine = edge.source in own
            where = self.edge_place(edge)
            asked = f"{edge.name}@{public_url(edge.range) or '*'}"
            if mine and edge.kind not in (*_PEERS, EdgeKind.WORKSPACE) and edge.target not in own:
                match pinning.get((edge.source, edge.name)):
                    case "range":
                        message = f"{asked} is a range, held by the lockfile alone"
                        self.find("declared-range", "pinned", edge.source, where, message)
                    case "floating":
                        self.find("declared-floating", "pinned", edge.source, where, f"{asked} may become anything")
                    case _:
                        pass
            if edge.kind in _PEERS:
                if edge.kind is EdgeKind.PEER and edge.satisfied is None and edge.target is None:
                    message = f"nobody who depends on it provides the peer {asked}"
                    self.find("peer-unmet", "lockfile_sound", edge.source, where, message)
                elif edge.satisfied is False:
                    message = f"the peer {asked} is provided in another version"
                    self.find("peer-invalid", "lockfile_sound", edge.source, where, message)
            elif edge.target is None:
                code, rule = ("lock-drift", "pinned") if mine else ("dependency-missing", "lockfile_sound")
                self.find(code, rule, edge.source, where, f"no entry for {asked}")
            elif edge.satisfied is False:
                target = self.nodes[edge.target]
                got = target.version or public_url(target.resolved or "an unknown version")
                message = f"{asked} is not satisfied by {got} at {edge.target or 'the root'}"
                dropped = drops(edge)
                if dropped:
                    message += ": yarn ignores that entry, and installs what the registry says on that day"
                code, rule = ("lock-drift", "pinned") if mine or dropped else ("range-unsatisfied", "lockfile_sound")
                self.find(code, rule, edge.source, where, message)

    def edge_place(self, edge: Edge) -> str:
        """Return where an edge is declared."""
        if edge.kind is EdgeKind.WORKSPACE:
            return "package.json workspaces"
        node = self.nodes[edge.source]
        section = _SECTIONS[edge.kind]
        if node.directory is not None and self._manifests.get(node.directory) is not None:
            file = f"{node.directory}/package.json" if node.directory else "package.json"
            return f"{file} {place(section, edge.name)}"
        return self.place(node, section, edge.name)

    def judge_files(self, workspaces: Iterable[str]) -> None:
        """Judge the files themselves: links, lockfiles of workspaces, `packageManager`."""
        if self.files.is_link(self.path):
            message = "a symbolic link: another change than the one reviewed can replace it"
            self.find("symlinked-lockfile", "lockfile_sound", None, self.path, message)
        for name in sorted(self._beside):
            if self.files.is_link(name):
                self.find("symlinked-manifest", "lockfile_sound", None, name, "a symbolic link")
        for directory in sorted(workspaces):
            name = f"{self.base}{directory}/yarn.lock"
            if directory and self.files.has(name):
                message = "a workspace's own lockfile, which is not the one that was judged"
                self.find("nested-lockfile", "lockfile_sound", None, name, message)
        for code, where, message in package_managers(self.root()):
            self.find(code, "manager_code", None, where, message)

    # -- the graph

    def graph(self, version: str) -> DependencyGraph:
        """Return the graph of the nodes and edges, everything sorted, flags recomputed from the edges."""
        own = sorted(node.id for node in self.nodes.values() if node.kind in _OWN)
        self.edges.sort(key=lambda edge: (edge.source, edge.name, edge.kind.value, edge.target or ""))
        bits = links.reach(own, self.edges)
        direct = {edge.target for edge in self.edges if edge.source in own}
        packages: list[Package] = []
        for id_ in sorted(self.nodes):
            node = self.nodes[id_]
            mask = bits.get(id_, 0)
            if not mask and not node.kept:
                message = "nothing depends on it: yarn would remove it"
                self.find("unreachable-entry", "lockfile_sound", id_, self.place(node), message)
            packages.append(
                Package(
                    id=id_,
                    name=node.name,
                    version=node.version,
                    alias=node.alias,
                    kind=node.kind,
                    resolved=node.resolved,
                    integrity=node.integrity,
                    hashes=node.hashes,
                    dev=bool(mask & links.NEEDED) and not mask & links.NO_DEV,
                    optional=bool(mask) and not mask & links.NO_OPTIONAL,
                    peer=False,  # yarn installs nothing for the sake of a peer
                    target=node.target,
                    has_install_script=None,
                    direct=id_ in direct,
                    reachable=bool(mask),
                    os=node.os,
                    cpu=node.cpu,
                    libc=node.libc,
                    commands=node.commands,
                    line=node.line,
                )
            )
        digests = self.files.digests()
        self.findings.sort(key=order)
        return DependencyGraph(
            lockfile=Lockfile(
                path=self.path,
                kind="yarn",
                version=version,
                sha256=sha256(self.data).hexdigest(),
                size=len(self.data),
            ),
            manager=ManagerSettings(
                name="yarn",
                registry=self.settings.registry,
                scopes=dict(sorted(self.settings.scopes.items())),
                settings=dict(sorted(self.settings.settings.items())),
                files={name: digests[name] for name in sorted(self._beside)},
            ),
            packages=tuple(packages),
            edges=tuple(self.edges),
            findings=tuple(self.findings),
        )


def relative(directory: str, path: str) -> str:
    """Return the normal form of a path that the package in `directory` names, relative to the project; "" is that."""
    found = normpath(join(directory, path))
    return "" if found == "." else found


def own_name(manifest: dict[str, Any] | None, directory: str) -> str:
    """Return the name of one of the project's own packages: its package.json's, else the directory's."""
    name = (manifest or {}).get("name")
    return name if type(name) is str else directory.rpartition("/")[2]


def own_version(manifest: dict[str, Any] | None) -> str | None:
    """Return the version of one of the project's own packages, None where its package.json has none."""
    version = (manifest or {}).get("version")
    return version if type(version) is str else None
