"""Words that an SBOM of ours is written and read by."""

from __future__ import annotations

FORMAT = "1"
"""Version of our properties (`sbomgate:format`): another one is not read."""

ALGORITHMS = {"sha512": "SHA-512", "sha384": "SHA-384", "sha256": "SHA-256", "sha1": "SHA-1"}
DEV, BUNDLED, EXTRANEOUS, PATH = (
    f"cdx:npm:package:{name}" for name in ("development", "bundled", "extraneous", "path")
)
