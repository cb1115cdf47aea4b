"""Cases that a folder cannot tell: forged facts and evidence, another subfolder, a registry that answers, processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import sbomgate
from sbomgate.signing import local_key
from testkit.cases import BASES, Bench, Outcome, Release, World, find, releases, work_in
from testkit.registry import Fault, Simulator


@pytest.fixture(scope="module")
def desk(bench: Bench) -> Bench:
    """The bench in this very process, with the small project approved."""
    before = dict(os.environ)
    work_in(bench)
    if not bench.store("small").is_dir():
        bench.approve("small")
    os.environ.clear()
    os.environ.update(before)
    return bench


@pytest.fixture(autouse=True)
def surroundings(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in os.environ.keys() - bench.environment().keys():
        monkeypatch.delenv(key)
    for key, value in bench.environment().items():
        monkeypatch.setenv(key, value)


def check(bench: Bench, folder: Path, *more: str, store: Path | None = None, offline: bool = True) -> Outcome:
    arguments = ["check", "--json", str(folder / "project"), "--trust", str(folder / "trust.toml"), *more]
    if offline:
        arguments.append("--offline")
    if (folder / "facts.json").is_file():
        arguments += ["--facts", str(folder / "facts.json")]
    if store is not None:
        arguments += ["--baseline", str(store)]
    return bench.command(arguments, folder)


# --------------------------------------------------------------------------------------------------------------------
# C05, C06: what nobody accepted has signed


def test_C06_P14_a_forged_facts_file_makes_nothing_older(desk: Bench) -> None:
    """The registry's words and the tarballs' scripts in it count as unknown: a young release stays of unknown age."""
    folder = desk.lay_out(find("T01-two-hours"), "C06")
    case = find("T01-two-hours")
    lying = {**releases(case), "ms@2.0.1": replace(releases(case)["ms@2.0.1"], published_hours_ago=9000.0)}
    local_key.generate(folder / "stranger.key")
    shutil.copyfile(folder / "stranger.key", desk.root / "recorder.of-a-stranger")
    genuine = desk.root / "recorder.key"
    kept = genuine.read_bytes()
    try:
        genuine.unlink()
        shutil.copy(folder / "stranger.key", genuine)
        desk.record(World(releases=lying, sigstore=desk.sigstore, now=desk.now), folder)
    finally:
        genuine.write_bytes(kept)
    found = check(desk, folder, store=desk.store("small"))
    assert found.verdict == "denied"
    assert {"release_age/age-unknown", "install_scripts/scripts-unknown"} <= found.said("denials")
    assert "its facts count as unknown" in found.stderr


def test_C05_P14_a_forged_sbom_is_no_input(desk: Bench) -> None:
    """`check` decides on a lockfile; what an SBOM says of itself is not asked."""
    folder = desk.lay_out(find("T01-two-hours"), "C05")
    forged = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [], "properties": []}
    (folder / "project" / "sbom.cdx.json").write_text(json.dumps(forged))
    found = desk.command(["check", str(folder / "project" / "sbom.cdx.json"), "--offline"], folder)
    assert found.verdict == "error"


def test_C05_a_property_forged_in_the_approved_evidence_is_no_baseline(desk: Bench, tmp_path: Path) -> None:
    """`unattested` written over as `verified` in the stored SBOM: the evidence is altered, so there is no decision."""
    store = tmp_path / "store"
    shutil.copytree(desk.store("small"), store)
    altered = 0
    for path in sorted(store.rglob("*")):
        if path.is_file() and b'"unattested"' in path.read_bytes():
            data = path.read_bytes().replace(b'"unattested"', b'"verified"  ')
            path.unlink()
            path.write_bytes(data)
            altered += 1
    assert altered
    folder = desk.lay_out(find("V01-alone"), "C05-baseline")
    assert check(desk, folder, store=store).verdict == "error"


# --------------------------------------------------------------------------------------------------------------------
# T21, T22: the baseline


def test_T21_evidence_by_a_stranger_is_no_baseline(desk: Bench, tmp_path: Path) -> None:
    """A store in which only somebody else decided on this project: nobody's word, so no decision."""
    other = Bench(root=tmp_path / "other", now=desk.now)
    other.root.mkdir()
    other.prepare()
    other.approve("small")
    folder = desk.lay_out(find("V01-alone"), "T21")
    found = check(desk, folder, store=other.store("small"))
    assert found.verdict == "error"
    assert "none is by an accepted signer about this project" in found.stderr


