"""`fix` on the Axios story, with the real package managers and a registry on loopback: proposed, proved, written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate import canonical
from sbomgate.inventory import deployments
from sbomgate.inventory.folder import Folder
from testkit import inventories, tarballs
from testkit.commandline import World, must_be_refused
from testkit.managers import MANAGERS, install, project, variables
from testkit.registry import Simulator

FIX = ("fix", "shop", "--trust", "trust.toml")


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def publish(registry: Simulator, name: str, version: str, at: str, **manifest: Any) -> None:
    data = tarballs.package(name, version, manifest=manifest)
    registry.publish(name, version, data, published=at, manifest=manifest)


@pytest.fixture
def registry() -> Iterator[Simulator]:
    """The registry two hours after axios 1.14.1."""
    with Simulator() as made:
        publish(made, "follow-redirects", "1.15.6", ago(days=400))
        for version, days in (("1.12.0", 300), ("1.14.0", 30)):
            publish(made, "axios", version, ago(days=days), dependencies={"follow-redirects": "^1.15.0"})
        publish(made, "plain-crypto-js", "4.2.1", ago(hours=19), scripts={"postinstall": "node setup.js"})
        more = {"follow-redirects": "^1.15.0", "plain-crypto-js": "^4.2.1"}
        publish(made, "axios", "1.14.1", ago(hours=2), dependencies=more)
        publish(made, "client", "2.0.0", ago(days=200), dependencies={"axios": "^1.12.0"})
        yield made


STORIES = {
    "declared": {"axios": "^1.12.0"},
    "below another": {"client": "^2.0.0"},
    "both": {"axios": "^1.14.0", "client": "2.0.0"},
}


TOLD = [("npm", "declared"), ("npm", "below another"), *((manager, "both") for manager in MANAGERS)]


@pytest.mark.managers
@pytest.mark.parametrize(("manager", "story"), TOLD)
def test_the_axios_story(world: World, registry: Simulator, manager: str, story: str) -> None:
    """1.14.0, by a pin and an override, and plain-crypto-js is gone."""
    project(world, registry, manager, STORIES[story])
    lock = world.project / MANAGERS[manager][1]
    assert "plain-crypto-js" in lock.read_text()
    environment = variables(world, manager)
    assert world.run("check", "shop", "--trust", "trust.toml", env=environment).code == 1
    before = world.snapshot()
    made = world.run(*FIX, env=environment)
    assert made.code == 0, made.err
    assert "axios 1.14.0" in made.err
    assert "+++ b/package.json" in made.out
    assert world.snapshot() == before, "without --write nothing is changed"
    applied = subprocess.run(
        ["patch", "-p1", "--dry-run"], cwd=world.project, input=made.out, text=True, capture_output=True, check=False
    )
    assert applied.returncode == 0, applied.stdout
    assert world.run(*FIX, "--write", env=environment).code == 0
    assert "plain-crypto-js" not in lock.read_text()
    assert "Rollback, wherever axios 1.14.1, plain-crypto-js 4.2.1 was installed" in made.err
    assert "not known: no inventory was asked" in made.err
    manifest = json.loads((world.project / "package.json").read_text())
    if "axios" in STORIES[story]:
        assert manifest["dependencies"]["axios"] == "1.14.0"
    assert world.run("check", "shop", "--trust", "trust.toml", env=environment).code == 0
    # the package manager itself finds nothing left to do
    again = lock.read_bytes()
    install(world, manager)
    assert lock.read_bytes() == again


@pytest.mark.managers
def test_what_is_left_to_do_beside_the_fix(world: World, registry: Simulator) -> None:
    """Which builds hold it, where they run and what to go back to; caches; and the machines, from the inventory."""
    project(world, registry, "npm", {"axios": "^1.14.0"})
    folder = Folder(world.root / "inventory")
    folder.create()
    jobs = {"job": "https://ci.example/jobs/7", "run": "7", "repository": "https://ci.example/shop"}
    ran = canonical.dumps({"system": "gitlab-ci", "runner": "runner-3", "runner_id": "3", **jobs}).decode()
    builds = [
        inventories.build("good", [("axios", "1.14.0")], decided=inventories.NOW - timedelta(days=2)),
        inventories.build("bad", [("axios", "1.14.1"), ("plain-crypto-js", "4.2.1")], decided=inventories.NOW, ran=ran),
    ]
    folder.add(builds)
    deployments.append(
        folder,
        [
            deployments.Deployment(
                digest=builds[1][1][0]["digest"], name="a", environment="production", at=inventories.NOW
            )
        ],
    )
    asked = ("--inventory", "inventory", "--checklist")
    made = world.run(*FIX, *asked, "todo.json", env=variables(world))
    assert made.code == 0, made.err
    told = json.loads((world.root / "todo.json").read_bytes())
    assert [one["name"] for one in told["packages"]] == ["axios", "plain-crypto-js"]
    (todo,) = told["redeploy"]
    assert (todo["runs_in"], todo["builds"]) == (["production"], [builds[1][1][0]["digest"]])
    assert (todo["last_good"], todo["holds"]) == (
        builds[0][1][0]["digest"], ["axios@1.14.1", "plain-crypto-js@4.2.1"],
    )  # fmt: skip
    assert told["rotate_credentials"] == [
        {
            "system": "gitlab-ci",
            "runner": "runner-3",
            "runner_id": "3",
            "repository": jobs["repository"],
            "runs": [jobs["job"]],
        }
    ]
    assert {one["manager"] for one in told["caches"]} == {"npm", "pnpm", "yarn 1", "yarn 2+", "bun"}
    for line in (
        "runner-3 (id 3), gitlab-ci of https://ci.example/shop: https://ci.example/jobs/7",
        "runs in production",
    ):
        assert line in made.err


@pytest.mark.managers
def test_what_is_allowed_needs_nothing(world: World, registry: Simulator) -> None:
    project(world, registry, "npm", {"axios": "1.14.0"})
    made = world.run(*FIX, env=variables(world))
    assert (made.code, made.out) == (0, "")
    assert "nothing to fix" in made.err


@pytest.mark.managers
def test_where_no_version_passes(world: World, registry: Simulator) -> None:
    publish(registry, "fresh", "1.0.0", ago(hours=1))
    publish(registry, "fresh", "1.0.1", ago(minutes=30))
    project(world, registry, "npm", {"fresh": "^1.0.0"})
    before = world.snapshot()
    made = world.run(*FIX, "--write", env=variables(world))
    assert (made.code, made.out) == (1, "")
    assert "no other version passes" in made.err
    assert world.snapshot() == before


@pytest.mark.managers
def test_what_no_version_changes(world: World, registry: Simulator) -> None:
    project(world, registry, "npm", {"axios": "^1.12.0"})
    lock = world.project / "package-lock.json"
    lock.write_text(lock.read_text().replace("/follow-redirects-1.15.6.tgz", "/evil-1.15.6.tgz"))
    made = world.run(*FIX, env=variables(world))
    assert made.code == 1
    assert "no version changes this" in made.err


@pytest.mark.managers
def test_the_projects_own_manager_code_is_not_run(world: World, registry: Simulator, tmp_path: Path) -> None:
    """Scripts, hooks and settings of the project stay out of the copy."""
    project(world, registry, "npm", {"axios": "^1.12.0"})
    ran = tmp_path / "ran"
    (world.project / ".npmrc").write_text(f"registry={registry.url}\nscript-shell=/bin/sh\nignore-scripts=false\n")
    manifest = json.loads((world.project / "package.json").read_text())
    manifest["scripts"] = dict.fromkeys(("preinstall", "install", "postinstall", "prepare"), f"touch {ran}")
    (world.project / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    world.run(*FIX, env=variables(world))
    assert not ran.exists()


def test_offline_is_refused(world: World) -> None:
    must_be_refused(world.run(*FIX, "--offline"), says=["--offline", "registry"])


def test_without_the_package_manager(world: World, registry: Simulator, tmp_path: Path) -> None:
    world.store.rename(world.root / "unused")
    publish(registry, "young", "1.0.0", ago(hours=1))
    data = tarballs.package("young", "1.0.0")
    world.write_project([("young", "1.0.0", data)], registry=registry.url)
    world.trust.write_text(
        world.trust.read_text() + f'\n[[registries]]\nurl = "{registry.url}"\nserves_evidence = false\n'
    )
    (world.project / ".npmrc").write_text(f"registry={registry.url}\n")
    made = world.run(*FIX, env=world.environment(PATH=str(tmp_path)))
    assert made.code == 2
    assert "npm: is not on PATH" in made.err
