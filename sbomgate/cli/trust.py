"""Make a first trust file for a local key. Keep it outside the repository under test.

examples:
  sbomgate trust new --key release.key.pub --out ../trust.toml --repository https://github.com/acme/shop
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "make a first trust file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="a trust file that accepts one local key", allow_abbrev=False)
    new.add_argument("--key", required=True, metavar="FILE", help="the public half (`sbomgate key new` wrote FILE.pub)")
    new.add_argument("--out", metavar="FILE", help="where to write it (default: stdout); never overwritten")
    new.add_argument("--name", default="release key", help="what to call the key's holder")
    new.add_argument("--repository", metavar="URL", help="the repository that decisions must be about")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the file."""
    from sbomgate import files, trust
    from sbomgate.cli._environment import emit
    from sbomgate.errors import TrustError, UsageError

    path = env.working_directory / args.key
    data = files.read(path, limit=64 << 10, error=TrustError)
    if b"PRIVATE KEY" in data:
        raise TrustError("this is a private key", where=args.key, hint=f"give the public half: {args.key}.pub")
    text = trust.new(data.decode("utf-8", "replace"), name=args.name, repository=args.repository)
    if args.out is not None and (env.working_directory / args.out).exists():
        raise UsageError("exists already", where=args.out, hint="a trust file is never overwritten: remove it first")
    emit(text.encode(), args.out, env)
    return EXIT_ALLOWED
