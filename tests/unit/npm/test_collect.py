"""sbomgate.npm.collect against the registry simulator, npm's cache and the fact cache."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate import facts
from sbomgate.errors import FetchError
from sbomgate.model import (
    Absence,
    AttestationDocument,
    CollectedFacts,
    FactKey,
    Missing,
    Origin,
    Package,
    RegistryWord,
    TarballFacts,
)
from sbomgate.npm import auth
from sbomgate.npm.cache import FactCache
from sbomgate.npm.collect import Sources, collect
from sbomgate.npm.registry import open_client
from sbomgate.npm.rows import dump_tarball, dump_word, load_word
from sbomgate.npm.wanted import Measured, wanted
from sbomgate.npm.wanted import measure as measure_parts
from testkit import tarballs
from testkit.graphs import graph, package
from testkit.npm_cache import put, put_yarn
from testkit.registry import Fault, Simulator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TGZ = tarballs.package("a", "1.0.0", scripts={"postinstall": "node x"})
BUNDLE = b'{"attestations":[{}]}'


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator() as simulator:
        simulator.publish("a", "1.0.0", TGZ, attestations=BUNDLE)
        yield simulator


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[FactCache]:
    with FactCache(tmp_path / "facts") as opened:
        yield opened


async def no_wait(seconds: float) -> None:
    await asyncio.sleep(0)


def sources(**options: Any) -> Sources:
    return Sources(**{"now": NOW, "offline": False, "client": open_client, "sleep": no_wait, **options})


def a(**fields: Any) -> Package:
    return package("a", "1.0.0", **{"sha512": tarballs.sha512(TGZ), **fields})


def run(server: Simulator | None, *packages: Package, **options: Any) -> dict[FactKey, CollectedFacts]:
    url = server.url if server else "https://registry.npmjs.org/"
    return collect(wanted(graph(*(packages or (a(),)), registry=url)), sources=sources(**options))


def only(found: dict[FactKey, CollectedFacts]) -> CollectedFacts:
    (one,) = found.values()
    return one


def absence(fact: object) -> Absence:
    assert isinstance(fact, Missing), fact
    return fact.absence


def test_everything_from_the_network(server: Simulator) -> None:
    found = only(run(server))
    assert isinstance(found.registry, RegistryWord)
    assert (found.registry.published, found.registry.origin) == ("2024-01-01T00:00:00.000Z", Origin.NETWORK)
    assert isinstance(found.tarball, TarballFacts)
    assert (found.tarball.scripts, found.tarball.origin) == ({"postinstall": "node x"}, Origin.NETWORK)
    assert isinstance(found.attestations, AttestationDocument)
    assert (found.attestations.body, found.attestations.origin) == (BUNDLE, Origin.NETWORK)


def test_a_second_time_from_the_cache(server: Simulator, cache: FactCache) -> None:
    """`check` asks the network nothing while the words are young; each fact says where it came from."""
    first = only(run(server, cache=cache, trust_cache=True, word_age=DAY))
    server.requests.clear()
    again = only(run(server, cache=cache, trust_cache=True, word_age=DAY, client=None, now=NOW + DAY / 2))
    assert server.requests == []
    assert isinstance(first.registry, RegistryWord)
    assert again.registry == replace(first.registry, origin=Origin.CACHE)
    assert isinstance(again.tarball, TarballFacts)
    assert again.tarball.origin is Origin.CACHE
    assert isinstance(again.attestations, AttestationDocument)
    assert again.attestations.origin is Origin.CACHE


def test_what_is_doubted_is_asked_for_anew(server: Simulator, cache: FactCache) -> None:
    """Attestations alone, and only those: the answer then replaces what the cache had."""
    run(server, cache=cache, trust_cache=True, word_age=DAY)
    server.requests.clear()
    key = next(iter(run(server, cache=cache, trust_cache=True, word_age=DAY)))
    server.blobs[server.attestations_path("a", "1.0.0")] = other = BUNDLE + b" "
    found = only(run(server, cache=cache, trust_cache=True, word_age=DAY, doubted=frozenset({key})))
    assert [one.path for one in server.requests] == [server.attestations_path("a", "1.0.0")]
    for now in (found, only(run(server, cache=cache, trust_cache=True, word_age=DAY))):
        assert isinstance(now.attestations, AttestationDocument)
        assert now.attestations.body == other


def test_gate_asks_again_and_reads_the_bytes_again(server: Simulator, cache: FactCache) -> None:
    """P26: nothing in the cache counts. An ETag would let the registry confirm a word that it never gave."""
    run(server, cache=cache, trust_cache=True, word_age=DAY)
    server.requests.clear()
    later = NOW + timedelta(hours=1)
    again = only(run(server, cache=cache, now=later))
    assert {one.path for one in server.requests} == {"/a", "/a/-/a-1.0.0.tgz", "/-/npm/v1/attestations/a@1.0.0"}
    assert not any("if-none-match" in one.headers for one in server.requests)
    assert isinstance(again.registry, RegistryWord)
    assert (again.registry.origin, again.registry.asked_at) == (Origin.NETWORK, later)


def test_a_forged_cache_reaches_check_and_not_gate(server: Simulator, cache: FactCache) -> None:
    """P26: what code of the build job wrote into the cache, under the right digests and the registry's own ETag."""
    honest = only(run(server, cache=cache))
    assert isinstance(honest.registry, RegistryWord)
    assert isinstance(honest.tarball, TarballFacts)
    for (row,) in cache._connection.execute("SELECT key FROM fact").fetchall():
        held = cache.get([row])[row]
        if row.startswith("word"):
            _, earlier, etag = load_word(held)
            assert etag is not None
            cache.put({row: dump_word(replace(honest.registry, published="2019-01-01T00:00:00Z"), earlier, etag)})
        elif row.startswith("tarball"):
            cache.put({row: dump_tarball(replace(honest.tarball, scripts={}))})
        else:
            cache.put({row: b'{"attestations": []}'})
    believed = only(run(server, cache=cache, trust_cache=True))
    assert isinstance(believed.tarball, TarballFacts)
    assert believed.tarball.scripts == {}  # `check` is the dry run
    decided = only(run(server, cache=cache))
    assert decided.registry == honest.registry
    assert decided.tarball == honest.tarball
    assert decided.attestations == honest.attestations


