"""Reading what is installed, or what an artefact holds, for the comparison with the lockfile (P13): `sbomgate.link`.

A tree is read in two steps. (1) Everything that lies in it is listed, each package's name and version as its own
package.json states them; nothing is executed, no link is followed. (2) Where a cache on this machine holds the tarball
that the lockfile pins, every file of the package is compared with it, byte for byte by SHA-256.

    folder (npm, pnpm, yarn node_modules)  ─┐
    archive, image layers                   ├─▶ Inventory
    Plug'n'Play                             ─┘
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sbomgate.errors import InputError
from sbomgate.installed import _archive, _folder, _pnp
from sbomgate.installed._survey import MANIFEST, MODULES, Entry, Folder, Survey, survey
from sbomgate.installed._tarballs import Tarballs
from sbomgate.link import Expected, package_name
from sbomgate.model import Kind
from sbomgate.model.link import CONTAINED, INSTALLED, FileDifferences, FoundPackage, Inventory, OtherEntry
from sbomgate.npm.tarball import Contents

__all__ = ["Tarballs", "read_archive", "read_folder"]

MAX_MANIFEST_BYTES = 16 << 20  # one package.json; real ones stay under 1 MiB
MAX_PATHS = 20  # differing files of one package that are named
WORKERS = min(4, os.cpu_count() or 1)  # hashing and unpacking hold no lock

_READY, _UNPLUGGED, _NOTHING = ".ready", ".yarn/unplugged/", hashlib.sha256().hexdigest()  # yarn's empty mark
_IGNORES = (".gitignore", ".npmignore")


def read_folder(
    root: Path,
    known: Expected,
    *,
    tarballs: Tarballs,
    folders: Iterable[str] = ("",),
    elsewhere: tuple[OtherEntry, ...] = (),
) -> Inventory:
    """Read the trees `node_modules` of an installed project.

    Args:
        root: the project's folder, or its folder node_modules itself.
        known: what the whole lockfile says: which tarballs to compare with.
        tarballs: finds them.
        folders: the project's own folder and those of its workspaces, relative to `root`.
        elsewhere: what else the lockfile holds; it becomes part of the inventory.

    Raises:
        InputError: nothing is installed there, something cannot be read, or it is over a limit.
    """
    if root.name == MODULES:
        root = root.parent
        folders = ("",)
    listed = _pnp.read(root, known)
    within = frozenset(folders) | (listed.folders if listed else frozenset())
    found = survey(_folder.entries(root), where=str(root), folders=within)
    if listed is not None:
        found.layouts.add("pnp")
        found.links += listed.links
        found.others |= {one.place: one.kind for one in listed.others}
    if not found.layouts and known.by_name:
        raise InputError(
            f"nothing is installed here: no folder {MODULES}", where=str(root),
            hint="name the project's folder, installed; with Plug'n'Play the one with .pnp.cjs",
        )  # fmt: skip
    made = inventory(found, known, link=INSTALLED, tarballs=tarballs, elsewhere=elsewhere)
    if listed is None:
        return made
    packages = sorted((*made.packages, *listed.packages), key=lambda one: one.place)
    return replace(made, packages=tuple(packages), files=made.files + len(listed.packages))


def read_archive(
    path: Path,
    part: str,
    known: Expected,
    *,
    sha256: str,
    tarballs: Tarballs,
    folders: Iterable[str] = ("",),
    elsewhere: tuple[OtherEntry, ...] = (),
) -> Inventory:
    """Look into an artefact: a tar or a zip, or the layers of an image in an OCI layout.

    Args:
        path: the archive, or the layout's folder.
        part: the folder in it that is compared ("." for all of it); "" for the only one that holds node_modules.
        known: as for `read_folder`.
        sha256: the subject's digest (hex): of the archive's bytes, or of the image's manifest.
        tarballs: finds the packages' tarballs.
        folders: the project's own folder and those of its workspaces, relative to `part`.
        elsewhere: as for `read_folder`.

    Raises:
        InputError: it holds no node_modules, or several and no part is named; another digest; hostile or unreadable.
    """
    read = _archive.entries_of_layout if path.is_dir() else _archive.entries_of_file
    entries = [one for one in read(path, sha256=sha256) if MODULES in one.path.split("/")]
    is_empty = all(package.dev for same in known.by_name.values() for package in same)  # nothing that would run
    start = "" if is_empty and not entries else _part(entries, part, frozenset(folders), path.name)
    inside = [replace(one, path=one.path[len(start) :]) for one in entries if one.path.startswith(start)]
    found = survey(inside, where=path.name, folders=frozenset(folders))
    for one in entries:
        if not one.path.startswith(start):
            found.others[_root_of(one.path) + MODULES] = "outside"
    return inventory(found, known, link=CONTAINED, tarballs=tarballs, elsewhere=elsewhere)


def _part(entries: Sequence[Entry], part: str, folders: frozenset[str], where: str) -> str:
    """Return the start of all paths that are compared: a folder with its slash, or "" for everything."""
    roots = sorted({_root_of(one.path) for one in entries})
    if not roots:
        raise InputError(
            f"holds no {MODULES}: there is nothing to compare", where=where,
            hint="what a bundler made into one file cannot be looked into: give --installed or --build-provenance",
        )  # fmt: skip
    if part:
        start = "" if part == "." else f"{posixpath.normpath(part).strip('/')}/"
        if not any(root.startswith(start) for root in roots):
            raise InputError(f"no {MODULES} in {part}", where=where, hint=f"there is one in {_list(roots)}")
        return start
    bases = [root for root in roots if all(r.startswith(root) and r[len(root) :].rstrip("/") in folders for r in roots)]
    if len(bases) != 1:
        raise InputError(
            f"{MODULES} in {_list(roots)}", where=where, hint="say with --contains which folder the lockfile is about"
        )
    return bases[0]


def _root_of(path: str) -> str:
    """Return the folder that holds the outermost node_modules of a path, with its slash."""
    return path[: f"/{path}/".index(f"/{MODULES}/")]


def _list(roots: Sequence[str]) -> str:
    named = [root.rstrip("/") or "." for root in roots]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def inventory(
    found: Survey, known: Expected, *, link: str, tarballs: Tarballs, elsewhere: tuple[OtherEntry, ...]
) -> Inventory:
    """Return what was found as a value: names and versions read, files compared where a tarball is at hand."""
    units = _units(found, known)
    with ThreadPoolExecutor(WORKERS) as pool:
        packages = [one for unit in pool.map(lambda unit: unit.packages(tarballs), units) for one in unit]
    return Inventory(
        link=link,
        layouts=tuple(sorted(found.layouts)),
        packages=tuple(sorted(packages, key=lambda one: one.place)),
        links=tuple(sorted(found.links, key=lambda one: one.place)),
        others=found.found_others(),
        elsewhere=elsewhere,
        files=found.files,
    )


@dataclass(slots=True)
class _Stated:
    """What a package's own package.json states, leniently read: what counts is what Node makes of it."""

    name: str | None
    version: str | None
    problem: str
    bundles: frozenset[str]


