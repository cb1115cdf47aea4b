"""Break the glass: sign that a FAILED decision may be deployed all the same, for hours.

Two persons sign, each for himself, and each with the role `override` in the trust file. `verify` then says OVERRIDDEN,
never PASSED, until the first of the two ends: and only where its own trust file has [break_glass]. The decision stays
FAILED. Nothing overrides a known malicious package, an invalid signature or attestation, or other bytes than the
registry's.

examples:
  sbomgate override evidence/3f/3fa9…/decisions/81c0… --reason "shop is down" --key ann.key --trust ../trust.toml
  sbomgate override 81c0… --store /srv/evidence --until 4h --reason "INC-42" --signer keyless:bob.token --trust t.toml
  sbomgate override --list --store /srv/evidence --trust t.toml          every override there ever was: who, when, why

exit codes: 0 signed and stored (one person is not enough), or listed; 2 not
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sbomgate.cli import _decide, _signing
from sbomgate.errors import EXIT_ALLOWED, SigningError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Record
    from sbomgate.model import Trust

HELP = "sign that a FAILED decision may be deployed for some hours (two persons)"

_HOURS = re.compile(r"([0-9]{1,2})h")
_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("decision", nargs="?", help="the FAILED decision: its folder in a store, or its SHA-256")
    parser.add_argument("--list", action="store_true", help="sign nothing: the register of all overrides in the store")
    parser.add_argument("--reason", metavar="TEXT", help="why, for whoever reads it later")
    parser.add_argument("--until", metavar="TIME", default="4h", help="its end: 8h, or a time with its zone (4h)")
    _signing.add_person(parser, required=False)
    parser.add_argument("--trust", metavar="FILE", required=True, help="the trust file, which names who may")
    parser.add_argument("--store", metavar="DIR", help=f"where evidence is kept (default: {_decide.DEFAULT_STORE})")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Sign and store it, and say what is still missing."""
    from sbomgate import override
    from sbomgate import trust as trust_file
    from sbomgate.evidence import log, overrides
    from sbomgate.evidence.verify import Reason, signed_by
    from sbomgate.model import Verdict
    from sbomgate.report.escape import plain

    trust = trust_file.load(args.trust, project_root=None)
    if args.list:
        print("\n".join(_register(env.working_directory / (args.store or _decide.DEFAULT_STORE), trust, env)))
        return EXIT_ALLOWED
    if args.decision is None:
        raise UsageError("names no decision", hint="give the FAILED one, or --list")
    if not (args.reason or "").strip():
        raise UsageError(
            "an override gives its reason", where="--reason", hint="write what whoever reads the register should know"
        )
    if trust.break_glass_hours is None:
        raise UsageError(
            "this trust file honours no override", where=args.trust, hint="whoever keeps it adds [break_glass]"
        )
    store, record = _find(args, env)
    if isinstance(by := signed_by(record, trust.signers), Reason):
        raise UsageError(
            f"nobody would accept this decision anyway: {by.message}",
            where=record.id,
            hint="an override is of a FAILED decision by a signer of the trust file: gate the artefact with one",
        )
    if record.claimed.verdict is not Verdict.DENIED:
        raise UsageError("this decision PASSED: there is nothing to override", where=record.id)
    if hindrances := overrides.never(record):
        raise UsageError(
            f"nothing overrides {', '.join(hindrances)}", where=record.id, hint="remove the package, and gate again"
        )
    subject = record.claimed.subject
    said = override.Override(
        decision=record.id,
        name=subject.name,
        subject=subject.digest,
        issued_at=env.now,
        until=_until(args.until, env.now, trust),
        reason=args.reason,
    )
    revoked = overrides.refusing(record, log.revocations(store), trust)
    # What would not count is not stored: read as `verify` will read it.

    def accepted(bundles: Mapping[str, bytes]) -> override.Overrides:
        return override.accepted(bundles, trust, decision=record.id, subject=subject, now=env.now, revoked=revoked)

    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, trust, stack)
        bundle = signer.sign(override.write(said))
        if refused := accepted({"this": bundle}).refused:
            raise SigningError(
                f"it would not count: {refused[0][1]}",
                hint='who may override is a [[signers]] entry of the trust file with roles = ["override"]',
            )
        notary = log.Notary(signer=signer, signers=trust.signers, now=env.now)
        path, is_covered = log.add_override(store, record.id, bundle, notary)
    found = accepted(overrides.read(store, record.id))
    print(path.relative_to(env.working_directory) if path.is_relative_to(env.working_directory) else path)
    by_whom = ", ".join(plain(one.by) for one in found.signed)
    if found.until is not None:
        print(f"OVERRIDDEN until {found.until:%Y-%m-%d %H:%M} UTC by {by_whom}: the decision itself stays FAILED")
    else:
        print(f"by {by_whom}: one more person must sign before it counts")
    if not is_covered:
        print("The store's next head covers it: of the next `gate` or `revoke`, or of `sbomgate audit --key` now")
    return EXIT_ALLOWED


