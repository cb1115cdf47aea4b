"""A TUF repository as sigstore's is one: real metadata, signed by python-tuf, served by the registry simulator.

with Simulator(prefix="/tuf") as server:
    repository = Repository(server, now, targets={"trusted_root.json": b"…", "registry.npmjs.org/keys.json": b"…"})
    repository.publish()
    ... server.url is its URL, repository.root(1) what a client starts from

Metadata is published as it is: a test changes `roots`, `targets`, `keys` and publishes again, or damages what was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from testkit.registry import Simulator

REGISTRY_ROLE = "registry.npmjs.org"
_ROLES = ("root", "targets", "snapshot", "timestamp")


@dataclass
class Repository:
    """The repository and its keys.

    Attributes:
        server: where `publish` puts it.
        now: what expiry is counted from.
        targets: path → bytes.
        signers: role → keys; every role has a threshold of all but one of its keys, root of two.
        expires: role → days from now.
        versions: role → the version that was published last.
    """

    server: Simulator
    now: datetime
    targets: dict[str, bytes]
    signers: dict[str, list[CryptoSigner]] = field(default_factory=dict)
    expires: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*_ROLES, REGISTRY_ROLE), 30))
    versions: dict[str, int] = field(default_factory=dict)
    _history: list[Metadata[Root]] = field(default_factory=list)
    _last_signers: list[CryptoSigner] = field(default_factory=list)

    def __post_init__(self) -> None:
        for role in (*_ROLES, REGISTRY_ROLE):
            count = 3 if role == "root" else 1
            self.signers.setdefault(role, [CryptoSigner.generate_ecdsa() for _ in range(count)])

    @property
    def url(self) -> str:
        """Its URL."""
        return self.server.url

    def root(self, version: int) -> bytes:
        """Return root metadata of a version."""
        return self._bytes(self._history[version - 1])

    def publish_root(self, *, signed_by: list[CryptoSigner] | None = None, expires: int | None = None) -> None:
        """Publish the next root: with the keys of `signers`, signed by the last root's and its own."""
        root = Root(
            version=len(self._history) + 1,
            expires=self._expiry("root" if expires is None else "", expires),
            consistent_snapshot=True,
        )
        for role in _ROLES:
            for signer in self.signers[role]:
                root.add_key(signer.public_key, role)
            root.roles[role].threshold = 2 if role == "root" else 1
        made = Metadata(root)
        signers = signed_by
        if signers is None:
            signers = list(self.signers["root"])
            if self._history:
                signers = self._last_signers + [s for s in signers if s not in self._last_signers]
        for signer in signers:
            made.sign(signer, append=True)
        self._last_signers = list(self.signers["root"])
        self._history.append(made)
        self._put(f"{root.version}.root.json", self._bytes(made))

    def publish(self, **versions: int) -> None:
        """Publish targets, snapshot and timestamp anew; a version that is given is not counted up.

        The first call publishes the root too.
        """
        if not self._history:
            self.publish_root()
        own = {path: data for path, data in self.targets.items() if not path.startswith(f"{REGISTRY_ROLE}/")}
        keys = {path: data for path, data in self.targets.items() if path not in own}
        for path, data in self.targets.items():
            folder, slash, name = path.rpartition("/")
            digest = TargetFile.from_data(path, data, ["sha256"]).hashes["sha256"]
            self._put(f"targets/{folder}{slash}{digest}.{name}", data)
        delegated = Targets(self._next(REGISTRY_ROLE, versions), expires=self._expiry(REGISTRY_ROLE))
        delegated.targets = {path: TargetFile.from_data(path, data, ["sha256"]) for path, data in keys.items()}
        targets = Targets(self._next("targets", versions), expires=self._expiry("targets"))
        targets.targets = {path: TargetFile.from_data(path, data, ["sha256"]) for path, data in own.items()}
        signer = self.signers[REGISTRY_ROLE][0]
        targets.delegations = Delegations(
            {signer.public_key.keyid: signer.public_key},
            {
                REGISTRY_ROLE: DelegatedRole(
                    REGISTRY_ROLE, [signer.public_key.keyid], 1, terminating=True, paths=[f"{REGISTRY_ROLE}/*"]
                )
            },
        )
        snapshot = Snapshot(
            self._next("snapshot", versions),
            expires=self._expiry("snapshot"),
            meta={
                "targets.json": MetaFile(targets.version),
                f"{REGISTRY_ROLE}.json": MetaFile(delegated.version),
            },
        )
        timestamp = Timestamp(
            self._next("timestamp", versions),
            expires=self._expiry("timestamp"),
            snapshot_meta=MetaFile(snapshot.version),
        )
        self.put(REGISTRY_ROLE, delegated)
        self.put("targets", targets)
        self.put("snapshot", snapshot)
        self.put("timestamp", timestamp)

    def put(self, role: str, signed: Any, *, signers: list[CryptoSigner] | None = None) -> None:
        """Sign and publish one piece of metadata."""
        made = Metadata(signed)
        for signer in self.signers[role] if signers is None else signers:
            made.sign(signer, append=True)
        name = f"{role}.json" if role == "timestamp" else f"{signed.version}.{role}.json"
        self._put(name, self._bytes(made))

    def served(self) -> Mapping[str, bytes]:
        """Return everything that is served, as it is now."""
        return dict(self.server.blobs)

    def serve(self, blobs: Mapping[str, bytes]) -> None:
        """Serve exactly this."""
        self.server.blobs.clear()
        self.server.blobs.update(blobs)

    def path(self, name: str) -> str:
        """Return the path under which something is served."""
        return f"{self.server.prefix}/{name}"

    def _put(self, name: str, data: bytes) -> None:
        self.server.blobs[self.path(name)] = data

    def _next(self, role: str, versions: Mapping[str, int]) -> int:
        key = role.replace(".", "_")
        self.versions[role] = versions.get(key, self.versions.get(role, 0) + 1)
        return self.versions[role]

    def _expiry(self, role: str, days: int | None = None) -> datetime:
        return (self.now + timedelta(days=self.expires[role] if days is None else days)).replace(microsecond=0)

    @staticmethod
    def _bytes(made: Metadata[Any]) -> bytes:
        return made.to_bytes(JSONSerializer(compact=True))
