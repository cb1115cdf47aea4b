"""The draft of CISA's update of the minimum elements, August 2025: a draft, no final text was found."""

from __future__ import annotations

from sbomgate.conform import Field, _fields

TITLE = "CISA, 2025 Minimum Elements for a Software Bill of Materials, public draft, 22 August 2025"

FIELDS = (
    Field(id="author", title="SBOM Author", where="metadata.authors", document=_fields.author, note="--author"),
    Field(
        id="producer",
        title="Software Producer",
        where="supplier.name, manufacturer.name",
        component=_fields.supplier,
        note="of packages: with --facts; of the project: --supplier",
    ),
    Field(id="name", title="Component Name", where="group, name", component=_fields.name),
    Field(id="version", title="Component Version", where="version", component=_fields.version),
    Field(id="identifiers", title="Software Identifiers", where="purl, cpe, swid", component=_fields.identifier),
    Field(
        id="hash",
        title="Component Hash and Hash Algorithm",
        where="hashes, externalReferences[type=distribution].hashes",
        component=_fields.component_hash,
        note="yarn 2 and later and git dependencies have no hash of what is served; directories of the project none",
    ),
    Field(
        id="licence",
        title="License",
        where="licenses",
        component=_fields.licence,
        note="only npm's lockfiles hold licences; with --facts those of all others from tarball or registry",
    ),
    Field(id="dependencies", title="Dependency Relationship", where="dependencies", component=_fields.dependencies),
    Field(
        id="coverage",
        title="Coverage: known unknowns are said",
        where="compositions",
        component=_fields.completeness,
    ),
    Field(id="tool", title="Tool Name", where="metadata.tools", document=_fields.tool),
    Field(
        id="timestamp",
        title="Timestamp",
        where="metadata.timestamp",
        document=_fields.timestamp,
        note="SOURCE_DATE_EPOCH, or the commit that is checked out",
    ),
    Field(
        id="generation-context",
        title="Generation Context",
        where="metadata.lifecycles",
        document=_fields.generation_context,
    ),
)

NEVER = (
    "whether the author of a package is its legal producer",
    "what a package's build compiled or copied into it without declaring it",
    "whether the licence that package.json declares is the one of every file in the package",
)
