"""Local keys: made once, never overwritten, refused where others can read them."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from sbomgate.errors import SigningError
from sbomgate.signing import local_key

STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def pem(key: PrivateKeyTypes, encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )


def test_a_new_key_is_private_and_reads_back(tmp_path: Path) -> None:
    made = local_key.generate(tmp_path / "release.key")
    assert stat.S_IMODE((tmp_path / "release.key").stat().st_mode) == 0o600
    assert (tmp_path / "release.key.pub").read_text() == made.public_key
    read = local_key.load(tmp_path / "release.key")
    assert read.key_id == made.key_id
    assert read.identity == f"key sha256:{made.key_id}"
    assert read.time_source == "self-declared"


def test_the_umask_cannot_open_a_new_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        local_key.generate(tmp_path / "release.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "release.key").stat().st_mode) == 0o600


def test_P38_the_same_statement_gives_the_same_bundle(tmp_path: Path) -> None:
    made = local_key.generate(tmp_path / "release.key")
    assert made.sign(STATEMENT) == local_key.load(tmp_path / "release.key").sign(STATEMENT)


@pytest.mark.parametrize("existing", ["release.key", "release.key.pub"])
def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_bytes(b"precious")
    with pytest.raises(SigningError, match="never overwritten"):
        local_key.generate(tmp_path / "release.key")
    assert [p.name for p in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_bytes() == b"precious"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "release.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SigningError):
        local_key.generate(tmp_path / "release.key")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o660, 0o666], ids=oct)
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    local_key.generate(tmp_path / "release.key")
    (tmp_path / "release.key").chmod(mode)
    with pytest.raises(SigningError) as e:
        local_key.load(tmp_path / "release.key")
    assert "chmod 600" in e.value.hint


P256 = ec.derive_private_key(5, ec.SECP256R1())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "not a PKCS#8", id="empty"),
        pytest.param(b"hello", "not a PKCS#8", id="text"),
        pytest.param(b"\xff\xfe\x00", "not a PKCS#8", id="binary"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "can be read", id="broken"),
        pytest.param(pem(P256)[:100], "can be read", id="truncated"),
        pytest.param(pem(ec.derive_private_key(5, ec.SECP384R1())), "P-256", id="P-384"),
        pytest.param(pem(rsa.generate_private_key(65537, 2048)), "P-256", id="RSA"),
        pytest.param(pem(P256, serialization.BestAvailableEncryption(b"x")), "encrypted", id="encrypted"),
        pytest.param(
            P256.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ),
            "not in PKCS#8",
            id="SEC1",
        ),
        pytest.param(local_key.LocalKey(P256).public_key.encode(), "public key", id="public half"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 20_000, "limit", id="too large"),
    ],
)
def test_what_is_no_usable_key_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(SigningError, match=message) as e:
        local_key.load(write(tmp_path / "release.key", data))
    assert str(tmp_path) in str(e.value)


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
@pytest.mark.parametrize("password", [None, "correct horse"])
def test_both_kinds_with_and_without_a_password(
    tmp_path: Path, kind: Literal["p256", "ed25519"], password: str | None
) -> None:
    made = local_key.generate(tmp_path / "release.key", kind=kind, password=password)
    read = local_key.load(tmp_path / "release.key", password="correct horse")  # not asked for, and not needed
    assert read.sign(STATEMENT) == made.sign(STATEMENT)
    encrypted = b"BEGIN ENCRYPTED" in (tmp_path / "release.key").read_bytes()
    assert encrypted is (password is not None)
    if encrypted:
        for wrong in (None, "", "correct hors", "correct horse "):
            with pytest.raises(SigningError, match=r"encrypted|decrypted") as e:
                local_key.load(tmp_path / "release.key", password=wrong)
            assert local_key.PASSWORD in e.value.hint
            assert "correct hors" not in str(e.value)  # P40


def test_a_missing_key_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("missing", ".", "pipe"):
        with pytest.raises(SigningError) as e:
            local_key.load(tmp_path / name)
        assert "sbomgate key new" in e.value.hint


def test_a_public_half_is_not_made_private(tmp_path: Path) -> None:
    local_key.generate(tmp_path / "release.key")
    with pytest.raises(SigningError) as e:
        local_key.load(tmp_path / "release.key.pub")
    assert "without .pub" in e.value.hint
    assert "chmod" not in e.value.hint


def test_a_folder_that_is_not_there_says_so_once(tmp_path: Path) -> None:
    with pytest.raises(SigningError) as e:
        local_key.generate(tmp_path / "no" / "release.key")
    assert str(e.value).count(str(tmp_path)) == 1
    assert e.value.hint


def test_openssl_reads_both_halves(tmp_path: Path) -> None:
    """Standard formats: PKCS#8 and SubjectPublicKeyInfo."""
    made = local_key.generate(tmp_path / "release.key")
    done = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "release.key", "-pubout"], capture_output=True, text=True, check=False
    )
    assert done.stdout == made.public_key
