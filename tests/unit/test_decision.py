"""The two statements: exact fields, the same bytes for the same decision, and nothing in them that is not read."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from sbomgate import canonical, dsse
from sbomgate.decision import (
    TIES,
    BaselineRecord,
    Decision,
    count,
    named_detail,
    read_detail,
    read_summary,
    resource_uri,
    write_detail,
    write_summary,
    write_time,
)
from sbomgate.errors import EvidenceError
from sbomgate.model import Claimed, Evaluation, Level, PolicyFinding, Ran, Subject, SubjectKind, Verdict
from sbomgate.model.decision import LOGGED, SELF_DECLARED
from sbomgate.model.link import BuildLink, Ties, TreeLink
from sbomgate.subject import build_manifest
from testkit.evidence import BLOBS, COMMIT, IMAGE, NOW, POLICY, REPOSITORY, TARBALL, decision, key


def statement(data: bytes | None) -> dict[str, Any]:
    assert data is not None
    found: dict[str, Any] = json.loads(data)
    return found


@pytest.mark.parametrize("subject", [TARBALL, COMMIT, IMAGE], ids=["file", "commit", "image"])
@pytest.mark.parametrize("verdict", Verdict)
def test_what_was_written_is_read(subject: Subject, verdict: Verdict) -> None:
    made = decision(subject, verdict=verdict)
    data = write_detail(made)
    assert read_detail(data, "here") == made
    assert write_detail(made) == data
    bundle = key().sign(data)
    summary = write_summary(made, bundle)
    assert summary is not None
    assert named_detail(summary, "here") == hashlib.sha256(bundle).hexdigest()
    assert read_summary(summary, made, bundle, "here").passed is (verdict is Verdict.ALLOWED)


def test_unknown_values_are_null() -> None:
    made = decision(environment=None, repository=None, project_version=None)
    assert read_detail(write_detail(made), "here") == made
    predicate = statement(write_detail(made))["predicate"]
    assert predicate["environment"] is None
    assert predicate["project"]["repository"] is None


def test_where_it_ran_is_the_machines_own_word() -> None:
    """In the detail, labelled; not in the summary, which nobody judges by it; left out where nobody said it."""
    plain = decision()
    assert "ran" not in statement(write_detail(plain))["predicate"]
    ran = Ran(system="gitlab-ci", runner="runner 7", run="12", job="https://gitlab.example/-/jobs/12")
    made = replace(plain, context=replace(plain.context, ran=ran))
    data = write_detail(made)
    assert read_detail(data, "here") == made
    said = statement(data)["predicate"]["ran"]
    assert (said["source"], said["system"], said["runner_id"]) == ("environment", "gitlab-ci", None)
    assert b"runner 7" not in (write_summary(made, b"bundle") or b"")
    for change in ({"source": "ci"}, {"more": "1"}, {"runner": 7}):
        document = statement(data)
        document["predicate"]["ran"] |= change
        with pytest.raises(EvidenceError):
            read_detail(canonical.dumps(document), "here")


def test_the_summary_is_a_slsa_vsa() -> None:
    """SLSA 1.2, verification_summary/v1: exact names; extension fields are URIs; at most 16 KiB."""
    made = decision()
    bundle = key().sign(write_detail(made))
    found = statement(write_summary(made, bundle))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert found["subject"] == [
        {"name": "shop-3.2.0.tgz", "digest": {"sha256": "1f" * 32}},
        {"name": "build-manifest", "digest": {"sha256": build_manifest(TARBALL).sha256}},
    ]
    predicate = found["predicate"]
    standard = {name: value for name, value in predicate.items() if "://" not in name}
    assert standard == {
        "verifier": {"id": "https://sbomgate.dev/verifier/v1", "version": {"sbomgate": "0.1.0", "opa": "1.22.0"}},
        "timeVerified": "2026-11-20T11:00:00Z",
        "resourceUri": f"pkg:generic/shop-3.2.0.tgz?checksum=sha256:{'1f' * 32}",
        "policy": {"uri": "https://sbomgate.dev/policy/v1", "digest": {"sha256": POLICY}},
        "inputAttestations": [
            {
                "name": "decision.sigstore.json",
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "digest": {"sha256": hashlib.sha256(bundle).hexdigest()},
            }
        ],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SBOMGATE_DEFAULT", "SLSA_BUILD_LEVEL_UNEVALUATED"],
        "slsaVersion": "1.2",
    }
    assert predicate["https://sbomgate.dev/vsa/v1/timeSource"] == "self-declared"
    assert predicate["https://sbomgate.dev/vsa/v1/environment"] == {"value": "production", "source": "flag"}
    failed = statement(write_summary(decision(verdict=Verdict.DENIED), bundle))["predicate"]
    assert failed["verificationResult"] == "FAILED"
    assert failed["verifiedLevels"] == ["FAILED"]


def test_P8_P32_observe_has_no_summary() -> None:
    assert write_summary(decision(profile="observe"), b"bundle") is None


def test_a_summary_stays_below_16_KiB() -> None:
    made = decision(environment="e" * 17_000)
    with pytest.raises(EvidenceError, match="16384"):
        write_summary(made, b"bundle")


@pytest.mark.parametrize(
    ("subject", "repository", "expected"),
    [
        (TARBALL, None, f"pkg:generic/shop-3.2.0.tgz?checksum=sha256:{'1f' * 32}"),
        (
            Subject(kind=SubjectKind.FILE, name="a b/é?#.tgz", digest={"sha256": "1f" * 32}),
            None,
            f"pkg:generic/a%20b%2F%C3%A9%3F%23.tgz?checksum=sha256:{'1f' * 32}",
        ),
        (IMAGE, None, f"pkg:oci/shop@sha256%3A{'3f' * 32}?repository_url=registry.example:5000/acme/shop"),
        (COMMIT, REPOSITORY, f"git+{REPOSITORY}@{'ab' * 20}"),
        (COMMIT, None, f"git:{'ab' * 20}"),
    ],
)
def test_resource_uri(subject: Subject, repository: str | None, expected: str) -> None:
    assert resource_uri(subject, Claimed(value=repository, source="ci") if repository else None) == expected


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, (*path, name))
    elif isinstance(value, list) and value:
        for position, one in enumerate(value):
            yield from leaves(one, (*path, position))
    else:
        yield path


def edited(document: Any, path: tuple[str | int, ...], change: Any) -> bytes:
    found = copy.deepcopy(document)
    at = found
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = change(at[path[-1]])
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


MADE = decision()
DETAIL = write_detail(MADE)
BUNDLE = key().sign(DETAIL)
SUMMARY = write_summary(MADE, BUNDLE) or b""


MAY_BE_NULL = {
    ("predicate", "project", "version"),
    ("predicate", "project", "workspace"),
    ("predicate", "validUntil"),
}


@pytest.mark.parametrize("path", [pytest.param(p, id=".".join(map(str, p))) for p in leaves(json.loads(DETAIL))])
def test_P22_every_field_of_the_detail_counts(path: tuple[str | int, ...]) -> None:
    """Another value of any field is another decision, or none; another type never is one."""
    document = json.loads(DETAIL)
    assert edited(document, path, lambda value: value) == DETAIL

    def another(value: Any) -> Any:
        return (not value) if isinstance(value, bool) else f"{value}0" if isinstance(value, str) else 999

    for change in (another, lambda _: None):
        data = edited(document, path, change)
        if data == DETAIL:
            continue
        try:
            assert read_detail(data, "here") != MADE
            assert change is another or path in MAY_BE_NULL
        except EvidenceError as e:
            assert e.where == "here"  # noqa: PT017
    no_values: list[Any] = [[], {"a": 1}, 1.5]
    for no_value in no_values:
        with pytest.raises(EvidenceError) as caught:
            read_detail(edited(document, path, partial(lambda value, _: value, no_value)), "here")
        assert caught.value.where == "here"


@pytest.mark.parametrize("path", [pytest.param(p, id=".".join(map(str, p))) for p in leaves(json.loads(SUMMARY))])
def test_every_field_of_the_summary_counts(path: tuple[str | int, ...]) -> None:
    """Only the resourceUri is the summary's own; all else must be what the detail says."""
    document = json.loads(SUMMARY)
    change = (lambda value: f"{value}0") if path != ("predicate", "resourceUri") else (lambda _: "")
    with pytest.raises(EvidenceError):
        read_summary(edited(document, path, change), MADE, BUNDLE, "here")


