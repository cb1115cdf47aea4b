"""sbomgate.npm.cache: private, atomic, and empty where it is damaged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sbomgate.errors import FetchError
from sbomgate.npm.cache import FactCache

FILE = "facts-v1.sqlite3"


def test_values_stay(tmp_path: Path) -> None:
    values = {f"key\n{index}": os.urandom(10) for index in range(1200)}
    with FactCache(tmp_path / "deep" / "cache") as cache:
        cache.put(values)
        assert cache.get(["absent"]) == {}
    with FactCache(tmp_path / "deep" / "cache") as cache:
        assert cache.get([*values, "absent", "key\n1"]) == values
        cache.put({"key\n1": b"new"})
        assert cache.get(["key\n1"]) == {"key\n1": b"new"}


def test_it_is_private(tmp_path: Path) -> None:
    with FactCache(tmp_path / "cache"):
        pass
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "cache" / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o720])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    """P26: what another user can write is not read."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    with pytest.raises(FetchError, match="others may write") as error:
        FactCache(tmp_path / "cache")
    assert "0700" in error.value.hint
    assert error.value.where == str(tmp_path / "cache")  # the command line hides the home folder


def test_a_link_to_such_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real").chmod(0o777)
    (tmp_path / "cache").symlink_to(tmp_path / "real")
    with pytest.raises(FetchError, match="others may write"):
        FactCache(tmp_path / "cache")


def test_another_users_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P26."""
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(FetchError, match="another user"):
        FactCache(tmp_path / "cache")


def test_a_file_in_the_way_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("x")
    with pytest.raises(FetchError) as error:
        FactCache(tmp_path / "cache")
    assert error.value.hint


def test_a_damaged_row_is_not_there(tmp_path: Path) -> None:
    with FactCache(tmp_path) as cache:
        cache.put({"a": b"1", "b": b"2"})
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("UPDATE fact SET value = ? WHERE key = 'a'", (b"changed",))
    connection.commit()
    connection.close()
    with FactCache(tmp_path) as cache:
        assert cache.get(["a", "b"]) == {"b": b"2"}


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_an_empty_cache(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    with FactCache(tmp_path) as cache:
        assert cache.get(["a"]) == {}
        cache.put({"a": b"1"})
        assert cache.get(["a"]) == {"a": b"1"}


def test_damage_in_the_middle_is_an_empty_cache(tmp_path: Path) -> None:
    with FactCache(tmp_path) as cache:
        cache.put({f"k{index}": b"v" * 2000 for index in range(200)})
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[8192:200_000] = b"\xee" * (200_000 - 8192)
    path.write_bytes(bytes(data))
    with FactCache(tmp_path) as cache:
        assert all(value == b"v" * 2000 for value in cache.get(f"k{index}" for index in range(200)).values())
        cache.put({"a": b"1"})
        assert cache.get(["a"]) == {"a": b"1"}


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    """P1: SQLite's own limit on pages answers as a full disk does."""
    with FactCache(tmp_path) as cache:
        cache._connection.execute("PRAGMA max_page_count = 8")
        with pytest.raises(FetchError, match="full") as error:
            cache.put({"a": b"x" * 1_000_000})
        assert "disk" in error.value.hint
        assert cache.get(["a"]) == {}


def test_a_cache_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with FactCache(tmp_path) as cache:
        cache._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(FetchError, match="readonly") as error:
            cache.put({"a": b"1"})
        assert "permissions" in error.value.hint


WRITER = """
import sys
from pathlib import Path
from sbomgate.npm.cache import FactCache

start = int(sys.argv[2])
with FactCache(Path(sys.argv[1])) as cache:
    for index in range(start, start + 50):
        cache.put({f"k{index}": b"v"})
"""


def test_four_writers_lose_nothing(tmp_path: Path) -> None:
    starts = (0, 50, 100, 150)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, str(start)]) for start in starts]
    assert [writer.wait(60) for writer in writers] == [0] * len(writers)
    with FactCache(tmp_path) as cache:
        assert len(cache.get(f"k{index}" for index in range(200))) == 200


OPENER = """
import sys
from pathlib import Path
from sbomgate.npm.cache import FactCache
sys.stdin.read(1)
for round in range(40):
    with FactCache(Path(sys.argv[1]) / str(round)) as cache:
        cache.put({"k": b"v"})
"""


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER, tmp_path], stdin=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("g")
        opener.stdin.close()
    assert [opener.wait(60) for opener in openers] == [0] * len(openers)
