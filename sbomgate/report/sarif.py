"""Findings as SARIF 2.1.0, for code scanning: one run for each decision, each result at its entry in the lockfile.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/sarif-v2.1.0-errata01.html. What is waived is suppressed, not
left out. The fingerprint is the policy's own (rule, code, package, version, integrity), so that a line that moves opens
nothing again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from sbomgate import __version__, purl
from sbomgate.model import Level, Package, PolicyFinding, Signed
from sbomgate.report import Report, Undecided
from sbomgate.report.escape import plain
from sbomgate.times import format_time

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "sbomgate/v1"
MAX_RESULTS = 5_000  # what GitHub stores of one run (over 25,000 it refuses); what denies comes first
MAX_LOCATIONS = 100  # copies of one package that GitHub shows
MAX_TEXT = 2_000  # characters

PLAIN_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~+@-]+)*/?")  # what SARIF takes as a URI

LEFT_OUT = "findings_left_out"
"""The rule of the one result that says how many more there are: nobody who reads the others sees a notification."""

_LEVEL = {Level.DENY: "error", Level.WARN: "warning", Level.NOTE: "note"}
_ORDER = {Level.DENY: 0, Level.WARN: 1, Level.NOTE: 2}


def render(reports: Sequence[Report], undecided: Sequence[Undecided] = ()) -> str:
    """Return one SARIF log: a run for each report, one for what could not be decided; on one line, it has megabytes."""
    runs = [_run(report) for report in reports]
    if undecided:
        runs.append(_undecided(undecided))
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}
    return orjson.dumps(log, option=orjson.OPT_APPEND_NEWLINE).decode()


def _run(report: Report) -> dict[str, Any]:
    detail = report.whole
    context = detail.context
    rules = sorted({*report.evaluation.rules, *(f.rule for f in report.evaluation.findings)})
    grouped: dict[str, list[PolicyFinding]] = {}
    for finding in report.evaluation.findings:
        grouped.setdefault(finding.fingerprint, []).append(finding)
    ordered = sorted(
        grouped.values(),
        key=lambda same: (same[0].waived, _ORDER[same[0].level], same[0].rule, same[0].fingerprint),
    )
    whole = len(ordered) <= MAX_RESULTS
    shown, left = (ordered, []) if whole else (ordered[: MAX_RESULTS - 1], ordered[MAX_RESULTS - 1 :])
    by_id = {package.id: package for package in detail.sbom.graph.packages}
    signed = {one.id: one for one in detail.people.signed}
    run: dict[str, Any] = {
        "tool": {"driver": _driver([*(_rule(report, id_) for id_ in rules), *([_RULE_LEFT_OUT] if left else [])])},
        "automationDetails": {"id": f"sbomgate/{_place(report)}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "the root of the repository"}}},
        "artifacts": [
            {
                "location": _artifact(report),
                "hashes": {"sha-256": detail.sbom.graph.lockfile.sha256},
            }
        ],
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": format_time(context.evaluated_at),
                "toolExecutionNotifications": list(_notifications(report, len(left))),
            }
        ],
        "results": [
            *(_result(report, same, rules, by_id, signed) for same in shown),
            *([_left_out(report, left, len(rules))] if left else []),
        ],
        "properties": {
            "project": plain(report.project),
            "verdict": report.verdict.value,
            "profile": report.profile,
            "packages": report.packages,
            "verified": detail.standing.verified,
            "evaluation_sha256": report.evaluation.sha256,
            "decision_sha256": report.decision,
        },
    }
    repository = "" if context.repository is None else context.repository.value
    if PLAIN_URL.fullmatch(repository):
        source = {"repositoryUri": repository}
        if context.commit is not None:
            source["revisionId"] = plain(context.commit.value, 200)
        run["versionControlProvenance"] = [source]
    return run


def _undecided(undecided: Sequence[Undecided]) -> dict[str, Any]:
    notes = [_notification(f"{one.label}: {one.message}. {one.hint}".rstrip(), level="error") for one in undecided]
    return {
        "tool": {"driver": _driver([])},
        "automationDetails": {"id": "sbomgate/undecided/"},
        "invocations": [{"executionSuccessful": False, "toolExecutionNotifications": notes}],
        "results": [],
    }


def _driver(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": "sbomgate", "version": __version__, "semanticVersion": __version__, "rules": rules}


def _notifications(report: Report, left: int) -> Iterator[dict[str, Any]]:
    standing = report.whole.standing
    if report.decision is not None and not standing.verified:
        yield _notification(f"not verified: {standing.said}", level="error")
    for reason in standing.reasons:
        yield _notification(reason, level="error")
    if left > 0:
        yield _notification(f"{left} more findings, what is waived and notes first left out: a run holds {MAX_RESULTS}")


def _notification(text: str, *, level: str = "warning") -> dict[str, Any]:
    return {"level": level, "message": {"text": inert(text)}}


def _rule(report: Report, id_: str) -> dict[str, Any]:
    about = report.whole.rules.get(id_)
    if about is None:  # an organisation's own
        return {"id": plain(id_, 200), "shortDescription": {"text": inert(id_)}}
    return {
        "id": id_,
        "name": "".join(part.capitalize() for part in id_.split("_")),
        "shortDescription": {"text": inert(about.title)},
        "fullDescription": {"text": inert(about.description)},
        "help": {"text": inert(f"{about.why} {about.fix}")},
        "properties": {"tags": ["security", "supply-chain"]},
    }


def _result(
    report: Report,
    same: Sequence[PolicyFinding],
    rules: Sequence[str],
    by_id: dict[str, Package],
    signed: dict[str, Signed],
) -> dict[str, Any]:
    finding = same[0]
    packages = [by_id[f.package] for f in same if f.package in by_id]
    text = finding.message if not finding.fix else f"{finding.message}. To put it right: {finding.fix}"
    if packages and packages[0].id:
        text = f"{packages[0].name} {packages[0].version or ''}: {text}"
    result: dict[str, Any] = {
        "ruleId": plain(finding.rule, 200),
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVEL[finding.level],
        "message": {"text": inert(text)},
        "locations": list(_locations(report, packages))[:MAX_LOCATIONS],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {
            "code": plain(finding.code, 200),
            "waivable": finding.waivable,
            "unknown": finding.unknown,
        },
    }
    if finding.waived:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": inert(_waived(signed.get(id_), id_))}
            for id_ in report.evaluation.waived_by.get(finding.fingerprint, ())
        ] or [{"kind": "external", "status": "accepted"}]
    return result


_RULE_LEFT_OUT = {
    "id": LEFT_OUT,
    "name": "FindingsLeftOut",
    "shortDescription": {"text": "There are more findings than code scanning keeps"},
    "help": {"text": "Read them all with `sbomgate report --format json` or `--format csv`."},
    "properties": {"tags": ["security", "supply-chain"]},
}


def _left_out(report: Report, left: Sequence[Sequence[PolicyFinding]], index: int) -> dict[str, Any]:
    """Return the result that stands for all that are not there, as severe as the worst of them."""
    open_ = [same[0].level for same in left if not same[0].waived]
    counts = [f"{open_.count(level):,} {words}" for level, words in _WORDS.items() if level in open_]
    if waived := len(left) - len(open_):
        counts.append(f"{waived:,} waived")
    return {
        "ruleId": LEFT_OUT,
        "ruleIndex": index,
        "level": _LEVEL[min(open_, key=_ORDER.__getitem__, default=Level.NOTE)],
        "message": {"text": inert(f"{len(left):,} more findings are not shown here: {', '.join(counts)}")},
        "locations": list(_locations(report, [])),
        # The same in each run: it is one alert, however many there are.
        "partialFingerprints": {FINGERPRINT: hashlib.sha256(f"{LEFT_OUT} {_place(report)}".encode()).hexdigest()},
    }


_WORDS = {Level.DENY: "that deny", Level.WARN: "warnings", Level.NOTE: "notes"}


def _waived(one: Signed | None, id_: str) -> str:
    if one is None:
        return f"waived (sha256:{id_})"
    return f"{one.said.reason} (by {one.by}, until {format_time(one.said.until)}, sha256:{one.id})"


def _locations(report: Report, packages: Sequence[Package]) -> Iterator[dict[str, Any]]:
    """Yield where each copy stands; the first line stands for the project as a whole, and for what was not found."""
    lines = report.whole.lines
    copies: Sequence[Package | None] = packages or [None]
    for package in copies:
        line = 1 if package is None else lines.get(package.id, 1)
        location: dict[str, Any] = {
            "physicalLocation": {"artifactLocation": {**_artifact(report), "index": 0}, "region": {"startLine": line}}
        }
        if package is not None and package.id:
            location["logicalLocations"] = [
                {
                    "name": plain(package.name, 214),
                    "fullyQualifiedName": plain(purl.of(package), 1_000),
                    "kind": "package",
                }
            ]
        yield location


def _artifact(report: Report) -> dict[str, Any]:
    return {"uri": quote(report.whole.context.lockfile_path), "uriBaseId": "%SRCROOT%"}


def _place(report: Report) -> str:
    """Return what tells this decision from the others on the same commit: what SARIF calls a category."""
    context = report.whole.context
    parts = [context.lockfile_path, context.workspace, context.environment_name]
    return quote("/".join(part for part in parts if part is not None))


def inert(text: str) -> str:
    """Return a plain text message: no placeholder (§3.11.5) and no embedded link (§3.11.6) from outside."""
    return plain(text, MAX_TEXT).replace("](", "] (").replace("{", "{{").replace("}", "}}")
