"""What `check` and `gate` share: the arguments, and everything from the project's folder to the answers.

read      the project's files, each once; what is to be judged: the whole lockfile, or workspaces of it
judging   all that the decisions share: the policy, the facts about all packages, collected and verified once
decide    one decision on one of the parts
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.cli import _engine, _policy
from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._baseline import Found, Lookup
    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.config import Config
    from sbomgate.gate import Answer, Gathered, Question
    from sbomgate.model import (
        Authors,
        BaselineBuild,
        Bootstrap,
        Claimed,
        CollectedFacts,
        Context,
        DependencyGraph,
        Engine,
        FactKey,
        PolicyBundle,
        Subject,
        Trust,
    )
    from sbomgate.npm.wanted import Measured

DEFAULT_STORE = "evidence"
CONFIG = "sbomgate.toml"
PROFILES = ("observe", "default", "strict", "release")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a project is judged by."""
    parser.add_argument(
        "--trust", metavar="FILE", help="who and what is accepted: FILE, or FILE@sha256:DIGEST inside the tree"
    )
    parser.add_argument(
        "--baseline",
        metavar="EVIDENCE",
        help="a store, or one build's evidence, to compare with (default: evidence); or oci:HOST/REPO@sha256:DIGEST, "
        "an image or build manifest in a registry",
    )
    parser.add_argument("--facts", metavar="FILE", help="recorded facts, signed by an accepted signer")
    parser.add_argument("--offline", action="store_true", help="no network for facts: only caches and recorded ones")
    _engine.add_arguments(parser)
    parser.add_argument(
        "--policy",
        metavar="DIR",
        help="own rules besides the shipped ones, or a whole policy instead: a folder, a .tar.gz, or"
        " oci:HOST/REPO@sha256:DIGEST",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A project as it was read: nothing is known yet of its packages.

    Attributes:
        project: its folder and files.
        whole: everything that the lockfile holds.
        parts: what is judged, one decision each: the whole lockfile, or workspaces in the order in which they were
            asked for.
        trust: the trust file, or nobody.
        settings: of the project's own sbomgate.toml.
        bundle: the policy.
    """

    project: Project
    whole: DependencyGraph
    parts: tuple[DependencyGraph, ...]
    trust: Trust
    settings: Config
    bundle: PolicyBundle


def read(
    args: argparse.Namespace, env: Environment, path: str, workspaces: Sequence[str] | None, *, signs: bool = False
) -> Tree:
    """Read the project.

    Args:
        args: of `add_arguments`.
        env: the surroundings.
        path: the project's folder, or its lockfile.
        workspaces: names of those that are judged, none for every one; None for the whole lockfile.
        signs: whether the decisions will be signed: then the policy must be an accepted one.
    """
    from sbomgate import config, lockfiles, project
    from sbomgate import trust as trust_file
    from sbomgate.cli._project import open_project, parts
    from sbomgate.model import SBOM_KIND
    from sbomgate.policy import bundle as bundles
    from sbomgate.resources import path as resource

    opened = open_project(path, env)
    trust = trust_file.NOBODY
    if args.trust is not None:
        trust = trust_file.load(args.trust, project_root=opened.files.repository)
    settings = config.EMPTY
    if (data := opened.files.read(CONFIG)) is not None:
        settings = config.parse(data, schema=resource(*config.SCHEMA).read_bytes())
    policy = None if args.policy is None else _policy.located(args.policy, env)
    bundle = bundles.shipped() if policy is None else bundles.load(policy)
    if policy is not None:
        check_policy(bundle, env)
        _signed_policy(bundle, trust, policy)
    if signs:
        _accepted_policy(bundle, trust, bundles.shipped())
    graph = lockfiles.read(opened.files, opened.lockfile)
    if graph.lockfile.kind != SBOM_KIND:  # an SBOM may lie anywhere
        graph = lockfiles.note_others(graph, *project.find(opened.files, lockfiles.NAMES))
        graph = lockfiles.note_committed(graph, _committed(opened, lockfiles.unjudged_folders(graph)))
    return Tree(
        project=opened,
        whole=graph,
        parts=parts(opened, graph, workspaces),
        trust=trust,
        settings=settings,
        bundle=bundle,
    )


def _committed(opened: Project, folders: Sequence[str]) -> dict[str, str]:
    """Return those of these folders of the project that hold files of the repository, with a digest of them."""
    from sbomgate.cli import _worktree
    from sbomgate.project import path_in_repository

    found = {path_in_repository(opened.files, one): one for one in folders}
    held = _worktree.tracked(opened.files.repository, found)
    return {found[path]: digest for path, digest in held.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An answer and what it rests on."""

    question: Question
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """All that the decisions on one project share; `question` lacks what each has of its own.

    `authors` tells who made the change since a baseline.
    """

    question: Question
    gathered: Gathered
    baselines: Lookup
    authors: Callable[[BaselineBuild | Bootstrap], Authors]
    engine: Engine
    second: Engine | None

    def decide(
        self, part: DependencyGraph, subject: Subject | None = None, ties: Mapping[str, bytes] | None = None
    ) -> Decided:
        """Decide about one part of the project, the artefact that was made of it, and what ties the two together."""
        from sbomgate import gate

        gate.prepare(self.question.bundle, self.engine)
        context = replace(
            self.question.context,
            workspace=part.workspace,
            subject=subject,
        )
        baseline, ledger = self.baselines(context, part)
        gathered = self.gathered
        if gathered.people.signed:  # only then does it matter who made the change
            people = replace(gathered.people, authors=self.authors(baseline))
            gathered = replace(gathered, people=people)
        question = replace(self.question, context=context, baseline=baseline, ledger=ledger, ties=ties or {})
        question = gate.tie(part, question)
        answer = gate.decide(part, gathered, question, engine=self.engine, second=self.second)
        return Decided(question=question, answer=answer)


@contextmanager
def judging(
    tree: Tree,
    args: argparse.Namespace,
    env: Environment,
    *,
    profile: str | None = None,
    claims: Mapping[str, Claimed] | None = None,
    store: Path | None = None,
    time_source: str | None = None,
    keep: Callable[[str, bytes], None] | None = None,
) -> Iterator[Judge]:
    """Prepare the decisions: open the engine, collect the facts about the packages of all parts, and verify them.

    Args:
        tree: of `read`.
        args: of `add_arguments`.
        env: the surroundings.
        profile: what the command line asks for.
        claims: repository, commit, environment.
        store: where evidence lies; the default baseline.
        time_source: of the signer, or None where nothing is signed. What is signed believes no cache.
        keep: gets the tarballs that come from the network, by SHA-512.
    """
    from sbomgate import gate, project
    from sbomgate.cli import _approvals, _authors, _facts, _ran, _sbom
    from sbomgate.cli._baseline import open_baselines
    from sbomgate.cli._project import together
    from sbomgate.model import Bootstrap, Claimed, Context
    from sbomgate.policy import parameters
    from sbomgate.provenance import shipped
    from sbomgate.resources import path as resource

    trust, opened = tree.trust, tree.project
    claims = dict(claims or {})
    if time_source is None and trust.repository is not None:
        # Who signs says which repository it was built from; else the trust file says which one it is about.
        claims.setdefault("repository", Claimed(value=trust.repository, source="flag"))
    context = Context(
        evaluated_at=env.now,
        profile=parameters.profile(trust=trust.profile, project=tree.settings.profile, asked=profile),
        lockfile_path=project.path_in_repository(opened.files, tree.parts[0].lockfile.path),
        repository=claims.get("repository"),
        commit=claims.get("commit"),
        environment=claims.get("environment"),
        time_source=time_source,
        ran=_ran.where(env),
    )
    material = shipped.load()
    question = gate.Question(
        context=context,
        trust=trust,
        material=gate.material_of(trust, material.trusted_root, material.registry_keys, updated=material.collected),
        parameters=parameters.effective(
            parameters.declared(resource(*parameters.CATALOGUE).read_bytes()),
            trust.parameters,
            tree.settings.rules,
            trust_where=args.trust or "trust file",
            trust_text=trust.data.decode(),
            project_text=tree.settings.text,
        ),
        lists=_lists(opened, trust, tree.settings.malicious_lists),
        bundle=tree.bundle,
        baseline=Bootstrap(reason="not looked for yet"),
        project_files=opened.read_so_far(),
        approvals=_approvals.read(opened.files),
        source_date=_sbom.source_date(env, opened),
        parties=_sbom.parties(tree.settings),
    )
    baselines = _once(open_baselines(args, env, trust, store))
    measured = _measured(tree.parts, context, baselines)
    known = _facts.recorded(args.facts, env, trust, offline=args.offline)

    def collect(graph: DependencyGraph, doubted: Collection[FactKey] = ()) -> Mapping[FactKey, CollectedFacts]:
        signs = time_source is not None
        offline = args.offline
        return _facts.collect(
            graph, env, opened, trust, known, measured, offline=offline, signs=signs, keep=keep, doubted=doubted
        )

    with ExitStack() as stack:
        engine = stack.enter_context(_engine.open_engine(args, env, opened.root))
        second = None
        if context.profile == "release" and not engine.ours:
            second = stack.enter_context(_engine.embedded(args, env))
        gate.prepare(tree.bundle, engine)  # compiles while the network is waited for
        yield Judge(
            question=question,
            gathered=gate.gather(
                together(tree.parts), question, collect=collect, again=None if args.offline else collect
            ),
            baselines=baselines,
            authors=lambda baseline: _authors.of_change(opened, env, trust, baseline, offline=args.offline),
            engine=engine,
            second=second,
        )


def _once(lookup: Lookup) -> Lookup:
    """Return a lookup that reads the baseline of each part once: it is needed for the facts, and for the decision."""
    found: dict[str | None, Found] = {}

    def look(context: Context, part: DependencyGraph) -> Found:
        if part.workspace not in found:
            found[part.workspace] = lookup(context, part)
        return found[part.workspace]

    return look


def _measured(parts: Sequence[DependencyGraph], context: Context, baselines: Lookup) -> Mapping[FactKey, Measured]:
    """Return which packages are measured against their earlier releases: what any part holds and had not approved."""
    from sbomgate.errors import SbomgateError
    from sbomgate.facts import key_of
    from sbomgate.model import BaselineBuild
    from sbomgate.npm.wanted import measure

    compared: list[tuple[DependencyGraph, frozenset[FactKey] | None]] = []
    for part in parts:
        try:
            held, _ = baselines(replace(context, workspace=part.workspace), part)
        except SbomgateError:
            continue  # said where this part is decided: the others do not suffer for it
        approved = frozenset(map(key_of, held.sbom.graph.packages)) if isinstance(held, BaselineBuild) else None
        compared.append((part, approved))
    return measure(compared)


def check_policy(bundle: PolicyBundle, env: Environment, *, strict: bool = False) -> None:
    """Refuse a policy that calls what it may not, or reads what the input's schema does not have, before it is used.

    Raises:
        PolicyError: it does. (`strict` also refuses what `opa check --strict` does.)
    """
    from sbomgate.policy.engines.embedded import EmbeddedEngine
    from sbomgate.resources import path as resource

    schema = resource("schemas", "rego", "policy-input.json").read_bytes()
    with EmbeddedEngine(env.cache / "engine", env.tell) as checker:
        checker.check(bundle, {"policy-input": schema}, strict=strict)


def _signed_policy(bundle: PolicyBundle, trust: Trust, path: Path) -> None:
    """Verify the signature beside a policy bundle, where there is one and the trust file accepts a signer of policies.

    Raises:
        PolicyError: nobody who is accepted signed it, or it is about other bytes; or none is there although the trust
            file accepts signers of policies.
    """
    from sbomgate import files
    from sbomgate.errors import PolicyError
    from sbomgate.policy import signature
    from sbomgate.policy.bundle import MAX_BUNDLE_BYTES, to_tar
    from sbomgate.signing.verify import NotAccepted, verify

    if not any("policy" in signer.roles for signer in trust.signers):
        return
    beside = path.with_name(path.name + signature.SUFFIX)
    if not beside.exists():
        raise PolicyError("is not signed", where=str(path), hint="`sbomgate policy build --key` signs a policy")
    data = files.read(beside, limit=MAX_BUNDLE_BYTES, error=PolicyError)
    found = verify(data, trust.signers, role="policy", where=str(beside))
    if isinstance(found, NotAccepted):
        raise PolicyError(found.reason, where=str(beside), hint="have it signed by an accepted signer of policies")
    signature.check(found.statement, bundle, to_tar(bundle), where=str(beside))


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
    found = trusted_lists(trust)
    for path in paths:
        data = opened.files.read(path)
        if data is None:
            raise UsageError("no such file", where=path, place=f"{CONFIG}: malicious.lists", hint="correct the path")
        found[f"project/{path}"] = data
    return found


def trusted_lists(trust: Trust) -> dict[str, bytes]:
    """Return the lists of malicious packages of the trust file, else the shipped one, by their names in evidence."""
    from sbomgate.policy import lists
    from sbomgate.resources import path as resource

    if trust.malicious_lists is None:
        return {"shipped.csv": resource(*lists.SHIPPED).read_bytes()}
    return {f"trust/{name}": data for name, data in trust.malicious_lists.items()}
