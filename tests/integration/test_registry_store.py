"""Evidence in real registries: one that knows the referrers API, and one that does not. The command line as it is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sbomgate.decision import DETAIL_TYPE, SUMMARY_TYPE
from sbomgate.errors import EvidenceError, FetchError
from sbomgate.evidence import registry, registry_client
from sbomgate.evidence.record import Record
from sbomgate.evidence.registry_auth import Account
from sbomgate.evidence.registry_client import Client, repository
from sbomgate.subject import MANIFEST_MEDIA_TYPE, canonical, descriptor
from sbomgate.transport import open_client
from testkit import commandline, evidence
from testkit import oci_registries as registries
from testkit.commandline import World, must_be_discreet, must_be_refused
from testkit.cosign import run

pytestmark = pytest.mark.oci

INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Both registries, for all tests that do not need one of their own: each uses repositories of its own name."""
    with (
        registries.referrers_registry() as api,
        registries.docker_registry(tmp_path_factory.mktemp("docker-registry")) as tags,
    ):
        yield {"api": api, "tags": tags}


@dataclass(frozen=True)
class Place:
    """A repository on one of the registries."""

    host: str
    name: str

    @property
    def store(self) -> str:
        return f"oci:{self.host}/{self.name}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/v2/{self.name}"

    def image(self, *, of: str = "linux/amd64") -> str:
        """Push a small image and return its digest."""
        layer, config = b"a layer", canonical({"platform": of})
        manifest = canonical(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_MEDIA_TYPE,
                "config": descriptor("application/vnd.oci.image.config.v1+json", config),
                "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
            }
        )
        self.blob(layer)
        self.blob(config)
        return self.manifest(manifest, MANIFEST_MEDIA_TYPE)

    def blob(self, data: bytes) -> None:
        location = httpx.post(f"{self.url}/blobs/uploads/", trust_env=False).headers["location"]
        url = httpx.URL(f"http://{self.host}").join(location).copy_merge_params({"digest": sha256(data)})
        httpx.put(url, content=data, trust_env=False).raise_for_status()

    def manifest(self, data: bytes, media_type: str, reference: str = "") -> str:
        url = f"{self.url}/manifests/{reference or sha256(data)}"
        httpx.put(url, content=data, headers={"content-type": media_type}, trust_env=False).raise_for_status()
        return sha256(data)

    def listed(self, digest: str) -> dict[str, dict[str, Any]]:
        """What refers to a digest, as this registry serves it: digest → descriptor."""
        found = httpx.get(f"{self.url}/referrers/{digest}", trust_env=False)
        if found.status_code == 404:
            url = f"{self.url}/manifests/{digest.replace(':', '-')}"
            found = httpx.get(url, headers={"accept": INDEX}, trust_env=False)
        return {one["digest"]: one for one in found.json().get("manifests", ())}

    def read(self, digest: str) -> Any:
        """The manifest of a digest."""
        accepted = {"accept": f"{MANIFEST_MEDIA_TYPE}, {INDEX}"}
        found = httpx.get(f"{self.url}/manifests/{digest}", headers=accepted, trust_env=False)
        assert sha256(found.content) == digest
        return found.json()

    def has_api(self) -> bool:
        return httpx.get(f"{self.url}/referrers/{sha256(b'')}", trust_env=False).status_code == 200

    def attach(self, manifest: dict[str, Any], about: str) -> None:
        """Attach a manifest to another one, as anybody with the right to push may."""
        data = canonical({**manifest, "subject": {**manifest["subject"], "digest": about}})
        entry = {**descriptor(MANIFEST_MEDIA_TYPE, data), "artifactType": manifest["artifactType"]}
        self.manifest(data, MANIFEST_MEDIA_TYPE)
        if not self.has_api():
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*self.listed(about).values(), entry]}
            self.manifest(canonical(index), INDEX, about.replace(":", "-"))


