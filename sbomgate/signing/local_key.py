"""A local signing key: ECDSA P-256 in PKCS#8 PEM, readable by its owner only.

A key alone gives no trusted time: what it signs says `self-declared`. Signatures are deterministic (RFC 6979), so the
same decision gives the same bytes. `cosign import-key-pair` reads the same file.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sbomgate import dsse, files
from sbomgate.errors import SigningError

MAX_KEY_BYTES = 16 << 10  # a PKCS#8 PEM of P-256 is 241 bytes
TIME_SOURCE = "self-declared"


@dataclass(frozen=True, slots=True)
class LocalKey:
    """A `signing.Signer` over a private key held in memory."""

    _key: ec.EllipticCurvePrivateKey

    @property
    def public_key(self) -> str:
        """The public half: SubjectPublicKeyInfo, PEM."""
        return self._key.public_key().public_bytes(*_PUBLIC_PEM).decode()

    @property
    def key_id(self) -> str:
        """SHA-256 (hex) of the public half in DER."""
        return key_id(self._key.public_key())

    @property
    def identity(self) -> str:
        """`key sha256:…`."""
        return f"key sha256:{self.key_id}"

    @property
    def time_source(self) -> str:
        """`self-declared`: nobody else saw the time."""
        return TIME_SOURCE

    def sign(self, statement: bytes) -> bytes:
        """Return a sigstore bundle v0.3 over exactly these bytes.

        Raises:
            SigningError: this build of OpenSSL cannot sign deterministically.
        """
        try:
            signature = self._key.sign(
                dsse.pae(dsse.PAYLOAD_TYPE, statement), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
            )
        except UnsupportedAlgorithm as e:
            raise SigningError(
                "the OpenSSL that `cryptography` was built with has no deterministic ECDSA (RFC 6979)",
                hint="install cryptography's own wheel, which brings OpenSSL 3.2 or later",
            ) from e
        return dsse.write_bundle(statement, signature, hint(self.key_id))


_PUBLIC_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """Return the SHA-256 (hex) of a public key's SubjectPublicKeyInfo in DER."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def hint(key_id: str) -> str:
    """Return the hint that a bundle carries for a key id: base64 of the same digest, as cosign writes it."""
    return base64.b64encode(bytes.fromhex(key_id)).decode()


def generate(path: Path) -> LocalKey:
    """Make a new key: `path` (mode 0600) and its public half `path.pub`. Neither is ever overwritten.

    Raises:
        SigningError: one of the two exists, or cannot be written; then neither was left behind by this call.
    """
    key = LocalKey(ec.generate_private_key(ec.SECP256R1()))
    private = key._key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = path.with_name(path.name + ".pub")
    _create(public, key.public_key.encode(), 0o644)  # first: a private key without its public half helps nobody
    try:
        _create(path, private, 0o600)
    except SigningError:
        with contextlib.suppress(OSError):
            public.unlink()
        raise
    return key


def load(path: Path) -> LocalKey:
    """Read a private key.

    Raises:
        SigningError: missing, readable by others, encrypted, not PKCS#8 PEM, not P-256.
    """
    data = files.read(
        path, limit=MAX_KEY_BYTES, error=SigningError, forbid_mode=0o077, hint=f"chmod 600 {path.name}, then sign again"
    )
    how = "make one with `sbomgate key new --out FILE`"
    if b"-----BEGIN PUBLIC KEY-----" in data:
        raise SigningError("this is a public key", where=str(path), hint="give the private one, without .pub")
    if not data.lstrip().startswith((b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ENCRYPTED")):
        raise SigningError("not a PKCS#8 private key in PEM", where=str(path), hint=how)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError as e:
        raise SigningError(
            "the key is encrypted, which this version cannot read",
            where=str(path),
            hint="decrypt it with `openssl pkcs8` into a file of mode 0600",
        ) from e
    except (ValueError, UnsupportedAlgorithm) as e:
        raise SigningError("not a private key that can be read", where=str(path), hint=how) from e
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SigningError("not an ECDSA P-256 key", where=str(path), hint=how)
    return LocalKey(key)


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    except FileExistsError as e:
        raise SigningError(
            "there is a file already, and a key is never overwritten", where=str(path), hint="choose another name"
        ) from e
    except (OSError, ValueError) as e:
        raise SigningError(f"cannot be made: {e}", where=str(path)) from e
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        with contextlib.suppress(OSError):
            path.unlink()
        raise SigningError(f"cannot be written: {e.strerror}", where=str(path)) from e
