"""Small dependency graphs for tests."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from sbomgate.model import DependencyGraph, Hash, Kind, Lockfile, ManagerSettings, Package

REGISTRY = "https://registry.npmjs.org/"


def package(name: str, version: str | None, *, sha512: str | None = None, **fields: Any) -> Package:
    """Return a registry package; with `sha512` (hex) it has that integrity."""
    known: dict[str, Any] = {"id": f"node_modules/{name}", "kind": Kind.REGISTRY}
    if sha512 is not None:
        known["integrity"] = "sha512-" + base64.b64encode(bytes.fromhex(sha512)).decode()
        known["hashes"] = (Hash(algorithm="sha512", hex=sha512),)
    return Package(name=name, version=version, **{**known, **fields})


def graph(*packages: Package, registry: str = REGISTRY, scopes: Mapping[str, str] | None = None) -> DependencyGraph:
    """Return a graph of `packages` and a root, without edges."""
    root = Package(id="", name="root", version="1.0.0", kind=Kind.ROOT)
    return DependencyGraph(
        lockfile=Lockfile(path="package-lock.json", kind="npm", version="3", sha256="00" * 32, size=1),
        manager=ManagerSettings(name="npm", registry=registry, scopes=scopes or {}, settings={}, files={}),
        packages=(root, *sorted(packages, key=lambda one: one.id)),
        edges=(),
        findings=(),
    )
