"""SBOM → graph and facts: what `sbomgate.sbom.read` does once the bytes are parsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from sbomgate.errors import InputError
from sbomgate.model import (
    Attestation,
    AttestationState,
    Claims,
    DependencyGraph,
    Earlier,
    EarlierFacts,
    Edge,
    EdgeKind,
    Hash,
    Kind,
    Lockfile,
    LockFinding,
    ManagerSettings,
    Package,
    PackageFacts,
    Publish,
    Sbom,
    Scripts,
    Signature,
    SignatureState,
)
from sbomgate.sbom._names import ALGORITHMS, DEV, EXTRANEOUS, FORMAT, PATH, SOURCES, SPEC_VERSIONS

_ALGORITHM = {value: key for key, value in ALGORITHMS.items()}
_CLAIMS = tuple(Claims.__slots__)
_KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}
_EDGE_KINDS: dict[str, EdgeKind] = {kind.value: kind for kind in EdgeKind}
_Asked = tuple[EdgeKind, str, str, bool | None, str | None]


class _Names(NamedTuple):
    """What the properties of an attestation are called."""

    state: str
    reason: str
    log_proof: str
    log_time: str
    sha256: str
    claims: Mapping[str, str]

    @classmethod
    def below(cls, prefix: str) -> _Names:
        return cls(
            state=f"{prefix}:state",
            reason=f"{prefix}:reason",
            log_proof=f"{prefix}:log_proof",
            log_time=f"{prefix}:log_time",
            sha256=f"{prefix}:sha256",
            claims={f"{prefix}:claims:{name}": name for name in _CLAIMS},
        )


_PUBLISH, _PROVENANCE, _EARLIER = map(_Names.below, ("attestation:publish", "attestation:provenance", ""))


class _Properties:
    """The `sbomgate:` and `cdx:npm:package:` properties of one component, by name; a name may stand several times."""

    def __init__(self, component: Mapping[str, Any], where: str) -> None:
        self.where = where
        self.values: dict[str, list[str]] = {}
        found = component.get("properties", [])
        if not isinstance(found, list):
            raise self.wrong("properties", "an array")
        values = self.values
        for item in found:
            name, value = (item.get("name"), item.get("value")) if isinstance(item, dict) else (None, None)
            if not isinstance(name, str) or not isinstance(value, str):
                raise self.wrong("properties", "objects with name and value")
            name = name.removeprefix("sbomgate:")
            if (several := values.get(name)) is None:
                values[name] = [value]
            else:
                several.append(value)

    def wrong(self, name: str, expected: str) -> InputError:
        return InputError(
            f"not as sbomgate writes it, expected {expected}",
            where="SBOM",
            place=f"{self.where} {name}",
            hint="generate the SBOM again",
        )

    def all(self, name: str) -> list[str]:
        return self.values.get(name, [])

    def get(self, name: str) -> str | None:
        values = self.values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise self.wrong(name, "one value")
        return values[0]

    def need(self, name: str) -> str:
        values = self.values.get(name)
        value = values[0] if values is not None and len(values) == 1 else self.get(name)
        if value is None:
            raise self.wrong(name, "a value")
        return value

    def flag(self, name: str) -> bool:
        if name not in self.values:
            return False
        value = self.get(name)
        if value not in (None, "true"):
            raise self.wrong(name, "true, or no such property")
        return value == "true"

    def time(self, name: str) -> datetime | None:
        if name not in self.values:
            return None
        value = self.need(name)
        try:
            time = datetime.fromisoformat(value)
        except ValueError as error:
            raise self.wrong(name, "a time of RFC 3339") from error
        if time.tzinfo is None:
            raise self.wrong(name, "a time with its zone")
        return time

    def json(self, name: str, text: str) -> Any:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise self.wrong(name, "JSON") from error

    def pairs(self, name: str) -> dict[str, str]:
        pairs: dict[str, str] = {}
        for text in self.values.get(name, ()):
            match self.json(name, text):
                case [str(key), str(value)] if key not in pairs:
                    pairs[key] = value
                case _:
                    raise self.wrong(name, "two strings, each first one once")
        return pairs


def read(data: bytes, document: Mapping[str, Any]) -> Sbom:
    """See `sbomgate.sbom.read`; `document` is what `data` stands for."""
    metadata = document.get("metadata")
    properties = metadata.get("properties") if isinstance(metadata, dict) else None
    if document.get("bomFormat") != "CycloneDX":
        raise InputError("not a CycloneDX document", where="SBOM", place="bomFormat", hint="name a project or an SBOM")
    if document.get("specVersion") not in SPEC_VERSIONS:
        raise InputError(
            f"CycloneDX {str(document.get('specVersion'))[:20]!a}, expected one of {', '.join(SPEC_VERSIONS)}",
            where="SBOM",
            place="specVersion",
            hint="generate it again",
        )
    ours = isinstance(properties, list) and any(
        isinstance(item, dict) and item.get("name") == "sbomgate:format" for item in properties
    )
    if not ours or not isinstance(metadata, dict):
        raise InputError(
            "an SBOM that another tool made is not supported yet",
            where="SBOM",
            place="metadata.properties",
            hint="run sbomgate on the project's lockfile instead",
        )
    head = _Properties(metadata, "metadata")
    if head.need("format") != FORMAT:
        raise InputError(
            f"format {head.need('format')[:20]}, expected {FORMAT}",
            where="SBOM",
            place="sbomgate:format",
            hint="generate it again with this version of sbomgate",
        )
    packages: list[Package] = []
    edges: list[Edge] = []
    facts: dict[str, PackageFacts] = {}
    components = document.get("components", [])
    if not isinstance(components, list):
        raise head.wrong("components", "an array")
    known: dict[str, _Asked] = {}
    for index, component in enumerate([metadata.get("component"), *components]):
        where = f"components[{index - 1}]" if index else "metadata.component"
        if not isinstance(component, dict):
            raise head.wrong(where, "an object")
        own = _Properties(component, where)
        package = _read_package(component, own)
        packages.append(package)
        edges += _read_edges(package.id, own, known)
        if "scripts:state" in own.values:
            facts[package.id] = _read_facts(own)
    ids = {package.id for package in packages}
    if len(ids) != len(packages):
        raise head.wrong("components", "each install path once")
    for edge in edges:
        if edge.target is not None and edge.target not in ids:
            raise head.wrong(f"edge {edge.source} → {edge.name}", "a target among the components")
    graph = DependencyGraph(
        lockfile=_read_lockfile(head),
        manager=ManagerSettings(
            name=head.need("manager:name"),
            registry=head.need("manager:registry"),
            scopes=head.pairs("manager:scope"),
            settings=head.pairs("manager:setting"),
            files=head.pairs("manager:file"),
        ),
        packages=tuple(packages),
        edges=tuple(edges),
        findings=tuple(_read_findings(head)),
        workspace=head.get("workspace"),
    )
    return Sbom(data=data, sha256=sha256(data).hexdigest(), graph=graph, facts=facts)


def _read_lockfile(head: _Properties) -> Lockfile:
    size = head.need("lockfile:size")
    if not size.isdecimal() or len(size) > 15:
        raise head.wrong("lockfile:size", "a number")
    return Lockfile(
        path=head.need("lockfile:path"),
        kind=head.need("lockfile:kind"),
        version=head.need("lockfile:version"),
        sha256=head.need("lockfile:sha256"),
        size=int(size),
    )


def _read_findings(head: _Properties) -> Iterator[LockFinding]:
    for text in head.all("finding"):
        match head.json("finding", text):
            case {
                "code": str(code),
                "rule": str(rule),
                "package": None | str() as package,
                "place": str(place),
                "message": str(message),
            }:
                yield LockFinding(code=code, rule=rule, package=package, place=place, message=message)
            case _:
                raise head.wrong("finding", "code, rule, package, place and message")


def _read_package(component: Mapping[str, Any], own: _Properties) -> Package:
    name, group, version = component.get("name"), component.get("group"), component.get("version")
    if not isinstance(name, str) or not isinstance(group, None | str) or not isinstance(version, None | str):
        raise own.wrong("name, group, version", "strings")
    if version is None:
        version = own.get("version")
    name = "" if own.flag("unnamed") else f"{group}/{name}" if group else name
    script = own.get("install_script")
    if script not in (None, "true", "false"):
        raise own.wrong("install_script", "true or false")
    line = own.get("line")
    if line is not None and not (line.isdecimal() and len(line) < 10):
        raise own.wrong("line", "a number")
    engines = own.get("engines")
    try:
        kind = _KINDS[own.need("kind")]
        hashes = tuple(Hash(algorithm=_ALGORITHM[h["alg"]], hex=h["content"]) for h in component.get("hashes", ()))
        resolved = own.get("resolved")
        if resolved is None and own.get("distribution") != "derived":
            references = component.get("externalReferences", ())
            # A reference with a comment is none of the lockfile's: what verified provenance names.
            expected = SOURCES.get(kind)
            found = (item["url"] for item in references if item["type"] == expected and "comment" not in item)
            resolved = next(found, None)
        return Package(
            id=own.need(PATH),
            name=name,
            version=version,
            alias=own.get("alias"),
            kind=kind,
            resolved=resolved,
            integrity=own.get("integrity"),
            hashes=hashes,
            dev=own.flag(DEV),
            optional=own.flag("optional"),
            peer=own.flag("peer"),
            bundled_in=own.get("bundled_in"),
            target=own.get("target"),
            has_install_script=None if script is None else script == "true",
            direct=own.flag("direct"),
            reachable=not own.flag(EXTRANEOUS),
            os=tuple(own.all("os")),
            cpu=tuple(own.all("cpu")),
            libc=tuple(own.all("libc")),
            engines={} if engines is None else _strings(own, "engines", engines),
            licence=_read_licence(component, own),
            deprecated=own.get("deprecated"),
            line=None if line is None else int(line),
            withheld=own.get("withheld") == "resolved",
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise own.wrong("component", "kind, hashes and references as the schema has them") from error


def _strings(own: _Properties, name: str, text: str) -> dict[str, str]:
    value = own.json(name, text)
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise own.wrong(name, "an object of strings")
    return value


def _read_licence(component: Mapping[str, Any], own: _Properties) -> str | None:
    word = own.get("licence")
    if word is not None:
        return "" if word == "" else None
    match component.get("licenses"):
        case None:
            return None
        case [{"license": {"id": str(text)}}] | [{"license": {"name": str(text)}}] | [{"expression": str(text)}]:
            return text
        case _:
            raise own.wrong("licenses", "one licence")


def _read_edges(source: str, own: _Properties, known: dict[str, _Asked]) -> Iterator[Edge]:
    """Yield the edges of a component; `known` keeps what was read, because many packages declare the same."""
    for text in own.all("edge"):
        if (asked := known.get(text)) is None:
            asked = known[text] = _read_edge(text, own)
        kind, name, range_, satisfied, target = asked
        yield Edge(source=source, target=target, name=name, kind=kind, range=range_, satisfied=satisfied)


def _read_edge(text: str, own: _Properties) -> _Asked:
    match own.json("edge", text):
        case {
            "kind": str(kind),
            "name": str(name),
            "range": str(range_),
            "satisfied": None | bool() as satisfied,
            "target": None | str() as target,
        } if kind in _EDGE_KINDS:
            return _EDGE_KINDS[kind], name, range_, satisfied, target
        case _:
            raise own.wrong("edge", "kind, name, range, satisfied and target")


def _read_facts(own: _Properties) -> PackageFacts:
    try:
        return PackageFacts(
            publish=Publish(
                time=own.time("publish:time"),
                source=own.need("publish:source"),
                reason=own.get("publish:reason") or "",
                first=own.time("publish:first"),
                absent=own.time("publish:absent"),
                seen=own.time("publish:seen"),
            ),
            scripts=Scripts(
                state=own.need("scripts:state"),
                source=own.need("scripts:source"),
                reason=own.get("scripts:reason") or "",
                scripts=own.pairs("scripts:script"),
                gyp=own.flag("scripts:gyp"),
                digest=own.get("scripts:digest"),
                disagreements=tuple(own.all("scripts:disagreement")),
                files=own.pairs("scripts:file"),
            ),
            signature=Signature(
                state=SignatureState(own.need("signature:state")), reason=own.get("signature:reason") or ""
            ),
            publish_attestation=_read_attestation(own, _PUBLISH),
            provenance=_read_attestation(own, _PROVENANCE),
            publisher=own.get("facts:publisher"),
            trusted_publisher=own.get("facts:trusted_publisher"),
            author=own.get("facts:author"),
            licence=own.get("facts:licence"),
            deprecated=own.get("facts:deprecated"),
            latest=own.get("facts:latest"),
            registry=own.get("facts:registry"),
            registry_integrity=own.get("facts:registry_integrity"),
            maintainers=tuple(own.all("facts:maintainers")),
            manifest=tuple(own.all("facts:manifest")),
            shadows=tuple(own.all("facts:shadows")),
            rebuilt=tuple(own.all("facts:rebuilt")),
            earlier=_read_earlier(own),
        )
    except ValueError as error:
        raise own.wrong("facts", "states that this version knows") from error


def _read_earlier(own: _Properties) -> Earlier | None:
    unknown = own.get("earlier:unknown")
    if unknown is None:
        return None
    return Earlier(unknown=unknown, releases=tuple(_read_release(own, text) for text in own.all("earlier:release")))


def _read_release(own: _Properties, text: str) -> EarlierFacts:
    match own.json("earlier:release", text):
        case {
            "advertised": bool() as advertised,
            "maintainers": [*maintainers],
            "provenance": dict() as provenance,
            "publisher": None | str() as publisher,
            "trusted_publisher": None | str() as trusted_publisher,
            "version": str(version),
        } if all(isinstance(one, str) for one in (*maintainers, *provenance.values())):
            inner = _Properties({"properties": [{"name": k, "value": v} for k, v in provenance.items()]}, own.where)
            return EarlierFacts(
                version=version,
                advertised=advertised,
                provenance=_read_attestation(inner, _EARLIER),
                publisher=publisher,
                trusted_publisher=trusted_publisher,
                maintainers=tuple(maintainers),
            )
        case _:
            raise own.wrong("earlier:release", "a release with its provenance")


def _read_attestation(own: _Properties, names: _Names) -> Attestation:
    claims: dict[str, str] = {}
    if not own.values.keys().isdisjoint(names.claims):
        for key, name in names.claims.items():
            value = own.get(key)
            if value is not None:
                claims[name] = value
        if not {"issuer", "identity"} <= claims.keys():
            raise own.wrong(next(iter(names.claims)).rpartition(":")[0], "an issuer and an identity")
    return Attestation(
        state=AttestationState(own.need(names.state)),
        reason=own.get(names.reason) or "",
        log_proof=own.get(names.log_proof),
        log_time=own.time(names.log_time),
        claims=Claims(**claims) if claims else None,
        sha256=own.get(names.sha256),
    )
