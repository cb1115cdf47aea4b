"""Waivers and approvals: what counts, and the reason why another does not (P28, W01, W06, W11)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sbomgate import approvals, dsse, trust
from sbomgate.errors import EvidenceError
from sbomgate.model import AcceptedIdentity, Approval, Authors, People, Signer, Waiver
from sbomgate.signing import local_key
from sbomgate.signing.local_key import LocalKey
from testkit.sigstore import Stage, TestSigstore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHA = "ab" * 32
WAIVER = Waiver(
    rule="release_age",
    package=("axios", "1.14.1", "sha512-x"),
    fingerprint=None,
    project="https://example.test/shop",
    issued_at=NOW,
    until=NOW + timedelta(days=30),
    reason="fixes an advisory",
    advisory="GHSA-1",
)
APPROVAL = Approval(
    project="https://example.test/shop",
    change=SHA,
    findings=("cd" * 32, "ef" * 32),
    packages=(("axios", "1.14.1", "sha512-x"),),
    issued_at=NOW,
    until=NOW + timedelta(days=30),
    reason="read the diff",
)


@pytest.fixture
def key(tmp_path: Path) -> LocalKey:
    return local_key.generate(tmp_path / "ann.key")


def signer(key: LocalKey, roles: tuple[str, ...] = ("approver",)) -> Signer:
    return Signer(name="Ann", person="ann", roles=roles, public_key=key.public_key, key_id=key.key_id)


def accepted(key: LocalKey, data: bytes, *, roles: tuple[str, ...] = ("approver",)) -> People:
    who = replace(trust.NOBODY, signers=(signer(key, roles),))
    return approvals.accepted({"one": data}, who, now=NOW, authors=Authors())


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(WAIVER, id="waiver"),
        pytest.param(replace(WAIVER, package=None, fingerprint=SHA, advisory=None), id="waiver of one finding"),
        pytest.param(APPROVAL, id="approval"),
    ],
)
def test_what_an_approver_signed_counts(key: LocalKey, said: Waiver | Approval) -> None:
    data = key.sign(approvals.write(said))
    (one,) = accepted(key, data).signed
    assert one.said == said
    assert one.by == "ann"
    assert one.id == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(replace(WAIVER, until=NOW), "ends before it begins", id="W01 no duration"),
        pytest.param(replace(WAIVER, until=NOW + timedelta(days=91)), "longer than the 90 days", id="W01 too long"),
        pytest.param(
            replace(WAIVER, issued_at=NOW + timedelta(days=1), until=NOW + timedelta(days=80)),
            "which is after",
            id="issued ahead of its time",
        ),
        pytest.param(replace(WAIVER, rule="known_malicious"), "no waiver covers", id="P28 W07 known malicious"),
        pytest.param(replace(WAIVER, fingerprint=SHA), "exactly one", id="a package and a finding"),
        pytest.param(replace(WAIVER, package=None), "exactly one", id="neither a package nor a finding"),
        pytest.param(replace(WAIVER, reason=" "), "empty", id="no reason"),
        pytest.param(replace(WAIVER, package=None, fingerprint="abc"), "SHA-256", id="no fingerprint"),
        pytest.param(replace(APPROVAL, findings=("ef" * 32, "cd" * 32)), "sorted", id="findings not sorted"),
    ],
)
def test_what_does_not_count_says_why(key: LocalKey, said: Waiver | Approval, reason: str) -> None:
    people = accepted(key, key.sign(approvals.write(said)))
    assert people.signed == ()
    assert reason in people.refused[0][1]


def test_a_stranger_is_refused(key: LocalKey, tmp_path: Path) -> None:
    """W06"""
    other = local_key.generate(tmp_path / "other.key")
    people = accepted(key, other.sign(approvals.write(WAIVER)))
    assert people.signed == ()
    assert "does not accept" in people.refused[0][1]


def test_a_signer_of_decisions_is_no_approver(key: LocalKey) -> None:
    """W06"""
    people = accepted(key, key.sign(approvals.write(WAIVER)), roles=("decision", "facts"))
    assert people.signed == ()
    assert "not for approver" in people.refused[0][1]


def test_an_edited_waiver_is_refused(key: LocalKey) -> None:
    """W11"""
    bundle = json.loads(key.sign(approvals.write(WAIVER)))
    other = json.loads(key.sign(approvals.write(replace(WAIVER, package=("axios", "1.14.2", "sha512-y")))))
    bundle["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"]
    people = accepted(key, json.dumps(bundle).encode())
    assert people.signed == ()
    assert "altered" in people.refused[0][1]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff\xfe", b"[" * 10_000], ids=["empty", "no bundle", "UTF-16", "nested"]
)
def test_what_is_no_bundle_is_refused(key: LocalKey, data: bytes) -> None:
    assert accepted(key, data).signed == ()
    assert len(accepted(key, data).refused) == 1


def test_the_same_bundle_twice_counts_once(key: LocalKey) -> None:
    """P31"""
    data = key.sign(approvals.write(WAIVER))
    who = replace(trust.NOBODY, signers=(signer(key),))
    people = approvals.accepted({"a": data, "b": data}, who, now=NOW, authors=Authors())
    assert len(people.signed) == 1
    assert people.refused == (("b", "the same bundle is there twice"),)


def test_a_statement_of_another_kind_is_refused(key: LocalKey) -> None:
    payload = dsse.statement([("x", {"sha256": SHA})], "https://example.test/other", {})
    with pytest.raises(EvidenceError, match="expected a waiver or an approval"):
        approvals.read(payload, "here")


def test_a_field_too_many_is_refused() -> None:
    statement = json.loads(approvals.write(WAIVER))
    statement["predicate"]["also"] = "this"
    with pytest.raises(EvidenceError, match="altered"):
        approvals.read(json.dumps(statement, separators=(",", ":"), sort_keys=True).encode(), "here")


# --------------------------------------------------------------------------------------------------------------------
# Approvers without a key: sigstore vouches for who they are, and a log for when they signed

SIGSTORE = TestSigstore(NOW)
GOOGLE = "https://accounts.example.test"


def certified(said: Waiver | Approval, *, address: str = "ann@example.test", later: timedelta = timedelta(0)) -> bytes:
    """Return what a person signed whom our own sigstore certified."""
    oid = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
    stages: dict[Stage, Any] = {
        "payload": lambda _: approvals.write(said),
        "identity": lambda _: [x509.RFC822Name(address)],
        "claims": lambda claims: {key: GOOGLE for key in claims if key in (1, 8, "1", "8", *oid)},
    }
    bundle = SIGSTORE.provenance(
        "a", "1.0.0", "", repository="https://github.com/acme/shop", workflow="w.yml", time=NOW + later, mutate=stages,
        entry="dsse", proof="inclusion+SET",
    )  # fmt: skip
    return json.dumps(bundle).encode()


def people(data: bytes, **identity: Any) -> People:
    named = AcceptedIdentity(**{"issuer": GOOGLE, "identity": "ann@example.test", **identity})
    ann = Signer(
        name="Ann", person="ann", roles=("approver",), identity=named, trusted_root=SIGSTORE.trusted_root_json()
    )
    return approvals.accepted({"one": data}, replace(trust.NOBODY, signers=(ann,)), now=NOW, authors=Authors())


@pytest.mark.parametrize("said", [WAIVER, APPROVAL], ids=["waiver", "approval"])
def test_a_person_approves_without_a_key(said: Waiver | Approval) -> None:
    (one,) = people(certified(said)).signed
    assert (one.by, one.said) == ("ann", said)


@pytest.mark.parametrize(
    ("data", "identity", "reason"),
    [
        pytest.param(certified(WAIVER, address="eve@example.test"), {}, "does not accept", id="W06 a stranger"),
        pytest.param(certified(WAIVER), {"issuer": "https://other.test"}, "does not accept", id="another issuer"),
        pytest.param(certified(WAIVER, later=timedelta(hours=1)), {}, "signed at", id="dated back"),
        pytest.param(certified(WAIVER, later=-timedelta(days=40)), {}, "signed at", id="dated ahead, to last longer"),
    ],
)
def test_who_counts_is_who_the_certificate_names_and_when_is_when_it_was_logged(
    data: bytes, identity: dict[str, str], reason: str
) -> None:
    found = people(data, **identity)
    assert found.signed == ()
    assert reason in found.refused[0][1]


def test_a_certificate_of_another_sigstore_is_refused() -> None:
    """Anybody can run a Fulcio that writes any address."""
    ann = Signer(
        name="Ann", person="ann", roles=("approver",),
        identity=AcceptedIdentity(issuer=GOOGLE, identity="ann@example.test"),
        trusted_root=TestSigstore(NOW, seed="mallory").trusted_root_json(),
    )  # fmt: skip
    who = replace(trust.NOBODY, signers=(ann,))
    found = approvals.accepted({"one": certified(WAIVER)}, who, now=NOW, authors=Authors())
    assert found.signed == ()
    assert "does not hold" in found.refused[0][1]
