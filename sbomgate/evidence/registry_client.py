"""One repository of an OCI registry over HTTP: blobs, manifests and referrers (OCI distribution specification 1.1).

Every answer is bounded in bytes, time, redirects and retries, and what is asked for by its digest is hashed before it
is returned. Credentials go to the registry's own origin alone; http is spoken with this machine only. Nothing here
knows what evidence is: that is `evidence.registry`.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from sbomgate import __version__, dsse, tls
from sbomgate.addresses import LOCAL, http_date, origin, place, retry_after, show
from sbomgate.errors import EvidenceError, FetchError, UsageError
from sbomgate.evidence.registry_auth import DOCKER_HUB, MAX_TOKEN_BYTES, Account, Login
from sbomgate.subject import MANIFEST_MEDIA_TYPE, REPOSITORY, canonical

if TYPE_CHECKING:
    import httpx

MAX_MANIFEST_BYTES = (
    4 << 20
)  # what registries take at least, and most take at most (specification, "Pushing manifests")
MAX_LIST_BYTES = 8 << 20  # one page of referrers: about 15,000
MAX_PAGES = 100  # of referrers
MAX_TAGS = 100_000  # of a repository: the builds of ten years
MAX_REFERRERS = 20_000  # of one build: 5,000 decisions
MAX_ERROR_BYTES = 16 << 10  # what is read of an error's own words
MAX_ATTEMPTS = 4  # the first and three more
MAX_RETRY_AFTER_SECONDS = 60.0  # a registry that asks for more is down for this run
BACKOFF_SECONDS = (0.5, 1.0, 2.0)  # no jitter: the same run is the same
MAX_REDIRECTS = 5
MAX_LOGINS = 2  # new tokens for one request
TOTAL_SECONDS = 600.0  # one answer: a body that never ends stops here
SINGLE_BYTES = 64 << 10  # up to here a blob is sent with the first request: cheaper than to ask whether it is there
CHUNKED_ABOVE_BYTES = 32 << 20  # proxies before registries refuse larger bodies
CHUNK_BYTES = 8 << 20  # some stores behind registries want parts of 5 MiB at least
MAX_CHUNK_BYTES = 64 << 20  # that a registry may ask for

INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
_NOW = {"cache-control": "no-cache"}  # of what has no digest: a cache on the way may hold what was there yesterday
_MANIFESTS = (
    INDEX_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_REFERRERS = frozenset({400, 404, 405, 406})  # how registries say that they do not know the API
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CODE = re.compile(r"[A-Z][A-Z_]{1,39}")
_NEXT = re.compile(r'<([^>]{1,8192})>\s*;[^,]*\brel="?next"?')
_MEDIA_TYPE = re.compile(r"[a-z0-9]{1,32}/[A-Za-z0-9!#$&^_.+-]{1,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """HOST/NAME of a repository in a registry."""

    host: str
    name: str

    def __str__(self) -> str:
        """Return HOST/NAME."""
        return f"{self.host}/{self.name}"

    @property
    def is_local(self) -> bool:
        """Whether the registry is this machine: then http is spoken."""
        return urlsplit(f"//{self.host}").hostname in LOCAL

    @property
    def url(self) -> str:
        """Return the base of its API, without a slash at the end."""
        host = "registry-1.docker.io" if self.host == DOCKER_HUB else self.host
        return f"{'http' if self.is_local else 'https'}://{host}/v2/{self.name}"


def repository(text: str) -> Repository:
    """Return the repository that HOST/REPO names.

    Raises:
        UsageError: it names none.
    """
    host, _, name = text.partition("/")
    try:
        fits = REPOSITORY.fullmatch(text) is not None and len(name) <= 255 and urlsplit(f"//{host}").port != 0
    except ValueError:
        fits = False
    if not fits:
        shown = re.sub(r"^[^/]*@", "", text)[:300]  # what stands before an @ may be a password (P40)
        raise UsageError("not HOST/REPO", where=shown, hint="give oci:HOST/REPO, without a tag and a digest")
    return Repository(host=host.lower(), name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: status, headers (lower-case names), and the body within its limit."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What refers to a manifest, as the registry lists it.

    Attributes:
        entries: the descriptors, each with a sha256 digest and a size.
        api: whether the registry knows the referrers API; else they stand under the fallback tag.
        index: that tag's index as it is, or None where there is none.
    """

    entries: tuple[Mapping[str, Any], ...]
    api: bool
    index: Mapping[str, Any] | None = None

    @property
    def digests(self) -> frozenset[str]:
        """The digests of the entries."""
        return frozenset(str(entry["digest"]) for entry in self.entries)


