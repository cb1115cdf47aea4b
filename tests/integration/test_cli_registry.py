"""A registry that is down, slow, hostile or wrong: facts are unknown, nothing secret is shown (P6, P35, P40)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sbomgate.npm import registry as client
from testkit import tarballs
from testkit.commandline import TOKEN, World, must_be_discreet, must_be_refused, refused
from testkit.registry import Fault, Simulator

NAMES = ("alpha", "beta", "gamma")
OLD = "2024-01-01T00:00:00.000Z"


@pytest.fixture
def registry() -> Iterator[Simulator]:
    with Simulator() as found:
        for name in NAMES:
            found.publish(name, "1.0.0", tarballs.package(name, "1.0.0"), published=OLD)
        yield found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are cut short: what is tested is what is said, not how long it takes."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", (0.0,))
    monkeypatch.setattr(client, "READ_SECONDS", 0.5)
    defaults = client.Registry.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "total_seconds", 1.0)


def use(world: World, url: str, *, token: str | None = None) -> None:
    """Let the project, and the trust file, name this registry."""
    packages = [(name, "1.0.0", tarballs.package(name, "1.0.0")) for name in NAMES]
    world.write_project(packages, registry=url)
    npmrc = f"registry={url}\n"
    if token is not None:
        npmrc += f"{url.removeprefix('http:')}:_authToken={token}\n"
    (world.project / ".npmrc").write_text(npmrc)
    world.trust.write_text(world.trust.read_text() + f'\n[[registries]]\nurl = "{url}"\nserves_evidence = false\n')


CHECK = ("check", "shop", "--trust", "trust.toml")


def findings(out: str) -> list[dict[str, Any]]:
    report = json.loads(out)
    entries = [e for part in ("denials", "warnings", "notes") for e in report[part]]
    return [finding for entry in entries for finding in entry["findings"]]


def test_a_registry_that_works(world: World, registry: Simulator) -> None:
    use(world, registry.url)
    made = world.run(*CHECK, "--json")
    assert made.code == 0, made.out
    assert not [f for f in findings(made.out) if f["code"] in ("publish-time", "scripts")]


def closed_port() -> str:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}/"


def test_p35_a_registry_that_is_down(world: World) -> None:
    """Under `default`, in a first run, nothing is known: that is said, and it is no error of the gate."""
    use(world, closed_port())
    made = world.run(*CHECK, "--json")
    assert made.code == 0
    unknown = {f["code"]: f["message"] for f in findings(made.out) if f["unknown"]}
    assert "3 of 3" in unknown["publish-time"]
    strict = world.run(*CHECK, "--profile", "strict")
    assert strict.code == 1


FAULTS: dict[str, Fault] = {
    "500": Fault(status=500, times=None),
    "503 with a wait": Fault(status=503, headers={"retry-after": "86400"}, times=None),
    "429": Fault(status=429, times=None),
    "401": Fault(status=401, times=None),
    "403": Fault(status=403, times=None),
    "418": Fault(status=418, times=None),
    "hangs": Fault(delay=1.5, times=None),
    "drops": Fault(drop=True, times=None),
    "never ends": Fault(endless=True, times=None),
    "cut short": Fault(truncate=20, times=None),
    "HTML": Fault(body=b"<!DOCTYPE html><html>log in</html>", times=None),
    "empty": Fault(body=b"", times=None),
    "null": Fault(body=b"null", times=None),
    "another package": Fault(body=b'{"name": "evil", "versions": {}}', times=None),
    "duplicate keys": Fault(body=b'{"name": "beta", "name": "evil", "versions": {}}', times=None),
    "deep": Fault(body=b"[" * 100_000, times=None),
    "not gzip": Fault(encoding="gzip", times=None),
    "a redirect away": Fault(status=302, headers={"location": "http://127.0.0.1:9/x"}, times=None),
    "a redirect to metadata": Fault(status=302, headers={"location": "http://169.254.169.254/latest/"}, times=None),
    "a redirect in a circle": Fault(status=302, headers={"location": "/beta"}, times=None),
}


@pytest.mark.parametrize("case", FAULTS)
def test_p35_one_package_that_fails(world: World, registry: Simulator, case: str) -> None:
    """P6, P35: the others are known; this one is unknown, with a reason, and never `unattested` or fine."""
    use(world, registry.url, token=TOKEN)
    registry.fault("/beta", FAULTS[case])
    made = world.run(*CHECK, "--json", "--profile", "strict")
    assert made.code == 1
    must_be_discreet(made)
    said = [f for f in findings(made.out) if f["rule"] == "complete_evidence" and f["code"] == "publish-time"]
    assert "1 of 3" in said[0]["message"]
    assert "beta 1.0.0" in said[0]["message"]
    ages = {f["package"]: f["message"] for f in findings(made.out) if f["code"] == "age-unknown"}
    assert set(ages) == {"node_modules/beta"}


def test_a_tarball_with_other_bytes(world: World, registry: Simulator) -> None:
    """P11: the lockfile's sha512 decides which bytes are read; other bytes are unknown, never believed."""
    use(world, registry.url)
    registry.blobs[registry.tarball_path("beta", "1.0.0")] = tarballs.package(
        "beta", "1.0.0", scripts={"postinstall": "evil"}
    )
    made = world.run(*CHECK, "--json", "--profile", "strict")
    assert made.code == 1
    codes = {(f["code"], f["package"]) for f in findings(made.out)}
    assert ("scripts-unknown", "node_modules/beta") in codes
    assert "evil" not in made.out


