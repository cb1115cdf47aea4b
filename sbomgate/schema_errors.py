"""What is wrong with a document that a person wrote, by a JSON Schema: pure.

A document that holds is the usual case and is found so by jsonschema-rs, in a millisecond. `jsonschema` names the best
matching error, and takes 60 ms to import (seconds, where somebody installed its format checkers): it is asked only
about a document that does not hold.
"""

from __future__ import annotations

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
