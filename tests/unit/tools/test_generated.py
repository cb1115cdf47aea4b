"""Generated means checked: what is checked in is what the generators write today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GENERATORS = {
    "rule pages and catalogue": ("generate_rule_docs.py", True),
    "schemas": ("generate_schemas.py", False),
    "trust schema": ("generate_trust_schema.py", False),
    "command line": ("generate_cli_docs.py", False),
    "promises": ("generate_promises.py", False),
    "numbered steps": ("generate_verified.py", False),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.opa if o else ()) for n, (_, o) in GENERATORS.items()]
)
def test_current(name: str, repository: Path) -> None:
    program = GENERATORS[name][0]
    done = subprocess.run(
        [sys.executable, f"tools/{program}", "--check"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
