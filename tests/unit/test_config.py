from __future__ import annotations

import pytest

from sbomgate import config, resources
from sbomgate.errors import UsageError

SCHEMA = resources.path(*config.SCHEMA).read_bytes()


def test_a_whole_file() -> None:
    text = b"""
profile = "strict"
[rules.release_age]
minimum_age_hours = 168
[rules.pinned]
mode = "exact"
[malicious]
lists = ["security/malicious.csv"]
"""
    assert config.parse(text, schema=SCHEMA) == config.Config(
        profile="strict",
        rules={"release_age": {"minimum_age_hours": 168}, "pinned": {"mode": "exact"}},
        malicious_lists=("security/malicious.csv",),
    )


def test_an_empty_file_says_nothing() -> None:
    assert config.parse(b"", schema=SCHEMA) == config.EMPTY


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (b"profle = 'strict'", "line 1", "known here: malicious, profile, rules"),
        (b"profile = 'lenient'", "profile (line 1)", ""),
        (
            b"[rules.release_age]\nminimum_age = 1",
            "rules.release_age (line 2)",
            "known here: direct_age_hours, ",
        ),
        (b"\n[rules.release_age]\nminimum_age_hours = '1'", "rules.release_age.minimum_age_hours (line 3)", ""),
        (b"[rules.release_age]\npackages.a = -1", "rules.release_age.packages.a (line 1)", ""),
        (
            b"[rules.relase_age]\nminimum_age_hours = 1",
            "rules (line 1)",
            "new_dependencies, pinned, provenance, release_age",
        ),
        (b"[malicious]\nlists = 'x'", "malicious.lists (line 2)", ""),
    ],
)
def test_errors_name_the_place(text: bytes, place: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.parse(text, schema=SCHEMA)
    assert caught.value.place == place
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text", [b"a =", b"\xff", b"a = 1\na = 2", b"a=" + b"9" * 5000, b"a=" + b"[" * 100_000, b" " * (1 << 20) + b" "]
)
def test_what_is_no_toml(text: bytes) -> None:
    """P1"""
    with pytest.raises(UsageError):
        config.parse(text, schema=SCHEMA)
