"""Questions to the inventory, as SQL that every engine runs, and their answers as values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
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
"""Builds or versions that are asked for in the query itself; more of them in a table beside it: that is quicker."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What holds one version of one package, "" being the one that nobody states.

    Attributes:
        name: of the package.
        version: of the package.
        builds: the identities of the artefacts (`identity`).
        projects: what they are builds of (`project`).
    """

    name: str
    version: str
    builds: frozenset[tuple[str, ...]]
    projects: frozenset[tuple[str, ...]]


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


def count(
    engine: Engine, terms: Terms, satisfies: Satisfies, *, digests: Sequence[str] | None = None
) -> tuple[tuple[Count, ...], tuple[str, ...]]:
    """Return how many builds hold what is asked for, by name and version, and what was left out, one sentence each.

    Quicker than `find`, and without its limit: of packages nothing but name and version is read.

    Args:
        engine: an open one.
        terms: of `terms.parse`: names, with a version or not, and conditions on the build.
        satisfies: npm's ranges.
        digests: only builds of these artefacts; None for all.

    Raises:
        UsageError: a range is none; a digest or a condition on the package is asked for.
    """
    other = [one.text for one in terms.selectors if one.integrity is not None]
    if other or any("package." in one.sql for one in terms.conditions):
        raise UsageError(
            "counted is by name and version, and by conditions on the build",
            where=other[0][:100] if other else "a condition on the package",
            hint="ask without --count",
        )
    notes: list[str] = []
    pairs = _exact(engine, [one for one in terms.selectors if one.range is not None], satisfies, notes)
    whole = [one for one in terms.selectors if one.range is None]
    names = {one.name for one in whole if one.name is not None}
    every = known(engine, None if not terms.selectors else names) if names or not terms.selectors else []
    for one in whole:
        every += _like(engine, one.pattern) if one.pattern is not None else []
    pairs |= {(name, version or "") for name, version in every}
    held = holding(engine, pairs)
    columns = ("digest", "sbom", "lockfile", "workspace", "project", "project_repository")
    sql = " AND ".join(one.sql for one in terms.conditions) or "true"
    rows = engine.query(
        f"SELECT build, {', '.join(columns)} FROM build WHERE {sql}",
        [value for one in terms.conditions for value in one.parameters],
    )
    wanted = None if digests is None else set(digests)
    builds = {row[0]: row[1:] for row in rows if wanted is None or row[1] in wanted}
    artefacts = {key: identity(dict(zip(columns, row, strict=True))) for key, row in builds.items()}
    projects = {key: project(dict(zip(columns, row, strict=True))) for key, row in builds.items()}
    found = []
    for (name, version), keys in sorted(held.items()):
        there = keys & builds.keys()
        if there:
            found.append(
                Count(
                    name=name,
                    version=version,
                    builds=frozenset(artefacts[key] for key in there),
                    projects=frozenset(projects[key] for key in there),
                )
            )
    return tuple(found), tuple(notes)


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


def known(engine: Engine, names: Collection[str] | None) -> list[tuple[str, str | None]]:
    """Return every (name, version) of these names that a build holds, in no order; of all names where that is None."""
    if names is None:
        rows = engine.query("SELECT DISTINCT name, version FROM span WHERE name > ''")
    elif len(names) == 1:
        rows = engine.query("SELECT DISTINCT name, version FROM span WHERE name = ? AND name > ''", list(names))
    else:
        engine.table("listed", {"name": sorted(names)})
        rows = engine.query(
            "SELECT DISTINCT name, version FROM span WHERE name > '' AND name IN (SELECT name FROM listed)"
        )
    return [(name, version) for name, version in rows]


def holding(engine: Engine, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], set[int]]:
    """Return (name, version) → the keys of the builds that hold it, of those that any holds.

    Nothing else is read of them: a thousand versions at once are answered as quickly as one.

    Args:
        engine: an open one.
        pairs: name and version; "" is the version that nobody states.
    """
    engine.table("asked", {"name": [name for name, _ in pairs], "version": [version for _, version in pairs]})
    spans = engine.query(
        "SELECT asked.name, asked.version, low, high, build, segment FROM span JOIN asked "
        "ON span.name = asked.name AND coalesce(span.version, '') = asked.version WHERE span.name > ''"
    )
    found: dict[tuple[str, str], set[int]] = {}
    numbered = _numbered(engine, {(row[5], row[2], row[3]) for row in spans if row[5] is not None})
    for name, version, low, high, build, segment in spans:
        keys = (build,) if segment is None else map(numbered[segment].__getitem__, range(low, high + 1))
        found.setdefault((name, version), set()).update(keys)
    return found


def _numbered(engine: Engine, wanted: Set[tuple[int, int, int]]) -> dict[int, dict[int, int]]:
    """Return segment → number → the key of a build, of all that spans (segment, low, high) need."""
    if not wanted:
        return {}
    among = " OR ".join(f"segment = {segment} AND low BETWEEN {low} AND {high}" for segment, low, high in wanted)
    sql = "SELECT segment, low, build FROM span WHERE name = '' AND segment IS NOT NULL"
    numbered: dict[int, dict[int, int]] = {}
    for segment, number, build in engine.query(f"{sql} AND ({among})" if len(wanted) <= FEW else sql):
        numbered.setdefault(segment, {})[number] = build
    return numbered


def _conditions(engine: Engine, terms: Terms, satisfies: Satisfies, notes: list[str]) -> list[Condition]:
    if not terms.selectors:
        return list(terms.conditions)
    exact = _exact(engine, [one for one in terms.selectors if one.range is not None], satisfies, notes)
    names = {one.name for one in terms.selectors if one.name is not None and one.range is None}
    asked = [
        Condition(sql="package.integrity = ?", parameters=(one.integrity,))
        if one.integrity is not None
        else _pattern("package.name", one.pattern or "")
        for one in terms.selectors
        if one.name is None and one.range is None
    ]
    if len(names) > FEW:
        engine.table("named", {"name": sorted(names)})
        asked.append(Condition(sql="package.name IN (SELECT name FROM named)"))
    elif names:
        asked.append(Condition(sql=f"package.name IN ({_marks(names)})", parameters=tuple(sorted(names))))
    if len(exact) > FEW:
        pairs = sorted(exact)
        engine.table("exact", {"name": [name for name, _ in pairs], "version": [version for _, version in pairs]})
        asked.append(Condition(sql="(package.name, package.version) IN (SELECT name, version FROM exact)"))
    else:
        for name in sorted({name for name, _ in exact}):
            versions = sorted(version for other, version in exact if other == name)
            sql = f"(package.name = ? AND package.version IN ({_marks(versions)}))"
            asked.append(Condition(sql=sql, parameters=(name, *versions)))
    either = Condition(
        sql=f"({' OR '.join(one.sql for one in asked) or 'false'})",
        parameters=tuple(value for one in asked for value in one.parameters),
    )
    return [*terms.conditions, either]


def _exact(
    engine: Engine, selectors: Sequence[Selector], satisfies: Satisfies, notes: list[str]
) -> set[tuple[str, str]]:
    """Return the (name, version) that builds hold of what selectors with a range mean."""
    named = {one.name for one in selectors if one.name is not None}
    held: dict[str, list[tuple[str, str | None]]] = {}
    for pair in known(engine, named) if named else ():
        held.setdefault(pair[0], []).append(pair)
    exact: set[tuple[str, str]] = set()
    for one in selectors:
        there = held.get(one.name or "", []) if one.pattern is None else _like(engine, one.pattern)
        exact |= _versions(one, there, satisfies, notes)
    return exact


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" for _ in values)


def hits(engine: Engine, conditions: Sequence[Condition], *, join: str = "") -> tuple[Hit, ...]:
    """Return the packages, each with its artefact, for which all conditions hold.

    Raises:
        UsageError: more than `MAX_HITS`.
    """
    columns = ", ".join(f"package.{column}" for column in _PACKAGE)
    where = " AND ".join(condition.sql for condition in conditions) or "true"
    # What asks nothing of the build is not joined with it: a third of the time of one name@version.
    judged = "JOIN build ON package.build = build.build " if "build." in where.replace("package.build", "") else ""
    found = engine.query(
        f"SELECT {columns}, package.build FROM package {judged}{join} WHERE {where} LIMIT {MAX_HITS + 1}",
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
        if row[width] not in builds:  # packages without the build's own row: none that sbomgate wrote
            continue
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


def _like(engine: Engine, pattern: str) -> list[tuple[str, str | None]]:
    """Return every (name, version) of the names like that."""
    condition = _pattern("name", pattern)
    rows = engine.query(
        f"SELECT DISTINCT name, version FROM span WHERE name > '' AND {condition.sql}", condition.parameters
    )
    return [(name, version) for name, version in rows]


def _pattern(column: str, pattern: str) -> Condition:
    # What stands before the first * is a span of the sorted names: the files' statistics find it.
    start = pattern.partition("*")[0]
    sql, parameters = f"{column} LIKE ? ESCAPE '!'", [like(pattern)]
    if start:
        sql = f"({column} >= ? AND {column} < ? AND {sql})"
        parameters = [start, f"{start}􏿿", *parameters]
    return Condition(sql=sql, parameters=tuple(parameters))


def _versions(
    selector: Selector, held: Sequence[tuple[str, str | None]], satisfies: Satisfies, notes: list[str]
) -> set[tuple[str, str]]:
    """Return which of (name, version) that are held a selector means. A range is not SQL's to judge."""
    range_ = selector.range or ""
    known = [(name, version) for name, version in held if version is not None]
    if len(known) < len(held):
        notes.append(f"{selector.text}: builds hold it in a version that nobody states; they are not among these")
    exact = range_.lstrip("=v")
    wanted = {pair for pair in known if pair[1].partition("+")[0] == exact.partition("+")[0]}
    if wanted:
        return wanted
    if satisfies("0.0.0", range_) is None:
        raise UsageError(
            f"{range_[:80]!r} is no version and no range",
            where=selector.text[:100],
            hint="as in package.json: 1.14.1, ^1.14, '>=1.14 <2'",
        )
    fits = {version: satisfies(version, range_) for version in sorted({version for _, version in known})}
    # npm's ranges leave prereleases out; a person who looks for what is bad wants to know of them.
    near = [v for v, fit in fits.items() if "-" in v and not fit and satisfies(v.partition("-")[0], range_)]
    if near:
        notes.append(
            f"{selector.text}: npm's ranges hold no prereleases; not among these: {', '.join(near[:10])}"
            + (f" and {len(near) - 10} more" if len(near) > 10 else "")
        )
    return {pair for pair in known if fits[pair[1]]}
