"""pnpm: `overrides`, in package.json where it has a `pnpm` block or the lockfile is older than version 9.

Else in pnpm-workspace.yaml: pnpm 10 reads both, pnpm 11 only pnpm-workspace.yaml. https://pnpm.io/settings#overrides
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sbomgate.fix import Command, Pin, Settings, _json

_OVERRIDES = re.compile(r"^overrides:[ \t]*\n", re.MULTILINE)


def edit(files: Mapping[str, bytes], pins: Sequence[Pin], folder: str) -> dict[str, bytes]:
    """Return the files that pin these versions."""
    rows = {
        key: one.version
        for one in pins
        if one.inner
        for key in ([f"{p}@{v}>{one.name}" if v else f"{p}>{one.name}" for p, v in one.below] or [one.name])
    }
    root, settings = f"{folder}package.json", f"{folder}pnpm-workspace.yaml"
    in_json = b'"pnpm"' in files.get(root, b"") or b"lockfileVersion: '9" not in files.get(
        f"{folder}pnpm-lock.yaml", b""
    )

    def overrides(document: dict[str, Any]) -> None:
        if in_json and rows:
            _json.table(document, "pnpm", "overrides").update(rows)

    made = _json.manifests(files, pins, root, overrides)
    if rows and not in_json:
        made[settings] = _with(files.get(settings, b"").decode("utf-8"), rows).encode()
    return made


def _with(text: str, rows: Mapping[str, str]) -> str:
    """Return pnpm-workspace.yaml with these overrides in the place of those of the same names."""
    for name in rows:
        text = re.sub(rf"^ +['\"]?{re.escape(name)}['\"]?:[^\n]*\n", "", text, flags=re.MULTILINE)
    lines = "".join(f"  {json.dumps(name)}: {json.dumps(version)}\n" for name, version in sorted(rows.items()))
    if _OVERRIDES.search(text):
        return _OVERRIDES.sub(lambda found: found[0] + lines, text, count=1)
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return f"{text}{gap}overrides:\n{lines}"


def command(settings: Settings) -> Command:
    """Return what makes pnpm-lock.yaml again, without running or installing anything, nor another pnpm."""
    lines = [f"registry={settings.registry}", *(f"{scope}:registry={url}" for scope, url in settings.scopes.items())]
    return Command(
        arguments=(
            "pnpm",
            "install",
            "--lockfile-only",
            "--ignore-scripts",
            "--ignore-pnpmfile",
            "--no-frozen-lockfile",
        ),
        variables={
            "npm_config_manage_package_manager_versions": "false",
            "pnpm_config_manage_package_manager_versions": "false",
            "pnpm_config_pm_on_fail": "ignore",
            "pnpm_config_minimum_release_age": "0",
            "CI": "true",
        },
        files={".npmrc": "\n".join(sorted(lines)) + "\n"},
    )


def purge(name: str, version: str) -> dict[str, str]:  # noqa: ARG001 - it can only forget all that nobody uses
    """Return what takes a version out of pnpm's store: it keeps files, and drops those that no project refers to."""
    return {"pnpm": "rm -rf node_modules && pnpm store prune   # in each project that held it"}
