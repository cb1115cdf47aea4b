"""New releases before the rules of the gate, and what an alert says of them. Pure.

The releases are put into a graph as if one project depended on all of them, and nothing of it had been approved: then
`trust_drift` measures each against its own earlier releases, and `new_dependencies` finds the young ones among what it
has come to depend on, with the very words and thresholds that the gate would deny with. What no rule is about (a script
that was not there, years of silence, an old major line) is said here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sbomgate import purl
from sbomgate.canonical import dumps
from sbomgate.lockfiles._integrity import parse
from sbomgate.model import (
    Absence,
    CollectedFacts,
    DependencyGraph,
    Edge,
    EdgeKind,
    Kind,
    Level,
    Lockfile,
    ManagerSettings,
    Missing,
    Package,
    PackageFacts,
    PolicyFinding,
    Scripts,
)
from sbomgate.model.watch import Alert
from sbomgate.watch.releases import Release, Version_

SCRIPT_GAINED: Final = "script-gained"
YOUNG_DEPENDENCY: Final = "young-dependency"
DEPENDENCY_ELSEWHERE: Final = "dependency-elsewhere"
AFTER_SILENCE: Final = "after-silence"
OLD_MAJOR: Final = "old-major"
NEVER_KNOWN: Final = "never-known"

PATH: Final = "watch"
"""What stands for a lockfile's path: there is none."""

MAX_MESSAGE: Final = 2_000
"""Characters: a release may name a hundred thousand maintainers, and the state keeps what is not told yet."""

