"""Projects of pnpm, yarn and bun from end to end: generate, and check without a network, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.locked import FIXTURES

LOCKFILES = {"pnpm": "pnpm-lock.yaml", "bun": "bun.lock", "yarn-classic": "yarn.lock", "yarn-berry": "yarn.lock"}
# An ordinary old project under `default` at the first run is not denied, whatever evidence its format lacks.
ORDINARY = [
    "pnpm/single-v5",
    "pnpm/single-v6",
    "pnpm/two-documents",
    "bun/tree-v0",
    "bun/tree-v2",
    "bun/sources-v2",
    "yarn-classic/workspaces",
    "yarn-classic/sources",
    "yarn-berry/workspaces",
    "yarn-berry/patches-v6",
]


def sbomgate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "sbomgate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def project(name: str, directory: Path) -> tuple[Path, Path]:
    """Return a copy of a fixture that is a repository of its own, and its lockfile."""
    copy = directory / "project"
    shutil.copytree(FIXTURES / name, copy)
    (copy / ".git").mkdir()
    return copy, copy / LOCKFILES[name.partition("/")[0]]


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_project_is_allowed(name: str, tmp_path: Path) -> None:
    root, _ = project(name, tmp_path)
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
        ("yarn-classic/workspaces", "/ms/-/ms-2.1.3.tgz", "/evil/-/evil-2.1.3.tgz"),
        ("yarn-berry/workspaces", 'resolution: "ms@npm:2.1.3"', 'resolution: "evil@npm:2.1.3"'),
        ("yarn-berry/workspaces", 'resolution: "ms@npm:2.1.3"', 'resolution: "ms@npm:2.1.2"'),
    ],
    ids=str,
)
def test_a_poisoned_entry_is_denied(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    """A09, A10, L17: one package under another's name or version; a lockfile that package.json does not say."""
    root, lock = project(name, tmp_path)
    text = lock.read_text(encoding="utf-8")
    assert right in text
    if "2.1.2" in wrong:  # the other entry of that resolution goes, or the file would contradict itself at once
        start = text.index('"ms@npm:2.1.2":')
        text = text[:start] + text[text.index("\n\n", start) + 2 :]
    lock.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    done = sbomgate("check", "--offline", str(root))
    assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["pnpm/single-v6", "yarn-berry/workspaces"])
def test_what_has_no_single_meaning_is_no_decision(name: str, tmp_path: Path) -> None:
    root, lock = project(name, tmp_path)
    lock.write_text(lock.read_text(encoding="utf-8") + "\nx: &a b\n", encoding="utf-8")
    done = sbomgate("check", "--offline", str(root))
    assert done.returncode == 2
    assert "an anchor" in done.stderr


def test_several_lockfiles_are_named(tmp_path: Path) -> None:
    root, _ = project("pnpm/single-v6", tmp_path)
    shutil.copy(FIXTURES / "bun" / "sources-v2" / "bun.lock", root)
    assert "several lockfiles: bun.lock, pnpm-lock.yaml" in sbomgate("generate", str(root)).stderr
    manifest = json.loads((root / "package.json").read_bytes())
    (root / "package.json").write_text(json.dumps(manifest | {"packageManager": "pnpm@8.15.9"}))
    made = sbomgate("generate", str(root))
    assert made.returncode == 0, made.stderr
    assert made.stderr == (
        "note: bun.lock: lies beside pnpm-lock.yaml: whoever installs from it installs something else\n"
    )
