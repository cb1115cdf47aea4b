"""sbomgate.toml."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate import config, resources

SEED = b"""profile = "strict"

[rules.release_age]
minimum_age_hours = 72

[rules.licences]
allow = ["MIT"]

[malicious]
lists = ["lists/x.csv"]

[sbom]
supplier = "Acme"
"""


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return one of each table."""
    yield "sbomgate.toml", SEED
    yield "profile.toml", b'profile = "release"\n'


def read(data: bytes) -> object:
    """Read it by its schema."""
    return config.parse(data, schema=resources.path("schemas", "config.schema.json").read_bytes())
