"""An exchange ends, whatever the other side does; the clock that it is measured by is the test's own."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sbomgate.errors import UsageError
from sbomgate.npm import registry
from sbomgate.transport import Transport, open_client

# The server closes after each answer, and has to say so: else the next request may meet the closing.
WHOLE = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def server(pieces: Callable[[], Iterator[bytes]], *, unix: Path | None = None) -> Iterator[str]:
    """Serve on loopback, or a unix socket: each connection gets these pieces, until its client goes away."""
    listener = socket.create_server(("127.0.0.1", 0)) if unix is None else socket.socket(socket.AF_UNIX)
    if unix is not None:
        listener.bind(str(unix))
        listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    for piece in pieces():
                        connection.sendall(piece)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield "http://opa/" if unix else f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def ticking() -> Callable[[], float]:
    """Return a clock that goes on by a second whenever it is looked at."""
    return itertools.count(0.0).__next__


def early_hints() -> Iterator[bytes]:
    for _ in range(1_000_000):
        yield b"HTTP/1.1 103 Early Hints\r\n\r\n"


def long_body() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    for _ in range(1_000_000):
        yield b" "


@pytest.mark.parametrize("pieces", [early_hints, long_body])
def test_P9_an_answer_without_end_ends(pieces: Callable[[], Iterator[bytes]]) -> None:
    """httpx's own limit is for the next piece, and each comes at once."""
    client = httpx.Client(transport=Transport(seconds=8, clock=ticking()))
    with server(pieces) as url, client, pytest.raises(httpx.TimeoutException, match="over its limit"):
        client.get(url)


def test_each_exchange_has_the_whole_limit() -> None:
    now = 0.0
    client = httpx.Client(transport=Transport(seconds=60, clock=lambda: now))
    with server(lambda: iter([WHOLE])) as url, client:
        for _ in range(3):
            assert client.get(url).text == "ok"
            now += 100


def test_a_request_that_nobody_takes_ends() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with listener, httpx.Client(transport=Transport(seconds=2)) as client, pytest.raises(httpx.WriteTimeout):
        client.post(url, content=bytes(64 << 20), timeout=60)


def test_a_unix_socket(tmp_path: Path) -> None:
    client = httpx.Client(transport=Transport(seconds=60, uds=str(tmp_path / "s")))
    with server(lambda: iter([WHOLE]), unix=tmp_path / "s") as url, client:
        assert client.get(url).text == "ok"


def test_through_a_proxy() -> None:
    with server(lambda: iter([WHOLE])) as url:
        client = httpx.Client(transport=Transport(seconds=60, proxy=url))
        with client:
            assert client.get("http://registry.invalid/").text == "ok"


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1", "ftp://127.0.0.1", "nonsense", "http://", ""])
def test_what_is_no_http_proxy_is_refused(url: str) -> None:
    """By every client alike, with the setting that is wrong."""
    for opened in (open_client, registry.open_client):
        with pytest.raises(UsageError, match="HTTPS_PROXY"):
            opened(proxy=url)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_bytes(b"")
    for name in ("empty.pem", "missing.pem"):
        for opened in (open_client, registry.open_client):
            with pytest.raises(UsageError, match="holds no certificates"):
                opened(ca_file=str(tmp_path / name))


def test_errors_are_those_of_httpx() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/"
        with httpx.Client(transport=Transport(seconds=60)) as client, pytest.raises(httpx.ConnectError):
            client.get(url)


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0\r\n", WHOLE[:-1]])
def test_what_is_no_http_is_an_error_of_httpx(garbage: bytes) -> None:
    client = httpx.Client(transport=Transport(seconds=60))
    with server(lambda: iter([garbage])) as url, client, pytest.raises(httpx.RemoteProtocolError):
        client.get(url)
