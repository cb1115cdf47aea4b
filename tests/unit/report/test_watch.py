"""A watch as text, Markdown and JSON: inert, whatever a registry says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import jsonschema_rs
import pytest

from sbomgate import resources
from sbomgate.model.watch import Alert, NotKnown, Watched
from sbomgate.report import watch_json, watch_markdown, watch_text

NOW = datetime(2026, 3, 31, 8, 0, tzinfo=UTC)
EVIL = "eve\x1b[2K`</details>@everyone|\n::set-output"
ALERT = Alert(
    id="ab" * 32,
    registry="https://registry.example/",
    name="axios",
    version="1.14.1",
    published=None,
    code="publisher-changed",
    message=f"1.14.0 was published by alice; 1.14.1 by {EVIL}",
    found=NOW,
    held=tuple(f"1.{minor}.0" for minor in range(7)),
    builds=12,
)
WATCHED = Watched(
    at=NOW,
    window_days=7,
    packages=1200,
    unchanged=1199,
    first=0,
    releases=1,
    alerts=(ALERT, replace(ALERT, code="old-major", message="old", id="cd" * 32)),
    unknown=tuple(NotKnown(registry="https://r.example/", name=EVIL, version=None, reason=EVIL) for _ in range(25)),
    notes=(EVIL,),
)
QUIET = replace(WATCHED, alerts=(), unknown=(), notes=())


@pytest.mark.parametrize("rendering", [watch_text, watch_markdown], ids=["text", "Markdown"])
def test_inert(rendering: object) -> None:
    """P39."""
    text: str = rendering.render(WATCHED)  # type: ignore[attr-defined]
    assert "\x1b" not in text
    assert "\n::" not in text
    for said in (
        "2 new alerts about 1 release of 1 package",
        "12 builds hold 1.0.0, 1.1.0",
        "and 2 more",
        "and 5 more",
    ):
        assert said in text
    assert "1,200 packages looked at, 1,199 unchanged, 1 new release judged" in text
    assert "published nobody knows when" in text


def test_markdown_keeps_everything_from_outside_in_code() -> None:
    for line in watch_markdown.render(WATCHED).splitlines():
        if "@everyone" in line:
            assert line.partition("`")[0].find("@everyone") < 0
            assert "``" in line


def test_the_first_word_says_how_it_came_out() -> None:
    assert watch_text.render(WATCHED).startswith("ALERT    ")
    assert watch_text.render(QUIET).startswith("QUIET    ")
    assert watch_text.render(replace(WATCHED, alerts=())).startswith("UNKNOWN  ")
    assert watch_markdown.render(QUIET).startswith("### Watch: nothing new")


@pytest.mark.parametrize("watched", [WATCHED, QUIET], ids=["alerts", "quiet"])
def test_json_is_what_its_schema_says(watched: Watched) -> None:
    data = watch_json.render(watched)
    schema = json.loads(resources.path("schemas", "watch.schema.json").read_bytes())
    jsonschema_rs.validator_for(schema).validate(json.loads(data))
    assert data == watch_json.render(watched)
