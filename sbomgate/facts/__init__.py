"""Facts: as a document that travels (`document`), and as what a rule may use (`assembly`). Both are pure."""

from sbomgate.facts.assembly import assemble, attestation_of_missing, earlier_documents, key_of, sha512_of, signature_of
from sbomgate.facts.document import (
    MAX_DOCUMENT_BYTES,
    SCHEMA,
    dumps,
    from_document,
    loads,
    recorded,
    to_document,
    unsigned,
)
from sbomgate.facts.statement import read_statement, write_statement

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "SCHEMA",
    "assemble",
    "attestation_of_missing",
    "dumps",
    "earlier_documents",
    "from_document",
    "key_of",
    "loads",
    "read_statement",
    "recorded",
    "sha512_of",
    "signature_of",
    "to_document",
    "unsigned",
    "write_statement",
]
