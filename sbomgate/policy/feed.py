"""Feeds of malicious packages, made into a list of ours: OSV (a zip, one record, an array of them) and CSV. Pure.

The list is of malicious versions, which no waiver covers. So an OSV record counts only where it says that the package
is malicious: its id or an alias of it begins with `MAL-` (OpenSSF's malicious-packages), or its CWE is 506, embedded
malicious code (GitHub's malware advisories). A vulnerability is no malware, and is left out. Of ranges, those of the
types SEMVER and ECOSYSTEM are read (npm's versions are semver): https://ossf.github.io/osv-schema/
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sbomgate import strict_json
from sbomgate.errors import InputError
from sbomgate.policy import lists

MAX_FEED_BYTES = 1 << 30
"""Bytes of one feed, as it lies on disk: OSV's zip for npm has below 300 MB."""

MAX_RECORD_BYTES = 8 << 20
"""Bytes of one record in a zip: the largest names some thousand versions."""

MAX_RECORDS = 2_000_000
"""Members of one zip: npm's has a quarter of a million."""

MAX_UNPACKED_BYTES = 8 << 30
"""Bytes of all members together."""

MAX_EVENTS = 10_000
"""Events of one range."""

_NAME = re.compile(r'(?:@[^\s,/@"|<>#]+/)?[^\s,/@"|<>#]+')
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9:._-]{1,128}", re.ASCII)
_HINT = "a feed is OSV (a zip, one record, or an array of records) or CSV with the columns name and version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was made of feeds.

    Attributes:
        data: the list, sealed (`lists.load` reads it): the same bytes for the same feeds in any order.
        names: package names in it. lines: its lines: one for each name and id.
        skipped: why → how many records or versions were left out for that.
    """

    data: bytes
    names: int
    lines: int
    skipped: Mapping[str, int]


def read(feeds: Mapping[str, bytes]) -> Imported:
    """Make one list of feeds (where it is from, for errors → its bytes).

    Raises:
        InputError: a feed is none, has two meanings, or is over a limit; the message names the record or line.
        UsageError: a list of ours is not good.
    """
    skipped: Counter[str] = Counter()
    found: dict[tuple[str, str], set[str]] = {}
    for where, data in feeds.items():
        if len(data) > MAX_FEED_BYTES:
            raise InputError(f"{len(data):,} bytes, at most {MAX_FEED_BYTES:,} are read", where=where)
        for name, identifier, versions in _rows(data, where, skipped):
            found.setdefault((name, identifier), set()).update(versions)
    lines = [f"{name},{_joined(versions)},{identifier},," for (name, identifier), versions in found.items()]
    names = len({name for name, _ in found})
    return Imported(data=lists.seal(lines), names=names, lines=len(lines), skipped=dict(sorted(skipped.items())))


Row = tuple[str, str, list[str]]  # name, id, versions


def _rows(data: bytes, where: str, skipped: Counter[str]) -> Iterator[Row]:
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        for place, record in _members(data, where):
            yield from _record(strict_json.loads(record, f"{where}: {place}"), where, place, skipped)
    elif data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        document = strict_json.loads(data, where, limit=MAX_FEED_BYTES)
        if isinstance(document, dict) and isinstance(document.get("vulns"), list):
            document = document["vulns"]
        for index, record in enumerate(document if isinstance(document, list) else [document]):
            yield from _record(record, where, f"[{index}]" if isinstance(document, list) else "", skipped)
    else:
        yield from _csv(data, where)


def _joined(versions: set[str]) -> str:
    return "*" if "*" in versions else "|".join(sorted(versions))


# --------------------------------------------------------------------------------------------------------------------
# OSV


def _members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each record of a zip. Nothing is written anywhere, whatever the names are."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_RECORDS:
                raise InputError(f"{len(members):,} members, at most {MAX_RECORDS:,} are read", where=where)
            seen, size = set(), 0
            for member in members:
                name = member.filename
                # (1) a record has one name, which leads nowhere
                if name.startswith("/") or "\\" in name or ".." in name.split("/") or not name.isprintable():
                    raise InputError("a name that leads elsewhere", where=where, place=ascii(name[:200]), hint=_HINT)
                if name in seen:
                    raise InputError("is there twice", where=where, place=name[:200])
                seen.add(name)
                if name.endswith("/"):
                    continue
                if not name.endswith(".json") or member.flag_bits & 1:
                    raise InputError("is no plain JSON record", where=where, place=name[:200], hint=_HINT)
                # (2) what comes out is counted, not what the directory says
                with archive.open(member) as file:
                    record = file.read(MAX_RECORD_BYTES + 1)
                size += len(record)
                if len(record) > MAX_RECORD_BYTES or size > MAX_UNPACKED_BYTES:
                    raise InputError(
                        f"unpacks to more than {MAX_RECORD_BYTES:,} bytes, or all to more than {MAX_UNPACKED_BYTES:,}",
                        where=where,
                        place=name[:200],
                    )
                yield name, record
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
            lzma.LZMAError) as e:  # fmt: skip
        raise InputError(f"the zip cannot be read: {e}", where=where, hint="download it again") from e


def _record(record: object, where: str, place: str, skipped: Counter[str]) -> Iterator[Row]:
    if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not _ID.fullmatch(record["id"]):
        raise InputError("is no OSV record: it has no good id", where=where, place=place, hint=_HINT)
    identifier: str = record["id"]
    place = f"{place} {identifier}".strip()
    if record.get("withdrawn") is not None:
        skipped["withdrawn records"] += 1
        return
    affected = _list(record, "affected", where, place)
    of_npm = [
        one
        for one in affected
        if isinstance(one, dict) and isinstance(one.get("package"), dict) and one["package"].get("ecosystem") == "npm"
    ]
    if not of_npm:
        skipped["records of other ecosystems"] += 1
        return
    if not _malicious(record, affected, where, place):
        skipped["vulnerabilities: not malicious"] += 1
        return
    for one in of_npm:
        name = one["package"].get("name")
        if not isinstance(name, str) or len(name) > 256 or not _NAME.fullmatch(name):
            raise InputError(f"{ascii(name)[:80]} is no package name", where=where, place=f"{place}: affected.package")
        versions = list(_versions(one, where, place, skipped))
        if versions:
            yield name, identifier, versions
        else:
            skipped["packages of which no version is named"] += 1


def _malicious(record: Mapping[str, Any], affected: Iterable[Any], where: str, place: str) -> bool:
    names = [record["id"], *_list(record, "aliases", where, place)]
    if any(isinstance(name, str) and name.startswith("MAL-") for name in names):
        return True
    stated = [record, *(one for one in affected if isinstance(one, dict))]
    return any(
        "CWE-506" in (cwes if isinstance(cwes := specific.get("cwe_ids"), list) else ())
        for one in stated
        if isinstance(specific := one.get("database_specific"), dict)
    )


def _versions(one: Mapping[str, Any], where: str, place: str, skipped: Counter[str]) -> Iterator[str]:
    for version in _list(one, "versions", where, place):
        if _is_version(version):
            yield version
        else:
            skipped["versions that are not semver"] += 1
    for span in _list(one, "ranges", where, place):
        if not isinstance(span, dict) or span.get("type") not in ("SEMVER", "ECOSYSTEM"):
            skipped["ranges of commits"] += 1
            continue
        yield from _range(_list(span, "events", where, place), where, place)


def _range(events: list[Any], where: str, place: str) -> Iterator[str]:
    """Yield a range's spans: `introduced` begins one, `fixed` (not included) or `last_affected` (included) ends it."""
    if len(events) > MAX_EVENTS:
        raise InputError(f"more than {MAX_EVENTS} events", where=where, place=place)
    begin: str | None = None
    for kind, version in sorted((_event(event, where, place) for event in events), key=_order):
        if kind == "introduced":
            if begin is None:
                begin = version
        elif begin is not None:
            sign = "<" if kind == "fixed" else "<="
            yield f"{sign}{version}" if begin == "0" else f">={begin}{sign}{version}"
            begin = None
    if begin is not None:
        yield "*" if begin == "0" else f">={begin}"


