"""Look for traces of listed packages on a machine that never ran the gate. Nothing is executed, changed or fetched.

It looks into node_modules, the caches and stores of npm, pnpm, yarn and bun, lockfiles in whole source trees and in
git's history (of deleted branches too), npm's debug logs and CI logs, plain or gzip, and all of these in the layers of
container images (`docker save`, OCI layouts). Each trace has its place and, as far as the place tells, its time.
Symbolic links are not followed; what cannot be read is told. docs/hunt.md lists the places, and what each of them can
and cannot prove.

examples:
  sbomgate hunt ~ /srv/ci                               what sbomgate ships as known malicious
  sbomgate hunt /home --feed osv-npm.zip                OSV, or CSV of names and versions
  sbomgate hunt build.log.gz --feed incident.csv --json
  sbomgate hunt shop.tar                                an image: docker save shop:1.2 -o shop.tar
  sbomgate hunt ~/.npm --integrity sha512-…             these bytes, whatever they are called

exit codes: 0 no trace and everything was read, 1 traces were found, 2 none was found but not everything could be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, EXIT_NO_DECISION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sbomgate.cli._environment import Environment
    from sbomgate.hunt import Wanted
    from sbomgate.model.hunt import Found

HELP = "look for traces of malicious packages on a machine: caches, trees, logs, git history"

MAX_PAIRS = 200
"""Names with versions for which a text is searched at once before it is read in earnest."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="folders and files to look into")
    parser.add_argument(
        "--feed",
        action="append",
        metavar="FILE",
        help="what to look for: OSV (zip or JSON), or CSV with the columns name and version; may be repeated"
        " (default: what sbomgate ships)",
    )
    parser.add_argument(
        "--integrity",
        action="append",
        default=[],
        metavar="SRI",
        help="sha512-…: a tarball by its bytes; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="write JSON instead of text")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Hunt, print what was found."""
    import shutil
    from importlib import import_module
    from pathlib import Path

    from sbomgate.cli._environment import emit
    from sbomgate.hunt import hunt

    git = shutil.which("git", path=env.variables.get("PATH"))
    found = hunt(
        [env.working_directory / path for path in args.paths],
        _wanted(args, env),
        git=Path(git) if git else None,
        progress=_progress(),
    )
    found = _shown(found, env)
    rendering = import_module(f"sbomgate.report.hunt_{'json' if args.json else 'text'}")
    emit(rendering.render(found).encode("utf-8", "backslashreplace"), args.output, env)
    if found.traces:
        return EXIT_DENIED
    return EXIT_NO_DECISION if found.unread else EXIT_ALLOWED


def _shown(found: Found, env: Environment) -> Found:
    """Return what was found with paths as people write them: below the working directory, or with `~` (P40)."""
    from dataclasses import replace
    from pathlib import Path

    def short(text: str) -> str:
        path = Path(text)
        if path.is_relative_to(env.working_directory):
            return path.relative_to(env.working_directory).as_posix()
        return f"~/{path.relative_to(env.home).as_posix()}" if path.is_relative_to(env.home) else text

    return replace(
        found,
        traces=tuple(replace(one, path=short(one.path)) for one in found.traces),
        unread=tuple(replace(one, path=short(one.path)) for one in found.unread),
    )


def _wanted(args: argparse.Namespace, env: Environment) -> Wanted:
    """Return what the feeds list.

    Raises:
        InputError: a feed cannot be read, or names no package. UsageError: an integrity is none.
    """
    import re

    from sbomgate import files, resources
    from sbomgate.errors import InputError, UsageError
    from sbomgate.hunt import Wanted
    from sbomgate.policy import feed, lists

    for one in args.integrity:
        if not re.fullmatch(r"sha(?:1-[A-Za-z0-9+/]{27}=|512-[A-Za-z0-9+/]{86}==)", one):
            raise UsageError(
                f"{one[:100]!r} is no integrity",
                where="--integrity",
                hint="sha512- and the digest in base64, as a lockfile has it",
            )
    if args.feed:
        feeds = {
            path: files.read(env.working_directory / path, limit=feed.MAX_FEED_BYTES, error=InputError)
            for path in args.feed
        }
    else:
        feeds = {"the shipped list": resources.path(*lists.SHIPPED).read_bytes()}
    made = feed.read(feeds)
    if not made.lines and not args.integrity:
        raise InputError(
            "no malicious package of npm is named: there is nothing to look for",
            where=", ".join(feeds),
            hint="of OSV's records those count that are marked as malicious; a CSV may name anything",
        )
    listed = [lists.load(made.data, name="feed", where="--feed")]
    return Wanted(
        ids=lambda name, version: lists.ids(name, version, listed),
        integrities=frozenset(args.integrity),
        pairs=_pairs(made.data),
    )


def _pairs(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return name (without its scope, as files write that in many ways) and version, where they are few and exact."""
    pairs: set[tuple[bytes, bytes]] = set()
    for line in data.split(b"\n")[1:]:
        if not line or line.startswith(b"#"):
            continue
        name, versions, *_ = line.split(b",")
        for version in versions.split(b"|"):
            if version[:1] in b"*<>" or len(pairs) >= MAX_PAIRS:
                return ()
            pairs.add((name.rpartition(b"/")[2], version.partition(b"+")[0]))
    return tuple(sorted(pairs))


def _progress() -> Callable[[int], None] | None:
    """Return a progress line for a terminal, or None where stderr is none."""
    import sys

    if not sys.stderr.isatty():
        return None
    return lambda files: print(f"\rhunt: {files:,} files and folders", end="\r", file=sys.stderr, flush=True)
