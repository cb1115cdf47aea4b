"""A registry over HTTP: one GET at a time, bounded in bytes, time, redirects and retries.

What goes wrong with one answer is a Missing (PROMISES P35), with a sentence that holds no credential and no query of a
URL (P40). Credentials go only to the registry's own origin; a redirect to another one goes without them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin, urlsplit

from sbomgate.addresses import is_direct, origin, packed_once, place, retry_after, show
from sbomgate.model import Absence, Missing
from sbomgate.npm.auth import Credentials
from sbomgate.npm.tarball import MAX_TARBALL_BYTES

if TYPE_CHECKING:
    import httpx

MAX_PACKUMENT_BYTES = 256 * 1024 * 1024  # unpacked; packages with thousands of versions reach about 100 MB
MAX_ATTESTATIONS_BYTES = 16 * 1024 * 1024  # a document is about 25 kB
MAX_URL = 8192  # characters
MAX_REDIRECTS = 5
MAX_ATTEMPTS = 4  # the first and three more
MAX_RETRY_AFTER_SECONDS = 60.0  # a registry that asks for more is down for this run
MAX_FAILURES = 20  # third attempts in a row; then a registry is down for this run, and nobody waits for the rest
BACKOFF_SECONDS = (0.5, 1.0, 2.0)  # no jitter: the same run is the same
CONCURRENCY = 24  # requests at once; npm uses 15 connections per host, browsers 6
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0  # between two pieces of an answer
TOTAL_SECONDS = 300.0  # one answer; a body that never ends stops here

_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_JSON = "application/json"
_BULK = "sbomgate.bulk"  # marks a request for a tarball to the client's transport
_ETAG = re.compile(r"[\x21-\x7e]{1,512}")  # what may be sent back (RFC 9110, 8.8.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A registry's answer: status 200, 304 or 404, the body within its limit, and the ETag."""

    status: int
    body: bytes
    etag: str | None


def open_client(*, ca_file: str | None = None, proxy: str | None = None, no_proxy: str = "") -> httpx.AsyncClient:
    """Return the HTTP client that a `Registry` uses: for all but tarballs HTTP/2 where it is served, else HTTP/1.1.

    It reads no environment: certificates and proxy are arguments.

    Args:
        ca_file: PEM file of certificate authorities to trust beside the system's and certifi's.
        proxy: URL of an HTTP proxy; this machine itself is asked directly.
        no_proxy: what else is (`addresses.is_direct`).

    Raises:
        UsageError: the file holds no certificates, or that is not the URL of an HTTP proxy.
    """
    import httpx

    from sbomgate import tls
    from sbomgate.transport import http_proxy

    context = tls.public_context(ca_file)
    by_proxy = None if proxy is None else http_proxy(proxy)
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)

    class Transport(httpx.AsyncBaseTransport):
        """HTTP/2 for many small answers, HTTP/1.1 for tarballs: each where it was measured to be the faster."""

        def __init__(self, proxy: httpx.Proxy | None) -> None:
            self._small, self._bulk = (
                httpx.AsyncHTTPTransport(verify=context, proxy=proxy, limits=limits, trust_env=False, http2=http2)
                for http2 in (True, False)
            )

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return await (self._bulk if _BULK in request.extensions else self._small).handle_async_request(request)

        async def aclose(self) -> None:
            await self._small.aclose()
            await self._bulk.aclose()

    class Proxied(Transport):
        """Asks a proxy, and directly what it is not asked for."""

        def __init__(self, proxy: httpx.Proxy) -> None:
            super().__init__(proxy)
            self._direct = Transport(None)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if is_direct(str(request.url), no_proxy):
                return await self._direct.handle_async_request(request)
            return await super().handle_async_request(request)

        async def aclose(self) -> None:
            await self._direct.aclose()
            await super().aclose()

    return httpx.AsyncClient(
        transport=Transport(None) if by_proxy is None else Proxied(by_proxy),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=None),
    )


