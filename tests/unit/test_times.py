"""sbomgate.times: RFC 3339, with a zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sbomgate.times import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T00:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00.123Z", datetime(2026, 3, 1, 0, 0, 0, 123000, tzinfo=UTC)),
        ("2026-03-01T02:00:00+02:00", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01t00:00:00z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00.123456789Z", datetime(2026, 3, 1, 0, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected
    assert parse_time(format_time(expected)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-03-01T00:00:00", "zone"),
        ("2026-03-01", "not a time"),
        ("20260301T000000Z", "not a time"),
        ("2026-W09-7T00:00:00Z", "not a time"),
        ("2026-02-30T00:00:00Z", "possible"),
        ("2026-03-01T25:00:00Z", "possible"),
        ("0001-01-01T00:00:00+23:59", "possible"),
        ("1772323200", "not a time"),
        ("", "not a time"),
        (" 2026-03-01T00:00:00Z", "not a time"),
        ("2026-03-01T00:00:00Z\n", "not a time"),
        ("٢٠٢٦-03-01T00:00:00Z", "not a time"),
    ],
)
def test_what_is_no_time(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_time(text)
