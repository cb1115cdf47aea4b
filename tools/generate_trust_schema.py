"""Write schemas/trust.schema.json from the pydantic types of the trust file, or check that it is current (--check)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sbomgate.wire_trust import TrustFile  # noqa: E402

TARGET = ROOT / "schemas" / "trust.schema.json"


def schema() -> bytes:
    """Return the schema's bytes: JSON Schema 2020-12, keys sorted, a newline at the end."""
    found: dict[str, Any] = TrustFile.model_json_schema(by_alias=True)
    _without_null(found)
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found["$id"] = "https://sbomgate.dev/schemas/trust.schema.json"
    return (json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _without_null(node: Any) -> None:
    """TOML has no null: `X or null` becomes X, so that an error names X's own reason and not `anyOf`."""
    if isinstance(node, dict):
        options = node.get("anyOf")
        if isinstance(options, list) and {"type": "null"} in options:
            rest = [o for o in options if o != {"type": "null"}]
            if len(rest) == 1:
                del node["anyOf"]
                node.update({k: v for k, v in rest[0].items() if k not in node or k != "description"})
            else:
                node["anyOf"] = rest
        if node.get("default", ...) is None:
            del node["default"]
        for value in node.values():
            _without_null(value)
    elif isinstance(node, list):
        for value in node:
            _without_null(value)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if not TARGET.is_file() or TARGET.read_bytes() != schema():
            sys.exit(f"{TARGET.name} is not what its types say: run tools/generate_trust_schema.py")
    else:
        TARGET.write_bytes(schema())
