"""An SBOM is written some components at a time: its bytes are those of the whole document."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sbomgate import sbom
from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind, Lockfile, ManagerSettings, Package

NAMES = [f"p-{number:03}" for number in range(200)]


def graph() -> DependencyGraph:
    return DependencyGraph(
        lockfile=Lockfile(path="package-lock.json", kind="npm", version="3", sha256="0" * 64, size=1),
        manager=ManagerSettings(name="npm", registry="https://registry.npmjs.org/", scopes={}, settings={}, files={}),
        packages=(
            Package(id="", name="large", version="1.0.0", kind=Kind.ROOT),
            *(
                Package(id=f"node_modules/{name}", name=name, version="1.0.0", kind=Kind.REGISTRY, direct=True)
                for name in NAMES
            ),
        ),
        edges=tuple(
            Edge(source="", target=f"node_modules/{name}", name=name, kind=EdgeKind.PROD, range="1.0.0", satisfied=True)
            for name in NAMES
        ),
        findings=(),
    )


@pytest.mark.parametrize("count", [1, 2, 64, 65, 66, 129, 201])
def test_written_in_parts_and_as_a_whole(count: int) -> None:
    """P38: the same bytes either way, whatever the number of components is to that of a part."""
    whole = graph()
    kept = whole.packages[:count]
    ids = {package.id for package in kept}
    one = replace(whole, packages=kept, edges=tuple(edge for edge in whole.edges if edge.target in ids))
    data = sbom.write(one, {}, timestamp=None, tool_version="0")
    made = sbom.make(one, {}, timestamp=None, tool_version="0")
    assert data == made.data
    assert sbom.read(data) == made
    assert made.graph == one


def test_half_a_character_far_down_is_refused_with_its_place() -> None:
    whole = graph()
    bad = replace(whole.packages[150], deprecated="\ud800")
    one = replace(whole, packages=(*whole.packages[:150], bad, *whole.packages[151:]))
    with pytest.raises(InputError, match="half of a surrogate pair") as refused:
        sbom.write(one, {}, timestamp=None, tool_version="0")
    assert "components[149]" in str(refused.value)
