"""Colour on a real terminal (a pseudo-terminal), and nowhere else."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from sbomgate import cli
from testkit.commandline import World

CHECK = ("check", "shop", "--offline")
BUILD = "the build's folder"


def on_a_terminal(world: World, *arguments: str, **variables: str) -> str:
    """Return what a command writes to a terminal."""
    import pty

    ours, theirs = pty.openpty()
    package = str(Path(cli.__file__).resolve().parents[2])
    env = world.environment(TERM="xterm", PYTHONPATH=package, **variables)
    with world.start(*arguments, stdout=theirs, stderr=theirs, env=env) as run:
        os.close(theirs)
        out = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux: the other side is closed
                break
            if not piece:
                break
            out += piece
        run.wait(timeout=60)
    os.close(ours)
    return out.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pseudo-terminals")
def test_a_terminal_has_coloured_verdicts(world: World) -> None:
    assert "\x1b[1;32mALLOWED\x1b[0m" in on_a_terminal(world, *CHECK)
    assert "\x1b[1" not in on_a_terminal(world, *CHECK, NO_COLOR="1")


def test_a_pipe_and_a_file_have_none(world: World) -> None:
    assert "\x1b" not in world.run(*CHECK).out
    assert world.run(*CHECK, "-o", "out.txt", env=world.environment(FORCE_COLOR="1")).code == 0
    assert b"\x1b" not in (world.root / "out.txt").read_bytes()


def test_it_can_be_forced(world: World) -> None:
    env = world.environment(FORCE_COLOR="1")
    assert "\x1b[1;32mALLOWED\x1b[0m" in world.run(*CHECK, env=env).out
    assert "\x1b[1;32mVERIFIED\x1b[0m" in world.run(*world.verify(), env=env).out
    assert "\x1b" not in world.run(*CHECK, "--json", env=env).out


VERBS = {
    "audit": (("audit", "evidence", "--trust", "trust.toml"), "\x1b[1;32mSOUND\x1b[0m"),
    "replay": (("replay", BUILD), "\x1b[1;32mREPRODUCED\x1b[0m"),
    "report": (("report", BUILD, "--format", "text"), "\x1b[1;32mALLOWED\x1b[0m"),
    "review": (("review", "shop", "--offline"), "today \x1b[1;32mallowed\x1b[0m\n"),
    "verify": (("verify", "file:app.tgz", "--trust", "trust.toml"), "\x1b[1;32mVERIFIED\x1b[0m"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_that_prints_a_verdict(world: World, verb: str) -> None:
    """In colour, and without it the same words; never where a program reads."""
    arguments, shown = VERBS[verb]
    (build,) = (str(path.parent) for path in world.store.glob("*/*/index.json"))
    given = [build if one == BUILD else one for one in arguments]
    coloured = world.run(*given, env=world.environment(FORCE_COLOR="1"))
    assert shown in coloured.out
    plain = world.run(*given, env=world.environment(FORCE_COLOR="1", NO_COLOR="1"))
    assert plain.out == re.sub(r"\x1b\[[0-9;]*m", "", coloured.out)
    assert plain.code == coloured.code
    if verb == "report":
        given = [*given[:-1], "markdown"]
    elif verb == "review":
        given += ["--format", "json"]
    else:
        given.append("--json")
    assert "\x1b" not in world.run(*given, env=world.environment(FORCE_COLOR="1")).out
