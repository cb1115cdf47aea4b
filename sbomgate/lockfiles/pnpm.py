"""pnpm's lockfile, pnpm-lock.yaml: lockfileVersion 5.4, 6.0, 6.1 and 9.0, one document or two (pnpm 11 and later).

    bytes → documents → importers and entries → edges (pnpm's own references) → what is reached → packages, findings

An entry is a snapshot: one package with one set of peers, under pnpm's own key, suffix included. In version 9 what the
snapshots of a package share stands in `packages`. Entries of a leading document (pnpm's own packages and config
dependencies) have `env:` before their key. Importers are the root and the workspaces, under their directory.

Read beside the lockfile: package.json of each importer, pnpm-workspace.yaml, .npmrc, hook files and patches.
Format: https://github.com/pnpm/spec/tree/master/lockfile; behaviour: pnpm 7 to 12.
"""

from __future__ import annotations

import json
import re
from hashlib import md5, sha256
from posixpath import join, normpath
from typing import Any
from urllib.parse import urljoin

from sbomgate.lockfiles import _jsr
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles import _pnpm_keys as keys
from sbomgate.lockfiles._npm_manifest import deprecation_of, engines_of, workspaces_on_disk
from sbomgate.lockfiles._npm_source import Registries, commit_of, judge
from sbomgate.lockfiles._pnpm_settings import WORKSPACE, Settings
from sbomgate.lockfiles._reading import MAX_ENTRIES, SECTIONS, Reading, declaration, entry_place, meets, reached
from sbomgate.lockfiles._yaml import load_documents
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Hash, Kind, Package, ProjectFiles
from sbomgate.purl import host_of, public_url
from sbomgate.strict_json import kind_of, place

FILENAMES = ("pnpm-lock.yaml",)

_MAJORS = {"5.4": 5, "6.0": 6, "6.1": 6, "9.0": 9}
_OWN_LOCKFILES = "shared-workspace-lockfile"  # false: each workspace has a lockfile of its own
_INTEGRITY_ALONE = {"integrity"}  # a resolution that names no address: the configured registry's
_CONFIG = ("configDependencies", "packageManagerDependencies")
# The host serves a commit of a git repository as a tarball: pnpm's form of a dependency on it.
_GIT_ARCHIVE = re.compile(
    r"https://(?:codeload\.github\.com/[^/?#]+/[^/?#]+/tar\.gz/([^/?#]+)"
    r"|bitbucket\.org/[^/?#]+/[^/?#]+/get/([^/?#]+)\.tar\.gz"
    r"|gitlab\.com/(?:api/v4/projects/[^/?#]+/repository/archive\.tar\.gz\?ref=([^/&#]+)"
    r"|[^?#]+/-/archive/([^/?#]+)/[^/?#]+\.tar\.gz))"
)


def read(files: ProjectFiles, path: str) -> DependencyGraph:
    """Read the lockfile at `path`; the project is the directory that holds it.

    Raises:
        InputError: missing, unknown version, without one single meaning, or over a limit.
    """
    return _Reader(files, path).read()


def directory_of(package: Package) -> str | None:
    """Return the directory of a workspace, relative to the lockfile's; None for what is none, or leads to one."""
    if package.kind is not Kind.WORKSPACE or package.resolved is not None:
        return None  # a copy of one (`injected`) has an address
    return package.id


