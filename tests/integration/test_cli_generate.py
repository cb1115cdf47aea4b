"""`sbomgate generate` as its users run it: versions, formats, people, time, conformance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sbomgate.cli import _worktree
from testkit.commandline import PROGRAM
from testkit.schema import errors, xml_errors

GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@a.example",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@a.example",
    "GIT_AUTHOR_DATE": "1600000000 +0200",
    "GIT_COMMITTER_DATE": "1700000000 +0200",
}


def git(folder: Path, *arguments: str) -> str:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "XDG_"))}
    run = subprocess.run(
        ("git", "-C", str(folder), *arguments),
        env={**plain, **GIT, "HOME": str(folder)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def commit(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")


def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    manifest = {"name": "shop", "version": "1.0.0"}
    (folder / "package.json").write_text(json.dumps(manifest))
    lock = {**manifest, "lockfileVersion": 3, "packages": {"": manifest}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


def generate(folder: Path, *arguments: str, **variables: str) -> tuple[int, bytes, str]:
    environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    run = subprocess.run(
        (sys.executable, "-c", PROGRAM, "generate", str(folder), *arguments),
        env={**environment, **variables},
        capture_output=True,
        check=False,
    )
    return run.returncode, run.stdout, run.stderr.decode()


@pytest.mark.parametrize("version", ["1.5", "1.6", "1.7"])
def test_versions_and_formats(tmp_path: Path, version: str) -> None:
    folder = project(tmp_path)
    code, data, said = generate(folder, "--spec-version", version, SOURCE_DATE_EPOCH="1700000000")
    assert (code, errors(data, version), said) == (0, [], "")
    code, data, said = generate(folder, "--sv", version, "--output-format", "xml", SOURCE_DATE_EPOCH="1700000000")
    assert (code, xml_errors(data, version), said) == (0, [], "")


def test_no_time_no_citations_and_it_says_so(tmp_path: Path) -> None:
    code, data, said = generate(project(tmp_path), "--spec-version", "1.7")
    assert (code, errors(data, "1.7")) == (0, [])
    assert "no citations" in said


def test_the_time_of_the_commit(tmp_path: Path) -> None:
    """P38: SOURCE_DATE_EPOCH, else the commit that is checked out, never the clock."""
    folder = project(tmp_path)
    assert "timestamp" not in json.loads(generate(folder)[1])["metadata"]
    commit(folder)
    assert json.loads(generate(folder)[1])["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    data = generate(folder, SOURCE_DATE_EPOCH="0")[1]
    assert json.loads(data)["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"


def test_the_time_of_a_commit_in_a_pack(tmp_path: Path) -> None:
    """Where git packed the objects, and in a worktree of its own."""
    folder = project(tmp_path)
    commit(folder)
    git(folder, "worktree", "add", "-q", str(tmp_path / "other"))
    git(folder, "gc", "-q", "--aggressive")
    assert not list((folder / ".git" / "objects").glob("[0-9a-f][0-9a-f]"))
    for place in (folder, tmp_path / "other"):
        found = _worktree.committed_at(place)
        assert found is not None
        assert found.timestamp() == 1700000000


def test_broken_git_folders_have_no_time(tmp_path: Path) -> None:
    folder = project(tmp_path)
    commit(folder)
    git(folder, "gc", "-q")
    (index,) = (folder / ".git" / "objects" / "pack").glob("*.idx")
    whole = index.read_bytes()
    index.chmod(0o644)
    for data in (b"", whole[:100], whole[:1040], whole[: len(whole) // 2], b"\xfftOc\x00\x00\x00\x02" + b"\xff" * 2000):
        index.write_bytes(data)
        assert _worktree.committed_at(folder) is None
        assert generate(folder)[0] == 0
    index.write_bytes(whole)
    pack = index.with_suffix(".pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:14])
    assert _worktree.committed_at(folder) is None


def test_people(tmp_path: Path) -> None:
    """The command line wins over the project's own file."""
    folder = project(tmp_path)
    (folder / "sbomgate.toml").write_text('[sbom]\nauthor = "Jane <j@a.example>"\nsupplier = "Acme"\n')
    metadata = json.loads(generate(folder, "--author", "Joe", "--manufacturer", "M <https://m.example>")[1])["metadata"]
    assert metadata["authors"] == [{"name": "Joe"}]
    assert metadata["manufacturer"] == {"name": "M", "url": ["https://m.example"]}
    assert metadata["supplier"] == {"name": "Acme"}
    (folder / "sbomgate.toml").write_text('[sbom]\nauthor = "<x>"\n')
    code, data, said = generate(folder)
    assert (code, data) == (2, b"")
    assert "sbomgate.toml: sbom.author: got '<x>', expected NAME <EMAIL> or NAME <URL>" in said


def test_conform(tmp_path: Path) -> None:
    folder = project(tmp_path)
    code, data, _ = generate(folder, "--conform", "ntia", "--json")
    report = json.loads(data)
    assert (code, report["profile"], report["complete"]) == (0, "ntia", False)
    output = tmp_path / "bom.xml"
    code, data, _ = generate(
        folder,
        *("--conform", "ntia", "--supplier", "Acme", "--author", "Jane", "--format", "xml", "-o", str(output)),
        SOURCE_DATE_EPOCH="0",
    )
    assert code == 0
    assert b"Supplier Name" in data
    assert data.count(b"100.0 %") == 7
    assert xml_errors(output.read_bytes()) == []


@pytest.mark.parametrize(
    "arguments",
    [("--json",), ("--conform", "iso"), ("--spec-version", "1.4"), ("--format", "yaml"), ("--author", "")],
    ids=str,
)
def test_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, data, said = generate(project(tmp_path), *arguments)
    assert (code, data) == (2, b"")
    assert said


def test_of_an_sbom_that_another_tool_made(tmp_path: Path) -> None:
    """Its own words are judged; what is written of it claims neither completeness nor a phase."""
    theirs = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "metadata": {"component": {"type": "application", "bom-ref": "r", "name": "r"}},
        "components": [
            {
                "type": "library",
                "bom-ref": "a",
                "name": "a",
                "version": "1.0.0",
                "purl": "pkg:npm/a@1.0.0",
                "supplier": {"name": "Ann"},
            }
        ],
        "dependencies": [{"ref": "r", "dependsOn": ["a"]}, {"ref": "a"}],
    }
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(theirs))
    output = tmp_path / "ours.json"
    arguments = ("--from", str(path), "--conform", "ntia", "--json", "--spec-version", "1.7", "-o", str(output))
    code, data, _ = generate(Path(), *arguments, SOURCE_DATE_EPOCH="0")
    supplier = json.loads(data)["fields"][0]
    assert (code, supplier["present"], supplier["applicable"]) == (0, 1, 2)
    assert errors(output.read_bytes(), "1.7") == []
    written = json.loads(output.read_bytes())
    assert "lifecycles" not in written["metadata"]
    assert {one["aggregate"] for one in written["compositions"]} == {"unknown"}
    code, data, _ = generate(Path(), "--from", str(path), "--format", "xml")
    assert (code, xml_errors(data)) == (0, [])
    path.write_bytes(data)
    again = generate(Path(), "--from", str(path), "--conform", "ntia")
    assert again[0] == 0
    assert again[1].startswith(b"NTIA")
