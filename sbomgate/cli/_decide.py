"""What `check` and `gate` share: the arguments, and everything from the project's folder to the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.errors import EvidenceError, UsageError

if TYPE_CHECKING:
    import argparse

    import httpx

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.gate import Answer, Question
    from sbomgate.model import (
        BaselineBuild,
        Bootstrap,
        Claimed,
        CollectedFacts,
        Context,
        DependencyGraph,
        FactKey,
        PolicyBundle,
        Subject,
        Trust,
    )
    from sbomgate.policy.engines import EngineSettings, OpenEngine
    from sbomgate.report import Report

DEFAULT_STORE = "evidence"
CONFIG = "sbomgate.toml"
PROFILES = ("observe", "default", "strict", "release")
# How long `check` believes what a registry said before without asking again. `gate` always asks.
WORD_AGE = timedelta(hours=4)
MAX_INPUT_BYTES = 512 << 20  # a facts file or list of malicious packages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that both verbs have."""
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        help="the project's folder, or its lockfile; for check also an SBOM (default: here)",
    )
    parser.add_argument(
        "--trust", metavar="FILE", help="who and what is accepted: FILE, or FILE@sha256:DIGEST inside the tree"
    )
    parser.add_argument(
        "--baseline", metavar="EVIDENCE", help="a store, or one build's evidence, to compare with (default: evidence)"
    )
    parser.add_argument("--facts", metavar="FILE", help="recorded facts, signed by an accepted signer")
    parser.add_argument("--offline", action="store_true", help="use no network: only caches and recorded facts")
    parser.add_argument("--engine", choices=("embedded", "opa"), default="embedded", help="opa: the one on PATH")
    parser.add_argument("--opa-url", metavar="URL", help="evaluate in this OPA server instead")
    parser.add_argument("--policy", metavar="DIR", help="a policy folder or bundle instead of the shipped one")
    parser.add_argument("--json", action="store_true", help="the whole decision as JSON")
    parser.add_argument("--verbose", action="store_true", help="warnings and notes too, and what approves a script")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An answer and what it rests on."""

    project: Project
    question: Question
    answer: Answer


def decide(
    args: argparse.Namespace,
    env: Environment,
    *,
    subject: Subject | None = None,
    profile: str | None = None,
    claims: Mapping[str, Claimed] | None = None,
    store: Path | None = None,
    time_source: str | None = None,
) -> Decided:
    """Read the project and decide.

    Args:
        args: of `add_arguments`.
        env: the surroundings.
        subject: the artefact, for `gate`.
        profile: what the command line asks for.
        claims: repository, commit, environment.
        store: where evidence lies; the default baseline.
        time_source: of the signer, or None where nothing is signed. What is signed believes no cache.
    """
    from sbomgate import config, gate, lockfiles, project
    from sbomgate import trust as trust_file
    from sbomgate.cli._project import open_project
    from sbomgate.model import Context
    from sbomgate.policy import bundle as bundles
    from sbomgate.policy import parameters
    from sbomgate.provenance import shipped
    from sbomgate.resources import path as resource

    signs = time_source is not None
    opened = open_project(args.path, env)
    trust = trust_file.NOBODY
    if args.trust is not None:
        trust = trust_file.load(args.trust, project_root=opened.files.repository)
    settings = config.EMPTY
    if (data := opened.files.read(CONFIG)) is not None:
        settings = config.parse(data, schema=resource(*config.SCHEMA).read_bytes())
    bundle = bundles.load(None if args.policy is None else env.working_directory / args.policy)
    if signs:
        _accepted_policy(bundle, trust, bundles.load(None))
    graph = lockfiles.read(opened.files, opened.lockfile)
    claims = claims or {}
    context = Context(
        evaluated_at=env.now,
        profile=parameters.profile(trust=trust.profile, project=settings.profile, asked=profile),
        lockfile_path=project.path_in_repository(opened.files, graph.lockfile.path),
        repository=claims.get("repository"),
        commit=claims.get("commit"),
        environment=claims.get("environment"),
        subject=subject,
        link=None if subject is None else "asserted",
        time_source=time_source,
    )
    material = shipped.load()
    question = gate.Question(
        context=context,
        trust=trust,
        material=gate.material_of(trust, material.trusted_root, material.registry_keys),
        parameters=parameters.effective(
            parameters.declared(resource(*parameters.CATALOGUE).read_bytes()),
            trust.parameters,
            settings.rules,
            trust_where=args.trust or "trust file",
        ),
        lists=_lists(opened, trust, settings.malicious_lists),
        bundle=bundle,
        baseline=_baseline(args, env, context, graph, trust, store),
        project_files=opened.read_so_far(),
        source_date=env.source_date,
    )
    recorded = _recorded(args, env, trust)

    def collect(graph: DependencyGraph) -> Mapping[FactKey, CollectedFacts]:
        return _collect(graph, args, env, opened, question, recorded, signs=signs)

    with ExitStack() as stack:
        chosen = stack.enter_context(engine(args, env))
        second = None
        if context.profile == "release" and not chosen.ours:
            second = stack.enter_context(_embedded(args, env))
        answer = gate.decide(graph, question, collect=collect, engine=chosen, second=second)
    return Decided(project=opened, question=question, answer=answer)


def report(decided: Decided, *, evidence: str | None = None, decision: str | None = None) -> Report:
    """Return what a person is told."""
    from sbomgate import report as reports
    from sbomgate.model import BaselineBuild
    from sbomgate.policy import bundle as bundles

    baseline, versions = decided.question.baseline, {}
    if isinstance(baseline, BaselineBuild):
        said = f"the build of {baseline.decided_at:%Y-%m-%d %H:%M} UTC (decision sha256:{baseline.evidence[:12]}…)"
        held: dict[str, set[str]] = {}
        for package in baseline.sbom.graph.packages:
            if package.version is not None:
                held.setdefault(package.name, set()).add(package.version)
        versions = {name: frozenset(of) for name, of in held.items()}
    else:
        said = f"nothing (bootstrap): {baseline.reason}"
    engine = decided.answer.engine
    judged = f"OPA {engine.version} {engine.name}"
    if decided.question.bundle.sha256 != bundles.load(None).sha256:
        judged += f" · not the shipped policy: sha256:{decided.question.bundle.sha256}"
    return reports.build(
        decided.answer.evaluation,
        decided.answer.sbom,
        profile=decided.question.context.profile,
        engine=judged,
        baseline=said,
        baseline_versions=versions,
        signers=len(decided.question.trust.signers),
        evidence=evidence,
        decision=decision,
    )


def show(made: Report, args: argparse.Namespace) -> None:
    """Print the report: the result, on stdout."""
    import sys

    from sbomgate.report import json, text

    rendered = json.render(made) if args.json else text.render(made, verbose=args.verbose)
    sys.stdout.buffer.write(rendered.encode("utf-8"))


def exit_code(decided: Decided) -> int:
    """0 allowed, 1 denied."""
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED
    from sbomgate.model import Verdict

    return EXIT_ALLOWED if decided.answer.evaluation.verdict is Verdict.ALLOWED else EXIT_DENIED


def engine(args: argparse.Namespace, env: Environment) -> OpenEngine:
    """Open the engine that was asked for; use it in a `with` statement.

    Raises:
        UsageError: two engines were asked for, or there is no `opa` on PATH.
    """
    from sbomgate.policy import engines

    if args.opa_url is not None and args.engine != engines.DEFAULT:
        raise UsageError("--opa-url and --engine are two engines", hint="give one of them")
    name = args.engine if args.opa_url is None else "opa-url"
    binary = None
    if name == "opa":
        binary = _opa_on_path(env, env.working_directory / getattr(args, "path", "."))
    return engines.open_engine(name, _engine_settings(args, env, binary))


def _opa_on_path(env: Environment, project: Path) -> Path:
    """Return the `opa` on PATH. What the tree under test brings is no engine: `npm run` puts its folder first (P26).

    Raises:
        UsageError: there is none, or the first one lies in the tree under test.
    """
    import os
    import shutil

    from sbomgate.project import find_repository

    # A part that is empty or relative means the working directory, whatever that is.
    parts = [part for part in env.variables.get("PATH", "").split(os.pathsep) if Path(part).is_absolute()]
    found = shutil.which("opa", path=os.pathsep.join(parts)) if parts else None
    hint = "install OPA, or leave the flag out: one is built in"
    if found is None:
        raise UsageError("no `opa` on PATH", where="--engine opa", hint=hint)
    binary = Path(found).resolve()
    tree = (find_repository(project) or project).resolve()
    if tree in binary.parents or "node_modules" in (*binary.parts, *Path(found).parts):
        raise UsageError("the `opa` on PATH lies in the tree under test", where=found, hint=hint)
    return Path(found)


def _engine_settings(args: argparse.Namespace, env: Environment, opa: Path | None) -> EngineSettings:
    from sbomgate.cli._environment import say
    from sbomgate.policy.engines import EngineSettings

    return EngineSettings(
        cache_dir=env.cache / "engine",
        notify=say,
        opa=opa,
        url=args.opa_url,
        token=env.variables.get("SBOMGATE_OPA_TOKEN"),
        ca_file=env.ca_file,
    )


def _embedded(args: argparse.Namespace, env: Environment) -> OpenEngine:
    from sbomgate.policy import engines

    return engines.open_engine(engines.DEFAULT, _engine_settings(args, env, None))


def _accepted_policy(bundle: PolicyBundle, trust: Trust, shipped: PolicyBundle) -> None:
    """Refuse to sign what nobody would accept: the policy must be the shipped one, or one that the trust file names."""
    from sbomgate.errors import PolicyError

    accepted = trust.policy_digests or (shipped.sha256,)
    if bundle.sha256 not in accepted:
        raise PolicyError(
            f"its sha256 is {bundle.sha256}, which the trust file does not accept",
            where="policy",
            hint="name this digest in the trust file's policy_digests, or use the shipped policy",
        )


def _lists(opened: Project, trust: Trust, paths: tuple[str, ...]) -> dict[str, bytes]:
    """Read the lists of malicious packages: the trust file's or else the shipped one, and the project's own."""
    from sbomgate.policy import lists
    from sbomgate.resources import path as resource

    if trust.malicious_lists is None:
        found = {"shipped.csv": resource(*lists.SHIPPED).read_bytes()}
    else:
        found = {f"trust/{name}": data for name, data in trust.malicious_lists.items()}
    for path in paths:
        data = opened.files.read(path)
        if data is None:
            raise UsageError("no such file", where=path, place=f"{CONFIG}: malicious.lists", hint="correct the path")
        found[f"project/{path}"] = data
    return found


def _baseline(
    args: argparse.Namespace,
    env: Environment,
    context: Context,
    graph: DependencyGraph,
    trust: Trust,
    store: Path | None,
) -> BaselineBuild | Bootstrap:
    """Find the last approved build: where the command line says, else in the store."""
    from sbomgate import decision, sbom
    from sbomgate.evidence import baseline as baselines
    from sbomgate.model import BaselineBuild, Bootstrap, Claimed

    path = store if args.baseline is None else env.working_directory / args.baseline
    if path is None or (args.baseline is None and not path.exists()):
        return Bootstrap(reason="no evidence was given, and there is no store yet")
    if not path.exists():
        raise UsageError("no such folder", where=args.baseline, hint="give a store, or one build's evidence")
    if not trust.signers:
        if args.baseline is not None:
            raise UsageError(
                "a baseline is believed only when an accepted signer signed it",
                where="--baseline",
                hint="add --trust FILE",
            )
        return Bootstrap(reason="without a trust file no signer is accepted")
    if context.repository is None and trust.repository is not None:
        # `check` is told no repository; the trust file says which one decisions are about.
        context = replace(context, repository=Claimed(value=trust.repository, source="flag"))
    found = baselines.baseline(path, context, graph.packages[0].name, signers=trust.signers, now=env.now)
    if found.evidence is None:
        if args.baseline is not None and found.disregarded:
            raise EvidenceError(
                f"{found.disregarded} decisions, and none is by an accepted signer about this project",
                where=args.baseline,
                hint="was the project renamed? On a first run leave --baseline out",
            )
        return Bootstrap(reason=found.reason)
    record = found.evidence.record
    return BaselineBuild(
        sbom=sbom.read(record.blobs[decision.SBOM]), evidence=record.id, decided_at=found.evidence.time
    )


def _recorded(args: argparse.Namespace, env: Environment, trust: Trust) -> Mapping[FactKey, CollectedFacts]:
    """Read the recorded facts; those that nobody accepted has signed are not believed (P14)."""
    if args.facts is None:
        return {}
    from sbomgate import facts, files
    from sbomgate.cli._environment import say
    from sbomgate.errors import InputError
    from sbomgate.signing.verify import NotAccepted, verify

    data = files.read(env.working_directory / args.facts, limit=MAX_INPUT_BYTES, error=InputError)
    found = verify(data, trust.signers, role="facts", where=args.facts)
    if isinstance(found, NotAccepted):
        say(f"warning: {args.facts}: {found.reason}: its facts count as unknown")
        from sbomgate import dsse

        payload = dsse.read_bundle(data, args.facts).payload
        stated = facts.unsigned(facts.read_statement(payload, where=args.facts))
        return stated if args.offline else {}  # it may leave out what the registry would show
    return facts.recorded(facts.read_statement(found.payload, where=args.facts))


def _collect(
    graph: DependencyGraph,
    args: argparse.Namespace,
    env: Environment,
    opened: Project,
    question: Question,
    recorded: Mapping[FactKey, CollectedFacts],
    *,
    signs: bool,
) -> Mapping[FactKey, CollectedFacts]:
    """Collect the facts: recorded, then on this machine, then from the network."""
    from urllib.parse import urlsplit

    from sbomgate.facts import key_of
    from sbomgate.model import BaselineBuild
    from sbomgate.npm import auth
    from sbomgate.npm.cache import FactCache
    from sbomgate.npm.collect import Sources, collect
    from sbomgate.npm.wanted import wanted

    trust, baseline = question.trust, question.baseline

    user = env.home / ".npmrc"
    credentials = auth.read(
        project=(opened.files.read(".npmrc") or b"").decode("utf-8", "replace"),
        user=user.read_text("utf-8", "replace") if user.is_file() else "",
        environment=env.variables,
        project_hosts={host for one in trust.registries if (host := urlsplit(one.url).netloc)},
    )

    def client() -> httpx.AsyncClient:
        from sbomgate.npm.registry import open_client

        return open_client(ca_file=None if env.ca_file is None else str(env.ca_file), proxy=env.https_proxy)

    with ExitStack() as stack:
        cache = stack.enter_context(FactCache(env.cache / "facts"))
        sources = Sources(
            now=env.now,
            offline=args.offline,
            recorded=recorded,
            cache=cache,
            npm_cache=env.npm_cache,
            credentials=credentials,
            client=None if args.offline else client,
            word_age=timedelta(0) if signs else WORD_AGE,
            trust_cache=not signs,
        )
        approved = {key_of(p) for p in baseline.sbom.graph.packages} if isinstance(baseline, BaselineBuild) else None
        asked = wanted(graph, first_party=trust.first_party, approved=approved)
        return collect(asked, sources=sources, progress=_progress())


def _progress() -> Callable[[int, int], None] | None:
    """Return a progress line for a terminal, or None where stderr is none."""
    import sys

    if not sys.stderr.isatty():
        return None

    def show(done: int, all_: int) -> None:
        end = "\r" if done < all_ else "\n"
        print(f"\rfacts: {done} of {all_} packages", end=end if all_ else "", file=sys.stderr, flush=True)

    return show
