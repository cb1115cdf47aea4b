"""Every kind of source and declaration, as the real managers lock it: our graph is what the manager itself lists."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sbomgate import sbom
from sbomgate.model import DependencyGraph, EdgeKind, Kind, Package
from sbomgate.npm import yarn_cache
from testkit import locked
from testkit.loopback import loopback
from testkit.schema import errors

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = locked.FIXTURES / "every-source"
NAMES = sorted(path.name for path in FIXTURES.iterdir())
OWN = (Kind.ROOT, Kind.WORKSPACE, Kind.LINK, Kind.FILE)
FROM_DIRECTORIES = {"fixture", "met", "@fx/uses", "linked", "ported", "copied", "packed"}
PEERS = (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)
Edge = tuple[str, str, str]  # who asks, under which name, what it gets


def load(name: str) -> DependencyGraph:
    return locked.read(FIXTURES / name)


def listing(name: str) -> Any:
    text = next((FIXTURES / name).glob("listing.*")).read_text("utf-8")
    return text if name.startswith("bun") else [json.loads(one) for one in _documents(text)]


def _documents(text: str) -> list[str]:
    return [text] if text.startswith(("[", "{\n")) else text.splitlines()


def named(prefix: str) -> list[str]:
    return [name for name in NAMES if name.startswith(prefix)]


def shown(package: Package) -> str:
    """What is listed of a package; what lies in a directory or file of the project by its name alone."""
    return package.name if package.kind in OWN else f"{package.name}@{package.version}"


def ours(graph: DependencyGraph) -> set[Edge]:
    by_id = {package.id: shown(package) for package in graph.packages}
    return {
        (by_id[edge.source], edge.name, by_id[edge.target])
        for edge in graph.edges
        if edge.target is not None and edge.kind is not EdgeKind.WORKSPACE
    }


# --------------------------------------------------------------------------------------------------------------------
# What each is there for

WHERE: dict[str, dict[str, Any]] = {
    "renamed": {"name": "@fx/scoped", "kind": Kind.REGISTRY},
    "from-git": {"name": "from-git", "kind": Kind.GIT},
    "from-url": {"name": "from-url", "kind": Kind.TARBALL},
    "packed": {"name": "packed", "kind": Kind.FILE},
}
# No hash at all: from a registry that has none; of a tarball's URL and of a file, where the manager keeps none.
UNHASHED = {
    "npm-1": {"no-hash"},
    "npm-2": {"no-hash"},
    "npm-3": {"no-hash"},
    "pnpm-5": {"no-hash", "from-url"},
    "pnpm-6": {"no-hash", "from-url"},
    "pnpm-9-by-9": {"no-hash", "from-url"},
    "pnpm-9-by-10": {"no-hash"},
    "pnpm-9": set(),  # pnpm 12 hashes what it fetched
    "yarn-1": set(),
    "bun-0": {"no-hash", "from-url", "packed"},
    "bun-1": {"no-hash", "from-url", "packed"},
    "bun-2": {"no-hash"},
}
ALWAYS = {"declared-floating", "declared-range", "git", "override", "tarball-url", "file"}
NOTED = {
    "npm-1": {"lockfile-v1", "link", "weak-integrity"},
    "npm-2": {"link", "peer-invalid", "weak-integrity"},
    "npm-3": {"link", "peer-invalid", "weak-integrity"},
    **{name: {"link", "patched", "peer-invalid", "weak-integrity"} for name in named("pnpm")},
    "yarn-1": {"directory", "link", "weak-integrity"},
    **{
        name: {
            *("directory", "link", "no-integrity-format", "npmrc-redirects"),
            *("patch", "peer-invalid", "platform-unchecked"),
        }
        for name in named("berry")
    },
    **{name: {"patched", "peer-invalid", "weak-integrity"} for name in named("bun")},
}


@pytest.mark.parametrize("name", NAMES)
def test_findings(name: str) -> None:
    """A lockfile that no one touched contradicts nothing: what is worth knowing is noted, and nothing else."""
    found = load(name).findings
    unhashed = {"missing-integrity"} if UNHASHED.get(name) else set()
    assert {finding.code for finding in found} == ALWAYS | NOTED[name] | unhashed
    by_id = {package.id: package.name for package in load(name).packages}
    if name in UNHASHED:
        assert {by_id[str(f.package)] for f in found if f.code == "missing-integrity"} == UNHASHED[name]


@pytest.mark.parametrize("name", NAMES)
def test_kinds(name: str) -> None:
    graph = load(name)
    packages = {package.id: package for package in graph.packages}
    reached = {
        edge.name: packages[edge.target] for edge in graph.edges if edge.source == "" and edge.target is not None
    }
    for wanted, told in WHERE.items():
        found = reached[wanted]
        assert {key: getattr(found, key) for key in told} == told, wanted
    assert reached["copied"].kind is (Kind.LINK if name.startswith("npm") else Kind.FILE)
    assert reached["scripted"].dev
    assert reached["platforms"].optional
    other = next(package for package in packages.values() if package.name == "for-aix")
    assert other.optional
    if name.startswith(("pnpm", "bun", "npm-2", "npm-3")):
        assert (other.os, other.cpu) == (("aix",), ("ppc64",))
    if name.startswith("berry"):
        assert reached["only-sha1"].kind is Kind.PATCH
    bundled = [package for package in packages.values() if package.name == "inner"]
    if name.startswith(("npm", "bun")):
        assert {package.kind for package in bundled} == {Kind.BUNDLED}
        assert {packages[str(package.bundled_in)].name for package in bundled} == {"bundles", "packed"}
    met = {
        edge.satisfied
        for edge in graph.edges
        if edge.name == "leaf" and edge.kind is EdgeKind.PEER and packages[edge.source].name == "needs-peer"
    }
    if name != "npm-1" and not name.startswith(("yarn", "berry")):
        assert met == ({False} if name.startswith("npm") or name in ("bun-0", "bun-1") else {True, False})


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_once(name: str) -> None:
    """P4, and the SBOM is valid and holds all of it."""
    graph = load(name)
    ids = [package.id for package in graph.packages]
    assert ids == sorted(set(ids))
    assert all(package.reachable for package in graph.packages if package.alias is None)
    written = sbom.write(graph, {}, timestamp=None, tool_version="0")
    assert errors(written) == []
    assert sbom.read(written).graph == graph


# --------------------------------------------------------------------------------------------------------------------
# What each manager lists


def _npm_walk(tree: dict[str, Any], source: str) -> Iterator[Edge]:
    for name, entry in tree.get("dependencies", {}).items():
        if not entry:
            continue  # a peer that nobody installs
        target = name if name in FROM_DIRECTORIES else f"{name}@{entry.get('version')}"
        yield source, name, target
        yield from _npm_walk(entry, target)


@pytest.mark.parametrize("name", named("npm"))
def test_npm_ls(name: str) -> None:
    """`npm ls --all --json`: who asks, for which name, and which version it gets."""
    graph = load(name)
    by_id = {p.id: p.name if p.kind in OWN else f"{p.alias or p.name}@{p.version}" for p in graph.packages}
    found = {(by_id[edge.source], edge.name, by_id[edge.target]) for edge in graph.edges if edge.target is not None}
    theirs = set(_npm_walk(listing(name)[0], "fixture"))
    if name == "npm-1":  # it has the address in place of the version of what comes from an address

        def known(listed: str) -> str:
            return re.sub(r"^(from-git|from-url)@.*", r"\1@None", listed)

        theirs = {(known(source), edge, known(target)) for source, edge, target in theirs}
    assert found == theirs


def _pnpm_walk(tree: dict[str, Any], source: str) -> Iterator[Edge]:
    for section in ("dependencies", "devDependencies", "optionalDependencies"):
        for name, entry in tree.get(section, {}).items():
            real = entry["from"]
            target = real if real in FROM_DIRECTORIES else f"{real}@{entry['version']}"
            yield source, name, target
            yield from _pnpm_walk(entry, target)


@pytest.mark.parametrize("name", named("pnpm"))
def test_pnpm_list(name: str) -> None:
    """`pnpm list --recursive --depth Infinity --json`: the same, by real names."""
    theirs = {edge for project in listing(name)[0] for edge in _pnpm_walk(project, project["name"])}
    assert ours(load(name)) == theirs


@pytest.mark.parametrize("name", named("berry"))
def test_yarn_info(name: str) -> None:
    """`yarn info --all --recursive --json`: the locators and who leads to which; peers are in nobody's list."""
    graph = load(name)

    def key(locator: str) -> str:
        plain = re.sub(r"virtual:[0-9a-f]+#", "", locator)
        return "" if plain == "fixture@workspace:." else plain

    lines = listing(name)
    assert {key(line["value"]) for line in lines} == {package.id for package in graph.packages}
    peers = {(edge.source, edge.name) for edge in graph.edges if edge.kind in PEERS}
    theirs = {
        (key(line["value"]), one["descriptor"][: one["descriptor"].index("@", 1)], key(one["locator"]))
        for line in lines
        for one in line["children"].get("Dependencies", [])
    }
    patched = {(package.id, package.target) for package in graph.packages if package.kind is Kind.PATCH}
    assert {
        (edge.source, edge.name, edge.target)
        for edge in graph.edges
        if edge.target is not None and edge.kind is not EdgeKind.WORKSPACE and (edge.source, edge.target) not in patched
    } == {edge for edge in theirs if edge[:2] not in peers}


