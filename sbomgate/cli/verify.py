"""Verify at deploy time: is there fresh, PASSED evidence by an accepted signer for exactly this artefact?

It reads the store and the trust file, and nothing else: no cache, and no network but a store in a registry.

examples:
  sbomgate verify file:dist/app.tgz --trust trust.toml
  sbomgate verify file:dist/web.tgz --trust trust.toml --workspace services/web
  sbomgate verify oci:registry.example/web@sha256:… --trust trust.toml --store /srv/evidence --environment production
  sbomgate verify oci:registry.example/web@sha256:… --trust trust.toml --store oci:registry.example/evidence

A FAILED decision that two persons overrode is OVERRIDDEN where the trust file has [break_glass]: accepted, not PASSED.

exit codes: 0 accepted, 1 refused, 2 could not be decided (altered evidence included)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Record
    from sbomgate.evidence.verify import VerificationResult

HELP = "verify the stored decision on an artefact before it is deployed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("subject", help="what is deployed: file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST")
    parser.add_argument("--trust", required=True, metavar="FILE", help="who and what is accepted")
    parser.add_argument(
        "--store",
        default="evidence",
        metavar="STORE",
        help="where evidence is kept: DIR (default: evidence), or oci:HOST/REPO",
    )
    parser.add_argument(
        "--index", metavar="sha256:DIGEST", help="the multi-platform index that was gated, and lists this image"
    )
    parser.add_argument("--environment", metavar="NAME", help="where it is deployed to")
    parser.add_argument("--workspace", metavar="DIR", help="the workspace that is deployed: its directory")
    parser.add_argument("--json", action="store_true", help="the result as JSON")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print the result."""
    from sbomgate import trust
    from sbomgate.cli import _store
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED
    from sbomgate.evidence import overrides, verify
    from sbomgate.policy import bundle

    accepted = trust.load(args.trust, project_root=None)
    about = _store.subject(args.subject, env)
    if args.index is not None:
        about = _store.index_of(about, args.index, env)
    result = verify.verify_build(
        _store.find(args.store, about, env),
        about,
        accepted,
        now=env.now,
        shipped_policy=bundle.shipped().sha256,
        environment=args.environment,
        workspace=args.workspace,
    )
    if not args.store.startswith(_store.REGISTRY):  # a registry keeps none
        result = overrides.honour(result, env.working_directory / args.store, accepted, now=env.now)
    if args.index is not None:
        result = replace(result, notes=(*result.notes, f"the decision is on the index {args.index}, which lists it"))
    print(_json(result, args.subject) if args.json else _text(result, args.subject))
    return EXIT_ALLOWED if result.accepted else EXIT_DENIED


def _text(result: VerificationResult, subject: str) -> str:
    from sbomgate.report.escape import plain

    if result.overridden is not None and result.overridden.until is not None:
        lines = [
            f"OVERRIDDEN  {plain(subject)} · FAILED, and may run until {result.overridden.until:%Y-%m-%d %H:%M} UTC"
        ]
        lines += [f"  {reason.code:<18}{plain(reason.message)}" for reason in result.reasons]
        for one in result.overridden.signed:
            when = f"{one.said.issued_at:%Y-%m-%d %H:%M} UTC ({one.time_source})"
            lines.append(f"  by {plain(one.by)}, {when}: {plain(one.said.reason)}")
        lines.append("  Next: mend what failed and gate the artefact again before it ends")
    elif result.accepted and result.deciding is not None:
        signed = result.deciding
        context = signed.decision.context
        lines = [
            f"VERIFIED  {plain(subject)} · PASSED by {plain(signed.signer.name)} · "
            f"{context.evaluated_at:%Y-%m-%d %H:%M} UTC ({signed.time_source}) · profile {context.profile}"
        ]
        if context.workspace is not None:
            lines.append(f"  workspace {plain(context.workspace)}")
        lines.append(f"  decision sha256:{signed.record.id}")
        lines.append(f"  artefact and lockfile: {_LINKS.get(signed.decision.link, signed.decision.link)}")
        lines.append(f"  package provenance: by {_trust_root(signed.record)}")
    else:
        lines = [f"REFUSED  {plain(subject)}"]
        lines += [f"  {reason.code:<18}{plain(reason.message)}" for reason in result.reasons]
        lines += [f"  Next: {_NEXT[reason.code]}" for reason in result.reasons[:1] if reason.code in _NEXT]
    lines += [f"  note: {plain(note)}" for note in result.notes]
    return "\n".join(lines)


def _trust_root(record: Record) -> str:
    """Return what package provenance was verified against, and since when that may be out of date."""
    import orjson

    from sbomgate import decision, gate

    # The rules' own input, whose digest is signed: the detail holds no dates of its materials.
    said = orjson.loads(record.blobs[decision.POLICY_INPUT]).get("trust_root", {}).get("updated")
    since = "nobody says how old" if said is None else f"known to be the newest on {said[:10]}"
    return f"the trust root sha256:{record.claimed.sha256.get(gate.TRUSTED_ROOT, 'unknown')[:12]}…, {since}"


_LINKS = {"asserted": "tied together by the release job's word alone (asserted)"}

# What to do about the first reason; the others follow from it more often than not.
_NEXT = {
    "no-decision": "gate this very artefact (`sbomgate gate`), or name the store that holds its evidence (--store)",
    "age": "gate the artefact again: what is known of its packages has changed since",
    "waiver-ended": "gate the artefact again: with a new waiver, or without the package",
    "failed": "`sbomgate check --verbose` in the project says what to do about each finding",
    "superseded": "find out why the newer decision failed; it is about the same bytes",
    "workspace": "gate this workspace (`sbomgate gate --workspace`), or name the one that the artefact was built from",
    "environment": "gate the artefact for this environment (--environment)",
    "policy": "gate the artefact again with the policy that is accepted now",
    "profile": "gate the artefact again under the profile that the trust file demands",
    "future": "compare the clock of this machine with the release job's",
}


def _json(result: VerificationResult, subject: str) -> str:
    import orjson

    from sbomgate.times import format_time

    signed = result.deciding
    value = {
        "schema": "sbomgate/verification/v1",
        "subject": subject,
        "accepted": result.accepted,
        "result": "overridden" if result.overridden else "verified" if result.accepted else "refused",
        "overridden": None
        if result.overridden is None or result.overridden.until is None
        else {
            "until": format_time(result.overridden.until),
            "by": [
                {
                    "person": one.by,
                    "issued_at": format_time(one.said.issued_at),
                    "until": format_time(one.said.until),
                    "time_source": one.time_source,
                    "reason": one.said.reason,
                }
                for one in result.overridden.signed
            ],
        },
        "reasons": [{"code": reason.code, "message": reason.message} for reason in result.reasons],
        "notes": list(result.notes),
        "decision": None
        if signed is None
        else {
            "sha256": signed.record.id,
            "verdict": signed.decision.verdict.value,
            "signer": signed.signer.name,
            "time": format_time(signed.time),
            "time_source": signed.time_source,
            "profile": signed.decision.context.profile,
            "link": signed.decision.link,
            "workspace": signed.decision.context.workspace,
        },
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
