"""The page: whole without a script, nothing fetched, every number leads to a digest, hostile text inert (P39)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sbomgate.report import Undecided, html
from testkit import reports

REPORTS = reports.built()
UNDECIDED = Undecided(label="services/web", message="the lockfile is no JSON", hint="make it anew")


class Page(HTMLParser):
    """What a browser would make of it: elements with their attributes, and the text."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.raw: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(shown)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("style", "script"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self.raw[self._open[-1]] = data
        else:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def all(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]


@pytest.mark.parametrize("name", REPORTS)
def test_it_stands_alone(name: str) -> None:
    """Nothing is fetched, ids are unique, links lead somewhere. P38: the same bytes from the same report."""
    shown = html.render([REPORTS[name]], [UNDECIDED])
    page = Page(shown)
    tags = Counter(tag for tag, _ in page.elements)
    assert (tags["html"], tags["head"], tags["body"], tags["main"], tags["h1"], tags["style"], tags["script"]) == (
        1,
    ) * 7
    assert (
        not {"img", "iframe", "link", "object", "embed", "base", "audio", "video", "use", "foreignobject"} & tags.keys()
    )
    assert not {"src", "srcset", "style", "background", "xlink:href", "action", "formaction"} & {
        key for _, attributes in page.elements for key in attributes
    }
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert all(href.startswith("#") and href[1:] in ids for href in page.all("href"))
    assert html.render([reports.built(again=True)[name]], [UNDECIDED]) == shown


def test_the_policy_of_the_page_names_its_own_style_and_script_and_nothing_else() -> None:
    page = Page(html.render([REPORTS["incident"]]))
    digests = {
        kind: base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        for kind in ("style", "script")
    }
    (policy,) = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_p39_what_is_hostile_is_text(name: str) -> None:
    """Element by element the page is the one that an ordinary name gives."""
    text = reports.HOSTILE_NAMES[name]
    shown = html.render([reports.named(text)], [Undecided(label=text, message=text, hint=text)])
    plain = html.render([reports.named("ordinary")], [Undecided(label="a", message="b", hint="c")])
    mine, theirs = Page(shown), Page(plain)
    assert [(tag, sorted(attributes)) for tag, attributes in mine.elements] == [
        (tag, sorted(attributes)) for tag, attributes in theirs.elements
    ]
    assert mine.raw == theirs.raw
    assert not re.search(
        r"[^\t\n\x20-\x7e\xa0-\u1fff\u2010-\u2027\u2030-\ud7ff\ue000-\ufffd\U00010000-\U000dffff]", shown
    )
    assert "\u202e" not in shown
    assert not any(line.lstrip().startswith(("::", "##")) for line in shown.splitlines())
    assert len(shown) < 1_000_000


def words(name: str) -> str:
    return " ".join("".join(Page(html.render([REPORTS[name]])).text).split())


def test_page_one_answers_whether_it_may_ship() -> None:
    assert "Yes, it may shipNo rule denies it." in words("allowed")
    assert "No, it may not ship4 rules deny 2 packages:" in words("incident")
    assert "Recorded, not judged" in words("observed")
    assert "provenance of 3 of 412 packages" in words("incident")


def test_what_is_about_the_project_is_put_right_one_by_one() -> None:
    findings = [reports.finding(None, rule, rule, "wrong", fix=f"mend {rule}") for rule in ("pinned", "registries")]
    page = html.render([reports.report(reports.sbom(), *findings)])
    assert [page.count(f"To do: mend {rule}<") for rule in ("pinned", "registries")] == [1, 1]


def test_what_is_denied_and_did_not_change_is_no_change() -> None:
    change = REPORTS["incident"].whole.change
    assert change is not None
    axios, crypto = sorted(change.entries, key=lambda entry: entry.name)
    for entries, said in (
        (
            (replace(axios, changed=False, was=("1.14.1",)), replace(crypto, changed=False, was=("4.2.1",))),
            "No package",
        ),
        ((replace(axios, changed=False, was=("1.14.1",)), replace(crypto, changed=True, was=())), "1 package new."),
        ((replace(axios, changed=True, was=("1.14.0",)),), "1 package in another version."),
    ):
        compared = replace(change, compared="81" * 32, entries=entries)
        whole = replace(REPORTS["incident"].whole, change=compared)
        page = "".join(Page(html.render([replace(REPORTS["incident"], detail=whole)])).text)
        assert f"What changed since the last approved build{said}" in page


def test_what_was_waived_says_by_whom_and_until_when() -> None:
    shown = words("waived")
    assert "No rule denies it beyond what was waived." in shown
    assert "waives release_age for left-pad 1.3.0alice2026-12-01until the mirror is fixed1 finding" in shown
    assert "2026-12-01 12:00 UTC, with the first waiver or approval that it rests on" in shown


def test_yes_rests_on_a_signature_that_was_verified_and_on_nothing_that_speaks_against_it() -> None:
    """A wrong yes is the worst that a page can say."""
    report = REPORTS["allowed"]
    unverified = replace(report.whole.standing, verified=False, said="nobody knows")
    refused = replace(report.whole.standing, reasons=("the environment is another",))
    for standing, expected in (
        (unverified, "It says that it may ship, and nobody verified who says so"),
        (refused, "The policy allowed it, and this trust file refuses it"),
    ):
        shown = html.render([replace(report, detail=replace(report.whole, standing=standing))])
        assert expected in shown
        assert "Yes, it may ship" not in shown
        assert 'class="verdict allowed"' not in shown
        assert all(reason in shown for reason in standing.reasons)
    checked = html.render([REPORTS["many-warned"]])
    assert "The policy allows it" in checked
    assert "Yes, it may ship" not in checked


def test_what_nobody_verified_says_so() -> None:
    assert "Not verified. nothing is signed" in words("many-warned")
    assert "Verified: signed by release key." in words("allowed")


def test_every_finding_is_there_and_two_thousand_fold() -> None:
    shown = html.render([REPORTS["many-denied"]])
    assert all(f"package-{number:04}" in shown for number in range(2_000))
    assert shown.count("<details>") >= 1
    assert len(shown) < 3_000_000


def test_several_decisions_are_one_page_with_a_list_of_them() -> None:
    page = Page(html.render([REPORTS["allowed"], REPORTS["incident"]], [UNDECIDED]))
    text = "".join(page.text)
    assert "3 decisions" in text
    assert "No decision: services/web: the lockfile is no JSON" in text
    assert {"#r1", "#r2"} <= set(page.all("href"))
