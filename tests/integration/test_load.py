"""Many at once, small: `benchmarks/load.py` has the large numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks import load
from sbomgate import lockfiles
from sbomgate.project import MemoryFiles
from testkit.bench import Bench


def test_p41_gates_at_once_on_one_cache_and_one_store(tmp_path: Path) -> None:
    """P41: each of them says that it stored something, and all of it is there, sound and covered by a head."""
    bench = Bench(tmp_path)
    assert bench.check().code == 0
    assert load.gates(bench, 4, at_once=4) == [0] * 4
    assert len(bench.decisions()) == 4
    audited = bench.run("audit", "evidence", "--trust", "trust.toml")
    assert audited.code == 0, audited


def test_every_waiver_of_many_counts() -> None:
    assert load.waived(200) == 200


@pytest.mark.parametrize("sound", [True, False])
def test_a_large_lock_is_read_whole(sound: bool) -> None:
    """P4."""
    manifest, locked = load.lock(5000, sound=sound)
    graph = lockfiles.read(MemoryFiles({"package.json": manifest, "package-lock.json": locked}))
    assert len(graph.packages) == 5001
    assert sum(not package.hashes for package in graph.packages) == (1 if sound else 5001)
