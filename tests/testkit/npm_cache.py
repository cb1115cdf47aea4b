"""The caches of npm and of yarn 1, as they lay them out."""

from __future__ import annotations

import hashlib
from pathlib import Path

from testkit import tarballs


def put(cache: Path, data: bytes, sha512: str | None = None) -> Path:
    """Put a tarball into a cache under its digest, or under another that it does not have."""
    digest = sha512 or tarballs.sha512(data)
    path = cache / "_cacache" / "content-v2" / "sha512" / digest[:2] / digest[2:4] / digest[4:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def put_yarn(cache: Path, name: str, version: str, data: bytes, address: str) -> str:
    """Put a tarball into yarn's cache as of an address; return that as a lockfile has it, with the sha1."""
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    slug = name.lower().replace("/", "-")
    folder = cache / "v6" / f"npm-{slug}-{version}-{sha1}-integrity" / "node_modules" / name
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "what yarn unpacked is never read"}')
    (folder / ".yarn-tarball.tgz").write_bytes(data)
    return f"{address}#{sha1}"
