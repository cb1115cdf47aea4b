"""Every numbered step of docs/provenance.md, with evidence that is right in all but that step.

The mutation happens before what lies above it is signed, so nothing else is wrong: the reason must name this very step.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from sbomgate.model import Attestation, AttestationState
from sbomgate.provenance import DEFAULT_ISSUERS, Verifier
from testkit.sigstore import GITLAB, PUBLISH, Mutations, TestSigstore

from .conftest import NOW, SHA512

INVALID, CANNOT = AttestationState.INVALID, AttestationState.CANNOT_VERIFY
Edit = Callable[[Any], Any]


def put(*path: str | int, value: Any) -> Edit:
    """Return an edit that sets one place of a document, and returns the document."""

    def edit(document: Any) -> Any:
        inner = document
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        return document

    return edit


def drop(*path: str | int) -> Edit:
    def edit(document: Any) -> Any:
        inner = document
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]
        return document

    return edit


def twice(*path: str | int) -> Edit:
    """Return an edit that doubles the only item of a list."""

    def edit(document: Any) -> Any:
        inner = document
        for name in path:
            inner = inner[name]
        inner.append(inner[0])
        return document

    return edit


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def flip_text(text: str) -> str:
    return base64.b64encode(flip(base64.b64decode(text))).decode()


def change(*path: str | int, by: Callable[[Any], Any]) -> Edit:
    def edit(document: Any) -> Any:
        inner = document
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = by(inner[path[-1]])
        return document

    return edit


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is minted, what is wrong with it, and how it must end; `says` where a later line would see it too."""

    step: str
    says: str = ""
    state: AttestationState = INVALID
    kind: Literal["provenance", "publish"] = "provenance"
    mint: dict[str, Any] = field(default_factory=dict)
    mutate: Mutations = field(default_factory=dict)
    root: Edit = lambda root: root
    keys: Edit = lambda keys: keys


SOURCE = ("buildDefinition", "resolvedDependencies")
OLD_START = "2000-01-01T00:00:00Z"
ENTRY = ("verificationMaterial", "tlogEntries")
OLD = {"bundle": "v0.1", "proof": "SET", "entry": "intoto"}
V2 = {"entry": "hashedrekord", "proof": "inclusion"}

