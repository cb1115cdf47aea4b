"""The SBOM loses nothing, whatever stands in the lockfile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate import sbom
from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, PackageFacts, Sbom
from testkit.schema import errors, xml_errors
from testkit.strategies import FACTS, graphs

QUIET = settings(max_examples=80)


@QUIET
@given(graphs(), st.lists(FACTS, max_size=3), st.booleans(), st.sampled_from(sbom.SPEC_VERSIONS))
def test_round_trip(graph: DependencyGraph, all_facts: list[PackageFacts], timed: bool, version: str) -> None:
    """Law 1, P38: graph and facts come back as they were, the bytes are the same, and the official schema holds."""
    facts = {package.id: fact for package, fact in zip(graph.packages, all_facts, strict=False)}
    timestamp = datetime(2026, 11, 20, tzinfo=UTC) if timed else None

    def write(xml: bool = False) -> bytes:
        return sbom.write(graph, facts, timestamp=timestamp, tool_version="0", spec_version=version, xml=xml)

    data = write()
    assert data == write()
    read = sbom.read(data)
    assert read.graph == graph
    assert read.facts == facts
    if version == sbom.SPEC_VERSION:
        assert sbom.make(graph, facts, timestamp=timestamp, tool_version="0") == read
    assert errors(data, version) == []
    refused = xml_refusal(lambda: write(xml=True))
    if refused is None:
        assert xml_errors(write(xml=True), version) == []
    else:  # what XML cannot hold is refused, and nothing else is
        assert "cannot stand in XML 1.0" in refused.message
        assert refused.place


ADDRESSES = st.sampled_from(
    [
        "https://somebody:secret@npm.acme.test/a/-/a-1.0.0.tgz?token=1#x",
        "http://npm.acme.test/a/-/a-1.0.0.tgz#" + "b" * 40,
        "git+ssh://somebody@host.test:o/r.git#main?x",
        "git@github.com:o/r.git",
        "file:///home/somebody/a.tgz",
        "/home/somebody/a",
        "C:\\Users\\somebody\\a",
        "github:somebody:token@o/r#main",
        "",
    ]
)
TIMES = st.none() | st.datetimes(
    min_value=datetime(2010, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]),
)


@st.composite
def hostile_graphs(draw: st.DrawFn) -> DependencyGraph:
    """Return a graph with what an SBOM leaves out, and perhaps with what it cannot hold."""
    graph = draw(graphs())
    packages = [
        replace(package, resolved=draw(st.none() | ADDRESSES), withheld=draw(st.booleans()))
        if draw(st.booleans())
        else package
        for package in graph.packages
    ]
    if draw(st.integers(0, 9)) == 0:
        packages.append(draw(st.sampled_from(packages)))  # an id twice
    if draw(st.integers(0, 9)) == 0:
        packages[-1] = replace(packages[-1], line=draw(st.sampled_from([-1, 0, 10**9 - 1, 10**9])))
    draw(st.randoms()).shuffle(packages)
    edges = [replace(edge, range=draw(ADDRESSES)) if draw(st.booleans()) else edge for edge in graph.edges]
    if edges and draw(st.integers(0, 4)) == 0:
        nowhere = "node_modules/nowhere"
        edges.append(replace(edges[0], source=nowhere) if draw(st.booleans()) else replace(edges[0], target=nowhere))
    draw(st.randoms()).shuffle(edges)
    urls = st.dictionaries(st.sampled_from(["@b", "@a"]), ADDRESSES)
    manager = replace(graph.manager, registry=draw(ADDRESSES), scopes=draw(urls), settings=draw(urls), files=draw(urls))
    lockfile = graph.lockfile
    if draw(st.integers(0, 9)) == 0:
        lockfile = replace(lockfile, size=draw(st.sampled_from([-1, 0, 10**15 - 1, 10**15])))
    return replace(graph, packages=tuple(packages), edges=tuple(edges), manager=manager, lockfile=lockfile)


@st.composite
def hostile_facts(draw: st.DrawFn) -> PackageFacts:
    """Return facts with what an SBOM spells in another way."""
    facts = draw(FACTS)
    time, first, absent, seen = (draw(TIMES) for _ in range(4))
    return replace(
        facts,
        publish=replace(facts.publish, time=time, first=first, absent=absent, seen=seen),
        publish_attestation=replace(facts.publish_attestation, log_time=draw(TIMES)),
        registry=draw(st.none() | ADDRESSES),
    )


@settings(max_examples=40)
@given(hostile_graphs(), st.lists(hostile_facts(), max_size=3))
def test_made_is_what_would_be_read(graph: DependencyGraph, all_facts: list[PackageFacts]) -> None:
    """Law 1: what is decided on is what the SBOM states, in its order, whatever it leaves out; refused alike (P40)."""
    facts = {package.id: fact for package, fact in zip(graph.packages, all_facts, strict=False)}
    if all_facts:
        facts["node_modules/nowhere"] = all_facts[0]

    def read() -> Sbom:
        return sbom.read(sbom.write(graph, facts, timestamp=None, tool_version="0"))

    def make() -> Sbom:
        return sbom.make(graph, facts, timestamp=None, tool_version="0")

    expected, found = outcome(read), outcome(make)
    assert (expected is None) == (found is None)
    if expected is not None and found is not None:
        assert found == expected
        assert repr(found.graph) == repr(expected.graph)
        assert order(found) == order(expected)


def outcome(made: Callable[[], Sbom]) -> Sbom | None:
    """Return what is made, or None where it is refused."""
    try:
        return made()
    except InputError:
        return None


def order(made: Sbom) -> list[tuple[str, list[str], list[str]]]:
    """Return in which order the facts stand, which equal mappings do not tell: what is written from them follows it."""
    return [(id_, list(facts.scripts.scripts), list(facts.scripts.files)) for id_, facts in made.facts.items()]


def xml_refusal(write: Callable[[], bytes]) -> InputError | None:
    try:
        write()
    except InputError as error:
        return error
    return None
