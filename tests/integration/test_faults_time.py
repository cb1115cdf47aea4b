"""The machine's clock jumps between commands: no crash, no older PASSED that wins, no waiver that outlives its end.

A bad clock may cost a decision (exit code 2) or a refusal; it never makes evidence out of nothing (P17, P19, P29, P36).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sbomgate.cli._environment import Environment
from sbomgate.errors import UsageError
from sbomgate.times import format_time
from testkit import commandline, tarballs
from testkit.bad_day import START, Clock
from testkit.commandline import Result, World, must_be_discreet

INVENTORY = ("inventory", "add", "evidence", "--trust", "trust.toml", "--inventory", "inventory")
AUDIT = ("audit", "evidence", "--trust", "trust.toml")
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        yield Clock(patch)


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world that was gated at START; never changed."""
    world = commandline.new_world(tmp_path_factory.mktemp("allowed") / "world")
    with pytest.MonkeyPatch.context() as patch:
        Clock(patch)
        assert world.run(*world.gate()).code == 0
        assert world.run(*INVENTORY).code == 0
    return world


@pytest.fixture
def world(allowed: World, tmp_path: Path) -> World:
    return commandline.copy(allowed, tmp_path / "world")


def commands(world: World) -> dict[str, tuple[str, ...]]:
    decision = next(world.store.glob("*/*/decisions/*"))
    return {
        "check": ("check", "shop", "--offline", "--trust", "trust.toml"),
        "gate": tuple(world.gate()),
        "verify": tuple(world.verify()),
        "audit": AUDIT,
        "replay": ("replay", str(decision.relative_to(world.root))),
        "inventory add": INVENTORY,
        "inventory find": ("inventory", "find", "left-pad", "--inventory", "inventory", "--json"),
        "revoke": ("revoke", decision.name, "--reason", "x", "--key", "release.key", "--trust", "trust.toml"),
    }


def sane(made: Result) -> Result:
    assert made.code in (0, 1, 2)
    assert "Traceback" not in made.err
    assert "defect of sbomgate" not in made.err, made.err
    must_be_discreet(made)
    return made


@pytest.mark.parametrize("now", [FIRST, LAST], ids=["1970", "9999"])
def test_P1_every_verb_at_the_ends_of_time(world: World, clock: Clock, now: datetime) -> None:
    for verb, arguments in commands(world).items():
        clock.now = now
        made = sane(world.run(*arguments))
        if verb in ("check", "gate"):
            assert made.code == 2, verb  # what was decided before is after now, or the rules cannot count the age
        if verb == "verify":
            assert made.code == 1
        if verb in ("audit", "replay"):
            assert made.code == 0, made.out + made.err  # they judge bytes, at the time that the bytes name
    clock.now = START + timedelta(minutes=10)
    # What was revoked at any time stays so, and everything that was stored is still there.
    assert sane(world.run(*world.verify())).code == 1
    sane(world.run(*AUDIT))


@pytest.mark.parametrize(
    ("jump", "verified"),
    [
        pytest.param(timedelta(minutes=-4), 0, id="four minutes back: what consumers tolerate"),
        pytest.param(timedelta(hours=-1), 1, id="an hour back"),
        pytest.param(timedelta(days=-365 * 4), 1, id="years back"),
        pytest.param(timedelta(days=6), 0, id="days on"),
        pytest.param(timedelta(days=8), 1, id="past the age limit"),
        pytest.param(datetime(2028, 2, 29, 12, tzinfo=UTC) - START, 1, id="a leap day"),
    ],
)
def test_P17_P18_verify_after_a_jump(world: World, clock: Clock, jump: timedelta, verified: int) -> None:
    clock.now = START + jump
    assert sane(world.run(*world.verify())).code == verified


def deny(world: World) -> None:
    """Let the project hold what the policy denies."""
    world.write_project([("evil", "1.0.0", tarballs.package("evil", "1.0.0"))], registry="https://evil.invalid/")


