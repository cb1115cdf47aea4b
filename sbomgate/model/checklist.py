"""What is left to do when a package turned out bad and its version was changed: builds, caches, credentials."""

from __future__ import annotations

from dataclasses import dataclass

from sbomgate.model.decision import Ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeploy:
    """A project with builds that hold a package of the checklist.

    Attributes:
        project: its name.
        holds: `name@version` of these packages, sorted.
        builds: `sha256:…` or `gitCommit:…` of each of its builds that hold one, the newest first; of an SBOM on its own
            `sbom:` and its digest.
        runs_in: environments in which any of them runs now, as far as it was told, sorted.
        last_good: digest of the newest build that PASSED and holds none, or None.
        last_good_evidence: SHA-256 (hex) of its evidence, or None.
    """

    project: str
    holds: tuple[str, ...]
    builds: tuple[str, ...]
    runs_in: tuple[str, ...]
    last_good: str | None
    last_good_evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A runner on which such builds were decided, by its own word: what ran in the same run may have had credentials.

    Attributes:
        ran: system, runner and its id, repository; job and run are None here.
        runs: URL of the job, else the id of the run, of each decision there, sorted.
    """

    ran: Ran
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """What is left to do.

    Attributes:
        packages: (name, version), sorted.
        redeploy: by project.
        caches: package manager → the commands that take these packages out of its caches on one machine.
        unnamed: `name@version` of packages that no command can name safely.
        machines: sorted.
        unrecorded: how many decisions on such builds do not say where they were made.
        searched: whether an inventory was asked: without one `redeploy` and `machines` say nothing.
    """

    packages: tuple[tuple[str, str], ...]
    redeploy: tuple[Redeploy, ...]
    caches: tuple[tuple[str, tuple[str, ...]], ...]
    unnamed: tuple[str, ...]
    machines: tuple[Machine, ...]
    unrecorded: int
    searched: bool
