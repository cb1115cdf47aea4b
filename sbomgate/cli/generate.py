"""Write the CycloneDX SBOM of a project, from its lockfile alone: no network, no node_modules.

`--facts` adds what `check` knows of each package: publish time, install scripts, licence and author by the tarball,
signature and provenance, verified; what is not known is said, with the reason. A file holds them (`sbomgate facts
export`), and is believed where the trust file accepts its signer; the word `network` asks the registries.

examples:
  sbomgate generate                             CycloneDX 1.6 of the project in this folder, on stdout
  sbomgate generate web -o bom.json             of the project in web/, to a file
  sbomgate generate --spec-version 1.7 --format xml
  sbomgate generate --author 'Release team <release@acme.example>' --conform ntia -o bom.json
  sbomgate generate --workspace services/web    of one workspace of a monorepo
  sbomgate generate --split sboms               of each workspace and the root project: sboms/services+web.cdx.json, …
  sbomgate generate --facts network             with the facts about each package, from caches and registries
  sbomgate generate --facts facts.sigstore.json --trust ../trust.toml
  sbomgate generate --from theirs.xml           of an SBOM that another tool made: what it does not say is unknown
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _facts, _sbom
from sbomgate.errors import EXIT_ALLOWED, UsageError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "write the CycloneDX SBOM of a project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    parser.add_argument("--from", dest="sbom", metavar="SBOM", help="read a CycloneDX SBOM (JSON or XML) instead")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    parser.add_argument(
        "--workspace",
        action="append",
        metavar="NAME",
        help="of one workspace, by directory or name; with --split of several",
    )
    parser.add_argument(
        "--split", metavar="DIR", help="write an SBOM of each workspace, and of the root project, to DIR"
    )
    parser.add_argument(
        "--facts",
        action="append",
        metavar=f"FILE|{_facts.NETWORK}",
        help="add facts about the packages: recorded ones, or from the network; give it twice for both",
    )
    parser.add_argument("--trust", metavar="FILE", help="with --facts: who is accepted, and what is first-party")
    _sbom.add_arguments(parser)


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the SBOM, or one for each workspace; always 0 when they could be made."""
    from sbomgate import lockfiles
    from sbomgate.cli._environment import emit
    from sbomgate.cli._project import open_project, parts, read_sbom, say_others, say_unknown

    if args.split is not None and args.output is not None:
        raise UsageError("--split writes files of its own", where="--output", hint="give one of the two")
    if args.split is None and len(args.workspace or ()) > 1:
        raise UsageError("several SBOMs, and one place to write to", where="--workspace", hint="add --split DIR")
    if args.split is not None and args.conform is not None:
        raise UsageError("one report, and several SBOMs", where="--conform", hint="leave out --split: name --workspace")
    if args.trust is not None and args.facts is None:
        raise UsageError("there are no facts that it could be asked about", where="--trust", hint="add --facts")
    if args.facts is not None and args.sbom is not None and args.conform is not None:
        raise UsageError(
            "an SBOM that another tool made is judged by its own words", where="--conform", hint="leave out --facts"
        )
    wanted = (args.workspace or []) if args.split is not None else args.workspace
    if args.sbom is None:
        project = open_project(args.path, env)
        rendering = _sbom.rendering(args, env, project)
        graph = lockfiles.read(project.files, project.lockfile)
        found = parts(project, graph, wanted)
    else:
        if args.path != ".":
            raise UsageError("PATH and --from are two inputs", hint="give one of them")
        if wanted is not None:
            raise UsageError("an SBOM has no workspaces", where="--from", hint="leave out --workspace and --split")
        rendering = _sbom.rendering(args, env, None)
        project, graph = read_sbom(args.sbom, env)
        found = (graph,)
    say_unknown(graph)
    say_others(graph)
    files = None
    if args.split is not None:
        from sbomgate.cli import _split

        files = _split.files_in(args.split, [part.workspace or "" for part in found], env)
    known = None if args.facts is None else _facts.about(found, args.facts, args.trust, env, project)
    for part in found:
        facts = None if known is None else known(part)
        output = args.output if files is None else files[part.workspace or ""]
        if args.conform is None or output is not None:
            emit(_shown(rendering.sbom(part, facts), output), output, env)
    if args.conform is not None:
        # Of an SBOM that another tool made, its own words are judged: what is written of it here says less.
        document = rendering.document(found[0], facts) if args.sbom is None else _sbom.document_of(args.sbom, env)
        emit(_sbom.report(document, args.conform, as_json=args.json), None, env)
    return EXIT_ALLOWED


def _shown(data: bytes, output: str | None) -> bytes:
    """Return an SBOM as it goes to stdout, which may be a log: of the same meaning, and inert (P39)."""
    if output not in (None, "-"):
        return data
    # One byte is found many times faster than two, and nearly always neither is there.
    if data.isascii() and b"\x7f" not in data and (b"#" not in data or b"##" not in data):
        return data  # nothing in it that could be taken for anything else
    from sbomgate.report.escape import inert_json, inert_xml

    return inert_xml(data) if data.startswith(b"<") else inert_json(data)
