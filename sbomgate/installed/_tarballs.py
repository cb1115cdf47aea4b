"""The tarballs that package managers keep on this machine: bytes to compare with, believed only by their digest.

npm keeps every tarball under its digest, yarn 1 beside what it unpacked. pnpm, bun and yarn 2 and later keep none:
pnpm's store says of each file which digest it has, but whoever can write the store can write that too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sbomgate.errors import InputError
from sbomgate.npm import cacache, tarball

MAX_FOLDERS = 1_000_000  # entries of yarn's cache


class Tarballs:
    """Finds tarballs by digest."""

    def __init__(self, *, npm_cache: Path | None = None, yarn_cache: Path | None = None) -> None:
        """Look into npm's `cache` folder (`~/.npm`) and yarn 1's (`~/.cache/yarn/v6`); neither need exist."""
        self._npm_cache = npm_cache
        self._yarn_cache = yarn_cache
        self._folders: dict[str, list[str]] | None = None

    def contents(self, name: str, version: str | None, sha512: str) -> tarball.Contents | None:
        """Return every file of the tarball with this digest, or None where no cache has it whole."""
        for data in self._bytes(name, version, sha512):
            found = tarball.contents(data, sha512=sha512)
            if found is not None:
                return found
        return None

    def _bytes(self, name: str, version: str | None, sha512: str) -> Iterator[bytes]:
        if self._npm_cache is not None and (data := cacache.load(self._npm_cache, sha512)) is not None:
            yield data
        if self._yarn_cache is None or version is None:
            return
        from sbomgate import files

        for folder in self._of_yarn(f"npm-{name.replace('/', '-')}-{version}"):
            path = self._yarn_cache / folder / "node_modules" / name / ".yarn-tarball.tgz"
            if path.is_file():
                yield files.read(path, limit=tarball.MAX_TARBALL_BYTES, error=InputError)

    def _of_yarn(self, start: str) -> list[str]:
        """Return the folders of yarn 1's cache for a package: `npm-NAME-VERSION-SHA1-integrity`."""
        if self._folders is None:
            self._folders = {}
            try:
                names = sorted(one.name for one in self._yarn_cache.iterdir()) if self._yarn_cache else []
            except OSError:
                names = []  # a cache that is not there holds nothing
            for name in names[:MAX_FOLDERS]:
                self._folders.setdefault(name.removesuffix("-integrity").rpartition("-")[0], []).append(name)
        return self._folders.get(start, [])
