"""yarn's lockfile: one name, two formats; the file's own text says which.

yarn 1 writes `# yarn lockfile v1` on top, yarn 2 and later write a mapping `__metadata` as the first entry.
"""

from __future__ import annotations

import re

from sbomgate.errors import InputError
from sbomgate.lockfiles import _syml, _yarn_berry, _yarn_classic
from sbomgate.model import DependencyGraph, Kind, Package, ProjectFiles

FILENAMES = ("yarn.lock",)


def read(files: ProjectFiles, path: str) -> DependencyGraph:
    """Read the lockfile at `path`; the project is the directory that holds it.

    Raises:
        InputError: missing, neither of the two formats or both, without one single meaning, or over a limit.
    """
    data = files.read(path)
    if data is None:
        raise InputError("no such file", where=path, hint="name the project's directory")
    text = _syml.text_of(data, path)
    classic = re.search(r"^# yarn lockfile v([0-9]+)$", text, re.MULTILINE)
    berry = re.search(r"^__metadata:$", text, re.MULTILINE)
    if classic and not berry:
        if classic[1] != "1":
            raise InputError(
                f"yarn lockfile v{classic[1][:20]}, expected v1", where=path, hint="use yarn 1.22 or later"
            )
        return _yarn_classic.read(files, path, data, text)
    if berry and not classic:
        return _yarn_berry.read(files, path, data, text)
    raise InputError(
        "both `# yarn lockfile v1` and `__metadata`" if berry else "neither `# yarn lockfile v1` nor `__metadata`",
        where=path,
        hint="let yarn write the file again (`yarn install`)",
    )


def checksums(data: bytes, path: str) -> dict[tuple[str, str | None], tuple[str, ...]]:
    """Return (name, version) → SHA-512 (hex) of the archives that yarn 2 and later make of it; nothing of yarn 1.

    Raises:
        InputError: as `read`.
    """
    text = _syml.text_of(data, path)
    if not re.search(r"^__metadata:$", text, re.MULTILINE):
        return {}
    found: dict[tuple[str, str | None], set[str]] = {}
    for _, _, fields in _syml.parse_berry(text, path):
        resolution, version, checksum = (fields.get(key) for key in ("resolution", "version", "checksum"))
        if isinstance(resolution, str) and isinstance(version, str) and isinstance(checksum, str):
            name = resolution[: resolution.index("@", 1)] if "@" in resolution[1:] else resolution
            found.setdefault((name, version), set()).add(checksum.rpartition("/")[2])
    return {key: tuple(sorted(held)) for key, held in found.items()}


def directory_of(package: Package) -> str | None:
    """Return the directory of a workspace, relative to the lockfile's; None for what is none, or leads to one."""
    if package.kind is not Kind.WORKSPACE or package.target is not None:
        return None
    return package.resolved
