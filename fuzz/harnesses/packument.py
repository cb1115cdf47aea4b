"""What registries say of packages, and what packages say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from sbomgate.errors import FetchError
from sbomgate.npm import manifest, packument
from sbomgate.npm.manifest import MalformedManifest

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return a packument with everything that is looked at."""
    one = {
        "name": "a",
        "version": "1.0.0",
        "license": "MIT",
        "scripts": {"postinstall": "node x"},
        "maintainers": [{"name": "ann"}],
        "author": {"name": "Ann", "email": "ann@a.example", "url": "https://a.example"},
        "bin": {"a": "x.js"},
        "repository": {"type": "git", "url": "git+https://github.com/a/a.git"},
        "dependencies": {"b": "^1"},
        "hasInstallScript": True,
        "deprecated": "old",
        "_npmUser": {"name": "ann", "trustedPublisher": {"id": "github"}},
        "dist": {
            "integrity": "sha512-" + "A" * 86 + "==",
            "tarball": "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
            "signatures": [{"keyid": "SHA256:x", "sig": "MEQ="}],
            "attestations": {"url": "https://registry.npmjs.org/-/npm/v1/attestations/a@1.0.0", "provenance": {}},
        },
    }
    times = {
        "created": "2024-01-01T00:00:00.000Z",
        "1.0.0": "2024-01-01T00:00:00.000Z",
        "1.1.0": "2024-02-01T00:00:00.000Z",
    }
    whole = {"name": "a", "time": times, "versions": {"1.0.0": one, "1.1.0": {**one, "version": "1.1.0"}}}
    yield "packument.json", json.dumps(whole, indent=1).encode()
    yield "manifest.json", json.dumps(one, indent=1).encode()


def read(data: bytes) -> object:
    """Read it as both."""
    found = packument.read(
        data, name="a", versions=("1.0.0", "1.1.0"), registry="https://registry.npmjs.org/", asked_at=NOW
    )
    try:
        manifest.read(data)
        packument.releases(data, name="a")
    except (MalformedManifest, FetchError):
        pass
    return found
