"""Put a review on a pull request as one comment: written once, then replaced, whichever job runs.

It belongs in a job of its own, which has the token and reads nothing of the pull request but that text. The address
says which forge it is, and the token goes to no other host.

examples:
  sbomgate comment review.md --on https://github.com/acme/shop/pull/7 --token env:GH_TOKEN
  sbomgate comment review.md --on https://gitlab.com/acme/shop/-/merge_requests/7
  sbomgate comment review.md --on https://dev.azure.com/acme/shop/_git/web/pullrequest/7 --token env:SYSTEM_ACCESSTOKEN

exit codes: 0 it is there, 2 it is not
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sbomgate.errors import EXIT_ALLOWED, FetchError, InputError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import httpx

    from sbomgate.cli._environment import Environment
    from sbomgate.forges import Call, Outcome, Story

HELP = "put a review on a pull request, as one comment"
TOKEN = "env:SBOMGATE_COMMENT_TOKEN"  # noqa: S105  the name of a variable
MAX_TEXT_BYTES = 4 << 20  # a review of 2,000 packages has 1 MB; what a forge takes is cut by lines
MAX_ANSWER_BYTES = 32 << 20  # all threads of a pull request on Azure; 100 comments of 65 kB on GitHub have 7 MB
ANSWER_SECONDS = 30.0
PAUSES = (1.0, 4.0)  # seconds before the second and the third attempt
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="FILE", help="as `sbomgate review --format markdown -o FILE` writes it")
    parser.add_argument("--on", metavar="URL", required=True, help="the pull request's address, as a browser shows it")
    parser.add_argument(
        "--token", metavar="TOKEN", default=TOKEN, help=f"the file of a token, or env:NAME (default: {TOKEN})"
    )


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the comment, or replace it, and say which."""
    from sbomgate import files, forges
    from sbomgate.cli import _notify
    from sbomgate.report.escape import plain
    from sbomgate.transport import open_client

    forge, pull = forges.find(args.on)
    _must_be_private(args.on)
    data = files.read(env.working_directory / args.file, limit=MAX_TEXT_BYTES, error=InputError)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", where=args.file, hint="give what `sbomgate review` wrote") from error
    token = _notify.bearer(args.token, env, flag="--token")
    with open_client(**env.network) as client:
        made = tell(forge.comment(pull, text), client, token)
    print(f"{made.what.capitalize():<8} {plain(made.url)}")
    return EXIT_ALLOWED


def tell(story: Story, client: httpx.Client, token: str, *, sleep: Callable[[float], object] = time.sleep) -> Outcome:
    """Send a story's requests, one after the other; return what became of the comment.

    Raises:
        FetchError: the forge refuses, redirects, does not answer, or says something else than it promises.
        UsageError: the text cannot be a comment.
    """
    answer: Any = None
    while True:
        try:
            call = story.send(answer)
        except StopIteration as end:
            made: Outcome = end.value
            return made
        answer = _answer(call, client, token, sleep)


def _answer(call: Call, client: httpx.Client, token: str, sleep: Callable[[float], object]) -> Any:
    import httpx

    from sbomgate import __version__, strict_json
    from sbomgate.addresses import packed_once, show

    where = f"{call.method} {show(call.url)}"
    headers = {
        "authorization": f"Bearer {token}",
        "accept": "application/json",
        "user-agent": f"sbomgate/{__version__}",
    }
    for pause in (*PAUSES, None):
        retry = call.again and pause is not None
        try:
            with client.stream(call.method, call.url, json=call.body, headers=headers, timeout=ANSWER_SECONDS) as got:
                if 200 <= got.status_code < 300:
                    if not packed_once(got.headers.get("content-encoding")):
                        raise FetchError("answers in several encodings at once", where=where)
                    return strict_json.loads(_bytes(got, where), where, limit=MAX_ANSWER_BYTES)
                if got.status_code not in _AGAIN or not retry:
                    raise FetchError(f"answers {got.status_code}", where=where, hint=_hint(got.status_code))
        except httpx.TransportError as error:
            if not retry:
                raise FetchError(f"does not answer ({type(error).__name__})", where=where) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"cannot be asked ({type(error).__name__})", where=where) from error
        sleep(pause or 0.0)
    raise AssertionError("the last attempt ends the loop")


def _bytes(got: httpx.Response, where: str) -> bytes:
    data = bytearray()
    for piece in got.iter_bytes(1 << 16):
        data += piece
        if len(data) > MAX_ANSWER_BYTES:
            raise FetchError(f"answers with more than the limit of {MAX_ANSWER_BYTES} bytes", where=where)
    return bytes(data)


def _hint(status: int) -> str:
    if 300 <= status < 400:
        return "a token is sent nowhere else than the address says: give the one that it leads to, or renew the token"
    if status in (401, 403, 404):
        return "the token is none, or may not write comments there: docs/ci.md says what it needs"
    return "run the job again"


def _must_be_private(url: str) -> None:
    """Refuse an address to which the token would go readable by others.

    Raises:
        UsageError: it is neither https nor on this machine.
    """
    from urllib.parse import urlsplit

    from sbomgate.addresses import LOCAL

    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOCAL:
        raise UsageError("is not https: the token would be readable on the way", where="--on", hint="give https://…")