_DRIFT = "trust_drift"
_LISTED = "known_malicious"
_YOUNG = ("new_dependencies", "young-package")
_UNKNOWN_DRIFT = frozenset({"provenance-unknown", "earlier-unknown"})
_FAILED = frozenset({Absence.UNREACHABLE, Absence.ADVERTISED_MISSING, Absence.MALFORMED, Absence.MISMATCH})
_ORDER = ("preinstall", "install", "postinstall", "prepare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A new release with what it has come to depend on.

    Attributes:
        name: of the package.
        release: what the registry's answer showed.
        targets: (name, version) of each new dependency that the registry has.
        elsewhere: name → range of those that come from somewhere else.
        unresolved: what is not known of others, one sentence each.
    """

    name: str
    release: Release
    targets: tuple[tuple[str, Version_], ...] = ()
    elsewhere: tuple[tuple[str, str], ...] = ()
    unresolved: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its id in the graph."""
        return _id(self.name, self.release.itself)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What is wrong with a release: a code, a sentence, and what else tells it from others of the code."""

    code: str
    message: str
    about: str = ""


def graph(candidates: Iterable[Candidate], *, registry: str, scopes: Mapping[str, str]) -> DependencyGraph:
    """Return the graph of a project that depends on all candidates, each on what it has come to depend on.

    Args:
        candidates: of one registry.
        registry: as in `ManagerSettings`.
        scopes: as there.
    """
    packages: dict[str, Package] = {}
    edges: dict[tuple[str, str], Edge] = {}
    for one in candidates:
        packages[one.id] = _package(one.name, one.release.itself)
        edges["", one.id] = _edge("", one.id, one.name)
        for name, version in one.targets:
            packages.setdefault(_id(name, version), _package(name, version))
            edges[one.id, _id(name, version)] = _edge(one.id, _id(name, version), name)
    return _graph(packages, edges, registry, scopes)


def graph_before(candidates: Iterable[Candidate], *, registry: str, scopes: Mapping[str, str]) -> DependencyGraph:
    """Return the graph of the earlier releases that candidates are measured against."""
    packages = {_id(one.name, old): _package(one.name, old) for one in candidates for old in one.release.before}
    return _graph(packages, {("", id_): _edge("", id_, one.name) for id_, one in packages.items()}, registry, scopes)


def id_before(candidate: Candidate, old: Version_) -> str:
    """Return the id that an earlier release has in the graph of `graph_before`."""
    return _id(candidate.name, old)


def _graph(
    packages: Mapping[str, Package], edges: Mapping[tuple[str, str], Edge], registry: str, scopes: Mapping[str, str]
) -> DependencyGraph:
    root = Package(id="", name=PATH, version=None, kind=Kind.ROOT)
    return DependencyGraph(
        lockfile=Lockfile(path=PATH, kind=PATH, version="1", sha256=hashlib.sha256(b"").hexdigest(), size=0),
        manager=ManagerSettings(name=PATH, registry=registry, scopes=scopes, settings={}, files={}),
        packages=(root, *(packages[id_] for id_ in sorted(packages))),
        edges=tuple(edges[key] for key in sorted(edges)),
        findings=(),
    )


def _id(name: str, version: Version_) -> str:
    return f"{name}@{version.version}"


def _package(name: str, version: Version_) -> Package:
    return Package(
        id=_id(name, version),
        name=name,
        version=version.version,
        kind=Kind.REGISTRY,
        resolved=version.tarball,
        integrity=version.integrity,
        hashes=parse(version.integrity or "")[0],
        direct=True,
    )


def _edge(source: str, target: str, name: str) -> Edge:
    return Edge(source=source, target=target, name=name, kind=EdgeKind.PROD, range="*", satisfied=True)


# --------------------------------------------------------------------------------------------------------------------
# What is wrong with it


def suspicions(
    candidate: Candidate,
    facts: Mapping[str, PackageFacts],
    findings: Sequence[PolicyFinding],
    before: Mapping[str, PackageFacts],
) -> list[Suspicion]:
    """Return what is wrong with a release, in a fixed order.

    Args:
        candidate: the release.
        facts: of the packages of `graph`, by id.
        findings: of the policy, about that graph.
        before: facts of the earlier releases, by their ids in `graph_before`; needed of a release that runs something
            on install.
    """
    found = [
        Suspicion(code=one.code, message=one.message)
        for one in _about(candidate.id, findings)
        if one.rule in (_DRIFT, _LISTED) and one.code not in _UNKNOWN_DRIFT
    ]
    for name, version in candidate.targets:
        id_ = _id(name, version)
        runs = _runs(facts[id_].scripts) if id_ in facts else ""
        for one in _about(id_, findings):
            if (one.rule, one.code) == _YOUNG or one.rule == _LISTED:
                code = YOUNG_DEPENDENCY if one.rule != _LISTED else one.code
                said = f"brings in {name} {version.version}: {one.message}{runs and f', and it runs {runs} on install'}"
                found.append(Suspicion(code=code, message=said, about=id_))
    found += [
        Suspicion(
            code=DEPENDENCY_ELSEWHERE,
            message=f"brings in {name} from {purl.public_url(range_)[:200]}, no registry: nobody knows how old it is",
            about=name,
        )
        for name, range_ in candidate.elsewhere
    ]
    found += _script(candidate, facts, before)
    release = candidate.release
    if release.silent_since is not None:
        found.append(
            Suspicion(
                code=AFTER_SILENCE,
                message=f"nothing of it had been published since {release.silent_since:%Y-%m-%d}",
            )
        )
    if release.newest is not None:
        found.append(
            Suspicion(code=OLD_MAJOR, message=f"it sits on an old major line: {release.newest} was out already")
        )
    return found


def is_scripted(candidate: Candidate, facts: Mapping[str, PackageFacts]) -> bool:
    """Whether a release runs something on install, by its own bytes."""
    return candidate.id in facts and facts[candidate.id].scripts.state == "present"


def _script(
    candidate: Candidate, facts: Mapping[str, PackageFacts], before: Mapping[str, PackageFacts]
) -> Iterator[Suspicion]:
    if not is_scripted(candidate, facts):
        return
    for old in candidate.release.before:
        known = before.get(_id(candidate.name, old))
        if known is not None and known.scripts.state == "none":
            runs = _runs(facts[candidate.id].scripts)
            yield Suspicion(
                code=SCRIPT_GAINED, message=f"it runs {runs} on install; {old.version}, released before it, ran nothing"
            )
            return


def _about(id_: str, findings: Iterable[PolicyFinding]) -> Iterator[PolicyFinding]:
    return (one for one in findings if one.package == id_ and one.level is not Level.NOTE and not one.waived)


def _runs(scripts: Scripts) -> str:
    if scripts.state != "present":
        return ""
    name = next((one for one in _ORDER if one in scripts.scripts), None)
    if name is not None:
        return f"{name} `{scripts.scripts[name][:200]}`"
    return "its build through binding.gyp" if scripts.gyp else "a script"


# --------------------------------------------------------------------------------------------------------------------
# What is not known of it


def not_known(
    candidate: Candidate,
    collected: Mapping[str, CollectedFacts],
    facts: Mapping[str, PackageFacts],
    findings: Sequence[PolicyFinding],
    before: Mapping[str, PackageFacts],
) -> list[str]:
    """Return what could not be known of a release, one sentence each, without repeating any.

    Args:
        candidate: the release.
        collected: by the ids of `graph`.
        facts: as for `suspicions`.
        findings: as for `suspicions`.
        before: as for `suspicions`.
    """
    said = list(candidate.unresolved)
    own = collected[candidate.id]
    if isinstance(own.registry, Missing):
        said.append(own.registry.reason)
    else:
        said += _of_tarball(own)
        if isinstance(own.earlier, Missing):
            said.append(own.earlier.reason)
        for one in own.earlier if isinstance(own.earlier, tuple) else ():
            missing = one.attestations
            if isinstance(missing, Missing) and missing.absence in _FAILED:
                said.append(f"whether {one.version}, released before it, is attested: {missing.reason}")
        said += [one.message for one in findings if one.package == candidate.id and one.code in _UNKNOWN_DRIFT]
    for name, version in candidate.targets:
        target = collected[_id(name, version)]
        what = f"what {name} {version.version} is, which it brings in"
        if isinstance(target.registry, Missing):
            said.append(f"{what}: {target.registry.reason}")
        elif facts[_id(name, version)].publish.first is None:
            said.append(f"{what}: nobody knows since when it exists")
    if is_scripted(candidate, facts):
        states = {
            old.version: before[_id(candidate.name, old)].scripts
            for old in candidate.release.before
            if _id(candidate.name, old) in before
        }
        if all(one.state != "none" for one in states.values()):
            said += [
                f"whether {version} ran something on install: {one.reason}"
                for version, one in states.items()
                if one.state == "unknown"
            ]
    return list(dict.fromkeys(said))


def _of_tarball(facts: CollectedFacts) -> Iterator[str]:
    missing = facts.tarball
    if isinstance(missing, Missing):
        asked = missing.absence is not Absence.NOT_ASKED
        yield f"its tarball: {missing.reason if asked else 'the registry names no single sha512 of it'}"


# --------------------------------------------------------------------------------------------------------------------
# Alerts


def alert(
    suspicion: Suspicion, candidate: Candidate, *, registry: str, held: Sequence[str], builds: int, now: datetime
) -> Alert:
    """Return the alert that a suspicion is."""
    version = candidate.release.itself.version
    told_apart = [registry, candidate.name, version, suspicion.code, suspicion.about]
    return Alert(
        id=hashlib.sha256(dumps(told_apart)).hexdigest(),
        registry=registry,
        name=candidate.name,
        version=version,
        published=candidate.release.published,
        code=suspicion.code,
        message=suspicion.message[:MAX_MESSAGE],
        found=now,
        held=tuple(sorted(held)),
        builds=builds,
    )
