"""sbomgate.npm.registry against a real server that does what servers do."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from sbomgate.addresses import show
from sbomgate.model import Absence, Missing
from sbomgate.npm import auth, registry
from sbomgate.npm.registry import Answer, Registry
from testkit.http2 import ConnectionFault, Http2Simulator
from testkit.registry import Fault, Simulator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
T = TypeVar("T")
TOKEN = "npm_s3cretTokenThatNobodyMaySee"


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator() as simulator:
        simulator.publish("a", "1.0.0", attestations=b'{"attestations":[]}')
        yield simulator


@pytest.fixture
def other() -> Iterator[Simulator]:
    with Simulator() as simulator:
        simulator.publish("a", "1.0.0")
        yield simulator


class Waits:
    """Stands in for sleeping: nobody waits, and what was waited for is known."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def run(
    ask: Callable[[Registry], Awaitable[T]],
    *,
    credentials: auth.Credentials = auth.NONE,
    waits: Waits | None = None,
    total_seconds: float = 20.0,
    ca_file: str | None = None,
) -> T:
    async def main() -> T:
        async with registry.open_client(ca_file=ca_file) as client:
            return await ask(
                Registry(client, credentials, now=NOW, sleep=waits or Waits(), total_seconds=total_seconds)
            )

    return asyncio.run(main())


def packument(server: Simulator, **options: object) -> Answer | Missing:
    return run(lambda one: one.packument(server.url, "a"), **options)  # type: ignore[arg-type]


def missing(found: object) -> Missing:
    assert isinstance(found, Missing), found
    return found


def token_for(*servers: Simulator) -> auth.Credentials:
    return auth.read(user="\n".join(f"{one.url.removeprefix('http:')}:_authToken={TOKEN}" for one in servers))


def test_a_packument(server: Simulator) -> None:
    found = packument(server)
    assert isinstance(found, Answer)
    assert b'"1.0.0"' in found.body
    assert found.etag
    assert server.requests[0].headers["accept"] == "application/json"


def test_an_etag_saves_the_body(server: Simulator) -> None:
    first = packument(server)
    assert isinstance(first, Answer)
    again = run(lambda one: one.packument(server.url, "a", etag=first.etag))
    assert again == Answer(status=304, body=b"", etag=None)


def test_304_that_nobody_asked_for_is_no_answer(server: Simulator) -> None:
    server.fault("/a", Fault(status=304))
    assert missing(packument(server)).absence is Absence.UNREACHABLE


