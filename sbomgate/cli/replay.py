"""Decide again from stored evidence, at the recorded time, with the stored policy: does the same come out?

Nothing is fetched. Every stored file is compared with its digest, every attestation is verified again. With --policy or
--profile: what would other rules have said about what the rules saw then? Parameters keep the values that they had.
Whether the signer is accepted is not asked here: that is `sbomgate verify`.

examples:
  sbomgate replay evidence/3f/3fa9…
  sbomgate replay evidence --all                                       does every build reproduce?
  sbomgate replay evidence --all --profile default                     from observe: what would have been denied?
  sbomgate replay evidence --all --last 500 --policy new-rules --json

exit codes: 0 the decision reproduces (whatever it was), or nothing that passed would be denied; 1 it does not, or
something would; 2 something could not be replayed
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.cli import _decide, _engine, _policy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Statements
    from sbomgate.gate import TrustMaterial
    from sbomgate.model import PolicyBundle
    from sbomgate.policy.engines import OpenEngine
    from sbomgate.policy.parameters import Declared
    from sbomgate.replay import Difference, Replay

HELP = "decide again from stored evidence; ask other rules about it"
SCHEMA = "sbomgate/replays/v1"
REPLAYED, LISTED = 4, 64  # builds of one task
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "evidence",
        help="one build's folder in a store (its newest decision), or one decision's folder; a store with --all",
    )
    parser.add_argument("--all", action="store_true", help="the newest decision of each build of a store")
    parser.add_argument("--last", type=int, metavar="N", help="with --all: of the N newest builds only")
    parser.add_argument("--policy", metavar="DIR", help="ask these rules instead of the stored ones")
    parser.add_argument("--profile", choices=_decide.PROFILES, help="ask by this profile instead of the recorded one")
    _engine.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="the result as JSON")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print what came out."""
    from sbomgate.cli import _processes
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, EXIT_NO_DECISION, EvidenceError, UsageError
    from sbomgate.evidence import layout

    if args.last is not None and (not args.all or args.last < 1):
        raise UsageError("counts the newest builds of a store, from 1", where="--last", hint="give it with --all")
    path = env.working_directory / args.evidence
    asks = args.policy is not None or args.profile is not None
    if args.policy is not None:
        from sbomgate.policy import bundle

        _decide.check_policy(bundle.load(_policy.located(args.policy, env)), env)
    if not args.all:
        record = layout.read(path)
        replayer = Replayer(args, env)
        try:
            rows = [replayer.replay(_build_of(path), record)]
        finally:
            replayer.close()
    else:
        builds = [str(one) for one in layout.scan(path).builds]
        if not builds:
            raise EvidenceError("holds no build", where=args.evidence, hint="give the store that `gate` wrote to")
        with _processes.workers(partial(Replayer, args, env)) as workers:
            if args.last is not None:
                listed = [row for part in workers.map(_tasks(builds, LISTED, lists=True)) for row in part]
                listed.sort(key=lambda row: (row.time, row.decision), reverse=True)
                builds = [row.build for row in listed[: args.last]]
            bar = _processes.progress("builds", len(builds))
            rows = [row for part in workers.map(_tasks(builds, REPLAYED), bar, weight=REPLAYED) for row in part]
    rows.sort(key=lambda row: (row.time, row.decision), reverse=True)
    if args.json:
        print(_json(rows))
    else:
        print(_table(rows, asks=asks) if args.all else "\n".join(rows[0].told))
    if any(row.error for row in rows):
        return EXIT_NO_DECISION
    return EXIT_DENIED if any(row.worse for row in rows) else EXIT_ALLOWED


def _tasks(builds: Sequence[str], size: int, *, lists: bool = False) -> list[Task]:
    return [Task(builds=tuple(builds[at : at + size]), lists=lists) for at in range(0, len(builds), size)]


def _build_of(path: Path) -> Path:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    return path.parent.parent if path.parent.name == "decisions" else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Builds whose newest decision is replayed, or only listed."""

    builds: tuple[str, ...]
    lists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one decision.

    Attributes:
        decision, build: SHA-256 of it, and its folder.
        now: the verdict that comes out; None where it could not be replayed.
        worse: whether something that passed would be denied or, asked for nothing else, does not reproduce.
        denials: what denies now: rule, package and message.
        differences: what is not as it was stored.
        error: why it could not be replayed.
        told: the lines for a person who asked for this decision alone.
    """

    decision: str
    build: str
    subject: str
    project: str
    time: datetime
    profile: str
    was: str
    now: str | None = None
    worse: bool = False
    denials: tuple[tuple[str, str | None, str], ...] = ()
    differences: tuple[Difference, ...] = ()
    error: str = ""
    told: tuple[str, ...] = ()


