from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from sbomgate import wire
from sbomgate.errors import PolicyError
from sbomgate.model import (
    Approval,
    Authors,
    BaselineBuild,
    Bootstrap,
    Claimed,
    EdgeKind,
    Exclusion,
    ExpectedProvenance,
    Kind,
    LockFinding,
    Package,
    PackageFacts,
    People,
    Sbom,
    Signature,
    SignatureState,
    Signed,
    Subject,
    SubjectKind,
    TrustedRegistry,
    Waiver,
)
from sbomgate.model import ApprovedScript as Approved
from sbomgate.model.facts import Earlier
from sbomgate.model.link import BuildLink, Ties, TreeLink
from sbomgate.policy import input as policy_input
from sbomgate.policy import lists
from testkit import inputs as b

FIRST_RUN = Bootstrap(reason="none was given")


def bytes_of(sbom: Sbom, **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "context": b.CONTEXT,
        "trust": b.TRUST,
        "trust_root": b.TRUST_ROOT,
        "baseline": FIRST_RUN,
        "parameters": b.PARAMETERS,
        "lists": [],
    }
    return policy_input.build(sbom, **(arguments | changes))


def built(sbom: Sbom, **changes: Any) -> dict[str, Any]:
    data = bytes_of(sbom, **changes)
    policy_input.validate(data)
    wire.PolicyInput.model_validate_json(data)
    document: dict[str, Any] = orjson.loads(data)
    return document


def test_every_package_but_the_root_once_and_sorted() -> None:
    """P4"""
    odd = [
        b.package("b", kind=Kind.GIT, integrity=None, resolved="git+ssh://git@h/x.git#abc"),
        b.package("a", kind=Kind.BUNDLED, integrity=None, resolved=None),
        b.package("own", kind=Kind.WORKSPACE, id="packages/own", integrity=None, resolved=None),
        b.package("c", None, kind=Kind.UNKNOWN, resolved=None, integrity=None),
    ]
    document = built(b.sbom(odd))
    assert [p["id"] for p in document["packages"]] == sorted(p.id for p in odd)
    assert document["project"]["name"] == "shop"


def test_same_input_same_bytes_canonical() -> None:
    """P38"""
    sbom = b.sbom([b.package("a"), b.package("b")])
    data = bytes_of(sbom)
    assert data == bytes_of(sbom)
    assert data == orjson.dumps(orjson.loads(data), option=orjson.OPT_SORT_KEYS)


def test_a_package_without_facts_is_unknown_in_every_respect() -> None:
    """P14: nothing passes by absence."""
    document = built(b.sbom([b.package("a")], known={}))
    (p,) = document["packages"]
    f = document["facts"][p["facts"]]
    assert p["published"] is None
    assert f["scripts"]["state"] == "unknown"
    assert f["signature"]["state"] == "unknown"
    assert f["provenance"]["state"] == f["publish_attestation"]["state"] == "unreachable"


def test_the_projects_own_packages_need_no_facts() -> None:
    own = b.package("own", kind=Kind.WORKSPACE, integrity=None, resolved=None)
    (f,) = built(b.sbom([own]))["facts"]
    assert f["provenance"]["state"] == f["signature"]["state"] == "not-applicable"


def test_facts_and_claims_are_carried_over() -> None:
    one = b.package("axios")
    document = built(b.sbom([one], known={one.id: b.facts(one, provenance=b.BUILT)}))
    (p,), (f,) = document["packages"], document["facts"]
    assert f["provenance"]["claims"]["repository"] == "https://github.com/axios/axios"
    assert f["provenance"]["claims"]["owner"] is None
    assert f["publish"] == {"source": "registry", "reason": "", "absent": None, "seen": None}
    assert p["published"] == p["first_published"] == "2025-06-01T00:00:00Z"


