"""What yarn obeys beside its lockfile: `.yarnrc` (yarn 1), `.yarnrc.yml` (yarn 2 and later), without secrets.

Nothing is expanded from the environment: `${VAR}` stays verbatim. Settings that nobody knows are kept by name only.
Sources: yarn's configuration reference (https://yarnpkg.com/configuration/yarnrc), yarn 1's `rc.js`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import join, normpath
from typing import Any

from sbomgate.errors import InputError
from sbomgate.lockfiles import _syml
from sbomgate.lockfiles._npm_source import Registries
from sbomgate.lockfiles._npmrc import PUBLIC_REGISTRY, Npmrc, normalise
from sbomgate.lockfiles._yaml import load_documents
from sbomgate.model import LockFinding
from sbomgate.purl import public_url

MAX_SHOWN = 2000
"""Longest value of a setting that is kept, in characters."""

MAX_BYTES = 1 << 20
"""Largest .yarnrc or .yarnrc.yml, in bytes; catalogs of large monorepos take a few kilobytes."""

YARN_REGISTRY = "https://registry.yarnpkg.com/"
"""The public registry under the name that yarn gives it by default: the same packages, the same bytes."""

# Settings whose value is a secret, or holds some.
_SECRETS = ("npmauthtoken", "npmauthident", "httpscertfilepath", "httpskeyfilepath", "authtoken", "password", "_auth")
# Settings that make yarn run a file of somebody's choice.
_RUNS_CODE = frozenset(
    ["yarn-path", "yarnPath", "script-shell", "init-module", "injectEnvironmentFiles", "nodeOptions"]
)
_REDIRECTS = frozenset(
    [
        "httpProxy",
        "httpsProxy",
        "caFilePath",
        "httpsCaFilePath",
        "networkSettings",
        "proxy",
        "https-proxy",
        "http-proxy",
        "cafile",
        "ca",
        "npmRegistries",
        "unsafeHttpWhitelist",
        "cache-folder",
        "preferred-cache-folder",
        "yarn-offline-mirror",
    ]
)
"""yarn 1 does not compare what lies in its cache with anything, so whoever fills that chooses the bytes."""
NPMRC_FETCHES = frozenset(["cache-folder", "preferred-cache-folder", "yarn-offline-mirror"])
"""Settings of yarn 1 that it takes from .npmrc as well."""
# Arguments that a .yarnrc gives to yarn 1 (`--install.cwd`): such as change neither what is installed nor where.
_PLAIN_ARGUMENTS = frozenset(
    [
        "add",
        "check-files",
        "emoji",
        "exact",
        "flat",
        "force",
        "frozen-lockfile",
        "har",
        "ignore-engines",
        "ignore-optional",
        "ignore-platform",
        "ignore-scripts",
        "ignore-workspace-root-check",
        "json",
        "network-concurrency",
        "network-timeout",
        "no-emoji",
        "no-lockfile",
        "no-progress",
        "non-interactive",
        "offline",
        "prefer-offline",
        "prod",
        "production",
        "progress",
        "pure-lockfile",
        "silent",
        "strict-semver",
        "update-checksums",
        "verbose",
    ]
)
# Values that switch off what the gate rests on: (setting, value) → (rule, what it means).
_WEAKENS = {
    ("checksumBehavior", "ignore"): ("lockfile_sound", "yarn does not compare what it fetches with the checksums"),
    ("checksumBehavior", "update"): ("lockfile_sound", "yarn replaces checksums that do not match"),
    ("checksumBehavior", "reset"): ("lockfile_sound", "yarn replaces checksums that do not match"),
    ("enableStrictSsl", "false"): ("registries", "certificates of registries are not checked"),
    ("strict-ssl", "false"): ("registries", "certificates of registries are not checked"),
    ("--install.no-lockfile", "true"): ("lockfile_sound", "yarn ignores the lockfile"),
    ("--install.pure-lockfile", "true"): ("lockfile_sound", "yarn does not complain about a lockfile that is stale"),
    ("--no-lockfile", "true"): ("lockfile_sound", "yarn ignores the lockfile"),
    ("--update-checksums", "true"): ("lockfile_sound", "yarn replaces checksums that do not match"),
    ("--install.update-checksums", "true"): ("lockfile_sound", "yarn replaces checksums that do not match"),
}
# Settings that change what is fetched or run, kept with their value.
_KEPT = frozenset(
    [
        "cacheFolder",
        "checksumBehavior",
        "globalFolder",
        "cacheMigrationMode",
        "compressionLevel",
        "constraintsPath",
        "defaultProtocol",
        "defaultSemverRangePrefix",
        "enableGlobalCache",
        "enableHardenedMode",
        "enableImmutableInstalls",
        "enableNetwork",
        "enableOfflineMode",
        "enableScripts",
        "enableStrictSsl",
        "enableTransparentWorkspaces",
        "ignorePath",
        "nmHoistingLimits",
        "nmMode",
        "nodeLinker",
        "npmMinimalAgeGate",
        "pnpMode",
        "ignore-scripts",
        "strict-ssl",
        "unsafe-disable-integrity-migration",
        "workspaces-experimental",
        "enable-lockfile-versions",
    ]
)
_LISTS = frozenset(["approvedGitRepositories", "npmPreapprovedPackages", "unsafeHttpWhitelist"])


@dataclass(slots=True, kw_only=True)
class Settings:
    """What counts of yarn's settings.

    Attributes:
        registry, scopes: normalised URLs; the name that yarn gives the public registry is replaced by npm's.
        settings: known settings as text, secrets left out.
        runs: paths of files that yarn runs, relative to the project as far as the settings name them so.
        folder: the directory of the file that is read, relative to the project.
        catalogs: name ("" is the default one) → package → range.
        extensions: package → ranges of its versions, each with the dependencies that `packageExtensions` adds.
        environment: files whose variables yarn 4 sets for every script that it runs.
        findings: what is worth knowing.
    """

    registry: str = PUBLIC_REGISTRY
    scopes: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    folder: str = ""
    catalogs: dict[str, dict[str, str]] = field(default_factory=dict)
    extensions: dict[str, list[tuple[str, dict[str, str]]]] = field(default_factory=dict)
    environment: list[str] = field(default_factory=lambda: [".env.yarn"])
    findings: list[LockFinding] = field(default_factory=list)

    def note(self, code: str, rule: str, place: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(LockFinding(code=code, rule=rule, package=None, place=place, message=message))

    def set_registry(self, scope: str, url: str, place: str) -> None:
        """Set the registry of a scope, or ("") of everything else."""
        registry = public_name(normalise(url))
        if scope:
            self.scopes[scope] = registry
        else:
            self.registry = registry
        if registry != PUBLIC_REGISTRY:
            what = f"packages of {scope} come from" if scope else "the default registry is"
            self.note("npmrc-registry", "registries", place, f"{what} {registry}")

    def take(self, key: str, value: str, place: str) -> None:
        """Take one plain setting."""
        lower = key.lower()
        if any(secret in lower for secret in _SECRETS):
            return
        if key in _RUNS_CODE:
            self.settings[key] = public_url(value)
            self.note("npmrc-runs-code", "manager_code", place, f"`{key}` decides what yarn runs")
            if key in ("yarn-path", "yarnPath"):
                self.add_run(value)
        elif key.startswith("--") and (word := key.rpartition(".")[2].lstrip("-")) not in _PLAIN_ARGUMENTS:
            self._take_argument(key, word, value, place)
        elif key in _REDIRECTS:
            self.settings[key] = "(set)" if key == "ca" else public_url(value)
            self.note("npmrc-redirects", "registries", place, f"`{key}` changes where packages come from")
        elif key in _KEPT or key.startswith("--"):
            self.settings[key] = public_url(value)
        if weakened := _WEAKENS.get((key, value.lower())):
            self.settings[key] = public_url(value)
            self.note("npmrc-weakens", weakened[0], place, f"`{key}: {value}`: {weakened[1]}")

    def add_run(self, path: str) -> None:
        """Note a file that yarn runs, or takes variables from."""
        self.runs.append(normpath(join(self.folder, path)) if _is_relative(path) else path)

    def _take_argument(self, key: str, word: str, value: str, place: str) -> None:
        """Take an argument that yarn 1 adds to the command line."""
        self.settings[key] = public_url(value)
        if word == "cwd":
            message = f"`{key}`: yarn installs the project in {public_url(value)[:200]}, by the lockfile there"
            self.note("lockfile-elsewhere", "lockfile_sound", place, message)
        elif word in _REDIRECTS or word == "registry":
            self.note("npmrc-redirects", "registries", place, f"`{key}` changes where packages come from")
        else:
            self.note("npmrc-runs-code", "manager_code", place, f"`{key}` decides how yarn runs")


class YarnRegistries(Registries):
    """The registries that a URL in a yarn.lock may point to: the project's, and the public one under both its names."""

    def __init__(self, settings: Settings) -> None:
        """Take the registries of the settings."""
        super().__init__(Npmrc(registry=settings.registry, scopes=settings.scopes))

    def accepted(self, name: str) -> tuple[str, ...]:
        """Return the registries under which the URL of `name` may lie."""
        return (*super().accepted(name), YARN_REGISTRY)


