"""Revocations: who may withdraw what, what that hits, and that it beats every older PASSED (P19, P21)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from sbomgate import resources
from sbomgate.errors import EvidenceError
from sbomgate.evidence import revocation
from sbomgate.evidence.head import Entry, Head, View, segments, write_head
from sbomgate.evidence.record import Record
from sbomgate.evidence.revocation import Revocation, RevokedSigner, SignedRevocation
from sbomgate.evidence.verify import Signed, VerificationResult, hits, signed_by, verify_build
from sbomgate.model import AcceptedIdentity, Signer, Trust, Verdict
from sbomgate.signing.local_key import LocalKey
from testkit.evidence import COMMIT, NOW, POLICY, TARBALL, key, record, signer, trusting

HOUR = timedelta(hours=1)
THIEF = RevokedSigner(key_id=key().key_id, since=NOW - 5 * HOUR)
REVOKER = signer(key(3), name="ann", roles=("revoker",))
RELEASE = signer(key())
DECISION = Revocation(decision="ab" * 32, signer=None, issued_at=NOW, reason="built on a compromised runner")
WIDE = Revocation(decision=None, signer=THIEF, issued_at=NOW, reason="the key was stolen")
NAMED = Revocation(
    decision=None,
    signer=RevokedSigner(issuer="https://issuer.example", identity="https://ci.example/release@refs/heads/main"),
    issued_at=NOW,
    reason="wörkflow",
)


@pytest.mark.parametrize("said", [DECISION, WIDE, NAMED], ids=["decision", "key", "identity"])
def test_it_is_read_as_it_was_written(said: Revocation) -> None:
    data = revocation.write(said)
    assert revocation.read(data, "revocation") == said
    schema = json.loads(resources.path("schemas", "revocation.schema.json").read_bytes())
    jsonschema.validate(json.loads(data)["predicate"], schema)


@pytest.mark.parametrize(
    "change",
    [
        {"decision": None},
        {"signer": THIEF},
        {"decision": "AB" * 32},
        {"decision": "ab"},
        {"reason": " "},
        {"reason": "x" * 2001},
        {"reason": 5},
        {"decision": 5},
        {"decision": None, "signer": RevokedSigner()},
        {"decision": None, "signer": RevokedSigner(key_id="ab" * 32, issuer="https://a")},
        {"decision": None, "signer": RevokedSigner(issuer="https://a")},
        {"decision": None, "signer": RevokedSigner(key_id="xy")},
    ],
    ids=str,
)
def test_what_no_revocation_says(change: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError):
        revocation.write(replace(DECISION, **change))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"reason"', b'"more":1,"reason"'),
        (b"2026-11-20T12:00:00Z", b"2026-11-20T12:00:00+00:00"),
        (b'"signer":null', b'"signer":{}'),
        (b"revocation/v1", b"revocation/v2"),
        (b'"name":"decision.sigstore.json"', b'"name":"other"'),
    ],
    ids=str,
)
def test_P1_another_spelling_is_refused(old: bytes, new: bytes) -> None:
    data = revocation.write(DECISION)
    assert old in data
    with pytest.raises(EvidenceError):
        revocation.read(data.replace(old, new, 1), "revocation")


def test_P7_a_later_version_is_told() -> None:
    data = revocation.write(DECISION).replace(b"revocation/v1", b"revocation/v2")
    with pytest.raises(EvidenceError, match=r"revocation/v2.*expected.*revocation/v1") as e:
        revocation.read(data, "revocation")
    assert e.value.place == "predicateType"


def bundle(said: Revocation, by: LocalKey) -> bytes:
    return by.sign(revocation.write(said))


def view(decisions: Sequence[Record], *revocations: bytes, covered: Sequence[Entry] | None = None) -> View:
    """A store with these in its log, in this order, the revocations last; by the first key."""
    entries = [Entry(sha256=one.id, build=one.build.sha256) for one in decisions]
    entries += [Entry(sha256=hashlib.sha256(one).hexdigest()) for one in revocations]
    entries = list(entries if covered is None else covered)
    head = Head(
        sequence=1,
        entries=len(entries),
        segment=hashlib.sha256(segments(entries)[0]).hexdigest(),
        previous=None,
        time=NOW,
        time_source="self-declared",
    )
    return View(
        bundle=key().sign(write_head(head)),
        where="head",
        entries=tuple(entries),
        revocations={hashlib.sha256(one).hexdigest(): one for one in revocations},
    )


ACCEPTED = trusting(RELEASE, REVOKER, policy_digests=(POLICY,))


def judge(
    *records: Record, revoking: Sequence[bytes] = (), trust: Trust = ACCEPTED, seen: View | None = None, **more: Any
) -> VerificationResult:
    return verify_build(
        records,
        more.pop("subject", TARBALL),
        trust,
        now=NOW + HOUR,
        shipped_policy=POLICY,
        view=view(records, *revoking) if seen is None else seen,
        **more,
    )


def codes(result: VerificationResult) -> list[str]:
    assert result.accepted is (not result.reasons)
    return [one.code for one in result.reasons]


OLD, NEW = record(age=3 * HOUR), record(age=HOUR)


def test_P19_a_revoked_decision_is_refused_with_who_when_and_why() -> None:
    assert codes(judge(NEW)) == []
    made = bundle(replace(DECISION, decision=NEW.id), key(3))
    found = judge(NEW, revoking=[made])
    assert codes(found) == ["revoked"]
    said = found.reasons[0].message
    assert all(word in said for word in ("ann", "2026-11-20T12:00:00Z", "compromised runner"))
    assert [one.id for one in found.revoked] == [hashlib.sha256(made).hexdigest()]


def test_P19_a_revocation_that_is_dated_back_hits_what_it_names() -> None:
    """Whatever its date: it names this very decision."""
    made = bundle(replace(DECISION, decision=NEW.id, issued_at=NOW - 9 * HOUR), key(3))
    assert codes(judge(NEW, revoking=[made])) == ["revoked"]


def test_of_several_revocations_the_newest_is_the_reason_and_all_are_told() -> None:
    made = [
        replace(DECISION, decision=NEW.id, issued_at=NOW - hours * HOUR, reason=f"reason {hours}")
        for hours in (2, 0, 1)
    ]
    found = judge(NEW, revoking=[bundle(one, key(3)) for one in made])
    assert codes(found) == ["revoked"]
    assert "reason 0" in found.reasons[0].message
    assert [one.said.reason for one in found.revoked] == ["reason 0", "reason 1", "reason 2"]


def test_P19_a_revocation_beats_every_older_passed_on_the_same_artefact() -> None:
    """An older one does not take its place; nor does a newer one that is not newer than the revocation."""
    for which in (NEW, OLD):
        found = judge(OLD, NEW, revoking=[bundle(replace(DECISION, decision=which.id), key(3))])
        assert codes(found) == ["revoked"]


def test_a_decision_that_is_newer_than_the_revocation_stands() -> None:
    made = bundle(replace(DECISION, decision=OLD.id, issued_at=NOW - 2 * HOUR), key(3))
    assert codes(judge(OLD, NEW, revoking=[made])) == []


def test_P19_revoking_a_failed_lets_nothing_older_through() -> None:
    failed = record(age=2 * HOUR, verdict=Verdict.DENIED)
    found = judge(OLD, failed, revoking=[bundle(replace(DECISION, decision=failed.id), key(3))])
    assert "revoked" in codes(found)


def test_another_decision_s_revocation_changes_nothing() -> None:
    assert codes(judge(NEW, revoking=[bundle(DECISION, key(3))])) == []


@pytest.mark.parametrize(
    ("by", "signers", "counts"),
    [
        pytest.param(3, (RELEASE, REVOKER), True, id="a revoker"),
        pytest.param(1, (RELEASE,), True, id="who decided it"),
        pytest.param(2, (RELEASE, REVOKER), False, id="P21 a stranger"),
        pytest.param(
            2, (RELEASE, signer(key(2), name="b", roles=("approver", "facts", "policy"))), False, id="P21 another role"
        ),
        pytest.param(
            2, (RELEASE, signer(key(2), name="b", environments=("production",))), True, id="for its environment"
        ),
        pytest.param(
            2, (RELEASE, signer(key(2), name="b", environments=("staging",))), False, id="P20 for another environment"
        ),
        pytest.param(
            2,
            (RELEASE, signer(key(2), name="b", roles=("decision", "revoker"), environments=("staging",))),
            True,
            id="a revoker revokes for any environment",
        ),
    ],
)
def test_who_may_revoke(by: int, signers: tuple[Signer, ...], counts: bool) -> None:
    made = bundle(replace(DECISION, decision=NEW.id), key(by))
    found = judge(NEW, revoking=[made], trust=trusting(*signers, policy_digests=(POLICY,)))
    assert codes(found) == (["revoked"] if counts else [])
    if not counts and by == 2 and not any(one.key_id == key(2).key_id for one in signers):
        assert any("revocation" in note for note in found.notes)


def test_P21_a_forged_revocation_is_an_error() -> None:
    """It carries the revoker's name on bytes that she did not sign: altered, which is exit 2."""
    document = json.loads(bundle(replace(DECISION, decision=NEW.id), key(2)))
    document["verificationMaterial"] = json.loads(bundle(DECISION, key(3)))["verificationMaterial"]
    with pytest.raises(EvidenceError, match="altered"):
        judge(NEW, revoking=[json.dumps(document).encode()])


