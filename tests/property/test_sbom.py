"""The SBOM loses nothing, whatever stands in the lockfile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate import sbom
from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, PackageFacts
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


def xml_refusal(write: Callable[[], bytes]) -> InputError | None:
    try:
        write()
    except InputError as error:
        return error
    return None
