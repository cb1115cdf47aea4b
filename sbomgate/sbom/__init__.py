"""The dependency graph and its facts as CycloneDX 1.6, and back, without loss.

Specification: ECMA-424 / CycloneDX 1.6 JSON. What the format has a field for stands there; everything else that a rule
needs is a property: of the `cdx:npm:package` taxonomy where it has the name, else of `sbomgate:`. docs/sbom.md lists
them. One component stands for one entry of the lockfile: copies of a package are components of their own, with the same
purl and a `bom-ref` made from the install path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import quote

import orjson

from sbomgate import purl
from sbomgate.errors import InputError
from sbomgate.model import (
    Attestation,
    AttestationState,
    Claims,
    DependencyGraph,
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
from sbomgate.spdx import IDS as _SPDX
from sbomgate.strict_json import load_object

FORMAT = "1"
"""Version of our properties (`sbomgate:format`): another one is not read."""

MAX_BYTES = 512 << 20
"""Largest SBOM that is read, in bytes: about 2 kB a package, so 200,000 packages."""

_HEAD = b'{"bomFormat":"CycloneDX","specVersion":"1.6",'
_NAMESPACE = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")  # RFC 9562, 6.6: names that are URLs
_ALGORITHMS = {"sha512": "SHA-512", "sha384": "SHA-384", "sha256": "SHA-256", "sha1": "SHA-1"}
_FROM_ALGORITHM = {value: key for key, value in _ALGORITHMS.items()}
_IRI_SAFE = "@:+#?&/=,;!$'()*"
_SOURCES = {Kind.REGISTRY: "distribution", Kind.TARBALL: "distribution", Kind.FILE: "distribution", Kind.GIT: "vcs"}
_OWN = frozenset({Kind.ROOT, Kind.WORKSPACE, Kind.LINK})
_CLAIMS = tuple(Claims.__slots__)
_DEV, _BUNDLED, _EXTRANEOUS, _PATH = (
    f"cdx:npm:package:{name}" for name in ("development", "bundled", "extraneous", "path")
)

Property = dict[str, str]


# --------------------------------------------------------------------------------------------------------------------
# Writing


def write(
    graph: DependencyGraph, facts: Mapping[str, PackageFacts], *, timestamp: datetime | None, tool_version: str
) -> bytes:
    """Return the SBOM: UTF-8 JSON, valid against the official schema, the same bytes for the same input.

    Credentials and queries in URLs and absolute local paths are left out (PROMISES P40). The serial number is derived
    from the content; the time stands in it only where it is given.

    `facts` are by package id; `timestamp` is timezone-aware or None; `tool_version` is sbomgate's.
    """
    return _write(graph, facts, timestamp, tool_version)[0]


def make(
    graph: DependencyGraph, facts: Mapping[str, PackageFacts], *, timestamp: datetime | None, tool_version: str
) -> Sbom:
    """Return what `read` makes of what `write` writes, without parsing the bytes that were just written.

    Raises:
        InputError: over `MAX_BYTES`: nobody would read it again.
    """
    data, document = _write(graph, facts, timestamp, tool_version)
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data):,} bytes, at most {MAX_BYTES:,} are read", where="SBOM")
    return _read(data, document)


def _write(
    graph: DependencyGraph, facts: Mapping[str, PackageFacts], timestamp: datetime | None, tool_version: str
) -> tuple[bytes, dict[str, Any]]:
    """Return the SBOM's bytes, and the document that they stand for, all but its serial number."""
    edges: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        edges.setdefault(edge.source, []).append(edge)
    components = [_component(package, edges.get(package.id, ()), facts.get(package.id)) for package in graph.packages]
    metadata: dict[str, Any] = {}
    if timestamp is not None:
        metadata["timestamp"] = _time(timestamp)
    metadata["lifecycles"] = [{"phase": "pre-build"}]
    metadata["tools"] = {"components": [{"type": "application", "name": "sbomgate", "version": tool_version}]}
    metadata["component"] = components[0]
    metadata["properties"] = _graph_properties(graph)
    document: dict[str, Any] = {
        "version": 1,
        "metadata": metadata,
        "components": components[1:],
        "dependencies": [_dependency(package, edges.get(package.id, ())) for package in graph.packages],
    }
    body = orjson.dumps(document)
    serial = _uuid5(sha256(body).hexdigest())
    data = b"".join((_HEAD, b'"serialNumber":"urn:uuid:', serial.encode(), b'",', body[1:], b"\n"))
    return data, {"bomFormat": "CycloneDX", **document}


