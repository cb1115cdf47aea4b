"""Installed trees: what each layout comes to, and what hostile ones do not do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbomgate import link
from sbomgate.errors import InputError
from sbomgate.installed import Tarballs, _survey, read_folder
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind, Lockfile, ManagerSettings, Package
from sbomgate.model.graph import Hash
from sbomgate.model.link import INSTALLED, Inventory, TreeLink
from testkit import npm_cache, tarballs, trees

NONE = Tarballs()


def package(
    name: str, version: str = "1.0.0", *, place: str | None = None, data: bytes | None = None, **more: Any
) -> Package:
    tarball = tarballs.package(name, version) if data is None else data
    hashes = (Hash(algorithm="sha512", hex=tarballs.sha512(tarball)),)
    return Package(
        **{
            "id": place or f"node_modules/{name}",
            "name": name,
            "version": version,
            "kind": Kind.REGISTRY,
            "hashes": hashes,
            **more,
        }
    )


def graph(
    *packages: Package, kind: str = "npm", edges: tuple[Edge, ...] = (), workspace: str | None = None
) -> DependencyGraph:
    root = Package(id="", name="shop", version="1.0.0", kind=Kind.ROOT)
    return DependencyGraph(
        lockfile=Lockfile(path="lock", kind=kind, version="3", sha256="0" * 64, size=1),
        manager=ManagerSettings(name=kind, registry="https://registry.npmjs.org/", scopes={}, settings={}, files={}),
        packages=tuple(sorted((root, *packages), key=lambda p: p.id)),
        edges=edges,
        findings=(),
        workspace=workspace,
    )


def compared(
    root: Path, held: DependencyGraph, *, cache: Path | None = None, whole: DependencyGraph | None = None, **more: Any
) -> tuple[TreeLink, Inventory]:
    placed = link.is_placed(held, INSTALLED)
    known = link.expected((whole or held).packages, placed=placed)
    found = read_folder(
        root, known, tarballs=Tarballs(npm_cache=cache), elsewhere=link.elsewhere(whole or held, held), **more
    )
    assert link.loads(link.dumps(found), "inventory") == found
    return link.compare(held, found), found


def put(root: Path, *packages: Package, place: str | None = None) -> None:
    for one in packages:
        trees.install(root, place or one.id, tarballs.package(one.name, one.version or ""))


def codes(found: TreeLink) -> dict[str, int]:
    return dict(found.counts)


def messages(found: TreeLink) -> str:
    return "\n".join(f"{p.code} {p.place}: {p.message}" for p in found.problems)


A, B = package("a"), package("b", "2.0.0")


def test_npm_by_place(tmp_path: Path) -> None:
    """The same two versions under each other's place are altered: npm says where each lies."""
    put(tmp_path, A, B)
    found, _ = compared(tmp_path, graph(A, B))
    assert (found.holds, found.packages, found.bytes, codes(found)) == (True, 2, 0, {})
    put(tmp_path, B, place="node_modules/a")
    found, _ = compared(tmp_path, graph(A, B))
    assert codes(found) == {"altered": 1}
    assert "b 2.0.0 lies there, the lockfile says a 1.0.0" in messages(found)


def test_npm_nested_and_scoped(tmp_path: Path) -> None:
    nested = package("@s/b", "1.0.0", place="node_modules/a/node_modules/@s/b")
    put(tmp_path, A, nested)
    assert compared(tmp_path, graph(A, nested))[0].packages == 2
    assert codes(compared(tmp_path, graph(A))[0]) == {"extra": 1}


def test_the_folder_node_modules_itself(tmp_path: Path) -> None:
    put(tmp_path, A)
    assert compared(tmp_path / "node_modules", graph(A))[0].holds


