"""`inventory find`, `stats` and `sql`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sbomgate.cli import _inventory
from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.inventory.amendments import Amendment
    from sbomgate.inventory.answers import Artefact, Count, Found, Hit
    from sbomgate.inventory.terms import Terms

_WORDS = {"allowed": "PASSED", "denied": "FAILED", "revoked": "REVOKED", None: "not judged"}
_STANDING = {
    "verified": "",
    "unverified": "  unverified",
    "sbom": "  an SBOM on its own: its author's word",
}


def find(args: argparse.Namespace, env: Environment) -> int:
    """Print which builds hold it."""
    from sbomgate.inventory import answers, knowledge, terms

    asked = terms.parse(args.terms)
    if args.count:
        return _count(asked, args, env)
    with _inventory.asking(args, env) as (inventory, engine):

        def question(engine: Any) -> tuple[Found, dict[str, list[str]]]:
            running = _inventory.running_now(inventory, engine, env.now)
            digests = sorted(running) if args.running else None
            return answers.find(engine, asked, _inventory.satisfies(), digests=digests), running

        found, running = inventory.ask(engine, question)
        known = knowledge.of(inventory, now=env.now)
    if args.json:
        _inventory.dump({**_json(found, running, args.terms), "as_of": known.columns()})
    else:
        _text(found, running, paths=args.paths)
        print("\n" + "\n".join(_inventory.as_of(known, env.now)))
    return EXIT_ALLOWED


def _count(asked: Terms, args: argparse.Namespace, env: Environment) -> int:
    from sbomgate.errors import UsageError
    from sbomgate.inventory import answers, knowledge
    from sbomgate.report.escape import plain

    if args.paths:
        raise UsageError("a count has no paths", where="--paths", hint="ask without --count")
    with _inventory.asking(args, env) as (inventory, engine):

        def question(engine: Any) -> tuple[tuple[Count, ...], tuple[str, ...], dict[str, list[str]]]:
            running = _inventory.running_now(inventory, engine, env.now)
            digests = sorted(running) if args.running else None
            return *answers.count(engine, asked, _inventory.satisfies(), digests=digests), running

        found, notes, running = inventory.ask(engine, question)
        known = knowledge.of(inventory, now=env.now)
    held: list[dict[str, Any]] = [
        {
            "name": one.name,
            "version": one.version or None,
            "builds": len(one.builds),
            "projects": len(one.projects),
            "running_in": sorted({place for name in one.builds for place in running.get(name[0], ())}),
        }
        for one in found
    ]
    builds: set[tuple[str, ...]] = set().union(*(one.builds for one in found))
    projects: set[tuple[str, ...]] = set().union(*(one.projects for one in found))
    if args.json:
        _inventory.dump(
            {
                "schema": "sbomgate/inventory-count/v1",
                "terms": list(args.terms),
                "builds": len(builds),
                "projects": len(projects),
                "held": held,
                "notes": list(notes),
                "as_of": known.columns(),
            }
        )
        return EXIT_ALLOWED
    print(f"{count(len(builds), 'build')} of {count(len(projects), 'project')}\n" if held else "no build holds it")
    for row in held:
        where = f" · runs in {plain(', '.join(row['running_in']))}" if row["running_in"] else ""
        number = f"{count(row['builds'], 'build')} of {count(row['projects'], 'project')}"
        print(f"  {plain(row['name'])} {plain(row['version'] or '(no version)')}  {number}{where}")
    for note in notes:
        print(f"  note: {plain(note)}")
    print("\n" + "\n".join(_inventory.as_of(known, env.now)))
    return EXIT_ALLOWED


def _text(found: Found, running: Mapping[str, Sequence[str]], *, paths: bool) -> None:
    from sbomgate.report.escape import plain

    together: dict[tuple[str, str], list[Hit]] = {}
    for hit in found.hits:
        together.setdefault((hit.package["name"], hit.package["version"] or "(no version)"), []).append(hit)
    artefacts = {hit.artefact.identity: hit.artefact for hit in found.hits}
    projects = {artefact.project for artefact in artefacts.values()}
    if not found.hits:
        print("no build holds it")
    else:
        print(f"{count(len(artefacts), 'build')} of {count(len(projects), 'project')}")
    for (name, version), hits in together.items():
        print(f"\n  {plain(name)} {plain(version)}")
        for hit in hits:
            print(f"    {line(hit.artefact, running)}")
            if hit.package["called"] is not None:
                print(f"      the lockfile calls it {plain(hit.package['called'])}; its address names {plain(name)}")
            if paths:
                print(f"      {chain(hit)}")
    if found.notes:
        print()
    for note in found.notes:
        print(f"  note: {plain(note)}")


def line(artefact: Artefact, running: Mapping[str, Sequence[str]]) -> str:
    """Return an artefact in one line: what, when, how it was judged, where it runs, and the evidence."""
    from sbomgate.report.escape import plain

    build = artefact.build
    name = plain(" ".join(filter(None, (build["project"], build["project_version"]))))
    if build["workspace"] is not None:
        name += f" [{plain(build['workspace'])}]"
    parts = [name]
    if build["digest"] is not None:
        parts.append(f"{plain(build['subject'])} {plain(build['digest'][:19])}…")
    else:
        parts.append(plain(build["lockfile"]))
    if build["decided"] is not None:
        parts.append(f"{build['decided']:%Y-%m-%d %H:%M} UTC")
    if build["digest"] is not None:
        parts.append(_WORDS.get(build["verdict"], plain(build["verdict"] or "")))
        if (revoked := artefact.revoked) is not None:
            parts.append(f"revoked by {plain(revoked.by)} at {revoked.at:%Y-%m-%d %H:%M} UTC: {plain(revoked.reason)}")
        if (overridden := artefact.overridden) is not None and overridden.until is not None:
            parts.append(f"OVERRIDDEN until {overridden.until:%Y-%m-%d %H:%M} UTC by {plain(overridden.by)}")
    where = running.get(build["digest"] or "", ())
    if where:
        parts.append(f"runs in {plain(', '.join(where))}")
    kind, digest = ("sbom", build["sbom"]) if build["evidence"] is None else ("evidence", build["evidence"])
    parts.append(f"{kind} sha256:{digest[:12]}…{_STANDING[build['standing']]}")
    return " · ".join(parts)


def chain(hit: Hit) -> str:
    """Return how a package comes in, from the project to it."""
    from sbomgate.report.escape import plain

    path = hit.package["path"]
    if path is None:
        return "nothing leads to it: the SBOM names no dependency on it"
    return plain(" › ".join([hit.artefact.build["project"], *path]))


def count(number: int, noun: str) -> str:
    """Return `1 build`, `2 builds`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _json(found: Found, running: Mapping[str, Sequence[str]], words: Sequence[str]) -> dict[str, Any]:
    return {
        "schema": "sbomgate/inventory-find/v1",
        "terms": list(words),
        "hits": [{"package": hit_columns(hit), "build": artefact_columns(hit.artefact, running)} for hit in found.hits],
        "notes": list(found.notes),
    }


