"""`watch` from the command line: a registry over days, a clock of its own, real attestations by a test sigstore."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sbomgate import resources
from sbomgate.cli import _environment, _watch, watch
from sbomgate.inventory.folder import Folder
from sbomgate.watch import state as states
from testkit import inventories, tarballs
from testkit.commandline import Result, World, must_be_refused, refused
from testkit.registry import Fault, Simulator
from testkit.sigstore import TestSigstore

NOW = datetime(2026, 3, 30, 8, 0, tzinfo=UTC)
AXIOS = {"repository": "https://github.com/axios/axios", "workflow": ".github/workflows/publish.yml"}
LIST = b"name,versions,osv_id,wave,sources\nlisted-pad,2.0.0,MAL-1,wave,source\n"  # on the first day nobody knows more
SECRET = "user:hunter2-canary"
POSTINSTALL = {"postinstall": "node setup.js"}


@dataclass
class Day:
    """A world with an inventory, a registry and a clock."""

    world: World
    registry: Simulator
    sigstore: TestSigstore
    now: datetime = NOW

    def publish(
        self,
        name: str,
        version: str,
        ago: timedelta = timedelta(0),
        *,
        attested: bool = False,
        publisher: str = "alice",
        scripts: Mapping[str, str] | None = None,
        dependencies: Mapping[str, str] | None = None,
        **claims: Any,
    ) -> None:
        """Publish a release so long ago."""
        at = self.now - ago
        more = {"dependencies": dict(dependencies)} if dependencies else {}
        data = tarballs.package(name, version, scripts=scripts, manifest=more)
        document = None
        if attested:
            sha512 = tarballs.sha512(data)
            bundles = [
                self.sigstore.provenance(name, version, sha512, time=at, **{**AXIOS, **claims}),
                self.sigstore.publish(name, version, sha512, time=at),
            ]
            document = self.sigstore.attestations_document(bundles)
        said = {**more, **({"scripts": dict(scripts), "hasInstallScript": True} if scripts else {})}
        self.registry.publish(
            name,
            version,
            data,
            published=f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
            manifest=said,
            signatures=[self.sigstore.registry_signature(name, version, tarballs.integrity(data))],
            attestations=document,
            publisher=publisher,
        )

    def hold(self, *packages: tuple[str, str], registry: str | None = "") -> None:
        """Put a build of these packages into the inventory."""
        folder = Folder(self.world.root / "inventory")
        folder.create()
        url = self.registry.url if registry == "" else registry
        rows = [inventories.package(name, version, registry=url) for name, version in packages]
        folder.add([inventories.build(f"build of {packages}", rows, decided=self.now)])

    def watch(self, *more: str) -> Result:
        """Run `watch`."""
        return self.world.run("watch", "--trust", "trust.toml", *more)

    def told(self, *more: str, code: int) -> dict[str, Any]:
        """Run `watch --json`, and return what it says, which its schema allows."""
        result = self.watch("--json", *more)
        assert result.code == code, result.out + result.err
        value = json.loads(result.out)
        jsonschema_rs.validator_for(json.loads(resources.path("schemas", "watch.schema.json").read_bytes())).validate(
            value
        )
        return dict(value)

    def codes(self, *more: str, code: int) -> set[tuple[str, str]]:
        """Return (release, code) of the new alerts."""
        return codes(self.told(*more, code=code))

    @property
    def state(self) -> Path:
        return self.world.root / "inventory.watch.json"


def codes(told: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(f"{one['name']} {one['version']}", one["code"]) for one in told["alerts"]}


@pytest.fixture
def day(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    """The day before the incident: every release of axios has provenance, the inventory holds 1.14.0."""
    with Simulator() as registry:
        made = Day(world, registry, TestSigstore(NOW))
        real = _environment.Environment.of_process
        monkeypatch.setattr(_environment.Environment, "of_process", lambda: replace(real(), now=made.now))
        root, keys = made.sigstore.trusted_root_json(), made.sigstore.registry_keys_json()
        (world.root / "root.json").write_bytes(root)
        (world.root / "keys.json").write_bytes(keys)
        world.trust.write_text(
            f"{world.trust.read_text()}\n[sigstore]\nupdated = 2026-03-01T00:00:00Z\n"
            f'trusted_root = {{ path = "root.json", sha256 = "{hashlib.sha256(root).hexdigest()}" }}\n'
            f'registry_keys = {{ path = "keys.json", sha256 = "{hashlib.sha256(keys).hexdigest()}" }}\n'
            f'\n[[malicious_lists]]\npath = "list.csv"\nsha256 = "{hashlib.sha256(LIST).hexdigest()}"\n'
        )
        (world.root / "list.csv").write_bytes(LIST)
        needed = {"follow-redirects": "^1.15.0"}
        made.publish("follow-redirects", "1.15.6", timedelta(days=400))
        made.publish("axios", "0.30.3", timedelta(days=40), attested=True, dependencies=needed)
        for version, days in (("1.13.0", 200), ("1.14.0", 30)):
            made.publish("axios", version, timedelta(days=days), attested=True, dependencies=needed)
        made.hold(("axios", "1.14.0"), ("follow-redirects", "1.15.6"))
        made.hold(("axios", "0.30.3"))
        yield made


def incident(day: Day) -> None:
    """March 2026: hours ago a stolen account published the dropper, then axios by hand."""
    day.publish("plain-crypto-js", "4.2.0", timedelta(hours=18), publisher="somebody-new")
    day.publish("plain-crypto-js", "4.2.1", timedelta(hours=3), publisher="somebody-new", scripts=POSTINSTALL)
    needed = {"follow-redirects": "^1.15.0", "plain-crypto-js": "^4.2.1"}
    day.publish("axios", "1.14.1", timedelta(hours=2), publisher="stolen", dependencies=needed)
    day.publish("axios", "0.30.4", timedelta(hours=1), publisher="stolen", dependencies=needed)


INCIDENT = {
    *(
        (f"axios {version}", code)
        for version in ("1.14.1", "0.30.4")
        for code in ("provenance-lost", "publisher-changed", "maintainers-changed", "young-dependency")
    ),
    ("axios 0.30.4", "old-major"),
}


def test_the_axios_incident(day: Day) -> None:
    """The first run records, the first after the release alerts, the second after it is silent."""
    first = day.told(code=0)
    assert (first["packages"], first["first"], first["releases"], first["alerts"]) == (2, 2, 0, [])
    assert "first time: 2" in first["notes"][0]
    day.now += timedelta(days=1)
    incident(day)
    found = day.told(code=1)
    assert codes(found) == INCIDENT
    (dropper,) = (one for one in found["alerts"] if (one["version"], one["code"]) == ("1.14.1", "young-dependency"))
    assert "plain-crypto-js 4.2.1" in dropper["message"]
    assert "postinstall `node setup.js`" in dropper["message"]
    assert (dropper["held"], dropper["builds"]) == (["0.30.3", "1.14.0"], 2)
    assert found["unchanged"] == 1  # follow-redirects: 304
    assert found["unknown"] == []
    second = day.told(code=0)
    assert (second["alerts"], second["unchanged"], second["releases"]) == ([], 2, 0)
    asked = day.registry.asked("/axios")[-1]
    assert "if-none-match" in asked.headers


def test_a_legitimate_release_alerts_nothing(day: Day) -> None:
    assert day.codes(code=0) == set()
    day.now += timedelta(days=1)
    needed = {"follow-redirects": "^1.15.0"}
    day.publish("axios", "1.14.1", timedelta(hours=2), attested=True, dependencies=needed)
    day.publish("axios", "1.15.0", timedelta(hours=1), attested=True, dependencies=needed)
    day.publish("follow-redirects", "1.15.7", timedelta(hours=1))
    told = day.told(code=0)
    assert (told["alerts"], told["releases"], told["unknown"], told["notes"]) == ([], 3, [], [])


# What a new release of a package is like, after one of alice, unattested and without scripts, a year ago → its alerts.
NONE: set[str] = set()
FRESH = {"fresh": "1"}
RELEASES: Mapping[str, tuple[Mapping[str, Any], set[str]]] = {
    "as before": ({}, set()),
    "another publisher": ({"publisher": "mallory"}, {"publisher-changed", "maintainers-changed"}),
    "an install script": ({"scripts": POSTINSTALL}, {"script-gained"}),
    "an install script that the manifest hides": ({"scripts": POSTINSTALL, "hidden": True}, {"script-gained"}),
    "an install script as before": ({"scripts": POSTINSTALL, "before": {"scripts": POSTINSTALL}}, set()),
    "a script that npm does not run": ({"scripts": {"test": "node setup.js"}}, set()),
    "a young dependency": ({"dependencies": {"fresh": "^1.0.0"}}, {"young-dependency"}),
    "a young dependency under an alias": ({"dependencies": {"old": "npm:fresh@1"}}, {"young-dependency"}),
    "a young dependency by a tag": ({"dependencies": {"fresh": "latest"}}, {"young-dependency"}),
    "a young dependency as before": ({"dependencies": FRESH, "before": {"dependencies": FRESH}}, NONE),
    "an old dependency": ({"dependencies": {"follow-redirects": "^1.15.0"}}, set()),
    "a listed dependency": ({"dependencies": {"listed-pad": "2.0.0"}}, {"listed"}),
    "a dependency from git": ({"dependencies": {"x": f"git+https://{SECRET}@h.example/x"}}, {"dependency-elsewhere"}),
    "a dependency from elsewhere": ({"dependencies": {"x": "somebody/x"}}, {"dependency-elsewhere"}),
    "an old major": ({"version": "0.9.1", "held": "0.9.0"}, {"old-major"}),
    "an old major that nobody holds": ({"version": "0.9.1"}, NONE),
    "a prerelease": ({"version": "1.1.0-beta.1"}, set()),
    "after years": ({"age": 3 * 365}, {"after-silence"}),
    "nearly after years": ({"age": 700}, set()),
    "another workflow": ({"attested": True, "workflow": ".github/workflows/evil.yml"}, {"workflow-changed"}),
    "another repository": (
        {"attested": True, "repository": "https://github.com/mallory/x", "repository_id": "6", "owner_id": "7"},
        {"repository-changed"},
    ),
    "renamed, with the same id": ({"attested": True, "repository": "https://github.com/axios/new"}, set()),
    "attested for the first time": ({"attested": True, "before": {"attested": False}}, set()),
}  # fmt: skip


def test_what_a_release_alerts(day: Day) -> None:
    """Of each release its own alerts, and of none twice; a mirror that strips attestations is named."""
    expected: dict[tuple[str, str], str] = {}
    day.publish("listed-pad", "2.0.0", timedelta(days=800))
    for number, (about, _) in enumerate(RELEASES.values()):
        before = {"attested": about.get("attested", False), **about.get("before", {})}
        age = timedelta(days=about.get("age", 365))
        day.publish(f"pad-{number}", "0.9.0", age + timedelta(days=1), **before)
        day.publish(f"pad-{number}", "1.0.0", age, **before)
        day.hold((f"pad-{number}", about.get("held", "1.0.0")))
    assert day.codes(code=0) == set()
    day.now += timedelta(days=1)
    day.publish("fresh", "1.0.0", timedelta(hours=19))
    for number, (said, alerts) in enumerate(RELEASES.values()):
        about = {name: value for name, value in said.items() if name not in ("before", "age", "hidden", "held")}
        version = about.pop("version", "1.0.1")
        day.publish(f"pad-{number}", version, timedelta(hours=1), **about)
        if "hidden" in said:
            manifest = day.registry.packuments[f"pad-{number}"]["versions"][version]
            del manifest["scripts"], manifest["hasInstallScript"]
        expected |= {(f"pad-{number} {version}", code): list(RELEASES)[number] for code in alerts}
    for one in day.registry.packuments["pad-0"]["versions"].values():
        del one["dist"]["signatures"]
    result = day.watch("--json")
    assert result.code == 1, result.err
    told = json.loads(result.out)
    found = codes(told)
    assert {expected[one] for one in expected.keys() - found} == set(), "not told"
    assert found - expected.keys() == set(), "told for nothing"
    assert len(told["alerts"]) == len(expected)
    assert told["unknown"] == []
    assert SECRET.partition(":")[2] not in result.out + result.err
    assert len(told["notes"]) == 1
    assert "no signature and no attestation of pad-0:" in told["notes"][0]
    assert day.codes(code=0) == set()


def test_the_first_run_judges_what_is_younger_than_the_window(day: Day) -> None:
    """And two releases on one day do not vouch for each other."""
    incident(day)
    needed = {"follow-redirects": "^1.15.0", "plain-crypto-js": "^4.2.1"}
    day.publish("axios", "1.14.2", timedelta(minutes=5), publisher="stolen", dependencies=needed)
    again = {("axios 1.14.2", code) for release, code in INCIDENT if release == "axios 1.14.1"}
    assert day.codes(code=1) == INCIDENT | again
    day.state.unlink()
    assert day.codes("--window", "0", code=0) == set()


# --------------------------------------------------------------------------------------------------------------------
# What cannot be known


def test_one_package_that_cannot_be_asked_stops_no_other(day: Day) -> None:
    """P35: it is told by name, and looked at again."""
    day.publish("pad", "1.0.0", timedelta(days=365))
    day.hold(("pad", "1.0.0"), ("nowhere", "1.0.0"))
    day.registry.fault("/pad", Fault(status=403))
    told = day.told(code=2)
    assert [(one["name"], one["version"]) for one in told["unknown"]] == [("nowhere", None), ("pad", None)]
    assert "403" in told["unknown"][1]["reason"]
    day.registry.fault("/pad", Fault(body=b'{"name": "p'))
    day.now += timedelta(days=1)
    incident(day)
    told = day.told(code=1)  # alerts are told although something is unknown
    assert codes(told) == INCIDENT
    assert [one["name"] for one in told["unknown"]] == ["nowhere", "pad"]
    said = day.watch()
    assert said.code == 2
    assert said.out.startswith("UNKNOWN  ")
    assert "  nowhere: " in said.out
    assert "  pad: " not in said.out


def test_what_could_not_be_known_is_judged_again(day: Day) -> None:
    """A release alerts of what is known of it, and of the rest as soon as that is known; of nothing twice.

    What stays unknown for as long as the window is said in the end, and given up.
    """
    for name in ("pad", "needy", "stuck"):
        day.publish(name, "1.0.0", timedelta(days=365))
        day.hold((name, "1.0.0"))
    assert day.codes(code=0) == set()
    day.now += timedelta(days=1)
    day.publish("axios", "1.14.1", timedelta(hours=1), attested=True, publisher="bob", workflow="other.yml")
    day.registry.fault("/-/npm/v1/attestations/axios@1.14.1", Fault(status=403))
    day.publish("pad", "1.0.1", timedelta(hours=1), scripts=POSTINSTALL)
    day.registry.fault("/pad/-/pad-1.0.1.tgz", Fault(status=403))
    day.publish("fresh", "1.0.0", timedelta(hours=2))
    day.publish("needy", "1.0.1", timedelta(hours=1), dependencies={"fresh": "^1.0.0"})
    day.registry.fault("/fresh", Fault(status=403))
    day.publish("stuck", "1.0.1", timedelta(hours=1))
    day.registry.fault("/stuck/-/stuck-1.0.1.tgz", Fault(status=403, times=None))
    told = day.told(code=1)
    assert codes(told) == {("axios 1.14.1", "publisher-changed"), ("axios 1.14.1", "maintainers-changed")}
    assert [one["name"] for one in told["unknown"]] == ["axios", "needy", "pad", "stuck"]
    assert {one["version"] for one in told["unknown"]} == {"1.14.1", "1.0.1"}
    day.now += timedelta(hours=1)
    late = {("axios 1.14.1", "workflow-changed"), ("needy 1.0.1", "young-dependency"), ("pad 1.0.1", "script-gained")}
    assert day.codes(code=1) == late
    day.now += timedelta(days=7)
    assert day.codes(code=1) == {("stuck 1.0.1", "never-known")}
    assert day.codes(code=0) == set()


def test_first_party_names_are_asked_of_nobody(day: Day) -> None:
    day.world.trust.write_text('first_party = ["@acme", "axios"]\n' + day.world.trust.read_text())
    day.hold(("@acme/secret", "1.0.0"))
    assert day.told(code=0)["packages"] == 1
    assert {one.path for one in day.registry.requests} == {"/follow-redirects"}


def test_an_inventory_that_names_no_registry(day: Day) -> None:
    """What an older version added, or somebody's SBOM: the trust file's registry of the scope is asked."""
    more = f'\n[[registries]]\nurl = "{day.registry.url}"\nscope = "@acme"\n'
    day.world.trust.write_text(day.world.trust.read_text() + more)
    day.publish("@acme/pad", "1.0.0", timedelta(days=365))
    day.hold(("@acme/pad", "1.0.0"), registry=None)
    assert day.told(code=0)["packages"] == 3
    assert day.registry.asked("/@acme/pad")


def test_nobody_is_asked_about_a_package_that_no_registry_is_known_of(day: Day) -> None:
    """P40: the name of a private package is told to no registry that its build does not name; the output says so."""
    day.hold(("our-private-tool", "1.0.0"), ("axios", "1.13.0"), registry=None)
    told = day.told(code=0)
    assert told["packages"] == 2
    assert told["unknown"] == []
    (note,) = [note for note in told["notes"] if "our-private-tool" in note]
    assert note.startswith("unknown registry, not asked: our-private-tool. ")
    assert {one.path for one in day.registry.requests} == {"/axios", "/follow-redirects"}, "axios: other builds say it"


def test_an_inventory_of_which_nobody_says_where_it_is_from(world: World) -> None:
    folder = Folder(world.root / "inventory")
    folder.create()
    folder.add([inventories.build("foreign", [("private", "1.0.0")])])
    refused(world, "watch", says=["nobody says which registries its 1 packages come from"])


# --------------------------------------------------------------------------------------------------------------------
# The state


class Killed(BaseException):
    """What a kill is to the process."""


# Where a run is killed, in this order: the state is written between the second and the third.
KILLS = {
    "while it judges": (_watch.Watcher, "judge"),
    "before the state is written": (states, "dumps"),
    "after it is written": (watch, "_watched"),
    "before it tells": (watch, "_tell"),
}


def test_a_killed_run_loses_no_alert_and_repeats_none(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    assert day.codes(code=0) == set()
    day.now += timedelta(days=1)
    incident(day)

    def kill(*_: object, **__: object) -> None:
        raise Killed

    for where, (owner, name) in KILLS.items():
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, kill)
            result = day.watch("--json")
            assert (result.code, result.out) == (2, ""), where
    assert day.codes(code=1) == INCIDENT
    assert day.codes(code=0) == set()
    assert [path.name for path in day.world.root.iterdir() if path.name.endswith(".tmp")] == []


def test_killed_between_two_parts_of_a_run(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first part found is told by the next run, with what that finds itself."""
    day.publish("zpad", "1.0.0", timedelta(days=365))
    day.hold(("zpad", "1.0.0"))
    monkeypatch.setattr(watch, "CHUNK", 1)
    assert day.codes(code=0) == set()
    day.now += timedelta(days=1)
    incident(day)
    day.publish("zpad", "1.0.1", publisher="mallory")
    look, calls = watch._look, []

    def twice(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise Killed
        return look(*args)

    with monkeypatch.context() as patch:
        patch.setattr(watch, "_look", twice)
        assert (day.watch().code, len(calls)) == (2, 3)
    assert day.codes(code=1) == INCIDENT | {("zpad 1.0.1", "publisher-changed"), ("zpad 1.0.1", "maintainers-changed")}
    assert day.codes(code=0) == set()


def test_who_could_not_be_told_is_told_the_next_time(day: Day) -> None:
    """A command that fails, or an output that cannot be written, is exit code 2, and no alert is lost."""
    incident(day)
    failed = day.watch("--json", "--notify", f"{sys.executable} -c 'raise SystemExit(3)'")
    assert failed.code == 2
    assert "ended with 3" in failed.errors[0]
    assert day.watch("-o", "no/such/folder.json").code == 2
    keeper = "import sys; open('kept.json', 'wb').write(sys.stdin.buffer.read())"
    told = day.told("--notify", f'{sys.executable} -c "{keeper}"', code=1)
    assert json.loads((day.world.root / "kept.json").read_bytes()) == told
    assert codes(told) == INCIDENT
    (day.world.root / "kept.json").unlink()
    assert day.codes("--notify", f'{sys.executable} -c "{keeper}"', code=0) == set()
    assert not (day.world.root / "kept.json").exists()


def test_one_run_at_a_time(day: Day) -> None:
    with states.alone(day.state):
        result = day.watch()
    must_be_refused(result, says=["inventory.watch.json", "another watch"])
    assert day.codes(code=0) == set()


def test_the_state_is_the_same_bytes_for_the_same_answers(day: Day) -> None:
    day.codes(code=0)
    first = day.state.read_bytes()
    day.now += timedelta(days=1)
    day.codes(code=0)
    assert day.state.read_bytes() == first
    assert states.dumps(states.load(day.state)) == first


BROKEN = {
    "empty": b"",
    "cut short": b'{"schema": "sbomgate/watch-state/v1", "pack',
    "of another version": b'{"schema": "sbomgate/watch-state/v9", "packages": {}, "untold": []}',
    "another document": b"[]",
    "nested": b"[" * 100_000,
    "UTF-16": '{"schema": "sbomgate/watch-state/v1"}'.encode("utf-16"),
    "versions without end": b'{"schema": "sbomgate/watch-state/v1", "untold": [], "packages": {"https://r.example/": '
    b'{"a": {"etag": null, "open": {}, "versions": "1.0.0..99999999999"}}}}',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=list(BROKEN))
def test_a_state_that_is_none_is_not_an_empty_one(day: Day, data: bytes) -> None:
    """P1: else a window's alerts would be told again, and those between be lost."""
    day.state.write_bytes(data)
    day.state.with_name(f"{day.state.name}.lock").touch()
    refused(day.world, "watch", says=["inventory.watch.json"])


@pytest.mark.parametrize("state", ["no/such/folder.json", "shop"], ids=["nowhere", "a folder"])
def test_a_state_that_cannot_be_kept(day: Day, state: str) -> None:
    refused(day.world, "watch", "--state", state, says=[state])
    assert day.registry.requests == []


def test_nothing_to_watch(world: World) -> None:
    must_be_refused(world.run("watch"), says=["inventory"])
    folder = Folder(world.root / "inventory")
    folder.create()
    must_be_refused(world.run("watch"), says=["nothing to watch"])
    for window in ("-1", "x", "3651", "1e3", "", "9" * 5000):
        assert world.run("watch", "--window", window).code == 2
    assert world.run("watch", "--json", "--format", "markdown").code == 2


@pytest.mark.skipif(os.name != "posix", reason="POSIX")
def test_a_process_that_is_killed(day: Day) -> None:
    """SIGKILL while an answer is waited for: the next run finds everything, once."""
    assert day.codes(code=0) == set()
    day.now += timedelta(days=1)
    incident(day)
    day.registry.fault("/axios", Fault(delay=60))
    before = len(day.registry.asked("/axios"))
    with day.world.start("watch", "--trust", "trust.toml", stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(day.registry.asked("/axios")) == before:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert day.codes(code=1) == INCIDENT
    assert day.codes(code=0) == set()
