"""A store as CSV (RFC 4180), a row for each decision, no cell of which a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io

from sbomgate.report._store import Moment, StoreReport
from sbomgate.report.csv import cell
from sbomgate.times import format_time

COLUMNS = (
    "decided_at", "verdict", "verified", "project", "project_version", "repository", "lockfile", "workspace",
    "environment", "profile", "artefact", "packages", "denied", "warnings", "waived", "unknown", "provenance_verified",
    "denied_by", "decision_sha256", "message",
)  # fmt: skip


def render(store: StoreReport) -> str:
    """Return a header and a row for each decision, oldest first, then one for each build that cannot be read."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_row(moment) for moment in store.moments)
    for build, why in store.broken:
        writer.writerow({"verdict": "unreadable", "artefact": cell(build), "message": cell(why)})
    return out.getvalue()


def _row(moment: Moment) -> dict[str, str]:
    context = moment.context
    counts = {name: str(moment.counts[name]) for name in ("packages", "denied", "warnings", "waived", "unknown")}
    return {
        "decided_at": format_time(context.evaluated_at),
        "verdict": moment.verdict.value,
        "verified": "yes" if moment.standing.verified else "no",
        "project": cell(moment.project),
        "project_version": cell(moment.version or ""),
        "repository": cell(context.repository.value if context.repository else ""),
        "lockfile": cell(context.lockfile_path),
        "workspace": cell(context.workspace or ""),
        "environment": cell(context.environment_name or ""),
        "profile": context.profile,
        "artefact": cell(context.subject.name if context.subject else ""),
        **counts,
        "provenance_verified": str(moment.coverage.verified),
        "denied_by": cell(", ".join(moment.denied_by)),
        "decision_sha256": moment.decision,
    }
