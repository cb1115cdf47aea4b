"""The registry's answer as a whole: one state per predicate, whatever the document."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbomgate.errors import ProvenanceError
from sbomgate.model import AttestationState, Claims
from sbomgate.provenance import DEFAULT_ISSUERS, MAX_ATTESTATIONS, MAX_DOCUMENT_BYTES, Attestations, Verifier, purl
from testkit.sigstore import GITHUB, GITLAB, PUBLISH, TestSigstore

from .conftest import NOW, SHA512

VERIFIED, UNATTESTED = AttestationState.VERIFIED, AttestationState.UNATTESTED
INVALID, CANNOT = AttestationState.INVALID, AttestationState.CANNOT_VERIFY
SLSA = "https://slsa.dev/provenance/v1"
REBUILD = "https://docs.oss-rebuild.dev/builds/Rebuild@v0.1"


def check(verifier: Verifier, document: bytes, sha512: str | None = SHA512) -> Attestations:
    return verifier.verify(document, name="@a/b", version="1.0.0", sha512=sha512)


FLAVOURS = [
    (issuer, slsa, bundle, entry, proof)
    for issuer, slsa, bundle, entry, proof in product(
        (GITHUB, GITLAB),
        ("v1", "v0.2"),
        ("v0.1", "v0.2", "v0.3"),
        ("dsse", "intoto", "hashedrekord"),
        ("inclusion+SET", "SET", "inclusion"),
    )
    if proof != "SET" or bundle == "v0.1"
]


@pytest.mark.parametrize("flavour", FLAVOURS, ids=["-".join((f[0].rpartition("/")[2], *f[1:])) for f in FLAVOURS])
def test_every_flavour_is_accepted(flavour: tuple[str, ...], sigstore: TestSigstore, verifier: Verifier) -> None:
    """V25: SLSA v0.2 and v1, every bundle version, log entry and proof; the proof's strength is said (V28)."""
    issuer, slsa, bundle, entry, proof = flavour
    where = "https://gitlab.com/o/r" if issuer == GITLAB else "https://github.com/o/r"
    how: dict[str, Any] = {"bundle": bundle, "entry": entry, "proof": proof}
    document = sigstore.attestations_document(
        [
            sigstore.publish("@a/b", "1.0.0", SHA512, **how),
            sigstore.provenance(
                "@a/b", "1.0.0", SHA512, issuer=issuer, slsa="v1" if slsa == "v1" else "v0.2", repository=where, **how
            ),
        ]
    )
    found = check(verifier, document)
    assert (found.publish.state, found.provenance.state) == (VERIFIED, VERIFIED), found
    assert found.publish.log_proof == found.provenance.log_proof == proof
    assert found.publish.log_time == found.provenance.log_time == NOW
    assert found.publish.claims is None
    assert found.provenance.claims is not None
    assert found.provenance.claims.repository == where


def test_claims_come_from_the_certificate(sigstore: TestSigstore, verifier: Verifier) -> None:
    bundle = sigstore.provenance(
        "@a/b",
        "1.0.0",
        SHA512,
        repository="https://github.com/axios/axios",
        repository_id="23088740",
        owner_id="32372333",
        ref="refs/pull/1/merge",
        trigger="pull_request_target",
        runner="self-hosted",
    )
    found = check(verifier, sigstore.attestations_document([bundle])).provenance
    identity = "https://github.com/axios/axios/.github/workflows/publish.yml@refs/pull/1/merge"
    assert found.state is VERIFIED  # V16, V19: whether that is acceptable is for a rule to say
    assert found.claims == Claims(
        issuer=GITHUB,
        identity=identity,
        repository="https://github.com/axios/axios",
        repository_id="23088740",
        owner="https://github.com/axios",
        owner_id="32372333",
        workflow=".github/workflows/publish.yml",
        ref="refs/pull/1/merge",
        commit="0123456789abcdef0123456789abcdef01234567",
        trigger="pull_request_target",
        runner="self-hosted",
        builder=identity,
    )


def test_a_tag_may_hold_an_at_sign(sigstore: TestSigstore, verifier: Verifier) -> None:
    """Monorepos tag their packages `@scope/name@1.0.0`: the workflow's path must not change with the version."""
    for slsa in ("v1", "v0.2"):
        bundle = sigstore.provenance(
            "@a/b", "1.0.0", SHA512, ref="refs/tags/@a/b@1.0.0", slsa="v1" if slsa == "v1" else "v0.2"
        )
        found = check(verifier, sigstore.attestations_document([bundle])).provenance
        assert found.claims is not None, found.reason
        assert (found.claims.workflow, found.claims.ref) == (".github/workflows/publish.yml", "refs/tags/@a/b@1.0.0")


