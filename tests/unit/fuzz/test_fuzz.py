"""The fuzzer itself: it finds what it looks for, makes the same inputs each time, and every reader has its corpus."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from sbomgate.errors import InputError

sys.path.append(str(Path(__file__).resolve().parents[3]))

from fuzz import inputs, run

HARNESSES = run.names()


def reading(error: BaseException) -> Any:
    def read(_: bytes) -> NoReturn:
        raise error

    return SimpleNamespace(read=read)


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), RecursionError(), MemoryError(), AssertionError(), SystemExit(0), run.HangError()],
    ids=repr,
)
def test_what_is_found(error: BaseException) -> None:
    assert run.try_one(reading(error), b"") is error


def test_errors_of_ours_are_no_finding() -> None:
    """P1: exit code 2, in words."""
    assert run.try_one(reading(InputError("x")), b"") is None


def test_a_reader_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    def read(_: bytes) -> None:
        while True:
            pass

    def stop(*_: object) -> None:
        raise run.HangError

    monkeypatch.setattr(run, "CPU_SECONDS", 0.05)
    before = signal.signal(signal.SIGPROF, stop)
    try:
        assert isinstance(run.try_one(SimpleNamespace(read=read), b""), run.HangError)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGPROF, before)


def test_what_is_found_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "seed-1").write_bytes(b"seed")
    monkeypatch.setattr(run, "CORPUS", tmp_path)
    monkeypatch.setattr(run, "load", lambda _: SimpleNamespace(read=lambda data: 1 / (data == b"seed")))
    assert run.run("x", 50, 1) == 1
    (kept,) = (tmp_path / "x").glob("found-*")
    assert kept.read_bytes() != b"seed"


def made(name: str) -> Iterator[bytes]:
    whole = list(run.corpus(name).values())
    chance = random.Random("1")
    for _ in range(200):
        yield inputs.mutated(chance.choice(whole), whole, chance)


@pytest.mark.parametrize("name", ["npm_lock", "attestations", "tarball"])
def test_the_same_inputs_each_time(name: str) -> None:
    """P38 for the tests: what failed once fails again."""
    first = list(made(name))
    assert first == list(made(name))
    assert len(set(first)) > 150
    assert max(map(len, first)) <= inputs.MAX_BYTES


def test_several_files_are_one_input() -> None:
    files = {"package-lock.json": b"{}\n", "a/b": b"", "c": b"\n\n", "d": b"\x1e"}
    assert inputs.unpack(inputs.pack(files)) == files
    assert inputs.unpack(b"{}") == {}


@pytest.mark.parametrize("name", HARNESSES)
def test_every_reader_reads_a_seed(name: str) -> None:
    """Where all seeds are refused at the door, nothing behind it is tried."""
    harness, accepted = run.load(name), 0
    for kept, data in run.corpus(name).items():
        assert kept.startswith(("seed-", "found-"))
        assert run.try_one(harness, data) is None
        try:
            harness.read(data)
        except Exception:  # noqa: BLE001 - was judged above
            continue
        accepted += 1
    assert accepted


def test_every_corpus_has_its_reader() -> None:
    assert sorted(path.name for path in run.CORPUS.iterdir()) == HARNESSES
    assert sum(path.stat().st_size for path in run.CORPUS.rglob("*") if path.is_file()) < 1 << 20