ABSENT: dict[str, tuple[Package, bool]] = {
    "optional": (package("x", optional=True), True),
    "for another platform": (package("x", os=("win32",)), True),
    "for another C library": (package("x", libc=("musl",)), True),
    "for development, and nothing of that is installed": (package("x", dev=True), True),
    "a peer, and none is installed": (package("x", peer=True), True),
    "nothing leads to it": (package("x", reachable=False), True),
    "needed": (package("x"), False),
    "bundled": (package("x", place="node_modules/a/node_modules/x", kind=Kind.BUNDLED), False),
}


@pytest.mark.parametrize("case", ABSENT)
@pytest.mark.parametrize("kind", ["npm", "pnpm"])
def test_what_need_not_be_there(tmp_path: Path, case: str, kind: str) -> None:
    absent, fine = ABSENT[case]
    put(tmp_path, A)
    found, _ = compared(tmp_path, graph(A, absent, kind=kind))
    assert (found.holds, found.absent) == (fine, int(fine))
    assert codes(found) == ({} if fine else {"missing": 1})


def test_of_development_all_is_there_or_nothing(tmp_path: Path) -> None:
    one, two = package("d1", dev=True), package("d2", dev=True)
    put(tmp_path, A, one)
    assert "d2 1.0.0 is in the lockfile" in messages(compared(tmp_path, graph(A, one, two))[0])


def test_another_workspaces_packages_are_no_strangers(tmp_path: Path) -> None:
    whole = graph(A, B)
    put(tmp_path, A, B)
    found, inventory = compared(tmp_path, graph(A, workspace="web"), whole=whole)
    assert (found.holds, found.packages, found.elsewhere) == (True, 1, 1)
    assert [one.name for one in inventory.elsewhere] == ["b"]
    put(tmp_path, package("c"))
    assert codes(compared(tmp_path, graph(A, workspace="web"), whole=whole)[0]) == {"extra": 1}


# --------------------------------------------------------------------------------------------------------------------
# pnpm's store, and links


def pnpm(root: Path) -> DependencyGraph:
    """a depends on b, under the name of an alias; the project on a."""
    put(root, A, place="node_modules/.pnpm/a@1.0.0/node_modules/a")
    put(root, B, place="node_modules/.pnpm/b@2.0.0/node_modules/b")
    (root / "node_modules/a").symlink_to(".pnpm/a@1.0.0/node_modules/a")
    (root / "node_modules/.pnpm/a@1.0.0/node_modules/bee").symlink_to("../../b@2.0.0/node_modules/b")
    (root / "node_modules/.modules.yaml").write_text("{}")
    (root / "node_modules/.pnpm/lock.yaml").write_text("")
    edges = (
        Edge(source="", target="a@1.0.0", name="a", kind=EdgeKind.PROD, range="1.0.0"),
        Edge(source="a@1.0.0", target="b@2.0.0", name="bee", kind=EdgeKind.PROD, range="npm:b@2.0.0"),
    )
    return graph(package("a", place="a@1.0.0"), package("b", "2.0.0", place="b@2.0.0"), kind="pnpm", edges=edges)


def test_pnpms_store(tmp_path: Path) -> None:
    found, inventory = compared(tmp_path, pnpm(tmp_path))
    assert (found.holds, found.packages, codes(found), inventory.layouts) == (True, 2, {}, ("store",))


def relink(root: Path, place: str, target: str) -> None:
    path = root / place
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


LINKS: dict[str, tuple[str, str]] = {
    "to another package of the lockfile": ("node_modules/a", ".pnpm/b@2.0.0/node_modules/b"),
    "under a name that nothing has": ("node_modules/evil", ".pnpm/b@2.0.0/node_modules/b"),
    "out of the tree": ("node_modules/a", "../../elsewhere"),
    "absolute": ("node_modules/a", "/etc"),
    "to nothing": ("node_modules/a", ".pnpm/none/node_modules/none"),
    "to itself": ("node_modules/a", "a"),
    "to a folder above": ("node_modules/a", ".."),
    "to the project's own code under a foreign name": ("node_modules/evil", "../src"),
    "of a scope": ("node_modules/@evil", ".pnpm/b@2.0.0/node_modules"),
    "a command in no package": ("node_modules/.bin/x", "../.pnpm/x.js"),
    "a command out of the tree": ("node_modules/.bin/x", "../../../x.js"),
    "node_modules itself": ("web/node_modules", "/etc"),
}