def test_T22_what_was_approved_and_is_listed_since_is_denied(desk: Bench, tmp_path: Path) -> None:
    """The list is asked about every package, the unchanged ones too: an older approved build is no excuse."""
    folder = desk.lay_out(replace(find("V02-attested-update"), malicious="debug,4.4.3,MAL-X,test,test"), "T22-list")
    shutil.rmtree(folder / "project")
    shutil.copytree(BASES / "small", folder / "project", ignore=shutil.ignore_patterns("case.toml"))
    small = find("small")
    desk.record(World(releases=releases(small), sigstore=desk.sigstore, now=desk.now), folder)
    found = check(desk, folder, store=desk.store("small"))
    assert found.said("denials") == {"known_malicious/listed"}


def test_T22_the_newest_approved_build_counts(desk: Bench, tmp_path: Path) -> None:
    """A store with an older build without provenance and a newer one with it: the newer is what must not be lost."""
    bench = Bench(root=tmp_path / "bench", now=desk.now)
    bench.root.mkdir()
    bench.prepare()
    for order, name in enumerate(("V05-approved-downgrade", "small")):
        case = find(name)
        (bench.root / "artefact").write_bytes(b"release %d\n" % order)
        folder = bench.lay_out(case, f"approve-{order}")
        gated = bench.command(
            [
                *("gate", "--json", "--offline", str(folder / "project"), *bench.arguments(case, folder)),
                *("--subject", f"file:{bench.root / 'artefact'}", "--key", str(bench.root / "release.key")),
                *("--store", str(bench.store("both"))),
            ],
            folder,
        )
        assert gated.exit == 0, gated
        time.sleep(1.1)  # decisions are dated by the second, and of one second neither is the newer
    folder = bench.lay_out(find("V05-approved-without"), "later")
    found = check(bench, folder, store=bench.store("both"))
    assert found.said("denials") == {"trust_drift/provenance-lost"}


# --------------------------------------------------------------------------------------------------------------------
# T24: what is listed after it was approved


@pytest.mark.parametrize(
    ("listed", "hit"),
    [
        ("debug,4.4.3", True),
        ("color-name,1.1.4", True),  # behind an alias
        ("debug,4.4.4", False),
        ("color-name-cjs,1.1.4", False),  # the alias is no package
        ("shop,3.2.0", False),  # the project's own
    ],
)
def test_T24_past_decisions_are_asked_again_when_a_list_grows(
    desk: Bench, tmp_path: Path, listed: str, hit: bool
) -> None:
    """`inventory sweep` names the build that passed and holds it, by its real name."""
    (tmp_path / "feed.csv").write_text(f"name,version\n{listed}\n")
    folder = ["--inventory", str(tmp_path / "inventory")]
    added = desk.command(["inventory", "add", *folder, str(desk.store("small"))], tmp_path, prints_json=False)
    assert added.exit == 0, added
    found = desk.command(
        ["inventory", "sweep", *folder, "--feed", str(tmp_path / "feed.csv"), "--format", "json"], tmp_path
    )
    assert found.exit == int(hit), found
    assert found.report is not None
    assert len(found.report["affected"]) == int(hit)


# --------------------------------------------------------------------------------------------------------------------
# C07: another folder than the one that was gated


