from __future__ import annotations

import json
from typing import Any

import pytest

from sbomgate import resources
from sbomgate.errors import PolicyError, TrustError, UsageError
from sbomgate.policy import parameters

SHIPPED = parameters.declared(resources.path(*parameters.CATALOGUE).read_bytes())
DECLARED: dict[str, dict[str, dict[str, Any]]] = {
    "r": {
        "hours": {"type": "number", "minimum": 0, "default": 72, "stricter": "larger"},
        "count": {"type": "integer", "maximum": 9, "default": 3, "stricter": "smaller"},
        "strictly": {"type": "boolean", "default": False, "stricter": True},
        "leniently": {"type": "boolean", "default": True, "stricter": False},
        "mode": {"type": "string", "enum": ["a", "b", "c"], "default": "b", "stricter": ["a", "b", "c"]},
        "deny": {"type": "array", "default": ["x"], "stricter": "superset"},
        "allow": {"type": "array", "default": ["x", "y"], "stricter": "subset"},
        "names": {"type": "array", "default": ["gpl-*", "MIT"], "stricter": "narrower"},
        "day": {
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            "default": "2024-01-01",
            "stricter": "earlier",
        },
        "by_name": {
            "type": "object",
            "propertyNames": {"pattern": "^[^*]*[*]?$", "minLength": 1},
            "additionalProperties": {"type": "number", "minimum": 0},
            "default": {},
            "stricter": "larger",
            "floor": ["hours"],
        },
    }
}


def effective(trust: dict[str, Any], project: dict[str, Any]) -> dict[str, Any]:
    return parameters.effective(DECLARED, {"r": trust} if trust else {}, {"r": project} if project else {})["r"]


def test_the_shipped_defaults() -> None:
    assert parameters.effective(SHIPPED, {}, {}) == {
        "approved_changes": {"ends_soon_days": 14},
        "release_age": {
            "minimum_age_hours": 72,
            "direct_age_hours": 0,
            "transitive_age_hours": 0,
            "packages": {},
            "mirror_lag_hours": 24,
        },
        "new_dependencies": {"first_release_days": 7},
        "pinned": {"mode": "locked"},
        "deprecated": {"level": "note"},
        "licences": {
            "allow": ["*"],
            "deny": [],
            "dev_allow": ["*"],
            "dev_deny": [],
            "texts": [],
            "unknown": "note",
        },
        "trust_drift": {"history_days": 30, "rebuild_is_enough": False},
        "provenance": {"promise_only_before": "2024-01-01", "trust_root_days": 365},
        "lockfile_sound": {"unjudged_lockfiles": "note", "judged_elsewhere": []},
    }


def test_the_trust_file_sets_either_way() -> None:
    assert effective({"hours": 1, "mode": "a"}, {})["hours"] == 1
    assert effective({"hours": 1000}, {})["hours"] == 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hours", 72), ("hours", 168), ("count", 3), ("count", 1), ("strictly", True), ("strictly", False),
        ("leniently", False), ("leniently", True), ("mode", "c"), ("mode", "b"), ("deny", ["y", "x"]), ("allow", []),
        ("names", []), ("names", ["GPL-2.0", "mit"]), ("names", ["gpl-2.*"]), ("names", ["GPL-*"]),
        ("day", "2024-01-01"), ("day", "2023-05-18"),
    ],
)  # fmt: skip
def test_a_project_may_tighten(name: str, value: object) -> None:
    """P21"""
    assert effective({}, {name: value})[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hours", 71.9),
        ("count", 4),
        ("mode", "a"),
        ("deny", []),
        ("allow", ["x", "z"]),
        ("day", "2024-01-02"),
        ("names", ["*"]),
        ("names", ["gpl*"]),
        ("names", ["MIT-0"]),
        ("names", ["MIT*"]),
        ("names", ["MIT", "ISC"]),
    ],
)
def test_a_project_may_not_loosen(name: str, value: object) -> None:
    """P21"""
    with pytest.raises(UsageError) as caught:
        effective({}, {name: value})
    assert caught.value.place == f"rules.r.{name}"
    assert caught.value.where == "sbomgate.toml"
    assert "looser" in str(caught.value)


def test_loosening_is_measured_against_the_trust_file() -> None:
    with pytest.raises(UsageError, match="100"):
        effective({"hours": 100}, {"hours": 90})
    assert effective({"hours": 10}, {"hours": 20})["hours"] == 20
    with pytest.raises(UsageError):
        effective({"strictly": True}, {"strictly": False})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hours", "72"), ("hours", True), ("hours", float("nan")), ("hours", float("inf")), ("hours", -1),
        ("count", 1.5), ("count", 10), ("strictly", 1), ("mode", "d"), ("mode", 1), ("deny", "x"), ("deny", [1]),
        ("unknown", 1), ("day", "2024-1-1"), ("day", "2024-01-01T00:00:00Z"), ("day", 20240101), ("day", "٢٠٢٤-01-01"),
    ],
)  # fmt: skip
def test_what_is_no_value(name: str, value: object) -> None:
    with pytest.raises(UsageError):
        effective({}, {name: value})
    with pytest.raises(TrustError) as caught:
        effective({name: value}, {})
    assert caught.value.place == f"parameters.r.{name}"


