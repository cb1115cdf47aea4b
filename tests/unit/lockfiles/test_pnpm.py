"""pnpm-lock.yaml of every version: pnpm's own listing, the truth of real ones, and a table of what can be wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sbomgate import lockfiles, sbom
from sbomgate.errors import InputError
from sbomgate.lockfiles import _pnpm_keys as keys
from sbomgate.lockfiles import pnpm
from sbomgate.model import DependencyGraph, Kind
from sbomgate.project import MemoryFiles
from testkit import locked
from testkit.projects import integrity

FIXTURES = locked.FIXTURES / "pnpm"
NAMES = sorted(path.name for path in FIXTURES.iterdir())

TREE = {"declared-range", "file", "link", "override", "patched", "peer-invalid"}
NOTED: dict[str, set[str]] = {
    "services": set(),
    "single-v5": set(),
    "single-v6": set(),
    "sources-v5": {"declared-floating", "file"},
    "sources-v6": {"declared-floating", "file"},
    "sources-v9": {"declared-floating", "file", "git"},
    "sources-v9-pnpm12": {"declared-floating", "file", "git"},
    "tree-v5": TREE,
    "tree-v6": TREE,
    "tree-v9": TREE,
    "tree-v9-pnpm10": TREE,
    "tree-v9-pnpm12": TREE,
    "two-documents": {"config-dependency"},
}


def load(name: str) -> DependencyGraph:
    return locked.fixture(f"pnpm/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_findings(name: str) -> None:
    """A lockfile as pnpm writes it contradicts nothing: only what is worth knowing is noted."""
    assert {finding.code for finding in load(name).findings} == NOTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_once(name: str) -> None:
    """P4, and the SBOM holds all of it."""
    graph = load(name)
    documents = list(yaml.safe_load_all((FIXTURES / name / "pnpm-lock.yaml").read_bytes()))
    expected = {""} | {key if key != "." else "" for key in documents[-1].get("importers", {})}
    for document, prefix in zip(reversed(documents), ("", "env:"), strict=False):
        expected |= {prefix + key for key in document.get("snapshots", document["packages"])}
    ids = [package.id for package in graph.packages]
    assert ids == sorted(set(ids))
    assert {i for i in ids if not i.startswith("link:")} == expected
    assert sbom.read(sbom.write(graph, {}, timestamp=None, tool_version="0")).graph == graph


def test_kinds() -> None:
    packages = locked.by_id(load("tree-v9-pnpm12"))
    assert packages[""].kind is Kind.ROOT
    assert packages["packages/a"].kind is Kind.WORKSPACE
    assert packages["@fixture/b@file:packages/b(ms@2.1.2)"].kind is Kind.WORKSPACE
    assert packages["copied@file:copied"].kind is packages["packed@file:packed-1.0.0.tgz"].kind is Kind.FILE
    assert packages["link:linked"].kind is Kind.LINK
    assert packages["ms@2.1.2"].kind is Kind.REGISTRY
    sources = locked.by_id(load("sources-v9"))
    git = next(package for package in sources.values() if package.name == "from-git")
    assert (git.kind, git.version) == (Kind.GIT, "1.2.3")


def test_a_patched_package_keeps_its_registry_facts() -> None:
    """The bytes are the registry's, changed by a file of the project: both are judged."""
    graph = load("tree-v9-pnpm12")
    patched = next(package for package in graph.packages if "(patch_hash=" in package.id)
    assert (patched.name, patched.version, patched.kind) == ("ms", "2.1.3", Kind.REGISTRY)
    assert patched.sha512 is not None
    digest = hashlib.sha256((FIXTURES / "tree-v9-pnpm12/patches/ms@2.1.3.patch").read_bytes()).hexdigest()
    assert graph.manager.settings["patch:ms@2.1.3"] == f"sha256:{digest}"
    assert graph.manager.files["patches/ms@2.1.3.patch"] == digest


def test_fields() -> None:
    packages = locked.by_id(load("tree-v6"))
    alias = packages["/string-width@4.2.3"]
    assert (alias.name, alias.alias, alias.direct, alias.dev) == ("string-width", "string-width-cjs", True, False)
    mac = packages["/fsevents@2.3.3"]
    assert (mac.os, mac.optional, mac.has_install_script) == (("darwin",), True, True)
    assert mac.engines == {"node": "^8.16.0 || ^10.6.0 || >=11.0.0"}
    assert packages["/react-dom@18.2.0(react@18.2.0)"].dev
    assert not packages["/react-dom@18.2.0(react@17.0.2)"].dev
    assert locked.by_id(load("tree-v9"))["fsevents@2.3.3"].has_install_script is None
    assert packages["/ms@2.1.2"].resolved is None


def test_the_same_project_in_every_version() -> None:
    """Versions 5.4, 6.0 and 9.0 give the same packages and edges, but for what pnpm itself chose otherwise."""

    def folded(name: str) -> set[tuple[str, str | None, str, bool, bool]]:
        return {(p.name, p.version, p.kind.value, p.dev, p.optional) for p in load(name).packages if p.name != "c"}

    assert folded("tree-v5") == folded("tree-v6")
    assert folded("tree-v6") == folded("tree-v9-pnpm10")


def _listed(entry: dict[str, Any]) -> set[tuple[str, str]]:
    found = set()
    for section in ("dependencies", "devDependencies", "optionalDependencies"):
        for item in entry.get(section, {}).values():
            version = item["version"]
            if not version.startswith(("link:", "file:packages")):
                found.add((item["from"], version.partition("(")[0]))
            found |= _listed(item)
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if (FIXTURES / name / "list.json").exists()])
def test_the_same_packages_as_pnpm_lists(name: str) -> None:
    """`pnpm list --recursive --depth Infinity` of pnpm 12, from the lockfile alone."""
    listed: set[tuple[str, str]] = set()
    for project in json.loads((FIXTURES / name / "list.json").read_bytes()):
        listed |= _listed(project)
    graph = load(name)
    ours = set()
    for package in graph.packages:
        if package.kind in (Kind.ROOT, Kind.WORKSPACE, Kind.LINK) or package.id.startswith("env:"):
            continue
        version = package.version
        if package.kind is Kind.FILE and not str(package.resolved).endswith(".tgz"):
            version = package.resolved
        ours.add((package.name, version))
    assert ours == {(name, version.partition("#")[0] if "git+" not in version else version) for name, version in listed}


