"""What a whole store says: every decision over time, what changed in coverage, which waivers end. A value, no I/O.

Nothing here reads a clock: "now" is the newest decision's time, so that the same store gives the same report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sbomgate.model import Context, Signed, Verdict
from sbomgate.report import Standing
from sbomgate.report._coverage import Coverage

SOON = timedelta(days=14)
"""What ends sooner than that is said to end soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One decision in a store.

    Attributes:
        decision, build: SHA-256 (hex) of the signed decision and of the build manifest.
        project, version: of package.json.
        context: subject, time, repository, environment.
        counts: packages, denied, warnings, waived, unknown.
        coverage: how much was known of the packages.
        standing: what the decision is worth.
        signed: the waivers and approvals that counted when it was made.
        used: ids of those that a finding was waived by.
        denied_by: ids of the rules that denied, sorted.
    """

    decision: str
    build: str
    verdict: Verdict
    project: str
    version: str | None
    context: Context
    counts: Mapping[str, int]
    coverage: Coverage
    standing: Standing
    signed: tuple[Signed, ...]
    used: frozenset[str]
    denied_by: tuple[str, ...]

    @property
    def line(self) -> tuple[str, str, str, str]:
        """What it is one decision of: repository or project, lockfile, workspace, environment."""
        context = self.context
        return (
            context.repository.value if context.repository else self.project,
            context.lockfile_path,
            context.workspace or "",
            context.environment_name or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The decisions on one project, lockfile, workspace and environment, oldest first; at least one."""

    repository: str
    lockfile: str
    workspace: str
    environment: str
    moments: tuple[Moment, ...]

    @property
    def newest(self) -> Moment:
        """The one that counts."""
        return self.moments[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One waiver or approval, and the newest decision that knew it."""

    signed: Signed
    state: str  # `ended`, `ends soon`, `in force`
    project: str
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """Everything in a store.

    Attributes:
        lines: sorted.
        waivers: by their end.
        broken: (build, why) of what could not be read: altered, cut, of another version.
        strange: names of what lies in the store and is no evidence.
        as_of: the newest decision's time; None for an empty store.
    """

    lines: tuple[Line, ...]
    waivers: tuple[Register, ...]
    broken: tuple[tuple[str, str], ...]
    strange: tuple[str, ...]
    as_of: datetime | None

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Every decision, oldest first."""
        return tuple(sorted((m for line in self.lines for m in line.moments), key=_when))


def build(moments: Sequence[Moment], broken: Sequence[tuple[str, str]], strange: Sequence[str]) -> StoreReport:
    """Sort what was read from a store."""
    lines: dict[tuple[str, str, str, str], list[Moment]] = {}
    for moment in sorted(moments, key=_when):
        lines.setdefault(moment.line, []).append(moment)
    as_of = max((moment.context.evaluated_at for moment in moments), default=None)
    known: dict[str, tuple[Signed, Moment]] = {}
    for moment in sorted(moments, key=_when):
        known |= {one.id: (one, moment) for one in moment.signed}
    return StoreReport(
        lines=tuple(
            Line(repository=key[0], lockfile=key[1], workspace=key[2], environment=key[3], moments=tuple(lines[key]))
            for key in sorted(lines)
        ),
        waivers=tuple(
            Register(
                signed=one,
                state=_state(one.said.until, as_of),
                project=moment.project,
                used=any(one.id in m.used for m in moments),
            )
            for one, moment in sorted(known.values(), key=lambda pair: (pair[0].said.until, pair[0].id))
        ),
        broken=tuple(sorted(broken)),
        strange=tuple(sorted(strange)),
        as_of=as_of,
    )


def _when(moment: Moment) -> tuple[datetime, bool, str]:
    return moment.context.evaluated_at, moment.verdict is Verdict.DENIED, moment.decision


def _state(until: datetime, now: datetime | None) -> str:
    if now is None or until - now > SOON:
        return "in force"
    return "ended" if until <= now else "ends soon"
