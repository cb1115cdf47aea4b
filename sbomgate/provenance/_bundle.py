"""Steps 1 to 6: a sigstore bundle with a DSSE envelope, verified against trust material. Its meaning comes later.

The steps keep the order of the protobuf-specs' client specification as measured on npm's real bundles:

    1  form: media type, one log entry, one signature, strict base64, certificate or key
    2  the log entry's kind and version are known and equal what its body says
    3  inclusion proof and signed checkpoint (RFC 6962), demanded from bundle version 0.2 on
    4  a time: the signed entry timestamp over {body, integratedTime, logID, logIndex}, or RFC 3161; the log's key was
       valid then
    5  the signer: a certificate (chain at that time, SCT, usage) or a registry key (id, usage, period)
    6  the DSSE signature (PAE), and the log entry's body is about this very payload, signature and signer

What is not checked, because nothing authenticates it: the envelope's keyid beside a certificate, the envelope hash in a
log entry (over JSON that nobody has any more), further certificates of a chain (the trusted root has the real ones).
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, VerificationError

from sbomgate.provenance._encoding import canonical_json, decode_base64, decode_integer, decode_pem, parse_json
from sbomgate.provenance._outcome import CannotVerify, Invalid
from sbomgate.provenance.material import ATTESTATIONS, Authority, TrustedKey, TrustMaterial, verifies

_V01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
_V02 = "application/vnd.dev.sigstore.bundle+json;version=0.2"
_V03 = ("application/vnd.dev.sigstore.bundle+json;version=0.3", "application/vnd.dev.sigstore.bundle.v0.3+json")
_MEDIA_TYPES = (_V01, _V02, *_V03)
_KINDS = (("intoto", "0.0.2"), ("dsse", "0.0.1"), ("hashedrekord", "0.0.2"))

MAX_PROOF_HASHES = 64
"""Hashes of an inclusion proof: the height of a tree that 63-bit indexes can name."""
MAX_CHECKPOINT_CHARACTERS = 16384
"""Characters of a checkpoint: the log's own has 300, each witness adds about 120."""
MAX_TIMESTAMPS = 8
"""RFC 3161 timestamps of a bundle: real ones carry none or one."""

# Fulcio's certificates carry the code signing usage, checked in (5c), where web ones carry client authentication.
_CA_POLICY = ExtensionPolicy.webpki_defaults_ca().may_be_present(x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None)
_EE_POLICY = ExtensionPolicy.webpki_defaults_ee().may_be_present(x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None)

_NOTE_SIGNATURE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)\n")
_MALFORMED_CERTIFICATE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a verified bundle holds.

    Attributes:
        payload_type, payload: of the DSSE envelope; the payload is signed, and not yet read.
        certificate: of the signer, None where a registry's key signed.
        log_proof: `inclusion+SET`, `inclusion` or `SET`.
        time: the latest of the verified times.
    """

    payload_type: str
    payload: bytes
    certificate: x509.Certificate | None
    log_proof: str
    time: datetime


def verify_bundle(bundle: object, material: TrustMaterial) -> Envelope:
    """Run steps 1 to 6.

    Raises:
        Invalid: the bundle is malformed, or a signature, proof, period or binding in it is wrong.
        CannotVerify: its media type, log entry or key is of a kind that is not known here.
    """
    # (1) form
    form = _read(bundle)
    # (2) kind and version of the log entry
    body = _read_body(form)
    # (3) inclusion proof and checkpoint
    log = material.logs.get(form.log_id)
    if log is None:
        if _is_of_another_instance(form, material):
            raise CannotVerify(
                "3", "neither its log nor its signer is in the trust root: another sigstore instance made it"
            )
        raise Invalid("3", f"no log with the id {form.log_id.hex()} is in the trusted root")
    if form.proof is not None:
        _verify_inclusion(form, form.proof, log)
    # (4) time
    times = _verify_times(form, log, material)
    # (5) signer
    if form.certificate is not None:
        certificate, key = _verify_certificate(form.certificate, times, material)
        signer = form.certificate
    else:
        certificate, key, signer = None, *_verify_registry_key(form, times, material)
    # (6) signature and body
    _verify_signature(form, key)
    _verify_body(form, body, signer)
    return Envelope(
        payload_type=form.payload_type,
        payload=form.payload,
        certificate=certificate,
        log_proof="+".join(
            word for word, there in (("inclusion", form.proof), ("SET", form.entry_timestamp)) if there is not None
        ),
        time=max(times),
    )


# --------------------------------------------------------------------------------------------------------------------
# (1) form


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A bundle's fields, decoded and not yet believed."""

    certificate: bytes | None
    hint: str | None
    keyid: str
    payload_type: str
    payload: bytes
    signature: bytes
    kind: tuple[str, str]
    body: bytes
    log_id: bytes
    log_index: int
    integrated_time: int | None
    entry_timestamp: bytes | None
    proof: _Proof | None
    timestamps: tuple[bytes, ...]

    @property
    def pae(self) -> bytes:
        """DSSE's pre-authentication encoding of type and payload."""
        type_ = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(type_), type_, len(self.payload), self.payload)


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is missing or not an object")
    return value


