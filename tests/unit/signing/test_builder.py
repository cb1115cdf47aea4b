"""The provenance of a build's own artefact: each step refuses alone, and bad is a value (P7, P12, P13, P21)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sbomgate.model import AcceptedIdentity, Builder, Subject
from sbomgate.model.link import BuildLink
from sbomgate.signing.builder import verify
from testkit.evidence import COMMIT, NOW, OTHER_TARBALL, REPOSITORY, TARBALL
from testkit.sigstore import GITHUB, TestSigstore

HEAD = "0123456789abcdef0123456789abcdef01234567"
SIGSTORE = TestSigstore(NOW)
WORKFLOW = f"{REPOSITORY}/.github/workflows/release.yml"
BUILDER = Builder(
    name="release build",
    identity=AcceptedIdentity(issuer=GITHUB, identity=f"{WORKFLOW}@refs/tags/v*", runner="github-hosted"),
    builder_id="https://github.com/actions/runner/github-hosted",
)


def about(*digests: str, **changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A statement about artefacts with these digests."""
    subjects = [{"name": f"a{n}", "digest": {"sha256": digest}} for n, digest in enumerate(digests)]
    return lambda statement: {**statement, "subject": subjects, **changes}


OURS = about("00" * 32, TARBALL.digest["sha256"])


def bundle(**changes: Any) -> bytes:
    given = {
        "repository": REPOSITORY,
        "commit": HEAD,
        "workflow": ".github/workflows/release.yml",
        "ref": "refs/tags/v1.0.0",
        **changes,
    }
    mutate = {"statement": OURS, **given.pop("mutate", {})}
    return json.dumps(SIGSTORE.provenance("shop", "1.0.0", "0" * 128, mutate=mutate, **given)).encode()


def judge(
    data: bytes,
    *builders: Builder,
    subject: Subject = TARBALL,
    repository: str | None = REPOSITORY,
    commit: str | None = HEAD,
    root: bytes | None = None,
) -> BuildLink:
    return verify(
        data, builders or (BUILDER,), subject=subject, repository=repository, commit=commit,
        trusted_root=root or SIGSTORE.trusted_root_json(),
    )  # fmt: skip