@pytest.fixture(params=["api", "tags"])
def place(request: pytest.FixtureRequest, hosts: dict[str, str]) -> Place:
    """A repository of this test's own, on each of the registries."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    return Place(hosts[request.param], f"acme/{name}")


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifests(store: Path) -> set[str]:
    (index,) = store.glob("*/*/index.json")
    return {one["digest"] for one in json.loads(index.read_bytes())["manifests"]}


def test_a_tarball_is_gated_and_verified_through_a_registry_alone(world: World, place: Place) -> None:
    """P37: the referrers that a registry lists are, digest by digest, those of the layout on disk."""
    shutil.rmtree(world.store)
    made = world.run(*world.gate("--store", place.store))
    assert made.code == 0, made.err
    assert f"attached to {place.store}@sha256:" in made.err
    build = "sha256:" + next(world.store.glob("*/*/index.json")).parent.name
    listed = place.listed(build)
    assert set(listed) | {build} == manifests(world.store)
    for entry in listed.values():
        assert entry["mediaType"] == MANIFEST_MEDIA_TYPE

    found = world.run("verify", "file:app.tgz", "--trust", "trust.toml", "--store", place.store)
    assert found.code == 0, found.err + found.out
    assert "VERIFIED" in found.out
    other = world.run("verify", "git:" + "ab" * 20, "--trust", "trust.toml", "--store", place.store)
    assert other.code == 1
    assert "no-decision" in other.out


@pytest.fixture(scope="module", params=["api", "tags"])
def gated(
    request: pytest.FixtureRequest, hosts: dict[str, str], ordinary: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, Place, str]:
    """An image that was gated, its digest, and the store's repository that is another than its own."""
    world = commandline.copy(ordinary, tmp_path_factory.mktemp("gated") / "world")
    place = Place(hosts[request.param], "acme/web")
    digest = place.image()
    made = world.run(*gate_of(world, f"{place.store}@{digest}", "--store", f"oci:{place.host}/acme/evidence"))
    assert made.code == 0, made.err
    return world, place, digest


def test_an_image_carries_its_evidence(gated: tuple[World, Place, str]) -> None:
    """Its evidence refers to the image itself, in the image's own repository, whatever the store's."""
    world, place, digest = gated
    subject = f"{place.store}@{digest}"
    elsewhere = f"oci:{place.host}/acme/evidence"
    listed = place.listed(digest)
    assert len(listed) == 4
    assert world.run("verify", subject, "--trust", "trust.toml", "--store", elsewhere).code == 0
    # the same bytes under another name are the same artefact; another digest is not
    other = place.image(of="linux/arm64")
    refused = world.run("verify", f"{place.store}@{other}", "--trust", "trust.toml", "--store", elsewhere)
    assert refused.code == 1
    # what names an image is inside the signature: evidence that is attached to another image does not count
    for name in listed:
        place.attach(place.read(name), other)
    refused = world.run("verify", f"{place.store}@{other}", "--trust", "trust.toml", "--store", elsewhere)
    assert refused.code == 1
    assert "no-decision" in refused.out
    assert "another artefact" in refused.out


def gate_of(world: World, subject: str, *more: str) -> list[str]:
    """Return the arguments of an ordinary `gate` on another subject."""
    return [subject if one == "file:app.tgz" else one for one in world.gate(*more)]


def test_a_report_of_what_a_registry_holds(gated: tuple[World, Place, str]) -> None:
    """Of one artefact; what looks through a whole store says how to get a copy."""
    world, place, digest = gated
    repository, image = place.store, f"{place.store}@{digest}"
    told = world.run("report", image, "--trust", "trust.toml", "--format", "json")
    assert told.code == 0, told.err
    report = json.loads(told.out)
    assert report["verdict"] == "allowed"
    assert report["standing"]["verified"]
    for verb in ("report", "audit"):
        made = world.run(verb, repository, "--trust", "trust.toml")
        assert (made.code, made.out) == (2, "")
        assert f"sbomgate evidence pull {repository} SUBJECT --store copy" in made.err
    assert f"evidence pull {repository} {image} --store copy" in world.run("audit", image).err


