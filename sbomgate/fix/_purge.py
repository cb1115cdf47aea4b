"""The commands that take packages out of the package managers' caches. Pure: nothing is run here."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable
from importlib import import_module

from sbomgate import fix

# What a package and its version can be called, and nothing that a shell reads: the commands are there to be copied.
_NAME = re.compile(r"(?:@[a-z0-9~_-][a-z0-9._~-]*/)?[A-Za-z0-9_][A-Za-z0-9._~-]{0,213}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,255}")


def purges(packages: Iterable[tuple[str, str]]) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], tuple[str, ...]]:
    """Return package manager → commands, each once, and `name@version` of what no command can name safely.

    Args:
        packages: (name, version).
    """
    found: dict[str, dict[str, None]] = {}
    unnamed = []
    modules = [
        import_module(f"{fix.__name__}.{one.name}")
        for one in pkgutil.iter_modules(fix.__path__)
        if not one.name.startswith("_")
    ]
    for name, version in sorted(set(packages)):
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
            unnamed.append(f"{name}@{version}")
            continue
        for module in modules:
            for manager, command in module.purge(name, version).items():
                found.setdefault(manager, {})[command] = None
    return tuple((manager, tuple(found[manager])) for manager in sorted(found)), tuple(unnamed)
