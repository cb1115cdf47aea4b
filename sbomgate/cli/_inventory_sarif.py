"""A sweep as SARIF 2.1.0: a run for each project that is hit, a result for each package in each of its builds.

The repository that a run belongs to, and the lockfile that a result stands in, are those of the build as its evidence
says. What is refused already and runs nowhere is a note.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sbomgate.inventory.answers import Artefact, Hit
    from sbomgate.inventory.sweep import Affected, Running


FINGERPRINT = "sbomgate-sweep/v1"


def render(found: Sequence[Affected], running: Running) -> str:
    """Return one SARIF log; without a hit it has one run without results, so that what was open closes."""
    import orjson

    from sbomgate.report import sarif

    runs = [_run(one, running) for one in found] or [_empty()]
    log = {"$schema": sarif.SCHEMA, "version": "2.1.0", "runs": runs}
    return orjson.dumps(log, option=orjson.OPT_APPEND_NEWLINE).decode()


def _empty() -> dict[str, Any]:
    return {
        "tool": {"driver": _driver([])},
        "automationDetails": {"id": "sbomgate/sweep/"},
        "invocations": [{"executionSuccessful": True}],
        "results": [],
    }


def _driver(rules: list[dict[str, Any]]) -> dict[str, Any]:
    from sbomgate import __version__

    return {"name": "sbomgate", "version": __version__, "semanticVersion": __version__, "rules": rules}


def _run(one: Affected, running: Running) -> dict[str, Any]:
    from sbomgate.report import sarif
    from sbomgate.report.escape import plain

    results = [
        (_level(artefact, running), artefact, hit, ids)
        for artefact, held in one.artefacts
        for hit, ids in (held or ((None, ("policy",)),))
    ]
    # What is open comes first, should the run hold more than its reader takes.
    results.sort(key=lambda result: result[0] != "error")
    shown, left = results[: sarif.MAX_RESULTS], len(results) - sarif.MAX_RESULTS
    rules = sorted({_rule(ids) for _, _, _, ids in shown})
    notes = []
    if left > 0:
        text = f"{left} more left out: a run holds {sarif.MAX_RESULTS}; --format json has all"
        notes.append({"level": "warning", "message": {"text": text}})
    newest = one.artefacts[0][0].build
    run: dict[str, Any] = {
        "tool": {
            "driver": _driver([{"id": rule, "shortDescription": {"text": _RULES.get(rule, rule)}} for rule in rules])
        },
        "automationDetails": {"id": f"sbomgate/sweep/{quote('/'.join(filter(None, one.project)), safe='/')}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "the root of the repository"}}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": [_result(one, level, artefact, hit, ids, rules, running) for level, artefact, hit, ids in shown],
        "properties": {"project": plain(newest["project"], 200), "builds": len(one.artefacts)},
    }
    repository = newest["project_repository"] or ""
    if sarif.PLAIN_URL.fullmatch(repository):
        source = {"repositoryUri": repository}
        if newest["commit_id"]:
            source["revisionId"] = plain(newest["commit_id"], 200)
        run["versionControlProvenance"] = [source]
    return run


_RULES = {"listed": "a package on a list of malicious packages", "policy": "this policy denies the build"}


def _rule(ids: Sequence[str]) -> str:
    """Return what a result is an instance of: the list's first id; `policy` where that is what denies."""
    from sbomgate.report.escape import plain

    return plain(ids[0], 200) if ids and ids[0] else "listed"


def _level(artefact: Artefact, running: Running) -> str:
    from sbomgate.inventory.sweep import is_open

    return "error" if is_open(artefact, running) else "note"


def _result(
    one: Affected,
    level: str,
    artefact: Artefact,
    hit: Hit | None,
    ids: Sequence[str],
    rules: Sequence[str],
    running: Running,
) -> dict[str, Any]:
    from sbomgate import purl
    from sbomgate.cli._inventory_find import artefact_columns, chain, line
    from sbomgate.report import sarif
    from sbomgate.report.escape import plain

    build = artefact.build
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote((build["lockfile"] or "").lstrip("/")), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 1},
        }
    }
    if hit is None:
        about, name, version = "; ".join(one.reasons), "", ""
    else:
        name, version = hit.package["name"], hit.package["version"] or ""
        about = f"{name} {version} ({', '.join(ids)}), by {chain(hit)}".replace(" ()", "")
        location["logicalLocations"] = [
            {
                "name": plain(name, 214),
                "fullyQualifiedName": plain(purl.purl(name, version or None), 1_000),
                "kind": "package",
            }
        ]
    back = "" if one.last_good is None else f". Last good: {line(one.last_good, running)}"
    rule = _rule(ids)
    key = "\n".join((rule, name, version, *artefact.identity))
    columns = artefact_columns(artefact, running)
    return {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": level,
        "message": {"text": sarif.inert(f"{about}: in {line(artefact, running)}{back}")},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()},
        "properties": {
            "artefact": build["digest"],
            "verdict": build["verdict"],
            "standing": build["standing"],
            "evidence_sha256": build["evidence"],
            "sbom_sha256": build["sbom"],
            "decided": columns["decided"],
            "running_in": [plain(place, 200) for place in columns["running_in"]],
            "ids": [plain(id_, 200) for id_ in ids],
        },
    }
