"""What a person is told: golden files, a screenful at most, and nothing that a terminal or a CI system obeys (P39)."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from sbomgate.report import text
from testkit import reports

REPORTS = reports.built()
SCREEN = 60  # lines


@pytest.mark.parametrize("verbose", [False, True], ids=["short", "verbose"])
@pytest.mark.parametrize("name", REPORTS)
def test_golden(repository: Path, name: str, verbose: bool) -> None:
    """Made by tools/make_report_goldens.py: look at the difference before committing it."""
    path = repository / "tests" / "golden" / "report" / f"{name}{'.verbose' if verbose else ''}.txt"
    assert text.render(REPORTS[name], verbose=verbose) == path.read_text("utf-8")


def test_what_was_stored_says_first_what_it_is_worth() -> None:
    report = REPORTS["allowed"]
    assert text.render(report, stored=True).startswith("VERIFIED  signed by release key\nALLOWED")
    standing = replace(report.whole.standing, verified=False, said="nobody", reasons=("another key",))
    shown = text.render(replace(report, detail=replace(report.whole, standing=standing)), stored=True)
    assert shown.startswith("NOT VERIFIED  nobody\n  Refused: another key\nALLOWED")


def test_no_golden_file_is_left_over(repository: Path) -> None:
    found = {path.name.split(".")[0] for path in (repository / "tests" / "golden" / "report").iterdir()}
    assert found == set(REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_it_fits_a_screen(name: str) -> None:
    """Two thousand findings are said in as few lines as three."""
    assert len(text.render(REPORTS[name]).splitlines()) <= SCREEN


@pytest.mark.parametrize("verbose", [False, True], ids=["short", "verbose"])
@pytest.mark.parametrize("name", REPORTS)
def test_p39_nothing_in_it_is_obeyed(name: str, verbose: bool) -> None:
    shown = text.render(REPORTS[name], verbose=verbose)
    for line in shown.split("\n"):
        assert not line.lstrip().startswith(("::", "##"))
        assert "##vso[" not in line
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs") for c in line), ascii(line)


def test_p39_wherever_a_line_is_broken() -> None:
    """No width, and no length of what stands before it, brings a command to the start of a line."""
    package = reports.package("evil", "1.0.0")
    for length in range(150):
        message = f"{'x' * length} ::set-output name=a::b ##vso[task.complete] " * 2
        report = reports.report(reports.sbom(package), reports.finding(package, "pinned", "x", message, fix=message))
        shown = text.render(report)
        assert not any(line.lstrip().startswith(("::", "##vso")) for line in shown.split("\n"))


def test_every_finding_is_told() -> None:
    """Verbose leaves nothing out: every package that denies or warns is named."""
    for name in ("many-denied", "many-warned"):
        shown = text.render(REPORTS[name], verbose=True)
        assert all(f"package-{number:04}" in shown for number in range(2_000))


def test_what_is_about_the_project_is_put_right_one_by_one() -> None:
    """The shortest fix of a package is enough; of the project each is told. Verbose has it below its finding."""
    package = reports.package("axios", "1.14.1")
    findings = [
        reports.finding(about, rule, rule, f"{rule} is wrong", fix=f"mend {rule}{' of axios' if about else ''}")
        for about in (None, package)
        for rule in ("pinned", "registries")
    ]
    report = reports.report(reports.sbom(package), *findings)
    shown = text.render(report)
    assert [line.removeprefix("  Next:").strip() for line in shown.splitlines() if "mend" in line] == [
        "mend pinned",
        "mend registries",
        "mend pinned of axios",
    ]
    said = [line.strip() for line in text.render(report, verbose=True).splitlines()]
    assert said[said.index("registries        registries is wrong") + 1].startswith("→ mend registries")


def test_a_denial_says_what_to_approve() -> None:
    """An approval is bound to integrity and digest: both can be copied, and hostile ones are not offered."""
    shown = text.render(REPORTS["incident"], verbose=True)
    assert "[[approved_scripts]]" in shown
    assert 'integrity = "sha512-AAAA=="' in shown
    assert "[[approved_scripts]]" not in text.render(REPORTS["hostile"], verbose=True)
