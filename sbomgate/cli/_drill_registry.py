"""A registry of npm on loopback that holds two harmless packages: what a drill's release arrives from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

SCOPE = "@sbomgate-drill"
BASE, MARKER = f"{SCOPE}/base", f"{SCOPE}/marker"
VERSION = "1.0.0"
PUBLISHED = "2020-01-01T00:00:00.000Z"  # the marker's age is no part of the exercise


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A package as it was fetched: its address, and the integrity of the bytes that came from there."""

    name: str
    version: str
    resolved: str
    integrity: str


def tarball(name: str) -> bytes:
    """Return a package with a manifest and a text: nothing runs on install, nothing can be imported."""
    manifest = {
        "name": name,
        "version": VERSION,
        "description": "made by sbomgate drill: does nothing",
        "license": "MIT",
    }
    text = b"This package was made by `sbomgate drill`. It does nothing.\n"
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path, content in (("package/package.json", json.dumps(manifest).encode()), ("package/README.md", text)):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(data.getvalue(), mtime=0)


@contextmanager
def serving() -> Iterator[str]:
    """Serve both packages and give the registry's URL, with a slash at its end."""
    packages = {name: tarball(name) for name in (BASE, MARKER)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).lstrip("/")
            name, _, rest = path.partition("/-/")
            data = packages.get(name)
            if data is None:
                self.send_error(404)
                return
            body = data if rest else json.dumps(_packument(name, data, url)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream" if rest else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _packument(name: str, data: bytes, url: str) -> dict[str, object]:
    file = f"{name.rpartition('/')[2]}-{VERSION}.tgz"
    dist = {"tarball": f"{url}{name}/-/{file}", "integrity": _integrity(data), "shasum": hashlib.sha1(data).hexdigest()}  # noqa: S324 - what a registry says besides
    return {
        "name": name,
        "dist-tags": {"latest": VERSION},
        "versions": {VERSION: {"name": name, "version": VERSION, "license": "MIT", "dist": dist}},
        "time": {"created": PUBLISHED, "modified": PUBLISHED, VERSION: PUBLISHED},
    }


def fetch(url: str, name: str) -> Release:
    """Fetch a release as a package manager does: its metadata, then its bytes, which must be what that says.

    Raises:
        FetchError: the registry does not serve it.
    """
    import httpx

    from sbomgate.errors import FetchError

    try:
        with httpx.Client(trust_env=False, timeout=30) as client:
            said = client.get(f"{url}{name}").raise_for_status().json()["versions"][VERSION]["dist"]
            data = client.get(said["tarball"]).raise_for_status().content
    except httpx.HTTPError as e:
        raise FetchError(f"the drill's registry does not answer: {type(e).__name__}", where=url) from e
    if (got := _integrity(data)) != said["integrity"]:
        raise FetchError(f"serves {got}, and says {said['integrity']}", where=said["tarball"])
    return Release(name=name, version=VERSION, resolved=said["tarball"], integrity=got)


def _integrity(data: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"
