"""Say what is there and what is missing on this machine: engine, caches, trust root, tokens, programs, clock, disk.

Each line that is not well says what to do. Of a token only that it is there is told. No registry is asked unless
`--network` is given.

examples:
  sbomgate doctor
  sbomgate doctor web --trust ../trust.toml      with a project, and the trust file it is judged by
  sbomgate doctor --network                      asks the project's registries whether they answer, and for the time
  sbomgate doctor --prepare                      compiles the policy engine now: a step of building an image
  sbomgate doctor --json

exit codes: 0 nothing prevents a decision, 1 something does, 2 could not be found out
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, SbomgateError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.model import DependencyGraph, Trust

HELP = "say what is there and what is missing on this machine"
SCHEMA = "sbomgate/doctor/v1"

OLD_TRUST_ROOT = timedelta(days=180)  # sigstore changes its root a few times a year
CLOCK_SKEW = timedelta(minutes=5)  # what `verify` takes for the future (P17)
FULL_BYTES = 64 << 20  # what one decision may need: the compiled engine is 30 MB, a store entry a few
TIGHT_BYTES = 1 << 30  # the facts and tarballs of some large projects
ASK_SECONDS = 15.0  # for one registry to answer
MAX_ANSWER_BYTES = 1 << 20  # of which only the head matters

# Variables that hold a secret, or lead to one, and what for. Never their values.
TOKENS = {
    "NPM_TOKEN": "registries, where the user's .npmrc names it",
    "NODE_AUTH_TOKEN": "registries, where the user's .npmrc names it",
    "SBOMGATE_OPA_TOKEN": "the server at --opa-url",
    "SBOMGATE_KEY_PASSWORD": "encrypted signing keys",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "--signer keyless (GitHub Actions)",
    "SIGSTORE_ID_TOKEN": "--signer keyless (GitLab CI)",
}


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PREVENTS = "prevents"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at: how it is, and, where it is not well, what to do."""

    name: str
    state: State
    says: str
    next: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", nargs="?", default=".", help="a project's folder (default: here)")
    parser.add_argument("--trust", metavar="FILE", help="the trust file that the project is judged by")
    parser.add_argument("--network", action="store_true", help="ask the registries whether they answer")
    parser.add_argument("--prepare", action="store_true", help="compile the policy engine, where it is not")
    parser.add_argument("--json", action="store_true", help="the lines as JSON")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Look at everything, and print it."""
    from sbomgate.cli import _colour

    lines = list(_lines(args, env))
    _colour.emit((_json(lines) if args.json else _text(lines)) + "\n", None, env, plain=args.json)
    return EXIT_DENIED if any(line.state is State.PREVENTS for line in lines) else EXIT_ALLOWED


def _lines(args: argparse.Namespace, env: Environment) -> Iterator[Line]:
    import sys

    from sbomgate import __version__
    from sbomgate import trust as trust_file
    from sbomgate.cli._project import open_project

    python = ".".join(map(str, sys.version_info[:3]))
    yield Line(name="sbomgate", state=State.OK, says=f"{__version__}, Python {python} on {sys.platform}")
    opened = open_project(args.path, env)
    yield from _engine(env, prepare=args.prepare)
    yield from _opa(env, opened.files.repository)
    yield from _facts(env)
    yield from _verifier()
    accepted = trust_file.NOBODY
    if args.trust is not None:
        try:
            accepted = trust_file.load(args.trust, project_root=opened.files.repository)
            names = ", ".join(signer.name for signer in accepted.signers)
            yield Line(name="trust file", state=State.OK, says=f"sha256:{accepted.sha256}; signers: {names}")
        except SbomgateError as error:
            yield _failed("trust file", error)
    else:
        yield Line(
            name="trust file",
            state=State.NOTE,
            says="none was given: no signer, baseline or recorded fact is accepted",
            next="`sbomgate init` makes one; give it with --trust",
        )
    yield from _trust_root(env, accepted)
    graph = None
    try:
        graph = _graph(args.path, env)
        yield Line(name="project", state=State.OK, says=f"{graph.lockfile.path}, {len(graph.packages) - 1} packages")
    except SbomgateError as error:
        here = args.path == "." and not opened.files.has("package.json")
        line = _failed("project", error)
        # Whoever asks about the machine alone need not stand in a project.
        yield Line(name="project", state=State.NOTE, says="none in this folder") if here else line
    yield from _tokens(args, env, accepted)
    yield from _programs(env, opened.files.repository)
    yield from _registries(env, graph, network=args.network)
    yield from _clock(env)
    yield from _locale()
    yield from _disk(env)


def _failed(name: str, error: SbomgateError) -> Line:
    return Line(name=name, state=State.PREVENTS, says=str(error), next=error.hint)


def _graph(path: str, env: Environment) -> DependencyGraph:
    from sbomgate import config, lockfiles
    from sbomgate.cli._decide import CONFIG
    from sbomgate.cli._project import open_project
    from sbomgate.resources import path as resource

    opened = open_project(path, env)
    if (data := opened.files.read(CONFIG)) is not None:
        config.parse(data, schema=resource(*config.SCHEMA).read_bytes())
    return lockfiles.read(opened.files, opened.lockfile)


# --------------------------------------------------------------------------------------------------------------------
# What decides


def _engine(env: Environment, *, prepare: bool) -> Iterator[Line]:
    from sbomgate import gate
    from sbomgate.cli._environment import say
    from sbomgate.policy.bundle import shipped
    from sbomgate.policy.engines.embedded import EmbeddedEngine

    try:
        with EmbeddedEngine(env.cache / "engine", say) as engine:
            if prepare:
                gate.prepare(shipped(), engine)
                engine.wait()
            at = engine.kept_at
            if at.is_file():
                engine.compile()  # it loads: nobody else could have written it
                yield Line(
                    name="policy engine", state=State.OK, says=f"OPA {engine.version} embedded, compiled: {at.parent}"
                )
                return
            yield Line(
                name="policy engine",
                state=State.NOTE,
                says=f"OPA {engine.version} embedded, not compiled yet: the first decision takes some seconds longer",
                next="`sbomgate doctor --prepare` compiles it now",
            )
    except SbomgateError as error:
        yield _failed("policy engine", error)


def _opa(env: Environment, repository: Path) -> Iterator[Line]:
    from sbomgate.cli import _programs

    found = _programs.on_path("opa", env, repository)
    if found is None:
        yield Line(name="opa", state=State.NOTE, says="not on PATH; only `--engine opa` needs it")
        return
    version = _programs.version(found, "version", env=env)
    if version is None:
        yield Line(name="opa", state=State.WARNING, says=f"{found} does not say its version", next="install OPA again")
    else:
        yield Line(name="opa", state=State.OK, says=f"{version} at {found}")


def _facts(env: Environment) -> Iterator[Line]:
    from sbomgate.npm.cache import FactCache

    folder = env.cache / "facts"
    if not folder.exists():
        yield Line(name="fact cache", state=State.OK, says=f"{folder} is not there yet: the first `check` makes it")
        return
    try:
        with FactCache(folder):
            size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    except SbomgateError as error:
        yield _failed("fact cache", error)
        return
    yield Line(name="fact cache", state=State.OK, says=f"{folder}, {_size(size)}, private and writable")


def _verifier() -> Iterator[Line]:
    from sbomgate.provenance import selftest

    try:
        selftest.run_once()
    except SbomgateError as error:
        yield _failed("verifier", error)
        return
    yield Line(name="verifier", state=State.OK, says="tells a good attestation from a bad one (self-test)")


def _trust_root(env: Environment, accepted: Trust) -> Iterator[Line]:
    from sbomgate.provenance import shipped

    try:
        material = shipped.load()
    except SbomgateError as error:
        yield _failed("trust root", error)
        return
    since = material.collected if accepted.trusted_root is None else accepted.trusted_root_updated
    whose = "the shipped one" if accepted.trusted_root is None else "the trust file's"
    how = "`sbomgate trust update --trust FILE --out DIR` fetches the newest, by its chain of signatures"
    if since is None:
        yield Line(name="trust root", state=State.WARNING, says=f"{whose}; nobody says how old it is", next=how)
        return
    age = env.now - since
    days = max(0, age.days)
    ago = {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
    says = f"{whose}, known to be the newest on {since:%Y-%m-%d}, {ago}"
    old = age > OLD_TRUST_ROOT
    yield Line(name="trust root", state=State.WARNING if old else State.OK, says=says, next=how if old else "")


# --------------------------------------------------------------------------------------------------------------------
# What surrounds it


def _tokens(args: argparse.Namespace, env: Environment, accepted: Trust) -> Iterator[Line]:
    from sbomgate.cli._facts import credentials
    from sbomgate.cli._project import open_project

    there = [f"{name} ({what})" for name, what in TOKENS.items() if env.variables.get(name)]
    try:
        headers = credentials(env, open_project(args.path, env), accepted).headers
        there += [f".npmrc, for {place}" for place in sorted(headers)]
    except (SbomgateError, OSError) as error:
        yield Line(name="tokens", state=State.WARNING, says=f".npmrc cannot be read: {error}", next="correct the file")
    docker = env.variables.get("DOCKER_CONFIG")
    where = (env.home / ".docker" if not docker else env.working_directory / docker) / "config.json"
    there += ["Docker's configuration, for OCI registries"] if where.is_file() else []
    yield Line(name="tokens", state=State.OK, says="; ".join(there) if there else "none; public registries need none")


PROGRAMS = {
    "git": ("--version", "who made a change is read without it; `git` itself is only needed by you"),
    "cosign": ("version", "only needed to verify evidence without sbomgate"),
    "npm": ("--version", "only `sbomgate fix` runs it"),
    "pnpm": ("--version", "only `sbomgate fix` runs it"),
    "yarn": ("--version", "only `sbomgate fix` runs it"),
    "bun": ("--version", "only `sbomgate fix` runs it"),
}


def _programs(env: Environment, repository: Path) -> Iterator[Line]:
    from sbomgate.cli import _programs

    for name, (argument, needed) in PROGRAMS.items():
        found = _programs.on_path(name, env, repository)
        if found is None:
            yield Line(name=name, state=State.NOTE, says=f"not on PATH; {needed}")
        else:
            version = _programs.version(found, argument, env=env) or "of a version that it does not say"
            yield Line(name=name, state=State.OK, says=f"{version} at {found}")


def _registries(env: Environment, graph: DependencyGraph | None, *, network: bool) -> Iterator[Line]:
    from sbomgate.lockfiles._npmrc import PUBLIC_REGISTRY

    urls = {PUBLIC_REGISTRY} if graph is None else {graph.manager.registry, *graph.manager.scopes.values()}
    if not network:
        said = ", ".join(sorted(urls))
        yield Line(name="registries", state=State.NOTE, says=f"{said}: not asked", next="--network asks them")
        return
    for url, (state, says, date) in _asked(sorted(urls), env).items():
        hint = "check the address, the proxy (HTTPS_PROXY) and certificates (NODE_EXTRA_CA_CERTS); or work `--offline`"
        yield Line(name="registries", state=state, says=f"{url} {says}", next="" if state is State.OK else hint)
        if date is not None and abs(date - env.now) > CLOCK_SKEW:
            yield Line(
                name="clock",
                state=State.PREVENTS,
                says=f"this machine says {env.now:%Y-%m-%d %H:%M} UTC, {url} says {date:%Y-%m-%d %H:%M}",
                next="set this machine's clock: ages and signatures are judged by it",
            )


def _asked(urls: list[str], env: Environment) -> Mapping[str, tuple[State, str, datetime | None]]:
    """Return URL → how it answered, in words, and the time that it says."""
    import asyncio
    from email.utils import parsedate_to_datetime

    import httpx

    from sbomgate.npm.registry import open_client

    async def ask(client: httpx.AsyncClient, url: str) -> tuple[State, str, datetime | None]:
        try:
            async with client.stream("GET", url, timeout=ASK_SECONDS) as answer:
                said = answer.headers.get("date")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return State.WARNING, f"does not answer: {type(error).__name__}", None
        try:
            date = None if said is None else parsedate_to_datetime(said)
        except ValueError:
            date = None
        if date is not None and date.tzinfo is None:
            date = None
        state = State.OK if answer.status_code < 500 else State.WARNING
        return state, f"answers {answer.status_code}", date

    async def all_() -> list[tuple[State, str, datetime | None]]:
        async with open_client(**env.network) as client:
            return [await ask(client, url) for url in urls]

    return dict(zip(urls, asyncio.run(all_()), strict=True))


def _clock(env: Environment) -> Iterator[Line]:
    from sbomgate.provenance import shipped

    if env.now < shipped.COLLECTED - CLOCK_SKEW:
        yield Line(
            name="clock",
            state=State.PREVENTS,
            says=f"it says {env.now:%Y-%m-%d} UTC, and this sbomgate was made on {shipped.COLLECTED:%Y-%m-%d}",
            next="set this machine's clock: ages and signatures are judged by it",
        )
    else:
        yield Line(name="clock", state=State.OK, says=f"{env.now:%Y-%m-%d %H:%M} UTC; `--network` compares it")


def _locale() -> Iterator[Line]:
    import sys

    out, names = (sys.stdout.encoding or "unknown").lower(), sys.getfilesystemencoding().lower()
    if out.replace("-", "") != "utf8" or names.replace("-", "") != "utf8":
        yield Line(
            name="locale",
            state=State.WARNING,
            says=f"output is {out}, file names are {names}",
            next="set LANG=C.UTF-8 or PYTHONUTF8=1, so that names are written as they are",
        )
    else:
        yield Line(name="locale", state=State.OK, says="UTF-8")


def _disk(env: Environment) -> Iterator[Line]:
    import shutil
    import tempfile
    from pathlib import Path

    for name, wanted in (("cache", env.cache), ("temporary files", Path(tempfile.gettempdir()))):
        there = next((path for path in (wanted, *wanted.parents) if path.is_dir()), None)
        if there is None:
            yield Line(
                name="disk",
                state=State.PREVENTS,
                says=f"{name}: {wanted} has no place",
                next="set XDG_CACHE_HOME, or TMPDIR",
            )
            continue
        free = shutil.disk_usage(there).free
        state = State.PREVENTS if free < FULL_BYTES else State.WARNING if free < TIGHT_BYTES else State.OK
        advice = "" if state is State.OK else "make room, or set XDG_CACHE_HOME (cache) or TMPDIR to another disk"
        yield Line(name="disk", state=state, says=f"{name}: {_size(free)} free at {there}", next=advice)


def _size(number: int) -> str:
    for unit, at in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= at:
            return f"{number / at:.1f} {unit}"
    return f"{number} bytes"


# --------------------------------------------------------------------------------------------------------------------
# How it is told

_MARKS = {State.OK: "ok", State.NOTE: "-", State.WARNING: "warn", State.PREVENTS: "FAIL"}


def _text(lines: list[Line]) -> str:
    from sbomgate.cli._environment import discreet

    out = []
    for line in lines:
        out.append(f"{_MARKS[line.state]:<5} {line.name:<15} {discreet(line.says)}")
        if line.next:
            out.append(f"{'':<21} → {discreet(line.next)}")
    bad = sum(line.state is State.PREVENTS for line in lines)
    out += [
        "",
        "Nothing prevents a decision."
        if not bad
        else f"{bad} of these {'prevents' if bad == 1 else 'prevent'} a decision.",
    ]
    return "\n".join(out)


def _json(lines: list[Line]) -> str:
    import orjson

    from sbomgate.cli._environment import discreet

    value = {
        "schema": SCHEMA,
        "ready": not any(line.state is State.PREVENTS for line in lines),
        "checks": [
            {
                "name": line.name,
                "state": line.state.value,
                "message": discreet(line.says),
                "next": discreet(line.next) or None,
            }
            for line in lines
        ],
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
