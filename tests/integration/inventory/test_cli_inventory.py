"""The bad day, from the command line: what a gate leaves is found, swept, superseded, and refused at deployment."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from testkit.bad_day import START, Clock, gate
from testkit.commandline import Result, World, must_be_refused, refused
from testkit.oci_simulator import simulator


def read(result: Result, code: int = 0) -> Any:
    assert result.code == code, result.out + result.err
    return json.loads(result.out)


def test_find_names_the_evidence(world: World) -> None:
    (hit,) = read(world.run("inventory", "find", "fetch-it@1.14.1", "--json"))["hits"]
    assert hit["package"]["path"] == ["fetch-it"]
    assert hit["build"]["standing"] == "verified"
    (found,) = world.store.glob(f"*/*/decisions/{hit['build']['evidence']}")
    assert (found / "sbom.cdx.json").exists()
    shown = world.run("inventory", "find", "fetch-it-core", "--paths")
    assert shown.code == 0
    assert "1 build of 1 project" in shown.out
    assert "shop › fetch-it-core" in shown.out
    assert hit["build"]["evidence"][:12] in shown.out
    assert world.run("inventory", "find", "left-pad").out.startswith("no build holds it\n\nrevocations  ")


def test_the_bad_day(world: World, clock: Clock) -> None:
    """P19: sweep finds what passed, names what to go back to, and `verify` refuses what was superseded."""
    clock.now = START + timedelta(hours=3)
    assert world.run("inventory", "deployed", "file:bad.tgz", "--environment", "production").code == 0
    must = world.run("verify", "file:bad.tgz", "--trust", "trust.toml")
    assert must.code == 0, must.out
    told = world.run("inventory", "sweep", "--feed", "feed.csv")
    assert told.code == 1
    for text in ("HIT  1 build of 1 project", "runs now   production", "last good  shop 3.2.0 · file:good.tgz",
                 "fetch-it-core: 4.2.1 → (not there)", "fetch-it: 1.14.1 → 1.14.0"):  # fmt: skip
        assert text in told.out
    (affected,) = read(world.run("inventory", "sweep", "--feed", "feed.csv", "--format", "json"), 1)["affected"]
    assert affected["running_in"] == ["production"]
    assert affected["since"] == "2026-04-01T10:00:00Z"
    assert [h["name"] for h in affected["builds"][0]["hits"]] == ["fetch-it", "fetch-it-core"]
    # Superseded: a signed FAILED that anybody can replay.
    made = world.run("inventory", "sweep", "--feed", "feed.csv", "--supersede", "--trust", "trust.toml", "--key", "release.key")  # fmt: skip  # noqa: E501
    assert made.code == 1, made.err
    assert "1 decisions signed" in made.err
    refusal = world.run("verify", "file:bad.tgz", "--trust", "trust.toml")
    assert (refusal.code, "REFUSED" in refusal.out) == (1, True)
    assert world.run("verify", "file:good.tgz", "--trust", "trust.toml").code == 0
    (decided,) = [p for p in world.store.glob("*/*/decisions/*") if (p / "lists" / "sweep" / "feed.csv").exists()]
    again = world.run("replay", str(decided.relative_to(world.root)))
    assert again.code == 0, again.out
    findings = json.loads((decided / "evaluation.json").read_bytes())["findings"]
    assert "known_malicious" in {f["rule"] for f in findings if f["level"] == "deny"}
    # It is in the inventory, and is not superseded twice; once nothing runs, the sweep is done.
    clock.now += timedelta(hours=1)
    (found,) = read(world.run("inventory", "find", "fetch-it@1.14.1", "--json"))["hits"]
    assert (found["build"]["verdict"], found["build"]["decisions"]) == ("denied", 2)
    assert world.run("inventory", "sweep", "--feed", "feed.csv").code == 1
    assert world.run("inventory", "deployed", "file:good.tgz", "--environment", "production").code == 0
    done = world.run("inventory", "sweep", "--feed", "feed.csv")
    assert done.code == 0
    assert "FAILED or revoked already" in done.out


def test_what_supersedes_is_attached_where_verify_looks(world: World, clock: Clock) -> None:
    """P19: a consumer who only has the registry sees the FAILED too."""
    clock.now += timedelta(hours=3)
    arguments = ["inventory", "sweep", "--feed", "feed.csv", "--supersede", "--trust", "trust.toml"]
    with simulator() as registry:
        store = f"oci:{registry.host}/team/evidence"
        assert world.run("evidence", "push", store).code == 0
        verify = ("verify", "file:bad.tgz", "--trust", "trust.toml", "--store", store)
        assert world.run(*verify).code == 0
        made = world.run(*arguments, "--key", "release.key", "--store", "evidence", "--store", store)
        assert (made.code, "1 decisions signed" in made.err) == (1, True), made.err
        shutil.rmtree(world.store)
        refusal = world.run(*verify)
    assert refusal.code == 1
    assert "failed" in refusal.out


def test_a_sweep_in_tables(world: World) -> None:
    made = world.run("inventory", "sweep", "--feed", "feed.csv", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(made.out)))
    assert [(row["project"], row["package"], row["version"]) for row in rows] == [
        ("shop", "fetch-it", "1.14.1"),
        ("shop", "fetch-it-core", "4.2.1"),
    ]
    shown = world.run("inventory", "sweep", "--feed", "feed.csv", "--format", "markdown")
    assert "| `shop` | `fetch-it-core@4.2.1`<br>`fetch-it@1.14.1` |" in shown.out


def test_an_incident_is_written_signed_and_told(world: World) -> None:
    told = world.root / "told.json"
    arguments = ["inventory", "sweep", "--feed", "feed.csv", "--incident", "incident.json", "--key", "release.key"]
    made = world.run(
        *arguments, "--notify", f'{sys.executable} -c \'import sys; open("{told}", "w").write(sys.stdin.read())\''
    )
    assert made.code == 1, made.err
    assert json.loads(told.read_text())["affected"][0]["project"] == "shop"
    statement = json.loads((world.root / "incident.json").read_bytes())
    rollback = statement["predicate"]["rollback"]
    assert [one["project"] for one in rollback["redeploy"]] == ["shop"]
    assert rollback["rotate_credentials"][0]["system"] == "none"
    checklist = (world.root / "incident.json.checklist.md").read_text()
    assert "npm cache ls fetch-it@1.14.1" in checklist
    assert checklist.count("- [ ] ") >= 4
    said = statement["predicate"]
    assert [one["name"] for one in statement["subject"]] == ["file:bad.tgz"]
    assert [package["name"] for package in said["packages"]] == ["fetch-it", "fetch-it-core"]
    assert said["products"][0]["last_good"]["artefact"].startswith("sha256:")
    assert "member_states" in said["early_warning_24h"]["fill_in"]
    bundle = json.loads((world.root / "incident.json.sigstore.json").read_bytes())
    assert base64.b64decode(bundle["dsseEnvelope"]["payload"]) == (world.root / "incident.json").read_bytes()
    for command in ("false", "/nowhere/at/all", "'"):
        failed = world.run("inventory", "sweep", "--feed", "feed.csv", "--notify", command)
        assert failed.code == 2
        assert "--notify" in failed.err


def test_a_webhook_that_fails_hides_nothing(world: World, clock: Clock) -> None:
    """The result is written, what was asked for besides is done, and the failure is said: exit code 2."""
    clock.now += timedelta(hours=3)
    with simulator() as nobody:  # answers 404
        made = world.run(
            "inventory", "sweep", "--feed", "feed.csv", "--format", "json", "--supersede", "--trust", "trust.toml",
            "--key", "release.key", "--incident", "incident.json", "--notify", f"{nobody.url}/secret-path",
        )  # fmt: skip
    assert made.code == 2
    assert json.loads(made.out)["affected"][0]["project"] == "shop"
    assert "nobody was told" in made.err
    assert "secret-path" not in made.err
    assert "1 decisions signed" in made.err
    assert (world.root / "incident.json").exists()
    assert world.run("verify", "file:bad.tgz", "--trust", "trust.toml").code == 1
    refused(world, "inventory", "sweep", "--feed", "feed.csv", "--notify", "http://example.com/", says=["not https"])


def test_a_sweep_that_hits_nothing(world: World) -> None:
    (world.root / "feed.csv").write_text("name,version\nfetch-it,6.6.6\n")
    made = world.run("inventory", "sweep", "--feed", "feed.csv")
    assert (made.code, made.out.partition("\n\n")[0]) == (0, "no build is hit")


def test_a_sweep_by_another_policy(world: World) -> None:
    """What passed and would not by a policy with one more rule."""
    made = world.run("policy", "new", "no_core", "--out", "policy")
    assert made.code == 0, made.err
    assert world.run("inventory", "sweep", "--policy", "policy").code == 0
    rule = world.root / "policy" / "rules" / "no_core.rego"
    text = rule.read_text().replace('"changed"', '"always"').replace("example-of-no-core", "fetch-it-core")
    rule.write_text(text)
    told = world.run("inventory", "sweep", "--policy", "policy", "--format", "json")
    (affected,) = read(told, 1)["affected"]
    assert affected["denied_by"] == ["no_core: node_modules/fetch-it-core"]
    assert affected["last_good"]["subject"] == "file:good.tgz"


def test_nothing_is_superseded_without_a_key(world: World) -> None:
    refused(world, "inventory", "sweep", "--feed", "feed.csv", "--supersede", says=["--supersede"])


def test_what_cannot_be_superseded_is_said(world: World) -> None:
    shutil.rmtree(world.store)
    made = world.run("inventory", "sweep", "--feed", "feed.csv", "--supersede", "--trust", "trust.toml", "--key", "release.key")  # fmt: skip  # noqa: E501
    assert made.code == 2
    assert "not in this store" in made.err
    assert "1 builds could not be superseded" in made.err


def test_the_inventory_is_made_again_from_the_evidence(world: World) -> None:
    before = read(world.run("inventory", "find", "*", "--json"))
    assert world.run("inventory", "deployed", "file:bad.tgz", "--environment", "production").code == 0
    made = world.run("inventory", "rebuild", "--from", "evidence", "--trust", "trust.toml")
    assert made.code == 0, made.err
    after = read(world.run("inventory", "find", "*", "--json"))
    for hit in after["hits"]:
        assert hit["build"].pop("running_in") == (["production"] if "bad" in hit["build"]["subject"] else [])
    for hit in before["hits"]:
        assert hit["build"].pop("running_in") == []
    assert after["hits"] == before["hits"]
    shutil.rmtree(world.root / "inventory")
    assert world.run("inventory", "add", "evidence", "--trust", "trust.toml").code == 0
    assert read(world.run("inventory", "find", "*", "--json"))["hits"] == [
        {"package": hit["package"], "build": {**hit["build"], "running_in": []}} for hit in after["hits"]
    ]


def test_a_rebuild_that_cannot_read_everything_changes_nothing(world: World) -> None:
    before = world.snapshot()
    blob = next(world.store.glob("*/*/decisions/*/sbom.cdx.json"))
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data.replace(b"fetch-it", b"fetch-1t"))
    made = world.run("inventory", "rebuild", "--from", "evidence", "--trust", "trust.toml")
    assert made.code == 2
    assert "as it was" in made.err
    after = world.snapshot()
    del before[str(blob.relative_to(world.root))], after[str(blob.relative_to(world.root))]
    assert {k: v for k, v in after.items() if k.startswith("inventory")} == {
        k: v for k, v in before.items() if k.startswith("inventory")
    } | {k: v for k, v in after.items() if k.startswith("inventory/.")}


def test_evidence_that_nobody_accepted_signed_is_labelled(world: World) -> None:
    shutil.rmtree(world.root / "inventory")
    made = world.run("inventory", "add", "evidence")
    assert made.code == 0
    assert "2 builds added, 0 there already" in made.out
    assert "unverified" in world.run("inventory", "find", "fetch-it").out
    assert read(world.run("inventory", "stats", "--json"))["standing"] == {"unverified": 2}
    again = world.run("inventory", "add", "evidence", "--trust", "trust.toml")
    assert "0 builds added, 2 there already" in again.out
    assert "rebuild" in again.err


def sbom(name: str, *packages: str) -> bytes:
    """An SBOM that somebody else made."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/{one}",
            "name": one.partition("@")[0],
            "version": one.partition("@")[2],
            "purl": f"pkg:npm/{one}",
        }
        for one in packages
    ]
    return json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {
                "timestamp": "2026-04-01T00:00:00Z",
                "component": {"type": "application", "bom-ref": "root", "name": name, "version": "1.0.0"},
            },
            "components": components,
            "dependencies": [{"ref": "root", "dependsOn": [c["bom-ref"] for c in components]}],
        }
    ).encode()


