"""The story's own refusals: what may not be decided, and what nobody signs (P3, P4, P12, P13, P22, P24, P29)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from sbomgate import gate, sbom
from sbomgate import link as links
from sbomgate.decision import TIES
from sbomgate.errors import InputError, PolicyError, SbomgateError, SigningError, TrustError
from sbomgate.facts import key_of
from sbomgate.model import (
    SBOM_KIND,
    Absence,
    AcceptedIdentity,
    AttestationDocument,
    AttestationState,
    BaselineBuild,
    Builder,
    CollectedFacts,
    DependencyGraph,
    EarlierRelease,
    Edge,
    EdgeKind,
    Evaluation,
    FactKey,
    Level,
    Missing,
    People,
    PolicyFinding,
    Rebuilder,
    Signed,
    Signer,
    Verdict,
    Waiver,
)
from sbomgate.model.facts import Origin
from sbomgate.model.link import ASSERTED, CONTAINED, INSTALLED, Inventory
from sbomgate.provenance import DEFAULT_ISSUERS
from sbomgate.signing.local_key import LocalKey
from testkit import rebuilds
from testkit.evidence import NOW, TARBALL, key, record, signer
from testkit.graphs import graph, package
from testkit.questions import GRAPH, LIST, Says, accepting, answered, question, seen
from testkit.sigstore import TestSigstore

HOUR = timedelta(hours=1)
EMPTY = graph()


def needing(kind: EdgeKind) -> DependencyGraph:
    """A lockfile without packages, whose project needs one."""
    return replace(EMPTY, edges=(Edge(source="", name="a", range="1", kind=kind, target=None),))


def of_an_sbom(of: DependencyGraph) -> DependencyGraph:
    return replace(of, lockfile=replace(of.lockfile, kind=SBOM_KIND))


# --------------------------------------------------------------------------------------------------------------------
# Deciding


def test_what_is_asked_is_what_is_answered() -> None:
    engine = Says()
    gate.prepare(question().bundle, engine)
    assert engine.prepared == ["data.sbomgate.decision.result"]
    found = answered(question(), engine=engine)
    assert engine.asked == [found.policy_input]
    assert (found.evaluation.verdict, found.engine.name, found.engine.ours) == (Verdict.ALLOWED, "embedded", True)
    assert [one["name"] for one in json.loads(found.policy_input)["packages"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("about", "changes", "says"),
    [
        pytest.param(replace(GRAPH, workspace="web"), {}, "of the workspace 'web'", id="P12 of one workspace"),
        pytest.param(GRAPH, {"workspace": "web"}, "about 'web'", id="P12 about one workspace"),
        pytest.param(needing(EdgeKind.PROD), {}, "holds no package", id="P3 what is declared is not there"),
        pytest.param(of_an_sbom(GRAPH), {}, "only its author's word", id="P4 signing on an SBOM of others"),
        pytest.param(of_an_sbom(EMPTY), {"time_source": None}, "no npm package", id="P3 an SBOM of nothing"),
    ],
)
def test_P1_what_no_decision_is_made_about(about: DependencyGraph, changes: dict[str, Any], says: str) -> None:
    engine = Says()
    with pytest.raises(InputError, match=says):
        answered(question(**changes), about=about, engine=engine)
    assert not engine.asked


@pytest.mark.parametrize(
    ("about", "changes"),
    [
        pytest.param(EMPTY, {}, id="a project without dependencies"),
        pytest.param(needing(EdgeKind.PEER_OPTIONAL), {}, id="a peer that may be absent"),
        pytest.param(
            replace(GRAPH, edges=(Edge(source="", name="a", range="1", kind=EdgeKind.PROD, target="node_modules/a"),)),
            {},
            id="a project with what it declares",
        ),
        pytest.param(of_an_sbom(GRAPH), {"time_source": None}, id="an SBOM of others, unsigned"),
        pytest.param(replace(GRAPH, workspace="web"), {"workspace": "web"}, id="a workspace"),
    ],
)
def test_what_a_decision_is_made_about(about: DependencyGraph, changes: dict[str, Any]) -> None:
    assert answered(question(**changes), about=about).evaluation.verdict is Verdict.ALLOWED


def test_P3_the_rules_are_not_asked_about_what_has_no_schema() -> None:
    engine = Says()
    with pytest.raises(PolicyError, match="policy input"):
        answered(question(profile="lenient"), engine=engine)
    assert not engine.asked


def test_P24_two_engines_that_disagree_decide_nothing() -> None:
    theirs = Says(name="http://opa", ours=False)
    assert answered(question(), engine=theirs, second=Says()).engine.ours is False
    with pytest.raises(PolicyError, match="the OPA at http://opa and the embedded engine disagree"):
        answered(question(), engine=theirs, second=Says(instead={"unused_waivers": ["00" * 32]}))


def test_what_is_known_of_other_packages_is_no_part_of_it() -> None:
    """Of a lockfile with workspaces each decision stores what is about its own packages."""
    ours, other = key_of(GRAPH.packages[1]), key_of(package("c", "1.0.0", sha512="ef" * 64))
    found = answered(question(), known={one: seen(one) for one in (ours, other)})
    assert set(found.collected) == {ours}
    assert [name for _, name in found.ledger] == ["a"]


def test_who_built_a_package_again_is_told_to_the_rules() -> None:
    told = rebuilds.line(rebuilds.statement("a", "1.0.0", "ab" * 64), key())
    again = Rebuilder(name="again", builder_id=rebuilds.BUILDER, public_key=key().public_key, attestations=(told,))
    assert b'"again"' not in answered(question()).policy_input
    assert b'"again"' in answered(question(trust=accepting(rebuilders=(again,)))).policy_input


# --------------------------------------------------------------------------------------------------------------------
# What ties the artefact to the lockfile (P13)


def tree(link: str) -> bytes:
    """What was found of the lockfile's packages: nothing."""
    return links.dumps(Inventory(link=link, layouts=("hoisted",), packages=()))