def test_only_the_demanded_workspace_of_a_commit_is_hit() -> None:
    web, api = (record(subject=COMMIT, workspace=name) for name in ("web", "api"))
    made = bundle(replace(DECISION, decision=api.id), key(3))
    assert codes(judge(web, api, revoking=[made], subject=COMMIT, workspace="web")) == []
    assert codes(judge(web, api, revoking=[made], subject=COMMIT, workspace="api")) == ["revoked"]


# --------------------------------------------------------------------------------------------------------------------
# All by one signer


def signed(one: Record, **changes: Any) -> Signed[Record]:
    found = signed_by(one, [RELEASE])
    assert isinstance(found, Signed)
    return replace(found, **changes)


def revoking(said: Revocation) -> tuple[SignedRevocation, bytes]:
    made = bundle(said, key(3))
    found = revocation.accepted(made, [REVOKER], "revocation")
    assert isinstance(found, SignedRevocation)
    return found, made


BEFORE, AFTER = record(age=6 * HOUR), record(age=4 * HOUR)


@pytest.mark.parametrize(
    ("one", "proved", "position", "hit"),
    [
        pytest.param(AFTER, None, "before", True, id="younger than the theft"),
        pytest.param(BEFORE, None, "before", False, id="older, and in the log before the revocation"),
        pytest.param(BEFORE, None, "after", True, id="claims to be older, and came into the log afterwards"),
        pytest.param(BEFORE, None, "nowhere", True, id="claims to be older, and is in no log"),
        pytest.param(BEFORE, NOW - 6 * HOUR, "nowhere", False, id="proved to be older"),
        pytest.param(BEFORE, NOW - 4 * HOUR, "before", True, id="claims to be older, and was signed later"),
        pytest.param(BEFORE, NOW - 5 * HOUR, "before", True, id="signed at that very time"),
    ],
)
def test_P17_from_a_time_on(one: Record, proved: Any, position: str, hit: bool) -> None:
    """Who stole a key can date back: what only his word vouches for must have been in the log already."""
    found, made = revoking(WIDE)
    mine, its = Entry(sha256=one.id, build=one.build.sha256), Entry(sha256=found.id)
    covered = {"before": [mine, its], "after": [its, mine], "nowhere": [its]}[position]
    assert hits(found, signed(one, signed_at=proved), view([], made, covered=covered)) is hit


