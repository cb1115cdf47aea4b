"""PackageFacts from the graph, what was collected and what was verified (docs/facts.md has the tables)."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never
from urllib.parse import urlsplit

import orjson

from sbomgate.model import (
    OWN_KINDS,
    Absence,
    Attestation,
    AttestationState,
    BundledManifest,
    CollectedFacts,
    DependencyGraph,
    Earlier,
    EarlierFacts,
    EarlierRelease,
    EdgeKind,
    FactKey,
    Kind,
    ManagerSettings,
    Missing,
    Origin,
    Package,
    PackageFacts,
    Publish,
    RegistryWord,
    Scripts,
    Sighting,
    Signature,
    SignatureState,
    TarballFacts,
)
from sbomgate.times import EARLIEST, format_time, parse_time

MAX_FUTURE = timedelta(minutes=5)  # clocks differ; more is a claim about the future
MAX_CONTRADICTION = timedelta(hours=1)  # between the log's time and the registry's word (CASES T05)
MAX_SENTENCES = 20  # of one package: more of the same kind tell nobody anything
GYP_SCRIPT = "node-gyp rebuild"  # what npm runs where there is a binding.gyp
INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")

_BIN_FOLDER = re.compile(r"(\.[/\\])?node_modules[/\\].bin[\\/]")  # npm cuts it off a script when it publishes
_FIRST_PARTY = "first-party: not from a registry"


def assemble(
    graph: DependencyGraph,
    collected: Mapping[FactKey, CollectedFacts],
    *,
    attestations: Mapping[FactKey, tuple[Attestation, Attestation]],
    signatures: Mapping[FactKey, Signature],
    sightings: Mapping[FactKey, Sighting],
    now: datetime,
    rebuilt: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, PackageFacts]:
    """Return package id → facts, for every package of the graph, the root included.

    Args:
        graph: what the lockfile says.
        collected: what `sbomgate.npm.collect` returned or a signed document holds. Nothing for a key is unknown.
        attestations: the verified states (publish, provenance) of each key with an attestation document. A document
            that nobody verified is `cannot-verify`; what is missing follows from why (`attestation_of_missing`).
        signatures: the verified states of each key with registry signatures; without one it follows from the registry's
            word (`signature_of`).
        sightings: versions that an earlier look at the registry did not have (`ledger.sightings`).
        now: the time of evaluation. A time more than five minutes after it is kept, with the reason: "nobody knows"
            would be the gentler word for a registry that says something impossible.
        rebuilt: sha512 (hex) of a tarball → who built the same from its source (`provenance.rebuild`).
    """
    by_id = {package.id: package for package in graph.packages}
    declared = _declared(graph)
    result: dict[str, PackageFacts] = {}
    for package in graph.packages:
        key = key_of(package)
        facts = collected.get(key) or _nothing(key, package)
        publish, provenance = attestations.get(key) or _unverified(facts.attestations)
        if isinstance(facts.attestations, Missing):  # (1) a state without a document is nobody's verification
            publish, provenance = _unverified(facts.attestations)
        word = None if isinstance(facts.registry, Missing) else facts.registry
        result[package.id] = PackageFacts(
            publish=_sighted(
                _publish(facts, publish, now, withdrawn=_withdrawn(package, facts.registry, graph.manager)),
                sightings.get(key),
            ),
            scripts=_scripts(package, facts, collected, by_id),
            signature=_signature(facts, signatures.get(key)),
            publish_attestation=publish,
            provenance=provenance,
            publisher=word.publisher if word else None,
            trusted_publisher=word.trusted_publisher if word else None,
            licence=_licence(package, facts),
            deprecated=word.deprecated if word else package.deprecated,
            registry=word.registry if word else None,
            registry_integrity=word.integrity if word else None,
            maintainers=word.maintainers if word else (),
            manifest=_manifest(package, facts, declared.get(package.id, frozenset())),
            shadows=_shadows(package, facts),
            earlier=_earlier(facts, attestations),
            author=_author(facts),
            rebuilt=(rebuilt or {}).get(package.sha512 or "", ()),
            latest=word.latest if word else None,
        )
    return result


def earlier_documents(collected: Mapping[FactKey, CollectedFacts]) -> dict[FactKey, CollectedFacts]:
    """Return the attestation documents of earlier releases as entries of their own, to be verified like all others.

    Releases that have an entry already are left out. Each is bound to the registry's integrity of its version: nobody
    else states one.
    """
    missing = Missing(absence=Absence.NOT_ASKED, reason="an earlier release: only its attestations count")
    found: dict[FactKey, CollectedFacts] = {}
    for key, facts in collected.items():
        for one in facts.earlier if isinstance(facts.earlier, tuple) else ():
            own = earlier_key(key, one)
            if own not in collected and not isinstance(one.attestations, Missing):
                found[own] = CollectedFacts(key=own, registry=missing, tarball=missing, attestations=one.attestations)
    return found


def earlier_key(key: FactKey, release: EarlierRelease) -> FactKey:
    """Return what the facts of an earlier release of `key` are filed under."""
    return FactKey(name=key.name, version=release.version, integrity=release.integrity or "")


def sha512_of(integrity: str) -> str | None:
    """Return the sha512 (hex) of an integrity string that is one, as npm's registry states it; None for any other."""
    algorithm, _, digest = integrity.partition("-")
    try:
        data = binascii.a2b_base64(digest, strict_mode=True) if algorithm == "sha512" else b""
    except ValueError:
        return None
    return data.hex() if len(data) == 64 else None


