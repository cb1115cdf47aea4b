"""sbomgate.npm.cacache: found by digest, and never believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbomgate.errors import FetchError
from sbomgate.npm import cacache, store
from testkit import tarballs
from testkit.npm_cache import put


def test_found_and_not_found(tmp_path: Path) -> None:
    put(tmp_path, b"x")
    assert cacache.load(tmp_path, tarballs.sha512(b"x")) == b"x"
    assert cacache.load(tmp_path, tarballs.sha512(b"y")) is None
    assert cacache.load(tmp_path / "absent", tarballs.sha512(b"x")) is None


def test_what_is_no_file_is_not_there(tmp_path: Path) -> None:
    path = put(tmp_path, b"x")
    path.unlink()
    path.mkdir()
    assert cacache.load(tmp_path, tarballs.sha512(b"x")) is None


@pytest.mark.parametrize("digest", ["", "../" * 42 + "xx", "A" * 128, "a" * 127, "a" * 128 + "\n"])
def test_only_a_digest_makes_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ValueError, match="128"):
        cacache.load(tmp_path, digest)


def test_too_large_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    put(tmp_path, b"xx")
    monkeypatch.setattr(store, "MAX_TARBALL_BYTES", 1)
    assert cacache.load(tmp_path, tarballs.sha512(b"xx")) is None


def test_unreadable_is_an_error_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P1: could not read is not "not there"; P40: the message names no home path."""
    put(tmp_path, b"x")

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FetchError) as error:
        cacache.load(tmp_path, tarballs.sha512(b"x"))
    assert "Permission denied" in str(error.value)
    assert error.value.hint
    assert str(tmp_path) not in str(error.value)
