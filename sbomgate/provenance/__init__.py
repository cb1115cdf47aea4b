"""npm attestations and registry signatures, verified offline: bytes in, one state per predicate out.

The steps are numbered in the code and in docs/provenance.md: 1 to 6 (`_bundle`) the cryptography of a sigstore bundle,
7 and 9 (`_statement`) what it says about which package, 8 (`_claims`) who built it. Everything rests on `cryptography`
alone; stock sigstore-python, which accepts 1 of 26 real npm attestations, is the oracle in the tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sbomgate.errors import ProvenanceError
from sbomgate.model import Attestation, AttestationState, RegistrySignature, Signature
from sbomgate.provenance import selftest
from sbomgate.provenance._bundle import verify_bundle
from sbomgate.provenance._claims import GITHUB, GITLAB, read_claims
from sbomgate.provenance._encoding import canonical_json, decode_base64, parse_json
from sbomgate.provenance._outcome import CannotVerify, Invalid
from sbomgate.provenance._statement import (
    PROVENANCE,
    PROVENANCE_FAMILY,
    PUBLISH,
    PUBLISH_FAMILY,
    check_build_type,
    check_provenance,
    check_publish,
    purl,
    read_statement,
)
from sbomgate.provenance.material import TrustMaterial
from sbomgate.provenance.registry_signature import verify_signature

__all__ = ["DEFAULT_ISSUERS", "NPM_REGISTRY", "Attestations", "TrustMaterial", "Verifier", "purl"]

DEFAULT_ISSUERS = (GITHUB, GITLAB)
"""Issuers of build identities that npm accepts provenance from."""
NPM_REGISTRY = "https://registry.npmjs.org"
"""What the public registry calls itself in its publish attestations, through whatever mirror they come."""

MAX_DOCUMENT_BYTES = 4 << 20
"""Bytes of a registry's attestation response: real ones have 10 to 120 kB."""
MAX_ATTESTATIONS = 16
"""Attestations of one version, each worth about a millisecond: the registry serves two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """The two states of one package. One `invalid` predicate makes all its evidence invalid: rules look at both."""

    publish: Attestation
    provenance: Attestation


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Verifies against injected trust material. Pure: no network, no file, no clock; one instance serves a whole run.

    Attributes:
        material: keys and certificates.
        issuers: the OIDC issuers whose identities are accepted, exactly.
        registry: the registry that publish attestations must name.
    """

    material: TrustMaterial = field(repr=False)
    issuers: tuple[str, ...]
    registry: str = NPM_REGISTRY

    @classmethod
    def from_material(
        cls, trusted_root: bytes, registry_keys: bytes, issuers: tuple[str, ...], *, registry: str = NPM_REGISTRY
    ) -> Verifier:
        """Parse the trust material, after the self-test that runs once per process.

        Args:
            trusted_root: a sigstore trusted root, JSON.
            registry_keys: npm's keys.json.
            issuers: accepted OIDC issuers, compared as a whole; none is accepted by default.
            registry: what publish attestations must name as their registry.

        Raises:
            ProvenanceError: the self-test failed, a file cannot be used, or no issuer is named.
        """
        selftest.run_once()
        if not issuers or not all(issuers):
            raise ProvenanceError("no issuer of build identities is accepted, so nothing could be verified")
        return cls(material=TrustMaterial.parse(trusted_root, registry_keys), issuers=issuers, registry=registry)

    def verify(self, document: bytes, *, name: str, version: str, sha512: str | None) -> Attestations:
        """Verify a registry's attestation response for one version.

        Several attestations of one predicate must all hold and make the same claims. `log_time` is then the latest,
        `log_proof` the weakest.

        Args:
            document: the response verbatim, `{"attestations": [{"predicateType": …, "bundle": …}]}`.
            name: of the package as the lockfile resolves it, never an alias.
            version: as the lockfile resolves it.
            sha512: of the lockfile's integrity in lowercase hex, or None.

        Returns:
            One state per predicate. A bad document is a value too: `invalid` for both.
        """
        try:
            items = _read(document)
        except ValueError as e:
            bad = Attestation(state=AttestationState.INVALID, reason=f"step 0: the registry's answer: {e}")
            return Attestations(publish=bad, provenance=bad)
        publish, provenance, others = [], [], []
        for label, bundle in items:
            family = label if label.startswith((PUBLISH_FAMILY, PROVENANCE_FAMILY)) else _signed_type(bundle)
            if family.startswith(PUBLISH_FAMILY):
                publish.append(self._judge(label, bundle, True, name, version, sha512))
            elif family.startswith(PROVENANCE_FAMILY):
                provenance.append(self._judge(label, bundle, False, name, version, sha512))
            else:
                others.append(label)
        return Attestations(
            publish=_combine(publish, "publish attestation", others, is_empty=not items),
            provenance=_combine(provenance, "SLSA provenance", others, is_empty=not items),
        )

    def verify_signature(
        self,
        word_integrity: str | None,
        signatures: Iterable[RegistrySignature],
        *,
        name: str,
        version: str,
        integrity: str,
        time: datetime | None,
        registry_time: datetime | None = None,
    ) -> Signature:
        """Verify the registry's signatures over `name@version:integrity` with the lockfile's integrity.

        Args:
            word_integrity: `dist.integrity` by the registry's word, only used to say what was signed instead.
            signatures: `dist.signatures`.
            name: as the lockfile resolves it.
            version: as the lockfile resolves it.
            integrity: the lockfile's integrity string; of several tokens the only sha512 counts.
            time: `log_time` of the verified publish attestation: the key must have been valid then (PROMISES P25).
            registry_time: the registry's unsigned word for the time, used only without `time`, and labelled so.

        Returns:
            verified, absent, invalid (wrong bytes, wrong signature, key not valid then) or unknown (no key of that id,
            nothing to compare with, a retired key and no time). Whether the registry serves signatures at all
            (`not-served`) is for the caller to know.
        """
        return verify_signature(
            self.material,
            word_integrity,
            signatures,
            name=name,
            version=version,
            integrity=integrity,
            time=time,
            registry_time=registry_time,
        )

    def _judge(
        self, label: str, bundle: Any, is_publish: bool, name: str, version: str, sha512: str | None
    ) -> Attestation:
        if bundle is None:
            return Attestation(
                state=AttestationState.ADVERTISED_MISSING,
                reason=f"the registry names a {label[:100]} and holds no bundle for it",
            )
        sha256 = hashlib.sha256(canonical_json(bundle)).hexdigest()
        try:
            return self._verify_one(label, bundle, is_publish, name, version, sha512, sha256)
        except CannotVerify as e:
            return Attestation(state=AttestationState.CANNOT_VERIFY, reason=str(e), sha256=sha256)
        except Invalid as e:
            return Attestation(state=AttestationState.INVALID, reason=str(e), sha256=sha256)

    def _verify_one(
        self, label: str, bundle: Any, is_publish: bool, name: str, version: str, sha512: str | None, sha256: str
    ) -> Attestation:
        # (0) a predicate of a known version; another label over a known predicate ends in (7a)
        if label.startswith((PUBLISH_FAMILY, PROVENANCE_FAMILY)) and label not in (PUBLISH, *PROVENANCE):
            raise CannotVerify("0", f"a predicate {label[:100]!r} is not known here")
        # (1) to (6)
        envelope = verify_bundle(bundle, self.material)
        # (5e) the registry signs publish attestations with its key, builds sign provenance with their identity
        if is_publish != (envelope.certificate is None):
            expected = "the registry's key" if is_publish else "a build's certificate"
            raise Invalid("5e", f"the attestation is not signed by {expected}")
        # (7)
        predicate = read_statement(
            envelope.payload_type, envelope.payload, label, name=name, version=version, sha512=sha512
        )
        if envelope.certificate is None:
            # (9a)
            check_publish(predicate, name=name, version=version, registry=self.registry)
            claims, signer = None, f"the key of {self.registry}"
        else:
            # (8)
            claims = read_claims(envelope.certificate, self.issuers)
            # (9b)
            check_provenance(label, predicate, claims)
            # (9e)
            check_build_type(label, predicate)
            signer = claims.identity
        return Attestation(
            state=AttestationState.VERIFIED,
            reason=f"signed by {signer}, logged {envelope.time:%Y-%m-%dT%H:%M:%SZ} ({envelope.log_proof})",
            log_proof=envelope.log_proof,
            log_time=envelope.time,
            claims=claims,
            sha256=sha256,
        )


