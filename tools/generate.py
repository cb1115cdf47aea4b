"""Write everything that is generated and checked in: schemas, the rules' catalogue and pages. `--check` only compares.

python tools/generate.py [--check]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
GENERATORS = (
    "generate_rule_docs.py",
    "generate_schemas.py",
    "generate_trust_schema.py",
    "generate_cli_docs.py",
    "generate_promises.py",
    "generate_verified.py",
    "generate_ci_templates.py",
    "make_cases.py",
)  # in this order


def main() -> int:
    """Run each generator; 1 when one of them found a difference."""
    return max(
        subprocess.run([sys.executable, TOOLS / name, *sys.argv[1:]], check=False).returncode for name in GENERATORS
    )


if __name__ == "__main__":
    sys.exit(main())
