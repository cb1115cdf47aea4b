"""The PolicyInput: all that the rules see, as canonical JSON. A pure function of the captured inputs (PROMISES P23).

Its shape is `wire.PolicyInput`; schemas/policy-input.schema.json is generated from that, OPA's checker holds the rules
to it, and `validate` holds every document to it before an engine sees it.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from sbomgate import purl
from sbomgate.errors import PolicyError
from sbomgate.model import (
    OWN_KINDS,
    Approval,
    Attestation,
    AttestationState,
    BaselineBuild,
    Bootstrap,
    Claimed,
    Claims,
    Context,
    DependencyGraph,
    EdgeKind,
    Kind,
    ManagerSettings,
    Package,
    PackageFacts,
    People,
    Publish,
    Sbom,
    Scripts,
    Signature,
    SignatureState,
    Subject,
    Ties,
    TreeLink,
    Trust,
    TrustRoot,
    Waiver,
)
from sbomgate.policy import licences, names
from sbomgate.policy.lists import Hits, MaliciousList, join

SCHEMA = ("schemas", "policy-input.schema.json")
"""Where its schema lies (`resources.path(*SCHEMA)`)."""

_NO_HITS = Hits(exact=(), other=())


NOBODY = People()
"""Nobody signed anything, and nobody knows who made the change."""


def build(
    sbom: Sbom,
    *,
    context: Context,
    trust: Trust,
    trust_root: TrustRoot,
    baseline: BaselineBuild | Bootstrap,
    parameters: Mapping[str, Mapping[str, Any]],
    lists: Sequence[MaliciousList],
    people: People = NOBODY,
) -> bytes:
    """Return the PolicyInput as canonical JSON: UTF-8, keys sorted, no white space; the same bytes for the same input.

    Args:
        sbom: what is judged; packages without facts get facts that are unknown, never none.
        context: when, where, and for what the decision is made.
        trust: the trust file (or what holds without one).
        trust_root: what provenance was verified against.
        baseline: the last approved build, or why there is none.
        parameters: rule id → parameter → value, as `parameters.effective` returns them.
        lists: the lists of malicious packages to compare with.
        people: what approvers signed, and who made the change.

    Raises:
        PolicyError: a value that JSON cannot hold (a lone surrogate, a time without a zone).
    """
    graph = sbom.graph
    root = next((p for p in graph.packages if p.kind is Kind.ROOT), None)
    approved = _approved(baseline)
    hits = join(graph.packages, lists)
    similar = _similar(graph.packages, approved) if isinstance(baseline, BaselineBuild) else {}
    packages: list[dict[str, Any]] = []
    shared = _Shared(recent=_zoned(context.evaluated_at) - _RECENT)
    for p in sorted(graph.packages, key=lambda p: p.id):
        if p.kind is not Kind.ROOT:
            facts = sbom.facts.get(p.id) or (_OWN_FACTS if p.kind in OWN_KINDS else _UNKNOWN_FACTS)
            held = p.kind not in OWN_KINDS and _same(p) in approved.get(p.name, ())
            index = shared.index(p, facts, hits.get(p.id, _NO_HITS), similar.get(p.name, ()), held=held)
            packages.append(_package(p, facts, index))
    document = {
        "schema": "sbomgate/policy-input/v1",
        "evaluated_at": _time(context.evaluated_at),
        "profile": context.profile,
        "environment": _claimed(context.environment),
        "project": {
            "name": root.name if root else "",
            "version": root.version if root else None,
            "repository": _claimed(context.repository),
            "commit": _claimed(context.commit),
            "lockfile_path": context.lockfile_path,
            "workspace": context.workspace,
        },
        "subject": _subject(context.subject),
        "link": context.link,
        "ties": None if context.ties is None else ties(context.ties),
        "time_source": context.time_source,
        "parameters": parameters,
        "lockfile": _lockfile(graph),
        "manager": {**_told(graph.manager), "name": graph.manager.name, "files": dict(graph.manager.files)},
        "malicious_lists": [
            {"name": one.name, "sha256": one.sha256, "entries": one.entries}
            for one in sorted(lists, key=lambda one: (one.name, one.sha256))
        ],
        "packages": packages,
        "facts": shared.facts,
        "licences": _licences(facts["licence"] for facts in shared.facts),
        "manifests": _manifests(sbom),
        "earlier": _earlier(sbom),
        **_latest(sbom),
        **_rebuilt(sbom),
        "edges": _edges(graph),
        "unmet": _unmet(graph),
        "baseline": _baseline(baseline, graph, approved),
        "trust": _trust(trust),
        **_people(people),
        "trust_root": {
            "trusted_root": trust_root.trusted_root,
            "registry_keys": trust_root.registry_keys,
            "updated": _time(trust_root.updated) if trust_root.updated else None,
        },
    }
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError) as e:
        raise PolicyError(f"the policy input cannot be written as JSON: {e}", where=graph.lockfile.path) from e


def validate(data: bytes) -> None:
    """Check a PolicyInput against its schema.

    Raises:
        PolicyError: not JSON, or not what the schema says; the message names the first place that is wrong.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as e:
        raise PolicyError(f"not JSON: {e}", where="policy input") from e
    for error in _validator().iter_errors(document):
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.instance_path).lstrip(".")
        raise PolicyError(error.message[:500], where="policy input", place=place)


