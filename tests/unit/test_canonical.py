from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbomgate import canonical


class Word(StrEnum):
    GOOD = "good"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"b": 1, "a": [True, None, "x"]}, '{"a":[true,null,"x"],"b":1}', id="sorted, no blanks"),
        pytest.param({}, "{}", id="empty object"),
        pytest.param([], "[]", id="empty array"),
        pytest.param([{}, [], 0.5], "[{},[],0.5]", id="empty ones beside a fraction"),
        pytest.param("é\u2028😀", '"é\u2028😀"', id="no escapes but the needed"),
        pytest.param(
            '\x00\b\t\n\f\r"\\/\x7f', '"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\x7f"', id="the needed escapes of RFC 8785"
        ),
        pytest.param((1, 2), "[1,2]", id="tuple"),
        pytest.param({"k": Word.GOOD}, '{"k":"good"}', id="a str subclass is its text"),
        pytest.param([1.5, Word.GOOD], '[1.5,"good"]', id="the same beside a fraction"),
        pytest.param(True, "true", id="bool is no integer"),
        pytest.param([True, 0.5], "[true,0.5]", id="bool beside a fraction"),
        # RFC 8785, 3.2.2.3 and its appendix B
        pytest.param(0.0, "0", id="zero"),
        pytest.param(-0.0, "0", id="minus zero"),
        pytest.param(5e-324, "5e-324", id="smallest double"),
        pytest.param(9007199254740992.0, "9007199254740992", id="2^53"),
        pytest.param(295147905179352830000.0, "295147905179352830000", id="2^68 as a double"),
        pytest.param(
            9.999999999999997e22, "99999999999999970000000", id="integral: all digits (RFC 8785 has an exponent)"
        ),
        pytest.param(333333333.33333329, "333333333.3333333", id="shortest double"),
        pytest.param(1e-6, "0.000001", id="six zeros"),
        pytest.param(1e-7, "1e-7", id="seven zeros"),
        pytest.param(-1.25e-9, "-1.25e-9", id="exponent with a fraction"),
        # exact decimals: as OPA spells them, whatever the spelling
        pytest.param(Decimal("1.50"), "1.5", id="no trailing zero"),
        pytest.param(Decimal("1E+2"), "100", id="1e2 is 100"),
        pytest.param(Decimal("100.0"), "100", id="100.0 is 100"),
        pytest.param(
            Decimal("0.1000000000000000055511151231257827"), "0.1000000000000000055511151231257827", id="exact"
        ),
        pytest.param(12345678901234567890123, "12345678901234567890123", id="big integer"),
        pytest.param(-(2**63), "-9223372036854775808", id="64 bits"),
        pytest.param(2**64, "18446744073709551616", id="over 64 bits"),
    ],
)
def test_spelling(value: object, expected: str) -> None:
    assert canonical.dumps(value).decode() == expected


def test_members_are_sorted_by_code_point() -> None:
    """Where RFC 8785 would sort by UTF-16 code unit; OPA and Go do as we do."""
    assert canonical.dumps({"\U0001f600": 1, "\ue000": 2}).decode() == '{"\ue000":2,"\U0001f600":1}'
    assert canonical.dumps({"\U0001f600": 1.5, "\ue000": 2}).decode() == '{"\ue000":2,"\U0001f600":1.5}'


def nested(levels: int, leaf: object) -> object:
    for _ in range(levels):
        leaf = [leaf]
    return leaf


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="NaN"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(Decimal("NaN"), id="decimal NaN"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param({"\ud800": 1}, id="lone surrogate in a name"),
        pytest.param([0.5, "\ud800"], id="lone surrogate beside a fraction"),
        pytest.param({1: 2}, id="a name that is no string"),
        pytest.param({1: 2.5}, id="the same beside a fraction"),
        pytest.param(b"x", id="bytes"),
        pytest.param({"a": {1, 2}}, id="set"),
        pytest.param(10**1000, id="1001 digits"),
        pytest.param(Decimal("1e1000"), id="1001 digits as an exponent"),
        pytest.param(Decimal("0." + "1" * 1001), id="1001 digits of a fraction"),
        pytest.param(nested(100_000, 1), id="deep"),
        pytest.param(nested(100_000, 0.5), id="deep with a fraction"),
    ],
)
def test_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a":1,"a":2}', id="member twice"),
        pytest.param(b"[NaN]", id="NaN"),
        pytest.param(b"[Infinity]", id="infinity"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[1", id="cut short"),
        pytest.param(b"1 2", id="two documents"),
        pytest.param(b"1" * 2000, id="2000 digits"),
        pytest.param(b"1e99999999999999999999", id="exponent out of range"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
    ],
)
def test_loads_refuses(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical.loads(text)


def test_loads_keeps_numbers_exact() -> None:
    value = canonical.loads(b"[12345678901234567890123, 0.1000000000000000055, 1e2, -0]")
    assert value == [12345678901234567890123, Decimal("0.1000000000000000055"), Decimal(100), 0]
    assert canonical.dumps(value) == b"[12345678901234567890123,0.1000000000000000055,100,0]"


floats = st.floats(allow_nan=False, allow_infinity=False)
scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.decimals(-10, 10, places=3) | st.text()
names = st.text()
nest: Callable[[st.SearchStrategy[Any]], st.SearchStrategy[Any]] = lambda inner: (  # noqa: E731
    st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)
)


@given(floats)
def test_a_double_survives(value: float) -> None:
    assert float(canonical.dumps(value)) == value


@given(st.recursive(scalars, nest, max_leaves=20))
def test_round_trip(value: object) -> None:
    """Reading back gives the same value, and writing that the same bytes."""
    text = canonical.dumps(value)
    assert canonical.loads(text) == value
    assert canonical.dumps(canonical.loads(text)) == text


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, None, id="equal"),
        pytest.param({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ("a[1].b", 2, 3), id="deep"),
        pytest.param({"b": 1, "a": 1}, {"b": 2, "a": 2}, ("a", 1, 2), id="by name"),
        pytest.param({"a": None}, {}, ("a", None, canonical.ABSENT), id="null is not absent"),
        pytest.param([1], [1, 2], ("[1]", canonical.ABSENT, 2), id="a longer list"),
        pytest.param({"a": {}}, {"a": []}, ("a", {}, []), id="another type"),
        pytest.param(1, "1", ("", 1, "1"), id="the whole"),
    ],
)
def test_the_first_difference(one: Any, other: Any, expected: object) -> None:
    assert canonical.first_difference(one, other) == expected
