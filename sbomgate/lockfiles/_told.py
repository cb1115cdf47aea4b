"""The one order of findings, and what is added to a graph that a reader has made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sbomgate.model import DependencyGraph, LockFinding


def order(finding: LockFinding) -> tuple[str, str, str, str, str]:
    """Return what findings are sorted by, so that the same files make the same bytes."""
    return finding.rule, finding.code, finding.package or "", finding.place, finding.message


def told(
    graph: DependencyGraph, findings: Iterable[LockFinding], settings: Mapping[str, str] | None = None
) -> DependencyGraph:
    """Return the graph with these findings as well, and with these among its manager's settings."""
    if more := tuple(findings):
        graph = replace(graph, findings=tuple(sorted((*graph.findings, *more), key=order)))
    if settings:
        every = dict(sorted({**graph.manager.settings, **settings}.items()))
        graph = replace(graph, manager=replace(graph.manager, settings=every))
    return graph