@functools.cache
def _validator() -> Any:
    import jsonschema_rs

    from sbomgate import resources

    return jsonschema_rs.Draft202012Validator(orjson.loads(resources.path(*SCHEMA).read_bytes()))


# --------------------------------------------------------------------------------------------------------------------
# What is judged


def _package(p: Package, facts: PackageFacts, index: int) -> dict[str, Any]:
    """Return what is a package's own."""
    publish = facts.publish
    package = {
        "id": p.id,
        "name": p.name,
        "version": p.version,
        "flags": _flags(p.direct, p.dev, p.optional, p.peer, p.reachable),
        "resolved": _address(p.resolved),
        "integrity": p.integrity,
        "published": _time(publish.time) if publish.time else None,
        "first_published": _time(publish.first) if publish.first else None,
        "publisher": facts.publisher,
        "facts": index,
    }
    if facts.registry_integrity is not None and facts.registry_integrity != p.integrity:
        package["registry_integrity"] = facts.registry_integrity
    if p.alias is not None:
        package["alias"] = p.alias
    if p.bundled_in is not None:
        package["bundled_in"] = p.bundled_in
    return package


@functools.cache
def _flags(direct: bool, dev: bool, optional: bool, peer: bool, reachable: bool) -> tuple[str, ...]:
    named = {"direct": direct, "dev": dev, "optional": optional, "peer": peer, "unreachable": not reachable}
    return tuple(name for name, is_so in named.items() if is_so)


_RECENT = timedelta(days=64)
"""Releases younger than this share no facts with older ones: a rule about young ones then looks at few packages. It is
longer than what any profile waits, and changes no verdict: a rule compares with its own parameter."""


