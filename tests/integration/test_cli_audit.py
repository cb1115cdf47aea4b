"""`audit`, `revoke`, `replay --all` and `evidence pack` as their users and their enemies run them (P19, P36, P41)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sbomgate import dsse, files, resources
from sbomgate.errors import EvidenceError
from sbomgate.evidence import layout
from sbomgate.evidence.record import Record
from sbomgate.signing import local_key
from testkit import commandline, tarballs
from testkit.commandline import Result, World, must_be_refused
from testkit.packs import follow, unpacked

AUDIT = ("audit", "evidence", "--trust", "trust.toml")
REVOKE = ("--reason", "built on a compromised runner", "--key", "release.key", "--trust", "trust.toml")


@pytest.fixture(scope="session")
def stored(ordinary: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with two artefacts: one decided on twice, the other once. Never damaged."""
    world = commandline.copy(ordinary, tmp_path_factory.mktemp("stored") / "world")
    (world.root / "other.tgz").write_bytes(tarballs.package("other", "1.0.0"))
    for arguments in (world.gate("--environment", "staging"), _of_other(world.gate())):
        made = world.run(*arguments)
        assert made.code == 0, made.err
    return world


def _of_other(arguments: list[str]) -> list[str]:
    return [one.replace("file:app.tgz", "file:other.tgz") for one in arguments]


@pytest.fixture
def world(stored: World, tmp_path: Path) -> World:
    return commandline.copy(stored, tmp_path / "world")


def builds(world: World) -> dict[str, Path]:
    """The folders of both artefacts."""
    found = {}
    for folder in sorted(world.store.glob("??/*")):
        for decision in folder.glob("decisions/*"):
            name = json.loads((decision / "decision.json").read_bytes())["predicate"]["subject"]["name"]
            found[name] = folder
    return found


def decisions(world: World, name: str = "app.tgz") -> list[Path]:
    """The decisions on an artefact, in the order of the log."""
    lines = (world.store / "log" / "000000" / "entries").read_text().splitlines()[1:]
    order = [line.split(" ")[2] for line in lines]
    return sorted(builds(world)[name].glob("decisions/*"), key=lambda path: order.index(path.name))