def public_name(registry: str) -> str:
    """Return npm's name for the public registry where `registry` is yarn's, else `registry`."""
    return PUBLIC_REGISTRY if registry in (YARN_REGISTRY, "http://registry.yarnpkg.com/") else registry


def parse_classic(data: bytes, where: str, settings: Settings) -> None:
    """Add what a `.yarnrc` says.

    Raises:
        InputError: over the limit, not UTF-8, or not in yarn 1's format.
    """
    _limit(data, where)
    if not data.strip():
        return
    for line, keys, fields in _syml.parse_classic(_syml.text_of(data, where), where):
        value = fields.get("")
        place = f"{where} line {line}"
        if "${" in keys[0]:
            settings.note("npmrc-variable-key", "manager_code", place, "a variable decides which setting this is")
        elif not isinstance(value, str):
            if keys[0] == "env":
                settings.note("npmrc-runs-code", "manager_code", place, "`env` sets variables for whatever yarn runs")
                settings.settings["env"] = ", ".join(sorted(fields))
        elif keys[0] == "registry":
            settings.set_registry("", value, place)
        elif keys[0].startswith("@") and keys[0].endswith(":registry"):
            settings.set_registry(keys[0].removesuffix(":registry"), value, place)
        elif keys[0] == "lastUpdateCheck":
            continue
        else:
            settings.take(keys[0], value, place)