CASES = {
    # (0) the label
    "0 predicate version not known": Case(
        step="0", state=CANNOT, mutate={"statement": put("predicateType", value="https://slsa.dev/provenance/v9")}
    ),
    # (1) form
    "1 media type unknown": Case(
        step="1",
        state=CANNOT,
        mutate={"bundle": put("mediaType", value="application/vnd.dev.sigstore.bundle.v0.9+json")},
    ),
    "1 media type missing": Case(step="1", mutate={"bundle": drop("mediaType")}),
    "1 not an object": Case(step="1", mutate={"bundle": lambda _: ["x"]}),
    "1 payload type that is no string": Case(step="1", mutate={"bundle": put("dsseEnvelope", "payloadType", value=7)}),
    "1 keyid that is no string": Case(
        step="1", mutate={"bundle": put("dsseEnvelope", "signatures", 0, "keyid", value=7)}
    ),
    "1 no log entry": Case(step="1", mutate={"bundle": put(*ENTRY, value=[])}),
    "1 two log entries": Case(step="1", mutate={"bundle": twice(*ENTRY)}),
    "1 no signature": Case(step="1", mutate={"bundle": put("dsseEnvelope", "signatures", value=[])}),
    "1 two signatures": Case(step="1", mutate={"bundle": twice("dsseEnvelope", "signatures")}),
    "1 signatures in no list": Case(step="1", mutate={"bundle": put("dsseEnvelope", "signatures", value=7)}),
    "1 a signature that is no object": Case(
        step="1", mutate={"bundle": put("dsseEnvelope", "signatures", value=["x"])}
    ),
    "1 no envelope": Case(step="1", mutate={"bundle": drop("dsseEnvelope")}),
    "1 base64url": Case(
        step="1", mutate={"bundle": change("dsseEnvelope", "payload", by=lambda t: t.replace("e", "-", 1))}
    ),
    "1 base64 with a blank": Case(
        step="1", mutate={"bundle": change("dsseEnvelope", "payload", by=lambda t: t + "\n")}
    ),
    "1 base64 without padding": Case(
        step="1", mutate={"bundle": put("dsseEnvelope", "signatures", 0, "sig", value="MEUCIQ")}
    ),
    "1 no signer": Case(step="1", mutate={"bundle": drop("verificationMaterial", "certificate")}),
    "1 chain without a certificate": Case(
        step="1",
        mint=OLD,
        mutate={"bundle": put("verificationMaterial", "x509CertificateChain", "certificates", value=[])},
    ),
    "1 chain in no list": Case(
        step="1",
        mint=OLD,
        mutate={"bundle": put("verificationMaterial", "x509CertificateChain", "certificates", value={"0": {}})},
    ),
    "1 chain that is a number": Case(
        step="1",
        mint=OLD,
        mutate={"bundle": put("verificationMaterial", "x509CertificateChain", "certificates", value=7)},
    ),
    "1 chain of what is no certificate": Case(
        step="1",
        mint=OLD,
        mutate={"bundle": put("verificationMaterial", "x509CertificateChain", "certificates", value=["AA=="])},
    ),
    "1 chain in a version that has one certificate": Case(
        step="1",
        mint={"bundle": "v0.2"},
        mutate={"bundle": put("mediaType", value="application/vnd.dev.sigstore.bundle.v0.3+json")},
    ),
    "1 two signers": Case(
        step="1", mutate={"bundle": put("verificationMaterial", "publicKey", value={"hint": "SHA256:x"})}
    ),
    "1 signer in the form of another version": Case(
        step="1",
        mutate={"bundle": put("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.2")},
    ),
    "1 proof missing where the version demands it": Case(step="1", mutate={"entry": drop("inclusionProof")}),
    "1 proof without a checkpoint": Case(
        step="1", mint={"bundle": "v0.1"}, mutate={"entry": drop("inclusionProof", "checkpoint")}
    ),
    "1 time that is no integer": Case(step="1", mutate={"entry": put("integratedTime", value="1e9")}),
    "1 index with a leading zero": Case(step="1", mutate={"entry": put("logIndex", value="01")}),
    "1 endless proof": Case(step="1", mutate={"proof": put("hashes", value=["AA=="] * 65)}),
    "1 proof in no list": Case(step="1", mutate={"proof": put("hashes", value=7)}),
    "1 proof of what is no hash": Case(step="1", mutate={"proof": put("hashes", value=[7])}),
    "1 endless checkpoint": Case(step="1", mutate={"checkpoint": lambda text: text + "x" * 20000}),
    "1 nine timestamps": Case(
        step="1",
        mint=V2,
        mutate={
            "bundle": put(
                "verificationMaterial",
                "timestampVerificationData",
                value={"rfc3161Timestamps": [{"signedTimestamp": "AA=="}] * 9},
            )
        },
    ),
    **{
        f"1 timestamps: {name}": Case(
            step="1",
            mint=V2,
            mutate={
                "bundle": put("verificationMaterial", "timestampVerificationData", "rfc3161Timestamps", value=value)
            },
        )
        for name, value in {"no list": 7, "an object": {"0": {}}, "of what is no object": ["AA=="]}.items()
    },
    # (2) kind and version
    "2 kind unknown": Case(step="2", state=CANNOT, mutate={"entry": put("kindVersion", "kind", value="cose")}),
    "2 version unknown": Case(step="2", state=CANNOT, mutate={"entry": put("kindVersion", "version", value="0.0.9")}),
    "2 body that is not JSON": Case(step="2", mutate={"entry": put("canonicalizedBody", value="e30K/w==")}),
    "2 body that is no object": Case(step="2", mutate={"body": lambda _: []}),
    "2 body of another kind": Case(step="2", mutate={"body": put("kind", value="intoto")}),
    "2 body of another version": Case(step="2", mutate={"body": put("apiVersion", value="0.0.2")}),
    # (3) log
    "3 log unknown (V28)": Case(step="3", root=lambda root: {**root, "tlogs": root["tlogs"][1:]}),
    "3 registry's log unknown (V28)": Case(
        step="3", kind="publish", root=lambda root: {**root, "tlogs": root["tlogs"][1:]}
    ),
    "3 log unknown, certificate malformed": Case(
        step="3",
        mutate={"bundle": change("verificationMaterial", "certificate", "rawBytes", by=lambda t: t[:-8])},
        root=lambda root: {**root, "tlogs": root["tlogs"][1:]},
    ),
    "3 log and authority unknown (V29)": Case(
        step="3", state=CANNOT, root=lambda _: TestSigstore(NOW, seed="another").trusted_root()
    ),
    "3 log and registry's key unknown (V29)": Case(
        step="3",
        state=CANNOT,
        kind="publish",
        root=lambda root: {**root, "tlogs": root["tlogs"][1:]},
        keys=lambda _: TestSigstore(NOW, seed="another").registry_keys(),
    ),
    "3a checkpoint signed by nobody": Case(step="3a", mutate={"checkpoint": lambda text: text.rpartition("\u2014")[0]}),
    "3a checkpoint signature altered": Case(
        step="3a", mutate={"checkpoint": lambda text: text.replace("log.sigstore.test - 1", "log.sigstore.test - 2")}
    ),
    "3a checkpoint of another tree": Case(step="3a", mutate={"entry": put("inclusionProof", "treeSize", value="8")}),
    "3a checkpoint of another root": Case(
        step="3a", mutate={"entry": change("inclusionProof", "rootHash", by=flip_text)}
    ),
    "3a checkpoint with text after its signatures": Case(
        step="3a", mutate={"checkpoint": lambda text: text + "and more\n"}
    ),
    "3a checkpoint without an origin": Case(
        step="3a", mutate={"checkpoint": lambda text: signed(["", *note_of(text)[1:]])}
    ),
    "3a checkpoint of two lines": Case(step="3a", mutate={"checkpoint": lambda text: signed(note_of(text)[:2])}),
    "3a checkpoint signature that is not base64": Case(
        step="3a", mutate={"checkpoint": lambda text: text[:-4] + "=\n"}
    ),
    "3a checkpoint signed twice": Case(
        step="3a", mutate={"checkpoint": lambda text: text + text[text.index("\u2014") :]}
    ),
    "3b sibling altered": Case(step="3b", mutate={"entry": change("inclusionProof", "hashes", 0, by=flip_text)}),
    "3b sibling missing": Case(
        step="3b", says="3 hashes is expected, got 2", mutate={"entry": drop("inclusionProof", "hashes", 0)}
    ),
    "3b another place in the tree": Case(step="3b", mutate={"entry": put("inclusionProof", "logIndex", value="5")}),
    "3b outside the tree": Case(
        step="3b", says="not in a tree of 7", mutate={"entry": put("inclusionProof", "logIndex", value="7")}
    ),
    "3b another body in the tree": Case(step="3b", mutate={"proof": change("hashes", 1, by=flip_text)}),
    # (4) time
    "4a time altered": Case(step="4a", mutate={"promise": change("integratedTime", by=lambda t: t - 1)}),
    "4a index altered": Case(step="4a", mutate={"promise": change("logIndex", by=lambda n: n + 1)}),
    "4a other log": Case(step="4a", mutate={"promise": put("logID", value="00" * 32)}),
    "4a other body": Case(step="4a", mint=OLD, mutate={"promise": put("body", value="e30=")}),
    "4a time 0, which means none": Case(step="4a", mutate={"entry": put("integratedTime", value="0")}),
    "4a time missing": Case(step="4a", says="without the time", mutate={"entry": drop("integratedTime")}),
    "4b timestamp of another signature": Case(
        step="4b",
        mint=V2,
        mutate={
            "timestamp": lambda _: timestamp_of_another_signature(),
        },
    ),
    "4b timestamp malformed": Case(step="4b", mint=V2, mutate={"timestamp": lambda _: b"\x30\x00"}),
    "4b the same timestamp twice": Case(
        step="4b",
        mint=V2,
        mutate={"bundle": twice("verificationMaterial", "timestampVerificationData", "rfc3161Timestamps")},
    ),
    "4b no timestamp authority": Case(
        step="4b", state=CANNOT, mint=V2, root=lambda root: {**root, "timestampAuthorities": []}
    ),
    "4b timestamp authority retired": Case(
        step="4b",
        mint=V2,
        root=put("timestampAuthorities", 0, "validFor", "end", value="2026-11-20T11:59:59Z"),
    ),
    "4c proof and no time": Case(step="4c", mutate={"entry": drop("inclusionPromise")}),
    "4c neither proof nor promise": Case(
        step="4c",
        mint={"bundle": "v0.1"},
        mutate={"entry": lambda e: drop("inclusionPromise")(drop("inclusionProof")(e))},
    ),
    "4c a timestamp and no proof of the log": Case(
        step="4c", mint={**V2, "bundle": "v0.1"}, mutate={"entry": drop("inclusionProof")}
    ),
    "4d log key retired": Case(
        step="4d", root=put("tlogs", 0, "publicKey", "validFor", "end", value="2026-11-20T11:59:59Z")
    ),
    "4d log key not yet used": Case(
        step="4d", root=put("tlogs", 0, "publicKey", "validFor", "start", value="2026-11-20T12:00:01Z")
    ),
    # (5) signer
    "5 certificate malformed": Case(
        step="5",
        mutate={"bundle": change("verificationMaterial", "certificate", "rawBytes", by=lambda t: t[:-8])},
    ),
    "5a certificate expired": Case(
        step="5a",
        says="the certificate was not valid",
        mutate={"validity": lambda _: (NOW - timedelta(hours=2), NOW - timedelta(hours=1))},
    ),
    "5a certificate not yet valid": Case(
        step="5a", mutate={"validity": lambda _: (NOW + timedelta(seconds=1), NOW + timedelta(hours=1))}
    ),
    "5a authority retired": Case(
        step="5a",
        says="no authority in the trusted root was in use then",
        root=put("certificateAuthorities", 0, "validFor", "end", value="2026-11-20T11:59:59Z"),
    ),
    "5a authority unknown": Case(
        step="5a",
        root=lambda root: {
            **root,
            "certificateAuthorities": TestSigstore(NOW, seed="another").trusted_root()["certificateAuthorities"],
        },
    ),
    "5a authority's own certificate not yet valid": Case(
        step="5a",
        mint={"time": NOW - timedelta(days=6 * 365)},
        root=lambda root: json.loads(
            json.dumps(root).replace(root["tlogs"][0]["publicKey"]["validFor"]["start"], OLD_START)
        ),
    ),
    "5b no SCT": Case(step="5b", mutate={"sct": lambda _: None}),
    "5b SCT signature altered": Case(step="5b", mutate={"sct": flip}),
    "5b SCT with another hash": Case(step="5b", mutate={"sct": lambda tls: tls[:47] + b"\x05" + tls[48:]}),
    "5b certificate log unknown": Case(
        step="5b",
        root=lambda root: {**root, "ctlogs": TestSigstore(NOW, seed="another").trusted_root()["ctlogs"]},
    ),
    "5b certificate log retired": Case(
        step="5b", root=put("ctlogs", 0, "publicKey", "validFor", "end", value="2026-11-20T11:59:59Z")
    ),
    "5b two SCTs": Case(
        step="5b", mutate={"sct": lambda tls: (2 * len(tls) - 4).to_bytes(2, "big") + tls[2:] + tls[2:]}
    ),
    "5c certificate for TLS": Case(step="5c", mutate={"usages": lambda _: [ExtendedKeyUsageOID.SERVER_AUTH]}),
    "5c certificate for key agreement": Case(
        step="5c",
        mutate={
            "key_usage": lambda _: x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=True,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            )
        },
    ),
    "5c certificate's key of another kind": Case(
        step="5c", state=CANNOT, mutate={"key": lambda _: ec.derive_private_key(7, ec.SECP384R1())}
    ),
    "5c certificate's key without a curve": Case(step="5c", state=CANNOT, mutate={"key": lambda _: Ed25519()}),
    "5d key of another kind": Case(
        step="5d",
        state=CANNOT,
        kind="publish",
        keys=lambda keys: {
            "keys": [
                {
                    **k,
                    "publicKey": {
                        **k["publicKey"],
                        "keyDetails": "PKIX_ED25519",
                        "rawBytes": TestSigstore(NOW).trusted_root()["tlogs"][1]["publicKey"]["rawBytes"],
                    },
                }
                for k in keys["keys"]
            ]
        },
    ),
    "5d key unknown (V26)": Case(
        step="5d", says="that is known here", kind="publish", keys=lambda keys: {"keys": keys["keys"][:2]}
    ),
    "5d key for signatures only": Case(
        step="5d",
        kind="publish",
        keys=lambda keys: {"keys": [k for k in keys["keys"] if k["keyUsage"] == "npm:signatures"]},
    ),
    "5d key retired at the log's time (V26, P25)": Case(step="5d", kind="publish", mint={"retired": True}),
    "5d key not yet in use": Case(step="5d", kind="publish", mint={"time": NOW - timedelta(days=366)}),
    "5d envelope names another key": Case(
        step="5d", kind="publish", mutate={"bundle": put("dsseEnvelope", "signatures", 0, "keyid", value="SHA256:x")}
    ),
    "5d envelope names no key": Case(
        step="5d", kind="publish", mutate={"bundle": put("dsseEnvelope", "signatures", 0, "keyid", value="")}
    ),
    # (6) signature and body
    "6a signature over another payload (V13)": Case(step="6a", mutate={"signed_payload": lambda p: p + b" "}),
    "6a payload altered (V13)": Case(
        step="6a", kind="publish", mutate={"bundle": change("dsseEnvelope", "payload", by=flip_text)}
    ),
    "6a payload type altered": Case(
        step="6a", mutate={"bundle": put("dsseEnvelope", "payloadType", value="text/plain")}
    ),
    "6b dsse: another payload": Case(step="6b", mutate={"body": put("spec", "payloadHash", "value", value="00" * 32)}),
    "6b dsse: another hash": Case(step="6b", mutate={"body": put("spec", "payloadHash", "algorithm", value="sha1")}),
    "6b dsse: a digest in upper case": Case(
        step="6b", mutate={"body": change("spec", "payloadHash", "value", by=str.upper)}
    ),
    "6b dsse: another signature": Case(step="6b", mutate={"logged_signature": flip}),
    "6b dsse: another signer": Case(step="6b", mutate={"signer": flip}),
    "6b dsse: two signatures": Case(step="6b", mutate={"body": twice("spec", "signatures")}),
    "6b dsse: signer under another label": Case(
        step="6b",
        mutate={
            "body": change(
                "spec",
                "signatures",
                0,
                "verifier",
                by=lambda text: base64.b64encode(
                    base64.b64decode(text).replace(b"CERTIFICATE", b"PUBLIC KEY")
                ).decode(),
            )
        },
    ),
    "6b intoto: another payload": Case(
        step="6b", mint=OLD, mutate={"body": put("spec", "content", "payloadHash", "value", value="00" * 32)}
    ),
    "6b intoto: another payload type": Case(
        step="6b", mint=OLD, mutate={"body": put("spec", "content", "envelope", "payloadType", value="text/plain")}
    ),
    "6b intoto: another signature": Case(step="6b", mint=OLD, mutate={"logged_signature": flip}),
    "6b intoto: another signer": Case(step="6b", mint=OLD, kind="publish", mutate={"signer": flip}),
    "6b hashedrekord: another payload": Case(
        step="6b", mint=V2, mutate={"body": change("spec", "hashedRekordV002", "data", "digest", by=flip_text)}
    ),
    "6b hashedrekord: another hash": Case(
        step="6b", mint=V2, mutate={"body": put("spec", "hashedRekordV002", "data", "algorithm", value="SHA2_512")}
    ),
    "6b hashedrekord: another kind of key": Case(
        step="6b",
        mint=V2,
        mutate={
            "body": put(
                "spec", "hashedRekordV002", "signature", "verifier", "keyDetails", value="PKIX_ECDSA_P384_SHA_384"
            )
        },
    ),
    "6b hashedrekord: another signature": Case(step="6b", mint=V2, mutate={"logged_signature": flip}),
    "6b hashedrekord: another signer": Case(step="6b", mint=V2, mutate={"signer": flip}),
    # (5e) who signs what
    "5e publish attestation signed by a build": Case(
        step="5e",
        mutate={
            "statement": lambda s: {
                **s,
                "predicateType": "https://github.com/npm/attestation/tree/main/specs/publish/v0.1",
            }
        },
    ),
    "5e provenance signed by the registry": Case(
        step="5e", kind="publish", mutate={"statement": put("predicateType", value="https://slsa.dev/provenance/v1")}
    ),
    # (7) statement
    "7a payload of another type": Case(step="7a", mutate={"payload_type": lambda _: "application/json"}),
    "7a payload that is not JSON": Case(step="7a", mutate={"payload": lambda p: p + b"}"}),
    "7a payload that is no object": Case(step="7a", mutate={"payload": lambda _: b"[]"}),
    "7a payload with a key twice": Case(
        step="7a", mutate={"payload": lambda p: p.replace(b'{"_type"', b'{"_type": "x", "_type"', 1)}
    ),
    "7a statement version unknown": Case(
        step="7a", state=CANNOT, mutate={"statement": put("_type", value="https://in-toto.io/Statement/v9")}
    ),
    "7a no predicate": Case(step="7a", mutate={"statement": put("predicate", value=None)}),
    "7b no subject": Case(step="7b", mutate={"statement": put("subject", value=[])}),
    "7b subjects in no list": Case(step="7b", mutate={"statement": put("subject", value=7)}),
    "7b a subject that is no object": Case(step="7b", mutate={"statement": put("subject", value=["x"])}),
    "7b two subjects": Case(step="7b", mutate={"statement": twice("subject")}),
    "7b another version (V31)": Case(
        step="7b", mutate={"statement": put("subject", 0, "name", value="pkg:npm/%40a/b@1.0.1")}
    ),
    "7b another spelling": Case(step="7b", mutate={"statement": put("subject", 0, "name", value="pkg:npm/@a/b@1.0.0")}),
    "7c another digest (V09)": Case(
        step="7c", mutate={"statement": put("subject", 0, "digest", "sha512", value="c1" * 64)}
    ),
    "7c digest in upper case": Case(
        step="7c", says="in lowercase hex", mutate={"statement": put("subject", 0, "digest", "sha512", value="C0" * 64)}
    ),
    "7c a digest that is no object": Case(step="7c", mutate={"statement": put("subject", 0, "digest", value="x")}),
    "7c a sha512 that is a number": Case(
        step="7c", mutate={"statement": put("subject", 0, "digest", "sha512", value=7)}
    ),
    "7c no sha512": Case(step="7c", mutate={"statement": put("subject", 0, "digest", value={"sha256": "00" * 32})}),
    # (8) identity
    "8 claim malformed": Case(step="8", mutate={"claims": lambda c: {**c, 13: "x" * 70000}}),
    "8a issuer not accepted (V20)": Case(step="8a", state=CANNOT, mint={"issuer": "https://accounts.example.com"}),
    "8a issuer that begins like an accepted one": Case(
        step="8a", state=CANNOT, mint={"issuer": "https://token.actions.githubusercontent.com/evil"}
    ),
    "8a no issuer": Case(step="8a", mutate={"claims": lambda c: {n: t for n, t in c.items() if n not in (1, 8)}}),
    "8a a person (facts 1.2)": Case(step="8a", mutate={"identity": lambda _: [x509.RFC822Name("a@example.com")]}),
    "8a two identities": Case(step="8a", mutate={"identity": lambda names: [*names, x509.DNSName("a.example")]}),
    "8b two issuers": Case(step="8b", mutate={"claims": lambda c: {**c, 1: GITLAB}}),
    "8b two repositories": Case(step="8b", mutate={"claims": lambda c: {**c, 5: "example/other"}}),
    "8b two commits": Case(step="8b", mutate={"claims": lambda c: {**c, 3: "f" * 40}}),
    "8b two refs": Case(step="8b", mutate={"claims": lambda c: {**c, 6: "refs/heads/other"}}),
    # (9) predicate
    "9a another name": Case(step="9a", kind="publish", mutate={"statement": put("predicate", "name", value="a")}),
    "9a a name that is no text": Case(
        step="9a", kind="publish", mutate={"statement": put("predicate", "name", value=7)}
    ),
    "9a another version": Case(
        step="9a", kind="publish", mutate={"statement": put("predicate", "version", value="1.0.1")}
    ),
    "9a another registry": Case(
        step="9a", kind="publish", mutate={"statement": put("predicate", "registry", value="https://npm.example.com")}
    ),
    "9b another repository (V14)": Case(
        step="9b",
        mutate={
            "statement": put(
                "predicate",
                "buildDefinition",
                "resolvedDependencies",
                0,
                "uri",
                value="git+https://github.com/axios/axios@refs/heads/main",
            )
        },
    ),
    "9b another repository in the parameters": Case(
        step="9b",
        mutate={
            "statement": put(
                "predicate",
                "buildDefinition",
                "externalParameters",
                "workflow",
                "repository",
                value="https://github.com/axios/axios",
            )
        },
    ),
    "9b another ref": Case(
        step="9b",
        mutate={
            "statement": put(
                "predicate", "buildDefinition", "externalParameters", "workflow", "ref", value="refs/tags/v1"
            )
        },
    ),
    "9b another commit": Case(
        step="9b",
        mutate={
            "statement": put(
                "predicate", "buildDefinition", "resolvedDependencies", 0, "digest", "gitCommit", value="f" * 40
            )
        },
    ),
    "9b v0.2: another repository": Case(
        step="9b",
        mint={"slsa": "v0.2"},
        mutate={
            "statement": put(
                "predicate",
                "invocation",
                "configSource",
                "uri",
                value="git+https://github.com/axios/axios@refs/heads/main",
            )
        },
    ),
    "9b v0.2: another commit": Case(
        step="9b",
        mint={"slsa": "v0.2"},
        mutate={"statement": put("predicate", "invocation", "configSource", "digest", "sha1", value="f" * 40)},
    ),
    "9b GitLab: another branch": Case(
        step="9b",
        mint={"slsa": "v0.2", "issuer": GITLAB, "repository": "https://gitlab.com/o/r", "workflow": ".gitlab-ci.yml"},
        mutate={"statement": put("predicate", "invocation", "parameters", "CI_COMMIT_BRANCH", value="other")},
    ),
    **{
        f"9b {name}": Case(step="9b", state=CANNOT, mutate={"statement": put("predicate", *path, value=value)})
        for name, path, value in (
            ("no commit", (*SOURCE, 0, "digest"), {}),
            ("an empty commit", (*SOURCE, 0, "digest", "gitCommit"), ""),
            ("a commit that is a number", (*SOURCE, 0, "digest", "gitCommit"), 7),
            ("no repository", (*SOURCE, 0, "uri"), "https://github.com/example/project"),
            ("no sources", SOURCE, []),
            ("sources in no list", SOURCE, {"0": {}}),
            ("a source that is a text", SOURCE, ["git+https://github.com/example/project@refs/heads/main"]),
        )
    },
    "9b no ref anywhere": Case(
        step="9b",
        state=CANNOT,
        mutate={
            "statement": lambda s: drop("predicate", "buildDefinition", "externalParameters")(
                change("predicate", *SOURCE, 0, "uri", by=lambda uri: uri.rpartition("@")[0])(s)
            )
        },
    ),
    "9b certificate without a repository": Case(
        step="9b",
        state=CANNOT,
        mutate={"claims": lambda c: {n: t for n, t in c.items() if n not in (5, 12)}},
    ),
    "9b source not named in a known way (V20)": Case(
        step="9b",
        state=CANNOT,
        mutate={"statement": put("predicate", value={"buildDefinition": {"buildType": "https://example.com/b/v1"}})},
    ),
    "9e an unknown build type that names its source as known ones do (V20)": Case(
        step="9e",
        state=CANNOT,
        mutate={"statement": put("predicate", "buildDefinition", "buildType", value="https://build.example/v1")},
    ),
    "9e a build type of the other version": Case(
        step="9e",
        state=CANNOT,
        mint={"slsa": "v0.2"},
        mutate={
            "statement": put(
                "predicate",
                "buildType",
                value="https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
            )
        },
    ),
    "9e no build type": Case(
        step="9e", state=CANNOT, mutate={"statement": put("predicate", "buildDefinition", "buildType", value=None)}
    ),
    "9b source that is not an object": Case(
        step="9b", state=CANNOT, mutate={"statement": put("predicate", "buildDefinition", value=[1])}
    ),
}