def _component(package: Package, edges: Any, facts: PackageFacts | None) -> dict[str, Any]:
    kind = package.kind
    component: dict[str, Any] = {
        "type": "application" if kind is Kind.ROOT else "library",
        "bom-ref": "/" + package.id,
    }
    properties: list[Property] = []

    add = properties.append

    scope, slash, base = package.name.partition("/")
    if slash and base and scope[0:1] == "@" and "/" not in base:
        component["group"], component["name"] = scope, base
    else:
        component["name"] = package.name or "unnamed"
    if package.version is not None:
        component["version"] = package.version
    if kind is not Kind.ROOT:
        component["scope"] = "excluded" if package.dev else "optional" if package.optional else "required"
    hashes = [{"alg": _ALGORITHMS[h.algorithm], "content": h.hex} for h in package.hashes]
    if hashes:
        component["hashes"] = hashes
    licence = package.licence if package.licence is not None else facts.licence if facts else None
    if licence:
        component["licenses"] = _licences(licence)
    # A purl without a version stands for every version: no name for a directory of the project.
    if (package.version is not None or kind not in _OWN) and (text := purl.of(package)):
        component["purl"] = text
    # what npm's taxonomy has a name for
    add({"name": _PATH, "value": package.id})
    if package.dev:
        add({"name": _DEV, "value": "true"})
    if package.bundled_in is not None:
        add({"name": _BUNDLED, "value": "true"})
        add({"name": "sbomgate:bundled_in", "value": package.bundled_in})
    if not package.reachable:
        add({"name": _EXTRANEOUS, "value": "true"})
    # what it has not
    add({"name": "sbomgate:kind", "value": kind.value})
    if not package.name:
        add({"name": "sbomgate:unnamed", "value": "true"})
    if package.resolved is not None:
        resolved = purl.public_url(package.resolved)
        if kind in _SOURCES and _is_iri(resolved):
            reference: dict[str, Any] = {"type": _SOURCES[kind], "url": resolved}
            if hashes:
                reference["hashes"] = hashes
            component["externalReferences"] = [reference]
        else:
            add({"name": "sbomgate:resolved", "value": resolved})
    for name in ("alias", "integrity", "target", "deprecated"):
        value = getattr(package, name)
        if value is not None:
            add({"name": f"sbomgate:{name}", "value": value})
    for name in ("optional", "peer", "direct"):
        if getattr(package, name):
            add({"name": f"sbomgate:{name}", "value": "true"})
    if package.has_install_script is not None:
        add({"name": "sbomgate:install_script", "value": "true" if package.has_install_script else "false"})
    for name in ("os", "cpu", "libc"):
        for word in getattr(package, name):
            add({"name": f"sbomgate:{name}", "value": word})
    if package.engines:
        add({"name": "sbomgate:engines", "value": _json(dict(package.engines))})
    if package.licence is not None and not package.licence:
        add({"name": "sbomgate:licence", "value": ""})
    elif package.licence is None and licence:
        add({"name": "sbomgate:licence", "value": "facts"})
    if package.line is not None:
        add({"name": "sbomgate:line", "value": str(package.line)})
    for edge in edges:
        add({"name": "sbomgate:edge", "value": _edge(edge)})
    if facts is not None:
        properties.extend({"name": f"sbomgate:{name}", "value": value} for name, value in _fact_properties(facts))
    component["properties"] = properties
    return component


