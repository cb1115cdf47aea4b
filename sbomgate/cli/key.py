"""Make a local signing key.

examples:
  sbomgate key new --out release.key    release.key (private, mode 0600) and release.key.pub (for trust files)

The private half is encrypted with the password in SBOMGATE_KEY_PASSWORD, where that is set.
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
    new = actions.add_parser("new", help="a new key and its public half", allow_abbrev=False)
    new.add_argument("--type", choices=("p256", "ed25519"), default="p256", help="ECDSA P-256 (default), or Ed25519")
    new.add_argument("--out", required=True, metavar="FILE", help="the private key; its public half goes to FILE.pub")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the two halves; refuses to overwrite."""
    from sbomgate.signing import local_key

    password = env.variables.get(local_key.PASSWORD)
    key = local_key.generate(env.working_directory / args.out, kind=args.type, password=password)
    print(f"{args.out}\n{args.out}.pub\nsha256:{key.key_id}")
    return EXIT_ALLOWED
