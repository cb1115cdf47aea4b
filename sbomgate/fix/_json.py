"""Changing package.json as its owner writes it: the order of keys, the indent and the last newline stay."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sbomgate.errors import InputError
from sbomgate.fix import Pin
from sbomgate.strict_json import load_object

SECTIONS = ("dependencies", "devDependencies", "optionalDependencies")
_INDENT = re.compile(rb"\n([ \t]+)\S")


def change(data: bytes, path: str, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the file's bytes after `edit` changed what it says.

    Raises:
        InputError: it is no JSON object with one single meaning.
    """
    document = load_object(data, path)
    before = json.dumps(document)
    edit(document)
    if json.dumps(document) == before:
        return data
    found = _INDENT.search(data)
    made = json.dumps(document, indent=found[1].decode() if found else None, ensure_ascii=False)
    return made.encode("utf-8") + (b"\n" if data.endswith(b"\n") else b"")


def pin_direct(document: dict[str, Any], pins: Sequence[Pin], path: str) -> None:
    """Write the exact version where a package.json declares a pinned package.

    Raises:
        InputError: it is declared under another name, from elsewhere, or by a catalog: that is a person's to change.
    """
    for one in pins:
        for section in SECTIONS:
            declared = document.get(section)
            if one.direct and isinstance(declared, dict) and isinstance(old := declared.get(one.name), str):
                if ":" in old:
                    raise InputError(
                        f"{one.name} is declared as {old!r}, and only a person can change that to {one.version}",
                        where=path,
                        place=f"{section}.{one.name}",
                    )
                declared[one.name] = one.version


def table(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return the object at `keys`, made where it is missing."""
    for key in keys:
        found = document.setdefault(key, {})
        if not isinstance(found, dict):
            raise InputError("must be an object", where="package.json", place=key)
        document = found
    return document


def manifests(
    files: Mapping[str, bytes], pins: Sequence[Pin], root: str, edit_root: Callable[[dict[str, Any]], None]
) -> dict[str, bytes]:
    """Return every package.json that changes: direct pins in each, `edit_root` in the one of the root."""
    made = {}
    for path, data in sorted(files.items()):
        if path.rpartition("/")[2] != "package.json":
            continue

        def edit(document: dict[str, Any], path: str = path) -> None:
            pin_direct(document, pins, path)
            if path == root:
                edit_root(document)

        changed = change(data, path, edit)
        if changed != data:
            made[path] = changed
    return made
