"""Who and what is accepted: read by `sbomgate.trust` from the trust file, the only door for trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedIdentity:
    """Who a certificate of sigstore must name: every attribute that is not None or empty must be what it says, exactly.

    Attributes:
        issuer: who vouches for the identity (an OIDC issuer).
        identity: the certificate's subject alternative name: a workflow's URI or an e-mail address. One that ends in
            `*` after `@refs/tags/` or `@refs/heads/` accepts every ref that starts so; no other part of it varies.
        repository: where the build ran. None where `identity` lies in that repository itself.
        repository_id, owner_id: GitHub's numeric ids, which survive a transfer of the name.
        triggers: what may have started the workflow (`push`); empty for anything.
        runner: `github-hosted` or `self-hosted`.
    """

    issuer: str
    identity: str
    repository: str | None = None
    repository_id: str | None = None
    owner_id: str | None = None
    triggers: tuple[str, ...] = ()
    runner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """An accepted signer: the holder of a key, or an identity that sigstore certifies; never both.

    Attributes:
        name: for people.
        person: who that is, for telling two people apart: the same for all keys of one person, in lower case.
        roles: what its signature is good for: `decision`, `facts`, `approver` (waivers and approvals),
            `override` (of FAILED decisions), `policy` (bundles given with --policy), `revoker` (revocations of whatever
            anybody decided).
        public_key: SubjectPublicKeyInfo, PEM; None for an identity.
        key_id: SHA-256 (hex) of the DER form; None for an identity.
        environments: decisions, and approvals and overrides of decisions, are accepted for these only; empty means any.
        verifier_id: the `verifier.id` that its summaries carry (SLSA VSA: signer and id are accepted as a pair); None
            for sbomgate's default.
        identity: whom its certificates must name; None for a key.
        trusted_root: the sigstore that its certificates and timestamps come from (`[sigstore] trusted_root`); None for
            the shipped one.
    """

    name: str
    roles: tuple[str, ...]
    public_key: str | None = None
    key_id: str | None = None
    environments: tuple[str, ...] = ()
    verifier_id: str | None = None
    person: str = ""
    identity: AcceptedIdentity | None = None
    trusted_root: bytes | None = field(default=None, repr=False)

    def may_for(self, environment: str | None) -> bool:
        """Whether what it signs counts for an environment; None: for none that is named."""
        return not self.environments or environment in self.environments

    def only_for(self, environment: str | None) -> str:
        """Return, in one sentence, that it does not."""
        asked = "no environment" if environment is None else repr(environment)
        return f"the decision is for {asked}, and {self.name!r} is accepted for {', '.join(self.environments)} only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """An accepted builder of release artefacts (P13).

    Attributes:
        name: for people.
        identity: whom its certificates must name; without a `repository` it may build what the decision is about.
        builder_id: what its provenance must name as the builder, exactly.
    """

    name: str
    identity: AcceptedIdentity
    builder_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilder:
    """Somebody who builds other people's packages again, and attests where the same comes out.

    Attributes:
        name: for people. builder_id: what his attestations must name as the builder, exactly.
        public_key: SubjectPublicKeyInfo, PEM.
        attestations: files of them, a DSSE envelope a line; not verified yet.
    """

    name: str
    builder_id: str
    public_key: str
    attestations: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVerifier:
    """Another verifier, whose SLSA Verification Summaries `verify` accepts.

    Attributes:
        signer: who signs them; its `verifier_id` is the `verifier.id` that they carry.
        levels: of `verifiedLevels` one of these must be among them.
        policy_digests: SHA-256 (hex) of accepted policies; empty where `policy_uris` says which.
        policy_uris: accepted `policy.uri`s; at least one of the two is not empty.
        resource_uris: accepted `resourceUri`s; empty for any, the digest being what counts.
    """

    signer: Signer
    levels: tuple[str, ...]
    policy_digests: tuple[str, ...] = ()
    policy_uris: tuple[str, ...] = ()
    resource_uris: tuple[str, ...] = ()


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
class Person:
    """Who a person is beyond what he signs decisions and approvals with: for telling who made a change.

    Attributes:
        name: the `Signer.person` of his keys and identities.
        addresses: what his commits call him (lower case): nobody's proof, and enough to refuse his own approval.
        ssh_keys: what he signs commits with: (type, the key in OpenSSH's encoding).
        accounts: his numeric ids: (name of the `TokenIssuer`, id).
    """

    name: str
    addresses: tuple[str, ...] = ()
    ssh_keys: tuple[tuple[str, bytes], ...] = ()
    accounts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """An issuer of identity tokens (OpenID Connect) that say who started a CI job.

    Attributes:
        name: for `Person.accounts`. issuer: the `iss` of its tokens.
        keys: its JSON Web Key Set, pinned: nothing is fetched.
        audience: the `aud` that a token must have.
        account: the claim with the numeric id of whoever started the job: `actor_id` (GitHub), `user_id` (GitLab).
        repository: whose jobs: the claim `repository` (GitHub) or `project_path` (GitLab).
    """

    name: str
    issuer: str
    keys: bytes
    audience: str
    account: str
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoot:
    """What package provenance was verified against: digests (SHA-256, hex), and since when it may be out of date.

    Attributes:
        trusted_root: of sigstore's trusted root.
        registry_keys: of the registry's keys.
        updated: when the trusted root was last known to be the newest, or None where nobody says.
    """

    trusted_root: str
    registry_keys: str
    updated: datetime | None


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
        max_head_age_hours: the oldest head of the store that `verify` accepts, which must cover the decision; None
            demands no head.
        issuers: OIDC issuers accepted in package provenance.
        trusted_root: bytes of a sigstore trusted_root.json that replaces the shipped one (private sigstore), or None.
        trusted_root_updated: when that file was last verified to be the newest, by the trust file; None: not known.
        registry_keys: bytes of a keys.json that replaces the shipped registry keys, or None.
        malicious_lists: name → bytes of lists of malicious packages that replace the shipped one, or None.
        resource_uri: the `resourceUri` that a summary must carry, or None where the digest alone is demanded.
        quorum: how many different people a waiver or an approval needs.
        max_waiver_days: the longest that a waiver or an approval may hold.
        signing_config: the services that sign (sigstore's signing configuration), or None for the public ones; a local
            key is timestamped only where one is named.
        builders: who may build release artefacts.
        rebuilders: who builds packages again, with what he attests.
        verifiers: whose verification summaries are accepted beside decisions of sbomgate.
        people, token_issuers: who made a change, and what proves it; empty: nothing does.
        break_glass_hours: the longest that an override of a FAILED decision may hold; None: none is honoured.
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
    trusted_root_updated: datetime | None = None
    pinned: Mapping[str, bytes] = field(default_factory=dict)
    malicious_lists: Mapping[str, bytes] | None = None
    quorum: int = 1
    max_waiver_days: float = 90
    signing_config: bytes | None = None
    builders: tuple[Builder, ...] = ()
    rebuilders: tuple[Rebuilder, ...] = ()
    verifiers: tuple[OtherVerifier, ...] = ()
    max_head_age_hours: float | None = None
    people: tuple[Person, ...] = ()
    token_issuers: tuple[TokenIssuer, ...] = ()
    break_glass_hours: float | None = None
