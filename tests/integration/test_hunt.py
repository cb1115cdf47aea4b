"""`hunt` as people run it: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testkit.commandline import World
from testkit.hunting import npm_lock, plant


@pytest.fixture
def place(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.home.mkdir(parents=True, exist_ok=True)
    (tmp_path / "feed.csv").write_text("name,version\naxios,1.14.1\n", encoding="utf-8")
    return world


def test_traces_are_1_with_their_places(place: World) -> None:
    planted = plant(place.root / "machine", "axios", "1.14.1")
    made = place.run("hunt", "machine", "--feed", "feed.csv")
    assert made.code == 1
    assert all(f"machine/{path}" in made.out for path in planted)
    assert "FOUND" in made.out


def test_what_is_shipped_is_looked_for_where_no_feed_is_named(place: World) -> None:
    plant(place.root / "machine", "plain-crypto-js", "4.2.1")
    made = place.run("hunt", "machine", "--json")
    assert made.code == 1
    assert {one["ids"][0] for one in json.loads(made.out)["traces"]} == {"MAL-2026-2306"}


def test_nothing_is_0_and_what_cannot_be_read_is_2(place: World) -> None:
    (place.root / "machine").mkdir()
    (place.root / "machine" / "package-lock.json").write_text(npm_lock("left", "1.0.0"), encoding="utf-8")
    made = place.run("hunt", "machine", "--feed", "feed.csv")
    assert (made.code, "CLEAN" in made.out) == (0, True)
    (place.root / "machine" / "bun.lockb").write_bytes(b"\x00")
    made = place.run("hunt", "machine", "--feed", "feed.csv")
    assert (made.code, "UNKNOWN" in made.out, "bun.lockb" in made.out) == (2, True, True)


def test_p40_the_home_folder_is_not_named(place: World) -> None:
    plant(place.home / "src", "axios", "1.14.1")
    made = place.run("hunt", str(place.home), "--feed", "feed.csv", "--json")
    assert made.code == 1
    assert str(place.home) not in made.out
    assert "src/web/package-lock.json" in made.out


def test_p39_hostile_names_stay_text(place: World) -> None:
    folder = place.root / "machine" / "\x1b[2J::error::x\n" / "node_modules" / "axios"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "axios", "version": "1.14.1"}', encoding="utf-8")
    made = place.run("hunt", "machine", "--feed", "feed.csv")
    assert made.code == 1
    assert "\x1b" not in made.out
    assert not any(line.startswith("::") for line in made.out.splitlines())


BAD = {
    "a feed that is none": (["hunt", ".", "--feed", "nothing.csv"], "nothing.csv"),
    "a feed that names nothing": (["hunt", ".", "--feed", "empty.csv"], "nothing to look for"),
    "an integrity that is none": (["hunt", ".", "--integrity", "sha512-x"], "--integrity"),
}


@pytest.mark.parametrize(("arguments", "says"), BAD.values(), ids=BAD)
def test_bad_input(place: World, arguments: list[str], says: str) -> None:
    (place.root / "empty.csv").write_text("name,version\n", encoding="utf-8")
    made = place.run(*arguments)
    assert (made.code, made.out) == (2, "")
    assert says in made.err


def test_a_path_that_is_not_there(place: World) -> None:
    made = place.run("hunt", "gone", "--feed", "feed.csv")
    assert made.code == 2
    assert "there is nothing" in made.out