def test_an_etag_is_not_sent_where_a_version_is_not_cached(server: Simulator, cache: FactCache) -> None:
    run(server, cache=cache)
    server.requests.clear()
    run(server, cache=cache, trust_cache=True)
    assert ["if-none-match" in one.headers for one in server.asked("/a")] == [True]
    other = tarballs.package("a", "2.0.0")
    server.publish("a", "2.0.0", other)
    server.requests.clear()
    two = package("a", "2.0.0", sha512=tarballs.sha512(other), id="node_modules/b")
    found = run(server, a(), two, cache=cache, trust_cache=True)
    assert all(isinstance(one.registry, RegistryWord) for one in found.values())
    assert ["if-none-match" in one.headers for one in server.asked("/a")] == [False]


def test_an_etag_confirms_only_what_was_read_from_its_answer(server: Simulator, cache: FactCache) -> None:
    """A later look at another version of the package must not make the older word look fresh."""
    run(server, cache=cache)
    other = tarballs.package("a", "2.0.0")
    server.publish("a", "2.0.0", other)
    server.packuments["a"]["versions"]["1.0.0"]["deprecated"] = "bad"
    run(server, package("a", "2.0.0", sha512=tarballs.sha512(other)), cache=cache, trust_cache=True)
    found = only(run(server, cache=cache, trust_cache=True))
    assert isinstance(found.registry, RegistryWord)
    assert found.registry.deprecated == "bad"


def test_what_the_registry_has_no_more_is_not_in_the_cache_either(server: Simulator, cache: FactCache) -> None:
    """CASES T11."""
    run(server, cache=cache)
    del server.packuments["a"]["versions"]["1.0.0"]
    assert absence(only(run(server, cache=cache)).registry) is Absence.ABSENT
    assert absence(only(run(server, cache=cache, offline=True, trust_cache=True)).registry) is Absence.NOT_ASKED


def test_a_broken_proxys_answer_is_not_kept(server: Simulator, cache: FactCache) -> None:
    server.fault("/-/npm/v1/attestations/a@1.0.0", Fault(body=b"<html>please log in</html>"))
    first = only(run(server, cache=cache))
    assert isinstance(first.attestations, AttestationDocument)  # verification will say what it is worth
    again = only(run(server, cache=cache))
    assert isinstance(again.attestations, AttestationDocument)
    assert again.attestations.body == BUNDLE


