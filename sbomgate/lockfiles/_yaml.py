"""YAML with one single meaning, or an `InputError` that names the line.

Two readers, one answer. `_plain` reads what package managers write (block mappings and lists of one-line scalars, flow
values on one line) fast, and gives up, without judging, on the first line that it does not fully understand; `_exact`
then reads the whole file from the events of a YAML parser. Both build the values here, so that no library resolves a
scalar, an alias or a merge for us.

What other readers disagree on is refused: anchors, aliases, tags, merge keys, directives, duplicate keys, `__proto__`,
keys that are no scalars, any encoding but UTF-8, raw control characters and the line breaks that YAML 1.2 dropped.
Grammar: https://yaml.org/spec/1.2.2/.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from sbomgate.errors import InputError

MAX_BYTES = 256 << 20
"""Largest document, in bytes: a lockfile of 100,000 packages has about 40 MB."""

MAX_EXACT_BYTES = 32 << 20
"""Largest document, in bytes, that no package manager can have written as it stands: a megabyte takes half a second."""

MAX_DEPTH = 64
"""Deepest nesting of lists and mappings; lockfiles have six levels."""

_HINT = "let the package manager write the file again; do not edit it by hand"

_FORBIDDEN = "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
_ALLOWED = b"\t\n" + bytes(range(0x20, 0x7F))
_AMBIGUOUS = re.compile(
    r"""(?xi)
      [-+]?(?:0|[1-9])[0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?    # 1, 1.10, 1e3
    | [-+]?0[0-9_]+                                             # octal in YAML 1.1
    | [-+]?0(?:x[0-9a-f_]+|o[0-7_]+|b[01_]+)
    | [-+]?\.[0-9][0-9_]*(?:e[-+]?[0-9]+)?
    | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?          # sexagesimal in YAML 1.1
    | [-+]?\.inf | \.nan
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\ ].*)?               # a date
    """
)
_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


class Bare(str):
    """The text of an unquoted scalar that some package manager's YAML reader takes for a number or a date (`1.10`).

    `yes`, `no`, `on` and `off` are text to all of them. A format whose reader knows no such types may use it as the
    text that it is; in any other, `type(value) is str` refuses it, because `1.10` is the number 1.1 there.
    """

    __slots__ = ()


def load_documents(data: bytes, where: str, *, limit: int = MAX_BYTES) -> list[Any]:
    """Parse `data`, the bytes of the file `where`: every document of the stream, in order.

    Returns:
        dicts with `str` keys, lists and scalars: None, True and False where unquoted, else text: `str`, or `Bare` where
        the unquoted text is a number or a date to some. Nested at most `MAX_DEPTH` deep. An empty file has no document.

    Raises:
        InputError: with `place` as the line.
    """
    # (1) size, before anything is decoded
    if len(data) > limit:
        raise InputError(
            f"{len(data):,} bytes, at most {limit:,} are read", where=where, hint="is this the right file?"
        )
    # (2) encoding: UTF-8 only; YAML parsers also guess UTF-16
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise InputError("UTF-16 or UTF-32, expected UTF-8", where=where, hint="save the file as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"byte 0x{data[error.start]:02x} is not UTF-8", where=where, place=f"line {line}", hint=_HINT
        ) from error
    # (3) characters that readers treat differently: a line break to one is text to another
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    # Nearly every byte is one of those that are always allowed: only the rest is looked at one by one.
    rest = data.translate(None, _ALLOWED)
    if (
        rest
        and re.search(_FORBIDDEN, rest.decode("utf-8-sig" if data[:1] == b"\xef" else "utf-8"))
        and (found := re.search(_FORBIDDEN, text)) is not None
    ):
        _refuse(f"the character U+{ord(found.group()):04X}", where, text.count("\n", 0, found.start()) + 1)
    # (4) structure
    documents = _Plain(text).documents()
    return _exact(text, where) if documents is None else documents


def _refuse(message: str, where: str, line: int, cause: BaseException | None = None) -> NoReturn:
    raise InputError(message, where=where, place=f"line {line}", hint=_HINT) from cause


def _scalar(text: str) -> bool | str | None:
    """Return the value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return Bare(text) if _AMBIGUOUS.fullmatch(text) else text


def _key(text: str) -> str:
    return Bare(text) if _AMBIGUOUS.fullmatch(text) else text


# --------------------------------------------------------------------------------------------------------------------
# What package managers write

