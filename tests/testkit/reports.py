"""Reports of many shapes: what a gate says on good days, on bad ones, and to somebody who wants it to say too much."""

from __future__ import annotations

import functools
import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sbomgate import review
from sbomgate.model import (
    Attestation,
    AttestationState,
    Bootstrap,
    Claimed,
    Context,
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
    People,
    PolicyFinding,
    Publish,
    Sbom,
    Scripts,
    Signature,
    SignatureState,
    Signed,
    Subject,
    SubjectKind,
    TrustRoot,
    Verdict,
    Waiver,
)
from sbomgate.report import Detail, Report, Rule, Standing, build

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

HOSTILE_NAMES = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "html attribute": "\"><svg/onload=alert(1)>' autofocus onfocus=alert(1) x='",
    "html entity": "&lt;b&gt;&#60;script&#62;",
    "html comment": "--><!-- ]]> <![CDATA[ <style>*{display:none}</style>",
    "closes the script": "</script></style></title><script>alert(1)</script>",
    "javascript link": "javascript:alert(1)",
    "markdown link": "[click](https://evil.example/)![x](https://evil.example/pixel.png)",
    "markdown table": "a | b |\\| c",
    "markdown code span": "`` ` ```\n# heading",
    "markdown mention": "@octocat/team #1 !2 ~label :tada:",
    "gitlab quick action": "/close",
    "gitlab math": "$`x`$ $$x$$",
    "markdown html": "<details open><summary>x</summary></details></sub>",
    "sarif link": "[click](1) [click](https://evil.example/)",
    "sarif placeholder": "{0} {{1}} ${HOME}",
    "formula": '=HYPERLINK("https://evil.example/")',
    "formula, plus": "+cmd|' /C calc'!A0",
    "formula, minus": "-2+3",
    "formula, at": "@SUM(1+1)",
    "formula after a tab": "\t=1+1",
    "formula after a quote": '"=1+1',
    "formula, wide": "\uff1d1+1",
    "csv fields": 'a","b\r\n=1,2;3',
    "ansi": "\x1b[2J\x1b]0;owned\x07\x9b2J",
    "xml control characters": "\x00\x01\x08\x0b\x0c\x0e\x1f\ufffe\uffff",
    "github command": "::error file=x::y\n::set-output name=x::y",
    "azure command": "##vso[task.complete]\n##[error]x",
    "teamcity command": "##teamcity[setParameter name='x']",
    "right to left": "\u202egnp.exe\u2066x\u2069\u061c",
    "invisible": "ax\u200bios\ufeff\u00ad",
    "lines": "a\nb\r\nc\u2028d\u2029e\x85f",
    "long": "x" * 100_000,
    "long without end": "<" * 20_000,
    "tag characters": "a\U000e0041",
    "slashes": "../../etc/passwd\\..\\x",
}
"""Names as nobody should give them to a package, each aimed at one way of showing it (PROMISES P39)."""

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


def context(profile: str = "default", **more: object) -> Context:
    fields: dict[str, object] = {
        "evaluated_at": NOW,
        "profile": profile,
        "lockfile_path": "package-lock.json",
        "repository": Claimed(value="https://github.com/acme/shop", source="ci"),
        "commit": Claimed(value="ab" * 20, source="ci"),
        "environment": Claimed(value="production", source="flag"),
        "subject": Subject(kind=SubjectKind.FILE, name="shop-3.2.0.tgz", digest={"sha256": "1f" * 32}),
        "link": "asserted",
        "time_source": "self-declared",
    }
    return Context(**(fields | more))  # type: ignore[arg-type]


def waiver(by: str = "alice", reason: str = "until the mirror is fixed", *, days: int = 10) -> Signed:
    said = Waiver(
        rule="release_age",
        package=("left-pad", "1.3.0", "sha512-AAAA=="),
        fingerprint=None,
        project="https://github.com/acme/shop",
        issued_at=NOW + timedelta(days=days - 30),
        until=NOW + timedelta(days=days),
        reason=reason,
    )
    return Signed(id=hashlib.sha256(repr(said).encode()).hexdigest(), by=by, said=said)


def named(text: str) -> Report:
    """Return a report in which everything that comes from outside is this text."""
    about = package(text, text, id=text)
    other = package(text, text, id=f"{text}2")
    of = sbom(about, other, name=text, scripts={text: {text: text}})
    of = replace(of, facts={text: facts({text: text})})
    made = report(
        of,
        finding(about, "install_scripts", "script-unapproved", text, fix=text),
        replace(finding(other, "release_age", "too-young", text, fix=text), waived=True),
        finding(other, text, text, text, level=Level.WARN),
        finding(None, "complete_evidence", "provenance", text, level=Level.WARN, fix=text),
        finding(None, "pinned", "prerelease", text, level=Level.NOTE),
        baseline=text,
        baseline_versions={text: frozenset({f"{text}0"})},
        evidence=text,
        decision="0" * 64,
        waivers=(waiver(text, text),),
    )
    detail = made.whole
    return replace(
        made,
        workspace=text,
        detail=replace(
            detail,
            context=context(
                lockfile_path=text,
                workspace=text,
                repository=Claimed(value=f"https://{text}", source=text),
                commit=Claimed(value=text, source=text),
                environment=Claimed(value=text, source=text),
                subject=Subject(kind=SubjectKind.FILE, name=text, digest={"sha256": "1f" * 32}),
            ),
            people=replace(detail.people, refused=((text, text),)),
            digests={**detail.digests, text: "0" * 64},
            standing=Standing(verified=False, signer=text, said=text, reasons=(text,)),
            rules={"install_scripts": Rule(title=text, description=text, why=text, fix=text)},
        ),
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
    waivers = {one.id: one for one in more.pop("waivers", ())}  # type: ignore[attr-defined]
    evaluation = replace(
        evaluation, waived_by={f.fingerprint: tuple(sorted(waivers)) for f in findings if f.waived and waivers}
    )
    decision = more.get("decision")
    settings: dict[str, object] = {
        "profile": profile,
        "engine": "OPA 1.22.0 embedded",
        "baseline": "the build of 2026-11-20 12:00 UTC (decision sha256:abababababab…)",
        "baseline_versions": {},
        "signers": 1,
        "trust_root": TrustRoot(
            trusted_root="64" * 32, registry_keys="16" * 32, updated=datetime(2026, 11, 20, tzinfo=UTC)
        ),
        "detail": Detail(
            context=context(profile),
            sbom=of,
            people=People(signed=tuple(waivers[key] for key in sorted(waivers))),
            change=review.review(
                of, evaluation, Bootstrap(reason="a first run"), compared=None, profile=profile, now=NOW
            ),
            digests={"sbom.cdx.json": of.sha256, "evaluation.json": evaluation.sha256, "policy": "76" * 32},
            standing=Standing(
                verified=decision is not None,
                signer="release key" if decision else "",
                said="signed by release key" if decision else "nothing is signed",
            ),
            rules={"pinned": Rule(title="Pinned versions", description="Denies drift.", why="Drift.", fix="Pin.")},
            lists={"shipped.csv": 3},
            lines={f.package: number for number, f in enumerate(findings, 2) if f.package},
        ),
    }
    return build(evaluation, of, **(settings | more))  # type: ignore[arg-type]


@functools.cache
def built(*, again: bool = False) -> dict[str, Report]:
    """Return `all_of_them`, made once for all tests; `again` made once more, to be compared with."""
    assert again in (True, False)
    return all_of_them()


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
            sbom(pad),
            replace(finding(pad, "release_age", "too-young", young, fix="wait"), waived=True),
            waivers=(waiver(),),
            **stored,
        ),
    }