def test_what_is_revoked_is_refused_from_a_registry_too(world: World, place: Place) -> None:
    """P19: a revocation beats every older PASSED, wherever the evidence is read."""
    stores = ("--store", "evidence", "--store", place.store)
    assert world.run("evidence", "push", place.store).code == 0
    verify = ("verify", "file:app.tgz", "--trust", "trust.toml", "--store")
    assert world.run(*verify, place.store).code == 0
    (decision,) = world.store.glob("*/*/decisions/*")
    revoke = ("revoke", decision.name, "--reason", "built on a compromised runner", "--key", "release.key")
    lost = world.run(*revoke, "--trust", "trust.toml", "--store", "evidence", "--store", "oci:127.0.0.1:1/a/b")
    must_be_refused(lost, says=["lies on disk"])
    assert world.run(*verify, "evidence").code == 1
    assert world.run(*verify, place.store).code == 0, "nobody told it"
    # told by pushing; and at once, where it is revoked
    pushed = world.run("evidence", "push", place.store)
    assert pushed.code == 0, pushed.err
    assert f"{place.store}:revocations  1 revocation" in pushed.out
    refused = world.run(*verify, place.store)
    assert refused.code == 1
    assert "revoked" in refused.out
    assert "built on a compromised runner" in refused.out
    again = world.run(*revoke, "--trust", "trust.toml", *stores)
    assert again.code == 0, again.err
    assert f"put into {place.store}:revocations" in again.err
    # whoever takes it away takes the revocation with it
    assert world.run("evidence", "pull", place.store, "file:app.tgz", "--store", "copy").code == 0
    refused = world.run(*verify, "copy")
    assert refused.code == 1
    assert "revoked" in refused.out
    # nor is it a baseline any more
    about = f"{place.store}@{build_of(world)}"
    said = world.run("check", "shop", "--trust", "trust.toml", "--offline", "--json", "--baseline", about)
    assert "bootstrap" in said.out, said.out


def test_a_mirror_gets_what_the_image_has(
    gated: tuple[World, Place, str], hosts: dict[str, str], tmp_path: Path
) -> None:
    """To another host only what is named goes there: what an image is called is its evidence's own word."""
    world, place, digest = gated
    (host,) = set(hosts.values()) - {place.host}
    mirror = Place(host, "mirror/web")
    assert mirror.image() == digest
    world = commandline.copy(world, tmp_path / "world")
    other = world.run("evidence", "push", f"oci:{host}/acme/evidence")
    assert other.code == 2
    assert f"it is about an image on {place.host}" in other.err
    assert world.run("evidence", "push", f"oci:{host}/acme/evidence", f"{mirror.store}@{digest}").code == 0
    verify = ("--trust", "trust.toml", "--store", f"oci:{host}/acme/evidence")
    assert world.run("verify", f"{mirror.store}@{digest}", *verify).code == 0
    assert place.listed(digest).keys() == mirror.listed(digest).keys()


def test_an_index_of_several_platforms_is_one_artefact(world: World, hosts: dict[str, str]) -> None:
    place = Place(hosts["tags"], "acme/platforms")
    children = [place.image(of=one) for one in ("linux/amd64", "linux/arm64")]
    entries = [{"mediaType": MANIFEST_MEDIA_TYPE, "digest": one, "size": 1} for one in children]
    for entry in entries:
        entry["size"] = len(canonical(place.read(str(entry["digest"]))))
    index = place.manifest(canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}), INDEX)
    assert world.run(*gate_of(world, f"{place.store}@{index}", "--store", place.store)).code == 0
    for name in place.listed(index):
        assert place.read(name)["subject"]["mediaType"] == INDEX
    trust = ("--trust", "trust.toml", "--store", place.store)
    assert world.run("verify", f"{place.store}@{index}", *trust).code == 0
    # what was decided of the index is decided of its images, and of no others
    assert world.run("verify", f"{place.store}@{children[0]}", *trust).code == 1
    assert "name it: --index" in world.run("verify", f"{place.store}@{children[0]}", *trust).out
    said = world.run("verify", f"{place.store}@{children[0]}", "--index", index, *trust)
    assert said.code == 0
    assert f"the decision is on the index {index}" in said.out
    for image, of, says in (
        (place.image(of="linux/s390x"), index, "does not list"),
        (children[0], children[1], "does not list"),
        (children[0], "sha256:" + "ab" * 32, "no such index"),
    ):
        must_be_refused(world.run("verify", f"{place.store}@{image}", "--index", of, *trust), says=[says], hint=False)
    must_be_refused(world.run("verify", "file:app.tgz", "--index", index, *trust), says=["--index"], hint=False)


