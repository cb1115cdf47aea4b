"""The text of a yarn.lock, in the two forms that yarn writes, with the line of every entry.

Yarn 1 has a format of its own (`name "value"`), yarn 2 and later write a small subset of YAML (`name: "value"`): nested
mappings with two blanks a level, plain or JSON-quoted strings, nothing else. Only that subset is read: an anchor, a
tag, a list, a block scalar or a duplicate key is refused with its line, because readers disagree on what yarn itself
never writes. Every value is a string, as in yarn: `4.10` is a version, not a number.
Sources: yarn 1's `lockfile/parse.js` and `stringify.js`, yarn's `parsers/sources/syml.ts`.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from sbomgate.errors import InputError

MAX_BYTES = 256 << 20
"""Largest yarn.lock, in bytes: a lockfile of 100,000 packages has about 40 MB."""

MAX_DEPTH = 8
"""Deepest nesting: an entry's fields are the second level, `dependenciesMeta` has three."""

Mapping = dict[str, "str | Mapping"]
Entries = list[tuple[int, tuple[str, ...], Mapping]]
"""Line (1-based), keys and fields of each entry at the top level, in the order of the file."""

_HINT = "let yarn write the file again (`yarn install`); do not edit it by hand"
_QUOTED = r'"(?:[^"\\\x00-\x1f]|\\.)*"'
# What yarn 1 leaves unquoted; and what yarn 2 does: nothing that YAML could read as anything but text.
_BARE = r"(?:[A-Za-z/.]|--?[A-Za-z])[^:\s\",\[\]\\]*"
_NUMBER = r"[0-9]+"  # as a value alone: a name that begins with a digit is quoted
# Of all blanks only the space and the tab are any to YAML and to yarn: others stand in ranges that somebody published
# (`^16.8 ||\u00a017.x`), and yarn copies them.
_GAP = "[ \xa0\u1680\u2000-\u200a\u202f\u205f\u3000]+"
_PLAIN = rf"(?![-?&*!|>'\"%@`]|<<)[^,\]\[{{}}:#\s]+(?:{_GAP}[^,\]\[{{}}:#\s]+)*"
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_KEY_1 = re.compile(rf"(?:{_QUOTED}|{_BARE})")
_SECTION_1 = re.compile(rf"((?:{_QUOTED}|{_BARE})(?:, (?:{_QUOTED}|{_BARE}))*):")
_FIELD_1 = re.compile(rf"({_QUOTED}|{_BARE}) ({_QUOTED}|{_BARE}|{_NUMBER})")
_LINE_2 = re.compile(rf"({_QUOTED}|{_PLAIN}):(?: ({_QUOTED}|{_PLAIN}))?")
_LONG_2 = re.compile(rf"\? ({_QUOTED}|{_PLAIN})")


