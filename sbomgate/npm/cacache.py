"""npm's own cache on disk (cacache), as a source of bytes and of nothing else.

Content lies under the digest that it should have: `_cacache/content-v2/sha512/ab/cd/rest-of-the-hex`. The index beside
it is never read: whoever can write the cache can make it say anything.
"""

from __future__ import annotations

import re
from pathlib import Path

from sbomgate.npm import store

_CONTENT = ("_cacache", "content-v2", "sha512")
_SHA512 = re.compile(r"[0-9a-f]{128}")


def is_there(cache: Path, sha512: str | None = None) -> bool:
    """Whether npm may keep anything in a cache, or under a digest; where it is False, `load` finds nothing."""
    return store.is_there(cache.joinpath(*_CONTENT) if sha512 is None else _path(cache, sha512))


def load(cache: Path, sha512: str) -> bytes | None:
    """Return the bytes that npm keeps under a digest, or None where it keeps none.

    The bytes are *not* verified here: `tarball.read` compares the digest before it looks at anything.

    Args:
        cache: npm's `cache` setting (`~/.npm`).
        sha512: hex.

    Raises:
        FetchError: the file is there and cannot be read.
    """
    path = _path(cache, sha512)
    shown = "_cacache/content-v2/sha512/" + "/".join((sha512[:2], sha512[2:4], sha512[4:12] + "…"))
    return store.read(path, owner="npm", where=shown)


def _path(cache: Path, sha512: str) -> Path:
    if not _SHA512.fullmatch(sha512):
        raise ValueError("sha512 is 128 lowercase hex digits")
    return cache.joinpath(*_CONTENT, sha512[:2], sha512[2:4], sha512[4:])