def test_a_folder_of_sboms(world: World) -> None:
    folder = world.root / "sboms"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_bytes(sbom("vendor", "fetch-it@1.14.1"))
    (folder / "deep" / "b.json").write_bytes(sbom("other", "fetch-it@0.30.4"))
    (folder / "package.json").write_bytes(b"{}")
    (folder / "broken.json").write_bytes(sbom("broken", "fetch-it@1.14.1")[:-5])
    (folder / "pipe.txt").write_bytes(b"CycloneDX")
    made = world.run("inventory", "add", "sboms", "--inventory", "theirs")
    assert made.code == 2, "one that is broken is not passed over"
    assert "2 builds added, 0 there already, 1 not read" in made.out
    assert "broken.json" in made.err
    assert "package.json is no CycloneDX SBOM" in made.err
    found = world.run("inventory", "find", "fetch-it", "--paths", "--inventory", "theirs")
    assert "vendor 1.0.0 · a.json · 2026-04-01 00:00 UTC" in found.out
    assert "its author's word" in found.out
    assert "vendor › fetch-it" in found.out
    one = world.run("inventory", "add", "sboms/a.json", "--inventory", "theirs")
    assert (one.code, "0 builds added, 1 there already" in one.out) == (0, True)


def test_export(world: World) -> None:
    for name in ("rows.csv", "rows.json", "rows.parquet"):
        assert world.run("inventory", "export", "fetch-it", "-o", name).code == 0
    rows = list(csv.DictReader(io.StringIO((world.root / "rows.csv").read_text())))
    assert sorted(row["version"] for row in rows) == ["1.14.0", "1.14.1"]
    assert [row["version"] for row in json.loads((world.root / "rows.json").read_bytes())["rows"]] == [
        "1.14.0",
        "1.14.1",
    ]
    assert (world.root / "rows.parquet").read_bytes()[:4] == b"PAR1"
    archives = []
    for name in ("one.zip", "two.zip"):
        made = world.run("inventory", "export", "project:shop", "version:3.2.0", "--from", "evidence", "-o", name)
        assert made.code == 0, made.err
        archives.append((world.root / name).read_bytes())
    assert archives[0] == archives[1]
    with zipfile.ZipFile(world.root / "one.zip") as archive:
        names = archive.namelist()
        assert len(names) == 2
        assert all(json.loads(archive.read(name))["bomFormat"] == "CycloneDX" for name in names)
    refused(world, "inventory", "export", "-o", "rows.xlsx", says=["rows.xlsx"])
    refused(world, "inventory", "export", "-o", "all.zip", says=["no SBOMs"])


