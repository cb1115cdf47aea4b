"""Every entry of a yarn.lock comes out exactly once, whatever the graph looks like."""

from __future__ import annotations

import json
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate import lockfiles, sbom
from sbomgate.errors import InputError
from sbomgate.project import MemoryFiles
from testkit.projects import integrity

NAMES = ["a", "b", "@s/c", "constructor", "JSONStream", "y", "true-case", "on"]
VERSIONS = ["1.0.0", "1.2.3", "2.0.0", "0.1.0", "10.0.0-rc.1"]


class Entry(NamedTuple):
    """One package: name, version, the ranges that lead to it, what it asks for (section, name, range)."""

    name: str
    version: str
    ranges: tuple[str, ...]
    asks: tuple[tuple[str, str, str], ...]
    hashed: str


@st.composite
def graphs(draw: st.DrawFn) -> list[Entry]:
    """Return entries, each name and version once, that ask for each other in ranges that lead to one of them only."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VERSIONS)), max_size=8, unique=True))
    ranges = {
        pair: tuple(draw(st.sets(st.sampled_from([pair[1], f"^{pair[1]}", f">={pair[1]} || 99"]), min_size=1)))
        for pair in pairs
    }
    entries = []
    for pair in pairs:
        targets = draw(st.lists(st.sampled_from(pairs), max_size=3, unique_by=lambda one: one[0]))
        asks = tuple(
            (
                draw(st.sampled_from(["dependencies", "optionalDependencies"])),
                name,
                draw(st.sampled_from(sorted(ranges[name, version]))),
            )
            for name, version in targets
        )
        hashed = draw(st.sampled_from(["sha512", "sha1", ""]))
        entries.append(Entry(*pair, tuple(sorted(ranges[pair])), asks, hashed))
    return entries


def manifest(entries: list[Entry]) -> bytes:
    """Return a package.json that declares the first entry of each name."""
    declared: dict[str, str] = {}
    for entry in entries:
        declared.setdefault(entry.name, entry.ranges[0])
    return json.dumps({"name": "shop", "version": "1.0.0", "dependencies": declared}).encode()


def quoted(text: str, always: bool = False) -> str:
    """Quote as yarn 1 does: whatever does not start with a letter, or holds a blank or a sign."""
    plain = text[0].isalpha() and not set(text) & set(' :",[]\\') and not text.startswith(("true", "false"))
    return text if plain and not always else json.dumps(text)


def classic(entries: list[Entry]) -> bytes:
    """Write yarn 1's lockfile."""
    lines = ["# yarn lockfile v1", "", ""]
    for entry in entries:
        base = entry.name.rpartition("/")[2]
        lines.append(", ".join(quoted(f"{entry.name}@{range_}") for range_ in entry.ranges) + ":")
        lines.append(f'  version "{entry.version}"')
        lines.append(f'  resolved "https://registry.yarnpkg.com/{entry.name}/-/{base}-{entry.version}.tgz#{"a" * 40}"')
        if entry.hashed:
            lines.append(f"  integrity {integrity(entry.name, entry.hashed)}")
        for section in ("dependencies", "optionalDependencies"):
            asked = [(name, range_) for where, name, range_ in entry.asks if where == section]
            if asked:
                lines.append(f"  {section}:")
                lines += [f"    {quoted(name)} {quoted(range_, always=True)}" for name, range_ in asked]
        lines.append("")
    return "\n".join(lines).encode()


def berry(entries: list[Entry]) -> bytes:
    """Write yarn 4's lockfile."""
    lines = ["__metadata:", "  version: 8", "  cacheKey: 10c0", ""]
    declared = json.loads(manifest(entries))["dependencies"]
    lines += ['"shop@workspace:.":', "  version: 0.0.0-use.local", '  resolution: "shop@workspace:."']
    if declared:
        lines += ["  dependencies:", *(f'    {json.dumps(name)}: "npm:{range_}"' for name, range_ in declared.items())]
    lines.append("")
    for entry in entries:
        lines.append(json.dumps(", ".join(f"{entry.name}@npm:{range_}" for range_ in entry.ranges)) + ":")
        lines += [f"  version: {entry.version}", f'  resolution: "{entry.name}@npm:{entry.version}"']
        if entry.asks:
            lines += ["  dependencies:", *(f'    {json.dumps(name)}: "npm:{range_}"' for _, name, range_ in entry.asks)]
            optional = [name for section, name, _ in entry.asks if section == "optionalDependencies"]
            if optional:
                lines.append("  dependenciesMeta:")
                lines += [f"    {json.dumps(name)}:\n      optional: true" for name in optional]
        lines += [f"  checksum: 10c0/{'0' * 128}", "  linkType: hard", ""]
    return "\n".join(lines).encode()


@given(graphs(), st.booleans())
def test_every_entry_once(entries: list[Entry], new: bool) -> None:
    """P4: sha1 only, without a hash, optional, unreachable: each once; every edge leads where it was written to."""
    data = berry(entries) if new else classic(entries)
    separator = "@npm:" if new else "@"
    graph = lockfiles.read(MemoryFiles({"package.json": manifest(entries), "yarn.lock": data}))
    assert [package.id for package in graph.packages] == sorted(
        ["", *(f"{entry.name}{separator}{entry.version}" for entry in entries)]
    )
    owner = {(entry.name, range_): entry for entry in entries for range_ in entry.ranges}
    expected = set()
    for entry in entries:
        for section, name, range_ in entry.asks:
            target = owner[name, range_]
            kind = "optional" if section == "optionalDependencies" else "prod"
            expected.add((f"{entry.name}{separator}{entry.version}", f"{name}{separator}{target.version}", kind, name))
    assert {(e.source, e.target, e.kind.value, e.name) for e in graph.edges if e.source} == expected
    if new:
        assert {package.integrity for package in graph.packages} == {None}
    again = sbom.read(sbom.write(graph, {}, timestamp=None, tool_version="0")).graph
    assert (again.packages, again.edges, again.findings) == (graph.packages, graph.edges, graph.findings)


@settings(deadline=None)
@given(graphs(), st.booleans(), st.data())
def test_damage_is_refused_or_read(entries: list[Entry], new: bool, data: st.DataObject) -> None:
    """Whatever a file is cut to or changed into, it is a graph or an InputError, never anything else."""
    lock = bytearray(berry(entries) if new else classic(entries))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lock) - 1))
        lock[at : at + data.draw(st.integers(0, 6))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"\n", b"  ", b":", b'"'])
        )
        if not lock:
            return
    try:
        graph = lockfiles.read(MemoryFiles({"package.json": manifest(entries), "yarn.lock": bytes(lock)}))
    except InputError:
        return
    assert len({package.id for package in graph.packages}) == len(graph.packages)
    known = {package.id for package in graph.packages}
    assert {edge.target for edge in graph.edges} - {None} <= known
    sbom.read(sbom.write(graph, {}, timestamp=None, tool_version="0"))