def test_C07_a_clean_subfolder_does_not_speak_for_another(desk: Bench) -> None:
    """The decision is about a/package-lock.json; who deploys demands b/package-lock.json."""
    case = find("T20-first-run")
    folder = desk.lay_out(case, "C07")
    repository = folder / "repository"
    repository.mkdir()
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    (folder / "project").rename(repository / "a")
    gated = desk.command(
        [
            *("gate", "--json", "--offline", str(repository / "a"), *desk.arguments(case, folder)),
            *("--subject", f"file:{desk.root / 'artefact'}", "--key", str(desk.root / "release.key")),
            *("--store", str(folder / "store")),
        ],
        folder,
    )
    assert gated.verdict == "allowed"
    trust = (folder / "trust.toml").read_text()
    for path, code in (("a/package-lock.json", 0), ("b/package-lock.json", 1), ("package-lock.json", 1)):
        head, schema, rest = trust.partition('schema = "sbomgate/trust/v1"\n')
        (folder / "deploy.toml").write_text(f'{head}{schema}lockfile_path = "{path}"\n{rest}')
        arguments = ["--trust", str(folder / "deploy.toml"), "--store", str(folder / "store"), "--json"]
        found = desk.command(["verify", f"file:{desk.root / 'artefact'}", *arguments], folder)
        assert found.exit == code, (path, found)


# --------------------------------------------------------------------------------------------------------------------
# A registry that answers: what recorded facts cannot say


@pytest.fixture
def registry() -> object:
    with Simulator() as found:
        yield found


def asked(bench: Bench, name: str, registry: Simulator, *absent: str) -> tuple[Path, dict[str, Release]]:
    """Lay a case out so that these releases are asked of the registry, and only the others are recorded."""
    case = find(name)
    folder = bench.lay_out(case, name)
    known = releases(case)
    bench.record(
        World(
            releases={key: one for key, one in known.items() if key not in absent},
            sigstore=bench.sigstore,
            now=bench.now,
        ),
        folder,
    )
    (folder / "project" / ".npmrc").write_text(f"registry={registry.url}\n")
    with (folder / "trust.toml").open("a") as file:
        file.write(f'\n[[registries]]\nurl = "{registry.url}"\n')
    return folder, known


def test_V07_P6_advertised_and_not_there(desk: Bench, registry: Simulator) -> None:
    folder, known = asked(desk, "V02-attested-update", registry, "debug@4.4.4")
    one = known["debug@4.4.4"]
    world = World(releases=known, sigstore=desk.sigstore, now=desk.now)
    signature = desk.sigstore.registry_signature(one.name, one.version, one.integrity)
    registry.publish(
        one.name,
        one.version,
        one.data,
        manifest={"dependencies": dict(one.dependencies)},
        signatures=[signature],
        attestations=world.attestations(one),
        publisher="GitHub Actions",
    )
    found = check(desk, folder, store=desk.store("small"), offline=False)
    assert not {said for said in found.said("denials") if said.startswith("provenance/")}, found
    registry.fault("/-/npm/v1/attestations/debug@4.4.4", Fault(status=404, times=None))
    found = check(desk, folder, store=desk.store("small"), offline=False)
    # The first answer is in the cache, and it is verified again from its bytes: nothing is lost.
    assert "provenance/advertised-missing" not in found.said("denials")
    shutil.rmtree(desk.root / "cache" / "sbomgate" / "facts")
    found = check(desk, folder, store=desk.store("small"), offline=False)
    assert {"provenance/advertised-missing", "trust_drift/provenance-lost"} <= found.said("denials")


def test_T11_a_version_that_the_registry_no_longer_has(desk: Bench, registry: Simulator) -> None:
    folder, _ = asked(desk, "T13-deprecated", registry, "ms@2.0.0")
    registry.publish("ms", "2.0.1")
    found = check(desk, folder, "--profile", "strict", store=desk.store("small"), offline=False)
    assert found.verdict == "denied"
    assert "release_age/age-unknown" in found.said("denials")


# --------------------------------------------------------------------------------------------------------------------
# The command line as a process


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("S09-caret", 0),
        ("T01-two-hours", 1),
        ("A09-wrong-tarball", 1),
        ("L03-key-twice", 2),
        ("P21-loosening-config", 2),
    ],
)
def test_P2_the_exit_code_of_a_process(desk: Bench, name: str, code: int) -> None:
    case = find(name)
    folder = desk.lay_out(case, f"process-{name}")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sbomgate", "check", "--json", "--offline", str(folder / "project")),
            *desk.arguments(case, folder),
            *("--baseline", str(desk.store("small"))),
        ],
        env={**desk.environment(), "PYTHONPATH": str(Path(sbomgate.__file__).parents[1])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert bool(done.stdout) == (code != 2)
