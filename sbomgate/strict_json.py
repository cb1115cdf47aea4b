"""JSON with one single meaning, or an `InputError` that names the place.

What other readers disagree on is refused, because a gate that reads a file differently from the package manager judges
something else than what is installed: duplicate keys (npm keeps the last, others the first), NaN and Infinity, any
encoding but UTF-8, lone surrogates, integers that a double cannot hold, `__proto__` as a key, text after the document.
A leading UTF-8 byte order mark is stripped, as npm does. Grammar: RFC 8259; interoperability: RFC 7493 (I-JSON).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import orjson

from sbomgate.errors import InputError

MAX_BYTES = 256 << 20
"""Largest document, in bytes: a lockfile of 100,000 packages has about 60 MB."""

MAX_DEPTH = 254
"""Deepest nesting of arrays and objects: what orjson writes again. npm's version 1 nests two levels an installed level;
the deepest real one seen is under 40."""

MAX_INTEGER = 2**53 - 1
"""Largest magnitude of an integer that every reader holds exactly (RFC 7493, 2.2)."""

_HINT = "let the tool that wrote the file write it again; do not edit it by hand"
_LEXEME = r'(?s)"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+'


class _RefusedError(ValueError):
    """Something valid JSON that has no single meaning; where it stands is found afterwards."""


def loads(data: bytes, where: str, *, limit: int = MAX_BYTES) -> Any:
    """Parse `data`, the bytes of the file or URL `where`.

    Returns:
        dicts, lists, strings, ints, floats, booleans and None, nested at most `MAX_DEPTH` deep.

    Raises:
        InputError: with `place` as the path in the document where it is known, else as line and column.
    """
    # (1) size, before anything is decoded
    if len(data) > limit:
        raise InputError(
            f"{len(data):,} bytes, at most {limit:,} are read", where=where, hint="is this the right file?"
        )
    if not data.strip():
        raise InputError("the file is empty", where=where, hint=_HINT)
    # (2) encoding: UTF-8 only; Python's own json.loads(bytes) would accept UTF-16 and UTF-32
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise InputError("UTF-16 or UTF-32, expected UTF-8", where=where, hint="save the file as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_column(data, error.start)
        raise InputError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            where=where,
            place=f"line {line}, column {column}",
            hint="save the file as UTF-8",
        ) from error
    # (3) grammar, duplicate keys, numbers
    try:
        value = _DECODER.decode(text)
        # (4) depth and lone surrogates: orjson writes neither
        orjson.dumps(value)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"not JSON: {error.msg}", where=where, place=place, hint=_HINT) from error
    except RecursionError as error:
        _explain(text, where, error)
    except (_RefusedError, orjson.JSONEncodeError) as error:
        _explain(text, where, error)
    return value


def load_object(data: bytes, where: str, *, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Parse `data` as `loads` does, and refuse anything but an object at the top."""
    value = loads(data, where, limit=limit)
    if not isinstance(value, dict):
        raise InputError(f"{kind_of(value)}, expected an object", where=where, hint=_HINT)
    return value


def kind_of(value: object) -> str:
    """Return what JSON calls a value, with its article: `an object`, `a number`, `null`."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def place(*path: str | int) -> str:
    """Write a path in a document (`packages["node_modules/a"].integrity`); control characters come out escaped."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif part.isidentifier() and part.isascii():
            parts.append(f".{part}" if parts else part)
        else:
            parts.append(f"[{json.dumps(part)}]")
    return "".join(parts)


def lines(data: bytes, *parent: str) -> dict[str, int]:
    """Return the 1-based line on which each member of the object at `parent` starts; for reports, not the hot path.

    `data` must be a document that `loads` accepts.
    """
    text = data.decode("utf-8-sig")
    depth = len(parent) + 1
    found: dict[str, int] = {}
    line, at = 1, 0
    for path, offset, token in _walk(text):
        if token is None and len(path) == depth and tuple(path[:-1]) == parent:
            line, at = line + text.count("\n", at, offset), offset
            found[str(path[-1])] = line
    return found


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError("duplicate key")
    if "__proto__" in members:
        raise _RefusedError("__proto__")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > MAX_INTEGER:
        raise _RefusedError("integer")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _RefusedError("number")
    return value


def _constant(name: str) -> NoReturn:
    raise _RefusedError(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_float, parse_constant=_constant, strict=True
)


def _explain(text: str, where: str, cause: BaseException) -> NoReturn:
    """Walk the text again, slowly, and raise the InputError that says where the first refused thing stands."""

    def refuse(message: str, path: Sequence[str | int], offset: int) -> NoReturn:
        line, column = _line_column(text, offset)
        shown = place(*path) if 0 < len(path) < 20 else f"line {line}, column {column}"
        raise InputError(f"{message} (line {line})", where=where, place=shown, hint=_HINT) from cause

    seen: list[dict[str, int]] = []
    for path, offset, token in _walk(text):
        if token in ("{", "["):
            if len(path) >= MAX_DEPTH:
                refuse(f"nested deeper than {MAX_DEPTH} levels", path, offset)
            del seen[len(path) :]
            seen.append({})
        elif token is None:
            key = str(path[-1])
            first = seen[len(path) - 1].setdefault(key, offset)
            if first != offset:
                refuse(f"the key stands twice, first on line {_line_column(text, first)[0]}", path, offset)
            if key == "__proto__":
                refuse("__proto__ is no key: JavaScript readers drop it silently", path, offset)
            _refuse_surrogate(key, refuse, path, offset)
        elif token[0] == '"':
            _refuse_surrogate(json.loads(token), refuse, path, offset)
        elif constant := re.match("NaN|-?Infinity", token):  # whatever follows: the decoder stopped here already
            refuse(f"{constant.group()} is not JSON", path, offset)
        elif number := re.match(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", token):
            try:
                (_integer if number[1] is number[2] is None else _float)(number.group())
            except ValueError:
                refuse("a number that not every reader holds exactly", path, offset)
    raise InputError("not JSON with one single meaning", where=where, hint=_HINT) from cause


def _refuse_surrogate(value: str, refuse: Any, path: Sequence[str | int], offset: int) -> None:
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        refuse("half of a surrogate pair, which is no character", path, offset)


def _walk(text: str) -> Iterator[tuple[list[str | int], int, str | None]]:
    """Yield (path, offset, lexeme) for every key (lexeme None), opening bracket and scalar of a JSON text, in order.

    The path is one list that changes between steps. Without recursion, so nesting is no danger.
    """
    path: list[str | int] = []
    kinds: list[str] = []
    key_next = False
    for match in re.finditer(_LEXEME, text):
        lexeme = match.group()
        if lexeme in ("}", "]"):
            if kinds:
                kinds.pop()
                path[len(kinds) :] = []
            key_next = False
        elif lexeme == ",":
            if kinds and kinds[-1] == "[":
                path[-1] = int(path[-1]) + 1
            elif kinds:
                path[len(kinds) - 1 :] = []
                key_next = True
        elif lexeme == ":":
            key_next = False
        elif key_next and lexeme[0] == '"':
            path[len(kinds) - 1 :] = [json.loads(lexeme)]
            yield path, match.start(), None
        else:
            yield path, match.start(), lexeme
            if lexeme in ("{", "["):
                kinds.append(lexeme)
                key_next = lexeme == "{"
                if lexeme == "[":
                    path.append(0)


def _line_column(text: str | bytes, offset: int) -> tuple[int, int]:
    newline: Any = "\n" if isinstance(text, str) else b"\n"
    return text.count(newline, 0, offset) + 1, offset - text.rfind(newline, 0, offset)
