"""Registry signatures over name@version:integrity."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest

from sbomgate.model import RegistrySignature, SignatureState
from sbomgate.provenance import Verifier
from testkit.sigstore import TestSigstore

from .conftest import NOW

INTEGRITY = "sha512-" + base64.b64encode(b"\xc0" * 64).decode()
OTHER = "sha512-" + base64.b64encode(b"\xc1" * 64).decode()
SHA1 = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="
LONG_AGO = NOW - timedelta(days=2 * 365)
VERIFIED, INVALID, UNKNOWN = SignatureState.VERIFIED, SignatureState.INVALID, SignatureState.UNKNOWN


def signed(sigstore: TestSigstore, integrity: str = INTEGRITY, *, retired: bool = False) -> RegistrySignature:
    return RegistrySignature(**sigstore.registry_signature("@a/b", "1.0.0", integrity, retired=retired))


def check(verifier: Verifier, *signatures: RegistrySignature, **changes: Any) -> tuple[SignatureState, str]:
    arguments: dict[str, Any] = {
        "word_integrity": INTEGRITY,
        "name": "@a/b",
        "version": "1.0.0",
        "integrity": INTEGRITY,
        "time": NOW,
        **changes,
    }
    found = verifier.verify_signature(arguments.pop("word_integrity"), signatures, **arguments)
    return found.state, found.reason


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, VERIFIED),
        ({"name": "a"}, INVALID),
        ({"version": "1.0.1"}, INVALID),
        ({"integrity": OTHER}, INVALID),
        ({"integrity": OTHER, "word_integrity": OTHER}, INVALID),
        ({"integrity": f"{SHA1} {INTEGRITY}"}, VERIFIED),
        ({"integrity": f"{OTHER} {INTEGRITY}"}, UNKNOWN),
        ({"integrity": SHA1}, UNKNOWN),
        ({"integrity": SHA1, "word_integrity": None}, INVALID),
        ({"integrity": SHA1, "word_integrity": OTHER}, INVALID),
        ({"integrity": ""}, UNKNOWN),
        ({"name": "\ud800"}, INVALID),
    ],
)
def test_what_is_signed_is_what_the_lockfile_binds(
    changes: dict[str, Any], expected: SignatureState, sigstore: TestSigstore, verifier: Verifier
) -> None:
    state, reason = check(verifier, signed(sigstore), **changes)
    assert state is expected, reason


@pytest.mark.parametrize(
    ("retired", "time", "registry_time", "expected", "says"),
    [
        (False, NOW, None, VERIFIED, "time: publish attestation"),
        (False, None, NOW, VERIFIED, "time: registry (unsigned)"),
        (False, None, None, VERIFIED, "no time says when"),
        (False, LONG_AGO, None, INVALID, "time: publish attestation"),
        (False, None, LONG_AGO, INVALID, "time: registry (unsigned)"),
        (True, LONG_AGO, None, VERIFIED, "time: publish attestation"),
        (True, None, LONG_AGO, VERIFIED, "time: registry (unsigned)"),
        (True, NOW, None, INVALID, "time: publish attestation"),
        (True, NOW, LONG_AGO, INVALID, "time: publish attestation"),
        (True, None, NOW, INVALID, "time: registry (unsigned)"),
        (True, None, None, UNKNOWN, "no time says when"),
    ],
)
def test_a_key_is_judged_at_the_time_of_the_log(
    retired: bool,
    time: datetime | None,
    registry_time: datetime | None,
    expected: SignatureState,
    says: str,
    sigstore: TestSigstore,
    verifier: Verifier,
) -> None:
    """P25, V26: a retired key still verifies old bytes; no time is not a valid time; an unsigned one is labelled."""
    state, reason = check(verifier, signed(sigstore, retired=retired), time=time, registry_time=registry_time)
    assert state is expected, reason
    assert says in reason


def test_absent_unknown_and_malformed(sigstore: TestSigstore, verifier: Verifier) -> None:
    good = signed(sigstore)
    stranger = RegistrySignature(keyid="SHA256:stranger", sig=good.sig)
    assert check(verifier)[0] is SignatureState.ABSENT
    assert check(verifier, stranger)[0] is UNKNOWN
    assert check(verifier, stranger, good)[0] is VERIFIED
    assert check(verifier, RegistrySignature(keyid=good.keyid, sig=good.sig[:-4]))[0] is INVALID
    assert check(verifier, RegistrySignature(keyid=good.keyid, sig="!"))[0] is INVALID
    assert check(verifier, RegistrySignature(keyid=good.keyid, sig=""))[0] is INVALID
    assert check(verifier, good, signed(sigstore, OTHER))[0] is INVALID
    assert check(verifier, *[good] * 17)[0] is INVALID


def test_what_the_registry_signed_instead_is_named(sigstore: TestSigstore, verifier: Verifier) -> None:
    state, reason = check(verifier, signed(sigstore, OTHER), word_integrity=OTHER)
    assert state is INVALID
    assert reason.startswith(f"the registry signed {OTHER[:24]}")


@pytest.mark.parametrize(("over", "word"), [("", ""), ("None", None)])
def test_a_signature_over_no_integrity_is_none(
    over: str, word: str | None, sigstore: TestSigstore, verifier: Verifier
) -> None:
    assert check(verifier, signed(sigstore, over), word_integrity=word)[0] is INVALID


def test_a_key_for_attestations_signs_no_packages(sigstore: TestSigstore) -> None:
    import json

    keys = {"keys": [k for k in sigstore.registry_keys()["keys"] if k["keyUsage"] == "npm:attestations"]}
    verifier = Verifier.from_material(sigstore.trusted_root_json(), json.dumps(keys).encode(), ("https://issuer",))
    assert check(verifier, signed(sigstore))[0] is UNKNOWN
