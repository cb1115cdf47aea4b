"""pnpm and bun projects from end to end: generate, and check without a network, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
# An ordinary old project under `default` at the first run is not denied, whatever evidence its format lacks.
ORDINARY = ["pnpm/single-v5", "pnpm/single-v6", "pnpm/two-documents", "bun/tree-v0", "bun/tree-v2", "bun/sources-v2"]


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
        ("pnpm/single-v6", "resolution: {", "resolution: {tarball: https://registry.npmjs.org/evil/-/evil-6.0.0.tgz, "),
        ("pnpm/two-documents", "specifier: 3.0.1", "specifier: ^4.0.0"),
        ("bun/tree-v2", '["ws@8.17.0", ""', '["ws@8.17.0", "https://registry.npmjs.org/evil/-/evil-8.17.0.tgz"'),
        ("bun/tree-v2", '["ws@8.17.0", ""', '["evil@8.17.0", ""'),
    ],
    ids=str,
)
def test_a_poisoned_entry_is_denied(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    """A09, L17: one package under the name of another, a lockfile that package.json does not say."""
    root = project(name, tmp_path)
    lock = root / ("pnpm-lock.yaml" if name.startswith("pnpm") else "bun.lock")
    text = lock.read_text(encoding="utf-8")
    assert right in text
    lock.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    done = sbomgate("check", "--offline", str(root))
    assert done.returncode == 1, done.stdout + done.stderr


def test_what_has_no_single_meaning_is_no_decision(tmp_path: Path) -> None:
    root = project("pnpm/single-v6", tmp_path)
    lock = root / "pnpm-lock.yaml"
    lock.write_text(lock.read_text(encoding="utf-8") + "\nx: &a b\n", encoding="utf-8")
    done = sbomgate("check", "--offline", str(root))
    assert done.returncode == 2
    assert "an anchor" in done.stderr
    shutil.copy(FIXTURES / "bun" / "sources-v2" / "bun.lock", root)
    assert "several lockfiles: bun.lock, pnpm-lock.yaml" in sbomgate("generate", str(root)).stderr
