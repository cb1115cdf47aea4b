"""Whole processes, timed from outside: wall clock, and the user and system time that the system accounts to them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run, where, with what in the environment, and the exit code that says that it did its work."""

    argv: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds of wall clock, and of processor: user and system, all threads."""

    wall: float
    cpu: float


def run(command: Command) -> tuple[Times, bytes]:
    """Run it once and return what it took and what it printed. Stops everything where it did not do its work."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            cwd=command.directory,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        printed = out.read()
        if process.returncode != command.exit_code:
            said = (printed + err.read()).decode("utf-8", "replace")[-800:]
            sys.exit(f"{' '.join(command.argv)}: exit code {process.returncode}, expected {command.exit_code}\n{said}")
    return Times(wall=wall, cpu=usage.ru_utime + usage.ru_stime), printed


def alternate(commands: Mapping[str, Command], rounds: int) -> dict[str, list[Times]]:
    """Run each once to warm up, then all in turn `rounds` times: a machine that slows down slows all of them."""
    for command in commands.values():
        run(command)
    times: dict[str, list[Times]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(run(command)[0])
    return times


def median(times: Sequence[Times]) -> Times:
    """Return the median of each figure."""
    return Times(wall=statistics.median(t.wall for t in times), cpu=statistics.median(t.cpu for t in times))
