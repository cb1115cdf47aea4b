"""The verb `report`, and `--format` of `check` and `gate`, as users and enemies run them."""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path

import jsonschema_rs
import pytest

from sbomgate.cli._results import formats
from testkit.commandline import World, must_be_discreet, must_be_refused, refused

ALL = ("csv", "html", "json", "junit", "markdown", "sarif", "text")


def build(world: World) -> str:
    """The folder of the one build in the store, as a user types it."""
    (found,) = world.store.glob("??/*")
    return str(found.relative_to(world.root))


@pytest.fixture(scope="module")
def sarif(repository: Path) -> jsonschema_rs.Validator:
    path = repository / "tests" / "fixtures" / "sarif" / "sarif-schema-2.1.0.json"
    return jsonschema_rs.validator_for(json.loads(path.read_bytes()))


def test_a_format_is_its_file() -> None:
    assert formats() == ALL


@pytest.mark.parametrize("name", ALL)
def test_a_build_in_every_format(ordinary: World, name: str) -> None:
    """P38: the same bytes twice. P40: nothing of the machine. It says who signed."""
    asked = ["report", build(ordinary), "--trust", "trust.toml", "--format", name]
    shown = ordinary.run(*asked)
    assert shown.code == 0, shown.err
    assert shown.err == ""
    assert "shop" in shown.out
    assert ordinary.run(*asked).out == shown.out
    must_be_discreet(shown)
    assert str(ordinary.root) not in shown.out


@pytest.mark.parametrize("name", ALL)
def test_a_store_in_every_format(ordinary: World, name: str) -> None:
    shown = ordinary.run("report", "evidence", "--trust", "trust.toml", "--format", name)
    assert shown.code == 0, shown.err
    assert "shop" in shown.out
    must_be_discreet(shown)
    assert str(ordinary.root) not in shown.out


@pytest.mark.parametrize("name", ["html", "markdown", "text"])
def test_controls(ordinary: World, name: str) -> None:
    asked = ["report", "controls", build(ordinary), "--trust", "trust.toml", "--format", name]
    shown = ordinary.run(*asked)
    assert shown.code == 0, shown.err
    for word in ("evidence, not certification", "800-218", "AUD-3", "13(5)", "TR-03183-2", "6.3.2", "CC8.1"):
        assert word in shown.out
    (decision,) = ordinary.store.glob("??/*/decisions/*")
    for name_ in ("sbom.cdx.json", "policy-input.json"):
        assert hashlib.sha256((decision / name_).read_bytes()).hexdigest() in shown.out
    assert decision.name in shown.out
    assert ordinary.run(*asked).out == shown.out


def test_what_is_not_verified_says_so(ordinary: World) -> None:
    """Without a trust file nobody knows who signed, and nothing is more than partly supported."""
    page = ordinary.run("report", build(ordinary))
    assert "Not verified. " in re.sub(r"<[^>]+>", "", page.out)
    controls = ordinary.run("report", "controls", build(ordinary)).out
    assert not re.search(r"^  \S.*: supported$", controls, re.MULTILINE)
    assert re.search(r"^  \S.*: partly supported$", controls, re.MULTILINE)


def test_an_older_decision_says_that_there_is_a_newer_one(world: World) -> None:
    """Two decisions on one artefact: the page of the older says so, whichever way it is named."""
    (older,) = world.store.glob("??/*/decisions/*")
    time.sleep(1.1)  # decisions are told apart by the second
    assert world.run(*world.gate()).code == 0
    newest = world.run("report", build(world), "--trust", "trust.toml", "--format", "text")
    asked = ["report", str(older.relative_to(world.root)), "--trust", "trust.toml", "--format"]
    assert "Refused: a newer decision on the same artefact" in world.run(*asked, "text").out
    assert "this trust file refuses it" in world.run(*asked, "html").out
    assert newest.out.startswith("VERIFIED")
    assert "a newer decision" not in newest.out


