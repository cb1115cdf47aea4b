"""`inventory sweep`: what a list of malicious packages, or a new policy, hits; what to go back to; superseding it."""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sbomgate.cli import _inventory
from sbomgate.cli._inventory_find import artefact_columns, cell, chain, count, hit_columns, line
from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Record
    from sbomgate.inventory.answers import Artefact
    from sbomgate.inventory.sweep import Affected, Judge
    from sbomgate.model import PolicyBundle

    Running = Mapping[str, Sequence[str]]

FEED = "sweep/feed.csv"  # what the list is called in the evidence that supersedes
NOTIFY_SECONDS = 60  # what a webhook's client waits for an answer
SHOWN = 8  # builds of one project, and packages that going back changes, in text; all are counted, JSON has all


def sweep(args: argparse.Namespace, env: Environment) -> int:
    """Print what is hit; sign FAILED decisions where that is asked for."""
    from sbomgate.errors import UsageError
    from sbomgate.inventory import answers
    from sbomgate.inventory import sweep as sweeps

    if args.supersede and (args.trust is None or args.signer is None):
        raise UsageError("signs decisions", where="--supersede", hint="add --trust FILE and --key FILE, as for `gate`")
    lists = {} if args.feed is None else _feed(args.feed, env)
    with _inventory.asking(args, env) as (inventory, engine):

        def question(engine: Any) -> tuple[tuple[Affected, ...], Running]:
            artefacts = answers.builds(engine)
            running = _inventory.running_now(inventory, artefacts.values(), env.now)
            if args.feed is None:
                with ExitStack() as stack:
                    failing = _failing(artefacts.values(), args, env, stack)
                return sweeps.failing(engine, failing), running
            return sweeps.sweep(engine, _names(lists[FEED]), _judge(lists[FEED])), running

        found, running = inventory.ask(engine, question)
    rendered = {"text": _text, "json": _json, "markdown": _markdown, "csv": _csv}[args.format](found, running)
    _write(rendered)
    left = any(_open(artefact, running) for one in found for artefact, _ in one.artefacts)
    if args.incident is not None and found:
        _incident(found, running, lists, args, env)
    if args.notify is not None and left:
        _notify(args.notify, _json(found, running), env)
    if args.supersede:
        _supersede(found, lists, args, env)
    return EXIT_DENIED if left else EXIT_ALLOWED


def _open(artefact: Artefact, running: Running) -> bool:
    """Whether something is left to do about a build that is hit: nobody refuses it yet, or it runs."""
    return artefact.build["verdict"] != "denied" or bool(_where(artefact, running))


def _write(text: str) -> None:
    import sys

    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _feed(paths: Sequence[str], env: Environment) -> dict[str, bytes]:
    """Return the feeds as one sealed list, by the name that it has in evidence."""
    from sbomgate import files
    from sbomgate.cli._environment import say
    from sbomgate.errors import InputError
    from sbomgate.policy import feed

    made = feed.read(
        {path: files.read(env.working_directory / path, limit=feed.MAX_FEED_BYTES, error=InputError) for path in paths}
    )
    for why, number in made.skipped.items():
        say(f"left out: {number:,} {why}")
    if not made.lines:
        raise InputError(
            "no malicious package of npm is named",
            where=", ".join(paths),
            hint="`sbomgate feed import` says what counts",
        )
    say(f"{made.names:,} names, {made.lines:,} lines")
    return {FEED: made.data}


def _names(data: bytes) -> list[str]:
    lines = data.decode().split("\n")
    return sorted({line.partition(",")[0] for line in lines[1:] if line and not line.startswith("#sealed,")})


def _judge(data: bytes) -> Judge:
    """Return what says which versions a list names: the same code that denies them in `gate`."""
    from sbomgate.policy import lists

    held = lists.load(data, name="feed", where=FEED)

    def judge(pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Sequence[str]]:
        return {pair: ids for pair in pairs if (ids := lists.ids(*pair, [held]))}

    return judge


# --------------------------------------------------------------------------------------------------------------------
# By a new policy


