"""Summaries that other verifiers made: each step refuses alone, with its reason (P12, P17 to P21)."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sbomgate import dsse
from sbomgate.decision import EXTENSION, SUMMARY_TYPE
from sbomgate.errors import EvidenceError, TrustError, UsageError
from sbomgate.evidence import summaries
from sbomgate.evidence.bundles import Given, sort
from sbomgate.evidence.summaries import Combined, OtherSummary, combine, verify_summaries
from sbomgate.evidence.verify import verify_build
from sbomgate.model import AcceptedIdentity, OtherVerifier, Subject, Trust, Verdict
from sbomgate.signing.verify import VerifiedStatement, verify_other
from testkit.evidence import NOW, OTHER_TARBALL, POLICY, REPOSITORY, TARBALL, key, record, signer, trusting
from testkit.sigstore import GITHUB, TestSigstore

ID = "https://verifier.example/v1"
THEIRS = key(7)
VERIFIER = OtherVerifier(
    signer=signer(THEIRS, name="their verifier", roles=("verifier",), verifier_id=ID),
    levels=("SLSA_BUILD_LEVEL_3",),
    policy_uris=("https://verifier.example/policy",),
    policy_digests=("cd" * 32,),
)
TRUST = trusting(
    verifiers=(VERIFIER,), repository=REPOSITORY, lockfile_path="package-lock.json", environments=("production",),
    max_age_hours=24,
)  # fmt: skip

GOOD: Mapping[str, Any] = {
    "verifier": {"id": ID, "version": {"slsa-verifier": "2.0"}},
    "timeVerified": (NOW - timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
    "resourceUri": "https://releases.example/shop.tgz",
    "policy": {"uri": "https://verifier.example/policy", "digest": {"sha256": "cd" * 32}},
    "inputAttestations": [{"uri": "https://example/att", "digest": {"sha256": "00" * 32}}],
    "verificationResult": "PASSED",
    "verifiedLevels": ["SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_2"],
    "slsaVersion": "1.1",
}
SUBJECT = {"uri": "https://releases.example/shop.tgz", "digest": {"sha256": "1f" * 32, "sha512": "00" * 64}}


def vsa(
    *,
    subject: Mapping[str, Any] = SUBJECT,
    type_: str = SUMMARY_TYPE,
    statement: str = dsse.STATEMENT_TYPE,
    **changes: Any,
) -> bytes:
    """Return the payload of a summary as another tool writes it, with blanks and other fields. None is absent."""
    predicate = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    document = {"_type": statement, "predicateType": type_, "subject": [subject], "predicate": predicate}
    return json.dumps(document, indent=1).encode()


def bundle(
    payload: bytes, *, by: Any = THEIRS, hint: str | None = None, change: Callable[[Any], Any] | None = None
) -> bytes:
    made = json.loads(by.sign(payload))
    if hint is not None:
        made["verificationMaterial"]["publicKey"]["hint"] = hint
    return json.dumps(made if change is None else change(made)).encode()


def judge(
    *bundles: bytes, trust: Trust = TRUST, subject: Subject = TARBALL, environment: str | None = None, records: Any = ()
) -> Combined:
    given = sort(Given(where=f"b{n}", data=data) for n, data in enumerate(bundles))
    result = verify_build(records, subject, trust, now=NOW, shipped_policy=POLICY, environment=environment)
    found, notes = verify_summaries(given.summaries, subject, trust, now=NOW, environment=environment)
    return combine(result, found, (*given.notes, *notes))


def codes(found: Combined) -> list[str]:
    assert found.result.accepted is (not found.result.reasons)
    return [reason.code for reason in found.result.reasons]


def test_a_good_one_is_accepted_and_what_it_does_not_say_is_said() -> None:
    found = judge(bundle(vsa()))
    assert codes(found) == []
    assert found.other is not None
    assert (found.other.verifier, found.other.levels[0]) == ("their verifier", "SLSA_BUILD_LEVEL_3")
    said = "\n".join(found.result.notes)
    assert "does not say: environment, repository, lockfilePath, profile" in said
    assert "no decision by a signer that is accepted" in said


def extended(**values: Any) -> dict[str, Any]:
    return {f"{EXTENSION}{name}": value for name, value in values.items()}


REFUSED: dict[str, tuple[bytes, dict[str, Any], list[str]]] = {
    "P12 about another artefact": (
        bundle(vsa(subject={"name": "x", "digest": {"sha256": "2f" * 32}})), {}, ["no-decision"]
    ),
    "P12 another algorithm alone": (
        bundle(vsa(subject={"name": "x", "digest": {"sha512": "00" * 64}})), {}, ["no-decision"]
    ),
    "P21 by a stranger": (bundle(vsa(), by=key(9)), {}, ["no-decision"]),
    "P21 by a signer of ours, who is no verifier": (bundle(vsa(), by=key()), {}, ["no-decision"]),
    "a predicate of an older version": (
        bundle(vsa(type_="https://slsa.dev/verification_summary/v0.2")), {}, ["no-decision"]
    ),
    "P7 an unknown statement": (bundle(vsa(statement="https://in-toto.io/Statement/v2")), {}, ["altered"]),
    "another verifier.id": (bundle(vsa(verifier={"id": "https://else.example"})), {}, ["verifier"]),
    "no verifier": (bundle(vsa(verifier=None)), {}, ["verifier"]),
    "no resourceUri": (bundle(vsa(resourceUri=None)), {}, ["resource"]),
    "another resourceUri": (
        bundle(vsa()), {"verifiers": (replace(VERIFIER, resource_uris=("https://else.example/x",)),)}, ["resource"]
    ),
    "the resourceUri that the trust file demands": (
        bundle(vsa()), {"resource_uri": "https://else.example/x"}, ["resource"]
    ),
    "P20 another policy by URI": (
        bundle(vsa(policy={"uri": "https://else.example", "digest": {"sha256": "cd" * 32}})), {}, ["policy"]
    ),
    "P20 another policy by digest": (
        bundle(vsa(policy={"uri": "https://verifier.example/policy", "digest": {"sha256": "ee" * 32}})), {}, ["policy"]
    ),
    "P20 no digest where one is demanded": (
        bundle(vsa(policy={"uri": "https://verifier.example/policy"})), {}, ["policy"]
    ),
    "P20 for another environment": (
        bundle(vsa(**extended(environment={"value": "staging", "source": "flag"}))), {}, ["environment"]
    ),
    "P20 by a verifier for staging only": (
        bundle(vsa()), {"verifiers": (replace(VERIFIER, signer=replace(VERIFIER.signer, environments=("staging",))),)},
        ["environment"],
    ),
    "P12 of another repository": (
        bundle(vsa(**extended(repository={"value": "https://evil.example/shop"}))), {}, ["repository"]
    ),
    "P12 of another lockfile": (bundle(vsa(**extended(lockfilePath="other/package-lock.json"))), {}, ["lockfile-path"]),
    "P8 under observe": (bundle(vsa(**extended(profile="observe"))), {"profile": "default"}, ["profile"]),
    "P8 under an unknown profile": (bundle(vsa(**extended(profile="lax"))), {"profile": "default"}, ["profile"]),
    "P17 from the future": (bundle(vsa(timeVerified="2026-11-20T12:06:00Z")), {}, ["future"]),
    "P18 too old": (bundle(vsa(timeVerified="2026-11-19T11:00:00Z")), {}, ["age"]),
    "P29 what it rests on has ended": (
        bundle(vsa(**extended(validUntil="2026-11-20T11:59:00Z"))), {}, ["waiver-ended"]
    ),
    "FAILED": (bundle(vsa(verificationResult="FAILED", verifiedLevels=["FAILED"])), {}, ["failed"]),
    "another level": (bundle(vsa(verifiedLevels=["SLSA_BUILD_LEVEL_1"])), {}, ["level"]),
    "no level": (bundle(vsa(verifiedLevels=None)), {}, ["level"]),
    "P1 no time": (bundle(vsa(timeVerified=None)), {}, ["altered"]),
    "P1 a time without a zone": (bundle(vsa(timeVerified="2026-11-20T11:00:00")), {}, ["altered"]),
    "P1 another result": (bundle(vsa(verificationResult="passed")), {}, ["altered"]),
    "P7 a bundle of an unknown version": (
        bundle(vsa(), change=lambda b: {**b, "mediaType": "application/vnd.dev.sigstore.bundle.v0.9+json"}), {},
        ["no-decision"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_each_step_refuses(case: str) -> None:
    data, changes, expected = REFUSED[case]
    trust = replace(TRUST, **changes)
    if expected == ["altered"]:
        with pytest.raises(EvidenceError):
            judge(data, trust=trust)
        return
    assert codes(judge(data, trust=trust)) == expected


def only(verifier: OtherVerifier = VERIFIER, **changes: Any) -> dict[str, Any]:
    return {"verifiers": (replace(verifier, **changes),)}


def for_environments(*names: str) -> dict[str, Any]:
    return only(signer=replace(VERIFIER.signer, environments=names))


STAGING = extended(environment={"value": "staging", "source": "flag"})
PRODUCTION = extended(environment="production")

ACCEPTED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "any policy by digest": (bundle(vsa(policy={"uri": "https://verifier.example/policy"})), only(policy_digests=())),
    "any policy by URI": (bundle(vsa(policy={"digest": {"sha256": "cd" * 32}})), only(policy_uris=())),
    "the resourceUri of the verifier, not the trust file's": (
        bundle(vsa()),
        {**only(resource_uris=(GOOD["resourceUri"],)), "resource_uri": "https://else.example/x"},
    ),
    "an environment where none is demanded": (bundle(vsa(**STAGING)), {"environments": ()}),
    "the environment, by a verifier for it": (bundle(vsa(**PRODUCTION)), for_environments("production")),
    "no environment, by a verifier for it": (bundle(vsa()), for_environments("production")),
    "a repository where none is demanded": (bundle(vsa(**extended(repository="https://x"))), {"repository": None}),
    "the repository": (bundle(vsa(**extended(repository=REPOSITORY))), {}),
    "a profile where none is demanded": (bundle(vsa(**extended(profile="observe"))), {}),
    "no profile where one is demanded": (bundle(vsa()), {"profile": "default"}),
    "what it rests on has not ended": (bundle(vsa(**extended(validUntil="2026-11-20T12:01:00Z"))), {}),
    "a stricter profile": (bundle(vsa(**extended(profile="strict"))), {"profile": "default"}),
    "a level beside what is none": (bundle(vsa(verifiedLevels=[{}, 3, "SLSA_BUILD_LEVEL_3"])), {}),
    "by the second verifier": (
        bundle(vsa(verifiedLevels=["THEIRS"]), by=key(8)),
        {"verifiers": (VERIFIER, replace(
            VERIFIER, levels=("THEIRS",), signer=signer(key(8), name="second", roles=("verifier",), verifier_id=ID),
        ))},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_nothing_speaks_against_is_accepted(case: str) -> None:
    data, changes = ACCEPTED[case]
    assert codes(judge(data, trust=replace(TRUST, **changes))) == []


def test_what_a_summary_says_is_handed_on() -> None:
    found = judge(bundle(vsa(**PRODUCTION)))
    assert found.other is not None
    assert (found.other.resource_uri, found.other.says) == (GOOD["resourceUri"], {"environment": "production"})
    assert any("does not say: repository, lockfilePath, profile" in note for note in found.result.notes)
    silent = judge(bundle(vsa(resourceUri=None))).other
    assert silent is not None
    assert silent.resource_uri == ""


def test_P20_for_an_environment_that_its_verifier_is_not_accepted_for() -> None:
    trust = replace(TRUST, **for_environments("staging"))
    assert codes(judge(bundle(vsa(**PRODUCTION)), trust=trust)) == ["environment"]


def test_a_policy_that_is_named_by_its_uri_alone_is_said_to_be() -> None:
    found = judge(bundle(vsa()), trust=replace(TRUST, **only(policy_digests=())))
    assert any("named by its URI alone" in note for note in found.result.notes)
    assert not any("named by its URI alone" in note for note in judge(bundle(vsa())).result.notes)


def test_what_does_not_count_is_told_with_its_reason() -> None:
    found = judge(bundle(vsa(subject={"name": "x", "digest": {"sha256": "2f" * 32}})), bundle(vsa(), by=key(9)))
    told = "\n".join(found.result.notes)
    assert "b0 does not count: it is about 'x', another artefact" in told
    assert "b1 does not count: " in told


@pytest.mark.parametrize(("levels", "said"), [(None, "nothing"), ([], "nothing"), (["L1", "L2"], "L1, L2")])
def test_the_level_that_it_has_is_said(levels: list[str] | None, said: str) -> None:
    (reason,) = judge(bundle(vsa(verifiedLevels=levels))).result.reasons
    assert f"verified as {said}, expected SLSA_BUILD_LEVEL_3" in reason.message


def test_what_is_no_summary_is_told() -> None:
    """Whoever sorts bundles hands on summaries alone; whoever does not may ask about any."""
    given = [Given(where="b", data=bundle(vsa(type_="https://slsa.dev/provenance/v1")))]
    found, notes = verify_summaries(given, TARBALL, TRUST, now=NOW)
    assert (found, len(notes)) == ((), 1)
    assert "not a VSA v1" in notes[0]


@pytest.mark.parametrize("hours", [0, -1, math.nan, math.inf])
def test_P18_no_age_limit_is_an_error(hours: float) -> None:
    given = [Given(where="b", data=bundle(vsa()))]
    with pytest.raises(TrustError, match="no age limit"):
        verify_summaries(given, TARBALL, replace(TRUST, max_age_hours=hours), now=NOW)


def payload_of(data: bytes) -> bytes:
    return base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"])


def test_no_altered_payload_or_signature_passes() -> None:
    """P10: under the accepted key's hint it is an error; under another hint nobody signed it."""
    good = json.loads(bundle(vsa()))
    other = base64.b64encode(vsa(verifiedLevels=["SLSA_BUILD_LEVEL_4"])).decode()
    sig = good["dsseEnvelope"]["signatures"][0]["sig"]
    flipped = base64.b64encode(bytes([*base64.b64decode(sig)[:-1], base64.b64decode(sig)[-1] ^ 1])).decode()
    for name, value in (("payload", other), ("signatures", [{"sig": flipped}])):
        altered = {**good, "dsseEnvelope": {**good["dsseEnvelope"], name: value}}
        with pytest.raises(EvidenceError):
            judge(json.dumps(altered).encode())
        altered["verificationMaterial"] = {"publicKey": {"hint": "somebody"}}
        assert codes(judge(json.dumps(altered).encode())) == ["no-decision"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda b: b, id="v0.3"),
        pytest.param(
            lambda b: {**b, "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"}, id="v0.1 by a key"
        ),
        pytest.param(
            lambda b: {**b, "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.2", "more": 1}, id="v0.2"
        ),
        pytest.param(
            lambda b: {
                **b,
                "verificationMaterial": {"publicKey": {"hint": "any name"}, "tlogEntries": [{"logIndex": "1"}]},
            },
            id="another hint, and a log entry that is not read",
        ),
    ],
)
def test_bundles_of_other_tools(change: Callable[[Any], Any]) -> None:
    assert codes(judge(bundle(vsa(), change=change))) == []