def test_scoped_names_are_escaped() -> None:
    assert registry.packument_url("https://r.example/npm", "@s/a") == "https://r.example/npm/@s%2Fa"
    assert registry.tarball_url("https://r.example/", "@s/a", "1.0.0+b") == "https://r.example/@s/a/-/a-1.0.0%2Bb.tgz"
    assert registry.packument_url("https://r.example/", "../x?y#z") == "https://r.example/..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    ("fault", "absence", "says"),
    [
        pytest.param(Fault(status=404), Absence.ABSENT, "no package a", id="404"),
        pytest.param(Fault(status=400), Absence.UNREACHABLE, "answers 400", id="400"),
        pytest.param(Fault(status=401), Absence.UNREACHABLE, "need a token", id="401"),
        pytest.param(Fault(status=403), Absence.UNREACHABLE, "need a token", id="403"),
        pytest.param(Fault(status=204), Absence.UNREACHABLE, "answers 204", id="204"),
        pytest.param(Fault(status=500, times=4), Absence.UNREACHABLE, "answers 500 (4 attempts)", id="500"),
        pytest.param(Fault(drop=True, times=4), Absence.UNREACHABLE, "broke off", id="dropped"),
        pytest.param(Fault(truncate=10, times=4), Absence.UNREACHABLE, "broke off", id="truncated"),
        pytest.param(Fault(encoding="gzip"), Absence.MALFORMED, "encoding", id="wrong encoding"),
        pytest.param(
            Fault(encoding="gzip, gzip", body=gzip.compress(gzip.compress(b"{}"))),
            Absence.MALFORMED,
            "an encoding that nobody asked for",
            id="packed twice",
        ),
        pytest.param(
            Fault(encoding="gzip", body=gzip.compress(bytes((256 << 20) + 1), 1)),
            Absence.MALFORMED,
            "over the limit",
            id="a bomb",
        ),
        pytest.param(Fault(status=302), Absence.UNREACHABLE, "redirects", id="redirect to nowhere"),
        pytest.param(
            Fault(status=302, headers={"location": "/a"}, times=9), Absence.UNREACHABLE, "more than 5", id="loop"
        ),
        pytest.param(
            Fault(status=302, headers={"location": "file:///etc/passwd"}),
            Absence.UNREACHABLE,
            "neither http",
            id="file",
        ),
        pytest.param(
            Fault(status=302, headers={"location": "http://plain.example/x"}),
            Absence.UNREACHABLE,
            "TLS",
            id="out of TLS",
        ),
        pytest.param(
            Fault(status=302, headers={"location": "http://169.254.169.254/latest"}),
            Absence.UNREACHABLE,
            "network's own services",
            id="cloud metadata",
        ),
        pytest.param(
            Fault(status=302, headers={"location": "http://[::ffff:169.254.169.254]/latest"}),
            Absence.UNREACHABLE,
            "network's own services",
            id="cloud metadata, mapped",
        ),
        pytest.param(
            Fault(status=302, headers={"location": "https://10.0.0.5/x"}),
            Absence.UNREACHABLE,
            "a private network",
            id="a private network",
        ),
        pytest.param(
            Fault(status=302, headers={"location": "https://2852039166/latest"}),
            Absence.UNREACHABLE,
            "network's own services",
            id="cloud metadata, as one number",
        ),
        pytest.param(
            Fault(status=302, headers={"location": "https://user:pw@x.invalid:99999/"}),
            Absence.UNREACHABLE,
            "",
            id="bad port",
        ),
        pytest.param(
            Fault(status=429, headers={"retry-after": "3600"}),
            Absence.UNREACHABLE,
            "wait 3600 s",
            id="Retry-After, hours",
        ),
    ],
)
def test_what_goes_wrong_is_said(server: Simulator, fault: Fault, absence: Absence, says: str) -> None:
    """P35: a value with a sentence; P40: no credential in it."""
    server.fault("/a", fault)
    found = missing(packument(server, credentials=token_for(server) if fault.status not in (401, 403) else auth.NONE))
    assert found.absence is absence
    assert says in found.reason
    assert TOKEN not in found.reason
    assert "pw" not in found.reason


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_it_tries_again(server: Simulator, status: int) -> None:
    waits = Waits()
    server.fault("/a", Fault(status=status, times=3))
    assert isinstance(packument(server, waits=waits), Answer)
    assert waits.seconds == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Sun, 01 Mar 2026 00:00:09 GMT", 9.0),
        ("Sun, 01 Mar 2020 00:00:00 GMT", 0.5),
        ("nonsense", 0.5),
        ("-5", 0.5),
    ],
)
def test_retry_after_is_honoured(server: Simulator, value: str, seconds: float) -> None:
    waits = Waits()
    server.fault("/a", Fault(status=429, headers={"retry-after": value}))
    assert isinstance(packument(server, waits=waits), Answer)
    assert waits.seconds == [seconds]


