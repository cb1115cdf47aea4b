"""JSR, whose packages pnpm and yarn 4 ask its npm registry for, though no setting names that.

`jsr:^1.0.0` of `@luca/cases` is `@jsr/luca__cases` there. Sources: https://jsr.io/docs/npm-compatibility; pnpm's
`normalizeRegistries` and `parseJsrSpecifier`; yarn's `plugin-jsr` and `npmConfigUtils`.
"""

from __future__ import annotations

REGISTRY = "https://npm.jsr.io/"
PREFIX = "@jsr/"
"""What the name of each of its packages begins with."""


def configure(scopes: dict[str, str], *, used: bool) -> None:
    """Add JSR's registry to those that are configured, unless its scope has one; `used`: there are packages of it."""
    if used:
        scopes.setdefault(PREFIX[:-1], REGISTRY)


def package(name: str) -> str:
    """Return what npm's registry calls a JSR package: `@jsr/luca__cases` of `@luca/cases`."""
    return f"{PREFIX}{name.removeprefix('@').replace('/', '__', 1)}"


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
