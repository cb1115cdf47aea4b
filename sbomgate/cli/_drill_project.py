"""A drill's project: a copy of the user's, and how its own package manager comes to lock a release.

The package manager is told one registry for everything, the drill's on loopback: what it would ask elsewhere it asks
there, and fails. Its home folder and caches lie in the scratch folder.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sbomgate.cli._drill_registry import SCOPE, Release

if TYPE_CHECKING:
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.model import DependencyGraph, Package

_SHIMS = ("VOLTA_HOME", "ASDF_DATA_DIR", "MISE_DATA_DIR", "FNM_DIR", "NVM_DIR")  # where those keep the programs
_ENTRY = re.compile(r"^(?=[^\s#])", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A project in the scratch folder: its folder, and its lockfile's path below that."""

    folder: Path
    lockfile: str

    def graph(self) -> DependencyGraph:
        """Return what its lockfile holds now.

        Raises:
            InputError: as `lockfiles.read`.
        """
        from sbomgate import lockfiles
        from sbomgate.project import DiskFiles

        return lockfiles.read(DiskFiles(self.folder), self.lockfile)


def copy(argument: str, scratch: Path, env: Environment) -> Copy | None:
    """Copy the project that PATH names, as deep in a repository as it is; None where it has no lockfile.

    Raises:
        InputError: there is no such folder, or the lockfile cannot be read, or is no package manager's.
    """
    from sbomgate import lockfiles
    from sbomgate.cli import _relock
    from sbomgate.cli._project import open_project
    from sbomgate.fix import _copy

    opened = open_project(argument, env)
    repository = scratch / "project"
    (repository / ".git").mkdir(parents=True)  # where the project ends
    if opened.lockfile is None and not any(opened.files.has(name) for name in lockfiles.NAMES):
        return None
    graph = lockfiles.read(opened.files, opened.lockfile)
    _relock.manager(graph)
    folder = repository / opened.files.root.relative_to(opened.files.repository)
    _copy.write(folder, _relock.originals(graph, opened.files))
    return Copy(folder=folder, lockfile=graph.lockfile.path)


def small(scratch: Path, base: Release) -> Copy:
    """Make a project that depends on one package of the drill's registry."""
    made = Copy(folder=scratch / "project", lockfile="package-lock.json")
    root = {"name": "drill", "version": "1.0.0"}
    lock = {**root, "lockfileVersion": 3, "requires": True, "packages": {"": dict(root)}}
    (made.folder / "package.json").write_text(json.dumps(root))
    (made.folder / made.lockfile).write_text(json.dumps(lock))
    _as_npm_does(made, base)
    return made


def arrive(made: Copy, release: Release, registry: str, scratch: Path, env: Environment) -> tuple[str, str]:
    """Have the project depend on a release, and its package manager lock it; return the command, and what came of it.

    Without npm on this machine a package-lock.json is written as npm leaves it.

    Args:
        made: the project.
        release: what arrives.
        registry: URL of where it is.
        scratch: where the package manager's home folder is made.
        env: the surroundings.

    Raises:
        InputError: the package manager is not there, fails, or leaves another lockfile than it should.
    """
    from sbomgate.cli import _programs, _relock
    from sbomgate.errors import InputError

    before = made.graph()
    if before.lockfile.kind == "npm" and _programs.on_path("npm", env, None) is None:
        _as_npm_does(made, release)
        command, by = "(npm is not on PATH: written as `npm install` leaves it)", "sbomgate"
    else:
        command, by = _lock(made, before, release, registry, scratch, env)
    after = made.graph()
    _relock.must_be_alike(before, after)
    held = [one for one in after.packages if (one.name, one.version) == (release.name, release.version)]
    if len(held) != 1 or not _binds(held[0], release.integrity):
        raise InputError(
            f"{by} did not lock {release.name} {release.version} with the integrity that the registry says",
            where=made.lockfile,
        )
    more = len(_versions(before) ^ _versions(after)) - 1
    beside = f", and changed {more} other packages" if more else ""
    return command, f"{by} locked {release.name} {release.version}{beside}"


