"""HOME, caches, streams, -o: whatever is missing or damaged around sbomgate, the answer is right or there is none."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testkit.commandline import World, must_be_discreet, must_be_refused, refused

CHECK = ("check", "shop", "--offline")
ROOT = os.geteuid() == 0


# --------------------------------------------------------------------------------------------------------------------
# HOME and the caches


def test_without_a_home(world: World, tmp_path: Path) -> None:
    """No HOME: what is needed lies in a folder of this user's own among the temporary ones."""
    env = world.environment(XDG_CACHE_HOME=str(world.home / ".cache"))
    del env["HOME"]
    made = world.run(*CHECK, env=env)
    assert made.code == 0, made.err


def test_a_home_that_is_not_there(world: World) -> None:
    compiled = world.cache / "engine"
    env = world.environment(HOME=str(world.root / "nowhere" / "at" / "all"), XDG_CACHE_HOME=str(world.home / ".cache"))
    made = world.run(*CHECK, env=env)
    assert made.code == 0, made.err
    assert compiled.is_dir()


Damage = Callable[[Path], Any]


def as_file(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.write_bytes(b"")


def open_to_all(path: Path) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(0o777)


def link_to_nowhere(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to("nowhere")


def database_folder(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    (path / "facts-v1.sqlite3").unlink(missing_ok=True)
    (path / "facts-v1.sqlite3").mkdir()


# What cannot be used is an error; what is only damaged is as if it were not there.
FACT_CACHE: dict[str, tuple[Damage, list[str]]] = {
    "a file": (as_file, ["cache"]),
    "open to all": (open_to_all, ["others"]),
    "a dangling link": (link_to_nowhere, ["cache"]),
    "its database is a folder": (database_folder, ["facts-v1.sqlite3"]),
}


@pytest.mark.parametrize("case", FACT_CACHE)
def test_a_fact_cache_that_cannot_be_used(world: World, case: str) -> None:
    damage, says = FACT_CACHE[case]
    damage(world.cache / "facts")
    refused(world, *CHECK, says=says)


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(8192))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(100, len(data), 97):
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))


def another_schema(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE fact (key TEXT)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [garbage, cut, flipped, another_schema], ids=lambda f: f.__name__)
def test_a_damaged_fact_cache(world: World, damage: Damage) -> None:
    """It is empty, or it is an error that says so: never other facts."""
    path = world.cache / "facts" / "facts-v1.sqlite3"
    damage(path)
    made = world.run(*CHECK)
    if made.code == 2:
        must_be_refused(made, says=["fact cache"])
    else:
        assert made.code == 0
        assert "publish time of 1 of 1" in made.out


def small_engine(path: Path) -> None:
    """Another module in place of the compiled one: too short, or none at all."""
    for compiled in path.glob("*.cwasm"):
        compiled.unlink()
        compiled.write_bytes(b"\x7fELF not an engine")
        compiled.chmod(0o600)


def engine_of_others(path: Path) -> None:
    for compiled in path.glob("*.cwasm"):
        data = b"\x7fELF"
        compiled.unlink()
        compiled.write_bytes(data)
        compiled.chmod(0o666)


def engine_link(path: Path) -> None:
    for compiled in path.glob("*.cwasm"):
        away = path.parent / "away"
        compiled.rename(away)
        compiled.symlink_to(away)


ENGINE_CACHE: dict[str, tuple[Damage, list[str]]] = {
    "open to all": (open_to_all, ["engine", "private"]),
    "a file that others may write": (engine_of_others, ["private"]),
    "a link in place of the file": (engine_link, ["link"]),
}


@pytest.mark.parametrize("case", ENGINE_CACHE)
def test_p26_an_engine_cache_that_is_not_ours_alone(world: World, case: str) -> None:
    damage, says = ENGINE_CACHE[case]
    damage(world.cache / "engine")
    refused(world, *CHECK, says=says)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [("generate", "shop"), CHECK, ("--help",), ("verify", "--help"), ("--version",)])
def test_a_full_stdout_is_2(world: World, arguments: tuple[str, ...]) -> None:
    """P1: what could not be said was not decided."""
    with Path("/dev/full").open("wb") as full:
        made = world.spawn(*arguments, stdout=full)
    assert made.code == 2, made.err
    assert "Traceback" not in made.err
    assert "Exception ignored" not in made.err


