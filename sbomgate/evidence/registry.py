"""The evidence store in an OCI registry: what refers to an image, or to a build manifest, in one repository.

    an image          its evidence refers to the image itself, in the image's own repository
    a file, a commit  its evidence refers to its build manifest, tagged `build-<SHA-256>`, in the store's repository
    a revocation      refers to one manifest, the same everywhere, tagged `revocations`, in the store's repository

The blobs, and the referrers of a build manifest, have the same bytes and digests as in the layout on disk; the
referrers of an image name that instead of the build manifest. A registry may lie, lose and hold back: what is read is
believed as far as its digests and signatures go, and what was written is read again the way the registry serves it
(PROMISES P37).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sbomgate import dsse
from sbomgate.decision import DETAIL_TYPE, EXTENSION, SUMMARY_TYPE, named_detail
from sbomgate.errors import EvidenceError
from sbomgate.evidence.record import (
    DECISION,
    RECORD_MEDIA_TYPE,
    Manifest,
    Record,
    Statements,
    layer,
    manifests,
    referrer,
)
from sbomgate.evidence.registry_client import DIGEST, INDEX_MEDIA_TYPE, Client, Listing, Repository
from sbomgate.evidence.registry_client import repository as parse_repository
from sbomgate.evidence.revocation import REVOCATION_TYPE
from sbomgate.model import Subject, SubjectKind
from sbomgate.subject import EMPTY_BLOB, EMPTY_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, build_manifest, canonical, descriptor

REVOCATIONS_MEDIA_TYPE = "application/vnd.sbomgate.revocations.v1+json"

MAX_BLOB_BYTES = 1 << 30  # as on disk
MAX_EVIDENCE_BYTES = 4 << 30  # of all decisions on one build together
WORKERS = 8  # requests at once: a registry far away takes 50 ms for each
PAUSES = (0.2, 0.5, 1.0, 2.0)  # seconds: a registry of several machines may list a moment later what it took

_REVOCATIONS_TAG = "revocations"
_NAMED = re.compile(r"(?:build|sha256)-([0-9a-f]{64})")  # tags of ours, and the fallback tag of any manifest

# What a list calls what may be ours. Some registries take the type of its config, which is the empty one, or a general
# one; what has a type of its own that is none of these was made by others.
_POSSIBLY = (dsse.BUNDLE_MEDIA_TYPE, RECORD_MEDIA_TYPE, "application/vnd.oci.", "application/vnd.unknown.")


def home(subject: Subject, store: Repository) -> Repository:
    """Return the repository that a subject's evidence is in: an image's own one, else the store."""
    return parse_repository(subject.name) if subject.kind is SubjectKind.OCI else store


# --------------------------------------------------------------------------------------------------------------------
# Reading


def find(client: Client, subject: Subject) -> tuple[Record, ...]:
    """Return every decision that is attached to a subject, newest first by what it says of itself.

    What strangers attached is not looked at; that a decision is by an accepted signer, and about this subject, is for
    `evidence.verify`.

    Raises:
        FetchError: the registry cannot be read.
        EvidenceError: something was altered, or a decision that is listed is not there whole.
    """
    about = digest(subject)
    with ThreadPoolExecutor(WORKERS) as pool:
        return _records(client, about, client.referrers(about), pool)


def listed(client: Client) -> tuple[str, ...]:
    """Return the digests in a repository that evidence may refer to, as far as its tags lead to them, sorted.

    A build manifest has a tag. An image is found by its own tag, by that of an index that lists it, or where the
    registry has no referrers API by the fallback tag; what nothing tags has to be named by its digest.

    Raises:
        FetchError, EvidenceError: as `find`.
    """
    found: set[str] = set()
    others: list[str] = []
    for tag in client.tags():
        if (match := _NAMED.fullmatch(tag)) is not None:
            found.add(f"sha256:{match[1]}")
        elif tag != _REVOCATIONS_TAG:
            others.append(tag)
    with ThreadPoolExecutor(WORKERS) as pool:
        for tag, data in zip(others, pool.map(client.tagged, others), strict=True):
            if data is None:  # removed meanwhile
                continue
            found.add(f"sha256:{hashlib.sha256(data).hexdigest()}")
            match dsse.loads(data, f"{client.repository}:{tag}"):
                case {"manifests": list(entries)}:
                    named = (str(one.get("digest")) for one in entries if isinstance(one, dict))
                    found.update(one for one in named if DIGEST.fullmatch(one))
    return tuple(sorted(found - {f"sha256:{hashlib.sha256(_revocations()).hexdigest()}"}))


def statements(client: Client, about: str) -> tuple[Statements, ...]:
    """Return the signed statements of the decisions that are attached to a digest, without what they name.

    Raises:
        FetchError, EvidenceError: as `find`.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        return _statements(client, about, client.referrers(about), pool)