def test_an_endless_body_is_cut_at_the_limit(server: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    monkeypatch.setattr(registry, "MAX_PACKUMENT_BYTES", 1_000_000)
    server.fault("/a", Fault(endless=True))
    found = missing(packument(server))
    assert found.absence is Absence.MALFORMED
    assert "1,000,000 bytes" in found.reason


def test_a_packed_body_counts_unpacked(server: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9: a bomb in Content-Encoding."""
    monkeypatch.setattr(registry, "MAX_PACKUMENT_BYTES", 1_000_000)
    server.fault("/a", Fault(body=b" " * 2_000_000))
    assert missing(packument(server)).absence is Absence.MALFORMED


def test_an_answer_has_an_end(server: Simulator) -> None:
    server.fault("/a", Fault(delay=5.0, times=None))
    assert "did not end within" in missing(packument(server, total_seconds=0.2)).reason


def test_nobody_listens() -> None:
    with Simulator() as gone:
        url = gone.url
    found = missing(run(lambda one: one.packument(url, "a")))
    assert found.absence is Absence.UNREACHABLE
    assert "cannot be connected to" in found.reason


def test_a_registry_that_is_down_is_not_asked_for_ever() -> None:
    """Thousands of packages do not wait one after the other for what does not answer."""
    with Simulator() as gone:
        url = gone.url
    waits = Waits()

    async def ask(one: Registry) -> list[Answer | Missing]:
        return [await one.packument(url, f"a{index}") for index in range(200)]

    found = run(ask, waits=waits)
    assert all(missing(one).absence is Absence.UNREACHABLE for one in found)
    assert len(waits.seconds) < registry.MAX_FAILURES * 2
    assert "is not asked" in missing(found[-1]).reason


def test_attestations(server: Simulator) -> None:
    url = f"{server.url}-/npm/v1/attestations/a@1.0.0"
    assert run(lambda one: one.attestations(server.url, url)) == b'{"attestations":[]}'


def test_attestations_advertised_and_not_there(server: Simulator) -> None:
    """P6, CASES V07."""
    found = missing(run(lambda one: one.attestations(server.url, f"{server.url}-/npm/v1/attestations/b@1.0.0")))
    assert found.absence is Absence.ADVERTISED_MISSING


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://evil.example/x",
        "http://127.0.0.1:1/x",
        "//127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[::1",
        "http://127.0.0.1:99999999/",
        "{origin}@evil.example/x",
        "http://user:pw@127.0.0.1/x",
        "{origin}/" + "x" * 9000,
    ],
)
def test_only_the_registrys_own_addresses_are_asked(server: Simulator, url: str) -> None:
    """A lockfile's or packument's URL on another host is not fetched."""
    real = url.replace("{origin}", server.origin)
    for ask in ("attestations", "tarball"):
        found = missing(run(lambda one, ask=ask: getattr(one, ask)(server.url, real)))  # type: ignore[misc]
        assert found.absence is Absence.UNREACHABLE
        assert "pw" not in found.reason
    assert server.requests == []


def test_a_tarball_is_not_there(server: Simulator) -> None:
    found = missing(run(lambda one: one.tarball(server.url, f"{server.url}b/-/b-1.0.0.tgz")))
    assert found.absence is Absence.ADVERTISED_MISSING


def test_a_token_goes_to_its_registry_and_to_nobody_else(server: Simulator, other: Simulator) -> None:
    """P40: a redirect to another host is followed without the token."""
    server.token = TOKEN
    assert "answers 401" in missing(packument(server)).reason
    assert isinstance(packument(server, credentials=token_for(server)), Answer)
    server.fault("/a", Fault(status=302, headers={"location": f"{other.url}a"}))
    server.requests.clear()
    found = packument(server, credentials=token_for(server, other))
    assert isinstance(found, Answer)
    assert [one.headers.get("authorization") for one in server.requests] == [f"Bearer {TOKEN}"]
    assert [one.headers.get("authorization") for one in other.requests] == [None]


def test_a_redirect_on_the_same_host_keeps_the_token(server: Simulator) -> None:
    server.token = TOKEN
    server.fault("/b", Fault(status=301, headers={"location": "/a"}))
    server.token = TOKEN
    found = run(lambda one: one.packument(server.url, "b"), credentials=token_for(server))
    assert isinstance(found, Answer)


def test_a_wrong_token_is_not_shown(server: Simulator) -> None:
    server.token = "another"
    found = missing(packument(server, credentials=token_for(server)))
    assert "is the token in .npmrc right?" in found.reason
    assert TOKEN not in found.reason


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@r.example/a?token=x#y", "https://r.example/a"),
        ("https://r.example:8443/a", "https://r.example:8443/a"),
        ("https://r.example/\x1b[31m\n", "https://r.example/\\x1b[31m"),
        ("http://[::1", "an address that is no URL"),
    ],
)
def test_urls_for_people(url: str, shown: str) -> None:
    """P39, P40."""
    assert show(url) == shown


def test_concurrency_is_bounded(server: Simulator) -> None:
    server.fault("/a", Fault(delay=0.05, times=None))
    most = 0
    now = 0

    async def ask(one: Registry) -> None:
        nonlocal most, now
        real = one._once

        async def once(*args: object) -> object:
            nonlocal most, now
            now += 1
            most = max(most, now)
            try:
                return await real(*args)  # type: ignore[arg-type]
            finally:
                now -= 1

        one._once = once  # type: ignore[assignment,method-assign]
        await asyncio.gather(*(one.packument(server.url, "a") for _ in range(30)))

    run(ask)
    assert most == registry.CONCURRENCY


# --------------------------------------------------------------------------------------------------------------------
# HTTP/2, where it is served


@pytest.fixture
def modern(tmp_path: Path) -> Iterator[Http2Simulator]:
    with Http2Simulator(tmp_path) as simulator:
        for index in range(60):
            simulator.publish(f"a{index}", "1.0.0", manifest={"description": f"{index}" * 20_000})
        yield simulator


def all_of(server: Http2Simulator) -> list[Answer | Missing]:
    """Ask for the packument of every package, all at once."""

    async def ask(one: Registry) -> list[Answer | Missing]:
        return await asyncio.gather(*(one.packument(server.url, name) for name in server.packuments))

    return run(ask, ca_file=str(server.ca_file))


def test_one_connection_carries_everything(modern: Http2Simulator) -> None:
    found = all_of(modern)
    assert [json.loads(one.body)["name"] for one in found if isinstance(one, Answer)] == list(modern.packuments)
    assert modern.connections == 1
    assert len(modern.requests) == 60


def test_tarballs_come_over_http_1(modern: Http2Simulator) -> None:
    """A large body costs HTTP/2 more than it gains."""

    async def ask(one: Registry) -> list[object]:
        await one.packument(modern.url, "a1")
        return [await one.tarball(modern.url, modern.origin + modern.tarball_path("a1", "1.0.0"))]

    assert run(ask, ca_file=str(modern.ca_file)) == [modern.blobs[modern.tarball_path("a1", "1.0.0")]]
    word, tarball = modern.requests
    assert ":path" in word.headers
    assert "host" in tarball.headers
    assert modern.connections == 2


GOAWAY = b"\0\0\x08\x07\0\0\0\0\0" + bytes(8)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(drop=True), id="the connection is lost, with all that it carried"),
        pytest.param(ConnectionFault(goaway=True), id="the server is restarted"),
        pytest.param(Fault(truncate=10), id="a stream is reset"),
        pytest.param(ConnectionFault(frames=b"\xff" * 4096), id="no frame"),
        pytest.param(ConnectionFault(frames=b"\0\0\x04\0\0\0\0\0\0abcd"), id="data of no stream"),
        pytest.param(ConnectionFault(frames=b"\0\0\x01\x01\x04\0\0\0\x63\xff"), id="a head of no stream, broken"),
        pytest.param(ConnectionFault(frames=GOAWAY), id="GOAWAY within a body"),
        pytest.param(Fault(status=503), id="overloaded"),
    ],
)
def test_what_is_lost_with_a_connection_is_asked_again(
    modern: Http2Simulator, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35: a fault of the connection that all requests share costs each of them an attempt, and none its answer."""
    monkeypatch.setattr(
        registry, "READ_SECONDS", 1.0
    )  # until then a connection that is no HTTP/2 any more is waited for
    modern.fault("/a7", fault)
    found = all_of(modern)
    assert [one for one in found if isinstance(one, Missing)] == []
    assert len(modern.asked("/a7")) >= 2


def test_a_server_that_breaks_every_connection_is_unreachable(modern: Http2Simulator) -> None:
    """P6"""
    modern.fault("/a7", Fault(drop=True, times=None))
    found = run(lambda one: one.packument(modern.url, "a7"), ca_file=str(modern.ca_file))
    assert missing(found).absence is Absence.UNREACHABLE


def test_a_body_over_the_limit_leaves_the_connection_of_use(
    modern: Http2Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not read to its end takes its share of the connection's window: a new one is made when it is gone."""
    for index in range(3):
        modern.fault(f"/a{index}", Fault(body=bytes(8_000_000), headers={"content-type": "text/plain"}))

    async def ask(one: Registry) -> list[Answer | Missing]:
        return [await one.packument(modern.url, f"a{index}") for index in range(60)]

    monkeypatch.setattr(registry, "MAX_PACKUMENT_BYTES", 1_000_000)
    found = run(ask, ca_file=str(modern.ca_file))
    assert all("over the limit" in missing(one).reason for one in found[:3])
    assert all(isinstance(one, Answer) for one in found[3:])


def test_the_certificate_counts_over_http2_too(modern: Http2Simulator) -> None:
    assert "certificate that is not trusted" in missing(run(lambda one: one.packument(modern.url, "a7"))).reason
