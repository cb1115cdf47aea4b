"""Envelopes, statements and bundles: one meaning or none, and the error names the place (P1, P7, P9)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from sbomgate import dsse
from sbomgate.errors import EvidenceError

Value = Any
Edit = Callable[[Value], Value]

STATEMENT: Value = {
    "_type": dsse.STATEMENT_TYPE,
    "subject": [{"name": "shop.tgz", "digest": {"sha256": "1f" * 32}}],
    "predicateType": "https://example.test/v1",
    "predicate": {"a": [{"b": 1}]},
}
PAYLOAD = json.dumps(STATEMENT).encode()
KEYED = json.loads(dsse.write_bundle(PAYLOAD, b"signature", "aGludA==", timestamps=[b"one", b"two"]))
CERTIFIED = json.loads(
    dsse.write_certified_bundle(PAYLOAD, b"signature", b"certificate", {"logIndex": "7"}, timestamps=[b"one"])
)
MATERIAL, ENVELOPE = "verificationMaterial", "dsseEnvelope"
STAMPS = (MATERIAL, "timestampVerificationData")
SIGNATURE = (ENVELOPE, "signatures", 0)


def put(*path: str | int, value: Value) -> Edit:
    """Return an edit that sets one place; without a path, the whole."""

    def edit(document: Value) -> Value:
        if not path:
            return value
        inner = document
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        return document

    return edit


def drop(*path: str | int) -> Edit:
    def edit(document: Value) -> Value:
        inner = document
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]
        return document

    return edit


def edited(document: Value, edit: Edit) -> bytes:
    return json.dumps(edit(json.loads(json.dumps(document)))).encode()


def test_the_signed_encoding_is_that_of_the_protocol() -> None:
    """The example of DSSE's own protocol.md."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == expected
    assert dsse.pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "  # lengths are those of bytes


def test_a_statement_is_canonical() -> None:
    """P38"""
    made = dsse.statement([("b", {"sha256": "00", "gitCommit": "11"}), ("a", {})], "t", {"z": 1, "a": 2})
    assert made == (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":2,"z":1},"predicateType":"t",'
        b'"subject":[{"digest":{"gitCommit":"11","sha256":"00"},"name":"b"},{"digest":{},"name":"a"}]}'
    )


def test_what_is_written_is_read() -> None:
    keyed = dsse.read_bundle(json.dumps(KEYED).encode(), "here")
    assert (keyed.payload, keyed.signature, keyed.hint, keyed.certificate) == (PAYLOAD, b"signature", "aGludA==", None)
    assert keyed.timestamps == (b"one", b"two")
    assert keyed.bundle == KEYED
    certified = dsse.read_bundle(json.dumps(CERTIFIED).encode(), "here")
    assert (certified.hint, certified.certificate, certified.timestamps) == (None, b"certificate", (b"one",))
    assert certified.bundle[MATERIAL]["tlogEntries"] == [{"logIndex": "7"}]
    unstamped = dsse.write_bundle(PAYLOAD, b"s", "h")
    assert STAMPS[1] not in json.loads(unstamped)[MATERIAL]
    assert dsse.read_bundle(unstamped, "here").timestamps == ()
    without = edited(KEYED, drop(*STAMPS, "rfc3161Timestamps"))
    assert dsse.read_bundle(without, "here").timestamps == ()
    unnamed = edited(KEYED, put(*SIGNATURE, "keyid", value=""))  # as some signers write "none"
    assert dsse.read_bundle(unnamed, "here").hint == "aGludA=="