def test_facts_stand_once_for_all_packages_that_share_them_and_never_for_one_that_does_not() -> None:
    same, other = [b.package(name) for name in "abc"], b.package("d")
    changes: list[dict[str, Any]] = [
        {"provenance": b.BUILT},
        {"publish_attestation": b.BUILT},
        {"signature": Signature(state=SignatureState.VERIFIED, reason="signed by another key")},
        {"publish": replace(b.FACTS.publish, source="recorded")},
        {"publish": replace(b.FACTS.publish, reason="two times")},
        {"publish": replace(b.FACTS.publish, absent=b.NOW, seen=b.NOW)},
        *(
            {"scripts": replace(b.FACTS.scripts, **change)}
            for change in (
                {"state": "unknown"},
                {"source": "recorded"},
                {"reason": "why"},
                {"scripts": {"install": "x"}},
                {"gyp": True},
                {"digest": "0" * 64},
                {"disagreements": ("one",)},
            )
        ),
        *({name: "other"} for name in ("trusted_publisher", "licence", "deprecated")),
        {"registry": "https://other.test/"},
        {"registry_integrity": "sha512-other"},
        {"registry_integrity": None},
        {"publish": replace(b.FACTS.publish, time=b.NOW)},
        {"publish": replace(b.FACTS.publish, first=None)},
    ]
    for change in changes:
        known = {p.id: b.facts(p) for p in same} | {other.id: b.facts(other, **change)}
        document = built(b.sbom([*same, other], known=known))
        assert len(document["facts"]) == 2
        keys = [p["facts"] for p in document["packages"]]
        assert keys[0] == keys[1] == keys[2] != keys[3]
        alone = built(b.sbom([other], known=known))
        assert document["facts"][keys[3]] == alone["facts"][0], change


@pytest.mark.parametrize(
    ("resolved", "expected"),
    [
        ("https://registry.npmjs.org/@a/b/-/b-1.0.0.tgz", "https://registry.npmjs.org/@a/b/-/b-1.0.0.tgz"),
        ("https://user:secret@h.test/b/-/b-1.0.0.tgz", "https://h.test/b/-/b-1.0.0.tgz"),
        (f"https://{'x' * 60}:secret@h.test/b-1.0.0.tgz", "https://h.test/b-1.0.0.tgz"),
        ("https://h.test/b-1.0.0.tgz?token=secret", "https://h.test/b-1.0.0.tgz"),
        ("https://h.test/b-1.0.0.tgz#secret", "https://h.test/b-1.0.0.tgz"),
        ("https://secret@h.test", "https://h.test"),
        ("git+ssh://git@h.test/a/b.git#0123abcd", "git+ssh://git@h.test/a/b.git#0123abcd"),
        ("/home/secret/b.tgz", "file:b.tgz"),
        (None, None),
    ],
)
def test_addresses_carry_no_secret(resolved: str | None, expected: str | None) -> None:
    """P40"""
    one = b.package("b", resolved=resolved)
    document = built(b.sbom([one], known={one.id: b.facts(one)}))
    assert document["packages"][0]["resolved"] == expected
    assert b"secret" not in orjson.dumps(document)


def test_the_baselines_and_the_managers_addresses_carry_no_secret() -> None:
    """P40"""
    old = b.sbom([b.package("b", resolved="https://u:secret@h.test/b.tgz")], registry="https://u:secret@h.test/")
    document = built(old, baseline=BaselineBuild(sbom=old, evidence="0" * 64, decided_at=b.NOW))
    assert b"secret" not in orjson.dumps(document)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC), "2026-01-02T03:04:05.600000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:05Z"),
    ],
)
def test_times_are_utc(moment: datetime, text: str) -> None:
    assert built(b.sbom([]), context=replace(b.CONTEXT, evaluated_at=moment))["evaluated_at"] == text


def test_a_time_without_a_zone_is_no_time() -> None:
    with pytest.raises(PolicyError, match="no zone"):
        bytes_of(b.sbom([]), context=replace(b.CONTEXT, evaluated_at=datetime(2026, 1, 1)))


def test_a_lone_surrogate_is_no_json() -> None:
    with pytest.raises(PolicyError, match="cannot be written"):
        bytes_of(b.sbom([b.package("a", licence="\ud800")], known={}))


