"""An npm registry on loopback: a real HTTP server with packuments, tarballs, attestations, signatures, and faults.

with Simulator() as registry:
    registry.publish("left-pad", "1.3.0", tarballs.package("left-pad", "1.3.0"))
    registry.fault("/left-pad", Fault(status=429, headers={"retry-after": "2"}))   # the next request to it
    ... registry.url, registry.requests
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from testkit import tarballs


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one answer.

    Attributes:
        status: instead of 200; headers: added; body: instead of the real one.
        delay: seconds before the answer.
        truncate: the connection ends after so many bytes of the body, although Content-Length says more.
        endless: the body has no length and never ends.
        drop: the connection ends without an answer.
        encoding: a Content-Encoding that is claimed and not applied.
        times: for how many requests; None is for ever.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay: float = 0.0
    truncate: int | None = None
    endless: bool = False
    drop: bool = False
    encoding: str | None = None
    times: int | None = 1


@dataclass(frozen=True, slots=True)
class Request:
    """A request that arrived: its path with the escapes resolved, and its headers in lower case."""

    path: str
    headers: Mapping[str, str]


class Simulator:
    """The registry. A context manager: the server runs in a thread while it is open."""

    def __init__(self, *, token: str | None = None, signs: bool = True, prefix: str = "") -> None:
        """Prepare a registry.

        Args:
            token: answer 401 without this bearer token.
            signs: the registry serves signatures; False is a mirror that strips signatures and attestations.
            prefix: a path that it lives under (`/npm`).
        """
        self.token = token
        self.signs = signs
        self.prefix = prefix
        self.requests: list[Request] = []
        self.packuments: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self._faults: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The registry's URL, with a trailing slash."""
        return f"{self.origin}{self.prefix}/"

    def tarball_path(self, name: str, version: str) -> str:
        return f"{self.prefix}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"

    def attestations_path(self, name: str, version: str) -> str:
        return f"{self.prefix}/-/npm/v1/attestations/{name}@{version}"

    def publish(
        self,
        name: str,
        version: str,
        tarball: bytes | None = None,
        *,
        published: str | None = "2024-01-01T00:00:00.000Z",
        manifest: Mapping[str, Any] | None = None,
        dist: Mapping[str, Any] | None = None,
        signatures: Sequence[Mapping[str, str]] | None = None,
        attestations: bytes | None = None,
        publisher: str = "alice",
    ) -> str:
        """Add a version and return its integrity.

        Args:
            name: of the package.
            version: of the package.
            tarball: its bytes; by default a small one without scripts.
            published: what `time[version]` says, or None for none.
            manifest: fields of the version that replace the usual ones.
            dist: fields of its `dist` that replace the usual ones.
            signatures: `dist.signatures`; by default one that is well formed and proves nothing.
            attestations: the attestation document; it is advertised in `dist`.
            publisher: `_npmUser.name`.
        """
        data = tarballs.package(name, version) if tarball is None else tarball
        packument = self.packuments.setdefault(
            name, {"_id": name, "name": name, "dist-tags": {}, "versions": {}, "time": {}, "readme": ""}
        )
        description: dict[str, Any] = {
            "shasum": sha1(data, usedforsecurity=False).hexdigest(),
            "tarball": self.origin + self.tarball_path(quote(name, safe="@/"), version),
            "integrity": tarballs.integrity(data),
        }
        if self.signs:
            description["signatures"] = (
                signatures if signatures is not None else [{"keyid": "SHA256:none", "sig": "AA=="}]
            )
            if attestations is not None:
                description["attestations"] = {
                    "url": self.origin + self.attestations_path(quote(name, safe="@"), version),
                    "provenance": {"predicateType": "https://slsa.dev/provenance/v1"},
                }
        if attestations is not None:
            self.blobs[self.attestations_path(name, version)] = attestations
        packument["versions"][version] = {
            "name": name,
            "version": version,
            "license": "MIT",
            "_npmUser": {"name": publisher, "email": f"{publisher}@example.com"},
            "maintainers": [{"name": publisher, "email": f"{publisher}@example.com"}],
            **(manifest or {}),
            "dist": {**description, **(dist or {})},
        }
        if published is not None:
            packument["time"][version] = published
            packument["time"]["created"] = min([published, *packument["time"].values()])
        packument["dist-tags"]["latest"] = version
        self.blobs[self.tarball_path(name, version)] = data
        return tarballs.integrity(data)

    def fault(self, path: str, *faults: Fault) -> None:
        """Let the next requests to `path` (below the prefix, escapes resolved) go wrong, in this order."""
        with self._lock:
            self._faults.setdefault(self.prefix + path, []).extend(faults)

    def asked(self, path: str) -> list[Request]:
        """Return the requests that arrived for a path below the prefix."""
        return [one for one in self.requests if one.path == self.prefix + path]

    # ---- what the handler needs

    def _next_fault(self, path: str) -> Fault | None:
        with self._lock:
            waiting = self._faults.get(path)
            if not waiting:
                return None
            fault = waiting[0]
            if fault.times is not None:
                waiting.pop(0)
                if fault.times > 1:
                    waiting.insert(0, Fault(**{**_fields(fault), "times": fault.times - 1}))
            return fault

    def _content(self, path: str) -> tuple[bytes, str] | None:
        if path in self.blobs:
            kind = "application/octet-stream" if path.endswith(".tgz") else "application/json"
            return self.blobs[path], kind
        packument = self.packuments.get(path.removeprefix(self.prefix + "/"))
        if packument is None:
            return None
        return json.dumps(packument).encode(), "application/json"

    def _record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)


