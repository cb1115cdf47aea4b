"""Lists of known-malicious packages, and the join with a project's packages.

A list is a CSV file (UTF-8) with the header `name,versions,osv_id,wave,sources`; `versions` are joined by `|`: exact
versions, ranges (`>=1.0.0<1.2.3`, `>=1.0.0<=1.2.2`, `<2.0.0`, `>=3.0.0`, compared as semver 2.0.0 orders versions,
prereleases included), or `*` for every version. Names are compared letter by letter.

A list may be sealed: sorted, and ended by a line with a Bloom filter of its names and the SHA-256 of all that stands
before that. `sbomgate feed import` checks every line and seals what it writes, so that a quarter of a million lines
need not be checked in every run, and of most names that are not in it the filter says so.

The join is done here and Rego is handed only the hits: a quarter of a million names in a policy's data would slow
every start of the engine (CASES W13).
"""

from __future__ import annotations

import binascii
import csv
import hashlib
import io
import operator
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from sbomgate.errors import UsageError
from sbomgate.model import OWN_KINDS, Package

SHIPPED = ("policies", "data", "known_malicious.csv")
"""Where the shipped list lies (`resources.path(*SHIPPED)`): the versions of the Axios incident of March 2026."""

HEADER = "name,versions,osv_id,wave,sources"

MAX_LIST_BYTES = 256 * 1024 * 1024
"""Bytes of one list: OSV's whole npm export as such a CSV is about 20 MB."""

# Possessive character by character: a hostile line costs what it is long. Never a possessive group, which Python before
# 3.11.5 matches wrongly (cpython gh-106052).
_NAME = r'(?:@[^\s,/@"|]++/)?[^\s,/@"|]++'
_VERSION = r'[0-9]++\.[0-9]++\.[0-9]++(?:[-+][^\s,"|<>=]++)?'
_BOUNDED = rf"(?:{_VERSION}|>={_VERSION}(?:<=?{_VERSION})?|<=?{_VERSION})"
_VERSIONS = rf"(?:\*|{_BOUNDED}(?:\|{_BOUNDED})*)"
_ID = r"[A-Za-z0-9:._-]*+"
_FIELDS = tuple(re.compile(pattern) for pattern in (_NAME, _VERSIONS, _ID, r"[^\n]*+", r"[^\n]*+"))
_LINE = re.compile(rf'^{_NAME},{_VERSIONS},{_ID},[^,"\n]*+,[^,"\n]*+(?:\n|\Z)', re.MULTILINE)


class Rows(Protocol):
    """Name → its lines, joined by newlines."""

    def get(self, name: str, /) -> str | None:
        """Return the lines of a name, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MaliciousList:
    """One list as it was read.

    Attributes:
        name: what findings call it where an entry has no id of its own.
        sha256: of its bytes, recorded in the PolicyInput.
        entries: number of package names.
        rows: name → its lines: split only when a package of that name is looked up.
    """

    name: str
    sha256: str
    entries: int
    rows: Rows


_FORM = "a list is CSV: one package a line, its malicious versions joined by |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What the lists say of one package: ids that name this exact version, and ids that name other versions only."""

    exact: tuple[str, ...]
    other: tuple[str, ...]


