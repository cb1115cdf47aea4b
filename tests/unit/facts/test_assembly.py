"""sbomgate.facts.assembly: what a rule may use, and what it says where it does not know."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sbomgate import facts
from sbomgate.facts.assembly import key_of, signature_of
from sbomgate.model import (
    Absence,
    Attestation,
    AttestationDocument,
    AttestationState,
    BundledManifest,
    CollectedFacts,
    EarlierRelease,
    Edge,
    EdgeKind,
    FactKey,
    Kind,
    Missing,
    Origin,
    Package,
    PackageFacts,
    Publish,
    RegistrySignature,
    RegistryWord,
    Scripts,
    Sighting,
    Signature,
    SignatureState,
    TarballFacts,
)
from testkit.graphs import graph, package

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHA = "ab" * 64
HOUR = timedelta(hours=1)
DOCUMENT = AttestationDocument(body=b"{}", sha256=hashlib.sha256(b"{}").hexdigest(), origin=Origin.NETWORK)


def word(**fields: Any) -> RegistryWord:
    known: dict[str, Any] = {
        "registry": "https://r.example/",
        "asked_at": NOW,
        "origin": Origin.NETWORK,
        "published": "2026-01-01T00:00:00Z",
        "first_published": "2020-01-01T00:00:00Z",
        "integrity": "sha512-x",
        "tarball": None,
        "scripts": {},
        "has_install_script": None,
        "signatures": (),
        "serves_evidence": True,
        "attestations_url": None,
        "publisher": "alice",
        "trusted_publisher": None,
        "maintainers": (),
        "licence": "ISC",
        "deprecated": None,
    }
    return RegistryWord(**{**known, **fields})


def tarball(**fields: Any) -> TarballFacts:
    known: dict[str, Any] = {
        "sha512": SHA,
        "origin": Origin.NETWORK,
        "name": "a",
        "version": "1.0.0",
        "scripts": {},
        "gyp": False,
        "bundled": (),
        "licence": "MIT",
    }
    return TarballFacts(**{**known, **fields})


def missing(absence: Absence, reason: str = "because") -> Missing:
    return Missing(absence=absence, reason=reason)


def a(**fields: Any) -> Package:
    return package("a", "1.0.0", **{"sha512": SHA, **fields})


def collected(one: Package, **fields: Any) -> dict[FactKey, CollectedFacts]:
    key = key_of(one)
    known: dict[str, Any] = {"registry": word(), "tarball": tarball(), "attestations": missing(Absence.ABSENT)}
    return {key: CollectedFacts(key=key, **{**known, **fields})}


def assemble(
    one: Package,
    *others: Package,
    states: tuple[Attestation, Attestation] | None = None,
    signature: Signature | None = None,
    sighting: Sighting | None = None,
    **fields: Any,
) -> PackageFacts:
    key = key_of(one)
    return facts.assemble(
        graph(one, *others),
        collected(one, **fields),
        attestations={key: states} if states else {},
        signatures={key: signature} if signature else {},
        sightings={key: sighting} if sighting else {},
        now=NOW,
    )[one.id]


def verified(log_time: datetime) -> tuple[Attestation, Attestation]:
    publish = Attestation(state=AttestationState.VERIFIED, reason="", log_proof="inclusion+SET", log_time=log_time)
    return publish, replace(publish, log_time=log_time - HOUR * 500)


LOG = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("published", "log_time", "time", "source", "says"),
    [
        pytest.param(
            "2026-01-01T00:00:00Z", None, datetime(2026, 1, 1, tzinfo=UTC), "registry", "", id="the registry's word"
        ),
        pytest.param(None, None, None, "unknown", "states no publish time", id="T02 missing"),
        pytest.param("2026-01-01T00:00:00", None, None, "unknown", "no time zone", id="zoneless"),
        pytest.param("yesterday", None, None, "unknown", "not a time", id="unparsable"),
        pytest.param(
            "2026-03-01T12:04:59Z",
            None,
            datetime(2026, 3, 1, 12, 4, 59, tzinfo=UTC),
            "registry",
            "",
            id="clocks differ",
        ),
        pytest.param(
            "2026-03-01T12:05:01Z",
            None,
            datetime(2026, 3, 1, 12, 5, 1, tzinfo=UTC),
            "registry",
            "in the future",
            id="T02 future: kept, so that it denies",
        ),
        pytest.param("1970-01-01T00:00:00Z", None, None, "unknown", "before npm existed", id="before npm"),
        pytest.param("1985-10-26T08:15:00Z", None, None, "unknown", "before npm existed", id="npm's own mtime"),
        pytest.param("2026-02-01T00:00:05Z", LOG, LOG, "attestation", "", id="verified log time"),
        pytest.param("2026-01-31T23:00:00Z", LOG, LOG, "attestation", "", id="an hour apart"),
        pytest.param(
            "2026-01-31T22:59:59Z", LOG, LOG, "attestation", "older than the verified", id="T05 older: the later"
        ),
        pytest.param(
            "2026-02-05T00:00:00Z",
            LOG,
            datetime(2026, 2, 5, tzinfo=UTC),
            "registry",
            "later than the verified",
            id="made public later",
        ),
        pytest.param(None, LOG, LOG, "attestation", "", id="log time alone"),
        pytest.param("nonsense", LOG, LOG, "attestation", "not a time", id="log time, nonsense beside it"),
        pytest.param(
            "2027-01-01T00:00:00Z",
            LOG,
            datetime(2027, 1, 1, tzinfo=UTC),
            "registry",
            "in the future",
            id="log time, future beside it",
        ),
        pytest.param(
            "2026-01-01T00:00:00Z",
            NOW + HOUR,
            NOW + HOUR,
            "attestation",
            "in the future",
            id="log time in the future",
        ),
    ],
)
def test_publish_time(
    published: str | None, log_time: datetime | None, time: datetime | None, source: str, says: str
) -> None:
    """CASES T02, T05: provenance time is never publish time."""
    found = assemble(
        a(),
        registry=word(published=published),
        attestations=DOCUMENT if log_time else missing(Absence.ABSENT),
        states=verified(log_time) if log_time else None,
    )
    assert (found.publish.time, found.publish.source) == (time, source)
    assert says in found.publish.reason
    assert bool(found.publish.reason) is bool(says)
    assert found.publish.first == datetime(2020, 1, 1, tzinfo=UTC)


def test_the_registrys_word_is_labelled_by_where_it_was_kept() -> None:
    assert assemble(a(), registry=word(origin=Origin.RECORDED)).publish.source == "recorded"
    assert assemble(a(), registry=word(origin=Origin.CACHE)).publish.source == "registry"


@pytest.mark.parametrize("first", [None, "nonsense", "2030-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_first_release_that_cannot_be_is_unknown(first: str | None) -> None:
    assert assemble(a(), registry=word(first_published=first)).publish.first is None


def test_no_word_no_time() -> None:
    found = assemble(a(), registry=missing(Absence.UNREACHABLE, "r.example did not answer"))
    assert found.publish == Publish(
        time=None, source="unknown", reason="publish time not known: r.example did not answer", first=None
    )
    assert (found.publisher, found.registry, found.registry_integrity) == (None, None, None)


@pytest.mark.parametrize("state", [state for state in AttestationState if state is not AttestationState.VERIFIED])
def test_only_a_verified_attestation_gives_a_time(state: AttestationState) -> None:
    publish = Attestation(state=state, reason="x", log_time=LOG)
    found = assemble(a(), attestations=DOCUMENT, states=(publish, publish))
    assert found.publish.source == "registry"


# ---- scripts


def test_scripts_present() -> None:
    scripts = assemble(
        a(), tarball=tarball(scripts={"postinstall": "node x"}), registry=word(scripts={"postinstall": "node x"})
    ).scripts
    canonical = b'{"gyp":false,"scripts":{"postinstall":"node x"}}'
    assert scripts == Scripts(
        state="present",
        source="tarball",
        reason="",
        scripts={"postinstall": "node x"},
        gyp=False,
        digest=hashlib.sha256(canonical).hexdigest(),
        disagreements=(),
    )


def test_scripts_none() -> None:
    scripts = assemble(a()).scripts
    assert (scripts.state, scripts.source, scripts.digest, scripts.disagreements) == ("none", "tarball", None, ())


def test_gyp_is_an_install_script() -> None:
    """CASES I03."""
    scripts = assemble(a(has_install_script=False), tarball=tarball(gyp=True)).scripts
    assert (scripts.state, scripts.scripts, scripts.gyp) == ("present", {"install": "node-gyp rebuild"}, True)
    assert scripts.disagreements == ()
    assert scripts.digest != assemble(a(), tarball=tarball(scripts={"install": "node-gyp rebuild"})).scripts.digest


@pytest.mark.parametrize("absence", list(Absence))
def test_without_a_tarball_scripts_are_unknown_whatever_others_say(absence: Absence) -> None:
    """The registry's "none" and the lockfile's flag are never believed instead of the bytes."""
    scripts = assemble(
        a(has_install_script=False), tarball=missing(absence, "why"), registry=word(has_install_script=False)
    ).scripts
    source = "other-bytes" if absence is Absence.MISMATCH else "unknown"
    assert (scripts.state, scripts.source, scripts.reason, scripts.digest) == ("unknown", source, "why", None)


def test_recorded_scripts_are_labelled() -> None:
    assert assemble(a(), tarball=tarball(origin=Origin.RECORDED)).scripts.source == "recorded"


def test_facts_of_other_bytes_are_not_used() -> None:
    """P14."""
    assert assemble(a(), tarball=tarball(sha512="cd" * 64)).scripts.state == "unknown"


@pytest.mark.parametrize(
    ("flag", "theirs", "ours", "gyp", "disagrees"),
    [
        pytest.param(False, {}, {"install": "x"}, False, ["lockfile", "install:"], id="I02 flag false"),
        pytest.param(
            False, {"install": "x"}, {"install": "x"}, False, ["lockfile"], id="I02 flag false, registry right"
        ),
        pytest.param(None, {"install": "x"}, {"install": "x"}, False, [], id="no flag in this format"),
        pytest.param(True, {"install": "x"}, {"install": "x"}, False, [], id="all agree"),
        pytest.param(True, {}, {}, False, [], id="flag true, none there"),
        pytest.param(True, {"postinstall": "y"}, {"postinstall": "x"}, False, ["postinstall:"], id="I06 other text"),
        pytest.param(None, {"postinstall": "y"}, {}, False, ["postinstall:"], id="I06 only in the manifest"),
        pytest.param(True, {}, {"preinstall": "x"}, False, ["preinstall:"], id="I06 only in the tarball"),
        pytest.param(None, {"prepare": "y", "test": "t"}, {}, False, [], id="scripts that do not run"),
        pytest.param(True, {"install": "node-gyp rebuild"}, {}, True, [], id="implied gyp stated by npm"),
        pytest.param(False, {}, {}, True, [], id="implied gyp not stated"),
        pytest.param(True, {"install": "x"}, {}, True, ["install:"], id="gyp and something else"),
        pytest.param(True, {"install": "node-gyp rebuild"}, {}, False, [], id="fsevents: binding.gyp not packed"),
        pytest.param(True, {"install": "x"}, {"install": "node_modules/.bin/x"}, False, [], id="npm cuts .bin off"),
        pytest.param(True, {"install": ""}, {"postinstall": "x"}, False, ["postinstall:"], id="empty is none"),
    ],
)
def test_disagreements(
    flag: bool | None, theirs: dict[str, str], ours: dict[str, str], gyp: bool, disagrees: list[str]
) -> None:
    """CASES I02, I06."""
    found = assemble(
        a(has_install_script=flag), tarball=tarball(scripts=ours, gyp=gyp), registry=word(scripts=theirs)
    ).scripts.disagreements
    assert len(found) == len(disagrees)
    for words in disagrees:
        assert any(words in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("name", "version", "disagrees"),
    [
        ("a", "1.0.0", False),
        ("a", "v1.0.0", False),
        ("a", "1.0.0+build", False),
        ("b", "1.0.0", True),
        ("a", "1.0.1", True),
    ],
)
def test_a_tarball_of_another_package(name: str, version: str, disagrees: bool) -> None:
    found = assemble(a(), tarball=tarball(name=name, version=version)).scripts.disagreements
    assert bool(found) is disagrees


HELD = BundledManifest(path="node_modules/b", name="b", version="2.0.0", scripts={"install": "x"}, gyp=False)
B = package("b", "2.0.0", id="node_modules/a/node_modules/b", kind=Kind.BUNDLED, bundled_in="node_modules/a")


def bundled(**fields: Any) -> PackageFacts:
    return facts.assemble(
        graph(a(), B), collected(a(), **fields), attestations={}, signatures={}, sightings={}, now=NOW
    )["node_modules/a/node_modules/b"]


@pytest.mark.parametrize("kind", [Kind.TARBALL, Kind.FILE, Kind.REGISTRY])
def test_a_tarball_whose_version_the_lockfile_does_not_say(kind: Kind) -> None:
    """bun.lock has none where the bytes are no registry's; a registry entry without one is a contradiction."""
    one = replace(a(), kind=kind, version=None)
    assert bool(assemble(one).scripts.disagreements) == (kind is Kind.REGISTRY)
    assert assemble(replace(one, name="b")).scripts.disagreements