@pytest.mark.parametrize("version", ["v0.1", "v0.2", "v0.3"])
def test_a_verifier_with_an_identity(version: Any) -> None:
    """A certificate takes the numbered steps of package provenance; its time is proved."""
    sigstore = TestSigstore(NOW - timedelta(minutes=30))
    identity = "https://github.com/acme/verifier/.github/workflows/verify.yml@refs/heads/main"
    theirs = replace(
        VERIFIER,
        signer=replace(
            VERIFIER.signer,
            public_key=None,
            key_id=None,
            identity=AcceptedIdentity(issuer=GITHUB, identity=identity),
            trusted_root=sigstore.trusted_root_json(),
        ),
    )
    made = sigstore.provenance(
        "x", "1.0.0", "0" * 128, repository="https://github.com/acme/verifier", workflow=".github/workflows/verify.yml",
        bundle=version, mutate={"statement": lambda _: json.loads(vsa())},
    )  # fmt: skip
    trust = replace(TRUST, verifiers=(theirs,))
    found = judge(json.dumps(made).encode(), trust=trust)
    assert codes(found) == []
    assert found.other is not None
    assert found.other.time_source == "transparency-log"
    assert codes(judge(json.dumps(made).encode())) == ["no-decision"]
    late = sigstore.provenance(
        "x", "1.0.0", "0" * 128, repository="https://github.com/acme/verifier", workflow=".github/workflows/verify.yml",
        mutate={"statement": lambda _: json.loads(vsa(timeVerified="2026-11-20T11:50:00Z"))},
    )  # fmt: skip
    with pytest.raises(EvidenceError, match="signed before"):
        judge(json.dumps(late).encode(), trust=trust)


