"""Where a decision was made: recorded by `check` and `gate`, and no part of what was decided."""

from __future__ import annotations

import json
from pathlib import Path

from sbomgate.inventory.folder import Folder
from testkit.commandline import TOKEN, World

GITLAB = {
    "GITLAB_CI": "true",
    "CI_RUNNER_DESCRIPTION": "runner-7 of the shop",
    "CI_RUNNER_ID": "7",
    "CI_PIPELINE_ID": "1000",
    "CI_JOB_URL": f"https://gitlab.example/acme/shop/-/jobs/2000?private_token={TOKEN}",
    "CI_PROJECT_URL": "https://gitlab.example/acme/shop",
    "CI_JOB_TOKEN": TOKEN,
}
RAN = {
    "system": "gitlab-ci",
    "runner": "runner-7 of the shop",
    "runner_id": "7",
    "job": "https://gitlab.example/acme/shop/-/jobs/2000",
    "run": "1000",
    "repository": "https://gitlab.example/acme/shop",
}


def decided(store: Path) -> Path:
    """Return the folder of the one decision in a store."""
    (found,) = store.glob("*/*/decisions/*")
    return found


def test_gate_records_it_and_decides_the_same(world: World) -> None:
    """P23, P40: what the policy saw is the same bytes wherever it ran, and the decision replays anywhere."""
    before = decided(world.store).relative_to(world.store)  # somewhere else, without CI
    world.store.rename(world.root / "elsewhere")
    gated = world.run(*world.gate("--inventory", "inventory"), env=world.environment(**GITLAB))
    assert gated.code == 0, gated.err
    first, second = decided(world.store), world.root / "elsewhere" / before
    saw, seen = (json.loads((one / "policy-input.json").read_bytes()) for one in (first, second))
    assert saw | {"evaluated_at": ""} == seen | {"evaluated_at": ""}
    said = json.loads((first / "decision.json").read_bytes())["predicate"]
    assert said["ran"] == {"source": "environment", **RAN}
    assert json.loads((second / "decision.json").read_bytes())["predicate"]["ran"]["system"] == "none"
    assert all(TOKEN.encode() not in path.read_bytes() for path in world.store.rglob("*") if path.is_file())
    assert world.run("replay", str(first)).code == 0
    assert world.run(*world.verify()).code == 0
    inventory = Folder(world.root / "inventory")
    engine = inventory.reader()
    ((ran,),) = inventory.ask(engine, lambda one: one.query("SELECT ran FROM build"))
    engine.close()
    assert json.loads(ran) == RAN


def test_check_says_it_in_its_json(world: World) -> None:
    told = world.run("check", "shop", "--offline", "--json", env=world.environment(**GITLAB))
    assert json.loads(told.out)["ran"] == {"source": "environment", **RAN}
    assert TOKEN not in told.out + told.err
