"""Which requests go to the proxy: all but those to this machine and to what NO_PROXY names, whoever is asked.

npm's registries, sigstore's services (the same client asks OCI registries, forges, webhooks and mirrors of trust
roots), OPA servers. `.invalid` is nobody's (RFC 6761): where the proxy is not asked, nobody answers.
"""

from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sbomgate import transport
from sbomgate.cli._environment import Environment
from sbomgate.errors import PolicyError, UsageError
from sbomgate.npm import registry
from sbomgate.policy.rest import RestClient
from testkit.refusing_proxy import RefusingProxy, serving
from testkit.registry import Simulator


def network(proxy: str | None, no_proxy: str) -> Environment:
    variables = {"NO_PROXY": no_proxy} | ({} if proxy is None else {"HTTPS_PROXY": proxy})
    return Environment(now=datetime(2026, 4, 1, tzinfo=UTC), variables=variables, working_directory=Path())


def npm(url: str, env: Environment) -> int:
    async def get() -> int:
        async with registry.open_client(**env.network) as client:
            return (await client.get(url)).status_code

    return asyncio.run(get())


def service(url: str, env: Environment) -> int:
    with transport.open_client(**env.network) as client:
        return client.get(url).status_code


def opa(url: str, env: Environment) -> int:
    base, slash, path = url.rpartition("/")
    client = RestClient(base, proxy=env.network["proxy"], no_proxy=env.network["no_proxy"])
    try:
        return client.send("GET", slash + path, accept=(200, 403))[0]
    finally:
        client.close()


CLIENTS: dict[str, Callable[[str, Environment], int]] = {
    "npm's registries": npm,
    "services": service,
    "OPA": opa,
}


@pytest.fixture
def proxy() -> Iterator[RefusingProxy]:
    with serving() as made:
        yield made


def ask(client: str, url: str, proxy: RefusingProxy, no_proxy: str = "") -> int | None:
    """Return the status of an answer, or None where nobody answers."""
    try:
        return CLIENTS[client](url, network(proxy.url, no_proxy))
    except (httpx.HTTPError, PolicyError):
        return None


@pytest.mark.parametrize("client", CLIENTS)
def test_this_machine_is_asked_directly(client: str, proxy: RefusingProxy) -> None:
    with Simulator() as simulator:
        simulator.publish("pad", "1.0.0")
        assert ask(client, f"{simulator.url}pad", proxy) == 200
    assert proxy.asked == []


@pytest.mark.parametrize("client", CLIENTS)
def test_everybody_else_by_the_proxy(client: str, proxy: RefusingProxy) -> None:
    ask(client, "https://server.invalid/pad", proxy)
    assert set(proxy.asked) == {"CONNECT server.invalid:443 HTTP/1.1"}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("no_proxy", ["invalid", "other.example,.server.invalid", "server.invalid:443", "*"])
def test_what_no_proxy_names_is_not(client: str, no_proxy: str, proxy: RefusingProxy) -> None:
    assert ask(client, "https://server.invalid/pad", proxy, no_proxy) is None
    assert proxy.asked == []


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("no_proxy", ["", "other.example", "ver.invalid", "server.invalid:8443"])
def test_what_it_names_otherwise_is(client: str, no_proxy: str, proxy: RefusingProxy) -> None:
    ask(client, "https://server.invalid/pad", proxy, no_proxy)
    assert proxy.asked


def test_what_is_reached_through_a_socket_needs_none(tmp_path: Path, proxy: RefusingProxy) -> None:
    with socketserver.UnixStreamServer(str(tmp_path / "opa"), _Fine) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        client = RestClient("http://opa", socket=tmp_path / "opa", proxy=proxy.url)
        assert client.send("GET", "/health")[0] == 200
        client.close()
        thread.join()
    assert proxy.asked == []


class _Fine(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")


def test_an_opa_server_is_asked_by_a_proxy_or_not_at_all() -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY"):
        RestClient("https://opa.invalid", proxy="socks5://127.0.0.1:1")
