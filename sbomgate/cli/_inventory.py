"""What the sub-verbs of `inventory` share: their arguments, and opening it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sbomgate.cli import _notify

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sbomgate.cli._environment import Environment
    from sbomgate.inventory.bucket import Bucket
    from sbomgate.inventory.deployments import Deployment
    from sbomgate.inventory.engines import Engine
    from sbomgate.inventory.engines.duck import DuckDB
    from sbomgate.inventory.folder import Folder
    from sbomgate.inventory.knowledge import Knowledge
    from sbomgate.inventory.place import Place

DEFAULT = "inventory"
SOURCES = 3  # stores and registries whose age is told in text
ENGINES = ("duckdb", "spark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every sub-verb."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, words: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=words, allow_abbrev=False)
        made.add_argument(
            "--inventory",
            default=DEFAULT,
            metavar="DIR",
            help="its folder (default: inventory), or s3://BUCKET/PREFIX to read",
        )
        return made

    engines = "spark: the same question on a Spark cluster"
    terms = "packages (name, name@range, @scope/*, purl, sha512:…) and conditions (key:value, is:word)"
    add = action("add", "add builds: of a store, of a registry, of SBOMs in a folder, of one SBOM")
    add.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="evidence: DIR, oci:HOST/REPO[@DIGEST]; SBOMs: DIR, FILE"
    )
    add.add_argument("--trust", metavar="FILE", help="whose evidence is labelled verified, and whose revocations count")
    rebuild = action("rebuild", "make it again; deployments stay")
    rebuild.add_argument("--from", dest="sources", nargs="+", required=True, metavar="SOURCE", help="what `add` takes")
    rebuild.add_argument("--trust", metavar="FILE", help="as for `add`")
    push = action("push", "copy it into object storage, where it is read")
    push.add_argument("target", metavar="s3://BUCKET/PREFIX", help="its place there")
    action("compact", "make one sorted file of all; `add` does what is due by itself")
    find = action("find", "which builds hold a package")
    find.add_argument("terms", nargs="+", metavar="TERM", help=terms)
    find.add_argument("--paths", action="store_true", help="how each comes in, from the project to the package")
    find.add_argument("--running", action="store_true", help="only what runs now, by `inventory deployed`")
    find.add_argument("--count", action="store_true", help="how many builds hold each version: a long list in no time")
    find.add_argument("--engine", choices=ENGINES, default="duckdb", help=engines)
    find.add_argument("--json", action="store_true", help="the answer as JSON")
    stats = action("stats", "how much it holds")
    stats.add_argument("--engine", choices=ENGINES, default="duckdb", help=engines)
    stats.add_argument("--json", action="store_true", help="the answer as JSON")
    export = action("export", "write packages with their builds to a file, or the SBOMs of a product as one archive")
    export.add_argument("terms", nargs="*", metavar="TERM", help=f"{terms}; none: everything")
    export.add_argument("-o", "--output", required=True, metavar="FILE", help=".csv, .json, .parquet, or .zip: SBOMs")
    export.add_argument("--from", dest="sources", nargs="+", metavar="STORE|DIR|FILE", help="where the SBOMs lie")
    sql = action("sql", "one SELECT over the tables package, build, deployment and amendment, as CSV")
    sql.add_argument("query", metavar="SELECT", help="what to ask, in the SQL of DuckDB")
    deployed = action("deployed", "tell that an artefact runs in an environment, or does not any more")
    deployed.add_argument("subject", help="file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST")
    deployed.add_argument("--environment", required=True, metavar="NAME", help="where it runs")
    deployed.add_argument("--at", metavar="TIME", help="since when (default: now)")
    deployed.add_argument("--stopped", action="store_true", help="it does not run there any more")
    coverage = action("coverage", "which deployed artefacts have PASSED evidence, and which never met the gate")
    coverage.add_argument("--deployed", required=True, metavar="FILE", help="one digest or subject a line")
    coverage.add_argument("--json", action="store_true", help="the answer as JSON")
    sweep = action("sweep", "every build that a list of malicious packages, or a new policy, hits")
    asked = sweep.add_mutually_exclusive_group(required=True)
    asked.add_argument("--feed", nargs="+", metavar="FILE", help="OSV zip or JSON, or CSV with name and version")
    asked.add_argument("--policy", metavar="DIR", help="judge the stored builds by this policy")
    sweep.add_argument(
        "--format", choices=("text", "json", "markdown", "csv", "sarif"), default="text", help="how it is written"
    )
    sweep.add_argument("--engine", choices=ENGINES, default="duckdb", help=engines)
    sweep.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        help="where the evidence is, for --policy and --supersede: DIR; oci:HOST/REPO attaches what is signed besides",
    )
    sweep.add_argument("--supersede", action="store_true", help="sign a FAILED decision on each build that is hit")
    sweep.add_argument("--incident", metavar="FILE", help="write what is known as an incident file; --key signs it too")
    _notify.add_arguments(sweep, "something is left to do")
    sweep.add_argument("--trust", metavar="FILE", help="for --supersede: the trust file")
    sweep.add_argument("--key", "--signer", dest="signer", metavar="SIGNER", help="what signs, as `gate` takes it")


def folder(args: argparse.Namespace, env: Environment) -> Folder:
    """Return the inventory that the command line names.

    Raises:
        UsageError: it is not on this machine, or DuckDB is not installed.
    """
    return folder_at(args.inventory, env)


def folder_at(named: str, env: Environment) -> Folder:
    """Return the inventory of that name; see `folder`."""
    from sbomgate.errors import UsageError
    from sbomgate.inventory.engines import duck
    from sbomgate.inventory.folder import Folder

    if "://" in named:
        raise UsageError(
            "an inventory is written in a folder; in object storage it is read",
            where=_shown(named),
            hint="write it in a folder, and copy it with `sbomgate inventory push s3://BUCKET/PREFIX`",
        )
    duck.require()
    return Folder(env.working_directory / named)


def place(named: str, env: Environment) -> Place:
    """Return the inventory of that name, for reading: a folder, or object storage.

    Raises:
        UsageError: the URL is of none that is read, or what reads it is not installed.
    """
    from sbomgate.errors import UsageError
    from sbomgate.inventory.engines import duck

    if "://" not in named:
        return folder_at(named, env)
    if not named.startswith("s3://"):
        raise UsageError(
            "is no object storage that is read", where=_shown(named), hint="s3://BUCKET/PREFIX, or a folder"
        )
    duck.require()
    return bucket(named)


def bucket(named: str) -> Bucket:
    """Return an inventory in object storage.

    Raises:
        UsageError: it is none, or what reads it is not installed.
    """
    from sbomgate.inventory.bucket import Bucket

    return Bucket(named)


def _shown(named: str) -> str:
    return named.partition("?")[0].rpartition("@")[2][:200]


@contextmanager
def asking(args: argparse.Namespace, env: Environment) -> Iterator[tuple[Place, Engine]]:
    """Open an inventory that exists with the engine that was asked for.

    Raises:
        UsageError: there is none, or the engine is not installed.
    """
    if args.engine == "duckdb":
        with opened(args, env) as found:
            yield found
        return
    from sbomgate.inventory.engines.spark import Spark

    with opened(args, env) as (inventory, _):
        engine = Spark()
        try:
            yield inventory, engine
        finally:
            engine.close()


@contextmanager
def opened(args: argparse.Namespace, env: Environment) -> Iterator[tuple[Place, DuckDB]]:
    """Open an inventory that exists, for reading.

    Raises:
        UsageError: there is none.
    """
    from sbomgate.errors import UsageError

    inventory = place(args.inventory, env)
    if not inventory.exists():
        raise UsageError("no inventory here", where=args.inventory, hint="make one with `sbomgate inventory add`")
    engine = inventory.reader()
    try:
        yield inventory, engine
    finally:
        engine.close()


def satisfies() -> Callable[[str, str], bool | None]:
    """Return npm's judgement of ranges."""
    from sbomgate.lockfiles import _range

    return _range.satisfies