def test_all_of_a_signer_s() -> None:
    found, made = revoking(replace(WIDE, signer=replace(THIEF, since=None)))
    assert hits(found, signed(BEFORE, signed_at=NOW - 100 * HOUR), view([BEFORE], made))


def test_another_signer_s_stand() -> None:
    found, made = revoking(WIDE)
    other = signed_by(record(key(2)), [signer(key(2))])
    assert isinstance(other, Signed)
    assert not hits(found, other, view([], made))


@pytest.mark.parametrize(
    ("entry", "certified", "hit"),
    [
        ("https://ci.example/release@refs/heads/main", None, True),
        ("https://ci.example/release@refs/heads/*", "https://ci.example/release@refs/heads/main", True),
        ("https://ci.example/release@refs/heads/*", "https://ci.example/release@refs/heads/other", False),
        ("https://ci.example/other@refs/heads/main", None, False),
    ],
)
def test_an_identity_is_the_trust_file_s_or_the_certificate_s(entry: str, certified: str | None, hit: bool) -> None:
    named = NAMED.signer
    assert named is not None
    by = Signer(
        name="ci", roles=("decision",), identity=AcceptedIdentity(issuer="https://issuer.example", identity=entry)
    )
    assert named.is_(by, certified) is hit
    other = replace(by, identity=AcceptedIdentity(issuer="https://other.example", identity=entry))
    assert not named.is_(other, certified)
    assert not named.is_(RELEASE, certified)


# --------------------------------------------------------------------------------------------------------------------
# The head, at deploy time

DEMANDING = replace(ACCEPTED, max_head_age_hours=2)


def test_P19_a_head_that_is_demanded_covers_the_decision() -> None:
    found = judge(OLD, NEW, trust=DEMANDING)
    assert codes(found) == []
    assert found.head is not None
    assert found.head.head.entries == 2


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(View(bundle=None, where="", entries=()), "no signed head", id="none"),
        pytest.param(view([OLD]), "does not cover", id="not covered"),
        pytest.param(
            replace(view([NEW]), bundle=key(2).sign(write_head(Head(
                sequence=1, entries=1, segment="ab" * 32, previous=None, time=NOW, time_source="self-declared",
            )))), "does not accept", id="by a stranger",
        ),
    ],
)  # fmt: skip
def test_P19_without_the_head_that_is_demanded_it_is_refused(seen: View, expected: str) -> None:
    found = judge(OLD, NEW, trust=DEMANDING, seen=seen)
    assert codes(found) == ["head"]
    assert expected in found.reasons[0].message
    found = judge(OLD, NEW, seen=seen)
    assert codes(found) == []


