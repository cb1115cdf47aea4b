"""Make a first trust file for a local key, or fetch the newest trust root for one. Keep both outside the repository.

examples:
  sbomgate trust new --key release.key.pub --out ../trust.toml --repository https://github.com/acme/shop
  sbomgate trust update --trust ../trust.toml --out ../trust_root
  sbomgate trust update --out trust_root --url https://tuf.acme.example/ --root acme-root.json

`update` changes nothing that is in use: it writes new files beside the old ones, and prints the table with which the
trust file names them by their digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.tuf import Refreshed

HELP = "make a first trust file, or fetch the newest trust root"
MAX_ROOT_BYTES = 512_000  # python-tuf's own limit for root metadata


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="a trust file that accepts one local key", allow_abbrev=False)
    new.add_argument("--key", required=True, metavar="FILE", help="the public half (`sbomgate key new` wrote FILE.pub)")
    new.add_argument("--out", metavar="FILE", help="where to write it (default: stdout); never overwritten")
    new.add_argument("--name", default="release key", help="what to call the key's holder")
    new.add_argument("--repository", metavar="URL", help="the repository that decisions must be about")
    update = actions.add_parser(
        "update", help="the newest trust root of sigstore and the npm registry, by its chain (TUF)", allow_abbrev=False
    )
    update.add_argument("--out", required=True, metavar="DIR", help="where to keep it; the same folder the next time")
    update.add_argument("--trust", metavar="FILE", help="the trust file: what it names now is compared")
    update.add_argument("--url", metavar="URL", help="another TUF repository: a mirror, or a private sigstore's")
    update.add_argument("--root", metavar="FILE", help="its root.json, where it is not the public one's")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Do what was asked for."""
    return _update(args, env) if args.action == "update" else _new(args, env)


def _new(args: argparse.Namespace, env: Environment) -> int:
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


def _update(args: argparse.Namespace, env: Environment) -> int:
    import hashlib

    from sbomgate import files, trust, tuf
    from sbomgate.cli._environment import emit
    from sbomgate.errors import TrustError, UsageError
    from sbomgate.provenance import shipped
    from sbomgate.provenance.changes import changes
    from sbomgate.provenance.material import TrustMaterial
    from sbomgate.transport import open_client

    if args.url is not None and args.root is None and args.url.rstrip("/") != tuf.PUBLIC_URL.rstrip("/"):
        from sbomgate.cli._environment import say

        say(f"{args.url}: taken for a mirror of {tuf.PUBLIC_URL}; a private sigstore has a root of its own (--root)")
    root = shipped.tuf_root()
    if args.root is not None:
        root = files.read(env.working_directory / args.root, limit=MAX_ROOT_BYTES, error=TrustError)
    # (1) what holds now
    used = shipped.load()
    accepted = trust.NOBODY if args.trust is None else trust.load(args.trust, project_root=None)
    old = (accepted.trusted_root or used.trusted_root, accepted.registry_keys or used.registry_keys)
    # (2) what the chain of signatures leads to
    folder = env.working_directory / args.out
    url = args.url or tuf.PUBLIC_URL
    with open_client(**env.network, total_seconds=tuf.MAX_SECONDS, answer_seconds=tuf.READ_SECONDS) as client:
        found = tuf.refresh(url, root=root, known=tuf.read_metadata(folder / "tuf"), client=client)
    # (3) it can be used at all
    new = (found.trusted_root, found.registry_keys or old[1])
    said = changes(TrustMaterial.parse(*old), TrustMaterial.parse(*new))
    # (4) kept under names that nothing else has: what a trust file names is never written over
    named = {"trusted_root": found.trusted_root}
    if found.registry_keys is not None:
        named["registry_keys"] = found.registry_keys
    paths = {key: folder / f"{key}-{hashlib.sha256(data).hexdigest()[:16]}.json" for key, data in named.items()}
    written = {paths[key]: data for key, data in named.items()}
    written |= {folder / "tuf" / name: data for name, data in sorted(found.metadata.items())}
    for path, data in written.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            same = path.is_file() and path.read_bytes() == data
        except OSError as e:
            raise UsageError(
                f"cannot be written: {(e.strerror or str(e)).lower()}",
                where=str(path),
                hint="give a folder that this user can write to (--out)",
            ) from e
        if not same:
            emit(data, str(path), env)
    emit(("\n".join(_told(args, url, found, old, said, paths, env)) + "\n").encode(), None, env)
    return EXIT_ALLOWED


def _told(
    args: argparse.Namespace,
    url: str,
    found: Refreshed,
    old: tuple[bytes, bytes],
    said: list[str],
    paths: dict[str, Path],
    env: Environment,
) -> Iterator[str]:
    """Yield what was found, as a table for the trust file with comments."""
    import hashlib
    import os
    from pathlib import Path

    from sbomgate.report.escape import plain
    from sbomgate.times import format_time

    def digest(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    yield f"# The trust root of {plain(url)}, TUF root {found.root_version}, verified {format_time(env.now)}."
    for what, was, is_ in (
        ("trusted root", old[0], found.trusted_root),
        ("registry keys", old[1], found.registry_keys),
    ):
        if is_ is None:
            yield f"# {what}: this repository has none; sha256:{digest(was)} stays"
        elif is_ == was:
            yield f"# {what}: unchanged, sha256:{digest(was)}"
        else:
            yield f"# {what}: sha256:{digest(was)}"
            yield f"# {'':{len(what)}}→ sha256:{digest(is_)}"
    for line in said:
        yield f"#   {plain(line)}"
    yield "# Nothing uses it before the trust file names it:"
    yield "[sigstore]"
    yield f"updated = {format_time(env.now)}"
    beside = env.working_directory
    if args.trust is not None:
        beside = (env.working_directory / args.trust.partition("@sha256:")[0]).resolve().parent
    for key, path in paths.items():
        # As the trust file names it: relative to itself, where one was given.
        shown = Path(os.path.relpath(path.resolve(), beside)).as_posix()
        yield f'{key} = {{ path = {_toml(shown)}, sha256 = "{digest(path.read_bytes())}" }}'


def _toml(text: str) -> str:
    """Return a text as a TOML basic string, which JSON's form is one of."""
    import json

    return json.dumps(text, ensure_ascii=False)
