"""What we release: a wheel of the same bytes for all, of dependencies that are told, by jobs without spare rights."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from testkit.commandline import World

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = ROOT / "ci-templates" / "github"


# Two people: what they set, and what their files are like.
BUILDERS: list[tuple[int, int, int, dict[str, str]]] = [
    (0, 0o644, 0o022, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"}),
    (1_000_000_000, 0o600, 0o077, {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"}),
]


def built(source: Path, out: Path, umask: int, variables: dict[str, str]) -> str:
    """Build a wheel as `tools/build_wheel.sh` does; return its SHA-256."""
    done = subprocess.run(
        ["sh", "tools/build_wheel.sh", sys.executable, str(out)],
        cwd=source,
        env={**os.environ, **variables, "HOME": str(out), "USER": str(umask)},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = out.glob("*.whl")
    return f"{wheel.name} {hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def test_two_wheels_are_the_same_bytes(tmp_path: Path) -> None:
    """P38: of two trees in two places, of two ages, with other permissions, umask, time zone, language and order."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0 or not listed.stdout:
        pytest.fail("the tree is no git checkout: what belongs to it is not known")
    wanted = ("sbomgate/", "policies/", "schemas/", "ci-templates/", "engine/", "trust_root/", "tools/build_wheel.sh")
    listed_names = [name for name in listed.stdout.decode().split("\0") if name]
    names = [name for name in listed_names if name.startswith(wanted) or "/" not in name]
    found = []
    for number, (age, mode, umask, variables) in enumerate(BUILDERS):
        tree = tmp_path / f"tree{number}" / ("deeper" * number or "x")
        for name in names if number else reversed(names):  # in another order in the folders as well
            if not (ROOT / name).is_file() or (ROOT / name).is_symlink():
                continue
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
            target.chmod(mode)
            os.utime(target, (age, age))
        found.append(built(tree, tmp_path / f"out{number}", umask, variables))
    assert found[0] == found[1]


# --------------------------------------------------------------------------------------------------------------------
# Dependencies


def names_in(lock: str) -> set[str]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))


TOLD = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("lock", ["run.txt", "inventory.txt", "s3.txt", "spark.txt"])
def test_every_package_that_is_installed_to_run_is_told(lock: str) -> None:
    """Each has a line with its reason, or stands among what those bring in."""
    assert not {name for name in names_in(lock) if not re.search(rf"\b{re.escape(name)}\b", TOLD)}


def test_every_dependency_that_we_name_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *extras["inventory"], *extras["spark"]]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", TOLD, re.MULTILINE)
    told = {word: reason for names, reason in rows for word in re.findall(r"[a-z0-9][a-z0-9-]*", names)}
    for one in wanted:
        name = re.split(r"[\[<>=,;]", one)[0].strip()
        assert len(told.get(name, "")) > 20, f"docs/dependencies.md gives no reason for {name}"
    groups = project["dependency-groups"]
    for one in [*groups["test"], *groups["dev"]]:
        name = re.split(r"[\[<>=,;]", one)[0].strip().removeprefix("types-").lower()
        assert re.search(rf"\b{re.escape(name)}\b", TOLD), f"docs/dependencies.md says nothing of {name}"


@pytest.mark.parametrize("lock", sorted(path.name for path in (ROOT / "requirements").glob("*.txt")))
def test_every_lock_has_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    pinned = re.findall(
        r"^[a-z0-9._-]+(?:\[[a-z0-9,]+\])?==[^\n]*\\\n(?:    --hash=sha256:[0-9a-f]{64}[^\n]*\n)+", text, re.MULTILINE
    )
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0


@pytest.mark.parametrize("name", ["managers", "runners"])
def test_what_ci_installs_from_npm_is_locked_and_passes_our_own_gate(name: str, world: World) -> None:
    """What we ask of others: each package bound to its bytes, and nothing that denies on the first day."""
    installs = (ROOT / "tools" / "install_parts.sh").read_text(encoding="utf-8")
    assert "npm $how --ignore-scripts" in installs
    assert "--no-package-lock" not in installs
    made = world.run("check", str(ROOT / "tools" / name), "--offline", "--json")
    assert made.code == 0, made.out
    said = json.loads(made.out)
    assert said["packages"] > 100
    found = {f["code"] for level in ("warnings", "notes") for one in said[level] for f in one["findings"]}
    assert not found & {"missing-integrity", "weak-integrity", "resolved-missing"}


# --------------------------------------------------------------------------------------------------------------------
# Our own workflows


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_are_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["release.yml", "test.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_the_least(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert not {"pull_request_target", "workflow_run"} & set(workflow[True])  # YAML 1.1 reads `on` as true
    for name, job in workflow["jobs"].items():
        assert job["permissions"].get("contents", "read") == "read" or name == "publish-release", name
        assert job["timeout-minutes"] <= 60
        assert "secrets." not in str(job)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_those_of_the_templates(path: Path) -> None:
    """By commit, and the same ones as users get: one list to look after. The one more is what attests."""
    known = {one for template in TEMPLATES.glob("*.yml") for one in actions(template)}
    for action in actions(path):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert action in known or action.startswith("actions/attest-build-provenance@")


def actions(path: Path) -> list[str]:
    return re.findall(r"^\s*-? *uses: ([^\s#]+)", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_p27_the_jobs_that_sign_run_no_code_of_a_dependency() -> None:
    """P27: who may sign installs the wheel that was tested, by its digest, and nothing that is built there."""
    signing = {
        name: job
        for name, job in load(ROOT / ".github/workflows/release.yml")["jobs"].items()
        if job["permissions"].get("id-token")
    }
    assert set(signing) == {"attest", "decide", "publish"}
    for name, job in signing.items():
        text = str([step.get("run", "") for step in job["steps"]])
        assert not re.search(r"(?<![\w/])(?:npm|npx|make|pytest)\b|build_wheel", text), name
        assert "actions/cache" not in str(job)
        assert "sha256sum --check" in text, f"{name} does not compare what it takes with its digest"


@pytest.mark.actionlint
def test_actionlint() -> None:
    made = subprocess.run(["actionlint", "-no-color", *WORKFLOWS], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout


def test_zizmor() -> None:
    """Without network: what it would ask of GitHub is not claimed."""
    program = shutil.which("zizmor", path=str(Path(sys.executable).parent)) or shutil.which("zizmor")
    assert program is not None, "zizmor comes with requirements/test.txt"
    called = [program, "--offline", "--no-progress", *map(str, WORKFLOWS)]
    made = subprocess.run(called, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout
