"""Decide again from stored evidence, at the recorded time, with the stored policy: does the same come out?

Nothing is fetched. Every stored file is compared with its digest, every attestation is verified again.
Whether the signer is accepted is not asked here: that is `sbomgate verify`.

examples:
  sbomgate replay evidence/3f/3fa9…

exit codes: 0 the decision reproduces (whatever it was), 1 it does not, 2 it could not be replayed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _engine

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "decide again from stored evidence"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "evidence", help="one build's folder in a store (its newest decision), or one decision's folder"
    )
    _engine.add_arguments(parser)


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print what came out."""
    from sbomgate import gate
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED
    from sbomgate.evidence import layout
    from sbomgate.policy import bundle, parameters
    from sbomgate.provenance import shipped
    from sbomgate.report.escape import plain
    from sbomgate.resources import path as resource
    from sbomgate.trust import NOBODY

    record = layout.read(env.working_directory / args.evidence)
    roots = shipped.load()
    with _engine.open_engine(args, env, env.working_directory) as engine:
        result = gate.replay(
            record,
            engine=engine,
            shipped=gate.material_of(NOBODY, roots.trusted_root, roots.registry_keys, updated=roots.collected),
            shipped_policy=bundle.shipped().sha256,
            declared=parameters.declared(resource(*parameters.CATALOGUE).read_bytes()),
        )
    claimed, context = result.claimed, result.claimed.context
    same = not result.differences
    where = "" if context.workspace is None else f" · workspace {plain(context.workspace)}"
    print(
        f"{'REPRODUCED' if same else 'DIFFERENT'}  {claimed.verdict.value} · "
        f"{context.evaluated_at:%Y-%m-%d %H:%M:%S} UTC · profile {context.profile}{where} · decision sha256:{record.id}"
    )
    for name, fine in result.steps:
        print(f"  {'same' if fine else 'DIFFERENT':<10}{name}")
    for one in result.differences:
        print(f"  {one.name}: stored {one.stored}, now {one.now}")
    return EXIT_ALLOWED if same else EXIT_DENIED
