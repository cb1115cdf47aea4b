"""JUnit: a rule that found nothing is a test that passed; denied, waived and undecided are told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from sbomgate.report import Undecided, junit
from testkit import reports

REPORTS = reports.built()


def totals(root: ET.Element) -> dict[str, int]:
    return {key: int(root.get(key, "-1")) for key in ("tests", "failures", "errors", "skipped")}


@pytest.mark.parametrize("name", REPORTS)
def test_the_numbers_are_those_of_the_cases(name: str) -> None:
    """P38: and the same bytes from the same report."""
    shown = junit.render([REPORTS[name]])
    root = ET.fromstring(shown)
    assert totals(root) == {
        "tests": len(root.findall(".//testcase")),
        "failures": len(root.findall(".//failure")),
        "errors": len(root.findall(".//error")),
        "skipped": len(root.findall(".//skipped")),
    }
    for suite in root:
        assert int(suite.get("tests", "0")) == len(suite.findall("testcase"))
    assert junit.render([reports.built(again=True)[name]]) == shown


def test_no_rule_is_no_test() -> None:
    """Zero tests would look green: each rule that ran has a case of its own."""
    root = ET.fromstring(junit.render([REPORTS["allowed"]]))
    assert totals(root) == {"tests": len(reports.RULES), "failures": 0, "errors": 0, "skipped": 0}


def test_denied_waived_observed_and_undecided() -> None:
    incident = ET.fromstring(junit.render([REPORTS["incident"]]))
    assert totals(incident)["failures"] == 4
    failure = incident.find(".//failure[@type='script-unapproved']")
    assert failure is not None
    assert failure.get("message") == "postinstall `node setup.js` is not approved"
    assert "path: shop › axios › plain-crypto-js" in (failure.text or "")
    assert totals(ET.fromstring(junit.render([REPORTS["waived"]])))["skipped"] == 1
    assert totals(ET.fromstring(junit.render([REPORTS["observed"]])))["failures"] == 0
    undecided = ET.fromstring(junit.render([], [Undecided(label="a", message="b", hint="c")]))
    assert totals(undecided) == {"tests": 1, "failures": 0, "errors": 1, "skipped": 0}


def test_what_nobody_verified_never_looks_green() -> None:
    report = REPORTS["allowed"]
    for change in ({"verified": False}, {"reasons": ("too old",)}):
        standing = replace(report.whole.standing, **change)
        shown = junit.render([replace(report, detail=replace(report.whole, standing=standing))])
        assert totals(ET.fromstring(shown))["errors"] == 1


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_p39_what_is_hostile_is_text(name: str) -> None:
    """Well-formed by an XML 1.0 reader, no element from outside, and no line that a CI log obeys."""
    text = reports.HOSTILE_NAMES[name]
    shown = junit.render([reports.named(text)], [Undecided(label=text, message=text, hint=text)])
    root = ET.fromstring(shown)
    tags = {element.tag for element in root.iter()}
    assert tags <= {"testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"}
    assert not re.search(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", shown)
    assert not any(line.lstrip().startswith(("::", "##vso[", "##[")) for line in shown.splitlines())
