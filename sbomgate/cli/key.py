"""Make a local signing key.

examples:
  sbomgate key new --out release.key    release.key (private, mode 0600) and release.key.pub (for trust files)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "make a local signing key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="a new P-256 key and its public half", allow_abbrev=False)
    new.add_argument("--out", required=True, metavar="FILE", help="the private key; its public half goes to FILE.pub")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the two halves; refuses to overwrite."""
    from sbomgate.signing import local_key

    key = local_key.generate(env.working_directory / args.out)
    print(f"{args.out}\n{args.out}.pub\nsha256:{key.key_id}")
    return EXIT_ALLOWED
