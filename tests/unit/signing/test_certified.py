"""Evidence that a certificate's holder signed: accepted by identity, by the numbered steps, and bound to its time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from sbomgate import decision, dsse, model
from sbomgate.errors import EvidenceError
from sbomgate.evidence.head import Entry, Head, View, segments, write_head
from sbomgate.evidence.record import Record
from sbomgate.evidence.verify import Signed, in_future, signed_by, verify_build
from sbomgate.model import LOGGED, TIMESTAMPED, AcceptedIdentity, Signer
from sbomgate.provenance import evidence as provenance
from sbomgate.signing.verify import NotAccepted, VerifiedStatement, verify, verify_other
from testkit import evidence
from testkit._rfc3161 import timestamp_response
from testkit.evidence import NOW, POLICY, TARBALL, key, signer, trusting
from testkit.sigstore import GITHUB, Stage, TestSigstore

SIGSTORE = TestSigstore(NOW)
IDENTITY = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"https://example.test/v1",' + (
    b'"subject":[{"digest":{"sha256":"' + b"1f" * 32 + b'"},"name":"a"}]}'
)
ROOT = SIGSTORE.trusted_root_json()
KINDS: dict[str, dict[str, Any]] = {
    LOGGED: {"entry": "dsse", "proof": "inclusion+SET"},
    TIMESTAMPED: {"entry": "hashedrekord", "proof": "inclusion"},
}


@dataclass(frozen=True)
class Minted:
    """A `signing.Signer` by our own test sigstore, at a time of its own choice."""

    time_source: str = TIMESTAMPED
    later: timedelta = timedelta(0)
    workflow: str = ".github/workflows/release.yml"
    identity: str = "test sigstore"
    is_remote: bool = True

    def may_be(self, signer: model.Signer) -> bool:
        return signer.identity is not None

    def sign(self, statement: bytes) -> bytes:
        stages: dict[Stage, Any] = {"payload": lambda _: statement}
        bundle = SIGSTORE.provenance(
            "a", "1.0.0", "", repository="https://github.com/acme/shop", workflow=self.workflow,
            time=NOW + self.later, mutate=stages, **KINDS[self.time_source],
        )  # fmt: skip
        return json.dumps(bundle).encode()


def accepted(name: str = "release workflow", **changes: Any) -> Signer:
    identity = AcceptedIdentity(issuer=GITHUB, identity=IDENTITY)
    return Signer(**{"name": name, "roles": ("decision",), "identity": identity, "trusted_root": ROOT, **changes})


@pytest.mark.parametrize("source", KINDS)
def test_an_accepted_identity_gives_the_statement_and_its_time(source: str) -> None:
    found = verify(Minted(source).sign(STATEMENT), [signer(key()), accepted()], role="decision")
    assert isinstance(found, VerifiedStatement)
    assert (found.payload, found.signer.name) == (STATEMENT, "release workflow")
    assert (found.time_source, found.time) == (source, NOW)
    assert found.claims is not None
    assert found.claims.identity == IDENTITY


def test_nobody_else_counts() -> None:
    bundle = Minted().sign(STATEMENT)
    for signers in ([], [signer(key())], [accepted(identity=AcceptedIdentity(issuer=GITHUB, identity="x@y.example"))]):
        assert isinstance(verify(bundle, signers, role="decision"), NotAccepted)
    assert isinstance(verify(bundle, [accepted()], role="facts"), NotAccepted)
    stranger = Minted(workflow=".github/workflows/test.yml").sign(STATEMENT)
    found = verify(stranger, [accepted()], role="decision")
    assert isinstance(found, NotAccepted)
    assert "test.yml" in found.reason


def test_an_identity_that_another_sigstore_certified_is_an_error() -> None:
    """Anybody can run a Fulcio that writes any name: the name alone is worth nothing."""
    foreign = TestSigstore(NOW, seed="mallory").trusted_root_json()
    with pytest.raises(EvidenceError, match="step 3"):
        verify(Minted().sign(STATEMENT), [accepted(trusted_root=foreign)], role="decision")
    with pytest.raises(EvidenceError, match="step 3"):
        verify(Minted().sign(STATEMENT), [accepted(trusted_root=None)], role="decision")


def without(name: str, bundle: dict[str, Any]) -> None:
    del bundle["verificationMaterial"][name]


DAMAGES: dict[str, Any] = {
    "no log entry": lambda b: without("tlogEntries", b),
    "empty log entries": lambda b: b["verificationMaterial"].update(tlogEntries=[]),
    "two log entries": lambda b: b["verificationMaterial"].update(
        tlogEntries=b["verificationMaterial"]["tlogEntries"] * 2
    ),
    "no timestamp": lambda b: without("timestampVerificationData", b),
    "no certificate": lambda b: without("certificate", b),
    "a key beside it": lambda b: b["verificationMaterial"].update(publicKey={"hint": "x"}),
    "a chain": lambda b: b["verificationMaterial"].update(x509CertificateChain={}),
    "an empty certificate": lambda b: b["verificationMaterial"].update(certificate={"rawBytes": ""}),
    "a version that is not known": lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json"),
    "an unknown field": lambda b: b["verificationMaterial"].update(more=1),
    "nine timestamps": lambda b: b["verificationMaterial"]["timestampVerificationData"].update(
        rfc3161Timestamps=b["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"] * 9
    ),
    "a key id": lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid="x"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_incomplete_or_unknown_does_not_count(name: str) -> None:
    bundle = json.loads(Minted().sign(STATEMENT))
    DAMAGES[name](bundle)
    with pytest.raises(EvidenceError):
        verify(json.dumps(bundle).encode(), [accepted()], role="decision")


def test_a_certificate_that_cannot_be_read_is_a_strangers() -> None:
    bundle = json.loads(Minted().sign(STATEMENT))
    bundle["verificationMaterial"]["certificate"]["rawBytes"] = "AAAA"
    assert isinstance(verify(json.dumps(bundle).encode(), [accepted()], role="decision"), NotAccepted)


# --------------------------------------------------------------------------------------------------------------------
# Decisions


def record(by: Minted, **changes: Any) -> Record:
    made = evidence.decision(**{"time_source": by.time_source, **changes})
    detail = by.sign(decision.write_detail(made))
    summary = decision.write_summary(made, detail)
    assert summary is not None
    return Record(detail=detail, summary=by.sign(summary), blobs={n: d for n, (_, d) in evidence.BLOBS.items()})


@pytest.mark.parametrize("source", KINDS)
def test_a_decision_by_identity_is_accepted(source: str) -> None:
    found = verify_build([record(Minted(source))], TARBALL, trusting(accepted()), now=NOW, shipped_policy=POLICY)
    assert found.accepted, found.reasons
    assert found.deciding is not None
    assert (found.deciding.time_source, found.deciding.signed_at) == (source, NOW)


def test_P34_what_was_signed_later_keeps_the_time_of_the_decision() -> None:
    late = record(Minted(later=timedelta(days=2)), age=timedelta(hours=1))
    now = NOW + timedelta(days=2)
    found = verify_build([late], TARBALL, trusting(accepted()), now=now, shipped_policy=POLICY)
    assert found.accepted
    assert found.deciding is not None
    assert found.deciding.time == NOW - timedelta(hours=1)
    assert found.deciding.signed_at == now
    # The age counts from the decision: a late signature makes nothing fresher.
    old = verify_build([late], TARBALL, trusting(accepted(), max_age_hours=24), now=now, shipped_policy=POLICY)
    assert [r.code for r in old.reasons] == ["age"]


def test_P17_a_decision_cannot_be_newer_than_its_signature() -> None:
    ahead = record(Minted(), age=-timedelta(minutes=6))
    with pytest.raises(EvidenceError, match="signed before"):
        signed_by(ahead, [accepted()])
    signed_by(record(Minted(), age=-timedelta(minutes=4)), [accepted()])


def test_P17_a_signature_from_the_future_is_refused() -> None:
    found = signed_by(record(Minted(later=timedelta(minutes=6))), [accepted()])
    assert not hasattr(found, "code"), found
    assert in_future(found, NOW)


def test_P17_what_is_signed_in_two_parts_is_signed_when_the_second_is() -> None:
    """The later of the two times is the one that may lie in the future, or after a revocation."""
    made = evidence.decision(time_source=TIMESTAMPED)
    detail = Minted().sign(decision.write_detail(made))
    summary = decision.write_summary(made, detail)
    assert summary is not None
    for later in (timedelta(minutes=6), -timedelta(minutes=6)):
        signed = Minted(later=later).sign(summary)
        both = Record(detail=detail, summary=signed, blobs={n: d for n, (_, d) in evidence.BLOBS.items()})
        found = signed_by(both, [accepted()])
        assert isinstance(found, Signed), found
        assert found.signed_at == max(NOW, NOW + later)
        assert in_future(found, NOW) is (later > timedelta(0))


def test_P17_a_head_that_is_signed_in_the_future() -> None:
    """It claims an earlier time than its timestamp proves."""
    entry = Entry(sha256="ab" * 32)
    head = Head(
        sequence=1, entries=1, segment=hashlib.sha256(segments([entry])[0]).hexdigest(), previous=None, time=NOW,
        time_source=TIMESTAMPED,
    )  # fmt: skip
    for later, expected in ((timedelta(minutes=6), ["head"]), (timedelta(minutes=5), [])):
        view = View(
            bundle=Minted(later=later).sign(write_head(head)), where="head", entries=(entry,),
            revocations={"ab" * 32: key(9).sign(STATEMENT)},
        )  # fmt: skip
        found = verify_build(
            [record(Minted())], TARBALL, trusting(accepted()), now=NOW, shipped_policy=POLICY, view=view
        )
        assert [one.code for one in found.reasons] == expected


def test_P17_the_time_source_is_what_the_signature_proves() -> None:
    for claimed, proved in ((LOGGED, TIMESTAMPED), (TIMESTAMPED, LOGGED), ("self-declared", TIMESTAMPED)):
        with pytest.raises(EvidenceError, match="proves"):
            signed_by(record(Minted(proved), time_source=claimed), [accepted()])


def test_detail_and_summary_by_two_identities_do_not_count() -> None:
    other = AcceptedIdentity(issuer=GITHUB, identity=IDENTITY.replace("release.yml", "test.yml"))
    signers = [accepted(), accepted("the tests", identity=other)]
    made = evidence.decision(time_source=TIMESTAMPED)
    detail = Minted().sign(decision.write_detail(made))
    summary = decision.write_summary(made, detail)
    assert summary is not None
    mixed = Record(
        detail=detail,
        summary=Minted(workflow=".github/workflows/test.yml").sign(summary),
        blobs={n: d for n, (_, d) in evidence.BLOBS.items()},
    )
    found = signed_by(mixed, signers)
    assert getattr(found, "code", None) == "signer"


# --------------------------------------------------------------------------------------------------------------------
# A key's signature, with timestamps on it

KEY_SIGNED = dsse.read_bundle(key().sign(STATEMENT), "bundle")
BY_KEY = signer(key(), trusted_root=ROOT)
ELSEWHERE = TestSigstore(NOW, seed="another authority")


def seen(at: timedelta = timedelta(0), *, over: bytes = KEY_SIGNED.signature, by: TestSigstore = SIGSTORE) -> bytes:
    """An authority's word that it saw a signature."""
    return timestamp_response(over, NOW + at, by.tsa_key, by.tsa)


