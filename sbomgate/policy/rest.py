"""A small client for OPA's REST API over httpx: what the engines `opa` and `opa-url` share.

Whatever is not the answer that the API documents is a PolicyError: nothing passes because a server said nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from sbomgate import canonical
from sbomgate.addresses import packed_once
from sbomgate.errors import PolicyError
from sbomgate.policy.engines import path_of

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 5.0
CONNECT_RETRIES = 2  # of the connection alone: nothing was sent yet
SECONDS = 60.0  # for one whole exchange, however slowly it drips
ANSWER_BYTES = 64 << 20  # a finding for each of 20,000 packages is 10 MB; a list of policies holds their syntax trees
_HINT_SERVER = "is this OPA's own address, and does it run?"


def _hint(e: Exception) -> str:
    """Return what to do where no connection comes about."""
    from sbomgate import tls

    if tls.is_untrusted(e):
        return tls.UNTRUSTED_HINT
    return f"{_HINT_SERVER} (the embedded engine needs none)"


class RestClient:
    """One OPA server. Redirects are not followed, the environment is not looked at."""

    def __init__(
        self,
        base: str,
        *,
        socket: Path | None = None,
        token: str | None = None,
        context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        no_proxy: str = "",
        seconds: float = SECONDS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            base: URL of the server without a trailing slash, as it may be shown (no user info, no query).
            socket: unix socket to reach it through.
            token: bearer token.
            context: how a server that speaks TLS is verified.
            proxy: URL of an HTTP proxy; this machine itself is asked directly.
            no_proxy: what else is (`addresses.is_direct`).
            seconds: limit of one exchange.

        Raises:
            UsageError: the proxy is no URL of one.
        """
        import httpx

        from sbomgate.transport import Transport

        uds = str(socket) if socket else None
        self.where = f"unix://{socket}" if socket else base
        self._base = base
        self._seconds = seconds
        transport = Transport(
            seconds=seconds,
            context=context,
            proxy=None if socket else proxy,
            no_proxy=no_proxy,
            uds=uds,
            retries=CONNECT_RETRIES,
        )
        self._client = httpx.Client(
            transport=transport,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        content_type: str = "application/json",
        if_absent: bool = False,
        accept: tuple[int, ...] = (200,),
    ) -> tuple[int, Any]:
        """Send one request and return the status and the JSON that came back (None where nothing came).

        It is sent once more where the connection ended instead of an answer.

        Args:
            method: of HTTP.
            path: from the base, with a leading slash.
            content: the body.
            content_type: of the body.
            if_absent: only where nothing is there (`If-None-Match: *`); what is there may be what this put there.
            accept: statuses that are an answer.

        Raises:
            PolicyError: not reached, over a limit, another status, or no JSON.
        """
        import httpx

        headers = {"Content-Type": content_type} if content is not None else {}
        if if_absent:
            headers["If-None-Match"] = "*"
        again = True
        while True:
            try:
                status, body = self._exchange(method, path, content, headers)
                break
            except httpx.TimeoutException as e:
                raise self._error(f"gave no whole answer within {self._seconds:g} s") from e
            except (httpx.HTTPError, httpx.InvalidURL) as e:
                # A server may close a kept connection just when it is used again (RFC 9112, 9.3.1). It may have done
                # then what it was asked, and does it once more: no request of ours minds.
                if not again or not isinstance(e, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
                    raise self._error(f"cannot be reached: {type(e).__name__}: {str(e)[:200]}", _hint(e)) from e
                again = False
        if status not in accept:
            raise self._refused(status, method, path, body)
        if not body:
            return status, None
        try:
            return status, canonical.loads(body)
        except ValueError as e:
            raise self._error(f"answers {method} {path} with what is no JSON: {e}", _HINT_SERVER) from e

    def _exchange(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        body = bytearray()
        with self._client.stream(method, self._base + path, content=content, headers=headers) as response:
            if not packed_once(response.headers.get("content-encoding")):
                raise self._error("answers in an encoding that nobody asked for")
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES:
                    raise self._error(f"answers with more than {ANSWER_BYTES} bytes")
        return response.status_code, bytes(body)

    def evaluate(self, policy_input: bytes, query: str) -> bytes:
        """Evaluate `query` (`data.sbomgate.decision.result`) with strict built-in errors; return its canonical JSON.

        Raises:
            PolicyError: as `value`.
        """
        return canonical.dumps(self.value(policy_input, query))

    def value(self, policy_input: bytes, query: str, *, shown: str | None = None) -> Any:
        """Evaluate `query` with strict built-in errors and return its value; `shown` is what an error calls the query.

        Raises:
            PolicyError: undefined, a failing built-in, or any failure of `send`.
        """
        names = path_of(query)
        try:
            orjson.loads(policy_input)  # (1) exactly one document: nothing in it can end the body's own object
        except ValueError as e:
            raise PolicyError(f"is not JSON: {e}", where="policy input") from e
        path = "/v1/data/" + "/".join(names) + "?strict-builtin-errors=true"  # (2) P3
        _, answer = self.send("POST", path, b'{"input":' + policy_input + b"}")
        if not isinstance(answer, dict):
            raise self._error("answers with what is no object", _HINT_SERVER)
        # (3) P3: 200 without `result` is an undefined path
        if "result" not in answer:
            raise PolicyError(
                f"{shown or query} is undefined [undefined]",
                where=self.where,
                hint="no value there: a finding of your own rule that lacks a field does that (docs/write-a-rule.md)",
            )
        return answer["result"]

    def _refused(self, status: int, method: str, path: str, body: bytes) -> PolicyError:
        """Return what OPA says of an error, where it is OPA that speaks."""
        if 300 <= status < 400:
            return self._error(f"redirects ({status}): a redirect is not followed", "give the address of OPA itself")
        if status in (401, 403):
            what = "the token in SBOMGATE_OPA_TOKEN may not do this, or is missing"
            return self._error(f"refuses {method} {path} ({status})", what)
        try:
            answer = canonical.loads(body)
            errors = answer.get("errors") or [answer]
            first = errors[0]
            location = first.get("location") or {}
            place = f" at {location['file']}, line {location['row']}" if location.get("file") else ""
            return self._error(f"{str(first['message'])[:500]}{place} [{first.get('code', status)}]")
        except (ValueError, AttributeError, KeyError, IndexError, TypeError):
            return self._error(f"answers {method} {path} with status {status}", _HINT_SERVER)

    def _error(
        self, message: str, hint: str = "look at the server's log; the embedded engine needs no server"
    ) -> PolicyError:
        return PolicyError(message, where=self.where, hint=hint)
