"""Networks, proxies and portals spoil answers: no decision or the right one, nothing half-read kept, no token shown.

`testkit.faulty_proxy` stands before a registry, real OPA and a real OCI registry (the real sigstore services:
test_sigstore.py). Each case of its tables hits each of them. What is demanded: an error of ours (exit code 2) or the
right result, an end however slowly the other side drips, and that the next attempt is not in the way of it (P1, P6,
P35, P37, P40).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from sbomgate import transport
from sbomgate.errors import EvidenceError, FetchError, PolicyError
from sbomgate.evidence import registry as oci
from sbomgate.evidence import registry_client
from sbomgate.model import (
    Absence,
    CollectedFacts,
    FactKey,
    Missing,
    PolicyBundle,
)
from sbomgate.npm import auth, collect, registry
from sbomgate.npm.cache import FactCache
from sbomgate.npm.wanted import Wanted
from sbomgate.policy.engines.opa_url import OpaUrlEngine
from testkit import oci_registries, tarballs
from testkit.engines import Server, find_opa
from testkit.evidence import TARBALL, record
from testkit.faulty_proxy import BOMB, FAULTS, HARMLESS, SLOW, FaultyProxy, Request
from testkit.http2 import tls_context
from testkit.registry import Simulator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TOKEN = "npm_canary0token0that0nobody0may0see"
ALL = {**FAULTS, **SLOW}
IMPATIENT = 0.5  # seconds: where nothing but an end is demanded


# --------------------------------------------------------------------------------------------------------------------
# A registry


@contextlib.contextmanager
def hurried(*, failures: int = 100_000) -> Iterator[None]:
    """Cut the pauses short: what is tested is what comes of it, not how long it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "BACKOFF_SECONDS", (0.0,))
        patch.setattr(registry, "MAX_ATTEMPTS", 2)
        patch.setattr(registry, "MAX_FAILURES", failures)
        yield


