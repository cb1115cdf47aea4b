"""What `watch` does between inventory and alerts: registries are asked, and new releases put before the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from sbomgate.cli import _facts
from sbomgate.errors import InputError, PolicyError, ProvenanceError

if TYPE_CHECKING:
    from sbomgate.cli._environment import Environment
    from sbomgate.gate import Question
    from sbomgate.model import CollectedFacts, DependencyGraph, Engine, FactKey, Missing, PackageFacts, Trust
    from sbomgate.npm.look import Looked, Place
    from sbomgate.watch.judgement import Candidate, Suspicion
    from sbomgate.watch.releases import Look, Release, Version_
    from sbomgate.watch.state import Known


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A new release: what is wrong with it, what is not known of it, and whether its registry attests anything."""

    candidate: Candidate
    suspicions: Sequence[Suspicion]
    unknown: Sequence[str]
    serves_evidence: bool


class Watcher:
    """Asks registries, and judges what is new. `engine` opens the one that evaluates the policy."""

    def __init__(self, env: Environment, trust: Trust, engine: Callable[[], Engine]) -> None:
        """Prepare it; nothing is asked yet."""
        self._env = env
        self._trust = trust
        self._engine = engine
        self._question: Question | None = None

    def looks(
        self,
        known: Mapping[Place, Known | None],
        held: Mapping[Place, Sequence[str]],
        window: timedelta,
        report: Callable[[int], None] | None,
    ) -> dict[Place, Looked[Look] | Missing]:
        """Ask about packages: what is new since the last look, or that nothing is, or why that is not known."""
        from sbomgate.watch import releases

        def read(place: Place, data: bytes) -> Look:
            registry, name = place
            return releases.read(
                data,
                name=name,
                registry=registry,
                known=known[place],
                held=held[place],
                now=self._env.now,
                window=window,
            )

        return self._ask({place: None if one is None else one.etag for place, one in known.items()}, read, report)

    def judge(self, registry: str, new: Iterable[tuple[str, Release]]) -> Iterator[Judged]:
        """Judge new releases, (name, release), of one registry.

        Raises:
            SbomgateError: a cache of this machine, the policy or its engine cannot be used at all.
        """
        candidates = self._candidates(registry, list(new))
        try:
            yield from self._judged(registry, candidates)
        except (InputError, PolicyError, ProvenanceError):
            # Something in one of them cannot be judged: it must not take the others with it (P35).
            for one in candidates:
                try:
                    yield from self._judged(registry, [one])
                except (InputError, PolicyError, ProvenanceError) as e:
                    yield Judged(
                        candidate=one, suspicions=(), unknown=(f"cannot be judged: {e}",), serves_evidence=True
                    )

    def _ask(
        self,
        asked: Mapping[Place, str | None],
        read: Callable[[Place, bytes], T],
        report: Callable[[int], None] | None = None,
    ) -> dict[Place, Looked[T] | Missing]:
        from sbomgate.npm.look import look

        return look(
            asked,
            read,
            client=lambda: _facts.client(self._env),
            credentials=_facts.credentials(self._env, None, self._trust),
            now=self._env.now,
            report=report,
        )

    def _candidates(self, registry: str, new: Sequence[tuple[str, Release]]) -> list[Candidate]:
        """Look up what the releases have come to depend on."""
        from sbomgate.model import Missing
        from sbomgate.npm.wanted import is_first_party
        from sbomgate.watch import releases
        from sbomgate.watch.judgement import Candidate

        wanted = {
            target
            for _, release in new
            for name, range_ in release.gained.items()
            if (target := releases.target_of(name, range_)) is not None
            and not is_first_party(target[0], self._trust.first_party)
        }
        ranges: dict[Place, set[str]] = {}
        for name, range_ in wanted:
            ranges.setdefault((self._home(name, registry), name), set()).add(range_)

        def read(place: Place, data: bytes) -> dict[str, Version_ | None]:
            home, name = place
            return {
                range_: releases.resolve(data, name=name, range_=range_, registry=home, now=self._env.now)
                for range_ in ranges[place]
            }

        answers = self._ask(dict.fromkeys(ranges), read)
        found = []
        for owner, release in new:
            targets, elsewhere, unresolved = [], [], []
            for declared, text in sorted(release.gained.items()):
                target = releases.target_of(declared, text)
                if target is None:
                    elsewhere.append((declared, text))
                    continue
                if target not in wanted:
                    continue
                name, range_ = target
                answer = answers[self._home(name, registry), name]
                version = None if isinstance(answer, Missing) or answer.value is None else answer.value[range_]
                if version is not None:
                    targets.append((name, version))
                else:
                    why = answer.reason if isinstance(answer, Missing) else f"no version of it satisfies {range_[:200]}"
                    unresolved.append(f"what {name} is, which it brings in: {why}")
            found.append(
                Candidate(
                    name=owner,
                    release=release,
                    targets=tuple(targets),
                    elsewhere=tuple(elsewhere),
                    unresolved=tuple(unresolved),
                )
            )
        return found

    def _home(self, name: str, registry: str) -> str:
        """Return where a dependency is asked for: where the trust file has its scope, else where its dependant is."""
        scope, slash, _ = name.partition("/")
        return next((one.url for one in self._trust.registries if slash and one.scope == scope), registry)

    def _judged(self, registry: str, candidates: Sequence[Candidate]) -> list[Judged]:
        from sbomgate import gate
        from sbomgate.facts import key_of
        from sbomgate.model import RegistryWord
        from sbomgate.watch import judgement

        scopes = {one.scope: one.url for one in self._trust.registries if one.scope}
        scopes |= {one.name.partition("/")[0]: registry for one in candidates if "/" in one.name}
        graph = judgement.graph(candidates, registry=registry, scopes=scopes)
        question = self._asked()
        engine = self._engine()
        gate.prepare(question.bundle, engine)  # compiles while the network is waited for
        gathered = gate.gather(graph, question, collect=self._collect({one.id for one in candidates}))
        answer = gate.decide(graph, gathered, question, engine=engine)
        facts, findings = answer.sbom.facts, answer.evaluation.findings
        collected = {
            package.id: answer.collected[key_of(package)]
            for package in graph.packages
            if key_of(package) in answer.collected
        }
        before: Mapping[str, PackageFacts] = {}
        scripted = [one for one in candidates if judgement.is_scripted(one, facts) and one.release.before]
        if scripted:
            earlier = judgement.graph_before(scripted, registry=registry, scopes=scopes)
            told, verified = gate.gather_facts(earlier, question.material, collect=self._collect(set()))
            before = gate.package_facts(earlier, told, verified, looks={}, now=self._env.now)
        return [
            Judged(
                candidate=one,
                suspicions=judgement.suspicions(one, facts, findings, before),
                unknown=judgement.not_known(one, collected, facts, findings, before),
                serves_evidence=not isinstance(word := collected[one.id].registry, RegistryWord)
                or word.serves_evidence,
            )
            for one in candidates
        ]

    def _collect(self, measured: set[str]) -> Callable[[DependencyGraph], Mapping[FactKey, CollectedFacts]]:
        """Return what collects facts; those whose ids are `measured` are compared with their earlier releases."""
        from sbomgate.facts import key_of
        from sbomgate.npm.wanted import Measured

        def collect(graph: DependencyGraph) -> Mapping[FactKey, CollectedFacts]:
            keys = {key_of(one): Measured.ALWAYS for one in graph.packages if one.id in measured}
            return _facts.collect(graph, self._env, None, self._trust, {}, keys, offline=False, signs=False)

        return collect

    def _asked(self) -> Question:
        """Return the question that every judgement is an answer to: the shipped rules, and nothing approved."""
        if self._question is not None:
            return self._question
        from sbomgate import gate
        from sbomgate.cli._decide import trusted_lists
        from sbomgate.model import Bootstrap, Context
        from sbomgate.policy import bundle, parameters
        from sbomgate.provenance import shipped
        from sbomgate.resources import path as resource
        from sbomgate.watch.judgement import PATH

        material = shipped.load()
        trust = self._trust
        self._question = gate.Question(
            context=Context(evaluated_at=self._env.now, profile="default", lockfile_path=PATH),
            trust=trust,
            material=gate.material_of(trust, material.trusted_root, material.registry_keys, updated=material.collected),
            parameters=parameters.effective(
                parameters.declared(resource(*parameters.CATALOGUE).read_bytes()), trust.parameters, {}
            ),
            lists=trusted_lists(trust),
            bundle=bundle.load(None),
            baseline=Bootstrap(reason="new releases are measured against their own earlier ones"),
            project_files={},
        )
        return self._question


@contextmanager
def watching(env: Environment, trust: Trust) -> Iterator[Watcher]:
    """Yield a watcher; its engine is opened when something has to be judged, and closed in the end."""
    from contextlib import ExitStack

    from sbomgate.cli._environment import say
    from sbomgate.policy.engines.embedded import EmbeddedEngine

    with ExitStack() as stack:
        opened: list[Engine] = []

        def engine() -> Engine:
            if not opened:
                opened.append(stack.enter_context(EmbeddedEngine(env.cache / "engine", say)))
            return opened[0]

        yield Watcher(env, trust, engine)
