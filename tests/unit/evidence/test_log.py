"""The log of a store: appended in constant time, whole whatever happens to a writer, and what is gone is seen.

P19, P36, P41.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate import override
from sbomgate.errors import EvidenceError, SbomgateError, SigningError
from sbomgate.evidence import audit, layout, log, revocation
from sbomgate.evidence import head as heads
from sbomgate.evidence.head import Entry
from sbomgate.evidence.log import Notary
from sbomgate.evidence.record import Record
from sbomgate.evidence.revocation import Revocation, RevokedSigner
from sbomgate.evidence.verify import verify_build
from sbomgate.model import Signer, Verdict
from sbomgate.signing.local_key import LocalKey
from testkit import evidence_writers
from testkit.evidence import NOW, OTHER_TARBALL, POLICY, TARBALL, key, record, signer, trusting
from testkit.faults import recorded_syncs

HOUR = timedelta(hours=1)
FIRST = record(age=3 * HOUR)
SECOND = record(age=2 * HOUR, verdict=Verdict.DENIED)
OTHER = record(subject=OTHER_TARBALL, age=HOUR)
ACCEPTED = (signer(key()),)
NOTARY = Notary(signer=key(), signers=ACCEPTED, now=NOW)


def entry(one: Record) -> Entry:
    return Entry(sha256=one.id, build=one.build.sha256)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of two entries, so that a few decisions make several."""
    for module in (heads, log, audit):
        monkeypatch.setattr(module, "SEGMENT", 2)


def sound(store: Path) -> list[str]:
    """What an audit of the log and of what it covers finds wrong: kind and path."""
    chain = audit.heads(store, trusting(), now=NOW)
    looked = [
        audit.signed(build, layout.read_statements(build), ACCEPTED, chain.revoking, chain.view)
        for build in layout.scan(store).builds
    ]
    decisions = [one for found in looked for one in found.decisions]
    problems = [*chain.problems, *audit.compare(store, chain, decisions)]
    return [f"{one.kind} {Path(one.path).relative_to(store)}" for one in problems]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


# --------------------------------------------------------------------------------------------------------------------
# Appending


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_P19_every_decision_is_covered_in_its_order(store: Path, small: None, count: int) -> None:
    made = [record(age=n * HOUR) for n in range(count)]
    for one in made:
        log.add(store, one, NOTARY)
    view = log.view(store)
    assert view.entries == tuple(map(entry, made))
    assert all(log.covers(store, one) for one in made)
    assert not log.covers(store, record(subject=OTHER_TARBALL))
    assert [path.name for path, _ in log.heads(store)] == [f"{n + 1:010}.sigstore.json" for n in range(count)]
    assert sound(store) == []
    assert not (store / "log" / "next").exists()


def test_heads_are_a_chain(store: Path) -> None:
    for one in (FIRST, SECOND, OTHER):
        log.add(store, one, NOTARY)
    previous = None
    for number, (_, bundle) in enumerate(log.heads(store)):
        found = heads.accepted(bundle, ACCEPTED, "head")
        assert isinstance(found, heads.SignedHead)
        assert (found.head.sequence, found.head.entries, found.head.previous) == (number + 1, number + 1, previous)
        previous = hashlib.sha256(bundle).hexdigest()


def test_the_same_decision_again_is_covered_once(store: Path) -> None:
    for one in (FIRST, SECOND, FIRST):
        log.add(store, one, NOTARY)
    assert log.view(store).entries == (entry(FIRST), entry(SECOND))
    assert sound(store) == []


def test_P38_the_same_story_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for one in (FIRST, OTHER):
            log.add(tmp_path / name, one, NOTARY)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_P36_what_was_written_is_not_written_again(store: Path) -> None:
    """But for the newest segment, which grows: its beginning stays."""
    log.add(store, FIRST, NOTARY)
    before = contents(store / "log")
    log.add(store, SECOND, NOTARY)
    after = contents(store / "log")
    for name, data in before.items():
        assert after[name] == data or (name.endswith("entries") and after[name].startswith(data))