def parse_berry(data: bytes, where: str, settings: Settings) -> None:
    """Add what a `.yarnrc.yml` says.

    Raises:
        InputError: over the limit, not YAML with one meaning, or a field of another type than yarn's.
    """
    _limit(data, where)
    documents = load_documents(data, where, limit=MAX_BYTES) if data.strip() else []
    if len(documents) > 1:
        raise InputError(f"{len(documents)} YAML documents, expected one", where=where, hint="keep one document")
    document = documents[0] if documents else None
    if document is None:
        return
    content = _mapping(document, where, "")
    for key, value in content.items():
        place = f"{where} {key}"
        match key:
            case "npmRegistryServer":
                settings.set_registry("", _text(value, where, key), place)
            case "npmScopes":
                for scope, told in _mapping(value, where, key).items():
                    server = _mapping(told, where, f"{key}.{scope}").get("npmRegistryServer") if told else None
                    if server is not None:
                        settings.set_registry(f"@{scope}", _text(server, where, place), f"{place}.{scope}")
            case "npmRegistries":
                settings.settings[key] = ", ".join(sorted(public_url(url) for url in _mapping(value, where, key)))
            case "injectEnvironmentFiles":
                settings.environment = [
                    str(item).removesuffix("?") for item in (value if isinstance(value, list) else [value])
                ]
                settings.take(key, ", ".join(settings.environment), place)
            case "lockfileFilename":
                settings.settings[key] = _plain(value)
                if value != "yarn.lock":
                    message = (
                        f"`{key}`: yarn up to 3 installs from {public_url(_plain(value))[:200]}, not from yarn.lock"
                    )
                    settings.note("lockfile-elsewhere", "lockfile_sound", place, message)
            case "logFilters":
                settings.settings[key] = json.dumps(value, sort_keys=True, default=str)[:MAX_SHOWN]
                message = f"`{key}`: yarn may not say, nor fail for, what is wrong (a checksum, a lockfile out of date)"
                settings.note("npmrc-weakens", "lockfile_sound", place, message)
            case "plugins":
                _plugins(value, where, settings)
            case "catalog":
                settings.catalogs[""] = _ranges(value, where, key)
            case "catalogs":
                for name, ranges in _mapping(value, where, key).items():
                    settings.catalogs["" if name == "default" else name] = _ranges(ranges, where, f"{key}.{name}")
            case "packageExtensions":
                for name, told in sorted(_mapping(value, where, key).items()):
                    extra = _mapping(told, where, f"{key}.{name}").get("dependencies")
                    ranges = _ranges(extra, where, f"{key}.{name}.dependencies")
                    at = name.find("@", 1)
                    package, range_ = (name, "") if at < 0 else (name[:at], name[at + 1 :].removeprefix("npm:"))
                    settings.extensions.setdefault(package, []).append((range_, ranges))
                    settings.settings[f"{key}.{name}"] = ", ".join(f"{k}@{public_url(v)}" for k, v in ranges.items())
                    message = f"{name} gets dependencies that its own package.json does not name"
                    settings.note("override", "pinned", f"{place} {name}", message)
            case _ if key in _LISTS and isinstance(value, list):
                settings.take(key, ", ".join(str(item) for item in value), place)
                settings.settings[key] = ", ".join(public_url(str(item)) for item in value)
            case _ if isinstance(value, Mapping | list):
                if key in _REDIRECTS or key in _RUNS_CODE:
                    settings.take(key, "(set)", place)
            case _ if "${" in key:
                settings.note("npmrc-variable-key", "manager_code", place, "a variable decides which setting this is")
            case _:
                settings.take(key, _plain(value), place)


