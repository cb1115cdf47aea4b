"""The register of waivers and approvals beside a project: who allowed what, why, and until when.

Each says who else says the same, and whether so many are enough. Whether one is used, and for this project at all, says
a decision: `sbomgate check --verbose` names what is unused, and why.

examples:
  sbomgate waivers list --trust ../trust.toml
  sbomgate waivers list web --trust ../trust.toml --json

exit codes: 0; 2 where the folder or the trust file cannot be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.model import Approval, People, Signed, Trust, Waiver

HELP = "list waivers and approvals: who, what, why, until when"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every waiver and approval, those that end first at the top")
    listing.add_argument("path", nargs="?", default=".", help="the project's folder (default: here)")
    listing.add_argument("--trust", metavar="FILE", required=True, help="the trust file, which names the approvers")
    listing.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Print the register."""
    from sbomgate import approvals
    from sbomgate import trust as trust_file
    from sbomgate.cli import _approvals
    from sbomgate.cli._environment import emit
    from sbomgate.cli._project import open_project
    from sbomgate.model import Authors
    from sbomgate.report.escape import document

    opened = open_project(args.path, env)
    trust = trust_file.load(args.trust, project_root=opened.files.repository)
    people = approvals.accepted(_approvals.read(opened.files), trust, now=env.now, authors=Authors())
    said_by = _said_by(people, env.now)
    soon = env.now + _soon(args.trust, trust, opened)
    if args.json:
        value = {"schema": "sbomgate/waivers/v1", "quorum": trust.quorum, **_json(people, said_by, env.now, soon)}
        emit(document(value).encode() + b"\n", None, env)
    else:
        emit(("\n".join(_lines(people, said_by, trust.quorum, env.now, soon)) + "\n").encode(), None, env)
    return EXIT_ALLOWED


def state(one: Signed, now: datetime, soon: datetime) -> str:
    """Return `ended`, `ends soon` (before `soon`) or `in force`."""
    if one.said.until <= now:
        return "ended"
    return "ends soon" if one.said.until < soon else "in force"


def _said_by(people: People, now: datetime) -> dict[str, frozenset[str]]:
    """Return by the id of each which persons say, in force, all that it says: for an approval, of every finding."""
    by: dict[object, set[str]] = {}
    for one in people.signed:
        if one.said.until > now:
            for about in _about(one.said):
                by.setdefault(about, set()).add(one.by)
    return {
        one.id: frozenset.intersection(*(frozenset(by.get(about, ())) for about in _about(one.said)))
        for one in people.signed
    }


def _about(said: Waiver | Approval) -> list[tuple[object, ...]]:
    """Return what has to be said by as many persons as the quorum, each by itself.

    In a decision a waiver and an approval of one finding count together; here they do not, for only a decision knows
    which package a finding is about.
    """
    from sbomgate.model import Waiver

    if isinstance(said, Waiver):
        return [(said.project, said.rule, said.package, said.fingerprint)]
    return [(said.project, finding) for finding in said.findings or (said.change,)]


def _soon(trust_where: str, trust: Trust, opened: Project) -> timedelta:
    """Return how long before its end the rule `approved_changes` says so, here as in a decision."""
    from datetime import timedelta

    from sbomgate import config
    from sbomgate.cli import _sbom
    from sbomgate.policy import parameters
    from sbomgate.resources import path as resource

    settings = _sbom.config_of(opened) or config.EMPTY
    effective = parameters.effective(
        parameters.declared(resource(*parameters.CATALOGUE).read_bytes()),
        trust.parameters,
        settings.rules,
        trust_where=trust_where,
        trust_text=trust.data.decode(),
        project_text=settings.text,
    )
    return timedelta(days=effective["approved_changes"]["ends_soon_days"])


def _lines(
    people: People, said_by: Mapping[str, frozenset[str]], quorum: int, now: datetime, soon: datetime
) -> Iterator[str]:
    from sbomgate.model import Waiver
    from sbomgate.report.escape import plain

    if not people.signed and not people.refused:
        yield "no waivers and no approvals"
    for one in sorted(people.signed, key=lambda one: (one.said.until, one.id)):
        said = one.said
        if isinstance(said, Waiver):
            what = f"waives {said.rule} for " + (
                f"{said.package[0]} {said.package[1]}" if said.package else f"finding {(said.fingerprint or '')[:12]}"
            )
        else:
            what = f"approves a change of {len(said.packages)} packages, {len(said.findings)} findings"
        yield f"{state(one, now, soon):<10} until {said.until:%Y-%m-%d %H:%M} UTC  {plain(what)}"
        about = "" if not isinstance(said, Waiver) or said.advisory is None else f" ({plain(said.advisory)})"
        yield f"           by {plain(one.by)} on {said.issued_at:%Y-%m-%d}: {plain(said.reason)}{about}"
        if one.said.until > now:
            yield f"           {_enough(said_by[one.id], quorum)}"
        yield f"           for {plain(said.project)} · sha256:{one.id[:12]}"
    for name, reason in people.refused:
        yield f"refused    {plain(name)}"
        yield f"           {plain(reason)}"


def _enough(people: frozenset[str], quorum: int) -> str:
    """Return whether so many suffice; who made the change, who does not count, only a decision looks for."""
    from sbomgate.report.escape import plain

    said = f"said by {len(people)}: {', '.join(plain(name) for name in sorted(people))}"
    if len(people) < quorum:
        return f"{said}; waits for at least {quorum - len(people)} more, the trust file needs {quorum}"
    if len(people) == quorum:
        return f"{said}; enough where it is proved that another made the change, else one more is needed"
    return f"{said}; enough, {quorum} needed beside whoever made the change"


def _json(people: People, said_by: Mapping[str, frozenset[str]], now: datetime, soon: datetime) -> dict[str, Any]:
    from sbomgate.approvals import predicate

    return {
        "signed": [
            {
                "sha256": one.id,
                "by": one.by,
                "state": state(one, now, soon),
                "said_by": sorted(said_by[one.id]),
                **predicate(one.said),
            }
            for one in people.signed
        ],
        "refused": [{"file": name, "reason": reason} for name, reason in people.refused],
    }
