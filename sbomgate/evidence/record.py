"""One decision's evidence as a value: the two signed statements and every stored material. Pure.

A `Record` that exists is consistent: the summary is the one of exactly this signed detail, and each stored material has
the digest that the detail gives. It is *not* verified: no signature has been looked at. `evidence.verify` does that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any

from sbomgate import dsse
from sbomgate.decision import (
    DETAIL_TYPE,
    OBSERVE,
    SBOM,
    SUMMARY_TYPE,
    Decision,
    Material,
    Summary,
    read_detail,
    read_summary,
    write_time,
)
from sbomgate.errors import EvidenceError
from sbomgate.subject import (
    BUILD_MEDIA_TYPE,
    EMPTY_BLOB,
    EMPTY_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    BuildManifest,
    build_manifest,
    canonical,
    descriptor,
)

DETAIL = "decision.json"
DETAIL_BUNDLE = "decision.sigstore.json"
SUMMARY = "vsa.json"
SUMMARY_BUNDLE = "vsa.sigstore.json"
_OWN = frozenset((DETAIL, DETAIL_BUNDLE, SUMMARY, SUMMARY_BUNDLE))

SBOM_MEDIA_TYPE = "application/vnd.cyclonedx+json"
RECORD_MEDIA_TYPE = "application/vnd.sbomgate.record.v1+json"
INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
TITLE = "org.opencontainers.image.title"
DECISION = "dev.sbomgate.decision"

_NAME = re.compile(r"[A-Za-z0-9_@+=-][A-Za-z0-9_.@+=,-]{0,199}(?:/[A-Za-z0-9_@+=-][A-Za-z0-9_.@+=,-]{0,199}){0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The two signed statements of one decision, without the materials that they name.

    Attributes:
        detail: the signed detail (sigstore bundle).
        summary: the signed summary, or None for the profile `observe`.
        claimed: what the detail says. Whether its signer is accepted has not been looked at.
        summary_claimed: what the summary says beyond it, or None.
        payloads: the bytes that were signed, by file name.

    Raises:
        EvidenceError: one has no single meaning, or the summary is not the one of exactly this signed detail.
    """

    detail: bytes = field(repr=False)
    summary: bytes | None = field(repr=False)
    claimed: Decision = field(init=False)
    summary_claimed: Summary | None = field(init=False)
    payloads: Mapping[str, bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # (1) the detail has one meaning
        payloads = {DETAIL: dsse.read_bundle(self.detail, DETAIL_BUNDLE).payload}
        decision = read_detail(payloads[DETAIL], DETAIL_BUNDLE)
        check_names(decision)
        # (2) the summary is the one of exactly this signed detail; only `observe` has none
        summary = None
        if self.summary is not None:
            payloads[SUMMARY] = dsse.read_bundle(self.summary, SUMMARY_BUNDLE).payload
            summary = read_summary(payloads[SUMMARY], decision, self.detail, SUMMARY_BUNDLE)
        elif decision.context.profile != OBSERVE:
            raise EvidenceError("the summary of this decision is missing", where=SUMMARY_BUNDLE)
        object.__setattr__(self, "claimed", decision)
        object.__setattr__(self, "summary_claimed", summary)
        object.__setattr__(self, "payloads", payloads)

    @property
    def id(self) -> str:
        """The decision's digest: SHA-256 (hex) of the signed detail."""
        return hashlib.sha256(self.detail).hexdigest()

    @property
    def build(self) -> BuildManifest:
        """The build manifest of its subject."""
        return build_manifest(self.claimed.subject)

    @property
    def claimed_time(self) -> datetime:
        """When it says that it was decided."""
        return self.claimed.context.evaluated_at

    @property
    def stored(self) -> tuple[Material, ...]:
        """The materials whose bytes are part of the evidence."""
        return tuple(m for m in self.claimed.materials if m.stored)

    def digests(self) -> dict[str, str]:
        """Return name → SHA-256 (hex) of everything that an auditor finds in the decision's folder."""
        own = {**self.payloads, DETAIL_BUNDLE: self.detail}
        if self.summary is not None:
            own[SUMMARY_BUNDLE] = self.summary
        found = {m.name: m.sha256 for m in self.stored}
        found |= {name: hashlib.sha256(data).hexdigest() for name, data in own.items()}
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Statements):
    """The evidence of one decision: the signed statements and every stored material.

    Attributes:
        blobs: name → bytes of every material that the detail says is stored, and no other.
        hashed: whoever makes it has just compared these very bytes with the digests in the detail, or made those of
            them: hashing some megabytes again would be a third of what signing and storing costs.

    Raises:
        EvidenceError: a part is missing, one too many, or not what the detail names.
    """

    blobs: Mapping[str, bytes] = field(repr=False)
    hashed: InitVar[bool] = False

    def __post_init__(self, hashed: bool) -> None:
        Statements.__post_init__(self)
        # (3) every stored material is there, unaltered, and nothing else
        stored = {m.name: m for m in self.stored}
        if unknown := sorted(set(self.blobs) - set(stored)):
            raise EvidenceError("the decision does not name this file", where=unknown[0])
        for name, material in stored.items():
            data = self.blobs.get(name)
            if data is None:
                raise EvidenceError("named by the decision, and missing", where=name)
            got = material.sha256 if hashed else hashlib.sha256(data).hexdigest()
            if got != material.sha256:
                raise EvidenceError(f"altered: its sha256 is {got}, the decision names {material.sha256}", where=name)
            if len(data) != material.size:
                raise EvidenceError(f"has {len(data)} bytes, the decision names {material.size}", where=name)

    def material(self, name: str) -> bytes:
        """Return the bytes of a stored material.

        Raises:
            EvidenceError: the decision names no such file.
        """
        if name not in self.blobs:
            raise EvidenceError("the decision does not hold this file", where=name)
        return self.blobs[name]

    def files(self) -> dict[str, bytes]:
        """Return name → bytes of everything that an auditor finds in the decision's folder."""
        files = {**self.blobs, **self.payloads, DETAIL_BUNDLE: self.detail}
        if self.summary is not None:
            files[SUMMARY_BUNDLE] = self.summary
        return dict(sorted(files.items()))


