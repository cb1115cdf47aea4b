"""Repositories with a history, made by the real git; commits signed by the real ssh-keygen."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def ssh_key(path: Path, kind: str = "ed25519", *more: str) -> str:
    """Make an SSH key without a password at `path`; return its public line."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-C", "", "-f", str(path)], check=True, capture_output=True
    )
    return path.with_name(f"{path.name}.pub").read_text().strip()


@dataclass(frozen=True)
class Repository:
    """A repository whose commits are dated one minute after the other."""

    root: Path

    @classmethod
    def new(cls, root: Path, object_format: str = "sha1") -> Repository:
        """Make one; what lies there already is not committed yet."""
        root.mkdir(parents=True, exist_ok=True)
        if (root / ".git").is_dir() and not any((root / ".git").iterdir()):
            (root / ".git").rmdir()
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")
        return made

    def git(self, *arguments: str, author: str = "ann@example.test", committer: str = "") -> str:
        """Run git, without any of this machine's settings; return what it prints."""
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.root),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Somebody",
            "GIT_AUTHOR_EMAIL": author,
            "GIT_COMMITTER_NAME": "Somebody",
            "GIT_COMMITTER_EMAIL": committer or author,
        }
        done = subprocess.run(
            ["git", "-c", "gc.auto=0", *arguments], cwd=self.root, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(
        self,
        files: Mapping[str, str] | None = None,
        *,
        author: str = "ann@example.test",
        key: Path | None = None,
        message: str = "a change",
    ) -> str:
        """Write files, commit everything, signed with an SSH key where one is given; return the commit's id."""
        for name, text in (files or {}).items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git(*_signing(key), "commit", "--quiet", "--allow-empty", "-m", message, author=author)
        return self.head

    def merge(self, other: str, *more: str, author: str = "ann@example.test", key: Path | None = None) -> str:
        """Merge another branch; return the merge's id."""
        signing = [*_signing(key)]
        self.git(*signing, "merge", "--quiet", "--no-ff", "-m", "a merge", *more, other, author=author)
        return self.head

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")


def _signing(key: Path | None) -> tuple[str, ...]:
    if key is None:
        return ()
    return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}", "-c", "commit.gpgsign=true")
