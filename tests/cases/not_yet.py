"""Rows of the list of cases without a folder: those that other tests prove, and those that cannot be decided yet.

`tools/make_cases.py` puts both into docs/cases.md, and a test sees to it that no row is missing.
"""

from __future__ import annotations

SECTIONS = {
    "A": "01 02 03 04 05 06 07 08 09 10 11 12 14 16 19 20 21 22 23 25 28 30",
    "L": "01 02 03 04 05 07 08 09 11 13 15 17 18 19 20 22 23 24 26 28 30 31 32",
    "S": "01 02 03 05 07 08 09 10",
    "I": "01 02 03 06 07 08 09 10 11 12 13",
    "V": "01 02 03 04 05 06 07 08 09 13 14 16 17 18 19 20 21 23 24 25 26 28 29 31 32 33",
    "T": "01 02 05 06 08 09 11 13 15 16 17 18 19 20 21 22 23 24",
    "W": "01 02 05 06 07 09 11 12 13 14 15",
    "C": "01 02 03 04 05 06 07 08 09",
}
ROWS = tuple(f"{section}{number}" for section, numbers in SECTIONS.items() for number in numbers.split())
"""Every row of the list: the numbers that are left out are not in it."""

FLOWS = "tests/cases/test_flows.py"

ELSEWHERE = {
    "C05": FLOWS,
    "C06": FLOWS,
    "C07": FLOWS,
    "T06": "tests/unit/policy: the time of evaluation is an input, no rule reads a clock",
    "T17": "tests/unit/test_decision.py: the decision names the digest of every input",
    "T21": f"{FLOWS}, tests/unit/evidence/test_baseline.py",
    "T22": FLOWS,
    "V20": "tests/unit/provenance: other builders, GitLab and CircleCI",
    "V29": "policies/rules/provenance_test.rego: an old trust root; tests/unit/provenance: the staging instance",
    "W12": "tests/integration/test_cli_trust.py: policies that cannot be used, rules without findings",
    "W13": FLOWS,
    "W14": "tests/integration/test_cli_trust.py: gate signs no policy that nobody accepts",
}

_WAIVERS = "signed waivers and approvals do not exist yet"

NOT_YET = {
    "C01": "pnpm's lockfiles are not read yet",
    "C02": "yarn's lockfiles are not read yet",
    "L28": "pnpm's lockfiles are not read yet",
    "T09": _WAIVERS,
    "T16": "dist-tags are not among the facts",
    "T19": "one registry is asked for each package; that its bytes are others than the lockfile's is A11",
    "T24": "`recheck` of past decisions does not exist yet; that a listed package is denied again is T22",
    "V33": "no attestation of others than the registry and the builder is read",
    "W01": _WAIVERS,
    "W02": _WAIVERS,
    "W05": _WAIVERS,
    "W06": _WAIVERS,
    "W07": _WAIVERS + "; that no exclusion covers a listed package is T08-excludes-only-its-rule",
    "W09": _WAIVERS,
    "W11": _WAIVERS,
}
