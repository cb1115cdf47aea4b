"""What runs where: the newest event of a project in an environment counts, and a torn line never does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sbomgate.errors import EvidenceError
from sbomgate.inventory import deployments
from sbomgate.inventory.deployments import Deployment
from sbomgate.inventory.folder import Folder

NOW = datetime(2026, 4, 1, tzinfo=UTC)
PROJECTS = {"sha256:1": [("shop",)], "sha256:2": [("shop",)], "sha256:3": [("web",)]}


def event(digest: str, hours: int, *, environment: str = "production", stopped: bool = False) -> Deployment:
    name = f"oci:registry.example/{digest.partition(':')[2]}"
    at = NOW + timedelta(hours=hours)
    return Deployment(digest=digest, name=name, environment=environment, at=at, stopped=stopped)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "inventory")
    made.create()
    return made


RUNNING: dict[str, tuple[list[Deployment], list[str]]] = {
    "nothing": ([], []),
    "one": ([event("sha256:1", 0)], ["production sha256:1"]),
    "a newer build of the project takes its place": ([event("sha256:1", 0), event("sha256:2", 1)],
                                                     ["production sha256:2"]),
    "told late, and older": ([event("sha256:2", 1), event("sha256:1", 0)], ["production sha256:2"]),
    "another environment": ([event("sha256:1", 0), event("sha256:2", 1, environment="staging")],
                            ["production sha256:1", "staging sha256:2"]),
    "another project": ([event("sha256:1", 0), event("sha256:3", 1)], ["production sha256:1", "production sha256:3"]),
    "stopped": ([event("sha256:1", 0), event("sha256:1", 1, stopped=True)], []),
    "something else stopped": ([event("sha256:2", 0), event("sha256:1", 1, stopped=True)], ["production sha256:2"]),
    "in the future": ([event("sha256:1", 99)], []),
    "rolled back": ([event("sha256:1", 0), event("sha256:2", 1), event("sha256:1", 2)], ["production sha256:1"]),
    "unknown artefacts do not push each other out": ([event("sha256:8", 0), event("sha256:9", 1)],
                                                     ["production sha256:8", "production sha256:9"]),
}  # fmt: skip


@pytest.mark.parametrize("case", RUNNING)
def test_what_runs(folder: Folder, case: str) -> None:
    events, expected = RUNNING[case]
    for one in events:
        deployments.append(folder, [one])
    found = deployments.running(deployments.read(folder), PROJECTS, at=NOW + timedelta(hours=9))
    assert sorted(" ".join(key) for key in found) == expected


def test_a_line_that_a_killed_writer_left_is_replaced(folder: Folder) -> None:
    """P41: what was reported stays, what was torn was not reported."""
    deployments.append(folder, [event("sha256:1", 0)])
    at = folder.path / deployments.FILE
    at.write_bytes(at.read_bytes() + b'{"digest": "sha256:2", "na')
    assert [one.digest for one in deployments.read(folder)] == ["sha256:1"]
    deployments.append(folder, [event("sha256:3", 1)])
    assert [one.digest for one in deployments.read(folder)] == ["sha256:1", "sha256:3"]
    at.write_bytes(b"x" * 10_000)  # one torn line, longer than what is looked at in one go
    deployments.append(folder, [event("sha256:4", 1)])
    assert [one.digest for one in deployments.read(folder)] == ["sha256:4"]


@pytest.mark.parametrize("line", [b"{}", b"7", b"{", b"[" * 100_000, b'{"digest": 1}', b"\xff"])
def test_a_line_that_is_no_event_is_said(folder: Folder, line: bytes) -> None:
    (folder.path / deployments.FILE).write_bytes(line + b"\n")
    with pytest.raises(EvidenceError, match="line 1"):
        deployments.read(folder)
