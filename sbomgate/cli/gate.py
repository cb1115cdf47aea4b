r"""Decide whether a release may ship, sign the decision and store it: the release job's step.

It decides again from the committed lockfile, believes no cache of the build job, and runs no dependency's code.

examples:
  sbomgate gate --subject file:dist/app.tgz --key release.key --trust ../trust.toml
  sbomgate gate web --subject oci:registry.example/web@sha256:… --key release.key --trust ../trust.toml \
      --repository https://github.com/acme/web --commit "$(git rev-parse HEAD)" --environment production
  sbomgate gate --subject services/web=file:dist/web.tgz --subject services/api=file:dist/api.tgz \
      --key release.key --trust ../trust.toml
  sbomgate gate --subjects release.toml --key release.key --trust ../trust.toml
  sbomgate gate --subject file:dist/app.tgz --installed . --contains --key release.key --trust ../trust.toml
  sbomgate gate --subject file:dist/app.tgz --signer keyless --trust ../trust.toml
  sbomgate gate --subject file:app.tgz --key release.key --trust ../trust.toml --store oci:registry.example/evidence
  sbomgate gate --resume 81c0… --signer keyless --trust ../trust.toml    what could not be signed then

exit codes: 0 the policy allows, 1 it denies (signed and stored too), 2 no decision could be made; of several the worst
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sbomgate.cli import _decide, _inventory, _inventory_add, _results, _signing, _ties

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._store import Store
    from sbomgate.evidence.record import Record
    from sbomgate.model import Subject, Trust
    from sbomgate.project import DiskFiles

HELP = "decide whether a release may ship, sign and store the decision"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: first what a release needs."""
    parser.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    parser.add_argument(
        "--subject",
        action="append",
        metavar="[WORKSPACE=]SUBJECT",
        help="what ships: file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST; may be repeated, with workspaces",
    )
    parser.add_argument("--subjects", metavar="FILE", help='a TOML file of them, one a line: "WORKSPACE" = "SUBJECT"')
    parser.add_argument("--workspace", metavar="NAME", help="the workspace that the one subject was built from")
    _signing.add_arguments(parser)
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        help=f"where evidence is kept: DIR (default: {_decide.DEFAULT_STORE}); oci:HOST/REPO attaches it in a registry "
        "besides",
    )
    parser.add_argument("--repository", metavar="URL", help="where it was built from")
    parser.add_argument(
        "--commit", metavar="SHA", help="the commit that it was built from: the one that is checked out"
    )
    parser.add_argument("--environment", metavar="NAME", help="where it will run")
    parser.add_argument("--inventory", metavar="DIR", help="add the build to this inventory, once it is stored")
    parser.add_argument(
        "--bundle-out",
        metavar="DIR",
        help="write the signed bundles as files into DIR too, or add them to a FILE.jsonl",
    )
    _ties.add_arguments(parser)
    _decide.add_arguments(parser)
    _results.add_arguments(parser)


def run(args: argparse.Namespace, env: Environment) -> int:
    """Decide, sign, store, print."""
    from sbomgate import gate
    from sbomgate.cli import _bundles, _store, _subjects
    from sbomgate.errors import InputError, UsageError
    from sbomgate.model import Claimed, SubjectKind

    if args.trust is None:
        raise UsageError(
            "gate signs only what somebody accepts", where="--trust", hint="make one with `sbomgate trust new`"
        )
    kept = _store.parse(args.store, env)
    store = kept.folder
    if args.resume is not None:
        return _resume(args, env, kept)
    asked = _subjects.read(args, env)
    tree = _decide.read(args, env, args.path, asked.workspaces, signs=True)
    results = _results.Results(args, env, many=asked.many)
    subjects = asked.parse(env)
    claims = {
        name: Claimed(value=value, source="flag")
        for name in ("repository", "commit", "environment")
        if (value := getattr(args, name)) is not None
    }
    inventory = None if args.inventory is None else _inventory.folder_at(args.inventory, env)
    files = tree.project.files
    about = [one for one in subjects if not isinstance(one, InputError)]
    ties = _ties.Reader(args, env, tree, asked.paths(subjects))
    _require_head(args, about, files.repository)
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, tree.trust, stack)
        judge = stack.enter_context(
            _decide.judging(tree, args, env, claims=claims, store=store, time_source=signer.time_source, keep=ties.keep)
        )
        attach = stack.enter_context(_store.attaching(kept, env))
        if args.commit is not None or any(one.kind is SubjectKind.GIT for one in about):
            _require_committed(files)
        for part, subject in zip(tree.parts, subjects, strict=True):
            with results.of(judge, part):
                if isinstance(subject, InputError):
                    raise subject
                decided = judge.decide(part, subject, ties.read(part, subject))
                made = gate.unsigned(decided.answer, decided.question, signer=signer)
                record = _signing.sign_and_store(made, tree.trust, signer, store, env.now)
                if inventory is not None:
                    _inventory_add.after_gate(inventory, record, tree.trust)
                attach(subject, record)
                if args.bundle_out is not None:
                    _bundles.write(args.bundle_out, record, env)
                folder = _folder(record, store, env)
                refused = _refused(record, tree.trust)
                results.add(decided, tree, signer=signer.identity, evidence=folder, decision=record.id, refused=refused)
    return results.show()


