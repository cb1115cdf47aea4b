"""What the readers of pnpm and bun have in common: files beside the lockfile, findings, and the packages' last step."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from posixpath import join, normpath
from typing import Any, NoReturn

from sbomgate.errors import InputError
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles import _npmrc
from sbomgate.lockfiles._integrity import parse as parse_integrity
from sbomgate.lockfiles._npm_manifest import MAX_MANIFEST_BYTES, package_managers
from sbomgate.lockfiles._npm_source import Registries
from sbomgate.lockfiles._range import parse_version, satisfies
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
SECTIONS = (
    ("dependencies", EdgeKind.PROD),
    ("optionalDependencies", EdgeKind.OPTIONAL),
    ("devDependencies", EdgeKind.DEV),
)
_SECTION_OF = {kind: section for section, kind in SECTIONS}


class Reading:
    """One lockfile while it is read."""

    manager = ""
    kind = ""
    hint = ""

    def __init__(self, files: ProjectFiles, path: str) -> None:
        self.files = files
        self.path = path
        directory = path.rpartition("/")[0]
        self.base = directory + "/" if directory else ""
        self.beside: list[str] = []
        self.findings: list[LockFinding] = []
        self.edges: list[Edge] = []
        self.manifests: dict[str, dict[str, Any]] = {}
        self.npmrc = _npmrc.Npmrc()
        self.settings: dict[str, str] = {}
        self._lower: dict[str, tuple[str, str, str]] = {}  # name in lower case → name, package, place
        data = files.read(path)
        if data is None:
            raise InputError("no such file", where=path, hint="name the project's directory")
        self.data = data

    # -- files beside the lockfile

    def read_beside(self, path: str) -> bytes | None:
        """Return the bytes of a file of the project, and note that it is part of the input."""
        full = normpath(self.base + path)
        data = self.files.read(full)
        if data is not None and full not in self.beside:
            self.beside.append(full)
        return data

    def load_manifest(self, directory: str) -> bool:
        """Read the package.json of the root (""), a workspace or a linked directory; whether it is there."""
        name = f"{directory}/package.json" if directory else "package.json"
        data = self.read_beside(name)
        if data is None:
            return False
        self.manifests[directory] = load_object(data, normpath(self.base + name), limit=MAX_MANIFEST_BYTES)
        return True

    def name_and_version(self, directory: str) -> tuple[str, str | None]:
        """Return what a directory's package.json calls itself; its last segment where it does not."""
        manifest = self.manifests.get(directory, {})
        name, version = manifest.get("name"), manifest.get("version")
        name = name if type(name) is str else directory.rpartition("/")[2]
        return name, version if type(version) is str else None

    # -- findings

    def find(self, code: str, rule: str, package: str | None, where: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(LockFinding(code=code, rule=rule, package=package, place=where, message=message))

    def refuse(self, message: str, *at: str | int) -> NoReturn:
        """Raise: the lockfile has no single meaning."""
        raise InputError(message, where=self.path, place=place(*at), hint=self.hint)

    def refuse_file(self, path: str, message: str, *at: str | int) -> NoReturn:
        """Raise: a file beside the lockfile has no single meaning."""
        raise InputError(message, where=normpath(self.base + path), place=place(*at), hint="correct the file")

    def mapping(self, value: Any, *at: str | int) -> dict[str, Any]:
        """Return a mapping that may be absent; its keys must be plain text."""
        if value is None:
            return {}
        if type(value) is not dict:
            self.refuse(f"{kind_of(value)}, expected a mapping", *at)
        if len(value) > MAX_ENTRIES:
            self.refuse(f"{len(value):,} entries, at most {MAX_ENTRIES:,} are read", *at)
        for key in value:
            if type(key) is not str:
                self.refuse(f"the key {key[:40]!a} is no text to every reader", *at)
        return value

    def text(self, value: Any, *at: str | int) -> str | None:
        """Return text that may be absent."""
        if value is not None and type(value) is not str:
            self.refuse(f"{kind_of(value)}, expected text", *at)
        return value

    def texts(self, value: Any, *at: str | int) -> dict[str, str]:
        """Return a mapping of texts that may be absent."""
        if type(value) is dict and len(value) <= MAX_ENTRIES:  # as nearly all are: one look at each
            for key, item in value.items():
                if type(item) is not str or type(key) is not str:
                    break
            else:
                return value
        found = self.mapping(value, *at)
        for key, item in found.items():
            if type(item) is not str:
                self.refuse(f"{kind_of(item)}, expected text", *at, key)
        return found

    def words(self, value: Any, *at: str | int) -> tuple[str, ...]:
        """Return a list of words, or one word, that may be absent."""
        if value is None:
            return ()
        if type(value) is str:
            return (value,)
        if type(value) is list and all(type(word) is str for word in value):
            return tuple(value)
        return self.refuse(f"{kind_of(value)}, expected a list of texts", *at)

    def hashes(self, package: str, integrity: str, where: str, member: str = "") -> tuple[Hash, ...]:
        """Return the hashes of an integrity string, the `member` of what stands at `where`; what is wrong is found."""
        hashes, wrong = parse_integrity(integrity)
        for code, message in wrong:
            self.find(code, "lockfile_sound", package, where + member, message)
        return hashes

    def judge_name(self, package: str, name: str, version: str | None, kind: Kind, where: str) -> None:
        """Find what is wrong with a name and a version, as npm's registry knows them."""
        if not NAME.fullmatch(name) or len(name) > 214:
            self.find("name-invalid", "lockfile_sound", package, where, "not a name that npm allows")
        small = name.lower()
        if small != name:
            message = "upper case, which only old packages of the registry have"
            self.find("name-case", "lockfile_sound", package, where, message)
        other, first, there = self._lower.setdefault(small, (name, package, where))
        if other != name:
            # Of both: which of the two is new, the reader does not know.
            for one, at, than in ((package, where, other), (first, there, name)):
                self.find("name-case-collision", "lockfile_sound", one, at, f"differs from {than} by case only")
        if kind is Kind.REGISTRY and (version is None or parse_version(version) is None):
            message = "no version" if version is None else f"{version[:60]!a} is no version"
            self.find("version-invalid", "bound_bytes", package, where, message)
        if version is not None and "-" in version.partition("+")[0] and kind is not Kind.LINK:
            self.find("prerelease", "pinned", package, where, f"{version[:60]} is a prerelease")

    def judge_declaration(self, edge: Edge, asked: str) -> None:
        """Find how loosely the project itself declares a registry dependency; `asked` is what the specifier means."""
        if asked.startswith(("workspace:", "link:", "file:", "portal:", "runtime:", "root:")):
            return
        shown = f"{edge.name}@{public_url(edge.range) or '*'}"
        match links.pinning(asked):
            case "range":
                message = f"{shown} is a range, held by the lockfile alone"
                self.find("declared-range", "pinned", edge.source, self.edge_place(edge), message)
            case "floating":
                self.find(
                    "declared-floating", "pinned", edge.source, self.edge_place(edge), f"{shown} may become anything"
                )

    def edge_place(self, edge: Edge) -> str:
        """Return where the project declares an edge."""
        file = f"{edge.source}/package.json" if edge.source else "package.json"
        return f"{file} {place(_SECTION_OF.get(edge.kind, 'peerDependencies'), edge.name)}"

    def judge_overrides(self, file: str, overrides: dict[str, str], *at: str) -> None:
        """Find each override."""
        for selector, target in overrides.items():
            message = f"{selector[:200]} is replaced by {public_url(target) or '*'}"
            self.find("override", "pinned", None, f"{file} {place(*at, selector)}", message)

    def judge_files(self, own: list[str], lockfiles: tuple[str, ...]) -> None:
        """Find symbolic links, lockfiles of workspaces, and what corepack runs."""
        if self.files.is_link(self.path):
            message = "a symbolic link: another change than the one reviewed can replace it"
            self.find("symlinked-lockfile", "lockfile_sound", None, self.path, message)
        for name in self.beside:
            if self.files.is_link(name):
                self.find("symlinked-manifest", "lockfile_sound", None, name, "a symbolic link")
        for directory in own:
            for name in lockfiles:
                if directory and self.files.has(normpath(join(self.base + directory, name))):
                    message = f"a workspace's own lockfile, which {self.manager} ignores from the root"
                    self.find("nested-lockfile", "lockfile_sound", directory, f"{self.base}{directory}/{name}", message)
        for code, where, message in package_managers(self.manifests.get("", {})):
            self.find(code, "manager_code", None, where, message)

    # -- the end

    @property
    def registries(self) -> Registries:
        """The registries that packages may come from."""
        return Registries(self.npmrc)

    def graph(self, packages: list[Package], version: str) -> DependencyGraph:
        """Return the graph: everything sorted."""
        packages.sort(key=lambda package: package.id)
        self.edges.sort(key=lambda edge: (edge.source, edge.name, edge.kind))
        self.findings += self.npmrc.findings
        self.findings.sort(key=order)
        digests = self.files.digests()
        return DependencyGraph(
            lockfile=Lockfile(
                path=self.path,
                kind=self.kind,
                version=version,
                sha256=sha256(self.data).hexdigest(),
                size=len(self.data),
            ),
            manager=ManagerSettings(
                name=self.manager,
                registry=self.npmrc.registry,
                scopes=dict(sorted(self.npmrc.scopes.items())),
                settings=dict(sorted({**self.npmrc.settings, **self.settings}.items())),
                files={name: digests[name] for name in sorted(self.beside)},
            ),
            packages=tuple(packages),
            edges=tuple(self.edges),
            findings=tuple(self.findings),
        )


def meets(version: str | None, asked: str, name: str) -> bool | None:
    """Whether a version of the package `name` is what a specifier asks for; None where that cannot be told offline."""
    if asked.startswith("npm:"):
        real, asked = links.alias_of(asked)
        if real != name:
            return False
    elif asked.startswith("workspace:"):
        asked = asked[10:]
        if asked in ("*", "^", "~", ""):
            return True
        if asked[:1] in ".":
            return None
    if asked in ("", "*"):
        return True
    if ":" in asked or "/" in asked or version is None:
        return None
    return satisfies(version, asked)


def entry_place(section: str, key: str) -> str:
    """Return `place(section, key)`; most keys need no escaping, and there are thousands of them."""
    if key.isascii() and key.isprintable() and '"' not in key and "\\" not in key:
        return f'{section}["{key}"]'
    return place(section, key)


@cache
def reached(mask: int) -> dict[str, Any]:
    """Return the fields of a package that say by what edges it is reached."""
    return {
        "dev": bool(mask & links.NEEDED) and not mask & links.NO_DEV,
        "optional": bool(mask) and not mask & links.NO_OPTIONAL,
        "peer": bool(mask) and not mask & links.NO_PEER,
        "reachable": bool(mask),
    }


def declaration(declared: tuple[EdgeKind, str] | None) -> str:
    """Say a declaration in a finding."""
    return f"{declared[0].value} {public_url(declared[1]) or '*'}" if declared else "nothing"
