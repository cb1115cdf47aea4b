"""yarn classic's cache on disk, as a source of bytes and of nothing else.

Beside the files that it unpacked yarn 1 keeps the tarball as it came, in a folder named by package, version and the
sha1 of the lockfile's address: `v6/npm-left-pad-1.3.0-5b8a…-integrity/node_modules/left-pad/.yarn-tarball.tgz`.
The unpacked files and `.yarn-metadata.json` are never read: nothing binds them to the lockfile. yarn 2 and later keep
zips of their own making, which hold no bytes of the registry's.
"""

from __future__ import annotations

import re
from pathlib import Path

from sbomgate.npm import store

# Cache version 6 is that of yarn 1.16 and later. A path is made only of what a package can be called.
_FOLDER = "v6"
_NAME = re.compile(r"(?:@[a-z0-9~_-][a-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]{0,213}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,255}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_NOT_IN_SLUG = re.compile(r"[^@a-z0-9]+")


def is_there(cache: Path) -> bool:
    """Whether yarn may keep anything in a cache; where it is False, `load` finds nothing in it."""
    return store.is_there(cache / _FOLDER)


def load(cache: Path, name: str, version: str, resolved: str | None) -> bytes | None:
    """Return the tarball that yarn keeps of a package, or None where it keeps none.

    The bytes are *not* verified here: `tarball.read` compares the digest before it looks at anything.

    Args:
        cache: yarn's `cache-folder` (`~/.cache/yarn`).
        name: of the package; what is installed under an alias lies under that, and is not found.
        version: of the package.
        resolved: the lockfile's address, whose fragment is the sha1 of the tarball.

    Raises:
        FetchError: the file is there and cannot be read.
    """
    sha1 = (resolved or "").partition("#")[2]
    if not (_NAME.fullmatch(name) and _VERSION.fullmatch(version) and _SHA1.fullmatch(sha1)):
        return None
    slug = _NOT_IN_SLUG.sub("-", name).strip("-")
    inside = f"{_FOLDER}/npm-{slug}-{version}-{sha1}-integrity/node_modules/{name}/.yarn-tarball.tgz"
    return store.read(cache / inside, owner="yarn", where=inside)