@pytest.mark.shared
@pytest.mark.parametrize("name", ["vue-core", "vue-core-2023-v6", "payload"])
def test_real_lockfiles_equal_the_truth(name: str, real_locks: Path, shared: Path, tmp_path: Path) -> None:
    """Nodes and edges, and the SBOM by the comparison that lies beside the data.

    The truth has one node for all sets of peers of version 9, and calls a met peer by the section in which the snapshot
    names it; we call it a peer.
    """
    found = locked.real(real_locks, name)
    graph, truth = found.graph, found.truth
    key = {}
    for package in graph.packages:
        if package.kind in (Kind.ROOT, Kind.WORKSPACE):
            key[package.id] = f"importer:{package.id or '.'}"
        else:
            key[package.id] = package.id.removeprefix("/") if name.endswith("v6") else keys.without_suffix(package.id)
    assert set(key.values()) == {component["key"] for component in truth["components"]}
    peers = {(key[e.source], key[e.target]) for e in graph.edges if e.target is not None and e.kind.value[:4] == "peer"}
    edges = {(key[e.source], key[e.target], e.kind.value) for e in graph.edges if e.target is not None}
    assert {edge for edge in edges if edge[:2] not in peers} == {
        tuple(edge) for edge in truth["edges"] if tuple(edge[:2]) not in peers
    }
    assert peers <= {tuple(edge[:2]) for edge in truth["edges"]}
    assert not [e for e in graph.edges if e.target is None and e.kind.value not in ("peer", "peerOptional")]
    assert not [f for f in graph.findings if f.rule in ("bound_bytes", "registries")]
    noisy = {"flag-mismatch", "sections-disagree", "unreachable-entry", "lock-drift", "missing-integrity"}
    assert not noisy & {f.code for f in graph.findings}
    found.compare(shared, tmp_path)


# --------------------------------------------------------------------------------------------------------------------
# Keys


@pytest.mark.parametrize(
    ("major", "key", "expected"),
    [
        (9, "a@1.0.0", ("a", "1.0.0", None, None)),
        (9, "@s/a@1.0.0(b@2.0.0(c@3.0.0))(patch_hash=x)", ("@s/a", "1.0.0", None, None)),
        (9, "a@https://e.test/a.tgz", ("a", None, "https://e.test/a.tgz", None)),
        (9, "a@file:b(c@1.0.0)", ("a", None, "file:b", None)),
        (9, "a@git+ssh://git@e.test/a.git#b", ("a", None, "git+ssh://git@e.test/a.git#b", None)),
        (9, "a", (None, None, None, None)),
        (6, "/@s/a@1.0.0(@s/b@2.0.0)", ("@s/a", "1.0.0", None, None)),
        (6, "registry.e.test/a@1.0.0", ("a", "1.0.0", None, "registry.e.test")),
        (6, "github.com/o/r/" + "b" * 40, (None, None, "github.com/o/r/" + "b" * 40, "github.com")),
        (6, "file:a.tgz", (None, None, "file:a.tgz", None)),
        (5, "/@s/a/1.0.0_b@2.0.0", ("@s/a", "1.0.0", None, None)),
        (5, "/a/1.0.0", ("a", "1.0.0", None, None)),
        (5, "registry.e.test/@s/a/1.0.0", ("@s/a", "1.0.0", None, "registry.e.test")),
        (5, "github.com/o/r/" + "b" * 40, (None, None, "github.com/o/r/" + "b" * 40, "github.com")),
        (5, "/a", (None, None, "/a", None)),
    ],
)
def test_keys(major: int, key: str, expected: tuple[str | None, ...]) -> None:
    assert tuple(keys.parse(key, major)) == expected


@pytest.mark.parametrize(
    ("major", "reference", "expected"),
    [
        (9, "1.0.0(b@2.0.0)", "a@1.0.0(b@2.0.0)"),
        (9, "real@1.0.0", "real@1.0.0"),
        (9, "@s/real@1.0.0(b@1.0.0)", "@s/real@1.0.0(b@1.0.0)"),
        (9, "https://e.test/@x/a.tgz", "a@https://e.test/@x/a.tgz"),
        (9, "file:b(c@1.0.0)", "a@file:b(c@1.0.0)"),
        (6, "1.0.0(@s/b@2.0.0)", "/a@1.0.0(@s/b@2.0.0)"),
        (6, "/real@1.0.0", "/real@1.0.0"),
        (6, "github.com/o/r/c", "github.com/o/r/c"),
        (5, "1.0.0_@s+b@2.0.0", "/a/1.0.0_@s+b@2.0.0"),
        (5, "/real/1.0.0", "/real/1.0.0"),
        (5, "file:a.tgz", "file:a.tgz"),
    ],
)
def test_references(major: int, reference: str, expected: str) -> None:
    assert keys.target(reference, "a", major) == expected


# --------------------------------------------------------------------------------------------------------------------
# What is wrong


class Project:
    """A package.json and the lockfile of version 9 that fits it, until a test spoils them."""

    def __init__(self) -> None:
        self.manifest: dict[str, Any] = {
            "name": "shop",
            "version": "1.0.0",
            "dependencies": {"good": "1.0.0"},
            "devDependencies": {"tool": "^2.0.0"},
        }
        self.lock: dict[str, Any] = {
            "lockfileVersion": "9.0",
            "settings": {"autoInstallPeers": True, "excludeLinksFromLockfile": False},
            "importers": {
                ".": {
                    "dependencies": {"good": {"specifier": "1.0.0", "version": "1.0.0"}},
                    "devDependencies": {"tool": {"specifier": "^2.0.0", "version": "2.1.0"}},
                }
            },
            "packages": {
                "good@1.0.0": {"resolution": {"integrity": integrity("good")}},
                "tool@2.1.0": {"resolution": {"integrity": integrity("tool")}},
            },
            "snapshots": {"good@1.0.0": {}, "tool@2.1.0": {}},
        }
        self.files: dict[str, bytes] = {}
        self.links: frozenset[str] = frozenset()
        self.has_manifest = True

    @property
    def good(self) -> dict[str, Any]:
        found: dict[str, Any] = self.lock["packages"]["good@1.0.0"]
        return found

    @property
    def root(self) -> dict[str, Any]:
        found: dict[str, Any] = self.lock["importers"]["."]
        return found

    def read(self) -> DependencyGraph:
        contents = {
            "package.json": json.dumps(self.manifest).encode(),
            "pnpm-lock.yaml": yaml.safe_dump(self.lock, sort_keys=False, width=10**6).encode(),
            **self.files,
        }
        if not self.has_manifest:
            del contents["package.json"]
        return lockfiles.read(MemoryFiles(contents, self.links))

    def codes(self) -> set[tuple[str, str]]:
        return {(f.rule, f.code) for f in self.read().findings} - {("pinned", "declared-range")}


REG = "https://registry.npmjs.org/"


def _resolution(**fields: Any) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        project.good["resolution"] |= fields

    return spoil


def _drop_integrity(project: Project) -> None:
    del project.good["resolution"]["integrity"]


def _rename(project: Project, key: str, resolution: dict[str, Any], **entry: Any) -> None:
    reference = key.removeprefix("good@")
    project.lock["packages"][key] = {"resolution": resolution, **entry}
    project.lock["snapshots"][key] = {}
    del project.lock["packages"]["good@1.0.0"], project.lock["snapshots"]["good@1.0.0"]
    project.root["dependencies"]["good"]["version"] = reference


def _runtime(field: str, section: str, action: str) -> Callable[[Project], None]:
    """A runtime that package.json asks for; the lockfile has it among the dependencies."""

    def spoil(project: Project) -> None:
        project.manifest[field] = {"runtime": {"name": "node", "version": "22.0.0", "onFail": action}}
        entry = {"specifier": "runtime:22.0.0", "version": "runtime:22.0.0"}
        project.root.setdefault(section, {})["node"] = entry
        variants = [{"resolution": {"type": "binary", "url": "https://e.test/n.tgz", "integrity": "sha256-x"}}]
        resolution = {"type": "variations", "variants": variants}
        project.lock["packages"]["node@runtime:22.0.0"] = {"version": "22.0.0", "resolution": resolution}
        project.lock["snapshots"]["node@runtime:22.0.0"] = {}

    return spoil


