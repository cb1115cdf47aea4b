"""CycloneDX's official schema, as cyclonedx-python-lib ships it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import jsonschema_rs


def _schema(uri: str) -> Any:
    name = uri.rpartition("/")[2].removesuffix(".schema.json").removesuffix(".SNAPSHOT") + ".SNAPSHOT.schema.json"
    return json.loads((resources.files("cyclonedx.schema") / "_res" / name).read_text(encoding="utf-8"))


@cache
def _validator() -> Any:
    return jsonschema_rs.validator_for(_schema("bom-1.6.schema.json"), retriever=_schema, validate_formats=True)


def errors(data: bytes) -> list[str]:
    """Return what the schema of CycloneDX 1.6 says against an SBOM."""
    return [
        f"{list(error.instance_path)}: {error.message}"[:300] for error in _validator().iter_errors(json.loads(data))
    ]
