"""`sbomgate trust update` against a real TUF repository: what it refuses, and that nothing is lost then (P25)."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

from sbomgate import trust, tuf
from testkit.commandline import World, mode, must_be_refused
from testkit.registry import Fault, Simulator
from testkit.sigstore import TestSigstore
from testkit.tuf_repository import REGISTRY_ROLE, Repository

NOW = datetime.now(UTC)  # python-tuf judges expiry by the clock of the machine


@dataclass
class Place:
    """A repository, and a folder to run the verb in."""

    repository: Repository
    world: World
    sigstore: TestSigstore

    def update(self, *more: str) -> list[str]:
        return ["trust", "update", "--out", "kept", "--url", self.repository.url, "--root", "root.json", *more]

    def must_refuse(self, *says: str, arguments: list[str] | None = None) -> None:
        before = self.world.snapshot()
        result = self.world.run(*(arguments or self.update()))
        must_be_refused(result, says=says)
        assert self.world.snapshot() == before, "something was written, or removed"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    sigstore = TestSigstore(NOW)
    world = World(tmp_path)
    world.home.mkdir()
    with Simulator(prefix="/tuf") as server:
        repository = Repository(
            server,
            NOW,
            {
                tuf.TRUSTED_ROOT: sigstore.trusted_root_json(),
                tuf.REGISTRY_KEYS: sigstore.registry_keys_json(),
            },
        )
        repository.publish()
        (tmp_path / "root.json").write_bytes(repository.root(1))
        yield Place(repository, world, sigstore)


def changed(place: Place) -> bytes:
    """Let the repository name another trusted root: the log's key has an end."""
    value = place.sigstore.trusted_root()
    value["tlogs"][0]["publicKey"]["validFor"]["end"] = "2040-01-01T00:00:00Z"
    data = json.dumps(value).encode() + b" " * place.repository.versions["timestamp"]
    place.repository.targets[tuf.TRUSTED_ROOT] = data
    return data


def test_the_trust_file_can_name_what_it_prints(place: Place) -> None:
    result = place.world.run(*place.update())
    assert result.code == 0, result.err
    table = tomllib.loads(result.out)["sigstore"]
    for name, data in (
        ("trusted_root", place.sigstore.trusted_root_json()),
        ("registry_keys", place.sigstore.registry_keys_json()),
    ):
        path = place.world.root / table[name]["path"]
        assert path.read_bytes() == data
        assert table[name]["sha256"] == hashlib.sha256(data).hexdigest()
    key = place.world.root / "release.key"
    assert place.world.run("key", "new", "--out", str(key)).code == 0
    assert place.world.run("trust", "new", "--key", "release.key.pub", "--out", "trust.toml").code == 0
    place.world.trust.write_text(place.world.trust.read_text() + result.out)
    accepted = trust.load(str(place.world.trust), project_root=None)
    assert accepted.trusted_root == place.sigstore.trusted_root_json()
    assert accepted.trusted_root_updated is not None
    assert abs(accepted.trusted_root_updated - datetime.now(UTC)).total_seconds() < 3600


def test_what_changed_is_said_against_what_the_trust_file_names(place: Place) -> None:
    test_the_trust_file_can_name_what_it_prints(place)
    before = {path: path.read_bytes() for path in (place.world.root / "kept").glob("*.json")}
    new = changed(place)
    place.repository.publish()
    result = place.world.run(*place.update("--trust", "trust.toml"))
    assert result.code == 0, result.err
    assert hashlib.sha256(new).hexdigest() in result.out
    assert "registry keys: unchanged" in result.out
    (line,) = [line for line in result.out.splitlines() if line.startswith("#   ~ ")]
    assert line.startswith("#   ~ transparency log ")
    assert "2040-01-01" in line
    for path, data in before.items():
        assert path.read_bytes() == data, "what a trust file names was written over"
    again = place.world.run(*place.update("--trust", "trust.toml"))
    assert again.code == 0
    assert len(list((place.world.root / "kept").glob("trusted_root-*.json"))) == 2


def test_a_private_repository_without_registry_keys(place: Place) -> None:
    del place.repository.targets[tuf.REGISTRY_KEYS]
    place.repository.publish()
    result = place.world.run(*place.update())
    assert result.code == 0, result.err
    assert "this repository has none" in result.out
    assert set(tomllib.loads(result.out)["sigstore"]) == {"updated", "trusted_root"}


