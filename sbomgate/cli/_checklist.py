"""The rollback checklist of `fix` and of `inventory sweep`: what the inventory knows, and the managers' commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.inventory.engines import Engine
    from sbomgate.inventory.sweep import Affected
    from sbomgate.model.checklist import Checklist, Redeploy

FORMATS = {".json": "json", ".md": "markdown"}
"""By the end of a file's name; anything else is text."""


def of_packages(packages: Iterable[tuple[str, str]], args: argparse.Namespace, env: Environment) -> Checklist:
    """Return the checklist of packages, (name, version); builds and machines where `--inventory` names an inventory.

    Raises:
        UsageError: there is no such inventory.
    """
    from sbomgate.cli import _inventory
    from sbomgate.inventory import sweep

    named = sorted(set(packages))
    if args.inventory is None:
        return _checklist(named, None)

    def judge(pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Sequence[str]]:
        return {pair: ("",) for pair in pairs if pair in named}

    def question(engine: Engine) -> Checklist:
        found = sweep.sweep(engine, sorted({name for name, _ in named}), judge)
        running = _inventory.running_now(inventory, engine, env.now)
        return _checklist(named, found, engine, running)

    with _inventory.opened(args, env) as (inventory, engine):
        return inventory.ask(engine, question)


def of_sweep(
    found: Sequence[Affected],
    running: Mapping[str, Sequence[str]],
    args: argparse.Namespace,
    env: Environment,
) -> Checklist:
    """Return the checklist of what a sweep hit."""
    from sbomgate.cli import _inventory

    packages = {
        (hit.package["name"], hit.package["version"] or "")
        for one in found
        for _, hits in one.artefacts
        for hit, _ in hits
    }
    with _inventory.asking(args, env) as (inventory, engine):
        return inventory.ask(engine, lambda engine: _checklist(sorted(packages), found, engine, running))


def write(checklist: Checklist, path: str, env: Environment) -> None:
    """Write a checklist to a file, as the end of its name says: .json, .md, else text.

    Raises:
        UsageError: it cannot be written.
    """
    from importlib import import_module
    from pathlib import PurePath

    from sbomgate.cli._environment import emit

    form = FORMATS.get(PurePath(path).suffix, "text")
    text: str = import_module(f"sbomgate.report.checklist_{form}").render(checklist)
    emit(text.encode("utf-8", "backslashreplace"), path, env)


def _checklist(
    packages: Sequence[tuple[str, str]],
    found: Sequence[Affected] | None,
    engine: Engine | None = None,
    running: Mapping[str, Sequence[str]] | None = None,
) -> Checklist:
    from sbomgate.fix._purge import purges
    from sbomgate.inventory.machines import machines
    from sbomgate.model.checklist import Checklist

    caches, unnamed = purges(packages)
    affected = [artefact.identity for one in found or () for artefact, _ in one.artefacts]
    ran, unrecorded = machines(engine, affected) if engine is not None else ((), 0)
    return Checklist(
        packages=tuple(packages),
        redeploy=tuple(_redeploy(one, running or {}) for one in found or ()),
        caches=caches,
        unnamed=unnamed,
        machines=ran,
        unrecorded=unrecorded,
        searched=found is not None,
    )


def _redeploy(one: Affected, running: Mapping[str, Sequence[str]]) -> Redeploy:
    from sbomgate.model.checklist import Redeploy

    builds = [artefact for artefact, _ in one.artefacts]
    good = one.last_good
    return Redeploy(
        project=one.since.build["project"],
        holds=tuple(
            sorted(
                {
                    f"{hit.package['name']}@{hit.package['version'] or ''}"
                    for _, hits in one.artefacts
                    for hit, _ in hits
                }
            )
        ),
        builds=tuple(artefact.build["digest"] or f"sbom:{artefact.build['sbom']}" for artefact in builds),
        runs_in=tuple(sorted({place for a in builds for place in running.get(a.build["digest"] or "", ())})),
        last_good=None if good is None else good.build["digest"] or f"sbom:{good.build['sbom']}",
        last_good_evidence=None if good is None else good.build["evidence"],
    )
