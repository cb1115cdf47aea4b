"""npm's lockfile (version 3) told again as pnpm's, yarn's of both kinds, and bun's: the same packages and edges.

For cases and property tests, which are told once and run in each format, and for large made lockfiles. The forms are
those of tests/fixtures, which the managers themselves write. What a format cannot say raises `CannotSay`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

REGISTRY = "https://registry.npmjs.org/"
FORMATS = {
    "npm": "package-lock.json",
    "pnpm": "pnpm-lock.yaml",
    "yarn": "yarn.lock",
    "berry": "yarn.lock",
    "bun": "bun.lock",
}
"""Name of a format → name of its file."""

SECTIONS = ("dependencies", "devDependencies", "optionalDependencies")


class CannotSay(ValueError):
    """The format has no words for this."""


@dataclass(slots=True)
class _Tree:
    """npm's `packages`, and npm's walk over it."""

    packages: Mapping[str, Mapping[str, Any]]
    projects: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        links = {str(entry["resolved"]) for entry in self.packages.values() if entry.get("link")}
        own = sorted(place for place in self.packages if place and "node_modules" not in place and place in links)
        self.projects = ["", *own]

    def name(self, place: str) -> str:
        """The real name of what is installed at a place."""
        told = self.packages[place].get("name")
        return str(told) if told is not None else place.rpartition("node_modules/")[2]

    def find(self, place: str, name: str) -> str | None:
        """Where a package at `place` finds `name`."""
        while True:
            candidate = f"{place}/node_modules/{name}" if place else f"node_modules/{name}"
            if candidate in self.packages:
                return candidate
            if not place:
                return None
            cut = place.rfind("/node_modules/")
            place = place[:cut] if cut >= 0 else ""

    def target(self, place: str, name: str) -> str | None:
        """The same, with a link followed to what it leads to."""
        found = self.find(place, name)
        if found is not None and self.packages[found].get("link"):
            return str(self.packages[found]["resolved"])
        return found

    def own(self) -> list[str]:
        """The root and the workspaces."""
        return self.projects

    def fetched(self) -> Iterator[str]:
        """Places of everything else."""
        own = set(self.own())
        for place, entry in self.packages.items():
            if place not in own and not entry.get("link"):
                yield place

    def edges(self, place: str) -> Iterator[tuple[str, str, str]]:
        """What is asked for at a place: section, name, range; a name in two sections counts as npm counts it."""
        entry = self.packages[place]
        told: dict[str, tuple[str, str]] = {}
        for section in ("dependencies", "optionalDependencies", *(("devDependencies",) if place in self.own() else ())):
            for name, range_ in entry.get(section, {}).items():
                told[name] = section, range_
        for name, (section, range_) in told.items():
            yield section, name, range_

    def source(self, place: str) -> str:
        """git, remote, file or registry."""
        resolved = str(self.packages[place].get("resolved", ""))
        if resolved.startswith(("git+", "git:", "github:")):
            return "git"
        if resolved.startswith("file:"):
            return "file"
        if resolved and not re.search(r"/-/.+\.tgz", resolved):
            return "remote"
        return "registry"

    def usual(self, place: str) -> bool:
        """Whether the address is what the registry has for this name and version."""
        entry, name = self.packages[place], self.name(place)
        resolved = entry.get("resolved")
        return resolved in (None, f"{REGISTRY}{name}/-/{name.rpartition('/')[2]}-{entry.get('version')}.tgz")


def convert(lock: Mapping[str, Any], format: str, directories: Mapping[str, Mapping[str, Any]] | None = None) -> bytes:
    """Return the lockfile in another format.

    Args:
        lock: npm's, version 3.
        format: one of `FORMATS`.
        directories: package.json of each workspace by its directory; else what the lockfile says of it.

    Raises:
        CannotSay: the format cannot say this.
    """
    tree = _Tree(lock["packages"])
    match format:
        case "npm":
            return (json.dumps(lock, indent=2, ensure_ascii=False) + "\n").encode()
        case "pnpm":
            return _pnpm(tree).encode()
        case "yarn":
            return _classic(tree).encode()
        case "berry":
            return _berry(tree, directories or {}).encode()
        case "bun":
            return _bun(tree, directories or {}).encode()
        case _:
            raise ValueError(format)


# --------------------------------------------------------------------------------------------------------------------
# pnpm 9

_PLAIN = re.compile(r"[A-Za-z0-9_./(+^~][A-Za-z0-9_./()+=^~:@-]*(?<!:)")
_NUMBER = re.compile(r"[-+0-9.][0-9_.eExXa-fA-F:+-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"}


def yaml_word(text: str) -> str:
    """Return a text as YAML, quoted where it must be."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not (_NUMBER.fullmatch(text) and text.count(".") < 2):
        return text
    return "'" + text.replace("'", "''") + "'"


