"""Files that appear in a store together: all of them, on disk before anything leads to them, or none (P41)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sbomgate import files
from sbomgate.errors import EvidenceError
from sbomgate.evidence.commit import HEAD, INDEX, Commit, could_not, create


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[set[Path]]:
    """What reached the disk together, in order."""
    found: list[set[Path]] = []
    real = files.sync_all

    def sync_all(paths: Iterable[Path]) -> None:
        given = list(paths)
        real(given)
        found.append(set(given))

    monkeypatch.setattr(files, "sync_all", sync_all)
    return found


def prepared(store: Path, commit: Commit) -> None:
    """One of everything: a folder of new files and of a linked one, a file of each stage, a second name."""
    commit.make_folders(store / "a" / "b")
    (store / "held").write_bytes(b"held")
    commit.folder(store / "a" / "folder", {"x": (b"x", None), "d/e/y": (b"y", None), "z": (b"held", store / "held")})
    commit.link(store / "second", store / "held")
    commit.file(store / "a" / "b" / "file", b"file")
    commit.file(store / "index", b"index", INDEX)
    commit.file(store / "head", b"head", HEAD)


def contents(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_everything_appears(tmp_path: Path) -> None:
    with Commit(tmp_path) as commit:
        prepared(tmp_path, commit)
        assert {name for name in contents(tmp_path) if ".tmp-" not in name} == {"held"}
        commit.run()
    assert contents(tmp_path) == {
        "held": b"held",
        "second": b"held",
        "a/folder/x": b"x",
        "a/folder/d/e/y": b"y",
        "a/folder/z": b"held",
        "a/b/file": b"file",
        "index": b"index",
        "head": b"head",
    }
    assert (tmp_path / "a/folder/z").samefile(tmp_path / "held")
    assert not (tmp_path / "a/folder/x").stat().st_mode & 0o222


def test_P41_bytes_then_names_then_what_leads_to_them(tmp_path: Path, synced: list[set[Path]]) -> None:
    """A folder that was there before may have got its name from a writer who did not wait for the disk."""
    (tmp_path / "before").mkdir()
    with Commit(tmp_path) as commit:
        prepared(tmp_path, commit)
        commit.sync(tmp_path / "before")
        commit.make_folders(tmp_path / "new" / "inner" / "empty")
        commit.run()
    folder = tmp_path / "a" / ".tmp-folder"
    written, names, index, head = synced
    assert written == {
        folder, folder / "d", folder / "d" / "e", folder / "x", folder / "d" / "e" / "y",
        tmp_path / "a" / "b" / ".tmp-file", tmp_path / ".tmp-index", tmp_path / ".tmp-head",
    }  # fmt: skip
    new = tmp_path / "new"
    assert names == {tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "before", new, new / "inner"}
    assert index == head == {tmp_path}


class Left(Exception):
    """Whatever else ends a writer."""


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), Left()], ids=["no space", "something else"])
def test_P1_nothing_stays_of_what_did_not_get_its_name(tmp_path: Path, error: Exception) -> None:
    def write() -> None:
        with Commit(tmp_path) as commit:
            prepared(tmp_path, commit)
            raise error

    with pytest.raises(EvidenceError if isinstance(error, OSError) else Left):
        write()
    assert contents(tmp_path) == {"held": b"held"}
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_link_in_place_of_what_was_prepared_is_not_followed(tmp_path: Path) -> None:
    """Whoever can write to the store would have us remove what only we can."""
    ours, store = tmp_path / "ours", tmp_path / "store"
    for folder in (ours, store):
        folder.mkdir()
    (ours / "file").write_bytes(b"")

    def write() -> None:
        with Commit(store) as commit:
            commit.folder(store / "folder", {})
            (store / ".tmp-folder").rmdir()
            (store / ".tmp-folder").symlink_to(ours)
            raise OSError(errno.EIO, "input/output error")

    with pytest.raises(EvidenceError, match="cannot be written: input/output error"):
        write()
    assert (ours / "file").exists()
    assert not os.path.lexists(store / ".tmp-folder")


@pytest.mark.parametrize(("code", "is_copied"), [(errno.EPERM, True), (errno.EXDEV, True), (errno.ENOSPC, False)])
def test_where_no_link_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[set[Path]], code: int, is_copied: bool
) -> None:
    (tmp_path / "held").write_bytes(b"held")

    def no_link(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", no_link)
    try:
        with Commit(tmp_path) as commit:
            commit.folder(tmp_path / "folder", {"z": (b"held", tmp_path / "held")})
            commit.run()
    except EvidenceError:
        assert not is_copied
        assert contents(tmp_path) == {"held": b"held"}
    else:
        assert is_copied
        assert contents(tmp_path) == {"held": b"held", "folder/z": b"held"}
        assert tmp_path / ".tmp-folder" / "z" in synced[0], "P41: a copy's bytes are on disk, as a link's were"


def test_every_file_that_is_opened_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process stores thousands of files in a sweep."""
    opened: list[int] = []
    closed: list[int] = []
    real_open, real_close = os.open, os.close

    def open_(*arguments: Any, **named: Any) -> int:
        opened.append(real_open(*arguments, **named))
        return opened[-1]

    def close(descriptor: int) -> None:
        closed.append(descriptor)
        real_close(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_)
        patch.setattr(os, "close", close)
        create(tmp_path / "file", b"x")
        with pytest.raises(FileExistsError):
            create(tmp_path / "file", b"x")
    assert opened == closed != []


@pytest.mark.parametrize(
    ("error", "where", "says"),
    [
        (OSError(errno.ENOSPC, "No space left", "the file"), "the file", "cannot be read: no space left"),
        (OSError("odd"), "the store", "cannot be read: odd"),
    ],
)
def test_what_could_not_be_done_says_where(error: OSError, where: str, says: str) -> None:
    found = could_not("be read", Path("the store"), error)
    assert (found.where, found.message) == (where, says)
