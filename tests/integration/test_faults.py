"""Every call to the file system fails in turn: no decision or the right one, and nothing half-written counts (P1, P41).

The calls of a command are counted first; then it runs again for some of them, spread evenly (`FAULTS=200`: for so
many), with that call failing as a full disk, a broken one or a withdrawn permission would let it. After each run the
disk is sound again, and what the command left behind is asked.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sbomgate import cli
from sbomgate.cli import ISSUES_HINT
from testkit.bench import Bench, Said, entry
from testkit.faults import REASONS, WRITES, Faults, failing

FEW = {"check": 5, "gate": 4, "verify": 25, "audit": 25, "inventory": 5}
INVENTORY = ("inventory", "add", "evidence", "--trust", "trust.toml", "--inventory", "inventory")
Ask = Callable[[Bench], Said]
ASKED: dict[str, Ask] = {
    "check": lambda bench: bench.check(),
    "gate": lambda bench: bench.gate(),
    "verify": lambda bench: bench.verify(),
    "audit": lambda bench: bench.run("audit", "evidence", "--trust", "trust.toml"),
    "inventory": lambda bench: bench.run(*INVENTORY),
}


def faulty(bench: Bench, ask: Ask, faults: tuple[int | None, str, bool]) -> tuple[Said, Faults]:
    """Run a command, and let a call of it fail; the bench's own calls do not."""
    at, reason, lasting = faults
    real, seen = cli.main, Faults()

    def main(arguments: list[str]) -> int:
        nonlocal seen
        with failing(at, REASONS[reason], lasting=lasting) as seen:
            return real(arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "main", main)
        return ask(bench), seen


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A project that is allowed; its engine is compiled."""
    bench = Bench(tmp_path_factory.mktemp("sound"))
    assert bench.check().code == 0
    return bench


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A project that is denied."""
    bench = Bench(tmp_path_factory.mktemp("bad"))
    bench.write({"good": "1.0.0"}, {"node_modules/good": {**entry("good"), "resolved": "https://evil.test/good.tgz"}})
    assert bench.check().code == 1
    return bench


def tries(bench: Bench, verb: str, fresh: Callable[[], object] = lambda: None) -> Iterator[tuple[Said, Faults]]:
    """Run a command with each chosen call failing; before each run, `fresh`."""
    fresh()
    expected, seen = faulty(bench, ASKED[verb], (None, "EIO", False))
    assert not seen.failed
    calls = len(seen.calls)
    few = min(calls, int(os.environ.get("FAULTS", FEW[verb])))
    reasons = list(REASONS)
    for number in range(few):
        at = number * calls // few
        writes = seen.calls[at][0] in WRITES[1:]
        reason = reasons[number % 3] if writes else reasons[1 + number % 2]
        fresh()
        said, failed = faulty(bench, ASKED[verb], (at, reason, writes and number % 2 == 0))
        about = f"call {at} of {calls}, {reason}: {failed.failed[:1]}: {said}"
        # (1) no decision, or the right one; in words, and by no exception that nobody foresaw
        assert said.code in (2, expected.code), about
        assert ISSUES_HINT not in said.err, about
        assert said.code != 2 or said.err.startswith("error: ") or "error: " in said.err, about
        yield said, failed


def without_evidence(bench: Bench) -> Callable[[], object]:
    return lambda: shutil.rmtree(bench.folder / "evidence", ignore_errors=True)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("allowed", [True, False])
def test_check(sound: Bench, bad: Bench, allowed: bool) -> None:
    """P1, P2: 0 is never the answer on what is denied."""
    bench = sound if allowed else bad
    # Which calls fail changes with the code, and much of what `check` reads is a cache it can do without.
    assert any(failed.failed for _, failed in tries(bench, "check", without_evidence(bench)))


@pytest.mark.parametrize("allowed", [True, False])
def test_gate(sound: Bench, bad: Bench, allowed: bool) -> None:
    """P1, P41: what it reports as stored is there whole; what it does not report blocks nobody."""
    bench = sound if allowed else bad
    right = 0 if allowed else 1
    for said, failed in tries(bench, "gate", without_evidence(bench)):
        if said.code == right:
            assert bench.verify().code == right, failed.failed
            assert ASKED["audit"](bench).code == 0, failed.failed
        elif bench.decisions():
            # (2) a decision that lies there is whole, though nobody reported it: it says the right thing, or counts not
            verified = bench.verify()
            assert verified.code in (right, 2) or "no-decision " in verified.out, f"{verified}: {failed.failed}"
        # (3) and the next one is not in its way
        assert bench.gate().code == right, failed.failed
        assert bench.verify().code == right, failed.failed


@pytest.mark.parametrize("verb", ["verify", "audit"])
def test_reading_evidence(sound: Bench, verb: str) -> None:
    """P16, P36: what cannot be read is not taken for absent, and reading changes nothing."""
    without_evidence(sound)()
    assert sound.gate().code == 0
    before = tree(sound.folder / "evidence")
    assert any(said.code == 2 for said, _ in tries(sound, verb))
    assert tree(sound.folder / "evidence") == before


@pytest.mark.parametrize("verb", ["verify", "audit"])
def test_reading_what_was_denied(bad: Bench, verb: str) -> None:
    """P19: a FAILED that cannot be read does not become an older or no decision."""
    without_evidence(bad)()
    assert bad.gate().code == 1
    assert any(said.code == 2 for said, _ in tries(bad, verb))


def test_inventory(sound: Bench) -> None:
    """What `add` reports is found afterwards; what it does not, the next `add` makes good."""
    without_evidence(sound)()
    assert sound.gate().code == 0

    def fresh() -> None:
        shutil.rmtree(sound.folder / "inventory", ignore_errors=True)

    find = ("inventory", "find", "good@1.0.0", "--inventory", "inventory", "--json")
    for said, failed in tries(sound, "inventory", fresh):
        if said.code != 0:
            assert sound.run(*INVENTORY).code == 0, failed.failed
        found = sound.run(*find)
        assert found.code in (0, 1), (failed.failed, found)
        assert "good" in found.out, (failed.failed, found)
