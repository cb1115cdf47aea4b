"""Claims of real certificates of the public-good instance: samples/, made by tools/trust_root.py."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sbomgate.model import Claims
from sbomgate.provenance import DEFAULT_ISSUERS, shipped
from sbomgate.provenance._bundle import verify_bundle
from sbomgate.provenance._claims import read_claims
from sbomgate.provenance._outcome import CannotVerify
from sbomgate.provenance.material import TrustMaterial
from testkit.sigstore import GITHUB, GITLAB, TestSigstore

from .conftest import SHA512

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(scope="module")
def material() -> TrustMaterial:
    trust = shipped.load()
    return TrustMaterial.parse(trust.trusted_root, trust.registry_keys)


def claims(name: str, material: TrustMaterial, issuers: tuple[str, ...] = DEFAULT_ISSUERS) -> Claims:
    envelope = verify_bundle(json.loads((SAMPLES / name).read_bytes()), material)
    assert envelope.certificate is not None
    return read_claims(envelope.certificate, issuers)


def test_gitlab(material: TrustMaterial) -> None:
    found = claims("gitlab.json", material)
    assert found == Claims(
        issuer="https://gitlab.com",
        identity="https://gitlab.com/facutuesca/gitlab-oidc-project//.gitlab-ci.yml@refs/heads/main",
        repository="https://gitlab.com/facutuesca/gitlab-oidc-project",
        repository_id=found.repository_id,
        owner="https://gitlab.com/facutuesca",
        owner_id="12885801",
        workflow=".gitlab-ci.yml",
        ref="refs/heads/main",
        commit="72f7c63b75eb55ea80864962f0e645c93414da34",
        trigger=found.trigger,
        runner="gitlab-hosted",
        builder="https://gitlab.com/facutuesca/gitlab-oidc-project//.gitlab-ci.yml@refs/heads/main",
    )
    assert found.repository_id is not None


def test_github(material: TrustMaterial) -> None:
    found = claims("slsa.json", material)
    assert found.repository == "https://github.com/trailofbits/pypi-attestations"
    assert (found.workflow, found.runner) == (".github/workflows/release.yml", "github-hosted")
    assert found.owner == "https://github.com/trailofbits"


def test_circleci_is_not_accepted(material: TrustMaterial) -> None:
    """V20: a real, valid certificate of an issuer that nobody named."""
    with pytest.raises(CannotVerify, match=r"step 8a: the identity was issued by https://oidc\.circleci\.com"):
        claims("circleci.json", material)


def test_staging_is_not_the_public_instance(material: TrustMaterial) -> None:
    """V29: a real bundle of sigstore's staging instance."""
    with pytest.raises(CannotVerify, match="another sigstore instance"):
        claims("staging.json", material)


def minted(
    sigstore: TestSigstore,
    edit: Callable[[dict[int, str]], dict[int, str]],
    issuers: tuple[str, ...] | None = DEFAULT_ISSUERS,
    **how: Any,
) -> Claims:
    """The claims of a certificate of ours that are changed."""
    bundle = sigstore.provenance("a", "1.0.0", SHA512, mutate={"claims": edit}, **how)
    raw = base64.b64decode(bundle["verificationMaterial"]["certificate"]["rawBytes"])
    return read_claims(x509.load_der_x509_certificate(raw), issuers)


def test_an_empty_claim_is_none(sigstore: TestSigstore) -> None:
    found = minted(sigstore, lambda claims: dict.fromkeys(claims, "") | {8: GITHUB})
    assert found == Claims(issuer=GITHUB, identity=found.identity)


def test_an_empty_repository_does_not_contradict_the_older_spelling(sigstore: TestSigstore) -> None:
    assert minted(sigstore, lambda claims: claims | {12: ""}).repository == "https://github.com/example/project"
    assert minted(sigstore, lambda claims: claims | {13: ""}).commit == "0123456789abcdef0123456789abcdef01234567"


def test_where_an_owner_and_a_name_lie_is_known_of_github_only(sigstore: TestSigstore) -> None:
    """Number 5 holds no host."""
    found = minted(sigstore, lambda claims: claims | {5: "o/r"}, issuer=GITLAB, repository="https://gitlab.com/o/r")
    assert found.repository == "https://gitlab.com/o/r"
    assert minted(sigstore, lambda claims: {1: GITLAB, 5: "o/r"}, issuer=GITLAB).repository is None


def test_whose_issuer_the_caller_compares(sigstore: TestSigstore) -> None:
    other = "https://accounts.example.com"
    assert minted(sigstore, lambda claims: claims, None, issuer=other).issuer == other
    with pytest.raises(CannotVerify, match="8a"):
        minted(sigstore, lambda claims: claims, (), issuer=other)


OURS = "https://github.com/example/project"
THEIRS = "https://github.com/slsa/builder/.github/workflows/build.yml"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({18: f"{THEIRS}@refs/tags/v2"}, THEIRS, id="a reusable one lies in another repository"),
        pytest.param({18: None}, ".github/workflows/publish.yml", id="without the claim the identity tells it"),
        pytest.param({18: None, 12: "https://github.com/a/b", 5: "a/b"}, None, id="but for an identity from elsewhere"),
        pytest.param({12: None, 5: None}, None, id="of no known repository"),
        pytest.param({18: f"{OURS}/@refs/heads/main"}, None, id="a repository is no workflow"),
        pytest.param({18: "@refs/heads/main"}, None, id="nor is a ref"),
    ],
)
def test_where_the_workflow_lies(sigstore: TestSigstore, changes: dict[int, str | None], expected: str | None) -> None:
    """A trust file names it by its path in the repository: what lies elsewhere never looks like a path of ours."""

    def edit(claims: dict[int, str]) -> dict[int, str]:
        return {number: text for number, text in {**claims, **changes}.items() if text is not None}

    assert minted(sigstore, edit).workflow == expected
