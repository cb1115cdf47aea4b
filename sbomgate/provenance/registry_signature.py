"""Registry signatures: ECDSA over `name@version:integrity` by the registry's keys (npm's `dist.signatures`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sbomgate.model import RegistrySignature, Signature, SignatureState
from sbomgate.provenance._encoding import decode_base64
from sbomgate.provenance.material import SIGNATURES, TrustedKey, TrustMaterial

MAX_SIGNATURES = 16
"""Signatures of one version: the public registry gives one, two around a change of keys."""


def verify_signature(
    material: TrustMaterial,
    word_integrity: str | None,
    signatures: Iterable[RegistrySignature],
    *,
    name: str,
    version: str,
    integrity: str,
    time: datetime | None,
    registry_time: datetime | None,
) -> Signature:
    """See `Verifier.verify_signature`."""
    given = tuple(signatures)
    if not given:
        return Signature(
            state=SignatureState.ABSENT, reason="the registry's answer carries no signature for this version"
        )
    if len(given) > MAX_SIGNATURES:
        return _invalid(f"{len(given)} signatures, more than the limit of {MAX_SIGNATURES}")
    # (1) keys by their id; a signature by a key that is not known here says nothing
    known = [(s, keys) for s in given if (keys := material.registry_keys.get((s.keyid, SIGNATURES)))]
    if not known:
        ids = ", ".join(sorted({s.keyid[:80] for s in given}))
        return Signature(state=SignatureState.UNKNOWN, reason=f"signed by {ids}, a key of the registry not known here")
    # (2) over what the lockfile binds: its integrity string, or the only sha512 of several
    bound = _bound(integrity)
    if bound is None:
        return Signature(
            state=SignatureState.UNKNOWN, reason="the lockfile has no one sha512 that a signature could cover"
        )
    results = []
    for signature, keys in known:
        try:
            sig = decode_base64(signature.sig)
        except ValueError as e:
            return _invalid(f"the signature by {signature.keyid[:80]} is {e}")
        if not _covers(keys, sig, name, version, bound):
            if word_integrity and _covers(keys, sig, name, version, word_integrity):
                reason = f"the registry signed {word_integrity[:24]}…, the lockfile has {bound[:24]}…"
                if word_integrity.partition("-")[0] == bound.partition("-")[0]:
                    return _invalid(reason)
                # Hashes of two kinds cannot be compared without the bytes.
                return Signature(state=SignatureState.UNKNOWN, reason=reason)
            return _invalid(
                f"the signature by {signature.keyid[:80]} is not over {name}@{version} with the lockfile's integrity"
            )
        # (3) the key was valid when the version was published
        results.append(_judge_period(signature.keyid, keys, time, registry_time))
    return min(results, key=lambda s: _ORDER.index(s.state))


_ORDER = (SignatureState.INVALID, SignatureState.VERIFIED, SignatureState.UNKNOWN)


def _bound(integrity: str) -> str | None:
    tokens = integrity.split()
    if len(tokens) == 1:
        return tokens[0]
    strong = {t for t in tokens if t.startswith("sha512-")}
    return strong.pop() if len(strong) == 1 else None


def _covers(keys: tuple[TrustedKey, ...], sig: bytes, name: str, version: str, integrity: str) -> bool:
    message = f"{name}@{version}:{integrity}".encode("utf-8", "surrogatepass")
    return any(key.verifies(sig, message) for key in keys)


def _judge_period(
    keyid: str, keys: tuple[TrustedKey, ...], time: datetime | None, registry_time: datetime | None
) -> Signature:
    judged = time or registry_time
    source = "time: publish attestation" if time else "time: registry (unsigned)"
    if judged is None:
        if all(key.window.end is not None for key in keys):
            return Signature(
                state=SignatureState.UNKNOWN, reason=f"signed by the retired key {keyid}, and no time says when"
            )
        return Signature(state=SignatureState.VERIFIED, reason=f"signed by {keyid}, which is in use; no time says when")
    if any(key.window.contains(judged) for key in keys):
        return Signature(state=SignatureState.VERIFIED, reason=f"signed by {keyid}; {source}")
    periods = ", ".join(str(key.window) for key in keys)
    return _invalid(f"the key {keyid} is valid {periods}, the version is of {judged:%Y-%m-%d %H:%M:%SZ}; {source}")


def _invalid(reason: str) -> Signature:
    return Signature(state=SignatureState.INVALID, reason=reason)
