"""How a sweep is written: for people, for a chat or an issue, for a spreadsheet, for programs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from sbomgate.cli import _inventory_sarif
from sbomgate.cli._inventory_find import artefact_columns, cell, chain, count, hit_columns, line
from sbomgate.inventory.sweep import is_open

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sbomgate.inventory.answers import Artefact
    from sbomgate.inventory.knowledge import Knowledge
    from sbomgate.inventory.sweep import Affected, Running


SHOWN = 8  # builds of one project, and packages that going back changes, in text; all are counted, JSON has all


def _where(artefact: Artefact, running: Running) -> Sequence[str]:
    return running.get(artefact.build["digest"] or "", ())


def _total(found: Sequence[Affected]) -> tuple[int, int]:
    builds = sum(len(one.artefacts) for one in found)
    return builds, len(found)


def _text(found: Sequence[Affected], running: Running, as_of: Sequence[str]) -> str:
    return "\n".join([*_text_lines(found, running), "", *as_of]) + "\n"


def _text_lines(found: Sequence[Affected], running: Running) -> Iterator[str]:
    from sbomgate.report.escape import plain

    if not found:
        yield "no build is hit"
        return
    builds, projects = _total(found)
    left = sum(is_open(artefact, running) for one in found for artefact, _ in one.artefacts)
    done = (
        "" if left == builds else f", {builds - left:,} of them FAILED or revoked already and run nowhere that was told"
    )
    yield f"HIT  {count(builds, 'build')} of {count(projects, 'project')}{done}"
    for one in found:
        yield ""
        yield f"  {plain(one.since.build['project'])}"
        deployed = sorted({place for artefact, _ in one.artefacts for place in _where(artefact, running)})
        yield f"    runs now   {plain(', '.join(deployed)) if deployed else 'nowhere that was told'}"
        yield f"    since      {_when(one.since)}"
        seen = set()
        for _, held in one.artefacts:
            for hit, ids in held:
                key = (hit.package["name"], hit.package["version"])
                if key not in seen:
                    seen.add(key)
                    package = plain(f"{hit.package['name']} {hit.package['version'] or ''}".strip())
                    yield f"    holds      {package}  {plain(', '.join(ids))}"
                    yield f"               {chain(hit)}"
        for reason in one.reasons:
            yield f"    denied by  {plain(reason)}"
        yield from _going_back(one, running)
        for artefact, _ in one.artefacts[:SHOWN]:
            yield f"    build      {line(artefact, running)}"
        if len(one.artefacts) > SHOWN:
            yield f"               and {len(one.artefacts) - SHOWN:,} more (--format json)"


def _going_back(one: Affected, running: Running) -> Iterator[str]:
    from sbomgate.report.escape import plain

    if one.last_good is None:
        yield "    last good  none is known: fix it, and gate it again"
        return
    newer = " (newer than all of them: it is fixed already)" if one.newer_good else ""
    yield f"    last good  {line(one.last_good, running)}{newer}"
    for change in one.changes[:SHOWN]:
        now, then = " ".join(change.now) or "(not there)", " ".join(change.then) or "(not there)"
        yield f"               {plain(change.name)}: {plain(now)} → {plain(then)}"
    if len(one.changes) > SHOWN:
        yield f"               and {len(one.changes) - SHOWN:,} more packages (--format json)"


def _when(artefact: Artefact) -> str:
    time = artefact.first or artefact.build["decided"]
    return "nobody said when" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def to_json(found: Sequence[Affected], running: Running, known: Knowledge) -> str:
    """Return every word of it."""
    from sbomgate.report.escape import document

    value = {
        "schema": "sbomgate/inventory-sweep/v1",
        "as_of": known.columns(),
        "affected": [
            {
                "project": one.since.build["project"],
                "since": artefact_columns(one.since, running)["first_decided"],
                "running_in": sorted({place for artefact, _ in one.artefacts for place in _where(artefact, running)}),
                "builds": [
                    {
                        **artefact_columns(artefact, running),
                        "hits": [{**hit_columns(hit), "ids": list(ids)} for hit, ids in held],
                    }
                    for artefact, held in one.artefacts
                ],
                "denied_by": list(one.reasons),
                "last_good": None if one.last_good is None else artefact_columns(one.last_good, running),
                "newer_good": one.newer_good,
                "changes": [
                    {"name": change.name, "now": list(change.now), "then": list(change.then)} for change in one.changes
                ],
            }
            for one in found
        ],
    }
    return document(value) + "\n"


def _markdown(found: Sequence[Affected], running: Running, as_of: Sequence[str]) -> str:
    from sbomgate.report.diff_markdown import code

    known = ["", *(f"- {code(line)}" for line in as_of)]
    if not found:
        return "\n".join(["### No build is hit", *known]) + "\n"
    builds, projects = _total(found)
    lines = [
        f"### Hit: {count(builds, 'build')} of {count(projects, 'project')}",
        "",
        "| project | holds | since | runs now | builds | last good |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        held = sorted(
            {f"{hit.package['name']}@{hit.package['version'] or ''}" for _, hits in one.artefacts for hit, _ in hits}
        )
        deployed = sorted({place for artefact, _ in one.artefacts for place in _where(artefact, running)})
        good = "none" if one.last_good is None else code(line(one.last_good, running))
        cells = [
            code(one.since.build["project"]),
            "<br>".join(code(text) for text in [*held, *one.reasons]),
            _when(one.since),
            "<br>".join(map(code, deployed)) or "nowhere that was told",
            f"{len(one.artefacts):,}",
            good,
        ]
        # A bar ends a cell even in a code span.
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    return "\n".join([*lines, *known]) + "\n"


def _csv(found: Sequence[Affected], running: Running, _: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "project",
            "workspace",
            "artefact",
            "decided",
            "verdict",
            "running_in",
            "package",
            "version",
            "ids",
            "evidence",
        ]
    )
    for one in found:
        for artefact, held in one.artefacts:
            build = artefact.build
            about = [
                cell(build["project"]),
                cell(build["workspace"] or ""),
                build["digest"] or "",
                "" if build["decided"] is None else f"{build['decided']:%Y-%m-%dT%H:%M:%SZ}",
                build["verdict"] or "",
                cell(" ".join(_where(artefact, running))),
            ]
            for hit, ids in held:
                name, version = cell(hit.package["name"]), cell(hit.package["version"] or "")
                writer.writerow([*about, name, version, cell(" ".join(ids)), build["evidence"] or build["sbom"]])
            if not held:
                writer.writerow([*about, "", "", cell("; ".join(one.reasons)), build["evidence"] or build["sbom"]])
    return text.getvalue()


RENDERINGS: Mapping[str, Callable[[Sequence[Affected], Running, Sequence[str]], str]] = {
    "text": _text,
    "markdown": _markdown,
    "csv": _csv,
    "sarif": lambda found, running, _: _inventory_sarif.render(found, running),
}
"""By what `--format` calls them; JSON is `to_json`. The last argument is how old it is what is known, in lines."""
