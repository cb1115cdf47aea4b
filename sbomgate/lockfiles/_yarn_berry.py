"""yarn 2 and later (`__metadata.version` 4 to 10): entries keyed by descriptors, resolved to locators.

    text → entries → nodes, one a locator → edges by yarn's own rewriting of descriptors → graph

What a package asks for is rewritten before it is looked up, in yarn's order: `resolutions` of the root, catalogs, the
default protocol (`npm:`), yarn's own patches (`builtin<compat/…>`), and the binding of relative paths to whoever names
them (`::locator=`). An entry's `checksum` is the hash of the zip that yarn makes of a package, never of the package's
own tarball: it is no integrity (yarnpkg/berry#6296), so `integrity` is None and `hashes` empty for every entry.
Behaviour: yarn's `Project.ts`, `CorePlugin.ts`, `structUtils.ts`, `plugin-compat`, `plugin-patch`, `plugin-git`.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NoReturn
from urllib.parse import quote, unquote

from sbomgate import commands
from sbomgate.errors import InputError
from sbomgate.lockfiles import _jsr, _syml
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles._npm_manifest import matches, workspace_patterns, workspaces_on_disk
from sbomgate.lockfiles._npm_source import judge
from sbomgate.lockfiles._range import satisfies
from sbomgate.lockfiles._yarn_project import HINT, MAX_ENTRIES, Node, Project, own_name, own_version, relative
from sbomgate.lockfiles._yarnrc import YarnRegistries
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind, ProjectFiles
from sbomgate.purl import public_url

VERSIONS = range(4, 11)
"""Values of `__metadata.version` that are read: yarn 2 writes 4, yarn 3 to 6, yarn 4 to 10."""

MAX_LOCATOR = 4096
"""Longest locator or descriptor, in characters; a patch of a patch takes a few hundred."""

MAX_PEER_CHECKS = 10_000_000
"""Most pairs of a peer and a dependent that are looked at: a monorepo of 3,000 packages has about 100,000."""

_IDENT = re.compile(r"(@[^/@]+/[^/@]+|[^/@]+)@(.+)", re.DOTALL)
_ALIAS = re.compile(r"(?:npm|jsr):(@[^/@]+/[^/@]+|[^/@]+)@(.+)", re.DOTALL)
_RULE = re.compile(r"(?:\*\*/)?(?:(@[^/@]+/[^/@]+|[^/@]+)(?:@([^/]+))?/)?(@[^/@]+/[^/@]+|[^/@]+)(?:@(.+))?", re.DOTALL)
_PROTOCOL = re.compile(r"[a-z+]+:")
_BUILTIN = re.compile(r"(?:optional!|~)?builtin<[^>]*>")
_GIT = re.compile(
    r"(?:git|ssh|git\+[a-z]+|github|gitlab|bitbucket):|[^/@:]+@[^/:]+:|https?:.*\.git(?:#|$)|.*#.*\bcommit="
)
_COMMIT = re.compile(r"(?:^|&)commit=([0-9a-f]{40}(?:[0-9a-f]{24})?)(?:&|$)")
_CHECKSUM = re.compile(r"(?:[0-9]+[a-z0-9]*/)?[0-9a-f]{128}")
_CONDITION = re.compile(r"(!?)\s*\b(os|cpu|libc)=([^\s()&|]+)")
_FETCHED = (Kind.REGISTRY, Kind.TARBALL, Kind.GIT, Kind.FILE, Kind.PATCH)
_OWN = (Kind.ROOT, Kind.WORKSPACE)
_PEERS = (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)


def read(files: ProjectFiles, path: str, data: bytes, text: str) -> DependencyGraph:
    """Return the graph of a yarn.lock of yarn 2 or later.

    Raises:
        InputError: an unknown version, without one single meaning, without a package.json beside it, or over a limit.
    """
    return _Reader(files, path, data, text).graph()


class _Reader:
    """One lockfile while it is read; the methods stand in the order in which they run."""

    def __init__(self, files: ProjectFiles, path: str, data: bytes, text: str) -> None:
        self.project = Project(files, path, data)
        self.path = path
        self.text = text
        self.by_key: dict[str, Node] = {}  # descriptor → node
        self.by_locator: dict[str, Node] = {}
        self.locators: dict[str, str] = {}  # node → locator
        self.builtin: dict[tuple[str, str], Node] = {}  # name and range that one of yarn's own patches is for
        self.bound: dict[str, list[Node]] = {}  # descriptor without its binding → nodes
        # resolutions: name → parent's name and reference, range, replacement
        self.rules: dict[str, list[tuple[str | None, str | None, str | None, str]]] = {}
        self.patched: dict[str, str] = {}  # patch → locator of what it patches

    def graph(self) -> DependencyGraph:
        project = self.project
        project.load_settings(npmrc=False)
        _jsr.configure(project.settings.scopes, used=_jsr.PREFIX in self.text)
        self.registries = YarnRegistries(project.settings)
        self._load_resolutions()
        version = self._load_entries()
        self._load_directories()
        self._load_edges()
        self._load_peers()
        pinning: dict[tuple[str, str], str] = {}
        for edge in project.edges:
            if project.nodes[edge.source].kind in _OWN and edge.kind not in _PEERS:
                pinning[edge.source, edge.name] = self._pinning(edge.name, edge.range)
        project.judge_edges(pinning)
        project.judge_files(node.directory or "" for node in project.nodes.values() if node.kind is Kind.WORKSPACE)
        return project.graph(version)

    def _load_resolutions(self) -> None:
        for pattern, value in self.project.resolutions().items():
            match = _RULE.fullmatch(pattern)
            if match is None:
                raise InputError(
                    "not a pattern that yarn reads",
                    where=self.project.base + "package.json",
                    place=f"resolutions {public_url(pattern)[:100]}",
                    hint="write `name`, `name@range` or `parent/name`",
                )
            self.rules.setdefault(match[3], []).append((match[1], match[2], match[4], value))
        for name, built in _built(self.project.root().get("dependenciesMeta")):
            self.project.settings.settings[f"dependenciesMeta.{name}.built"] = "true" if built else "false"

    # -- entries → nodes

    def _load_entries(self) -> str:
        project = self.project
        entries = _syml.parse_berry(self.text, self.path)
        if len(entries) > MAX_ENTRIES:
            raise InputError(f"{len(entries):,} entries, at most {MAX_ENTRIES:,} are read", where=self.path, hint=HINT)
        version = ""
        checked: list[str] = []
        unchecked: list[Node] = []
        elsewhere = 0
        lower: dict[str, Node] = {}
        for line, keys, fields in entries:
            if keys == ("__metadata",):
                version = self._version(fields, line)
                continue
            locator = self._text(fields, "resolution", line)
            if locator is None:
                self._refuse("no `resolution`", line)
            if locator in self.by_locator:
                self._refuse(f"the resolution {public_url(locator)[:80]} stands twice", line)
            node = self._node(locator, fields, line)
            self.by_locator[locator] = node
            self.locators[node.id] = locator
            project.nodes[node.id] = node
            self._index(node, keys)
            self._judge_keys(node, locator, keys)
            if node.kind not in (*_OWN, Kind.LINK):
                project.judge_name(node, lower)
            checksum = self._text(fields, "checksum", line)
            if checksum is not None:
                checked.append(node.id)
                if not _CHECKSUM.fullmatch(checksum):
                    message = "a checksum that is no SHA-512 in hexadecimal"
                    where = project.place(node, "checksum")
                    project.find("malformed-integrity", "lockfile_sound", node.id, where, message)
            elif node.kind in _FETCHED:
                if "conditions" in fields:
                    elsewhere += 1
                else:
                    unchecked.append(node)
        if not version:
            raise InputError("no `__metadata` with fields", where=self.path, hint=HINT)
        if "" not in project.nodes:
            raise InputError("no entry `…@workspace:.`, which is the project itself", where=self.path, hint=HINT)
        self._judge_checksums(checked, unchecked, elsewhere)
        return version

    def _version(self, fields: _syml.Mapping, line: int) -> str:
        version = self._text(fields, "version", line) or ""
        if not version.isdecimal() or len(version) > 4 or int(version) not in VERSIONS:
            raise InputError(
                f"{version[:20]!a}, expected {VERSIONS[0]} to {VERSIONS[-1]}",
                where=self.path,
                place="__metadata.version",
                hint="let yarn 2, 3 or 4 write the file again (`yarn install`)",
            )
        return version

    def _node(self, locator: str, fields: _syml.Mapping, line: int) -> Node:
        match = _IDENT.fullmatch(locator) if len(locator) <= MAX_LOCATOR else None
        if match is None:
            self._refuse(f"`resolution` is not `name@reference` of at most {MAX_LOCATOR:,} characters", line)
        name, reference = match.groups()
        version = self._text(fields, "version", line)
        node = Node(id="", name=name, version=version, kind=Kind.UNKNOWN, line=line)
        plain, _, binding = reference.partition("::")
        params = dict(part.partition("=")[::2] for part in binding.split("&")) if binding else {}
        protocol = plain.partition(":")[0]
        if protocol == "workspace":
            directory = relative("", plain[10:])
            node.kind = Kind.WORKSPACE if directory else Kind.ROOT
            node.directory, node.resolved = directory, directory or None
            node.id = locator if directory else ""
        elif protocol == "virtual":
            self._refuse("a virtual package, which yarn never writes", line)
        else:
            node.id = self._id(name, reference)
        node.declared = self._declared(fields, line)
        node.commands = commands.names(self._members(fields, "bin", line), name)
        conditions = self._text(fields, "conditions", line)
        if conditions is not None:
            for key in ("os", "cpu", "libc"):
                words = tuple(no + word for no, which, word in _CONDITION.findall(conditions) if which == key)
                setattr(node, key, words)
        if node.kind is Kind.UNKNOWN:
            self._judge_source(node, plain, params)
        return node

    def _id(self, name: str, reference: str) -> str:
        """Return the locator, without what is nobody's business (PROMISES P40)."""
        plain = f"{name}@{reference}"
        inner = unquote(unquote(reference))
        if "://" not in inner and not inner.startswith(("file:/", "link:/", "portal:/", "exec:/")):
            return plain
        public = f"{name}@{_public(reference)}"
        if (
            "commit=" in reference
            and "commit=" not in public
            and (commit := _COMMIT.search(reference.partition("#")[2]))
        ):
            public += f"#commit={commit[1]}"
        return public if public == plain else f"{public} ({sha256(plain.encode()).hexdigest()[:16]})"

    def _judge_source(self, node: Node, plain: str, params: dict[str, str]) -> None:
        project = self.project
        protocol, _, rest = plain.partition(":")
        if protocol == "npm" and node.version == rest and not params:
            node.kind = Kind.REGISTRY  # nearly every entry
            return
        where = project.place(node, "resolution")
        if protocol in ("npm", "jsr"):
            node.kind = Kind.REGISTRY
            if protocol == "jsr":
                node.name = _jsr.package(node.name)
            if node.version != rest:
                message = f"`resolution` is version {rest[:60]}, `version` says {(node.version or 'nothing')[:60]}"
                project.find("resolved-version-differs", "bound_bytes", node.id, where, message)
                node.version = rest  # what yarn fetches
            if archive := params.get("__archiveUrl"):
                node.resolved = unquote(archive)
                node.kind, remarks = judge(node.name, node.version, node.resolved, self.registries)
                for code, rule, message in remarks:
                    project.find(code, rule, node.id, where, message)
        elif protocol == "patch":
            node.kind = Kind.PATCH
            source, _, patches = rest.partition("#")
            self.patched[node.id] = unquote(source)
            inner = _IDENT.fullmatch(unquote(source))
            if inner is not None and inner[1] != node.name:
                node.name, node.alias = inner[1], node.name
            self._judge_patches(node, patches, params)
        elif protocol in ("link", "portal"):
            node.kind = Kind.LINK
            node.directory = relative(self._parent(params), rest)
            node.resolved = f"{protocol}:{node.directory}"
        elif protocol in ("file", "exec"):
            node.kind = Kind.FILE
            path = relative(self._parent(params), rest.partition("#")[0])
            node.resolved = f"{protocol}:{path}"
            inside = not path.startswith("/") and project.files.is_inside(project.base + path)
            if protocol == "exec":
                message = f"yarn makes the package by running {public_url('file:' + path)}"
                project.find("exec", "manager_code", node.id, where, message)
                if inside and (script := project.beside(path)) is not None:
                    node.resolved += f"#{sha256(script).hexdigest()}"
            elif inside and not path.endswith((".tgz", ".tar.gz")):
                project.find("directory", "exotic_sources", node.id, where, f"a copy of the directory {path or '.'}")
            else:
                message = f"comes from a file: {public_url('file:' + path)}"
                project.find("file", "exotic_sources", node.id, where, message)
        elif _GIT.match(plain):
            node.kind = Kind.GIT
            url, _, fragment = plain.partition("#")
            commit = _COMMIT.search(fragment)
            node.resolved = f"{url}#{commit[1]}" if commit else plain
            project.find("git", "exotic_sources", node.id, where, f"comes from git: {public_url(node.resolved)}")
            if commit is None:
                message = "names a branch or tag, expected a full commit hash"
                project.find("git-not-commit", "pinned", node.id, where, message)
        elif protocol in ("http", "https"):
            node.resolved = plain
            node.kind, remarks = judge(node.name, node.version, plain, self.registries)
            for code, rule, message in remarks:
                project.find(code, rule, node.id, where, message)
        else:
            message = f"the protocol {protocol[:20]!a} is a plugin's: nobody can tell where the bytes come from"
            project.find("source-missing", "bound_bytes", node.id, where, message)

    def _judge_patches(self, node: Node, patches: str, params: dict[str, str]) -> None:
        """Judge a patch: yarn's own, or files of the project, which are part of what was judged."""
        project = self.project
        told: list[str] = []
        for patch in patches.split("&"):
            if _BUILTIN.fullmatch(patch):
                told.append(patch)
                continue
            path = patch.removeprefix("optional!").removeprefix("~")
            path = relative("", path.lstrip("/")) if "~/" in patch else relative(self._parent(params), path)
            code = project.beside(path) if project.files.is_inside(project.base + path) else None
            told.append(f"{path}#{sha256(code).hexdigest()}" if code is not None else f"{path}#missing")
            message = f"patched by {path}" + ("" if code is not None else ", which is not there")
            project.find("patch", "exotic_sources", node.id, project.place(node), message)
        node.resolved = "patch:" + "&".join(told)

    def _parent(self, params: dict[str, str]) -> str:
        """Return the directory of the package that a relative path is bound to."""
        match = _IDENT.fullmatch(unquote(params.get("locator", "")))
        reference = match[2] if match else ""
        plain, _, binding = reference.partition("::")
        protocol, _, path = plain.partition(":")
        if protocol == "workspace":
            return relative("", path)
        if protocol in ("portal", "link", "file") and binding:
            inner = dict(part.partition("=")[::2] for part in binding.split("&"))
            return relative(self._parent(inner), path.partition("#")[0])
        return ""

    def _declared(self, fields: _syml.Mapping, line: int) -> links.Declared:
        found: links.Declared = {}
        meta = self._members(fields, "peerDependenciesMeta", line)
        for name, spec in self._members(fields, "peerDependencies", line).items():
            kind = EdgeKind.PEER_OPTIONAL if _is_optional(meta.get(name)) else EdgeKind.PEER
            found[name] = (kind, self._string(spec, line))
        meta = self._members(fields, "dependenciesMeta", line)
        for name, spec in self._members(fields, "dependencies", line).items():
            kind = EdgeKind.OPTIONAL if _is_optional(meta.get(name)) else EdgeKind.PROD
            found[name] = (kind, self._string(spec, line))
        return found

    def _index(self, node: Node, keys: tuple[str, ...]) -> None:
        for key in keys:
            self.by_key[key] = node
            plain, mark, _ = key.partition("::")
            if mark:
                self.bound.setdefault(plain, []).append(node)
            match = _IDENT.fullmatch(plain)
            if match and match[2].startswith("jsr:") and "@jsr:" in self.locators[node.id]:
                node.declared[match[1]] = (EdgeKind.PROD, _jsr.as_alias(*match.groups()))  # yarn locks that as well
            if match and match[2].startswith("patch:"):
                source, _, patches = match[2][6:].partition("#")
                inner = _IDENT.fullmatch(unquote(source))
                if inner and inner[1] == match[1] and all(_BUILTIN.fullmatch(patch) for patch in patches.split("&")):
                    self.builtin[match[1], inner[2]] = node

    def _judge_keys(self, node: Node, locator: str, keys: tuple[str, ...]) -> None:
        """A descriptor of another name than the locator's installs one package under the name of another."""
        names: set[str] = set()
        real = _IDENT.fullmatch(locator)
        for key in keys:
            match = _IDENT.fullmatch(key) if len(key) <= MAX_LOCATOR else None
            if match is None:
                self._refuse(f"the key {key[:80]!a} is not `name@range`", node.line or 0)
            name, asked = match.groups()
            names.add(name)
            alias = _ALIAS.fullmatch(asked)
            expected = alias[1] if alias else name
            if real is not None and expected != real[1]:
                message = f"the entry for {name} is {real[1]}: yarn installs that one under this name"
                where = self.project.place(node)
                self.project.find("resolved-name-differs", "bound_bytes", node.id, where, message)
        if node.alias is None and node.name not in names and node.kind not in _OWN:
            node.alias = min(names)

    def _judge_checksums(self, checked: list[str], unchecked: list[Node], elsewhere: int) -> None:
        project = self.project
        project.find(
            "no-integrity-format",
            "lockfile_sound",
            None,
            "__metadata",
            "yarn 2 and later record a checksum of their own zip, not the hash of the package that the registry serves",
        )
        if unchecked and not checked:
            message = f"none of {len(unchecked)} entries has a checksum: whatever is served is installed"
            project.find("missing-checksum", "lockfile_sound", None, "checksum", message)
        else:
            for node in unchecked:
                message = "no checksum: whatever is served is installed"
                project.find("missing-checksum", "lockfile_sound", node.id, project.place(node), message)
        if elsewhere:
            message = f"{elsewhere} entries for other platforms have no checksum: yarn fetched none of them"
            project.find("platform-unchecked", "lockfile_sound", None, "conditions", message)

    def _load_directories(self) -> None:
        """Read the package.json of the root, the workspaces and linked directories."""
        project = self.project
        for node in project.nodes.values():
            if node.directory is None:
                continue
            manifest = project.manifest(node.directory)
            if node.kind is Kind.LINK:
                project.judge_link(node, node.directory)
                node.version = own_version(manifest)
                continue
            if node.kind is Kind.WORKSPACE and not project.files.is_inside(project.base + node.directory):
                project.judge_link(node, node.directory)
            if manifest is None:
                where = f"{public_url(node.directory)}/package.json"
                message = "no such file beside the lockfile"
                project.find("manifest-missing", "lockfile_sound", node.id, where, message)
                node.version = None
                continue
            node.version = own_version(manifest)  # the lockfile says 0.0.0-use.local of all
            if not (node.kind is Kind.ROOT and "name" not in manifest):
                if (name := own_name(manifest, node.directory)) != node.name and "name" in manifest:
                    message = f"called {node.name[:80]}, and {name[:80]} in package.json"
                    project.find("root-renamed", "lockfile_sound", node.id, project.place(node), message)
            else:
                node.name = ""  # yarn makes up a name for a root without one
            ours, node.declared = node.declared, project.declared(node.directory, top=True)
            self._compare(node, ours)
        self._judge_workspaces()

    def _judge_workspaces(self) -> None:
        """`yarn install --immutable` refuses another set of workspaces; each of them may have workspaces of its own."""
        project = self.project
        locked = {node.directory or "": node for node in project.nodes.values() if node.kind in _OWN}
        declared: set[str] = set()
        named = {""}
        for directory in locked:
            manifest = project.manifest(directory)
            if manifest is not None and "workspaces" in manifest:
                start = f"{directory}/" if directory else ""
                base = project.base + start
                patterns = workspace_patterns(manifest, base + "package.json")
                named |= {one for one in locked if one.startswith(start) and matches(patterns, one[len(start) :])}
                declared |= {relative(directory, one) for one in workspaces_on_disk(project.files, base, manifest)}
        for directory in sorted(declared - locked.keys()):
            message = "a workspace that stands not in the lockfile"
            project.find("lock-drift", "pinned", None, f"{directory}/package.json", message)
        for directory in sorted(locked.keys() - named):
            if project.manifest(directory) is not None:
                message = "a workspace in the lockfile, and none by package.json"
                project.find("lock-drift", "pinned", None, project.place(locked[directory]), message)

    def _compare(self, node: Node, ours: links.Declared) -> None:
        """L18: what the lockfile says of package.json against package.json itself."""
        left = {name: _default(spec) for name, (kind, spec) in ours.items() if kind not in _PEERS}
        right = {name: _default(spec) for name, (kind, spec) in node.declared.items() if kind not in _PEERS}
        for name in sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name)):
            message = f"{_shown(left.get(name))} in the lockfile, {_shown(right.get(name))} in package.json"
            where = f"{self.project.place(node, 'dependencies')} {name}"[:200]
            self.project.find("root-differs", "lockfile_sound", node.id, where, message)

    # -- edges

    def _load_edges(self) -> None:
        project = self.project
        root = self.locators[""]
        for id_ in sorted(project.nodes):
            source = project.nodes[id_]
            if source.kind is Kind.WORKSPACE:
                edge = Edge(
                    source="",
                    target=id_,
                    name=source.name,
                    kind=EdgeKind.WORKSPACE,
                    range=f"workspace:{source.directory}",
                    satisfied=True,
                )
                project.edges.append(edge)
            if id_ in self.patched:
                base = self.by_locator.get(self.patched[id_])
                if base is None:
                    message = "what it patches is no entry of the lockfile"
                    project.find("source-missing", "bound_bytes", id_, project.place(source), message)
                else:
                    source.target = base.id
            if source.kind not in _OWN:
                self._extend(source)
            for name, (kind, spec) in sorted(source.declared.items()):
                if kind in _PEERS:
                    continue
                target, satisfied = self._resolve(source, name, spec, root)
                project.edges.append(
                    Edge(
                        source=id_,
                        target=target.id if target else None,
                        name=name,
                        kind=kind,
                        range=_public(spec) if spec.startswith("patch:") else spec,
                        satisfied=satisfied,
                    )
                )
            if source.kind is Kind.PATCH and source.target is not None:
                edge = Edge(
                    source=id_,
                    target=source.target,
                    name=source.name,
                    kind=EdgeKind.PROD,
                    range=f"npm:{source.version}",
                    satisfied=True,
                )
                project.edges.append(edge)

    def _extend(self, source: Node) -> None:
        """Add what `packageExtensions` gives a package; the lockfile has its entries, and not who asks for them."""
        for range_, extra in self.project.settings.extensions.get(source.name, ()):
            if source.version is not None and (range_ in ("", "*") or satisfies(source.version, range_)):
                for name, spec in extra.items():
                    source.declared.setdefault(name, (EdgeKind.PROD, spec))

    def _resolve(self, source: Node, name: str, spec: str, root: str) -> tuple[Node | None, bool | None]:
        # (1) resolutions of the root; what they say is relative to the root
        locator = self.locators[source.id]
        replaced = self._replacement(locator, name, spec)
        if replaced is not None:
            spec, locator = replaced, root
        # (2) catalogs
        spec = self._catalogued(name, spec)
        # (3) the entry for exactly this, yarn's own patch of it first
        forms = [spec] if _PROTOCOL.match(spec) else [spec, f"npm:{spec}"]
        if spec.startswith("npm:"):
            forms.append(spec[4:])
        for form in forms:
            node = (
                self.builtin.get((name, form))
                or self.by_key.get(f"{name}@{form}")
                or self.by_key.get(f"{name}@{form}::locator={quote(locator, safe=_SAFE)}")
            )
            if node is not None:
                return node, self._satisfied(node, name, form)
        # (4) bound to something that is spelt otherwise: only where there is no choice
        for form in forms:
            nodes = self.bound.get(f"{name}@{form}", [])
            if len(nodes) == 1:
                return nodes[0], self._satisfied(nodes[0], name, form)
        return None, None

    def _replacement(self, locator: str, name: str, spec: str) -> str | None:
        for parent, reference, asked, value in self.rules.get(name, ()):
            if asked is not None and _default(asked) != _default(spec):
                continue
            if parent is not None:
                match = _IDENT.fullmatch(locator)
                if match is None or match[1] != parent:
                    continue
                if reference is not None and _default(reference) != match[2].partition("::")[0]:
                    continue
            return value
        return None

    def _catalogued(self, name: str, spec: str) -> str:
        if not spec.startswith("catalog:"):
            return spec
        catalog = spec[8:]
        return self.project.settings.catalogs.get("" if catalog == "default" else catalog, {}).get(name, spec)

    def _satisfied(self, node: Node, name: str, spec: str) -> bool | None:
        spec = _jsr.as_alias(name, spec)
        if match := _PROTOCOL.match(spec):
            protocol = match[0][:-1]
        else:  # `owner/repository` and `git@host:…` name no protocol, and are no range
            protocol = "git" if links.specifier(spec) == "git" else "npm"
        match protocol:
            case "npm":
                range_, real = spec.removeprefix("npm:"), name
                if alias := _ALIAS.fullmatch(spec):
                    real, range_ = alias.groups()
                if node.name != real and node.kind is not Kind.ROOT:
                    return False
                if node.kind not in (Kind.REGISTRY, Kind.PATCH, *_OWN) and not (
                    node.kind is Kind.TARBALL and "__archiveUrl" in self.locators[node.id]
                ):
                    return False
                if range_ in ("", "*"):
                    return True
                return None if node.version is None else satisfies(node.version, range_)
            case "workspace":
                return node.kind in _OWN
            case "patch":
                return node.kind is Kind.PATCH or None
            case "link" | "portal":
                return node.kind is Kind.LINK
            case "file" | "exec":
                return node.kind is Kind.FILE
            case _:
                if node.kind is Kind.GIT:
                    asked = _COMMIT.search(spec.partition("#")[2])
                    return None if asked is None else asked[1] in (node.resolved or "")
                return node.resolved == spec if node.kind is not Kind.UNKNOWN else None

    def _load_peers(self) -> None:
        """Peers are provided by whoever depends on a package: the lockfile has no edge for them, so neither have we.

        `target` is None; `satisfied` is true where every dependent provides the peer (or passes it on to its own
        dependents), false where one provides another version, None where one provides nothing.
        """
        project = self.project
        provided: dict[str, dict[str, str]] = {}
        dependents: dict[str, list[Node]] = {}
        for edge in project.edges:
            if edge.target is not None:
                provided.setdefault(edge.source, {})[edge.name] = edge.target
                if edge.kind is not EdgeKind.WORKSPACE and project.nodes[edge.source].kind is not Kind.PATCH:
                    dependents.setdefault(edge.target, []).append(project.nodes[edge.source])
        checks = 0
        for id_ in sorted(project.nodes):
            node = project.nodes[id_]
            peers = {name: told for name, told in node.declared.items() if told[0] in _PEERS}
            checks += len(peers) * len(dependents.get(id_, ()))
            if checks > MAX_PEER_CHECKS:
                raise InputError(f"more than {MAX_PEER_CHECKS:,} peers to check", where=self.path, hint=HINT)
            for name, (kind, spec) in sorted(peers.items()):
                answers: list[bool | None] = []
                for dependent in dependents.get(id_, []):
                    target = provided.get(dependent.id, {}).get(name)
                    if target is not None:
                        peer = project.nodes[target]
                        fits = satisfies(peer.version, spec) if peer.version is not None else None
                        answers.append(fits is not False)
                    elif dependent.name == name or dependent.declared.get(name, ("", ""))[0] in _PEERS:
                        answers.append(True)
                    else:
                        answers.append(None)
                own = node.kind in _OWN and not answers
                satisfied = False if False in answers else None if None in answers or own else True
                project.edges.append(
                    Edge(source=id_, target=None, name=name, kind=kind, range=spec, satisfied=satisfied)
                )

    def _pinning(self, name: str, spec: str) -> str:
        spec = _jsr.as_alias(name, self._catalogued(name, spec))
        if spec.startswith("patch:"):
            inner = _IDENT.fullmatch(unquote(spec[6:].partition("#")[0]))
            return self._pinning(name, inner[2]) if inner else "floating"
        if spec.startswith("npm:") and not _ALIAS.fullmatch(spec):
            spec = spec[4:]
        if _GIT.match(spec):
            return "exact" if _COMMIT.search(spec.partition("#")[2]) else links.pinning(spec)
        return links.pinning(spec)

    # -- refusing

    def _members(self, fields: _syml.Mapping, key: str, line: int) -> _syml.Mapping:
        value = fields.get(key)
        if value is None:
            return {}
        if isinstance(value, str):
            self._refuse(f"`{key}` is a text, expected a mapping", line)
        return value

    def _text(self, fields: _syml.Mapping, key: str, line: int) -> str | None:
        value = fields.get(key)
        return None if value is None else self._string(value, line)

    def _string(self, value: str | _syml.Mapping, line: int) -> str:
        if isinstance(value, str):
            return value
        return self._refuse("a mapping where a text was expected", line)

    def _refuse(self, message: str, line: int) -> NoReturn:
        raise InputError(message, where=self.path, place=f"line {line}", hint=HINT)


