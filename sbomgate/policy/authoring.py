"""For people who write policies: a new rule's files, what a rule's METADATA says, and a page about a rule. Pure.

A rule that ships is told from the catalogue, with the parameters that hold; of an organisation's own rule, whose
METADATA Python does not parse, the comment is shown as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sbomgate.errors import UsageError

_ID = re.compile(r"[a-z][a-z0-9_]{1,63}", re.ASCII)

_RULE = """\
# METADATA
# title: {title}
# description: |
#   Denies a package that … (say what, in a sentence).
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: What goes wrong without this rule.
#   fix: What somebody does about a finding.
#   unknown: What the rule says where a fact is not known.
#   severity:
#     example: {{default: "deny where new or changed, else warn", strict: deny, release: deny}}
package sbomgate.rules.{rule}

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

# The class of a finding says its level in each profile: always, changed, settings, debt, release, warn, note.
# Ask for what is good and negate the answer: a fact that is missing must not pass.
findings contains f if {{
	some id in packages.outside
	p := packages.by_id[id]
	not good(p)
	f := finding.of("{rule}", "example", "changed", p, {{
		"message": "say what is wrong with it",
		"fix": "say what to do",
	}})
}}

good(p) if p.name != "example-of-{name}"
"""

_TEST = """\
package sbomgate.tests.{rule}

import data.sbomgate.rules.{rule} as rule
import data.sbomgate.tests.fixtures as fx

said(profile, p) := fx.codes(f) if {{
	f := rule.findings with input as fx.document(profile, [p], {{"baseline": fx.accepted([], {{}})}})
}}

bad := fx.pkg("example-of-{name}", "1.0.0", {{}})

test_denied if {{
	every profile in ["default", "strict", "release"] {{
		said(profile, bad) == {{"example:deny"}}
	}}
}}

test_passes if said("strict", fx.pkg("left-pad", "1.3.0", {{}})) == set()

# What is missing never passes.
test_a_missing_field if {{
	found := rule.findings with input as fx.document("strict", [object.union(bad, {{"integrity": null}})], {{}})
	fx.codes(found) == {{"example:deny"}}
}}
"""


def scaffold(rule: str) -> dict[str, str]:
    """Return the files of a new rule: path in the policy's folder → text. They pass `opa fmt`, `check` and `test`.

    Raises:
        UsageError: the id is no name for a rule.
    """
    if not _ID.fullmatch(rule):
        raise UsageError(
            f"{rule[:80]!r} is no id for a rule", hint="lower-case letters, digits and _, beginning with a letter"
        )
    words = {"rule": rule, "name": rule.replace("_", "-"), "title": rule.replace("_", " ").capitalize()}
    return {f"rules/{rule}.rego": _RULE.format(**words), f"rules/{rule}_test.rego": _TEST.format(**words)}


def metadata(rego: str) -> str:
    """Return the METADATA comment above the package of a rule, without the comment signs; empty where there is none."""
    head = re.split(r"^package\b", rego, maxsplit=1, flags=re.MULTILINE)[0]
    _, found, block = head.rpartition("# METADATA\n")
    lines = [line.removeprefix("#").removeprefix(" ") for line in block.splitlines() if line.startswith("#")]
    return "\n".join(lines) if found else ""


def title(rego: str) -> str:
    """Return the title that the METADATA gives, or an empty text."""
    found = re.search(r"^title:\s*(.*\S)", metadata(rego), re.MULTILINE)
    return found[1].strip("\"'") if found else ""


def page(rule: str, about: Mapping[str, Any], effective: Mapping[str, object]) -> str:
    """Return what a person reads about a rule that ships.

    Args:
        rule: its id.
        about: its entry in the catalogue.
        effective: its parameters, as the trust file and the project's config set them.
    """
    lines = [f"{rule}: {about['title']}", "", about["description"]]
    for head, key in (("Why", "why"), ("What to do", "fix"), ("What is unknown", "unknown")):
        lines += ["", head, *(f"  {line}" for line in about[key].splitlines())]
    findings = about["findings"]
    profiles = ("default", "strict", "release")
    lines += ["", "Findings (`observe` records the levels of `default`)"]
    table = [("code", *profiles, "waivable")]
    table += [(code, *(of[p] for p in profiles), of["waivable"]) for code, of in sorted(findings.items())]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines += [
        "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    if about["parameters"]:
        lines += ["", "Parameters"]
    for name, parameter in sorted(about["parameters"].items()):
        value, default = effective[name], parameter["default"]
        said = "the default" if value == default else f"default {json.dumps(default)}"
        lines += [f"  {name} = {json.dumps(value)}  ({said})", f"      {parameter['description']}"]
    return "\n".join(lines) + "\n"