def _earlier(facts: CollectedFacts, attestations: Mapping[FactKey, tuple[Attestation, Attestation]]) -> Earlier | None:
    if facts.earlier is None:
        return None
    if isinstance(facts.earlier, Missing):
        return Earlier(unknown=facts.earlier.reason, releases=())
    releases = []
    for one in facts.earlier:
        verified = attestations.get(earlier_key(facts.key, one))
        if verified is None or isinstance(one.attestations, Missing):
            verified = _unverified(one.attestations)
        releases.append(
            EarlierFacts(
                version=one.version,
                advertised=one.attestations_url is not None,
                provenance=verified[1],
                publisher=one.publisher,
                trusted_publisher=one.trusted_publisher,
                maintainers=one.maintainers,
            )
        )
    return Earlier(unknown="", releases=tuple(releases))


def key_of(package: Package) -> FactKey:
    """Return what facts about a package are filed under: the real name, never the alias."""
    return FactKey(name=package.name, version=package.version or "", integrity=package.integrity or "")


def attestation_of_missing(missing: Missing) -> Attestation:
    """Return the state of an attestation that is not there. Only a registry's own "there is none" is `unattested`."""
    reason = missing.reason
    match missing.absence:
        case Absence.ABSENT:
            state = AttestationState.UNATTESTED
        case Absence.NOT_SERVED:
            state = AttestationState.UNREACHABLE
            reason = "this registry serves neither signatures nor attestations"
        case Absence.ADVERTISED_MISSING:
            state = AttestationState.ADVERTISED_MISSING
        case Absence.NOT_ASKED | Absence.UNREACHABLE:
            state = AttestationState.UNREACHABLE
        case Absence.NOT_APPLICABLE:
            state = AttestationState.NOT_APPLICABLE
        case Absence.MALFORMED | Absence.MISMATCH:
            state = AttestationState.CANNOT_VERIFY
        case _:
            assert_never(missing.absence)
    return Attestation(state=state, reason=reason)


def signature_of(word: RegistryWord | Missing) -> Signature | None:
    """Return the state of a registry signature where it needs no verifying; None where there is one to verify."""
    if isinstance(word, Missing):
        if word.absence is Absence.NOT_APPLICABLE:
            return Signature(state=SignatureState.NOT_APPLICABLE, reason=word.reason)
        return Signature(state=SignatureState.UNKNOWN, reason=word.reason)
    if word.signatures:
        return None
    if word.serves_evidence:
        return Signature(state=SignatureState.ABSENT, reason="the registry signs this package, and not this version")
    return Signature(state=SignatureState.NOT_SERVED, reason="this registry serves neither signatures nor attestations")


def _nothing(key: FactKey, package: Package) -> CollectedFacts:
    missing = why_nothing(package) or Missing(absence=Absence.NOT_ASKED, reason="nothing was collected about it")
    return CollectedFacts(key=key, registry=missing, tarball=missing, attestations=missing)


