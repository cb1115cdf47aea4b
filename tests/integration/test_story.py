"""The whole story through the command line, and what others make of the evidence: plain opa, cosign, sha256sum.

The three stories are the demo's: a real project of some hundred packages, the first day of the Axios incident with an
empty list of malicious packages, and a young release whose provenance is valid.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sbomgate import canonical, cli
from sbomgate.decision import material, write_detail, write_summary
from sbomgate.evidence import layout
from sbomgate.evidence.record import Record
from sbomgate.signing import local_key

STORIES = {"ordinary": 0, "axios_day_zero": 1, "attested_and_young": 1}


@dataclass(frozen=True)
class Gated:
    """demo/out after the demo has run."""

    out: Path
    said: str

    def decision(self, story: str) -> Path:
        """The folder of the one decision on a story's artefact."""
        artefact = next((self.out / story).glob("shop-*.tgz"))
        digest = hashlib.sha256(artefact.read_bytes()).hexdigest()
        for folder in self.out.glob("evidence/*/*/decisions/*"):
            subject = json.loads((folder / "decision.json").read_bytes())["subject"]
            if any(one["digest"].get("sha256") == digest for one in subject):
                return folder
        raise AssertionError(f"no decision on {story}")

    def artefact(self, story: str) -> Path:
        return next((self.out / story).glob("shop-*.tgz"))


