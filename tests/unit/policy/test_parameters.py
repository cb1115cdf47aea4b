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
    }
}


def effective(trust: dict[str, Any], project: dict[str, Any]) -> dict[str, Any]:
    return parameters.effective(DECLARED, {"r": trust} if trust else {}, {"r": project} if project else {})["r"]


def test_the_shipped_defaults() -> None:
    assert parameters.effective(SHIPPED, {}, {}) == {
        "approved_changes": {"ends_soon_days": 14},
        "release_age": {"minimum_age_hours": 72, "mirror_lag_hours": 24},
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
