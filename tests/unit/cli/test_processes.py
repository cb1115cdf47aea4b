"""Work in several processes: in order, with its errors, and no process outlives it (P1)."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import sbomgate
import testkit
from sbomgate.cli import _processes
from sbomgate.errors import EvidenceError, PolicyError
from testkit.doubling import Doubler


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_processes, "_processors", lambda: 2)


@pytest.mark.parametrize("count", [0, 1, _processes.FEW, 20])
def test_in_order(count: int) -> None:
    told: list[tuple[int, int]] = []
    with _processes.workers(Doubler) as workers:
        found = workers.map(range(count), lambda done, all_: told.append((done, all_)))
        assert found == [2 * n for n in range(count)]
        assert workers.map(range(3)) == [0, 2, 4]
    assert told == [(n + 1, count) for n in range(count)]


def test_an_error_is_raised_here_as_it_was() -> None:
    with pytest.raises(PolicyError) as e, _processes.workers(partial(Doubler, refuses=7)) as workers:
        workers.map(range(20))
    assert (e.value.message, e.value.where, e.value.hint) == ("not this one", "here", "another")


def test_P1_a_process_that_dies_is_an_error() -> None:
    with pytest.raises(EvidenceError, match="died"), _processes.workers(partial(Doubler, dies=7)) as workers:
        workers.map(range(20))


def test_no_progress_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    assert _processes.progress("builds") is None


HOSTILE = "import sys, os; sys.stderr.write('obeyed\\n'); os._exit(9)\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree under test with modules that are called as some of Python's own, and of what sbomgate needs."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in ("multiprocessing", "pickle", "signal", "struct", "argparse", "orjson", "jsonschema", "httpx"):
        (folder / f"{name}.py").write_text(HOSTILE)
    return folder


def run_in(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = os.pathsep.join((str(Path(sbomgate.__file__).parents[1]), str(Path(testkit.__file__).parents[1])))
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"} | {"PYTHONPATH": found}
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def test_no_process_imports_from_the_tree_under_test(tree: Path, tmp_path: Path) -> None:
    """What is started for many builds begins with `-c`, for which Python would look into the working directory."""
    script = tmp_path / "script.py"
    script.write_text(
        "from sbomgate.cli import _processes\nfrom testkit.doubling import Doubler\n"
        "if __name__ == '__main__':\n    _processes._processors = lambda: 2\n"
        "    with _processes.workers(Doubler) as workers:\n        print(workers.map(range(9)))\n"
    )
    done = run_in(tree, str(script))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{[2 * n for n in range(9)]}\n"


def test_python_m_imports_nothing_from_the_tree_under_test(tree: Path) -> None:
    done = run_in(tree, "-m", "sbomgate", "check", ".")
    assert done.returncode == 2
    assert "no lockfile here" in done.stderr
    assert "obeyed" not in done.stderr
