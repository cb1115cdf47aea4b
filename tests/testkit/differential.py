"""One project, read by its package manager and by us: what each makes of a changed lockfile or package.json.

`Bench` lays a project out, lets `sbomgate check` judge it (profile `default`, first run), then lets the real manager
install it from a registry on this machine, frozen and without scripts, and compares what lies there with our graph:

    with bench(scratch) as here:
        outcome = here.try_out("npm-3", edit)      # edit: Files → Files
        outcome.accepted, outcome.code, outcome.differences

The projects are those of tests/fixtures/every-source, and of tests/fixtures/plain: one that nothing is wrong with, as
each pinned manager locks it (`fuzz/differential.py --make`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sbomgate import installed, link, lockfiles
from sbomgate.errors import SbomgateError
from sbomgate.model import DependencyGraph
from sbomgate.model.link import INSTALLED
from sbomgate.project import DiskFiles
from testkit import commandline
from testkit.commandline import REPOSITORY, World
from testkit.loopback import Loopback, loopback

MANAGERS = REPOSITORY / ".tools" / "managers" / "node_modules"
FIXTURES = REPOSITORY / "tests" / "fixtures"
Files = Mapping[str, bytes]

PLAIN: Mapping[str, Any] = {
    "package.json": {
        "name": "shop",
        "version": "1.0.0",
        "private": True,
        "workspaces": ["packages/*"],
        "dependencies": {"leaf": "1.0.0", "renamed": "npm:@fx/scoped@^1.0.0", "alias-user": "^1.0.0"},
        "devDependencies": {"overridden": "~1.0.0"},
        "optionalDependencies": {"platforms": "1.0.0"},
    },
    "packages/met/package.json": {
        "name": "met",
        "version": "1.0.0",
        "dependencies": {"needs-peer": "1.0.0", "leaf": "^2.0.0"},
    },
    "packages/uses/package.json": {"name": "@fx/uses", "version": "1.0.0", "dependencies": {"for-all": "^1.0.0"}},
}
"""A project that nothing is wrong with: an alias, one inside a package, a peer, workspaces, another platform."""

LOCKFILES: Mapping[str, str] = {
    "npm": "package-lock.json",
    "pnpm": "pnpm-lock.yaml",
    "yarn": "yarn.lock",
    "berry": "yarn.lock",
    "bun": "bun.lock",
}
"""Manager → its lockfile."""

NAMES = (
    "plain/npm-1", "plain/npm-2", "plain/npm-3", "plain/pnpm-9", "plain/yarn-1", "plain/berry-10", "plain/bun-2",
    "every-source/npm-2", "every-source/npm-3", "every-source/pnpm-9", "every-source/yarn-1", "every-source/berry-10",
    "every-source/bun-1", "every-source/bun-2",
)  # fmt: skip
"""The projects: of every format that a pinned manager installs from without writing it anew."""

_SECONDS = 120  # for one install of a handful of packages from this machine
_KEPT = ("shim", "bundled-unlisted", "loader")  # what an honest tree has too (docs/links.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one project.

    Attributes:
        accepted: the manager installed it. said: the end of what it said.
        code: of `sbomgate check`. codes: of the reader's findings. denies, warns: `rule/code` of what does so.
        error: why we could not read it.
        differences: what lies there otherwise than our graph says, `code place: message`; nothing where the manager
            refused, or we could not read it.
    """

    accepted: bool
    said: str
    code: int
    codes: frozenset[str] = frozenset()
    denies: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()
    error: str = ""
    differences: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Our answer in a word."""
        return {0: "allowed", 1: "denied"}.get(self.code, "refused")

    @property
    def is_wrong(self) -> bool:
        """Whether we allow what the manager refuses, or allow one set of packages and it installs another."""
        return self.code == 0 and (not self.accepted or bool(self.differences))


@dataclass(slots=True)
class Bench:
    """A registry, a world for the command line, and a home of their own for the managers."""

    here: Loopback
    world: World
    scratch: Path
    _originals: dict[str, Files] = field(default_factory=dict)
    _number: int = 0

    def original(self, name: str) -> Files:
        """Return the files of a fixture as they are for this machine's registry."""
        if name not in self._originals:
            manager, found = manager_of(name), fixture(name)
            files = {
                path: data if path.endswith(".tgz") else self.here.local(data.decode()).encode()
                for path, data in found.items()
                if not path.startswith("listing.")
            }
            files |= self._settings(manager, files)
            self._originals[name] = files
        return self._originals[name]

    def _settings(self, manager: str, files: Files) -> Files:
        found = {".npmrc": f"registry={self.here.registry}\n".encode()}
        if manager == "berry":
            found[".yarnrc.yml"] = (
                f"npmRegistryServer: {self.here.registry.rstrip('/')}\nunsafeHttpWhitelist:\n  - 127.0.0.1\n"
                '  - localhost\napprovedGitRepositories:\n  - "**"\nnodeLinker: node-modules\n'
            ).encode()
        if manager == "pnpm":
            own = files.get("pnpm-workspace.yaml", b"packages:\n  - packages/*\n")
            found["pnpm-workspace.yaml"] = own + b"minimumReleaseAge: 0\nenableGlobalVirtualStore: false\n"
        return found

    def make(self, name: str, target: Path) -> None:
        """Let a manager lock `PLAIN`, and keep the lockfile and the project in `target`."""
        manager, work, home = manager_of(name), self.world.project, self.scratch / "make"
        shutil.rmtree(work, ignore_errors=True)
        told = {path: json.dumps(content, indent=2).encode() + b"\n" for path, content in PLAIN.items()}
        for path, data in (told | dict(self._settings(manager, {}))).items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(data)
        if manager == "berry":
            (work / LOCKFILES[manager]).write_text("")  # its own project, whatever lies above
        command = [*COMMANDS[manager][: 3 if COMMANDS[manager][0] == "node" else 2], *MAKES[manager]]
        command = [word.replace("VERSION", name.rpartition("-")[2]) for word in command]
        if manager == "npm":
            command[2] = "install"
        home.mkdir(parents=True)
        (home / ".npmrc").write_text(f"registry={self.here.registry}\n")
        env = _environment(self.here, home) | {"CI": "", "YARN_ENABLE_IMMUTABLE_INSTALLS": "false"}
        subprocess.run(command, cwd=work, env=env, check=True)
        shutil.rmtree(home)
        shutil.rmtree(target, ignore_errors=True)
        told[LOCKFILES[manager]] = self.here.public((work / LOCKFILES[manager]).read_text()).encode()
        for path, data in told.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(data)

    def try_out(self, name: str, files: Files, *, hasty: bool = False) -> Outcome:
        """Let both read a project.

        Args:
            name: whose manager installs.
            files: the project.
            hasty: ask for our verdict only where it could be wrong: where the manager refuses what our reader reads,
                or installs something else. Elsewhere it counts as denied, with the findings of the reader.
        """
        self._number += 1
        home = self.scratch / f"{self._number}"
        root = home / "shop"
        _write(root, files)
        graph: DependencyGraph | None = None
        archives: Mapping[tuple[str, str | None], tuple[str, ...]] = {}
        error = ""
        try:
            disk = DiskFiles(root)
            graph = lockfiles.read(disk)
            archives = lockfiles.checksums(disk, graph)
        except SbomgateError as e:
            error = str(e)
        try:
            accepted, said = self._install(name, root, home)
            differences = self._compare(graph, archives, root, home) if accepted and graph is not None else ()
        finally:
            shutil.rmtree(home, ignore_errors=True)
        codes = frozenset(f.code for f in graph.findings) if graph is not None else frozenset()
        if hasty and (graph is None or (accepted and not differences)):
            return Outcome(
                accepted=accepted, said=said, code=2 if graph is None else 1, codes=codes, error=error,
                differences=differences,
            )  # fmt: skip
        shutil.rmtree(self.world.project, ignore_errors=True)
        _write(self.world.project, files)
        (self.world.project / ".git").mkdir()
        made = self.world.run("check", "shop", "--trust", "trust.toml", "--json")
        assert (made.code == 2) == (graph is None), (error, made.err)
        report = json.loads(made.out) if graph is not None else {}
        return Outcome(
            accepted=accepted,
            said=said,
            code=made.code,
            codes=codes,
            denies=_codes(report, "denials"),
            warns=_codes(report, "warnings"),
            error=error,
            differences=differences,
        )

    def _install(self, name: str, root: Path, home: Path) -> tuple[bool, str]:
        (home / ".npmrc").write_text(f"registry={self.here.registry}\n")  # pnpm 12 takes none from the environment
        done = subprocess.run(
            COMMANDS[manager_of(name)],
            cwd=root,
            env=_environment(self.here, home),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
        return done.returncode == 0, (done.stdout[-1000:] + done.stderr[:1500]).strip()

    def _compare(
        self, graph: DependencyGraph, archives: Mapping[Any, tuple[str, ...]], root: Path, home: Path
    ) -> tuple[str, ...]:
        known = link.expected(graph.packages, placed=link.is_placed(graph, INSTALLED), archives=archives)
        folders = ["" if one.path == "." else one.path for one in lockfiles.workspaces(graph)]
        caches = installed.Tarballs(npm_cache=home / "npm", yarn_cache=home / "yarn", zips=[home / "berry" / "cache"])
        try:
            found = link.compare(graph, installed.read_folder(root, known, tarballs=caches, folders=folders))
        except SbomgateError as e:
            return (f"unreadable: {e}",)
        return tuple(f"{p.code} {p.place}: {p.message}" for p in found.problems if p.code not in _KEPT)


def _write(root: Path, files: Files) -> None:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _codes(report: Mapping[str, Any], part: str) -> tuple[str, ...]:
    found = {f"{f['rule']}/{f['code']}" for entry in report.get(part, ()) for f in entry["findings"]}
    return tuple(sorted(found))


def _node(name: str, entry: str) -> list[str]:
    return ["node", str(MANAGERS / name / entry)]


COMMANDS: Mapping[str, list[str]] = {
    "npm": [*_node("npm", "bin/npm-cli.js"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps"],
    "pnpm": [str(MANAGERS / "@pnpm/exe.linux-x64/pnpm"), "install", "--frozen-lockfile", "--ignore-scripts"],
    "yarn": [*_node("yarn", "bin/yarn.js"), "install", "--frozen-lockfile", "--ignore-scripts", "--non-interactive"],
    "berry": [*_node("@yarnpkg/cli-dist", "bin/yarn.js"), "install", "--immutable"],
    "bun": [str(MANAGERS / "@oven/bun-linux-x64/bin/bun"), "install", "--frozen-lockfile", "--ignore-scripts"],
}
"""Frozen, without scripts: what a careful pipeline runs behind the gate."""


MAKES: Mapping[str, tuple[str, ...]] = {
    "npm": ("--package-lock-only", "--ignore-scripts", "--lockfile-version=VERSION", "--no-audit"),
    "pnpm": ("--lockfile-only",),
    "yarn": ("--ignore-scripts", "--non-interactive"),
    "berry": ("--mode=update-lockfile",),
    "bun": ("--lockfile-only",),
}
"""How each writes a lockfile."""


def fixture(name: str) -> Files:
    """Return the files of a project as they were checked in."""
    folder = FIXTURES / name
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def manager_of(name: str) -> str:
    """Return whose a project is (`npm` of `plain/npm-3`)."""
    return name.rpartition("/")[2].partition("-")[0]


def text(path: str, old: str, new: str) -> Callable[[Files], Files]:
    """Replace what a pattern finds first in a file."""

    def edit(files: Files) -> Files:
        data, count = re.subn(old.encode(), new.encode(), files[path], count=1)
        assert count, f"{old} is not in {path}"
        return {**files, path: data}

    return edit


def json_file(path: str, change: Callable[[Any], object]) -> Callable[[Files], Files]:
    """Change a JSON document in place."""

    def edit(files: Files) -> Files:
        document = json.loads(re.sub(rb",(?=\s*[}\]])", b"", files[path]))  # as bun writes it
        change(document)
        return {**files, path: json.dumps(document, indent=2).encode()}

    return edit


def added(path: str, content: str) -> Callable[[Files], Files]:
    """Add a file."""
    return lambda files: {**files, path: content.encode()}


def _environment(here: Loopback, home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CI": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "npm_config_registry": here.registry,
        "npm_config_cache": str(home / "npm"),
        "npm_config_update_notifier": "false",
        "npm_config_allow_remote": "all",
        "YARN_CACHE_FOLDER": str(home / "yarn"),
        "YARN_ENABLE_SCRIPTS": "false",
        "YARN_ENABLE_TELEMETRY": "0",
        "YARN_GLOBAL_FOLDER": str(home / "berry"),
        "BUN_INSTALL_CACHE_DIR": str(home / "bun"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "DO_NOT_TRACK": "1",
        "COREPACK_ENABLE_STRICT": "0",
    }


@contextmanager
def bench(scratch: Path) -> Iterator[Bench]:
    """Open a bench; `scratch` is an empty folder of its own."""
    with loopback(scratch / "git") as here:
        world = commandline.new_world(scratch / "world")
        tables = "".join(f'\n[[registries]]\nurl = "{url}"\nserves_evidence = false\n' for url in (here.registry,))
        world.trust.write_text(world.trust.read_text() + tables)
        yield Bench(here, world, scratch / "homes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmless:
    """What a manager refuses, and we allow without harm.

    Attributes:
        manager: whose. says: a pattern in what it says.
        codes: findings of our reader that may be new; with any other one this is no reason.
        why: nobody is harmed.
    """

    manager: str
    says: str
    codes: frozenset[str] = frozenset()
    why: str


_SMALLER = frozenset({"unreachable-entry", "workspace-differs", "root-differs", "flag-mismatch", "peer-unmet"})

HARMLESS: Sequence[Harmless] = (
    Harmless(
        manager="npm",
        says="Missing: ",
        codes=_SMALLER,
        why="an optional package or a peer is not in the lockfile, as in locks of other platforms or made with "
        "legacy-peer-deps: everything that can be installed was judged",
    ),
    Harmless(
        manager="npm",
        says="EBADPLATFORM",
        codes=_SMALLER,
        why="a lockfile is judged for all platforms, not for the one that this machine is",
    ),
    Harmless(
        manager="berry",
        says="YN0028",
        codes=_SMALLER,
        why="yarn would write the file otherwise (a comment, an order, an entry that nothing needs): what it would "
        "install was judged",
    ),
    Harmless(
        manager="berry",
        says="YN0018",
        why="the checksum is of yarn's own zip, which yarn alone can make, and compares",
    ),
    Harmless(
        manager="berry",
        says="TypeError|Type Error",
        why="yarn stops at a field that says nothing about which package it is (`linkType`)",
    ),
)
"""Every reason that there is; what none of them explains is a wrong \"allowed\"."""


def reason(name: str, outcome: Outcome, codes: frozenset[str]) -> str:
    """Return why a wrong outcome harms nobody, or nothing; `codes` are those of the project before it was changed."""
    if outcome.accepted:
        return ""
    for one in HARMLESS:
        if one.manager == manager_of(name) and re.search(one.says, outcome.said) and outcome.codes - codes <= one.codes:
            return one.why
    return ""
