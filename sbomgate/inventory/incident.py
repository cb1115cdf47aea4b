"""An incident as a file, dated, with the fields of the reports that the EU's Cyber Resilience Act asks for.

Regulation (EU) 2024/2847, article 14: an early warning within 24 hours of knowing, a notification within 72 hours. What
the inventory knows stands in the fields; what it cannot know is left to fill in, by name. Pure. It is no report by
itself: whether there is something to report, and to whom, is for people to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sbomgate.inventory.answers import Artefact
from sbomgate.inventory.sweep import Affected
from sbomgate.times import format_time

PREDICATE_TYPE = "https://sbomgate.dev/incident/v1"

_EARLY = {
    "aware_since": "when the manufacturer became aware: the 24 and 72 hours run from then",
    "malicious": "whether unlawful or malicious acts are suspected to have caused it",
    "member_states": "the Member States in which the products were made available",
    "contact": "who answers questions about it",
}
_NOTIFICATION = {
    "nature": "the general nature of the incident or of the exploited vulnerability",
    "assessment": "a first assessment: what it can do in these products, and what it did",
    "measures_taken": "what was done to correct or mitigate it, beyond what stands in `decisions`",
    "measures_for_users": "what users can do",
    "sensitivity": "how sensitive this information is considered to be",
}


def predicate(
    found: Sequence[Affected],
    running: Mapping[str, Sequence[str]],
    *,
    lists: Mapping[str, str],
    policy: str | None,
    now: datetime,
    as_of: Mapping[str, Any] | None = None,
    rollback: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what is known of an incident.

    Args:
        found: of a sweep.
        running: digest → the environments in which an artefact runs.
        lists: the name of each list → its SHA-256 (hex).
        policy: SHA-256 (hex) of the policy that judged, where one did.
        now: when the sweep was made.
        as_of: how old it is what is known of revocations and deployments (`Knowledge.columns`).
        rollback: what is left to do, as JSON; None where nobody asked.
    """
    return {
        "made_at": format_time(now),
        "regulation": "EU 2024/2847, article 14",
        "judged_by": {"lists": dict(sorted(lists.items())), "policy": policy},
        "as_of": as_of,
        "packages": _packages(found),
        "products": [_product(one, running) for one in found],
        "rollback": rollback,
        "early_warning_24h": {"fill_in": _EARLY},
        "notification_72h": {"fill_in": _NOTIFICATION},
        "not_known": [
            "builds that were never added to the inventory",
            "deployments that nobody told, and who got a product otherwise",
            "whether the bad code ran, where, and what it did",
        ],
    }


def _packages(found: Sequence[Affected]) -> list[dict[str, Any]]:
    held: dict[tuple[str, str], set[str]] = {}
    for one in found:
        for _, hits in one.artefacts:
            for hit, ids in hits:
                held.setdefault((hit.package["name"], hit.package["version"] or ""), set()).update(ids)
    return [{"name": name, "version": version, "ids": sorted(ids)} for (name, version), ids in sorted(held.items())]


def _product(one: Affected, running: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "name": one.since.build["project"],
        "versions": sorted({a.build["project_version"] for a, _ in one.artefacts if a.build["project_version"]}),
        "affected_since": _time(one.since.first),
        "runs_in": sorted({place for a, _ in one.artefacts for place in running.get(a.build["digest"] or "", ())}),
        "last_good": None if one.last_good is None else _artefact(one.last_good, running),
        "decisions": [_artefact(artefact, running) for artefact, _ in one.artefacts],
    }


def _artefact(artefact: Artefact, running: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    build = artefact.build
    return {
        "artefact": build["digest"],
        "version": build["project_version"],
        "environment": build["environment"],
        "decided": _time(build["decided"]),
        "verdict": build["verdict"],
        "overridden_until": None if artefact.overridden is None else _time(artefact.overridden.until),
        "standing": build["standing"],
        "runs_in": sorted(running.get(build["digest"] or "", ())),
        "evidence": build["evidence"],
        "sbom": build["sbom"],
    }


def _time(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)
