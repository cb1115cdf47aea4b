"""sbomgate.npm.wanted: what is asked about, where, and once."""

from __future__ import annotations

import pytest

from sbomgate.model import Absence, Kind
from sbomgate.npm.wanted import Wanted, wanted
from testkit.graphs import graph, package

SHA = "ab" * 64


def one(*packages: object, **options: object) -> tuple[Wanted, ...]:
    return wanted(graph(*packages), **options)  # type: ignore[arg-type]


def test_registry_packages_are_asked_under_their_real_name() -> None:
    """CASES I11: an alias is a name, not a package."""
    (found,) = one(package("axios", "1.0.0", sha512=SHA, id="node_modules/http", alias="http"))
    assert (found.key.name, found.key.version) == ("axios", "1.0.0")
    assert found.registry == "https://registry.npmjs.org/"
    assert found.nowhere is None


def test_copies_are_asked_about_once() -> None:
    copies = [package("a", "1.0.0", sha512=SHA, id=f"node_modules/{at}/node_modules/a") for at in "xyz"]
    assert len(one(*copies)) == 1
    assert len(one(*copies, package("a", "1.0.0", sha512="cd" * 64, id="node_modules/a"))) == 2


def test_a_copy_with_an_address_is_preferred() -> None:
    found = one(
        package("a", "1.0.0", sha512=SHA, id="node_modules/a"),
        package("a", "1.0.0", sha512=SHA, id="node_modules/b/node_modules/a", resolved="https://registry.npmjs.org/x"),
    )
    assert [part.resolved for part in found] == ["https://registry.npmjs.org/x"]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.REGISTRY, Kind.TARBALL, Kind.FILE)])
def test_what_no_registry_knows_is_not_asked(kind: Kind) -> None:
    assert one(package("a", "1.0.0", sha512=SHA, kind=kind)) == ()


@pytest.mark.parametrize("kind", [Kind.TARBALL, Kind.FILE])
def test_tarballs_of_elsewhere_are_only_looked_for_by_digest(kind: Kind) -> None:
    (found,) = one(package("a", "1.0.0", sha512=SHA, kind=kind, resolved="https://evil.example/a.tgz"))
    assert found.registry is None
    assert found.nowhere is not None
    assert found.nowhere.absence is Absence.NOT_APPLICABLE
    assert one(package("a", "1.0.0", kind=kind)) == ()


@pytest.mark.parametrize(
    ("first_party", "name", "is_ours"),
    [
        ("@acme", "@acme/x", True),
        ("@acme/", "@acme/x", True),
        ("@acme/*", "@acme/x", True),
        ("@acme/x", "@acme/x", True),
        ("tool", "tool", True),
        ("@acme", "@acme-evil/x", False),
        ("@acme/x", "@acme/xy", False),
        ("tool", "tool/x", False),
        ("acme", "@acme/x", False),
    ],
)
def test_first_party_is_not_asked(first_party: str, name: str, is_ours: bool) -> None:
    (found,) = one(package(name, "1.0.0", sha512=SHA), first_party=[first_party])
    assert (found.registry is None) is is_ours


def test_scopes_have_their_registry() -> None:
    found = wanted(
        graph(
            package("@acme/x", "1.0.0", sha512=SHA),
            package("x", "1.0.0"),
            scopes={"@acme": "https://npm.acme.example/"},
        )
    )
    assert [(part.key.name, part.registry) for part in found] == [
        ("@acme/x", "https://npm.acme.example/"),
        ("x", "https://registry.npmjs.org/"),
    ]


def test_bundled_packages_are_in_the_facts_of_another() -> None:
    assert one(package("b", "1.0.0", sha512=SHA, bundled_in="node_modules/a")) == ()
