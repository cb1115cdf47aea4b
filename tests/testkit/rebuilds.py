"""Attestations of a rebuilder, as OSS Rebuild writes them."""

from __future__ import annotations

import base64
import json
from typing import Any

from sbomgate import dsse
from sbomgate.provenance.rebuild import EQUIVALENCE
from sbomgate.signing.local_key import LocalKey

BUILDER = "https://docs.oss-rebuild.dev/hosts/Google"


def statement(name: str, version: str, sha512: str) -> dict[str, Any]:
    """Return the statement that a package was built again with the same content."""
    file = f"{name.rpartition('/')[2]}-{version}.tgz"
    target = f"https://registry.npmjs.org/{name}/-/{file}"
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"name": file, "digest": {"sha256": "0" * 64, "sha512": sha512}}],
        "predicate": {
            "buildDefinition": {
                "buildType": EQUIVALENCE,
                "externalParameters": {"candidate": f"rebuild/{file}", "target": target},
                "resolvedDependencies": [
                    {"name": f"rebuild/{file}", "digest": {"sha256": "1" * 64, "sha512": "1" * 128}},
                    {"name": target, "digest": {"sha256": "0" * 64, "sha512": sha512}},
                ],
            },
            "runDetails": {"builder": {"id": BUILDER}, "metadata": {"invocationId": "a-run"}},
        },
    }


def line(told: Any, key: LocalKey) -> bytes:
    """Return one line of a file of attestations: the statement in an envelope that the key signed."""
    payload = json.dumps(told).encode()
    signed = json.loads(key.sign(payload))["dsseEnvelope"]
    assert base64.b64decode(signed["payload"]) == payload
    assert signed["payloadType"] == dsse.PAYLOAD_TYPE
    return json.dumps(signed).encode() + b"\n"