def test_a_certificate_of_2023_leaves_unknown_what_it_does_not_say(sigstore: TestSigstore, verifier: Verifier) -> None:
    bundle = sigstore.provenance("@a/b", "1.0.0", SHA512, slsa="v0.2", claims="2023")
    claims = check(verifier, sigstore.attestations_document([bundle])).provenance.claims
    assert claims is not None
    assert (claims.repository, claims.workflow) == (
        "https://github.com/example/project",
        ".github/workflows/publish.yml",
    )
    assert (claims.runner, claims.repository_id, claims.owner_id, claims.builder) == (None, None, None, None)


def test_a_reusable_workflow_of_others_is_the_signer_and_not_the_workflow(
    sigstore: TestSigstore, verifier: Verifier
) -> None:
    """The builder of slsa-github-generator signs; the repository's own workflow is the build configuration."""
    shared = "https://github.com/slsa-framework/generator/.github/workflows/builder.yml@refs/tags/v1.6.0"
    from cryptography import x509

    bundle = sigstore.provenance(
        "@a/b",
        "1.0.0",
        SHA512,
        mutate={
            "identity": lambda _: [x509.UniformResourceIdentifier(shared)],
            "claims": lambda claims: {**claims, 9: shared},
        },
    )
    claims = check(verifier, sigstore.attestations_document([bundle])).provenance.claims
    assert claims is not None
    assert (claims.identity, claims.builder, claims.workflow) == (shared, shared, ".github/workflows/publish.yml")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        # a workflow that the organisation demands lies in another repository: said in full
        (
            {18: "https://github.com/o/policy/.github/workflows/w.yml@refs/heads/main"},
            "https://github.com/o/policy/.github/workflows/w.yml",
        ),
        (
            {18: "https://github.com/example/project-evil/w.yml@refs/heads/main"},
            "https://github.com/example/project-evil/w.yml",
        ),
        ({18: "https://github.com/example/project/w.yml@refs/tags/@a/b@1.0.0"}, "w.yml"),
        ({18: "https://github.com/example/project/@refs/heads/main"}, None),
    ],
)
def test_the_workflow_is_a_path_in_the_repository(
    claims: dict[int, str], expected: str | None, sigstore: TestSigstore, verifier: Verifier
) -> None:
    bundle = sigstore.provenance("@a/b", "1.0.0", SHA512, mutate={"claims": lambda c: {**c, **claims}})
    found = check(verifier, sigstore.attestations_document([bundle])).provenance.claims
    assert found is not None
    assert found.workflow == expected


MALFORMED = {
    "empty": b"",
    "not JSON": b"<html>",
    "truncated": b'{"attestations": [',
    "an array": b"[]",
    "no list": b'{"attestations": {}}',
    "error of the registry": b'{"error": "not found"}',
    "duplicate key": b'{"attestations": [], "attestations": []}',
    "NaN": b'{"attestations": [], "x": NaN}',
    "infinity": b'{"attestations": [], "x": 1e999}',
    "UTF-16": '{"attestations": []}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"attestations": []}',
    "bad UTF-8": b'{"attestations": [], "x": "\xff"}',
    "lone surrogate": b'{"attestations": [], "x": "\\ud800"}',
    "huge integer": b'{"attestations": [], "x": 123456789012345678901234567890}',
    "deep": b'{"attestations": [], "x": ' + b"[" * 400 + b"]" * 400 + b"}",
    "deeper": b'{"attestations": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "item that is no object": b'{"attestations": [1]}',
    "item without a label": b'{"attestations": [{"bundle": {}}]}',
    "item with a label that is no string": b'{"attestations": [{"predicateType": 1, "bundle": {}}]}',
    "too many": json.dumps({"attestations": [{"predicateType": "x"}] * (MAX_ATTESTATIONS + 1)}).encode(),
    "too large": b'{"attestations": []}' + b" " * MAX_DOCUMENT_BYTES,
}


