"""The log of a store on disk, with its signed heads (`evidence.head` says what they are).

    STORE/log/000000/entries                     a segment of the log
    STORE/log/000000/0000000001.sigstore.json    the heads that end in this segment
    STORE/log/next                               what is being stored now, and no head covers yet
    STORE/log/.lock                              writers take turns here
    STORE/revocations/<SHA-256>.sigstore.json    what was withdrawn (`evidence.revocation`)
    STORE/overrides/…                            what was overridden (`evidence.overrides`)

Appending reads and writes one segment and one head, however many builds there are. Under the lock the head is signed
first: what cannot be covered is not stored. Then everything is written as one `evidence.commit`: `next`, the segment
and what the build's index leads to; the index; the head. Whatever a killed writer had stored and not covered, the next
one covers.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sbomgate import dsse, files
from sbomgate.decision import OBSERVE
from sbomgate.errors import EvidenceError, SigningError
from sbomgate.evidence import layout
from sbomgate.evidence.commit import HEAD, TEMPORARY, Commit, could_not
from sbomgate.evidence.head import (
    ENTRIES,
    FIRST,
    LOG,
    NOTHING,
    ROLES,
    SEGMENT,
    SUFFIX,
    Entry,
    Head,
    View,
    accepted,
    digest,
    entry_of,
    read_entry,
    read_head,
    read_segment,
    write_head,
    write_segment,
)
from sbomgate.evidence.layout import OVERRIDES, REVOCATIONS, _lock
from sbomgate.evidence.record import Record, Statements
from sbomgate.evidence.verify import Signed, hits, signed_by
from sbomgate.model import Signer as Accepted
from sbomgate.model import Verdict
from sbomgate.signing import Signer
from sbomgate.signing.verify import NotAccepted, verify
from sbomgate.times import format_time

MAX_SEGMENT_BYTES = 64 << 10  # 256 entries of 218 bytes and the first line
MAX_HEAD_BYTES = 256 << 10  # a head by key has 1 kB, one with a certificate and a log entry 10 kB
MAX_SEGMENTS = 100_000  # 25 million builds
RECENT = 16  # entries whose builds are looked at for blobs to share
LOCK_WAIT_SECONDS = 300  # a head is signed under the lock: keyless that takes a second or two

NEXT = "next"

_SHA256 = re.compile("[0-9a-f]{64}")
_HEAD_NAME = re.compile(r"[0-9]{10}\.sigstore\.json")
_SEGMENT_NAME = re.compile(r"[0-9]{6}")


def path_of(store: Path, entry: Entry) -> Path:
    """Return where an entry lies: the decision's folder, or the file of a revocation or an override."""
    if entry.failed is not None:
        return store / OVERRIDES / entry.failed / f"{entry.sha256}{SUFFIX}"
    if entry.build is None:
        return store / REVOCATIONS / f"{entry.sha256}{SUFFIX}"
    return layout.folder(store, entry.build) / "decisions" / entry.sha256


# --------------------------------------------------------------------------------------------------------------------
# Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest head of a store: its bundle and what that says. Who signed it has not been looked at."""

    path: Path
    bundle: bytes
    head: Head


def view(store: Path) -> View:
    """Return what a store's newest head covers, and the revocations in it.

    A writer stores first and signs then: what this head covers is there for whoever looks for it afterwards.

    Raises:
        EvidenceError: the log is not what the newest head says; a revocation is not what its name says.
    """
    return view_of(store, newest(store))


def view_of(store: Path, found: Newest | None) -> View:
    """Return what a head of a store covers, as `view` does for the newest."""
    if found is None:
        return View(bundle=None, where=str(store / LOG), entries=(), revocations=revocations(store))
    entries = tuple(covered(store, found.head))
    return View(
        bundle=found.bundle,
        where=str(found.path),
        entries=entries,
        revocations=revocations(store),
        lost=frozenset(one for one in entries if one.failed and not _is_held(path_of(store, one))),
    )


