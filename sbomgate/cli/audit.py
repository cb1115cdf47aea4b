"""Look through a whole store: every byte of every build, every signature, every distinct attestation once, every head.

What was removed, altered, reordered, cut or put there by somebody else is named by its path. Without --trust nobody is
accepted: then bytes, digests and attestations are looked at, and no signature of ours.

examples:
  sbomgate audit evidence --trust ../trust.toml
  sbomgate audit /srv/evidence --trust ../trust.toml --json
  sbomgate audit evidence --trust ../trust.toml --head kept.sigstore.json    has it been taken back since?
  sbomgate audit evidence --trust ../trust.toml --key release.key            and sign a fresh head, if all is well

exit codes: 0 everything is as the signatures and the head say, 1 something is not, 2 something could not be read
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.cli import _signing, _store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.audit import Chain, Decided, Problem
    from sbomgate.evidence.head import Entry, Head
    from sbomgate.model import Trust

HELP = "verify everything in a store"
SCHEMA = "sbomgate/audit/v1"
BUILDS = 16  # of one task
MOST = 200  # problems that are printed; --json has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("store", metavar="STORE", help="the evidence store, a folder")
    parser.add_argument("--trust", metavar="FILE", help="who is accepted, and how old the head may be")
    parser.add_argument("--head", metavar="FILE", help="a head that was kept: the store must go on from it")
    _signing.add_signer(parser, "signs a fresh head when everything is well, over what no head covers yet too")
    parser.add_argument("--json", action="store_true", help="the result as JSON")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print what was found."""
    from sbomgate import audit, files
    from sbomgate import trust as trusts
    from sbomgate.cli import _colour, _processes
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, EXIT_NO_DECISION, EvidenceError, UsageError
    from sbomgate.evidence import audit as looking
    from sbomgate.evidence import layout, log

    if args.signer is not None and args.trust is None:
        raise UsageError("who signs a head must be accepted", where="--signer", hint="add --trust FILE")
    _store.must_be_on_disk(args.store, "audit")
    store = env.working_directory / args.store
    trust = None if args.trust is None else trusts.load(args.trust, project_root=None)
    kept = None
    if args.head is not None:
        kept = files.read(env.working_directory / args.head, limit=log.MAX_HEAD_BYTES, error=EvidenceError)
    scan = layout.scan(store)
    # The head first: what it covers was stored before it.
    chain = looking.heads(store, trust, now=env.now, earlier=kept)
    if not (scan.builds or chain.count or chain.problems or chain.view.revocations or chain.overrides):
        raise EvidenceError("holds no evidence", where=args.store, hint="give the store that `gate` wrote to")
    signers = None if trust is None else trust.signers
    tasks = [
        audit.Task(builds=tuple(str(one) for one in scan.builds[at : at + BUILDS]))
        for at in range(0, len(scan.builds), BUILDS)
    ]
    make = partial(audit.Auditor, signers=signers, revoking=chain.revoking, view=chain.view)
    with _processes.workers(make) as workers:
        parts = workers.map(tasks, _processes.progress("builds", len(scan.builds)), weight=BUILDS)
        attested = audit.distinct(parts)
        verified = workers.map(attested, _processes.progress("parts of package evidence"))
    looked = [one for part in parts for one in part.looked]
    decisions = [one for found in looked for one in found.decisions]
    problems = [
        *chain.problems,
        *(one for found in looked for one in found.problems),
        *audit.differing(parts, verified),
        *looking.compare(store, chain, decisions),
    ]
    notes = [*chain.notes, *(note for found in looked for note in found.notes)]
    notes += [f"{path} is no evidence" for path in scan.strange]
    if trust is None:
        notes.append("no trust file was given: whose signatures these are was not looked at")
    renewed = None
    if args.signer is not None:
        problems, renewed = _renew(args, env, trust, store, problems, decisions, chain.overrides)
    result = _Result(
        store=args.store,
        root=store,
        builds=len(scan.builds),
        decisions=decisions,
        chain=chain,
        attestations=sum(len(part.verified) for part in verified),
        problems=sorted(set(problems), key=lambda one: (one.path, one.kind, one.message)),
        notes=sorted(set(notes)),
        renewed=renewed,
    )
    _colour.emit((result.json() if args.json else result.text()) + "\n", None, env, plain=args.json)
    if any(one.kind == looking.UNREADABLE for one in problems):
        return EXIT_NO_DECISION
    return EXIT_DENIED if problems else EXIT_ALLOWED