def why_nothing(package: Package) -> Missing | None:
    """Return why no registry can know a package, or None for one from a registry."""
    match package.kind:
        case Kind.REGISTRY:
            return None
        case Kind.ROOT | Kind.WORKSPACE | Kind.LINK:
            reason = _FIRST_PARTY
        case Kind.GIT:
            reason = "a git dependency: not from a registry"
        case Kind.TARBALL:
            reason = "a tarball from a URL: not from a registry"
        case Kind.FILE:
            reason = "a file on disk: not from a registry"
        case Kind.BUNDLED:
            reason = "bundled: it came inside another package's tarball"
        case Kind.PATCH:
            reason = "patched: its bytes are not the registry's"
        case Kind.UNKNOWN:
            # Not "not applicable": it may well come from a registry, and nobody knows.
            return Missing(absence=Absence.NOT_ASKED, reason="the lockfile does not say where it comes from")
        case _:
            assert_never(package.kind)
    return Missing(absence=Absence.NOT_APPLICABLE, reason=reason)


def _unverified(document: object) -> tuple[Attestation, Attestation]:
    if isinstance(document, Missing):
        state = attestation_of_missing(document)
    else:
        state = Attestation(state=AttestationState.CANNOT_VERIFY, reason="there, but it was not verified")
    return state, state


def _signature(facts: CollectedFacts, verified: Signature | None) -> Signature:
    # (2) a state counts only where there is a signature that it can be about
    known = signature_of(facts.registry)
    if known is not None:
        return known
    return verified or Signature(state=SignatureState.UNKNOWN, reason="there, but it was not verified")


def _licence(package: Package, facts: CollectedFacts) -> str | None:
    if isinstance(facts.tarball, TarballFacts):
        return facts.tarball.licence
    return facts.registry.licence if isinstance(facts.registry, RegistryWord) else package.licence


def _author(facts: CollectedFacts) -> str | None:
    if isinstance(facts.tarball, TarballFacts):
        return facts.tarball.author
    return facts.registry.author if isinstance(facts.registry, RegistryWord) else None


# --------------------------------------------------------------------------------------------------------------------
# Publish time


def _publish(facts: CollectedFacts, attestation: Attestation, now: datetime, *, withdrawn: bool) -> Publish:
    word = facts.registry
    first: datetime | None = None
    stated: datetime | None = None
    if isinstance(word, Missing):
        source, problem = "withdrawn" if withdrawn else "unknown", f"publish time not known: {word.reason}"
        if withdrawn:  # whatever the log saw: there is no such version now (CASES T11)
            return Publish(time=None, source=source, reason=problem, first=first)
    else:
        source = "recorded" if word.origin is Origin.RECORDED else "registry"
        stated, problem = _stated(word.published)
        first, _ = _stated(word.first_published)
        if first is not None and first - now > MAX_FUTURE:
            first = None
    log_time = attestation.log_time if attestation.state is AttestationState.VERIFIED else None
    # A time in the future is not unknown: it is passed on, and release_age denies it under every profile.
    if log_time is not None and log_time - now > MAX_FUTURE:
        return Publish(time=log_time, source="attestation", reason=_future("the log's time", log_time), first=first)
    if stated is not None and stated - now > MAX_FUTURE:
        problem = _future("the registry's publish time", stated)
        return Publish(time=stated, source=source, reason=problem, first=first)
    if log_time is None:
        if stated is None:
            return Publish(time=None, source="unknown", reason=problem, first=first)
        return Publish(time=stated, source=source, reason="", first=first)
    if stated is None:
        # The proof stands alone; only a word that is there and wrong is worth a reason.
        wrong = "" if isinstance(word, Missing) or word.published is None else problem
        return Publish(time=log_time, source="attestation", reason=wrong, first=first)
    if stated - log_time > MAX_CONTRADICTION:
        # The later of the two: a version can be signed, held back and made public days after.
        reason = f"the registry says {format_time(stated)}, later than the verified log time {format_time(log_time)}"
        return Publish(time=stated, source=source, reason=reason, first=first)
    reason = ""
    if log_time - stated > MAX_CONTRADICTION:  # CASES T05
        reason = f"the registry says {format_time(stated)}, older than the verified log time {format_time(log_time)}"
    return Publish(time=log_time, source="attestation", reason=reason, first=first)


def _sighted(publish: Publish, sighting: Sighting | None) -> Publish:
    """Add what was seen, where it contradicts: a look after the publish time did not have the version (CASES C08)."""
    if sighting is None or publish.time is None or publish.time >= sighting.absent:
        return publish
    return replace(publish, absent=sighting.absent, seen=sighting.seen)


