"""The commands that take a bad version out of the package managers' caches, run with the real ones."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sbomgate.fix._purge import purges
from sbomgate.hunt import Wanted, hunt
from testkit import tarballs
from testkit.registry import Simulator

MODULES = Path(__file__).resolve().parents[2] / ".tools" / "managers" / "node_modules"
MANAGERS = {
    "npm": ("npm/bin/npm-cli.js", "npm install --no-audit --no-fund"),
    "pnpm": ("@pnpm/exe.*/pnpm", "pnpm install"),
    "bun": ("@oven/bun-*/bin/bun", "bun install"),
    "yarn 1": ("yarn/bin/yarn.js", "yarn install --non-interactive"),
    "yarn 2+": ("@yarnpkg/cli-dist/bin/yarn.js", "yarn install"),
}
BAD = (("pad", "1.0.0"), ("@acme/pad", "1.0.0"))
GOOD = ("pad-two", "1.0.0")


@pytest.fixture(scope="module")
def registry() -> Iterator[Simulator]:
    with Simulator() as made:
        for name, version in (*BAD, GOOD):
            made.publish(name, version, tarballs.package(name, version, files={"mark.txt": mark(name).encode()}))
        yield made


def mark(name: str) -> str:
    return f"these are the bytes of {name} and of nothing else"


@dataclass(frozen=True)
class Machine:
    """A home folder, a project, and one package manager on PATH."""

    root: Path

    @property
    def environment(self) -> Mapping[str, str]:
        home = self.root / "home"
        return {
            "PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "YARN_CACHE_FOLDER": str(home / "yarn"),
            "YARN_ENABLE_TELEMETRY": "0",
            "YARN_ENABLE_IMMUTABLE_INSTALLS": "false",
            "pnpm_config_minimum_release_age": "0",
        }

    def run(self, command: str) -> None:
        """Run a command in the project, as a person who copies it."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.root / "project",
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def holds(self, name: str) -> bool:
        """Whether any file below the home folder holds the package's bytes or its name and version."""
        return any(
            mark(name).encode() in data
            or tarballs.package(name, "1.0.0", files={"mark.txt": mark(name).encode()}) == data
            for path in (self.root / "home").rglob("*")
            if path.is_file()
            for data in [path.read_bytes()]
        ) or any(f"{name.replace('/', '-')}-npm-1.0.0-" in path.name for path in (self.root / "home").rglob("*.zip"))


@pytest.fixture
def machine(tmp_path: Path, registry: Simulator, request: pytest.FixtureRequest) -> Machine:
    manager = request.param
    made = Machine(tmp_path)
    for folder in ("bin", "home", "project"):
        (tmp_path / folder).mkdir()
    (program,) = MODULES.glob(MANAGERS[manager][0])
    (tmp_path / "bin" / manager.partition(" ")[0]).symlink_to(program)
    held = dict((*BAD, GOOD))
    manifest = {"name": "shop", "version": "1.0.0", "license": "MIT", "dependencies": held}
    (tmp_path / "project" / "package.json").write_text(json.dumps(manifest))
    (tmp_path / "project" / ".npmrc").write_text(f"registry={registry.url}\n")
    (tmp_path / "project" / ".yarnrc").write_text(f'registry "{registry.url}"\n')
    if manager == "yarn 2+":
        (tmp_path / "project" / "yarn.lock").write_text("")
        (tmp_path / "project" / ".yarnrc.yml").write_text(
            f'npmRegistryServer: "{registry.url.rstrip("/")}"\n'
            'unsafeHttpWhitelist: ["127.0.0.1"]\nnpmMinimalAgeGate: 0\n'
        )
    made.run(MANAGERS[manager][1])
    return made


def hunted(machine: Machine) -> set[tuple[str, str]]:
    """Return what `hunt` finds of the bad packages in the caches and stores below the home folder."""
    wanted = Wanted(ids=lambda name, version: ("MAL-1",) if (name, version) in BAD else ())
    found = hunt([machine.root / "home"], wanted, git=None)
    assert found.unread == ()
    kinds = ("npm cache", "pnpm store", "yarn cache", "bun cache")
    return {(one.mention.name, one.mention.version) for one in found.traces if one.mention.kind in kinds}


@pytest.mark.managers
@pytest.mark.parametrize(
    ("machine", "manager"), [(one, one) for one in MANAGERS], indirect=["machine"], ids=list(MANAGERS)
)
def test_what_was_bad_is_gone_and_the_rest_is_not(machine: Machine, manager: str) -> None:
    assert all(machine.holds(name) for name, _ in (*BAD, GOOD))
    assert hunted(machine) == set(BAD), "what `hunt` finds in the caches as this package manager lays them out"
    commands, unnamed = purges(BAD)
    assert unnamed == ()
    for command in dict(commands)[manager]:
        machine.run(command)
    assert not any(machine.holds(name) for name, _ in BAD)
    if manager != "npm":  # whose index remembers what was removed: that is told too
        assert hunted(machine) == set()
    # pnpm forgets everything that nobody uses: installing again fetches it again
    assert machine.holds(GOOD[0]) == (manager != "pnpm")