class Replayer:
    """Replays decisions, in this process or one of several."""

    def __init__(self, args: argparse.Namespace, env: Environment) -> None:
        self._args = args
        self._env = env
        self._engine: OpenEngine | None = None
        self._bundles: dict[str, PolicyBundle] = {}
        self._material: TrustMaterial | None = None

    def __call__(self, task: Task) -> list[Row]:
        """Do one task; what cannot be replayed is a row that says so."""
        from sbomgate.errors import SbomgateError
        from sbomgate.evidence import layout

        rows: list[Row] = []
        for build in map(Path, task.builds):
            row = None
            try:
                found = layout.read_statements(build)
                if not found:
                    continue  # a writer was killed: nothing was decided there
                row = _row(build, found[0])
                if not task.lists:
                    asks = self._args.policy is not None or self._args.profile is not None
                    record = found[0] if asks else layout.read(build / "decisions" / found[0].id)
                    row = self.replay(build, record)
            except SbomgateError as e:
                row = row or Row(
                    decision="", build=str(build), subject="", project="", time=_NEVER, profile="", was="", error=str(e)
                )
                row = replace(row, error=str(e))
            rows.append(row)
        return rows

    def replay(self, build: Path, record: Statements) -> Row:
        """Replay one decision: again as it was, or by other rules."""
        if self._args.policy is None and self._args.profile is None:
            return self._again(build, record)
        return self._otherwise(build, record)

    def close(self) -> None:
        """Give the engine back."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _again(self, build: Path, record: Statements) -> Row:
        from sbomgate import gate
        from sbomgate import replay as replays
        from sbomgate.evidence.record import Record
        from sbomgate.policy import bundle
        from sbomgate.provenance import shipped
        from sbomgate.trust import NOBODY

        if not isinstance(record, Record):
            raise TypeError("the whole record is needed")
        if self._material is None:
            roots = shipped.load()
            self._material = gate.material_of(NOBODY, roots.trusted_root, roots.registry_keys, updated=roots.collected)
        result = replays.replay(
            record,
            engine=self._open(),
            shipped=self._material,
            shipped_policy=bundle.shipped().sha256,
            declared=_declared(),
        )
        return replace(
            _row(build, record),
            now=record.claimed.verdict.value,
            worse=bool(result.differences),
            differences=result.differences,
            told=tuple(_told(result, record.id)),
        )

    def _otherwise(self, build: Path, record: Statements) -> Row:
        from sbomgate import decision
        from sbomgate import replay as replays
        from sbomgate.evidence import layout
        from sbomgate.model import Level

        said = replays.reevaluate(
            layout.read_material(build, record, decision.POLICY_INPUT),
            self._rules(build, record),
            engine=self._open(),
            declared={} if self._args.policy is None else _declared(),
            profile=self._args.profile,
        )
        row = _row(build, record)
        denials = tuple((f.rule, f.package, f.message) for f in said.findings if f.level is Level.DENY and not f.waived)
        row = replace(
            row,
            now=said.verdict.value,
            worse=(row.was, said.verdict.value) == ("allowed", "denied"),
            denials=denials,
        )
        return replace(row, told=tuple(_would(row, self._args.profile)))

    def _rules(self, build: Path, record: Statements) -> PolicyBundle:
        from sbomgate import decision
        from sbomgate.evidence import layout
        from sbomgate.policy import bundle

        key = "" if self._args.policy is not None else record.claimed.policy
        if key not in self._bundles:
            if self._args.policy is not None:
                self._bundles[key] = bundle.load(_policy.located(self._args.policy, self._env))
            else:
                self._bundles[key] = bundle.from_tar(layout.read_material(build, record, decision.POLICY))
        return self._bundles[key]

    def _open(self) -> OpenEngine:
        if self._engine is None:
            self._engine = _engine.open_engine(self._args, self._env, self._env.working_directory)
        return self._engine


def _declared() -> Declared:
    from sbomgate.policy import parameters
    from sbomgate.resources import path as resource

    return parameters.declared(resource(*parameters.CATALOGUE).read_bytes())


def _row(build: Path, statements: Statements) -> Row:
    claimed = statements.claimed
    workspace = claimed.context.workspace
    return Row(
        decision=statements.id,
        build=str(build),
        subject=claimed.subject.name,
        project=" ".join(part for part in (claimed.project, claimed.project_version, workspace) if part),
        time=claimed.context.evaluated_at,
        profile=claimed.context.profile,
        was=claimed.verdict.value,
    )


def _told(result: Replay, sha256: str) -> Iterator[str]:
    from sbomgate.report.escape import plain

    claimed, context = result.claimed, result.claimed.context
    where = "" if context.workspace is None else f" · workspace {plain(context.workspace)}"
    yield (
        f"{'DIFFERENT' if result.differences else 'REPRODUCED'}  {claimed.verdict.value} · "
        f"{context.evaluated_at:%Y-%m-%d %H:%M:%S} UTC · profile {context.profile}{where} · decision sha256:{sha256}"
    )
    for name, fine in result.steps:
        yield f"  {'same' if fine else 'DIFFERENT':<10}{name}"
    for one in result.differences:
        yield f"  {one.name}: stored {one.stored}, now {one.now}"
        if one.place:
            yield f"    first at {plain(one.place)}"


def _would(row: Row, profile: str | None) -> Iterator[str]:
    from sbomgate.report.escape import plain

    asked = "" if profile is None else f" · profile {row.profile} → {profile}"
    yield (
        f"{'AS BEFORE' if row.now == row.was else f'WOULD BE {(row.now or str()).upper()}'}  {plain(row.project)} · "
        f"{row.time:%Y-%m-%d %H:%M:%S} UTC · was {row.was}{asked} · decision sha256:{row.decision}"
    )
    for rule, package, message in row.denials:
        yield f"  {rule:<20}{plain(package or 'the project')}: {plain(message)}"


def _table(rows: Sequence[Row], *, asks: bool) -> str:
    """Return a line for each build, and a count of the rules that would deny."""
    from collections import Counter

    from sbomgate.report.escape import plain

    words = Counter(_word(row, asks=asks) for row in rows)
    lines = [f"{len(rows)} builds: {', '.join(f'{number} {word}' for word, number in sorted(words.items()))}"]
    width = max([len(_word(row, asks=asks)) for row in rows], default=0)
    shown = {id(row): plain(row.project)[:40] for row in rows}
    project = max([len(text) for text in shown.values()], default=0)
    for row in rows:
        when = "" if row.time == _NEVER else f"{row.time:%Y-%m-%d %H:%M}"
        what = plain(row.error) or ", ".join(sorted({rule for rule, _, _ in row.denials}))
        what = what or ", ".join(one.name for one in row.differences)
        lines.append(
            f"  {_word(row, asks=asks).upper():<{width}}  {when:<16}  {shown[id(row)]:<{project}}  {row.profile:<8}  "
            f"{_short(row)}  {what}".rstrip()
        )
    if by := Counter(rule for row in rows if row.worse for rule in {rule for rule, _, _ in row.denials}):
        told = ", ".join(f"{rule} {number}" for rule, number in sorted(by.items(), key=lambda one: (-one[1], one[0])))
        lines.append(f"  Builds that passed and would be denied, by rule: {told}")
    return "\n".join(lines)


def _short(row: Row) -> str:
    build = Path(row.build)
    return f"{build.parent.name}/{build.name[:12]}…"


def _word(row: Row, *, asks: bool) -> str:
    if row.error:
        return "not replayed"
    if not asks:
        return "different" if row.worse else "reproduced"
    return "as before" if row.now == row.was else f"would be {row.now}"


def _json(rows: Sequence[Row]) -> str:
    from sbomgate.report.escape import document
    from sbomgate.times import format_time

    value = {
        "schema": SCHEMA,
        "builds": [
            {
                "decision": row.decision or None,
                "build": Path(row.build).name,
                "subject": row.subject,
                "project": row.project,
                "time": None if row.time == _NEVER else format_time(row.time),
                "profile": row.profile,
                "was": row.was or None,
                "now": None if row.error else row.now,
                "denials": [
                    {"rule": rule, "package": package, "message": message} for rule, package, message in row.denials
                ],
                "differences": [
                    {"name": one.name, "stored": one.stored, "now": one.now, "place": one.place}
                    for one in row.differences
                ],
                "error": row.error or None,
            }
            for row in rows
        ],
    }
    return document(value)
