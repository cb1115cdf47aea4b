"""The store on disk: nothing altered passes, nothing reported as stored is lost (P1, P10, P36, P41)."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import multiprocessing
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from sbomgate import dsse, files
from sbomgate.decision import SUMMARY_TYPE
from sbomgate.errors import EvidenceError
from sbomgate.evidence import layout
from sbomgate.evidence.record import Record, Statements, index, manifests
from sbomgate.model import Subject, Verdict
from testkit import evidence_writers
from testkit.evidence import BLOBS, COMMIT, OTHER_TARBALL, TARBALL, key, record
from testkit.faults import recorded_syncs

HOUR = timedelta(hours=1)
FIRST = record(age=2 * HOUR)
SECOND = record(age=HOUR, verdict=Verdict.DENIED)
BUNDLE = dsse.BUNDLE_MEDIA_TYPE.encode()
OTHER = key().sign(dsse.statement([("a", {"sha256": "ab" * 32})], "https://example.test/v1", {}))
DIGEST = hashlib.sha256(OTHER).hexdigest().encode()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "evidence"


def ids(store: Path, subject: Subject = TARBALL) -> list[str]:
    return [r.id for r in layout.find(store, subject)]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def overwrite(path: Path, data: bytes) -> None:
    """Change a file in place, whatever its mode: hard links change with it."""
    path.chmod(0o644)
    path.write_bytes(data)


# --------------------------------------------------------------------------------------------------------------------
# Writing and reading


def test_what_was_written_is_found(store: Path) -> None:
    path = layout.write(store, FIRST)
    assert path.path == store / path.build[:2] / path.build / "decisions" / FIRST.id
    assert layout.find(store, TARBALL) == (FIRST,)
    assert layout.read(path.path) == FIRST
    assert layout.read(path.path.parent.parent) == FIRST
    assert contents(path.path) == FIRST.files()


def test_several_decisions_on_one_build_stand_beside_each_other(store: Path) -> None:
    paths = [layout.write(store, one).path for one in (FIRST, SECOND)]
    observed = layout.write(store, record(profile="observe", age=3 * HOUR)).path
    assert ids(store) == [SECOND.id, FIRST.id, observed.name]
    assert [layout.read(path).id for path in (*paths, observed)] == [p.name for p in (*paths, observed)]
    assert layout.read(paths[0].parent.parent).id == SECOND.id


def test_a_folder_is_known_by_its_place_from_inside_too(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (layout.write(store, one).path for one in (FIRST, SECOND))
    for path in (first, second):
        monkeypatch.chdir(path)
        assert [one.id for one in layout.read_all(Path())] == [path.name]
        assert layout.store_of(Path()) == store
    monkeypatch.chdir(first.parent.parent)
    assert [one.id for one in layout.read_all(Path())] == [SECOND.id, FIRST.id]


def test_builds_do_not_mix(store: Path) -> None:
    layout.write(store, FIRST)
    layout.write(store, record(subject=OTHER_TARBALL))
    assert ids(store) == [FIRST.id]
    assert ids(store, COMMIT) == []


def test_P38_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for one in (FIRST, SECOND, FIRST):
        layout.write(tmp_path / "a", one)
    for one in (SECOND, FIRST):
        layout.write(tmp_path / "b", one)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_P36_writing_again_changes_nothing(store: Path) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    before = {p: p.stat().st_mtime_ns for p in base.rglob("*") if p.is_file()}
    layout.write(store, FIRST)
    assert {p: p.stat().st_mtime_ns for p in base.rglob("*") if p.is_file()} == before


def test_evidence_is_read_only_and_stored_once(store: Path) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    for path in base.rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert stat.S_IMODE(path.stat().st_mode) & 0o222 == 0, path
    for name, data in FIRST.files().items():
        blob = base / "blobs" / "sha256" / hashlib.sha256(data).hexdigest()
        assert blob.samefile(base / "decisions" / FIRST.id / name)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP], ids=["EPERM", "EMLINK", "EOPNOTSUPP"])
def test_where_links_fail_files_are_copied(store: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(code, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    path = layout.write(store, FIRST).path
    assert contents(path) == FIRST.files()
    assert (path / "sbom.cdx.json").stat().st_nlink == 1
    assert layout.read(path) == FIRST
    overwrite(path / "sbom.cdx.json", b"{}")
    with pytest.raises(EvidenceError, match="altered"):
        layout.read(path)


def test_it_is_an_oci_layout(store: Path) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    assert json.loads((base / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    listed = json.loads((base / "index.json").read_bytes())
    for one in listed["manifests"]:
        data = (base / "blobs" / "sha256" / one["digest"].removeprefix("sha256:")).read_bytes()
        assert len(data) == one["size"]
        assert hashlib.sha256(data).hexdigest() == one["digest"].removeprefix("sha256:")
        manifest = json.loads(data)
        for layer in (manifest["config"], *manifest["layers"]):
            blob = (base / "blobs" / "sha256" / layer["digest"].removeprefix("sha256:")).read_bytes()
            assert len(blob) == layer["size"]


def test_the_store_may_be_moved(store: Path) -> None:
    layout.write(store, FIRST)
    moved = store.parent / "moved"
    store.rename(moved)
    assert ids(moved) == [FIRST.id]


# --------------------------------------------------------------------------------------------------------------------
# Altered in any byte


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two decisions on one build, named files as copies so that each file can be altered alone."""
    store = tmp_path_factory.mktemp("written")
    for one in (FIRST, SECOND):
        path = layout.write(store, one).path
        for file in path.rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                file.unlink()
                file.write_bytes(data)
    return store