def load(data: bytes, *, name: str, where: str) -> MaliciousList:
    """Read a list from its bytes; `name` is for people, `where` the path for errors.

    Raises:
        UsageError: not UTF-8, another header, over the limit, or a line that is not five good fields, with its number.
    """
    if len(data) > MAX_LIST_BYTES:
        raise UsageError(f"{len(data)} bytes; at most {MAX_LIST_BYTES} are read", where=where)
    last = data.rfind(b"\n", 0, -1) + 1
    if last and data.startswith(_SEALED, last):
        return _sealed(data, last, name, where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise UsageError(f"not UTF-8 at byte {e.start}", where=where, hint="save the list as UTF-8") from e
    text = text.replace("\r\n", "\n")
    header, _, body = text.partition("\n")
    if header != HEADER:
        raise UsageError(f"the header is {header[:80]!r}, expected {HEADER!r}", where=where, place="line 1", hint=_FORM)
    body = body.removesuffix("\n")
    if '"' in body:
        rows = _quoted(body, where)
    else:
        lines = body.split("\n") if body else []
        if _LINE.sub("", body) or body.endswith("\n"):  # all lines at once: what is left is not five plain fields
            number, bad = next((at, line) for at, line in enumerate(lines, 2) if _LINE.fullmatch(line) is None)
            raise _line_error(bad.split(","), number, where)
        rows = {line[: line.index(",")]: line for line in lines}
        if len(rows) != len(lines):
            rows = _merged(lines)
    return MaliciousList(name=name, sha256=hashlib.sha256(data).hexdigest(), entries=len(rows), rows=rows)


_SEALED = b"#sealed,"
# How its last line ends, after the filter: number of names, digest of all before it.
_SEAL = re.compile(rb",([0-9]{1,9}),sha256=([0-9a-f]{64}),\n\Z")
_SEAL_BYTES = 128  # it is shorter


def _sealed(data: bytes, end: int, name: str, where: str) -> MaliciousList:
    """Read a list whose last line, from `end`, is a seal."""
    # (1) one pass over the bytes: the digest of what was sealed, and the one of all
    found, view = _SEAL.search(data, max(end, len(data) - _SEAL_BYTES)), memoryview(data)
    digest = hashlib.sha256(view[: found.start(2)] if found else b"")
    if found is None or digest.hexdigest().encode() != found[2]:
        raise UsageError(
            "the list was altered after it was sealed",
            where=where,
            place="last line",
            hint="import it again, or remove its last line: it is then checked line by line",
        )
    digest.update(view[found.start(2) :])
    # (2) the lines are those that were sealed, and the filter is theirs
    try:
        bits = binascii.a2b_base64(view[end + len(_SEALED) : found.start()], strict_mode=True)
    except binascii.Error as e:
        raise UsageError("its filter is no base64", where=where, place="last line") from e
    rows = _Sealed(data, begin=data.index(b"\n") + 1, end=end, bits=bits)
    return MaliciousList(name=name, sha256=digest.hexdigest(), entries=int(found[1]), rows=rows)


def seal(lines: Iterable[str]) -> bytes:
    """Return a sealed list of these lines, sorted by name. Each is checked as `load` checks it.

    Raises:
        UsageError: a line is not five good fields.
    """
    ordered = sorted({(line[: line.index(",")].encode(), line) for line in lines})
    body = "".join(f"{line}\n" for line in (HEADER, *(line for _, line in ordered))).encode()
    load(body, name="", where="list")
    names = {name for name, _ in ordered}
    # 16 to 32 bits a name: of eighty that are not there, at most one is looked for all the same
    bits = bytearray(2 << max(0, len(names) - 1).bit_length())
    for name in names:
        for at in _places(zlib.crc32(name), len(bits)):
            bits[at >> 3] |= 1 << (at & 7)
    sealed = b"%s%s%s,%d,sha256=" % (body, _SEALED, binascii.b2a_base64(bits, newline=False), len(names))
    return b"%s%s,\n" % (sealed, hashlib.sha256(sealed).hexdigest().encode())


def _places(crc: int, size: int) -> tuple[int, int]:
    """Return the two bits of a name in a filter of so many bytes, a power of two below 2^29: by its CRC-32."""
    return crc & (size * 8 - 1), crc >> (30 - size.bit_length())


class _Sealed:
    """The lines of a sealed list, found by halving: they are sorted by name, and nothing of them is copied or split."""

    def __init__(self, data: bytes, *, begin: int, end: int, bits: bytes) -> None:
        """Keep where the lines begin and end, and the filter; empty where there is none."""
        self._data, self._begin, self._end, self._bits = data, begin, end, bits

    def get(self, name: str, /) -> str | None:
        """Return the lines of a name, joined by newlines, or None."""
        wanted = _bytes(name)
        return self._lines(wanted) if self.may_have(wanted) else None

    def may_have(self, name: bytes) -> bool:
        """Whether the filter lets a name through: each that the list has, and few others."""
        bits = self._bits
        if not bits:
            return True
        low, high = _places(zlib.crc32(name), len(bits))
        return bits[low >> 3] >> (low & 7) & bits[high >> 3] >> (high & 7) & 1 == 1

    def _lines(self, wanted: bytes) -> str | None:
        data, begin, end = self._data, self._begin, self._end
        while begin < end:  # the first line whose name is not lower begins between them
            middle = (begin + end) // 2
            start = max(begin, data.rfind(b"\n", begin, middle) + 1)
            if data[start : data.index(b",", start)] < wanted:
                begin = data.index(b"\n", start) + 1
            else:
                end = start
        stop = begin
        while stop < self._end and data.startswith(wanted + b",", stop):
            stop = data.index(b"\n", stop) + 1
        return data[begin : stop - 1].decode() if stop > begin else None


def _bytes(name: str) -> bytes:
    """Return a name as a list has it; one that is no Unicode text is in none."""
    return name.encode("utf-8", "surrogatepass")


def _merged(lines: Sequence[str]) -> dict[str, str]:
    """Join lines about the same name: `;` never occurs in a plain field before the fourth, a newline nowhere."""
    rows: dict[str, str] = {}
    for line in lines:
        name = line[: line.index(",")]
        rows[name] = f"{rows[name]}\n{line}" if name in rows else line
    return rows


def _quoted(body: str, where: str) -> dict[str, str]:
    """Read lines of which some are quoted (RFC 4180), and write them plainly."""
    plain = []
    reader = csv.reader(io.StringIO(body, newline=""), strict=True)
    try:
        for fields in reader:
            if len(fields) != len(_FIELDS) or not all(
                pattern.fullmatch(text) for pattern, text in zip(_FIELDS, fields, strict=True)
            ):
                raise _line_error(fields, reader.line_num + 1, where)
            plain.append(",".join((*fields[:3], "", "")))
    except csv.Error as e:
        raise UsageError(f"not CSV: {e}", where=where, place=f"line {reader.line_num + 1}") from e
    return _merged(plain)


def _line_error(fields: Sequence[str], line: int, where: str) -> UsageError:
    """Say what is wrong with a line, by its fields."""
    expected = ("a package name", "versions or ranges (>=1.0.0<1.2.3) joined by | (or *)", "an id", "a wave", "sources")
    if len(fields) != len(_FIELDS):
        wrong = f"{len(fields)} fields, expected {len(_FIELDS)} ({HEADER})"
    else:
        wrong = next(
            (
                f"{column} is {text[:80]!r}, expected {what}"
                for column, what, pattern, text in zip(HEADER.split(","), expected, _FIELDS, fields, strict=True)
                if not pattern.fullmatch(text)
            ),
            "not a plain line",
        )
    return UsageError(
        wrong,
        where=where,
        place=f"line {line}",
        hint="one package a line; a range is >=1.0.0<1.2.3, all versions are *",
    )


def join(packages: Iterable[Package], lists: Sequence[MaliciousList]) -> dict[str, Hits]:
    """Return what the lists say of each package, by package id; packages that no list names are left out.

    A package is looked up by the real name and version of its entry, and by those that its address names, so that
    an entry which lies about one of them is found by the other (CASES A05, A10). The project's own workspaces and
    links are never matched (CASES L30). Versions are compared without build metadata, as semver does.
    """
    candidates: dict[str, tuple[tuple[str, str], ...]] = {}
    names: set[str] = set()
    for package in packages:
        if package.kind in OWN_KINDS:
            continue
        entry = (package.name, package.version or "")
        names.add(package.name)
        address = addressed(package)
        if address is None or address == entry:
            candidates[package.id] = (entry,)
        else:
            names.add(address[0])
            candidates[package.id] = (entry, address)
    tables = [(one.name, {name: row for name in names if (row := one.rows.get(name)) is not None}) for one in lists]
    listed = {name for _, rows in tables for name in rows}
    return {
        id_: hits
        for id_, those in candidates.items()
        if (those[0][0] in listed or those[-1][0] in listed) and (hits := _look_up(those, tables)) is not None
    }


def ids(name: str, version: str, lists: Sequence[MaliciousList]) -> tuple[str, ...]:
    """Return the ids by which the lists name exactly this version of a package, sorted; () where none does."""
    hits = _look_up([(name, version)], [(one.name, one.rows) for one in lists])
    return () if hits is None else hits.exact


def _look_up(candidates: Iterable[tuple[str, str]], tables: Iterable[tuple[str, Rows]]) -> Hits | None:
    exact: set[str] = set()
    other: set[str] = set()
    for list_name, rows in tables:
        for name, version in candidates:
            if (row := rows.get(name)) is None:
                continue
            for line in row.split("\n"):
                _, versions, identifier, *_ = line.split(",")
                named = versions == "*" or _is_named(_release(version), versions.split("|"))
                (exact if named else other).add(identifier or list_name)
    return Hits(exact=tuple(sorted(exact)), other=tuple(sorted(other - exact))) if exact or other else None


def addressed(package: Package) -> tuple[str, str] | None:
    """Return (name, version) that a package's address names, whatever its entry says; None where it names none.

    The address `https://registry/@scope/name/-/name-1.0.0.tgz`, as a registry reads it: no query, no fragment,
    percent-encoding undone.
    """
    url = package.resolved
    if url is None:
        return None
    if "%" in url or "?" in url or "#" in url:
        url = unquote(url.partition("#")[0].partition("?")[0])
    path, _, file = url.removesuffix("\n").rpartition("/-/")
    before, slash, name = path.rpartition("/")
    if not slash or not name or "@" in name or "/" in file or not file.startswith(f"{name}-"):
        return None
    version = file[len(name) + 1 :].removesuffix(".tgz")
    if version[:1] not in _DIGITS or not file.endswith(".tgz"):
        return None
    _, slash, scope = before.rpartition("/")
    return (f"{scope}/{name}" if slash and scope[:1] == "@" and scope != "@" else name), version


_DIGITS = frozenset("0123456789")


def _release(version: str) -> str:
    """Return the version as semver compares it for equality."""
    return version.strip().lstrip("=v").partition("+")[0]


def _is_named(version: str, named: Iterable[str]) -> bool:
    """Whether one of the named versions or ranges holds the version."""
    named = tuple(named)
    if any(one[0] not in "<>" and _release(one) == version for one in named):
        return True
    ranges = [one for one in named if one[0] in "<>"]
    key = _key(version) if ranges else None
    return key is not None and any(
        all(_COMPARE[sign](key, _bound(bound)) for sign, bound in _BOUNDS.findall(one)) for one in ranges
    )


# A version as semver 2.0.0, clause 11, orders it: numbers below words, a prerelease below its release.
_Key = tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]
_SEMVER = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([0-9A-Za-z.-]+))?", re.ASCII)
_MAX_VERSION = 256  # characters, as npm has it
_BOUNDS = re.compile(r"(>=|<=|<)([^<>=]+)")
_COMPARE: Mapping[str, Callable[[_Key, _Key], bool]] = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


def order(version: str) -> _Key:
    """Return what sorts an exact version as semver 2.0.0 orders them.

    Raises:
        UsageError: it is no version.
    """
    return _bound(version)


def _key(version: str) -> _Key | None:
    found = _SEMVER.fullmatch(version) if len(version) <= _MAX_VERSION else None
    if found is None:
        return None
    parts = found[4].split(".") if found[4] else []
    identifiers = tuple((False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts)
    return (int(found[1]), int(found[2]), int(found[3])), not parts, identifiers


def _bound(version: str) -> _Key:
    key = _key(_release(version))
    if key is None:
        raise UsageError(f"{version[:80]!r} is no version", where="list of malicious packages", place="versions")
    return key
