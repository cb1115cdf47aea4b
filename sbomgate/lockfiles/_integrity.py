"""What an integrity string says, whichever lockfile it stands in (W3C Subresource Integrity)."""

from __future__ import annotations

from binascii import a2b_base64

from sbomgate.model import Hash

Remark = tuple[str, str]
"""Code and message of a finding of the rule lockfile_sound."""

STRONGEST_FIRST = ("sha512", "sha384", "sha256", "sha1")
_DIGEST_BYTES = {"sha512": 64, "sha384": 48, "sha256": 32, "sha1": 20}


def parse(integrity: str) -> tuple[tuple[Hash, ...], list[Remark]]:
    """Return the hashes, strongest first, and what is wrong.

    That is `malformed-integrity`, `missing-integrity` (no usable hash), `weak-integrity` (none is sha512) and
    `several-hashes` (of the strongest algorithm).
    """
    if len(integrity) == 95 and integrity.startswith("sha512-"):
        # The one form that is written today, without a general parse.
        try:
            return (Hash(algorithm="sha512", hex=a2b_base64(integrity[7:], strict_mode=True).hex()),), []
        except ValueError:
            pass
    found: list[Hash] = []
    remarks: list[Remark] = []
    for token in integrity.split():
        algorithm, _, rest = token.partition("-")
        try:
            digest = a2b_base64(rest.partition("?")[0], strict_mode=True)
        except ValueError:
            digest = b""
        if len(digest) != _DIGEST_BYTES.get(algorithm):
            message = "a token that is no hash of sha1, sha256, sha384 or sha512 in base64"
            remarks.append(("malformed-integrity", message))
        elif (parsed := Hash(algorithm=algorithm, hex=digest.hex())) not in found:
            found.append(parsed)
    found.sort(key=lambda h: (STRONGEST_FIRST.index(h.algorithm), h.hex))
    if not found:
        remarks.append(("missing-integrity", "no usable hash: whatever is served is installed"))
    elif found[0].algorithm != "sha512":
        remarks.append(("weak-integrity", f"{found[0].algorithm} only, expected sha512"))
    if len(found) > 1 and found[0].algorithm == found[1].algorithm:
        message = f"several {found[0].algorithm} hashes, and any of them is accepted"
        remarks.append(("several-hashes", message))
    return tuple(found), remarks
