"""Canonical JSON: one byte string for one value, whoever produced it.

`dumps` writes UTF-8 without blanks, members sorted by name, and each number in one spelling. It follows RFC 8785 (JCS)
with two differences, both where RFC 8785 would lose something or need UTF-16:

- numbers are exact decimals, not doubles: an integral value is written with all its digits (`12345678901234567890123`,
  where RFC 8785 has `1.2345678901234568e+22`), and a fraction keeps every digit that it came with;
- members are sorted by code point, as OPA, Go and orjson do; RFC 8785's order by UTF-16 code unit differs only where
  names hold characters above U+FFFF.

For documents of ASCII names and of numbers that a double holds exactly, the bytes are those of RFC 8785.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any, NoReturn

import orjson

MAX_DIGITS = 1_000  # of a number written out; OPA's own limit for exponents is far beyond what any rule counts
_PLAIN = frozenset({str, bool, type(None)})


def dumps(value: object) -> bytes:
    """Return the canonical JSON of `value`: dict with str keys, list, tuple, str, int, float, Decimal, bool, None.

    Raises:
        ValueError: another type, NaN, infinity, a lone surrogate, a number over MAX_DIGITS, or nesting too deep.
    """
    try:
        if _is_plain(value):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        parts: list[bytes] = []
        _write(value, parts.append)
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
    except TypeError as e:  # orjson says so of lone surrogates, and of nesting over its limit
        raise ValueError(str(e)) from e
    return b"".join(parts)


def loads(data: bytes) -> Any:
    """Read JSON without losing anything: integers are int, other numbers Decimal.

    Raises:
        ValueError: not UTF-8, not JSON, a member given twice, NaN, an integer over MAX_DIGITS, or nesting too deep.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_constant,
            object_pairs_hook=_members,
        )
    except RecursionError as e:
        raise ValueError("nested too deeply") from e


ABSENT = object()  # what `first_difference` has for a member or an item that one of the two lacks


def first_difference(one: Any, other: Any) -> tuple[str, Any, Any] | None:
    """Return the first place where two JSON values differ (`a.b[3]`; "" is the whole) and what stands there in each.

    None where they are equal. Members are compared by name, in order.
    """
    if one == other:
        return None
    place = ""
    while True:
        if isinstance(one, dict) and isinstance(other, dict):
            key = next(k for k in sorted(one.keys() | other.keys()) if one.get(k, ABSENT) != other.get(k, ABSENT))
            place, one, other = f"{place}.{key}", one.get(key, ABSENT), other.get(key, ABSENT)
        elif isinstance(one, list) and isinstance(other, list):
            pairs = zip_longest(one, other, fillvalue=ABSENT)
            index, (one, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
            place += f"[{index}]"
        else:
            return place.lstrip("."), one, other


def _is_plain(value: object) -> bool:
    """Whether orjson's spelling is canonical: everything but floats, Decimals and integers over 64 bits."""
    pending: list[Iterable[object]] = [(value,)]
    while pending:
        for item in pending.pop():
            kind = type(item)
            if kind in _PLAIN or issubclass(kind, str):
                continue
            if kind is dict:
                if not set(map(type, item)) <= {str}:  # type: ignore[call-overload]
                    return False
                pending.append(item.values())  # type: ignore[attr-defined]
            elif kind is list or kind is tuple:
                pending.append(item)  # type: ignore[arg-type]
            elif kind is not int or not -(2**63) <= item < 2**63:  # type: ignore[operator]
                return False
    return True


def _write(value: object, out: Any) -> None:
    match value:
        case None | bool():
            out(b"null" if value is None else b"true" if value else b"false")
        case str():
            out(orjson.dumps(str(value)))
        case int() | float() | Decimal():
            out(_number(value).encode())
        case dict():
            if not all(isinstance(name, str) for name in value):
                raise TypeError("a member's name must be a string")
            separator = b"{"
            for name in sorted(value):
                out(separator + orjson.dumps(str(name)) + b":")
                _write(value[name], out)
                separator = b","
            out(b"}" if value else b"{}")
        case list() | tuple():
            separator = b"["
            for item in value:
                out(separator)
                _write(item, out)
                separator = b","
            out(b"]" if value else b"[]")
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical JSON")


def _number(value: int | float | Decimal) -> str:
    """Spell a number as ECMAScript's Number::toString does (RFC 8785, 3.2.2.3), but exactly."""
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise ValueError(f"an integer of more than {MAX_DIGITS} digits")
        return str(int(value))
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite():
        raise ValueError(f"{value} is no JSON number")
    sign, figures, exponent = exact.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  only NaN and infinity have a letter here
    digits = "".join(map(str, figures)).lstrip("0")
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    digits = stripped
    if not digits:
        return "0"
    point = len(digits) + exponent  # the value is 0.digits × 10^point
    if max(point, len(digits)) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    if exponent >= 0:
        text = digits + "0" * exponent
    elif point > 0:
        text = f"{digits[:point]}.{digits[point:]}"
    elif point > -6:
        text = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{fraction}e{point - 1}"
    return f"-{text}" if sign else text


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS + 1:
        raise ValueError(f"an integer of more than {MAX_DIGITS} digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as e:
        raise ValueError(f"the number {text[:40]} is out of range") from e


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members