@pytest.mark.parametrize("data", [DETAIL, SUMMARY], ids=["detail", "summary"])
def test_no_field_is_ignored(data: bytes) -> None:
    def objects(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
        if isinstance(value, dict):
            yield path
            for name, one in value.items():
                yield from objects(one, (*path, name))
        if isinstance(value, list):
            for position, one in enumerate(value):
                yield from objects(one, (*path, position))

    document = json.loads(data)
    for path in objects(document):
        found = copy.deepcopy(document)
        at = found
        for part in path:
            at = at[part]
        at["zzz"] = 1
        damaged = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
        with pytest.raises(EvidenceError):
            read_detail(damaged, "here") if data is DETAIL else read_summary(damaged, MADE, BUNDLE, "here")


def test_white_space_and_order_are_not_free() -> None:
    with pytest.raises(EvidenceError):
        read_detail(DETAIL + b" ", "here")
    with pytest.raises(EvidenceError):
        read_detail(json.dumps(json.loads(DETAIL)).encode(), "here")


def test_the_difference_is_named() -> None:
    data = edited(json.loads(SUMMARY), ("predicate", "policy", "digest", "sha256"), lambda _: "cd" * 32)
    with pytest.raises(EvidenceError) as e:
        read_summary(data, MADE, BUNDLE, "here")
    assert e.value.place == "predicate.policy.digest.sha256"


def test_the_summary_of_another_detail_is_refused() -> None:
    with pytest.raises(EvidenceError, match="names the detail"):
        read_summary(SUMMARY, MADE, BUNDLE + b" ", "here")


@pytest.mark.parametrize("named", [[], [{}], [{"digest": {"sha256": "ab" * 32}}] * 2])
def test_a_summary_names_exactly_one_detail(named: list[Any]) -> None:
    with pytest.raises(EvidenceError, match="exactly one detail"):
        named_detail(edited(json.loads(SUMMARY), ("predicate", "inputAttestations"), lambda _: named), "here")


def test_P8_a_summary_of_observe_is_refused() -> None:
    """None is written; one that somebody signs by hand is no evidence either."""
    observed = decision(profile="observe")
    with pytest.raises(EvidenceError, match="observe has no summary"):
        read_summary(SUMMARY, observed, BUNDLE, "here")


def without(name: str) -> Decision:
    return replace(MADE, materials=tuple(m for m in MADE.materials if m.name != name))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(without("sbom.cdx.json"), id="P22 no SBOM"),
        pytest.param(without("policy-input.json"), id="P22 no policy input"),
        pytest.param(without("policy.tar.gz"), id="P22 no policy"),
        pytest.param(without("evaluation.json"), id="P22 no evaluation"),
        pytest.param(without("trust.toml"), id="P22 no trust file"),
        pytest.param(without("project/package-lock.json"), id="P22 no lockfile"),
        pytest.param(replace(MADE, trust="ee" * 32), id="P22 another trust file"),
        pytest.param(replace(MADE, rules=()), id="P3 no rule ran"),
        pytest.param(replace(MADE, rules=("release_age", "pinned")), id="rules not sorted"),
        pytest.param(replace(MADE, counts=replace(MADE.counts, rules=3)), id="P3 a rule too many"),
        pytest.param(replace(MADE, counts=replace(MADE.counts, denied=1)), id="allowed although denied"),
        pytest.param(replace(MADE, link="installed"), id="P13 a link that nobody checks yet"),
        pytest.param(decision(profile="lenient"), id="unknown profile"),
        pytest.param(decision(profile="release"), id="P13 P17 release on a bare word"),
        pytest.param(replace(MADE, policy="ab"), id="policy digest"),
        pytest.param(replace(MADE, policy="AB" * 32), id="policy digest in uppercase"),
        pytest.param(
            replace(MADE, baseline=BaselineRecord(state="accepted", reason="", evidence=None)),
            id="baseline without evidence",
        ),
        pytest.param(
            replace(MADE, baseline=BaselineRecord(state="bootstrap", reason="", evidence="ab" * 32)),
            id="bootstrap with evidence",
        ),
        pytest.param(replace(MADE, context=replace(MADE.context, subject=None)), id="P12 no subject"),
        pytest.param(decision(replace(TARBALL, digest={})), id="P12 no digest"),
        pytest.param(decision(replace(COMMIT, digest={"gitCommit": "cd" * 20})), id="P12 subject and commit differ"),
        pytest.param(decision(replace(TARBALL, digest={"sha512": "ab" * 64})), id="P12 no sha256"),
        pytest.param(decision(replace(TARBALL, digest={"sha256": "ab"})), id="P12 short digest"),
        pytest.param(decision(replace(TARBALL, digest={"sha256": "zz" * 32})), id="P12 digest not hex"),
        pytest.param(
            replace(MADE, context=replace(MADE.context, evaluated_at=datetime(2026, 1, 1))),
            id="no time zone",
        ),
        pytest.param(replace(MADE, materials=MADE.materials[::-1]), id="materials not sorted"),
        pytest.param(replace(MADE, materials=(*MADE.materials, MADE.materials[-1])), id="a material twice"),
    ],
)
def test_what_no_decision_says_is_not_written(wrong: Decision) -> None:
    with pytest.raises(EvidenceError):
        write_detail(wrong)


