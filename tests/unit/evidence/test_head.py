"""A store's head as a statement, and the segments of its log: one meaning or none (P1, P19, P36)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from sbomgate import dsse, resources
from sbomgate.errors import EvidenceError
from sbomgate.evidence import head as heads
from sbomgate.evidence.head import FIRST, Entry, Head, SignedHead
from sbomgate.signing.verify import NotAccepted, VerifiedStatement, verify
from testkit.evidence import NOW, key, signer

FIRST_HEAD = Head(
    sequence=1, entries=3, segment="ab" * 32, previous=None, time=NOW, time_source="self-declared", sbomgate="0.1.0"
)
LATER = replace(FIRST_HEAD, sequence=2, entries=300, previous="cd" * 32)
DECISION = Entry(sha256="1a" * 32, build="2b" * 32)
REVOCATION = Entry(sha256="3c" * 32)
OVERRIDE = Entry(sha256="4d" * 32, failed="1a" * 32)


def test_it_is_read_as_it_was_written() -> None:
    for head in (FIRST_HEAD, LATER):
        assert heads.read_head(heads.write_head(head), "head") == head
    assert json.loads(heads.write_head(LATER))["subject"] == [
        {"name": "log/000001/entries", "digest": {"sha256": "ab" * 32}}
    ]


def test_it_is_as_its_schema_says() -> None:
    schema = json.loads(resources.path("schemas", "store-head.schema.json").read_bytes())
    for head in (FIRST_HEAD, LATER):
        jsonschema.validate(json.loads(heads.write_head(head))["predicate"], schema)


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 0},
        {"sequence": True},
        {"entries": 0},
        {"entries": "3"},
        {"previous": "cd" * 32},
        {"sequence": 2},
        {"segment": "ab"},
        {"time_source": "the moon"},
        {"sbomgate": 1},
    ],
    ids=str,
)
def test_what_no_head_says_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError):
        heads.write_head(replace(FIRST_HEAD, **change))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"sequence":2', b'"sequence":2,"more":1'),
        (b'"sequence":2', b'"sequence":2.0'),
        (b'"sequence":2', b'"sequence":null'),
        (b'"entries":300', b'"entries":3'),
        (b'"entries":300', b'"entries":300,"entries":300'),
        (b'{"sha256":"cdcd', b'{"sha256":"CDcd'),
        (b"log/000001/entries", b"log/000000/entries"),
        (b"2026-11-20T12:00:00Z", b"2026-11-20T13:00:00+01:00"),
        (b"store-head/v1", b"store-head/v2"),
        (b'"_type"', b'"_Type"'),
    ],
    ids=str,
)
def test_P1_another_spelling_is_refused(old: bytes, new: bytes) -> None:
    data = heads.write_head(LATER)
    assert old in data
    with pytest.raises(EvidenceError):
        heads.read_head(data.replace(old, new, 1), "head")


def test_P21_who_may_sign_it() -> None:
    bundle = key().sign(heads.write_head(FIRST_HEAD))
    for role in ("decision", "revoker"):
        found = heads.accepted(bundle, [signer(key(), roles=(role,))], "head")
        assert isinstance(found, SignedHead)
        assert found.head == FIRST_HEAD
    for signers in ([], [signer(key(2))], [signer(key(), roles=("facts", "approver", "policy"))]):
        assert isinstance(heads.accepted(bundle, signers, "head"), NotAccepted)


def test_P17_a_key_cannot_claim_a_witnessed_time() -> None:
    bundle = key().sign(heads.write_head(replace(FIRST_HEAD, time_source="transparency-log")))
    with pytest.raises(EvidenceError, match="self-declared"):
        heads.accepted(bundle, [signer(key())], "head")


def test_another_statement_is_no_head() -> None:
    other = dsse.statement([("a", {"sha256": "ab" * 32})], "https://sbomgate.dev/decision/v1", {})
    with pytest.raises(EvidenceError, match="store-head"):
        heads.accepted(key().sign(other), [signer(key())], "head")


def test_a_segment_is_what_sha256sum_sees() -> None:
    entries = [replace(DECISION, sha256=f"{n:064x}") for n in range(heads.SEGMENT)] + [REVOCATION, OVERRIDE]
    segments = heads.segments(entries)
    assert list(segments) == [0, 1]
    assert segments[0].startswith(f"previous {FIRST}\ndecision {'2b' * 32} {0:064x}\n".encode())
    digest = hashlib.sha256(segments[0]).hexdigest()
    assert segments[1] == f"previous {digest}\nrevocation {'3c' * 32}\noverride {'1a' * 32} {'4d' * 32}\n".encode()
    read = [
        heads.read_entry(line, "log")
        for number, previous in ((0, FIRST), (1, digest))
        for line in heads.read_segment(segments[number], previous, "log")[1:]
    ]
    assert read == entries


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"previous " + b"0" * 64,
        f"previous {FIRST}\nrevocation {'3c' * 32}".encode(),
        b"previous " + b"0" * 63 + b"\n",
        b"previous " + b"1" * 64 + b"\n",
        b"\xff\xfe" + f"previous {FIRST}\n".encode("utf-16-le"),
        f"previous {FIRST}\r\n".encode(),
    ],
    ids=["empty", "no line", "cut", "cut after an entry", "short", "follows another", "UTF-16", "carriage return"],
)
def test_P1_what_is_no_segment(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        heads.read_segment(data, FIRST, "log")


@pytest.mark.parametrize(
    "line",
    ["", " ", "decision", f"decision {'2b' * 32}", f"decision {'2b' * 32}  {'1a' * 32}", f"revocation {'3C' * 32}",
     f"revocation {'3c' * 32} ", f"removal {'3c' * 32}", "decision ../../etc/passwd " + "1a" * 32],
)  # fmt: skip
def test_P1_what_is_no_entry(line: str) -> None:
    with pytest.raises(EvidenceError, match="no entry"):
        heads.read_entry(line, "log")


@pytest.mark.parametrize(("minutes", "counts"), [(0, True), (5, True), (6, False)])
def test_P17_a_head_from_after_its_signature(monkeypatch: pytest.MonkeyPatch, minutes: int, counts: bool) -> None:
    """The log or a timestamp authority saw the signature before the time that the head claims; clocks differ."""

    def timestamped(*arguments: Any, **settings: Any) -> VerifiedStatement:
        found = verify(*arguments, **settings)
        assert isinstance(found, VerifiedStatement)
        return replace(found, time=NOW - timedelta(minutes=minutes))

    monkeypatch.setattr(heads, "verify", timestamped)
    if counts:
        found = heads.accepted(key().sign(heads.write_head(FIRST_HEAD)), [signer(key())], "head")
        assert isinstance(found, SignedHead)
        assert found.signed_at == NOW - timedelta(minutes=minutes)
        return
    with pytest.raises(EvidenceError, match="after its signature"):
        heads.accepted(key().sign(heads.write_head(FIRST_HEAD)), [signer(key())], "head")
