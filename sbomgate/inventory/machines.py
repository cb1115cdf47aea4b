"""On which machines builds were decided, by what their decisions say of it. Pure, but for what the engine reads."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sbomgate.inventory import answers
from sbomgate.inventory.engines import Engine
from sbomgate.model import Ran
from sbomgate.model.checklist import Machine


def machines(engine: Engine, identities: Iterable[tuple[str, ...]]) -> tuple[tuple[Machine, ...], int]:
    """Return the machines of all decisions on artefacts, sorted, and how many of these decisions name none.

    A decision that was made to supersede another names none by intention: it is counted only where no other one on the
    artefact names a machine.

    Args:
        engine: an open one.
        identities: of the artefacts (`answers.identity`).
    """
    wanted = set(identities)
    rows = engine.query("SELECT digest, sbom, lockfile, workspace, ran FROM build")
    found: dict[tuple[str, ...], set[str]] = {}
    runs: dict[tuple[str, tuple[str | None, ...]], tuple[Ran, set[str]]] = {}
    for digest, sbom, lockfile, workspace, ran in rows:
        identity = answers.identity({"digest": digest, "sbom": sbom, "lockfile": lockfile, "workspace": workspace})
        if identity not in wanted:
            continue
        found.setdefault(identity, set())
        if ran is not None:
            found[identity].add(ran)
            said = Ran(**json.loads(ran))
            where = Ran(system=said.system, runner=said.runner, runner_id=said.runner_id, repository=said.repository)
            _, held = runs.setdefault((said.system, _key(where)), (where, set()))
            held |= {one for one in (said.job or said.run,) if one}
    listed = sorted(runs.items(), key=lambda one: tuple(text or "" for text in (one[0][0], *one[0][1])))
    return (
        tuple(Machine(ran=where, runs=tuple(sorted(held))) for _, (where, held) in listed),
        sum(not said for said in found.values()),
    )


def _key(ran: Ran) -> tuple[str | None, ...]:
    return (ran.runner, ran.runner_id, ran.repository)
