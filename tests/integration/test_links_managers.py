"""Trees as the real package managers install them, from a registry on loopback: what each comes to, and one altered."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import MANAGERS
from sbomgate import installed, link, lockfiles
from sbomgate.model.link import INSTALLED, Inventory, TreeLink
from sbomgate.project import DiskFiles
from testkit import tarballs
from testkit.registry import Simulator

pytestmark = pytest.mark.managers

CLI = b"#!/usr/bin/env node\r\nrun()\r\n"
INNER = {"node_modules/in/package.json": b'{"name":"in","version":"3.0.0"}', "node_modules/in/index.js": b"1"}
PACKAGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("plain", "1.0.0", {}),
    ("plain", "2.0.0", {}),
    ("@scope/scoped", "1.0.0", {"manifest": {"dependencies": {"plain": "1.0.0"}}}),
    (
        "cli",
        "1.0.0",
        {"manifest": {"bin": {"cli": "cli.js"}}, "files": {"cli.js": b"#!/usr/bin/env node\r\nrun()\r\n"}},
    ),
    ("ignores", "1.0.0", {"files": {".gitignore": b"x\n", ".hidden": b"1", "lib/node_modules/x/package.json": b"{}"}}),
    ("bundler", "1.0.0", {"files": INNER, "manifest": {"bundleDependencies": ["in"], "dependencies": {"in": "3.0.0"}}}),
    ("for-windows", "1.0.0", {"manifest": {"os": ["win32"]}}),
    ("tool", "1.0.0", {}),
)
MANIFEST = {
    "name": "shop",
    "version": "1.0.0",
    "private": True,
    "workspaces": ["packages/*"],
    "dependencies": {
        "plain": "2.0.0", "@scope/scoped": "1.0.0", "cli": "1.0.0", "ignores": "1.0.0", "bundler": "1.0.0",
        "other-name": "npm:plain@1.0.0",
    },
    "optionalDependencies": {"for-windows": "1.0.0"},
    "devDependencies": {"tool": "1.0.0"},
}  # fmt: skip


@pytest.fixture(scope="module")
def registry() -> Iterator[Simulator]:
    with Simulator() as simulator:
        for name, version, more in PACKAGES:
            manifest = more.get("manifest", {})
            simulator.publish(name, version, tarballs.package(name, version, **more), manifest=manifest)
        simulator.publish("in", "3.0.0")
        yield simulator


def program(name: str, entry: str) -> list[str]:
    return ["node", str(MANAGERS / name / entry)]


INSTALL: dict[str, tuple[list[str], dict[str, str]]] = {
    "npm": ([*program("npm", "bin/npm-cli.js"), "install", "--ignore-scripts", "--no-audit", "--no-fund"], {}),
    "npm linked": (
        [*program("npm", "bin/npm-cli.js"), "install", "--ignore-scripts", "--no-audit", "--install-strategy=linked"],
        {},
    ),
    "pnpm": (
        [*program("pnpm", "bin/pnpm.mjs"), "install", "--ignore-scripts"],
        {"pnpm-workspace.yaml": "packages:\n  - packages/*\nenableGlobalVirtualStore: false\nminimumReleaseAge: 0\n"},
    ),
    "yarn 1": ([*program("yarn", "bin/yarn.js"), "install", "--ignore-scripts", "--non-interactive"], {}),
    "yarn 4": (
        [*program("@yarnpkg/cli-dist", "bin/yarn.js"), "install"],
        {"yarn.lock": "", ".yarnrc.yml": "nodeLinker: node-modules"},
    ),
    "yarn 4 PnP": (
        [*program("@yarnpkg/cli-dist", "bin/yarn.js"), "install"], {"yarn.lock": "", ".yarnrc.yml": "nodeLinker: pnp"}
    ),
    "yarn 4 PnP in two files": (
        [*program("@yarnpkg/cli-dist", "bin/yarn.js"), "install"],
        {"yarn.lock": "", ".yarnrc.yml": "nodeLinker: pnp\npnpEnableInlining: false"},
    ),
}  # fmt: skip


def install(folder: Path, registry: Simulator, name: str) -> Path:
    """Install the project with a real package manager that sees no other registry, and return its folder."""
    command, files = INSTALL[name]
    root = folder / "shop"
    (root / "packages" / "web").mkdir(parents=True)
    (root / "package.json").write_text(json.dumps(MANIFEST))
    web = {"name": "@shop/web", "version": "1.0.0", "dependencies": {"plain": "1.0.0"}}
    (root / "packages" / "web" / "package.json").write_text(json.dumps(web))
    (root / ".npmrc").write_text(f"registry={registry.url}\n")
    for path, content in files.items():
        text = content
        if path == ".yarnrc.yml":
            text += (
                f"\nnpmRegistryServer: {registry.url}\nunsafeHttpWhitelist: [127.0.0.1]\nenableScripts: false\n"
                "enableTelemetry: false\nenableGlobalCache: false\nnpmMinimalAgeGate: 0\n"
            )
        (root / path).write_text(text)
    done = subprocess.run(
        command, cwd=root, env=environment(folder, registry), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return root


def environment(folder: Path, registry: Simulator) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "npm_config_cache": str(folder / ".npm"),
        "npm_config_registry": registry.url,
        "npm_config_update_notifier": "false",
        "YARN_CACHE_FOLDER": str(folder / "yarn-cache"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "XDG_DATA_HOME": str(folder / ".data"),
        "XDG_STATE_HOME": str(folder / ".state"),
        "CI": "1",
        "YARN_ENABLE_IMMUTABLE_INSTALLS": "false",
        "npm_config_frozen_lockfile": "false",
    }


def look(root: Path) -> tuple[TreeLink, Inventory]:
    files = DiskFiles(root)
    graph = lockfiles.read(files)
    known = link.expected(
        graph.packages, placed=link.is_placed(graph, INSTALLED), archives=lockfiles.checksums(files, graph)
    )
    folders = ["" if one.path == "." else one.path for one in lockfiles.workspaces(graph)]
    home = root.parent
    caches = installed.Tarballs(
        npm_cache=home / ".npm",
        yarn_cache=home / "yarn-cache",
        zips=[root / ".yarn" / "cache", home / "yarn-cache"],
    )
    found = installed.read_folder(root, known, tarballs=caches, folders=folders)
    return link.compare(graph, found), found


def explain(found: TreeLink) -> str:
    return "\n".join(f"{p.code} {p.place}: {p.message}" for p in found.problems)


EXPECTED: dict[str, tuple[set[str], bool]] = {
    "npm": (set(), True),
    "npm linked": (set(), True),
    "pnpm": ({"shim", "bundled-unlisted"}, False),
    "yarn 1": (set(), True),
    "yarn 4": (set(), True),
    "yarn 4 PnP": ({"loader"}, True),
    "yarn 4 PnP in two files": ({"loader"}, True),
}
"""Codes that an honest tree has, and whether this manager keeps tarballs to compare with."""


def evil(root: Path) -> None:
    folder = root / "node_modules" / "evil"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name":"evil","version":"1.0.0"}')


def altered(root: Path) -> None:
    """Change a file of `cli`, wherever this manager keeps it."""
    archives = sorted((root / ".yarn" / "cache").glob("cli-npm-*.zip")) or sorted(
        (root.parent / "yarn-cache").glob("cli-npm-*.zip")
    )
    found = sorted(root.glob("node_modules/cli/cli.js")) or sorted(
        root.glob("node_modules/.*/*/node_modules/cli/cli.js")
    )
    if found:
        found[0].unlink()  # it may be a hard link into the manager's store
        found[0].write_text("steal()")
    else:
        archives[0].write_bytes(archives[0].read_bytes() + b"x")


@pytest.mark.parametrize("name", INSTALL)
def test_a_real_tree(tmp_path: Path, registry: Simulator, name: str) -> None:
    """P13: honest trees hold, byte for byte where the manager keeps what to compare with; a changed one does not."""
    root = install(tmp_path, registry, name)
    codes, has_bytes = EXPECTED[name]
    found, inventory = look(root)
    assert set(dict(found.counts)) == codes, explain(found)
    assert found.holds
    assert found.packages >= 7
    assert found.absent >= 1  # for-windows
    assert found.bytes == (found.packages if has_bytes else 0)
    changes: list[tuple[Callable[[Path], None], str]] = [(evil, "extra")]
    if has_bytes:
        changes.append((altered, "altered"))
    for change, code in changes:
        change(root)
        after, _ = look(root)
        assert (after.holds, code in dict(after.counts)) == (False, True), explain(after)
    assert any(one.name == "@scope/scoped" for one in inventory.packages)
