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


class PolicyInput(Wire):
    """All that the rules see: facts, never a signature to verify. A pure function of the captured inputs."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate policy input, version 1")

    schema_: Literal["sbomgate/policy-input/v1"] = Field(alias="schema")
    evaluated_at: Time
    profile: Literal["observe", "default", "strict", "release"]
    environment: Claimed | None
    project: Project
    subject: Subject | None
    link: Literal["asserted"] | None = Field(
        description="how the artefact is tied to the lockfile; null where there is no artefact"
    )
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


class Report(Wire):
    """What `sbomgate check --json` and `gate --json` print. Entries are sorted, the worst first."""

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
    decision: DecidingDecision | None
