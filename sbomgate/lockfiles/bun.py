"""bun's lockfile, bun.lock: lockfileVersion 0, 1 and 2 (bun 1.1 to 1.4).

    bytes → workspaces and entries (key → tuple) → edges (bun's own walk) → what is reached → packages, findings

An entry's key is its path (`@babel/code-frame/picocolors`): a dependency is looked for below the package that declares
it, then below each one above. Workspaces are `workspace:DIRECTORY`; the entry under a workspace's name is the link to
it.

Read beside the lockfile: package.json of the root and of each workspace, bunfig.toml, .npmrc and patches.
Format: https://bun.sh/docs/install/lockfile; behaviour: bun 1.1 to 1.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from posixpath import join, normpath
from typing import Any

from sbomgate import commands
from sbomgate.errors import InputError
from sbomgate.lockfiles import _bunfig, _npmrc
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles._npm_manifest import matches, workspace_patterns, workspaces_on_disk
from sbomgate.lockfiles._npm_source import Registries, commit_of, is_git, judge
from sbomgate.lockfiles._range import parse_version
from sbomgate.lockfiles._reading import SECTIONS, Reading, declaration, entry_place, meets, reached
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Hash, Kind, Package, ProjectFiles
from sbomgate.purl import public_url
from sbomgate.strict_json import kind_of, load_object, place

FILENAMES = ("bun.lock", "bun.lockb")
"""In bun's order: with both present it reads the text."""

_ARCHIVES = (".tgz", ".tar.gz", ".tar")
# bun writes a comma behind the last item of a line's end. No JSON string holds a line break, so none is touched.
_TRAILING_COMMA = re.compile(rb",(?=[ \t]*\r?\n\s*[}\]])")


def read(files: ProjectFiles, path: str) -> DependencyGraph:
    """Read the lockfile at `path`; the project is the directory that holds it.

    Raises:
        InputError: missing, binary, unknown version, without one single meaning, or over a limit.
    """
    if path.endswith(".lockb"):
        raise InputError(
            "bun's binary lockfile, which only bun reads",
            where=path,
            hint="bun install --save-text-lockfile --frozen-lockfile --lockfile-only, then commit bun.lock for it",
        )
    return _Reader(files, path).read()


def directory_of(package: Package) -> str | None:
    """Return the directory of a workspace, relative to the lockfile's; None for what is none, or leads to one."""
    if package.kind is not Kind.WORKSPACE or package.target is not None:
        return None
    return package.id.removeprefix("workspace:")


