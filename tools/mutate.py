"""Mutation testing: `python tools/mutate.py MODULE [--sample 60]`; needs `pip install cosmic-ray`. Not part of CI.

Copies the tree, lets cosmic-ray change one thing of the module at a time (an operator, a comparison, a number, a `not`,
an exception), and runs the tests that mirror it. With --sample, every n-th change only, so that about so many are
tried: the same ones each time. Prints the score, and what the tests did not notice.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TESTS = {
    "sbomgate/decision.py": ["tests/unit/test_decision.py", "tests/unit/evidence/test_altered.py"],
    "sbomgate/dsse.py": ["tests/unit/signing/test_local_key.py", "tests/unit/signing/test_verify.py",
                         "tests/unit/test_decision.py", "tests/unit/evidence/test_summaries.py"],
    "sbomgate/trust.py": ["tests/unit/test_trust.py"],
}  # fmt: skip
"""What is no mirror by name; a module of provenance/ is tested by that folder's tests."""

SECONDS = 120
"""For the tests of one change; a change that makes them run for ever is noticed."""


def tests_of(module: str) -> list[str]:
    """Return the tests that mirror a module."""
    if module in TESTS:
        return TESTS[module]
    folder, _, name = module.removeprefix("sbomgate/").rpartition("/")
    mirror = f"tests/unit/{folder}/test_{name.removesuffix('.py').lstrip('_')}.py"
    return [mirror] if folder != "provenance" and (ROOT / mirror).is_file() else [f"tests/unit/{folder}"]


def main() -> int:
    """Try the changes; print the survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", help="sbomgate/decision.py")
    parser.add_argument("--sample", type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", ".tools", "__pycache__", "corpus", "out", "*_cache")
        shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
        command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {' '.join(tests_of(args.module))}"
        (Path(folder) / "config.toml").write_text(
            f'[cosmic-ray]\nmodule-path = "{args.module}"\ntimeout = {SECONDS}.0\nexcluded-modules = []\n'
            f'test-command = "{command}"\n[cosmic-ray.distributor]\nname = "local"\n'
        )
        environment = {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

        def cosmic_ray(*arguments: str) -> str:
            called = [sys.executable, "-m", "cosmic_ray.cli", *arguments]
            done = subprocess.run(called, cwd=copy, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            return done.stdout

        cosmic_ray("baseline", "../config.toml")  # the tests pass without a change
        cosmic_ray("init", "../config.toml", "../session.sqlite")
        _sample(Path(folder) / "session.sqlite", args.sample)
        cosmic_ray("exec", "../config.toml", "../session.sqlite")
        return _report(Path(folder) / "session.sqlite", args.module)


def _sample(session: Path, wanted: int | None) -> None:
    """Keep every n-th change, by its place; none of `|`, which stands in annotations that nobody runs."""
    with sqlite3.connect(session) as database:
        rows = database.execute(
            "SELECT job_id FROM mutation_specs WHERE operator_name NOT LIKE '%BinaryOperator_BitOr%' "
            "ORDER BY start_pos_row, start_pos_col, operator_name, occurrence"
        ).fetchall()
        step = max(1, len(rows) // wanted) if wanted else 1
        kept = rows[::step]
        for table in ("mutation_specs", "work_items"):
            database.execute(
                f"DELETE FROM {table} WHERE job_id NOT IN ({','.join('?' * len(kept))})", [k for (k,) in kept]
            )


def _report(session: Path, module: str) -> int:
    with sqlite3.connect(session) as database:
        found = database.execute(
            "SELECT s.operator_name, s.start_pos_row, r.test_outcome, r.diff FROM mutation_specs s "
            "JOIN work_results r ON r.job_id = s.job_id ORDER BY s.start_pos_row, s.operator_name"
        ).fetchall()
    survived = [one for one in found if "SURVIVED" in str(one[2]).upper()]
    for operator, line, _, diff in survived:
        changed = [part for part in diff.splitlines() if part[:1] in "+-" and not part.startswith(("+++", "---"))]
        print(f"{module}:{line} {operator.rpartition('/')[2]}", *changed, "", sep="\n")
    print(f"{module}: {len(found)} changes tried, {len(found) - len(survived)} noticed, {len(survived)} not")
    return 0


if __name__ == "__main__":
    sys.exit(main())
