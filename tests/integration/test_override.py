"""Break-glass through the command line: OVERRIDDEN by two persons, for hours, and never PASSED (P32)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate import dsse, override
from sbomgate.signing import local_key
from sbomgate.times import parse_time
from testkit import commandline, tarballs
from testkit.commandline import World, at, refused

GLASS = "\n[break_glass]\nmax_hours = 8\n"


@pytest.fixture(scope="module")
def denied(ordinary: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A project whose update FAILED; Ann and Bob may override, Eve may approve, and nothing is signed yet."""
    world = commandline.copy(ordinary, tmp_path_factory.mktemp("override") / "world")
    signers = ""
    for name, role in (("ann", "override"), ("bob", "override"), ("eve", "approver")):
        key = local_key.generate(world.root / f"{name}.key")
        signers += f'[[signers]]\nname = "{name}"\nroles = ["{role}"]\npublic_key = """\n{key.public_key}"""\n'
    world.trust.write_text(f"{world.trust.read_text()}\n{signers}{GLASS}")
    world.write_project([("left-pad", "1.3.1", tarballs.package("left-pad", "1.3.1"))])
    (world.root / "app.tgz").write_bytes(b"the update")
    made = world.run(*world.gate("--json"))
    assert made.code == 1, made.err
    return world


@pytest.fixture
def world(denied: World, tmp_path: Path) -> World:
    """A copy of it, to sign in."""
    return commandline.copy(denied, tmp_path / "world")


def failed(world: World) -> str:
    """Return the newest decision on the artefact."""
    told = json.loads(world.run(*world.verify("--json")).out)
    return str(told["decision"]["sha256"])


def sign(world: World, who: str, *more: str) -> commandline.Result:
    return world.run(
        "override", failed(world), "--reason", "shop is down", "--key", f"{who}.key", "--trust", "trust.toml", *more
    )


def verified(world: World) -> tuple[int, dict[str, Any]]:
    found = world.run(*world.verify("--json"))
    return found.code, json.loads(found.out)


def test_P32_two_persons_and_never_passed(world: World) -> None:
    assert verified(world)[0] == 1
    one = sign(world, "ann", "--until", "2h")
    assert one.code == 0, one.err
    assert "one more person" in one.out
    code, told = verified(world)
    assert (code, told["result"]) == (1, "refused")
    assert any("2 persons, and is by ann" in note for note in told["notes"])
    assert sign(world, "ann", "--until", "8h").code == 0, "the same person again is one person"
    assert verified(world)[0] == 1

    two = sign(world, "bob", "--until", "4h")
    assert "OVERRIDDEN until" in two.out
    code, told = verified(world)
    assert (code, told["accepted"], told["result"]) == (0, True, "overridden")
    assert told["decision"]["verdict"] == "denied", "the decision stays FAILED"
    assert [reason["code"] for reason in told["reasons"]] == ["failed"]
    by = told["overridden"]["by"]
    assert [(one["person"], one["reason"]) for one in by] == [("ann", "shop is down"), ("bob", "shop is down")]
    assert told["overridden"]["until"] == by[1]["until"], "the first that ends ends it"
    text = world.run(*world.verify()).out
    assert text.startswith("OVERRIDDEN  file:app.tgz · FAILED")
    assert "PASSED" not in text
    assert "by ann" in text
    (summary,) = world.store.glob(f"*/*/decisions/{failed(world)}/vsa.json")
    assert json.loads(summary.read_bytes())["predicate"]["verificationResult"] == "FAILED"


def test_P32_the_register_shows_every_one(world: World) -> None:
    listed = ("override", "--list", "--store", "evidence", "--trust", "trust.toml")
    assert world.run(*listed).out == "no overrides\n"
    for who in ("ann", "bob"):
        assert sign(world, who).code == 0
    kept = next(iter((world.store / "overrides" / failed(world)).iterdir())).read_bytes()
    said = override.read(dsse.read_bundle(kept, "kept").payload, "kept")
    old = replace(said, issued_at=said.issued_at - timedelta(days=9), until=said.issued_at - timedelta(days=8))
    put(world, "ann", override.write(replace(old, reason="the other day\x1b[2J")))
    put(world, "eve", override.write(old))
    shown = world.run(*listed)
    assert shown.code == 0, shown.err
    assert shown.out.count("in force") == 2
    assert "ended" in shown.out
    assert "refused   eve" in shown.out
    assert "\x1b" not in shown.out


def test_P32_only_where_the_trust_file_says_so(world: World) -> None:
    for who in ("ann", "bob"):
        assert sign(world, who).code == 0
    assert verified(world)[0] == 0
    world.trust.write_text(world.trust.read_text().replace(GLASS, ""))
    code, told = verified(world)
    assert code == 1
    assert sum("honours no override" in note for note in told["notes"]) == 2
    refused(world, *arguments(world, "ann"), says=["honours no override"])


def arguments(world: World, who: str, *more: str) -> list[str]:
    return [
        "override", failed(world), "--reason", "r", "--key", f"{who}.key", "--trust", "trust.toml", *more
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("who", "more", "says"),
    [
        ("eve", (), "not for override"),
        ("release", (), "not for override"),
        ("ann", ("--until", "9h"), "later than the 8 hours"),
        ("ann", ("--until", "0h"), "is past"),
        ("ann", ("--until", "soon"), "--until"),
        ("ann", ("--until", "2020-01-01T00:00:00Z"), "is past"),
        ("ann", ("--reason", " "), "--reason"),
        ("ann", ("--signer", ""), "--signer"),
    ],
)
def test_P32_what_is_not_signed(world: World, who: str, more: tuple[str, ...], says: str) -> None:
    refused(world, *arguments(world, who, *more), says=[says], hint=says != "--reason")