class _Reader(Reading):
    """One lockfile while it is read; the methods stand in the order in which they run."""

    manager = "bun"
    kind = "bun"
    hint = "let bun write the file again: bun install --lockfile-only --ignore-scripts"

    def read(self) -> DependencyGraph:
        lock = load_object(_TRAILING_COMMA.sub(b" ", self.data), self.path)
        version = lock.get("lockfileVersion")
        if type(version) is not int or version not in (0, 1, 2):
            shown = repr(version)[:40] if isinstance(version, int | float | str) else kind_of(version)
            self.refuse(f"{shown}, expected the integer 0, 1 or 2", "lockfileVersion")
        self.version = version
        self.entries: dict[str, str] = {}  # key → name@source
        self.infos: dict[str, dict[str, Any]] = {}
        self.registry: dict[str, str] = {}  # key → the tarball's address, where the lockfile says it
        self.integrities: dict[str, str] = {}
        self.names: dict[str, tuple[str, str]] = {}  # key → real name, and what stands behind it
        self.targets: dict[str, str] = {}  # key of a link → id of what it leads to
        self.directories: dict[str, str] = {}  # id of a workspace → directory
        self.keys: dict[str, str] = {"": ""}  # id of a workspace → the key below which its own dependencies lie
        self.asked: dict[str, list[str]] = {}  # entry → what is asked for
        self.askers: dict[str, list[str]] = {}  # entry → the directories of those who ask
        self._load_workspaces(lock)
        self._load_entries(lock)
        self.npmrc = _npmrc.parse(self.read_beside(".npmrc"), self.base + ".npmrc", exports=False)
        _bunfig.load(self)
        _bunfig.load_environment(self)
        self._load_catalogs(lock)
        self._load_overrides(lock)
        self._load_edges()
        bits = links.reach(["", *self.directories], self.edges)
        for key, target in self.targets.items():
            bits[key] = bits.get(target, bits.get(key, 0))
        packages = self._packages(bits)
        self._judge_edges()
        self._judge_patches(lock)
        self._judge_settings(lock)
        self._judge_workspaces()
        self.judge_files(list(self.directories.values()), FILENAMES)
        if self.files.has(self.base + "bun.lockb"):
            message = f"lies beside {self.path}: a bun of before 1.2 installs from it"
            self.find("other-lockfile", "lockfile_sound", None, "bun.lockb", message)
        return self.graph(packages, str(version))

    # -- bytes → entries

    def _load_workspaces(self, lock: dict[str, Any]) -> None:
        workspaces = self.mapping(lock.get("workspaces"), "workspaces")
        if "" not in workspaces:
            self.refuse('no workspace "", which is the project itself', "workspaces")
        self.workspaces: dict[str, dict[str, Any]] = {}
        for directory, workspace in workspaces.items():
            if directory and (normpath(directory) != directory or directory[0] == "/" or "\\" in directory):
                self.refuse("not a canonical relative path", "workspaces", directory)
            found = f"workspace:{directory}" if directory else ""
            self.workspaces[found] = self.mapping(workspace, "workspaces", directory)
            if directory:
                self.directories[found] = directory
                if not self.text(self.workspaces[found].get("name"), "workspaces", directory, "name"):
                    self.refuse("no name, which every workspace has", "workspaces", directory)
            version = self.text(self.workspaces[found].get("version"), "workspaces", directory, "version")
            if version and re.match(r"[\sv=]*\d", version) is None:
                self.refuse("no version, and bun reads no lockfile with such a one", "workspaces", directory, "version")
            if not self.files.is_inside(self.base + directory):
                message = f"the workspace {public_url(directory)} lies outside the repository"
                self.find("link-outside", "exotic_sources", found, place("workspaces", directory), message)
            elif not self.load_manifest(directory):
                where = f"{directory}/package.json" if directory else "package.json"
                self.find("manifest-missing", "lockfile_sound", found, where, "no such file beside the lockfile")

    def _load_entries(self, lock: dict[str, Any]) -> None:
        for key, entry in self.mapping(lock.get("packages"), "packages").items():
            at = ("packages", key)
            if not key or key.startswith("workspace:") or "" in _segments(key):
                self.refuse("not a path of package names", *at)
            if type(entry) is not list or not entry or type(entry[0]) is not str:
                self.refuse("expected an array that begins with name@source", *at)
            name, _, source = entry[0][1:].partition("@")
            name = entry[0][:1] + name
            if not source:
                self.refuse(f"{entry[0][:100]!a} is no name@source", *at)
            self.entries[key] = entry[0]
            self.names[key] = (name, source)
            rest = entry[1:]
            if parse_version(source):
                if len(rest) not in (2, 3) or type(rest[0]) is not str:
                    self.refuse("expected name@version, registry, details and integrity", *at)
                self.registry[key] = rest.pop(0)
            self.infos[key] = self.mapping(rest.pop(0) if rest else None, *at)
            if rest and is_git(source):
                rest.pop(0)  # the directory in bun's cache
            if rest:
                integrity = rest.pop(0)
                if type(integrity) is not str:
                    self.refuse(f"{kind_of(integrity)}, expected an integrity string", *at)
                if integrity:
                    self.integrities[key] = integrity
            if rest:
                self.refuse("more fields than bun writes", *at)
            if source.startswith("workspace:"):
                directory = normpath(source[10:])
                target = "" if directory == "." else f"workspace:{directory}"
                if target not in self.workspaces:
                    self.refuse(f"no workspace {source[10:][:100]!a}", *at)
                self.targets[key] = target
                self.keys.setdefault(target, key)
            elif source == "root:":
                self.targets[key] = ""

    def _load_catalogs(self, lock: dict[str, Any]) -> None:
        self.catalogs = {"": self.texts(lock.get("catalog"), "catalog")}
        for name, entries in self.mapping(lock.get("catalogs"), "catalogs").items():
            self.catalogs[name] = self.texts(entries, "catalogs", name)
        manifest = self.manifests.get("", {})
        spaces = manifest.get("workspaces")
        for holder in (manifest, spaces if type(spaces) is dict else {}):
            declared = {"": holder.get("catalog")} | (
                holder["catalogs"] if type(holder.get("catalogs")) is dict else {}
            )
            for name, entries in declared.items():
                if type(entries) is dict and entries != self.catalogs.get(name):
                    where = place("catalogs", name) if name else "catalog"
                    self.find("lock-drift", "pinned", None, where, "another catalog than in package.json")

    def _meaning(self, specifier: str, name: str) -> str:
        if not specifier.startswith("catalog:"):
            return specifier
        return self.catalogs.get(specifier[8:].strip(), {}).get(name, specifier)

    def _load_overrides(self, lock: dict[str, Any]) -> None:
        self.overrides: dict[str, list[str]] = {}
        locked = dict(_flat(self.mapping(lock.get("overrides"), "overrides"), ()))
        for path, spec in locked.items():
            self.overrides.setdefault(_bare(path[-1] if path[-1] != "." else path[-2]), []).append(spec)
        self.judge_overrides(self.path, {" > ".join(path): spec for path, spec in locked.items()}, "overrides")
        manifest = self.manifests.get("")
        if manifest is None:
            return
        declared: dict[tuple[str, ...], str] = {}
        for section in ("resolutions", "overrides"):
            if type(manifest.get(section)) is dict:
                declared |= dict(_flat(manifest[section], ()))
        own = links.declared(manifest, top=True, where=self.base + "package.json")
        for path in sorted(locked.keys() | declared.keys()):
            ours, theirs = locked.get(path), declared.get(path)
            if theirs is not None and theirs[:1] == "$":
                theirs = own.get(theirs[1:], (None, theirs))[1]
            if (
                ours is not None
                and theirs is not None
                and self._meaning(theirs, path[-1]) == self._meaning(ours, path[-1])
            ):
                continue
            message = (
                f"{public_url(ours or 'nothing')} in the lockfile, {public_url(theirs or 'nothing')} in package.json"
            )
            self.find("lock-drift", "pinned", None, place("overrides", *path), message)

    # -- entries → edges

    def _load_edges(self) -> None:
        for found, workspace in self.workspaces.items():
            declared = self._declared(workspace, "workspaces", self.directories.get(found, ""), top=True)
            self._compare_manifest(found, declared)
            for name, (kind, spec) in declared.items():
                self._add(found, self.keys.get(found, ""), name, kind, spec)
        for key, info in self.infos.items():
            if key not in self.targets:
                for name, (kind, spec) in self._declared(info, "packages", key, top=False).items():
                    self._add(key, key, name, kind, spec)

    def _declared(self, holder: dict[str, Any], *at: str, top: bool) -> links.Declared:
        found: links.Declared = {}
        if "peerDependencies" in holder:
            optional = self.words(holder.get("optionalPeers"), *at, "optionalPeers")
            for name, spec in self.texts(holder["peerDependencies"], *at, "peerDependencies").items():
                found[name] = (EdgeKind.PEER_OPTIONAL if name in optional else EdgeKind.PEER, spec)
        for section, kind in SECTIONS:
            if section in holder and (top or kind is not EdgeKind.DEV):
                for name, spec in self.texts(holder[section], *at, section).items():
                    found[name] = (kind, spec)
        return found

    def _add(self, source: str, key: str, name: str, kind: EdgeKind, spec: str) -> None:
        target = next((place for place in _places(key, name) if place in self.entries), None)
        if target is None:
            self.edges.append(Edge(source=source, target=None, name=name, kind=kind, range=spec))
            return
        asked = self._meaning(spec, name)
        if target in self.targets:
            end = self.targets[target]
            real, version = self.name_and_version(self.directories.get(end, ""))
            ok = True if "/" in asked or asked[:1] in "." else meets(version, asked, real)
            if self.version == 0 and asked == self.directories.get(end):
                ok = True
            self.edges.append(Edge(source=source, target=end, name=name, kind=kind, range=spec, satisfied=ok))
            return
        self.asked.setdefault(target, []).append(asked)
        self.askers.setdefault(target, []).append(self.directories.get(source, ""))
        real, stated = self.names[target]
        ok = self._satisfied(asked, real, stated)
        if ok is not True:
            for other in self.overrides.get(name, ()):
                if self._satisfied(self._meaning(other, name), real, stated) is not False:
                    ok = True
        self.edges.append(Edge(source=source, target=target, name=name, kind=kind, range=spec, satisfied=ok))

    def _satisfied(self, asked: str, real: str, stated: str) -> bool | None:
        if parse_version(stated):
            return False if links.specifier(asked) in ("git", "file") else meets(stated, asked, real)
        if links.specifier(asked) == "git" and is_git(stated):
            commit = commit_of(asked)
            return False if commit and commit_of(stated) and commit != commit_of(stated) else None
        return None

    def _compare_manifest(self, found: str, locked: links.Declared) -> None:
        """L17, L18: what the lockfile says of package.json against package.json itself."""
        directory = self.directories.get(found, "")
        manifest = self.manifests.get(directory)
        if manifest is None:
            return
        where = f"{directory}/package.json" if directory else "package.json"
        wanted = links.declared(manifest, top=True, where=self.base + where)
        for name in sorted(locked.keys() | wanted.keys()):
            ours, theirs = locked.get(name), wanted.get(name)
            if ours == theirs:
                continue
            # Version 0 has the directory in place of `workspace:…`, and of a range that the workspace's version meets.
            if self.version == 0 and ours is not None and theirs is not None and self._is_workspace(ours[1]):
                real, version = self.name_and_version(ours[1])
                if theirs[1].startswith("workspace:") or (real == name and meets(version, theirs[1], real)):
                    continue
            message = f"{declaration(ours)} in the lockfile, {declaration(theirs)} in package.json"
            self.find("lock-drift", "pinned", found, f"{where} {name}"[:300], message)
        for key in ("name", "version"):
            said, theirs_ = self.workspaces[found].get(key), manifest.get(key)
            if type(said) is str and type(theirs_) is str and said != theirs_:
                message = f"another {key} than in package.json"
                self.find("root-renamed", "lockfile_sound", found, place("workspaces", directory, key), message)

    def _is_workspace(self, directory: str) -> bool:
        return f"workspace:{directory}" in self.directories

    # -- edges → packages

    def _packages(self, bits: dict[str, int]) -> list[Package]:
        own = {"", *self.directories}
        direct = {edge.target for edge in self.edges if edge.source in own}
        packages: list[Package] = []
        for found in ("", *self.directories):
            name, version = self.name_and_version(self.directories.get(found, ""))
            kind = Kind.WORKSPACE if found else Kind.ROOT
            packages.append(Package(id=found, name=name, version=version, kind=kind, direct=found in direct))
        registries = self.registries
        for key in self.entries:
            mask = bits.get(key, 0)
            target = self.targets.get(key)
            if target is not None:
                name, version = self.name_and_version(self.directories.get(target, ""))
                packages.append(
                    Package(
                        id=key,
                        name=name,
                        version=version,
                        alias=_segments(key)[-1] if _segments(key)[-1] != name else None,
                        kind=Kind.WORKSPACE,
                        resolved=self.names[key][1],
                        target=target,
                        direct=target in direct,
                        **reached(mask),
                    )
                )
                continue
            packages.append(self._package(key, mask, registries, key in direct))
        return packages

    def _package(self, key: str, mask: int, registries: Registries, direct: bool) -> Package:
        where = entry_place("packages", key)
        name, stated = self.names[key]
        info = self.infos[key]
        alias = _segments(key)[-1]
        kind, version, resolved = self._source(key, name, stated, registries, where)
        holder = key[: -len(alias) - 1]
        bundled_in = None
        if info.get("bundled") is True and holder in self.entries and holder not in self.targets:
            kind, bundled_in = Kind.BUNDLED, holder
        integrity = self.integrities.get(key)
        hashes: tuple[Hash, ...] = ()
        if integrity is not None:
            hashes = self.hashes(key, integrity, where)
        elif kind in (Kind.REGISTRY, Kind.TARBALL, Kind.UNKNOWN) or (kind is Kind.FILE and stated.endswith(_ARCHIVES)):
            message = "no integrity: whatever is served is installed"
            self.find("missing-integrity", "lockfile_sound", key, where, message)
        self.judge_name(key, name, version, kind, where)
        if not mask:
            message = "nothing depends on it: bun would remove it"
            self.find("unreachable-entry", "lockfile_sound", key, where, message)
        if alias != name and not self._alias_declared(key, name, alias):
            message = f"installed as {alias}, but nothing declares that as an alias of {name}"
            self.find("alias-undeclared", "bound_bytes", key, where, message)
        return Package(
            id=key,
            name=name,
            version=version,
            alias=alias if alias != name else None,
            kind=kind,
            resolved=resolved,
            integrity=integrity,
            hashes=hashes,
            bundled_in=bundled_in,
            direct=direct,
            os=self.words(info.get("os"), "packages", key, "os"),
            cpu=self.words(info.get("cpu"), "packages", key, "cpu"),
            libc=self.words(info.get("libc"), "packages", key, "libc"),
            commands=commands.names(info.get("bin"), name),
            **reached(mask),
        )

    def _source(
        self, key: str, name: str, stated: str, registries: Registries, where: str
    ) -> tuple[Kind, str | None, str | None]:
        """Return kind, version and address of an entry; what is wrong or worth knowing about them is found."""
        if parse_version(stated):
            address = self.registry[key]
            if not address:
                return Kind.REGISTRY, stated, None  # bun asks the configured registry for this name and version
            if not address.endswith(_ARCHIVES) and "/-/" not in address:
                address = f"{address.rstrip('/')}/{name}/-/{name.rpartition('/')[2]}-{stated}.tgz"
            kind, remarks = judge(name, stated, address, registries)
            for code, rule, message in remarks:
                self.find(code, rule, key, where, message)
            if kind is not Kind.REGISTRY:
                self._judge_source(key, ("remote",), where)
            return kind, stated, address
        if is_git(stated):
            self.find("git", "exotic_sources", key, where, f"comes from git: {public_url(stated)}")
            if commit_of(stated) is None:
                message = "names a branch, tag or abbreviated commit, expected a full commit hash"
                self.find("git-not-commit", "pinned", key, where, message)
            self._judge_source(key, ("git",), where)
            return Kind.GIT, None, stated
        if stated.startswith(("http:", "https:")):
            kind, remarks = judge(name, None, stated, registries)
            for code, rule, message in remarks:
                self.find(code, rule, key, where, message)
            self._judge_source(key, ("remote", "git"), where)
            version = None
            if kind is Kind.REGISTRY:
                stem = stated.rpartition("/")[2].removesuffix(".tgz")
                version = stem.removeprefix(name.rpartition("/")[2] + "-")
            return kind, version, stated
        if stated.startswith(("link:", "file:")) or stated.endswith(_ARCHIVES):
            path = stated.partition(":")[2] if stated.startswith(("link:", "file:")) else stated
            kind = Kind.LINK if stated.startswith("link:") else Kind.FILE
            word = "link" if kind is Kind.LINK else "file"
            self.find(word, "exotic_sources", key, where, f"comes from a {word}: {public_url(path)}")
            outside = path[:1] == "/" or not any(
                self.files.is_inside(self.base + normpath(join(directory, path)))
                for directory in self.askers.get(key, [""])
            )
            if outside:
                message = f"{public_url(path)} lies outside the repository"
                self.find("link-outside", "exotic_sources", key, where, message)
            self._judge_source(key, ("file",), where)
            version = None
            if not path.endswith(_ARCHIVES) and not outside and self.load_manifest(normpath(path)):
                version = self.name_and_version(normpath(path))[1]
            return kind, version, f"file:{path}"
        message = f"{stated[:100]!a} is neither a version nor an address"
        self.find("source-missing", "bound_bytes", key, where, message)
        return Kind.UNKNOWN, None, None

    def _judge_source(self, key: str, expected: tuple[str, ...], where: str) -> None:
        """An entry from git, a URL or a file that nobody asked to come from there."""
        asked = self.asked.get(key, []) + self.overrides.get(_segments(key)[-1], [])
        if asked and not any(links.specifier(spec) in expected for spec in asked):
            message = "comes from elsewhere, but every declaration asks the registry for it"
            self.find("source-undeclared", "bound_bytes", key, where, message)

    def _alias_declared(self, key: str, name: str, alias: str) -> bool:
        return any(
            (spec.startswith("npm:") and links.alias_of(spec)[0] == name)
            or links.specifier(spec) in ("git", "remote", "file")
            for spec in self.asked.get(key, []) + self.overrides.get(alias, [])
        )

    # -- findings

    def _judge_edges(self) -> None:
        own = {"", *self.directories}
        ends = set(self.targets.values()) | own
        for edge in self.edges:
            ours = edge.source in own
            if ours and edge.target not in ends and edge.kind not in (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL):
                self.judge_declaration(edge, self._meaning(edge.range, edge.name))
            if edge.target is not None and edge.satisfied is not False:
                continue
            peer = edge.kind in (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)
            shown = f"{edge.name}@{public_url(edge.range) or '*'}"
            where = self.edge_place(edge) if ours else f"{place('packages', edge.source)} {edge.name}"
            if edge.target is None:
                if edge.kind in (EdgeKind.OPTIONAL, EdgeKind.PEER_OPTIONAL):
                    continue
                code, rule = ("peer-unmet", "lockfile_sound") if peer else ("dependency-missing", "lockfile_sound")
                code, rule = ("lock-drift", "pinned") if ours and not peer else (code, rule)
                self.find(code, rule, edge.source, where, f"no entry for {shown}")
                continue
            real, version = self.names.get(edge.target) or self.name_and_version(self.directories.get(edge.target, ""))
            message = f"{shown} is not satisfied by {real}@{public_url(str(version))}"
            code, rule = ("peer-invalid", "lockfile_sound") if peer else ("range-unsatisfied", "lockfile_sound")
            code, rule = ("lock-drift", "pinned") if ours and not peer else (code, rule)
            self.find(code, rule, edge.source, where, message)

    def edge_place(self, edge: Edge) -> str:
        """Return where the project declares an edge."""
        return super().edge_place(replace(edge, source=self.directories.get(edge.source, "")))

    def _judge_patches(self, lock: dict[str, Any]) -> None:
        """The lockfile holds no hash of a patch; its digest is among the files of the input."""
        locked = self.texts(lock.get("patchedDependencies"), "patchedDependencies")
        manifest = self.manifests.get("", {}).get("patchedDependencies")
        declared = manifest if type(manifest) is dict else {}
        applied: dict[str, list[str]] = {}
        for key, (name, stated) in self.names.items() if locked else ():
            applied.setdefault(name, []).append(key)
            applied.setdefault(f"{name}@{stated}", []).append(key)
        for selector in sorted(locked.keys() | declared.keys()):
            where = place("patchedDependencies", selector)
            if locked.get(selector) != declared.get(selector) and "" in self.manifests:
                self.find("lock-drift", "pinned", None, where, "another patch than in package.json")
            path = locked.get(selector) or ""
            if selector not in locked:
                continue
            for key in applied.get(selector, ()):
                message = f"{selector[:300]} is changed by a patch of the project ({path[:200]})"
                self.find("patched", "exotic_sources", key, where, message)
            inside = path[:1] not in "/~" and self.files.is_inside(self.base + path)
            data = self.read_beside(path) if inside else None
            if data is not None:
                self.settings[f"patch:{selector}"] = f"sha256:{sha256(data).hexdigest()}"
            else:
                self.find(
                    "patch-differs", "lockfile_sound", None, where, "no patch file in the repository belongs to it"
                )

    def _judge_workspaces(self) -> None:
        """The lockfile names each workspace: another set of them is refused by `bun install --frozen-lockfile`."""
        manifest = self.manifests.get("")
        if manifest is None:
            return
        patterns = workspace_patterns(manifest, self.base + "package.json")
        locked = set(self.directories.values())
        for directory in workspaces_on_disk(self.files, self.base, manifest):
            if directory not in locked:
                message = "a workspace that stands not in the lockfile"
                self.find("lock-drift", "pinned", None, f"{directory}/package.json", message)
        for directory in sorted(locked):
            if not matches(patterns, directory):
                message = "a workspace in the lockfile, and none by package.json"
                self.find("lock-drift", "pinned", None, place("workspaces", directory), message)

    def _judge_settings(self, lock: dict[str, Any]) -> None:
        locked = self.words(lock.get("trustedDependencies"), "trustedDependencies")
        manifest = self.manifests.get("", {})
        trusted = manifest.get("trustedDependencies")
        declared = sorted(name for name in trusted if type(name) is str) if type(trusted) is list else []
        if declared or locked:
            self.settings["trustedDependencies"] = json.dumps(declared if "" in self.manifests else sorted(locked))
        if "" in self.manifests and sorted(locked) != declared:
            message = "other packages may run scripts than package.json says"
            self.find("lock-drift", "pinned", None, "trustedDependencies", message)


def _segments(key: str) -> list[str]:
    """Return the package names of a key."""
    found: list[str] = []
    scope = ""
    for part in key.split("/"):
        if part[:1] == "@" and not scope:
            scope = part + "/"
            continue
        found.append(scope + part if part else "")
        scope = ""
    return [*found, ""] if scope else found


def _places(key: str, name: str) -> Iterator[str]:
    """Yield where bun looks for a dependency of the entry at `key`, nearest first."""
    parts = _segments(key) if key else []
    for end in range(len(parts), -1, -1):
        yield "/".join([*parts[:end], name])


def _flat(overrides: dict[str, Any], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in overrides.items():
        if type(value) is str:
            yield (*at, key), value
        elif type(value) is dict and len(at) < 20:
            yield from _flat(value, (*at, key))


def _bare(selector: str) -> str:
    name = selector.rpartition("/")[2] if "/" in selector and selector[:1] != "@" else selector
    at = name.find("@", 1)
    return name[:at] if at > 0 else name