@dataclass(slots=True)
class _Inside:
    """A package inside another one's folder: `path` is relative to that; `sha512` of the tarballs that it may be of."""

    path: str
    folder: Folder
    stated: _Stated
    sha512: Sequence[tuple[str, str | None]]
    is_bundled: bool


@dataclass(slots=True)
class _Unit:
    """A package, the digests of the tarballs that it may be of, and the packages inside it that may be bundled."""

    folder: Folder
    stated: _Stated
    sha512: Sequence[tuple[str, str | None]]
    inside: list[_Inside] = field(default_factory=list)

    def packages(self, tarballs: Tarballs) -> list[FoundPackage]:
        """Return it and those inside it, compared with the tarball where one is at hand."""
        best: list[FoundPackage] = []
        for sha512, contents in _held(tarballs, self.stated, self.sha512):
            made = self._compared(tarballs, contents, sha512)
            if not any(one.differences for one in made):
                return made
            best = best or made
        return best or self._compared(tarballs, None, None)

    def _compared(self, tarballs: Tarballs, contents: Contents | None, sha512: str | None) -> list[FoundPackage]:
        made = [_package(self.folder, self.stated, contents, "", sha512)]
        for one in self.inside:
            # Its own tarball, where the lockfile pins one; else the tarball around it, which may hold it.
            tries = [
                _package(one.folder, one.stated, held, "", digest)
                for digest, held in _held(tarballs, one.stated, one.sha512)
            ]
            if contents is not None and one.path in contents.files:
                tries.append(_package(one.folder, one.stated, contents, one.path, sha512))
            found = next((found for found in tries if not found.differences), tries[0] if tries else None)
            if found is None:
                found = replace(_package(one.folder, one.stated, None, "", None), bundled=one.is_bundled)
            made.append(found)
        return made