def released(**changes: Any) -> Decision:
    """Return what `release` allows: the artefact's builder is known, and a log has the time."""
    made = decision(
        profile="release", blobs={**BLOBS, TIES["provenance"]: ("application/json", b"a bundle")}, **changes
    )
    tie = BuildLink(
        material=made.sha256[TIES["provenance"]], state="verified", reason="", builder="ci", commit="ab" * 20
    )
    return replace(made, ties=Ties(provenance=tie), link="provenance", time_source=LOGGED)


RELEASED = released()


def test_release_allows_what_is_tied_and_dated() -> None:
    read = read_detail(write_detail(RELEASED), "here")
    assert (read.link, read.time_source, read.ties) == ("provenance", LOGGED, RELEASED.ties)
    said = statement(write_summary(RELEASED, b"{}"))
    assert '"builder":"ci"' in json.dumps(said, separators=(",", ":"))


@pytest.mark.parametrize("name", ["installed", "contained"])
def test_P13_the_summary_says_how_much_of_a_tree_was_compared(name: str) -> None:
    made = decision(blobs={**BLOBS, TIES[name]: ("application/json", b"what lies there")})
    tree = TreeLink(
        link=name,
        material=made.sha256[TIES[name]],
        packages=412,
        bytes=398,
        absent=3,
        elsewhere=0,
        bundled=2,
        files=9000,
        counts=(),
        problems=(),
        holds=True,
    )
    ties = Ties(installed=tree) if name == "installed" else Ties(contained=tree)
    made = replace(made, ties=ties, link=name)
    assert read_detail(write_detail(made), "here") == made
    said = statement(write_summary(made, b"{}"))["predicate"]["https://sbomgate.dev/vsa/v1/ties"]
    assert said == {name: {"packages": 412, "bytes": 398, "holds": True}}


