"""How an artefact is tied to the lockfile (P13): what was found, compared with what the lockfile says. Pure.

`dumps` and `loads` keep an `Inventory` as the evidence stores it; `compare` judges it, now and in a replay. What counts
as a difference, and what need not be there, is said in docs/links.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from sbomgate.errors import EvidenceError
from sbomgate.model import OWN_KINDS, DependencyGraph, Kind, Package
from sbomgate.model.graph import Hash
from sbomgate.model.link import (
    CONTAINED,
    INSTALLED,
    FileDifferences,
    FoundLink,
    FoundOther,
    FoundPackage,
    Inventory,
    OtherEntry,
    Ties,
    TreeLink,
    TreeProblem,
)
from sbomgate.strict_json import load_object

SCHEMA = "sbomgate/inventory/v1"
MAX_SHOWN = 50  # problems of one code that a decision repeats; the stored inventory has all of them

AGAINST = frozenset({"altered", "extra", "link-elsewhere", "missing", "script-changed", "special"})
"""Codes with which a tree is not what the lockfile says: the link does not hold."""

STORES = (".pnpm", ".store", ".bun")
"""Folders of node_modules that hold every package once, in a folder of its own: pnpm's, npm's and yarn's, bun's."""


@dataclass(slots=True)
class Expected:
    """What a lockfile says of a tree.

    Attributes:
        placed: it says where each package lies (npm's does).
        by_place: place → package, where `placed`.
        by_name: (name, version) → packages; the version is None where the lockfile states none.
        archives: (name, version) → SHA-512 (hex) of the archives that yarn 2 and later make, by yarn.lock's checksums.
    """

    placed: bool
    by_place: dict[str, Package] = field(default_factory=dict)
    by_name: defaultdict[tuple[str, str | None], list[Package]] = field(default_factory=lambda: defaultdict(list))
    archives: Mapping[tuple[str, str | None], tuple[str, ...]] = field(default_factory=dict)

    def zips(self, name: str | None, version: str | None) -> tuple[str, ...]:
        """Return the SHA-512 (hex) of yarn's archives of a package that this lockfile holds."""
        package = None if name is None else self.at("", name, version)
        return () if package is None else self.archives.get((package.name, plain(package.version)), ())

    def at(self, place: str, name: str | None, version: str | None) -> Package | None:
        """Return the package that should lie at a place; where no place is said, one of this name and version."""
        if self.placed and not in_store(place):
            return self.by_place.get(place)
        if name is None:
            return None
        found = self.by_name.get((name, plain(version))) or self.by_name.get((name, None))
        return found[0] if found else None

    def tarballs(self, place: str, name: str | None, version: str | None) -> list[tuple[str, str | None]]:
        """Return (SHA-512, address) of each tarball that what lies at a place may be of; `zip:` and a checksum too."""
        package = self.at(place, name, version)
        if package is None:
            return []
        is_placed = self.placed and not in_store(place)
        same = [package] if is_placed else self.by_name[package.name, plain(package.version)]
        zips = self.archives.get((package.name, plain(package.version)), ())
        # A patched package is not what its tarball holds; yarn's archive of it has the patch in it.
        tarballs = {one.sha512: one.resolved for one in same if one.sha512 is not None and not _is_patched(one)}
        return [*sorted(tarballs.items()), *((f"zip:{one}", None) for one in zips)]


def is_placed(graph: DependencyGraph, link: str) -> bool:
    """Whether the lockfile says where each package lies: npm's does, but not in the artefact of one workspace."""
    return graph.lockfile.kind == "npm" and (link == INSTALLED or graph.workspace is None)


def _is_patched(package: Package) -> bool:
    return package.kind is Kind.PATCH or "(patch_hash=" in package.id  # pnpm says it in the key


def expected(
    packages: Iterable[Package],
    *,
    placed: bool,
    archives: Mapping[tuple[str, str | None], tuple[str, ...]] | None = None,
) -> Expected:
    """Return what a lockfile says of a tree that is installed from it."""
    found = Expected(placed=placed, archives=archives or {})
    for package in packages:
        if package.kind in OWN_KINDS:
            continue
        if found.placed:
            found.by_place[package.id] = package
        found.by_name[package.name, plain(package.version)].append(package)
    return found


def elsewhere(whole: DependencyGraph, part: DependencyGraph) -> tuple[OtherEntry, ...]:
    """Return what the whole lockfile holds beside a part of it."""
    held = {package.id for package in part.packages}
    known = {package.id: package.name for package in whole.packages}
    aliases: defaultdict[str, set[str]] = defaultdict(set)
    for edge in whole.edges:
        if edge.target is not None and known.get(edge.target) != edge.name:
            aliases[edge.target].add(edge.name)
    return tuple(
        OtherEntry(
            id=p.id,
            name=p.name,
            version=p.version,
            own=p.kind in OWN_KINDS,
            aliases=tuple(sorted({*aliases[p.id], *([p.alias] if p.alias else [])})),
            hashes=p.hashes,
        )
        for p in whole.packages
        if p.id not in held and p.kind is not Kind.ROOT
    )


def as_package(entry: OtherEntry) -> Package:
    """Return an entry as a package, for `expected`."""
    kind = Kind.WORKSPACE if entry.own else Kind.UNKNOWN
    return Package(id=entry.id, name=entry.name, version=entry.version, kind=kind, hashes=entry.hashes)


def brief(ties: Ties) -> Ties:
    """Return the ties without the single problems: what a signed decision repeats of them."""
    return Ties(
        installed=None if ties.installed is None else replace(ties.installed, problems=()),
        contained=None if ties.contained is None else replace(ties.contained, problems=()),
        provenance=ties.provenance,
    )


def in_store(place: str) -> bool:
    """Whether a place is inside a store, where the folder's name and not the lockfile says which package it is."""
    return any(f"node_modules/{store}/" in place for store in STORES)


def package_name(place: str) -> str:
    """Return the name that a package has where it lies: the last part, and its scope."""
    return place.rpartition("node_modules/")[2]


def plain(version: str | None) -> str | None:
    """Return a version as registries spell it: without `v` and build metadata."""
    return None if version is None else version.strip().lstrip("v=").partition("+")[0]


# --------------------------------------------------------------------------------------------------------------------
# Comparing


def compare(graph: DependencyGraph, inventory: Inventory) -> TreeLink:
    """Compare what was found with the lockfile: all that was found must be in it, all that it needs must be there.

    Args:
        graph: what the decision is about.
        inventory: what a reader found.
    """
    return _Comparison(graph, inventory).result()


class _Comparison:
    def __init__(self, graph: DependencyGraph, inventory: Inventory) -> None:
        self.inventory = inventory
        placed = is_placed(graph, inventory.link)
        packages = [p for p in graph.packages if p.kind not in OWN_KINDS]
        # An artefact holds no more than what runs; in an installed tree the tools that built it may lie as well.
        development = [p for p in packages if p.dev] if inventory.link == CONTAINED else []
        self.own = [p for p in packages if not p.dev] if inventory.link == CONTAINED else packages
        others = [as_package(entry) for entry in inventory.elsewhere]
        self.wanted = expected(self.own, placed=placed)
        self.development = expected(development, placed=placed)
        self.others = expected(others, placed=placed)
        self.projects = {p.alias or p.name for p in (*graph.packages, *others) if p.kind in OWN_KINDS}
        self.places = {one.place: one for one in inventory.packages}
        self.linked = {one.place for one in inventory.links}
        self.commands = {one.place for one in inventory.others if one.place.endswith((".cmd", ".ps1"))}
        named = {p.id: (p.name, plain(p.version)) for p in graph.packages}
        self.aliases = {(e.name, *named[e.target]) for e in graph.edges if e.target in named}
        self.aliases |= {(n, e.name, plain(e.version)) for e in inventory.elsewhere for n in e.aliases}
        self.aliases |= {(p.alias, p.name, plain(p.version)) for p in graph.packages if p.alias is not None}
        self.problems: list[TreeProblem] = []
        self.found: set[str] = set()
        self.names: set[tuple[str, str | None]] = set()
        self.same = self.compared = self.elsewhere = self.bundled = 0

    def result(self) -> TreeLink:
        for one in self.inventory.packages:
            self._package(one)
        for link in self.inventory.links:
            self._link(link)
        for other in self.inventory.others:
            self._say(self._code_of(other), other.place, None, _OTHERS[other.kind])
        absent = self._missing()
        self.problems.sort(key=lambda p: (p.code, p.place, p.message))
        counts = Counter(p.code for p in self.problems)
        shown: Counter[str] = Counter()
        first = []
        for problem in self.problems:
            shown[problem.code] += 1
            if shown[problem.code] <= MAX_SHOWN:
                first.append(problem)
        return TreeLink(
            link=self.inventory.link,
            material=hashlib.sha256(dumps(self.inventory)).hexdigest(),
            packages=self.same,
            bytes=self.compared,
            absent=absent,
            elsewhere=self.elsewhere,
            bundled=self.bundled,
            files=self.inventory.files,
            counts=tuple(sorted(counts.items())),
            problems=tuple(first),
            holds=not AGAINST & counts.keys(),
        )

    def _say(self, code: str, place: str, package: Package | None, message: str) -> None:
        self.problems.append(
            TreeProblem(code=code, place=place, package=None if package is None else package.id, message=message)
        )

    # (1) what lies there is the lockfile's, under its own name and version
    def _package(self, one: FoundPackage) -> None:
        package = self.wanted.at(one.place, one.name, one.version)
        if package is None:
            self._stranger(one)
            return
        self.found.add(package.id)
        self.names.add((package.name, plain(package.version)))
        if self._is(one, package, package) and self._bytes(one, package):
            self.same += 1
            self.compared += one.tarball is not None

    def _stranger(self, one: FoundPackage) -> None:
        for known in (self.others, self.development):
            package = known.at(one.place, one.name, one.version)
            if package is None:
                continue
            if self._is(one, package, None) and self._bytes(one, None):
                self.elsewhere += 1
                if known is self.development:
                    self._say("development", one.place, None, f"{_label(one)} is for development alone")
            return
        if one.tarball is not None:  # it is inside another package's tarball, and was compared with that
            self.bundled += self._bytes(one, None)
        elif one.bundled:
            self._say("bundled-unlisted", one.place, None, f"{_label(one)}: the package around it says it bundles it")
        else:
            broken = f" (its package.json {one.problem})" if one.problem else ""
            self._say("extra", one.place, None, f"{_label(one)}{broken}: the lockfile has no such package there")

    def _is(self, one: FoundPackage, package: Package, shown: Package | None) -> bool:
        if one.problem:
            self._say("altered", one.place, shown, f"its package.json {one.problem}")
            return False
        if one.name != package.name or (package.version is not None and plain(one.version) != plain(package.version)):
            wanted = f"{package.name} {package.version or ''}".strip()
            self._say("altered", one.place, shown, f"{_label(one)} lies there, the lockfile says {wanted}")
            return False
        folder = package_name(one.place)
        if folder not in (package.name, package.alias) and (folder, *_key(package)) not in self.aliases:
            self._say("altered", one.place, shown, f"{_label(one)} lies there, and nothing depends on it as {folder}")
            return False
        return True

    # (2) its files are those of the tarball, where that was at hand
    def _bytes(self, one: FoundPackage, package: Package | None) -> bool:
        sound = True
        for difference in one.differences:
            code = "altered"
            if one.scripted:
                code = "script-made" if difference.kind == "added" else "script-changed"
            more = difference.count - len(difference.paths)
            names = ", ".join(difference.paths) + (f" and {more} more" if more else "")
            self._say(code, one.place, package, f"{_label(one)}: {difference.kind} against its tarball: {names}")
            sound = sound and code == "script-made"
        return sound

    # (3) links lead to packages of the tree under a name that the lockfile gives them, or to the project's own code
    def _link(self, link: FoundLink) -> None:
        if link.target is None:
            self._say("link-elsewhere", link.place, None, "a link that leaves the tree, or leads nowhere")
            return
        own = "node_modules" not in link.target.split("/")
        if "/.bin/" in link.place:
            if not own and not any(folder in self.places or folder in self.linked for folder in _folders(link.target)):
                self._say("link-elsewhere", link.place, None, f"a command that leads to {link.target}, in no package")
            return
        name, found = package_name(link.place), self.places.get(link.target)
        if own and name in self.projects:
            return
        if found is not None and (name == found.name or (name, found.name, plain(found.version)) in self.aliases):
            return
        self._say("link-elsewhere", link.place, None, f"a link to {link.target}, which is not what {name} is here")

    def _code_of(self, other: FoundOther) -> str:
        if other.kind == "loose":  # `require` finds it like a package
            return "extra"
        if other.kind == "shim" and "store" not in self.inventory.layouts:
            # Only pnpm writes commands as files; npm and yarn do so on Windows, each with its twin.
            return "shim" if {other.place, f"{other.place}.cmd"} & self.commands else "entry"
        return other.kind

    # (4) what the lockfile needs is there
    def _missing(self) -> int:
        absent = 0
        missing = [p for p in self.own if not self._is_there(p)]
        # Development, and peers, are installed as a whole or left out as a whole.
        develops = any(p.dev and self._is_there(p) for p in self.own)
        peers = any(p.peer and self._is_there(p) for p in self.own)
        for package in missing:
            limited = package.os or package.cpu or package.libc
            spared = package.optional or limited or not package.reachable or package.id.startswith("env:")
            if spared or (package.dev and not develops) or (package.peer and not peers):
                absent += 1
            else:
                label = f"{package.name} {package.version or ''}".strip()
                self._say("missing", package.id, package, f"{label} is in the lockfile, and not there")
        return absent

    def _is_there(self, package: Package) -> bool:
        if package.id in self.found:
            return True
        by_name = not self.wanted.placed or "store" in self.inventory.layouts
        return by_name and (package.name, plain(package.version)) in self.names


_OTHERS = {
    "loose": "a file that code can load like a package: the lockfile has no such package",
    "entry": "lies in node_modules and belongs to no package: code can load it",
    "shim": "a command that the package manager wrote: not compared",
    "loader": "Plug'n'Play's own code: not compared, only what it lists",
    "stray": "a node_modules folder where the lockfile puts none: not compared",
    "outside": "packages beside the part that is compared",
    "special": "neither file, folder nor link",
}


def _key(package: Package) -> tuple[str, str | None]:
    return package.name, plain(package.version)


def _label(one: FoundPackage) -> str:
    return f"{one.name or '(no name)'} {one.version or '(no version)'}"


def _folders(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path


# --------------------------------------------------------------------------------------------------------------------
# As the evidence stores it


def dumps(inventory: Inventory) -> bytes:
    """Return an inventory as JSON: the same one gives the same bytes."""
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "link": inventory.link,
            "layouts": inventory.layouts,
            "packages": [
                {
                    "place": one.place,
                    "name": one.name,
                    "version": one.version,
                    "problem": one.problem,
                    "files": one.files,
                    "tarball": one.tarball,
                    "scripted": one.scripted,
                    "bundled": one.bundled,
                    "differences": [{"kind": d.kind, "paths": d.paths, "count": d.count} for d in one.differences],
                }
                for one in inventory.packages
            ],
            "links": [{"place": one.place, "target": one.target} for one in inventory.links],
            "others": [{"place": one.place, "kind": one.kind} for one in inventory.others],
            "elsewhere": [
                {
                    "id": one.id,
                    "name": one.name,
                    "version": one.version,
                    "own": one.own,
                    "aliases": one.aliases,
                    "hashes": [[h.algorithm, h.hex] for h in one.hashes],
                }
                for one in inventory.elsewhere
            ],
            "files": inventory.files,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def loads(data: bytes, where: str) -> Inventory:
    """Return the inventory that `dumps` wrote as exactly these bytes.

    Raises:
        EvidenceError: it did not.
    """
    document: dict[str, Any] = load_object(data, where)
    try:
        found = Inventory(
            link=document["link"],
            layouts=tuple(document["layouts"]),
            packages=tuple(
                FoundPackage(
                    **{
                        **one,
                        "differences": tuple(
                            FileDifferences(kind=d["kind"], paths=tuple(d["paths"]), count=d["count"])
                            for d in one["differences"]
                        ),
                    }
                )
                for one in document["packages"]
            ),
            links=tuple(FoundLink(**one) for one in document["links"]),
            others=tuple(FoundOther(**one) for one in document["others"]),
            elsewhere=tuple(
                OtherEntry(
                    **{
                        **one,
                        "aliases": tuple(one["aliases"]),
                        "hashes": tuple(Hash(algorithm=a, hex=h) for a, h in one["hashes"]),
                    }
                )
                for one in document["elsewhere"]
            ),
            files=document["files"],
        )
        again = dumps(found)
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise EvidenceError(f"not an inventory of this version ({type(e).__name__}: {e})", where=where) from e
    if again != data or any(one.kind not in _OTHERS for one in found.others):
        raise EvidenceError("not what an inventory is written as: altered, or of another version", where=where)
    return found
