"""The ledger of looks (CASES C08): what was not there when we looked is not as old as the registry says now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sbomgate import ledger, version_set
from sbomgate.errors import EvidenceError, InputError
from sbomgate.ledger import Ledger
from sbomgate.model import Absence, CollectedFacts, FactKey, Missing, Origin, RegistryWord, Sighting

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REGISTRY = "https://registry.example/"
MISSING = Missing(absence=Absence.UNREACHABLE, reason="down")


def look(
    versions: list[str], *, days_ago: float = 0, version: str = "1.0.0", name: str = "a", registry: str = REGISTRY
) -> CollectedFacts:
    word = RegistryWord(
        registry=registry,
        asked_at=NOW - timedelta(days=days_ago),
        origin=Origin.NETWORK,
        published=None,
        first_published=None,
        integrity=None,
        tarball=None,
        scripts={},
        has_install_script=None,
        signatures=(),
        serves_evidence=False,
        attestations_url=None,
        publisher=None,
        trusted_publisher=None,
        maintainers=(),
        licence=None,
        deprecated=None,
        versions=version_set.encode(versions),
    )
    return CollectedFacts(
        key=FactKey(name=name, version=version, integrity="x"), registry=word, tarball=MISSING, attestations=MISSING
    )


def after(*looks: CollectedFacts) -> Ledger:
    found: Ledger = {}
    for one in looks:
        found = ledger.update(found, [one], now=NOW)
    return found


def seen(found: Ledger, version: str, **more: str) -> Sighting | None:
    one = look(["1.0.0"], version=version, **more)  # type: ignore[arg-type]
    return ledger.sightings(found, [one]).get(one.key)


def days(absent: float, present: float) -> Sighting:
    return Sighting(absent=NOW - timedelta(days=absent), seen=NOW - timedelta(days=present))


def test_what_was_there_at_the_first_look_has_no_history() -> None:
    found = after(look(["1.0.0", "1.0.1"], days_ago=3))
    assert seen(found, "1.0.0") is None
    assert seen(found, "9.9.9") is None


def test_what_appears_was_not_there_before() -> None:
    found = after(look(["1.0.0"], days_ago=3), look(["1.0.0", "1.0.1"], days_ago=1), look(["1.0.0", "1.0.1"]))
    assert seen(found, "1.0.1") == days(3, 1)
    assert seen(found, "1.0.0") is None


def test_the_last_look_without_it_counts() -> None:
    found = after(look(["1.0.0"], days_ago=3), look(["1.0.0"], days_ago=2), look(["1.0.0", "1.0.1"], days_ago=1))
    assert seen(found, "1.0.1") == days(2, 1)


def test_what_went_and_came_back_is_new() -> None:
    found = after(
        look(["1.0.0"], days_ago=9),
        look(["1.0.0", "1.0.1"], days_ago=8),
        look(["1.0.0"], days_ago=7),
        look(["1.0.0", "1.0.1"], days_ago=6),
    )
    assert seen(found, "1.0.1") == days(7, 6)


def test_a_look_that_is_not_newer_changes_nothing() -> None:
    """A cached or recorded answer of before the last look, or of the same second."""
    first = after(look(["1.0.0"], days_ago=3))
    for days_ago in (3, 5):
        assert ledger.update(first, [look(["1.0.0", "1.0.1"], days_ago=days_ago)], now=NOW) == first


def test_each_registry_and_name_has_its_own_entry() -> None:
    found = after(look(["1.0.0"], days_ago=3), look(["1.0.0", "1.0.1"], registry="https://mirror.example/"))
    assert seen(found, "1.0.1", registry="https://mirror.example/") is None
    assert seen(after(look(["1.0.0"], days_ago=3), look(["1.0.0", "1.0.1"], name="b")), "1.0.1", name="b") is None


def test_the_newest_of_several_answers_counts_whatever_their_order() -> None:
    looks = [look(["1.0.0"], days_ago=2, version="1.0.0"), look(["1.0.0", "1.0.1"], version="1.0.1")]
    assert ledger.update({}, looks, now=NOW) == ledger.update({}, looks[::-1], now=NOW)


def test_what_was_not_looked_at_stays() -> None:
    first = after(look(["1.0.0"], days_ago=3))
    nothing = CollectedFacts(
        key=FactKey(name="a", version="1.0.0", integrity="x"), registry=MISSING, tarball=MISSING, attestations=MISSING
    )
    assert ledger.update(first, [nothing], now=NOW) == first
    assert ledger.sightings(first, [nothing]) == {}
    assert ledger.update(first, [look([])], now=NOW) == first


def test_old_entries_go() -> None:
    found = after(look(["1.0.0"], days_ago=3))
    assert ledger.update(found, [], now=NOW + timedelta(days=370)) == {}
    found = after(look(["1.0.0"], days_ago=3), look(["1.0.0", "1.0.1"], days_ago=2))
    later = ledger.update(found, [look(["1.0.0", "1.0.1"], days_ago=-365)], now=NOW + timedelta(days=365))
    assert seen(later, "1.0.1") is None


def test_p38_written_and_read_again() -> None:
    found = after(look(["1.0.0"], days_ago=3), look(["1.0.0", "1.0.1"], days_ago=2), look(["7.0.0"], name="@s/é"))
    data = ledger.dumps(found)
    assert ledger.loads(data) == found
    assert ledger.dumps(dict(reversed(list(found.items())))) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"registries":{},"schema":"sbomgate/ledger/v9"}',
        b'{"registries":{}, "schema":"sbomgate/ledger/v1"}',
        b'{"more":1,"registries":{},"schema":"sbomgate/ledger/v1"}',
        b'{"registries":{"r":{"a":["2026-01-01T00:00:00","1.0.0",[]]}},"schema":"sbomgate/ledger/v1"}',
        b'{"registries":{"r":{"a":["2026-01-01T00:00:00Z",1,[]]}},"schema":"sbomgate/ledger/v1"}',
        b'{"registries":{"r":{"a":["2026-01-01T00:00:00Z","1.0.0",[[1,2]]]}},"schema":"sbomgate/ledger/v1"}',
        b'{"registries":{"r":[]},"schema":"sbomgate/ledger/v1"}',
    ],
)
def test_what_is_no_ledger(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="ledger"):
        ledger.loads(data)


def test_a_list_of_versions_that_is_none() -> None:
    from dataclasses import replace

    one = look(["1.0.0"])
    assert isinstance(one.registry, RegistryWord)
    hostile = replace(one, registry=replace(one.registry, versions="1.0.0..999999999999999"))
    with pytest.raises(InputError, match="100000"):
        ledger.update(after(look(["1.0.0"], days_ago=3)), [hostile], now=NOW)