REFUSED: dict[str, tuple[Value, Edit, str]] = {
    "no object": (KEYED, put(value=[]), ""),
    "no media type": (KEYED, drop("mediaType"), ""),
    "P7 another media type": (KEYED, put("mediaType", value=f"{dsse.BUNDLE_MEDIA_TYPE}1"), "mediaType"),
    "an unknown field": (KEYED, put("more", value=1), ""),
    "no material": (KEYED, drop(MATERIAL), ""),
    "material that is no object": (KEYED, put(MATERIAL, value=["certificate"]), MATERIAL),
    "material that is a number": (KEYED, put(MATERIAL, value=7), MATERIAL),
    "no signer": (KEYED, drop(MATERIAL, "publicKey"), MATERIAL),
    "a key, and a log entry that nobody verifies": (KEYED, put(MATERIAL, "tlogEntries", value=[]), MATERIAL),
    "a key, and a certificate": (KEYED, put(MATERIAL, "certificate", value=CERTIFIED[MATERIAL]["certificate"]),
                                 MATERIAL),
    "a certificate, and a key": (CERTIFIED, put(MATERIAL, "publicKey", value={"hint": "h"}), MATERIAL),
    "a key that is no object": (KEYED, put(MATERIAL, "publicKey", value="h"), f"{MATERIAL}.publicKey"),
    "a key without a hint": (KEYED, drop(MATERIAL, "publicKey", "hint"), f"{MATERIAL}.publicKey"),
    "an empty hint": (KEYED, put(MATERIAL, "publicKey", "hint", value=""), f"{MATERIAL}.publicKey.hint"),
    "a key beside its hint": (KEYED, put(MATERIAL, "publicKey", "rawBytes", value="aA=="), f"{MATERIAL}.publicKey"),
    "a certificate with more": (CERTIFIED, put(MATERIAL, "certificate", "more", value=1), f"{MATERIAL}.certificate"),
    "a certificate without bytes": (CERTIFIED, put(MATERIAL, "certificate", value={}), f"{MATERIAL}.certificate"),
    "a certificate that is not base64": (
        CERTIFIED, put(MATERIAL, "certificate", "rawBytes", value="?"), f"{MATERIAL}.certificate.rawBytes"),
    "no log entry": (CERTIFIED, drop(MATERIAL, "tlogEntries"), MATERIAL),
    "an empty log": (CERTIFIED, put(MATERIAL, "tlogEntries", value=[]), f"{MATERIAL}.tlogEntries"),
    "two log entries": (CERTIFIED, put(MATERIAL, "tlogEntries", value=[{}, {}]), f"{MATERIAL}.tlogEntries"),
    "a log entry that is in no list": (CERTIFIED, put(MATERIAL, "tlogEntries", value={"a": {}}),
                                       f"{MATERIAL}.tlogEntries"),
    "timestamps that are no object": (KEYED, put(*STAMPS, value=[]), ".".join(STAMPS)),
    "timestamps of another kind": (KEYED, put(*STAMPS, "rfc9999", value=[]), ".".join(STAMPS)),
    "timestamps in no list": (KEYED, put(*STAMPS, "rfc3161Timestamps", value={}),
                              f"{'.'.join(STAMPS)}.rfc3161Timestamps"),
    "P9 nine timestamps": (
        KEYED, put(*STAMPS, "rfc3161Timestamps", value=[{"signedTimestamp": "aA=="}] * 9),
        f"{'.'.join(STAMPS)}.rfc3161Timestamps"),
    "a timestamp with more": (
        KEYED, put(*STAMPS, "rfc3161Timestamps", 1, "more", value=1), f"{'.'.join(STAMPS)}.rfc3161Timestamps[1]"),
    "a timestamp that is not base64": (
        KEYED, put(*STAMPS, "rfc3161Timestamps", 1, "signedTimestamp", value="?"),
        f"{'.'.join(STAMPS)}.rfc3161Timestamps[1].signedTimestamp"),
    "no envelope": (KEYED, put(ENVELOPE, value=None), ENVELOPE),
    "an envelope with more": (KEYED, put(ENVELOPE, "more", value=1), ENVELOPE),
    "another kind of payload": (KEYED, put(ENVELOPE, "payloadType", value="text/plain"), f"{ENVELOPE}.payloadType"),
    "no signature": (KEYED, put(ENVELOPE, "signatures", value=[]), f"{ENVELOPE}.signatures"),
    "two signatures": (KEYED, put(ENVELOPE, "signatures", value=[{"sig": "aA=="}] * 2), f"{ENVELOPE}.signatures"),
    "signatures in no list": (KEYED, put(ENVELOPE, "signatures", value={"sig": "aA=="}), f"{ENVELOPE}.signatures"),
    "a signature that is no object": (KEYED, put(*SIGNATURE, value="aA=="), f"{ENVELOPE}.signatures[0]"),
    "a signature with more": (KEYED, put(*SIGNATURE, "cert", value="x"), f"{ENVELOPE}.signatures[0]"),
    "a key id": (KEYED, put(*SIGNATURE, "keyid", value="x"), f"{ENVELOPE}.signatures[0].keyid"),
    "a key id that is nothing": (KEYED, put(*SIGNATURE, "keyid", value=None), f"{ENVELOPE}.signatures[0].keyid"),
    "an empty signature": (KEYED, put(*SIGNATURE, "sig", value=""), f"{ENVELOPE}.signatures[0].sig"),
    "a payload that is no text": (KEYED, put(ENVELOPE, "payload", value=7), f"{ENVELOPE}.payload"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_P1_a_bundle_with_another_form_is_refused_at_its_place(name: str) -> None:
    document, edit, place = REFUSED[name]
    with pytest.raises(EvidenceError) as e:
        dsse.read_bundle(edited(document, edit), "here")
    assert (e.value.where, e.value.place) == ("here", place)


def test_P7_a_signer_in_another_form_is_said() -> None:
    with pytest.raises(EvidenceError, match="by a key or a certificate, this one carries x509CertificateChain"):
        dsse.read_bundle(edited(KEYED, put(MATERIAL, value={"x509CertificateChain": {}})), "here")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("YQ", id="no padding"),
        pytest.param("YR==", id="stray bits: a second spelling of the same byte"),
        pytest.param("YQ==\n", id="a line end"),
        pytest.param(" YQ==", id="a blank"),
        pytest.param("YWE-", id="the URL's alphabet"),
        pytest.param("YQ==YQ==", id="twice"),
        pytest.param("ÿQ==", id="not ASCII"),
    ],
)
def test_P1_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(EvidenceError, match="base64") as e:
        dsse.read_bundle(edited(KEYED, put(ENVELOPE, "payload", value=text)), "here")
    assert e.value.place == f"{ENVELOPE}.payload"


