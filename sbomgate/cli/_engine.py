"""The policy engine that the command line asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment
    from sbomgate.policy.engines import EngineSettings, OpenEngine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--engine", choices=("embedded", "opa"), default="embedded", help="opa: the one on PATH")
    parser.add_argument("--opa-url", metavar="URL", help="evaluate in this OPA server instead")


def open_engine(args: argparse.Namespace, env: Environment, tree: Path) -> OpenEngine:
    """Open the engine that was asked for; use it in a `with` statement. No engine is taken out of the `tree`.

    Raises:
        UsageError: two engines were asked for, or there is no `opa` on PATH.
    """
    from sbomgate.policy import engines

    if args.opa_url is not None and args.engine != engines.DEFAULT:
        raise UsageError("--opa-url and --engine are two engines", hint="give one of them")
    name = args.engine if args.opa_url is None else "opa-url"
    binary = None
    if name == "opa":
        binary = opa_on_path(env, tree)
    return engines.open_engine(name, _engine_settings(args, env, binary))


def opa_on_path(env: Environment, project: Path, *, asked: str = "--engine opa") -> Path:
    """Return the `opa` on PATH. What the tree under test brings is no engine: `npm run` puts its folder first (P26).

    Raises:
        UsageError: there is none, or the first one lies in the tree under test.
    """
    import os
    import shutil

    from sbomgate.project import find_repository

    # A part that is empty or relative means the working directory, whatever that is.
    parts = [part for part in env.variables.get("PATH", "").split(os.pathsep) if Path(part).is_absolute()]
    found = shutil.which("opa", path=os.pathsep.join(parts)) if parts else None
    hint = "install OPA 1.0 or later"
    if asked.startswith("--"):
        hint += ", or leave the flag out: one is built in"
    if found is None:
        raise UsageError("no `opa` on PATH", where=asked, hint=hint)
    binary = Path(found).resolve()
    tree = (find_repository(project) or project).resolve()
    if tree in binary.parents or "node_modules" in (*binary.parts, *Path(found).parts):
        raise UsageError("the `opa` on PATH lies in the tree under test", where=found, hint=hint)
    return Path(found)


def _engine_settings(args: argparse.Namespace, env: Environment, opa: Path | None) -> EngineSettings:
    from sbomgate.policy.engines import EngineSettings

    return EngineSettings(
        cache_dir=env.cache / "engine",
        notify=env.tell,
        opa=opa,
        url=args.opa_url,
        token=env.variables.get("SBOMGATE_OPA_TOKEN"),
        ca_file=env.ca_file,
        proxy=env.network["proxy"],
        no_proxy=env.network["no_proxy"],
    )


def embedded(args: argparse.Namespace, env: Environment) -> OpenEngine:
    from sbomgate.policy import engines

    return engines.open_engine(engines.DEFAULT, _engine_settings(args, env, None))
