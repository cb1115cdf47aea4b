"""A registry, a host of files and a git host on this machine, for the real package managers: every kind of source.

What each package is there for stands in `PACKAGES`. All bytes are the same on every machine: tarballs without
compression, git commits with a fixed time. Only the port differs, so whoever keeps an answer calls `public`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from testkit import tarballs
from testkit.cases import stored

PUBLISHED = "2020-01-01T00:00:00.000Z"
_CLOCK = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
_WHO = ("git", "-c", "user.name=fixture", "-c", "user.email=fixture@example.test")

PACKAGES: Mapping[str, Mapping[str, Any]] = {
    # what everything else asks for, in versions that tell who got which
    "leaf@1.0.0": {},
    "leaf@1.1.0": {},
    "leaf@2.0.0": {},
    "@fx/scoped@1.0.0": {"dependencies": {"leaf": "^1.0.0"}},
    # an alias that a dependency declares
    "alias-user@1.0.0": {"dependencies": {"inner-alias": "npm:leaf@1.0.0", "@al/ias": "npm:@fx/scoped@1.0.0"}},
    # overrides and resolutions put another leaf below it
    "overridden@1.0.0": {"dependencies": {"leaf": ">=1.0.0 <2.0.0"}},
    # bundled dependencies: the bytes of `inner` are in this tarball, though the registry has it too
    "bundles@1.0.0": {"dependencies": {"inner": "1.0.0", "leaf": "1.0.0"}, "bundleDependencies": ["inner"]},
    "inner@1.0.0": {"scripts": {"postinstall": "node -e 0"}},
    # peers: met below one project, unmet below the other; an optional one that nobody provides
    "needs-peer@1.0.0": {
        "peerDependencies": {"leaf": "^2.0.0", "ghost": "*"},
        "peerDependenciesMeta": {"ghost": {"optional": True}},
    },
    # optional packages, one of them for another platform
    "platforms@1.0.0": {"optionalDependencies": {"for-aix": "1.0.0", "for-all": "1.0.0"}},
    "for-aix@1.0.0": {"os": ["aix"], "cpu": ["ppc64"], "engines": {"node": ">=1"}},
    "for-all@1.0.0": {},
    "scripted@1.0.0": {"scripts": {"postinstall": "node -e 0"}, "dependencies": {"leaf": "*"}},
    # a registry of before 2017: it knows the sha1 alone; and one that knows no hash at all
    "only-sha1@1.0.0": {},
    "no-hash@1.0.0": {},
}
OUTSIDE: Mapping[str, Mapping[str, Any]] = {
    "from-url": {"dependencies": {"leaf": "1.0.0"}},
    "from-git": {"dependencies": {"leaf": "1.1.0"}},
}


def tarball(key: str) -> bytes:
    """Return the tarball of a package: the same bytes everywhere."""
    name, _, version = key.rpartition("@")
    told = dict(PACKAGES.get(key, OUTSIDE.get(name, {})))
    files = {
        f"node_modules/{inner}/package.json": json.dumps(
            {"name": inner, "version": "1.0.0", **PACKAGES[f"{inner}@1.0.0"]}
        ).encode()
        for inner in told.get("bundleDependencies", ())
    }
    return stored(tarballs.package(name, version, manifest=told, files=files))


@dataclass(frozen=True, slots=True)
class Loopback:
    """Where it listens."""

    base: str  # http://127.0.0.1:PORT

    @property
    def other(self) -> str:
        """The same under another name: pnpm 8 takes whatever lies on the registry's host for the registry's."""
        return self.base.replace("127.0.0.1", "localhost")

    @property
    def registry(self) -> str:
        """Where the registry is."""
        return f"{self.base}/registry/"

    @property
    def files(self) -> str:
        """Where tarballs lie that no registry knows."""
        return f"{self.other}/files/"

    @property
    def git(self) -> str:
        """Where the repository `from-git.git` is, over git's plain http protocol."""
        return f"{self.other}/git/from-git.git"

    @property
    def _addresses(self) -> tuple[tuple[str, str], ...]:
        return (
            (self.registry, "https://registry.npmjs.org/"),
            (self.files, "https://files.example.test/"),
            (self.other + "/git/", "https://git.example.test/owner/"),
        )

    def public(self, text: str) -> str:
        """Return a text with names that belong to nobody in place of this machine's addresses."""
        for old, new in self._addresses:
            for form in _FORMS:
                text = text.replace(form(old), form(new))
        return text

    def local(self, text: str) -> str:
        """Return what `public` returned with this machine's addresses again."""
        for old, new in self._addresses:
            for form in _FORMS:
                text = text.replace(form(new), form(old))
        return text