def test_an_append_reads_no_more_of_a_large_log(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Constant time: the files that are opened are counted, not the seconds."""
    held = [Entry(sha256=f"{n:064x}", build=f"{n:064x}") for n in range(3 * heads.SEGMENT)]
    counts = []
    for name, before in (("small", held[:1]), ("large", held)):
        (store / name).mkdir(parents=True)
        log.renew(store / name, NOTARY, before)
        opened: list[Any] = []
        real = os.open

        def counted(*arguments: Any, real: Any = real, opened: list[Any] = opened, **settings: Any) -> int:
            opened.append(arguments[0])
            return int(real(*arguments, **settings))

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", counted)
            log.add(store / name, FIRST, NOTARY)
        counts.append(len(opened))
    # A segment begins with the next entry after a full one: one folder more is made.
    assert counts[1] <= counts[0] + 3


def test_an_older_store_is_covered_by_its_first_head(store: Path) -> None:
    """A store from before heads: what accepted signers put there is covered, strangers' decisions are not."""
    stranger = record(key(2), age=5 * HOUR)
    for one in (SECOND, FIRST, stranger, OTHER):
        layout.write(store, one)
    assert log.view(store).bundle is None
    newest = record(age=HOUR / 2)
    log.add(store, newest, NOTARY)
    assert log.view(store).entries == tuple(map(entry, (FIRST, SECOND, OTHER, newest)))
    assert sound(store) == []


def test_a_fresh_head_covers_what_none_covers(store: Path) -> None:
    log.add(store, FIRST, NOTARY)
    layout.write(store, OTHER)
    assert sound(store) == [f"uncovered {log.path_of(store, entry(OTHER)).relative_to(store)}"]
    log.renew(store, replace(NOTARY, now=NOW + HOUR), [entry(OTHER)])
    assert sound(store) == []
    log.renew(store, replace(NOTARY, now=NOW + 2 * HOUR), [entry(OTHER), entry(FIRST)])
    found = audit.heads(store, trusting(), now=NOW + 2 * HOUR).newest
    assert found is not None
    assert (found.head.sequence, found.head.entries, found.head.time) == (3, 2, NOW + 2 * HOUR)


def test_a_head_over_nothing_is_not_signed(store: Path) -> None:
    store.mkdir()
    with pytest.raises(EvidenceError, match="nothing"):
        log.renew(store, NOTARY)
    assert log.view(store).bundle is None


def test_blobs_of_builds_before_are_linked(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SHARED_BYTES", 10)
    paths = [log.add(store, one, NOTARY).path for one in (FIRST, OTHER)]
    assert (paths[0] / "policy.tar.gz").samefile(paths[1] / "policy.tar.gz")
    assert not (paths[0] / "decision.json").samefile(paths[1] / "decision.json")
    blob = paths[1].parent.parent / "blobs" / "sha256" / hashlib.sha256(FIRST.blobs["policy.tar.gz"]).hexdigest()
    overwrite(blob, b"altered")
    for build in layout.scan(store).builds:
        with pytest.raises(EvidenceError, match="altered"):
            layout.read_build(build)
    third = record(subject=replace(OTHER_TARBALL, digest={"sha256": "4f" * 32}))
    log.add(store, third, NOTARY)  # an altered blob is not linked to
    assert layout.find(store, third.claimed.subject) == (third,)


# --------------------------------------------------------------------------------------------------------------------
# Altered, cut, reordered, taken away


@dataclass(frozen=True)
class Damaged:
    """A store with four entries in two segments: FIRST, SECOND, OTHER and a revocation of OTHER."""

    store: Path
    revoked: str

    def segment(self, number: int) -> Path:
        return self.store / "log" / f"{number:06}" / "entries"

    def head(self, sequence: int) -> Path:
        return self.store / "log" / f"{(sequence - 1) // 2:06}" / f"{sequence:010}.sigstore.json"

    def lines(self, number: int, change: Callable[[list[str]], Any]) -> None:
        lines = self.segment(number).read_text().splitlines()
        change(lines)
        overwrite(self.segment(number), "".join(f"{line}\n" for line in lines).encode())

    def path(self, one: Record) -> Path:
        return log.path_of(self.store, entry(one))

    @property
    def revocation(self) -> Path:
        return log.path_of(self.store, Entry(sha256=self.revoked))


@pytest.fixture
def damaged(store: Path, small: None) -> Damaged:
    for one in (FIRST, SECOND, OTHER):
        log.add(store, one, NOTARY)
    said = Revocation(decision=OTHER.id, signer=None, issued_at=NOW, reason="a mistake")
    path = log.add_revocation(store, key().sign(revocation.write(said)), NOTARY)
    assert sound(store) == []
    return Damaged(store, path.name.removesuffix(".sigstore.json"))


def swap(lines: list[str]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


LOG_DAMAGES: dict[str, tuple[Callable[[Damaged], Any], str]] = {
    "an entry removed": (lambda d: d.lines(0, lambda lines: lines.pop(1)), "head log/000000/entries"),
    "entries reordered": (lambda d: d.lines(0, swap), "head log/000001/entries"),
    "an entry altered": (
        lambda d: d.lines(0, lambda lines: lines.__setitem__(1, f"decision {'00' * 32} {'00' * 32}")),
        "head log/000001/entries",
    ),
    "an entry put in": (lambda d: d.lines(0, lambda lines: lines.insert(1, lines[1])), "head log/000000/entries"),
    "the newest entry removed": (lambda d: d.lines(1, lambda lines: lines.pop()), "head log/000001/entries"),
    "entries of the newest segment reordered": (lambda d: d.lines(1, swap), "head log/000001/entries"),
    "a segment cut in a line": (
        lambda d: overwrite(d.segment(1), d.segment(1).read_bytes()[:-5]),
        "head log/000001/entries",
    ),
    "a segment emptied": (lambda d: overwrite(d.segment(0), b""), "head log/000000/entries"),
    "a segment removed": (lambda d: d.segment(0).unlink(), "head log/000000/entries"),
    "the newest segment removed": (lambda d: d.segment(1).unlink(), "head log/000001/entries"),
    "a segment of another place": (
        lambda d: overwrite(d.segment(1), d.segment(0).read_bytes()),
        "head log/000001/entries",
    ),
    "the newest head altered": (
        lambda d: overwrite(d.head(4), d.head(4).read_bytes().replace(b"}", b" }", 1)[:-9]),
        "head log/000001/0000000004.sigstore.json",
    ),
    "the newest head is another": (
        lambda d: overwrite(d.head(4), d.head(3).read_bytes()),
        "head log/000001/0000000004.sigstore.json",
    ),
    "an older head altered": (
        lambda d: overwrite(d.head(2), b"{}"),
        "head log/000000/0000000002.sigstore.json",
    ),
    "a head removed": (lambda d: d.head(3).unlink(), "head log/000001/0000000004.sigstore.json"),
    "the first head removed": (lambda d: d.head(1).unlink(), "head log/000000/0000000002.sigstore.json"),
    "the first segment removed": (
        lambda d: shutil.rmtree(d.segment(0).parent),
        "head log/000000/entries",
    ),
    "a stranger in the log": (lambda d: (d.store / "log" / "x").write_text(""), "head log/x"),
}


@pytest.mark.parametrize("damage", LOG_DAMAGES)
def test_P36_a_damaged_log_is_named(damaged: Damaged, damage: str) -> None:
    change, expected = LOG_DAMAGES[damage]
    change(damaged)
    assert expected in sound(damaged.store)


NEWEST = [name for name, (_, path) in LOG_DAMAGES.items() if name not in (
    "an older head altered", "a head removed", "the first head removed", "a stranger in the log",
)]  # fmt: skip


@pytest.mark.parametrize("damage", NEWEST)
def test_P36_nobody_reads_a_log_that_its_head_does_not_cover(damaged: Damaged, damage: str) -> None:
    """`verify` and the baseline read the newest head and every segment: exit 2, never a shorter list."""
    LOG_DAMAGES[damage][0](damaged)
    with pytest.raises(EvidenceError) as e:
        log.view(damaged.store)
    assert "log" in e.value.where


@pytest.mark.parametrize(
    "damage", ["the newest head altered", "the newest segment removed", "the newest entry removed"]
)
def test_P36_nothing_is_added_to_a_damaged_log(damaged: Damaged, damage: str) -> None:
    LOG_DAMAGES[damage][0](damaged)
    before = contents(damaged.store)
    with pytest.raises(EvidenceError):
        log.add(damaged.store, record(age=HOUR / 3), NOTARY)
    assert contents(damaged.store) == before


def test_P36_what_is_taken_away_is_named(damaged: Damaged) -> None:
    shutil.rmtree(damaged.path(OTHER).parent.parent)
    damaged.revocation.unlink()
    assert sound(damaged.store) == [
        f"missing {damaged.path(OTHER).relative_to(damaged.store)}",
        f"missing {damaged.revocation.relative_to(damaged.store)}",
    ]


def test_P36_a_decision_that_is_taken_away_with_its_place_in_the_index(damaged: Damaged, tmp_path: Path) -> None:
    """The build is whole without it: only the head knows."""
    layout.write(tmp_path / "without", FIRST)
    build = layout.folder(damaged.store, FIRST.build.sha256)
    shutil.rmtree(build)
    shutil.copytree(layout.folder(tmp_path / "without", FIRST.build.sha256), build)
    assert layout.find(damaged.store, TARBALL) == (FIRST,)
    assert sound(damaged.store) == [f"missing {damaged.path(SECOND).relative_to(damaged.store)}"]


@pytest.mark.parametrize("lie", ["project", "time"])
def test_P36_a_log_that_says_something_else_of_a_decision(
    store: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """Who signs a head could hide a FAILED from the next gate of its project."""
    project = ".".join(["ab" * 8] * 3)
    with monkeypatch.context() as patch:
        if lie == "project":
            patch.setattr(log, "entry_of", lambda one: replace(heads.entry_of(one), project=project))
        else:
            patch.setattr(log, "_last_time", lambda *_: NOW - 9 * HOUR)
            patch.setattr(log, "entry_of", lambda one: replace(heads.entry_of(one), time=None))
        log.add(store, FIRST, NOTARY)
    log.add(store, SECOND, NOTARY)
    (problem,) = sound(store)
    assert problem.startswith("head ")
    assert FIRST.id in problem


def test_P36_a_log_that_was_taken_back_is_seen_by_what_lies_there(damaged: Damaged) -> None:
    """Whole, signed, and older: what came after lies uncovered in the store, and a head that was kept is not there."""
    kept = damaged.head(4).read_bytes()
    shutil.rmtree(damaged.segment(1).parent)
    assert sound(damaged.store) == [
        f"uncovered {damaged.path(OTHER).relative_to(damaged.store)}",
        f"uncovered {damaged.revocation.relative_to(damaged.store)}",
    ]
    chain = audit.heads(damaged.store, trusting(), now=NOW, earlier=kept)
    assert [one.kind for one in chain.problems] == ["head"]
    assert "taken back" in chain.problems[0].message


def test_P36_a_revocation_that_was_altered_is_an_error(damaged: Damaged) -> None:
    overwrite(damaged.revocation, damaged.revocation.read_bytes() + b" ")
    with pytest.raises(EvidenceError, match="altered"):
        log.view(damaged.store)


def test_P21_nothing_is_added_after_a_head_by_a_stranger(damaged: Damaged) -> None:
    stranger = Notary(signer=key(2), signers=(signer(key(2)),), now=NOW)
    with pytest.raises(EvidenceError, match="does not accept"):
        log.add(damaged.store, record(key(2)), stranger)
    both = replace(stranger, signers=(*ACCEPTED, signer(key(2), name="other")))
    log.add(damaged.store, record(key(2)), both)
    chain = audit.heads(damaged.store, trusting(), now=NOW)
    assert chain.newest is None
    assert any("does not accept" in note for note in chain.notes)


def test_links_in_the_log_are_not_followed(damaged: Damaged, tmp_path: Path) -> None:
    damaged.segment(1).rename(tmp_path / "entries")
    damaged.segment(1).symlink_to(tmp_path / "entries")
    with pytest.raises(EvidenceError):
        log.view(damaged.store)


def newest_first(store: Path) -> list[Entry]:
    found = log.newest(store)
    assert found is not None
    return list(log.backwards(store, found.head))


def test_the_log_is_read_backwards(damaged: Damaged) -> None:
    assert newest_first(damaged.store) == list(log.view(damaged.store).entries)[::-1]


@pytest.mark.parametrize("damage", NEWEST)
def test_P36_nobody_looks_for_a_baseline_in_a_damaged_log(damaged: Damaged, damage: str) -> None:
    LOG_DAMAGES[damage][0](damaged)
    with pytest.raises(EvidenceError) as e:
        newest_first(damaged.store)
    assert "log" in e.value.where


def lines_of(previous: str, count: int) -> list[str]:
    return [f"previous {previous}", *(Entry(sha256=f"{n:064x}").line for n in range(count))]


def laid(store: Path, *segments: list[str]) -> heads.Head:
    """A log as nobody writes it, with the head that whoever signs heads could sign over it."""
    for number, lines in enumerate(segments):
        at = store / "log" / f"{number:06}" / "entries"
        at.parent.mkdir(parents=True)
        at.write_bytes(heads.write_segment(lines))
    entries = heads.SEGMENT * (len(segments) - 1) + len(segments[-1]) - 1
    digest = heads.digest(segments[-1])
    return heads.Head(sequence=1, entries=entries, segment=digest, previous=None, time=NOW, time_source="self-declared")


@pytest.mark.parametrize("read", [log.covered, log.backwards], ids=["forwards", "backwards"])
@pytest.mark.parametrize("count", [1, 3])
def test_P19_a_segment_of_another_length(
    store: Path, small: None, count: int, read: Callable[[Path, heads.Head], Any]
) -> None:
    """Whoever signs heads cannot leave out a decision, or put one in, by where a segment ends."""
    first = lines_of(heads.FIRST, count)
    head = laid(store, first, lines_of(heads.digest(first), 1))
    with pytest.raises(EvidenceError, match=f"holds {count} entries"):
        list(read(store, head))


@pytest.mark.parametrize("read", [log.covered, log.backwards], ids=["forwards", "backwards"])
def test_P19_a_log_whose_beginning_is_missing(store: Path, read: Callable[[Path, heads.Head], Any]) -> None:
    head = laid(store, lines_of("ab" * 32, 1))
    with pytest.raises(EvidenceError, match="altered"):
        list(read(store, head))


def test_a_log_from_before_times_goes_on(store: Path) -> None:
    head = laid(store, lines_of(heads.FIRST, 1))
    (store / "log" / "000000" / "0000000001.sigstore.json").write_bytes(key().sign(heads.write_head(head)))
    log.add(store, FIRST, NOTARY)
    assert [one.logged for one in log.view(store).entries] == [None, NOW]


def test_a_reader_meets_a_writer(damaged: Damaged) -> None:
    """Between an entry and the head over it, the newest segment holds more than is covered: no reader minds."""
    before = log.view(damaged.store)
    overwrite(damaged.segment(1), damaged.segment(1).read_bytes() + f"{entry(FIRST).line}\n".encode())
    assert log.view(damaged.store) == before
    assert newest_first(damaged.store) == list(before.entries)[::-1]


# --------------------------------------------------------------------------------------------------------------------
# What does not belong there

STRANGERS = ["log/x", "log/000009", "log/000000/x", "log/000000/1.sigstore.json", "revocations/x.sigstore.json"]


def test_P36_strangers_in_the_log_are_named(damaged: Damaged) -> None:
    for name in STRANGERS[:-1]:
        (damaged.store / name).write_text("")
    for name in (".tmp-x", "000000/.tmp-x"):
        (damaged.store / "log" / name).write_text("")
    (damaged.store / "log" / "0" / "entries").mkdir(parents=True)  # a folder, and no segment's
    shown = sorted(path.relative_to(damaged.store).as_posix() for path in log.strange(damaged.store))
    assert shown == sorted([*STRANGERS[:-1], "log/0"])


def test_P36_strangers_among_the_revocations(damaged: Damaged) -> None:
    """One of them could be a revocation whose name somebody spoilt: none is passed over, but for a writer's own."""
    folder = damaged.revocation.parent
    (folder / ".tmp-x").write_text("")
    assert set(log.revocations(damaged.store)) == {damaged.revoked}
    for name in ("x.sigstore.json", damaged.revoked):
        (folder / name).write_bytes(damaged.revocation.read_bytes())
        with pytest.raises(EvidenceError, match="no revocation"):
            log.revocations(damaged.store)
        (folder / name).unlink()


def test_P1_a_file_where_a_folder_belongs(store: Path) -> None:
    store.mkdir()
    (store / "log").write_text("")
    with pytest.raises(EvidenceError, match="cannot be read"):
        log.view(store)


def test_P1_what_is_being_stored_cannot_be_read(damaged: Damaged) -> None:
    (damaged.store / "log" / "next").symlink_to(damaged.segment(0))
    with pytest.raises(EvidenceError, match="next"):
        log.coming(damaged.store)


@pytest.mark.parametrize("name", ["log", "revocations", "overrides", "log/000001", f"overrides/{SECOND.id}"])
def test_a_writer_follows_no_link(damaged: Damaged, tmp_path: Path, name: str) -> None:
    """Who can write to the store would have us write, and remove, where only we can."""
    elsewhere = tmp_path / "elsewhere"
    at = damaged.store / name
    if at.exists():
        at.rename(elsewhere)
    else:
        elsewhere.mkdir()
        at.parent.mkdir(exist_ok=True)
    at.symlink_to(elsewhere)
    ours = elsewhere / ".tmp-ours"
    ours.write_text("")
    with pytest.raises(EvidenceError, match="a link in place of a folder"):
        log.add(damaged.store, record(age=HOUR / 3), NOTARY)
    assert ours.exists()


def test_P9_a_log_has_so_many_segments(damaged: Damaged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_SEGMENTS", 2)
    assert log.newest(damaged.store) is not None
    monkeypatch.setattr(log, "MAX_SEGMENTS", 1)
    with pytest.raises(EvidenceError, match="more than 1 segments"):
        log.newest(damaged.store)


def test_P19_builds_without_a_head_are_lacking_one(store: Path) -> None:
    assert not log.is_lacking(store)
    store.mkdir()
    assert not log.is_lacking(store)
    layout.write(store, FIRST)
    assert log.is_lacking(store)
    log.add(store, SECOND, NOTARY)
    assert not log.is_lacking(store)


def test_revocations_of_another_store_are_kept(damaged: Damaged, tmp_path: Path) -> None:
    held = log.revocations(damaged.store)
    log.keep_revocations(tmp_path / "mine", held)
    log.keep_revocations(tmp_path / "mine", held)
    assert log.revocations(tmp_path / "mine") == held


# --------------------------------------------------------------------------------------------------------------------
# Overrides

ANN = signer(key(3), name="ann", roles=("override",))
BOTH = signer(key(3), name="ann", roles=("override", "decision"))


def overridden(store: Path, person: Signer) -> tuple[Path, bool]:
    """An override of the decision that FAILED, by one person."""
    said = override.Override(
        decision=SECOND.id,
        name="shop.tgz",
        subject=TARBALL.digest,
        issued_at=NOW,
        until=NOW + HOUR,
        reason="the shop is down",
    )
    notary = Notary(signer=key(3), signers=(*ACCEPTED, person), now=NOW)
    return log.add_override(store, SECOND.id, key(3).sign(override.write(said)), notary)


def problems(store: Path, person: Signer) -> list[str]:
    trust = trusting(*ACCEPTED, person)
    chain = audit.heads(store, trust, now=NOW)
    decisions = [
        one
        for build in layout.scan(store).builds
        for one in audit.signed(build, layout.read_statements(build), trust.signers, (), chain.view).decisions
    ]
    found = [*chain.problems, *audit.compare(store, chain, decisions)]
    return [f"{one.kind} {Path(one.path).relative_to(store)}" for one in found]


@pytest.mark.parametrize("person", [ANN, BOTH], ids=["who only overrides", "who decides too"])
def test_P32_P36_an_override_that_was_taken_away_is_seen(store: Path, person: Signer) -> None:
    for one in (FIRST, SECOND):
        log.add(store, one, NOTARY)
    path, is_covered = overridden(store, person)
    shown = str(path.relative_to(store))
    assert is_covered is (person is BOTH)
    if not is_covered:
        # Nobody vouches for the whole store because he may override: the next writer does.
        assert problems(store, person) == [f"uncovered {shown}"]
        log.add(store, OTHER, replace(NOTARY, signers=(*ACCEPTED, person)))
        assert not (store / "log" / "next").exists()
    assert problems(store, person) == []
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data.replace(b"a", b"b", 1))
    assert problems(store, person) == [f"altered {shown}"]
    path.unlink()
    assert problems(store, person) == [f"missing {shown}"]
    view = log.view(store)
    told = verify_build(
        layout.find(store, TARBALL), TARBALL, trusting(*ACCEPTED, person), now=NOW, shipped_policy=POLICY, view=view
    )
    assert [one.code for one in told.reasons] == ["failed", "withheld"]
    assert path.name.removesuffix(heads.SUFFIX) in told.reasons[1].message
    elsewhere = verify_build(
        [OTHER], OTHER_TARBALL, trusting(*ACCEPTED, person), now=NOW, shipped_policy=POLICY, view=view
    )
    assert elsewhere.accepted, "it is about another artefact"


@pytest.mark.parametrize("change", [Path.unlink, lambda path: overwrite(path, b"{}")], ids=["gone", "altered"])
def test_an_override_that_is_not_there_stops_no_writer(store: Path, change: Callable[[Path], Any]) -> None:
    """It waits to be covered, and somebody takes it: it counts for nobody, and the next decision is stored."""
    log.add(store, SECOND, NOTARY)
    change(overridden(store, ANN)[0])
    log.add(store, OTHER, replace(NOTARY, signers=(*ACCEPTED, ANN)))
    assert log.view(store).entries == (entry(SECOND), entry(OTHER))


def test_an_override_waits_for_whoever_writes(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    log.add(store, SECOND, NOTARY)
    (store / "log" / ".tmp-left").write_text("")
    monkeypatch.setattr(log, "LOCK_WAIT_SECONDS", 0)
    with (store / "log" / ".lock").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SbomgateError, match="lock"):
            overridden(store, ANN)
    monkeypatch.undo()
    overridden(store, ANN)
    overridden(store, ANN)
    assert len(log.coming(store)) == 1
    assert list(store.rglob(".tmp-*")) == []


def test_an_override_waits_in_a_store_from_before_heads(store: Path) -> None:
    layout.write(store, SECOND)
    path, is_covered = overridden(store, ANN)
    assert not is_covered
    assert path.is_file()
    assert [one.failed for one in log.coming(store)] == [SECOND.id]


WITHOUT_A_BUILD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "an override that waits": (lambda store: overridden(store, ANN)[0], "overrides"),
    "a revocation": (lambda store: revoked(store), "revocations"),
}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux says there what is synced")
@pytest.mark.parametrize(("put", "folder"), WITHOUT_A_BUILD.values(), ids=WITHOUT_A_BUILD)
def test_P41_what_belongs_to_no_build_is_on_disk(
    store: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], Path], folder: str
) -> None:
    """With the names of the folders that lead to it: whoever made those may have been killed before they were."""
    log.add(store, SECOND, NOTARY)
    (store / folder).mkdir()
    synced = recorded_syncs(monkeypatch)
    path = put(store)
    assert {store, store / "log", path.parent} <= synced


def revoked(store: Path) -> Path:
    said = Revocation(decision=SECOND.id, signer=None, issued_at=NOW, reason="a mistake")
    return log.add_revocation(store, key().sign(revocation.write(said)), NOTARY)


def test_P21_an_override_by_a_stranger_is_not_covered(store: Path) -> None:
    log.add(store, SECOND, NOTARY)
    overridden(store, ANN)
    log.add(store, OTHER, NOTARY)  # by whom ann is nobody
    assert [one for one in log.view(store).entries if one.failed] == []


# --------------------------------------------------------------------------------------------------------------------
# Writers that fail, are killed, or meet


def healed(store: Path, stored: set[str]) -> None:
    """The next writer finds a store in which everything that was stored is covered, and nothing is left behind."""
    log.add(store, record(age=HOUR / 7), NOTARY)
    assert sound(store) == []
    covered = {one.sha256 for one in log.view(store).entries}
    assert stored <= covered
    assert list(store.rglob(".tmp-*")) == []
    assert not (store / "log" / "next").exists()


class Fault:
    """Fails the n-th call of one function of `os` with "no space left"."""

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


@pytest.mark.parametrize("name", ["write", "fsync", "replace", "mkdir", "unlink"])
def test_P1_P41_a_fault_at_any_call(tmp_path: Path, name: str, small: None) -> None:
    """At the border of two segments, so that every kind of write is met."""
    before = tmp_path / "before"
    for one in (FIRST, SECOND):
        log.add(before, one, NOTARY)
    at = 0
    while True:
        at += 1
        store = tmp_path / f"{name}{at}"
        shutil.copytree(before, store)
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, name, at)
            failed = False
            try:
                log.add(store, OTHER, NOTARY)
            except EvidenceError:
                failed = True
        if fault.calls < at:
            assert not failed
            break
        assert {FIRST.id, SECOND.id} <= {one.sha256 for one in log.view(store).entries}
        healed(store, {one.id for one in layout.find(store, OTHER_TARBALL)})
    assert at > 1, "the fault was never met"


