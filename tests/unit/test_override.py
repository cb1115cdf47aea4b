"""Overrides: whose word counts, about what, and for how long (P32)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sbomgate import dsse, override, trust
from sbomgate.canonical import dumps
from sbomgate.errors import EvidenceError
from sbomgate.model import Signer, Subject, SubjectKind
from sbomgate.override import Override, Overrides
from testkit.evidence import key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SUBJECT = Subject(kind=SubjectKind.FILE, name="app.tgz", digest={"sha256": "1f" * 32})
SAID = Override(
    decision="ab" * 32,
    name="app.tgz",
    subject={"sha256": "1f" * 32},
    issued_at=NOW,
    until=NOW + timedelta(hours=4),
    reason="shop is down",
)
KEYS = {who: key(number) for number, who in enumerate(("ann", "bob"), 1)}


def accepted(
    files: dict[str, bytes], *, now: datetime = NOW, hours: float | None = 24, person: str | None = None, **signer: Any
) -> Overrides:
    signers = tuple(
        Signer(**{"name": who, "person": person or who, "roles": ("override",), "public_key": one.public_key,
                  "key_id": one.key_id, **signer})
        for who, one in KEYS.items()
    )  # fmt: skip
    accepting = replace(trust.NOBODY, signers=signers, break_glass_hours=hours)
    return override.accepted(files, accepting, decision=SAID.decision, subject=SUBJECT, now=now, revoked=lambda _: None)


def signed(who: str, said: Override = SAID) -> bytes:
    return KEYS[who].sign(override.write(said))


BOTH = {who: signed(who) for who in KEYS}


def test_two_persons_until_the_first_of_them_ends() -> None:
    found = accepted({"ann": signed("ann"), "bob": signed("bob", replace(SAID, until=NOW + timedelta(hours=2)))})
    assert found.honoured
    assert found.until == NOW + timedelta(hours=2)
    assert [one.by for one in found.signed] == ["ann", "bob"]
    assert {one.time_source for one in found.signed} == {"self-declared"}


def test_one_person_is_not_two_whatever_keys_he_has() -> None:
    assert not accepted(BOTH, person="ann").honoured
    assert not accepted({"1": signed("ann"), "2": signed("ann", replace(SAID, reason="again"))}).honoured


def test_of_one_person_the_longest_counts() -> None:
    files = {"1": signed("ann", replace(SAID, until=NOW + timedelta(hours=9))), "2": signed("ann"), "3": signed("bob")}
    assert accepted(files).until == NOW + timedelta(hours=4)
    assert accepted(files).signed[0].said.until == NOW + timedelta(hours=9)


@pytest.mark.parametrize(
    ("said", "settings", "reason"),
    [
        pytest.param(SAID, {"hours": None}, "no [break_glass]", id="not where the trust file does not say so"),
        pytest.param(SAID, {"hours": 3}, "longer than the 3 hours", id="longer than the trust file says"),
        pytest.param(replace(SAID, until=NOW + timedelta(hours=25)), {}, "24 hours", id="longer than a day"),
        pytest.param(
            replace(SAID, until=NOW + timedelta(hours=25)), {"hours": 1000}, "24 hours", id="whatever the file says"
        ),
        pytest.param(SAID, {"now": NOW + timedelta(hours=4)}, "ended at", id="at its very end"),
        pytest.param(SAID, {"now": NOW - timedelta(minutes=6)}, "which is after", id="before it begins"),
        pytest.param(replace(SAID, decision="cd" * 32), {}, "about decision cdcd", id="of another decision"),
        pytest.param(replace(SAID, subject={"sha256": "2f" * 32}), {}, "about decision", id="of another artefact"),
        pytest.param(SAID, {"roles": ("approver", "decision")}, "not for override", id="by an approver"),
    ],
)
def test_what_does_not_count(said: Override, settings: dict[str, Any], reason: str) -> None:
    found = accepted({who: signed(who, said) for who in KEYS}, **settings)
    assert found.signed == ()
    assert not found.honoured
    assert found.until is None
    assert all(reason in why for _, why in found.refused)
    assert len(found.refused) == 2


def test_what_is_said_is_read_again() -> None:
    assert override.read(override.write(SAID), "x") == SAID


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"reason": " "}, id="no reason"),
        pytest.param({"reason": 7}, id="a reason that is no text"),
        pytest.param({"result": "PASSED"}, id="another result"),
        pytest.param({"until": "2026-11-20T12:00:00Z"}, id="no time at all"),
        pytest.param({"until": None}, id="no end"),
        pytest.param({"more": 1}, id="an unknown field"),
    ],
)
def test_a_statement_has_one_meaning(change: dict[str, Any]) -> None:
    statement = json.loads(override.write(SAID))
    statement["predicate"] |= change
    with pytest.raises(EvidenceError):
        override.read(dumps(statement), "x")


def test_another_statement_is_none() -> None:
    with pytest.raises(EvidenceError, match="predicateType"):
        override.read(dsse.statement([("a", {"sha256": "1f" * 32})], "https://sbomgate.dev/waiver/v1", {}), "x")
    three = json.loads(override.write(SAID))
    three["subject"].append(three["subject"][0])
    with pytest.raises(EvidenceError):
        override.read(dumps(three), "x")