def _failing(
    artefacts: Any, args: argparse.Namespace, env: Environment, stack: ExitStack
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return, for each artefact that passed and would not any more, what denies it: `rule: package`, sorted."""
    from sbomgate import gate
    from sbomgate.cli import _decide
    from sbomgate.cli._environment import say
    from sbomgate.model import Level
    from sbomgate.policy import bundle as bundles
    from sbomgate.policy import parameters
    from sbomgate.policy.engines.embedded import EmbeddedEngine
    from sbomgate.resources import path as resource

    bundle: PolicyBundle = bundles.load(env.working_directory / args.policy)
    _decide.check_policy(bundle, env)
    defaults = parameters.effective(parameters.declared(resource(*parameters.CATALOGUE).read_bytes()), {}, {})
    engine = stack.enter_context(EmbeddedEngine(env.cache / "engine", say))
    found = {}
    without = 0
    for artefact in sorted(artefacts, key=lambda one: one.identity):
        if artefact.build["evidence"] is None:
            without += 1
            continue
        if artefact.build["verdict"] != "allowed":
            continue
        record = _record(artefact, args, env)
        evaluation = gate.judge_again(record, bundle, defaults, engine=engine)
        denials = {
            f"{finding.rule}: {finding.package or 'the project'}"
            for finding in evaluation.findings
            if finding.level is Level.DENY and not finding.waived
        }
        if denials:
            found[artefact.identity] = tuple(sorted(denials))
    if without:
        say(f"note: {without:,} SBOMs on their own hold nothing that a policy could judge")
    return found


def _record(artefact: Artefact, args: argparse.Namespace, env: Environment) -> Record:
    """Return the evidence of an artefact's newest decision, every byte of it hashed again."""
    from sbomgate.cli._decide import DEFAULT_STORE
    from sbomgate.errors import EvidenceError
    from sbomgate.evidence import layout
    from sbomgate.model import Subject, SubjectKind
    from sbomgate.subject import build_manifest

    build = artefact.build
    kind, _, name = build["subject"].partition(":")
    algorithm, _, digest = build["digest"].partition(":")
    subject = Subject(kind=SubjectKind(kind), name=name, digest={algorithm: digest})
    store: Path = env.working_directory / (args.store or DEFAULT_STORE)
    at = layout.folder(store, build_manifest(subject).sha256) / "decisions" / build["evidence"]
    if not at.is_dir():
        raise EvidenceError(
            f"the evidence of {build['project']} is not in this store",
            where=str(at),
            hint="give the store with --store",
        )
    return layout.read(at)


# --------------------------------------------------------------------------------------------------------------------
# Telling somebody


def _incident(
    found: Sequence[Affected], running: Running, lists: Mapping[str, bytes], args: argparse.Namespace, env: Environment
) -> None:
    """Write the incident as an in-toto statement about the artefacts, and where something signs, its signature."""
    import hashlib

    from sbomgate import dsse
    from sbomgate import trust as trust_file
    from sbomgate.cli import _signing
    from sbomgate.cli._environment import emit, say
    from sbomgate.inventory import incident
    from sbomgate.policy import bundle as bundles

    about = incident.predicate(
        found,
        running,
        lists={name: hashlib.sha256(data).hexdigest() for name, data in lists.items()},
        policy=None if args.policy is None else bundles.load(env.working_directory / args.policy).sha256,
        now=env.now,
    )
    subjects = set()
    for artefact in (artefact for one in found for artefact, _ in one.artefacts):
        algorithm, _, digest = (artefact.build["digest"] or f"sha256:{artefact.build['sbom']}").partition(":")
        subjects.add((artefact.build["subject"] or artefact.build["lockfile"], algorithm, digest))
    statement = dsse.statement(
        [(name, {algorithm: digest}) for name, algorithm, digest in sorted(subjects)], incident.PREDICATE_TYPE, about
    )
    signed = None
    if args.signer is not None:
        trust = trust_file.NOBODY if args.trust is None else trust_file.load(args.trust, project_root=None)
        with ExitStack() as stack:
            signed = _signing.open_signer(args, env, trust, stack).sign(statement)
    emit(statement, args.incident, env)
    say(f"incident: {args.incident}")
    if signed is not None:
        emit(signed, f"{args.incident}.sigstore.json", env)
        say(f"signed: {args.incident}.sigstore.json")


def _notify(command: str, text: str, env: Environment) -> None:
    """Run a command with the result on its stdin, and wait for it.

    Raises:
        UsageError: it is none, or fails: somebody who should know may not.
    """
    import shlex
    import subprocess

    from sbomgate.errors import UsageError

    try:
        words = shlex.split(command)
        done = subprocess.run(
            words,
            input=text.encode(),
            cwd=env.working_directory,
            stdout=subprocess.DEVNULL,
            timeout=NOTIFY_SECONDS,
            check=False,
        )
    except (ValueError, IndexError, OSError, subprocess.TimeoutExpired) as e:
        raise UsageError(f"could not be run: {e}", where="--notify", hint="name a program and its arguments") from e
    if done.returncode != 0:
        raise UsageError(f"ended with {done.returncode}: nobody may have been told", where="--notify")


# --------------------------------------------------------------------------------------------------------------------
# Superseding


def _supersede(
    found: Sequence[Affected], lists: Mapping[str, bytes], args: argparse.Namespace, env: Environment
) -> None:
    """Decide again about each build that is hit and had passed, by the list too, and sign what comes out: FAILED."""
    from dataclasses import replace

    from sbomgate import __version__, gate
    from sbomgate import trust as trust_file
    from sbomgate.cli import _decide, _inventory_add, _signing
    from sbomgate.cli._environment import say
    from sbomgate.errors import EvidenceError, PolicyError, SbomgateError, UsageError
    from sbomgate.model import Verdict
    from sbomgate.policy import bundle as bundles
    from sbomgate.policy.engines.embedded import EmbeddedEngine
    from sbomgate.provenance import shipped

    trust = trust_file.load(args.trust, project_root=None)
    store = env.working_directory / (args.store or _decide.DEFAULT_STORE)
    inventory = _inventory.folder(args, env)
    material = shipped.load()
    policy = None if args.policy is None else bundles.load(env.working_directory / args.policy)
    signed = failed = 0
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, trust, stack)
        engine = stack.enter_context(EmbeddedEngine(env.cache / "engine", say))
        for artefact in (one for affected in found for one, _ in affected.artefacts):
            build = artefact.build
            if build["evidence"] is None or build["verdict"] != "allowed" or build["profile"] == "observe":
                continue
            try:
                record = _record(artefact, args, env)
                if env.now < record.claimed_time:  # (P19) the older decision would lose
                    raise UsageError(
                        f"was decided at {record.claimed_time.isoformat()}, which is after now",
                        hint="correct the clock of this machine",
                    )
                _, before = gate.stored(record)
                question = replace(
                    before,
                    context=replace(before.context, evaluated_at=env.now, time_source=signer.time_source),
                    trust=trust,
                    material=gate.material_of(
                        trust, material.trusted_root, material.registry_keys, updated=material.collected
                    ),
                    lists={**before.lists, **_decide.trusted_lists(trust), **lists},
                    bundle=policy or before.bundle,
                    ledger=record.blobs.get(gate.LEDGER),
                    sbomgate=__version__,
                )
                answer = gate.decide_again(record, question, engine=engine)
                if answer.evaluation.verdict is not Verdict.DENIED:
                    raise PolicyError("the policy that it was decided by does not deny it", where=build["project"])
                made = gate.unsigned(answer, question, signer=signer)
                stored = _signing.sign_and_store(made, trust, signer, store)
            except SbomgateError as e:  # one that cannot be superseded stops none of the others
                say(f"error: {build['project']}: {e}")
                failed += 1
                continue
            signed += 1
            say(f"superseded: {build['project']} · FAILED · decision sha256:{stored.id}")
            _inventory_add.after_gate(inventory, stored, trust)
    say(f"{signed:,} decisions signed")
    if failed:
        raise EvidenceError(f"{failed:,} builds could not be superseded: `verify` may still accept them")