def test_what_was_revoked_is_no_yes(world: World) -> None:
    (decision,) = world.store.glob("??/*/decisions/*")
    signer = ["--key", "release.key", "--trust", "trust.toml"]
    done = world.run("revoke", decision.name, "--reason", "built on a bad runner", *signer, "--store", "evidence")
    assert done.code == 0, done.err
    for path in (build(world), str(decision.relative_to(world.root))):
        page = world.run("report", path, "--trust", "trust.toml").out
        assert "The policy allowed it, and this trust file refuses it" in page
        assert "built on a bad runner" in page
        assert "Yes, it may ship" not in page
    store = world.run("report", "evidence", "--trust", "trust.toml", "--format", "markdown").out
    assert "refused by this trust file" in store


def test_another_s_trust_file_does_not_accept_it(world: World) -> None:
    text = (world.root / "trust.toml").read_text()
    mine = re.search(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", text, re.DOTALL)
    assert mine is not None
    assert world.run("key", "new", "--out", "other.key").code == 0
    public = (world.root / "other.key.pub").read_text().strip()
    (world.root / "trust.toml").write_text(text.replace(mine.group(), public))
    shown = world.run("report", build(world), "--trust", "trust.toml", "--format", "csv")
    assert shown.code == 0, shown.err
    assert '"verified"' in shown.out
    assert '"yes","note"' not in shown.out
    page = re.sub(r"<[^>]+>", "", world.run("report", build(world), "--trust", "trust.toml").out)
    assert "Not verified. nobody whom the trust file accepts signed this" in page


def test_lines_come_from_the_lockfile_that_was_decided_on(ordinary: World, sarif: jsonschema_rs.Validator) -> None:
    asked = ["report", build(ordinary), "--trust", "trust.toml", "--format", "sarif", "--lockfile"]
    log = json.loads(ordinary.run(*asked, "shop/package-lock.json").out)
    sarif.validate(log)
    refused(ordinary, *asked, "shop/package.json", says=["--lockfile", "not the lockfile that was decided on"])
    refused(ordinary, *asked, "nothing.json", says=["nothing.json"], hint=False)
    refused(
        ordinary, "report", "evidence", "--lockfile", "shop/package-lock.json", says=["--lockfile", "many lockfiles"]
    )


def test_altered_evidence_is_no_report(world: World) -> None:
    """Of a build: refused, and nothing is written. Of a store: the build is named, and the exit code is 2."""
    sbom = next(world.store.glob("??/*/decisions/*/sbom.cdx.json"))
    data = sbom.read_bytes().replace(b"left-pad", b"left-dap")
    (blob,) = [p for p in world.store.glob("??/*/blobs/sha256/*") if p.read_bytes() == sbom.read_bytes()]
    for path in (sbom, blob):
        path.unlink()
        path.write_bytes(data)
    refused(world, "report", build(world), "--trust", "trust.toml", "-o", "r.html", says=["altered"], hint=False)
    shown = world.run("report", "evidence", "--trust", "trust.toml", "--format", "markdown")
    assert shown.code == 2
    assert "Altered, or cannot be read" in shown.out
    assert any("altered" in error for error in shown.errors)
    must_be_discreet(shown)


def test_usage(ordinary: World) -> None:
    refused(ordinary, "report", "nothing", says=["nothing"], hint=False)
    refused(ordinary, "report", "a", "b", "c", says=["got 3 paths"])
    refused(ordinary, "report", "controls", build(ordinary), "--format", "sarif", says=["--format", "sarif"])
    refused(ordinary, "report", "controls", "evidence", says=["evidence"], hint=False)


def test_a_folder_without_evidence_is_no_report(world: World) -> None:
    """P3: a page about nothing, with exit code 0, would look like a good one."""
    half = Path(build(world)).parent  # what a shell completes first
    for folder in (str(half), "shop"):
        refused(world, "report", folder, "--trust", "trust.toml", says=["no build's evidence lies here"])


@pytest.mark.parametrize("name", ALL)
def test_check_in_every_format(ordinary: World, name: str) -> None:
    asked = ["check", "shop", "--trust", "trust.toml", "--offline", "--format", name]
    shown = ordinary.run(*asked)
    assert shown.code in (0, 1), shown.err
    assert "shop" in shown.out
    must_be_discreet(shown)


def test_check_writes_a_file_and_says_the_rest(world: World, sarif: jsonschema_rs.Validator) -> None:
    """The log of a pipeline says why it stopped, whatever was written besides; lines are real."""
    result = world.run("check", "shop", "--offline", "--profile", "strict", "--format", "sarif", "-o", "check.sarif")
    assert result.code == 1
    assert result.out.startswith("DENIED")
    log = json.loads((world.root / "check.sarif").read_bytes())
    sarif.validate(log)
    lines = (world.project / "package-lock.json").read_text().splitlines()
    places = {
        one["locations"][0]["physicalLocation"]["region"]["startLine"]
        for one in log["runs"][0]["results"]
        if "logicalLocations" in one["locations"][0]
    }
    assert {lines[line - 1].strip() for line in places} == {'"node_modules/left-pad": {'}


def test_one_place_holds_one_format(ordinary: World) -> None:
    check = ["check", "shop", "--offline"]
    refused(ordinary, *check, "--json", "--format", "csv", says=["json and csv would go to one place"])
    refused(ordinary, *check, "--format", "pdf", says=["--format", "'pdf'"])
    refused(ordinary, *check, "--format", "csv=", says=["--format", "'csv='"])
    same = [ordinary.run(*check, *flag).out for flag in (("--json",), ("--format", "json"))]
    assert json.loads(same[0])["schema"] == json.loads(same[1])["schema"] == "sbomgate/report/v1"


def test_one_run_writes_many_files(world: World) -> None:
    asked = ["--format", "sarif=a.sarif", "--format", "markdown=a.md", "--format", "csv", "-o", "a.csv"]
    result = world.run("check", "shop", "--offline", *asked)
    assert result.out.startswith(("ALLOWED", "DENIED"))
    assert json.loads((world.root / "a.sarif").read_bytes())["version"] == "2.1.0"
    assert (world.root / "a.md").read_text("utf-8").startswith("### ")
    assert (world.root / "a.csv").read_bytes().startswith(b'"project"')
    piped = world.run("check", "shop", "--offline", "--format", "junit", "--format", "html=a.html")
    assert piped.out.startswith("<?xml")


def test_gate_writes_what_it_signed(world: World) -> None:
    made = world.run(*world.gate("--format", "markdown", "-o", "summary.md"))
    assert made.code == 0, made.err
    summary = (world.root / "summary.md").read_text("utf-8")
    assert summary.startswith("### ✅ Allowed: `shop` `3.2.0`")
    assert "signed by" in summary
    decision = re.search(r"decision `sha256:([0-9a-f]{64})`", summary)
    assert decision is not None
    assert list(world.store.glob(f"??/*/decisions/{decision[1]}"))


@pytest.mark.parametrize("name", ALL)
def test_p40_a_repository_s_secrets_are_in_no_format(world: World, name: str) -> None:
    secret = "https://bob:hunter2-canary@git.example/acme/shop?token=npm_canary0token0that0nobody0may0see"
    asked = ["--repository", secret, "--format", name] if name != "text" else ["--repository", secret]
    made = world.run(*world.gate(*asked))
    assert made.code == 0, made.err
    must_be_discreet(made)
    must_be_discreet(world.run("report", build(world), "--trust", "trust.toml", "--format", name))
    must_be_discreet(world.run("report", "evidence", "--trust", "trust.toml", "--format", name))


def test_a_file_that_cannot_be_written_is_said(world: World) -> None:
    result = world.run("report", build(world), "-o", "no/such/folder/r.html")
    must_be_refused(result, says=["no/such/folder/r.html"])


def test_several_decisions_are_one_file(ordinary: World) -> None:
    one = ordinary.run("check", "shop", "--offline", "--format", "junit").out
    two = ordinary.run("check", "shop", "shop", "--offline", "--format", "junit").out
    assert two.count("<testsuites ") == 1
    assert two.count("packages judged") == 2 * one.count("packages judged") > 0
