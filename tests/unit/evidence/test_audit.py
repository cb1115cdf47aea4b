"""An audit names what is wrong with a build, with the heads, and with what they cover (P19, P21, P36)."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sbomgate import override
from sbomgate.decision import write_summary
from sbomgate.evidence import audit, layout, log, revocation
from sbomgate.evidence import head as heads
from sbomgate.evidence.audit import Chain, Looked
from sbomgate.evidence.head import NOTHING, Entry, Head
from sbomgate.evidence.log import Notary
from sbomgate.evidence.record import Record
from sbomgate.evidence.revocation import Revocation
from sbomgate.model import Signer, Trust, Verdict
from testkit.evidence import NOW, OTHER_TARBALL, TARBALL, decision, key, record, signer, trusting

HOUR = timedelta(hours=1)
ACCEPTED = (signer(key()),)
NOTARY = Notary(signer=key(), signers=ACCEPTED, now=NOW)
FIRST, SECOND = record(age=2 * HOUR), record(age=HOUR, verdict=Verdict.DENIED)


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def folder(store: Path) -> Path:
    return layout.folder(store, FIRST.build.sha256)


def look(store: Path, signers: Sequence[Signer] | None = ACCEPTED) -> Looked:
    return audit.look(folder(store), signers, (), NOTHING, {})[0]


def kinds(found: Looked | Chain) -> list[str]:
    return [one.kind for one in found.problems]


# --------------------------------------------------------------------------------------------------------------------
# A build


def test_a_sound_build(tmp_path: Path) -> None:
    for one in (FIRST, SECOND, record(key(2), age=3 * HOUR)):
        layout.write(tmp_path, one)
    found = look(tmp_path)
    assert [(one.verdict, one.signer) for one in found.decisions] == [
        (Verdict.DENIED, "release key"),
        (Verdict.ALLOWED, "release key"),
        (Verdict.ALLOWED, None),
    ]
    assert (found.problems, len(found.notes)) == ((), 1)
    assert audit.count(found.decisions) == {"passed": 1, "failed": 1, "observed": 0, "revoked": 0, "strangers": 1}
    assert {one.signer for one in look(tmp_path, None).decisions} == {""}, "nobody's signature was looked at"


def test_P36_everything_that_is_altered_in_a_build_is_named_once(tmp_path: Path) -> None:
    layout.write(tmp_path, FIRST)
    blobs = folder(tmp_path) / "blobs" / "sha256"
    altered = sorted(blobs.iterdir())[:3]
    for one in altered:
        overwrite(one, one.read_bytes() + b" ")
    (blobs / ".tmp-left").write_bytes(b"a killed writer's")
    found = look(tmp_path)
    assert set(kinds(found)) == {"altered"}
    told = [one.path for one in found.problems]
    assert {str(one) for one in altered} <= set(told)
    assert len(told) == len(set(told))
    assert not any(".tmp-" in one for one in told)


def test_P36_what_cannot_be_read_is_told_from_what_is_altered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system kept the auditor from it, which says nothing of what is there; what is gone, is gone."""
    layout.write(tmp_path, FIRST)
    real = os.open

    def failing(code: int) -> None:
        def opened(path: object, *arguments: int, **settings: int) -> int:
            if str(path).endswith("index.json"):
                raise OSError(code, os.strerror(code), str(path))
            return real(str(path), *arguments, **settings)

        monkeypatch.setattr(os, "open", opened)

    for code, kind in ((errno.EACCES, audit.UNREADABLE), (errno.EIO, audit.UNREADABLE), (errno.ENOENT, "altered")):
        failing(code)
        assert kinds(look(tmp_path))[0] == kind
    monkeypatch.undo()
    (folder(tmp_path) / "index.json").unlink()
    found = look(tmp_path)
    assert (found.problems, found.decisions, len(found.notes)) == ((), (), 1)


def test_P36_a_summary_that_was_replaced_by_a_strangers(tmp_path: Path) -> None:
    layout.write(tmp_path, record(summary_key=key(2)))
    found = look(tmp_path)
    assert kinds(found) == ["signature"]
    assert [one.signer for one in found.decisions] == [None]


