"""The documents that leave the process, as pydantic types: only `tools/generate_schemas.py` and tests import this.

At run time the JSON Schemas that are generated from these types (schemas/) are what counts: OPA's checker reads the
same files (`opa check --schema`), and jsonschema-rs validates the documents that sbomgate builds as plain dicts.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", description="RFC 3339, UTC")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Wire(BaseModel):
    """Unknown fields are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Claimed(Wire):
    """A value and who says it."""

    value: str
    source: Literal["flag", "ci", "worktree"]


class Project(Wire):
    """What was built."""

    name: str
    version: str | None
    repository: Claimed | None
    commit: Claimed | None
    lockfile_path: str
    workspace: str | None = Field(
        description='directory of the workspace that is judged ("." is the root project); null: the whole lockfile'
    )


class Subject(Wire):
    """The release artefact; null for `check`."""

    kind: Literal["file", "git", "oci"]
    name: str
    digest: dict[str, str]


class LockFinding(Wire):
    """What the lockfile reader found wrong."""

    code: str
    package: str | None
    place: str
    message: str


class Lockfile(Wire):
    """The lockfile that was read."""

    path: str
    kind: str
    version: str
    sha256: Sha256
    findings: dict[str, list[LockFinding]] = Field(description="id of the rule that judges them → what was found")


class Manager(Wire):
    """What the package manager obeys beside the lockfile."""

    name: str
    registry: str
    scopes: dict[str, str]
    settings: dict[str, str]
    files: dict[str, Sha256]


class Publish(Wire):
    """Who says when a version was published."""

    source: Literal["attestation", "registry", "recorded", "withdrawn", "unknown"]
    reason: str
    absent: Time | None = Field(description="a look after `time` that did not have this version yet, by our own ledger")
    seen: Time | None = Field(description="the first look that had it; null where `absent` is")


class Scripts(Wire):
    """What would run at install time."""

    state: Literal["none", "present", "unknown"]
    source: Literal["tarball", "recorded", "other-bytes", "unknown"]
    reason: str
    scripts: dict[str, str]
    gyp: bool
    digest: Sha256 | None
    disagreements: list[str]


class Signature(Wire):
    """The registry's signature."""

    state: Literal["verified", "absent", "not-served", "invalid", "unknown", "not-applicable"]
    reason: str


class Claims(Wire):
    """Verified claims of the signing certificate."""

    issuer: str
    identity: str
    repository: str | None
    repository_id: str | None
    owner: str | None
    owner_id: str | None
    workflow: str | None
    ref: str | None
    commit: str | None
    trigger: str | None
    runner: str | None
    builder: str | None


class Attestation(Wire):
    """The state of one predicate."""

    state: Literal[
        "verified", "unattested", "advertised-missing", "unreachable", "cannot-verify", "invalid", "not-applicable"
    ]
    reason: str
    log_proof: str | None
    log_time: Time | None
    claims: Claims | None


class Package(Wire):
    """One entry of the lockfile: what is its own. The root is not among them. Sorted by id."""

    id: str
    name: str
    version: str | None
    alias: str | None = Field(default=None, description="the name it is installed under, where that is another")
    flags: list[Literal["direct", "dev", "optional", "peer", "unreachable"]]
    bundled_in: str | None = Field(default=None, description="id of the package whose tarball holds it, where one does")
    resolved: str | None
    integrity: str | None
    registry_integrity: str | None = Field(
        default=None, description="what the registry states, where that is another than `integrity`"
    )
    published: Time | None
    first_published: Time | None = Field(description="of the package's first release of all")
    publisher: str | None
    facts: int = Field(description="index of its facts in `facts`")


