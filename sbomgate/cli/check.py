"""Decide whether a project may be installed and built: nothing is signed, nothing is stored.

examples:
  sbomgate check                                      the project in this folder
  sbomgate check --trust ../trust.toml                compared with the last build in ./evidence by an accepted signer
  sbomgate check --profile strict --offline --json
  sbomgate check bom.json                             an SBOM that another tool made: what it does not say is unknown

exit codes: 0 the policy allows, 1 it denies, 2 no decision could be made
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _decide

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "decide whether a project may be built; nothing is signed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _decide.add_arguments(parser)
    parser.add_argument("--profile", choices=_decide.PROFILES, help="how strict (only stricter than the trust file)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print the decision."""
    store = env.working_directory / _decide.DEFAULT_STORE  # where `gate` in this folder stores
    decided = _decide.decide(args, env, profile=args.profile, store=store)
    _decide.show(_decide.report(decided), args)
    return _decide.exit_code(decided)
