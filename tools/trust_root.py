"""Make trust_root/ and the real samples of the provenance tests from three published packages.

    pip download --no-deps --no-binary pypi-attestations pypi-attestations==0.0.30
    npm pack @sigstore/tuf@4.0.2
    python tools/trust_root.py pypi_attestations-0.0.30.tar.gz sigstore-tuf-4.0.2.tgz

The trusted root of the sigstore package that is installed must equal the one in @sigstore/tuf. The digests printed at
the end belong into sbomgate/provenance/shipped.py: changing them is a reviewed change.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tarfile
from importlib.resources import files
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIGNING_CONFIG = "signing_config.v0.2.json"
STORE = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
SAMPLES = {
    "trust_root/selftest.json": "pypi_attestations-0.0.19.tar.gz.publish.attestation",
    "tests/unit/provenance/samples/gitlab.json": "gitlab_oidc_project-0.0.3.tar.gz.publish.attestation",
    "tests/unit/provenance/samples/circleci.json": (
        "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl.publish.attestation"
    ),
    "tests/unit/provenance/samples/slsa.json": "pypi_attestations-0.0.19.tar.gz.slsa.attestation",
    "tests/unit/provenance/samples/staging.json": "rfc8785-0.1.2-py3-none-any.whl.publish.attestation",
}


def member(archive: tarfile.TarFile, suffix: str) -> bytes:
    """Return the bytes of the only member whose path ends with `suffix`."""
    (name,) = [n for n in archive.getnames() if n.endswith(suffix)]
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is not a file")
    return file.read()


def bundle(attestation: dict[str, Any]) -> dict[str, Any]:
    """Return PyPI's form of an attestation (PEP 740) as the sigstore bundle v0.3 that it was made from."""
    material, envelope = attestation["verification_material"], attestation["envelope"]
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": material["certificate"]},
            "tlogEntries": material["transparency_entries"],
        },
        "dsseEnvelope": {
            "payload": envelope["statement"],
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": envelope["signature"]}],
        },
    }


def main(sdist: str, seeds: str) -> None:
    """Write the files and print their digests."""
    with tarfile.open(seeds) as archive:
        targets = json.loads(member(archive, "/seeds.json"))["https://tuf-repo-cdn.sigstore.dev"]["targets"]
    trusted_root = files("sigstore").joinpath("_store", STORE, "trusted_root.json").read_bytes()
    if trusted_root != base64.b64decode(targets["trusted_root.json"]):
        raise SystemExit("sigstore and @sigstore/tuf carry different trusted roots")
    written = {
        "trust_root/trusted_root.json": trusted_root,
        "trust_root/signing_config.json": files("sigstore").joinpath("_store", STORE, SIGNING_CONFIG).read_bytes(),
        "trust_root/tuf_root.json": files("sigstore").joinpath("_store", STORE, "root.json").read_bytes(),
        "trust_root/keys.json": base64.b64decode(targets["registry.npmjs.org%2Fkeys.json"]),
    }
    with tarfile.open(sdist) as archive:
        for path, name in SAMPLES.items():
            made = bundle(json.loads(member(archive, f"/test/assets/{name}")))
            written[path] = json.dumps(made, indent=1).encode() + b"\n"
    for path, data in written.items():
        (ROOT / path).write_bytes(data)
        print(hashlib.sha256(data).hexdigest(), path)


if __name__ == "__main__":
    main(*sys.argv[1:])
