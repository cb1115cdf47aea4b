"""The PATH argument: a project's folder, a lockfile in it, or an SBOM; and the workspaces that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.errors import InputError, UsageError

if TYPE_CHECKING:
    from sbomgate.cli._environment import Environment
    from sbomgate.model import DependencyGraph
    from sbomgate.project import DiskFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project on disk: its folder, its files, and the lockfile that was named, or None for the one that is there."""

    root: Path
    files: DiskFiles
    lockfile: str | None

    def read_so_far(self) -> dict[str, tuple[str, int]]:
        """Return path → (SHA-256, size in bytes) of every file of the project that was read."""
        return {path: (sha256, len(self.files.read(path) or b"")) for path, sha256 in self.files.digests().items()}


def open_project(argument: str, env: Environment) -> Project:
    """Return the project that PATH names.

    Raises:
        InputError: there is nothing at that path.
    """
    from sbomgate.project import DiskFiles

    path = env.working_directory / argument
    if path.is_dir():
        return Project(root=path, files=DiskFiles(path), lockfile=None)
    if path.is_file():
        return Project(root=path.parent, files=DiskFiles(path.parent), lockfile=path.name)
    raise InputError(
        "no such file or folder",
        where=argument,
        hint="give the folder that holds package.json and the lockfile",
    )


def parts(project: Project, graph: DependencyGraph, workspaces: Sequence[str] | None) -> tuple[DependencyGraph, ...]:
    """Return what is meant: the whole lockfile, or a graph of each workspace, in the order of their names.

    Args:
        project: that the graph was read from.
        graph: of the whole lockfile.
        workspaces: names; none for every workspace and the root project; None for the whole lockfile.

    Raises:
        UsageError: there is no such workspace, several are meant, or one is named twice.
    """
    from sbomgate import lockfiles

    if workspaces is None:
        return (graph,)
    known = lockfiles.workspaces(graph)
    chosen = [lockfiles.choose(known, name) for name in workspaces] or known
    for index, one in enumerate(chosen):
        if one in chosen[:index]:
            raise UsageError("this workspace is named twice", where=workspaces[index], hint="name it once")
    return tuple(lockfiles.sub_graphs(project.files, graph, chosen))


def together(parts: Sequence[DependencyGraph]) -> DependencyGraph:
    """Return a graph with the packages of all parts: what has to be known for any of the decisions."""
    if len(parts) == 1:
        return parts[0]
    held = {package.id: package for part in parts for package in part.packages}
    return replace(parts[0], packages=tuple(held[id_] for id_ in sorted(held)), edges=(), findings=())


def read_sbom(argument: str, env: Environment) -> tuple[Project, DependencyGraph]:
    """Return the SBOM that an argument names, whatever the file's name is: the folder that it lies in, and its graph.

    Raises:
        InputError: there is no such file, or it is no SBOM that can be read.
    """
    from sbomgate import lockfiles

    project = open_project(argument, env)
    if project.lockfile is None:
        raise InputError("a folder, expected a CycloneDX SBOM", where=argument, hint="name the file")
    return project, lockfiles.read_sbom(project.files, project.lockfile)


def say_unknown(graph: DependencyGraph) -> None:
    """Say on stderr what an SBOM that another tool made does not say; of a lockfile nothing."""
    from sbomgate.cli._environment import say
    from sbomgate.model import SBOM_KIND

    if graph.lockfile.kind != SBOM_KIND:
        return
    counted: dict[str, int] = {}
    for finding in graph.findings:
        if finding.package is None:
            say(f"unknown: {finding.message}")
        else:
            counted[finding.code] = counted.get(finding.code, 0) + 1
    for code, number in sorted(counted.items()):
        say(f"{code}: {number} packages")


def say_others(graph: DependencyGraph) -> None:
    """Say on stderr which lockfiles are there and not in the SBOM: none is picked silently."""
    from sbomgate.cli._environment import say
    from sbomgate.lockfiles import OTHERS

    for finding in graph.findings:
        if finding.code in OTHERS:
            say(f"note: {finding.place}: {finding.message}")