def ended(after: timedelta) -> Decision:
    return replace(MADE, valid_until=MADE.context.evaluated_at + after)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        pytest.param(replace(RELEASED, time_source=SELF_DECLARED), "timeSource", id="P17 release on a bare time"),
        pytest.param(
            replace(RELEASED, ties=None, link="asserted", materials=MADE.materials),
            "link",
            id="P13 release on a bare link",
        ),
        pytest.param(replace(RELEASED, link="asserted"), "link", id="P13 a link weaker than what was compared"),
        pytest.param(replace(RELEASED, link="contained"), "link", id="P13 another link than what was compared"),
        pytest.param(replace(MADE, link="provenance"), "link", id="P13 a link that nobody compared"),
        pytest.param(
            replace(MADE, materials=tuple(replace(m, stored=False) for m in MADE.materials)),
            "materials",
            id="P22 named, and not stored",
        ),
        pytest.param(replace(MADE, time_source="sundial"), "timeSource", id="P17 a source of time that nobody knows"),
        pytest.param(replace(MADE, link="wished"), "link", id="P13 a link that nobody knows"),
        pytest.param(
            replace(MADE, rules=(), counts=replace(MADE.counts, rules=0)), "policy.rules", id="P3 no rule ran"
        ),
        pytest.param(
            decision(replace(TARBALL, digest={"sha256": "1F" * 32})),
            "subject.digest",
            id="P12 a digest in uppercase",
        ),
        pytest.param(
            decision(replace(TARBALL, digest={"sha256": "1f" * 32, "sha512": "1f" * 64})),
            "subject.digest",
            id="P12 two digests",
        ),
        pytest.param(
            replace(RELEASED, ties=Ties(provenance=BuildLink(material="ab" * 32, state="verified", reason=""))),
            "ties.provenance",
            id="P13 another material than was compared",
        ),
        pytest.param(
            replace(MADE, baseline=BaselineRecord(state="accepted", reason="", evidence="AB" * 32)),
            "baseline.evidence",
            id="P22 a baseline of no digest",
        ),
        pytest.param(replace(MADE, trust="00" * 32), "trust.sha256", id="P22 another trust file, of a smaller digest"),
        pytest.param(replace(MADE, trust="ff" * 32), "trust.sha256", id="P22 another trust file, of a larger digest"),
        pytest.param(ended(timedelta()), "validUntil", id="P29 what it rests on ends now"),
        pytest.param(ended(timedelta(seconds=-1)), "validUntil", id="P29 what it rests on has ended"),
        pytest.param(
            replace(MADE, materials=(replace(MADE.materials[0], sha256="AB" * 32), *MADE.materials[1:])),
            "materials[0].digest.sha256",
            id="P22 a digest that is none",
        ),
    ],
)
def test_where_a_decision_is_wrong(wrong: Decision, place: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        write_detail(wrong)
    assert caught.value.place == place


def test_what_it_rests_on_may_end_later() -> None:
    assert write_detail(ended(timedelta(microseconds=1)))


@pytest.mark.parametrize("value", [-1, True])
def test_a_count_is_a_number_of_things(value: int) -> None:
    with pytest.raises(EvidenceError, match="not a count"):
        read_detail(edited(json.loads(DETAIL), ("predicate", "counts", "packages"), lambda _: value), "here")


def test_P8_observe_records_and_denies_nothing() -> None:
    """Its findings deny, and the build is allowed all the same: no other profile says so."""
    made = decision(profile="observe")
    made = replace(made, counts=replace(made.counts, denied=1))
    assert read_detail(write_detail(made), "here").verdict is Verdict.ALLOWED


@pytest.mark.parametrize("zone", ["+01:00", "-01:00"])
def test_times_are_in_utc(zone: str) -> None:
    data = DETAIL.replace(write_time(MADE.context.evaluated_at).encode(), f"2026-11-20T11:00:00{zone}".encode())
    assert data != DETAIL
    with pytest.raises(EvidenceError, match="UTC"):
        read_detail(data, "here")


def test_release_may_deny() -> None:
    assert write_detail(decision(profile="release", verdict=Verdict.DENIED))


def test_parts_of_a_second_survive() -> None:
    made = decision(age=timedelta(microseconds=1))
    assert read_detail(write_detail(made), "here").context.evaluated_at == NOW - timedelta(microseconds=1)


def test_another_statement_is_no_decision() -> None:
    other = dsse.statement([("a", {"sha256": "ab" * 32})], "https://example.test/v1", {})
    for read in (read_detail, named_detail):
        with pytest.raises(EvidenceError) as caught:
            read(other, "here")
        assert caught.value.place == "predicateType"
    like = edited(json.loads(SUMMARY), ("predicateType",), lambda _: "https://slsa.dev/verification_summary/v2")
    with pytest.raises(EvidenceError):
        named_detail(like, "here")


def test_counts() -> None:
    def finding(level: Level, *, waived: bool = False, unknown: bool = False) -> PolicyFinding:
        return PolicyFinding(
            rule="pinned", code="c", level=level, package=None, message="", fix="", unknown=unknown, waivable=True,
            waived=waived, fingerprint="",
        )  # fmt: skip

    found = count(
        Evaluation(
            data=b"",
            sha256="",
            verdict=Verdict.DENIED,
            findings=(
                finding(Level.DENY),
                finding(Level.DENY, waived=True),
                finding(Level.WARN, unknown=True),
                finding(Level.WARN, waived=True),
                finding(Level.NOTE),
                finding(Level.NOTE, waived=True),
            ),
            rules=("pinned",),
        ),
        packages=7,
    )
    assert (found.packages, found.rules, found.denied, found.warnings, found.notes) == (7, 1, 1, 1, 1)
    assert (found.waived, found.unknown) == (3, 1)