_SAFE = "!'()*-._~"  # what JavaScript's encodeURIComponent leaves as it is


def _default(spec: str) -> str:
    """Return a range with the protocol that yarn puts in front of one without."""
    return spec if _PROTOCOL.match(spec) else f"npm:{spec}"


def _is_optional(value: str | _syml.Mapping | None) -> bool:
    return isinstance(value, dict) and value.get("optional") == "true"


def _shown(spec: str | None) -> str:
    return "nothing" if spec is None else _public(spec)


def _public(spec: str) -> str:
    """Return a range or reference without secrets, those of what a patch is for included (PROMISES P40)."""
    if not spec.startswith("patch:"):
        return public_url(spec)
    source, mark, rest = spec[6:].partition("#")
    inner = _IDENT.fullmatch(unquote(source))
    if inner is None:
        return "patch:…"
    shown = _public(inner[2])
    if shown != inner[2]:
        source = quote(f"{inner[1]}@{shown}", safe="@/")
    return f"patch:{source}{mark}{rest}"


def _built(meta: object) -> list[tuple[str, bool]]:
    """Return the packages that `dependenciesMeta` of the root allows or forbids to run their scripts."""
    if not isinstance(meta, dict):
        return []
    return sorted(
        (name, told["built"])
        for name, told in meta.items()
        if isinstance(told, dict) and type(told.get("built")) is bool
    )
