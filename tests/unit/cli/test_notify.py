"""A webhook is told over https or on this machine, a bounded number of times, nowhere else, and its secrets stay."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from sbomgate.cli import _notify as notify
from sbomgate.cli._environment import Environment
from sbomgate.errors import FetchError, SbomgateError, UsageError
from testkit.commandline import TOKEN
from testkit.oci_registries import serving

BODY = '{"affected": ["é"]}\n'


@dataclass
class Hook:
    """A receiver that answers with these, one after the other, the last again and again."""

    answers: Sequence[tuple[int, Mapping[str, str]]] = ((200, {}),)
    url: str = ""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def hook(*answers: tuple[int, Mapping[str, str]]) -> Iterator[Hook]:
    made = Hook(answers=answers or ((200, {}),))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, headers = made.answers[min(len(made.got), len(made.answers) - 1)]
            made.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if status == 0:  # goes away without a word
                self.connection.close()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"thanks")

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with serving(Handler) as made.url:
        yield made


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    (tmp_path / "hook.token").write_text(f"{TOKEN}\n")
    variables = {"HOOK": TOKEN, "EMPTY": "", "TWO": "a\r\nX-Evil: b", "HOME": str(tmp_path)}
    return Environment(now=datetime(2026, 4, 1, tzinfo=UTC), variables=variables, working_directory=tmp_path)


class Pauses:
    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def tell(url: str, token: str | None, env: Environment) -> list[float]:
    pauses = Pauses()
    notify.check(url, token, env)
    notify.notify(url, token, BODY, env, sleep=pauses.sleep, clock=lambda: 0.0)
    return pauses.slept


@pytest.mark.parametrize("token", ["hook.token", "env:HOOK", None])
def test_it_is_posted_once(env: Environment, token: str | None) -> None:
    with hook((202, {})) as there:
        assert tell(f"{there.url}/a/b?c=d", token, env) == []
    ((path, headers, body),) = there.got
    assert (path, body) == ("/a/b?c=d", BODY.encode())
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == hashlib.sha256(BODY.encode()).hexdigest()
    assert headers.get("authorization") == (None if token is None else f"Bearer {TOKEN}")


FAULTS: dict[str, tuple[list[tuple[int, Mapping[str, str]]], list[float]]] = {
    "down for a moment": ([(503, {}), (200, {})], [1.0]),
    "down twice": ([(503, {}), (500, {}), (204, {})], [1.0, 4.0]),
    "asks to wait": ([(429, {"Retry-After": "7"}), (200, {})], [7.0]),
    "goes away": ([(0, {}), (200, {})], [1.0]),
}


@pytest.mark.parametrize("case", FAULTS)
def test_it_is_tried_again(env: Environment, case: str) -> None:
    answers, slept = FAULTS[case]
    with hook(*answers) as there:
        assert tell(f"{there.url}/", "hook.token", env) == slept
    assert len(there.got) == len(answers)
    assert len({(headers["idempotency-key"], body) for _, headers, body in there.got}) == 1


REFUSED: dict[str, tuple[int, Mapping[str, str], int]] = {
    "down": (503, {}, 3),
    "goes away": (0, {}, 3),
    "not found": (404, {}, 1),
    "no login": (401, {}, 1),
    "asks for an hour": (429, {"Retry-After": "3600"}, 1),
    "moved": (301, {"Location": "/elsewhere"}, 1),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_refuses_is_said(env: Environment, case: str) -> None:
    status, headers, times = REFUSED[case]
    with hook((status, headers)) as there, pytest.raises(FetchError, match="nobody was told") as caught:
        tell(f"{there.url}/T0/secret-path?key=hunter2-canary", "hook.token", env)
    assert len(there.got) == times
    must_be_discreet(caught.value)
    assert there.url in caught.value.where


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_P40_nothing_goes_to_another_host(env: Environment, status: int) -> None:
    with hook() as other, hook((status, {"Location": f"{other.url}/x"})) as there:
        with pytest.raises(FetchError, match="redirects"):
            tell(f"{there.url}/", "hook.token", env)
        assert other.got == []
    assert len(there.got) == 1


def test_nobody_is_there(env: Environment) -> None:
    with hook() as there:
        url = there.url
    with pytest.raises(FetchError, match="does not answer"):
        tell(f"{url}/secret-path", None, env)


TARGETS = {
    "http elsewhere": "http://example.com/hook",
    "http to a name that looks local": "http://localhost.example.com/",
    "a user": "https://me:hunter2-canary@example.com/",
    "no host": "https:///secret-path",
    "a port that is none": "https://example.com:99999/secret-path",
    "a space": "https://example.com/a b",
    "a line": "https://example.com/a\r\nX: y",
    "not ASCII": "https://ex\u0430mple.com/",
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_target_that_is_none_is_refused_before_anything_is_done(env: Environment, case: str) -> None:
    with pytest.raises(UsageError) as caught:
        notify.check(TARGETS[case], None, env)
    assert caught.value.hint
    must_be_discreet(caught.value)


@pytest.mark.parametrize("token", ["env:EMPTY", "env:ABSENT", "env:TWO", "nowhere.token"])
def test_a_token_that_is_none_is_refused(env: Environment, token: str) -> None:
    with pytest.raises(UsageError) as caught:
        notify.check("https://example.com/", token, env)
    assert "X-Evil" not in str(caught.value)


def test_a_token_without_a_webhook_is_refused(env: Environment) -> None:
    with pytest.raises(UsageError, match="names a command"):
        notify.check("./page-the-team", "hook.token", env)


def must_be_discreet(error: SbomgateError) -> None:
    for text in (TOKEN, "hunter2", "secret-path", "key="):
        assert text not in f"{error} {error.hint}"
