"""Where in a document a text stands that the format cannot hold: looked for only once there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sbomgate.errors import InputError

_HALF = "[\ud800-\udfff]"


def not_text(document: Any) -> InputError:
    """Return the error for a document with half of a surrogate pair, which UTF-8 has no bytes for."""
    for place, text in _texts(document):
        if found := re.search(_HALF, text):
            return InputError(
                f"U+{ord(found.group()):04X}, half of a surrogate pair, is no text and cannot be written",
                where="SBOM",
                place=place,
                hint="correct the name or text in the lockfile or manifest that it comes from",
            )
    return InputError("a value that JSON cannot hold", where="SBOM")


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        named = value.get("bom-ref") or value.get("ref")
        if isinstance(named, str) and re.search(_HALF, named) is None:
            place = f"{place} ({named[:200]!a})"
        for key, item in value.items():
            yield f"{place}.{key}" if place else key, key
            yield from _texts(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")