SPAWN = multiprocessing.get_context("spawn")


def test_P41_a_writer_that_is_killed_at_any_call(store: Path, tmp_path: Path) -> None:
    """kill -9 before a system call of an append (each, from the first name on), until the writer gets to its end."""
    log.add(store, FIRST, NOTARY)
    (tmp_path / "copies").mkdir()
    receive, send = SPAWN.Pipe(duplex=False)
    arguments = (store, tmp_path / "copies", OTHER, send)
    process = SPAWN.Process(target=evidence_writers.killed_everywhere, args=arguments)
    process.start()
    send.close()
    calls: list[str] = []
    stored: set[str] = set()
    with receive:
        while not calls or calls[-1]:
            call, copy = receive.recv()
            calls.append(call)
            # What was there is there, whole; what was being stored is there as a whole or not at all.
            assert entry(FIRST) in log.view(copy).entries
            stored = {found.id for found in layout.find(copy, OTHER_TARBALL)}
            assert stored <= {OTHER.id}
            covered = {one.sha256 for one in log.view(copy).entries} - {FIRST.id}
            assert covered <= stored
            log.add(
                copy, record(subject=OTHER_TARBALL, age=HOUR / 5), NOTARY
            )  # on the build that was left half-written
            healed(copy, stored)
            shutil.rmtree(copy)
    process.join(60)
    assert process.exitcode == 0
    assert stored == {OTHER.id}
    assert set(calls) >= {"write", "fsync", "replace", "unlink", ""}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux says there what is synced")
