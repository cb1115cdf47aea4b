"""The world of `testkit.bad_day`, made once and copied for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from testkit import bad_day, commandline
from testkit.bad_day import Clock
from testkit.commandline import World


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> World:
    return bad_day.gated(tmp_path_factory.mktemp("gated") / "world")


@pytest.fixture
def world(gated: World, tmp_path: Path) -> World:
    return commandline.copy(gated, tmp_path / "world")