def _plugins(value: Any, where: str, settings: Settings) -> None:
    """C02: a plugin is code that yarn runs on every command."""
    if not isinstance(value, list):
        raise InputError("expected a list", where=where, place="plugins", hint="write the plugins as a list")
    named: list[str] = []
    for item in value:
        path = item.get("path") if isinstance(item, Mapping) else item
        if not isinstance(path, str):
            raise InputError("a plugin without a path", where=where, place="plugins", hint="name its path")
        settings.add_run(path)
        named.append(public_url(path))
        message = f"yarn runs the plugin {public_url(path)} with every command"
        settings.note("npmrc-runs-code", "manager_code", f"{where} plugins {public_url(path)}", message)
    settings.settings["plugins"] = ", ".join(named)


def _ranges(value: Any, where: str, at: str) -> dict[str, str]:
    return {name: _text(range_, where, f"{at}.{name}") for name, range_ in _mapping(value, where, at).items()}


def _mapping(value: Any, where: str, at: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("expected a mapping", where=where, place=at, hint="see yarn's configuration reference")
    return value


def _text(value: Any, where: str, at: str) -> str:
    if not isinstance(value, str):
        raise InputError("expected text", where=where, place=at, hint="see yarn's configuration reference")
    return str(value)


def _plain(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _limit(data: bytes, where: str) -> None:
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{len(data):,} bytes, at most {MAX_BYTES:,} are read", where=where, hint="is this yarn's configuration?"
        )


def paths(settings: Settings) -> Iterator[str]:
    """Return the files that the settings make yarn run, as paths relative to the project."""
    return filter(_is_relative, settings.runs)


def _is_relative(path: str) -> bool:
    return not path.startswith(("/", "~")) and "${" not in path and "\\" not in path
