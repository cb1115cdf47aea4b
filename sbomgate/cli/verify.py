"""Verify at deploy time: is there fresh, PASSED evidence by an accepted signer for exactly this artefact?

It reads the store and the trust file, and nothing else: no cache, and no network but a store in a registry.

examples:
  sbomgate verify file:dist/app.tgz --trust trust.toml
  sbomgate verify file:dist/web.tgz --trust trust.toml --workspace services/web
  sbomgate verify file:dist/app.tgz --trust trust.toml --bundle dist/          files beside the build, no store
  sbomgate verify file:dist/app.tgz --trust trust.toml --bundle attestations.jsonl
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
    from collections.abc import Mapping

    from sbomgate.cli._environment import Environment
    from sbomgate.decision import Decision
    from sbomgate.evidence.record import Statements
    from sbomgate.evidence.summaries import Combined

HELP = "verify the stored decision on an artefact before it is deployed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("subject", help="what is deployed: file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST")
    parser.add_argument("--trust", required=True, metavar="FILE", help="who and what is accepted")
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="where evidence is kept: DIR (default: evidence, unless --bundle), or oci:HOST/REPO",
    )
    parser.add_argument(
        "--bundle",
        action="append",
        metavar="FILE",
        help="signed bundles beside the build: a file, a JSONL of several, or a folder of them; may be repeated",
    )
    parser.add_argument(
        "--index", metavar="sha256:DIGEST", help="the multi-platform index that was gated, and lists this image"
    )
    parser.add_argument("--environment", metavar="NAME", help="where it is deployed to")
    parser.add_argument("--workspace", metavar="DIR", help="the workspace that is deployed: its directory")
    parser.add_argument("--json", action="store_true", help="the result as JSON")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print the result."""
    from sbomgate.cli import _colour
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED

    found = verified(args, env)
    text = _json(found, args.subject) if args.json else _text(found, args.subject)
    _colour.emit(text + "\n", None, env, plain=args.json)
    return EXIT_ALLOWED if found.result.accepted else EXIT_DENIED


def verified(args: argparse.Namespace, env: Environment) -> Combined:
    """Return what the store and the bundles say of the subject, by the trust file."""
    from sbomgate import trust
    from sbomgate.cli import _bundles, _store
    from sbomgate.evidence import bundles, head, overrides, summaries, verify
    from sbomgate.policy import bundle

    accepted = trust.load(args.trust, project_root=None)
    about, part = _store.subject(args.subject, env), None
    if args.index is not None:
        about, part = _store.index_of(about, args.index, env), about
    records: list[Statements] = []
    view = head.NOTHING
    if args.store is not None or not args.bundle:
        store = args.store or _store.DEFAULT
        view = _store.view(store, env)  # before the builds: what it covers was stored before it
        records += _store.find(store, about, env)
        if part is not None:
            records += _store.find(store, part, env)
    given = bundles.sort(_bundles.read(args.bundle or (), env))
    view = replace(view, revocations={**given.revocations, **view.revocations})
    held = {record.id for record in records}
    result = verify.verify_build(
        [*records, *(one for one in given.statements if one.id not in held)],
        about,
        accepted,
        now=env.now,
        shipped_policy=bundle.shipped().sha256,
        environment=args.environment,
        workspace=args.workspace,
        view=view,
        part=part,
    )
    if args.index is not None:
        result = replace(result, notes=(*result.notes, f"the decision is on the index {args.index}, which lists it"))
    others, notes = summaries.verify_summaries(
        given.summaries, about, accepted, now=env.now, environment=args.environment
    )
    found = summaries.combine(result, others, (*given.notes, *notes))
    folder = args.store or (None if args.bundle else _store.DEFAULT)
    if folder is not None and not folder.startswith(_store.REGISTRY):  # a registry keeps none
        honoured = overrides.honour(
            found.result, env.working_directory / folder, accepted, now=env.now, revocations=view.revocations
        )
        found = replace(found, result=honoured)
    return found


def _text(found: Combined, subject: str) -> str:
    from sbomgate.report.escape import plain

    result, other = found.result, found.other
    if result.overridden is not None and result.overridden.until is not None:
        lines = [
            f"OVERRIDDEN  {plain(subject)} · FAILED, and may run until {result.overridden.until:%Y-%m-%d %H:%M} UTC"
        ]
        lines += [f"  {reason.code:<18}{plain(reason.message)}" for reason in result.reasons]
        for one in result.overridden.signed:
            when = f"{one.said.issued_at:%Y-%m-%d %H:%M} UTC ({one.time_source})"
            lines.append(f"  by {plain(one.by)}, {when}: {plain(one.said.reason)}")
        lines.append("  Next: mend what failed and gate the artefact again before it ends")
    elif result.accepted and other is not None:
        lines = [
            f"VERIFIED  {plain(subject)} · PASSED by {plain(other.verifier)}, another verifier · "
            f"{other.time:%Y-%m-%d %H:%M} UTC ({other.time_source}) · {plain(', '.join(other.levels))}",
            f"  policy {plain(other.policy)}",
            f"  resource {plain(other.resource_uri)}",
        ]
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
        lines.append(f"  artefact and lockfile: {_link(signed.decision)}")
        lines.append(f"  package provenance: by {_trust_root(signed.record)}")
        if result.head is not None:
            head = result.head.head
            lines.append(
                f"  store: head {head.sequence} of {head.time:%Y-%m-%d %H:%M} UTC by {plain(result.head.signer.name)}, "
                f"{head.entries} entries"
            )
    else:
        lines = [f"REFUSED  {plain(subject)}"]
        lines += [f"  {reason.code:<18}{plain(reason.message)}" for reason in result.reasons]
        codes = [reason.code for reason in result.reasons]
        steps = _next(codes, _NEXT if other is None else _NEXT_OF_OTHERS)
        if codes[:1] == ["no-decision"] and subject.startswith("oci:"):
            steps.append("where the index of several platforms was gated, name it: --index sha256:DIGEST")
        for number, said in enumerate(steps):
            lines.append(f"  {'Next: ' if number == 0 else '      '}{said}")
    lines += [f"  note: {plain(note)}" for note in result.notes]
    return "\n".join(lines)


