"""Credentials for registries, from .npmrc files: which one goes where, and that it goes nowhere else.

npm keeps them under the registry's address without its scheme: `//host[:port]/path/:_authToken=…`; a request uses the
entry with the longest path that contains its own, else that of the registry where that has the same host
(npm-registry-fetch, lib/auth.js).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sbomgate.addresses import DEFAULT_PORTS, origin

_ENTRY = re.compile(r"//(?P<host>[^/\s]+)(?P<path>/[^\s]*?)?/?:(?P<kind>_authToken|_auth)\s*")
_VARIABLE = re.compile(r"(?<!\\)\$\{([^${}?]+)(\?)?\}")
_SENDABLE = re.compile(r"[\x21-\x7e]{1,8192}")  # what an HTTP header may hold; anything else would show in an error


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """`//host[:port]/path/` → the value of an Authorization header. Never shown: `repr` leaves the values out."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def header(self, url: str, registry: str) -> str | None:
        """Return the Authorization header for a request to `url` of a package that lives in `registry`, or None."""
        found = self._longest(url)
        if found is None and origin(url) == origin(registry):
            found = self._longest(registry)
        return found

    def _longest(self, url: str) -> str | None:
        parts = urlsplit(url)
        place = f"//{_authority(parts.scheme, parts.hostname, parts.port)}{parts.path}"
        while True:
            if (found := self.headers.get(place.rstrip("/") + "/")) is not None:
                return found
            if place.rstrip("/").count("/") <= 2:  # only //host is left
                return None
            place = place.rstrip("/").rpartition("/")[0]


NONE = Credentials()


def read(
    *,
    user: str = "",
    project: str = "",
    environment: Mapping[str, str] | None = None,
    project_hosts: Collection[str] = (),
) -> Credentials:
    """Read the credentials of .npmrc files.

    Args:
        user: text of the user's .npmrc; its `${NAME}` are replaced from `environment`, as npm does.
        project: text of the project's .npmrc, which wins. It lies in the tree under test, where whoever may commit
            could send the environment anywhere: its `${NAME}` are replaced only for the hosts in `project_hosts`.
        environment: name → value.
        project_hosts: hosts (`npm.example`, `npm.example:8443`) that the project may send the environment's tokens to:
            those of the trust file and the user's own configuration, never those of the project.

    Returns:
        The credentials. An entry with an unset variable, or one that no header can hold, is left out, as if not there.
    """
    known = environment or {}
    headers = _entries(user, known, None)
    headers.update(_entries(project, known, frozenset(host.lower() for host in project_hosts)))
    return Credentials(headers=headers)


def _authority(scheme: str, host: str | None, port: int | None) -> str:
    name = f"[{host}]" if host and ":" in host else (host or "")
    return name if port is None or port == DEFAULT_PORTS.get(scheme) else f"{name}:{port}"


def _entries(text: str, environment: Mapping[str, str], hosts: frozenset[str] | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        match = _ENTRY.fullmatch(_expand(key.strip(), environment if hosts is None else {}) or "")
        if not equals or match is None:
            continue
        host = match["host"].lower()
        raw = _unquote(value.strip())
        if hosts is not None and host not in hosts and _VARIABLE.search(raw):
            continue
        secret = _expand(raw, environment)
        if secret is None or not _SENDABLE.fullmatch(secret):
            continue
        path = (match["path"] or "").rstrip("/")
        kind = "Bearer" if match["kind"] == "_authToken" else "Basic"
        place = f"//{host}{path}/"
        if kind == "Bearer" or place not in headers or not headers[place].startswith("Bearer"):
            headers[place] = f"{kind} {secret}"  # a token wins over _auth, as for npm
    return headers


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            decoded = json.loads(value)
        except ValueError:
            return value
        return decoded if isinstance(decoded, str) else value
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    return re.split(r"(?<!\\)[;#]", value, maxsplit=1)[0].strip()


def _expand(value: str, environment: Mapping[str, str]) -> str | None:
    """Replace `${NAME}` (and `${NAME?}`, which may be unset); None where a variable is not set."""
    for name, optional in _VARIABLE.findall(value):
        if name not in environment and not optional:
            return None
    return _VARIABLE.sub(lambda found: environment.get(found[1], ""), value)