@pytest.mark.parametrize("case", LINKS)
def test_links_that_lead_elsewhere(tmp_path: Path, case: str) -> None:
    held = pnpm(tmp_path)
    relink(tmp_path, *LINKS[case])
    found, _ = compared(tmp_path, held, folders=("", "web"))
    assert not found.holds
    assert codes(found)["link-elsewhere"] >= 1
    assert LINKS[case][0] in messages(found)


def test_links_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    """P9"""
    held = pnpm(tmp_path)
    for name in ("x", "y"):
        (tmp_path / "node_modules" / ".pnpm" / "a@1.0.0" / "node_modules" / "a" / name).symlink_to(tmp_path)
    found, _ = compared(tmp_path, held)
    assert found.holds  # names and versions only: no tarball says that the package has no links


def test_a_workspace_is_linked_by_its_own_name(tmp_path: Path) -> None:
    put(tmp_path, A)
    web = Package(id="packages/web", name="@shop/web", version="1.0.0", kind=Kind.WORKSPACE)
    relink(tmp_path, "node_modules/@shop/web", "../../packages/web")
    assert compared(tmp_path, graph(A, web))[0].holds
    assert not compared(tmp_path, graph(A))[0].holds


def test_the_folders_name_counts_where_the_lockfile_says_no_place(tmp_path: Path) -> None:
    """Two packages of the lockfile, one in the other's folder: `require` finds another than was meant."""
    put(tmp_path, B, place="node_modules/a")
    held = graph(package("a", place="a@1"), package("b", "2.0.0", place="b@2"), kind="yarn")
    found, _ = compared(tmp_path, held)
    assert "nothing depends on it as a" in messages(found)
    assert codes(found) == {"altered": 1, "missing": 1}


# --------------------------------------------------------------------------------------------------------------------
# Bytes


def scripted(root: Path, cache: Path, script: bool) -> DependencyGraph:
    data = tarballs.package("a", "1.0.0", scripts={"postinstall": "node x"} if script else None)
    npm_cache.put(cache, data)
    trees.install(root, "node_modules/a", data)
    return graph(package("a", data=data))


@pytest.mark.parametrize(
    ("script", "name", "expected", "holds"),
    [
        (False, "build/out.node", "altered", False),
        (False, "index.js", "altered", False),
        (True, "build/out.node", "script-made", True),
        (True, "index.js", "script-changed", False),
    ],
)
def test_what_install_scripts_make(tmp_path: Path, script: bool, name: str, expected: str, holds: bool) -> None:
    held = scripted(tmp_path / "p", tmp_path / "c", script)
    path = tmp_path / "p" / "node_modules" / "a" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("made")
    found, _ = compared(tmp_path / "p", held, cache=tmp_path / "c")
    assert (codes(found), found.holds) == ({expected: 1}, holds)
    assert name in messages(found)


def test_a_damaged_cache_proves_nothing(tmp_path: Path) -> None:
    """P26: bytes count by their digest alone."""
    held = scripted(tmp_path / "p", tmp_path / "c", False)
    (sha512,) = (p.sha512 for p in held.packages if p.sha512)
    npm_cache.put(tmp_path / "c", tarballs.package("a", "1.0.0", files={"index.js": b"steal()"}), sha512)
    found, _ = compared(tmp_path / "p", held, cache=tmp_path / "c")
    assert (found.packages, found.bytes) == (1, 0)


