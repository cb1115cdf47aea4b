"""The minimum elements of NTIA, 2021."""

from __future__ import annotations

from sbomgate.conform import Field, _fields

TITLE = "NTIA, The Minimum Elements For a Software Bill of Materials, 12 July 2021"

FIELDS = (
    Field(
        id="supplier",
        title="Supplier Name",
        where="supplier.name, manufacturer.name",
        component=_fields.supplier,
        note="of packages: with --facts, from package.json's author or the registry's publisher; "
        "of the project: --supplier",
    ),
    Field(id="name", title="Component Name", where="group, name", component=_fields.name),
    Field(id="version", title="Version of the Component", where="version", component=_fields.version),
    Field(
        id="identifiers",
        title="Other Unique Identifiers",
        where="purl, cpe, swid",
        component=_fields.identifier,
        note="a directory of the project without a version has no purl",
    ),
    Field(id="dependencies", title="Dependency Relationship", where="dependencies", component=_fields.dependencies),
    Field(id="author", title="Author of SBOM Data", where="metadata.authors", document=_fields.author, note="--author"),
    Field(
        id="timestamp",
        title="Timestamp",
        where="metadata.timestamp",
        document=_fields.timestamp,
        note="SOURCE_DATE_EPOCH, or the commit that is checked out",
    ),
)

NEVER = (
    "whether the author of a package is its legal supplier",
    "what a package's build compiled or copied into it without declaring it",
)
