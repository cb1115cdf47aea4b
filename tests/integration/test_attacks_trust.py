"""Attacks on who decides: a stolen key, a key for another environment, rules that reach into the shipped ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sbomgate import trust as trust_file
from sbomgate.evidence import layout, log
from sbomgate.model import TarballFacts
from sbomgate.policy.bundle import load, shipped
from sbomgate.signing import local_key
from testkit import commandline
from testkit.bench import Bench, Said, entry, known
from testkit.oci_simulator import simulator

REV = ("--reason", "key stolen", "--key", "rev.key", "--trust", "trust.toml")


pytestmark = pytest.mark.usefixtures("compiled")


def signer(bench: Bench, name: str, *roles: str, environments: tuple[str, ...] = ()) -> str:
    """A new key of somebody, and his entry in the trust file."""
    key = local_key.generate(bench.folder / f"{name}.key")
    return (
        f'[[signers]]\nname = "{name}"\nroles = {json.dumps(roles)}\nenvironments = {json.dumps(environments)}\n'
        f'public_key = """\n{key.public_key}"""\n'
    )


def elsewhere(bench: Bench) -> None:
    """The one package comes from another host: it is denied."""
    bench.write({"good": "1.0.0"}, {"node_modules/good": {**entry("good"), "resolved": "https://evil.test/good.tgz"}})


# --------------------------------------------------------------------------------------------------------------------
# A key that was stolen, and revoked


def override(bench: Bench, who: str, decision: str) -> Said:
    about = ("--until", "4h", "--reason", "INC-42", "--trust", "trust.toml")
    return bench.run("override", decision, "--key", f"{who}.key", *about)


@pytest.fixture
def overridden(bench: Bench) -> tuple[Bench, str]:
    """A FAILED decision that ann and bob have overridden."""
    people = [signer(bench, name, "override", "approver") for name in ("ann", "bob")]
    others = [signer(bench, "rev", "revoker"), signer(bench, "eve", "approver"), "[break_glass]\nmax_hours = 24\n"]
    bench.trust(signers="\n".join([*people, *others]))
    elsewhere(bench)
    assert bench.gate().code == 1
    decision = bench.verify("--json").json["decision"]["sha256"]
    assert override(bench, "ann", decision).code == 0
    assert override(bench, "bob", decision).code == 0
    assert bench.verify("--json").json["result"] == "overridden"
    return bench, decision


def test_P32_who_was_revoked_overrides_nothing(overridden: tuple[Bench, str]) -> None:
    """P32: neither with what he signed before, nor with what the thief signs after; another person's word is needed."""
    bench, decision = overridden
    said = bench.run("revoke", "--by", "bob", *REV)
    assert said.code == 0, said.err
    assert "'bob' signs as approver counts as long as the trust file says so" in said.err
    found = bench.verify("--json")
    assert (found.code, found.json["result"]) == (1, "refused")
    assert any("what 'bob' signs was revoked by 'rev'" in note for note in found.json["notes"])
    again = override(bench, "bob", decision)
    assert again.code == 2
    assert "it would not count: what 'bob' signs was revoked" in again.err
    listed = bench.run("override", "--list", "--trust", "trust.toml")
    assert "refused" in listed.out
    assert "by ann" in listed.out
    assert "by bob" not in listed.out