FILES = ["oci-layout", "index.json", *(f"first/{name}" for name in FIRST.files())]
BLOBS_OF_BUILD = 25


def file_of(store: Path, name: str) -> Path:
    base = layout.folder(store, FIRST.build.sha256)
    return base / name if not name.startswith("first/") else base / "decisions" / FIRST.id / name.removeprefix("first/")


def refused(store: Path, path: Path) -> None:
    with pytest.raises(EvidenceError) as e:
        layout.find(store, TARBALL)
    assert e.value.where
    base = layout.folder(store, FIRST.build.sha256)
    with pytest.raises(EvidenceError):
        layout.read(base)
    with pytest.raises(EvidenceError):
        layout.write(store, record(age=HOUR / 2))


def altered(data: bytes, every: bool) -> Iterator[bytes]:
    positions = (
        range(len(data)) if every else sorted({0, 1, len(data) // 3, len(data) // 2, len(data) - 2, len(data) - 1})
    )
    for position in positions:
        if 0 <= position < len(data):
            for mask in (0x01, 0x80) if not every else (0x01,):
                damaged = bytearray(data)
                damaged[position] ^= mask
                yield bytes(damaged)


@pytest.mark.parametrize("name", FILES)
def test_P36_no_altered_byte_of_a_named_file_passes(written: Path, name: str) -> None:
    path = file_of(written, name)
    data = path.read_bytes()
    assert ids(written) == [SECOND.id, FIRST.id]
    try:
        for damaged in (*altered(data, every=len(data) < 300), b"", data[:-1], data + b"\n", data + data):
            overwrite(path, damaged)
            refused(written, path)
        path.unlink()
        if name == "index.json":  # nothing is committed without it: no evidence, which verify refuses
            assert ids(written) == []
        else:
            refused(written, path)
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(data)
    assert ids(written) == [SECOND.id, FIRST.id]


def test_P36_no_altered_byte_of_the_index_passes(store: Path) -> None:
    """Every byte of index.json, the one file that no digest names."""
    path = layout.write(store, FIRST).path.parent.parent / "index.json"
    for damaged in altered(path.read_bytes(), every=True):
        overwrite(path, damaged)
        with pytest.raises(EvidenceError):
            layout.read_statements(path.parent)


def test_P36_no_altered_blob_passes(written: Path) -> None:
    base = layout.folder(written, FIRST.build.sha256)
    blobs = sorted((base / "blobs" / "sha256").iterdir())
    assert len(blobs) == BLOBS_OF_BUILD
    for path in blobs:
        data = path.read_bytes()
        try:
            for damaged in (*altered(data, every=False), b"", data + b" "):
                overwrite(path, damaged)
                with pytest.raises(EvidenceError):
                    layout.find(written, TARBALL)
            path.unlink()
            with pytest.raises(EvidenceError):
                layout.find(written, TARBALL)
        finally:
            path.unlink(missing_ok=True)
            path.write_bytes(data)
    assert ids(written) == [SECOND.id, FIRST.id]


@pytest.mark.parametrize("name", FIRST.files())
def test_P36_no_altered_byte_of_a_linked_file_passes(store: Path, name: str) -> None:
    """A named file and its blob are one file here: changed in place, both change."""
    path = layout.write(store, FIRST).path / name
    data = path.read_bytes()
    for damaged in (*altered(data, every=False), b"", data + b" "):
        overwrite(path, damaged)
        with pytest.raises(EvidenceError):
            layout.find(store, TARBALL)
    overwrite(path, data)
    assert ids(store) == [FIRST.id]


def edit_index(store: Path, change: Callable[[Any], object]) -> None:
    path = file_of(store, "index.json")
    document = json.loads(path.read_bytes())
    change(document)
    overwrite(path, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d["manifests"].reverse(), id="reordered"),
        pytest.param(lambda d: d["manifests"].append(d["manifests"][-1]), id="an entry twice"),
        pytest.param(lambda d: d["manifests"].pop(0), id="no build"),
        pytest.param(lambda d: d["manifests"].clear(), id="no entry"),
        pytest.param(lambda d: d.update(manifests={}), id="no list"),
        pytest.param(lambda d: d["manifests"][1].update(digest="sha512:ab"), id="no sha256"),
        pytest.param(lambda d: d["manifests"][1].update(digest="sha256:../../../etc/passwd"), id="a path for a digest"),
        pytest.param(lambda d: d["manifests"][1].update(digest="sha256:" + "ab" * 32), id="a digest of nothing"),
        pytest.param(lambda d: d["manifests"][0]["annotations"].clear(), id="annotations gone"),
        pytest.param(lambda d: d["manifests"][1].update(size=1), id="another size"),
        pytest.param(lambda d: d.update(extra=1), id="unknown field"),
    ],
)
def test_P36_an_edited_index_is_refused(store: Path, change: Callable[[Any], object]) -> None:
    layout.write(store, FIRST)
    edit_index(store, change)
    refused(store, store)


