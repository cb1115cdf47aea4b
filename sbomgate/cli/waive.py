"""Sign a waiver: one rule, for one version of one package with these bytes, or one finding, until a date.

It is written to .sbomgate/approvals/ of the project, to be committed. It counts when the trust file names its signer
as an approver, and only for findings that can be waived: never for what is known to be malicious, for an invalid
signature, or for other bytes than the registry's.

examples:
  sbomgate waive release_age axios@1.14.2 --until 2026-12-01 --reason "fixes GHSA-…" --key ann.key --trust ../trust.toml
  sbomgate waive release_age axios@1.14.2 --until 30d --reason "…" --signer keyless:ann.token --trust ../trust.toml
  sbomgate waive no_left_pad left-pad@1.3.0 --policy policy --until 30d --reason "…" --key ann.key --trust ../trust.toml
  sbomgate waive pinned --finding 3f9c… --until 30d --reason "…" --key ann.key --trust ../trust.toml
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sbomgate.cli import _signing
from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment
    from sbomgate.model import DependencyGraph

HELP = "sign a waiver of one finding, with an end"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("rule", metavar="RULE", help="the rule's id, as a finding names it")
    parser.add_argument("package", metavar="PACKAGE@VERSION", nargs="?", help="which the lockfile must hold")
    parser.add_argument("--finding", metavar="FINGERPRINT", help="one finding by its fingerprint (`check --json`)")
    parser.add_argument("--until", metavar="DATE", help="its end: 2026-12-31, a time with its zone, or 30d")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why, for whoever reads it later")
    parser.add_argument("--advisory", metavar="ID", help="the advisory that a security fix answers (GHSA-…, CVE-…)")
    _signing.add_person(parser)
    parser.add_argument("--trust", metavar="FILE", required=True, help="the trust file, which names the approvers")
    parser.add_argument("--repository", metavar="URL", help="the project (default: the trust file's repository)")
    parser.add_argument("--policy", metavar="DIR", help="own rules, one of which is waived: as `check` takes them")
    parser.add_argument("--path", default=".", help="the project's folder, or its lockfile (default: here)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Sign and write it."""
    from sbomgate import approvals, lockfiles
    from sbomgate import trust as trust_file
    from sbomgate.cli import _approvals, _policy
    from sbomgate.cli._project import open_project
    from sbomgate.errors import UsageError
    from sbomgate.model import Waiver
    from sbomgate.policy import bundle

    if args.rule in approvals.NEVER_WAIVED:
        raise UsageError("nothing waives this rule", where=args.rule, hint="remove the package")
    rules = bundle.load(None if args.policy is None else _policy.located(args.policy, env)).rules
    if args.rule not in rules:
        raise UsageError(
            "no such rule", where=args.rule, hint=f"one of {', '.join(rules)}; a rule of your own needs --policy"
        )
    if (args.package is None) == (args.finding is None):
        raise UsageError("waive one package, or one finding by its fingerprint", hint="PACKAGE@VERSION or --finding")
    opened = open_project(args.path, env)
    trust = trust_file.load(args.trust, project_root=opened.files.repository)
    end = _approvals.until(args.until, env.now, trust)
    graph = lockfiles.read(opened.files, opened.lockfile)
    project = _approvals.project_name(trust, args.repository, graph.packages[0].name)
    chosen = [None] if args.package is None else _held(graph, args.package)
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, trust, stack)
        for package in chosen:
            waiver = Waiver(
                rule=args.rule,
                package=package,
                fingerprint=args.finding,
                project=project,
                issued_at=env.now,
                until=end,
                reason=_approvals.reason(args.reason),
                advisory=args.advisory,
            )
            about = "-".join((args.rule, *(package[:2] if package is not None else (args.finding[:12],))))
            print(_approvals.sign(waiver, signer, trust, opened.root, about, env))
    return EXIT_ALLOWED


def _held(graph: DependencyGraph, wanted: str) -> list[tuple[str, str, str]]:
    """Return (name, version, integrity) of the package, once for each integrity under which the lockfile has it.

    Raises:
        UsageError: not in the lockfile, or without an integrity: then nothing says which bytes are meant.
    """
    from sbomgate.errors import UsageError

    name, at, version = wanted.rpartition("@")
    if not at or not name:
        raise UsageError("not PACKAGE@VERSION", where=wanted, hint="one exact version, as the lockfile has it")
    copies = [p for p in graph.packages if p.name == name and p.version == version]
    if not copies:
        others = sorted({p.version or "" for p in graph.packages if p.name == name})
        hint = f"it has {name} {', '.join(others)}" if others else f"it has no package {name}"
        raise UsageError("not in the lockfile", where=wanted, hint=hint)
    if any(p.integrity is None for p in copies):
        raise UsageError(
            "the lockfile has no integrity of it, so a waiver of this version could be one of other bytes",
            where=wanted,
            hint="waive the finding itself: --finding and its fingerprint (`check --json`)",
        )
    return sorted({(p.name, p.version or "", p.integrity or "") for p in copies})
