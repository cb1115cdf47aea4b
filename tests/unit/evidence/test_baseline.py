"""The baseline is the newest PASSED evidence of the same project by an accepted signer (P19)."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sbomgate.errors import EvidenceError, TrustError
from sbomgate.evidence import head as heads
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


NOTARY = log.Notary(signer=key(), signers=SIGNERS, now=NOW)


@pytest.fixture(params=["log", "folders"], autouse=True)
def by_log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything holds for a store with a signed head, and for one from before heads."""
    found = bool(request.param == "log")
    monkeypatch.setitem(globals(), "BY_LOG", found)
    return found


BY_LOG = True


def put(store: Path, *records: Record) -> list[Path]:
    if BY_LOG:
        return [log.add(store, one, NOTARY).path for one in records]
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
        pytest.param(
            [record(age=2 * HOUR), record(age=HOUR, verdict=Verdict.DENIED, summary_key=key(2))],
            SIGNERS,
            id="P19 failed later, its summary replaced by a stranger's",
        ),
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
        pytest.param(record(repository=f"{REPOSITORY}2", workspace="api"), 1, id="of another project's workspace"),
        pytest.param(record(key(2)), 1, id="by a stranger"),
        pytest.param(record(key(2), workspace="services/api"), 1, id="by a stranger, of another workspace"),
        pytest.param(record(lockfile_path="b/x.json", workspace="api"), 1, id="of another lockfile's workspace"),
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


def test_T21_who_names_no_repository_meets_another_workspace(tmp_path: Path) -> None:
    put(tmp_path, record(workspace="services/api"))
    assert look(tmp_path, repository=None).disregarded == 0


def test_T21_who_names_no_repository_meets_another_project(tmp_path: Path) -> None:
    """Of the same folder, and no workspace of this one."""
    put(tmp_path, record())
    assert look(tmp_path, project="other", repository=None).disregarded == 1


def test_the_reason_tells_nothing_from_nothing_that_stands(tmp_path: Path) -> None:
    assert look(tmp_path).reason == "no evidence of this project by an accepted signer"
    put(tmp_path, record(verdict=Verdict.DENIED))
    assert look(tmp_path).reason == "none of the 1 decisions on this project stands as PASSED"


def test_with_a_repository_a_new_name_escapes_nothing(tmp_path: Path) -> None:
    put(tmp_path, record())
    assert look(tmp_path, project="renamed").evidence is not None


def test_one_build_or_one_decision_may_be_given(tmp_path: Path) -> None:
    older, newer = put(tmp_path, record(age=2 * HOUR), record(age=HOUR))
    for path, age in ((older, 2 * HOUR), (newer, HOUR), (newer.parent.parent, HOUR)):
        found = look(path)
        assert found.evidence is not None
        assert found.evidence.time == NOW - age
        assert found.notes == ()