def _renew(
    args: argparse.Namespace,
    env: Environment,
    trust: Trust | None,
    store: Path,
    problems: Sequence[Problem],
    decisions: Sequence[Decided],
    overrides: Sequence[Entry],
) -> tuple[list[Problem], Head | None]:
    """Sign a fresh head where nothing speaks against it but what it puts right; return what is left, and the head."""
    from sbomgate.cli._environment import say
    from sbomgate.evidence import audit as looking
    from sbomgate.evidence import log
    from sbomgate.evidence.head import Entry

    assert trust is not None  # noqa: S101 - `run` refuses
    left = [one for one in problems if one.kind not in looking.MENDED]
    if left:
        say("no head was signed: see to the problems first")
        return list(problems), None
    named = {one.path for one in problems if one.kind == looking.UNCOVERED}
    entries = [one.entry for one in sorted(decisions, key=lambda one: (one.time, one.id))]
    entries += [Entry(sha256=sha256) for sha256 in sorted(log.revocations(store))]
    entries += overrides
    with ExitStack() as stack:
        signer = _signing.open_signer(args, env, trust, stack)
        notary = log.Notary(signer=signer, signers=trust.signers, now=env.now)
        head = log.renew(store, notary, [one for one in entries if str(log.path_of(store, one)) in named])
    return left, head


class _Result:
    """What came out, for people and for programs."""

    def __init__(
        self,
        *,
        store: str,
        root: Path,
        builds: int,
        decisions: Sequence[Decided],
        chain: Chain,
        attestations: int,
        problems: Sequence[Problem],
        notes: Sequence[str],
        renewed: Head | None,
    ) -> None:
        self._store = store
        self._root = root
        self._builds = builds
        self._decisions = decisions
        self._chain = chain
        self._attestations = attestations
        self._problems = problems
        self._notes = notes
        self._renewed = renewed

    def _shown(self, text: str) -> str:
        """Name what lies in the store by the name that the store was given by."""
        return text.replace(str(self._root), self._store.rstrip("/") or "/")

    def text(self) -> str:
        from sbomgate.report.escape import plain

        counts = self._counts()
        told = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
        word = "SOUND" if not self._problems else f"PROBLEMS {len(self._problems)}"
        lines = [
            f"{word}  {plain(self._store)} · {self._builds} builds, {len(self._decisions)} decisions"
            f"{f' ({told})' if told else ''} · evidence of {self._attestations} packages verified"
        ]
        newest = self._chain.newest
        if newest is not None:
            head = newest.head
            lines.append(
                f"  head {head.sequence} of {head.time:%Y-%m-%d %H:%M} UTC by {plain(newest.signer.name)} covers "
                f"{head.entries} entries"
            )
        if self._renewed is not None:
            lines.append(f"  signed head {self._renewed.sequence}, which covers {self._renewed.entries} entries")
        lines += [
            f"  {one.kind:<11}{plain(self._shown(one.path))}: {plain(self._shown(one.message))}"
            for one in self._problems[:MOST]
        ]
        if len(self._problems) > MOST:
            lines.append(f"  and {len(self._problems) - MOST} more: --json has all")
        if self._next():
            lines.append(f"  Next: {self._next()}")
        lines += [f"  note: {plain(self._shown(note))}" for note in self._notes[:MOST]]
        if len(self._notes) > MOST:
            lines.append(f"  and {len(self._notes) - MOST} more notes: --json has all")
        return "\n".join(lines)

    def _next(self) -> str:
        kinds = {one.kind for one in self._problems}
        if not kinds:
            return ""
        if kinds <= {"uncovered", "age"} and not self._chain.count:
            return (
                "was it copied here (`evidence pull`)? No head comes along: verify each artefact, or sign a head over "
                "what is here (--key KEY). Else find out who took the log away"
            )
        if kinds <= {"uncovered", "age"}:
            return "was it there when it was last looked at? Then --key KEY signs a head that covers it"
        if "unreadable" in kinds:
            return "give this user the right to read the store, and audit it again"
        return "keep the store as it is, and find out who could write to it"

    def _counts(self) -> Mapping[str, int]:
        from sbomgate.evidence import audit as looking

        return looking.count(self._decisions)

    def json(self) -> str:
        from sbomgate.report.escape import document
        from sbomgate.times import format_time

        newest = self._chain.newest
        value = {
            "schema": SCHEMA,
            "store": self._store,
            "sound": not self._problems,
            "builds": self._builds,
            "decisions": {"all": len(self._decisions), **self._counts()},
            "package_evidence": self._attestations,
            "heads": self._chain.count + (self._renewed is not None),
            "head": None
            if newest is None
            else {
                "sequence": newest.head.sequence,
                "entries": newest.head.entries,
                "signer": newest.signer.name,
                "time": format_time(newest.head.time),
            },
            "problems": [
                {"kind": one.kind, "path": self._shown(one.path), "message": self._shown(one.message)}
                for one in self._problems
            ],
            "notes": [self._shown(note) for note in self._notes],
        }
        return document(value)
