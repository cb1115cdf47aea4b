"""Lockfile readers: one module per format, one interface, no I/O of their own.

A reader is a module of this package whose name has no leading underscore. It has

    FILENAMES: tuple[str, ...]                                   in the order in which its manager prefers them
    def read(files: ProjectFiles, path: str) -> DependencyGraph

and is found by being there: there is no list to edit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, LockFinding, ProjectFiles
from sbomgate.strict_json import load_object

# Lockfiles of managers that no reader of ours reads yet; a reader that names the file takes it out of this table.
_KNOWN = {
    "deno.lock": "deno",
}

Reader = Callable[[ProjectFiles, str], DependencyGraph]


def read(files: ProjectFiles, path: str | None = None) -> DependencyGraph:
    """Read the project's lockfile: the one at `path`, else the only one, else that of the manager in `packageManager`.

    A lockfile of another manager beside it is a finding (`other-lockfile`): nobody gates that one.

    Raises:
        InputError: there is none, or several and nothing says which counts, its format is not supported, it has no
            single meaning, or it is over a limit.
    """
    readers = _readers()
    if path is not None:
        name = path.rpartition("/")[2]
        reader = readers.get(name)
        if reader is None:
            raise InputError(
                f"{_KNOWN[name]} lockfiles are not supported yet" if name in _KNOWN else "not the name of a lockfile",
                where=path,
                hint=f"supported: {', '.join(readers)}",
            )
        return _with_others(files, reader(files, path), readers)
    found = [name for name in readers if files.has(name)]
    if len({readers[name] for name in found}) > 1:
        manager = _manager(files)
        own = [name for name in found if readers[name].__module__.rpartition(".")[2] == manager]
        if len({readers[name] for name in own}) != 1:
            raise InputError(
                f"several lockfiles: {', '.join(found)}",
                where=found[0],
                hint="name the one to judge, say in package.json's packageManager who installs, or remove the others",
            )
        found = own
    if found:
        return _with_others(files, readers[found[0]](files, found[0]), readers)
    later = [name for name in _KNOWN if name not in readers and files.has(name)]
    if later:
        raise InputError(
            f"{_KNOWN[later[0]]} lockfiles are not supported yet",
            where=later[0],
            hint=f"supported: {', '.join(readers)}",
        )
    raise InputError(
        f"no lockfile here: looked for {', '.join(readers)}",
        hint="run `npm install --package-lock-only` and commit the lockfile, or name the project's directory",
    )


def _manager(files: ProjectFiles) -> str:
    """Return the manager that `packageManager` names (`pnpm` of `pnpm@10.1.0`), "" where it names none."""
    data = files.read("package.json")
    named = load_object(data, "package.json").get("packageManager") if data is not None else None
    return named.partition("@")[0] if type(named) is str else ""


def _with_others(files: ProjectFiles, graph: DependencyGraph, readers: dict[str, Reader]) -> DependencyGraph:
    base = graph.lockfile.path.rpartition("/")[0]
    ours = readers[graph.lockfile.path.rpartition("/")[2]]
    names = [name for name in (*readers, *_KNOWN) if readers.get(name) is not ours]
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


def _readers() -> dict[str, Reader]:
    """File name → reader, by module name; a reader's own file names in the order of its preference."""
    readers: dict[str, Reader] = {}
    for file in sorted(Path(__path__[0]).glob("[!_]*.py")):  # pkgutil would do as well, and is slow to import
        reader = importlib.import_module(f"{__name__}.{file.stem}")
        readers.update(dict.fromkeys(reader.FILENAMES, reader.read))
    return readers
