"""Signing with a key that only a command reaches: a KMS, a hardware token, a signing server.

The command gets the bytes to sign (DSSE's pre-authentication encoding) on its standard input and writes the signature
to its standard output, raw or in base64: ECDSA P-256 with SHA-256 as DER, or Ed25519. What it writes is believed only
as far as the public key in the trust file verifies it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sbomgate import dsse, model
from sbomgate.errors import SigningError
from sbomgate.signing import Timestamps
from sbomgate.signing.local_key import hint
from sbomgate.signing.verify import signed_by

MAX_SIGNATURE_BYTES = 4096  # an ECDSA signature has 72 bytes, 96 in base64
MAX_SECONDS = 120  # how long a command may take: a person may have to touch a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A `signing.Signer` by a command.

    Attributes:
        command: program and arguments; no shell reads them.
        signers: whose key it may be, as the trust file names them: the signature tells.
        environment: of the command.
        timestamps: who says when, or None.
    """

    command: Sequence[str]
    signers: Sequence[model.Signer]
    environment: Mapping[str, str] = field(repr=False)
    timestamps: Timestamps | None = None

    @property
    def identity(self) -> str:
        """`a key behind PROGRAM`."""
        return f"a key behind {self.command[0]}"

    @property
    def time_source(self) -> str:
        """`timestamp-authority` where one is asked, else `self-declared`."""
        return model.SELF_DECLARED if self.timestamps is None else model.TIMESTAMPED

    @property
    def is_remote(self) -> bool:
        """True: what is behind the command may be down."""
        return True

    def may_be(self, signer: model.Signer) -> bool:
        """Whether the signer has a key: which of them this is, only the signature tells."""
        return signer.key_id is not None

    def sign(self, statement: bytes) -> bytes:
        """Return a sigstore bundle v0.3 over exactly these bytes.

        Raises:
            SigningError: the command failed, took too long, or wrote something else than a signature by such a key.
        """
        written = self._run(dsse.pae(dsse.PAYLOAD_TYPE, statement))
        for signature in _readings(written):
            for signer in self.signers:
                if signer.key_id is not None and signed_by(signer, signature, statement):
                    answers = () if self.timestamps is None else self.timestamps(signature)
                    return dsse.write_bundle(statement, signature, hint(signer.key_id), timestamps=answers)
        raise SigningError(
            f"wrote {len(written)} bytes: no signature over what it was given, by a key that the trust file accepts",
            where=self.command[0],
            hint="it must sign its standard input with SHA-256, and write DER or base64 of it",
        )

    def _run(self, data: bytes) -> bytes:
        # A file, not a pipe: a command that writes before it has read all would wait for us, and we for it.
        with tempfile.TemporaryFile() as given:
            given.write(data)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    list(self.command), stdin=given, stdout=subprocess.PIPE, env=dict(self.environment)
                )
            except (OSError, ValueError) as e:
                reason = getattr(e, "strerror", None) or str(e)
                raise SigningError(f"cannot be started: {reason.lower()}", where=self.command[0]) from e
            timer = threading.Timer(MAX_SECONDS, process.kill)
            timer.start()
            try:
                assert process.stdout is not None  # noqa: S101 - it is a pipe
                written = process.stdout.read(MAX_SIGNATURE_BYTES + 1)
                if len(written) > MAX_SIGNATURE_BYTES:
                    raise SigningError(f"wrote more than {MAX_SIGNATURE_BYTES} bytes", where=self.command[0])
                code = process.wait()
            finally:
                timer.cancel()
                with contextlib.suppress(OSError):
                    process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
        if code != 0:
            what = f"was ended after {MAX_SECONDS} seconds" if code == -9 else f"exited with {code}"
            raise SigningError(what, where=self.command[0], hint="its own message, if any, stands above")
        return written


def _readings(written: bytes) -> list[bytes]:
    """Return what the bytes may mean: a raw signature, or base64 of one. The key tells which."""
    found = [written]
    with contextlib.suppress(binascii.Error, ValueError):
        found.append(base64.b64decode(b"".join(written.split()), validate=True))
    return found