# An unquoted scalar starts with no indicator and holds no `: `, no ` #` and no blank at its end.
_WORD = r"[^\s?:,\[\]{}#&*!|>'\"%@`-][^\s:#]*(?:(?::(?=\S)|[ ]+(?=[^\s#:])|(?<=\S)\#)[^\s:#]*)*"
_FLOW_WORD = (
    r"[^\s?:,\[\]{}#&*!|>'\"%@`-][^\s:#,\[\]{}]*(?:(?::(?=[^\s,\[\]{}])|[ ]+(?=[^\s#:,\[\]{}]))[^\s:#,\[\]{}]*)*"
)
_QUOTED = r"'(?:[^'\n]|'')*'|\"(?:[^\"\\\n]|\\[\"\\/bfnrt]|\\u[0-9a-fA-F]{4})*\""
_LINE = re.compile(
    rf"""(?x)
    (\ *)
    (?:
        (-\ )?                                      # an item of a list, or
        (?: ({_WORD}|{_QUOTED}) : (?=[\ \n]) )?     # a key
        (?: (?:(?<=:)\ |(?<=-\ )) (?: ({_WORD}) | ({_QUOTED}) | ([\[{{][^\n]*[\]}}]) | (\|-?) ) )?
        (?: \ +\#[^\n]* )?
    |   \#[^\n]*
    |   (---)
    )
    \n+""",
)
_FLOW = re.compile(rf" *(?:([\[\]{{}}])|({_QUOTED})|({_FLOW_WORD}))(: ?)?(,)?")
_RESOLUTION = re.compile(r"\{integrity: (sha[0-9]+-[A-Za-z0-9+/]+={0,2})\}")
# What pnpm writes most of, one match for several lines. A text is sure where no reader takes it for a number, a date or
# a constant: a name begins with a letter, a version has two dots, a range begins with a caret, an alias has an @.
_CHARACTER = r"""[!"$-&(-9;-~]"""
_REST = rf"{_CHARACTER}*+(?: {_CHARACTER}++)*"
_SURE_KEY = r"(?:[A-Za-z][\w.-]{0,300}+|'@[\w./-]{1,300}+'):"
_ELSEWHERE = rf"(?:workspace:|link:|npm:|[a-z][a-z-]*+@){_CHARACTER}++"
_SURE = rf"(?:[0-9]++\.[0-9]++\.[0-9]++{_REST}|[~^][0-9]{_REST}|{_ELSEWHERE}|'[^'\n]++')"
_RUN = rf"((?: {{6}}{_SURE_KEY} {_SURE}\n)+)"
_FLAGS = rf"((?: {{6}}{_SURE_KEY}\n {{8}}optional: true\n)+)"
_ITEMS = r"((?: {6}- (?:[A-Za-z][\w.-]*+|'@[\w./-]++')\n)+)"
_FIELDS = {
    "resolution": r" \{integrity: (sha[0-9]+-[A-Za-z0-9+/]+={0,2})\}\n",
    **dict.fromkeys(("engines", "cpu", "os", "libc"), r" ([\[{][^\n]*[\]}])\n"),
    "hasBin": " (true)\n",
    "peerDependencies": rf"\n{_RUN}",
    "peerDependenciesMeta": rf"\n{_FLAGS}",
    **dict.fromkeys(("dependencies", "optionalDependencies"), rf"\n{_RUN}"),
    "transitivePeerDependencies": rf"\n{_ITEMS}",
    "optional": " (true)\n",
}
"""Field → its lines in an entry of `packages` or `snapshots`, in pnpm's order; the group holds the value."""
_OTHERS = tuple(_FIELDS)[2:]
_BLOCK = re.compile(
    rf"(?a:  (?:'(@[^'\n]{{1,900}}+)'|([A-Za-z]{_CHARACTER}{{0,900}}+)):(?:( \{{\}})\n|\n"
    rf"{''.join(f'(?:    {name}:{lines})?' for name, lines in _FIELDS.items())})\n*+(?! {{6}}))"
)
_DECLARED = re.compile(rf"(?a:((?: {{6}}{_SURE_KEY}\n {{8}}specifier: {_SURE}\n {{8}}version: {_SURE}\n)+)\n*+)")
_RUNS = re.compile(rf"(?a:(?:{_RUN}|{_ITEMS})\n*+)")
_PAIR = re.compile(r"      '?([^':]+)'?: '?([^'\n]+)'?\n")
_FLAG = re.compile(r"      '?([^':\n]+)'?:\n {8}optional: true\n")
_DECLARATION = re.compile(r"      '?([^':]+)'?:\n {8}specifier: '?([^'\n]+)'?\n {8}version: '?([^'\n]+)'?\n")
_NOTHING = object()