def test_an_unknown_rule() -> None:
    with pytest.raises(UsageError, match="no rule with parameters"):
        parameters.effective(DECLARED, {}, {"own": {"x": 1}})
    assert parameters.effective(DECLARED, {"own": {"x": 1}}, {})["own"] == {"x": 1}


def test_defaults_are_never_altered() -> None:
    effective({"hours": 1}, {"mode": "c"})
    assert DECLARED["r"]["hours"]["default"] == 72


@pytest.mark.parametrize("data", [b"", b"[]", b'{"r": {}}', json.dumps({"r": 1}).encode()])
def test_a_broken_catalogue(data: bytes) -> None:
    with pytest.raises(PolicyError):
        parameters.declared(data)


@pytest.mark.parametrize(
    ("trust", "project", "asked", "held"),
    [
        (None, None, None, "default"),
        (None, None, "observe", "observe"),
        (None, "strict", None, "strict"),
        ("default", None, "release", "release"),
        ("observe", None, None, "observe"),
        ("observe", "default", "strict", "strict"),
        ("strict", "strict", "strict", "strict"),
    ],
)
def test_profiles_tighten(trust: str | None, project: str | None, asked: str | None, held: str) -> None:
    assert parameters.profile(trust=trust, project=project, asked=asked) == held


@pytest.mark.parametrize(
    ("trust", "project", "asked"),
    [
        ("strict", None, "default"),
        ("default", "observe", None),
        (None, "observe", None),
        (None, "strict", "default"),
        ("strict", "release", "strict"),
        (None, None, "lenient"),
    ],
)
def test_profiles_never_loosen(trust: str | None, project: str | None, asked: str | None) -> None:
    """P8, P21"""
    with pytest.raises(UsageError):
        parameters.profile(trust=trust, project=project, asked=asked)


@pytest.mark.parametrize(
    ("trust", "project", "asked", "who"),
    [
        ("strict", None, "default", "the trust file"),
        (None, "strict", "default", "sbomgate.toml"),
        ("default", "strict", "default", "sbomgate.toml"),
        (None, "observe", None, "the pipeline"),
    ],
)
def test_a_looser_profile_says_what_to_change(
    trust: str | None, project: str | None, asked: str | None, who: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parameters.profile(trust=trust, project=project, asked=asked)
    assert who in (caught.value.hint or "")


BY_NAME: dict[str, Any] = {"hours": 72, "by_name": {"@acme/*": 24, "@acme/ui": 100, "left-pad": 168}}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"left-pad": 168},
        {"react": 72},
        {"@acme/*": 48},
        {"@acme/a": 24},  # less than the general 72, and what the trust file says of it
        {"@acme/a*": 24},
        {"@acme/u*": 50},  # @acme/ui keeps its own, which fits better
        {"*": 72},
    ],
)
def test_a_project_adds_to_a_table(value: dict[str, float]) -> None:
    """P21"""
    assert effective(BY_NAME, {"by_name": value})["by_name"] == BY_NAME["by_name"] | value


@pytest.mark.parametrize(
    "value",
    [{"left-pad": 167}, {"react": 71}, {"@acme/*": 23}, {"@acme/a": 23}, {"@acme/ui": 99}, {"*": 71}, {"a*": 1}],
)
def test_a_project_shortens_nothing_in_a_table(value: dict[str, float]) -> None:
    """P21: by no other pattern either."""
    with pytest.raises(UsageError, match="looser") as caught:
        effective(BY_NAME, {"by_name": value})
    assert caught.value.place == "rules.r.by_name"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a*b": 1}, "by_name"),
        ({"**": 1}, "by_name"),
        ({"": 1}, "by_name"),
        ({"a": -1}, "by_name.a"),
        ({"a": "1"}, "by_name.a"),
        ({"a": True}, "by_name.a"),
        ({"a": float("nan")}, "by_name.a"),
        ([], "by_name"),
        (5, "by_name"),
    ],
)
def test_what_is_no_table(value: object, place: str) -> None:
    for trust, project, error in (({"by_name": value}, {}, TrustError), ({}, {"by_name": value}, UsageError)):
        with pytest.raises(error) as caught:
            effective(trust, project)
        assert str(caught.value.place).endswith(f".r.{place}")


@pytest.mark.parametrize(
    ("used", "loose"),
    [
        (BY_NAME["by_name"], False),
        (BY_NAME["by_name"] | {"react": 90}, False),
        (BY_NAME["by_name"] | {"react": 1}, True),
        (BY_NAME["by_name"] | {"@acme/*": 1}, True),
        ({"@acme/*": 24}, True),
        ({}, True),
        (None, True),
    ],
)
def test_a_table_that_was_used_looser(used: object, loose: bool) -> None:
    """P22: what a stored input was judged by is compared with the trust file."""
    held = effective(BY_NAME, {}) | {"by_name": used}
    assert parameters.looser(DECLARED, {"r": BY_NAME}, {"r": held}) == (["r.by_name"] if loose else [])


def test_a_message_names_the_line() -> None:
    text = "# ours\n[rules.r]\nhours = 9\nby_name = { a = true }\n"
    for wrong, place in (
        ({"hours": 9}, "rules.r.hours (line 3)"),
        ({"by_name": {"a": True}}, "rules.r.by_name.a (line 4)"),
    ):
        with pytest.raises(UsageError) as caught:
            parameters.effective(DECLARED, {}, {"r": wrong}, project_text=text)
        assert caught.value.place == place
