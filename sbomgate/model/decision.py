"""What is decided, about what, and how it came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbomgate.model.facts import Sbom
    from sbomgate.model.link import Ties


class SubjectKind(StrEnum):
    """What a decision can be about."""

    FILE = "file"
    GIT = "git"
    OCI = "oci"


SELF_DECLARED = "self-declared"
"""Time source of what only a key vouches for (P17)."""
TIMESTAMPED = "timestamp-authority"
"""An RFC 3161 timestamp says that the signature existed then."""
LOGGED = "transparency-log"
"""A transparency log's signed entry timestamp says so."""
TIME_SOURCES = (SELF_DECLARED, TIMESTAMPED, LOGGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The release artefact: `name` for people, `digest` algorithm → hex (sha256 for files and images, gitCommit)."""

    kind: SubjectKind
    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A value and who says it: `flag` (given by hand), `ci` (the CI's verified token) or `worktree` (read from git)."""

    value: str
    source: str


RAN_SOURCE = "environment"
"""Who says where a decision was made: the environment of the machine itself, and nobody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Where the decision was made, by the word of that machine's environment: nobody else vouches for it.

    It is no input of the policy and no condition of `verify`; it says on which machines to look on a bad day.

    Attributes:
        system: `github-actions`, `gitlab-ci`, `buildkite`, `jenkins`, `azure-pipelines`, `circleci`, or `none`.
        runner: the name of the runner, agent or node, else the host's; None where nothing says it.
        runner_id: its id in that system, or None.
        job: URL of the job, or None. run: id of the workflow run, pipeline or build, or None.
        repository: that the job is of, or None.
    """

    system: str
    runner: str | None = None
    runner_id: str | None = None
    job: str | None = None
    run: str | None = None
    repository: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the decision is about, beyond the SBOM.

    Attributes:
        lockfile_path: relative to the repository's root, POSIX.
        workspace: directory of the workspace that it is about, relative to the lockfile's ("." for the root project
            without its workspaces); None for all that the lockfile holds.
        link: how the artefact is tied to the lockfile (P13), as `Ties.link` says; None without an artefact.
        ties: what that rests on; None where nothing was compared.
        time_source: who vouches for the time (P17), one of `TIME_SOURCES`; None where nothing is signed.
        ran: where the decision was made; None where nobody said (a decision of an older version).
    """

    evaluated_at: datetime
    profile: str
    lockfile_path: str
    workspace: str | None = None
    repository: Claimed | None = None
    commit: Claimed | None = None
    environment: Claimed | None = None
    subject: Subject | None = None
    link: str | None = None
    ties: Ties | None = None
    time_source: str | None = None
    ran: Ran | None = None

    @property
    def environment_name(self) -> str | None:
        """What the environment is called, whoever says so; None where nobody named one."""
        return None if self.environment is None else self.environment.value


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineBuild:
    """The last approved build of the same project: what changed since is judged against it.

    Attributes:
        sbom: its SBOM, read back from accepted evidence.
        evidence: SHA-256 (hex) that names the evidence.
        decided_at: when it was decided.
        files: path in the repository → SHA-256 (hex) of the project's files that it was decided on.
    """

    sbom: Sbom
    evidence: str
    decided_at: datetime
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """There is no approved build to compare with; `reason` says why, and every decision repeats it."""

    reason: str


class Verdict(StrEnum):
    """What the policy says. "Could not decide" is an exception, never a verdict."""

    ALLOWED = "allowed"
    DENIED = "denied"


class Level(StrEnum):
    """What a finding does to the verdict."""

    DENY = "deny"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFinding:
    """One finding of one rule, as Rego returned it.

    `fingerprint` is stable for the same finding in later runs (rule, code, package name, version, integrity).
    """

    rule: str
    code: str
    level: Level
    package: str | None
    message: str
    fix: str
    unknown: bool
    waivable: bool
    waived: bool
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The result of one evaluation: `data` is its canonical JSON, byte for byte the same from every engine.

    `waived_by` has the fingerprint of each waived finding → ids of the waivers and approvals that it rests on.
    """

    data: bytes
    sha256: str
    verdict: Verdict
    findings: tuple[PolicyFinding, ...]
    rules: tuple[str, ...]
    waived_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unused_waivers: tuple[str, ...] = ()
