"""Keys of pnpm's lockfiles: what package a key is, and which key a dependency's reference leads to.

Source: pnpm's own `dependency-path` (`parse`, `refToRelative`, `removeSuffix`) of versions 7, 8 and 9.
"""

from __future__ import annotations

from typing import NamedTuple

from sbomgate.lockfiles._range import parse_version


class Key(NamedTuple):
    """What a key states.

    `name` and `version` are None where the key does not say; `source` is what stands in place of a version: a URL,
    `file:…`, or a path below a host; `registry` is the host that a key of old begins with.
    """

    name: str | None
    version: str | None
    source: str | None
    registry: str | None


def without_suffix(key: str) -> str:
    """Return a key of version 6 or 9 without its peers and patch (`a@1.0.0(b@2.0.0)(patch_hash=…)`)."""
    if key[-1:] != ")":
        return key
    at, depth = len(key), 0
    while (at := max(key.rfind("(", 0, at), key.rfind(")", 0, at))) >= 0:
        if key[at] == ")":
            depth += 1
        else:
            depth -= 1
            if depth == 0 and key[at - 1 : at] != ")":
                return key[:at]
    return key


def parse(key: str, major: int) -> Key:
    """Return what a key of the lockfile's major version states."""
    if major == 9:
        return of_base(without_suffix(key))
    if key.startswith("file:"):
        return Key(None, None, without_suffix(key), None)
    host, rest = ("", key[1:]) if key[:1] == "/" else (key.partition("/")[0], key.partition("/")[2])
    if major == 6:
        rest = without_suffix(rest)
        scope = rest[:1]
        name, _, version = rest[1:].partition("@")
        name = scope + name
    else:
        parts = rest.split("/", 2 if rest[:1] == "@" else 1)
        name, version = "/".join(parts[:-1]), parts[-1].partition("_")[0]
    if name and parse_version(version):
        return Key(name, version, None, host or None)
    return Key(None, None, without_suffix(key), host or None)


def of_base(base: str) -> Key:
    """Return what a key of version 9 without its suffix states."""
    at = base.find("@", 1)
    if at < 1:
        return Key(None, None, None, None)
    name, rest = base[:at], base[at + 1 :]
    return Key(name, rest, None, None) if parse_version(rest) else Key(name, None, rest, None)


def of_address(url: str) -> str:
    """Return the key that versions 5 and 6 have for the tarball at a URL: without scheme, `+` before the port."""
    return "@" + url.partition("://")[2].replace(":", "+", 1)


def target(reference: str, name: str, major: int) -> str:
    """Return the key that a dependency's reference (`1.0.0(peer@1)`, `/real/1.0.0`, `file:x.tgz`) leads to."""
    if major == 9:
        if reference[:1] == "@":
            return reference
        at, colon, bracket = reference.find("@"), reference.find(":"), reference.find("(")
        if at != -1 and (colon == -1 or at < colon) and (bracket == -1 or at < bracket):
            return reference
        return f"{name}@{reference}"
    if reference.startswith("file:"):
        return reference
    if major == 6:
        bracket = reference.find("(")
        if "/" not in (reference if bracket == -1 else reference[:bracket]):
            return f"/{name}@{reference}"
        return reference
    return reference if "/" in reference else f"/{name}/{reference}"
