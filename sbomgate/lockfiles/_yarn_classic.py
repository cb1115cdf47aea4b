"""yarn 1: entries keyed by what was asked for (`name@range`), nothing about the project itself.

    text → entries → nodes (identical ones merged) → the project's own packages → edges → graph

The project's and its workspaces' package.json say what is declared; the lockfile only what each `name@range` became.
Behaviour: yarn 1.22 (`lockfile/`, `package-resolver.js`, `resolution-map.js`, `workspace-layout.js`).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, NoReturn

from sbomgate.errors import InputError
from sbomgate.lockfiles import _integrity, _syml
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles._npm_manifest import workspaces_on_disk
from sbomgate.lockfiles._npm_source import commit_of, is_git, judge
from sbomgate.lockfiles._range import parse_version, satisfies
from sbomgate.lockfiles._yarn_project import HINT, MAX_ENTRIES, NAME, Node, Project, own_name, own_version, relative
from sbomgate.lockfiles._yarnrc import YARN_REGISTRY, YarnRegistries
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Hash, Kind, ProjectFiles
from sbomgate.purl import public_url
from sbomgate.strict_json import kind_of

_PLAIN_END = re.compile(r"(?:#[0-9a-f]{40})?")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_ARCHIVE = re.compile(
    r"https://(?:codeload\.github\.com/[^/]+/[^/]+/tar\.gz/([^?#]*)"
    r"|gitlab\.com/.*/repository/archive\.tar\.gz\?ref=([^&#]*)"
    r"|bitbucket\.org/[^/]+/[^/]+/get/([^?#]*)\.tar\.gz)"
)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_GIT_URL = re.compile(r"https?:.+\.git(?:#.+)?")  # (GitResolver) yarn 1 clones what npm would fetch
_TARBALL = (".tgz", ".tar.gz", ".tar")


def read(files: ProjectFiles, path: str, data: bytes, text: str) -> DependencyGraph:
    """Return the graph of a yarn.lock of yarn 1.

    Raises:
        InputError: without one single meaning, without a package.json beside it, or over a limit.
    """
    return _Reader(files, path, data, text).graph()


class _Reader:
    """One lockfile while it is read; the methods stand in the order in which they run."""

    def __init__(self, files: ProjectFiles, path: str, data: bytes, text: str) -> None:
        self.project = Project(files, path, data)
        self.path = path
        self.text = text
        self.by_key: dict[tuple[str, str], Node] = {}
        self.specs: dict[str, list[tuple[str, str]]] = {}  # node → its keys
        self.workspaces: dict[str, Node] = {}  # name → node
        self.rules: dict[str, list[tuple[tuple[str, ...], str]]] = {}  # resolutions: name → parents, range

    def graph(self) -> DependencyGraph:
        project = self.project
        project.load_settings(npmrc=True)
        self.registries = YarnRegistries(project.settings)
        self._load_resolutions()
        self._load_entries()
        self._load_own()
        self._load_edges()
        project.judge_edges(
            {(edge.source, edge.name): _pinning(edge.range) for edge in project.edges},
            # isLockfileEntryOutdated: where a plain range is not met yarn drops the entry, with --frozen-lockfile too.
            drops=lambda edge: links.specifier(edge.range) == "range",
        )
        project.judge_files(node.directory or "" for node in self.workspaces.values())
        return project.graph("1")

    def _load_resolutions(self) -> None:
        for pattern, value in self.project.resolutions().items():
            parts = re.findall(r"@[^/]+/[^/]+|[^/]+", pattern)
            if parts:
                parents = tuple(part for part in parts[:-1] if part != "**")
                self.rules.setdefault(parts[-1], []).append((parents, value))

    # -- entries → nodes

    def _load_entries(self) -> None:
        entries = _syml.parse_classic(self.text, self.path)
        if len(entries) > MAX_ENTRIES:
            raise InputError(f"{len(entries):,} entries, at most {MAX_ENTRIES:,} are read", where=self.path, hint=HINT)
        lower: dict[str, Node] = {}
        merged: dict[tuple[Any, ...], Node] = {}
        for line, keys, fields in entries:
            if "" in fields:
                self._refuse("a setting, expected an entry", line)
            specs = [_split(key) for key in keys]
            name, alias = self._names(specs)
            version, resolved = self._text(fields, "version", line), self._text(fields, "resolved", line)
            integrity = self._text(fields, "integrity", line)
            declared = self._declared(fields, line)
            same = (name, alias, version, resolved, integrity, tuple(sorted(declared.items())))
            node = merged.get(same)
            if node is None:
                node = merged[same] = Node(
                    id="",
                    name=name,
                    version=version,
                    alias=alias,
                    kind=Kind.UNKNOWN,
                    resolved=resolved,
                    integrity=integrity,
                    line=line,
                    declared=declared,
                )
                node.id = self._id(node, specs[0])
                self.project.nodes[node.id] = node
                self.specs[node.id] = []
            self.specs[node.id] += specs
            for spec in specs:
                self.by_key[spec] = node
            if (other := self._text(fields, "name", line)) not in (None, name, alias, *(key for key, _ in specs)):
                message = f"`name` says {other!a}, and nothing declares that as an alias of {name}"
                self.project.find("alias-undeclared", "bound_bytes", node.id, self.project.place(node), message)
        for id_, specs in self.specs.items():
            node = self.project.nodes[id_]
            node.kept = any(self._is_resolution(node, name) for name, _ in specs)
            self._judge(node, specs, lower)

    def _names(self, specs: list[tuple[str, str]]) -> tuple[str, str | None]:
        """Return the real name of an entry, and the one that it is installed under where that differs."""
        real = sorted({links.alias_of(spec)[0] if spec.startswith("npm:") else name for name, spec in specs})
        names = sorted({name for name, _ in specs})
        return real[0], None if real[0] in names else names[0]

    def _id(self, node: Node, spec: tuple[str, str]) -> str:
        """`name@version`; where that is taken, with a digest of the pattern (which may hold a secret)."""
        base = f"{node.name}@{node.version or ''}"
        if spec[1].startswith("link:"):
            base = f"{node.name}@{public_url(spec[1])}"
        elif node.alias is not None:
            base = f"{node.alias}@npm:{base}"
        if base not in self.project.nodes:
            return base
        return f"{base} ({sha256('@'.join(spec).encode()).hexdigest()[:16]})"

    def _declared(self, fields: _syml.Mapping, line: int) -> links.Declared:
        found: links.Declared = {}
        for section, kind in (("dependencies", EdgeKind.PROD), ("optionalDependencies", EdgeKind.OPTIONAL)):
            members = fields.get(section, {})
            if not isinstance(members, dict):
                self._refuse(f"`{section}` is a text, expected names and ranges", line)
            for name, spec in members.items():
                if not isinstance(spec, str):
                    self._refuse(f"`{section}` holds a section, expected names and ranges", line)
                found[name] = (kind, spec)
        return found

    def _judge(self, node: Node, specs: list[tuple[str, str]], lower: dict[str, Node]) -> None:
        project = self.project
        kinds = {"git" if _GIT_URL.fullmatch(spec) else links.specifier(spec) for _, spec in specs}
        if len({links.alias_of(spec)[0] if spec.startswith("npm:") else name for name, spec in specs}) > 1:
            message = "one entry for packages of several names, and nothing declares that"
            project.find("alias-undeclared", "bound_bytes", node.id, project.place(node), message)
        self._judge_source(node, specs)
        if node.kind is not Kind.LINK:
            self._judge_integrity(node)
            project.judge_name(node, lower)
            expected = {Kind.GIT: {"git"}, Kind.TARBALL: {"remote", "git"}, Kind.FILE: {"file"}}.get(node.kind)
            offline = ":" not in (node.resolved or "")
            if expected is not None and not kinds & expected and not offline:
                message = f"comes from a {node.kind.value} source, but every declaration asks the registry for it"
                where = project.place(node, "resolved")
                project.find("source-undeclared", "bound_bytes", node.id, where, message)

    def _judge_source(self, node: Node, specs: list[tuple[str, str]]) -> None:
        project, resolved, spec = self.project, node.resolved, specs[0][1]
        # The canonical URL of a proper name and version, which nearly every entry has, needs no parsing.
        canonical = f"{YARN_REGISTRY}{node.name}/-/{node.name.rpartition('/')[2]}-{node.version}.tgz"
        if (
            resolved is not None
            and resolved.startswith(canonical)
            and _PLAIN_END.fullmatch(resolved, len(canonical))
            and NAME.fullmatch(node.name)
            and parse_version(node.version or "") is not None
        ):
            node.kind = Kind.REGISTRY
            return
        where = project.place(node, "resolved")
        if resolved is None:
            if spec.startswith("link:"):
                node.kind = Kind.LINK
                node.directory = relative("", spec[5:])
                node.resolved = f"link:{node.directory}"
                manifest = self.project.manifest(node.directory)
                node.version = own_version(manifest)  # yarn 1 writes 0.0.0, whatever it is
                node.declared = project.declared(node.directory, top=False)
                project.judge_link(node, node.directory)
            elif links.specifier(spec) == "file":
                path = relative("", spec.partition(":")[2] if ":" in spec else spec)
                node.kind, node.resolved = Kind.FILE, f"file:{path}"
                self._judge_file(node, path)
            else:
                # getLocked: such an entry says nothing to yarn, neither its version nor its hash.
                node.kind = Kind.REGISTRY
                message = "no `resolved`: yarn ignores the entry, and installs what the registry says on that day"
                project.find("source-missing", "bound_bytes", node.id, project.place(node), message)
            return
        url, _, fragment = resolved.partition("#")
        archive = _ARCHIVE.match(url)
        if is_git(resolved) or (url.startswith("http") and url.endswith(".git")):
            node.kind = Kind.GIT
            project.find("git", "exotic_sources", node.id, where, f"comes from git: {public_url(resolved)}")
            pinned = commit_of(resolved) is not None
        elif archive is not None and any(links.specifier(asked) == "git" for _, asked in specs):
            node.kind = Kind.GIT
            project.find("git", "exotic_sources", node.id, where, f"comes from git: {public_url(resolved)}")
            pinned = _COMMIT.fullmatch(next(part for part in archive.groups() if part is not None)) is not None
        elif url.startswith("file:"):
            node.kind, pinned = Kind.FILE, True
            self._judge_file(node, relative("", url[5:]))
        elif ":" not in url and "/" not in url and url.endswith(".tgz"):
            node.kind, pinned = Kind.FILE, True  # yarn 0's offline mirror
            project.find("file", "exotic_sources", node.id, where, f"comes from the offline mirror: {url}")
        else:
            plain = url if _SHA1.fullmatch(fragment) else resolved
            node.kind, remarks = judge(node.name, node.version, plain, self.registries)
            for code, rule, message in remarks:
                project.find(code, rule, node.id, where, message)
            pinned = True
        if not pinned:
            message = "names a branch or tag, expected a full commit hash"
            project.find("git-not-commit", "pinned", node.id, where, message)

    def _judge_file(self, node: Node, path: str) -> None:
        project, where = self.project, self.project.place(node, "resolved")
        inside = not path.startswith("/") and project.files.is_inside(project.base + path)
        if inside and not path.endswith(_TARBALL):
            project.find("directory", "exotic_sources", node.id, where, f"a copy of the directory {path or '.'}")
        else:
            project.find("file", "exotic_sources", node.id, where, f"comes from a file: {public_url('file:' + path)}")

    def _judge_integrity(self, node: Node) -> None:
        project = self.project
        fragment = (node.resolved or "").partition("#")[2]
        sha1 = fragment if _SHA1.fullmatch(fragment) and node.kind is not Kind.GIT else None
        if node.integrity is not None:
            node.hashes, remarks = _integrity.parse(node.integrity)
            for code, message in remarks:
                project.find(code, "lockfile_sound", node.id, project.place(node, "integrity"), message)
            told = {one.hex for one in node.hashes if one.algorithm == "sha1"}
            if sha1 is not None and told and sha1 not in told:
                message = "`integrity` and the fragment of `resolved` name different sha1 hashes"
                project.find("several-hashes", "lockfile_sound", node.id, project.place(node, "integrity"), message)
        elif sha1 is not None:
            node.hashes = (Hash(algorithm="sha1", hex=sha1),)
            message = "sha1 only, in the fragment of `resolved`; expected sha512"
            project.find("weak-integrity", "lockfile_sound", node.id, project.place(node), message)
        elif node.kind in (Kind.REGISTRY, Kind.TARBALL, Kind.UNKNOWN) or (
            node.kind is Kind.FILE and (node.resolved or "").partition("#")[0].endswith(_TARBALL)
        ):
            message = "no `integrity`: whatever is served is installed"
            project.find("missing-integrity", "lockfile_sound", node.id, project.place(node), message)

    # -- the project's own packages

    def _load_own(self) -> None:
        project = self.project
        root = project.root()
        project.nodes[""] = Node(
            id="",
            name=root["name"] if type(root.get("name")) is str else "",
            version=own_version(root),
            kind=Kind.ROOT,
            directory="",
            declared=project.declared("", top=True),
        )
        found = workspaces_on_disk(project.files, project.base, root)
        told = root.get("workspaces")
        demanded = [told.get("packages"), told.get("nohoist")] if type(told) is dict else [told]
        if any(demanded) and root.get("private") in (None, False, 0, ""):
            raise InputError(
                "`workspaces` in a package.json that is not private",
                where=project.base + "package.json",
                place="private",
                hint='add "private": true: yarn 1 refuses to install this project as well',
            )
        for directory in found:
            manifest = project.manifest(directory)
            if manifest is None or not manifest.get("name") or not manifest.get("version"):
                continue  # (WorkspaceLayout) yarn 1 ignores it, and asks the registry for who depends on it
            for key in ("name", "version"):
                if type(manifest[key]) is not str:
                    where = f"{project.base}{directory}/package.json"
                    message = f"{kind_of(manifest[key])}, expected a string"
                    raise InputError(message, where=where, place=key, hint="correct the file")
            if parse_version(manifest["version"]) is None:
                raise InputError(
                    f"{manifest['version'][:60]!a} is no version",
                    where=f"{project.base}{directory}/package.json",
                    place="version",
                    hint="correct it: yarn takes it for a tag, and asks the registry for a package of this name",
                )
            name = own_name(manifest, directory)
            node = Node(
                id=f"{name}@workspace:{directory}",
                name=name,
                version=own_version(manifest),
                kind=Kind.WORKSPACE,
                resolved=directory,
                directory=directory,
                declared=project.declared(directory, top=True),
            )
            if name in self.workspaces:
                raise InputError(
                    f"the workspaces {self.workspaces[name].directory} and {directory} have the same name",
                    where=project.base + "package.json",
                    place="workspaces",
                    hint="give each workspace a name of its own: yarn refuses this as well",
                )
            self.workspaces[name] = project.nodes[node.id] = node
            edge = Edge(source="", target=node.id, name=name, kind=EdgeKind.WORKSPACE, range=directory, satisfied=True)
            project.edges.append(edge)

    # -- edges

    def _load_edges(self) -> None:
        for id_ in sorted(self.project.nodes):
            source = self.project.nodes[id_]
            for name, (kind, spec) in sorted(source.declared.items()):
                target, satisfied = self._resolve(source, name, kind, spec)
                self.project.edges.append(
                    Edge(source=id_, target=target, name=name, kind=kind, range=spec, satisfied=satisfied)
                )

    def _resolve(self, source: Node, name: str, kind: EdgeKind, spec: str) -> tuple[str | None, bool | None]:
        if kind in (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL):
            return None, True  # only of the project's own packages: their dependents provide it; yarn 1 records nothing
        # (1) a workspace whose version fits goes before the lockfile
        workspace = self.workspaces.get(name)
        if workspace is not None and (spec in ("", "*") or satisfies(workspace.version or "0.0.0", spec)):
            return workspace.id, True
        # (2) a resolution without parents holds for everything; none holds for what the root itself asks for
        # (PackageResolver.resolveToResolution: a request without parents is left as it is)
        if source.kind is not Kind.ROOT and (found := self._resolution(source, name, scoped=False)) is not None:
            return found.id, True
        # (3) what the lockfile has for exactly this pattern; yarn files a scoped resolution under it as well
        node = self.by_key.get((name, spec))
        if node is not None:
            satisfied = self._satisfied(node, spec)
            is_replaced = source.kind is not Kind.ROOT and self._is_resolution(node, name, source)
            return node.id, True if is_replaced else satisfied
        found = None if source.kind is Kind.ROOT else self._resolution(source, name, scoped=True)
        return (found.id, True) if found is not None else (None, None)

    def _resolution(self, source: Node, name: str, *, scoped: bool) -> Node | None:
        """Return the entry that a resolution of `name` leads to: for this very parent first."""
        found = None
        for parents, value in self.rules.get(name, ()):
            if parents and not (scoped and parents[-1] == source.name):
                continue
            if (node := self.by_key.get((name, value))) is not None:
                if parents:
                    return node
                found = found or node
        return found

    def _is_resolution(self, node: Node, name: str, source: Node | None = None) -> bool:
        """Whether a resolution leads to the entry: any, or one for what this package asks for.

        yarn files a scoped one under the pattern itself, which others may ask for too. To those the entry is one that
        does not fit: yarn drops it, also with --frozen-lockfile, and installs what the registry says on that day.
        """
        return any(
            self.by_key.get((name, value)) is node and (source is None or parents[-1:] == (source.name,))
            for parents, value in self.rules.get(name, ())
        )

    def _satisfied(self, node: Node, spec: str) -> bool | None:
        match links.specifier(spec):
            case "range":
                if node.kind not in (Kind.REGISTRY, Kind.TARBALL, Kind.GIT, Kind.FILE, Kind.UNKNOWN):
                    return False
                return True if spec in ("", "*") else satisfies(node.version or "", spec)
            case "alias":
                real, range_ = links.alias_of(spec)
                if real != node.name:
                    return False
                return True if range_ in ("", "*") else satisfies(node.version or "", range_)
            case "remote":
                return (node.resolved or "").partition("#")[0] == spec.partition("#")[0]
            case "git":
                if node.kind is not Kind.GIT:
                    return False
                asked = commit_of(spec)
                return None if asked is None else asked in (node.resolved or "")
            case _:
                return node.kind in (Kind.FILE, Kind.LINK)

    # -- refusing

    def _text(self, fields: _syml.Mapping, key: str, line: int) -> str | None:
        value = fields.get(key)
        if value is None or isinstance(value, str):
            return value
        return self._refuse(f"`{key}` is a section, expected a text", line)

    def _refuse(self, message: str, line: int) -> NoReturn:
        raise InputError(message, where=self.path, place=f"line {line}", hint=HINT)


def _pinning(spec: str) -> str:
    return "exact" if _GIT_URL.fullmatch(spec) and commit_of(spec) else links.pinning(spec)


def _split(key: str) -> tuple[str, str]:
    """Return name and range of a pattern (`@scope/name@^1`)."""
    at = key.find("@", 1)
    return (key, "") if at < 0 else (key[:at], key[at + 1 :])