def _register(store: Path, trust: Trust, env: Environment) -> Iterator[str]:
    """Yield who overrode what, when and why; ended ones too, and those that nobody accepted signed."""
    from sbomgate import override
    from sbomgate.evidence import log, overrides
    from sbomgate.evidence.revocation import withdraws
    from sbomgate.report.escape import plain

    decisions = overrides.decisions(store)
    revoked = withdraws(log.revocations(store), trust.signers, None)
    if not decisions:
        yield "no overrides"
    for decision in decisions:
        found = override.history(overrides.read(store, decision), trust, revoked=revoked)
        yield f"decision sha256:{decision}"
        for one in found.signed:
            state = "ended" if one.said.until <= env.now else "in force"
            when = f"{one.said.issued_at:%Y-%m-%d %H:%M} to {one.said.until:%Y-%m-%d %H:%M} UTC ({one.time_source})"
            yield f"  {state:<9} {when}  by {plain(one.by)}"
            yield f"            {plain(one.said.name)}: {plain(one.said.reason)}"
        for file, reason in found.refused:
            yield f"  refused   {plain(file)}: {plain(reason)}"


def _find(args: argparse.Namespace, env: Environment) -> tuple[Path, Record]:
    """Return the store and the decision that is meant."""
    from sbomgate.evidence import layout

    if (named := _HEX.fullmatch(args.decision)) is not None:
        store = env.working_directory / (args.store or _decide.DEFAULT_STORE)
        for build in layout.scan(store).builds:
            if (build / "decisions" / named[1]).is_dir():
                return store, layout.read(build / "decisions" / named[1])
        raise UsageError("no such decision in this store", where=str(args.decision), hint="name the store with --store")
    path = env.working_directory / args.decision
    if path.parent.name != "decisions":
        raise UsageError(
            "not a decision's folder",
            where=args.decision,
            hint="give STORE/<aa>/<digest>/decisions/<id>, or all 64 digits of the id",
        )
    store = path.parents[3] if args.store is None else env.working_directory / args.store
    return store, layout.read(path)


def _until(text: str, now: datetime, trust: Trust) -> datetime:
    """Return the end that `--until` names.

    Raises:
        UsageError: no such time, in the past, or later than the trust file allows.
    """
    from sbomgate.override import MAX_HOURS
    from sbomgate.times import parse_time

    hint = "write 8h, or 2026-12-31T12:00:00Z"
    try:
        hours = _HOURS.fullmatch(text)
        end = now + timedelta(hours=int(hours[1])) if hours else parse_time(text)
    except (ValueError, OverflowError) as e:
        raise UsageError(f"{text!a} {e}", where="--until", hint=hint) from e
    if end <= now:
        raise UsageError(f"{end:%Y-%m-%d %H:%M} UTC is past", where="--until", hint=hint)
    limit = min(MAX_HOURS, trust.break_glass_hours or 0)
    if end - now > timedelta(hours=limit):
        raise UsageError(
            f"{end:%Y-%m-%d %H:%M} UTC is later than the {limit:g} hours that the trust file allows",
            where="--until",
            hint="take an earlier end, and mend what failed until then",
        )
    return end
