"""`generate` beside its peers in one run: `python benchmarks/peers.py [--rounds 5] [--data DIR] [--no-large]`.

Measured as whole processes, in turn: sbomgate as it is installed, `npm sbom`, cyclonedx-npm, cdxgen and pnpm's own
`sbom`, which npm fetches once into build/peers. DIR holds real lockfiles with their truth (`lockfiles/NAME/`,
`truth/NAME.json`); what it lacks is left out, saying so. Then the missing and extra packages and edges of each SBOM
against the truth, and made lockfiles of 1,000, 10,000 and 100,000 packages in every format. Prints tables in Markdown
and exits 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is measured

from benchmarks.processes import Command, Times, alternate, median  # noqa: E402
from testkit.locks import FORMATS, convert  # noqa: E402

WORK = ROOT / "build" / "peers"
PEERS = {"@cyclonedx/cyclonedx-npm": "6.0.1", "@cyclonedx/cdxgen": "12.8.4", "pnpm": "12.21.0", "npm": "11.19.1"}
OWN = ("root", "workspace", "dir", "link")
MUST = ("prod", "dev", "optional")
BARS = {"npm": 0.15, "cyclonedx-npm": 0.1, "cdxgen": 0.1, "pnpm": 1.0}
MEMORY_MIB = 100
LARGE = (1_000, 10_000, 100_000)
LINEAR = 1.5  # ten times the packages in at most this many times ten times the time
Pair = tuple[tuple[str, str], tuple[str, str]]


def main() -> int:
    """Measure, print, and return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each whole process")
    parser.add_argument("--data", type=Path, default=WORK / "data", help="folder with lockfiles/ and truth/")
    parser.add_argument("--no-large", action="store_true", help="leave out the made lockfiles")
    told = parser.parse_args()
    modules = _install()
    print(f"\nMedians of {told.rounds}.\n")
    within = True
    print("| lockfile | tool | clock | processor | sbomgate's share (clock, processor) | bar | | peak memory |")
    print("|---|---|---|---|---|---|---|---|")
    truths = []
    for name, tools in {
        "create-react-app": ("npm", "cyclonedx-npm"),
        "apollo-client": ("npm", "cyclonedx-npm", "cdxgen"),
        "payload": ("pnpm", "cdxgen"),
    }.items():
        project = told.data / "lockfiles" / name
        if not project.is_dir():
            print(f"| {name} | not in {told.data.name} | | | | | | |")
            continue
        good, sboms = _compare(name, _copied(project), tools, modules, told.rounds)
        within &= good
        truths.append((name, told.data / "truth" / f"{name}.json", sboms))
    _print_truths(truths)
    if not told.no_large:
        within &= _large(told.rounds)
    return 0 if within else 1


def _copied(project: Path) -> Path:
    """Return a copy without `devEngines`: npm and cyclonedx-npm refuse what this machine does not meet."""
    copy = WORK / "projects" / project.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project, copy)
    for path in (copy / "package.json", copy / "package-lock.json"):
        if path.is_file():
            document = json.loads(path.read_bytes())
            for one in (document, document.get("packages", {}).get("", {})):
                one.pop("devEngines", None)
            path.write_text(json.dumps(document, indent=2))
    return copy


def _install() -> Path:
    home = WORK / "tools"
    wanted = json.dumps({"private": True, "dependencies": PEERS}, indent=2)
    kept = home / "package.json"
    if not kept.is_file() or kept.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        kept.write_text(wanted)
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(["npm", "install", *flags], cwd=home, check=False).returncode:
            kept.unlink()
            sys.exit("npm cannot install the peers")
    return home / "node_modules"


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return {**kept, "NO_COLOR": "1", "CDXGEN_DEBUG_MODE": "", "FETCH_LICENSE": "false"}


