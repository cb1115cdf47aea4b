"""Colour on a real terminal (a pseudo-terminal), and nowhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sbomgate import cli
from testkit.commandline import World

CHECK = ("check", "shop", "--offline")


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