@pytest.mark.parametrize("name", named("yarn"))
def test_yarn_list(name: str) -> None:
    """`yarn list --json`: everything that is installed, and what each asks for."""
    graph = load(name)
    installed: set[str] = set()
    asked: set[tuple[str, str]] = set()
    todo = list(listing(name)[0]["data"]["trees"])
    while todo:
        tree = todo.pop()
        installed.add(tree["name"])
        asked |= {(tree["name"], child["name"]) for child in tree["children"] if child.get("shadow")}
        todo += [child for child in tree["children"] if not child.get("shadow")]
    by_id = {p.id: f"{p.alias or p.name}@{p.version}" for p in graph.packages if p.id}
    assert set(by_id.values()) == installed
    assert {
        (by_id[edge.source], f"{edge.name}@{edge.range}")
        for edge in graph.edges
        if edge.source in by_id and edge.kind not in PEERS
    } == asked


@pytest.mark.parametrize("name", named("bun"))
def test_bun_list(name: str) -> None:
    """`bun pm ls --all`: every path; what is for another platform is not among them in bun 1.2 and later."""
    graph = load(name)
    listed: dict[str, str] = {}
    path: list[str] = []
    for line in listing(name).splitlines():
        mark = max(line.find("├── "), line.find("└── "))
        depth, text = mark // 4, line[mark + 4 :]
        alias, _, source = text[1:].partition("@")
        path[depth:] = [text[0] + alias]
        listed["/".join(path)] = source
    packages = {p.id: p for p in graph.packages if p.id and not p.id.startswith("workspace:")}
    elsewhere = {key for key, package in packages.items() if package.os == ("aix",)} - listed.keys()
    assert packages.keys() - elsewhere == listed.keys()
    for key in listed:
        if packages[key].kind in (Kind.REGISTRY, Kind.BUNDLED):
            assert packages[key].version == listed[key]