class Facts(Wire):
    """What is known of packages that have all of it in common."""

    kind: Literal["registry", "git", "tarball", "file", "link", "workspace", "bundled", "patch", "unknown"]
    held: bool = Field(
        description="the last approved build held the same name and version with the same integrity; or, without any, "
        "from the same address"
    )
    registry_agrees: bool | None = Field(
        description="the registry states the integrity of the lockfile; null where it is not known what it states"
    )
    published_until: Time | None = Field(
        description="the latest `published` of the packages that share this; null where none of them has one"
    )
    first_published_until: Time | None = Field(description="the same of `first_published`")
    registry: str | None
    publish: Publish
    scripts: Scripts
    signature: Signature
    publish_attestation: Attestation
    provenance: Attestation
    trusted_publisher: str | None
    licence: str | None
    deprecated: str | None
    malicious: list[str] = Field(description="ids or sources of the lists that name this exact version")
    malicious_name: list[str] = Field(description="lists that name other versions of this package")
    similar: list[str] = Field(
        description="names one edit away, of the baseline or well known; only for a name new to the baseline"
    )


class Manifest(Wire):
    """What is odd about a package's manifest."""

    disagreements: list[str] = Field(
        description="where tarball, registry and lockfile name other dependencies or commands"
    )
    shadows: list[str] = Field(description="well-known commands that its `bin` takes the place of")
    script_files: dict[str, Sha256] = Field(description="files of the tarball that its install scripts name")


class EarlierRelease(Wire):
    """A release of the same package before one that is judged."""

    version: str
    advertised: bool = Field(description="the registry names attestations of it")
    provenance: Attestation
    publisher: str | None
    trusted_publisher: str | None
    maintainers: list[str]


class Earlier(Wire):
    """What a package is measured against; `unknown` says why it is not known, "" where it is."""

    unknown: str
    maintainers: list[str] = Field(description="of the package that is judged, by the registry's word")
    releases: list[EarlierRelease]


class Unmet(Wire):
    """A declared dependency that no entry satisfies: target (an id) null where there is none of that name."""

    target: str | None
    name: str
    kind: Literal["prod", "dev", "optional", "peer", "peerOptional", "workspace", "unknown"]
    range: str
    satisfied: bool | None


class BaselinePackage(Wire):
    """What the last approved build held: the facts that drift is measured against."""

    version: str | None
    integrity: str | None
    resolved: str | None
    scripts_digest: Sha256 | None
    scripts_state: Literal["none", "present", "unknown"]
    provenance: Attestation
    publisher: str | None
    trusted_publisher: str | None
    maintainers: list[str]


class BaselineManager(Wire):
    """What the package manager obeyed in the last approved build."""

    registry: str
    scopes: dict[str, str]
    settings: dict[str, str]


class Baseline(Wire):
    """The last approved build, or `bootstrap` where there is none (then everything else is empty)."""

    state: Literal["bootstrap", "accepted"]
    reason: str
    evidence: Sha256 | None
    decided_at: Time | None
    manager: BaselineManager | None
    held: dict[str, bool] = Field(
        description="name of each package that is not held as it is now → whether any version of it was held"
    )
    packages: dict[str, list[BaselinePackage]] = Field(
        description="name → all that was held of it, sorted; of names that now have an entry which was not held"
    )
    edges: dict[str, list[str]] = Field(
        description='name of the declaring package → real names of its dependencies, sorted; the root is ""; of the '
        "project's own packages, of those in `packages` and of those in `gained`"
    )
    gained: list[str] = Field(
        description="names of packages that depend on anything now which no package of that name did, sorted"
    )


class ApprovedScript(Wire):
    """An install script that the trust file approves."""

    name: str
    version: str
    integrity: str
    digest: Sha256
    reason: str


class TrustedRegistry(Wire):
    """A registry that the trust file accepts; `scope` null means every scope."""

    url: str
    scope: str | None
    serves_evidence: bool


class Exclusion(Wire):
    """A rule that does not apply to one exact version, by the trust file."""

    rule: str
    name: str
    version: str
    integrity: str
    reason: str
    until: Time | None


class ExpectedProvenance(Wire):
    """Who must build a package: by exact name or `@scope/*`."""

    package: str
    repository: str
    repository_id: str | None
    workflow: str | None


