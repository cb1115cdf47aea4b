"""What a store says: over time, as of its newest decision, in every format; hostile text inert (P39)."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import jsonschema_rs
import pytest

from sbomgate import wire
from sbomgate.report import _store, store_csv, store_html, store_json, store_markdown
from testkit import reports, store_reports

STORE = store_reports.store()
RENDERINGS = {"csv": store_csv, "html": store_html, "json": store_json, "markdown": store_markdown}
EMPTY = _store.build([], [], [])


@pytest.mark.parametrize("name", RENDERINGS)
def test_p38_the_same_bytes_twice_whatever_the_order(name: str) -> None:
    moments = STORE.moments
    again = _store.build(moments[::-1], STORE.broken, STORE.strange)
    assert RENDERINGS[name].render(again) == RENDERINGS[name].render(STORE)
    assert RENDERINGS[name].render(EMPTY)


def test_json_is_what_the_schema_says(repository: Path) -> None:
    schema = json.loads((repository / "schemas" / "store-report.schema.json").read_bytes())
    for store in (STORE, EMPTY):
        shown = store_json.render(store)
        jsonschema_rs.validator_for(schema).validate(json.loads(shown))
        wire.StoreReport.model_validate_json(shown)


def test_decisions_are_sorted_into_lines() -> None:
    assert [(line.environment, len(line.moments)) for line in STORE.lines] == [("production", 30), ("staging", 7)]
    for line in STORE.lines:
        times = [moment.context.evaluated_at for moment in line.moments]
        assert times == sorted(times)


def test_at_the_same_moment_what_denies_is_the_newest() -> None:
    """As in `verify`: FAILED wins."""
    denied, allowed = store_reports.moment(3), store_reports.moment(4)
    same = _store.build(
        [denied, _store.Moment(**{**_fields(allowed), "context": denied.context})],  # type: ignore[arg-type]
        [],
        [],
    )
    assert same.lines[0].newest.decision == denied.decision


def _fields(moment: _store.Moment) -> dict[str, object]:
    return {name: getattr(moment, name) for name in _store.Moment.__slots__}


def test_waivers_end_as_of_the_newest_decision() -> None:
    """No clock: a waiver is `ended` where the newest decision came after its end."""
    assert [(one.signed.by, one.state, one.used) for one in STORE.waivers] == [
        ("alice", "ended", False),
        ("bob", "ends soon", True),
        ("carol", "in force", False),
    ]
    assert STORE.as_of is not None
    assert STORE.waivers[1].signed.said.until - STORE.as_of <= timedelta(days=14)


def test_csv_has_a_row_for_each_decision_and_each_build_that_cannot_be_read() -> None:
    rows = list(csv.DictReader(io.StringIO(store_csv.render(STORE), newline=""), strict=True))
    assert len(rows) == 37 + 1
    assert rows[-1]["verdict"] == "unreadable"
    assert {row["denied_by"] for row in rows if row["verdict"] == "denied"} == {"release_age"}


def test_the_page_says_what_cannot_be_read_first() -> None:
    text = re.sub(r"<[^>]+>", "\n", store_html.render(STORE))
    assert text.index("Altered, or cannot be read.") < text.index("May it ship: the newest decision on each")
    assert "The store holds no decision." in store_html.render(EMPTY)


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_p39_what_is_hostile_is_text(name: str) -> None:
    hostile, plain = (store_reports.named(text) for text in (reports.HOSTILE_NAMES[name], "ordinary"))
    tags = re.compile(r"<(/?[a-z0-9]+)")
    for kind, rendering in RENDERINGS.items():
        shown = rendering.render(hostile)
        assert kind == "json" or "\u202e" not in shown  # programs read the whole name
        assert not any(line.lstrip().startswith(("::", "##vso[", "##[", "/")) for line in shown.splitlines())
    assert tags.findall(store_html.render(hostile)) == tags.findall(store_html.render(plain))
    assert store_csv.render(hostile).count("\n") == store_csv.render(plain).count("\n")
    for row in csv.reader(io.StringIO(store_csv.render(hostile), newline="")):
        assert not any(cell.lstrip(' "').startswith(("=", "+", "-", "@", "＝")) for cell in row)
    spans = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
    mine, theirs = (spans.sub("§", store_markdown.render(one)) for one in (hostile, plain))
    assert mine == theirs
