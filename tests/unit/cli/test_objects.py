"""git's object database as the real git writes it, and as nobody should have written it."""

from __future__ import annotations

import random
import subprocess
import zlib
from pathlib import Path

import pytest

from sbomgate.cli import _objects
from sbomgate.cli._objects import Objects
from sbomgate.errors import InputError
from testkit.commits import Repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Twenty versions of one file, so that packs hold deltas."""
    made = Repository.new(tmp_path_factory.mktemp("objects") / "repository")
    lines = [f"line {number}" for number in range(400)]
    for number in range(12):
        lines[number * 20] = f"changed {number}"
        made.commit({"a/b/file": "\n".join(lines)})
    return made


def known(repository: Repository) -> dict[str, tuple[str, bytes]]:
    """Return every object, as git itself reads it."""
    listed = repository.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    found = {}
    for line in listed.splitlines():
        oid, kind = line.split()
        data = subprocess.run(
            ["git", "cat-file", kind, oid], cwd=repository.root, check=True, capture_output=True
        ).stdout
        found[oid] = kind, data
    return found


def packed(repository: Repository, tmp_path: Path, *more: str) -> Path:
    """Return a folder of objects in which all of them are in one pack."""
    folder = tmp_path / "objects" / "pack"
    folder.mkdir(parents=True)
    listed = repository.git("rev-list", "--objects", "--all", "--no-object-names")
    subprocess.run(
        ["git", "pack-objects", "-q", "--window=50", "--depth=50", *more, str(folder / "pack")],
        cwd=repository.root, input=listed.encode(), check=True, capture_output=True,
    )  # fmt: skip
    return tmp_path / "objects"


@pytest.mark.parametrize("how", ["loose", "offsets", "names"])
def test_what_git_wrote_is_read(repository: Repository, tmp_path: Path, how: str) -> None:
    """Loose, as deltas by their base's place in the pack, and by its name."""
    folder = repository.root / ".git" / "objects"
    if how != "loose":
        folder = packed(repository, tmp_path, *(["--delta-base-offset"] if how == "offsets" else []))
    with Objects(folder) as objects:
        for oid, expected in known(repository).items():
            assert objects.read(oid) == expected
        assert objects.read("0" * 40) is None
        assert objects.read("f" * 40) is None


def test_whatever_is_damaged_is_an_error_or_what_its_id_says(repository: Repository, tmp_path: Path) -> None:
    folder = packed(repository, tmp_path, "--delta-base-offset")
    (pack,), (index,) = folder.glob("pack/*.pack"), folder.glob("pack/*.idx")
    expected = known(repository)
    chance = random.Random(7)
    for path in (pack, index):
        path.chmod(0o644)
        whole = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for _ in range(chance.choice((1, 3))):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            path.write_bytes(damaged[: chance.choice((len(whole), chance.randrange(len(whole))))])
            with Objects(folder) as objects:
                for oid in chance.sample(sorted(expected), 6):
                    try:
                        found = objects.read(oid)
                    except InputError:
                        continue
                    assert found in (None, expected[oid])
        path.write_bytes(whole)


def test_an_object_that_is_too_large_is_refused(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_objects, "MAX_OBJECT_BYTES", 10_000)
    path = tmp_path / "ab" / ("c" * 38)
    path.parent.mkdir()
    path.write_bytes(zlib.compress(b"blob 1000000\0" + b"x" * 1_000_000))
    with Objects(tmp_path) as objects, pytest.raises(InputError, match="more than"):
        objects.read("ab" + "c" * 38)


@pytest.mark.parametrize(
    "delta",
    [
        b"",
        b"\x03\x03",
        b"\x03\x03\x90\x09",
        b"\x03\x03\x00",
        b"\x03\x04\x03abc",
        b"\x04\x03\x03abc",
        b"\x03\x01\x90\x03",
    ],
    ids=["empty", "makes nothing", "copies too much", "unknown", "too short", "of another base", "more than it says"],
)
def test_a_delta_that_does_not_fit(delta: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        _objects._apply(b"abc", delta)


def test_a_folder_without_objects(tmp_path: Path) -> None:
    with Objects(tmp_path / "nowhere") as objects:
        assert objects.read("0" * 40) is None
