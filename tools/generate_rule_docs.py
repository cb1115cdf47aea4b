"""Generate what is said elsewhere about the rules from the METADATA on them: docs/rules/ and the catalogue.

The catalogue (policies/data/rules.json) holds title, why, fix and parameters of each rule, since Python cannot read
Rego's annotations at run time: the defaults of parameters live in METADATA and nowhere else.

    python tools/generate_rule_docs.py [--opa PATH] [--check]

`--check` writes nothing and fails on a difference.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ROOT / "policies"
PROFILES = ("default", "strict", "release")


def inspect(opa: str) -> dict[str, dict[str, Any]]:
    """Return the package annotations of each rule, by id."""
    rules: dict[str, dict[str, Any]] = {}
    for path in sorted((POLICIES / "rules").glob("*.rego")):
        if path.stem.endswith("_test"):
            continue
        out = subprocess.run([opa, "inspect", "-a", "--format", "json", str(path)], capture_output=True, check=True)
        found = [
            a["annotations"] for a in json.loads(out.stdout)["annotations"] if a["annotations"]["scope"] == "package"
        ]
        if len(found) != 1:
            raise SystemExit(f"{path.name}: one package annotation expected, found {len(found)}")
        rules[path.stem] = found[0]
    return rules


def tables(opa: str) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    """Return the code tables of the rules that judge lock findings (rule → code → entry), and the classes' levels."""
    out = subprocess.run(
        [
            opa,
            "eval",
            "--format",
            "json",
            "--data",
            str(POLICIES),
            "[{id: t | t := data.sbomgate.rules[id].codes}, data.sbomgate.lib.finding.classes]",
        ],
        capture_output=True,
        check=True,
    )
    codes, classes = json.loads(out.stdout)["result"][0]["expressions"][0]["value"]
    return codes, classes


def catalogue(
    rules: dict[str, dict[str, Any]], codes: dict[str, dict[str, Any]], classes: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """Return what the program needs to know of each rule."""
    return {
        rule: {
            "title": found["title"],
            "description": found["description"].strip(),
            "why": found["custom"]["why"].strip(),
            "fix": found["custom"]["fix"].strip(),
            "unknown": found["custom"]["unknown"].strip(),
            "parameters": found["custom"].get("parameters", {}),
            "findings": levels(found, codes.get(rule, {}), classes),
        }
        for rule, found in rules.items()
    }


def levels(
    found: dict[str, Any], codes: dict[str, dict[str, Any]], classes: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """Return code → what it is in each profile, and whether a waiver can cover it."""
    rows: dict[str, dict[str, str]] = {}
    for code, entry in codes.items():
        rows[code] = {p: classes[entry["class"]][p] for p in PROFILES}
        if entry["class"] in ("changed", "settings"):
            rows[code]["default"] = "deny where new or changed, else warn"
        rows[code]["waivable"] = "yes" if entry.get("waivable", True) else "never"
    for code, entry in found["custom"].get("severity", {}).items():
        rows[code] = {p: entry[p] for p in PROFILES} | {"waivable": "yes" if entry.get("waivable", True) else "never"}
    return rows


def page(rule: str, found: dict[str, Any], codes: dict[str, dict[str, Any]], classes: dict[str, dict[str, str]]) -> str:
    """Return the page of one rule, in Markdown."""
    custom = found["custom"]
    lines = [
        f"# {rule}: {found['title']}",
        "",
        f"<!-- made by tools/generate_rule_docs.py from policies/rules/{rule}.rego -->",
        "",
        found["description"].strip(),
        "",
        "## Why",
        "",
        custom["why"].strip(),
        "",
        "## What to do",
        "",
        custom["fix"].strip(),
        "",
        "## What is unknown",
        "",
        custom["unknown"].strip(),
        "",
        "## Findings",
        "",
        "`observe` records the levels of `default` and never denies.",
        "",
        "| code | default | strict | release | waivable |",
        "|---|---|---|---|---|",
    ]
    for code, row in sorted(levels(found, codes, classes).items()):
        lines.append(f"| `{code}` | {' | '.join(row[column] for column in (*PROFILES, 'waivable'))} |")
    parameters = custom.get("parameters", {})
    if parameters:
        lines += ["", "## Parameters", "", "| name | default | stricter is | |", "|---|---|---|---|"]
        for name, p in sorted(parameters.items()):
            stricter = p["stricter"]
            said = " → ".join(f"`{v}`" for v in stricter) if isinstance(stricter, list) else str(stricter)
            lines.append(f"| `{name}` | `{json.dumps(p['default'])}` | {said} | {p['description']} |")
    return "\n".join(lines) + "\n"


def index(rules: dict[str, dict[str, Any]]) -> str:
    """Return the list of all rules, in Markdown."""
    lines = ["# The rules", "", "<!-- made by tools/generate_rule_docs.py -->", "", "| rule | |", "|---|---|"]
    lines += [f"| [{rule}]({rule}.md) | {found['title']} |" for rule, found in sorted(rules.items())]
    return "\n".join(lines) + "\n"


def generate(opa: str) -> dict[Path, str]:
    """Return every generated file with its text."""
    rules = inspect(opa)
    codes, classes = tables(opa)
    out = {ROOT / "docs" / "rules" / f"{r}.md": page(r, f, codes.get(r, {}), classes) for r, f in rules.items()}
    out[ROOT / "docs" / "rules" / "README.md"] = index(rules)
    out[POLICIES / "data" / "rules.json"] = (
        json.dumps(catalogue(rules, codes, classes), indent=2, sort_keys=True) + "\n"
    )
    return out


def write_or_compare(files: dict[Path, str], *, check: bool, folder: Path) -> int:
    """Write the files, or compare them with what is there; a page that nothing generates is a difference as well."""
    differ = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    stale = [path for path in folder.glob("*.md") if path not in files]
    if check:
        for path in (*differ, *stale):
            print(f"{path.relative_to(ROOT)} is not what is generated", file=sys.stderr)
        return 1 if differ or stale else 0
    for path in stale:
        path.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="docs/rules and policies/data/rules.json from the rules' METADATA")
    parser.add_argument("--opa", default=os.environ.get("OPA") or shutil.which("opa") or "opa")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    arguments = parser.parse_args()
    return write_or_compare(generate(arguments.opa), check=arguments.check, folder=ROOT / "docs" / "rules")


if __name__ == "__main__":
    raise SystemExit(main())
