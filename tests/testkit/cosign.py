"""Other people's tools, run in a folder of their own: an empty home, no password."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder`, which is its home too."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COSIGN_PASSWORD": ""}
    return subprocess.run(
        [str(one) for one in arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Cosign:
    """Runs cosign."""

    folder: Path

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it with these arguments."""
        return run(self.folder, "cosign", *arguments)

    def verifies(self, bundle: Path, what: Sequence[str | Path], *, kind: str, key: Path) -> bool:
        """Whether it accepts a bundle by a local key; `what` is the artefact, or the flags that name its digest."""
        done = self(
            "verify-blob-attestation", "--key", key, "--bundle", bundle, "--type", kind, "--insecure-ignore-tlog", *what
        )
        return done.returncode == 0
