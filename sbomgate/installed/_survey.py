"""What lies in a tree, sorted by package: entries in, packages out. No I/O of its own.

A package is a folder `node_modules/NAME` or `node_modules/@SCOPE/NAME`; one directly inside another package's folder,
or in a store, is a package of its own. Everything else below a package's folder is a file of it, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath

from sbomgate.errors import InputError
from sbomgate.link import STORES, in_store
from sbomgate.model.link import FoundLink, FoundOther

MAX_ENTRIES = 1_000_000  # files of one tree, some 400 MB of memory: three times the largest monorepo known
MAX_PATH = 4096  # characters: PATH_MAX on Linux
MAX_PARTS = 300  # nesting of folders

MANIFEST = "package.json"
MODULES = "node_modules"
# What package managers write into node_modules for themselves, and no code loads: lists of what they installed.
_BOOKS = frozenset(
    {
        ".modules.yaml",
        ".package-lock.json",
        ".package-map.json",
        ".pnpm-workspace-state.json",
        ".pnpm-workspace-state-v1.json",
        ".yarn-integrity",
        ".yarn-state.yml",
        "lock.yaml",
    }
)


@dataclass(slots=True)
class File:
    """A regular file: what gives its SHA-256 (hex), and its bytes up to a limit."""

    sha256: Callable[[], str]
    read: Callable[[int], bytes]


@dataclass(slots=True)
class Entry:
    """Something in a tree, its path relative to the root: a file, a link (as it is written), or neither of the two."""

    path: str
    file: File | None = None
    link: str | None = None


@dataclass(slots=True)
class Folder:
    """A package's folder: path inside it → file, and links inside it."""

    place: str
    files: dict[str, File] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Survey:
    """Everything that lies in the trees below a root.

    Attributes:
        folders: place → package's folder.
        links: where packages or commands could lie.
        others: place → kind of what code could load and no package holds.
        layouts: kinds of trees.
        files: how many files.
    """

    folders: dict[str, Folder] = field(default_factory=dict)
    links: list[FoundLink] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)
    layouts: set[str] = field(default_factory=set)
    files: int = 0

    def found_others(self) -> tuple[FoundOther, ...]:
        """Return what code could load and no package holds, sorted."""
        return tuple(FoundOther(place=place, kind=kind) for place, kind in sorted(self.others.items()))


def survey(entries: Iterable[Entry], *, where: str, folders: frozenset[str] | None = None) -> Survey:
    """Sort the entries of a tree by package.

    Args:
        entries: everything that is in some folder `node_modules` below the root, and may be more.
        where: what to call the tree in errors.
        folders: where a folder `node_modules` may lie, relative to the root ("" for itself); None for anywhere.

    Raises:
        InputError: over a limit.
    """
    found = Survey()
    for count, entry in enumerate(entries):
        if count == MAX_ENTRIES:
            raise InputError(f"more than {MAX_ENTRIES:,} files", where=where, hint="name the project's folder itself")
        _take(found, entry, where, folders)
    found.layouts |= {"store" if in_store(place) else "hoisted" for place in found.folders}
    return found


def _take(found: Survey, entry: Entry, where: str, folders: frozenset[str] | None) -> None:
    path = entry.path
    parts = path.split("/")
    if len(path) > MAX_PATH or len(parts) > MAX_PARTS:
        raise InputError(
            f"a path of more than {MAX_PATH} characters or {MAX_PARTS} parts", where=where, place=path[:200]
        )
    if MODULES not in parts:
        return
    start = parts.index(MODULES)
    if folders is not None and "/".join(parts[:start]) not in folders:
        found.others["/".join(parts[: start + 1])] = "stray"
        return
    found.files += entry.file is not None
    end, hidden = _package_end(parts, start)
    place, inside = "/".join(parts[:end]), "/".join(parts[end:])
    if entry.file is None and entry.link is None:
        found.others[path] = "special"
    elif hidden:
        _hidden(found, entry, parts, end)
    elif end == 0:  # a loose file in node_modules, or in a scope's folder
        if entry.link is not None:
            found.links.append(FoundLink(place=path, target=resolve(path, entry.link)))
        else:
            found.others[path] = "loose"
    elif inside:
        folder = found.folders.setdefault(place, Folder(place))
        if entry.link is not None:
            folder.links.append(inside)
        else:
            assert entry.file is not None  # noqa: S101 - settled above
            folder.files[inside] = entry.file
    elif entry.link is not None:
        found.links.append(FoundLink(place=place, target=resolve(place, entry.link)))
    else:  # `node_modules/a` is a file: `require("a")` loads it
        found.others[path] = "loose"


def _package_end(parts: list[str], start: int) -> tuple[int, bool]:
    """Return how many parts name the innermost package, and whether the rest is hidden from it (`.bin`, `.cache`)."""
    at, end = start, 0
    while at < len(parts) and parts[at] == MODULES:
        first = at + 1
        if first >= len(parts):
            return end, False
        name = parts[first]
        if name in STORES:
            # .pnpm/a@1.0.0/node_modules/a, .store/@s/a@1.0.0/node_modules/@s/a; .pnpm/node_modules/a is a link
            deeper = next(
                (i for i in (first + 1, first + 2, first + 3) if i < len(parts) and parts[i] == MODULES), None
            )
            if deeper is None:
                return first, True
            at = deeper
            continue
        if name.startswith("."):
            return first, True
        width = 2 if name.startswith("@") else 1
        if first + width > len(parts) or (width == 2 and first + 1 >= len(parts)):
            return 0, False
        end = at = first + width
    return end, False


def _hidden(found: Survey, entry: Entry, parts: list[str], end: int) -> None:
    """Take what lies in a hidden folder of node_modules: commands, books, or what code could load."""
    name = parts[end]
    if name == ".bin" and len(parts) == end + 2:
        if entry.link is not None:
            found.links.append(FoundLink(place=entry.path, target=resolve(entry.path, entry.link)))
        else:
            found.others[entry.path] = "shim"
    elif parts[-1] in _BOOKS and len(parts) == end + (2 if name in STORES else 1):
        return
    elif name in STORES and len(parts) > end + 1:
        found.others["/".join(parts[: end + 2])] = "entry"
    else:
        found.others["/".join(parts[: end + 1])] = "entry"


def resolve(place: str, target: str) -> str | None:
    """Return where a link leads, relative to the tree's root, or None where it leaves it."""
    if not target or target.startswith(("/", "\\")) or "\0" in target or ":" in target.partition("/")[0]:
        return None
    path = normpath(join(dirname(place), target.replace("\\", "/")))
    return None if path in ("..", ".") or path.startswith("../") else path