@contextlib.contextmanager
def impatient(*, concurrency: int = registry.CONCURRENCY, seconds: float = IMPATIENT) -> Iterator[None]:
    """Cut the limits short, so short that a busy machine is over them as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "READ_SECONDS", seconds)
        defaults = registry.Registry.__init__.__kwdefaults__
        assert defaults is not None
        patch.setitem(defaults, "total_seconds", 2 * seconds)
        patch.setitem(defaults, "concurrency", concurrency)
        yield


def stages(name: str) -> tuple[str, str, str]:
    """The paths that are asked for a package: what the registry says of it, its tarball, its attestations."""
    return f"/{name}", f"/{name}/-/{name}-1.0.0.tgz", f"/-/npm/v1/attestations/{name}@1.0.0"


def asks_for(path: str) -> Any:
    return lambda one: unquote(one.path).partition("?")[0] == path


class Shop:
    """A registry with a package for each case; `ask` collects what is known of all of them through the proxy."""

    def __init__(self, upstream: Simulator, proxy: FaultyProxy, names: Mapping[str, str], cache: Path) -> None:
        self.proxy, self.names, self.cache = proxy, names, cache
        for name in names:
            document = json.dumps({"attestations": [{"predicateType": "x", "bundle": {"of": name}}]}).encode()
            upstream.publish(name, "1.0.0", attestations=document)

    def ask(self, *, offline: bool = False) -> Mapping[FactKey, CollectedFacts]:
        wanted = []
        for name in self.names:
            data = tarballs.package(name, "1.0.0")
            key = FactKey(name=name, version="1.0.0", integrity=tarballs.integrity(data))
            wanted.append(
                Wanted(
                    key=key,
                    sha512=tarballs.sha512(data),
                    registry=f"{self.proxy.url}/",
                    resolved=f"{self.proxy.url}{stages(name)[1]}",
                    nowhere=None,
                )
            )
        with FactCache(self.cache) as cache:
            sources = collect.Sources(
                now=NOW,
                offline=offline,
                cache=cache,
                credentials=auth.read(user=f"{self.proxy.url.removeprefix('http:')}/:_authToken={TOKEN}"),
                client=registry.open_client,
                trust_cache=True,
            )
            return collect.collect(wanted, sources=sources)


@pytest.fixture
def upstream() -> Iterator[Simulator]:
    with Simulator() as found:
        yield found


NOT_KNOWN = {Absence.UNREACHABLE, Absence.MALFORMED, Absence.ADVERTISED_MISSING, Absence.MISMATCH, Absence.NOT_ASKED}


def is_known(found: object, right: object) -> bool:
    """Whether a fact is known, and then the right one; where it is not, it says so, and is never "there is none"."""
    if isinstance(found, Missing):
        assert found.absence in NOT_KNOWN, found
        assert TOKEN not in found.reason
        return False
    assert without_origin(found) == without_origin(right)
    return True


def without_origin(fact: Any) -> Any:
    return replace(fact, origin=None)


@pytest.mark.parametrize("stage", [0, 1, 2], ids=["word", "tarball", "attestations"])
def test_P6_P35_a_registry_behind_what_spoils_its_answers(upstream: Simulator, tmp_path: Path, stage: int) -> None:
    """One package for each case: what is spoilt is unknown, and what is known of the others is right."""
    names = {f"p{at:02}": case for at, case in enumerate(FAULTS) if stage == 0 or at % 5 == stage}
    with FaultyProxy(upstream.origin) as proxy:
        shop = Shop(upstream, proxy, names, tmp_path / "cache")
        right = Shop(upstream, proxy, names, tmp_path / "right").ask()
        assert not any(isinstance(one.attestations, Missing) for one in right.values())
        for name, case in names.items():
            proxy.spoil(FAULTS[case], asks_for(stages(name)[stage]))
        with hurried():
            found = shop.ask()
        assert {unquote(one.path).partition("?")[0] for one in proxy.spoilt} == {stages(n)[stage] for n in names}
        for key, one in found.items():
            case, sound = names[key.name], right[key]
            if case == "a portal's page as 404" and stage == 0:
                # Whoever answers as the registry says what the registry says: it denies.
                assert isinstance(one.registry, Missing), case
                continue
            assert is_known(one.registry, sound.registry) or stage == 0, case
            is_known(one.tarball, sound.tarball)
            if isinstance(one.attestations, Missing):
                is_known(one.attestations, sound.attestations)
            # A document of attestations is judged by its signatures: one that was cut has none that hold.
        # What was kept is right, or is not there: the next run does not rest on what a proxy made of it.
        proxy.mend()
        for key, one in shop.ask(offline=True).items():
            for fact, sound in zip(facts_of(one), facts_of(right[key]), strict=True):
                assert isinstance(fact, Missing) or without_origin(fact) == without_origin(sound), names[key.name]
        for key, one in shop.ask().items():
            assert [without_origin(fact) for fact in facts_of(one)] == [without_origin(f) for f in facts_of(right[key])]


def test_P35_a_registry_that_never_comes_to_an_end(upstream: Simulator, tmp_path: Path) -> None:
    names = {f"p{at:02}": case for at, case in enumerate(SLOW)}
    with FaultyProxy(upstream.origin) as proxy:
        for name, case in names.items():
            proxy.spoil(SLOW[case], asks_for(stages(name)[0]))
        with hurried(), impatient(seconds=2.0):  # long enough for a request to arrive on a busy machine
            found = Shop(upstream, proxy, names, tmp_path / "cache").ask()
        assert len({one.path for one in proxy.spoilt}) == len(SLOW)
        assert not proxy.outlasted
    for one in found.values():
        assert isinstance(one.registry, Missing)
        assert one.registry.absence is Absence.UNREACHABLE
        assert isinstance(one.attestations, Missing)
        assert one.attestations.absence is Absence.UNREACHABLE


def facts_of(one: CollectedFacts) -> tuple[Any, Any, Any]:
    return one.registry, one.tarball, one.attestations


def test_what_is_odd_and_right_is_taken(upstream: Simulator, tmp_path: Path) -> None:
    names = {f"p{at:02}": case for at, case in enumerate(HARMLESS)}
    with FaultyProxy(upstream.origin) as proxy:
        right = Shop(upstream, proxy, names, tmp_path / "right").ask()
        for name, case in names.items():
            for path in stages(name):
                proxy.spoil(HARMLESS[case], asks_for(path))
        found = Shop(upstream, proxy, names, tmp_path / "cache").ask()
        assert len(proxy.spoilt) == 3 * len(names)
    assert found == right


def test_P35_a_registry_of_which_every_answer_drips_is_down(upstream: Simulator, tmp_path: Path) -> None:
    """Each answer has its limit, and so has the run: after some in a row the others are not asked."""
    names = {f"p{at:02}": "" for at in range(30)}
    with FaultyProxy(upstream.origin) as proxy:
        proxy.spoil(SLOW["drips its body"])
        with hurried(failures=5), impatient(concurrency=2):
            found = Shop(upstream, proxy, names, tmp_path / "cache").ask()
        # Fewer, where a machine is so busy that a request was over its limit before it had arrived.
        assert len(proxy.spoilt) <= 5 + 2
    assert all(isinstance(one.registry, Missing) for one in found.values())


# --------------------------------------------------------------------------------------------------------------------
# An OPA server


QUERY = "data.sbomgate.decision.result"


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    found = find_opa()
    assert found is not None
    server = Server(found, tmp_path_factory.mktemp("opa"))
    yield server.url
    server.stop()


BUNDLE = PolicyBundle(
    files={"decision.rego": b'package sbomgate.decision\n\nresult := {"said": input.asked}\n'},
    sha256="ab" * 32,
    rules=(),
)
RIGHT = b'{"said":"this"}'


def asking(url: str, *, seconds: float = 20.0, ca_file: Path | None = None) -> OpaUrlEngine:
    return OpaUrlEngine(url, check=lambda _: None, token=TOKEN, seconds=seconds, stale_seconds=0.05, ca_file=ca_file)


def evaluated(engine: OpaUrlEngine) -> bytes | str:
    """Return what an engine makes of a small policy, or its complaint."""
    try:
        return engine.evaluate(BUNDLE, b'{"asked":"this"}', QUERY)
    except PolicyError as e:
        said = f"{e} {e.hint}"
    assert TOKEN not in said
    return said


@pytest.mark.opa
def test_P3_an_opa_behind_what_spoils_its_answers(opa: str) -> None:
    """The answer to the question, or to one other request of the same evaluation; then all is as it was."""
    with (
        FaultyProxy(opa) as proxy,
        asking(proxy.url) as engine,
        asking(proxy.url, seconds=IMPATIENT) as hasty,
    ):
        assert evaluated(engine) == RIGHT
        requests = len(proxy.asked)
        for at, (case, fault) in enumerate(ALL.items()):
            proxy.mend()
            proxy.spoil(fault, is_question if at % 2 else at_number(at // 2 % requests))
            said = evaluated(hasty if case in SLOW else engine)
            assert proxy.spoilt or case in SLOW, case
            assert isinstance(said, str) or said == RIGHT, (case, said)
            if at % 8 == 0 or case in SLOW:
                proxy.mend()
                assert evaluated(engine) == RIGHT, f"after {case}"
        assert not proxy.outlasted


def is_question(one: Request) -> bool:
    return one.method == "POST" and one.path.startswith("/v1/data/")


def at_number(number: int) -> Any:
    return lambda one: one.number == number


@pytest.mark.opa
def test_an_opa_whose_answers_are_odd_and_right(opa: str) -> None:
    with FaultyProxy(opa) as proxy, asking(proxy.url) as engine:
        for case, fault in HARMLESS.items():
            proxy.mend()
            proxy.spoil(fault)
            assert evaluated(engine) == RIGHT, case


@pytest.mark.opa
def test_P24_the_answer_to_another_question_is_not_taken(opa: str) -> None:
    """A cache or a mix-up on the way has a whole answer of the same policy, about another input."""
    kept: list[Any] = []

    def stale(one: Any) -> None:
        kept.append(one.real())
        one.send(kept[0].whole())

    with FaultyProxy(opa) as proxy, asking(proxy.url) as engine:
        proxy.spoil(stale, is_question)
        assert evaluated(engine) == RIGHT
        assert "another request" in str(evaluated(engine))


@pytest.mark.opa
@pytest.mark.parametrize("at", [0, 10, 10_000], ids=["in the handshake", "in the header", "before the end"])
def test_tls_that_ends_early(opa: str, tmp_path: Path, at: int) -> None:
    """No close_notify: Python takes the end of the connection for the end of the answer."""
    context = tls_context(tmp_path / "ca.pem", tmp_path / "key.pem", protocol="http/1.1")
    with FaultyProxy(opa, tls=context) as proxy, asking(proxy.url, ca_file=tmp_path / "ca.pem") as engine:
        assert evaluated(engine) == RIGHT

        def cut(one: Any) -> None:
            whole = one.real()
            head = whole.head("connection: close")
            one.send((head + whole.body)[: min(at, len(head) + len(whole.body) // 2)])
            os.close(one.connection.detach())

        proxy.spoil(cut, is_question)
        assert isinstance(evaluated(engine), str)


# --------------------------------------------------------------------------------------------------------------------
# An OCI registry


@pytest.fixture(scope="module")
def oci_host() -> Iterator[str]:
    with oci_registries.referrers_registry() as host:
        yield host


def opened(host: str, name: str, http: httpx.Client, *, seconds: float = 60.0) -> registry_client.Client:
    return registry_client.Client(
        http,
        registry_client.repository(f"{host}/{name}"),
        lambda: None,
        writes=True,
        sleep=lambda _: None,
        total_seconds=seconds,
    )


@pytest.mark.oci
def test_P37_a_registry_of_evidence_behind_what_spoils_its_answers(oci_host: str) -> None:
    """Attached is there whole; what was found is all that there is, or an error; the next attempt makes it good."""
    made = record()

    def attach(host: str, name: str, http: httpx.Client) -> None:
        oci.attach(opened(host, name, http), TARBALL, [made], sleep=lambda _: None)

    def find(host: str, name: str, http: httpx.Client) -> list[str]:
        return [one.id for one in oci.find(opened(host, name, http), TARBALL)]

    with (
        FaultyProxy(f"http://{oci_host}") as proxy,
        transport.open_client() as http,
        transport.open_client(total_seconds=IMPATIENT) as hasty,
    ):
        attach(proxy.host, "sound", http)
        writes = len(proxy.asked)
        proxy.mend()
        assert find(proxy.host, "sound", http) == [made.id]
        reads = len(proxy.asked)
        for at, (case, fault) in enumerate(ALL.items()):
            client = hasty if case in SLOW else http
            proxy.mend()
            if at % 2:
                name = f"case{at}"
                proxy.spoil(fault, at_number(at // 2 % writes))
                try:
                    attach(proxy.host, name, client)
                except (FetchError, EvidenceError):
                    attach(oci_host, name, http)
                assert find(oci_host, name, http) == [made.id], case
            else:
                proxy.spoil(fault, at_number(at // 2 % reads))
                with contextlib.suppress(FetchError, EvidenceError):
                    assert find(proxy.host, "sound", client) == [made.id], case
            assert proxy.spoilt or case in SLOW, case
        assert not proxy.outlasted


@pytest.mark.oci
@pytest.mark.parametrize("case", ["a portal's page", "a portal's page as 404"])
def test_P19_what_a_portal_answers_once_hides_no_revocation(oci_host: str, case: str) -> None:
    """The list of referrers is asked for again before the registry is taken for one that has no such list."""
    with FaultyProxy(f"http://{oci_host}") as proxy, transport.open_client() as http:
        name = f"revoked-{len(case)}"
        oci.attach(opened(proxy.host, name, http), TARBALL, [record()], sleep=lambda _: None)
        proxy.mend()
        proxy.spoil(FAULTS[case], at_number(0))
        assert len(oci.find(opened(proxy.host, name, http), TARBALL)) == 1
        proxy.mend()
        proxy.spoil(FAULTS[case])
        with pytest.raises((FetchError, EvidenceError)):
            oci.find(opened(proxy.host, name, http), TARBALL)


def test_a_bomb_is_one() -> None:
    assert len(BOMB) < 100_000