def _git(project: Project) -> None:
    commit = "b" * 40
    url = f"https://codeload.github.com/o/good/tar.gz/{commit}"
    _rename(project, f"good@{url}", {"tarball": url}, version="1.0.0")
    _declare(project, f"github:o/good#{commit}")


def _declare(project: Project, spec: str) -> None:
    project.manifest["dependencies"]["good"] = project.root["dependencies"]["good"]["specifier"] = spec


def _git_branch(project: Project) -> None:
    url = "https://codeload.github.com/o/good/tar.gz/main"
    _rename(project, f"good@{url}", {"tarball": url}, version="1.0.0")
    _declare(project, "github:o/good#main")


def _tarball(project: Project) -> None:
    url = "https://files.e.test/good.tgz"
    _rename(project, f"good@{url}", {"integrity": integrity("x"), "tarball": url}, version="1.0.0")
    _declare(project, url)


def _tarball_elsewhere(project: Project) -> None:
    _tarball(project)
    project.lock["packages"]["good@https://files.e.test/good.tgz"]["resolution"]["tarball"] = "https://evil.test/e.tgz"


def _alias(spec: str) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        project.lock["packages"]["axios@1.14.1"] = {"resolution": {"integrity": integrity("axios")}}
        project.lock["snapshots"]["axios@1.14.1"] = {}
        project.root["dependencies"]["http"] = {"specifier": spec, "version": "axios@1.14.1"}
        project.manifest["dependencies"]["http"] = spec

    return spoil


def _link(reference: str) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        project.root["dependencies"]["near"] = {"specifier": reference, "version": reference}
        project.manifest["dependencies"]["near"] = reference
        project.files["near/package.json"] = b'{"name": "near", "version": "0.1.0"}'

    return spoil


def _peer(range_: str, *, optional: bool = False, met: bool = True) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        project.good["peerDependencies"] = {"tool": range_}
        if optional:
            project.good["peerDependenciesMeta"] = {"tool": {"optional": True}}
        if met:
            project.lock["snapshots"]["good@1.0.0"] = {"dependencies": {"tool": "2.1.0"}}

    return spoil


def _set(path: str, value: Any) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        holder: Any = project.lock
        *parents, last = path.split("/")
        for key in parents:
            holder = holder[key]
        holder[last] = value

    return spoil


def _manifest(**fields: Any) -> Callable[[Project], None]:
    return lambda project: project.manifest.update(fields)


def _file(name: str, data: bytes) -> Callable[[Project], None]:
    return lambda project: project.files.update({name: data})


def _both(*spoils: Callable[[Project], None]) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        for one in spoils:
            one(project)

    return spoil


def _cloned(commit: str) -> Callable[[Project], None]:
    """pnpm clones what no known host serves as a tarball."""

    def spoil(project: Project) -> None:
        key = f"good@git+ssh://git@e.test/good.git#{'c' * 40}"
        resolution = {"type": "git", "repo": "git@e.test:good.git", "commit": commit}
        _rename(project, key, resolution, version="1.0.0")
        _declare(project, f"git+ssh://git@e.test/good.git#{'c' * 40}")

    return spoil


def _packed(tarball: str) -> Callable[[Project], None]:
    """A tarball of the project's own, under the key of `good.tgz`."""

    def spoil(project: Project) -> None:
        resolution = {"integrity": integrity("x"), "tarball": tarball}
        _rename(project, "good@file:good.tgz", resolution, version="1.0.0")
        _declare(project, "file:good.tgz")

    return spoil


