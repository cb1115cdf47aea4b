"""Telling somebody what `sweep` or `watch` found: a command with the JSON on its stdin, or a webhook that takes it.

A webhook is asked over https, or http on this machine. Where it redirects to nothing is sent. Its URL is shown without
path and query, which often are the secret; the token, of a file or an environment variable, is shown nowhere.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sbomgate.addresses import LOCAL
from sbomgate.errors import FetchError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sbomgate.cli._environment import Environment

COMMAND_SECONDS = 60  # what a command may take
ANSWER_SECONDS = 20.0  # of one attempt at a webhook, connecting included
TOTAL_SECONDS = 90.0  # of all of them, with the pauses
PAUSES = (1.0, 4.0)  # seconds before the second and the third attempt
MAX_PAUSE_SECONDS = 30.0  # that a webhook may ask for with Retry-After
MAX_TOKEN_BYTES = 16 << 10  # a token of GitHub has 2 kB
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_HINT = "the result is complete; only the telling failed. Tell them otherwise, or run it again"


def add_arguments(parser: argparse.ArgumentParser, when: str) -> None:
    """Declare the arguments; `when` says when somebody is told."""
    parser.add_argument(
        "--notify",
        metavar="TARGET",
        help=f"when {when}: a command, with the JSON on its stdin, or https://… that it is posted to",
    )
    parser.add_argument("--notify-token", metavar="TOKEN", help="for https: the file of a bearer token, or env:NAME")


def check(target: str, token: str | None, env: Environment) -> None:
    """Refuse a target that nothing can be sent to, before long work rather than after it.

    Raises:
        UsageError: it is no URL that is spoken to, or the token is not there.
    """
    if not _is_url(target):
        if token is not None:
            raise UsageError("is for a webhook, and --notify names a command", where="--notify-token")
        return
    _address(target)
    if token is not None:
        bearer(token, env)


def notify(
    target: str,
    token: str | None,
    body: str,
    env: Environment,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Tell, and wait for it.

    Raises:
        UsageError: the command is none, or fails.
        FetchError: the webhook did not take it.
    """
    if _is_url(target):
        _post(target, None if token is None else bearer(token, env), body.encode(), env, sleep, clock)
    else:
        _run(target, body, env)


def _is_url(target: str) -> bool:
    return target.lower().startswith(("https://", "http://"))


def _address(url: str) -> str:
    """Return the URL for people: scheme, host and port.

    Raises:
        UsageError: it is none that is spoken to.
    """
    try:
        parts = urlsplit(url)
        shown = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port is not None else ''}"
        fits = parts.username is None and parts.password is None and parts.port != 0 and url.isascii()
        fits = fits and not any(c.isspace() or c < " " for c in url) and len(url) <= 4096
        secure = parts.scheme == "https" or parts.hostname in LOCAL
    except ValueError as e:
        raise UsageError("names no URL", where="--notify", hint="give https://HOST/PATH, or a command") from e
    if not parts.hostname or not fits:
        raise UsageError(
            "names no URL without user info", where="--notify", hint="give https://HOST/PATH, or a command"
        )
    if not secure:
        raise UsageError(
            f"{shown} is not https: what builds hold, and the token, would be readable on the way",
            where="--notify",
            hint="http is spoken with this machine only",
        )
    return shown


def bearer(named: str, env: Environment, *, flag: str = "--notify-token") -> str:
    """Return what `FILE` or `env:NAME` holds; `flag` is who names it.

    Raises:
        UsageError: nothing, or no token.
    """
    from sbomgate import files

    if named.startswith("env:"):
        text = env.variables.get(named.removeprefix("env:"), "")
    else:
        data = files.read(env.working_directory / named, limit=MAX_TOKEN_BYTES, error=UsageError)
        text = data.decode("ascii", "replace")
    found = text.strip()
    if not found or not all("!" <= c <= "~" for c in found):  # (RFC 6750, 2.1) and nothing that ends a header
        raise UsageError(
            "holds no token: printable ASCII without a space", where=f"{flag} {named}"[:300],
            hint="FILE, or env:NAME for an environment variable",
        )  # fmt: skip
    return found


def _post(
    url: str,
    token: str | None,
    body: bytes,
    env: Environment,
    sleep: Callable[[float], object],
    clock: Callable[[], float],
) -> None:
    import hashlib

    import httpx

    from sbomgate import __version__
    from sbomgate.addresses import http_date, retry_after
    from sbomgate.transport import open_client

    where = f"--notify {_address(url)}"
    headers = {
        "content-type": "application/json",
        "user-agent": f"sbomgate/{__version__}",
        # An attempt of which no answer came may have arrived: the receiver can tell that it is the same.
        "idempotency-key": hashlib.sha256(body).hexdigest(),
    }
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    start = clock()
    with open_client(**env.network, total_seconds=TOTAL_SECONDS) as client:
        for pause in (*PAUSES, None):
            wait = 0.0
            try:
                # The answer's body is not read: what it says is nobody's to rely on.
                with client.stream("POST", url, content=body, headers=headers, timeout=ANSWER_SECONDS) as answer:
                    status = answer.status_code
                    wait = retry_after(answer.headers.get("retry-after"), http_date(answer.headers.get("date")))
            except httpx.TransportError as e:
                said, again = f"does not answer ({type(e).__name__})", True
            except (httpx.HTTPError, httpx.InvalidURL) as e:
                raise UsageError(f"cannot be asked ({type(e).__name__})", where=where) from None
            else:
                if 200 <= status < 300:
                    return
                if 300 <= status < 400:
                    raise FetchError(
                        f"redirects ({status}), and nothing is sent where that leads: nobody was told",
                        where=where,
                        hint="give the URL that takes it",
                    )
                said, again = f"answers {status}", status in _AGAIN
            wait = max(wait, pause or 0.0)
            if pause is None or not again or wait > MAX_PAUSE_SECONDS or clock() - start + wait > TOTAL_SECONDS:
                raise FetchError(f"{said}: nobody was told", where=where, hint=_HINT)
            sleep(wait)


def _run(command: str, body: str, env: Environment) -> None:
    import shlex
    import subprocess

    try:
        words = shlex.split(command)
        done = subprocess.run(
            words,
            input=body.encode(),
            cwd=env.working_directory,
            stdout=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (ValueError, IndexError, OSError, subprocess.TimeoutExpired) as e:
        raise UsageError(f"could not be run: {e}", where="--notify", hint="name a program and its arguments") from e
    if done.returncode != 0:
        raise UsageError(f"ended with {done.returncode}: nobody may have been told", where="--notify", hint=_HINT)
