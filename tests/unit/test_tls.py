"""P40: what verifies servers, and that it writes the secrets of a session nowhere."""

from __future__ import annotations

import ast
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import sbomgate
from sbomgate import tls


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of localhost with its key, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def shake_hands(client: ssl.SSLContext, certificate: Path, name: str = "localhost") -> str | None:
    """Connect a client to a server in memory, and return the protocol that they agree on."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)]
    for end in (*ends, *ends):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ends[0].version()


def test_P40_sslkeylogfile_gets_no_secret(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    client = tls.client_context(str(certificate))
    assert shake_hands(client, certificate) == "TLSv1.3"
    assert not log.exists() or b"SECRET" not in log.read_bytes()
    ordinary = ssl.create_default_context(cafile=str(certificate))
    assert shake_hands(ordinary, certificate) == "TLSv1.3"
    assert b"SECRET" in log.read_bytes(), "the attack works where nothing is done"


def test_a_server_is_verified(certificate: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls.client_context(), certificate)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls.client_context(str(certificate)), certificate, "other.example")


def test_nobody_makes_a_context_elsewhere() -> None:
    """One place, so that the next client has it right as well."""
    makers = {"create_default_context", "SSLContext", "_create_unverified_context", "create_ssl_context"}
    found = {
        path.name
        for path in Path(sbomgate.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in makers
    }
    assert found == {"tls.py"}