def _commands(tools: tuple[str, ...], project: Path, modules: Path) -> dict[str, Command]:
    sbomgate = shutil.which("sbomgate", path=str(Path(sys.executable).parent)) or "sbomgate"
    native = next(iter(modules.glob("@pnpm/exe.*/pnpm")), modules / ".bin" / "pnpm")
    cdxgen = ["node", str(modules / "@cyclonedx/cdxgen/bin/cdxgen.js"), "-t", "js", "--no-install-deps", "--no-babel"]
    known = {
        "sbomgate": [sbomgate, "generate"],
        "npm": [
            *("node", str(modules / "npm/bin/npm-cli.js"), "sbom", "--package-lock-only", "--sbom-format", "cyclonedx"),
            *("--legacy-peer-deps", "--force"),
        ],
        "cyclonedx-npm": [
            *("node", str(modules / "@cyclonedx/cyclonedx-npm/bin/cyclonedx-npm-cli.js"), "--package-lock-only"),
            *("--ignore-npm-errors", "--output-file", "-"),
        ],
        "cdxgen": [*cdxgen, "-o", str(project.parent / f"{project.name}.cdxgen.json"), "."],
        "pnpm": [str(native), "--pm-on-fail=ignore", "sbom", "--sbom-format", "cyclonedx", "--lockfile-only"],
    }
    environment = _environment()
    return {
        tool: Command(argv=known[tool], directory=project, environment=environment) for tool in ("sbomgate", *tools)
    }


def _compare(
    name: str, project: Path, tools: tuple[str, ...], modules: Path, rounds: int
) -> tuple[bool, dict[str, dict[str, Any]]]:
    commands = _commands(tools, project, modules)
    for tool in tools:
        if (said := _refusal(commands[tool])) is not None:
            print(f"| {name} | {tool} | refuses: {said} | | | | | |")
            del commands[tool]
    times = alternate(commands, rounds)
    mine, within = median(times["sbomgate"]), True
    for tool, command in commands.items():
        mib, ran = _peak(command), median(times[tool])
        share, bar, verdict = "", "", ""
        if tool != "sbomgate":
            clock, processor = _share(times["sbomgate"], times[tool])
            good = clock <= BARS[tool]
            within &= good
            share, bar, verdict = f"{clock:.3f}, {processor:.3f}", f"{BARS[tool]:g}", "within" if good else "**over**"
        else:
            good = mib <= MEMORY_MIB
            within &= good
            bar, verdict = f"{MEMORY_MIB} MiB", "within" if good else "**over**"
        print(f"| {name} | {tool} | {ran.wall:.3f} s | {ran.cpu:.3f} s | {share} | {bar} | {verdict} | {mib:.0f} MiB |")
    assert mine.wall > 0
    return within, {tool: _sbom(tool, command, project) for tool, command in commands.items()}


def _refusal(command: Command) -> str | None:
    """Return what a peer says where it makes no SBOM of this lockfile."""
    done = subprocess.run(
        command.argv, cwd=command.directory, env=dict(command.environment), capture_output=True, check=False
    )
    if not done.returncode:
        return None
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").splitlines()
    return next((one for one in lines if "rror" in one and "code" not in one), f"exit code {done.returncode}")[:100]


def _share(mine: list[Times], theirs: list[Times]) -> tuple[float, float]:
    pairs = list(zip(mine, theirs, strict=True))
    return statistics.median(a.wall / b.wall for a, b in pairs), statistics.median(a.cpu / b.cpu for a, b in pairs)


_PEAK = "import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],stdout=-3,stderr=-3)\n"
_PEAK += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


