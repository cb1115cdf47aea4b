"""One file for each workspace: names that no directory, however hostile, can lead astray or make meet another."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbomgate.errors import InputError, UsageError

if TYPE_CHECKING:
    from sbomgate.cli._environment import Environment

SUFFIX = ".cdx.json"
ROOT = "root"
MAX_NAME = 100  # characters of a directory in a file's name: with digest and suffix it stays below every file system's

# What is the same file name on every system: no upper case, no dot or blank at the ends, no device of Windows.
_PLAIN = re.compile(r"[a-z0-9_-](?:[a-z0-9._/-]*[a-z0-9_-])?")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[.+].*)?")


def file_name(workspace: str) -> str:
    """Return the name of the file for the workspace in this directory ("." is the root project).

    The same directory always has the same name, whatever others there are. `+` and `@` come from here alone, so that
    two directories have one name only where 64 bits of their SHA-256 are the same.
    """
    if workspace == ".":
        return ROOT + SUFFIX
    name = workspace.replace("/", "+")
    plain = _PLAIN.fullmatch(workspace) and "//" not in workspace and workspace != ROOT and len(name) <= MAX_NAME
    if not plain or _DEVICE.fullmatch(name):
        digest = hashlib.sha256(workspace.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        name = f"{re.sub(r'[^A-Za-z0-9+_-]+', '-', name)[:MAX_NAME]}@{digest}"
    return name + SUFFIX


def files_in(directory: str, workspaces: Sequence[str], env: Environment) -> dict[str, str]:
    """Return workspace → path of its file in `directory`, which is made where it is not there.

    SBOMs that lie there and belong to none of these workspaces are named in a warning.

    Raises:
        InputError: two workspaces have the same file name.
        UsageError: the directory cannot be made.
    """
    from sbomgate.cli._environment import say

    names: dict[str, str] = {}
    for workspace in workspaces:
        name = file_name(workspace)
        if (other := names.setdefault(name.lower(), workspace)) != workspace:
            raise InputError(f"has the same file name as {other}", where=workspace, hint="rename one of them")
    folder = env.working_directory / directory
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = sorted(path.name for path in folder.glob(f"*{SUFFIX}") if path.name.lower() not in names)
    except OSError as error:
        raise UsageError(
            f"cannot be made: {(error.strerror or str(error)).lower()}",
            where=directory,
            hint="give a folder that this user can write to",
        ) from error
    for name in strange:
        say(f"warning: {directory}/{name} belongs to no workspace that is written now")
    return {workspace: f"{directory}/{file_name(workspace)}" for workspace in workspaces}