def _edge(edge: Edge) -> str:
    return _json(
        {
            "kind": edge.kind.value,
            "name": edge.name,
            "range": purl.public_url(edge.range),
            "satisfied": edge.satisfied,
            "target": edge.target,
        }
    )


def _dependency(package: Package, edges: Any) -> dict[str, Any]:
    targets = {edge.target for edge in edges if edge.target is not None}
    if package.target is not None:
        targets.add(package.target)
    targets.discard(package.id)
    if not targets:
        return {"ref": "/" + package.id}
    return {"ref": "/" + package.id, "dependsOn": ["/" + target for target in sorted(targets)]}


def _licences(text: str) -> list[dict[str, Any]]:
    if text in _SPDX:
        return [{"license": {"id": text}}]
    words = text.replace("(", " ( ").replace(")", " ) ").split()
    operators = {"AND", "OR", "WITH", "(", ")"}
    known = all(word in operators or word.removesuffix("+") in _SPDX for word in words)
    if known and len(words) > 2 and text.count("(") == text.count(")"):
        return [{"expression": text}]
    return [{"license": {"name": text}}]


def _graph_properties(graph: DependencyGraph) -> list[Property]:
    lockfile, manager = graph.lockfile, graph.manager
    pairs: list[tuple[str, str]] = [
        ("format", FORMAT),
        ("lockfile:path", lockfile.path),
        ("lockfile:kind", lockfile.kind),
        ("lockfile:version", lockfile.version),
        ("lockfile:sha256", lockfile.sha256),
        ("lockfile:size", str(lockfile.size)),
        ("manager:name", manager.name),
        ("manager:registry", purl.public_url(manager.registry)),
    ]
    pairs += (("manager:scope", _json([scope, purl.public_url(url)])) for scope, url in sorted(manager.scopes.items()))
    pairs += (("manager:setting", _json([key, purl.public_url(v)])) for key, v in sorted(manager.settings.items()))
    pairs += (("manager:file", _json([path, digest])) for path, digest in sorted(manager.files.items()))
    pairs += (
        ("finding", _json({name: getattr(f, name) for name in ("code", "rule", "package", "place", "message")}))
        for f in graph.findings
    )
    return [{"name": f"sbomgate:{name}", "value": value} for name, value in pairs]


def _fact_properties(facts: PackageFacts) -> Iterator[tuple[str, str]]:
    publish, scripts = facts.publish, facts.scripts
    yield "publish:source", publish.source
    if publish.time is not None:
        yield "publish:time", _time(publish.time)
    if publish.first is not None:
        yield "publish:first", _time(publish.first)
    if publish.reason:
        yield "publish:reason", publish.reason
    yield "scripts:state", scripts.state
    yield "scripts:source", scripts.source
    if scripts.reason:
        yield "scripts:reason", scripts.reason
    if scripts.gyp:
        yield "scripts:gyp", "true"
    if scripts.digest is not None:
        yield "scripts:digest", scripts.digest
    for name, text in sorted(scripts.scripts.items()):
        yield "scripts:script", _json([name, text])
    for sentence in scripts.disagreements:
        yield "scripts:disagreement", sentence
    yield "signature:state", facts.signature.state.value
    if facts.signature.reason:
        yield "signature:reason", facts.signature.reason
    for prefix, attestation in (
        ("attestation:publish", facts.publish_attestation),
        ("attestation:provenance", facts.provenance),
    ):
        yield f"{prefix}:state", attestation.state.value
        if attestation.reason:
            yield f"{prefix}:reason", attestation.reason
        if attestation.log_proof is not None:
            yield f"{prefix}:log_proof", attestation.log_proof
        if attestation.log_time is not None:
            yield f"{prefix}:log_time", _time(attestation.log_time)
        if attestation.sha256 is not None:
            yield f"{prefix}:sha256", attestation.sha256
        if attestation.claims is not None:
            for name in _CLAIMS:
                value = getattr(attestation.claims, name)
                if value is not None:
                    yield f"{prefix}:claims:{name}", value
    for name in ("publisher", "trusted_publisher", "licence", "deprecated", "registry", "registry_integrity"):
        value = getattr(facts, name)
        if value is not None:
            yield f"facts:{name}", purl.public_url(value) if name == "registry" else value