def test_bundled_scripts_come_from_the_holders_tarball() -> None:
    found = bundled(tarball=tarball(bundled=(HELD,)))
    assert (found.scripts.state, found.scripts.scripts) == ("present", {"install": "x"})
    assert found.provenance.state is AttestationState.NOT_APPLICABLE
    assert found.signature.state is SignatureState.NOT_APPLICABLE
    assert found.publish.time is None
    assert "bundled" in found.publish.reason


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        (missing(Absence.UNREACHABLE, "gone"), "bundled in a: gone"),
        (tarball(), "does not hold node_modules/b"),
        (tarball(bundled=(HELD,), sha512="cd" * 64), "other bytes"),
    ],
)
def test_bundled_scripts_that_are_unknown(holder: TarballFacts | Missing, says: str) -> None:
    found = bundled(tarball=holder).scripts
    assert found.state == "unknown"
    assert says in found.reason


def test_L23_a_tarball_that_does_not_hold_what_the_lockfile_calls_bundled_disagrees() -> None:
    (said,) = bundled(tarball=tarball()).scripts.disagreements
    assert "does not hold node_modules/b" in said


def test_a_bundled_package_of_another_version_disagrees() -> None:
    found = bundled(tarball=tarball(bundled=(replace(HELD, version="6.6.6"),)))
    assert any("6.6.6" in sentence for sentence in found.scripts.disagreements)


