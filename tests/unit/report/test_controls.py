"""Controls: every key is counted, every digest is there, and nothing is claimed that was not verified."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sbomgate.report import Report, _controls, controls_html, controls_markdown, controls_text
from sbomgate.report._controls import Field, Profile, Support
from testkit import reports

PROFILE = Profile(
    title="BSI TR-03183-2",
    fields=(
        Field(id="hash", title="Hash", level="required", applicable=9, present=9, unknown=0, withheld=0, note=""),
        Field(
            id="creator", title="Creator", level="required", applicable=9, present=4, unknown=5, withheld=0, note="-"
        ),
        Field(id="uri", title="URI", level="optional", applicable=9, present=0, unknown=9, withheld=0, note=""),
    ),
    never=("the effective licence",),
)
RENDERINGS = {"html": controls_html, "markdown": controls_markdown, "text": controls_text}


@pytest.fixture(scope="module")
def frameworks(repository: Path) -> tuple[_controls.Framework, ...]:
    return _controls.load((repository / "sbomgate" / "report" / _controls.DATA).read_bytes())


def made(report: Report, frameworks: tuple[_controls.Framework, ...]) -> _controls.Controls:
    return _controls.controls(report, frameworks, {"bsi-tr-03183-2": PROFILE})


def answers(controls: _controls.Controls) -> dict[str, _controls.Answer]:
    return {f"{chapter.id} {answer.id}": answer for chapter in controls.chapters for answer in chapter.answers}


def test_the_six_documents_are_there(frameworks: tuple[_controls.Framework, ...]) -> None:
    assert [one.id for one in frameworks] == ["ssdf", "s2c2f", "cra", "bsi", "pci", "soc2"]
    for one in frameworks:
        ids = [requirement.id for requirement in one.requirements]
        assert len(ids) == len(set(ids))
        assert all(r.asks.endswith(".") and r.rest.endswith(".") for r in one.requirements)


def test_every_rule_that_is_named_exists(repository: Path, frameworks: tuple[_controls.Framework, ...]) -> None:
    rules = {path.stem for path in (repository / "policies" / "rules").glob("*.rego") if "_test" not in path.stem}
    named = {k[5:] for one in frameworks for r in one.requirements for k in r.evidence if k.startswith(_controls.RULE)}
    assert named <= rules


MISTAKES = {
    "unknown evidence": ('["decision", "record"]', '["nonsense"]'),
    "a key is missing": ("rest = ", "rests = "),
    "an unknown key": ('id = "ssdf"', 'id = "ssdf"\nmore = 1'),
}


@pytest.mark.parametrize(("was", "now"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_the_data_is_an_error(repository: Path, was: str, now: str) -> None:
    text = (repository / "sbomgate" / "report" / _controls.DATA).read_text("utf-8")
    assert was in text
    with pytest.raises((ValueError, KeyError)):
        _controls.load(text.replace(was, now, 1).encode())


def test_what_is_counted(frameworks: tuple[_controls.Framework, ...]) -> None:
    found = answers(made(reports.built()["incident"], frameworks))
    assert found["s2c2f INV-1 (level 1)"].said == (
        "a CycloneDX SBOM of 2 packages and 2 dependencies, direct and transitive",
    )
    assert found["s2c2f INV-2 (level 2)"].support is Support.OUTSIDE
    assert found["s2c2f ENF-2 (level 3)"].support is Support.NOT  # the rule did not run in this report
    assert found["soc2 CC8.1 approve"].support is Support.PARTLY
    assert [found[f"bsi {id_}"].support for id_ in ("hash", "creator", "uri", "never known")] == [
        Support.SUPPORTED,
        Support.PARTLY,
        Support.NOT,
        Support.OUTSIDE,
    ]


def test_what_is_denied_and_did_not_change_is_no_difference(frameworks: tuple[_controls.Framework, ...]) -> None:
    report = reports.built()["incident"]
    change = report.whole.change
    assert change is not None
    entries = tuple(replace(entry, changed=False) for entry in change.entries)
    for kept, said in ((entries, "0 differences"), ((*entries[1:], change.entries[0]), "1 difference")):
        compared = replace(change, compared="81" * 32, entries=kept)
        answer = made(replace(report, detail=replace(report.whole, change=compared)), frameworks)
        assert any(f": {said}" in line for one in answers(answer).values() for line in one.said)


def test_a_waiver_by_somebody_whose_independence_nobody_knows_is_only_a_part(
    frameworks: tuple[_controls.Framework, ...],
) -> None:
    found = answers(made(reports.built()["waived"], frameworks))["soc2 CC8.1 emergency"]
    assert found.support is Support.PARTLY
    assert found.said[0].startswith(
        "1 signed waiver or approval, each with a reason and an end; the change's author is not"
    )


def test_what_nobody_verified_supports_nothing_whole(frameworks: tuple[_controls.Framework, ...]) -> None:
    report = reports.built()["allowed"]
    before = made(report, frameworks)
    assert any(answer.support is Support.SUPPORTED for answer in answers(before).values())
    standing = replace(report.whole.standing, verified=False, said="not verified")
    after = made(replace(report, detail=replace(report.whole, standing=standing)), frameworks)
    assert not any(answer.support is Support.SUPPORTED for answer in answers(after).values())


def test_an_empty_list_is_no_comparison(frameworks: tuple[_controls.Framework, ...]) -> None:
    report = reports.built()["allowed"]
    evaluation = replace(report.evaluation, rules=("known_malicious",))
    detail = replace(report.whole, digests={**report.whole.digests, "lists/a.csv": "0" * 64}, lists={"a.csv": 0})
    found = answers(made(replace(report, evaluation=evaluation, detail=detail), frameworks))["s2c2f ING-3 (level 3)"]
    assert (found.support, found.said) == (Support.NOT, ("every list of malicious packages was empty",))
    some = replace(report, evaluation=evaluation, detail=replace(detail, lists={"a.csv": 9}))
    assert answers(made(some, frameworks))["s2c2f ING-3 (level 3)"].support is Support.SUPPORTED


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("which", ["allowed", "incident", "waived", "hostile"])
def test_every_digest_that_is_named_is_there(
    frameworks: tuple[_controls.Framework, ...], name: str, which: str
) -> None:
    """P38: and the same bytes from the same report."""
    controls = made(reports.built()[which], frameworks)
    shown = RENDERINGS[name].render(controls)
    assert _controls.NOTICE in shown
    for answer in answers(controls).values():
        assert set(answer.files) <= controls.digests.keys()
        assert all(controls.digests[file] in shown for file in answer.files)
    assert RENDERINGS[name].render(made(reports.built(again=True)[which], frameworks)) == shown


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_p39_what_is_hostile_is_text(frameworks: tuple[_controls.Framework, ...], name: str) -> None:
    hostile, plain = (made(reports.named(text), frameworks) for text in (reports.HOSTILE_NAMES[name], "ordinary"))
    for rendering in RENDERINGS.values():
        shown = rendering.render(hostile)
        assert not any(line.lstrip().startswith(("::", "##vso[", "##[", "/")) for line in shown.splitlines())
        assert "\u202e" not in shown
        assert "\x1b" not in shown
    tags = re.compile(r"<(/?[a-z0-9]+)")
    assert tags.findall(controls_html.render(hostile)) == tags.findall(controls_html.render(plain))
    spans = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
    mine, theirs = (spans.sub("§", controls_markdown.render(one)) for one in (hostile, plain))
    assert mine == theirs
