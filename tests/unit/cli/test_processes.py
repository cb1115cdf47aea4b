"""Work in several processes: in order, with its errors, and no process outlives it (P1)."""

from __future__ import annotations

from functools import partial

import pytest

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