def test_edges_findings_context_and_trust() -> None:
    a, c = b.package("a"), b.package("c", direct=False)
    found = LockFinding(code="weak-integrity", rule="lockfile_sound", package=a.id, place="x", message="sha1 only")
    trust = replace(
        b.TRUST,
        sha256="1" * 64,
        registries=(TrustedRegistry(url="https://npm.acme.test/", scope="@acme", serves_evidence=False),),
        first_party=("@acme",),
        approved_scripts=(Approved(name="a", version="1.0.0", integrity="i", digest="2" * 64, reason="read"),),
        exclusions=(
            Exclusion(rule="release_age", name="a", version="1.0.0", integrity="i", reason="r", until=b.NOW),
            Exclusion(rule="release_age", name="c", version="1.0.0", integrity="i", reason="r", until=None),
        ),
        expected_provenance=(
            ExpectedProvenance(package="@a/*", repository="https://h/r", repository_id=None, workflow=None),
        ),
        issuers=("https://issuer.test",),
    )
    context = replace(
        b.CONTEXT,
        profile="release",
        repository=Claimed(value="https://h/shop", source="ci"),
        commit=Claimed(value="0" * 40, source="ci"),
        environment=Claimed(value="production", source="flag"),
        subject=Subject(kind=SubjectKind.OCI, name="h/shop", digest={"sha256": "3" * 64}),
    )
    document = built(
        b.sbom([a, c], [b.edge("", a.id, "a"), b.edge(a.id, c.id, "c"), b.edge(a.id, None, "gone")], findings=(found,)),
        trust=trust,
        context=context,
    )
    assert document["edges"] == {"": [a.id], a.id: [c.id]}
    assert [(e["name"], e["target"]) for e in document["unmet"][a.id]] == [("gone", None)]
    assert document["lockfile"]["findings"]["lockfile_sound"][0]["code"] == "weak-integrity"
    assert document["trust"]["exclusions"][0]["until"] == "2026-11-20T12:00:00Z"
    assert document["subject"]["digest"] == {"sha256": "3" * 64}
    assert document["profile"] == "release"


def test_a_first_run_says_why() -> None:
    baseline = built(b.sbom([]))["baseline"]
    assert (baseline["state"], baseline["reason"]) == ("bootstrap", "none was given")
    assert baseline["held"] == baseline["packages"] == baseline["edges"] == {}


def test_the_baseline_holds_outside_packages_by_name_and_edges_by_real_names() -> None:
    one = b.package("axios", "1.14.0")
    copy = replace(one, id="node_modules/x/node_modules/axios", direct=False)
    alias = b.package("string-width", "4.2.3", id="node_modules/sw", alias="sw", direct=False)
    own = b.package("own", kind=Kind.WORKSPACE, id="packages/own", integrity=None, resolved=None)
    old = b.sbom([one, copy, alias, own], [b.edge("", one.id, "axios"), b.edge(own.id, alias.id, "sw")])
    baseline = BaselineBuild(sbom=old, evidence="4" * 64, decided_at=b.NOW)
    new = b.sbom([b.package("axios", "1.14.1"), replace(alias, version="4.2.4"), own, b.package("new")])
    held = built(new, baseline=baseline)["baseline"]
    assert held["held"] == {"axios": True, "string-width": True, "new": False}
    assert set(held["packages"]) == {"axios", "string-width"}
    assert len(held["packages"]["axios"]) == 1
    assert held["edges"] == {"": ["axios"], "own": ["string-width"]}
    assert held["evidence"] == "4" * 64