def _is_version(version: object) -> bool:
    return isinstance(version, str) and len(version) <= 256 and _VERSION.fullmatch(version) is not None


def _event(event: object, where: str, place: str) -> tuple[str, str]:
    if isinstance(event, dict) and len(event) == 1:
        ((kind, version),) = event.items()
        known = kind in ("introduced", "fixed", "last_affected")
        if known and (_is_version(version) or (kind == "introduced" and version == "0")):
            return kind, version
    raise InputError(
        f"{ascii(event)[:120]} is no event of a semver range",
        where=where,
        place=f"{place}: affected.ranges.events",
        hint="expected introduced, fixed or last_affected with a version",
    )


def _order(event: tuple[str, str]) -> tuple[bool, object, int]:
    """By version; of equal ones what ends a span comes before what begins the next, but for `last_affected`."""
    kind, version = event
    rank = {"fixed": 0, "introduced": 1, "last_affected": 2}[kind]
    return (False, (), rank) if version == "0" else (True, lists.order(version), rank)


def _list(of: Mapping[str, Any], key: str, where: str, place: str) -> list[Any]:
    value = of.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{key} is no array", where=where, place=place, hint=_HINT)
    return value


# --------------------------------------------------------------------------------------------------------------------
# CSV

_COLUMNS = {
    "name": "name",
    "package": "name",
    "package_name": "name",
    "version": "versions",
    "versions": "versions",
    "package_version": "versions",
    "id": "id",
    "osv_id": "id",
}
_SEPARATORS = re.compile(r"\s*(?:\|\|?|;|,)\s*")
_SPAN = re.compile(rf"(?:>={_VERSION.pattern})?(?:<=?{_VERSION.pattern})?", re.ASCII)


