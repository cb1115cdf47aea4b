"""Programs of this machine: where they are, and which version. The tree under test brings none of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbomgate.cli._environment import Environment

SECONDS = 20  # that a program may take to say its version: a cold Node on a busy machine takes some
MAX_SAID = 4096  # characters of its answer
_VERSION = re.compile(r"(?<![\d.])v?(\d{1,6}\.\d{1,6}\.\d{1,6}(?:[-+][0-9A-Za-z.+-]{0,100})?)")


def on_path(name: str, env: Environment, tree: Path | None) -> Path | None:
    """Return the first program of that name on PATH that does not lie in the `tree`, nor in any node_modules (P26)."""
    import os
    import shutil

    root = None if tree is None else tree.resolve()
    for part in env.variables.get("PATH", "").split(os.pathsep):
        # A part that is empty or relative means the working directory, whatever that is.
        found = shutil.which(name, path=part) if Path(part).is_absolute() else None
        if found is None:
            continue
        real = Path(found).resolve()
        if (root is None or root not in real.parents) and "node_modules" not in Path(found).parts:
            return Path(found)
    return None


def version(program: Path, *arguments: str, env: Environment) -> str | None:
    """Return the version that a program says it has, or None where it says none. It is run outside of any project.

    No shim of corepack asks the network for the program that it stands for.
    """
    import subprocess

    passed = {name: env.variables[name] for name in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR") if name in env.variables}
    quiet = {"COREPACK_ENABLE_NETWORK": "0", "YARN_IGNORE_PATH": "1", "NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
    try:
        ran = subprocess.run(
            [str(program), *(arguments or ("--version",))],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            cwd=program.parent,
            env=passed | quiet,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(ran.stdout[:MAX_SAID].decode("utf-8", "replace")) if ran.returncode == 0 else None
    return None if match is None else match[1]
