"""Put what changed since the last approved build before a person, most dangerous first. Nothing is signed.

It asks what `check` asks, and compares with the same baseline. `sbomgate approve` then signs exactly what was shown.

examples:
  sbomgate review --trust ../trust.toml                          what would be approved, and the command that does it
  sbomgate review --trust ../trust.toml --format markdown -o comment.md     for a pull request

exit codes: 0 there is nothing that denies, 1 something does, 2 no decision could be made
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _decide
from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._decide import Decided, Tree
    from sbomgate.cli._environment import Environment
    from sbomgate.model.review import Review

HELP = "show what changed since the last approved build"
FORMATS = ("text", "markdown", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_question(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="how it is written (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")


def add_question(parser: argparse.ArgumentParser) -> None:
    """Declare what `review` and `approve` share: the project, and what it is judged by."""
    parser.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    parser.add_argument("--workspace", metavar="NAME", help="one workspace of the lockfile, not all of it")
    _decide.add_arguments(parser)
    parser.add_argument("--profile", choices=_decide.PROFILES, help="how strict (only stricter than the trust file)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print the change."""
    from importlib import import_module

    from sbomgate.cli._environment import emit
    from sbomgate.model import Verdict

    _, decided, made = reviewed(args, env)
    rendering = import_module(f"sbomgate.report.review_{args.format}")
    emit(rendering.render(made).encode("utf-8"), args.output, env)
    return EXIT_ALLOWED if decided.answer.evaluation.verdict is Verdict.ALLOWED else EXIT_DENIED


def reviewed(args: argparse.Namespace, env: Environment) -> tuple[Tree, Decided, Review]:
    """Decide as `check` does, and return the project, the decision and the change."""
    from sbomgate import review
    from sbomgate.model import BaselineBuild

    tree = _decide.read(args, env, args.path, None if args.workspace is None else [args.workspace])
    store = env.working_directory / _decide.DEFAULT_STORE  # where `gate` in this folder stores
    with _decide.judging(tree, args, env, profile=args.profile, store=store) as judge:
        decided = judge.decide(tree.parts[0])
        authors = judge.authors(decided.question.baseline)
    baseline = decided.question.baseline
    made = review.review(
        decided.answer.sbom,
        decided.answer.evaluation,
        baseline.sbom if isinstance(baseline, BaselineBuild) else baseline,
        compared=baseline.evidence if isinstance(baseline, BaselineBuild) else None,
        profile=decided.question.context.profile,
        now=decided.question.context.evaluated_at,
        authors=authors,
    )
    return tree, decided, made