def test_P32_a_newer_decision_is_not_the_one_that_was_overridden(world: World) -> None:
    for who in ("ann", "bob"):
        assert sign(world, who).code == 0
    world.write_project([("left-pad", "1.3.2", tarballs.package("left-pad", "1.3.2"))])
    assert world.run(*world.gate()).code == 1
    assert verified(world)[0] == 1


def test_P32_nor_one_of_the_same_second(world: World) -> None:
    """Which of the two is the newer nobody can say: an override of one lets the other not pass."""
    with at(datetime.now(UTC) + timedelta(minutes=1)):
        for version in ("1.3.2", "1.3.3"):
            world.write_project([("left-pad", version, tarballs.package("left-pad", version))])
            assert world.run(*world.gate()).code == 1
        for who in ("ann", "bob"):
            assert sign(world, who).code == 0
        code, told = verified(world)
    assert code == 1
    assert {reason["code"] for reason in told["reasons"]} == {"failed", "superseded"}


def test_P32_what_is_older_than_is_accepted_stays_refused(world: World) -> None:
    """An override is of the policy's word, and of nothing else."""
    for who in ("ann", "bob"):
        assert sign(world, who).code == 0
    text = world.trust.read_text()
    world.trust.write_text(text.replace("max_age_hours = 168", "max_age_hours = 1"))
    with at(datetime.now(UTC) + timedelta(hours=2)):
        code, told = verified(world)
    assert code == 1
    assert {reason["code"] for reason in told["reasons"]} == {"age", "failed"}


def test_P28_nothing_overrides_a_malicious_package(world: World) -> None:
    rows = "name,versions,osv_id,wave,sources\nleft-pad,1.3.1,MAL-1,test,test\n"
    (world.root / "malicious.csv").write_text(rows)
    pin = hashlib.sha256(rows.encode()).hexdigest()
    table = f'\n[[malicious_lists]]\npath = "malicious.csv"\nsha256 = "{pin}"\n'
    world.trust.write_text(world.trust.read_text() + table)
    with at(datetime.now(UTC) + timedelta(minutes=1)):
        assert world.run(*world.gate()).code == 1
    refused(world, *arguments(world, "ann"), says=["nothing overrides", "known_malicious/listed"])
    # Nor where two persons sign it without asking us.
    code, told = verified(world)
    subject = json.loads(next(world.store.glob(f"*/*/decisions/{failed(world)}/decision.json")).read_bytes())["subject"]
    for who in ("ann", "bob"):
        now = parse_time(told["decision"]["time"])
        said = override.Override(
            decision=failed(world), name="app.tgz", subject=subject[0]["digest"], issued_at=now,
            until=now + timedelta(hours=4), reason="r",
        )  # fmt: skip
        put(world, who, override.write(said))
    code, told = verified(world)
    assert code == 1
    assert any("nothing overrides known_malicious/listed" in note for note in told["notes"])


def put(world: World, who: str, statement: bytes) -> Path:
    folder = world.store / "overrides" / failed(world)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{who}.sigstore.json"
    path.write_bytes(local_key.load(world.root / f"{who}.key").sign(statement))
    return path


def test_P32_what_was_altered_or_is_about_something_else_does_not_count(world: World) -> None:
    for who in ("ann", "bob"):
        assert sign(world, who).code == 0
    folder = world.store / "overrides" / failed(world)
    first, second = sorted(folder.iterdir())
    kept = first.read_bytes()
    # one person's signature over another's statement
    bundle = json.loads(kept)
    bundle["dsseEnvelope"]["payload"] = json.loads(second.read_bytes())["dsseEnvelope"]["payload"][:-8] + "AAAAAAA="
    first.write_text(json.dumps(bundle))
    code, told = verified(world)
    assert code == 1
    assert any("altered" in note for note in told["notes"])
    said = override.read(dsse.read_bundle(kept, "x").payload, "x")
    for changes in (
        {"decision": "0" * 64},
        {"subject": {"sha256": "0" * 64}},
        {"until": said.issued_at + timedelta(hours=25)},
        {"issued_at": said.issued_at + timedelta(hours=1), "until": said.issued_at + timedelta(hours=2)},
        {"issued_at": said.issued_at - timedelta(hours=3), "until": said.issued_at - timedelta(hours=1)},
    ):
        first.unlink()
        path = put(world, "ann", override.write(replace(said, **changes)))
        code, told = verified(world)
        assert code == 1, changes
        assert any("does not count" in note for note in told["notes"]), changes
        first = path


def test_a_decision_that_passed_needs_none(world: World) -> None:
    (world.root / "app.tgz").write_bytes(tarballs.package("shop", "3.2.0"))
    refused(world, *arguments(world, "ann"), says=["PASSED"], hint=False)


def test_the_store_is_none_the_stranger_for_it(world: World) -> None:
    """The next decision is measured against the approved build, and says nothing strange."""
    for who in ("ann", "bob"):
        assert sign(world, who).code == 0
    checked = world.run("check", "shop", "--trust", "trust.toml", "--offline", "--baseline", "evidence", "--verbose")
    assert checked.code == 1, "an override is no approval"
    assert "no evidence" not in checked.out


def test_P36_one_that_was_taken_away_stops_the_next_decision(world: World) -> None:
    """The head covers it, and whoever hides that a decision was overridden could hide more."""
    for who in ("ann", "bob"):
        assert sign(world, who).code == 0
    (kept,) = (world.store / "overrides").iterdir()
    assert world.run(*world.gate()).code == 1, "the next decision covers the overrides"
    hidden = sorted(kept.iterdir())[0]
    hidden.rename(world.root / "hidden")
    refused(world, *world.gate(), says=["the store's head covers it, and it is not there", hidden.name])
