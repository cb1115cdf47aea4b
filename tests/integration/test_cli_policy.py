"""`policy` and `feed` as their users run them: own rules written, tested, built, signed, used; lists made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbomgate.signing import local_key
from testkit.commandline import World
from testkit.engines import find_opa

OWN = """\
# METADATA
# title: No shop
package sbomgate.rules.no_shop

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

findings contains f if {
	some id in packages.outside
	p := packages.by_id[id]
	f := finding.of("no_shop", "is-there", "always", p, {"message": "is there", "fix": "remove it"})
}
"""


def own(world: World, text: str = OWN, path: str = "rules/no_shop.rego") -> Path:
    file = world.root / "own" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def check(world: World, *arguments: str) -> tuple[int, str]:
    result = world.run("check", world.project.name, "--offline", *arguments)
    return result.code, result.out + result.err


def test_list_and_explain(world: World) -> None:
    listed = world.run("policy", "list")
    assert listed.code == 0
    assert "known_malicious" in listed.out
    told = world.run("policy", "explain", "release_age")
    assert told.code == 0
    assert "minimum_age_hours = 72  (the default)" in told.out
    (world.project / "sbomgate.toml").write_text("[rules.release_age]\nminimum_age_hours = 100\n", "utf-8")
    told = world.run("policy", "explain", "release_age", world.project.name)
    assert "minimum_age_hours = 100  (default 72)" in told.out
    unknown = world.run("policy", "explain", "nothing")
    assert unknown.code == 2
    assert "no rule 'nothing'" in unknown.err


def test_own_rules_are_added_to_the_shipped_ones_and_deny(world: World) -> None:
    own(world)
    code, said = check(world, "--policy", "own", "--json")
    assert code == 1
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert {"no_shop", "known_malicious", "release_age"} <= set(found["rules"])
    listed = world.run("policy", "list", "--policy", "own")
    assert "No shop  (not shipped)" in listed.out


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("rules/release_age.rego", OWN, "would replace a file of the shipped policy"),
        ("rules/x.rego", "package sbomgate.lib.finding\n\nprofile := \"observe\"\n", "of the shipped"),
        ("rules/x.rego", "# c\n\n  package  sbomgate.rules.pinned # x\n", "of the shipped"),
        ("rules/x.rego", 'package sbomgate["lib"].finding\n', "plain `package a.b`"),
        ("rules/x.rego", "package sbomgate.rules.x\n\nfindings contains 1 if http.send({})\n", "is forbidden"),
        (
            "rules/x.rego",
            '# METADATA\n# schemas:\n#   - input: schema["policy-input"]\npackage sbomgate.rules.x\n\n'
            "findings contains 1 if input.packagess\n",
            "undefined ref",
        ),
        ("lib/x.rego", "package sbomgate.lib.x\n", "neither decision.rego nor a rule"),
    ],
)  # fmt: skip
def test_own_rules_that_are_refused(world: World, path: str, text: str, said: str) -> None:
    """P1, P23"""
    own(world, text, path)
    code, output = check(world, "--policy", "own")
    assert code == 2
    assert said in output


def test_a_policy_by_its_address_is_refused_with_what_to_do(world: World) -> None:
    code, said = check(world, "--policy", "https://policies.test/policy.tar.gz")
    assert code == 2
    assert "download it first" in said


@pytest.mark.opa
def test_new_test_build_and_use(world: World) -> None:
    opa = find_opa()
    if opa is None:
        pytest.skip("no opa")
    path = world.environment(PATH=str(opa.parent))
    assert world.run("policy", "new", "no_left_pad", "--out", "own").code == 0
    again = world.run("policy", "new", "no_left_pad", "--out", "own")
    assert again.code == 2
    tested = world.run("policy", "test", "own", "--threshold", "100", env=path)
    assert (tested.code, tested.out.splitlines()[-1]) == (0, "3 passed, 0 failed, 100.0 % covered")
    rule = world.root / "own" / "rules" / "no_left_pad.rego"
    rule.write_text(rule.read_text("utf-8").replace("p.name !=", "p.name =="), "utf-8")
    failed = world.run("policy", "test", "own", env=path)
    assert failed.code == 1
    assert "FAIL" in failed.out
    rule.with_name("no_left_pad_test.rego").unlink()
    assert world.run("policy", "test", "own", env=path).code == 2
    absent = world.run("policy", "test", "own", env=world.environment(PATH="/nowhere"))
    assert absent.code == 2
    assert "no `opa` on PATH" in absent.err


def test_a_signed_bundle(world: World) -> None:
    """P21: where the trust file accepts signers of policies, a policy that none of them signed is not used."""
    own(world)
    key = local_key.generate(world.root / "policy.key")
    local_key.generate(world.root / "stranger.key")
    pem = "".join(key.public_key)
    trust = world.root / "policy-trust.toml"
    made = world.run("trust", "new", "--key", "policy.key.pub", "--out", trust.name)
    assert made.code == 0
    trust.write_text(trust.read_text("utf-8").replace('roles = ["decision"]', 'roles = ["policy"]'), "utf-8")
    assert pem
    arguments = ("--policy", "p.tar.gz", "--trust", trust.name)
    assert world.run("policy", "build", "own", "-o", "p.tar.gz").code == 0
    code, said = check(world, *arguments)
    assert (code, "is not signed" in said) == (2, True)
    assert world.run("policy", "build", "own", "-o", "p.tar.gz", "--key", "stranger.key").code == 0
    code, said = check(world, *arguments)
    assert (code, "does not accept" in said) == (2, True)
    assert world.run("policy", "build", "own", "-o", "p.tar.gz", "--key", "policy.key").code == 0
    assert check(world, *arguments)[0] == 1
    own(world, OWN.replace("is there", "is here"))
    assert world.run("policy", "build", "own", "-o", "p.tar.gz").code == 0
    code, said = check(world, *arguments)
    assert (code, "about another bundle" in said) == (2, True)


def test_a_feed_is_made_into_a_list_that_denies(world: World) -> None:
    lock = json.loads((world.project / "package-lock.json").read_text("utf-8"))
    name, entry = next((path.rpartition("node_modules/")[2], e) for path, e in lock["packages"].items() if path)
    record = {
        "id": "MAL-2026-1",
        "affected": [
            {
                "package": {"ecosystem": "npm", "name": name},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"last_affected": entry["version"]}]}],
            }
        ],
    }
    (world.root / "osv.json").write_text(json.dumps(record), "utf-8")
    made = world.run("feed", "import", "osv.json", "-o", str(world.project / "malicious.csv"))
    assert made.code == 0
    assert "1 packages, 1 lines" in made.err
    (world.project / "sbomgate.toml").write_text('[malicious]\nlists = ["malicious.csv"]\n', "utf-8")
    code, said = check(world)
    assert code == 1
    assert "known to be malicious (MAL-2026-1)" in said
    refused = world.run("feed", "import", "nowhere.json")
    assert refused.code == 2