CONFIG_ONLY = b"configDependencies:\n  hooks: 1.0.0+sha512-aa==\n"
CASES: dict[str, tuple[Callable[[Project], None], set[tuple[str, str]]]] = {
    "nothing": (lambda project: None, set()),
    "A05 alias": (_alias("npm:axios@1.14.1"), set()),
    "A06 undeclared alias": (_alias("1.14.1"), {("bound_bytes", "alias-undeclared")}),
    "A09 another package's tarball": (
        _resolution(tarball=f"{REG}evil/-/evil-1.0.0.tgz"),
        {("bound_bytes", "resolved-name-differs")},
    ),
    "A10 another version's tarball": (
        _resolution(tarball=f"{REG}good/-/good-1.0.1.tgz"),
        {("bound_bytes", "resolved-version-differs")},
    ),
    "A12 dot segments": (
        _resolution(tarball=f"{REG}good/-/../../evil/-/evil-1.0.0.tgz"),
        {("bound_bytes", "resolved-not-canonical"), ("bound_bytes", "resolved-name-differs")},
    ),
    "A14 user information": (
        _resolution(tarball="https://registry.npmjs.org@evil.test/good/-/good-1.0.0.tgz"),
        {("registries", "resolved-userinfo"), ("registries", "resolved-foreign-host")},
    ),
    "A16 canonical address": (_resolution(tarball=f"{REG}good/-/good-1.0.0.tgz"), set()),
    "A21 no integrity": (_drop_integrity, {("lockfile_sound", "missing-integrity")}),
    "A22 no integrity, another tarball": (
        _both(_drop_integrity, _resolution(tarball=f"{REG}evil/-/evil-1.0.0.tgz")),
        {("lockfile_sound", "missing-integrity"), ("bound_bytes", "resolved-name-differs")},
    ),
    "A23 sha1": (_resolution(integrity=integrity("x", "sha1")), {("lockfile_sound", "weak-integrity")}),
    "A25 two hashes": (
        _resolution(integrity=f"{integrity('x')} {integrity('y')}"),
        {("lockfile_sound", "several-hashes")},
    ),
    "malformed integrity": (
        _resolution(integrity="sha512-x"),
        {("lockfile_sound", "malformed-integrity"), ("lockfile_sound", "missing-integrity")},
    ),
    "bytes from elsewhere under a registry's key": (
        _resolution(tarball="https://evil.test/e.tgz"),
        {("exotic_sources", "tarball-url"), ("bound_bytes", "source-undeclared")},
    ),
    "name that is not the key's": (
        _set("packages/good@1.0.0/name", "evil"),
        {("lockfile_sound", "sections-disagree")},
    ),
    "no resolution": (
        _set("packages/good@1.0.0", {}),
        {("lockfile_sound", "missing-integrity"), ("bound_bytes", "source-missing")},
    ),
    "unknown resolution": (
        _set("packages/good@1.0.0/resolution", {"type": "pigeon"}),
        {("bound_bytes", "source-missing"), ("lockfile_sound", "missing-integrity")},
    ),
    "no package behind a snapshot": (
        _set("packages", {"tool@2.1.0": {"resolution": {"integrity": integrity("tool")}}}),
        {("lockfile_sound", "missing-integrity"), ("bound_bytes", "source-missing")},
    ),
    "L15 unreferenced": (
        _set("snapshots/evil@1.0.0", {}),
        {
            ("lockfile_sound", "unreachable-entry"),
            ("lockfile_sound", "missing-integrity"),
            ("bound_bytes", "source-missing"),
        },
    ),
    "a package without a snapshot": (
        _set("packages/evil@1.0.0", {"resolution": {"integrity": integrity("evil")}}),
        {("lockfile_sound", "unreachable-entry")},
    ),
    "L17 other specifier": (_manifest(dependencies={"good": "^2.0.0"}), {("pinned", "lock-drift")}),
    "L17 not in the lockfile": (_manifest(dependencies={"good": "1.0.0", "new": "1"}), {("pinned", "lock-drift")}),
    "L17 not in package.json": (_manifest(dependencies={}), {("pinned", "lock-drift")}),
    "L17 other section": (
        _manifest(dependencies={"good": "1.0.0", "tool": "^2.0.0"}, devDependencies={}),
        {("pinned", "lock-drift")},
    ),
    "version outside the specifier": (
        _both(_set("importers/./dependencies/good/specifier", "^2.0.0"), _manifest(dependencies={"good": "^2.0.0"})),
        {("pinned", "lock-drift")},
    ),
    "entry missing": (
        _both(_set("snapshots", {"tool@2.1.0": {}}), _set("packages", {"tool@2.1.0": {"resolution": {}}})),
        {("pinned", "lock-drift"), ("lockfile_sound", "missing-integrity")},
    ),
    "dependency missing": (
        _set("snapshots/good@1.0.0", {"dependencies": {"gone": "1.0.0"}}),
        {("lockfile_sound", "dependency-missing")},
    ),
    "L19 override": (
        _both(_set("overrides", {"good": "1.0.0"}), _manifest(pnpm={"overrides": {"good": "1.0.0"}})),
        {("pinned", "override")},
    ),
    "override that nobody declares": (
        _set("overrides", {"good": "npm:evil@1.0.0"}),
        {("pinned", "override"), ("pinned", "lock-drift")},
    ),
    "override that is not locked": (
        _file("pnpm-workspace.yaml", b"overrides:\n  x: 1.0.0\n"),
        {("pinned", "lock-drift")},
    ),
    "L20 optional that is not": (
        _set("snapshots/good@1.0.0", {"optional": True}),
        {("lockfile_sound", "flag-mismatch")},
    ),
    "L31 link outside": (_link("link:../../near"), {("exotic_sources", "link-outside")}),
    "L31 absolute link": (_link("link:/near"), {("exotic_sources", "link-outside")}),
    "link inside": (_link("link:near"), {("exotic_sources", "link")}),
    "L13 symbolic link": (
        lambda project: setattr(project, "links", frozenset({"pnpm-lock.yaml"})),
        {("lockfile_sound", "symlinked-lockfile")},
    ),
    "L32 other lockfile": (_file("deno.lock", b""), {("lockfile_sound", "other-lockfile")}),
    "S02 git, commit": (_git, {("exotic_sources", "git")}),
    "S02 git, branch": (
        _git_branch,
        {("exotic_sources", "git"), ("pinned", "git-not-commit"), ("pinned", "declared-floating")},
    ),
    "S05 tarball": (_tarball, {("exotic_sources", "tarball-url"), ("pinned", "declared-floating")}),
    "S05 key and resolution differ": (
        _tarball_elsewhere,
        {
            ("exotic_sources", "tarball-url"),
            ("pinned", "declared-floating"),
            ("lockfile_sound", "sections-disagree"),
        },
    ),
    "S10 prerelease": (
        lambda project: _rename(project, "good@1.0.0-rc.1", {"integrity": integrity("x")}),
        {("pinned", "prerelease"), ("pinned", "lock-drift")},
    ),
    "peer met": (_peer("^2.0.0"), set()),
    "peer of another version": (_peer("^1.0.0"), {("lockfile_sound", "peer-invalid")}),
    "peer unmet": (_peer("*", met=False), {("lockfile_sound", "peer-unmet")}),
    "optional peer unmet": (_peer("*", met=False, optional=True), set()),
    "C01 hook file": (_file(".pnpmfile.cjs", b"module.exports = {}"), {("manager_code", "pnpmfile")}),
    "C01 hook file by a setting": (
        _both(_file(".npmrc", b"pnpmfile=hooks.js"), _file("hooks.js", b"")),
        {("manager_code", "pnpmfile"), ("manager_code", "npmrc-runs-code")},
    ),
    "C03 script shell": (
        _file("pnpm-workspace.yaml", b"scriptShell: ./evil.sh\n"),
        {("manager_code", "pnpm-runs-code")},
    ),
    "C04 packageManager": (_manifest(packageManager="pnpm@9.0.0"), {("manager_code", "package-manager")}),
    "config dependency without an entry": (
        _file("pnpm-workspace.yaml", CONFIG_ONLY),
        {("manager_code", "config-dependency-unlocked")},
    ),
    "registry in pnpm-workspace.yaml": (
        _file("pnpm-workspace.yaml", b"registries:\n  default: https://e.test/\n"),
        {("registries", "npmrc-registry")},
    ),
    "lockfile switched off": (
        _file("pnpm-workspace.yaml", b"lockfile: false\n"),
        {("lockfile_sound", "npmrc-weakens")},
    ),
    "catalog differs": (
        _both(
            _set("catalogs", {"default": {"good": {"specifier": "1.0.0", "version": "1.0.0"}}}),
            _file("pnpm-workspace.yaml", b"catalog:\n  good: 9.0.0\n"),
        ),
        {("pinned", "lock-drift")},
    ),
    "patch that is not the one locked": (
        _both(
            _set("patchedDependencies", {"good@1.0.0": {"hash": "a" * 64, "path": "p.patch"}}),
            _file("p.patch", b"--- a\n"),
        ),
        {("lockfile_sound", "patch-differs")},
    ),
    "patch that is missing": (
        _set("patchedDependencies", {"good@1.0.0": {"hash": "a" * 64, "path": "p.patch"}}),
        {("lockfile_sound", "patch-differs")},
    ),
    "patch that is not locked": (
        _file("pnpm-workspace.yaml", b"patchedDependencies:\n  good@1.0.0: p.patch\n"),
        {("pinned", "lock-drift")},
    ),
    "runtime": (
        lambda project: _rename(
            project,
            "good@runtime:22.0.0",
            {
                "type": "variations",
                "variants": [
                    {"resolution": {"type": "binary", "url": "https://e.test/n.tgz", "integrity": "sha256-x"}}
                ],
            },
            version="22.0.0",
        ),
        {("exotic_sources", "tarball-url"), ("pinned", "lock-drift"), ("manager_code", "pnpm-runs-code")},
    ),
    "runtime of devEngines": (
        _runtime("devEngines", "devDependencies", "download"),
        {("exotic_sources", "tarball-url"), ("manager_code", "pnpm-runs-code")},
    ),
    "runtime of engines": (
        _runtime("engines", "dependencies", "download"),
        {("exotic_sources", "tarball-url"), ("manager_code", "pnpm-runs-code")},
    ),
    "runtime that pnpm does not download": (
        _runtime("devEngines", "devDependencies", "warn"),
        {("exotic_sources", "tarball-url"), ("manager_code", "pnpm-runs-code"), ("pinned", "lock-drift")},
    ),
    "S02 git, cloned": (_cloned("b" * 40), {("exotic_sources", "git"), ("lockfile_sound", "sections-disagree")}),
    "S02 git, cloned, branch": (
        _cloned("main"),
        {("exotic_sources", "git"), ("pinned", "git-not-commit"), ("lockfile_sound", "sections-disagree")},
    ),
    "S07 a file": (
        _both(
            lambda project: _rename(
                project,
                "good@file:good.tgz",
                {"integrity": integrity("x"), "tarball": "file:good.tgz"},
                version="1.0.0",
            ),
            lambda project: _declare(project, "file:good.tgz"),
        ),
        {("exotic_sources", "file")},
    ),
    "S07 a file under a registry's key": (
        _resolution(tarball="file:good.tgz"),
        {("exotic_sources", "file"), ("bound_bytes", "source-undeclared")},
    ),
    "S07 another file than the key's": (
        _both(
            lambda project: _rename(
                project,
                "good@file:good.tgz",
                {"integrity": integrity("x"), "tarball": "file:evil.tgz"},
                version="1.0.0",
            ),
            lambda project: _declare(project, "file:good.tgz"),
        ),
        {("exotic_sources", "file"), ("lockfile_sound", "sections-disagree")},
    ),
    "L31 a copy from outside": (
        _both(
            lambda project: _rename(
                project, "good@file:../good", {"directory": "../good", "type": "directory"}, version="1.0.0"
            ),
            lambda project: _declare(project, "file:../good"),
        ),
        {("exotic_sources", "file"), ("exotic_sources", "link-outside")},
    ),
    "peer that only package.json names": (
        _manifest(dependencies={}, peerDependencies={"good": "1.0.0"}),
        set(),
    ),
    "override in a resolution that pnpm leaves out": (_manifest(resolutions={"other": "1.0.0", "number": 1}), set()),
    "excluded links": (
        _both(
            _manifest(dependencies={"good": "1.0.0", "near": "link:near"}),
            _set("settings/excludeLinksFromLockfile", True),
        ),
        set(),
    ),
    "links that are not excluded": (
        _manifest(dependencies={"good": "1.0.0", "near": "link:near"}),
        {("pinned", "lock-drift")},
    ),
    "ignored optional dependencies": (
        _both(_manifest(optionalDependencies={"fsevents": "2"}), _set("ignoredOptionalDependencies", ["fsevents"])),
        set(),
    ),
    "an optional dependency that is not locked": (
        _manifest(optionalDependencies={"fsevents": "2"}),
        {("pinned", "lock-drift")},
    ),
    "upper case": (
        lambda project: _rename(project, "Good@1.0.0", {"integrity": integrity("x")}),
        {("lockfile_sound", "name-case"), ("bound_bytes", "alias-undeclared")},
    ),
}