@pytest.fixture(scope="module")
def gated(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Gated:
    """Run the demo as `make demo` does, in a copy of its own so that nothing in the tree is written."""
    work = tmp_path_factory.mktemp("demo")
    shutil.copytree(repository / "demo", work / "demo", ignore=shutil.ignore_patterns("out", "__pycache__"))
    (work / "tests").symlink_to(repository / "tests")
    done = subprocess.run(
        [sys.executable, "-P", work / "demo" / "run.py"], capture_output=True, text=True, check=False, cwd=work
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Gated(work / "demo" / "out", done.stdout)


def test_the_demo_ends_as_it_must(gated: Gated) -> None:
    assert gated.said.strip().splitlines()[-1] == "allowed, denied, denied, verified"


def codes(folder: Path) -> set[tuple[str, str, str]]:
    """What denies in a stored evaluation: (rule, code, package)."""
    evaluation = json.loads((folder / "evaluation.json").read_bytes())
    return {(f["rule"], f["code"], f["package"]) for f in evaluation["findings"] if f["level"] == "deny"}


def test_day_zero_is_denied_for_its_own_reasons(gated: Gated) -> None:
    """A01 with an empty list: four signals, none of which needs anybody to have listed anything."""
    folder = gated.decision("axios_day_zero")
    lists = json.loads((folder / "policy-input.json").read_bytes())["malicious_lists"]
    assert [one["entries"] for one in lists] == [0]
    rules = {(rule, package) for rule, _, package in codes(folder)}
    assert {
        ("release_age", "node_modules/axios"),
        ("trust_drift", "node_modules/axios"),
        ("new_dependencies", "node_modules/axios"),
        ("release_age", "node_modules/plain-crypto-js"),
        ("install_scripts", "node_modules/plain-crypto-js"),
        ("new_dependencies", "node_modules/plain-crypto-js"),
    } <= rules


def test_valid_provenance_switches_nothing_off(gated: Gated) -> None:
    """P15: the release of story 3 is verified, and denied all the same."""
    folder = gated.decision("attested_and_young")
    asked = json.loads((folder / "policy-input.json").read_bytes())
    packages = {p["id"]: p for p in asked["packages"]}
    facts = asked["facts"][packages["node_modules/@tanstack/react-query"]["facts"]]
    assert facts["provenance"]["state"] == "verified"
    denied = {(rule, package) for rule, _, package in codes(folder)}
    assert ("release_age", "node_modules/@tanstack/react-query") in denied
    assert ("new_dependencies", "node_modules/query-warmup") in denied


@pytest.mark.opa
@pytest.mark.parametrize("story", STORIES)
def test_plain_opa_eval_gives_the_signed_verdict(story: str, gated: Gated) -> None:
    """P23: the stored files and plain `opa eval` are enough."""
    folder = gated.decision(story)
    done = subprocess.run(
        ["opa", "eval", "-b", "policy.tar.gz", "-i", "policy-input.json", "data.sbomgate.decision.result"],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    value = canonical.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    assert canonical.dumps(value) == (folder / "evaluation.json").read_bytes()
    summary = json.loads((folder / "vsa.json").read_bytes())["predicate"]
    assert summary["verificationResult"] == {"allowed": "PASSED", "denied": "FAILED"}[value["verdict"]]


@pytest.mark.cosign
@pytest.mark.parametrize("story", STORIES)
def test_cosign_accepts_both_bundles(story: str, gated: Gated) -> None:
    folder, artefact = gated.decision(story), gated.artefact(story)
    for bundle, kind in (
        ("vsa.sigstore.json", "https://slsa.dev/verification_summary/v1"),
        ("decision.sigstore.json", "https://sbomgate.dev/decision/v1"),
    ):
        done = subprocess.run(
            [
                *("cosign", "verify-blob-attestation", "--key", gated.out / "release.key.pub"),
                *("--insecure-ignore-tlog", "--bundle", folder / bundle, "--type", kind, artefact),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("story", STORIES)
def test_every_stored_file_has_the_digest_that_was_signed(story: str, gated: Gated) -> None:
    """P22: what sha256sum would find."""
    folder = gated.decision(story)
    materials = json.loads((folder / "decision.json").read_bytes())["predicate"]["materials"]
    stored = {one["name"]: one["digest"]["sha256"] for one in materials if one["stored"]}
    named = {one["name"] for one in materials}
    assert {
        "sbom.cdx.json",
        "facts.json",
        "policy-input.json",
        "policy.tar.gz",
        "evaluation.json",
        "trust.toml",
    } <= set(stored)
    assert {"project/package-lock.json", "project/package.json"} <= named - set(stored)
    for name, sha256 in stored.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256, name


@pytest.mark.opa
@pytest.mark.parametrize("story", STORIES)
def test_every_engine_says_the_same(
    story: str, gated: Gated, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same question to the embedded engine and to a real OPA: the same answer, word for word."""
    monkeypatch.chdir(gated.out)
    answers = []
    for engine in ("embedded", "opa"):
        code = cli.main(
            [
                *("check", story, "--trust", str(gated.out / "trust.toml")),
                *("--facts", f"{story}/facts.sigstore.json", "--baseline", "evidence"),
                *("--offline", "--json", "--engine", engine),
            ]
        )
        answer = json.loads(capsys.readouterr().out)
        # The baseline is story 1's build; story 1 itself is compared with itself.
        assert code == STORIES[story]
        answers.append({k: v for k, v in answer.items() if k not in ("engine", "evaluation_sha256")})
    assert answers[0] == answers[1]


@pytest.mark.parametrize("story", STORIES)
def test_replay_reproduces(story: str, gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(gated.decision(story))]) == 0
    assert capsys.readouterr().out.startswith("REPRODUCED")


def test_denied_is_refused_at_deploy_time(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    for story, code in STORIES.items():
        arguments = ["--trust", str(gated.out / "trust.toml"), "--store", str(gated.out / "evidence")]
        assert cli.main(["verify", f"file:{gated.artefact(story)}", *arguments, "--environment", "production"]) == code
        assert cli.main(["verify", f"file:{gated.artefact(story)}", *arguments, "--environment", "staging"]) == 2
    capsys.readouterr()


def test_another_artefact_has_no_decision(gated: Gated, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """P12: the bytes count, not the name."""
    other = tmp_path / "shop-3.2.0.tgz"
    other.write_bytes(gated.artefact("ordinary").read_bytes() + b"\0")
    arguments = ["--trust", str(gated.out / "trust.toml"), "--store", str(gated.out / "evidence")]
    assert cli.main(["verify", f"file:{other}", *arguments, "--environment", "production"]) == 1
    assert "no decision" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------------------------------
# The store as a whole


def test_the_store_is_sound_and_its_attestations_verify(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    """P16, P36: every byte, signature, head and attestation again."""
    arguments = ["audit", str(gated.out / "evidence"), "--trust", str(gated.out / "trust.toml"), "--json"]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["builds"] == found["head"]["entries"] == len(STORIES)
    assert found["package_evidence"] >= 2
    assert found["problems"] == []


@pytest.mark.parametrize(
    ("story", "package", "state"),
    [
        pytest.param("attested_and_young", "node_modules/@tanstack/react-query", "invalid", id="verified by its bytes"),
        pytest.param("axios_day_zero", "node_modules/axios", "verified", id="no bytes"),
    ],
)
def test_rules_that_were_told_something_else_than_the_bytes_say(
    gated: Gated, tmp_path: Path, capsys: pytest.CaptureFixture[str], story: str, package: str, state: str
) -> None:
    """P14, P16: the holder of the key signs another state of a package's provenance than its bytes have."""
    record = layout.read(gated.decision(story))
    asked = json.loads(record.blobs["policy-input.json"])
    found = next(one for one in asked["packages"] if one["id"] == package)
    assert asked["facts"][found["facts"]]["provenance"]["state"] != state
    asked["facts"][found["facts"]]["provenance"]["state"] = state
    blobs = {**record.blobs, "policy-input.json": json.dumps(asked).encode()}
    made = replace(
        record.claimed,
        materials=tuple(
            material(one.name, blobs[one.name], one.media_type) if one.stored else one
            for one in record.claimed.materials
        ),
    )
    key = local_key.load(gated.out / "release.key")
    detail = key.sign(write_detail(made))
    summary = write_summary(made, detail)
    assert summary is not None
    layout.write(tmp_path / "store", Record(detail=detail, summary=key.sign(summary), blobs=blobs))
    arguments = ["audit", str(tmp_path / "store"), "--trust", str(gated.out / "trust.toml"), "--json"]
    assert cli.main(arguments) == 1
    problems = {one["kind"]: one for one in json.loads(capsys.readouterr().out)["problems"]}
    assert set(problems) == {"attestation", "uncovered"}  # it was put there without a head
    problem = problems["attestation"]
    assert "provenance" in problem["message"]


def test_other_profiles_say_what_they_would_have_said(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(gated.out / "evidence")
    assert cli.main(["replay", store, "--all", "--json"]) == 0
    assert all(not one["differences"] for one in json.loads(capsys.readouterr().out)["builds"])
    assert cli.main(["replay", store, "--all", "--profile", "observe"]) == 0
    assert "2 would be allowed" in capsys.readouterr().out
