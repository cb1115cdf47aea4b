"""Small values for the tests of the policy step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sbomgate.model import (
    Attestation,
    AttestationState,
    Claims,
    Context,
    DependencyGraph,
    Edge,
    EdgeKind,
    Kind,
    Lockfile,
    LockFinding,
    ManagerSettings,
    Package,
    PackageFacts,
    Publish,
    Sbom,
    Scripts,
    Signature,
    SignatureState,
    Trust,
    TrustRoot,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD = datetime(2025, 6, 1, tzinfo=UTC)
NONE = Attestation(state=AttestationState.UNATTESTED, reason="the registry has none")
CLAIMS = Claims(
    issuer="https://token.actions.githubusercontent.com",
    identity="https://github.com/axios/axios/.github/workflows/publish.yml@refs/tags/v1.14.0",
    repository="https://github.com/axios/axios",
    repository_id="23088740",
    workflow=".github/workflows/publish.yml",
    ref="refs/tags/v1.14.0",
    trigger="push",
    runner="github-hosted",
)
BUILT = Attestation(
    state=AttestationState.VERIFIED, reason="", log_proof="inclusion+SET", log_time=OLD, claims=CLAIMS, sha256="0" * 64
)
PARAMETERS: dict[str, dict[str, Any]] = {
    "approved_changes": {"ends_soon_days": 14},
    "release_age": {
        "minimum_age_hours": 72,
        "direct_age_hours": 0,
        "transitive_age_hours": 0,
        "packages": {},
        "mirror_lag_hours": 24,
    },
    "lockfile_sound": {"unjudged_lockfiles": "note", "judged_elsewhere": []},
    "new_dependencies": {"first_release_days": 7},
    "pinned": {"mode": "locked"},
    "licences": {"allow": ["*"], "deny": [], "dev_allow": ["*"], "dev_deny": [], "texts": [], "unknown": "note"},
    "deprecated": {"level": "note"},
    "trust_drift": {"history_days": 30, "rebuild_is_enough": False},
    "provenance": {"promise_only_before": "2024-01-01", "trust_root_days": 365},
}
TRUST_ROOT = TrustRoot(trusted_root="6" * 64, registry_keys="7" * 64, updated=NOW)
TRUST = Trust(
    sha256=None,
    data=b"",
    signers=(),
    policy_digests=(),
    profile=None,
    parameters={},
    repository=None,
    lockfile_path=None,
    environments=(),
    max_age_hours=None,
    registries=(),
    first_party=(),
    approved_scripts=(),
    exclusions=(),
    expected_provenance=(),
    issuers=(),
    trusted_root=None,
    registry_keys=None,
)
CONTEXT = Context(evaluated_at=NOW, profile="default", lockfile_path="package-lock.json")
ROOT = Package(id="", name="shop", version="3.2.0", kind=Kind.ROOT)
FACTS = PackageFacts(
    publish=Publish(time=OLD, source="registry", reason="", first=OLD),
    scripts=Scripts(state="none", source="tarball", reason="", scripts={}, gyp=False, digest=None, disagreements=()),
    signature=Signature(state=SignatureState.VERIFIED, reason=""),
    publish_attestation=NONE,
    provenance=NONE,
    publisher="jason",
    trusted_publisher=None,
    licence="MIT",
    deprecated=None,
    registry="https://registry.npmjs.org/",
    registry_integrity=None,
)


def package(name: str, version: str | None = "1.0.0", **changes: Any) -> Package:
    """An entry of the registry at the top of the tree."""
    plain = Package(
        id=f"node_modules/{name}",
        name=name,
        version=version,
        kind=Kind.REGISTRY,
        resolved=f"https://registry.npmjs.org/{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
        integrity=f"sha512-{name}-{version}",
        direct=True,
    )
    return replace(plain, **changes)


def facts(p: Package, **changes: Any) -> PackageFacts:
    """Facts of an old, plain package."""
    return replace(FACTS, **({"registry_integrity": p.integrity} | changes))


def edge(source: str, target: str | None, name: str, spec: str = "^1.0.0") -> Edge:
    """A satisfied production dependency."""
    return Edge(source=source, target=target, name=name, kind=EdgeKind.PROD, range=spec, satisfied=True)


def sbom(
    packages: list[Package],
    edges: list[Edge] | None = None,
    known: Mapping[str, PackageFacts] | None = None,
    findings: tuple[LockFinding, ...] = (),
    registry: str = "https://registry.npmjs.org/",
) -> Sbom:
    """An SBOM of the root and these packages, which the root depends on unless edges are given."""
    if edges is None:
        edges = [edge("", p.id, p.name) for p in packages]
    graph = DependencyGraph(
        lockfile=Lockfile(path="package-lock.json", kind="npm", version="3", sha256="0" * 64, size=1),
        manager=ManagerSettings(name="npm", registry=registry, scopes={}, settings={}, files={}),
        packages=(ROOT, *packages),
        edges=tuple(edges),
        findings=findings,
    )
    held = {p.id: facts(p) for p in packages if p.kind not in (Kind.WORKSPACE, Kind.LINK)}
    return Sbom(data=b"", sha256="0" * 64, graph=graph, facts=held if known is None else known)
