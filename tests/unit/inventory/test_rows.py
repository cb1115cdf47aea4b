"""An SBOM as rows: every package once, copies together, and what an address names beside what the entry says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sbomgate.inventory import rows as inventory_rows
from sbomgate.inventory.rows import COLUMNS, Build
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind
from sbomgate.policy import lists
from testkit import sboms
from testkit.graphs import graph, package

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def made(of: DependencyGraph, facts: Any = None) -> tuple[Build, list[dict[str, Any]]]:
    build = inventory_rows.of_sbom(of, "ab" * 32, made=NOW)
    return build, inventory_rows.rows(build, of, facts or {}, lists.addressed)


def edge(source: str, target: str, name: str) -> Edge:
    return Edge(source=source, target=target, name=name, kind=EdgeKind.PROD, range="*")


LOCKS = sorted(
    path.parent.relative_to(sboms.FIXTURES).as_posix() for path in sboms.FIXTURES.glob("npm/*/package-lock.json")
)


@pytest.mark.parametrize("fixture", LOCKS)
def test_p4_every_package_is_there(fixture: str) -> None:
    """P4: what the lockfile holds is what is found, whatever its kind."""
    whole = sboms.fixture(fixture)
    _, found = made(whole, sboms.facts_of(whole))
    assert found[0]["name"] == ""
    assert {(row["name"], row["version"]) for row in found[1:] if row["called"] is None} == {
        (p.name or "(unnamed)", p.version) for p in whole.packages if p.kind is not Kind.ROOT
    }
    assert all(set(row) <= set(COLUMNS) for row in found)


def test_copies_are_one_row_with_the_shortest_way() -> None:
    whole = graph(
        package("a", "1.0.0", direct=True),
        package("b", "1.0.0", id="node_modules/b", dev=True),
        package("b", "1.0.0", id="node_modules/a/node_modules/b", direct=True),
        package("b", "2.0.0", id="node_modules/c/node_modules/b"),
    )
    object.__setattr__(
        whole,
        "edges",
        (
            edge("", "node_modules/a", "a"),
            edge("node_modules/a", "node_modules/a/node_modules/b", "b"),
            edge("", "node_modules/b", "b"),
        ),
    )
    _, (_, a, one, two) = made(whole)
    assert (a["path"], one["path"], two["path"]) == (["a"], ["b"], None)
    assert (one["version"], one["direct"], one["dev"]) == ("1.0.0", True, False)
    assert two["version"] == "2.0.0"


def test_other_bytes_of_one_version_are_another_row() -> None:
    whole = graph(
        package("a", "1.0.0", sha512="11" * 64),
        package("a", "1.0.0", sha512="22" * 64, id="node_modules/b/node_modules/a"),
    )
    assert len({row["integrity"] for row in made(whole)[1][1:]}) == 2


def test_an_entry_is_found_by_what_its_address_names() -> None:
    """CASES A05, A10: an entry that lies about its name."""
    evil = "https://registry.npmjs.org/evil/-/evil-6.6.6.tgz"
    whole = graph(
        package("nice", "1.0.0", resolved=evil),
        package("own", "1.0.0", resolved=evil, kind=Kind.WORKSPACE),
        package("same", "1.0.0", resolved="https://registry.npmjs.org/same/-/same-1.0.0.tgz"),
    )
    found = [(row["name"], row["version"], row["called"]) for row in made(whole)[1][1:]]
    assert found == [
        ("evil", "6.6.6", "nice@1.0.0"),
        ("nice", "1.0.0", None),
        ("own", "1.0.0", None),
        ("same", "1.0.0", None),
    ]


NPM = "https://registry.npmjs.org/"
REGISTRIES = {
    "the settings' word": (None, "a", NPM),
    "the public address stands for the one that is configured": (f"{NPM}a/-/a-1.0.0.tgz", "a", NPM),
    "another registry": (
        "https://me:secret@NPM.corp.example/npm/a/-/a-1.0.0.tgz?x",
        "a",
        "https://npm.corp.example/npm/",
    ),
    "a scope, escaped": ("https://npm.corp.example/@s%2fa/-/a-1.0.0.tgz", "@s/a", "https://npm.corp.example/"),
    "an address that is no registry's": ("https://files.corp.example/a-1.0.0.tgz", "a", None),
    "another package's address": ("https://npm.corp.example/b/-/b-1.0.0.tgz", "a", None),
    "no URL": ("https://[/a", "a", None),
    "a path": ("file:a.tgz", "a", NPM),
}


@pytest.mark.parametrize(("address", "name", "registry"), REGISTRIES.values(), ids=REGISTRIES)
def test_the_registry_is_the_one_that_the_lockfile_leads_to(
    address: str | None, name: str, registry: str | None
) -> None:
    """A private package whose address names its registry is never taken for one of the public registry."""
    rows = made(graph(package(name, "1.0.0", resolved=address)))[1]
    (found,) = [row["registry"] for row in rows[1:] if row["called"] is None]
    assert found == registry


def test_a_package_without_a_name_is_not_taken_for_the_build() -> None:
    build, found = made(graph(package("", "1.0.0")))
    assert [row["name"] for row in found] == ["", "(unnamed)"]
    assert found[0]["packages"] == build.packages == 1


def test_the_key_is_of_the_evidence() -> None:
    keys = {inventory_rows.key_of(text) for text in ("ab" * 32, "cd" * 32)}
    assert len(keys) == 2
    assert all(0 <= key < 1 << 63 for key in keys)
    assert made(graph())[0].key == inventory_rows.key_of("ab" * 32)