class Trust(Wire):
    """The part of the trust file that rules need. Without a trust file: sha256 null and everything empty."""

    sha256: Sha256 | None
    registries: list[TrustedRegistry]
    first_party: list[str] = Field(description="scopes (`@acme`) and names without public evidence")
    approved_scripts: list[ApprovedScript]
    exclusions: list[Exclusion]
    expected_provenance: list[ExpectedProvenance]
    issuers: list[str]
    quorum: int = Field(description="how many different people a waiver or an approval needs", ge=1)


class Change(Wire):
    """Who made the change since the last approved build: nobody approves his own (PROMISES P30)."""

    authors: list[str] = Field(description="people as the trust file names them, on verified identity only")
    authors_known: bool = Field(description="whether these are all; else each approver may be the author")
    reason: str = Field(description="why they are not all known; empty where they are")


class TrustRoot(Wire):
    """What package provenance was verified against."""

    trusted_root: Sha256
    registry_keys: Sha256
    updated: Time | None = Field(
        description="when the trusted root was last known to be the newest; null where nobody says"
    )


class Waiver(Wire):
    """A waiver of one finding that an approver signed; the signature was verified."""

    id: str
    rule: str
    name: str | None
    version: str | None
    integrity: str | None
    fingerprint: Sha256 | None = Field(description="of the very finding that is waived, or null: by rule and package")
    project: str = Field(description="the repository; the project's name only where no repository is known")
    until: Time
    reason: str
    advisory: str | None = Field(description="the advisory that a security fix answers")
    by: str = Field(description="the person who signed, as the trust file names it")


class Approval(Wire):
    """A change that an approver signed: the findings that it was shown with, by fingerprint."""

    id: str
    project: str = Field(description="as in a waiver")
    findings: list[Sha256]
    until: Time
    reason: str
    by: str


class RefusedWaiver(Wire):
    """A waiver or an approval beside the project that does not count, and why."""

    name: str
    reason: str


class MaliciousList(Wire):
    """A list of malicious packages that every package was compared with."""

    name: str
    sha256: Sha256
    entries: int


class TreeProblem(Wire):
    """A difference between a tree and the lockfile."""

    code: str = Field(description="as docs/links.md lists them")
    place: str = Field(description="where, in the tree or the lockfile")
    package: str | None = Field(description="id of the lockfile's package; null where it has none")
    message: str


class TreeLink(Wire):
    """What came of comparing a tree of packages with the lockfile."""

    link: Literal["installed", "contained"]
    material: Sha256 = Field(description="of the stored inventory")
    packages: int = Field(description="so many of the lockfile's packages lie there under their name and version")
    bytes: int = Field(description="of these, so many whose every file was compared with the pinned tarball")
    absent: int = Field(description="so many are not there, and need not be")
    elsewhere: int = Field(description="so many found ones belong to the rest of the same lockfile")
    bundled: int = Field(description="so many found ones are in no lockfile, and inside the tarball of another package")
    files: int
    counts: dict[str, int] = Field(description="code → how many problems")
    problems: list[TreeProblem] = Field(description="the first ones of each code")
    holds: bool = Field(description="nothing speaks against it")


class BuildLink(Wire):
    """What came of verifying the build's own provenance."""

    material: Sha256 = Field(description="of the stored bundle")
    state: Literal["verified", "invalid", "cannot-verify"]
    reason: str
    builder: str | None = Field(description="the accepted builder's name in the trust file")
    builder_id: str | None
    identity: str | None
    repository: str | None
    commit: str | None
    ref: str | None


class Ties(Wire):
    """What ties the artefact to the lockfile; null for what nobody asked for."""

    installed: TreeLink | None
    contained: TreeLink | None
    provenance: BuildLink | None


