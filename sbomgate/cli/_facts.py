"""The facts about packages: recorded ones, then this machine's caches, then the network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import httpx

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.model import CollectedFacts, DependencyGraph, FactKey, PackageFacts, Trust
    from sbomgate.npm.auth import Credentials
    from sbomgate.npm.packument import Release
    from sbomgate.npm.wanted import Measured

# How long `check` believes what a registry said before without asking again. `gate` always asks.
WORD_AGE = timedelta(hours=4)
MAX_INPUT_BYTES = 512 << 20  # a facts file
NETWORK = "network"  # what `generate --facts` is given in a file's place; a file of that name is ./network


def about(
    parts: Sequence[DependencyGraph], asked: Sequence[str], trust_file: str | None, env: Environment, opened: Project
) -> Callable[[DependencyGraph], Mapping[str, PackageFacts]]:
    """Collect the facts about all packages, verify them, and return what tells those of one part: for an SBOM alone.

    They are those of a first `check`, which has no approved build and no earlier look to compare with.

    Args:
        parts: the graphs that an SBOM is written of.
        asked: the path of recorded facts, `NETWORK`, or both; without the latter no registry is asked.
        trust_file: names who is accepted; None for nobody.
        env: the surroundings.
        opened: the project.

    Raises:
        UsageError: two files are named.
        SbomgateError: the trust file, the recorded facts or a cache cannot be read.
    """
    from sbomgate import gate, trust
    from sbomgate.cli._project import together
    from sbomgate.npm.wanted import measure
    from sbomgate.provenance import shipped

    paths = [path for path in asked if path != NETWORK]
    offline = NETWORK not in asked
    if len(paths) > 1:
        raise UsageError("recorded facts are one file", where="--facts", hint="name one of them, or export all again")
    accepted = trust.NOBODY
    if trust_file is not None:
        accepted = trust.load(trust_file, project_root=opened.files.repository)
    material = shipped.load()
    known = recorded(paths[0] if paths else None, env, accepted, offline=offline)
    measured = measure([(part, None) for part in parts])

    def asked_for(graph: DependencyGraph, doubted: Collection[FactKey] = ()) -> Mapping[FactKey, CollectedFacts]:
        return collect(graph, env, opened, accepted, known, measured, offline=offline, signs=False, doubted=doubted)

    collected, verified = gate.gather_facts(
        together(parts),
        gate.material_of(accepted, material.trusted_root, material.registry_keys, updated=material.collected),
        collect=asked_for,
        again=None if offline else asked_for,
    )
    if not_known := unknown(collected.values()):
        env.tell(f"note: of {len(collected)} packages not known: {not_known}")

    def of(part: DependencyGraph) -> Mapping[str, PackageFacts]:
        return gate.package_facts(part, collected, verified, looks={}, now=env.now, rebuilders=accepted.rebuilders)

    return of


def recorded(path: str | None, env: Environment, trust: Trust, *, offline: bool) -> Mapping[FactKey, CollectedFacts]:
    """Read the recorded facts; those that nobody accepted has signed are not believed (P14)."""
    if path is None:
        return {}
    from sbomgate import facts, files
    from sbomgate.errors import InputError
    from sbomgate.signing.verify import NotAccepted, verify

    data = files.read(env.working_directory / path, limit=MAX_INPUT_BYTES, error=InputError)
    found = verify(data, trust.signers, role="facts", where=path)
    if isinstance(found, NotAccepted):
        env.tell(f"warning: {path}: {found.reason}: its facts count as unknown")
        from sbomgate import dsse

        payload = dsse.read_bundle(data, path).payload
        stated = facts.unsigned(facts.read_statement(payload, where=path))
        return stated if offline else {}  # it may leave out what the registry would show
    return facts.recorded(facts.read_statement(found.payload, where=path))


def collect(
    graph: DependencyGraph,
    env: Environment,
    opened: Project | None,
    trust: Trust,
    known: Mapping[FactKey, CollectedFacts],
    measured: Mapping[FactKey, Measured],
    *,
    offline: bool,
    signs: bool,
    keep: Callable[[str, bytes], None] | None = None,
    doubted: Collection[FactKey] = (),
) -> Mapping[FactKey, CollectedFacts]:
    """Collect the facts: recorded, then on this machine, then from the network; `keep` gets the tarballs from there.

    Without a project only the user's own credentials are sent. Of what is `measured`, the releases before it are asked
    for too; the attestations of what is `doubted` are asked for anew.
    """
    from sbomgate.npm import collect as collecting
    from sbomgate.npm.cache import FactCache
    from sbomgate.npm.wanted import wanted

    with ExitStack() as stack:
        cache = stack.enter_context(FactCache(env.cache / "facts"))
        sources = collecting.Sources(
            now=env.now,
            offline=offline,
            recorded=known,
            cache=cache,
            npm_cache=env.npm_cache,
            yarn_cache=env.yarn_cache,
            credentials=credentials(env, opened, trust),
            client=None if offline else lambda: client(env),
            word_age=timedelta(0) if signs else WORD_AGE,
            trust_cache=not signs,
            keep=keep,
            doubted=frozenset(doubted),
        )
        asked = wanted(graph, first_party=trust.first_party, measured=measured)
        return collecting.collect(asked, sources=sources, progress=_progress(env))


def releases(name: str, registry: str, env: Environment, opened: Project, trust: Trust) -> Sequence[Release]:
    """Ask a registry for all versions of a package.

    Raises:
        FetchError: it does not answer, does not have the package, or its answer is none.
    """
    import asyncio

    from sbomgate.errors import FetchError
    from sbomgate.model import Missing
    from sbomgate.npm import packument
    from sbomgate.npm.registry import Registry

    async def ask() -> Sequence[Release]:
        async with client(env) as http:
            asked = Registry(http, credentials(env, opened, trust), now=env.now)
            answer = await asked.packument(registry, name)
        if isinstance(answer, Missing):
            raise FetchError(answer.reason, where=name, hint="try again when the registry answers")
        return packument.releases(answer.body, name=name)

    return asyncio.run(ask())


def credentials(env: Environment, opened: Project | None, trust: Trust) -> Credentials:
    """Return the registries' credentials, from the user's .npmrc and that of the project, where there is one."""
    from urllib.parse import urlsplit

    from sbomgate.npm import auth

    user = env.home / ".npmrc"
    return auth.read(
        project="" if opened is None else (opened.files.read(".npmrc") or b"").decode("utf-8", "replace"),
        user=user.read_text("utf-8", "replace") if user.is_file() else "",
        environment=env.variables,
        project_hosts={host for one in trust.registries if (host := urlsplit(one.url).netloc)},
    )


def client(env: Environment) -> httpx.AsyncClient:
    """Return the HTTP client that asks registries."""
    if env.open_client is not None:
        return env.open_client()
    from sbomgate.npm.registry import open_client

    return open_client(**env.network)


def unknown(collected: Iterable[CollectedFacts]) -> str:
    """Return what nobody could say of how many packages, in words; "" where everything was answered."""
    from sbomgate.model import Absence, Missing

    no_answer = {Absence.NOT_ASKED, Absence.UNREACHABLE, Absence.MALFORMED, Absence.MISMATCH}
    parts = {"the registry's word": 0, "the tarball": 0, "attestations": 0}
    for one in collected:
        for what, fact in zip(parts, (one.registry, one.tarball, one.attestations), strict=True):
            parts[what] += isinstance(fact, Missing) and fact.absence in no_answer
    return ", ".join(f"{what} of {count}" for what, count in parts.items() if count)


def _progress(env: Environment) -> Callable[[int, int], None] | None:
    """Return a progress line for a terminal, or None where stderr is none, or a program listens."""
    import sys

    from sbomgate.cli._environment import say

    if env.tell is not say or not sys.stderr.isatty():
        return None

    def show(done: int, all_: int) -> None:
        end = "\r" if done < all_ else "\n"
        print(f"\rfacts: {done} of {all_} packages", end=end if all_ else "", file=sys.stderr, flush=True)

    return show
