"""What the lockfile reader can say, the policy can judge: no code is left to `this policy does not know the code`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

JUDGES = ("lockfile_sound", "bound_bytes", "pinned", "registries", "exotic_sources", "manager_code")


def documented(page: str) -> dict[str, str]:
    """Return code → rule, from the tables of docs/lockfiles.md (a test of the reader compares them with its codes)."""
    found: dict[str, str] = {}
    rule = None
    for line in page.splitlines():
        if line.startswith("#"):
            rule = next((name for name in JUDGES if name in line), None)
        if rule and (row := re.match(r"\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \|", line)):
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", row[1]), rule)
        elif rule and line.startswith("`"):  # a sentence of codes, up to its semicolon
            found |= dict.fromkeys(re.findall(r"`([a-z-]+)`", line.partition(";")[0]), rule)
    return found


def test_every_code_of_the_reader_is_judged(repository: Path) -> None:
    codes = documented((repository / "docs" / "lockfiles.md").read_text())
    assert len(codes) > 40
    rules = {name: (repository / "policies" / "rules" / f"{name}.rego").read_text() for name in set(codes.values())}
    unknown = [f"{code} ({rule})" for code, rule in codes.items() if f'"{code}"' not in rules[rule]]
    assert not unknown


@pytest.mark.parametrize("rule", JUDGES)
def test_every_judge_has_codes(repository: Path, rule: str) -> None:
    assert rule in documented((repository / "docs" / "lockfiles.md").read_text()).values()
