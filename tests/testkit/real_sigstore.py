"""The real Fulcio, certificate log, Rekor v1 and v2 and timestamp authority, on loopback while a test needs them.

`tools/install_sigstore_parts.sh` builds them from their Go modules. What makes them one private sigstore (the trusted
root, the signing configuration) is asked from the parts themselves; identities come from `testkit.identity`.

    with running(folder) as sigstore:
        token = sigstore.identity.token(ref="refs/tags/v1.0.0")
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from testkit import ports
from testkit.identity import ACTIONS, AUDIENCE, PEOPLE, IdentityServer

COMMANDS = ("ct_server", "fulcio", "rekor-server", "rekor-server-posix", "timestamp_server", "trillian_in_memory")
LOG_HOST = "rekor.localhost"
"""The origin in Rekor v2's checkpoints: cosign wants it to be the host of the log's URL in the trusted root."""
START_SECONDS = 60
"""How long the parts may take to answer: they need 2 seconds, on a loaded machine 20."""
_CLAIMS = "fulcio-config.yaml"


@dataclass(frozen=True, kw_only=True)
class RealSigstore:
    """A private sigstore that runs.

    Attributes:
        identity: issues the tokens that its Fulcio accepts.
        fulcio, rekor_v1, rekor_v2, timestamps: the services' URLs; `timestamps` is the whole one to post to.
        trusted_root: what its evidence is verified with, as a new value to each caller.
    """

    identity: IdentityServer
    fulcio: str
    rekor_v1: str
    rekor_v2: str
    timestamps: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(repr=False)
    trusted: str = field(repr=False)

    def trusted_root(self) -> dict[str, Any]:
        """Return the trusted root as a new value, for a test to change."""
        value: dict[str, Any] = json.loads(self.trusted)
        return value

    def signing_config(self, *, rekor: int = 2, timestamps: bool = True) -> dict[str, Any]:
        """Return sigstore's signing configuration for these services (v0.2), with one of the two logs."""
        window = {"start": _rfc3339(datetime.now(UTC) - timedelta(days=1))}

        def service(url: str, version: int) -> dict[str, Any]:
            return {"url": url, "majorApiVersion": version, "validFor": window, "operator": "sbomgate.test"}

        return {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service(self.fulcio, 1)],
            "oidcUrls": [service(self.identity.issuer(PEOPLE), 1)],
            "rekorTlogUrls": [service(self.rekor_v2 if rekor == 2 else self.rekor_v1, rekor)],
            "rekorTlogConfig": {"selector": "ANY"},
            **({"tsaUrls": [service(self.timestamps, 1)]} if timestamps else {}),
            "tsaConfig": {"selector": "ANY"},
        }

    def stop(self, name: str) -> None:
        """End one part, as an outage does."""
        _end(self.processes[name])

    def start(self, name: str) -> None:
        """Start a part again that was ended, where it was and with what it had kept on disk."""
        ended = self.processes[name]
        self.processes[name] = _start(self.folder, name, list(map(str, ended.args)))  # type: ignore[arg-type]
        _get(self.folder, name, self.processes, {"rekor-v2": f"{self.rekor_v2}/healthz"}[name])


