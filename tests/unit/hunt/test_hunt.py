"""Every planted trace is found, with its kind, and nothing else; what cannot be read is told."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sbomgate.hunt import Found, Wanted, hunt
from testkit.hunting import INTEGRITY, address, decoys, npm_lock, plant

GIT = Path(shutil.which("git") or "/usr/bin/git")
NAMES = ["axios", "@scope/evil-name"]
VERSION = "1.14.1"
TIME = datetime(2026, 3, 31, 0, 21, 58, tzinfo=UTC)


def wanted(name: str, version: str = VERSION, *, pairs: bool = True, integrities: tuple[str, ...] = ()) -> Wanted:
    return Wanted(
        ids=lambda a, b: ("MAL-1",) if (a, b) == (name, version) else (),
        integrities=frozenset(integrities),
        pairs=((name.rpartition("/")[2].encode(), version.encode()),) if pairs else (),
    )


def look(root: Path, what: Wanted, git: Path | None = GIT) -> Found:
    return hunt([root], what, git=git)


def places(found: Found, root: Path) -> dict[str, str]:
    return {str(Path(one.path).relative_to(root)): one.mention.kind for one in found.traces}


@pytest.mark.parametrize("pairs", [True, False], ids=["few names", "many names"])
@pytest.mark.parametrize("name", NAMES)
def test_all_that_is_planted_and_nothing_else(tmp_path: Path, name: str, pairs: bool) -> None:
    planted = plant(tmp_path / "machine", name, VERSION)
    decoys(tmp_path / "machine" / "more", name, VERSION)
    found = look(tmp_path / "machine", wanted(name, pairs=pairs))
    assert places(found, tmp_path / "machine") == planted
    assert found.unread == ()
    assert all(one.ids == ("MAL-1",) for one in found.traces)
    assert {(one.mention.name, one.mention.version) for one in found.traces} == {(name, VERSION)}


def test_place_time_address_and_integrity(tmp_path: Path) -> None:
    plant(tmp_path, "axios", VERSION)
    found = {str(Path(one.path).relative_to(tmp_path)): one.mention for one in look(tmp_path, wanted("axios")).traces}
    debug = found[".npm/_logs/2026-03-31T00_21_58_000Z-debug-0.log"]
    assert (debug.place, debug.time) == ("line 2", TIME)
    assert (found["ci/logs/build.txt"].place, found["ci/logs/build.txt"].time) == ("line 1", TIME)
    assert found["ci/build.log.gz"].place == "line 3"
    archived = found["ci/logs_4711.zip"]
    assert (archived.place, archived.time) == ("build/2_npm ci.txt: line 2", TIME)
    cache = found[".npm/_cacache/index-v5/1a/2b/3c"]
    assert (cache.time, cache.address, cache.integrity) == (TIME, address("axios", VERSION), INTEGRITY)
    assert found["pnpm/v11/index.db"].integrity == INTEGRITY
    lock = found["web/package-lock.json"]
    assert (lock.address, lock.integrity) == (address("axios", VERSION), INTEGRITY)
    assert found["classic/yarn.lock"].place == "line 5"


def test_p40_an_address_loses_its_user(tmp_path: Path) -> None:
    plant(tmp_path, "axios", VERSION)
    found = look(tmp_path, wanted("axios"))
    assert "secret" not in repr(found)
    assert any("older.log" in one.path and one.mention.address == address("axios", VERSION) for one in found.traces)


def test_bytes_under_another_name(tmp_path: Path) -> None:
    plant(tmp_path, "renamed", "9.9.9")
    found = look(tmp_path, wanted("axios", integrities=(INTEGRITY,)))
    kinds = {one.mention.kind for one in found.traces}
    assert kinds == {"npm cache", "pnpm store", "lockfile", "lockfile by text", "installed"}
    assert {one.ids for one in found.traces} == {(INTEGRITY,)}


def test_malware_that_rewrote_its_package_json(tmp_path: Path) -> None:
    """The hidden lockfile and the virtual store still say which version it was."""
    plant(tmp_path, "plain-crypto-js", "4.2.1")
    (tmp_path / "web/node_modules/plain-crypto-js/package.json").write_text(
        '{"name":"plain-crypto-js","version":"4.2.0"}'
    )
    found = places(look(tmp_path, wanted("plain-crypto-js", "4.2.1")), tmp_path)
    assert "web/node_modules/plain-crypto-js/package.json" not in found
    assert found["web/node_modules/.package-lock.json"] == "installed"


def test_an_alias_by_both_names(tmp_path: Path) -> None:
    folder = tmp_path / "node_modules" / "harmless"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "axios", "version": "1.14.1"}')
    assert len(look(tmp_path, wanted("axios")).traces) == 1
    assert len(look(tmp_path, wanted("harmless")).traces) == 1


def commit(repository: Path, message: str) -> None:
    for arguments in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", message]):
        subprocess.run([GIT, "-C", repository, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository in which a lockfile was locked on a branch that is gone."""
    made = tmp_path / "repository"
    (made / "web").mkdir(parents=True)
    subprocess.run([GIT, "init", "-q", "-b", "main", made], check=True)
    (made / "README").write_text("a")
    commit(made, "first")
    subprocess.run([GIT, "-C", made, "checkout", "-qb", "gone"], check=True)
    (made / "web" / "package-lock.json").write_text(npm_lock("axios", VERSION))
    commit(made, "second")
    subprocess.run([GIT, "-C", made, "checkout", "-q", "main"], check=True)
    subprocess.run([GIT, "-C", made, "branch", "-qD", "gone"], check=True)
    return made


