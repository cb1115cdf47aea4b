"""The services that sign, as sigstore's signing configuration names them: Fulcio, Rekor v1 and v2, RFC 3161.

What they answer is not believed here: whoever signs verifies the finished bundle against the trust file before it
counts. Sources: protobuf-specs `SigningConfig` v0.2; Fulcio's and Rekor's own API definitions; RFC 3161 section 3.4
(HTTP).
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from sbomgate import dsse
from sbomgate.addresses import LOCAL, packed_once
from sbomgate.errors import EvidenceError, SigningError, TrustError

if TYPE_CHECKING:
    import httpx

MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
MAX_CONFIG_BYTES = 1 << 20  # the public one has 1 kB
MAX_ANSWER_BYTES = 1 << 20  # a certificate chain has 3 kB, a log entry 10 kB, a timestamp 5 kB
PAUSES = (1.0, 4.0)  # seconds before the second and the third attempt at a service that is down

_ENTRY = (
    "logIndex",
    "logId",
    "kindVersion",
    "integratedTime",
    "inclusionPromise",
    "inclusionProof",
    "canonicalizedBody",
)  # what a log entry of a bundle holds; nothing else that a log says is stored
_AGAIN = (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningConfig:
    """Where to sign, as it holds at one time.

    Attributes:
        ca: Fulcio's URL, or None where none is named.
        log: Rekor's URL and the major version of its interface (1 or 2), or None.
        authorities: the timestamp authorities to ask, all of them: whole URLs.
    """

    ca: str | None
    log: tuple[str, int] | None
    authorities: tuple[str, ...]


def parse(data: bytes, *, now: datetime, where: str = "signing_config") -> SigningConfig:
    """Return the services that a signing configuration names and that are in use at `now`; of two logs the newer kind.

    Raises:
        TrustError: it is not one of version 0.2, names no service, wants more than one log entry, or a URL is neither
            https nor on loopback.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise TrustError(f"larger than the limit of {MAX_CONFIG_BYTES} bytes", where=where)
    try:
        found = dsse.loads(data, where)
    except EvidenceError as e:
        raise TrustError(e.message, where=where) from e
    if not isinstance(found, dict) or found.get("mediaType") != MEDIA_TYPE:
        raise TrustError(f"not of the media type {MEDIA_TYPE}", where=where, place="mediaType")
    try:
        ca = _in_use(found, "caUrls", (1,), now)
        logs = _in_use(found, "rekorTlogUrls", (2, 1), now)
        authorities = _in_use(found, "tsaUrls", (1,), now)
        if _count(found, "rekorTlogConfig", logs) > 1:
            raise ValueError("rekorTlogConfig: more than one log entry is wanted, and evidence carries one")
        wanted = _count(found, "tsaConfig", authorities)
        if wanted > len(authorities):
            raise ValueError(f"tsaConfig: {wanted} timestamps are wanted, {len(authorities)} authorities are in use")
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        why = f"{e.args[0]!r} is missing" if isinstance(e, KeyError) else str(e)
        raise TrustError(f"not a signing configuration: {why}", where=where) from e
    if not (ca or logs or authorities):
        raise TrustError("it names no service that is in use", where=where)
    return SigningConfig(
        ca=ca[0][0] if ca else None,
        log=logs[0] if logs else None,
        authorities=tuple(url for url, _ in authorities[:wanted]),
    )


def _in_use(found: Mapping[str, Any], name: str, versions: tuple[int, ...], now: datetime) -> list[tuple[str, int]]:
    services: list[tuple[int, int, str, int]] = []
    for one in found.get(name) or ():
        window, url, version = one["validFor"], one["url"], one["majorApiVersion"]
        start, end = _time(window["start"]), window.get("end")
        if version not in versions or not start <= now or (end is not None and now > _time(end)):
            continue
        parts = urlsplit(url)
        local = parts.hostname in LOCAL
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError(f"{name}: {url!r} is neither https nor on loopback")
        if parts.username or parts.query or parts.fragment:
            raise ValueError(f"{name}: the URL has a user, a query or a fragment")
        services.append((versions.index(version), len(services), url.rstrip("/"), version))
    return [(url, version) for _, _, url, version in sorted(services)]