@pytest.mark.parametrize(
    "back", [timedelta(minutes=4), timedelta(days=400)], ids=["less than consumers tolerate", "more"]
)
def test_P19_a_clock_that_went_back_makes_no_older_PASSED_win(world: World, clock: Clock, back: timedelta) -> None:
    """The FAILED is stored and wins, or nothing is, and the exit code says that nothing was decided."""
    before = set(world.store.glob("*/*/decisions/*"))
    deny(world)
    clock.now = START - back
    made = sane(world.run(*world.gate()))
    assert made.code == 2, made.out + made.err
    assert set(world.store.glob("*/*/decisions/*")) == before
    # Once the clock is right again it is decided, and that stands, whatever the time.
    clock.now = START + timedelta(seconds=1)
    assert world.run(*world.gate()).code == 1
    for later in (timedelta(seconds=1), timedelta(hours=2), timedelta(days=3)):
        clock.now = START + later
        assert sane(world.run(*world.verify())).code == 1


def test_P17_a_decision_from_the_future_blocks_no_later_one(world: World, clock: Clock) -> None:
    """A machine whose clock was decades ahead decided once: it is said each time, and everything else goes on."""
    clock.now = START + timedelta(days=365 * 80)
    assert world.run(*world.gate()).code == 0
    clock.now = START + timedelta(minutes=10)
    checked = sane(world.run(*commands(world)["check"]))
    assert checked.code == 0
    assert "it is no baseline" in checked.err
    (world.root / "next.tgz").write_bytes(b"another artefact")
    made = sane(world.run(*[argument.replace("app.tgz", "next.tgz") for argument in world.gate("--json")]))
    assert made.code == 0, made.out + made.err
    assert "bootstrap" not in json.loads(made.out)["baseline"]
    assert sane(world.run(*AUDIT)).code == 0


def test_P41_two_machines_an_hour_apart_lose_nothing(world: World, clock: Clock) -> None:
    """One gates other artefacts with a clock that is an hour ahead; every append is in the log and stays."""
    for number in range(2):
        clock.now = START + timedelta(minutes=number) + timedelta(hours=1 - number)
        world.write_project([(f"p{number}", "1.0.0", tarballs.package(f"p{number}", "1.0.0"))])
        manifest = world.project / "package.json"
        for path in (manifest, world.project / "package-lock.json"):
            path.write_text(path.read_text().replace('"shop"', f'"shop{number}"'))
        (world.root / "app.tgz").write_bytes(f"release {number}".encode())
        assert world.run(*world.gate()).code == 0
    clock.now = START + timedelta(hours=1, minutes=5)
    made = world.run(*AUDIT, "--json")
    assert made.code == 0, made.out
    assert len(list(world.store.glob("*/*/decisions/*"))) == 3
    entries = (world.store / "log" / "000000" / "entries").read_text().splitlines()[1:]
    times = [line.rpartition(" ")[2] for line in entries]
    assert len(times) == 3
    assert times == sorted(times)


def test_P19_what_was_revoked_stays_so_at_any_time(world: World, clock: Clock) -> None:
    clock.now = START - timedelta(minutes=3)
    decision = next(world.store.glob("*/*/decisions/*")).name
    revoked = ("revoke", decision, "--reason", "x", "--key", "release.key", "--trust", "trust.toml")
    assert world.run(*revoked, "--store", "evidence").code == 0
    for jump in (timedelta(minutes=-3), timedelta(0), timedelta(hours=1), timedelta(days=2)):
        clock.now = START + jump
        assert sane(world.run(*world.verify())).code == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0", 0),
        ("951782400", 0),  # a leap day
        ("253402300799", 0),  # the last second of 9999
        ("253402300800", 2),
        ("-1", 2),
        ("1_000", 2),
        (" 5", 2),
        ("+5", 2),
        ("١٢", 2),
        ("1e9", 2),
        ("", 2),
        ("9" * 5000, 2),
    ],
)
def test_source_date_epoch(text: str, code: int, tmp_path: Path) -> None:
    """P38: decimal digits, as the specification has them; everything else is an error and no other time."""
    env = Environment(now=START, variables={"SOURCE_DATE_EPOCH": text}, working_directory=tmp_path)
    if code == 0:
        assert env.source_date is not None
        assert format_time(env.source_date).endswith(":00Z" if int(text) % 60 == 0 else ":59Z")
        return
    with pytest.raises(UsageError) as e:
        _ = env.source_date
    assert len(str(e.value)) < 200
