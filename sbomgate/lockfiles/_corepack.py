"""What corepack obeys: `.corepack.env`, and a package manager that comes from a URL.

It runs before any package manager does, and takes both from the nearest package.json that names one. Source: corepack's
`specUtils.loadSpec`.
"""

from __future__ import annotations

from hashlib import sha256
from posixpath import join
from typing import Any

from sbomgate.errors import InputError
from sbomgate.lockfiles import _above
from sbomgate.lockfiles._npm_manifest import MAX_MANIFEST_BYTES, package_managers
from sbomgate.lockfiles._told import told
from sbomgate.model import DependencyGraph, LockFinding, ProjectFiles
from sbomgate.purl import public_url
from sbomgate.strict_json import load_object

ENVIRONMENT = ".corepack.env"

MAX_BYTES = 1 << 20
"""Largest .corepack.env, in bytes; real ones have a few hundred."""


def judge(files: ProjectFiles, graph: DependencyGraph) -> DependencyGraph:
    """Return the graph with a finding and a setting for each thing that decides what corepack fetches and runs.

    Raises:
        InputError: a package.json above has no single meaning, or a file is over its limit.
    """
    settings: dict[str, str] = {}
    findings: list[LockFinding] = []

    def find(code: str, where: str, message: str) -> None:
        finding = LockFinding(code=code, rule="manager_code", package=None, place=where, message=message)
        findings.append(finding)

    base = graph.lockfile.path.rpartition("/")[0]
    for directory in (base, *_above.directories(files, base)):
        if (data := files.read(join(directory, "package.json"))) is None:
            continue
        path = join(directory, "package.json")
        manifest = load_object(data, path, limit=MAX_MANIFEST_BYTES)
        if not (named := package_managers(manifest)):
            continue
        for code, where, message in named if directory != base else ():  # of its own the reader says it
            find(code, join(directory, where), message)
        if (address := _address(manifest)) is not None:
            settings[f"{path} packageManager"] = public_url(address)
            message = f"corepack runs {public_url(address)[:200]}, which no registry vouches for"
            find("npmrc-runs-code", f"{path} packageManager", message)
        where = join(directory, ENVIRONMENT)
        variables = files.read(where)
        if variables is not None and len(variables) > MAX_BYTES:
            message = f"{len(variables):,} bytes, at most {MAX_BYTES:,} are read"
            raise InputError(message, where=where, hint="is this a file of variables?")
        if variables is not None and b"COREPACK_" in variables:
            settings[f"{where} sha256"] = sha256(variables).hexdigest()
            message = "corepack obeys the variables of this file: where it fetches from, and what it verifies"
            find("npmrc-runs-code", where, message)
        break
    return told(graph, findings, settings)


def _address(manifest: dict[str, Any]) -> str | None:
    named = manifest.get("packageManager")
    return named if type(named) is str and "://" in named else None
