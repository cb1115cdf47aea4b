"""Signing without a key to keep: sigstore's Fulcio certifies a key that lives in memory, for the identity of this job.

One certificate serves the statements of several decisions, for minutes. Every signature is logged (Rekor), and
timestamped where the configuration names an authority.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sbomgate import dsse, model
from sbomgate.errors import SigningError
from sbomgate.signing.services import Services

CERTIFIED_SECONDS = 300  # how long one certificate is used: Fulcio's are valid for 600


@dataclass(slots=True)
class Keyless:
    """A `signing.Signer` by identity.

    Args:
        services: Fulcio, a log and, for Rekor v2, a timestamp authority.
        token: returns the identity token; asked when the certificate is.

    Raises:
        SigningError: the configuration lacks a service without which nothing could be verified.
    """

    services: Services
    token: Callable[[], str] = field(repr=False)
    _certified: tuple[ec.EllipticCurvePrivateKey, bytes] | None = field(default=None, repr=False)
    _since: float = 0.0

    def __post_init__(self) -> None:
        config = self.services.config
        if config.ca is None or config.log is None:
            raise SigningError(
                "keyless signing needs a certificate authority and a transparency log, and one is not named",
                where="signing_config",
                place="caUrls, rekorTlogUrls",
            )
        if config.log[1] == 2 and not config.authorities:
            raise SigningError(
                "Rekor v2 proves no time, and no timestamp authority is named", where="signing_config", place="tsaUrls"
            )

    @property
    def identity(self) -> str:
        """`keyless, certified by URL`."""
        return f"keyless, certified by {self.services.config.ca}"

    @property
    def time_source(self) -> str:
        """The timestamp authority where one is named, else the log."""
        return model.TIMESTAMPED if self.services.config.authorities else model.LOGGED

    @property
    def is_remote(self) -> bool:
        """True: three services are asked."""
        return True

    def may_be(self, signer: model.Signer) -> bool:
        """Whether the signer is an identity: which one this job has, only the certificate tells."""
        return signer.identity is not None

    def sign(self, statement: bytes) -> bytes:
        """Return a sigstore bundle v0.3 over exactly these bytes.

        Raises:
            SigningError: there is no token, or a service is down or refuses.
        """
        key, certificate = self._certify()
        signature = key.sign(dsse.pae(dsse.PAYLOAD_TYPE, statement), ec.ECDSA(hashes.SHA256()))
        timestamps = self.services.timestamps(signature) if self.services.config.authorities else ()
        entry = self.services.entry(statement, signature, certificate)
        return dsse.write_certified_bundle(statement, signature, certificate, entry, timestamps=timestamps)

    def _certify(self) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        if self._certified is None or time.monotonic() - self._since > CERTIFIED_SECONDS:
            key = ec.generate_private_key(ec.SECP256R1())
            request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
            pem = request.public_bytes(serialization.Encoding.PEM)
            self._certified = key, self.services.certificate(self.token(), pem)
            self._since = time.monotonic()
        return self._certified
