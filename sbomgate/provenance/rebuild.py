"""Attestations of rebuilders: somebody else built the package from its source, and the same came out (CASES V33).

The form is OSS Rebuild's (docs.oss-rebuild.dev/builds/ArtifactEquivalence@v0.1): lines of DSSE envelopes, signed by
one key, each an in-toto statement with SLSA provenance v1. What it says of the build itself (`Rebuild@v0.1`) is about
other bytes and is passed over. The steps:

    R1  each line is one DSSE envelope with one signature, within limits
    R2  the signature is the rebuilder's over type and payload (PAE)
    R3  an in-toto statement v1 with a SLSA provenance v1, whose builder is the rebuilder's
    R4  of the type ArtifactEquivalence: one subject with a sha512, that of the target that it was compared with

What is not checked: how the rebuilder compares. It looks through differences of archives (times, order), so that the
bytes that it built need not be the subject's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sbomgate import dsse
from sbomgate.errors import TrustError
from sbomgate.model import Rebuilder
from sbomgate.provenance._encoding import decode_base64, parse_json
from sbomgate.provenance.material import verifies

MAX_LINE_BYTES = 4 << 20
"""Bytes of one attestation: those of builds carry the whole build definition, some 100 kB."""
MAX_LINES = 100_000
"""Attestations of one rebuilder: two of each of 50,000 packages."""

EQUIVALENCE = "https://docs.oss-rebuild.dev/builds/ArtifactEquivalence@v0.1"
_PROVENANCE = "https://slsa.dev/provenance/v1"
_SHA512 = re.compile(r"[0-9a-f]{128}")


def rebuilt(rebuilders: Iterable[Rebuilder]) -> dict[str, tuple[str, ...]]:
    """Return sha512 (hex) of a tarball → the names of those who built the same from its source, sorted.

    Raises:
        TrustError: a file that the trust file names holds a line that does not hold; its place is in the message.
    """
    found: dict[str, set[str]] = {}
    for one in rebuilders:
        for sha512 in _verified(one):
            found.setdefault(sha512, set()).add(one.name)
    return {sha512: tuple(sorted(names)) for sha512, names in sorted(found.items())}


@cache
def _verified(rebuilder: Rebuilder) -> frozenset[str]:
    lines = [line for data in rebuilder.attestations for line in data.split(b"\n") if line.strip()]
    where = f"the attestations of {rebuilder.name}"
    if len(lines) > MAX_LINES:
        raise TrustError(f"{len(lines):,} lines, more than the limit of {MAX_LINES:,}", where=where)
    key = load_pem_public_key(rebuilder.public_key.encode())
    found = set()
    for number, line in enumerate(lines, 1):
        try:
            found.add(_verify(line, key, rebuilder.builder_id))
        except ValueError as e:
            raise TrustError(
                f"{e}", where=where, place=f"line {number}", hint="fetch it again, or take the line out of the file"
            ) from e
    return frozenset(found - {None})  # type: ignore[arg-type]


def _verify(line: bytes, key: object, builder_id: str) -> str | None:
    """Return the sha512 of what was rebuilt, None for an attestation of another type."""
    # (R1) one envelope, one signature
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"step R1: {len(line):,} bytes, more than the limit of {MAX_LINE_BYTES:,}")
    try:
        envelope = parse_json(line)
        payload = decode_base64(envelope["payload"])
        (signature,) = envelope["signatures"]
        signed = decode_base64(signature["sig"])
    except (ValueError, TypeError, KeyError) as e:
        raise ValueError("step R1: not one DSSE envelope with one signature") from e
    if envelope.get("payloadType") != dsse.PAYLOAD_TYPE:
        raise ValueError(f"step R1: the payload's type is not {dsse.PAYLOAD_TYPE}")
    # (R2) by the rebuilder
    if not verifies(key, signed, dsse.pae(dsse.PAYLOAD_TYPE, payload)):
        raise ValueError("step R2: the signature is not by this rebuilder's key")
    # (R3) a statement of a known kind, by this builder
    statement = parse_json(payload)
    if not isinstance(statement, dict) or statement.get("_type") != dsse.STATEMENT_TYPE:
        raise ValueError("step R3: not an in-toto statement v1")
    if statement.get("predicateType") != _PROVENANCE:
        raise ValueError(f"step R3: the predicate is not {_PROVENANCE}")
    definition = _object(statement, "predicate", "buildDefinition")
    builder = _object(statement, "predicate", "runDetails", "builder").get("id")
    if builder != builder_id:
        raise ValueError(f"step R3: the builder is {str(builder)[:200]!a}, expected {builder_id!a}")
    # (R4) the comparison, and what was compared
    if definition.get("buildType") != EQUIVALENCE:
        return None
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise ValueError("step R4: not one subject")
    sha512 = _sha512(subjects[0])
    target = _object(definition, "externalParameters").get("target")
    compared = definition.get("resolvedDependencies")
    named = [
        one
        for one in (compared if isinstance(compared, list) else [])
        if isinstance(one, dict) and one.get("name") == target
    ]
    if not isinstance(target, str) or len(named) != 1 or sha512 is None or _sha512(named[0]) != sha512:
        raise ValueError("step R4: the subject's sha512 is not that of the target that it was compared with")
    return sha512


def _object(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = value
    for name in names:
        found = found.get(name)
        if not isinstance(found, dict):
            return {}
    return found  # type: ignore[no-any-return]


def _sha512(value: object) -> str | None:
    digest = value.get("digest") if isinstance(value, dict) else None
    found = digest.get("sha512") if isinstance(digest, dict) else None
    return found if isinstance(found, str) and _SHA512.fullmatch(found) else None
