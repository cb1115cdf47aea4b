"""Signing statements and verifying our own evidence.

The seam: a `Signer` turns a statement into a bundle. `local_key` signs with a key in a file, `command` with one that
only a command reaches (a KMS, a hardware token), `keyless` with a certificate that sigstore issues for the job's
identity. `verify` reads what any of them made, against the signers that a trust file accepts.
"""

from __future__ import annotations

from typing import Protocol

from sbomgate import model


class Signer(Protocol):
    """Something that signs in-toto statements."""

    @property
    def identity(self) -> str:
        """Who signs, for people (`key sha256:…`)."""
        ...

    @property
    def time_source(self) -> str:
        """Who will vouch for the signing time: one of `model.TIME_SOURCES` (PROMISES P17)."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether signing asks somebody who may be down: then the decision is kept as pending first (P34)."""
        ...

    def may_be(self, signer: model.Signer) -> bool:
        """Whether what this signs could be an accepted signer's. `verify` says whether it is, once it is signed."""
        ...

    def sign(self, statement: bytes) -> bytes:
        """Return a sigstore bundle v0.3 (JSON) over exactly these bytes.

        A key alone gives the same bundle for the same statement.

        Raises:
            SigningError: nothing could be signed.
        """
        ...


class Timestamps(Protocol):
    """Somebody who says when a signature existed: RFC 3161 answers, DER, at least one."""

    def __call__(self, signature: bytes) -> tuple[bytes, ...]:
        """Return the answers.

        Raises:
            SigningError: there is none.
        """
        ...
