"""DSSE envelopes, in-toto statements and sigstore bundles v0.3: bytes in, values out.

Sources: the DSSE protocol (secure-systems-lab/dsse, PAE), the in-toto Statement v1, sigstore's bundle v0.3 as JSON.
Nothing here verifies a signature: `signing.verify` does, and parses a statement only from the bytes that it verified.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from sbomgate.canonical import first_difference
from sbomgate.errors import EvidenceError

_T = TypeVar("_T")

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"

MAX_TIMESTAMPS = 8  # of one signature: real ones carry none or one
MAX_BUNDLE_BYTES = 128 << 20  # a detail that names 200,000 attestation documents is about 60 MB in base64


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def statement(subjects: Sequence[tuple[str, Mapping[str, str]]], predicate_type: str, predicate: object) -> bytes:
    """Return an in-toto statement v1 as canonical JSON. Each subject is a name and its digests, algorithm → hex."""
    return orjson.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": dict(digest)} for name, digest in subjects],
            "predicateType": predicate_type,
            "predicate": predicate,
        },
        option=orjson.OPT_SORT_KEYS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a bundle holds: the exact payload, the one signature, and who is said to have made it. Not verified.

    Attributes:
        payload, signature: of the DSSE envelope.
        hint: at the key; None where a certificate names the signer.
        certificate: DER; None where a key signed.
        timestamps: RFC 3161 answers, DER.
        bundle: the whole, parsed.
    """

    payload: bytes
    signature: bytes
    hint: str | None
    certificate: bytes | None = None
    timestamps: tuple[bytes, ...] = ()
    bundle: Mapping[str, Any] = field(repr=False)


def write_bundle(payload: bytes, signature: bytes, hint: str, *, timestamps: Sequence[bytes] = ()) -> bytes:
    """Return a sigstore bundle v0.3 around an in-toto payload that was signed by a key.

    `hint` names the key: base64 of the SHA-256 of its SubjectPublicKeyInfo, as cosign writes it. The envelope's own
    `keyid` stays out, as cosign leaves it out: its verifier refuses every value but one of its own making.
    `timestamps` are RFC 3161 answers over the signature.
    """
    return _write(payload, signature, {"publicKey": {"hint": hint}}, timestamps)


def write_certified_bundle(
    payload: bytes, signature: bytes, certificate: bytes, entry: Mapping[str, Any], *, timestamps: Sequence[bytes] = ()
) -> bytes:
    """Return a sigstore bundle v0.3 around an in-toto payload that the holder of a certificate signed.

    `entry` is the transparency log's, as protobuf-specs' `TransparencyLogEntry` in JSON.
    """
    material = {"certificate": {"rawBytes": base64.b64encode(certificate).decode()}, "tlogEntries": [dict(entry)]}
    return _write(payload, signature, material, timestamps)


def _write(payload: bytes, signature: bytes, material: dict[str, Any], timestamps: Sequence[bytes]) -> bytes:
    if timestamps:
        answers = [{"signedTimestamp": base64.b64encode(one).decode()} for one in timestamps]
        material = {**material, "timestampVerificationData": {"rfc3161Timestamps": answers}}
    return orjson.dumps(
        {
            "mediaType": BUNDLE_MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": envelope(payload, signature),
        },
        option=orjson.OPT_SORT_KEYS,
    )


def envelope(payload: bytes, signature: bytes) -> dict[str, Any]:
    """Return the DSSE envelope as a value."""
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }


def read_bundle(data: bytes, where: str) -> Envelope:
    """Return the envelope of a bundle.

    Exactly one signature, by a key or by the holder of a certificate whose use a log has; strict base64; every field
    known, none twice. What the log entry holds is left to the steps that verify it.

    Raises:
        EvidenceError: anything else than that.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise EvidenceError(f"larger than the limit of {MAX_BUNDLE_BYTES} bytes", where=where)
    bundle = fields(loads(data, where), where, "", {"mediaType", "verificationMaterial", "dsseEnvelope"})
    expect(bundle["mediaType"], BUNDLE_MEDIA_TYPE, where, "mediaType")
    place = "verificationMaterial"
    material = bundle[place]
    hint = certificate = None
    if isinstance(material, dict) and "certificate" in material:
        fields(material, where, place, {"certificate", "tlogEntries"}, {"timestampVerificationData"})
        raw = fields(material["certificate"], where, f"{place}.certificate", {"rawBytes"})["rawBytes"]
        certificate = _unbase64(raw, where, f"{place}.certificate.rawBytes")
        if not isinstance(material["tlogEntries"], list) or len(material["tlogEntries"]) != 1:
            raise EvidenceError("not exactly one log entry", where=where, place=f"{place}.tlogEntries")
    else:
        if isinstance(material, dict) and (other := set(material) - {"publicKey", "timestampVerificationData"}):
            raise EvidenceError(
                f"this version verifies bundles by a key or a certificate, this one carries {', '.join(sorted(other))}",
                where=where,
                place=place,
            )
        fields(material, where, place, {"publicKey"}, {"timestampVerificationData"})
        hint = text(fields(material["publicKey"], where, f"{place}.publicKey", {"hint"})["hint"], where,
                    f"{place}.publicKey.hint")  # fmt: skip
    timestamps = _timestamps(material.get("timestampVerificationData"), where)
    envelope = fields(bundle["dsseEnvelope"], where, "dsseEnvelope", {"payload", "payloadType", "signatures"})
    expect(envelope["payloadType"], PAYLOAD_TYPE, where, "dsseEnvelope.payloadType")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise EvidenceError("not exactly one signature", where=where, place="dsseEnvelope.signatures")
    place = "dsseEnvelope.signatures[0]"
    signature = fields(signatures[0], where, place, {"sig"}, {"keyid"})
    if signature.get("keyid", "") != "":
        raise EvidenceError("names a key beside the bundle's hint", where=where, place=f"{place}.keyid")
    return Envelope(
        payload=_unbase64(envelope["payload"], where, "dsseEnvelope.payload"),
        signature=_unbase64(signature["sig"], where, f"{place}.sig"),
        hint=hint,
        certificate=certificate,
        timestamps=timestamps,
        bundle=bundle,
    )


OTHER_MEDIA_TYPES = frozenset(
    {
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        BUNDLE_MEDIA_TYPE,
    }
)
"""Every version of a sigstore bundle that is read where others made it."""


def read_other_bundle(data: bytes, where: str) -> Envelope:
    """Return the envelope of a bundle that somebody else made: v0.1 to v0.3, with fields that are not read here.

    Of a key's bundle nothing but envelope, hint and timestamps is read: a log entry beside it proves nothing then.

    Raises:
        EvidenceError: another version, not exactly one signature, no signer, or without one single meaning.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise EvidenceError(f"larger than the limit of {MAX_BUNDLE_BYTES} bytes", where=where)
    bundle = loads(data, where)
    if not isinstance(bundle, dict):
        raise EvidenceError("not an object", where=where)
    if bundle.get("mediaType") not in OTHER_MEDIA_TYPES:
        raise EvidenceError(
            f"a bundle of the type {str(bundle.get('mediaType'))[:100]!r} is not known", where=where, place="mediaType"
        )
    material, envelope = bundle.get("verificationMaterial"), bundle.get("dsseEnvelope")
    if not isinstance(material, dict) or not isinstance(envelope, dict):
        raise EvidenceError("no signed statement", where=where, place="dsseEnvelope")
    expect(envelope.get("payloadType"), PAYLOAD_TYPE, where, "dsseEnvelope.payloadType")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise EvidenceError("not exactly one signature", where=where, place="dsseEnvelope.signatures")
    hint = certificate = None
    if isinstance(key := material.get("publicKey"), dict):
        hint = key.get("hint") if isinstance(key.get("hint"), str) else ""
    else:
        certificate = certificate_of(bundle, where)
    return Envelope(
        payload=_unbase64(envelope.get("payload"), where, "dsseEnvelope.payload"),
        signature=_unbase64(signatures[0].get("sig"), where, "dsseEnvelope.signatures[0].sig"),
        hint=hint,
        certificate=certificate,
        timestamps=_timestamps(material.get("timestampVerificationData"), where),
        bundle=bundle,
    )


