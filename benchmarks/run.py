"""All bars side by side: `make bench`, or `python benchmarks/run.py [--rounds 5] [--data DIR]`.

Runs each benchmark beside this file in turn, never two at once, shows what it prints, and writes its table into
docs/benchmarks.md, with the date and the machine. The peers of `generate` take ten minutes and need the real lockfiles:
they run where DIR is given. Exits 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"


def main() -> int:
    """Measure, write, and return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="the folder with lockfiles/ and truth/ that peers.py needs")
    args = parser.parse_args()
    rounds = ["--rounds", str(args.rounds)]
    scripts = {"bench": rounds, "facts": rounds, "lists": [], "store": ["--builds", "300"]}
    if args.data is not None:
        scripts["peers"] = ["--data", str(args.data)]
    missed = False
    for name, arguments in scripts.items():
        ran = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), *arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        sys.stdout.write(ran.stdout)
        if ran.returncode not in (0, 1) or "|---|" not in ran.stdout:
            sys.exit(f"{name}.py ended with code {ran.returncode} and no table")
        missed |= ran.returncode == 1
        _write(name, ran.stdout.strip())
    return 1 if missed else 0


def _write(name: str, table: str) -> None:
    """Put the table between its two marks."""
    where = (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )
    load = (
        f", load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors" if hasattr(os, "getloadavg") else ""
    )
    begin, end = f"<!-- {name}: written by benchmarks/run.py -->", f"<!-- end of {name} -->"
    page, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}",
        lambda _: f"{begin}\n{where}{load}.\n\n{table}\n{end}",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if count != 1:
        sys.exit(f"docs/benchmarks.md: expected one place for {name}, found {count}")
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
