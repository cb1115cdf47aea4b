"""The bad day rehearsed for real: every step done by a process of its own, and nothing of the user's is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbomgate import cli, lockfiles
from sbomgate.cli import _drill_project, _drill_registry, drill
from sbomgate.cli._environment import Environment
from sbomgate.errors import InputError
from sbomgate.project import DiskFiles
from testkit import managers, tarballs
from testkit.bad_day import START
from testkit.commandline import TOKEN, Result, World, must_be_discreet, refused
from testkit.registry import Simulator

# What the steps' own processes import is what is tested.
PYTHONPATH = str(Path(cli.__file__).resolve().parents[2])


def run(world: World, *arguments: str) -> Result:
    return world.run("drill", *arguments, env=world.environment(PYTHONPATH=PYTHONPATH))


def test_a_drill_in_a_copy_of_what_there_is(world: World) -> None:
    """From arrival to rollback, among the builds of an inventory; a workspace's manifest is copied too."""
    lock = json.loads((world.project / "package-lock.json").read_bytes())
    lock["packages"]["api"] = {"name": "api", "version": "1.0.0"}
    lock["packages"]["node_modules/api"] = {"resolved": "api", "link": True}
    lock["packages"][""]["workspaces"] = ["api"]
    manifest = json.loads((world.project / "package.json").read_bytes()) | {"workspaces": ["api"]}
    (world.project / "package-lock.json").write_text(json.dumps(lock))
    (world.project / "package.json").write_text(json.dumps(manifest))
    (world.project / "api").mkdir()
    (world.project / "api" / "package.json").write_text('{"name": "api", "version": "1.0.0"}')
    (world.project / ".npmrc").write_text(f"//registry.npmjs.org/:_authToken={TOKEN}\n")
    before = world.snapshot()
    made = run(world, "shop", "--inventory", "inventory", "--keep", "kept", "--format", "json")
    assert made.code == 0, made.out + made.err
    must_be_discreet(made)
    told = json.loads(made.out)
    assert (told["passed"], told["project"], told["builds_before"]) == (True, "shop", 2)
    steps = {step["name"]: step for step in told["steps"]}
    assert all(step["as_expected"] for step in steps.values())
    assert list(steps) == [
        "good build", "good deployed", "release arrives", "it passes", "it is deployed", "on the list", "denied",
        "found", "superseded", "refused at deployment", "last good build verified", "rolled back", "nothing left to do",
    ]  # fmt: skip
    assert [name for name, step in steps.items() if step["since_alarm"] is None] == list(steps)[:5]
    since = [step["since_alarm"] for step in steps.values() if step["since_alarm"] is not None]
    assert since == sorted(since)
    kept = world.root / "kept"
    assert (kept / "timeline.json").read_text() == made.out
    assert "| **no**" not in (kept / "timeline.md").read_text()
    assert (kept / "project" / "api" / "package.json").exists()
    assert not any(TOKEN in path.read_text("utf-8", "replace") for path in kept.rglob(".npmrc")), "a login stays"
    assert {path: digest for path, digest in world.snapshot().items() if path.partition("/")[0] != "kept"} == before
    # What the exercise left can be looked at: among the user's builds its own were found.
    builds = world.run("inventory", "stats", "--json", "--inventory", "kept/inventory")
    assert json.loads(builds.out)["builds"] == 4
    assert (
        world.run("verify", "file:kept/bad.tgz", "--store", "kept/evidence-bad", "--trust", "kept/trust.toml").code == 1
    )


def test_a_step_that_does_something_else_is_said(world: World) -> None:
    env = Environment(now=START, variables=world.environment(PYTHONPATH=PYTHONPATH), working_directory=world.root)
    one = drill._Drill(root=world.root, env=env, project="a|b\x1b", alarm=0.0)
    one.step("denied", ("inventory", "find", "fetch-it"), code=1, holds=lambda out, err: "")
    one.step("found", ("inventory", "find", "fetch-it"), code=0, holds=lambda out, err: "is not what it should be")
    assert not one.passed
    assert [step.said for step in one.steps] == [
        "exit code 0, expected 1",
        "is not what it should be",
    ]
    shown = {name: render(one) for name, render in drill._RENDERINGS.items()}
    assert shown["text"].count("NOT: ") == 2
    assert shown["markdown"].count("**no**") == 2
    assert "\x1b" not in shown["text"] + shown["markdown"]
    assert json.loads(shown["json"])["passed"] is False


LOCKS = {
    "version 1": '{"lockfileVersion": 1, "dependencies": {}}',
    "no packages": '{"lockfileVersion": 3}',
    "no object": "[]",
    "no JSON": "{",
    "twice": '{"lockfileVersion": 3, "lockfileVersion": 2, "packages": {}}',
    "UTF-16": "\ufeff",
}


@pytest.mark.parametrize("case", LOCKS)
def test_a_lockfile_that_nothing_is_added_to(world: World, case: str) -> None:
    data = LOCKS[case].encode("utf-16" if case == "UTF-16" else "utf-8")
    (world.project / "package-lock.json").write_bytes(data)
    refused(world, "drill", "shop", says=["package-lock.json"], hint=False)


def test_places_that_are_none(world: World) -> None:
    refused(world, "drill", "nowhere", says=["no such folder"])
    refused(world, "drill", "shop", "--keep", "evidence", says=["evidence"])
    refused(world, "drill", "shop", "--inventory", "nowhere", "--keep", "kept", says=["nowhere"])
    refused(world, "drill", "shop", "--inventory", "s3://bucket/x", says=["is read"])


