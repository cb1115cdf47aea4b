"""Promises that only the whole product can keep: people's words and their ends, a registry that is down.

Each runs the real command line, engine and policy. What one step promises is tested beside that step.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate import approvals, canonical
from sbomgate.model import Absence, AttestationDocument, Missing, Origin, Waiver
from sbomgate.npm import registry as client
from sbomgate.policy import bundle
from sbomgate.policy.engines import DEFAULT, EngineSettings, open_engine
from sbomgate.policy.evaluation import QUERY
from sbomgate.signing import local_key
from testkit import tarballs
from testkit.bench import Bench, Clock, Said, entry, known
from testkit.commandline import World
from testkit.engines import engine_cache
from testkit.registry import Fault, Simulator

PEOPLE = ("ann", "bob")
LASTS = timedelta(hours=24)  # shorter than a release is young


pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def with_people(folder: Path) -> Bench:
    """A project with two people who may approve; nobody knows who made the change, so both must."""
    bench = Bench(folder)
    signers = ""
    for who in PEOPLE:
        key = local_key.generate(folder / f"{who}.key")
        signers += f'[[signers]]\nname = "{who}"\nroles = ["approver"]\npublic_key = """\n{key.public_key}"""\n'
    bench.trust(signers=signers)
    return bench


def young() -> str:
    return (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")


def about(name: str) -> tuple[str, str, str]:
    return name, "1.0.0", tarballs.integrity(tarballs.package(name, "1.0.0"))


def waive(bench: Bench, rule: str, package: tuple[str, str, str] | None, **changes: Any) -> list[Path]:
    """Sign a waiver by each of them, for whatever is asked, as `sbomgate waive` never would; return the files."""
    now = datetime.now(UTC).replace(microsecond=0)
    said: dict[str, Any] = {"fingerprint": None, "project": "shop", "issued_at": now, "until": now + LASTS, **changes}
    folder = bench.shop / ".sbomgate" / "approvals"
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for who in PEOPLE:
        signed = local_key.load(bench.folder / f"{who}.key").sign(
            approvals.write(Waiver(rule=rule, package=package, reason="read it", **said))
        )
        made.append(folder / f"{hashlib.sha256(signed).hexdigest()[:12]}.sigstore.json")
        made[-1].write_bytes(signed)
    return made


def findings(said: Said, level: str) -> list[dict[str, Any]]:
    return [one for group in said.json[level] for one in group["findings"]]


def told(said: Said) -> list[tuple[str, str, str, str]]:
    """Everything that a decision says but of the waivers themselves."""
    return [
        (level, one["rule"], one["code"], one["message"])
        for level in ("denials", "warnings", "notes", "waived", "unknown")
        for one in (findings(said, level) if level != "unknown" else said.json[level])
        if one["code"] != "waiver-unused"
    ]


# --------------------------------------------------------------------------------------------------------------------
# Waivers


@pytest.fixture(scope="module")
def waived(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Gated, and allowed by a waiver alone."""
    bench = with_people(tmp_path_factory.mktemp("waived"))
    bench.record(known("good", published=young()))
    assert "release_age/too-young" in bench.check().denials()
    waive(bench, "release_age", about("good"))
    assert bench.gate().code == 0
    return bench