def overwrite(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def checked(result: Result, schema: str) -> Any:
    """Return the JSON that a command printed, which is as its schema says."""
    document = json.loads(result.out)
    jsonschema.validate(document, json.loads(resources.path("schemas", schema).read_bytes()))
    return document


# --------------------------------------------------------------------------------------------------------------------
# audit


def test_a_sound_store(world: World) -> None:
    made = world.run(*AUDIT)
    assert made.code == 0, made.out
    assert made.out.startswith("SOUND  evidence · 2 builds, 3 decisions (3 passed)")
    assert "head 3" in made.out
    found = checked(world.run(*AUDIT, "--json"), "audit.schema.json")
    assert found["sound"] is True
    assert found["decisions"] == {"all": 3, "passed": 3, "failed": 0, "observed": 0, "revoked": 0, "strangers": 0}
    assert found["head"]["entries"] == 3
    assert found["problems"] == found["notes"] == []


def test_without_a_trust_file_it_says_what_was_not_looked_at(world: World) -> None:
    made = world.run("audit", "evidence")
    assert made.code == 0
    assert "was not looked at" in made.out


def _blob(world: World, name: str, decision: int = 0) -> Path:
    data = (decisions(world)[decision] / name).read_bytes()
    return builds(world)["app.tgz"] / "blobs" / "sha256" / hashlib.sha256(data).hexdigest()


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    overwrite(path, bytes(data))


def _index(world: World, change: Callable[[list[Any]], Any]) -> None:
    path = builds(world)["app.tgz"] / "index.json"
    document = json.loads(path.read_bytes())
    change(document["manifests"])
    overwrite(path, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def _link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _splice(world: World, *parts: str) -> None:
    found = builds(world)
    for part in parts:
        here, there = found["app.tgz"] / part, found["other.tgz"] / part
        if here.is_dir():
            shutil.rmtree(here)
            shutil.copytree(there, here)
        else:
            overwrite(here, there.read_bytes())


def _empty(world: World) -> None:
    for path in builds(world).values():
        shutil.rmtree(path)


def _stranger(world: World) -> None:
    """Another key's signature on what this decision says: another digest, so another decision."""
    (world.root / "release.key").unlink()
    (world.root / "release.key.pub").unlink()
    local_key.generate(world.root / "release.key")


def _strange_summary(world: World) -> None:
    """Sign what the summary of a decision says with a key that nobody accepts, and put it in its place."""
    path = decisions(world)[1]
    record = layout.read(path)
    assert record.summary is not None
    stranger = local_key.generate(world.root / "stranger.key")
    forged = Record(
        detail=record.detail, summary=stranger.sign(dsse.payload_of(record.summary)), blobs=dict(record.blobs)
    )
    others = [layout.read(one) for one in decisions(world) if one != path]
    shutil.rmtree(builds(world)["app.tgz"])
    for one in (*others, forged):
        layout.write(world.store, one)


def _no_log(world: World) -> None:
    shutil.rmtree(builds(world)["other.tgz"])
    shutil.rmtree(world.store / "log")


def _strange_head(world: World) -> None:
    """Take a build away, and sign a log without it with a key that nobody accepts."""
    _no_log(world)
    own = world.root / "own.toml"
    key = local_key.generate(world.root / "stranger.key").public_key
    own.write_text(
        world.trust.read_text() + f'[[signers]]\nname = "stranger"\nroles = ["decision"]\npublic_key = """\n{key}"""\n'
    )
    assert world.run("audit", "evidence", "--trust", "own.toml", "--key", "stranger.key").code == 0


APP = "evidence/{app}"
DAMAGES: dict[str, tuple[Callable[[World], Any], str]] = {
    "a blob altered": (lambda w: _flip(_blob(w, "sbom.cdx.json")), APP),
    "a blob removed": (lambda w: _blob(w, "facts.json").unlink(), f"{APP}/blobs/sha256/"),
    "a blob cut": (lambda w: overwrite(_blob(w, "facts.json"), b"{}"), f"{APP}/blobs/sha256/"),
    "a blob that is a link": (lambda w: _link(_blob(w, "facts.json"), "/etc/passwd"), f"{APP}/blobs/sha256/"),
    "a statement altered": (lambda w: _flip(_blob(w, "decision.sigstore.json")), f"{APP}/blobs/sha256/"),
    "a named file altered": (
        lambda w: _flip(decisions(w)[0] / "policy-input.json"),
        f"{APP}/decisions/{{first}}/policy-input.json",
    ),
    "a named file removed": (
        lambda w: (decisions(w)[0] / "vsa.json").unlink(),
        f"{APP}/decisions/{{first}}/vsa.json",
    ),
    "a named file added": (
        lambda w: (decisions(w)[0] / "waiver.json").write_text("{}"),
        f"{APP}/decisions/{{first}}/waiver.json",
    ),
    "index.json reordered": (lambda w: _index(w, lambda m: m.reverse()), f"{APP}/index.json"),
    "index.json cut": (lambda w: _index(w, lambda m: m.pop()), APP),
    "index.json emptied": (lambda w: _index(w, lambda m: m.clear()), f"{APP}/index.json"),
    "index.json altered": (
        lambda w: overwrite(builds(w)["app.tgz"] / "index.json", b'{"schemaVersion":2}'),
        f"{APP}/index.json",
    ),
    "oci-layout altered": (lambda w: overwrite(builds(w)["app.tgz"] / "oci-layout", b"{}"), f"{APP}/oci-layout"),
    "the layout of another build": (lambda w: _splice(w, "blobs", "decisions", "index.json"), APP),
    "the blobs of another build": (lambda w: _splice(w, "blobs"), APP),
    "the index of another build": (lambda w: _splice(w, "index.json"), APP),
    "a decision's folder removed": (lambda w: shutil.rmtree(decisions(w)[1]), f"{APP}/decisions/{{second}}"),
    "a build removed": (lambda w: shutil.rmtree(builds(w)["other.tgz"]), "evidence/{other}/decisions/"),
    "all but the log removed": (_empty, "evidence/{other}/decisions/"),
    "an entry of the log removed": (
        lambda w: overwrite(
            w.store / "log/000000/entries",
            b"".join((w.store / "log/000000/entries").read_bytes().splitlines(keepends=True)[:-1]),
        ),
        "evidence/log/000000/entries",
    ),
    "the newest head removed": (
        lambda w: (w.store / "log/000000/0000000003.sigstore.json").unlink(),
        "evidence/{other}/decisions/",
    ),
    "a summary by a stranger": (_strange_summary, f"{APP}/decisions/{{second}}"),
    "the log removed": (lambda w: shutil.rmtree(w.store / "log"), f"{APP}/decisions/{{first}}"),
    "the log removed, and what it covered": (_no_log, f"{APP}/decisions/{{first}}"),
    "a head by a stranger, over what he left": (_strange_head, "evidence/log/000000/0000000001.sigstore.json"),
    "a head in between removed": (
        lambda w: (w.store / "log/000000/0000000002.sigstore.json").unlink(),
        "evidence/log/000000/0000000003.sigstore.json",
    ),
    "a head altered": (
        lambda w: _flip(w.store / "log/000000/0000000003.sigstore.json"),
        "evidence/log/000000/0000000003.sigstore.json",
    ),
    "a head under another number": (
        lambda w: (w.store / "log/000000/0000000003.sigstore.json").rename(
            w.store / "log/000000/0000000004.sigstore.json"
        ),
        "evidence/log/000000/0000000004.sigstore.json",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_p36_what_was_done_to_a_store_is_named(world: World, case: str) -> None:
    """P36: removed, altered, reordered, cut or spliced: exit 1, with the path."""
    change, expected = DAMAGES[case]
    names = {name.removesuffix(".tgz"): f"{path.parent.name}/{path.name}" for name, path in builds(world).items()}
    first, second = (path.name for path in decisions(world))
    change(world)
    made = world.run(*AUDIT, "--json")
    assert made.code == 1, made.out + made.err
    found = checked(made, "audit.schema.json")
    assert found["sound"] is False
    wanted = expected.format(**names, first=first, second=second)
    assert any(one["path"].startswith(wanted) for one in found["problems"]), found["problems"]
    assert not any(one["kind"] == "unreadable" for one in found["problems"])
    told = world.run(*AUDIT)
    assert told.code == 1
    assert told.out.startswith("PROBLEMS ")
    assert wanted in told.out
    # No fresh head is signed over it, but where nothing is wrong but that no head covers something.
    before = {path: digest for path, digest in world.snapshot().items() if path.startswith("evidence")}
    again = world.run(*AUDIT, "--key", "release.key")
    assert again.code == (0 if {one["kind"] for one in found["problems"]} == {"uncovered"} else 1)
    if again.code:
        after = {path: digest for path, digest in world.snapshot().items() if path.startswith("evidence")}
        assert after == before


def test_p36_every_altered_blob_of_a_build_is_named(world: World) -> None:
    paths = [_blob(world, name) for name in ("sbom.cdx.json", "facts.json", "evaluation.json")]
    for path in paths:
        _flip(path)
    found = checked(world.run(*AUDIT, "--json"), "audit.schema.json")
    assert {f"evidence/{path.relative_to(world.store)}" for path in paths} <= {one["path"] for one in found["problems"]}


def test_p36_a_store_that_was_taken_back_whole(world: World, stored: World) -> None:
    """P36: log, heads and builds of yesterday; only a head that somebody kept shows it."""
    kept = world.store / "log" / "000000" / "0000000003.sigstore.json"
    shutil.copy(kept, world.root / "kept.sigstore.json")
    assert world.run(*AUDIT, "--head", "kept.sigstore.json").code == 0
    shutil.rmtree(builds(world)["other.tgz"])
    entries = world.store / "log" / "000000" / "entries"
    overwrite(entries, b"".join(entries.read_bytes().splitlines(keepends=True)[:-1]))
    kept.unlink()
    assert world.run(*AUDIT).code == 0
    made = world.run(*AUDIT, "--head", "kept.sigstore.json")
    assert made.code == 1
    assert "taken back" in made.out


def test_a_stranger_s_decision_is_told_and_does_no_harm(world: World) -> None:
    _stranger(world)
    text = world.trust.read_text()
    public = (world.root / "release.key.pub").read_text()
    (world.root / "theirs.toml").write_text(
        re.sub(r"-----BEGIN.*?-----END PUBLIC KEY-----\n", public, text, flags=re.S)
    )
    (world.root / "theirs").mkdir()
    arguments = [one.replace("trust.toml", "theirs.toml").replace("evidence", "theirs") for one in world.gate()]
    assert world.run(*arguments).code == 0
    (folder,) = (world.root / "theirs").glob("??/*")
    target = world.store / folder.parent.name / folder.name
    shutil.rmtree(target)
    shutil.copytree(folder, target)
    found = checked(world.run(*AUDIT, "--json"), "audit.schema.json")
    assert found["decisions"]["strangers"] == 1
    assert {one["kind"] for one in found["problems"]} == {"missing"}
    assert any("does not count" in note for note in found["notes"])


def test_p19_the_trust_file_demands_a_young_head(world: World) -> None:
    """P19: `verify` and `audit` by the same key; a fresh head makes both content again."""
    text = world.trust.read_text()
    world.trust.write_text(text.replace("max_age_hours = 168", "max_age_hours = 168\nmax_head_age_hours = 1"))
    for arguments, said in ((world.verify(), "head"), (AUDIT, "age")):
        with commandline.at(datetime.now(UTC) + timedelta(hours=2)):
            made = world.run(*arguments)
        assert made.code == 1, made.out
        assert said in made.out
        assert "hours ago" in made.out
    world.trust.write_text(text.replace("max_age_hours = 168", "max_age_hours = 168\nmax_head_age_hours = 24"))
    assert world.run(*world.verify()).code == 0
    made = world.run(*AUDIT, "--key", "release.key")
    assert made.code == 0, made.err
    assert "signed head 4, which covers 3 entries" in made.out
    assert "head 4" in world.run(*world.verify()).out
    shutil.rmtree(world.store / "log")
    assert "head" in world.run(*world.verify()).out
    assert world.run(*AUDIT).code == 1
    assert world.run(*AUDIT, "--key", "release.key").code == 0
    assert world.run(*world.verify()).code == 0


def test_a_store_from_before_heads(world: World) -> None:
    shutil.rmtree(world.store / "log")
    made = world.run(*AUDIT)
    assert made.code == 1
    assert "no signed head" in made.out
    assert "no signed head" in world.run(*world.verify()).out
    assert world.run(*world.gate("--environment", "production")).code == 0
    assert "covers 4 entries" in world.run(*AUDIT).out


def test_p19_verify_names_what_is_withheld(world: World) -> None:
    """P19: the newer decision is gone with its place in the index; the head still has it."""
    staging = decisions(world)[1]
    record = layout.read(decisions(world)[0])
    shutil.rmtree(builds(world)["app.tgz"])
    layout.write(world.store, record)
    made = world.run(*world.verify("--json"))
    assert made.code == 1
    found = checked(made, "verification.schema.json")
    assert [one["code"] for one in found["reasons"]] == ["withheld"]
    assert staging.name in found["reasons"][0]["message"]
    # Nor does the next decision take an older build for its baseline, where a newer one was taken away.
    shutil.rmtree(builds(world)["other.tgz"])
    must_be_refused(world.run(*world.gate()), says=["evidence"])


def test_p1_what_cannot_be_read_is_2(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """P1: nobody knows what a file holds that the system does not let us read."""
    target = _blob(world, "sbom.cdx.json")
    real = os.open

    def refused(path: Any, *arguments: Any, **settings: Any) -> int:
        if str(path) == str(target):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **settings)

    monkeypatch.setattr(os, "open", refused)
    made = world.run(*AUDIT, "--json")
    assert made.code == 2
    (found,) = checked(made, "audit.schema.json")["problems"]
    assert found["kind"] == "unreadable"
    with pytest.raises(EvidenceError):
        files.read(target, limit=1, error=EvidenceError)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("audit", "nowhere"), "no such folder"),
        (("audit", "app.tgz"), "no such folder"),
        (("audit", "evidence", "--trust", "nowhere.toml"), "no such file"),
        (("audit", "evidence", "--trust", "app.tgz"), "UTF-8"),
        (("audit", "evidence", "--key", "release.key"), "--signer"),
        (("audit", "evidence", "--head", "nowhere"), "no such file"),
        (("revoke", *REVOKE), "nothing to revoke"),
        (("revoke", "ab" * 32, *REVOKE), "holds no such decision"),
        (("revoke", "abc", *REVOKE), "SHA-256"),
        (("revoke", "ab" * 32, "--by", "release key", *REVOKE), "a decision and a signer"),
        (("revoke", "--by", "somebody", *REVOKE), "no signer"),
        (("revoke", "--by", "release key", "--from", "yesterday", *REVOKE), "RFC 3339"),
        (("revoke", "--by", "release key", "--from", "2999-01-01T00:00:00Z", *REVOKE), "is ahead"),
        (("revoke", "--by", "release key", *REVOKE, "--reason", " "), "--reason"),
        (("revoke", "ab" * 32, "--from", "2026-11-20T08:00:00Z", *REVOKE), "whatever its time"),
        (("replay", "evidence"), "evidence"),
        (("replay", "shop", "--all"), "holds no build"),
        (("replay", "evidence", "--last", "3"), "--all"),
        (("replay", "evidence", "--all", "--last", "0"), "from 1"),
        (("replay", "evidence", "--all", "--policy", "nowhere"), "nowhere"),
        (("evidence", "pack", "file:nowhere", "--trust", "trust.toml", "--out", "p"), "nowhere"),
        (("evidence", "pack", "file:trust.toml", "--trust", "trust.toml", "--out", "p"), "no decision"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_p1_bad_arguments(stored: World, arguments: tuple[str, ...], says: str) -> None:
    result = stored.run(*arguments)
    must_be_refused(result, says=[], hint=False)
    assert says in result.err


# --------------------------------------------------------------------------------------------------------------------
# revoke


def test_p19_revoked(world: World) -> None:
    """P19: verify refuses with who, when and why; the baseline forgets it; audit counts it; gating again helps."""
    first, second = decisions(world)
    made = world.run("revoke", str(second), *REVOKE)
    assert made.code == 0, made.err
    assert made.out.startswith("REVOKED  1 decision on 1 build · by release key")
    assert second.name in made.out
    assert first.name not in made.out
    refused = world.run(*world.verify("--json"))
    assert refused.code == 1
    found = checked(refused, "verification.schema.json")
    assert [one["code"] for one in found["reasons"]] == ["revoked"]
    assert found["revocations"][0]["reason"] == "built on a compromised runner"
    assert "compromised runner" in world.run(*world.verify()).out
    audited = checked(world.run(*AUDIT, "--json"), "audit.schema.json")
    assert audited["sound"]
    assert audited["decisions"]["revoked"] == 1
    assert world.run("verify", "file:other.tgz", "--trust", "trust.toml", "--store", "evidence").code == 0


def test_revoke_says_what_runs(world: World) -> None:
    """What was deployed, by what the inventory was told; and that nothing is known where none was given."""
    pytest.importorskip("duckdb")
    first, second = decisions(world)
    made = world.run("revoke", second.name, *REVOKE, "--inventory", "inventory")
    must_be_refused(made, says=["no inventory here"])
    told = ("--inventory", "inventory")
    assert world.run("inventory", "add", "evidence", "--trust", "trust.toml", *told).code == 0
    none = world.run("revoke", first.name, *REVOKE, *told)
    assert none.code == 0, none.err
    assert "None of this runs" in none.out
    at = ("--environment", "production", "--at", "2026-11-20T10:00:00Z")
    assert world.run("inventory", "deployed", "file:app.tgz", *at, *told).code == 0
    made = world.run("revoke", second.name, *REVOKE, *told)
    assert made.code == 0, made.err
    assert "runs in production since 2026-11-20 10:00 UTC" in made.out
    asked = world.run("revoke", second.name, *REVOKE, *told, "--json")
    (hit,) = checked(asked, "revoked.schema.json")["decisions"]
    assert hit["running"] == [{"environment": "production", "since": "2026-11-20T10:00:00Z"}]
    unknown = world.run("revoke", second.name, *REVOKE)
    assert "inventory deployed SUBJECT" in unknown.out


def test_p19_all_of_a_signer_s_from_a_time_on(world: World) -> None:
    ann = local_key.generate(world.root / "ann.key")
    text = world.trust.read_text()
    world.trust.write_text(
        f'{text}\n[[signers]]\nname = "ann"\nroles = ["revoker"]\npublic_key = """\n{ann.public_key}"""\n'
    )
    by_ann = ("--key", "ann.key", "--trust", "trust.toml", "--reason", "the key was stolen", "--json")
    made = world.run("revoke", "--by", "release key", "--from", "2020-01-01T00:00:00Z", *by_ann)
    assert made.code == 0, made.err
    found = checked(made, "revoked.schema.json")
    assert len(found["decisions"]) == 3
    assert found["signer"] == "ann"
    assert world.run(*world.verify()).code == 1
    # Nor does what this key signs from now on count: nothing is stored.
    must_be_refused(world.run(*world.gate()), says=["the key was stolen"])
    assert len(decisions(world)) == 2


def test_p21_who_may_not_revoke(world: World) -> None:
    local_key.generate(world.root / "mallory.key")
    before = world.snapshot()
    arguments = [one.replace("release.key", "mallory.key") for one in REVOKE]
    must_be_refused(world.run("revoke", decisions(world)[0].name, *arguments), says=["does not accept"])
    assert world.snapshot() == before


def test_p36_a_revocation_that_is_taken_away_is_named(world: World) -> None:
    """P36: by audit with its path, by verify as withheld, by the next gate as a store that lacks something."""
    assert world.run("revoke", decisions(world)[1].name, *REVOKE).code == 0
    (path,) = (world.store / "revocations").iterdir()
    data = path.read_bytes()
    path.unlink()
    made = world.run(*AUDIT)
    assert made.code == 1
    assert f"evidence/revocations/{path.name}" in made.out
    refused = world.run(*world.verify())
    assert refused.code == 1
    assert "withheld" in refused.out
    must_be_refused(world.run(*world.gate()), says=["evidence"])
    path.write_bytes(data[:-2])
    for arguments in (AUDIT, world.verify(), world.gate()):
        assert world.run(*arguments).code in (1, 2)


# --------------------------------------------------------------------------------------------------------------------
# replay


def test_replay_all_reproduces(stored: World) -> None:
    made = stored.run("replay", "evidence", "--all")
    assert made.code == 0, made.out + made.err
    assert made.out.startswith("2 builds: 2 reproduced")
    found = checked(stored.run("replay", "evidence", "--all", "--json"), "replays.schema.json")
    assert {one["subject"] for one in found["builds"]} == {"app.tgz", "other.tgz"}
    assert all(one["differences"] == [] for one in found["builds"])
    newest = checked(stored.run("replay", "evidence", "--all", "--last", "1", "--json"), "replays.schema.json")
    assert newest["builds"] == found["builds"][:1]


def test_replay_by_a_stricter_profile_says_what_would_be_denied(stored: World) -> None:
    made = stored.run("replay", "evidence", "--all", "--profile", "strict", "--json")
    assert made.code == 1, made.out + made.err
    found = checked(made, "replays.schema.json")
    assert {(one["was"], one["now"]) for one in found["builds"]} == {("allowed", "denied")}
    assert all(one["denials"] for one in found["builds"])
    told = stored.run("replay", "evidence", "--all", "--profile", "strict")
    assert "would be denied, by rule: " in told.out
    assert stored.run("replay", "evidence", "--all", "--profile", "default").out.startswith("2 builds: 2 as before")


def test_replay_by_other_rules(stored: World, tmp_path: Path) -> None:
    """A rule that denies every package, beside the shipped ones."""
    rules = tmp_path / "policy" / "rules"
    made = stored.run("policy", "new", "no_left_pad", "--out", str(tmp_path / "policy"))
    assert made.code == 0, made.err
    assert (rules / "no_left_pad.rego").exists()
    (build,) = (str(path) for path in [builds(stored)["app.tgz"]])
    one = stored.run("replay", build, "--policy", str(tmp_path / "policy"))
    assert one.code in (0, 1), one.err
    assert "no_left_pad" in one.out or one.out.startswith("AS BEFORE")


def test_replay_all_goes_on_after_one_that_cannot_be_replayed(world: World) -> None:
    for path in {_blob(world, "policy-input.json", one) for one in (0, 1)}:  # which is the newer, a second may not tell
        _flip(path)
    made = world.run("replay", "evidence", "--all", "--profile", "default", "--json")
    assert made.code == 2
    found = checked(made, "replays.schema.json")
    assert sorted(one["error"] is None for one in found["builds"]) == [False, True]


# --------------------------------------------------------------------------------------------------------------------
# evidence pack


def packed(world: World, name: str = "pack.tar.gz", subject: str = "file:app.tgz") -> Path:
    made = world.run("evidence", "pack", subject, "--trust", "trust.toml", "--out", name)
    assert made.code == 0, made.err
    path = world.root / name
    assert made.out == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n"
    return path


def test_p38_the_same_evidence_gives_the_same_pack(stored: World, tmp_path: Path) -> None:
    world = commandline.copy(stored, tmp_path / "world")
    assert packed(world).read_bytes() == packed(world, "again.tar.gz").read_bytes()


@pytest.mark.cosign
@pytest.mark.opa
def test_an_auditor_verifies_a_pack_without_sbomgate(world: World, tmp_path: Path) -> None:
    """The README's own commands, with real cosign, opa, jq and sha256sum; and with one thing altered they fail."""
    if shutil.which("jq") is None:
        pytest.skip("needs jq")
    assert world.run("revoke", decisions(world)[0].name, *REVOKE).code == 0
    folder = unpacked(packed(world), tmp_path / "unpacked")
    assert str(decisions(world)[0].name) in (folder / "README.md").read_text()
    done = follow(folder)
    assert done.returncode == 0, done.stderr
    for alteration in (
        "trust/keys",
        "store/log/000000/entries",
        "revocations",
        "policy-input.json",
        "vsa.sigstore.json",
    ):
        copy = tmp_path / alteration.replace("/", "-")
        shutil.copytree(folder, copy)
        target = next(path for path in sorted(copy.rglob("*")) if path.is_file() and alteration in str(path))
        _flip(target)
        # Whoever alters it writes the sums again: the signatures and digests must show it.
        sums = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(copy)}\n"
            for path in sorted(copy.rglob("*"))
            if path.is_file() and path.name != "SHA256SUMS"
        ]
        overwrite(copy / "SHA256SUMS", "".join(sums).encode())
        assert follow(copy).returncode != 0, alteration


@pytest.mark.parametrize("where", ["empty", "evidence/log", "shop"])
def test_p36_a_folder_without_evidence_is_no_sound_store(world: World, where: str) -> None:
    """P36: a wrong path, and a store of which nothing is left, are nothing that could be called sound."""
    (world.root / "empty").mkdir()
    must_be_refused(world.run("audit", where, "--trust", "trust.toml"), says=["holds no evidence", where])
