"""What the harnesses of the lockfile formats share: an input is a project, with what lies beside its lockfile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fuzz.inputs import FIXTURES, folder, unpack
from sbomgate import lockfiles, purl
from sbomgate.project import MemoryFiles


def seeds_of(*patterns: str) -> Callable[[], Iterator[tuple[str, bytes]]]:
    """Return the `seeds` of a harness: real locks of every version, found below the fixtures by these patterns."""

    def seeds() -> Iterator[tuple[str, bytes]]:
        for pattern in patterns:
            for found in sorted(FIXTURES.glob(pattern)):
                yield found.parent.name, folder(found.parent)

    return seeds


def read(data: bytes) -> object:
    """Read the project."""
    graph = lockfiles.read(MemoryFiles(unpack(data)))
    for package in graph.packages:
        purl.of(package)
    return graph
