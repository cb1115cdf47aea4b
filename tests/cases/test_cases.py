"""Every folder here, through the command line: the gate says what its case.toml expects (P1, P2, P5 to P7, P11)."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sbomgate.policy import bundle
from sbomgate.policy.engines import DEFAULT, EngineSettings, open_engine
from testkit.cases import Case, Outcomes, all_cases
from testkit.engines import engine_cache

CASES = {case.name: case for case in all_cases()}
RUNS = [
    pytest.param(
        name,
        profile,
        id=f"{name}-{profile}",
        marks=[pytest.mark.xfail(reason=expected.wrong, strict=True)] if expected.wrong else [],
    )
    for name, case in CASES.items()
    for profile, expected in case.expect.items()
]


@pytest.mark.parametrize(("name", "profile"), RUNS)
def test_the_gate_says(name: str, profile: str, outcomes: Outcomes) -> None:
    case, outcome = CASES[name], outcomes.of(name, profile)
    expected = case.expect[profile]
    shown = f"{case.title}\n{sorted(outcome.said('denials'))}\n{sorted(outcome.said('warnings'))}\n{outcome.stderr}"
    assert outcome.verdict == expected.verdict, shown
    assert expected.says in outcome.stderr, shown
    assert set(expected.denies) <= outcome.said("denials"), shown
    assert set(expected.warns) <= outcome.said("warnings"), shown
    assert set(expected.notes) <= outcome.said("notes"), shown
    assert not set(expected.silent) & (outcome.said("denials") | outcome.said("warnings") | outcome.said("notes")), (
        shown
    )
    if expected.only:
        assert outcome.said("denials") == set(expected.denies), shown
    loud = {said.partition("/")[0] for said in outcome.said("denials")}
    assert not loud & set(case.quiet), shown


def test_what_default_denies_every_stricter_profile_denies() -> None:
    """So a case that `default` denies need not be run again: no class of findings is milder in a stricter profile."""
    with open_engine(DEFAULT, EngineSettings(cache_dir=engine_cache(), notify=print)) as engine:
        classes = json.loads(engine.evaluate(bundle.load(None), b"{}", "data.sbomgate.lib.finding.classes"))
    assert classes
    for levels in classes.values():
        order = [["note", "warn", "deny"].index(levels[profile]) for profile in ("default", "strict", "release")]
        assert order == sorted(order)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_is_told_whole(case: Case) -> None:
    """A denial says which findings it must rest on, an error what is said; `default` is always told."""
    assert case.title
    assert "default" in case.expect
    for profile, expected in case.expect.items():
        assert expected.denies or expected.verdict != "denied", profile
        assert expected.says or expected.verdict != "error", profile


def test_the_folders_and_the_table_are_what_the_script_makes(repository: Path) -> None:
    script = _module(repository / "tools" / "make_cases.py")
    for case in CASES.values():
        assert script.same(case, script.project(case)), f"python tools/make_cases.py {case.name}"
    assert script.TABLE.read_text("utf-8") == script.table(), "python tools/make_cases.py"


def test_every_row_is_somewhere(repository: Path) -> None:
    """A row of the list is a folder, or a test of its own."""
    told = _module(Path(__file__).parent / "rows.py")
    here = {case.id for case in CASES.values()}
    assert not set(told.ROWS) - here - told.ELSEWHERE.keys()


def test_every_row_about_lockfiles_is_told_in_every_format(repository: Path) -> None:
    """A row of L, S or C has a folder in each format, or it is said why it cannot occur there; never both."""
    told = _module(Path(__file__).parent / "rows.py")
    script = _module(repository / "tools" / "make_cases.py")
    here = {(case.id, case.format or "npm") for case in CASES.values()}
    for row in told.ROWS:
        if row[0] in "LSC":
            for format_ in told.FORMATS:
                assert ((row, format_) in here) != (script.reason(told, row, format_) is not None), (row, format_)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module
