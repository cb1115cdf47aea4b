"""What `fuzz/differential.py` found: package managers refuse it, or install something else; each is told (P1, P5)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sbomgate import lockfiles
from sbomgate.errors import InputError
from sbomgate.project import MemoryFiles
from testkit.differential import Files, added, fixture, json_file, text

LOCK = "package-lock.json"
NEW = added("packages/new/package.json", '{"name": "new", "version": "1.0.0"}')
PROJECTS = ("npm-1", "npm-2", "npm-3", "pnpm-9", "yarn-1", "berry-10", "bun-2")


def codes(name: str, files: Files) -> set[str]:
    settings = {"pnpm-workspace.yaml": b"packages:\n  - packages/*\n"} if name.startswith("pnpm") else {}
    return {finding.code for finding in lockfiles.read(MemoryFiles({**settings, **files})).findings}


def elsewhere(version: str, origin: str) -> Callable[[Files], Files]:
    entry = {"version": version, "from": origin}
    return json_file(LOCK, lambda lock: lock["dependencies"].update(leaf=entry))


def overrides(**rules: object) -> Callable[[Files], Files]:
    return json_file("package.json", lambda manifest: manifest.update(overrides=rules))


FOUND: dict[str, tuple[str, Callable[[Files], Files], set[str]]] = {
    "npm 1: `from` names other bytes": (
        "npm-1",
        elsewhere("1.0.0", "https://evil.test/e.tgz"),
        {"tarball-url", "source-undeclared", "missing-integrity"},
    ),
    "npm 1: `from` before a directory": (
        "npm-1",
        elsewhere("file:packages/met", "https://registry.npmjs.org/inner/-/inner-1.0.0.tgz"),
        {"missing-integrity", "resolved-name-differs", "version-invalid"},
    ),
    "npm 1: `from` is only what was asked for": (
        "npm-1",
        elsewhere("1.0.0", "leaf@^1.0.0"),
        {"missing-integrity", "resolved-missing"},
    ),
    "npm: an override against the declaration": (
        "npm-3",
        overrides(overridden="2.0.0"),
        {"override", "lock-drift"},
    ),
    "npm: an override that the lockfile does not follow": (
        "npm-3",
        overrides(**{"@al/ias": "npm:@fx/scoped@2.0.0"}),
        {"override", "range-unsatisfied"},
    ),
    "npm: an override of the declaration's own version": ("npm-3", overrides(leaf="$leaf"), {"override"}),
    "npm: an override below one package": ("npm-3", overrides(overridden={"leaf": "1.1.0"}), {"override"}),
    "npm: a link to another package": (
        "npm-3",
        json_file(
            LOCK,
            lambda lock: lock["packages"].update(
                {"node_modules/overridden": {"link": True, "resolved": "node_modules/leaf"}}
            ),
        ),
        {"link", "alias-undeclared"},
    ),
    "npm: a range that `acceptDependencies` widens": (
        "npm-3",
        json_file(
            LOCK,
            lambda lock: lock["packages"]["node_modules/alias-user"].update(
                dependencies={"inner-alias": "npm:leaf@9.0.0", "@al/ias": "npm:@fx/scoped@1.0.0"},
                acceptDependencies={"inner-alias": "npm:leaf@*"},
            ),
        ),
        set(),
    ),
    **{f"{name}: a workspace on disk alone": (name, NEW, {"lock-drift"}) for name in PROJECTS if name != "yarn-1"},
    "yarn 1: no address": (
        "yarn-1",
        text("yarn.lock", r'\n  resolved "[^"]*/needs-peer/[^"]*"', ""),
        {"source-missing"},
    ),
    "yarn 1: a range that its entry does not meet": (
        "yarn-1",
        text("yarn.lock", r'version "1\.1\.0"', 'version "2.5.0"'),
        {"lock-drift", "resolved-version-differs"},
    ),
    "yarn 1: a workspace that it ignores": (
        "yarn-1",
        text("packages/met/package.json", r'\n *"version": "1.0.0",', ""),
        {"unreachable-entry"},
    ),
    "yarn 4: a workspace that is none any more": (
        "berry-10",
        json_file("package.json", lambda manifest: manifest.update(workspaces=["packages/uses"])),
        {"lock-drift"},
    ),
    "bun: a workspace that is none any more": (
        "bun-2",
        json_file("package.json", lambda manifest: manifest.update(workspaces=["packages/uses"])),
        {"lock-drift"},
    ),
    "pnpm: a package without a snapshot": (
        "pnpm-9",
        text("pnpm-lock.yaml", r"\n  for-all@1\.0\.0: \{\}[^\n]*", ""),
        {"lock-drift", "unreachable-entry"},
    ),
    "pnpm: a package that says nothing": (
        "pnpm-9",
        text("pnpm-lock.yaml", r"\n    resolution: [^\n]*", ""),
        {"missing-integrity", "source-missing"},
    ),
    "pnpm: a snapshot without a package": (
        "pnpm-9",
        text("pnpm-lock.yaml", r"\n  alias-user@1\.0\.0:\n    resolution: [^\n]*", ""),
        {"missing-integrity", "source-missing"},
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_it_is_found(case: str) -> None:
    name, edit, expected = FOUND[case]
    files = fixture(f"plain/{name}")
    before = codes(name, files)
    assert codes(name, edit(files)) - before >= expected
    if not expected:
        assert codes(name, edit(files)) == before


REFUSED: dict[str, tuple[str, Callable[[Files], Files], str]] = {
    "npm: workspaces are no list": (
        "npm-3",
        json_file("package.json", lambda manifest: manifest.update(workspaces=True)),
        "workspaces: a boolean",
    ),
    "npm: workspaces are an object of something else": (
        "npm-3",
        json_file("package.json", lambda manifest: manifest.update(workspaces={"met": "packages/met"})),
        "workspaces: an object",
    ),
    "npm: a workspace pattern is no text": (
        "npm-3",
        json_file("package.json", lambda manifest: manifest.update(workspaces=["packages/*", 1])),
        "workspaces: an array with other than strings",
    ),
    "yarn 1: a version that is a number": (
        "yarn-1",
        json_file("packages/met/package.json", lambda manifest: manifest.update(version=1)),
        "version: a number",
    ),
    "yarn 1: workspaces of a project that is not private": (
        "yarn-1",
        json_file("package.json", lambda manifest: manifest.pop("private")),
        "not private",
    ),
    "yarn 1: workspaces of a project whose `private` is nothing": (
        "yarn-1",
        json_file("package.json", lambda manifest: manifest.update(private="")),
        "not private",
    ),
    "yarn 1: a version without quotes": (
        "yarn-1",
        text("yarn.lock", r'version "1\.0\.0"', "version 1.0.0"),
        "not a line that yarn writes",
    ),
    "npm 1: a link asks for an object": (
        "npm-1",
        json_file(LOCK, lambda lock: lock["dependencies"]["met"]["requires"].update(catalog={"leaf": "2.0.0"})),
        "an object, expected a string",
    ),
    "bun: a workspace whose version is none": (
        "bun-2",
        text("bun.lock", r'"version": "1\.0\.0"', '"version": "npm:leaf@2.0.0"'),
        "no version",
    ),
    "bun: a workspace without a name": ("bun-2", text("bun.lock", r'\n *"name": "met",', ""), "no name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused(case: str) -> None:
    name, edit, says = REFUSED[case]
    with pytest.raises(InputError, match=says) as caught:
        codes(name, edit(fixture(f"plain/{name}")))
    assert caught.value.hint


@pytest.mark.parametrize("name", PROJECTS)
def test_nothing_is_wrong_with_the_project(name: str) -> None:
    """What the pinned managers wrote contradicts nothing."""
    allowed = {
        "declared-range",
        "lockfile-v1",
        "no-integrity-format",
        "peer-unmet",
        "peer-invalid",
        "platform-unchecked",
    }
    assert codes(name, fixture(f"plain/{name}")) <= allowed
    assert json.loads(fixture(f"plain/{name}")["package.json"])["name"] == "shop"
