"""Write docs/verified.md from the numbered steps in the code, or check that it is current (--check).

A step is a comment `# (3) what is compared` in a module; it ends with the comment. What the module is about is the
first line of its docstring.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "verified.md"
HEAD = """\
# What is verified, and what is not

<!-- made by tools/generate_verified.py from the numbered steps in the code -->

Each check is a numbered step in the code, under the same number here. What fails a step is refused, or becomes a state
that the rules judge; no step can be turned off.

## What is not verified

That code is harmless; that provenance proves anybody's intent; the registry's unsigned words (publish times without an
attestation, maintainers, deprecation), which are labelled as its words; what a package fetches at run time; who stands
behind an account. Of attestations: [provenance](provenance.md#what-is-not-verified). Of an SBOM that another tool made:
nearly all ([foreign SBOMs](foreign-sbom.md)). Who attacks, and what remains: [security model](security-model.md).

## The steps
"""
_STEP = re.compile(r"#\s*\((\d+[a-z]?)\)((?:, \(\d+[a-z]?\))*)\s*(.*)$")


def steps(source: str) -> list[tuple[str, str]]:
    """Return the numbered steps of a module in the order of the code: number, text."""
    found: list[tuple[str, str]] = []
    lines = source.splitlines()
    for at, line in enumerate(lines):
        match = _STEP.search(line)
        if not match:
            continue
        text = match[3]
        if line.lstrip().startswith("#"):
            for further in lines[at + 1 :]:
                more = further.strip()
                if not more.startswith("# ") or _STEP.match(more):
                    break
                text += " " + more[2:]
        if text.strip():
            found.append((match[1] + "".join(re.findall(r", \((\w+)\)", match[2])), text.strip()))
    return found


def page() -> bytes:
    """Return the page's bytes."""
    parts = [HEAD]
    for path in sorted((ROOT / "sbomgate").rglob("*.py")):
        source = path.read_text()
        held = steps(source)
        if not held:
            continue
        about = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0]
        parts.append(f"\n### `{path.relative_to(ROOT)}`\n\n{_plain(' '.join(about.split()))}\n\n")
        parts += [f"- ({number}) {_plain(text)}\n" for number, text in held]
    return "".join(parts).encode()


def _plain(text: str) -> str:
    """Return text that Markdown takes as it stands, but for code in backticks."""
    return "".join(
        part if part.startswith("`") else re.sub(r"([<*_\[\]|])", r"\\\1", part)
        for part in re.split(r"(`[^`]*`)", text)
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if not TARGET.is_file() or TARGET.read_bytes() != page():
            sys.exit(f"docs/{TARGET.name} is not what the code says: run tools/generate_verified.py")
    else:
        TARGET.write_bytes(page())
