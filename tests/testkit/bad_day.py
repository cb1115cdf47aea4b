"""A project of which a bad release was built and passed: what the tests of the inventory's bad day begin with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sbomgate.cli import _environment
from testkit import commandline, tarballs
from testkit.commandline import Result, World

START = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
PACKAGES = {
    "good": [("fetch-it", "1.14.0")],
    "bad": [("fetch-it", "1.14.1"), ("fetch-it-core", "4.2.1")],
}


class Clock:
    """What commands take for now."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = START
        real = _environment.Environment.of_process
        patch.setattr(_environment.Environment, "of_process", lambda: replace(real(), now=self.now))


def gate(world: World, name: str, *more: str) -> Result:
    held = [(package, version, tarballs.package(package, version)) for package, version in PACKAGES[name]]
    world.write_project(held)
    (world.root / f"{name}.tgz").write_bytes(name.encode())
    return world.run(*[a.replace("app.tgz", f"{name}.tgz") for a in world.gate("--environment", "production", *more)])


def gated(root: Path) -> World:
    """Return a world in which two builds of one project passed, and somebody has learnt since that one is bad."""
    world = commandline.new_world(root)
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        # Each has a store of its own, so that neither is the other's baseline: a first build's debts only warn.
        for name in PACKAGES:
            made = gate(world, name, "--inventory", "inventory")
            assert made.code == 0, made.out + made.err
            world.store.rename(world.root / f"evidence-{name}")
            clock.now += timedelta(hours=1)
    for name in PACKAGES:
        shutil.copytree(world.root / f"evidence-{name}", world.store, dirs_exist_ok=True)
        shutil.rmtree(world.root / f"evidence-{name}")
    (world.root / "feed.csv").write_text("name,version\nfetch-it,1.14.1\nfetch-it-core,*\n")
    return world
