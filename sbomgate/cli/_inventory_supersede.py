"""Superseding: a signed FAILED on each build that a sweep hits, made as `gate` makes its decisions."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sbomgate.cli import _inventory, _policy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Record
    from sbomgate.inventory.answers import Artefact
    from sbomgate.inventory.sweep import Affected


def record_of(artefact: Artefact, args: argparse.Namespace, env: Environment) -> Record:
    """Return the evidence of an artefact's newest decision, every byte of it hashed again."""
    from sbomgate.cli import _store
    from sbomgate.errors import EvidenceError
    from sbomgate.evidence import layout
    from sbomgate.model import Subject, SubjectKind
    from sbomgate.subject import build_manifest

    build = artefact.build
    kind, _, name = build["subject"].partition(":")
    algorithm, _, digest = build["digest"].partition(":")
    subject = Subject(kind=SubjectKind(kind), name=name, digest={algorithm: digest})
    store = _store.parse(args.store, env)
    at = layout.folder(store.folder, build_manifest(subject).sha256) / "decisions" / build["evidence"]
    if not at.is_dir():
        raise EvidenceError(
            f"the evidence of {build['project']} is not in this store",
            where=str(at),
            hint="give the folder with --store; `sbomgate evidence pull` fetches what only a registry holds",
        )
    return layout.read(at)


def supersede(
    found: Sequence[Affected], lists: Mapping[str, bytes], args: argparse.Namespace, env: Environment
) -> None:
    """Decide again about each build that is hit and had passed, by the list too, and sign what comes out: FAILED."""
    from dataclasses import replace

    from sbomgate import __version__, decision, gate, replay
    from sbomgate import trust as trust_file
    from sbomgate.cli import _decide, _inventory_add, _signing, _store
    from sbomgate.cli._environment import say
    from sbomgate.errors import EvidenceError, PolicyError, SbomgateError, UsageError
    from sbomgate.evidence.verify import Reason, signed_by
    from sbomgate.model import Verdict
    from sbomgate.policy import bundle as bundles
    from sbomgate.policy.engines.embedded import EmbeddedEngine
    from sbomgate.provenance import shipped

    trust = trust_file.load(args.trust, project_root=None)
    store = _store.parse(args.store, env)
    inventory = _inventory.folder(args, env)
    material = shipped.load()
    policy = None if args.policy is None else bundles.load(_policy.located(args.policy, env))
    signed = failed = 0
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, trust, stack)
        attach = stack.enter_context(_store.attaching(store, env))
        engine = stack.enter_context(EmbeddedEngine(env.cache / "engine", say))
        for artefact in (one for affected in found for one, _ in affected.artefacts):
            build = artefact.build
            if build["evidence"] is None or build["profile"] == "observe":
                continue
            if build["verdict"] == "denied" and artefact.overridden is None:
                continue  # refused already; a revocation can lose its signer, and an override stands for one decision
            try:
                record = record_of(artefact, args, env)
                if env.now < record.claimed_time:  # (P19) the older decision would lose
                    raise UsageError(
                        f"was decided at {record.claimed_time.isoformat()}, which is after now",
                        hint="correct the clock of this machine",
                    )
                bom, before = replay.stored(record)
                question = replace(
                    before,
                    # No build ran where this is signed.
                    context=replace(before.context, evaluated_at=env.now, time_source=signer.time_source, ran=None),
                    trust=trust,
                    # A builder that is not accepted any more ties nothing; the build is refused all the same.
                    ties={
                        name: data
                        for name, data in before.ties.items()
                        if trust.builders or name != decision.TIES["provenance"]
                    },
                    material=gate.material_of(
                        trust, material.trusted_root, material.registry_keys, updated=material.collected
                    ),
                    lists={**before.lists, **_decide.trusted_lists(trust), **lists},
                    bundle=policy or before.bundle,
                    ledger=record.blobs.get(gate.LEDGER),
                    sbomgate=__version__,
                )
                question = gate.tie(bom.graph, question)
                answer = replay.decide_again(record, question, engine=engine)
                if answer.evaluation.verdict is not Verdict.DENIED:
                    raise PolicyError("the policy that it was decided by does not deny it", where=build["project"])
                made = gate.unsigned(answer, question, signer=signer)
                stored = _signing.sign_and_store(made, trust, signer, store.folder, env.now)
                attach(made.decision.subject, stored)
                signed_now = signed_by(stored, trust.signers)
                if isinstance(signed_now, Reason) or not signed_now.in_environment:
                    raise EvidenceError(
                        f"{signer.identity} may not sign for this environment: `verify` does not count it",
                        hint="sign as whoever the trust file names for it",
                    )
            except SbomgateError as e:  # one that cannot be superseded stops none of the others
                say(f"error: {build['project']}: {e}")
                failed += 1
                continue
            signed += 1
            say(f"superseded: {build['project']} · FAILED · decision sha256:{stored.id}")
            _inventory_add.after_gate(inventory, stored, trust)
    say(f"{signed:,} decisions signed")
    if failed:
        raise EvidenceError(f"{failed:,} builds could not be superseded: `verify` may still accept them")