def _future(what: str, time: datetime) -> str:
    return f"{what} {format_time(time)} is in the future"


def _withdrawn(package: Package, word: RegistryWord | Missing, manager: ManagerSettings) -> bool:
    """Whether the registry that the lockfile's entry comes from says that there is no such version (CASES T11).

    Another registry's "no such package" says nothing: a private one may be configured outside of the project.
    """
    if not isinstance(word, Missing) or word.absence is not Absence.ABSENT or package.resolved is None:
        return False
    scope, slash, _ = package.name.partition("/")
    asked = manager.scopes.get(scope, manager.registry) if slash else manager.registry
    try:
        return urlsplit(package.resolved).netloc.lower() == urlsplit(asked).netloc.lower()
    except ValueError:
        return False


def _stated(text: str | None) -> tuple[datetime | None, str]:
    if text is None:
        return None, "the registry states no publish time"
    try:
        time = parse_time(text)
    except ValueError as e:
        return None, f"the registry's publish time {text[:40]!a} {e}"
    if time < EARLIEST:
        return None, f"the registry's publish time {format_time(time)} is before npm existed"
    return time, ""


# --------------------------------------------------------------------------------------------------------------------
# Install scripts


def _scripts(
    package: Package,
    facts: CollectedFacts,
    collected: Mapping[FactKey, CollectedFacts],
    by_id: Mapping[str, Package],
) -> Scripts:
    if package.bundled_in is not None:
        return _bundled_scripts(package, collected, by_id)
    tarball = facts.tarball
    if isinstance(tarball, Missing):
        return _unknown_scripts(tarball.reason, other_bytes=tarball.absence is Absence.MISMATCH)
    # (3) facts of other bytes are no facts: the digest in them is the lockfile's
    if tarball.sha512 != package.sha512:
        return _unknown_scripts("the tarball facts are about other bytes than the lockfile's integrity")
    disagreements = [
        *_identity(package, tarball.name, tarball.version, "the tarball's package.json"),
        *_against_lockfile(package, tarball.scripts),
        *_against_registry(facts.registry, tarball),
        *_against_linked(package, tarball, facts.registry),
        *_unlisted(package, tarball.bundled, by_id),
    ]
    return replace(
        _known_scripts(tarball.scripts, tarball.gyp, tarball.origin, disagreements), files=dict(tarball.files)
    )


def _bundled_scripts(
    package: Package, collected: Mapping[FactKey, CollectedFacts], by_id: Mapping[str, Package]
) -> Scripts:
    holder = by_id.get(package.bundled_in or "")
    facts = collected.get(key_of(holder)) if holder is not None else None
    if holder is None or facts is None:
        return _unknown_scripts("bundled, and nothing is known about the tarball that holds it")
    if isinstance(facts.tarball, Missing):
        other_bytes = facts.tarball.absence is Absence.MISMATCH
        return _unknown_scripts(f"bundled in {holder.name}: {facts.tarball.reason}", other_bytes=other_bytes)
    if facts.tarball.sha512 != holder.sha512:
        return _unknown_scripts(f"bundled in {holder.name}, whose facts are about other bytes")
    path = _inside(holder, package.id)
    for one in facts.tarball.bundled:
        if one.path == path:
            disagreements = [
                *_identity(package, one.name, one.version, "the bundled package.json"),
                *_against_lockfile(package, one.scripts),
            ]
            return _known_scripts(one.scripts, one.gyp, facts.tarball.origin, disagreements)
    # npm fetches what a tarball turns out not to hold: an entry flagged `inBundle` would hide from every other fact.
    reason = f"the lockfile says that {holder.name} bundles it; its tarball does not hold {path}"
    return replace(_unknown_scripts(reason), disagreements=(reason,))


def _inside(holder: Package, bundled: str) -> str:
    """Return where in its holder's tarball a bundled entry lies: an id of npm's is the path, one of bun's the names."""
    path = bundled.removeprefix(f"{holder.id}/")
    if path.startswith("node_modules/"):
        return path
    return "/".join(f"node_modules/{name}" for name in re.findall(r"(?:@[^/]+/)?[^/]+", path))