def test_root_keys_rotate(place: Place) -> None:
    """Each root is signed by the one before it; the first may have expired long ago."""
    assert place.world.run(*place.update()).code == 0
    for _ in range(3):
        place.repository.signers["root"] = [CryptoSigner.generate_ecdsa() for _ in range(3)]
        place.repository.signers["timestamp"] = [CryptoSigner.generate_ed25519()]
        place.repository.publish_root()
    place.repository.publish()
    result = place.world.run(*place.update())
    assert result.code == 0, result.err
    assert "TUF root 4" in result.out
    assert (place.world.root / "kept/tuf/root_history/4.root.json").read_bytes() == place.repository.root(4)


def test_an_expired_root_leads_to_its_successor(place: Place) -> None:
    server = place.repository.server
    server.blobs.clear()
    old = Repository(server, NOW, dict(place.repository.targets))
    old.expires["root"] = -5
    old.publish_root()
    (place.world.root / "root.json").write_bytes(old.root(1))
    old.publish()
    place.must_refuse("does not hold", "expired")
    old.expires["root"] = 30
    old.publish_root()
    assert place.world.run(*place.update()).code == 0


def rotated_without_the_old_keys(place: Place) -> None:
    place.repository.signers["root"] = [CryptoSigner.generate_ecdsa() for _ in range(3)]
    place.repository.publish_root(signed_by=place.repository.signers["root"])


def rotated_by_one_of_two(place: Place) -> None:
    place.repository.publish_root(signed_by=place.repository.signers["root"][:1])


def root_skips_a_version(place: Place) -> None:
    place.repository.publish_root()
    place.repository.publish_root()
    place.repository.server.blobs["/tuf/2.root.json"] = place.repository.root(3)


def wrong_timestamp_key(place: Place) -> None:
    timestamp = Metadata[Timestamp].from_bytes(place.repository.server.blobs["/tuf/timestamp.json"]).signed
    place.repository.put("timestamp", timestamp, signers=[CryptoSigner.generate_ecdsa()])


def newest(place: Place, name: str) -> str:
    """Return the path of the newest version of a role, or of a target."""
    if name in place.repository.targets:
        digest = hashlib.sha256(place.repository.targets[name]).hexdigest()
        folder, slash, last = name.rpartition("/")
        return f"/tuf/targets/{folder}{slash}{digest}.{last}"
    return "/tuf/timestamp.json" if name == "timestamp" else f"/tuf/{place.repository.versions[name]}.{name}.json"