def _time(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return value.astimezone(UTC)


def _count(found: Mapping[str, Any], name: str, services: list[tuple[str, int]]) -> int:
    """Return how many of the services have to be asked."""
    config = found.get(name) or {}
    match config.get("selector", "ANY"):
        case "ANY":
            return min(1, len(services))
        case "ALL":
            return len(services)
        case "EXACT" if isinstance(config.get("count"), int) and config["count"] > 0:
            return int(config["count"])
        case other:
            raise ValueError(f"{name}.selector: got {other!r}, expected ANY, ALL or EXACT with a count")


@dataclass(frozen=True, slots=True)
class Services:
    """Asks the services of one configuration."""

    config: SigningConfig
    client: httpx.Client

    def certificate(self, token: str, request: bytes) -> bytes:
        """Return the certificate (DER) that Fulcio issues for a certificate request (PEM) to the holder of a token.

        Raises:
            SigningError: it issues none.
        """
        if self.config.ca is None:
            raise SigningError("the signing configuration names no certificate authority", place="caUrls")
        url = f"{self.config.ca}/api/v2/signingCert"
        answer = self._json(
            url,
            {
                "credentials": {"oidcIdentityToken": token},
                "certificateSigningRequest": base64.b64encode(request).decode(),
            },
            (200, 201),
            f"{_words_of(token)}; it must be fresh, for the audience and by an issuer that this service accepts",
        )
        match answer:
            case {"signedCertificateEmbeddedSct": {"chain": {"certificates": [str(pem), *_]}}}:
                return _der(pem, url)
            case {"signedCertificateDetachedSct": _}:
                raise SigningError(
                    "issues certificates without a log's timestamp inside, which nobody accepts", where=url
                )
            case _:
                raise SigningError("its answer holds no certificate", where=url)

    def entry(self, payload: bytes, signature: bytes, certificate: bytes) -> dict[str, Any]:
        """Return the log's entry about a signature, as protobuf-specs' `TransparencyLogEntry` in JSON.

        Raises:
            SigningError: the log does not take it.
        """
        if self.config.log is None:
            raise SigningError("the signing configuration names no transparency log", place="rekorTlogUrls")
        url, version = self.config.log
        ask = self._entry_v2 if version == 2 else self._entry_v1
        return ask(url, payload, signature, certificate)

    def _entry_v2(self, url: str, payload: bytes, signature: bytes, certificate: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(dsse.pae(dsse.PAYLOAD_TYPE, payload)).digest()
        verifier = {"x509Certificate": {"rawBytes": _b64(certificate)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        asked = {
            "hashedRekordRequestV002": {
                "digest": _b64(digest),
                "signature": {"content": _b64(signature), "verifier": verifier},
            }
        }
        answer = self._json(f"{url}/api/v2/log/entries", asked, (200, 201))
        if not isinstance(answer, dict):
            raise SigningError("its answer is no log entry", where=url)
        return {name: answer[name] for name in _ENTRY if name in answer}

    def _entry_v1(self, url: str, payload: bytes, signature: bytes, certificate: bytes) -> dict[str, Any]:
        envelope = orjson.dumps(dsse.envelope(payload, signature)).decode()
        verifiers = [_b64(_pem(certificate))]
        asked = {
            "kind": "dsse",
            "apiVersion": "0.0.1",
            "spec": {"proposedContent": {"envelope": envelope, "verifiers": verifiers}},
        }
        answer = self._json(f"{url}/api/v1/log/entries", asked, (200, 201))
        try:
            ((_, found),) = answer.items()
            verification, body = found["verification"], found["body"]
            proof = verification["inclusionProof"]
            return {
                "logIndex": str(found["logIndex"]),
                "logId": {"keyId": _b64(bytes.fromhex(found["logID"]))},
                "kindVersion": {"kind": "dsse", "version": "0.0.1"},
                "integratedTime": str(found["integratedTime"]),
                "inclusionPromise": {"signedEntryTimestamp": verification["signedEntryTimestamp"]},
                "inclusionProof": {
                    "logIndex": str(proof["logIndex"]),
                    "treeSize": str(proof["treeSize"]),
                    "rootHash": _b64(bytes.fromhex(proof["rootHash"])),
                    "hashes": [_b64(bytes.fromhex(one)) for one in proof["hashes"]],
                    "checkpoint": {"envelope": proof["checkpoint"]},
                },
                "canonicalizedBody": body,
            }
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise SigningError("its answer is no log entry", where=url) from e

    def timestamps(self, signature: bytes) -> tuple[bytes, ...]:
        """Return each authority's RFC 3161 answer (DER) about a signature. They are verified with the bundle.

        Raises:
            SigningError: one does not answer, or refuses.
        """
        from rfc3161_client import TimestampRequestBuilder

        if not self.config.authorities:
            raise SigningError("the signing configuration names no timestamp authority", place="tsaUrls")
        request = TimestampRequestBuilder().data(signature).nonce(nonce=True).build().as_bytes()
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        return tuple(self._post(url, request, headers, (200, 201)) for url in self.config.authorities)

    def _json(self, url: str, value: Any, expected: tuple[int, ...], hint: str = "") -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = self._post(url, orjson.dumps(value), headers, expected, hint)
        try:
            return dsse.loads(answer, url)
        except EvidenceError as e:
            raise SigningError(f"its answer is {e.message}", where=url) from e

    def _post(self, url: str, data: bytes, headers: dict[str, str], expected: tuple[int, ...], hint: str = "") -> bytes:
        """Post, and try again where the service is down for the moment; `hint`: what to do where it refuses."""
        import httpx

        from sbomgate import tls

        for pause in (*PAUSES, None):
            try:
                with self.client.stream("POST", url, content=data, headers=headers) as response:
                    status = response.status_code
                    if not packed_once(response.headers.get("content-encoding")):
                        raise SigningError("answers in an encoding that nobody asked for", where=url)
                    answer = b""
                    for chunk in response.iter_bytes():
                        answer += chunk
                        if len(answer) > MAX_ANSWER_BYTES:
                            raise SigningError(f"answers more than {MAX_ANSWER_BYTES} bytes", where=url)
            except (httpx.HTTPError, httpx.InvalidURL) as e:
                if tls.is_untrusted(e):
                    raise SigningError(
                        "shows a certificate that is not trusted", where=url, hint=tls.UNTRUSTED_HINT
                    ) from e
                if pause is None:
                    raise SigningError(f"cannot be reached ({type(e).__name__})", where=url, hint=_LATER) from e
            else:
                if status in expected:
                    return answer
                if status not in _AGAIN:
                    raise SigningError(f"refuses: HTTP {status}{_said(answer)}", where=url, hint=hint)
                if pause is None:
                    raise SigningError(f"is down: HTTP {status}", where=url, hint=_LATER)
            time.sleep(pause)
        raise AssertionError("not reached")


_LATER = "try again when the service is up"


def _words_of(token: str) -> str:
    """Return what a token says of itself: nothing that is secret, and what a refusal is mostly about."""
    from sbomgate import id_token

    try:
        return f"the token is {id_token.words_of(token)}"
    except EvidenceError:
        return "the token cannot be read"


def _said(answer: bytes) -> str:
    """Return the message in a service's refusal, as far as it is one: short, and nothing that looks like a token."""
    found = re.search(rb'"message"\s*:\s*"([^"\\]{1,200})', answer)
    if found is None or not found[1].isascii():
        return ""
    return f" ({re.sub(r'[A-Za-z0-9_.-]{60,}', '…', found[1].decode())})"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _pem(certificate: bytes) -> bytes:
    text = _b64(certificate)
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", "")).encode()


def _der(pem: str, url: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    except (ValueError, TypeError) as e:
        raise SigningError("its answer holds no certificate that can be read", where=url) from e
