"""Times as registries and documents write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EARLIEST = datetime(2009, 9, 29, tzinfo=UTC)
"""npm's own first release: no package was published before it, whatever a registry says."""

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def parse_time(text: str) -> datetime:
    """Return the time that `text` states (RFC 3339) in UTC.

    Raises:
        ValueError: not such a time, or one without a zone; the message says which.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("is not a time of RFC 3339")
    if match["zone"] is None:
        raise ValueError("has no time zone")
    try:
        time = datetime.fromisoformat(text.upper())
        return time if time.tzinfo is UTC else time.astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise ValueError("is not a possible time") from e


def format_time(time: datetime) -> str:
    """Return `time` as RFC 3339 in UTC, with microseconds only where it has some."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