def _mapping(lines: str) -> dict[str, str] | None:
    """Return what the lines of a `_RUN` say; None where a key stands twice."""
    pairs = _PAIR.findall(lines)
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _flags(lines: str) -> dict[str, dict[str, bool]] | None:
    """Return what the lines of `_FLAGS` say; None where a key stands twice."""
    names = _FLAG.findall(lines)
    found = {name: {"optional": True} for name in names}
    return found if len(found) == len(names) else None


def _list(lines: str) -> list[str] | None:
    """Return what the lines of `_ITEMS` say; None where one of them is a constant."""
    names = lines[8:-1].replace("'", "").split("\n      - ")
    return names if _CONSTANTS.keys().isdisjoint(names) else None


class _Plain:
    """The fast reader: every line is fully understood, or the whole text is left to `_exact`."""

    def __init__(self, text: str) -> None:
        self.text = text if text.endswith("\n") else text + "\n"
        self.whole = self.text is text
        self.words: dict[str, Any] = {}
        self.flows: dict[str, Any] = {}

    def documents(self) -> list[Any] | None:
        """Return the documents, or None where this reader does not understand something."""
        text, words = self.text, self.words
        found: list[Any] = []
        started = False  # a document is open
        marked = False  # by `---`
        root: Any = None
        stack: list[tuple[int, Any]] = []
        indent, here = -1, None  # the open container, and where its keys or items stand
        holder: Any = None  # the mapping whose last key has no value yet
        last = ""
        value: Any
        at, end = 0, len(text)
        match = _LINE.match
        block_of = _BLOCK.match
        while at < end:
            if indent > 0 and (lines := block_of(text, at)) is not None:
                opened = self._block(lines)
                if opened is not None:
                    while indent > 2:
                        indent, here = stack.pop()
                    name, value = opened
                    if indent != 2 or type(here) is not dict or name in here:
                        return None
                    here[name] = value
                    holder = None
                    if value:
                        stack.append((indent, here))
                        indent, here = 4, value
                    at = lines.end()
                    continue
            line = match(text, at)
            if line is None:
                return None
            at = line.end()
            blanks, dash, key, word, quoted, flow, block, marker = line.groups()
            if key is None and dash is None:
                if word is not None or quoted is not None or flow is not None or block is not None:
                    return None
                if marker is not None:
                    if blanks:
                        return None
                    if started:
                        found.append(root)
                    elif marked:
                        found.append(None)
                    started, marked, root, holder, here, indent = False, True, None, None, None, -1
                    stack = []
                continue
            depth = len(blanks)
            # (1) which container the line belongs to
            if depth > indent:
                fresh: Any = {} if dash is None else []
                if here is None:
                    if depth:
                        return None
                    root, started = fresh, True
                elif holder is None:
                    return None
                else:
                    holder[last] = fresh
                    stack.append((indent, here))
                    if len(stack) >= MAX_DEPTH:
                        return None
                indent, here = depth, fresh
            elif depth < indent:
                while depth < indent:
                    indent, here = stack.pop()
                if depth != indent:
                    return None
            holder = None
            # (2) the value
            if word is not None:
                value = words.get(word, _NOTHING)
                if value is _NOTHING:
                    value = words[word] = _scalar(word)
            elif flow is not None:
                if (whole := _RESOLUTION.fullmatch(flow)) is not None:
                    value = {"integrity": whole[1]}
                else:
                    value = self._flow(flow)
                    if value is _NOTHING:
                        return None
            elif quoted is not None:
                value = self._quoted(quoted)
                if value is _NOTHING:
                    return None
            elif block is not None:
                if dash is not None or not self.whole:
                    return None
                literal = self._literal(text.index("\n", line.end(7)) + 1, depth, block)
                if literal is None:
                    return None
                value, at = literal
            else:
                value = None
            # (3) its place
            if dash is not None:
                if key is not None or type(here) is not list or (value is None and word is None):
                    return None
                here.append(value)
                continue
            if type(here) is not dict:
                return None
            if key[0] in "'\"":
                name = self._quoted(key)
                if name is _NOTHING:
                    return None
            else:
                name = words.get(key, _NOTHING)
                if type(name) is not str:
                    name = _key(key)
                    words.setdefault(key, _CONSTANTS.get(key, name))
            if name in here or name in ("<<", "__proto__") or len(key) > 1000:
                return None  # YAML limits such keys to 1,024 characters
            here[name] = value
            if value is None and word is None:
                # (4) several lines of what belongs to the key, where they are understood at once
                several = self._several(at) if depth == 4 else None
                if several is None:
                    holder, last = here, name
                    continue
                stack.append((indent, here))
                here[name], at = several
                indent, here = 6, here[name]
        if started or marked:
            found.append(root)
        return found

    def _block(self, lines: re.Match[str]) -> tuple[str, dict[str, Any]] | None:
        """Return key and value of a match of `_BLOCK`; None where the lines have to be read one by one."""
        quoted, plain, empty, integrity, engines, *parts = lines.groups()
        value: dict[str, Any] = {}
        if integrity is not None:
            value["resolution"] = {"integrity": integrity}
        if engines is not None:
            value["engines"] = self._flow(engines)
        if any(parts):
            for name, part in zip(_OTHERS, parts, strict=True):
                if part is not None:
                    value[name] = self._field(part)
        for read in value.values():
            if read is None or read is _NOTHING:
                return None
        return (plain if quoted is None else quoted, value) if value or empty is not None else None

    def _field(self, text: str) -> Any:
        """Read a field of a match of `_BLOCK`; None or `_NOTHING` where it has to be read line by line."""
        if text[0] != " ":
            return True if text == "true" else self._flow(text)
        if text[6] == "-":
            return _list(text)
        return _flags(text) if text.endswith("\n        optional: true\n") else _mapping(text)

    def _several(self, at: int) -> tuple[Any, int] | None:
        """Read the lines at `at`, six blanks deep, as far as they are all of one kind; their value and their end."""
        value: Any
        if lines := _RUNS.match(self.text, at):
            value = _list(lines[2]) if lines[1] is None else _mapping(lines[1])
        elif lines := _DECLARED.match(self.text, at):
            found = _DECLARATION.findall(lines[1])
            value = {name: {"specifier": specifier, "version": version} for name, specifier, version in found}
            if len(value) != len(found):
                return None
        else:
            return None
        return None if value is None else (value, lines.end())

    def _quoted(self, quoted: str) -> Any:
        if quoted[0] == "'":
            return quoted[1:-1].replace("''", "'") if "''" in quoted[1:-1] else quoted[1:-1]
        if "\\" not in quoted:
            return quoted[1:-1]
        text = json.loads(quoted)
        return _NOTHING if any("\ud800" <= c <= "\udfff" for c in text) else text

    def _literal(self, at: int, indent: int, block: str) -> tuple[str, int] | None:
        """Read the lines of a literal block that starts at `at`; its text, and where the next line starts."""
        text = self.text
        lines: list[str] = []
        depth = 0
        while at < len(text):
            end = text.index("\n", at)
            line = text[at:end]
            if not line.strip(" "):
                if len(line) > depth:
                    return None
                lines.append("")
            else:
                blanks = len(line) - len(line.lstrip(" "))
                if not depth:
                    if blanks <= indent:
                        break
                    depth = blanks
                elif blanks < depth:
                    if blanks > indent:
                        return None
                    break
                lines.append(line[depth:])
            at = end + 1
        if not depth or "\t" in "".join(lines):
            return None
        body = "\n".join(lines).rstrip("\n")
        return (body if block == "|-" else body + "\n"), at

    def _flow(self, text: str) -> Any:
        """Read a flow mapping or list on one line; `_NOTHING` where it is not fully understood.

        One that was met before is copied where it holds no other: values are never shared.
        """
        known = self.flows.get(text)
        if known is not None:
            return known.copy()
        value = self._read_flow(text)
        if value is not _NOTHING and text.count("[") + text.count("{") == 1:
            self.flows[text] = value.copy()
        return value

    def _read_flow(self, text: str) -> Any:
        tokens, at = [], 0
        while at < len(text):
            token = _FLOW.match(text, at)
            if token is None or token.end() == at:
                return _NOTHING
            at = token.end()
            tokens.append(token.groups())
        stack: list[Any] = []
        value: Any = _NOTHING
        key: Any = _NOTHING
        keys: list[Any] = []
        comma = True  # a value may come
        for place, (bracket, quoted, word, colon, separator) in enumerate(tokens):
            if bracket in ("]", "}"):
                if not stack or type(stack[-1]) is not (list if bracket == "]" else dict) or key is not _NOTHING:
                    return _NOTHING
                if colon or (comma and stack[-1]):
                    return _NOTHING  # a comma at the end: allowed, and written by nobody
                value, key = stack.pop(), keys.pop()
                if not stack:
                    return value if place == len(tokens) - 1 and not separator else _NOTHING
            else:
                if not comma:
                    return _NOTHING
                if bracket:
                    if colon or separator or len(stack) >= MAX_DEPTH // 2:
                        return _NOTHING
                    if stack and type(stack[-1]) is dict and key is _NOTHING:
                        return _NOTHING
                    stack.append([] if bracket == "[" else {})
                    keys.append(key)
                    key = _NOTHING
                    continue
                if not stack:
                    return _NOTHING
                if colon:
                    if type(stack[-1]) is not dict or key is not _NOTHING or separator or colon != ": ":
                        return _NOTHING
                    key = self._quoted(quoted) if quoted else _key(word)
                    if key is _NOTHING or key in ("<<", "__proto__") or key in stack[-1]:
                        return _NOTHING
                    continue
                value = self._quoted(quoted) if quoted else _scalar(word)
                if value is _NOTHING:
                    return _NOTHING
            if type(stack[-1]) is list:
                stack[-1].append(value)
            elif key is _NOTHING:
                return _NOTHING
            else:
                stack[-1][key] = value
                key = _NOTHING
            comma = bool(separator)
        return _NOTHING


