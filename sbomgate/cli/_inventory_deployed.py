"""`inventory deployed` and `coverage`: what runs where, and what of it met the gate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sbomgate.cli import _inventory
from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

    from sbomgate.cli._environment import Environment
    from sbomgate.inventory.answers import Artefact

MAX_LIST_BYTES = 64 << 20  # a million deployed artefacts
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def deployed(args: argparse.Namespace, env: Environment) -> int:
    """Keep one event."""
    from sbomgate.cli import _store
    from sbomgate.errors import UsageError
    from sbomgate.inventory import deployments, terms
    from sbomgate.times import format_time

    about = _store.subject(args.subject, env)
    at = env.now if args.at is None else terms.time(args.at, f"--at {args.at}")
    if not args.environment.strip():
        raise UsageError("is empty", where="--environment", hint="name where it runs: production")
    ((algorithm, digest),) = about.digest.items()
    inventory = _inventory.folder(args, env)
    inventory.create()
    event = deployments.Deployment(
        digest=f"{algorithm}:{digest}",
        name=f"{about.kind.value}:{about.name.removeprefix('git:')}",
        environment=args.environment,
        at=at,
        stopped=args.stopped,
    )
    deployments.append(inventory, [event])
    from sbomgate.cli._environment import discreet

    word = "stopped in" if event.stopped else "runs in"
    print(discreet(f"{event.name} {event.digest} {word} {event.environment} since {format_time(at)}"))
    return EXIT_ALLOWED


def coverage(args: argparse.Namespace, env: Environment) -> int:
    """Say of each deployed artefact what the inventory knows of it."""
    from sbomgate.inventory import answers
    from sbomgate.report.escape import plain

    asked = _asked(args.deployed, env)
    with _inventory.opened(args, env) as (inventory, engine):
        artefacts = inventory.ask(engine, answers.builds)
    known: dict[str, list[Artefact]] = {}
    for artefact in artefacts.values():
        if artefact.build["digest"] is not None:
            known.setdefault(artefact.build["digest"], []).append(artefact)
    found = {digest: _state(known.get(digest, ()), env.now) for digest in asked}
    counted = {state: sum(one == state for one in found.values()) for state in _STATES}
    if args.json:
        _inventory.dump(
            {
                "schema": "sbomgate/inventory-coverage/v1",
                "counts": counted,
                "deployed": [
                    {
                        "digest": digest,
                        "name": asked[digest],
                        "state": found[digest],
                        "evidence": sorted(a.build["evidence"] for a in known.get(digest, ())),
                    }
                    for digest in sorted(asked)
                ],
            }
        )
    else:
        said = ", ".join(f"{number:,} {_STATES[state]}" for state, number in counted.items() if number)
        print(f"{len(asked):,} deployed: {said}")
        for state, words in _STATES.items():
            for digest in sorted(digest for digest in found if found[digest] == state and state != "passed"):
                evidence = "".join(f"  evidence sha256:{a.build['evidence'][:12]}…" for a in known.get(digest, ()))
                print(f"  {words:<22}{plain(asked[digest])}{evidence}")
    return EXIT_ALLOWED if set(found.values()) <= {"passed"} else EXIT_DENIED


_STATES = {
    "never": "never met the gate",
    "failed": "FAILED",
    "revoked": "REVOKED",
    "overridden": "FAILED, OVERRIDDEN",
    "observed": "only observed",
    "unverified": "unverified evidence",
    "passed": "PASSED",
}


def _state(artefacts: Sequence[Artefact], now: datetime) -> str:
    """Return the worst that the newest decisions on an artefact, one for each workspace, say."""
    if not artefacts:
        return "never"
    states = set()
    for artefact in artefacts:
        build = artefact.build
        overridden = artefact.overridden
        if overridden is not None and overridden.until is not None and now < overridden.until:
            states.add("overridden")
        elif build["verdict"] == "denied":
            states.add("failed")
        elif build["verdict"] == "revoked":
            states.add("revoked")
        elif build["profile"] == "observe":
            states.add("observed")
        else:
            states.add("passed" if build["standing"] == "verified" else "unverified")
    return next(state for state in _STATES if state in states)


def _asked(path: str, env: Environment) -> dict[str, str]:
    """Return digest → what the file calls it, of a text with one digest or subject a line."""
    from sbomgate import files, subject
    from sbomgate.errors import InputError, SbomgateError

    data = files.read(env.working_directory / path, limit=MAX_LIST_BYTES, error=InputError)
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as e:
        raise InputError(f"not UTF-8 at byte {e.start}", where=path, hint="one digest or subject a line") from e
    found: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if match := _DIGEST.fullmatch(line):
            found[f"sha256:{match[1]}"] = line
            continue
        # HOST/REPO@sha256:…, as Kubernetes prints images, is the subject without its scheme.
        text = line.removeprefix("docker-pullable://")
        spec = f"oci:{text}" if "@sha256:" in text and not text.startswith("oci:") else text
        try:
            about = subject.parse(spec, _no_files)
        except SbomgateError as e:
            e.where, e.place = path, f"line {number}"
            raise
        ((algorithm, digest),) = about.digest.items()
        found[f"{algorithm}:{digest}"] = line
    if not found:
        raise InputError("names nothing", where=path, hint="one digest (sha256:…) or subject (oci:…, git:…) a line")
    return found


def _no_files(path: str) -> str:
    from sbomgate.errors import UsageError

    raise UsageError("a file's name is no digest", place=path[:100], hint="give its sha256:…")