def stamped(*timestamps: bytes) -> bytes:
    return dsse.write_bundle(STATEMENT, KEY_SIGNED.signature, KEY_SIGNED.hint or "", timestamps=timestamps)


def test_P17_timestamps_prove_the_time_of_a_keys_signature() -> None:
    """Of several the latest: before that nobody had seen all of it."""
    for timestamps in ([seen()], [seen(), seen(-timedelta(hours=1))]):
        found = verify(stamped(*timestamps), [BY_KEY], role="decision")
        assert isinstance(found, VerifiedStatement)
        assert (found.time_source, found.time) == (TIMESTAMPED, NOW)


@pytest.mark.parametrize(
    "timestamps",
    [
        pytest.param([seen(over=b"other bytes")], id="over another signature"),
        pytest.param([seen(by=ELSEWHERE)], id="by an authority that nobody accepts"),
        pytest.param([seen(), seen(over=b"other bytes")], id="one of two does not hold"),
        pytest.param([b"\x30\x00"], id="none at all"),
    ],
)
def test_P17_a_timestamp_that_does_not_hold_is_an_error(timestamps: list[bytes]) -> None:
    with pytest.raises(EvidenceError, match="step 4b") as e:
        verify(stamped(*timestamps), [BY_KEY], role="decision")
    assert e.value.place == "verificationMaterial.timestampVerificationData"


