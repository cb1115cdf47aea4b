"""A rollback checklist in words: the same sections whatever it is written in; who writes marks what is from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sbomgate.model.checklist import Checklist, Machine, Redeploy

Mark = Callable[[str], str]
"""Makes what is from outside inert."""

Section = tuple[str, list[str], list[str]]
"""Title, points, and lines of a shell."""

MANY = 20  # builds, runs: all of them are in the JSON


def sections(checklist: Checklist, mark: Mark) -> Iterator[Section]:
    """Yield the sections in the order in which they are done."""
    yield "Builds to redeploy", list(_builds(checklist, mark)), []
    shell = [line for manager, commands in checklist.caches for line in (f"# {manager}", *commands)]
    points = [f"no command can name {mark(one)} safely: empty the whole cache" for one in checklist.unnamed]
    points.append(
        "on each machine that may have fetched them; and what no command here knows: the CI system's own caches, "
        "proxies of the registry, layers of images. `sbomgate hunt` finds what is left"
    )
    yield "Caches to purge", points, shell
    yield "Credentials to rotate", list(_machines(checklist, mark)), []


def _builds(checklist: Checklist, mark: Mark) -> Iterator[str]:
    if not checklist.searched:
        yield "not known: no inventory was asked (`--inventory`)"
    elif not checklist.redeploy:
        yield "no build in the inventory holds them"
    for one in checklist.redeploy:
        yield _build(one, mark)


def _build(one: Redeploy, mark: Mark) -> str:
    runs = f"runs in {', '.join(map(mark, one.runs_in))}" if one.runs_in else "runs nowhere that was told"
    builds = ", ".join(map(mark, one.builds[:MANY])) + (
        f" and {len(one.builds) - MANY} more" * (len(one.builds) > MANY)
    )
    if one.last_good is None:
        back = "no build is known that passed without: gate a fixed one"
    else:
        evidence = f" (evidence {mark(one.last_good_evidence)})" if one.last_good_evidence else ""
        back = f"go back to {mark(one.last_good)}{evidence}"
    return f"{mark(one.project)}, {runs}: {builds} holds {', '.join(map(mark, one.holds))}; {back}"


def _machines(checklist: Checklist, mark: Mark) -> Iterator[str]:
    if not checklist.searched:
        yield "not known: no inventory was asked (`--inventory`)"
        return
    for one in checklist.machines:
        yield _machine(one, mark)
    if checklist.unrecorded:
        builds = "1 build does" if checklist.unrecorded == 1 else f"{checklist.unrecorded:,} builds do"
        yield f"{builds} not say where: find the jobs"
    if checklist.machines or checklist.unrecorded:
        yield (
            "what any job of these runs could read counts as known to others: tokens of the registry, the forge, the "
            "cloud and the CI system, signing keys, whatever lies on a machine that outlives its job"
        )
    else:
        yield "no machine: no build in the inventory holds them"


def _machine(one: Machine, mark: Mark) -> str:
    runner = mark(one.ran.runner) if one.ran.runner else "a runner that nobody named"
    system = "a machine outside CI" if one.ran.system == "none" else mark(one.ran.system)
    number = f" (id {mark(one.ran.runner_id)})" if one.ran.runner_id else ""
    of = f" of {mark(one.ran.repository)}" if one.ran.repository else ""
    runs = _some(one.runs, mark)
    return f"{runner}{number}, {system}{of}" + (f": {runs}" if runs else "")


def _some(texts: Sequence[str], mark: Mark) -> str:
    more = f" and {len(texts) - MANY} more" if len(texts) > MANY else ""
    return ", ".join(map(mark, texts[:MANY])) + more


def named(checklist: Checklist, mark: Mark) -> str:
    """Return the packages that it is about."""
    listed = [f"{name} {version}".strip() for name, version in checklist.packages]
    return _some(listed, mark) or "what is denied"