def _in_a_key(url: str) -> str:
    """Return what pnpm 7 and 8 make of an address in a key."""
    return url.partition("://")[2].replace(":", "+")


_FORMS: tuple[Callable[[str], str], ...] = (str, lambda url: quote(url, safe=""), _in_a_key)


def _packument(name: str, registry: str) -> dict[str, Any] | None:
    versions = {}
    for key, told in PACKAGES.items():
        own, _, version = key.rpartition("@")
        if own != name:
            continue
        data = tarball(key)
        dist: dict[str, Any] = {"tarball": f"{registry}{name}/-/{name.rpartition('/')[2]}-{version}.tgz"}
        if name != "no-hash":
            dist["shasum"] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            if name != "only-sha1":
                dist["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        manifest = {"name": name, "version": version, "license": "MIT", **told, "dist": dist}
        if "postinstall" in told.get("scripts", {}):
            manifest["hasInstallScript"] = True
        versions[version] = manifest
    if not versions:
        return None
    time = {"created": PUBLISHED, "modified": PUBLISHED} | dict.fromkeys(versions, PUBLISHED)
    return {"name": name, "dist-tags": {"latest": max(versions)}, "versions": versions, "time": time}


def repository(directory: Path) -> Path:
    """Make a bare git repository of the package `from-git`, with the same commit everywhere."""
    work = directory / "work"
    work.mkdir(parents=True)
    manifest = {"name": "from-git", "version": "1.2.3", **OUTSIDE["from-git"]}
    (work / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    bare = directory / "from-git.git"
    for command in (
        ("git", "init", "-q", "-b", "main"),
        ("git", "add", "."),
        (*_WHO, "commit", "-q", "-m", "fixture"),
        ("git", "clone", "-q", "--bare", str(work), str(bare)),
    ):
        subprocess.run(command, cwd=work, check=True, env={**os.environ, **_CLOCK})
    subprocess.run(("git", "update-server-info"), cwd=bare, check=True)
    return bare


@contextmanager
def loopback(scratch: Path) -> Iterator[Loopback]:
    """Serve all of it until the end of the block; `scratch` is a folder of its own."""
    bare = repository(scratch)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = self.answer(unquote(self.path.partition("?")[0]))
            self.send_response(404 if data is None else 200)
            body = b"{}" if data is None else data
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json" if body[:1] == b"{" else "application/octet-stream")
            self.end_headers()
            self.wfile.write(body)

        def answer(self, path: str) -> bytes | None:
            host = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
            kind, _, rest = path[1:].partition("/")
            if kind == "git":
                file = bare.parent / rest
                return file.read_bytes() if ".." not in rest and file.is_file() else None
            if kind == "files":
                return tarball(rest.removesuffix(".tgz").replace("-1.0.0", "@1.0.0"))
            name, dash, file_name = rest.partition("/-/")
            if dash:
                return tarball(f"{name}@{file_name.removesuffix('.tgz').rpartition('-')[2]}")
            found = _packument(name, f"{host}/registry/")
            return None if found is None else json.dumps(found).encode()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # package managers open dozens of connections at once

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Loopback(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
