"""Lockfiles, and what managers write in their shape: the lockfile hidden in node_modules, yarn's state and Plug'n'Play.

The text is searched first. Where it may hold what is wanted, the reader that the gate uses says what the lockfile
really locks (a name in `overrides` is no trace); where that reader refuses it, the text's word counts, and says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from sbomgate.errors import InputError
from sbomgate.hunt import Mention, Wanted, _text
from sbomgate.hunt._walk import Entry

MAX_LOCKFILE_BYTES = 256 << 20  # a lockfile of 100,000 packages has some 40 MB
MAX_PIECES = 2_000_000  # of one history that are remembered, some 200 MB: those beyond are searched again

_V = _text.VERSION
_JSON = (
    re.compile(rb'"(?:[^"\n]*node_modules/)?((?:@[^"/\n]+/)?[^"/\n]+)":\s*\{\s*"version":\s*"v?(' + _V + rb')"'),
    re.compile(rb'"name":\s*"([^"\n]+)",\s*"version":\s*"v?(' + _V + rb')"'),
    _text.AT,
)
_PNPM = (_text.AT, re.compile(rb"^ +['\"]?/((?:@[^/\s]+/)?[^/\s@]+)/(" + _V + rb")", re.MULTILINE))
_YARN = (
    re.compile(rb'^"?((?:@[^@\s",/]+/)?[^@\s",/]+)@[^\n]*:\r?\n +version:? "?v?(' + _V + rb')"?', re.MULTILINE),
    re.compile(rb'resolution: "((?:@[^@\s",/]+/)?[^@\s",/]+)@npm:v?(' + _V + rb")"),
)
_PNP = (re.compile(rb'\["((?:@[^"/\n]+/)?[^"/\n]+)",\s*"(?:virtual:[0-9a-f]+#)?npm:(' + _V + rb")"), _text.AT)

# Name of the file → its patterns, and the name under which a reader of ours reads it; "" where none does.
_KINDS = {
    "package-lock.json": (_JSON, "package-lock.json"),
    "npm-shrinkwrap.json": (_JSON, "npm-shrinkwrap.json"),
    ".package-lock.json": (_JSON, ""),
    "pnpm-lock.yaml": (_PNPM, "pnpm-lock.yaml"),
    "yarn.lock": (_YARN, "yarn.lock"),
    "bun.lock": ((_text.AT,), "bun.lock"),
    ".yarn-state.yml": ((_text.AT,), ""),
    ".yarn-integrity": ((), ""),
    ".pnp.cjs": (_PNP, ""),
    ".pnp.data.json": (_PNP, ""),
}
NAMES = tuple(sorted(name for name, (_, reader) in _KINDS.items() if reader))
"""Lockfiles that people commit and a reader of ours reads."""

BINARY = "bun.lockb"
CANNOT = "bun.lockb is binary and is not read: `bun install --save-text-lockfile` writes the one that is"


def reads(name: str) -> bool:
    """Return whether a file of this name is looked into here."""
    return name in _KINDS or name == BINARY


def look(entry: Entry, wanted: Wanted) -> Iterator[Mention]:
    """Yield the wanted packages that a lockfile locks.

    Raises:
        InputError: bun's binary lockfile.
    """
    if entry.is_folder:
        return
    if entry.name == BINARY:
        raise InputError(CANNOT, where=entry.path)
    name = "pnpm-lock.yaml" if entry.name == "lock.yaml" and entry.folder.endswith("/.pnpm/") else entry.name
    if name not in _KINDS:
        return
    hidden = name != entry.name
    for one in mentions(name, entry.read(MAX_LOCKFILE_BYTES), wanted):
        yield Mention(
            name=one.name,
            version=one.version,
            kind="installed" if hidden or not _KINDS[name][1] else one.kind,
            place=one.place,
            time=entry.changed(),
            address=one.address,
            integrity=one.integrity,
        )


class Seen:
    """Pieces of the lockfiles of one history that hold nothing wanted: of the next version what is new is searched.

    What a pattern finds lies in one piece: none goes on over a line that closes an object, nor over an empty line.
    """

    __slots__ = ("_digests",)

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def has_nothing(self, name: str, data: bytes, wanted: Wanted) -> bool:
        """Return whether nothing that is wanted can stand in a lockfile called `name`; remember its pieces if so."""
        patterns, _ = _KINDS[name]
        end = b"},\n" if patterns is _JSON else b"\n\n"
        # What is harmless in one kind of lockfile may be none in another; who writes one must not find another piece
        # with the same digest.
        key = name.encode()
        new = {hashlib.blake2b(piece, digest_size=16, key=key).digest(): piece for piece in data.split(end)}
        for known in self._digests.intersection(new):
            del new[known]
        text = end.join(new.values())
        # A JSON escape may hide a name from the search, never from the reader.
        if b"\\u" in text or (wanted.may_be_in(text) and next(_by_text(text, patterns, wanted), None) is not None):
            return False
        if len(self._digests) + len(new) <= MAX_PIECES:
            self._digests.update(new)
        return True


def mentions(name: str, data: bytes, wanted: Wanted) -> Iterator[Mention]:
    """Yield the wanted packages in the bytes of a lockfile that is called `name`, without a time."""
    # A JSON escape may hide a name from the search, never from the reader.
    if not wanted.may_be_in(data) and b"\\u" not in data:
        return
    patterns, reader = _KINDS[name]
    by_text = list(_by_text(data, patterns, wanted))
    if not reader or not (by_text or b"\\u" in data):
        yield from by_text
        return
    try:
        yield from _by_reader(reader, data, wanted)
    except InputError:
        yield from by_text


def _by_text(data: bytes, patterns: tuple[re.Pattern[bytes], ...], wanted: Wanted) -> Iterator[Mention]:
    seen = set()
    found = [(name, version, at, "") for pattern in patterns for name, version, at in _text.pairs(pattern, data)]
    found += _text.addresses(data)
    for name, version, at, address in found:
        if (name, version) not in seen and wanted.ids(name, version):
            seen.add((name, version))
            place = _text.line(data, at)
            yield Mention(name=name, version=version, kind="lockfile by text", place=place, address=address)
    for integrity in sorted(wanted.integrities):
        if (at := data.find(integrity.encode())) >= 0:
            place = _text.line(data, at)
            yield Mention(name="?", version="?", kind="lockfile by text", place=place, integrity=integrity)


def _by_reader(name: str, data: bytes, wanted: Wanted) -> Iterator[Mention]:
    from sbomgate import lockfiles
    from sbomgate.project import MemoryFiles

    # Some formats do not say what the project declares; for what is locked it does not matter.
    files = MemoryFiles({name: data, "package.json": b'{"name": "hunted", "version": "0.0.0"}'})
    for package in lockfiles.read(files, name).packages:
        address = _text.plain(package.resolved) if package.resolved else ""
        pairs = {(package.name, package.version or "")}
        pairs |= {(other, version) for other, version, _, _ in _text.addresses(address.encode("utf-8", "replace"))}
        for own, version in sorted(pairs):
            one = Mention(
                name=own,
                version=version,
                kind="lockfile",
                place=f"line {package.line}" if package.line else package.id,
                address=address,
                integrity=package.integrity or "",
            )
            if wanted.of(one):
                yield one
