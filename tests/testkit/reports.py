"""Reports of many shapes: what a gate says on good days, on bad ones, and to somebody who wants it to say too much."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime

from sbomgate.model import (
    Attestation,
    AttestationState,
    DependencyGraph,
    Edge,
    EdgeKind,
    Evaluation,
    Kind,
    Level,
    Lockfile,
    ManagerSettings,
    Package,
    PackageFacts,
    PolicyFinding,
    Publish,
    Sbom,
    Scripts,
    Signature,
    SignatureState,
    TrustRoot,
    Verdict,
)
from sbomgate.report import Report, build

HOSTILE = "evil\x1b[2J\x1b]0;owned\x07\r\n::set-output name=x::y\n##vso[task.complete]\u202egnp.exe\u200b"
RULES = ("complete_evidence", "install_scripts", "pinned", "release_age")


def package(name: str, version: str, **more: object) -> Package:
    fields: dict[str, object] = {"id": f"node_modules/{name}", "kind": Kind.REGISTRY, "integrity": "sha512-AAAA=="}
    return Package(name=name, version=version, **(fields | more))  # type: ignore[arg-type]


def facts(scripts: dict[str, str]) -> PackageFacts:
    nothing = Attestation(state=AttestationState.UNATTESTED, reason="none")
    digest = hashlib.sha256(repr(sorted(scripts.items())).encode()).hexdigest() if scripts else None
    return PackageFacts(
        publish=Publish(time=datetime(2024, 1, 1, tzinfo=UTC), source="registry", reason="", first=None),
        scripts=Scripts(
            state="present" if scripts else "none",
            source="tarball",
            reason="",
            scripts=scripts,
            gyp=False,
            digest=digest,
            disagreements=(),
        ),
        signature=Signature(state=SignatureState.ABSENT, reason="none"),
        publish_attestation=nothing,
        provenance=nothing,
        publisher=None,
        trusted_publisher=None,
        licence=None,
        deprecated=None,
        registry=None,
        registry_integrity=None,
    )


def sbom(*packages: Package, name: str = "shop", scripts: dict[str, dict[str, str]] | None = None) -> Sbom:
    """Return what was judged; each package is reached through the one before it."""
    chain = ["", *(p.id for p in packages)]
    graph = DependencyGraph(
        lockfile=Lockfile(path="package-lock.json", kind="npm", version="3", sha256="0" * 64, size=1),
        manager=ManagerSettings(name="npm", registry="", scopes={}, settings={}, files={}),
        packages=(Package(id="", name=name, version="3.2.0", kind=Kind.ROOT), *packages),
        edges=tuple(
            Edge(source=a, target=b, name=b, kind=EdgeKind.PROD, range="*") for a, b in itertools.pairwise(chain)
        ),
        findings=(),
    )
    held = {f"node_modules/{name}": facts(found) for name, found in (scripts or {}).items()}
    return Sbom(data=b"{}", sha256="0" * 64, graph=graph, facts=held)


def finding(
    about: Package | None, rule: str, code: str, message: str, *, level: Level = Level.DENY, fix: str = ""
) -> PolicyFinding:
    return PolicyFinding(
        rule=rule,
        code=code,
        level=level,
        package=None if about is None else about.id,
        message=message,
        fix=fix,
        unknown=rule == "complete_evidence",
        waivable=True,
        waived=False,
        fingerprint=hashlib.sha256(f"{rule}{code}{about}{message}".encode()).hexdigest(),
    )


def report(of: Sbom, *findings: PolicyFinding, profile: str = "default", **more: object) -> Report:
    denied = any(f.level is Level.DENY and not f.waived for f in findings) and profile != "observe"
    evaluation = Evaluation(
        data=b"{}",
        sha256="1" * 64,
        verdict=Verdict.DENIED if denied else Verdict.ALLOWED,
        findings=findings,
        rules=RULES,
    )
    settings: dict[str, object] = {
        "profile": profile,
        "engine": "OPA 1.22.0 embedded",
        "baseline": "the build of 2026-11-20 12:00 UTC (decision sha256:abababababab…)",
        "baseline_versions": {},
        "signers": 1,
        "trust_root": TrustRoot(
            trusted_root="64" * 32, registry_keys="16" * 32, updated=datetime(2026, 11, 20, tzinfo=UTC)
        ),
    }
    return build(evaluation, of, **(settings | more))  # type: ignore[arg-type]


def all_of_them() -> dict[str, Report]:
    """Return name → report."""
    stored = {"evidence": "evidence/3f/" + "3f" * 32, "decision": "81" * 32}
    pad = package("left-pad", "1.3.0")
    many = [package(f"package-{number:04}", "1.0.0") for number in range(2_000)]
    axios, crypto = package("axios", "1.14.1"), package("plain-crypto-js", "4.2.1")
    incident = sbom(axios, crypto, scripts={"plain-crypto-js": {"postinstall": "node setup.js"}})
    young = "published 2 hours ago by the registry's unsigned word; this project waits 3 days"
    hostile = package(HOSTILE, HOSTILE)
    unicode_names = package("пакет-包", "1.0.0-é")
    sha1 = ("lockfile_sound", "weak-integrity", "sha1 only, expected sha512")
    weak = [finding(p, *sha1, level=Level.WARN) for p in many]
    aged = [finding(p, "release_age", "too-young", young, fix=f"stay on the version before {p.name}") for p in many]
    unknown = finding(
        None,
        "complete_evidence",
        "provenance",
        "not known: provenance of 3 of 412 packages (a 1.0.0, b 1.0.0 and 1 more)",
        level=Level.WARN,
    )
    approve = "read it, then approve plain-crypto-js 4.2.1 by integrity and digest in the trust file"
    return {
        "allowed": report(sbom(pad), **stored),
        "allowed-first-run": report(
            sbom(pad),
            unknown,
            finding(pad, "pinned", "prerelease", "1.3.0-rc.1 is a prerelease", level=Level.WARN),
            finding(None, "new_dependencies", "no-baseline", "no approved build to compare with", level=Level.NOTE),
            signers=0,
            baseline="nothing (bootstrap): there is no store yet",
        ),
        "incident": report(
            incident,
            unknown,
            finding(axios, "release_age", "too-young", young, fix="stay on the version before axios 1.14.1"),
            finding(
                axios,
                "trust_drift",
                "provenance-lost",
                "1.14.0 was built by axios/axios publish.yml on GitHub; 1.14.1 carries no provenance",
                fix="stay on axios 1.14.0, or have the change approved",
            ),
            finding(
                axios,
                "new_dependencies",
                "update-brings-new",
                "brings in plain-crypto-js 4.2.1, first published 19 hours ago, never used here before",
                fix="stay on the approved version of axios, or have plain-crypto-js approved",
            ),
            finding(
                crypto,
                "install_scripts",
                "script-unapproved",
                "postinstall `node setup.js` is not approved",
                fix=approve,
            ),
            baseline_versions={"axios": frozenset({"1.14.0"})},
            **stored,
        ),
        "many-denied": report(sbom(*many), *aged, profile="strict", **stored),
        "many-warned": report(sbom(*many), *weak),
        "hostile": report(
            sbom(hostile, name=HOSTILE, scripts={HOSTILE: {HOSTILE: HOSTILE}}),
            finding(hostile, "install_scripts", "script-unapproved", HOSTILE, fix=HOSTILE),
            finding(None, "pinned", "lock-drift", "x" * 100_000, fix="y " * 50_000),
            baseline=HOSTILE,
            evidence=f"evidence/{HOSTILE}",
            decision="0" * 64,
        ),
        "unicode": report(
            sbom(unicode_names, name="Øl"), finding(unicode_names, "pinned", "prerelease", "1.0.0-é: это предрелиз")
        ),
        "observed": report(
            sbom(pad), finding(pad, "release_age", "too-young", young, fix="wait"), profile="observe", **stored
        ),
        "waived": report(
            sbom(pad), replace(finding(pad, "release_age", "too-young", young, fix="wait"), waived=True), **stored
        ),
    }