def test_a_bundled_script_that_the_lockfile_hides_is_said_of_the_holder() -> None:
    held = tarball(bundled=(HELD, replace(HELD, path="node_modules/c", scripts={})))
    assert assemble(a(), B, tarball=held).scripts.disagreements == ()
    (sentence,) = assemble(a(), tarball=held).scripts.disagreements
    assert "node_modules/b" in sentence


# ---- states


@pytest.mark.parametrize(
    ("absence", "state"),
    [
        (Absence.ABSENT, AttestationState.UNATTESTED),
        (Absence.NOT_SERVED, AttestationState.UNREACHABLE),
        (Absence.NOT_ASKED, AttestationState.UNREACHABLE),
        (Absence.UNREACHABLE, AttestationState.UNREACHABLE),
        (Absence.ADVERTISED_MISSING, AttestationState.ADVERTISED_MISSING),
        (Absence.NOT_APPLICABLE, AttestationState.NOT_APPLICABLE),
        (Absence.MALFORMED, AttestationState.CANNOT_VERIFY),
        (Absence.MISMATCH, AttestationState.CANNOT_VERIFY),
    ],
)
def test_missing_attestations(absence: Absence, state: AttestationState) -> None:
    """P6: only "there is none" is unattested, and a verified state without a document counts for nothing."""
    found = assemble(a(), attestations=missing(absence), states=verified(LOG))
    assert found.publish_attestation.state is found.provenance.state is state
    assert found.provenance.reason
    assert found.publish.source == "registry"


