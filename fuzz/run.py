"""Feed the readers what nobody should write: `python fuzz/run.py [HARNESS …] [--runs N] [--atheris SECONDS]`.

Every reader gets its kept corpus, then `--runs` other inputs made of it: the same ones each time. With --atheris (from
PyPI, `pip install atheris`) coverage leads the way instead, for so many seconds a reader.

What may come out of a reader is an error of `sbomgate.errors`, or a value. Anything else is a finding, and so are more
than CPU_SECONDS of processor time for one input, and more than MEMORY_BYTES of memory. What is found is kept in
corpus/HARNESS/found-*. Exit code: 0 nothing found, 1 something.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import pkgutil
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CORPUS = HERE / "corpus"
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is tried

from fuzz import harnesses, inputs  # noqa: E402
from sbomgate.errors import SbomgateError  # noqa: E402

CPU_SECONDS = 20
"""For one input: a thousand times what the largest takes here, so that no slow machine reaches it."""

MEMORY_BYTES = 3 << 30
"""Address space of a process that reads: the interpreter, the libraries, and what 64 KiB of input may grow to."""

RUNS = 2000
SEED = 20261121


class HangError(BaseException):
    """An input took more than CPU_SECONDS. No reader may catch it."""


def names() -> list[str]:
    """Return every harness."""
    return sorted(module.name for module in pkgutil.iter_modules(harnesses.__path__))


def corpus(name: str) -> dict[str, bytes]:
    """Return the kept inputs of a harness, by name."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).iterdir())}


def load(name: str) -> ModuleType:
    """Return a harness."""
    return importlib.import_module(f"fuzz.harnesses.{name}")


def try_one(harness: ModuleType, data: bytes) -> BaseException | None:
    """Read one input; return what must not have come out of the reader."""
    allowed = (SbomgateError, *getattr(harness, "ALLOWED", ()))
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        harness.read(data)
    except allowed:
        return None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - this is what is looked for
        return error
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def bound() -> None:
    """Limit this process."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise HangError(f"more than {CPU_SECONDS} s of processor time for one input")

    signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def run(name: str, runs: int, seed: int) -> int:
    """Run one harness in this process; print a line; return how many different things were found."""
    harness = load(name)
    kept = corpus(name)
    chance = random.Random(f"{seed} {name}")
    whole = list(kept.values())
    found: set[str] = set()
    accepted = 0
    started = time.process_time()

    def one(data: bytes, how: str) -> None:
        error = try_one(harness, data)
        if error is not None and (where := _where(error)) not in found:
            found.add(where)
            print(f"{name}: {how}: {where}: {error!r}"[:600], file=sys.stderr)
            keep(name, data)

    for title, data in kept.items():
        one(data, title)
    for number in range(runs):
        one(inputs.mutated(chance.choice(whole), whole, chance), f"run {number}")
    for data in whole:
        try:
            harness.read(data)
            accepted += 1
        except (SbomgateError, *getattr(harness, "ALLOWED", ())):
            pass
    took = time.process_time() - started
    if not accepted:
        found.add("no seed is read: nothing behind the door is tried")
        print(f"{name}: no seed is read", file=sys.stderr)
    print(f"{name:20} {len(kept):3} kept, {accepted:3} of them read, {runs:6} made, {took:6.1f} s, {len(found)} found")
    return len(found)


def keep(name: str, data: bytes) -> None:
    """Keep an input that broke a reader, for good."""
    (CORPUS / name / f"found-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


def _where(error: BaseException) -> str:
    """Return the innermost line of sbomgate that an exception passed: what is found twice there is one thing."""
    trace, last = error.__traceback__, "?"
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if f"{os.sep}sbomgate{os.sep}" in file:
            last = f"{file.rpartition(f'{os.sep}sbomgate{os.sep}')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {last}"


def led_by_coverage(name: str, seconds: int, seed: int) -> None:
    """Run one harness under atheris; ends the process, with a code that is not 0 where something was found."""
    import atheris

    with atheris.instrument_imports(include=["sbomgate"]):
        harness = load(name)
        for data in corpus(name).values():
            try_one(harness, data)  # what is imported late is instrumented as well
    whole = list(corpus(name).values())

    def read(data: bytes) -> None:
        error = try_one(harness, data)
        if error is not None:
            print(f"{name}: {_where(error)}: {error!r}"[:600], file=sys.stderr)
            keep(name, data)
            raise error

    def change(data: bytes, size: int, number: int) -> bytes:
        chance = random.Random(number)
        if chance.random() < 0.3:
            return bytes(atheris.Mutate(data, size))
        return inputs.mutated(data, whole, chance)[:size]

    target: Callable[[bytes], None] = read
    arguments = [
        sys.argv[0], str(CORPUS / name), f"-max_total_time={seconds}", f"-seed={seed}", "-rss_limit_mb=3072",
        f"-max_len={inputs.MAX_BYTES}", "-verbosity=0", "-print_final_stats=1", "-timeout=600",
        f"-artifact_prefix={CORPUS / name}/found-",
    ]  # fmt: skip
    import tempfile

    with tempfile.TemporaryDirectory() as grown:
        atheris.Setup([arguments[0], grown, *arguments[1:]], target, custom_mutator=change)
        atheris.Fuzz()


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("harness", nargs="*", choices=[*names(), []])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--atheris", type=int, metavar="SECONDS")
    args = parser.parse_args()
    chosen = args.harness or names()
    if len(chosen) == 1:
        bound()
        if args.atheris:
            led_by_coverage(chosen[0], args.atheris, args.seed)
        return 1 if run(chosen[0], args.runs, args.seed) else 0

    def apart(name: str) -> int:
        # A process each: a limit of its own, and the order of sets is the same each time.
        more = ["--atheris", str(args.atheris)] if args.atheris else []
        command = [sys.executable, __file__, name, "--runs", str(args.runs), "--seed", str(args.seed), *more]
        environment: dict[str, Any] = {**os.environ, "PYTHONHASHSEED": "0"}
        return subprocess.run(command, check=False, env=environment).returncode

    with ThreadPoolExecutor(1 if args.atheris else os.cpu_count() or 1) as pool:
        failed = [name for name, code in zip(chosen, pool.map(apart, chosen), strict=True) if code]
    print(
        f"{len(chosen)} readers, {len(failed)} with findings: {', '.join(failed)}"
        if failed
        else f"{len(chosen)} readers, nothing found"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
