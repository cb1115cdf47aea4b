"""What pnpm obeys beside its lockfile: pnpm-workspace.yaml, `pnpm` in package.json, .npmrc and its hook files.

Settings: https://pnpm.io/settings; hooks: https://pnpm.io/pnpmfile.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any

from sbomgate.lockfiles import _npmrc
from sbomgate.lockfiles._reading import Reading
from sbomgate.lockfiles._yaml import load_documents
from sbomgate.purl import public_url
from sbomgate.strict_json import kind_of, place

WORKSPACE = "pnpm-workspace.yaml"

MAX_WORKSPACE_BYTES = 1 << 20
"""Largest pnpm-workspace.yaml, in bytes; real ones stay under 20 kB."""

MAX_SHOWN = 2000
"""Longest value of a setting that is kept as it stands, in characters; of a longer one its SHA-256."""

# Settings that make pnpm run something, or run something else.
_RUNS = frozenset(
    [
        "dangerouslyAllowAllBuilds",
        "executionEnv",
        "globalPnpmfile",
        "nodeOptions",
        "nodeVersion",
        "npmPath",
        "onlyBuiltDependenciesFile",
        "pnpmfile",
        "scriptShell",
        "scriptsPrependNodePath",
        "unsafePerm",
        "useNodeVersion",
    ]
)
_REDIRECTS = frozenset(
    [
        "proxy",
        "httpProxy",
        "httpsProxy",
        "noproxy",
        "noProxy",
        "ca",
        "cafile",
        "storeDir",
        "nodeDownloadMirrors",
        "pnprServer",
    ]
)
# Settings by which pnpm reads another lockfile than pnpm-lock.yaml: one of the git branch, or one in another directory.
_OTHER_LOCKFILE = {
    "gitBranchLockfile": "installs from the lockfile of the git branch (pnpm-lock.BRANCH.yaml) where there is one",
    "lockfileDir": "installs from the lockfile of another directory",
}
# Settings that change what is fetched, built or checked.
_CHANGES = frozenset(
    [
        "allowBuilds",
        "allowNonAppliedPatches",
        "allowUnusedPatches",
        "autoInstallPeers",
        "blockExoticSubdeps",
        "dedupePeers",
        "enableModulesDir",
        "ignorePnpmfile",
        "ignoreScripts",
        "ignoredBuiltDependencies",
        "ignoredOptionalDependencies",
        "injectWorkspacePackages",
        "linkWorkspacePackages",
        "lockfile",
        "minimumReleaseAge",
        "minimumReleaseAgeExclude",
        "modulesDir",
        "neverBuiltDependencies",
        "nodeLinker",
        "onlyBuiltDependencies",
        "packageExtensions",
        "pmOnFail",
        "sharedWorkspaceLockfile",
        "strictDepBuilds",
        "strictSsl",
        "supportedArchitectures",
        "trustPolicy",
        "trustPolicyExclude",
        "verifyStoreIntegrity",
        "virtualStoreDir",
    ]
)
_WEAKENS = {
    ("lockfile", False): ("lockfile_sound", "pnpm install ignores the lockfile"),
    ("strictSsl", False): ("registries", "certificates of registries are not checked"),
    ("verifyStoreIntegrity", False): ("lockfile_sound", "what lies in the store is not compared with its hash"),
}
_BRANCH_LOCKFILE = re.compile(r"pnpm-lock\..+\.yaml")
HOOKS = (".pnpmfile.cjs", ".pnpmfile.mjs")


def _kebab(name: str) -> str:
    return "".join("-" + char.lower() if char.isupper() else char for char in name)


NPMRC_RUNS = frozenset(map(_kebab, _RUNS)) | {"pnpmfile", "global-pnpmfile"}
NPMRC_CHANGES = frozenset(map(_kebab, _CHANGES | _REDIRECTS | _OTHER_LOCKFILE.keys()))


class Settings:
    """The settings of a pnpm project; what is worth knowing of them is found, and recorded in `reading.settings`."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.catalogs: dict[str, dict[str, str]] = {}
        self.overrides: dict[str, str] = {}
        self.patches: dict[str, str] = {}
        self.config_dependencies: dict[str, str] = {}
        data = reading.read_beside(WORKSPACE)
        self.workspace: dict[str, Any] = {}
        if data is not None:
            documents = load_documents(data, reading.base + WORKSPACE, limit=MAX_WORKSPACE_BYTES)
            value = documents[0] if len(documents) == 1 else documents or {}
            if value is not None and type(value) is not dict:
                reading.refuse_file(WORKSPACE, f"{kind_of(value)}, expected one mapping")
            self.workspace = value or {}
        reading.npmrc = _npmrc.parse(
            reading.read_beside(".npmrc"), reading.base + ".npmrc", runs=NPMRC_RUNS, fetches=NPMRC_CHANGES
        )
        for key in _OTHER_LOCKFILE:
            self._other_lockfile(key, reading.npmrc.settings.get(_kebab(key)), f"{reading.base}.npmrc {_kebab(key)}")
        manifest = reading.manifests.get("", {}).get("pnpm")
        self._load("package.json", manifest if type(manifest) is dict else {}, ("pnpm",))
        self._load(WORKSPACE, self.workspace, ())
        if self.config_dependencies:
            reading.settings["configDependencies"] = _shown(self.config_dependencies)
        self._registries()
        self._hooks()

    def _load(self, file: str, settings: dict[str, Any], at: tuple[str, ...]) -> None:
        reading = self.reading
        catalog = _texts(settings.get("catalog"))
        if catalog:
            self.catalogs["default"] = catalog
        named = settings.get("catalogs")
        if type(named) is dict:
            self.catalogs |= {name: _texts(entries) for name, entries in named.items()}
        self.overrides |= _texts(settings.get("overrides"))
        self.patches |= _texts(settings.get("patchedDependencies"))
        self.config_dependencies |= _config(settings.get("configDependencies"))
        for key, value in sorted(settings.items(), key=lambda item: str(item[0])):
            where = f"{file} {place(*at, str(key))}"
            if key in _RUNS:
                reading.find("pnpm-runs-code", "manager_code", None, where, f"`{key}` decides what pnpm runs")
            elif key in _REDIRECTS:
                message = f"`{key}` changes where packages come from"
                reading.find("npmrc-redirects", "registries", None, where, message)
            elif key in _OTHER_LOCKFILE:
                self._other_lockfile(key, value, where)
            elif key not in _CHANGES:
                continue
            if type(value) is bool and (weakened := _WEAKENS.get((key, value))):
                message = f"`{key}: {str(value).lower()}`: {weakened[1]}"
                reading.find("npmrc-weakens", weakened[0], None, where, message)
            reading.settings[key] = "(set)" if key == "ca" else _shown(value)

    def _other_lockfile(self, key: str, value: Any, where: str) -> None:
        reading = self.reading
        if key == "gitBranchLockfile":
            others = [
                name for name in reading.files.names(reading.base.rstrip("/")) if _BRANCH_LOCKFILE.fullmatch(name)
            ]
            value = value if others else None  # as long as there is none, pnpm reads pnpm-lock.yaml
        if value not in (False, None, "", ".", "./", "false"):
            message = f"`{key}`: pnpm {_OTHER_LOCKFILE[key]}"
            reading.find("lockfile-elsewhere", "lockfile_sound", None, where, message)

    def _registries(self) -> None:
        """Registries in pnpm-workspace.yaml stand before those of .npmrc."""
        reading, npmrc = self.reading, self.reading.npmrc
        found: dict[str, str] = {}
        if type(default := self.workspace.get("registry")) is str:
            found["default"] = default
        for key in ("registries", "namedRegistries"):
            found |= _texts(self.workspace.get(key))
        if not found:
            return
        registry, scopes = npmrc.registry, dict(npmrc.scopes)
        for name, url in sorted(found.items()):
            normal = _npmrc.normalise(url)
            if name == "default":
                registry = normal
            elif name[:1] == "@":
                scopes[name] = normal
            if normal != _npmrc.PUBLIC_REGISTRY:
                where = f"{WORKSPACE} {place('registries', name)}"
                what = "the default registry is" if name == "default" else f"packages of {name} come from"
                reading.find("npmrc-registry", "registries", None, where, f"{what} {normal}")
        reading.npmrc = _npmrc.Npmrc(registry=registry, scopes=scopes, settings=npmrc.settings, findings=npmrc.findings)

    def _hooks(self) -> None:
        """C01: pnpm runs these under `--frozen-lockfile --ignore-scripts` as well."""
        reading = self.reading
        names: list[str] = list(HOOKS)
        for value in (reading.npmrc.settings.get("pnpmfile"), self.workspace.get("pnpmfile")):
            names += [value] if type(value) is str else [v for v in value if type(v) is str] if value else []
        for name in dict.fromkeys(names):
            outside = name[:1] in "/~" or "${" in name or not reading.files.is_inside(reading.base + name)
            data = None if outside else reading.read_beside(name)
            if data is not None:
                digest = sha256(data).hexdigest()
                reading.settings[f"pnpmfile:{name}"] = f"sha256:{digest}"
                message = f"pnpm runs {name} on every install, whatever the lockfile says"
                reading.find("pnpmfile", "manager_code", None, name, message)
            elif name not in HOOKS:
                message = f"pnpm runs {name[:200]}, which does not lie in the repository"
                reading.find("pnpmfile", "manager_code", None, name[:200], message)


def _texts(value: Any) -> dict[str, str]:
    """Return the texts of a mapping; a number that somebody wrote without quotes counts as its text."""
    if type(value) is not dict:
        return {}
    return {str(key): str(item) for key, item in value.items() if isinstance(item, str)}


def _config(value: Any) -> dict[str, str]:
    """Return `configDependencies` as name → version with its integrity, in both of its forms."""
    if type(value) is not dict:
        return {}
    return {str(name): item if isinstance(item, str) else _shown(item) for name, item in value.items()}


def _shown(value: Any) -> str:
    text = public_url(value) if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"sha256:{sha256(text.encode()).hexdigest()}"
