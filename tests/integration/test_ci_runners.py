"""The CI templates run as a whole: GitHub's by act, GitLab's by gitlab-ci-local, on this machine, without containers.

Real: the templates' text, npm, pip, git, sbomgate's wheel, Fulcio, Rekor and the timestamp authority. Stand-ins:
GitHub's own actions (`tests/integration/actions`), the registry, and the issuer of the job's identity.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sbomgate import __version__
from sbomgate.forges import MARK
from testkit import ci_runners, tarballs
from testkit.ci_runners import Sample
from testkit.forges import TOKEN, Forge, forge
from testkit.identity import JOB

TEMPLATES = Path(__file__).resolve().parents[2] / "ci-templates"
INSTALL = TEMPLATES / "install.sh"
GITHUB = TEMPLATES / "github" / "sbomgate.yml"
GITLAB = TEMPLATES / "gitlab" / "sbomgate.gitlab-ci.yml"

pytestmark = [pytest.mark.runners, pytest.mark.sigstore, pytest.mark.npm, pytest.mark.managers]


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
      manager: pnpm
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
    """The project with GitHub's workflow in it, installed with pnpm."""
    folder = sample.clone / ".github"
    templates = {"sbomgate.yml": "workflows", "review.yml": "workflows", "verify/action.yml": "actions"}
    for name, place in templates.items():
        (folder / place / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / place / name).write_bytes((GITHUB.parent / name).read_bytes())
    (folder / "workflows" / "release.yml").write_text(CALLER)
    sample.lock("pnpm")
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
    lock = github.clone / "pnpm-lock.yaml"
    before = lock.read_text()
    assert "integrity: sha512-" in before
    lock.write_text(before.replace("integrity: sha512-", "integrity: sha512-AAAA", 1))
    try:
        shown = act(github)
    finally:
        lock.write_text(before)
    assert not shown.endswith("exit code 0"), shown
    assert "DENIED" in shown or "error: " in shown
    assert "[release/release/build]" not in shown


