"""Logs of npm, pnpm, yarn and CI systems, plain, gzip or zip. A line that names a version or a tarball is a trace.

GitHub hands out the logs of a run as a zip of texts, `logs_123.zip`.
The time is the line's own (ISO 8601 at its start, as CI systems write it), else that in the name of npm's debug log,
else when the file was last changed.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import IO, cast

from sbomgate.errors import InputError
from sbomgate.hunt import Mention, Wanted, _text, image, lockfile
from sbomgate.hunt._walk import Entry

MAX_LOG_BYTES = 4 << 30  # of one log, unpacked
MAX_MEMBERS = 100_000  # files of one zip: GitHub's has one a step, 1,000 steps a job and 256 jobs at most
MAX_LINES = 100  # of one log that are told for one version; of the others the number
_PIECE = 4 << 20  # bytes that are searched at once, cut at the end of a line
_MAX_LINE = 1 << 20  # a longer line is searched in parts

_LOG = re.compile(r".*\.log(?:\.\d+)?(?:\.gz)?", re.DOTALL)
_TEXT = re.compile(r".*\.txt(?:\.gz)?", re.DOTALL)
_ZIP = re.compile(r"(?i:logs?(?:[_-].*)?\.zip|.*[._-]logs?\.zip)", re.DOTALL)
_LOG_FOLDERS = ("/logs/", "/log/", "/_logs/")
_NPM_NAME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)_(\d\d)_(\d\d)_\d+Z-debug")
_LINE_TIME = re.compile(rb"\s*(?:\d+ )?\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?")
_COLOUR = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
# npm: `add axios 1.14.1`, `change axios 1.14.0 => 1.14.1`; pnpm: `+ axios 1.14.1`
_SPACED = re.compile(
    rb"(?:^|[\s\xb7])(?:add|change|\+)\s+(" + _text.PACKAGE + rb")\s+(?:\S+ => )?v?(" + _text.VERSION + rb")(?=\s|$)"
)
# npm's bulk request for an audit: `axios: [ '1.14.1' ]`
_BULK = re.compile(rb"'?(" + _text.PACKAGE + rb")'?: \[ ((?:'[^'\s]+',? )+)\]")


def look(entry: Entry, wanted: Wanted) -> Iterator[Mention]:
    """Yield the wanted packages that a log names."""
    if entry.is_folder or not _is_log(entry):
        return
    named = _NPM_NAME.match(entry.name)
    fallback = (
        datetime.fromisoformat(f"{named[1]}T{named[2]}:{named[3]}:{named[4]}+00:00") if named else entry.changed()
    )
    if entry.name.lower().endswith(".zip"):
        yield from _zip(entry, fallback, wanted)
        return
    with entry.open() as raw:
        start = raw.read(2)
        raw.seek(0)
        if start == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as file:
                yield from _lines(cast("IO[bytes]", file), entry, MAX_LOG_BYTES, fallback, wanted, "")
        else:
            yield from _lines(raw, entry, MAX_LOG_BYTES, fallback, wanted, "")


def _zip(entry: Entry, fallback: datetime | None, wanted: Wanted) -> Iterator[Mention]:
    """Yield what the logs in a zip name: its files that end as logs or texts do.

    Raises:
        InputError: no zip, encrypted, too much of it, or none of its files is a log.
    """
    try:
        with entry.open() as raw, zipfile.ZipFile(raw) as archive:
            members = [
                one for one in archive.infolist() if _LOG.fullmatch(one.filename) or _TEXT.fullmatch(one.filename)
            ]
            if len(members) > MAX_MEMBERS:
                raise InputError(f"more than {MAX_MEMBERS:,} files, none is read", where=entry.path)
            if not members:
                raise InputError("no file in it is a log: unpack it, and name the folder", where=entry.path)
            left = MAX_LOG_BYTES
            for member in members:
                with archive.open(member) as file:
                    yield from _lines(file, entry, left, fallback, wanted, f"{member.filename}: ")
                    left -= file.tell()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        # encrypted is a RuntimeError, an unknown compression a NotImplementedError
        raise InputError(f"a zip that cannot be unpacked to its end: {error}", where=entry.path) from error


def _lines(
    file: IO[bytes], entry: Entry, limit: int, fallback: datetime | None, wanted: Wanted, place: str
) -> Iterator[Mention]:
    number, told = 1, Counter[tuple[str, str]]()
    for piece in _pieces(file, entry, limit):
        if wanted.may_be_in(piece):
            for one in _of(piece, number, fallback, wanted):
                told[one.name, one.version] += 1
                if told[one.name, one.version] <= MAX_LINES:
                    yield replace(one, place=f"{place}{one.place}")
        number += piece.count(b"\n")
    for (name, version), times in told.items():
        if times > MAX_LINES:
            more = f"{place}{times - MAX_LINES:,} more"
            yield Mention(name=name, version=version, kind="log", place=more, time=fallback)


def _is_log(entry: Entry) -> bool:
    if entry.is_named:
        other = lockfile.reads(entry.name) or entry.name == "package.json" or entry.name.endswith(".db")
        return not other and not image.is_image(entry)
    if "/node_modules/" in entry.folder:
        return False  # what a package ships is no log of this machine
    if _LOG.fullmatch(entry.name) or _ZIP.fullmatch(entry.name):
        return True
    return (entry.name.endswith(".zip") and entry.folder.endswith(_LOG_FOLDERS)) or (
        _TEXT.fullmatch(entry.name) is not None and any(name in entry.folder for name in _LOG_FOLDERS)
    )


def _of(piece: bytes, first: int, fallback: datetime | None, wanted: Wanted) -> Iterator[Mention]:
    text = _COLOUR.sub(b"", piece) if b"\x1b" in piece else piece
    found = [(name, version, at, address) for name, version, at, address in _text.addresses(text)]
    for pattern in (_text.AT, _text.VIRTUAL, _SPACED):
        found += [(_text.folder_name(name), version, at, "") for name, version, at in _text.pairs(pattern, text)]
    for match in _BULK.finditer(text):
        name = match[1].decode("utf-8", "replace")
        found += [
            (name, one.decode("utf-8", "replace"), match.start(), "") for one in re.findall(rb"'([^']+)'", match[2])
        ]
    number, counted = first, 0
    for name, version, at, address in sorted(found, key=itemgetter(2)):
        if not wanted.ids(name, version):
            continue
        number, counted = number + text.count(b"\n", counted, at), at
        start = text.rfind(b"\n", 0, at) + 1
        yield Mention(
            name=name,
            version=version,
            kind="log",
            place=f"line {number}",
            time=_time(text[start : start + 64]) or fallback,
            address=address,
        )


def _time(line: bytes) -> datetime | None:
    found = _LINE_TIME.match(line)
    if found is None:
        return None
    zone = (found[3] or b"Z").decode().replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(f"{found[1].decode()}T{found[2].decode()}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _pieces(file: IO[bytes], entry: Entry, limit: int) -> Iterator[bytes]:
    """Yield a log in pieces that end with a line.

    Raises:
        InputError: what is packed is broken or cut, or more than `limit` bytes; what came before was yielded.
    """
    size, rest = 0, b""
    try:
        while data := file.read(_PIECE):
            size += len(data)
            if size > limit:
                raise InputError(f"more than {MAX_LOG_BYTES:,} bytes, the rest is not read", where=entry.path)
            data = rest + data
            end = data.rfind(b"\n") + 1
            if end == 0 and len(data) > _MAX_LINE:
                end = len(data)
            yield data[:end]
            rest = data[end:]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"cannot be unpacked to its end: {error}", where=entry.path) from error
    yield rest