def test_the_history_of_a_branch_that_is_gone(repository: Path) -> None:
    (trace,) = look(repository, wanted("axios")).traces
    assert trace.mention.kind == "git history"
    assert trace.mention.place.startswith("commit ")
    assert trace.mention.place.endswith(": web/package-lock.json")
    assert trace.mention.time is not None
    before = sorted(str(path) for path in repository.rglob("*"))
    look(repository, wanted("axios"))
    assert sorted(str(path) for path in repository.rglob("*")) == before


def test_packed_bare_and_shallow(repository: Path, tmp_path: Path) -> None:
    subprocess.run([GIT, "-C", repository, "branch", "kept", "HEAD@{1}"], check=True, capture_output=True)
    bare, shallow = tmp_path / "bare.git", tmp_path / "shallow"
    subprocess.run([GIT, "clone", "-q", "--bare", repository, bare], check=True)
    subprocess.run([GIT, "-C", bare, "repack", "-adq"], check=True)
    subprocess.run(
        [GIT, "clone", "-q", "--depth=1", "-b", "kept", f"file://{repository}", shallow],
        check=True,
        capture_output=True,
    )
    assert [one.mention.kind for one in look(bare, wanted("axios")).traces] == ["git history"]
    found = look(shallow, wanted("axios"))
    assert found.unread == ()
    assert {one.mention.kind for one in found.traces} == {"git history", "lockfile"}


def test_a_repository_cannot_name_programs(repository: Path, tmp_path: Path) -> None:
    """What its config would have git run is not run, and where its objects are broken it is unread."""
    ran = tmp_path / "ran"
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "core.gitProxy"):
        subprocess.run([GIT, "config", "--file", repository / ".git" / "config", key, f"touch {ran}"], check=True)
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    assert len(look(repository, wanted("axios")).traces) == 1
    assert not ran.exists()


def broken_object(repository: Path) -> None:
    for path in (repository / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:10])


def missing_blob(repository: Path) -> None:
    made = subprocess.run(
        [GIT, "-C", repository, "hash-object", "--stdin"],
        input=npm_lock("axios", VERSION).encode(),
        capture_output=True,
        check=True,
    )
    blob = made.stdout.decode().strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()


@pytest.mark.parametrize("damage", [broken_object, missing_blob])
def test_a_damaged_repository_is_unread(repository: Path, damage: Callable[[Path], None]) -> None:
    damage(repository)
    found = look(repository, wanted("axios"))
    assert found.traces == ()
    assert [Path(one.path).name for one in found.unread] == [".git"]


def test_without_git_a_history_is_unread(repository: Path) -> None:
    found = look(repository, wanted("axios"), git=None)
    assert "git is not installed" in found.unread[0].reason


def loop(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "up").symlink_to(root)
    (root / "self").symlink_to("self")


def pipe(root: Path) -> None:
    os.mkfifo(root / "package-lock.json")
    os.mkfifo(root / "a.log")