def _text(parent: dict[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or not a string")
    return value


def _only(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise ValueError(f"{name}: exactly one is expected, got {len(value) if isinstance(value, list) else 'none'}")
    return value[0]


def _base64(parent: dict[str, Any], name: str) -> bytes:
    try:
        return decode_base64(parent.get(name))
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from e


def _integer(parent: dict[str, Any], name: str) -> int:
    try:
        return decode_integer(parent.get(name))
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from e


def _read(bundle: object) -> _Form:
    if not isinstance(bundle, dict):
        raise Invalid("1", "the bundle is not an object")
    media_type = bundle.get("mediaType")
    if not isinstance(media_type, str):
        raise Invalid("1", "the bundle states no media type")
    if media_type not in _MEDIA_TYPES:
        raise CannotVerify("1", f"a bundle of the media type {media_type[:100]!r} is not known here")
    try:
        material = _object(bundle, "verificationMaterial")
        entry = _only(material, "tlogEntries")
        envelope = _object(bundle, "dsseEnvelope")
        signature = _only(envelope, "signatures")
        keyid = signature.get("keyid")
        if not isinstance(keyid, str | None):
            raise ValueError("keyid is not a string")
        certificate, hint = _signer(material, media_type)
        kind = _object(entry, "kindVersion")
        return _Form(
            certificate=certificate,
            hint=hint,
            keyid=keyid or "",
            payload_type=_text(envelope, "payloadType"),
            payload=_base64(envelope, "payload"),
            signature=_base64(signature, "sig"),
            kind=(_text(kind, "kind"), _text(kind, "version")),
            body=_base64(entry, "canonicalizedBody"),
            log_id=_base64(_object(entry, "logId"), "keyId"),
            log_index=_index(entry),
            integrated_time=_integrated_time(entry),
            entry_timestamp=_entry_timestamp(entry),
            proof=_proof(entry, media_type),
            timestamps=_timestamps(material),
        )
    except ValueError as e:
        raise Invalid("1", str(e)) from e


def _signer(material: dict[str, Any], media_type: str) -> tuple[bytes | None, str | None]:
    """Return (certificate, None) or (None, hint): the material names exactly one, in the form of its version."""
    names = [n for n in ("certificate", "x509CertificateChain", "publicKey") if material.get(n) is not None]
    match names:
        case ["publicKey"]:
            return None, _text(_object(material, "publicKey"), "hint")
        case ["certificate"] if media_type in _V03:
            return _base64(_object(material, "certificate"), "rawBytes"), None
        case ["x509CertificateChain"] if media_type not in _V03:
            chain = _object(material, "x509CertificateChain").get("certificates")
            if not isinstance(chain, list) or not chain or not all(isinstance(c, dict) for c in chain):
                raise ValueError("x509CertificateChain holds no certificate")
            return _base64(chain[0], "rawBytes"), None
        case _:
            raise ValueError(f"one signer in the form of this bundle version is expected, got {names}")


def _index(parent: dict[str, Any]) -> int:
    # protobuf leaves out a zero
    return _integer(parent, "logIndex") if "logIndex" in parent else 0


def _integrated_time(entry: dict[str, Any]) -> int | None:
    # protobuf writes an absent number as nothing or null; also as 0, a time for which (4a) and (4d) have no signature
    return None if entry.get("integratedTime") is None else _integer(entry, "integratedTime")


def _entry_timestamp(entry: dict[str, Any]) -> bytes | None:
    if entry.get("inclusionPromise") is None:
        return None
    return _base64(_object(entry, "inclusionPromise"), "signedEntryTimestamp")


def _proof(entry: dict[str, Any], media_type: str) -> _Proof | None:
    if entry.get("inclusionProof") is None:
        if media_type != _V01:
            raise ValueError("inclusionProof is missing, which bundles of this version must hold")
        return None
    proof = _object(entry, "inclusionProof")
    hashes = proof.get("hashes", [])
    if not isinstance(hashes, list) or len(hashes) > MAX_PROOF_HASHES:
        raise ValueError(f"inclusionProof.hashes must be a list of at most {MAX_PROOF_HASHES}")
    checkpoint = _text(_object(proof, "checkpoint"), "envelope")
    if len(checkpoint) > MAX_CHECKPOINT_CHARACTERS:
        raise ValueError(f"a checkpoint of more than {MAX_CHECKPOINT_CHARACTERS} characters")
    return _Proof(
        index=_index(proof),
        size=_integer(proof, "treeSize"),
        root=_base64(proof, "rootHash"),
        hashes=tuple(decode_base64(h) for h in hashes),
        checkpoint=checkpoint,
    )


def _timestamps(material: dict[str, Any]) -> tuple[bytes, ...]:
    if material.get("timestampVerificationData") is None:
        return ()
    found = _object(material, "timestampVerificationData").get("rfc3161Timestamps") or []
    if not isinstance(found, list) or len(found) > MAX_TIMESTAMPS or not all(isinstance(t, dict) for t in found):
        raise ValueError(f"rfc3161Timestamps must be a list of at most {MAX_TIMESTAMPS} objects")
    return tuple(_base64(t, "signedTimestamp") for t in found)


# --------------------------------------------------------------------------------------------------------------------
# (2) kind and version


def _read_body(form: _Form) -> dict[str, Any]:
    # (2) a log entry of a known kind, whose body says the same
    if form.kind not in _KINDS:
        raise CannotVerify("2", f"a log entry {'/'.join(form.kind)[:100]!r} is not known here")
    try:
        body = parse_json(form.body)
    except ValueError as e:
        raise Invalid("2", f"the log entry's body is not JSON with one meaning: {e}") from e
    if not isinstance(body, dict) or (body.get("kind"), body.get("apiVersion")) != form.kind:
        raise Invalid("2", f"the log entry's body is not of the kind {'/'.join(form.kind)} that the entry states")
    return body


# --------------------------------------------------------------------------------------------------------------------
# (3) inclusion proof and checkpoint


def _is_of_another_instance(form: _Form, material: TrustMaterial) -> bool:
    """Whether the signer is as unknown as the log: a private or staging sigstore's bundle, not a forged one of ours."""
    if form.certificate is None:
        return all(keyid != form.hint for keyid, _ in material.registry_keys)
    try:
        certificate = x509.load_der_x509_certificate(form.certificate)
    except _MALFORMED_CERTIFICATE:
        return False
    return not any(_is_issued_by(certificate, c) for a in material.authorities for c in a.certificates)


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_MALFORMED_CERTIFICATE):
        return False
    return True


def _verify_inclusion(form: _Form, proof: _Proof, log: TrustedKey) -> None:
    # (3a) the checkpoint is signed by that log, and commits to the proof's root and size
    note, _, signatures = proof.checkpoint.partition("\n\n")
    lines = note.split("\n")
    if len(lines) < 3 or not lines[0] or _NOTE_SIGNATURE.sub("", signatures):
        raise Invalid("3a", "the checkpoint is malformed")
    signed = f"{note}\n".encode()
    # The four bytes before a signature name its key; other signatures are witnesses'. The log's own must be there once.
    try:
        own = [
            s for _, text in _NOTE_SIGNATURE.findall(signatures) if (s := decode_base64(text))[:4] == form.log_id[:4]
        ]
    except ValueError as e:
        raise Invalid("3a", f"a signature of the checkpoint is {e}") from e
    if len(own) != 1 or not log.verifies(own[0][4:], signed):
        raise Invalid("3a", "the checkpoint is not signed by the log that the entry names")
    if (lines[1], lines[2]) != (str(proof.size), base64.b64encode(proof.root).decode()):
        raise Invalid("3a", "the checkpoint is about another tree than the inclusion proof")
    # (3b) RFC 6962 section 2.1.1: the body's leaf leads to that root
    if not proof.index < proof.size:
        raise Invalid("3b", f"the entry's index {proof.index} is not in a tree of {proof.size}")
    inner = (proof.index ^ (proof.size - 1)).bit_length()
    border = (proof.index >> inner).bit_count()
    if len(proof.hashes) != inner + border:
        raise Invalid("3b", f"an inclusion proof of {inner + border} hashes is expected, got {len(proof.hashes)}")
    node = hashlib.sha256(b"\x00" + form.body).digest()
    for level, sibling in enumerate(proof.hashes):
        left = level >= inner or proof.index >> level & 1
        node = hashlib.sha256(b"\x01" + (sibling + node if left else node + sibling)).digest()
    if node != proof.root:
        raise Invalid("3b", "the inclusion proof does not lead from this entry to the root")


# --------------------------------------------------------------------------------------------------------------------
# (4) time


def _verify_times(form: _Form, log: TrustedKey, material: TrustMaterial) -> tuple[datetime, ...]:
    times = []
    if form.entry_timestamp is not None:
        # (4a) integratedTime is not in the Merkle leaf: only the signed entry timestamp vouches for it
        if form.integrated_time is None:
            raise Invalid("4a", "a signed entry timestamp without the time that it signs")
        signed = canonical_json(
            {
                "body": base64.b64encode(form.body).decode(),
                "integratedTime": form.integrated_time,
                "logID": form.log_id.hex(),
                "logIndex": form.log_index,
            }
        )
        if not log.verifies(form.entry_timestamp, signed):
            raise Invalid("4a", "the signed entry timestamp is not the log's over this entry, time and index")
        try:
            times.append(datetime.fromtimestamp(form.integrated_time, UTC))
        except (ValueError, OverflowError, OSError) as e:
            raise Invalid("4a", "the log's time is not a possible date") from e
    if form.timestamps:
        # (4b) RFC 3161 timestamps over the signature: all must hold
        from sbomgate.provenance._timestamp import verify_timestamp

        if len(set(form.timestamps)) != len(form.timestamps):
            raise Invalid("4b", "the same timestamp is given twice")
        times.extend(verify_timestamp(t, form.signature, material.timestamp_authorities) for t in form.timestamps)
    if not times:
        # (4c) bundles before 0.2 prove their place in the log by that timestamp alone
        raise Invalid("4c", "neither a signed entry timestamp nor an RFC 3161 timestamp says when it was signed")
    if form.proof is None and form.entry_timestamp is None:
        raise Invalid("4c", "neither an inclusion proof nor a signed entry timestamp says that the log has it")
    # (4d) the log's key was in use at that time
    for time in times:
        if not log.window.contains(time):
            raise Invalid("4d", f"the log's key is valid {log.window}, the entry is of {time:%Y-%m-%d %H:%M:%SZ}")
    return tuple(times)


# --------------------------------------------------------------------------------------------------------------------
# (5) signer


def _verify_certificate(
    der: bytes, times: tuple[datetime, ...], material: TrustMaterial
) -> tuple[x509.Certificate, ec.EllipticCurvePublicKey]:
    try:
        certificate = x509.load_der_x509_certificate(der)
        # At every verified time there must be a chain; each leads to the certificate's issuer, so any names its key.
        issuers = [_verify_chain(certificate, time, material.authorities) for time in times]
        _verify_sct(certificate, issuers[0], material)
        # (5c) an end-entity certificate for code signing
        extensions = certificate.extensions
        if not extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            raise Invalid("5c", "the certificate's key usage is not digital signature")
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.CODE_SIGNING not in usages:
            raise Invalid("5c", "the certificate's extended key usage is not code signing")
        key = certificate.public_key()
    except _MALFORMED_CERTIFICATE as e:
        raise Invalid("5", f"the certificate is malformed: {e}") from e
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CannotVerify("5c", "the certificate's key is not ECDSA P-256, the only kind that npm uses")
    return certificate, key


def _verify_chain(certificate: x509.Certificate, time: datetime, authorities: tuple[Authority, ...]) -> bytes:
    """Return the hash of the issuer's key."""
    # (5a) a chain to an authority that was in use at that time, every certificate in it valid then (RFC 5280)
    if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
        raise Invalid("5a", f"the certificate was not valid at the log's time {time:%Y-%m-%d %H:%M:%SZ}")
    policy = PolicyBuilder().time(time).extension_policies(ca_policy=_CA_POLICY, ee_policy=_EE_POLICY)
    reason = "no authority in the trusted root was in use then"
    for authority in authorities:
        if not authority.window.contains(time):
            continue
        try:
            # The verifier looks at the period of every certificate in the chain, the authority's own included.
            chain = policy.store(authority.store).build_client_verifier().verify(certificate, []).chain
        except VerificationError as e:
            reason = str(e)
            continue
        return authority.key_hash(chain[1])
    raise Invalid("5a", f"the certificate does not chain to the trusted root at {time:%Y-%m-%d %H:%M:%SZ}: {reason}")


def _verify_sct(certificate: x509.Certificate, issuer_key_hash: bytes, material: TrustMaterial) -> None:
    # (5b) exactly one signed certificate timestamp (RFC 6962 section 3.2), by a log that was in use
    try:
        found = certificate.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
    except x509.ExtensionNotFound as e:
        raise Invalid("5b", "the certificate carries no signed certificate timestamp") from e
    if len(found) != 1:
        raise Invalid("5b", f"one signed certificate timestamp is expected, got {len(found)}")
    sct = found[0]
    if not isinstance(sct.signature_hash_algorithm, SHA256):
        raise Invalid("5b", "the signed certificate timestamp is not one with SHA-256")
    log = material.ct_logs.get(sct.log_id)
    if log is None:
        raise Invalid("5b", f"no certificate log with the id {sct.log_id.hex()} is in the trusted root")
    time = sct.timestamp.replace(tzinfo=UTC)
    if not log.window.contains(time):
        raise Invalid("5b", f"the certificate log's key is valid {log.window}, the timestamp is of {time:%Y-%m-%d}")
    precertificate = certificate.tbs_precertificate_bytes
    signed = b"".join(
        (
            struct.pack("!BBQH", sct.version.value, 0, _milliseconds(time), sct.entry_type.value),
            issuer_key_hash,
            len(precertificate).to_bytes(3, "big"),
            precertificate,
            struct.pack("!H", len(sct.extension_bytes)),
            sct.extension_bytes,
        )
    )
    if not log.verifies(sct.signature, signed):
        raise Invalid("5b", "the signed certificate timestamp is not the certificate log's over this certificate")


def _milliseconds(time: datetime) -> int:
    """Whole milliseconds since 1970, without the rounding of a float."""
    return int(time.replace(microsecond=0).timestamp()) * 1000 + time.microsecond // 1000


def _verify_registry_key(
    form: _Form, times: tuple[datetime, ...], material: TrustMaterial
) -> tuple[ec.EllipticCurvePublicKey, bytes]:
    # (5d) the key that the hint names, for this usage, valid at the log's time; the envelope must name the same
    hint = form.hint or ""
    if form.keyid != hint:
        raise Invalid("5d", f"the envelope names the key {form.keyid[:80]!r}, the bundle {hint[:80]!r}")
    keys = material.registry_keys.get((hint, ATTESTATIONS), ())
    if not keys:
        raise Invalid("5d", f"the registry has no key {hint[:80]!r} for attestations that is known here")
    valid = [k for k in keys if all(k.window.contains(time) for time in times)]
    if len(valid) != 1:
        raise Invalid(
            "5d",
            f"the registry's key {hint[:80]!r} is valid {', '.join(str(k.window) for k in keys)}, "
            f"the log's time is {max(times):%Y-%m-%d %H:%M:%SZ}",
        )
    key = valid[0].key
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CannotVerify("5d", "the registry's key is not ECDSA")
    return key, valid[0].der


# --------------------------------------------------------------------------------------------------------------------
# (6) signature and body


def _verify_signature(form: _Form, key: ec.EllipticCurvePublicKey) -> None:
    # (6a) DSSE: the signature is over the pre-authentication encoding of type and payload
    if not verifies(key, form.signature, form.pae):
        raise Invalid("6a", "the envelope's signature is not the signer's over this payload")


def _verify_body(form: _Form, body: dict[str, Any], signer: bytes) -> None:
    # (6b) what the log has is this payload, this signature and this signer (cf. CVE-2022-36056)
    label = "CERTIFICATE" if form.certificate is not None else "PUBLIC KEY"
    try:
        spec = _object(body, "spec")
        match form.kind:
            case ("intoto", "0.0.2"):
                content = _object(spec, "content")
                envelope = _object(content, "envelope")
                logged = _only(envelope, "signatures")
                if _text(envelope, "payloadType") != form.payload_type:
                    raise Invalid("6b", "the log has another payload type")
                digest = _sha256(_object(content, "payloadHash"))
                # This kind encodes the signature twice.
                signature = decode_base64(_base64(logged, "sig").decode("ascii"))
                verifier = decode_pem(_base64(logged, "publicKey"), label)
                expected = hashlib.sha256(form.payload).digest()
            case ("dsse", "0.0.1"):
                logged = _only(spec, "signatures")
                digest = _sha256(_object(spec, "payloadHash"))
                signature = _base64(logged, "signature")
                verifier = decode_pem(_base64(logged, "verifier"), label)
                expected = hashlib.sha256(form.payload).digest()
            case _:
                # Rekor v2 logs the digest of what was signed (rekor-v2-spec section 6.1.4)
                record = _object(spec, "hashedRekordV002")
                data = _object(record, "data")
                if data.get("algorithm") != "SHA2_256":
                    raise Invalid("6b", "the log has a digest that is not SHA-256")
                digest = _base64(data, "digest")
                logged = _object(record, "signature")
                signature = _base64(logged, "content")
                material = _object(logged, "verifier")
                if material.get("keyDetails") != "PKIX_ECDSA_P256_SHA_256":
                    raise Invalid("6b", "the log has a signer whose key is not ECDSA P-256")
                name = "x509Certificate" if form.certificate is not None else "publicKey"
                verifier = _base64(_object(material, name), "rawBytes")
                expected = hashlib.sha256(form.pae).digest()
    except ValueError as e:
        raise Invalid("6b", f"the log entry's body is malformed: {e}") from e
    if digest != expected:
        raise Invalid("6b", "the log has another payload")
    if signature != form.signature:
        raise Invalid("6b", "the log has another signature")
    if verifier != signer:
        raise Invalid("6b", "the log has another signer")


def _sha256(value: dict[str, Any]) -> bytes:
    text = _text(value, "value")
    if value.get("algorithm") != "sha256" or not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError("a payload hash that is not SHA-256 in hex")
    return bytes.fromhex(text)
