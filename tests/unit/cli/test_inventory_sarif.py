"""A sweep as SARIF is what the official schema says, whatever packages and projects are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sbomgate.cli import _inventory_sarif
from sbomgate.inventory import sweep
from sbomgate.inventory.folder import Folder
from testkit.inventories import EXAMPLES, NOW, build, package


@pytest.fixture(scope="module")
def schema(repository: Path) -> jsonschema_rs.Validator:
    path = repository / "tests" / "fixtures" / "sarif" / "sarif-schema-2.1.0.json"
    return jsonschema_rs.validator_for(json.loads(path.read_bytes()))


def swept(tmp_path: Path, *more: Any, names: tuple[str, ...] = ("axios",)) -> tuple[sweep.Affected, ...]:
    folder = Folder(tmp_path / "inventory")
    folder.create()
    folder.add([*EXAMPLES, *more])
    engine = folder.reader()
    try:
        return folder.ask(
            engine,
            lambda e: sweep.sweep(e, names, lambda pairs: {p: ("MAL-1", "GHSA-2") for p in pairs if p[1] != "1.14.0"}),
        )
    finally:
        engine.close()


def test_a_hit_is_a_result(tmp_path: Path, schema: jsonschema_rs.Validator) -> None:
    found = swept(tmp_path)
    bad = EXAMPLES[1][1][0]
    text = _inventory_sarif.render(found, {bad["digest"]: ["production"]})
    log = json.loads(text)
    schema.validate(log)
    assert _inventory_sarif.render(found, {bad["digest"]: ["production"]}) == text
    (shop,) = (run for run in log["runs"] if run["properties"]["project"] == "shop")
    (result,) = shop["results"]
    assert (result["ruleId"], result["level"]) == ("MAL-1", "error")
    assert [rule["id"] for rule in shop["tool"]["driver"]["rules"]] == ["MAL-1"]
    assert "axios 1.14.1 (MAL-1, GHSA-2), by shop › axios: in shop 1.0.0" in result["message"]["text"]
    assert "Last good: shop 1.0.0 · file:old.tgz" in result["message"]["text"]
    assert result["properties"]["evidence_sha256"] == bad["evidence"]
    assert result["properties"]["running_in"] == ["production"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "package-lock.json"
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "pkg:npm/axios@1.14.1"
    # The project whose newest decision FAILED, and which runs nowhere: nothing is left to do.
    (other,) = (run for run in log["runs"] if run["properties"]["project"] == "other")
    assert {result["level"] for result in other["results"]} == {"note"}
    assert len({run["automationDetails"]["id"] for run in log["runs"]}) == len(log["runs"])


def test_no_hit_is_a_run_without_results(schema: jsonschema_rs.Validator) -> None:
    log = json.loads(_inventory_sarif.render((), {}))
    schema.validate(log)
    assert [run["results"] for run in log["runs"]] == [[]]


def test_what_a_policy_denies(tmp_path: Path, schema: jsonschema_rs.Validator) -> None:
    folder = Folder(tmp_path / "inventory")
    folder.create()
    folder.add(EXAMPLES)
    engine = folder.reader()
    from sbomgate.inventory import answers

    found = folder.ask(
        engine,
        lambda e: sweep.failing(e, {one.identity: ("no_core: a",) for one in answers.builds(e).values()}),
    )
    engine.close()
    log = json.loads(_inventory_sarif.render(found, {}))
    schema.validate(log)
    results = [result for run in log["runs"] for result in run["results"]]
    assert {result["ruleId"] for result in results} == {"policy"}
    assert all(result["message"]["text"].startswith("no_core: a: in ") for result in results)


@pytest.mark.parametrize(
    "name", ["](https://evil.example)", "{0}{", "a\x1b[2J", "\u202eevil", "x" * 5000, "<script>", "../../../etc/passwd"]
)
def test_P39_what_is_hostile_is_text(tmp_path: Path, schema: jsonschema_rs.Validator, name: str) -> None:
    hostile = build("h", [package(name, name)], project=name, project_repository=f"https://{name}", lockfile=name,
                    commit_id=name, decided=NOW)  # fmt: skip
    found = swept(tmp_path, hostile, names=(name,))
    text = _inventory_sarif.render(found, {hostile[1][0]["digest"]: [name]})
    log = json.loads(text)
    schema.validate(log)
    ((result,),) = (list(run["results"]) for run in log["runs"])
    said = result["message"]["text"]
    assert "](" not in said
    assert said.count("{") % 2 == 0
    assert "\x1b" not in text
    assert "\u202e" not in text
