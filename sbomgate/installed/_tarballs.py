"""The tarballs on this machine, and those fetched in this run: bytes to compare with, believed only by their digest.

npm keeps every tarball under its digest, yarn 1 beside what it unpacked. pnpm, bun and yarn 2 and later keep none:
pnpm's store says of each file which digest it has, but whoever can write the store can write that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sbomgate.installed import _zips
from sbomgate.npm import cacache, tarball, yarn_cache

MAX_KEPT_FILES = 1_000_000  # of fetched tarballs, some 300 MB of digests; the packages beyond are names and versions
MAX_FOLDERS = 1_000_000  # entries of yarn's cache


class Tarballs:
    """Finds tarballs by digest."""

    def __init__(
        self, *, npm_cache: Path | None = None, yarn_cache: Path | None = None, zips: Sequence[Path] = ()
    ) -> None:
        """Look into these folders, none of which need exist.

        Args:
            npm_cache: npm's `cache` (`~/.npm`).
            yarn_cache: yarn 1's (`~/.cache/yarn`).
            zips: of yarn 2 and later, the project's and the user's (`.yarn/cache`, `~/.yarn/berry/cache`).
        """
        self._npm_cache = npm_cache
        self._kept: dict[str, tarball.Contents] = {}
        self._left = MAX_KEPT_FILES
        self._zip_folders = zips
        self._zips: dict[str, list[Path]] | None = None
        self._yarn_cache = yarn_cache

    def keep(self, sha512: str, data: bytes) -> None:
        """Remember what is in a tarball that was fetched, whose digest is this; its bytes are not kept."""
        found = tarball.contents(data, sha512=sha512)
        if found is not None:
            self._left -= sum(map(len, found.files.values()))
            if self._left > 0:
                self._kept[sha512] = found

    def contents(self, name: str, version: str | None, sha512: str, resolved: str | None) -> tarball.Contents | None:
        """Return every file of the tarball with this digest, or None where no cache has it whole.

        Args:
            name: of the package, and `version`: where yarn's caches keep it.
            version: of the package.
            sha512: hex; or `zip:` and the checksum of yarn's archive.
            resolved: the lockfile's address.
        """
        if sha512.startswith(_zips.PREFIX):
            return self._zip(name, sha512.removeprefix(_zips.PREFIX))
        if sha512 in self._kept:
            return self._kept[sha512]
        for data in self._bytes(name, version, sha512, resolved):
            found = tarball.contents(data, sha512=sha512)
            if found is not None:
                return found
        return None

    def _bytes(self, name: str, version: str | None, sha512: str, resolved: str | None) -> Iterator[bytes]:
        if self._npm_cache is not None and (data := cacache.load(self._npm_cache, sha512)) is not None:
            yield data
        if self._yarn_cache is not None and version is not None:
            data = yarn_cache.load(self._yarn_cache, name, version, resolved)
            if data is not None:
                yield data

    def _zip(self, name: str, sha512: str) -> tarball.Contents | None:
        """Return the files of the archive with this digest, which is `NAME-npm-VERSION-HASH-….zip` somewhere."""
        if self._zips is None:  # several threads may do this at once, each whole
            zips: dict[str, list[Path]] = {}
            for path in [path for folder in self._zip_folders for path in _listed(folder)]:
                if path.suffix == ".zip":
                    zips.setdefault(path.name.partition("-npm-")[0].partition("-patch-")[0], []).append(path)
            self._zips = zips
        held = self._zips.get(name.replace("/", "-"), [])
        for path in sorted(held, key=lambda one: (sha512[:10] not in one.name, one)):
            data = _zips.read(path)
            if _zips.checksum(data) == sha512:
                return _zips.contents(data, name)
        return None


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:MAX_FOLDERS]
    except OSError:
        return []  # a cache that is not there holds nothing