def test_P10_evidence_that_changes_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its statements were by an accepted signer; what is read with its files must be as well."""
    put(tmp_path, record())
    monkeypatch.setattr(layout, "read", lambda _: record(key(2)))
    with pytest.raises(EvidenceError, match="changed while it was read"):
        look(tmp_path)


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


YEARS = timedelta(days=366 * 100)


@pytest.mark.parametrize("age", [-HOUR, -timedelta(minutes=6), -YEARS])
def test_P17_where_only_the_future_passed_nobody_knows_whose_clock_is_wrong(tmp_path: Path, age: timedelta) -> None:
    """A clock that was set back must not make a first run of a project that was approved."""
    put(tmp_path, record(subject=build(1), age=2 * HOUR, verdict=Verdict.DENIED), record(subject=build(2), age=age))
    with pytest.raises(EvidenceError, match="after") as caught:
        look(tmp_path)
    assert "revoke" in caught.value.hint


@pytest.mark.parametrize("first", [True, False], ids=["stored before", "stored after"])
def test_P17_the_future_is_no_baseline_and_blocks_none(tmp_path: Path, first: bool) -> None:
    records = [record(subject=build(1), age=-YEARS), record(subject=build(2), age=HOUR)]
    put(tmp_path, *(records if first else records[::-1]))
    found = look(tmp_path)
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(2)
    assert found.latest is not None
    assert found.latest.decision.subject == build(2)
    assert [note for note in found.future if "which is after" in note] or not first, "it is said where it was met"


def test_P17_five_minutes_ahead_are_no_future(tmp_path: Path) -> None:
    put(tmp_path, record(age=-timedelta(minutes=5)))
    found = look(tmp_path)
    assert found.evidence is not None
    assert not found.future


def test_P19_a_FAILED_from_the_future_still_beats_its_artefact(tmp_path: Path) -> None:
    put(
        tmp_path,
        record(subject=build(1), age=3 * HOUR),
        record(subject=build(2), age=2 * HOUR),
        record(subject=build(2), age=-YEARS, verdict=Verdict.DENIED),
    )
    found = look(tmp_path)
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(1)
    assert found.latest is not None
    assert found.latest.decision.subject == build(2)
    assert found.latest.decision.verdict is Verdict.ALLOWED


def test_P17_a_decision_from_the_future_can_be_revoked(tmp_path: Path) -> None:
    wrong = record(subject=build(1), age=-YEARS)
    put(tmp_path, wrong)
    revoke(tmp_path, wrong)
    found = look(tmp_path)
    assert found.evidence is None
    assert not found.future
    assert found.disregarded == 0
    assert "stands as PASSED" not in found.reason


def test_garbage_is_told_and_tolerated(tmp_path: Path, by_log: bool) -> None:
    put(tmp_path, record())
    (tmp_path / "README.md").write_text("our evidence")
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "notes").mkdir()
    (tmp_path / "ab" / f"{'ab' * 32}").mkdir()
    found = look(tmp_path)
    assert found.evidence is not None
    assert len(found.notes) == (0 if by_log else 3), "`audit` tells it where nobody looks through everything"


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


def revoke(store: Path, one: Record, *, at: timedelta = timedelta(0), now: datetime = NOW) -> None:
    said = Revocation(decision=one.id, signer=None, issued_at=NOW - at, reason="a mistake")
    log.add_revocation(store, key().sign(revocation.write(said)), notary(now))


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


@pytest.mark.parametrize("named", [True, False], ids=["of the artefact", "of earlier versions"])
def test_P19_a_revocation_of_what_is_not_here_beats_what_is_older(tmp_path: Path, named: bool) -> None:
    """P19: pulled from a registry in which somebody deleted the decision that was revoked."""
    first, gone = record(age=3 * HOUR), record(age=HOUR)
    log.add(tmp_path, first, NOTARY)
    build_ = gone.build.sha256 if named else None
    said = Revocation(decision=gone.id, signer=None, issued_at=NOW, reason="a mistake", build=build_)
    log.add_revocation(tmp_path, key().sign(revocation.write(said)), NOTARY)
    found = look(tmp_path)
    assert (found.evidence is None) == named
    assert any("a newer one, which is not here, was revoked by" in note for note in found.notes) == named


def test_P19_a_revocation_that_is_dated_back_withdraws_what_it_names(tmp_path: Path) -> None:
    one = record(age=HOUR)
    log.add(tmp_path, one, NOTARY)
    revoke(tmp_path, one, at=2 * HOUR)
    assert look(tmp_path).evidence is None


def test_P21_a_stranger_s_revocation_is_told_and_withdraws_nothing(tmp_path: Path) -> None:
    one = record(age=HOUR)
    log.add(tmp_path, one, NOTARY)
    said = Revocation(decision=one.id, signer=None, issued_at=NOW, reason="a lie")
    bundle = key(2).sign(revocation.write(said))
    log.keep_revocations(tmp_path, {hashlib.sha256(bundle).hexdigest(): bundle})
    found = look(tmp_path)
    assert found.evidence is not None
    assert len(found.notes) == 1


@pytest.mark.parametrize("what", ["revocation", "override"])
def test_P19_a_word_that_was_taken_away_could_be_about_the_baseline(tmp_path: Path, what: str) -> None:
    """Newer than the baseline, and covered; what is older than the baseline may have been put elsewhere."""
    log.add(tmp_path, record(subject=build(1), age=2 * HOUR), NOTARY)
    failed = record(subject=build(2), age=2 * HOUR, verdict=Verdict.DENIED)
    log.add(tmp_path, failed, NOTARY)
    if what == "revocation":
        revoke(tmp_path, failed)
        (path,) = (tmp_path / "revocations").iterdir()
    else:
        path, is_covered = log.add_override(tmp_path, failed.id, b"{}", NOTARY)
        assert is_covered
    assert look(tmp_path).evidence is not None
    path.unlink()
    with pytest.raises(EvidenceError, match="not there") as e:
        look(tmp_path)
    assert path.name in e.value.where
    log.add(tmp_path, record(subject=build(3), age=HOUR), NOTARY)
    assert look(tmp_path).evidence is not None


def test_P21_a_head_by_a_stranger_chooses_no_baseline(tmp_path: Path) -> None:
    """Its log could leave out what is newer: then every build is looked at."""
    layout.write(tmp_path, record(subject=build(1), age=2 * HOUR))
    log.renew(tmp_path, replace(NOTARY, signer=key(2), signers=(*SIGNERS, signer(key(2), name="other"))))
    layout.write(tmp_path, record(subject=build(2), age=HOUR))
    found = look(tmp_path)
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(2)


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


def test_P19_what_was_stored_after_the_baseline_was_not_taken_away(tmp_path: Path) -> None:
    """Its build is opened for a later decision on it, which only records: what the log has between the two is newer."""
    first, taken = record(subject=build(1), age=5 * HOUR), record(subject=build(2), age=3 * HOUR)
    for one in (first, taken, record(subject=build(1), age=HOUR, profile="observe")):
        log.add(tmp_path, one, NOTARY)
    assert look(tmp_path).evidence is not None
    shutil.rmtree(layout.folder(tmp_path, taken.build.sha256))
    with pytest.raises(EvidenceError, match="not there") as e:
        look(tmp_path)
    assert taken.id in e.value.where


def test_P19_a_failed_that_was_cut_out_of_its_build_is_seen(tmp_path: Path) -> None:
    """The build is there, with an older PASSED, and its index is one that the store would have written."""
    older, failed = record(age=2 * HOUR), record(age=HOUR, verdict=Verdict.DENIED)
    for one in (older, failed):
        log.add(tmp_path, one, NOTARY)
    base = layout.folder(tmp_path, older.build.sha256)
    shutil.rmtree(base)
    layout.write(tmp_path, older)
    with pytest.raises(EvidenceError, match="not there") as e:
        look(tmp_path)
    assert failed.id in e.value.where


# --------------------------------------------------------------------------------------------------------------------
# What is read of a large store


def notary(now: datetime) -> log.Notary:
    return replace(NOTARY, now=now)


def opened(monkeypatch: pytest.MonkeyPatch, store: Path, **context: Any) -> tuple[Baseline, list[str]]:
    """Which builds were opened in looking for the baseline."""
    found: list[str] = []
    real = layout.read_statements

    def counted(base: Path) -> Any:
        found.append(base.name)
        return real(base)

    with monkeypatch.context() as patch:
        patch.setattr(layout, "read_statements", counted)
        return look(store, **context), found


def test_no_other_project_and_no_older_build_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 12 builds of three projects: the newest of this one."""
    for number in range(12):
        age = (12 - number) * HOUR
        one = record(subject=build(number), age=age, repository=f"{REPOSITORY}{number % 3}")
        log.add(tmp_path, one, notary(NOW - age))
    found, read = opened(monkeypatch, tmp_path, repository=f"{REPOSITORY}1")
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(10)
    assert read == [found.evidence.record.build.sha256]
    found, read = opened(monkeypatch, tmp_path, repository=f"{REPOSITORY}9")
    assert (found.evidence, found.disregarded, read) == (None, 12, [])


