"""bun: `overrides` in package.json, for a package wherever it is. https://bun.com/docs/pm/overrides"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbomgate.errors import InputError
from sbomgate.fix import Command, Pin, Settings, _json


def edit(files: Mapping[str, bytes], pins: Sequence[Pin], folder: str) -> dict[str, bytes]:
    """Return the files that pin these versions.

    Raises:
        InputError: other versions of the package have to stay; bun overrides a name, whoever depends on it.
    """

    def overrides(document: dict[str, Any]) -> None:
        for one in pins:
            if one.below:
                raise InputError(
                    f"{one.name} is there in several versions, and bun overrides all of them or none",
                    where=f"{folder}package.json",
                    hint=f"change what depends on it: {', '.join(sorted({name for name, _ in one.below}))}",
                )
            if one.inner:
                _json.table(document, "overrides")[one.name] = one.version

    return _json.manifests(files, pins, f"{folder}package.json", overrides)


def command(settings: Settings) -> Command:
    """Return what makes bun.lock again, without running or installing anything."""
    scopes = "".join(f'"{scope}" = "{url}"\n' for scope, url in sorted(settings.scopes.items()))
    return Command(
        arguments=("bun", "install", "--lockfile-only", "--ignore-scripts"),
        variables={"DO_NOT_TRACK": "1"},
        files={
            "bunfig.toml": f'[install]\nregistry = "{settings.registry}"\nminimumReleaseAge = 0\n'
            + (f"\n[install.scopes]\n{scopes}" if scopes else "")
        },
    )


def purge(name: str, version: str) -> dict[str, str]:
    """Return what takes a version out of bun's cache: unpacked files, and links to them by name."""
    return {"bun": f'rm -rf "$(bun pm cache)"/{name}@{version}@* "$(bun pm cache)"/{name}/{version}@*'}
