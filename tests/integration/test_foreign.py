"""SBOMs that others made, and differences, as a user runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from testkit.commandline import World, refused

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "foreign"
NAMES = sorted(path.name for path in FIXTURES.iterdir() if path.is_file())


def place(world: World, name: str) -> str:
    """Put a fixture into the project and return its path."""
    shutil.copy(FIXTURES / name, world.project / name)
    return f"shop/{name}"


def forge(world: World, *components: dict[str, Any], **fields: Any) -> str:
    """Write an SBOM into the project and return its path."""
    refs = [component["bom-ref"] for component in components]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "application", "bom-ref": "root", "name": "shop", "version": "3.2.0"}},
        "components": components,
        "dependencies": [{"ref": "root", "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    } | fields
    (world.project / "bom.json").write_text(json.dumps(document))
    return "shop/bom.json"


def npm(name: str, version: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:npm/{name}@{version}",
        "hashes": [{"alg": "SHA-512", "content": "ab" * 64}],
    } | fields


@pytest.mark.parametrize("name", NAMES)
def test_check_judges_it(world: World, name: str) -> None:
    """`default` warns of what an SBOM does not say, and `strict` denies it; neither is silent."""
    path = place(world, name)
    result = world.run("check", path, "--offline")
    assert result.code == (1 if name.startswith("syft") else 0), result.out + result.err
    assert "what the lockfile says is not known" in " ".join(result.out.split())
    strict = json.loads(world.run("check", path, "--offline", "--profile", "strict", "--json").out)
    assert strict["verdict"] == "denied"
    found = {(one["rule"], one["code"]) for entry in strict["denials"] for one in entry["findings"]}
    assert found >= {
        ("lockfile_sound", "lockfile-unseen"),
        ("pinned", "ranges-unseen"),
        ("manager_code", "manager-unseen"),
        ("registries", "registries-unseen"),
        ("complete_evidence", "provenance"),
    }


def test_what_nobody_judges_is_denied(world: World) -> None:
    path = forge(world, npm("left-pad", "1.3.0"), npm("requests", "2.31.0", purl="pkg:pypi/requests@2.31.0"))
    result = world.run("check", path, "--offline")
    assert result.code == 1
    assert "requests@2.31.0" in result.out


def test_a_claimed_property_launders_nothing(world: World) -> None:
    """P14, C05: a listed package stays one, and its claimed provenance is unknown."""
    claims = [
        {"name": "sbomgate:format", "value": "1"},
        {"name": "sbomgate:kind", "value": "workspace"},
        {"name": "sbomgate:attestation:provenance:state", "value": "verified"},
        {"name": "provenance", "value": "verified"},
    ]
    path = forge(world, npm("axios", "1.14.1", properties=claims))
    result = world.run("check", path, "--offline", "--json")
    assert result.code == 1
    report = json.loads(result.out)
    found = {one["code"] for entry in report["denials"] for one in entry["findings"]}
    assert "listed" in found
    assert any(one["code"] == "provenance" for one in report["unknown"])


def test_nothing_to_judge_is_no_decision(world: World) -> None:
    """P3."""
    refused(world, "check", forge(world), "--offline", says=["bom.json", "no npm package stands in this SBOM"])


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("bom.json", b"", ["bom.json", "empty"]),
        ("bom.json", b"{}", ["bom.json", "not a CycloneDX document"]),
        ("bom.json", '{"a":1}'.encode("utf-16"), ["bom.json", "UTF-16"]),
        ("bom.xml", b'<!DOCTYPE bom [<!ENTITY a "b">]><bom/>', ["bom.xml", "document type"]),
        ("bom.txt", b"{}", ["bom.txt", "not the name of a lockfile"]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_input(world: World, name: str, data: bytes, says: list[str]) -> None:
    """P1."""
    (world.project / name).write_bytes(data)
    refused(world, "check", f"shop/{name}", "--offline", says=says)


def test_gate_signs_nothing_about_it(world: World) -> None:
    """P4: what it leaves out nobody knows; a wrong "allowed" would be signed."""
    path = place(world, "npm-1.5.json")
    command = [path if argument == "shop" else argument for argument in world.gate()]
    refused(world, *command, says=["npm-1.5.json", "only its author's word"])


def test_diff_with_evidence(world: World) -> None:
    result = world.run(*world.gate())
    (evidence,) = (line.split()[1] for line in result.out.splitlines() if line.strip().startswith("Evidence:"))
    same = world.run("diff", evidence, "shop", "--exit-code")
    assert same.code == 0, same.out + same.err
    assert world.run("diff", evidence, place(world, "npm-1.5.json"), "--exit-code").code == 1


def test_generate_from(world: World) -> None:
    path = place(world, "cyclonedx-npm-1.4.xml")
    result = world.run("generate", "--from", path)
    assert result.code == 0
    assert result.out == world.run("generate", "--from", path).out
    assert json.loads(result.out)["specVersion"] == "1.6"
    assert "unknown: an SBOM by @cyclonedx cyclonedx-npm 6.0.1 was read" in result.err
    assert "bytes-unknown: 2 packages" in result.err


def test_generate_from_takes_any_name(world: World) -> None:
    (world.project / "sbom").write_bytes((FIXTURES / "npm-1.5.json").read_bytes())
    assert world.run("generate", "--from", "shop/sbom").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "shop"], ["shop", "a folder, expected a CycloneDX SBOM"]),
        (["--from", "none.json"], ["none.json", "no such file"]),
        (["shop", "--from", "shop/package.json"], ["two inputs"]),
        (["--from", "shop/package.json"], ["package.json", "not a CycloneDX document"]),
    ],
)
def test_generate_from_what_is_none(world: World, arguments: list[str], says: list[str]) -> None:
    refused(world, "generate", *arguments, says=says)


def test_diff_exit_codes(world: World) -> None:
    path = place(world, "npm-1.5.json")
    for more, code in (([], 0), (["--exit-code"], 1)):
        assert world.run("diff", "shop", path, *more).code == code
        assert world.run("diff", path, path, *more).code == 0
    refused(world, "diff", "shop", "none", says=["none", "no such file or folder"])


def test_the_inventory_takes_ours_in_xml_as_anybodys(world: World) -> None:
    assert world.run("generate", "shop", "--format", "xml", "-o", "boms.xml").code == 0
    added = world.run("inventory", "add", "boms.xml", "--inventory", "stock")
    assert added.code == 0, added.err


def test_diff_says_which_of_the_two_is_broken(world: World) -> None:
    assert world.run("generate", "shop", "-o", "own.json").code == 0
    (world.root / "edited.json").write_bytes((world.root / "own.json").read_bytes().replace(b"lockfile:size", b"gone"))
    refused(world, "diff", "own.json", "edited.json", says=["edited.json", "lockfile:size"])


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_diff_of_any_mix(world: World, form: str) -> None:
    """A lockfile, our own SBOM of it, and npm's: the same packages."""
    project = world.root / "other"
    shutil.copytree(FIXTURES / "project", project)
    assert world.run("generate", "other", "-o", "own.json").code == 0
    assert world.run("generate", "other", "--format", "xml", "-o", "own.xml").code == 0
    theirs = place(world, "npm-1.5.json")
    assert world.run("diff", "other", "own.xml", "--format", form, "--exit-code").code == 0
    assert world.run("diff", "other", "own.json", "--format", form, "--exit-code").code == 0
    assert world.run("diff", "other/package-lock.json", theirs, "--format", form, "--exit-code").code == 0
    out = world.run("diff", "other", theirs, "--format", form, "-o", "out").out
    assert out == ""
    assert (world.root / "out").read_text()