def _near(project: Project) -> None:
    """A workspace beside the project."""
    project.lock["importers"]["packages/near"] = {"dependencies": {"good": {"specifier": "1.0.0", "version": "1.0.0"}}}
    project.files["packages/near/package.json"] = (
        b'{"name": "near", "version": "0.1.0", "dependencies": {"good": "1.0.0"}}'
    )
    project.files["pnpm-workspace.yaml"] = b"packages:\n  - packages/*\n"


def _without(name: str) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        del project.files[name]

    return spoil


def _without_root(project: Project) -> None:
    project.has_manifest = False


def _binary(*urls: str) -> Callable[[Project], None]:
    """Archives of which the platform chooses one, as pnpm has them of runtimes."""

    def spoil(project: Project) -> None:
        variants = [{"resolution": {"type": "binary", "url": url}, "targets": []} for url in urls]
        _rename(project, "good@runtime:1.0.0", {"type": "variations", "variants": variants}, version="1.0.0")
        _declare(project, "runtime:1.0.0")

    return spoil


X = hashlib.sha256(b"x").hexdigest()


def _old(key: str, **resolution: Any) -> Callable[[Project], None]:
    """The same lockfile in version 6.0, with another key for `good`."""

    def spoil(project: Project) -> None:
        project.lock = {
            "lockfileVersion": "6.0",
            "dependencies": {"good": {"specifier": "1.0.0", "version": key}},
            "devDependencies": {"tool": {"specifier": "^2.0.0", "version": "2.1.0"}},
            "packages": {
                key: {"resolution": {"integrity": integrity("good"), **resolution}, "dev": False},
                "/tool@2.1.0": {"resolution": {"integrity": integrity("tool")}, "dev": True},
            },
        }

    return spoil


def _directory(key: str, directory: str, **entry: Any) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        _rename(project, key, {"directory": directory, "type": "directory"}, **entry)
        _declare(project, key.partition("@")[2] or key)
        project.files[f"{directory}/package.json"] = b'{"name": "good", "version": "1.0.0"}'

    return spoil


