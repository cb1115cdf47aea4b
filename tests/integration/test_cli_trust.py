"""Trust file, key, policy and facts that cannot be used: exit code 2, one message, nothing signed (P1, P2, P3, P21)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sbomgate import dsse, facts
from sbomgate.signing import local_key
from testkit.commandline import World, refused

Damage = Callable[[Path], Any]


def edited(old: str, new: str) -> Damage:
    def damage(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return damage


def added(text: str) -> Damage:
    return lambda path: path.write_text(path.read_text() + text)


def content(data: bytes) -> Damage:
    return lambda path: path.write_bytes(data)


def instead(make: Callable[[Path], Any]) -> Damage:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


TRUST: dict[str, tuple[Damage, list[str]]] = {
    "missing": (Path.unlink, ["trust.toml", "no such file"]),
    "empty": (content(b""), ["trust.toml", "schema"]),
    "others may write": (lambda p: p.chmod(0o646), ["trust.toml", "0646"]),
    "a directory": (instead(Path.mkdir), ["trust.toml", "regular file"]),
    "a FIFO": (instead(os.mkfifo), ["trust.toml", "regular file"]),
    "a dangling link": (instead(lambda p: p.symlink_to("nowhere")), ["trust.toml", "no such file"]),
    "binary": (content(bytes(range(256))), ["trust.toml", "UTF-8"]),
    "a byte order mark": (lambda p: p.write_bytes(b"\xef\xbb\xbf" + p.read_bytes()), ["trust.toml"]),
    "UTF-16": (lambda p: p.write_text(p.read_text(), "utf-16"), ["trust.toml", "UTF-8"]),
    "not TOML": (added("\nx = [1,\n"), ["trust.toml", "not TOML"]),
    "nested deeply": (added("\nx = " + "[" * 50_000), ["trust.toml", "nested"]),
    "a key twice": (edited("max_age_hours = 168", "max_age_hours = 168\nmax_age_hours = 9"), ["trust.toml"]),
    "unknown key": (edited("max_age_hours", "max_age_hour"), ["trust.toml", "max_age_hour"]),
    "unknown schema": (edited("sbomgate/trust/v1", "sbomgate/trust/v2"), ["trust.toml", "schema"]),
    "no signer": (lambda p: p.write_text(p.read_text().partition("[[signers]]")[0]), ["trust.toml", "signers"]),
    "an age of nan": (edited("max_age_hours = 168", "max_age_hours = nan"), ["trust.toml", "max_age_hours"]),
    "an age of zero": (edited("max_age_hours = 168", "max_age_hours = 0"), ["trust.toml", "max_age_hours"]),
    "no time zone": (
        added(
            '\n[[exclusions]]\nrule = "pinned"\nname = "a"\nversion = "1.0.0"\nintegrity = "sha512-AA=="\n'
            'reason = "x"\nuntil = 2027-01-01\n'
        ),
        ["trust.toml", "until", "time zone"],
    ),
    "a private key": (edited("PUBLIC KEY-----\n", "PRIVATE KEY-----\n"), ["trust.toml", "signers[0].public_key"]),
    "a broken key": (edited("BEGIN PUBLIC KEY-----\nM", "BEGIN PUBLIC KEY-----\n!"), ["trust.toml", "public_key"]),
    "profile observe": (edited('profile = "default"', 'profile = "observe"'), ["trust.toml", "profile"]),
}


@pytest.mark.parametrize("verb", ["check", "gate", "verify"])
@pytest.mark.parametrize("case", TRUST)
def test_a_trust_file_that_cannot_be_used(world: World, case: str, verb: str) -> None:
    """P21: nobody is accepted by a file that has no single meaning, or that others may change."""
    damage, says = TRUST[case]
    damage(world.trust)
    arguments = {
        "check": ["check", "shop", "--offline", "--trust", "trust.toml"],
        "gate": world.gate(),
        "verify": world.verify(),
    }[verb]
    refused(world, *arguments, says=says, hint=False)


def test_p21_a_trust_file_in_the_tree_needs_its_digest(world: World) -> None:
    inside = world.project / "trust.toml"
    inside.write_bytes(world.trust.read_bytes())
    digest = hashlib.sha256(inside.read_bytes()).hexdigest()
    check = ("check", "shop", "--offline", "--trust")
    refused(world, *check, "shop/trust.toml", says=["trust.toml", "tree"])
    refused(world, *check, f"shop/trust.toml@sha256:{'0' * 64}", says=["trust.toml", digest])
    refused(world, *check, "shop/trust.toml@sha256:abc", says=["sha256"])
    link = world.root / "link.toml"
    link.symlink_to("shop/trust.toml")
    refused(world, *check, "link.toml", says=["link.toml", "tree"])
    assert world.run(*check, f"shop/trust.toml@sha256:{digest}").code == 0


def test_p21_gate_and_verify_need_one(world: World) -> None:
    gate = world.gate()
    at = gate.index("--trust")
    refused(world, *gate[:at], *gate[at + 2 :], says=["--trust"])
    assert world.run("verify", "file:app.tgz", "--store", "evidence").code == 2


def test_p21_no_variable_of_the_environment_replaces_it(world: World) -> None:
    env = world.environment(SBOMGATE_TRUST=str(world.trust), SBOMGATE_PROFILE="observe")
    made = world.run("check", "shop", "--offline", env=env)
    assert "Trusted: nobody" in made.out
    assert "profile default" in made.out


def rsa_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def p384_key() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def encrypted(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2-canary"),
        )
    )


def another(path: Path) -> None:
    path.unlink()
    made = local_key.generate(path.with_name("another.key"))
    assert made.key_id
    path.with_name("another.key").rename(path)


KEY: dict[str, tuple[Damage, list[str]]] = {
    "missing": (Path.unlink, ["release.key", "no such file"]),
    "empty": (content(b""), ["release.key"]),
    "group may read": (lambda p: p.chmod(0o640), ["release.key", "0640"]),
    "others may read": (lambda p: p.chmod(0o604), ["release.key", "0604"]),
    "a directory": (instead(Path.mkdir), ["release.key", "regular file"]),
    "a FIFO": (instead(lambda p: os.mkfifo(p, 0o600)), ["release.key", "regular file"]),
    "the public half": (lambda p: p.write_bytes(p.with_name("release.key.pub").read_bytes()), ["public key"]),
    "RSA": (content(rsa_key()), ["release.key", "P-256"]),
    "P-384": (content(p384_key()), ["release.key", "P-256"]),
    "encrypted": (encrypted, ["release.key", "encrypted"]),
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:100]), ["release.key"]),
    "binary": (content(bytes(range(256))), ["release.key"]),
    "too large": (content(b"-----BEGIN PRIVATE KEY-----" + b"A" * 10_000_000), ["release.key", "limit"]),
    "not accepted": (another, ["does not accept"]),
}


@pytest.mark.parametrize("case", KEY)
def test_a_key_that_cannot_be_used(world: World, case: str) -> None:
    """P40: whatever is wrong with the key, no byte of it is shown; nothing is signed."""
    damage, says = KEY[case]
    damage(world.root / "release.key")
    refused(world, *world.gate(), says=says, hint=case not in ("missing", "a directory", "a FIFO", "too large"))


def test_a_key_is_never_overwritten(world: World) -> None:
    refused(world, "key", "new", "--out", "release.key", says=["release.key", "overwritten"])
    (world.root / "new.key.pub").write_bytes(b"")
    refused(world, "key", "new", "--out", "new.key", says=["new.key.pub", "overwritten"])
    refused(world, "key", "new", "--out", "nowhere/new.key", says=["nowhere/new.key"], hint=False)


def test_a_trust_file_is_never_overwritten(world: World) -> None:
    new = ("trust", "new", "--key")
    refused(world, *new, "release.key.pub", "--out", "trust.toml", says=["trust.toml"])
    refused(world, *new, "release.key", says=["release.key", "private key"])
    refused(world, *new, "nowhere.pub", says=["nowhere.pub"], hint=False)
    refused(world, *new, "app.tgz", says=["public key"])
    refused(world, *new, "release.key.pub", "--out", "nowhere/trust.toml", says=["nowhere/trust.toml"])
    refused(world, *new, "release.key.pub", "--name", 'a"\nb', says=["name"], hint=False)


# --------------------------------------------------------------------------------------------------------------------
# The policy

DECISION = b"""package sbomgate.decision
result := {"schema": "sbomgate/evaluation/v1", "verdict": "allowed", "profile": "default", "findings": [],
  "rules": ["one"], "packages": count(input.packages), "waived_by": {}, "unused_waivers": []}
