"""Small real evidence for tests: signed records with fixed keys and times. Not shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from sbomgate import trust
from sbomgate.decision import (
    DEFAULT_VERIFIER_ID,
    BaselineRecord,
    Counts,
    Decision,
    EngineRecord,
    material,
    write_detail,
    write_summary,
)
from sbomgate.evidence.record import Record
from sbomgate.model import Claimed, Context, Signer, Subject, SubjectKind, Trust, Verdict
from sbomgate.signing.local_key import LocalKey

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POLICY = "ab" * 32
REPOSITORY = "https://github.com/acme/shop"

TARBALL = Subject(kind=SubjectKind.FILE, name="shop-3.2.0.tgz", digest={"sha256": "1f" * 32})
OTHER_TARBALL = Subject(kind=SubjectKind.FILE, name="shop-3.2.0.tgz", digest={"sha256": "2f" * 32})
COMMIT = Subject(kind=SubjectKind.GIT, name="git:abababababab", digest={"gitCommit": "ab" * 20})
IMAGE = Subject(kind=SubjectKind.OCI, name="registry.example:5000/acme/shop", digest={"sha256": "3f" * 32})

BLOBS: Mapping[str, tuple[str, bytes]] = {
    "attestations/axios-1.14.0.json": ("application/json", b'{"attestations":[]}'),
    "evaluation.json": ("application/json", b'{"findings":[],"verdict":"allowed"}'),
    "facts.json": ("application/json", b'{"facts":[]}'),
    "policy-input.json": ("application/json", b'{"packages":[]}'),
    "policy.tar.gz": ("application/gzip", b"\x1f\x8b not really"),
    "sbom.cdx.json": ("application/vnd.cyclonedx+json", b'{"bomFormat":"CycloneDX"}'),
    "trust.toml": ("application/toml", b'schema = "sbomgate/trust/v1"\n'),
}


def key(number: int = 1) -> LocalKey:
    """Return the same key for the same number."""
    return LocalKey(ec.derive_private_key(number, ec.SECP256R1()))


def signer(
    local: LocalKey, *, name: str = "release key", roles: tuple[str, ...] = ("decision",), **more: Any
) -> Signer:
    """Return a key as a trust file would name it."""
    return Signer(name=name, roles=roles, public_key=local.public_key, key_id=local.key_id, **more)


def trusting(*signers: Signer, **changes: Any) -> Trust:
    """Return what a trust file with these signers says; without any, the first key is accepted."""
    return replace(trust.NOBODY, sha256="cd" * 32, data=b"-", signers=signers or (signer(key()),), **changes)


def decision(
    subject: Subject = TARBALL,
    *,
    verdict: Verdict = Verdict.ALLOWED,
    age: timedelta = timedelta(hours=1),
    profile: str = "default",
    environment: str | None = "production",
    repository: str | None = REPOSITORY,
    lockfile_path: str = "package-lock.json",
    workspace: str | None = None,
    blobs: Mapping[str, tuple[str, bytes]] = BLOBS,
    **changes: Any,
) -> Decision:
    """Return a decision that everything accepts, but for what is asked for."""
    lock = material(f"project/{lockfile_path}", b"{}", "application/json", stored=False)
    stored = [material(name, data, media_type) for name, (media_type, data) in blobs.items()]
    found = Decision(
        verdict=verdict,
        context=Context(
            evaluated_at=NOW - age,
            profile=profile,
            lockfile_path=lockfile_path,
            workspace=workspace,
            repository=Claimed(value=repository, source="ci") if repository else None,
            commit=Claimed(value="ab" * 20, source="ci"),
            environment=Claimed(value=environment, source="flag") if environment else None,
            subject=subject,
        ),
        time_source="self-declared",
        link="asserted",
        project="shop",
        project_version="3.2.0",
        verifier_id=DEFAULT_VERIFIER_ID,
        sbomgate="0.1.0",
        engine=EngineRecord(name="embedded", version="1.22.0", ours=True),
        policy=POLICY,
        rules=("pinned", "release_age"),
        trust=material("trust.toml", blobs["trust.toml"][1], "application/toml").sha256,
        baseline=BaselineRecord(state="bootstrap", reason="the store holds none", evidence=None),
        counts=Counts(
            packages=412, rules=2, denied=int(verdict is Verdict.DENIED), warnings=3, notes=0, waived=0, unknown=1
        ),
        materials=tuple(sorted((lock, *stored), key=lambda m: m.name)),
    )
    return replace(found, **changes)


def record(
    local: LocalKey | None = None, *, summary_key: LocalKey | None = None, uri: str | None = None, **changes: Any
) -> Record:
    """Return the signed evidence of `decision(**changes)`, by the first key unless another is given."""
    local = local or key()
    blobs = changes.get("blobs", BLOBS)
    made = decision(**changes)
    detail = local.sign(write_detail(made))
    summary = write_summary(made, detail, uri=uri)
    return Record(
        detail=detail,
        summary=None if summary is None else (summary_key or local).sign(summary),
        blobs={name: data for name, (_, data) in blobs.items()},
    )