@pytest.mark.parametrize("read", [dsse.read_bundle, dsse.read_other_bundle])
def test_P9_a_bundle_has_a_limit(read: Callable[[bytes, str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps(KEYED).encode()
    monkeypatch.setattr(dsse, "MAX_BUNDLE_BYTES", len(data))
    read(data, "here")
    with pytest.raises(EvidenceError, match="limit"):
        read(data + b" ", "here")


def test_P9_eight_timestamps_are_read() -> None:
    stamps = [{"signedTimestamp": base64.b64encode(bytes([n])).decode()} for n in range(8)]
    data = edited(KEYED, put(*STAMPS, "rfc3161Timestamps", value=stamps))
    assert dsse.read_bundle(data, "here").timestamps == tuple(bytes([n]) for n in range(8))


# --------------------------------------------------------------------------------------------------------------------
# Bundles of others

CHAINED = json.loads(edited(CERTIFIED, drop(MATERIAL, "certificate")))
CHAINED[MATERIAL]["x509CertificateChain"] = {"certificates": [{"rawBytes": "YQ=="}, {"rawBytes": "Yg=="}]}


@pytest.mark.parametrize(
    ("document", "edit", "signer"),
    [
        (KEYED, put("more", value=1), ("aGludA==", None)),
        (KEYED, put(MATERIAL, "tlogEntries", value=[{}]), ("aGludA==", None)),
        (KEYED, put(MATERIAL, "publicKey", value={}), ("", None)),
        (KEYED, put(MATERIAL, "publicKey", "hint", value=7), ("", None)),
        (CERTIFIED, put(*SIGNATURE, "keyid", value="x"), (None, b"certificate")),
        (CHAINED, put("more", value=1), (None, b"a")),
        *((CHAINED, put("mediaType", value=one), (None, b"a")) for one in sorted(dsse.OTHER_MEDIA_TYPES)),
    ],
)
def test_what_others_write_beside_is_not_read(
    document: Value, edit: Edit, signer: tuple[str | None, bytes | None]
) -> None:
    found = dsse.read_other_bundle(edited(document, edit), "here")
    assert (found.payload, found.signature, found.hint, found.certificate) == (PAYLOAD, b"signature", *signer)
    assert found.timestamps == ((b"one", b"two") if document is KEYED else (b"one",))


@pytest.mark.parametrize(
    ("document", "edit", "place"),
    [
        pytest.param(KEYED, put(value=[]), "", id="no object"),
        pytest.param(KEYED, put("mediaType", value="application/json"), "mediaType", id="P7 another media type"),
        pytest.param(KEYED, drop("mediaType"), "mediaType", id="no media type"),
        pytest.param(KEYED, drop(MATERIAL), ENVELOPE, id="no material"),
        pytest.param(KEYED, drop(ENVELOPE), ENVELOPE, id="no envelope"),
        pytest.param(KEYED, put(ENVELOPE, value=[]), ENVELOPE, id="an envelope that is no object"),
        pytest.param(KEYED, put(ENVELOPE, "payloadType", value="a/b"), f"{ENVELOPE}.payloadType", id="another payload"),
        pytest.param(KEYED, put(ENVELOPE, "signatures", value=[]), f"{ENVELOPE}.signatures", id="no signature"),
        pytest.param(KEYED, put(ENVELOPE, "signatures", value={"sig": 1}), f"{ENVELOPE}.signatures", id="in no list"),
        pytest.param(
            KEYED, put(ENVELOPE, "signatures", value=[{"sig": "YQ=="}] * 2), f"{ENVELOPE}.signatures", id="two"
        ),
        pytest.param(KEYED, put(*SIGNATURE, value="YQ=="), f"{ENVELOPE}.signatures", id="no signature object"),
        pytest.param(KEYED, put(*SIGNATURE, "sig", value="YR=="), f"{ENVELOPE}.signatures[0].sig", id="stray bits"),
        pytest.param(KEYED, drop(ENVELOPE, "payload"), f"{ENVELOPE}.payload", id="no payload"),
        pytest.param(KEYED, drop(MATERIAL, "publicKey"), MATERIAL, id="no signer"),
        pytest.param(CHAINED, put(MATERIAL, "x509CertificateChain", value=[]), MATERIAL, id="a chain that is none"),
        pytest.param(
            CHAINED, put(MATERIAL, "x509CertificateChain", "certificates", value=[]), MATERIAL, id="an empty chain"
        ),
        pytest.param(
            CHAINED, put(MATERIAL, "x509CertificateChain", "certificates", value={"0": 1}), MATERIAL, id="no list"
        ),
        pytest.param(CERTIFIED, put(MATERIAL, "certificate", value="YQ=="), MATERIAL, id="a certificate of no object"),
        pytest.param(
            CERTIFIED, put(MATERIAL, "certificate", value={}), f"{MATERIAL}.certificate.rawBytes", id="without bytes"
        ),
        pytest.param(KEYED, put(*STAMPS, value=[]), ".".join(STAMPS), id="timestamps that are no object"),
    ],
)
def test_P1_a_bundle_of_others_is_one_signed_statement(document: Value, edit: Edit, place: str) -> None:
    with pytest.raises(EvidenceError) as e:
        dsse.read_other_bundle(edited(document, edit), "here")
    assert (e.value.where, e.value.place) == ("here", place)


def test_a_certificate_counts_before_a_chain() -> None:
    both = json.loads(edited(CHAINED, put(MATERIAL, "certificate", value={"rawBytes": "Yw=="})))
    assert dsse.certificate_of(both, "here") == b"c"
    lacking: list[Value] = [{}, {MATERIAL: 7}, {MATERIAL: {}}]
    for document in lacking:
        with pytest.raises(EvidenceError, match="no certificate"):
            dsse.certificate_of(document, "here")


@pytest.mark.parametrize("type_", [dsse.STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"])
def test_statements_of_others_have_two_versions(type_: str) -> None:
    data = edited(STATEMENT, put("_type", value=type_))
    assert dsse.read_other_statement(edited(json.loads(data), put("more", value=1)), "here")["more"] == 1


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        pytest.param(put(value=[]), "_type", id="no object"),
        pytest.param(put("_type", value="https://in-toto.io/Statement/v2"), "_type", id="P7 another version"),
        pytest.param(drop("predicateType"), "predicateType", id="no predicate type"),
        pytest.param(put("subject", value=[]), "subject", id="no subject"),
        pytest.param(put("subject", value={"name": "a"}), "subject", id="subjects in no list"),
        pytest.param(put("subject", 0, value="a"), "subject[0]", id="a subject that is no object"),
        pytest.param(drop("subject", 0, "digest"), "subject[0]", id="no digest"),
        pytest.param(put("subject", value=[STATEMENT["subject"][0], {}]), "subject[1]", id="the second has none"),
        pytest.param(put("predicate", value=None), "predicate", id="no predicate"),
    ],
)
def test_P1_a_statement_of_others_says_what_it_is_about(edit: Edit, place: str) -> None:
    with pytest.raises(EvidenceError) as e:
        dsse.read_other_statement(edited(STATEMENT, edit), "here")
    assert (e.value.where, e.value.place) == ("here", place)


# --------------------------------------------------------------------------------------------------------------------
# Files of bundles


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b'{"a":1}', [b'{"a":1}'], id="one"),
        pytest.param(b' \n{\n"a":1\n}\n', [b'{\n"a":1\n}'], id="one over several lines"),
        pytest.param(b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], id="two lines"),
        pytest.param(b'\n {"a":1} \r\n\n{"b":2}', [b'{"a":1}', b'{"b":2}'], id="two lines with blanks"),
        pytest.param(b' {"a":\n', [b'{"a":'], id="broken: one, whatever it is"),
        pytest.param(b"", [b""], id="nothing"),
    ],
)
def test_a_file_holds_one_bundle_or_a_line_for_each(data: bytes, expected: list[bytes]) -> None:
    assert dsse.split_lines(data) == expected


