"""Folders of packages that are part of the repository: what nobody compares with the lockfile."""

from __future__ import annotations

import json

import pytest

from sbomgate import lockfiles
from sbomgate.model import DependencyGraph
from sbomgate.project import MemoryFiles

NPM = {
    "package.json": json.dumps({"name": "shop", "workspaces": ["packages/*"], "dependencies": {"lib": "file:lib"}}),
    "packages/a/package.json": json.dumps({"name": "a", "version": "1.0.0"}),
    "lib/package.json": json.dumps({"name": "lib", "version": "1.0.0"}),
    "package-lock.json": json.dumps(
        {
            "lockfileVersion": 3,
            "packages": {
                "": {"name": "shop", "workspaces": ["packages/*"], "dependencies": {"lib": "file:lib"}},
                "lib": {"version": "1.0.0"},
                "node_modules/a": {"resolved": "packages/a", "link": True},
                "node_modules/lib": {"resolved": "lib", "link": True},
                "packages/a": {"version": "1.0.0"},
            },
        }
    ),
}
BERRY = {
    "package.json": json.dumps({"name": "shop"}),
    "yarn.lock": '__metadata:\n  version: 8\n\n"shop@workspace:.":\n  version: 0.0.0-use.local\n'
    '  resolution: "shop@workspace:."\n  languageName: unknown\n  linkType: soft\n',
}
CLASSIC = {"package.json": json.dumps({"name": "shop"}), "yarn.lock": "# yarn lockfile v1\n\n\n"}
BUN = {
    "package.json": json.dumps({"name": "shop"}),
    "bun.lock": json.dumps({"lockfileVersion": 1, "workspaces": {"": {"name": "shop"}}, "packages": {}}),
}


def read(files: dict[str, str]) -> DependencyGraph:
    return lockfiles.read(MemoryFiles({path: text.encode() for path, text in files.items()}))


FOLDERS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "workspaces and links": (NPM, ("lib/node_modules", "node_modules", "packages/a/node_modules")),
    "yarn 2 and later": (BERRY, (".yarn/cache", ".yarn/unplugged", "node_modules")),
    "another cache": (
        BERRY | {".yarnrc.yml": "cacheFolder: ./vendor/zips\n"},
        (".yarn/unplugged", "node_modules", "vendor/zips"),
    ),
    "a cache of the machine": (
        BERRY | {".yarnrc.yml": "cacheFolder: /var/cache/yarn\n"},
        (".yarn/unplugged", "node_modules"),
    ),
    "the cache of yarn 1": (
        CLASSIC | {".yarnrc": 'cache-folder "./cache"\n'},
        ("cache", "node_modules"),
    ),
    "the cache of bun": (
        BUN | {"bunfig.toml": '[install.cache]\ndir = "./cache"\n'},
        ("cache", "node_modules"),
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(name: str) -> None:
    files, expected = FOLDERS[name]
    assert lockfiles.unjudged_folders(read(files)) == expected


def test_a_finding_and_a_setting_for_each() -> None:
    """Other files are another setting, so that `default` denies them until somebody approved them."""
    graph = read(BUN)
    assert lockfiles.note_committed(graph, {}) == graph
    one, two = (lockfiles.note_committed(graph, {"node_modules": digest}) for digest in ("aa", "bb"))
    assert [(f.rule, f.code, f.place) for f in one.findings] == [
        ("lockfile_sound", "packages-in-repository", "node_modules")
    ]
    assert one.manager.settings == {"committed:node_modules": "sha256:aa"}
    assert one.manager.settings != two.manager.settings


def test_archives_change_with_every_update_and_are_no_setting() -> None:
    graph = lockfiles.note_committed(read(BERRY), {".yarn/cache": "aa", ".yarn/unplugged": "bb"})
    assert {f.code: f.place for f in graph.findings if f.code.endswith("-in-repository")} == {
        "archives-in-repository": ".yarn/cache",
        "packages-in-repository": ".yarn/unplugged",
    }
    assert graph.manager.settings == {"committed:.yarn/unplugged": "sha256:bb"}
