"""A difference is complete, and holds nothing that does not differ, for any two graphs."""

from __future__ import annotations

from hypothesis import given, settings

from sbomgate import diff
from sbomgate.model import DependencyGraph
from sbomgate.report import diff_json, diff_markdown, diff_text
from testkit.strategies import graphs


@given(graphs())
@settings(max_examples=25, deadline=None)
def test_nothing_differs_from_itself(graph: DependencyGraph) -> None:
    assert diff.diff(graph, graph).empty


@given(graphs(), graphs())
@settings(max_examples=50, deadline=None)
def test_applied_to_one_it_gives_the_other(before: DependencyGraph, after: DependencyGraph) -> None:
    """P4: every package and every edge of both sides is accounted for."""
    found = diff.diff(before, after)
    old, new = diff.packages(before), diff.packages(after)
    applied = dict(old)
    for state in (*found.removed, *(change.before for change in found.updated)):
        del applied[state.name, state.version]
    for state in (*found.new, *found.added, *(change.after for change in found.updated)):
        assert (state.name, state.version) not in applied
        applied[state.name, state.version] = state
    for change in (*found.other_bytes, *found.altered):
        applied[change.after.name, change.after.version] = change.after
    assert applied.keys() == new.keys()
    assert all(applied[key].integrities == state.integrities for key, state in new.items())
    edges = dict(diff.edges(before))
    for edge in found.edges_removed:
        del edges[edge.source, edge.target]
    for edge in found.edges_added:
        assert (edge.source, edge.target) not in edges
        edges[edge.source, edge.target] = edge
    for moved in found.edges_changed:
        edges[moved.after.source, moved.after.target] = moved.after
    assert edges.keys() == diff.edges(after).keys()
    assert found.empty == (diff_json.render(found).find('"differs": false') >= 0)
    assert diff_text.render(found)
    assert diff_markdown.render(found)


@given(graphs(), graphs())
@settings(max_examples=25, deadline=None)
def test_the_other_way_round(one: DependencyGraph, two: DependencyGraph) -> None:
    forth, back = diff.diff(one, two), diff.diff(two, one)
    arrived = sorted((state.name, state.version) for state in (*forth.new, *forth.added))
    assert len(arrived) == len(back.removed)
    assert len(forth.updated) == len(back.updated)
    assert len(forth.other_bytes) == len(back.other_bytes)
    assert forth.edges_added == back.edges_removed
