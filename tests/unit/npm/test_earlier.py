"""sbomgate.npm.earlier: which earlier releases a version is measured against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sbomgate.npm.earlier import earlier_versions

DAY = timedelta(days=1)
T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(**days: float | None) -> dict[str, datetime | None]:
    """`v1_2_3=5` → 1.2.3, published five days after the beginning; None where nobody says."""
    named = {name[1:].replace("__", "-").replace("_", "."): value for name, value in days.items()}
    return {name: None if value is None else T0 + value * DAY for name, value in named.items()}


@pytest.mark.parametrize(
    ("version", "published", "expected"),
    [
        ("1.0.0", at(v1_0_0=0), ()),
        ("1.0.1", at(v1_0_0=0, v1_0_1=30), ("1.0.0",)),
        ("1.10.0", at(v1_9_0=0, v1_10_0=30, v1_2_0=1), ("1.9.0",)),  # by number, not by letter
        ("1.0.2", at(v1_0_0=0, v1_0_1=29, v1_0_2=30), ("1.0.1", "1.0.0")),  # the nearest, and a settled one
        ("1.0.2", at(v1_0_0=0, v1_0_1=23, v1_0_2=30), ("1.0.1",)),  # out for exactly a week
        ("1.0.3", at(v1_0_0=0, v1_0_1=29, v1_0_2=29.5, v1_0_3=30), ("1.0.2", "1.0.0")),
        ("1.0.1", at(v1_0_0=40, v1_0_1=30), ()),  # a smaller number that came later is not earlier
        ("1.0.1", at(v1_0_0=30, v1_0_1=30), ("1.0.0",)),
        ("1.0.1", at(v1_0_0=None, v1_0_1=30), ("1.0.0",)),
        ("1.0.1", at(v1_0_0=5, v1_0_1=None), ("1.0.0",)),
        ("1.0.1", at(v1_0_1=5, v1_0_2=0, v2_0_0=0), ()),
        ("2.0.0", at(v1_8_0=0, v1_9_0=1, v2_0_0=30), ("1.9.0",)),  # the first of a line: the nearest older line
        ("1.9.1", at(v1_9_0=0, v2_0_0=1, v1_9_1=30), ("1.9.0",)),  # V03: a maintenance line by itself
        ("0.30.4", at(v0_30_3=0, v0_31_0=1, v0_30_4=30), ("0.30.3",)),
        ("0.31.0", at(v0_30_3=0, v0_29_0=1, v0_31_0=30), ("0.30.3",)),
        ("1.0.0", at(v0_9_0=0, v1_0_0=30), ("0.9.0",)),
        ("2.0.0", at(v2_0_0__rc_1=0, v1_0_0=0, v2_0_0=30), ("1.0.0",)),  # V04: stable with stable
        ("2.0.0", at(v2_0_0__rc_1=0, v2_0_0=30), ()),
        ("2.0.0-rc.2", at(v2_0_0__rc_1=0, v1_0_0=1) | {"2.0.0-rc.2": T0 + 30 * DAY}, ("2.0.0-rc.1",)),
        ("2.0.0-rc.10", {"2.0.0-rc.9": T0, "2.0.0-rc.2": T0, "2.0.0-rc.10": T0 + 30 * DAY}, ("2.0.0-rc.9",)),
        ("2.0.0-rc.1", at(v1_0_0=0) | {"2.0.0-rc.1": T0 + 30 * DAY}, ("1.0.0",)),
        ("next", at(v1_0_0=0), ()),
        ("1.0.1", {"1.0.0": T0, "nonsense": T0, "1.0": T0, "": T0, "1.0.1": T0 + 9 * DAY}, ("1.0.0",)),
        ("1.0.1+b", {"1.0.0+a": T0, "1.0.1+b": T0 + 9 * DAY}, ("1.0.0+a",)),
        (
            "1.0.1",
            {"0" * 5000 + "1.0.0": T0, "9" * 5000 + ".0.0": T0, "1.0.0-" + "1" * 5000: T0},
            (),
        ),  # hostile numbers
    ],
)
def test_which_are_earlier(version: str, published: dict[str, datetime | None], expected: tuple[str, ...]) -> None:
    assert earlier_versions(version, published) == expected


def test_two_at_most_of_thousands() -> None:
    published: dict[str, datetime | None] = {f"1.0.{n}": T0 + n * DAY / 10 for n in range(5000)}
    assert earlier_versions("1.0.4999", published) == ("1.0.4998", "1.0.4929")