def test_P36_each_entry_is_needed(store: Path) -> None:
    """One referrer cut from the index: the rest is not what the store wrote."""
    layout.write(store, FIRST)
    for position in range(1, 5):
        path = file_of(store, "index.json")
        data = path.read_bytes()
        document = json.loads(data)
        del document["manifests"][position]
        overwrite(path, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
        refused(store, path)
        overwrite(path, data)
    assert ids(store) == [FIRST.id]


def test_P36_a_decision_without_its_summary_is_named(store: Path) -> None:
    for one in (FIRST, SECOND):
        layout.write(store, one)
    (summary,) = (f"sha256:{m.sha256}" for m in manifests(FIRST) if SUMMARY_TYPE.encode() in m.data)
    edit_index(store, lambda d: d.update(manifests=[m for m in d["manifests"] if m["digest"] != summary]))
    with pytest.raises(EvidenceError, match="the summary of this decision is missing") as e:
        layout.find(store, TARBALL)
    assert f"/decisions/{FIRST.id}/" in e.value.where


def test_a_foreign_referrer_is_refused(store: Path) -> None:
    layout.write(store, FIRST)
    base = layout.folder(store, FIRST.build.sha256)
    data = b'{"layers":[]}'
    digest = hashlib.sha256(data).hexdigest()
    (base / "blobs" / "sha256" / digest).write_bytes(data)
    edit_index(store, lambda d: d["manifests"].append({"digest": f"sha256:{digest}"}))
    refused(store, base)


def test_P12_evidence_of_two_builds_cannot_be_spliced(store: Path, tmp_path: Path) -> None:
    """One build's folder under the other's name, whole or in parts."""
    mine = layout.write(store, FIRST).path.parent.parent
    other = layout.write(store, record(subject=OTHER_TARBALL)).path.parent.parent
    for part in ("", "index.json", "blobs", "decisions"):
        target = tmp_path / "copy"
        shutil.copytree(store, target)
        here, there = target / mine.relative_to(store), target / other.relative_to(store)
        if (here / part).is_dir():
            shutil.rmtree(here / part)
            shutil.copytree(there / part, here / part)
        else:
            (here / part).chmod(0o644)
            (here / part).write_bytes((there / part).read_bytes())
        with pytest.raises(EvidenceError):
            layout.find(target, TARBALL)
        shutil.rmtree(target)


def test_P12_decisions_on_two_builds_do_not_lie_in_one_layout(store: Path) -> None:
    """All digests fit, and the index is written as ours would be."""
    other = record(subject=OTHER_TARBALL, age=3 * HOUR)
    mine, theirs = (layout.write(store, one).path.parent.parent for one in (FIRST, other))
    shutil.copytree(theirs / "blobs", mine / "blobs", dirs_exist_ok=True)
    shutil.copytree(theirs / "decisions", mine / "decisions", dirs_exist_ok=True)
    both = {m.sha256: m for one in (FIRST, other) for m in manifests(one)}
    for build in (FIRST.build, other.build):
        overwrite(mine / "index.json", index(build, both))
        refused(store, mine)


def test_what_the_decision_does_not_name_is_refused(store: Path) -> None:
    path = layout.write(store, FIRST).path
    (path / "waiver.json").write_bytes(b"{}")
    refused(store, path)


def test_P36_a_named_file_that_is_gone_is_named(store: Path) -> None:
    path = layout.write(store, FIRST).path / "sbom.cdx.json"
    path.unlink()
    with pytest.raises(EvidenceError, match="missing") as e:
        layout.find(store, TARBALL)
    assert e.value.where == str(path)


def test_P1_a_named_file_that_cannot_be_looked_at(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = layout.write(store, FIRST).path / "sbom.cdx.json"
    real = Path.lstat

    def lstat(one: Path) -> os.stat_result:
        if one == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(one))
        return real(one)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(EvidenceError, match="cannot be read: permission denied") as e:
        layout.find(store, TARBALL)
    assert e.value.where == str(path)


def test_P1_a_decision_s_folder_that_cannot_be_listed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows then what lies there: that is not the same as nothing."""
    path = layout.write(store, FIRST).path
    real = os.scandir

    def scandir(one: Any) -> Any:
        if str(one) == str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(one))
        return real(one)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(EvidenceError, match="cannot be read: permission denied"):
        layout.find(store, TARBALL)


def test_a_link_to_a_folder_is_refused(store: Path) -> None:
    path = layout.write(store, FIRST).path
    (path / "waivers").symlink_to("/")
    refused(store, path)


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_links_are_not_followed(store: Path, tmp_path: Path, name: str) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    (base / name).rename(tmp_path / name)
    (base / name).symlink_to(tmp_path / name)
    refused(store, base)


def test_a_named_pipe_hangs_nobody(store: Path) -> None:
    path = layout.write(store, FIRST).path / "sbom.cdx.json"
    path.unlink()
    os.mkfifo(path)
    refused(store, path)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing", "no such folder"),
        ("file", "no such folder"),
        ("empty", "no evidence here"),
        ("deep/evidence", "no evidence here"),
    ],
)
def test_what_is_no_evidence_is_an_error(store: Path, tmp_path: Path, path: str, says: str) -> None:
    layout.write(store, FIRST)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvidenceError, match=says) as e:
        layout.read(tmp_path / path)
    assert e.value.hint


@pytest.mark.parametrize("look", [lambda store: layout.find(store, TARBALL), layout.scan], ids=["find", "scan"])
def test_P1_a_store_that_is_not_there_is_no_empty_one(tmp_path: Path, look: Callable[[Path], Any]) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("missing", "file"):
        with pytest.raises(EvidenceError, match="no such folder"):
            look(tmp_path / name)


def test_a_decision_that_was_not_committed_is_no_evidence(store: Path) -> None:
    path = layout.write(store, FIRST).path
    other = path.parent / SECOND.id
    shutil.copytree(path, other)
    assert ids(store) == [FIRST.id]
    with pytest.raises(EvidenceError, match="index"):
        layout.read(other)


# --------------------------------------------------------------------------------------------------------------------
# A store, and the parts of a build


def test_what_lies_in_a_store(store: Path) -> None:
    build = layout.write(store, FIRST).path.parent.parent
    for name in ("pending", "log", "revocations", "overrides", "xx", "ab", f"{build.parent.name}/x"):
        (store / name).mkdir()
    other = "00" if build.parent.name != "00" else "11"
    strange = ["xx", f"{build.parent.name}/x", f"{build.parent.name}/{build.parent.name}-old"]
    strange.append(f"{build.parent.name}/{other * 32}")
    for name in strange[-2:]:
        (store / name).mkdir()
    for name in (f"{build.parent.name}/{build.parent.name * 32}", "cd", "file"):
        (store / name).write_text("")
        strange.append(name)
    found = layout.scan(store)
    assert found.builds == (build,)
    assert sorted(found.strange) == sorted(store / name for name in strange)


def test_a_link_out_of_a_store_tells_nothing_of_where_it_leads(store: Path, tmp_path: Path) -> None:
    layout.write(store, FIRST)
    (tmp_path / "private" / "customer").mkdir(parents=True)
    (store / "zz").symlink_to(tmp_path / "private")
    (store / "ff").symlink_to(tmp_path / "private")
    assert layout.scan(store).strange == (store / "ff", store / "zz")


def test_builds_may_lie_behind_a_link(store: Path, tmp_path: Path) -> None:
    """Somebody moved a part of a store to another disk: it is read as if it lay here, and nothing is strange."""
    build = layout.write(store, FIRST).path.parent.parent
    build.parent.rename(tmp_path / "moved")
    build.parent.symlink_to(tmp_path / "moved")
    assert layout.scan(store) == layout.Scan(builds=(build,), strange=())
    assert ids(store) == [FIRST.id]


def test_P1_a_store_that_cannot_be_listed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.write(store, FIRST)

    def fails(_: Path) -> Iterator[Path]:
        raise PermissionError(errno.EACCES, "Permission denied", str(store))

    monkeypatch.setattr(Path, "iterdir", fails)
    with pytest.raises(EvidenceError, match="cannot be read: permission denied"):
        layout.scan(store)


def test_where_a_path_leads(store: Path) -> None:
    decided = layout.write(store, FIRST).path
    build = decided.parent.parent
    assert [layout.is_build(path) for path in (decided, build, store)] == [True, True, False]
    assert layout.store_of(decided) == layout.store_of(build) == store


def test_one_file_of_a_decision(store: Path) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    (found,) = layout.read_statements(base)
    assert layout.read_material(base, found, "sbom.cdx.json") == FIRST.blobs["sbom.cdx.json"]
    with pytest.raises(EvidenceError, match="does not hold this file"):
        layout.read_material(base, found, "project/package-lock.json")
    overwrite(base / "decisions" / FIRST.id / "sbom.cdx.json", b"{}")
    with pytest.raises(EvidenceError, match="altered"):
        layout.read_material(base, found, "sbom.cdx.json")


READ: dict[str, Callable[[Path], Any]] = {
    "all": layout.read_build,
    "signed": layout.read_statements,
    "audit": lambda base: layout.inspect(base, {}),
}


@pytest.mark.parametrize("how", READ)
def test_P12_a_build_s_folder_has_its_digest_for_a_name(store: Path, how: str) -> None:
    read = READ[how]
    base = layout.write(store, FIRST).path.parent.parent
    assert [one.id for one in read(base)] == [FIRST.id]
    assert read(base.with_name("00" * 32)) == ()
    base.rename(base.with_name("11" * 32))
    with pytest.raises(EvidenceError, match="holds the evidence of build"):
        read(base.with_name("11" * 32))


def test_P36_an_audit_compares_every_file_once(written: Path) -> None:
    """What it has hashed under one name it knows under another, and what was altered it finds."""
    base = layout.folder(written, FIRST.build.sha256)
    known: layout.Known = {}
    assert [one.id for one in layout.inspect(base, known)] == [SECOND.id, FIRST.id]
    assert {path.name for path in (base / "blobs" / "sha256").iterdir()} >= set(known.values()) > set()
    for path in ((base / "blobs" / "sha256").iterdir(), (base / "decisions").rglob("*")):
        for one in path:
            if not one.is_file():
                continue
            data = one.read_bytes()
            one.unlink()
            try:
                with pytest.raises(EvidenceError):
                    layout.inspect(base, {})
                one.write_bytes(data[:-1] + b"?")
                with pytest.raises(EvidenceError, match="altered"):
                    layout.inspect(base, {})
            finally:
                overwrite(one, data) if one.exists() else one.write_bytes(data)


def test_P36_an_audit_knows_a_file_that_builds_share(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashed once for all of them, by its inode; one with the same bytes and an inode of its own is hashed again."""
    other = record(subject=OTHER_TARBALL)
    monkeypatch.setattr(layout, "SHARED_BYTES", 10)
    layout.write(store, FIRST)
    layout.write(store, other, share=[FIRST.build.sha256])
    hashed: list[str] = []
    real = files.read

    def read(path: Path, **settings: Any) -> bytes:
        hashed.append(path.name)
        return real(path, **settings)

    monkeypatch.setattr(files, "read", read)
    known: layout.Known = {}
    shared = hashlib.sha256(FIRST.blobs["policy.tar.gz"]).hexdigest()
    for one in (FIRST, other):
        assert [found.id for found in layout.inspect(layout.folder(store, one.build.sha256), known)] == [one.id]
    assert hashed.count(shared) == 1
    copied = layout.folder(store, other.build.sha256) / "blobs" / "sha256" / shared
    data = copied.read_bytes()
    copied.unlink()
    copied.write_bytes(data[:-1] + b"?")
    with pytest.raises(EvidenceError, match="altered"):
        layout.inspect(layout.folder(store, other.build.sha256), known)


def test_P22_a_material_has_the_size_that_was_signed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs a wrong one could not have stored it with sbomgate."""
    materials = tuple(
        replace(one, size=one.size + 1) if one.name == "sbom.cdx.json" else one for one in FIRST.claimed.materials
    )
    with pytest.raises(EvidenceError):
        record(age=2 * HOUR, materials=materials)
    with monkeypatch.context() as patch:
        patch.setattr(Record, "__post_init__", lambda self, _: Statements.__post_init__(self))
        base = layout.write(store, record(age=2 * HOUR, materials=materials)).path.parent.parent
    for read in (layout.read_build, lambda base: layout.inspect(base, {})):
        with pytest.raises(EvidenceError, match="bytes"):
            read(base)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        pytest.param(b"[]", "not an OCI manifest", id="a list"),
        pytest.param(b'{"layers":{}}', "not an OCI manifest", id="no list of layers"),
        pytest.param(b'{"layers":["x"]}', "not the index", id="a layer that is a text"),
        pytest.param(
            b'{"layers":[{"mediaType":"%b"}]}' % BUNDLE, "not a sha256 digest", id="a bundle without a digest"
        ),
        pytest.param(b'{"layers":[{"digest":"x","mediaType":"y"}]}', "not the index", id="what is no bundle"),
        pytest.param(
            b'{"layers":[{"digest":"sha256:%b","mediaType":"%b"}]}'
            % (hashlib.sha256(OTHER).hexdigest().encode(), BUNDLE),
            "does not know",
            id="P7 a statement of another type",
        ),
    ],
)
def test_P36_a_referrer_that_is_none_of_ours(store: Path, manifest: bytes, says: str) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    for data in (manifest, OTHER):
        (base / "blobs" / "sha256" / hashlib.sha256(data).hexdigest()).write_bytes(data)
    digest = hashlib.sha256(manifest).hexdigest()
    edit_index(store, lambda d: d["manifests"].append({"digest": f"sha256:{digest}"}))
    with pytest.raises(EvidenceError, match=says):
        layout.find(store, TARBALL)


@pytest.mark.parametrize("name", ["", "..", "blobs", "blobs/sha256", "decisions"])
def test_a_writer_follows_no_link(store: Path, tmp_path: Path, name: str) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    at = Path(os.path.normpath(base / name))
    at.rename(tmp_path / "elsewhere")
    at.symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    with pytest.raises(EvidenceError, match="a link in place of a folder"):
        layout.write(store, SECOND)
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def test_P36_a_blob_that_lies_there_already_is_compared(store: Path) -> None:
    """A killed writer left it, or somebody who knew what would be written next: nothing leads to it yet."""
    base = layout.write(store, FIRST).path.parent.parent
    coming = next(data for name, data in SECOND.files().items() if data not in FIRST.files().values())
    at = base / "blobs" / "sha256" / hashlib.sha256(coming).hexdigest()
    at.write_bytes(coming)
    layout.write(store, SECOND)
    third = record(age=HOUR / 3)
    at = base / "blobs" / "sha256" / hashlib.sha256(third.detail).hexdigest()
    at.write_bytes(third.detail[:-1] + b"?")
    with pytest.raises(EvidenceError, match="altered"):
        layout.write(store, third)
    assert ids(store) == [SECOND.id, FIRST.id]


def test_P41_what_lies_in_another_build_and_is_no_file_stops_no_writer(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody put a folder where a blob would be, which says that it has as many bytes: nothing is shared with it."""
    other = layout.write(store, record(subject=OTHER_TARBALL)).path.parent.parent
    folder = other / "blobs" / "sha256" / "x"
    folder.mkdir()
    monkeypatch.setattr(layout, "SHARED_BYTES", 1)
    data = b"x" * folder.lstat().st_size
    folder.rename(folder.with_name(hashlib.sha256(data).hexdigest()))
    made = record(blobs={**BLOBS, "policy.tar.gz": ("application/gzip", data)})
    layout.write(store, made, share=[other.name])
    assert layout.find(store, TARBALL) == (made,)


POLICY_BLOB = hashlib.sha256(FIRST.blobs["policy.tar.gz"]).hexdigest()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


OTHERS: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "the same bytes": (lambda path: None, True),
    "altered, of the same size": (lambda path: overwrite(path, path.read_bytes()[:-1] + b"?"), False),
    "altered, of another size": (lambda path: overwrite(path, b"altered"), False),
    "gone": (Path.unlink, False),
    "a named pipe, which hangs nobody": (_pipe, False),
}


