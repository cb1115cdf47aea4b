"""A project that cannot be read: exit code 2, one message with file, place and hint, nothing written (P1, P2)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testkit.commandline import World, refused

Damage = Callable[[World], None]
VERBS: dict[str, Callable[[World], list[str]]] = {
    "generate": lambda world: ["generate", "shop"],
    "check": lambda world: ["check", "shop", "--offline"],
    "gate": lambda world: world.gate(),
}


def write(path: str, data: bytes | str) -> Damage:
    def damage(world: World) -> None:
        (world.project / path).write_bytes(data.encode() if isinstance(data, str) else data)

    return damage


def lock(change: Callable[[dict[str, Any]], None]) -> Damage:
    def damage(world: World) -> None:
        path = world.project / "package-lock.json"
        document = json.loads(path.read_bytes())
        change(document)
        path.write_text(json.dumps(document, indent=2))

    return damage


def text(old: str, new: str, path: str = "package-lock.json") -> Damage:
    def damage(world: World) -> None:
        at = world.project / path
        before = at.read_text()
        assert old in before
        at.write_text(before.replace(old, new, 1))

    return damage


def replaced(path: str, by: Callable[[Path], None]) -> Damage:
    def damage(world: World) -> None:
        at = world.project / path
        at.unlink()
        by(at)

    return damage


def gone(*paths: str) -> Damage:
    def damage(world: World) -> None:
        for path in paths:
            (world.project / path).unlink()

    return damage


def both(first: Damage, second: Damage) -> Damage:
    def damage(world: World) -> None:
        first(world)
        second(world)

    return damage


LOCK, MANIFEST = "package-lock.json", "package.json"
CASES: dict[str, tuple[Damage, list[str]]] = {
    "no lockfile": (gone(LOCK), ["lockfile"]),
    "neither": (gone(LOCK, MANIFEST), []),
    "empty lockfile": (write(LOCK, b""), [LOCK, "empty"]),
    "blank lockfile": (write(LOCK, b" \n"), [LOCK]),
    "empty package.json": (write(MANIFEST, b""), [MANIFEST, "empty"]),
    "unknown version": (lock(lambda d: d.update(lockfileVersion=4)), [LOCK, "lockfileVersion", "4"]),
    "version zero": (lock(lambda d: d.update(lockfileVersion=0)), [LOCK, "lockfileVersion"]),
    "version as text": (lock(lambda d: d.update(lockfileVersion="3")), [LOCK, "lockfileVersion"]),
    "version as truth": (lock(lambda d: d.update(lockfileVersion=True)), [LOCK, "lockfileVersion"]),
    "version as fraction": (text('"lockfileVersion": 3', '"lockfileVersion": 3.0'), [LOCK, "lockfileVersion"]),
    "no version": (lock(lambda d: d.pop("lockfileVersion")), [LOCK, "lockfileVersion"]),
    "packages a list": (lock(lambda d: d.update(packages=[])), [LOCK, "packages"]),
    "no packages": (lock(lambda d: d.pop("packages")), [LOCK, "packages"]),
    "an entry is null": (lock(lambda d: d["packages"].update({"node_modules/x": None})), [LOCK, "node_modules/x"]),
    "version of an entry is a number": (
        lock(lambda d: d["packages"]["node_modules/left-pad"].update(version=1)),
        [LOCK, 'packages["node_modules/left-pad"].version'],
    ),
    "broken JSON": (text('"requires": true', '"requires": tru'), [LOCK, "line 5"]),
    "cut short": (lambda w: os.truncate(w.project / LOCK, 100), [LOCK, "line"]),
    "trailing text": (text("\n}\n", "\n}\n{}\n"), [LOCK, "line"]),
    "a comment": (text("{", "{ // npm\n"), [LOCK, "line 1"]),
    "duplicate key": (text('"requires": true', '"requires": true, "requires": true'), [LOCK, "requires"]),
    "duplicate package": (
        text('"node_modules/left-pad": {', '"node_modules/left-pad": {}, "node_modules/left-pad": {'),
        [LOCK, "node_modules/left-pad"],
    ),
    "NaN": (text('"requires": true', '"requires": NaN'), [LOCK, "line 5"]),
    "UTF-16": (write(LOCK, '{"lockfileVersion": 3}'.encode("utf-16")), [LOCK, "UTF-16"]),
    "UTF-16 without a mark": (write(LOCK, '{"lockfileVersion": 3}'.encode("utf-16-le")), [LOCK]),
    "UTF-8 with a mark": (write(LOCK, b'\xef\xbb\xbf{"lockfileVersion": 3}'), [LOCK]),
    "Latin-1": (write(LOCK, b'{"name": "caf\xe9"}'), [LOCK, "UTF-8"]),
    "nested deeply": (write(LOCK, b"[" * 100_000), [LOCK]),
    "nested deeply and closed": (write(LOCK, b'{"a":' * 5_000 + b"1" + b"}" * 5_000), [LOCK]),
    "a lone surrogate": (text('"requires": true', '"requires": "\\ud800"'), [LOCK]),
    "a list": (write(LOCK, b"[]"), [LOCK]),
    "a number of a thousand digits": (text('"requires": true', f'"requires": {"9" * 5000}'), [LOCK]),
    "HTML": (write(LOCK, b"<!DOCTYPE html><html>"), [LOCK, "line 1"]),
    "a Git conflict": (write(LOCK, b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n"), [LOCK, "line 1"]),
    "a Git LFS pointer": (write(LOCK, b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), [LOCK]),
    "binary": (write(LOCK, bytes(range(256))), [LOCK]),
    "a directory": (replaced(LOCK, Path.mkdir), [LOCK, "regular file"]),
    "a FIFO": (replaced(LOCK, os.mkfifo), [LOCK, "regular file"]),
    "a dangling link": (replaced(LOCK, lambda p: p.symlink_to("nowhere")), [LOCK, "nowhere"]),
    "a link to itself": (replaced(LOCK, lambda p: p.symlink_to(p.name)), [LOCK]),
    "a link that leaves": (replaced(LOCK, lambda p: p.symlink_to("../../release.key")), [LOCK, "leaves"]),
    "package.json: a directory": (replaced(MANIFEST, Path.mkdir), [MANIFEST, "regular file"]),
    "package.json: a FIFO": (replaced(MANIFEST, os.mkfifo), [MANIFEST, "regular file"]),
    "package.json: broken": (write(MANIFEST, b'{"name": "shop",}'), [MANIFEST, "line 1"]),
    "package.json: duplicate key": (write(MANIFEST, b'{"name": "a", "name": "b"}'), [MANIFEST, "name"]),
    "package.json: UTF-16": (write(MANIFEST, "{}".encode("utf-16")), [MANIFEST]),
    "package.json: a list": (write(MANIFEST, b"[]"), [MANIFEST]),
    "package.json: dependencies a list": (write(MANIFEST, b'{"dependencies": []}'), [MANIFEST, "dependencies"]),
    "package.json: a range is a number": (write(MANIFEST, b'{"dependencies": {"a": 1}}'), [MANIFEST, "dependencies"]),
    ".npmrc: a directory": (lambda w: (w.project / ".npmrc").mkdir(), [".npmrc", "regular file"]),
    ".npmrc: a FIFO": (lambda w: os.mkfifo(w.project / ".npmrc"), [".npmrc", "regular file"]),
    "a lockfile that nobody reads": (both(gone(LOCK), write("bun.lockb", b"#!/usr/bin/env bun\n")), ["lockfile"]),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("case", CASES)
def test_a_project_that_cannot_be_read(world: World, case: str, verb: str) -> None:
    """P1, P2: no verb decides on a file without one single meaning; nothing is stored."""
    damage, says = CASES[case]
    damage(world)
    refused(world, *VERBS[verb](world), says=says, hint=case not in SELF_EXPLAINING)


# What is wrong says what to do.
SELF_EXPLAINING = {"package.json: dependencies a list", "package.json: a range is a number"}


@pytest.mark.parametrize("verb", ["check", "gate"])
def test_p3_dependencies_without_packages(world: World, verb: str) -> None:
    """P3: zero packages although a dependency is declared is no decision. (`generate` decides nothing.)"""
    lock(lambda d: d.update(packages={"": d["packages"][""]}))(world)
    refused(world, *VERBS[verb](world), says=[LOCK, "holds no package"])


CONFIG: dict[str, tuple[bytes | Callable[[Path], Any], list[str]]] = {
    "broken": (b"profile = ", ["sbomgate.toml", "not TOML"]),
    "unknown key": (b'profil = "strict"', ["sbomgate.toml", "profil"]),
    "unknown profile": (b'profile = "lax"', ["sbomgate.toml", "profile", "lax"]),
    "unknown rule": (b"[rules.nonsense]\nx = 1\n", ["sbomgate.toml", "nonsense"]),
    "unknown parameter": (b"[rules.release_age]\nhours = 1\n", ["sbomgate.toml", "hours"]),
    "looser than the default": (b"[rules.release_age]\nminimum_age_hours = 1\n", ["minimum_age_hours"]),
    "looser profile": (b'profile = "observe"', ["observe"]),
    "a list that is not there": (b'[malicious]\nlists = ["gone.csv"]\n', ["gone.csv"]),
    "a list that leaves": (b'[malicious]\nlists = ["../../release.key"]\n', ["leaves"]),
    "a list that is none": (b'[malicious]\nlists = ["package.json"]\n', ["package.json"]),
    "not UTF-8": (b"\xff\xfe", ["sbomgate.toml", "UTF-8"]),
    "nested deeply": (b"x = " + b"[" * 50_000, ["sbomgate.toml", "nested"]),
    "a directory": (Path.mkdir, ["sbomgate.toml", "regular file"]),
}


@pytest.mark.parametrize("case", CONFIG)
def test_settings_that_cannot_be_used(world: World, case: str) -> None:
    """P21: the project's own settings only tighten; what they cannot mean is no decision."""
    content, says = CONFIG[case]
    path = world.project / "sbomgate.toml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    refused(world, "check", "shop", "--offline", "--trust", "trust.toml", says=says)


@pytest.mark.parametrize("argument", ["nowhere", "shop/nowhere.json", "trust.toml", "app.tgz", "evidence", ""])
def test_a_path_that_is_no_project(world: World, argument: str) -> None:
    refused(world, "generate", argument, says=[])


def test_a_file_that_vanishes_while_it_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lockfile that was seen and then is gone is a missing lockfile, not a project without one."""
    from sbomgate.project import DiskFiles

    real = DiskFiles.read

    def vanishing(files: DiskFiles, path: str) -> bytes | None:
        if path == "package-lock.json":
            (world.project / path).unlink(missing_ok=True)
        return real(files, path)

    monkeypatch.setattr(DiskFiles, "read", vanishing)
    result = world.run("generate", "shop")
    assert result.code == 2
    assert len(result.errors) == 1
    assert result.hints