ACCEPTED: dict[str, tuple[dict[str, Any], tuple[Builder, ...]]] = {
    "v1": ({}, ()),
    "v0.2 in a bundle v0.1": (
        {"slsa": "v0.2", "bundle": "v0.1", "proof": "SET", "entry": "intoto"},
        (replace(BUILDER, builder_id="https://github.com/actions/runner"),),
    ),
    "a bundle v0.2": ({"bundle": "v0.2"}, ()),
    "Rekor v2": ({"entry": "hashedrekord", "proof": "inclusion"}, ()),
    "one of several builders of one workflow": ({}, (replace(BUILDER, builder_id="https://else.example"), BUILDER)),
    "the builder's own repository": (
        {}, (replace(BUILDER, identity=replace(BUILDER.identity, repository=REPOSITORY)),)
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_P13_an_accepted_builder(case: str) -> None:
    changes, builders = ACCEPTED[case]
    found = judge(bundle(**changes), *builders)
    assert (found.state, found.builder, found.commit) == ("verified", "release build", HEAD), found.reason
    assert (found.repository, found.ref) == (REPOSITORY, "refs/tags/v1.0.0")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "P12 of another artefact": ({"mutate": {"statement": about("11" * 32)}}, "not this artefact"),
    "P12 of no artefact": ({"mutate": {"statement": about()}}, "subjects"),
    "P12 by another algorithm": (
        {"mutate": {"statement": lambda s: {**s, "subject": [{"name": "a", "digest": {"sha512": "1f" * 32}}]}}},
        "not this artefact",
    ),
    "P12 of another commit": ({"commit": "f" * 40}, "the commit"),
    "P12 of another repository": ({"repository": "https://github.com/evil/shop"}, "no builder that the trust file"),
    "P21 by another workflow": ({"workflow": ".github/workflows/test.yml"}, "no builder that the trust file"),
    "P21 from a branch": ({"ref": "refs/heads/main"}, "no builder that the trust file"),
    "P21 of another issuer": ({"issuer": "https://gitlab.com"}, "no builder that the trust file"),
    "P21 on a runner of their own": ({"runner": "self-hosted"}, "its runner is 'self-hosted'"),
    "altered after it was signed": ({"mutate": {"signed_payload": lambda data: data + b" "}}, "step 6"),
    "no builder in it": (
        {"mutate": {"statement": lambda s: {**OURS(s), "predicate": {**s["predicate"], "runDetails": {}}}}},
        "no builder",
    ),
    "another builder in it": (
        {
            "mutate": {
                "statement": lambda s: {
                    **OURS(s),
                    "predicate": {**s["predicate"], "runDetails": {"builder": {"id": "https://evil.example"}}},
                }
            }
        },
        "its builder is",
    ),
    "another source in it": (
        {
            "mutate": {
                "statement": lambda s: json.loads(
                    json.dumps(OURS(s)).replace(REPOSITORY, "https://github.com/acme/other")
                )
            }
        },
        "step 9b",
    ),
    "an SBOM": (
        {"mutate": {"statement": about("1f" * 32, predicateType="https://cyclonedx.org/bom")}}, "no provenance"
    ),
    "another kind of payload": ({"mutate": {"payload_type": lambda _: "text/plain"}}, "payload is of the type"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_hold_is_invalid(case: str) -> None:
    changes, why = REFUSED[case]
    found = judge(bundle(**changes))
    assert (found.state, found.builder, found.commit) == ("invalid", None, None)
    assert why in found.reason


def test_P7_what_is_not_known_is_neither_good_nor_bad() -> None:
    unknown = bundle(mutate={"statement": about("1f" * 32, predicateType="https://slsa.dev/provenance/v9")})
    assert judge(unknown).state == "cannot-verify"
    assert (
        judge(bundle(mutate={"statement": about("1f" * 32, _type="https://in-toto.io/Statement/v9")})).state
        != "verified"
    )
    assert judge(bundle(), commit=None).state == judge(bundle(), repository=None).state == "cannot-verify"
    assert judge(bundle(), subject=COMMIT).state == "cannot-verify"


def test_P12_shown_for_another_artefact_or_source() -> None:
    assert judge(bundle(), subject=OTHER_TARBALL).state == "invalid"
    assert judge(bundle(), repository="https://github.com/acme/other").state == "invalid"
    assert judge(bundle(), commit="f" * 40).state == "invalid"
    another = TestSigstore(NOW, seed="another sigstore").trusted_root_json()
    assert judge(bundle(), root=another).state != "verified"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"\xff\xfe{}", id="another encoding"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"dsseEnvelope":1}', id="no envelope"),
        pytest.param(b'{"dsseEnvelope":{},"dsseEnvelope":{}}', id="a key twice"),
        pytest.param(b'{"dsseEnvelope":{"payloadType":"x"},"verificationMaterial":{}}', id="no certificate"),
        pytest.param(
            json.dumps({**json.loads(bundle()), "mediaType": "application/vnd.dev.sigstore.bundle.v9+json"}).encode(),
            id="P7 an unknown version",
        ),
    ],
)
def test_P1_what_is_no_bundle_does_not_hold(data: bytes) -> None:
    assert judge(data).state in ("invalid", "cannot-verify")


def test_a_reusable_workflow_of_another_repository() -> None:
    """Its certificate names the workflow where it lies, and the repository that it ran for."""
    theirs = "https://github.com/slsa/builder/.github/workflows/build.yml@refs/tags/v2"
    from cryptography import x509

    data = bundle(
        mutate={
            "identity": lambda _: [x509.UniformResourceIdentifier(theirs)],
            "claims": lambda claims: {**claims, 9: theirs},
        }
    )
    builder = replace(BUILDER, identity=AcceptedIdentity(issuer=GITHUB, identity=theirs))
    assert judge(data, builder).state == "verified"
    assert judge(data, builder, repository="https://github.com/acme/other").state == "invalid"
