"""Where this command runs, by the variables that CI systems document; by the host's name where there is no CI.

It is that machine's own word, and says so wherever it is written. Only these variables are read, none of them holds a
secret, and each is cut and made inert before anybody sees it: a runner's name is what somebody typed.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sbomgate.cli._environment import Environment
    from sbomgate.model import Ran

MAX_TEXT = 300  # characters of one value: URLs of jobs have some 150

NONE: Final = "none"
"""The system where there is none."""

# System → the variable that is set in it, and what makes each field of `Ran`; a field is None where a variable that it
# needs is not set. URLs lose their query, Azure's `?buildId=` too: the run's id stands beside it.
# https://docs.github.com/actions/reference/workflows-and-actions/variables
# https://docs.gitlab.com/ci/variables/predefined_variables/
# https://buildkite.com/docs/pipelines/configure/environment-variables
# https://learn.microsoft.com/azure/devops/pipelines/build/variables
# https://circleci.com/docs/reference/variables/
# https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
_SYSTEMS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "github-actions": (
        "GITHUB_ACTIONS",
        {
            "runner": "{RUNNER_NAME}",
            "run": "{GITHUB_RUN_ID}",
            "job": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
            "repository": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",
        },
    ),
    "gitlab-ci": (
        "GITLAB_CI",
        {
            "runner": "{CI_RUNNER_DESCRIPTION}",
            "runner_id": "{CI_RUNNER_ID}",
            "run": "{CI_PIPELINE_ID}",
            "job": "{CI_JOB_URL}",
            "repository": "{CI_PROJECT_URL}",
        },
    ),
    "buildkite": (
        "BUILDKITE",
        {
            "runner": "{BUILDKITE_AGENT_NAME}",
            "runner_id": "{BUILDKITE_AGENT_ID}",
            "run": "{BUILDKITE_BUILD_ID}",
            "job": "{BUILDKITE_BUILD_URL}",
            "repository": "{BUILDKITE_REPO}",
        },
    ),
    "azure-pipelines": (
        "TF_BUILD",
        {
            "runner": "{AGENT_NAME}",
            "runner_id": "{AGENT_ID}",
            "run": "{BUILD_BUILDID}",
            "job": "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results",
            "repository": "{BUILD_REPOSITORY_URI}",
        },
    ),
    "circleci": (
        "CIRCLECI",
        {"run": "{CIRCLE_WORKFLOW_ID}", "job": "{CIRCLE_BUILD_URL}", "repository": "{CIRCLE_REPOSITORY_URL}"},
    ),
    "jenkins": (
        "JENKINS_URL",
        {"runner": "{NODE_NAME}", "run": "{BUILD_TAG}", "job": "{BUILD_URL}", "repository": "{GIT_URL}"},
    ),
}
_VARIABLE = re.compile(r"\{([A-Z_]+)\}")


def where(env: Environment) -> Ran:
    """Return where this command runs."""
    from sbomgate.model import Ran

    host = _text(platform.node())
    for system, (sign, fields) in _SYSTEMS.items():
        if env.variables.get(sign, "").lower() not in ("", "false", "0"):
            found = {name: _value(template, env.variables) for name, template in fields.items()}
            return Ran(system=system, **{**found, "runner": found.get("runner") or host})
    return Ran(system=NONE, runner=host)


def _value(template: str, variables: Mapping[str, str]) -> str | None:
    from sbomgate.purl import public_url

    if not all(variables.get(name) for name in _VARIABLE.findall(template)):
        return None
    text = _VARIABLE.sub(lambda found: variables[found[1]], template)
    # (P40) no user information, no query
    return _text(public_url(text))


def _text(text: str) -> str | None:
    from sbomgate.report.escape import plain

    return plain(text.strip(), MAX_TEXT) or None