def _held(
    tarballs: Tarballs, stated: _Stated, sha512: Sequence[tuple[str, str | None]]
) -> Iterator[tuple[str, Contents]]:
    for one, resolved in sha512:
        contents = tarballs.contents(stated.name or "", stated.version, one, resolved)
        if contents is not None:
            yield one, contents


def _units(found: Survey, known: Expected) -> list[_Unit]:
    units: dict[str, _Unit] = {}
    owner: dict[str, _Unit] = {}
    for place, folder in sorted(found.folders.items(), key=lambda item: item[0].split("/")):
        stated = _stated(folder)
        package = known.at(place, stated.name, stated.version)
        sha512 = known.tarballs(place, stated.name, stated.version)
        around = place.rpartition(f"/{MODULES}/")[0]
        # Where the lockfile says places, it says of each package inside another whether it is bundled.
        is_own = bool(sha512) and package is not None and package.kind is not Kind.BUNDLED and known.placed
        if around in owner and not is_own:
            unit = owner[place] = owner[around]
            outer = units[around].stated if around in units else None
            is_bundled = outer is not None and package_name(place) in outer.bundles
            own = [] if package is None or package.kind is Kind.BUNDLED else sha512
            unit.inside.append(_Inside(place[len(unit.folder.place) + 1 :], folder, stated, own, is_bundled))
            continue
        units[place] = owner[place] = _Unit(folder, stated, sha512)
    return list(units.values())


def _stated(folder: Folder) -> _Stated:
    """Return what package.json states."""

    def broken(why: str) -> _Stated:
        return _Stated(None, None, why, frozenset())

    if MANIFEST in folder.links:
        return broken("is a link")
    if MANIFEST not in folder.files:
        return broken("is missing")
    try:
        document: Any = json.loads(folder.files[MANIFEST].read(MAX_MANIFEST_BYTES).decode("utf-8-sig", "replace"))
    except InputError as e:
        return broken(f"cannot be read: {e.message}")
    except (ValueError, RecursionError):
        return broken("is not JSON")
    if not isinstance(document, dict):
        return broken("is not an object")
    name, version = document.get("name"), document.get("version")
    bundles = document.get("bundleDependencies", document.get("bundledDependencies"))
    if bundles is True:
        bundles = list(document["dependencies"]) if isinstance(document.get("dependencies"), dict) else []
    return _Stated(
        name=_text(name),
        version=_text(version),
        problem="",
        bundles=frozenset(one for one in bundles if isinstance(one, str)) if isinstance(bundles, list) else frozenset(),
    )


def _text(value: object) -> str | None:
    """Return a text that JSON can hold, bounded: it is shown."""
    return value[:300].encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else None


def _package(
    folder: Folder, stated: _Stated, contents: Contents | None, inside: str, sha512: str | None
) -> FoundPackage:
    return FoundPackage(
        place=folder.place,
        name=stated.name,
        version=stated.version,
        problem=stated.problem,
        files=len(folder.files),
        tarball=sha512,
        scripted=contents is not None and inside in contents.scripted,
        differences=() if contents is None else _differences(folder, contents.files[inside]),
    )


def _differences(folder: Folder, wanted: Mapping[str, tuple[str, ...]]) -> tuple[FileDifferences, ...]:
    """Compare the files of a package with those of its tarball."""
    changed, added = [], [f"{path} (a link)" for path in folder.links]
    for path, file in folder.files.items():
        expected = wanted.get(path)
        start, name = path[: -len(path.rpartition("/")[2])], path.rpartition("/")[2]
        if name in _IGNORES:  # npm renames the one to the other unless both are there (pacote, fetcher.js)
            expected = tuple(digest for one in _IGNORES for digest in wanted.get(start + one, ())) or None
        if expected is None:
            if path != _READY or _UNPLUGGED not in folder.place or file.sha256() != _NOTHING:
                added.append(path)
        elif file.sha256() not in expected:
            changed.append(path)
    removed = [path for path in wanted if path not in folder.files and path.rpartition("/")[2] not in _IGNORES]
    kinds = (("added", added), ("changed", changed), ("removed", removed))
    return tuple(
        FileDifferences(kind=kind, paths=tuple(sorted(paths)[:MAX_PATHS]), count=len(paths))
        for kind, paths in kinds
        if paths
    )