class Registry:
    """The registries of one run, seen through one client."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        credentials: Credentials,
        *,
        now: datetime,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        concurrency: int = CONCURRENCY,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """Use `client`, send `credentials` where they belong; `now` is what a Retry-After date is compared with."""
        self._client = client
        self._credentials = credentials
        self._now = now
        self._sleep = sleep
        self._slots = asyncio.Semaphore(concurrency)
        self._total_seconds = total_seconds
        self._failures: dict[tuple[str, str, int | None], int] = {}  # origin → failed in a row

    async def packument(self, registry: str, name: str, *, etag: str | None = None) -> Answer | Missing:
        """Fetch the full packument of a package; with `etag`, the answer may be 304 without a body."""
        url = packument_url(registry, name)
        answer = await self._get(url, registry, accept=_JSON, limit=MAX_PACKUMENT_BYTES, etag=etag)
        if isinstance(answer, Answer) and answer.status == 404:
            return Missing(absence=Absence.ABSENT, reason=f"the registry has no package {name}")
        return answer

    async def attestations(self, registry: str, url: str) -> bytes | Missing:
        """Fetch the attestation document that a packument advertises."""
        refused = _refuse(url, registry, "the advertised attestations")
        if refused is not None:
            return refused
        answer = await self._get(url, registry, accept=_JSON, limit=MAX_ATTESTATIONS_BYTES)
        if isinstance(answer, Missing):
            return answer
        if answer.status == 404:
            reason = f"the registry advertises attestations at {show(url)} and does not have them"
            return Missing(absence=Absence.ADVERTISED_MISSING, reason=reason)
        return answer.body

    async def tarball(self, registry: str, url: str) -> bytes | Missing:
        """Fetch a tarball; its bytes are not verified here."""
        refused = _refuse(url, registry, "the tarball")
        if refused is not None:
            return refused
        answer = await self._get(url, registry, accept="*/*", limit=MAX_TARBALL_BYTES, packed=False)
        if isinstance(answer, Missing):
            return answer
        if answer.status == 404:
            return Missing(absence=Absence.ADVERTISED_MISSING, reason=f"the registry has no tarball at {show(url)}")
        return answer.body

    async def _get(
        self, url: str, registry: str, *, accept: str, limit: int, etag: str | None = None, packed: bool = True
    ) -> Answer | Missing:
        """GET with retries; never raises for anything that the other side does."""
        refused = _refuse(url, registry, "it")
        if refused is not None:
            return refused
        headers = {"accept": accept, "accept-encoding": "gzip" if packed else "identity"}
        if etag is not None:
            headers["if-none-match"] = etag
        home = origin(registry)
        wait = 0.0
        why = ""
        for attempt in range(MAX_ATTEMPTS):
            if wait:
                await self._sleep(wait)
            async with self._slots:  # not held while waiting: a slow package does not slow the others
                if self._failures.get(home, 0) >= MAX_FAILURES:
                    return _unreachable(url, f"is not asked: {MAX_FAILURES} requests in a row to this registry failed")
                outcome = await self._once(url, registry, headers, limit)
            if not isinstance(outcome, _Again):
                self._failures[home] = 0
                return outcome
            # Not counted before the third: a lost connection takes with it all that it carried.
            if outcome.last or (outcome.down and attempt > 1):
                self._failures[home] = self._failures.get(home, 0) + 1
            if outcome.last:
                return _unreachable(url, outcome.why)
            why = outcome.why
            if outcome.after > MAX_RETRY_AFTER_SECONDS:
                return _unreachable(url, f"{why}, and asks to wait {outcome.after:.0f} s")
            wait = max(outcome.after, BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
        return _unreachable(url, f"{why} ({MAX_ATTEMPTS} attempts)")

    async def _once(self, url: str, registry: str, headers: dict[str, str], limit: int) -> Answer | Missing | _Again:
        import httpx
        from anyio import EndOfStream
        from h2.exceptions import H2Error

        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._follow(url, registry, headers, limit)
        except TimeoutError:
            return _Again(f"did not end within {self._total_seconds:.0f} s", last=True)
        except httpx.TimeoutException:
            return _Again("did not answer in time")
        except httpx.DecodingError:
            return _malformed(url, "is not in the encoding that it says")
        except httpx.ConnectError as e:
            from sbomgate import tls

            # What an error says may name anything: it is not shown.
            if tls.is_untrusted(e):
                return _unreachable(url, "shows a certificate that is not trusted")
            return _Again("cannot be connected to")
        except (httpx.TransportError, H2Error, EndOfStream):  # httpcore lets the other two out, over HTTP/2
            return _Again("broke off the connection")
        except (httpx.InvalidURL, httpx.HTTPError, UnicodeError, ValueError):
            return _unreachable(url, "is not a URL that can be asked")

    async def _follow(self, url: str, registry: str, headers: dict[str, str], limit: int) -> Answer | Missing | _Again:
        current = url
        extensions = {_BULK: True} if headers["accept-encoding"] == "identity" else {}
        for _ in range(MAX_REDIRECTS + 1):
            sent = dict(headers)
            # (1) credentials only to the registry's own scheme, host and port
            if origin(current) == origin(registry):
                authorization = self._credentials.header(current, registry)
                if authorization is not None:
                    sent["authorization"] = authorization
            async with self._client.stream("GET", current, headers=sent, extensions=extensions) as response:
                status = response.status_code
                if status in _REDIRECTS:
                    location = response.headers.get("location", "")
                    following = urljoin(current, location)
                    # (2) a redirect leads neither out of TLS nor into this machine
                    problem = _refuse_address(following, registry)
                    if not location or problem:
                        return _unreachable(current, f"redirects to {show(following)}, which {problem or 'is nowhere'}")
                    current = following
                    continue
                if status in _RETRIED_STATUS:
                    after = retry_after(response.headers.get("retry-after"), self._now)
                    return _Again(f"answers {status}", after, down=status >= 500)
                if status in (401, 403):
                    hint = (
                        "is the token in .npmrc right" if "authorization" in sent else "does it need a token in .npmrc"
                    )
                    return _unreachable(current, f"answers {status}: {hint}?")
                if status not in (200, 304, 404) or (status == 304 and "if-none-match" not in headers):
                    return _unreachable(current, f"answers {status}")
                if status != 200:
                    return Answer(status=status, body=b"", etag=None)
                return await _body(response, current, limit)
        return _unreachable(url, f"redirects more than {MAX_REDIRECTS} times")


@dataclass(frozen=True, slots=True)
class _Again:
    """Worth another attempt: why, after how many seconds at least, and whether the registry may be down.

    `last`: it took so long that there is none; a registry of which every answer drips is down as well.
    """

    why: str
    after: float = 0.0
    down: bool = True  # being asked to slow down does not
    last: bool = False


async def _body(response: httpx.Response, url: str, limit: int) -> Answer | Missing:
    """Read the body, counted as it arrives: the header that states its length proves nothing."""
    if not packed_once(response.headers.get("content-encoding")):
        return _malformed(url, "is in an encoding that nobody asked for")
    pieces = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > limit:
            return _malformed(url, f"is over the limit of {limit:,} bytes")
        pieces.append(piece)
    etag = response.headers.get("etag")
    return Answer(status=200, body=b"".join(pieces), etag=etag if etag and _ETAG.fullmatch(etag) else None)


def packument_url(registry: str, name: str) -> str:
    """Return the URL of a packument: the slash of a scoped name is escaped, as npm does."""
    return f"{_slash(registry)}{quote(name, safe='@')}"


def tarball_url(registry: str, name: str, version: str) -> str:
    """Return the URL that npm's registry gives a tarball, in `registry`."""
    base = name.rpartition("/")[2]
    return f"{_slash(registry)}{quote(name, safe='@/')}/-/{quote(f'{base}-{version}', safe='')}.tgz"