class Ed25519:
    """A key that signs as if it were ECDSA's: whatever the algorithm."""

    def __init__(self) -> None:
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(b"7" * 32)

    def public_key(self) -> ed25519.Ed25519PublicKey:
        return self._key.public_key()

    def sign(self, data: bytes, _algorithm: object) -> bytes:
        return self._key.sign(data)


def note_of(checkpoint: str) -> list[str]:
    return checkpoint.partition("\n\n")[0].split("\n")


def signed(lines: list[str]) -> str:
    """A checkpoint of any lines that the log itself signed."""
    sigstore = TestSigstore(NOW)
    note = "".join(f"{line}\n" for line in lines)
    signature = sigstore.log_key.sign(note.encode(), ec.ECDSA(SHA256(), deterministic_signing=True))
    return f"{note}\n\u2014 log.sigstore.test {base64.b64encode(sigstore.log_id[:4] + signature).decode()}\n"


def timestamp_of_another_signature() -> bytes:
    sigstore = TestSigstore(NOW)
    other = sigstore.provenance("other", "1.0.0", SHA512, entry="hashedrekord", proof="inclusion")
    stamps = other["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    return base64.b64decode(stamps[0]["signedTimestamp"])


def judge(case: Case, sigstore: TestSigstore) -> Attestation:
    mint = sigstore.provenance if case.kind == "provenance" else sigstore.publish
    bundle = mint("@a/b", "1.0.0", SHA512, **case.mint, mutate=case.mutate)
    verifier = Verifier.from_material(
        json.dumps(case.root(sigstore.trusted_root())).encode(),
        json.dumps(case.keys(sigstore.registry_keys())).encode(),
        DEFAULT_ISSUERS,
    )
    # In steps 0 and 5e the statement is of another type than the bundle's signer suggests, and labelled so.
    label = f"https://slsa.dev/provenance/{case.mint.get('slsa', 'v1')}" if case.kind == "provenance" else PUBLISH
    document = sigstore.attestations_document([bundle if case.step in ("0", "5e") else (label, bundle)])
    found = verifier.verify(document, name="@a/b", version="1.0.0", sha512=SHA512)
    (judged,) = (a for a in (found.publish, found.provenance) if a.state is not AttestationState.UNATTESTED)
    return judged


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_step_refuses_what_only_it_can_see(case: Case, sigstore: TestSigstore) -> None:
    found = judge(case, sigstore)
    assert found.state is case.state, found.reason
    assert found.reason.startswith(f"step {case.step}: ")
    assert case.says in found.reason
    assert (found.log_time, found.log_proof, found.claims) == (None, None, None)
    assert found.sha256 is not None


def test_what_an_authority_found_is_said(sigstore: TestSigstore) -> None:
    """5a: an authority that was in use, and did not issue it, is another reason than none in use."""
    assert "in use then" not in judge(CASES["5a authority unknown"], sigstore).reason


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(put("verificationMaterial", "timestampVerificationData", value=None), id="null"),
        pytest.param(put("verificationMaterial", "timestampVerificationData", value={}), id="an empty object"),
        pytest.param(
            put("verificationMaterial", "timestampVerificationData", value={"rfc3161Timestamps": None}), id="null in it"
        ),
        pytest.param(
            put("verificationMaterial", "timestampVerificationData", value={"rfc3161Timestamps": []}),
            id="an empty list",
        ),
        pytest.param(drop("dsseEnvelope", "signatures", 0, "keyid"), id="no keyid"),
    ],
)
def test_what_is_absent_may_be_written_in_several_ways(edit: Edit, sigstore: TestSigstore) -> None:
    """As protobuf's writers in several languages do; none of it is refused."""
    found = judge(Case(step="1", mutate={"bundle": edit}), sigstore)
    assert found.state is AttestationState.VERIFIED, found.reason


def test_every_step_has_a_case() -> None:
    """A step that is raised in the code has a row above and in the docs, and no row names a step that is gone."""
    import re
    from pathlib import Path

    import sbomgate.provenance

    folder = Path(sbomgate.provenance.__file__).parent
    raised = {
        m
        for path in folder.glob("*.py")
        for m in re.findall(r"(?:Invalid|CannotVerify)\(\s*\"(\w+)\"", path.read_text())
    }
    page = (Path(__file__).resolve().parents[3] / "docs" / "provenance.md").read_text()
    documented = set(re.findall(r"^\| (\d\w?) \|", page, re.MULTILINE))
    assert {c.step for c in CASES.values()} == raised - {"9d"}  # of a build's provenance: signing/test_builder
    assert documented == raised | {"9c"}  # of several attestations: test_verifier
