"""What a word asks for."""

from __future__ import annotations

import pytest

from sbomgate.errors import UsageError
from sbomgate.inventory import terms
from sbomgate.inventory.terms import Selector

HEX = "ab" * 64
SRI = "sha512-q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urqw=="

SELECTORS = {
    "axios": Selector(text="axios", name="axios"),
    "axios@1.14.1": Selector(text="axios@1.14.1", name="axios", range="1.14.1"),
    "axios@>=1.14 <2": Selector(text="axios@>=1.14 <2", name="axios", range=">=1.14 <2"),
    "axios@*": Selector(text="axios@*", name="axios"),
    "@scope/name": Selector(text="@scope/name", name="@scope/name"),
    "@scope/name@^1": Selector(text="@scope/name@^1", name="@scope/name", range="^1"),
    "@tanstack/*": Selector(text="@tanstack/*", pattern="@tanstack/*"),
    "*crypto*@1.0.0": Selector(text="*crypto*@1.0.0", pattern="*crypto*", range="1.0.0"),
    "pkg:npm/%40scope/name@1.2.3": Selector(text="pkg:npm/%40scope/name@1.2.3", name="@scope/name", range="1.2.3"),
    "pkg:npm/axios": Selector(text="pkg:npm/axios", name="axios"),
    f"sha512:{HEX}": Selector(text=f"sha512:{HEX}", integrity=SRI),
    SRI: Selector(text=SRI, integrity=SRI),
    "JSONStream": Selector(text="JSONStream", name="JSONStream"),
}


@pytest.mark.parametrize("word", SELECTORS, ids=[word[:30] for word in SELECTORS])
def test_packages(word: str) -> None:
    assert terms.parse([word]).selectors == (SELECTORS[word],)


CONDITIONS = {
    "licence:MIT": ("package.licence = ?", ("MIT",)),
    "licence:GPL*": ("package.licence LIKE ? ESCAPE '!'", ("GPL%",)),
    "licence:100%*": ("package.licence LIKE ? ESCAPE '!'", ("100!%%",)),
    "maintainer:bob": ("array_contains(package.maintainers, ?)", ("bob",)),
    "environment:production": ("build.environment = ?", ("production",)),
    "is:direct": ("package.direct", ()),
}


@pytest.mark.parametrize("word", CONDITIONS)
def test_conditions(word: str) -> None:
    (condition,) = terms.parse([word]).conditions
    assert (condition.sql, condition.parameters) == CONDITIONS[word]


REFUSED = {
    "": "is no package",
    "@scope": "a scope",
    "a b": "is no package",
    "a\nb@1": "is no package",
    "sha512:abc": "not a sha512 digest",
    "sha512-!!!": "not a sha512 digest",
    "pkg:pypi/requests": "not a purl of type npm",
    "colour:red": "is no condition",
    "license:MIT": "is no condition",
    "is:evil": "nothing to ask for",
    "younger:soon": "not an age",
    "after:yesterday": "is not a time",
    "before:2026-13-01": "not a possible time",
    "licence:": "lacks its value",
    "maintainer:a*e": "not the beginning or the end",
    "maintainer:*": "not the beginning or the end",
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_is_neither(word: str) -> None:
    with pytest.raises(UsageError, match=REFUSED[word]) as caught:
        terms.parse([word])
    assert caught.value.hint
