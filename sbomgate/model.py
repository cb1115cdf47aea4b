"""The frozen values that flow from the lockfile to the decision.

    lockfile bytes → DependencyGraph → CollectedFacts → PackageFacts → Sbom → PolicyInput → Evaluation → Decision

Every type here is immutable, does no I/O and knows no other module of the package except `errors`. A fact that is not
known is a value that says so, with the reason; no field has a default that a rule could mistake for good news.

Times are timezone-aware `datetime`s in UTC. Digests are lowercase hex without a prefix unless the name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

# --------------------------------------------------------------------------------------------------------------------
# Files of the project


class ProjectFiles(Protocol):
    """The project's files, as a reader may ask for them. The reader itself does no I/O.

    Each path is read from its source at most once: the digest and the parse come from the same bytes (PROMISES P10).
    """

    def read(self, path: str) -> bytes | None:
        """Return the bytes of `path` (POSIX, relative to the project), or None where there is no such file.

        Raises:
            InputError: unreadable, larger than its limit, or a link that leaves the project.
        """
        ...

    def has(self, path: str) -> bool:
        """Whether there is anything at `path`; nothing is read."""
        ...

    def names(self, path: str) -> tuple[str, ...]:
        """Names of what lies in the directory `path` ("" is the project's), sorted; none where it is no directory."""
        ...

    def is_link(self, path: str) -> bool:
        """Whether `path`, or a directory on the way to it, is a symbolic link."""
        ...

    def is_inside(self, path: str) -> bool:
        """Whether `path` (POSIX, relative, may hold `..`) stays within the repository."""
        ...

    def digests(self) -> Mapping[str, str]:
        """SHA-256 (hex) of every file read so far, by path."""
        ...


# --------------------------------------------------------------------------------------------------------------------
# The dependency graph


class Kind(StrEnum):
    """Where an entry's bytes come from. Every entry has exactly one kind; an alias is a name, not a kind."""

    ROOT = "root"
    REGISTRY = "registry"
    GIT = "git"
    TARBALL = "tarball"  # an http(s) tarball that is not a registry's canonical URL
    FILE = "file"  # a tarball or a directory on disk, copied
    LINK = "link"  # a symbolic link to a directory that is not a workspace
    WORKSPACE = "workspace"  # first-party: a workspace, or the link to it
    BUNDLED = "bundled"  # inside the tarball of another package
    PATCH = "patch"
    UNKNOWN = "unknown"  # the lockfile does not say; never guessed


class EdgeKind(StrEnum):
    """The section of package.json that an edge was declared in."""

    PROD = "prod"
    DEV = "dev"
    OPTIONAL = "optional"
    PEER = "peer"
    PEER_OPTIONAL = "peerOptional"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hash:
    """One hash of a Subresource Integrity string (W3C SRI): `algorithm` is sha1, sha256, sha384 or sha512."""

    algorithm: str
    hex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One entry of a lockfile.

    Attributes:
        id: the entry's own key, unique in the graph: for npm the install path (`node_modules/a/node_modules/b`), the
            empty string for the root project.
        name: the real name in the registry (of the target, where it is an alias); "" only for an unnamed root.
        version: as the lockfile states it, or None.
        alias: the name that it is installed under, where that differs from `name`.
        kind: where its bytes come from.
        resolved: the URL or path as the lockfile states it, verbatim (may hold credentials: `sbom` strips them).
        integrity: the integrity string verbatim, or None.
        hashes: what parsed of it, strongest algorithm first; malformed tokens are a Finding, not a hash.
        dev, optional, peer: recomputed from the graph: reached only by such edges. Never the lockfile's word.
        bundled_in: id of the package whose tarball holds it.
        target: id of the package that a link leads to.
        has_install_script: the lockfile's word; None where the format does not say.
        direct: the root project or a workspace declares it.
        reachable: some chain of edges leads to it from the root or a workspace.
        os, cpu, libc: platform limits as declared.
        engines: declared engines, name → range.
        licence: the lockfile's word, or None.
        deprecated: the lockfile's word, or None.
        line: 1-based line in the lockfile where the entry starts, or None.
    """

    id: str
    name: str
    version: str | None
    alias: str | None = None
    kind: Kind
    resolved: str | None = None
    integrity: str | None = None
    hashes: tuple[Hash, ...] = ()
    dev: bool = False
    optional: bool = False
    peer: bool = False
    bundled_in: str | None = None
    target: str | None = None
    has_install_script: bool | None = None
    direct: bool = False
    reachable: bool = True
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    engines: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    deprecated: str | None = None
    line: int | None = None

    @property
    def sha512(self) -> str | None:
        """The only sha512 (hex) of the integrity, or None where there is none or more than one."""
        found = {h.hex for h in self.hashes if h.algorithm == "sha512"}
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One declared dependency.

    Attributes:
        source: id of the declaring package.
        target: id of the package that it resolves to, or None where nothing in the lockfile satisfies the name.
        name: the key it is declared under (the alias, for an alias).
        kind: the section it is declared in.
        range: the specifier verbatim (`^1.0.0`, `npm:axios@1`, `github:a/b#c`).
        satisfied: whether the target's version satisfies the range; None where that cannot be told (git, tag, URL).
    """

    source: str
    target: str | None
    name: str
    kind: EdgeKind
    range: str
    satisfied: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFinding:
    """Something that a lockfile, or the files beside it, says of itself that is wrong or worth knowing.

    Attributes:
        code: a stable word in kebab case, `docs/lockfiles.md` lists them.
        rule: the rule that judges it: lockfile_sound, bound_bytes, pinned, registries, exotic_sources or manager_code.
        package: id of the package concerned, or None.
        place: path in the document (`packages["node_modules/a"].integrity`).
        message: one sentence: what was found and what was expected.
    """

    code: str
    rule: str
    package: str | None
    place: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """The lockfile that was read: its path in the project, kind (`npm`), format version, digest and size in bytes."""

    path: str
    kind: str
    version: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """What the package manager obeys beside the lockfile, without any secret.

    Attributes:
        name: `npm`.
        registry: the default registry's URL, normalised, with a trailing slash.
        scopes: `@scope` → registry URL.
        settings: other settings that change what is fetched or run (`script-shell`, `omit-lockfile-registry-resolved`),
            verbatim, secrets left out.
        files: path → SHA-256 (hex) of each file that was read beside the lockfile (package.json, .npmrc, workspaces').
    """

    name: str
    registry: str
    scopes: Mapping[str, str]
    settings: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyGraph:
    """Everything that a lockfile says: each entry once, each edge, and what is wrong with it.

    `packages` is sorted by id and holds the root (id "") first; `edges` is sorted by (source, name, kind).
    """

    lockfile: Lockfile
    manager: ManagerSettings
    packages: tuple[Package, ...]
    edges: tuple[Edge, ...]
    findings: tuple[LockFinding, ...]


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
    """

    sha512: str
    origin: Origin
    name: str
    version: str
    scripts: Mapping[str, str]
    gyp: bool
    bundled: tuple[BundledManifest, ...]
    licence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationDocument:
    """The registry's attestation response for one version, verbatim: it is believed only after verification."""

    body: bytes
    sha256: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedFacts:
    """All that was collected about one (name, version, integrity)."""

    key: FactKey
    registry: RegistryWord | Missing
    tarball: TarballFacts | Missing
    attestations: AttestationDocument | Missing


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
            `recorded` (the registry's word from a signed facts file), or `unknown`.
        reason: why it is unknown, or contradictory; "" where all is well.
        first: when the package (any version) was first published, by the registry's word; None where not known.
    """

    time: datetime | None
    source: str
    reason: str
    first: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """What would run at install time.

    Attributes:
        state: `none`, `present` or `unknown`.
        source: `tarball`, `recorded` (tarball facts from a signed facts file) or `unknown`. The registry's manifest
            and the lockfile's flag are only compared with the tarball, never believed instead of it.
        reason: why it is unknown; "" otherwise.
        scripts: name → text; an implicit `node-gyp rebuild` is listed under `install` with `gyp` true.
        gyp: npm would run node-gyp because of binding.gyp.
        digest: SHA-256 (hex) over the canonical JSON of {"gyp": …, "scripts": …}, what an approval is bound to; None
            where there is none or the state is unknown.
        disagreements: sentences: where tarball, registry manifest and lockfile flag contradict each other.
    """

    state: str
    source: str
    reason: str
    scripts: Mapping[str, str]
    gyp: bool
    digest: str | None
    disagreements: tuple[str, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sbom:
    """An SBOM: its exact bytes, their digest, and what was read from those bytes."""

    data: bytes
    sha256: str
    graph: DependencyGraph
    facts: Mapping[str, PackageFacts]  # package id → facts; ids without an entry have no facts (root, workspaces)


# --------------------------------------------------------------------------------------------------------------------
# The decision


class SubjectKind(StrEnum):
    """What a decision can be about."""

    FILE = "file"
    GIT = "git"
    OCI = "oci"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The release artefact: `name` for people, `digest` algorithm → hex (sha256 for files and images, gitCommit)."""

    kind: SubjectKind
    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A value and who says it: `flag` (given by hand), `ci` (the CI's verified token) or `worktree` (read from git)."""

    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the decision is about, beyond the SBOM.

    Attributes:
        lockfile_path: relative to the repository's root, POSIX.
        link: how the artefact is tied to the lockfile (P13), `asserted` for now; None without an artefact.
        time_source: who vouches for the time (P17), `self-declared` for a key alone; None where nothing is signed.
    """

    evaluated_at: datetime
    profile: str
    lockfile_path: str
    repository: Claimed | None = None
    commit: Claimed | None = None
    environment: Claimed | None = None
    subject: Subject | None = None
    link: str | None = None
    time_source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineBuild:
    """The last approved build of the same project: what changed since is judged against it.

    Attributes:
        sbom: its SBOM, read back from accepted evidence.
        evidence: SHA-256 (hex) that names the evidence.
        decided_at: when it was decided.
    """

    sbom: Sbom
    evidence: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """There is no approved build to compare with; `reason` says why, and every decision repeats it."""

    reason: str


class Verdict(StrEnum):
    """What the policy says. "Could not decide" is an exception, never a verdict."""

    ALLOWED = "allowed"
    DENIED = "denied"


class Level(StrEnum):
    """What a finding does to the verdict."""

    DENY = "deny"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFinding:
    """One finding of one rule, as Rego returned it.

    `fingerprint` is stable for the same finding in later runs (rule, code, package name, version, integrity).
    """

    rule: str
    code: str
    level: Level
    package: str | None
    message: str
    fix: str
    unknown: bool
    waivable: bool
    waived: bool
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The result of one evaluation: `data` is its canonical JSON, byte for byte the same from every engine."""

    data: bytes
    sha256: str
    verdict: Verdict
    findings: tuple[PolicyFinding, ...]
    rules: tuple[str, ...]


# --------------------------------------------------------------------------------------------------------------------
# Who and what is accepted: read by `sbomgate.trust` from the trust file, the only door for trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """An accepted signer. For now a local key; keyless identities (issuer, identity) fill the same seam.

    Attributes:
        name: for people.
        roles: what its signature is good for: `decision`, `facts`.
        public_key: SubjectPublicKeyInfo, PEM.
        key_id: SHA-256 (hex) of the DER form.
        environments: decisions are accepted for these only; empty means any.
        verifier_id: the `verifier.id` that its summaries carry (SLSA VSA: signer and id are accepted as a pair); None
            for sbomgate's default.
    """

    name: str
    roles: tuple[str, ...]
    public_key: str
    key_id: str
    environments: tuple[str, ...] = ()
    verifier_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedRegistry:
    """An accepted registry: URL with a trailing slash; `scope` (`@acme`) or None for every scope without its own."""

    url: str
    scope: str | None = None
    serves_evidence: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedScript:
    """An install script that may run: bound to name, version, integrity and script digest (see `Scripts.digest`)."""

    name: str
    version: str
    integrity: str
    digest: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A rule that does not apply to one exact version, with the reason, until a time (None: without an end)."""

    rule: str
    name: str
    version: str
    integrity: str
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedProvenance:
    """Who must build a package (exact name or `@scope/*`): the repository's URI, its numeric id, the workflow path."""

    package: str
    repository: str
    repository_id: str | None
    workflow: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The trust file. `NOBODY` in `sbomgate.trust` is what holds without one: no signer is accepted.

    Attributes:
        sha256: of the file's bytes; None without a file. data: its bytes (stored with the evidence).
        signers: who may sign decisions and facts.
        policy_digests: accepted policy bundles (SHA-256, hex); empty accepts only the bundle shipped with this version.
        profile: the weakest profile that `gate` and `verify` accept, or None.
        parameters: rule id → parameter → value: what the project's own config may only tighten.
        repository, lockfile_path, environments: what a decision must be about; None or empty does not demand it.
        max_age_hours: the oldest evidence that `verify` accepts; None for sbomgate's default, never "no limit".
        issuers: OIDC issuers accepted in package provenance.
        trusted_root: bytes of a sigstore trusted_root.json that replaces the shipped one (private sigstore), or None.
        registry_keys: bytes of a keys.json that replaces the shipped registry keys, or None.
        malicious_lists: name → bytes of lists of malicious packages that replace the shipped one, or None.
        resource_uri: the `resourceUri` that a summary must carry, or None where the digest alone is demanded.
        pinned: SHA-256 (hex) → bytes of every file that the trust file names: evidence stores them, replay reads them.
    """

    sha256: str | None
    data: bytes
    signers: tuple[Signer, ...]
    policy_digests: tuple[str, ...]
    profile: str | None
    parameters: Mapping[str, Mapping[str, object]]
    repository: str | None
    lockfile_path: str | None
    environments: tuple[str, ...]
    max_age_hours: float | None
    registries: tuple[TrustedRegistry, ...]
    first_party: tuple[str, ...]
    approved_scripts: tuple[ApprovedScript, ...]
    exclusions: tuple[Exclusion, ...]
    expected_provenance: tuple[ExpectedProvenance, ...]
    issuers: tuple[str, ...]
    trusted_root: bytes | None
    registry_keys: bytes | None
    resource_uri: str | None = None
    pinned: Mapping[str, bytes] = field(default_factory=dict)
    malicious_lists: Mapping[str, bytes] | None = None


# --------------------------------------------------------------------------------------------------------------------
# The policy


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBundle:
    """Rego files and data by path relative to the bundle's root (`decision.rego`, `rules/pinned.rego`), tests left out.

    `sha256` is the policy digest: over the canonical tar, so it does not depend on where the files came from.
    `rules` are the ids of the rules that it holds, sorted: one file each in `rules/`.
    """

    files: Mapping[str, bytes]
    sha256: str
    rules: tuple[str, ...]


class Engine(Protocol):
    """A policy engine. Every implementation gives the same bytes for the same bundle and input."""

    name: str  # `embedded`, `opa`, `opa-url`: recorded in the decision
    version: str  # OPA's version
    ours: bool  # whether we started it: an OPA that we do not run is recorded as such (P24)

    def evaluate(self, bundle: PolicyBundle, policy_input: bytes, query: str) -> bytes:
        """Evaluate `query` (`data.sbomgate.decision.result`) and return its canonical JSON.

        Raises:
            PolicyError: compile error, forbidden built-in, undefined result, failing built-in, over a limit.
        """
        ...
