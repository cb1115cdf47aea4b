"""A local signing key: ECDSA P-256 or Ed25519 in PKCS#8 PEM, readable by its owner only, encrypted or not.

A key alone gives no trusted time: what it signs says `self-declared`, unless a timestamp authority is asked.
Signatures are deterministic (RFC 6979, RFC 8032), so the same decision gives the same bytes. `cosign import-key-pair`
reads the same file.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sbomgate import dsse, files, model
from sbomgate.errors import SigningError
from sbomgate.signing import Timestamps

MAX_KEY_BYTES = 16 << 10  # a PKCS#8 PEM of P-256 is 241 bytes
PASSWORD = "SBOMGATE_KEY_PASSWORD"  # noqa: S105 - the name of the variable
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class LocalKey:
    """A `signing.Signer` over a private key held in memory; `timestamps` says when, where somebody is asked."""

    _key: PrivateKey
    timestamps: Timestamps | None = None

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
        """`self-declared`, where nobody else saw the time; else `timestamp-authority`."""
        return model.SELF_DECLARED if self.timestamps is None else model.TIMESTAMPED

    @property
    def is_remote(self) -> bool:
        """Whether a timestamp authority is asked."""
        return self.timestamps is not None

    def may_be(self, signer: model.Signer) -> bool:
        """Whether it is the signer's key."""
        return signer.key_id == self.key_id

    def sign(self, statement: bytes) -> bytes:
        """Return a sigstore bundle v0.3 over exactly these bytes.

        Raises:
            SigningError: this build of OpenSSL cannot sign deterministically, or the timestamp authority does not
            answer.
        """
        signature = self._sign(dsse.pae(dsse.PAYLOAD_TYPE, statement))
        answers = () if self.timestamps is None else self.timestamps(signature)
        return dsse.write_bundle(statement, signature, hint(self.key_id), timestamps=answers)

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        try:
            return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm as e:
            raise SigningError(
                "the OpenSSL that `cryptography` was built with has no deterministic ECDSA (RFC 6979)",
                hint="install cryptography's own wheel, which brings OpenSSL 3.2 or later",
            ) from e


_OTHER_FORMATS = (b"-----BEGIN EC P", b"-----BEGIN RSA P", b"-----BEGIN OPENSSH P")
"""How keys of `openssl ecparam -genkey`, old `openssl genrsa` and `ssh-keygen` begin."""
_PUBLIC_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(key: PublicKey) -> str:
    """Return the SHA-256 (hex) of a public key's SubjectPublicKeyInfo in DER."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def hint(key_id: str) -> str:
    """Return the hint that a bundle carries for a key id: base64 of the same digest, as cosign writes it."""
    return base64.b64encode(bytes.fromhex(key_id)).decode()


def generate(path: Path, *, kind: Literal["p256", "ed25519"] = "p256", password: str | None = None) -> LocalKey:
    """Make a new key: `path` (mode 0600) and its public half `path.pub`. Neither is ever overwritten.

    Args:
        path: where.
        kind: ECDSA P-256, or Ed25519.
        password: encrypts the private half; None leaves it as it is.

    Raises:
        SigningError: one of the two exists, or cannot be written; then neither was left behind by this call.
    """
    made = ec.generate_private_key(ec.SECP256R1()) if kind == "p256" else ed25519.Ed25519PrivateKey.generate()
    key = LocalKey(made)
    private = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption(),
    )
    _create(path, private, 0o600)
    try:
        write_public(key, path)
    except SigningError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return key


def write_public(key: LocalKey, path: Path) -> None:
    """Write the public half, `path.pub`, of the key at `path`. It is never overwritten.

    Raises:
        SigningError: it exists, or cannot be written.
    """
    _create(public_path(path), key.public_key.encode(), 0o644)


def public_path(path: Path) -> Path:
    """Return where the public half of the key at `path` lies: `path.pub`."""
    return path.with_name(f"{path.name}.pub")


def load(path: Path, *, password: str | None = None, timestamps: Timestamps | None = None) -> LocalKey:
    """Read a private key.

    Args:
        path: where.
        password: of an encrypted one; it may be given for one that is not.
        timestamps: who says when something was signed, or None.

    Raises:
        SigningError: missing, readable by others, encrypted under another password or none was given, not PKCS#8 PEM,
            neither P-256 nor Ed25519.
    """
    how = "make one with `sbomgate key new --out FILE`"
    without = "give the private one, without .pub"
    mode = without if path.suffix == ".pub" else f"chmod 600 {path.name}, then sign again"
    try:
        data = files.read(path, limit=MAX_KEY_BYTES, error=SigningError, forbid_mode=0o077, hint=mode)
    except SigningError as e:
        if not e.hint or isinstance(e.__cause__, FileNotFoundError):
            e.hint = f"give a private key's path, `keyless` or `command:…`; {how}"
        raise
    if b"-----BEGIN PUBLIC KEY-----" in data:
        raise SigningError("this is a public key", where=str(path), hint=without)
    if data.lstrip().startswith(_OTHER_FORMATS):
        raise SigningError(
            "a private key in PEM, and not in PKCS#8",
            where=str(path),
            hint="convert it: `openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW`; it must be ECDSA P-256 or Ed25519",
        )
    if not data.lstrip().startswith((b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ENCRYPTED PRIVATE KEY-----")):
        raise SigningError("not a PKCS#8 private key in PEM", where=str(path), hint=how)
    encrypted = data.lstrip().startswith(b"-----BEGIN ENCRYPTED")
    if encrypted and not password:
        raise SigningError("the key is encrypted", where=str(path), hint=f"give its password in {PASSWORD}")
    try:
        key = serialization.load_pem_private_key(data, password=password.encode() if encrypted and password else None)
    except TypeError as e:
        raise SigningError("the key is encrypted in a form that cannot be read", where=str(path), hint=how) from e
    except (ValueError, UnsupportedAlgorithm) as e:
        if encrypted:
            raise SigningError(
                "cannot be decrypted with this password", where=str(path), hint=f"correct {PASSWORD}"
            ) from e
        raise SigningError("not a private key that can be read", where=str(path), hint=how) from e
    match key:
        case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()) | ed25519.Ed25519PrivateKey():
            return LocalKey(key, timestamps)
        case _:
            raise SigningError("neither an ECDSA P-256 nor an Ed25519 key", where=str(path), hint=how)


def _create(path: Path, data: bytes, mode: int) -> None:
    """Make a new file: whole, or not at all."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except (OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or str(e)
        raise SigningError(
            f"cannot be made: {reason.lower()}", where=str(path), hint="name a file in a folder that you may write to"
        ) from e
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        _name(temporary, path)
    except FileExistsError as e:
        raise SigningError(
            "there is a file already, and a key is never overwritten", where=str(path), hint="choose another name"
        ) from e
    except OSError as e:
        raise SigningError(f"cannot be written: {e.strerror}", where=str(path)) from e
    finally:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()


def _name(temporary: str, path: Path) -> None:
    """Give a file its name, which must be new."""
    try:
        os.link(temporary, path)
    except OSError as e:
        if e.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))  # it is ours from here on
        Path(temporary).replace(path)


_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
"""What file systems without hard links answer."""