def _pnpm_key(tree: _Tree, place: str) -> str:
    entry, name = tree.packages[place], tree.name(place)
    if tree.source(place) == "registry":
        return f"{name}@{entry['version']}"
    return f"{name}@{entry['resolved']}"


def _pnpm_reference(tree: _Tree, source: str, name: str, target: str) -> str:
    if tree.packages[target].get("link"):
        directory = str(tree.packages[target]["resolved"])
        return "link:" + ("../" * (source.count("/") + 1) if source else "") + directory
    key = _pnpm_key(tree, target)
    return key[len(name) + 1 :] if key.startswith(f"{name}@") else key


def _pnpm(tree: _Tree) -> str:
    lines = ["lockfileVersion: '9.0'", "", "settings:", "  autoInstallPeers: true"]
    lines += ["  excludeLinksFromLockfile: false", "", "importers:", ""]
    for place in tree.own():
        lines.append(f"  {yaml_word(place or '.')}:" + ("" if any(tree.edges(place)) else " {}"))
        for section in ("dependencies", "devDependencies", "optionalDependencies"):
            found = [(n, r, t) for s, n, r in tree.edges(place) if s == section and (t := tree.find(place, n))]
            if found:
                lines.append(f"    {section}:")
            for name, range_, target in sorted(found):
                lines.append(f"      {yaml_word(name)}:")
                lines.append(f"        specifier: {yaml_word(range_)}")
                lines.append(f"        version: {yaml_word(_pnpm_reference(tree, place, name, target))}")
        lines.append("")
    packages: dict[str, list[str]] = {}
    snapshots: dict[str, list[str]] = {}
    for place in tree.fetched():
        entry = tree.packages[place]
        if entry.get("inBundle"):
            continue  # it is in the other one's tarball, and pnpm says no more of it
        key = _pnpm_key(tree, place)
        said = _pnpm_package(tree, place)
        asked: list[str] = []
        for section in ("dependencies", "optionalDependencies"):
            inner = sorted((n, t) for s, n, _ in tree.edges(place) if s == section and (t := tree.find(place, n)))
            inner = [(n, t) for n, t in inner if not tree.packages[t].get("inBundle")]
            asked += [f"    {section}:"] if inner else []
            asked += [f"      {yaml_word(n)}: {yaml_word(_pnpm_reference(tree, place, n, t))}" for n, t in inner]
        if packages.setdefault(key, said) != said or snapshots.setdefault(key, asked) != asked:
            raise CannotSay(f"pnpm has one entry for {key}")
    for title, sections in (("packages", packages), ("snapshots", snapshots)):
        lines += [f"{title}:", ""] if sections else [f"{title}: {{}}", ""]
        for key in sorted(sections):
            lines += [f"  {yaml_word(key)}:" + ("" if sections[key] else " {}"), *sections[key], ""]
    return "\n".join(lines)