@pytest.mark.parametrize("document", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_is_invalid_for_both(document: bytes, verifier: Verifier) -> None:
    """P1, P9: no single meaning, or over a limit."""
    found = check(verifier, document)
    assert found.publish == found.provenance
    assert found.publish.state is INVALID
    assert found.publish.reason.startswith("step 0: ")


def test_absent_predicates_are_unattested_and_said_so(sigstore: TestSigstore, verifier: Verifier) -> None:
    only_publish = check(verifier, sigstore.attestations_document([sigstore.publish("@a/b", "1.0.0", SHA512)]))
    assert (only_publish.publish.state, only_publish.provenance.state) == (VERIFIED, UNATTESTED)  # V24
    assert "no SLSA provenance among them" in only_publish.provenance.reason
    nothing = check(verifier, b'{"attestations": []}')
    missing = AttestationState.ADVERTISED_MISSING  # P6: it is only asked for where it is advertised
    assert (nothing.publish.state, nothing.provenance.state) == (missing, missing)
    rebuilt = check(verifier, json.dumps({"attestations": [{"predicateType": REBUILD, "bundle": {}}]}).encode())
    assert rebuilt.provenance.state is UNATTESTED  # V33
    assert REBUILD in rebuilt.provenance.reason


def test_a_label_without_a_bundle_is_advertised_missing(verifier: Verifier) -> None:
    """P6, V07: named and not there is not the same as unattested."""
    document = json.dumps({"attestations": [{"predicateType": SLSA}, {"predicateType": PUBLISH, "bundle": None}]})
    found = check(verifier, document.encode())
    assert {found.publish.state, found.provenance.state} == {AttestationState.ADVERTISED_MISSING}


@pytest.mark.parametrize("label", [REBUILD, "", "https://slsa.dev/provenance/v0.2", PUBLISH])
def test_another_label_hides_no_provenance(label: str, sigstore: TestSigstore, verifier: Verifier) -> None:
    """V08: what is signed decides what it is; a registry cannot relabel it into nothing."""
    document = sigstore.attestations_document([(label, sigstore.provenance("@a/b", "1.0.0", SHA512))])
    found = check(verifier, document)
    judged = found.publish if label == PUBLISH else found.provenance
    assert judged.state is INVALID
    assert judged.reason.startswith("step 5e" if label == PUBLISH else "step 7a")


@pytest.mark.parametrize("label", ["https://slsa.dev/provenance/v2", PUBLISH.replace("v0.1", "v0.2")])
def test_an_unknown_predicate_version_cannot_be_verified(label: str, verifier: Verifier) -> None:
    """P7"""
    document = json.dumps({"attestations": [{"predicateType": label, "bundle": {"mediaType": "x"}}]}).encode()
    found = check(verifier, document)
    assert {found.publish.state, found.provenance.state} == {CANNOT, UNATTESTED}


def test_without_a_sha512_nothing_is_bound(sigstore: TestSigstore, verifier: Verifier) -> None:
    document = sigstore.attestations_document([sigstore.publish("@a/b", "1.0.0", SHA512)])
    found = check(verifier, document, sha512=None).publish
    assert (found.state, found.reason) == (CANNOT, "step 7c: the lockfile has no sha512 to bind it to")


def test_of_several_all_must_hold(sigstore: TestSigstore, verifier: Verifier) -> None:
    good = sigstore.provenance("@a/b", "1.0.0", SHA512)
    weak = sigstore.provenance("@a/b", "1.0.0", SHA512, bundle="v0.1", proof="SET", time=NOW + timedelta(hours=1))
    other_commit = sigstore.provenance("@a/b", "1.0.0", SHA512, commit="f" * 40)
    other_package = sigstore.provenance("other", "1.0.0", SHA512)
    unknown = {**good, "mediaType": "application/vnd.dev.sigstore.bundle.v0.9+json"}

    def judge(*bundles: dict[str, Any]) -> Any:
        return check(verifier, sigstore.attestations_document(bundles)).provenance

    both = judge(weak, good)
    assert (both.state, both.log_proof, both.log_time) == (VERIFIED, "SET", NOW + timedelta(hours=1))
    assert both == judge(good, weak)
    assert judge(good, other_package).state is INVALID
    assert judge(other_package, unknown).state is INVALID
    assert judge(good, unknown).state is CANNOT  # P7: an unknown version is never invalid
    differ = judge(good, other_commit)
    assert (differ.state, differ.claims, differ.log_time) == (INVALID, None, None)
    assert differ.reason.startswith("step 9c")


def test_one_bad_predicate_leaves_the_other_its_own_state(sigstore: TestSigstore, verifier: Verifier) -> None:
    document = sigstore.attestations_document(
        [sigstore.publish("@a/b", "1.0.0", SHA512), sigstore.provenance("@a/b", "1.0.1", SHA512)]
    )
    found = check(verifier, document)
    assert (found.publish.state, found.provenance.state) == (VERIFIED, INVALID)


def test_the_same_document_gives_the_same_value(sigstore: TestSigstore, verifier: Verifier) -> None:
    """P38; the digest of a bundle does not depend on the spelling of the JSON around it."""
    bundle = sigstore.provenance("@a/b", "1.0.0", SHA512)
    document = sigstore.attestations_document([bundle])
    shuffled = json.dumps(
        {"attestations": [{"bundle": dict(reversed(bundle.items())), "predicateType": SLSA}]}, indent=2
    )
    assert check(verifier, document) == check(verifier, shuffled.encode())


def test_names_are_spelled_as_npm_spells_them() -> None:
    assert purl("left-pad", "1.3.0") == "pkg:npm/left-pad@1.3.0"
    assert purl("@scope/name", "1.0.0") == "pkg:npm/%40scope/name@1.0.0"
    assert purl("JSONStream", "1.0.0-rc.1") == "pkg:npm/JSONStream@1.0.0-rc.1"


@pytest.mark.parametrize("issuers", [(), ("",), ("https://issuer.example", "")], ids=str)
def test_no_issuer_is_no_verifier(issuers: tuple[str, ...], sigstore: TestSigstore) -> None:
    """P21: nobody is accepted by default, nor whoever names nobody."""
    with pytest.raises(ProvenanceError, match="no issuer"):
        Verifier.from_material(sigstore.trusted_root_json(), sigstore.registry_keys_json(), issuers)


def test_another_sigstore_is_not_believed(sigstore: TestSigstore) -> None:
    """The same names and claims, minted with other keys, fail under the shipped root and under this one."""
    other = TestSigstore(NOW, seed="another")
    document = sigstore.attestations_document([sigstore.provenance("@a/b", "1.0.0", SHA512)])
    verifier = Verifier.from_material(other.trusted_root_json(), other.registry_keys_json(), DEFAULT_ISSUERS)
    assert check(verifier, document).provenance.state is CANNOT


# --------------------------------------------------------------------------------------------------------------------
# Systematic alteration: no field of a valid bundle can be changed without being noticed


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        found += places(inner, (*path, name))
    return found


def altered(value: Any) -> list[Any]:
    match value:
        case str():
            flipped = chr(ord(value[0]) ^ 1) + value[1:] if value else "x"
            # Four characters of base64 are three bytes: flip one in the middle, and at the end.
            middle = len(value) // 8 * 4
            if "\u2014" in value:
                # In a checkpoint the name before a signature is nobody's word: flip the signature.
                middle = value.rindex(" ") + 20
            more = [value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1 :]] if value else []
            return [flipped, *more, f"{value}AAAA", "", None, 77, [value]]
        case bool() | int() | float():
            return [value + 1, str(value), None]
        case list():
            return [[], [*value, *value], value[:-1], None, {}]
        case _:
            return [{}, None, [value], "x"]


