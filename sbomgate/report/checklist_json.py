"""A rollback checklist for a program; part of an incident file too."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from sbomgate.model.checklist import Checklist

SCHEMA = "sbomgate/rollback-checklist/v1"


def document(checklist: Checklist) -> dict[str, Any]:
    """Return the checklist as JSON has it."""
    return {
        "packages": [{"name": name, "version": version} for name, version in checklist.packages],
        "redeploy": [asdict(one) for one in checklist.redeploy],
        "caches": [{"manager": manager, "commands": list(commands)} for manager, commands in checklist.caches],
        "unnamed": list(checklist.unnamed),
        "rotate_credentials": [
            {
                "system": one.ran.system,
                "runner": one.ran.runner,
                "runner_id": one.ran.runner_id,
                "repository": one.ran.repository,
                "runs": list(one.runs),
            }
            for one in checklist.machines
        ],
        "unrecorded": checklist.unrecorded,
        "inventory_searched": checklist.searched,
    }


def render(checklist: Checklist) -> str:
    """Return the checklist as JSON, indented, keys sorted, ending in a newline."""
    value = {"schema": SCHEMA, **document(checklist)}
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"
