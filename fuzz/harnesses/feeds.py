"""Feeds of malicious packages: OSV as JSON and zip, CSV; and the lists that are made of them."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator

from sbomgate.errors import UsageError
from sbomgate.policy import feed, lists


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return one of each."""
    events = [{"introduced": "1.0.0"}, {"fixed": "1.2.0"}, {"introduced": "2.0.0-rc.1"}, {"last_affected": "2.1.0"}]
    affected = {
        "package": {"ecosystem": "npm", "name": "@evil/x", "purl": "pkg:npm/%40evil/x"},
        "versions": ["1.0.0"], "ranges": [{"type": "SEMVER", "events": events}],
    }  # fmt: skip
    record = {
        "schema_version": "1.7.0",
        "id": "MAL-2026-1",
        "aliases": ["GHSA-x"],
        "modified": "2026-01-01T00:00:00Z",
        "affected": [affected],
    }
    yield "one.json", json.dumps(record, indent=1).encode()
    yield (
        "many.json",
        json.dumps({"vulns": [record, {**record, "id": "MAL-2026-2", "withdrawn": "2026-01-02T00:00:00Z"}]}).encode(),
    )
    for name, kind in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", kind) as archive:
            archive.writestr(zipfile.ZipInfo("npm/MAL-1.json"), json.dumps(record))
            archive.writestr(zipfile.ZipInfo("npm/MAL-2.json"), json.dumps({**record, "id": "MAL-2026-3"}))
        yield f"{name}.zip", out.getvalue()
    made = feed.read({"x": json.dumps(record).encode()}).data
    yield "list.csv", made


def read(data: bytes) -> object:
    """Import it, then load what was made; or load it as a list. What is imported is a list that can be read."""
    with contextlib.suppress(UsageError):
        lists.load(data, name="n", where="w")
    made = feed.read({"x": data})
    return lists.load(made.data, name="n", where="w")
