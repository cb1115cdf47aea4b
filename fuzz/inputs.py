"""Several files as one input, and other inputs made of it: the same for the same seed."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

MAX_BYTES = 64 << 10
"""Largest input that is made: what breaks a reader is a few lines, and a run is many."""

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"

_MARK = re.compile(rb"(?:\A|\n)\x1e([^\n\x1e]{1,200})\n")
_TOKENS: tuple[bytes, ...] = (
   b"", b"\0", b"\n", b"\r\n", b"\t", b" ", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b":", b",", b"#", b"-",
   b"...", b"---\n", b"/", b"../", b"//", b"%2e%2e", b"@", b"@@", b"^", b"npm:", b"file:", b"link:",
   b"git+ssh://", b"http://[", b"https://user:pass@h/", b"__proto__", b"constructor", b"null", b"true", b"0",
   b"-1", b"1e400", b"NaN", b"9007199254740993", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", "\u2028".encode(),
   "\u00a0".encode(), "\u202e".encode(), "\U0001f4a9".encode(), b"&a", b"*a", b"!!x", b"<<", b"|", b">", b"?",
   b"sha512-", b"sha1-", b"workspace:*", b"patch:", b"portal:", b"virtual:", b"(", b")", b"(a@1.0.0)",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
   None, True, False, 0, 1, -1, 2**53, 2**64, 1.5, 1e300, "", "x", "\0", "\u2028", "\ud800", "../..", "a" * 5000,
   [], [[]], {}, {"": ""}, [None], [{}], {"x": None}, "__proto__", "1.0.0", "npm:x@1", "http://[", "9" * 400,
   "2026-11-20T12:00:00Z", "0000-00-00T00:00:00Z", "=",
)  # fmt: skip


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files as one input: each after a line with a record separator and its name."""
    return b"".join(b"\n\x1e%b\n%b" % (name.encode(), data) for name, data in files.items()).removeprefix(b"\n")


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files of an input; of a name that is there twice the last one."""
    marks = list(_MARK.finditer(data))
    ends = [*(mark.start() for mark in marks[1:]), len(data)] if marks else []
    return {mark[1].decode("utf-8", "replace"): data[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}


def folder(path: Path) -> bytes:
    """Return the small text files of a folder as one input; without what its tests compare with."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and file.suffix not in (".tgz", ".patch") and not name.startswith(("listing.", "list.")):
            found[name] = file.read_bytes()
    return pack(found)


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Return another input: one to four changes of bytes, of words, or of the values of a JSON document in it."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        changed = _structure(data, chance) if chance.random() < 0.6 else None
        data = _bytes(data, others, chance) if changed is None else changed
    return data[:MAX_BYTES]


def _structure(data: bytes, chance: random.Random) -> bytes | None:
    """Change one value of a JSON document: the whole input, or one of its files; None where there is none."""
    files = unpack(data)
    if not files:
        return _json(data, chance)
    name = chance.choice(sorted(files))
    changed = _json(files[name], chance)
    return None if changed is None else pack({**files, name: changed})


def _json(data: bytes, chance: random.Random) -> bytes | None:
    if data.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value = json.loads(re.sub(rb",(?=\s*[}\]])", b"", data))  # as bun writes it
        return json.dumps(_changed(value, chance), indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return None


def _changed(value: Any, chance: random.Random) -> Any:
    """Change one value somewhere below; what is base64 of JSON is looked into."""
    places = list(_places(value))
    if not places:
        return chance.choice(_VALUES)
    holder, key = chance.choice(places)
    old = holder[key]
    inner = _decoded(old)
    if inner is not None and chance.random() < 0.7:
        holder[key] = base64.b64encode(json.dumps(_changed(inner, chance)).encode()).decode()
        return value
    match chance.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[chance.choice((str(old)[:40], key + "x", key.upper(), "__proto__", ""))] = holder.pop(key)
        case 2:
            other, name = chance.choice(places)
            holder[key] = other[name]
        case 3 if isinstance(old, str):
            holder[key] = _bytes(old.encode("utf-8", "surrogatepass"), (), chance).decode("utf-8", "replace")
        case 4 if isinstance(holder, list):
            holder.insert(key, old)
        case 5 if isinstance(old, int | float):
            holder[key] = chance.choice((old + 1, -old, old * 2**40, str(old)))
        case _:
            holder[key] = chance.choice(_VALUES)
    return value


def _places(value: Any) -> Iterable[tuple[Any, Any]]:
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict | list):
            for key in list(one) if isinstance(one, dict) else range(len(one)):
                yield one, key
                todo.append(one[key])


def _decoded(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("ey", "W")):
        return None
    try:
        return json.loads(base64.b64decode(value))
    except ValueError:
        return None


def _bytes(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice((1, 1, 2, 8, 64, 1024)))
    piece = data[start:end]
    match chance.randrange(9):
        case 0:
            middle = bytes([chance.randrange(256)])
        case 1:
            middle = b""
        case 2:
            middle = piece * chance.choice((2, 3, 100))
        case 3:
            middle = piece[::-1]
        case 4 if others:
            other = chance.choice(others)
            at = chance.randrange(len(other) + 1)
            middle = other[at : at + chance.choice((1, 8, 64, 1024))]
        case 5:  # a whole line again, in another place
            line = chance.choice(data.split(b"\n"))
            return data[:start] + b"\n" + line + b"\n" + data[start:]
        case 6:
            return data[:start]
        case 7 if piece:
            middle = bytes([piece[0] ^ (1 << chance.randrange(8))]) + piece[1:]
        case _:
            middle = chance.choice(_TOKENS) + (piece if chance.random() < 0.5 else b"")
    return data[:start] + middle + data[end:]
