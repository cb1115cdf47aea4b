"""Break-glass at deploy time: which FAILED decisions two persons may let through, and which nobody (P28, P32)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from sbomgate import override
from sbomgate.errors import EvidenceError
from sbomgate.evidence import overrides
from sbomgate.evidence.record import Record, Statements
from sbomgate.evidence.verify import VerificationResult, verify_build
from sbomgate.model import Trust, Verdict
from testkit.evidence import BLOBS, NOW, POLICY, TARBALL, key, record, signer, trusting

HOUR = timedelta(hours=1)
FINDING = {"rule": "release_age", "code": "young", "level": "deny", "waived": False, "waivable": True}
PERSONS = {"ann": 3, "bob": 4}
TRUST: Trust = trusting(
    signer(key()),
    *(signer(key(number), name=who, person=who, roles=("override",)) for who, number in PERSONS.items()),
    policy_digests=(POLICY,),
    break_glass_hours=24,
)


def failed(*findings: dict[str, Any]) -> Record:
    evaluation = orjson.dumps({"findings": findings or [FINDING], "verdict": "denied"})
    return record(
        verdict=Verdict.DENIED, age=HOUR, blobs={**BLOBS, "evaluation.json": ("application/json", evaluation)}
    )


FAILED = failed()


def sign(store: Path, who: str, about: Record = FAILED) -> None:
    said = override.Override(
        decision=about.id,
        name="shop.tgz",
        subject=TARBALL.digest,
        issued_at=NOW - HOUR,
        until=NOW + HOUR,
        reason="the shop is down",
    )
    bundle = key(PERSONS[who]).sign(override.write(said))
    at = store / "overrides" / about.id / f"{hashlib.sha256(bundle).hexdigest()}.sigstore.json"
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_bytes(bundle)


def verify(store: Path, *records: Statements, trust: Trust = TRUST) -> VerificationResult:
    result = verify_build(records, TARBALL, trust, now=NOW, shipped_policy=POLICY)
    return overrides.honour(result, store, trust, now=NOW, revocations={})


def codes(found: VerificationResult) -> list[str]:
    return [one.code for one in found.reasons]


def test_P32_two_persons_let_a_FAILED_through_and_it_stays_one(tmp_path: Path) -> None:
    none = verify(tmp_path, FAILED)
    assert none.overridden is None
    assert not any("override" in note for note in none.notes), "nobody speaks of it"
    sign(tmp_path, "ann")
    one = verify(tmp_path, FAILED)
    assert (one.accepted, one.overridden) == (False, None)
    assert "an override needs 2 persons, and is by ann" in one.notes
    sign(tmp_path, "bob")
    both = verify(tmp_path, FAILED)
    assert (both.accepted, codes(both)) == (True, ["failed"])
    assert both.overridden is not None
    assert [one.by for one in both.overridden.signed] == ["ann", "bob"]


@pytest.mark.parametrize(
    "trust",
    [
        pytest.param(replace(TRUST, break_glass_hours=None), id="the trust file honours none"),
        pytest.param(replace(TRUST, max_age_hours=0.5), id="the decision is too old as well"),
        pytest.param(replace(TRUST, policy_digests=("ee" * 32,)), id="it is of another policy as well"),
    ],
)
def test_P32_an_override_mends_the_policy_s_word_alone(tmp_path: Path, trust: Trust) -> None:
    for who in PERSONS:
        sign(tmp_path, who)
    found = verify(tmp_path, FAILED, trust=trust)
    assert (found.accepted, found.overridden) == (False, None)


def test_an_override_that_does_not_count_is_told(tmp_path: Path) -> None:
    for who in PERSONS:
        sign(tmp_path, who)
    found = verify(tmp_path, FAILED, trust=replace(TRUST, break_glass_hours=None))
    assert sum("does not count: the trust file honours no override" in note for note in found.notes) == 2
    assert "an override needs 2 persons, and is by nobody" in found.notes


def test_what_is_no_FAILED_needs_none(tmp_path: Path) -> None:
    passed = record(age=HOUR)
    for who in PERSONS:
        sign(tmp_path, who, passed)
    assert verify(tmp_path, passed).overridden is None
    assert codes(verify(tmp_path)) == ["no-decision"]


def test_without_what_it_names_nobody_knows_what_it_denied(tmp_path: Path) -> None:
    for who in PERSONS:
        sign(tmp_path, who)
    found = verify(tmp_path, Statements(detail=FAILED.detail, summary=FAILED.summary))
    assert (found.accepted, codes(found)) == (False, ["failed"])


@pytest.mark.parametrize(
    ("change", "hinders"),
    [
        pytest.param({}, False, id="what a waiver could waive"),
        pytest.param({"waivable": False}, True, id="what no waiver waives"),
        pytest.param({"rule": "known_malicious"}, True, id="malicious, whatever a policy makes of it"),
        pytest.param({"waivable": False, "level": "warn"}, False, id="a warning denies nothing"),
        pytest.param({"waivable": False, "waived": True}, False, id="waived already"),
    ],
)
def test_P28_what_nothing_waives_nothing_overrides(tmp_path: Path, change: dict[str, Any], hinders: bool) -> None:
    one = failed(FINDING, {**FINDING, "code": "another", **change})
    for who in PERSONS:
        sign(tmp_path, who, one)
    found = verify(tmp_path, one)
    assert found.accepted is not hinders
    said = [note for note in found.notes if note.startswith("nothing overrides ")]
    rule = change.get("rule", "release_age")
    assert said == ([f"nothing overrides {rule}/another"] if hinders else [])


def test_what_lies_beside_them(tmp_path: Path) -> None:
    assert overrides.decisions(tmp_path) == ()
    sign(tmp_path, "ann")
    at = tmp_path / "overrides" / FAILED.id
    (at / ".tmp-left").write_text("")
    (at.parent / "notes").mkdir()
    assert overrides.decisions(tmp_path) == (FAILED.id,)
    assert len(overrides.read(tmp_path, FAILED.id)) == 1
    (at / "link.sigstore.json").symlink_to(next(at.glob("*.sigstore.json")))
    with pytest.raises(EvidenceError):
        overrides.read(tmp_path, FAILED.id)


def test_P1_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(tmp_path, "ann")

    def fails(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fails)
    with pytest.raises(EvidenceError, match="cannot be read: permission denied"):
        overrides.read(tmp_path, FAILED.id)


def test_P9_so_many_overrides_of_one_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in PERSONS:
        sign(tmp_path, who)
    monkeypatch.setattr(overrides, "MAX_FILES", 2)
    assert len(overrides.read(tmp_path, FAILED.id)) == 2
    monkeypatch.setattr(overrides, "MAX_FILES", 1)
    with pytest.raises(EvidenceError, match="more than 1 files"):
        overrides.read(tmp_path, FAILED.id)
