"""sbomgate.facts.document: the same facts, the same bytes, and nothing else is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate import facts
from sbomgate.errors import InputError
from sbomgate.facts import document
from sbomgate.model import (
    Absence,
    AttestationDocument,
    BundledManifest,
    CollectedFacts,
    FactKey,
    Missing,
    Origin,
    RegistrySignature,
    RegistryWord,
    TarballFacts,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
MAYBE = st.none() | TEXT
MISSING = st.builds(Missing, absence=st.sampled_from(Absence), reason=TEXT)
TEXTS = st.dictionaries(TEXT, TEXT, max_size=3)
WORD = st.builds(
    RegistryWord,
    registry=TEXT,
    asked_at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    origin=st.sampled_from(Origin),
    published=MAYBE,
    first_published=MAYBE,
    integrity=MAYBE,
    tarball=MAYBE,
    scripts=TEXTS,
    has_install_script=st.none() | st.booleans(),
    signatures=st.lists(st.builds(RegistrySignature, keyid=TEXT, sig=TEXT), max_size=2).map(tuple),
    serves_evidence=st.booleans(),
    attestations_url=MAYBE,
    publisher=MAYBE,
    trusted_publisher=MAYBE,
    maintainers=st.lists(TEXT, max_size=2).map(tuple),
    licence=MAYBE,
    author=MAYBE,
    deprecated=MAYBE,
)
BUNDLED = st.builds(BundledManifest, path=TEXT, name=TEXT, version=TEXT, scripts=TEXTS, gyp=st.booleans())
TARBALL = st.builds(
    TarballFacts,
    sha512=TEXT,
    origin=st.sampled_from(Origin),
    name=TEXT,
    version=TEXT,
    scripts=TEXTS,
    gyp=st.booleans(),
    bundled=st.lists(BUNDLED, max_size=2).map(tuple),
    licence=MAYBE,
    author=MAYBE,
)


def attested(body: bytes, origin: Origin = Origin.NETWORK) -> AttestationDocument:
    import hashlib

    return AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=origin)


COLLECTED = st.builds(
    CollectedFacts,
    key=st.builds(FactKey, name=TEXT, version=TEXT, integrity=TEXT),
    registry=WORD | MISSING,
    tarball=TARBALL | MISSING,
    attestations=st.builds(attested, st.binary(max_size=30), st.sampled_from(Origin)) | MISSING,
)


def by_key(entries: list[CollectedFacts]) -> dict[FactKey, CollectedFacts]:
    return {one.key: one for one in entries}


@settings(max_examples=100, deadline=None)
@given(st.lists(COLLECTED, max_size=4))
def test_there_and_back(entries: list[CollectedFacts]) -> None:
    """P38: what is written is read again, and the order of collecting leaves no trace."""
    collected = by_key(entries)
    data = facts.dumps(collected)
    assert facts.loads(data) == collected
    assert facts.dumps(dict(reversed(collected.items()))) == data
    assert facts.from_document(facts.to_document(collected)) == collected


KEY = FactKey(name="a", version="1.0.0", integrity="sha512-x")
ONE = CollectedFacts(
    key=KEY,
    registry=RegistryWord(
        registry="https://r.example/",
        asked_at=datetime(2026, 3, 1, tzinfo=UTC),
        origin=Origin.NETWORK,
        published="2026-01-01T00:00:00Z",
        first_published=None,
        integrity=None,
        tarball=None,
        scripts={},
        has_install_script=None,
        signatures=(RegistrySignature(keyid="k", sig="s"),),
        serves_evidence=True,
        attestations_url=None,
        publisher=None,
        trusted_publisher=None,
        maintainers=("a",),
        licence=None,
        deprecated=None,
    ),
    tarball=TarballFacts(
        sha512="00",
        origin=Origin.CACHE,
        name="a",
        version="1.0.0",
        scripts={},
        gyp=False,
        bundled=(BundledManifest(path="node_modules/b", name="b", version="1", scripts={}, gyp=False),),
        licence=None,
    ),
    attestations=attested(b"{}"),
)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_it_is_canonical_json() -> None:
    data = facts.dumps({KEY: ONE})
    assert data == canonical(json.loads(data))
    assert json.loads(data)["schema"] == "sbomgate/facts/v1"


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda d: d.update(schema="sbomgate/facts/v2"), "schema"),
        (lambda d: d.pop("schema"), "schema"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.update(facts={}), "facts"),
        (lambda d: d["facts"].append(7), "facts[1]"),
        (lambda d: d["facts"].append(d["facts"][0]), "facts[1]"),
        (lambda d: d["facts"][0].update(extra=1), "facts[0].extra"),
        (lambda d: d["facts"][0].pop("integrity"), "facts[0].integrity"),
        (lambda d: d["facts"][0].update(version=None), "facts[0].version"),
        (lambda d: d["facts"][0].update(registry=None), "facts[0].registry"),
        (lambda d: d["facts"][0]["registry"].update(extra=1), "facts[0].registry.extra"),
        (lambda d: d["facts"][0]["registry"].update(published=7), "facts[0].registry.published"),
        (lambda d: d["facts"][0]["registry"].pop("published"), "facts[0].registry.published"),
        (lambda d: d["facts"][0]["registry"].update(asked_at="2026-03-01T00:00:00"), "facts[0].registry.asked_at"),
        (lambda d: d["facts"][0]["registry"].update(serves_evidence="yes"), "facts[0].registry.serves_evidence"),
        (lambda d: d["facts"][0]["registry"].update(scripts={"a": 1}), "facts[0].registry.scripts"),
        (lambda d: d["facts"][0]["registry"].update(maintainers=[1]), "facts[0].registry.maintainers"),
        (lambda d: d["facts"][0]["registry"].update(origin="heaven"), "facts[0].registry.origin"),
        (lambda d: d["facts"][0]["registry"]["signatures"][0].update(x=1), "facts[0].registry.signatures[0].x"),
        (lambda d: d["facts"][0]["tarball"]["bundled"][0].pop("gyp"), "facts[0].tarball.bundled[0].gyp"),
        (lambda d: d["facts"][0].update(tarball={"missing": "gone", "reason": ""}), "facts[0].tarball.missing"),
        (lambda d: d["facts"][0].update(tarball={"missing": "absent"}), "facts[0].tarball.reason"),
        (lambda d: d["facts"][0]["tarball"].update(missing="absent", reason=""), "facts[0].tarball"),
        (lambda d: d["facts"][0]["attestations"].update(body="e30"), "facts[0].attestations.body"),
        (lambda d: d["facts"][0]["attestations"].update(body="e31="), "facts[0].attestations.body"),
        (lambda d: d["facts"][0]["attestations"].update(body="AAA="), "facts[0].attestations.sha256"),
        (lambda d: d["facts"][0]["attestations"].update(sha256="00"), "facts[0].attestations.sha256"),
    ],
)
def test_anything_else_is_refused_with_its_place(change: Change, place: str) -> None:
    """P1."""
    value = json.loads(facts.dumps({KEY: ONE}))
    change(value)
    with pytest.raises(InputError) as error:
        facts.loads(canonical(value), where="facts.json")
    assert error.value.place.startswith(place)
    assert error.value.where == "facts.json"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda data: data.replace(b'"schema"', b'"schema":"sbomgate/facts/v1","schema"'), id="doubled key"
        ),
        pytest.param(lambda data: data + b"\n", id="line end"),
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="byte order mark"),
        pytest.param(lambda data: data.replace(b":", b": ", 1), id="blank"),
        pytest.param(lambda data: data.replace(b'"gyp":false,"licence"', b'"licence"', 1), id="field gone"),
        pytest.param(lambda data: data[:-1], id="cut"),
        pytest.param(lambda data: data.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"[]", id="list"),
        pytest.param(lambda _: b'{"schema":' + b"[" * 100_000, id="deep"),
    ],
)
def test_only_the_canonical_form_is_read(change: Callable[[bytes], bytes]) -> None:
    """P1, P10: one document has one form, so no two readers see two."""
    with pytest.raises(InputError):
        facts.loads(change(facts.dumps({KEY: ONE})))


def test_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    monkeypatch.setattr(document, "MAX_DOCUMENT_BYTES", 10)
    with pytest.raises(InputError, match="limit"):
        facts.loads(facts.dumps({KEY: ONE}))


def test_recorded_says_so_everywhere() -> None:
    found = facts.recorded({KEY: ONE})[KEY]
    for fact in (found.registry, found.tarball, found.attestations):
        assert not isinstance(fact, Missing)
        assert fact.origin is Origin.RECORDED


def test_an_unsigned_document_keeps_only_what_is_verified_again() -> None:
    """P14."""
    found = facts.unsigned({KEY: ONE})[KEY]
    assert isinstance(found.registry, Missing)
    assert isinstance(found.tarball, Missing)
    assert isinstance(found.attestations, AttestationDocument)
