"""Verify everything that was collected, package by package: one bad document never stops the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sbomgate.model import (
    Attestation,
    AttestationDocument,
    AttestationState,
    CollectedFacts,
    FactKey,
    RegistryWord,
    Signature,
)
from sbomgate.provenance import Verifier
from sbomgate.times import EARLIEST, parse_time

Verified = tuple[Mapping[FactKey, tuple[Attestation, Attestation]], Mapping[FactKey, Signature]]


def verify_all(
    collected: Mapping[FactKey, CollectedFacts], verifier: Verifier, sha512: Mapping[FactKey, str | None]
) -> Verified:
    """Verify the attestations and registry signatures of every package.

    Args:
        collected: what was collected.
        verifier: with its trust material.
        sha512: the lockfile's only sha512 (hex) of each key, or None.

    Returns:
        The states (publish, provenance) of each key that has an attestation document, and the signature's state of
        each key that has signatures. A key is judged against the log time of its own verified publish attestation,
        else against the registry's unsigned word, and says so.
    """
    attestations: dict[FactKey, tuple[Attestation, Attestation]] = {}
    signatures: dict[FactKey, Signature] = {}
    for key, facts in collected.items():
        log_time = None
        if isinstance(facts.attestations, AttestationDocument):
            found = verifier.verify(facts.attestations.body, name=key.name, version=key.version, sha512=sha512.get(key))
            attestations[key] = (found.publish, found.provenance)
            if found.publish.state is AttestationState.VERIFIED:
                log_time = found.publish.log_time
        if isinstance(facts.registry, RegistryWord) and facts.registry.signatures:
            signatures[key] = verifier.verify_signature(
                facts.registry.integrity,
                facts.registry.signatures,
                name=key.name,
                version=key.version,
                integrity=key.integrity,
                time=log_time,
                registry_time=_time(facts.registry.published),
            )
    return attestations, signatures


def _time(text: str | None) -> datetime | None:
    """Return a registry's word for a time; an impossible one is none, and judges no key."""
    try:
        time = None if text is None else parse_time(text)
    except ValueError:
        return None
    return None if time is None or time < EARLIEST else time
