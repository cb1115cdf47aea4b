"""The cases of tests/cases: a folder each, told in a `case.toml`, and run through the command line as a user would.

    [packages."axios@1.14.1"]        what the registry, its tarball and sigstore say of a release (`Release`)
    edit = [{install = "…"}, …]      how the project was made from its base (tools/make_cases.py)
    [expect]                         the verdict of each profile, and the findings that it must rest on

A release is minted: a tarball of some bytes, and provenance by a sigstore of our own. What a run is given is what a
registry would answer about the lockfile's entries, recorded and signed by a key that the trust file accepts. All times
are relative to now.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import math
import os
import re
import shutil
import struct
import sys
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sbomgate import facts, version_set
from sbomgate.model import (
    Absence,
    AttestationDocument,
    CollectedFacts,
    EarlierRelease,
    FactKey,
    Missing,
    Origin,
    RegistrySignature,
    RegistryWord,
    TarballFacts,
)
from sbomgate.times import format_time
from testkit import people, rebuilds, tarballs
from testkit.sigstore import TestSigstore

REGISTRY = "https://registry.npmjs.org/"  # what a lockfile's `resolved` says
CASES = Path(__file__).resolve().parents[1] / "cases"
BASES = CASES / "_bases"
TOLD = "case.toml"  # the one file of a folder that is not the project's
INSTALLS = ("preinstall", "install", "postinstall")

# --------------------------------------------------------------------------------------------------------------------
# What is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version in the registry.

    Attributes:
        name, version: its own.
        integrity: of a real release, whose bytes nobody needs; None for one that is minted.
        published_hours_ago: when the registry says it was published; nan where it does not say.
        first_published_hours_ago: the same of the package's very first version.
        scripts, gyp, bundled: what its tarball holds; bundled: path → {name, version, scripts}.
        registry_scripts: what the registry's manifest says of the scripts, where that differs.
        registry_integrity: `dist.integrity`, where it is not that of the tarball.
        registry_dependencies, registry_bin: the same of its dependencies and commands.
        bin: names of its commands. files: path → text of further files in the tarball.
        dependencies: of its manifest. entry: further fields of its entry in a lockfile.
        provenance: `unattested`, `advertised-missing`, `unreachable`, or the arguments of `TestSigstore.provenance`,
            with `bundle_of` (another release whose bundle is served), `mutate` (a name in `MUTATIONS`), `only`
            (`publish` or `provenance`), `log_hours_ago` (when the log saw it; else the publish time).
        signature: `good`, `none`, `bad`, `unknown-key` or `retired`.
        registry: `known`; `unreachable`; `mirror`: it serves neither signatures nor attestations.
        tarball: `known`, or `unreachable`.
        licence: of its manifest; "" for one that states none.
        publisher, trusted_publisher, deprecated, maintainers: the registry's word.
        latest: what its dist-tag `latest` names.
        listed: all versions that the registry lists, for the ledger; empty where nobody notes them.
        asked_hours_ago: when it was asked.
    """

    name: str
    version: str
    integrity_: str | None = None
    published_hours_ago: float = 5000.0
    first_published_hours_ago: float = 50000.0
    scripts: Mapping[str, str] = field(default_factory=dict)
    gyp: bool = False
    bundled: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    registry_scripts: Mapping[str, str] | None = None
    registry_integrity: str | None = None
    registry_dependencies: Mapping[str, str] | None = None
    registry_bin: Sequence[str] | None = None
    bin: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict)
    provenance: str | Mapping[str, Any] = "unattested"
    licence: str = "MIT"
    signature: str = "good"
    registry: str = "known"
    tarball: str = "known"
    publisher: str | None = "its-maintainer"
    trusted_publisher: str | None = None
    deprecated: str | None = None
    maintainers: tuple[str, ...] = ()
    latest: str | None = None
    listed: Sequence[str] = ()
    asked_hours_ago: float = 0.0

    @property
    def data(self) -> bytes:
        """The tarball of a minted release, with the same bytes wherever it is made."""
        files = {"binding.gyp": b"{}\n"} if self.gyp else {}
        for path, inner in self.bundled.items():
            files[f"{path}/package.json"] = json.dumps(inner, indent=2).encode() + b"\n"
        files |= {path: text.encode() for path, text in self.files.items()}
        manifest: dict[str, Any] = {"dependencies": dict(self.dependencies)} if self.dependencies else {}
        if self.licence != "MIT":
            manifest["license"] = self.licence or None
        if self.bin:
            manifest["bin"] = dict.fromkeys(self.bin, "index.js")
        if self.bundled:
            manifest["bundleDependencies"] = sorted(inner["name"] for inner in self.bundled.values())
        return stored(tarballs.package(self.name, self.version, scripts=self.scripts, manifest=manifest, files=files))

    @property
    def integrity(self) -> str:
        """What a lockfile says of its bytes."""
        return self.integrity_ or tarballs.integrity(self.data)

    @property
    def sha512(self) -> str:
        """The same as hex."""
        return base64.b64decode(self.integrity.removeprefix("sha512-")).hex()

    @property
    def resolved(self) -> str:
        """Its address."""
        return f"{REGISTRY}{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"

    @property
    def lock_entry(self) -> dict[str, Any]:
        """Its entry in a lockfile, as npm writes it."""
        entry: dict[str, Any] = {"version": self.version, "resolved": self.resolved, "integrity": self.integrity}
        if set(self.scripts) & set(INSTALLS):
            entry["hasInstallScript"] = True
        if self.licence:
            entry["license"] = self.licence
        if self.dependencies:
            entry["dependencies"] = dict(self.dependencies)
        if self.bin:
            entry["bin"] = dict.fromkeys(self.bin, "index.js")
        if self.bundled:
            entry["bundleDependencies"] = sorted(inner["name"] for inner in self.bundled.values())
        return {**entry, **self.entry}


