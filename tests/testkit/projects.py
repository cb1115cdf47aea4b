"""Small npm projects in memory, well formed until a test spoils them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from sbomgate import lockfiles
from sbomgate.model import DependencyGraph
from sbomgate.project import MemoryFiles

REGISTRY = "https://registry.npmjs.org/"


def integrity(text: str, algorithm: str = "sha512") -> str:
    """Return a well-formed integrity string."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, text.encode()).digest()).decode()}"


def entry(name: str, version: str = "1.0.0", /, **more: Any) -> dict[str, Any]:
    """Return a well-formed entry of version 3, as npm writes it; `e(x)` of the cases."""
    base = name.rpartition("/")[2]
    return {
        "version": version,
        "resolved": f"{REGISTRY}{name}/-/{base}-{version}.tgz",
        "integrity": integrity(f"{name}@{version}"),
        **more,
    }


class Project:
    """A package.json and the lockfile that fits it."""

    def __init__(self, **dependencies: str) -> None:
        self.manifest: dict[str, Any] = {"name": "shop", "version": "1.0.0", "dependencies": dependencies}
        self.packages: dict[str, Any] = {"": {"name": "shop", "version": "1.0.0", "dependencies": dict(dependencies)}}
        for name, version in dependencies.items():
            self.packages[f"node_modules/{name}"] = entry(name, version)
        self.lock: dict[str, Any] = {"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "requires": True}
        self.files: dict[str, bytes] = {}
        self.links: frozenset[str] = frozenset()

    def read(self, path: str | None = None) -> DependencyGraph:
        """Write the files and read them as sbomgate does."""
        contents = {
            "package.json": json.dumps(self.manifest).encode(),
            "package-lock.json": json.dumps({**self.lock, "packages": self.packages}).encode(),
            **self.files,
        }
        return lockfiles.read(MemoryFiles(contents, self.links), path)

    def codes(self, path: str | None = None) -> set[tuple[str, str]]:
        """Return (rule, code) of every finding."""
        return {(finding.rule, finding.code) for finding in self.read(path).findings}