def alterations(document: dict[str, Any]) -> list[tuple[str, bytes]]:
    found = []
    for path in places(document["attestations"][0]["bundle"], ("attestations", 0, "bundle")):
        holder = document
        for name in path[:-1]:
            holder = holder[name]  # type: ignore[index]
        original = holder[path[-1]]  # type: ignore[index]
        for number, value in enumerate(altered(original)):
            if value == original:
                continue
            holder[path[-1]] = value  # type: ignore[index]
            found.append((f"{'.'.join(map(str, path[3:]))} #{number}", json.dumps(document).encode()))
        holder[path[-1]] = original  # type: ignore[index]
    return found


def free(place: str) -> bool:
    """Whether nothing authenticates this place, so that its change rightly makes no difference (see docs)."""
    field = place.rpartition(" #")[0]
    # protobuf leaves out nulls and empty lists
    empty = ("x509CertificateChain.certificates", "timestampVerificationData", "rfc3161Timestamps")
    further_certificate = ".certificates." in field and ".certificates.0" not in field
    # without a promise, the place in the log is the inclusion proof's; the entry's own index is decoration
    return "keyid" in field or further_certificate or field.endswith(empty) or field.endswith("tlogEntries.0.logIndex")


MINTED: dict[str, dict[str, Any]] = {
    "v0.3 dsse": {},
    "v0.1 intoto SET": {"bundle": "v0.1", "entry": "intoto", "proof": "SET"},
    "v0.3 hashedrekord": {"entry": "hashedrekord", "proof": "inclusion"},
}