# --------------------------------------------------------------------------------------------------------------------
# What they write today


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_source_fixtures", ROOT / "tools" / "make_source_fixtures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules[spec.name] = module  # its dataclasses look for themselves there
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
        del sys.modules[spec.name]
    return module


@pytest.mark.managers
@pytest.mark.parametrize("name", ["berry-10", "bun-2", "npm-1", "npm-3", "pnpm-9", "yarn-1"])
def test_the_real_manager_writes_and_lists_the_same(name: str, tmp_path: Path) -> None:
    """npm, pnpm, yarn 1, yarn 4 and bun run here: lockfile and listing are those that are checked in, byte by byte."""
    script = _script()
    assert name in script.PINNED
    with loopback(tmp_path / "git") as here:
        script.make(name, here, tmp_path / "scratch", tmp_path / "made")
    made = {path.relative_to(tmp_path / "made") for path in (tmp_path / "made").rglob("*") if path.is_file()}
    kept = {path.relative_to(FIXTURES / name) for path in (FIXTURES / name).rglob("*") if path.is_file()}
    assert made == kept
    for path in sorted(made):
        if name == "pnpm-9" and path.name == "listing.json":  # which of several copies pnpm shows whole is chance
            found = json.loads((tmp_path / "made" / path).read_text("utf-8"))
            both = [{e for one in told for e in _pnpm_walk(one, one["name"])} for told in (found, listing(name)[0])]
            assert both[0] == both[1]
            continue
        assert (tmp_path / "made" / path).read_bytes() == (FIXTURES / name / path).read_bytes(), path
    if name == "yarn-1":  # what its cache keeps are the bytes that the lockfile has the digest of
        place = tmp_path / "scratch" / name
        graph = locked.read(place / "project")
        fetched = [one for one in graph.packages if one.kind is Kind.REGISTRY and one.alias is None and one.sha512]
        assert len(fetched) > 5
        for one in fetched:
            data = yarn_cache.load(place / "home" / "v1", one.name, one.version or "", one.resolved)
            assert data is not None, one.id
            assert hashlib.sha512(data).hexdigest() == one.sha512
