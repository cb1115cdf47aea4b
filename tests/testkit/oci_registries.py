"""Real OCI registries on loopback, and the token service that one of them wants to see.

- `referrers_registry`: go-containerregistry's, which knows the referrers API (tools/registry_parts).
- `docker_registry`: Debian's docker-registry, which does not; with basic or token authentication where that is asked.
- `TokenService`: the token side of Docker's token authentication; also takes identity tokens (OAuth2).
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from testkit import ports

COMMANDS = ("test_registry", "copy_evidence", "docker-registry")
START_SECONDS = END_SECONDS = 60  # on a loaded machine; they need a tenth of a second

USER, PASSWORD, IDENTITY_TOKEN = "builder", "hunter2-canary", "identity-hunter2-canary"
# htpasswd's line for that user: bcrypt, the only kind that docker-registry reads
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuVg6uW7bHRPWZkTPjmKIf1dSrkXmege.\n"


@contextlib.contextmanager
def referrers_registry() -> Iterator[str]:
    """Run go-containerregistry's registry and give its HOST:PORT."""
    program = shutil.which("test_registry")
    assert program is not None
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.stdin.close()  # it ends with its standard input
            process.wait(timeout=END_SECONDS)


@contextlib.contextmanager
def docker_registry(folder: Path, *, auth: Mapping[str, Any] | None = None, tls: bool = False) -> Iterator[str]:
    """Run docker-registry with its files in a folder and give its HOST:PORT.

    Args:
        folder: empty, of its own.
        auth: the `auth` section of its configuration.
        tls: over https, at an address that is not this machine's own name; FOLDER/tls.crt is to be trusted then.
    """
    program = shutil.which("docker-registry")
    assert program is not None
    address = "127.0.0.2" if tls else "127.0.0.1"
    with ports.reserved(1, address) as (port,):
        yield from _docker_registry(program, folder, f"{address}:{port}", auth, tls=tls)


def _docker_registry(
    program: str, folder: Path, host: str, auth: Mapping[str, Any] | None, *, tls: bool
) -> Iterator[str]:
    address = host.partition(":")[0]
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": host},
    }
    if tls:
        key, certificate = _certificate("registry", x509.IPAddress(ipaddress.ip_address(address)))
        (folder / "tls.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "tls.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        config["http"]["tls"] = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
    if auth is not None:
        config["auth"] = dict(auth)
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log) as process,
    ):
        try:
            _answers(f"{'https' if tls else 'http'}://{host}/v2/", process, folder / "log")
            yield host
        finally:
            process.terminate()
            process.wait(timeout=END_SECONDS)


def _certificate(name: str, *names: x509.GeneralName) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Return a key and its self-signed certificate, of today and for some names."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return key, builder.sign(key, hashes.SHA256())


def _answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url, trust_env=False, verify=False)
        except httpx.TransportError as e:
            ended = process.poll()
            if ended is not None or time.monotonic() > until:
                raise AssertionError(f"docker-registry does not answer ({ended}): {log.read_text()[-2000:]}") from e
            time.sleep(0.02)
        else:
            return


@dataclass
class TokenService:
    """Gives tokens that docker-registry accepts. `asked` is what it was asked: one entry each, without secrets."""

    folder: Path
    lifetime: timedelta = timedelta(minutes=5)
    users: Mapping[str, str] = field(default_factory=lambda: {USER: PASSWORD})
    identity_tokens: frozenset[str] = frozenset({IDENTITY_TOKEN})
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._key, self._certificate = _certificate("token service")
        (self.folder / "token.crt").write_bytes(self._certificate.public_bytes(Encoding.PEM))

    @property
    def auth(self) -> dict[str, Any]:
        """The `auth` section of docker-registry's configuration."""
        return {
            "token": {
                "realm": f"{self.url}/token",
                "service": "registry.test",
                "issuer": "tokens.test",
                "rootcertbundle": str(self.folder / "token.crt"),
            }
        }

    def token(self, scopes: list[str], *, service: str, user: str) -> str:
        """Return a signed token with the access that is asked for."""
        now = datetime.now(UTC)
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        header = {
            "typ": "JWT",
            "alg": "ES256",
            "x5c": [base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()],
        }
        claims = {
            "iss": "tokens.test",
            "sub": user,
            "aud": service,
            "exp": int((now + self.lifetime).timestamp()),
            "nbf": int((now - timedelta(minutes=1)).timestamp()),
            "iat": int(now.timestamp()),
            "jti": "1",
            "access": access,
        }
        signed = b".".join(_b64url(json.dumps(one).encode()) for one in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return b".".join((signed, _b64url(r.to_bytes(32) + s.to_bytes(32)))).decode()


@contextlib.contextmanager
def token_service(folder: Path, **settings: Any) -> Iterator[TokenService]:
    """Run a token service on loopback."""
    service = TokenService(folder, **settings)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            authorization = self.headers.get("authorization", "")
            user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            if service.users.get(user) != password:
                service.asked.append(("GET", "refused"))
                self.reply(401, {"errors": [{"code": "UNAUTHORIZED"}]})
                return
            service.asked.append(("GET", query["scope"][0]))
            self.reply(200, {"token": service.token(query["scope"], service=query["service"][0], user=user)})

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            good = form["grant_type"] == ["refresh_token"] and form["refresh_token"][0] in service.identity_tokens
            service.asked.append(("POST", form["scope"][0] if good else "refused"))
            if good:
                token = service.token(form["scope"], service=form["service"][0], user=USER)
                self.reply(200, {"access_token": token})
            else:
                self.reply(401, {"errors": [{"code": "UNAUTHORIZED"}]})

        def reply(self, status: int, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with serving(Handler) as url:
        service.url = url
        yield service


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a connection that finds the queue full waits a second, or is refused

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what a handler failed on, but not that a client went away: that is what clients do here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve with a handler on loopback and give its http://HOST:PORT."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def docker_config(folder: Path, host: str, *, user: str = USER, password: str = PASSWORD, **entry: str) -> Path:
    """Write a config.json as `docker login` does and return its folder, for DOCKER_CONFIG."""
    folder.mkdir(exist_ok=True)
    auth = entry or {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    (folder / "config.json").write_text(json.dumps({"auths": {host: auth}}))
    return folder


def credential_helper(folder: Path, name: str, body: str) -> Path:
    """Write `docker-credential-NAME`, a shell script, and return its folder, for PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return folder


def htpasswd(folder: Path) -> dict[str, Any]:
    """Return docker-registry's `auth` section for basic authentication by USER and PASSWORD."""
    path = folder / "htpasswd"
    path.write_text(_HTPASSWD)
    return {"htpasswd": {"realm": "registry.test", "path": str(path)}}


def _b64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
