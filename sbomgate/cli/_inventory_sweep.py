"""`inventory sweep`: what a list of malicious packages, or a new policy, hits; what to go back to; telling somebody."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from sbomgate.cli import _inventory, _policy
from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.errors import SbomgateError
    from sbomgate.inventory.knowledge import Knowledge
    from sbomgate.inventory.sweep import Affected, Judge, Running
    from sbomgate.model import PolicyBundle


FEED = "sweep/feed.csv"  # what the list is called in the evidence that supersedes


def sweep(args: argparse.Namespace, env: Environment) -> int:
    """Print what is hit; sign FAILED decisions where that is asked for."""
    from sbomgate.cli import _inventory_supersede, _inventory_words, _notify
    from sbomgate.cli._environment import say
    from sbomgate.errors import UsageError
    from sbomgate.inventory import answers, knowledge
    from sbomgate.inventory import sweep as sweeps

    if args.supersede and (args.trust is None or args.signer is None):
        raise UsageError("signs decisions", where="--supersede", hint="add --trust FILE and --key FILE, as for `gate`")
    if args.supersede:
        _inventory.folder(args, env)  # what is signed is added to it: it is written
    if args.notify is not None:
        _notify.check(args.notify, args.notify_token, env)
    lists = {} if args.feed is None else _feed(args.feed, env)
    with _inventory.asking(args, env) as (inventory, engine):

        def question(engine: Any) -> tuple[tuple[Affected, ...], Running]:
            running = _inventory.running_now(inventory, engine, env.now)
            if args.feed is None:
                with ExitStack() as stack:
                    failing = _failing(answers.builds(engine).values(), args, env, stack)
                return sweeps.failing(engine, failing), running
            return sweeps.sweep(engine, _names(lists[FEED]), _judge(lists[FEED])), running

        found, running = inventory.ask(engine, question)
        known = knowledge.of(inventory, now=env.now)
    as_of = _inventory.as_of(known, env.now)
    if args.format == "json":
        _write(_inventory_words.to_json(found, running, known))
    else:
        _write(_inventory_words.RENDERINGS[args.format](found, running, as_of))
    if args.format in ("csv", "sarif"):  # which have no place for it
        for line in as_of:
            say(line)
    left = any(sweeps.is_open(artefact, running) for one in found for artefact, _ in one.artefacts)
    # Each is done whatever becomes of the others: the result is written, and one that fails is said and exit code 2.
    failed: list[SbomgateError] = []
    with _collecting(failed):
        if args.supersede:
            _inventory_supersede.supersede(found, lists, args, env)
    with _collecting(failed):
        if args.incident is not None and found:
            _incident(found, running, known, lists, args, env)
    with _collecting(failed):
        if args.notify is not None and left:
            body = _inventory_words.to_json(found, running, known)
            _notify.notify(args.notify, args.notify_token, body, env)
    if failed:
        for error in failed[:-1]:
            say(f"error: {error}")
        raise failed[-1]
    return EXIT_DENIED if left else EXIT_ALLOWED


@contextmanager
def _collecting(failed: list[SbomgateError]) -> Iterator[None]:
    from sbomgate.errors import SbomgateError

    try:
        yield
    except SbomgateError as e:
        failed.append(e)


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
    from sbomgate import decision, replay
    from sbomgate.cli import _decide, _inventory_supersede
    from sbomgate.cli._environment import say
    from sbomgate.model import Level
    from sbomgate.policy import bundle as bundles
    from sbomgate.policy import parameters
    from sbomgate.policy.engines.embedded import EmbeddedEngine
    from sbomgate.resources import path as resource

    bundle: PolicyBundle = bundles.load(_policy.located(args.policy, env))
    _decide.check_policy(bundle, env)
    declared = parameters.declared(resource(*parameters.CATALOGUE).read_bytes())
    engine = stack.enter_context(EmbeddedEngine(env.cache / "engine", say))
    found = {}
    without = 0
    for artefact in sorted(artefacts, key=lambda one: one.identity):
        if artefact.build["evidence"] is None:
            without += 1
            continue
        if artefact.build["verdict"] != "allowed":
            continue
        record = _inventory_supersede.record_of(artefact, args, env)
        asked = record.blobs[decision.POLICY_INPUT]
        evaluation = replay.reevaluate(asked, bundle, engine=engine, declared=declared)
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


# --------------------------------------------------------------------------------------------------------------------
# Telling somebody


def _incident(
    found: Sequence[Affected],
    running: Running,
    known: Knowledge,
    lists: Mapping[str, bytes],
    args: argparse.Namespace,
    env: Environment,
) -> None:
    """Write the incident as an in-toto statement about the artefacts, and where something signs, its signature."""
    import hashlib

    from sbomgate import dsse
    from sbomgate import trust as trust_file
    from sbomgate.cli import _checklist, _signing
    from sbomgate.cli._environment import emit, say
    from sbomgate.inventory import incident
    from sbomgate.policy import bundle as bundles
    from sbomgate.report import checklist_json

    rollback = _checklist.of_sweep(found, running, args, env)
    about = incident.predicate(
        found,
        running,
        lists={name: hashlib.sha256(data).hexdigest() for name, data in lists.items()},
        policy=None if args.policy is None else bundles.load(_policy.located(args.policy, env)).sha256,
        now=env.now,
        as_of=known.columns(),
        rollback=checklist_json.document(rollback),
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
    if args.incident != "-":
        _checklist.write(rollback, f"{args.incident}.checklist.md", env)
        say(f"what is left to do: {args.incident}.checklist.md")
    if signed is not None:
        emit(signed, f"{args.incident}.sigstore.json", env)
        say(f"signed: {args.incident}.sigstore.json")