def text_of(data: bytes, where: str) -> str:
    """Return the text of a lockfile: UTF-8, a byte order mark stripped, lines that end in a line feed.

    Raises:
        InputError: over `MAX_BYTES`, empty, or not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{len(data):,} bytes, at most {MAX_BYTES:,} are read", where=where, hint="is this the right file?"
        )
    if not data.strip():
        raise InputError("the file is empty", where=where, hint=_HINT)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8", where=where, place=f"line {line}", hint="save the file as UTF-8") from error
    if match := _CONTROL.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise InputError(f"the control character {match[0]!a}", where=where, place=f"line {line}", hint=_HINT)
    return text


def parse_classic(text: str, where: str) -> Entries:
    """Parse yarn 1's format (also that of `.yarnrc`, whose settings are fields at the top level).

    A field at the top level is an entry whose mapping has the one key "" with the value.

    Raises:
        InputError: what yarn 1 does not write, a duplicate key, wrong indentation; with the line.
    """
    return _Parser(text, where).classic()


def parse_berry(text: str, where: str) -> Entries:
    """Parse the YAML subset of yarn 2 and later.

    Raises:
        InputError: what yarn does not write, a duplicate key, wrong indentation; with the line.
    """
    return _Parser(text, where).berry()


class _Parser:
    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.lines = text.split("\n")
        self.number = 0
        self.entries: Entries = []
        self.seen: dict[str, int] = {}
        self.stack: list[Mapping] = []  # the open mappings below the top level
        self.opened = False  # the last line opened a mapping, which must not stay empty

    def classic(self) -> Entries:
        for self.number, line in enumerate(self.lines, 1):  # noqa: B020 - the number is for the errors
            depth = self._depth(line)
            if depth is None:
                if line[:1] == "#":  # yarn's own reader ends the entry there, and reads what follows as something else
                    self.stack.clear()
                    self.opened = False
                continue
            body = line[2 * depth :]
            if match := _SECTION_1.fullmatch(body):
                keys = tuple(self._string(key) for key in _KEY_1.findall(match[1]))
                if depth and len(keys) > 1:
                    self._refuse("several names for one field")
                self._open(depth, keys)
            elif match := _FIELD_1.fullmatch(body):
                self._set(depth, self._string(match[1]), self._string(match[2]))
            else:
                self._explain(body)
        self._end()
        return self.entries

    def berry(self) -> Entries:
        long: str | None = None
        for self.number, line in enumerate(self.lines, 1):  # noqa: B020 - the number is for the errors
            depth = self._depth(line)
            if depth is None:
                continue
            body = line[2 * depth :]
            if long is not None:
                # A key of more than 1,024 characters: `? key`, and the colon on the next line.
                if body != ":" or depth:
                    self._refuse("expected the colon of the long key above")
                self._open(0, self._keys(long))
                long = None
            elif match := _LINE_2.fullmatch(body):
                key = self._string(match[1])
                if match[2] is not None:
                    self._set(depth, key, self._string(match[2]))
                else:
                    self._open(depth, (key,) if depth else self._keys(key))
            elif not depth and (match := _LONG_2.fullmatch(body)):
                long = self._string(match[1])
            else:
                self._explain(body)
        if long is not None:
            self._refuse("the file ends within a key")
        self._end()
        return self.entries

    def _depth(self, line: str) -> int | None:
        """Return the level of a line, None for one that says nothing; the mappings of deeper levels are closed."""
        stripped = line.lstrip(" ")
        if not stripped or stripped[0] == "#":
            return None
        blanks = len(line) - len(stripped)
        depth = blanks // 2
        allowed = len(self.stack)
        if blanks % 2 or depth > allowed or depth > MAX_DEPTH or (self.opened and depth < allowed):
            if allowed >= depth > MAX_DEPTH:
                self._refuse(f"nested deeper than {MAX_DEPTH} levels")
            expected = f"{2 * allowed}" if self.opened else f"at most {2 * allowed}, in steps of two"
            self._refuse(f"indented by {blanks} blanks, expected {expected}")
        del self.stack[depth:]
        self.opened = False
        return depth

    def _open(self, depth: int, keys: tuple[str, ...]) -> None:
        inner: Mapping = {}
        if depth == 0:
            for key in keys:
                self._once(key)
            self.entries.append((self.number, keys, inner))
        else:
            self._put(depth, keys[0], inner)
        self.stack.append(inner)
        self.opened = True

    def _set(self, depth: int, key: str, value: str) -> None:
        if depth == 0:
            self._once(key)
            self.entries.append((self.number, (key,), {"": value}))
        else:
            self._put(depth, key, value)

    def _put(self, depth: int, key: str, value: str | Mapping) -> None:
        mapping = self.stack[depth - 1]
        if key in mapping:
            self._refuse(f"the key {key[:60]!a} stands twice")
        if key == "__proto__":
            self._refuse("__proto__ is no key: JavaScript readers drop it silently")
        mapping[key] = value

    def _once(self, key: str) -> None:
        first = self.seen.setdefault(key, self.number)
        if first != self.number or not key:
            self._refuse(f"the key stands twice, first on line {first}" if key else "an empty key")
        if key == "__proto__":
            self._refuse("__proto__ is no key: JavaScript readers drop it silently")

    def _keys(self, text: str) -> tuple[str, ...]:
        keys = tuple(text.split(", "))
        if len(set(keys)) != len(keys):
            self._refuse("a key that stands twice")
        return keys

    def _string(self, token: str) -> str:
        if token[0] != '"':
            return token
        if "\\" not in token:
            return token[1:-1]
        try:
            value = json.loads(token)
        except ValueError as error:
            raise self._error("a string with an escape that JSON does not have") from error
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            self._refuse("half of a surrogate pair, which is no character")
        return str(value)

    def _end(self) -> None:
        if self.opened:
            self._refuse("the file ends where a field was expected")

    def _explain(self, body: str) -> NoReturn:
        if body.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
            self._refuse("a merge conflict that nobody resolved")
        if "\t" in body:
            self._refuse("a tab where yarn writes blanks")
        first = body[0]
        what = {
            "&": "an anchor",
            "*": "a YAML alias",
            "!": "a YAML tag",
            "-": "a list or document mark",
            "%": "a YAML directive",
        }
        value = body.partition(": ")[2][:1]
        if (name := what.get(first) or what.get(value)) is not None:
            self._refuse(f"{name}, which yarn never writes")
        self._refuse(f"not a line that yarn writes: {body[:60]!a}")

    def _error(self, message: str) -> InputError:
        return InputError(message, where=self.where, place=f"line {self.number}", hint=_HINT)

    def _refuse(self, message: str) -> NoReturn:
        raise self._error(message)
