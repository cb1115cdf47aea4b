"""One build as rows: one about the build, one for each package that its SBOM holds. Pure.

Both are rows of one table, so that one file, and its one rename, is one build: the build's own row has the name "" and
sorts first. What a package's row says is what the SBOM says; `standing` of the build says who vouches for that.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from sbomgate.canonical import dumps
from sbomgate.decision import Decision
from sbomgate.model import AttestationState, DependencyGraph, Kind, ManagerSettings, Package, PackageFacts, Sbom

VERIFIED = "verified"
"""The evidence was signed by a signer that the trust file accepts, when the build was added."""
UNVERIFIED = "unverified"
"""Evidence, and nobody who is accepted signed it, or no trust file was given."""
SBOM_ONLY = "sbom"
"""A file that somebody made: its word and no more."""

PACKAGE_COLUMNS: Mapping[str, str] = {
    "name": "VARCHAR",
    "version": "VARCHAR",
    "build": "BIGINT",
    "kind": "VARCHAR",
    "direct": "BOOLEAN",
    "dev": "BOOLEAN",
    "optional": "BOOLEAN",
    "called": "VARCHAR",
    "integrity": "VARCHAR",
    "licence": "VARCHAR",
    "publisher": "VARCHAR",
    "maintainers": "VARCHAR[]",
    "repository": "VARCHAR",
    "provenance": "VARCHAR",
    "scripts": "VARCHAR",
    "published": "TIMESTAMP",
    "published_by": "VARCHAR",
    "path": "VARCHAR[]",
    "registry": "VARCHAR",
}
"""Column → SQL type, of a package in a build.

`called` is `name@version` of the lockfile's entry where the row stands for what that entry's address names instead;
`repository` is of verified provenance only; `published_by` says whose word `published` is; `path` is one shortest chain
of names from the project to the package, without the project; `registry` is the URL of the registry that a package of
the kind `registry` comes from, where that is known.
"""

BUILD_COLUMNS: Mapping[str, str] = {
    "evidence": "VARCHAR",
    "sbom": "VARCHAR",
    "standing": "VARCHAR",
    "signer": "VARCHAR",
    "subject": "VARCHAR",
    "digest": "VARCHAR",
    "project": "VARCHAR",
    "project_version": "VARCHAR",
    "project_repository": "VARCHAR",
    "commit_id": "VARCHAR",
    "lockfile": "VARCHAR",
    "workspace": "VARCHAR",
    "environment": "VARCHAR",
    "profile": "VARCHAR",
    "verdict": "VARCHAR",
    "policy": "VARCHAR",
    "decided": "TIMESTAMP",
    "packages": "BIGINT",
    "ran": "VARCHAR",
}
"""Column → SQL type, of a build: `digest` is the artefact's, `sha256:…` or `gitCommit:…`; the other digests are hex.

`ran` is where the decision was made (`model.Ran`) as canonical JSON, by that machine's own word."""

COLUMNS: Mapping[str, str] = {**PACKAGE_COLUMNS, **BUILD_COLUMNS}

SPAN_COLUMNS: Mapping[str, str] = {
    "name": "VARCHAR",
    "version": "VARCHAR",
    "low": "BIGINT",
    "high": "BIGINT",
    "build": "BIGINT",
}
"""Column → SQL type, of a segment's spans: which builds hold a version, in a sixtieth of the rows.

The builds of a segment are numbered project by project, the oldest first: a row with the name "" gives the number
(`low`, and `high` is the same) of a `build`. Every other row says that all builds from the number `low` to `high` hold
this version of this name. A project's builds are nearly the same, so one row speaks for many of them.
"""

_PUBLIC = "https://registry.npmjs.org/"

Addressed = Callable[[Package], tuple[str, str] | None]
"""Returns (name, version) that a package's address names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is known of one build; the columns of `BUILD_COLUMNS`, and `None` for what nobody said."""

    evidence: str | None
    sbom: str
    standing: str
    signer: str | None
    subject: str | None
    digest: str | None
    project: str
    project_version: str | None
    project_repository: str | None
    commit_id: str | None
    lockfile: str
    workspace: str | None
    environment: str | None
    profile: str | None
    verdict: str | None
    policy: str | None
    decided: datetime | None
    packages: int
    ran: str | None = None

    @property
    def key(self) -> int:
        """What its rows are joined by: of the evidence, or of the SBOM where there is none."""
        return key_of(self.evidence or self.sbom)


def key_of(sha256: str) -> int:
    """Return the key of a build by the digest (hex) of its evidence or SBOM: 63 bits.

    Two builds with one key are refused when they are read; among a million builds that is one chance in ten million.
    """
    return int.from_bytes(hashlib.sha256(sha256.encode()).digest()[:8], "big") >> 1


def of_decision(decision: Decision, evidence: str, sbom: Sbom, *, signer: str | None) -> Build:
    """Return the build that a decision is about; `signer` is the accepted one's name, or None where nobody is."""
    context, subject = decision.context, decision.subject
    ((algorithm, digest),) = subject.digest.items()
    return Build(
        evidence=evidence,
        sbom=sbom.sha256,
        standing=UNVERIFIED if signer is None else VERIFIED,
        signer=signer,
        subject=f"{subject.kind.value}:{subject.name.removeprefix('git:')}",
        digest=f"{algorithm}:{digest}",
        project=decision.project,
        project_version=decision.project_version,
        project_repository=None if context.repository is None else context.repository.value,
        commit_id=None if context.commit is None else context.commit.value,
        lockfile=context.lockfile_path,
        workspace=context.workspace,
        environment=context.environment_name,
        profile=context.profile,
        verdict=decision.verdict.value,
        policy=decision.policy,
        decided=context.evaluated_at,
        packages=len(sbom.graph.packages) - 1,
        ran=None if context.ran is None else dumps(asdict(context.ran)).decode(),
    )