def test_P17_a_signature_from_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever time it says itself."""

    def timestamped(*arguments: Any, **settings: Any) -> VerifiedStatement:
        found = verify_other(*arguments, **settings)
        assert isinstance(found, VerifiedStatement)
        return replace(found, time=NOW + timedelta(minutes=6))

    monkeypatch.setattr(summaries, "verify_other", timestamped)
    assert codes(judge(bundle(vsa()))) == ["future"]


def test_P19_the_newest_decides_and_failed_beats_it() -> None:
    old = vsa(timeVerified="2026-11-20T09:00:00Z")
    failed = vsa(timeVerified="2026-11-20T10:00:00Z", verificationResult="FAILED", verifiedLevels=["FAILED"])
    new = vsa(timeVerified="2026-11-20T11:00:00Z")
    assert codes(judge(bundle(old), bundle(failed))) == ["failed"]
    assert codes(judge(bundle(failed), bundle(new))) == []
    same = vsa(verificationResult="FAILED", verifiedLevels=["FAILED"])
    assert codes(judge(bundle(same), bundle(vsa()))) == ["failed"]


def test_P19_a_decision_of_ours_decides() -> None:
    """No other verifier's PASSED outweighs a FAILED; its FAILED supersedes our PASSED where it is as new."""
    denied = record(verdict=Verdict.DENIED, age=timedelta(hours=3))
    passed = record(age=timedelta(hours=2))
    failed = vsa(verificationResult="FAILED", verifiedLevels=["FAILED"])
    trust = replace(TRUST, policy_digests=(POLICY,))
    assert codes(judge(bundle(vsa()), records=(denied,), trust=trust)) == ["failed"]
    assert codes(judge(bundle(failed), records=(passed,), trust=trust)) == ["superseded"]
    older = vsa(timeVerified="2026-11-20T09:00:00Z", verificationResult="FAILED", verifiedLevels=["FAILED"])
    assert codes(judge(bundle(older), records=(passed,), trust=trust)) == []