def check_names(decision: Decision) -> None:
    """Refuse names of stored materials that are not plain relative paths, or that one folder could not hold.

    Raises:
        EvidenceError: such a name. It has to be called before a name is used as a path: it comes from a file.
    """
    seen: set[str] = set(_OWN)
    folders: set[str] = set()
    for material in decision.materials:
        if not material.stored:
            continue
        name = material.name
        if not _NAME.fullmatch(name):
            raise EvidenceError(f"{name[:200]!r} is not a plain relative path", where=DETAIL_BUNDLE, place="materials")
        folded = name.casefold()  # some file systems do not tell `A` from `a`
        if folded in seen:
            raise EvidenceError(f"{name!r} is there twice", where=DETAIL_BUNDLE, place="materials")
        seen.add(folded)
        parts = folded.split("/")
        folders.update("/".join(parts[:i]) for i in range(1, len(parts)))
    if both := sorted(seen & folders):
        raise EvidenceError(f"{both[0]!r} is a file and a folder", where=DETAIL_BUNDLE, place="materials")


# --------------------------------------------------------------------------------------------------------------------
# The OCI form: one build manifest, and referrers that name it as their subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An OCI manifest: its bytes, and its descriptor as an index lists it."""

    data: bytes
    descriptor: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of its bytes."""
        return str(self.descriptor["digest"]).removeprefix("sha256:")


def manifests(statements: Statements, about: Mapping[str, Any] | None = None) -> tuple[Manifest, ...]:
    """Return the referrers that a decision becomes: the SBOM, the signed detail, the signed summary, everything else.

    They refer to `about`, a descriptor, or to the build manifest where that is None. They are a function of that and
    the signed statements alone: writing the same decision again changes nothing.
    """
    about = about or descriptor(MANIFEST_MEDIA_TYPE, statements.build.data)
    named = {m.name: layer(m.name, m.media_type, m.sha256, m.size) for m in statements.stored}
    for name, payload in statements.payloads.items():
        named[name] = layer(name, dsse.PAYLOAD_TYPE, hashlib.sha256(payload).hexdigest(), len(payload))
    found = [referrer(about, SBOM_MEDIA_TYPE, [{**named.pop(SBOM), "mediaType": SBOM_MEDIA_TYPE}], {})]
    bundles = [(DETAIL_BUNDLE, DETAIL_TYPE, statements.detail)]
    if statements.summary is not None:
        bundles.append((SUMMARY_BUNDLE, SUMMARY_TYPE, statements.summary))
    for name, predicate_type, bundle in bundles:
        annotations = {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": predicate_type,
            "org.opencontainers.image.created": write_time(statements.claimed_time),
        }
        held = layer(name, dsse.BUNDLE_MEDIA_TYPE, hashlib.sha256(bundle).hexdigest(), len(bundle))
        found.append(referrer(about, dsse.BUNDLE_MEDIA_TYPE, [held], annotations))
    rest = [named[name] for name in sorted(named)]
    found.append(referrer(about, RECORD_MEDIA_TYPE, rest, {DECISION: f"sha256:{statements.id}"}))
    return tuple(found)


def index(build: BuildManifest, referrers: Mapping[str, Manifest]) -> bytes:
    """Return the bytes of a layout's index.json, a function of the set: the build, then the referrers by digest."""
    first = {
        **descriptor(MANIFEST_MEDIA_TYPE, build.data),
        "artifactType": BUILD_MEDIA_TYPE,
        # Tools find the build by this name; cosign wants its own word on the one image of a layout.
        "annotations": {"org.opencontainers.image.ref.name": "build", "kind": "dev.cosignproject.cosign/image"},
    }
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_MEDIA_TYPE,
            "manifests": [first, *(referrers[digest].descriptor for digest in sorted(referrers))],
        }
    )


def layer(name: str, media_type: str, sha256: str, size: int) -> dict[str, Any]:
    """Return the descriptor of a named file in a manifest."""
    return {"mediaType": media_type, "digest": f"sha256:{sha256}", "size": size, "annotations": {TITLE: name}}


def referrer(
    about: Mapping[str, Any], artifact_type: str, layers: list[dict[str, Any]], annotations: Mapping[str, str]
) -> Manifest:
    """Return the manifest that refers to `about`, a descriptor."""
    noted = {"annotations": dict(annotations)} if annotations else {}
    data = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "artifactType": artifact_type,
            "config": descriptor(EMPTY_MEDIA_TYPE, EMPTY_BLOB),
            "layers": layers,
            "subject": dict(about),
            **noted,
        }
    )
    return Manifest(
        data=data, descriptor={**descriptor(MANIFEST_MEDIA_TYPE, data), "artifactType": artifact_type, **noted}
    )