def test_a_build_in_a_registry_is_a_baseline(gated: tuple[World, Place, str], place: Place) -> None:
    world, image, digest = gated
    check = ("check", "shop", "--trust", "trust.toml", "--offline", "--json", "--baseline")
    said = world.run(*check, f"{image.store}@{digest}")
    assert said.code == 0, said.err
    assert json.loads(said.out)["baseline"] == json.loads(world.run(*check, "evidence").out)["baseline"]
    must_be_refused(world.run(*check, f"{place.store}@{digest}"), says=["no decision is attached"])
    must_be_refused(world.run(*check, place.store), says=["named by its digest"])


def test_an_image_that_is_not_there_keeps_its_evidence_on_disk(world: World, hosts: dict[str, str]) -> None:
    """P41: what is signed is on disk, whatever the registry does; `evidence push` attaches it later."""
    shutil.rmtree(world.store)
    place, image = Place(hosts["api"], "acme/first"), Place(hosts["api"], "acme/later")
    digest = place.image()
    subject = f"{image.store}@{digest}"
    made = world.run(*gate_of(world, subject, "--store", place.store))
    must_be_refused(made, says=[f"{image.host}/{image.name}@{digest}", "no such image", "lies on disk"])
    (hint,) = made.hints
    command = hint.partition("`")[2].partition("`")[0].split()
    assert command[0] == "sbomgate"
    assert list(world.store.glob("*/*/decisions/*/vsa.sigstore.json"))

    assert image.image() == digest
    pushed = world.run(*command[1:])
    assert pushed.code == 0, pushed.err
    assert pushed.out == f"{subject}  1 decision\n"
    assert world.run("verify", subject, "--trust", "trust.toml", "--store", place.store).code == 0


def test_what_is_signed_later_is_attached_then(world: World, hosts: dict[str, str]) -> None:
    """P34: a decision that could not be signed is attached when it is."""
    shutil.rmtree(world.store)
    place = Place(hosts["api"], "acme/resumed")
    kms = world.root / "kms"
    kms.write_text("#!/bin/sh\nexit 1\n")
    kms.chmod(0o755)
    command = [f"command:{kms}" if one == "release.key" else one for one in world.gate("--store", place.store)]
    made = world.run(*command)
    assert made.code == 2
    (pending,) = (world.store / "pending").iterdir()
    kms.write_text(KMS.format(python=sys.executable, key=world.root / "release.key"))
    resume = ("gate", "shop", "--resume", pending.name, "--signer", f"command:{kms}", "--trust", "trust.toml")
    made = world.run(*resume, "--store", "evidence", "--store", place.store)
    assert made.code == 0, made.err
    assert "attached to" in made.err
    assert world.run("verify", "file:app.tgz", "--trust", "trust.toml", "--store", place.store).code == 0


KMS = """#!{python}
import sys
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
key = load_pem_private_key(open("{key}", "rb").read(), None)
sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read(), ECDSA(SHA256())))
"""


def test_there_and_back_every_digest_is_kept(world: World, place: Place) -> None:
    pushed = world.run("evidence", "push", place.store)
    assert pushed.code == 0, pushed.err
    assert pushed.out.endswith("  1 decision\n")
    pulled = world.run("evidence", "pull", place.store, "file:app.tgz", "--store", "again")
    assert pulled.code == 0, pulled.err
    assert files(world.root / "again") == files(world.store)
    folder = pulled.out.splitlines()[-1]
    assert world.run("replay", folder).code == 0
    assert world.run("verify", "file:app.tgz", "--trust", "trust.toml", "--store", "again").code == 0
    # again changes nothing; one subject alone is the same
    before = place.listed(build_of(world))
    assert world.run("evidence", "push", place.store, "file:app.tgz").code == 0
    assert place.listed(build_of(world)) == before


