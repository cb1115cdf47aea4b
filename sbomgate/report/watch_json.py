"""A watch for a program: every new alert, and what could not be looked at. Schema: schemas/watch.schema.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from sbomgate.model.watch import Alert, Watched
from sbomgate.times import format_time

SCHEMA = "sbomgate/watch/v1"


def render(watched: Watched) -> str:
    """Return the watch as JSON, complete, indented, keys sorted, ending in a newline."""
    value = {
        "schema": SCHEMA,
        "at": format_time(watched.at),
        "window_days": watched.window_days,
        "packages": watched.packages,
        "unchanged": watched.unchanged,
        "first": watched.first,
        "releases": watched.releases,
        "alerts": [_alert(one) for one in watched.alerts],
        "unknown": [asdict(one) for one in watched.unknown],
        "notes": watched.notes,
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _alert(alert: Alert) -> dict[str, Any]:
    times = {
        "published": None if alert.published is None else format_time(alert.published),
        "found": format_time(alert.found),
    }
    return {**asdict(alert), **times}