def test_coverage(world: World) -> None:
    digests = {}
    for hit in read(world.run("inventory", "find", "fetch-it", "--json"))["hits"]:
        digests[hit["build"]["subject"]] = hit["build"]["digest"]
    deployed = world.root / "deployed.txt"
    deployed.write_text(f"# what runs\n{digests['file:good.tgz']}\n")
    assert world.run("inventory", "coverage", "--deployed", "deployed.txt").code == 0
    stranger = "registry.example/web@sha256:" + "0" * 64
    deployed.write_text(f"{digests['file:good.tgz']}\n{stranger}\n")
    told = world.run("inventory", "coverage", "--deployed", "deployed.txt")
    assert told.code == 1
    assert f"never met the gate    {stranger}" in told.out
    said = read(world.run("inventory", "coverage", "--deployed", "deployed.txt", "--json"), 1)
    assert {state: number for state, number in said["counts"].items() if number} == {"never": 1, "passed": 1}


LISTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"\n# nothing\n", "names nothing"),
    "a tag": (b"oci:registry.example/web:latest\n", "line 1"),
    "a file": (b"file:app.tgz\n", "line 1"),
    "not UTF-8": (b"\xff\xfe", "not UTF-8"),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_of_deployed_that_is_none(world: World, case: str) -> None:
    data, says = LISTS[case]
    (world.root / "deployed.txt").write_bytes(data)
    refused(world, "inventory", "coverage", "--deployed", "deployed.txt", says=[says])


