"""Tell people and programs what was decided, from stored evidence alone: no network, no project, no clock.

With --trust it is verified first, as of the time at which it was decided; without, every page says that it was not.
Every stored byte is compared with its digest in any case.

examples:
  sbomgate report evidence/3f/3fa9… --trust trust.toml -o report.html           one build, for a browser or a printer
  sbomgate report evidence/3f/3fa9… --trust trust.toml --format markdown        for a job's summary
  sbomgate report evidence/3f/3fa9… --format sarif --lockfile package-lock.json for code scanning, with lines

exit codes: 0 it was written, whatever the decision was; 2 it was not
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _results
from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "show what was decided, from stored evidence"
MAX_LOCKFILE_BYTES = 256 << 20  # as `project` reads them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "evidence", help="one build's folder in a store (its newest decision), or one decision's folder"
    )
    parser.add_argument("--trust", metavar="FILE", help="who and what is accepted: without it nothing is verified")
    parser.add_argument(
        "--format", choices=_results.formats(), default="html", help="how it is written (default: html)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    parser.add_argument("--lockfile", metavar="FILE", help="the lockfile that was decided on, for the lines in it")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the report."""
    from importlib import import_module

    from sbomgate import files, trust
    from sbomgate.cli import _report
    from sbomgate.cli._environment import emit
    from sbomgate.errors import InputError
    from sbomgate.evidence import layout
    from sbomgate.policy import bundle

    accepted = None if args.trust is None else trust.load(args.trust, project_root=None)
    lockfile = None
    if args.lockfile is not None:
        path = env.working_directory / args.lockfile
        lockfile = files.read(path, limit=MAX_LOCKFILE_BYTES, error=InputError)
    record = layout.read(env.working_directory / args.evidence)
    standing = _report.standing(record, accepted, shipped_policy=bundle.shipped().sha256)
    report = _report.of_record(record, standing, lockfile=lockfile)
    rendering = import_module(f"sbomgate.report.{args.format}")
    rendered = rendering.render(report) if args.format in _results.PLAIN else rendering.render([report])
    emit(rendered.encode("utf-8"), args.output, env)
    return EXIT_ALLOWED
