"""What is measured: a project whose lockfile npm made, facts about it, keys and a trust file.

Everything lies in build/bench. npm needs the registry once, to make the lockfile. The facts are minted and need no
network: every version is old, signed by the registry and without install script; a hundred of them have a publish
attestation and provenance.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sbomgate import facts, lockfiles, sbom
from sbomgate.model import (
    Absence,
    AttestationDocument,
    BaselineBuild,
    Bootstrap,
    CollectedFacts,
    Context,
    DependencyGraph,
    Edge,
    FactKey,
    Kind,
    Missing,
    Origin,
    RegistrySignature,
    RegistryWord,
    Sbom,
    TarballFacts,
    TrustRoot,
)
from sbomgate.npm import rows
from sbomgate.npm.cache import FactCache
from sbomgate.npm.wanted import wanted
from sbomgate.policy import input as policy_input
from sbomgate.policy import parameters
from sbomgate.project import DiskFiles
from sbomgate.provenance import DEFAULT_ISSUERS, Verifier
from sbomgate.provenance.batch import verify_all
from sbomgate.resources import path as resource
from sbomgate.signing import local_key
from sbomgate.times import format_time
from sbomgate.trust import NOBODY
from testkit.sigstore import TestSigstore

ATTESTED = 100
PUBLISHED = timedelta(days=100)
DEPENDENCIES = {
    "react-scripts": "5.0.1",
    "eslint-config-airbnb": "19.0.4",
    "mocha": "10.4.0",
    "nodemon": "3.1.0",
    "nyc": "15.1.0",
    "karma": "6.4.3",
    "standard": "17.1.0",
}
_INSTALL = (
    "npm",
    "install",
    "--package-lock-only",
    "--ignore-scripts",
    "--legacy-peer-deps",
    "--no-audit",
    "--no-fund",
)


def project(directory: Path) -> DependencyGraph:
    """Make a package.json, and the lockfile that npm makes of it, where they are not there; return the graph."""
    if not (directory / "package-lock.json").exists():
        directory.mkdir(parents=True, exist_ok=True)
        manifest = {"name": "bench", "version": "1.0.0", "private": True, "dependencies": DEPENDENCIES}
        (directory / "package.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        subprocess.run(
            [*_INSTALL, "--omit-lockfile-registry-resolved=false"],
            cwd=directory,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return lockfiles.read(DiskFiles(directory))


def collected(graph: DependencyGraph, now: datetime, sigstore: TestSigstore) -> dict[FactKey, CollectedFacts]:
    """Mint facts about every package of a registry."""
    found: dict[FactKey, CollectedFacts] = {}
    for one in wanted(graph):
        if one.registry is None or one.sha512 is None:
            continue
        attested = len(found) < ATTESTED
        found[one.key] = CollectedFacts(
            key=one.key,
            registry=_word(one.key, one.registry, now, sigstore, attested=attested),
            tarball=TarballFacts(
                sha512=one.sha512,
                origin=Origin.NETWORK,
                name=one.key.name,
                version=one.key.version,
                scripts={},
                gyp=False,
                bundled=(),
                licence="MIT",
            ),
            attestations=_attestations(one.key, one.sha512, now, sigstore) if attested else _NONE,
        )
    return found


def fill_cache(cache: Path, known: Mapping[FactKey, CollectedFacts]) -> None:
    """Fill the fact cache as a first run does."""
    kept_rows: dict[str, bytes] = {}
    for key, one in known.items():
        assert isinstance(one.registry, RegistryWord)
        assert isinstance(one.tarball, TarballFacts)
        registry = one.registry.registry
        kept_rows[rows.word_key(registry, key)] = rows.dump_word(one.registry, (), None)
        kept_rows[rows.tarball_key(one.tarball.sha512)] = rows.dump_tarball(one.tarball)
        if isinstance(one.attestations, AttestationDocument):
            kept_rows[rows.attestations_key(registry, key)] = one.attestations.body
    with FactCache(cache) as kept:
        kept.put(kept_rows)


def trust(folder: Path, known: Mapping[FactKey, CollectedFacts], sigstore: TestSigstore) -> str:
    """Write a key, a trust file that accepts it and names the trust material, and the facts, signed.

    Returns the trust file as `--trust` takes it inside a repository: with its digest.
    """
    (folder / "release.key").unlink(missing_ok=True)
    (folder / "release.key.pub").unlink(missing_ok=True)
    key = local_key.generate(folder / "release.key")
    text = (
        'schema = "sbomgate/trust/v1"\n\n[[signers]]\nname = "benchmark"\nroles = ["decision", "facts"]\n'
        f'public_key = """\n{key.public_key}"""\n'
    )
    for name, data in {
        "trusted_root": sigstore.trusted_root_json(),
        "registry_keys": sigstore.registry_keys_json(),
    }.items():
        (folder / f"{name}.json").write_bytes(data)
        text += f'\n[sigstore.{name}]\npath = "{name}.json"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
    (folder / "trust.toml").write_text(text, encoding="utf-8")
    (folder / "facts.sigstore.json").write_bytes(key.sign(facts.write_statement(known)))
    return f"{folder / 'trust.toml'}@sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def policy_inputs(graph: DependencyGraph, packages: int, now: datetime, sigstore: TestSigstore) -> dict[str, bytes]:
    """Return what the policy judges for a tree of so many packages: without a baseline, and with one.

    The tree is the project's, grown by copies of its entries under other names. Against the baseline every hundredth
    package is another version.
    """
    grown = _grown(graph, packages)
    now_bom = _sbom(grown, now, sigstore)
    before = replace(
        grown,
        packages=tuple(
            replace(p, version="0.0.1", integrity=None, hashes=()) if index % 100 == 99 else p
            for index, p in enumerate(grown.packages)
        ),
    )
    # The facts are the same: to mint and verify them again for 20,000 packages would take longer than all measuring.
    baseline = BaselineBuild(sbom=replace(now_bom, graph=before), evidence="00" * 32, decided_at=now)
    compared: dict[str, BaselineBuild | Bootstrap] = {"bootstrap": Bootstrap(reason="none yet"), "baseline": baseline}
    return {
        name: policy_input.build(
            now_bom,
            context=Context(evaluated_at=now, profile="default", lockfile_path="package-lock.json"),
            trust=NOBODY,
            trust_root=TrustRoot(trusted_root="00" * 32, registry_keys="00" * 32, updated=now),
            baseline=held,
            parameters=parameters.effective(
                parameters.declared(resource(*parameters.CATALOGUE).read_bytes()), {}, {}, trust_where=""
            ),
            lists=[],
        )
        for name, held in compared.items()
    }


def _grown(graph: DependencyGraph, packages: int) -> DependencyGraph:
    """Return the tree with so many packages: fewer of them, or copies of them under other names."""
    held = graph.packages[: packages + 1]
    own = [p for p in held if p.kind is Kind.REGISTRY]
    ids = {p.id for p in held}
    grown, edges = list(held), [e for e in graph.edges if e.source in ids and (e.target is None or e.target in ids)]
    below: dict[str, list[Edge]] = {}
    for e in edges:
        below.setdefault(e.source, []).append(e)
    rounds = 0
    while (missing := packages + 1 - len(grown)) > 0:
        rounds += 1
        copies = {p.id: f"node_modules/copy-{rounds}-{index}" for index, p in enumerate(own[:missing])}
        for p in own[:missing]:
            name = copies[p.id].removeprefix("node_modules/")
            grown.append(replace(p, id=copies[p.id], name=name, alias=None))
            edges += [
                replace(e, source=copies[p.id], target=copies.get(e.target or "", e.target))
                for e in below.get(p.id, ())
            ]
    return replace(graph, packages=tuple(sorted(grown, key=lambda p: p.id)), edges=tuple(edges))


def _sbom(graph: DependencyGraph, now: datetime, sigstore: TestSigstore) -> Sbom:
    known = collected(graph, now, sigstore)
    verifier = Verifier.from_material(sigstore.trusted_root_json(), sigstore.registry_keys_json(), DEFAULT_ISSUERS)
    sha512 = {facts.key_of(package): package.sha512 for package in graph.packages}
    attestations, signatures = verify_all(known, verifier, sha512)
    judged = facts.assemble(graph, known, attestations=attestations, signatures=signatures, sightings={}, now=now)
    return sbom.read(sbom.write(graph, judged, timestamp=None, tool_version="0"))


_NONE = Missing(absence=Absence.ABSENT, reason="the registry serves none for this version")


def _word(key: FactKey, registry: str, now: datetime, sigstore: TestSigstore, *, attested: bool) -> RegistryWord:
    signature = sigstore.registry_signature(key.name, key.version, key.integrity)
    return RegistryWord(
        registry=registry,
        asked_at=now,
        origin=Origin.NETWORK,
        published=format_time(now - PUBLISHED),
        first_published=format_time(now - 3 * PUBLISHED),
        integrity=key.integrity,
        tarball=f"{registry}{key.name}/-/{key.name.rpartition('/')[2]}-{key.version}.tgz",
        scripts={},
        has_install_script=None,
        signatures=(RegistrySignature(**signature),),
        serves_evidence=True,
        attestations_url=f"{registry}-/npm/v1/attestations/{key.name}@{key.version}" if attested else None,
        publisher="somebody",
        trusted_publisher="github" if attested else None,
        maintainers=("somebody",),
        licence="MIT",
        deprecated=None,
    )


def _attestations(key: FactKey, sha512: str, now: datetime, sigstore: TestSigstore) -> AttestationDocument:
    at = now - PUBLISHED
    body = sigstore.attestations_document(
        [
            sigstore.provenance(key.name, key.version, sha512, time=at),
            sigstore.publish(key.name, key.version, sha512, time=at),
        ]
    )
    return AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=Origin.NETWORK)


def now() -> datetime:
    """Return the time of this run, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