def build_of(world: World) -> str:
    return "sha256:" + next(world.store.glob("*/*/index.json")).parent.name


def files(store: Path) -> dict[str, str]:
    """What a store holds; its log and heads are its own, and stay."""
    return {
        str(path.relative_to(store)): sha256(path.read_bytes())
        for path in store.rglob("*")
        if path.is_file() and path.name != ".lock" and path.relative_to(store).parts[0] != "log"
    }


@pytest.mark.parametrize(
    ("push", "says"),
    [
        (["evidence", "push", "evidence"], ["evidence: names no registry"]),
        (["evidence", "push", "oci:registry.example"], ["registry.example: not HOST/REPO"]),
        (["evidence", "push", "oci:registry.example/a:tag"], ["not HOST/REPO"]),
        (["evidence", "push", "oci:registry.example/a@sha256:" + "ab" * 32], ["not HOST/REPO"]),
        (["evidence", "push", "oci:user:hunter2-canary@registry.example/a"], ["not HOST/REPO"]),
        (["evidence", "push", "--store", "nowhere", "oci:127.0.0.1:1/a"], ["nowhere: no such folder"]),
        (["evidence", "push", "oci:127.0.0.1:1/a", "git:" + "ab" * 20], ["no decision in this store"]),
        (["evidence", "pull", "evidence", "file:app.tgz"], ["evidence: names no registry"]),
        (["verify", "file:app.tgz", "--trust", "trust.toml", "--store", "oci:nothing"], ["nothing: not HOST/REPO"]),
    ],
)
def test_what_names_nothing_is_refused(world: World, push: list[str], says: list[str]) -> None:
    made = world.run(*push)
    must_be_refused(made, says=says)


def test_writers_at_once(place: Place) -> None:
    """P41: with the referrers API nothing is lost; under a fallback tag the list may be, and pushing repairs it."""
    made = [evidence.record(age=timedelta(minutes=minutes)) for minutes in range(6)]
    with httpx.Client(trust_env=False) as http, ThreadPoolExecutor(len(made)) as pool:

        def attach(*records: Record) -> str:
            client = Client(http, repository(f"{place.host}/{place.name}"), lambda: None, writes=True)
            try:
                registry.attach(client, evidence.TARBALL, records, sleep=lambda _: None)
            except (EvidenceError, FetchError) as e:  # docker-registry may answer 400 while another writes the same tag
                return str(e)
            return ""

        said = list(pool.map(attach, made))
        if place.has_api():
            assert said == [""] * len(made)
        assert attach(*made) == ""
        client = Client(http, repository(f"{place.host}/{place.name}"), lambda: None)
        assert {one.id for one in registry.find(client, evidence.TARBALL)} == {one.id for one in made}


