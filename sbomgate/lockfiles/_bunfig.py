"""bunfig.toml: what makes bun fetch from elsewhere or run something. https://bun.sh/docs/runtime/bunfig."""

from __future__ import annotations

import json
import re
import tomllib
from hashlib import sha256
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
_REDIRECTS = (
    ("install", "globalDir"),
    ("install", "cache"),
    ("install", "cache", "dir"),
    ("install", "cafile"),
    ("install", "ca"),
)

ENVIRONMENT = tuple(
    f".env{part}"
    for part in (
        "", ".local", ".production", ".production.local", ".development", ".development.local", ".test", ".test.local",
    )
)  # fmt: skip
"""Files whose variables bun sets for itself and for every script that it runs, on `bun install` as well."""

# Of these variables: what tells bun, node, a shell or git where to fetch from or what to run.
_VARIABLE = re.compile(
    r"(?i:BUN_\w+|NPM_CONFIG_[\w.-]+|\w+_PROXY|\w+_MIRROR|\w+_BINARY_(?:HOST|PATH))|NODE_(?:OPTIONS|PATH|EXTRA_CA_CERTS|"
    r"TLS_REJECT_UNAUTHORIZED)|(?:LD|DYLD|GIT|XDG)_\w+|PYTHON\w+|PATH|HOME|BASH_ENV|SHELL|PERL5OPT|RUBYOPT"
)
_ASSIGNMENT = re.compile(r"^[\s\ufeff]*(?:export\s+)?([\w.-]+)[ \t]*[=:](.*)$", re.MULTILINE)


def load_environment(reading: Reading) -> None:
    """Find what the project's .env files make bun, or the scripts that it runs, do otherwise.

    Raises:
        InputError: over the limit.
    """
    for name in ENVIRONMENT:
        if not reading.files.has(reading.base + name) or (data := reading.read_beside(name)) is None:
            continue
        where = reading.base + name
        if len(data) > MAX_BYTES:
            raise InputError(
                f"{len(data):,} bytes, at most {MAX_BYTES:,} are read", where=where, hint="correct the file"
            )
        text = data.decode("utf-8", "replace").replace("\r", "\n")
        for variable, value in _ASSIGNMENT.findall(text):
            if _VARIABLE.fullmatch(variable):
                reading.settings[f"{name}:{variable}"] = f"sha256:{sha256(value.strip().encode()).hexdigest()}"
                message = f"bun obeys `{variable[:100]}` of this file, and sets it for every script that it runs"
                reading.find("bunfig-runs-code", "manager_code", None, f"{where} {variable[:100]}", message)


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
