"""sbomgate as a library: the command line's answers as values, nothing printed, nothing exits."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import sbomgate
from sbomgate import cli
from sbomgate.errors import EvidenceError, InputError, SbomgateError, TrustError, UsageError
from sbomgate.model import Verdict
from testkit.commandline import World

PACKAGE = Path(cli.__file__).resolve().parents[2]


@pytest.fixture
def here(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, with this process in it."""
    monkeypatch.chdir(world.root)
    for name in os.environ.keys() - {"PATH"}:
        monkeypatch.delenv(name)
    for name, value in world.environment().items():
        monkeypatch.setenv(name, value)
    return world


def test_check_says_what_the_command_says(here: World, capfd: pytest.CaptureFixture[str]) -> None:
    told = here.run("check", "shop", "--offline", "--trust", "trust.toml", "--json")
    capfd.readouterr()
    checked = sbomgate.check("shop", offline=True, trust=here.trust)
    assert (checked.verdict, checked.allowed) == (Verdict.ALLOWED, True)
    said = json.loads(told.out)
    assert said["verdict"] == checked.verdict.value
    assert said["packages"] == checked.report.packages
    assert json.loads(checked.sbom)["bomFormat"] == "CycloneDX"
    assert json.loads(checked.policy_input)["profile"] == "default"
    assert capfd.readouterr() == ("", "")
    with pytest.raises(FrozenInstanceError):
        checked.verdict = Verdict.DENIED  # type: ignore[misc]


def test_a_denial_is_a_value(here: World) -> None:
    checked = sbomgate.check("shop", offline=True, trust=here.trust, profile="release")
    assert not checked.allowed
    assert checked.report.denials


def test_generate_gives_the_commands_bytes(here: World) -> None:
    for version in ("1.5", "1.6", "1.7"):
        told = here.run("generate", "shop", "--spec-version", version)
        assert sbomgate.generate("shop", spec_version=version).decode() == told.out
    assert sbomgate.generate("shop", format="xml").startswith(b"<?xml")


def test_verify(here: World) -> None:
    verified = sbomgate.verify("file:app.tgz", trust=here.trust, store=here.store)
    assert verified.accepted
    assert verified.other is None
    assert verified.result.deciding is not None
    (here.root / "other.tgz").write_bytes(b"other")
    refused = sbomgate.verify("file:other.tgz", trust=here.trust, store=here.store)
    assert not refused.accepted
    assert [reason.code for reason in refused.result.reasons] == ["no-decision"]
    later = sbomgate.verify("file:app.tgz", trust=here.trust, now=datetime.now(UTC) + timedelta(days=30))
    assert [reason.code for reason in later.result.reasons] == ["age"]  # P18: and the store's default is the same


def test_errors_are_errors_and_nothing_is_printed(here: World, capfd: pytest.CaptureFixture[str]) -> None:
    """P1: what cannot be decided is never a value."""
    with pytest.raises(InputError):
        sbomgate.check("nowhere", offline=True)
    with pytest.raises(TrustError):
        sbomgate.check("shop", offline=True, trust="nowhere.toml")
    with pytest.raises(UsageError, match="time zone"):
        sbomgate.check("shop", offline=True, now=datetime(2026, 1, 1))
    with pytest.raises(UsageError):
        sbomgate.check("shop", offline=True, workspace="nowhere")
    (here.project / "package-lock.json").write_bytes(b"{")
    with pytest.raises(InputError):
        sbomgate.generate("shop")
    for bundle in here.store.rglob("*.json"):
        bundle.write_bytes(b"{}")
    with pytest.raises((EvidenceError, SbomgateError)):
        sbomgate.verify("file:app.tgz", trust=here.trust)
    assert capfd.readouterr() == ("", "")


def test_who_listens_is_told(here: World, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    (here.root / "rules").mkdir()
    sbomgate.generate("shop", spec_version="1.7", notify=heard.append)
    assert any("no time is known" in line for line in heard)
    assert capfd.readouterr() == ("", "")


def test_in_a_coroutine_it_runs_in_a_thread(here: World) -> None:
    async def main() -> bool:
        return (await asyncio.to_thread(sbomgate.check, "shop", offline=True)).allowed

    assert asyncio.run(main())


def test_the_examples_of_its_page(here: World, repository: Path) -> None:
    page = (repository / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    env = here.environment(PYTHONPATH=str(PACKAGE))
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], cwd=here.root, env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("allowed 1 packages")
    assert ran.stdout.endswith("True True []\n")
    assert json.loads((here.root / "bom.json").read_bytes())["bomFormat"] == "CycloneDX"


def test_importing_it_loads_nothing_else(here: World) -> None:
    program = "import sys; before = set(sys.modules); import sbomgate; print(sorted(set(sys.modules) - before))"
    env = here.environment(PYTHONPATH=str(PACKAGE))
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout == "['__future__', 'sbomgate']\n"


def test_it_is_typed_and_says_its_names() -> None:
    assert (Path(sbomgate.__file__).parent / "py.typed").is_file()
    assert set(sbomgate.__all__) == set(dir(sbomgate))
    assert all(getattr(sbomgate, name) is not None for name in sbomgate.__all__)
    with pytest.raises(AttributeError):
        _ = sbomgate.nothing  # type: ignore[attr-defined]
