r"""Withdraw a decision, or all by one signer from a time on: a signed statement in the store.

It acts as a FAILED does: `verify`, the baseline and `audit` honour it, and it beats every older PASSED on the same
artefact, which has to be gated again. A signer of decisions may revoke what is for his environments, one with the role
`revoker` everything. What only a key vouches for (no timestamp, no log) stands beside `--from` only if the store's log
has it before the revocation: who stole the key can date back. With a signer's decisions go his overrides and his word
for the store's head; what he signed as approver, of facts or policies counts until the trust file stops naming him.

examples:
  sbomgate revoke 81c0… --reason "built on a compromised runner" --key release.key --trust ../trust.toml
  sbomgate revoke --by "release key" --from 2026-11-20T08:00:00Z --reason "key stolen" --key ann.key \
      --trust ../trust.toml
  sbomgate revoke 81c0… --reason "malware" --key ann.key --trust ../trust.toml --inventory DIR    where it runs

exit codes: 0 revoked, and what it hits is listed; 2 it could not be
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.cli import _signing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.audit import Decided, Looked
    from sbomgate.evidence.head import View
    from sbomgate.evidence.revocation import Revocation, RevokedSigner, SignedRevocation
    from sbomgate.inventory.deployments import Deployment
    from sbomgate.model import Signer, Trust

    Running = Mapping[str, Sequence[Deployment]]

HELP = "withdraw a decision, or all by one signer"
SCHEMA = "sbomgate/revoked/v1"
BUILDS = 64  # of one task
_ACTED_ON = {"decision", "override", "revoker"}  # a revoker signs heads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("decision", nargs="?", metavar="DECISION", help="its SHA-256, or its folder in the store")
    parser.add_argument("--by", metavar="NAME", help="all decisions by this signer of the trust file instead")
    parser.add_argument("--from", dest="since", metavar="TIME", help="with --by: from when on (default: all)")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why, for whoever is refused by it")
    _signing.add_signer(parser, "what signs the revocation, as for `gate`", required=True)
    parser.add_argument("--trust", metavar="FILE", required=True, help="who is accepted")
    parser.add_argument(
        "--store",
        action="append",
        metavar="STORE",
        help="where evidence is kept: DIR (default: evidence); oci:HOST/REPO tells those who verify there as well",
    )
    parser.add_argument(
        "--inventory", metavar="DIR", help="say where it runs, by what `sbomgate inventory deployed` was told"
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Sign, store, and list what it hits."""
    from sbomgate import trust as trusts
    from sbomgate.cli import _approvals, _processes, _store
    from sbomgate.errors import EXIT_ALLOWED
    from sbomgate.evidence import layout, log
    from sbomgate.evidence.revocation import Revocation, write

    trust = trusts.load(args.trust, project_root=None)
    kept = _store.parse(args.store, env)
    store = kept.folder
    builds = layout.scan(store).builds
    decision = None if args.by is not None else _decision(args)
    made = Revocation(
        decision=decision,
        build=next((one.name for one in builds if decision and (one / "decisions" / decision).is_dir()), None),
        signer=None if args.by is None else _signer(args, trust, env.now),
        issued_at=env.now,
        reason=_approvals.reason(args.reason),
    )
    running = None if args.inventory is None else _running(args, env)
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, trust, stack)
        bundle = signer.sign(write(made))
        signed = _accepted(bundle, made, trust)
        view = log.view(store)
        tasks = [tuple(map(str, builds[at : at + BUILDS])) for at in range(0, len(builds), BUILDS)]
        lister = partial(Lister, signers=trust.signers, revoking=(signed,), view=view)
        with _processes.workers(lister) as workers:
            parts = workers.map(tasks, _processes.progress("builds", len(builds)), weight=BUILDS)
        hit = [one for part in parts for found in part for one in found.decisions if one.revoked]
        _must_hit(made, signed, hit, parts)
        log.add_revocation(store, bundle, log.Notary(signer=signer, signers=trust.signers, now=env.now))
        _store.attach_revocation(kept, bundle, env)
    if args.by is not None:
        _say_what_stands(args.by, trust)
    hit.sort(key=lambda one: (one.time, one.id), reverse=True)
    print(_json(signed, hit, running) if args.json else _text(signed, hit, kept.shown, running))
    return EXIT_ALLOWED


def _say_what_stands(name: str, trust: Trust) -> None:
    """Tell which words of a revoked signer count all the same: who was told "revoked" believes that none does."""
    from sbomgate.cli._environment import say

    for signer in trust.signers:
        if signer.name == name and (left := sorted({*signer.roles} - _ACTED_ON)):
            say(f"warning: what {name!r} signs as {' and '.join(left)} counts as long as the trust file says so")
            say("  hint: take this signer out of the trust file")