def test_not_served_says_so() -> None:
    reason = facts.attestation_of_missing(missing(Absence.NOT_SERVED)).reason
    assert reason == "this registry serves neither signatures nor attestations"


def test_a_document_that_nobody_verified_is_not_verified() -> None:
    found = assemble(a(), attestations=DOCUMENT)
    assert found.provenance.state is AttestationState.CANNOT_VERIFY


SIGNED = (RegistrySignature(keyid="k", sig="s"),)
GOOD = Signature(state=SignatureState.VERIFIED, reason="")


@pytest.mark.parametrize(
    ("registry", "verified_as", "state"),
    [
        (word(signatures=SIGNED), GOOD, SignatureState.VERIFIED),
        (word(signatures=SIGNED), None, SignatureState.UNKNOWN),
        (word(), GOOD, SignatureState.ABSENT),
        (word(serves_evidence=False), GOOD, SignatureState.NOT_SERVED),
        (missing(Absence.UNREACHABLE), GOOD, SignatureState.UNKNOWN),
        (missing(Absence.NOT_APPLICABLE), GOOD, SignatureState.NOT_APPLICABLE),
    ],
)
def test_signatures(registry: RegistryWord | Missing, verified_as: Signature | None, state: SignatureState) -> None:
    """A verified signature counts only where there is one."""
    assert assemble(a(), registry=registry, signature=verified_as).signature.state is state
    assert (signature_of(registry) is None) is (state is SignatureState.VERIFIED or registry == word(signatures=SIGNED))


