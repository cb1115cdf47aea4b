"""What git's index says is committed below a folder, in every version of the index."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sbomgate.cli import _worktree


def git(folder: Path, *arguments: str) -> None:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "XDG_"))}
    environment = {**plain, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)}
    subprocess.run(("git", "-C", str(folder), *arguments), env=environment, check=True, capture_output=True)


def repository(folder: Path, version: int, files: dict[str, str]) -> Path:
    folder.mkdir()
    git(folder, "init", "-q")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "-fA")
    git(folder, "update-index", "--index-version", str(version))
    return folder


FOLDERS = ("node_modules", "app/node_modules", ".yarn/cache")


@pytest.mark.parametrize("version", [2, 4])
def test_what_is_committed(version: int, tmp_path: Path) -> None:
    held = {"node_module": "x", "node_modules/a/x.js": "1", "app/node_modulesx/y": "2", "app/index.js": "3"}
    one = repository(tmp_path / "one", version, held)
    found = _worktree.tracked(one, FOLDERS)
    assert list(found) == ["node_modules"]
    # Other bytes, another name, and what git does not track.
    other = repository(tmp_path / "other", version, held | {"node_modules/a/x.js": "2"})
    renamed = repository(tmp_path / "renamed", version, {"node_modules/a/y.js": "1"})
    (one / "node_modules" / "b.js").write_text("x")
    told = {_worktree.tracked(each, FOLDERS)["node_modules"] for each in (one, other, renamed)}
    assert len(told) == 3
    assert _worktree.tracked(one, FOLDERS) == found


def test_a_link_in_place_of_a_folder(tmp_path: Path) -> None:
    one = repository(tmp_path / "one", 2, {"vendor/a/x.js": "1"})
    (one / "node_modules").symlink_to("vendor")
    git(one, "add", "-fA")
    assert list(_worktree.tracked(one, FOLDERS)) == ["node_modules"]


def test_nothing_is_known_without_an_index(tmp_path: Path) -> None:
    one = repository(tmp_path / "one", 2, {"node_modules/a": "1"})
    index = one / ".git" / "index"
    data = index.read_bytes()
    for broken in (b"", data[:40], data[:-1], data[:-1] + b"x"):
        index.write_bytes(broken)
        assert _worktree.tracked(one, FOLDERS) == {}
    index.unlink()
    assert _worktree.tracked(one, FOLDERS) == {}
    assert _worktree.tracked(tmp_path, FOLDERS) == {}