# --------------------------------------------------------------------------------------------------------------------
# Words


def _where(artefact: Artefact, running: Running) -> Sequence[str]:
    return running.get(artefact.build["digest"] or "", ())


def _total(found: Sequence[Affected]) -> tuple[int, int]:
    builds = sum(len(one.artefacts) for one in found)
    return builds, len(found)


def _text(found: Sequence[Affected], running: Running) -> str:
    return "\n".join(_text_lines(found, running)) + "\n"


def _text_lines(found: Sequence[Affected], running: Running) -> Iterator[str]:
    from sbomgate.report.escape import plain

    if not found:
        yield "no build is hit"
        return
    builds, projects = _total(found)
    left = sum(_open(artefact, running) for one in found for artefact, _ in one.artefacts)
    done = "" if left == builds else f", {builds - left:,} of them FAILED already and run nowhere that was told"
    yield f"HIT  {count(builds, 'build')} of {count(projects, 'project')}{done}"
    for one in found:
        yield ""
        yield f"  {plain(one.since.build['project'])}"
        deployed = sorted({place for artefact, _ in one.artefacts for place in _where(artefact, running)})
        yield f"    runs now   {plain(', '.join(deployed)) if deployed else 'nowhere that was told'}"
        yield f"    since      {_when(one.since)}"
        seen = set()
        for _, held in one.artefacts:
            for hit, ids in held:
                key = (hit.package["name"], hit.package["version"])
                if key not in seen:
                    seen.add(key)
                    package = plain(f"{hit.package['name']} {hit.package['version'] or ''}".strip())
                    yield f"    holds      {package}  {plain(', '.join(ids))}"
                    yield f"               {chain(hit)}"
        for reason in one.reasons:
            yield f"    denied by  {plain(reason)}"
        yield from _going_back(one, running)
        for artefact, _ in one.artefacts[:SHOWN]:
            yield f"    build      {line(artefact, running)}"
        if len(one.artefacts) > SHOWN:
            yield f"               and {len(one.artefacts) - SHOWN:,} more (--format json)"