# --------------------------------------------------------------------------------------------------------------------
# Everything else


def _exact(text: str, where: str) -> list[Any]:
    """Build the documents from a parser's events: what is refused is refused here, not by the library."""
    import yaml

    if len(text) > MAX_EXACT_BYTES:
        raise InputError(
            f"over {MAX_EXACT_BYTES:,} characters, in a form that no package manager writes", where=where, hint=_HINT
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: list[Any] = []
    stack: list[Any] = []
    keys: list[Any] = []  # of each open container: the key that waits for its value
    firsts: list[dict[str, int]] = []
    value: Any
    try:
        for event in yaml.parse(text, Loader=loader):
            line = event.start_mark.line + 1 if event.start_mark else 0
            match event:
                case yaml.DocumentStartEvent():
                    if event.version or event.tags:
                        _refuse("a directive (%YAML, %TAG)", where, line)
                    continue
                case yaml.AliasEvent():
                    _refuse(f"an alias (*{str(event.anchor)[:40]})", where, line)
                case yaml.ScalarEvent() | yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    if event.anchor is not None:
                        _refuse(f"an anchor (&{event.anchor[:40]})", where, line)
                    if event.tag is not None:
                        _refuse(f"a tag ({event.tag[:40]})", where, line)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    keys.pop()
                    firsts.pop()
                    value = stack.pop()
                case _:
                    continue
            if not isinstance(event, yaml.ScalarEvent):
                if isinstance(event, yaml.CollectionStartEvent):
                    if len(stack) >= MAX_DEPTH:
                        _refuse(f"nested deeper than {MAX_DEPTH} levels", where, line)
                    if stack and type(stack[-1]) is dict and keys[-1] is _NOTHING:
                        _refuse("a list or mapping as a key", where, line)
                    stack.append({} if isinstance(event, yaml.MappingStartEvent) else [])
                    keys.append(_NOTHING)
                    firsts.append({})
                    continue
            else:
                plain = not event.style
                body = event.value
                if not body.isascii() and any("\ud800" <= c <= "\udfff" for c in body):
                    _refuse("half of a surrogate pair, which is no character", where, line)
                if stack and type(stack[-1]) is dict and keys[-1] is _NOTHING:
                    if plain and body == "<<":
                        _refuse("a merge key (<<)", where, line)
                    if body == "__proto__":
                        _refuse("__proto__ is no key: JavaScript readers drop it silently", where, line)
                    first = firsts[-1].setdefault(body, line)
                    if body in stack[-1]:
                        _refuse(f"the key {body[:100]!a} stands twice, first on line {first}", where, line)
                    keys[-1] = _key(body) if plain else body
                    stack[-1][keys[-1]] = None
                    continue
                value = _scalar(body) if plain else body
            if not stack:
                found.append(value)
            elif type(stack[-1]) is list:
                stack[-1].append(value)
            else:
                stack[-1][keys[-1]] = value
                keys[-1] = _NOTHING
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(f"not YAML: {error.problem or error.context}", where, mark.line + 1 if mark else 1, error)
    except yaml.YAMLError as error:
        raise InputError(f"not YAML: {str(error)[:200]}", where=where, hint=_HINT) from error
    return found