def _resume(args: argparse.Namespace, env: Environment, kept: Store) -> int:
    """Sign what is pending, and say what it was."""
    from sbomgate import trust as trust_file
    from sbomgate.cli import _store
    from sbomgate.cli._project import open_project
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, UsageError
    from sbomgate.model import Verdict
    from sbomgate.report.escape import plain

    named = (args.workspace, args.installed, args.contains, args.build_provenance)
    if args.subject or args.subjects or args.json or args.format or any(one is not None for one in named):
        raise UsageError(
            "a pending decision has its subject, and is not decided again",
            where="--resume",
            hint="leave out what asks for another; `sbomgate report` shows what was stored",
        )
    inventory = None if args.inventory is None else _inventory.folder_at(args.inventory, env)
    trust = trust_file.load(args.trust, project_root=open_project(args.path, env).files.repository)
    record = _signing.resume(args, env, trust, kept.folder)
    if inventory is not None:
        _inventory_add.after_gate(inventory, record, trust)
    with _store.attaching(kept, env) as attach:
        attach(record.claimed.subject, record)
    if args.bundle_out is not None:
        from sbomgate.cli import _bundles

        _bundles.write(args.bundle_out, record, env)
    _refused(record, trust)
    claimed, decided_at = record.claimed, f"{record.claimed_time:%Y-%m-%d %H:%M} UTC"
    print(
        f"{claimed.verdict.value.upper()}  {plain(claimed.subject.name)} · decided {decided_at} · signed now · "
        f"decision sha256:{record.id} · {plain(_folder(record, kept.folder, env))}"
    )
    return EXIT_ALLOWED if claimed.verdict is Verdict.ALLOWED else EXIT_DENIED


def _refused(record: Record, trust: Trust) -> tuple[str, ...]:
    """Return, and say, why `verify` by the same trust file will refuse what was just allowed: not at the deployment."""
    from sbomgate.cli import _report
    from sbomgate.cli._environment import say
    from sbomgate.model import Verdict
    from sbomgate.policy import bundle

    reasons = _report.standing(record, trust, shipped_policy=bundle.shipped().sha256).reasons
    if reasons and record.claimed.verdict is Verdict.ALLOWED:
        say(f"warning: {record.claimed.subject.name}: `verify` by this trust file will refuse it: {'; '.join(reasons)}")
        say("  hint: it demands an --environment, a --repository, a profile, or another signer: gate it so")
    return reasons


def _folder(record: Record, store: Path, env: Environment) -> str:
    from sbomgate.evidence import layout

    shown = layout.folder(store, record.build.sha256)
    return str(shown.relative_to(env.working_directory) if shown.is_relative_to(env.working_directory) else shown)


def _require_head(args: argparse.Namespace, subjects: Sequence[Subject], repository: Path) -> None:
    """Refuse a commit that is not the one that is checked out; where the checkout does not tell, nothing is known.

    Raises:
        UsageError: `--commit` or a `git:` subject names another commit.
    """
    from sbomgate.cli import _worktree
    from sbomgate.errors import UsageError

    head = _worktree.head(repository)
    commits = [("--subject", subject.digest.get("gitCommit")) for subject in subjects]
    for flag, commit in (("--commit", args.commit), *commits):
        if head is not None and commit is not None and commit != head:
            raise UsageError(
                f"names the commit {commit}, and {head} is checked out",
                where=flag,
                hint="check out the commit that is released: its lockfile is what is decided on",
            )


def _require_committed(opened: DiskFiles) -> None:
    """Refuse to sign that a commit holds a lockfile, or a package.json, that it does not hold.

    Raises:
        InputError: one of them has changes that are in no commit.
    """
    from sbomgate.cli import _approvals, _worktree
    from sbomgate.cli._environment import say
    from sbomgate.errors import InputError
    from sbomgate.project import path_in_repository

    read = {
        path_in_repository(opened, path): opened.read(path) or b""
        for path in opened.digests()
        if not opened.is_link(path)
    }
    for path in _worktree.changed(opened.repository, read):
        if f"{_approvals.FOLDER}/" in path:  # each is signed: it counts wherever it comes from
            continue
        if path.endswith(".npmrc"):  # CI systems write tokens into it
            say(f"warning: {path} is not as it was committed")
            continue
        raise InputError(
            "it is not as it was committed, and the decision would say that the commit holds it",
            where=path,
            hint=f"`git diff {path}` shows the change: commit it, or undo it",
        )