class _Reader(Reading):
    """One lockfile while it is read; the methods stand in the order in which they run."""

    manager = "pnpm"
    kind = "pnpm"
    hint = "let pnpm write the file again: pnpm install --lockfile-only --ignore-scripts"

    def read(self) -> DependencyGraph:
        documents = load_documents(self.data, self.path)
        if not 1 <= len(documents) <= 2:
            self.refuse(f"{len(documents)} documents, expected one or two")
        for document in documents:
            if type(document) is not dict:
                self.refuse(f"{kind_of(document)}, expected a mapping")
        lock = documents[-1]
        self.major = self._version(lock)
        self.entries: dict[str, dict[str, Any]] = {}  # id → what the lockfile says of the package
        self.snapshots: dict[str, dict[str, Any]] = {}  # id → what it says of this set of peers
        self.sections: dict[str, str] = {}  # id → where it stands
        self.facts: dict[str, keys.Key] = {}
        self.names: dict[str, tuple[str, str | None]] = {}
        self.importers: dict[str, dict[str, Any]] = {}
        self.links: dict[str, str] = {}  # id of a link → the directory that it leads to
        self.aliases: dict[str, str] = {}
        self.specifiers: dict[str, list[str]] = {}  # entry → what importers ask for
        self.switches = self.mapping(lock.get("settings"), "settings")
        self.ignored = self.words(lock.get("ignoredOptionalDependencies"), "ignoredOptionalDependencies")
        self.majors = {"": self.major}
        self.unused: set[str] = set()  # entries of `packages` without a snapshot: pnpm installs none of them
        self._load_importers(lock)
        self._load_entries(lock, "", self.major)
        if len(documents) == 2:
            self.majors["env:"] = self._version(documents[0])
            self._load_entries(documents[0], "env:", self.majors["env:"])
        self.config = Settings(self)
        self._load_catalogs(lock)
        self._load_overrides(lock)
        self._load_importer_edges()
        if len(documents) == 2:
            self._load_environment(documents[0])
        self._load_config_dependencies()
        self._load_edges()
        own = list(self.importers)
        bits = links.reach(own, self.edges)
        packages = self._packages(bits)
        self._judge_patches(lock)
        self._judge_edges()
        self._judge_workspaces()
        self.judge_files(own, FILENAMES)
        return self.graph(packages, str(lock["lockfileVersion"]))

    # -- bytes → entries

    def _version(self, lock: dict[str, Any]) -> int:
        version = lock.get("lockfileVersion")
        if not isinstance(version, str) or version not in _MAJORS:
            shown = repr(str(version))[:40] if isinstance(version, str) else kind_of(version)
            self.refuse(f"{shown}, expected one of {', '.join(_MAJORS)}", "lockfileVersion")
        return _MAJORS[version]

    def _load_importers(self, lock: dict[str, Any]) -> None:
        if "importers" in lock:
            for name in ("dependencies", "devDependencies", "optionalDependencies", "specifiers"):
                if name in lock:
                    self.refuse("stands beside `importers`: pnpm reads only one of them", name)
            importers = self.mapping(lock["importers"], "importers")
        else:
            importers = {".": lock}
        for directory, importer in importers.items():
            plain = "" if directory == "." else directory
            if plain and (normpath(plain) != plain or plain[0] == "/" or "\\" in plain or plain[1:2] == ":"):
                self.refuse("not a canonical relative path", "importers", directory)
            self.importers[plain] = self.mapping(importer, "importers", directory)
            inside = self.files.is_inside(self.base + plain)
            if not inside:
                message = f"the workspace {public_url(plain)} lies outside the repository"
                self.find("link-outside", "exotic_sources", plain, place("importers", directory), message)
            elif not self.load_manifest(plain):
                where = f"{plain}/package.json" if plain else "package.json"
                self.find("manifest-missing", "lockfile_sound", plain, where, "no such file beside the lockfile")
        if "" not in self.importers:
            self.importers[""] = {}
            if not self.load_manifest(""):
                message = "no such file beside the lockfile"
                self.find("manifest-missing", "lockfile_sound", "", "package.json", message)

    def _load_entries(self, lock: dict[str, Any], prefix: str, major: int) -> None:
        packages = self.mapping(lock.get("packages"), "packages")
        if major != 9:
            for key, entry in packages.items():
                shared = self.mapping(entry, "packages", key)
                self._add(prefix, key, shared, shared, "packages", major)
            return
        snapshots = self.mapping(lock.get("snapshots"), "snapshots")
        used = set()
        for key, snapshot in snapshots.items():
            base = keys.without_suffix(key)
            if base not in used:  # every set of peers of a package has the same
                used.add(base)
                self.mapping(packages.get(base), "packages", base)
            shared = packages.get(base) or {}
            if shared.get("resolution") is None:
                message = "has no resolution in `packages`: nothing says where its bytes come from"
                self.find("source-missing", "bound_bytes", prefix + key, place("snapshots", key), message)
            self._add(prefix, key, shared, self.mapping(snapshot, "snapshots", key), "snapshots", major, base)
        for key, entry in packages.items():
            if key not in used:
                self.unused.add(prefix + key)
                self._add(prefix, key, self.mapping(entry, "packages", key), {}, "packages", major)

    def _add(
        self,
        prefix: str,
        key: str,
        entry: dict[str, Any],
        snapshot: dict[str, Any],
        section: str,
        major: int,
        base: str | None = None,
    ) -> None:
        """Note an entry; `base` is its key without the peers, where that is known already."""
        found = prefix + key
        if found in self.entries or found in self.importers or not key or key.startswith(("env:", "link:")):
            self.refuse("the key names two things", section, key)
        if len(self.entries) >= MAX_ENTRIES:
            self.refuse(f"more than {MAX_ENTRIES:,} packages", section)
        self.entries[found] = entry
        self.snapshots[found] = snapshot
        self.sections[found] = section
        parsed = self.facts[found] = keys.parse(key, major) if base is None else keys.of_base(base)
        name, version = parsed.name, parsed.version
        if "name" in entry or "version" in entry:
            for what, stated in (("name", name), ("version", version)):
                said = self.text(entry.get(what), section, key, what)
                if stated is not None and said is not None and stated != said:
                    message = f"`{what}` is {said[:100]}, but the key says {stated[:100]}"
                    self.find("sections-disagree", "lockfile_sound", found, place(section, key, what), message)
            name, version = name or entry.get("name"), version or entry.get("version")
        self.names[found] = (name or "", version)

    def _load_catalogs(self, lock: dict[str, Any]) -> None:
        self.catalogs: dict[str, dict[str, str]] = {}
        for catalog, entries in self.mapping(lock.get("catalogs"), "catalogs").items():
            found = self.catalogs[catalog] = {}
            for name, entry in self.mapping(entries, "catalogs", catalog).items():
                at = ("catalogs", catalog, name)
                specifier = self.text(self.mapping(entry, *at).get("specifier"), *at, "specifier")
                found[name] = specifier or ""
                declared = self.config.catalogs.get(catalog, {}).get(name)
                if declared is not None and declared != specifier:
                    message = f"{public_url(specifier or '')} in the lockfile, {public_url(declared)} in {WORKSPACE}"
                    self.find("lock-drift", "pinned", None, place(*at), message)

    def _load_overrides(self, lock: dict[str, Any]) -> None:
        self.overrides = self.texts(lock.get("overrides"), "overrides")
        self.judge_overrides(self.path, self.overrides, "overrides")
        if WORKSPACE not in self.beside and "" not in self.manifests:
            return  # pnpm itself has nothing to compare them with either: Rush makes both files when it installs
        own = links.declared(self.manifests.get("", {}), top=True, where=self.base + "package.json")
        declared: dict[str, str] = {}
        resolutions = self.manifests.get("", {}).get("resolutions")
        if type(resolutions) is dict:
            declared |= {name: spec for name, spec in resolutions.items() if type(spec) is str}
        for selector, spec in (declared | self.config.overrides).items():
            if spec[:1] == "$":
                spec = own.get(spec[1:], (None, spec))[1]
            declared[selector] = self._catalogued(spec, _selected(selector))
        for selector in sorted(self.overrides.keys() | declared.keys()):
            locked, wanted = self.overrides.get(selector), declared.get(selector)
            if locked != wanted and not (locked is None and selector in (resolutions or ())):
                message = (
                    f"{public_url(locked or 'nothing')} in the lockfile, {public_url(wanted or 'nothing')} declared"
                )
                self.find("lock-drift", "pinned", None, place("overrides", selector), message)

    def _catalogued(self, specifier: str, name: str) -> str:
        """Return the specifier of the catalog that one names, else itself."""
        if not specifier.startswith("catalog:"):
            return specifier
        catalog = specifier[8:].strip() or "default"
        found = self.catalogs.get(catalog, {}).get(name)
        return found if found is not None else self.config.catalogs.get(catalog, {}).get(name, specifier)

    def _meaning(self, specifier: str, name: str) -> str:
        """Return what a specifier asks for."""
        return _jsr.as_alias(name, self._catalogued(specifier, name))

    # -- entries → edges

    def _load_importer_edges(self) -> None:
        for directory, importer in sorted(self.importers.items()):
            at = ("importers", directory or ".")
            old = self.texts(importer.get("specifiers"), *at, "specifiers") if self.major == 5 else {}
            locked: links.Declared = {}
            for section, kind in SECTIONS:
                for name, item in self.mapping(importer.get(section), *at, section).items():
                    if type(item) is dict:
                        reference = self.text(item.get("version"), *at, section, name, "version")
                        specifier = self.text(item.get("specifier"), *at, section, name, "specifier")
                    else:
                        reference, specifier = self.text(item, *at, section, name), old.get(name)
                    if reference is None or specifier is None:
                        self.refuse("expected a version and a specifier", *at, section, name)
                    locked[name] = (kind, specifier)
                    self._add_importer_edge(directory, name, kind, specifier, reference)
            self._compare_manifest(directory, locked)

    def _add_importer_edge(self, directory: str, name: str, kind: EdgeKind, specifier: str, reference: str) -> None:
        target = self._target(directory, name, reference, "", self.major)
        asked = self._meaning(specifier, name)
        satisfied: bool | None = None
        if target is not None:
            if target in self.importers or target in self.links:
                real, version = self.name_and_version(self.links.get(target, target))
                linked = asked.startswith(("link:", "file:", "."))
                satisfied = True if linked else meets(version, asked, real)
            else:
                real, version = self.names[target]
                satisfied = meets(version, asked, real)
                self._note_alias(target, name, real)
                self.specifiers.setdefault(target, []).append(asked)
        edge = Edge(source=directory, target=target, name=name, kind=kind, range=specifier, satisfied=satisfied)
        self.edges.append(edge)
        manifest = self.manifests.get(directory, {})
        peers = manifest.get("peerDependencies")
        # What only stands among the peers is for whoever uses the workspace to choose.
        peer = type(peers) is dict and name in peers and not any(name in manifest.get(s, ()) for s, _ in SECTIONS)
        if target not in self.importers and not peer:
            self.judge_declaration(edge, asked)

    def _target(self, directory: str, name: str, reference: str, prefix: str, major: int) -> str | None:
        """Return the id that a reference leads to, or None where the lockfile has no such entry."""
        if not reference.startswith("link:"):
            found = prefix + keys.target(reference, name, major)
            return found if found in self.entries and found not in self.unused else None
        path = reference[5:]
        path = path if path[:1] == "/" else normpath(join(directory, path))
        path = "" if path == "." else path
        if path in self.importers:
            return path
        found = f"link:{path}"
        if found not in self.links:
            if found in self.entries:
                self.refuse("the key names two things", self.sections[found], found)
            self.links[found] = path
            where = place("importers", directory or ".")
            if path[:1] == "/" or not self.files.is_inside(self.base + path):
                message = f"a link to {public_url(path)}, outside the repository"
                self.find("link-outside", "exotic_sources", found, where, message)
            else:
                self.find(
                    "link", "exotic_sources", found, where, f"a link to the directory {path}, which is no workspace"
                )
                if not self.load_manifest(path):
                    message = "no such file beside the lockfile"
                    self.find("manifest-missing", "lockfile_sound", found, f"{path}/package.json", message)
        return found

    def _note_alias(self, target: str, name: str, real: str) -> None:
        if name != real:
            self.aliases[target] = min(name, self.aliases.get(target, name))

    def _compare_manifest(self, directory: str, locked: links.Declared) -> None:
        """L17, L18: what the lockfile says of package.json against package.json itself."""
        manifest = self.manifests.get(directory)
        if manifest is None:
            return
        where = f"{directory}/package.json" if directory else "package.json"
        peers = manifest.get("peerDependencies")
        peers = peers if type(peers) is dict else {}
        own = {key: value for key, value in manifest.items() if key != "peerDependencies"}
        wanted: links.Declared = {}
        # Where a name stands in several sections pnpm takes it from optionalDependencies, then from dependencies.
        for section in ("devDependencies", "dependencies", "optionalDependencies"):
            top = section == "devDependencies"
            wanted |= links.declared({section: own.get(section)}, top=top, where=self.base + where)
        runtimes = _runtimes(manifest)
        for name in sorted(locked.keys() | wanted.keys()):
            ours, theirs = locked.get(name), wanted.get(name)
            if ours == theirs or (theirs is None and ours is not None and peers.get(name) == ours[1]):
                continue
            if theirs is None and ours == runtimes.get(name):
                continue
            replaced = [spec for selector, spec in self.overrides.items() if _selected(selector) == name]
            if ours is None and theirs is not None:
                excluded = theirs[1].startswith(("link:", "workspace:")) and self.config_of("excludeLinksFromLockfile")
                if "-" in replaced or excluded or (theirs[0] is EdgeKind.OPTIONAL and self.ignored):
                    continue
            elif ours is not None and ours[1] in replaced and (theirs is None or theirs[0] is ours[0]):
                continue
            elif ours is not None and ours[1] in replaced and ours[0] is EdgeKind.PROD and name in peers:
                continue  # (versionsOverrider) a peer that becomes an alias, or a URL, is a dependency
            message = f"{declaration(ours)} in the lockfile, {declaration(theirs)} in package.json"
            self.find("lock-drift", "pinned", directory, f"{where} {name}"[:300], message)

    def config_of(self, name: str) -> bool:
        """Whether the lockfile's own `settings` hold a switch."""
        return self.switches.get(name) is True

    def _load_environment(self, document: dict[str, Any]) -> None:
        """The leading document: what pnpm fetches for itself before it reads the project."""
        importers = self.mapping(document.get("importers"), "importers")
        for directory, importer in importers.items():
            if directory != ".":
                self.refuse("an importer of the leading document, which only has the root", "importers", directory)
            for section in self.mapping(importer, "importers", directory):
                if section not in _CONFIG:
                    self.refuse("the leading document holds only pnpm's own packages", "importers", directory, section)
                for name, item in self.mapping(importer[section], "importers", directory, section).items():
                    at = ("importers", directory, section, name)
                    entry = self.mapping(item, *at)
                    reference = self.text(entry.get("version"), *at, "version") or self.refuse("no version", *at)
                    specifier = self.text(entry.get("specifier"), *at, "specifier") or reference
                    target = self._target("", name, reference, "env:", self.majors["env:"])
                    satisfied = None
                    if target is not None:
                        real, version = self.names[target]
                        self._note_alias(target, name, real)
                        satisfied = meets(version, specifier.partition("+sha")[0], real)
                    # pnpm fetches it whatever is left out of an install, but the product does not hold it.
                    self.edges.append(
                        Edge(
                            source="",
                            target=target,
                            name=f"{section}:{name}",
                            kind=EdgeKind.DEV,
                            range=specifier,
                            satisfied=satisfied,
                        )
                    )
                    where = place(*at)
                    if section == "configDependencies":
                        message = f"pnpm runs or applies what {name[:200]} brings, before it installs anything"
                        self.find("config-dependency", "manager_code", target, where, message)
                    else:
                        message = f"pnpm runs {name[:200]}@{reference[:100]}, held by its hash in the lockfile"
                        self.find("package-manager-hashed", "manager_code", target, where, message)

    def _load_config_dependencies(self) -> None:
        """Config dependencies that only pnpm-workspace.yaml names (pnpm 10): no entry of the lockfile holds them."""
        held = {edge.name.partition(":")[2] for edge in self.edges if edge.name.startswith("configDependencies:")}
        for name, spec in sorted(self.config.config_dependencies.items()):
            if name in held:
                continue
            message = f"pnpm runs or applies what {name[:200]}@{spec[:200]} brings; no entry of the lockfile holds it"
            where = f"{WORKSPACE} {place('configDependencies', name)}"
            self.find("config-dependency-unlocked", "manager_code", None, where, message)

    def _load_edges(self) -> None:
        add = self.edges.append
        led: dict[tuple[str, str, str], tuple[str | None, str, str | None, str]] = {}  # by prefix, name and reference
        for source, snapshot in self.snapshots.items():
            entry = self.entries[source]
            prefix = "env:" if source.startswith("env:") else ""
            at = (self.sections[source], source.removeprefix(prefix))
            peers: dict[str, str] = {}
            meta: dict[str, Any] = {}
            if "peerDependencies" in entry:
                peers = self.texts(entry["peerDependencies"], *at, "peerDependencies")
            if "peerDependenciesMeta" in entry:
                meta = self.mapping(entry["peerDependenciesMeta"], *at, "peerDependenciesMeta")
            met = set()
            for section, kind in SECTIONS[:2]:
                if section not in snapshot:
                    continue
                for name, reference in self.texts(snapshot[section], *at, section).items():
                    asked = (prefix, name, reference)
                    if (known := led.get(asked)) is None:
                        known = led[asked] = self._led_to(prefix, name, reference)
                    target, real, version, range_ = known
                    edge_kind, satisfied = kind, None
                    if name in peers:
                        met.add(name)
                        range_ = peers[name]
                        edge_kind = EdgeKind.PEER_OPTIONAL if _is_optional(meta.get(name)) else EdgeKind.PEER
                        satisfied = None if target is None else meets(version, range_, real)
                    add(
                        Edge(source=source, target=target, name=name, kind=edge_kind, range=range_, satisfied=satisfied)
                    )
            for name, range_ in peers.items():
                if name not in met:
                    kind = EdgeKind.PEER_OPTIONAL if _is_optional(meta.get(name)) else EdgeKind.PEER
                    add(Edge(source=source, target=None, name=name, kind=kind, range=range_))

    def _led_to(self, prefix: str, name: str, reference: str) -> tuple[str | None, str, str | None, str]:
        """Return the id that an entry's dependency leads to, name and version there, and what stands for a range."""
        target = self._target("", name, reference, prefix, self.majors[prefix])
        real, version = self.names.get(target, (name, None)) if target is not None else (name, None)
        if real != name:  # only an entry says another one
            self._note_alias(str(target), name, real)
        # The lockfile keeps no range here, only what was chosen: said in one way for all versions.
        stated = None if target is None else self.facts.get(target)
        if stated is not None and stated.version is not None:
            range_ = stated.version if real == name else f"npm:{real}@{stated.version}"
        elif stated is not None and stated.source is not None:
            range_ = public_url(stated.source)
        else:
            range_ = public_url(reference.removeprefix("/"))
        return target, real, version, range_

    # -- edges → packages

    def _packages(self, bits: dict[str, int]) -> list[Package]:
        direct = {edge.target for edge in self.edges if edge.source in self.importers}
        packages: list[Package] = []
        for directory in self.importers:
            name, version = self.name_and_version(directory)
            packages.append(
                Package(
                    id=directory,
                    name=name,
                    version=version,
                    kind=Kind.WORKSPACE if directory else Kind.ROOT,
                    direct=directory in direct,
                )
            )
        for found, directory in self.links.items():
            name, version = self.name_and_version(directory)
            mask = bits.get(found, 0)
            packages.append(
                Package(
                    id=found,
                    name=name,
                    version=version,
                    kind=Kind.LINK,
                    resolved=found,
                    direct=found in direct,
                    **reached(mask),
                )
            )
        _jsr.configure(self.npmrc.scopes, used=any(name.startswith(_jsr.PREFIX) for name, _ in self.names.values()))
        registries = self.registries
        for found, entry in self.entries.items():
            packages.append(self._package(found, entry, bits.get(found, 0), registries, found in direct))
        return packages

    def _package(self, found: str, entry: dict[str, Any], mask: int, registries: Registries, direct: bool) -> Package:
        section, key = self.sections[found], found.removeprefix("env:") if found[:4] == "env:" else found
        where = entry_place(section, key)
        name, version = self.names[found]
        integrity: str | None = None
        hashes: tuple[Hash, ...] = ()
        resolution: Any = entry.get("resolution")
        alone = type(resolution) is dict and resolution.keys() == _INTEGRITY_ALONE  # as nearly all are
        if not alone:
            resolution = self.mapping(resolution, section, key, "resolution")
        stated = self.facts[found]
        kind: Kind = Kind.REGISTRY
        resolved: str | None = None
        if not alone or stated.version is None or stated.registry is not None:
            kind, resolved = self._source(found, name, version, resolution, registries, where)
            name, version = self.names[found]  # a copied directory says them itself
        if (integrity := self.text(resolution.get("integrity"), section, key, "resolution", "integrity")) is not None:
            hashes = self.hashes(found, integrity, where, ".resolution.integrity")
        elif kind in (Kind.REGISTRY, Kind.TARBALL, Kind.FILE, Kind.UNKNOWN) and not (
            resolution.get("type") == "directory" or "variants" in resolution
        ):
            message = "no `integrity`: whatever is served is installed"
            self.find("missing-integrity", "lockfile_sound", found, where, message)
        self.judge_name(found, name, version, kind, where)
        snapshot = self.snapshots[found]
        if not mask:
            message = "nothing depends on it: pnpm would remove it"
            self.find("unreachable-entry", "lockfile_sound", found, where, message)
        for flag, bit in (("dev", links.NO_DEV), ("optional", links.NO_OPTIONAL)):
            value = snapshot.get(flag)
            if value is not None and type(value) is not bool:
                self.refuse(f"{kind_of(value)}, expected true or false", section, key, flag)
            if value and mask & bit:
                message = f"`{flag}` is true, but it is reached without any such edge"
                self.find("flag-mismatch", "lockfile_sound", found, f"{where}.{flag}", message)
        if snapshot.get("patched") is True or "(patch_hash=" in key:
            self._patched(found, name, version, key, where)
        builds = entry.get("requiresBuild")
        by = reached(mask)
        return Package(
            id=found,
            name=name,
            version=version,
            alias=self.aliases.get(found),
            kind=kind,
            resolved=resolved,
            integrity=integrity,
            hashes=hashes,
            direct=direct,
            has_install_script=bool(builds) if self.major != 9 else None,
            os=self.words(entry.get("os"), section, key, "os") if "os" in entry else (),
            cpu=self.words(entry.get("cpu"), section, key, "cpu") if "cpu" in entry else (),
            libc=self.words(entry.get("libc"), section, key, "libc") if "libc" in entry else (),
            engines=engines_of(entry["engines"]) if "engines" in entry else {},
            deprecated=deprecation_of(entry.get("deprecated")),
            dev=by["dev"],
            optional=by["optional"],
            peer=by["peer"],
            reachable=by["reachable"],
        )

    def _source(
        self,
        found: str,
        name: str,
        version: str | None,
        resolution: dict[str, Any],
        registries: Registries,
        where: str,
    ) -> tuple[Kind, str | None]:
        """Return where an entry's bytes come from; what contradicts its key, or is worth knowing, is found."""
        stated = self.facts[found]
        at = f"{where}.resolution"
        kind_word = resolution.get("type")
        if kind_word == "git":
            repository, commit = self.text(resolution.get("repo"), at, "repo"), resolution.get("commit")
            scheme = "" if (repository or "").startswith(("git+", "git:", "git@")) else "git+"
            resolved = f"{scheme}{repository}#{commit}"
            self.find("git", "exotic_sources", found, at, f"comes from git: {public_url(resolved)}")
            if commit_of(resolved) is None:
                message = "names a branch or tag, expected a full commit hash"
                self.find("git-not-commit", "pinned", found, at, message)
            self._compare_source(found, stated, (resolved, resolved.removeprefix("git+"), str(commit)), at)
            return Kind.GIT, resolved
        if kind_word == "directory":
            return self._directory(found, stated, self.text(resolution.get("directory"), at, "directory") or ".", at)
        if kind_word in ("variations", "binary"):
            return self._variants(found, resolution, at)
        if kind_word is not None:
            self.find("source-missing", "bound_bytes", found, at, f"a resolution of the unknown type {kind_word!a:.60}")
            return Kind.UNKNOWN, None
        tarball = self.text(resolution.get("tarball"), at, "tarball")
        registry = self.text(resolution.get("registry"), at, "registry")
        if registry is None and stated.registry is not None and stated.version is not None:
            registry = f"https://{stated.registry}/"
        if tarball is None and registry is not None and version is not None:
            tarball = f"{registry.rstrip('/')}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        if tarball is None:
            if stated.version is not None:
                return Kind.REGISTRY, None  # pnpm asks the configured registry for this name and version
            message = "neither a version nor an address"
            self.find("source-missing", "bound_bytes", found, at, message)
            return Kind.UNKNOWN, None
        if tarball.startswith("file:"):
            self.find("file", "exotic_sources", found, at, f"comes from a file: {public_url(tarball)}")
            self._compare_source(found, stated, (tarball,), at)
            self._judge_source(found, stated, ("file",), at)
            return Kind.FILE, tarball
        if ":" not in tarball:  # the form of old: below the registry
            tarball = urljoin(registry or registries.of(name), tarball)
        archive = _GIT_ARCHIVE.fullmatch(tarball)
        if archive is not None:
            self.find("git", "exotic_sources", found, at, f"comes from git: {public_url(tarball)}")
            commit = next(filter(None, archive.groups()))
            if commit_of(f"#{commit}") is None:
                message = "names a branch or tag, expected a full commit hash"
                self.find("git-not-commit", "pinned", found, at, message)
            self._compare_source(found, stated, (tarball, f"@{tarball}", commit), at)
            self._judge_source(found, stated, ("git", "remote"), at)
            return Kind.GIT, tarball
        kind, remarks = judge(name, version, tarball, registries)
        for code, rule, message in remarks:
            self.find(code, rule, found, at, message)
        self._compare_source(found, stated, (tarball, f"@{tarball}", keys.of_address(tarball)), at)
        if kind is Kind.TARBALL:
            self._judge_source(found, stated, ("remote",), at)
        return kind, tarball

    def _directory(self, found: str, stated: keys.Key, directory: str, at: str) -> tuple[Kind, str]:
        path = normpath(directory)
        path = "" if path == "." else path
        self._compare_source(found, stated, (f"file:{directory}", f"file:{path}"), at)
        if path in self.importers:
            return Kind.WORKSPACE, f"file:{path}"  # a workspace that is copied, not linked (`injected`)
        self.find("file", "exotic_sources", found, at, f"a copy of the directory {public_url(path)}")
        if path[:1] == "/" or not self.files.is_inside(self.base + path):
            message = f"a copy of {public_url(path)}, outside the repository"
            self.find("link-outside", "exotic_sources", found, at, message)
        elif self.load_manifest(path):
            name, version = self.name_and_version(path)
            self.names[found] = (self.names[found][0] or name, self.names[found][1] or version)
        return Kind.FILE, f"file:{path}"

    def _variants(self, found: str, resolution: dict[str, Any], at: str) -> tuple[Kind, str | None]:
        """A runtime (`node@runtime:22`): one archive for each platform, each with its own hash."""
        urls = set()
        variants = resolution.get("variants")
        for variant in variants if type(variants) is list else [resolution]:
            inner = variant.get("resolution", variant) if type(variant) is dict else {}
            if type(inner) is dict and type(inner.get("url")) is str:
                urls.add(inner["url"])
        hosts = ", ".join(sorted({host_of(public_url(url)) for url in urls})) or "nowhere"
        message = f"{len(urls)} archives from {hosts}, of which the platform chooses one"
        self.find("tarball-url", "exotic_sources", found, at, message)
        # They have no one address and no one hash, so that another set of them is another setting.
        told = sha256(json.dumps(resolution, sort_keys=True, default=str).encode()).hexdigest()
        self.settings[f"archives:{found}"] = f"sha256:{told}"
        message = f"pnpm fetches and runs {found[:200]}, whose archives are what the lockfile alone says"
        self.find("pnpm-runs-code", "manager_code", None, at, message)
        return Kind.TARBALL, min(urls) if len(urls) == 1 else None

    def _compare_source(self, found: str, stated: keys.Key, sources: tuple[str, ...], at: str) -> None:
        """The source in the key is what pnpm shows, the resolution what it fetches (P5)."""
        if stated.source is None:
            return
        said = stated.source
        if said in sources or public_url(said) in map(public_url, sources):
            return
        if self.major != 9 and any(said.endswith(f"/{source}") for source in sources):
            return  # versions 5 and 6: host, repository and commit, without a scheme
        message = f"the key says {public_url(said)[:200]}, the resolution something else"
        self.find("sections-disagree", "lockfile_sound", found, at, message)

    def _judge_source(self, found: str, stated: keys.Key, expected: tuple[str, ...], at: str) -> None:
        """A key that names a registry's version, with bytes from elsewhere that no importer asks for."""
        asked = self.specifiers.get(found, [])
        if stated.version is not None and not any(links.specifier(spec) in expected for spec in asked):
            message = "the key says a registry's version, but the bytes come from elsewhere"
            self.find("source-undeclared", "bound_bytes", found, at, message)

    # -- patches

    def _patched(self, found: str, name: str, version: str | None, key: str, where: str) -> None:
        stated = key.rpartition("(patch_hash=")[2].partition(")")[0] if "(patch_hash=" in key else ""
        label = f"{name}@{version}"
        message = f"{label} is changed by a patch of the project{f' ({stated})' if stated else ''}"
        self.find("patched", "exotic_sources", found, where, message)

    def _judge_patches(self, lock: dict[str, Any]) -> None:
        """Compare each patch with the hash in the lockfile; the files are part of the input."""
        patches = self.mapping(lock.get("patchedDependencies"), "patchedDependencies")
        for selector in sorted(patches.keys() | self.config.patches.keys()):
            entry = patches.get(selector)
            where = place("patchedDependencies", selector)
            path = self.config.patches.get(selector)
            if entry is None:
                message = f"{(path or '')[:200]} is declared, but the lockfile knows no such patch"
                self.find("lock-drift", "pinned", None, where, message)
                continue
            if type(entry) is dict:
                stated = self.text(entry.get("hash"), "patchedDependencies", selector, "hash")
                locked = self.text(entry.get("path"), "patchedDependencies", selector, "path")
                if path is not None and locked is not None and normpath(path) != normpath(locked):
                    message = f"{public_url(locked)} in the lockfile, {public_url(path)} declared"
                    self.find("lock-drift", "pinned", None, where, message)
                path = locked or path
            else:
                stated = self.text(entry, "patchedDependencies", selector)
            if path is None or path[:1] in "/~" or not self.files.is_inside(self.base + path):
                message = "no patch file in the repository belongs to it"
                self.find("patch-differs", "lockfile_sound", None, where, message)
                continue
            data = self.read_beside(path)
            if data is not None:
                self.settings[f"patch:{selector}"] = f"sha256:{sha256(data).hexdigest()}"
            if data is None or stated not in _patch_hashes(data):
                message = (
                    f"{path[:200]} is {'missing' if data is None else 'not the patch whose hash is in the lockfile'}"
                )
                self.find("patch-differs", "lockfile_sound", None, where, message)

    # -- findings

    def _judge_edges(self) -> None:
        for edge in self.edges:
            own = edge.source in self.importers
            if own and edge.target in self.entries:
                self._judge_alias(edge)
            if edge.target is not None and edge.satisfied is not False:
                continue
            peer = edge.kind in (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)
            shown = f"{edge.name}@{public_url(edge.range) or '*'}"
            where = self._place_of(edge)
            if edge.target is None:
                if peer:
                    if edge.kind is EdgeKind.PEER:
                        self.find("peer-unmet", "lockfile_sound", edge.source, where, f"no entry for the peer {shown}")
                elif own:
                    self.find("lock-drift", "pinned", edge.source, where, f"no entry for {shown}")
                else:
                    self.find("dependency-missing", "lockfile_sound", edge.source, where, f"no entry for {shown}")
                continue
            message = f"{shown} is not satisfied by {self._shown(edge.target)}"
            if peer:
                self.find("peer-invalid", "lockfile_sound", edge.source, where, message)
            else:
                self.find("lock-drift", "pinned", edge.source, where, message)

    def _judge_workspaces(self) -> None:
        """A workspace on disk that the lockfile does not know: `pnpm install --frozen-lockfile` refuses to install."""
        apart = "false" in (self.settings.get("sharedWorkspaceLockfile"), self.npmrc.settings.get(_OWN_LOCKFILES))
        settings = {} if apart else self.config.workspace
        for directory in workspaces_on_disk(self.files, self.base, settings, file=WORKSPACE, key="packages"):
            if directory not in self.importers:
                message = "a workspace that stands not in the lockfile"
                self.find("lock-drift", "pinned", None, f"{directory}/package.json", message)

    def _place_of(self, edge: Edge) -> str:
        if edge.source not in self.importers:
            return f"{place(self.sections[edge.source], edge.source.removeprefix('env:'))} {edge.name}"
        return place("importers", ".") if ":" in edge.name else self.edge_place(edge)

    def _judge_alias(self, edge: Edge) -> None:
        """A05, A06: an importer's dependency of another name than its own, which its specifier does not say."""
        real = self.names[str(edge.target)][0]
        if ":" in edge.name or real == edge.name:
            return
        asked = self._meaning(edge.range, edge.name)
        said = asked.startswith(("npm:", "workspace:")) or links.specifier(asked) in ("git", "remote", "file")
        if not said:
            message = f"{edge.name} leads to {real}, but nothing declares that as an alias"
            self.find("alias-undeclared", "bound_bytes", edge.target, self._place_of(edge), message)

    def _shown(self, target: str) -> str:
        name, version = self.names.get(target) or self.name_and_version(self.links.get(target, target))
        return f"{name}@{version}"


