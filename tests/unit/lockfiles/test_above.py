"""Files above the project in its repository: a workspace root there, and settings of yarn's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbomgate import lockfiles
from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph
from sbomgate.project import DiskFiles, path_in_repository

OWN = {"name": "app", "version": "1.0.0"}
LOCKS = {
    "npm": (
        "package-lock.json",
        json.dumps({"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": OWN}}),
    ),
    "pnpm": ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n"),
    "yarn": ("yarn.lock", "# yarn lockfile v1\n\n\n"),
    "berry": (
        "yarn.lock",
        '__metadata:\n  version: 8\n\n"app@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "app@workspace:."\n'
        "  languageName: unknown\n  linkType: soft\n",
    ),
    "bun": (
        "bun.lock",
        json.dumps({"lockfileVersion": 1, "workspaces": {"": {"name": "app"}}, "packages": {}}),
    ),
}


def read(
    root: Path, manager: str, above: dict[str, str], manifest: dict[str, Any] | None = None, folder: str = "apps/app"
) -> DependencyGraph:
    """Read the project in a folder of a repository with these files."""
    (root / ".git").mkdir()
    project = root / folder
    project.mkdir(parents=True, exist_ok=True)
    (project / "package.json").write_text(json.dumps({**OWN, **(manifest or {})}))
    name, text = LOCKS[manager]
    (project / name).write_text(text)
    for path, content in above.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return lockfiles.read(DiskFiles(project))


def found(graph: DependencyGraph) -> set[tuple[str, str]]:
    return {(f.code, f.place) for f in graph.findings if f.code != "no-integrity-format"}


def workspaces(*patterns: str) -> dict[str, str]:
    return {"package.json": json.dumps({"private": True, "workspaces": list(patterns)})}


ROOTS: dict[str, tuple[str, dict[str, str], set[tuple[str, str]]]] = {
    "npm": ("npm", workspaces("apps/*"), {("workspace-above", "../../package.json")}),
    "npm, an object": (
        "npm",
        {"package.json": json.dumps({"workspaces": {"packages": ["apps/**"]}})},
        {("workspace-above", "../../package.json")},
    ),
    "npm, between": (
        "npm",
        {"apps/package.json": json.dumps({"workspaces": ["./app"]})},
        {("workspace-above", "../package.json")},
    ),
    "npm, beyond one that does not name it": (
        "npm",
        {"apps/package.json": json.dumps({"workspaces": ["other"]}), **workspaces("apps/app")},
        {("workspace-above", "../../package.json")},
    ),
    "npm, another folder": ("npm", workspaces("packages/*"), set()),
    "npm, taken out": ("npm", workspaces("apps/*", "!apps/app"), set()),
    "bun": ("bun", workspaces("apps/*"), {("workspace-above", "../../package.json")}),
    "yarn 1": ("yarn", workspaces("apps/*"), {("workspace-above", "../../package.json")}),
    "yarn 1 stops at the first with workspaces": (
        "yarn",
        {"apps/package.json": json.dumps({"workspaces": ["other"]}), **workspaces("apps/app")},
        set(),
    ),
    "yarn 2 and later take the nearest yarn.lock": ("berry", workspaces("apps/*"), set()),
    "pnpm": (
        "pnpm",
        {"pnpm-workspace.yaml": "packages:\n  - apps/*\n"},
        {("workspace-above", "../../pnpm-workspace.yaml")},
    ),
    "pnpm, whatever it names": (
        "pnpm",
        {"pnpm-workspace.yaml": "packages:\n  - others/*\n"},
        {("workspace-above", "../../pnpm-workspace.yaml")},
    ),
    "pnpm, empty": ("pnpm", {"pnpm-workspace.yaml": ""}, {("workspace-above", "../../pnpm-workspace.yaml")}),
    "pnpm with a lockfile for each": (
        "pnpm",
        {"pnpm-workspace.yaml": "packages:\n  - apps/*\nsharedWorkspaceLockfile: false\n"},
        {("pnpm-runs-code", "../../pnpm-workspace.yaml")},
    ),
    "pnpm with a lockfile for each, by .npmrc": (
        "pnpm",
        {"pnpm-workspace.yaml": "packages: [apps/*]\n", ".npmrc": "shared-workspace-lockfile=false\n"},
        {("pnpm-runs-code", "../../pnpm-workspace.yaml")},
    ),
    "pnpm with a workspace of its own": (
        "pnpm",
        {"pnpm-workspace.yaml": "packages: [apps/*]\n", "apps/app/pnpm-workspace.yaml": "packages: []\n"},
        set(),
    ),
}


@pytest.mark.parametrize("name", ROOTS)
def test_L32_a_workspace_root_above(name: str, tmp_path: Path) -> None:
    """The lockfile that is installed from lies there."""
    manager, above, expected = ROOTS[name]
    assert found(read(tmp_path, manager, above)) == expected


def test_a_workspace_above_is_a_setting(tmp_path: Path) -> None:
    """One that comes after the approved build is denied; one that was there before, and is not used, is told."""
    assert read(tmp_path, "npm", workspaces("apps/*")).manager.settings["workspace above"] == "../../package.json"


def test_nothing_above_the_repository_is_read(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(workspaces("*")["package.json"])
    inner = tmp_path / "inner"
    inner.mkdir()
    assert found(read(inner, "npm", {}, folder="")) == set()


def test_yarn_1_with_workspaces_of_its_own_is_the_root(tmp_path: Path) -> None:
    graph = read(tmp_path, "yarn", workspaces("apps/*"), {"private": True, "workspaces": ["parts/*"]})
    assert found(graph) == set()


def test_P1_a_package_json_above_without_one_meaning(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"package\.json"):
        read(tmp_path, "npm", {"package.json": '{"workspaces": [], "workspaces": ["apps/*"]}'})


def test_the_settings_of_a_pnpm_workspace_above_are_settings(tmp_path: Path) -> None:
    """Another hook file is another setting, so that it is denied until somebody approved it."""
    above = {"pnpm-workspace.yaml": "sharedWorkspaceLockfile: false\n", ".pnpmfile.cjs": "module.exports = {}"}
    settings = read(tmp_path, "pnpm", above).manager.settings
    assert {"../../pnpm-workspace.yaml sha256", "../../.pnpmfile.cjs sha256"} <= settings.keys()


def test_C02_yarn_obeys_the_files_above(tmp_path: Path) -> None:
    """`yarnPath` and `plugins` of any directory above, and `yarn-path` for yarn 1."""
    above = {
        ".yarnrc.yml": "plugins:\n  - path: ./evil.cjs\n",
        "evil.cjs": "",
        "apps/.yarnrc": 'yarn-path "./yarn.js"\n',
        "apps/yarn.js": "",
    }
    graph = read(tmp_path, "berry", above)
    assert found(graph) == {
        ("npmrc-runs-code", "../../.yarnrc.yml plugins ./evil.cjs"),
        ("npmrc-runs-code", "../.yarnrc line 1"),
    }
    assert {"../../evil.cjs sha256", "../yarn.js sha256"} <= graph.manager.settings.keys()
    assert path_in_repository(DiskFiles(tmp_path / "apps" / "app"), "../../evil.cjs") == "evil.cjs"


COREPACK: dict[str, tuple[dict[str, str], dict[str, Any], set[tuple[str, str]]]] = {
    "a URL": (
        {},
        {"packageManager": "yarn@https://evil.test/x.js+sha224.00"},
        {("npmrc-runs-code", "package.json packageManager"), ("package-manager", "package.json packageManager")},
    ),
    "variables": (
        {"apps/app/.corepack.env": "COREPACK_INTEGRITY_KEYS=0\n"},
        {"packageManager": "yarn@1.22.22+sha512.00"},
        {("npmrc-runs-code", ".corepack.env"), ("package-manager-hashed", "package.json packageManager")},
    ),
    "variables that nobody reads": ({"apps/app/.corepack.env": "COREPACK_INTEGRITY_KEYS=0\n"}, {}, set()),
    "variables of others": (
        {"apps/app/.corepack.env": "A=1\n"},
        {"packageManager": "yarn@1.22.22"},
        {("package-manager", "package.json packageManager")},
    ),
    "above": (
        {
            "package.json": '{"packageManager": "yarn@1.22.22"}',
            ".corepack.env": "COREPACK_NPM_REGISTRY=https://e.test\n",
        },
        {},
        {("npmrc-runs-code", "../../.corepack.env"), ("package-manager", "../../package.json packageManager")},
    ),
    "above, and its own": (
        {"package.json": '{"packageManager": "yarn@https://e.test/x.js"}'},
        {"packageManager": "yarn@1.22.22"},
        {("package-manager", "package.json packageManager")},
    ),
}


@pytest.mark.parametrize("manager", ["npm", "yarn"])
@pytest.mark.parametrize("name", COREPACK)
def test_C04_what_corepack_obeys(name: str, manager: str, tmp_path: Path) -> None:
    above, manifest, expected = COREPACK[name]
    graph = read(tmp_path, manager, above, manifest)
    assert found(graph) == expected
    assert bool(graph.manager.settings) == any(code == "npmrc-runs-code" for code, _ in expected)


def test_A20_the_nearest_registry_of_yarn_1_counts(tmp_path: Path) -> None:
    above = {".npmrc": "registry=https://a.test/\n@x:registry=https://x.test/\n", "apps/.npmrc": "loglevel=warn\n"}
    graph = read(tmp_path, "yarn", above)
    assert (graph.manager.registry, graph.manager.scopes) == ("https://a.test/", {"@x": "https://x.test/"})
    assert ("npmrc-registry", "../../.npmrc line 1") in found(graph)


def test_A20_npm_reads_no_npmrc_above(tmp_path: Path) -> None:
    graph = read(tmp_path, "npm", {".npmrc": "registry=https://a.test/\n"})
    assert found(graph) == set()
