r"""Decide whether a release may ship, sign the decision and store it: the release job's step.

It decides again from the committed lockfile, believes no cache of the build job, and runs no dependency's code.

examples:
  sbomgate gate --subject file:dist/app.tgz --key release.key --trust ../trust.toml
  sbomgate gate web --subject oci:registry.example/web@sha256:… --key release.key --trust ../trust.toml \
      --repository https://github.com/acme/web --commit "$(git rev-parse HEAD)" --environment production
  sbomgate gate --subject file:dist/app.tgz --signer keyless --trust ../trust.toml
  sbomgate gate --resume 81c0… --signer keyless --trust ../trust.toml    what could not be signed then

exit codes: 0 the policy allows, 1 it denies (signed and stored too), 2 no decision could be made
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sbomgate.cli import _decide, _signing

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from sbomgate.cli._decide import Decided
    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Record
    from sbomgate.model import Subject, Trust

MAX_SUBJECT_BYTES = 1 << 40  # hashed as a stream: a limit only against a device that never ends
HELP = "decide whether a release may ship, sign and store the decision"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: first what a release needs."""
    parser.add_argument("--subject", help="what ships: file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST")
    _signing.add_arguments(parser)
    parser.add_argument("--store", metavar="DIR", help=f"where evidence is kept (default: {_decide.DEFAULT_STORE})")
    parser.add_argument("--repository", metavar="URL", help="where it was built from")
    parser.add_argument(
        "--commit", metavar="SHA", help="the commit that it was built from: the one that is checked out"
    )
    parser.add_argument("--environment", metavar="NAME", help="where it will run")
    _decide.add_arguments(parser)


def run(args: argparse.Namespace, env: Environment) -> int:
    """Decide, sign, store, print."""
    from sbomgate import files, gate, subject
    from sbomgate import trust as trust_file
    from sbomgate.cli._project import open_project
    from sbomgate.errors import InputError, UsageError
    from sbomgate.model import Claimed, SubjectKind

    if args.trust is None:
        raise UsageError(
            "gate signs only what somebody accepts", where="--trust", hint="make one with `sbomgate trust new`"
        )
    repository = open_project(args.path, env).files.repository
    trust = trust_file.load(args.trust, project_root=repository)
    store = env.working_directory / (args.store or _decide.DEFAULT_STORE)
    if args.resume is not None:
        return _resume(args, env, trust, store)
    if args.subject is None:
        raise UsageError("what ships is not named", where="--subject", hint="file:PATH, git:COMMIT or oci:…@sha256:…")
    about = subject.parse(
        args.subject,
        lambda path: files.sha256_of(env.working_directory / path, limit=MAX_SUBJECT_BYTES, error=InputError),
    )
    claims = {
        name: Claimed(value=value, source="flag")
        for name in ("repository", "commit", "environment")
        if (value := getattr(args, name)) is not None
    }
    _require_head(args, about, repository)
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, trust, stack)
        decided = _decide.decide(args, env, subject=about, claims=claims, store=store, time_source=signer.time_source)
        if args.commit is not None or about.kind is SubjectKind.GIT:
            _require_committed(decided)
        made = gate.unsigned(decided.answer, decided.question, signer=signer)
        record = _signing.sign_and_store(made, decided.question.trust, signer, store)
    _decide.show(_decide.report(decided, evidence=_folder(record, store, env), decision=record.id), args)
    return _decide.exit_code(decided)


def _resume(args: argparse.Namespace, env: Environment, trust: Trust, store: Path) -> int:
    """Sign what is pending, and say what it was."""
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, UsageError
    from sbomgate.model import Verdict
    from sbomgate.report.escape import plain

    if args.subject is not None or args.json:
        raise UsageError(
            "a pending decision has its subject, and is not decided again",
            where="--resume",
            hint="leave --subject and --json out: `sbomgate report` and `verify` read what was stored",
        )
    record = _signing.resume(args, env, trust, store)
    claimed, decided_at = record.claimed, f"{record.claimed_time:%Y-%m-%d %H:%M} UTC"
    print(
        f"{claimed.verdict.value.upper()}  {plain(claimed.subject.name)} · decided {decided_at} · signed now · "
        f"decision sha256:{record.id} · {plain(_folder(record, store, env))}"
    )
    return EXIT_ALLOWED if claimed.verdict is Verdict.ALLOWED else EXIT_DENIED


def _folder(record: Record, store: Path, env: Environment) -> str:
    from sbomgate.evidence import layout

    shown = layout.folder(store, record.build.sha256)
    return str(shown.relative_to(env.working_directory) if shown.is_relative_to(env.working_directory) else shown)


def _require_head(args: argparse.Namespace, about: Subject, repository: Path) -> None:
    """Refuse a commit that is not the one that is checked out; where the checkout does not tell, nothing is known.

    Raises:
        UsageError: `--commit` or a `git:` subject names another commit.
    """
    from sbomgate.cli import _worktree
    from sbomgate.errors import UsageError

    head = _worktree.head(repository)
    for flag, commit in (("--commit", args.commit), ("--subject", about.digest.get("gitCommit"))):
        if head is not None and commit is not None and commit != head:
            raise UsageError(
                f"names the commit {commit}, and {head} is checked out",
                where=flag,
                hint="check out the commit that is released: its lockfile is what is decided on",
            )


def _require_committed(decided: Decided) -> None:
    """Refuse to sign that a commit holds a lockfile, or a package.json, that it does not hold.

    Raises:
        InputError: one of them has changes that are in no commit.
    """
    from sbomgate.cli import _worktree
    from sbomgate.cli._environment import say
    from sbomgate.errors import InputError
    from sbomgate.project import path_in_repository

    opened = decided.project.files
    read = {
        path_in_repository(opened, path): opened.read(path) or b""
        for path in opened.digests()
        if not opened.is_link(path)
    }
    for path in _worktree.changed(opened.repository, read):
        if path.endswith(".npmrc"):  # CI systems write tokens into it
            say(f"warning: {path} is not as it was committed")
            continue
        raise InputError(
            "it is not as it was committed, and the decision would say that the commit holds it",
            where=path,
            hint=f"`git diff {path}` shows the change: commit it, or undo it",
        )
