"""Markdown: fits a comment, says the worst first, and what comes from outside stands in code spans alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sbomgate.report import Undecided, markdown
from testkit import reports

REPORTS = reports.built()
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


@pytest.mark.parametrize("name", REPORTS)
def test_it_fits_a_comment(name: str) -> None:
    """P38: and the same bytes from the same report."""
    shown = markdown.render([REPORTS[name]])
    assert len(shown) <= markdown.MAX_CHARACTERS
    assert shown.count("<details>") == shown.count("</details>")
    assert markdown.render([reports.built(again=True)[name]]) == shown


def test_what_denies_is_open_and_says_what_to_do() -> None:
    shown = markdown.render([REPORTS["incident"]])
    assert shown.startswith("### ❌ Denied: `shop` `3.2.0`\n")
    assert "**`axios`** `1.14.0` → `1.14.1` — `shop › axios`" in shown
    assert "  - to do: `stay on axios 1.14.0, or have the change approved`" in shown
    assert "runs `node setup.js`" in shown
    assert shown.index("plain-crypto-js") < shown.index("<details>")


def test_what_does_not_fit_is_counted() -> None:
    shown = markdown.render([REPORTS["many-denied"]] * 3, [Undecided(label="a", message="b" * 90_000, hint="")])
    assert len(shown) <= markdown.MAX_CHARACTERS + 1_000
    assert len(re.findall(r"… and \d+ more packages, which do not fit here", shown)) == 3


def test_of_several_each_has_a_line_and_only_what_is_not_allowed_is_told() -> None:
    shown = markdown.render(
        [REPORTS["allowed"]] * 40 + [REPORTS["incident"]], [Undecided(label="a", message="b", hint="")]
    )
    assert shown.startswith("### 42 decisions: 40 allowed, 1 denied, 1 undecided\n")
    assert len(re.findall(r"^- ✅ `shop` `package-lock.json`: 1 package$", shown, re.MULTILINE)) == 40
    assert shown.count("### ") == 2
    assert "**`axios`**" in shown


def test_a_waiver_says_by_whom_and_until_when() -> None:
    assert "- by `alice` until 2026-12-01: `until the mirror is fixed`" in markdown.render([REPORTS["waived"]])


def test_yes_rests_on_a_signature_that_was_verified() -> None:
    report = REPORTS["allowed"]
    for change, expected in (
        ({"verified": False}, "### ⚠️ Allowed, and nobody verified who says so"),
        ({"reasons": ("too old",)}, "### ⚠️ Allowed, and this trust file refuses it"),
    ):
        standing = replace(report.whole.standing, **change)
        assert markdown.render([replace(report, detail=replace(report.whole, standing=standing))]).startswith(expected)
    assert markdown.render([REPORTS["observed"]]).startswith("### 👁️ Recorded")


def outside_code(shown: str) -> str:
    """Return the document without its code spans, each of which must end on its own line."""
    lines = [_SPAN.sub("§", line) for line in shown.split("\n")]
    assert not any("`" in line for line in lines), "a code span that does not end"
    return "\n".join(lines)


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_p39_what_is_hostile_is_text(name: str) -> None:
    """What is left outside of code spans is the same for every name: our own words."""
    text = reports.HOSTILE_NAMES[name]
    undecided = [Undecided(label=text, message=text, hint=text)]
    shown = markdown.render([reports.named(text)], undecided)
    plain = markdown.render([reports.named("ordinary")], [Undecided(label="a", message="b", hint="")])
    numbers = re.compile(r"[0-9a-f]{12,64}")
    mine, theirs = (numbers.sub("#", outside_code(one)) for one in (shown, plain))
    assert sorted(mine.splitlines()) == sorted(theirs.splitlines())
    assert not any(line.lstrip().startswith(("::", "##vso[", "##[", "/")) for line in shown.splitlines())
    assert "$§" not in outside_code(shown)
