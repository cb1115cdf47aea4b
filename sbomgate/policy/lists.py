"""Lists of known-malicious packages, and the join with a project's packages.

A list is a CSV file (UTF-8) with the header `name,versions,osv_id,wave,sources`; `versions` are joined by `|`: exact
versions, ranges (`>=1.0.0<1.2.3`, `>=1.0.0<=1.2.2`, `<2.0.0`, `>=3.0.0`, compared as semver 2.0.0 orders versions,
prereleases included), or `*` for every version. Names are compared letter by letter.

A list may be sealed: sorted, and ended by a line with the SHA-256 of what stands above it. `sbomgate feed import`
checks every line and seals what it writes, so that a quarter of a million lines need not be checked in every run.

The join is done here and Rego is handed only the hits: a quarter of a million names in a policy's data would slow
every start of the engine (CASES W13).
"""

from __future__ import annotations

import csv
import hashlib
import io
import operator
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from sbomgate.errors import UsageError
from sbomgate.model import Kind, Package

SHIPPED = ("policies", "data", "known_malicious.csv")
"""Where the shipped list lies (`resources.path(*SHIPPED)`): the versions of the Axios incident of March 2026."""

HEADER = "name,versions,osv_id,wave,sources"

MAX_LIST_BYTES = 256 * 1024 * 1024
"""Bytes of one list: OSV's whole npm export as such a CSV is about 20 MB."""

# Possessive throughout: a hostile line costs what it is long.
_NAME = r'(?:@[^\s,/@"|]++/)?[^\s,/@"|]++'
_VERSION = r'[0-9]++\.[0-9]++\.[0-9]++(?:[-+][^\s,"|<>=]++)?'
_BOUNDED = rf"(?:{_VERSION}|>={_VERSION}(?:<=?{_VERSION})?+|<=?{_VERSION})"
_VERSIONS = rf"(?:\*|{_BOUNDED}(?:\|{_BOUNDED})*+)"
_ID = r"[A-Za-z0-9:._-]*+"
_FIELDS = tuple(re.compile(pattern) for pattern in (_NAME, _VERSIONS, _ID, r"[^\n]*+", r"[^\n]*+"))
# All lines at once; where it stops is the first line that is not five plain fields.
_LINES = re.compile(rf'(?:{_NAME},{_VERSIONS},{_ID},[^,"\n]*+,[^,"\n]*+(?:\n|\Z))*+')
# `https://registry/@scope/name/-/name-1.0.0.tgz`: what the address says it is, whatever the entry calls itself.
_TARBALL = re.compile(r"/((?:@[^/]+/)?([^/@]+))/-/\2-([0-9][^/]*)\.tgz$")


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
        entries: number of package names; of a sealed list, of lines.
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
    if found := _SEAL.search(data, max(0, len(data) - _SEAL_BYTES)):
        return _sealed(data[: found.start()], found, name, where)
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
        matched = _LINES.match(body)
        good = matched.end() if matched else 0
        if good != len(body):
            number = body.count("\n", 0, good)
            raise _line_error(body[good:].partition("\n")[0].split(","), number + 2, where)
        lines = body.split("\n") if body else []
        rows = {line[: line.index(",")]: line for line in lines}
        if len(rows) != len(lines):
            rows = _merged(lines)
    return MaliciousList(name=name, sha256=hashlib.sha256(data).hexdigest(), entries=len(rows), rows=rows)


_SEAL = re.compile(rb"^#sealed,sha256=([0-9a-f]{64}),,,\n\Z", re.MULTILINE)
_SEAL_BYTES = 128  # its line is shorter


def _sealed(body: bytes, found: re.Match[bytes], name: str, where: str) -> MaliciousList:
    digest = hashlib.sha256(body)
    if digest.hexdigest() != found[1].decode():
        raise UsageError(
            "the list was altered after it was sealed",
            where=where,
            place="last line",
            hint="import it again, or remove its last line: it is then checked line by line",
        )
    digest.update(found[0])
    entries = body.count(b"\n") - 1
    return MaliciousList(name=name, sha256=digest.hexdigest(), entries=entries, rows=_Sealed(body))


def seal(lines: Iterable[str]) -> bytes:
    """Return a sealed list of these lines, sorted by name. Each is checked as `load` checks it.

    Raises:
        UsageError: a line is not five good fields.
    """
    ordered = sorted(set(lines), key=lambda line: (line[: line.index(",")].encode(), line))
    body = "".join(f"{line}\n" for line in (HEADER, *ordered)).encode()
    load(body, name="", where="list")
    return body + b"#sealed,sha256=%s,,,\n" % hashlib.sha256(body).hexdigest().encode()


class _Sealed:
    """The lines of a sealed list, found by halving: they are sorted by name, and nothing of them is copied or split."""

    _BLOCK = 8192  # bytes that are searched for a name

    def __init__(self, body: bytes) -> None:
        self._body = body
        first = body.index(b"\n") + 1
        self._starts = [first] if first < len(body) else []
        for at in range(first + self._BLOCK, len(body), self._BLOCK):
            start = body.find(b"\n", at) + 1
            if 0 < start < len(body) and start != self._starts[-1]:
                self._starts.append(start)
        self._heads = [body[start : body.index(b",", start)] for start in self._starts]

    def get(self, name: str, /) -> str | None:
        """Return the lines of a name, joined by newlines, or None."""
        try:
            wanted = name.encode()
        except UnicodeEncodeError:
            return None
        block = bisect_left(self._heads, wanted)  # its lines begin in the block before, or at the start of this one
        begin = self._starts[block - 1] if block else (self._starts[0] if self._starts else len(self._body))
        end = self._starts[block] + len(wanted) + 1 if block < len(self._starts) else len(self._body)
        start = self._body.find(b"\n" + wanted + b",", begin - 1, end) + 1
        if not start:
            return None
        stop = start
        while self._body.startswith(wanted + b",", stop):
            stop = self._body.index(b"\n", stop) + 1
        return self._body[start : stop - 1].decode()


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
    found: dict[str, Hits] = {}
    tables = [(one.name, one.rows) for one in lists]
    for package in packages:
        if package.kind in _OWN:
            continue
        candidates = {(package.name, package.version or "")}
        if (address := addressed(package)) is not None:
            candidates.add(address)
        if (hits := _look_up(candidates, tables)) is not None:
            found[package.id] = hits
    return found


def ids(name: str, version: str, lists: Sequence[MaliciousList]) -> tuple[str, ...]:
    """Return the ids by which the lists name exactly this version of a package, sorted; () where none does."""
    hits = _look_up({(name, version)}, [(one.name, one.rows) for one in lists])
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


_OWN = frozenset({Kind.ROOT, Kind.WORKSPACE, Kind.LINK})


def addressed(package: Package) -> tuple[str, str] | None:
    """Return (name, version) that a package's address names, whatever its entry says; None where it names none."""
    found = None if package.resolved is None else _TARBALL.search(_plain(package.resolved))
    return None if found is None else (found[1], found[3])


def _plain(url: str) -> str:
    """Return the URL's path as a registry reads it: no query, no fragment, percent-encoding undone."""
    url = url.partition("#")[0].partition("?")[0]
    return unquote(url) if "%" in url else url


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
