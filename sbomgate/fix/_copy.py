"""A copy of the project in which a package manager may make its lockfile: nothing that it would run or obey."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from sbomgate.errors import InputError
from sbomgate.fix import Command

SECONDS = 600  # of one run of a package manager: a cold one of some thousand packages takes two minutes
MAX_SAID = 600  # characters of what it says when it fails
KEPT = ("package.json", "pnpm-workspace.yaml")
KEPT_SUFFIXES = (".patch", ".diff", ".tgz")


def belongs(path: str, lockfile: str) -> bool:
    """Return whether a file of the project goes into the copy: its manifests, its patches and packed packages."""
    name = path.rpartition("/")[2]
    return path == lockfile or name in KEPT or name.endswith(KEPT_SUFFIXES)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder that is ours."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def run(folder: Path, command: Command, program: str, variables: Mapping[str, str]) -> None:
    """Run a package manager in `folder`.

    Args:
        folder: with the project's manifests and lockfile.
        command: what is run.
        program: the path of the package manager.
        variables: of its environment, beside those of `command`.

    Raises:
        InputError: it cannot be run, or refuses what it was asked.
    """
    write(folder, {path: text.encode() for path, text in command.files.items()})
    try:
        made = subprocess.run(
            [program, *command.arguments[1:]],
            cwd=folder,
            env={**variables, **command.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"took longer than {SECONDS} seconds", where=command.arguments[0]) from error
    except OSError as error:
        raise InputError(f"cannot be run: {error.strerror}", where=command.arguments[0]) from error
    if made.returncode != 0:
        said = (made.stderr or made.stdout).decode("utf-8", "replace").strip()[-MAX_SAID:]
        raise InputError(f"exit {made.returncode}: {said or 'it said nothing'}", where=" ".join(command.arguments[:2]))
