"""Where an npm entry's bytes come from: the meaning of `resolved`, and what it contradicts.

npm downloads what `resolved` names and writes it under the entry's own name, whatever the URL says (CASES A06 to A16);
so the URL is compared with the one that name and version demand.
"""

from __future__ import annotations

import re
from posixpath import normpath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from sbomgate.lockfiles._npmrc import PUBLIC_REGISTRY, Npmrc
from sbomgate.model import Kind
from sbomgate.purl import host_of, public_url

Remark = tuple[str, str, str]
"""Code, rule and message of a finding about `resolved`."""

_GIT = ("git+", "git:", "git@", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:")
_COMMIT = r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?"
_PORTS = {"https": 443, "http": 80}
_VERSION_START = r"v?[0-9]+\.[0-9]+\.[0-9]+"
_NUMBERS = r"0*([0-9]+?)\.0*([0-9]+?)\.0*([0-9]+)(?![0-9])"


class _Named(NamedTuple):
    """The name and version that a registry's URL states; `version` is None where the file has another name."""

    name: str
    version: str | None


class Registries:
    """The registries that `resolved` may point to: the project's own, and the public one.

    The public one always counts: npm replaces its host by the configured registry's (`replace-registry-host`).
    """

    def __init__(self, npmrc: Npmrc) -> None:
        self._default = npmrc.registry
        self._scopes = npmrc.scopes

    def of(self, name: str) -> str:
        """Return the URL of the registry that npm asks for `name`."""
        if name[:1] == "@" and self._scopes:
            return self._scopes.get(name.partition("/")[0], self._default)
        return self._default

    def accepted(self, name: str) -> tuple[str, ...]:
        """Return the registries under which `resolved` of `name` may lie."""
        own = self.of(name)
        return (own,) if own == PUBLIC_REGISTRY else (own, PUBLIC_REGISTRY)


def commit_of(resolved: str) -> str | None:
    """Return the commit of a git URL's fragment, or None where it is not a full hash."""
    fragment = resolved.partition("#")[2]
    return fragment.lower() if re.fullmatch(_COMMIT, fragment) else None


def is_git(text: str) -> bool:
    """Whether `resolved` is fetched with git."""
    return text.startswith(_GIT)


def judge(name: str, version: str | None, resolved: str, registries: Registries) -> tuple[Kind, list[Remark]]:
    """Return the kind of an entry by its `resolved`, and what is wrong or worth knowing about it."""
    # The canonical URL, which nearly every entry has, needs no parsing.
    registry = registries.of(name)
    if version is not None and resolved == f"{registry}{name}/-/{name.rpartition('/')[2]}-{version}.tgz":
        if registry.startswith("https:"):
            return Kind.REGISTRY, []
        return Kind.REGISTRY, [("resolved-http", "registries", "fetched without TLS")]
    if resolved.startswith(_GIT):
        remarks = [("git", "exotic_sources", f"comes from git: {public_url(resolved)}")]
        if commit_of(resolved) is None:
            remarks.append(("git-not-commit", "pinned", "names a branch or tag, expected a full commit hash"))
        return Kind.GIT, remarks
    if resolved.startswith("file:"):
        return Kind.FILE, [("file", "exotic_sources", f"comes from a file: {public_url(resolved)}")]
    if resolved[:8].lower().startswith(("http:", "https:")):
        return _judge_url(name, version, resolved, registries)
    return Kind.UNKNOWN, [("resolved-malformed", "bound_bytes", "`resolved` is no URL that npm documents")]


def _judge_url(name: str, version: str | None, resolved: str, registries: Registries) -> tuple[Kind, list[Remark]]:
    remarks: list[Remark] = []

    def remark(code: str, rule: str, message: str) -> None:
        remarks.append((code, rule, message))

    try:
        parts = urlsplit(resolved)
        port, host = parts.port, parts.hostname
    except ValueError:
        host = port = None
    if not host:
        remark("resolved-malformed", "bound_bytes", "`resolved` is a URL without a host")
        return Kind.UNKNOWN, remarks
    # (1) whose host: user information in front of it is what a reader takes for the host
    if "@" in parts.netloc:
        remark("resolved-userinfo", "registries", f"carries user information; the host is {host}")
    if parts.scheme != "https":
        remark("resolved-http", "registries", f"fetched without TLS from {host}")
    if host.endswith("."):
        remark("resolved-trailing-dot", "registries", f"the host {host} ends in a dot")
        host = host.rstrip(".")
    # (2) the path, read as a server would, must be the path as written
    plain = resolved.isascii() and resolved.isprintable() and not set(resolved) & set(" \\<>\"'`{}|^")
    path = unquote(unquote(parts.path))
    canonical = normpath(path) if path else "/"
    written = parts.path.replace("%2f", "/", 1).replace("%2F", "/", 1).replace("%40", "@", 1)
    written = written.replace("%2B", "+").replace("%2b", "+")
    if not plain or canonical != written or parts.query or "?" in resolved or "#" in resolved:
        remark(
            "resolved-not-canonical", "bound_bytes", f"`resolved` is not written canonically; it leads to {canonical}"
        )
    # (3) which registry, and which name and version it is the URL of
    base, shown = None, host if port is None else f"{host}:{port}"
    for registry in registries.accepted(name):
        root = urlsplit(registry) if "${" not in registry else None
        if root and root.hostname == host and _port(root.scheme, root.port) == _port(parts.scheme, port):
            base = root.path
    named = _named(host, canonical, base)
    if named is None and base is not None and not canonical.startswith(base):
        # Another repository of the same host: GitLab's project of a group's package, Azure's number of a feed.
        base, named = None, _named(host, canonical, None)
        shown += canonical.partition("/-/")[0].removesuffix(name)
    if named is None:
        remark("tarball-url", "exotic_sources", f"a tarball from {host_of(public_url(resolved))}")
        return Kind.TARBALL, remarks
    if base is None:
        remark("resolved-foreign-host", "registries", f"comes from {shown[:200]}, expected {registries.of(name)}")
    if named.name != name:
        remark("resolved-name-differs", "bound_bytes", f"`resolved` is the URL of {named.name}, expected {name}")
    if named.version is None:
        remark("resolved-not-canonical", "bound_bytes", "the file's name is not that of the package")
    elif version is not None and _plain(named.version) not in (version, version.partition("+")[0]):
        remark("resolved-version-differs", "bound_bytes", f"`resolved` is version {named.version}, expected {version}")
    return Kind.REGISTRY, remarks


def _plain(version: str) -> str:
    """Return a version as the registry names it: the file of an old package has the zeros that its author wrote."""
    written = re.match(_NUMBERS, version)
    return version if written is None else ".".join(written.groups()) + version[written.end() :]


def _port(scheme: str, port: int | None) -> int | None:
    # A registry is the same one over http: that it is http is a remark of its own.
    return None if port in (None, *_PORTS.values()) and scheme in _PORTS else port


def _named(host: str, path: str, base: str | None) -> _Named | None:
    """Return what the path of a registry's URL says: `[/base]/[@scope/]name/-/name-version.tgz`, or its own layout.

    Sources: GitHub Packages; https://github.com/jsr-io/jsr/issues/405; Font Awesome's `/-/version/name-version.tgz`
    (https://github.com/yarnpkg/berry/issues/902).
    """
    match host, path.split("/"):
        case "npm.pkg.github.com", ["", "download", scope, name, version, _]:
            return _Named(f"{scope}/{name}", version)
        case "npm.jsr.io", ["", "~", _, scope, name, file] if file.endswith(".tgz"):
            return _Named(f"{scope}/{name}", file[:-4])
        case _:
            pass
    if base and base != "/" and path.startswith(base):
        path = "/" + path[len(base) :]
    left, separator, file = path.partition("/-/")
    if not separator or not file.endswith(".tgz"):
        return None
    segments = left.split("/")
    scoped = len(segments) > 2 and segments[-2].startswith("@")
    name = "/".join(segments[-2:]) if scoped else segments[-1]
    if base is not None and len(segments) != (3 if scoped else 2):
        return None
    file = file.removeprefix(f"{segments[-2]}/") if scoped else file
    folder, _, inner = file.rpartition("/")
    stem = (inner if inner == f"{segments[-1]}-{folder}.tgz" else file)[:-4]
    if not stem.startswith(segments[-1] + "-"):
        return _Named(name, None)
    version = stem[len(segments[-1]) + 1 :]
    return _Named(name, version if re.match(_VERSION_START, version) else None)
