"""Findings as CSV (RFC 4180), a row each: for a spreadsheet, so a cell that it would take for a formula is neutralised.

`purl` is for programs: it never begins with a character that a spreadsheet computes with.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from sbomgate import purl
from sbomgate.model import PolicyFinding
from sbomgate.report import Report, Undecided, chain
from sbomgate.report.escape import plain
from sbomgate.times import format_time

MAX_CELL = 10_000  # characters; spreadsheets hold 32,767

COLUMNS = (
    "project", "project_version", "lockfile", "workspace", "verdict", "profile", "decided_at", "verified", "level",
    "waived", "waived_by", "rule", "code", "unknown", "package", "version", "purl", "path", "line", "message", "fix",
    "fingerprint", "decision_sha256",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_FORMULA_WIDE = ("＝", "＋", "－", "＠")  # what Excel reads as the same in some languages


def render(reports: Sequence[Report], undecided: Sequence[Undecided] = ()) -> str:
    """Return a header and a row for each finding; a decision without any, and one that was not made, has one row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    for report in reports:
        writer.writerows(_rows(report))
    for one in undecided:
        said = f"{one.message}. {one.hint}" if one.hint else one.message
        writer.writerow({"lockfile": cell(one.label), "verdict": "undecided", "message": cell(said)})
    return out.getvalue()


def cell(text: str) -> str:
    """Return text from outside as a cell that no spreadsheet computes."""
    shown = plain(text, MAX_CELL)
    return f"'{shown}" if shown.lstrip(" '\"").startswith((*_FORMULA, *_FORMULA_WIDE)) else shown


def _rows(report: Report) -> Iterator[dict[str, str]]:
    detail = report.whole
    signed = {one.id: one for one in detail.people.signed}
    by_id = {package.id: package for package in detail.sbom.graph.packages}
    common = {
        "project": cell(report.project),
        "project_version": cell(report.version or ""),
        "lockfile": cell(detail.context.lockfile_path),
        "workspace": cell(report.workspace or ""),
        "verdict": report.verdict.value,
        "profile": report.profile,
        "decided_at": format_time(detail.context.evaluated_at),
        "verified": _bool(detail.standing.verified),
        "decision_sha256": report.decision or "",
    }
    if not report.evaluation.findings:
        yield {**common, "message": "no finding"}
    entries = (*report.denials, *report.warnings, *report.notes, *report.waived)
    chains = {(entry.name, entry.version): entry.path for entry in entries}
    for finding in _ordered(report):
        package = by_id.get(finding.package or "")
        about = package if package is not None and package.id else None
        waivers = [signed[i].by for i in report.evaluation.waived_by.get(finding.fingerprint, ()) if i in signed]
        line = None if about is None else detail.lines.get(about.id)
        key = ("", "") if about is None else (about.name, about.version or "")
        yield {
            **common,
            "level": finding.level.value,
            "waived": _bool(finding.waived),
            "waived_by": cell(", ".join(sorted(set(waivers)))),
            "rule": cell(finding.rule),
            "code": cell(finding.code),
            "unknown": _bool(finding.unknown),
            "package": "" if about is None else cell(about.name),
            "version": "" if about is None else cell(about.version or ""),
            "purl": "" if about is None else plain(purl.of(about), MAX_CELL),
            "path": cell(" > ".join(chain(chains.get(key, ())))),
            "line": "" if line is None else str(line),
            "message": cell(finding.message),
            "fix": cell(finding.fix),
            "fingerprint": finding.fingerprint,
        }


def _ordered(report: Report) -> list[PolicyFinding]:
    """Return the findings, what denies first, each copy of a package for itself."""
    rank = {"deny": 0, "warn": 1, "note": 2}
    return sorted(
        report.evaluation.findings,
        key=lambda f: (f.waived, rank[f.level.value], f.rule, f.code, f.package or "", f.fingerprint),
    )


def _bool(value: bool) -> str:
    return "yes" if value else "no"
