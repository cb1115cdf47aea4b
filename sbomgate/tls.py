"""How this machine's TLS connections are made: the one place where a context comes from. A leaf."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(cafile: str | Path | None = None) -> ssl.SSLContext:
    """Return what verifies a server: against the system's certificates, or only those of `cafile` where one is named.

    Python writes the secrets of every session where SSLKEYLOGFILE says, tokens would be read from them: not here (P40).

    Raises:
        OSError, ssl.SSLError: the file cannot be read, or holds no certificates.
    """
    made = ssl.create_default_context(cafile=cafile)
    made.keylog_filename = None  # type: ignore[assignment]
    return made