def test_the_registry_changed_its_mind(server: Simulator, cache: FactCache) -> None:
    run(server, cache=cache)
    server.packuments["a"]["versions"]["1.0.0"]["deprecated"] = "bad"
    found = only(run(server, cache=cache, trust_cache=True))
    assert isinstance(found.registry, RegistryWord)
    assert found.registry.deprecated == "bad"


@pytest.mark.parametrize(
    ("age", "later"),
    [pytest.param(DAY, DAY * 2, id="too old"), pytest.param(DAY, -DAY, id="from the future")],
)
def test_a_cached_word_that_cannot_be_used_is_not_used_when_the_registry_is_down(
    server: Simulator, cache: FactCache, age: timedelta, later: timedelta
) -> None:
    """P6, P33: what was said once is not what is said now; attestations are verified from their bytes all the same."""
    run(server, cache=cache)
    server.fault("/a", Fault(status=503, times=None))
    found = only(run(server, cache=cache, trust_cache=True, word_age=age, now=NOW + later))
    assert absence(found.registry) is Absence.UNREACHABLE
    assert isinstance(found.registry, Missing)
    assert ("2026-03-01" in found.registry.reason) is (later > timedelta(0))
    assert isinstance(found.attestations, AttestationDocument)


def test_a_damaged_entry_is_asked_for_again(server: Simulator, cache: FactCache) -> None:
    run(server, cache=cache, trust_cache=True)
    keys = [row[0] for row in cache._connection.execute("SELECT key FROM fact").fetchall()]
    cache.put(dict.fromkeys(keys, b'{"half": '))
    found = only(run(server, cache=cache, trust_cache=True, word_age=DAY))
    assert isinstance(found.registry, RegistryWord)
    assert found.registry.origin is Origin.NETWORK
    assert isinstance(found.tarball, TarballFacts)


def test_npms_own_cache_needs_no_network(tmp_path: Path) -> None:
    put(tmp_path, TGZ)
    found = only(run(None, npm_cache=tmp_path, offline=True, client=None))
    assert isinstance(found.tarball, TarballFacts)
    assert found.tarball.origin is Origin.CACHE
    assert absence(found.registry) is Absence.NOT_ASKED
    assert absence(found.attestations) is Absence.NOT_ASKED


def test_other_bytes_in_npms_cache_are_not_believed(tmp_path: Path, server: Simulator) -> None:
    """P10: the digest is compared again; npm would fetch it, and so do we."""
    put(tmp_path, tarballs.package("a", "1.0.0"), tarballs.sha512(TGZ))
    assert absence(only(run(None, npm_cache=tmp_path, offline=True)).tarball) is Absence.NOT_ASKED
    found = only(run(server, npm_cache=tmp_path))
    assert isinstance(found.tarball, TarballFacts)
    assert found.tarball.origin is Origin.NETWORK


def test_yarns_own_cache_needs_no_network(tmp_path: Path) -> None:
    resolved = put_yarn(tmp_path, "a", "1.0.0", TGZ, "https://registry.yarnpkg.com/a/-/a-1.0.0.tgz")
    found = only(run(None, a(resolved=resolved), yarn_cache=tmp_path, offline=True, client=None))
    assert isinstance(found.tarball, TarballFacts)
    assert (found.tarball.scripts, found.tarball.origin) == ({"postinstall": "node x"}, Origin.CACHE)


def test_other_bytes_in_one_cache_are_not_believed_and_the_other_is_read(tmp_path: Path) -> None:
    """P10."""
    other = tarballs.package("a", "1.0.0")
    resolved = put_yarn(tmp_path / "yarn", "a", "1.0.0", other, "https://registry.yarnpkg.com/a/-/a-1.0.0.tgz")
    caches: dict[str, Any] = {"npm_cache": tmp_path / "npm", "yarn_cache": tmp_path / "yarn", "offline": True}
    assert absence(only(run(None, a(resolved=resolved), **caches)).tarball) is Absence.NOT_ASKED
    put(tmp_path / "npm", TGZ)
    assert isinstance(only(run(None, a(resolved=resolved), **caches)).tarball, TarballFacts)
    put(tmp_path / "npm", other, tarballs.sha512(TGZ))
    again = put_yarn(tmp_path / "yarn", "a", "1.0.0", TGZ, "https://registry.yarnpkg.com/a/-/a-1.0.0.tgz")
    assert isinstance(only(run(None, a(resolved=again), **caches)).tarball, TarballFacts)