def one_byte(name: str) -> Callable[[Place], None]:
    def damage(place: Place) -> None:
        blobs = place.repository.server.blobs
        path = newest(place, name)
        data = bytearray(blobs[path])
        data[len(data) // 2] ^= 1
        blobs[path] = bytes(data)

    return damage


def root_with_one_byte_changed(place: Place) -> None:
    place.repository.publish_root()
    data = place.repository.root(2)
    place.repository.server.blobs["/tuf/2.root.json"] = data.replace(
        b'"consistent_snapshot":true', b'"consistent_snapshot":null'
    )


def expired(role: str) -> Callable[[Place], None]:
    def damage(place: Place) -> None:
        place.repository.expires[role] = -1
        place.repository.publish()

    return damage


def mixed(place: Place) -> None:
    """A snapshot that was signed, and is not the one that the timestamp names."""
    blobs = place.repository.server.blobs
    old = blobs[newest(place, "snapshot")]
    place.repository.publish()
    blobs[newest(place, "snapshot")] = old


def target_of_before(place: Place) -> None:
    blobs = place.repository.server.blobs
    before = place.repository.targets[tuf.TRUSTED_ROOT]
    new = changed(place)
    place.repository.publish()
    blobs[f"/tuf/targets/{hashlib.sha256(new).hexdigest()}.trusted_root.json"] = before


def delegated_by_nobody(place: Place) -> None:
    blobs = place.repository.server.blobs
    path = newest(place, REGISTRY_ROLE)
    made = Metadata[Targets].from_bytes(blobs[path])
    made.sign(CryptoSigner.generate_ecdsa())
    blobs[path] = made.to_bytes()


def no_trusted_root(place: Place) -> None:
    del place.repository.targets[tuf.TRUSTED_ROOT]
    place.repository.publish()


def unusable_trusted_root(place: Place) -> None:
    place.repository.targets[tuf.TRUSTED_ROOT] = b'{"mediaType": "text/plain"}'
    place.repository.publish()


def huge_target(place: Place) -> None:
    place.repository.targets[tuf.TRUSTED_ROOT] = b" " * (tuf.MAX_TARGET_BYTES + 1)
    place.repository.publish()


def at(path: str, fault: Fault) -> Callable[[Place], None]:
    return lambda place: place.repository.server.fault(path, fault)


REFUSED: dict[str, tuple[Callable[[Place], None], list[str]]] = {
    "root rotated by keys that the old one does not name": (rotated_without_the_old_keys, ["signatures does not hold"]),
    "root rotated by less than its threshold": (rotated_by_one_of_two, ["signatures does not hold"]),
    "a root that skips a version": (root_skips_a_version, ["signatures does not hold", "version"]),
    "root: one byte": (root_with_one_byte_changed, ["does not hold"]),
    "timestamp by another key": (wrong_timestamp_key, ["does not hold", "timestamp"]),
    "timestamp: one byte": (one_byte("timestamp"), ["does not hold"]),
    "snapshot: one byte": (one_byte("snapshot"), ["does not hold"]),
    "targets: one byte": (one_byte("targets"), ["does not hold"]),
    "delegated role: one byte": (one_byte(REGISTRY_ROLE), ["does not hold"]),
    "delegated role by nobody's key": (delegated_by_nobody, ["does not hold"]),
    "trusted root: one byte": (one_byte(tuf.TRUSTED_ROOT), ["does not hold"]),
    "registry keys: one byte": (one_byte(tuf.REGISTRY_KEYS), ["does not hold"]),
    "freeze: the timestamp has expired": (expired("timestamp"), ["expired"]),
    "the snapshot has expired": (expired("snapshot"), ["expired"]),
    "targets have expired": (expired("targets"), ["expired"]),
    "the delegated role has expired": (expired(REGISTRY_ROLE), ["expired"]),
    "mix and match: another snapshot": (mixed, ["does not hold"]),
    "mix and match: the target of before": (target_of_before, ["does not hold"]),
    "no trusted root in it": (no_trusted_root, ["no target trusted_root.json"]),
    "a trusted root that cannot be used": (unusable_trusted_root, ["trusted_root.json", "media type"]),
    "a huge target": (huge_target, ["limit"]),
    "timestamp is cut short": (at("/timestamp.json", Fault(truncate=40)), ["timestamp.json"]),
    "endless timestamp": (at("/timestamp.json", Fault(endless=True)), ["exceeding"]),
    "endless root": (at("/2.root.json", Fault(endless=True)), ["exceeding"]),
    "no answer": (at("/timestamp.json", Fault(drop=True)), ["timestamp.json"]),
    "an error page": (at("/timestamp.json", Fault(status=500)), ["HTTP 500"]),
    "an error page for a root": (at("/2.root.json", Fault(status=500)), ["HTTP 500"]),
    "a redirect": (at("/timestamp.json", Fault(status=302, headers={"location": "/elsewhere"})), ["HTTP 302"]),
    "a page instead of metadata": (at("/timestamp.json", Fault(body=b"<html>")), ["does not hold"]),
    "nested deeply": (at("/timestamp.json", Fault(body=b"[" * 10_000)), ["does not hold"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_the_first_time(place: Place, name: str) -> None:
    damage, says = REFUSED[name]
    damage(place)
    place.must_refuse(*says)


LATER = [
    name
    for name in REFUSED
    if name.startswith(("root rotated by keys", "timestamp by", "trusted root:", "freeze", "mix"))
]


@pytest.mark.parametrize("name", [*LATER, "endless timestamp", "no answer", "a trusted root that cannot be used"])
def test_refused_with_something_to_lose(place: Place, name: str) -> None:
    assert place.world.run(*place.update()).code == 0
    # Everything is new, so that all of it is fetched: what was verified before is verified again where it lies.
    changed(place)
    place.repository.targets[tuf.REGISTRY_KEYS] += b"\n"
    place.repository.publish()
    damage, says = REFUSED[name]
    damage(place)
    place.must_refuse(*says)


def test_rollback_is_refused(place: Place) -> None:
    """Everything in it was signed, and has not expired; only whoever has seen newer knows that it is old."""
    old = place.repository.served()
    changed(place)
    place.repository.publish()
    assert place.world.run(*place.update()).code == 0
    place.repository.serve(old)
    place.must_refuse("signatures does not hold", "version")


def test_rollback_of_a_role_is_refused(place: Place) -> None:
    place.repository.publish()
    assert place.world.run(*place.update()).code == 0
    snapshot = Snapshot(
        3,
        expires=place.repository._expiry("snapshot"),
        meta={"targets.json": MetaFile(1), f"{REGISTRY_ROLE}.json": MetaFile(2)},
    )
    place.repository.put("snapshot", snapshot)
    timestamp = Timestamp(3, expires=place.repository._expiry("timestamp"), snapshot_meta=MetaFile(3))
    place.repository.put("timestamp", timestamp)
    place.must_refuse("signatures does not hold", "version")


def test_another_repositorys_root_does_not_lead_here(place: Place) -> None:
    place.must_refuse("does not hold", arguments=["trust", "update", "--out", "kept", "--url", place.repository.url])


def test_no_network(place: Place) -> None:
    place.must_refuse(
        "127.0.0.1:1",
        arguments=["trust", "update", "--out", "kept", "--url", "http://127.0.0.1:1/", "--root", "root.json"],
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://tuf.example/", "https"),
        ("ftp://127.0.0.1/", "https"),
        ("https://", "https"),
        ("https://[", "URL"),
        ("https://alice:hunter2-canary@tuf.example/", "credentials"),
    ],
)
def test_an_address_that_is_none(place: Place, url: str, says: str) -> None:
    place.must_refuse(says, arguments=["trust", "update", "--out", "kept", "--url", url, "--root", "root.json"])


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b" " * 600_000])
def test_a_root_that_is_none(place: Place, content: bytes) -> None:
    (place.world.root / "root.json").write_bytes(content)
    before = place.world.snapshot()
    must_be_refused(place.world.run(*place.update()), says=[], hint=False)
    assert place.world.snapshot() == before


def test_a_folder_that_cannot_be_written(place: Place) -> None:
    (place.world.root / "kept").mkdir()
    with mode(place.world.root / "kept", 0o500):
        import os

        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        place.must_refuse("cannot be written")


def test_a_file_where_the_folder_should_be(place: Place) -> None:
    (place.world.root / "kept").write_text("a file")
    place.must_refuse("kept")


@pytest.mark.parametrize("stopped_after", range(6))
def test_stopped_half_way(place: Place, stopped_after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was stopped between two files of the new state runs it again, and what was there is still there (P41)."""
    from sbomgate.cli import _environment

    assert place.world.run(*place.update()).code == 0
    before = {path: path.read_bytes() for path in (place.world.root / "kept").glob("*.json")}
    new = changed(place)
    place.repository.publish_root()
    place.repository.publish()
    write, count = _environment.write_atomically, 0

    def stop(path: Path, data: bytes) -> None:
        nonlocal count
        if count == stopped_after:
            raise KeyboardInterrupt
        count += 1
        write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(_environment, "write_atomically", stop)
        stopped = place.world.run(*place.update())
    if count == stopped_after:
        assert stopped.code == 2
        assert stopped.out == ""
    for path, data in before.items():
        assert path.read_bytes() == data
    result = place.world.run(*place.update())
    assert result.code == 0, result.err
    assert hashlib.sha256(new).hexdigest() in result.out


@pytest.mark.parametrize("damage", [b"", b"{}", b"not JSON", b"\xff" * 100])
def test_what_was_kept_is_not_trusted(place: Place, damage: bytes) -> None:
    assert place.world.run(*place.update()).code == 0
    for path in (place.world.root / "kept/tuf").rglob("*.json"):
        path.write_bytes(damage)
    result = place.world.run(*place.update())
    assert result.code == 0, result.err
    assert (place.world.root / "kept/tuf/timestamp.json").read_bytes() == place.repository.server.blobs[
        "/tuf/timestamp.json"
    ]
