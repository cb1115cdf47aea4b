"""Files of a project: read once, inside the repository, within limits."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sbomgate import project
from sbomgate.errors import InputError
from sbomgate.project import DiskFiles, MemoryFiles, find_repository, path_in_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "outside.json").write_bytes(b"{}")
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "app").mkdir()
    (root / "app" / "package.json").write_bytes(b"{}")
    (root / "shared.json").write_bytes(b"[]")
    return root


def test_read_once(repository: Path) -> None:
    """P10: digest and parse come from the same bytes, whatever happens to the file meanwhile."""
    files = DiskFiles(repository / "app")
    assert files.read("package.json") == b"{}"
    (repository / "app" / "package.json").write_bytes(b"changed")
    assert files.read("package.json") == b"{}"
    assert files.digests() == {"package.json": hashlib.sha256(b"{}").hexdigest()}


def test_absent_stays_absent(repository: Path) -> None:
    files = DiskFiles(repository / "app")
    assert files.read("x.json") is None
    assert files.read("package.json/x.json") is None
    (repository / "app" / "x.json").write_bytes(b"late")
    assert files.read("x.json") is None
    assert "x.json" not in files.digests()


def test_link_inside_the_repository(repository: Path) -> None:
    (repository / "app" / "package-lock.json").symlink_to("../shared.json")
    files = DiskFiles(repository / "app")
    assert files.read("package-lock.json") == b"[]"
    assert files.is_link("package-lock.json")
    assert not files.is_link("package.json")


@pytest.mark.parametrize("target", ["../../outside.json", "/etc/hostname"])
def test_link_that_leaves_the_repository(repository: Path, target: str) -> None:
    """L13."""
    (repository / "app" / "package-lock.json").symlink_to(target)
    with pytest.raises(InputError, match="leaves the repository"):
        DiskFiles(repository / "app").read("package-lock.json")


def test_path_that_leaves_the_repository(repository: Path) -> None:
    files = DiskFiles(repository / "app")
    assert files.read("../shared.json") == b"[]"
    assert files.is_inside("../shared.json")
    assert not files.is_inside("../../outside.json")
    with pytest.raises(InputError, match="leaves the repository"):
        files.read("../../outside.json")


def test_dangling_link(repository: Path) -> None:
    (repository / "app" / "package-lock.json").symlink_to("nothing.json")
    files = DiskFiles(repository / "app")
    assert files.has("package-lock.json")
    with pytest.raises(InputError, match="leads nowhere"):
        files.read("package-lock.json")


def test_directory_and_pipe(repository: Path) -> None:
    os.mkfifo(repository / "app" / "pipe")
    (repository / "app" / "folder").mkdir()
    files = DiskFiles(repository / "app")
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match=r"not a regular file|cannot be read"):
            files.read(name)


def test_limit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    monkeypatch.setattr(project, "MAX_FILE_BYTES", 1)
    with pytest.raises(InputError, match="more than 1 bytes"):
        DiskFiles(repository / "app").read("package.json")


def test_repository(repository: Path) -> None:
    assert find_repository(repository / "app") == repository.resolve()
    assert path_in_repository(DiskFiles(repository / "app"), "package-lock.json") == "app/package-lock.json"
    assert path_in_repository(DiskFiles(repository), "package-lock.json") == "package-lock.json"


def test_memory() -> None:
    files = MemoryFiles({"a": b"x"}, frozenset({"a"}))
    assert (files.read("a"), files.read("b")) == (b"x", None)
    assert files.has("a")
    assert files.is_link("a")
    assert files.is_inside("a/../b")
    assert not files.is_inside("../a")
    assert not files.is_inside("/a")
    assert files.digests() == {"a": hashlib.sha256(b"x").hexdigest()}


def test_names_of_a_directory(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / "packages" / "b").mkdir(parents=True)
    (repository / "packages" / "a").mkdir()
    (repository / "package.json").write_bytes(b"{}")
    files = DiskFiles(repository)
    assert files.names("") == (".git", "package.json", "packages")
    assert files.names("packages") == ("a", "b")
    assert files.names("package.json") == files.names("missing") == files.names("..") == ()
    held = MemoryFiles({"package.json": b"{}", "packages/b/package.json": b"{}", "packages/a/x": b""})
    assert held.names("") == ("package.json", "packages")
    assert held.names("packages") == ("a", "b")
    assert held.names("none") == ()


def test_files_below_are_found(tmp_path: Path) -> None:
    """Not in what is installed or git's own, and never through a link."""
    for path in (
        "yarn.lock",
        "a/b/yarn.lock",
        "node_modules/x/yarn.lock",
        ".git/yarn.lock",
        "c/node_modules/yarn.lock",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / "d" / "yarn.lock").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "yarn.lock").symlink_to("nowhere")
    found = project.find(DiskFiles(tmp_path, tmp_path), {"yarn.lock"})
    assert found == (("a/b/yarn.lock", "e/yarn.lock", "yarn.lock"), ())


def test_what_is_too_deep_or_too_much_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9: the search has an end, and does not hide it."""
    deep = tmp_path.joinpath(*"d" * 5)
    deep.mkdir(parents=True)
    (deep / "yarn.lock").write_text("")
    files = DiskFiles(tmp_path, tmp_path)
    monkeypatch.setattr(project, "MAX_LEVELS", 4)
    assert project.find(files, {"yarn.lock"}) == ((), ("d/d/d/d/d/",))
    monkeypatch.setattr(project, "MAX_DIRECTORIES", 2)
    assert project.find(files, {"yarn.lock"}) == ((), ("d/d/",))
