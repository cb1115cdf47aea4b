"""The baseline is the newest PASSED evidence of the same project by an accepted signer (P19)."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate.errors import EvidenceError, TrustError
from sbomgate.evidence import layout, log, revocation
from sbomgate.evidence.baseline import Baseline, baseline, read
from sbomgate.evidence.record import Record
from sbomgate.evidence.revocation import Revocation
from sbomgate.model import Subject, SubjectKind, Verdict
from testkit.evidence import NOW, REPOSITORY, decision, key, record, signer

HOUR = timedelta(hours=1)
SIGNERS = (signer(key()),)


def build(number: int) -> Subject:
    return Subject(kind=SubjectKind.FILE, name="shop.tgz", digest={"sha256": f"{number:064x}"})


def look(path: Path, project: str = "shop", signers: Any = SIGNERS, **context: Any) -> Baseline:
    return baseline(read(path), decision(**context).context, project, signers=signers, now=NOW)


def put(store: Path, *records: Record) -> list[Path]:
    return [layout.write(store, one).path for one in records]


def test_the_newest_passed(tmp_path: Path) -> None:
    put(
        tmp_path,
        record(subject=build(1), age=3 * HOUR),
        record(subject=build(2), age=2 * HOUR),
        record(subject=build(3), age=HOUR, verdict=Verdict.DENIED),
    )
    found = look(tmp_path)
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(2)
    assert found.evidence.record.blobs["sbom.cdx.json"]


@pytest.mark.parametrize(
    ("records", "signers"),
    [
        pytest.param([record(lockfile_path="b/package-lock.json")], SIGNERS, id="another lockfile"),
        pytest.param([record(repository=f"{REPOSITORY}2")], SIGNERS, id="another repository"),
        pytest.param([record(workspace="services/web")], SIGNERS, id="P12 one workspace, for the whole"),
        pytest.param([record(repository=None)], SIGNERS, id="no repository"),
        pytest.param([record(verdict=Verdict.DENIED)], SIGNERS, id="denied"),
        pytest.param([record(profile="observe")], SIGNERS, id="P8 observe"),
        pytest.param([record(key(2))], SIGNERS, id="P21 another signer"),
        pytest.param([record()], [signer(key(), roles=("facts",))], id="P21 another role"),
        pytest.param([record()], [signer(key(), environments=("staging",))], id="P20 another environment"),
        pytest.param([record(age=2 * HOUR), record(age=HOUR, verdict=Verdict.DENIED)], SIGNERS, id="P19 failed later"),
        pytest.param([record(age=HOUR), record(age=HOUR, verdict=Verdict.DENIED)], SIGNERS, id="P19 failed at once"),
    ],
)
def test_what_is_no_baseline_is_bootstrap_with_its_reason(tmp_path: Path, records: list[Record], signers: Any) -> None:
    put(tmp_path, *records)
    found = look(tmp_path, signers=signers)
    assert found.evidence is None
    assert found.reason


def test_an_empty_store_is_bootstrap(tmp_path: Path) -> None:
    assert look(tmp_path).evidence is None


def test_without_a_repository_the_project_name_counts(tmp_path: Path) -> None:
    put(tmp_path, record(repository=None))
    assert look(tmp_path, repository=None).evidence is not None
    assert look(tmp_path, project="other", repository=None).evidence is None


def test_who_names_no_repository_is_known_by_name(tmp_path: Path) -> None:
    """`check` in a pull request is told no repository, and the release job's `gate` was."""
    put(tmp_path, record())
    assert look(tmp_path, repository=None).evidence is not None
    assert look(tmp_path, project="other", repository=None).evidence is None


def test_a_renamed_lockfile_escapes_nothing(tmp_path: Path) -> None:
    put(tmp_path, record(lockfile_path="web/package-lock.json"))
    assert look(tmp_path, lockfile_path="web/npm-shrinkwrap.json").evidence is not None
    assert look(tmp_path, lockfile_path="npm-shrinkwrap.json").evidence is None


def test_a_workspace_is_compared_with_itself(tmp_path: Path) -> None:
    """P12: neither another service's approval nor that of the whole repository is the baseline of this one."""
    put(tmp_path, record(subject=build(1), age=3 * HOUR, workspace="services/web"))
    put(tmp_path, record(subject=build(2), age=2 * HOUR, workspace="services/api"), record(subject=build(3), age=HOUR))
    for workspace, number in (("services/web", 1), ("services/api", 2), (None, 3)):
        found = look(tmp_path, workspace=workspace)
        assert found.evidence is not None
        assert found.evidence.decision.subject == build(number)
    new = look(tmp_path, workspace="services/new")
    assert new.evidence is None
    assert new.disregarded == 0, "a service that is new beside accepted ones is nothing strange"


@pytest.mark.parametrize(
    ("stored", "left"),
    [
        pytest.param(record(repository=f"{REPOSITORY}2"), 1, id="of another project"),
        pytest.param(record(key(2)), 1, id="by a stranger"),
        pytest.param(record(key(2), workspace="services/api"), 1, id="by a stranger, of another workspace"),
        pytest.param(record(workspace="services/api"), 0, id="accepted, of another workspace"),
        pytest.param(record(), 0, id="accepted"),
        pytest.param(record(verdict=Verdict.DENIED), 0, id="accepted and denied"),
        pytest.param(record(profile="observe"), 0, id="only recorded"),
    ],
)
def test_T21_a_store_without_any_accepted_decision_on_this_project_is_told_from_an_empty_one(
    tmp_path: Path, stored: Record, left: int
) -> None:
    put(tmp_path, stored)
    assert look(tmp_path).disregarded == left


