r"""Names and versions in the text that package managers write. Patterns over bytes; what they find is looked up.

A pattern may find more than there is (a name in an `overrides` block): who needs it exact asks the lockfile's reader.
Possessive where a line is hostile: the cost is what the text is long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

NEWLINE = b"\n"
PACKAGE = rb"(?:@[\w.~-]++/)?[\w.~-]++"
VERSION = rb"[0-9]++\.[0-9]++\.[0-9]++(?:-[0-9A-Za-z.-]*[0-9A-Za-z])?(?:\+[0-9A-Za-z.-]*[0-9A-Za-z])?"
_END = rb"(?![\w]|\.[0-9])"

# https://registry/@scope/name/-/name-1.0.0.tgz, with %2f or %40 as well
ADDRESS = re.compile(
    rb"https?://[^\s\"'<>\\]{1,400}?/((?:(?:@|%40)[^/\s\"'%]++(?:/|%2[fF]))?([^/\s\"'%@]++))/-/\2-("
    + VERSION
    + rb")\.tgz"
)
# name@1.0.0, name@npm:1.0.0, /name@1.0.0(peer@2.0.0)
AT = re.compile(rb"(?<![\w@.%~/-])/?(" + PACKAGE + rb")@(?:npm:)?v?(" + VERSION + rb")" + _END)
# node_modules/.pnpm/@scope+name@1.0.0_peer/
VIRTUAL = re.compile(rb"\.pnpm/(@?[\w.~+-]+?)@(" + VERSION + rb")(?=[(_/\s\"']|$)")


def addresses(data: bytes) -> Iterator[tuple[str, str, int, str]]:
    """Yield name, version, offset and address of each tarball of a registry that the text names."""
    for found in ADDRESS.finditer(data):
        address = found[0].decode("utf-8", "replace")
        yield unquote(found[1].decode("utf-8", "replace")), found[3].decode(), found.start(), plain(address)


def pairs(pattern: re.Pattern[bytes], data: bytes) -> Iterator[tuple[str, str, int]]:
    """Yield name, version and offset of each match of a pattern whose groups 1 and 2 are those."""
    for found in pattern.finditer(data):
        yield found[1].decode("utf-8", "replace"), found[2].decode("utf-8", "replace"), found.start(1)


def line(data: bytes, offset: int, first: int = 1) -> str:
    """Return the place of an offset: `line 12`; `first` is the number of the first line."""
    return f"line {first + data.count(NEWLINE, 0, offset)}"


def folder_name(text: str) -> str:
    """Return the name of a package of which pnpm made a folder's name: `@scope+name` is `@scope/name`."""
    return text.replace("+", "/", 1) if text.startswith("@") else text


def plain(address: str) -> str:
    """Return the URL without user info, query and fragment (PROMISES P40)."""
    scheme, _, rest = address.partition("#")[0].partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
