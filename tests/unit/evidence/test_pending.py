"""P34: a decision that could not be signed is kept whole, believed only by its digest, and lost by no kill."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from sbomgate.decision import write_detail
from sbomgate.errors import EvidenceError
from sbomgate.evidence import layout, pending
from testkit.evidence import BLOBS, decision
from testkit.faults import recorded_syncs

DATA = {name: data for name, (_, data) in BLOBS.items()}


def test_what_is_kept_is_read_back_and_dropped(tmp_path: Path) -> None:
    made = decision()
    kept = pending.keep(tmp_path, made, DATA)
    assert pending.keep(tmp_path, made, DATA) == kept
    assert pending.read(tmp_path, kept) == (made, DATA)
    assert layout.scan(tmp_path) == layout.Scan(builds=(), strange=())
    pending.drop(tmp_path, kept)
    pending.drop(tmp_path, kept)
    assert list((tmp_path / "pending").iterdir()) == []
    with pytest.raises(EvidenceError, match="no decision is pending"):
        pending.read(tmp_path, kept)


def test_one_altered_byte_anywhere_is_found(tmp_path: Path) -> None:
    kept = pending.keep(tmp_path, decision(), DATA)
    for path in sorted((tmp_path / "pending" / kept).rglob("*")):
        if not path.is_file():
            continue
        whole = path.read_bytes()
        for altered in (bytes([whole[0] ^ 1]) + whole[1:], whole[:-1], whole + b"\n", b""):
            path.chmod(0o644)
            path.write_bytes(altered)
            with pytest.raises(EvidenceError) as e:
                pending.read(tmp_path, kept)
            assert path.name in str(e.value)
        path.write_bytes(whole)
    pending.read(tmp_path, kept)


def test_a_file_that_is_missing_or_a_link_is_refused(tmp_path: Path) -> None:
    kept = pending.keep(tmp_path, decision(), DATA)
    at = tmp_path / "pending" / kept / "sbom.cdx.json"
    at.rename(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError):
        pending.read(tmp_path, kept)
    at.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError):
        pending.read(tmp_path, kept)


@pytest.mark.parametrize("name", ["", "..", "../x", "0" * 63, "A" * 64, "sha256:" + "0" * 64, "0" * 63 + "\n"])
def test_what_is_no_pending_decisions_name_is_refused(tmp_path: Path, name: str) -> None:
    """It would become a path."""
    with pytest.raises(EvidenceError, match="not a pending decision's SHA-256"):
        pending.read(tmp_path, name)


def test_a_name_of_a_decision_that_was_signed_leads_out_of_no_folder(tmp_path: Path) -> None:
    """Its digest fits, and it is none that was ever kept."""
    made = write_detail(decision(blobs={**BLOBS, "../../x": ("text/plain", b"x")}))
    kept = hashlib.sha256(made).hexdigest()
    base = tmp_path / "pending" / kept
    base.mkdir(parents=True)
    (base / "decision.json").write_bytes(made)
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(EvidenceError, match="plain relative path"):
        pending.read(tmp_path, kept)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux says there what is synced")
def test_P41_what_is_kept_is_on_disk_with_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever made them may have been killed before their names were."""
    (tmp_path / "pending").mkdir()
    synced = recorded_syncs(monkeypatch)
    pending.keep(tmp_path, decision(), DATA)
    assert {tmp_path, tmp_path / "pending"} <= synced


def test_another_decision_under_the_same_name_is_refused(tmp_path: Path) -> None:
    """Whoever can write the store can put anything there: it is not what was decided."""
    kept = pending.keep(tmp_path, decision(), DATA)
    other = pending.keep(tmp_path, decision(project="other"), DATA)
    shutil.rmtree(tmp_path / "pending" / kept)
    (tmp_path / "pending" / other).rename(tmp_path / "pending" / kept)
    with pytest.raises(EvidenceError, match="altered"):
        pending.read(tmp_path, kept)


def test_P41_a_killed_writer_leaves_nothing_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at every step: either the whole is there, or nothing, and the next attempt succeeds."""

    class Killed(BaseException):
        pass

    made, calls, real = decision(), 0, os.fsync

    def run(limit: int) -> None:
        def fsync(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls > limit:
                raise Killed
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    for limit in range(40):
        store = tmp_path / str(limit)
        store.mkdir()
        calls = 0
        run(limit)
        try:
            kept = pending.keep(store, made, DATA)
        except Killed:
            whole = [p for p in (store / "pending").glob("*") if not p.name.startswith(".")]
            monkeypatch.setattr(os, "fsync", real)
            for path in whole:
                assert pending.read(store, path.name) == (made, DATA)
            assert pending.read(store, pending.keep(store, made, DATA)) == (made, DATA)
        else:
            assert pending.read(store, kept) == (made, DATA)
            return
    raise AssertionError("it never came to its end")


def test_P41_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    """Half written, or half removed: both have a name that is no decision's."""
    made = decision()
    kept = pending.keep(tmp_path, made, DATA)
    for _ in range(2):
        (tmp_path / "pending" / f".tmp-{kept}" / "attestations").mkdir(parents=True)
        pending.drop(tmp_path, kept)
        assert list((tmp_path / "pending").iterdir()) == []
        (tmp_path / "pending" / f".tmp-{kept}" / "attestations").mkdir(parents=True)
        assert pending.keep(tmp_path, made, DATA) == kept
        assert pending.read(tmp_path, kept) == (made, DATA)


def test_P1_what_cannot_be_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = pending.keep(tmp_path, decision(), DATA)

    def fails(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(EvidenceError, match="cannot be removed: permission denied"):
        pending.drop(tmp_path, kept)


def test_a_name_that_is_no_plain_path_is_not_kept(tmp_path: Path) -> None:
    made = decision(blobs={**BLOBS, "waivers/../../x": ("text/plain", b"x")})
    with pytest.raises(EvidenceError, match="plain relative path"):
        pending.keep(tmp_path, made, {**DATA, "waivers/../../x": b"x"})
    assert not (tmp_path / "pending").exists()
