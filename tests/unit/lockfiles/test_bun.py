"""bun.lock of every version: bun's own listing, the truth of a real one, and a table of what can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbomgate import lockfiles, sbom
from sbomgate.errors import InputError
from sbomgate.lockfiles import bun
from sbomgate.lockfiles.bun import _flat, _places, _segments
from sbomgate.model import DependencyGraph, Kind
from sbomgate.project import MemoryFiles
from testkit import locked
from testkit.projects import integrity

FIXTURES = locked.FIXTURES / "bun"
NAMES = sorted(path.name for path in FIXTURES.iterdir())

TREE = {"declared-range", "file", "override", "patched", "peer-invalid"}
NOTED: dict[str, set[str]] = {
    # bun before 1.4 keeps no hash of a tarball that is no registry's
    "sources-v1": {"declared-floating", "file", "missing-integrity", "tarball-url"},
    "sources-v2": {"declared-floating", "file", "git", "tarball-url"},
    "tree-v0": TREE | {"missing-integrity"},
    "tree-v1": TREE | {"missing-integrity"},
    "tree-v2": TREE,
}


def load(name: str) -> DependencyGraph:
    return locked.fixture(f"bun/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_findings(name: str) -> None:
    """A lockfile as bun writes it contradicts nothing: only what is worth knowing is noted."""
    assert {finding.code for finding in load(name).findings} == NOTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_packages_as_bun_lists(name: str) -> None:
    """P4: every line of `bun pm ls --all` is an entry under that path, and there is no other; the SBOM holds them."""
    graph = load(name)
    listed: dict[str, str] = {}
    path: list[str] = []
    for line in (FIXTURES / name / "list.txt").read_text(encoding="utf-8").splitlines():
        mark = max(line.find("├── "), line.find("└── "))
        depth, text = mark // 4, line[mark + 4 :]
        alias, _, source = text[1:].partition("@")
        path[depth:] = [text[0] + alias]
        listed["/".join(path)] = source
    own = {package.id for package in graph.packages if package.id[:10] == "workspace:"}
    packages = {p.id: p for p in graph.packages if p.id and p.id not in own}
    # bun 1.4 leaves out what is for another platform.
    elsewhere = {key for key, package in packages.items() if package.os == ("darwin",)} - listed.keys()
    assert packages.keys() == listed.keys() | elsewhere
    for key, package in packages.items():
        if key in elsewhere:
            continue
        if package.kind in (Kind.REGISTRY, Kind.BUNDLED):
            assert package.version == listed[key]
        elif package.kind is Kind.WORKSPACE:
            assert package.resolved == listed[key]
            assert package.target in own
    assert [package.id for package in graph.packages] == sorted({"", *own, *listed, *elsewhere})
    assert sbom.read(sbom.write(graph, {}, timestamp=None, tool_version="0")).graph == graph


def test_kinds_and_fields() -> None:
    packages = locked.by_id(load("tree-v2"))
    assert packages[""].kind is Kind.ROOT
    assert packages["workspace:packages/a"].kind is packages["a"].kind is Kind.WORKSPACE
    assert packages["packed"].kind is Kind.FILE
    bundled = packages["packed/ms"]
    assert (bundled.kind, bundled.bundled_in) == (Kind.BUNDLED, "packed")
    alias = packages["string-width-cjs"]
    assert (alias.name, alias.alias, alias.kind, alias.resolved) == (
        "string-width",
        "string-width-cjs",
        Kind.REGISTRY,
        None,
    )
    mac = packages["fsevents"]
    assert (mac.os, mac.optional, mac.has_install_script) == (("darwin",), True, None)
    assert packages["is-number"].dev
    assert not packages["is-odd/is-number"].dev
    assert locked.by_id(load("sources-v2"))["from-git"].kind is Kind.GIT
    assert locked.by_id(load("sources-v2"))["copied"].version == "0.2.0"


def test_the_commands_that_bun_links() -> None:
    commands = {id_: one.commands for id_, one in locked.by_id(load("tree-v2")).items()}
    assert {id_ for id_, names in commands.items() if names} == {"loose-envify"}
    assert commands[""] is None


def test_edges_are_found_by_buns_walk() -> None:
    edges = {(edge.source, edge.name): edge.target for edge in load("tree-v2").edges}
    assert edges["is-even/is-odd", "is-number"] == "is-even/is-odd/is-number"
    assert edges["workspace:packages/a", "ms"] == "a/ms"
    assert edges["workspace:packages/c", "ms"] == "c/ms"
    assert edges["workspace:packages/d", "ms"] == "ms"
    assert edges["workspace:packages/a", "@fixture/b"] == "workspace:packages/b"
    assert edges["a/react-dom", "react"] == "a/react"
    assert edges["ws", "bufferutil"] is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", ["a"]),
        ("@s/a/b/@s/c", ["@s/a", "b", "@s/c"]),
        ("a/", ["a", ""]),
        ("@s", [""]),
        ("a//b", ["a", "", "b"]),
        ("@s/@t/c", ["@s/@t", "c"]),
    ],
)
def test_segments(key: str, expected: list[str]) -> None:
    assert _segments(key) == expected


def test_P9_overrides_below_overrides_have_an_end() -> None:
    deep: Any = "1.0.0"
    for _ in range(20):
        deep = {"a": deep}
    assert list(_flat(deep, ())) == [(("a",) * 20, "1.0.0")]
    assert list(_flat({"a": {"a": deep}}, ())) == []
    assert list(_flat({"a": 7, "b": ["1.0.0"], "c": None}, ())) == []


def test_places() -> None:
    assert list(_places("a/@s/b", "c")) == ["a/@s/b/c", "a/c", "c"]
    assert list(_places("", "c")) == ["c"]


@pytest.mark.shared
def test_a_real_lockfile_equals_the_truth(real_locks: Path, shared: Path, tmp_path: Path) -> None:
    found = locked.real(real_locks, "hono")
    graph, truth = found.graph, found.truth
    assert {p.id or "workspace:" for p in graph.packages} == {component["key"] for component in truth["components"]}
    edges = {(e.source or "workspace:", e.target, e.kind.value) for e in graph.edges if e.target is not None}
    assert edges == {tuple(edge) for edge in truth["edges"]}
    assert {f.code for f in graph.findings} == {"declared-range", "package-manager", "peer-invalid", "prerelease"}
    found.compare(shared, tmp_path)


# --------------------------------------------------------------------------------------------------------------------
# What is wrong


class Project:
    """A package.json and the lockfile that fits it, until a test spoils them."""

    def __init__(self) -> None:
        own = {"dependencies": {"good": "1.0.0"}, "devDependencies": {"tool": "^2.0.0"}}
        self.manifest: dict[str, Any] = {"name": "shop", "version": "1.0.0", **own}
        self.lock: dict[str, Any] = {
            "lockfileVersion": 1,
            "workspaces": {"": {"name": "shop", **json.loads(json.dumps(own))}},
            "packages": {
                "good": ["good@1.0.0", "", {}, integrity("good")],
                "tool": ["tool@2.1.0", "", {}, integrity("tool")],
            },
        }
        self.files: dict[str, bytes] = {}

    @property
    def good(self) -> list[Any]:
        found: list[Any] = self.lock["packages"]["good"]
        return found

    def declare(self, name: str, spec: str) -> None:
        self.manifest["dependencies"][name] = self.lock["workspaces"][""]["dependencies"][name] = spec

    def read(self) -> DependencyGraph:
        contents = {
            "package.json": json.dumps(self.manifest).encode(),
            "bun.lock": json.dumps(self.lock, indent=2).replace("\n  }\n", ",\n  },\n").encode(),
            **self.files,
        }
        return lockfiles.read(MemoryFiles(contents))

    def codes(self) -> set[tuple[str, str]]:
        return {(f.rule, f.code) for f in self.read().findings} - {("pinned", "declared-range")}


REG = "https://registry.npmjs.org/"


def _good(*fields: Any, spec: str | None = None) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        project.lock["packages"]["good"] = list(fields)
        if spec is not None:
            project.declare("good", spec)

    return spoil


def _entry(key: str, *fields: Any, spec: str | None = None) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        project.lock["packages"][key] = list(fields)
        if spec is not None:
            project.declare(key, spec)

    return spoil


def _lock(**fields: Any) -> Callable[[Project], None]:
    return lambda project: project.lock.update(fields)


def _manifest(**fields: Any) -> Callable[[Project], None]:
    return lambda project: project.manifest.update(fields)


def _file(name: str, data: bytes) -> Callable[[Project], None]:
    return lambda project: project.files.update({name: data})


def _both(*spoils: Callable[[Project], None]) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        for one in spoils:
            one(project)

    return spoil


HASH = integrity("good")
COMMIT = "b" * 40
CASES: dict[str, tuple[Callable[[Project], None], set[tuple[str, str]]]] = {
    "nothing": (lambda project: None, set()),
    "A05 alias": (_entry("http", "axios@1.14.1", "", {}, HASH, spec="npm:axios@1.14.1"), set()),
    "A06 undeclared alias": (
        _entry("http", "axios@1.14.1", "", {}, HASH, spec="1.14.1"),
        {("bound_bytes", "alias-undeclared")},
    ),
    "A09 another package's tarball": (
        _good("good@1.0.0", f"{REG}evil/-/evil-1.0.0.tgz", {}, HASH),
        {("bound_bytes", "resolved-name-differs")},
    ),
    "A10 another version's tarball": (
        _good("good@1.0.0", f"{REG}good/-/good-1.0.1.tgz", {}, HASH),
        {("bound_bytes", "resolved-version-differs")},
    ),
    "A14 user information": (
        _good("good@1.0.0", "https://registry.npmjs.org@evil.test/good/-/good-1.0.0.tgz", {}, HASH),
        {("registries", "resolved-userinfo"), ("registries", "resolved-foreign-host")},
    ),
    "another registry": (
        _good("good@1.0.0", "https://e.test/", {}, HASH),
        {("registries", "resolved-foreign-host")},
    ),
    "bytes from elsewhere": (
        _good("good@1.0.0", "https://e.test/x.tgz", {}, HASH),
        {("exotic_sources", "tarball-url"), ("bound_bytes", "source-undeclared")},
    ),
    "A21 no integrity": (_good("good@1.0.0", "", {}, ""), {("lockfile_sound", "missing-integrity")}),
    "A23 sha1": (_good("good@1.0.0", "", {}, integrity("x", "sha1")), {("lockfile_sound", "weak-integrity")}),
    "A28 case": (
        _entry("Good", "Good@1.0.0", "", {}, HASH, spec="1.0.0"),
        {("lockfile_sound", "name-case"), ("lockfile_sound", "name-case-collision")},
    ),
    "L15 unreferenced": (_entry("evil", "evil@1.0.0", "", {}, HASH), {("lockfile_sound", "unreachable-entry")}),
    "L17 other specifier": (_manifest(dependencies={"good": "^2.0.0"}), {("pinned", "lock-drift")}),
    "L17 not in the lockfile": (_manifest(dependencies={"good": "1.0.0", "n": "1"}), {("pinned", "lock-drift")}),
    "version outside the range": (lambda project: project.declare("good", "^2.0.0"), {("pinned", "lock-drift")}),
    "no entry": (lambda project: project.declare("gone", "1.0.0"), {("pinned", "lock-drift")}),
    "inner range unsatisfied": (
        _good("good@1.0.0", "", {"dependencies": {"tool": "^3.0.0"}}, HASH),
        {("lockfile_sound", "range-unsatisfied")},
    ),
    "L19 override": (
        _both(
            _good("good@1.0.0", "", {"dependencies": {"tool": "^3.0.0"}}, HASH),
            _lock(overrides={"tool": "2.1.0"}),
            _manifest(overrides={"tool": "2.1.0"}),
        ),
        {("pinned", "override")},
    ),
    "override that nobody declares": (
        _lock(overrides={"tool": "npm:evil@1"}),
        {("pinned", "override"), ("pinned", "lock-drift")},
    ),
    "inner dependency missing": (
        _good("good@1.0.0", "", {"dependencies": {"gone": "1"}}, HASH),
        {("lockfile_sound", "dependency-missing")},
    ),
    "peer unmet": (
        _good("good@1.0.0", "", {"peerDependencies": {"p": "1"}}, HASH),
        {("lockfile_sound", "peer-unmet")},
    ),
    "optional peer unmet": (
        _good("good@1.0.0", "", {"peerDependencies": {"p": "1"}, "optionalPeers": ["p"]}, HASH),
        set(),
    ),
    "S01 git": (
        _good(
            f"good@git+ssh://git@e.test/good.git#{COMMIT}", {}, COMMIT, spec="git+ssh://git@e.test/good.git#" + COMMIT
        ),
        {("exotic_sources", "git")},
    ),
    "S02 abbreviated commit": (
        _good("good@github:o/good#1234567", {}, "o-good-1234567", spec=f"github:o/good#{COMMIT}"),
        {("exotic_sources", "git"), ("pinned", "git-not-commit")},
    ),
    "git that nobody asked for": (
        _good(f"good@github:o/good#{COMMIT}", {}, "o-good-b"),
        {("exotic_sources", "git"), ("bound_bytes", "source-undeclared")},
    ),
    "L31 link outside": (
        _good("good@file:../../x", {}, spec="file:../../x"),
        {("exotic_sources", "file"), ("exotic_sources", "link-outside")},
    ),
    "link": (_good("good@link:x", {}, spec="link:x"), {("exotic_sources", "link")}),
    "neither version nor address": (
        _good("good@latest", {}),
        {("bound_bytes", "source-missing"), ("lockfile_sound", "missing-integrity")},
    ),
    "L32 other lockfile": (_file("deno.lock", b""), {("lockfile_sound", "other-lockfile")}),
    "binary lockfile beside": (_file("bun.lockb", b""), {("lockfile_sound", "other-lockfile")}),
    "C03 preload": (_file("bunfig.toml", b'preload = ["./x.ts"]\n'), {("manager_code", "bunfig-runs-code")}),
    "C03 a registry in .env": (
        _file(".env", b"DB_HOST=x\nBUN_CONFIG_REGISTRY=https://evil.test\n"),
        {("manager_code", "bunfig-runs-code")},
    ),
    "C03 NODE_OPTIONS in .env.production": (
        _file(".env.production", b"\xef\xbb\xbfexport NODE_OPTIONS = '-r ./x.js'\r"),
        {("manager_code", "bunfig-runs-code")},
    ),
    "an .env of the application": (
        _file(".env", b"NODE_ENV=production\nDB_HOST=x\nGITHUB_TOKEN=x\nPORT=1\n#BUN_X=1\n"),
        set(),
    ),
    "the cache in bunfig.toml": (
        _file("bunfig.toml", b'[install]\ncache = "./cache"\n'),
        {("registries", "npmrc-redirects")},
    ),
    "registry in bunfig.toml": (
        _file("bunfig.toml", b'[install]\nregistry = { url = "https://e.test", token = "secret" }\n'),
        {("registries", "npmrc-registry")},
    ),
    "trusted dependencies differ": (_manifest(trustedDependencies=["evil"]), {("pinned", "lock-drift")}),
    "patch": (
        _both(
            _lock(patchedDependencies={"good@1.0.0": "p.patch"}),
            _manifest(patchedDependencies={"good@1.0.0": "p.patch"}),
            _file("p.patch", b"x"),
        ),
        {("exotic_sources", "patched")},
    ),
    "patch that is missing": (
        _both(
            _lock(patchedDependencies={"good@1.0.0": "p.patch"}),
            _manifest(patchedDependencies={"good@1.0.0": "p.patch"}),
        ),
        {("exotic_sources", "patched"), ("lockfile_sound", "patch-differs")},
    ),
    "S10 prerelease": (
        _good("good@1.0.0-rc.1", "", {}, HASH, spec="1.0.0-rc.1"),
        {("pinned", "prerelease")},
    ),
    "another name than in package.json": (_manifest(name="other"), {("lockfile_sound", "root-renamed")}),
    "a workspace that package.json does not name": (
        _both(
            lambda project: project.lock["workspaces"].update({"w": {"name": "w"}}),
            _file("w/package.json", b'{"name": "w"}'),
        ),
        {("pinned", "lock-drift")},
    ),
    "a workspace that the lockfile does not name": (
        _both(_manifest(workspaces=["w"]), _file("w/package.json", b'{"name": "w"}')),
        {("pinned", "lock-drift")},
    ),
    "a workspace": (
        _both(
            _manifest(workspaces=["w"]),
            lambda project: project.lock["workspaces"].update({"w": {"name": "w"}}),
            lambda project: project.lock["packages"].update({"w": ["w@workspace:w"]}),
            _file("w/package.json", b'{"name": "w"}'),
        ),
        set(),
    ),
    "a workspace outside": (
        _both(
            _manifest(workspaces=["../w"]),
            lambda project: project.lock["workspaces"].update({"../w": {"name": "w"}}),
        ),
        {("exotic_sources", "link-outside")},
    ),
    "an inner optional dependency that is not there": (
        _good("good@1.0.0", "", {"optionalDependencies": {"gone": "1"}}, HASH),
        set(),
    ),
    "another catalog than in package.json": (
        _both(_manifest(catalog={"good": "2.0.0"}), _lock(catalog={"good": "1.0.0"})),
        {("pinned", "lock-drift")},
    ),
    "another catalog of a name": (
        _both(
            _manifest(workspaces={"packages": [], "catalogs": {"x": {"good": "2.0.0"}}}),
            _lock(catalogs={"x": {"good": "1.0.0"}}),
        ),
        {("pinned", "lock-drift")},
    ),
    "by a catalog": (
        _both(
            _manifest(catalog={"good": "1.0.0"}),
            _lock(catalog={"good": "1.0.0"}),
            lambda project: project.declare("good", "catalog:"),
        ),
        set(),
    ),
    "a file without integrity": (
        _good("good@good.tgz", {}, spec="file:good.tgz"),
        {("exotic_sources", "file"), ("lockfile_sound", "missing-integrity")},
    ),
    "a patch that package.json does not name": (
        _both(
            _lock(patchedDependencies={"good@1.0.0": "p.patch"}),
            _file("p.patch", b"x"),
        ),
        {("exotic_sources", "patched"), ("pinned", "lock-drift")},
    ),
    "constructor is a name": (_entry("constructor", "constructor@1.0.0", "", {}, HASH, spec="1.0.0"), set()),
}


def _space(**more: Any) -> Callable[[Project], None]:
    """The workspace `w`, 1.2.0, which the project asks for by a range."""

    def spoil(project: Project) -> None:
        project.manifest["workspaces"] = ["w"]
        project.lock["workspaces"]["w"] = {"name": "w", "version": "1.2.0"}
        project.lock["packages"]["w"] = ["w@workspace:w"]
        project.files["w/package.json"] = b'{"name": "w", "version": "1.2.0"}'
        project.lock.update(more)

    return spoil


def _in_place_of(spec: str) -> Callable[[Project], None]:
    """Version 0 has the workspace's directory where package.json has a range."""

    def spoil(project: Project) -> None:
        _space(lockfileVersion=0)(project)
        project.lock["packages"]["w"] = ["w@workspace:w", {}]
        project.manifest["dependencies"]["w"] = spec
        project.lock["workspaces"][""]["dependencies"]["w"] = "w"

    return spoil


