"""The CI templates: the job that signs runs no dependency's code (P27), and what each of them says is real.

Each is linted by what its own system offers: GitHub's by actionlint and zizmor, and all but Jenkins' by its schema.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sbomgate import cli

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "ci-templates"
GITHUB = sorted((TEMPLATES / "github").glob("*.yml"))
INSTALL = TEMPLATES / "install.sh"
ALL = sorted(path for path in TEMPLATES.rglob("*") if path.is_file() and path != INSTALL)

MANAGER = re.compile(r"\b(?:npm|npx|pnpm|yarn|bun|bunx|node|corepack)\b")
FORBIDDEN_ACTIONS = ("actions/setup-node", "actions/cache", "UseNode", "NodeTool", "Cache@")


def load(path: Path) -> Any:
    """Return a YAML template; GitLab's `!reference` is not used."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def github_jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in GITHUB:
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}: {name}", job


def scripts_of(job: Any) -> str:
    """Return every command of a job as one text, whatever its system calls them."""
    if isinstance(job, dict):
        found = [scripts_of(value) for key, value in job.items() if key in ("steps", "jobs")]
        for key in ("run", "before_script", "script", "bash", "sh"):
            value = job.get(key, "")
            found += [value] if isinstance(value, str) else [str(one) for one in value]
        return "\n".join(found)
    return "\n".join(scripts_of(one) for one in job) if isinstance(job, list) else ""


def signing_jobs() -> Iterator[tuple[str, Any]]:
    """Yield each job that may sign, of each system."""
    for name, job in github_jobs():
        if job.get("permissions", {}).get("id-token") == "write":
            yield f"github/{name}", job
    gitlab = load(TEMPLATES / "gitlab" / "sbomgate.gitlab-ci.yml")
    for name, job in gitlab.items():
        if isinstance(job, dict) and "id_tokens" in job:
            yield f"gitlab: {name}", {**gitlab[job.get("extends", name)], **job}
    for stage in load(TEMPLATES / "azure" / "sbomgate.yml")["stages"]:
        if "--signer" in scripts_of(stage):
            yield f"azure: {stage['stage']}", stage
    text = (TEMPLATES / "jenkins" / "Jenkinsfile").read_text(encoding="utf-8")
    for stage in re.split(r"(?=\bstage\(')", text):
        if "--key" in stage:
            yield f"jenkins: {stage[7:11]}", {"sh": stage}


SIGNING = dict(signing_jobs())


def test_each_system_has_one_job_that_signs() -> None:
    assert sorted(name.partition("/")[0].partition(":")[0] for name in SIGNING) == [
        "azure",
        "github",
        "gitlab",
        "jenkins",
    ]


@pytest.mark.parametrize("name", SIGNING)
def test_p27_the_job_that_signs_runs_no_code_of_a_dependency(name: str) -> None:
    """P27: no package manager, no Node, no cache of another job; of the build it takes one file, by its digest."""
    job = SIGNING[name]
    assert not MANAGER.search(scripts_of(job).replace("node-version", ""))
    shown = str(job)
    assert not any(action in shown for action in FORBIDDEN_ACTIONS)
    assert "cache" not in shown.replace("'cache': []", "")
    commands = scripts_of(job)
    check, gate = commands.index("sha256sum"), commands.index("gate ")
    assert check < gate, "the artefact's digest is compared before it is gated"


@pytest.mark.parametrize("name", SIGNING)
def test_the_gate_compares_with_what_the_check_compared_with(name: str) -> None:
    """The evidence in the checkout: by a store elsewhere each release is a first run, and what changed only warns."""
    assert "--store evidence " in scripts_of(SIGNING[name])
    assert "--store" not in str([found for path in ALL for found in commands(path) if found[0] == "check"])