class PolicyInput(Wire):
    """All that the rules see: facts, never a signature to verify. A pure function of the captured inputs."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate policy input, version 1")

    schema_: Literal["sbomgate/policy-input/v1"] = Field(alias="schema")
    evaluated_at: Time
    profile: Literal["observe", "default", "strict", "release"]
    environment: Claimed | None
    project: Project
    subject: Subject | None
    link: Literal["asserted", "installed", "contained", "provenance"] | None = Field(
        description="how the artefact is tied to the lockfile; null where there is no artefact"
    )
    ties: Ties | None = Field(description="what the link rests on; null where nothing was compared")
    time_source: Literal["self-declared", "timestamp-authority", "transparency-log"] | None = Field(
        description="who vouches for the time; null where nothing is signed"
    )
    parameters: dict[str, dict[str, Any]] = Field(description="rule id → its parameters, complete")
    lockfile: Lockfile
    manager: Manager
    malicious_lists: list[MaliciousList]
    packages: list[Package]
    facts: list[Facts] = Field(description="facts, each once: packages name them by index")
    licences: dict[str, list[list[list[str]]]] = Field(
        description="licence text of `facts` → the ways to accept it: each the licences that hold together, each by "
        "its names from the most exact to the most general; a text that is no SPDX expression is not here"
    )
    manifests: dict[str, Manifest] = Field(description="id → what is odd about its manifest; absent where nothing is")
    earlier: dict[str, Earlier] = Field(
        description="id → the earlier releases that it is measured against; of what is new, changed or, at first, young"
    )
    latest: dict[str, str] = Field(
        default={},
        description="id → what the registry's `latest` names, of each release that is higher than that and no "
        "prerelease; absent where there is none",
    )
    rebuilt: dict[str, list[str]] = Field(
        default={},
        description="id → the trust file's rebuilders who built the same from its source; absent where nobody did",
    )
    edges: dict[str, list[str]] = Field(
        description='id of the declaring package → ids of its dependencies, sorted; the root is ""'
    )
    unmet: dict[str, list[Unmet]] = Field(
        description="id of the declaring package → declared dependencies that no entry satisfies"
    )
    baseline: Baseline
    trust: Trust
    change: Change
    approvals: list[Approval]
    trust_root: TrustRoot
    waivers: list[Waiver]
    refused_waivers: list[RefusedWaiver]


class Finding(Wire):
    """One finding of one rule, as decision.rego returns it."""

    rule: str
    code: str
    level: Literal["deny", "warn", "note"]
    package: str | None
    message: str
    fix: str
    unknown: bool
    waivable: bool
    waived: bool
    fingerprint: Sha256


class EvaluationResult(Wire):
    """What `data.sbomgate.decision.result` is. Findings are sorted by (rule, package, code, fingerprint)."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate evaluation, version 1")

    schema_: Literal["sbomgate/evaluation/v1"] = Field(alias="schema")
    verdict: Literal["allowed", "denied"]
    profile: str
    findings: list[Finding]
    rules: list[str] = Field(description="ids of the rules that ran, sorted")
    packages: int = Field(description="how many packages were judged")
    waived_by: dict[Sha256, list[str]] = Field(description="fingerprint → ids of the waivers or approvals it rests on")
    unused_waivers: list[str]


# --------------------------------------------------------------------------------------------------------------------
# What the command line prints with --json


class Script(Wire):
    """An install script that nobody approved, with what an approval in the trust file is bound to."""

    name: str
    version: str
    integrity: str
    digest: Sha256
    scripts: dict[str, str] = Field(description="name → text, as the tarball has it")


class ReportEntry(Wire):
    """All findings of one level about one name and version, or about the project as a whole (name null)."""

    name: str | None
    version: str | None
    baseline_version: str | None = Field(description="the version in the approved build, where it was another")
    path: list[str] = Field(description="names from the project to the package, one shortest chain")
    findings: list[Finding]
    scripts: list[Script]


class ReportProject(Wire):
    """The project, by its own package.json."""

    name: str
    version: str | None


class Standing(Wire):
    """What a stored decision is worth to somebody who did not make it."""

    verified: bool = Field(description="an accepted signer signed it; false too where no trust file was given")
    signer: str = Field(description='"" where it was not verified')
    said: str
    reasons: list[str] = Field(description="why a deployment by this trust file's terms is refused all the same")