@pytest.mark.parametrize(("owner", "folder"), [("npm", "_cacache"), ("yarn", "v6")])
def test_a_cache_that_cannot_be_looked_into_is_an_error(tmp_path: Path, owner: str, folder: str) -> None:
    """P1: one that is not there holds nothing; of one that is there and cannot be read nobody knows what it holds."""
    resolved = "https://registry.yarnpkg.com/a/-/a-1.0.0.tgz#" + "a" * 40
    caches: dict[str, Any] = {f"{owner}_cache": tmp_path, "offline": True}
    assert absence(only(run(None, a(resolved=resolved), **caches)).tarball) is Absence.NOT_ASKED
    (tmp_path / folder).symlink_to(tmp_path / folder)  # leads to itself: no more readable for root than for others
    with pytest.raises(FetchError, match=f"{owner}'s cache cannot be read"):
        run(None, a(resolved=resolved), **caches)


def test_offline_with_the_fact_cache(server: Simulator, cache: FactCache) -> None:
    """CASES T18: `check` may use what it has seen, with its date; `gate` may not."""
    run(server, cache=cache)
    late = {"cache": cache, "offline": True, "client": None, "now": NOW + DAY * 30}
    found = only(run(server, **late, trust_cache=True))
    assert isinstance(found.registry, RegistryWord)
    assert found.registry.asked_at == NOW
    assert isinstance(found.tarball, TarballFacts)
    strict = only(run(server, **late))
    assert absence(strict.registry) is Absence.NOT_ASKED
    assert absence(strict.tarball) is Absence.NOT_ASKED
    assert isinstance(strict.attestations, AttestationDocument)  # verified again from its bytes


def test_nothing_known_offline() -> None:
    found = only(run(None, offline=True, client=None))
    assert {absence(one) for one in (found.registry, found.tarball, found.attestations)} == {Absence.NOT_ASKED}


@pytest.mark.parametrize(
    ("faults", "registry", "tarball", "attestations"),
    [
        pytest.param({}, None, None, None, id="none"),
        pytest.param({"/a": Fault(status=404)}, Absence.ABSENT, None, Absence.UNREACHABLE, id="no such package"),
        pytest.param(
            {"/a": Fault(drop=True, times=None)}, Absence.UNREACHABLE, None, Absence.UNREACHABLE, id="packument dropped"
        ),
        pytest.param({"/a": Fault(body=b"{")}, Absence.MALFORMED, None, Absence.UNREACHABLE, id="bad JSON"),
        pytest.param({"/a": Fault(encoding="gzip")}, Absence.MALFORMED, None, Absence.UNREACHABLE, id="wrong encoding"),
        pytest.param(
            {"/-/npm/v1/attestations/a@1.0.0": Fault(status=404)},
            None,
            None,
            Absence.ADVERTISED_MISSING,
            id="404 after advertising",
        ),
        pytest.param(
            {"/-/npm/v1/attestations/a@1.0.0": Fault(status=500, times=None)},
            None,
            None,
            Absence.UNREACHABLE,
            id="attestations down",
        ),
        pytest.param(
            {"/-/npm/v1/attestations/a@1.0.0": Fault(truncate=3, times=None)},
            None,
            None,
            Absence.UNREACHABLE,
            id="attestations truncated",
        ),
        pytest.param({"/a/-/a-1.0.0.tgz": Fault(body=b"other bytes")}, None, Absence.MISMATCH, None, id="wrong bytes"),
        pytest.param({"/a/-/a-1.0.0.tgz": Fault(status=404)}, None, Absence.ADVERTISED_MISSING, None, id="no tarball"),
        pytest.param({"/a/-/a-1.0.0.tgz": Fault(truncate=9, times=1)}, None, None, None, id="tarball truncated once"),
        pytest.param(
            {"/a": Fault(status=429, headers={"retry-after": "1"}, times=2)}, None, None, None, id="429 twice"
        ),
    ],
)
def test_one_packages_failure_stops_nobody(
    server: Simulator,
    faults: dict[str, Fault],
    registry: Absence | None,
    tarball: Absence | None,
    attestations: Absence | None,
) -> None:
    """P35 and P6: each failure is a value of its own kind, and the other package has all its facts."""
    other = tarballs.package("b", "1.0.0")
    server.publish("b", "1.0.0", other, attestations=BUNDLE)
    for path, fault in faults.items():
        server.fault(path, fault)
    found = run(server, a(), package("b", "1.0.0", sha512=tarballs.sha512(other)))
    mine, theirs = found[min(found)], found[max(found)]
    for fact, expected in ((mine.registry, registry), (mine.tarball, tarball), (mine.attestations, attestations)):
        assert (fact.absence if isinstance(fact, Missing) else None) == expected
    assert not any(isinstance(one, Missing) for one in (theirs.registry, theirs.tarball, theirs.attestations))