@pytest.mark.opa
def test_P23_plain_opa_eval_applies_the_waivers(waived: Bench) -> None:
    """P23: the verdict with its waivers follows from the stored files, without sbomgate."""
    folder = waived.decisions()[0]
    command = ["opa", "eval", "-b", "policy.tar.gz", "-i", "policy-input.json", "data.sbomgate.decision.result"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    value = canonical.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    assert (value["verdict"], [len(by) for by in value["waived_by"].values()]) == ("allowed", [2])
    assert canonical.dumps(value) == (folder / "evaluation.json").read_bytes()


def test_P29_a_waiver_that_has_ended_is_one_that_is_not_there(waived: Bench, clock: Clock) -> None:
    """P29: in verify, check, review, gate and its report; and replay still tells what followed then."""
    assert waived.verify().code == 0
    clock.hours = LASTS / timedelta(hours=1)
    refused = waived.verify("--json")
    assert refused.code == 1
    assert [reason["code"] for reason in refused.json["reasons"]] == ["waiver-ended"]
    assert waived.run("replay", str(waived.decisions()[0])).code == 0
    review = ("review", "shop", "--trust", "trust.toml", "--facts", "facts.json", "--offline", "--format", "json")
    approved, aside = waived.shop / ".sbomgate", waived.folder / "aside"
    ended = waived.check(), waived.run(*review)
    approved.rename(aside)
    absent = waived.check(), waived.run(*review)
    aside.rename(approved)
    assert [one.code for one in ended] == [one.code for one in absent] == [1, 1]
    assert told(ended[0]) == told(absent[0])
    assert ended[1].json["sha256"] == absent[1].json["sha256"], "and the change to approve is the same"
    assert waived.gate().code == 1
    last = waived.decisions()[-1]
    assert json.loads((last / "evaluation.json").read_bytes())["waived_by"] == {}
    assert waived.run("report", str(last), "--trust", "trust.toml", "--format", "json").json["waived"] == []


def test_P28_P31_a_waiver_is_for_what_it_names_and_for_nothing_else(tmp_path: Path) -> None:
    """P28: not another version, other bytes, another name, rule or project. P31: what does nothing is told."""
    bench = with_people(tmp_path)
    bench.record(known("good", published=young()))
    name, version, integrity = about("good")
    others: dict[str, tuple[str, tuple[str, str, str], dict[str, Any]]] = {
        "another version": ("release_age", (name, "1.0.1", integrity), {}),
        "other bytes": ("release_age", (name, version, about("evil")[2]), {}),
        "no bytes": ("release_age", (name, version, ""), {}),
        "another name": ("release_age", ("goo", version, integrity), {}),
        "another rule": ("deprecated", (name, version, integrity), {}),
        "another project": ("release_age", (name, version, integrity), {"project": "shop2"}),
    }
    for rule, package, changes in others.values():
        waive(bench, rule, package, **changes)
    said = bench.check()
    assert "release_age/too-young" in said.denials()
    idle = [one["message"] for one in findings(said, "notes") if one["code"] == "waiver-unused"]
    refused = [one["message"] for one in findings(said, "warnings") if one["code"] == "waiver-refused"]
    assert len(idle) + len(refused) == 2 * len(others)
    assert sum("it is for another project, shop2" in one for one in idle) == 2
    assert sum("covers nothing that was found" in one for one in idle) >= 2 * (len(others) - 2)

    right = waive(bench, "release_age", about("good"))
    (right[0].with_name("the-same-again.sigstore.json")).write_bytes(right[0].read_bytes())
    allowed = bench.check()
    assert allowed.code == 0
    assert any("there twice" in one["message"] for one in findings(allowed, "warnings"))
    assert "there twice" in bench.run(*ONCE, "--verbose").out


ONCE = ("check", "shop", "--trust", "trust.toml", "--facts", "facts.json", "--offline")


NEVER_WAIVED = {
    "bound_bytes/served-bytes-differ",
    "bound_bytes/registry-integrity-differs",
    "provenance/attestation-invalid",
    "known_malicious/listed",
}


def wrong(folder: Path) -> Bench:
    """A project of which every package is wrong in another way; a person may waive the first three."""
    bench = with_people(folder)
    forged = b'{"attestations": [{"predicateType": "https://slsa.dev/provenance/v1", "bundle": {}}]}'
    document = AttestationDocument(body=forged, sha256=hashlib.sha256(forged).hexdigest(), origin=Origin.NETWORK)
    mismatch = Missing(absence=Absence.MISMATCH, reason="other bytes")
    scripts = {"postinstall": "node x"}
    word: dict[str, dict[str, Any]] = {
        "young": {"published": young()},
        "future": {"published": "2099-01-01T00:00:00Z"},
        "differing": {"scripts": scripts},
        "served": {"tarball": mismatch},
        "differs": {"integrity": about("evil")[2]},
        "forged": {"attestations": document, "attestations_url": "https://registry.npmjs.org/-/x"},
        "listed": {},
    }
    bench.write(dict.fromkeys(word, "1.0.0"), {f"node_modules/{name}": entry(name) for name in word})
    bench.record(*(known(name, **changes) for name, changes in word.items()))
    (bench.shop / "malicious.csv").write_text("name,versions,osv_id,wave,sources\nlisted,1.0.0,MAL-2026-1,,\n")
    (bench.shop / "sbomgate.toml").write_text('[malicious]\nlists = ["malicious.csv"]\n')
    return bench


def test_P28_nobody_waives_forged_bytes_nor_what_is_malicious(tmp_path: Path) -> None:
    """P28: signed by all who are needed, by name and by fingerprint; the twins, a young release too, are waived so."""
    bench = wrong(tmp_path)
    before = bench.check()
    waivable = {"release_age/too-young", "release_age/time-in-future", "install_scripts/scripts-disagree"}
    assert before.denials() == NEVER_WAIVED | waivable
    for one in findings(before, "denials"):
        waive(bench, one["rule"], None, fingerprint=one["fingerprint"])
        if one["package"]:
            waive(bench, one["rule"], about(one["package"].rpartition("/")[2]))
    after = bench.check()
    assert (after.code, after.denials()) == (1, NEVER_WAIVED)
    assert bench.gate().code == 1


GENUINE = {
    "state": "verified",
    "reason": "",
    "log_proof": "inclusion+SET",
    "log_time": "2024-01-01T00:00:00Z",
    "claims": {
        "issuer": "https://token.actions.githubusercontent.com",
        "identity": "https://github.com/acme/x/.github/workflows/publish.yml@refs/tags/v1",
        "repository": "https://github.com/acme/x",
        "repository_id": "1",
        "owner": "https://github.com/acme",
        "owner_id": "2",
        "workflow": ".github/workflows/publish.yml",
        "ref": "refs/tags/v1",
        "commit": "0" * 40,
        "trigger": "push",
        "runner": "github-hosted",
        "builder": "https://github.com/actions/runner/github-hosted",
    },
}


def test_P15_provenance_that_holds_takes_no_finding_of_another_rule_away(tmp_path: Path) -> None:
    """P15: the same question, but that every package has good provenance: every other rule says what it said."""
    bench = wrong(tmp_path)
    assert bench.gate().code == 1
    asked = json.loads((bench.decisions()[-1] / "policy-input.json").read_bytes())
    with open_engine(DEFAULT, EngineSettings(cache_dir=engine_cache(), notify=print)) as engine:

        def said() -> dict[str, Any]:
            answer = engine.evaluate(bundle.shipped(), canonical.dumps(asked), QUERY)
            held: dict[str, Any] = json.loads(answer)
            return held

        def others(held: dict[str, Any]) -> set[tuple[str, str, str | None, str]]:
            return {
                (one["rule"], one["code"], one["package"], one["level"])
                for one in held["findings"]
                if one["rule"] not in ("provenance", "complete_evidence")
            }

        before = said()
        assert any(one["code"] == "attestation-invalid" for one in before["findings"])
        assert asked["facts"]
        for fact in asked["facts"]:
            fact["provenance"] = fact["publish_attestation"] = GENUINE
        after = said()
    assert not any(one["code"] == "attestation-invalid" for one in after["findings"]), "the change arrived"
    assert others(after) >= others(before)
    assert (before["verdict"], after["verdict"]) == ("denied", "denied")
    assert {code for _, code, _, _ in others(after)} >= {"too-young", "time-in-future", "listed", "served-bytes-differ"}


# --------------------------------------------------------------------------------------------------------------------
# The registry is down


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    monkeypatch.setattr(client, "BACKOFF_SECONDS", (0.0,))
    with Simulator() as found:
        for name in ("seen", "never"):
            found.publish(name, "1.0.0", tarballs.package(name, "1.0.0"), published="2024-01-01T00:00:00.000Z")
        yield found


def test_P33_with_the_registry_down_what_was_verified_counts_with_its_date(
    world: World, registry: Simulator, clock: Clock
) -> None:
    """P33: what lies in the cache is used and dated, what was never seen is unknown, what is signed takes neither."""
    shutil.rmtree(world.store)
    world.trust.write_text(
        world.trust.read_text() + f'\n[[registries]]\nurl = "{registry.url}"\nserves_evidence = false\n'
    )
    packages = [(name, "1.0.0", tarballs.package(name, "1.0.0")) for name in ("seen", "never")]

    def project(count: int) -> None:
        world.write_project(packages[:count], registry=registry.url)
        (world.project / ".npmrc").write_text(f"registry={registry.url}\n")

    check = ("check", "shop", "--trust", "trust.toml")
    project(1)
    first = world.run(*check, "--json")
    assert (first.code, json.loads(first.out)["from_cache"]) == (0, None), "it was asked, and answered"

    for path in [f"/{name}" for name in ("seen", "never")] + [registry.tarball_path("never", "1.0.0")]:
        registry.fault(path, Fault(status=503, times=None))
    clock.hours = 1
    project(2)
    down = world.run(*check, "--json", "--profile", "strict")
    said = json.loads(down.out)
    kept = said["from_cache"]
    assert kept["packages"] == 1
    asked = datetime.fromisoformat(kept["oldest"])
    assert timedelta(0) <= datetime.now(UTC) - asked < timedelta(minutes=59), "of then, not of the hour later"
    unknown = [one["message"] for one in said["unknown"] if one["code"] == "publish-time"]
    assert len(unknown) == 1
    assert "never 1.0.0" in unknown[0]
    assert "seen 1.0.0" not in unknown[0]
    shown = world.run(*check)
    assert f"the registry's word on 1 package, the oldest of {asked:%Y-%m-%d %H:%M} UTC" in shown.out
    (gate := world.gate("--json")).remove("--offline")
    signed = json.loads(world.run(*gate).out)
    assert signed["from_cache"] is None
    assert any("2 of 2" in one["message"] for one in signed["unknown"] if one["code"] == "publish-time")


# --------------------------------------------------------------------------------------------------------------------
# Evidence


def test_P16_verify_knows_nothing_of_what_was_verified_before(tmp_path: Path) -> None:
    """P16: whatever a home folder and its caches are like, the answer comes from the store's bytes."""
    bench = Bench(tmp_path)
    assert bench.gate().code == 0
    first = bench.verify("--json")
    assert first.code == 0
    nowhere = tmp_path / "a file"
    nowhere.write_bytes(b"")
    for home in (str(nowhere), str(tmp_path / "not there")):
        again = bench.run(
            "verify", f"file:{bench.artefact}", "--trust", "trust.toml", "--store", "evidence", "--json",
            HOME=home, XDG_CACHE_HOME=home, XDG_DATA_HOME=home, npm_config_cache=home,
        )  # fmt: skip
        assert (again.code, again.out) == (0, first.out)
    # An "ok" of a moment ago is worth nothing once the bytes are others.
    (sbom,) = (tmp_path / "evidence").glob("*/*/decisions/*/sbom.cdx.json")
    data = bytearray(sbom.read_bytes())
    data[-3] ^= 1
    sbom.unlink()
    sbom.write_bytes(data)
    assert bench.verify().code == 2
