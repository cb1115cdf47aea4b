"""The Containerfile's own steps, run in a Debian root of their own (tools/containerfile.py), and what they make."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.commandline import World

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / "tools" / "containerfile.py"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The root that the steps make; a minute of work, and removed afterwards."""
    if os.geteuid() != 0:
        pytest.skip("only root may write a Debian root of its own")
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    opa = folder / "opa" / "go" / "bin"
    opa.mkdir(parents=True)
    found = shutil.which("opa")
    assert found is not None
    shutil.copy2(found, opa / "opa")
    command = [sys.executable, str(TOOL), "build", str(folder / "root"), "--stage", f"opa={folder / 'opa'}"]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-4000:]
    yield folder / "root"
    shutil.rmtree(folder, ignore_errors=True)


def run(image: Path, *arguments: str, project: Path | None = None) -> subprocess.CompletedProcess[str]:
    bind = [] if project is None else ["--bind", f"{project}:/work"]
    command = [sys.executable, str(TOOL), "run", str(image), *bind, "--", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.debian
@pytest.mark.opa
def test_the_image(image: Path, world: World, tmp_path: Path) -> None:
    """As its own user and without network: a decision by the engine that was compiled into it, and by its OPA."""
    project = tmp_path / "project"
    shutil.copytree(world.project, project)
    tmp_path.chmod(0o755)
    project.chmod(0o755)
    for engine in ("embedded", "opa"):
        made = run(image, "check", "--offline", "--json", "--engine", engine, project=project)
        assert made.returncode == 0, made.stderr
        assert "compiling" not in made.stderr
        said = json.loads(made.stdout)
        assert said["verdict"] == "allowed"
        assert "1.22.0" in said["engine"]
    doctor = run(image, "doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    said = {line["name"]: line for line in json.loads(doctor.stdout)["checks"]}
    assert "compiled" in said["policy engine"]["message"]
    # (P26) what was compiled into it belongs to root, and its user cannot write it
    for path in (image / "var/cache/sbomgate/engine").rglob("*"):
        assert (path.stat().st_uid, path.stat().st_mode & 0o022) == (0, 0)
    assert run(image).stdout.startswith("usage: sbomgate")
    assert not (image / "src" / "sbomgate").exists()
    assert not (image / "opt" / "build").exists()


def test_its_opa_is_the_embedded_engines() -> None:
    text = (REPOSITORY / "Containerfile").read_text(encoding="utf-8")
    module = (REPOSITORY / "engine" / "go.mod").read_text(encoding="utf-8")
    (version,) = re.findall(r"open-policy-agent/opa@(v\S+)", text)
    assert f"github.com/open-policy-agent/opa {version}" in module


def test_everything_that_it_copies_is_in_its_context() -> None:
    """.containerignore leaves out all but what stands there."""
    text = (REPOSITORY / "Containerfile").read_text(encoding="utf-8")
    ignore = (REPOSITORY / ".containerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (REPOSITORY / name).exists(), name
            assert any(name == one or name.startswith(f"{one}/") for one in allowed), name


@pytest.mark.parametrize(
    "text",
    ["FROM debian:bookworm\nADD a b\n", "FROM alpine\nRUN true\n", "FROM a AS b\nFROM debian:bookworm\nRUN true\n"],
)
def test_what_the_tool_cannot_do_is_an_error(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instruction that was passed over would be one that was not tested."""
    monkeypatch.syspath_prepend(str(TOOL.parent))
    containerfile = importlib.import_module("containerfile")
    (tmp_path / "Containerfile").write_text(text)
    (tmp_path / "base").mkdir()
    with pytest.raises(ValueError, match=r"stage|Debian|instruction"):
        containerfile.build(tmp_path / "Containerfile", tmp_path / "root", {}, base=tmp_path / "base")
