"""The project's own package manager makes its lockfile again in a copy: what `fix` and `drill` share.

Into the copy go the manifests, patches and packed packages that the lockfile rests on, never the project's settings or
what its manager would run (`sbomgate.fix._copy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from sbomgate.cli._environment import Environment
    from sbomgate.fix import Settings
    from sbomgate.model import DependencyGraph, ProjectFiles


def originals(graph: DependencyGraph, files: ProjectFiles) -> dict[str, bytes]:
    """Return path → bytes of what a copy of the project has."""
    from sbomgate.fix import _copy

    lockfile = graph.lockfile.path
    paths = [path for path in (lockfile, *graph.manager.files) if _copy.belongs(path, lockfile)]
    return {path: data for path in paths if (data := files.read(path)) is not None}


def settings(graph: DependencyGraph) -> Settings:
    """Return what the package manager is told: the registries that the project's settings name."""
    from sbomgate.fix import Settings

    return Settings(
        registry=graph.manager.registry,
        scopes=graph.manager.scopes,
        kind=graph.lockfile.kind,
        version=graph.lockfile.version,
    )


def manager(graph: DependencyGraph) -> ModuleType:
    """Return the module of the package manager that writes this lockfile.

    Raises:
        InputError: it is an SBOM, or of a manager for which there is none.
    """
    import pkgutil
    from importlib import import_module

    from sbomgate import fix
    from sbomgate.errors import InputError

    names = [one.name for one in pkgutil.iter_modules(fix.__path__) if not one.name.startswith("_")]
    if graph.lockfile.kind not in names:
        raise InputError(
            f"{graph.lockfile.kind} is nothing that a package manager could change",
            where=graph.lockfile.path,
            hint=f"name a project: {', '.join(sorted(names))}",
        )
    return import_module(f"sbomgate.fix.{graph.lockfile.kind}")


def program(name: str, env: Environment, tree: Path) -> str:
    """Return the path of the package manager, which does not lie in the `tree` under test (P26).

    Raises:
        InputError: it is not there.
    """
    from sbomgate.cli import _programs
    from sbomgate.errors import InputError

    found = _programs.on_path(name, env, tree)
    if found is None:
        raise InputError("is not on PATH", where=name, hint="install the one that the project uses, and try again")
    return str(found)


def must_be_alike(before: DependencyGraph, after: DependencyGraph) -> None:
    """Refuse a lockfile of another format.

    Raises:
        InputError: the package manager that is installed writes another one than the project has.
    """
    from sbomgate.errors import InputError

    old, new = before.lockfile, after.lockfile
    if (old.kind, old.version) != (new.kind, new.version):
        raise InputError(
            f"the {before.manager.name} that is installed writes version {new.version}, the project has {old.version}",
            where=old.path,
            hint="install the version of the package manager that the project uses, and try again",
        )