def _is_iri(text: str) -> bool:
    """Whether a URL may stand where the schema wants an IRI reference: plain characters only, none of them encoded."""
    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme.isascii() and scheme[:1].isalpha() and quote(text, safe=_IRI_SAFE) == text


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _uuid5(name: str) -> str:
    """RFC 9562, 5.5, without the import of `uuid`, which costs more than the rest of this module."""
    digest = bytearray(sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# --------------------------------------------------------------------------------------------------------------------
# Reading


class _Properties:
    """The `sbomgate:` and `cdx:npm:package:` properties of one component, by name; a name may stand several times."""

    def __init__(self, component: Mapping[str, Any], where: str) -> None:
        self.where = where
        self.values: dict[str, list[str]] = {}
        found = component.get("properties", [])
        if not isinstance(found, list):
            raise self.wrong("properties", "an array")
        for item in found:
            name, value = (item.get("name"), item.get("value")) if isinstance(item, dict) else (None, None)
            if not isinstance(name, str) or not isinstance(value, str):
                raise self.wrong("properties", "objects with name and value")
            self.values.setdefault(name.removeprefix("sbomgate:"), []).append(value)

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
        value = self.get(name)
        if value is None:
            raise self.wrong(name, "a value")
        return value

    def flag(self, name: str) -> bool:
        value = self.get(name)
        if value not in (None, "true"):
            raise self.wrong(name, "true, or no such property")
        return value == "true"

    def time(self, name: str) -> datetime | None:
        value = self.get(name)
        if value is None:
            return None
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
        for text in self.all(name):
            match self.json(name, text):
                case [str(key), str(value)] if key not in pairs:
                    pairs[key] = value
                case _:
                    raise self.wrong(name, "two strings, each first one once")
        return pairs


def timestamp(data: bytes) -> datetime | None:
    """Return the time that stands in an SBOM of ours, or None where it has none."""
    text = orjson.loads(data)["metadata"].get("timestamp")
    return None if text is None else datetime.fromisoformat(text)


def read(data: bytes) -> Sbom:
    """Read an SBOM that `write` wrote: graph and facts as they were, but for what was left out on purpose.

    Nothing is verified here: the facts are as trustworthy as the bytes. A property that says `verified` is a claim of
    whoever made the file (PROMISES P14); a decision builds its own facts, or accepts the file's signer.

    Raises:
        InputError: not JSON with one meaning, over `MAX_BYTES`, not ours, or not as `write` writes it.
    """
    return _read(data, load_object(data, "SBOM", limit=MAX_BYTES))


def _read(data: bytes, document: Mapping[str, Any]) -> Sbom:
    metadata = document.get("metadata")
    properties = metadata.get("properties") if isinstance(metadata, dict) else None
    if document.get("bomFormat") != "CycloneDX":
        raise InputError("not a CycloneDX document", where="SBOM", place="bomFormat", hint="name a project or an SBOM")
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
    for index, component in enumerate([metadata.get("component"), *components]):
        where = f"components[{index - 1}]" if index else "metadata.component"
        if not isinstance(component, dict):
            raise head.wrong(where, "an object")
        own = _Properties(component, where)
        package = _read_package(component, own)
        packages.append(package)
        edges += _read_edges(package.id, own)
        if own.get("scripts:state") is not None:
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
    name = "" if own.flag("unnamed") else f"{group}/{name}" if group else name
    script = own.get("install_script")
    if script not in (None, "true", "false"):
        raise own.wrong("install_script", "true or false")
    line = own.get("line")
    if line is not None and not (line.isdecimal() and len(line) < 10):
        raise own.wrong("line", "a number")
    engines = own.get("engines")
    try:
        kind = Kind(own.need("kind"))
        hashes = tuple(Hash(algorithm=_FROM_ALGORITHM[h["alg"]], hex=h["content"]) for h in component.get("hashes", ()))
        resolved = own.get("resolved")
        if resolved is None and "externalReferences" in component:
            resolved = component["externalReferences"][0]["url"]
        return Package(
            id=own.need(_PATH),
            name=name,
            version=version,
            alias=own.get("alias"),
            kind=kind,
            resolved=resolved,
            integrity=own.get("integrity"),
            hashes=hashes,
            dev=own.flag(_DEV),
            optional=own.flag("optional"),
            peer=own.flag("peer"),
            bundled_in=own.get("bundled_in"),
            target=own.get("target"),
            has_install_script=None if script is None else script == "true",
            direct=own.flag("direct"),
            reachable=not own.flag(_EXTRANEOUS),
            os=tuple(own.all("os")),
            cpu=tuple(own.all("cpu")),
            libc=tuple(own.all("libc")),
            engines={} if engines is None else _strings(own, "engines", engines),
            licence=_read_licence(component, own),
            deprecated=own.get("deprecated"),
            line=None if line is None else int(line),
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
        return None if word == "facts" else ""
    match component.get("licenses"):
        case None:
            return None
        case [{"license": {"id": str(text)}}] | [{"license": {"name": str(text)}}] | [{"expression": str(text)}]:
            return text
        case _:
            raise own.wrong("licenses", "one licence")


def _read_edges(source: str, own: _Properties) -> Iterator[Edge]:
    for text in own.all("edge"):
        match own.json("edge", text):
            case {
                "kind": str(kind),
                "name": str(name),
                "range": str(range_),
                "satisfied": None | bool() as satisfied,
                "target": None | str() as target,
            } if kind in EdgeKind.__members__.values():
                yield Edge(
                    source=source, target=target, name=name, kind=EdgeKind(kind), range=range_, satisfied=satisfied
                )
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
            ),
            scripts=Scripts(
                state=own.need("scripts:state"),
                source=own.need("scripts:source"),
                reason=own.get("scripts:reason") or "",
                scripts=own.pairs("scripts:script"),
                gyp=own.flag("scripts:gyp"),
                digest=own.get("scripts:digest"),
                disagreements=tuple(own.all("scripts:disagreement")),
            ),
            signature=Signature(
                state=SignatureState(own.need("signature:state")), reason=own.get("signature:reason") or ""
            ),
            publish_attestation=_read_attestation(own, "attestation:publish"),
            provenance=_read_attestation(own, "attestation:provenance"),
            publisher=own.get("facts:publisher"),
            trusted_publisher=own.get("facts:trusted_publisher"),
            licence=own.get("facts:licence"),
            deprecated=own.get("facts:deprecated"),
            registry=own.get("facts:registry"),
            registry_integrity=own.get("facts:registry_integrity"),
        )
    except ValueError as error:
        raise own.wrong("facts", "states that this version knows") from error


def _read_attestation(own: _Properties, prefix: str) -> Attestation:
    claims: dict[str, str] = {}
    for name in _CLAIMS:
        value = own.get(f"{prefix}:claims:{name}")
        if value is not None:
            claims[name] = value
    if claims and not {"issuer", "identity"} <= claims.keys():
        raise own.wrong(f"{prefix}:claims", "an issuer and an identity")
    return Attestation(
        state=AttestationState(own.need(f"{prefix}:state")),
        reason=own.get(f"{prefix}:reason") or "",
        log_proof=own.get(f"{prefix}:log_proof"),
        log_time=own.time(f"{prefix}:log_time"),
        claims=Claims(**claims) if claims else None,
        sha256=own.get(f"{prefix}:sha256"),
    )
