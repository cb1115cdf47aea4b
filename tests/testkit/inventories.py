"""Small inventories for tests, and writers of them to run in processes of their own. Not shipped."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sbomgate.inventory.folder import Folder
from sbomgate.inventory.rows import Build

Row = dict[str, Any]
NOW = datetime(2026, 4, 1, tzinfo=UTC)
SRI = "sha512-q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urqw=="


def sha256(text: str) -> str:
    """Return a digest that is the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()


def build(
    name: str, packages: Sequence[tuple[str, str] | Row] = (), *, decided: datetime | None = None, **about: Any
) -> tuple[int, list[Row]]:
    """Return key and rows of a build: packages as (name, version), or whole rows."""
    made = Build(
        **{
            "evidence": sha256(f"evidence of {name}"),
            "sbom": sha256(f"SBOM of {name}"),
            "standing": "verified",
            "signer": "release",
            "subject": f"file:{name}.tgz",
            "digest": f"sha256:{sha256(f'artefact {name}')}",
            "project": "shop",
            "project_version": "1.0.0",
            "project_repository": None,
            "commit_id": None,
            "lockfile": "package-lock.json",
            "workspace": None,
            "environment": "production",
            "profile": "default",
            "verdict": "allowed",
            "policy": "ab" * 32,
            "decided": None,
            "packages": len(packages),
        }
        | about
    )
    own = {name: getattr(made, name) for name in Build.__slots__}
    own |= {"name": "", "build": made.key, "decided": None if decided is None else decided.isoformat()[:19]}
    rows = [
        {"kind": "registry", "direct": False, "dev": False, "optional": False, "build": made.key}
        | (dict(one) if isinstance(one, dict) else {"name": one[0], "version": one[1], "path": [one[0]]})
        for one in packages
    ]
    return made.key, [own, *rows]


def package(name: str, version: str | None, **more: Any) -> Row:
    """Return the row of a package."""
    return {"name": name, "version": version, "path": [name], **more}


AXIOS = package(
    "axios",
    "1.14.1",
    direct=True,
    licence="MIT",
    publisher="mallory",
    maintainers=["bob", "mallory"],
    provenance="unattested",
    scripts="none",
    published="2026-03-31T00:21:00",
    integrity=SRI,
)
PLAIN = package("plain-crypto-js", "4.2.1", scripts="present", path=["axios", "plain-crypto-js"], dev=True)
# Three decisions and an SBOM: 1.14.1 is the bad one.
EXAMPLES = [
    build("old", [package("axios", "1.14.0", provenance="verified", repository="https://github.com/axios/axios")],
          decided=NOW - timedelta(days=9)),
    build("bad", [AXIOS, PLAIN, package("@tanstack/router", "1.0.0"), package("@tanstack_x/y", "1.0.0")],
          decided=NOW - timedelta(hours=5)),
    build("next", [package("axios", "1.15.0-beta.1"), package("axios", None, kind="git")],
          decided=NOW, project="other", environment="staging", verdict="denied"),
    build("sbom", [package("axios", "0.30.4"), package("lod%sh", "1.0.0")], evidence=None, digest=None, subject=None,
          standing="sbom", project="vendor", verdict=None, signer=None, environment=None),
]  # fmt: skip


def writer(path: Path, number: int, report: Connection) -> None:
    """Say "ready", then add builds and report the key of each that was stored, until killed or told a count."""
    folder = Folder(path)
    report.send("ready")
    for count in range(10_000):
        key, rows = build(f"{number}-{count}", [("axios", "1.14.1"), (f"only-{number}-{count}", "1.0.0")])
        folder.add([(key, rows)])
        report.send(key)
        if count % 4 == 3:
            folder.compact(wait=False)


def some(path: Path, number: int, count: int) -> None:
    """Add so many builds, and compact in between."""
    folder = Folder(path)
    for one in range(count):
        folder.add([build(f"{number}-{one}", [("axios", "1.14.1")])])
        if one % 7 == number % 7:
            folder.compact(wait=False)