class Ran(Wire):
    """Where a decision was made, by the word of that machine's environment: nobody else vouches for it."""

    source: Literal["environment"]
    system: str = Field(description="github-actions, gitlab-ci, buildkite, azure-pipelines, circleci, jenkins, or none")
    runner: str | None = Field(description="name of the runner, agent or node, else of the host")
    runner_id: str | None
    job: str | None = Field(description="URL of the job, without a query")
    run: str | None = Field(description="id of the workflow run, pipeline or build")
    repository: str | None


class Kept(Wire):
    """What a registry said at another time, and this decision took from the cache."""

    packages: int = Field(description="how many packages it is about")
    oldest: Time = Field(description="when the registry said the oldest of it")


class Report(Wire):
    """What `check --json`, `gate --json` and `report --format json` print. Entries are sorted, the worst first."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate report, version 1")

    schema_: Literal["sbomgate/report/v1"] = Field(alias="schema")
    verdict: Literal["allowed", "denied"]
    project: ReportProject
    lockfile: str
    workspace: str | None = Field(description="directory of the workspace that is judged; null: the whole lockfile")
    packages: int
    profile: Literal["observe", "default", "strict", "release"]
    engine: str
    baseline: str = Field(description="one phrase: what the build was compared with")
    accepted_signers: int = Field(description="how many signers the trust file accepts; 0 without one")
    trust_root: TrustRoot
    rules: list[str] = Field(description="ids of the rules that ran, sorted")
    denials: list[ReportEntry]
    warnings: list[ReportEntry]
    notes: list[ReportEntry]
    waived: list[ReportEntry]
    unknown: list[Finding] = Field(description="what is not known, one finding for each kind of evidence")
    evaluation_sha256: Sha256
    evidence: str | None = Field(description="where the evidence lies; null for `check`")
    decision_sha256: Sha256 | None
    ran: Ran | None
    from_cache: Kept | None = Field(
        description="the registries' words that were not asked for now; null where there are none, so in what is signed"
    )
    standing: Standing | None = Field(description="of stored evidence that was read back; null where it was just made")


class Undecided(Wire):
    """A decision that could not be made."""

    place: str = Field(description="the workspace, or the lockfile, in the repository")
    message: str
    hint: str


class Reports(Wire):
    """What they print with `--json` where several decisions were asked for."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate reports, version 1")

    schema_: Literal["sbomgate/reports/v1"] = Field(alias="schema")
    verdict: Literal["allowed", "denied"] | None = Field(
        description="denied where one is; null where one could not be decided"
    )
    reports: list[Report]
    undecided: list[Undecided]


class Reason(Wire):
    """Why evidence does not allow a deployment."""

    code: str
    message: str


class DecidingDecision(Wire):
    """The decision that decided."""

    sha256: Sha256
    verdict: Literal["allowed", "denied"]
    signer: str
    time: Time
    time_source: str = Field(description="whose word the time is")
    profile: Literal["default", "strict", "release"]
    link: str = Field(description="how the artefact is tied to the lockfile")
    workspace: str | None = Field(description="directory of the workspace that it is about; null: the whole lockfile")


class PersonalOverride(Wire):
    """One person's override."""

    person: str
    issued_at: Time
    until: Time
    time_source: str = Field(description="whose word the time is")
    reason: str


class Overridden(Wire):
    """Who overrode a FAILED decision, and until when that holds."""

    until: Time
    by: list[PersonalOverride]


class DecidingSummary(Wire):
    """The summary of another verifier that decided."""

    verifier: str = Field(description="as the trust file names it")
    result: Literal["PASSED", "FAILED"]
    time: Time
    time_source: str = Field(description="whose word the time is")
    levels: list[str]
    resource_uri: str
    policy: str = Field(description="its digest, else its URI")
    says: dict[str, str] = Field(description="what it says of sbomgate's extension fields")


class StoreHead(Wire):
    """The store's newest head by an accepted signer."""

    sequence: int
    entries: int = Field(description="how many decisions and revocations it covers")
    signer: str
    time: Time


class Revoked(Wire):
    """A revocation that hits a decision on the artefact."""

    sha256: Sha256
    signer: str
    time: Time
    reason: str