def whole(client: Client, of: Statements) -> Record:
    """Return a decision with every material that it names, each hashed.

    Raises:
        FetchError, EvidenceError: as `find`.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        (record,) = _whole(client, (of,), str(client.repository), pool)
    return record


def revocations(client: Client) -> dict[str, bytes]:
    """Return the revocations in a store's repository by the SHA-256 (hex) of each; whose they are is for `verify`.

    Raises:
        FetchError: the registry cannot be read.
        EvidenceError: something was altered, or is listed and not there.
    """
    about = f"sha256:{hashlib.sha256(_revocations()).hexdigest()}"
    with ThreadPoolExecutor(WORKERS) as pool:
        found = _bundles(client, about, client.referrers(about), pool)[0]
    where = f"{client.repository}@{about}"
    return {
        name.removeprefix("sha256:"): bundle
        for name, bundle in found.items()
        if (said := _statement(bundle, f"{where}: {name}")) is not None and said[0] == REVOCATION_TYPE
    }


def digest(subject: Subject) -> str:
    """Return the digest (`sha256:…`) of what a subject's evidence refers to: the image, or the build manifest."""
    if subject.kind is SubjectKind.OCI:
        return f"sha256:{subject.digest['sha256']}"
    return f"sha256:{build_manifest(subject).sha256}"


def _records(client: Client, about: str, listing: Listing, pool: ThreadPoolExecutor) -> tuple[Record, ...]:
    records = _whole(client, _statements(client, about, listing, pool), f"{client.repository}@{about}", pool)
    return tuple(sorted(records, key=lambda one: (one.claimed_time, one.id), reverse=True))


def _statements(client: Client, about: str, listing: Listing, pool: ThreadPoolExecutor) -> tuple[Statements, ...]:
    where = f"{client.repository}@{about}"
    # (1) the bundles that are attached
    found, named_by_files = _bundles(client, about, listing, pool)
    # (2) the signed statements
    details: dict[str, bytes] = {}
    summaries: dict[str, list[bytes]] = {}
    for name, bundle in found.items():
        match _statement(bundle, f"{where}: {name}"):
            case (kind, _) if kind == DETAIL_TYPE:
                details[name.removeprefix("sha256:")] = bundle
            case (kind, payload) if kind == SUMMARY_TYPE and EXTENSION.encode() in payload:
                summaries.setdefault(named_detail(payload, f"{where}: {name}"), []).append(bundle)
    # (3) nothing of a decision without its signed detail: a fallback tag loses entries when two write at once
    for named in sorted({*summaries, *named_by_files} - set(details)):
        raise EvidenceError(
            f"the decision sha256:{named} is attached in part: its signed detail is not listed",
            where=where,
            hint=_AGAIN,
        )
    # Anybody can sign a summary of any detail: whose counts is for `verify`.
    return tuple(
        _paired(detail, summary, f"{where}: {name}")
        for name, detail in details.items()
        for summary in (summaries.get(name) or (None,))
    )


def _whole(client: Client, of: Sequence[Statements], where: str, pool: ThreadPoolExecutor) -> list[Record]:
    # (4) every stored material
    wanted = {f"sha256:{m.sha256}": m.size for one in of for m in one.stored}
    _must_fit(wanted, where)
    blobs = _all(client, wanted, pool)
    return [
        Record(
            detail=one.detail,
            summary=one.summary,
            blobs={m.name: blobs[f"sha256:{m.sha256}"] for m in one.stored},
        )
        for one in of
    ]