def test_P13_without_an_artefact_there_is_no_link() -> None:
    asked = question(subject=None, ties={TIES[INSTALLED]: tree(INSTALLED)})
    assert gate.tie(GRAPH, asked) is asked


def test_P13_nothing_was_compared() -> None:
    context = gate.tie(GRAPH, question(link=INSTALLED)).context
    assert (context.link, context.ties) == (ASSERTED, None)


@pytest.mark.parametrize("name", [INSTALLED, CONTAINED])
def test_P13_what_was_compared(name: str) -> None:
    """An empty tree holds for a project without dependencies, and for no other."""
    asked = question(ties={TIES[name]: tree(name)})
    held = gate.tie(EMPTY, asked).context
    assert held.ties is not None
    assert held.link == name
    assert [one is None for one in (held.ties.installed, held.ties.contained)] == [name == CONTAINED, name == INSTALLED]
    assert gate.tie(GRAPH, asked).context.link == ASSERTED


def test_P21_a_builder_that_nobody_accepts() -> None:
    asked = question(ties={TIES["provenance"]: b"{}"})
    with pytest.raises(TrustError, match="accepts no builder"):
        gate.tie(GRAPH, asked)
    identity = AcceptedIdentity(issuer=DEFAULT_ISSUERS[0], identity="https://github.com/acme/shop/x@refs/heads/main")
    accepted = accepting(builders=(Builder(name="ci", identity=identity, builder_id="https://builder.example"),))
    tied = gate.tie(GRAPH, question(trust=accepted, ties={TIES["provenance"]: b"{}"})).context
    assert tied.link == ASSERTED
    assert tied.ties is not None
    assert tied.ties.provenance is not None
    assert tied.ties.provenance.state == "cannot-verify"


# --------------------------------------------------------------------------------------------------------------------
# Signing


def unsigned(asked: gate.Question, local: LocalKey | None = None) -> gate.Unsigned:
    asked = gate.tie(GRAPH, asked)
    return gate.unsigned(answered(asked), asked, signer=local or key())


