"""`sbomgate generate` against `npm sbom`, whole processes, in alternation on the same lockfile made by npm.

    python benchmarks/generate.py [--rounds 7] [--project DIR]

Without `--project` npm makes a lockfile of about 1,500 packages (kept in build/bench, needs the registry once). Prints
the medians and their ratio; exits 1 when the ratio is above the bar.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BAR = 0.15
INSTALL = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--legacy-peer-deps"]
# An installed package has its bytecode; a checkout must be allowed to keep it for the comparison to be the same.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["PYTHONPATH"] = str(ROOT)  # the commands run in the project's directory
DEPENDENCIES = {
    "react-scripts": "5.0.1",
    "gulp": "4.0.2",
    "nodemon": "3.1.0",
    "mocha": "10.4.0",
    "eslint-config-airbnb": "19.0.4",
    "nyc": "15.1.0",
}


def project() -> Path:
    """Return a directory with a package.json and the lockfile that npm made of it."""
    directory = ROOT / "build" / "bench"
    if not (directory / "package-lock.json").exists():
        directory.mkdir(parents=True, exist_ok=True)
        manifest = {"name": "bench", "version": "1.0.0", "private": True, "dependencies": DEPENDENCIES}
        (directory / "package.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        subprocess.run(
            [*INSTALL, "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved=false"],
            cwd=directory,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return directory


def measure(command: list[str], directory: Path) -> float:
    """Return the seconds that a command took; it must print a JSON object."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=directory, capture_output=True, check=False, env=ENVIRONMENT)
    seconds = time.perf_counter() - start
    if done.returncode != 0 or not done.stdout.lstrip().startswith(b"{"):
        sys.exit(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.decode()[-500:]}")
    return seconds


def main() -> int:
    """Measure, print, and return 1 above the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--command", help="what to measure instead of `python -m sbomgate.cli generate`")
    arguments = parser.parse_args()
    directory = (arguments.project or project()).resolve()
    lock = json.loads((directory / "package-lock.json").read_bytes())
    ours = arguments.command.split() if arguments.command else [sys.executable, "-m", "sbomgate.cli", "generate"]
    commands = {
        "sbomgate generate": ours,
        "npm sbom": ["npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx", "--legacy-peer-deps"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        measure(command, directory)  # warm: page cache, bytecode
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            seconds[name].append(measure(command, directory))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{len(lock.get('packages', lock.get('dependencies', {}))):,} entries, median of {arguments.rounds}")
    for name, median in medians.items():
        print(f"  {name:18} {median:.3f} s   (fastest {min(seconds[name]):.3f} s)")
    ratio = medians["sbomgate generate"] / medians["npm sbom"]
    print(f"  ratio              {ratio:.3f}     (bar {BAR})")
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
