"""Plug'n'Play: its list is read as data, and what it says is not believed where the archives say otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbomgate import link
from sbomgate.errors import InputError
from sbomgate.installed import Tarballs, _pnp, _zips, read_folder
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind, Lockfile, ManagerSettings, Package
from sbomgate.model.link import TreeLink
from testkit import trees

A, B = ("a", "1.0.0"), ("@s/b", "2.0.0")


def archive(name: str, version: str, code: bytes = b"1") -> bytes:
    start = f"node_modules/{name}"
    return trees.zipped({
        f"{start}/package.json": json.dumps({"name": name, "version": version}).encode(), f"{start}/index.js": code
    })  # fmt: skip


def listed(name: str, version: str, location: str, link_type: str = "HARD") -> list[Any]:
    information = {"packageLocation": location, "packageDependencies": [], "linkType": link_type}
    return [name, [[f"npm:{version}", information]]]


def of(name: str, version: str) -> list[Any]:
    return listed(name, version, f"./.yarn/cache/{name.replace('/', '-')}.zip/node_modules/{name}/")


TOP = [None, [[None, {"packageLocation": "./", "packageDependencies": [], "linkType": "SOFT"}]]]


def write(root: Path, *entries: Any, inline: bool = True) -> None:
    """Write what yarn writes for these entries."""
    state = json.dumps({"packageRegistryData": [TOP, *entries]}, indent=1)
    if inline:
        text = state.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\\n")
        (root / ".pnp.cjs").write_text(f"#!/usr/bin/env node\n\nconst RAW_RUNTIME_STATE =\n'{text}';\n\nrun();\n")
    else:
        (root / ".pnp.cjs").write_text("run();\n")
        (root / ".pnp.data.json").write_text(state)


def put(root: Path, name: str, version: str, **more: Any) -> None:
    path = root / ".yarn" / "cache" / f"{name.replace('/', '-')}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive(name, version, **more))


def look(root: Path, *, pinned: bool = True) -> TreeLink:
    packages = [
        Package(id=f"{name}@npm:{version}", name=name, version=version, kind=Kind.REGISTRY) for name, version in (A, B)
    ]
    web = Package(id="web@workspace:web", name="web", version="1.0.0", kind=Kind.WORKSPACE, resolved="web")
    graph = DependencyGraph(
        lockfile=Lockfile(path="yarn.lock", kind="yarn", version="10", sha256="0" * 64, size=1),
        manager=ManagerSettings(name="yarn", registry="https://registry.npmjs.org/", scopes={}, settings={}, files={}),
        packages=(Package(id="", name="shop", version="1.0.0", kind=Kind.ROOT), *packages, web),
        edges=(Edge(source="", target="a@npm:1.0.0", name="a", kind=EdgeKind.PROD, range="npm:1.0.0"),),
        findings=(),
    )
    archives: dict[tuple[str, str | None], tuple[str, ...]] = {}
    if pinned:
        archives = {(name, version): (_zips.checksum(archive(name, version)),) for name, version in (A, B)}
    known = link.expected(packages, placed=False, archives=archives)
    found = read_folder(root, known, tarballs=Tarballs(zips=[root / ".yarn" / "cache"]))
    assert link.loads(link.dumps(found), "inventory") == found
    return link.compare(graph, found)


def said(found: TreeLink) -> str:
    return "\n".join(f"{p.code} {p.place}: {p.message}" for p in found.problems)


@pytest.mark.parametrize("inline", [True, False], ids=["in one file", "in two"])
def test_what_yarn_writes(tmp_path: Path, inline: bool) -> None:
    put(tmp_path, *A)
    put(tmp_path, *B)
    write(tmp_path, of(*A), of(*B), listed("web", "0", "./web/", "SOFT"), inline=inline)
    found = look(tmp_path)
    assert (found.holds, found.packages, found.bytes, dict(found.counts)) == (True, 2, 2, {"loader": 1})
    assert look(tmp_path, pinned=False).bytes == 0


def test_a_virtual_path_is_the_path_behind_it(tmp_path: Path) -> None:
    put(tmp_path, *A)
    put(tmp_path, *B)
    virtual = listed("a", "1.0.0", "./.yarn/__virtual__/a-virtual-0123/0/cache/a.zip/node_modules/a/")
    write(tmp_path, virtual, of(*A), of(*B))
    assert look(tmp_path).packages == 2


def test_unplugged_packages_are_compared_with_their_archive(tmp_path: Path) -> None:
    put(tmp_path, *A)
    put(tmp_path, *B)
    folder = tmp_path / ".yarn" / "unplugged" / "a-npm-1.0.0-0123" / "node_modules" / "a"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "a", "version": "1.0.0"}))
    (folder / "index.js").write_bytes(b"1")
    (folder / ".ready").write_bytes(b"")
    (tmp_path / ".yarn" / "cache" / "a.zip").rename(tmp_path / ".yarn" / "cache" / "a-npm-1.0.0-0123.zip")
    write(tmp_path, listed("a", "1.0.0", "./.yarn/unplugged/a-npm-1.0.0-0123/node_modules/a/"), of(*B))
    assert (look(tmp_path).holds, look(tmp_path).bytes) == (True, 2)
    (folder / "index.js").write_bytes(b"steal()")
    assert "changed against its tarball: index.js" in said(look(tmp_path))


BAD: dict[str, tuple[list[Any], str]] = {
    "another package under this name": ([["a", of(*B)[1]], of(*B)], "is not a npm:2.0.0, as which .pnp.cjs loads it"),
    "another version": ([listed("a", "9.0.0", of(*A)[1][0][1]["packageLocation"]), of(*B)], "is not a npm:9.0.0"),
    "a package that nobody knows": ([of(*A), of(*B), of("evil", "6.6.6")], "extra .yarn/cache/evil.zip"),
    "an archive that is not there": ([of(*A), of(*B), of("gone", "1.0.0")], "cannot be read"),
    "a folder out of the tree": ([listed("a", "1.0.0", "../../a/node_modules/a/"), of(*B)], "leaves the tree"),
    "an absolute folder": ([listed("a", "1.0.0", "/srv/a/node_modules/a/"), of(*B)], "leaves the tree"),
    "a folder of the project": ([listed("a", "1.0.0", "./src/"), of(*B)], "leaves the tree, or leads nowhere"),
    "own code that is no workspace": (
        [of(*A), of(*B), listed("evil", "0", "./src/", "SOFT")], "which is not what evil is here"
    ),
    "own code out of the tree": ([of(*A), of(*B), listed("web", "0", "../web/", "SOFT")], "leaves the tree"),
    "one is missing": ([of(*A)], "@s/b 2.0.0 is in the lockfile, and not there"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_hold(tmp_path: Path, case: str) -> None:
    """P13"""
    entries, why = BAD[case]
    for name, version in (A, B, ("evil", "6.6.6")):
        put(tmp_path, name, version)
    write(tmp_path, *entries)
    found = look(tmp_path)
    assert not found.holds
    assert why in said(found)


def test_an_archive_with_other_bytes(tmp_path: Path) -> None:
    """P10: by yarn.lock's checksum, whatever its package.json says."""
    put(tmp_path, *A, code=b"steal()")
    put(tmp_path, *B)
    write(tmp_path, of(*A), of(*B))
    assert "changed against its tarball: (the archive)" in said(look(tmp_path))


