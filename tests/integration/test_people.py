"""People in the loop, through the command line: review, approve, waive (P28 to P31, W01, W05, W06, W11)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbomgate.signing import local_key
from testkit import commandline, tarballs
from testkit.commandline import World, refused
from testkit.commits import Repository, ssh_key

FOLDER = Path(".sbomgate/approvals")


@pytest.fixture
def world(ordinary: World, tmp_path: Path) -> World:
    """A project whose last build was approved, with an update that nobody knows anything about; Ann and Bob approve."""
    world = commandline.copy(ordinary, tmp_path / "world")
    for name in ("ann", "bob"):
        local_key.generate(world.root / f"{name}.key")
    signers = "".join(
        f'[[signers]]\nname = "{name}"\nroles = ["approver"]\n'
        f'public_key = """\n{(world.root / f"{name}.key.pub").read_text()}"""\n'
        for name in ("ann", "bob")
    )
    world.trust.write_text(world.trust.read_text() + "\n" + signers)
    world.write_project([("left-pad", "1.3.1", tarballs.package("left-pad", "1.3.1"))])
    return world


ABOUT = ("shop", "--trust", "trust.toml", "--offline", "--baseline", "evidence")


def change(world: World) -> str:
    shown = world.run("review", *ABOUT, "--format", "json")
    assert shown.code == 1, shown.err
    found: dict[str, Any] = json.loads(shown.out)
    return str(found["sha256"])


def approve(world: World, who: str, digest: str, *more: str) -> commandline.Result:
    return world.run("approve", *ABOUT, "--change", digest, "--reason", "read it", "--key", f"{who}.key", *more)


def waivers(world: World) -> list[Path]:
    return sorted((world.project / FOLDER).iterdir())


def test_a_reason_that_says_nothing_is_not_signed(world: World) -> None:
    waive = ("waive", "release_age", "left-pad@1.3.1", "--path", "shop", "--trust", "trust.toml", "--until", "9d")
    refused(world, *waive, "--reason", " ", "--key", "ann.key", says=["--reason"])
    assert not (world.project / FOLDER).exists()


def check(world: World) -> int:
    return world.run("check", *ABOUT).code


def test_two_people_approve_exactly_what_they_saw(world: World) -> None:
    assert check(world) == 1
    digest = change(world)
    assert approve(world, "ann", digest).code == 0
    # P30: nobody knows who made the change, so it may have been Ann
    denied = world.run("check", *ABOUT)
    assert denied.code == 1
    assert "Waits: " in denied.out, "whoever approved sees why that is not enough"
    assert "2 people are needed" in " ".join(denied.out.split())
    again = world.run("review", *ABOUT, "--format", "json")
    assert json.loads(again.out)["sha256"] == digest, "an approval that is not enough changes nothing"
    assert approve(world, "bob", digest).code == 0
    assert check(world) == 0

    made = world.run(*world.gate("--json"))
    assert made.code == 0, made.out + made.err
    told = json.loads(made.out)
    stored = world.root / told["evidence"] / "decisions" / told["decision_sha256"]
    assert len(list((stored / "approvals").iterdir())) == 2
    detail = json.loads((stored / "decision.json").read_bytes())
    assert detail["predicate"]["validUntil"] is not None
    assert world.run(*world.verify()).code == 0
    replayed = world.run("replay", str(stored))
    assert replayed.code == 0, replayed.out + replayed.err
    comment = world.run("report", str(stored), "--trust", "trust.toml", "--format", "markdown").out
    assert "by `ann` until" in comment
    assert "by `bob` until" in comment
    controls = world.run("report", "controls", str(stored), "--trust", "trust.toml").out
    assert "approved by ann, bob" in controls

    # other bytes of the same version are another change (P28)
    world.write_project([("left-pad", "1.3.1", tarballs.package("left-pad", "1.3.1", files={"index.js": b"evil"}))])
    assert check(world) == 1


def tell_people(world: World) -> None:
    """Have the trust file know Ann and Bob by what they commit with."""
    told = ""
    for who in ("ann", "bob"):
        line = ssh_key(world.root / f"{who}.ssh")
        told += f'[[people]]\nname = "{who}"\naddresses = ["{who}@example.test"]\nssh_keys = ["{line}"]\n'
    world.trust.write_text(f"{world.trust.read_text()}\n{told}")


def test_P30_who_made_the_change_approves_nothing_and_another_suffices(world: World) -> None:
    """Bob's signed commit proves that he made it: his own approval does not count, Ann's alone does."""
    tell_people(world)
    update = (world.project / "package-lock.json").read_text(), (world.project / "package.json").read_text()
    world.write_project()
    repository = Repository.new(world.project)
    repository.commit()
    changed = {"package-lock.json": update[0], "package.json": update[1]}
    repository.commit(changed, key=world.root / "bob.ssh", author="bob@example.test")
    assert "made by bob: 1 of 1 commits are signed" in world.run("review", *ABOUT).out
    digest = change(world)
    assert approve(world, "bob", digest).code == 0
    said = world.run("check", *ABOUT, "--verbose")
    assert said.code == 1
    assert "who signed it made the change" in said.out
    assert approve(world, "ann", digest).code == 0
    assert check(world) == 0
    made = world.run(*world.gate("--json"))
    assert made.code == 0, made.out + made.err
    told = json.loads(made.out)
    stored = world.root / told["evidence"] / "decisions" / told["decision_sha256"]
    asked = json.loads((stored / "policy-input.json").read_bytes())
    assert asked["change"]["authors"] == ["bob"]
    assert asked["change"]["authors_known"]
    assert world.run("replay", str(stored)).code == 0


def test_P30_an_author_who_is_not_proved_counts_as_the_approver(world: World) -> None:
    tell_people(world)
    Repository.new(world.project).commit(author="bob@example.test")
    assert "nobody can tell who made it" in world.run("review", *ABOUT).out
    digest = change(world)
    assert approve(world, "ann", digest).code == 0
    said = world.run("check", *ABOUT, "--verbose")
    assert said.code == 1
    assert "2 people are needed, as the commit" in said.out
    assert "is not signed" in " ".join(said.out.split())
    assert approve(world, "bob", digest).code == 0
    assert check(world) == 0


def test_the_change_that_is_signed_is_the_one_that_was_seen(world: World) -> None:
    digest = change(world)
    world.write_project([("left-pad", "1.3.2", tarballs.package("left-pad", "1.3.2"))])
    refused(
        world,
        "approve",
        *ABOUT,
        "--change",
        digest,
        "--reason",
        "r",
        "--key",
        "ann.key",
        says=["not what was reviewed"],
    )


def test_who_is_no_approver_signs_nothing(world: World) -> None:
    """W06"""
    refused(
        world, "approve", *ABOUT, "--change", change(world), "--reason", "r", "--key", "release.key", says=["approver"]
    )


@pytest.mark.parametrize("end", ["2020-01-01", "91d", "soon", "2999-01-01", ""])
def test_an_end_that_is_none_is_refused(world: World, end: str) -> None:
    """W01"""
    refused(
        world, "waive", "release_age", "left-pad@1.3.1", "--until", end, "--reason", "r", "--key", "ann.key",
        "--trust", "trust.toml", "--path", "shop", says=["--until"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "package", "says"),
    [
        ("known_malicious", "left-pad@1.3.1", "nothing waives"),
        ("no_such_rule", "left-pad@1.3.1", "no such rule"),
        ("release_age", "left-pad@*", "not in the lockfile"),
        ("release_age", "left-pad", "PACKAGE@VERSION"),
        ("release_age", "axios@1.14.1", "not in the lockfile"),
    ],
)
def test_what_cannot_be_waived(world: World, rule: str, package: str, says: str) -> None:
    """W02, W07"""
    refused(
        world, "waive", rule, package, "--until", "30d", "--reason", "r", "--key", "ann.key",
        "--trust", "trust.toml", "--path", "shop", says=[says],
    )  # fmt: skip


def test_a_waiver_edited_in_the_pull_request_is_refused_and_named(world: World) -> None:
    """W11"""
    for who in ("ann", "bob"):
        made = world.run(
            "waive", "release_age", "left-pad@1.3.1", "--until", "30d", "--reason", "r", "--key", f"{who}.key",
            "--trust", "trust.toml", "--path", "shop",
        )  # fmt: skip
        assert made.code == 0, made.err
    path = waivers(world)[0]
    bundle = json.loads(path.read_bytes())
    bundle["dsseEnvelope"]["payload"] = json.loads(waivers(world)[1].read_bytes())["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["payload"] = bundle["dsseEnvelope"]["payload"][:-8] + "AAAAAAA="
    path.write_text(json.dumps(bundle))
    listed = world.run("waivers", "list", "shop", "--trust", "trust.toml")
    assert listed.code == 0
    assert f"refused    {path.name}" in listed.out
    verbose = world.run("check", *ABOUT, "--verbose")
    assert path.name in verbose.out


def test_the_register(world: World) -> None:
    """P31"""
    made = world.run(
        "waive", "release_age", "left-pad@1.3.1", "--until", "10d", "--reason", "why\x1b[2J", "--key", "ann.key",
        "--trust", "trust.toml", "--path", "shop", "--advisory", "GHSA-1",
    )  # fmt: skip
    assert made.code == 0, made.err
    text = world.run("waivers", "list", "shop", "--trust", "trust.toml").out
    assert "ends soon" in text
    assert "waives release_age for left-pad 1.3.1" in text
    assert "\x1b" not in text
    told = json.loads(world.run("waivers", "list", "shop", "--trust", "trust.toml", "--json").out)
    assert told["signed"][0]["advisory"] == "GHSA-1"
    assert told["refused"] == []
    # "soon" is what the rule's parameter says, here as in a decision
    with world.trust.open("a") as trust:
        trust.write("\n[parameters.approved_changes]\nends_soon_days = 5\n")
    assert "in force" in world.run("waivers", "list", "shop", "--trust", "trust.toml").out
    (world.project / "sbomgate.toml").write_text("[rules.approved_changes]\nends_soon_days = 12\n")
    tightened = world.run("waivers", "list", "shop", "--trust", "trust.toml")
    assert "ends soon" in tightened.out, tightened.err


def test_the_register_says_how_many_are_needed(world: World) -> None:
    digest = change(world)
    with world.trust.open("a") as trust:
        trust.write("\n[approvals]\nquorum = 2\n")
    assert approve(world, "ann", digest).code == 0
    listing = ("waivers", "list", "shop", "--trust", "trust.toml")
    assert "said by 1: ann; waits for at least 1 more, the trust file needs 2" in world.run(*listing).out
    assert approve(world, "bob", digest).code == 0
    text = world.run(*listing).out
    assert text.count("said by 2: ann, bob; enough where it is proved") == 2
    told = json.loads(world.run(*listing, "--json").out)
    assert (told["quorum"], [one["said_by"] for one in told["signed"]]) == (2, [["ann", "bob"]] * 2)
    # who says so of another thing only is nobody here
    made = world.run(
        "waive", "release_age", "left-pad@1.3.1", "--until", "10d", "--reason", "r", "--key", "ann.key",
        "--trust", "trust.toml", "--path", "shop",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert "waits for at least 1 more" in world.run(*listing).out
    assert "said by 2" in world.run(*listing).out


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_a_review_names_what_it_is_about(world: World, form: str) -> None:
    shown = world.run("review", *ABOUT, "--format", form)
    assert shown.code == 1
    assert "left-pad" in shown.out
    assert "1.3.0" in shown.out
    assert f"sbomgate approve --change sha256:{change(world)}" in shown.out


def test_a_review_in_full(world: World) -> None:
    told = json.loads(world.run("review", *ABOUT, "--format", "json").out)
    (entry,) = told["entries"]
    assert (entry["name"], entry["version"], entry["was"]) == ("left-pad", "1.3.1", ["1.3.0"])
    assert any("nobody knows" in phrase for phrase in entry["can"])
    assert told["removed"] == [], "another version came instead"
    assert {f["fingerprint"] for f in entry["findings"] if f["waivable"]} <= set(told["covers"])
    assert told["compared"] is not None


def test_a_first_run_says_so(world: World) -> None:
    shown = world.run("review", "shop", "--offline")
    assert shown.code == 0, shown.err
    assert "first run" in shown.out


def test_a_finding_of_one_s_own_rule_is_waived(world: World) -> None:
    """`policy new` makes findings that can be waived; the verb needs to be told of the rule, as `check` is."""
    world.write_project([("left-pad", "1.3.0", tarballs.package("left-pad", "1.3.0"))])
    (world.root / "own" / "rules").mkdir(parents=True)
    (world.root / "own" / "rules" / "no_left_pad.rego").write_text(
        """# METADATA
# title: No left-pad
package sbomgate.rules.no_left_pad

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

findings contains f if {
\tsome p in packages.by_id
\tp.name == "left-pad"
\tf := finding.of("no_left_pad", "left-pad", "always", p, {"message": "it is left-pad"})
}
"""
    )
    asked = (*ABOUT, "--policy", "own")
    assert world.run("check", *asked).code == 1
    waive = ("waive", "no_left_pad", "left-pad@1.3.0", "--path", "shop", "--until", "30d", "--reason", "ours")
    signing = ("--trust", "trust.toml")
    refused(world, *waive, *signing, "--key", "ann.key", says=["no_left_pad", "no such rule"])
    for who in ("ann", "bob"):
        made = world.run(*waive, *signing, "--policy", "own", "--key", f"{who}.key")
        assert made.code == 0, made.err
    assert world.run("check", *asked).code == 0
