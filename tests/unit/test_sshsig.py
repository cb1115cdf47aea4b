"""SSH signatures: what the real ssh-keygen makes is verified, and nothing else is (P30)."""

from __future__ import annotations

import base64
import hashlib
import struct
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sbomgate import sshsig
from sbomgate.errors import EvidenceError
from testkit.commits import ssh_key

MESSAGE = b"tree 0\n\nwhat was committed\n"


def sign(key: Path, *, namespace: str = "git", more: tuple[str, ...] = ()) -> bytes:
    return subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(key), *more],
        input=MESSAGE, check=True, capture_output=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "more"),
    [("ed25519", ()), ("ecdsa", ("-b", "256")), ("ecdsa", ("-b", "384")), ("ecdsa", ("-b", "521")), ("rsa", ())],
)
def test_what_ssh_keygen_signs_holds(tmp_path: Path, kind: str, more: tuple[str, ...]) -> None:
    public = ssh_key(tmp_path / "key", kind, *more)
    made = sign(tmp_path / "key")
    assert sshsig.verify(made, MESSAGE) == sshsig.public_key(f"{public} somebody@somewhere")[1]
    with pytest.raises(EvidenceError, match="not this key's"):
        sshsig.verify(made, MESSAGE + b" ")


def test_it_was_made_for_git(tmp_path: Path) -> None:
    ssh_key(tmp_path / "key")
    with pytest.raises(EvidenceError, match="signed for 'file'"):
        sshsig.verify(sign(tmp_path / "key", namespace="file"), MESSAGE)


def test_a_weak_hash_is_refused(tmp_path: Path) -> None:
    ssh_key(tmp_path / "key")
    made = b"".join(sign(tmp_path / "key").split(b"\n")[1:-2])
    data = base64.b64decode(made).replace(_string(b"sha512"), _string(b"md5"))
    with pytest.raises(EvidenceError, match="digest by 'md5'"):
        sshsig.verify(armoured(data), MESSAGE)


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def armoured(data: bytes) -> bytes:
    lines = base64.encodebytes(data)
    return b"-----BEGIN SSH SIGNATURE-----\n" + lines + b"-----END SSH SIGNATURE-----\n"


def security_key(flags: int) -> bytes:
    """Return what a security key would sign: nobody has one in a test."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    kind, application = b"sk-ssh-ed25519@openssh.com", b"ssh:"
    blob = b"".join(map(_string, (kind, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), application)))
    parts = (b"git", b"", b"sha256", hashlib.sha256(MESSAGE).digest())
    signed = b"SSHSIG" + b"".join(map(_string, parts))
    tail = bytes([flags]) + struct.pack(">I", 7)
    value = key.sign(hashlib.sha256(application).digest() + tail + hashlib.sha256(signed).digest())
    signature = _string(kind) + _string(value) + tail
    return armoured(b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(_string, (blob, *parts[:3], signature))))


def test_a_security_key_that_somebody_touched() -> None:
    assert sshsig.verify(security_key(1), MESSAGE)
    with pytest.raises(EvidenceError, match="nobody touched"):
        sshsig.verify(security_key(0), MESSAGE)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("ssh-dss AAAAB3NzaC1kc3M=", id="a type that is not accepted"),
        pytest.param("ssh-ed25519 !!!", id="not base64"),
        pytest.param("ssh-ed25519 AAAAB3NzaC1yc2E=", id="another type than it says"),
        pytest.param("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", id="cut off"),
        pytest.param("ssh-ed25519 /////w==", id="a length beyond the end"),
    ],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(EvidenceError):
        sshsig.public_key(text)


def test_a_short_rsa_key_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="1024 bits"):
        sshsig.public_key(ssh_key(tmp_path / "key", "rsa", "-b", "1024"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
        armoured(b"SSHSIG"),
        armoured(b"SSHSIG\0\0\0\2" + b"\0" * 20),
        armoured(b"SSHSIG\0\0\0\1" + b"\xff" * 20),
    ],
)
def test_what_is_no_signature(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        sshsig.verify(data, MESSAGE)