def _locked_as(spec: str) -> Callable[[Project], None]:
    return lambda project: project.lock["workspaces"][""]["dependencies"].update({"w": spec})


def _without(name: str) -> Callable[[Project], None]:
    def spoil(project: Project) -> None:
        del project.files[name]

    return spoil


TARBALL = "https://e.test/x.tgz"
CASES |= {
    "a workspace whose package.json is not there": (
        _both(_space(), _without("w/package.json")),
        {("lockfile_sound", "manifest-missing")},
    ),
    "a tarball": (
        _good(f"good@{TARBALL}", {}, HASH, spec=TARBALL),
        {("exotic_sources", "tarball-url"), ("pinned", "declared-floating")},
    ),
    "a tarball that nobody asked for": (
        _good(f"good@{TARBALL}", {}, HASH),
        {("exotic_sources", "tarball-url"), ("bound_bytes", "source-undeclared")},
    ),
    "the registry's tarball, asked for by its address": (
        _good(f"good@{REG}good/-/good-1.0.0.tgz", {}, HASH, spec=f"{REG}good/-/good-1.0.0.tgz"),
        {("pinned", "declared-floating")},
    ),
    "L19 an override by what the project declares": (
        _both(_lock(overrides={"tool": "1.0.0"}), _manifest(overrides={"tool": "$good"})), {("pinned", "override")}
    ),
    "L19 an override by what nobody declares": (
        _both(_lock(overrides={"tool": "1.0.0"}), _manifest(overrides={"tool": "$gone"})),
        {("pinned", "override"), ("pinned", "lock-drift")},
    ),
    "L19 an override below a package": (
        _both(
            _good("good@1.0.0", "", {"dependencies": {"tool": "^3.0.0"}}, HASH),
            _lock(overrides={"good": {"tool": "2.1.0"}}),
            _manifest(overrides={"good": {"tool": "2.1.0"}}),
        ),
        {("pinned", "override")},
    ),
    "version 0, a range in the lockfile too": (
        _both(_in_place_of("^2.0.0"), _locked_as("^2.0.0")), {("pinned", "lock-drift")}
    ),
    "version 0, a workspace that nobody asks for": (
        _both(_in_place_of("^1.0.0"), lambda project: project.manifest["dependencies"].pop("w")),
        {("pinned", "lock-drift")},
    ),
    "version 0, a workspace under another name": (
        _both(
            _space(lockfileVersion=0),
            _manifest(dependencies={"good": "1.0.0", "x": "^1.0.0"}),
            lambda project: project.lock["packages"].update({"w": ["w@workspace:w", {}], "x": ["w@workspace:w", {}]}),
            lambda project: project.lock["workspaces"][""]["dependencies"].update({"x": "w"}),
        ),
        {("pinned", "lock-drift")},
    ),
    "S02 another commit than was asked for": (
        _good(f"good@github:o/good#{COMMIT}", {}, "o-good-b", spec=f"github:o/good#{'c' * 40}"),
        {("exotic_sources", "git"), ("pinned", "lock-drift")},
    ),
    "a tarball that nothing depends on": (
        _entry("evil", f"evil@{TARBALL}", {}, HASH),
        {("exotic_sources", "tarball-url"), ("lockfile_sound", "unreachable-entry")},
    ),
    "a peer of the project of another version": (
        _both(
            _entry("p", "p@1.0.0", "", {}, HASH),
            _manifest(peerDependencies={"p": "^2.0.0"}),
            lambda project: project.lock["workspaces"][""].update({"peerDependencies": {"p": "^2.0.0"}}),
        ),
        {("lockfile_sound", "peer-invalid")},
    ),
    "trusted dependencies, one of them no name": (
        _both(_manifest(trustedDependencies=["good", 7]), _lock(trustedDependencies=["good"])), set()
    ),
    "version 1, a directory in place of a range": (
        _both(_space(), _manifest(dependencies={"good": "1.0.0", "w": "^1.0.0"}), _locked_as("w")),
        {("pinned", "lock-drift")},
    ),
    "version 0, what the lockfile does not have": (
        _both(_in_place_of("^1.0.0"), lambda project: project.manifest["dependencies"].update({"n": "1.0.0"})),
        {("pinned", "lock-drift")},
    ),
    "version 0, a workspace is asked for and the registry's is locked": (
        _both(_in_place_of("^1.0.0"), lambda project: project.manifest["dependencies"].update({"good": "workspace:*"})),
        {("pinned", "lock-drift")},
    ),
    "S02 a branch, and the commit that it was": (
        _good(f"good@github:o/good#{COMMIT}", {}, "o-good-b", spec="github:o/good#main"),
        {("exotic_sources", "git"), ("pinned", "declared-floating")},
    ),
    "A21 no integrity below another package": (
        _both(
            _good("good@1.0.0", "", {"dependencies": {"tool": "^3.0.0"}}, HASH),
            _entry("good/tool", "tool@3.0.0", "", {}, ""),
        ),
        {("lockfile_sound", "missing-integrity")},
    ),
    "A21 no integrity, bundled in nothing": (
        _good("good@1.0.0", "", {"bundled": True}, ""), {("lockfile_sound", "missing-integrity")}
    ),
    "bundled in another package": (
        _both(
            _good("good@1.0.0", "", {"dependencies": {"tool": "^3.0.0"}}, HASH),
            _entry("good/tool", "tool@3.0.0", "", {"bundled": True}, ""),
        ),
        set(),
    ),
    "a patch in somebody's home": (
        _both(
            _lock(patchedDependencies={"good@1.0.0": "~/p.patch"}),
            _manifest(patchedDependencies={"good@1.0.0": "~/p.patch"}),
            _file("~/p.patch", b"x"),
        ),
        {("exotic_sources", "patched"), ("lockfile_sound", "patch-differs")},
    ),
    "a patch by an absolute path": (
        _both(
            _lock(patchedDependencies={"good@1.0.0": "/p.patch"}),
            _manifest(patchedDependencies={"good@1.0.0": "/p.patch"}),
            _file("/p.patch", b"x"),
        ),
        {("exotic_sources", "patched"), ("lockfile_sound", "patch-differs")},
    ),
    "version 0, a range that the workspace meets": (_in_place_of("^1.0.0"), set()),
    "version 0, a workspace that was asked for": (_in_place_of("workspace:*"), set()),
    "version 0, a range that the workspace does not meet": (_in_place_of("^2.0.0"), {("pinned", "lock-drift")}),
}  # fmt: skip


