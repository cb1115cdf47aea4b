"""The trust file, as pydantic types: only `tools/generate_trust_schema.py` and tests import this.

At run time `schemas/trust.schema.json`, which is generated from these types, is what counts: `sbomgate.trust` validates
the file with it, and editors complete by it. What a schema cannot say (that a key can be read, that a digest fits its
file, that a time is real) `sbomgate.trust` checks.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# Every text here means exactly one thing. Characters that wildcards and regular expressions are made of do not occur in
# a name: what looks like a pattern was meant as one, and no pattern is accepted (PROMISES P21).


def _text(form: str, pattern: str, *, longest: int = 512) -> Any:
    """A text of one form. `$comment` travels in the schema: `sbomgate.trust` says it where a value has another form."""
    return Field(pattern=pattern, max_length=longest, description=form, json_schema_extra={"$comment": form})


_PART = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_SCOPE = rf"@{_PART}"
_NAME = rf"({_SCOPE}/)?{_PART}"
_LOOSE = r"*+?^$|\\()\[\]{}<>"  # what wildcards and regular expressions are made of
Exact = Annotated[
    str,
    _text(
        "one exact value: not empty, no wildcard, no regular expression",
        rf"^[^\s.{_LOOSE}]([^\r\n\t{_LOOSE}]*[^\s{_LOOSE}])?$",
    ),
]
_NAMED = r"[!-#%-'+-;=@-Z_`a-z~]"  # what an identity's URI or address is made of: a certificate has ASCII only
Identity = Annotated[
    str,
    _text(
        "one exact identity (a workflow's URI with its ref, or an e-mail address); only the end of a ref may vary: "
        "@refs/tags/v*",
        rf"^{_NAMED}+(@refs/(tags/|heads/{_NAMED}){_NAMED}*\*)?$",
    ),
]
_HOST = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"  # other scripts as DNS has them: xn--…
Url = Annotated[
    str,
    _text(
        "one https URL in ASCII without user, query or wildcard (http for loopback only)",
        rf"^(https://{_HOST}(:[0-9]{{1,5}})?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{{1,5}})?)"
        r'(/[!"$-)+->A-\[\]-~]*)?$',
    ),
]
Uri = Annotated[str, _text("one exact URI with its scheme, without wildcard", r"^[a-z][a-z0-9+.-]*:[^\s*]+$")]
Package = Annotated[
    str,
    _text(
        "a package's exact name, or every package of one scope: `@scope/*`", rf"^({_NAME}|{_SCOPE}/\*)$", longest=256
    ),
]
PackageName = Annotated[str, _text("a package's exact name", rf"^{_NAME}$", longest=256)]
ScopeOrName = Annotated[str, _text("a scope (`@acme`) or an exact name", rf"^({_SCOPE}|{_NAME})$", longest=256)]
Scope = Annotated[str, _text("a scope (`@acme`)", rf"^{_SCOPE}$", longest=256)]
Sha256 = Annotated[str, _text("a SHA-256: 64 lowercase hex digits", r"^[0-9a-f]{64}$")]
Integrity = Annotated[str, _text("an integrity as in the lockfile: `sha512-…`", r"^sha512-[A-Za-z0-9+/]{86}==$")]
Version = Annotated[str, _text("one exact version", r"^[0-9][0-9A-Za-z.+-]*$", longest=256)]
Time = Annotated[
    str, _text("a time with its zone, as in 2026-12-01T00:00:00Z", r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
]
Reason = Annotated[str, _text("a sentence that says why", r"\S", longest=2000)]
RuleId = Annotated[str, _text("the id of a rule", r"^[a-z][a-z0-9_]*$", longest=64)]
RelativePath = Annotated[
    str,
    _text(
        "one path relative to the repository's root, with / between its parts, without wildcard",
        r"^[^\s/*\\]([^*\\\r\n\t]*[^\s*\\])?$",
    ),
]
NumericId = Annotated[str, _text("a numeric id, as text", r"^[0-9]+$", longest=32)]
Address = Annotated[str, _text("an e-mail address", r"^[^\s@<>*]+@[^\s@<>*]+$", longest=254)]
SshKey = Annotated[
    str,
    _text(
        "a public key as OpenSSH writes it: type and base64, without options",
        r"^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [^\r\n]*)?$",
        longest=4096,
    ),
]
IssuerName = Annotated[str, _text("a short name of small letters, digits and -", r"^[a-z][a-z0-9-]*$", longest=64)]
FilePath = Annotated[str, _text("a path relative to the trust file", r"\S", longest=1024)]
Pem = Annotated[str, _text("a public key in PEM, from BEGIN to END", r"^\s*-----BEGIN ", longest=4096)]


class Part(BaseModel):
    """Unknown keys are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PinnedFile(Part):
    """A file beside the trust file; its digest is mandatory."""

    path: FilePath
    sha256: Sha256


