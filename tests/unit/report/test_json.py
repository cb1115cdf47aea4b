"""The decision for a program: schema-valid, complete, the same bytes for the same report (P38)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from sbomgate import wire
from sbomgate.report import json as rendering
from testkit import reports

REPORTS = reports.built()


@pytest.mark.parametrize("name", REPORTS)
def test_it_is_what_the_schema_says(repository: Path, name: str) -> None:
    schema = json.loads((repository / "schemas" / "report.schema.json").read_bytes())
    shown = rendering.render(REPORTS[name])
    jsonschema_rs.validator_for(schema).validate(json.loads(shown))
    wire.Report.model_validate_json(shown)
    assert rendering.render(reports.built(again=True)[name]) == shown


def test_what_was_stored_says_what_it_is_worth() -> None:
    shown = rendering.render(REPORTS["allowed"], stored=True)
    wire.Report.model_validate_json(shown)
    assert json.loads(shown)["standing"] == {
        "verified": True,
        "signer": "release key",
        "said": "signed by release key",
        "reasons": [],
    }
    assert json.loads(rendering.render(REPORTS["allowed"]))["standing"] is None


def test_every_finding_is_there() -> None:
    report = json.loads(rendering.render(REPORTS["many-denied"]))
    assert len(report["denials"]) == 2_000
    assert {f["level"] for e in report["denials"] for f in e["findings"]} == {"deny"}


def test_p39_hostile_text_stays_inside_its_strings() -> None:
    """JSON is for programs: the text is whole, and no control character is written as it is."""
    shown = rendering.render(REPORTS["hostile"])
    assert json.loads(shown)["project"]["name"] == reports.HOSTILE
    assert not any(ord(c) < 0x20 and c != "\n" for c in shown)
    assert not any(line.lstrip().startswith(("::", "##")) for line in shown.splitlines())