CASES |= {
    "S05 the registry in a key of old": (
        _old("registry.evil.test/good@1.0.0"), {("registries", "resolved-foreign-host")}
    ),
    "S05 a tarball below its own registry": (
        _old("/good@1.0.0", registry="https://evil.test/", tarball="good/-/good-1.0.0.tgz"),
        {("registries", "resolved-foreign-host")},
    ),
    "a tarball below the configured registry": (_old("/good@1.0.0", tarball="good/-/good-1.0.0.tgz"), set()),
    "neither a version nor an address": (
        _both(
            lambda project: _rename(project, "good@file:x", {"integrity": integrity("x")}),
            lambda project: _declare(project, "file:x"),
        ),
        {("bound_bytes", "source-missing")},
    ),
    "S02 git, cloned from nowhere": (
        lambda project: _rename(
            project, f"good@git+ssh://git@e.test/good.git#{'c' * 40}", {"type": "git", "commit": "c" * 40}
        ),
        {("exotic_sources", "git"), ("lockfile_sound", "sections-disagree")},
    ),
    "a workspace of another version than the root asks for": (
        _both(
            _near,
            _set("importers/./dependencies/near", {"specifier": "^9.0.0", "version": "link:packages/near"}),
            _manifest(dependencies={"good": "1.0.0", "near": "^9.0.0"}),
        ),
        {("pinned", "lock-drift")},
    ),
    "S07 a copied directory": (_directory("good@file:near", "near"), {("exotic_sources", "file")}),
    "S07 another directory than the key's": (
        _directory("good@file:near", "evil"), {("exotic_sources", "file"), ("lockfile_sound", "sections-disagree")}
    ),
    "an archive without an address": (
        _both(
            _binary("https://a.test/x"),
            lambda project: project.lock["packages"]["good@runtime:1.0.0"]["resolution"]["variants"].append(
                {"resolution": {"type": "binary", "url": ["https://b.test/y"]}}
            ),
            lambda project: project.lock["packages"]["good@runtime:1.0.0"]["resolution"]["variants"].append(
                {"resolution": ["https://b.test/y"]}
            ),
        ),
        {("exotic_sources", "tarball-url"), ("manager_code", "pnpm-runs-code")},
    ),
    "a dependency on what has no snapshot": (
        _both(
            _set("packages/evil@1.0.0", {"resolution": {"integrity": integrity("evil")}}),
            _set("snapshots/good@1.0.0", {"dependencies": {"evil": "1.0.0"}}),
        ),
        {("lockfile_sound", "unreachable-entry"), ("lockfile_sound", "dependency-missing")},
    ),
    "patch without a path": (
        _set("patchedDependencies", {"good@1.0.0": {"hash": "00" * 32}}), {("lockfile_sound", "patch-differs")}
    ),
    "patch by an absolute path": (
        _both(
            _set("patchedDependencies", {"good@1.0.0": {"hash": X, "path": "/a.patch"}}),
            _file("/a.patch", b"x"),
        ),
        {("lockfile_sound", "patch-differs")},
    ),
    "patch in somebody's home": (
        _both(
            _set("patchedDependencies", {"good@1.0.0": {"hash": X, "path": "~/a.patch"}}),
            _file("~/a.patch", b"x"),
        ),
        {("lockfile_sound", "patch-differs")},
    ),
    "patch whose path only pnpm-workspace.yaml says": (
        _both(
            _set("patchedDependencies", {"good@1.0.0": {"hash": hashlib.sha256(b"x").hexdigest()}}),
            _file("pnpm-workspace.yaml", b"patchedDependencies:\n  good@1.0.0: a.patch\n"),
            _file("a.patch", b"x"),
        ),
        set(),
    ),
    "a workspace": (_near, set()),
    "a workspace that stands not in the lockfile": (
        _both(_near, _file("packages/other/package.json", b"{}")), {("pinned", "lock-drift")}
    ),
    "a workspace whose package.json is not there": (
        _both(_near, _without("packages/near/package.json")), {("lockfile_sound", "manifest-missing")}
    ),
    "workspaces alone, and no package.json of the root": (
        _both(_near, lambda project: project.lock["importers"].pop("."), _without_root),
        {("lockfile_sound", "manifest-missing"), ("lockfile_sound", "unreachable-entry")},
    ),
    "L31 a workspace outside the repository": (
        lambda project: project.lock["importers"].update({"../../out": {}}),
        {("exotic_sources", "link-outside")},
    ),
    "L31 a link to what has no package.json": (
        _both(_link("link:near"), _without("near/package.json")),
        {("exotic_sources", "link"), ("lockfile_sound", "manifest-missing")},
    ),
    "L19 an override by what the project declares": (
        _both(
            _set("overrides", {"tool": "1.0.0"}),
            _file("pnpm-workspace.yaml", b"overrides:\n  tool: $good\n"),
        ),
        {("pinned", "override")},
    ),
    "S05 a registry of its own in the key": (
        _resolution(registry="https://evil.test/"), {("registries", "resolved-foreign-host")}
    ),
    "patch by another path": (
        _both(
            _set("patchedDependencies", {"good@1.0.0": {"hash": hashlib.sha256(b"x").hexdigest(), "path": "a.patch"}}),
            _file("pnpm-workspace.yaml", b"patchedDependencies:\n  good@1.0.0: b.patch\n"),
            _file("a.patch", b"x"),
        ),
        {("pinned", "lock-drift")},
    ),
    "patch outside the repository": (
        _both(
            _set("patchedDependencies", {"good@1.0.0": {"hash": "00" * 32, "path": "../../a.patch"}}),
            _file("pnpm-workspace.yaml", b"patchedDependencies:\n  good@1.0.0: ../../a.patch\n"),
        ),
        {("lockfile_sound", "patch-differs")},
    ),
    "lockfileDir": (
        _file("pnpm-workspace.yaml", b"lockfileDir: ../other\n"), {("lockfile_sound", "lockfile-elsewhere")}
    ),
    "lockfile-dir in .npmrc": (_file(".npmrc", b"lockfile-dir=other\n"), {("lockfile_sound", "lockfile-elsewhere")}),
    "lockfileDir, its own": (_file("pnpm-workspace.yaml", b"lockfileDir: .\n"), set()),
    "gitBranchLockfile, and there is none": (_file("pnpm-workspace.yaml", b"gitBranchLockfile: true\n"), set()),
    "gitBranchLockfile": (
        _both(
            _file("pnpm-workspace.yaml", b"gitBranchLockfile: true\n"),
            _file("pnpm-lock.main.yaml", b""),
        ),
        {("lockfile_sound", "lockfile-elsewhere")},
    ),
    "git-branch-lockfile in .npmrc": (
        _both(_file(".npmrc", b"git-branch-lockfile=true\n"), _file("pnpm-lock.main.yaml", b"")),
        {("lockfile_sound", "lockfile-elsewhere")},
    ),
    "a branch's lockfile that nobody asks for": (_file("pnpm-lock.main.yaml", b""), set()),
    "C03 a mirror that scripts fetch from": (
        _file(".npmrc", b"electron_mirror=https://evil.test/\n"), {("manager_code", "npmrc-runs-code")}
    ),
    "C04 devEngines": (
        _manifest(devEngines={"packageManager": {"name": "pnpm", "version": "10.1.0"}}),
        {("manager_code", "package-manager")},
    ),
    "C04 a URL, whose author wrote its hash": (
        _manifest(packageManager="pnpm@https://evil.test/x.js+sha512.00"),
        {("manager_code", "package-manager"), ("manager_code", "npmrc-runs-code")},
    ),
    "archives for each platform": (
        _binary("https://a.test/x", "https://b.test/y"),
        {("exotic_sources", "tarball-url"), ("manager_code", "pnpm-runs-code")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    spoil, expected = CASES[case]
    project = Project()
    spoil(project)
    assert project.codes() == expected


def test_P9_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pnpm, "MAX_ENTRIES", 1)
    with pytest.raises(InputError, match="more than 1 packages"):
        Project().read()


def test_a_workspace_has_a_directory() -> None:
    project = Project()
    _near(project)
    assert [found for one in project.read().packages if (found := pnpm.directory_of(one)) is not None] == [
        "packages/near"
    ]


def test_alias_is_judged_under_its_real_name() -> None:
    """A05."""
    project = Project()
    _alias("npm:axios@1.14.1")(project)
    package = locked.by_id(project.read())["axios@1.14.1"]
    assert (package.name, package.version, package.alias) == ("axios", "1.14.1", "http")


def _jsr(spec: str, *, name: str = "@luca/cases", leads_to: str = "@jsr/luca__cases@1.0.0") -> Project:
    project = Project()
    project.lock["packages"][leads_to] = {"resolution": {"integrity": integrity("cases")}}
    project.lock["snapshots"][leads_to] = {}
    project.root["dependencies"][name] = {"specifier": spec, "version": leads_to}
    project.manifest["dependencies"][name] = spec
    return project


@pytest.mark.parametrize(
    ("spec", "name"),
    [("jsr:^1.0.0", "@luca/cases"), ("jsr:@luca/cases@^1.0.0", "cases"), ("jsr:@luca/cases", "@luca/cases")],
)
def test_jsr_is_asked_though_nothing_configures_it(spec: str, name: str) -> None:
    graph = _jsr(spec, name=name).read()
    found = {f.code for f in graph.findings} - {"declared-range"}
    assert found == ({"declared-floating"} if spec == "jsr:@luca/cases" else set())
    assert graph.manager.scopes == {"@jsr": "https://npm.jsr.io/"}
    package = locked.by_id(graph)["@jsr/luca__cases@1.0.0"]
    assert (package.name, package.alias, package.kind) == ("@jsr/luca__cases", name, Kind.REGISTRY)
    assert Project().read().manager.scopes == {}


def test_jsr_among_overrides_stands_there_as_it_was_written() -> None:
    project = _jsr("jsr:^1.0.0")
    project.lock["overrides"] = {"far": "jsr:@luca/cases@1.0.0"}
    project.files["pnpm-workspace.yaml"] = b"overrides: {far: 'jsr:@luca/cases@1.0.0'}\n"
    assert project.codes() == {("pinned", "override")}


def test_jsr_where_a_registry_is_configured_for_it() -> None:
    project = _jsr("jsr:^1.0.0")
    project.files[".npmrc"] = b"@jsr:registry=https://npm.acme.test/jsr/\n"
    assert project.read().manager.scopes == {"@jsr": "https://npm.acme.test/jsr/"}


@pytest.mark.parametrize("other", ["@jsr/eve__cases@1.0.0", "cases@1.0.0", "@jsr/luca__cases@2.0.0"])
def test_A06_another_package_than_jsr_was_asked_for(other: str) -> None:
    assert ("pinned", "lock-drift") in _jsr("jsr:^1.0.0", leads_to=other).codes()


def test_overrides_without_the_files_that_declare_them() -> None:
    """Rush keeps the lockfile alone, and makes package.json and pnpm-workspace.yaml when it installs."""
    project = Project()
    project.has_manifest = False
    project.lock["overrides"] = {"far": "1.0.0"}
    assert project.codes() == {("lockfile_sound", "manifest-missing"), ("pinned", "override")}


def test_only_what_an_importer_asks_for_is_direct() -> None:
    project = Project()
    project.lock["packages"]["far@1.0.0"] = {"resolution": {"integrity": integrity("far")}}
    project.lock["snapshots"] |= {"far@1.0.0": {}, "good@1.0.0": {"dependencies": {"far": "1.0.0"}}}
    packages = locked.by_id(project.read())
    assert {name: one.direct for name, one in packages.items() if name} == {
        "far@1.0.0": False,
        "good@1.0.0": True,
        "tool@2.1.0": True,
    }


def test_a_copied_directory_says_what_it_is() -> None:
    """Version 6: the key has neither a name nor a version."""
    project = Project()
    _old("file:near")(project)
    project.lock["packages"]["file:near"] = {"resolution": {"directory": "near", "type": "directory"}}
    project.files["near/package.json"] = b'{"name": "near", "version": "0.1.0"}'
    package = locked.by_id(project.read())["file:near"]
    assert (package.name, package.version, package.kind) == ("near", "0.1.0", Kind.FILE)


def test_a_key_is_believed_before_what_lies_on_the_disk() -> None:
    """pnpm shows what the lockfile says, whatever a copied directory calls itself by now."""
    project = Project()
    _directory("good@file:near", "near", version="1.0.0")(project)
    project.files["near/package.json"] = b'{"name": "other", "version": "9.9.9"}'
    package = locked.by_id(project.read())["good@file:near"]
    assert (package.name, package.version) == ("good", "1.0.0")


@pytest.mark.parametrize(
    ("repository", "resolved"),
    [
        ("git@e.test:good.git", "git@e.test:good.git"),
        ("ssh://git@e.test/good.git", "git+ssh://git@e.test/good.git"),
        ("git+ssh://git@e.test/good.git", "git+ssh://git@e.test/good.git"),
    ],
)
def test_git_is_written_in_one_way(repository: str, resolved: str) -> None:
    project = Project()
    _cloned("c" * 40)(project)
    key = f"good@git+ssh://git@e.test/good.git#{'c' * 40}"
    project.lock["packages"][key]["resolution"]["repo"] = repository
    assert locked.by_id(project.read())[key].resolved == f"{resolved}#{'c' * 40}"


def test_a_finding_says_where() -> None:
    project = Project()
    _both(_link("link:near"), CASES["patch outside the repository"][0])(project)
    found = {finding.code: finding for finding in project.read().findings}
    assert found["link"].place == 'importers["."]'
    assert "no patch file in the repository belongs to it" in found["patch-differs"].message
    project = Project()
    _both(_peer("^1.0.0"), _link("link:near"))(project)
    found = {finding.code: finding for finding in project.read().findings}
    assert found["peer-invalid"].place == 'snapshots["good@1.0.0"] tool'
    assert found["peer-invalid"].message == "tool@^1.0.0 is not satisfied by tool@2.1.0"


def test_registries_by_scope() -> None:
    project = Project()
    project.files[".npmrc"] = b"@s:registry=https://s.test/\n//s.test/:_authToken=secret\n"
    project.files["pnpm-workspace.yaml"] = b"registries:\n  '@t': https://t.test/\n"
    manager = project.read().manager
    assert manager.scopes == {"@s": "https://s.test/", "@t": "https://t.test/"}
    assert "secret" not in repr(manager)


def test_two_documents() -> None:
    """L28: what pnpm fetches for itself is among the packages, and not part of the product."""
    graph = load("two-documents")
    packages = locked.by_id(graph)
    assert packages["env:is-number@7.0.0"].dev
    assert not packages["is-number@6.0.0"].dev
    assert [f.package for f in graph.findings] == ["env:is-number@7.0.0"]


def leading(
    version: str, specifier: str | None, section: str = "configDependencies", name: str = "hooks"
) -> dict[str, Any]:
    """What pnpm 11 writes before the project's own document."""
    item = {"version": version} | ({} if specifier is None else {"specifier": specifier})
    return {
        "lockfileVersion": "9.0",
        "importers": {".": {section: {name: item}}},
        "packages": {f"{name}@{version}": {"resolution": {"integrity": integrity(name)}}},
        "snapshots": {f"{name}@{version}": {}},
    }


@pytest.mark.parametrize(
    ("document", "workspace", "codes"),
    [
        pytest.param(leading("1.0.0", "1.0.0"), b"", {"config-dependency"}, id="as pnpm writes it"),
        pytest.param(
            leading("1.0.0", "2.0.0"), b"", {"config-dependency", "lock-drift"}, id="another one was asked for"
        ),
        pytest.param(leading("1.0.0", None), b"", {"config-dependency"}, id="nothing says what was asked for"),
        pytest.param(
            leading("1.0.0", "1.0.0"), b"configDependencies:\n  hooks: 1.0.0\n", {"config-dependency"}, id="is held"
        ),
        pytest.param(
            leading("1.0.0", "1.0.0", "packageManagerDependencies"),
            b"configDependencies:\n  hooks: 1.0.0\n",
            {"package-manager-hashed", "config-dependency-unlocked"},
            id="is held as something else",
        ),
    ],
)
def test_L28_what_pnpm_runs_is_the_one_that_is_locked(
    document: dict[str, Any], workspace: bytes, codes: set[str]
) -> None:
    project = Project()
    if workspace:
        project.files["pnpm-workspace.yaml"] = workspace
    project.files["pnpm-lock.yaml"] = yaml.safe_dump_all([document, project.lock], width=10**6).encode()
    assert {finding.code for finding in project.read().findings} - {"declared-range"} == codes


REFUSED: dict[str, tuple[Any, str]] = {
    "empty": (b"", "0 documents"),
    "three documents": (b"a: b\n---\na: b\n---\na: b\n", "3 documents"),
    "a list": (b"- a\n", "expected a mapping"),
    "L07 no version": (b"a: b\n", "lockfileVersion: null"),
    "L07 later version": (b"lockfileVersion: '10.0'\n", "'10.0', expected one of"),
    "L07 a boolean": (b"lockfileVersion: true\n", "a boolean, expected one of"),
    "L07 a list": (b"lockfileVersion: ['9.0']\n", "an array, expected one of"),
    "L03 duplicate key": (b"lockfileVersion: '9.0'\nimporters: {}\nimporters: {}\n", "stands twice"),
    "L05 UTF-16": ("lockfileVersion: '9.0'\n".encode("utf-16"), "UTF-16"),
    "L11 __proto__": (b"lockfileVersion: '9.0'\n__proto__: {}\n", "__proto__"),
    "anchor": (b"lockfileVersion: &a '9.0'\n", "an anchor"),
    "importers and dependencies": (b"lockfileVersion: '6.0'\nimporters: {}\ndependencies: {}\n", "beside"),
    "importer outside": (b"lockfileVersion: '9.0'\nimporters:\n  a/../b: {}\n", "not a canonical"),
    "importer absolute": (b"lockfileVersion: '9.0'\nimporters:\n  /a: {}\n", "not a canonical"),
    "importer with a backslash": (b"lockfileVersion: '9.0'\nimporters:\n  a\\b: {}\n", "not a canonical"),
    "importer on a drive": (b"lockfileVersion: '9.0'\nimporters:\n  'C:a': {}\n", "not a canonical"),
    "a key like pnpm's own": (b"lockfileVersion: '9.0'\nsnapshots:\n  'env:a@1.0.0': {}\n", "names two things"),
    "a key like a link": (b"lockfileVersion: '9.0'\nsnapshots:\n  'link:a': {}\n", "names two things"),
    "a key of nothing": (b"lockfileVersion: '9.0'\nsnapshots:\n  '': {}\n", "names two things"),
    "no specifier": (
        b"lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a: {version: 1.0.0}\n",
        "expected a version and a specifier",
    ),
    "no version of a dependency": (
        b"lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a: {specifier: 1.0.0}\n",
        "expected a version and a specifier",
    ),
    "a flag that is a text": (
        b"lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {resolution: {}}\nsnapshots:\n  a@1.0.0: {optional: 'yes'}\n",
        "expected true or false",
    ),
    "a leading document of a workspace": (
        b"lockfileVersion: '9.0'\nimporters:\n  a: {}\n---\nlockfileVersion: '9.0'\n",
        "only has the root",
    ),
    "a leading document of the project": (
        b"lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies: {}\n---\nlockfileVersion: '9.0'\n",
        "only pnpm's own packages",
    ),
    "a leading document that is a list": (b"- a\n---\nlockfileVersion: '9.0'\n", "expected a mapping"),
    "a version that is a number": (
        b"lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a: {specifier: '1', version: 1.10}\n",
        "expected text",
    ),
    "a key that is a number": (b"lockfileVersion: '9.0'\npackages:\n  1.10: {}\n", "no text to every reader"),
    "packages that is a list": (b"lockfileVersion: '9.0'\npackages: []\n", "expected a mapping"),
    "a key like an importer": (
        b"lockfileVersion: '9.0'\nimporters:\n  a@1.0.0: {}\nsnapshots:\n  a@1.0.0: {}\n",
        "names two things",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """P1."""
    data, message = REFUSED[case]
    with pytest.raises(InputError) as caught:
        lockfiles.read(MemoryFiles({"package.json": b"{}", "pnpm-lock.yaml": data}))
    assert caught.value.where == "pnpm-lock.yaml"
    assert message in str(caught.value)


# --------------------------------------------------------------------------------------------------------------------
# Properties

PACKAGE = st.sampled_from(["a", "b", "@s/c", "constructor", "JSONStream"])
VERSION = st.sampled_from(["1.0.0", "2.0.0-rc.1", "0.1.0"])


@st.composite
def locks(draw: st.DrawFn) -> dict[str, Any]:
    """Return a lockfile of version 9: several importers, sets of peers, git, tarballs, files, without integrity."""
    entries: dict[str, dict[str, Any]] = {}
    snapshots: dict[str, dict[str, Any]] = {}
    for name, version in draw(st.lists(st.tuples(PACKAGE, VERSION), max_size=6, unique=True)):
        match draw(st.integers(0, 5)):
            case 0:
                url = f"https://codeload.github.com/o/r/tar.gz/{'b' * 40}"
                key, resolution = f"{name}@{url}", {"tarball": url}
            case 1:
                key, resolution = f"{name}@file:x", {"directory": "x", "type": "directory"}
            case 2:
                key, resolution = f"{name}@{version}", {}
            case _:
                key, resolution = f"{name}@{version}", {"integrity": integrity(name)}
        entries[key] = {"resolution": resolution}
        for suffix in draw(st.lists(st.sampled_from(["", "(p@1.0.0)", "(p@2.0.0(q@1.0.0))"]), max_size=2, unique=True)):
            snapshots[key + suffix] = {}
    for snapshot in snapshots.values():
        for section in ("dependencies", "optionalDependencies"):
            for key in draw(st.lists(st.sampled_from(sorted(snapshots)), max_size=2)):
                snapshot.setdefault(section, {})[draw(PACKAGE)] = key
    importers: dict[str, Any] = {}
    for directory in [".", *draw(st.lists(st.sampled_from(["x", "packages/y"]), max_size=2, unique=True))]:
        importers[directory] = {}
        for section in ("dependencies", "devDependencies"):
            for key in draw(st.lists(st.sampled_from(sorted(snapshots)), max_size=2)) if snapshots else []:
                item = {"specifier": draw(st.sampled_from(["^1.0.0", "latest", "npm:a@1"])), "version": key}
                importers[directory].setdefault(section, {})[draw(PACKAGE)] = item
    return {"lockfileVersion": "9.0", "importers": importers, "packages": entries, "snapshots": snapshots}


@given(locks())
def test_every_entry_once_whatever_the_graph(lock: dict[str, Any]) -> None:
    """P4: each importer, snapshot and package once; each declared edge leads to the key that it names."""
    files = MemoryFiles({"package.json": b"{}", "pnpm-lock.yaml": yaml.safe_dump(lock, width=10**6).encode()})
    graph = lockfiles.read(files)
    unused = lock["packages"].keys() - {keys.without_suffix(key) for key in lock["snapshots"]}
    own = {"" if directory == "." else directory for directory in lock["importers"]}
    assert [p.id for p in graph.packages] == sorted(own | lock["snapshots"].keys() | unused)
    expected = []
    for directory, importer in lock["importers"].items():
        for items in importer.values():
            expected += [("" if directory == "." else directory, name, item["version"]) for name, item in items.items()]
    for key, snapshot in lock["snapshots"].items():
        for items in snapshot.values():
            expected += [(key, name, target) for name, target in items.items()]
    assert sorted((e.source, e.name, str(e.target)) for e in graph.edges) == sorted(expected)
    reached, todo = set(own), list(own)
    while todo:
        here = todo.pop()
        for edge in graph.edges:
            if edge.source == here and edge.target is not None and edge.target not in reached:
                reached.add(edge.target)
                todo.append(edge.target)
    assert {package.id for package in graph.packages if package.reachable} == reached
    assert sbom.read(sbom.write(graph, {}, timestamp=None, tool_version="0")).graph == graph
