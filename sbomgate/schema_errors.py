"""What is wrong with a document that a person wrote, by a JSON Schema: pure.

A document that holds is the usual case and is found so by jsonschema-rs, in a millisecond. `jsonschema` names the best
matching error, and takes 60 ms to import (seconds, where somebody installed its format checkers): it is asked only
about a document that does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def best(document: object, schema: bytes) -> ValidationError | None:
    """Return the error that fits best, or None where the document holds.

    Args:
        document: what was parsed (TOML: a value that JSON does not have does not hold).
        schema: a JSON Schema of draft 2020-12, as JSON.
    """
    import jsonschema_rs

    told = orjson.loads(schema)
    try:
        if jsonschema_rs.Draft202012Validator(told).is_valid(document):
            return None
    except ValueError:  # a date, or a number that JSON does not have
        pass
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError, best_match

    found = best_match(Draft202012Validator(told).iter_errors(document))
    return found or ValidationError("not as the schema has it", instance=document, schema=told)


def line(content: str, path: Sequence[str | int]) -> int | None:
    """Return the line of a TOML file where the value at `path` starts, as far as headers and keys tell, else None."""
    table: list[str] = []
    count: dict[str, int] = {}
    wanted = [part for part in path if isinstance(part, str)]
    numbers = [part for part in path if isinstance(part, int)]
    at_table = not (path and isinstance(path[0], str) and len(path) > 1)
    best: int | None = None
    for number, text in enumerate(content.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-\"@/ ]+?)\s*\]\]?\s*(#.*)?$", text):
            table = [part.strip(' "') for part in header[2].split(".")]
            if header[1] == "[[":
                count[header[2]] = count.get(header[2], -1) + 1
                at_table = wanted[: len(table)] == table and numbers[:1] == [count[header[2]]]
            else:
                at_table = wanted[: len(table)] == table
            if at_table:
                best = number
        elif at_table and (key := re.match(r"\s*\"?([A-Za-z0-9_\-]+)\"?\s*=", text)):
            if [*table, key[1]] == wanted[: len(table) + 1]:
                return number
        elif not table and (key := re.match(r"\s*([A-Za-z0-9_\-]+)\s*=", text)) and wanted[:1] == [key[1]]:
            return number
    return best
