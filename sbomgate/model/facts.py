"""Facts about packages: as they were collected, and as a rule may use them; and the SBOM that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbomgate.model.graph import DependencyGraph


# --------------------------------------------------------------------------------------------------------------------
# Facts as they were collected: bytes and words, each with its source, not yet believed


class Origin(StrEnum):
    """Where a collected fact came from."""

    NETWORK = "network"
    CACHE = "cache"
    RECORDED = "recorded"  # a facts file signed by an accepted identity
    NONE = "none"


class Absence(StrEnum):
    """Why something is not there. `unreachable` and `advertised-missing` never turn into `absent` (PROMISES P6)."""

    NOT_ASKED = "not-asked"  # offline, or nobody needs it
    NOT_APPLICABLE = "not-applicable"  # a workspace, a git dependency: no registry to ask
    NOT_SERVED = "not-served"  # this registry serves no such thing at all (a mirror)
    ABSENT = "absent"  # the registry answers that there is none
    ADVERTISED_MISSING = "advertised-missing"  # the registry names it and then has it not
    UNREACHABLE = "unreachable"  # could not be fetched
    MALFORMED = "malformed"  # fetched, and not what it should be
    MISMATCH = "mismatch"  # fetched, and its digest is not the lockfile's


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A fact that could not be had: why, and one sentence of detail."""

    absence: Absence
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FactKey:
    """What a fact is about: a registry name, a version and the lockfile's integrity string ("" where it has none)."""

    name: str
    version: str
    integrity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySignature:
    """One of a packument's `dist.signatures`: `sig` is base64 DER over `name@version:integrity`."""

    keyid: str
    sig: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryWord:
    """What a registry says of one version, unsigned: its word, with the date of asking.

    Attributes:
        registry: URL of the registry that was asked.
        asked_at: when it answered (cached answers keep the first date).
        origin: network, cache or recorded.
        published: `time[version]` verbatim, or None.
        first_published: the earliest of all `time[...]` values of the package verbatim, or None.
        integrity: `dist.integrity`; tarball: `dist.tarball`.
        scripts: the manifest's lifecycle scripts (install, preinstall, postinstall, prepare…) verbatim.
        has_install_script: the manifest's flag, or None.
        signatures: `dist.signatures`.
        serves_evidence: the registry serves signatures or attestations for any version of this package.
        attestations_url: `dist.attestations.url`, or None where none is advertised.
        publisher: `_npmUser.name`; trusted_publisher: `_npmUser.trustedPublisher.id` or None.
        maintainers: names, sorted.
        licence, deprecated: as in the manifest, or None.
        dependencies: name → range of the manifest's dependencies and optionalDependencies together, or None where it is
            not known (a document of somebody who did not read it).
        bin: the commands that the manifest puts on the path, sorted, or None where it is not known.
        author: `Name <email> (url)` as in the manifest, or None.
        versions: all versions that it has of the package, as a text of `version_set`; "" where nobody noted them.
        latest: what the package's dist-tag `latest` names, where that is lower than this release and this release is
            no prerelease; else None.
    """

    registry: str
    asked_at: datetime
    origin: Origin
    published: str | None
    first_published: str | None
    integrity: str | None
    tarball: str | None
    scripts: Mapping[str, str]
    has_install_script: bool | None
    signatures: tuple[RegistrySignature, ...]
    serves_evidence: bool
    attestations_url: str | None
    publisher: str | None
    trusted_publisher: str | None
    maintainers: tuple[str, ...]
    licence: str | None
    deprecated: str | None
    dependencies: Mapping[str, str] | None = None
    bin: tuple[str, ...] | None = None
    author: str | None = None
    versions: str = ""
    latest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """That a version was not there at one look (`absent`), and was at the next (`seen`): the ledger's word."""

    absent: datetime
    seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledManifest:
    """The package.json of a package inside another's tarball (`node_modules/…`)."""

    path: str
    name: str
    version: str
    scripts: Mapping[str, str]
    gyp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TarballFacts:
    """What the tarball itself says; its sha512 was compared with the lockfile's before it was read.

    Attributes:
        sha512: of the tarball's bytes, hex.
        origin: network, cache (npm's own, or ours) or recorded.
        name, version: of its package.json.
        scripts: every entry of package.json's `scripts` that npm runs on install of a dependency (preinstall, install,
            postinstall, and for git dependencies prepare), verbatim.
        gyp: a `binding.gyp` at its root and no `gypfile: false`: npm runs node-gyp.
        bundled: packages inside it.
        licence: SPDX expression or other text of package.json, or None.
        files: path → SHA-256 (hex) of the files in it that its install scripts name.
        dependencies, bin: of package.json, as in `RegistryWord`.
        repository: the repository that package.json claims, or None: the author's word, which proves nothing (P11).
        author: `Name <email> (url)` of package.json, or None.
    """

    sha512: str
    origin: Origin
    name: str
    version: str
    scripts: Mapping[str, str]
    gyp: bool
    bundled: tuple[BundledManifest, ...]
    licence: str | None
    files: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, str] | None = None
    bin: tuple[str, ...] | None = None
    repository: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationDocument:
    """The registry's attestation response for one version, verbatim: it is believed only after verification."""

    body: bytes
    sha256: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRelease:
    """A release of the same package before one that is judged, by the registry's unsigned word.

    Attributes:
        version, integrity, published, publisher, trusted_publisher, maintainers: as in `RegistryWord`.
        attestations_url: `dist.attestations.url`, or None where none is advertised.
        attestations: the registry's document, believed only after verification; or why there is none.
    """

    version: str
    integrity: str | None
    published: str | None
    publisher: str | None
    trusted_publisher: str | None
    maintainers: tuple[str, ...]
    attestations_url: str | None
    attestations: AttestationDocument | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedFacts:
    """All that was collected about one (name, version, integrity).

    `earlier` holds the releases that this one is measured against (`sbomgate.npm.earlier` says which), none of them
    where it is the first; Missing where they were asked for and not had, None where nobody asked.
    """

    key: FactKey
    registry: RegistryWord | Missing
    tarball: TarballFacts | Missing
    attestations: AttestationDocument | Missing
    earlier: tuple[EarlierRelease, ...] | Missing | None = None


