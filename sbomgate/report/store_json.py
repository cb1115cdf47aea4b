"""A store for a program: every decision, versioned."""

from __future__ import annotations

from typing import Any

from sbomgate.model import Waiver
from sbomgate.report._store import Moment, Register, StoreReport
from sbomgate.report.escape import document
from sbomgate.times import format_time

SCHEMA = "sbomgate/store-report/v1"


def render(store: StoreReport) -> str:
    """Return the report as JSON, indented, keys sorted, ending in a newline."""
    value = {
        "schema": SCHEMA,
        "as_of": None if store.as_of is None else format_time(store.as_of),
        "decisions": [_moment(moment) for moment in store.moments],
        "waivers": [_waiver(one) for one in store.waivers],
        "broken": [{"build": build, "message": why} for build, why in store.broken],
        "strange": list(store.strange),
    }
    return document(value) + "\n"


def _moment(moment: Moment) -> dict[str, Any]:
    context, coverage = moment.context, moment.coverage
    return {
        "decision_sha256": moment.decision,
        "build_sha256": moment.build,
        "verdict": moment.verdict.value,
        "project": {"name": moment.project, "version": moment.version},
        "subject": None if context.subject is None else dict(context.subject.digest),
        "decided_at": format_time(context.evaluated_at),
        "profile": context.profile,
        "lockfile": context.lockfile_path,
        "workspace": context.workspace,
        "repository": context.repository.value if context.repository else None,
        "commit": context.commit.value if context.commit else None,
        "environment": context.environment_name,
        "counts": dict(moment.counts),
        "coverage": {
            "packages": coverage.packages,
            "bound": coverage.bound,
            "provenance": dict(coverage.provenance),
            "signatures": dict(coverage.signatures),
            "scripts": dict(coverage.scripts),
            "ages": dict(coverage.ages),
        },
        "denied_by": list(moment.denied_by),
        "verified": moment.standing.verified,
        "standing": moment.standing.said,
        "reasons": list(moment.standing.reasons),
    }


def _waiver(one: Register) -> dict[str, Any]:
    said = one.signed.said
    return {
        "sha256": one.signed.id,
        "kind": "waiver" if isinstance(said, Waiver) else "approval",
        "rule": said.rule if isinstance(said, Waiver) else None,
        "by": one.signed.by,
        "until": format_time(said.until),
        "reason": said.reason,
        "state": one.state,
        "project": one.project,
        "used": one.used,
    }