@pytest.mark.parametrize(("change", "is_shared"), OTHERS.values(), ids=OTHERS)
def test_P36_a_blob_is_shared_with_a_build_that_has_its_bytes(
    store: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], Any], is_shared: bool
) -> None:
    """With no other: and whatever became of that one, this build is whole."""
    monkeypatch.setattr(layout, "SHARED_BYTES", 10)
    other = layout.write(store, record(subject=OTHER_TARBALL)).path.parent.parent
    theirs = other / "blobs" / "sha256" / POLICY_BLOB
    change(theirs)
    base = layout.write(store, FIRST, share=["00" * 32, other.name]).path.parent.parent
    ours = base / "blobs" / "sha256" / POLICY_BLOB
    assert layout.find(store, TARBALL) == (FIRST,)
    assert (ours.stat().st_ino in {path.lstat().st_ino for path in theirs.parent.iterdir()}) is is_shared


def test_P36_what_is_stored_is_not_written_again(store: Path) -> None:
    """Not the same bytes either: but for the index, every file of the first decision stays the one that it was."""
    base = layout.write(store, FIRST).path.parent.parent
    before = {path: path.stat().st_ino for path in base.rglob("*") if path.is_file() and path.name != "index.json"}
    layout.write(store, SECOND)
    assert {path: path.stat().st_ino for path in before} == before