def test_a_large_blob_goes_in_pieces(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CHUNKED_ABOVE_BYTES": 1000, "SINGLE_BYTES": 10, "CHUNK_BYTES": 400}.items():
        monkeypatch.setattr(registry_client, name, value)
    data = bytes(range(256)) * 5
    with httpx.Client(trust_env=False) as http:
        client = Client(http, repository(f"{place.host}/{place.name}"), lambda: None, writes=True)
        for one in (data, data, data[:1001], data[:999]):
            client.put_blob(one)
            assert client.blob(sha256(one), limit=2000) == one


def test_what_is_altered_in_the_registry_is_found(world: World, tmp_path: Path) -> None:
    """P36, P37: docker-registry serves from its files what it is given; each byte is hashed again."""
    (tmp_path / "dr").mkdir()
    with registries.docker_registry(tmp_path / "dr") as host:
        place = Place(host, "acme/evidence")
        assert world.run("evidence", "push", place.store).code == 0
        verify = ("verify", "file:app.tgz", "--trust", "trust.toml", "--store", place.store)
        assert world.run(*verify).code == 0
        blobs = tmp_path / "dr" / "data" / "docker" / "registry" / "v2" / "blobs" / "sha256"
        (folder,) = world.store.glob("*/*/decisions/*")
        for name in ("decision.sigstore.json", "policy.tar.gz"):
            hexed = sha256((folder / name).read_bytes()).removeprefix("sha256:")
            blob = blobs / hexed[:2] / hexed / "data"
            kept = blob.read_bytes()
            blob.write_bytes(kept[:-2] + bytes([kept[-2] ^ 1]) + kept[-1:])
            for command in (verify, ("evidence", "push", place.store)):
                must_be_refused(
                    world.run(*command), says=[f"{host}/acme/evidence@sha256:{hexed}", "altered"], hint=False
                )
            blob.unlink()
            must_be_refused(world.run(*verify), says=[hexed, "not there"])
            # what is not served is sent again; docker-registry still has the link to it
            blob.write_bytes(kept)
        assert world.run(*verify).code == 0


def test_a_list_that_lost_an_entry_is_found_and_repaired(world: World, tmp_path: Path) -> None:
    """P37, P41: two writers of a fallback tag lose entries, which no client can prevent; pushing again repairs it."""
    (tmp_path / "dr").mkdir()
    with registries.docker_registry(tmp_path / "dr") as host:
        place = Place(host, "acme/evidence")
        assert world.run("evidence", "push", place.store).code == 0
        build = build_of(world)
        whole = place.listed(build)
        verify = ("verify", "file:app.tgz", "--trust", "trust.toml", "--store", place.store)
        for lost in whole:
            left = [one for name, one in whole.items() if name != lost]
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": left}
            place.manifest(canonical(index), INDEX, build.replace(":", "-"))
            kind = whole[lost].get("annotations", {}).get("dev.sigstore.bundle.predicateType")
            found = world.run(*verify)
            if kind == DETAIL_TYPE:
                must_be_refused(found, says=["attached in part"])
            elif kind == SUMMARY_TYPE:
                must_be_refused(found, says=["the summary of this decision is missing"], hint=False)
            else:
                assert found.code == 0, found.err
            assert world.run("evidence", "push", place.store).code == 0
            assert place.listed(build) == whole


# --------------------------------------------------------------------------------------------------------------------
# Logging in


@dataclass(frozen=True)
class Login:
    """How a user's machine knows an account, and what is asked of the token service."""

    config: dict[str, Any]
    helper: str = ""
    says: tuple[str, ...] = ()


BASIC = "YnVpbGRlcjpodW50ZXIyLWNhbmFyeQ=="  # builder:hunter2-canary
WRONG = "YnVpbGRlcjpodW50ZXIyLWNhbmFyeS13cm9uZw=="
ANSWER = 'cat >/dev/null; printf \'{"ServerURL":"x","Username":"%s","Secret":"%s"}\''
LOGINS = {
    "auth": Login({"auths": {"HOST": {"auth": BASIC}}}),
    "auth by address": Login({"auths": {"http://HOST": {"auth": BASIC}}}),
    "user and password": Login({"auths": {"HOST": {"username": "builder", "password": "hunter2-canary"}}}),
    "helper": Login({"credHelpers": {"HOST": "canary"}}, f"{ANSWER} builder hunter2-canary"),
    "store": Login({"credsStore": "canary", "auths": {"HOST": {}}}, f"{ANSWER} builder hunter2-canary"),
    "a store that knows it not": Login(
        {"credsStore": "canary", "auths": {"HOST": {"auth": BASIC}}},
        "echo credentials not found in native keychain; exit 1",
    ),
    "none": Login({}, says=("401 UNAUTHORIZED", "docker login")),
    "wrong": Login({"auths": {"HOST": {"auth": WRONG}}}, says=("401", "docker login")),
    "another host's": Login({"auths": {"registry.example": {"auth": BASIC}}}, says=("401 UNAUTHORIZED",)),
    "not base64": Login({"auths": {"HOST": {"auth": "hunter2-canary!"}}}, says=("base64",)),
    "no such helper": Login({"credHelpers": {"HOST": "absent"}}, says=("docker-credential-absent", "no such program")),
    "helper that is a path": Login({"credHelpers": {"HOST": "../canary"}}, says=("no plain name",)),
    "helper that fails": Login(
        {"credHelpers": {"HOST": "canary"}}, "echo hunter2-canary >&2; exit 3", ("exited with 3",)
    ),
    "helper that babbles": Login({"credHelpers": {"HOST": "canary"}}, "echo hunter2-canary", ("not a JSON object",)),
    "helper without end": Login({"credHelpers": {"HOST": "canary"}}, "yes hunter2-canary", ("wrote more than",)),
    "config that is none": Login({"auths": ["hunter2-canary"]}, says=("config.json",)),
}
TOKENS = {
    "identity token": Login({"auths": {"HOST": {"auth": BASIC, "identitytoken": registries.IDENTITY_TOKEN}}}),
    "identity token of a helper": Login(
        {"credHelpers": {"HOST": "canary"}}, f"{ANSWER} '<token>' {registries.IDENTITY_TOKEN}"
    ),
    "identity token that ended": Login(
        {"auths": {"HOST": {"identitytoken": "hunter2-canary"}}}, says=("token service answers 401", "docker login")
    ),
}


def logged_in(world: World, host: str, login: Login) -> dict[str, str]:
    """Return the variables of a user who is logged in like that."""
    docker = world.home / ".docker"
    docker.mkdir(exist_ok=True)
    (docker / "config.json").write_text(json.dumps(login.config).replace("HOST", host))
    folder = registries.credential_helper(world.root / "bin", "canary", login.helper or "exit 9")
    return world.environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")


def pushes_and_verifies(world: World, host: str, login: Login) -> None:
    """Push and verify with a login, or be refused and show nothing of it (P40)."""
    env = logged_in(world, host, login)
    push = world.run("evidence", "push", f"oci:{host}/acme/evidence", env=env)
    must_be_discreet(push)
    if login.says:
        must_be_refused(push, says=login.says[:1], hint=False)
        assert all(text in push.err for text in login.says)
        return
    assert push.code == 0, push.err
    verify = ("verify", "file:app.tgz", "--trust", "trust.toml", "--store", f"oci:{host}/acme/evidence")
    assert world.run(*verify, env=env).code == 0


@pytest.fixture(scope="module")
def with_basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("basic")
    with registries.docker_registry(folder, auth=registries.htpasswd(folder)) as host:
        yield host


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, registries.TokenService]]:
    folder = tmp_path_factory.mktemp("tokens")
    with (
        registries.token_service(folder) as tokens,
        registries.docker_registry(folder, auth=tokens.auth) as host,
    ):
        yield host, tokens


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_basic_authentication(world: World, with_basic: str, login: Login) -> None:
    """P40: no login is shown, whatever goes wrong with it."""
    pushes_and_verifies(world, with_basic, login)