def _trust_root(record: Statements) -> str:
    """Return what package provenance was verified against, and since when that may be out of date."""
    import orjson

    from sbomgate import decision, gate
    from sbomgate.evidence.record import Record

    if not isinstance(record, Record):  # beside the build lie only the statements
        return f"the trust root sha256:{record.claimed.sha256.get(gate.TRUSTED_ROOT, 'unknown')[:12]}…"

    # The rules' own input, whose digest is signed: the detail holds no dates of its materials.
    said = orjson.loads(record.blobs[decision.POLICY_INPUT]).get("trust_root", {}).get("updated")
    since = "nobody says how old" if said is None else f"known to be the newest on {said[:10]}"
    return f"the trust root sha256:{record.claimed.sha256.get(gate.TRUSTED_ROOT, 'unknown')[:12]}…, {since}"


def _link(decision: Decision) -> str:
    """Return what ties the artefact to the lockfile, and how much of it was compared (P13)."""
    from sbomgate.report.escape import plain

    ties = decision.ties
    if decision.link == "provenance" and ties is not None and ties.provenance is not None:
        return f"by the provenance of {plain(ties.provenance.builder or '')} (provenance)"
    for name, what in (("contained", "what the artefact holds"), ("installed", "what was installed")):
        tree = None if ties is None else getattr(ties, name)
        if decision.link == name and tree is not None:
            packages = "1 package" if tree.packages == 1 else f"{tree.packages} packages"
            return f"{what} was compared: {packages}, {tree.bytes} of them byte for byte ({name})"
    return "tied together by the release job's word alone (asserted)"


def _next(codes: list[str], said: Mapping[str, str]) -> list[str]:
    """Return what to do about the first reason, and about each that only another run of `gate` mends.

    The others follow from the first more often than not.
    """
    asked = [*codes[:1], *(code for code in codes[1:] if code in ("environment", "repository", "lockfile-path"))]
    return [said[code] for code in dict.fromkeys(asked) if code in said]


_NEXT = {
    "no-decision": "gate this very artefact (`sbomgate gate`), or name the store that holds its evidence (--store)",
    "age": "gate the artefact again: what is known of its packages has changed since",
    "waiver-ended": "gate the artefact again: with a new waiver, or without the package",
    "failed": "`sbomgate check --verbose` in the project says what to do about each finding",
    "superseded": "find out why the newer decision failed; it is about the same bytes",
    "workspace": "gate this workspace (`sbomgate gate --workspace`), or name the one that the artefact was built from",
    "environment": "gate the artefact for this environment (--environment), by a signer who is accepted for it",
    "repository": "gate the artefact with this repository (--repository): a CI job whose identity signs names its own",
    "lockfile-path": "gate the lockfile that the trust file names",
    "policy": "gate the artefact again with the policy that is accepted now",
    "profile": "gate the artefact again under the profile that the trust file demands",
    "revoked": "gate the artefact again, if what it was revoked for is mended",
    "head": "`sbomgate audit STORE --trust FILE --key KEY` looks through the store and signs a fresh head",
    "withheld": "restore what was removed from the store, or gate the artefact again",
    "future": "compare the clock of this machine with the release job's",
}

# What another verifier said is not mended by `gate`, nor explained by `check`.
_NEXT_OF_OTHERS = {
    "failed": "ask that verifier why, and have it verify the artefact again when that is mended",
    "superseded": "ask that verifier why the newer summary failed; it is about the same bytes",
    "age": "have that verifier verify the artefact again, and give the new summary (--bundle)",
    "waiver-ended": "have that verifier verify the artefact again, and give the new summary (--bundle)",
    "level": "have that verifier verify it at one of the `levels` that the trust file names",
    "policy": "have that verifier use a policy that the trust file names (`policy_uris`, `policy_digests`)",
    "verifier": "compare with the `id` of its [[verifiers]] entry in the trust file",
    "environment": "give summaries of a verifier that the trust file accepts for this environment",
    "future": "compare the clock of this machine with that verifier's",
}


def _json(found: Combined, subject: str) -> str:
    from sbomgate.report.escape import document
    from sbomgate.times import format_time

    result, other = found.result, found.other
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
        "summary": None
        if other is None
        else {
            "verifier": other.verifier,
            "result": "PASSED" if other.passed else "FAILED",
            "time": format_time(other.time),
            "time_source": other.time_source,
            "levels": list(other.levels),
            "resource_uri": other.resource_uri,
            "policy": other.policy,
            "says": other.says,
        },
        "head": None
        if result.head is None
        else {
            "sequence": result.head.head.sequence,
            "entries": result.head.head.entries,
            "signer": result.head.signer.name,
            "time": format_time(result.head.head.time),
        },
        "revocations": [
            {
                "sha256": one.id,
                "signer": one.by.name,
                "time": format_time(one.said.issued_at),
                "reason": one.said.reason,
            }
            for one in result.revoked
        ],
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
    return document(value)
