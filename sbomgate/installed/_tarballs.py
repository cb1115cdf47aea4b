"""The tarballs that package managers keep on this machine: bytes to compare with, believed only by their digest.

npm keeps every tarball under its digest, yarn 1 beside what it unpacked. pnpm, bun and yarn 2 and later keep none:
pnpm's store says of each file which digest it has, but whoever can write the store can write that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sbomgate.errors import InputError
from sbomgate.installed import _zips
from sbomgate.npm import cacache, tarball

MAX_FOLDERS = 1_000_000  # entries of yarn's cache


class Tarballs:
    """Finds tarballs by digest."""

    def __init__(
        self, *, npm_cache: Path | None = None, yarn_cache: Path | None = None, zips: Sequence[Path] = ()
    ) -> None:
        """Look into these folders, none of which need exist.

        Args:
            npm_cache: npm's `cache` (`~/.npm`).
            yarn_cache: yarn 1's (`~/.cache/yarn/v6`).
            zips: of yarn 2 and later, the project's and the user's (`.yarn/cache`, `~/.yarn/berry/cache`).
        """
        self._npm_cache = npm_cache
        self._zip_folders = zips
        self._zips: dict[str, list[Path]] | None = None
        self._yarn_cache = yarn_cache
        self._folders: dict[str, list[str]] | None = None

    def contents(self, name: str, version: str | None, sha512: str) -> tarball.Contents | None:
        """Return every file of the tarball with this digest, or None where no cache has it whole."""
        if sha512.startswith(_zips.PREFIX):
            return self._zip(name, sha512.removeprefix(_zips.PREFIX))
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

    def _of_yarn(self, start: str) -> list[str]:
        """Return the folders of yarn 1's cache for a package: `npm-NAME-VERSION-SHA1-integrity`."""
        if self._folders is None:
            folders: dict[str, list[str]] = {}
            for name in [one.name for one in _listed(self._yarn_cache)] if self._yarn_cache else []:
                folders.setdefault(name.removesuffix("-integrity").rpartition("-")[0], []).append(name)
            self._folders = folders
        return self._folders.get(start, [])


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:MAX_FOLDERS]
    except OSError:
        return []  # a cache that is not there holds nothing
