"""sbomgate.npm.yarn_cache: found by what the lockfile says, and never believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbomgate.errors import FetchError
from sbomgate.npm import store, yarn_cache
from testkit.npm_cache import put_yarn

SHA1 = "5b8a3a7765dfe001261dde915589e782f8c94d1e"


@pytest.mark.parametrize("name", ["left-pad", "@babel/core", "a_b.c", "x" * 150])
def test_found_and_not_found(name: str, tmp_path: Path) -> None:
    resolved = put_yarn(tmp_path, name.replace("_", "-").replace(".", "-"), "1.0.0", b"x", "https://r.example/x.tgz")
    if name == "a_b.c":  # what yarn writes as a blank in the folder's name stays itself below it
        at = next((tmp_path / "v6").iterdir()) / "node_modules"
        (at / "a-b-c").rename(at / name)
    assert yarn_cache.load(tmp_path, name, "1.0.0", resolved) == b"x"
    assert yarn_cache.load(tmp_path, name, "1.0.1", resolved) is None
    assert yarn_cache.load(tmp_path, name, "1.0.0", resolved[:-1] + "0") is None
    assert yarn_cache.load(tmp_path / "absent", name, "1.0.0", resolved) is None


@pytest.mark.parametrize(
    ("name", "version", "resolved"),
    [
        ("../../../etc", "1.0.0", f"x#{SHA1}"),
        ("..", "1.0.0", f"x#{SHA1}"),
        (".hidden", "1.0.0", f"x#{SHA1}"),
        ("@a/../b", "1.0.0", f"x#{SHA1}"),
        ("a\\b", "1.0.0", f"x#{SHA1}"),
        ("a\0", "1.0.0", f"x#{SHA1}"),
        ("a" * 4000, "1.0.0", f"x#{SHA1}"),
        ("a", "../1.0.0", f"x#{SHA1}"),
        ("a", "", f"x#{SHA1}"),
        ("a", "1.0.0", "x#../../" + SHA1),
        ("a", "1.0.0", "x"),
        ("a", "1.0.0", None),
    ],
)
def test_only_what_a_package_can_be_called_makes_a_path(
    name: str, version: str, resolved: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "read", lambda *_, **__: pytest.fail("a path was made of it"))
    assert yarn_cache.load(tmp_path, name, version, resolved) is None


def test_a_name_that_no_file_system_holds_is_not_there(tmp_path: Path) -> None:
    assert yarn_cache.load(tmp_path, "x" * 214, "1.0.0-" + "0" * 200, f"x#{SHA1}") is None


def test_too_large_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    resolved = put_yarn(tmp_path, "a", "1.0.0", b"xx", "x")
    monkeypatch.setattr(store, "MAX_TARBALL_BYTES", 1)
    assert yarn_cache.load(tmp_path, "a", "1.0.0", resolved) is None


def test_unreadable_is_an_error_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P1: could not read is not "not there"; P40: the message names no home path."""
    resolved = put_yarn(tmp_path, "a", "1.0.0", b"x", "x")

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FetchError) as error:
        yarn_cache.load(tmp_path, "a", "1.0.0", resolved)
    assert "yarn's cache cannot be read: Permission denied" in str(error.value)
    assert str(tmp_path) not in str(error.value)