@pytest.mark.parametrize(("age", "expected"), [(timedelta(minutes=59), []), (2 * HOUR, ["head"])])
def test_P18_P19_a_head_that_is_too_old(age: timedelta, expected: list[str]) -> None:
    """The view's head is of an hour ago."""
    trust = replace(DEMANDING, max_head_age_hours=(HOUR + age).total_seconds() / 3600 if not expected else 0.5)
    assert codes(judge(NEW, trust=trust)) == expected


def test_P19_a_head_by_a_revoked_signer_does_not_do() -> None:
    """Who stole the key could sign a head that leaves out what he likes."""
    made = bundle(WIDE, key(3))
    found = judge(BEFORE, revoking=[made], trust=DEMANDING)
    assert codes(found) == ["head"]
    assert "stolen" in found.reasons[0].message
    found = judge(BEFORE, revoking=[made])
    assert codes(found) == []
    assert any("the store's head is by" in note for note in found.notes)


def test_P19_a_head_by_a_signer_of_whom_all_is_revoked_does_not_do() -> None:
    """From no time on: from always."""
    made = bundle(replace(WIDE, signer=replace(THIEF, since=None)), key(3))
    assert "head" in codes(judge(BEFORE, revoking=[made], trust=DEMANDING))


@pytest.mark.parametrize(
    "thief",
    [
        pytest.param(RevokedSigner(key_id=key(7).key_id), id="another key"),
        pytest.param(replace(THIEF, since=NOW + HOUR), id="from later on"),
        pytest.param(NAMED.signer, id="an identity"),
    ],
)
def test_a_head_stands_where_somebody_else_is_revoked(thief: RevokedSigner) -> None:
    made = bundle(replace(WIDE, signer=thief), key(3))
    assert codes(judge(BEFORE, revoking=[made], trust=DEMANDING)) == []


def test_P17_a_head_from_the_future() -> None:
    found = verify_build(
        [NEW], TARBALL, ACCEPTED, now=NOW - timedelta(minutes=10), shipped_policy=POLICY, view=view([NEW])
    )
    assert "head" in codes(found)


def test_P19_P36_a_decision_that_is_withheld_is_named() -> None:
    """Whatever the trust file demands: an accepted signer says that it was there."""
    failed = record(age=HOUR / 2, verdict=Verdict.DENIED)
    found = judge(NEW, seen=view([NEW, failed]))
    assert codes(found) == ["withheld"]
    assert failed.id in found.reasons[0].message
    assert codes(judge(NEW, failed, seen=view([NEW, failed]))) == ["failed"]
    assert codes(judge(seen=view([failed]))) == ["no-decision", "withheld"]


def test_P19_P36_a_revocation_that_is_withheld_is_named() -> None:
    made = bundle(DECISION, key(3))
    found = judge(NEW, seen=replace(view([NEW], made), revocations={}))
    assert codes(found) == ["withheld"]
    assert hashlib.sha256(made).hexdigest() in found.reasons[0].message


def test_what_was_removed_about_other_artefacts_is_not_asked() -> None:
    other = record(subject=COMMIT)
    assert codes(judge(NEW, seen=view([NEW, other]))) == []


@pytest.mark.parametrize(
    ("about_it", "is_lost", "expected"),
    [
        pytest.param(True, True, ["failed", "withheld"], id="of this decision"),
        pytest.param(True, False, ["failed"], id="that lies there"),
        pytest.param(False, True, ["failed"], id="of another one"),
    ],
)
def test_P32_P36_an_override_that_is_withheld_is_named(about_it: bool, is_lost: bool, expected: list[str]) -> None:
    """Who takes it away hides that a FAILED was deployed all the same."""
    failed = record(age=HOUR, verdict=Verdict.DENIED)
    override = Entry(sha256="ab" * 32, failed=failed.id if about_it else "cd" * 32)
    covered = [Entry(sha256=failed.id, build=failed.build.sha256), override]
    seen = replace(view([failed], covered=covered), lost=frozenset([override] if is_lost else []))
    found = judge(failed, seen=seen)
    assert codes(found) == expected
    assert [override.sha256 in one.message for one in found.reasons] == [False, True][: len(expected)]
