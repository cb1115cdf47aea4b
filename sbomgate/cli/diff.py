"""What changes between two lockfiles or SBOMs: packages and the edges between them. Nothing is judged.

A and B are each a project's folder, a lockfile, a CycloneDX SBOM (anybody's), or one build's evidence.

examples:
  sbomgate diff ../shop-main .                                     two checkouts of a project
  sbomgate diff old/package-lock.json new/package-lock.json --format markdown    a comment for a pull request
  sbomgate diff evidence/3f/3fa9… . --exit-code                    has anything changed since that build?

exit codes: 0 whether or not they differ; with --exit-code 1 where they do; 2 one of them could not be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment
    from sbomgate.model import DependencyGraph

HELP = "show what changes between two lockfiles or SBOMs"
FORMATS = ("text", "markdown", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("before", metavar="A", help="a project's folder, a lockfile, an SBOM, or evidence")
    parser.add_argument("after", metavar="B", help="the same, later")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how it is written (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 where they differ")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print the difference."""
    from importlib import import_module

    from sbomgate import diff
    from sbomgate.cli._environment import emit

    before, after = _read(args.before, env), _read(args.after, env)
    names = _name(args.before, before, env), _name(args.after, after, env)
    difference = diff.diff(before, after, names=names)
    rendering = import_module(f"sbomgate.report.diff_{args.format}")
    emit(rendering.render(difference).encode("utf-8"), args.output, env)
    return 1 if args.exit_code and not difference.empty else 0


def _name(argument: str, graph: DependencyGraph, env: Environment) -> str:
    """Return what a side is called: the argument, and where it is a folder the lockfile in it."""
    from pathlib import PurePath

    from sbomgate.cli._environment import discreet

    folder = (env.working_directory / argument).is_dir()
    return discreet((PurePath(argument) / graph.lockfile.path).as_posix() if folder else argument)


def _read(argument: str, env: Environment) -> DependencyGraph:
    """Return the graph that an argument names. An SBOM of ours is read whole: nothing is decided by it here."""
    from sbomgate import lockfiles, sbom
    from sbomgate.cli._project import open_project
    from sbomgate.errors import InputError

    path = env.working_directory / argument
    if (path / "decisions").is_dir() or path.parent.name == "decisions":
        from sbomgate import decision
        from sbomgate.errors import EvidenceError
        from sbomgate.evidence import layout

        blobs = layout.read(path).blobs
        if decision.SBOM not in blobs:
            raise EvidenceError("the decision does not hold its SBOM", where=argument)
        return sbom.read(blobs[decision.SBOM]).graph
    project = open_project(argument, env)
    name = project.lockfile
    if name is None or name in lockfiles.READERS:
        return lockfiles.read(project.files, name)
    data = project.files.read(name) or b""
    if sbom.is_ours(data):
        try:
            return sbom.read(data).graph
        except InputError as error:  # which of the two it is
            raise InputError(error.message, where=argument, place=error.place, hint=error.hint) from error
    return lockfiles.read_sbom(project.files, name)
