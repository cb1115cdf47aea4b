"""yarn 1's lockfile, .yarnrc and .npmrc."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.inputs import FIXTURES, folder, unpack
from sbomgate import lockfiles, purl
from sbomgate.project import MemoryFiles


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return real locks of every version, with what lies beside them."""
    for pattern in ("every-source/yarn-*/yarn.lock",):
        for found in sorted(FIXTURES.glob(pattern)):
            yield found.parent.name, folder(found.parent)


def read(data: bytes) -> object:
    """Read the project."""
    graph = lockfiles.read(MemoryFiles(unpack(data)))
    for package in graph.packages:
        purl.of(package)
    return graph
