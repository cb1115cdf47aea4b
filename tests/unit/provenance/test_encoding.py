"""One spelling of each value, every other refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbomgate.provenance._encoding import decode_base64, decode_integer, decode_pem, decode_utf8_string, parse_json

PEM = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"


@given(data=st.binary(max_size=64))
def test_base64_round_trip(data: bytes) -> None:
    assert decode_base64(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize(
    "text",
    ["A", "AA", "AAA", "AA=", "AA==A", "AA===", "AAB=", "AB==", "A A=", "AA==\n", "-_==", "é===", 7, None, b"AA=="],
)
def test_base64_in_another_spelling_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_base64(text)


@pytest.mark.parametrize(("value", "expected"), [("0", 0), ("7", 7), (7, 7), (0, 0), (2**63 - 1, 2**63 - 1)])
def test_integers(value: object, expected: int) -> None:
    assert decode_integer(value) == expected


@pytest.mark.parametrize(
    "value", ["", "01", "+1", "-1", "1.0", "1e3", " 1", "1\n", "\u0661", "9" * 19, -1, 2**63, 1.0, True, None, [1]]
)
def test_integers_in_another_spelling_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="64-bit integer"):
        decode_integer(value)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'{"a": 1, "a": 1}', "'a' occurs twice"),
        (b'{"z": 0, "a": 1, "a": 1}', "'a' occurs twice"),
        (b'{"a": {"b": 1, "c": 2, "b": 1}}', "'b' occurs twice"),
        (b"[" * 300 + b"]" * 300, "nested too deeply"),
        (b'{"a": 18446744073709551616}', "more than 64 bits"),
        (b'{"a": -9223372036854775809}', "more than 64 bits"),
        (b'{"a": ' + b"9" * 100 + b"}", "more than 64 bits"),
        (b'{"a": 1' + b"0" * 300 + b"}", "more than 64 bits"),
        (b'{"a": -1' + b"0" * 300 + b"}", "more than 64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", "infinity"),
    ],
)
def test_json_with_two_meanings_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_json(document)


@given(value=st.recursive(st.none() | st.booleans() | st.text() | st.integers(-(2**63), 2**63 - 1), st.lists))
def test_json_round_trip(value: Any) -> None:
    import json

    try:
        document = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse_json(document) == value


@pytest.mark.parametrize(
    "text",
    [
        PEM.replace(b"PUBLIC KEY", b"CERTIFICATE"),
        PEM + PEM,
        b"text\n" + PEM,
        PEM + b"text",
        PEM.replace(b"AAAA", b"AAA"),
        PEM.replace(b"AAAA", b"AA AA"),
        PEM.replace(b"-----END PUBLIC", b"-----END PRIVATE"),
        PEM.replace(b"\n", b"\r\n"),
        b"",
        b"\xff",
    ],
)
def test_pem_other_than_one_block_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"PEM|base64"):
        decode_pem(text, "PUBLIC KEY")


def test_pem_with_or_without_a_last_newline() -> None:
    assert decode_pem(PEM, "PUBLIC KEY") == decode_pem(PEM.rstrip(), "PUBLIC KEY") == b"\0\0\0"


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 1000])
def test_utf8_string(length: int) -> None:
    from testkit._rfc3161 import der

    assert decode_utf8_string(der(0x0C, b"x" * length)) == "x" * length


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x0c",
        b"\x13\x01x",
        b"\x0c\x02x",
        b"\x0c\x01xx",
        b"\x0c\x81\x01x",
        b"\x0c\x82\x00\x01x",
        b"\x0c\x80x\0\0",
        b"\x0c\x81",
        b"\x0c\x82",
        b"\x0c\x82\x01",
        b"\x0c\x83\x80" + b"x" * 128,
        b"\x0c\x83\x01\x00" + b"x" * 256,
        b"\x0c\x83\x00\x00\x01x",
        b"\x0c\x01\xff",
    ],
)
def test_another_der_value_is_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode_utf8_string(encoded)
