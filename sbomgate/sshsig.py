"""SSH signatures, as git makes them of commits with `gpg.format = ssh`. Pure: bytes in, a value out.

Sources: OpenSSH's PROTOCOL.sshsig (the armoured signature and what is signed), PROTOCOL.u2f (security keys),
RFC 4251 section 5 (strings and mpints), RFC 4253, 5656, 8332, 8709 (keys and signatures).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct

from sbomgate.errors import EvidenceError

KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""The types of keys that are accepted. DSA is not."""

MIN_RSA_BITS = 2048
NAMESPACE = "git"
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_HASHES = ("sha256", "sha512")
_PRESENT = 1  # of a security key's flags: somebody touched it


def public_key(text: str) -> tuple[str, bytes]:
    """Return (type, key in OpenSSH's encoding) of `TYPE BASE64 [COMMENT]`.

    Raises:
        EvidenceError: not such a key, or one of a type or strength that is not accepted.
    """
    kind, _, rest = text.strip().partition(" ")
    try:
        blob = base64.b64decode(rest.partition(" ")[0], validate=True)
    except (binascii.Error, ValueError) as e:
        raise EvidenceError(f"not base64: {e}") from e
    if kind not in KINDS:
        raise EvidenceError(f"a key of type {kind[:64]!r}, expected one of {', '.join(KINDS)}")
    if _kind(blob) != kind:
        raise EvidenceError(f"says {kind}, and holds a key of another type")
    _open(blob)
    return kind, blob


def verify(armoured: bytes, message: bytes) -> bytes:
    """Return the key, in OpenSSH's encoding, that signed `message` in git's namespace.

    Raises:
        EvidenceError: it did not, or the signature has another form or purpose.
    """
    # (1) the armour, and the parts in their order, nothing left over
    lines = armoured.strip().split(b"\n")
    if len(lines) < 3 or lines[0].strip() != _BEGIN or lines[-1].strip() != _END:
        raise EvidenceError("not an SSH signature")
    try:
        data = base64.b64decode(b"".join(line.strip() for line in lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as e:
        raise EvidenceError(f"not an SSH signature: {e}") from e
    if data[:6] != _MAGIC or data[6:10] != b"\0\0\0\1":
        raise EvidenceError("not an SSH signature of version 1")
    key, namespace, reserved, algorithm, signature = _strings(data[10:], 5)
    # (2) it was made for git's commits and tags, with a hash that holds
    if namespace.decode("utf-8", "replace") != NAMESPACE:
        raise EvidenceError(f"signed for {namespace.decode('utf-8', 'replace')[:64]!r}, expected {NAMESPACE!r}")
    hash_name = algorithm.decode("ascii", "replace")
    if hash_name not in _HASHES:
        raise EvidenceError(f"signed over a digest by {hash_name[:64]!r}, expected {' or '.join(_HASHES)}")
    # (3) the signature is the key's, over namespace, hash and the digest of the message
    digest = hashlib.new(hash_name, message).digest()
    signed = _MAGIC + b"".join(map(_string, (namespace, reserved, algorithm, digest)))
    _verify(key, signature, signed)
    return key


def _verify(key: bytes, signature: bytes, signed: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    kind, public, application = _open(key)
    algorithm_, value, *_ = _strings(signature, 2, rest=kind.startswith("sk-"))
    algorithm = algorithm_.decode("ascii", "replace")
    if kind.startswith("sk-"):
        # (3a) a security key signs what it was asked for, whether somebody touched it, and how often it signed
        tail = signature[8 + len(algorithm_) + len(value) :]
        if len(tail) != 5 or not tail[0] & _PRESENT:
            raise EvidenceError("nobody touched the security key")
        signed = hashlib.sha256(application).digest() + tail + hashlib.sha256(signed).digest()
    try:
        match public:
            case ed25519.Ed25519PublicKey() if algorithm == kind:
                public.verify(value, signed)
            case ec.EllipticCurvePublicKey() if algorithm == kind:
                r, s = (int.from_bytes(one, "big") for one in _strings(value, 2))
                by_size: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384()}
                used = by_size.get(public.curve.key_size, hashes.SHA512())
                public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(used))
            case rsa.RSAPublicKey() if algorithm in ("rsa-sha2-256", "rsa-sha2-512"):
                chosen = hashes.SHA256() if algorithm == "rsa-sha2-256" else hashes.SHA512()
                public.verify(value, signed, padding.PKCS1v15(), chosen)
            case _:
                raise EvidenceError(f"a signature by {algorithm[:64]!r} of a key of type {kind}")
    except InvalidSignature as e:
        raise EvidenceError("the signature is not this key's over this message") from e


def _open(blob: bytes) -> tuple[str, object, bytes]:
    """Return (type, public key of `cryptography`, the application of a security key)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    kind = _kind(blob)
    if kind not in KINDS:
        raise EvidenceError(f"a key of type {kind[:64]!r}, which is not accepted")
    try:
        match kind:
            case "sk-ssh-ed25519@openssh.com":
                _, value, application = _strings(blob, 3)
                return kind, ed25519.Ed25519PublicKey.from_public_bytes(value), application
            case "sk-ecdsa-sha2-nistp256@openssh.com":
                _, _, value, application = _strings(blob, 4)
                return kind, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), value), application
            case _:
                found = serialization.load_ssh_public_key(f"{kind} {base64.b64encode(blob).decode()}".encode())
    except (ValueError, UnsupportedAlgorithm) as e:
        raise EvidenceError(f"a key of type {kind} that cannot be read") from e
    if isinstance(found, rsa.RSAPublicKey) and found.key_size < MIN_RSA_BITS:
        raise EvidenceError(f"an RSA key of {found.key_size} bits, at least {MIN_RSA_BITS} are accepted")
    return kind, found, b""


def _kind(blob: bytes) -> str:
    return _strings(blob, 1, rest=True)[0].decode("ascii", "replace")


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _strings(data: bytes, count: int, *, rest: bool = False) -> list[bytes]:
    """Return `count` strings, each with its length before it; nothing may follow unless `rest`."""
    found: list[bytes] = []
    for _ in range(count):
        if len(data) < 4 or len(data) - 4 < (size := struct.unpack_from(">I", data)[0]):
            raise EvidenceError("cut off")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    if data and not rest:
        raise EvidenceError("something follows that does not belong to it")
    return found