def test_P32_only_a_proved_time_stands_before_a_revocation(overridden: tuple[Bench, str]) -> None:
    """`--from` after both of them: a key alone proves no time, and a thief dates back."""
    bench, _ = overridden
    with commandline.at(datetime.now(UTC) + timedelta(seconds=5)):
        later = (datetime.now(UTC) + timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert bench.run("revoke", "--by", "bob", "--from", later, *REV).code == 0
    assert bench.verify().code == 1


def test_a_revocation_that_would_withdraw_nothing_is_refused(overridden: tuple[Bench, str]) -> None:
    """`REVOKED 0 decisions` would be taken for the end of an approver's stolen key."""
    bench, _ = overridden
    said = bench.run("revoke", "--by", "eve", *REV)
    assert said.code == 2
    assert "'eve' is accepted for approver, and a revocation withdraws no such thing" in said.err
    assert "take this signer out of the trust file" in said.err
    assert not (bench.folder / "evidence" / "revocations").exists()


def test_P19_what_was_revoked_and_is_held_back_brings_no_older_PASSED_back(bench: Bench) -> None:
    """P19: who may delete what is attached to an artefact, and not the revocations, takes the revoked decision away."""
    with simulator() as registry:
        kept = ("--store", "evidence", "--store", f"oci:{registry.host}/acme/shop")
        assert bench.gate(*kept[2:]).code == 0
        old = set(registry.manifests)
        with commandline.at(datetime.now(UTC) + timedelta(seconds=2)):
            assert bench.gate(*kept[2:]).code == 0
            mine = registry.manifests.keys() - old
            (new,) = (one.id for one in layout.read_all(next((bench.folder / "evidence").glob("??/*")))[:1])
            signed = ("--reason", "a compromised runner", "--key", "release.key", "--trust", "trust.toml")
            assert bench.run("revoke", new, *signed, *kept).code == 0
            ask = ("verify", f"file:{bench.artefact}", "--trust", "trust.toml", "--json", *kept[2:])
            assert [one["code"] for one in bench.run(*ask).json["reasons"]] == ["revoked"]
            for name in mine:
                del registry.manifests[name]
            found = bench.run(*ask)
            assert found.code == 1
            (reason,) = found.json["reasons"]
            assert (reason["code"], "which is not here, was revoked" in reason["message"]) == ("revoked", True)
        with commandline.at(datetime.now(UTC) + timedelta(seconds=5)):
            assert bench.gate(*kept[2:]).code == 0
            assert bench.run(*ask).code == 0, "what is newer than the revocation stands"


# --------------------------------------------------------------------------------------------------------------------
# A key for another environment


def scripted(bench: Bench) -> None:
    """A dependency with an install script comes in: against an approved build it denies, on the first run it warns."""
    scripts = {"postinstall": "node setup.js"}
    entries = {"node_modules/good": entry("good"), "node_modules/bad": entry("bad", hasInstallScript=True)}
    bench.write({"good": "1.0.0", "bad": "1.0.0"}, entries)
    tarball = known("bad").tarball
    assert isinstance(tarball, TarballFacts)
    bench.record(
        known("good"), known("bad", scripts=scripts, has_install_script=True, tarball=replace(tarball, scripts=scripts))
    )


def gate(bench: Bench, number: int, environment: str, *more: str, key: str = "release.key") -> Said:
    """Gate another artefact, a second later than the one before it."""
    bench.artefact.write_bytes(b"%d" % number)
    with commandline.at(datetime.now(UTC) + timedelta(seconds=number)):
        return bench.gate("--environment", environment, *more, key=key)


@pytest.mark.parametrize(
    ("theirs", "code"), [(("staging",), 1), (("staging", "production"), 0)], ids=["staging", "both"]
)
def test_P20_who_decides_for_staging_alone_sets_no_baseline_for_production(
    bench: Bench, theirs: tuple[str, ...], code: int
) -> None:
    """P20: with the key of staging a thief approves a script there, and production is measured by its own builds."""
    bench.trust(signers=signer(bench, "other", "decision", environments=theirs))
    assert gate(bench, 0, "production").code == 0
    scripted(bench)
    # The thief signs by himself: a store of his own has no baseline to be measured by.
    stolen = ("gate", "shop", "--trust", "trust.toml", "--facts", "facts.json", "--offline", "--store", "thief")
    bench.artefact.write_bytes(b"1")
    with commandline.at(datetime.now(UTC) + timedelta(seconds=1)):
        subject = ("--subject", f"file:{bench.artefact}", "--environment", "staging", "--key", "other.key")
        assert bench.run(*stolen, *subject).code == 0
        accepted = trust_file.load(str(bench.folder / "trust.toml"), project_root=None).signers
        (made,) = (bench.folder / "thief").glob("*/*/decisions/*")
        notary = log.Notary(signer=local_key.load(bench.folder / "other.key"), signers=accepted, now=datetime.now(UTC))
        log.add(bench.folder / "evidence", layout.read(made), notary)
    said = gate(bench, 2, "production")
    assert said.code == code
    assert ("install_scripts/script-unapproved" in said.denials()) == bool(code)


def test_P20_a_first_build_for_production_is_compared_with_staging(bench: Bench) -> None:
    """P20: where nobody decided for production yet, what is known is still better than nothing."""
    bench.trust(signers=signer(bench, "other", "decision", environments=("staging",)))
    assert gate(bench, 0, "staging", key="other.key").code == 0
    scripted(bench)
    assert "install_scripts/script-unapproved" in gate(bench, 1, "production").denials()


@pytest.mark.parametrize("demanded", [True, False])
def test_P19_a_store_that_lost_its_log_is_no_new_one(bench: Bench, demanded: bool) -> None:
    """P19: whoever can write the store takes the log away with the builds that he does not like, and is not seen."""
    bench.trust("max_head_age_hours = 24" if demanded else "")
    assert gate(bench, 0, "production").code == 0
    shutil.rmtree(bench.folder / "evidence" / "log")
    said = gate(bench, 1, "production")
    assert said.code == (2 if demanded else 0)
    assert ("holds builds and no signed head" in said.err) == demanded
    assert ("the store has no signed head" in said.err) != demanded
    if demanded:
        looked = bench.run("audit", "evidence", "--trust", "trust.toml", "--key", "release.key")
        assert looked.code == 0, looked
        assert gate(bench, 1, "production").code == 0


@pytest.mark.parametrize("theirs", ["staging", "production"])
def test_P20_who_is_accepted_for_staging_alone_approves_nothing_for_production(bench: Bench, theirs: str) -> None:
    """P20, P28: the same waivers by the same two persons, accepted for one environment and for the other."""
    people = [signer(bench, name, "approver", environments=(theirs,)) for name in ("ann", "bob")]
    bench.trust(signers="\n".join(people))
    now = datetime.now(UTC)
    bench.record(known("good", published=(now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")))
    for who in ("ann", "bob"):
        about = ("good@1.0.0", "--until", "3d", "--reason", "a fix", "--key", f"{who}.key", "--trust", "trust.toml")
        made = bench.run("waive", "release_age", *about, "--path", "shop")
        assert made.code == 0, made.err
    said = gate(bench, 0, "production")
    assert said.code == (1 if theirs == "staging" else 0), said
    refused = "the decision is for 'production', and 'ann' is accepted for staging only"
    assert (refused in said.out) == (theirs == "staging")
    assert bench.run("replay", "evidence", "--all").code == 0
    assert bench.run("report", "evidence", "--trust", "trust.toml").code == 0


@pytest.mark.parametrize("theirs", ["staging", "production"])
def test_P20_who_is_accepted_for_staging_alone_overrides_nothing_for_production(bench: Bench, theirs: str) -> None:
    """P20, P32"""
    people = [signer(bench, name, "override", environments=(theirs,)) for name in ("ann", "bob")]
    bench.trust(signers="\n".join([*people, "[break_glass]\nmax_hours = 24\n"]))
    elsewhere(bench)
    assert gate(bench, 0, "production").code == 1
    decision = bench.verify("--json").json["decision"]["sha256"]
    said = [override(bench, who, decision) for who in ("ann", "bob")]
    assert {one.code for one in said} == ({2} if theirs == "staging" else {0})
    assert all("'production'" in one.err for one in said if one.code)
    assert bench.verify().code == (1 if theirs == "staging" else 0)


# --------------------------------------------------------------------------------------------------------------------
# What ends


@pytest.mark.parametrize("excluded", [True, False])
def test_P29_evidence_ends_with_the_exclusion_that_it_rests_on(bench: Bench, excluded: bool) -> None:
    """P29: the trust file spared a version until tomorrow; what PASSED by that is not deployed for a week."""
    now = datetime.now(UTC)
    young = now - timedelta(hours=1 if excluded else 999)
    bench.record(known("good", published=young.strftime("%Y-%m-%dT%H:%M:%SZ")))
    tomorrow = (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    integrity = entry("good")["integrity"]
    bench.trust(
        signers=f'[[exclusions]]\nrule = "release_age"\nname = "good"\nversion = "1.0.0"\nintegrity = "{integrity}"\n'
        f'reason = "a fix"\nuntil = {tomorrow}\n'
    )
    assert bench.gate().code == 0
    assert bench.run("replay", "evidence", "--all").code == 0
    assert bench.verify().code == 0
    with commandline.at(now + timedelta(days=2)):
        said = bench.verify("--json")
    assert [one["code"] for one in said.json["reasons"]] == (["waiver-ended"] if excluded else [])
    assert said.code == int(excluded)


# --------------------------------------------------------------------------------------------------------------------
# Rules beside the shipped ones

MINE = "# METADATA\n# title: Mine\n# description: x\npackage sbomgate.rules.mine\n\nfindings := set()\n"
REACHING = {
    "a name that reaches in": {"x.rego": "package sbomgate\n\nlib.finding.spared(_, _) := true\n"},
    "a name that reaches in from lib": {"lib/x.rego": "package sbomgate.lib\n\nfinding.excluded(_, _, true) := true\n"},
    "a name that reaches into a rule": {"x.rego": "package sbomgate.rules\n\nbound_bytes.judged[0] := true\n"},
    "the decision": {"x.rego": "package sbomgate\n\ndecision.harmless(_) := true\n"},
    "a package of theirs": {"x.rego": "package sbomgate.lib.finding\n\nspared(_, _) := true\n"},
    "a package below": {"x.rego": "package sbomgate.lib.finding.spared\n\nx := true\n"},
}


def policy(bench: Bench, files: Mapping[str, str]) -> Path:
    """A folder of rules."""
    folder = bench.folder / "policy"
    for path, text in {"rules/mine.rego": MINE, **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.mark.parametrize("case", REACHING)
def test_P23_added_rules_switch_no_shipped_one_off(bench: Bench, case: str) -> None:
    """P23, W12: a rule's name may hold dots, and then reaches into the packages below its own."""
    elsewhere(bench)
    said = bench.check("--policy", str(policy(bench, REACHING[case])))
    assert said.code == 2
    assert "of the shipped" in said.err
    assert "hint: rename it" in said.err


def test_added_rules_in_packages_of_their_own_are_added(bench: Bench) -> None:
    held = load(policy(bench, {"lib/mine.rego": "package sbomgate.lib.mine\n\nx := true\n"}))
    assert {"lib/mine.rego", "rules/mine.rego"} == held.files.keys() - shipped().files.keys()
    assert held.rules == tuple(sorted([*shipped().rules, "mine"]))
