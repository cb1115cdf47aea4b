"""Packs of evidence as an auditor takes them apart: tar, then the README's own commands."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path


def unpacked(path: Path, target: Path) -> Path:
    """Unpack it, and return the folder."""
    target.mkdir()
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            assert member.isreg() or member.islnk(), member.name
            assert member.name.startswith("evidence/")
            assert (member.uid, member.gid, member.mtime, member.mode) == (0, 0, 0, 0o644)
        tar.extractall(target, filter="data")
    return target / "evidence"


def commands(folder: Path) -> str:
    """The commands of a pack's README, as an auditor copies them."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (folder / "README.md").read_text(), flags=re.S | re.M)
    assert len(blocks) > 4
    return "".join(blocks)


def follow(folder: Path, said: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run them (or others) in the pack's folder, each of which must succeed."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent)}
    return subprocess.run(
        ["sh", "-eu"],
        input=commands(folder) if said is None else said,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