def test_what_a_workspace_has_for_itself_is_not_in_its_tarball() -> None:
    """It says that it is bundled; a workspace has no tarball: it is fetched, and its hash counts."""
    project = Project()
    _space()(project)
    project.lock["workspaces"]["w"]["dependencies"] = {"good": "^2.0.0"}
    project.files["w/package.json"] = b'{"name": "w", "version": "1.2.0", "dependencies": {"good": "^2.0.0"}}'
    project.lock["packages"]["w/good"] = ["good@2.0.0", "", {"bundled": True}, integrity("x")]
    packages = locked.by_id(project.read())
    assert (packages["w/good"].kind, packages["w/good"].bundled_in) == (Kind.REGISTRY, None)


def test_a_lockfile_alone() -> None:
    """Without package.json there is nothing that could differ from it; that it is not there is a finding."""
    project = Project()
    project.lock["trustedDependencies"] = ["good"]
    contents = {"bun.lock": json.dumps(project.lock).encode()}
    graph = lockfiles.read(MemoryFiles(contents))
    assert {finding.code for finding in graph.findings} == {"manifest-missing", "declared-range"}
    assert graph.manager.settings["trustedDependencies"] == '["good"]'


def test_a_workspace_has_a_directory() -> None:
    project = Project()
    _space()(project)
    assert [found for one in project.read().packages if (found := bun.directory_of(one)) is not None] == ["w"]


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    spoil, expected = CASES[case]
    project = Project()
    spoil(project)
    assert project.codes() == expected


