"""Decide whether a project may be installed and built: nothing is signed, nothing is stored.

examples:
  sbomgate check                                      the project in this folder
  sbomgate check --trust ../trust.toml                compared with the last build in ./evidence by an accepted signer
  sbomgate check --profile strict --offline --json
  sbomgate check --workspace services/web             one workspace of a monorepo
  sbomgate check --split                              each workspace and the root project, one decision each
  sbomgate check --format sarif=check.sarif --format markdown=summary.md     the text still goes to stdout
  sbomgate check bom.json                             an SBOM that another tool made: what it does not say is unknown

exit codes: 0 the policy allows, 1 it denies, 2 no decision could be made; of several the worst
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _decide, _results

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "decide whether a project may be built; nothing is signed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "path", nargs="*", default=["."], help="each project's folder, its lockfile, or an SBOM (default: here)"
    )
    parser.add_argument(
        "--workspace", action="append", metavar="NAME", help="one workspace, by directory or name; may be repeated"
    )
    parser.add_argument("--split", action="store_true", help="every workspace, and the root project, for itself")
    _decide.add_arguments(parser)
    _results.add_arguments(parser)
    parser.add_argument("--profile", choices=_decide.PROFILES, help="how strict (only stricter than the trust file)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print the decision, or all of them."""
    from sbomgate.errors import UsageError

    if args.split and args.workspace:
        raise UsageError("--split is every workspace", where="--workspace", hint="give one of the two")
    workspaces = [] if args.split else args.workspace
    store = env.working_directory / _decide.DEFAULT_STORE  # where `gate` in this folder stores
    results = _results.Results(args, env, many=args.split or len(args.path) > 1 or len(workspaces or ()) > 1)
    for path in args.path:
        tree = _decide.read(args, env, path, workspaces)
        with _decide.judging(tree, args, env, profile=args.profile, store=store) as judge:
            for part in tree.parts:
                with results.of(judge, part):
                    results.add(judge.decide(part), tree)
    return results.show()