def test_of_what_did_not_change_the_baseline_says_only_that_it_was_there() -> None:
    same, updated = b.package("same"), b.package("updated", "1.0.0")
    git = b.package("git", kind=Kind.GIT, integrity=None, resolved="git+ssh://git@h/x.git#abc")
    edges = [b.edge(p.id, same.id, "same") for p in (updated, git)]
    baseline = BaselineBuild(sbom=b.sbom([same, updated, git], edges), evidence="4" * 64, decided_at=b.NOW)

    def changed(*now: Package) -> tuple[dict[str, Any], set[str]]:
        document = built(b.sbom(list(now)), baseline=baseline)
        new = {p["name"] for p in document["packages"] if not document["facts"][p["facts"]]["held"]}
        assert set(document["baseline"]["held"]) == set(document["baseline"]["packages"]) == new
        return document["baseline"], new

    held, new = changed(same, git, replace(updated, version="1.0.1"))
    assert new == {"updated"}
    assert held["held"] == {"updated": True}
    assert held["edges"] == {"updated": ["same"]}
    assert changed(same, updated, replace(git, resolved="git+ssh://git@h/x.git#abd"))[1] == {"git"}
    assert changed(replace(same, integrity=None), updated, git)[1] == {"same"}
    assert changed(same, updated, git)[1] == set()


def test_packages_that_depend_on_more_than_they_did_are_named() -> None:
    a, c, d = (b.package(name) for name in "acd")
    old = b.sbom([a, c, d], [b.edge(a.id, c.id, "c"), b.edge(c.id, d.id, "d")])
    baseline = BaselineBuild(sbom=old, evidence="4" * 64, decided_at=b.NOW)
    new = b.sbom([a, c, d], [b.edge(a.id, c.id, "c"), b.edge(a.id, d.id, "d")])
    held = built(new, baseline=baseline)["baseline"]
    assert held["gained"] == ["a"]
    assert held["edges"] == {"a": ["c"]}
    assert built(old, baseline=baseline)["baseline"]["gained"] == []


