"""The rows of the list of cases: which other tests than a folder prove, and what cannot occur in which format.

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
    "T24": f"{FLOWS}, tests/integration/inventory: `inventory sweep`, `find`, `replay --policy`",
}

FORMATS = {"npm": "npm", "pnpm": "pnpm", "yarn": "yarn 1", "berry": "yarn 2 and later", "bun": "bun"}
"""The lockfile formats, by the name that a case has for them."""

_ALL = tuple(FORMATS)
_OTHERS = _ALL[1:]
_YARN = ("yarn", "berry")

NOWHERE: dict[str, dict[tuple[str, ...], str]] = {
    "L01": {_OTHERS: "there is one name for the lockfile; bun's binary one is refused"},
    "L02": {_OTHERS: "no version has two sections of the same: packages and snapshots of pnpm are read as one"},
    "L09": {_OTHERS: "the limits are of all formats: tests/unit/lockfiles/test_hostile.py"},
    "L18": {("yarn",): "no block for the root: what package.json declares is looked up (L17)"},
    "L20": {_OTHERS: "no such flags (pnpm 5 and 6 have them, and nobody reads them): always computed"},
    "L22": {_OTHERS: "older versions are read in full: tests/fixtures/every-source"},
    "L23": {_YARN: "bundled packages are fetched like any other, or are not in the lockfile at all (L24)"},
    "L26": {_OTHERS: "the shrinkwrap of a dependency is not obeyed"},
    "L28": {
        ("npm", "yarn", "berry", "bun"): "one document; a second one is refused: tests/unit/lockfiles/test_hostile.py"
    },
    "C01": {("npm", "yarn", "berry", "bun"): "there is no such hook; what these run is C02 and C03"},
    "C02": {
        ("npm", "pnpm", "bun"): "no setting replaces the manager by a file of the repository; packageManager is C04"
    },
    "C05": {_ALL: "of the SBOM, whatever the lockfile was"},
    "C06": {_ALL: "of the facts, whatever the lockfile was"},
    "C07": {_ALL: "of the path of the lockfile, whatever it is"},
    "C08": {_OTHERS: "of the ledger, whatever the lockfile was"},
}
"""Rows of L, S and C that have no folder in a format: why not."""
