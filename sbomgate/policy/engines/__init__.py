"""The policy engines: one module each, named as the engine is (`opa_url.py` is `opa-url`). There is no other list."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sbomgate.errors import PolicyError, UsageError
from sbomgate.model import Engine

DEFAULT = "embedded"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What an engine may need; each takes what concerns it.

    Attributes:
        cache_dir: private folder for the compiled embedded engine, made where it is not there.
        notify: told one sentence when something takes long or falls back.
        opa: the `opa` binary (`opa`); found by the caller, never searched for here.
        url: https://…, http:// on loopback, or unix:///path (`opa-url`).
        token: bearer token for it, or None.
        ca_file: PEM certificates to trust instead of the system's, or None.
        proxy: URL of the HTTP proxy by which that server is asked, or None; this machine itself is asked directly.
        no_proxy: what else is (`addresses.is_direct`).
    """

    cache_dir: Path
    notify: Callable[[str], None]
    opa: Path | None = None
    url: str | None = None
    token: str | None = None
    ca_file: Path | None = None
    proxy: str | None = None
    no_proxy: str = ""


class OpenEngine(Engine, Protocol):
    """An engine that holds something (a process, connections) until it is closed."""

    def close(self) -> None:
        """Give it back. Closing twice is harmless."""
        ...

    def __enter__(self) -> Self:
        """Return the engine."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        ...


def path_of(query: str) -> tuple[str, ...]:
    """Return the names in a query `data.a.b` after `data`.

    Raises:
        PolicyError: it is no such path: a query is never an expression.
    """
    root, *names = query.split(".")
    if root != "data" or not names or not all(_NAME.fullmatch(name) for name in names):
        raise PolicyError(f"{query[:200]!r} is no path into the data", hint="data.sbomgate.decision.result")
    return tuple(names)


def names() -> tuple[str, ...]:
    """Return the names of all engines, sorted."""
    return tuple(sorted(found.name.replace("_", "-") for found in pkgutil.iter_modules(__path__)))


def open_engine(name: str, settings: EngineSettings) -> OpenEngine:
    """Open the engine of that name, to be used in a `with` statement.

    Raises:
        UsageError: there is no such engine, or a setting that it needs is missing or wrong.
        PolicyError: it does not start.
    """
    if name not in names():
        raise UsageError(f"there is no engine {name!r}", hint=f"one of: {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    opened: OpenEngine = module.open_engine(settings)
    return opened