class Verification(Wire):
    """What `sbomgate verify --json` prints. Accepted where no reason speaks against it, or persons overrode it."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate verification, version 1")

    schema_: Literal["sbomgate/verification/v1"] = Field(alias="schema")
    subject: str
    accepted: bool
    result: Literal["verified", "overridden", "refused"]
    overridden: Overridden | None
    reasons: list[Reason]
    notes: list[str]
    head: StoreHead | None
    revocations: list[Revoked]
    decision: DecidingDecision | None
    summary: DecidingSummary | None = Field(description="null unless another verifier decided")


class AuditCounts(Wire):
    """Decisions by what they come to; those by nobody who is accepted are `strangers`."""

    all: int
    passed: int
    failed: int
    observed: int
    revoked: int
    strangers: int


class AuditProblem(Wire):
    """Something that is not as the signatures or the head say."""

    kind: Literal["altered", "missing", "uncovered", "age", "head", "signature", "attestation", "unreadable"]
    path: str
    message: str


class Audit(Wire):
    """What `sbomgate audit --json` prints."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate audit, version 1")

    schema_: Literal["sbomgate/audit/v1"] = Field(alias="schema")
    store: str
    sound: bool
    builds: int
    decisions: AuditCounts
    package_evidence: int = Field(description="packages whose attestations and signatures were verified, each once")
    heads: int
    head: StoreHead | None
    problems: list[AuditProblem]
    notes: list[str]


# --------------------------------------------------------------------------------------------------------------------
# What is signed beside decisions: predicates of in-toto statements


class Digest(Wire):
    """A digest."""

    sha256: Sha256


class StoreHeadPredicate(Wire):
    """Predicate of type https://sbomgate.dev/store-head/v1; the subject is the newest segment of the store's log."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate store head, version 1")

    sequence: int = Field(ge=1, description="the number of this head")
    entries: int = Field(ge=1, description="how many entries of the log it covers")
    previous: Digest | None = Field(description="the bundle of the head before it; null for the first")
    time: Time
    timeSource: Literal["self-declared", "timestamp-authority", "transparency-log"]
    sbomgate: str = Field(description="the version that wrote it")


class RevokedSigner(Wire):
    """Whose decisions are withdrawn: a key, or an identity with its issuer."""

    keyId: Sha256 | None
    issuer: str | None
    identity: str | None
    from_: Time | None = Field(alias="from", description="from when on; null: all")


class RevocationPredicate(Wire):
    """Predicate of type https://sbomgate.dev/revocation/v1: exactly one of `decision` and `signer` is not null."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate revocation, version 1")

    decision: Digest | None = Field(description="decision.sigstore.json")
    build: Digest | None = Field(
        default=None, description="the build manifest that the decision is about; absent for a signer, and earlier"
    )
    signer: RevokedSigner | None
    issuedAt: Time
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class RunningPlace(Wire):
    """Where an artefact runs, and since when, by `sbomgate inventory deployed`."""

    environment: str
    since: Time


class RevokedDecision(Wire):
    """A decision that a revocation hits."""

    sha256: Sha256
    build: Sha256 = Field(description="SHA-256 of its build manifest, the name of its folder")
    subject: str
    verdict: Literal["allowed", "denied"]
    environment: str | None
    signer: str
    time: Time
    running: list[RunningPlace] | None = Field(description="where its artefact runs now; null: no inventory was given")


class RevokedList(Wire):
    """What `sbomgate revoke --json` prints."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate revoked, version 1")

    schema_: Literal["sbomgate/revoked/v1"] = Field(alias="schema")
    revocation: Sha256
    signer: str
    time: Time
    reason: str
    decisions: list[RevokedDecision]


class ReplayDenial(Wire):
    """What denies."""

    rule: str
    package: str | None
    message: str


class ReplayDifference(Wire):
    """What does not come out as it was stored; `place` is the first place inside it, "" where that is not known."""

    name: str
    stored: str
    now: str
    place: str


class ReplayedBuild(Wire):
    """What came of the newest decision on a build; `error` says why it could not be replayed."""

    decision: Sha256 | None
    build: str
    subject: str
    project: str
    time: Time | None
    profile: str
    was: Literal["allowed", "denied"] | None
    now: Literal["allowed", "denied"] | None
    denials: list[ReplayDenial]
    differences: list[ReplayDifference]
    error: str | None


class Replays(Wire):
    """What `sbomgate replay --json` prints, the newest first."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate replays, version 1")

    schema_: Literal["sbomgate/replays/v1"] = Field(alias="schema")
    builds: list[ReplayedBuild]