@pytest.mark.parametrize("arguments", [("generate", "shop"), CHECK, ("--help",)])
def test_a_closed_stdout_is_2(world: World, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    made = world.spawn(*arguments, stdout=writer)
    os.close(writer)
    assert made.code == 2, made.err
    assert "Traceback" not in made.err
    assert "Exception ignored" not in made.err


CLOSED = (
    "import os, sys; os.close({number}); os.execv(sys.executable, [sys.executable, '-c', {program!r}, *sys.argv[1:]])"
)


@pytest.mark.parametrize("arguments", [("generate", "shop"), CHECK, ("--help",)])
@pytest.mark.parametrize("number", [1, 2])
def test_a_stream_that_was_never_open(world: World, number: int, arguments: tuple[str, ...]) -> None:
    """`>&-`: without stdout there is no result, so 2; without stderr the result stands."""
    from testkit.commandline import PROGRAM

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with world.start(*arguments, program=CLOSED.format(number=number, program=PROGRAM), **pipes) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == (2 if number == 1 else 0), err.decode()
    assert b"Traceback" not in err
    if number == 2:
        assert out


def test_a_closed_stderr_hides_no_failure(world: World) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    made = world.spawn("check", "nowhere", stderr=writer)
    os.close(writer)
    assert made.code == 2
    assert made.out == ""


# --------------------------------------------------------------------------------------------------------------------
# -o


@pytest.mark.parametrize("target", ["nowhere/bom.json", "shop", "app.tgz/bom.json", "x" * 300])
def test_an_output_that_cannot_be_written(world: World, target: str) -> None:
    refused(world, "generate", "shop", "-o", target, says=[])


def test_an_output_is_replaced_whole(world: World) -> None:
    target = world.root / "bom.json"
    target.write_text("old")
    (world.root / "link.json").symlink_to("bom.json")
    assert world.run("generate", "shop", "-o", "link.json").code == 0
    assert (world.root / "link.json").is_symlink()
    assert json.loads(target.read_bytes())["bomFormat"] == "CycloneDX"
    assert not list(world.root.glob(".*.tmp"))


def test_an_output_that_is_no_file_is_written_into(world: World) -> None:
    """As root, `-o /dev/null` must not replace the device."""
    pipe = world.root / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        made = world.spawn("generate", "shop", "-o", "pipe")
        assert made.code == 0, made.err
        assert os.read(reader, 5) == b'{"bom'
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert world.spawn("generate", "shop", "-o", "/dev/stdout").out.startswith('{"bom')


# --------------------------------------------------------------------------------------------------------------------
# A full disk, by a limit on what a process may write to one file


LIMITED = (
    "import resource, signal, sys\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    "from sbomgate.cli import main\nsys.exit(main())"
)


@pytest.mark.parametrize("size", [0, 100, 2_000, 5_000])
def test_p1_a_full_disk(world: World, size: int) -> None:
    """`gate` on a disk without room: 2, and the evidence that was there is untouched."""
    before = world.snapshot()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with world.start(*world.gate(), program=LIMITED.format(size=size), **pipes) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 2, err.decode()
    assert out == b""
    assert b"Traceback" not in err
    assert err.count(b"error: ") == 1, err.decode()
    assert world.snapshot() == before
    assert world.run(*world.verify()).code == 0


def test_a_full_disk_for_a_result(world: World) -> None:
    before = world.snapshot()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = ("generate", "shop", "-o", "bom.json")
    with world.start(*arguments, program=LIMITED.format(size=100), **pipes) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert b"bom.json" in err
    assert world.snapshot() == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)  # of this process: unchanged


# --------------------------------------------------------------------------------------------------------------------
# Variables of the environment


VARIABLES: dict[str, tuple[dict[str, str], list[str]]] = {
    "SOURCE_DATE_EPOCH: text": ({"SOURCE_DATE_EPOCH": "yesterday"}, ["SOURCE_DATE_EPOCH", "yesterday"]),
    "SOURCE_DATE_EPOCH: empty": ({"SOURCE_DATE_EPOCH": ""}, ["SOURCE_DATE_EPOCH"]),
    "SOURCE_DATE_EPOCH: far": ({"SOURCE_DATE_EPOCH": "9" * 30}, ["SOURCE_DATE_EPOCH"]),
    "SOURCE_DATE_EPOCH: long": ({"SOURCE_DATE_EPOCH": "9" * 5000}, ["SOURCE_DATE_EPOCH"]),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_variables_that_mean_nothing(world: World, case: str) -> None:
    variables, says = VARIABLES[case]
    refused(world, "generate", "shop", says=says, env=world.environment(**variables))


def test_a_working_directory_that_is_gone(world: World, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from sbomgate.cli import main; sys.exit(main())"
    with world.start("check", program=program, cwd=gone, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == b""
    assert b"Traceback" not in err


def test_an_ascii_terminal_loses_nothing_and_breaks_nothing(world: World) -> None:
    """The report is UTF-8 whatever the locale says; what an error repeats cannot break the error."""
    env = world.environment(PYTHONPATH=os.pathsep.join(sys.path), LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    made = world.spawn(*CHECK, env=env)
    assert made.code == 0, made.err
    assert "·" in made.out
    broken = world.spawn("generate", "prøject", env=env)
    must_be_refused(broken, says=["ject"])


def test_nothing_of_the_home_folder_is_shown(world: World) -> None:
    """P40: neither a result nor a message names the user's home."""
    for arguments in (CHECK, (*CHECK, "--json"), (*CHECK, "--verbose"), ("generate", "shop"), world.verify()):
        made = world.run(*arguments)
        assert made.code == 0
        must_be_discreet(made)
