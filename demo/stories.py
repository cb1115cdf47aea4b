"""What the demo's three stories are made of: lockfiles, tarballs and recorded facts, all harmless and made here.

The base is real: demo/shop's lockfile was made by npm, and demo/shop/facts.json was recorded from the registry and the
tarballs. The incidents are minted: packages of a few bytes, facts of the shape that the real incidents had, provenance
by a small sigstore of our own. Every time is relative to `now`, so the demo says the same in ten years.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sbomgate import facts
from sbomgate.model import (
    Absence,
    AttestationDocument,
    CollectedFacts,
    EarlierRelease,
    FactKey,
    Missing,
    Origin,
    RegistryWord,
    TarballFacts,
)
from sbomgate.npm import tarball
from sbomgate.times import format_time, parse_time
from testkit import tarballs
from testkit.sigstore import TestSigstore

SHOP = Path(__file__).resolve().parent / "shop"
REGISTRY = "https://registry.npmjs.org/"  # what the lockfile's `resolved` says
OLD = timedelta(days=30)  # nothing of the base is younger, whenever it was recorded
BUILT_BY = {
    "axios": ("https://github.com/axios/axios", "23088740", "publish.yml"),
    "@tanstack/query-core": ("https://github.com/TanStack/query", "207645083", "release.yml"),
    "@tanstack/react-query": ("https://github.com/TanStack/query", "207645083", "release.yml"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One project as it arrives at the gate: its lockfile, and the facts about everything in it."""

    package_json: bytes
    lockfile: bytes
    facts: Mapping[FactKey, CollectedFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version that somebody publishes."""

    name: str
    version: str
    age: timedelta
    first: timedelta
    scripts: Mapping[str, str]
    dependencies: Mapping[str, str]
    attested: bool
    publisher: str

    @property
    def tarball(self) -> bytes:
        """Its harmless bytes."""
        manifest = {"dependencies": dict(self.dependencies)} if self.dependencies else {}
        return tarballs.package(self.name, self.version, scripts=self.scripts, manifest=manifest)

    @property
    def entry(self) -> dict[str, Any]:
        """Its entry in a lockfile, as npm writes it."""
        file = f"{self.name.rpartition('/')[2]}-{self.version}.tgz"
        entry: dict[str, Any] = {
            "version": self.version,
            "resolved": f"{REGISTRY}{self.name}/-/{file}",
            "integrity": tarballs.integrity(self.tarball),
        }
        if set(self.scripts) & {"preinstall", "install", "postinstall"}:
            entry["hasInstallScript"] = True
        entry["license"] = "MIT"
        if self.dependencies:
            entry["dependencies"] = dict(self.dependencies)
        return entry


def ordinary(now: datetime, sigstore: TestSigstore) -> Story:
    """Story 1: a project as it is on most days."""
    return Story(
        package_json=(SHOP / "package.json").read_bytes(),
        lockfile=(SHOP / "package-lock.json").read_bytes(),
        facts=_base(now, sigstore),
    )


def axios_day_zero(now: datetime, sigstore: TestSigstore) -> Story:
    """Story 2: March 2026. A stolen account publishes axios 1.14.1 with a new dependency that has a postinstall."""
    lock = json.loads((SHOP / "package-lock.json").read_bytes())
    held = lock["packages"]["node_modules/axios"]["dependencies"]
    arrived = (
        Release(
            name="axios",
            version="1.14.1",
            age=timedelta(hours=2),
            first=timedelta(days=4000),
            scripts={},
            dependencies={**held, "plain-crypto-js": "^4.2.1"},
            attested=False,
            publisher="a-stolen-account",
        ),
        Release(
            name="plain-crypto-js",
            version="4.2.1",
            age=timedelta(hours=2, minutes=20),
            first=timedelta(hours=19),
            scripts={"postinstall": "node setup.js"},
            dependencies={},
            attested=False,
            publisher="somebody-new",
        ),
    )
    return _after(lock, arrived, now, sigstore)


def attested_and_young(now: datetime, sigstore: TestSigstore) -> Story:
    """Story 3: May 2026. A hijacked workflow of the project itself: the provenance is valid, the release hours old."""
    lock = json.loads((SHOP / "package-lock.json").read_bytes())
    entry = lock["packages"]["node_modules/@tanstack/react-query"]
    major, minor, patch = entry["version"].split(".")
    arrived = (
        Release(
            name="@tanstack/react-query",
            version=f"{major}.{minor}.{int(patch) + 1}",
            age=timedelta(hours=3),
            first=timedelta(days=1500),
            scripts={},
            dependencies={**entry["dependencies"], "query-warmup": "^1.0.0"},
            attested=True,
            publisher="GitHub Actions",
        ),
        Release(
            name="query-warmup",
            version="1.0.0",
            age=timedelta(hours=4),
            first=timedelta(hours=4),
            scripts={},
            dependencies={},
            attested=False,
            publisher="query-warmup",
        ),
    )
    return _after(lock, arrived, now, sigstore)


def _after(lock: dict[str, Any], arrived: tuple[Release, ...], now: datetime, sigstore: TestSigstore) -> Story:
    """Return the project after an update: the releases are in its lockfile, as npm would have put them there."""
    lock = copy.deepcopy(lock)
    known = dict(_base(now, sigstore))
    for release in arrived:
        held = lock["packages"].get(f"node_modules/{release.name}", {})
        lock["packages"][f"node_modules/{release.name}"] = {
            **release.entry,
            **({"peerDependencies": held["peerDependencies"]} if "peerDependencies" in held else {}),
        }
        one = _facts(release, now, sigstore)
        known[one.key] = replace(one, earlier=_earlier(known, release.name))
    packages = lock["packages"]
    lock["packages"] = {"": packages.pop(""), **{path: packages[path] for path in sorted(packages)}}
    return Story(
        package_json=(SHOP / "package.json").read_bytes(),
        lockfile=(json.dumps(lock, indent=2) + "\n").encode(),
        facts=known,
    )


def _earlier(known: Mapping[FactKey, CollectedFacts], name: str) -> tuple[EarlierRelease, ...]:
    """Return the release that the shop used before, as the registry's history shows it; none of a new package."""
    return tuple(
        EarlierRelease(
            version=key.version,
            integrity=key.integrity,
            published=one.registry.published,
            publisher=one.registry.publisher,
            trusted_publisher=one.registry.trusted_publisher,
            maintainers=one.registry.maintainers,
            attestations_url=one.registry.attestations_url,
            attestations=one.attestations,
        )
        for key, one in known.items()
        if key.name == name and isinstance(one.registry, RegistryWord)
    )


def _base(now: datetime, sigstore: TestSigstore) -> dict[FactKey, CollectedFacts]:
    """Return the recorded facts of the shop: aged, and with the provenance that the demo's sigstore gives them."""
    made = {}
    for key, one in facts.loads((SHOP / "facts.json").read_bytes()).items():
        assert isinstance(one.registry, RegistryWord)
        assert isinstance(one.tarball, TarballFacts)
        published = _aged(one.registry.published, now)
        word = replace(
            one.registry,
            asked_at=now,
            published=published,
            first_published=min(_aged(one.registry.first_published, now), published),
            serves_evidence=True,
        )
        built = key.name in BUILT_BY
        made[key] = CollectedFacts(
            key=key,
            registry=_advertised(word, key) if built else word,
            tarball=one.tarball,
            attestations=_attested(key, one.tarball.sha512, parse_time(published), sigstore) if built else _ABSENT,
        )
    return made


def _facts(release: Release, now: datetime, sigstore: TestSigstore) -> CollectedFacts:
    data = release.tarball
    sha512 = tarballs.sha512(data)
    key = FactKey(name=release.name, version=release.version, integrity=tarballs.integrity(data))
    inside = tarball.read(data, sha512=sha512, origin=Origin.NETWORK)
    assert isinstance(inside, TarballFacts)
    word = RegistryWord(
        registry=REGISTRY,
        asked_at=now,
        origin=Origin.NETWORK,
        published=format_time(now - release.age),
        first_published=format_time(now - release.first),
        integrity=key.integrity,
        tarball=str(release.entry["resolved"]),
        scripts=dict(release.scripts),
        has_install_script=bool(release.scripts) or None,
        signatures=(),
        serves_evidence=True,
        attestations_url=None,
        publisher=release.publisher,
        trusted_publisher=None,
        maintainers=(),
        licence="MIT",
        deprecated=None,
    )
    return CollectedFacts(
        key=key,
        registry=_advertised(word, key) if release.attested else word,
        tarball=inside,
        attestations=_attested(key, sha512, now - release.age, sigstore) if release.attested else _ABSENT,
    )


_ABSENT = Missing(absence=Absence.ABSENT, reason="the registry answers that there is no attestation")


def _aged(text: str | None, now: datetime) -> str:
    assert text is not None
    return format_time(min(parse_time(text), now - OLD))


def _advertised(word: RegistryWord, key: FactKey) -> RegistryWord:
    return replace(word, attestations_url=f"{REGISTRY}-/npm/v1/attestations/{key.name}@{key.version}")


def _attested(key: FactKey, sha512: str, time: datetime, sigstore: TestSigstore) -> AttestationDocument:
    """Return what the registry would serve: provenance by the package's own workflow, and a publish attestation."""
    import hashlib

    repository, repository_id, workflow = BUILT_BY[key.name]
    body = sigstore.attestations_document(
        [
            sigstore.provenance(
                key.name,
                key.version,
                sha512,
                repository=repository,
                repository_id=repository_id,
                workflow=f".github/workflows/{workflow}",
                ref="refs/heads/main",
                time=time,
            ),
            sigstore.publish(key.name, key.version, sha512, time=time),
        ]
    )
    return AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=Origin.NETWORK)