def _pnpm_package(tree: _Tree, place: str) -> list[str]:
    entry, source = tree.packages[place], tree.source(place)
    resolved, told = str(entry.get("resolved", "")), []
    integrity = entry.get("integrity")
    if source == "git":
        address, _, commit = resolved.removeprefix("git+").partition("#")
        told = [f"commit: {commit}", f"repo: {address}", "type: git"]
    else:
        told += [f"integrity: {yaml_word(integrity)}"] if integrity is not None else []
        told += [f"tarball: {yaml_word(resolved)}"] if not tree.usual(place) else []
    lines = [f"    resolution: {{{', '.join(told)}}}"]
    if source != "registry" and "version" in entry:
        lines.append(f"    version: {entry['version']}")
    for name in ("cpu", "os"):
        if entry.get(name):
            lines.append(f"    {name}: [{', '.join(yaml_word(one) for one in entry[name])}]")
    if entry.get("deprecated"):
        lines.append(f"    deprecated: {yaml_word(entry['deprecated'])}")
    for name in ("bundleDependencies",):
        lines += ["    bundledDependencies:", *(f"      - {one}" for one in entry[name])] if entry.get(name) else []
    if entry.get("peerDependencies"):
        lines.append("    peerDependencies:")
        lines += [f"      {yaml_word(n)}: {yaml_word(r)}" for n, r in sorted(entry["peerDependencies"].items())]
    return lines


# --------------------------------------------------------------------------------------------------------------------
# yarn 1


