"""BSI TR-03183-2, version 2.1.0, chapters 5 and 8.2: the fields, and where CycloneDX has them."""

from __future__ import annotations

from collections.abc import Callable

from sbomgate.conform import Component, Document, Field, Index, Level, State, _fields
from sbomgate.conform._fields import objects, own_directory, properties, state, text

TITLE = "BSI TR-03183-2, Software Bill of Materials, version 2.1.0, 20 August 2025"

_OLD = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")


def _format(document: Document) -> State:
    version = text(document, "specVersion")
    return state(version is not None and version not in _OLD)


def _no_vulnerabilities(document: Document) -> State:
    return state("vulnerabilities" not in document)


def _creator(document: Document) -> State:
    metadata = document.get("metadata")
    return state(isinstance(metadata, dict) and _fields.reachable_entity(metadata.get("manufacturer")))


def _uri(document: Document) -> State:
    return state(text(document, "serialNumber") is not None)


def _component_creator(component: Component, _: Index) -> State:
    return state(_fields.reachable_entity(component.get("manufacturer")))


def _property(name: str, allowed: tuple[str, ...] = ()) -> Callable[[Component, Index], State]:
    def ask(component: Component, _: Index) -> State:
        if own_directory(component):  # a logical component (3.2.2): it is no file
            return State.NOT_APPLICABLE
        return state(any(value in allowed if allowed else value for value in properties(component, name)))

    return ask


def _references(component: Component, *types: str) -> list[dict[str, object]]:
    return [dict(item) for item in objects(component, "externalReferences") if item.get("type") in types]


def _withheld(component: Component) -> bool:
    return "resolved" in properties(component, "sbomgate:withheld")


def _deployable_hash(component: Component, _: Index) -> State:
    if own_directory(component):
        return State.NOT_APPLICABLE
    return state(
        any(
            item.get("alg") == "SHA-512" and text(item, "content")
            for reference in _references(component, "distribution")
            for item in objects(reference, "hashes")
        )
    )


def _deployable_uri(component: Component, _: Index) -> State:
    if own_directory(component):
        return State.NOT_APPLICABLE
    if _withheld(component):
        return State.WITHHELD
    return state(any(text(item, "url") for item in _references(component, "distribution")))


def _source_uri(component: Component, _: Index) -> State:
    if _references(component, "vcs") and _withheld(component):
        return State.WITHHELD
    return state(any(text(item, "url") for item in _references(component, "source-distribution", "vcs")))


def _source_hash(component: Component, _: Index) -> State:
    found = _references(component, "source-distribution")
    return state(any(item.get("alg") == "SHA-512" for one in found for item in objects(one, "hashes")))


def _security_txt(component: Component, _: Index) -> State:
    return state(bool(_references(component, "rfc-9116")))


_NOBODY_LOOKED = "sbomgate does not look into packages for this"

FIELDS = (
    Field(id="format", title="CycloneDX 1.6 or later (4)", where="specVersion", document=_format),
    Field(
        id="no-vulnerabilities",
        title="No vulnerability information (3.1)",
        where="vulnerabilities",
        document=_no_vulnerabilities,
    ),
    Field(
        id="creator",
        title="Creator of the SBOM",
        where="metadata.manufacturer: url or contact.email",
        document=_creator,
        note="--manufacturer 'NAME <EMAIL or URL>'",
    ),
    Field(
        id="timestamp",
        title="Timestamp",
        where="metadata.timestamp",
        document=_fields.timestamp,
        note="SOURCE_DATE_EPOCH, or the commit that is checked out",
    ),
    Field(
        id="component-creator",
        title="Component creator",
        where="manufacturer: url or contact.email",
        component=_component_creator,
        note="of packages: with --facts, where package.json's author has an address; of the project: --supplier",
    ),
    Field(id="name", title="Component name", where="group, name", component=_fields.name),
    Field(id="version", title="Component version", where="version", component=_fields.version),
    Field(
        id="filename",
        title="Filename of the component",
        where="bsi:component:filename",
        component=_property("bsi:component:filename"),
    ),
    Field(
        id="dependencies",
        title="Dependencies on other components, and their completeness",
        where="dependencies, compositions",
        component=_fields.dependencies_and_completeness,
    ),
    Field(
        id="distribution-licences",
        title="Distribution licences",
        where="licenses, acknowledgement: concluded",
        component=lambda component, _: _fields.spdx_licence(component, "concluded"),
        note="a conclusion is a person's: sbomgate records what is declared and concludes nothing",
    ),
    Field(
        id="deployable-hash",
        title="Hash value of the deployable component (SHA-512)",
        where="externalReferences[distribution].hashes",
        component=_deployable_hash,
    ),
    Field(
        id="executable",
        title="Executable property",
        where="bsi:component:executable",
        component=_property("bsi:component:executable", ("executable", "non-executable")),
        note=_NOBODY_LOOKED,
    ),
    Field(
        id="archive",
        title="Archive property",
        where="bsi:component:archive",
        component=_property("bsi:component:archive", ("archive", "no archive")),
    ),
    Field(
        id="structured",
        title="Structured property",
        where="bsi:component:structured",
        component=_property("bsi:component:structured", ("structured", "unstructured")),
    ),
    Field(id="sbom-uri", title="SBOM-URI", where="serialNumber", level=Level.ADDITIONAL, document=_uri),
    Field(
        id="source-uri",
        title="Source code URI",
        where="externalReferences[source-distribution, vcs]",
        level=Level.ADDITIONAL,
        component=_source_uri,
        note="with --facts, of packages whose provenance is verified",
    ),
    Field(
        id="deployable-uri",
        title="URI of the deployable form of the component",
        where="externalReferences[distribution]",
        level=Level.ADDITIONAL,
        component=_deployable_uri,
    ),
    Field(
        id="identifiers",
        title="Other unique identifiers",
        where="purl, cpe, swid",
        level=Level.ADDITIONAL,
        component=_fields.identifier,
    ),
    Field(
        id="original-licences",
        title="Original licences",
        where="licenses, acknowledgement: declared",
        level=Level.ADDITIONAL,
        component=lambda component, _: _fields.spdx_licence(component, "declared"),
        note="only npm's lockfiles hold licences; with --facts those of all others from tarball or registry",
    ),
    Field(
        id="effective-licence",
        title="Effective licence",
        where="bsi:component:effectiveLicense",
        level=Level.OPTIONAL,
        component=_property("bsi:component:effectiveLicense"),
        note="the choice of whoever ships: nobody else's to make",
    ),
    Field(
        id="source-hash",
        title="Hash value of the source code of the component",
        where="externalReferences[source-distribution].hashes",
        level=Level.OPTIONAL,
        component=_source_hash,
        note=_NOBODY_LOOKED,
    ),
    Field(
        id="security-txt",
        title="URL of the security.txt",
        where="externalReferences[rfc-9116]",
        level=Level.OPTIONAL,
        component=_security_txt,
        note="no registry says it",
    ),
)

NEVER = (
    "the distribution licence and the effective licence: conclusions of whoever ships",
    "whether a package is executable in the sense of 8.1.4",
    "the hash of a package's source code: the guideline names no algorithm for a source tree",
    "the security.txt of whoever made a package",
)