def test_github_review(github: Sample) -> None:
    """The comment on a pull request is made by a job without rights; only posting it is GitHub's."""
    github.lock("npm")
    event = github.folder / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"repo": {"full_name": "acme/shop"}}}}))
    shown = act(github, "review", "pull_request", "--job", "review", "--eventpath", str(event))
    assert shown.endswith("exit code 0"), shown
    comment = (github.artifacts / "sbomgate-review" / "review.md").read_text()
    assert "native-thing" in comment
    assert "node install.js" in comment
    job = yaml.safe_load((GITHUB.parent / "review.yml").read_text())["jobs"]["comment"]
    with forge("github") as there:
        variables = {
            "GH_TOKEN": TOKEN,
            "NUMBER": "7",
            "GITHUB_SERVER_URL": there.pull.removesuffix("/acme/shop/pull/7"),
            "GITHUB_REPOSITORY": "acme/shop",
            "RUNNER_TEMP": str(github.artifacts / "sbomgate-review"),
            "PATH": f"{Path(sys.executable).parent}:{github.environment['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        made = github.run("bash", "-ec", job["steps"][-1]["run"], **variables)
        assert made.returncode == 0, made.stderr
        assert commented(there) == comment.strip()


def commented(there: Forge) -> str:
    """Return what the one comment says."""
    ((_, text),) = there.comments
    return text.removeprefix(f"{MARK}\n").strip()


# --------------------------------------------------------------------------------------------------------------------
# GitLab


def test_gitlab(sample: Sample) -> None:
    """The same in four jobs, each in a folder of its own; the dotenv report carries the digest to the gate.

    What pip installs comes from an index that the template is told.
    """
    (sample.clone / "ci" / GITLAB.name).write_bytes(GITLAB.read_bytes())
    (sample.clone / ".gitlab-ci.yml").write_text(f"include:\n  - local: ci/{GITLAB.name}\n")
    sample.lock("pnpm")
    builds = sample.folder / "builds"
    builds.mkdir()
    variables = {
        "SBOMGATE": f"sbomgate=={__version__}",
        "SBOMGATE_INDEX": sample.index,
        "SBOMGATE_MANAGER": "pnpm",
        "SBOMGATE_TRUST": sample.trust_pin,
        "SBOMGATE_ARTEFACT": "dist/app.tgz",
        "SBOMGATE_SCRIPTS": "native-thing",
        "SIGSTORE_ID_TOKEN": sample.sigstore.identity.token(seconds=3600),
        "GITLAB_CI": "true",
        "CI_BUILDS_DIR": str(builds),
        **{name: value for name, value in sample.environment.items() if name != "PATH"},
        "PIP_NO_INDEX": "0",
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


def test_gitlab_review(sample: Sample) -> None:
    """Two jobs: the one that reads the project, and the one that puts what it wrote on the merge request."""
    name = "review.gitlab-ci.yml"
    (sample.clone / "ci" / name).write_bytes((GITLAB.parent / name).read_bytes())
    (sample.clone / ".gitlab-ci.yml").write_text(f"include:\n  - local: ci/{name}\n")
    sample.lock("npm")
    builds = sample.folder / "review-builds"
    builds.mkdir()
    with forge("gitlab") as there:
        variables = {
            "SBOMGATE": sample.wheel,
            "SBOMGATE_TRUST": sample.trust_pin,
            "SBOMGATE_COMMENT_TOKEN": TOKEN,
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_PROJECT_URL": there.pull.removesuffix("/-/merge_requests/7"),
            "CI_MERGE_REQUEST_IID": "7",
            "CI_BUILDS_DIR": str(builds),
            **{name: value for name, value in sample.environment.items() if name != "PATH"},
        }
        made = sample.run(
            ci_runners.find("gitlab-ci-local"), "--force-shell-executor", "--shell-isolation", "--concurrency", "1",
            "--home", str(sample.folder / "home"), "--state-dir", ".state", "--no-color", "--artifacts-to-source",
            "--no-evaluate-rule-changes",
            *(part for name, value in variables.items() for part in ("--variable", f"{name}={value}")),
        )  # fmt: skip
        shown = made.stdout + made.stderr
        assert made.returncode == 0, shown
        assert "native-thing" in commented(there), shown
        assert TOKEN not in shown


# --------------------------------------------------------------------------------------------------------------------
# Azure Pipelines and Jenkins: their runners cannot be had as a package, so the commands run from the templates' text


def test_azure(sample: Sample) -> None:
    sample.lock("npm")
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


def test_azure_review(sample: Sample) -> None:
    """The token is in the one step that maps it."""
    with forge("azure") as there:
        predefined = {
            "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": there.pull.partition("shop/_git")[0],
            "SYSTEM_TEAMPROJECT": "shop",
            "BUILD_REPOSITORY_NAME": "web",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
        }
        shown = ci_runners.azure(
            sample,
            TEMPLATES / "azure" / "review.yml",
            {"sbomgate": sample.wheel, "trust": sample.trust_pin},
            predefined=predefined,
            secrets={"System.AccessToken": TOKEN},
        )
        assert "shop" in commented(there)
    assert "Written" in shown


def test_jenkins_review(sample: Sample) -> None:
    with forge("gitlab") as there:
        values = {
            "SBOMGATE": sample.wheel,
            "TRUST": sample.trust_pin,
            "COMMENT": "a-credential",
            "SBOMGATE_COMMENT_TOKEN": TOKEN,
            "CHANGE_URL": there.pull,
        }
        shown = ci_runners.jenkins(sample, TEMPLATES / "jenkins" / "review.Jenkinsfile", values)
        assert "shop" in commented(there)
    assert "Written" in shown


def test_jenkins(sample: Sample) -> None:
    sample.lock("bun")
    values = {
        "SBOMGATE": sample.wheel,
        "TRUST": sample.trust_pin,
        "MANAGER": "bun",
        "SCRIPTS": "native-thing",
        "KEY": str(sample.folder / "release.key"),
    }
    shown = ci_runners.jenkins(sample, TEMPLATES / "jenkins" / "Jenkinsfile", values)
    assert said(sample.folder / "jenkins-stash" / "artefact") == "no network"
    assert "VERIFIED  file:dist/app.tgz · PASSED by release key" in shown


# --------------------------------------------------------------------------------------------------------------------
# What all templates install with


@dataclass(frozen=True)
class Project:
    """A project with two packages that have an install script; one of them is approved."""

    folder: Path
    sample: Sample

    def install(self, manager: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run what the templates run."""
        environment = {
            **self.sample.environment,
            "PATH": self.sample.path(manager.partition("@")[0]),
            "MANAGER": manager,
            "SCRIPTS": "native-thing",
            "PROJECT": str(self.folder),
            "TOOLS": str(self.folder.parent / "manager"),
            "CI": "true",
            **more,
        }
        return subprocess.run(
            ["sh", INSTALL], cwd=self.folder.parent, env=environment, capture_output=True, text=True, check=False
        )

    def said(self) -> dict[str, str]:
        """Return package → what its script said, for those whose script ran."""
        return {path.parent.name: path.read_text() for path in self.folder.rglob("said.txt") if not path.is_symlink()}


@pytest.fixture
def project(sample: Sample, tmp_path: Path) -> Project:
    if "other-thing" not in sample.registry.packuments:
        script = {"install": "node -e \"require('fs').writeFileSync('said.txt', 'ran')\""}
        data = tarballs.package("other-thing", "1.0.0", scripts=script)
        sample.registry.publish("other-thing", "1.0.0", data, manifest={"scripts": script, "hasInstallScript": True})
    folder = tmp_path / "shop"
    folder.mkdir()
    dependencies = {"native-thing": "1.0.0", "other-thing": "1.0.0"}
    document = {"name": "shop", "version": "3.2.0", "private": True, "dependencies": dependencies}
    (folder / "package.json").write_text(json.dumps(document))
    (folder / ".npmrc").write_text(f"registry={sample.registry.url}\n")
    return Project(folder, sample)


@pytest.mark.parametrize("name", ["yarn-classic", "yarn", "yarn, plug and play", "bun, isolated"])
def test_only_approved_scripts_run(project: Project, name: str) -> None:
    """What is not approved never runs; what is has no network; and the project's files are as they were."""
    manager, _, kind = name.partition(", ")
    ci_runners.lock(project.folder, manager, project.sample.registry, project.sample.environment)
    if kind == "plug and play":
        settings = project.folder / ".yarnrc.yml"
        settings.write_text(settings.read_text().replace("node-modules", "pnp"))
    elif kind:
        with (project.folder / "bunfig.toml").open("a") as settings_:
            settings_.write('linker = "isolated"\n')
    before = {path.name: path.read_bytes() for path in project.folder.iterdir() if path.is_file()}
    made = project.install(manager)
    assert made.returncode == 0, made.stdout + made.stderr
    assert project.said() == {"native-thing": "no network"}
    assert {name: (project.folder / name).read_bytes() for name in before} == before


def test_a_lockfile_that_does_not_fit_is_not_installed_from(project: Project) -> None:
    ci_runners.lock(project.folder, "bun", project.sample.registry, project.sample.environment)
    manifest = project.folder / "package.json"
    manifest.write_text(manifest.read_text().replace('"other-thing"', '"left-pad": "1.3.0", "other-thing"'))
    made = project.install("bun")
    assert made.returncode != 0
    assert project.said() == {}


def test_the_version_that_is_named(project: Project) -> None:
    """It comes from the registry, without its own scripts; bun's program is found where its script would look."""
    registry = project.sample.registry
    name = f"@oven/bun-linux-{platform.machine().replace('x86_64', 'x64')}"
    program = tarfile.TarInfo("package/bin/bun")
    program.mode = 0o755
    text = f"#!/bin/sh\n{ci_runners.PROGRAMS['bun']}\n".encode()
    about = json.dumps({"name": name, "version": "1.4.5"}).encode()
    registry.publish(name, "1.4.5", tarballs.pack([("package/package.json", about), (program, text)]))
    manifest = {"bin": {"bun": "bin/bun.exe"}, "optionalDependencies": {name: "1.4.5"}}
    data = tarballs.package("bun", "1.4.5", manifest=manifest, files={"bin/bun.exe": b"#!/bin/sh\nexit 9\n"})
    registry.publish("bun", "1.4.5", data, manifest=manifest)
    ci_runners.lock(project.folder, "bun", registry, project.sample.environment)
    without = {"PATH": os.environ["PATH"], "npm_config_registry": registry.url}
    made = project.install("bun@1.4.5", **without)
    assert made.returncode == 0, made.stdout + made.stderr
    assert project.said() == {"native-thing": "no network"}
    refused = project.install("bun@1.4.4", **without)
    assert refused.returncode != 0


@pytest.mark.parametrize(
    "manager",
    [
        "",
        "pip",
        "npm@latest",
        "npm@^11.0.0",
        "pnpm@1.2.3 evil",
        "pnpm@1.2.3;id",
        "@",
        "yarn@1.22.22@2",
        "pnpm@1.2.x/..",
    ],
)
def test_a_manager_that_is_none(project: Project, manager: str) -> None:
    made = project.install(manager, npm_config_registry=project.sample.registry.url)
    assert made.returncode == 2, made.stdout + made.stderr
    assert "expected" in made.stderr
    assert not (project.folder / "node_modules").exists()


def test_a_manager_that_is_not_there(project: Project) -> None:
    made = project.install("pnpm", PATH="/usr/bin:/bin")
    assert made.returncode == 2, made.stdout + made.stderr
    assert "name its version, pnpm@" in made.stderr


@pytest.mark.parametrize(
    ("refuses", "offline", "code", "said"),
    [
        (("unshare",), "always", 0, {"native-thing": "no network"}),
        (("unshare", "sudo"), "always", 2, {}),
        (("unshare", "sudo"), "possible", 0, {"native-thing": "reached the network"}),
    ],
)
def test_the_network_is_taken_away(
    project: Project, refuses: tuple[str, ...], offline: str, code: int, said: dict[str, str]
) -> None:
    """By whatever the machine allows, sudo at last; where nothing does, no script runs unless that was asked for."""
    ci_runners.lock(project.folder, "bun", project.sample.registry, project.sample.environment)
    programs = project.folder.parent / "programs"
    programs.mkdir()
    for name in refuses:
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    made = project.install("bun", OFFLINE=offline, PATH=f"{programs}:{project.sample.path('bun')}")
    assert made.returncode == code, made.stdout + made.stderr
    assert project.said() == said
