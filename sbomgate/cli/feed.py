"""Make a list of malicious packages from feeds: OSV (a zip, one record, an array of records) and CSV.

Of OSV's records those count that say that a package of npm is malicious. Vulnerabilities are left out: what is on the
list is denied, and no waiver covers it. What is left out is counted on stderr. The trust file names the list with its
digest (`malicious_lists`); a project's own `sbomgate.toml` may name further ones.

examples:
  sbomgate feed import osv-npm.zip -o malicious.csv
  sbomgate feed import osv-npm.zip ours.csv GHSA-xxxx.json -o malicious.csv     several into one
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "make a list of malicious packages from OSV or CSV"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    make = actions.add_parser("import", help="one sealed list from feeds", allow_abbrev=False)
    make.add_argument(
        "feeds", nargs="+", metavar="FILE", help="OSV zip or JSON, or CSV with the columns name and version"
    )
    make.add_argument("-o", "--output", metavar="LIST", help="where to write it (default: stdout)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the list; say what was left out."""
    import hashlib

    from sbomgate import files
    from sbomgate.cli._environment import emit, say
    from sbomgate.errors import InputError
    from sbomgate.policy import feed

    data = {
        path: files.read(env.working_directory / path, limit=feed.MAX_FEED_BYTES, error=InputError)
        for path in args.feeds
    }
    made = feed.read(data)
    if not made.lines:
        say("warning: no malicious package of npm is named: the list is empty")
    for why, number in made.skipped.items():
        say(f"left out: {number:,} {why}")
    emit(made.data, args.output, env)
    say(f"{made.names:,} packages, {made.lines:,} lines, sha256:{hashlib.sha256(made.data).hexdigest()}")
    return EXIT_ALLOWED