@pytest.mark.parametrize(
    ("signs", "signatures", "expected"),
    [
        pytest.param(True, None, Absence.ABSENT, id="signed, not attested"),
        pytest.param(False, None, Absence.NOT_SERVED, id="a mirror"),
    ],
)
def test_none_and_not_served_are_apart(signs: bool, signatures: object, expected: Absence) -> None:
    """CASES V32."""
    with Simulator(signs=signs) as server:
        server.publish("a", "1.0.0", TGZ, attestations=None if signs else BUNDLE)
        assert absence(only(run(server)).attestations) is expected


def test_evidence_of_any_version_counts(server: Simulator) -> None:
    """A version without signature, in a package whose other versions are attested, is absent and not "not served"."""
    data = tarballs.package("a", "2.0.0")
    server.publish("a", "2.0.0", data, signatures=[])
    found = only(run(server, package("a", "2.0.0", sha512=tarballs.sha512(data))))
    assert absence(found.attestations) is Absence.ABSENT


def test_an_unpublished_version(server: Simulator) -> None:
    """CASES T11."""
    found = only(run(server, package("a", "9.9.9", sha512=tarballs.sha512(TGZ))))
    assert absence(found.registry) is Absence.ABSENT
    assert absence(found.attestations) is Absence.UNREACHABLE
    assert absence(found.tarball) is Absence.ADVERTISED_MISSING


@pytest.mark.parametrize(
    "resolved",
    [
        "https://evil.example/a.tgz",
        "http://127.0.0.1:1/a.tgz",
        "file:///etc/passwd",
        "git+ssh://x/y",
        "http://[::1",
        "",
        "https://x:99999999/",
    ],
)
def test_an_address_elsewhere_is_not_fetched(server: Simulator, resolved: str) -> None:
    found = only(run(server, a(resolved=resolved)))
    assert absence(found.tarball) is Absence.UNREACHABLE
    assert server.asked("/a/-/a-1.0.0.tgz") == []


def test_a_packuments_address_elsewhere_is_not_fetched(server: Simulator) -> None:
    dist = server.packuments["a"]["versions"]["1.0.0"]["dist"]
    dist["attestations"] = {"url": "https://evil.example/x"}
    dist["tarball"] = "https://evil.example/a.tgz"
    found = only(run(server))
    assert absence(found.attestations) is Absence.UNREACHABLE
    assert isinstance(found.tarball, TarballFacts)  # from the registry's own address for it


@pytest.mark.parametrize(
    "resolved",
    [
        None,
        "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
        f"https://registry.yarnpkg.com/a/-/a-1.0.0.tgz#{'a' * 40}",  # yarn's name for the public registry
    ],
)
def test_the_public_host_means_the_configured_registry(resolved: str | None) -> None:
    """npm's replace-registry-host and omit-lockfile-registry-resolved; under a path, as mirrors live."""
    with Simulator(prefix="/npm") as server:
        server.publish("a", "1.0.0", TGZ)
        server.packuments["a"]["versions"]["1.0.0"]["dist"]["tarball"] = "https://registry.npmjs.org/a/-/a-1.0.0.tgz"
        assert isinstance(only(run(server, a(resolved=resolved))).tarball, TarballFacts)


def test_without_sha512_no_tarball_is_read(server: Simulator) -> None:
    found = only(run(server, package("a", "1.0.0", integrity="sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=")))
    assert absence(found.tarball) is Absence.NOT_ASKED
    assert server.asked("/a/-/a-1.0.0.tgz") == []


