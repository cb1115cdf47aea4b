"""Where a command runs, by the variables that each CI system documents: sanitized, without secrets, cut."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sbomgate.cli._environment import Environment
from sbomgate.cli._ran import MAX_TEXT, where
from sbomgate.model import Ran

HOST = "build-host-7"
TOKEN = "npm_canary0token0that0nobody0may0see"


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: HOST)


def ran(**variables: str) -> Ran:
    now = datetime(2026, 4, 1, tzinfo=UTC)
    return where(Environment(now=now, variables=variables, working_directory=Path("/nowhere")))


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "1658821493",
    "RUNNER_NAME": "self-hosted-3",
    "GITHUB_TOKEN": TOKEN,
    "ACTIONS_RUNTIME_TOKEN": TOKEN,
}
SYSTEMS: Mapping[str, tuple[Mapping[str, str], Ran]] = {
    "github": (
        GITHUB,
        Ran(
            system="github-actions",
            runner="self-hosted-3",
            run="1658821493",
            job="https://github.com/acme/shop/actions/runs/1658821493",
            repository="https://github.com/acme/shop",
        ),
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true",
            "CI_RUNNER_DESCRIPTION": "runner of the shop",
            "CI_RUNNER_ID": "8",
            "CI_PIPELINE_ID": "1000",
            "CI_JOB_URL": "https://gitlab.example/acme/shop/-/jobs/2000",
            "CI_PROJECT_URL": "https://gitlab.example/acme/shop",
            "CI_JOB_TOKEN": TOKEN,
            "CI_REPOSITORY_URL": f"https://gitlab-ci-token:{TOKEN}@gitlab.example/acme/shop.git",
        },
        Ran(
            system="gitlab-ci",
            runner="runner of the shop",
            runner_id="8",
            run="1000",
            job="https://gitlab.example/acme/shop/-/jobs/2000",
            repository="https://gitlab.example/acme/shop",
        ),
    ),
    "buildkite": (
        {
            "BUILDKITE": "true",
            "BUILDKITE_AGENT_NAME": "agent-1",
            "BUILDKITE_AGENT_ID": "1a2b",
            "BUILDKITE_BUILD_ID": "4735ba57",
            "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/shop/builds/1514",
            "BUILDKITE_REPO": f"https://bot:{TOKEN}@git.example/acme/shop.git",
            "BUILDKITE_AGENT_ACCESS_TOKEN": TOKEN,
        },
        Ran(
            system="buildkite",
            runner="agent-1",
            runner_id="1a2b",
            run="4735ba57",
            job="https://buildkite.com/acme/shop/builds/1514",
            repository="https://git.example/acme/shop.git",
        ),
    ),
    "azure": (
        {
            "TF_BUILD": "True",
            "AGENT_NAME": "Hosted Agent",
            "AGENT_ID": "3",
            "BUILD_BUILDID": "42",
            "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
            "SYSTEM_TEAMPROJECT": "shop",
            "BUILD_REPOSITORY_URI": f"https://bot:{TOKEN}@dev.azure.com/acme/shop/_git/shop",
            "SYSTEM_ACCESSTOKEN": TOKEN,
        },
        Ran(
            system="azure-pipelines",
            runner="Hosted Agent",
            runner_id="3",
            run="42",
            job="https://dev.azure.com/acme/shop/_build/results",
            repository="https://dev.azure.com/acme/shop/_git/shop",
        ),
    ),
    "circleci": (
        {
            "CIRCLECI": "true",
            "CIRCLE_WORKFLOW_ID": "7b7d",
            "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/shop/12",
            "CIRCLE_REPOSITORY_URL": "git@github.com:acme/shop.git",
            "CIRCLE_OIDC_TOKEN": TOKEN,
        },
        Ran(
            system="circleci",
            runner=HOST,
            run="7b7d",
            job="https://circleci.com/gh/acme/shop/12",
            repository="git@github.com:acme/shop.git",
        ),
    ),
    "jenkins": (
        {
            "JENKINS_URL": "https://jenkins.example/",
            "NODE_NAME": "built-in",
            "BUILD_TAG": "jenkins-shop-12",
            "BUILD_URL": "https://jenkins.example/job/shop/12/",
            "GIT_URL": f"https://bot:{TOKEN}@git.example/acme/shop.git?token={TOKEN}",
        },
        Ran(
            system="jenkins",
            runner="built-in",
            run="jenkins-shop-12",
            job="https://jenkins.example/job/shop/12/",
            repository="https://git.example/acme/shop.git",
        ),
    ),
    "none": ({"CI": "true", "GITHUB_ACTIONS": "false", "GITLAB_CI": ""}, Ran(system="none", runner=HOST)),
    "half of it": (
        {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "1"},
        Ran(system="github-actions", runner=HOST, run="1"),
    ),
}


@pytest.mark.parametrize(("variables", "expected"), SYSTEMS.values(), ids=list(SYSTEMS))
def test_each_system_by_its_variables(variables: Mapping[str, str], expected: Ran) -> None:
    """P40: no token, no user information, no query."""
    found = ran(**variables)
    assert found == expected
    assert TOKEN not in repr(found)


HOSTILE = {
    "control characters": ("a\x1b[2Jb\r\nc\u202e", r"a\x1b[2Jb\x0d\x0ac\u202e"),
    "a command": ("::set-output name=x::y", r":\:set-output name=x::y"),
    "half a character": ("a\udcffb", r"a\udcffb"),
    "blank": ("  \n ", HOST),
}


@pytest.mark.parametrize(("name", "expected"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_runner_is_called_what_somebody_typed(name: str, expected: str) -> None:
    """P39."""
    assert ran(**{**GITHUB, "RUNNER_NAME": name}).runner == expected


def test_a_long_name_is_cut() -> None:
    """P9."""
    found = ran(**{**GITHUB, "RUNNER_NAME": "x" * 100_000, "GITHUB_REPOSITORY": "a/" + "y" * 100_000})
    for text in (found.runner, found.job, found.repository):
        assert text is not None
        assert len(text) < MAX_TEXT + 40


def test_a_host_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "")
    assert ran() == Ran(system="none")
