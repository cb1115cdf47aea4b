"""What the reference pages list is what the code has: variables, types, schemas; every page is in the navigation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sbomgate.cli import _authors, _ran
from sbomgate.signing import local_key

# By OpenSSL, and by `cli._colour`, which is given a mapping.
ELSEWHERE = {"SSL_CERT_FILE", "SSL_CERT_DIR", "NO_COLOR", "FORCE_COLOR"}
CONSTANTS = {"TOKEN": _authors.TOKEN, "local_key.PASSWORD": local_key.PASSWORD}


@pytest.fixture(scope="module")
def trees() -> list[ast.Module]:
    """The package's modules."""
    package = Path(__file__).resolve().parents[3] / "sbomgate"
    return [ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))]


def variables(tree: ast.Module) -> Iterator[str]:
    """Return what is read from an environment's `variables`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=held, attr="get"), args=[key, *_]):
                pass
            case ast.Subscript(value=held, slice=key):
                pass
            case ast.Compare(left=key, comparators=[held]):
                pass
            case _:
                continue
        if not (isinstance(held, ast.Attribute) and held.attr == "variables"):
            continue
        if isinstance(key, ast.Constant):
            yield str(key.value)
        elif ast.unparse(key) in CONSTANTS:
            yield CONSTANTS[ast.unparse(key)]
        else:
            # `name`, `sign`: in a table of constants; the other: a name that the user gives.
            assert ast.unparse(key) in ("name", "sign", "named.removeprefix('env:')"), (
                f"{ast.unparse(key)}: which variable is that?"
            )


def test_every_variable_that_is_read_is_told(repository: Path, trees: list[ast.Module]) -> None:
    page = (repository / "docs" / "cli.md").read_text()
    table = page.partition("| variable |")[2].partition("\n\n")[0]
    read = {name for tree in trees for name in variables(tree)}
    assert len(read) > 10, "the variables are read in another way now: mend this test"
    assert not {name for name in read if f"`{name}`" not in table}
    told = set(re.findall(r"`([A-Za-z]+_[A-Za-z_]+)`", table))
    systems = {sign for sign, _ in _ran._SYSTEMS.values()}
    assert not {name for name in systems if f"`{name}`" not in table}
    assert told <= read | systems | ELSEWHERE


def strings(trees: list[ast.Module], pattern: str) -> set[str]:
    """Return the parts of the code's texts that match; docstrings are no code."""
    found: set[str] = set()
    for tree in trees:
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                found |= set(re.findall(pattern, node.value))
    return found


@pytest.mark.parametrize(
    "pattern", [r"https://sbomgate\.dev/[\w/.-]+", r"application/vnd\.sbomgate\.[\w.+-]+"], ids=["predicates", "media"]
)
def test_every_type_is_told(repository: Path, trees: list[ast.Module], pattern: str) -> None:
    page = (repository / "docs" / "types.md").read_text()
    used = {name for name in strings(trees, pattern) if "/schemas/" not in name}
    assert used
    assert used == set(re.findall(pattern, page))


def test_every_schema_is_told(repository: Path) -> None:
    page = (repository / "docs" / "types.md").read_text()
    assert {path.name for path in (repository / "schemas").glob("*.schema.json")} == set(
        re.findall(r"[\w-]+\.schema\.json", page)
    )


def test_every_page_is_in_the_navigation(repository: Path) -> None:
    site = yaml.safe_load((repository / "mkdocs.yml").read_text())

    def listed(entry: object) -> Iterator[str]:
        match entry:
            case str():
                yield entry
            case list():
                for each in entry:
                    yield from listed(each)
            case dict():
                for each in entry.values():
                    yield from listed(each)

    pages = [str(path.relative_to(repository / "docs")) for path in (repository / "docs").rglob("*.md")]
    assert sorted(listed(site["nav"])) == sorted(pages)