def of_sbom(graph: DependencyGraph, sha256: str, *, made: datetime | None) -> Build:
    """Return the build that an SBOM on its own stands for; `made` is its own timestamp."""
    root = graph.packages[0]
    return Build(
        evidence=None,
        sbom=sha256,
        standing=SBOM_ONLY,
        signer=None,
        subject=None,
        digest=None,
        project=root.name or "(unnamed project)",
        project_version=root.version,
        project_repository=None,
        commit_id=None,
        lockfile=graph.lockfile.path,
        workspace=graph.workspace,
        environment=None,
        profile=None,
        verdict=None,
        policy=None,
        decided=made,
        packages=len(graph.packages) - 1,
    )


def rows(
    build: Build, graph: DependencyGraph, facts: Mapping[str, PackageFacts], addressed: Addressed
) -> list[dict[str, Any]]:
    """Return the rows of a build: its own first, then its packages; copies of one package are one row."""
    about = asdict(build)
    about["decided"] = _time(build.decided)
    own = {"name": "", "build": build.key, **about}
    root = graph.packages[0]
    chains = graph.chains([root.id])
    held: dict[tuple[str, str | None, str | None, str | None], dict[str, Any]] = {}
    for package in graph.packages:
        if package.kind is Kind.ROOT or package is root:
            continue
        chain = chains.get(package.id)
        row = _row(build.key, package, facts.get(package.id), None if chain is None else list(chain[1:]))
        if package.kind is Kind.REGISTRY:
            row["registry"] = _registry(package, facts.get(package.id), graph.manager)
        for one in (row, *_elsewhere(row, package, addressed)):
            key = (one["name"], one["version"], one["integrity"], one["called"])
            known = held.get(key)
            held[key] = one if known is None else _together(known, one)
    return [own, *(held[key] for key in sorted(held, key=lambda k: tuple(part or "" for part in k)))]


def _registry(package: Package, facts: PackageFacts | None, manager: ManagerSettings) -> str | None:
    """Return the registry that was asked about it, else that of its address, else the one that the settings name.

    None where its address is none of a registry: whoever asked the usual one would tell it a private name.
    """
    if facts is not None and facts.registry is not None:
        return facts.registry
    scope, slash, _ = package.name.partition("/")
    named = (manager.scopes.get(scope, manager.registry) if slash else manager.registry) or None
    try:
        address = urlsplit(package.resolved or "")
    except ValueError:
        return None
    if address.scheme not in ("http", "https"):
        return named
    url = f"{address.scheme}://{address.netloc.rpartition('@')[2].lower()}{address.path}"
    # To npm the public registry's address stands for whichever is configured (package-lock.json, `resolved`).
    if url.startswith((_PUBLIC, named or _PUBLIC)):
        return named
    base, found, _ = unquote(url).partition(f"/{package.name}/-/")
    return f"{base}/" if found else None


def _row(build: int, package: Package, facts: PackageFacts | None, path: list[str] | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        # A name is what rows are found by; a package without one is not the build's own row.
        "name": package.name or "(unnamed)",
        "version": package.version,
        "build": build,
        "kind": package.kind.value,
        "direct": package.direct,
        "dev": package.dev,
        "optional": package.optional,
        "called": None,
        "integrity": _integrity(package),
        "licence": package.licence,
        "path": path,
    }
    if facts is not None:
        provenance = facts.provenance
        verified = provenance.state is AttestationState.VERIFIED and provenance.claims is not None
        row |= {
            "licence": facts.licence or package.licence,
            "publisher": facts.publisher,
            "maintainers": sorted(facts.maintainers) or None,
            "repository": provenance.claims.repository if verified and provenance.claims else None,
            "provenance": provenance.state.value,
            "scripts": facts.scripts.state,
            "published": _time(facts.publish.time),
            "published_by": facts.publish.source,
        }
    return row


def _elsewhere(row: Mapping[str, Any], package: Package, addressed: Addressed) -> Iterator[dict[str, Any]]:
    """Yield the row once more under the name that its address names, where that is another (CASES A05, A10)."""
    if package.kind in (Kind.WORKSPACE, Kind.LINK):
        return
    named = addressed(package)
    if named is not None and named != (package.name, package.version):
        yield {**row, "name": named[0], "version": named[1], "called": f"{package.name}@{package.version or '?'}"}


def _together(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return two copies of one package as one: direct if one is, for development only if both are."""
    one["direct"] = one["direct"] or other["direct"]
    one["dev"] = one["dev"] and other["dev"]
    one["optional"] = one["optional"] and other["optional"]
    if other["path"] is not None and (one["path"] is None or len(other["path"]) < len(one["path"])):
        one["path"] = other["path"]
    return one


def _integrity(package: Package) -> str | None:
    """Return the strongest hash as Subresource Integrity has it."""
    if not package.hashes:
        return None
    strongest = package.hashes[0]
    return f"{strongest.algorithm}-{b64encode(bytes.fromhex(strongest.hex)).decode()}"


def _time(time: datetime | None) -> str | None:
    """Return the time as columns hold it: UTC without a zone."""
    return None if time is None else time.astimezone(UTC).replace(tzinfo=None).isoformat()