def test_first_party_is_only_looked_for_on_this_machine(server: Simulator, tmp_path: Path) -> None:
    data = tarballs.package("@acme/x", "1.0.0")
    put(tmp_path, data)
    asked = wanted(
        graph(package("@acme/x", "1.0.0", sha512=tarballs.sha512(data)), registry=server.url), first_party=["@acme"]
    )
    found = only(collect(asked, sources=sources(npm_cache=tmp_path)))
    assert absence(found.registry) is Absence.NOT_APPLICABLE
    assert absence(found.attestations) is Absence.NOT_APPLICABLE
    assert isinstance(found.tarball, TarballFacts)
    assert server.requests == []


def test_recorded_facts_come_first(server: Simulator) -> None:
    first = run(server)
    server.requests.clear()
    again = only(run(server, recorded=facts.loads(facts.dumps(first)), client=None))
    assert isinstance(again.registry, RegistryWord)
    assert isinstance(again.tarball, TarballFacts)
    assert isinstance(again.attestations, AttestationDocument)
    assert {again.registry.origin, again.tarball.origin, again.attestations.origin} == {Origin.RECORDED}
    assert server.requests == []


def test_bytes_at_hand_count_for_more_than_what_was_recorded_of_them(server: Simulator, tmp_path: Path) -> None:
    """P14: not even an accepted recorder can talk a script away where the tarball lies in npm's cache."""
    (key, one), *_ = run(server).items()
    assert isinstance(one.tarball, TarballFacts)
    lies = {key: replace(one, tarball=replace(one.tarball, scripts={}, origin=Origin.RECORDED))}
    believed = only(run(server, recorded=lies, offline=True)).tarball
    assert isinstance(believed, TarballFacts)
    assert (believed.scripts, believed.origin) == ({}, Origin.RECORDED)  # nothing else is known
    put(tmp_path, TGZ)
    read = only(run(server, recorded=lies, offline=True, npm_cache=tmp_path)).tarball
    assert isinstance(read, TarballFacts)
    assert (read.scripts, read.origin) == ({"postinstall": "node x"}, Origin.CACHE)
    put(tmp_path, tarballs.package("a", "1.0.0"), tarballs.sha512(TGZ))  # damaged: as if it were not there
    kept = only(run(server, recorded=lies, offline=True, npm_cache=tmp_path)).tarball
    assert isinstance(kept, TarballFacts)
    assert kept.origin is Origin.RECORDED


def test_a_recorded_word_from_the_future_is_not_taken(server: Simulator) -> None:
    """P14, P17: nobody has asked a registry tomorrow."""
    recorded = facts.loads(facts.dumps(run(server)))
    word = only(run(server, recorded=recorded, offline=True, now=NOW - timedelta(minutes=6))).registry
    assert absence(word) is Absence.NOT_ASKED
    word = only(run(server, recorded=recorded, offline=True, now=NOW - timedelta(minutes=4))).registry
    assert isinstance(word, RegistryWord)


def test_what_recorded_facts_lack_is_asked_for(server: Simulator) -> None:
    missing = Missing(absence=Absence.UNREACHABLE, reason="then")
    recorded = {key: replace(one, registry=missing, attestations=missing) for key, one in run(server).items()}
    found = only(run(server, recorded=recorded))
    assert isinstance(found.registry, RegistryWord)
    assert isinstance(found.tarball, TarballFacts)
    assert (found.registry.origin, found.tarball.origin) == (Origin.NETWORK, Origin.RECORDED)


def test_recorded_facts_of_other_bytes_are_not_taken(server: Simulator) -> None:
    """P14: even signed, facts are about their own sha512."""
    (key, one), *_ = run(server).items()
    assert isinstance(one.tarball, TarballFacts)
    forged = {key: replace(one, tarball=replace(one.tarball, sha512="00" * 64, scripts={}))}
    found = only(run(server, recorded=forged))
    assert isinstance(found.tarball, TarballFacts)
    assert found.tarball.scripts == {"postinstall": "node x"}