def test_P21_a_signature_that_is_not_the_keys_that_it_names(tmp_path: Path) -> None:
    """An accepted key's hint on what another key signed: altered, not a stranger's."""
    made = record(key(2))
    document = json.loads(made.detail)
    document["verificationMaterial"] = json.loads(FIRST.detail)["verificationMaterial"]
    detail = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    summary = write_summary(decision(), detail)
    assert summary is not None
    layout.write(tmp_path, Record(detail=detail, summary=key(2).sign(summary), blobs=made.blobs))
    found = look(tmp_path)
    assert kinds(found) == ["signature"]
    assert "altered" in found.problems[0].message


def revoking(store: Path, one: Record) -> None:
    said = Revocation(decision=one.id, signer=None, issued_at=NOW, reason="a mistake")
    log.add_revocation(store, key().sign(revocation.write(said)), NOTARY)


def test_what_was_revoked_counts_as_revoked(tmp_path: Path) -> None:
    for one in (FIRST, SECOND, record(profile="observe", age=3 * HOUR)):
        log.add(tmp_path, one, NOTARY)
    revoking(tmp_path, FIRST)
    chain = audit.heads(tmp_path, trusting(), now=NOW)
    found, _ = audit.look(folder(tmp_path), ACCEPTED, chain.revoking, chain.view, {})
    assert [bool(one.revoked) for one in found.decisions] == [False, True, False]
    assert audit.count(found.decisions) == {"passed": 0, "failed": 1, "observed": 1, "revoked": 1, "strangers": 0}


# --------------------------------------------------------------------------------------------------------------------
# The heads


def chain(store: Path, trust: Trust | None = None, *, hours: float = 0) -> Chain:
    return audit.heads(store, trust or trusting(), now=NOW + hours * HOUR)


def test_P18_a_head_that_the_trust_file_demands(tmp_path: Path) -> None:
    demanding = trusting(max_head_age_hours=2)
    (tmp_path / "empty").mkdir()
    assert kinds(chain(tmp_path / "empty", demanding)) == [audit.AGE]
    assert (kinds(chain(tmp_path / "empty")), len(chain(tmp_path / "empty").notes)) == ([], 1)
    store = tmp_path / "store"
    log.add(store, FIRST, NOTARY)
    assert kinds(chain(store, demanding, hours=2)) == []
    assert kinds(chain(store, demanding, hours=2.1)) == [audit.AGE]
    assert kinds(chain(store, trusting(), hours=9999)) == []
    stranger = trusting(signer(key(2)), max_head_age_hours=2)
    assert kinds(chain(store, stranger)) == ["head", "head"], "the newest is nobody's, and so is not new"


def test_without_a_trust_file_nobodys_signature_is_looked_at(tmp_path: Path) -> None:
    log.add(tmp_path, FIRST, NOTARY)
    found = audit.heads(tmp_path, None, now=NOW)
    assert (found.newest, found.problems, found.count, found.revoking) == (None, (), 1, ())


