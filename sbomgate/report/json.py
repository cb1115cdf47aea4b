"""The decision for a program: every word of it, versioned. Schema: schemas/report.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sbomgate.model import RAN_SOURCE, PolicyFinding
from sbomgate.report import Entry, Report
from sbomgate.report.escape import document
from sbomgate.times import format_time

SCHEMA = "sbomgate/report/v1"


def render(report: Report, *, stored: bool = False) -> str:
    """Return the report as JSON, complete, indented, keys sorted, ending in a newline.

    `stored` is for a decision that somebody else made: it says what that is worth.
    """
    standing = report.whole.standing if stored else None
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "verdict": report.verdict.value,
        "project": {"name": report.project, "version": report.version},
        "lockfile": report.lockfile,
        "workspace": report.workspace,
        "packages": report.packages,
        "profile": report.profile,
        "engine": report.engine,
        "baseline": report.baseline,
        "accepted_signers": report.signers,
        "trust_root": {
            "trusted_root": report.trust_root.trusted_root,
            "registry_keys": report.trust_root.registry_keys,
            "updated": None if report.trust_root.updated is None else format_time(report.trust_root.updated),
        },
        "rules": list(report.evaluation.rules),
        "denials": _entries(report.denials),
        "warnings": _entries(report.warnings),
        "notes": _entries(report.notes),
        "waived": _entries(report.waived),
        "unknown": [_finding(f) for f in report.unknown],
        "evaluation_sha256": report.evaluation.sha256,
        "evidence": report.evidence,
        "decision_sha256": report.decision,
        "ran": None if report.ran is None else {"source": RAN_SOURCE, **asdict(report.ran)},
        "from_cache": None
        if report.kept is None
        else {"packages": report.kept.packages, "oldest": format_time(report.kept.oldest)},
        "standing": None
        if standing is None
        else {
            "verified": standing.verified,
            "signer": standing.signer,
            "said": standing.said,
            "reasons": list(standing.reasons),
        },
    }
    return document(value) + "\n"


def _entries(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        {
            "name": entry.name or None,
            "version": entry.version or None,
            "baseline_version": entry.was,
            "path": list(entry.path),
            "findings": [_finding(f) for f in entry.findings],
            "scripts": [
                {
                    "name": s.name,
                    "version": s.version,
                    "integrity": s.integrity,
                    "digest": s.digest,
                    "scripts": dict(s.scripts),
                }
                for s in entry.scripts
            ],
        }
        for entry in entries
    ]


def _finding(f: PolicyFinding) -> dict[str, Any]:
    return {
        "rule": f.rule,
        "code": f.code,
        "level": f.level.value,
        "package": f.package,
        "message": f.message,
        "fix": f.fix,
        "unknown": f.unknown,
        "waivable": f.waivable,
        "waived": f.waived,
        "fingerprint": f.fingerprint,
    }