def test_with_a_repository_a_new_name_escapes_nothing(tmp_path: Path) -> None:
    put(tmp_path, record())
    assert look(tmp_path, project="renamed").evidence is not None


def test_one_build_or_one_decision_may_be_given(tmp_path: Path) -> None:
    older, newer = put(tmp_path, record(age=2 * HOUR), record(age=HOUR))
    for path, age in ((older, 2 * HOUR), (newer, HOUR), (newer.parent.parent, HOUR)):
        found = look(path)
        assert found.evidence is not None
        assert found.evidence.time == NOW - age


def test_given_evidence_of_another_project_is_an_error_not_bootstrap(tmp_path: Path) -> None:
    (path,) = put(tmp_path, record())
    for given in (path, path.parent.parent):
        with pytest.raises(EvidenceError, match="another project"):
            look(given, repository=f"{REPOSITORY}2")


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError):
        look(tmp_path / "missing")


def test_P21_nobody_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrustError):
        look(tmp_path, signers=())


def test_P17_the_future_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, record(age=-HOUR))
    with pytest.raises(EvidenceError, match="after"):
        look(tmp_path)


def test_garbage_is_told_and_tolerated(tmp_path: Path) -> None:
    put(tmp_path, record())
    (tmp_path / "README.md").write_text("our evidence")
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "notes").mkdir()
    (tmp_path / "ab" / f"{'ab' * 32}").mkdir()
    found = look(tmp_path)
    assert found.evidence is not None
    assert len(found.notes) == 3


def test_P19_altered_evidence_is_never_skipped(tmp_path: Path) -> None:
    """Whoever can write the store must not choose the baseline by damaging the newer ones."""
    (path,) = put(tmp_path, record(subject=build(2), age=HOUR, verdict=Verdict.DENIED))
    put(tmp_path, record(subject=build(1), age=2 * HOUR))
    at = path.parent.parent / "index.json"
    at.chmod(0o644)
    at.write_bytes(at.read_bytes().replace(b"build", b"buildx"))
    with pytest.raises(EvidenceError):
        look(tmp_path)


def test_P19_evidence_under_another_build_s_name_is_an_error(tmp_path: Path) -> None:
    (path,) = put(tmp_path, record(subject=build(1)))
    base = path.parent.parent
    other = tmp_path / "ab" / ("ab" * 32)
    other.parent.mkdir(exist_ok=True)
    base.rename(other)
    with pytest.raises(EvidenceError):
        look(tmp_path)


# --------------------------------------------------------------------------------------------------------------------
# What was withdrawn, and what was taken away

NOTARY = log.Notary(signer=key(), signers=SIGNERS, now=NOW)


def revoke(store: Path, one: Record, *, at: timedelta = timedelta(0)) -> None:
    said = Revocation(decision=one.id, signer=None, issued_at=NOW - at, reason="a mistake")
    log.add_revocation(store, key().sign(revocation.write(said)), NOTARY)


def test_P19_a_revoked_decision_is_no_baseline(tmp_path: Path) -> None:
    older, newer = record(subject=build(1), age=2 * HOUR), record(subject=build(2), age=HOUR)
    for one in (older, newer):
        log.add(tmp_path, one, NOTARY)
    revoke(tmp_path, newer)
    found = look(tmp_path)
    assert found.evidence is not None
    assert found.evidence.record.id == older.id
    assert any("revoked by" in note for note in found.notes)
    # One build's folder belongs to its store.
    assert look(layout.folder(tmp_path, newer.build.sha256)).evidence is None


def test_P19_a_revocation_beats_what_is_older_on_the_same_artefact(tmp_path: Path) -> None:
    first, second = record(age=3 * HOUR), record(age=HOUR)
    for one in (first, second):
        log.add(tmp_path, one, NOTARY)
    revoke(tmp_path, first, at=2 * HOUR)
    found = look(tmp_path)
    assert found.evidence is not None
    assert found.evidence.record.id == second.id
    revoke(tmp_path, first)
    assert look(tmp_path).evidence is None


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_P19_what_is_newer_than_the_baseline_was_not_taken_away(tmp_path: Path, gone: int) -> None:
    """An older build may have been put aside; a newer one could have been the baseline, or have failed."""
    made = [record(subject=build(number), age=(3 - number) * HOUR) for number in range(3)]
    for one in made:
        log.add(tmp_path, one, NOTARY)
    shutil.rmtree(layout.folder(tmp_path, made[gone].build.sha256))
    if gone < 2:
        found = look(tmp_path)
        assert found.evidence is not None
        assert found.evidence.record.id == made[2].id
        return
    with pytest.raises(EvidenceError, match="not there") as e:
        look(tmp_path)
    assert made[2].id in e.value.where


def test_P19_a_store_that_was_emptied_is_no_new_one(tmp_path: Path) -> None:
    """Nobody gets a bootstrap by taking every build away."""
    log.add(tmp_path, record(), NOTARY)
    shutil.rmtree(layout.folder(tmp_path, record().build.sha256))
    with pytest.raises(EvidenceError, match="not there"):
        look(tmp_path)