def test_no_secret_of_bunfig_is_kept() -> None:
    """P40."""
    project = Project()
    project.files["bunfig.toml"] = b'[install.scopes]\nacme = { url = "https://u:secret@e.test/", token = "secret" }\n'
    manager = project.read().manager
    assert manager.scopes == {"@acme": "https://e.test/"}
    assert "secret" not in repr(manager)


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "L07 version 3": (b'{"lockfileVersion": 3}', "3, expected the integer 0, 1 or 2"),
    "L07 a boolean": (b'{"lockfileVersion": true}', "expected the integer"),
    "L03 duplicate key": (b'{"lockfileVersion": 1, "packages": {}, "packages": {}}', "stands twice"),
    "a comment": (b'{"lockfileVersion": 1 /* x */}', "not JSON"),
    "two commas": (b'{"lockfileVersion": 1,,}', "not JSON"),
    "a comma within a line": (b'{"lockfileVersion": 1, "packages": {},}', "not JSON"),
    "no workspaces": (b'{"lockfileVersion": 1, "packages": {}}', 'no workspace ""'),
    "workspace outside": (b'{"lockfileVersion": 1, "workspaces": {"": {}, "a/../b": {}}}', "canonical"),
    "entry of another form": (b'{"lockfileVersion": 1, "workspaces": {"": {}}, "packages": {"a": {}}}', "an array"),
    "an entry without a name": (
        b'{"lockfileVersion": 1, "workspaces": {"": {}}, "packages": {"a": ["", "", {}, ""]}}',
        "is no name@source",
    ),
    "too many fields": (
        b'{"lockfileVersion": 1, "workspaces": {"": {}}, "packages": {"a": ["a@1.0.0", "", {}, "", 1]}}',
        "expected name@version",
    ),
    "a path with a hole": (
        b'{"lockfileVersion": 1, "workspaces": {"": {}}, "packages": {"a//b": ["b@1.0.0", "", {}, ""]}}',
        "not a path",
    ),
    "a workspace that is none": (
        b'{"lockfileVersion": 1, "workspaces": {"": {}}, "packages": {"a": ["a@workspace:a"]}}',
        "no workspace",
    ),
}


