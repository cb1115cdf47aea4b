"""Our own sigstore for tests, demo and benchmarks: certificate authority, logs, timestamp authority and registry keys.

It mints npm attestations of every flavour that is in the wild, and of any claim. All keys follow from a seed and all
signatures are deterministic, so the same calls give the same bytes. It is not part of the package, its keys are public,
and only a trusted root that names them (a test's, or the demo's trust file) makes anything believe it.

    sigstore = TestSigstore(now)
    bundle = sigstore.provenance("left-pad", "1.3.0", sha512, repository="https://github.com/o/r")
    document = sigstore.attestations_document([bundle, sigstore.publish("left-pad", "1.3.0", sha512)])
    Verifier.from_material(sigstore.trusted_root_json(), sigstore.registry_keys_json(), (GITHUB,))

`mutate` changes one value on its way, named by its stage, before what lies above it is signed: `{"body": fn}` gives a
log entry whose every signature is right and whose body is not. The stages are listed at `Stage`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testkit._rfc3161 import der, timestamp_response

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
REGISTRY = "https://registry.npmjs.org"
PUBLISH = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

Stage = Literal[
    "statement",  # dict, the in-toto statement
    "payload",  # bytes, the statement encoded
    "payload_type",  # str, of the envelope, signed with it
    "signed_payload",  # bytes, what the signature is really over
    "key",  # EllipticCurvePrivateKey of the build
    "claims",  # dict of OID number → text, of the certificate
    "identity",  # list of GeneralName, the certificate's subject alternative names
    "validity",  # (datetime, datetime) of the certificate
    "usages",  # list of ExtendedKeyUsageOID
    "key_usage",  # x509.KeyUsage
    "sct",  # bytes, the TLS-encoded SCT list, or None to leave it out
    "sct_time",  # datetime
    "signer",  # bytes, DER of the certificate or key as the log's body names it
    "logged_signature",  # bytes, the signature as the log's body names it
    "body",  # dict, the log entry's body
    "proof",  # dict, the inclusion proof, whose checkpoint is made from it
    "checkpoint",  # str, the signed checkpoint
    "promise",  # dict, what the signed entry timestamp is over
    "timestamp",  # bytes, the RFC 3161 answer
    "entry",  # dict, the log entry of the bundle
    "bundle",  # dict, the whole
]
Mutations = Mapping[Stage, Callable[[Any], Any]]
_MEDIA_TYPES = {
    "v0.1": "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "v0.2": "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "v0.3": "application/vnd.dev.sigstore.bundle.v0.3+json",
}
_LEAF_INDEX, _TREE_SIZE = 4, 7


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _spki(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public


def _pem(label: str, encoded: bytes) -> bytes:
    text = _b64(encoded)
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle(leaves: Sequence[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """Return (root, inclusion proof) of one leaf hash in an RFC 6962 tree."""
    if len(leaves) == 1:
        return leaves[0], []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        root, proof = merkle(leaves[:split], index)
        other, _ = merkle(leaves[split:], 0)
        return _node(root, other), [*proof, other]
    root, proof = merkle(leaves[split:], index - split)
    other, _ = merkle(leaves[:split], 0)
    return _node(other, root), [*proof, other]


class TestSigstore:
    """A private sigstore with a npm registry's keys.

    Args:
        now: the default time of everything; aware. All validity starts five years before it and ends five years after.
        seed: everything secret follows from it.
        registry: what the registry calls itself in publish attestations.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, now: datetime, *, seed: str = "sbomgate test sigstore", registry: str = REGISTRY) -> None:
        self.now = now.astimezone(UTC).replace(microsecond=0)
        self.start = self.now - timedelta(days=5 * 365)
        self.end = self.now + timedelta(days=5 * 365)
        self.retired_at = self.now - timedelta(days=365)
        self.seed = seed
        self.registry = registry

    # ---------------------------------------------------------------------------------------------------------------
    # keys

    def _key(self, name: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
        secret = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        # The number must be below the order of the curve: P-256's starts with ffffffff00000000.
        return ec.derive_private_key(int.from_bytes(secret, "big") >> 1, curve or ec.SECP256R1())

    @cached_property
    def log_key(self) -> ec.EllipticCurvePrivateKey:
        """The key of the Rekor v1 log."""
        return self._key("rekor")

    @cached_property
    def log_v2_key(self) -> ed25519.Ed25519PrivateKey:
        """The key of the Rekor v2 log."""
        return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{self.seed}/rekor-v2".encode()).digest())

    @cached_property
    def ct_key(self) -> ec.EllipticCurvePrivateKey:
        """The key of the certificate log."""
        return self._key("ct")

    @cached_property
    def root_key(self) -> ec.EllipticCurvePrivateKey:
        """The key of the certificate authority's root."""
        return self._key("root", ec.SECP384R1())

    @cached_property
    def intermediate_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that signs end-entity certificates."""
        return self._key("intermediate", ec.SECP384R1())

    @cached_property
    def tsa_key(self) -> ec.EllipticCurvePrivateKey:
        """The timestamp authority's key."""
        return self._key("tsa")

    def registry_key(self, *, retired: bool = False) -> ec.EllipticCurvePrivateKey:
        """Return the registry's key, the one in use or the one retired a year before `now`."""
        return self._key("registry-retired" if retired else "registry")

    def registry_keyid(self, *, retired: bool = False) -> str:
        """Return the id of that key, as npm spells it."""
        digest = hashlib.sha256(_spki(self.registry_key(retired=retired))).digest()
        return f"SHA256:{_b64(digest).rstrip('=')}"

    @cached_property
    def log_id(self) -> bytes:
        """The Rekor v1 log's id: the hash of its key."""
        return hashlib.sha256(_spki(self.log_key)).digest()

    @cached_property
    def log_v2_id(self) -> bytes:
        """The Rekor v2 log's id: the hash that a checkpoint names an Ed25519 key by (C2SP signed-note)."""
        raw = self.log_v2_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return hashlib.sha256(b"log2.sigstore.test\n\x01" + raw).digest()

    # ---------------------------------------------------------------------------------------------------------------
    # authorities

    def _authority(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: x509.Certificate | None = None,
        *,
        usage: x509.ObjectIdentifier | None = None,
        ca: bool = True,
    ) -> x509.Certificate:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sigstore.test"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
            .not_valid_before(self.start)
            .not_valid_after(self.end)
            .add_extension(_key_usage(certificates=ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key()), critical=False
            )
        )
        if ca:
            path = 0 if issuer else None
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path), critical=True)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=not ca)
        return builder.sign(self.root_key, SHA384(), ecdsa_deterministic=True)

    @cached_property
    def root(self) -> x509.Certificate:
        """The certificate authority's root."""
        return self._authority("root", self.root_key)

    @cached_property
    def intermediate(self) -> x509.Certificate:
        """The authority that signs end-entity certificates."""
        return self._authority("intermediate", self.intermediate_key, self.root, usage=ExtendedKeyUsageOID.CODE_SIGNING)

    @cached_property
    def tsa(self) -> x509.Certificate:
        """The timestamp authority's certificate."""
        return self._authority("tsa", self.tsa_key, self.root, usage=ExtendedKeyUsageOID.TIME_STAMPING, ca=False)

    # ---------------------------------------------------------------------------------------------------------------
    # trust material

    def trusted_root(self) -> dict[str, Any]:
        """Return the trusted root as a new value, for a test to change."""
        window = {"start": _rfc3339(self.start)}

        def log(url: str, log_id: bytes, key: Any, details: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": _b64(_spki(key)), "keyDetails": details, "validFor": dict(window)},
                "logId": {"keyId": _b64(log_id)},
            }

        def authority(url: str, *chain: x509.Certificate) -> dict[str, Any]:
            return {
                "subject": {"organization": "sigstore.test", "commonName": "sigstore"},
                "uri": url,
                "certChain": {"certificates": [{"rawBytes": _b64(c.public_bytes(Encoding.DER))} for c in chain]},
                "validFor": dict(window),
            }

        p256, ed = "PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519"
        ct_id = hashlib.sha256(_spki(self.ct_key)).digest()
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [
                log("https://log.sigstore.test", self.log_id, self.log_key, p256),
                log("https://log2.sigstore.test", self.log_v2_id, self.log_v2_key, ed),
            ],
            "certificateAuthorities": [authority("https://ca.sigstore.test", self.intermediate, self.root)],
            "ctlogs": [log("https://ct.sigstore.test", ct_id, self.ct_key, p256)],
            "timestampAuthorities": [authority("https://tsa.sigstore.test", self.tsa, self.root)],
        }

    def trusted_root_json(self) -> bytes:
        """Return the trusted root that accepts this sigstore and no other."""
        return json.dumps(self.trusted_root(), indent=1).encode()

    def registry_keys(self) -> dict[str, Any]:
        """Return the registry's keys as a new value, for a test to change."""
        keys = []
        for retired in (True, False):
            window = {"start": _rfc3339(self.start if retired else self.retired_at)}
            if retired:
                window["end"] = _rfc3339(self.retired_at)
            keys += [
                {
                    "keyId": self.registry_keyid(retired=retired),
                    "keyUsage": usage,
                    "publicKey": {
                        "rawBytes": _b64(_spki(self.registry_key(retired=retired))),
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        "validFor": dict(window),
                    },
                }
                for usage in ("npm:signatures", "npm:attestations")
            ]
        return {"keys": keys}

    def registry_keys_json(self) -> bytes:
        """Return the registry's keys in the form of npm's keys.json: one in use, one retired a year before `now`."""
        return json.dumps(self.registry_keys(), indent=1).encode()

    # ---------------------------------------------------------------------------------------------------------------
    # what the registry serves

    def provenance(
        self,
        name: str,
        version: str,
        sha512: str,
        *,
        repository: str = "https://github.com/example/project",
        repository_id: str = "1001",
        owner_id: str = "2002",
        workflow: str = ".github/workflows/publish.yml",
        ref: str = "refs/heads/main",
        commit: str = "0123456789abcdef0123456789abcdef01234567",
        trigger: str = "push",
        runner: str = "github-hosted",
        issuer: str = GITHUB,
        slsa: Literal["v1", "v0.2"] = "v1",
        bundle: Literal["v0.1", "v0.2", "v0.3"] = "v0.3",
        entry: Literal["dsse", "intoto", "hashedrekord"] = "dsse",
        proof: Literal["inclusion+SET", "SET", "inclusion"] = "inclusion+SET",
        claims: Literal["full", "2023"] = "full",
        time: datetime | None = None,
        mutate: Mutations | None = None,
    ) -> dict[str, Any]:
        """Return a bundle with SLSA provenance of an npm package, signed by a build's certificate.

        Args:
            name: of the package.
            version: of the package.
            sha512: of its tarball, lowercase hex.
            repository: URI of the source.
            repository_id: the number that stays when a repository is renamed.
            owner_id: the same of its owner.
            workflow: path of the workflow file.
            ref: the full ref.
            commit: of the source.
            trigger: the event that started the build.
            runner: the runner environment.
            issuer: GITHUB or GITLAB, or anything that a test wants refused.
            slsa: version of the predicate.
            bundle: version of the bundle.
            entry: kind of the log entry; `hashedrekord` is Rekor v2's and needs `proof="inclusion"`.
            proof: `inclusion` has no SET, and carries an RFC 3161 timestamp instead.
            claims: `2023` leaves out what certificates of January 2023 did not carry.
            time: when it is logged.
            mutate: see the module.
        """
        change = _changes(mutate)
        at = (time or self.now).astimezone(UTC)
        statement = _statement(
            name,
            version,
            sha512,
            *_build(slsa, issuer, repository, repository_id, owner_id, workflow, ref, commit, trigger, runner),
        )
        separator = "//" if issuer == GITLAB else "/"
        uri = f"{repository}{separator}{workflow}@{ref}"
        owner, _, project = repository.rpartition("/")
        old = {1: issuer, 2: trigger, 3: commit, 4: "Publish", 5: f"{owner.rpartition('/')[2]}/{project}", 6: ref}
        if issuer == GITLAB:
            old = {1: issuer}
        new = {
            8: issuer,
            9: uri,
            10: commit,
            11: runner,
            12: repository,
            13: commit,
            14: ref,
            15: repository_id,
            16: owner,
            17: owner_id,
            18: uri,
            19: commit,
            20: trigger,
            21: f"{repository}/actions/runs/1/attempts/1",
            22: "public",
        }
        key = change("key", self._key("build"))
        certificate = self._certificate(key, uri, old if claims == "2023" else old | new, at, change)
        encoded = certificate.public_bytes(Encoding.DER)
        material = (
            {"certificate": {"rawBytes": _b64(encoded)}}
            if bundle == "v0.3"
            else {"x509CertificateChain": {"certificates": [{"rawBytes": _b64(encoded)}]}}
        )
        return self._bundle(statement, key, "CERTIFICATE", encoded, material, "", bundle, entry, proof, at, change)

    def publish(
        self,
        name: str,
        version: str,
        sha512: str,
        time: datetime | None = None,
        *,
        retired: bool = False,
        bundle: Literal["v0.1", "v0.2", "v0.3"] = "v0.2",
        entry: Literal["dsse", "intoto", "hashedrekord"] = "dsse",
        proof: Literal["inclusion+SET", "SET", "inclusion"] = "inclusion+SET",
        mutate: Mutations | None = None,
    ) -> dict[str, Any]:
        """Return a bundle with the registry's publish attestation, signed by its key (the retired one, if asked)."""
        key = self.registry_key(retired=retired)
        keyid = self.registry_keyid(retired=retired)
        predicate = {"name": name, "version": version, "registry": self.registry}
        statement = _statement(name, version, sha512, "https://in-toto.io/Statement/v0.1", PUBLISH, predicate)
        at = (time or self.now).astimezone(UTC)
        material = {"publicKey": {"hint": keyid}}
        return self._bundle(
            statement, key, "PUBLIC KEY", _spki(key), material, keyid, bundle, entry, proof, at, _changes(mutate)
        )

    def registry_signature(self, name: str, version: str, integrity: str, *, retired: bool = False) -> dict[str, str]:
        """Return one item of a packument's `dist.signatures`."""
        message = f"{name}@{version}:{integrity}".encode()
        return {
            "keyid": self.registry_keyid(retired=retired),
            "sig": _b64(_sign(self.registry_key(retired=retired), message)),
        }

    @staticmethod
    def attestations_document(bundles: Sequence[dict[str, Any] | tuple[str, dict[str, Any]]]) -> bytes:
        """Return the registry's attestation response with these bundles, labelled as they say or as given."""
        items = []
        for item in bundles:
            label, bundle = item if isinstance(item, tuple) else (None, item)
            if label is None:
                label = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))["predicateType"]
            items.append({"predicateType": label, "bundle": bundle})
        return json.dumps({"attestations": items}).encode()

    # ---------------------------------------------------------------------------------------------------------------
    # how it is made

    def _certificate(
        self,
        key: ec.EllipticCurvePrivateKey,
        uri: str,
        claims: dict[int, str],
        at: datetime,
        change: Callable[[Stage, Any], Any],
    ) -> x509.Certificate:
        start, end = change("validity", (at - timedelta(seconds=30), at + timedelta(minutes=10)))
        serial = hashlib.sha256(f"{self.seed}/{uri}/{at}/{sorted(claims.items())}".encode()).digest()[:15]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.intermediate.subject)
            .public_key(key.public_key())
            .serial_number(int.from_bytes(serial, "big") | 1)
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(change("key_usage", _key_usage()), critical=True)
            .add_extension(x509.ExtendedKeyUsage(change("usages", [ExtendedKeyUsageOID.CODE_SIGNING])), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.intermediate_key.public_key()), critical=False
            )
            .add_extension(
                x509.SubjectAlternativeName(change("identity", [x509.UniformResourceIdentifier(uri)])), critical=True
            )
        )
        for number, text in sorted(change("claims", claims).items()):
            value = text.encode() if number < 8 else der(0x0C, text.encode())
            oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        # RFC 6962 section 3.2: the log signs the certificate without the list of timestamps, and the issuer's key hash.
        unlogged = builder.sign(self.intermediate_key, SHA384(), ecdsa_deterministic=True).tbs_certificate_bytes
        logged_at = change("sct_time", at)
        signed = b"".join(
            (
                struct.pack("!BBQH", 0, 0, int(logged_at.timestamp() * 1000), 1),
                hashlib.sha256(_spki(self.intermediate_key)).digest(),
                len(unlogged).to_bytes(3, "big"),
                unlogged,
                b"\x00\x00",
            )
        )
        signature = _sign(self.ct_key, signed)
        timestamp = b"".join(
            (
                b"\x00",
                hashlib.sha256(_spki(self.ct_key)).digest(),
                struct.pack("!Q", int(logged_at.timestamp() * 1000)),
                b"\x00\x00\x04\x03",
                struct.pack("!H", len(signature)),
                signature,
            )
        )
        listed = struct.pack("!H", len(timestamp)) + timestamp
        value = change("sct", struct.pack("!H", len(listed)) + listed)
        if value is not None:
            oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, der(0x04, value)), critical=False)
        return builder.sign(self.intermediate_key, SHA384(), ecdsa_deterministic=True)

    def _bundle(
        self,
        statement: dict[str, Any],
        key: ec.EllipticCurvePrivateKey,
        label: str,
        signer: bytes,
        material: dict[str, Any],
        keyid: str,
        version: str,
        kind: str,
        proof: str,
        at: datetime,
        change: Callable[[Stage, Any], Any],
    ) -> dict[str, Any]:
        payload = change("payload", json.dumps(change("statement", statement)).encode())
        type_ = change("payload_type", PAYLOAD_TYPE)
        over = change("signed_payload", payload)
        pae = b"DSSEv1 %d %s %d %s" % (len(type_.encode()), type_.encode(), len(over), over)
        signature = _sign(key, pae)
        logged_signer, logged_signature = change("signer", signer), change("logged_signature", signature)
        match kind:
            case "intoto":
                body = _intoto_body(payload, type_, label, logged_signer, logged_signature, keyid)
            case "dsse":
                body = _dsse_body(payload, label, logged_signer, logged_signature)
            case _:
                body = _hashedrekord_body(pae, label, logged_signer, logged_signature)
        entry = self._entry(_json(change("body", body)), kind, proof, at, change)
        verification: dict[str, Any] = {**material, "tlogEntries": [change("entry", entry)]}
        if proof == "inclusion":
            answer = timestamp_response(signature, at, self.tsa_key, self.tsa)
            stamps = [{"signedTimestamp": _b64(change("timestamp", answer))}]
            verification["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        bundle: dict[str, Any] = change(
            "bundle",
            {
                "mediaType": _MEDIA_TYPES[version],
                "verificationMaterial": verification,
                "dsseEnvelope": {
                    "payload": _b64(payload),
                    "payloadType": type_,
                    "signatures": [{"sig": _b64(signature), "keyid": keyid}],
                },
            },
        )
        return bundle

    def _entry(
        self, body: bytes, kind: str, proof: str, at: datetime, change: Callable[[Stage, Any], Any]
    ) -> dict[str, Any]:
        second = proof == "inclusion"
        log_id = self.log_v2_id if second else self.log_id
        versions = {"intoto": "0.0.2", "dsse": "0.0.1", "hashedrekord": "0.0.2"}
        entry: dict[str, Any] = {
            "logIndex": str(_LEAF_INDEX if second else 1_000_000 + _LEAF_INDEX),
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": kind, "version": versions[kind]},
            "canonicalizedBody": _b64(body),
        }
        if not second:
            promise = {
                "body": _b64(body),
                "integratedTime": int(at.timestamp()),
                "logID": log_id.hex(),
                "logIndex": int(entry["logIndex"]),
            }
            entry["integratedTime"] = str(promise["integratedTime"])
            signed = _json(change("promise", promise))
            entry["inclusionPromise"] = {"signedEntryTimestamp": _b64(_sign(self.log_key, signed))}
        if proof != "SET":
            leaves = [hashlib.sha256(b"\x00" + f"{self.seed}/{n}".encode()).digest() for n in range(_TREE_SIZE)]
            leaves[_LEAF_INDEX] = hashlib.sha256(b"\x00" + body).digest()
            root, hashes = merkle(leaves, _LEAF_INDEX)
            made = change(
                "proof",
                {
                    "logIndex": str(_LEAF_INDEX),
                    "rootHash": _b64(root),
                    "treeSize": str(_TREE_SIZE),
                    "hashes": [_b64(h) for h in hashes],
                },
            )
            origin = "log2.sigstore.test" if second else "log.sigstore.test - 1234567890"
            note = f"{origin}\n{made['treeSize']}\n{made['rootHash']}\n"
            signature = self.log_v2_key.sign(note.encode()) if second else _sign(self.log_key, note.encode())
            signed_note = f"{note}\n\u2014 {origin.split()[0]} {_b64(log_id[:4] + signature)}\n"
            made["checkpoint"] = {"envelope": change("checkpoint", signed_note)}
            entry["inclusionProof"] = made
        return entry


