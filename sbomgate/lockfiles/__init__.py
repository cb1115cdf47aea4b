"""Lockfile readers: one module per format, one interface, no I/O of their own.

A reader is a module of this package whose name has no leading underscore. It has

    FILENAMES: tuple[str, ...]                                   in the order in which its manager prefers them
    def read(files: ProjectFiles, path: str) -> DependencyGraph
    def directory_of(package: Package) -> str | None             of a workspace; None for what only looks like one

and `READERS` says which file names it reads, so that only the reader that is needed is imported; a test compares.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from posixpath import join, normpath
from typing import TYPE_CHECKING, Any

from sbomgate.errors import InputError, UsageError
from sbomgate.lockfiles import _above, _corepack
from sbomgate.lockfiles._told import told
from sbomgate.model import DependencyGraph, Kind, LockFinding, Package, ProjectFiles
from sbomgate.strict_json import load_object

if TYPE_CHECKING:
    from sbomgate.lockfiles._workspaces import Workspace

READERS = {
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "npm-shrinkwrap.json": "npm",
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
}
"""File name → module of its reader; a manager's own names in the order of its preference."""

_SBOM_SUFFIXES = (".json", ".xml", ".cdx")
# Lockfiles of managers that no reader of ours reads yet; a reader that names the file takes it out of this table.
_KNOWN = {
    "deno.lock": "deno",
}

NAMES = frozenset(READERS) | frozenset(_KNOWN)
"""What a lockfile is called."""

_UNPLUGGED, _ARCHIVES = ".yarn/unplugged", ".yarn/cache"
# Settings that name a cache or store whose content its manager believes.
_CACHES = frozenset(
    """cache-folder preferred-cache-folder --cache-folder --install.cache-folder --preferred-cache-folder
    --install.preferred-cache-folder storeDir store-dir virtualStoreDir virtual-store-dir modulesDir modules-dir
    bunfig:install.cache bunfig:install.cache.dir""".split()  # noqa: SIM905
)

OTHERS = ("other-lockfile", "nested-lockfile", "shrinkwrap-shadow")
"""Codes of findings about a lockfile that is there and was not read."""


def read(files: ProjectFiles, path: str | None = None) -> DependencyGraph:
    """Read the project's lockfile: the one at `path`, else the only one, else that of the manager in `packageManager`.

    At `path` there may be a CycloneDX SBOM in its place: what others made is read by `read_sbom`.

    A lockfile of another manager beside it is a finding (`other-lockfile`): nobody gates that one.

    Raises:
        InputError: there is none, or several and nothing says which counts, its format is not supported, it has no
            single meaning, or it is over a limit.
    """
    if path is not None:
        name = path.rpartition("/")[2]
        if name not in READERS:
            if name not in _KNOWN and name.endswith(_SBOM_SUFFIXES):
                return read_sbom(files, path)
            raise InputError(
                f"{_KNOWN[name]} lockfiles are not supported yet" if name in _KNOWN else "not the name of a lockfile",
                where=path,
                hint=f"supported: {', '.join(READERS)}, or a CycloneDX SBOM (*{', *'.join(_SBOM_SUFFIXES)})",
            )
        return _read(files, path)
    found = [name for name in READERS if files.has(name)]
    if len({READERS[name] for name in found}) > 1:
        manager = _manager(files)
        own = [name for name in found if READERS[name] == manager]
        if not own:
            raise InputError(
                f"several lockfiles: {', '.join(found)}",
                where=found[0],
                hint="name the one to judge, say in package.json's packageManager who installs, or remove the others",
            )
        found = own
    if found:
        return _read(files, found[0])
    later = [name for name in _KNOWN if files.has(name)]
    if later:
        raise InputError(
            f"{_KNOWN[later[0]]} lockfiles are not supported yet",
            where=later[0],
            hint=f"supported: {', '.join(READERS)}",
        )
    raise InputError(
        f"no lockfile here: looked for {', '.join(READERS)}",
        hint="run `npm install --package-lock-only` and commit the lockfile, or name the project's directory",
    )


def read_sbom(files: ProjectFiles, path: str) -> DependencyGraph:
    """Read the CycloneDX SBOM at `path`, whatever its name is: see `sbomgate.lockfiles.cyclonedx`.

    Raises:
        InputError: not CycloneDX 1.4 to 1.7, without one single meaning, or over a limit.
    """
    from sbomgate.lockfiles import cyclonedx

    return _with_copies(cyclonedx.read(files, path))