class WatchAlert(Wire):
    """One thing that is wrong with one new release; the same `id` in every run, and told once."""

    id: Sha256
    registry: str
    name: str
    version: str
    published: Time | None = Field(description="by the registry's word")
    code: str
    message: str
    found: Time
    held: list[str] = Field(description="versions of the package that the inventory held")
    builds: int = Field(description="how many builds held any of them")


class WatchUnknown(Wire):
    """What could not be looked at; `version` is null where nothing of the package could."""

    registry: str
    name: str
    version: str | None
    reason: str


class Watch(Wire):
    """What `sbomgate watch --json` prints."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate watch, version 1")

    schema_: Literal["sbomgate/watch/v1"] = Field(alias="schema")
    at: Time
    window_days: int = Field(description="at the first look at a package, releases younger than this were judged")
    packages: int = Field(description="how many were looked at")
    unchanged: int = Field(description="of how many the registry says that nothing changed")
    first: int = Field(description="how many were looked at for the first time")
    releases: int = Field(description="how many new releases were judged")
    alerts: list[WatchAlert] = Field(description="what was not told before, by package, version and code")
    unknown: list[WatchUnknown] = Field(description="looked at again in the next run")
    notes: list[str]


class StoreCounts(Wire):
    """How much was judged, and what came of it."""

    packages: int
    rules: int
    denied: int
    warnings: int
    notes: int
    waived: int
    unknown: int


class StoreCoverage(Wire):
    """How much was known of the packages that are not the project's own: words → how many, none of them zero."""

    packages: int
    bound: int = Field(description="how many have a sha512 in the lockfile")
    provenance: dict[str, int]
    signatures: dict[str, int]
    scripts: dict[str, int]
    ages: dict[str, int]


class StoredDecision(Wire):
    """One decision in a store."""

    decision_sha256: Sha256
    build_sha256: Sha256
    verdict: Literal["allowed", "denied"]
    project: ReportProject
    subject: dict[str, str] | None = Field(description="digests of the artefact")
    decided_at: Time
    profile: Literal["observe", "default", "strict", "release"]
    lockfile: str
    workspace: str | None
    repository: str | None
    commit: str | None
    environment: str | None
    counts: StoreCounts
    coverage: StoreCoverage
    denied_by: list[str] = Field(description="ids of the rules that denied, sorted")
    verified: bool = Field(description="an accepted signer signed it; false too where no trust file was given")
    standing: str
    reasons: list[str] = Field(description="why a deployment by this trust file's terms is refused all the same")


class StoredWaiver(Wire):
    """A waiver or an approval that counted in some decision."""

    sha256: Sha256
    kind: Literal["waiver", "approval"]
    rule: str | None
    by: str
    until: Time
    reason: str
    state: Literal["ended", "ends soon", "in force"] = Field(description="as of the newest decision")
    project: str
    used: bool = Field(description="whether any finding was waived by it")


class BrokenBuild(Wire):
    """A build whose evidence was altered or cannot be read."""

    build: str
    message: str


class StoreReport(Wire):
    """What `sbomgate report STORE --format json` prints: every decision, oldest first."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate store report, version 1")

    schema_: Literal["sbomgate/store-report/v1"] = Field(alias="schema")
    as_of: Time | None = Field(description="the newest decision's time")
    decisions: list[StoredDecision]
    waivers: list[StoredWaiver] = Field(description="by their end")
    broken: list[BrokenBuild]
    strange: list[str] = Field(description="what lies in the store and is no evidence")