def test_a_payload_is_shown_where_there_is_one() -> None:
    assert dsse.payload_of(json.dumps(KEYED).encode()) == PAYLOAD
    for bad in (b"", b"[]", b"{}", b'{"dsseEnvelope":1}', edited(KEYED, put(ENVELOPE, "payload", value="Y Q=="))):
        assert dsse.payload_of(bad) == b""


# --------------------------------------------------------------------------------------------------------------------
# Our own statements


def test_a_statement_is_read() -> None:
    assert dsse.read_statement(PAYLOAD, "here") == STATEMENT
    dsse.read_statement(edited(STATEMENT, put("subject", 0, "digest", value={"gitCommit": "0123456789abcdef"})), "here")


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        pytest.param(put(value="x"), "", id="no object"),
        pytest.param(put("_type", value="https://in-toto.io/Statement/v0.1"), "_type", id="P7 another version"),
        pytest.param(put("more", value=1), "", id="an unknown field"),
        pytest.param(drop("predicate"), "", id="no predicate"),
        pytest.param(put("predicate", value=[]), "predicate", id="a predicate that is no object"),
        pytest.param(put("predicateType", value=""), "predicateType", id="an empty type"),
        pytest.param(put("predicateType", value=["a"]), "predicateType", id="a type that is no text"),
        pytest.param(put("subject", value=[]), "subject", id="no subject"),
        pytest.param(put("subject", value={"name": "a"}), "subject", id="subjects in no list"),
        pytest.param(put("subject", 0, value=None), "subject[0]", id="a subject that is no object"),
        pytest.param(put("subject", 0, "uri", value="x"), "subject[0]", id="a subject with more"),
        pytest.param(put("subject", 0, "name", value=""), "subject[0].name", id="a subject without a name"),
        pytest.param(put("subject", 0, "digest", value={}), "subject[0].digest", id="no digest"),
        pytest.param(put("subject", 0, "digest", value=["sha256"]), "subject[0].digest", id="a digest of no object"),
        pytest.param(put("subject", 0, "digest", "sha256", value=""), "subject[0].digest.sha256", id="an empty digest"),
        pytest.param(put("subject", 0, "digest", "sha256", value=7), "subject[0].digest.sha256", id="a number"),
        pytest.param(put("subject", 0, "digest", "sha256", value="1F"), "subject[0].digest.sha256", id="uppercase hex"),
        pytest.param(put("subject", 0, "digest", "md5", value="1g"), "subject[0].digest.md5", id="the second digest"),
    ],
)
def test_P1_a_statement_with_another_form_is_refused_at_its_place(edit: Edit, place: str) -> None:
    with pytest.raises(EvidenceError) as e:
        dsse.read_statement(edited(STATEMENT, edit), "here")
    assert (e.value.where, e.value.place) == ("here", place)


