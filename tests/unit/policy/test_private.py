from __future__ import annotations

import os
from pathlib import Path

import pytest

from sbomgate.errors import PolicyError
from sbomgate.policy import private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX modes")


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def test_makes_the_folder_and_keeps_what_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert private.load(folder, "x", read) is None
    private.store(folder, "x", b"one")
    private.store(folder, "x", b"two")
    assert private.load(folder, "x", read) == b"two"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "x").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in folder.iterdir()] == ["x"]


def test_p26_refuses_what_others_can_write(tmp_path: Path) -> None:
    """P26: compiled engines are only loaded from a private place."""
    folder = tmp_path / "cache"
    private.load(folder, "x", read)
    private.store(folder, "x", b"code")
    for mode in (0o770, 0o707, 0o1777):
        folder.chmod(mode)
        with pytest.raises(PolicyError, match="written by others"):
            private.load(folder, "x", read)
        with pytest.raises(PolicyError, match="written by others"):
            private.store(folder, "x", b"code")
    folder.chmod(0o700)
    for mode in (0o620, 0o602):
        (folder / "x").chmod(mode)
        with pytest.raises(PolicyError, match="written by others"):
            private.load(folder, "x", read)


def test_p26_refuses_links_and_other_kinds(tmp_path: Path) -> None:
    folder, other = tmp_path / "cache", tmp_path / "other"
    private.load(other, "x", read)
    private.store(other, "x", b"code")
    folder.symlink_to(other)
    with pytest.raises(PolicyError, match="is a link"):
        private.load(folder, "x", read)
    (other / "y").symlink_to(other / "x")
    with pytest.raises(PolicyError, match="is a link"):
        private.load(other, "y", read)
    os.mkfifo(other / "pipe", 0o600)
    with pytest.raises(PolicyError, match="not what is expected"):
        private.load(other, "pipe", read)
    (other / "folder").mkdir(mode=0o700)
    with pytest.raises(PolicyError, match="not what is expected"):
        private.load(other, "folder", read)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away")
def test_p26_refuses_what_belongs_to_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    private.load(folder, "x", read)
    private.store(folder, "x", b"code")
    os.chown(folder / "x", 12345, 12345)
    with pytest.raises(PolicyError, match="belongs to user 12345"):
        private.load(folder, "x", read)
    os.chown(folder, 12345, 12345)
    with pytest.raises(PolicyError, match="belongs to user 12345"):
        private.load(folder, "x", read)


def test_a_file_in_the_way_is_an_os_error(tmp_path: Path) -> None:
    """Not refused: the caller does without the cache, and says so."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"."):
        private.load(tmp_path / "file", "x", read)
    with pytest.raises(OSError, match=r"."):
        private.load(tmp_path / "file" / "below", "x", read)


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    private.load(folder, "x", read)
    (folder / "x").mkdir()
    (folder / "x" / "full").write_text("")
    with pytest.raises(OSError, match=r"."):
        private.store(folder, "x", b"code")
    assert [p.name for p in folder.iterdir()] == ["x"]
