"""CycloneDX 1.7 `citations`: which source each field came from.

A citation names fields by JSON Pointer (RFC 6901), in XML as well: the specification wants it so. Pointers count array
items, so they are made last. Every citation needs a time: without one there are none, and a property says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sbomgate import purl
from sbomgate.model import DependencyGraph, Kind
from sbomgate.sbom._names import PATH

if TYPE_CHECKING:
    from sbomgate.model import PackageFacts

TOOL, USER, LOCKFILE, MANIFEST, REGISTRY, TARBALL, LOG = (
    f"sbomgate:source:{name}" for name in ("sbomgate", "user", "lockfile", "package.json", "registry", "tarball", "log")
)
_NOTES = {
    TOOL: "computed by sbomgate from the lockfile and the files beside it",
    USER: "as the user who ran sbomgate says",
    LOCKFILE: "as the lockfile says",
    MANIFEST: "as the project's own package.json says",
    REGISTRY: "as the registry says, unsigned unless the value names a verified signature",
    TARBALL: "as the package's own tarball says, whose sha512 is the lockfile's",
    LOG: "from attestations as sbomgate found them; verified where the value says so",
}
_LOCKFILE_PROPERTIES = frozenset(
    {
        PATH,
        *(
            f"sbomgate:{name}"
            for name in (
                "version",
                "resolved",
                "alias",
                "integrity",
                "target",
                "deprecated",
                "install_script",
                "os",
                "cpu",
                "libc",
                "engines",
                "line",
                "edge",
            )
        ),
    }
)


def cited(document: Mapping[str, Any], graph: DependencyGraph, facts: Mapping[str, PackageFacts]) -> dict[str, Any]:
    """Return the document with its citations and the sources that they name."""
    metadata = dict(document["metadata"])
    if "timestamp" not in metadata:
        reason = {"name": "sbomgate:citations", "value": "none: no time is known, and every citation needs one"}
        return {**document, "metadata": {**metadata, "properties": [*metadata["properties"], reason]}}
    pointers: dict[str, list[str]] = {source: [] for source in _NOTES}
    for package, at in zip(graph.packages, _places(len(graph.packages)), strict=True):
        component = metadata["component"] if at == "/metadata/component" else document["components"][int(at[12:])]
        own = MANIFEST if package.kind in (Kind.ROOT, Kind.WORKSPACE) and graph.lockfile.kind != "npm" else LOCKFILE
        for field, source in _fields(component, own, facts.get(package.id), package.kind):
            pointers[source].append(at + field)
    own_fields = ("timestamp", "lifecycles", "properties")
    pointers[TOOL] += (f"/metadata/{name}" for name in own_fields if name in metadata)
    pointers[TOOL].append("/compositions")
    pointers[LOCKFILE].append("/dependencies")
    pointers[USER] += (f"/metadata/{name}" for name in ("authors", "manufacturer", "supplier") if name in metadata)
    used = [source for source in _NOTES if pointers[source]]
    metadata["tools"] = _sources(graph, metadata["tools"]["components"][0], used)
    citations = [
        {
            "pointers": pointers[source],
            "timestamp": metadata["timestamp"],
            "attributedTo": source,
            "note": _NOTES[source],
        }
        for source in used
    ]
    return {**document, "metadata": metadata, "citations": citations}


def _places(count: int) -> Iterator[str]:
    yield "/metadata/component"
    yield from (f"/components/{index}" for index in range(count - 1))


def _sources(graph: DependencyGraph, tool: Mapping[str, Any], used: list[str]) -> dict[str, Any]:
    """Return the tools, and with them whatever is cited: a citation may only name what stands in the document."""
    lockfile = graph.lockfile
    manifest: dict[str, Any] = {"type": "file", "bom-ref": MANIFEST, "name": "package.json"}
    if digest := graph.manager.files.get("package.json"):
        manifest["hashes"] = [{"alg": "SHA-256", "content": digest}]
    components = {
        TOOL: {**tool, "bom-ref": TOOL},
        USER: {"type": "data", "bom-ref": USER, "name": "the user's settings"},
        LOCKFILE: {
            "type": "file",
            "bom-ref": LOCKFILE,
            "name": lockfile.path,
            "hashes": [{"alg": "SHA-256", "content": lockfile.sha256}],
        },
        MANIFEST: manifest,
        TARBALL: {"type": "data", "bom-ref": TARBALL, "name": "the packages' tarballs"},
    }
    registry: dict[str, Any] = {"bom-ref": REGISTRY, "name": "npm registry"}
    address = purl.public_url(graph.manager.registry)
    if purl.is_iri(address):
        registry["endpoints"] = [address]
    services = {REGISTRY: registry, LOG: {"bom-ref": LOG, "name": "transparency log"}}
    tools: dict[str, Any] = {"components": [components[source] for source in used if source in components]}
    if found := [services[source] for source in used if source in services]:
        tools["services"] = found
    return tools


def _fields(
    component: Mapping[str, Any], own: str, facts: PackageFacts | None, kind: Kind
) -> Iterator[tuple[str, str]]:
    """Return (field, source) of each field of a component."""
    read = facts is not None and facts.scripts.source in ("tarball", "recorded")
    manifest = TARBALL if read else REGISTRY
    people = USER if kind in (Kind.ROOT, Kind.WORKSPACE) else manifest
    by_facts = {"sbomgate:licence": "facts"}.items() <= _values(component).items()
    for field in component:
        match field:
            case "group" | "name" | "version" | "hashes":
                yield f"/{field}", own
            case "scope" | "purl" | "type":
                yield f"/{field}", TOOL
            case "licenses":
                yield "/licenses", manifest if by_facts else own
            case "supplier" | "manufacturer" | "authors":
                yield f"/{field}", people if field != "supplier" or facts is None or facts.author else REGISTRY
            case "publisher":
                yield "/publisher", REGISTRY
            case "externalReferences":
                derived = _values(component).get("sbomgate:distribution") == "derived"
                for index, reference in enumerate(component["externalReferences"]):
                    source = LOG if "comment" in reference else TOOL if derived else own
                    yield f"/externalReferences/{index}", source
            case "properties":
                for index, item in enumerate(component["properties"]):
                    yield f"/properties/{index}", _property(item["name"], own, manifest, facts)


def _values(component: Mapping[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in component["properties"]}


def _property(name: str, own: str, manifest: str, facts: PackageFacts | None) -> str:
    if name in _LOCKFILE_PROPERTIES:
        return own
    group, _, rest = name.removeprefix("sbomgate:").partition(":")
    match group:
        case "publish":
            attested = facts is not None and facts.publish.source == "attestation" and rest != "first"
            return LOG if attested else REGISTRY
        case "scripts":
            return manifest if manifest == TARBALL else TOOL
        case "signature":
            return REGISTRY
        case "attestation":
            return LOG
        case "facts":
            return manifest if rest in ("author", "licence") else LOG if rest == "rebuilt" else REGISTRY
        case _:
            return TOOL
