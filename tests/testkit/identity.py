"""An OIDC issuer for the real sigstore parts, as a small server on loopback.

The issuer is ours because a test needs tokens of any identity; Fulcio treats it as it treats GitHub's.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE = "sigstore"
ACTIONS, PEOPLE = "actions", "people"
"""The two issuers: workflows, with GitHub's claims; and persons, with an e-mail address."""

JOB = "canary-of-the-job"
"""What a GitHub job proves itself with when it asks for a token at `/job?version=1`."""

WORKFLOW: Mapping[str, str] = {
    "sub": "repo:acme/shop:ref:refs/heads/main",
    "event_name": "push",
    "sha": "0123456789abcdef0123456789abcdef01234567",
    "workflow": "release",
    "repository": "acme/shop",
    "repository_id": "1001",
    "repository_owner": "acme",
    "repository_owner_id": "2002",
    "repository_visibility": "public",
    "ref": "refs/heads/main",
    "job_workflow_ref": "acme/shop/.github/workflows/release.yml@refs/heads/main",
    "job_workflow_sha": "0123456789abcdef0123456789abcdef01234567",
    "workflow_ref": "acme/shop/.github/workflows/release.yml@refs/heads/main",
    "workflow_sha": "0123456789abcdef0123456789abcdef01234567",
    "runner_environment": "github-hosted",
    "run_id": "1",
    "run_attempt": "1",
}
"""The claims of a GitHub token, as a release workflow on the main branch gets them."""


class IdentityServer:
    """Issues identity tokens. Use it in a `with` statement."""

    def __init__(self) -> None:
        self._rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> IdentityServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def issuer(self, name: str = ACTIONS) -> str:
        """Return the URL of one of the two issuers."""
        return f"{self.url}/{name}"

    def token(self, issuer: str = ACTIONS, *, seconds: int = 300, audience: str = AUDIENCE, **claims: Any) -> str:
        """Return a signed token: a workflow's with `WORKFLOW` and changes to it, or a person's (`email="…"`)."""
        now = int(time.time())
        base = dict(WORKFLOW) if issuer == ACTIONS else {"sub": "someone", "email_verified": True}
        body = {
            "iss": self.issuer(issuer), "aud": audience, "iat": now - 5, "nbf": now - 5, "exp": now + seconds,
            **base, **claims,
        }  # fmt: skip
        signed = f"{_url64(_json({'alg': 'RS256', 'typ': 'JWT', 'kid': 'one'}))}.{_url64(_json(body))}"
        return f"{signed}.{_url64(self._rsa.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"

    def discovery(self, name: str) -> dict[str, Any]:
        """Return the issuer's OpenID configuration."""
        return {
            "issuer": self.issuer(name),
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/none",
            "token_endpoint": f"{self.url}/none",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, Any]:
        """Return the issuers' public key as a JSON Web Key Set."""
        numbers = self._rsa.public_key().public_numbers()
        n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": _url64(n), "e": "AQAB"}
        return {"keys": [key]}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler(server: IdentityServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, _, rest = self.path.lstrip("/").partition("/")
            if rest == ".well-known/openid-configuration" and name in (ACTIONS, PEOPLE):
                self._answer(200, server.discovery(name))
            elif self.path == "/keys":
                self._answer(200, server.keys())
            elif (
                self.path == f"/job?version=1&audience={AUDIENCE}" and self.headers["Authorization"] == f"bearer {JOB}"
            ):
                self._answer(200, {"value": server.token()})
            else:
                self._answer(404, {})

        def _answer(self, status: int, value: Any) -> None:
            data = _json(value)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