@pytest.mark.parametrize("made", [loop, pipe])
def test_what_would_never_end(tmp_path: Path, made: Callable[[Path], None]) -> None:
    made(tmp_path)
    plant(tmp_path / "real", "axios", VERSION)
    assert len(look(tmp_path, wanted("axios")).traces) > 10


def zipped(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), "+ axios@1.14.1\n" * 9)
    return data.getvalue()


UNREAD: dict[str, tuple[str, bytes, str]] = {
    "bun's binary lockfile": ("bun.lockb", b"#!/usr/bin/env bun\nbun-lockfile-format-v0\n", "binary"),
    "gzip: cut": ("a.log.gz", gzip.compress(b"x" * 100_000)[:50], "unpacked"),
    "gzip: broken": ("a.log.gz", b"\x1f\x8b" + b"\x00" * 40, "unpacked"),
    "zip: broken": ("logs_1.zip", b"PK\x03\x04" + b"\x00" * 40, "unpacked"),
    "zip: cut": ("logs_1.zip", zipped("1_build.txt")[:-9], "unpacked"),
    "zip: encrypted": (
        "logs_1.zip",
        zipped("1_build.txt").replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
        "encrypted",
    ),
    "zip: no log in it": ("logs_1.zip", zipped("a.png"), "no file in it is a log"),
    "pnpm's index: broken": ("index.db", b"SQLite format 3\x00" + b"\x00" * 200, "pnpm"),
}


@pytest.mark.parametrize(("name", "data", "says"), UNREAD.values(), ids=UNREAD)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    (one,) = look(tmp_path, wanted("axios")).unread
    assert says in one.reason
    assert one.path.endswith(name)


def test_a_cut_gzip_is_searched_as_far_as_it_goes(tmp_path: Path) -> None:
    text = b"+ axios 1.14.1\n" + os.urandom(200_000).hex().encode() + b"\n"
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"npm i axios@1.14.1\n" * 300_000 + text)[:-9])
    found = look(tmp_path, wanted("axios"))
    assert found.traces
    assert found.unread


def test_a_zip_that_is_named_is_no_all_clear(tmp_path: Path) -> None:
    """Whatever it is called: its logs are read, or that they are not is said."""
    (tmp_path / "download.zip").write_bytes(zipped("0_build.txt"))
    (tmp_path / "image.zip").write_bytes(zipped("a.png"))
    assert look(tmp_path, wanted("axios")).traces == ()
    assert len(look(tmp_path / "download.zip", wanted("axios")).traces) == 9
    assert look(tmp_path / "image.zip", wanted("axios")).unread


def test_a_prerelease_in_buns_cache(tmp_path: Path) -> None:
    """bun's folder has a hash of what follows the sign: the package.json in it says the version."""
    folder = tmp_path / ".bun/install/cache/@acme/pad@1.0.0-e98b97fd2a5d7e3c@@@1"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "@acme/pad", "version": "1.0.0-rc.1"}')
    (trace,) = look(tmp_path, wanted("@acme/pad", "1.0.0-rc.1")).traces
    assert trace.mention.kind == "bun cache"


@pytest.mark.parametrize("name", ["nothing", "pipe"])
def test_a_path_that_is_no_file(tmp_path: Path, name: str) -> None:
    if name == "pipe":
        os.mkfifo(tmp_path / name)
    assert [one.path for one in look(tmp_path / name, wanted("axios")).unread] == [str(tmp_path / name)]


def test_a_file_by_its_path_is_a_log(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("+ axios@1.14.1\n")
    assert look(tmp_path, wanted("axios")).traces == ()
    assert len(look(tmp_path / "output", wanted("axios")).traces) == 1


def test_paths_below_one_another_are_walked_once(tmp_path: Path) -> None:
    planted = plant(tmp_path, "axios", VERSION)
    found = hunt([tmp_path, tmp_path / "ci", tmp_path], wanted("axios"), git=GIT)
    assert len(found.traces) == len(planted)


def test_the_same_tree_gives_the_same_answer(tmp_path: Path) -> None:
    """P38."""
    plant(tmp_path, "axios", VERSION)
    assert look(tmp_path, wanted("axios")) == look(tmp_path, wanted("axios"))
