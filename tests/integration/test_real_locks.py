"""Real lockfiles of the shared data, under `default`: nothing that is old and unchanged is denied.

Nothing is known of their packages here (no network), which is the worst that can be said of what is old. What is new or
changed would be denied for it; without an approved build everything counts as old, and with one everything is.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from testkit import commandline
from testkit.commandline import World

pytestmark = pytest.mark.shared

LOCKS = (  # npm, pnpm, yarn and bun; the seven others, of up to 2,702 packages, take half a minute and say the same
    "hono",
    "vscode-eslint",
    "vue-core-2023-v6",
    "yarn-classic-yarn",
)


@pytest.mark.parametrize("name", LOCKS)
def test_the_first_run_denies_nothing(real_locks: Path, ordinary: World, name: str) -> None:
    found = ordinary.run("check", str(real_locks / "lockfiles" / name), "--offline", "--json")
    told = json.loads(found.out)
    assert found.code == 0, told["denials"]
    assert told["denials"] == []


def test_against_the_approved_build_nothing_is_denied_or_called_new(
    real_locks: Path, ordinary: World, tmp_path: Path
) -> None:
    """Gated once, and looked at again: the same findings but for the one that says that there was no baseline."""
    world = commandline.copy(ordinary, tmp_path / "world")
    for path in (world.project, world.store):
        shutil.rmtree(path)
    shutil.copytree(real_locks / "lockfiles" / "vscode-eslint", world.project)
    (world.project / ".git").mkdir(exist_ok=True)
    first = world.run(*world.gate("--json"))
    assert first.code == 0, first.err
    again = world.run("check", "shop", "--trust", "trust.toml", "--baseline", "evidence", "--offline", "--json")
    assert again.code == 0, again.out

    def codes(text: str) -> set[str]:
        told = json.loads(text)
        return {
            f"{f['rule']}/{f['code']}" for level in ("warnings", "notes") for e in told[level] for f in e["findings"]
        }

    of_signing = {"complete_evidence/link-asserted", "complete_evidence/time-self-declared"}
    assert codes(first.out) - codes(again.out) - of_signing == {"new_dependencies/no-baseline"}
    assert codes(again.out) <= codes(first.out)
