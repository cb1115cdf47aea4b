"""What is put before an approver, and what his signature covers: the change, and nothing that he did not see."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest

from sbomgate import review
from sbomgate.model import Evaluation, Kind, Level, Package, PolicyFinding, Verdict
from sbomgate.model.review import Review
from sbomgate.report import _review_words, review_markdown, review_text
from testkit import inputs as b

OLD, NEW = b.package("old"), b.package("new")
OWN = b.package("web", kind=Kind.WORKSPACE, id="packages/web", integrity=None, resolved=None)


def finding(rule: str, code: str, about: Package | None, level: Level = Level.WARN, **changes: Any) -> PolicyFinding:
    told: dict[str, Any] = {
        "rule": rule,
        "code": code,
        "level": level,
        "package": None if about is None else about.id,
        "message": f"{code} was found",
        "fix": "",
        "unknown": False,
        "waivable": True,
        "waived": False,
        "fingerprint": hashlib.sha256(f"{rule}{code}{about and about.name}".encode()).hexdigest(),
    }
    return PolicyFinding(**(told | changes))


def reviewed(*findings: PolicyFinding) -> Review:
    made = Evaluation(
        data=b"", sha256="", verdict=Verdict.DENIED, findings=findings, rules=(), waived_by={}, unused_waivers=()
    )
    return review.review(
        b.sbom([OLD, NEW, OWN]), made, b.sbom([OLD, OWN]), compared="0" * 64, profile="strict", now=b.NOW
    )


@pytest.mark.parametrize(
    ("found", "covered"),
    [
        pytest.param(finding("provenance", "x", NEW), True, id="of what changed, a warning too"),
        pytest.param(finding("provenance", "x", OLD), False, id="a warning about what did not change"),
        pytest.param(finding("provenance", "x", OLD, Level.DENY), True, id="a denial of what did not change"),
        pytest.param(finding("lockfile_sound", "x", None), True, id="of the project as a whole"),
        pytest.param(finding("lockfile_sound", "x", OWN), True, id="of a workspace"),
        pytest.param(finding("approved_changes", "rewired", OLD, Level.NOTE), True, id="of an edge"),
        pytest.param(finding("provenance", "x", NEW, Level.DENY, waivable=False), False, id="P28 what nothing waives"),
        pytest.param(finding("provenance", "x", NEW, waived=True), False, id="what somebody waived already"),
    ],
)
def test_an_approval_covers_what_was_shown(found: PolicyFinding, covered: bool) -> None:
    made = reviewed(found)
    assert (found.fingerprint in made.covers) == covered
    for text in (review_text.render(made), review_markdown.render(made)):
        if covered and found.code != "rewired":  # an edge stands among the edges
            assert "x was found" in text


def test_what_denies_and_did_not_change_is_shown_as_that() -> None:
    made = reviewed(finding("provenance", "x", OLD, Level.DENY))
    assert [(entry.name, entry.changed) for entry in made.entries] == [("old", False), ("new", True)]
    assert "(unchanged)" in review_text.render(made)
    assert "1 new or changed, 1 unchanged and denied" in review_text.render(made)
    assert "unchanged: " in review_markdown.render(made)


def test_copies_of_one_package_have_one_fingerprint() -> None:
    found = finding("provenance", "x", NEW)
    twice = finding("provenance", "x", NEW, message="the same of another copy", package=NEW.id)
    assert len(reviewed(found, twice).covers) == 1


def test_another_finding_is_another_change() -> None:
    assert reviewed(finding("provenance", "x", NEW)).sha256 != reviewed(finding("provenance", "y", NEW)).sha256
    assert reviewed(finding("provenance", "x", OLD)).sha256 == reviewed().sha256, "what is not covered does not matter"


# --------------------------------------------------------------------------------------------------------------------
# What many packages share


def many(number: int, *more: Any) -> Review:
    """A change of `number` packages: each is told the same of itself; the first is told something else as well."""
    packages = [b.package(f"p{i}", version="1.2.3") for i in range(number)]
    said = [
        finding("provenance", "x", one, Level.DENY, message=f"nobody knows who built {one.name} 1.2.3 (offline)")
        for one in packages
    ]
    said.append(finding("new_dependencies", "y", packages[0], message="brings in p1 1.2.3, of unknown age"))
    made = Evaluation(
        data=b"",
        sha256="",
        verdict=Verdict.DENIED,
        findings=(*said, *more),
        rules=(),
        waived_by={},
        unused_waivers=(),
    )
    return review.review(b.sbom([OLD, *packages]), made, b.sbom([OLD]), compared="0" * 64, profile="default", now=b.NOW)


@pytest.mark.parametrize("render", [review_text.render, review_markdown.render])
def test_what_many_are_told_is_said_once_and_each_is_named(render: Any) -> None:
    text = render(many(300))
    assert text.count("nobody knows who built") == 1
    assert text.count("nobody knows who built it (offline)") == 1
    assert "(300 packages)" in text
    assert "brings in p1 1.2.3, of unknown age" in text, "another package's name is part of the sentence"
    for i in range(300):
        assert re.search(rf"\bp{i} 1\.2\.3 \(new\)|\*\*`p{i}`\*\*", text), i
    assert len(text) < 100 * 300, "a line a package, and not ten"


@pytest.mark.parametrize("number", [4, 5])
def test_few_are_told_each(number: int) -> None:
    text = review_text.render(many(number))
    assert text.count("nobody knows who built") == (4 if number == 4 else 1)


def test_no_word_of_what_is_approved_is_left_out() -> None:
    """What an entry holds is either told at the package, or has a number there, and the number says the same."""
    made = many(30, finding("licences", "z", OLD, Level.DENY, message="other"))
    found = _review_words.grouped(made)
    numbered = {one.number: one for one in found.shared}
    shown = {one.entry.name: (one.can, one.findings, one.numbers) for one in found.told}
    shown |= {entry.name: ((), (), numbers) for numbers, entries in found.alike for entry in entries}
    assert sorted(shown) == sorted(entry.name for entry in made.entries)
    for entry in made.entries:
        can, findings, numbers = shown[entry.name]
        assert len(can) + len(findings) + len(numbers) == len(entry.can) + len(entry.findings)
        for one in set(entry.findings) - set(findings):
            assert any(
                (numbered[n].level, numbered[n].rule) == (one.level.value, one.rule)
                and numbered[n].text.replace(" it ", f" {entry.name} {entry.version} ") == one.message
                for n in numbers
            )


@pytest.mark.parametrize(
    ("message", "shared"),
    [
        ("a 1.0.0 was never seen", "it was never seen"),
        ("a was never seen", "it was never seen"),
        ("whether a 1.0.0 is", "whether it is"),
        ("brings in a 1.0.0.1", "brings in a 1.0.0.1"),
        ("brings in a 1.0.0-rc", "brings in a 1.0.0-rc"),
        ("brings in @b/a 1.0.0", "brings in @b/a 1.0.0"),
        ("ba 1.0.0 is", "ba 1.0.0 is"),
        ("of a kind", "of a kind"),
    ],
)
def test_only_the_package_itself_becomes_it(message: str, shared: str) -> None:
    entries = [replace(many(1).entries[0], name="a", version="1.0.0", can=(message,), findings=()) for _ in range(5)]
    found = _review_words.grouped(replace(many(1), entries=tuple(entries)))
    assert [one.text for one in found.shared] == [shared]