def _known_scripts(scripts: Mapping[str, str], gyp: bool, origin: Origin, disagreements: Sequence[str]) -> Scripts:
    effective = _effective(scripts, gyp)
    return Scripts(
        state="present" if effective else "none",
        source="recorded" if origin is Origin.RECORDED else "tarball",
        reason="",
        scripts=effective,
        gyp=gyp,
        digest=scripts_digest(effective, gyp) if effective else None,
        disagreements=tuple(disagreements),
    )


def scripts_digest(scripts: Mapping[str, str], gyp: bool) -> str:
    """Return what an approval is bound to: SHA-256 (hex) over the canonical JSON of `{"gyp": …, "scripts": …}`."""
    canonical = orjson.dumps({"gyp": gyp, "scripts": dict(scripts)}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def _unknown_scripts(reason: str, *, other_bytes: bool = False) -> Scripts:
    return Scripts(
        state="unknown",
        source="other-bytes" if other_bytes else "unknown",
        reason=reason,
        scripts={},
        gyp=False,
        digest=None,
        disagreements=(),
    )


def _effective(scripts: Mapping[str, str], gyp: bool) -> dict[str, str]:
    found = {name: scripts[name] for name in sorted(scripts)}
    if gyp:
        found.setdefault("install", GYP_SCRIPT)
    return dict(sorted(found.items()))


def _identity(package: Package, name: str, version: str, who: str) -> list[str]:
    stated = version.strip().lstrip("=vV").partition("+")[0]  # npm cleans a version when it publishes
    wanted = (package.version or "").partition("+")[0]
    # bun's lockfile says no version of a tarball from a URL or a file.
    unsaid = package.version is None and package.kind in (Kind.TARBALL, Kind.FILE)
    if name.strip() == package.name and (stated == wanted or unsaid):
        return []
    return [f"{who} is of {name[:214]!a} {version[:64]!a}, the lockfile's entry of {package.name} {package.version}"]


def _against_lockfile(package: Package, scripts: Mapping[str, str]) -> list[str]:
    """CASES I02: a script that the lockfile hides.

    Only for scripts of package.json: whether there is a flag for binding.gyp alone depends on who published. A flag
    without a script is no contradiction: npm sets it for a binding.gyp that was there when it published and is not in
    the tarball (fsevents 2), and nothing runs.
    """
    if package.has_install_script is False and scripts:
        return [f"the lockfile says that there is no install script, the tarball has {', '.join(sorted(scripts))}"]
    return []


def _against_linked(package: Package, tarball: TarballFacts, word: RegistryWord | Missing) -> list[str]:
    """Commands that the lockfile alone gives a package: npm and bun link what it says, and do not ask the tarball.

    What the registry's manifest says as well is no contradiction here: it knows the commands of `directories.bin`.
    """
    known = {*(tarball.bin or ()), *((isinstance(word, RegistryWord) and word.bin) or ())}
    extra = {*(package.commands or ())} - known if tarball.bin is not None else set()
    if not extra:
        return []
    return [f"the lockfile gives it the command {_names(extra)}, which its package.json does not have"]


def _against_registry(word: RegistryWord | Missing, tarball: TarballFacts) -> list[str]:
    """CASES I06: what the registry's manifest says against what the tarball says."""
    if isinstance(word, Missing):
        return []
    theirs = {name: word.scripts[name] for name in INSTALL_SCRIPTS if word.scripts.get(name)}
    ours = dict(tarball.scripts)
    if "install" not in ours and theirs.get("install") == GYP_SCRIPT:
        # npm states the implied script when it publishes, even for a binding.gyp that it then does not pack; other
        # clients do not. The tarball decides.
        del theirs["install"]
    return [
        f"{name}: the registry's manifest says {_quote(theirs.get(name))}, the tarball says {_quote(ours.get(name))}"
        for name in INSTALL_SCRIPTS
        if _plain(theirs.get(name)) != _plain(ours.get(name))
    ]


# --------------------------------------------------------------------------------------------------------------------
# What else the manifests say: dependencies and commands

_OWN_COMMANDS = {"node": {"node"}, "npm": {"npm"}, "npx": {"npm", "npx"}, "corepack": {"corepack"}, "which": {"which"}}
_SHADOWED = frozenset(
    re.findall(
        r"\S+",
        """
        node npm npx corepack nodejs sh bash dash zsh env sudo su git ssh scp curl wget tar unzip gzip python python3
        pip pip3 make cmake gcc g++ cc clang ld docker podman kubectl gpg openssl cat cp mv rm ls ln mkdir rmdir chmod
        chown echo printf test true false sed awk grep find xargs which kill ps head tail sort tee touch dirname
        basename uname cmd powershell pwsh where cosign opa sbomgate
        """,
    )
)


def _shadows(package: Package, facts: CollectedFacts) -> tuple[str, ...]:
    """Return the well-known commands that a package's `bin` takes the place of.

    By its tarball, or by the lockfile's word, which is what npm and bun link: every `bin` of the top level goes into
    node_modules/.bin, which comes first on the PATH of every script, so a `bin` called node needs no install script to
    run. The packages that are that command are left out.
    """
    tarball = facts.tarball
    if package.kind in OWN_KINDS:  # a project's own commands are its own
        return ()
    own = () if isinstance(tarball, Missing) or tarball.sha512 != package.sha512 else tarball.bin or ()
    found = sorted({*own, *(package.commands or ())})
    # On Windows and macOS the case does not count, and Windows finds node.cmd for node.
    plain = ((name, re.sub(r"\.(exe|cmd|bat|ps1)$", "", name.lower())) for name in found)
    return tuple(name for name, word in plain if word in _SHADOWED and package.name not in _OWN_COMMANDS.get(word, ()))


def _declared(graph: DependencyGraph) -> dict[str, frozenset[str]]:
    """Return package id → names that its entry depends on, where the lockfile copies them from the manifest (npm's)."""
    if graph.lockfile.kind != "npm":
        return {}
    found: dict[str, set[str]] = {}
    for edge in graph.edges:
        if edge.kind in (EdgeKind.PROD, EdgeKind.OPTIONAL):
            found.setdefault(edge.source, set()).add(edge.name)
    return {source: frozenset(names) for source, names in found.items()}


def _manifest(package: Package, facts: CollectedFacts, declared: frozenset[str]) -> tuple[str, ...]:
    """Manifest confusion beyond scripts: the tarball's package.json is the truth, the others are compared with it."""
    tarball, word = facts.tarball, facts.registry
    if isinstance(tarball, Missing) or tarball.sha512 != package.sha512 or tarball.dependencies is None:
        return ()
    ours = tarball.dependencies
    found = [
        f"the lockfile says that it depends on {_names(extra)}, which its package.json does not"
        for extra in [declared - ours.keys()]
        if extra
    ]
    if isinstance(word, RegistryWord) and word.dependencies is not None:
        found += [
            f"dependency {_names([name])}: the registry's manifest says {_quote(theirs)}, the tarball {_quote(own)}"
            for name in sorted(ours.keys() | word.dependencies.keys())
            if _range(theirs := word.dependencies.get(name)) != _range(own := ours.get(name))
        ]
    if isinstance(word, RegistryWord) and word.bin is not None and word.bin != tarball.bin:
        found.append(
            f"commands: the registry's manifest says {_names(word.bin)}, the tarball says {_names(tarball.bin or ())}"
        )
    return tuple(found[:MAX_SENTENCES])


def _range(text: str | None) -> str | None:
    """Return a range as far as it is comparable: the registry spells those of git and of hosts in a way of its own."""
    if text is None:
        return None
    return "elsewhere" if "/" in text or ":" in text else text.strip()


def _names(names: Collection[str]) -> str:
    shown = [ascii(name[:214])[1:-1] for name in sorted(names)[:10]]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(shown) + more) or "none"


def _unlisted(package: Package, bundled: Sequence[BundledManifest], by_id: Mapping[str, Package]) -> list[str]:
    scripted = [one.path for one in bundled if one.scripts or one.gyp]
    if not scripted:
        return []
    listed = {_inside(package, id_) for id_ in by_id if id_.startswith(f"{package.id}/")}
    return [
        f"the tarball bundles {path} with an install script, and the lockfile does not list it"
        for path in scripted
        if path not in listed
    ]


def _plain(script: str | None) -> str | None:
    return None if script is None else _BIN_FOLDER.sub("", script, count=1) if _BIN_FOLDER.match(script) else script


def _quote(script: str | None) -> str:
    return "nothing" if script is None else ascii(script if len(script) <= 200 else script[:200] + "…")
