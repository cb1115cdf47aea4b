"""Plug'n'Play: what `.pnp.cjs` or `.pnp.data.json` lists, read and never executed, and the archives that it names.

The list is data: which package, under which reference, lies where. What `.pnp.cjs` does with it is code that cannot be
compared with anything: it is told as `loader`. Format: yarn's `packages/yarnpkg-pnp/sources/types.ts` and
`generatePnpScript.ts` (yarn 3.2 and later).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import normpath
from typing import Any

import orjson

from sbomgate import files
from sbomgate.errors import InputError
from sbomgate.installed import _zips
from sbomgate.link import Expected, plain
from sbomgate.model.link import FileDifferences, FoundLink, FoundOther, FoundPackage

LOADER = ".pnp.cjs"
DATA = ".pnp.data.json"
ESM_LOADER = ".pnp.loader.mjs"
MAX_BYTES = 256 << 20  # of 100,000 packages some 60 MB
MAX_PACKAGES = 1_000_000

_STATE = re.compile(r"^const RAW_RUNTIME_STATE =\s*'((?:[^'\\\n]|\\[\s\S])*)';", re.MULTILINE)
_ESCAPE = re.compile(r"\\([\s\S])")
_REGISTRY = re.compile(r"(?:^|#)npm:([^#:]+)$")
_VIRTUAL = re.compile(r"(^|/)(?:__virtual__|\$\$virtual)/[^/]+/([0-9]{1,3})/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What Plug'n'Play loads.

    Attributes:
        packages: those that lie in archives, compared with yarn.lock's checksums.
        folders: the folders, relative to the project's, in which unpacked packages lie under node_modules.
        links: the project's own.
        others: the code that loads.
    """

    packages: tuple[FoundPackage, ...]
    folders: frozenset[str]
    links: tuple[FoundLink, ...]
    others: tuple[FoundOther, ...]


def read(root: Path, known: Expected) -> Listed | None:
    """Read what Plug'n'Play loads in a project, or None where it has none.

    Raises:
        InputError: it is not what yarn writes, or over a limit.
    """
    state = _state(root)
    if state is None:
        return None
    packages: dict[str, FoundPackage] = {}
    folders: set[str] = set()
    links: list[FoundLink] = []
    for name, reference, location, is_own in _entries(state):
        place = normpath(_VIRTUAL.sub(lambda m: m[1] + "../" * int(m[2]), location))
        archive, is_zip, inner = place.partition(".zip/")
        if is_own:
            links.append(FoundLink(place=f"{LOADER}#node_modules/{name}", target=_inside(place)))
        elif is_zip:
            if place not in packages:
                packages[place] = _package(root, f"{archive}.zip", inner, known)
            found = packages[place]
            version = _REGISTRY.search(reference)
            if not found.problem and (found.name != name or (version and plain(version[1]) != plain(found.version))):
                packages[place] = replace(found, problem=f"is not {name} {reference}, as which {LOADER} loads it")
        elif (inside := _inside(place)) is None or f"/node_modules/{name}" not in f"/{inside}":
            links.append(FoundLink(place=f"{LOADER}#node_modules/{name}", target=None))
        else:
            folders.add(inside[: -len(f"/node_modules/{name}")])
    others = [FoundOther(place=one, kind="loader") for one in (LOADER, ESM_LOADER) if (root / one).exists()]
    return Listed(
        packages=tuple(packages[place] for place in sorted(packages)),
        folders=frozenset(folders),
        links=tuple(links),
        others=tuple(others),
    )


def _inside(place: str) -> str | None:
    return None if place.startswith(("../", "/")) or place == ".." else place


def _state(root: Path) -> Any:
    where = LOADER
    if (root / LOADER).exists():
        text = files.read(root / LOADER, limit=MAX_BYTES, error=InputError).decode("utf-8", "replace")
        inline = _STATE.findall(text)
        if len(inline) == 1:
            # a JavaScript string: a backslash before a line end is nothing, before anything else that itself
            data = _ESCAPE.sub(lambda m: "" if m[1] == "\n" else m[1], inline[0]).encode()
        elif not inline and (root / DATA).exists():
            data, where = files.read(root / DATA, limit=MAX_BYTES, error=InputError), DATA
        else:
            raise InputError(
                "holds no list of packages in the form of yarn 3.2 and later", where=LOADER,
                hint="install with a newer yarn, or set `pnpEnableInlining: false` in .yarnrc.yml",
            )  # fmt: skip
    elif (root / DATA).exists():
        data, where = files.read(root / DATA, limit=MAX_BYTES, error=InputError), DATA
    else:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as e:
        raise InputError(f"its list of packages is not JSON: {e}", where=where) from e


def _entries(state: Any) -> Iterator[tuple[str, str, str, bool]]:
    """Yield name, reference, location and whether it is the project's own, of every package that is listed."""
    try:
        count = 0
        for name, references in state["packageRegistryData"]:
            for reference, information in references:
                count += 1
                if count > MAX_PACKAGES:
                    raise InputError(f"lists more than {MAX_PACKAGES:,} packages", where=LOADER)
                location = information["packageLocation"]
                if not isinstance(location, str) or len(location) > 4096 or "\0" in location:
                    raise InputError("a location that is no path", where=LOADER, place=str(name)[:200])
                if name is None or reference is None:
                    continue  # the project itself
                own = information["linkType"] == "SOFT"
                yield str(name)[:300], str(reference)[:300], location, own
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f"its list of packages is not what yarn writes ({type(e).__name__})", where=LOADER) from e


def _package(root: Path, archive: str, inner: str, known: Expected) -> FoundPackage:
    """Read one archive; which package it is says its own package.json, unless its checksum says more."""
    place = f"{archive}/{inner}".rstrip("/")
    try:
        data = _zips.read(root / archive)
    except InputError as e:
        return FoundPackage(place=place, name=None, version=None, problem=f"cannot be read: {e.message}")
    members = _zips.members(data, inner.removeprefix("node_modules/").rstrip("/"), only=_zips.MANIFEST) or {}
    try:
        document = json.loads(members[_zips.MANIFEST].decode("utf-8-sig", "replace"))
        stated = [document.get(key) for key in ("name", "version")]
    except (KeyError, ValueError, AttributeError, RecursionError):
        return FoundPackage(place=place, name=None, version=None, problem="is missing, or is not JSON")
    found = [value[:300] if isinstance(value, str) else None for value in stated]
    pinned = known.zips(found[0], found[1])
    digest = _zips.checksum(data)
    is_other = bool(pinned) and digest not in pinned
    return FoundPackage(
        place=place,
        name=found[0],
        version=found[1],
        files=1,
        tarball=_zips.PREFIX + (pinned[0] if is_other else digest) if pinned else None,
        differences=(FileDifferences(kind="changed", paths=("(the archive)",), count=1),) if is_other else (),
    )