@pytest.mark.parametrize("how", MINTED.values(), ids=MINTED)
def test_no_alteration_of_a_minted_bundle_is_verified(
    how: dict[str, Any], sigstore: TestSigstore, verifier: Verifier
) -> None:
    document = json.loads(sigstore.attestations_document([sigstore.provenance("@a/b", "1.0.0", SHA512, **how)]))
    assert check(verifier, json.dumps(document).encode()).provenance.state is VERIFIED
    changed = alterations(document)
    assert len(changed) > 100
    unnoticed = [
        place
        for place, altered_document in changed
        if check(verifier, altered_document).provenance.state is VERIFIED and not free(place)
    ]
    assert unnoticed == []
    if how.get("proof") != "inclusion":
        index = [body for place, body in changed if place.startswith("verificationMaterial.tlogEntries.0.logIndex #")]
        assert all(check(verifier, body).provenance.state is INVALID for body in index)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "name", "version"),
    [
        ("artifact-keeper__artifact-keeper/npm-sigstore-5.0.0-attestations.json", "sigstore", "5.0.0"),
        ("npm__cli/valid-tuf-js-attestations.json", "tuf-js", "1.0.0"),
    ],
)
@pytest.mark.parametrize("index", [0, 1])
def test_no_alteration_of_a_real_bundle_is_verified(
    file: str, name: str, version: str, index: int, npm_attestations: Path, public: Verifier
) -> None:
    whole = json.loads((npm_attestations / file).read_bytes())
    document = {"attestations": [whole["attestations"][index]]}
    subject = json.loads(base64.b64decode(document["attestations"][0]["bundle"]["dsseEnvelope"]["payload"]))["subject"][
        0
    ]
    sha512 = subject["digest"]["sha512"]

    def states(body: bytes) -> set[AttestationState]:
        found = public.verify(body, name=name, version=version, sha512=sha512)
        return {found.publish.state, found.provenance.state}

    assert VERIFIED in states(json.dumps(document).encode())
    unnoticed = [p for p, body in alterations(document) if VERIFIED in states(body) and not free(p)]
    assert unnoticed == []


# --------------------------------------------------------------------------------------------------------------------
# Hostile documents: any value, never an exception

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8).map(lambda b: b.hex()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=json_values)
def test_no_document_raises(data: st.DataObject, value: Any, sigstore: TestSigstore, verifier: Verifier) -> None:
    """Bad is a value: any value in any place of a good document gives a state."""
    document = json.loads(sigstore.attestations_document([sigstore.provenance("@a/b", "1.0.0", SHA512)]))
    path = data.draw(st.sampled_from(places(document)))
    holder: Any = document
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    check(verifier, json.dumps(document).encode())


@settings(max_examples=100, deadline=None)
@given(document=st.binary(max_size=200))
def test_no_bytes_raise(document: bytes, verifier: Verifier) -> None:
    assert check(verifier, document).publish.state in (INVALID, UNATTESTED)


@settings(max_examples=100, deadline=None)
@given(position=st.integers(min_value=0, max_value=1300), mask=st.integers(min_value=1, max_value=255))
def test_no_damaged_certificate_raises_or_verifies(
    position: int, mask: int, sigstore: TestSigstore, verifier: Verifier
) -> None:
    bundle = sigstore.provenance("@a/b", "1.0.0", SHA512)
    certificate = bundle["verificationMaterial"]["certificate"]
    der = bytearray(base64.b64decode(certificate["rawBytes"]))
    der[position % len(der)] ^= mask
    certificate["rawBytes"] = base64.b64encode(der).decode()
    assert check(verifier, sigstore.attestations_document([bundle])).provenance.state in (INVALID, CANNOT)


def test_times_far_outside_the_calendar_are_invalid(sigstore: TestSigstore, verifier: Verifier) -> None:
    beyond = 2**62
    bundle = sigstore.provenance(
        "@a/b",
        "1.0.0",
        SHA512,
        mutate={
            "promise": lambda promise: {**promise, "integratedTime": beyond},
            "entry": lambda entry: {**entry, "integratedTime": str(beyond)},
        },
    )
    found = check(verifier, sigstore.attestations_document([bundle])).provenance
    assert (found.state, found.reason) == (INVALID, "step 4a: the log's time is not a possible date")
    sct = sigstore.provenance(
        "@a/b", "1.0.0", SHA512, mutate={"sct": lambda tls: tls[:37] + b"\x7f" + b"\xff" * 7 + tls[45:]}
    )
    assert check(verifier, sigstore.attestations_document([sct])).provenance.state is INVALID


def test_log_time_is_utc(sigstore: TestSigstore, verifier: Verifier) -> None:
    found = check(verifier, sigstore.attestations_document([sigstore.publish("@a/b", "1.0.0", SHA512)])).publish
    assert found.log_time == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert found.log_time.tzinfo is UTC


def test_it_loads_nothing_heavy() -> None:
    """The hot path needs `cryptography` alone (sigstore costs 300 ms to import), and nothing that reaches a network."""
    heavy = "{'sigstore', 'pydantic', 'httpx', 'requests', 'rfc3161_client', 'tuf'}"
    code = f"import sys, sbomgate.provenance; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
