"""JSR, whose packages pnpm and yarn 4 ask its npm registry for, though no setting names that.

`jsr:^1.0.0` of `@luca/cases` is `@jsr/luca__cases` there. Sources: https://jsr.io/docs/npm-compatibility; pnpm's
`normalizeRegistries` and `parseJsrSpecifier`; yarn's `plugin-jsr` and `npmConfigUtils`.
"""

from __future__ import annotations

from collections.abc import Iterable

REGISTRY = "https://npm.jsr.io/"
_SCOPE = "@jsr"


def configure(scopes: dict[str, str], names: Iterable[str]) -> None:
    """Add the registry of JSR's packages to those that are configured, where one of these names is a package of it."""
    if _SCOPE not in scopes and any(name.startswith(f"{_SCOPE}/") for name in names):
        scopes[_SCOPE] = REGISTRY


def package(name: str) -> str:
    """Return what npm's registry calls a JSR package: `@jsr/luca__cases` of `@luca/cases`."""
    return f"{_SCOPE}/{name.removeprefix('@').replace('/', '__', 1)}"


def as_alias(name: str, specifier: str) -> str:
    """Return a `jsr:` specifier as the alias that it stands for, any other as it is.

    Args:
        name: what it is declared as, and the package where the specifier names none.
        specifier: `jsr:^1.0.0`, `jsr:@luca/cases@^1.0.0` or `jsr:@luca/cases`.
    """
    if not specifier.startswith("jsr:"):
        return specifier
    asked = specifier[4:]
    if asked.startswith("@"):
        scope, _, rest = asked.partition("/")
        inner, _, asked = rest.partition("@")
        name = f"{scope}/{inner}"
    return f"npm:{package(name)}@{asked or '*'}"
