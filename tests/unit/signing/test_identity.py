"""P21: an identity is what the trust file says, as a whole; only the end of a ref may vary, where it says so."""

from __future__ import annotations

from typing import Any

import pytest

from sbomgate.model import AcceptedIdentity, Claims
from sbomgate.signing.identity import refusal

ISSUER = "https://token.actions.githubusercontent.com"
REPOSITORY = "https://github.com/acme/shop"
PATH = f"{REPOSITORY}/.github/workflows/release.yml"
CLAIMS: dict[str, Any] = {
    "issuer": ISSUER,
    "identity": f"{PATH}@refs/tags/v1.2.3",
    "repository": REPOSITORY,
    "repository_id": "1001",
    "owner": "https://github.com/acme",
    "owner_id": "2002",
    "workflow": ".github/workflows/release.yml",
    "ref": "refs/tags/v1.2.3",
    "commit": "ab" * 20,
    "trigger": "push",
    "runner": "github-hosted",
    "builder": None,
}
TAGS = f"{PATH}@refs/tags/v*"


def judge(claims: dict[str, Any], **accepted: Any) -> str | None:
    wanted = {"issuer": ISSUER, "identity": TAGS, **accepted}
    return refusal(Claims(**{**CLAIMS, **claims}), AcceptedIdentity(**wanted))


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        pytest.param({}, {}, id="a tag by prefix"),
        pytest.param({}, {"identity": CLAIMS["identity"]}, id="exact"),
        pytest.param({}, {"repository": REPOSITORY, "repository_id": "1001", "owner_id": "2002"}, id="ids"),
        pytest.param({}, {"triggers": ("release", "push"), "runner": "github-hosted"}, id="trigger and runner"),
        pytest.param(
            {"repository": None, "identity": "a@acme.example"}, {"identity": "a@acme.example"}, id="e-mail address"
        ),
        pytest.param(
            {"identity": "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main",
             "repository": "https://gitlab.com/acme/shop"},
            {"identity": "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main"},
            id="GitLab",
        ),
    ],
)  # fmt: skip
def test_what_is_named_is_accepted(claims: dict[str, Any], accepted: dict[str, Any]) -> None:
    assert judge(claims, **accepted) is None


@pytest.mark.parametrize(
    ("claims", "accepted", "says"),
    [
        pytest.param({"issuer": ISSUER + "/"}, {}, "issuer", id="issuer with a slash"),
        pytest.param({"issuer": "https://gitlab.com"}, {}, "issuer", id="another issuer"),
        pytest.param({"identity": f"{PATH}@refs/heads/v1"}, {}, "identity", id="a branch named as a tag"),
        pytest.param({"identity": f"{PATH}@refs/pull/1/merge"}, {}, "identity", id="a pull request"),
        pytest.param({"identity": f"x{PATH}@refs/tags/v1"}, {}, "identity", id="something before it"),
        pytest.param({"identity": f"{PATH}x@refs/tags/v1"}, {}, "identity", id="another file"),
        pytest.param({"identity": f"{PATH}@refs/tags/w1"}, {}, "identity", id="another prefix"),
        pytest.param({}, {"identity": f"{PATH}@refs/tags/v1.2"}, "identity", id="exact is no prefix"),
        pytest.param(
            {"identity": f"{PATH}@refs/tags/v1.2.3 "}, {"identity": CLAIMS["identity"]}, "identity", id="blank"
        ),
        pytest.param({"identity": PATH.upper() + "@refs/tags/v1"}, {}, "identity", id="capitals"),
        pytest.param({"repository": "https://github.com/mallory/x"}, {}, "elsewhere", id="called from elsewhere"),
        pytest.param({"repository": f"{REPOSITORY}2"}, {}, "elsewhere", id="a name that starts alike"),
        pytest.param({"repository": None}, {"repository": REPOSITORY}, "repository", id="repository not said"),
        pytest.param({"repository_id": None}, {"repository_id": "1001"}, "repository_id", id="id not said"),
        pytest.param({"owner_id": "20020"}, {"owner_id": "2002"}, "owner_id", id="owner's id is longer"),
        pytest.param({"trigger": None}, {"triggers": ("push",)}, "started by", id="trigger not said"),
        pytest.param({"trigger": "pull_request_target"}, {"triggers": ("push",)}, "started by", id="another trigger"),
        pytest.param({"runner": "self-hosted"}, {"runner": "github-hosted"}, "runner", id="another runner"),
    ],
)
def test_everything_else_is_refused(claims: dict[str, Any], accepted: dict[str, Any], says: str) -> None:
    found = judge(claims, **accepted)
    assert found is not None
    assert says in found
