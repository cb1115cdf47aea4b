"""Reading files of others: bounded, regular, one open."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from sbomgate import files
from sbomgate.errors import InputError
from testkit.faults import failing


def test_reads_and_hashes_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert files.read(path, limit=5, error=InputError) == b"12345"
    assert files.sha256_of(path, limit=5, error=InputError) == hashlib.sha256(b"12345").hexdigest()


def test_P9_over_the_limit_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    with pytest.raises(InputError, match="limit of 4 bytes"):
        files.read(path, limit=4, error=InputError)
    with pytest.raises(InputError, match="limit of 4 bytes"):
        files.sha256_of(path, limit=4, error=InputError)


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "a\0b", "x" * 300])
def test_what_is_no_file_is_an_error_and_hangs_nobody(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError):
        files.read(tmp_path / name, limit=9, error=InputError)
    with pytest.raises(InputError):
        files.sha256_of(tmp_path / name, limit=9, error=InputError)


def test_links_are_followed_only_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to("a")
    assert files.read(tmp_path / "link", limit=9, error=InputError) == b"1"
    with pytest.raises(InputError):
        files.read(tmp_path / "link", limit=9, error=InputError, follow=False)


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError) as failed:
        files.read(tmp_path / "none", limit=1, error=InputError)
    assert failed.value.hint


def test_P1_what_cannot_be_listed_is_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/c/d.rego", "a", "b/.hidden"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    found = [path.relative_to(tmp_path).as_posix() for path in files.below(tmp_path, error=InputError)]
    assert found == ["a", "b/.hidden", "b/c/d.rego"]
    with failing(at=1, reason=errno.EACCES), pytest.raises(InputError, match="permission denied"):
        files.below(tmp_path, error=InputError)
