"""What an engine returns is refused unless it is a whole answer to what was asked (P3, P8, P24, P28)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle, Verdict
from sbomgate.policy import evaluation

BUNDLE = PolicyBundle(files={"decision.rego": b""}, sha256="ab" * 32, rules=("pinned", "release_age"))
FINDING: dict[str, Any] = {
    "rule": "pinned",
    "code": "lock-drift",
    "level": "deny",
    "package": None,
    "message": "it drifted",
    "fix": "",
    "unknown": False,
    "waivable": True,
    "waived": False,
    "fingerprint": "0" * 64,
}
ALLOWED: dict[str, Any] = {
    "schema": "sbomgate/evaluation/v1",
    "verdict": "allowed",
    "profile": "default",
    "findings": [],
    "rules": ["pinned", "release_age"],
    "packages": 3,
    "waived_by": {},
    "unused_waivers": [],
}


def finding(**changes: Any) -> list[dict[str, Any]]:
    return [{**FINDING, **changes}]


def read(changes: dict[str, Any], *, profile: str = "default") -> Verdict:
    data = json.dumps({**ALLOWED, **changes}).encode()
    return evaluation.read(data, BUNDLE, packages=3, profile=profile).verdict


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        pytest.param({}, Verdict.ALLOWED, id="nothing found"),
        pytest.param({"findings": finding(level="warn")}, Verdict.ALLOWED, id="a warning"),
        pytest.param(
            {"findings": finding(waived=True), "waived_by": {"0" * 64: ["w1"]}}, Verdict.ALLOWED, id="a waived denial"
        ),
        pytest.param({"findings": finding(), "verdict": "denied"}, Verdict.DENIED, id="a denial"),
    ],
)
def test_a_whole_answer_is_read(changes: dict[str, Any], verdict: Verdict) -> None:
    assert read(changes) is verdict


def test_observe_never_denies() -> None:
    """P8"""
    assert read({"profile": "observe", "findings": finding()}, profile="observe") is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"profile": "observe", "findings": finding()}, "profile", id="P8 another profile: observe"),
        pytest.param({"profile": "strict"}, "profile", id="another profile: stricter"),
        pytest.param({"findings": finding()}, "findings say otherwise", id="allowed, and it denies"),
        pytest.param({"verdict": "denied"}, "findings say otherwise", id="denied, and nothing denies"),
        pytest.param({"findings": finding(waivable=False, waived=True)}, "waived", id="P28 not waivable, waived"),
        pytest.param({"findings": finding(waived=True)}, "by whom", id="waived by nobody"),
        pytest.param(
            {"findings": finding(waived=True), "waived_by": {"0" * 64: []}}, "by whom", id="waived by an empty list"
        ),
        pytest.param({"waived_by": {"0" * 64: ["w1"]}}, "by whom", id="a waiver of what was not found"),
        pytest.param({"rules": []}, "missing", id="P3 no rule ran"),
        pytest.param({"rules": ["pinned"]}, "missing", id="P3 a rule did not run"),
        pytest.param({"rules": ["other", "pinned", "release_age"]}, "unknown", id="P3 a rule of another policy"),
        pytest.param({"packages": 0}, "0 packages", id="P3 no package was judged"),
        pytest.param({"packages": 2}, "2 packages", id="P3 a package was not judged"),
        pytest.param({"packages": True}, "integer", id="a package count that is none"),
        pytest.param({"findings": finding(rule="licences", level="note")}, "does not hold", id="a stranger's finding"),
        pytest.param({"findings": finding(level="info")}, "info", id="no such level"),
        pytest.param({"findings": finding(waived="no")}, "boolean", id="waived is no boolean"),
        pytest.param({"verdict": "maybe"}, "maybe", id="no such verdict"),
        pytest.param({"verdict": True}, "True", id="a verdict that is a boolean"),
        pytest.param({"allowed": True}, "allowed", id="an unknown field"),
        pytest.param({"schema": "sbomgate/evaluation/v2"}, "v1", id="another version"),
    ],
)
def test_anything_else_is_no_decision(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyError, match=f"(?i){says}"):
        read(changes)


@pytest.mark.parametrize("data", [b"", b"null", b"true", b"{}", b"[]", b"{", b"NaN"])
def test_what_is_no_answer_at_all(data: bytes) -> None:
    """P3: OPA answers 200 without a result for a mistyped path."""
    with pytest.raises(PolicyError):
        evaluation.read(data, BUNDLE, packages=3, profile="default")


def test_a_policy_without_a_rule_decides_nothing() -> None:
    """P3"""
    empty = PolicyBundle(files={"decision.rego": b""}, sha256="ab" * 32, rules=())
    with pytest.raises(PolicyError, match="no rule"):
        evaluation.read(json.dumps({**ALLOWED, "rules": []}).encode(), empty, packages=3, profile="default")