def test_what_npm_itself_changes(tmp_path: Path) -> None:
    """npm renames .gitignore, and gives commands a first line that the system can run."""
    files = {".gitignore": b"x\n", "cli.js": b"#!/usr/bin/env node\r\nrun()\r\n"}
    data = tarballs.package("a", "1.0.0", files=files)
    npm_cache.put(tmp_path / "c", data)
    folder = trees.install(tmp_path / "p", "node_modules/a", data)
    (folder / ".gitignore").rename(folder / ".npmignore")
    (folder / "cli.js").write_bytes(b"#!/usr/bin/env node\nrun()\r\n")
    found, _ = compared(tmp_path / "p", graph(package("a", data=data)), cache=tmp_path / "c")
    assert (found.bytes, codes(found)) == (1, {})
    (folder / ".npmignore").write_bytes(b"steal()")
    found, _ = compared(tmp_path / "p", graph(package("a", data=data)), cache=tmp_path / "c")
    assert codes(found) == {"altered": 1}


def test_bundled_packages_are_compared_with_the_tarball_around_them(tmp_path: Path) -> None:
    inner = trees.files_of("node_modules/in", tarballs.package("in", "3.0.0"))
    data = tarballs.package("a", "1.0.0", files=inner, manifest={"bundleDependencies": ["in"]})
    npm_cache.put(tmp_path / "c", data)
    trees.install(tmp_path / "p", "node_modules/a", data)
    outer = package("a", data=data)
    listed = package(
        "in", "3.0.0", place="node_modules/a/node_modules/in", kind=Kind.BUNDLED, bundled_in="node_modules/a"
    )
    found, _ = compared(tmp_path / "p", graph(outer, listed), cache=tmp_path / "c")
    assert (found.packages, found.bytes, codes(found)) == (2, 2, {})
    found, _ = compared(tmp_path / "p", graph(outer), cache=tmp_path / "c")
    assert (found.packages, found.bundled, codes(found)) == (1, 1, {})
    found, _ = compared(tmp_path / "p", graph(outer))  # nothing says that it is in the tarball but package.json
    assert codes(found) == {"bundled-unlisted": 1}
    (tmp_path / "p/node_modules/a/node_modules/in/index.js").write_text("steal()")
    found, _ = compared(tmp_path / "p", graph(outer), cache=tmp_path / "c")
    assert codes(found) == {"altered": 1}


def test_a_link_inside_a_package_is_altered(tmp_path: Path) -> None:
    held = scripted(tmp_path / "p", tmp_path / "c", False)
    (tmp_path / "p/node_modules/a/more.js").symlink_to("/etc/passwd")
    assert "more.js (a link)" in messages(compared(tmp_path / "p", held, cache=tmp_path / "c")[0])


# --------------------------------------------------------------------------------------------------------------------
# Hostile trees


def write(path: str, data: bytes) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)

    return change


def unnamed(root: Path) -> None:
    path = os.fsencode(root) + b"/node_modules/\xff"
    os.mkdir(path)  # noqa: PTH102
    with open(path + b"/index.js", "wb") as file:  # noqa: PTH123
        file.write(b"1")


def pipe(root: Path) -> None:
    os.mkfifo(root / "node_modules" / "a" / "pipe")