def test_P22_everything_that_it_depends_on_is_named_and_stored() -> None:
    earlier = BaselineBuild(
        sbom=sbom.make(GRAPH, answered_facts(), timestamp=None, tool_version="0"),
        evidence="ab" * 32,
        decided_at=NOW - HOUR,
    )
    held, other = LIST, b"any other file"
    pinned = {hashlib.sha256(data).hexdigest(): data for data in (held, other)}
    asked = question(
        trust=accepting(pinned=pinned),
        lockfile_path="apps/shop/package-lock.json",
        baseline=earlier,
        ledger=b'{"registries":{},"schema":"sbomgate/ledger/v1"}',
        approvals={"x.sigstore.json": b"{}"},
        ties={TIES[INSTALLED]: tree(INSTALLED)},
        project_files={"package-lock.json": ("00" * 32, 1), ".npmrc": ("11" * 32, 2)},
    )
    made = unsigned(asked)
    expected = {
        "approvals/x.sigstore.json": b"{}",
        "baseline.cdx.json": earlier.sbom.data,
        "ledger.before.json": asked.ledger,
        "link/installed.json": tree(INSTALLED),
        "lists/shipped.csv": LIST,
        "trust.toml": asked.trust.data,
        "trust/trusted_root.json": asked.material.trusted_root,
        "trust/registry_keys.json": asked.material.registry_keys,
        f"trust/{hashlib.sha256(other).hexdigest()}": other,
    }
    assert {name: made.blobs.get(name) for name in expected} == expected
    assert set(made.blobs) == {
        *expected, "evaluation.json", "facts.json", "ledger.json", "policy-input.json", "policy.tar.gz", "sbom.cdx.json"
    }  # fmt: skip
    named = {one.name: one for one in made.decision.materials}
    assert set(named) == {*made.blobs, "project/apps/shop/package-lock.json", "project/apps/shop/.npmrc"}
    assert list(named) == sorted(named)
    for name, data in made.blobs.items():
        assert (named[name].sha256, named[name].stored) == (hashlib.sha256(data).hexdigest(), True)
    assert not named["project/apps/shop/.npmrc"].stored, "P40: it may hold secrets"
    assert (made.decision.baseline.state, made.decision.baseline.evidence) == ("accepted", "ab" * 32)
    assert (made.decision.link, made.decision.project) == (ASSERTED, "root")


def test_a_project_without_a_name() -> None:
    about = replace(GRAPH, packages=(replace(GRAPH.packages[0], name=""), *GRAPH.packages[1:]))
    asked = gate.tie(about, question())
    assert gate.unsigned(answered(asked, about=about), asked, signer=key()).decision.project == "(unnamed project)"


def answered_facts() -> Any:
    return gate.package_facts(GRAPH, {}, ({}, {}), looks={}, now=NOW)


TRUST = accepting()


@dataclass(frozen=True)
class Wrong:
    """A signer that is accepted for what it says of itself, and signs something else."""

    signs: Callable[[bytes], bytes]
    inner: LocalKey
    time_source: str = "self-declared"
    identity: str = "a KMS"
    is_remote: bool = True

    def may_be(self, one: Signer) -> bool:
        return self.inner.may_be(one)

    def sign(self, statement: bytes) -> bytes:
        return self.signs(statement)


def test_what_is_signed_is_what_was_decided() -> None:
    made = unsigned(question(trust=TRUST))
    found = gate.complete(made, TRUST, signer=key())
    assert (found.claimed.materials, found.claimed.counts) == (made.decision.materials, made.decision.counts)
    assert (found.claimed.subject, dict(found.blobs)) == (TARBALL, dict(made.blobs))
    assert gate.sign(
        answered(gate.tie(GRAPH, question(trust=TRUST))), gate.tie(GRAPH, question(trust=TRUST)), signer=key()
    )


