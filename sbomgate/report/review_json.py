"""A review as JSON (`sbomgate/review/v1`): every word of it."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from sbomgate.model.review import Review


def render(review: Review) -> str:
    """Return the review as JSON, ending in a newline."""
    value = {"schema": "sbomgate/review/v1", **asdict(review)}
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()
