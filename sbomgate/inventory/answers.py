"""Questions to the inventory, as SQL that every engine runs, and their answers as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sbomgate.errors import UsageError
from sbomgate.inventory import amendments
from sbomgate.inventory.amendments import Amendment
from sbomgate.inventory.engines import Engine
from sbomgate.inventory.rows import BUILD_COLUMNS, PACKAGE_COLUMNS
from sbomgate.inventory.terms import Condition, Selector, Terms, aware, like

Satisfies = Callable[[str, str], bool | None]
"""Whether a version satisfies a range, as npm has it; None where one of them is none."""

MAX_HITS = 500_000
"""Packages in builds of one answer: each takes about a kilobyte. A name that all of 10,000 builds hold is 10,000."""

FEW = 100
"""Builds that are asked for in the query itself; more of them in a table beside it, which is read quicker."""

_PACKAGE = tuple(column for column in PACKAGE_COLUMNS if column != "build")
_BUILD = tuple(BUILD_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """What was built: the newest decision on it counts; an SBOM on its own is one artefact.

    Attributes:
        build: the newest decision's columns by name, times with a zone.
        key: its key.
        first: when it was decided on for the first time, or None.
        decisions: how many decisions there are on it that the question found.
        amended: what was signed about the newest decision after it, the last word first.
    """

    build: Mapping[str, Any]
    key: int
    first: datetime | None
    decisions: int
    amended: tuple[Amendment, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the newest decision allows it, counts, and is not revoked. Whose word that is says `standing`."""
        return bool(self.build["verdict"] == "allowed" and self.build["profile"] != "observe")

    @property
    def revoked(self) -> Amendment | None:
        """What revokes it; a decision that FAILED can be revoked as well."""
        return next((one for one in self.amended if one.word == amendments.REVOKED), None)

    @property
    def overridden(self) -> Amendment | None:
        """What overrides its FAILED decision, ended or not; nothing where it is revoked."""
        if self.build["verdict"] != "denied" or self.revoked is not None:
            return None
        return next((one for one in self.amended if one.word == amendments.OVERRIDDEN), None)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same artefact."""
        return identity(self.build)

    @property
    def project(self) -> tuple[str, ...]:
        """What its builds, one after the other, are builds of."""
        return project(self.build)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A package in an artefact: its columns by name."""

    package: Mapping[str, Any]
    artefact: Artefact


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer: hits sorted by package, then project and time, and what was left out, one sentence each."""

    hits: tuple[Hit, ...]
    notes: tuple[str, ...]


def identity(build: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes two decisions decisions on one artefact."""
    return (build["digest"] or f"sbom:{build['sbom']}", build["lockfile"] or "", build["workspace"] or "")