@pytest.mark.parametrize(
    ("accepted", "by", "says"),
    [
        pytest.param(replace(TRUST, sha256="ee" * 32), key(), "by another trust file", id="P22 another trust file"),
        pytest.param(
            accepting(signer(key(), verifier_id="https://acme.example/verifier")), key(), "of another kind", id="P20"
        ),
        pytest.param(TRUST, Wrong(key().sign, key(), time_source="timestamp-authority"), "of another kind", id="P17"),
        pytest.param(TRUST, Wrong(lambda _: b"{}", key()), "does not hold", id="P1 what is no bundle"),
        pytest.param(TRUST, Wrong(lambda _: record().detail, key()), "does not hold", id="P1 another decision"),
        pytest.param(TRUST, Wrong(key(2).sign, key()), "does not accept what was signed", id="P21 with another key"),
        pytest.param(TRUST, key(2), "does not accept decisions", id="P21 nobody"),
        pytest.param(
            accepting(signer(key(), roles=("approver",))), key(), "does not accept decisions", id="P21 an approver"
        ),
    ],
)
def test_P1_what_nobody_would_accept_is_not_signed(accepted: Any, by: Any, says: str) -> None:
    made = unsigned(question(trust=TRUST))
    with pytest.raises(SigningError, match=says):
        gate.complete(made, accepted, signer=by)


def test_who_signs_for_two_verifiers_signs_for_none() -> None:
    ours, theirs = (signer(key(), name=name, verifier_id=f"https://{name}.example") for name in ("a", "b"))
    with pytest.raises(SigningError, match=r"https://a\.example and https://b\.example"):
        unsigned(question(trust=accepting(ours, theirs)))
    one = unsigned(question(trust=accepting(ours, signer(key(2), verifier_id="https://b.example"))))
    assert one.decision.verifier_id == "https://a.example"


# --------------------------------------------------------------------------------------------------------------------
# What it rests on (P29)


def finding(level: Level, fingerprint: str, *, waived: bool = True) -> PolicyFinding:
    return PolicyFinding(
        rule="pinned", code="c", level=level, package=None, message="", fix="", unknown=False, waivable=True,
        waived=waived, fingerprint=fingerprint,
    )  # fmt: skip


def ending(id: str, hours: int) -> Signed:
    said = Waiver(
        rule="pinned",
        package=None,
        fingerprint=None,
        project="shop",
        issued_at=NOW,
        until=NOW + hours * HOUR,
        reason="",
    )
    return Signed(id=id, by="ann", said=said)


def rests(*findings: PolicyFinding, **by: tuple[str, ...]) -> Evaluation:
    return Evaluation(data=b"", sha256="", verdict=Verdict.ALLOWED, findings=findings, rules=("pinned",), waived_by=by)


def test_P29_the_earliest_end_of_what_denied_and_is_waived() -> None:
    people = People(signed=(ending("x", 1), ending("y", 2), ending("z", 3)))
    assert gate.valid_until(rests(), people) is None
    deny = finding(Level.DENY, "f")
    assert gate.valid_until(rests(deny, f=("y", "z")), people) == NOW + 2 * HOUR
    warns = finding(Level.WARN, "g")
    assert gate.valid_until(rests(deny, warns, f=("z",), g=("x",)), people) == NOW + 3 * HOUR, (
        "a warning denies nothing"
    )
    open_ = finding(Level.DENY, "g", waived=False)
    assert gate.valid_until(rests(deny, open_, f=("z",), g=("x",)), people) == NOW + 3 * HOUR


def test_P28_a_policy_that_waives_by_what_nobody_signed() -> None:
    with pytest.raises(PolicyError, match=r"what nobody signed: \['y'\]"):
        gate.valid_until(rests(finding(Level.DENY, "f"), f=("x", "y")), People(signed=(ending("x", 1),)))


# --------------------------------------------------------------------------------------------------------------------
# What provenance is verified against (P25)


def test_P25_the_trust_file_replaces_what_travels_with_this_version() -> None:
    ours = gate.material_of(accepting(), b"root", b"keys", updated=NOW)
    assert (ours.trusted_root, ours.registry_keys, ours.issuers, ours.updated) == (
        b"root", b"keys", DEFAULT_ISSUERS, NOW,
    )  # fmt: skip
    accepted = accepting(trusted_root=b"theirs", registry_keys=b"other", issuers=("https://issuer.example",))
    theirs = gate.material_of(accepted, b"root", b"keys", updated=NOW)
    assert (theirs.trusted_root, theirs.registry_keys, theirs.issuers, theirs.updated) == (
        b"theirs", b"other", ("https://issuer.example",), None,
    )  # fmt: skip