def read_other_statement(payload: bytes, where: str) -> dict[str, Any]:
    """Return an in-toto statement that somebody else wrote, from the exact bytes that were signed: v0.1 or v1.

    Raises:
        EvidenceError: not JSON with one meaning, another type, no subject with a digest, no predicate.
    """
    found = loads(payload, where)
    if not isinstance(found, dict) or found.get("_type") not in (STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"):
        raise EvidenceError("not an in-toto statement of a known version", where=where, place="_type")
    text(found.get("predicateType"), where, "predicateType")
    subjects = found.get("subject")
    if not isinstance(subjects, list) or not subjects:
        raise EvidenceError("the statement has no subject", where=where, place="subject")
    for index, one in enumerate(subjects):
        if not isinstance(one, dict) or not isinstance(one.get("digest"), dict):
            raise EvidenceError("the subject has no digest", where=where, place=f"subject[{index}]")
    if not isinstance(found.get("predicate"), dict):
        raise EvidenceError("not an object", where=where, place="predicate")
    return found


def split_lines(data: bytes) -> list[bytes]:
    """Return the bundles of a file: one JSON document however it is written, or a line for each (JSON Lines).

    Blanks around a document are no part of it: a decision's digest is that of its bundle alone.
    """
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        lines = [line.strip() for line in data.split(b"\n") if line.strip()]
        return lines if len(lines) > 1 else [data.strip()]
    return [data.strip()]


def payload_of(bundle: bytes) -> bytes:
    """Return the payload of a bundle's envelope, nothing of it verified; empty where there is none."""
    try:
        return base64.b64decode(orjson.loads(bundle)["dsseEnvelope"]["payload"], validate=True)
    except (ValueError, KeyError, TypeError):
        return b""


def certificate_of(bundle: Mapping[str, Any], where: str) -> bytes:
    """Return the signer's certificate (DER) of a bundle of any version, parsed: the first of a chain in older ones.

    Raises:
        EvidenceError: it carries none.
    """
    material = bundle.get("verificationMaterial")
    found: Any = material.get("certificate") if isinstance(material, dict) else None
    if found is None and isinstance(material, dict):
        chain = material.get("x509CertificateChain")
        certificates = chain.get("certificates") if isinstance(chain, dict) else None
        found = certificates[0] if isinstance(certificates, list) and certificates else None
    if not isinstance(found, dict):
        raise EvidenceError("carries no certificate", where=where, place="verificationMaterial")
    return _unbase64(found.get("rawBytes"), where, "verificationMaterial.certificate.rawBytes")


def _timestamps(found: object, where: str) -> tuple[bytes, ...]:
    place = "verificationMaterial.timestampVerificationData"
    if found is None:
        return ()
    answers = fields(found, where, place, set(), {"rfc3161Timestamps"}).get("rfc3161Timestamps", [])
    place = f"{place}.rfc3161Timestamps"
    if not isinstance(answers, list) or len(answers) > MAX_TIMESTAMPS:
        raise EvidenceError(f"not a list of at most {MAX_TIMESTAMPS}", where=where, place=place)
    return tuple(
        _unbase64(
            fields(one, where, f"{place}[{index}]", {"signedTimestamp"})["signedTimestamp"],
            where,
            f"{place}[{index}].signedTimestamp",
        )
        for index, one in enumerate(answers)
    )


def read_statement(payload: bytes, where: str) -> dict[str, Any]:
    """Return an in-toto statement v1 from the exact bytes that were signed.

    Raises:
        EvidenceError: not strict JSON, another type, no subject, one without a digest, a digest not in lowercase hex.
    """
    found = fields(loads(payload, where), where, "", {"_type", "subject", "predicateType", "predicate"})
    expect(found["_type"], STATEMENT_TYPE, where, "_type")
    text(found["predicateType"], where, "predicateType")
    subjects = found["subject"]
    if not isinstance(subjects, list) or not subjects:
        raise EvidenceError("the statement has no subject", where=where, place="subject")
    for index, one in enumerate(subjects):
        place = f"subject[{index}]"
        digest = fields(one, where, place, {"name", "digest"})["digest"]
        text(one["name"], where, f"{place}.name")
        if not isinstance(digest, dict) or not digest:
            raise EvidenceError("the subject has no digest", where=where, place=f"{place}.digest")
        for algorithm, value in digest.items():
            if not isinstance(value, str) or not value or set(value) - set("0123456789abcdef"):
                raise EvidenceError("not lowercase hex", where=where, place=f"{place}.digest.{algorithm}")
    if not isinstance(found["predicate"], dict):
        raise EvidenceError("not an object", where=where, place="predicate")
    return found


def exactly(payload: bytes, where: str, what: str, read: Callable[[], _T], write: Callable[[_T], bytes]) -> _T:
    """Return what `read` makes of a statement, which `write` must write as the very same bytes.

    Reading is strict in this one simple way: a statement has no field that would be ignored. `what` names it in errors.

    Raises:
        EvidenceError: it is another thing, or has a value that it cannot have, or its content is written otherwise.
    """
    try:
        value = read()
        again = write(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
        raise EvidenceError(
            f"not a {what} of this version ({type(e).__name__}: {e})", where=where, place="predicate"
        ) from e
    except EvidenceError as e:
        e.where = e.where or where
        raise
    if again != payload:
        raise difference(payload, again, where, what)
    return value


def difference(got: bytes, expected: bytes, where: str, what: str) -> EvidenceError:
    """Return an error that names the first place where a statement is not what its content is written as."""
    found = first_difference(loads(got, where), loads(expected, where))
    return EvidenceError(
        f"not what this {what} is written as: altered, or of another version",
        where=where,
        place="" if found is None else found[0],
    )


# --------------------------------------------------------------------------------------------------------------------
# Strict reading of JSON that was signed: one meaning or none


def loads(data: bytes, where: str) -> Any:
    """Parse JSON that has one single meaning: UTF-8, no duplicate key, no NaN, no lone surrogate, bounded depth.

    Raises:
        EvidenceError: anything else.
    """
    try:
        orjson.loads(data)  # refuses bad UTF-8, byte order marks, surrogates, NaN, and more than 1,024 levels
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique)  # refuses what orjson takes: a key twice
    except EvidenceError as e:
        e.where = where
        raise
    except (ValueError, RecursionError) as e:
        raise EvidenceError(f"not JSON: {e}", where=where) from e


def fields(
    value: object, where: str, place: str, required: set[str], optional: set[str] | frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return `value` as an object that has all required fields and no unknown one.

    Raises:
        EvidenceError: it is not.
    """
    if not isinstance(value, dict):
        raise EvidenceError("not an object", where=where, place=place)
    if lacking := required - set(value):
        raise EvidenceError(f"lacks {', '.join(sorted(lacking))}", where=where, place=place)
    if unknown := set(value) - required - set(optional):
        raise EvidenceError(f"has unknown fields: {', '.join(sorted(unknown))}", where=where, place=place)
    return value


def text(value: object, where: str, place: str) -> str:
    """Return `value` as a string that is not empty.

    Raises:
        EvidenceError: it is not.
    """
    if not isinstance(value, str) or not value:
        raise EvidenceError("not a text, or empty", where=where, place=place)
    return value


def expect(value: object, expected: object, where: str, place: str) -> None:
    """Refuse every value but one.

    Raises:
        EvidenceError: another value.
    """
    if value != expected or type(value) is not type(expected):
        raise EvidenceError(f"got {value!r}, expected {expected!r}", where=where, place=place)


def _unbase64(value: object, where: str, place: str) -> bytes:
    content = text(value, where, place)
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as e:
        raise EvidenceError(f"not base64: {e}", where=where, place=place) from e
    # A decoder drops the unused bits of the last character: two texts would mean the same bytes.
    if base64.b64encode(data).decode() != content:
        raise EvidenceError("not base64 in its one canonical form", where=where, place=place)
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise EvidenceError(f"the key {key!r} is there twice")
            seen.add(key)
    return found
