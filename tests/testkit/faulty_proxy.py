"""A proxy before a real server that spoils answers as networks, load balancers and portals do.

    with FaultyProxy("http://127.0.0.1:5000") as proxy:
        proxy.spoil(FAULTS["ends in the body"], lambda one: one.path == "/left-pad")
        ... proxy.url, proxy.asked, proxy.spoilt; proxy.outlasted: whose client would have waited for ever

A fault is a function of one exchange: it may pass the request on (`Exchange.real`), send any bytes, reset the
connection, or wait until the client goes away. When it returns, the connection ends.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Final, Self
from urllib.parse import urlsplit

PATIENCE_SECONDS = 60.0  # a client that has not gone away by then has no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that arrived: `number` counts those of the proxy, from 0."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The real server's answer; names of headers are in lower case, what is about its length is left out."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self, *more: str, version: str = "1.1") -> bytes:
        """Return the status line and the headers, `more` of them last, with the blank line."""
        lines = [f"HTTP/{version} {self.status} Said", *(f"{name}: {value}" for name, value in self.headers), *more]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def whole(self, *more: str) -> bytes:
        """Return it as it should be sent, with `more` headers."""
        return self.head(f"content-length: {len(self.body)}", *more) + self.body


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request, and how it is answered."""

    request: Request
    upstream: str
    rewrite: tuple[bytes, bytes]
    connection: socket.socket
    ending: threading.Event
    earlier: list[Answer]
    outlasted: list[Request]

    def real(self) -> Answer:
        """Pass the request on and return the real answer, with the proxy's address in place of the server's."""
        headers = {name: value for name, value in self.request.headers.items() if name not in _HOP}
        client = _Connection(self.upstream)
        with contextlib.closing(client):
            client.request(self.request.method, self.request.path, self.request.body or None, headers)
            said = client.getresponse()
            found = Answer(
                status=said.status,
                headers=tuple(
                    (name.lower(), value.replace(self.rewrite[0].decode(), self.rewrite[1].decode()))
                    for name, value in said.getheaders()
                    if name.lower() not in _HOP
                ),
                body=said.read().replace(*self.rewrite),
            )
        self.earlier.append(found)
        return found

    def send(self, data: bytes) -> None:
        """Send bytes; a client that is gone is not told."""
        self.connection.sendall(data)

    def reset(self) -> None:
        """End the connection with a reset: what was sent may be lost."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def drip(self, data: bytes, *, again: bool = False, seconds: float = 0.01) -> None:
        """Send a byte at a time, until the client goes away; `again` and again."""
        waited = 0.0
        while waited < PATIENCE_SECONDS:
            for at in range(len(data)):
                self.send(data[at : at + 1])
                waited += seconds
                if self.ending.wait(seconds):
                    return
            if not again:
                return
        self.outlasted.append(self.request)

    def wait(self) -> None:
        """Say nothing until the client goes away."""
        self.connection.settimeout(PATIENCE_SECONDS)
        try:
            while self.connection.recv(65536) and not self.ending.is_set():
                pass
        except TimeoutError:
            self.outlasted.append(self.request)


_HOP = frozenset({"connection", "content-length", "transfer-encoding", "accept-encoding", "host", "keep-alive", "date"})
Fault = Callable[[Exchange], None]


class _Connection(http.client.HTTPConnection):
    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        super().__init__(parts.hostname or "localhost", parts.port or 80, timeout=PATIENCE_SECONDS)
        self._socket = parts.path if parts.scheme == "unix" else ""

    def connect(self) -> None:
        if not self._socket:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._socket)


class FaultyProxy:
    """The proxy. A context manager: it serves in threads while it is open."""

    def __init__(self, upstream: str, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        """Pass requests on to `upstream` (`http://HOST:PORT`, `unix:///PATH`); with `tls`, speak that to clients."""
        self._upstream = upstream
        self._tls = tls
        self._listener = socket.create_server((host, 0), backlog=128)
        self.url = f"{'http' if tls is None else 'https'}://{host}:{self._listener.getsockname()[1]}"
        self._rewrite = (upstream.encode(), self.url.encode())
        self._faults: list[tuple[Fault, Callable[[Request], bool]]] = []
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self.asked: list[Request] = []
        self.spoilt: list[Request] = []
        self.outlasted: list[Request] = []
        self._earlier: list[Answer] = []

    @property
    def host(self) -> str:
        """HOST:PORT."""
        return self.url.partition("://")[2]

    def spoil(self, fault: Fault, which: Callable[[Request], bool] = lambda _: True) -> None:
        """Let answers to requests that match go wrong, from now on; the first fault that matches counts."""
        self._faults.append((fault, which))

    def mend(self) -> None:
        """Pass everything on from now on, and forget what was asked."""
        with self._lock:
            self._faults.clear()
            self.asked.clear()
            self.spoilt.clear()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            held = list(self._open)
        for one in held:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()

    def _start(self, what: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True)
            except OSError:
                connection.close()
                return
        with self._lock:
            self._open.add(connection)
        try:
            with connection.makefile("rb") as reader:
                while not self._ending.is_set() and (request := self._read(reader)) is not None:
                    exchange = Exchange(
                        request=request,
                        upstream=self._upstream,
                        rewrite=self._rewrite,
                        connection=connection,
                        ending=self._ending,
                        earlier=self._earlier,
                        outlasted=self.outlasted,
                    )
                    fault = next((fault for fault, which in self._faults if which(request)), None)
                    if fault is None:
                        exchange.send(exchange.real().whole())
                        continue
                    self.spoilt.append(request)
                    fault(exchange)
                    break
        except (OSError, http.client.HTTPException, ValueError):
            pass  # whoever has enough goes away
        finally:
            with self._lock:
                self._open.discard(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _read(self, reader: IO[bytes]) -> Request | None:
        line = reader.readline(65537).split()
        if len(line) != 3:
            return None
        found = http.client.parse_headers(reader)
        headers = {name.lower(): value for name, value in found.items()}
        body = reader.read(int(headers.get("content-length", "0")))
        with self._lock:
            request = Request(
                number=len(self.asked), method=line[0].decode(), path=line[1].decode(), headers=headers, body=body
            )
            self.asked.append(request)
        return request


# --------------------------------------------------------------------------------------------------------------------
# What goes wrong


def _sending(data: bytes) -> Fault:
    """Send these bytes in place of any answer; the server is not asked."""
    return lambda one: one.send(data)


def _spoiling(change: Callable[[Answer], bytes]) -> Fault:
    """Send what a function makes of the real answer."""
    return lambda one: one.send(change(one.real()))


def _said(status: int, *headers: str, body: bytes = b'{"error":"no"}') -> Fault:
    return _sending(Answer(status=status, headers=(), body=body).head(*headers, f"content-length: {len(body)}") + body)


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _reset_after(change: Callable[[Answer], bytes]) -> Fault:
    def fault(one: Exchange) -> None:
        one.send(change(one.real()))
        one.reset()

    return fault


def _redirect_to_itself(one: Exchange) -> None:
    one.send(
        f"HTTP/1.1 307 Said\r\nlocation: {one.request.path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
    )


def _redirect_in_a_circle(one: Exchange) -> None:
    path, _, query = one.request.path.partition("?")
    other = f"{path}?{'b' if query == 'a' else 'a'}"
    one.send(f"HTTP/1.1 302 Said\r\nlocation: {other}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())


def _earlier(one: Exchange) -> None:
    """Send the first answer that ever was given here, to whatever request."""
    before = one.earlier[0] if one.earlier else None
    real = one.real()
    one.send((before or real).whole())


def _lost(one: Exchange) -> None:
    one.real()
    one.reset()


def _slow_body(one: Exchange) -> None:
    one.send(one.real().head())
    one.drip(b" ", again=True)


def _stopping(one: Exchange) -> None:
    one.send(one.real().whole()[:-1])
    one.wait()


def _dripped(one: Exchange) -> None:
    data = one.real().whole(_LAST)
    one.drip(data[:200], seconds=0.0)
    one.send(data[200:])


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"


_PAGE = b"<!DOCTYPE html><html><body><form>Log in to the Internet</form></body></html>"
_CHUNKED, _LAST = "transfer-encoding: chunked", "connection: close"


def bomb(size: int) -> bytes:
    """Return zeros of so many bytes, by gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join([*(packer.compress(zeros) for _ in range(size >> 20)), packer.flush()])