class _Shared:
    """The facts that packages have in common, each stated once.

    Most packages of a tree differ in nothing but names and bytes, and an engine reads what is said once for all of them
    many times faster than what is said of each.
    """

    def __init__(self, *, recent: datetime) -> None:
        self.facts: list[dict[str, Any]] = []
        self._recent = recent
        self._known: dict[tuple[object, ...], int] = {}
        self._latest: list[tuple[datetime | None, datetime | None]] = []

    def index(self, p: Package, facts: PackageFacts, hits: Hits, similar: Sequence[str], *, held: bool) -> int:
        """Return the index of the facts, which are added where no package before had all of them."""
        publish, scripts = facts.publish, facts.scripts
        licence = facts.licence if facts.licence is not None else p.licence
        deprecated = facts.deprecated if facts.deprecated is not None else p.deprecated
        agrees = None if facts.registry_integrity is None else facts.registry_integrity == p.integrity
        same = (
            *(p.kind, held, agrees, self._is_recent(publish.time), self._is_recent(publish.first)),
            *(publish.source, publish.reason, publish.absent, publish.seen),
            *(scripts.state, scripts.source, scripts.reason, scripts.gyp, scripts.digest, scripts.disagreements),
            *(tuple(scripts.scripts.items()), facts.signature, facts.publish_attestation, facts.provenance),
            *(facts.registry, facts.trusted_publisher, licence, deprecated, hits.exact, hits.other, tuple(similar)),
        )
        found = self._known.get(same)
        if found is None:
            found = self._known[same] = len(self.facts)
            self._latest.append((publish.time, publish.first))
            self.facts.append(
                {
                    "kind": p.kind._value_,
                    "held": held,
                    "registry_agrees": agrees,
                    "published_until": _time(publish.time) if publish.time else None,
                    "first_published_until": _time(publish.first) if publish.first else None,
                    "registry": _address(facts.registry),
                    "publish": {
                        "source": publish.source,
                        "reason": publish.reason,
                        "absent": _time(publish.absent) if publish.absent else None,
                        "seen": _time(publish.seen) if publish.seen else None,
                    },
                    "scripts": _scripts(scripts),
                    "signature": {"state": facts.signature.state._value_, "reason": facts.signature.reason},
                    "publish_attestation": _attestation(facts.publish_attestation),
                    "provenance": _attestation(facts.provenance),
                    "trusted_publisher": facts.trusted_publisher,
                    "licence": licence,
                    "deprecated": deprecated,
                    "malicious": hits.exact,
                    "malicious_name": hits.other,
                    "similar": similar,
                }
            )
            return found
        time, first = self._latest[found]
        if publish.time and time and publish.time > time:
            time, self.facts[found]["published_until"] = publish.time, _time(publish.time)
        if publish.first and first and publish.first > first:
            first, self.facts[found]["first_published_until"] = publish.first, _time(publish.first)
        self._latest[found] = time, first
        return found

    def _is_recent(self, moment: datetime | None) -> bool | None:
        """Return None where the time is not known: then no package that shares these facts has one."""
        return None if moment is None else _zoned(moment) > self._recent


def _licences(texts: Iterable[str | None]) -> dict[str, tuple[licences.Way, ...]]:
    """Return what each licence text comes to, where it is an SPDX expression."""
    return {text: ways for text in texts if text is not None and (ways := licences.ways(text)) is not None}


def _facts(state: AttestationState, signature: SignatureState, scripts: str, reason: str) -> PackageFacts:
    attestation = Attestation(state=state, reason=reason)
    return PackageFacts(
        publish=Publish(time=None, source="unknown", reason=reason, first=None),
        scripts=Scripts(
            state=scripts, source="unknown", reason=reason, scripts={}, gyp=False, digest=None, disagreements=()
        ),
        signature=Signature(state=signature, reason=reason),
        publish_attestation=attestation,
        provenance=attestation,
        publisher=None,
        trusted_publisher=None,
        licence=None,
        deprecated=None,
        registry=None,
        registry_integrity=None,
    )


# Nothing passes by absence: a package that nobody collected facts about is unknown in every respect.
_UNKNOWN_FACTS = _facts(
    AttestationState.UNREACHABLE, SignatureState.UNKNOWN, "unknown", "no facts were collected about it"
)
_OWN_FACTS = _facts(
    AttestationState.NOT_APPLICABLE, SignatureState.NOT_APPLICABLE, "unknown", "it is the project's own"
)


def _scripts(scripts: Scripts) -> dict[str, Any]:
    return {
        "state": scripts.state,
        "source": scripts.source,
        "reason": scripts.reason,
        "scripts": dict(scripts.scripts),
        "gyp": scripts.gyp,
        "digest": scripts.digest,
        "disagreements": scripts.disagreements,
    }