def same_origin(url: str, registry: str) -> bool:
    """Whether a URL has the scheme, host and port of the registry, and no user info."""
    try:
        return origin(url) == origin(registry) and urlsplit(url).username is None
    except ValueError:
        return False


def _slash(registry: str) -> str:
    return registry if registry.endswith("/") else registry + "/"


def _refuse(url: str, registry: str, what: str) -> Missing | None:
    if not url or len(url) > MAX_URL:
        return Missing(absence=Absence.UNREACHABLE, reason=f"{what}: no usable URL")
    problem = _refuse_address(url, registry)
    if problem:
        return Missing(absence=Absence.UNREACHABLE, reason=f"{what} at {show(url)} is not fetched: it {problem}")
    if not same_origin(url, registry):
        reason = f"{what} at {show(url)} is not fetched: it is not on the registry {show(registry)}"
        return Missing(absence=Absence.UNREACHABLE, reason=reason)
    return None


def _refuse_address(url: str, registry: str) -> str:
    """Return why `url` must not be asked, or ""."""
    try:
        scheme, host, _ = origin(url)
        _, home, _ = origin(registry)
    except ValueError:
        return "is no URL"
    if scheme not in ("http", "https"):
        return "is neither http nor https"
    if not host:
        return "has no host"
    if place(host) == "link-local":
        return "is the address of this network's own services"
    if place(host) == "loopback":
        return "" if place(home) == "loopback" else "is this machine itself"
    if place(host) == "private" and place(home) != "private":
        return "is an address of a private network"
    if scheme == "http":
        return "is not protected by TLS"
    return ""


def _unreachable(url: str, why: str) -> Missing:
    return Missing(absence=Absence.UNREACHABLE, reason=f"{show(url)} {why}")


def _malformed(url: str, why: str) -> Missing:
    return Missing(absence=Absence.MALFORMED, reason=f"{show(url)} {why}")
