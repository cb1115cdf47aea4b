"""Lockfile readers: one module per format, one interface, no I/O of their own.

A reader is a module of this package whose name has no leading underscore. It has

    FILENAMES: tuple[str, ...]                                   in the order in which its manager prefers them
    def read(files: ProjectFiles, path: str) -> DependencyGraph

and `READERS` says which file names it reads, so that only the reader that is needed is imported; a test compares.
"""

from __future__ import annotations

import importlib
from dataclasses import replace

from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, LockFinding, ProjectFiles
from sbomgate.strict_json import load_object

READERS = {
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "npm-shrinkwrap.json": "npm",
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
}
"""File name → module of its reader; a manager's own names in the order of its preference."""

_SBOM_SUFFIXES = (".json", ".xml", ".cdx")
# Lockfiles of managers that no reader of ours reads yet; a reader that names the file takes it out of this table.
_KNOWN = {
    "deno.lock": "deno",
}


def read(files: ProjectFiles, path: str | None = None) -> DependencyGraph:
    """Read the project's lockfile: the one at `path`, else the only one, else that of the manager in `packageManager`.

    At `path` there may be a CycloneDX SBOM in its place: what others made is read by `read_sbom`.

    A lockfile of another manager beside it is a finding (`other-lockfile`): nobody gates that one.

    Raises:
        InputError: there is none, or several and nothing says which counts, its format is not supported, it has no
            single meaning, or it is over a limit.
    """
    if path is not None:
        name = path.rpartition("/")[2]
        if name not in READERS:
            if name not in _KNOWN and name.endswith(_SBOM_SUFFIXES):
                return read_sbom(files, path)
            raise InputError(
                f"{_KNOWN[name]} lockfiles are not supported yet" if name in _KNOWN else "not the name of a lockfile",
                where=path,
                hint=f"supported: {', '.join(READERS)}, or a CycloneDX SBOM (*{', *'.join(_SBOM_SUFFIXES)})",
            )
        return _read(files, path)
    found = [name for name in READERS if files.has(name)]
    if len({READERS[name] for name in found}) > 1:
        manager = _manager(files)
        own = [name for name in found if READERS[name] == manager]
        if not own:
            raise InputError(
                f"several lockfiles: {', '.join(found)}",
                where=found[0],
                hint="name the one to judge, say in package.json's packageManager who installs, or remove the others",
            )
        found = own
    if found:
        return _read(files, found[0])
    later = [name for name in _KNOWN if files.has(name)]
    if later:
        raise InputError(
            f"{_KNOWN[later[0]]} lockfiles are not supported yet",
            where=later[0],
            hint=f"supported: {', '.join(READERS)}",
        )
    raise InputError(
        f"no lockfile here: looked for {', '.join(READERS)}",
        hint="run `npm install --package-lock-only` and commit the lockfile, or name the project's directory",
    )


def read_sbom(files: ProjectFiles, path: str) -> DependencyGraph:
    """Read the CycloneDX SBOM at `path`, whatever its name is: see `sbomgate.lockfiles.cyclonedx`.

    Raises:
        InputError: not CycloneDX 1.4 to 1.7, without one single meaning, or over a limit.
    """
    from sbomgate.lockfiles import cyclonedx

    return cyclonedx.read(files, path)


def _manager(files: ProjectFiles) -> str:
    """Return the manager that `packageManager` names (`pnpm` of `pnpm@10.1.0`), "" where it names none."""
    data = files.read("package.json")
    named = load_object(data, "package.json").get("packageManager") if data is not None else None
    return named.partition("@")[0] if type(named) is str else ""


def _read(files: ProjectFiles, path: str) -> DependencyGraph:
    manager = READERS[path.rpartition("/")[2]]
    graph: DependencyGraph = importlib.import_module(f"{__name__}.{manager}").read(files, path)
    base = graph.lockfile.path.rpartition("/")[0]
    names = [name for name in (*READERS, *_KNOWN) if READERS.get(name) != manager]
    found = sorted({name for name in names if files.has(f"{base}/{name}" if base else name)})
    if not found:
        return graph
    others = tuple(
        LockFinding(
            code="other-lockfile",
            rule="lockfile_sound",
            package=None,
            place=name,
            message=f"lies beside {graph.lockfile.path}: whoever installs from it installs something else",
        )
        for name in found
    )
    findings = sorted((*graph.findings, *others), key=lambda f: (f.rule, f.code, f.package or "", f.place, f.message))
    return replace(graph, findings=tuple(findings))
