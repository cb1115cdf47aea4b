"""What changed since the last approved build, for the person who approves it: most dangerous first. Pure.

Nothing is decided here: what a change can do comes from the facts in the SBOM, and what is wrong with it from the
findings. The digest names the change, so that what is approved is what was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Set
from datetime import datetime, timedelta

from sbomgate.canonical import dumps
from sbomgate.model import (
    OWN_KINDS,
    AttestationState,
    Authors,
    Bootstrap,
    EdgeKind,
    Evaluation,
    Kind,
    Level,
    Package,
    PackageFacts,
    PolicyFinding,
    Sbom,
)
from sbomgate.model.review import Entry, Review

_OF_CHANGES = frozenset({"approved_changes", "new_dependencies"})
"""Rules whose findings are about a change, whatever they are about: an edge stands at the package that declares it."""
_RUNS_CODE = 150  # more than one finding that denies
_WEIGHT = {Level.DENY: 100, Level.WARN: 10, Level.NOTE: 1}


def review(
    sbom: Sbom,
    evaluation: Evaluation,
    baseline: Sbom | Bootstrap,
    *,
    compared: str | None,
    profile: str,
    now: datetime,
    authors: Authors | None = None,
) -> Review:
    """Return the change from the last approved build to this one.

    Args:
        sbom: what is judged.
        evaluation: what the policy says of it.
        baseline: the SBOM of the last approved build, or why there is none.
        compared: the decision that `baseline` belongs to.
        profile: the profile in force.
        now: when; ages are counted from it.
        authors: who made the change, as far as it is proved.
    """
    graph = sbom.graph
    before = None if isinstance(baseline, Bootstrap) else baseline
    old = set() if before is None else {_key(p) for p in before.graph.packages if p.kind not in OWN_KINDS}
    held: dict[str, set[str]] = {}
    for name, version, _ in old:
        held.setdefault(name, set()).add(version)
    by_id = {package.id: package for package in graph.packages}
    findings: dict[tuple[str, str, str], dict[str, PolicyFinding]] = {}
    whole: list[PolicyFinding] = []
    for finding in evaluation.findings:
        package = by_id.get(finding.package or "")
        if package is None or package.kind in OWN_KINDS:
            whole.append(finding)
        else:
            findings.setdefault(_key(package), {}).setdefault(finding.fingerprint, finding)
    copies: dict[tuple[str, str, str], list[Package]] = {}
    for package in graph.packages:
        key = _key(package)
        # On a first run everything is new: only what something is said about is put before a person. What did not
        # change is, where it denies: whoever approves the change answers for it as well.
        if package.kind not in OWN_KINDS and (_is_shown(key, old, findings) if before is not None else key in findings):
            copies.setdefault(key, []).append(package)
    chains = graph.chains(p.id for p in graph.packages if p.kind in (Kind.ROOT, Kind.WORKSPACE))
    brings = _brings(sbom, held) if before is not None else {}
    entries = [
        _entry(
            found,
            sbom.facts.get(found[0].id),
            tuple(sorted(findings.get(key, {}).values(), key=_severity)),
            changed=key not in old,
            was=tuple(sorted(held.get(key[0], ()))),
            known_publishers=_publishers(before, key[0]),
            path=min((chains[p.id] for p in found if p.id in chains), key=lambda c: (len(c), c), default=()),
            brings=brings.get(found[0].id, ()),
            now=now,
        )
        for key, found in copies.items()
    ]
    entries.sort(key=lambda e: (-_danger(e), e.name, e.version))
    replaced = {entry.name for entry in entries}
    now_held = {(p.name, p.version or "") for p in graph.packages if p.kind not in OWN_KINDS}
    shown = {*whole, *(f for key in copies for f in findings.get(key, {}).values())}
    shown |= {finding for finding in evaluation.findings if finding.rule in _OF_CHANGES}
    covers = tuple(sorted({f.fingerprint for f in shown if f.waivable and not f.waived}))
    edges = () if before is None else _edges(sbom, before, {key[0] for key in copies if key not in old})
    root = by_id.get("")
    return Review(
        project=(root.name if root else "") or "(unnamed project)",
        version=root.version if root else None,
        lockfile=graph.lockfile.path,
        verdict=evaluation.verdict,
        profile=profile,
        compared=compared,
        reason=baseline.reason if isinstance(baseline, Bootstrap) else "",
        entries=tuple(entries),
        removed=tuple(sorted({(name, version) for name, version, _ in old if name not in replaced} - now_held)),
        edges=edges,
        whole=tuple(sorted(whole, key=_severity)),
        covers=covers,
        never=tuple(f for f in evaluation.findings if not f.waivable and f.level is Level.DENY),
        sha256=hashlib.sha256(
            dumps(
                {
                    "compared": compared,
                    "lockfile": graph.lockfile.sha256,
                    "packages": sorted(list(key) for key in copies),
                    "edges": [list(edge) for edge in edges],
                    "findings": list(covers),
                }
            )
        ).hexdigest(),
        packages=len(graph.packages) - 1,
        authors=authors or Authors(),
    )


def _is_shown(
    key: tuple[str, str, str],
    old: Set[tuple[str, str, str]],
    findings: Mapping[tuple[str, str, str], Mapping[str, PolicyFinding]],
) -> bool:
    return key not in old or any(f.level is Level.DENY and not f.waived for f in findings.get(key, {}).values())


def _key(package: Package) -> tuple[str, str, str]:
    return package.name, package.version or "", package.integrity or ""


def _danger(entry: Entry) -> int:
    """Return a weight to sort by: what is wrong with it, and whether it runs code when it is installed."""
    return sum(_WEIGHT[f.level] for f in entry.findings if not f.waived) + (_RUNS_CODE if entry.scripts else 0)


def _severity(finding: PolicyFinding) -> tuple[int, str, str]:
    return -_WEIGHT[finding.level], finding.rule, finding.code


def _entry(
    copies: list[Package],
    facts: PackageFacts | None,
    findings: tuple[PolicyFinding, ...],
    *,
    changed: bool,
    was: tuple[str, ...],
    known_publishers: frozenset[str],
    path: tuple[str, ...],
    brings: tuple[str, ...],
    now: datetime,
) -> Entry:
    package = copies[0]
    can = list(_can(package, facts, known_publishers, now))
    if brings:
        can.append(f"brings in {', '.join(brings)}, new to this project")
    return Entry(
        name=package.name,
        version=package.version or "",
        integrity=package.integrity,
        changed=changed,
        was=was,
        path=path,
        can=tuple(can),
        findings=findings,
        scripts={} if facts is None else facts.scripts.scripts,
    )


def _can(package: Package, facts: PackageFacts | None, known: frozenset[str], now: datetime) -> Iterator[str]:
    if package.kind is not Kind.REGISTRY:
        yield f"comes from {package.kind.value}, not from a registry"
    if package.integrity is None:
        yield "the lockfile does not say which bytes it has"
    if facts is None:
        yield "nothing is known about it"
        return
    match facts.scripts.state:
        case "present":
            names = ", ".join(sorted(facts.scripts.scripts)) or "node-gyp"
            yield f"runs code when it is installed ({names})"
        case "unknown":
            yield f"nobody knows what it runs when it is installed ({facts.scripts.reason})"
    if facts.publish.time is None:
        yield f"nobody knows when it was published ({facts.publish.reason})"
    else:
        word = "the log's" if facts.publish.source == "attestation" else "the registry's"
        yield f"published {_ago(now - facts.publish.time)} ago by {word} word"
    match facts.provenance.state:
        case AttestationState.VERIFIED if facts.provenance.claims is not None:
            claims = facts.provenance.claims
            yield f"built by {claims.repository or claims.identity} ({claims.workflow or 'workflow not said'})"
        case AttestationState.UNATTESTED:
            yield "carries no provenance"
        case state:
            yield f"provenance {state.value}: {facts.provenance.reason}"
    if facts.publisher is not None and known and facts.publisher not in known:
        yield f"published by {facts.publisher}, before by {', '.join(sorted(known))} (the registry's word)"


def _ago(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours < 48:
        return f"{max(hours, 0):.0f} h"
    return f"{hours / 24:.0f} days" if hours < 24 * 60 else f"{hours / 24 / 30.4:.0f} months"


def _publishers(before: Sbom | None, name: str) -> frozenset[str]:
    if before is None:
        return frozenset()
    said = (before.facts[p.id].publisher for p in before.graph.packages if p.name == name and p.id in before.facts)
    return frozenset(publisher for publisher in said if publisher is not None)


def _brings(sbom: Sbom, held: Mapping[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """Package id → names of its dependencies that the last approved build did not have."""
    names = {package.id: package.name for package in sbom.graph.packages if package.kind not in OWN_KINDS}
    found: dict[str, set[str]] = {}
    for edge in sbom.graph.edges:
        if edge.target in names and names[edge.target] not in held:
            found.setdefault(edge.source, set()).add(names[edge.target])
    return {source: tuple(sorted(targets)) for source, targets in found.items()}


def _edges(sbom: Sbom, before: Sbom, changed: set[str]) -> tuple[tuple[str, str], ...]:
    """Edges by name that are new, from what is not changed itself: those of a changed package come with it."""
    there = {(source, target) for source, target, _ in before.graph.named_edges()}
    now = {
        (source, target)
        for source, target, edge in sbom.graph.named_edges()
        if edge.kind is not EdgeKind.PEER_OPTIONAL  # met by whatever else came in
    }
    return tuple(sorted(edge for edge in now - there if edge[0] not in changed))