def _lock(
    made: Copy, before: DependencyGraph, release: Release, registry: str, scratch: Path, env: Environment
) -> tuple[str, str]:
    from pathlib import Path

    from sbomgate.cli import _programs, _relock
    from sbomgate.fix import _copy

    manager, told = _relock.manager(before), _relock.settings(before)
    only = replace(told, registry=registry, scopes={**dict.fromkeys(told.scopes, registry), SCOPE: registry})
    command = manager.command(only)
    program = _relock.program(command.arguments[0], env, made.folder)
    folder = (made.folder / made.lockfile).parent
    _declare(folder / "package.json", release)
    if (before.lockfile.kind, before.lockfile.version) == ("yarn", "1"):
        # yarn 1 fetches every package of a lockfile that it writes: it locks this one alone, and its entry is put in.
        apart = scratch / "yarn"
        _copy.write(apart, {"package.json": b'{"name": "drill", "version": "1.0.0", "private": true}\n'})
        _declare(apart / "package.json", release)
        _copy.run(apart, command, program, _variables(scratch, env))
        _put_in(made.folder / made.lockfile, apart / "yarn.lock")
    else:
        _copy.run(folder, command, program, _variables(scratch, env))
        # From now on the settings say where the release is from, and of everything else what the project says.
        after = manager.command(replace(told, scopes={**told.scopes, SCOPE: registry})).files
        _copy.write(folder, {path: text.encode() for path, text in after.items()})
    version = _programs.version(Path(program), env=env)
    return " ".join(command.arguments), " ".join(filter(None, (command.arguments[0], version)))


def _declare(manifest: Path, release: Release) -> None:
    from sbomgate.fix import _json

    def edit(document: dict[str, Any]) -> None:
        _json.table(document, "dependencies")[release.name] = f"^{release.version}"

    manifest.write_bytes(_json.change(manifest.read_bytes(), manifest.name, edit))


def _put_in(lockfile: Path, other: Path) -> None:
    """Put the entries of one yarn.lock of yarn 1 into another, where yarn writes them: sorted by their first key."""
    text = lockfile.read_bytes().decode("utf-8")
    newline = "\r\n" if "\r\n" in text else "\n"
    head, *entries = _ENTRY.split(text.replace("\r\n", "\n"))
    entries += _ENTRY.split(other.read_text(encoding="utf-8"))[1:]
    entries.sort(key=lambda entry: entry.partition(":\n")[0].partition(", ")[0].strip('"'))
    made = head + "\n".join(entry.rstrip("\n") + "\n" for entry in entries)
    lockfile.write_bytes(made.replace("\n", newline).encode("utf-8"))


def _variables(scratch: Path, env: Environment) -> dict[str, str]:
    """Return the package manager's environment: no setting, no cache and no proxy of the user's."""
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    kept = ("PATH", "LANG", "SYSTEMROOT", "TMPDIR", *_SHIMS)
    cache = env.variables.get("XDG_CACHE_HOME") or str(env.home / ".cache")
    return {
        # corepack's shims run what is there already, and download nothing
        "COREPACK_HOME": env.variables.get("COREPACK_HOME") or f"{cache}/node/corepack",
        "COREPACK_ENABLE_NETWORK": "0",
        "HOME": str(home),
        **{name: env.variables[name] for name in kept if name in env.variables},
    }


def _as_npm_does(made: Copy, release: Release) -> None:
    """Write package-lock.json as `npm install` leaves it.

    Raises:
        InputError: its format is older than npm 7.
    """
    from sbomgate import strict_json
    from sbomgate.errors import InputError
    from sbomgate.fix import _json

    path = (made.folder / made.lockfile).parent / "package.json"
    _declare(path, release)
    entry = {"version": release.version, "resolved": release.resolved, "integrity": release.integrity}

    def edit(lock: dict[str, Any]) -> None:
        if lock.get("lockfileVersion") not in (2, 3):
            raise InputError(
                "a lockfile of npm 6 or older, which only npm itself can change",
                where=made.lockfile,
                hint="put npm on PATH; or run the drill in an empty folder: it makes a small project",
            )
        root = _json.table(lock, "packages", "")
        _json.table(root, "dependencies")[release.name] = f"^{release.version}"
        lock["packages"][f"node_modules/{release.name}"] = {**entry, "license": "MIT"}
        if isinstance(lock.get("dependencies"), dict):  # version 2 says everything twice
            lock["dependencies"][release.name] = entry

    lockfile = made.folder / made.lockfile
    strict_json.load_object(lockfile.read_bytes(), made.lockfile)
    lockfile.write_bytes(_json.change(lockfile.read_bytes(), made.lockfile, edit))


def _binds(package: Package, integrity: str) -> bool:
    """Whether a lockfile's entry holds this integrity; yarn 2 and later write a checksum of their own archive."""
    return package.integrity in (None, integrity)


def _versions(graph: DependencyGraph) -> set[tuple[str, str | None]]:
    return {(one.name, one.version) for one in graph.packages}


def name_and_packages(graph: DependencyGraph) -> tuple[str, int]:
    """Return what the project is called, and how many packages its lockfile holds."""
    return graph.packages[0].name or "(unnamed)", len(graph.packages) - 1
