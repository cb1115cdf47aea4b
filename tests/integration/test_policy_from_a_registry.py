"""`--policy oci:…@sha256:…`: the bytes that the digest names, their signature beside them, once over the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testkit.commandline import World, must_be_refused
from testkit.oci_simulator import Reply, Simulator, simulator

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
RULE = """# METADATA
# title: No shop
# description: Denies every project, so that it is seen.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.rules.no_shop

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

findings contains finding.of("no_shop", "is-a-shop", "always", packages.whole, {
	"message": "this is a shop",
	"fix": "close it",
})
"""


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(data: bytes, title: str | None) -> dict[str, Any]:
    named = {} if title is None else {"annotations": {"org.opencontainers.image.title": title}}
    return {"mediaType": "application/octet-stream", "digest": digest(data), "size": len(data), **named}


def push(registry: Simulator, *files: tuple[str | None, bytes]) -> str:
    """Put an artefact of these files into the registry as oras does, and return its reference."""
    layers = [layer(data, title) for title, data in files]
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": layers}).encode()
    for _, data in files:
        registry.blobs[digest(data)] = data
    registry.manifests[digest(manifest)] = (MANIFEST, manifest)
    return f"oci:{registry.host}/acme/policy@{digest(manifest)}"


@pytest.fixture
def registry() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


@pytest.fixture
def archive(world: World) -> bytes:
    """A rule of an organisation's own, built and signed."""
    rules = world.root / "policy" / "rules"
    rules.mkdir(parents=True)
    (rules / "no_shop.rego").write_text(RULE)
    made = world.run("policy", "build", "policy", "-o", "built.tar.gz", "--key", "release.key")
    assert made.code == 0, made.err
    return (world.root / "built.tar.gz").read_bytes()


def check(world: World, policy: str) -> tuple[str, ...]:
    return ("check", "shop", "--offline", "--trust", "trust.toml", "--json", "--policy", policy)


@pytest.mark.parametrize("title", ["policy.tar.gz", "rules.tgz", None])
def test_it_is_fetched_once(world: World, registry: Simulator, archive: bytes, title: str | None) -> None:
    reference = push(registry, (title, archive))
    for _ in range(2):
        made = world.run(*check(world, reference))
        assert made.code == 1, made.err
        assert {f["code"] for e in json.loads(made.out)["denials"] for f in e["findings"]} == {"is-a-shop"}
    assert registry.count("GET", "/blobs/") == 1
    # what lies in the cache is not trusted: another file there is another digest, and is fetched again
    (kept,) = (world.cache / "policies").glob("*/policy.tar.gz")
    kept.write_bytes(b"another")
    assert world.run(*check(world, reference)).code == 1
    assert registry.count("GET", "/blobs/") == 2


def test_its_signature_counts(world: World, registry: Simulator, archive: bytes) -> None:
    world.trust.write_text(world.trust.read_text().replace('"facts"]', '"facts", "policy"]'))
    signature = (world.root / "built.tar.gz.sigstore.json").read_bytes()
    good = push(registry, ("policy.tar.gz", archive), ("policy.tar.gz.sigstore.json", signature))
    assert world.run(*check(world, good)).code == 1
    must_be_refused(world.run(*check(world, push(registry, ("policy.tar.gz", archive)))), says=["is not signed"])
    other = push(
        registry, ("policy.tar.gz", archive), ("policy.tar.gz.sigstore.json", signature.replace(b"A", b"B", 1))
    )
    assert world.run(*check(world, other)).code == 2


BAD = {
    "two archives": [("a.tar.gz", b"1"), ("b.tar.gz", b"2")],
    "three files": [("a.tar.gz", b"1"), ("a.tar.gz.sigstore.json", b"2"), ("README", b"3")],
    "another file": [("a.tar.gz", b"1"), ("README", b"3")],
    "no archive": [("README", b"3"), ("LICENSE", b"4")],
    "no file": [],
    "no gzip": [("policy.tar.gz", b"text")],
}


@pytest.mark.parametrize("files", BAD.values(), ids=BAD)
def test_what_is_no_policy(world: World, registry: Simulator, files: list[tuple[str, bytes]]) -> None:
    must_be_refused(world.run(*check(world, push(registry, *files))), says=[])


@pytest.mark.parametrize("tail", ["", ":v1", "@sha256:12", "@sha512:" + "0" * 128])
def test_by_digest_alone(world: World, registry: Simulator, tail: str) -> None:
    must_be_refused(world.run(*check(world, f"oci:{registry.host}/acme/policy{tail}")), says=["by its digest"])


def test_a_registry_that_lies_or_lacks(world: World, registry: Simulator, archive: bytes) -> None:
    reference = push(registry, ("policy.tar.gz", archive))
    registry.blobs[digest(archive)] = archive + b"\0"
    must_be_refused(world.run(*check(world, reference)), says=[digest(archive)[:20]], hint=False)
    del registry.blobs[digest(archive)]
    must_be_refused(world.run(*check(world, reference)), says=["has no"])
    registry.fault = lambda asked: Reply(status=404)
    must_be_refused(world.run(*check(world, f"oci:{registry.host}/acme/other@sha256:{'0' * 64}")), says=["has no"])
    assert not list(Path(world.cache / "policies").glob("*/policy.tar.gz"))
