"""Signing statements and verifying our own evidence.

The seam: a `Signer` turns a statement into a bundle. `local_key` signs with a key in a file; keyless signing becomes
another file beside it. `verify` reads what either made, against the signers that a trust file accepts.
"""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Something that signs in-toto statements."""

    @property
    def identity(self) -> str:
        """Who signs, for people (`key sha256:…`)."""
        ...

    @property
    def key_id(self) -> str:
        """SHA-256 (hex) of the public key's SubjectPublicKeyInfo: how a trust file knows it."""
        ...

    @property
    def time_source(self) -> str:
        """Who vouches for the signing time: `self-declared` for a key alone (PROMISES P17)."""
        ...

    def sign(self, statement: bytes) -> bytes:
        """Return a sigstore bundle v0.3 (JSON) over exactly these bytes; the same statement gives the same bundle.

        Raises:
            SigningError: nothing could be signed.
        """
        ...
