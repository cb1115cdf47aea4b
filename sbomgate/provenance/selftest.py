"""Before the first attestation of a process is believed: a real good bundle must verify, and damaged ones must not.

The sample is a publish attestation of a Python package by sigstore's public-good instance (see trust_root/NOTICE), put
into the form of a v0.3 bundle: the same chain, SCT, log, checkpoint and DSSE code runs as for npm, only the subject is
PyPI's.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from typing import Any

from sbomgate.errors import ProvenanceError
from sbomgate.provenance import shipped
from sbomgate.provenance._bundle import verify_bundle
from sbomgate.provenance._encoding import decode_base64, parse_json
from sbomgate.provenance._outcome import Stop
from sbomgate.provenance.material import TrustMaterial

SUBJECT = {
    "name": "pypi_attestations-0.0.19.tar.gz",
    "sha256": "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3",
}
"""What the sample attests, known from the package itself."""


@cache
def run_once() -> None:
    """Run the self-test with the shipped trust root and sample, at most once per process.

    Raises:
        ProvenanceError: this installation cannot tell good evidence from bad, and must not be believed.
    """
    trust = shipped.load()
    sample = shipped.read("selftest.json", shipped.SELFTEST_SHA256)
    run(TrustMaterial.parse(trust.trusted_root, trust.registry_keys), sample)


def run(material: TrustMaterial, sample: bytes) -> None:
    """Verify `sample`, then a copy of it damaged in one place; the damage must be seen at the step it is made for.

    Raises:
        ProvenanceError: the good one was refused, or the damaged one was not.
    """
    try:
        bundle = parse_json(sample)
        envelope = verify_bundle(bundle, material)
        statement = parse_json(envelope.payload)
        subject = statement["subject"][0]
    except (Stop, ValueError, LookupError, TypeError) as e:
        raise ProvenanceError(f"the self-test failed: a good attestation was refused: {e}", hint=_HINT) from e
    if (subject.get("name"), subject.get("digest")) != (SUBJECT["name"], {"sha256": SUBJECT["sha256"]}):
        raise ProvenanceError("the self-test failed: the good attestation is about something else", hint=_HINT)
    for step, damage in _DAMAGES.items():
        damaged = parse_json(sample)
        damage(damaged)
        try:
            verify_bundle(damaged, material)
        except Stop as e:
            if e.step != step:
                raise ProvenanceError(
                    f"the self-test failed: a bundle damaged for step {step} was refused by {e}", hint=_HINT
                ) from e
            continue
        raise ProvenanceError(f"the self-test failed: a bundle damaged for step {step} was accepted", hint=_HINT)


_HINT = "install sbomgate again with the dependencies that it names; no attestation was believed"


def _flip(text: str, position: int) -> str:
    data = bytearray(decode_base64(text))
    data[position] ^= 1
    return base64.b64encode(data).decode()


def _damage_payload(bundle: dict[str, Any]) -> None:
    envelope = bundle["dsseEnvelope"]
    envelope["payload"] = _flip(envelope["payload"], 40)


def _damage_time(bundle: dict[str, Any]) -> None:
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 1)


_DAMAGES: dict[str, Callable[[dict[str, Any]], None]] = {"4a": _damage_time, "6a": _damage_payload}
