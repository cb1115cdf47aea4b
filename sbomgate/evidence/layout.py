"""The evidence store on disk: one OCI image layout per build.

    STORE/<aa>/<digest>/                 <digest>: SHA-256 of the build manifest, <aa>: its first two digits
        oci-layout, index.json           what OCI tools read; index.json is the commit point
        blobs/sha256/<hex>               every file once, read-only
        decisions/<id>/                  the same bytes under names for people, by hard link where the file system can
        .lock                            writers take turns here
    STORE/log, STORE/revocations         `evidence.log`
    STORE/pending                        `evidence.pending`

A layout is a function of the records in it. Reading computes again what they would be written as and compares every
byte of index.json, every blob that it leads to and every named file: what was altered, spliced or cut is an error.
(What was removed together with its entry in the index leaves no trace here: the store's signed head, `evidence.head`,
shows that.)

Crash safety (POSIX): `evidence.commit`; blobs and the named files first, index.json last. A killed writer leaves
`.tmp-*` files and folders that the index does not know: readers do not see them, the next writer removes them. Writers
hold an exclusive lock (flock), which not every network file system honours: docs/evidence.md says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbomgate import dsse, files
from sbomgate.decision import DETAIL_TYPE, SUMMARY_TYPE, named_detail
from sbomgate.errors import EvidenceError
from sbomgate.evidence.commit import INDEX, TEMPORARY, Commit, could_not
from sbomgate.evidence.record import Manifest, Record, Statements, index, manifests
from sbomgate.model import Subject
from sbomgate.subject import EMPTY_BLOB, build_manifest, canonical

OCI_LAYOUT = canonical({"imageLayoutVersion": "1.0.0"})

MAX_BLOB_BYTES = 1 << 30  # the policy input of 100,000 packages is about 150 MB
MAX_INDEX_BYTES = 8 << 20  # about 5,000 decisions on one build
MAX_MANIFEST_BYTES = 64 << 20  # 250,000 attestation documents
SHARED_BYTES = 4096  # a smaller blob takes a block of the disk anyway
LOCK_WAIT_SECONDS = 60  # a writer holds the lock for milliseconds

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_HEX = re.compile(r"[0-9a-f]{64}")
OVERRIDES = "overrides"  # of decisions that FAILED (`evidence.overrides`): each is signed, and they are no evidence
PENDING = "pending"  # the folder of decisions that are not signed yet (`evidence.pending`)
LOG = "log"  # the folder of what was stored in which order, with its signed heads (`evidence.log`)
REVOCATIONS = "revocations"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePath:
    """Where a record was stored: its folder, and the SHA-256 (hex) of its build manifest and of its signed detail."""

    path: Path
    build: str
    decision: str


def folder(store: Path, build: str) -> Path:
    """Return the folder of a build, by the SHA-256 (hex) of its build manifest."""
    return store / build[:2] / build


# --------------------------------------------------------------------------------------------------------------------
# Reading


def find(store: Path, subject: Subject) -> tuple[Record, ...]:
    """Return every decision on a subject, newest first by what it says of itself; empty where there is none.

    Raises:
        EvidenceError: the store is not there or cannot be read; something stored about this build was altered.
    """
    _must_be_folder(store)
    return read_build(folder(store, build_manifest(subject).sha256))


def read(path: Path) -> Record:
    """Return the record at a path: a decision's folder, or a build's, where the newest decision is taken.

    Every byte that the record consists of was hashed again.

    Raises:
        EvidenceError: there is none, or something stored about this build was altered.
    """
    return read_all(path)[0]


def read_all(path: Path) -> tuple[Record, ...]:
    """Return the records at a path: the one of a decision's folder, or all of a build's, newest first; at least one.

    Raises:
        EvidenceError: there is none, or something stored about this build was altered.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links and so change the names looked at
    one = path.parent.name == "decisions"
    _must_be_folder(path)
    records = _records(path.parent.parent if one else path)
    if not records:
        raise EvidenceError(
            "no evidence here", where=str(path), hint="give STORE/<aa>/<digest> or a folder below its decisions/"
        )
    if one:
        records = tuple(r for r in records if r.id == path.name)
        if not records:
            raise EvidenceError("its index does not know this decision", where=str(path))
    return records


