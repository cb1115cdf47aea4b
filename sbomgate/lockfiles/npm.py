"""npm's lockfiles: package-lock.json and npm-shrinkwrap.json, versions 1, 2 and 3.

    bytes → entries (install path → object) → edges (npm's own walk) → what is reached → packages, findings

Read beside the lockfile: package.json of the root and of every workspace or linked directory, and .npmrc. npm reads
those again as well, so that where they differ from the lockfile, they count and the difference is a finding.
Format: https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json; behaviour: npm's arborist 9.
"""

from __future__ import annotations

import re
from hashlib import sha256
from posixpath import normpath
from typing import Any, NoReturn

from sbomgate import commands
from sbomgate.errors import InputError
from sbomgate.lockfiles import _npm_edges as links
from sbomgate.lockfiles import _npm_v1 as v1
from sbomgate.lockfiles import _npmrc
from sbomgate.lockfiles._integrity import parse as parse_integrity
from sbomgate.lockfiles._npm_manifest import (
    MAX_MANIFEST_BYTES,
    deprecation_of,
    engines_of,
    licence_of,
    matches,
    package_managers,
    workspace_patterns,
    workspaces_on_disk,
)
from sbomgate.lockfiles._npm_source import Registries, is_git, judge
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

FILENAMES = ("npm-shrinkwrap.json", "package-lock.json")
"""In npm's order: with both present it uses the shrinkwrap."""

MAX_ENTRIES = 500_000
"""Most entries of a lockfile: four times the largest monorepo known; a million is an attack on memory."""

_NAME = re.compile(r"(?:@[a-zA-Z0-9~-][a-zA-Z0-9._~-]*/)?[a-zA-Z0-9~_-][a-zA-Z0-9._~!'()*-]*")
_FLAGS = ("dev", "optional", "devOptional", "peer", "inBundle", "hasInstallScript", "link", "hasShrinkwrap")
_FLAG_BITS = (
    ("dev", links.NO_DEV_PEER),
    ("optional", links.NO_OPTIONAL),
    ("devOptional", links.NO_DEV_OPTIONAL),
    ("peer", links.NO_PEER),
)
_HINT = "let npm write the file again: npm install --package-lock-only --ignore-scripts"


def read(files: ProjectFiles, path: str) -> DependencyGraph:
    """Read the lockfile at `path`; the project is the directory that holds it.

    Raises:
        InputError: missing, unknown version, without one single meaning, or over a limit.
    """
    return _Reader(files, path).graph()


def directory_of(package: Package) -> str | None:
    """Return the directory of a workspace, relative to the lockfile's; None for what is none, or leads to one."""
    if package.kind is not Kind.WORKSPACE or package.target is not None or "node_modules/" in package.id:
        return None
    return package.id