def _bundles(
    client: Client, about: str, listing: Listing, pool: ThreadPoolExecutor
) -> tuple[dict[str, bytes], frozenset[str]]:
    """Return digest → bytes of every bundle that is attached, and the decisions whose other files are.

    Each manifest that may be ours is opened: what a list says of it is nobody's word.
    """
    listed = sorted(
        str(entry["digest"])
        for entry in listing.entries
        if not entry.get("artifactType") or str(entry["artifactType"]).startswith(_POSSIBLY)
    )
    opened = pool.map(lambda one: _opened(client, about, one), listed)
    held = [one for one in opened if one is not None]
    sizes: dict[str, int] = {}
    for one in held:
        for name, size in one.bundles.items():
            sizes[name] = max(size, sizes.get(name, 0))
    _must_fit(sizes, f"{client.repository}@{about}")
    return _all(client, sizes, pool), frozenset(name for one in held for name in one.decisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A referrer: the bundles in it (digest → size), and the decisions (SHA-256 in hex) that it holds files of."""

    bundles: Mapping[str, int]
    decisions: tuple[str, ...] = ()


def _opened(client: Client, about: str, name: str) -> _Opened | None:
    """Return what a referrer holds, or None where it is none of ours."""
    data, where = client.manifest(name), f"{client.repository}@{name}"
    if data is None:
        raise EvidenceError("listed by the registry, and not there", where=where, hint=_AGAIN)
    manifest = dsse.loads(data, where)
    match manifest:
        case {"artifactType": str(kind), "subject": {"digest": str(subject)}} if subject == about:
            pass
        case {"config": {"mediaType": str(kind)}, "subject": {"digest": str(subject)}} if subject == about:
            pass
        case _:
            return None
    match kind, manifest:
        case dsse.BUNDLE_MEDIA_TYPE, {"layers": list(layers)}:
            found = {
                str(layer["digest"]): layer["size"]
                for layer in layers
                if isinstance(layer, dict)
                and layer.get("mediaType") == dsse.BUNDLE_MEDIA_TYPE
                and DIGEST.fullmatch(str(layer.get("digest")))
                and isinstance(layer.get("size"), int)
                and 0 < layer["size"] <= dsse.MAX_BUNDLE_BYTES
            }
            return _Opened(bundles=found)
        case kind, {"annotations": dict(noted)} if kind == RECORD_MEDIA_TYPE and DIGEST.fullmatch(
            str(noted.get(DECISION))
        ):
            return _Opened(bundles={}, decisions=(noted[DECISION].removeprefix("sha256:"),))
        case _:
            return None


def _statement(bundle: bytes, where: str) -> tuple[str, bytes] | None:
    """Return predicate type and payload of a bundle's statement; None where it holds none, which is not ours then."""
    try:
        payload = dsse.read_bundle(bundle, where).payload
        return str(dsse.read_statement(payload, where)["predicateType"]), payload
    except EvidenceError:
        return None


def _paired(detail: bytes, summary: bytes | None, where: str) -> Statements:
    try:
        return Statements(detail=detail, summary=summary)
    except EvidenceError as e:
        e.where = f"{where}: {e.where}"
        raise


def _must_fit(sizes: Mapping[str, int], where: str) -> None:
    if sum(sizes.values()) > MAX_EVIDENCE_BYTES:
        raise EvidenceError(f"its evidence has more than {MAX_EVIDENCE_BYTES} bytes", where=where)


def _all(client: Client, wanted: Mapping[str, int], pool: ThreadPoolExecutor) -> dict[str, bytes]:
    """Return digest → bytes of blobs, each once and hashed."""

    def one(name: str) -> bytes:
        data = client.blob(name, limit=min(wanted[name], MAX_BLOB_BYTES))
        if data is None:
            raise EvidenceError("named by evidence, and not there", where=f"{client.repository}@{name}", hint=_AGAIN)
        return data

    return dict(zip(wanted, pool.map(one, wanted), strict=True))


def must_list(client: Client, index: Subject, image: Subject) -> None:
    """Refuse an image that an index does not list: the index is read from its registry, and hashed.

    Raises:
        FetchError: the registry cannot be read.
        EvidenceError: it has no such index, or the index does not list the image.
    """
    where = f"{client.repository}@{digest(index)}"
    data = client.manifest(digest(index))
    if data is None:
        raise EvidenceError("no such index in this repository", where=where)
    match dsse.loads(data, where):
        case {"manifests": list(entries)} if digest(image) in [e.get("digest") for e in entries if isinstance(e, dict)]:
            return
        case _:
            raise EvidenceError(f"does not list {digest(image)}", where=where, hint="is this the index of that image?")


# --------------------------------------------------------------------------------------------------------------------
# Writing


def attach(
    client: Client,
    subject: Subject,
    records: Sequence[Record],
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Attach decisions to their subject. When this returns, the registry serves every byte and lists it.

    What is there already is not sent again; doing it again repairs what is lacking.

    Raises:
        FetchError: the registry cannot be read or written.
        EvidenceError: the image is not in its repository; or what the registry serves afterwards is not all that was
            written (P37).
    """
    about = _about(client, subject)
    referrers = [m for one in records for m in manifests(one, about)]
    blobs = [data for one in records for data in one.files().values()]
    if subject.kind is SubjectKind.OCI:
        _publish(client, about, referrers, blobs, sleep=sleep)
    else:
        build = build_manifest(subject)
        _publish(client, about, referrers, [*blobs, build.blob], own=(build.data, f"build-{build.sha256}"), sleep=sleep)


def attach_revocations(
    client: Client, bundles: Sequence[bytes], *, sleep: Callable[[float], object] = time.sleep
) -> None:
    """Put revocations into a store's repository: as referrers of one manifest that is the same everywhere.

    Raises:
        FetchError, EvidenceError: as `attach`.
    """
    root = _revocations()
    about = descriptor(MANIFEST_MEDIA_TYPE, root)
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": REVOCATION_TYPE,
    }
    referrers = []
    for one in bundles:
        sha256 = hashlib.sha256(one).hexdigest()
        held = layer(f"{sha256}.sigstore.json", dsse.BUNDLE_MEDIA_TYPE, sha256, len(one))
        referrers.append(referrer(about, dsse.BUNDLE_MEDIA_TYPE, [held], annotations))
    _publish(client, about, referrers, bundles, own=(root, _REVOCATIONS_TAG), sleep=sleep)


def _revocations() -> bytes:
    """Return the manifest that every revocation refers to: a constant."""
    empty = descriptor(EMPTY_MEDIA_TYPE, EMPTY_BLOB)
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "artifactType": REVOCATIONS_MEDIA_TYPE,
            "config": empty,
            "layers": [empty],
        }
    )


def _publish(
    client: Client,
    about: Mapping[str, Any],
    referrers: Sequence[Manifest],
    data: Iterable[bytes],
    *,
    own: tuple[bytes, str] | None = None,
    sleep: Callable[[float], object],
) -> None:
    """Upload what refers to `about`, and read it back. `own`: that manifest itself and its tag, where it is ours."""
    built = {} if own is None else {f"sha256:{hashlib.sha256(own[0]).hexdigest()}": own}
    named = {f"sha256:{one.sha256}": one for one in referrers}
    blobs = {f"sha256:{hashlib.sha256(one).hexdigest()}": one for one in (EMPTY_BLOB, *data)}
    wanted = _Wanted(
        about=str(about["digest"]),
        listed=frozenset(named),
        manifests={
            **{name: manifest for name, (manifest, _) in built.items()},
            **{name: one.data for name, one in named.items()},
        },
        blobs=blobs,
    )
    with ThreadPoolExecutor(WORKERS) as pool:
        # (1) what is whole already is left alone
        listing = client.referrers(wanted.about)
        if wanted.listed <= listing.digests and not _lacking(client, wanted, listing, pool):
            return
        # (2) blobs, then what names them, and the list last: whoever reads meanwhile finds all or nothing
        _each(client.put_blob, blobs.values(), pool)
        for name, (manifest, tag) in built.items():
            if client.manifest(name) is None:  # a registry may keep a tag for ever
                client.put_manifest(manifest, reference=tag)
        _each(lambda one: client.put_manifest(one.data), named.values(), pool)
        # (3) read it back as anybody reads it; a list that lacks it may be late, or somebody else wrote it meanwhile
        refused = ""
        for pause in (*PAUSES, None):
            listing = client.referrers(wanted.about)
            if not listing.api and not wanted.listed <= listing.digests:
                refused = client.put_tag(wanted.about, [one.descriptor for one in named.values()])
                listing = client.referrers(wanted.about)
            lacking = _lacking(client, wanted, listing, pool)
            if not lacking:
                return
            if pause is not None:
                sleep(pause)
        why = f" ({refused})" if refused else ""
        raise EvidenceError(f"written, and afterwards {lacking}{why}", where=f"{client.repository}@{wanted.about}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a registry must serve: referrers that are listed, and manifests and blobs by digest."""

    about: str
    listed: frozenset[str]
    manifests: Mapping[str, bytes]
    blobs: Mapping[str, bytes]


def _lacking(client: Client, wanted: _Wanted, listing: Listing, pool: ThreadPoolExecutor) -> str:
    """Return what a registry does not serve of what it must, or "". What it serves altered is an error."""
    if unlisted := sorted(wanted.listed - listing.digests):
        return f"the registry does not list {unlisted[0]}"

    def manifest(name: str) -> bool:
        return client.manifest(name) is not None

    def blob(name: str) -> bool:
        return client.blob(name, limit=len(wanted.blobs[name])) is not None

    for there, names in ((manifest, wanted.manifests), (blob, wanted.blobs)):
        for name, served in zip(names, pool.map(there, names), strict=True):
            if not served:
                return f"the registry has no {name}"
    return ""


def _each(put: Callable[[Any], None], what: Any, pool: ThreadPoolExecutor) -> None:
    for _ in pool.map(put, what):
        pass


def _about(client: Client, subject: Subject) -> dict[str, Any]:
    """Return the descriptor that evidence refers to.

    Raises:
        EvidenceError: the image is not there.
    """
    if subject.kind is not SubjectKind.OCI:
        return descriptor(MANIFEST_MEDIA_TYPE, build_manifest(subject).data)
    name = digest(subject)
    where = f"{client.repository}@{name}"
    data = client.manifest(name)
    if data is None:
        raise EvidenceError("no such image in this repository", where=where, hint="push the image first")
    match dsse.loads(data, where):
        case {"mediaType": str(kind)}:
            pass
        case {"manifests": list()}:
            kind = INDEX_MEDIA_TYPE
        case _:
            kind = MANIFEST_MEDIA_TYPE
    return descriptor(kind, data)


_AGAIN = "`sbomgate evidence push` repairs it, from a store that holds it"
