"""How fast it is, measured and compared with its bars: `python benchmarks/bench.py [--rounds 5]`.

It measures the installed `sbomgate` as whole processes, interpreter and imports included, with nothing but the standard
library. It needs npm, and the registry once, to make the lockfile; with `opa` on PATH it measures that too. Prints a
table in Markdown and exits 1 when a bar is missed.

A machine that does other work is slower on the clock: compare the processor seconds beside it, and take the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is measured

from benchmarks import processes, workload  # noqa: E402
from benchmarks.processes import Command, alternate, median  # noqa: E402
from testkit.engines import find_opa  # noqa: E402
from testkit.sigstore import TestSigstore  # noqa: E402

WORK = ROOT / "build" / "bench"
POLICY_PACKAGES = 2000
MANY = 20_000
LINEAR = 1.2  # times what ten times as many packages would take, were it linear


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: a figure with its unit, and the bar that it must not be above."""

    work: str
    figure: float
    bar: float
    unit: str = " s"
    cpu: float | None = None
    beside: str = ""


def main() -> int:
    """Measure, print, and return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each whole process")
    rounds: int = parser.parse_args().rounds
    sbomgate = shutil.which("sbomgate", path=str(Path(sys.executable).parent)) or "sbomgate"
    project, aside, cache = WORK / "project", WORK / "aside", WORK / "cache"
    aside.mkdir(parents=True, exist_ok=True)
    now = workload.now()
    sigstore = TestSigstore(now)
    graph = workload.project(project)
    known = workload.collected(graph, now, sigstore)
    trust = workload.trust(aside, known, sigstore)
    workload.fill_cache(cache / "sbomgate" / "facts", known)
    inputs = workload.policy_inputs(graph, POLICY_PACKAGES, now, sigstore)
    inputs |= {f"{name} many": data for name, data in workload.policy_inputs(graph, MANY, now, sigstore).items()}
    for name, data in inputs.items():
        (aside / f"{name}.json").write_bytes(data)
    count = f"{len(graph.packages) - 1:,} packages"

    # As it is installed: bytecode may be kept, and nothing of the surroundings is seen.
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    environment["XDG_CACHE_HOME"] = str(cache)

    def command(*argv: str, exit_code: int = 0, **variables: str) -> Command:
        return Command(argv=argv, directory=project, environment=environment | variables, exit_code=exit_code)

    rows = [*_generate(command(sbomgate, "generate"), command(*_NPM), count, rounds)]
    for old in (aside / "evidence", *aside.glob("store-*")):
        shutil.rmtree(old, ignore_errors=True)
    (aside / "bench.tgz").write_bytes(b"what ships\n")
    about = ("--trust", trust)
    recorded = ("--facts", str(aside / "facts.sigstore.json"), "--offline")
    stored = ("--store", str(aside / "evidence"))
    subject = f"file:{aside / 'bench.tgz'}"
    gate = (sbomgate, "gate", ".", "--subject", subject, "--key", str(aside / "release.key"), *about, *recorded)
    processes.run(command(*gate, *stored))
    # `gate` believes no cached facts (P26): for `check` to have as much to read there are none, and no tarballs either.
    bare = aside / "bare"
    shutil.rmtree(bare, ignore_errors=True)
    shutil.copytree(cache / "sbomgate" / "engine", bare / "sbomgate" / "engine")
    for folder in (bare / "sbomgate", bare / "sbomgate" / "engine"):
        folder.chmod(0o700)
    rows += _beyond(
        command(sbomgate, "check", *about, *recorded, HOME=str(bare), XDG_CACHE_HOME=str(bare)),
        [
            command(*gate, "--store", str(aside / f"store-{at}"), HOME=str(bare), XDG_CACHE_HOME=str(bare))
            for at in range(2 * rounds + 1)
        ],
    )
    rows += _processes(
        {
            f"`check`, {count}, facts cached, {workload.ATTESTED} attested": (command(sbomgate, "check", *about), 1.5),
            "`verify` of that project's evidence": (command(sbomgate, "verify", subject, *about, *stored), 0.6),
            "`--help`": (command(sbomgate, "--help"), 0.15),
        },
        rounds,
    )
    rows += _engines(command, aside, cache, inputs, rounds)
    _print(rows, rounds)
    return 1 if any(row.figure > row.bar for row in rows) else 0


_NPM = ("npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx", "--legacy-peer-deps")


def _generate(ours: Command, npms: Command, count: str, rounds: int) -> list[Row]:
    """`generate` beside `npm sbom` on the same lockfile: the ratio pair by pair."""
    times = alternate({"ours": ours, "npm": npms}, rounds)
    pairs = list(zip(times["ours"], times["npm"], strict=True))
    mine, theirs = median(times["ours"]), median(times["npm"])
    return [
        Row(
            work=f"`generate`, {count}, in `npm sbom`'s time",
            figure=statistics.median(a.wall / b.wall for a, b in pairs),
            cpu=statistics.median(a.cpu / b.cpu for a, b in pairs),
            bar=0.15,
            unit="",
            beside=f"{mine.wall:.3f} s ({mine.cpu:.3f}) to {theirs.wall:.3f} s ({theirs.cpu:.3f})",
        )
    ]


def _beyond(check: Command, gates: Sequence[Command]) -> list[Row]:
    """What signing and storing take: `gate` into a store of its own each time, after `check` by the same facts."""
    pairs = [(processes.run(check)[0], processes.run(gate)[0]) for gate in gates][1:]
    return [
        Row(
            work="`gate` with a local key, beyond `check`",
            figure=statistics.median(gate.wall - check.wall for check, gate in pairs),
            cpu=statistics.median(gate.cpu - check.cpu for check, gate in pairs),
            bar=0.05,
        )
    ]


def _processes(commands: Mapping[str, tuple[Command, float]], rounds: int) -> list[Row]:
    times = alternate({name: command for name, (command, _) in commands.items()}, rounds)
    return [
        Row(work=name, figure=median(times[name]).wall, cpu=median(times[name]).cpu, bar=bar)
        for name, (_, bar) in commands.items()
    ]


def _engines(
    command: Callable[..., Command], aside: Path, cache: Path, inputs: Mapping[str, bytes], rounds: int
) -> list[Row]:
    """Inside one process: start of the engine, and the default policy over many packages."""
    kept = cache / "sbomgate" / "engine"
    script = str(ROOT / "benchmarks" / "engine.py")

    def ask(*arguments: str) -> dict[str, float]:
        told: dict[str, float] = json.loads(processes.run(command(sys.executable, script, *arguments))[1])
        return told

    first = []
    for _ in range(max(1, rounds // 2)):
        shutil.rmtree(aside / "fresh", ignore_errors=True)
        first.append(ask(str(aside / "fresh"))["start"])
    later = [ask(str(kept))["start"] for _ in range(rounds)]
    rows = [
        Row(work="embedded engine, first start", figure=statistics.median(first), bar=6),
        Row(work="embedded engine, later starts", figure=statistics.median(later), bar=0.2),
    ]
    opa = find_opa()
    engines = {"embedded": (0.25, "")} | ({"OPA server": (0.1, str(opa))} if opa is not None else {})
    for name in (name for name in inputs if not name.endswith(" many")):
        for engine, (bar, binary) in engines.items():
            told, many = (
                ask(str(kept), str(aside / f"{which}.json"), *([binary] if binary else []))
                for which in (name, f"{name} many")
            )
            over = f"default policy over {POLICY_PACKAGES:,} packages, {name}, {engine}"
            restored = "" if binary else f"{told['restored']:.3f} s with reading the compiled policy"
            rows += [
                Row(work=over, figure=told["evaluate"], cpu=told["cpu"], bar=bar, beside=restored),
                Row(
                    work=f"{MANY:,} packages, {name}, {engine}, in {MANY // POLICY_PACKAGES} times that",
                    figure=many["evaluate"] / told["evaluate"] * POLICY_PACKAGES / MANY,
                    cpu=many["cpu"] / told["cpu"] * POLICY_PACKAGES / MANY,
                    bar=LINEAR,
                    unit="",
                    beside=f"{many['evaluate']:.2f} s",
                ),
            ]
    return rows


def _print(rows: list[Row], rounds: int) -> None:
    print(f"\nMedians of {rounds}.\n")
    print("| work | clock | processor | bar | | |\n|---|---|---|---|---|---|")
    for row in rows:
        cpu = "" if row.cpu is None else f"{row.cpu:.3f}{row.unit}"
        verdict = "within" if row.figure <= row.bar else "**over**"
        print(f"| {row.work} | {row.figure:.3f}{row.unit} | {cpu} | {row.bar:g}{row.unit} | {verdict} | {row.beside} |")


if __name__ == "__main__":
    sys.exit(main())
