"""Which requests go to the proxy: all but those to this machine and to what NO_PROXY names."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Iterator

import httpx
import pytest

from sbomgate.npm.registry import open_client
from testkit.registry import Simulator


class Proxy(socketserver.ThreadingTCPServer):
    """Notes the first line of each request, and refuses it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Asked)


class _Asked(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode().strip())
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(url: str, proxy: Proxy, no_proxy: str = "") -> int | None:
    """Return the status of an answer, or None where nobody answers."""

    async def get() -> int | None:
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        async with open_client(proxy=address, no_proxy=no_proxy) as client:
            try:
                return (await client.get(url)).status_code
            except httpx.HTTPError:
                return None

    return asyncio.run(get())


def test_this_machine_is_asked_directly(proxy: Proxy) -> None:
    with Simulator() as registry:
        registry.publish("pad", "1.0.0")
        assert ask(f"{registry.url}pad", proxy) == 200
    assert proxy.asked == []


def test_everybody_else_by_the_proxy(proxy: Proxy) -> None:
    assert ask("http://registry.invalid/pad", proxy) == 403
    assert ask("https://registry.invalid/pad", proxy) is None
    assert proxy.asked == ["GET http://registry.invalid/pad HTTP/1.1", "CONNECT registry.invalid:443 HTTP/1.1"]


def test_what_no_proxy_names_is_not(proxy: Proxy) -> None:
    """`.invalid` is nobody's (RFC 6761): the proxy is not asked, and nobody else answers."""
    assert ask("http://registry.invalid/pad", proxy, "invalid") is None
    assert proxy.asked == []