def project(build: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes two builds builds of one project: repository or else name, lockfile's folder, workspace."""
    if build["digest"] is None:  # a file's name says nothing
        return (build["project"], "", build["workspace"] or "")
    folder = (build["lockfile"] or "").rpartition("/")[0]
    return (build["project_repository"] or build["project"], folder, build["workspace"] or "")


def find(engine: Engine, terms: Terms, satisfies: Satisfies, *, digests: Sequence[str] | None = None) -> Found:
    """Return which builds hold what is asked for.

    Args:
        engine: an open one.
        terms: of `terms.parse`.
        satisfies: npm's ranges.
        digests: only builds of these artefacts; None for all.

    Raises:
        UsageError: a range is none; more than `MAX_HITS`.
    """
    notes: list[str] = []
    conditions = _conditions(engine, terms, satisfies, notes)
    if digests is not None:
        engine.table("running", {"digest": sorted(set(digests))})
        conditions.append(Condition(sql="build.digest IN (SELECT digest FROM running)"))
    return Found(hits=hits(engine, conditions), notes=tuple(notes))


def artefacts(engine: Engine, terms: Terms, satisfies: Satisfies) -> tuple[Artefact, ...]:
    """Return the artefacts for which the terms hold, in the order of their identities; without any all of them."""
    everything = builds(engine)
    if terms.selectors or terms.conditions:
        conditions = _conditions(engine, terms, satisfies, [])
        found = engine.query(
            "SELECT DISTINCT build.build FROM package JOIN build ON package.build = build.build "
            f"WHERE {' AND '.join(condition.sql for condition in conditions)}",
            [value for condition in conditions for value in condition.parameters],
        )
        keys = {key for (key,) in found}
        everything = {name: one for name, one in everything.items() if one.key in keys}
    return tuple(everything[name] for name in sorted(everything))


def _conditions(engine: Engine, terms: Terms, satisfies: Satisfies, notes: list[str]) -> list[Condition]:
    conditions = list(terms.conditions)
    if terms.selectors:
        asked = [_selected(engine, selector, satisfies, notes) for selector in terms.selectors]
        conditions.append(
            Condition(
                sql=f"({' OR '.join(one.sql for one in asked)})",
                parameters=tuple(value for one in asked for value in one.parameters),
            )
        )
    return conditions


def hits(engine: Engine, conditions: Sequence[Condition], *, join: str = "") -> tuple[Hit, ...]:
    """Return the packages, each with its artefact, for which all conditions hold.

    Raises:
        UsageError: more than `MAX_HITS`.
    """
    columns = ", ".join(f"package.{column}" for column in _PACKAGE)
    where = " AND ".join(condition.sql for condition in conditions) or "true"
    found = engine.query(
        f"SELECT {columns}, build.build FROM package JOIN build ON package.build = build.build {join} WHERE {where} "
        f"LIMIT {MAX_HITS + 1}",
        [value for condition in conditions for value in condition.parameters],
    )
    if len(found) > MAX_HITS:
        raise UsageError(f"more than {MAX_HITS:,} packages in builds", hint="ask for less, or use `inventory sql`")
    width = len(_PACKAGE)
    builds = _builds(engine, {row[width] for row in found})
    artefacts = _artefacts(builds, amendments.of(engine))
    # One line for a package in an artefact, as its newest decision has it.
    newest: dict[tuple[Any, ...], Hit] = {}
    for row in found:
        artefact = artefacts[identity(builds[row[width]])]
        package = _named(_PACKAGE, row[:width])
        key = (*artefact.identity, package["name"], package["version"], package["integrity"], package["called"])
        if key not in newest or row[width] == artefact.key:
            newest[key] = Hit(package=package, artefact=artefact)
    return tuple(sorted(newest.values(), key=_order))


def builds(engine: Engine) -> dict[tuple[str, ...], Artefact]:
    """Return every artefact by its identity."""
    return _artefacts(_builds(engine, None), amendments.of(engine))


def projects(engine: Engine, digests: Sequence[str]) -> dict[str, list[tuple[str, ...]]]:
    """Return digest → the projects (`project`) that it was built of, sorted; without what no build has."""
    if not digests:
        return {}
    columns = ("digest", "project", "project_repository", "lockfile", "workspace")
    engine.table("told", {"digest": sorted(set(digests))})
    rows = engine.query(f"SELECT DISTINCT {', '.join(columns)} FROM build WHERE digest IN (SELECT digest FROM told)")
    found: dict[str, set[tuple[str, ...]]] = {}
    for row in rows:
        build = _named(columns, row)
        found.setdefault(build["digest"], set()).add(project(build))
    return {digest: sorted(of) for digest, of in found.items()}


def _builds(engine: Engine, keys: Set[int] | None) -> dict[int, Mapping[str, Any]]:
    """Return the columns of builds by key; of all where `keys` is None."""
    if keys is not None and not keys:
        return {}
    among = ""
    if keys is not None and len(keys) <= FEW:
        among = f"WHERE build IN ({', '.join(map(str, sorted(keys)))})"
    elif keys is not None:
        engine.table("wanted", {"build": list(map(str, sorted(keys)))})
        among = "WHERE build IN (SELECT CAST(build AS BIGINT) FROM wanted)"
    rows = engine.query(f"SELECT build, {', '.join(_BUILD)} FROM build {among}")
    return {row[0]: _named(_BUILD, row[1:]) for row in rows}


def _artefacts(
    builds: Mapping[int, Mapping[str, Any]], amended: Mapping[str, tuple[Amendment, ...]]
) -> dict[tuple[str, ...], Artefact]:
    together: dict[tuple[str, ...], list[tuple[int, Mapping[str, Any]]]] = {}
    for key, build in builds.items():
        together.setdefault(identity(build), []).append((key, build))
    found = {}
    for name, held in together.items():
        # At the same moment the decision that denied comes later, as `verify` has it (P19).
        held.sort(
            key=lambda one: (_moment(one[1]["decided"]), one[1]["verdict"] != "allowed", one[1]["evidence"] or "")
        )
        key, build = held[-1]
        found[name] = Artefact(
            build=build,
            key=key,
            first=held[0][1]["decided"],
            decisions=len(held),
            amended=amended.get(build["evidence"] or "", ()),
        )
    return found


def _moment(time: datetime | None) -> float:
    return float("-inf") if time is None else time.timestamp()


def newest_first(artefact: Artefact) -> tuple[float, str]:
    """Return what sorts artefacts by time, the newest first."""
    return (-_moment(artefact.build["decided"]), artefact.build["evidence"] or artefact.build["sbom"])


def _order(hit: Hit) -> tuple[Any, ...]:
    package, build = hit.package, hit.artefact.build
    return (
        package["name"],
        package["version"] or "",
        build["project"],
        build["workspace"] or "",
        *newest_first(hit.artefact),
        package["integrity"] or "",
        package["called"] or "",
    )


def _named(columns: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {
        column: aware(value) if isinstance(value, datetime) else value
        for column, value in zip(columns, values, strict=True)
    }


def _selected(engine: Engine, selector: Selector, satisfies: Satisfies, notes: list[str]) -> Condition:
    """Return the condition of a selector. A range is not SQL's to judge: the versions that exist are, one by one."""
    if selector.integrity is not None:
        return Condition(sql="package.integrity = ?", parameters=(selector.integrity,))
    if selector.name is not None:
        named = Condition(sql="package.name = ?", parameters=(selector.name,))
    else:
        pattern = selector.pattern or ""
        # What stands before the first * is a span of the sorted names: the files' statistics find it.
        start = pattern.partition("*")[0]
        sql, parameters = "package.name LIKE ? ESCAPE '!'", [like(pattern)]
        if start:
            sql = f"(package.name >= ? AND package.name < ? AND {sql})"
            parameters = [start, f"{start}\U0010ffff", *parameters]
        named = Condition(sql=sql, parameters=tuple(parameters))
    if selector.range is None:
        return named
    known = engine.query(
        f"SELECT DISTINCT version FROM package WHERE {named.sql}",
        named.parameters,
    )
    versions = sorted(version for (version,) in known if version is not None)
    if len(versions) < len(known):
        notes.append(f"{selector.text}: builds hold it in a version that nobody states; they are not among these")
    exact = selector.range.lstrip("=v")
    held = [version for version in versions if version.partition("+")[0] == exact.partition("+")[0]]
    if not held:
        if satisfies("0.0.0", selector.range) is None:
            raise UsageError(
                f"{selector.range[:80]!r} is no version and no range",
                where=selector.text[:100],
                hint="as in package.json: 1.14.1, ^1.14, '>=1.14 <2'",
            )
        held = [version for version in versions if satisfies(version, selector.range)]
        # npm's ranges leave prereleases out; a person who looks for what is bad wants to know of them.
        near = [v for v in versions if "-" in v and v not in held and satisfies(v.partition("-")[0], selector.range)]
        if near:
            notes.append(
                f"{selector.text}: npm's ranges hold no prereleases; not among these: {', '.join(near[:10])}"
                + (f" and {len(near) - 10} more" if len(near) > 10 else "")
            )
    if not held:
        return Condition(sql="false")
    marks = ", ".join("?" for _ in held)
    return Condition(sql=f"({named.sql} AND package.version IN ({marks}))", parameters=(*named.parameters, *held))
