"""A world that was gated once, made once a session; each test damages a copy of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from testkit import commandline
from testkit.bench import Bench
from testkit.commandline import World


@pytest.fixture(scope="session")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with stored evidence; never damaged."""
    world = commandline.new_world(tmp_path_factory.mktemp("ordinary") / "world")
    made = world.run(*world.gate())
    assert made.code == 0, made.err
    return world


@pytest.fixture
def world(ordinary: World, tmp_path: Path) -> World:
    """A copy of the ordinary world, for this test."""
    return commandline.copy(ordinary, tmp_path / "world")


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile the engine, which says so on stderr once."""
    Bench(tmp_path_factory.mktemp("compiled")).check()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A project with one package, and what its maintainers say, for this test."""
    return Bench(tmp_path)
