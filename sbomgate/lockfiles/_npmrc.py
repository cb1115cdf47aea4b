"""The project's `.npmrc`: what it makes npm fetch from or run, and none of its secrets.

Format: ini as npm reads it (npm/ini). Nothing is expanded from the environment: `${VAR}` stays verbatim.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256

from sbomgate.errors import InputError
from sbomgate.model import LockFinding
from sbomgate.purl import public_url

MAX_BYTES = 1 << 20
"""Largest .npmrc, in bytes; real ones have a few hundred."""

PUBLIC_REGISTRY = "https://registry.npmjs.org/"

# Settings that make npm run something, or run something else.
RUNS_CODE = frozenset(
    [
        "script-shell",
        "shell",
        "node-options",
        "git",
        "prefix",
        "editor",
        "viewer",
        "node-gyp",
        "init-module",
        "init.module",
        "onload-script",
        "globalconfig",
        "userconfig",
        "scripts-prepend-node-path",
        "dangerously-allow-all-scripts",
        "allow-scripts",
    ]
)
# Settings that change what is fetched, from where, or how it is checked.
_CHANGES_FETCH = frozenset(
    [
        "replace-registry-host",
        "omit-lockfile-registry-resolved",
        "proxy",
        "https-proxy",
        "http-proxy",
        "noproxy",
        "cafile",
        "ca",
        "strict-ssl",
        "cache",
        "install-links",
        "legacy-peer-deps",
        "strict-peer-deps",
        "package-lock",
        "shrinkwrap",
        "lockfile-version",
        "ignore-scripts",
        "install-strategy",
        "omit",
        "include",
        "tag",
        "before",
        "min-release-age",
        "prefer-dedupe",
        "force",
        "workspaces",
        "local-address",
        "allow-git",
        "allow-remote",
        "allow-file",
        "allow-directory",
        "engine-strict",
        "save-exact",
        "save-prefix",
    ]
)
# Values that switch off what the gate rests on: (setting, value) → (rule, what it means).
_WEAKENS = {
    ("package-lock", "false"): ("lockfile_sound", "npm install ignores the lockfile"),
    ("shrinkwrap", "false"): ("lockfile_sound", "npm install ignores the lockfile"),
    ("strict-ssl", "false"): ("registries", "certificates of registries are not checked"),
    ("force", "true"): ("lockfile_sound", "npm overrides its own protections"),
}
# What JavaScript's `trim` takes away, and so npm; Python's `strip` takes others, and leaves the byte order mark.
_BLANKS = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_SECTION = re.compile(rf"\[[^\]]*\][{_BLANKS}]*")  # only at the very start of a line: ` [x]` and `[x]y=1]` are keys
# What install scripts take from a setting that package managers do not know themselves (`electron_mirror`, `nodedir`,
# `sharp_binary_host`): where to fetch from, and what to run. By its name, or because it is a path or a URL.
_FOR_SCRIPTS = re.compile(r"mirror|_host\b|host_|cdn|disturl|dist_url|nodedir|python|_site|custom_(?:dir|file)|binary_")
_LOCATION = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://|//|\.{0,2}[/\\]|~[/\\]|[A-Za-z]:[\\/]")
_OF_MANAGERS = re.compile(
    r"//|@|_|(?:init|tag|message|logs|tmp|cert|key|sign|user|save|metrics|audit|patches|lockfile|modules|virtual|state|"
    r"store|global|public|hoist|searchopts|deploy|yarn|network)\b"
)
_REDIRECTS = frozenset(["proxy", "https-proxy", "http-proxy", "cafile", "ca", "cache", "replace-registry-host"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Npmrc:
    """What counts of a .npmrc: registries as normalised URLs, known settings without secrets, and findings."""

    registry: str = PUBLIC_REGISTRY
    scopes: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    findings: list[LockFinding] = field(default_factory=list)


def parse(
    data: bytes | None,
    where: str,
    *,
    runs: frozenset[str] = frozenset(),
    fetches: frozenset[str] = frozenset(),
    redirects: frozenset[str] = frozenset(),
    exports: bool = True,
    above: Npmrc | None = None,
) -> Npmrc:
    """Read the bytes of a .npmrc; None is a project without one.

    Args:
        data: the file's bytes.
        where: its path.
        runs: settings of another package manager that reads the file, which make it run something.
        fetches: such that change what it fetches.
        redirects: of these, such that change where from.
        exports: whether the manager hands every setting to the scripts that it runs: npm, pnpm up to 10, yarn 1.
        above: what files further up say, where the manager reads those too; this one goes before them.

    Raises:
        InputError: over the limit or not UTF-8.
    """
    result = Npmrc(
        registry=above.registry if above else PUBLIC_REGISTRY,
        scopes=dict(above.scopes) if above else {},
        settings=dict(above.settings) if above else {},
        findings=list(above.findings) if above else [],
    )
    if data is None:
        return result
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data):,} bytes, at most {MAX_BYTES:,} are read", where=where, hint="is this an .npmrc?")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", where=where, hint="save the file as UTF-8") from error
    registry = result.registry
    for number, raw in enumerate(text.replace("\r", "\n").split("\n"), 1):
        line = raw.strip(_BLANKS)
        if not line or line[0] in ";#" or raw[0] == "=":
            continue
        if _SECTION.fullmatch(raw):
            break  # whatever follows belongs to a section, where npm looks for no setting
        key, equals, value = line.partition("=")
        key, value = _unquote(key), _unquote(value) if equals else "true"
        key = key.removesuffix("[]")
        place = f"line {number}"

        def note(code: str, rule: str, message: str, place: str = place) -> None:
            result.findings.append(
                LockFinding(code=code, rule=rule, package=None, place=f"{where} {place}", message=message)
            )

        if key == "registry":
            registry = normalise(value)
            if registry != PUBLIC_REGISTRY:
                note("npmrc-registry", "registries", f"the default registry is {registry}")
        elif key.startswith("@") and key.endswith(":registry"):
            scope = key.removesuffix(":registry")
            result.scopes[scope] = normalise(value)
            if result.scopes[scope] != PUBLIC_REGISTRY:
                note("npmrc-registry", "registries", f"packages of {scope} come from {result.scopes[scope]}")
        elif "${" in key:
            result.settings[key] = "(set)"  # so that one more of them is a change; the value may be a secret
            note("npmrc-variable-key", "manager_code", "an environment variable decides which setting this is")
        elif key in RUNS_CODE or key in runs:
            result.settings[key] = public_url(value)
            note(
                "npmrc-runs-code",
                "manager_code",
                f"`{key}` decides what npm runs" if key in RUNS_CODE else f"`{key}` decides what runs",
            )
        elif key in _CHANGES_FETCH or key in fetches:
            result.settings[key] = "(set)" if key == "ca" else public_url(value)
            if weakened := _WEAKENS.get((key, value.lower())):
                note("npmrc-weakens", weakened[0], f"`{key}={value}`: {weakened[1]}")
            elif key in _REDIRECTS or key in redirects:
                note("npmrc-redirects", "registries", f"`{key}` changes where packages come from")
        elif exports and _is_for_scripts(key, value):
            shown = public_url(value)
            result.settings[key] = shown if "://" in shown else f"sha256:{sha256(value.encode()).hexdigest()}"
            variable = f"npm_config_{re.sub(r'[^a-zA-Z0-9]', '_', key)}"[:100]
            note(
                "npmrc-runs-code",
                "manager_code",
                f"every script gets `{variable}`: what it fetches or runs may be that",
            )
    return Npmrc(registry=registry, scopes=result.scopes, settings=result.settings, findings=result.findings)


def _is_for_scripts(key: str, value: str) -> bool:
    """Whether a setting that no package manager has for itself could decide what an install script fetches or runs."""
    if _OF_MANAGERS.match(key):
        return False
    return bool(_FOR_SCRIPTS.search(key.lower().replace("-", "_")) or _LOCATION.match(value))


def normalise(url: str) -> str:
    """Return a registry's URL without credentials, query and fragment, its host in lower case, with a trailing slash.

    `${VAR}` stays verbatim: what it stands for is not the project's to say, so no `resolved` is ever under it.
    """
    url = public_url(url)
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        return url.rstrip("/") + "/"
    host, _, path = rest.partition("#")[0].partition("/")
    if "${" not in host:
        host = host.lower()
    scheme = scheme.lower()
    host = host.removesuffix({"https": ":443", "http": ":80"}.get(scheme, "\0"))
    path = path.strip("/")
    return f"{scheme}://{host}/{path}/" if path else f"{scheme}://{host}/"


def _unquote(text: str) -> str:
    """Strip blanks, quotes, and a comment behind an unquoted value (npm/ini's `unsafe`)."""
    text = text.strip(_BLANKS)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        quoted = text[1:-1] if text[0] == "'" else text
        try:
            value = json.loads(quoted)
        except ValueError:
            return quoted
        return value if isinstance(value, str) else quoted
    out: list[str] = []
    escaped = False
    for char in text:
        if escaped:
            out.append(char if char in "\\;#" else "\\" + char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in ";#":
            break
        else:
            out.append(char)
    return "".join(out).strip(_BLANKS) + ("\\" if escaped else "")
