"""Generate the JSON Schemas in schemas/ from the wire types and from the rules' parameters.

    python tools/generate_schemas.py [--check]

| file | what |
|---|---|
| schemas/policy-input.schema.json | the PolicyInput |
| schemas/evaluation.schema.json | what decision.rego returns |
| schemas/report.schema.json | what `check --json` and `gate --json` print |
| schemas/reports.schema.json | what they print where several decisions were asked for |
| schemas/store-report.schema.json | what `report STORE --format json` prints |
| schemas/verification.schema.json | what `verify --json` prints |
| schemas/audit.schema.json | what `audit --json` prints |
| schemas/revoked.schema.json | what `revoke --json` prints |
| schemas/replays.schema.json | what `replay --json` prints |
| schemas/watch.schema.json | what `watch --json` prints |
| schemas/store-head.schema.json | the predicate of a store's head |
| schemas/revocation.schema.json | the predicate of a revocation |
| schemas/config.schema.json | sbomgate.toml |
| schemas/rego/policy-input.json | the PolicyInput for `opa check --schema schemas/rego` |

OPA's type checker gives up on `anyOf` with an object, so in its copy what may be null counts as present: a misspelt
field is refused (but for what lies below a key that is data, as in `baseline.packages[name]`: there the tests must).
`--check` writes nothing and fails on a difference.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from sbomgate import wire  # noqa: E402  (the tool runs from a source tree)

DRAFT = "https://json-schema.org/draft/2020-12/schema"
PROFILES = ["observe", "default", "strict", "release"]


def parameter_schema(declared: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one parameter as its METADATA declares it."""
    kept = ("type", "enum", "pattern", "minimum", "maximum", "items", "propertyNames", "additionalProperties",
            "description")  # fmt: skip
    return {key: declared[key] for key in kept if key in declared}


def rule_parameters(rules: dict[str, Any], *, complete: bool) -> dict[str, Any]:
    """Return the schemas of all rules' parameters: rule → object. `complete` demands every parameter."""
    out: dict[str, Any] = {}
    for rule, about in sorted(rules.items()):
        declared = about["parameters"]
        if not declared:
            continue
        out[rule] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: parameter_schema(p) for name, p in sorted(declared.items())},
        }
        if complete:
            out[rule]["required"] = sorted(declared)
    return out


def policy_input(rules: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the PolicyInput; rules that ship have complete parameters, others may have their own."""
    schema = wire.PolicyInput.model_json_schema(by_alias=True)
    known = rule_parameters(rules, complete=True)
    schema["properties"]["parameters"] |= {"properties": known, "required": sorted(known)}
    return {"$schema": DRAFT, **schema}


def party(what: str) -> dict[str, Any]:
    """Return the schema of a person or organisation."""
    return {"type": "string", "minLength": 1, "maxLength": 1024, "description": f"{what}: NAME <EMAIL or URL>"}


def config(rules: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of sbomgate.toml."""
    return {
        "$schema": DRAFT,
        "title": "sbomgate.toml: what a project demands of itself, beyond what the trust file demands",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "profile": {"enum": PROFILES, "description": "a stricter profile than the trust file's"},
            "rules": {
                "type": "object",
                "additionalProperties": False,
                "properties": rule_parameters(rules, complete=False),
                "description": "rule → parameter → a stricter value than the trust file's",
            },
            "sbom": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "author": party("the person or team that makes the SBOM"),
                    "manufacturer": party("the organisation that makes the SBOM"),
                    "supplier": party("the organisation that makes and supplies this project"),
                },
            },
            "malicious": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "lists": {
                        "type": "array",
                        "items": {"type": "string", "minLength": 1},
                        "uniqueItems": True,
                        "description": "CSV files, relative to this file: name, versions, osv_id, wave, sources",
                    }
                },
            },
        },
    }


def for_rego(schema: Any) -> Any:
    """Return the schema with nullable objects as objects, for OPA's type checker."""
    match schema:
        case {"anyOf": [{"$ref": ref}, {"type": "null"}]}:
            return {"$ref": ref}
        case dict():
            return {key: for_rego(value) for key, value in schema.items() if key != "$schema"}
        case list():
            return [for_rego(value) for value in schema]
        case _:
            return schema


def generate() -> dict[Path, str]:
    """Return every schema file with its text."""
    rules = json.loads((ROOT / "policies" / "data" / "rules.json").read_text("utf-8"))
    schemas = ROOT / "schemas"
    documents = {
        schemas / "policy-input.schema.json": policy_input(rules),
        schemas / "evaluation.schema.json": {"$schema": DRAFT, **wire.EvaluationResult.model_json_schema()},
        schemas / "report.schema.json": {"$schema": DRAFT, **wire.Report.model_json_schema()},
        schemas / "reports.schema.json": {"$schema": DRAFT, **wire.Reports.model_json_schema()},
        schemas / "store-report.schema.json": {"$schema": DRAFT, **wire.StoreReport.model_json_schema()},
        schemas / "verification.schema.json": {"$schema": DRAFT, **wire.Verification.model_json_schema()},
        schemas / "audit.schema.json": {"$schema": DRAFT, **wire.Audit.model_json_schema()},
        schemas / "revoked.schema.json": {"$schema": DRAFT, **wire.RevokedList.model_json_schema()},
        schemas / "replays.schema.json": {"$schema": DRAFT, **wire.Replays.model_json_schema()},
        schemas / "watch.schema.json": {"$schema": DRAFT, **wire.Watch.model_json_schema()},
        schemas / "store-head.schema.json": {"$schema": DRAFT, **wire.StoreHeadPredicate.model_json_schema()},
        schemas / "revocation.schema.json": {"$schema": DRAFT, **wire.RevocationPredicate.model_json_schema()},
        schemas / "config.schema.json": config(rules),
        schemas / "rego" / "policy-input.json": for_rego(policy_input(rules)),
    }
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in documents.items()}


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="schemas/ from the wire types and the rules' parameters")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    arguments = parser.parse_args()
    differ = 0
    for path, text in generate().items():
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        if arguments.check:
            print(f"{path.relative_to(ROOT)} is not what is generated", file=sys.stderr)
            differ = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return differ


if __name__ == "__main__":
    raise SystemExit(main())