class Signer(Part):
    """Who may sign, what for, and for which environments: a key, or an identity that sigstore certifies."""

    name: Exact
    person: Exact | None = Field(
        default=None, description="who that is: the same for all keys of one person; absent means the name"
    )
    roles: Annotated[
        list[Literal["decision", "facts", "approver", "override", "policy", "revoker"]],
        Field(min_length=1, json_schema_extra={"uniqueItems": True}),
    ]
    public_key: Pem | PinnedFile | None = Field(
        default=None, description="ECDSA P-256 or Ed25519, PEM: inline, or a file beside this one with its digest"
    )
    issuer: Url | None = Field(default=None, description="the OIDC issuer that vouches for `identity`")
    identity: Identity | None = Field(default=None, description="what the certificate must name, beside `issuer`")
    repository: Url | None = Field(
        default=None, description="where the workflow ran; needed where `identity` lies in another repository"
    )
    repository_id: NumericId | None = Field(default=None, description="GitHub's numeric id of that repository")
    owner_id: NumericId | None = Field(default=None, description="GitHub's numeric id of its owner")
    triggers: Annotated[list[Exact], Field(json_schema_extra={"uniqueItems": True})] = Field(
        default=[], description="what may have started the workflow, as in `push`; empty means anything"
    )
    runner: Exact | None = Field(default=None, description="where the workflow must have run: `github-hosted`")
    environments: list[Exact] = Field(
        default=[], description="what it decides, approves or overrides counts for these only; empty means any"
    )
    verifier: Uri | None = Field(default=None, description="the verifier.id that its summaries carry")


class Builder(Part):
    """Who may build release artefacts, by the provenance that the build signs."""

    name: Exact
    issuer: Url = Field(description="the OIDC issuer that vouches for `identity`")
    identity: Identity = Field(description="the workflow that its certificates name; a reusable one may lie elsewhere")
    builder_id: Uri = Field(description="what the provenance names as builder.id")
    repository: Url | None = Field(
        default=None, description="the only repository that it may build; absent: the one that the decision is about"
    )
    repository_id: NumericId | None = Field(default=None, description="GitHub's numeric id of that repository")
    owner_id: NumericId | None = Field(default=None, description="GitHub's numeric id of its owner")
    triggers: Annotated[list[Exact], Field(json_schema_extra={"uniqueItems": True})] = Field(
        default=[], description="what may have started the workflow, as in `push`; empty means anything"
    )
    runner: Exact | None = Field(default=None, description="where the workflow must have run: `github-hosted`")


class Rebuilder(Part):
    """Who builds packages again from their source: his word is a fact of its own, and no publisher's provenance."""

    name: Exact
    builder_id: Uri = Field(description="what the attestations name as builder.id")
    public_key: Pem | PinnedFile = Field(description="ECDSA P-256 or Ed25519, PEM: inline, or a file with its digest")
    attestations: Annotated[list[PinnedFile], Field(min_length=1)] = Field(
        description="files of DSSE envelopes, one a line (rebuild.intoto.jsonl)"
    )


class Verifier(Part):
    """Another verifier, whose SLSA Verification Summaries count at deploy time: a key, or an identity."""

    name: Exact
    id: Uri = Field(description="the verifier.id that its summaries carry")
    levels: Annotated[list[Exact], Field(min_length=1, json_schema_extra={"uniqueItems": True})] = Field(
        description="verifiedLevels, one of which a summary must have"
    )
    policy_digests: list[Sha256] = Field(default=[], description="accepted policies, by the digest in the summary")
    policy_uris: list[Uri] = Field(default=[], description="accepted policies, by the URI in the summary")
    resource_uris: list[Uri] = Field(default=[], description="accepted resourceUris; empty means any")
    environments: list[Exact] = Field(
        default=[], description="what its summaries count for: they do not say it themselves; empty means any"
    )
    public_key: Pem | PinnedFile | None = None
    issuer: Url | None = None
    identity: Identity | None = None
    repository: Url | None = None
    repository_id: NumericId | None = None
    owner_id: NumericId | None = None
    triggers: Annotated[list[Exact], Field(json_schema_extra={"uniqueItems": True})] = []
    runner: Exact | None = None


class Registry(Part):
    """An accepted registry, for one scope or for every scope without its own."""

    url: Url
    scope: Scope | None = None
    serves_evidence: bool = Field(default=True, description="whether it serves signatures and attestations at all")


class ApprovedScript(Part):
    """An install script that somebody has read: this version, these bytes, this text."""

    name: PackageName
    version: Version
    integrity: Integrity
    digest: Sha256
    reason: Reason


class Exclusion(Part):
    """A rule that does not apply to one exact version."""

    rule: RuleId
    name: PackageName
    version: Version
    integrity: Integrity
    reason: Reason
    until: Time | None = None