def _quoted(text: str) -> str:
    if re.fullmatch(r"(?!true|false)[A-Za-z/.][^\s:,\"'\[\]{}]*", text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _patterns(tree: _Tree, places: list[str], lead: Any) -> dict[str, str]:
    """Return pattern → place. yarn has one answer for a pattern, whoever asks."""
    found: dict[str, str] = {}
    for place in places:
        for _, name, range_ in tree.edges(place):
            target = tree.find(place, name)
            if target is None or tree.packages[target].get("link"):
                continue
            pattern = lead(name, range_)
            if tree.packages[found.setdefault(pattern, target)] != tree.packages[target]:
                raise CannotSay(f"yarn has one answer for {pattern}")
    told = {id(tree.packages[target]) for target in found.values()}
    for place in tree.fetched():
        if id(tree.packages[place]) not in told:
            name = place.rpartition("node_modules/")[2]
            real = tree.name(place)
            asked = str(tree.packages[place].get("version"))
            found[lead(name, asked if real == name else f"npm:{real}@{asked}")] = place
    return found


def _groups(tree: _Tree, patterns: Mapping[str, str], identity: Any) -> list[tuple[list[str], str]]:
    groups: dict[Any, tuple[list[str], str]] = {}
    for pattern, place in patterns.items():
        groups.setdefault(identity(place), ([], place))[0].append(pattern)
    return sorted((sorted(patterns_), place) for patterns_, place in groups.values())


def _classic(tree: _Tree) -> str:
    patterns = _patterns(tree, [*tree.own(), *tree.fetched()], lambda name, range_: f"{name}@{range_}")
    lines = ["# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.", "# yarn lockfile v1", "", ""]

    def identity(place: str) -> Any:
        entry = tree.packages[place]
        installed = place.rpartition("node_modules/")[2]
        return tree.name(place), installed, entry.get("version"), entry.get("resolved"), entry.get("integrity")

    for asked, place in _groups(tree, patterns, identity):
        entry = tree.packages[place]
        if entry.get("inBundle"):
            raise CannotSay("yarn 1 does not tell bundled packages from others")
        lines.append(", ".join(_quoted(pattern) for pattern in asked) + ":")
        if "version" not in entry:
            raise CannotSay("yarn 1 always has a version")
        lines.append(f'  version "{entry["version"]}"')
        if "resolved" in entry:
            lines.append(f"  resolved {json.dumps(entry['resolved'])}")
        if "integrity" in entry:
            integrity = entry["integrity"]
            lines.append(f"  integrity {integrity if ' ' not in integrity and integrity else json.dumps(integrity)}")
        for section in ("dependencies", "optionalDependencies"):
            found = sorted((n, r) for s, n, r in tree.edges(place) if s == section)
            lines += [f"  {section}:"] if found else []
            lines += [f"    {_quoted(name)} {json.dumps(range_)}" for name, range_ in found]
        lines.append("")
    return "\n".join(lines)


# --------------------------------------------------------------------------------------------------------------------
# yarn 2 and later


def _descriptor(name: str, range_: str) -> str:
    return f"{name}@{range_ if ':' in range_ else f'npm:{range_}'}"


def _berry(tree: _Tree, directories: Mapping[str, Mapping[str, Any]]) -> str:
    root = str(tree.packages[""].get("name", ""))
    names = {"": root} | {place: _own_name(tree, place, directories) for place in tree.own() if place}
    patterns = _patterns(tree, [*tree.own(), *tree.fetched()], _descriptor)

    def resolution(place: str) -> str:
        entry, name = tree.packages[place], tree.name(place)
        resolved = str(entry.get("resolved", ""))
        match tree.source(place):
            case "git":
                address, _, commit = resolved.removeprefix("git+").partition("#")
                return f"{name}@{address}#commit={commit}"
            case "remote":
                return f"{name}@{resolved}"
            case "file":
                path = resolved.removeprefix("file:")
                bound = f"locator={quote(f'{root}@workspace:.', safe='')}"
                return f"{name}@file:{path}#{path}::hash=000000&{bound}"
        if "version" not in entry:
            raise CannotSay("yarn's locator of a registry's package is its version")
        plain = f"{name}@npm:{entry['version']}"
        return plain if tree.usual(place) else f"{plain}::__archiveUrl={quote(resolved, safe='')}"

    blocks: list[tuple[str, list[str]]] = []
    for place in tree.own():
        told = [f"{names[place]}@workspace:{place or '.'}"]
        told += [
            _descriptor(name, range_)
            for source in tree.own()
            for _, name, range_ in tree.edges(source)
            if place and tree.target(source, name) == place
        ]
        lines = ["  version: 0.0.0-use.local", f'  resolution: "{names[place]}@workspace:{place or "."}"']
        lines += _berry_edges(tree, place)
        blocks.append((", ".join(sorted(set(told))), [*lines, "  languageName: unknown", "  linkType: soft"]))
    for asked, place in _groups(tree, patterns, resolution):
        entry = tree.packages[place]
        if entry.get("inBundle"):
            raise CannotSay("yarn does not tell bundled packages from others")
        lines = [f"  version: {entry['version']}" if "version" in entry else "", f'  resolution: "{resolution(place)}"']
        lines += _berry_edges(tree, place)
        tokens = str(entry.get("integrity", "")).split()
        if len(tokens) > 1 or any(not token.startswith("sha512-") for token in tokens):
            raise CannotSay("yarn's checksum is its own, of one kind")
        if tokens:
            lines.append(f"  checksum: 10c0/{base64.b64decode(tokens[0][7:]).hex()}")
        limits = [f"{name}={one}" for name in ("os", "cpu") for one in entry.get(name, ())]
        lines += [f"  conditions: {' & '.join(limits)}"] if limits else []
        blocks.append(
            (", ".join(asked), [line for line in lines if line] + ["  languageName: node", "  linkType: hard"])
        )
    head = [
        '# This file is generated by running "yarn install" inside your project.',
        "# Manual changes might be lost - proceed with caution!",
        "",
        "__metadata:",
        "  version: 10",
        "  cacheKey: 10c0",
        "",
    ]
    for key, lines in sorted(blocks):
        head += [f'? "{key}"', ":"] if len(key) > 1000 else [f'"{key}":']
        head += [*lines, ""]
    return "\n".join(head)


def _own_name(tree: _Tree, place: str, directories: Mapping[str, Mapping[str, Any]]) -> str:
    told = directories.get(place, {}).get("name") or tree.packages[place].get("name")
    return str(told) if told else place.rpartition("/")[2]


def _berry_edges(tree: _Tree, place: str) -> list[str]:
    found = sorted((name, range_, section) for section, name, range_ in tree.edges(place))
    lines = ["  dependencies:"] if found else []
    for name, range_, _ in found:
        shown = f'"{name}"' if name[:1] == "@" else name
        lines.append(f'    {shown}: "{_descriptor(name, range_)[len(name) + 1 :]}"')
    peers = sorted(tree.packages[place].get("peerDependencies", {}).items())
    lines += ["  peerDependencies:"] if peers else []
    lines += [f"    {json.dumps(name) if name[:1] == '@' else name}: {json.dumps(range_)}" for name, range_ in peers]
    optional = [name for name, _, section in found if section == "optionalDependencies"]
    lines += ["  dependenciesMeta:"] if optional else []
    for name in optional:
        lines += [f"    {json.dumps(name) if name[:1] == '@' else name}:", "      optional: true"]
    return lines


# --------------------------------------------------------------------------------------------------------------------
# bun


def _bun(tree: _Tree, directories: Mapping[str, Mapping[str, Any]]) -> str:
    spaces: dict[str, Any] = {}
    for place in tree.own():
        entry = tree.packages[place]
        told = {"name": entry.get("name") if not place else _own_name(tree, place, directories)}
        if place and "version" in entry:
            told["version"] = entry["version"]
        for section in (*SECTIONS, "peerDependencies"):
            if entry.get(section):
                told[section] = dict(sorted(entry[section].items()))
        spaces[place] = {key: value for key, value in told.items() if value is not None}
    lines = ["{", '  "lockfileVersion": 1,', '  "workspaces": {']
    for place, told in spaces.items():
        text = json.dumps(told, indent=2, ensure_ascii=False)
        text = re.sub(r"(?<=[\"}])(?=\n\s*})", ",", text)
        lines.append(f"    {json.dumps(place)}: " + text.replace("\n", "\n    ") + ",")
    lines += ["  },", '  "packages": {']
    names = {place: _own_name(tree, place, directories) for place in tree.own() if place}
    found: dict[str, str] = {}
    for place in tree.packages:
        if place in spaces:
            continue
        base = next((f"{names[own]}{place[len(own) :]}" for own in names if place.startswith(f"{own}/")), place)
        key = base.replace("/node_modules/", "/").removeprefix("node_modules/")
        found[key] = json.dumps(_bun_entry(tree, place, names), ensure_ascii=False)
    order = sorted(found, key=lambda key: (key.count("/") - key.count("@"), key))
    lines += [
        "\n".join(f"    {json.dumps(key)}: {_spaced(found[key])},\n" for key in order).rstrip("\n"),
        "  }",
        "}",
        "",
    ]
    return "\n".join(lines)


def _spaced(text: str) -> str:
    return re.sub(r"\{(?!\})", "{ ", re.sub(r"(?<!\{)\}", " }", text)) if '"{' not in text else text


def _bun_entry(tree: _Tree, place: str, names: Mapping[str, str]) -> list[Any]:
    entry, name = tree.packages[place], tree.name(place)
    if entry.get("link"):
        directory = str(entry["resolved"])
        if directory not in names:
            raise CannotSay("bun links to workspaces only")
        return [f"{names[directory]}@workspace:{directory}"]
    info: dict[str, Any] = {}
    for section in ("dependencies", "optionalDependencies", "peerDependencies"):
        if entry.get(section):
            info[section] = dict(sorted(entry[section].items()))
    optional = sorted(n for n, m in entry.get("peerDependenciesMeta", {}).items() if m.get("optional"))
    info |= {"optionalPeers": optional} if optional else {}
    for key in ("os", "cpu"):
        if entry.get(key):
            info[key] = entry[key][0] if len(entry[key]) == 1 else entry[key]
    if entry.get("inBundle"):
        info["bundled"] = True
    resolved, integrity = str(entry.get("resolved", "")), entry.get("integrity", "")
    match tree.source(place):
        case "git":
            return [f"{name}@{resolved}", info, resolved.partition("#")[2]]
        case "remote":
            return [f"{name}@{resolved}", info, integrity]
        case "file":
            return [f"{name}@{resolved.removeprefix('file:')}", info, integrity]
    if "version" not in entry:
        raise CannotSay("bun's entry of a registry's package is name and version")
    return [f"{name}@{entry['version']}", "" if tree.usual(place) else resolved, info, integrity]