def test_the_token_reaches_its_registry_only(server: Simulator) -> None:
    """P40."""
    token = "npm_s3cret"
    server.token = token
    with Simulator() as other:
        other.publish("b", "1.0.0")
        credentials = auth.read(user=f"{server.url.removeprefix('http:')}:_authToken={token}")
        found = collect(
            wanted(
                graph(
                    a(),
                    package("@o/b", "1.0.0", sha512="ab" * 64),
                    registry=server.url,
                    scopes={"@o": other.url},
                )
            ),
            sources=sources(credentials=credentials),
        )
        assert isinstance(found[max(found)].registry, RegistryWord)
        assert other.requests
        assert all("authorization" not in one.headers for one in other.requests)
        assert all(token not in repr(one) for one in found.values())


def test_a_full_disk_while_fetching_is_a_clear_error(server: Simulator, cache: FactCache) -> None:
    """P1: one FetchError with a hint, not a group of them."""
    cache._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(FetchError, match="readonly") as error:
        run(server, cache=cache)
    assert error.value.hint


def test_progress_ends_at_all(server: Simulator) -> None:
    seen: list[tuple[int, int]] = []
    packages = [package(f"p{index}", "1.0.0", sha512=f"{index:02x}" * 64) for index in range(10)]
    collect(wanted(graph(*packages, registry=server.url)), sources=sources(), progress=lambda *now: seen.append(now))
    assert seen[0] == (0, 10)
    assert seen[-1] == (10, 10)
    assert seen == sorted(seen)


def test_same_inputs_same_facts(server: Simulator) -> None:
    """P38."""
    assert facts.dumps(run(server)) == facts.dumps(run(server))


def test_a_client_is_needed_online() -> None:
    with pytest.raises(ValueError, match="client"):
        run(None, client=None)


# --------------------------------------------------------------------------------------------------------------------
# Earlier releases


@pytest.fixture
def history() -> Iterator[Simulator]:
    """1.0.0 and 1.1.0 are attested and old, 1.1.1 is a month younger and is not."""
    with Simulator() as simulator:
        simulator.publish("a", "1.0.0", TGZ, attestations=BUNDLE, published="2025-06-01T00:00:00.000Z")
        simulator.publish("a", "1.1.0", attestations=BUNDLE, published="2026-02-20T00:00:00.000Z", publisher="bob")
        simulator.publish("a", "1.1.1", published="2026-02-21T00:00:00.000Z")
        yield simulator


def updated() -> Package:
    return package("a", "1.1.1", sha512=tarballs.sha512(tarballs.package("a", "1.1.1")))


def measure(server: Simulator, *packages: Package, approved: Any = frozenset(), **options: Any) -> CollectedFacts:
    tree = graph(*(packages or (updated(),)), registry=server.url)
    asked = wanted(tree, measured=measure_parts([(tree, approved)]))
    return collect(asked, sources=sources(**options))[asked[-1].key]


def paths(server: Simulator) -> list[str]:
    return sorted(one.path for one in server.requests)


def test_a_changed_package_is_measured_against_two_earlier_releases(history: Simulator) -> None:
    found = measure(history)
    assert isinstance(found.earlier, tuple)
    assert [(one.version, one.publisher) for one in found.earlier] == [("1.1.0", "bob"), ("1.0.0", "alice")]
    assert all(isinstance(one.attestations, AttestationDocument) for one in found.earlier)
    assert paths(history) == sorted(
        ["/a", "/a/-/a-1.1.1.tgz", history.attestations_path("a", "1.0.0"), history.attestations_path("a", "1.1.0")]
    )


def test_what_was_approved_costs_no_request_more(history: Simulator) -> None:
    """The cost of a small change follows the change."""
    key = wanted(graph(updated(), registry=history.url))[0].key
    assert measure(history, approved={key}).earlier is None
    assert paths(history) == ["/a", "/a/-/a-1.1.1.tgz"]


@pytest.mark.parametrize(("now", "asked"), [(NOW, True), (NOW + 365 * DAY, False)], ids=["young", "old"])
def test_the_first_run_asks_about_the_young(history: Simulator, now: datetime, asked: bool) -> None:
    assert isinstance(measure(history, approved=None, now=now).earlier, tuple) is asked


def test_a_second_check_asks_nothing(history: Simulator, cache: FactCache) -> None:
    options = {"cache": cache, "trust_cache": True, "word_age": DAY}
    first = measure(history, **options)
    history.requests.clear()
    again = measure(history, **options)
    offline = measure(history, **options, offline=True)
    assert history.requests == []
    assert isinstance(first.earlier, tuple)
    for found in (again, offline):
        assert isinstance(found.earlier, tuple)
        assert [one.version for one in found.earlier] == ["1.1.0", "1.0.0"]
        for one, before in zip(found.earlier, first.earlier, strict=True):
            assert isinstance(one.attestations, AttestationDocument)
            assert isinstance(before.attestations, AttestationDocument)
            assert (one.attestations.body, one.attestations.origin) == (before.attestations.body, Origin.CACHE)