BY_TOKEN = {name: LOGINS[name] for name in ("auth", "helper", "none", "wrong")} | TOKENS


@pytest.mark.parametrize("login", BY_TOKEN.values(), ids=BY_TOKEN)
def test_token_authentication(world: World, with_tokens: tuple[str, registries.TokenService], login: Login) -> None:
    """P40: no login and no token is shown; reading asks for no more than reading."""
    host, tokens = with_tokens
    tokens.asked.clear()
    pushes_and_verifies(world, host, login)
    if not login.says:
        method = "POST" if "identity" in json.dumps(login.config) + login.helper else "GET"
        assert tokens.asked[0] == (method, "repository:acme/evidence:pull,push")
        assert set(tokens.asked[1:]) == {(method, "repository:acme/evidence:pull")}


def test_a_registry_over_tls(world: World, tmp_path: Path) -> None:
    """Every registry that is not this machine is spoken to over TLS, with a certificate that is trusted."""
    with registries.docker_registry(tmp_path, auth=registries.htpasswd(tmp_path), tls=True) as host:
        store = f"oci:{host}/acme/evidence"
        env = logged_in(world, host, LOGINS["auth"])
        refused = world.run("evidence", "push", store, env=env)
        must_be_refused(refused, says=[f"https://{host}/v2/", "certificate that is not trusted"])
        env["NODE_EXTRA_CA_CERTS"] = str(tmp_path / "tls.crt")
        assert world.run("evidence", "push", store, env=env).code == 0
        verify = ("verify", "file:app.tgz", "--trust", "trust.toml", "--store", store)
        assert world.run(*verify, env=env).code == 0


