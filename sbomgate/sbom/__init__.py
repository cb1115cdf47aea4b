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
from typing import TYPE_CHECKING, Any

import orjson

from sbomgate import purl
from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, Edge, Kind, Package
from sbomgate.sbom._names import ALGORITHMS, BUNDLED, DEV, EXTRANEOUS, FORMAT, PATH
from sbomgate.spdx import IDS as _SPDX

if TYPE_CHECKING:
    from sbomgate.model import PackageFacts, Sbom

MAX_BYTES = 512 << 20
"""Largest SBOM that is read, in bytes: about 2 kB a package, so 200,000 packages."""

_HEAD = b'{"bomFormat":"CycloneDX","specVersion":"1.6",'
_NAMESPACE = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")  # RFC 9562, 6.6: names that are URLs
_IRI = purl.PLAIN | frozenset("@:+#?&/=,;!$'()*")
_SOURCES = {Kind.REGISTRY: "distribution", Kind.TARBALL: "distribution", Kind.FILE: "distribution", Kind.GIT: "vcs"}
_OWN = frozenset({Kind.ROOT, Kind.WORKSPACE, Kind.LINK})

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
    from sbomgate.sbom import _reading

    return _reading.read(data, document)


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
    hashes = [{"alg": ALGORITHMS[h.algorithm], "content": h.hex} for h in package.hashes]
    if hashes:
        component["hashes"] = hashes
    licence = package.licence if package.licence is not None else facts.licence if facts else None
    if licence:
        component["licenses"] = _licences(licence)
    # A purl without a version stands for every version: no name for a directory of the project.
    if (package.version is not None or kind not in _OWN) and (text := purl.of(package)):
        component["purl"] = text
    # what npm's taxonomy has a name for
    add({"name": PATH, "value": package.id})
    if package.dev:
        add({"name": DEV, "value": "true"})
    if package.bundled_in is not None:
        add({"name": BUNDLED, "value": "true"})
        add({"name": "sbomgate:bundled_in", "value": package.bundled_in})
    if not package.reachable:
        add({"name": EXTRANEOUS, "value": "true"})
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
    if graph.workspace is not None:
        pairs.append(("workspace", graph.workspace))
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
            for name in attestation.claims.__slots__:
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
    return bool(colon) and scheme[:1].isalpha() and _IRI.issuperset(text)


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
    from sbomgate.sbom import _reading
    from sbomgate.strict_json import load_object

    return _reading.read(data, load_object(data, "SBOM", limit=MAX_BYTES))
