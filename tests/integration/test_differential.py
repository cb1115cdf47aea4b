"""What a package manager refuses we do not allow, and what it installs is what we judged: both read the same project.

A few of the changes that `fuzz/differential.py` makes by the hundred (docs/fuzzing.md): one for each reader that was
mended by it, and those that we allow on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sbomgate import lockfiles
from sbomgate.project import MemoryFiles
from testkit.differential import Bench, Files, added, bench, json_file, reason, text

pytestmark = pytest.mark.managers


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("differential")) as opened:
        yield opened


def from_elsewhere(files: Files) -> Files:
    """A version 1 entry says 1.0.0, and `from` names other bytes: npm takes them where there is no hash."""
    registry = files[".npmrc"].decode().strip().removeprefix("registry=")
    leaf = {"version": "1.0.0", "from": f"{registry}inner/-/inner-1.0.0.tgz"}
    return json_file("package-lock.json", lambda lock: lock["dependencies"].update(leaf=leaf))(files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A change: the manager accepts it or not, our verdict, what denies; whether other packages lie there then."""

    project: str
    edit: Callable[[Files], Files] = lambda files: files
    accepted: bool
    verdict: str
    code: str = ""
    others: bool = False


CASES: dict[str, Case] = {
    "nothing, pnpm": Case(project="plain/pnpm-9", accepted=True, verdict="allowed"),
    "nothing, bun": Case(project="plain/bun-2", accepted=True, verdict="allowed"),
    "npm 1: `from` names other bytes": Case(
        project="plain/npm-1",
        edit=from_elsewhere,
        accepted=True,
        verdict="denied",
        code="bound_bytes/resolved-name-differs",
        others=True,
    ),
    "npm: an optional package is not there": Case(
        project="plain/npm-3",
        edit=json_file("package-lock.json", lambda lock: lock["packages"].pop("node_modules/platforms")),
        accepted=False,
        verdict="allowed",
    ),
    "yarn 1: no entry for what a package asks for": Case(
        project="plain/yarn-1",
        edit=text("yarn.lock", r'leaf ">=1\.0\.0 <2\.0\.0"', 'inner "1.0.0"'),
        accepted=True,
        verdict="denied",
        code="lockfile_sound/dependency-missing",
        others=True,
    ),
    "yarn 4: another checksum": Case(
        project="plain/berry-10",
        edit=text("yarn.lock", r"checksum: 10c0/[0-9a-f]{8}", "checksum: 10c0/00000000"),
        accepted=False,
        verdict="allowed",
    ),
    "pnpm: a snapshot of no package": Case(
        project="plain/pnpm-9",
        edit=text("pnpm-lock.yaml", r"\n  alias-user@1\.0\.0:\n    resolution: [^\n]*", ""),
        accepted=False,
        verdict="denied",
        code="bound_bytes/source-missing",
    ),
    "pnpm: an unresolved conflict": Case(
        project="plain/pnpm-9",
        edit=text("pnpm-lock.yaml", r"\nsnapshots:", "\n<<<<<<< ours\nsnapshots:\n=======\nsnapshots:\n>>>>>>> theirs"),
        accepted=True,  # pnpm chooses for itself, with --frozen-lockfile too
        verdict="refused",
    ),
    "bun: a workspace that the lockfile does not know": Case(
        project="plain/bun-2",
        edit=added("packages/new/package.json", '{"name": "new", "dependencies": {"inner": "1.0.0"}}'),
        accepted=False,
        verdict="denied",
        code="pinned/lock-drift",
    ),
    "bun: a workspace without a name": Case(
        project="plain/bun-2",
        edit=text("bun.lock", r'\n *"name": "met",', ""),
        accepted=False,
        verdict="refused",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_both_read_the_same(here: Bench, name: str) -> None:
    """P1, P4, P5: nothing that the manager refuses is allowed but for a reason; what it installs is what we list."""
    case = CASES[name]
    original = here.original(case.project)
    codes = frozenset(finding.code for finding in lockfiles.read(MemoryFiles(dict(original))).findings)
    found = here.try_out(case.project, case.edit(original))
    assert (found.accepted, found.verdict) == (case.accepted, case.verdict), found
    assert case.code in (*found.denies, ""), found
    assert bool(found.differences) == case.others, found
    if found.is_wrong:
        assert reason(case.project, found, codes), found
