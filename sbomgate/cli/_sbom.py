"""What every SBOM is written with: who made it, its time, its format; and the report on conformance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from datetime import datetime

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.config import Config
    from sbomgate.model import DependencyGraph, PackageFacts
    from sbomgate.sbom.parties import Parties, Party

_CONFIG = "sbomgate.toml"
_ROLES = {
    "author": "who makes the SBOM: a person or team",
    "manufacturer": "the organisation that makes the SBOM",
    "supplier": "the organisation that makes and supplies the project",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; the names that other generators have are understood as well."""
    parser.add_argument(
        "--spec-version", "--sv", choices=("1.5", "1.6", "1.7"), default="1.6", help="of CycloneDX (default: 1.6)"
    )
    parser.add_argument(
        "--format", "--output-format", "--of", choices=("json", "xml"), default="json", help="default: json"
    )
    for role, what in _ROLES.items():
        parser.add_argument(f"--{role}", metavar="NAME", help=f"{what}: NAME <EMAIL or URL> (or in {_CONFIG})")
    parser.add_argument(
        "--conform",
        choices=_profiles(),
        help="report how far the SBOM meets a standard; the SBOM itself goes to --output only",
    )
    parser.add_argument("--json", action="store_true", help="the report of --conform as JSON")


def _profiles() -> list[str]:
    """Return the names of the profiles, which are the files of `conform`, without importing it."""
    import pkgutil

    import sbomgate

    files = pkgutil.iter_modules([f"{sbomgate.__path__[0]}/conform"])
    return [one.name.replace("_", "-") for one in files if not one.name.startswith("_")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How the SBOMs of one run are written."""

    timestamp: datetime | None
    parties: Parties | None
    spec_version: str
    xml: bool

    def sbom(
        self, graph: DependencyGraph, facts: Mapping[str, PackageFacts] | None = None, *, xml: bool | None = None
    ) -> bytes:
        """Return the SBOM of a graph, with the facts about its packages (by id) or from its lockfile alone."""
        from sbomgate import __version__, sbom

        return sbom.write(
            graph,
            facts or {},
            timestamp=self.timestamp,
            tool_version=__version__,
            parties=self.parties,
            spec_version=self.spec_version,
            xml=self.xml if xml is None else xml,
        )

    def document(self, graph: DependencyGraph, facts: Mapping[str, PackageFacts] | None = None) -> dict[str, Any]:
        """Return the same SBOM as it stands in JSON."""
        import orjson

        found: dict[str, Any] = orjson.loads(self.sbom(graph, facts, xml=False))
        return found


def document_of(path: str, env: Environment) -> dict[str, Any]:
    """Return the document of an SBOM, by whomever, as it stands in JSON.

    Raises:
        InputError: neither JSON nor XML with one meaning, or over a limit.
    """
    from sbomgate import lockfiles
    from sbomgate.cli._project import open_project

    project = open_project(path, env)
    return lockfiles.sbom_document((project.files.read(project.lockfile) if project.lockfile else None) or b"", path)


def report(document: Mapping[str, Any], profile: str, *, as_json: bool) -> bytes:
    """Return the report on conformance of an SBOM."""
    from sbomgate import conform
    from sbomgate.conform import _rendering

    found = conform.judge(document, profile)
    return _rendering.json(found) if as_json else _rendering.text(found).encode()


def rendering(args: argparse.Namespace, env: Environment, project: Project | None) -> Rendering:
    """Return how the SBOM is to be written; without a project (an SBOM is read) by the command line alone.

    Raises:
        UsageError: a name, an address or a time is not one; or arguments that do not go together.
    """
    if args.json and args.conform is None:
        raise UsageError("the SBOM is JSON already", where="--json", hint="leave it out, or add --conform PROFILE")
    time = env.source_date if project is None else source_date(env, project)
    if time is None and args.spec_version == "1.7":
        env.tell("note: no time is known (SOURCE_DATE_EPOCH, or a commit), so the SBOM holds no citations")
    return Rendering(
        timestamp=time,
        parties=parties(None if project is None else config_of(project), args),
        spec_version=args.spec_version,
        xml=args.format == "xml",
    )


def parties(config: Config | None, args: argparse.Namespace | None = None) -> Parties | None:
    """Return who stands behind the SBOM: by the command line, else by the project's own file; None for nobody.

    Raises:
        UsageError: not NAME <EMAIL or URL>.
    """
    found: dict[str, Party] = {}
    for role in _ROLES:
        asked = None if args is None else getattr(args, role)
        text = asked if asked is not None or config is None else config.sbom.get(role)
        if text is not None:
            from sbomgate.sbom.parties import Party

            found[role] = Party.parse(text, where=f"{_CONFIG}: sbom.{role}" if asked is None else f"--{role}")
    if not found:
        return None
    from sbomgate.sbom.parties import Parties

    return Parties(**found)


def source_date(env: Environment, project: Project) -> datetime | None:
    """Return the SBOM's time: SOURCE_DATE_EPOCH, else that of the commit that is checked out, else None."""
    if "SOURCE_DATE_EPOCH" in env.variables:
        return env.source_date
    if not (project.files.repository / ".git").exists():
        return None
    from sbomgate.cli import _worktree

    return _worktree.committed_at(project.files.repository)


def config_of(project: Project) -> Config | None:
    """Return the project's own sbomgate.toml, or None where there is none."""
    data = project.files.read(_CONFIG)
    if data is None:
        return None
    from sbomgate import config
    from sbomgate.resources import path as resource

    return config.parse(data, schema=resource(*config.SCHEMA).read_bytes())