UNREADABLE: dict[str, str] = {
    "no list": "run();",
    "of yarn 2": "function $$SETUP_STATE(hydrateRuntimeState) { return hydrateRuntimeState({}) }",
    "not JSON": "const RAW_RUNTIME_STATE =\n'{';\n",
    "another shape": "const RAW_RUNTIME_STATE =\n'[]';\n",
    "no location": 'const RAW_RUNTIME_STATE =\n\'{"packageRegistryData":[["a",[["npm:1",{}]]]]}\';\n',
    "two lists": "const RAW_RUNTIME_STATE =\n'{}';\nconst RAW_RUNTIME_STATE =\n'{}';\n",
    "without an end": "const RAW_RUNTIME_STATE =\n'" + "\\\n" * 50_000,
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_P1_what_cannot_be_read_is_an_error(tmp_path: Path, case: str) -> None:
    (tmp_path / ".pnp.cjs").write_text(UNREADABLE[case])
    with pytest.raises(InputError):
        look(tmp_path)


@pytest.mark.parametrize(("name", "limit"), [("MAX_BYTES", 10), ("MAX_PACKAGES", 1)])
def test_P9_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int) -> None:
    put(tmp_path, *A)
    write(tmp_path, of(*A))
    monkeypatch.setattr(_pnp, name, limit)
    with pytest.raises(InputError):
        look(tmp_path)