def read_build(base: Path) -> tuple[Record, ...]:
    """Return the decisions in a build's folder of a store, newest first; empty where nothing was ever committed there.

    Raises:
        EvidenceError: something in it was altered, or it is another build's.
    """
    records = _records(base)
    if records and records[0].build.sha256 != base.name:
        raise EvidenceError(f"holds the evidence of build {records[0].build.sha256}", where=str(base))
    return records


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a store's folders look like: those that have a build's name, and everything else, which is no evidence."""

    builds: tuple[Path, ...]
    strange: tuple[Path, ...]


def scan(store: Path) -> Scan:
    """Return the build folders of a store, sorted by digest, and what does not belong there.

    Raises:
        EvidenceError: the store is not there or cannot be read.
    """
    _must_be_folder(store)
    builds: list[Path] = []
    strange: list[Path] = []
    try:
        for first in sorted(store.iterdir()):
            if first.name in (PENDING, LOG, REVOCATIONS, OVERRIDES):  # beside the builds
                continue
            if not (re.fullmatch(r"[0-9a-f]{2}", first.name) and first.is_dir()):
                strange.append(first)
                continue
            beside: list[Path] = []
            for second in sorted(first.iterdir()):
                fits = _HEX.fullmatch(second.name) and second.name[:2] == first.name and second.is_dir()
                (builds if fits else beside).append(second)
            # Where a link leads, other people's files lie: it is told, and not what they are called.
            strange += [first] if beside and first.is_symlink() else beside
    except OSError as e:
        raise could_not("be read", store, e) from e
    return Scan(builds=tuple(builds), strange=tuple(strange))


def is_build(path: Path) -> bool:
    """Whether a path looks like one build's or one decision's folder rather than a whole store."""
    return (path / "index.json").exists() or path.parent.name == "decisions"


def store_of(path: Path) -> Path:
    """Return the store that a build's or a decision's folder lies in, by its place."""
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    build = path.parent.parent if path.parent.name == "decisions" else path
    return build.parent.parent


def read_statements(base: Path) -> tuple[Statements, ...]:
    """Return the signed statements in a build's folder of a store, newest first, without reading what they name.

    Raises:
        EvidenceError: the index, a manifest or a statement was altered, or it is another build's.
    """
    found = _statements(base, _Blobs(base))
    if found and found[0].build.sha256 != base.name:
        raise EvidenceError(f"holds the evidence of build {found[0].build.sha256}", where=str(base))
    return found


def read_material(base: Path, statements: Statements, name: str) -> bytes:
    """Return one file that a decision in a build's folder stores, compared with the digest that it names.

    Raises:
        EvidenceError: the decision stores none of that name, or it was altered.
    """
    found = next((one for one in statements.stored if one.name == name), None)
    if found is None:
        raise EvidenceError("the decision does not hold this file", where=f"{base}/decisions/{statements.id}/{name}")
    return _Blobs(base).read(found.sha256, limit=MAX_BLOB_BYTES)


def _statements(base: Path, blobs: _Blobs) -> tuple[Statements, ...]:
    # (1) the index is the commit point: without one, nothing was reported as stored
    at = base / "index.json"
    if not os.path.lexists(at):
        return ()
    listed = files.read(at, limit=MAX_INDEX_BYTES, error=EvidenceError, follow=False)
    # (2) every manifest that it lists; those that hold a bundle lead to the statements
    details: dict[str, bytes] = {}
    summaries: dict[str, bytes] = {}
    for digest in _listed(listed, at):
        manifest = blobs.read(digest, limit=MAX_MANIFEST_BYTES)
        for layer in _bundles(manifest, f"{base}/blobs/sha256/{digest}"):
            bundle = blobs.read(layer, limit=dsse.MAX_BUNDLE_BYTES)
            where = f"{base}/blobs/sha256/{layer}"
            payload = dsse.read_bundle(bundle, where).payload
            match dsse.read_statement(payload, where)["predicateType"]:
                case str(kind) if kind == DETAIL_TYPE:
                    details[layer] = bundle
                case str(kind) if kind == SUMMARY_TYPE:
                    summaries[named_detail(payload, where)] = bundle
                case kind:
                    raise EvidenceError(f"a statement of type {kind!r}, which this version does not know", where=where)
    # (3) each detail with the summary that names it
    found: list[Statements] = []
    for digest, detail in details.items():
        try:
            found.append(Statements(detail=detail, summary=summaries.get(digest)))
        except EvidenceError as e:
            e.where = f"{base}/decisions/{digest}/{e.where}"
            raise
    if not found:
        raise EvidenceError("lists no decision", where=str(at))
    build = found[0].build
    if any(one.build.sha256 != build.sha256 for one in found):
        raise EvidenceError("holds decisions on several builds", where=str(at))
    # (4) the index is exactly the one that these decisions are written as
    referrers = {m.sha256: m for one in found for m in manifests(one)}
    if index(build, referrers) != listed:
        raise EvidenceError("altered: not the index of the decisions that it leads to", where=str(at))
    return tuple(sorted(found, key=lambda one: (one.claimed_time, one.id), reverse=True))


def _records(base: Path) -> tuple[Record, ...]:
    blobs = _Blobs(base)
    found = _statements(base, blobs)
    if not found:
        return ()
    # (5) every stored material, and the rest of what makes it a layout
    records = tuple(
        Record(
            detail=one.detail,
            summary=one.summary,
            blobs={m.name: blobs.read(m.sha256, limit=MAX_BLOB_BYTES) for m in one.stored},
            hashed=True,
        )
        for one in found
    )
    _check_rest(base, found, blobs)
    return records


def inspect(base: Path, known: Known) -> tuple[Statements, ...]:
    """Return the decisions in a build's folder of a store, newest first, after comparing every byte as `read_build`.

    What they name is not kept. `known` says which files were hashed before in this run: many builds share one file.

    Raises:
        EvidenceError: as `read_build`.
    """
    blobs = _Blobs(base, known)
    found = _statements(base, blobs)
    if not found:
        return ()
    if found[0].build.sha256 != base.name:
        raise EvidenceError(f"holds the evidence of build {found[0].build.sha256}", where=str(base))
    for one in found:
        for material in one.stored:
            blobs.check(material.sha256, material.size)
    _check_rest(base, found, blobs)
    return found


def _check_rest(base: Path, found: Sequence[Statements], blobs: _Blobs) -> None:
    for expected in (found[0].build.blob, EMPTY_BLOB):
        blobs.read(hashlib.sha256(expected).hexdigest(), limit=MAX_MANIFEST_BYTES)
    layout = base / "oci-layout"
    if files.read(layout, limit=len(OCI_LAYOUT), error=EvidenceError, follow=False) != OCI_LAYOUT:
        raise EvidenceError("altered", where=str(layout))
    # (6) the named files
    for one in found:
        _check_folder(base / "decisions" / one.id, one, blobs)


Known = dict[tuple[int, int], str]
"""(device, inode) → SHA-256 (hex) of files that were hashed in this run."""


class _Blobs:
    """The blobs of one layout; each is read once and its digest compared with its name (PROMISES P10)."""

    def __init__(self, base: Path, known: Known | None = None) -> None:
        self._base = base / "blobs" / "sha256"
        self._read: dict[str, bytes] = {}
        self._known = known
        self._checked: set[str] = set()

    def path(self, sha256: str) -> Path:
        return self._base / sha256

    def read(self, sha256: str, *, limit: int) -> bytes:
        if sha256 not in self._read:
            self._read[sha256] = self._hashed(sha256, limit)
        return self._read[sha256]

    def check(self, sha256: str, size: int | None = None) -> None:
        """Compare a blob with its name, and do not keep it; a file that was hashed under another name is known."""
        if sha256 in self._checked:
            return
        path = self.path(sha256)
        if self._known is None or sha256 in self._read:
            found = len(self.read(sha256, limit=MAX_BLOB_BYTES))
        else:
            try:
                status = path.lstat()
            except OSError as e:
                raise could_not("be read", path, e) from e
            found = status.st_size
            if self._known.get((status.st_dev, status.st_ino)) != sha256:
                found = len(self._hashed(sha256, MAX_BLOB_BYTES))
                self._known[status.st_dev, status.st_ino] = sha256
        if size is not None and found != size:
            raise EvidenceError(f"has {found} bytes, the decision names {size}", where=str(path))
        self._checked.add(sha256)

    def _hashed(self, sha256: str, limit: int) -> bytes:
        data = files.read(self.path(sha256), limit=limit, error=EvidenceError, follow=False)
        got = hashlib.sha256(data).hexdigest()
        if got != sha256:
            raise EvidenceError(f"altered: its sha256 is {got}", where=str(self.path(sha256)))
        return data


def _listed(data: bytes, at: Path) -> Iterator[str]:
    document = dsse.loads(data, str(at))
    entries = document.get("manifests") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise EvidenceError("not an OCI index", where=str(at), place="manifests")
    for position, entry in enumerate(entries):
        digest = entry.get("digest") if isinstance(entry, dict) else None
        match = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
        if match is None:
            raise EvidenceError("not a sha256 digest", where=str(at), place=f"manifests[{position}].digest")
        yield match[1]


def _bundles(data: bytes, where: str) -> list[str]:
    """Return the digests of a manifest's layers that are sigstore bundles."""
    manifest = dsse.loads(data, where)
    layers = manifest.get("layers") if isinstance(manifest, dict) else None
    if not isinstance(layers, list):
        raise EvidenceError("not an OCI manifest", where=where, place="layers")
    found = []
    for layer in layers:
        if isinstance(layer, dict) and layer.get("mediaType") == dsse.BUNDLE_MEDIA_TYPE:
            match = _DIGEST.fullmatch(str(layer.get("digest")))
            if match is None:
                raise EvidenceError("not a sha256 digest", where=where, place="layers")
            found.append(match[1])
    return found


