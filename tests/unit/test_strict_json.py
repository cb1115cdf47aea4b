"""JSON with one single meaning (CASES L03 to L11)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbomgate import strict_json
from sbomgate.errors import InputError

REFUSED: dict[str, tuple[bytes, str, str]] = {
    "L03 duplicate key": (
        b'{"packages": {\n"node_modules/good": {},\n"node_modules/good": {}}}',
        'packages["node_modules/good"]',
        "first on line 2",
    ),
    "L03 duplicate through an escape": (b'{"a": 1, "\\u0061": 2}', "a", "stands twice"),
    "duplicate in an array": (b'[{}, {"x": [1, {"k": 1, "k": 2}]}]', "[1].x[1].k", "stands twice"),
    "L05 UTF-16": ('{"a": 1}'.encode("utf-16"), "", "UTF-16"),
    "L05 UTF-16 without a mark": ('{"a": 1}'.encode("utf-16-le"), "", "UTF-16"),
    "L05 UTF-32": ('{"a": 1}'.encode("utf-32"), "", "UTF-16 or UTF-32"),
    "Latin-1": (b'{"a":\n "\xe9"}', "line 2, column 3", "0xe9"),
    "L07 NaN": (b'{"a": {"b": NaN}}', "a.b", "NaN is not JSON"),
    "a huge integer, and no JSON behind it": (b'{"a": {"b": 9007199254740993., "c\n": 1}}', "a.b", "not every reader"),
    "L07 NaN, and no JSON behind it": (b'{"a": {"b": NaNx, "c\n": 1}}', "a.b", "NaN is not JSON"),
    "L07 Infinity": (b'{"a": -Infinity}', "a", "-Infinity is not JSON"),
    "L08 huge integer": (b'{"a": ' + b"9" * 5000 + b"}", "a", "not every reader"),
    "integer over 2^53": (b'{"a": [0, 9007199254740993]}', "a[1]", "not every reader"),
    "number over a double": (b'{"a": 1e999}', "a", "not every reader"),
    "L08 deep": (b"[" * 100_000 + b"]" * 100_000, "line 1, column", "nested deeper than 254"),
    "one too deep": (b"[" * 255 + b"]" * 255, "line 1, column", "nested deeper than 254"),
    "L11 __proto__": (b'{"a": {"__proto__": {}}}', "a.__proto__", "__proto__"),
    "lone surrogate": (b'{"a": "\\ud800"}', "a", "surrogate"),
    "lone surrogate in a key": (b'{"a": {"\\udc00": 1}}', "line 1", "surrogate"),
    "empty": (b"", "", "empty"),
    "blank": (b" \n", "", "empty"),
    "trailing": (b"{} x", "line 1, column 4", "not JSON"),
    "two documents": (b"{}\n{}", "line 2, column 1", "not JSON"),
    "cut": (b'{"a": [1, 2', "line 1", "not JSON"),
    "comment": (b"{} // x", "line 1", "not JSON"),
    "control character": (b'{"a": "\x01"}', "line 1", "not JSON"),
    "escape in a place": (b'{"\\u001b[31m": 1, "\\u001b[31m": 1}', "\\u001b[31m", "stands twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """P1: no single meaning is an InputError that says where."""
    data, place, message = REFUSED[name]
    with pytest.raises(InputError) as caught:
        strict_json.loads(data, "x.json")
    assert caught.value.where == "x.json"
    if name.startswith("lone surrogate in"):
        assert caught.value.place.isascii()
    else:
        assert place in caught.value.place
    assert message in caught.value.message
    assert str(caught.value).isprintable()


ACCEPTED: dict[str, tuple[bytes, object]] = {
    "L04 byte order mark": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "L11 constructor": (b'{"constructor": 1, "hasOwnProperty": 2}', {"constructor": 1, "hasOwnProperty": 2}),
    "surrogate pair": (b'"\\ud83d\\ude00"', "\U0001f600"),
    "largest integer": (b"9007199254740991", 9007199254740991),
    "deep enough": (b"[" * 254 + b"]" * 254, None),
    "same key in two objects": (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    data, value = ACCEPTED[name]
    got = strict_json.loads(data, "x.json")
    if value is not None:
        assert got == value


def test_limit() -> None:
    """P9."""
    with pytest.raises(InputError, match="at most 3"):
        strict_json.loads(b"[1, 2]", "x.json", limit=3)


def test_lines() -> None:
    data = b'{"a": 1,\n"packages": {\n\n"x": {"y":\n1},\n"z": [1,\n{"x": 2}]}}'
    assert strict_json.lines(data, "packages") == {"x": 4, "z": 6}
    assert strict_json.lines(data) == {"a": 1, "packages": 2}


def test_object_expected() -> None:
    with pytest.raises(InputError, match="an array, expected an object"):
        strict_json.load_object(b"[]", "x.json")


TREE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text().filter(lambda key: key != "__proto__"), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(TREE, st.booleans())
def test_whatever_json_writes_is_read(value: object, ascii_only: bool) -> None:
    assert strict_json.loads(json.dumps(value, ensure_ascii=ascii_only).encode(), "x") == value


@given(st.binary(max_size=60))
def test_anything_else_is_an_input_error(data: bytes) -> None:
    where = None
    try:
        strict_json.loads(data, "x")
    except InputError as error:
        where = error.where
    assert where in (
        None,
        "x",
    )


@given(TREE)
def test_lines_agree_with_the_text(value: object) -> None:
    data = json.dumps({"packages": {"first": value, "second": value}}, indent=1).encode()
    found = strict_json.lines(data, "packages")
    text = data.decode().split("\n")
    assert [text[line - 1].strip().split('"')[1] for line in found.values()] == ["first", "second"]