def _fields(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in Fault.__dataclass_fields__}


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


def _handler(registry: Simulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 600  # a kept connection that the server ends is one that the next request may meet

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            registry._record(Request(path, headers))
            fault = registry._next_fault(path) or Fault()
            if fault.delay:
                registry._closing.wait(fault.delay)
            if fault.drop:
                self.close_connection = True
                return
            if registry.token is not None and headers.get("authorization") != f"Bearer {registry.token}":
                self._answer(401, b'{"error":"unauthorized"}', "application/json", {})
                return
            if fault.endless:
                self._endless()
                return
            found = registry._content(path)
            if fault.status is not None:
                self._answer(fault.status, fault.body or b"{}", "application/json", fault.headers)
            elif found is None and fault.body is None:
                self._answer(404, b'{"error":"not found"}', "application/json", {})
            else:
                body, kind = found or (b"", "application/json")
                body = body if fault.body is None else fault.body
                self._real(body, kind, headers, fault)

        def _real(self, body: bytes, kind: str, headers: Mapping[str, str], fault: Fault) -> None:
            extra = dict(fault.headers)
            etag = f'"{sha256(body).hexdigest()[:32]}"'
            extra.setdefault("etag", etag)
            if headers.get("if-none-match") == etag:
                self._answer(304, b"", None, extra)
                return
            if fault.encoding is not None:
                extra["content-encoding"] = fault.encoding
            elif kind == "application/json" and "gzip" in headers.get("accept-encoding", ""):
                body = gzip.compress(body, 1, mtime=0)
                extra["content-encoding"] = "gzip"
            self._answer(200, body, kind, extra, fault.truncate)

        def _answer(
            self, status: int, body: bytes, kind: str | None, headers: Mapping[str, str], truncate: int | None = None
        ) -> None:
            self.send_response(status)
            if kind is not None:
                self.send_header("content-type", kind)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            if truncate is not None:
                self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(body if truncate is None else body[:truncate])

        def _endless(self) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("connection", "close")
            self.end_headers()
            piece = b" " * 65536
            try:
                while not registry._closing.is_set():
                    self.wfile.write(piece)
                    time.sleep(0.001)
            except OSError:
                return

    return Handler
