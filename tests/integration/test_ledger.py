"""C08 through the command line: gate, a registry that dates a release back, gate and replay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sbomgate.cli._environment import Environment
from testkit import tarballs
from testkit.commandline import World
from testkit.registry import Simulator

LATER = timedelta(days=2)
OLD = "2024-01-01T00:00:00.000Z"
DATA = {version: tarballs.package("alpha", version) for version in ("1.0.0", "1.0.1")}


@pytest.fixture
def registry(world: World) -> Iterator[Simulator]:
    """A registry with one release, which a build was approved with, two days before the clock of what follows."""
    shutil.rmtree(world.store)
    with Simulator() as found:
        found.publish("alpha", "1.0.0", DATA["1.0.0"], published=OLD)
        world.write_project([("alpha", "1.0.0", DATA["1.0.0"])], registry=found.url)
        (world.project / ".npmrc").write_text(f"registry={found.url}\n")
        text = world.trust.read_text()
        world.trust.write_text(f'{text}\n[[registries]]\nurl = "{found.url}"\nserves_evidence = false\n')
        assert gate(world).code == 0
        yield found


def gate(world: World):  # type: ignore[no-untyped-def]
    return world.run(*[one for one in world.gate("--json") if one != "--offline"])


def decided(world: World, out: str) -> Path:
    return next(world.store.glob(f"*/*/decisions/{json.loads(out)['decision_sha256']}"))


def codes(out: str) -> set[str]:
    report = json.loads(out)
    return {f"{f['rule']}/{f['code']}" for e in report["denials"] for f in e["findings"]}


def test_a_release_that_is_dated_back(world: World, registry: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.publish("alpha", "1.0.1", DATA["1.0.1"], published="2024-02-01T00:00:00.000Z")
    world.write_project([("alpha", "1.0.1", DATA["1.0.1"])], registry=registry.url)
    then = datetime.now(UTC).replace(microsecond=0) + LATER
    monkeypatch.setattr(
        Environment,
        "of_process",
        classmethod(lambda cls: cls(now=then, variables=world.environment(), working_directory=world.root)),
    )
    result = gate(world)
    assert result.code == 1, result.err
    assert {"release_age/dated-back", "release_age/too-young"} <= codes(result.out)
    folder = decided(world, result.out)
    held = json.loads((folder / "ledger.json").read_bytes())
    assert held["registries"][registry.url]["alpha"][1] == "1.0.0..1"
    assert json.loads((folder / "ledger.before.json").read_bytes())["registries"][registry.url]["alpha"][1] == "1.0.0"
    again = world.run("replay", str(folder))
    assert again.code == 0, again.out
    assert "same      ledger" in again.out
    # The denial is about the same artefact, so no build is approved any more; what was seen was seen all the same.
    assert "release_age/too-young" in codes(gate(world).out)


def test_the_ledger_comes_from_signed_evidence_alone(world: World, registry: Simulator) -> None:
    """P36: who alters the stored ledger is found."""
    registry.publish("alpha", "1.0.1", DATA["1.0.1"], published=OLD)
    for path in [*world.store.rglob("ledger.json")]:
        digest = path.read_bytes().replace(b"1.0.0", b"1.0.0..1")
        path.unlink()
        path.write_bytes(digest)
    result = gate(world)
    assert result.code == 2
    assert "altered" in result.err