def _running(args: argparse.Namespace, env: Environment) -> Running:
    """Return where artefacts run, read before anything is signed."""
    from sbomgate.cli import _inventory

    with _inventory.opened(args, env) as (inventory, engine):
        return inventory.ask(engine, lambda engine: _inventory.placed(inventory, engine, env.now))


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists the decisions in some builds, with what revokes them; what they name is not read."""

    signers: tuple[Signer, ...]
    revoking: tuple[SignedRevocation, ...]
    view: View

    def __call__(self, builds: Sequence[str]) -> list[Looked]:
        """Read the statements of each."""
        from sbomgate.evidence import audit, layout

        return [
            audit.signed(build, layout.read_statements(build), self.signers, self.revoking, self.view)
            for build in map(Path, builds)
        ]


def _decision(args: argparse.Namespace) -> str:
    import re

    from sbomgate.errors import UsageError

    if args.decision is None:
        raise UsageError("names nothing to revoke", hint="give a DECISION, or --by NAME")
    if args.since is not None:
        raise UsageError("one decision is revoked whatever its time", where="--from", hint="leave it out, or use --by")
    sha256: str = Path(args.decision.rstrip("/")).name.removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UsageError(
            "not a decision's SHA-256 (64 hex digits), nor its folder",
            where=args.decision,
            hint="`sbomgate verify` shows it, and STORE/…/decisions/ has a folder of that name",
        )
    return sha256


def _signer(args: argparse.Namespace, trust: Trust, now: datetime) -> RevokedSigner:
    from sbomgate.errors import UsageError
    from sbomgate.evidence.revocation import RevokedSigner
    from sbomgate.times import format_time, parse_time

    if args.decision is not None:
        raise UsageError("names a decision and a signer", hint="give a DECISION, or --by NAME")
    found = next((one for one in trust.signers if one.name == args.by), None)
    if found is None:
        names = ", ".join(repr(one.name) for one in trust.signers)
        raise UsageError(
            f"no signer {args.by!r} in the trust file: what he signed does not count anyway",
            where="--by",
            hint=f"one of {names}",
        )
    try:
        since = None if args.since is None else parse_time(args.since)
    except ValueError as e:
        raise UsageError(f"{e}", where=f"--from {args.since}", hint="write 2026-11-20T08:00:00Z") from e
    if since is not None and since > now:
        raise UsageError(
            f"is ahead: it is {format_time(now)} here, and what is signed until then would stand",
            where=f"--from {args.since}",
            hint="give when it was stolen, or leave it out: then nothing by this signer stands",
        )
    identity = found.identity
    if not _ACTED_ON & set(found.roles):
        raise UsageError(
            f"{args.by!r} is accepted for {', '.join(found.roles)}, and a revocation withdraws no such thing",
            where="--by",
            hint="take this signer out of the trust file: from then on nothing that he signed counts",
        )
    return RevokedSigner(
        key_id=found.key_id,
        issuer=None if identity is None else identity.issuer,
        identity=None if identity is None else identity.identity,
        since=since,
    )


def _accepted(bundle: bytes, made: Revocation, trust: Trust) -> SignedRevocation:
    """Return the revocation as a consumer with this trust file reads it."""
    from sbomgate.errors import SigningError
    from sbomgate.evidence.revocation import SignedRevocation, accepted

    found = accepted(bundle, trust.signers, "the revocation")
    if not isinstance(found, SignedRevocation) or found.said != made:
        why = "it reads otherwise" if isinstance(found, SignedRevocation) else found.reason
        raise SigningError(
            f"the trust file does not accept this revocation: {why}",
            hint='give the signer the role "revoker", or sign with one that may decide',
        )
    return found


def _must_hit(
    made: Revocation, signed: SignedRevocation, hit: Sequence[Decided], parts: Sequence[Sequence[Looked]]
) -> None:
    """Refuse to store what would change nothing: a decision that is not there, or not this signer's to revoke."""
    from sbomgate.errors import UsageError

    if made.decision is None or hit:
        return
    known = next((one for part in parts for found in part for one in found.decisions if one.id == made.decision), None)
    if known is None:
        raise UsageError("the store holds no such decision", where=made.decision, hint="give the store with --store")
    if known.signer is None:
        raise UsageError("nobody who is accepted signed this decision: it does not count", where=made.decision)
    where = "no environment" if known.environment is None else repr(known.environment)
    raise UsageError(
        f"it is for {where}, and {signed.by.name!r} is accepted for {', '.join(map(repr, signed.by.environments))}",
        where=made.decision,
        hint='sign with a signer for that environment, or one with the role "revoker"',
    )


def _text(signed: SignedRevocation, hit: Sequence[Decided], store: str, running: Running | None) -> str:
    from sbomgate.report.escape import plain

    builds = len({one.build for one in hit})
    decisions = "1 decision" if len(hit) == 1 else f"{len(hit)} decisions"
    lines = [
        f"REVOKED  {decisions} on {builds} build{'' if builds == 1 else 's'} · by {plain(signed.by.name)} · "
        f"revocation sha256:{signed.id}"
    ]
    for one in hit:
        where = "" if one.environment is None else f" · {plain(one.environment)}"
        lines.append(
            f"  {one.verdict.value:<8} {one.time:%Y-%m-%d %H:%M} UTC  {plain(one.subject)}{where}  "
            f"{plain(store.rstrip('/'))}/{one.build[:2]}/{one.build}/decisions/{one.id}"
        )
        lines += [
            f"           runs in {plain(event.environment)} since {event.at:%Y-%m-%d %H:%M} UTC"
            for event in (running or {}).get(one.digest, ())
        ]
    if running is None:
        lines.append(
            "Where this runs is not known here: `sbomgate inventory deployed SUBJECT --environment NAME` records it, "
            "and --inventory DIR tells it"
        )
    elif not any(one.digest in running for one in hit):
        lines.append("None of this runs, as far as `sbomgate inventory deployed` was told")
    return "\n".join(lines)


def _json(signed: SignedRevocation, hit: Sequence[Decided], running: Running | None) -> str:
    from sbomgate.report.escape import document
    from sbomgate.times import format_time

    value = {
        "schema": SCHEMA,
        "revocation": signed.id,
        "signer": signed.by.name,
        "time": format_time(signed.said.issued_at),
        "reason": signed.said.reason,
        "decisions": [
            {
                "sha256": one.id,
                "build": one.build,
                "subject": one.subject,
                "verdict": one.verdict.value,
                "environment": one.environment,
                "signer": one.signer,
                "time": format_time(one.time),
                "running": None
                if running is None
                else [
                    {"environment": event.environment, "since": format_time(event.at)}
                    for event in running.get(one.digest, ())
                ],
            }
            for one in hit
        ],
    }
    return document(value)
