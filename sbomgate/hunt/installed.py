"""What is installed: `node_modules/NAME/package.json`, and the folders that managers name after name and version.

The folder's name counts beside package.json's own: an alias has another folder, and malware that ran may have written
another package.json in the place of its own (plain-crypto-js@4.2.1 did, to look like 4.2.0). What it cannot change as
easily is told as well: pnpm's virtual store and bun's and yarn's caches are named by version, `lockfile.py` reads the
lockfile that npm hides in node_modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from sbomgate.hunt import Mention, Wanted, _text
from sbomgate.hunt._walk import Entry

MAX_MANIFEST_BYTES = 4 << 20  # a package.json; the largest in the registry have some 100 kB

_VERSION = _text.VERSION.decode()
_INSTALLED = re.compile(r".*/node_modules/((?:@[^/]+/)?[^/@][^/]*)/", re.DOTALL)
_VIRTUAL = re.compile(rf"(@?[^@]+)@({_VERSION})(?:[(_].*)?", re.DOTALL)
# bun: name@1.0.0@@@1, and name@1.0.0@@HOST__HASH@@@1 from another registry than the public one. Of what follows a
# prerelease's or a build's sign only a hash stands there: then the package.json in it says the version.
_BUN = re.compile(rf"([^@]+)@({_VERSION})(?:@@[^@]+)?@@@\d+")
_BUN_HASHED = re.compile(r"(?s:.*)/[^@/]+@[0-9.]+[-+][0-9a-f]{16}[^/@]*(?:@@[^@/]+)?@@@\d+/")
_CLASSIC = re.compile(rf"npm-(@?.+)-({_VERSION})-[0-9a-f]{{40}}(?:-integrity)?")
_BERRY = re.compile(rf"(@?.+)-npm-({_VERSION})-[0-9a-f]{{10}}-[0-9a-z]+\.zip")


def look(entry: Entry, _: Wanted) -> Iterator[Mention]:
    """Yield the package that a package.json, or the name of a folder or archive, says is there."""
    if entry.is_folder:
        yield from _folder(entry)
    elif entry.name == "package.json":
        found = _INSTALLED.fullmatch(entry.folder)
        if found is not None:
            yield from _manifest(entry, found[1], "installed")
        elif _BUN_HASHED.fullmatch(entry.folder):
            yield from _manifest(entry, "", "bun cache")
    elif entry.name.endswith(".zip") and (found := _BERRY.fullmatch(entry.name)) is not None:
        for name in _unscoped(found[1]):
            yield Mention(name=name, version=found[2], kind="yarn cache", time=entry.changed())


def _manifest(entry: Entry, folder: str, kind: str) -> Iterator[Mention]:
    try:
        manifest = orjson.loads(entry.read(MAX_MANIFEST_BYTES).removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return  # a template, or broken: no manager installs it as a package
    if not isinstance(manifest, dict) or not isinstance(version := manifest.get("version"), str):
        return
    own = manifest.get("name")
    for name in filter(None, dict.fromkeys((own if isinstance(own, str) else folder, folder))):
        yield Mention(name=name, version=version, kind=kind, time=entry.changed())


def _folder(entry: Entry) -> Iterator[Mention]:
    name = entry.name
    if "@" not in name and not name.startswith("npm-"):
        return
    if entry.folder.endswith("/node_modules/.pnpm/") and (found := _VIRTUAL.fullmatch(name)) is not None:
        yield Mention(name=_text.folder_name(found[1]), version=found[2], kind="installed", time=entry.changed())
    elif (found := _BUN.fullmatch(name)) is not None:
        scope = entry.folder.rstrip("/").rpartition("/")[2]
        full = f"{scope}/{found[1]}" if scope.startswith("@") else found[1]
        yield Mention(name=full, version=found[2], kind="bun cache", time=entry.changed())
    elif (found := _CLASSIC.fullmatch(name)) is not None:
        for full in _unscoped(found[1]):
            yield Mention(name=full, version=found[2], kind="yarn cache", time=entry.changed())


def _unscoped(text: str) -> Iterator[str]:
    """Yield the names that yarn may have made a file's name of: `@a-b-c` is @a/b-c or @a-b/c."""
    if not text.startswith("@"):
        yield text
        return
    for at in (index for index, letter in enumerate(text) if letter == "-"):
        if 1 < at < len(text) - 1:
            yield f"{text[:at]}/{text[at + 1 :]}"