class _Reader:
    """One lockfile while it is read; the methods stand in the order in which they run."""

    def __init__(self, files: ProjectFiles, path: str) -> None:
        self.files = files
        self.path = path
        directory = path.rpartition("/")[0]
        self.base = directory + "/" if directory else ""
        self.findings: list[LockFinding] = []
        self.beside: list[str] = []
        self.entries: v1.Entries = {}
        self.places: dict[str, str] = {}
        self.manifests: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, str] = {}  # link → what it leads to
        self.workspaces: set[str] = set()
        self.overrides: dict[str, list[str]] = {}
        self.settings: dict[str, str] = {}  # of the lockfile's own: what else npm is told
        self.replaced: dict[str, str] = {}  # of these: what holds for a name wherever it is asked for
        self.edges: list[Edge] = []
        self.bundlers: dict[str, str] = {}  # entry → the package whose tarball holds it
        self.declarations: dict[str, list[Edge]] = {}  # entry of an exotic source → the edges that lead to it

    def graph(self) -> DependencyGraph:
        data = self.files.read(self.path)
        if data is None:
            raise InputError("no such file", where=self.path, hint="name the project's directory")
        lock = load_object(data, self.path)
        self.version = self._version(lock)
        self._load_entries(lock)
        self._load_manifests()
        self._load_links()
        self.npmrc = _npmrc.parse(self._beside(".npmrc"), self.base + ".npmrc")
        self.findings += self.npmrc.findings
        self._load_overrides()
        self._load_edges()
        self._load_bundles()
        bits = links.reach(sorted({"", *self.workspaces}), self.edges)
        for link, target in self.targets.items():
            bits[link] = bits.get(target, 0)
        packages = self._packages(bits)
        self._judge_edges(bits)
        self._judge_files(lock)
        digests = self.files.digests()
        self.findings.sort(key=order)
        return DependencyGraph(
            lockfile=Lockfile(
                path=self.path, kind="npm", version=str(self.version), sha256=sha256(data).hexdigest(), size=len(data)
            ),
            manager=ManagerSettings(
                name="npm",
                registry=self.npmrc.registry,
                scopes=dict(sorted(self.npmrc.scopes.items())),
                settings=dict(sorted({**self.npmrc.settings, **self.settings}.items())),
                files={name: digests[name] for name in sorted(self.beside)},
            ),
            packages=packages,
            edges=tuple(self.edges),
            findings=tuple(self.findings),
        )

    # -- bytes → entries

    def _version(self, lock: dict[str, Any]) -> int:
        version = lock.get("lockfileVersion")
        if type(version) is not int or version not in (1, 2, 3):
            shown = repr(version)[:40] if isinstance(version, int | float | str) else kind_of(version)
            raise InputError(
                f"{shown}, expected the integer 1, 2 or 3", where=self.path, place="lockfileVersion", hint=_HINT
            )
        return version

    def _load_entries(self, lock: dict[str, Any]) -> None:
        if self.version == 1:
            if "packages" in lock:
                self._refuse("a section that version 1 does not have", "packages")
            self.entries, self.places = v1.flatten(lock, self.path, MAX_ENTRIES)
            root: dict[str, Any] = {key: lock[key] for key in ("name", "version") if key in lock}
            self.entries[""] = root
            self.places[""] = ""
            self._find("lockfile-v1", "lockfile_sound", None, "lockfileVersion", "version 1 names no install scripts")
        else:
            packages = lock.get("packages")
            if type(packages) is not dict:
                self._refuse(f"{kind_of(packages)}, expected an object", "packages")
            if len(packages) > MAX_ENTRIES:
                self._refuse(f"{len(packages):,} packages, at most {MAX_ENTRIES:,} are read", "packages")
            for location, entry in packages.items():
                if type(entry) is not dict:
                    self._refuse(f"{kind_of(entry)}, expected an object", place("packages", location))
            self.entries = packages
            if "" not in packages:
                self._refuse('no entry "", which is the project itself', "packages")
        for location, entry in self.entries.items():
            self._check(location, entry)
        if self.version != 1:  # version 3 has no such section, and npm 6 would read it all the same
            self._compare_sections(lock)

    def _check(self, location: str, entry: dict[str, Any]) -> None:
        """Refuse an entry whose key or fields have no single meaning."""
        if location and (
            "//" in location
            or "\\" in location
            or location[0] == "/"
            or location[-1] == "/"
            or ("." in location and normpath(location) != location)
            or location[1:2] == ":"
            or "\0" in location
        ):
            self._refuse("not a canonical relative path", self._place(location))
        for key in ("version", "resolved", "integrity", "name"):
            value = entry.get(key)
            if value is not None and type(value) is not str:
                self._refuse(f"{kind_of(value)}, expected a string", self._place(location, key))
        for key in _FLAGS:
            value = entry.get(key)
            if value is not None and value is not True and value is not False:
                self._refuse(f"{kind_of(value)}, expected true or false", self._place(location, key))

    def _compare_sections(self, lock: dict[str, Any]) -> None:
        """L02: npm 7 and later read `packages`, npm 6 and older scanners read `dependencies`."""
        if "dependencies" not in lock:
            return
        legacy, places = v1.flatten(lock, self.path, MAX_ENTRIES)
        for location in sorted(legacy.keys() | self.entries.keys()):
            old, new = legacy.get(location), self.entries.get(location)
            if "node_modules/" not in location:
                continue
            if old is None or new is None:
                missing = "dependencies" if old is None else "packages"
                where = self._place(location) if old is None else places[location]
                self._find("sections-disagree", "lockfile_sound", location, where, f"stands not in `{missing}`")
                continue
            keys = ("link", "resolved") if new.get("link") else ("name", "resolved", "integrity", "version")
            for key in keys:
                theirs, ours = old.get(key), new.get(key)
                if theirs == ours or (key == "version" and theirs is None):
                    continue
                if key == "name" and ours == location.rpartition("node_modules/")[2]:
                    continue
                if key == "resolved" and _same_source(theirs, ours):
                    continue
                if key == "resolved" and new.get("inBundle") and theirs is None:
                    continue
                self._find(
                    "sections-disagree",
                    "lockfile_sound",
                    location,
                    self._place(location, key),
                    f"`packages` and `dependencies` name a different {key}",
                )

    # -- files beside the lockfile

    def _beside(self, path: str) -> bytes | None:
        full = normpath(self.base + path)
        data = self.files.read(full)
        if data is not None:
            self.beside.append(full)
        return data

    def _load_manifests(self) -> None:
        for location, entry in self.entries.items():
            if "node_modules/" in location or entry.get("link"):
                continue
            name = f"{location}/package.json" if location else "package.json"
            if location and not self.files.is_inside(self.base + location):
                continue
            data = self._beside(name)
            if data is not None:
                self.manifests[location] = load_object(data, normpath(self.base + name), limit=MAX_MANIFEST_BYTES)
            elif location == "" and self.version == 1:
                raise InputError(
                    "missing, and a lockfile of version 1 does not say what the project declares",
                    where=self.base + name,
                    hint="the lockfile's directory must hold the project's package.json",
                )
            else:
                self._find("manifest-missing", "lockfile_sound", location, name, "no such file beside the lockfile")

    def _load_links(self) -> None:
        patterns = workspace_patterns(
            self.manifests.get("", self.entries[""]),
            self.base + "package.json" if "" in self.manifests else self.path,
        )
        for location, entry in self.entries.items():
            if not entry.get("link"):
                if "node_modules/" not in location and location and matches(patterns, location):
                    self.workspaces.add(location)
                continue
            resolved = entry.get("resolved")
            if resolved is None:
                self._refuse("a link without `resolved`", self._place(location))
            target = normpath(resolved) if resolved else ""
            target = "" if target == "." else target
            self.targets[location] = target
            if target and "node_modules" not in target.split("/") and matches(patterns, target):
                self.workspaces.add(target)
        for location, target in self.targets.items():
            inside = not target.startswith("/") and self.files.is_inside(self.base + target)
            if not inside:
                self._find(
                    "link-outside",
                    "exotic_sources",
                    location,
                    self._place(location, "resolved"),
                    f"a link to {public_url(target)}, outside the repository",
                )
            elif target not in self.workspaces and target:
                message = f"a link to the directory {target}, which is no workspace"
                self._find("link", "exotic_sources", location, self._place(location), message)
            key = location.rpartition("node_modules/")[2]
            if "node_modules/" in target and key != target.rpartition("node_modules/")[2]:
                message = f"a link to {target[:200]}: that package is installed as {key[:200]} as well"
                self._find("alias-undeclared", "bound_bytes", location, self._place(location), message)
            if target not in self.entries or target in self.targets:
                message = "the link's target is no entry of the lockfile"
                self._find("link-target-missing", "lockfile_sound", location, self._place(location), message)

    def _load_overrides(self) -> None:
        manifest = self.manifests.get("", {})
        overrides = manifest.get("overrides")
        if overrides is None:
            return
        if type(overrides) is not dict:
            raise InputError(
                f"{kind_of(overrides)}, expected an object", where=self.base + "package.json", place="overrides"
            )
        own = links.declared(manifest, top=True, where=self.base + "package.json")
        shrunk = any("hasShrinkwrap" in entry for entry in self.entries.values())  # nothing is replaced inside of those
        todo: list[tuple[tuple[str, ...], dict[str, Any]]] = [(("overrides",), overrides)]
        while todo:
            at, rules = todo.pop()
            for key, value in rules.items():
                if type(value) is dict:
                    todo.append(((*at, key), value))
                    continue
                if type(value) is not str:
                    raise InputError(
                        f"{kind_of(value)}, expected a string or an object",
                        where=self.base + "package.json",
                        place=place(*at, key),
                    )
                selector = at[-1] if key == "." else key
                name = selector[: selector.find("@", 1)] if "@" in selector[1:] else selector
                spec = own.get(value[1:], (None, ""))[1] if value.startswith("$") else value
                self.overrides.setdefault(name, []).append(spec)
                where = f"package.json {place(*at, key)}"
                message = f"{selector} is replaced by {public_url(value) or '*'}"
                self._find("override", "pinned", None, where, message)
                if len(at) == 1 and not shrunk and selector == name and value[:1] != "$" and value not in ("", "*"):
                    self.replaced[name] = value
                    if name in own and own[name][1] != value:
                        message = (
                            f"{message}, and declared as {public_url(own[name][1]) or '*'}: npm refuses (EOVERRIDE)"
                        )
                        self._find("lock-drift", "pinned", None, where, message)

    # -- entries → edges

    def _load_edges(self) -> None:
        entries, targets = self.entries, self.targets
        folders = {
            f"{before}{folder}" for before, folder, _ in (i.rpartition("node_modules/") for i in entries) if folder
        }
        walks: dict[str, list[str]] = {}
        checked: dict[tuple[str | None, str], bool | None] = {}
        for location in sorted(entries):
            entry = entries[location]
            if location in targets:
                continue
            top = "node_modules/" not in location
            if top:
                manifest = self.manifests.get(location)
                # A lockfile of version 1 knows nothing of the root's own dependencies.
                found = links.declared(
                    entry if manifest is None else manifest,
                    top=True,
                    where=self.path if manifest is None else f"{self.base}{location}/package.json",
                    at=() if manifest is not None else ("packages", location),
                )
                if manifest is not None and self.version != 1:
                    self._compare_root(location, entry, manifest, found)
                if location == "":
                    for link, workspace in targets.items():
                        if workspace in self.workspaces or workspace == "":
                            found[link.rpartition("node_modules/")[2]] = (EdgeKind.WORKSPACE, f"file:{workspace}")
            elif "dependencies" in entry or "peerDependencies" in entry or "optionalDependencies" in entry:
                found = links.declared(entry, top=False, where=self.path, at=("packages", location))
            else:
                continue
            if not found:
                continue
            if top:
                walk = [prefix for prefix in links.prefixes(location) if prefix in folders]
            else:
                parent = location[: location.rindex("node_modules/")].rstrip("/")
                known = walks.get(parent)
                if known is None:
                    known = walks[parent] = [prefix for prefix in links.prefixes(parent) if prefix in folders]
                own = f"{location}/node_modules/"
                walk = [own, *known] if own in folders else known
            for name, (kind, spec) in sorted(found.items()):
                target: str | None = None
                for prefix in walk:
                    if prefix + name in entries:
                        target = prefix + name
                        break
                if target is None:
                    self.edges.append(Edge(source=location, target=None, name=name, kind=kind, range=spec))
                    continue
                linked = target in targets
                if linked:
                    target = targets[target]
                    if target not in entries:
                        self.edges.append(Edge(source=location, target=None, name=name, kind=kind, range=spec))
                        continue
                if linked or ":" in spec or "/" in spec or name in self.overrides:
                    ok = self._satisfied(spec, location, target, name, kind, linked=linked)
                else:
                    version = entries[target].get("version")
                    key = (version, spec)
                    if key in checked:
                        ok = checked[key]
                    else:
                        ok = checked[key] = self._satisfied(spec, location, target, name, kind, linked=False)
                edge = Edge(source=location, target=target, name=name, kind=kind, range=spec, satisfied=ok)
                self.edges.append(edge)
                resolved = entries[target].get("resolved")
                if (resolved is not None and not resolved.startswith("http")) or "name" in entries[target]:
                    self.declarations.setdefault(target, []).append(edge)

    def _satisfied(
        self, spec: str, source: str, target: str, name: str, kind: EdgeKind, *, linked: bool
    ) -> bool | None:
        if kind is EdgeKind.WORKSPACE:
            return True
        entry = self.entries[target]
        manifest = self.manifests.get(target, {}) if linked else {}
        real = entry.get("name") or manifest.get("name") or name
        version = manifest.get("version") or entry.get("version")  # npm reads a link's target again
        version = version if isinstance(version, str) else None
        resolved = entry.get("resolved")
        # (Edge.satisfiedBy) What is replaced everywhere must be what replaces it; bundled packages are as they are.
        if source and name in self.replaced and len(self.overrides[name]) == 1 and not entry.get("inBundle"):
            return links.satisfied(self.replaced[name], "", target, real, version, resolved, linked=linked)
        ok = links.satisfied(spec, source, target, real, version, resolved, linked=linked)
        accepted = self.entries[source].get("acceptDependencies")
        if ok is False and type(accepted) is dict and type(other := accepted.get(name)) is str:
            ok = links.satisfied(other, source, target, real, version, resolved, linked=linked)
        if ok is not True:
            for other in self.overrides.get(name, ()):
                if other and links.satisfied(other, "", target, real, version, resolved, linked=linked) is True:
                    return True
        return ok

    def _compare_root(
        self, location: str, entry: dict[str, Any], manifest: dict[str, Any], found: links.Declared
    ) -> None:
        """L18: what the lockfile says of package.json against package.json itself."""
        ours = links.declared(entry, top=True, where=self.path, at=("packages", location))
        code = "workspace-differs" if location else "root-differs"
        for name in sorted(name for name in ours.keys() | found.keys() if ours.get(name) != found.get(name)):
            message = f"{_declaration(ours.get(name))} in the lockfile, {_declaration(found.get(name))} in package.json"
            self._find(code, "lockfile_sound", location, self._place(location) + f" {name}"[:200], message)
        for key in ("name", "version"):
            theirs = manifest.get(key)
            if type(theirs) is str and type(entry.get(key)) is str and theirs != entry[key]:
                message = f"another {key} than in package.json"
                self._find("root-renamed", "lockfile_sound", location, self._place(location, key), message)

    # -- edges → packages

    def _packages(self, bits: dict[str, int]) -> tuple[Package, ...]:
        registries = Registries(self.npmrc)
        own = {"", *self.workspaces}
        direct = {edge.target for edge in self.edges if edge.source in own}
        lower: dict[str, tuple[str, str]] = {}
        packages: list[Package] = []
        for location in sorted(self.entries):
            entry = self.entries[location]
            mask = bits.get(location, 0)
            target = self.targets.get(location)
            key = location.rpartition("node_modules/")[2] if "node_modules/" in location else None
            name = entry.get("name") or key
            version = entry.get("version")
            resolved = entry.get("resolved")
            integrity = entry.get("integrity")
            hashes: tuple[Hash, ...] = ()
            bundled_in = None
            if target is not None:
                kind = Kind.WORKSPACE if target in own else Kind.LINK
                linked = self.entries.get(target, {})
                name = linked.get("name") or self.manifests.get(target, {}).get("name") or key
                version = linked.get("version")
            elif key is None:
                kind = Kind.ROOT if location == "" else Kind.WORKSPACE if location in own else Kind.LINK
                if not mask:
                    message = "no link leads to it: npm would remove it"
                    self._find("unreachable-entry", "lockfile_sound", location, self._place(location), message)
                manifest = self.manifests.get(location, {})
                name = entry.get("name") or manifest.get("name")
                if type(name) is not str:
                    name = location.rpartition("/")[2]
            else:
                bundled_in = self.bundlers.get(location)
                if bundled_in is None and entry.get("inBundle") and self._holder(location) not in own:
                    message = "said to be inside another package's tarball, but no package bundles it"
                    self._find("bundle-undeclared", "lockfile_sound", location, self._place(location), message)
                if bundled_in is not None:
                    kind = Kind.BUNDLED
                elif resolved is not None:
                    kind, remarks = judge(str(name), version, resolved, registries)
                    for code, rule, message in remarks:
                        self._find(code, rule, location, self._place(location, "resolved"), message)
                    if kind not in (Kind.REGISTRY, Kind.UNKNOWN):
                        self._judge_source(location, kind)
                elif version is not None and links.specifier(version) == "range":
                    kind = Kind.REGISTRY
                    message = f"no `resolved`: npm asks {registries.of(str(name))}"
                    self._find("resolved-missing", "registries", location, self._place(location), message)
                else:
                    kind = Kind.UNKNOWN
                    message = "neither `resolved` nor a version"
                    self._find("source-missing", "bound_bytes", location, self._place(location), message)
                if integrity is not None:
                    hashes = self._hashes(location, integrity)
                elif kind in (Kind.REGISTRY, Kind.TARBALL, Kind.UNKNOWN) or (
                    kind is Kind.FILE and resolved is not None and resolved.endswith((".tgz", ".tar.gz", ".tar"))
                ):
                    message = "no `integrity`: whatever is served is installed"
                    self._find("missing-integrity", "lockfile_sound", location, self._place(location), message)
                self._judge_entry(location, entry, str(name), key, kind, mask, lower)
            packages.append(
                Package(
                    id=location,
                    name=str(name or ""),
                    version=version,
                    alias=key if key is not None and key != name else None,
                    kind=kind,
                    resolved=resolved,
                    integrity=integrity,
                    hashes=hashes,
                    dev=bool(mask & links.NEEDED) and not mask & links.NO_DEV,
                    optional=bool(mask) and not mask & links.NO_OPTIONAL,
                    peer=bool(mask) and not mask & links.NO_PEER,
                    bundled_in=bundled_in,
                    target=target if target in self.entries else None,
                    has_install_script=None if self.version == 1 else bool(entry.get("hasInstallScript")),
                    direct=(location if target is None else target) in direct,
                    reachable=bool(mask),
                    os=self._words(location, entry, "os") if "os" in entry else (),
                    cpu=self._words(location, entry, "cpu") if "cpu" in entry else (),
                    libc=self._words(location, entry, "libc") if "libc" in entry else (),
                    engines=engines_of(entry["engines"]) if "engines" in entry else {},
                    licence=licence_of(entry.get("license")),
                    deprecated=deprecation_of(entry.get("deprecated")),
                    commands=None
                    if self.version == 1
                    else commands.names(entry["bin"], name)
                    if "bin" in entry
                    else (),
                )
            )
        return tuple(packages)

    def _holder(self, location: str) -> str:
        """Return the package next to whose dependencies an entry lies."""
        return location[: location.rindex("node_modules/")].rstrip("/")

    def _load_bundles(self) -> None:
        """Find what lies inside the tarball of another package, by npm's rule (arborist, `Node.getBundler`).

        The flag `inBundle` alone proves nothing: npm 7 and later fetches what is flagged and not bundled. What the
        project itself or a workspace bundles is fetched as any other package.
        """
        if not any("inBundle" in entry or "bundleDependencies" in entry for entry in self.entries.values()):
            return
        children: dict[str, list[str]] = {}
        for location in self.entries:
            if "node_modules/" in location:
                children.setdefault(location[: location.rindex("node_modules/")].rstrip("/"), []).append(location)
        outgoing: dict[str, set[str]] = {}
        declared: set[tuple[str, str]] = set()
        for edge in self.edges:
            declared.add((edge.source, edge.name))
            if edge.target is not None:
                outgoing.setdefault(edge.source, set()).add(edge.target)
        # (1) what a package names in its bundleDependencies; version 1 keeps only the flag of each entry
        todo: list[tuple[str, str]] = []
        for parent, inner in children.items():
            if "node_modules/" not in parent:
                continue
            holder = self.entries.get(parent, {})
            names = holder.get("bundleDependencies")
            for location in inner:
                name = location.rpartition("node_modules/")[2]
                if self.version == 1:
                    flagged = self.entries[location].get("inBundle") and not holder.get("inBundle")
                    explicit = bool(flagged) and (parent, name) in declared
                else:
                    explicit = name in names if type(names) is list else names is True and (parent, name) in declared
                if explicit:
                    todo.append((location, parent))
        # (2) what lies below it, and (3) what it depends on at the level of its bundler
        while todo:
            location, bundler = todo.pop()
            if location in self.bundlers:
                continue
            self.bundlers[location] = bundler
            todo += ((below, bundler) for below in children.get(location, ()))
            beside = f"{bundler}/node_modules/"
            todo += (
                (target, bundler)
                for target in outgoing.get(location, ())
                if target.startswith(beside) and "node_modules/" not in target[len(beside) :]
            )

    def _bundles(self, location: str, name: str) -> bool:
        """Whether the lockfile says that the tarball of a package holds this dependency of it."""
        names = self.entries[location].get("bundleDependencies")
        return names is True or (type(names) is list and name in names)

    def _hashes(self, location: str, integrity: str) -> tuple[Hash, ...]:
        hashes, wrong = parse_integrity(integrity)
        for code, message in wrong:
            self._find(code, "lockfile_sound", location, self._place(location, "integrity"), message)
        return hashes

    # -- findings

    def _judge_entry(
        self,
        location: str,
        entry: dict[str, Any],
        name: str,
        key: str,
        kind: Kind,
        mask: int,
        lower: dict[str, tuple[str, str]],
    ) -> None:
        if not mask:
            message = "nothing depends on it: npm would remove it"
            self._find("unreachable-entry", "lockfile_sound", location, self._place(location), message)
        else:
            for flag, bit in _FLAG_BITS:
                # Version 1 does not say which edges are optional.
                if flag in entry and mask & bit and entry[flag] and (self.version != 1 or flag == "dev"):
                    message = f"`{flag}` is true, but it is reached without any such edge"
                    self._find("flag-mismatch", "lockfile_sound", location, self._place(location, flag), message)
        if not _NAME.fullmatch(name) or len(name) > 214 or (key != name and not _NAME.fullmatch(key)):
            message = "not a name that npm allows"
            self._find("name-invalid", "lockfile_sound", location, self._place(location), message)
        small = name.lower()
        if small != name:
            message = "upper case, which only old packages of the registry have"
            self._find("name-case", "lockfile_sound", location, self._place(location), message)
        other, elsewhere = lower.setdefault(small, (name, location))
        if other != name:
            # Of both: which of the two is new, the reader does not know.
            for one, at, than in ((name, location, other), (other, elsewhere, name)):
                message = f"{one} differs from {than} by case only"
                self._find("name-case-collision", "lockfile_sound", at, self._place(at), message)
        if name != key and not self._alias_declared(location, name, key):
            message = f"installed as {key}, but nothing declares that as an alias of {name}"
            self._find("alias-undeclared", "bound_bytes", location, self._place(location), message)
        version = entry.get("version")
        if kind in (Kind.REGISTRY, Kind.BUNDLED) and (version is None or parse_version(version) is None):
            message = "no version" if version is None else f"{version[:60]!a} is no version"
            self._find("version-invalid", "bound_bytes", location, self._place(location), message)
        if entry.get("scripts") and self.version != 1:
            # npm runs these in place of the package's own (arborist, `#addToBuildSet`), and writes none itself.
            message = "the entry names scripts of its own: npm runs them, whatever the package's tarball says"
            self._find("scripts-in-lockfile", "lockfile_sound", location, self._place(location, "scripts"), message)
        if entry.get("hasShrinkwrap"):
            message = "its own shrinkwrap decides what it depends on"
            self._find("nested-shrinkwrap", "pinned", location, self._place(location), message)
            # Of an approved package as well the flag makes npm install what that says (arborist, `#loadShrinkwraps…`).
            self.settings[f"hasShrinkwrap:{location}"] = "true"
            asks = any(entry.get(section) for section in ("dependencies", "optionalDependencies"))
            inside = f"{location}/node_modules/"
            if asks and not any(one.startswith(inside) for one in self.entries):
                message = (
                    "its own shrinkwrap decides what npm installs inside of it, and the lockfile lists none of that"
                )
                where = self._place(location, "hasShrinkwrap")
                self._find("shrinkwrap-unlisted", "lockfile_sound", location, where, message)
        if version is not None and "-" in version.partition("+")[0] and kind is not Kind.LINK:
            self._find(
                "prerelease", "pinned", location, self._place(location, "version"), f"{version[:60]} is a prerelease"
            )

    def _alias_declared(self, location: str, name: str, key: str) -> bool:
        for edge in self.declarations.get(location, ()):
            if edge.range.startswith("npm:"):
                if links.alias_of(edge.range)[0] == name:
                    return True
            elif links.specifier(edge.range) in ("git", "remote", "file"):
                return True  # the name comes from the package.json that is fetched
        return any(
            (spec.startswith("npm:") and links.alias_of(spec)[0] == name)
            or links.specifier(spec) in ("git", "remote", "file")
            for spec in self.overrides.get(key, ())
        )

    def _judge_source(self, location: str, kind: Kind) -> None:
        """An entry from git, a URL or a file that nobody asked to come from there."""
        expected = {Kind.GIT: ("git",), Kind.TARBALL: ("remote", "git"), Kind.FILE: ("file",)}.get(kind, ())
        key = location.rpartition("node_modules/")[2]
        if kind is Kind.TARBALL:
            edges = [edge for edge in self.edges if edge.target == location]
        else:
            edges = self.declarations.get(location, [])
        specs = [edge.range for edge in edges] + self.overrides.get(key, [])
        if specs and not any(links.specifier(spec) in expected for spec in specs):
            message = f"comes from a {kind.value} source, but every declaration asks the registry for it"
            self._find("source-undeclared", "bound_bytes", location, self._place(location, "resolved"), message)

    def _judge_edges(self, bits: dict[str, int]) -> None:
        own = {"", *self.workspaces}
        for edge in self.edges:
            if not bits.get(edge.source):
                continue  # npm removes the entry, whatever it asks for; `unreachable-entry` says so
            if edge.source in own:
                self._judge_declaration(edge)
            if edge.target is not None and edge.satisfied is not False:
                continue
            peer = edge.kind in (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)
            optional = edge.kind in (EdgeKind.OPTIONAL, EdgeKind.PEER_OPTIONAL)
            asked = f"{edge.name}@{public_url(edge.range) or '*'}"
            where = self._edge_place(edge)
            if edge.source not in own and self._bundles(edge.source, edge.name):
                # npm takes what lies in the tarball, whatever stands here (arborist, `#problemEdges`).
                message = f"{asked} is inside its tarball, and the lockfile does not list what lies there"
                self._find("bundle-unlisted", "lockfile_sound", edge.source, where, message)
                continue
            if edge.target is None:
                if optional:
                    continue
                if peer:
                    self._find("peer-unmet", "lockfile_sound", edge.source, where, f"no entry for the peer {asked}")
                elif edge.source in own:
                    self._find("lock-drift", "pinned", edge.source, where, f"no entry for {asked}")
                else:
                    self._find("dependency-missing", "lockfile_sound", edge.source, where, f"no entry for {asked}")
                continue
            target = self.entries[edge.target]
            got = target.get("version") or public_url(target.get("resolved") or "an unknown version")
            message = f"{asked} is not satisfied by {got} at {edge.target or 'the root'}"
            if peer:
                self._find("peer-invalid", "lockfile_sound", edge.source, where, message)
            elif edge.source in own:
                self._find("lock-drift", "pinned", edge.source, where, message)
            else:
                self._find("range-unsatisfied", "lockfile_sound", edge.source, where, message)

    def _judge_declaration(self, edge: Edge) -> None:
        if edge.kind in (EdgeKind.WORKSPACE, EdgeKind.PEER, EdgeKind.PEER_OPTIONAL):
            return
        if edge.target == "" or edge.target in self.workspaces:
            return
        match links.pinning(edge.range):
            case "range":
                message = f"{edge.name}@{public_url(edge.range)} is a range, held by the lockfile alone"
                self._find("declared-range", "pinned", edge.source, self._edge_place(edge), message)
            case "floating":
                message = f"{edge.name}@{public_url(edge.range) or '*'} may become anything"
                self._find("declared-floating", "pinned", edge.source, self._edge_place(edge), message)

    def _judge_files(self, lock: dict[str, Any]) -> None:
        if self.files.is_link(self.path):
            message = "a symbolic link: another change than the one reviewed can replace it"
            self._find("symlinked-lockfile", "lockfile_sound", None, self.path, message)
        for name in self.beside:
            if self.files.is_link(name):
                self._find("symlinked-manifest", "lockfile_sound", None, name, "a symbolic link")
        both = [self.base + name for name in FILENAMES]
        if all(self.files.has(name) for name in both):
            message = f"npm uses {both[0]} and ignores {both[1]}; {self.path} is the one that was read"
            self._find("shrinkwrap-shadow", "lockfile_sound", None, both[0], message)
        manifest = self.manifests.get("")
        # An entry for the directory is not enough, nor a link of another name: `npm ci` misses the link.
        linked = {(link.rpartition("node_modules/")[2], target) for link, target in self.targets.items()}
        reached = set(self.targets.values())
        for location in () if manifest is None else workspaces_on_disk(self.files, self.base, manifest):
            called = self.manifests.get(location, {}).get("name")
            called = called if type(called) is str and called else None
            if called is not None and (called, location) not in linked and location in reached:
                where = f"{location}/package.json name"
                message = (
                    f"no link of the lockfile leads to the workspace {location} as {called[:200]}: `npm ci` refuses"
                )
                self._find("lock-drift", "pinned", None, where, message)
            if location not in reached:
                where = f"{location}/package.json"
                message = f"the workspace {location} stands not in the lockfile: `npm ci` refuses to install"
                self._find("lock-drift", "pinned", None, where, message)
        for location in sorted(self.workspaces):
            for name in FILENAMES:
                if self.files.has(f"{self.base}{location}/{name}"):
                    message = "a workspace's own lockfile, which npm ignores from the root"
                    self._find("nested-lockfile", "lockfile_sound", location, f"{self.base}{location}/{name}", message)
        for code, where, message in package_managers(self.manifests.get("", {})):
            self._find(code, "manager_code", None, where, message)
        if (
            self.version != 1
            and type(lock.get("name")) is str
            and lock["name"] != self.entries[""].get("name", lock["name"])
        ):
            self._find("root-renamed", "lockfile_sound", "", "name", 'another name than in packages[""]')

    def _edge_place(self, edge: Edge) -> str:
        if edge.kind is EdgeKind.WORKSPACE:
            return "package.json workspaces"
        section = {
            EdgeKind.PROD: "dependencies",
            EdgeKind.DEV: "devDependencies",
            EdgeKind.OPTIONAL: "optionalDependencies",
        }.get(edge.kind, "peerDependencies")
        if edge.source in self.manifests:
            file = f"{edge.source}/package.json" if edge.source else "package.json"
            return f"{file} {place(section, edge.name)}"
        if self.version == 1:
            return f"{self.places[edge.source]}.{place('requires', edge.name)}"
        return place("packages", edge.source, section, edge.name)

    def _place(self, location: str, *keys: str) -> str:
        if self.version == 1:
            base = self.places.get(location, "")
            return place(*keys) if not base else f"{base}.{place(*keys)}" if keys else base
        if location.isascii() and location.isprintable() and '"' not in location and "\\" not in location:
            return f'packages["{location}"].{".".join(keys)}' if keys else f'packages["{location}"]'
        return place("packages", location, *keys)

    def _find(self, code: str, rule: str, package: str | None, where: str, message: str) -> None:
        self.findings.append(LockFinding(code=code, rule=rule, package=package, place=where, message=message))

    def _refuse(self, message: str, where: str) -> NoReturn:
        raise InputError(message, where=self.path, place=where, hint=_HINT)

    def _words(self, location: str, entry: dict[str, Any], key: str) -> tuple[str, ...]:
        value = entry[key]
        if type(value) is str:
            return (value,)
        if type(value) is list and all(type(word) is str for word in value):
            return tuple(value)
        return self._refuse(f"{kind_of(value)}, expected an array of strings", self._place(location, key))


def _same_source(old: object, new: object) -> bool:
    """Whether two spellings of a git source name the same commit of the same repository."""
    if not (isinstance(old, str) and isinstance(new, str) and is_git(old) and is_git(new)):
        return False
    return old.partition("#")[2] == new.partition("#")[2] and public_url(old) == public_url(new)


def _declaration(declared: tuple[EdgeKind, str] | None) -> str:
    return f"{declared[0].value} {public_url(declared[1]) or '*'}" if declared else "nothing"