def _peak(command: Command) -> float:
    """Return the peak memory of a command and its children, in MiB, measured by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *command.argv],
        cwd=command.directory,
        env=dict(command.environment),
        capture_output=True,
        check=True,
    )
    return int(done.stdout) / (1 << 10 if sys.platform != "darwin" else 1 << 20)


def _sbom(tool: str, command: Command, project: Path) -> dict[str, Any]:
    done = subprocess.run(
        command.argv, cwd=command.directory, env=dict(command.environment), capture_output=True, check=False
    )
    data = (project.parent / f"{project.name}.cdxgen.json").read_bytes() if tool == "cdxgen" else done.stdout
    found: dict[str, Any] = json.loads(data)
    return found


# --------------------------------------------------------------------------------------------------------------------
# Against the truth


def _name_version(purl: str) -> tuple[str, str]:
    name, _, version = purl.split("?")[0].split("#")[0].removeprefix("pkg:npm/").rpartition("@")
    return urllib.parse.unquote(name), urllib.parse.unquote(version)


def differences(sbom: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, int]:
    """Return how many packages and edges are missing and extra, folded to name and version.

    A package is one with an npm purl; peer edges may be there. What belongs to the project itself is not counted.
    """
    refs: dict[str, tuple[str, str]] = {}
    todo = list(sbom.get("components", []))
    while todo:
        one = todo.pop()
        todo += one.get("components", [])
        if str(one.get("purl", "")).startswith("pkg:npm/"):
            refs[one["bom-ref"]] = _name_version(one["purl"])
    external = {c["key"]: (c["name"], c["version"]) for c in truth["components"] if c["kind"] not in OWN}
    own = {c["name"] for c in truth["components"] if c["kind"] in OWN}
    edges: set[Pair] = {
        (refs[one["ref"]], refs[target])
        for one in sbom.get("dependencies", [])
        if one["ref"] in refs
        for target in one.get("dependsOn", [])
        if target in refs
    }
    may = {(external[a], external[b]) for a, b, _ in truth["edges"] if a in external and b in external}
    must = {(external[a], external[b]) for a, b, k in truth["edges"] if a in external and b in external and k in MUST}
    packages, true = set(refs.values()), set(external.values())
    return {
        "missing packages": len(true - packages),
        "extra packages": len([one for one in packages - true if one[0] not in own]),
        "missing edges": len(must - edges),
        "extra edges": len([e for e in edges - may if e[0][0] not in own and e[1][0] not in own]),
    }


def _print_truths(found: list[tuple[str, Path, dict[str, dict[str, Any]]]]) -> None:
    print("\n| lockfile | tool | packages missing | extra | edges missing | extra |\n|---|---|---|---|---|---|")
    for name, path, sboms in found:
        truth = json.loads(path.read_bytes())
        for tool, sbom in sboms.items():
            print(f"| {name} | {tool} | {' | '.join(str(n) for n in differences(sbom, truth).values())} |")


# --------------------------------------------------------------------------------------------------------------------
# Made lockfiles


def made(count: int) -> dict[str, Any]:
    """Return npm's lockfile of so many packages, each of which asks for three others; the root asks for a tenth."""
    packages: dict[str, Any] = {}
    for n in range(count):
        asked = {f"package-{(n * 7 + k * 131) % count}": f"1.{(n * 7 + k * 131) % count % 9}.0" for k in (1, 2, 3)}
        asked.pop(f"package-{n}", None)
        version = f"1.{n % 9}.0"
        packages[f"node_modules/package-{n}"] = {
            "version": version,
            "resolved": f"https://registry.npmjs.org/package-{n}/-/package-{n}-{version}.tgz",
            "integrity": "sha512-" + f"{n:086d}" + "==",
            "dependencies": dict(sorted(asked.items())),
        }
    root = {
        "name": "made",
        "version": "1.0.0",
        "dependencies": {f"package-{n}": f"1.{n % 9}.0" for n in range(0, count, 10)},
    }
    return {"name": "made", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": root, **packages}}


def _large(rounds: int) -> bool:
    print("\n| made lockfile of | 1,000 | 10,000 | 100,000 | times for ten times as many | peak memory of the last | |")
    print("|---|---|---|---|---|---|---|")
    sbomgate = shutil.which("sbomgate", path=str(Path(sys.executable).parent)) or "sbomgate"
    commands: dict[tuple[str, int], Command] = {}
    for count in LARGE:
        lock = made(count)
        for format_, name in FORMATS.items():
            folder = WORK / "made" / f"{format_}-{count}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text(json.dumps(lock["packages"][""]))
            (folder / name).write_bytes(convert(lock, format_))
            commands[format_, count] = Command(
                argv=[sbomgate, "generate", "-o", "sbom.json"], directory=folder, environment=_environment()
            )
    within = True
    for format_ in FORMATS:
        taken = []
        for count in LARGE:
            runs = alternate({"": commands[format_, count]}, rounds if count < LARGE[-1] else max(1, rounds // 2))
            taken.append(median(runs[""]).cpu)
        ratios = [after / before for before, after in itertools.pairwise(taken)]
        good = ratios[-1] <= 10 * LINEAR
        within &= good
        cells = " | ".join(f"{seconds:.2f} s" for seconds in taken)
        mib = _peak(commands[format_, LARGE[-1]])
        shown = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"| {format_} | {cells} | {shown} | {mib:.0f} MiB | {'linear' if good else '**not linear**'} |")
    return within


if __name__ == "__main__":
    sys.exit(main())