def test_the_cache_by_its_etag(history: Simulator, cache: FactCache) -> None:
    measure(history, cache=cache, trust_cache=True, word_age=DAY)
    history.requests.clear()
    found = measure(history, cache=cache, trust_cache=True, now=NOW + DAY)
    assert isinstance(found.earlier, tuple)
    assert paths(history) == ["/a"]


def test_earlier_releases_out_of_reach(history: Simulator) -> None:
    """P6, P35: unreachable is unreachable, and the rest is there."""
    history.fault(f"/{history.attestations_path('a', '1.1.0')[1:]}", Fault(status=503, times=None))
    history.fault(f"/{history.attestations_path('a', '1.0.0')[1:]}", Fault(status=404, times=None))
    found = measure(history)
    assert isinstance(found.earlier, tuple)
    assert [absence(one.attestations) for one in found.earlier] == [Absence.UNREACHABLE, Absence.ADVERTISED_MISSING]
    assert isinstance(found.tarball, TarballFacts)


@pytest.mark.parametrize("fault", [Fault(status=500, times=None), Fault(body=b"[]"), Fault(status=404)])
def test_without_the_registrys_answer_the_history_is_not_known(history: Simulator, fault: Fault) -> None:
    history.fault("/a", fault)
    assert isinstance(measure(history).earlier, Missing)


def test_offline_the_history_is_not_known(history: Simulator) -> None:
    assert absence(measure(history, offline=True).earlier) is Absence.NOT_ASKED


def test_a_mirror_without_evidence() -> None:
    with Simulator(signs=False) as mirror:
        mirror.publish("a", "1.1.0", attestations=BUNDLE)
        mirror.publish("a", "1.1.1", published="2026-02-21T00:00:00.000Z")
        found = measure(mirror)
        assert isinstance(found.earlier, tuple)
        assert [absence(one.attestations) for one in found.earlier] == [Absence.NOT_SERVED]


def test_an_earlier_release_that_is_installed_too_is_asked_for_once(history: Simulator) -> None:
    both = (package("a", "1.0.0", sha512=tarballs.sha512(TGZ), id="node_modules/b/node_modules/a"), updated())
    found = measure(history, *both)
    assert isinstance(found.earlier, tuple)
    assert len(history.asked(history.attestations_path("a", "1.0.0"))) == 1


def test_recorded_history_needs_no_network(history: Simulator) -> None:
    before = measure(history)
    recorded = {before.key: before}
    found = measure(history, recorded=recorded, offline=True)
    assert isinstance(found.earlier, tuple)
    assert {one.attestations.origin for one in found.earlier if isinstance(one.attestations, AttestationDocument)} == {
        Origin.RECORDED
    }
    history.requests.clear()
    found = measure(history, recorded={before.key: replace(before, earlier=None)})
    assert isinstance(found.earlier, tuple)
    assert "/a" in paths(history)  # the word was recorded; what came before it was not


def test_facts_with_a_history_travel(history: Simulator) -> None:
    """P38: the document is read as it was written."""
    for found in (
        measure(history),
        measure(history, offline=True),
        measure(history, approved=None, now=NOW + 365 * DAY),
    ):
        written = facts.dumps({found.key: found})
        assert facts.dumps(facts.loads(written)) == written


def test_what_one_part_had_not_approved_is_measured_for_all() -> None:
    tree = graph(a(), updated())
    old, new = (one.key for one in wanted(tree))
    assert measure_parts([(tree, {old, new}), (tree, {old})]) == {new: Measured.ALWAYS}
    assert measure_parts([(tree, None), (tree, {old})])[new] is Measured.ALWAYS
    assert measure_parts([(tree, {old}), (tree, None)])[old] is Measured.YOUNG
    assert measure_parts([(tree, {old, new})]) == {}
    bare = graph(package("a", "1.0.0"))
    assert set(measure_parts([(bare, {one.key for one in wanted(bare)})]).values()) == {Measured.ALWAYS}
