"""yarn: `resolutions` in package.json, of yarn 1 and of yarn 2 and later.

https://classic.yarnpkg.com/lang/en/docs/selective-version-resolutions/ and https://yarnpkg.com/configuration/manifest#resolutions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sbomgate.errors import InputError
from sbomgate.fix import Command, Pin, Settings, _json


def edit(files: Mapping[str, bytes], pins: Sequence[Pin], folder: str) -> dict[str, bytes]:
    """Return the files that pin these versions.

    Raises:
        InputError: yarn 1 would have to tell two versions of one dependant apart, which its `resolutions` cannot.
    """
    classic = b"# yarn lockfile v1" in files.get(f"{folder}yarn.lock", b"")[:200]

    def resolutions(document: dict[str, Any]) -> None:
        for one in pins:
            if not one.inner:
                continue
            if not one.below:
                _json.table(document, "resolutions")[one.name] = one.version
            for parent, number in one.below:
                if number and classic:
                    raise InputError(
                        f"{parent} is there in several versions, which have {one.name} in several versions, and yarn 1 "
                        "changes it below all of them or none",
                        where=f"{folder}package.json",
                        hint=f"change what depends on {parent} {number}",
                    )
                key = f"**/{parent}" if classic else f"{parent}@npm:{number}" if number else parent
                _json.table(document, "resolutions")[f"{key}/{one.name}"] = one.version

    return _json.manifests(files, pins, f"{folder}package.json", resolutions)


def command(settings: Settings) -> Command:
    """Return what makes yarn.lock again. yarn 1 has to unpack the packages for it; no script of them is run."""
    if settings.version == "1":
        return Command(
            arguments=("yarn", "install", "--ignore-scripts", "--non-interactive", "--no-progress", "--ignore-engines"),
            variables={"YARN_IGNORE_PATH": "1"},
            files={".npmrc": f"registry={settings.registry}\n", ".yarnrc": f'registry "{settings.registry}"\n'},
        )
    host = urlsplit(settings.registry)
    lines = [
        f'npmRegistryServer: "{settings.registry.rstrip("/")}"',
        "enableTelemetry: false",
        "enableScripts: false",
        "npmMinimalAgeGate: 0",
    ]
    if host.scheme == "http":
        lines.append(f'unsafeHttpWhitelist: ["{host.hostname}"]')
    if settings.scopes:
        lines.append("npmScopes:")
        lines += [f'  {name[1:]}: {{npmRegistryServer: "{url}"}}' for name, url in sorted(settings.scopes.items())]
    return Command(
        arguments=("yarn", "install", "--mode=update-lockfile"),
        variables={"YARN_IGNORE_PATH": "1", "YARN_ENABLE_IMMUTABLE_INSTALLS": "false"},
        files={".yarnrc.yml": "\n".join(lines) + "\n"},
    )


def purge(name: str, version: str) -> dict[str, str]:
    """Return what takes a version out of yarn's caches: yarn 1 knows only all versions of a name."""
    slug = name.replace("/", "-")
    return {
        "yarn 1": f"yarn cache clean {name}",
        "yarn 2+": f'rm -f "$(yarn config get cacheFolder)"/{slug}-npm-{version}-*.zip',
    }
