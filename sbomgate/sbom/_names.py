"""Words that an SBOM of ours is written and read by."""

from __future__ import annotations

from sbomgate.model import Kind

FORMAT = "1"
"""Version of our properties (`sbomgate:format`): another one is not read."""

SOURCES = {Kind.REGISTRY: "distribution", Kind.TARBALL: "distribution", Kind.FILE: "distribution", Kind.GIT: "vcs"}
"""Type of the external reference that `resolved` is."""

ALGORITHMS = {"sha512": "SHA-512", "sha384": "SHA-384", "sha256": "SHA-256", "sha1": "SHA-1"}
DEV, BUNDLED, EXTRANEOUS, PATH = (
    f"cdx:npm:package:{name}" for name in ("development", "bundled", "extraneous", "path")
)

BSI_FILENAME, BSI_ARCHIVE, BSI_STRUCTURED = (f"bsi:component:{name}" for name in ("filename", "archive", "structured"))
"""Of the property taxonomy of BSI TR-03183-2. `executable` is not ours to say: nobody has looked into the package."""

SPEC_VERSION = "1.6"
"""Version of CycloneDX that is written where nobody asks for another one."""

SPEC_VERSIONS = ("1.5", "1.6", "1.7")