def stored(compressed: bytes) -> bytes:
    """Return a gzip stream again without compression: compressors differ, stored blocks do not."""
    data = gzip.decompress(compressed)
    out = bytearray(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")
    for at in range(0, len(data), 0xFFFF):
        block = data[at : at + 0xFFFF]
        out += struct.pack("<BHH", at + 0xFFFF >= len(data), len(block), len(block) ^ 0xFFFF) + block
    return bytes(out + struct.pack("<II", zlib.crc32(data), len(data)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one profile must say.

    Attributes:
        verdict: allowed, denied, or error (exit 2).
        denies, warns, notes: `rule/code` that must be among the findings of that level.
        silent: `rule/code` that no level has.
        only: nothing but `denies` denies.
        says: a part of what stderr says.
        wrong: why the product does not say so yet.
    """

    verdict: str
    denies: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    only: bool = False
    says: str = ""
    wrong: str = ""


PROFILES = ("bootstrap", "observe", "default", "strict", "release")
"""`bootstrap` is `default` on the first run, without an approved build; the others have the base as their baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One folder.

    Attributes:
        name: of the folder. id: of the row in the list of cases. title: one sentence. why: more of them.
        base: the folder that it was made from: its files, its packages, its trust file.
        baseline: the folder whose build is the approved one, where that is not the base.
        edit: what was done to it. packages: `name@version` → fields of `Release`.
        quiet: rules that must not deny.
        format: the base's project with its lockfile told in this format (`testkit.locks`); what else the base tells
            (packages, trust, list of malicious packages) holds here too.
        trust, trust_tables: further lines of the trust file, before its tables and after them.
        malicious: rows of the list of malicious packages, or `shipped`; noise: how many other rows come first.
        feed: an OSV record, of which `feed import` makes the list.
        rebuilt: releases that a rebuilder of the trust file attests to have built again with the same content.
        commit_by, people: who committed the change, and what people signed about it (`testkit.people`).
        verb: `check`, or `gate`. arguments: further ones of it; {project} stands for the project's folder.
    """

    name: str
    folder: Path
    id: str
    title: str
    why: str = ""
    base: str = ""
    baseline: str = ""
    edit: Sequence[Mapping[str, Any]] = ()
    packages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    expect: Mapping[str, Expected] = field(default_factory=dict)
    quiet: tuple[str, ...] = ()
    format: str = ""
    trust: str = ""
    trust_tables: str = ""
    malicious: str = ""
    noise: int = 0
    feed: str = ""
    rebuilt: Sequence[str] = ()
    commit_by: str = ""
    people: Sequence[Mapping[str, Any]] = ()
    verb: str = "check"
    arguments: Sequence[str] = ()

    def files(self) -> list[Path]:
        """The project's files, links included."""
        found = [p for p in self.folder.rglob("*") if (p.is_symlink() or p.is_file()) and p != self.folder / TOLD]
        return sorted(found)


def load(folder: Path) -> Case:
    """Read a case or a base.

    Raises:
        ValueError: a key that nobody knows.
    """
    told = tomllib.loads((folder / TOLD).read_text("utf-8"))
    known = {f.name for f in fields(Case)} - {"name", "folder"}
    if unknown := told.keys() - known:
        raise ValueError(f"{folder.name}: unknown {', '.join(sorted(unknown))}")
    expect = {profile: _expected(folder, one) for profile, one in told.pop("expect", {}).items()}
    if unknown := expect.keys() - set(PROFILES):
        raise ValueError(f"{folder.name}: unknown profile {', '.join(sorted(unknown))}")
    told["quiet"] = tuple(told.get("quiet", ()))
    return Case(name=folder.name, folder=folder, expect=expect, **told)


def _expected(folder: Path, told: Mapping[str, Any]) -> Expected:
    lists = {name: tuple(told.get(name, ())) for name in ("denies", "warns", "notes", "silent")}
    one = Expected(**{**told, **lists})
    if one.verdict not in VERDICTS.values() or (one.denies and one.verdict != "denied"):
        raise ValueError(f"{folder.name}: {one}")
    return one


VERDICTS = {0: "allowed", 1: "denied", 2: "error"}


def all_cases() -> list[Case]:
    """Return every case, by name."""
    return [load(path.parent) for path in sorted(CASES.glob(f"*/{TOLD}"))]


def find(name: str) -> Case:
    """Return a case or base by the name of its folder."""
    return load(BASES / name if (BASES / name).is_dir() else CASES / name)


def releases(case: Case) -> dict[str, Release]:
    """Return `name@version` → release: what the case tells, and what its base's lockfile holds."""
    known = releases(find(case.base)) if case.base else _real(case)
    for key, told in case.packages.items():
        name, _, version = key.rpartition("@")
        known[key] = replace(known.get(key, Release(name=name, version=version)), **told)
    return known


def _real(base: Case) -> dict[str, Release]:
    """Return the real releases of a base's lockfile, which npm wrote."""
    found = {}
    lock = json.loads((base.folder / "package-lock.json").read_bytes())
    for name, entry in _entries(lock):
        version = entry["version"].rpartition("@")[2]  # of an alias in version 1: npm:NAME@VERSION
        found[f"{name}@{version}"] = Release(name=name, version=version, integrity_=entry["integrity"])
    return found


def _entries(lock: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the real name and the entry of everything in a lockfile that npm wrote."""
    for location, entry in lock.get("packages", {}).items():
        if "node_modules/" in location:
            yield entry.get("name") or location.rpartition("node_modules/")[2], entry
    for key, entry in () if "packages" in lock else lock.get("dependencies", {}).items():
        alias = entry["version"].startswith("npm:")
        yield entry["version"][4:].rpartition("@")[0] if alias else key, entry
        yield from _entries(entry)


# --------------------------------------------------------------------------------------------------------------------
# What a registry would answer


def _flip(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


def _other_payload(bundle: dict[str, Any]) -> dict[str, Any]:
    payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload["predicate"]["buildDefinition"]["externalParameters"]["workflow"]["repository"] += "-fork"
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    return bundle


def _no_log(bundle: dict[str, Any]) -> dict[str, Any]:
    bundle["verificationMaterial"]["tlogEntries"] = []
    return bundle


def _other_log(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "logId": {"keyId": _flip(entry["logId"]["keyId"])}}


def _unknown_build_type(statement: dict[str, Any]) -> dict[str, Any]:
    definition = {"buildType": "https://build.example/v1", "externalParameters": {"source": "somewhere"}}
    return {**statement, "predicate": {"buildDefinition": definition}}


def _other_build_type(statement: dict[str, Any]) -> dict[str, Any]:
    definition = {**statement["predicate"]["buildDefinition"], "buildType": "https://build.example/v1"}
    return {**statement, "predicate": {**statement["predicate"], "buildDefinition": definition}}


def _foreign_key_id(bundle: dict[str, Any]) -> dict[str, Any]:
    bundle["dsseEnvelope"]["signatures"][0]["keyid"] = "SHA256:nobody-signed-this-hint"
    return bundle


MUTATIONS: Mapping[str, Mapping[str, Any]] = {
    "payload": {"bundle": _other_payload},
    "no-log": {"bundle": _no_log},
    "log-id": {"entry": _other_log},
    "keyid": {"bundle": _foreign_key_id},
    "predicate-type": {"statement": lambda s: {**s, "predicateType": "https://slsa.dev/provenance/v9"}},
    "build-type": {"statement": _unknown_build_type},
    "build-type-only": {"statement": _other_build_type},
    "media-type": {"bundle": lambda b: {**b, "mediaType": "application/vnd.dev.sigstore.bundle.v9+json"}},
}


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that the registry and sigstore know in one case."""

    releases: Mapping[str, Release]
    sigstore: TestSigstore
    now: datetime

    def collected(self, keys: Sequence[FactKey]) -> dict[FactKey, CollectedFacts]:
        """Return what collecting facts about these keys gives."""
        return {key: self._about(key) for key in keys}

    def _about(self, key: FactKey) -> CollectedFacts:
        known = self.releases.get(f"{key.name}@{key.version}")
        unreachable = Missing(absence=Absence.UNREACHABLE, reason="the registry could not be reached")
        reached = known if known is not None and known.registry != "unreachable" else None
        return CollectedFacts(
            key=key,
            registry=unreachable if reached is None else self._word(reached),
            tarball=self._tarball(key),
            attestations=self._attestations(known),
            earlier=unreachable if reached is None else self._earlier(reached),
        )

    def _earlier(self, judged: Release) -> tuple[EarlierRelease, ...]:
        """What the registry's packument shows of the releases before one: those that the case knows."""
        from sbomgate.npm.earlier import earlier_versions

        own = {one.version: one for one in self.releases.values() if one.name == judged.name}
        published = {
            version: None if math.isnan(one.published_hours_ago) else self.time(one.published_hours_ago)
            for version, one in own.items()
        }
        found = []
        for version in earlier_versions(judged.version, published):
            one, word = own[version], self._word(own[version])
            found.append(
                EarlierRelease(
                    version=version,
                    integrity=word.integrity,
                    published=word.published,
                    publisher=word.publisher,
                    trusted_publisher=word.trusted_publisher,
                    maintainers=word.maintainers,
                    attestations_url=word.attestations_url,
                    attestations=self._attestations(one),
                )
            )
        return tuple(found)

    def _word(self, one: Release) -> RegistryWord:
        from sbomgate.npm.earlier import is_lower

        attested = not isinstance(one.provenance, str) or one.provenance != "unattested"
        mirror = one.registry == "mirror"
        scripts = dict(one.scripts if one.registry_scripts is None else one.registry_scripts)
        return RegistryWord(
            registry=REGISTRY,
            asked_at=self.now - timedelta(hours=one.asked_hours_ago),
            origin=Origin.NETWORK,
            published=self._ago(one.published_hours_ago),
            first_published=self._ago(one.first_published_hours_ago),
            integrity=one.registry_integrity or one.integrity,
            tarball=one.resolved,
            scripts=scripts,
            has_install_script=True if scripts else None,
            signatures=() if mirror else self._signatures(one),
            serves_evidence=not mirror,
            attestations_url=f"{REGISTRY}-/npm/v1/attestations/{one.name}@{one.version}"
            if attested and not mirror
            else None,
            publisher=one.publisher,
            trusted_publisher=one.trusted_publisher,
            maintainers=one.maintainers,
            licence="MIT",
            deprecated=one.deprecated,
            dependencies=None
            if one.integrity_
            else dict(one.dependencies if one.registry_dependencies is None else one.registry_dependencies),
            bin=None if one.integrity_ else tuple(sorted(one.bin if one.registry_bin is None else one.registry_bin)),
            versions=version_set.encode(one.listed),
            latest=one.latest if one.latest and is_lower(one.latest, one.version) else None,
        )

    def _ago(self, hours: float) -> str | None:
        return None if math.isnan(hours) else format_time(self.time(hours))

    def time(self, hours: float) -> datetime:
        """Return the time so many hours ago."""
        return (self.now - timedelta(hours=hours)).replace(microsecond=0)

    def _signatures(self, one: Release) -> tuple[RegistrySignature, ...]:
        if one.signature == "none":
            return ()
        integrity = one.registry_integrity or one.integrity
        over = integrity if one.signature != "bad" else integrity.replace("sha512-", "sha512-A", 1)
        made = self.sigstore.registry_signature(one.name, one.version, over, retired=one.signature == "retired")
        keyid = made["keyid"] if one.signature != "unknown-key" else "SHA256:a-key-that-nobody-knows"
        return (RegistrySignature(keyid=keyid, sig=made["sig"]),)

    def _tarball(self, key: FactKey) -> TarballFacts | Missing:
        from sbomgate.npm import tarball

        for token in key.integrity.split():
            if not token.startswith("sha512-"):
                continue
            one = next((r for r in self.releases.values() if r.integrity == token), None)
            if one is None or one.tarball != "known":
                continue
            if one.integrity_ is None:
                return tarball.read(one.data, sha512=one.sha512, origin=Origin.NETWORK)
            return TarballFacts(
                sha512=one.sha512,
                origin=Origin.NETWORK,
                name=one.name,
                version=one.version,
                scripts=dict(one.scripts),
                gyp=one.gyp,
                bundled=(),
                licence=one.licence or None,
            )
        return Missing(absence=Absence.UNREACHABLE, reason="no tarball with this digest could be had")

    def _attestations(self, one: Release | None) -> AttestationDocument | Missing:
        if one is None or "unreachable" in (one.registry, one.provenance):
            return Missing(absence=Absence.UNREACHABLE, reason="the registry could not be reached")
        if one.provenance == "advertised-missing":
            return Missing(absence=Absence.ADVERTISED_MISSING, reason="advertised, and not there (404)")
        if one.provenance == "unattested":
            return Missing(absence=Absence.ABSENT, reason="the registry serves none for this version")
        body = self.attestations(one)
        return AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=Origin.NETWORK)

    def attestations(self, one: Release) -> bytes:
        """Return the attestation document of a release."""
        assert not isinstance(one.provenance, str), one.provenance
        told = dict(one.provenance)
        about = self.releases[told.pop("bundle_of")] if "bundle_of" in told else one
        only = told.pop("only", "")
        told["mutate"] = MUTATIONS[told["mutate"]] if "mutate" in told else None
        time = self.time(told.pop("log_hours_ago", one.published_hours_ago))
        retired = told.pop("retired", False)
        subject = told.pop("subject", about.name), about.version, about.sha512
        instance = TestSigstore(self.now, seed="staging") if told.pop("staging", False) else self.sigstore
        bundles = []
        if only != "publish":
            bundles.append(instance.provenance(*subject, time=time, **told))
        if only != "provenance":
            bundles.append(self.sigstore.publish(*subject, time=time, retired=retired))
        return self.sigstore.attestations_document(bundles)


# --------------------------------------------------------------------------------------------------------------------
# The run


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one run: the exit code, the report (None at exit 2), and what stderr says."""

    exit: int
    report: Mapping[str, Any] | None
    stderr: str

    @property
    def verdict(self) -> str:
        """allowed, denied or error."""
        return VERDICTS[self.exit]

    def said(self, level: str) -> set[str]:
        """Return `rule/code` of the findings of a level: denials, warnings, notes."""
        entries = (self.report or {}).get(level, ())
        return {f"{f['rule']}/{f['code']}" for entry in entries for f in entry["findings"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A folder with keys, a trust file and the stores of approved builds; a process runs cases in it."""

    root: Path
    now: datetime

    @property
    def sigstore(self) -> TestSigstore:
        """The sigstore of every provenance here."""
        return TestSigstore(self.now)

    def prepare(self) -> None:
        """Make the keys and the private sigstore's files."""
        from sbomgate.signing import local_key

        (self.root / "home").mkdir()
        for name in ("release", "recorder"):
            key = local_key.generate(self.root / f"{name}.key")
            (self.root / f"{name}.pub").write_text(key.public_key)
        people.prepare(self.root)
        (self.root / "trusted_root.json").write_bytes(self.sigstore.trusted_root_json())
        (self.root / "registry_keys.json").write_bytes(self.sigstore.registry_keys_json())
        (self.root / "artefact").write_bytes(b"what ships\n")
        self._take_engine()

    def _take_engine(self) -> None:
        """Let every process find the compiled engine: compiling it takes longer than all the cases together."""
        from testkit.engines import borrow_engine

        folder = self.root / "cache" / "sbomgate" / "engine"
        folder.mkdir(mode=0o700, parents=True)
        borrow_engine(folder)

    def run(self, name: str, profile: str) -> Outcome:
        """Run one case under one profile, in this process."""
        case = find(name)
        folder = self.lay_out(case, f"{name}-{profile}")
        about = ["--offline", str(folder / "project"), *self.arguments(case, folder)]
        if profile != "bootstrap":
            about += ["--baseline", str(self.store(baseline_of(case)))]
        if profile in ("observe", "strict", "release"):
            about += ["--profile", profile]
        about += [one.replace("{project}", str(folder / "project")) for one in case.arguments]
        try:
            if case.commit_by:
                people.commit(self, find(baseline_of(case)).folder, folder, case.commit_by)
            people.act(self, case, folder, about, releases(case))
            if case.verb == "gate":
                about += ["--subject", f"file:{self.root / 'artefact'}", "--key", str(self.root / "release.key")]
                about += ["--store", str(folder / "store")]
            return self.command([case.verb, "--json", *about], folder)
        finally:
            shutil.rmtree(folder)

    def store(self, base: str) -> Path:
        """Where the approved build of a base is kept."""
        return self.root / "stores" / base

    def approve(self, name: str) -> None:
        """Gate a base: its build is the approved one from now on."""
        case = find(name)
        folder = self.lay_out(case, f"approve-{name}")
        outcome = self.command(
            [
                *("gate", "--json", "--offline", str(folder / "project"), *self.arguments(case, folder)),
                *("--subject", f"file:{self.root / 'artefact'}", "--key", str(self.root / "release.key")),
                *("--store", str(self.store(name))),
            ],
            folder,
        )
        assert outcome.exit == 0, f"{name} is not approved: {outcome}"
        shutil.rmtree(folder)

    def arguments(self, case: Case, folder: Path) -> list[str]:
        """Return what every verb is given: the trust file, and the recorded facts where the lockfile can be read."""
        found = ["--trust", str(folder / "trust.toml")]
        if (folder / "facts.json").is_file():
            found += ["--facts", str(folder / "facts.json")]
        return found

    def lay_out(self, case: Case, name: str) -> Path:
        """Copy the project out of this repository, and write what lies beside it: trust file and facts."""
        folder = self.root / "runs" / name
        for path in case.files():
            copy = folder / "project" / path.relative_to(case.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy, follow_symlinks=False)
        generate(case, folder / "project")
        world = World(releases=releases(case), sigstore=self.sigstore, now=self.now)
        (folder / "trust.toml").write_text(self.trust(case, world, folder), "utf-8")
        self.record(world, folder)
        return folder

    def record(self, world: World, folder: Path) -> None:
        """Record what the registry answers about the project, and sign it. What cannot be read has no facts."""
        from sbomgate import lockfiles
        from sbomgate.errors import InputError
        from sbomgate.npm.wanted import wanted
        from sbomgate.project import DiskFiles
        from sbomgate.signing import local_key

        try:
            keys = [one.key for one in wanted(lockfiles.read(DiskFiles(folder / "project")))]
        except InputError:
            return
        statement = facts.write_statement(world.collected(keys))
        (folder / "facts.json").write_bytes(local_key.load(self.root / "recorder.key").sign(statement))

    def trust(self, case: Case, world: World, folder: Path) -> str:
        """Return the trust file: the release key decides, the recorder records, the private sigstore builds."""
        line = [case]
        while line[0].base:
            line.insert(0, find(line[0].base))
        tables = [one.trust_tables for one in line]
        if case.people:
            tables += people.trust(self.root)
        for name, role in (("release", "decision"), ("recorder", "facts")):
            public = (self.root / f"{name}.pub").read_text()
            tables.append(f'[[signers]]\nname = "{name}"\nroles = ["{role}"]\npublic_key = """\n{public}"""')
        for name in ("trusted_root", "registry_keys"):
            shutil.copyfile(self.root / f"{name}.json", folder / f"{name}.json")
            tables.append(f'[sigstore.{name}]\npath = "{name}.json"\nsha256 = "{_sha256(folder / f"{name}.json")}"')
        if case.rebuilt:
            tables.append(self._rebuilder(case, world, folder))
        malicious = find(case.base).malicious if case.format and not case.malicious else case.malicious
        if malicious != "shipped":
            # Day zero: nobody has listed anything yet, unless the case says so.
            noise = (f"name-{n},1.0.0|1.0.1,MAL-{n},test,test" for n in range(case.noise))
            rows = "\n".join(["name,versions,osv_id,wave,sources", *noise, *malicious.split()])
            (folder / "malicious.csv").write_text(rows + "\n", "utf-8")
            if case.feed:
                (folder / "osv.json").write_text(case.feed, "utf-8")
                imported = ["feed", "import", str(folder / "osv.json"), "-o", str(folder / "malicious.csv")]
                (folder / "malicious.csv").unlink()
                people.run(self, imported, folder)
            tables.append(
                f'[[malicious_lists]]\npath = "malicious.csv"\nsha256 = "{_sha256(folder / "malicious.csv")}"'
            )
        tables.append(f"[sigstore]\nupdated = {format_time(self.now)}")
        text = "\n\n".join(['schema = "sbomgate/trust/v1"', *(one.trust for one in line), *tables]) + "\n"
        return fill(text, world.releases)

    def _rebuilder(self, case: Case, world: World, folder: Path) -> str:
        from sbomgate.signing import local_key

        key = local_key.generate(folder / "rebuilder.key")
        built = [world.releases[one] for one in case.rebuilt]
        lines = [rebuilds.line(rebuilds.statement(one.name, one.version, one.sha512), key) for one in built]
        (folder / "rebuild.intoto.jsonl").write_bytes(b"".join(lines))
        return (
            f'[[rebuilders]]\nname = "a rebuilder"\nbuilder_id = "{rebuilds.BUILDER}"\n'
            f'public_key = """\n{key.public_key}"""\n'
            f'attestations = [{{path = "rebuild.intoto.jsonl", sha256 = "{_sha256(folder / "rebuild.intoto.jsonl")}"}}]'
        )

    def command(self, arguments: list[str], folder: Path, *, prints_json: bool = True) -> Outcome:
        """Run one command in this process, as `sbomgate` would."""
        from sbomgate.cli import main

        printed, err = io.BytesIO(), io.StringIO()
        out = io.TextIOWrapper(printed, "utf-8")
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = out, err
        try:
            code = main(arguments)
        finally:
            sys.stdout, sys.stderr = before
        out.flush()
        report = json.loads(printed.getvalue()) if code != 2 and prints_json else None
        return Outcome(exit=code, report=report, stderr=err.getvalue())

    def environment(self) -> dict[str, str]:
        """Return the variables of a process in which nothing of this machine counts."""
        return {
            **{key: value for key, value in os.environ.items() if not key.lower().startswith(("npm_", "sbomgate"))},
            "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "npm_config_cache": str(self.root / "npm"),
        }


def fill(text: str, known: Mapping[str, Release]) -> str:
    """Put a release's values in place of `{integrity NAME@VERSION}`, `{resolved …}`, `{scripts …}` (their digest)."""
    from sbomgate.facts.assembly import scripts_digest

    def value(match: re.Match[str]) -> str:
        one = known[match[2]]
        match match[1]:
            case "integrity":
                return one.integrity
            case "resolved":
                return one.resolved
            case _:
                return scripts_digest(dict(one.scripts), one.gyp)

    return re.sub(r"\{(integrity|resolved|scripts) ([^}]+)\}", value, text)


def generate(case: Case, project: Path) -> None:
    """Write what is too large to be checked in, where an edit says so (`generate`)."""
    for edit in case.edit:
        if "generate" not in edit:
            continue
        path = project / edit.get("file", "package-lock.json")
        match edit["generate"]:
            case "entries":
                lock = json.loads(path.read_bytes())
                lock["packages"] |= {f"node_modules/p{n}": {} for n in range(edit["count"])}
                path.write_text(json.dumps(lock))
            case "bytes":
                with path.open("ab") as file:
                    file.truncate(edit["count"])  # a sparse file: it has the size, and takes no room
            case "nesting":
                path.write_text('{"packages": ' + "[" * edit["count"])
            case "digits":
                path.write_text(path.read_text().replace('"requires": true', f'"requires": {"9" * edit["count"]}'))
            case what:
                raise ValueError(f"{case.name}: nothing generates {what}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --------------------------------------------------------------------------------------------------------------------
# Processes: each works on the same bench

_bench: Bench | None = None


def work_in(bench: Bench) -> None:
    """Make this process one that runs cases on a bench."""
    global _bench
    _bench = bench
    os.environ.clear()
    os.environ.update(bench.environment())


def work(what: str, *arguments: str) -> Outcome | None:
    """Approve a base, or run a case, in such a process."""
    assert _bench is not None
    match what:
        case "approve":
            _bench.approve(*arguments)
            return None
        case _:
            return _bench.run(*arguments)


def baseline_of(case: Case) -> str:
    """Return the name of the folder whose approved build a case is compared with."""
    if case.format and not case.baseline:
        return f"{baseline_of(find(case.base))}@{case.format}"
    return case.baseline or case.base or case.name


class Outcomes:
    """The outcomes of the cases that were selected; all were started when the first was asked for."""

    def __init__(self, pool: ProcessPoolExecutor, wanted: Sequence[tuple[str, str]]) -> None:
        """Approve the bases that are needed, and start every (case, profile) that is wanted."""
        bases = {baseline_of(find(name)) for name, profile in wanted if profile != "bootstrap"}
        self._approved = {base: pool.submit(work, "approve", base) for base in sorted(bases)}
        for approved in self._approved.values():
            approved.exception()  # only to wait: a build that was not approved fails the cases that need it
        self._started = {(name, profile): pool.submit(work, "run", name, profile) for name, profile in wanted}

    def of(self, name: str, profile: str) -> Outcome:
        """Return the outcome of a case under a profile."""
        if profile != "bootstrap":
            self._approved[baseline_of(find(name))].result()
        outcome = self._started[name, profile].result()
        assert outcome is not None
        return outcome