def revocations(store: Path) -> dict[str, bytes]:
    """Return every revocation of a store by its SHA-256 (hex), which is its name.

    Raises:
        EvidenceError: one is not what its name says, or something else lies there.
    """
    folder = store / REVOCATIONS
    found: dict[str, bytes] = {}
    for name in _names(folder):
        if name.startswith(TEMPORARY):
            continue
        sha256 = name.removesuffix(SUFFIX)
        if not (name.endswith(SUFFIX) and _SHA256.fullmatch(sha256)):
            raise EvidenceError("this is no revocation", where=str(folder / name))
        data = files.read(folder / name, limit=MAX_HEAD_BYTES, error=EvidenceError, follow=False)
        if (got := hashlib.sha256(data).hexdigest()) != sha256:
            raise EvidenceError(f"altered: its sha256 is {got}", where=str(folder / name))
        found[sha256] = data
    return found


def covered(store: Path, head: Head) -> Iterator[Entry]:
    """Yield the entries that a head covers, each segment compared with the digest in the one after it.

    Raises:
        EvidenceError: a segment is missing, altered, reordered or cut.
    """
    previous = FIRST
    for number in range(head.number + 1):
        last = number == head.number
        count = head.entries - number * SEGMENT if last else SEGMENT
        lines = _segment(store, number, previous)
        at = store / LOG / f"{number:06}" / ENTRIES
        held = len(lines) - 1
        if held < count or (held > count and not last):  # the last one may hold what a writer is about to cover
            raise EvidenceError(f"holds {held} entries, its head covers {count} of them", where=str(at))
        lines = lines[: count + 1]
        previous = digest(lines)
        if last and previous != head.segment:
            raise EvidenceError("altered: its head covers other entries", where=str(at))
        yield from (read_entry(line, str(at)) for line in lines[1:])


def backwards(store: Path, head: Head) -> Iterator[Entry]:
    """Yield the entries that a head covers, the newest first, and read no more of the log than is asked for.

    The head has the digest of the newest segment, and each segment that of the one before it.

    Raises:
        EvidenceError: as `covered`, as far as it was read.
    """
    lines = _covered_part(store, head)
    for number in range(head.number, -1, -1):
        at = store / LOG / f"{number:06}" / ENTRIES
        if number < head.number:
            expected = lines[0].removeprefix("previous ")
            data = files.read(at, limit=MAX_SEGMENT_BYTES, error=EvidenceError, follow=False)
            if (got := hashlib.sha256(data).hexdigest()) != expected:
                raise EvidenceError(f"altered: its sha256 is {got}, the next one follows {expected}", where=str(at))
            lines = data.decode("utf-8", "replace").splitlines()
            if len(lines) != SEGMENT + 1:
                raise EvidenceError(f"holds {len(lines) - 1} entries, not {SEGMENT}", where=str(at))
        yield from (read_entry(line, str(at)) for line in reversed(lines[1:]))
    if lines[0] != f"previous {FIRST}":
        raise EvidenceError("altered: the first segment follows another one", where=str(at))


def coming(store: Path) -> list[Entry]:
    """Return what is being stored now, or was when a writer was killed: it may be there already, and may not.

    Raises:
        EvidenceError: it is not what a writer leaves.
    """
    at = store / LOG / NEXT
    try:
        data = files.read(at, limit=layout.MAX_INDEX_BYTES, error=EvidenceError, follow=False)
    except EvidenceError as e:
        if isinstance(e.__cause__, FileNotFoundError):
            return []
        raise
    return [read_entry(line, str(at)) for line in data.decode("utf-8", "replace").splitlines()]


def is_lacking(store: Path) -> bool:
    """Whether a store holds builds and no head: it is older than heads, or they were removed."""
    return newest(store) is None and store.is_dir() and bool(layout.scan(store).builds)


def covers(store: Path, record: Statements) -> bool:
    """Whether the newest head of a store covers a decision.

    Raises:
        EvidenceError: as `view`.
    """
    return Entry(sha256=record.id, build=record.build.sha256) in view(store).entries


