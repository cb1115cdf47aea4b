"""bunfig.toml: what makes bun fetch from elsewhere or run something. https://bun.sh/docs/runtime/bunfig."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from sbomgate.errors import InputError
from sbomgate.lockfiles import _npmrc
from sbomgate.lockfiles._reading import Reading
from sbomgate.purl import public_url

FILENAME = "bunfig.toml"

MAX_BYTES = 1 << 20
"""Largest bunfig.toml, in bytes; real ones have a few hundred."""

_RUNS = (("preload",), ("run", "shell"), ("install", "security", "scanner"), ("run", "bun"))
_CHANGES = (
    ("install", "ignoreScripts"),
    ("install", "frozenLockfile"),
    ("install", "saveTextLockfile"),
    ("install", "production"),
    ("install", "optional"),
    ("install", "dev"),
    ("install", "peer"),
    ("install", "exact"),
    ("install", "auto"),
    ("install", "linker"),
    ("install", "minimumReleaseAge"),
    ("install", "minimumReleaseAgeExcludes"),
    ("install", "lockfile"),
)
_REDIRECTS = (("install", "cache"), ("install", "cafile"), ("install", "ca"))


def load(reading: Reading) -> None:
    """Read bunfig.toml into `reading`; its registries stand before those of .npmrc.

    Raises:
        InputError: over the limit, not UTF-8, or not TOML.
    """
    data = reading.read_beside(FILENAME)
    if data is None:
        return
    where = reading.base + FILENAME
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data):,} bytes, at most {MAX_BYTES:,} are read", where=where, hint="correct the file")
    try:
        settings = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not TOML: {str(error)[:200]}", where=where, hint="correct the file") from error
    for path in _RUNS:
        if (value := _at(settings, path)) is not None:
            name = ".".join(path)
            reading.settings[f"bunfig:{name}"] = _shown(value)
            reading.find("bunfig-runs-code", "manager_code", None, f"{where} {name}", f"`{name}` decides what bun runs")
    for path in _CHANGES + _REDIRECTS:
        if (value := _at(settings, path)) is not None:
            name = ".".join(path)
            reading.settings[f"bunfig:{name}"] = "(set)" if path[-1] == "ca" else _shown(value)
            if path in _REDIRECTS:
                message = f"`{name}` changes where packages come from"
                reading.find("npmrc-redirects", "registries", None, f"{where} {name}", message)
    npmrc = reading.npmrc
    registry, scopes = npmrc.registry, dict(npmrc.scopes)
    found = {"": _url(_at(settings, ("install", "registry")))}
    named = _at(settings, ("install", "scopes"))
    if type(named) is dict:
        found |= {"@" + str(scope).lstrip("@"): _url(value) for scope, value in named.items()}
    for scope, url in sorted(found.items()):
        if url is None:
            continue
        normal = _npmrc.normalise(url)
        if scope:
            scopes[scope] = normal
        else:
            registry = normal
        if normal != _npmrc.PUBLIC_REGISTRY:
            what = f"packages of {scope} come from" if scope else "the default registry is"
            name = f"install.scopes {scope}" if scope else "install.registry"
            reading.find("npmrc-registry", "registries", None, f"{where} {name}", f"{what} {normal}")
    reading.npmrc = _npmrc.Npmrc(registry=registry, scopes=scopes, settings=npmrc.settings, findings=npmrc.findings)


def _at(settings: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if type(settings) is not dict:
            return None
        settings = settings.get(key)
    return settings


def _url(value: Any) -> str | None:
    if type(value) is dict:
        value = value.get("url")
    return value if type(value) is str else None


def _shown(value: Any) -> str:
    return public_url(value) if type(value) is str else json.dumps(value, sort_keys=True, default=str)