def _manifests(sbom: Sbom) -> dict[str, dict[str, Any]]:
    """Package id → what is odd about its manifest; only of those where anything is."""
    return {
        id_: {
            "disagreements": facts.manifest,
            "shadows": facts.shadows,
            "script_files": dict(facts.scripts.files),
        }
        for id_, facts in sbom.facts.items()
        if facts.manifest or facts.shadows or facts.scripts.files
    }


def _earlier(sbom: Sbom) -> dict[str, dict[str, Any]]:
    """Package id → the earlier releases that it is measured against; only of those that somebody asked about."""
    return {
        id_: {
            "unknown": facts.earlier.unknown,
            "maintainers": facts.maintainers,
            "releases": [
                {
                    "version": one.version,
                    "advertised": one.advertised,
                    "provenance": _attestation(one.provenance),
                    "publisher": one.publisher,
                    "trusted_publisher": one.trusted_publisher,
                    "maintainers": one.maintainers,
                }
                for one in facts.earlier.releases
            ],
        }
        for id_, facts in sbom.facts.items()
        if facts.earlier is not None
    }


def _latest(sbom: Sbom) -> dict[str, dict[str, str]]:
    """Package id → the registry's `latest`, where that is a lower release; nothing at all where there is none."""
    found = {id_: facts.latest for id_, facts in sbom.facts.items() if facts.latest is not None}
    return {"latest": found} if found else {}


def _rebuilt(sbom: Sbom) -> dict[str, dict[str, tuple[str, ...]]]:
    """Package id → who built the same from its source; nothing at all where nobody did."""
    found = {id_: facts.rebuilt for id_, facts in sbom.facts.items() if facts.rebuilt}
    return {"rebuilt": found} if found else {}


def _attestation(a: Attestation) -> dict[str, Any]:
    return {
        "state": a.state._value_,
        "reason": a.reason,
        "log_proof": a.log_proof,
        "log_time": _time(a.log_time) if a.log_time else None,
        "claims": _claims(a.claims) if a.claims else None,
    }


def _claims(c: Claims) -> dict[str, Any]:
    return {
        "issuer": c.issuer,
        "identity": c.identity,
        "repository": c.repository,
        "repository_id": c.repository_id,
        "owner": c.owner,
        "owner_id": c.owner_id,
        "workflow": c.workflow,
        "ref": c.ref,
        "commit": c.commit,
        "trigger": c.trigger,
        "runner": c.runner,
        "builder": c.builder,
    }


def _edges(graph: DependencyGraph) -> dict[str, list[str]]:
    edges: defaultdict[str, set[str]] = defaultdict(set)
    for e in graph.edges:
        if e.target is not None:
            edges[e.source].add(e.target)
    return {source: sorted(targets) for source, targets in edges.items()}


def _unmet(graph: DependencyGraph) -> dict[str, list[dict[str, Any]]]:
    unmet: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for e in graph.edges:
        if e.target is None or e.satisfied is False:
            unmet[e.source].append(
                {
                    "target": e.target,
                    "name": e.name,
                    "kind": e.kind._value_,
                    "range": purl.public_url(e.range),
                    "satisfied": e.satisfied,
                }
            )
    return unmet


def _lockfile(graph: DependencyGraph) -> dict[str, Any]:
    lock = graph.lockfile
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for f in graph.findings:
        found[f.rule].append({"code": f.code, "package": f.package, "place": f.place, "message": f.message})
    return {
        "path": lock.path,
        "kind": lock.kind,
        "version": lock.version,
        "sha256": lock.sha256,
        "findings": found,
    }


def _told(manager: ManagerSettings) -> dict[str, Any]:
    return {
        "registry": _address(manager.registry),
        "scopes": {scope: _address(url) for scope, url in manager.scopes.items()},
        "settings": {key: purl.public_url(value) for key, value in manager.settings.items()},
    }