def test_what_is_shared_names_the_latest_times_and_recent_releases_share_nothing_with_old_ones() -> None:
    def dated(name: str, time: str | None, first: str | None) -> tuple[Package, PackageFacts]:
        p = b.package(name)
        times = [None if text is None else datetime.fromisoformat(text) for text in (time, first)]
        return p, b.facts(p, publish=replace(b.FACTS.publish, time=times[0], first=times[1]))

    told = [
        dated("a", "2025-02-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        dated("b", "2025-01-01T00:00:00Z", "2024-02-01T00:00:00Z"),
        dated("c", "2026-11-19T00:00:00Z", "2024-03-01T00:00:00Z"),
        dated("d", "2026-11-18T00:00:00Z", "2026-11-18T00:00:00Z"),
        dated("e", None, "2024-01-01T00:00:00Z"),
        dated("f", "2025-03-01T00:00:00Z", None),
    ]
    document = built(b.sbom([p for p, _ in told], known={p.id: facts for p, facts in told}))
    assert [p["facts"] for p in document["packages"]] == [0, 0, 1, 2, 3, 4]
    assert [(f["published_until"], f["first_published_until"]) for f in document["facts"]] == [
        ("2025-02-01T00:00:00Z", "2024-02-01T00:00:00Z"),
        ("2026-11-19T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2026-11-18T00:00:00Z", "2026-11-18T00:00:00Z"),
        (None, "2024-01-01T00:00:00Z"),
        ("2025-03-01T00:00:00Z", None),
    ]


@pytest.mark.parametrize(("stated", "agrees"), [("sha512-a-1.0.0", True), ("sha512-other", False), (None, None)])
def test_the_registrys_integrity_stands_in_a_package_only_where_it_is_another(
    stated: str | None, agrees: bool | None
) -> None:
    one = b.package("a")
    document = built(b.sbom([one], known={one.id: b.facts(one, registry_integrity=stated)}))
    (p,), (f,) = document["packages"], document["facts"]
    assert f["registry_agrees"] is agrees
    assert p.get("registry_integrity") == (stated if agrees is False else None)


@pytest.mark.parametrize(
    ("kind", "gained"), [(EdgeKind.PROD, True), (EdgeKind.PEER, True), (EdgeKind.PEER_OPTIONAL, False)]
)
def test_an_edge_that_an_unchanged_entry_gained_is_compared_but_an_optional_peer_is_not(
    kind: EdgeKind, gained: bool
) -> None:
    """T23: an optional peer is met by whatever else came in, and npm installs nothing for it."""
    plugin, peer = b.package("plugin"), b.package("peer")
    baseline = BaselineBuild(sbom=b.sbom([plugin, peer]), evidence="4" * 64, decided_at=b.NOW)
    new = b.sbom([plugin, peer], [replace(b.edge(plugin.id, peer.id, "peer"), kind=kind)])
    assert ("plugin" in built(new, baseline=baseline)["baseline"]["edges"]) == gained


def test_names_close_to_a_used_or_well_known_one() -> None:
    """A30"""
    old = b.sbom([b.package(n) for n in ("ourname-lib", "@types/qs", "@acme/tools")])
    names = ("expres", "ournaem-lib", "ourname-lib", "unrelated", "@types/ws", "@acmee/tools")
    new = b.sbom([b.package(n) for n in names])
    baseline = BaselineBuild(sbom=old, evidence="0" * 64, decided_at=b.NOW)

    def similar(document: dict[str, Any]) -> dict[str, list[str]]:
        return {p["name"]: document["facts"][p["facts"]]["similar"] for p in document["packages"]}

    expected = {"expres": ["express"], "ournaem-lib": ["ourname-lib"], "ourname-lib": [], "unrelated": []}
    # Whoever owns a scope made every name in it; a scope that looks like another is somebody else's.
    expected |= {"@types/ws": [], "@acmee/tools": ["@acme/tools"]}
    assert similar(built(new, baseline=baseline)) == expected
    assert not any(similar(built(new)).values())


def test_malicious_packages_are_joined_and_the_lists_named() -> None:
    shipped = lists.load(b"name,versions,osv_id,wave,sources\naxios,1.14.1,MAL-1,,\n", name="shipped", where="x")
    document = built(b.sbom([b.package("axios", "1.14.1"), b.package("good")]), lists=[shipped])
    found = [document["facts"][p["facts"]]["malicious"] for p in document["packages"]]
    assert found == [["MAL-1"], []]
    assert document["malicious_lists"] == [{"name": "shipped", "sha256": shipped.sha256, "entries": 1}]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda d: d.pop("packages"), ""),
        (lambda d: d.update(profile="lenient"), "profile"),
        (lambda d: d["packages"][0].update(provenence=1), "packages[0]"),
        (lambda d: d["facts"][0].pop("provenance"), "facts[0]"),
        (lambda d: d["facts"][0]["scripts"].update(state="fine"), "facts[0].scripts.state"),
        (lambda d: d["parameters"].pop("release_age"), "parameters"),
        (
            lambda d: d["parameters"]["release_age"].update(minimum_age_hours="72"),
            "parameters.release_age.minimum_age_hours",
        ),
        (lambda d: d.update(evaluated_at="yesterday"), "evaluated_at"),
    ],
)
def test_validate_refuses_what_the_schema_does_not_allow(change: Any, place: str) -> None:
    """P3"""
    document = orjson.loads(bytes_of(b.sbom([b.package("a")])))
    change(document)
    with pytest.raises(PolicyError) as caught:
        policy_input.validate(orjson.dumps(document))
    assert caught.value.place == place


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"null", b"[]"])
def test_validate_refuses_what_is_no_document(data: bytes) -> None:
    with pytest.raises(PolicyError):
        policy_input.validate(data)


def test_licences_are_taken_apart_once_for_each_text() -> None:
    packages = [b.package(name) for name in ("a", "c", "d", "e")]
    texts = ("MIT OR ISC", "MIT OR ISC", "SEE LICENSE IN X", None)
    known = {p.id: b.facts(p, licence=text) for p, text in zip(packages, texts, strict=True)}
    document = built(b.sbom(packages, known=known))
    assert document["licences"] == {"MIT OR ISC": [[["ISC"]], [["MIT"]]]}