def test_a_token_that_ends_is_renewed(tmp_path: Path) -> None:
    """Tokens live for minutes; what a release attaches may take longer."""
    with (
        registries.token_service(tmp_path) as tokens,
        registries.docker_registry(tmp_path, auth=tokens.auth) as host,
        open_client() as http,
    ):
        account = Account(user=registries.USER, password=registries.PASSWORD)
        client = Client(http, repository(f"{host}/acme/evidence"), lambda: account, writes=True)
        client.put_blob(b"first")
        first = client._login.header
        assert first is not None
        asked = len(tokens.asked)
        client.put_blob(b"another")
        assert len(tokens.asked) == asked
        # Hours later (docker-registry allows for a minute of difference between clocks).
        tokens.lifetime = -timedelta(hours=1)
        scope = "repository:acme/evidence:pull,push"
        ended = f"Bearer {tokens.token([scope], service='registry.test', user=registries.USER)}"
        tokens.lifetime = timedelta(minutes=5)
        client._login.header = ended
        client.put_blob(b"second")
        assert len(tokens.asked) > asked
        assert client._login.header != ended


# --------------------------------------------------------------------------------------------------------------------
# Other tools


@pytest.mark.cosign
def test_cosign_verifies_what_is_attached(gated: tuple[World, Place, str]) -> None:
    world, place, digest = gated
    image = f"{place.host}/{place.name}@{digest}"
    verify = (
        "cosign",
        "verify-attestation",
        "--key",
        "release.key.pub",
        "--insecure-ignore-tlog",
        "--allow-http-registry",
    )
    for kind in (DETAIL_TYPE, SUMMARY_TYPE):
        done = run(world.root, *verify, "--type", kind, image)
        assert done.returncode == 0, done.stderr
        (payload,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert payload["payloadType"] == "application/vnd.in-toto+json"
    assert run(world.root, *verify, "--type", "https://example.test/other", image).returncode != 0
    other = f"{place.host}/{place.name}@{place.image(of='linux/arm64')}"
    assert run(world.root, *verify, "--type", SUMMARY_TYPE, other).returncode != 0
    tree = run(world.root, "cosign", "tree", "--allow-http-registry", image)
    assert tree.returncode == 0, tree.stderr
    for name in place.listed(digest):
        assert name in tree.stdout


def test_oras_copies_the_layout_and_we_read_it(world: World, place: Place) -> None:
    """The oras-go library reads the layout on disk and writes what `verify` reads; and back."""
    (base,) = (path.parent for path in world.store.glob("*/*/index.json"))
    repository = f"{place.host}/{place.name}"
    done = run(world.root, "copy_evidence", "push", base, "build", repository)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == build_of(world)
    verify = ("verify", "file:app.tgz", "--trust", "trust.toml", "--store", place.store)
    assert world.run(*verify).code == 0
    assert world.run("evidence", "push", place.store).code == 0
    done = run(world.root, "copy_evidence", "pull", repository, build_of(world), world.root / "copy")
    assert done.returncode == 0, done.stderr
    blobs = {path.name for path in (base / "blobs" / "sha256").iterdir()}
    assert {path.name for path in (world.root / "copy" / "blobs" / "sha256").iterdir()} == blobs