@pytest.mark.parametrize("name", [name for name, _ in github_jobs()])
def test_rights_are_the_least(name: str) -> None:
    job = dict(github_jobs())[name]
    assert "permissions" in job
    build = "npm ci" in scripts_of(job)  # as install.sh has it
    assert not build or job["permissions"] == {"contents": "read"}
    assert "secrets." not in str(job)


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_workflows_start_with_no_right(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads `on` as true


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
def test_actions_are_named_by_commit(path: Path) -> None:
    for action in re.findall(r"^\s*-? uses: ([^\s#]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action


def commands(path: Path) -> Iterator[list[str]]:
    """Yield the arguments of each call of sbomgate in a template."""
    text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
    if path.name.endswith("gitlab-ci.yml"):
        text = "\n".join(scripts_of(job) for job in load(path).values())
    for line in text.splitlines():
        found = re.search(r'(?:^|[\s/"])sbomgate"? ((?:check|gate|verify|review|comment) .*)', line.strip())
        if found and not line.lstrip().startswith(("#", "//")):
            end = found[1].removesuffix("'").partition(" || ")[0]
            yield shlex.split(end)


WITH_COMMANDS = [path for path in ALL if list(commands(path))]


def test_every_template_calls_sbomgate() -> None:
    assert WITH_COMMANDS == ALL


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
def test_its_commands_are_those_that_there_are(path: Path) -> None:
    for arguments in commands(path):
        made = cli.parser(arguments[0]).parse_args(arguments)
        assert made.verb == "comment" or made.trust is not None


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
def test_its_scripts_are_shell(path: Path) -> None:
    if path.name.endswith("Jenkinsfile"):
        text = path.read_text(encoding="utf-8")
        shell = "\n".join("".join(found) for found in re.findall(r"sh '''(.*?)'''|sh '([^']+)'", text, re.DOTALL))
    else:
        document = load(path)
        shell = "\n".join(scripts_of(one) for one in (*document.values(), *dict(document.get("jobs", {})).values()))
    assert "sbomgate" in shell
    subprocess.run(
        ["bash", "-n"], input=shell.replace("${{", "${X{") if "${{" in shell else shell, text=True, check=True
    )


@pytest.mark.parametrize("system", ["github", "gitlab", "azure", "jenkins"])
def test_one_job_of_each_system_installs_and_holds_no_secret(system: str) -> None:
    """P27: what install.sh does stands in one place of one template, below no step that signs or has a token."""
    files = [path for path in ALL if path.parts[len(TEMPLATES.parts)] == system]
    texts = [text for path in files if "install.sh begins" in (text := path.read_text(encoding="utf-8"))]
    assert len(texts) == 1
    assert texts[0].count("# install.sh begins") == 1
    job = re.split(r"# install\.sh (?:begins|ends)", texts[0])[1]
    assert [line.strip() for line in job.splitlines() if line.strip()] == [
        line.strip() for line in INSTALL.read_text(encoding="utf-8").splitlines() if line.strip()
    ]


def commenting_jobs() -> Iterator[tuple[str, str, str]]:
    """Yield the system, the job that comments and all the rest, of each system: as text."""
    for system, name, parts in (
        ("github", "review.yml", r"(?m)^(?=  \w+:$)"),
        ("gitlab", "review.gitlab-ci.yml", r"(?m)^(?=[.\w:]+:$)"),
        ("azure", "review.yml", r"(?m)^(?=  - stage:)"),
        ("jenkins", "review.Jenkinsfile", r"(?=\bstage\(')"),
    ):
        text = (TEMPLATES / system / name).read_text(encoding="utf-8")
        text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", "//")))
        jobs = re.split(parts, text)
        (job,) = [one for one in jobs if "comment review.md" in one or '/review.md" --on' in one]
        yield system, job, "".join(one for one in jobs if one is not job)


TOKENS = {
    "github": ("github.token", "pull-requests: write"),
    "gitlab": ("SBOMGATE_COMMENT_TOKEN", "name: sbomgate/review"),
    "azure": ("System.AccessToken",),
    "jenkins": ("SBOMGATE_COMMENT_TOKEN", "withCredentials"),
}
CHECKOUT = {
    "github": "actions/checkout",
    "gitlab": "GIT_STRATEGY: none",
    "azure": "checkout: none",
    "jenkins": "skipDefault",
}


@pytest.mark.parametrize(("system", "job", "rest"), [*commenting_jobs()], ids=TOKENS)
def test_the_job_that_comments_has_the_token_and_nothing_of_the_project(system: str, job: str, rest: str) -> None:
    """P27: the token is in the one job that reads no file of the pull request, and runs nothing of it."""
    for word in TOKENS[system]:
        assert word in job
        assert word not in rest
    assert "sbomgate review" not in job
    assert (CHECKOUT[system] in job) == (system != "github")
    assert not MANAGER.search(job)
    assert "sbomgate comment" in job or 'sbomgate" comment' in job


SCHEMAS = {
    "github/sbomgate.yml": ("github-workflows", None),
    "github/review.yml": ("github-workflows", None),
    "github/verify/action.yml": ("github-actions", None),
    "gitlab/sbomgate.gitlab-ci.yml": ("gitlab-ci", "gitlab-ci"),
    "gitlab/review.gitlab-ci.yml": ("gitlab-ci", "gitlab-ci"),
    "azure/sbomgate.yml": ("azure-pipelines", "azure-pipelines"),
    "azure/review.yml": ("azure-pipelines", "azure-pipelines"),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_its_system_reads_it(name: str) -> None:
    schema, transform = SCHEMAS[name]
    arguments = ["--builtin-schema", f"vendor.{schema}", *(["--data-transform", transform] if transform else [])]
    made = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *arguments, TEMPLATES / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-2000:]


@pytest.mark.actionlint
def test_actionlint() -> None:
    made = subprocess.run(["actionlint", "-no-color", *GITHUB], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout


def test_zizmor() -> None:
    """Without network: what it would ask of GitHub is not claimed."""
    program = shutil.which("zizmor", path=str(Path(sys.executable).parent)) or shutil.which("zizmor")
    assert program is not None, "zizmor comes with requirements/test.txt"
    files = [*GITHUB, TEMPLATES / "github" / "verify" / "action.yml"]
    made = subprocess.run([program, "--offline", "--no-progress", *files], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout


def test_the_hook_is_a_command() -> None:
    (hook,) = load(ROOT / ".pre-commit-hooks.yaml")
    arguments = [*shlex.split(hook["entry"])[1:], "web/package-lock.json", "api/pnpm-lock.yaml"]
    assert cli.parser("check").parse_args(arguments).offline
    assert all(re.search(hook["files"], name) for name in ("package-lock.json", "a/bun.lock", "b/c/yarn.lock"))
    assert not re.search(hook["files"], "docs/yarn.lock.md")
