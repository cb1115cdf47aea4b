"""The last approved build that a decision is compared with: where the command line says, else in the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.cli import _store
from sbomgate.errors import EvidenceError, UsageError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.baseline import Candidates
    from sbomgate.model import BaselineBuild, Bootstrap, Context, DependencyGraph, Trust

    # The baseline, and the ledger of the newest decision; None where there is none.
    Found = tuple[BaselineBuild | Bootstrap, bytes | None]
    Lookup = Callable[[Context, DependencyGraph], Found]


def open_baselines(args: argparse.Namespace, env: Environment, trust: Trust, store: Path | None) -> Lookup:
    """Read what was decided before, once, and return what finds the baseline of a project or workspace in it."""
    from sbomgate.model import Bootstrap

    path = store if args.baseline is None else env.working_directory / args.baseline
    if args.baseline is not None and args.baseline.startswith(_store.REGISTRY):
        path = _store.pulled(args.baseline, env, beside=getattr(args, "store", None) or ())
    if path is None or (args.baseline is None and not path.exists()):
        return _nothing(Bootstrap(reason="no evidence was given, and there is no store yet"))
    if not path.exists():
        raise UsageError("no such folder", where=args.baseline, hint="give a store, or one build's evidence")
    if not trust.signers:
        if args.baseline is not None:
            raise UsageError(
                "a baseline is believed only when an accepted signer signed it",
                where="--baseline",
                hint="add --trust FILE",
            )
        return _nothing(Bootstrap(reason="without a trust file no signer is accepted"))
    from sbomgate.evidence import baseline as baselines

    found = baselines.read(path)
    return lambda context, graph: _baseline(found, args, env, trust, context, graph)


def _nothing(why: Bootstrap) -> Lookup:
    return lambda *_: (why, None)


def _baseline(
    candidates: Candidates,
    args: argparse.Namespace,
    env: Environment,
    trust: Trust,
    context: Context,
    graph: DependencyGraph,
) -> Found:
    from sbomgate import decision, gate, sbom
    from sbomgate.evidence import baseline as baselines
    from sbomgate.model import BaselineBuild, Bootstrap

    found = baselines.baseline(candidates, context, graph.packages[0].name, signers=trust.signers, now=env.now)
    for said in found.future:
        env.tell(f"{said}: it is no baseline")
    # A decision that denied is no baseline, and what was seen when it was made was seen all the same.
    ledger = None if found.latest is None else found.latest.record.blobs.get(gate.LEDGER)
    if found.evidence is None:
        if args.baseline is not None and found.disregarded:
            raise EvidenceError(
                f"{found.disregarded} decisions, and none is by an accepted signer about this project",
                where=args.baseline,
                hint="was the project renamed? On a first run leave --baseline out",
            )
        return Bootstrap(reason=found.reason), ledger
    record = found.evidence.record
    return BaselineBuild(
        sbom=sbom.read(record.blobs[decision.SBOM]),
        evidence=record.id,
        decided_at=found.evidence.time,
        files={
            name.removeprefix(decision.PROJECT): sha256
            for name, sha256 in record.claimed.sha256.items()
            if name.startswith(decision.PROJECT)
        },
    ), ledger
