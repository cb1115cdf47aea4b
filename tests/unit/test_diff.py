"""What a reviewer is told of an update."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sbomgate import diff
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind, Package
from sbomgate.model.difference import Difference
from sbomgate.report import diff_json, diff_markdown, diff_text
from testkit.graphs import graph

NPM = "https://registry.npmjs.org/"


def package(name: str, version: str, place: str | None = None, **fields: Any) -> Package:
    values: dict[str, Any] = {
        "id": place or f"node_modules/{name}",
        "name": name,
        "version": version,
        "kind": Kind.REGISTRY,
        "integrity": f"sha512-{name}-{version}",
        "resolved": f"{NPM}{name}/-/{name}-{version}.tgz",
    }
    return Package(**(values | fields))


def tree(*packages: Package, edges: list[tuple[str, str, str]] = []) -> DependencyGraph:  # noqa: B006 - not changed
    root = Package(id="", name="shop", version="1.0.0", kind=Kind.ROOT)
    made = [
        Edge(
            source=source and f"node_modules/{source}",
            target=f"node_modules/{to}",
            name=to,
            kind=EdgeKind.PROD,
            range=range_,
        )
        for source, to, range_ in edges
    ]
    return replace(graph(), packages=(root, *sorted(packages, key=lambda p: p.id)), edges=tuple(made))


def lines(difference: Difference) -> list[str]:
    """Return the text without its head."""
    return diff_text.render(difference).splitlines()[3:]


def test_the_same_is_no_difference() -> None:
    one = tree(package("a", "1.0.0"), edges=[("", "a", "^1.0.0")])
    assert diff.diff(one, one).empty
    assert "No difference" in diff_text.render(diff.diff(one, one))
    assert json.loads(diff_json.render(diff.diff(one, one)))["differs"] is False


def test_axios() -> None:
    """A01 as a reviewer would have seen it: the update, and what it brings, with its script."""
    before = tree(package("axios", "1.14.0"), edges=[("", "axios", "^1.14.0")])
    after = tree(
        package("axios", "1.14.1"),
        package("plain-crypto-js", "4.2.1", has_install_script=True),
        edges=[("", "axios", "^1.14.0"), ("axios", "plain-crypto-js", "^4.2.1")],
    )
    assert lines(diff.diff(before, after)) == [
        "New packages (1): names that were not there at all",
        "  plain-crypto-js 4.2.1 · HAS AN INSTALL SCRIPT · needed by axios",
        "",
        "Updated (1)",
        "  axios 1.14.0 → 1.14.1",
        "",
        "New edges (1)",
        "  axios → plain-crypto-js",
    ]


CASES: dict[str, tuple[Package | None, Package | None, str]] = {
    "other bytes": (
        package("a", "1.0.0"),
        package("a", "1.0.0", integrity="sha512-evil"),
        "a 1.0.0: sha512-a-1.0.0 → sha512-evil",
    ),
    "integrity gone": (package("a", "1.0.0"), package("a", "1.0.0", integrity=None), "a 1.0.0 · INTEGRITY GONE"),
    "integrity gone with an update": (
        package("a", "1.0.0"),
        package("a", "2.0.0", integrity=None),
        "a 1.0.0 → 2.0.0 · INTEGRITY GONE",
    ),
    "integrity stated now": (
        package("a", "1.0.0", integrity=None),
        package("a", "1.0.0"),
        "a 1.0.0 · integrity stated now",
    ),
    "another registry": (
        package("a", "1.0.0"),
        package("a", "2.0.0", resolved="https://evil.test/a/-/a-2.0.0.tgz"),
        f"a 1.0.0 → 2.0.0 · SOURCE {NPM}a/-/a-1.0.0.tgz → https://evil.test/a/-/a-2.0.0.tgz",
    ),
    "another address of the same version": (
        package("a", "1.0.0"),
        package("a", "1.0.0", resolved=f"{NPM}evil/-/evil-1.0.0.tgz"),
        f"a 1.0.0 · SOURCE {NPM}a/-/a-1.0.0.tgz → {NPM}evil/-/evil-1.0.0.tgz",
    ),
    "another commit": (
        package("a", "1.0.0", kind=Kind.GIT, integrity=None, resolved="git+https://g.test/a#aa"),
        package("a", "1.0.0", kind=Kind.GIT, integrity=None, resolved="git+https://g.test/a#bb"),
        "a 1.0.0 · SOURCE git+https://g.test/a#aa → git+https://g.test/a#bb",
    ),
    "new script": (
        package("a", "1.0.0", has_install_script=False),
        package("a", "2.0.0", has_install_script=True),
        "a 1.0.0 → 2.0.0 · NEW INSTALL SCRIPT",
    ),
    "new script in the same version": (
        package("a", "1.0.0", has_install_script=False),
        package("a", "1.0.0", has_install_script=True),
        "a 1.0.0 · NEW INSTALL SCRIPT",
    ),
    "no script any more": (
        package("a", "1.0.0", has_install_script=True),
        package("a", "1.0.0", has_install_script=False),
        "a 1.0.0 · no install script any more",
    ),
    "new from git": (
        None,
        package("a", "1.0.0", kind=Kind.GIT, integrity=None, resolved="git+https://u:p@g.test/a#aa"),
        "a 1.0.0 · from git, git+https://g.test/a#aa",
    ),
    "new without integrity": (None, package("a", "1.0.0", integrity=None), "a 1.0.0 · no integrity"),
    "new under an alias": (None, package("a", "1.0.0", alias="b"), "a 1.0.0 · as b"),
    "removed": (package("a", "1.0.0"), None, "a 1.0.0"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_a_package(case: str) -> None:
    before, after, line = CASES[case]
    found = diff.diff(tree(*filter(None, [before])), tree(*filter(None, [after])))
    assert lines(found)[1:] == [f"  {line}"]


def test_what_one_side_does_not_state_is_not_compared() -> None:
    before = tree(package("a", "1.0.0", resolved=None, has_install_script=None))
    assert diff.diff(before, tree(package("a", "1.0.0", has_install_script=False))).empty


def test_copies_are_one() -> None:
    before = tree(package("a", "1.0.0"))
    after = tree(package("a", "1.0.0"), package("a", "1.0.0", "node_modules/b/node_modules/a"))
    assert diff.diff(before, after).empty


def test_versions_are_paired_by_place_then_newest_with_newest() -> None:
    before = tree(package("a", "1.9.0"), package("a", "1.10.0", "node_modules/b/node_modules/a"))
    after = tree(
        package("a", "2.0.0", "node_modules/b/node_modules/a"),
        package("a", "1.9.1", "node_modules/c/node_modules/a"),
        package("a", "1.9.2", "node_modules/d/node_modules/a"),
    )
    found = diff.diff(before, after)
    assert [(c.before.version, c.after.version) for c in found.updated] == [("1.9.0", "1.9.2"), ("1.10.0", "2.0.0")]
    assert [state.version for state in found.added] == ["1.9.1"]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9.0", "1.10.0"),
        ("1.0.0-rc.1", "1.0.0"),
        ("1.0.0-rc.2", "1.0.0-rc.10"),
        ("1.0.0-1", "1.0.0-a"),
        ("", "0.0.1"),
    ],
)
def test_versions_in_order(lower: str, higher: str) -> None:
    assert diff.version_order(lower) < diff.version_order(higher)


def test_scripts_come_first() -> None:
    after = tree(package("a", "1.0.0"), package("z", "1.0.0", has_install_script=True))
    assert lines(diff.diff(tree(), after))[1:] == ["  z 1.0.0 · HAS AN INSTALL SCRIPT", "  a 1.0.0"]


def test_ranges_of_the_project() -> None:
    before = tree(package("a", "1.0.0"), edges=[("", "a", "1.0.0")])
    after = tree(package("a", "1.0.0"), edges=[("", "a", "git+https://u:p@g.test/a?x=1")])
    assert lines(diff.diff(before, after))[1:] == ["  the project itself → a: prod 1.0.0 → prod git+https://g.test/a"]


HOSTILE = "a`b\n::error::x<img src=x>|[l](javascript:1)@team\u202e\x1b[2J"


def test_hostile_names_are_inert() -> None:
    """P39."""
    after = tree(package(HOSTILE, "1.0.0", resolved=None, integrity=None), edges=[])
    found = diff.diff(tree(), after)
    text, markdown = diff_text.render(found), diff_markdown.render(found)
    for rendered in (text, markdown):
        assert "\x1b" not in rendered
        assert "\u202e" not in rendered
        assert "\n::" not in rendered
    (line,) = (line for line in markdown.splitlines() if "javascript" in line)
    assert line.startswith("- ``a`b\\x0a")
    assert line.count("``") == 2  # one span, which ends where the name does
    assert json.loads(diff_json.render(found))["new"][0]["name"] == HOSTILE


@pytest.mark.parametrize("text", ["", " ", "`", "``", "a`", "`a`", "a``b`c", " a ", "<b>", "\n", "@all"])
def test_a_code_span_is_not_left(text: str) -> None:
    """P39: CommonMark 0.31, 6.1: the span ends at the first run of backticks as long as the one that began it."""
    span = diff_markdown.code(text)
    fence = len(span) - len(span.lstrip("`"))
    inner = span[fence:-fence]
    runs = [len(run) for run in "".join(c if c == "`" else " " for c in inner).split()]
    assert fence not in runs
    assert inner
    assert not inner.startswith("`")
    assert not inner.endswith("`")


def test_long_parts_are_folded_and_complete() -> None:
    after = tree(*(package(f"p{number}", "1.0.0") for number in range(40)))
    markdown = diff_markdown.render(diff.diff(tree(), after))
    assert markdown.count("<details>") == markdown.count("</details>") == 1
    assert all(f"`p{number}`" in markdown for number in range(40))
