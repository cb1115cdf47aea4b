"""The facts about packages: recorded ones, then this machine's caches, then the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    import httpx

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.model import CollectedFacts, DependencyGraph, FactKey, Trust
    from sbomgate.npm.wanted import Measured

# How long `check` believes what a registry said before without asking again. `gate` always asks.
WORD_AGE = timedelta(hours=4)
MAX_INPUT_BYTES = 512 << 20  # a facts file


def recorded(args: argparse.Namespace, env: Environment, trust: Trust) -> Mapping[FactKey, CollectedFacts]:
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


def collect(
    graph: DependencyGraph,
    args: argparse.Namespace,
    env: Environment,
    opened: Project,
    trust: Trust,
    known: Mapping[FactKey, CollectedFacts],
    measured: Mapping[FactKey, Measured],
    *,
    signs: bool,
) -> Mapping[FactKey, CollectedFacts]:
    """Collect the facts: recorded, then on this machine, then from the network.

    Of what is `measured`, the releases before it are asked for too.
    """
    from urllib.parse import urlsplit

    from sbomgate.npm import auth
    from sbomgate.npm import collect as collecting
    from sbomgate.npm.cache import FactCache
    from sbomgate.npm.wanted import wanted

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
        sources = collecting.Sources(
            now=env.now,
            offline=args.offline,
            recorded=known,
            cache=cache,
            npm_cache=env.npm_cache,
            credentials=credentials,
            client=None if args.offline else client,
            word_age=timedelta(0) if signs else WORD_AGE,
            trust_cache=not signs,
        )
        asked = wanted(graph, first_party=trust.first_party, measured=measured)
        return collecting.collect(asked, sources=sources, progress=_progress())


def _progress() -> Callable[[int, int], None] | None:
    """Return a progress line for a terminal, or None where stderr is none."""
    import sys

    if not sys.stderr.isatty():
        return None

    def show(done: int, all_: int) -> None:
        end = "\r" if done < all_ else "\n"
        print(f"\rfacts: {done} of {all_} packages", end=end if all_ else "", file=sys.stderr, flush=True)

    return show
