"""Write the CycloneDX SBOM of a project, from its lockfile alone: no network, no node_modules.

examples:
  sbomgate generate                    CycloneDX 1.6 of the project in this folder, on stdout
  sbomgate generate web -o bom.json    of the project in web/, to a file
  sbomgate generate --from theirs.xml  of an SBOM that another tool made: what it does not say is unknown
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED, UsageError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "write the CycloneDX SBOM of a project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    parser.add_argument("--from", dest="sbom", metavar="SBOM", help="read a CycloneDX SBOM (JSON or XML) instead")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the SBOM; always 0 when it could be made."""
    from sbomgate import __version__, lockfiles, sbom
    from sbomgate.cli._environment import emit
    from sbomgate.cli._project import open_project, read_sbom, say_unknown

    if args.sbom is None:
        project = open_project(args.path, env)
        graph = lockfiles.read(project.files, project.lockfile)
    else:
        if args.path != ".":
            raise UsageError("PATH and --from are two inputs", hint="give one of them")
        graph = read_sbom(args.sbom, env)
    say_unknown(graph)
    emit(sbom.write(graph, {}, timestamp=env.source_date, tool_version=__version__), args.output, env)
    return EXIT_ALLOWED