def test_what_is_not_ours_is_not_removed(store: Path) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    for name in ("notes.txt", "decisions/notes.txt", "blobs/sha256/notes.txt", f"blobs/sha256/{'ab' * 32}"):
        (base / name).write_text("")
    layout.write(store, SECOND)
    for name in ("notes.txt", "decisions/notes.txt", "blobs/sha256/notes.txt", f"blobs/sha256/{'ab' * 32}"):
        assert (base / name).exists()


# --------------------------------------------------------------------------------------------------------------------
# Writers that fail, are killed, or meet


class Fault:
    """Fails the n-th call of one function of `os` with "no space left", as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> None:
        self.met: list[int] = []
        numbers = itertools.count(1)  # several threads call fsync: each takes a number of its own
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            number = next(numbers)
            self.met.append(number)
            if number == at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, call)

    @property
    def calls(self) -> int:
        return len(self.met)


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace", "link", "mkdir"])
def test_P1_P41_a_fault_at_any_call_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    before = tmp_path / "before"
    layout.write(before, FIRST)
    at = 0
    while True:
        at += 1
        store = tmp_path / f"{name}{at}"
        shutil.copytree(before, store)
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, name, at)
            failed = False
            try:
                layout.write(store, SECOND)
            except EvidenceError:
                failed = True
        assert failed is (fault.calls >= at)
        found = ids(store)
        if failed:
            # After the index was renamed only its own fsync can fail: then the record is there, though not promised.
            assert found in ([FIRST.id], [SECOND.id, FIRST.id])
            left = [p.name for p in store.rglob(".tmp-*")]
            assert left == []
        layout.write(store, SECOND)
        assert ids(store) == [SECOND.id, FIRST.id]
        if not failed:
            break
    assert at > 1, "the fault was never met"


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace", "link", "mkdir"])
def test_P1_P41_a_fault_in_a_new_store_leaves_no_evidence(tmp_path: Path, name: str) -> None:
    at = 0
    while True:
        at += 4 if name == "open" else 1
        store = tmp_path / f"{name}{at}"
        store.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, name, at)
            failed = False
            try:
                layout.write(store, FIRST)
            except EvidenceError:
                failed = True
        assert failed is (fault.calls >= at)
        assert ids(store) in ([], [FIRST.id])
        layout.write(store, FIRST)
        assert ids(store) == [FIRST.id]
        if not failed:
            break
    assert at > 1, "the fault was never met"


SPAWN = multiprocessing.get_context("spawn")


def reported(target: Callable[..., None], *arguments: object) -> list[str]:
    """Run a writer in a process of its own and return what it reported."""
    receive, send = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=target, args=(*arguments, send))
    process.start()
    send.close()
    found = drained(receive)
    process.join(60)
    assert process.exitcode == 0
    return found


def drained(receive: Connection) -> list[str]:
    found = []
    while True:
        try:
            found.append(receive.recv())
        except EOFError:
            return found


@pytest.mark.parametrize("size", [0, 1, 100, 1000])
def test_P1_P41_a_real_limit_on_file_sizes(store: Path, size: int) -> None:
    """The kernel refuses to write more, in the middle of a file."""
    layout.write(store, FIRST)
    (error,) = reported(evidence_writers.with_small_files, store, size)
    assert "cannot be written: file too large" in error
    assert ids(store) == [FIRST.id]
    assert list(store.rglob(".tmp-*")) == []


def test_P1_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EvidenceError):
        layout.write(tmp_path / "file", FIRST)
    with pytest.raises(EvidenceError):
        layout.write(tmp_path / ("x" * 300), FIRST)


def test_P1_a_read_only_store_is_an_error() -> None:
    """By an ordinary user (root may write everywhere), in a folder that he may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        store = Path(name) / "evidence"
        base = layout.write(store, FIRST).path.parent.parent
        folders = [base, *(p for p in base.rglob("*") if p.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        (base / ".lock").chmod(0o444)
        found, error = reported(evidence_writers.as_ordinary_user, store)
        assert found == "1"
        assert "cannot be written: permission denied" in error
        assert ids(store) == [FIRST.id]
        for folder in folders:
            folder.chmod(0o755)


def test_P41_writers_at_once_lose_nothing(store: Path) -> None:
    """Three real processes on one build; a reader looks all the time and never sees anything half-written."""
    writers = [SPAWN.Process(target=evidence_writers.many, args=(store, writer, 6)) for writer in range(3)]
    for one in writers:
        one.start()
    seen = 0
    while any(one.is_alive() for one in writers):
        if store.is_dir():
            found = len(ids(store))
            assert found >= seen
            seen = found
        time.sleep(0.01)
    for one in writers:
        one.join()
        assert one.exitcode == 0
    assert len(ids(store)) == 18


def test_P41_a_writer_killed_at_any_point_loses_nothing_that_it_reported(store: Path) -> None:
    stored: set[str] = set()
    for turn in range(8):
        receive, send = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=evidence_writers.without_end, args=(store, turn * 10_000, send))
        process.start()
        send.close()
        assert receive.recv() == "ready"
        time.sleep(0.02 + 0.013 * turn)
        if turn == 7:  # on a busy machine none of the others may have got to the end of a record
            assert receive.poll(60)
        process.kill()
        process.join()
        stored.update(drained(receive))
        if store.is_dir():
            assert stored <= set(ids(store))
    layout.write(store, FIRST)
    assert stored | {FIRST.id} <= set(ids(store))
    assert list(store.rglob(".tmp-*")) == []
    assert stored, "no writer got to the end of a single record"


@pytest.mark.parametrize("next_one", [FIRST, SECOND], ids=["by the same again", "by the next"])
def test_what_a_killed_writer_left_is_cleaned(store: Path, next_one: Record) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    (base / ".tmp-index.json").write_bytes(b"{")
    (base / "blobs" / "sha256" / f".tmp-{'ab' * 32}").write_bytes(b"x")
    (base / "decisions" / f".tmp-{SECOND.id}" / "attestations").mkdir(parents=True)
    (base / "decisions" / SECOND.id).mkdir()
    assert ids(store) == [FIRST.id]
    layout.write(store, next_one)
    assert ids(store) == ([FIRST.id] if next_one is FIRST else [SECOND.id, FIRST.id])
    assert {path.name for path in (base / "decisions").iterdir()} == {FIRST.id, next_one.id}
    assert list(store.rglob(".tmp-*")) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux says there what is synced")
def test_P41_folders_that_a_killed_writer_made_are_on_disk(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """He may not have waited for their names."""
    base = layout.folder(store, FIRST.build.sha256)
    (base / "blobs" / "sha256").mkdir(parents=True)
    (base / "decisions").mkdir()
    synced = recorded_syncs(monkeypatch)
    layout.write(store, FIRST)
    assert {base, base.parent, store} <= synced


def test_a_lock_that_nobody_gives_back_is_an_error(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    base = layout.write(store, FIRST).path.parent.parent
    with (base / ".lock").open("rb+") as held, monkeypatch.context() as patch:
        patch.setattr(layout, "LOCK_WAIT_SECONDS", 1)
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EvidenceError, match="lock"):
            layout.write(store, SECOND)
    layout.write(store, SECOND)


def test_P41_a_lock_that_is_given_back_is_waited_for(store: Path) -> None:
    import fcntl

    base = layout.write(store, FIRST).path.parent.parent
    with (base / ".lock").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        timer = threading.Timer(0.3, fcntl.flock, (held, fcntl.LOCK_UN))
        timer.start()
        layout.write(store, SECOND)
        timer.join()
    assert ids(store) == [SECOND.id, FIRST.id]


@pytest.mark.parametrize("limit", ["MAX_BLOB_BYTES", "MAX_INDEX_BYTES", "MAX_MANIFEST_BYTES"])
def test_P9_limits(store: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    layout.write(store, FIRST)
    monkeypatch.setattr(layout, limit, 10)
    with pytest.raises(EvidenceError, match="limit of 10 bytes"):
        layout.find(store, TARBALL)


def test_an_index_that_would_pass_its_limit_is_not_written(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = layout.write(store, FIRST).path.parent.parent
    monkeypatch.setattr(layout, "MAX_INDEX_BYTES", (base / "index.json").stat().st_size + 100)
    with pytest.raises(EvidenceError, match="limit"):
        layout.write(store, SECOND)
    assert ids(store) == [FIRST.id]


def test_the_record_holds_what_replay_needs(store: Path) -> None:
    found = layout.read(layout.write(store, FIRST).path)
    assert set(found.blobs) == set(BLOBS)
