"""The package managers' indexes: which tarballs they fetched, when, and under which address and integrity.

npm's cacache (`_cacache/index-v5`: lines of a checksum, a tab and JSON; entries that were removed stay as lines) and
pnpm's store (`index.db` from store version 11 on, `index/` of version 10, `-index.json` before). The metadata of a
registry, which names every version that there is, says nothing of what was here and is left out.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson

from sbomgate.errors import InputError
from sbomgate.hunt import Mention, Wanted, _text
from sbomgate.hunt._walk import Entry

MAX_INDEX_BYTES = 64 << 20  # of one file of npm's index: its lines have some hundred bytes
MAX_PACKAGE_INDEX_BYTES = 64 << 20  # of one package's list of files in pnpm's store

_VERSION = _text.VERSION.decode()
_KEYED = re.compile(rf"(sha\d+-[A-Za-z0-9+/=]+)\t(@?[^@\s]+)@({_VERSION})(?:\D.*)?", re.DOTALL)
_TEN = re.compile(rf"[0-9a-f]+-(@?[^@]+)@({_VERSION})(?:_.*)?\.(?:json|mpk)", re.DOTALL)


def look(entry: Entry, _: Wanted) -> Iterator[Mention]:
    """Yield the packages that an index of npm's cache or pnpm's store says were fetched."""
    if entry.is_folder:
        return
    if "/_cacache/index-v5/" in entry.folder:
        yield from _npm(entry)
    elif entry.name == "index.db":
        yield from _pnpm_database(entry)
    elif entry.name.endswith("-index.json") and "/files/" in entry.folder:
        yield from _pnpm_file(entry)
    elif "/index/" in entry.folder and (found := _TEN.fullmatch(entry.name)) is not None:
        name = _text.folder_name(found[1])
        yield Mention(name=name, version=found[2], kind="pnpm store", time=entry.changed())


def _npm(entry: Entry) -> Iterator[Mention]:
    data = entry.read(MAX_INDEX_BYTES)
    if b".tgz" not in data and b"pacote:" not in data:
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.partition(b"\t")[2]
        if not text:
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue  # cacache passes over what was cut as well
        if not isinstance(value, dict) or not isinstance(key := value.get("key"), str):
            continue
        integrity, at = value.get("integrity"), value.get("time")
        time = _milliseconds(at) or entry.changed()
        bound = integrity.split()[0] if isinstance(integrity, str) and integrity.strip() else ""
        found = [
            (name, version, address) for name, version, _, address in _text.addresses(key.encode("utf-8", "replace"))
        ]
        if key.startswith("pacote:tarball:"):
            raw = key.removeprefix("pacote:tarball:").encode("utf-8", "replace")
            found += [(name, version, "") for name, version, _ in _text.pairs(_text.AT, raw)]
        for name, version, address in found:
            yield Mention(
                name=name,
                version=version,
                kind="npm cache",
                place=f"line {number}",
                time=time,
                address=address,
                integrity=bound,
            )


def _pnpm_database(entry: Entry) -> Iterator[Mention]:
    """Store version 11: a table whose keys are `integrity TAB name@version`."""
    with entry.open() as file:
        if file.read(16) != b"SQLite format 3\x00":
            return
    try:
        connection = entry.database()
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "package_index" not in tables:
                return
            keys = [key for (key,) in connection.execute("SELECT key FROM package_index")]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise InputError(f"pnpm's index cannot be read: {error}", where=entry.path) from error
    for key in sorted(key for key in keys if isinstance(key, str)):
        if (found := _KEYED.fullmatch(key)) is not None:
            yield Mention(name=found[2], version=found[3], kind="pnpm store", time=entry.changed(), integrity=found[1])


def _pnpm_file(entry: Entry) -> Iterator[Mention]:
    data = entry.read(MAX_PACKAGE_INDEX_BYTES)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError("pnpm's index of a package is no JSON", where=entry.path) from error
    if isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("version"), str):
        yield Mention(name=value["name"], version=value["version"], kind="pnpm store", time=entry.changed())


def _milliseconds(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(value / 1000, UTC) if type(value) is int else None
    except (ValueError, OverflowError, OSError):
        return None
