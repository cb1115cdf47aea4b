"""A bundle counts only by an accepted key, in its role, over exactly the bytes that are then read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sbomgate import dsse
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.model import AcceptedIdentity, Signer
from sbomgate.signing.local_key import LocalKey, hint
from sbomgate.signing.verify import NotAccepted, VerifiedStatement, verify
from testkit.evidence import key, signer

STATEMENT = dsse.statement([("a", {"sha256": "1f" * 32})], "https://example.test/v1", {"answer": 42})
BUNDLE = key().sign(STATEMENT)


def test_an_accepted_signature_gives_the_statement() -> None:
    found = verify(BUNDLE, [signer(key(2), name="other"), signer(key())], role="decision")
    assert isinstance(found, VerifiedStatement)
    assert found.payload == STATEMENT
    assert found.statement["predicate"] == {"answer": 42}
    assert found.signer.name == "release key"
    assert found.time_source == "self-declared"


@pytest.mark.parametrize(
    ("signers", "role"),
    [
        pytest.param([], "decision", id="P21 nobody is accepted by default"),
        pytest.param([signer(key(2))], "decision", id="another key"),
        pytest.param([signer(key(), roles=("facts",))], "decision", id="facts signer decides"),
        pytest.param([signer(key(), roles=("decision",))], "facts", id="decision signer records facts"),
    ],
)
def test_nobody_else_counts(signers: list[Signer], role: str) -> None:
    assert isinstance(verify(BUNDLE, signers, role=role), NotAccepted)


def test_a_trust_file_whose_key_is_wrong_is_an_error() -> None:
    with pytest.raises(TrustError):
        verify(BUNDLE, [Signer(name="x", roles=("decision",), public_key="-", key_id=key().key_id)], role="decision")
    with pytest.raises(TrustError):
        verify(
            BUNDLE,
            [Signer(name="x", roles=("decision",), public_key=key(2).public_key, key_id=key().key_id)],
            role="decision",
        )


def test_a_key_is_found_beside_identities_and_a_stranger_is_named() -> None:
    person = Signer(name="ann", roles=("decision",), identity=AcceptedIdentity(issuer="https://a", identity="a@b.c"))
    assert isinstance(verify(BUNDLE, [person, signer(key())], role="decision"), VerifiedStatement)
    found = verify(BUNDLE, [person], role="decision")
    assert isinstance(found, NotAccepted)
    assert json.loads(BUNDLE)["verificationMaterial"]["publicKey"]["hint"] in found.reason


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        pytest.param(ed25519.Ed25519PrivateKey.from_private_bytes(b"7" * 32), True, id="Ed25519"),
        pytest.param(ec.derive_private_key(5, ec.SECP256R1()), True, id="P-256"),
        pytest.param(ec.derive_private_key(5, ec.SECP384R1()), False, id="P-384"),
        pytest.param(rsa.generate_private_key(65537, 2048), False, id="RSA"),
    ],
)
def test_P21_two_kinds_of_key(made: Any, counts: bool) -> None:
    """Whatever names another kind, with an id that fits."""
    local = LocalKey(made)
    named = signer(local)
    data = dsse.write_bundle(STATEMENT, b"x", hint(local.key_id)) if not counts else local.sign(STATEMENT)
    if counts:
        assert isinstance(verify(data, [named], role="decision"), VerifiedStatement)
    else:
        with pytest.raises(TrustError, match="neither ECDSA P-256 nor Ed25519"):
            verify(data, [named], role="decision")


def test_no_single_flipped_bit_of_a_bundle_counts() -> None:
    """Every byte of the bundle, three ways each."""
    for position in range(len(BUNDLE)):
        for mask in (0x01, 0x20, 0x80):
            damaged = bytearray(BUNDLE)
            damaged[position] ^= mask
            try:
                found = verify(bytes(damaged), [signer(key())], role="decision")
            except EvidenceError:
                continue
            assert isinstance(found, NotAccepted), position


def edited(change: Callable[[Any], object]) -> bytes:
    document = json.loads(BUNDLE)
    change(document)
    return json.dumps(document).encode()


SIGNATURE = json.loads(BUNDLE)["dsseEnvelope"]["signatures"][0]
PAYLOAD = json.loads(BUNDLE)["dsseEnvelope"]["payload"]


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(BUNDLE[:-1], id="truncated"),
        pytest.param(b"\xef\xbb\xbf" + BUNDLE, id="byte order mark"),
        pytest.param(BUNDLE.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(BUNDLE.replace(b'"mediaType":', b'"mediaType":"x","mediaType":'), id="P1 duplicate key"),
        pytest.param(
            edited(lambda d: d.update(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json")), id="P7 version"
        ),
        pytest.param(edited(lambda d: d.update(extra=1)), id="unknown field"),
        pytest.param(edited(lambda d: d["dsseEnvelope"].update(signatures=[])), id="no signature"),
        pytest.param(
            edited(lambda d: d["dsseEnvelope"].update(signatures=[SIGNATURE, SIGNATURE])), id="two signatures"
        ),
        pytest.param(edited(lambda d: d["dsseEnvelope"].update(signatures={"sig": 1})), id="signatures no list"),
        pytest.param(edited(lambda d: d["dsseEnvelope"].update(payloadType="text/plain")), id="payload type"),
        pytest.param(edited(lambda d: d["dsseEnvelope"].update(payload=PAYLOAD + "\n")), id="base64 with newline"),
        pytest.param(edited(lambda d: d["dsseEnvelope"].update(payload=PAYLOAD.rstrip("=") + "=A")), id="bad base64"),
        pytest.param(edited(lambda d: d["dsseEnvelope"].update(payload=7)), id="payload a number"),
        pytest.param(edited(lambda d: d["dsseEnvelope"].update(payload="")), id="payload empty"),
        pytest.param(edited(lambda d: d["dsseEnvelope"]["signatures"][0].update(keyid="x")), id="another keyid"),
        pytest.param(
            edited(lambda d: d["dsseEnvelope"]["signatures"][0].update(cert="x")), id="certificate in signature"
        ),
        pytest.param(edited(lambda d: d["verificationMaterial"].update(tlogEntries=[{}])), id="unverified log entry"),
        pytest.param(
            edited(lambda d: d.update(verificationMaterial={"certificate": {"rawBytes": ""}})), id="certificate"
        ),
        pytest.param(edited(lambda d: d.update(verificationMaterial=None)), id="no material"),
        pytest.param(key().sign(b"not json"), id="signed nonsense"),
        pytest.param(key().sign(b"{}"), id="signed empty object"),
        pytest.param(key().sign(STATEMENT.replace(b"Statement/v1", b"Statement/v9")), id="signed other version"),
        pytest.param(
            key().sign(b'{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x","subject":[]}'),
            id="signed without subject",
        ),
        pytest.param(
            key().sign(dsse.statement([("a", {})], "x", {})),
            id="signed subject without digest",
        ),
        pytest.param(key().sign(dsse.statement([("a", {"sha256": "AB"})], "x", {})), id="signed uppercase digest"),
        pytest.param(
            key().sign(STATEMENT.replace(b'"predicate":', b'"predicate":{},"predicate":')), id="signed duplicate"
        ),
        pytest.param(key().sign(dsse.statement([("a", {"sha256": "ab"})], "x", [])), id="signed predicate a list"),
    ],
)
def test_P1_what_has_no_single_meaning_is_an_error(bundle: bytes) -> None:
    with pytest.raises(EvidenceError) as e:
        verify(bundle, [signer(key())], role="decision", where="here")
    assert e.value.where == "here"


def test_unused_bits_of_base64_are_not_free() -> None:
    """Two texts that decode to the same bytes: only the canonical one is read."""
    statement = next(STATEMENT[:-1] + b" " * n + b"}" for n in range(3) if len(STATEMENT + b" " * n) % 3 == 1)
    document = json.loads(key().sign(statement))
    payload = document["dsseEnvelope"]["payload"]
    assert payload.endswith("==")
    document["dsseEnvelope"]["payload"] = payload[:-3] + chr(ord(payload[-3]) + 1) + "=="
    assert base64.b64decode(document["dsseEnvelope"]["payload"]) == statement
    with pytest.raises(EvidenceError, match="canonical"):
        verify(json.dumps(document).encode(), [signer(key())], role="decision")