def _csv(data: bytes, where: str) -> Iterator[Row]:
    """Read CSV with a header: a column for the name, one for versions, and one for an id where there is one."""
    if data.startswith(lists.HEADER.encode() + b"\n"):
        lists.load(data, name="", where=where)  # of our own lists the seal counts
        data = re.sub(rb"#sealed,[^\n]*\n\Z", b"", data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"not UTF-8 at byte {e.start}", where=where, hint=_HINT) from e
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip().lower().replace(" ", "_") for column in next(reader, [])]
        at = {_COLUMNS[column]: index for index, column in enumerate(header) if column in _COLUMNS}
        if "name" not in at or "versions" not in at or len(at) != sum(column in _COLUMNS for column in header):
            raise InputError(
                f"the columns are {', '.join(header)[:120] or 'none'}; expected one for the name and one for versions",
                where=where,
                place="line 1",
                hint=_HINT,
            )
        for fields in reader:
            if fields:
                yield _fields(fields, at, len(header), where, f"line {reader.line_num}")
    except csv.Error as e:
        raise InputError(f"not CSV: {e}", where=where, place=f"line {reader.line_num + 1}", hint=_HINT) from e


def _fields(fields: list[str], at: Mapping[str, int], width: int, where: str, place: str) -> Row:
    if len(fields) != width:
        raise InputError(f"{len(fields)} fields, expected {width}", where=where, place=place)
    name = fields[at["name"]].strip()
    if len(name) > 256 or not _NAME.fullmatch(name):
        raise InputError(f"{name[:80]!r} is no package name", where=where, place=place)
    identifier = fields[at["id"]].strip() if "id" in at else ""
    if identifier and not _ID.fullmatch(identifier):
        raise InputError(f"{identifier[:80]!r} is no id", where=where, place=place)
    versions = []
    for part in _SEPARATORS.split(fields[at["versions"]].strip()):
        version = re.sub(r"\s+", "", part).removeprefix("=").removeprefix("v")
        if not version or not (version == "*" or _VERSION.fullmatch(version) or _SPAN.fullmatch(version)):
            raise InputError(
                f"{part[:80]!r} is no version",
                where=where,
                place=place,
                hint="exact versions, >=1.0.0<1.2.3, or *, joined by |",
            )
        versions.append(version)
    return name, identifier, versions
