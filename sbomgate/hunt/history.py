"""Lockfiles in git's history: every commit that the repository holds, of deleted branches and forgotten rebases too.

git is run, but not in the repository under test, whose settings could name programs for git to run: an empty repository
of ours borrows its objects (GIT_OBJECT_DIRECTORY). Nothing is fetched and nothing is written to it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from sbomgate import files
from sbomgate.errors import InputError
from sbomgate.hunt import Mention, Wanted, lockfile
from sbomgate.hunt._walk import Entry

MAX_CONFIG_BYTES = 1 << 20  # of a repository's own settings, and of its list of shallow commits
_SHA256 = re.compile(rb"objectformat\s*=\s*sha256", re.IGNORECASE)
_PATHS = [f":(glob)**/{name}" for name in (*lockfile.NAMES, lockfile.BINARY)]


def look(entry: Entry, wanted: Wanted) -> Iterator[Mention]:
    """Yield the wanted packages in any lockfile that was ever committed, with the first commit that has it.

    Raises:
        InputError: there is no git, it cannot read the repository, or a lockfile in it cannot be read.
    """
    if not entry.is_repository:
        return
    if entry.git is None:
        raise InputError("its history is not searched: git is not installed", where=entry.path)
    with tempfile.TemporaryDirectory(prefix="sbomgate-") as folder:
        git = _Git(entry, entry.git, Path(folder))
        blobs = git.lockfiles()
        seen = lockfile.Seen()
        # Versions of one file after each other: git unpacks each from the one before, and little in it is new.
        texts = sorted((first.path, first.seconds, blob) for blob, first in blobs.items() if not first.is_binary)
        for blob, data in git.contents([blob for _, _, blob in texts]):
            first = blobs[blob]
            name = first.path.rpartition("/")[2]
            if seen.has_nothing(name, data, wanted):
                continue
            for one in lockfile.mentions(name, data, wanted):
                place = f"commit {first.commit}: {first.path}"
                yield replace(one, kind="git history", place=place, time=first.time)
        if git.unread or any(first.is_binary for first in blobs.values()):
            raise InputError(
                lockfile.CANNOT if not git.unread else f"{git.unread} lockfiles in its history could not be read",
                where=entry.path,
            )


class _First:
    """Where a blob was first seen."""

    __slots__ = ("commit", "path", "time")

    def __init__(self, commit: str, path: str, time: datetime | None) -> None:
        self.commit, self.path, self.time = commit, path, time

    @property
    def is_binary(self) -> bool:
        return self.path.endswith(lockfile.BINARY)

    @property
    def seconds(self) -> float:
        return self.time.timestamp() if self.time is not None else 0.0


class _Git:
    """An empty repository that borrows the objects of another."""

    def __init__(self, entry: Entry, program: Path, folder: Path) -> None:
        self._entry, self._program, self._folder = entry, program, folder
        self._environment = {
            "GIT_DIR": str(folder / "git"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "HOME": str(folder),
            "LC_ALL": "C",
        }
        self.unread = 0
        config = self._file("config")
        form = "sha256" if config is not None and _SHA256.search(config) else "sha1"
        self._run("init", "--quiet", "--bare", "--template=", f"--object-format={form}")
        if (shallow := self._file("shallow")) is not None:
            (folder / "git" / "shallow").write_bytes(shallow)
        self._environment["GIT_OBJECT_DIRECTORY"] = str(Path(entry.path).absolute() / "objects")

    def lockfiles(self) -> dict[str, _First]:
        """Return blob → where it was first committed, of every lockfile in every commit that there is."""
        listing = self._run(
            "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)"
        )
        commits = [line[7:] for line in listing.split(b"\n") if line.startswith(b"commit ")]
        made = self._run(
            *("diff-tree", "--stdin", "--root", "-r", "-m", "-z", "--raw", "--no-renames", "--no-ext-diff"),
            *("--pretty=tformat:%x01%H %ct", "--", *_PATHS),
            data=b"\n".join(sorted(commits)) + b"\n",
        )
        found: dict[str, _First] = {}
        commit, time = "", None
        fields = iter(made.split(b"\0"))
        for field in fields:
            field = field.lstrip(b"\n")
            if field.startswith(b"\x01"):
                commit, _, seconds = field[1:].decode().partition(" ")
                time = _time(seconds)
            elif field.startswith(b":"):
                blob = field.split(b" ")[3].decode()
                path = next(fields, b"").decode("utf-8", "replace")
                before = found.get(blob)
                if blob.strip("0") and (before is None or _earlier(time, before.time)):
                    found[blob] = _First(commit, path, time)
            elif field:
                raise InputError("git's listing has no meaning", where=self._entry.path)
        return found

    def contents(self, blobs: list[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the bytes of each blob; what is missing or too large is counted."""
        asked = self._folder / "asked"
        asked.write_text("".join(f"{blob}\n" for blob in blobs), encoding="ascii")
        with (
            asked.open("rb") as stdin,
            subprocess.Popen(
                [self._program, "cat-file", "--batch", "--buffer"],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                cwd=self._folder,
            ) as process,
        ):
            output = cast("IO[bytes]", process.stdout)
            try:
                for blob in blobs:
                    head = output.readline().split()
                    if len(head) != 3 or head[1] != b"blob":
                        self.unread += 1
                        if not head:
                            raise InputError("git cannot read its objects", where=self._entry.path)
                        continue
                    size = int(head[2])
                    if size > lockfile.MAX_LOCKFILE_BYTES:
                        self.unread += 1
                        while size > 0:
                            size -= len(output.read(min(size, 1 << 20)))
                        output.read(1)
                        continue
                    data = output.read(size + 1)
                    yield blob, data[:-1]
            finally:
                process.kill()

    def _file(self, name: str) -> bytes | None:
        path = Path(self._entry.path) / name
        if not path.is_file() or path.is_symlink():
            return None
        return files.read(path, limit=MAX_CONFIG_BYTES, error=InputError, follow=False)

    def _run(self, *arguments: str, data: bytes = b"") -> bytes:
        try:
            made = subprocess.run(
                [self._program, *arguments],
                input=data,
                capture_output=True,
                env=self._environment,
                cwd=self._folder,
                check=False,
            )
        except OSError as error:
            raise InputError(f"git cannot be run: {error.strerror}", where=self._entry.path) from error
        if made.returncode != 0 or made.stderr:  # of objects that are broken git complains, and goes on
            said = made.stderr.decode("utf-8", "replace").strip().partition("\n")[0][:200]
            raise InputError(f"git cannot read it: {said or f'exit {made.returncode}'}", where=self._entry.path)
        return made.stdout


def _time(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _earlier(one: datetime | None, other: datetime | None) -> bool:
    return other is None if one is None else other is None or one < other
