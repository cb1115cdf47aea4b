"""Sign an approval of exactly the change that `sbomgate review` showed.

It covers the findings that were shown, for these packages with these bytes, until its end, and nothing else: a change
that came after the review has another digest and is refused here. It is written to .sbomgate/approvals/ of the project,
to be committed, and counts when the trust file names its signer as an approver who did not make the change himself.

examples:
  sbomgate approve --change sha256:… --reason "read the diff of axios" --until 30d --key ann.key --trust ../trust.toml
  sbomgate approve --change sha256:… --reason "…" --signer keyless:ann.token --trust ../trust.toml    without a key
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sbomgate.cli import _signing
from sbomgate.cli import review as review_verb
from sbomgate.errors import EXIT_ALLOWED, UsageError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "sign an approval of the change that `review` showed"
DEFAULT_DAYS = "30d"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--change", metavar="sha256:DIGEST", required=True, help="what `sbomgate review` printed last")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why, for whoever reads it later")
    parser.add_argument("--until", metavar="DATE", default=DEFAULT_DAYS, help="its end (default: 30d)")
    _signing.add_person(parser)
    review_verb.add_question(parser)


def run(args: argparse.Namespace, env: Environment) -> int:
    """Review again, compare with what was shown, sign and write."""
    from sbomgate.cli import _approvals
    from sbomgate.model import Approval

    if args.trust is None:
        raise UsageError("an approval counts for whom the trust file names", where="--trust", hint="add --trust FILE")
    tree, decided, made = review_verb.reviewed(args, env)
    if args.change.removeprefix("sha256:") != made.sha256:
        raise UsageError(
            f"the change is now sha256:{made.sha256}, not what was reviewed",
            where="--change",
            hint="look at it again: `sbomgate review` (the lockfile, a finding or the approved build is another one)",
        )
    if not made.covers:
        raise UsageError("nothing here needs an approval", where="--change")
    repository = decided.question.context.repository
    root = decided.answer.graph.packages[0]
    approval = Approval(
        project=_approvals.project_name(tree.trust, repository.value if repository else None, root.name),
        change=made.sha256,
        findings=made.covers,
        packages=tuple(sorted((e.name, e.version, e.integrity or "") for e in made.entries if e.changed)),
        issued_at=env.now,
        until=_approvals.until(args.until, env.now, tree.trust),
        reason=_approvals.reason(args.reason),
    )
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, tree.trust, stack)
        print(_approvals.sign(approval, signer, tree.trust, tree.project.root, f"change-{env.now:%Y-%m-%d}", env))
    return EXIT_ALLOWED
