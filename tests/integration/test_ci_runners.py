"""The CI templates run as a whole: GitHub's by act, GitLab's by gitlab-ci-local, on this machine, without containers.

Real: the templates' text, npm, pip, git, sbomgate's wheel, Fulcio, Rekor and the timestamp authority. Stand-ins:
GitHub's own actions (`tests/integration/actions`), the registry, and the issuer of the job's identity.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit import ci_runners
from testkit.ci_runners import Sample
from testkit.identity import JOB

TEMPLATES = Path(__file__).resolve().parents[2] / "ci-templates"
GITHUB = TEMPLATES / "github" / "sbomgate.yml"
GITLAB = TEMPLATES / "gitlab" / "sbomgate.gitlab-ci.yml"

pytestmark = [pytest.mark.runners, pytest.mark.sigstore, pytest.mark.npm]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    with ci_runners.sample(tmp_path_factory.mktemp("runners") / "sample") as made:
        yield made


CALLER = """\
name: release
on: push
permissions: {}
jobs:
  release:
    uses: ./.github/workflows/sbomgate.yml
    permissions: { contents: read, id-token: write }
    with:
      sbomgate: ${{ vars.SBOMGATE }}
      trust: ${{ vars.TRUST }}
      artefact: dist/app.tgz
      scripts: native-thing
  deploy:
    needs: release
    runs-on: ubuntu-24.04
    permissions: { contents: read }
    steps:
      - uses: actions/checkout@34e114876b0b11c390a56381ad16ebd13914f8d5
      - uses: actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093
        with: { name: sbomgate-artefact, path: dist }
      - uses: actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093
        with: { name: sbomgate-evidence, path: evidence }
      - uses: ./.github/actions/verify
        with:
          sbomgate: ${{ vars.SBOMGATE }}
          subject: file:dist/app.tgz
          trust: ${{ vars.TRUST }}
"""


@pytest.fixture(scope="module")
def github(sample: Sample) -> Sample:
    """The project with GitHub's workflow in it."""
    folder = sample.clone / ".github"
    templates = {"sbomgate.yml": "workflows", "review.yml": "workflows", "verify/action.yml": "actions"}
    for name, place in templates.items():
        (folder / place / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / place / name).write_bytes((GITHUB.parent / name).read_bytes())
    (folder / "workflows" / "release.yml").write_text(CALLER)
    sample.commit()
    assert sample.run("git", "remote", "add", "github", "https://github.com/acme/shop").returncode == 0
    return sample


def act(sample: Sample, workflow: str = "release", *event: str) -> str:
    """Run a workflow; return what act printed, with its exit code as the last line."""
    job = {
        **sample.environment,
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{sample.sigstore.identity.url}/job?version=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB,
    }
    made = sample.run(
        ci_runners.find("act"), *(event or ("push",)), "--workflows", f".github/workflows/{workflow}.yml",
        "--remote-name", "github",
        "--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--concurrent-jobs", "1",
        *ci_runners.stand_ins(GITHUB), "--var", f"SBOMGATE_TRUST={sample.trust_pin}",
        *(part for name, value in job.items() if name != "PATH" for part in ("--env", f"{name}={value}")),
        "--var", f"SBOMGATE={sample.wheel}", "--var", f"TRUST={sample.trust_pin}",
    )  # fmt: skip
    return f"{made.stdout}{made.stderr}\nexit code {made.returncode}"


def said(artefact: Path) -> str:
    """Return what the approved install script said, as it was built into the artefact."""
    with tarfile.open(artefact) as tar:
        member = tar.extractfile("said.txt")
        assert member is not None
        return member.read().decode()


def test_github(github: Sample) -> None:
    """check → install without scripts → the approved script without network → build → gate by identity → verify."""
    shown = act(github)
    assert shown.endswith("exit code 0"), shown
    assert said(github.artifacts / "sbomgate-artefact" / "app.tgz") == "no network"
    (decision,) = (github.artifacts / "sbomgate-evidence").glob("*/*/decisions/*")
    assert json.loads((decision / "vsa.json").read_bytes())["predicate"]["verificationResult"] == "PASSED"
    verified = [line for line in shown.splitlines() if "VERIFIED  file:dist/app.tgz" in line]
    assert len(verified) == 1, shown
    assert "PASSED by release workflow" in verified[0]


