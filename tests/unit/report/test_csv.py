"""CSV: a row for each finding, no cell that a spreadsheet computes, the same cells back."""

from __future__ import annotations

import csv as standard
import io

import pytest

from sbomgate.report import Undecided, csv
from testkit import reports

REPORTS = reports.built()


def rows(shown: str) -> list[dict[str, str]]:
    return list(standard.DictReader(io.StringIO(shown, newline=""), strict=True))


@pytest.mark.parametrize("name", REPORTS)
def test_a_row_for_each_finding(name: str) -> None:
    """P38: and the same bytes from the same report."""
    shown = csv.render([REPORTS[name]])
    found = rows(shown)
    findings = REPORTS[name].evaluation.findings
    assert len(found) == max(1, len(findings))
    assert sorted(row["fingerprint"] for row in found if row["fingerprint"]) == sorted(f.fingerprint for f in findings)
    assert csv.render([reports.built(again=True)[name]]) == shown


def test_what_denies_comes_first_and_says_all() -> None:
    first = rows(csv.render([REPORTS["incident"]]))[0]
    assert {
        key: first[key] for key in ("level", "rule", "package", "version", "purl", "path", "verdict", "waived")
    } == {
        "level": "deny",
        "rule": "install_scripts",
        "package": "plain-crypto-js",
        "version": "4.2.1",
        "purl": "pkg:npm/plain-crypto-js@4.2.1",
        "path": "shop > axios > plain-crypto-js",
        "verdict": "denied",
        "waived": "no",
    }
    assert [row["waived_by"] for row in rows(csv.render([REPORTS["waived"]]))] == ["alice"]
    assert rows(csv.render([], [Undecided(label="a", message="b", hint="")]))[0]["verdict"] == "undecided"


def test_a_scoped_name_is_quoted_and_its_purl_is_not() -> None:
    about = reports.package("@babel/core", "7.0.0")
    (row,) = rows(csv.render([reports.report(reports.sbom(about), reports.finding(about, "pinned", "x", "y"))]))
    assert (row["package"], row["purl"]) == ("'@babel/core", "pkg:npm/%40babel/core@7.0.0")


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_p39_what_is_hostile_is_text(name: str) -> None:
    text = reports.HOSTILE_NAMES[name]
    shown = csv.render([reports.named(text)], [Undecided(label=text, message=text, hint=text)])
    assert shown.count("\n") == shown.count("\r\n") == 7
    for row in rows(shown):
        for cell in row.values():
            assert not cell.lstrip(' "').startswith(("=", "+", "-", "@", "\t", "\r", "|", "%", "＝", "＋", "－", "＠"))
            assert len(cell) <= csv.MAX_CELL + 100
    assert not any(line.lstrip().startswith(("::", "##vso[", "##[")) for line in shown.splitlines())
