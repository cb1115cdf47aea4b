"""Attach stored evidence in a registry: all of a store, or that of some subjects. What is there is not sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Record
    from sbomgate.evidence.registry_client import Repository
    from sbomgate.model import Subject

HELP = "attach stored evidence in a registry"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("registry", metavar="oci:HOST/REPO", help="the repository; an image's evidence goes to its own")
    parser.add_argument("subject", nargs="*", help="file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST; default: all")
    parser.add_argument("--store", default="evidence", metavar="DIR", help="the store on disk (default: evidence)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Attach them, and say what was."""
    from sbomgate.cli import _store
    from sbomgate.cli._environment import discreet
    from sbomgate.errors import EXIT_ALLOWED, EvidenceError
    from sbomgate.evidence import layout, log, registry
    from sbomgate.subject import build_manifest

    target = _store.repository(args.registry)
    store = env.working_directory / args.store
    builds: list[tuple[Path, Subject | None]] = []
    if args.subject:
        subjects = [_store.subject(spec, env) for spec in args.subject]
        builds += [(layout.folder(store, build_manifest(one).sha256), one) for one in subjects]
    else:
        builds += [(build, None) for build in layout.scan(store).builds]
    if not builds:
        raise EvidenceError("holds no evidence", where=args.store, hint="give the store that `gate` wrote to")
    with _store.opening(env, writes=True) as client_of:
        if revoked := log.revocations(store):
            registry.attach_revocations(client_of(target), list(revoked.values()))
            print(discreet(f"{_store.REGISTRY}{target}:revocations  {_count(len(revoked), 'revocation')}"))
        for build, named in builds:
            records = layout.read_build(build)
            if not records:
                raise EvidenceError("no decision in this store", where=str(build), hint="give the store that holds it")
            # One image may have been gated under several names; each has its own repository.
            homes: dict[Repository, list[Record]] = {}
            for one in records:
                homes.setdefault(registry.home(named or one.claimed.subject, target), []).append(one)
            for at, about in sorted(homes.items(), key=lambda item: str(item[0])):
                subject = named or about[0].claimed.subject
                name = f"{_store.REGISTRY}{at}@{registry.digest(subject)}"
                if named is None and at.host != target.host:
                    raise EvidenceError(
                        f"it is about an image on {at.host}, and {target.host} is where this goes",
                        where=str(build),
                        hint=f"name it: `sbomgate evidence push --store {args.store} {args.registry} {name}`",
                    )
                registry.attach(client_of(at), subject, about)
                print(discreet(f"{name}  {_count(len(about), 'decision')}"))
    return EXIT_ALLOWED


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"
