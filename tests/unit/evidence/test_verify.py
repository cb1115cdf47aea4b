"""What evidence allows: each step fails alone, with its reason; nothing passes by absence (P8, P12, P17 to P21)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sbomgate import trust as trust_file
from sbomgate.decision import DEFAULT_VERIFIER_ID
from sbomgate.errors import EvidenceError, TrustError, UsageError
from sbomgate.evidence import verify
from sbomgate.evidence.record import SUMMARY_BUNDLE, Record
from sbomgate.evidence.verify import VerificationResult, verify_build
from sbomgate.model import Subject, Trust, Verdict
from sbomgate.model.decision import LOGGED
from sbomgate.signing import verify as signing
from testkit.evidence import (
    COMMIT,
    IMAGE,
    NOW,
    OTHER_TARBALL,
    POLICY,
    REPOSITORY,
    TARBALL,
    decision,
    key,
    record,
    signer,
    trusting,
)

HOUR = timedelta(hours=1)
NO_HEAD = "the store has no signed head: what was removed from the store is not seen"
DEMANDING = trusting(
    repository=REPOSITORY,
    lockfile_path="package-lock.json",
    environments=("production",),
    profile="default",
    policy_digests=(POLICY,),
    max_age_hours=24,
    resource_uri=f"pkg:generic/shop-3.2.0.tgz?checksum=sha256:{'1f' * 32}",
)


def judge(
    *records: Record,
    subject: Subject = TARBALL,
    trust: Trust = DEMANDING,
    environment: str | None = None,
    workspace: str | None = None,
) -> VerificationResult:
    return verify_build(
        records, subject, trust, now=NOW, shipped_policy=POLICY, environment=environment, workspace=workspace
    )


def codes(result: VerificationResult) -> list[str]:
    assert result.accepted is (not result.reasons)
    return [r.code for r in result.reasons]


@pytest.mark.parametrize("subject", [TARBALL, COMMIT, IMAGE], ids=["file", "commit", "image"])
def test_good_evidence_is_accepted(subject: Subject) -> None:
    found = judge(record(subject=subject), subject=subject, trust=replace(DEMANDING, resource_uri=None))
    assert codes(found) == []
    assert found.deciding is not None
    assert found.deciding.signer.name == "release key"
    assert found.deciding.time_source == "self-declared"


def test_good_evidence_is_accepted_by_all_demands_at_once() -> None:
    assert codes(judge(record())) == []
    assert codes(judge(record(), environment="production")) == []


def test_the_name_of_the_artefact_is_only_for_people() -> None:
    assert codes(judge(record(), subject=replace(TARBALL, name="renamed.tgz"))) == []


@pytest.mark.parametrize(
    ("made", "changes", "expected"),
    [
        pytest.param({"subject": OTHER_TARBALL}, {}, ["no-decision"], id="P12 another artefact"),
        pytest.param({"subject": replace(COMMIT)}, {}, ["no-decision"], id="P12 another kind"),
        pytest.param(
            {"subject": replace(IMAGE, digest=TARBALL.digest)}, {}, ["no-decision"], id="P12 another kind, same digest"
        ),
        pytest.param({"local": key(2)}, {}, ["no-decision"], id="P21 another signer"),
        pytest.param({"summary_key": key(2)}, {}, ["no-decision"], id="P21 summary by another signer"),
        pytest.param({"profile": "observe"}, {}, ["no-decision"], id="P8 observe"),
        pytest.param({"verifier_id": "https://other.example"}, {}, ["no-decision"], id="SLSA signer and verifier.id"),
        pytest.param({"uri": "pkg:generic/other"}, {}, ["resource"], id="SLSA resourceUri"),
        pytest.param({}, {"profile": "strict"}, ["profile"], id="P8 weaker profile"),
        pytest.param({"environment": "staging"}, {}, ["environment"], id="P20 another environment"),
        pytest.param({"environment": None}, {}, ["environment"], id="P20 no environment"),
        pytest.param({"policy": "ee" * 32}, {}, ["policy"], id="P20 another policy"),
        pytest.param({"policy": "ee" * 32}, {"policy_digests": ()}, ["policy"], id="P20 not the shipped policy"),
        pytest.param({}, {"policy_digests": ("ee" * 32,)}, ["policy"], id="P20 the shipped policy beside another"),
        pytest.param({"repository": f"{REPOSITORY}2"}, {}, ["repository"], id="P12 another repository"),
        pytest.param({"repository": None}, {}, ["repository"], id="P12 no repository"),
        pytest.param({"lockfile_path": "a/package-lock.json"}, {}, ["lockfile-path"], id="P12 another lockfile"),
        pytest.param({"age": -timedelta(minutes=6)}, {}, ["future"], id="P17 from the future"),
        pytest.param({"age": timedelta(hours=24, seconds=1)}, {}, ["age"], id="P18 too old"),
        pytest.param(
            {"age": timedelta(days=7, seconds=1)}, {"max_age_hours": None}, ["age"], id="P18 no limit is a week"
        ),
        pytest.param({"verdict": Verdict.DENIED}, {}, ["failed"], id="denied"),
        pytest.param(
            {"environment": "staging", "policy": "ee" * 32, "age": 48 * HOUR, "verdict": Verdict.DENIED},
            {},
            ["environment", "policy", "age", "failed"],
            id="all reasons in order",
        ),
    ],
)
def test_each_step_refuses(made: dict[str, Any], changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(judge(record(**made), trust=replace(DEMANDING, **changes))) == expected


@pytest.mark.parametrize(
    ("made", "changes"),
    [
        pytest.param({"age": -timedelta(minutes=5)}, {}, id="five minutes ahead"),
        pytest.param({"age": timedelta(hours=24)}, {}, id="exactly as old as accepted"),
        pytest.param({"age": timedelta(days=7)}, {"max_age_hours": None}, id="a week without a limit"),
        pytest.param({"profile": "strict"}, {}, id="stricter profile"),
        pytest.param({"policy": "ee" * 32}, {"policy_digests": ("ee" * 32,)}, id="own policy"),
        pytest.param({"environment": None}, {"environments": ()}, id="no environment demanded"),
        pytest.param({"repository": None}, {"repository": None}, id="no repository demanded"),
    ],
)
def test_what_is_not_refused(made: dict[str, Any], changes: dict[str, Any]) -> None:
    assert codes(judge(record(**made), trust=replace(DEMANDING, **changes))) == []


def test_no_evidence_is_refused_not_an_error() -> None:
    assert codes(judge()) == ["no-decision"]


def test_P21_nobody_is_accepted_by_default() -> None:
    with pytest.raises(TrustError):
        judge(record(), trust=trust_file.NOBODY)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_P18_no_age_limit_is_not_never(limit: float) -> None:
    with pytest.raises(TrustError):
        judge(record(), trust=replace(DEMANDING, max_age_hours=limit))


def test_P21_roles() -> None:
    assert codes(judge(record(), trust=trusting(signer(key(), roles=("facts",))))) == ["no-decision"]


def test_SLSA_the_pair_of_signer_and_verifier() -> None:
    named = trusting(signer(key(), verifier_id="https://acme.example/gate"))
    assert codes(judge(record(verifier_id="https://acme.example/gate"), trust=named)) == []
    assert codes(judge(record(verifier_id=DEFAULT_VERIFIER_ID), trust=named)) == ["no-decision"]


def test_P20_a_signer_signs_for_his_environments_only() -> None:
    staging = trusting(signer(key(), environments=("staging",)))
    assert codes(judge(record(environment="staging"), trust=staging)) == []
    assert codes(judge(record(environment="production"), trust=staging)) == ["environment"]
    assert codes(judge(record(environment=None), trust=staging)) == ["environment"]


def test_P20_the_environment_must_be_said_where_there_are_several() -> None:
    several = replace(DEMANDING, environments=("production", "staging"))
    with pytest.raises(UsageError):
        judge(record(), trust=several)
    with pytest.raises(UsageError):
        judge(record(), trust=several, environment="test")
    assert codes(judge(record(), trust=several, environment="production")) == []
    assert codes(judge(record(), trust=several, environment="staging")) == ["environment"]


PASSED = record(age=5 * HOUR)
FAILED = record(age=2 * HOUR, verdict=Verdict.DENIED)
AGAIN = record(age=HOUR)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([PASSED], [], id="passed"),
        pytest.param([PASSED, FAILED], ["failed"], id="failed after passed"),
        pytest.param([FAILED, PASSED], ["failed"], id="in any order"),
        pytest.param([PASSED, FAILED, AGAIN], [], id="passed again"),
        pytest.param([record(age=2 * HOUR), FAILED], ["failed"], id="at the same moment"),
        pytest.param(
            [PASSED, record(age=HOUR, verdict=Verdict.DENIED, environment="staging")],
            ["superseded"],
            id="failed for another environment",
        ),
        pytest.param(
            [PASSED, record(age=5 * HOUR, verdict=Verdict.DENIED, environment="staging")],
            ["superseded"],
            id="failed for another environment at the same moment",
        ),
        pytest.param(
            [PASSED, record(age=6 * HOUR, verdict=Verdict.DENIED, environment="staging")],
            [],
            id="failed for another environment, older",
        ),
        pytest.param(
            [PASSED, record(age=HOUR, verdict=Verdict.DENIED, policy="ee" * 32)],
            ["superseded"],
            id="failed by another policy",
        ),
        pytest.param([PASSED, record(age=HOUR, environment="staging")], [], id="passed for another environment, newer"),
        pytest.param([PASSED, record(age=HOUR, policy="ee" * 32)], [], id="passed by another policy, newer"),
        pytest.param(
            [PASSED, record(age=HOUR, verdict=Verdict.DENIED, profile="observe")], [], id="observe never denies"
        ),
        pytest.param([PASSED, record(key(2), age=HOUR, verdict=Verdict.DENIED)], [], id="failed by a stranger"),
        pytest.param(
            [PASSED, record(subject=OTHER_TARBALL, verdict=Verdict.DENIED)], [], id="failed, another artefact"
        ),
        pytest.param([PASSED, record(age=-HOUR)], ["future"], id="newest is from the future"),
        pytest.param([record(age=30 * HOUR), FAILED], ["failed"], id="old and failed"),
    ],
)
def test_P19_the_newest_wins_and_failed_beats_older(records: list[Record], expected: list[str]) -> None:
    assert codes(judge(*records)) == expected
    assert codes(judge(*reversed(records))) == expected


PART = replace(IMAGE, digest={"sha256": "4f" * 32})
OF_INDEX = record(subject=IMAGE, age=5 * HOUR)


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param([], [], id="nothing was decided of the image itself"),
        pytest.param([record(subject=PART, age=HOUR, verdict=Verdict.DENIED)], ["superseded"], id="it failed since"),
        pytest.param([record(subject=PART, age=9 * HOUR, verdict=Verdict.DENIED)], [], id="it failed before"),
        pytest.param([record(subject=PART, age=HOUR)], [], id="it passed"),
        pytest.param([record(key(2), subject=PART, age=HOUR, verdict=Verdict.DENIED)], [], id="failed by a stranger"),
        pytest.param(
            [record(subject=PART, age=HOUR, verdict=Verdict.DENIED, profile="observe")], [], id="observe never denies"
        ),
        pytest.param(
            [record(subject=PART, summary_key=key(2), age=HOUR, verdict=Verdict.DENIED)],
            ["superseded"],
            id="its summary replaced",
        ),
    ],
)
def test_P19_what_failed_about_an_image_beats_its_index(late: list[Record], expected: list[str]) -> None:
    """P19: the index passed, and one of its images, which is what is deployed, was denied by itself since."""
    found = verify_build(
        [OF_INDEX, *late], IMAGE, trusting(policy_digests=(POLICY,)), now=NOW, shipped_policy=POLICY, part=PART
    )
    assert codes(found) == expected


def test_P12_what_passed_about_an_image_says_nothing_of_its_index() -> None:
    found = verify_build(
        [record(subject=PART)], IMAGE, trusting(policy_digests=(POLICY,)), now=NOW, shipped_policy=POLICY, part=PART
    )
    assert codes(found) == ["no-decision"]


def test_P19_of_several_that_failed_the_newest_is_named_once() -> None:
    late = [record(age=n * HOUR, verdict=Verdict.DENIED, environment="staging") for n in (2, 1)]
    found = judge(PASSED, *late)
    assert codes(found) == ["superseded"]
    assert (NOW - HOUR).isoformat() in found.reasons[0].message


WEB, API = "services/web", "services/api"


@pytest.mark.parametrize(
    ("records", "asked", "expected"),
    [
        pytest.param([{"workspace": WEB}], WEB, [], id="the one that is demanded"),
        pytest.param([{"workspace": WEB}], None, [], id="none is demanded"),
        pytest.param([{"workspace": API}], WEB, ["workspace"], id="another service"),
        pytest.param([{"workspace": "."}], WEB, ["workspace"], id="the root project"),
        pytest.param([{}], WEB, ["workspace"], id="the whole lockfile"),
        pytest.param([{"workspace": WEB}], "services/Web", ["workspace"], id="case counts"),
        pytest.param([{"workspace": WEB}], "", ["workspace"], id="an empty demand is a demand"),
        pytest.param([{"workspace": WEB}, {"workspace": API, "age": HOUR / 2}], WEB, [], id="a newer one of another"),
        pytest.param(
            [{"workspace": WEB}, {"workspace": WEB, "verdict": Verdict.DENIED}], WEB, ["failed"], id="P19 denied"
        ),
        pytest.param(
            [{"workspace": WEB}, {"verdict": Verdict.DENIED}], WEB, ["superseded"], id="P19 denied as a whole"
        ),
    ],
)
@pytest.mark.parametrize("subject", [TARBALL, COMMIT], ids=["file", "commit"])
def test_P12_the_workspace(
    subject: Subject, records: list[dict[str, Any]], asked: str | None, expected: list[str]
) -> None:
    trust = replace(DEMANDING, resource_uri=None)
    made = [record(subject=subject, **one) for one in records]
    assert codes(judge(*made, subject=subject, trust=trust, workspace=asked)) == expected


@pytest.mark.parametrize(
    ("subject", "asked", "expected"),
    [
        pytest.param(COMMIT, WEB, [], id="a commit holds many services"),
        pytest.param(COMMIT, None, ["superseded"], id="a commit, and nobody says which service"),
        pytest.param(TARBALL, WEB, ["superseded"], id="the same bytes"),
    ],
)
def test_P19_denied_for_another_workspace(subject: Subject, asked: str | None, expected: list[str]) -> None:
    trust = replace(DEMANDING, resource_uri=None)
    made = [
        record(subject=subject, workspace=WEB),
        record(subject=subject, workspace=API, verdict=Verdict.DENIED, age=HOUR / 2),
    ]
    if asked is None:
        # the newest decides, and it is the denial
        assert codes(judge(*made, subject=subject, trust=trust)) == ["failed"]
        made[1] = record(subject=subject, workspace=API, verdict=Verdict.DENIED, environment="staging", age=HOUR / 2)
    assert codes(judge(*made, subject=subject, trust=trust, workspace=asked)) == expected


@pytest.mark.parametrize(
    ("between", "failed", "said"),
    [
        pytest.param({"workspace": WEB}, {"workspace": API}, f"workspace {API!r}, for", id="the same service before"),
        pytest.param(
            {"workspace": "services/x", "environment": "nowhere"}, {"workspace": API}, "", id="another environment's"
        ),
        pytest.param({"workspace": WEB}, {"lockfile_path": "api/yarn.lock"}, "'api/yarn.lock' for", id="a lockfile"),
    ],
)
def test_P19_a_part_that_failed_is_seen_behind_others(
    between: dict[str, Any], failed: dict[str, Any], said: str
) -> None:
    trust = replace(trusting(), signers=(signer(key(), environments=("production",)),))
    made = [
        record(workspace=WEB, age=HOUR / 2),
        record(age=HOUR, **between),
        record(age=2 * HOUR, verdict=Verdict.DENIED, **failed),
    ]
    found = judge(*made, trust=trust)
    assert codes(found) == ["workspace"]
    assert said in found.reasons[0].message


@pytest.mark.parametrize(
    ("repository", "said"),
    [(None, "it names no repository, expected"), (f"{REPOSITORY}2", f"the repository is '{REPOSITORY}2', expected")],
)
def test_P12_another_repository_is_named(repository: str | None, said: str) -> None:
    (reason,) = judge(record(repository=repository)).reasons
    assert reason.message.startswith(said)


@pytest.mark.parametrize("subject", [TARBALL, COMMIT, IMAGE], ids=["file", "commit", "image"])
@pytest.mark.parametrize(
    ("earlier", "late", "asked", "expected"),
    [
        pytest.param({"workspace": API}, {"workspace": WEB}, None, ["workspace"], id="a service that failed before"),
        pytest.param({"workspace": API}, {"workspace": WEB}, WEB, [], id="the other one is demanded"),
        pytest.param({"workspace": WEB}, {"workspace": WEB}, None, [], id="the same one, mended"),
        pytest.param({"workspace": API}, {}, None, [], id="the whole lockfile passed since"),
        pytest.param({}, {"workspace": WEB}, None, ["workspace"], id="of the whole lockfile, a part passed since"),
        pytest.param({"lockfile_path": "api/package-lock.json"}, {}, None, ["workspace"], id="another lockfile"),
    ],
)
def test_P19_a_part_that_failed_before(
    subject: Subject, earlier: dict[str, Any], late: dict[str, Any], asked: str | None, expected: list[str]
) -> None:
    """P19: one commit or image, two services: whichever was gated last must not answer for both of them."""
    trust = replace(DEMANDING, resource_uri=None, lockfile_path=None)
    made = [record(subject=subject, verdict=Verdict.DENIED, age=2 * HOUR, **earlier), record(subject=subject, **late)]
    assert codes(judge(*made, subject=subject, trust=trust, workspace=asked)) == expected
    # Its own newer PASSED mends it, whatever came between.
    made.append(record(subject=subject, age=HOUR / 2, **earlier))
    assert codes(judge(*made, subject=subject, trust=trust, workspace=asked)) == []
    # A lockfile that the trust file demands is not beaten by an older decision on another.
    if "lockfile_path" in earlier:
        narrow = replace(trust, lockfile_path="package-lock.json")
        assert codes(judge(*made[:2], subject=subject, trust=narrow)) == []


def test_a_workspace_that_nobody_asked_for_is_said() -> None:
    assert any("no workspace is demanded" in note for note in judge(record(workspace=WEB)).notes)
    assert not any("workspace" in note for note in judge(record(workspace=WEB), workspace=WEB).notes)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(NOW + HOUR, []), (NOW, ["waiver-ended"]), (NOW - HOUR / 2, ["waiver-ended"]), (None, [])],
)
def test_P29_what_it_rests_on_has_not_ended(ends: datetime | None, expected: list[str]) -> None:
    assert codes(judge(record(valid_until=ends))) == expected


def test_P20_a_failed_by_a_signer_outside_his_environments_does_not_count() -> None:
    trust = trusting(signer(key()), signer(key(2), name="staging", environments=("staging",)))
    late: dict[str, Any] = {"age": HOUR, "verdict": Verdict.DENIED}
    assert codes(
        judge(PASSED, record(key(2), environment="staging", **late), trust=trust, environment="production")
    ) == ["superseded"]
    # Whoever may only decide for staging cannot stop production by naming it.
    assert codes(judge(PASSED, record(key(2), environment=None, **late), trust=trust, environment="production")) == []


def test_detail_and_summary_are_signed_by_one() -> None:
    both = trusting(signer(key()), signer(key(2), name="other"))
    assert codes(judge(record(summary_key=key(2)), trust=both)) == ["no-decision"]


def test_P17_detail_and_summary_prove_their_time_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def logged(bundle: bytes, *arguments: Any, where: str, **settings: Any) -> Any:
        found = signing.verify(bundle, *arguments, where=where, **settings)
        assert isinstance(found, signing.VerifiedStatement)
        return replace(found, time_source=LOGGED) if where == SUMMARY_BUNDLE else found

    monkeypatch.setattr(verify, "verify", logged)
    with pytest.raises(EvidenceError, match="the detail's by 'self-declared'"):
        judge(record())


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param({}, ["failed"], id="failed"),
        pytest.param({"environment": "staging"}, ["superseded"], id="failed for another environment"),
        pytest.param({"verdict": Verdict.ALLOWED}, [], id="passed: it says nothing good without its summary"),
        pytest.param({"profile": "observe"}, [], id="observe has none"),
        pytest.param({"subject": OTHER_TARBALL}, [], id="another artefact"),
    ],
)
def test_P19_a_summary_by_a_stranger_takes_no_failed_back(late: dict[str, Any], expected: list[str]) -> None:
    """P19: whoever can write the store has no key, and can put his own summary in the place of the signer's."""
    replaced = record(summary_key=key(2), **{"age": HOUR, "verdict": Verdict.DENIED, **late})
    assert codes(judge(PASSED, replaced)) == expected
    assert codes(judge(replaced, PASSED)) == expected
    # Beside the signer's own summary it changes nothing.
    both = record(**{"age": HOUR, "verdict": Verdict.DENIED, **late})
    assert codes(judge(PASSED, replaced, both)) == expected


