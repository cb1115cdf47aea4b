"""The trust root that travels with sbomgate: sigstore's public-good instance and the public npm registry's keys.

Pinned by digest: a file that differs is refused, wherever it came from, and no cache of a user is ever looked at
(PROMISES P25). A trust file may name another trusted root; it cannot change what lies here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from sbomgate import resources
from sbomgate.errors import ProvenanceError

TRUSTED_ROOT_SHA256 = "6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66"
REGISTRY_KEYS_SHA256 = "160677eb6e1c7083c89b166b20f8fe4e837fb71181506aff1991b80b89184f7d"
SIGNING_CONFIG_SHA256 = "9711a6d5375706957a4859af31c5866a4474f81f0544f9f4b76c9c4f4c8a539c"
TUF_ROOT_SHA256 = "73747011d0857ada15479a16c4cae0f3ed03aac698b523b97e1de314ac9d9ca8"
SELFTEST_SHA256 = "aa1dee80782c972827a2a25544d9602a38436dbfecc05ff795fe7d8e87a9a577"

COLLECTED = datetime(2026, 11, 20, tzinfo=UTC)
"""The day on which both files were taken from sigstore 4.5.1 and @sigstore/tuf 4.0.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedTrust:
    """The shipped files' bytes, whose digests were compared with the pins."""

    trusted_root: bytes
    registry_keys: bytes
    collected: datetime = COLLECTED


def load() -> ShippedTrust:
    """Read the shipped trust root.

    Raises:
        ProvenanceError: a file is not, byte for byte, the one that this version pins.
        SbomgateError: a file is missing.
    """
    return ShippedTrust(
        trusted_root=read("trusted_root.json", TRUSTED_ROOT_SHA256),
        registry_keys=read("keys.json", REGISTRY_KEYS_SHA256),
    )


def tuf_root() -> bytes:
    """Return the root metadata of sigstore's TUF repository: what `sbomgate trust update` starts from.

    Raises:
        ProvenanceError: it is not, byte for byte, the one that this version pins.
    """
    return read("tuf_root.json", TUF_ROOT_SHA256)


def read(name: str, sha256: str) -> bytes:
    """Return the bytes of a shipped file whose digest is pinned.

    Raises:
        ProvenanceError: its SHA-256 is another.
    """
    path = resources.path("trust_root", name)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ProvenanceError(
            f"the SHA-256 is {found}, expected {sha256}",
            where=str(path),
            hint="the installation was altered: install sbomgate again",
        )
    return data
