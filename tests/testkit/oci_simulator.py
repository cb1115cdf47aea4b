"""An OCI registry in memory that misbehaves on request: what no real one does when it is asked to.

It keeps what it is given, with or without the referrers API, and asks `fault` about each request first. It checks
nothing: a digest that does not fit is its client's to find.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from testkit.oci_registries import serving

INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: the path has no query; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, whole or not.

    Attributes:
        status, headers, body: as they are sent.
        length: the Content-Length that it claims; None: the true one; -1: none at all.
        drip: seconds before each of its pieces of 100 bytes.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None
    drip: float = 0.0


Fault = Callable[[Asked], Reply | None]


@dataclass
class Simulator:
    """The registry. `asked` is every request, in order."""

    api: bool = True
    page: int = 1000
    single: bool = True
    fault: Fault | None = None
    url: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def host(self) -> str:
        """HOST:PORT."""
        return self.url.partition("://")[2]

    def count(self, method: str, path: str = "") -> int:
        """Return how many requests there were of a method, to a path that matches."""
        return sum(one.method == method and re.search(path, one.path) is not None for one in self.asked)

    def answer(self, asked: Asked) -> Reply:
        """Answer a request as a registry does."""
        with self.lock:
            self.asked.append(asked)
            reply = None if self.fault is None else self.fault(asked)
            return self.serve(asked) if reply is None else reply

    def serve(self, asked: Asked) -> Reply:
        """Answer a request without a fault."""
        if asked.method == "GET" and asked.path.endswith("/tags/list"):
            return self.tags(asked)
        match = re.fullmatch(r"/v2/.+/(blobs/uploads|blobs|manifests|referrers)/([^/]*)", asked.path)
        if match is None:
            return Reply(status=404)
        kind, name = match.groups()
        match asked.method, kind:
            case "GET" | "HEAD", "blobs":
                return _found(self.blobs.get(name), "application/octet-stream")
            case "GET" | "HEAD", "manifests":
                media_type, data = self.manifests.get(name, ("", None))
                return _found(data, media_type)
            case "PUT", "manifests":
                self.manifests[name] = self.manifests[sha256(asked.body)] = (asked.headers["content-type"], asked.body)
                return Reply(status=201)
            case "GET", "referrers" if self.api:
                return self.referrers(asked, name)
            case "POST", "blobs/uploads":
                if self.single and "digest" in asked.query:
                    self.blobs[asked.query["digest"]] = asked.body
                    return Reply(status=201)
                upload = str(len(self.uploads))
                self.uploads[upload] = b""
                return Reply(status=202, headers={"Location": f"{asked.path}{upload}?state=a%2Fb"})
            case "PATCH", "blobs/uploads":
                start = int(asked.headers["content-range"].partition("-")[0])
                if start != len(self.uploads[name]):
                    return Reply(status=416)
                self.uploads[name] += asked.body
                return Reply(status=202, headers={"Location": f"{asked.path}?state=c"})
            case "PUT", "blobs/uploads":
                assert "state" in asked.query
                self.blobs[asked.query["digest"]] = self.uploads[name] + asked.body
                return Reply(status=201)
            case _:
                return Reply(status=404)

    def tags(self, asked: Asked) -> Reply:
        """List the tags, a page at a time."""
        tags = sorted(name for name in self.manifests if not name.startswith("sha256:"))
        start = int(asked.query.get("from", "0"))
        more = start + self.page < len(tags)
        headers = {"Link": f'<{asked.path}?from={start + self.page}>; rel="next"'} if more else {}
        return Reply(headers=headers, body=json.dumps({"tags": tags[start : start + self.page]}).encode())

    def referrers(self, asked: Asked, digest: str) -> Reply:
        """List what refers to a digest, a page at a time."""
        entries = [
            entry for entry in map(self._entry, sorted(self.manifests)) if entry and entry.pop("about") == digest
        ]
        start = int(asked.query.get("from", "0"))
        headers = {"Content-Type": INDEX}
        if start + self.page < len(entries):
            headers["Link"] = f'<{asked.path}?from={start + self.page}>; rel="next"'
        page = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries[start : start + self.page]}
        return Reply(headers=headers, body=json.dumps(page).encode())

    def _entry(self, name: str) -> dict[str, Any] | None:
        media_type, data = self.manifests[name]
        found = json.loads(data)
        if not name.startswith("sha256:") or not isinstance(found, dict) or "subject" not in found:
            return None
        return {
            "mediaType": media_type,
            "digest": name,
            "size": len(data),
            "artifactType": found.get("artifactType"),
            "about": found["subject"]["digest"],
        }


@contextlib.contextmanager
def simulator(**settings: Any) -> Iterator[Simulator]:
    """Run a registry on loopback."""
    registry = Simulator(**settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=parts.path,
                query={name: values[0] for name, values in parse_qs(parts.query).items()},
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("content-length", "0"))),
            )
            reply = registry.answer(asked)
            self.send_response_only(reply.status)  # without a Date of its own
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.length != -1:
                self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
            if reply.length is not None:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command == "HEAD":
                return
            step = 100 if reply.drip else max(1, len(reply.body))
            with contextlib.suppress(OSError):  # whoever has enough goes away
                for at in range(0, len(reply.body), step):
                    time.sleep(reply.drip)
                    self.wfile.write(reply.body[at : at + step])
                    self.wfile.flush()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with serving(Handler) as url:
        registry.url = url
        yield registry


def _found(data: bytes | None, media_type: str) -> Reply:
    if data is None:
        return Reply(status=404, body=b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}')
    return Reply(headers={"Content-Type": media_type}, body=data)


def sha256(data: bytes) -> str:
    """Return `sha256:…` of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