def test_P12_another_workspace_is_not_read_and_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = record(subject=build(1), age=2 * HOUR, workspace="web")
    theirs = record(subject=build(2), age=HOUR, workspace="api")
    for one in (ours, theirs):
        log.add(tmp_path, one, notary(NOW - HOUR))
    found, read = opened(monkeypatch, tmp_path, workspace="web")
    assert found.evidence is not None
    assert read == [ours.build.sha256]
    shutil.rmtree(layout.folder(tmp_path, theirs.build.sha256))
    assert look(tmp_path, workspace="web").evidence == found.evidence


def test_a_log_of_an_earlier_version_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines say nothing of projects: every build is read; lines of today stand below them."""
    with monkeypatch.context() as patch:
        patch.setattr(heads.Entry, "line", property(lambda one: f"decision {one.build} {one.sha256}"))
        for number in range(3):
            log.add(tmp_path, record(subject=build(number), age=(9 - number) * HOUR), NOTARY)
    entries = (tmp_path / "log" / "000000" / "entries").read_text().splitlines()
    assert [len(line.split()) for line in entries] == [2, 3, 3, 3]
    found, read = opened(monkeypatch, tmp_path)
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(2)
    assert len(read) == 3
    for number in range(3, 5):
        age = (9 - number) * HOUR
        log.add(tmp_path, record(subject=build(number), age=age), notary(NOW - age))
    found, read = opened(monkeypatch, tmp_path)
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(4)
    assert len(read) == 1


def test_P36_a_damaged_log_is_an_error_for_every_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is read once for all of them: what one has met is not the end of the log for the next."""
    for module in (heads, log):
        monkeypatch.setattr(module, "SEGMENT", 2)
    for number in range(5):
        age = (9 - number) * HOUR
        log.add(tmp_path, record(subject=build(number), age=age, workspace=f"service-{number}"), notary(NOW - age))
    at = tmp_path / "log" / "000000" / "entries"
    at.chmod(0o644)
    at.write_bytes(at.read_bytes().replace(b"T0", b"T1"))
    store = read(tmp_path)

    def asked(workspace: str) -> Baseline:
        return baseline(store, decision(workspace=workspace).context, "shop", signers=SIGNERS, now=NOW)

    assert asked("service-4").evidence is not None
    for workspace in ("service-0", "service-0", "service-1", "new"):
        with pytest.raises(EvidenceError, match="altered"):
            asked(workspace)
    assert asked("service-4").evidence is not None


