"""What the scripts that make lockfile fixtures share: real package managers run in a scratch directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"
GIT_ADDRESS = "ssh://git@example.test/owner/from-git.git"
"""What stands in a fixture in place of the repository on the machine that made it."""
Files = dict[str, dict[str, Any] | str]


def run(
    command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None, *, may_fail: bool = False
) -> str:
    """Run a command and return what it prints; `environment` replaces that of this process.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env=environment)
    if done.returncode and not may_fail:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-1500:]} {done.stderr[-2500:]}")
    return done.stdout


def write(directory: Path, files: Files) -> None:
    """Write JSON or text files below a directory."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"
        path.write_text(text, encoding="utf-8")


def packed(directory: Path, files: Files) -> Path:
    """Return the tarball that npm makes of packed@1.0.0."""
    write(directory, files)
    run(["npm", "pack", "--silent"], directory)
    return directory / "packed-1.0.0.tgz"


def repository(directory: Path) -> Path:
    """Return a bare git repository that holds a package; the same commit on every machine."""
    work = directory / "work"
    write(work, {"package.json": {"name": "from-git", "version": "1.2.3", "dependencies": {"ms": "2.1.3"}}})
    date = "2026-01-01T00:00:00Z"
    clock = {**os.environ, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    git = ["git", "-c", "user.name=fixture", "-c", "user.email=fixture@example.test"]
    run(["git", "init", "-q"], work)
    run(["git", "add", "."], work)
    run([*git, "commit", "-q", "-m", "fixture"], work, clock)
    run(["git", "clone", "-q", "--bare", str(work), str(directory / "from-git.git")], directory)
    run(["git", "update-server-info"], directory / "from-git.git")
    return directory / "from-git.git"


def keep(
    work: Path,
    target: Path,
    replacements: Sequence[tuple[str, str]],
    *,
    suffixes: Collection[str],
    skip: Collection[str] = ("node_modules",),
) -> None:
    """Replace a fixture by a project that a package manager has installed.

    Args:
        work: the project.
        target: the fixture's folder.
        replacements: (old, new), in this order: addresses of the machine that made it.
        suffixes: of the files in which they are replaced.
        skip: names of files and folders that are left out.
    """
    shutil.rmtree(target, ignore_errors=True)
    for path in sorted(work.rglob("*")):
        if not path.is_file() or set(skip) & set(path.relative_to(work).parts):
            continue
        copy = target / path.relative_to(work)
        copy.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes()
        if path.suffix in suffixes:
            for old, new in replacements:
                data = data.replace(old.encode(), new.encode())
        copy.write_bytes(data)