def sign(store: Path, **changes: object) -> None:
    """A second head, by an accepted signer, over what the first covers, that says something else."""
    (first,) = (bundle for _, bundle in log.heads(store))
    before = log.newest(store)
    assert before is not None
    said = replace(before.head, sequence=2, previous=hashlib.sha256(first).hexdigest())
    made: Head = replace(said, **changes)  # type: ignore[arg-type]
    path = store / "log" / "000000" / f"{made.sequence:010}.sigstore.json"
    path.write_bytes(key().sign(heads.write_head(made)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"sequence": 3}, "is number 3, and follows number 1", id="a number is left out"),
        pytest.param({"previous": "ab" * 32}, "as the head before it", id="another head before it"),
        pytest.param({"entries": 2}, "covers other entries", id="more than the log has"),
        pytest.param({"segment": "ab" * 32}, "", id="another segment"),
        pytest.param({}, "", id="a fresh one"),
    ],
)
def test_P36_a_head_follows_the_one_before_it(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    log.add(tmp_path, FIRST, NOTARY)
    sign(tmp_path, **changes)
    found = chain(tmp_path)
    assert any(says in one.message for one in found.problems) is bool(changes)


def test_P36_a_head_that_covers_less_than_the_one_before_it(tmp_path: Path) -> None:
    log.add(tmp_path, FIRST, NOTARY)
    log.add(tmp_path, SECOND, NOTARY)
    _, newest = log.heads(tmp_path)
    lines = (tmp_path / "log" / "000000" / "entries").read_text().splitlines()
    said = Head(
        sequence=3,
        entries=1,
        segment=heads.digest(lines[:2]),
        previous=hashlib.sha256(newest[1]).hexdigest(),
        time=NOW,
        time_source="self-declared",
    )
    (tmp_path / "log" / "000000" / "0000000003.sigstore.json").write_bytes(key().sign(heads.write_head(said)))
    found = chain(tmp_path)
    assert [one.message for one in found.problems] == ["covers 1 entries, the head before it 2"]


def test_P17_a_head_that_is_older_than_the_one_before_it_is_told(tmp_path: Path) -> None:
    for minutes in (0, 4, 11):
        store = tmp_path / str(minutes)
        log.add(store, FIRST, NOTARY)
        log.add(store, SECOND, replace(NOTARY, now=NOW - timedelta(minutes=minutes)))
        assert any("older than the head before it" in note for note in chain(store).notes) is (minutes == 11)


def test_P36_an_entry_that_stands_twice_in_the_log(tmp_path: Path) -> None:
    """Only whoever signs heads could write it."""
    log.add(tmp_path, FIRST, NOTARY)
    entry = Entry(sha256=FIRST.id, build=FIRST.build.sha256)
    seen = chain(tmp_path)
    twice = replace(seen, view=replace(seen.view, entries=(entry, entry)))
    assert [one.message for one in audit.compare(tmp_path, twice, ())] == ["the log has it twice"]


def test_P21_revocations_that_do_not_hold(tmp_path: Path) -> None:
    """A revoker's name on what she did not sign: a problem; a stranger's: told."""
    log.add(tmp_path, FIRST, NOTARY)
    said = Revocation(decision=FIRST.id, signer=None, issued_at=NOW, reason="a lie")
    forged = json.loads(key(2).sign(revocation.write(said)))
    stranger = json.dumps(forged).encode()
    forged["verificationMaterial"] = json.loads(FIRST.detail)["verificationMaterial"]
    for bundle, expected in ((stranger, []), (json.dumps(forged).encode(), ["signature"])):
        store = tmp_path / ("forged" if expected else "stranger")
        log.add(store, FIRST, NOTARY)
        log.keep_revocations(store, {hashlib.sha256(bundle).hexdigest(): bundle})
        found = chain(store)
        assert (kinds(found), found.revoking) == (expected, ())
        assert bool(found.notes) is not bool(expected)


# --------------------------------------------------------------------------------------------------------------------
# Overrides


ANN = signer(key(3), name="ann", person="ann", roles=("override",))


def overridden(store: Path, about: str = SECOND.id) -> Path:
    said = override.Override(
        decision=SECOND.id, name="shop.tgz", subject=TARBALL.digest, issued_at=NOW, until=NOW + HOUR, reason="down"
    )
    bundle = key(3).sign(override.write(said))
    path = log.path_of(store, Entry(sha256=hashlib.sha256(bundle).hexdigest(), failed=about))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bundle)
    return path


def test_P32_overrides_by_accepted_persons_are_found_where_they_belong(tmp_path: Path) -> None:
    log.add(tmp_path, SECOND, NOTARY)
    path = overridden(tmp_path)
    both = trusting(*ACCEPTED, ANN)
    assert [one.failed for one in chain(tmp_path, both).overrides] == [SECOND.id]
    assert chain(tmp_path).overrides == (), "ann is nobody"
    assert any("does not count" in note for note in chain(tmp_path).notes)
    assert audit.heads(tmp_path, None, now=NOW).overrides == ()
    path.rename(path.with_name(f"{'ab' * 32}.sigstore.json"))
    found = chain(tmp_path, both)
    assert found.overrides == ()
    assert any("lies where another belongs" in note for note in found.notes)


def test_P32_an_override_of_another_decision_than_its_folder_says(tmp_path: Path) -> None:
    log.add(tmp_path, SECOND, NOTARY)
    overridden(tmp_path, about=record(subject=OTHER_TARBALL).id)
    found = chain(tmp_path, trusting(*ACCEPTED, ANN))
    assert found.overrides == ()
    assert any("lies where another belongs" in note for note in found.notes)


def test_P1_overrides_that_cannot_be_read(tmp_path: Path) -> None:
    log.add(tmp_path, SECOND, NOTARY)
    path = overridden(tmp_path)
    path.with_name("link.sigstore.json").symlink_to(path)
    found = chain(tmp_path, trusting(*ACCEPTED, ANN))
    assert kinds(found) == ["altered"]
    assert found.overrides == ()
