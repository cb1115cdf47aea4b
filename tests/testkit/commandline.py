"""The command line as its users and its enemies run it: in this process or as one of its own, in a world of its own.

A `World` is a folder with a project, a key, a trust file, an artefact and, where it was asked for, stored evidence;
HOME and the caches lie in it too, so that nothing of the machine is read or written.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sbomgate import cli, facts
from sbomgate.cli import _environment
from sbomgate.signing import local_key
from testkit import tarballs
from testkit.engines import COMPILED, borrow_engine

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = "home-of-alice"  # the name of the home folder: no message may show it
NPM = "https://registry.npmjs.org/"
TOKEN = "npm_canary0token0that0nobody0may0see"  # a canary
SECRETS = (TOKEN, "hunter2-canary", "PRIVATE KEY")
PROGRAM = "import sys; from sbomgate.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run gave."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The messages of what failed."""
        return [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def hints(self) -> list[str]:
        """What to do about it."""
        return [line.removeprefix("  hint: ") for line in self.err.splitlines() if line.startswith("  hint: ")]


@dataclass(frozen=True, slots=True)
class World:
    """A place to run commands in. Paths in arguments are relative to `root`."""

    root: Path

    @property
    def project(self) -> Path:
        """The project under test, a repository of its own."""
        return self.root / "shop"

    @property
    def home(self) -> Path:
        """The user's home folder."""
        return self.root / HOME

    @property
    def cache(self) -> Path:
        """sbomgate's own cache."""
        return self.home / ".cache" / "sbomgate"

    @property
    def store(self) -> Path:
        """Where evidence is kept."""
        return self.root / "evidence"

    @property
    def trust(self) -> Path:
        """The trust file: it accepts `release.key` for decisions and facts."""
        return self.root / "trust.toml"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables that a command runs with."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "TMPDIR") if name in os.environ}
        return kept | {"HOME": str(self.home)} | more

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
        """Run a command in this process."""
        out, err = _Stream(), _Stream()
        before = (os.environ.copy(), Path.cwd())
        variables = self.environment() if env is None else dict(env)
        try:
            os.environ.clear()
            os.environ.update(variables)
            os.chdir(self.root)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = cli.main(arguments)
                except SystemExit as stop:
                    code = stop.code if isinstance(stop.code, int) else 2
        finally:
            os.environ.clear()
            os.environ.update(before[0])
            os.chdir(before[1])
        return Result(code=code, out=out.text(), err=err.text())

    def start(self, *arguments: str, program: str = PROGRAM, **settings: Any) -> subprocess.Popen[bytes]:
        """Start a command as a process of its own."""
        env = self.environment(PYTHONPATH=str(Path(cli.__file__).resolve().parents[2]), PYTHONDONTWRITEBYTECODE="1")
        command = [sys.executable, "-W", "error", "-c", program, *arguments]
        defaults: dict[str, Any] = {"cwd": self.root, "env": env, "stdin": subprocess.DEVNULL}
        process: subprocess.Popen[bytes] = subprocess.Popen(command, **(defaults | settings))
        return process

    def spawn(self, *arguments: str, **settings: Any) -> Result:
        """Run a command as a process of its own, to its end."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings
        with self.start(*arguments, **pipes) as process:
            out, err = process.communicate(timeout=120)
        return Result(code=process.returncode, out=(out or b"").decode(), err=(err or b"").decode())

    def snapshot(self) -> dict[str, str]:
        """Return path → digest of everything but the home folder: what failed must leave it as it was."""
        found: dict[str, str] = {}
        for path in sorted(self.root.rglob("*")):
            relative = path.relative_to(self.root)
            if relative.parts[0] == HOME:
                continue
            if path.is_symlink():
                found[str(relative)] = f"→ {path.readlink()}"
            elif path.is_file():
                found[str(relative)] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[str(relative)] = "-"
        return found

    def gate(self, *more: str) -> list[str]:
        """Return the arguments of an ordinary `gate`, offline."""
        return [
            "gate", "shop", "--subject", "file:app.tgz", "--key", "release.key", "--trust", "trust.toml",
            "--store", "evidence", "--offline", *more,
        ]  # fmt: skip

    def verify(self, *more: str) -> list[str]:
        """Return the arguments of an ordinary `verify`."""
        return ["verify", "file:app.tgz", "--trust", "trust.toml", "--store", "evidence", *more]

    def write_project(self, packages: Sequence[tuple[str, str, bytes]] = (), *, registry: str = NPM) -> None:
        """Write package.json and package-lock.json with these direct dependencies: name, version, tarball."""
        held = packages or (("left-pad", "1.3.0", tarballs.package("left-pad", "1.3.0")),)
        root = {"name": "shop", "version": "3.2.0", "dependencies": {name: f"^{version}" for name, version, _ in held}}
        lock = {
            "name": "shop",
            "version": "3.2.0",
            "lockfileVersion": 3,
            "requires": True,
            "packages": {"": root}
            | {
                f"node_modules/{name}": {
                    "version": version,
                    "resolved": f"{registry}{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
                    "integrity": tarballs.integrity(data),
                    "license": "MIT",
                }
                for name, version, data in sorted(held)
            },
        }
        self.project.mkdir(exist_ok=True)
        (self.project / ".git").mkdir(exist_ok=True)
        (self.project / "package.json").write_text(json.dumps(root, indent=2) + "\n")
        (self.project / "package-lock.json").write_text(json.dumps(lock, indent=2) + "\n")


def refused(world: World, *arguments: str, says: Sequence[str], hint: bool = True, **settings: Any) -> Result:
    """Run a command that must end without a decision: exit code 2, one clear message, nothing written (P1, P2, P40).

    Args:
        world: where.
        arguments: of the command.
        says: what its one message must hold: file, place, what is wrong.
        hint: whether a person needs to be told what to do.
        settings: of `World.run`.
    """
    before = world.snapshot()
    result = world.run(*arguments, **settings)
    must_be_refused(result, says=says, hint=hint)
    assert world.snapshot() == before, "something was written, or removed"
    return result


def must_be_refused(result: Result, *, says: Sequence[str], hint: bool = True) -> None:
    """Assert that a run ended without a decision, with one message that holds `says`."""
    assert result.code == 2, f"exit code {result.code}\n{result.out}\n{result.err}"
    assert result.out == ""
    assert len(result.errors) == 1, result.err
    assert "Traceback" not in result.err
    assert "defect of sbomgate" not in result.err, result.err
    for text in says:
        assert text in result.errors[0], result.err
    assert bool(result.hints) >= hint, f"no hint: {result.err}"
    must_be_discreet(result)


def must_be_discreet(result: Result) -> None:
    """Assert that nothing secret, and no home folder, is in what was printed (P40)."""
    for text in (*SECRETS, HOME):
        assert text not in result.out + result.err, f"{text} is shown"


class _Stream(io.TextIOWrapper):
    """Standard output in memory, with the `buffer` that bytes are written to."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


def new_world(root: Path) -> World:
    """Make a world: a project with one package, a key, a trust file, an artefact, signed facts; nothing is stored."""
    world = World(root)
    world.home.mkdir(parents=True, mode=0o700)
    world.write_project()
    key = local_key.generate(root / "release.key")
    (root / "app.tgz").write_bytes(tarballs.package("shop", "3.2.0"))
    made = world.run("trust", "new", "--key", "release.key.pub", "--out", "trust.toml")
    assert made.code == 0, made.err
    text = world.trust.read_text().replace('["decision"]', '["decision", "facts"]')
    world.trust.write_text(text)
    (root / "facts.sigstore.json").write_bytes(key.sign(facts.write_statement({})))
    engine = world.cache / "engine"
    engine.mkdir(parents=True, mode=0o700)
    world.cache.chmod(0o700)
    borrow_engine(engine)
    return world


def copy(source: World, root: Path) -> World:
    """Return a copy that can be damaged; the compiled engine is linked, so replace it, never write into it."""

    def link_engine(origin: str, target: str) -> None:
        if Path(origin).suffix in COMPILED:
            os.link(origin, target)
        else:
            shutil.copy2(origin, target)

    shutil.copytree(source.root, root, symlinks=True, copy_function=link_engine)
    return World(root)


@contextlib.contextmanager
def at(now: datetime) -> Iterator[None]:
    """Run what follows at this time, in this process: two decisions within one second have no order of their own."""
    real = _environment.Environment.of_process
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_environment.Environment, "of_process", lambda: replace(real(), now=now.replace(microsecond=0)))
        yield


@contextlib.contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Give a path other permissions for a while."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)