def _going_back(one: Affected, running: Running) -> Iterator[str]:
    from sbomgate.report.escape import plain

    if one.last_good is None:
        yield "    last good  none is known: fix it, and gate it again"
        return
    newer = " (newer than all of them: it is fixed already)" if one.newer_good else ""
    yield f"    last good  {line(one.last_good, running)}{newer}"
    for change in one.changes[:SHOWN]:
        now, then = " ".join(change.now) or "(not there)", " ".join(change.then) or "(not there)"
        yield f"               {plain(change.name)}: {plain(now)} → {plain(then)}"
    if len(one.changes) > SHOWN:
        yield f"               and {len(one.changes) - SHOWN:,} more packages (--format json)"


def _when(artefact: Artefact) -> str:
    time = artefact.first or artefact.build["decided"]
    return "nobody said when" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def _json(found: Sequence[Affected], running: Running) -> str:
    import orjson

    value = {
        "schema": "sbomgate/inventory-sweep/v1",
        "affected": [
            {
                "project": one.since.build["project"],
                "since": artefact_columns(one.since, running)["first_decided"],
                "running_in": sorted({place for artefact, _ in one.artefacts for place in _where(artefact, running)}),
                "builds": [
                    {
                        **artefact_columns(artefact, running),
                        "hits": [{**hit_columns(hit), "ids": list(ids)} for hit, ids in held],
                    }
                    for artefact, held in one.artefacts
                ],
                "denied_by": list(one.reasons),
                "last_good": None if one.last_good is None else artefact_columns(one.last_good, running),
                "newer_good": one.newer_good,
                "changes": [
                    {"name": change.name, "now": list(change.now), "then": list(change.then)} for change in one.changes
                ],
            }
            for one in found
        ],
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _markdown(found: Sequence[Affected], running: Running) -> str:
    from sbomgate.report.diff_markdown import code

    if not found:
        return "### No build is hit\n"
    builds, projects = _total(found)
    lines = [
        f"### Hit: {count(builds, 'build')} of {count(projects, 'project')}",
        "",
        "| project | holds | since | runs now | builds | last good |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        held = sorted(
            {f"{hit.package['name']}@{hit.package['version'] or ''}" for _, hits in one.artefacts for hit, _ in hits}
        )
        deployed = sorted({place for artefact, _ in one.artefacts for place in _where(artefact, running)})
        good = "none" if one.last_good is None else code(line(one.last_good, running))
        cells = [
            code(one.since.build["project"]),
            "<br>".join(code(text) for text in [*held, *one.reasons]),
            _when(one.since),
            "<br>".join(map(code, deployed)) or "nowhere that was told",
            f"{len(one.artefacts):,}",
            good,
        ]
        # A bar ends a cell even in a code span.
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    return "\n".join(lines) + "\n"


def _csv(found: Sequence[Affected], running: Running) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "project",
            "workspace",
            "artefact",
            "decided",
            "verdict",
            "running_in",
            "package",
            "version",
            "ids",
            "evidence",
        ]
    )
    for one in found:
        for artefact, held in one.artefacts:
            build = artefact.build
            about = [
                cell(build["project"]),
                cell(build["workspace"] or ""),
                build["digest"] or "",
                "" if build["decided"] is None else f"{build['decided']:%Y-%m-%dT%H:%M:%SZ}",
                build["verdict"] or "",
                cell(" ".join(_where(artefact, running))),
            ]
            for hit, ids in held:
                name, version = cell(hit.package["name"]), cell(hit.package["version"] or "")
                writer.writerow([*about, name, version, cell(" ".join(ids)), build["evidence"] or build["sbom"]])
            if not held:
                writer.writerow([*about, "", "", cell("; ".join(one.reasons)), build["evidence"] or build["sbom"]])
    return text.getvalue()