def test_P22_a_statement_is_what_its_content_is_written_as() -> None:
    assert dsse.exactly(b"[1]", "here", "decision", lambda: 1, lambda one: b"[%d]" % one) == 1
    with pytest.raises(EvidenceError, match="altered, or of another version"):
        dsse.exactly(b"[2]", "here", "decision", lambda: 1, lambda one: b"[%d]" % one)


@pytest.mark.parametrize("wrong", [KeyError, TypeError, ValueError, AttributeError, OverflowError])
@pytest.mark.parametrize("stage", ["read", "write"])
def test_P1_a_value_that_it_cannot_have_is_no_crash(wrong: type[Exception], stage: str) -> None:
    def fails(*_: object) -> Value:
        raise wrong("why")

    with pytest.raises(EvidenceError, match="not a decision of this version") as e:
        dsse.exactly(
            b"{}", "here", "decision", fails if stage == "read" else dict, fails if stage == "write" else lambda _: b""
        )
    assert (e.value.where, e.value.place) == ("here", "predicate")
    assert "why" in str(e.value)


@pytest.mark.parametrize(("given", "expected"), [("", "here"), ("there", "there")])
def test_an_error_of_the_reader_keeps_its_place(given: str, expected: str) -> None:
    def read() -> Value:
        raise EvidenceError("no", where=given, place="predicate.a")

    with pytest.raises(EvidenceError) as e:
        dsse.exactly(b"{}", "here", "decision", read, lambda _: b"")
    assert (e.value.where, e.value.place) == (expected, "predicate.a")


