"""Every entry of a lockfile comes out exactly once, whatever the tree looks like."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate import lockfiles, sbom
from sbomgate.model import Kind
from sbomgate.project import MemoryFiles
from testkit.projects import entry, integrity

NAMES = ["a", "b", "@s/c", "constructor", "JSONStream"]
SPEC = st.sampled_from(
    ["^1.0.0", "1.0.0", "*", "npm:a@1.0.0", "github:o/r", "file:./x", "latest", "https://x.test/y.tgz"]
)
DEPENDENCIES = st.dictionaries(st.sampled_from(NAMES), SPEC, max_size=3)


@st.composite
def packages(draw: st.DrawFn) -> dict[str, Any]:
    """Return the `packages` of a version 3 lockfile: registry, git, file, bundled, without integrity, of any flag."""
    found: dict[str, Any] = {"": {"name": "shop", "version": "1.0.0", "dependencies": draw(DEPENDENCIES)}}
    locations = [""]
    for _ in range(draw(st.integers(0, 8))):
        parent = draw(st.sampled_from(locations))
        name = draw(st.sampled_from(NAMES))
        location = f"{parent}/node_modules/{name}" if parent else f"node_modules/{name}"
        if location in found:
            continue
        item = entry(name, draw(st.sampled_from(["1.0.0", "2.0.0-rc.1", "0.1.0"])))
        match draw(st.integers(0, 6)):
            case 0:
                item["resolved"] = "git+ssh://git@github.com/o/r.git#" + "b" * 40
                del item["integrity"]
            case 1:
                item["resolved"] = "file:x.tgz"
            case 2:
                item = {"version": "1.0.0", "inBundle": True}
            case 3:
                del item["resolved"], item["integrity"]
            case 4:
                item["integrity"] = integrity(name, "sha1")
            case 5:
                item["name"] = draw(st.sampled_from(NAMES))
            case _:
                pass
        for flag in draw(st.lists(st.sampled_from(["dev", "optional", "peer", "hasInstallScript"]), max_size=2)):
            item[flag] = True
        for section in draw(
            st.lists(st.sampled_from(["dependencies", "optionalDependencies", "peerDependencies"]), max_size=2)
        ):
            item[section] = draw(DEPENDENCIES)
        found[location] = item
        locations.append(location)
    return found


@given(packages())
def test_every_entry_once(found: dict[str, Any]) -> None:
    """P4: optional, peer, bundled, alias, git, without integrity: each once, with a kind; edges are npm's walk."""
    lock = {"lockfileVersion": 3, "packages": found}
    manifest = {"name": "shop", "version": "1.0.0", "dependencies": found[""]["dependencies"]}
    files = MemoryFiles({"package.json": json.dumps(manifest).encode(), "package-lock.json": json.dumps(lock).encode()})
    graph = lockfiles.read(files)
    assert [package.id for package in graph.packages] == sorted(found)
    assert graph.packages[0].kind is Kind.ROOT
    by_id = {package.id: package for package in graph.packages}
    for edge in graph.edges:
        # an independent walk: cut one directory after the other
        here, expected = edge.source, None
        while True:
            candidate = f"{here}/node_modules/{edge.name}" if here else f"node_modules/{edge.name}"
            if candidate in found:
                expected = candidate
                break
            if not here:
                break
            here = here.rpartition("node_modules/")[0].rstrip("/")
        assert edge.target == expected
    declared = sum(
        len(set().union(*(item.get(s, {}) for s in ("dependencies", "optionalDependencies", "peerDependencies"))))
        for item in found.values()
    )
    assert len(graph.edges) == declared
    reached, todo = {""}, [""]
    while todo:
        here = todo.pop()
        for edge in graph.edges:
            if edge.source == here and edge.target is not None and edge.target not in reached:
                reached.add(edge.target)
                todo.append(edge.target)
    assert {i for i, package in by_id.items() if package.reachable} == reached
    read = sbom.read(sbom.write(graph, {}, timestamp=None, tool_version="0"))
    assert read.graph == graph


@settings(deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=40).map(str.encode))
def test_garbage_is_an_input_error(data: bytes) -> None:
    """P1."""
    from sbomgate.errors import InputError

    where = None
    try:
        lockfiles.read(MemoryFiles({"package-lock.json": data}))
    except InputError as error:
        where = error.where
    assert where in ("package-lock.json",)