def test_github_denied(github: Sample) -> None:
    """What `check` denies is never installed: no later job starts."""
    lock = github.clone / "package-lock.json"
    before = lock.read_text()
    lock.write_text(before.replace('"integrity": "sha512-', '"integrity": "sha512-AAAA', 1))
    try:
        shown = act(github)
    finally:
        lock.write_text(before)
    assert not shown.endswith("exit code 0"), shown
    assert "DENIED" in shown or "error: " in shown
    assert "npm ci" not in shown
    assert "[release/release/build]" not in shown


def test_github_review(github: Sample) -> None:
    """The comment on a pull request is made by a job without rights; only posting it is GitHub's."""
    event = github.folder / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"repo": {"full_name": "acme/shop"}}}}))
    shown = act(github, "review", "pull_request", "--job", "review", "--eventpath", str(event))
    assert shown.endswith("exit code 0"), shown
    comment = (github.artifacts / "sbomgate-review" / "review.md").read_text()
    assert "native-thing" in comment
    assert "node install.js" in comment


# --------------------------------------------------------------------------------------------------------------------
# GitLab


def test_gitlab(sample: Sample) -> None:
    """The same in four jobs, each in a folder of its own; the dotenv report carries the digest to the gate."""
    (sample.clone / "ci" / GITLAB.name).write_bytes(GITLAB.read_bytes())
    (sample.clone / ".gitlab-ci.yml").write_text(f"include:\n  - local: ci/{GITLAB.name}\n")
    sample.commit()
    builds = sample.folder / "builds"
    builds.mkdir()
    variables = {
        "SBOMGATE": sample.wheel,
        "SBOMGATE_TRUST": sample.trust_pin,
        "SBOMGATE_ARTEFACT": "dist/app.tgz",
        "SBOMGATE_SCRIPTS": "native-thing",
        "SIGSTORE_ID_TOKEN": sample.sigstore.identity.token(seconds=3600),
        "GITLAB_CI": "true",
        "CI_BUILDS_DIR": str(builds),
        **{name: value for name, value in sample.environment.items() if name != "PATH"},
    }
    made = sample.run(
        ci_runners.find("gitlab-ci-local"), "--force-shell-executor", "--shell-isolation", "--concurrency", "1",
        "--home", str(sample.folder / "home"), "--state-dir", ".state", "--no-color", "--artifacts-to-source",
        *(part for name, value in variables.items() for part in ("--variable", f"{name}={value}")),
    )  # fmt: skip
    shown = made.stdout + made.stderr
    assert made.returncode == 0, shown
    assert said(sample.clone / "dist" / "app.tgz") == "no network"
    verified = [line for line in shown.splitlines() if "VERIFIED  file:./dist/app.tgz" in line]
    assert len(verified) == 1, shown
    assert "PASSED by release workflow" in verified[0]


# --------------------------------------------------------------------------------------------------------------------
# Azure Pipelines and Jenkins: their runners cannot be had as a package, so the commands run from the templates' text


def test_azure(sample: Sample) -> None:
    values = {
        "sbomgate": sample.wheel,
        "trust": sample.trust_pin,
        "artefact": "dist/app.tgz",
        "key": f"openssl dgst -sha256 -sign {sample.folder / 'release.key'}",
        "scripts": "native-thing",
    }
    shown = ci_runners.azure(sample, TEMPLATES / "azure" / "sbomgate.yml", values)
    assert said(sample.folder / "azure-artefacts" / "sbomgate-artefact" / "app.tgz") == "no network"
    assert re.search(r"VERIFIED  file:\S+/sbomgate-artefact/app\.tgz · PASSED by release key", shown)


def test_jenkins(sample: Sample) -> None:
    values = {
        "SBOMGATE": sample.wheel,
        "TRUST": sample.trust_pin,
        "SCRIPTS": "native-thing",
        "KEY": str(sample.folder / "release.key"),
    }
    shown = ci_runners.jenkins(sample, TEMPLATES / "jenkins" / "Jenkinsfile", values)
    assert said(sample.folder / "jenkins-stash" / "artefact") == "no network"
    assert "VERIFIED  file:dist/app.tgz · PASSED by release key" in shown