def said(hour: int, *, failed: bool = False, **changes: Any) -> bytes:
    """Return a summary of an hour of this day."""
    verdict: dict[str, Any] = {"verificationResult": "FAILED", "verifiedLevels": ["FAILED"]} if failed else {}
    return bundle(vsa(timeVerified=f"2026-11-20T{hour:02}:00:00Z", **verdict, **changes))


STAGED = extended(environment="staging")
ELSEWHERE = {"verifier": {"id": "https://else.example"}}
OTHER_POLICY = {"policy": {"uri": "https://else.example"}}


@pytest.mark.parametrize(
    ("bundles", "expected"),
    [
        pytest.param([said(9), said(11, **STAGED)], [], id="a newer PASSED for another environment"),
        pytest.param([said(9), said(11, failed=True, **STAGED)], [], id="a newer FAILED for another environment"),
        pytest.param([said(9), said(11, failed=True, **ELSEWHERE)], [], id="a newer FAILED under another verifier.id"),
        pytest.param([said(9), said(11, failed=True, **OTHER_POLICY)], ["superseded"], id="a newer FAILED of a policy"),
        pytest.param([said(11), said(8, failed=True, **OTHER_POLICY)], [], id="an older FAILED of a policy"),
    ],
)
def test_P19_P20_what_is_about_another_deployment_is_not_the_newest_word(
    bundles: list[bytes], expected: list[str]
) -> None:
    assert codes(judge(*bundles)) == expected
    passed = record(age=timedelta(hours=3))
    assert codes(judge(*bundles[1:], records=(passed,), trust=replace(TRUST, policy_digests=(POLICY,)))) == expected