Case = tuple[Callable[[World], Any], list[str], list[str]]
NOTHING: Callable[[World], Any] = lambda _: None  # noqa: E731
REFUSED: dict[str, Case] = {
    "no inventory": (NOTHING, ["find", "fetch-it", "--inventory", "nowhere"], ["nowhere"]),
    "object storage": (NOTHING, ["find", "fetch-it", "--inventory", "s3://bucket/x?secret=1"], ["s3://bucket/x"]),
    "no such source": (NOTHING, ["add", "nowhere"], ["nowhere"]),
    "an empty feed": (lambda w: (w.root / "feed.csv").write_text("name,version\n"), ["sweep", "--feed", "feed.csv"],
                      ["no malicious package"]),
    "a feed that is none": (lambda w: (w.root / "feed.csv").write_bytes(b"\x00\xff"), ["sweep", "--feed", "feed.csv"],
                            ["feed.csv"]),
    "no SELECT": (NOTHING, ["sql", "DROP TABLE build"], ["not one SELECT"]),
    "a time that is none": (NOTHING, ["deployed", "file:bad.tgz", "--environment", "e", "--at", "soon"], ["--at"]),
    "a tag": (NOTHING, ["deployed", "oci:registry.example/web:latest", "--environment", "e"], ["by its digest"]),
    "an inventory that is a file": (lambda w: (w.root / "x").write_bytes(b""), ["add", "evidence", "--inventory", "x"],
                                    ["x"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_said(world: World, case: str) -> None:
    prepare, arguments, says = REFUSED[case]
    prepare(world)
    made = world.run("inventory", *arguments)
    must_be_refused(made, says=says, hint=False)


def test_sql(world: World) -> None:
    made = world.run("inventory", "sql", "SELECT name, version FROM package ORDER BY ALL")
    assert made.out.splitlines() == ["name,version", "fetch-it,1.14.0", "fetch-it,1.14.1", "fetch-it-core,4.2.1"]


def test_a_gate_whose_inventory_cannot_be_written_still_decides(world: World) -> None:
    shutil.rmtree(world.root / "inventory")
    (world.root / "inventory").mkdir()
    (world.root / "inventory" / "thesis.txt").write_bytes(b"")
    shutil.rmtree(world.store)
    made = gate(world, "good", "--inventory", "inventory")
    assert made.code == 0
    assert "warning: not in the inventory" in made.err
    assert [p.name for p in (world.root / "inventory").iterdir()] == ["thesis.txt"]


def test_no_other_verb_imports_duckdb() -> None:
    program = "import sys; from sbomgate import cli; cli.parser(); sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
