"""Running the tests of an organisation's own rules, by `opa test`: its semantics, its coverage.

The embedded engine evaluates and measures no coverage, so this needs an `opa`. It sees a copy of the policy as it would
be used, the folder's tests, and the shipped fixtures (`data.sbomgate.tests.fixtures`); the shipped tests are not run.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbomgate import files, resources
from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle
from sbomgate.policy.bundle import MAX_FILE_BYTES, MAX_FILES

SECONDS = 120  # for one run of all tests
FIXTURES = "lib/fixtures_test.rego"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the tests said.

    Attributes:
        passed: how many did. failed: the names of those that did not, sorted.
        coverage: (file, percent of its lines that ran) of the folder's own files, sorted.
        covered: percent of all their lines.
    """

    passed: int
    failed: tuple[str, ...]
    coverage: tuple[tuple[str, float], ...]
    covered: float


def run(opa: Path, bundle: PolicyBundle, folder: Path) -> Outcome:
    """Test the policy in `folder`, of which `bundle` was made.

    Raises:
        PolicyError: there is no test, they do not compile, or `opa` cannot be run.
    """
    if not folder.is_dir():
        raise PolicyError(
            "is no folder", where=str(folder), hint="a bundle holds no tests: give the folder it is made of"
        )
    rego = [path for path in files.below(folder, error=PolicyError) if path.suffix == ".rego"]
    tests = [path for path in rego if path.name.endswith("_test.rego")]
    if not tests or len(tests) > MAX_FILES:
        hint = "`sbomgate policy new RULE` writes one"
        raise PolicyError(f"{len(tests)} tests, expected 1 to {MAX_FILES}", where=str(folder), hint=hint)
    own = {path.relative_to(folder).as_posix() for path in rego if path not in tests}
    with tempfile.TemporaryDirectory(prefix="sbomgate-") as held:
        copy = Path(held) / "policy"
        content = dict(bundle.files)
        content[FIXTURES] = resources.path("policies", *FIXTURES.split("/")).read_bytes()
        for path in tests:
            content[path.relative_to(folder).as_posix()] = files.read(path, limit=MAX_FILE_BYTES, error=PolicyError)
        for name, data in content.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(data)
        results = _opa(opa, copy, ("--verbose",))
        failed = tuple(sorted(f"{r['package']}.{r['name']}" for r in results if r.get("fail") or r.get("error")))
        coverage = {} if failed else _opa(opa, copy, ("--coverage",))["files"]
    percents, lines, ran = [], 0, 0
    for name, found in sorted(coverage.items()):
        relative = Path(name).relative_to(copy).as_posix()
        if relative in own:
            covered, missed = _lines(found.get("covered", ())), _lines(found.get("not_covered", ()))
            lines, ran = lines + covered + missed, ran + covered
            percents.append((relative, 100 * covered / max(1, covered + missed)))
    return Outcome(
        passed=len(results) - len(failed),
        failed=failed,
        coverage=tuple(percents),
        covered=100 * ran / lines if lines else 0.0,
    )


def _lines(spans: Sequence[Any]) -> int:
    return sum(span["end"]["row"] - span["start"]["row"] + 1 for span in spans)


def _opa(opa: Path, folder: Path, flags: Sequence[str]) -> Any:
    capabilities = resources.path("engine", "dist", "capabilities.json")
    try:
        said = subprocess.run(
            [str(opa), "test", "--format=json", f"--capabilities={capabilities}", *flags, str(folder)],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise PolicyError(f"cannot be run: {e}", where=str(opa)) from e
    try:
        return json.loads(said.stdout)
    except ValueError as e:
        text = (said.stderr or said.stdout).decode("utf-8", "replace").replace(f"{folder}/", "").strip()
        raise PolicyError(text[:500] or "gives no results", where="opa test", hint="correct the policy") from e
