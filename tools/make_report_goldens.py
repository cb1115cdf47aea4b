"""Write tests/golden/report/*.txt: what a person is told, for reports of many shapes. `--check` only compares.

python tools/make_report_goldens.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from sbomgate.report import text  # noqa: E402  (the tool runs from a source tree)
from testkit import reports  # noqa: E402

FOLDER = ROOT / "tests" / "golden" / "report"


def generate() -> dict[Path, str]:
    """Return every golden file with its text: short and verbose."""
    found = {}
    for name, report in reports.all_of_them().items():
        found[FOLDER / f"{name}.txt"] = text.render(report)
        found[FOLDER / f"{name}.verbose.txt"] = text.render(report, verbose=True)
    return found


def main() -> int:
    """Write, or compare."""
    differ = 0
    for path, expected in generate().items():
        if path.is_file() and path.read_text("utf-8") == expected:
            continue
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is not what is generated", file=sys.stderr)
            differ = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(expected, "utf-8")
    return differ


if __name__ == "__main__":
    sys.exit(main())