# --------------------------------------------------------------------------------------------------------------------
# Facts as a rule may use them: verified, or labelled as somebody's word, or unknown


class AttestationState(StrEnum):
    """The seven states of an attestation. Only `verified` is good; only `unattested` means that there is none."""

    VERIFIED = "verified"
    UNATTESTED = "unattested"
    ADVERTISED_MISSING = "advertised-missing"
    UNREACHABLE = "unreachable"
    CANNOT_VERIFY = "cannot-verify"
    INVALID = "invalid"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the signing certificate says (Fulcio's OIDs 1.3.6.1.4.1.57264.1.*), cross-checked with the predicate.

    Empty strings are never used: a claim that the certificate does not make is None.
    """

    issuer: str
    identity: str
    repository: str | None = None
    repository_id: str | None = None
    owner: str | None = None
    owner_id: str | None = None
    workflow: str | None = None
    ref: str | None = None
    commit: str | None = None
    trigger: str | None = None
    runner: str | None = None
    builder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """The state of one predicate (`publish` or `provenance`) of one package, with the reason.

    Attributes:
        state: one of seven.
        reason: one sentence; for `invalid` it names the step that failed.
        log_proof: `inclusion+SET`, `inclusion`, `SET`, or None.
        log_time: when the log or a timestamp authority saw it; only where verified.
        claims: of the certificate; only where verified, and None for publish attestations (signed by a key).
        sha256: of the bundle's bytes, or None.
    """

    state: AttestationState
    reason: str
    log_proof: str | None = None
    log_time: datetime | None = None
    claims: Claims | None = None
    sha256: str | None = None


class SignatureState(StrEnum):
    """The state of the registry's signature over name@version:integrity."""

    VERIFIED = "verified"
    ABSENT = "absent"
    NOT_SERVED = "not-served"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The registry's signature over the lockfile's integrity, with the reason for its state."""

    state: SignatureState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """When the version was published.

    Attributes:
        time: None where it is not known.
        source: `attestation` (verified log time of the publish attestation), `registry` (its unsigned word),
            `recorded` (the registry's word from a signed facts file), `withdrawn` (the registry that the entry comes
            from says that there is no such version), or `unknown`.
        reason: why it is unknown, or contradictory; "" where all is well.
        first: when the package (any version) was first published, by the registry's word; None where not known.
        absent: a look at the registry, after `time`, that did not have this version yet; None where there was none.
        seen: the first look that had it; None where `absent` is.
    """

    time: datetime | None
    source: str
    reason: str
    first: datetime | None
    absent: datetime | None = None
    seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """What would run at install time.

    Attributes:
        state: `none`, `present` or `unknown`.
        source: `tarball`, `recorded` (tarball facts from a signed facts file), `other-bytes` (a tarball was served
            whose sha512 is not the lockfile's: it was not read) or `unknown`. The registry's manifest and the
            lockfile's flag are only compared with the tarball, never believed instead of it.
        reason: why it is unknown; "" otherwise.
        scripts: name → text; an implicit `node-gyp rebuild` is listed under `install` with `gyp` true.
        gyp: npm would run node-gyp because of binding.gyp.
        digest: SHA-256 (hex) over the canonical JSON of {"gyp": …, "scripts": …}, what an approval is bound to; None
            where there is none or the state is unknown.
        disagreements: sentences: where tarball, registry manifest and lockfile flag contradict each other.
        files: path → SHA-256 (hex) of the files of the tarball that the scripts name.
    """

    state: str
    source: str
    reason: str
    scripts: Mapping[str, str]
    gyp: bool
    digest: str | None
    disagreements: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierFacts:
    """What is known of an earlier release of the same package: drift is measured against it.

    Attributes:
        version: its own.
        advertised: the registry names attestations of it.
        provenance: its state, verified against the registry's integrity of that version.
        publisher, trusted_publisher, maintainers: the registry's word.
    """

    version: str
    advertised: bool
    provenance: Attestation
    publisher: str | None
    trusted_publisher: str | None
    maintainers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The earlier releases that a package is measured against.

    `unknown` says why they could not be had; "" where they are known, and `releases` are then all of them.
    """

    unknown: str
    releases: tuple[EarlierFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """All facts of one package that a rule may use, each with its state."""

    publish: Publish
    scripts: Scripts
    signature: Signature
    publish_attestation: Attestation
    provenance: Attestation
    publisher: str | None
    trusted_publisher: str | None
    licence: str | None
    deprecated: str | None
    registry: str | None  # the registry that was asked
    registry_integrity: str | None  # its dist.integrity: bound_bytes compares it with the lockfile's
    maintainers: tuple[str, ...] = ()  # by the registry's word
    manifest: tuple[str, ...] = ()  # where tarball, registry and lockfile name other dependencies or commands
    shadows: tuple[str, ...] = ()  # well-known commands that its `bin` takes the place of
    earlier: Earlier | None = None  # None: nobody asked, because it did not change
    author: str | None = None  # `Name <email> (url)`, by the word of package.json: nobody verified it
    rebuilt: tuple[str, ...] = ()  # who built the same from its source, by his verified attestation (CASES V33)
    latest: str | None = None  # the registry's `latest`, as in `RegistryWord`: only where it is lower (CASES T16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sbom:
    """An SBOM: its exact bytes, their digest, and what was read from those bytes."""

    data: bytes
    sha256: str
    graph: DependencyGraph
    facts: Mapping[str, PackageFacts]  # package id → facts; ids without an entry have no facts (root, workspaces)