def _read(document: bytes) -> list[tuple[str, Any]]:
    # (0) the response: one meaning, within limits, of the known shape
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"{len(document)} bytes, more than the limit of {MAX_DOCUMENT_BYTES}")
    value = parse_json(document)
    items = value.get("attestations") if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise ValueError("it holds no list of attestations")
    if len(items) > MAX_ATTESTATIONS:
        raise ValueError(f"{len(items)} attestations, more than the limit of {MAX_ATTESTATIONS}")
    found = []
    for index, item in enumerate(items):
        label = item.get("predicateType") if isinstance(item, dict) else None
        if not isinstance(label, str):
            raise ValueError(f"attestations[{index}].predicateType is missing or not a string")
        found.append((label, item.get("bundle")))
    return found


def _signed_type(bundle: Any) -> str:
    """Return the predicate type that an unverified bundle holds, "" where it cannot be read.

    A provenance under a foreign label is still judged as provenance, and fails there: a label hides nothing.
    """
    try:
        found = parse_json(decode_base64(bundle["dsseEnvelope"]["payload"]))["predicateType"]
    except (ValueError, TypeError, KeyError):
        return ""
    return found if isinstance(found, str) else ""


_WORST_FIRST = (AttestationState.INVALID, AttestationState.ADVERTISED_MISSING, AttestationState.CANNOT_VERIFY)
_WEAKEST_FIRST = ("SET", "inclusion", "inclusion+SET")


def _combine(found: list[Attestation], what: str, others: list[str], *, is_empty: bool) -> Attestation:
    """Return the one state of a predicate: the worst where not all are verified (PROMISES P7 keeps versions apart)."""
    if is_empty:
        # A document is only asked for where one is advertised: an empty one is not the answer "there is none" (P6).
        return Attestation(
            state=AttestationState.ADVERTISED_MISSING,
            reason="the registry's answer lists no attestation for this version",
        )
    if not found:
        among = f" (there is {', '.join(sorted({o[:100] for o in others}))})" if others else ""
        return Attestation(
            state=AttestationState.UNATTESTED,
            reason=f"the registry serves attestations for this version, but no {what} among them{among}",
        )
    for state in _WORST_FIRST:
        for attestation in found:
            if attestation.state is state:
                return attestation
    latest = max(found, key=lambda a: (a.log_time is not None, a.log_time, a.sha256))
    if any(a.claims != latest.claims for a in found):
        return replace(
            latest,
            state=AttestationState.INVALID,
            reason=f"step 9c: {len(found)} attestations of one kind, which name different builds",
            log_proof=None,
            log_time=None,
            claims=None,
        )
    return replace(latest, log_proof=min((a.log_proof or "" for a in found), key=_WEAKEST_FIRST.index))