"""
RULE = b"package sbomgate.rules.one\nfindings := set()\n"


def policy(**files: bytes) -> dict[str, bytes]:
    return {"decision.rego": DECISION, "rules/one.rego": RULE} | {
        name.replace("__", "/") + ".rego": text for name, text in files.items()
    }


POLICY: dict[str, tuple[dict[str, bytes] | None, list[str]]] = {
    "missing": (None, ["policy"]),
    "empty": ({}, ["policy"]),
    "without a rule": ({"decision.rego": DECISION}, ["rule"]),
    "only tests": ({"decision_test.rego": DECISION, "rules/one_test.rego": RULE}, ["policy"]),
    "broken Rego": (policy(decision=b"package sbomgate.decision\nresult := {"), ["decision.rego", "line"]),
    "an old dialect": (policy(rules__one=b"package sbomgate.rules.one\nfindings[x] { x := 1 }\n"), ["one.rego"]),
    "an undefined result": (policy(decision=b"package sbomgate.decision\nother := 1\n"), ["undefined"]),
    "a result of true": (policy(decision=b"package sbomgate.decision\nresult := true\n"), ["result"]),
    "a rule that did not run": (policy(rules__two=RULE.replace(b"one", b"two")), ["two"]),
    "network": (
        policy(rules__one=RULE + b'x := http.send({"method": "get", "url": "http://127.0.0.1:1/"})\n'),
        ["http.send", "forbidden"],
    ),
    "the clock": (policy(rules__one=RULE + b"x := time.now_ns()\n"), ["time.now_ns", "forbidden"]),
    "the environment": (policy(rules__one=RULE + b"x := opa.runtime()\n"), ["opa.runtime", "forbidden"]),
    "randomness": (policy(rules__one=RULE + b'x := rand.intn("a", 9)\n'), ["rand.intn", "forbidden"]),
    "recursion": (policy(rules__one=RULE + b"x := x\n"), ["one.rego"]),
    "a failing built-in": (
        policy(decision=DECISION.replace(b"count(input.packages)", b'to_number(concat("", ["a", input.profile]))')),
        ["built"],
    ),
    "not UTF-8": (policy(rules__one=b"package sbomgate.rules.one # \xff\n"), ["one.rego", "UTF-8"]),
    "data in YAML": ({**policy(), "data.yaml": b"a: 1\n"}, ["data.yaml"]),
    "broken data": ({**policy(), "data.json": b"{"}, ["data.json"]),
    "a name with a blank": ({**policy(), "rules/two three.rego": RULE}, ["two three.rego"]),
}


@pytest.mark.parametrize("case", POLICY)
def test_a_policy_that_cannot_be_used(world: World, case: str) -> None:
    """P3: what does not load, gives nothing, or runs no rule is no decision."""
    files, says = POLICY[case]
    folder = world.root / "policy"
    if files is not None:
        folder.mkdir()
        for name, data in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
    refused(world, "check", "shop", "--offline", "--policy", "policy", says=says, hint=False)


def rule_without_findings(world: World) -> None:
    import shutil

    from sbomgate import resources

    shutil.copytree(resources.path("policies"), world.root / "policy")
    path = world.root / "policy" / "rules" / "pinned.rego"
    path.write_text(path.read_text().replace("findings contains", "found contains"))


def test_p3_a_shipped_rule_without_findings(world: World) -> None:
    """A rule that lost its findings is no quiet rule: the decision is undefined."""
    rule_without_findings(world)
    refused(world, "check", "shop", "--offline", "--policy", "policy", says=["undefined"])


def test_p20_gate_signs_no_policy_that_nobody_accepts(world: World) -> None:
    folder = world.root / "policy" / "rules"
    folder.mkdir(parents=True)
    (folder / "one.rego").write_bytes(RULE)
    (folder.parent / "decision.rego").write_bytes(DECISION)
    refused(world, *world.gate("--policy", "policy"), says=["policy", "does not accept"])


@pytest.mark.parametrize("name", ["policy.zip", "app.tgz", "release.key"])
def test_a_file_that_is_no_policy(world: World, name: str) -> None:
    (world.root / "policy.zip").write_bytes(b"PK\x03\x04")
    refused(world, "check", "shop", "--offline", "--policy", name, says=[name])


# --------------------------------------------------------------------------------------------------------------------
# Recorded facts


def resigned(payload: Callable[[bytes], bytes]) -> Damage:
    def damage(path: Path) -> None:
        key = local_key.load(path.with_name("release.key"))
        path.write_bytes(key.sign(payload(dsse.read_bundle(path.read_bytes(), "").payload)))

    return damage


FACTS: dict[str, tuple[Damage, list[str]]] = {
    "missing": (Path.unlink, ["facts.sigstore.json", "no such file"]),
    "empty": (content(b""), ["facts.sigstore.json"]),
    "a directory": (instead(Path.mkdir), ["facts.sigstore.json", "regular file"]),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-40]), ["facts.sigstore.json"]),
    "plain, unsigned": (content(b'{"schema": "sbomgate/facts/v1"}'), ["facts.sigstore.json"]),
    "another type": (
        resigned(lambda payload: payload.replace(b"/facts/", b"/fictions/")),
        ["facts.sigstore.json", "fictions"],
    ),
    "not a statement": (resigned(lambda payload: b"[]"), ["facts.sigstore.json"]),
    "altered": (edited('"payload":"', '"payload":"AAAA'), ["facts.sigstore.json"]),
    "duplicate key": (edited("{", '{"mediaType": "x", '), ["facts.sigstore.json"]),
    "binary": (content(bytes(range(256))), ["facts.sigstore.json"]),
}


@pytest.mark.parametrize("case", FACTS)
def test_facts_that_cannot_be_read(world: World, case: str) -> None:
    damage, says = FACTS[case]
    damage(world.root / "facts.sigstore.json")
    refused(world, *world.gate("--facts", "facts.sigstore.json"), says=says, hint=False)


def test_p14_facts_signed_by_somebody_else_count_as_unknown(world: World) -> None:
    """They are no error: they launder nothing, and whoever runs the gate is told."""
    other = local_key.generate(world.root / "other.key")
    (world.root / "facts.sigstore.json").write_bytes(other.sign(facts.write_statement({})))
    made = world.run("check", "shop", "--offline", "--facts", "facts.sigstore.json", "--trust", "trust.toml")
    assert made.code == 0
    assert "count as unknown" in made.err