def test_p40_no_token_in_any_output(world: World, registry: Simulator) -> None:
    """P40: tokens of .npmrc and user info of URLs are in no output, whatever the verb and the outcome."""
    registry.token = TOKEN
    use(world, registry.url, token=TOKEN)
    assert world.run(*CHECK).code == 0
    assert any("authorization" in request.headers for request in registry.requests)
    secret = registry.url.replace("http://", f"http://alice:{TOKEN}@")
    lock = world.project / "package-lock.json"
    lock.write_text(lock.read_text().replace(f"{registry.url}beta", f"{secret}beta"))
    for arguments in (
        ("generate", "shop"),
        (*CHECK, "--json"),
        (*CHECK, "--verbose"),
        [*world.gate("--json")],
        world.verify(),
    ):
        must_be_discreet(world.run(*arguments))
    for path in world.store.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path.name


def test_p40_the_environment_goes_nowhere(world: World, registry: Simulator) -> None:
    """A project's .npmrc cannot send a variable of the environment to a host that only it names."""
    use(world, registry.url)
    with Simulator() as elsewhere:
        npmrc = f"registry={elsewhere.url}\n{elsewhere.url.removeprefix('http:')}:_authToken=${{SECRET}}\n"
        (world.project / ".npmrc").write_text(npmrc)
        made = world.run(*CHECK, env=world.environment(SECRET=TOKEN))
        must_be_discreet(made)
        assert not any(TOKEN in value for request in elsewhere.requests for value in request.headers.values())


@pytest.mark.parametrize(
    ("published", "code"),
    [
        (OLD, 0),
        (f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M:%S.000Z}", 1),
        (f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M:%S.000Z}", 1),
    ],
    ids=["old", "two hours ago", "in two days"],
)
def test_what_is_young_is_denied(world: World, registry: Simulator, published: str, code: int) -> None:
    registry.packuments["beta"]["time"]["1.0.0"] = published
    use(world, registry.url)
    made = world.run(*CHECK)
    assert made.code == code, made.out


CERTIFICATES: dict[str, bytes | None] = {"missing": None, "empty": b"", "no certificate": b"-----BEGIN X-----\n"}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates_that_cannot_be_read(world: World, case: str) -> None:
    """NODE_EXTRA_CA_CERTS as npm's users set it: what it names must be there."""
    path = world.root / "ca.pem"
    if (data := CERTIFICATES[case]) is not None:
        path.write_bytes(data)
    env = world.environment(NODE_EXTRA_CA_CERTS=str(path))
    refused(world, "check", "shop", says=["ca.pem"], env=env)


def test_a_proxy_that_is_no_url(world: World) -> None:
    env = world.environment(HTTPS_PROXY=f"nonsense://alice:{TOKEN}@proxy.example")
    made = world.run("check", "shop", env=env)
    must_be_refused(made, says=["HTTPS_PROXY"])