def test_an_earlier_release_is_verified_as_the_registry_names_its_bytes() -> None:
    """What a package lost since is measured against it: nobody else states an integrity for it."""
    sigstore = TestSigstore(NOW)
    sha512 = "12" * 64
    body = sigstore.attestations_document([sigstore.provenance("a", "0.9.0", sha512)])
    document = AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=Origin.NETWORK)
    earlier = EarlierRelease(
        version="0.9.0",
        integrity="sha512-" + base64.b64encode(bytes.fromhex(sha512)).decode(),
        published=None,
        publisher=None,
        trusted_publisher=None,
        maintainers=(),
        attestations_url=None,
        attestations=document,
    )
    one = key_of(GRAPH.packages[1])
    material = gate.material_of(accepting(), sigstore.trusted_root_json(), sigstore.registry_keys_json(), updated=None)
    _, (found, _) = gate.gather_facts(GRAPH, material, collect=lambda _: {one: replace(seen(one), earlier=(earlier,))})
    ((_, provenance),) = found.values()
    assert provenance.state is AttestationState.VERIFIED, provenance.reason


def test_what_was_served_wrong_once_is_asked_for_again_before_it_counts() -> None:
    """A damaged answer in the cache must not deny for ever; where nobody answers anew, it counts (P6)."""
    sigstore = TestSigstore(NOW)
    one, sha512 = key_of(GRAPH.packages[1]), GRAPH.packages[1].sha512
    assert sha512 is not None
    good = sigstore.attestations_document([sigstore.provenance(one.name, one.version, sha512)])
    bad = good.replace(b'"payloadType"', b'"payloadKind"')
    material = gate.material_of(accepting(), sigstore.trusted_root_json(), sigstore.registry_keys_json(), updated=None)

    def facts_of(body: bytes, origin: Origin) -> dict[FactKey, CollectedFacts]:
        document = AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=origin)
        return {one: replace(seen(one), attestations=document)}

    asked: list[Collection[FactKey]] = []

    def state(
        body: bytes, origin: Origin, anew: Mapping[FactKey, CollectedFacts] | None = None
    ) -> tuple[AttestationState, bool]:
        def again(_: DependencyGraph, doubted: Collection[FactKey]) -> Mapping[FactKey, CollectedFacts]:
            asked.append(doubted)
            assert anew is not None
            return anew

        asked.clear()
        _, (found, _) = gate.gather_facts(
            GRAPH, material, collect=lambda _: facts_of(body, origin), again=None if anew is None else again
        )
        return found[one][1].state, asked == [{one}]

    served, wrong = facts_of(good, Origin.NETWORK), facts_of(bad, Origin.NETWORK)
    gone = {one: replace(seen(one), attestations=Missing(absence=Absence.UNREACHABLE, reason="down"))}
    assert state(bad, Origin.CACHE, served) == (AttestationState.VERIFIED, True)
    assert state(bad, Origin.CACHE, wrong) == (AttestationState.INVALID, True)
    assert state(bad, Origin.CACHE, gone) == (AttestationState.INVALID, True)
    assert state(bad, Origin.CACHE) == (AttestationState.INVALID, False)
    assert state(bad, Origin.NETWORK, served) == (AttestationState.INVALID, False)
    assert state(good, Origin.CACHE, wrong) == (AttestationState.VERIFIED, False)


def test_P21_an_issuer_of_no_name() -> None:
    with pytest.raises(TrustError, match="an issuer is empty"):
        gate.material_of(accepting(issuers=("https://issuer.example", "")), b"", b"", updated=None)


def test_P14_a_trust_root_that_cannot_be_read_decides_nothing() -> None:
    asked = question()
    with pytest.raises(SbomgateError):
        answered(replace(asked, material=replace(asked.material, trusted_root=b"{}")))
