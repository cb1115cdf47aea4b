"""The services that sign may be down, wrong or hostile: nothing is believed, nothing waits for ever, no token leaks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sbomgate import transport
from sbomgate.errors import SigningError, TrustError
from sbomgate.model import LOGGED, TIMESTAMPED
from sbomgate.provenance import shipped
from sbomgate.signing import services
from sbomgate.signing.keyless import Keyless
from sbomgate.signing.services import Services, SigningConfig
from testkit.http2 import tls_context

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOKEN = f"eyJhbGciOiJSUzI1NiJ9.{'canary' * 20}.{'c2ln' * 20}"


def service(url: str, version: int = 1, start: str = "2025-01-01T00:00:00Z", end: str | None = None) -> dict[str, Any]:
    window = {"start": start} | ({} if end is None else {"end": end})
    return {"url": url, "majorApiVersion": version, "validFor": window, "operator": "acme"}


def config(**changes: Any) -> bytes:
    value = {
        "mediaType": services.MEDIA_TYPE,
        "caUrls": [service("https://fulcio.acme.example/")],
        "rekorTlogUrls": [service("https://one.acme.example"), service("https://two.acme.example", 2)],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": [service("https://tsa.acme.example/api/v1/timestamp"), service("https://tsb.acme.example")],
        "tsaConfig": {"selector": "ANY"},
    }
    return json.dumps({k: v for k, v in {**value, **changes}.items() if v is not None}).encode()


def test_the_public_configuration_is_shipped_and_can_be_read() -> None:
    data = shipped.read("signing_config.json", shipped.SIGNING_CONFIG_SHA256)
    found = services.parse(data, now=NOW)
    assert found.ca == "https://fulcio.sigstore.dev"
    assert found.log == ("https://rekor.sigstore.dev", 1)
    assert found.authorities == ("https://timestamp.sigstore.dev/api/v1/timestamp",)


def test_the_newer_log_and_as_many_authorities_as_are_wanted() -> None:
    found = services.parse(config(), now=NOW)
    assert found == SigningConfig(
        ca="https://fulcio.acme.example",
        log=("https://two.acme.example", 2),
        authorities=("https://tsa.acme.example/api/v1/timestamp",),
    )
    for selector in ({"selector": "ALL"}, {"selector": "EXACT", "count": 2}):
        assert len(services.parse(config(tsaConfig=selector), now=NOW).authorities) == 2


def test_only_what_is_in_use_and_known_counts() -> None:
    old = service("https://old.acme.example", 2, end="2026-01-01T00:00:00Z")
    next_year = service("https://next.acme.example", 2, start="2027-01-01T00:00:00Z")
    unknown = service("https://three.acme.example", 3)
    found = services.parse(
        config(rekorTlogUrls=[old, next_year, unknown, service("https://one.acme.example")]), now=NOW
    )
    assert found.log == ("https://one.acme.example", 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "JSON", id="empty"),
        pytest.param(b"[]", "media type", id="array"),
        pytest.param(config(mediaType="application/vnd.dev.sigstore.signingconfig.v0.9+json"), "media type", id="P7"),
        pytest.param(config().replace(b'"caUrls"', b'"tsaConfig": {}, "caUrls"'), "twice", id="P1 a key twice"),
        pytest.param(config(caUrls=[service("http://fulcio.acme.example")]), "https", id="not https"),
        pytest.param(config(caUrls=[service("http://127.0.0.1.acme.example")]), "https", id="not loopback"),
        pytest.param(config(caUrls=[service("file:///etc/passwd")]), "https", id="a file"),
        pytest.param(config(caUrls=[service("https://user@fulcio.acme.example")]), "user", id="a user"),
        pytest.param(config(caUrls=[{"url": "https://x.example"}]), "validFor", id="no period"),
        pytest.param(config(caUrls=[service("https://x.example", start="2025-01-01T00:00:00")]), "zone", id="no zone"),
        pytest.param(config(caUrls=5), "not a signing", id="a number"),
        pytest.param(config(rekorTlogConfig={"selector": "ALL"}), "more than one log", id="two log entries"),
        pytest.param(config(tsaConfig={"selector": "EXACT", "count": 3}), "3 timestamps", id="too few authorities"),
        pytest.param(config(tsaConfig={"selector": "EXACT"}), "selector", id="no count"),
        pytest.param(config(tsaConfig={"selector": "SOME"}), "selector", id="unknown selector"),
        pytest.param(config(caUrls=[], rekorTlogUrls=[], tsaUrls=[]), "no service", id="nothing in it"),
        pytest.param(b'{"x":"' + b"y" * services.MAX_CONFIG_BYTES + b'"}', "limit", id="too large"),
    ],
)
def test_any_other_configuration_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(TrustError, match=says):
        services.parse(data, now=NOW)


def test_a_keyless_signer_needs_services_that_prove_a_time() -> None:
    whole = services.parse(config(), now=NOW)
    with transport.open_client() as client:
        assert Keyless(Services(whole, client), lambda: TOKEN).time_source == TIMESTAMPED
        logged = SigningConfig(ca=whole.ca, log=("https://one.acme.example", 1), authorities=())
        assert Keyless(Services(logged, client), lambda: TOKEN).time_source == LOGGED
        for lacking in (
            SigningConfig(ca=None, log=whole.log, authorities=whole.authorities),
            SigningConfig(ca=whole.ca, log=None, authorities=whole.authorities),
            SigningConfig(ca=whole.ca, log=whole.log, authorities=()),
        ):
            with pytest.raises(SigningError):
                Keyless(Services(lacking, client), lambda: TOKEN)


# --------------------------------------------------------------------------------------------------------------------
# Over HTTP


@dataclass
class Server:
    """A server on loopback that answers what a test says, and remembers what it was asked."""

    answer: Callable[[str, bytes], tuple[int, dict[str, str], bytes]]
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(lambda _path, _body: (500, {}, b""))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.asked.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, headers, data = found.answer(self.path, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:
                return

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        found.url = f"http://127.0.0.1:{http.server_address[1]}"
        yield found
        http.shutdown()


@pytest.fixture
def asking(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setattr(services, "PAUSES", (0.0, 0.0))
    with transport.open_client() as client:
        yield Services(SigningConfig(ca=server.url, log=(server.url, 2), authorities=(server.url,)), client)


JSON = {"Content-Type": "application/json"}
BAD_ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "not JSON": (200, JSON, b"<html>"),
    "empty": (200, JSON, b""),
    "null": (200, JSON, b"null"),
    "an array": (200, JSON, b"[]"),
    "no certificate": (201, JSON, b'{"signedCertificateEmbeddedSct":{"chain":{"certificates":[]}}}'),
    "text": (201, JSON, b'{"signedCertificateEmbeddedSct":{"chain":{"certificates":["x"]}}}'),
    "a detached timestamp": (201, JSON, b'{"signedCertificateDetachedSct":{"chain":{"certificates":["x"]}}}'),
    "a key twice": (201, JSON, b'{"signedCertificateEmbeddedSct":{},"signedCertificateEmbeddedSct":{}}'),
    "a megabyte": (201, JSON, b'"' + b"x" * services.MAX_ANSWER_BYTES + b'"'),
    "no content": (204, JSON, b""),
    "refused": (403, JSON, b'{"message":"there was an error"}'),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_what_is_no_certificate_is_refused_at_once(server: Server, asking: Services, name: str) -> None:
    server.answer = lambda _path, _body: BAD_ANSWERS[name]
    with pytest.raises(SigningError) as e:
        asking.certificate(TOKEN, b"request")
    assert e.value.where.startswith(server.url)
    assert server.asked == ["/api/v2/signingCert"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"a":1,"b":2}', b'{"uuid":{"verification":{}}}'])
def test_what_is_no_log_entry_is_refused(server: Server, asking: Services, version: int, answer: bytes) -> None:
    server.answer = lambda _path, _body: (201, JSON, answer)
    asked = Services(SigningConfig(ca=None, log=(server.url, version), authorities=()), asking.client)
    if version == 2 and answer.startswith(b"{"):
        assert asked.entry(b"payload", b"signature", b"certificate") == {}  # the steps judge what is known of it
        return
    with pytest.raises(SigningError):
        asked.entry(b"payload", b"signature", b"certificate")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_one_that_is_down_for_the_moment_is_asked_again(server: Server, asking: Services, status: int) -> None:
    left = [status, status, 200]
    server.answer = lambda _path, _body: (left.pop(0), {}, b"answer")
    assert asking.timestamps(b"signature") == (b"answer",)
    assert len(server.asked) == 3
    left = [status] * 3
    with pytest.raises(SigningError, match=f"is down: HTTP {status}"):
        asking.timestamps(b"signature")


def test_one_that_cannot_be_reached_says_so(asking: Services) -> None:
    nobody = Services(SigningConfig(ca="http://127.0.0.1:1", log=None, authorities=()), asking.client)
    with pytest.raises(SigningError, match="cannot be reached"):
        nobody.certificate(TOKEN, b"request")


def test_P40_a_redirect_does_not_take_the_token_elsewhere(server: Server, asking: Services) -> None:
    server.answer = lambda _path, _body: (307, {"Location": f"{server.url}/elsewhere"}, b"")
    with pytest.raises(SigningError, match="HTTP 307"):
        asking.certificate(TOKEN, b"request")
    assert server.asked == ["/api/v2/signingCert"]


def test_P40_a_refusal_that_repeats_the_token_does_not_show_it(server: Server, asking: Services) -> None:
    server.answer = lambda _path, body: (
        400, JSON, b'{"message":"bad token ' + json.loads(body)["credentials"]["oidcIdentityToken"].encode() + b'"}'
    )  # fmt: skip
    with pytest.raises(SigningError, match="bad token") as e:
        asking.certificate(TOKEN, b"request")
    assert "canary" not in str(e.value)


def test_the_timestamp_is_asked_for_the_digest_alone(server: Server, asking: Services) -> None:
    bodies: list[bytes] = []
    server.answer = lambda _path, body: (bodies.append(body) or 200, {}, b"answer")  # type: ignore[func-returns-value]
    asking.timestamps(b"a signature")
    assert b"a signature" not in bodies[0]


def test_a_certificate_that_is_not_trusted_is_no_outage(tmp_path: Path) -> None:
    """A private sigstore is certified by its own authority: to wait until it is up would be the wrong advice."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = tls_context(tmp_path / "tls.crt", tmp_path / "tls.key", protocol="http/1.1")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        asked = services.parse(config(tsaUrls=[service(f"https://127.0.0.1:{server.server_port}")]), now=NOW)
        with transport.open_client() as client, pytest.raises(SigningError, match="not trusted") as e:
            Services(asked, client).timestamps(b"signature")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert "NODE_EXTRA_CA_CERTS" in e.value.hint