@pytest.mark.parametrize("kind", list(Kind))
def test_every_package_has_facts_and_nothing_collected_is_unknown(kind: Kind) -> None:
    """P4, P14: no fact by absence."""
    one = a(kind=kind)
    found = facts.assemble(graph(one), {}, attestations={}, signatures={}, sightings={}, now=NOW)
    assert set(found) == {"", "node_modules/a"}
    mine = found["node_modules/a"]
    asked = kind in (Kind.REGISTRY, Kind.UNKNOWN)
    assert mine.scripts.state == "unknown"
    assert mine.scripts.reason
    assert mine.publish.time is None
    assert mine.provenance.state is (AttestationState.UNREACHABLE if asked else AttestationState.NOT_APPLICABLE)
    assert mine.signature.state is (SignatureState.UNKNOWN if asked else SignatureState.NOT_APPLICABLE)


def test_first_party_says_so() -> None:
    found = facts.assemble(graph(), {}, attestations={}, signatures={}, sightings={}, now=NOW)[""]
    assert found.scripts.reason == "first-party: not from a registry"


def test_licence_and_deprecation() -> None:
    assert assemble(a(licence="lock")).licence == "MIT"
    assert assemble(a(licence="lock"), tarball=missing(Absence.NOT_ASKED)).licence == "ISC"
    none = assemble(
        a(licence="lock", deprecated="old"), tarball=missing(Absence.NOT_ASKED), registry=missing(Absence.NOT_ASKED)
    )
    assert (none.licence, none.deprecated) == ("lock", "old")
    assert assemble(a(deprecated="old")).deprecated is None


@pytest.mark.parametrize(
    ("resolved", "absence", "source"),
    [
        pytest.param("https://registry.npmjs.org/a/-/a-1.0.0.tgz", Absence.ABSENT, "withdrawn", id="T11"),
        pytest.param("https://registry.npmjs.org/a/-/a-1.0.0.tgz", Absence.UNREACHABLE, "unknown", id="P6 unreachable"),
        pytest.param("https://npm.acme.test/a/-/a-1.0.0.tgz", Absence.ABSENT, "unknown", id="another registry's word"),
        pytest.param("https://[", Absence.ABSENT, "unknown", id="no URL"),
        pytest.param(None, Absence.ABSENT, "unknown", id="no address"),
    ],
)
def test_a_version_that_its_own_registry_has_no_more(resolved: str | None, absence: Absence, source: str) -> None:
    """CASES T11: a state of its own, whatever the log saw before."""
    found = assemble(
        a(resolved=resolved), registry=missing(absence, "no such version"), attestations=DOCUMENT, states=verified(LOG)
    )
    assert found.publish.source == (source if source == "withdrawn" else "attestation")
    assert (found.publish.time is None) is (source == "withdrawn")


