"""Projects on disk as the readers see them, and real ones beside the truth about them in the shared data."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbomgate import lockfiles, sbom
from sbomgate.model import DependencyGraph, Package
from sbomgate.project import DiskFiles

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def read(folder: Path) -> DependencyGraph:
    """Read the lockfile of a project that is a repository of its own."""
    return lockfiles.read(DiskFiles(folder, folder))


def fixture(name: str) -> DependencyGraph:
    """Read the lockfile of a fixture: `bun/tree-v2`."""
    return read(FIXTURES / name)


def by_id(graph: DependencyGraph) -> dict[str, Package]:
    """Return id → package."""
    return {package.id: package for package in graph.packages}


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A real lockfile: our graph of it, the truth, and the comparison that lies beside the data."""

    graph: DependencyGraph
    truth: dict[str, Any]
    truth_file: Path

    def compare(self, shared: Path, scratch: Path) -> None:
        """Assert that the comparison finds nothing missing and nothing extra in our SBOM."""
        written = scratch / "sbom.json"
        written.write_bytes(sbom.write(self.graph, {}, timestamp=None, tool_version="0"))
        compared = subprocess.run(
            [sys.executable, str(shared / "compare_truth.py"), str(written), str(self.truth_file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert compared.returncode == 0, compared.stdout


def real(real_locks: Path, name: str) -> Real:
    """Read one of the real lockfiles; `real_locks` is the fixture of that name, in a test with the marker `shared`."""
    truth = real_locks / "truth" / f"{name}.json"
    graph = read(real_locks / "lockfiles" / name)
    return Real(graph=graph, truth=json.loads(truth.read_bytes()), truth_file=truth)