# --------------------------------------------------------------------------------------------------------------------
# What it is judged against


def _approved(baseline: BaselineBuild | Bootstrap) -> dict[str, set[tuple[str | None, ...]]]:
    """Name → what the last approved build held of it; no root, no workspaces, no links."""
    approved: defaultdict[str, set[tuple[str | None, ...]]] = defaultdict(set)
    if isinstance(baseline, BaselineBuild):
        for p in baseline.sbom.graph.packages:
            if p.kind not in OWN_KINDS:
                approved[p.name].add(_same(p))
    return dict(approved)


def _baseline(
    baseline: BaselineBuild | Bootstrap, graph: DependencyGraph, approved: Mapping[str, Set[tuple[str | None, ...]]]
) -> dict[str, Any]:
    match baseline:
        case Bootstrap(reason=reason):
            return {
                "state": "bootstrap",
                "reason": reason,
                "evidence": None,
                "decided_at": None,
                "manager": None,
                "held": {},
                "packages": {},
                "edges": {},
                "gained": [],
            }
        case BaselineBuild(sbom=sbom):
            differ = {
                p.name for p in graph.packages if p.kind not in OWN_KINDS and _same(p) not in approved.get(p.name, ())
            }
            edges = _by_name(sbom.graph)
            gained = _gained(graph, edges)
            return {
                "state": "accepted",
                "reason": "",
                "evidence": baseline.evidence,
                "decided_at": _time(baseline.decided_at),
                "manager": _told(sbom.graph.manager),
                "held": {name: name in approved for name in differ},
                "packages": _baseline_packages(sbom, differ),
                "edges": {
                    source: sorted(edges.get(source, ()))
                    for source in {"", *differ, *gained, *(p.name for p in graph.packages if p.kind in OWN_KINDS)}
                    if source in edges or source in gained
                },
                "gained": sorted(gained),
            }


def _same(p: Package) -> tuple[str | None, ...]:
    """Return what two entries of one name have in common where they are the same version with the same bytes.

    What has no integrity is the same where it comes from the same address.
    """
    return (p.version, p.integrity) if p.integrity is not None else (p.version, None, _address(p.resolved))


def _baseline_packages(sbom: Sbom, names: Set[str]) -> dict[str, list[dict[str, Any]]]:
    """Name → its entries, once each: copies in several places of the tree are one."""
    held: defaultdict[str, dict[tuple[str, ...], dict[str, Any]]] = defaultdict(dict)
    for p in sbom.graph.packages:
        if p.kind in OWN_KINDS or p.name not in names:
            continue
        facts = sbom.facts.get(p.id, _UNKNOWN_FACTS)
        address = _address(p.resolved)
        held[p.name].setdefault(
            (p.version or "", p.integrity or "", address or ""),
            {
                "version": p.version,
                "integrity": p.integrity,
                "resolved": address,
                "scripts_digest": facts.scripts.digest,
                "scripts_state": facts.scripts.state,
                "provenance": _attestation(facts.provenance),
                "publisher": facts.publisher,
                "trusted_publisher": facts.trusted_publisher,
                "maintainers": facts.maintainers,
            },
        )
    return {name: [entries[key] for key in sorted(entries)] for name, entries in held.items()}


def _gained(graph: DependencyGraph, held: Mapping[str, Set[str]]) -> set[str]:
    """Return the names of what depends on anything now which it did not.

    An optional peer is met by whatever else the project has come to hold: nobody wrote that into the entry, and nothing
    is installed for it.
    """
    return {
        source
        for source, target, edge in graph.named_edges()
        if source and edge.kind is not EdgeKind.PEER_OPTIONAL and target not in held.get(source, ())
    }


def _by_name(graph: DependencyGraph) -> dict[str, set[str]]:
    edges: defaultdict[str, set[str]] = defaultdict(set)
    for source, target, _ in graph.named_edges():
        edges[source].add(target)
    return edges