def running_now(inventory: Place, engine: Engine, now: datetime) -> dict[str, list[str]]:
    """Return digest → the environments in which it runs, sorted."""
    return {digest: [one.environment for one in found] for digest, found in placed(inventory, engine, now).items()}


def placed(inventory: Place, engine: Engine, now: datetime) -> dict[str, list[Deployment]]:
    """Return digest → what says that it runs, sorted by environment."""
    from sbomgate.inventory import answers, deployments

    events = deployments.read(inventory)
    projects = answers.projects(engine, [event.digest for event in events])
    found: dict[str, list[Deployment]] = {}
    running = deployments.running(events, projects, at=now)
    for (_, digest), event in sorted(running.items(), key=lambda one: one[0]):
        found.setdefault(digest, []).append(event)
    return found


def as_of(known: Knowledge, now: datetime) -> list[str]:
    """Return how old it is what is known of revocations and deployments, in two lines."""

    def when(at: datetime) -> str:
        hours = (now - at).total_seconds() / 3600
        ago = f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
        return f"{at:%Y-%m-%d %H:%M} UTC" + (f", {ago} ago" if hours >= 1 else "")

    newest = sorted(known.revocations.items(), key=lambda one: (one[1], one[0]), reverse=True)
    looked = [f"as of {when(at)} ({source})" for source, at in newest[:SOURCES]]
    if len(newest) > SOURCES:
        looked.append(f"and {len(newest) - SOURCES} more sources (JSON has them)")
    told = known.deployments
    return [
        f"revocations  {'; '.join(looked) or 'never looked for: `inventory add STORE --trust FILE`'}",
        f"deployments  {'nobody told any: `inventory deployed`' if told is None else f'as of {when(told)}'}",
    ]


def dump(value: object) -> None:
    """Print a value as JSON, the same bytes for the same value."""
    import sys

    from sbomgate.report.escape import document

    sys.stdout.buffer.write(document(value).encode("utf-8") + b"\n")


def columns(build: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return columns of a row as JSON has them."""
    from datetime import datetime

    from sbomgate.times import format_time

    return {name: format_time(value) if isinstance(value := build[name], datetime) else value for name in names}