def test_what_was_decided_before_and_signed_after_is_no_newer(tmp_path: Path) -> None:
    """`gate --resume`: the log has it last, and its time is the one of the decision."""
    log.add(tmp_path, record(subject=build(1), age=2 * HOUR), notary(NOW - 2 * HOUR))
    log.add(tmp_path, record(subject=build(2), age=5 * HOUR), notary(NOW - HOUR))
    found = look(tmp_path)
    assert found.evidence is not None
    assert found.evidence.decision.subject == build(1)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_P41_what_a_killed_writer_stored_counts(tmp_path: Path, left: int) -> None:
    """It is in `next`, and no head covers it: a FAILED on the same artefact, a newer PASSED, or nothing."""
    log.add(tmp_path, record(age=2 * HOUR), NOTARY)
    one = [record(subject=build(2), age=HOUR), record(age=HOUR, verdict=Verdict.DENIED), record(age=HOUR)][left]
    if left < 2:
        layout.write(tmp_path, one)
    (tmp_path / "log" / "next").write_text(f"{heads.entry_of(one).line}\n")
    found = look(tmp_path)
    if left == 1:
        assert found.evidence is None
    else:
        assert found.evidence is not None
        assert (found.evidence.record.id == one.id) is (left == 0)


@pytest.mark.parametrize("seed", range(12))
def test_P19_the_log_tells_what_all_builds_tell(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any story: the baseline of a store with its log is the one of the same store without."""
    for module in (heads, log):
        monkeypatch.setattr(module, "SEGMENT", 4)
    random = Random(seed)
    clock, made = NOW - 100 * HOUR, []
    for _ in range(14):
        clock += random.choice([0, 1, 3]) * HOUR
        one = record(
            key(random.choice([1, 1, 1, 2])),
            subject=build(random.randrange(6)),
            age=NOW - clock + random.choice([0, 0, 0, 9]) * HOUR,
            verdict=random.choice([Verdict.ALLOWED, Verdict.ALLOWED, Verdict.DENIED]),
            workspace=random.choice([None, "web"]),
            repository=random.choice([REPOSITORY, None]),
            profile=random.choice(["default", "default", "observe"]),
        )
        log.add(tmp_path, one, notary(clock))
        made.append(one)
        if random.random() < 0.15:
            revoke(tmp_path, random.choice(made), at=NOW - clock, now=clock)
    asked: list[dict[str, Any]] = [{"workspace": w, "repository": r} for w in (None, "web") for r in (REPOSITORY, None)]
    found = [look(tmp_path, **context) for context in asked]
    shutil.rmtree(tmp_path / "log")
    assert any(one.evidence for one in found)
    for context, with_log in zip(asked, found, strict=True):
        without = look(tmp_path, **context)
        assert with_log.evidence == without.evidence
        assert with_log.latest == without.latest
        assert bool(with_log.disregarded) == bool(without.disregarded)


def test_P19_a_store_that_was_emptied_is_no_new_one(tmp_path: Path) -> None:
    """Nobody gets a bootstrap by taking every build away."""
    log.add(tmp_path, record(), NOTARY)
    shutil.rmtree(layout.folder(tmp_path, record().build.sha256))
    with pytest.raises(EvidenceError, match="not there"):
        look(tmp_path)