BOMB: Final = bomb(8 << 20)

FAULTS: Mapping[str, Fault] = {
    # nothing, or not all of it
    "reset before it is passed on": lambda one: one.reset(),
    "ends without a word": lambda one: None,
    "passed on, and the answer is lost": _lost,
    "reset in the status line": _reset_after(lambda a: a.whole()[:7]),
    "ends in the status line": _spoiling(lambda a: a.whole()[:7]),
    "reset in the header": _reset_after(lambda a: _half(a.head())),
    "ends in the header": _spoiling(lambda a: _half(a.head("content-length: 5"))),
    "reset in the body": _reset_after(lambda a: a.head(f"content-length: {len(a.body) + 1}") + _half(a.body)),
    "ends in the body": _spoiling(lambda a: a.head(f"content-length: {len(a.body) + 1}") + _half(a.body)),
    "ends in the body, and no length was said": _spoiling(lambda a: a.head("connection: close") + _half(a.body)),
    "no body at all": _spoiling(lambda a: a.head("content-length: 0")),
    # lengths
    "a length that is too short": _spoiling(lambda a: a.head(f"content-length: {len(a.body) // 2}") + a.body),
    "a length that is too long": _spoiling(lambda a: a.head(f"content-length: {len(a.body) + 100}") + a.body),
    "two lengths": _spoiling(lambda a: a.head(f"content-length: {len(a.body)}", "content-length: 1") + a.body),
    "a length that is no number": _spoiling(lambda a: a.head("content-length: many") + a.body),
    "a length below zero": _spoiling(lambda a: a.head("content-length: -1") + a.body),
    "a length of forty digits": _spoiling(lambda a: a.head(f"content-length: {'9' * 40}") + a.body),
    # chunks
    "chunks of garbage": _spoiling(lambda a: a.head(_CHUNKED) + b"zz\r\n" + a.body),
    "a chunk below zero": _spoiling(lambda a: a.head(_CHUNKED) + b"-5\r\n" + a.body),
    "the last chunk is missing": _spoiling(lambda a: a.head(_CHUNKED) + _chunked(a.body)[:-5]),
    "a chunk and a length": _spoiling(lambda a: a.head(_CHUNKED, "content-length: 3") + _chunked(a.body)[:-5]),
    "an extension of a chunk that never ends": _spoiling(lambda a: a.head(_CHUNKED) + b"1;" + b"x" * 200_000),
    # statuses
    "500": _said(500),
    "502 with a page": _said(502, "content-type: text/html", body=_PAGE),
    "503, try again in 30 years": _said(503, "retry-after: 999999999"),
    "503, try again in the year 9999": _said(503, "retry-after: Fri, 31 Dec 9999 23:59:59 GMT"),
    "429, try again at no possible time": _said(
        429, "retry-after: Fri, 31 Dec 2027 23:59:59 +99999999999999999999", "date: Thu, 00 Foo 0000 99:99:99 GMT"
    ),
    "429, try again never": _said(429, f"retry-after: {'9' * 5000}"),
    "429, try again before now": _said(429, "retry-after: -1"),
    "429, try again soon": _said(429, "retry-after: soon"),
    "304": _said(304, body=b""),
    "206": _spoiling(lambda a: a.whole().replace(b" 200 ", b" 206 ", 1)),
    "204": _said(204, body=b""),
    "999": _said(999),
    # somewhere else, somebody else
    "redirects to itself": _redirect_to_itself,
    "redirects in a circle": _redirect_in_a_circle,
    "redirects to nowhere": _said(302),
    "redirects to a cloud's own service": _said(302, "location: http://169.254.169.254/latest/meta-data/"),
    "redirects to a URL that is none": _said(302, "location: http://[::1:x/"),
    "a portal's page": _said(200, "content-type: text/html", body=_PAGE),
    "a portal's page that calls itself JSON": _said(200, "content-type: application/json", body=_PAGE),
    "a portal's page as 404": _said(404, "content-type: text/html", body=_PAGE),
    "redirects to a portal": _said(302, "location: https://portal.invalid/login?token=x"),
    "the answer of another request": _earlier,
    # encodings
    "says gzip, and it is not": _spoiling(lambda a: a.head("content-encoding: gzip", "connection: close") + a.body),
    "gzip that ends early": _spoiling(
        lambda a: a.head("content-encoding: gzip", "connection: close") + _half(gzip.compress(a.body))
    ),
    "gzip in gzip": _spoiling(
        lambda a: a.head("content-encoding: gzip, gzip", "connection: close") + gzip.compress(gzip.compress(a.body))
    ),
    "a gzip bomb": _spoiling(lambda a: a.head("content-encoding: gzip", "connection: close") + BOMB),
    "an encoding that nobody knows": _spoiling(lambda a: a.head("content-encoding: zstd", "connection: close") + BOMB),
    # no HTTP
    "a header without end": _sending(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 500_000),
    "a zero byte in the header": _spoiling(lambda a: a.head("x-a: b\0c", f"content-length: {len(a.body)}") + a.body),
    "another protocol": _sending(b"220 mail.example.test ESMTP\r\n"),
    "HTTP/9.9": _spoiling(lambda a: a.head(f"content-length: {len(a.body)}", version="9.9") + a.body),
    "SSH": _sending(b"SSH-2.0-OpenSSH_9.9\r\n"),
}
"""What spoils an answer at once."""