HOSTILE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no package.json": (lambda r: (r / "node_modules/a/package.json").unlink(), "altered", "is missing"),
    "package.json without an end": (write("node_modules/a/package.json", b'{"name"'), "altered", "is not JSON"),
    "package.json too deep": (write("node_modules/a/package.json", b"[" * 100_000), "altered", "is not JSON"),
    "package.json of a list": (write("node_modules/a/package.json", b"[]"), "altered", "is not an object"),
    "package.json in another encoding": (
        write("node_modules/a/package.json", '{"name":"a"}'.encode("utf-16")), "altered", "is not JSON"
    ),
    "package.json is a link": (
        lambda r: relink(r, "node_modules/a/package.json", "index.js"), "altered", "is a link"
    ),
    "a name that is no text": (write("node_modules/a/package.json", b'{"name":[]}'), "altered", "(no name)"),
    "a folder without a package": (write("node_modules/evil/index.js", b"1"), "extra", "node_modules/evil"),
    "a loose file": (write("node_modules/evil.js", b"1"), "extra", "node_modules/evil.js"),
    "a loose file in a scope": (write("node_modules/@s/evil.js", b"1"), "extra", "node_modules/@s/evil.js"),
    "a hidden folder": (write("node_modules/.prisma/client/index.js", b"1"), "entry", "node_modules/.prisma"),
    "a file in the store": (write("node_modules/.pnpm/x/index.js", b"1"), "entry", "node_modules/.pnpm/x"),
    "a book in another folder": (write("node_modules/.x/.package-lock.json", b"1"), "entry", "node_modules/.x"),
    "a command that is no link": (write("node_modules/.bin/x", b"#!/bin/sh"), "entry", "node_modules/.bin/x"),
    "a name that is no UTF-8": (unnamed, "extra", r"node_modules/\xff"),
    "a named pipe": (pipe, "special", "node_modules/a/pipe"),
    "a tree where none belongs": (write("src/node_modules/e/index.js", b"1"), "stray", "src/node_modules"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_trees(tmp_path: Path, case: str) -> None:
    change, code, said = HOSTILE[case]
    put(tmp_path, A)
    change(tmp_path)
    found, _ = compared(tmp_path, graph(A))
    assert codes(found) == {code: 1}
    assert said in messages(found)


def test_commands_as_windows_has_them(tmp_path: Path) -> None:
    put(tmp_path, A)
    for name in ("x", "x.cmd", "x.ps1"):
        write(f"node_modules/.bin/{name}", b"run")(tmp_path)
    assert codes(compared(tmp_path, graph(A))[0]) == {"shim": 3}


def test_a_patched_package_is_not_its_tarball(tmp_path: Path) -> None:
    npm_cache.put(tmp_path / "c", tarballs.package("a", "1.0.0"))
    put(tmp_path / "p", A)
    (tmp_path / "p/node_modules/a/index.js").write_text("patched")
    patched = package("a", place="a@1.0.0(patch_hash=x)")
    found, _ = compared(tmp_path / "p", graph(patched, kind="pnpm"), cache=tmp_path / "c")
    assert (found.holds, found.packages, found.bytes) == (True, 1, 0)


def test_nothing_to_install_is_nothing_to_find(tmp_path: Path) -> None:
    assert compared(tmp_path, graph())[0].holds


def test_books_and_folders_of_their_own_are_no_entries(tmp_path: Path) -> None:
    put(tmp_path, A)
    for name in (".package-lock.json", ".yarn-integrity", ".yarn-state.yml", ".modules.yaml"):
        write(f"node_modules/{name}", b"")(tmp_path)
    relink(tmp_path, "node_modules/.bin/a", "../a/index.js")
    write(".git/node_modules/x/index.js", b"1")(tmp_path)
    assert codes(compared(tmp_path, graph(A))[0]) == {}


@pytest.mark.parametrize(("name", "limit"), [("MAX_ENTRIES", 1), ("MAX_PATH", 20), ("MAX_PARTS", 2)])
def test_P9_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int) -> None:
    put(tmp_path, A)
    monkeypatch.setattr(_survey, name, limit)
    with pytest.raises(InputError, match=r"more than"):
        compared(tmp_path, graph(A))


@pytest.mark.parametrize("where", ["empty", "absent"])
def test_nothing_there_is_an_error(tmp_path: Path, where: str) -> None:
    """P3"""
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        compared(tmp_path / where, graph(A))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write and read everywhere, POSIX only")
def test_P1_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    put(tmp_path, A)
    (tmp_path / "node_modules" / "a").chmod(0)
    with pytest.raises(InputError, match="permission"):
        compared(tmp_path, graph(A))


def test_many_problems_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    put(tmp_path, A, *(package(f"evil{n:03}") for n in range(link.MAX_SHOWN + 5)))
    found, _ = compared(tmp_path, graph(A))
    assert (codes(found), len(found.problems)) == ({"extra": link.MAX_SHOWN + 5}, link.MAX_SHOWN)
