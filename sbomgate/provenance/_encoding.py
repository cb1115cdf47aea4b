"""Strict readers for JSON, base64, PEM and DER: each accepts one spelling of a value, so that no two readers differ.

Every function raises ValueError with a short reason; the caller adds the step and the place.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

import orjson

MAX_INTEGER_DIGITS = 19
"""Digits of a 64-bit integer (log indexes, sizes, seconds): no more are ever needed."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_PEM = re.compile(r"-----BEGIN (CERTIFICATE|PUBLIC KEY)-----\n([A-Za-z0-9+/=\n]+)\n-----END \1-----\n*", re.ASCII)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:64]!r} occurs twice in one object")
    return found


def _integer(text: str) -> int:
    value = int(text[: MAX_INTEGER_DIGITS + 2])
    if not -(2**63) <= value < 2**63:  # a longer one has no zero in front, in JSON: its beginning is too much already
        raise ValueError(f"an integer of more than 64 bits: {text[:40]}")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_int=_integer)


def parse_json(document: bytes) -> Any:
    """Return the only meaning of `document`: UTF-8 without a mark, no duplicate key, no NaN, no lone surrogate.

    Raises:
        ValueError: there is no single meaning, an integer needs more than 64 bits, or it is nested too deeply.
    """
    # orjson refuses what json lets pass: other encodings, a byte order mark, lone surrogates, NaN, infinity. json sees
    # duplicate keys.
    value = orjson.loads(document)
    try:
        # orjson writes 254 levels and no more: what passes here can be written canonically, too.
        orjson.dumps(value)
        return _DECODER.decode(document.decode("utf-8"))
    except (RecursionError, orjson.JSONEncodeError) as e:
        raise ValueError("nested too deeply") from e


def canonical_json(value: Any) -> bytes:
    """Return `value` with sorted keys and without blanks, as UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode_base64(text: object) -> bytes:
    """Return the bytes of standard base64 (RFC 4648 section 4) in its only canonical spelling.

    Raises:
        ValueError: not a string, other characters, wrong padding, or stray bits at the end.
    """
    if not isinstance(text, str):
        raise ValueError("a base64 string is expected")
    try:
        decoded = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as e:
        raise ValueError(f"not base64: {e}") from e
    if base64.b64encode(decoded).decode() != text:
        raise ValueError("not canonical base64")
    return decoded


def decode_integer(value: object) -> int:
    """Return a non-negative 64-bit integer: a JSON number, or protobuf's decimal string.

    Raises:
        ValueError: anything else, leading zeros and signs included.
    """
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise ValueError(f"a non-negative 64-bit integer is expected, got {str(value)[:40]!r}")


def decode_pem(text: bytes, label: str) -> bytes:
    """Return the DER bytes of the only PEM block in `text`, whose label must be `label`.

    Raises:
        ValueError: another label, more than one block, or anything around it.
    """
    try:
        found = _PEM.fullmatch(text.decode("ascii"))
    except UnicodeDecodeError as e:
        raise ValueError("not PEM") from e
    if found is None or found[1] != label:
        raise ValueError(f"not one PEM block {label}")
    return decode_base64(found[2].replace("\n", ""))


def decode_utf8_string(der: bytes) -> str:
    """Return the text of a DER UTF8String (X.690), which fills `der` exactly.

    Raises:
        ValueError: another type, a length in other than the shortest form, trailing bytes, or bad UTF-8.
    """
    if len(der) < 2 or der[0] != 0x0C:
        raise ValueError("not a DER UTF8String")
    if der[1] < 0x80:
        start, length = 2, der[1]
    elif der[1] == 0x81 and len(der) >= 3 and der[2] >= 0x80:
        start, length = 3, der[2]
    elif der[1] == 0x82 and len(der) >= 4 and der[2] > 0:
        start, length = 4, int.from_bytes(der[2:4], "big")
    else:
        raise ValueError("a DER length in no known form")
    if len(der) != start + length:
        raise ValueError("a DER UTF8String with trailing or missing bytes")
    return der[start:].decode("utf-8")
