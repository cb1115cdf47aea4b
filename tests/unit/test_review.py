"""What is put before an approver, and what his signature covers: the change, and nothing that he did not see."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from sbomgate import review
from sbomgate.model import Evaluation, Kind, Level, Package, PolicyFinding, Verdict
from sbomgate.model.review import Review
from sbomgate.report import review_markdown, review_text
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