@contextlib.contextmanager
def running(folder: Path) -> Iterator[RealSigstore]:
    """Start the parts, each on a free port, and end them by their process ids whatever happens.

    Raises:
        AssertionError: a part did not answer in time; with the end of what it wrote.
    """
    folder.mkdir(parents=True, exist_ok=True)
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(name: str, *command: str) -> None:
        processes[name] = _start(folder, name, command)

    with IdentityServer() as identity, ports.reserved(10) as numbers:
        try:
            trillian, v1, v2, v2_rpc, v2_metrics, ca, ca_rpc, ca_metrics, tsa, ct = map(str, numbers)
            key = ed25519.Ed25519PrivateKey.generate()
            secret = folder / "rekor.key"
            secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            (folder / "fulcio.yaml").write_text(yaml.safe_dump(_fulcio_config(identity)))
            start("trillian", "trillian_in_memory", f"127.0.0.1:{trillian}")
            start(
                "rekor-v2", "rekor-server-posix", "serve", "--http-port", v2, "--grpc-port", v2_rpc,
                "--http-metrics-port", v2_metrics, "--hostname", LOG_HOST, "--storage-dir", str(folder / "log"),
                "--signer-filepath", str(secret), "--checkpoint-interval", "200ms", "--batch-max-age", "50ms",
            )  # fmt: skip
            start("timestamps", "timestamp_server", "127.0.0.1", tsa)
            start(
                "fulcio", "fulcio", "serve", "--config-path", str(folder / "fulcio.yaml"), "--ca", "ephemeralca",
                "--host", "127.0.0.1", "--port", ca, "--grpc-host", "127.0.0.1", "--grpc-port", ca_rpc,
                "--metrics-port", ca_metrics, "--ct-log-url", f"http://127.0.0.1:{ct}/ctlog",
                "--legacy-unix-domain-socket", f"@sbomgate-fulcio-{ca}",
            )  # fmt: skip
            stamps = _get(folder, "timestamps", processes, f"http://127.0.0.1:{tsa}/api/v1/timestamp/certchain").content
            _wait(folder, "trillian", processes, lambda: socket.create_connection(("127.0.0.1", numbers[0]), 1).close())
            start(
                "rekor-v1", "rekor-server", "serve", "--rekor_server.address", "127.0.0.1", "--port", v1,
                "--trillian_log_server.port", trillian, "--rekor_server.hostname", LOG_HOST,
                "--rekor_server.signer", "memory", "--enable_retrieve_api=false",
                "--enabled_api_endpoints", "createLogEntry,getPublicKey,getLogInfo,getLogEntryByUUID",
            )  # fmt: skip
            chains = _get(folder, "fulcio", processes, f"http://127.0.0.1:{ca}/api/v2/trustBundle").json()["chains"]
            authority = chains[0]["certificates"]
            ct_key = ec.generate_private_key(ec.SECP256R1())
            _write_certificate_log(folder, ct_key, authority)
            start(
                "certificate-log", "ct_server", "--http_endpoint", f"127.0.0.1:{ct}", "--log_config", "ct.cfg",
                "--log_rpc_server", f"127.0.0.1:{trillian}",
            )  # fmt: skip
            pem = _get(folder, "rekor-v1", processes, f"http://127.0.0.1:{v1}/api/v1/log/publicKey").content
            _get(folder, "rekor-v2", processes, f"http://127.0.0.1:{v2}/healthz")
            _get(folder, "certificate-log", processes, f"http://127.0.0.1:{ct}/ctlog/ct/v1/get-sth")
            yield RealSigstore(
                identity=identity,
                fulcio=f"http://127.0.0.1:{ca}",
                rekor_v1=f"http://127.0.0.1:{v1}",
                rekor_v2=f"http://127.0.0.1:{v2}",
                timestamps=f"http://127.0.0.1:{tsa}/api/v1/timestamp",
                folder=folder,
                processes=processes,
                trusted=json.dumps(_trusted_root(ct_key.public_key(), authority, pem, key, stamps)),
            )
        finally:
            for process in processes.values():
                _end(process)


