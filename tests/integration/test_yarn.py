"""yarn projects from end to end: generate, and check without a network, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
# An ordinary old project under `default` at the first run is not denied, whatever evidence its format lacks.
ORDINARY = ["yarn-classic/workspaces", "yarn-classic/sources", "yarn-berry/workspaces", "yarn-berry/patches-v6"]


def sbomgate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "sbomgate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def project(name: str, directory: Path) -> Path:
    """Return a copy of a fixture that is a repository of its own."""
    copy = directory / "project"
    shutil.copytree(FIXTURES / name, copy)
    (copy / ".git").mkdir()
    return copy


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_project_is_allowed(name: str, tmp_path: Path) -> None:
    root = project(name, tmp_path)
    made = sbomgate("generate", str(root))
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["bomFormat"] == "CycloneDX"
    done = sbomgate("check", "--offline", str(root))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ALLOWED" in done.stdout


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("yarn-classic/workspaces", "/ms/-/ms-2.1.3.tgz", "/evil/-/evil-2.1.3.tgz"),
        ("yarn-berry/workspaces", 'resolution: "ms@npm:2.1.3"', 'resolution: "evil@npm:2.1.3"'),
        ("yarn-berry/workspaces", 'resolution: "ms@npm:2.1.3"', 'resolution: "ms@npm:2.1.2"'),
    ],
)
def test_a_poisoned_entry_is_denied(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    """A09, A10: one package under the name or version of another; on the first day as well."""
    root = project(name, tmp_path)
    lock = root / "yarn.lock"
    text = lock.read_text(encoding="utf-8")
    assert right in text
    if "2.1.2" in wrong:  # the other entry of that resolution goes, or the file would contradict itself at once
        start = text.index('"ms@npm:2.1.2":')
        text = text[:start] + text[text.index("\n\n", start) + 2 :]
    lock.write_text(text.replace(right, wrong), encoding="utf-8")
    done = sbomgate("check", "--offline", str(root))
    assert done.returncode == 1, done.stdout + done.stderr


def test_what_has_no_single_meaning_is_no_decision(tmp_path: Path) -> None:
    root = project("yarn-berry/workspaces", tmp_path)
    lock = root / "yarn.lock"
    lock.write_text(lock.read_text(encoding="utf-8") + "\nx: &a b\n", encoding="utf-8")
    done = sbomgate("check", "--offline", str(root))
    assert done.returncode == 2
    assert "an anchor" in done.stderr
