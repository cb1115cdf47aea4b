"""The files: many writers and a reader at once, writers killed, compaction, and what is damaged."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sbomgate.errors import EvidenceError, UsageError
from sbomgate.inventory import place
from sbomgate.inventory.engines import Engine
from sbomgate.inventory.engines.duck import DuckDB
from sbomgate.inventory.folder import Folder
from testkit import inventories
from testkit.inventories import build

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "inventory")
    made.create()
    return made


@pytest.fixture
def engine(folder: Folder) -> Iterator[DuckDB]:
    made = folder.reader()
    yield made
    made.close()


def keys(engine: Engine) -> list[int]:
    return sorted(key for (key,) in engine.query("SELECT build FROM build"))


def holders(engine: Engine) -> int:
    return int(engine.query("SELECT count(DISTINCT build) FROM package WHERE name = 'axios'")[0][0])


def names(folder: Folder) -> tuple[int, int]:
    """How many segments and deltas count."""
    listing = folder.listing()
    return len(listing.segments), len(listing.deltas)


def test_an_empty_one_answers(folder: Folder, engine: DuckDB) -> None:
    assert folder.ask(engine, keys) == []
    assert folder.compact() == 0


def test_a_build_is_there_once_however_often_it_is_added(folder: Folder, engine: DuckDB) -> None:
    one = build("one", [("axios", "1.14.1")])
    for _ in range(2):
        folder.add([one])
        folder.compact(everything=True)
        folder.add([one])
    assert folder.ask(engine, keys) == [one[0]]
    assert folder.ask(engine, holders) == 1
    # The copy beside the segment costs nothing but its file, until the next compaction.
    assert names(folder) == (1, 1)
    folder.compact()
    assert names(folder) == (1, 0)


def test_compaction_merges_what_is_of_its_size(folder: Folder, engine: DuckDB) -> None:
    added = []
    counts = []
    for number in range(40):
        one = build(f"{number}", [("axios", "1.14.1"), ("left-pad", "1.3.0")])
        added.append(one[0])
        folder.add([one])
        folder.compact()
        counts.append(names(folder)[0])
    assert folder.ask(engine, keys) == sorted(added)
    assert folder.ask(engine, holders) == 40
    assert max(counts) <= 6, "segments grow with the logarithm of the builds"
    assert sum(segment.builds for segment in folder.listing().segments) == 40
    folder.compact(everything=True)
    assert names(folder) == (1, 0)


def test_eight_writers_and_a_reader_at_once(folder: Folder, engine: DuckDB) -> None:
    """P41: every build that was reported stored is found, while and after compactions run."""
    writers = [SPAWN.Process(target=inventories.some, args=(folder.path, number, 6)) for number in range(8)]
    for process in writers:
        process.start()
    seen = 0
    while any(process.is_alive() for process in writers):
        now = folder.ask(engine, holders)
        assert now >= seen, "a build that was there is gone"
        seen = now
        time.sleep(0.05)
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * 8
    assert folder.ask(engine, holders) == 48


def test_writers_that_are_killed_lose_nothing_that_was_reported(folder: Folder, engine: DuckDB) -> None:
    """P41: SIGKILL at any moment, compactions included."""
    reported: set[int] = set()
    for round_ in range(4):
        here, there = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=inventories.writer, args=(folder.path, round_, there))
        process.start()
        there.close()
        assert here.recv() == "ready"
        reported.update(here.recv() for _ in range(5 + 2 * round_))
        time.sleep(0.013 * round_)  # somewhere in the next one, or in a compaction
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while True:  # what was sent before it died
            try:
                reported.add(here.recv())
            except EOFError:
                break
    assert len(reported) >= 5 + 7 + 9 + 11
    assert reported <= set(folder.ask(engine, keys))
    folder.compact(everything=True)
    assert reported <= set(folder.ask(engine, keys))
    left = [path for path in folder.path.rglob("*") if path.name.startswith(".tmp-")]
    assert left == [], "the next compaction removes what killed writers left"


@pytest.mark.parametrize("at", ["segment", "published"])
def test_a_compaction_that_dies_changes_nothing(
    folder: Folder, engine: DuckDB, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """P41: after the segment, or after `segments.json`, and before the single builds are removed."""
    added = [build(f"{number}", [("axios", "1.14.1")]) for number in range(3)]
    folder.add(added)
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "_publish" if at == "segment" else "_remove", _dies)
        with pytest.raises(KeyboardInterrupt):
            folder.compact()
    assert folder.ask(engine, holders) == 3
    assert folder.ask(engine, keys) == sorted(key for key, _ in added)
    folder.compact()
    assert names(folder) == (1, 0)
    assert folder.ask(engine, holders) == 3


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_reader_lists_again_where_a_file_vanishes(folder: Folder, engine: DuckDB) -> None:
    folder.add([build("one", [("axios", "1.14.1")])])
    asked = 0

    def question(engine: Engine) -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            folder.compact(everything=True)
        return holders(engine)

    assert folder.ask(engine, question) == 1
    assert asked == 2


def test_a_rebuild_takes_the_place_at_once(folder: Folder, engine: DuckDB) -> None:
    old, new, meanwhile = (build(name, [("axios", "1.14.1")]) for name in ("old", "new", "meanwhile"))
    folder.add([old])
    folder.compact()
    with folder.rebuilding() as fresh:
        fresh.add([new])
        folder.add([meanwhile])
        assert folder.ask(engine, keys) == sorted([old[0], meanwhile[0]])
    assert folder.ask(engine, keys) == sorted([new[0], meanwhile[0]])
    with contextlib.suppress(KeyboardInterrupt), folder.rebuilding() as fresh:
        fresh.add([old])
        raise KeyboardInterrupt
    assert folder.ask(engine, keys) == sorted([new[0], meanwhile[0]])


def test_what_is_added_again_while_it_is_rebuilt_stays(folder: Folder, engine: DuckDB) -> None:
    """P41: it was reported stored after the rebuild began."""
    again = build("again", [("axios", "1.14.1")])
    folder.add([again])
    with folder.rebuilding():
        folder.add([again])
    assert folder.ask(engine, keys) == [again[0]]


def test_two_builds_with_one_key_are_refused(folder: Folder, engine: DuckDB) -> None:
    key, rows = build("one")
    _, others = build("two")
    folder.add([(key, [*rows, {**others[0], "build": key}])])
    with pytest.raises(EvidenceError, match="two builds have one key"):
        folder.ask(engine, keys)


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a delta is cut": ("delta", lambda data: data[:-20]),
    "a delta is empty": ("delta", lambda _: b""),
    "a delta is something else": ("delta", lambda _: b"PAR1 not really"),
    "a segment is cut": ("segments/000001.parquet", lambda data: data[: len(data) // 2]),
    "its spans are cut": ("segments/000001.spans.parquet", lambda data: data[: len(data) // 2]),
    "its spans are empty": ("segments/000001.spans.parquet", lambda _: b""),
    "its spans are something else": ("segments/000001.spans.parquet", lambda _: b"PAR1 not really"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_damaged_is_said(folder: Folder, engine: DuckDB, case: str) -> None:
    where, change = DAMAGE[case]
    folder.add([build("one", [("axios", "1.14.1")])])
    if where != "delta":
        folder.compact()
    path = folder.path / where
    (path,) = path.iterdir() if path.is_dir() else (path,)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(EvidenceError) as caught:
        folder.ask(engine, holders)
    assert "rebuild" in caught.value.hint


MANIFESTS = {
    "no JSON": b"{",
    "another schema": b'{"schema": "sbomgate/inventory/v9", "segments": []}',
    "a name that leads elsewhere": b'{"schema": "sbomgate/inventory/v1", "segments": '
    b'[{"name": "../../x.parquet", "rows": 1, "builds": 1}]}',
    "spans that lead elsewhere": b'{"schema": "sbomgate/inventory/v1", "segments": '
    b'[{"name": "000001.parquet", "rows": 1, "builds": 1, "spans": "../000001.spans.parquet"}]}',
    "spans that are no name": b'{"schema": "sbomgate/inventory/v1", "segments": '
    b'[{"name": "000001.parquet", "rows": 1, "builds": 1, "spans": 7}]}',
    "a number": b"7",
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_list_of_segments_that_is_none(folder: Folder, engine: DuckDB, case: str) -> None:
    (folder.path / place.MANIFEST).write_bytes(MANIFESTS[case])
    with pytest.raises(EvidenceError, match=r"segments|expected"):
        folder.ask(engine, keys)


@pytest.mark.parametrize("gone", ["000001.parquet", "000001.spans.parquet"])
def test_a_segment_that_is_not_there(folder: Folder, engine: DuckDB, gone: str) -> None:
    folder.add([build("one")])
    folder.compact()
    (folder.path / "segments" / gone).unlink()
    with pytest.raises(EvidenceError, match="is not there"):
        folder.ask(engine, keys)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_bytes(b"")
    with pytest.raises(UsageError, match="other files"):
        Folder(tmp_path).create()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\U0010ffff", "'; DROP TABLE build; --", "\ud800", "x" * 100_000])
def test_hostile_names(folder: Folder, engine: DuckDB, text: str) -> None:
    one = build("one", [(text, "1.0.0")])
    if text == "\ud800":
        with pytest.raises(EvidenceError, match="text"):
            folder.add([one])
        return
    folder.add([one])
    assert folder.ask(engine, lambda e: e.query("SELECT name FROM package WHERE name = ?", [text])) == [(text,)]
    folder.compact()
    assert folder.ask(engine, lambda e: e.query("SELECT name FROM package WHERE name = ?", [text])) == [(text,)]
