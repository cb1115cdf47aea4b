"""Findings as JUnit XML, for the test view of a CI system: a suite for each rule, a case for each package found.

Denied is a failure, waived is skipped, what could not be decided is an error; warnings and notes pass, and say so. Each
rule has one case of its own, so that a rule that found nothing is a test that passed, and never no test at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sbomgate.model import Level, PolicyFinding
from sbomgate.report import Entry, Report, Undecided, chain
from sbomgate.report.escape import plain

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

MAX_TEXT = 2_000  # characters


def render(reports: Sequence[Report], undecided: Sequence[Undecided] = ()) -> str:
    """Return a JUnit document with the suites of all reports, ending in a newline."""
    from xml.etree import ElementTree as ET

    root = ET.Element("testsuites", name="sbomgate")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for report in reports:
        for suite in _suites(report):
            root.append(suite)
        _standing(root, report)
    if undecided:
        suite = ET.SubElement(root, "testsuite", name="sbomgate")
        for one in undecided:
            case = ET.SubElement(suite, "testcase", classname="sbomgate", name=plain(one.label))
            error = ET.SubElement(case, "error", type="undecided", message=plain(one.message, MAX_TEXT))
            error.text = plain(one.hint, MAX_TEXT)
        _count(suite)
    for suite in root:
        for key in totals:
            totals[key] += int(suite.get(key, "0"))
    for key, number in totals.items():
        root.set(key, str(number))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _standing(root: ET.Element, report: Report) -> None:
    """Add a test that fails where stored evidence was not verified, or is refused: nothing of it is to look green."""
    from xml.etree import ElementTree as ET

    standing = report.whole.standing
    if report.decision is None or (standing.verified and not standing.reasons):
        return
    suite = ET.SubElement(root, "testsuite", name=f"{plain(report.project, 214)}: evidence")
    case = ET.SubElement(suite, "testcase", classname="sbomgate.evidence", name="verified, and accepted")
    kind = "refused" if standing.verified else "unverified"
    error = ET.SubElement(case, "error", type=kind, message=plain(standing.said, MAX_TEXT))
    error.text = "\n".join(plain(reason, MAX_TEXT) for reason in standing.reasons)
    _count(suite)


def _suites(report: Report) -> Iterator[ET.Element]:
    from xml.etree import ElementTree as ET

    place = f"{plain(report.project, 214)}: {plain(report.whole.context.lockfile_path)}"
    if report.workspace is not None:
        place = f"{place} ({plain(report.workspace)})"
    found: dict[str, list[tuple[Entry, PolicyFinding]]] = {rule: [] for rule in report.evaluation.rules}
    for entry in (*report.denials, *report.warnings, *report.notes, *report.waived):
        for finding in entry.findings:
            found.setdefault(finding.rule, []).append((entry, finding))
    for rule, cases in sorted(found.items()):
        name = plain(rule, 200)
        suite = ET.Element("testsuite", name=f"{place}: {name}")
        case = ET.SubElement(suite, "testcase", classname=f"sbomgate.{name}", name=f"{report.packages} packages judged")
        about = report.whole.rules.get(rule)
        if about is not None:
            ET.SubElement(case, "system-out").text = plain(about.title, MAX_TEXT)
        for entry, finding in cases:
            _case(suite, name, entry, finding, observed=report.profile == "observe")
        _count(suite)
        yield suite


def _case(suite: ET.Element, rule: str, entry: Entry, finding: PolicyFinding, *, observed: bool) -> None:
    from xml.etree import ElementTree as ET

    who = f"{plain(entry.name, 214)} {plain(entry.version, 80)}" if entry.name else "the project as a whole"
    code = plain(finding.code, 200)
    case = ET.SubElement(suite, "testcase", classname=f"sbomgate.{rule}", name=f"{who}: {code}")
    message = plain(finding.message, MAX_TEXT)
    more = [f"path: {plain(' › '.join(chain(entry.path)))}"] if entry.path else []
    more += [f"fix: {plain(finding.fix, MAX_TEXT)}"] if finding.fix else []
    if finding.waived:
        ET.SubElement(case, "skipped", message=f"waived: {message}")
    elif finding.level is Level.DENY and not observed:
        ET.SubElement(case, "failure", type=code, message=message).text = "\n".join([message, *more])
    else:
        ET.SubElement(case, "system-out").text = "\n".join([f"{finding.level.value}: {message}", *more])


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite)))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(tag) is not None for case in suite)))
