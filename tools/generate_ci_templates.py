"""Write ci-templates/install.sh into each CI template, between the lines that say where: a template has to stand alone.

python tools/generate_ci_templates.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[1] / "ci-templates"
PLACE = re.compile(r"^(?P<indent> *)# install\.sh begins\n.*?^ *# install\.sh ends\n", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Write, or with --check compare; 1 where a template differs."""
    lines = (TEMPLATES / "install.sh").read_text(encoding="utf-8").splitlines()

    def inserted(found: re.Match[str]) -> str:
        body = ["# install.sh begins", *lines, "# install.sh ends"]
        return "".join(f"{found['indent']}{line}\n" if line else "\n" for line in body)

    code = 0
    for path in sorted(TEMPLATES.glob("*/*")):
        if path.is_dir():
            continue
        before = path.read_text(encoding="utf-8")
        after = PLACE.sub(inserted, before)
        if before != after and "--check" in sys.argv:
            print(f"{path.relative_to(TEMPLATES.parent)} holds another install.sh: run make generate")
            code = 1
        elif before != after:
            path.write_text(after, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