def heads(store: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every head of a store with its path, the oldest first."""
    for number in _segments(store):
        for name in sorted(_heads_in(store, number)):
            path = store / LOG / f"{number:06}" / name
            yield path, files.read(path, limit=MAX_HEAD_BYTES, error=EvidenceError, follow=False)


def strange(store: Path) -> Iterator[Path]:
    """Yield what lies in the log's folder and is no part of it."""
    for name in _names(store / LOG):
        path = store / LOG / name
        if name in (NEXT, ".lock") or name.startswith(TEMPORARY):
            continue
        if not (_SEGMENT_NAME.fullmatch(name) and path.is_dir()):
            yield path
            continue
        for inner in _names(path):
            if inner != ENTRIES and not _HEAD_NAME.fullmatch(inner) and not inner.startswith(TEMPORARY):
                yield path / inner


def newest(store: Path) -> Newest | None:
    """Return the newest head that was committed, or None where there is none.

    Raises:
        EvidenceError: it is no head, or lies where another belongs.
    """
    for number in reversed(_segments(store)):
        if names := _heads_in(store, number):
            path = store / LOG / f"{number:06}" / max(names)
            bundle = files.read(path, limit=MAX_HEAD_BYTES, error=EvidenceError, follow=False)
            head = read_head(dsse.read_bundle(bundle, str(path)).payload, str(path))
            check_place(path, head)
            return Newest(path=path, bundle=bundle, head=head)
    return None


def check_place(path: Path, head: Head) -> None:
    """Refuse a head that lies where another belongs.

    Raises:
        EvidenceError: it does.
    """
    if (path.parent.name, path.name) != (f"{head.number:06}", _name(head)):
        raise EvidenceError(f"this is head {head.sequence}, of segment {head.number}", where=str(path))


def _name(head: Head) -> str:
    return f"{head.sequence:010}{SUFFIX}"


def _segments(store: Path) -> list[int]:
    found = sorted(int(name) for name in _names(store / LOG) if _SEGMENT_NAME.fullmatch(name))
    if len(found) > MAX_SEGMENTS:
        raise EvidenceError(f"more than {MAX_SEGMENTS} segments", where=str(store / LOG))
    return found


def _heads_in(store: Path, number: int) -> list[str]:
    return [name for name in _names(store / LOG / f"{number:06}") if _HEAD_NAME.fullmatch(name)]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as e:
        raise could_not("be read", folder, e) from e


def _segment(store: Path, number: int, previous: str) -> list[str]:
    at = store / LOG / f"{number:06}" / ENTRIES
    data = files.read(at, limit=MAX_SEGMENT_BYTES, error=EvidenceError, follow=False)
    return read_segment(data, previous, str(at))


# --------------------------------------------------------------------------------------------------------------------
# Writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Notary:
    """Who signs the head, and for whom.

    Attributes:
        signer: signs it: the one that signed what is stored, in the same session.
        signers: `Trust.signers`: what is signed is verified as a consumer would before it counts.
        now: the time.
    """

    signer: Signer
    signers: Sequence[Accepted]
    now: datetime


def add(store: Path, record: Record, notary: Notary) -> layout.EvidencePath:
    """Store a decision and sign a head that covers it. When this returns, both are on disk.

    In a store without a log, the first head covers every decision by an accepted signer that is there already.

    Raises:
        EvidenceError: the store cannot be written, the log is not what its newest head says, or it is a FAILED that a
            PASSED from ahead of this clock would beat; then nothing is stored.
        SigningError: a revocation in the store withdraws what this signer signs, or the head could not be signed; then
            nothing is stored.
    """
    _must_stand(store, record, notary)
    _must_be_newest(store, record, notary)
    stored: list[layout.EvidencePath] = []
    entry = entry_of(record)
    _extend(store, notary, entry, lambda commit: stored.append(layout.put(store, record, commit, share=_recent(store))))
    return stored[0]


def _recent(store: Path) -> list[str]:
    """Return the builds that were stored last: what they hold, the next one is likely to hold too."""
    found = newest(store)
    if found is None:
        return []
    lines = _covered_part(store, found.head)[: -RECENT - 1 : -1]
    return list(dict.fromkeys(line.split(" ")[1] for line in lines if line.startswith("decision ")))


def keep_revocations(store: Path, bundles: Mapping[str, bytes]) -> None:
    """Keep revocations that another store holds, by the SHA-256 (hex) of each: no head covers them here.

    Raises:
        EvidenceError: the store cannot be written.
    """
    for sha256, bundle in sorted(bundles.items()):
        path = path_of(store, Entry(sha256=sha256))
        with Commit(path) as commit:
            _put_file(path, bundle, commit)
            commit.run()


def add_revocation(store: Path, bundle: bytes, notary: Notary) -> Path:
    """Store a revocation and sign a head that covers it, as `add` does."""
    entry = Entry(sha256=hashlib.sha256(bundle).hexdigest())
    path = path_of(store, entry)
    _extend(store, notary, entry, lambda commit: _put_file(path, bundle, commit))
    return path


def add_override(store: Path, failed: str, bundle: bytes, notary: Notary) -> tuple[Path, bool]:
    """Store an override of a decision (hex); return its path, and whether a head covers it now.

    Who may override need not be one who vouches for the store: then it waits in `next` for whoever writes after him.

    Raises:
        EvidenceError: as `add`.
        SigningError: as `add`.
    """
    entry = Entry(sha256=hashlib.sha256(bundle).hexdigest(), failed=failed)
    path = path_of(store, entry)
    if any(set(ROLES) & set(one.roles) and notary.signer.may_be(one) for one in notary.signers):
        _extend(store, notary, entry, lambda commit: _put_file(path, bundle, commit))
        return path, True
    log = store / LOG
    with Commit(log) as commit:
        commit.make_folders(log)
        commit.sync(log, store)
        commit.hold(_lock(log / ".lock", seconds=LOCK_WAIT_SECONDS))
        _clean(store)
        lines = [one.line for one in dict.fromkeys([*coming(store), entry])]
        commit.file(log / NEXT, write_segment(lines))
        _put_file(path, bundle, commit)
        commit.run()
    return path, False


def _put_file(path: Path, data: bytes, commit: Commit) -> None:
    if not path.exists():
        commit.make_folders(path.parent)
        commit.file(path, data)


def renew(store: Path, notary: Notary, uncovered: Iterable[Entry] = ()) -> Head:
    """Sign a fresh head, over what is covered already and what is named, without storing anything else.

    Raises:
        EvidenceError: there is nothing to cover; otherwise as `add`.
        SigningError: as `add`.
    """
    return _extend(store, notary, None, lambda _: None, tuple(uncovered))


def _must_stand(store: Path, record: Record, notary: Notary) -> None:
    """Refuse to store what would be revoked from the start: its signer was."""
    found = revocations(store)
    if not found:
        return
    from sbomgate.evidence.revocation import accepted_of

    signed = signed_by(record, notary.signers)
    for one in accepted_of(found, notary.signers)[0]:
        if isinstance(signed, Signed) and one.said.signer is not None and hits(one, signed, NOTHING):
            raise SigningError(
                f"what {signed.signer.name!r} signs was {one}",
                where=str(path_of(store, Entry(sha256=one.id))),
                hint="sign with another key or identity, which the trust file accepts",
            )


def _must_be_newest(store: Path, record: Record, notary: Notary) -> None:
    """Refuse to store a FAILED beside a PASSED on the same artefact that says it was made after now (P19).

    The newest counts, by the time that each claims: of two clocks that differ by less than consumers tolerate, the one
    that is ahead would win for that long, and of two that differ by more as soon as its time has come.
    """
    if record.claimed.verdict is not Verdict.DENIED or record.claimed.context.profile == OBSERVE:
        return
    for one in layout.read_statements(layout.folder(store, record.build.sha256)):
        ahead = one.claimed_time > max(notary.now, record.claimed_time)
        if ahead and one.claimed.verdict is Verdict.ALLOWED and isinstance(signed_by(one, notary.signers), Signed):
            raise EvidenceError(
                f"a PASSED on the same artefact claims {format_time(one.claimed_time)}, which is after "
                f"{format_time(notary.now)}: it would beat this FAILED, which is not stored",
                where=str(path_of(store, entry_of(one))),
                hint="correct the clock of this machine, or of the one that decided; `sbomgate revoke` withdraws the "
                "PASSED at once",
            )


def _extend(
    store: Path, notary: Notary, entry: Entry | None, put: Callable[[Commit], object], more: tuple[Entry, ...] = ()
) -> Head:
    log = store / LOG
    with Commit(log) as commit:
        commit.make_folders(log)
        commit.sync(log, store)
        commit.hold(_lock(log / ".lock", seconds=LOCK_WAIT_SECONDS))
        _clean(store)
        # (1) the log is what its newest head says, and an accepted signer signed that: else nothing is added to it
        newest = _open(store, notary)
        # (2) what a killed writer stored, and no head covers
        left = _left_behind(store, notary)
        known = bool(left or more)
        new = [*left, *more] if newest is not None else [*_present(store, notary), *left, *more]
        if entry is not None:
            known = known or os.path.lexists(path_of(store, entry))
            new.append(entry)
        # (3) the head, signed by whoever signed what is stored
        head, bundle, segments = _cover(store, notary, newest, new, known=known)
        # (4) what is stored comes before the head that covers it
        if entry is not None:
            commit.file(log / NEXT, write_segment([one.line for one in (*left, entry)]))
        put(commit)
        for number, lines in segments.items():
            commit.make_folders(log / f"{number:06}")
            commit.file(log / f"{number:06}" / ENTRIES, write_segment(lines))
        commit.file(log / f"{head.number:06}" / _name(head), bundle, HEAD)
        commit.run()
        (log / NEXT).unlink(missing_ok=True)
    return head


def _open(store: Path, notary: Notary) -> tuple[str, Head] | None:
    last = newest(store)
    if last is None:
        return None
    found = accepted(last.bundle, notary.signers, str(last.path))
    if isinstance(found, NotAccepted):
        raise EvidenceError(
            f"this head is {found.reason}: nothing can be added after it",
            where=str(last.path),
            hint="give the trust file that accepts whoever wrote to this store before, or a store of your own",
        )
    return hashlib.sha256(last.bundle).hexdigest(), last.head


def _left_behind(store: Path, notary: Notary) -> list[Entry]:
    """Return what a killed writer was storing, as far as it is there and an accepted signer signed it."""
    return [found for one in coming(store) if (found := _there(store, one, notary)) is not None]


def _there(store: Path, entry: Entry, notary: Notary) -> Entry | None:
    """Return the entry of what is there, by what it says itself: `next` is signed by nobody."""
    if entry.failed is not None:
        return replace(entry, time=None) if _is_override(path_of(store, entry), notary.signers) else None
    if entry.build is None:
        return Entry(sha256=entry.sha256) if path_of(store, entry).exists() else None
    statements = layout.read_statements(layout.folder(store, entry.build))
    found = next((one for one in statements if one.id == entry.sha256), None)
    return entry_of(found) if found is not None and isinstance(signed_by(found, notary.signers), Signed) else None


def _is_held(path: Path) -> bool:
    """Whether the bytes lie there that a file's name says."""
    if not os.path.lexists(path):
        return False
    sha256 = files.sha256_of(path, limit=dsse.MAX_BUNDLE_BYTES, error=EvidenceError)
    return f"{sha256}{SUFFIX}" == path.name


def _is_override(path: Path, signers: Sequence[Accepted]) -> bool:
    """Whether an accepted person's override lies there."""
    from sbomgate.override import ROLE

    if not _is_held(path):
        return False
    data = files.read(path, limit=dsse.MAX_BUNDLE_BYTES, error=EvidenceError, follow=False)
    return not isinstance(verify(data, signers, role=ROLE, where=str(path)), NotAccepted)


def _present(store: Path, notary: Notary) -> list[Entry]:
    """Return every decision by an accepted signer in a store that has no log yet, the oldest first, and revocations."""
    held = [
        one
        for build in layout.scan(store).builds
        for one in layout.read_statements(build)
        if isinstance(signed_by(one, notary.signers), Signed)
    ]
    held.sort(key=lambda one: (one.claimed_time, one.id))
    decisions = [entry_of(one) for one in held]
    return [*decisions, *(Entry(sha256=sha256) for sha256 in revocations(store))]


def _cover(
    store: Path, notary: Notary, newest: tuple[str, Head] | None, entries: Sequence[Entry], *, known: bool
) -> tuple[Head, bytes, dict[int, list[str]]]:
    """Return a head over entries, signed, with the segments that change; `known`: some may be covered already."""
    head = None if newest is None else newest[1]
    new = list(dict.fromkeys(entries))
    if known and head is not None:
        before = set(covered(store, head))
        new = [one for one in new if one not in before]
    # (a) the segments as they will be: the newest one, up to what is covered, and what follows
    number = 0 if head is None else head.number
    lines = [f"previous {FIRST}"] if head is None else _covered_part(store, head)
    segments = {number: lines}
    time = _last_time(lines, notary.now)
    for one in new:
        if len(lines) > SEGMENT:
            number, lines = number + 1, [f"previous {digest(lines)}"]
            segments[number] = lines
        time = max(time, one.logged or time)
        lines.append(replace(one, time=format_time(time)).line)
    if len(lines) == 1:
        raise EvidenceError("there is nothing that a head could cover", where=str(store))
    # (b) the head over them
    made = Head(
        sequence=1 if head is None else head.sequence + 1,
        entries=len(new) + (0 if head is None else head.entries),
        segment=digest(lines),
        previous=None if newest is None else newest[0],
        time=notary.now,
        time_source=notary.signer.time_source,
    )
    bundle = notary.signer.sign(write_head(made))
    _must_be_accepted(bundle, made, notary)
    return made, bundle, segments


def _last_time(lines: Sequence[str], now: datetime) -> datetime:
    """Return the time of a line that follows these: now, and not before any of them."""
    times = (read_entry(line, ENTRIES).logged for line in reversed(lines[1:]))
    return max(next((one for one in times if one is not None), now), now)


def _covered_part(store: Path, head: Head) -> list[str]:
    """Return the newest segment's lines up to the last entry that the head covers: compared with its digest."""
    at = store / LOG / f"{head.number:06}" / ENTRIES
    data = files.read(at, limit=MAX_SEGMENT_BYTES, error=EvidenceError, follow=False)
    lines = data.decode("utf-8", "replace").split("\n")[: head.entries - head.number * SEGMENT + 1]
    if digest(lines) != head.segment:
        raise EvidenceError("altered: its head covers other entries", where=str(at))
    return lines


def _must_be_accepted(bundle: bytes, made: Head, notary: Notary) -> None:
    try:
        found = accepted(bundle, notary.signers, "the store's head")
    except EvidenceError as e:
        raise SigningError(f"what {notary.signer.identity} signed does not hold: {e}") from e
    if isinstance(found, NotAccepted):
        raise SigningError(
            f"the trust file does not accept the store's head: {found.reason}",
            hint="sign with a key or an identity that it names for decisions",
        )
    if found.head != made:
        raise SigningError("the signed head is another one")


def _clean(store: Path) -> None:
    newest = [store / LOG / f"{number:06}" for number in _segments(store)[-2:]]
    overridden = [store / OVERRIDES / name for name in _names(store / OVERRIDES)]
    layout.must_be_own(store / LOG, store / REVOCATIONS, store / OVERRIDES, *overridden, *newest)
    for folder in (store / LOG, store / REVOCATIONS, *overridden, *newest):
        for name in _names(folder):
            if name.startswith(TEMPORARY):
                (folder / name).unlink(missing_ok=True)