@pytest.mark.parametrize("part", ["claims", "payload"])
def test_P10_what_is_read_in_two_ways_is_an_error(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom the certificate names, and what was signed, is read twice: before the steps and by them."""
    real = provenance.verify_certified

    def other(*arguments: Any) -> Any:
        proved = real(*arguments)
        if part == "payload":
            return replace(proved, payload=b"{}")
        return replace(proved, claims=replace(proved.claims, commit="cd" * 20))

    bundle = Minted().sign(STATEMENT)
    assert isinstance(verify(bundle, [accepted()], role="decision"), VerifiedStatement)
    monkeypatch.setattr(provenance, "verify_certified", other)
    with pytest.raises(EvidenceError, match="two ways"):
        verify(bundle, [accepted()], role="decision")


def test_P21_a_key_that_another_tool_names_in_its_own_way() -> None:
    """Every accepted key is tried, and an identity has none."""
    bundle = dsse.write_bundle(STATEMENT, KEY_SIGNED.signature, "whatever")
    found = verify_other(bundle, [accepted(), signer(key(2), name="other"), signer(key())])
    assert isinstance(found, VerifiedStatement)
    assert found.signer == signer(key())
    for signers in ([accepted()], [signer(key(2))], []):
        assert isinstance(verify_other(bundle, signers), NotAccepted)