def test_P41_what_leads_to_other_files_reaches_the_disk_after_them(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever power is lost: bytes before names, what an index leads to before it, what a head covers before it."""
    log.add(store, FIRST, NOTARY)
    done: list[tuple[str, Path, Path | None]] = []
    lock = threading.Lock()

    def traced(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **settings: Any) -> Any:
            found = real(*arguments, **settings)
            what: tuple[str, Path, Path | None]
            if name == "fsync":
                what = (name, Path(f"/proc/self/fd/{arguments[0]}").readlink(), None)
            else:
                what = (name, Path(arguments[0]), Path(arguments[1]) if name in ("replace", "link") else None)
            with lock:
                done.append(what)
            return found

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "replace", "link", "mkdir", "open"):
        traced(name)
    log.add(store, OTHER, NOTARY)
    base = layout.folder(store, OTHER.build.sha256)

    def when(name: str, path: Path, after: int = -1) -> int:
        """The first time after a moment that it was done; the target counts where there is one."""
        return next(
            at for at, (what, one, to) in enumerate(done) if at > after and what == name and (to or one) == path
        )

    index, (head,) = (
        when("replace", base / "index.json"),
        [at for at, (what, _, to) in enumerate(done) if what == "replace" and to and heads.SUFFIX in to.name],
    )
    written = [
        (at, to, one) for at, (what, one, to) in enumerate(done) if what == "replace" and to and not one.is_dir()
    ]
    assert len(written) > 20
    for at, target, temporary in written:
        held = layout.folder(store, FIRST.build.sha256) / "blobs" / "sha256" / target.name
        if not (held.exists() and held.samefile(target)):  # the one before has synced what it shares
            assert when("fsync", temporary) < at, f"{target} got its name before its bytes were on disk"
        named = when("fsync", target.parent, at)
        if target.parent.name != "000000" or target.name == heads.ENTRIES:
            limit = head if target.name == "index.json" else index
            assert named < limit, f"{target} may be missing where something leads to it"
    for at, (what, path, _) in enumerate(done):
        if what == "mkdir" and ".tmp-" not in str(path):
            assert when("fsync", path.parent, at) < index, f"{path} may be missing"
    for path in {base, *base.parents} - set(store.parents):
        assert when("fsync", path) < index
    folder = next(one for what, one, to in done if what == "replace" and to == base / "decisions" / OTHER.id)
    for inner in {folder, *(to.parent for what, _, to in done if what == "link" and to and folder in to.parents)}:
        assert when("fsync", inner) < when("replace", base / "decisions" / OTHER.id)
    assert when("fsync", store / "log" / "000000", head) > head, "the head itself is on disk when it is reported"


def test_P41_writers_at_once_lose_nothing(store: Path) -> None:
    """Three processes on three builds; a reader looks all the time, and what its head covers is always there."""
    writers = [SPAWN.Process(target=evidence_writers.covered, args=(store, writer, 5)) for writer in range(3)]
    for one in writers:
        one.start()
    seen = 0
    while any(one.is_alive() for one in writers):
        if store.is_dir():
            entries = log.view(store).entries
            assert len(entries) >= seen
            seen = len(entries)
            assert all(log.path_of(store, one).is_dir() for one in entries)
    for one in writers:
        one.join()
        assert one.exitcode == 0
    assert len(log.view(store).entries) == 15
    assert sound(store) == []


@dataclass(frozen=True)
class Down:
    """A signer whose service is down."""

    inner: LocalKey
    time_source: str = "self-declared"
    identity: str = "a KMS"
    is_remote: bool = True

    def may_be(self, signer: Any) -> bool:
        return True

    def sign(self, statement: bytes) -> bytes:
        raise SigningError("the KMS does not answer")


def test_P34_P41_where_the_head_cannot_be_signed_nothing_is_stored(store: Path) -> None:
    log.add(store, FIRST, NOTARY)
    before = contents(store)
    with pytest.raises(SigningError):
        log.add(store, SECOND, replace(NOTARY, signer=Down(key())))
    assert contents(store) == before
    log.add(store, SECOND, NOTARY)
    assert log.view(store).entries == tuple(map(entry, (FIRST, SECOND)))
    assert sound(store) == []


def test_what_a_stranger_writes_as_next_is_not_covered(store: Path) -> None:
    """Who may write the store cannot have a stranger's decision, or one that is not there, covered."""
    log.add(store, FIRST, NOTARY)
    stranger = record(key(2))
    layout.write(store, stranger)
    nowhere = Entry(sha256="00" * 32, build="11" * 32)
    (store / "log" / "next").write_text(f"{entry(stranger).line}\n{nowhere.line}\n")
    log.add(store, OTHER, NOTARY)
    assert log.view(store).entries == (entry(FIRST), entry(OTHER))
    (store / "log" / "next").write_text("decision ../../../etc\n")
    with pytest.raises(EvidenceError, match="no entry"):
        log.add(store, SECOND, NOTARY)


def test_P41_a_killed_writer_s_revocation_is_covered_where_it_is_there(store: Path) -> None:
    log.add(store, FIRST, NOTARY)
    nowhere = Entry(sha256="22" * 32)
    said = Revocation(decision=FIRST.id, signer=None, issued_at=NOW, reason="a mistake")
    bundle = key().sign(revocation.write(said))
    there = Entry(sha256=hashlib.sha256(bundle).hexdigest())
    log.keep_revocations(store, {there.sha256: bundle})
    (store / "log" / "next").write_text(f"{there.line}\n{nowhere.line}\n")
    log.add(store, OTHER, NOTARY)
    assert log.view(store).entries == (entry(FIRST), there, entry(OTHER))


def test_P41_of_a_build_the_decision_is_covered_that_a_killed_writer_stored(store: Path) -> None:
    """Another one on the same artefact is not taken for it."""
    log.add(store, OTHER, NOTARY)
    for one in (FIRST, SECOND):
        layout.write(store, one)
    gone = Entry(sha256="33" * 32, build=FIRST.build.sha256)
    (store / "log" / "next").write_text(f"{entry(FIRST).line}\n{gone.line}\n")
    log.renew(store, NOTARY)
    assert log.view(store).entries == (entry(OTHER), entry(FIRST))


def test_a_signer_whom_the_trust_file_does_not_accept(store: Path) -> None:
    with pytest.raises(SigningError, match="does not accept"):
        log.add(store, FIRST, replace(NOTARY, signer=key(2)))
    assert log.view(store).bundle is None


def test_a_signer_who_was_revoked_stores_nothing(store: Path) -> None:
    said = Revocation(
        decision=None, signer=RevokedSigner(key_id=key().key_id), issued_at=NOW, reason="the key was stolen"
    )
    revoker = signer(key(3), name="ann", roles=("revoker",))
    notary = replace(NOTARY, signer=key(3), signers=(*ACCEPTED, revoker))
    log.add_revocation(store, key(3).sign(revocation.write(said)), notary)
    with pytest.raises(SigningError, match="the key was stolen"):
        log.add(store, FIRST, replace(NOTARY, signers=notary.signers))
    assert not layout.scan(store).builds


def test_a_revocation_stops_only_whom_it_is_about(store: Path) -> None:
    """Of one decision: that one may be stored again. Of another signer: nobody else. A stranger is told so."""
    log.add(store, FIRST, NOTARY)
    revoker = signer(key(3), name="ann", roles=("revoker",))
    notary = replace(NOTARY, signers=(*ACCEPTED, revoker))
    for said in (
        Revocation(decision=FIRST.id, signer=None, issued_at=NOW, reason="a mistake"),
        Revocation(decision=None, signer=RevokedSigner(key_id=key(5).key_id), issued_at=NOW, reason="stolen"),
    ):
        log.add_revocation(store, key(3).sign(revocation.write(said)), replace(notary, signer=key(3)))
    log.add(store, FIRST, notary)
    log.add(store, SECOND, notary)
    with pytest.raises(SigningError, match="does not accept"):
        log.add(store, record(key(2)), replace(notary, signer=key(2)))
    assert {one.sha256 for one in log.view(store).entries} >= {FIRST.id, SECOND.id}


@pytest.mark.parametrize(
    ("verdict", "profile", "of_the_future"),
    [
        pytest.param(Verdict.DENIED, "observe", Verdict.ALLOWED, id="observe decides nothing"),
        pytest.param(Verdict.DENIED, "default", Verdict.DENIED, id="a FAILED beats no FAILED"),
    ],
)
def test_P19_a_clock_that_is_ahead_stops_nothing_else(
    store: Path, verdict: Verdict, profile: str, of_the_future: Verdict
) -> None:
    log.add(store, record(age=-HOUR, verdict=of_the_future), replace(NOTARY, now=NOW + HOUR))
    log.add(store, record(age=timedelta(0), verdict=verdict, profile=profile), NOTARY)
    assert len(log.view(store).entries) == 2


def test_P19_the_log_has_nothing_before_it_was_decided(store: Path) -> None:
    """By a clock that was ahead: whoever reads backwards would stop before it, and what follows it stays in order."""
    ahead = record(age=-HOUR)
    log.add(store, ahead, NOTARY)
    log.add(store, OTHER, NOTARY)
    assert [one.logged for one in log.view(store).entries] == [NOW + HOUR, NOW + HOUR]
    assert sound(store) == []


@dataclass(frozen=True)
class Other:
    """A signer that gives something else than it was asked for."""

    inner: LocalKey
    bundle: bytes | None
    time_source: str = "self-declared"
    identity: str = "a KMS"
    is_remote: bool = True

    def may_be(self, signer: Any) -> bool:
        return True

    def sign(self, statement: bytes) -> bytes:
        return (
            self.inner.sign(statement.replace(b'"entries":2', b'"entries":9')) if self.bundle is None else self.bundle
        )


@pytest.mark.parametrize(
    ("bundle", "says"),
    [
        pytest.param(b"{}", "does not hold", id="no bundle"),
        pytest.param(FIRST.detail, "does not hold", id="another statement"),
        pytest.param(None, "another one", id="another head"),
    ],
)
def test_P1_a_head_that_is_not_the_one_asked_for_is_not_stored(store: Path, bundle: bytes | None, says: str) -> None:
    log.add(store, FIRST, NOTARY)
    before = contents(store)
    with pytest.raises(SigningError, match=says):
        log.add(store, SECOND, replace(NOTARY, signer=Other(key(), bundle)))
    assert contents(store) == before


@pytest.mark.parametrize(
    ("seconds", "verdict", "is_stored"),
    [
        pytest.param(0, Verdict.DENIED, True, id="at the same moment FAILED wins"),
        pytest.param(1, Verdict.DENIED, False, id="a second ahead"),
        pytest.param(240, Verdict.DENIED, False, id="less than consumers tolerate"),
        pytest.param(3600, Verdict.DENIED, False, id="an hour ahead"),
        pytest.param(3600, Verdict.ALLOWED, True, id="a PASSED takes nothing from anybody"),
    ],
)
def test_P19_a_clock_that_is_ahead_beats_no_newer_FAILED(
    store: Path, seconds: int, verdict: Verdict, is_stored: bool
) -> None:
    """Two machines write one store, and one's clock is ahead: the other's FAILED is not stored as if it stood."""
    ahead = timedelta(seconds=seconds)
    log.add(store, record(age=-ahead), replace(NOTARY, now=NOW + ahead))
    later = record(age=timedelta(0), verdict=verdict)
    if is_stored:
        log.add(store, later, NOTARY)
        found = verify_build(
            layout.find(store, TARBALL),
            TARBALL,
            trusting(),
            now=NOW + HOUR,
            shipped_policy=POLICY,
            view=log.view(store),
        )
        assert found.accepted is (verdict is Verdict.ALLOWED)
        return
    before = contents(store)
    with pytest.raises(EvidenceError, match="would beat this FAILED"):
        log.add(store, later, NOTARY)
    assert contents(store) == before
    # Once the clocks agree it is stored, whenever it was decided: a signing service may have been down meanwhile.
    log.add(store, later, replace(NOTARY, now=NOW + 2 * HOUR))


def test_P19_a_stranger_s_PASSED_from_the_future_stops_no_FAILED(store: Path) -> None:
    layout.write(store, record(key(2), age=-HOUR))
    log.add(store, record(age=timedelta(0), verdict=Verdict.DENIED), NOTARY)


def test_a_lock_that_nobody_gives_back(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    log.add(store, FIRST, NOTARY)
    monkeypatch.setattr(log, "LOCK_WAIT_SECONDS", 0)
    with (store / "log" / ".lock").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SbomgateError, match="lock"):
            log.add(store, SECOND, NOTARY)
    assert layout.find(store, TARBALL) == (FIRST,)


@pytest.mark.parametrize("limit", ["MAX_SEGMENT_BYTES", "MAX_HEAD_BYTES"])
def test_P9_limits(store: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    log.add(store, FIRST, NOTARY)
    monkeypatch.setattr(log, limit, 10)
    with pytest.raises(EvidenceError, match="limit of 10 bytes"):
        log.view(store)