SLOW: Mapping[str, Fault] = {
    "never answers": lambda one: one.wait(),
    "drips its header": lambda one: one.drip(b"HTTP/1.1 200 OK\r\n" + b"x-slow: 1\r\n" * 1000, again=True),
    "drips its body": _slow_body,
    "says that it is coming, again and again": lambda one: one.drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", again=True),
    "stops in the body": _stopping,
}
"""What an exchange without a limit would wait for for ever."""

HARMLESS: Mapping[str, Fault] = {
    "HTTP/1.0": _spoiling(lambda a: a.head(version="1.0") + a.body),
    "HTTP/1.0 with a length": _spoiling(lambda a: a.head(f"content-length: {len(a.body)}", version="1.0") + a.body),
    "no length": _spoiling(lambda a: a.head(_LAST) + a.body),
    "chunks": _spoiling(lambda a: a.head(_CHUNKED, _LAST) + _chunked(a.body)),
    "chunks with extensions and trailers": _spoiling(
        lambda a: (
            a.head(_CHUNKED, _LAST) + _chunked(a.body).replace(b"\r\n", b";a=b\r\n", 1)[:-2] + b"x-trailer: 1\r\n\r\n"
        )
    ),
    "early hints": _spoiling(lambda a: b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + a.whole(_LAST)),
    "a byte at a time": _dripped,
}
"""What is odd and says the same: the result has to be the right one."""