def test_a_tarball_of_other_bytes_is_no_ordinary_unknown() -> None:
    """P10: what was served is not what the lockfile pins, and the rules are told."""
    found = assemble(a(), tarball=missing(Absence.MISMATCH, "its sha512 is another")).scripts
    assert (found.state, found.source) == ("unknown", "other-bytes")
    assert assemble(a(), tarball=missing(Absence.UNREACHABLE)).scripts.source == "unknown"


# --------------------------------------------------------------------------------------------------------------------
# Manifest confusion, commands, earlier releases


def manifests(package_: Package, edges: tuple[Edge, ...] = (), kind: str = "npm", **fields: Any) -> PackageFacts:
    whole = graph(package_)
    whole = replace(whole, edges=edges, lockfile=replace(whole.lockfile, kind=kind))
    return facts.assemble(whole, collected(package_, **fields), attestations={}, signatures={}, sightings={}, now=NOW)[
        package_.id
    ]


def edge(name: str, kind: EdgeKind = EdgeKind.PROD) -> Edge:
    return Edge(source="node_modules/a", target=None, name=name, kind=kind, range="*")


@pytest.mark.parametrize(
    ("theirs", "ours", "differ"),
    [
        ({"x": "^1.0.0"}, {"x": "^1.0.0"}, []),
        ({"x": "^1.0.0"}, {"x": " ^1.0.0"}, []),
        ({"x": "github:o/x"}, {"x": "o/x"}, []),  # the registry spells it in a way of its own
        ({"x": "^1.0.0"}, {"x": "https://evil.example/x.tgz"}, ["x"]),
        ({"x": "^1.0.0"}, {"x": "^2.0.0"}, ["x"]),
        ({}, {"x": "^2.0.0"}, ["x"]),
        ({"x": "1", "y": "1"}, {}, ["x", "y"]),
        (None, {"x": "1"}, []),
        ({"x": "1"}, None, []),
    ],
)
def test_dependencies_of_registry_and_tarball(
    theirs: dict[str, str] | None, ours: dict[str, str] | None, differ: list[str]
) -> None:
    found = manifests(a(), registry=word(dependencies=theirs), tarball=tarball(dependencies=ours)).manifest
    assert len(found) == len(differ)
    assert all(f"dependency {name}:" in said for name, said in zip(differ, found, strict=True))


def test_dependencies_that_only_the_lockfile_has() -> None:
    ours = tarball(dependencies={"x": "1"})
    edges = (edge("x"), edge("evil"), edge("p", EdgeKind.PEER))
    assert manifests(a(), edges, tarball=ours).manifest == (
        "the lockfile says that it depends on evil, which its package.json does not",
    )
    # pnpm's and yarn's extensions of packages write dependencies that no manifest has.
    assert manifests(a(), edges, kind="pnpm", tarball=ours).manifest == ()


def test_commands_of_registry_and_tarball() -> None:
    assert manifests(a(), registry=word(bin=("a",)), tarball=tarball(bin=("a",), dependencies={})).manifest == ()
    (said,) = manifests(a(), registry=word(bin=()), tarball=tarball(bin=("a",), dependencies={})).manifest
    assert said == "commands: the registry's manifest says none, the tarball says a"


def test_hostile_names_in_sentences_are_plain_and_few() -> None:
    """P39."""
    ours = {f"\x1b[31m{n}\n" + "x" * 5000: "1" for n in range(100)}
    found = manifests(a(), registry=word(dependencies={}), tarball=tarball(dependencies=ours)).manifest
    assert len(found) == 20
    assert all(said.isprintable() and said.isascii() and len(said) < 600 for said in found)


