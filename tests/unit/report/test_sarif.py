"""SARIF: what the official schema says, lines, fingerprints that stay, waivers as suppressions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sbomgate.model import Level
from sbomgate.report import Undecided, sarif
from testkit import reports

REPORTS = reports.built()
UNDECIDED = Undecided(label="services/web", message="the lockfile is no JSON", hint="make it anew")


@pytest.fixture(scope="module")
def schema(repository: Path) -> jsonschema_rs.Validator:
    """The schema as OASIS published it: tools/make_sarif_schema.sh."""
    path = repository / "tests" / "fixtures" / "sarif" / "sarif-schema-2.1.0.json"
    return jsonschema_rs.validator_for(json.loads(path.read_bytes()))


def run(report: object, *more: Undecided) -> dict[str, Any]:
    log = json.loads(sarif.render([report], more))  # type: ignore[list-item]
    first: dict[str, Any] = log["runs"][0]
    return first


@pytest.mark.parametrize("name", REPORTS)
def test_it_is_what_the_official_schema_says(schema: jsonschema_rs.Validator, name: str) -> None:
    """P38: and the same bytes from the same report."""
    shown = sarif.render([REPORTS[name]], [UNDECIDED])
    schema.validate(json.loads(shown))
    assert sarif.render([reports.built(again=True)[name]], [UNDECIDED]) == shown


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_p39_what_is_hostile_is_text(schema: jsonschema_rs.Validator, name: str) -> None:
    text = reports.HOSTILE_NAMES[name]
    log = json.loads(sarif.render([reports.named(text)], [Undecided(label=text, message=text, hint=text)]))
    schema.validate(log)
    for one in log["runs"][0]["results"]:
        said = one["message"]["text"]
        assert "](" not in said
        assert said.count("{") % 2 == 0
        assert len(said) <= sarif.MAX_TEXT + 100


def test_levels_lines_and_fingerprints() -> None:
    """Each result says what the policy's own fingerprint is, and where in the lockfile its package stands."""
    of = run(REPORTS["incident"])
    report = REPORTS["incident"]
    levels = {one["partialFingerprints"][sarif.FINGERPRINT]: one["level"] for one in of["results"]}
    expected = {"deny": "error", "warn": "warning", "note": "note"}
    assert levels == {f.fingerprint: expected[f.level.value] for f in report.evaluation.findings}
    by_package = {
        one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: one["locations"][0]["physicalLocation"]
        for one in of["results"]
        if "logicalLocations" in one["locations"][0]
    }
    line = report.whole.lines["node_modules/plain-crypto-js"]
    assert by_package["pkg:npm/plain-crypto-js@4.2.1"] == {
        "artifactLocation": {"uri": "package-lock.json", "uriBaseId": "%SRCROOT%", "index": 0},
        "region": {"startLine": line},
    }


def test_an_alert_stays_the_same_when_its_line_moves() -> None:
    before = REPORTS["incident"]
    moved = replace(
        before, detail=replace(before.whole, lines={id_: 1_000 + n for n, id_ in enumerate(before.whole.lines)})
    )
    prints = [[one["partialFingerprints"] for one in run(of)["results"]] for of in (before, moved)]
    assert prints[0] == prints[1]


def test_copies_of_one_package_are_one_result_with_many_places() -> None:
    copies = [reports.package("a", "1.0.0", id=f"node_modules/{n}/node_modules/a") for n in range(150)]
    same = reports.finding(copies[0], "pinned", "prerelease", "1.0.0 is a prerelease")
    report = reports.report(reports.sbom(*copies), *(replace(same, package=copy.id) for copy in copies))
    (result,) = run(report)["results"]
    assert len(result["locations"]) == sarif.MAX_LOCATIONS


def test_what_is_waived_is_suppressed_and_says_by_whom_and_until_when() -> None:
    (result,) = run(REPORTS["waived"])["results"]
    (suppression,) = result["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert "by alice, until 2026-12-01T12:00:00Z" in suppression["justification"]


def test_what_could_not_be_decided_is_no_success() -> None:
    log = json.loads(sarif.render([], [UNDECIDED]))
    (invocation,) = log["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "services/web: the lockfile is no JSON" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_more_than_a_run_holds_is_said_and_what_denies_is_kept(
    schema: jsonschema_rs.Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where alerts are read nobody sees a notification, so one of the results says it."""
    monkeypatch.setattr(sarif, "MAX_RESULTS", 10)
    pad = reports.package("left-pad", "1.3.0")
    notes = [reports.finding(pad, "pinned", "x", f"{n}", level=Level.NOTE) for n in range(20)]
    warning = reports.finding(pad, "pinned", "w", "odd", level=Level.WARN)
    waived = [replace(reports.finding(pad, "provenance", "w", f"{n}"), waived=True) for n in range(3)]
    denial = reports.finding(pad, "release_age", "too-young", "too young")
    report = reports.report(reports.sbom(pad), *waived, *notes, warning, denial)
    schema.validate(json.loads(sarif.render([report])))
    of = run(report)
    *shown, last = of["results"]
    assert [one["level"] for one in shown] == ["error", "warning"] + ["note"] * 7
    assert (last["ruleId"], last["level"]) == (sarif.LEFT_OUT, "note")
    assert of["tool"]["driver"]["rules"][last["ruleIndex"]]["id"] == sarif.LEFT_OUT
    assert last["message"]["text"] == "16 more findings are not shown here: 13 notes, 3 waived"
    assert "16 more findings" in of["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_what_a_run_just_holds_is_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 10)
    pad = reports.package("left-pad", "1.3.0")
    denials = [reports.finding(pad, "pinned", "x", f"{n}") for n in range(10)]
    of = run(reports.report(reports.sbom(pad), *denials))
    assert len(of["results"]) == 10
    assert {one["ruleId"] for one in of["results"]} == {"pinned"}
    assert of["invocations"][0]["toolExecutionNotifications"] == []
    monkeypatch.setattr(sarif, "MAX_RESULTS", 9)
    *_, last = run(reports.report(reports.sbom(pad), *denials))["results"]
    assert last["level"] == "error"
    assert last["message"]["text"] == "2 more findings are not shown here: 2 that deny"
