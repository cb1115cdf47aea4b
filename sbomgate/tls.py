"""How this machine's TLS connections are made: the one place where a context comes from. A leaf."""

from __future__ import annotations

import ssl
from pathlib import Path

from sbomgate.errors import UsageError

UNTRUSTED_HINT = "NODE_EXTRA_CA_CERTS names a file with the authority that certified it"


def client_context(cafile: str | Path | None = None) -> ssl.SSLContext:
    """Return what verifies a server: against the system's certificates, or only those of `cafile` where one is named.

    Python writes the secrets of every session where SSLKEYLOGFILE says, tokens would be read from them: not here (P40).

    Raises:
        OSError, ssl.SSLError: the file cannot be read, or holds no certificates.
    """
    made = ssl.create_default_context(cafile=cafile)
    made.keylog_filename = None  # type: ignore[assignment]
    return made


def is_untrusted(error: Exception) -> bool:
    """Whether an exchange ended since a certificate is not trusted: the text of a TLS error names the fault."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def public_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return what verifies the servers of others.

    Args:
        ca_file: PEM file of certificate authorities to trust beside the system's and certifi's.

    Raises:
        UsageError: the file cannot be read, or holds no certificates.
    """
    import certifi

    # The system's store holds what a company added to it; certifi's helps where the system has none.
    made = client_context()
    made.load_verify_locations(cafile=certifi.where())
    if ca_file is not None:
        try:
            made.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as e:
            raise UsageError("holds no certificates", where=ca_file, hint="correct NODE_EXTRA_CA_CERTS") from e
    return made