class Client:
    """One repository; its methods may be called from several threads at once.

    Every method raises FetchError where the registry does not answer, refuses, or answers what it must not, and
    EvidenceError where the bytes are not those that were asked for.
    """

    def __init__(
        self,
        http: httpx.Client,
        of: Repository,
        account: Callable[[], Account | None],
        *,
        writes: bool = False,
        sleep: Callable[[float], object] = time.sleep,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """Use `http`, which must follow no redirect and read no environment.

        Args:
            http: as `transport.open_client` makes it.
            of: the repository.
            account: who logs in; asked when the registry wants to know.
            writes: whether to ask for the right to push too.
            sleep: waits before another attempt.
            total_seconds: of one answer.
        """
        self.repository = of
        self._http = http
        self._origin = origin(of.url)
        self._sleep = sleep
        self._total_seconds = total_seconds
        self._single = self._api = True
        actions = "pull,push" if writes else "pull"
        self._login = Login(scope=f"repository:{of.name}:{actions}", account=account, exchange=self._token)

    # ----------------------------------------------------------------------------------------------------------------
    # Reading

    def blob(self, digest: str, *, limit: int) -> bytes | None:
        """Return a blob by its digest (`sha256:…`), or None where there is none."""
        answer = self._get(f"blobs/{digest}", accept="*/*", limit=limit)
        return None if answer is None else self._hashed(answer.body, digest)

    def manifest(self, digest: str) -> bytes | None:
        """Return a manifest by its digest (`sha256:…`), or None where there is none."""
        answer = self._get(f"manifests/{digest}", accept=", ".join(_MANIFESTS), limit=MAX_MANIFEST_BYTES)
        return None if answer is None else self._hashed(answer.body, digest)

    def tags(self) -> tuple[str, ...]:
        """Return the tags of the repository, sorted; none where there is no such repository."""
        url = f"{self.repository.url}/tags/list?n=1000"
        found: set[str] = set()
        for page in range(MAX_PAGES):
            answer = self._ask("GET", url, headers={"accept": "application/json", **_NOW}, limit=MAX_LIST_BYTES)
            if answer.status == 404 and page == 0:
                return ()
            if answer.status != 200:
                raise self._refused(answer, url)
            tags = dsse.loads(answer.body, show(url))
            tags = tags.get("tags") if isinstance(tags, dict) else tags
            if tags is not None:  # some registries have null for an empty list
                if not isinstance(tags, list) or not all(isinstance(tag, str) and TAG.fullmatch(tag) for tag in tags):
                    raise EvidenceError("not a list of tags", where=show(url), place="tags")
                found.update(tags)
            if len(found) > MAX_TAGS:
                raise FetchError(f"lists more than {MAX_TAGS} tags", where=show(url))
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return tuple(sorted(found))
            url = self._allowed(following[1], url, what="goes on with its list")
            if origin(url) != self._origin:
                raise FetchError("lists tags on another host", where=show(url))
        raise FetchError(f"lists tags on more than {MAX_PAGES} pages", where=show(url))

    def tagged(self, tag: str) -> bytes | None:
        """Return the manifest that a tag names now, by the registry's word, or None where there is none."""
        answer = self._get(f"manifests/{tag}", accept=", ".join(_MANIFESTS), limit=MAX_MANIFEST_BYTES)
        return None if answer is None else answer.body

    def referrers(self, digest: str) -> Listing:
        """Return what refers to a manifest: by the referrers API, else by the fallback tag."""
        url = f"{self.repository.url}/referrers/{digest}"
        entries: list[Mapping[str, Any]] = []
        for page in range(MAX_PAGES):
            answer = self._ask("GET", url, headers={"accept": INDEX_MEDIA_TYPE, **_NOW}, limit=MAX_LIST_BYTES)
            if page == 0 and _is_no_api(answer):
                # Once may be somebody on the way, and then the list would be taken for empty.
                if self._api:
                    answer = self._ask("GET", url, headers={"accept": INDEX_MEDIA_TYPE, **_NOW}, limit=MAX_LIST_BYTES)
                if _is_no_api(answer):
                    self._api = False
                    return self._tagged(digest)
            entries += _entries(self._index(answer, url), url)
            if len(entries) > MAX_REFERRERS:
                raise FetchError(f"lists more than {MAX_REFERRERS} referrers", where=show(url))
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return Listing(entries=tuple(entries), api=True)
            url = self._allowed(following[1], url, what="goes on with its list")
            if origin(url) != self._origin:
                raise FetchError("lists referrers on another host", where=show(url))
        raise FetchError(f"lists referrers on more than {MAX_PAGES} pages", where=show(url))

    def _tagged(self, digest: str) -> Listing:
        path = f"manifests/{_tag(digest)}"
        url = f"{self.repository.url}/{path}"
        answer = self._get(path, accept=INDEX_MEDIA_TYPE, limit=MAX_LIST_BYTES)
        if answer is None:
            return Listing(entries=(), api=False)
        index = self._index(answer, url)
        return Listing(entries=tuple(_entries(index, url)), api=False, index=index)

    def _index(self, answer: Answer, url: str) -> Mapping[str, Any]:
        if answer.status != 200:
            raise self._refused(answer, url)
        if _media_type(answer) != INDEX_MEDIA_TYPE:
            raise FetchError(
                f"answers with {_media_type(answer) or 'no media type'}, expected {INDEX_MEDIA_TYPE}", where=show(url)
            )
        found = dsse.loads(answer.body, show(url))
        if not isinstance(found, dict):
            raise EvidenceError("not an OCI index", where=show(url))
        return found

    def _get(self, path: str, *, accept: str, limit: int) -> Answer | None:
        url = f"{self.repository.url}/{path}"
        more = {} if DIGEST.search(path) else _NOW
        answer = self._ask("GET", url, headers={"accept": accept, **more}, limit=limit)
        if answer.status == 404:
            # A portal, or whatever else stands where the registry was: it does not know what the registry holds (P19).
            if _media_type(answer) == "text/html":
                raise FetchError(
                    "answers 404 with a page for people: that is no registry", where=show(url), hint=_LATER
                )
            return None
        if answer.status != 200:
            raise self._refused(answer, url)
        return answer

    def _hashed(self, data: bytes, digest: str) -> bytes:
        got = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if got != digest:
            raise EvidenceError(f"altered: the registry serves {got} for it", where=f"{self.repository}@{digest}")
        return data

    # ----------------------------------------------------------------------------------------------------------------
    # Writing

    def put_blob(self, data: bytes) -> None:
        """Upload a blob, unless it is there."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        start = f"{self.repository.url}/blobs/uploads/"
        if len(data) <= SINGLE_BYTES and self._single:
            # (1) small: with the first request, where the registry knows that; else it answers as to (2)
            url = _with_digest(start, digest)
            answer = self._ask("POST", url, headers=_BYTES, content=data, limit=MAX_ERROR_BYTES)
            if answer.status == 201:
                return
            self._single = False
        else:
            head = self._ask("HEAD", f"{self.repository.url}/blobs/{digest}", headers={}, limit=0)
            if head.status == 200:
                return
            if len(data) > CHUNKED_ABOVE_BYTES:
                self._chunks(start, data, digest)
                return
            answer = self._ask("POST", start, headers=_EMPTY, limit=MAX_ERROR_BYTES)
        # (2) a session, and all bytes at its place
        if answer.status != 202:
            raise self._refused(answer, start)
        url = _with_digest(self._location(answer, start), digest)
        self._created(self._ask("PUT", url, headers=_BYTES, content=data, limit=MAX_ERROR_BYTES), url)

    def _chunks(self, start: str, data: bytes, digest: str) -> None:
        """Upload in pieces; a piece that fails cannot be sent again, so the whole is."""
        for pause in (*BACKOFF_SECONDS, None):
            try:
                answer = self._ask("POST", start, headers=_EMPTY, limit=MAX_ERROR_BYTES)
                if answer.status != 202:
                    raise self._refused(answer, start)
                url, size = self._location(answer, start), _chunk_size(answer)
                for at in range(0, len(data), size):
                    piece = data[at : at + size]
                    headers = {**_BYTES, "content-range": f"{at}-{at + len(piece) - 1}"}
                    answer = self._ask("PATCH", url, headers=headers, content=piece, limit=MAX_ERROR_BYTES, attempts=1)
                    if answer.status != 202:
                        raise self._refused(answer, url)
                    url = self._location(answer, url)
                url = _with_digest(url, digest)
                self._created(self._ask("PUT", url, headers=_EMPTY, limit=MAX_ERROR_BYTES, attempts=1), url)
            except _DownError:
                if pause is None:
                    raise
                self._sleep(pause)
            else:
                return

    def put_manifest(self, data: bytes, *, reference: str = "") -> None:
        """Upload a manifest under its digest, or under a tag as well."""
        url = f"{self.repository.url}/manifests/{reference or f'sha256:{hashlib.sha256(data).hexdigest()}'}"
        if len(data) > MAX_MANIFEST_BYTES:
            raise EvidenceError(
                f"a manifest of {len(data)} bytes; registries take up to {MAX_MANIFEST_BYTES}", where=show(url)
            )
        headers = {"content-type": MANIFEST_MEDIA_TYPE}
        self._created(self._ask("PUT", url, headers=headers, content=data, limit=MAX_ERROR_BYTES), url)

    def put_tag(self, digest: str, entries: Sequence[Mapping[str, Any]]) -> str:
        """Add entries to a manifest's fallback tag, in one write; what stands there stays as it is.

        Others may write at the same time, and the last one wins: whoever calls this reads it again. Where the registry
        refuses the write, as some do while another is going on, it is returned why; else "".
        """
        found = self._tagged(digest)
        lacking = [dict(entry) for entry in entries if entry["digest"] not in found.digests]
        if lacking:
            index = found.index or {"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE}
            data = canonical({**index, "manifests": [*(index.get("manifests") or []), *lacking]})
            url = f"{self.repository.url}/manifests/{_tag(digest)}"
            headers = {"content-type": INDEX_MEDIA_TYPE}
            answer = self._ask("PUT", url, headers=headers, content=data, limit=MAX_ERROR_BYTES)
            if answer.status not in (201, 204):
                return str(self._refused(answer, url))
        return ""

    def _created(self, answer: Answer, url: str) -> None:
        if answer.status not in (201, 204):
            raise self._refused(answer, url)

    def _location(self, answer: Answer, url: str) -> str:
        location = answer.headers.get("location", "")
        if not location:
            raise FetchError("begins an upload and does not say where", where=show(url))
        return self._allowed(location, url)

    # ----------------------------------------------------------------------------------------------------------------
    # One request

    def _ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        limit: int,
        content: bytes = b"",
        attempts: int = MAX_ATTEMPTS,
    ) -> Answer:
        """Ask, and again where the registry is busy or the connection broke; never twice the same without a pause."""
        why = ""
        for attempt in range(attempts):
            after = 0.0
            try:
                answer = self._follow(method, url, headers, content, limit)
            except _BrokenError as e:
                why = str(e)
            else:
                if answer.status not in _AGAIN:
                    return answer
                why = f"answers {answer.status}"
                after = retry_after(answer.headers.get("retry-after"), http_date(answer.headers.get("date")))
            if after > MAX_RETRY_AFTER_SECONDS:
                raise FetchError(f"{why}, and asks to wait {after:.0f} s", where=show(url), hint=_LATER)
            if attempt + 1 < attempts:
                self._sleep(max(after, BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]))
        raise _DownError(f"{why} ({attempts} attempts)", where=show(url), hint=_LATER)

    def _follow(self, method: str, url: str, headers: Mapping[str, str], content: bytes, limit: int) -> Answer:
        current, logins = url, 0
        for _ in range(MAX_REDIRECTS + MAX_LOGINS + 1):
            # (1) credentials only to the registry's own scheme, host and port
            own = origin(current) == self._origin
            authorization = self._login.header if own else None
            sent = dict(headers) if authorization is None else {**headers, "authorization": authorization}
            answer = self._send(method, current, sent, content, limit)
            if answer.status in _REDIRECTS:
                location = answer.headers.get("location", "")
                # (2) what is written goes where a redirect leads only when that repeats the request as it is
                if not location or (method not in ("GET", "HEAD") and answer.status not in (307, 308)):
                    raise FetchError(f"answers {answer.status}, a redirect to nowhere", where=show(current))
                current = self._allowed(location, current)
                continue
            if answer.status == 401 and own and logins < MAX_LOGINS:
                logins += 1
                if self._login.answer(answer.headers.get_list("www-authenticate"), authorization):
                    continue
            if answer.status in (401, 403) and own:
                raise self._denied(answer, current, authorization)
            return answer
        raise FetchError(f"redirects more than {MAX_REDIRECTS} times", where=show(url))

    def _send(self, method: str, url: str, headers: Mapping[str, str], content: bytes, limit: int) -> Answer:
        import httpx

        sent = {"user-agent": f"sbomgate/{__version__}", "accept-encoding": "identity", **headers}
        until = time.monotonic() + self._total_seconds
        try:
            request = self._http.build_request(method, url, headers=sent, content=content or None)
            response = self._http.send(request, stream=True)
            try:
                failed = response.status_code >= 300
                body = bytearray()
                for piece in response.iter_raw():
                    body += piece
                    if len(body) > (MAX_ERROR_BYTES if failed else limit):
                        if failed:
                            break
                        raise FetchError(f"answers more than the limit of {limit} bytes", where=show(url))
                    if time.monotonic() > until:
                        raise FetchError(f"did not end within {self._total_seconds:g} s", where=show(url))
            finally:
                response.close()
        except httpx.TimeoutException as e:
            raise _BrokenError("did not answer in time") from e
        except httpx.ConnectError as e:
            # What an error says may name anything: it is not shown.
            if tls.is_untrusted(e):
                raise FetchError(
                    "shows a certificate that is not trusted", where=show(url), hint="NODE_EXTRA_CA_CERTS adds one"
                ) from e
            raise _BrokenError("cannot be connected to") from e
        except httpx.TransportError as e:
            raise _BrokenError("broke off the connection") from e
        except (httpx.InvalidURL, httpx.HTTPError, UnicodeError) as e:
            raise FetchError("is not a URL that can be asked", where=show(url)) from e
        return Answer(status=response.status_code, headers=response.headers, body=bytes(body))

    def _token(self, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> bytes:
        """Ask a token service. It may be anywhere, but over TLS, and on this machine only for its own registry."""
        self._allowed(url, "", what="sends to a token service")
        content = b""
        if form is not None:
            from urllib.parse import urlencode

            content = urlencode(form).encode()
            headers = {**headers, "content-type": "application/x-www-form-urlencoded"}
        method = "GET" if form is None else "POST"
        for pause in (*BACKOFF_SECONDS[:1], None):
            try:
                answer = self._send(method, url, headers, content, MAX_TOKEN_BYTES)
            except _BrokenError as e:
                if pause is None:
                    raise FetchError(str(e), where=show(url), hint=_LATER) from None
            else:
                if answer.status == 200:
                    return answer.body
                if answer.status not in _AGAIN or pause is None:
                    hint = self._log_in if answer.status in (400, 401, 403) else ""
                    said = f"the token service answers {answer.status}{_code(answer.body)}"
                    raise FetchError(said, where=show(url), hint=hint)
            self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _allowed(self, location: str, current: str, *, what: str = "redirects") -> str:
        """Return the URL that the registry leads to; it leads neither out of TLS nor into this machine or network."""
        url = ""
        try:
            url = urljoin(current, location)
            parts = urlsplit(url)
            elsewhere = parts.scheme == "https" and place(parts.hostname or "") == "" and bool(parts.hostname)
            here = self.repository.is_local and parts.scheme in ("http", "https") and parts.hostname in LOCAL
            fits = (
                len(url) <= 8192
                and parts.username is None
                and parts.port != 0
                and (origin(url) == self._origin or elsewhere or here)
            )
        except ValueError:
            fits = False
        if not fits:
            raise FetchError(
                f"{what} to {show(url)}, where nothing is sent", where=show(current or self.repository.url)
            )
        return url

    @property
    def _log_in(self) -> str:
        return f"`docker login {self.repository.host}` with an account that may do this"

    def _denied(self, answer: Answer, url: str, authorization: str | None) -> FetchError:
        if answer.status == 401 and authorization is None:
            what = "wants a login, and Docker's config.json has none for it"
        else:
            what = "does not allow this account to log in, or to do this"
        return FetchError(f"{what} ({answer.status}{_code(answer.body)})", where=show(url), hint=self._log_in)

    def _refused(self, answer: Answer, url: str) -> FetchError:
        return FetchError(f"answers {answer.status}{_code(answer.body)}", where=show(url))


_BYTES = {"content-type": "application/octet-stream"}
_EMPTY = {"content-length": "0"}
_LATER = "try again when the registry answers"


class _BrokenError(Exception):
    """An attempt failed, and another one may not."""


class _DownError(FetchError):
    """No attempt succeeded."""


def _tag(digest: str) -> str:
    """Return the fallback tag of a digest (specification, "Referrers Tag Schema")."""
    return digest.replace(":", "-")


def _with_digest(url: str, digest: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}digest={quote(digest, safe='')}"


def _is_no_api(answer: Answer) -> bool:
    """Whether a list of referrers is not what the API answers: some registries have a page for people for anything."""
    return answer.status in _NO_REFERRERS or (answer.status == 200 and _media_type(answer) != INDEX_MEDIA_TYPE)


def _media_type(answer: Answer) -> str:
    found = str(answer.headers.get("content-type", "")).partition(";")[0].strip()
    return found if _MEDIA_TYPE.fullmatch(found) else ""


def _entries(index: Mapping[str, Any], url: str) -> list[Mapping[str, Any]]:
    found = index.get("manifests")
    if found is None:  # some registries leave an empty list out
        return []
    if not isinstance(found, list):
        raise EvidenceError("not an OCI index", where=show(url), place="manifests")
    for position, entry in enumerate(found):
        if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
            raise EvidenceError("has no digest", where=show(url), place=f"manifests[{position}]")
    # Other algorithms are allowed, and sbomgate writes none.
    return [entry for entry in found if DIGEST.fullmatch(entry["digest"])]


def _chunk_size(answer: Answer) -> int:
    wanted = str(answer.headers.get("oci-chunk-min-length", ""))
    size = int(wanted[:12]) if wanted.isascii() and wanted.isdigit() else 0
    return min(max(size, CHUNK_BYTES), MAX_CHUNK_BYTES)


def _code(body: bytes) -> str:
    """Return the registry's own code for what is wrong (specification, "Error Codes"), and none of its other words."""
    import orjson

    try:
        found = orjson.loads(body)
        code = found["errors"][0]["code"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ""
    return f" {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
