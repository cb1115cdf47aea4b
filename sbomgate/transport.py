"""An HTTP transport whose exchanges end: connecting, sending, the answer's head and its body share one limit. A leaf.

httpx limits the wait for the next piece. A server that sends one byte of a header, or one more "103 Early Hints", again
and again stays within that limit for ever, and nobody who reads bodies ever gets to count. So the limit is kept where
the bytes come from: a network backend of httpcore's own interface, whose every wait is cut to what is left.

For clients that wait in their own thread (`httpx.Client`); asyncio has `asyncio.timeout`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from sbomgate import tls
from sbomgate.addresses import is_direct
from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0  # Rekor v2 answers when the entry is in the log, seconds later
TOTAL_SECONDS = 120.0  # one whole exchange, however slowly it drips
PIECE_BYTES = 64 << 10  # that are sent between two looks at the clock
MAX_CONNECTIONS = 100  # httpx's own default


def open_client(
    *,
    ca_file: str | None = None,
    proxy: str | None = None,
    no_proxy: str = "",
    total_seconds: float = TOTAL_SECONDS,
    answer_seconds: float = ANSWER_SECONDS,
) -> httpx.Client:
    """Return a client for the services of others: signing, OCI registries, forges, mirrors of trust roots.

    It reads no environment and follows no redirect: a token goes where it was meant to go, and nowhere else.

    Args:
        ca_file: PEM file of certificate authorities to trust beside the system's and certifi's.
        proxy: URL of an HTTP proxy; this machine itself is asked directly.
        no_proxy: what else is (`addresses.is_direct`).
        total_seconds: limit of one exchange.
        answer_seconds: limit of the wait for the next piece of an answer.

    Raises:
        UsageError: the file holds no certificates, or that is not the URL of an HTTP proxy.
    """
    context = tls.public_context(ca_file)
    transport = Transport(seconds=total_seconds, context=context, proxy=proxy, no_proxy=no_proxy)
    timeout = httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS)
    return httpx.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout)


def http_proxy(url: str) -> httpx.Proxy:
    """Return the HTTP proxy at a URL.

    Raises:
        UsageError: the URL is none, or is that of another kind of proxy.
    """
    wrong = UsageError("not the URL of an HTTP proxy", where="HTTPS_PROXY", hint="http://host:port")
    try:
        found = httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL) as e:
        raise wrong from e
    if found.url.scheme not in ("http", "https") or not found.url.host:
        raise wrong
    return found


class Transport(httpx.BaseTransport):
    """HTTP/1.1, directly, through a unix socket or an HTTP proxy; nothing of the environment is looked at.

    What goes wrong is httpx's own exception; an exchange that is over its limit is a `ReadTimeout` (or `WriteTimeout`,
    `ConnectTimeout`). One thread makes one exchange at a time; several threads may share the transport.
    """

    def __init__(
        self,
        *,
        seconds: float,
        context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        no_proxy: str = "",
        uds: str | None = None,
        retries: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet.

        Args:
            seconds: limit of one exchange, from the first attempt to connect to the last byte of the answer.
            context: how a server is verified.
            proxy: URL of an HTTP proxy; this machine itself is asked directly.
            no_proxy: what else is (`addresses.is_direct`).
            uds: a unix socket to connect to instead.
            retries: of connecting alone, when nothing was sent yet.
            clock: what is measured by.

        Raises:
            UsageError: that is not the URL of an HTTP proxy.
        """
        self._seconds = seconds
        self._clock = clock
        backend = _Backend(clock)
        self._exchange = backend.exchange
        self._no_proxy = no_proxy
        self._direct = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=MAX_CONNECTIONS,
            uds=uds,
            retries=retries,
            network_backend=backend,
        )
        self._proxied: httpcore.HTTPProxy | None = None
        if proxy is None:
            return
        by = http_proxy(proxy)
        self._proxied = httpcore.HTTPProxy(
            proxy_url=_url(by.url),
            proxy_auth=by.raw_auth,
            proxy_headers=by.headers.raw,
            ssl_context=context,
            proxy_ssl_context=by.ssl_context,
            max_connections=MAX_CONNECTIONS,
            retries=retries,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer, its body not read yet."""
        self._exchange.until = self._clock() + self._seconds
        pool = self._direct
        if self._proxied is not None and not is_direct(str(request.url), self._no_proxy):
            pool = self._proxied
        with _translated():
            answer = pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=_url(request.url),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._direct.close()
        if self._proxied is not None:
            self._proxied.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        with _translated():
            self._answer.close()


class _Exchange(threading.local):
    """When the exchange of this thread has to end, by the clock."""

    until: float = float("inf")


class _Backend(httpcore.NetworkBackend):
    def __init__(self, clock: Callable[[], float]) -> None:
        self.exchange = _Exchange()
        self._clock = clock
        self._real = httpcore.SyncBackend()

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        left = self.exchange.until - self._clock()
        if left <= 0:
            raise error("the exchange is over its limit")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = self.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._real.connect_tcp(host, port, left, local_address, socket_options), self)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        left = self.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._real.connect_unix_socket(path, left, socket_options), self)

    def sleep(self, seconds: float) -> None:
        self._real.sleep(self.left(seconds, httpcore.ConnectTimeout))


class _Stream(httpcore.NetworkStream):
    def __init__(self, real: httpcore.NetworkStream, backend: _Backend) -> None:
        self._real = real
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._real.read(max_bytes, self._backend.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), PIECE_BYTES):
            self._real.write(buffer[at : at + PIECE_BYTES], self._backend.left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._backend.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._real.start_tls(ssl_context, server_hostname, left), self._backend)

    def close(self) -> None:
        self._real.close()

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)


def _url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Let httpx's exception of the same name out for httpcore's."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as e:
        raise getattr(httpx, type(e).__name__)(str(e)) from e