def _spaces(**more: Any) -> bytes:
    return json.dumps({"lockfileVersion": 1, "workspaces": {"": {}, **more}}).encode()


def _packages(key: str, entry: Any) -> bytes:
    return json.dumps({"lockfileVersion": 1, "workspaces": {"": {}}, "packages": {key: entry}}).encode()


REFUSED |= {
    "workspace absolute": (_spaces(**{"/a": {"name": "a"}}), "canonical"),
    "workspace with a backslash": (_spaces(**{"a\\b": {"name": "a"}}), "canonical"),
    "workspace without a name": (_spaces(a={}), "no name"),
    "a key of nothing": (_packages("", ["a@1.0.0", "", {}, HASH]), "not a path"),
    "a key like a workspace": (_packages("workspace:a", ["a@1.0.0", "", {}, HASH]), "not a path"),
    "a scope without a name": (_packages("@a", ["@a@1.0.0", "", {}, HASH]), "not a path"),
    "an entry of nothing": (_packages("a", []), "an array"),
    "an entry of a number": (_packages("a", [1]), "an array"),
    "a registry that is a number": (_packages("a", ["a@1.0.0", 1, {}, HASH]), "expected name@version"),
    "too few fields": (_packages("a", ["a@1.0.0", ""]), "expected name@version"),
    "an integrity that is a number": (_packages("a", ["a@1.0.0", "", {}, 1]), "an integrity string"),
    "more than a link has": (_packages("a", ["a@link:a", {}, HASH, 1]), "more fields"),
    "more than git has": (_packages("a", [f"a@git+ssh://h/a.git#{COMMIT}", {}, "x", HASH, 1]), "more fields"),
    "patches that are a list": (
        b'{"lockfileVersion": 1, "workspaces": {"": {}}, "patchedDependencies": []}',
        "expected a mapping",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """P1."""
    data, message = REFUSED[case]
    with pytest.raises(InputError) as caught:
        lockfiles.read(MemoryFiles({"package.json": b"{}", "bun.lock": data}))
    assert caught.value.where == "bun.lock"
    assert message in str(caught.value)


def test_the_binary_lockfile_is_refused_with_the_command() -> None:
    with pytest.raises(InputError) as caught:
        lockfiles.read(MemoryFiles({"bun.lockb": b"\0"}))
    assert "--save-text-lockfile" in caught.value.hint


@pytest.mark.parametrize("text", [b"[install\n", b"a = " + b"9" * 5000])
def test_a_broken_bunfig_is_refused(text: bytes) -> None:
    project = Project()
    project.files["bunfig.toml"] = text
    with pytest.raises(InputError, match="not TOML"):
        project.read()