def test_what_is_odd_stands_only_for_the_packages_that_have_it() -> None:
    one, two, three, plain = (b.package(name) for name in ("a", "c", "d", "e"))
    earlier = Earlier(unknown="", releases=())
    known = {
        one.id: b.facts(one, manifest=("dependencies",), latest="0.9.0"),
        two.id: b.facts(two, shadows=("ls",), rebuilt=("again",)),
        three.id: b.facts(three, scripts=replace(b.FACTS.scripts, files={"x.js": "0" * 64}), earlier=earlier),
        plain.id: b.facts(plain),
    }
    document = built(b.sbom([one, two, three, plain], known=known))
    assert set(document["manifests"]) == {one.id, two.id, three.id}
    assert document["earlier"] == {three.id: {"unknown": "", "maintainers": [], "releases": []}}
    assert document["latest"] == {one.id: "0.9.0"}
    assert document["rebuilt"] == {two.id: ["again"]}
    assert not {"latest", "rebuilt"} & built(b.sbom([plain])).keys()


def test_what_people_signed() -> None:
    """P28: an approval is of the findings that it was shown with, a waiver of a package or of one finding."""
    times: dict[str, Any] = {"project": "shop", "issued_at": b.NOW, "until": b.NOW, "reason": "read it"}
    waiver = Waiver(rule="pinned", package=("a", "1.0.0", "i"), fingerprint=None, **times)
    finding = Waiver(rule="pinned", package=None, fingerprint="1" * 64, **times)
    approval = Approval(change="2" * 64, findings=("3" * 64,), packages=(), **times)
    all_said: list[Waiver | Approval] = [waiver, finding, approval]
    people = People(
        signed=tuple(Signed(id=f"{n}" * 64, by="ann", said=said) for n, said in enumerate(all_said)),
        refused=(("x", "of nobody"),),
        authors=Authors(people=("bob", "ann"), known=True, reason=""),
    )
    document = built(b.sbom([b.package("a")]), people=people)
    assert [(one["name"], one["integrity"], one["fingerprint"]) for one in document["waivers"]] == [
        ("a", "i", None),
        (None, None, "1" * 64),
    ]
    assert [one["findings"] for one in document["approvals"]] == [["3" * 64]]
    assert document["refused_waivers"] == [{"name": "x", "reason": "of nobody"}]
    assert document["change"] == {"authors": ["ann", "bob"], "authors_known": True, "reason": ""}


def test_a_declaration_that_is_not_satisfied_is_unmet_although_something_is_there() -> None:
    a, c, d = (b.package(name) for name in "acd")
    edges = [
        replace(b.edge(a.id, c.id, "c"), satisfied=False),
        replace(b.edge(a.id, d.id, "d"), satisfied=None),
        b.edge(c.id, d.id, "d"),
    ]
    document = built(b.sbom([a, c, d], edges))
    assert {source: [one["name"] for one in found] for source, found in document["unmet"].items()} == {a.id: ["c"]}
    assert document["edges"] == {a.id: [c.id, d.id], c.id: [d.id]}


def test_the_project_s_own_packages_are_not_held_new_or_looked_alike() -> None:
    own = b.package("expres", kind=Kind.WORKSPACE, integrity=None, resolved=None)
    outside = b.package("outside")
    old = b.sbom([own, outside], [b.edge("", own.id, "expres"), b.edge(own.id, outside.id, "outside")])
    baseline = BaselineBuild(sbom=old, evidence="4" * 64, decided_at=b.NOW)
    new = b.sbom([own, outside], [b.edge("", own.id, "expres"), b.edge("", outside.id, "outside")])
    document = built(new, baseline=baseline)
    facts = {p["name"]: document["facts"][p["facts"]] for p in document["packages"]}
    assert (facts["expres"]["held"], facts["outside"]["held"]) == (False, True)
    assert facts["expres"]["similar"] == []
    assert document["baseline"]["held"] == {}
    assert document["baseline"]["gained"] == [], "what the project itself declares is its own change"


