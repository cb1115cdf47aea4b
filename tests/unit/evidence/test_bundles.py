"""What lies beside a build is sorted by what it is: nothing that speaks against the artefact gets lost (P19)."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from sbomgate import dsse
from sbomgate.decision import SUMMARY_TYPE
from sbomgate.errors import EvidenceError
from sbomgate.evidence import bundles, revocation
from sbomgate.evidence.bundles import Given, Sorted, sort
from sbomgate.evidence.head import NOTHING
from sbomgate.evidence.record import Record
from sbomgate.evidence.revocation import Revocation
from sbomgate.evidence.verify import verify_build
from sbomgate.model import Verdict
from testkit.evidence import NOW, POLICY, TARBALL, key, record, trusting

HOUR = timedelta(hours=1)
PASSED = record(age=5 * HOUR)
FAILED = record(age=HOUR, verdict=Verdict.DENIED)


def given(*bundles: bytes | None) -> list[Given]:
    return [Given(where=f"{number}.json", data=one) for number, one in enumerate(bundles) if one is not None]


def codes(found: Sorted) -> list[str]:
    """Return why the artefact is refused, by what was found beside it."""
    view = replace(NOTHING, revocations=found.revocations)
    result = verify_build(found.statements, TARBALL, trusting(), now=NOW, shipped_policy=POLICY, view=view)
    return [one.code for one in result.reasons]


def revoked(number: int) -> bytes:
    """Return the revocation of `PASSED`, signed by a key: the first is accepted."""
    said = Revocation(decision=PASSED.id, signer=None, issued_at=NOW - HOUR, reason="a compromised runner")
    return key(number).sign(revocation.write(said))


def strange(one: Record) -> bytes:
    """Return a summary with the words of another, by a key that nobody accepts."""
    assert one.summary is not None
    return key(2).sign(dsse.payload_of(one.summary))


def test_what_belongs_together_is_found_in_any_order() -> None:
    for order in itertools.permutations([PASSED.detail, PASSED.summary, FAILED.detail, FAILED.summary]):
        found = sort(given(*order))
        assert {one.id for one in found.statements} == {PASSED.id, FAILED.id}
        assert (found.summaries, found.notes, found.revocations) == ((), (), {})
        assert codes(found) == ["failed"]


@pytest.mark.parametrize(("number", "expected"), [(1, ["revoked"]), (2, [])], ids=["accepted", "a stranger's"])
def test_P19_a_revocation_that_was_given_counts(number: int, expected: list[str]) -> None:
    """P19: it was told as "an attestation of another kind", and the revoked artefact accepted."""
    found = sort(given(PASSED.detail, revoked(number), PASSED.summary))
    assert list(found.revocations) == [hashlib.sha256(revoked(number)).hexdigest()]
    assert found.notes == ()
    assert codes(found) == expected


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_P19_a_second_summary_hides_no_failed(order: tuple[int, ...]) -> None:
    """P19: whoever may only add a file cannot make a FAILED not count by a summary of his own for it."""
    late = [FAILED.detail, FAILED.summary, strange(FAILED)]
    found = sort(given(PASSED.detail, PASSED.summary, *(late[at] for at in order)))
    assert [one.id for one in found.statements].count(FAILED.id) == 2
    assert codes(found) == ["failed"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_a_second_summary_hides_no_passed(order: tuple[int, ...]) -> None:
    own = [PASSED.detail, PASSED.summary, strange(PASSED)]
    assert codes(sort(given(*(own[at] for at in order)))) == []


def test_P8_what_only_records_has_no_summary_and_counts_for_nothing() -> None:
    observed = record(profile="observe")
    found = sort(given(observed.detail))
    assert ([one.id for one in found.statements], found.notes) == ([observed.id], ())
    assert codes(found) == ["no-decision"]


def test_what_is_alone_is_told() -> None:
    found = sort(given(PASSED.detail))
    assert (found.statements, found.notes) == ((), ("0.json is a decision without its summary: it does not count",))
    (alone,) = sort(given(PASSED.summary)).summaries
    assert alone.data == PASSED.summary


def test_P19_half_of_a_FAILED_is_not_overlooked() -> None:
    """P19: it was told as a note, and an older PASSED beside it accepted."""
    with pytest.raises(EvidenceError, match="that FAILED, without its summary") as e:
        sort(given(PASSED.detail, PASSED.summary, FAILED.detail))
    assert e.value.where == "2.json"


def test_what_is_something_else_is_told() -> None:
    statement = dsse.statement([("a", {"sha256": "ab" * 32})], "https://example.test/v1", {"a": 1})
    found = sort(given(b"{}", key().sign(statement), b"\xff"))
    assert len(found.notes) == 3
    assert any("another kind (https://example.test/v1)" in note for note in found.notes)
    other = dsse.statement([("a", {"sha256": "ab" * 32})], SUMMARY_TYPE, {"inputAttestations": "none"})
    assert [json.loads(one.data) for one in sort(given(key().sign(other))).summaries] == [json.loads(key().sign(other))]


def test_P9_so_many_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_BUNDLES", 2)
    assert len(sort(given(PASSED.detail, PASSED.summary)).statements) == 1
    with pytest.raises(EvidenceError, match="more than 2 bundles") as e:
        sort(given(PASSED.detail, PASSED.summary, b"{}"))
    assert e.value.where == "2.json"