def _changes(mutate: Mutations | None) -> Callable[[Stage, Any], Any]:
    def change(stage: Stage, value: Any) -> Any:
        return mutate[stage](value) if mutate and stage in mutate else value

    return change


def _sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True))


def _key_usage(*, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _statement(
    name: str, version: str, sha512: str, type_: str, predicate_type: str, predicate: dict[str, Any]
) -> dict[str, Any]:
    spelled = f"%40{name[1:]}" if name.startswith("@") else name
    return {
        "_type": type_,
        "subject": [{"name": f"pkg:npm/{spelled}@{version}", "digest": {"sha512": sha512}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def _build(
    slsa: str,
    issuer: str,
    repository: str,
    repository_id: str,
    owner_id: str,
    workflow: str,
    ref: str,
    commit: str,
    trigger: str,
    runner: str,
) -> tuple[str, str, dict[str, Any]]:
    """Return (statement type, predicate type, predicate) as npm writes them on GitHub and GitLab."""
    if slsa == "v1":
        return (
            "https://in-toto.io/Statement/v1",
            "https://slsa.dev/provenance/v1",
            {
                "buildDefinition": {
                    "buildType": "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
                    "externalParameters": {"workflow": {"ref": ref, "repository": repository, "path": workflow}},
                    "internalParameters": {
                        "github": {
                            "event_name": trigger,
                            "repository_id": repository_id,
                            "repository_owner_id": owner_id,
                        }
                    },
                    "resolvedDependencies": [{"uri": f"git+{repository}@{ref}", "digest": {"gitCommit": commit}}],
                },
                "runDetails": {"builder": {"id": f"https://github.com/actions/runner/{runner}"}},
            },
        )
    if issuer == GITLAB:
        kind, _, short = ref.removeprefix("refs/").partition("/")
        variable = "CI_COMMIT_TAG" if kind == "tags" else "CI_COMMIT_BRANCH"
        build_type, uri = "https://github.com/npm/cli/gitlab/v0alpha1", f"git+{repository}"
        builder, parameters = f"{repository}/-/runners/1", {"CI_COMMIT_REF_NAME": short, variable: short}
    else:
        build_type, uri = "https://github.com/npm/cli/gha/v2", f"git+{repository}@{ref}"
        builder, parameters = "https://github.com/actions/runner", {}
    return (
        "https://in-toto.io/Statement/v0.1",
        "https://slsa.dev/provenance/v0.2",
        {
            "buildType": build_type,
            "builder": {"id": builder},
            "invocation": {
                "configSource": {"uri": uri, "digest": {"sha1": commit}, "entryPoint": f"{workflow}@{ref}"},
                "parameters": parameters,
            },
            "materials": [{"uri": uri, "digest": {"sha1": commit}}],
        },
    )


def _intoto_body(payload: bytes, type_: str, label: str, signer: bytes, signature: bytes, keyid: str) -> dict[str, Any]:
    logged = {"publicKey": _b64(_pem(label, signer)), "sig": _b64(_b64(signature).encode())}
    if keyid:
        logged["keyid"] = keyid
    envelope = {"payloadType": type_, "signatures": [logged]}
    return {
        "apiVersion": "0.0.2",
        "kind": "intoto",
        "spec": {
            "content": {
                "envelope": envelope,
                "hash": {"algorithm": "sha256", "value": hashlib.sha256(_json(envelope)).hexdigest()},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            }
        },
    }


def _dsse_body(payload: bytes, label: str, signer: bytes, signature: bytes) -> dict[str, Any]:
    logged = {"signature": _b64(signature), "verifier": _b64(_pem(label, signer))}
    return {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(_json(logged)).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": [logged],
        },
    }


def _hashedrekord_body(pae: bytes, label: str, signer: bytes, signature: bytes) -> dict[str, Any]:
    name = "x509Certificate" if label == "CERTIFICATE" else "publicKey"
    verifier = {name: {"rawBytes": _b64(signer)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
    return {
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {
            "hashedRekordV002": {
                "data": {"algorithm": "SHA2_256", "digest": _b64(hashlib.sha256(pae).digest())},
                "signature": {"content": _b64(signature), "verifier": verifier},
            }
        },
    }
