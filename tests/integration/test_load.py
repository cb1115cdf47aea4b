"""Many at once, small: `benchmarks/load.py` has the large numbers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks import load
from sbomgate import lockfiles
from sbomgate.project import MemoryFiles
from testkit import locks
from testkit.bench import Bench


def test_p41_gates_at_once_on_one_cache_and_one_store(tmp_path: Path) -> None:
    """P41: each of them says that it stored something, and all of it is there, sound and covered by a head."""
    bench = Bench(tmp_path)
    assert bench.check().code == 0
    assert [code for code, *_ in load.gates(bench, 4, at_once=4)] == [0] * 4
    assert load.verified(bench, 4) == [0] * 4
    assert len(bench.decisions()) == 4
    audited = bench.run("audit", "evidence", "--trust", "trust.toml")
    assert audited.code == 0, audited


def test_every_waiver_of_many_counts() -> None:
    assert load.waived(200) == 200


@pytest.mark.parametrize("name", locks.FORMATS)
def test_it_is_read_whole_in_each_format(name: str) -> None:
    """P4: what one format holds of a large project the others hold too."""
    manifest, locked = load.lock(2000)
    data = locked if name == "npm" else locks.convert(json.loads(locked), name)
    graph = lockfiles.read(MemoryFiles({"package.json": manifest, locks.FORMATS[name]: data}))
    assert {(one.name, one.version) for one in graph.packages} == {
        ("load", "1.0.0"),
        *((f"p{number}", "1.0.0") for number in range(2000)),
    }


@pytest.mark.parametrize("sound", [True, False])
def test_a_large_lock_is_read_whole(sound: bool) -> None:
    """P4."""
    manifest, locked = load.lock(5000, sound=sound)
    graph = lockfiles.read(MemoryFiles({"package.json": manifest, "package-lock.json": locked}))
    assert len(graph.packages) == 5001
    assert sum(not package.hashes for package in graph.packages) == (1 if sound else 5001)
