"""Lockfiles that yarn 1.22, 3 and 4 made: the graph is yarn's own, and what the shared data says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sbomgate import sbom
from sbomgate.model import EdgeKind, Kind
from testkit import locked
from testkit.schema import errors

FIXTURES = locked.FIXTURES
CLASSIC = sorted(path.name for path in (FIXTURES / "yarn-classic").iterdir())
BERRY = sorted(path.name for path in (FIXTURES / "yarn-berry").iterdir())
BOTH = [*(f"yarn-classic/{name}" for name in CLASSIC), *(f"yarn-berry/{name}" for name in BERRY)]
FORMAT = "no-integrity-format"

NOTED: dict[str, set[str]] = {
    "yarn-classic/aliases": {"declared-range"},
    "yarn-classic/peers": set(),
    "yarn-classic/resolutions": {"declared-range", "override"},
    "yarn-classic/settings": {"npmrc-runs-code"},
    "yarn-classic/sources": {"declared-floating", "directory", "file", "git", "link", "weak-integrity"},
    "yarn-classic/workspaces": {"declared-range"},
    "yarn-berry/catalogs": {FORMAT, "declared-range"},
    "yarn-berry/extensions": {FORMAT, "override"},
    "yarn-berry/patches": {FORMAT, "patch"},
    "yarn-berry/patches-v6": {FORMAT, "patch", "platform-unchecked"},
    "yarn-berry/peers": {FORMAT, "peer-invalid", "peer-unmet"},
    "yarn-berry/platforms": {FORMAT, "platform-unchecked"},
    "yarn-berry/resolutions": {FORMAT, "declared-range", "override"},
    "yarn-berry/sources": {FORMAT, "declared-floating", "directory", "file", "git", "link", "npmrc-redirects"},
    "yarn-berry/sources-v6": {FORMAT, "directory", "link"},
    "yarn-berry/workspaces": {FORMAT, "declared-range", "platform-unchecked"},
    "yarn-berry/workspaces-v6": {FORMAT, "declared-range", "platform-unchecked"},
}
# The truth's reader does not apply catalogs before yarn's own patches; yarn does: fixture `catalogs`, whose listing has
# `typescript@patch:…` under `typescript: catalog:dev`.
_TYPESCRIPT = "typescript@patch:typescript@npm%3A6.0.2#optional!builtin<compat/typescript>::version=6.0.2&hash=5786d5"
CATALOGUED = {("", "dev"), ("@babel/parser@workspace:packages/babel-parser", "dev")}


def listing(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / name / "listing.json").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", BOTH)
def test_findings(name: str) -> None:
    """A lockfile as yarn writes it contradicts nothing: only what is worth knowing is noted."""
    assert {finding.code for finding in locked.fixture(name).findings} == NOTED[name]


@pytest.mark.parametrize("name", BOTH)
def test_round_trip(name: str) -> None:
    graph = locked.fixture(name)
    ids = [package.id for package in graph.packages]
    assert len(ids) == len(set(ids))
    assert ids == sorted(ids)
    assert list(graph.edges) == sorted(graph.edges, key=lambda e: (e.source, e.name, e.kind.value))
    written = sbom.write(graph, {}, timestamp=None, tool_version="0")
    assert errors(written) == []
    again = sbom.read(written).graph
    assert again.packages == graph.packages
    assert again.edges == graph.edges
    assert again.findings == graph.findings
    assert again.manager == graph.manager


@pytest.mark.parametrize("name", BERRY)
def test_same_graph_as_yarn_info(name: str) -> None:
    """Packages and edges as `yarn info --all --recursive --json` gives them; a peer has no edge."""
    graph = locked.fixture(f"yarn-berry/{name}")
    roots = {line["value"] for line in listing(f"yarn-berry/{name}") if line["value"].endswith("@workspace:.")}

    def key(locator: str) -> str:
        locator = re.sub(r"virtual:[0-9a-f]+#", "", locator)
        return "" if locator in roots else locator

    assert {key(line["value"]) for line in listing(f"yarn-berry/{name}")} == {p.id for p in graph.packages}
    peers = {(edge.source, edge.name) for edge in graph.edges if edge.kind in (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)}
    theirs = {
        (key(line["value"]), key(one["locator"]))
        for line in listing(f"yarn-berry/{name}")
        for one in line["children"].get("Dependencies", [])
        if (key(line["value"]), one["descriptor"][: one["descriptor"].index("@", 1)]) not in peers
    }
    patched = {(package.id, package.target) for package in graph.packages if package.kind is Kind.PATCH}
    ours = {
        (edge.source, edge.target)
        for edge in graph.edges
        if edge.kind is not EdgeKind.WORKSPACE and edge.target is not None
    }
    assert ours - patched == theirs


@pytest.mark.parametrize("name", CLASSIC)
def test_same_graph_as_yarn_list(name: str) -> None:
    """Packages by the name they are installed under, and what each asks for, as `yarn list --json` gives them."""
    graph = locked.fixture(f"yarn-classic/{name}")
    nodes: set[str] = set()
    asked: set[tuple[str, str]] = set()
    todo = listing(f"yarn-classic/{name}")[0]["data"]["trees"]
    while todo:
        tree = todo.pop()
        nodes.add(tree["name"])
        asked |= {(tree["name"], child["name"]) for child in tree["children"] if child.get("shadow")}
        todo += [child for child in tree["children"] if not child.get("shadow")]
    shown = {p.id: f"{p.alias or p.name}@{p.version}" for p in graph.packages if p.id}
    assert {shown[p.id] for p in graph.packages if p.id in shown and p.reachable} == nodes
    ours = {
        (shown[edge.source], f"{edge.name}@{edge.range}")
        for edge in graph.edges
        if edge.source in shown and edge.kind is not EdgeKind.PEER
    }
    own = {f"{p.name}@{p.version}" for p in graph.packages if p.kind is Kind.WORKSPACE}
    # What a workspace asks for is not shown where it lies below the workspace itself.
    assert {pair for pair in ours if pair[0] not in own} == {pair for pair in asked if pair[0] not in own}


def test_kinds_of_sources() -> None:
    kinds = {package.name: package.kind for package in locked.fixture("yarn-berry/sources").packages if package.id}
    assert kinds["ansi-regex"] is Kind.REGISTRY  # a URL, but the registry's own for that name and version
    assert kinds["from-git"] is Kind.GIT
    assert kinds["packed"] is kinds["copied"] is Kind.FILE
    assert kinds["linked"] is kinds["ported"] is Kind.LINK
    assert kinds == {
        package.name: package.kind for package in locked.fixture("yarn-classic/sources").packages if package.id
    } | {"ported": Kind.LINK}


@pytest.mark.parametrize("name", BERRY)
def test_a_checksum_is_no_integrity(name: str) -> None:
    """The checksum is that of yarn's own zip: no hash and no integrity of any package (yarnpkg/berry#6296)."""
    graph = locked.fixture(f"yarn-berry/{name}")
    assert {package.integrity for package in graph.packages} == {None}
    assert {package.hashes for package in graph.packages} == {()}
    written = sbom.write(graph, {}, timestamp=None, tool_version="0").decode()
    lock = (FIXTURES / "yarn-berry" / name / "yarn.lock").read_text(encoding="utf-8")
    checksums = re.findall(r"checksum: (?:\S+/)?([0-9a-f]{128})$", lock, re.MULTILINE)
    assert checksums
    assert not [checksum for checksum in checksums if checksum in written]