@pytest.mark.parametrize(
    ("name", "commands", "shadows"),
    [
        ("a", ("a", "node"), ("node",)),
        ("a", ("NPM.cmd",), ("NPM.cmd",)),
        ("node", ("node",), ()),
        ("npm", ("npm", "npx"), ()),
        ("npm", ("git", "npm"), ("git",)),
        ("a", ("nodes", "rimraf"), ()),
    ],
)
def test_commands_in_the_place_of_others(name: str, commands: tuple[str, ...], shadows: tuple[str, ...]) -> None:
    one = package(name, "1.0.0", sha512=SHA, id="node_modules/a")
    assert manifests(one, tarball=tarball(name=name, bin=commands)).shadows == shadows


def locked(*names: str) -> Package:
    return replace(a(), commands=names)


def test_commands_that_only_the_lockfile_has() -> None:
    """npm and bun link the lockfile's commands without a look at the tarball: a clean one is no excuse."""
    said = "the lockfile gives it the command node, which its package.json does not have"
    found = manifests(locked("a", "node"), registry=word(bin=("a",)), tarball=tarball(bin=("a",)))
    assert (found.scripts.disagreements, found.shadows) == ((said,), ("node",))
    # The registry's manifest lists the commands of `directories.bin`, which package.json does not name.
    found = manifests(locked("a", "b"), registry=word(bin=("a", "b")), tarball=tarball(bin=("a",)))
    assert found.scripts.disagreements == ()
    found = manifests(locked("node"), tarball=missing(Absence.UNREACHABLE))
    assert (found.scripts.disagreements, found.shadows) == ((), ("node",))
    assert manifests(locked(), tarball=tarball(bin=("a",))).scripts.disagreements == ()


@pytest.mark.parametrize("kind", [Kind.ROOT, Kind.WORKSPACE, Kind.LINK])
def test_a_projects_own_commands_are_its_own(kind: Kind) -> None:
    assert manifests(replace(locked("node"), kind=kind)).shadows == ()


def test_other_bytes_say_nothing() -> None:
    """P14."""
    found = manifests(a(), tarball=tarball(sha512="00" * 64, bin=("node",), dependencies={"x": "1"}))
    assert (found.shadows, found.manifest) == ((), ())


RELEASE = EarlierRelease(
    version="0.9.0",
    integrity="sha512-" + "A" * 86 + "==",
    published=None,
    publisher="bob",
    trusted_publisher=None,
    maintainers=("bob",),
    attestations_url="https://r.example/x",
    attestations=AttestationDocument(body=b"{}", sha256="0", origin=Origin.NETWORK),
)


def test_earlier_releases_are_what_was_verified_of_them() -> None:
    found = collected(a(), earlier=(RELEASE,))
    (key,) = facts.earlier_documents(found)
    assert (key.name, key.version, facts.sha512_of(key.integrity)) == ("a", "0.9.0", "00" * 64)
    good = Attestation(state=AttestationState.VERIFIED, reason="")
    assembled = facts.assemble(
        graph(a()), found, attestations={key: (good, good)}, signatures={}, sightings={}, now=NOW
    )
    earlier = assembled["node_modules/a"].earlier
    assert earlier is not None
    assert [(one.version, one.advertised, one.provenance, one.publisher) for one in earlier.releases] == [
        ("0.9.0", True, good, "bob")
    ]


def test_an_earlier_release_that_nobody_verified_is_not_verified() -> None:
    """P14."""
    for document in (RELEASE.attestations, missing(Absence.UNREACHABLE)):
        earlier = manifests(a(), earlier=(replace(RELEASE, attestations=document),)).earlier
        assert earlier is not None
        expected = "unreachable" if isinstance(document, Missing) else "cannot-verify"
        assert [one.provenance.state.value for one in earlier.releases] == [expected]


def test_a_history_that_is_not_known_says_why() -> None:
    assert manifests(a()).earlier is None
    earlier = manifests(a(), earlier=missing(Absence.UNREACHABLE)).earlier
    assert earlier is not None
    assert (earlier.unknown, earlier.releases) == ("because", ())


@pytest.mark.parametrize("text", ["", "sha1-x", "sha512-", "sha512-AAAA", "sha512-!", "sha512-" + "A" * 86 + "== x"])
def test_only_one_sha512_binds(text: str) -> None:
    assert facts.sha512_of(text) is None