def _start(folder: Path, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            # No proxy, no cloud account, no settings of whoever runs the tests.
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _get(folder: Path, name: str, processes: dict[str, subprocess.Popen[bytes]], url: str) -> httpx.Response:
    found: list[httpx.Response] = []
    _wait(folder, name, processes, lambda: found.append(httpx.get(url).raise_for_status()))
    return found[0]


def _wait(folder: Path, name: str, processes: dict[str, subprocess.Popen[bytes]], attempt: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            attempt()
        except (OSError, httpx.HTTPError) as e:
            ended = processes[name].poll()
            if ended is not None or time.monotonic() > deadline:
                said = (folder / f"{name}.log").read_bytes()[-2000:].decode("utf-8", "replace")
                raise AssertionError(f"{name} does not answer ({e}; exit code {ended}):\n{said}") from e
            time.sleep(0.1)
        else:
            return


def _fulcio_config(identity: IdentityServer) -> dict[str, Any]:
    """Fulcio's own mapping of claims to certificate fields, as the public instance uses it, for our two issuers."""
    command = shutil.which("fulcio")
    assert command is not None
    public = yaml.safe_load(Path(command).with_name(_CLAIMS).read_text(encoding="utf-8"))
    workflows, people = identity.issuer(ACTIONS), identity.issuer(PEOPLE)
    return {
        "oidc-issuers": {
            workflows: {
                "issuer-url": workflows, "client-id": AUDIENCE, "type": "ci-provider",
                "ci-provider": "github-workflow",
            },
            people: {"issuer-url": people, "client-id": AUDIENCE, "type": "email"},
        },
        "ci-issuer-metadata": {"github-workflow": public["ci-issuer-metadata"]["github-workflow"]},
    }  # fmt: skip


def _write_certificate_log(folder: Path, key: ec.EllipticCurvePrivateKey, authority: list[str]) -> None:
    """Write what the log is configured with: its key, the authority whose certificates it takes, its tree."""
    (folder / "roots.pem").write_text("".join(authority))
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    escaped = "".join(f"\\x{byte:02x}" for byte in der)
    (tree,) = re.findall(r"^tree (\d+)$", (folder / "trillian.log").read_text("utf-8"), re.MULTILINE)
    (folder / "ct.cfg").write_text(
        f'config {{ log_id: {tree} prefix: "ctlog" roots_pem_file: "roots.pem" ext_key_usages: "CodeSigning"\n'
        f'private_key: {{ [type.googleapis.com/keyspb.PrivateKey] {{ der: "{escaped}" }} }} }}\n'
    )


def _trusted_root(
    certificate_log: ec.EllipticCurvePublicKey,
    authority: list[str],
    rekor_v1: bytes,
    rekor_v2: ed25519.Ed25519PrivateKey,
    stamps: bytes,
) -> dict[str, Any]:
    window = {"start": _rfc3339(datetime.now(UTC) - timedelta(days=1))}

    def log(url: str, public: Any, details: str, log_id: bytes | None = None) -> dict[str, Any]:
        encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {"rawBytes": _b64(encoded), "keyDetails": details, "validFor": window},
            "logId": {"keyId": _b64(log_id or hashlib.sha256(encoded).digest())},
        }

    def chain(url: str, certificates: list[x509.Certificate]) -> dict[str, Any]:
        return {
            "subject": {"organization": "sbomgate.test", "commonName": "sbomgate.test"},
            "uri": url,
            "certChain": {"certificates": [{"rawBytes": _b64(c.public_bytes(Encoding.DER))} for c in certificates]},
            "validFor": window,
        }

    public = rekor_v2.public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    # C2SP signed-note: an Ed25519 key's id is the hash of origin, newline, algorithm and key
    v2_id = hashlib.sha256(LOG_HOST.encode() + b"\n\x01" + raw).digest()
    p256 = "PKIX_ECDSA_P256_SHA_256"
    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            log("http://rekor-v1.localhost", load_pem_public_key(rekor_v1), p256),
            log(f"http://{LOG_HOST}", public, "PKIX_ED25519", v2_id),
        ],
        "certificateAuthorities": [
            chain("http://fulcio.localhost", [x509.load_pem_x509_certificate(one.encode()) for one in authority])
        ],
        "ctlogs": [log("http://ctlog.localhost", certificate_log, p256)],
        "timestampAuthorities": [chain("http://tsa.localhost", x509.load_pem_x509_certificates(stamps))],
    }


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _rfc3339(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
