"""Collect what registries and tarballs say of a project's packages, and sign it: for a machine without a network.

`sbomgate check --offline --facts FILE` decides by it there, where the trust file accepts the signer for facts. What
can be verified from bytes (attestations) is verified again; a registry's word keeps the date of asking.

examples:
  sbomgate facts export --key recorder.key -o facts.sigstore.json
  sbomgate facts export web --key recorder.key --trust ../trust.toml -o facts.sigstore.json

exit codes: 0 written, 2 not; a package of which something is not known stops nothing, and is unknown there too
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "export collected facts, signed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="collect, sign, write", allow_abbrev=False)
    export.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    export.add_argument("--key", required=True, metavar="FILE", help="the local signing key (`sbomgate key new`)")
    export.add_argument("-o", "--output", metavar="FILE", help="where to write it (default: stdout)")
    export.add_argument("--trust", metavar="FILE", help="what is first-party, and whether the key's facts are accepted")
    export.add_argument("--facts", metavar="FILE", help="recorded facts that are used instead of asking again")
    export.add_argument(
        "--offline", action="store_true", help="use no network: what was recorded, and the package managers' caches"
    )


def run(args: argparse.Namespace, env: Environment) -> int:
    """Collect, sign, write."""
    from sbomgate import facts, lockfiles
    from sbomgate import trust as trust_file
    from sbomgate.cli import _facts, _signing
    from sbomgate.cli._environment import emit, say
    from sbomgate.cli._project import open_project
    from sbomgate.errors import SigningError
    from sbomgate.npm.wanted import measure

    signer = _signing.open_key(args.key, env)
    opened = open_project(args.path, env)
    trust = trust_file.NOBODY
    if args.trust is not None:
        trust = trust_file.load(args.trust, project_root=opened.files.repository)
        if not any(one.key_id == signer.key_id and "facts" in one.roles for one in trust.signers):
            raise SigningError(
                f"the trust file does not accept facts by {signer.identity}",
                where=args.trust,
                hint='sign with a key that has the role "facts" there, or give it that role',
            )
    graph = lockfiles.read(opened.files, opened.lockfile)
    recorded = _facts.recorded(args.facts, env, trust, offline=args.offline)
    # As for what is signed otherwise: no cache is believed, the registry is asked again (P26).
    # What will be new or changed where the facts are used, nobody knows here: all of it is measured.
    measured = measure([(graph, frozenset())])
    collected = _facts.collect(graph, env, opened, trust, recorded, measured, offline=args.offline, signs=True)
    emit(signer.sign(facts.write_statement(collected)), args.output, env)
    unknown = _facts.unknown(collected.values())
    said = f" (not known: {unknown})" if unknown else ""
    say(f"facts of {len(collected)} packages{said}, signed by {signer.identity}")
    return EXIT_ALLOWED