def hit_columns(hit: Hit) -> dict[str, Any]:
    """Return a package as JSON has it."""
    return _inventory.columns(hit.package, list(hit.package))


def artefact_columns(artefact: Artefact, running: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return an artefact as JSON has it."""
    build = _inventory.columns(artefact.build, list(artefact.build))
    return {
        **build,
        "decisions": artefact.decisions,
        "first_decided": _inventory.columns({"first": artefact.first}, ["first"])["first"],
        "running_in": list(running.get(artefact.build["digest"] or "", ())),
        "revoked": amendment_columns(artefact.revoked),
        "overridden": amendment_columns(artefact.overridden),
    }


def amendment_columns(one: Amendment | None) -> dict[str, Any] | None:
    """Return a revocation or an override as JSON has it."""
    if one is None:
        return None
    from sbomgate.times import format_time

    return {
        "statement": one.statement,
        "by": one.by,
        "at": format_time(one.at),
        "until": None if one.until is None else format_time(one.until),
        "reason": one.reason,
    }


def stats(args: argparse.Namespace, env: Environment) -> int:
    """Print how much there is."""
    from sbomgate.inventory import answers, deployments

    with _inventory.asking(args, env) as (inventory, engine):
        listing = inventory.listing()

        def question(engine: Any) -> dict[str, Any]:
            artefacts = list(answers.builds(engine).values())
            packages = engine.query("SELECT count(*), count(DISTINCT name) FROM package WHERE called IS NULL")
            times = sorted(a.build["decided"] for a in artefacts if a.build["decided"] is not None)
            standing: dict[str, int] = {}
            for (word,) in engine.query("SELECT standing FROM build"):
                standing[word] = standing.get(word, 0) + 1
            return {
                "schema": "sbomgate/inventory-stats/v1",
                "builds": len(artefacts),
                "decisions": sum(standing.values()),
                "revoked": sum(a.revoked is not None for a in artefacts),
                "overridden": sum(a.overridden is not None for a in artefacts),
                "standing": dict(sorted(standing.items())),
                "projects": len({a.project for a in artefacts}),
                "packages": packages[0][0],
                "names": packages[0][1],
                "oldest": times[0] if times else None,
                "newest": times[-1] if times else None,
                "segments": len(listing.segments),
                "deltas": len(listing.deltas),
                "deployments": len(deployments.read(inventory)),
            }

        said = inventory.ask(engine, question)
    said = _inventory.columns(said, list(said))
    if args.json:
        _inventory.dump(said)
        return EXIT_ALLOWED
    for key, value in said.items():
        if key == "standing":
            for word, number in value.items():
                print(f"  {word:<12}{number:>12,}")
        elif key != "schema":
            print(f"{key:<14}{value:>12,}" if isinstance(value, int) else f"{key:<14}{value or '-':>12}")
    return EXIT_ALLOWED


def sql(args: argparse.Namespace, env: Environment) -> int:
    """Print the answer to one SELECT as CSV."""
    import csv
    import sys

    from sbomgate.inventory import deployments
    from sbomgate.times import format_time

    with _inventory.opened(args, env) as (inventory, engine):
        events = deployments.read(inventory)
        engine.table(
            "deployment",
            {
                "digest": [event.digest for event in events],
                "name": [event.name for event in events],
                "environment": [event.environment for event in events],
                "at": [format_time(event.at) for event in events],
                "stopped": [str(event.stopped).lower() for event in events],
            },
        )
        names, rows = inventory.ask(engine, lambda _: engine.ask(args.query))
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([_cell(name) for name in names])
        for row in rows:
            writer.writerow([_cell(value) for value in row])
    return EXIT_ALLOWED


def _cell(value: Any) -> Any:
    return cell(value) if isinstance(value, str) else cell(" ".join(value)) if isinstance(value, list) else value


def cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula and no terminal for a command (P39)."""
    from sbomgate.report.escape import plain

    shown = plain(text)
    harmless = re.fullmatch(r"@[\w.~-]+/[\w.~-]+", shown)  # a scoped name calls no function
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) and not harmless else shown