def _check_folder(path: Path, statements: Statements, blobs: _Blobs) -> None:
    """Compare the named files of a decision with their blobs; a hard link to a blob is that blob."""
    expected = statements.digests()
    found: set[str] = set()
    root = str(path)
    for parent, folders, names in os.walk(root, onerror=_raise):
        inside = parent[len(root) :].replace(os.sep, "/").lstrip("/")
        links = [name for name in folders if Path(parent, name).is_symlink()]
        found.update(f"{inside}/{name}" if inside else name for name in (*names, *links))
    if lacking := sorted(set(expected) - found):
        raise EvidenceError("missing", where=str(path / lacking[0]))
    if unknown := sorted(found - set(expected)):
        raise EvidenceError("the decision does not name this file", where=str(path / unknown[0]))
    for name, sha256 in expected.items():
        at = path / name
        blobs.check(sha256)
        try:
            same = os.path.samestat(at.lstat(), blobs.path(sha256).lstat())
        except OSError as e:
            raise could_not("be read", at, e) from e
        if same:
            continue
        data = files.read(at, limit=MAX_BLOB_BYTES, error=EvidenceError, follow=False)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise EvidenceError("altered: not the bytes of its blob", where=str(at))


# --------------------------------------------------------------------------------------------------------------------
# Writing