def _similar(packages: Iterable[Package], held: Mapping[str, object]) -> dict[str, list[str]]:
    new = {p.name for p in packages if p.kind not in OWN_KINDS and p.name not in held}
    return names.neighbours(new, names.WELL_KNOWN | held.keys()) if new else {}


def _trust(trust: Trust) -> dict[str, Any]:
    return {
        "sha256": trust.sha256,
        "registries": [
            {"url": r.url, "scope": r.scope, "serves_evidence": r.serves_evidence} for r in trust.registries
        ],
        "first_party": trust.first_party,
        "approved_scripts": [
            {"name": a.name, "version": a.version, "integrity": a.integrity, "digest": a.digest, "reason": a.reason}
            for a in trust.approved_scripts
        ],
        "exclusions": [
            {
                "rule": e.rule,
                "name": e.name,
                "version": e.version,
                "integrity": e.integrity,
                "reason": e.reason,
                "until": _time(e.until) if e.until else None,
            }
            for e in trust.exclusions
        ],
        "expected_provenance": [
            {"package": e.package, "repository": e.repository, "repository_id": e.repository_id, "workflow": e.workflow}
            for e in trust.expected_provenance
        ],
        "issuers": trust.issuers,
        "quorum": trust.quorum,
    }


def _people(people: People) -> dict[str, Any]:
    """Return what people signed, and who made the change."""
    approvals, waivers = [], []
    for one in people.signed:
        common = {"id": one.id, "by": one.by, "project": one.said.project, "reason": one.said.reason}
        until = _time(one.said.until)
        match one.said:
            case Approval(findings=findings):
                approvals.append({**common, "until": until, "findings": findings})
            case Waiver(package=package) as said:
                name, version, integrity = package or (None, None, None)
                waivers.append(
                    {
                        **common,
                        "until": until,
                        "rule": said.rule,
                        "name": name,
                        "version": version,
                        "integrity": integrity,
                        "fingerprint": said.fingerprint,
                        "advisory": said.advisory,
                    }
                )
    return {
        "approvals": approvals,
        "waivers": waivers,
        "refused_waivers": [{"name": name, "reason": reason} for name, reason in people.refused],
        "change": {
            "authors": sorted(people.authors.people),
            "authors_known": people.authors.known,
            "reason": people.authors.reason,
        },
    }


def ties(found: Ties) -> dict[str, Any]:
    """Return what ties the artefact to the lockfile, as JSON."""
    return {
        "installed": _tree(found.installed),
        "contained": _tree(found.contained),
        "provenance": None if found.provenance is None else asdict(found.provenance),
    }


def _tree(found: TreeLink | None) -> dict[str, Any] | None:
    return None if found is None else {**asdict(found), "counts": dict(found.counts)}


def _claimed(claimed: Claimed | None) -> dict[str, str] | None:
    return {"value": claimed.value, "source": claimed.source} if claimed else None


def _subject(subject: Subject | None) -> dict[str, Any] | None:
    if subject is None:
        return None
    return {"kind": subject.kind._value_, "name": subject.name, "digest": dict(subject.digest)}


def _address(url: str | None) -> str | None:
    """Return the address without user information and query (P40); what every entry has is left as it is, quickly."""
    if url is None:
        return None
    if url.startswith("https://") and not _SUSPECT.intersection(url):
        authority_end = url.find("/", 8)
        if authority_end > 0 and "@" not in url[8:authority_end]:
            return url
    return purl.public_url(url)


_SUSPECT = frozenset("?#\\")


def _time(moment: datetime) -> str:
    """Return the time as RFC 3339 in UTC, fractions only where there are any."""
    if _zoned(moment).tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat()[:-6] + "Z"


def _zoned(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise PolicyError(f"the time {moment.isoformat()} has no zone", where="policy input")
    return moment
