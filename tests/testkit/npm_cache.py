"""npm's own cache, as npm lays it out."""

from __future__ import annotations

from pathlib import Path

from testkit import tarballs


def put(cache: Path, data: bytes, sha512: str | None = None) -> Path:
    """Put a tarball into a cache under its digest, or under another that it does not have."""
    digest = sha512 or tarballs.sha512(data)
    path = cache / "_cacache" / "content-v2" / "sha512" / digest[:2] / digest[2:4] / digest[4:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