def write(store: Path, record: Record, *, share: Sequence[str] = ()) -> EvidencePath:
    """Store a record. When this returns, it is on disk; writing the same record again changes nothing.

    Blobs that are as large as a block of the disk, and that one of the builds in `share` (SHA-256, hex) holds, become
    hard links to those: the rules, the trust root and the lists are the same for many.

    Raises:
        EvidenceError: the store cannot be written (permission, space), another writer does not finish, or what is
            stored about this build already was altered. Nothing is half-written: readers see what they saw before.
    """
    with Commit(folder(store, record.build.sha256)) as commit:
        path = put(store, record, commit, share=share)
        commit.run()
    return path


def put(store: Path, record: Record, commit: Commit, *, share: Sequence[str] = ()) -> EvidencePath:
    """Prepare what `write` stores, under the build's lock: it is there when `commit` has run.

    Raises:
        EvidenceError: as `write`.
        OSError: the store cannot be written.
    """
    base = folder(store, record.build.sha256)
    target = EvidencePath(path=base / "decisions" / record.id, build=record.build.sha256, decision=record.id)
    commit.make_folders(base / "blobs" / "sha256", base / "decisions")
    must_be_own(base.parent, base, base / "blobs", base / "blobs" / "sha256", base / "decisions")
    commit.sync(base, base.parent, store)
    commit.hold(_lock(base / ".lock"))
    present = _records(base)
    _clean(base, {r.id for r in present})
    if any(r.id == record.id for r in present):
        return target
    _put_all(base, record, present, [folder(store, one) / "blobs" / "sha256" for one in share], commit)
    return target