def test_P19_a_detail_by_a_stranger_fails_nothing() -> None:
    assert codes(judge(PASSED, record(key(2), summary_key=key(), age=HOUR, verdict=Verdict.DENIED))) == []


def test_what_did_not_count_is_said() -> None:
    found = judge(record(), record(key(2)), record(profile="observe"))
    assert found.accepted
    assert len([note for note in found.notes if "does not count" in note]) == 2


def test_what_nobody_asked_for_is_said() -> None:
    """C07, P20: a trust file that demands little accepts much, and "verified" says what was not compared."""
    same = decision().trust
    assert judge(record(), trust=replace(DEMANDING, sha256=same)).notes == (NO_HEAD,)
    loose = judge(record(engine=replace(decision().engine, ours=False)), trust=trusting(policy_digests=(POLICY,)))
    assert loose.accepted
    for said in ("repository", "lockfile path", "environment", "another trust file", "did not run"):
        assert any(said in note for note in loose.notes), said


def test_a_signature_that_is_not_the_accepted_key_s_is_an_error() -> None:
    """The hint names the accepted key, the signature is another's: altered, which is exit 2, not a refusal."""
    document = json.loads(record(key(2)).detail)
    document["verificationMaterial"] = json.loads(record().detail)["verificationMaterial"]
    forged = json.dumps(document).encode()
    observed = record(key(2), profile="observe")
    made = json.loads(observed.detail)
    made["verificationMaterial"] = document["verificationMaterial"]
    with pytest.raises(EvidenceError):
        Record(detail=forged, summary=record(key(2)).summary, blobs=record().blobs)
    with pytest.raises(EvidenceError, match="altered"):
        judge(Record(detail=json.dumps(made).encode(), summary=None, blobs=observed.blobs))


def test_P17_a_key_cannot_claim_a_witnessed_time() -> None:
    with pytest.raises(EvidenceError, match="self-declared"):
        judge(record(time_source="transparency-log"))