class ExpectedProvenance(Part):
    """Who must build a package."""

    package: Package
    repository: Url
    repository_id: NumericId | None = None
    workflow: RelativePath | None = None


class Approvals(Part):
    """What a waiver or an approval needs, beside the signature of a signer with the role `approver`."""

    quorum: Annotated[int, Field(ge=1, le=16)] = Field(default=1, description="how many different people")
    max_days: Annotated[float, Field(gt=0, le=366)] = Field(default=90, description="the longest that one may hold")


class Person(Part):
    """Who may have made a change: what his commits and his CI jobs are known by."""

    name: Exact = Field(description="the `person` of his entries in signers; for others a name of its own")
    addresses: Annotated[list[Address], Field(json_schema_extra={"uniqueItems": True})] = Field(
        default=[], description="e-mail addresses that his commits carry"
    )
    ssh_keys: Annotated[list[SshKey], Field(json_schema_extra={"uniqueItems": True})] = Field(
        default=[], description="what he signs commits with, as in an allowed-signers file"
    )
    accounts: dict[IssuerName, Annotated[list[NumericId], Field(min_length=1)]] = Field(
        default={}, description="name of a token issuer → his numeric ids there"
    )


class TokenIssuer(Part):
    """Whose identity tokens prove who started a CI job."""

    name: IssuerName = Field(description="for the accounts of people")
    issuer: Url = Field(description="the `iss` of its tokens")
    keys: PinnedFile = Field(description="its JSON Web Key Set")
    audience: Exact = Field(default="sbomgate", description="the `aud` of its tokens")
    account: Literal["actor_id", "user_id"] = Field(
        description="the claim with the id: actor_id (GitHub), user_id (GitLab)"
    )
    repository: RelativePath = Field(description="whose jobs: GitHub's `repository`, GitLab's `project_path`")


class BreakGlass(Part):
    """Overrides of FAILED decisions by two signers with the role `override`; without this table none is honoured."""

    max_hours: Annotated[float, Field(gt=0, le=24)] = Field(default=24, description="the longest that one may hold")


class Sigstore(Part):
    """A newer trust root (`sbomgate trust update`), a private sigstore's, or a private registry's keys."""

    trusted_root: PinnedFile | None = None
    registry_keys: PinnedFile | None = None
    signing_config: PinnedFile | None = Field(
        default=None, description="sigstore's signing configuration (JSON): the services that `gate` signs with"
    )
    updated: Time | None = Field(
        default=None, description="when trusted_root was last verified to be the newest; without it its age is unknown"
    )


class TrustFile(Part):
    """Who and what is accepted. What is not named is not accepted."""

    model_config = ConfigDict(extra="forbid", strict=True, title="sbomgate trust file, version 1")

    schema_: Literal["sbomgate/trust/v1"] = Field(alias="schema")
    signers: Annotated[list[Signer], Field(min_length=1)]
    repository: Url | None = Field(default=None, description="the repository that a decision must be about")
    lockfile_path: RelativePath | None = Field(default=None, description="the lockfile that a decision must be about")
    environments: Annotated[list[Exact], Field(json_schema_extra={"uniqueItems": True})] = Field(
        default=[], description="the environments that a decision may be for; empty demands none"
    )
    resource_uri: Uri | None = Field(default=None, description="the resourceUri that a summary must carry")
    max_age_hours: Annotated[float, Field(gt=0, le=87600)] | None = Field(
        default=None, description="the oldest evidence that is accepted; absent means 168 hours"
    )
    max_head_age_hours: Annotated[float, Field(gt=0, le=87600)] | None = Field(
        default=None,
        description="the oldest signed head of a store that is accepted, which must cover the decision; absent demands "
        "no head",
    )
    profile: Literal["default", "strict", "release"] | None = Field(
        default=None, description="the weakest profile that is accepted; observe never is"
    )
    policy_digests: list[Sha256] = Field(
        default=[], description="accepted policy bundles; empty accepts only the one shipped with sbomgate"
    )
    parameters: dict[RuleId, dict[RuleId, Any]] = Field(
        default={}, description="rule → parameter → value; a project's own settings can only tighten these"
    )
    malicious_lists: list[PinnedFile] | None = Field(
        default=None,
        description="lists of malicious packages (CSV) instead of the shipped one; a project can add to them",
    )
    builders: list[Builder] = []
    rebuilders: list[Rebuilder] = []
    verifiers: list[Verifier] = []
    registries: list[Registry] = []
    first_party: list[ScopeOrName] = []
    approved_scripts: list[ApprovedScript] = []
    exclusions: list[Exclusion] = []
    expected_provenance: list[ExpectedProvenance] = []
    issuers: list[Url] = Field(default=[], description="OIDC issuers that are accepted in package provenance")
    sigstore: Sigstore | None = None
    approvals: Approvals | None = None
    people: list[Person] = []
    token_issuers: list[TokenIssuer] = []
    break_glass: BreakGlass | None = None
