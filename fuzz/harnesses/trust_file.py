"""The trust file."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate import trust
from testkit import evidence, tokens


def _seed() -> str:
    return f'''schema = "sbomgate/trust/v1"
profile = "default"
repository = "https://github.com/acme/shop"
environments = ["production"]
max_age_hours = 720
first_party = ["@acme"]

[[signers]]
name = "release key"
roles = ["decision"]
public_key = """
{evidence.key().public_key}"""

[[signers]]
name = "workflow"
roles = ["decision"]
issuer = "{tokens.ISSUER}"
identity = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"

[[registries]]
url = "https://npm.acme.example/"
scope = "@acme"

[[people]]
name = "ann"
addresses = ["ann@acme.example"]

[[approved_scripts]]
name = "esbuild"
version = "0.20.0"
digest = "{"ab" * 32}"
reason = "read"
integrity = "sha512-{"A" * 86}=="

[parameters.release_age]
minimum_age_hours = 72

[[exclusions]]
rule = "release_age"
name = "@acme/a"
version = "1.0.0"
integrity = "sha512-{"A" * 86}=="
until = 2026-12-24T00:00:00Z
reason = "ours"
'''


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return a large one, and the one that `trust new` writes."""
    yield "whole.toml", _seed().encode()
    yield "new.toml", trust.new(evidence.key().public_key).encode()


def read(data: bytes) -> object:
    """Parse it; the files that it names are empty."""
    return trust.parse(data, pinned=lambda _name, _sha256: b"")
