"""Copy the evidence on one subject from a registry into a store on disk, every byte hashed again.

Whether its signers are accepted is not asked here: `sbomgate verify` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "copy evidence from a registry into a store on disk"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("registry", metavar="oci:HOST/REPO", help="the repository; an image's evidence is in its own")
    parser.add_argument("subject", help="file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST")
    parser.add_argument("--store", default="evidence", metavar="DIR", help="the store on disk (default: evidence)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Copy it, and print the folders."""
    from sbomgate.cli import _store
    from sbomgate.cli._environment import discreet, say
    from sbomgate.errors import EXIT_ALLOWED, EvidenceError
    from sbomgate.evidence import layout, log
    from sbomgate.subject import build_manifest

    subject = _store.subject(args.subject, env)
    records = _store.find_in(_store.repository(args.registry), subject, env)
    build = build_manifest(subject).sha256
    ours = [one for one in records if one.build.sha256 == build]
    if strange := len(records) - len(ours):
        say(f"note: {strange} attached to it and about another artefact: not copied")
    if not ours:
        raise EvidenceError("no decision is attached to it", where=args.subject, hint="is this the right repository?")
    if len({one.id for one in ours}) < len(ours):
        raise EvidenceError(
            "one decision has two signed summaries, and a store on disk holds one",
            where=args.subject,
            hint="`sbomgate verify` tells whose each is; take the other one out of the registry",
        )
    log.keep_revocations(env.working_directory / args.store, _store.view(args.registry, env).revocations)
    for record in reversed(ours):  # oldest first
        path = layout.write(env.working_directory / args.store, record).path
        inside = path.is_relative_to(env.working_directory)
        print(discreet(str(path.relative_to(env.working_directory) if inside else path)))
    return EXIT_ALLOWED
