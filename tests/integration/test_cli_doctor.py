"""`doctor`: what prevents a decision is said and is exit code 1; what is secret is never shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sbomgate.cli import doctor
from sbomgate.cli._environment import Environment
from testkit.commandline import TOKEN, World, must_be_discreet
from testkit.registry import Simulator

# Programs take seconds to say their versions on a busy machine: here only those of this folder are on PATH.
QUIET = {"PATH": "/nowhere"}


def looked(world: World, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    made = world.run("doctor", "shop", "--json", *arguments, env=world.environment(**QUIET) | variables)
    assert made.err == ""
    must_be_discreet(made)
    said = json.loads(made.out)
    assert said["schema"] == doctor.SCHEMA
    assert said["ready"] == (made.code == 0)
    return made.code, said


def of(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [line for line in said["checks"] if line["name"] == name]


def test_an_ordinary_machine(world: World) -> None:
    code, said = looked(world, "--trust", "trust.toml")
    assert code == 0
    assert of(said, "policy engine")[0]["state"] == "ok"
    assert of(said, "trust file")[0]["message"].endswith("signers: release key")
    assert of(said, "project")[0]["message"] == "package-lock.json, 1 packages"
    assert of(said, "opa")[0]["state"] == "note"
    assert of(said, "registries")[0]["message"].endswith(": not asked")


def test_as_text(world: World) -> None:
    made = world.run("doctor", "shop", env=world.environment(**QUIET))
    assert made.code == 0, made.err
    assert made.out.endswith("Nothing prevents a decision.\n")
    must_be_discreet(made)


def test_whether_tokens_are_there_and_never_their_values(world: World) -> None:
    """P40."""
    (world.home / ".npmrc").write_text("//npm.acme.example/:_authToken=${NPM_TOKEN}\n")
    _, said = looked(world, NPM_TOKEN=TOKEN, SBOMGATE_KEY_PASSWORD=TOKEN)
    (line,) = of(said, "tokens")
    assert "NPM_TOKEN" in line["message"]
    assert "SBOMGATE_KEY_PASSWORD" in line["message"]
    assert "npm.acme.example" in line["message"]


def fact_cache_of_others(world: World) -> None:
    (world.cache / "facts").mkdir(exist_ok=True)
    (world.cache / "facts").chmod(0o777)


def engine_of_others(world: World) -> None:
    (world.cache / "engine").chmod(0o777)


def no_single_meaning(world: World) -> None:
    (world.project / "package-lock.json").write_bytes(b'{"a": 1, "a": 2}')


def settings_that_are_none(world: World) -> None:
    (world.project / "sbomgate.toml").write_text("profle = 'strict'\n")


def trust_for_all_to_write(world: World) -> None:
    world.trust.chmod(0o666)


PREVENTS: dict[str, tuple[Callable[[World], None], str]] = {
    "a fact cache that others may write": (fact_cache_of_others, "fact cache"),
    "an engine that others may write": (engine_of_others, "policy engine"),
    "a lockfile without one meaning": (no_single_meaning, "project"),
    "a sbomgate.toml that is none": (settings_that_are_none, "project"),
    "a trust file that all may write": (trust_for_all_to_write, "trust file"),
}


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("case", PREVENTS)
def test_what_prevents_a_decision_prevents_it(world: World, case: str) -> None:
    """It is exit code 1, the line is named, and `check` does end without a decision."""
    damage, name = PREVENTS[case]
    damage(world)
    code, said = looked(world, "--trust", "trust.toml")
    assert code == 1
    assert [line["name"] for line in said["checks"] if line["state"] == "prevents"] == [name]
    assert world.run("check", "shop", "--offline", "--trust", "trust.toml").code == 2


def test_outside_of_any_project(world: World) -> None:
    made = world.run("doctor", env=world.environment(**QUIET))
    assert made.code == 0, made.out
    assert "none in this folder" in made.out


def test_a_path_that_is_not_there(world: World) -> None:
    made = world.run("doctor", "nowhere")
    assert made.code == 2
    assert made.out == ""


def test_registries_are_asked_only_when_that_is_asked_for(world: World) -> None:
    with Simulator() as registry:
        world.write_project(registry=registry.url)
        (world.project / ".npmrc").write_text(f"registry={registry.url}\n")
        _, said = looked(world)
        assert of(said, "registries")[0]["state"] == "note"
        assert registry.requests == []
        code, said = looked(world, "--network")
        assert (code, of(said, "registries")[0]["state"]) == (0, "ok")
    code, said = looked(world, "--network")  # it is gone now
    assert (code, of(said, "registries")[0]["state"]) == (0, "warning")


def test_an_engine_that_is_not_compiled_yet(tmp_path: Path) -> None:
    """It prevents nothing; test_container.py compiles one."""
    environment = Environment(now=datetime.now(UTC), variables={"HOME": str(tmp_path)}, working_directory=tmp_path)
    (line,) = doctor._engine(environment, prepare=False)
    assert line.state is doctor.State.NOTE
    assert "--prepare" in line.next


@pytest.mark.parametrize(
    ("year", "clock", "root"),
    [(2020, doctor.State.PREVENTS, doctor.State.OK), (2031, doctor.State.OK, doctor.State.WARNING)],
)
def test_a_clock_that_is_wrong_and_a_trust_root_that_is_old(
    tmp_path: Path, year: int, clock: doctor.State, root: doctor.State
) -> None:
    from sbomgate import trust

    environment = Environment(now=datetime(year, 1, 1, tzinfo=UTC), variables={}, working_directory=tmp_path)
    assert [line.state for line in doctor._clock(environment)] == [clock]
    assert [line.state for line in doctor._trust_root(environment, trust.NOBODY)] == [root]
    unknown = replace(trust.NOBODY, trusted_root=b"{}")
    assert [line.state for line in doctor._trust_root(environment, unknown)] == [doctor.State.WARNING]
