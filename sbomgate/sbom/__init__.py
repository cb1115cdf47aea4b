"""The dependency graph and its facts as CycloneDX, and back, without loss.

Specification: ECMA-424 / CycloneDX 1.6 JSON, and 1.5, 1.7 and XML on request. What the format has a field for stands
there; everything else that a rule needs is a property: of the `cdx:npm:package` taxonomy where it has the name, else of
`sbomgate:`. docs/sbom.md lists them. One component stands for one entry of the lockfile: copies of a package are
components of their own, with the same purl and a `bom-ref` made from the install path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha1, sha256
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from sbomgate import purl
from sbomgate.errors import InputError
from sbomgate.model import OWN_KINDS, SBOM_KIND, DependencyGraph, Edge, EdgeKind, Kind, Package
from sbomgate.sbom._compositions import compositions
from sbomgate.sbom._names import (
    ALGORITHMS,
    BSI_ARCHIVE,
    BSI_FILENAME,
    BSI_STRUCTURED,
    BUNDLED,
    DEV,
    EXTRANEOUS,
    FORMAT,
    PATH,
    SOURCES,
    SPEC_VERSION,
    SPEC_VERSIONS,
)
from sbomgate.spdx import is_expression, is_identifier

if TYPE_CHECKING:
    from sbomgate.model import Attestation, PackageFacts, Sbom
    from sbomgate.sbom.parties import Heading, Parties

__all__ = ["MAX_BYTES", "SPEC_VERSION", "SPEC_VERSIONS", "heading", "is_ours", "make", "read", "write"]

MAX_BYTES = 512 << 20
"""Largest SBOM that is read, in bytes: about 2 kB a package, so 200,000 packages."""

_NAMESPACE = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")  # RFC 9562, 6.6: names that are URLs
_FIRST_PARTY = frozenset({Kind.ROOT, Kind.WORKSPACE})
_FETCHED = frozenset({Kind.REGISTRY, Kind.TARBALL})
# Formats that leave out the address of what the registry serves where everybody expects it, and only there.
_CANONICAL = frozenset({"pnpm", "bun", "yarn"})
_ARCHIVES = (".tgz", ".tar.gz")
_AT_A_TIME = 16  # components: some ten kilobytes, whose memory is there again for the next ones
_NO_SERIAL = f"urn:uuid:{36 * '0'}"
MAX_VERSION = 1024
"""Characters of `version` in the official schemas; a longer one is a property."""

Property = dict[str, str]

# Properties that many components have, made once.
_KINDS = {kind: {"name": "sbomgate:kind", "value": kind.value} for kind in Kind}
_ARCHIVE = {"name": BSI_ARCHIVE, "value": "archive"}
_STRUCTURED = {"name": BSI_STRUCTURED, "value": "structured"}
_DERIVED = {"name": "sbomgate:distribution", "value": "derived"}
_WITHHELD = {"name": "sbomgate:withheld", "value": "resolved"}
_OPTIONAL, _PEER, _DIRECT = ({"name": f"sbomgate:{name}", "value": "true"} for name in ("optional", "peer", "direct"))
_NO_INTEGRITY = {"name": "sbomgate:integrity:missing", "value": "true"}
_LICENCE_EMPTY, _LICENCE_OF_FACTS, _LICENCE_UNKNOWN = (
    {"name": "sbomgate:licence", "value": value} for value in ("", "facts", "unknown")
)


# --------------------------------------------------------------------------------------------------------------------
# Writing


def write(
    graph: DependencyGraph,
    facts: Mapping[str, PackageFacts],
    *,
    timestamp: datetime | None,
    tool_version: str,
    parties: Parties | None = None,
    spec_version: str = SPEC_VERSION,
    xml: bool = False,
) -> bytes:
    """Return the SBOM: UTF-8, valid against the official schema, the same bytes for the same input.

    Credentials and queries in URLs and absolute local paths are left out (PROMISES P40). The serial number is derived
    from the content; the time stands in it only where it is given. `read` reads what is JSON, of every version.

    Args:
        graph: what the lockfile says.
        facts: by package id.
        timestamp: timezone-aware, or None for none. Without one, 1.7 has no citations: each of them needs a time.
        tool_version: sbomgate's.
        parties: who made the SBOM, and who supplies what it describes: the user's word; None for nobody.
        spec_version: one of `SPEC_VERSIONS`.
        xml: XML instead of JSON.

    Raises:
        InputError: a text that the format cannot hold (half of a surrogate pair; in XML, a control character).
    """
    if spec_version == SPEC_VERSION and not xml:
        return _written(graph, facts, timestamp, tool_version, parties)
    document = _document(graph, facts, timestamp, tool_version, parties)
    if spec_version != SPEC_VERSION:
        from sbomgate.sbom._versions import adapt

        document = adapt(document, graph, facts, spec_version)
    if xml:
        from sbomgate.sbom._xml import render

        return render(document, spec_version, _serial(_dump(document), spec_version))
    return _bytes((_dump(document),), spec_version)


def make(
    graph: DependencyGraph,
    facts: Mapping[str, PackageFacts],
    *,
    timestamp: datetime | None,
    tool_version: str,
    parties: Parties | None = None,
) -> Sbom:
    """Return what `read` makes of what `write` writes, without parsing the bytes that were just written.

    Raises:
        InputError: over `MAX_BYTES`, or with an id, an edge, a line or a size that `read` refuses: nobody would read it
            again; or a text that JSON cannot hold.
    """
    data = _written(graph, facts, timestamp, tool_version, parties)
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data):,} bytes, at most {MAX_BYTES:,} are read", where="SBOM")
    from sbomgate.model import Sbom
    from sbomgate.sbom._stated import stated

    told, known = stated(graph, facts)
    return Sbom(data=data, sha256=sha256(data).hexdigest(), graph=told, facts=known)


def _document(
    graph: DependencyGraph,
    facts: Mapping[str, PackageFacts],
    timestamp: datetime | None,
    tool_version: str,
    parties: Parties | None,
) -> dict[str, Any]:
    """Return the document of the default version, all but format, version and serial number."""
    metadata, components, dependencies = _parts(graph, facts, timestamp, tool_version, parties)
    return {
        "version": 1,
        "metadata": metadata,
        "components": list(components),
        "dependencies": list(dependencies),
        "compositions": compositions(graph),
    }


def _parts(
    graph: DependencyGraph,
    facts: Mapping[str, PackageFacts],
    timestamp: datetime | None,
    tool_version: str,
    parties: Parties | None,
) -> tuple[dict[str, Any], Iterator[dict[str, Any]], Iterator[dict[str, Any]]]:
    """Return the metadata, and components and dependencies one after the other as they are asked for."""
    edges: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        edges.setdefault(edge.source, []).append(edge)
    people = {} if parties is None else parties.metadata()
    writer = _Components(graph, people.get("supplier"))
    components = (writer.of(package, edges.get(package.id, ()), facts.get(package.id)) for package in graph.packages)
    metadata: dict[str, Any] = {}
    if timestamp is not None:
        metadata["timestamp"] = _time(timestamp)
    if graph.lockfile.kind != SBOM_KIND:  # when another tool made its SBOM is that one's to know
        metadata["lifecycles"] = [{"phase": "pre-build"}]
    metadata["tools"] = {"components": [{"type": "application", "name": "sbomgate", "version": tool_version}]}
    metadata["component"] = next(components)
    metadata.update(people)
    metadata["properties"] = _graph_properties(graph)
    return metadata, components, (_dependency(package, edges.get(package.id, ())) for package in graph.packages)


def _written(
    graph: DependencyGraph,
    facts: Mapping[str, PackageFacts],
    timestamp: datetime | None,
    tool_version: str,
    parties: Parties | None,
) -> bytes:
    """Return the bytes of `_document` without ever holding all of it, which is several times as large."""

    def body() -> Iterator[bytes | memoryview]:
        metadata, components, dependencies = _parts(graph, facts, timestamp, tool_version, parties)
        yield orjson.dumps({"version": 1, "metadata": metadata})[:-1]
        yield b',"components":['
        yield from _items(components)
        yield b'],"dependencies":['
        yield from _items(dependencies)
        yield b'],"compositions":'
        yield orjson.dumps(compositions(graph))
        yield b"}"

    try:
        return _bytes(body(), SPEC_VERSION)
    except TypeError as error:  # what orjson raises for half of a surrogate pair
        from sbomgate.sbom._places import not_text

        raise not_text(_document(graph, facts, timestamp, tool_version, parties)) from error


def _items(values: Iterator[dict[str, Any]]) -> Iterator[bytes | memoryview]:
    """Write the items of a list without its brackets, some at a time."""
    comma = b""
    while some := list(islice(values, _AT_A_TIME)):
        yield comma
        yield memoryview(orjson.dumps(some))[1:-1]
        comma = b","


def _dump(document: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError as error:  # what orjson raises for half of a surrogate pair
        from sbomgate.sbom._places import not_text

        raise not_text(document) from error


def _bytes(body: Iterable[bytes | memoryview], spec_version: str) -> bytes:
    """Return the file whose object, without format, version and serial number, these bytes are one after the other.

    It is held once: an SBOM may have hundreds of megabytes.
    """
    out = BytesIO()
    begin = len(_head(spec_version, _NO_SERIAL)) - 1  # the object's own brace gives way to the head's last comma
    out.seek(begin)
    out.writelines(body)
    with out.getbuffer() as whole, whole[begin:] as content:
        head = _head(spec_version, _serial(content, spec_version))
    out.write(b"\n")
    out.seek(0)
    out.write(head)
    return out.getvalue()


def _head(spec_version: str, serial: str) -> bytes:
    return f'{{"bomFormat":"CycloneDX","specVersion":"{spec_version}","serialNumber":"{serial}",'.encode()


def _serial(body: bytes | memoryview, spec_version: str) -> str:
    """Return a UUID of the content: two versions of CycloneDX are two documents, JSON and XML are one."""
    digest = sha256(body)
    digest.update(spec_version.encode())
    return f"urn:uuid:{_uuid5(digest.hexdigest())}"


class _Components:
    """Components of one graph: what they have in common is made once."""

    def __init__(self, graph: DependencyGraph, supplier: dict[str, Any] | None) -> None:
        self._supplier = supplier
        self._licences: dict[str, list[dict[str, Any]]] = {}
        self._engines: dict[tuple[tuple[str, str], ...], Property] = {}
        self._edges: dict[tuple[str | None, str, str, EdgeKind, bool | None], Property] = {}
        lockfile, manager = graph.lockfile, graph.manager
        self._canonical = lockfile.kind in _CANONICAL and (lockfile.kind, lockfile.version) != ("yarn", "1")
        self._registry = _base(manager.registry)
        self._scopes = {scope: _base(url) for scope, url in manager.scopes.items()}

    def of(self, package: Package, edges: Any, facts: PackageFacts | None) -> dict[str, Any]:
        """Return the component of one entry of the lockfile."""
        kind = package.kind
        component: dict[str, Any] = {
            "type": "application" if kind is Kind.ROOT else "library",
            "bom-ref": "/" + package.id,
        }
        properties: list[Property] = []
        add = properties.append

        if kind in _FIRST_PARTY:
            if self._supplier is not None:
                component["supplier"] = component["manufacturer"] = self._supplier
        elif facts is not None:
            component.update(_people(facts))
        scope, slash, base = package.name.partition("/")
        if slash and base and scope[0:1] == "@" and "/" not in base:
            component["group"], component["name"] = scope, base
        else:
            component["name"] = package.name or "unnamed"
        version = package.version
        if version is not None:
            if len(version) > MAX_VERSION:
                add({"name": "sbomgate:version", "value": version})
            else:
                component["version"] = version
        if kind is not Kind.ROOT:
            component["scope"] = "excluded" if package.dev else "optional" if package.optional else "required"
        hashes = [{"alg": ALGORITHMS[h.algorithm], "content": h.hex} for h in package.hashes]
        if hashes:
            component["hashes"] = hashes
        licence = package.licence if package.licence is not None else facts.licence if facts else None
        if licence:
            found = self._licences.get(licence)
            if found is None:
                found = self._licences[licence] = _licences(licence)
            component["licenses"] = found
        # A purl without a version stands for every version: no name for a directory of the project.
        if (version is not None or kind not in OWN_KINDS) and (text := purl.of(package)):
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
        add(_KINDS[kind])
        if not package.name:
            add({"name": "sbomgate:unnamed", "value": "true"})
        if references := self._references(package, facts, hashes, add):
            component["externalReferences"] = references
        if kind in _FETCHED and not hashes:
            add(_NO_INTEGRITY)
        # One by one, without a loop over their names: there are thousands of packages.
        if package.alias is not None:
            add({"name": "sbomgate:alias", "value": package.alias})
        if package.integrity is not None:
            add({"name": "sbomgate:integrity", "value": package.integrity})
        if package.target is not None:
            add({"name": "sbomgate:target", "value": package.target})
        if package.deprecated is not None:
            add({"name": "sbomgate:deprecated", "value": package.deprecated})
        if package.optional:
            add(_OPTIONAL)
        if package.peer:
            add(_PEER)
        if package.direct:
            add(_DIRECT)
        if package.has_install_script is not None:
            add({"name": "sbomgate:install_script", "value": "true" if package.has_install_script else "false"})
        if package.os:
            properties += ({"name": "sbomgate:os", "value": word} for word in package.os)
        if package.cpu:
            properties += ({"name": "sbomgate:cpu", "value": word} for word in package.cpu)
        if package.libc:
            properties += ({"name": "sbomgate:libc", "value": word} for word in package.libc)
        if package.engines:
            asked = tuple(package.engines.items())
            if (engines := self._engines.get(asked)) is None:
                engines = self._engines[asked] = {"name": "sbomgate:engines", "value": _json(dict(asked))}
            add(engines)
        if package.licence is None:
            add(_LICENCE_OF_FACTS if licence else _LICENCE_UNKNOWN)
        elif not package.licence:
            add(_LICENCE_EMPTY)
        if package.line is not None:
            add({"name": "sbomgate:line", "value": str(package.line)})
        written = self._edges
        for edge in edges:  # many packages have the same: it says nothing of its source
            asked_for = (edge.target, edge.name, edge.range, edge.kind, edge.satisfied)
            if asked_for not in written:
                written[asked_for] = {"name": "sbomgate:edge", "value": _edge(edge)}
            add(written[asked_for])
        if facts is not None:
            properties.extend({"name": f"sbomgate:{name}", "value": value} for name, value in _fact_properties(facts))
        component["properties"] = properties
        return component

    def _references(
        self, package: Package, facts: PackageFacts | None, hashes: list[dict[str, str]], add: Any
    ) -> list[dict[str, Any]]:
        """Return where the bytes come from, and the source that verified provenance names."""
        kind, resolved = package.kind, package.resolved
        references: list[dict[str, Any]] = []
        url: str | None = None
        if resolved is not None:
            url = purl.public_url(resolved)
            if package.withheld or url != resolved:
                add(_WITHHELD)
            if kind not in SOURCES or not purl.is_iri(url):
                add({"name": "sbomgate:resolved", "value": url})
                url = None
        elif kind is Kind.REGISTRY and self._canonical and package.version is not None:
            name = package.name
            scope, slash, base = name.partition("/")
            registry = self._scopes.get(scope, self._registry) if slash else self._registry
            url = f"{registry}{name}/-/{base if slash else name}-{package.version}.tgz"
            if purl.is_iri(url):
                add(_DERIVED)
            else:
                url = None
        if url is not None:
            reference: dict[str, Any] = {"type": SOURCES[kind], "url": url}
            if hashes:
                reference["hashes"] = hashes
            references.append(reference)
            if kind is not Kind.GIT and url.endswith(_ARCHIVES):
                add({"name": BSI_FILENAME, "value": url.rpartition("/")[2].removeprefix("file:")})
                add(_ARCHIVE)
                add(_STRUCTURED)
        if facts is not None and (claims := facts.provenance.claims) is not None and claims.repository is not None:
            source = claims.repository
            if claims.commit is not None and source.startswith("https://github.com/"):
                source = f"{source}/tree/{claims.commit}"
            if facts.provenance.state == "verified" and purl.is_iri(source):
                comment = f"by verified provenance: commit {claims.commit or 'not named'}"
                references.append({"type": "source-distribution", "url": source, "comment": comment})
        return references


def _base(registry: str) -> str:
    return purl.public_url(registry).rstrip("/") + "/"


def _edge(edge: Edge) -> str:
    return _json(
        {
            "kind": str(edge.kind),
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
    """Return what the author declares: an identifier, an expression, or else the text as the name of a licence."""
    if is_identifier(text):
        return [{"license": {"id": text, "acknowledgement": "declared"}}]
    if is_expression(text):
        return [{"expression": text, "acknowledgement": "declared"}]
    return [{"license": {"name": text, "acknowledgement": "declared"}}]


def _people(facts: PackageFacts) -> dict[str, Any]:
    """Return who made and who published a package, by the words of its package.json and of the registry."""
    found: dict[str, Any] = {}
    # An account of a trusted publisher is a build service: nobody's name.
    publisher = facts.publisher if facts.trusted_publisher is None else None
    author = None
    if facts.author is not None:
        from sbomgate.sbom.parties import of_package

        author = of_package(facts.author)
    if author is not None:
        found["supplier"] = author.entity()
        if author.email or author.url:
            found["manufacturer"] = author.entity()
        found["authors"] = [author.contact()]
    elif publisher:
        found["supplier"] = {"name": publisher}
    if publisher:
        found["publisher"] = publisher
    return found


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
    if publish.absent is not None and publish.seen is not None:
        yield "publish:absent", _time(publish.absent)
        yield "publish:seen", _time(publish.seen)
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
    for path, sha256_ in sorted(scripts.files.items()):
        yield "scripts:file", _json([path, sha256_])
    for sentence in scripts.disagreements:
        yield "scripts:disagreement", sentence
    yield "signature:state", facts.signature.state.value
    if facts.signature.reason:
        yield "signature:reason", facts.signature.reason
    yield from _attestation_properties("attestation:publish", facts.publish_attestation)
    yield from _attestation_properties("attestation:provenance", facts.provenance)
    for name in (
        "publisher",
        "trusted_publisher",
        "author",
        "licence",
        "deprecated",
        "latest",
        "registry",
        "registry_integrity",
    ):
        value = getattr(facts, name)
        if value is not None:
            yield f"facts:{name}", purl.public_url(value) if name == "registry" else value
    for name in ("maintainers", "manifest", "shadows", "rebuilt"):
        for value in getattr(facts, name):
            yield f"facts:{name}", value
    if facts.earlier is not None:
        yield "earlier:unknown", facts.earlier.unknown
        for release in facts.earlier.releases:
            yield (
                "earlier:release",
                _json(
                    {
                        "advertised": release.advertised,
                        "maintainers": release.maintainers,
                        "provenance": dict(_attestation_properties("", release.provenance)),
                        "publisher": release.publisher,
                        "trusted_publisher": release.trusted_publisher,
                        "version": release.version,
                    }
                ),
            )


def _attestation_properties(prefix: str, attestation: Attestation) -> Iterator[tuple[str, str]]:
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


def heading(data: bytes) -> Heading:
    """Return the heading of an SBOM of ours in the default version: what `write` needs to write it again.

    Raises:
        InputError: time or parties are not as `write` writes them.
    """
    from sbomgate.sbom.parties import Heading, Parties, Party

    try:
        metadata = orjson.loads(data)["metadata"]
        text = metadata.get("timestamp")
        authors = metadata.get("authors")
        return Heading(
            timestamp=None if text is None else datetime.fromisoformat(text),
            parties=Parties(
                author=Party.of(authors[0]) if authors else None,
                manufacturer=Party.of(metadata.get("manufacturer")),
                supplier=Party.of(metadata.get("supplier")),
            ),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            "not as sbomgate writes it, expected time and authors as the schema has them",
            where="SBOM",
            place="metadata",
            hint="generate the SBOM again",
        ) from error


def is_ours(data: bytes) -> bool:
    """Whether bytes look like what `read` reads: in XML ours are read as anybody's, by `lockfiles.read_sbom`."""
    return b'"sbomgate:format"' in data and not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


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
