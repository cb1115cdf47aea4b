"""Graphs written as lockfiles of every format and read back: the same packages, edges and flags."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate import lockfiles
from sbomgate.model import DependencyGraph, EdgeKind, Kind
from sbomgate.project import MemoryFiles
from testkit.locks import FORMATS, convert
from testkit.projects import entry

NAMES = ["a", "b", "@s/c", "constructor", "d.e", "x-y", "@s/a", "true"]
VERSIONS = st.sampled_from(["1.0.0", "0.1.0", "2.0.0-rc.1", "1.10.0", "10.0.0"])
SECTION = st.sampled_from(["dependencies", "dependencies", "optionalDependencies"])


@st.composite
def locks(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return npm's lockfile and package.json: aliases, scopes, cycles, nested copies of another version, sections."""
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES), unique=True))
    packages: dict[str, Any] = {}
    for name in chosen:
        if draw(st.integers(0, 4)) == 0:  # installed under another name
            real = draw(st.sampled_from(["real", "@s/real"])) + name.strip("@").replace("/", "-")
            packages[name] = {"name": real, **entry(real, draw(VERSIONS))}
        else:
            packages[name] = entry(name, draw(VERSIONS))
    placed = {f"node_modules/{name}": told for name, told in packages.items()}

    def asked(told: dict[str, Any]) -> str:
        return f"npm:{told['name']}@{told['version']}" if "name" in told else str(told["version"])

    for name, told in packages.items():
        for other in draw(st.lists(st.sampled_from(chosen), max_size=3, unique=True)):
            target = packages[other]
            if draw(st.integers(0, 3)) == 0 and "name" not in target:  # a copy of its own, which asks for nothing
                target = placed[f"node_modules/{name}/node_modules/{other}"] = entry(other, "7.7.7")
            told.setdefault(draw(SECTION), {})[other] = asked(target)
    manifest: dict[str, Any] = {"name": "shop", "version": "1.0.0"}
    wanted = draw(st.lists(st.sampled_from(chosen), min_size=1, unique=True))
    for name in wanted:
        section = draw(st.sampled_from(["dependencies", "devDependencies", "optionalDependencies"]))
        manifest.setdefault(section, {})[name] = asked(packages[name])
    lock = {"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": manifest, **placed}}
    return lock, manifest


def told(graph: DependencyGraph, installed: bool) -> tuple[set[Any], set[Any]]:
    """Return what is in the graph whatever the format: packages with their flags, edges with what they ask for."""
    nodes, by_id = set(), {}
    for p in graph.packages:
        by_id[p.id] = p.name, p.version
        if p.reachable:
            nodes.add((p.name, p.version, p.kind, p.integrity if installed else None, p.dev, p.optional))
    reached = {p.id for p in graph.packages if p.reachable}
    edges = {
        (by_id[e.source], e.name, by_id[e.target], e.kind)
        for e in graph.edges
        if e.target is not None and e.source in reached and e.kind is not EdgeKind.WORKSPACE
    }
    return nodes, edges


@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "npm"])
@settings(max_examples=60)
@given(made=locks())
def test_the_same_graph_in_every_format(format_: str, made: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """P4: what npm's reader finds in npm's form, the other readers find in theirs."""
    lock, manifest = made
    own = json.dumps(manifest).encode()
    theirs = lockfiles.read(
        MemoryFiles({"package.json": own, "package-lock.json": convert(lock, "npm")}), "package-lock.json"
    )
    name = FORMATS[format_]
    ours = lockfiles.read(MemoryFiles({"package.json": own, name: convert(lock, format_)}), name)
    hashed = format_ != "berry"
    expected, found = told(theirs, hashed), told(ours, hashed)
    # A copy in two places is one entry elsewhere: flags are those of both, so only a package in one place has its own.
    places: dict[Any, int] = {}
    for package in theirs.packages:
        if package.reachable:
            places[package.name, package.version] = places.get((package.name, package.version), 0) + 1
    single = {key for key, count in places.items() if count == 1}
    assert {n[:4] for n in found[0]} == {n[:4] for n in expected[0]}
    if format_ != "bun":
        assert {n for n in found[0] if n[:2] in single} == {n for n in expected[0] if n[:2] in single}
    assert found[1] == expected[1]
    noisy = {"lock-drift", "range-unsatisfied", "dependency-missing", "sections-disagree", "resolved-name-differs"}
    assert not noisy & {finding.code for finding in ours.findings}
    assert all(package.kind in (Kind.ROOT, Kind.REGISTRY) for package in ours.packages)
