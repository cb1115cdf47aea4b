"""Lockfiles that npm made: the graph is npm's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sbomgate.model import DependencyGraph, Kind
from testkit import locked

FIXTURES = locked.FIXTURES / "npm"
NAMES = sorted(path.name for path in FIXTURES.iterdir())
# Where the truth of the shared data differs from npm: it calls the link to a directory that is no workspace a workspace
# edge as well (`npm query .workspace` does not list it), and repeats peers of the root that are dev dependencies too,
# where npm keeps one edge a name (arborist, Node._loadDeps), as the truth itself does for version 3.
EXTRA_IN_TRUTH = {
    "apollo-client": {("", "config/size-limit", "workspace")},
    "apollo-client-2021-v1": {
        ("", "node_modules/graphql", "peer"),
        ("", "node_modules/react", "peer"),
        ("", "node_modules/subscriptions-transport-ws", "peer"),
    },
}
SHARED_NAMES = ["vscode-eslint", "sigstore-js", "apollo-client", "create-react-app", "apollo-client-2021-v1"]

NOTED: dict[str, set[str]] = {
    "bundled": {"file"},
    "overrides": {"declared-range", "override"},
    "peers": {"peer-invalid", "peer-unmet"},
    "peers-met": set(),
    "shrinkwrap": set(),
    "sources": {"file", "git", "link", "declared-floating"},
    "v1-tree": {"file", "lockfile-v1"},
    "workspaces": {"declared-range"},
    "workspaces-v1": {"declared-range", "lockfile-v1"},
    "workspaces-v2": {"declared-range"},
}


def load(name: str) -> DependencyGraph:
    return locked.fixture(f"npm/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_findings(name: str) -> None:
    """A lockfile as npm writes it contradicts nothing: only what is worth knowing is noted."""
    assert {finding.code for finding in load(name).findings} == NOTED[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_once(name: str) -> None:
    """P4."""
    graph = load(name)
    lock = json.loads((FIXTURES / name / graph.lockfile.path).read_bytes())
    ids = [package.id for package in graph.packages]
    assert len(ids) == len(set(ids))
    assert ids == sorted(ids)
    if "packages" in lock:
        assert set(ids) == set(lock["packages"])


def test_kinds() -> None:
    kinds = {package.id: package.kind for package in load("sources").packages}
    assert kinds["node_modules/ansi-regex"] is Kind.REGISTRY  # a URL, but the registry's own for that name and version
    assert kinds["node_modules/from-git"] is Kind.GIT
    assert kinds["node_modules/packed"] is Kind.FILE
    assert kinds["node_modules/packed/node_modules/inner"] is Kind.BUNDLED
    assert kinds["node_modules/linked"] is kinds["linked"] is Kind.LINK


def test_bundled_by_the_project_itself_comes_from_the_registry() -> None:
    package = next(p for p in load("bundled").packages if p.id == "node_modules/ms")
    assert package.kind is Kind.REGISTRY
    assert package.bundled_in is None


def test_versions_1_2_and_3_agree() -> None:
    """The same project in every format: the same packages, edges and flags."""
    third, second, first = load("workspaces"), load("workspaces-v2"), load("workspaces-v1")
    assert third.packages == second.packages
    assert third.edges == second.edges
    assert [p.id for p in third.packages] == [p.id for p in first.packages]
    assert third.edges == first.edges
    assert [(p.name, p.alias, p.dev, p.kind, p.hashes) for p in third.packages] == [
        (p.name, p.alias, p.dev, p.kind, p.hashes) for p in first.packages
    ]


@pytest.mark.npm
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_same_tree_as_npm(name: str) -> None:
    """Packages, edges, dev and bundled as `npm query` gives them from the lockfile alone."""
    done = subprocess.run(
        ["npm", "query", "*", "--package-lock-only", "--offline"],
        cwd=FIXTURES / name,
        capture_output=True,
        check=True,
    )
    nodes = json.loads(done.stdout)
    graph = load(name)
    targets = {package.id: package.target for package in graph.packages if package.target is not None}
    packages = {package.id: package for package in graph.packages if package.target is None}
    assert {targets.get(node["location"], node["location"]) for node in nodes} == packages.keys()
    theirs = {
        (targets.get(node["location"], node["location"]), targets.get(target, target))
        for node in nodes
        for target in node["to"]
    }
    assert {(edge.source, edge.target) for edge in graph.edges if edge.target is not None} == theirs
    for node in nodes:
        package = packages[targets.get(node["location"], node["location"])]
        assert package.dev == node["dev"], package.id
        if package.bundled_in is not None:
            assert node["inBundle"], package.id


@pytest.mark.shared
@pytest.mark.parametrize("name", SHARED_NAMES)
def test_real_lockfiles_equal_the_truth(name: str, real_locks: Path, shared: Path, tmp_path: Path) -> None:
    """Nodes and edges by key, and the SBOM by the comparison that lies beside the data."""
    found = locked.real(real_locks, name)
    graph, truth = found.graph, found.truth
    nodes = {package.id for package in graph.packages if package.target is None}
    assert nodes == {component["key"] for component in truth["components"]}
    edges = {(edge.source, edge.target, edge.kind.value) for edge in graph.edges if edge.target is not None}
    assert edges == {tuple(edge) for edge in truth["edges"]} - EXTRA_IN_TRUTH.get(name, set())
    unmet = {
        (edge.source, edge.name, edge.kind.value)
        for edge in graph.edges
        if edge.target is None and edge.kind.value not in ("optional", "peerOptional")
    }
    assert unmet == {tuple(edge) for edge in truth["unresolved"]}
    assert not [f for f in graph.findings if f.rule == "bound_bytes"]
    noisy = {
        "flag-mismatch",
        "sections-disagree",
        "unreachable-entry",
        "root-differs",
        "malformed-integrity",
        "lock-drift",
    }
    assert not noisy & {f.code for f in graph.findings}
    found.compare(shared, tmp_path)
