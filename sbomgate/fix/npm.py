"""npm: `overrides` in package.json. https://docs.npmjs.com/cli/v11/configuring-npm/package-json#overrides"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbomgate.fix import Command, Pin, Settings, _json


def edit(files: Mapping[str, bytes], pins: Sequence[Pin], folder: str) -> dict[str, bytes]:
    """Return the files that pin these versions; what is declared directly must have the version of its override."""

    def overrides(document: dict[str, Any]) -> None:
        for one in pins:
            if not one.inner:
                continue
            if not one.below:
                held = _json.table(document, "overrides")
                if isinstance(held.get(one.name), dict):
                    held[one.name]["."] = one.version
                else:
                    held[one.name] = one.version
            for name, version in one.below:
                parent = f"{name}@{version}" if version else name
                held = _json.table(document, "overrides")
                if isinstance(held.get(parent), str):
                    held[parent] = {".": held[parent]}
                _json.table(document, "overrides", parent)[one.name] = one.version

    return _json.manifests(files, pins, f"{folder}package.json", overrides)


def command(settings: Settings) -> Command:
    """Return what makes package-lock.json again, without running or installing anything."""
    # Whether addresses are left out is a setting of the user's, too: a fix changes no line that it need not.
    lines = [f"registry={settings.registry}", "omit-lockfile-registry-resolved=false"]
    lines += [f"{scope}:registry={url}" for scope, url in settings.scopes.items()]
    return Command(
        arguments=("npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"),
        variables={"npm_config_update_notifier": "false", "npm_config_min_release_age": "0"},
        files={".npmrc": "\n".join(sorted(lines)) + "\n"},
    )


def purge(name: str, version: str) -> dict[str, str]:
    """Return what takes a version out of npm's cache: what the registry said of the package goes with it."""
    keys = f"npm cache ls {name}@{version}"
    return {"npm": f'{keys} | while read -r key; do npm cache clean "$key"; done'}
