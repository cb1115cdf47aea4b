"""An OCI registry's answers: referrers, manifests, indexes, blobs, and the requests that they lead to.

A file is an answer. `@NAME@` in another stands for its digest and `"@#NAME@"` for its size: what is changed still fits.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx

from fuzz.inputs import pack, unpack
from sbomgate.evidence import registry
from sbomgate.evidence.registry_client import INDEX_MEDIA_TYPE, Client, repository
from testkit import evidence, oci_simulator

REFERRERS = "referrers"


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return what a registry holds of one decision, by the API and by the fallback tag."""
    for name, api in (("api", True), ("tag", False)):
        with oci_simulator.simulator(api=api) as found, httpx.Client(trust_env=False) as http:
            client = Client(http, repository(f"{found.host}/acme/shop"), lambda: None, writes=True)
            registry.attach(client, evidence.TARBALL, [evidence.record()], sleep=lambda _: None)
            listing = client.referrers(registry.digest(evidence.TARBALL))
            documents: dict[str, bytes] = dict(found.blobs)
            documents |= {key: data for key, (_, data) in found.manifests.items() if key.startswith("sha256:")}
            index = {"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": list(listing.entries)}
        short = {key: f"f{number}" for number, key in enumerate(sorted(documents))}
        files = {short[key]: _named(data, short) for key, data in documents.items()}
        yield name, pack({REFERRERS: _named(json.dumps(index).encode(), short), **files})


def _named(data: bytes, short: dict[str, str]) -> bytes:
    """Return a JSON document with names in place of digests and sizes; anything else as it is."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            name = short.get(str(value.get("digest")))
            return {
                key: f"@#{name}@" if name and key == "size" else f"@{name}@" if name and key == "digest" else walk(one)
                for key, one in value.items()
            }
        return [walk(one) for one in value] if isinstance(value, list) else value

    try:
        value = json.loads(data)
    except ValueError:
        return data
    return data if "dsseEnvelope" in value else json.dumps(walk(value), separators=(",", ":")).encode()


def _filled(name: str, files: dict[str, bytes], done: dict[str, bytes], depth: int = 0) -> bytes:
    """Return a file with the digests and sizes of those that it names."""
    if name not in done:
        done[name] = files.get(name, b"")  # of a circle, the first one as it is

        def digest(match: re.Match[bytes]) -> bytes:
            inner = _filled(match[1].decode(), files, done, depth + 1)
            return b"sha256:" + hashlib.sha256(inner).hexdigest().encode()

        def size(match: re.Match[bytes]) -> bytes:
            return str(len(_filled(match[1].decode(), files, done, depth + 1))).encode()

        if depth < 8:
            sized = re.sub(rb'"@#([a-z0-9]{1,9})@"', size, done[name])
            done[name] = re.sub(rb"@([a-z0-9]{1,9})@", digest, sized)
    return done[name]


def read(data: bytes) -> object:
    """Ask for everything that is attached, and for revocations."""
    files = unpack(data)
    done: dict[str, bytes] = {}
    known = {f"sha256:{hashlib.sha256(whole).hexdigest()}": whole for whole in (_filled(n, files, done) for n in files)}
    listed = done.get(REFERRERS, b"")

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        name = path.rpartition("/")[2]
        if "/referrers/" in path:
            return httpx.Response(200, stream=httpx.ByteStream(listed), headers={"content-type": INDEX_MEDIA_TYPE})
        if name in known:
            media_type = "application/vnd.oci.image.manifest.v1+json"
            return httpx.Response(200, stream=httpx.ByteStream(known[name]), headers={"content-type": media_type})
        return httpx.Response(404, stream=httpx.ByteStream(b""))

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = Client(http, repository("registry.example/acme/shop"), lambda: None, sleep=lambda _: None)
        registry.revocations(client)
        return registry.find(client, evidence.TARBALL)