def test_flags_and_aliases() -> None:
    for name in ("yarn-classic/workspaces", "yarn-berry/workspaces", "yarn-berry/workspaces-v6"):
        packages = {(p.alias or p.name, p.version): p for p in locked.fixture(name).packages}
        assert packages["is-odd", "3.0.1"].dev
        assert not packages["is-number", "7.0.0"].dev
        assert packages["fsevents", "2.3.3"].optional
        assert packages["ms", "2.1.2"].dev
        assert packages["string-width-cjs", "4.2.3"].name == "string-width"
        assert packages["@fixture/b", "1.0.0"].kind is Kind.WORKSPACE


def test_platforms() -> None:
    packages = {package.name: package for package in locked.fixture("yarn-berry/platforms").packages}
    assert (packages["@esbuild/linux-x64"].os, packages["@esbuild/linux-x64"].cpu) == (("linux",), ("x64",))
    assert packages["@esbuild/linux-x64"].optional
    assert not packages["esbuild"].optional


@pytest.mark.shared
@pytest.mark.parametrize(("name", "count"), [("yarn-classic-yarn", 1062), ("babel", 1586)])
def test_real_lockfiles_equal_the_truth(name: str, count: int, real_locks: Path, shared: Path, tmp_path: Path) -> None:
    """Nodes and edges by key, and the SBOM by the comparison that lies beside the data."""
    found = locked.real(real_locks, name)
    graph, truth = found.graph, found.truth
    root = next(one["key"] for one in truth["components"] if one["kind"] == "root")

    def key(theirs: str) -> str:
        return "" if theirs == root else theirs

    assert {package.id for package in graph.packages} == {key(one["key"]) for one in truth["components"]}
    assert sum(package.kind not in (Kind.ROOT, Kind.WORKSPACE) for package in graph.packages) == count
    patches = {package.id: package.target for package in graph.packages if package.kind is Kind.PATCH}
    ours = {
        (
            edge.source,
            "typescript@npm:6.0.2"
            if edge.target == _TYPESCRIPT and (edge.source, edge.kind.value) in CATALOGUED
            else edge.target,
            "patch-of" if edge.source in patches and edge.target == patches[edge.source] else edge.kind.value,
        )
        for edge in graph.edges
        if edge.target is not None and edge.kind is not EdgeKind.WORKSPACE
    }
    assert ours == {(key(source), key(target), kind) for source, target, kind in truth["edges"]}
    assert truth["unresolved"] == []
    assert not [e for e in graph.edges if e.target is None and e.kind not in (EdgeKind.PEER, EdgeKind.PEER_OPTIONAL)]
    noisy = {"unreachable-entry", "root-differs", "lock-drift", "range-unsatisfied", "dependency-missing"}
    assert not noisy & {f.code for f in graph.findings}
    assert not [f for f in graph.findings if f.rule == "bound_bytes" or f.code == "resolved-foreign-host"]
    if name == "yarn-classic-yarn":
        sha1_only = [p for p in graph.packages if p.hashes and p.hashes[0].algorithm == "sha1"]
        assert len(sha1_only) == 680
        assert [p.name for p in graph.packages if p.id and p.integrity is None] == ["eslint-plugin-yarn-internal"]
    found.compare(shared, tmp_path)