def test_what_lies_in_a_tarball_says_in_which() -> None:
    outer = b.package("outer")
    inner = b.package("inner", kind=Kind.BUNDLED, integrity=None, resolved=None, bundled_in=outer.id)
    held = {p["name"]: p.get("bundled_in") for p in built(b.sbom([outer, inner]))["packages"]}
    assert held == {"outer": None, "inner": outer.id}


def test_P13_what_ties_the_artefact_is_carried_over() -> None:
    tree = TreeLink(
        link="installed",
        material="1" * 64,
        packages=3,
        bytes=2,
        absent=1,
        elsewhere=0,
        bundled=0,
        files=40,
        counts=(("missing", 1),),
        problems=(),
        holds=False,
    )
    provenance = BuildLink(material="2" * 64, state="verified", reason="", builder="ci")
    context = replace(b.CONTEXT, link="provenance", ties=Ties(installed=tree, provenance=provenance))
    document = built(b.sbom([b.package("a")]), context=context)
    assert document["link"] == "provenance"
    told = document["ties"]
    assert (told["contained"], told["installed"]["counts"], told["installed"]["holds"]) == (None, {"missing": 1}, False)
    assert (told["provenance"]["state"], told["provenance"]["builder"]) == ("verified", "ci")
    assert built(b.sbom([]))["ties"] is None


def test_P40_no_secret_of_an_address_is_carried_over() -> None:
    urls = {
        "https://user:s3cret@h.test/a.tgz": "https://h.test/a.tgz",
        "https://h.test/a.tgz?token=s3cret": "https://h.test/a.tgz",
        "http://user:s3cret@h.test/a.tgz": "http://h.test/a.tgz",
        "https://s3cret@h.test": "https://h.test",
        "https://h.test/@scope/a.tgz": "https://h.test/@scope/a.tgz",
    }
    packages = [b.package(f"p{number}", resolved=url) for number, url in enumerate(urls)]
    document = built(b.sbom(packages))
    assert "s3cret" not in repr(document)
    assert [p["resolved"].rstrip("/") for p in document["packages"]] == list(urls.values())


def test_what_is_shared_names_the_latest_time_in_any_order() -> None:
    """The youngest counts, wherever it stands: a rule about age looks at it alone."""
    times = ["2025-01-01T00:00:00Z", "2025-03-01T00:00:00Z", "2025-02-01T00:00:00Z"]
    packages = [b.package(name) for name in "abc"]
    known = {
        p.id: b.facts(p, publish=replace(b.FACTS.publish, time=moment, first=moment))
        for p, moment in zip(packages, map(datetime.fromisoformat, times), strict=True)
    }
    (facts,) = built(b.sbom(packages, known=known))["facts"]
    assert (facts["published_until"], facts["first_published_until"]) == (times[1], times[1])


def test_the_baseline_keeps_apart_what_differs_in_one_thing() -> None:
    one = b.package("a", "1.0.0")
    others = [
        replace(one, id="x/a", version="1.0.1"),
        replace(one, id="y/a", integrity="sha512-other"),
        replace(one, id="z/a", resolved="https://elsewhere.test/a.tgz"),
    ]
    own = b.package("a", kind=Kind.WORKSPACE, id="packages/a", integrity=None, resolved=None)
    baseline = BaselineBuild(sbom=b.sbom([one, *others, own]), evidence="4" * 64, decided_at=b.NOW)
    held = built(b.sbom([b.package("a", "2.0.0")]), baseline=baseline)["baseline"]["packages"]["a"]
    assert sorted((p["version"], p["integrity"], p["resolved"]) for p in held) == sorted(
        (p.version, p.integrity, p.resolved) for p in (one, *others)
    )


def test_what_the_registry_does_not_state_is_not_said() -> None:
    one = b.package("a")
    (p,) = built(b.sbom([one], known={one.id: b.facts(one, registry_integrity=None)}))["packages"]
    assert "registry_integrity" not in p
