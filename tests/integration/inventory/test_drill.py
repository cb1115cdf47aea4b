"""The bad day rehearsed for real: every step done by a process of its own, and nothing of the user's is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbomgate import cli
from sbomgate.cli import drill
from sbomgate.cli._environment import Environment
from testkit.bad_day import START
from testkit.commandline import Result, World, must_be_discreet, refused

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
    (world.project / ".npmrc").write_text("//registry.npmjs.org/:_authToken=npm_canary0token0that0nobody0may0see\n")
    before = world.snapshot()
    made = run(world, "shop", "--inventory", "inventory", "--keep", "kept", "--format", "json")
    assert made.code == 0, made.out + made.err
    must_be_discreet(made)
    told = json.loads(made.out)
    assert (told["passed"], told["project"], told["builds_before"]) == (True, "shop", 2)
    steps = {step["name"]: step for step in told["steps"]}
    assert all(step["as_expected"] for step in steps.values())
    assert list(steps) == [
        "good build", "good deployed", "release arrives, and passes", "it is deployed", "on the list", "denied",
        "found", "superseded", "refused at deployment", "last good build verified", "rolled back", "nothing left to do",
    ]  # fmt: skip
    assert [name for name, step in steps.items() if step["since_alarm"] is None] == list(steps)[:4]
    since = [step["since_alarm"] for step in steps.values() if step["since_alarm"] is not None]
    assert since == sorted(since)
    kept = world.root / "kept"
    assert (kept / "timeline.json").read_text() == made.out
    assert "| **no**" not in (kept / "timeline.md").read_text()
    assert (kept / "project" / "api" / "package.json").exists()
    assert not (kept / "project" / ".npmrc").exists(), "what may hold a login stays where it is"
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


@pytest.mark.parametrize(
    ("place", "own"),
    [("api", True), ("packages/web", True), ("", False), ("/etc", False), ("../x", False), ("a/../../x", False),
     ("node_modules/a", False), ("a/node_modules/b", False), ("C:\\x", False), ("a\\..\\b", False), ("a//b", False)],
)  # fmt: skip
def test_only_what_lies_in_the_project_is_copied(place: str, own: bool) -> None:
    assert drill._is_own(place) is own