def test_a_FAILED_of_ours_is_the_one_reason() -> None:
    denied = record(verdict=Verdict.DENIED, age=timedelta(hours=3))
    trust = replace(TRUST, policy_digests=(POLICY,))
    assert codes(judge(said(11, failed=True), records=(denied,), trust=trust)) == ["failed"]


def test_P20_the_environment_must_be_said_where_there_are_several() -> None:
    trust = replace(TRUST, environments=("production", "staging"))
    with pytest.raises(UsageError):
        judge(bundle(vsa()), trust=trust)
    assert codes(judge(bundle(vsa()), trust=trust, environment="staging")) == []


def test_the_statements_of_a_decision_beside_the_build() -> None:
    """Detail and summary without their materials are the same decision; one alone is none."""
    held = record()
    assert held.summary is not None
    trust = replace(TRUST, policy_digests=(POLICY,))
    sorted_ = sort([Given(where="v", data=held.summary), Given(where="d", data=held.detail)])
    assert ([s.id for s in sorted_.statements], sorted_.summaries, sorted_.notes) == ([held.id], (), ())
    assert codes(judge(trust=trust, records=sorted_.statements)) == []
    alone = sort([Given(where="d", data=held.detail)])
    assert (alone.statements, len(alone.notes)) == ((), 1)
    only = judge(held.summary, trust=trust)
    assert codes(only) == ["no-decision"]
    assert codes(judge(held.summary, trust=trust, subject=OTHER_TARBALL)) == ["no-decision"]


def test_what_is_no_bundle_is_told() -> None:
    found = sort([Given(where="a", data=b"{}"), Given(where="b", data=b"\xff"), Given(where="c", data=b"[" * 9000)])
    assert (found.statements, found.summaries, len(found.notes)) == ((), (), 3)


def test_times_are_compared_in_utc() -> None:
    found = judge(bundle(vsa(timeVerified="2026-11-20T12:00:00+01:00")))
    assert isinstance(found.other, OtherSummary)
    assert found.other.time == datetime(2026, 11, 20, 11, tzinfo=UTC)