@pytest.mark.parametrize(
    ("got", "expected", "place"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, "b", id="a value"),
        pytest.param({"z": 1, "b": 2}, {"z": 2, "b": 3}, "b", id="the first by name"),
        pytest.param({"a": 1, "b": 2}, {"b": 2}, "a", id="one too many"),
        pytest.param({"b": 2}, {"a": None, "b": 2}, "a", id="one too few, even an empty one"),
        pytest.param({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "a[1].b", id="in a list"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, "a[1]", id="a longer list"),
        pytest.param({"a": [1]}, {"a": {"0": 1}}, "a", id="another kind"),
        pytest.param({"a": {"0": 1}}, {"a": [1]}, "a", id="another kind, the other way round"),
        pytest.param({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, "a.b.c", id="deep"),
    ],
)
def test_the_first_difference_is_named(got: Value, expected: Value, place: str) -> None:
    error = dsse.difference(json.dumps(got).encode(), json.dumps(expected).encode(), "here", "decision")
    assert (error.where, error.place) == ("here", place)


# --------------------------------------------------------------------------------------------------------------------
# Strict JSON


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{} {}", id="two documents"),
        pytest.param(b'{"a":1,"a":1}', id="a key twice"),
        pytest.param(b'[{"x":{"a":1,"b":2,"a":3}}]', id="a key twice, inside"),
        pytest.param(b"[NaN]", id="NaN"),
        pytest.param(b"[Infinity]", id="infinity"),
        pytest.param(b"[1e999]", id="a number that is infinite"),
        pytest.param(b'"\\ud800"', id="a lone surrogate"),
        pytest.param(b'"\xff"', id="bad UTF-8"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param("{}".encode("utf-16"), id="UTF-16"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep"),
    ],
)
def test_P1_json_has_one_meaning(data: bytes) -> None:
    with pytest.raises(EvidenceError) as e:
        dsse.loads(data, "here")
    assert e.value.where == "here"


def test_a_key_twice_is_named() -> None:
    with pytest.raises(EvidenceError, match="'b' is there twice"):
        dsse.loads(b'{"a":1,"b":2,"b":3}', "here")


def test_an_object_has_its_fields_and_no_others() -> None:
    assert dsse.fields({"a": 1, "b": 2}, "here", "x", {"a"}, {"b", "c"}) == {"a": 1, "b": 2}
    for value, says in (([], "object"), ({"b": 1}, "lacks a"), ({"a": 1, "d": 1, "e": 2}, "unknown fields: d, e")):
        with pytest.raises(EvidenceError, match=says) as e:
            dsse.fields(value, "here", "x", {"a"}, {"b"})
        assert (e.value.where, e.value.place) == ("here", "x")


@pytest.mark.parametrize(("value", "expected"), [("b", "a"), (True, 1), (1, True), (1.0, 1), (None, "a"), (["a"], "a")])
def test_one_value_of_one_type(value: Value, expected: Value) -> None:
    dsse.expect(expected, expected, "here", "x")
    with pytest.raises(EvidenceError) as e:
        dsse.expect(value, expected, "here", "x")
    assert (e.value.where, e.value.place) == ("here", "x")