def sbom_document(data: bytes, where: str) -> dict[str, Any]:
    """Return the document of an SBOM by whomever, as JSON has it: of XML, what the profiles of conformance ask for.

    Nothing in it is believed here.

    Raises:
        InputError: neither JSON nor XML with one meaning, not CycloneDX, or over a limit.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        from sbomgate.lockfiles import _cyclonedx_xml

        return _cyclonedx_xml.loads(data, where, claims=True)
    return load_object(data, where)


def note_others(graph: DependencyGraph, paths: Sequence[str], unseen: Sequence[str] = ()) -> DependencyGraph:
    """Return the graph with a finding for each lockfile among `paths` that nothing has judged yet.

    Args:
        graph: of the lockfile that is judged.
        paths: lockfiles in the project's folder and below (`project.find`), relative to it.
        unseen: directories where there may be others.
    """
    known = {finding.place for finding in graph.findings if finding.code in OTHERS}
    folder = graph.lockfile.path.rpartition("/")[0]
    more = [
        LockFinding(
            code="lockfile-not-judged",
            rule="lockfile_sound",
            package=None,
            place=path,
            message=f"a lockfile of its own, which {graph.lockfile.path} says nothing about: what is installed from it "
            "is not judged here",
        )
        for path in paths
        if path not in known and path.rpartition("/")[0] != folder
    ]
    more += [
        LockFinding(
            code="lockfile-not-judged",
            rule="lockfile_sound",
            package=None,
            place=path,
            message="cannot be searched: a lockfile in it is not judged here",
        )
        for path in unseen
    ]
    return told(graph, more)


def unjudged_folders(graph: DependencyGraph) -> tuple[str, ...]:
    """Return the folders in which packages lie once they are installed, relative to the project's, sorted.

    What is committed there nobody compares with the lockfile, and managers may leave it as it is (`note_committed`).
    """
    folder = graph.lockfile.path.rpartition("/")[0]
    settings = graph.manager.settings
    own = {one.path for one in workspaces(graph)}
    own |= {
        package.resolved.rpartition(":")[2]
        for package in graph.packages
        if package.kind is Kind.LINK and package.resolved
    }
    found = {join(one, "node_modules") for one in own}
    if graph.manager.name == "yarn" and graph.lockfile.version != "1":
        found |= {_UNPLUGGED, settings.get("cacheFolder", _ARCHIVES)}
    found |= {value for key, value in settings.items() if key in _CACHES}
    paths = {normpath(join(folder, one)) for one in found if one[:1] not in ("/", "~") and ":" not in one}
    return tuple(sorted(one for one in paths if one != "." and not one.startswith("..")))


def note_committed(graph: DependencyGraph, held: Mapping[str, str]) -> DependencyGraph:
    """Return the graph with a finding for each of `unjudged_folders` that is part of the repository.

    Args:
        graph: of the lockfile that is judged.
        held: folder → digest of what is committed there, so that other files are another setting.
    """
    archives = normpath(graph.manager.settings.get("cacheFolder", _ARCHIVES))
    found: list[LockFinding] = []
    settings: dict[str, str] = {}
    for path, digest in held.items():
        if graph.manager.name == "yarn" and graph.lockfile.version != "1" and path == archives:
            code = "archives-in-repository"
            message = (
                "yarn installs the archives that are committed here, by checksums that are committed with them: no "
                "registry is asked whether they are what they are called"
            )
        else:
            code = "packages-in-repository"
            message = (
                f"files are committed here, where {graph.manager.name} keeps packages: it may leave them as they are, "
                "and nobody compares them with the lockfile"
            )
            settings[f"committed:{path}"] = f"sha256:{digest}"
        found.append(LockFinding(code=code, rule="lockfile_sound", package=None, place=path, message=message))
    return told(graph, found, settings)


def workspaces(graph: DependencyGraph) -> tuple[Workspace, ...]:
    """Return the root project (path ".") and every workspace that the lockfile knows, the root first, then by path.

    Raises:
        UsageError: the graph is of an SBOM.
    """
    from sbomgate.lockfiles import _workspaces

    if graph.lockfile.kind not in READERS.values():
        raise UsageError(
            "an SBOM says nothing of workspaces", where=graph.lockfile.path, hint="name the project or its lockfile"
        )
    reader = importlib.import_module(f"{__name__}.{graph.lockfile.kind}")
    return _workspaces.workspaces(graph, reader.directory_of)


def checksums(files: ProjectFiles, graph: DependencyGraph) -> dict[tuple[str, str | None], tuple[str, ...]]:
    """Return (name, version) → SHA-512 (hex) of the archives that yarn 2 and later pin; of other managers nothing."""
    if graph.lockfile.kind != "yarn":
        return {}
    from sbomgate.lockfiles import yarn

    return yarn.checksums(files.read(graph.lockfile.path) or b"", graph.lockfile.path)


def choose(known: Sequence[Workspace], name: str) -> Workspace:
    """Return the one of these workspaces that a person names: `services/web`, `./services/web`, `@acme/web` or `.`.

    Raises:
        UsageError: there is no such workspace, or several are meant; the hint lists those that there are.
    """
    from sbomgate.lockfiles import _workspaces

    return _workspaces.choose(known, name)


def sub_graphs(files: ProjectFiles, graph: DependencyGraph, chosen: Iterable[Workspace]) -> Iterator[DependencyGraph]:
    """Yield the part of a graph that belongs to each of these workspaces, which is the root of that part.

    docs/monorepos.md says what belongs to a workspace.

    Args:
        files: what the graph was read from: no other file is read than was read for it.
        graph: of the whole lockfile.
        chosen: some of `workspaces(graph)`.

    Raises:
        InputError: a package.json is malformed, or the lockfile has an entry with the id of the root project, ".".
    """
    from sbomgate.lockfiles import _workspaces

    known = workspaces(graph)
    base = graph.lockfile.path.rpartition("/")[0]
    manifests: dict[str, dict[str, Any]] = {}
    for one in known:
        path = normpath(join(base, one.path, "package.json"))
        if path in graph.manager.files and (data := files.read(path)) is not None:
            manifests[one.id] = load_object(data, path)
    for one in chosen:
        yield _workspaces.sub_graph(graph, one, known, manifests)


def _manager(files: ProjectFiles) -> str:
    """Return the manager that `packageManager` names (`pnpm` of `pnpm@10.1.0`), "" where it names none."""
    data = files.read("package.json")
    named = load_object(data, "package.json").get("packageManager") if data is not None else None
    return named.partition("@")[0] if type(named) is str else ""


def _read(files: ProjectFiles, path: str) -> DependencyGraph:
    manager = READERS[path.rpartition("/")[2]]
    graph: DependencyGraph = _with_copies(importlib.import_module(f"{__name__}.{manager}").read(files, path))
    graph = _corepack.judge(files, _above.judge(files, graph))
    base = graph.lockfile.path.rpartition("/")[0]
    names = [name for name in (*READERS, *_KNOWN) if READERS.get(name) != manager]
    found = sorted({name for name in names if files.has(f"{base}/{name}" if base else name)})
    others = (
        LockFinding(
            code="other-lockfile",
            rule="lockfile_sound",
            package=None,
            place=name,
            message=f"lies beside {graph.lockfile.path}: whoever installs from it installs something else",
        )
        for name in found
    )
    return told(graph, others)


def _with_copies(graph: DependencyGraph) -> DependencyGraph:
    """Return the graph with a finding for each copy of a version that has other bytes than another copy (P5).

    A registry never has two tarballs of one version: two registries do, or one that lies (CASES T19).
    """
    first: dict[tuple[str, str], tuple[Package, str]] = {}
    findings: dict[str, LockFinding] = {}
    for package in graph.packages:
        if package.kind is not Kind.REGISTRY or package.version is None or (sha512 := package.sha512) is None:
            continue
        known, before = first.setdefault((package.name, package.version), (package, sha512))
        if before == sha512:
            continue
        # At both: which of the two is the registry's, the reader does not know.
        for one, other in ((package, known), (known, package)):
            message = f"another sha512 of {one.name[:200]}@{str(one.version)[:200]} than at {other.id[:200]}"
            found = LockFinding(
                code="integrity-differs", rule="lockfile_sound", package=one.id, place=one.id, message=message
            )
            findings.setdefault(one.id, found)
    return told(graph, findings.values())
