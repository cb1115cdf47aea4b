"""Where in a lockfile the entries of some packages stand: searched once, when a report is written.

The readers of npm's, pnpm's and bun's lockfiles keep no positions: no decision needs them. An entry is a line that
begins with its key, whatever the format, so one pass over the text finds those that are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sbomgate.model import Package

MAX_LINE = 4_096
"""Characters of a line that are looked at: a key is at its start."""

# A JSON key; a YAML key, quoted or not. What follows the colon is the entry's own.
_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s"'#{}\[\],][^"'#{}\[\],]*?))\s*:(?:\s|$)""")


def find(text: str, packages: Iterable[Package]) -> dict[str, int]:
    """Return package id → line, from 1, of each package whose entry stands at the start of a line of its own.

    What is not found is left out; a file of one long line says nothing but line 1.

    Args:
        text: the lockfile.
        packages: those whose lines are wanted.
    """
    found: dict[str, int] = {}
    wanted: dict[str, list[tuple[int, Package]]] = {}
    for package in packages:
        if package.line is not None:
            found[package.id] = package.line
            continue
        for rank, key in enumerate(_keys(package)):
            wanted.setdefault(key, []).append((rank, package))
    best: dict[str, tuple[int, int]] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = _KEY.match(line[:MAX_LINE])
        if match is None:
            continue
        declares = line[match.end() : match.end() + 1] == '"'  # a range in somebody's dependencies, no entry
        for rank, package in wanted.get(match[1] or match[2] or match[3] or "", ()):
            if declares and rank >= _ID:
                continue
            # A bare name stands in many places: at an entry, its version stands beside it or on the next line.
            if rank == _NAME and (package.version or "") not in "".join(lines[number - 1 : number + 1]):
                continue
            if package.id not in best or rank < best[package.id][0]:
                best[package.id] = (rank, number)
    return found | {id_: number for id_, (_, number) in best.items()}


_ID, _NAME = 3, 4


def _keys(package: Package) -> tuple[str, ...]:
    """Return what the entry's key may be, the surest first, the id at `_ID`, the bare name at `_NAME`."""
    name, version = package.name, package.version or "-"
    # pnpm: 6 and later, 6 to 8, 5; where it holds the peers, the entry without them has the integrity.
    return f"{name}@{version}", f"/{name}@{version}", f"/{name}/{version}", package.id, package.alias or name