DEPENDENCIES = {"leaf": "^1.0.0", "zebra": "^1.0.0", "@a/scoped": "^1.0.0"}


@pytest.fixture(scope="module")
def registry() -> Iterator[Simulator]:
    with Simulator() as made:
        for name in ("leaf", "zebra", "@a/scoped"):
            made.publish(name, "1.0.0", tarballs.package(name, "1.0.0"), published="2020-01-01T00:00:00.000Z")
        yield made


@pytest.mark.managers
@pytest.mark.parametrize("manager", managers.MANAGERS)
def test_a_projects_own_package_manager_locks_the_release(world: World, registry: Simulator, manager: str) -> None:
    """From arrival to rollback; only the marker is new in the lockfile; the user's registry is not asked."""
    managers.project(world, registry, manager, DEPENDENCIES)
    lock = world.project / managers.MANAGERS[manager][1]
    before, asked = world.snapshot(), len(registry.requests)
    variables = managers.variables(world, manager)
    env = Environment(now=START, variables=variables, working_directory=world.root)
    scratch = world.root / "scratch"
    made = _drill_project.copy("shop", scratch, env)
    assert made is not None
    with _drill_registry.serving() as url:
        release = _drill_registry.fetch(url, _drill_registry.MARKER)
        command, said = _drill_project.arrive(made, release, url, scratch, env)
    assert command.startswith(f"{manager.partition(' ')[0]} install")
    assert said.startswith(manager.partition(" ")[0])
    assert said.endswith("locked @sbomgate-drill/marker 1.0.0")
    assert len(registry.requests) == asked
    assert {path: one for path, one in world.snapshot().items() if path.partition("/")[0] != "scratch"} == before
    copied = made.folder / lock.name
    lost = set(lock.read_text().splitlines()) - set(copied.read_text().splitlines())
    # a comma after what is not the last any more
    assert all(line.rstrip().endswith(("}", "]", '"^1.0.0"')) for line in lost), lost
    old, new = (lockfiles.read(DiskFiles(folder)).packages for folder in (world.project, made.folder))
    assert {one.name for one in new} - {one.name for one in old} == {"@sbomgate-drill/marker"}
    assert not (made.folder / "node_modules").exists()
    (made.folder / "malicious.csv").write_text("name,version\n@sbomgate-drill/marker,1.0.0\n")
    assert world.run("feed", "import", "scratch/project/malicious.csv", "-o", "scratch/project/list.csv").code == 0
    (made.folder / "sbomgate.toml").write_text('[malicious]\nlists = ["list.csv"]\n')
    denied = world.run("check", "scratch/project", "--trust", "trust.toml", "--offline")
    assert denied.code == 1, denied.err
    assert "known_malicious" in denied.out


@pytest.mark.managers
def test_the_entry_lies_where_yarn_1_puts_it(world: World, registry: Simulator) -> None:
    """yarn 1 itself, given the lockfile with that entry, finds nothing to change."""
    managers.project(world, registry, "yarn 1", DEPENDENCIES)
    release = _drill_registry.Release(name="zeal", version="1.0.0", resolved="", integrity="")
    alone, lock = world.root / "alone", world.project / "yarn.lock"
    registry.publish("zeal", "1.0.0", tarballs.package("zeal", "1.0.0"))
    before = lock.read_bytes()
    _drill_project._declare(world.project / "package.json", release)
    managers.install(world, "yarn 1")
    whole = lock.read_bytes()
    head, *entries = _drill_project._ENTRY.split(whole.decode())
    (own,) = [entry for entry in entries if entry.startswith("zeal@")]
    for newline in ("\n", "\r\n"):
        alone.write_text(head + own.rstrip() + "\n")
        lock.write_bytes(before.replace(b"\n", newline.encode()))
        _drill_project._put_in(lock, alone)
        assert lock.read_bytes() == whole.replace(b"\n", newline.encode())


@pytest.mark.managers
def test_a_package_manager_that_writes_another_format(world: World, registry: Simulator) -> None:
    """yarn 1 in a project of yarn 4: said, and nothing is rehearsed."""
    managers.project(world, registry, "yarn", DEPENDENCIES)
    (world.root.parent / "programs" / "yarn").unlink()
    env = Environment(now=START, variables=managers.variables(world, "yarn 1"), working_directory=world.root)
    made = _drill_project.copy("shop", world.root / "scratch", env)
    assert made is not None
    with _drill_registry.serving() as url:
        release = _drill_registry.fetch(url, _drill_registry.MARKER)
        with pytest.raises(InputError, match="yarn"):
            _drill_project.arrive(made, release, url, world.root / "scratch", env)


def test_without_the_projects_package_manager(world: World, tmp_path: Path) -> None:
    (world.project / "package-lock.json").unlink()
    (world.project / "pnpm-lock.yaml").write_text("lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n")
    (world.project / "package.json").write_text('{"name": "shop", "version": "1.0.0"}')
    env = Environment(now=START, variables={"PATH": str(tmp_path)}, working_directory=world.root)
    made = _drill_project.copy("shop", world.root / "scratch", env)
    assert made is not None
    release = _drill_registry.Release(name="marker", version="1.0.0", resolved="", integrity="")
    with pytest.raises(InputError, match="pnpm: is not on PATH"):
        _drill_project.arrive(made, release, "http://127.0.0.1:1/", world.root / "scratch", env)


def test_an_sbom_is_no_project(world: World) -> None:
    made = world.run("generate", "shop", "-o", "shop.cdx.json")
    assert made.code == 0, made.err
    refused(world, "drill", "shop.cdx.json", says=["nothing that a package manager could change"])