def _put_all(base: Path, record: Record, present: tuple[Record, ...], share: Sequence[Path], commit: Commit) -> None:
    mine = manifests(record)
    referrers: dict[str, Manifest] = {m.sha256: m for r in present for m in manifests(r)}
    referrers |= {m.sha256: m for m in mine}
    listed = index(record.build, referrers)
    if len(listed) > MAX_INDEX_BYTES:
        raise EvidenceError(f"its index would pass the limit of {MAX_INDEX_BYTES} bytes", where=str(base))
    named, digests = record.files(), record.digests()
    # (1) blobs: all bytes that index.json will lead to (making the record compared their digests)
    blobs = {digests[name]: data for name, data in named.items()} | {m.sha256: m.data for m in mine}
    blobs |= {hashlib.sha256(data).hexdigest(): data for data in (EMPTY_BLOB, record.build.blob, record.build.data)}
    held = {
        sha256: _put_blob(base / "blobs" / "sha256" / sha256, data, share, commit) for sha256, data in blobs.items()
    }
    # (2) the named files, as one folder that appears at once
    commit.folder(base / "decisions" / record.id, {name: (data, held[digests[name]]) for name, data in named.items()})
    # (3) what makes it a layout, and last the commit point
    if not (base / "oci-layout").exists():
        commit.file(base / "oci-layout", OCI_LAYOUT)
    commit.file(base / "index.json", listed, INDEX)


def _put_blob(target: Path, data: bytes, share: Sequence[Path], commit: Commit) -> Path:
    """Prepare a blob where it is not there yet, and return where its bytes lie now."""
    if os.path.lexists(target):
        if files.read(target, limit=len(data), error=EvidenceError, follow=False) != data:
            raise EvidenceError(
                "altered", where=str(target), hint="keep this build's evidence aside and see who changed it"
            )
        return target
    if len(data) >= SHARED_BYTES:
        for folder_ in share:
            other = folder_ / target.name
            # The blob of another build, if it has exactly these bytes and the file system links; else a copy will do.
            with contextlib.suppress(OSError):
                if other.lstat().st_size == len(data) and other.read_bytes() == data:
                    return commit.link(target, other)
    return commit.file(target, data)


def _clean(base: Path, known: set[str]) -> None:
    """Remove what killed writers left: temporary names, and folders of decisions that the index does not know."""
    for parent in (base, base / "blobs" / "sha256", base / "decisions"):
        for entry in list(os.scandir(parent)):
            stale = parent.name == "decisions" and entry.name not in known
            if not entry.name.startswith(TEMPORARY) and not (stale and _HEX.fullmatch(entry.name)):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink()


@contextlib.contextmanager
def _lock(path: Path, *, seconds: int | None = None) -> Iterator[None]:
    """Hold an exclusive lock on a file of its own, which stays; the system drops it when its holder dies."""
    seconds = LOCK_WAIT_SECONDS if seconds is None else seconds
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o644)
    try:
        for _ in range(seconds * 50):
            if files.try_lock(descriptor):
                break
            time.sleep(0.02)
        else:
            raise EvidenceError(
                f"another writer has held this lock for {seconds} seconds",
                where=str(path),
                hint="see which process has it open (`fuser`), and run again",
            )
        yield
    finally:
        os.close(descriptor)


def must_be_own(*folders: Path) -> None:
    """Refuse to write into a folder of a store that is a link.

    Who can write to the store would have us write, and clean, where only we can.

    Raises:
        EvidenceError: one is a link.
    """
    for folder_ in folders:
        if folder_.is_symlink():
            raise EvidenceError(
                "a link in place of a folder of the store: nothing is written, or removed, where it leads",
                where=str(folder_),
                hint="see who could write to the store, and take the link away",
            )


def _must_be_folder(path: Path) -> None:
    if not path.is_dir():
        raise EvidenceError("no such folder", where=str(path), hint="give the evidence store that `gate` wrote to")


def _raise(e: OSError) -> None:
    raise could_not("be read", Path(e.filename), e) from e