def _runtimes(manifest: dict[str, Any]) -> links.Declared:
    """Return what pnpm adds to a package.json for the runtimes that it downloads (`devEngines`, `engines`).

    Source: pnpm's `convertEnginesRuntimeToDependencies`.
    """
    found: links.Declared = {}
    for field, kind in (("devEngines", EdgeKind.DEV), ("engines", EdgeKind.PROD)):
        engines = manifest.get(field)
        told = engines.get("runtime") if type(engines) is dict else None
        for runtime in told if type(told) is list else [told]:
            if type(runtime) is dict and runtime.get("onFail") == "download" and type(runtime.get("name")) is str:
                found[runtime["name"]] = (kind, f"runtime:{runtime.get('version')}")
    return found


def _selected(selector: str) -> str:
    """Return the name that an override's selector (`parent@1>name@2`) is for."""
    name = selector.rpartition(">")[2] if not selector.endswith(">") else selector
    at = name.find("@", 1)
    return name[:at] if at > 0 else name


def _is_optional(meta: Any) -> bool:
    return type(meta) is dict and meta.get("optional") is True


def _patch_hashes(data: bytes) -> set[str]:
    """Return what pnpm writes as a patch's hash: SHA-256, up to version 9 MD5 in base 32; line breaks as in Unix."""
    import base64

    data = data.replace(b"\r\n", b"\n")
    old = base64.b32encode(md5(data, usedforsecurity=False).digest()).decode().lower().rstrip("=")
    return {old, sha256(data).hexdigest()}
