"""Write tests/golden/sbom/*: one project's SBOM in every version and format of CycloneDX.

python tools/make_sbom_goldens.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from testkit import sboms  # noqa: E402  (the tool runs from a source tree)

FOLDER = ROOT / "tests" / "golden" / "sbom"


def main() -> None:
    """Write the files; the tests compare."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in sboms.goldens().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
