"""What an OPA server can do wrong, by a server that does it. The real one is in tests/integration."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sbomgate.errors import PolicyError, UsageError
from sbomgate.model import PolicyBundle
from sbomgate.policy import rest
from sbomgate.policy.engines import EngineSettings, names, open_engine
from sbomgate.policy.engines.opa_url import OpaUrlEngine
from sbomgate.policy.rest import RestClient

QUERY = "data.sbomgate.decision.result"
BUNDLE = PolicyBundle(
    files={"decision.rego": b"package sbomgate.decision\n\nresult := 1\n"}, sha256="ab" * 32, rules=()
)

Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content-Type": "application/json"}


@contextmanager
def server(answer: Callable[[str, str, bytes], Answer]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.command, self.path))
            status, headers, content = answer(self.command, self.path, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = respond

        def log_message(self, format: str, *args: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}", asked
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param((200, JSON, b"{}"), "[undefined]", id="P3 200 without result"),
        pytest.param((200, JSON, b'{"result":1,"result":2}'), "given twice", id="two results"),
        pytest.param((200, JSON, b"[]"), "no object", id="a list"),
        pytest.param((200, JSON, b""), "no object", id="nothing"),
        pytest.param((200, {"Content-Type": "text/html"}, b"<html>login</html>"), "no JSON", id="HTML"),
        pytest.param((302, {"Location": "http://127.0.0.1:1/"}, b""), "redirect", id="redirect"),
        pytest.param((401, JSON, b"{}"), "refuses", id="unauthorised"),
        pytest.param((500, JSON, b"oops"), "status 500", id="500 without JSON"),
        pytest.param((404, JSON, b'{"errors":[]}'), "status 404", id="404 of somebody else"),
        pytest.param((500, JSON, b'{"errors":"x"}'), "status 500", id="errors that are none"),
        pytest.param(
            (
                500,
                JSON,
                b'{"code":"internal_error","message":"m","errors":[{"code":"eval_builtin_error","message":"bad time",'
                b'"location":{"file":"a.rego","row":3,"col":1}}]}',
            ),
            "bad time at a.rego, line 3 [eval_builtin_error]",
            id="P3 built-in failed",
        ),
        pytest.param((200, {"Content-Length": "90"}, b'{"result":1}'), "cannot be reached", id="cut short"),
        pytest.param((200, JSON, b'{"result":NaN}'), "no JSON", id="NaN"),
    ],
)
def test_nonsense_is_an_error(answer: Answer, says: str) -> None:
    with server(lambda *_: answer) as (url, _):
        client = RestClient(url, seconds=5)
        with pytest.raises(PolicyError) as e:
            client.evaluate(b"{}", QUERY)
        client.close()
    assert says in str(e.value)
    assert e.value.hint


def test_numbers_come_back_exact() -> None:
    with server(lambda *_: (200, JSON, b'{"result":[12345678901234567890123, 1.50, 1e2]}')) as (url, asked):
        client = RestClient(url)
        assert client.evaluate(b"{}", QUERY) == b"[12345678901234567890123,1.5,100]"
        client.close()
    assert asked == [("POST", "/v1/data/sbomgate/decision/result?strict-builtin-errors=true")]


def test_huge_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "ANSWER_BYTES", 1000)
    with server(lambda *_: (200, JSON, b'{"result":"' + b"x" * 5000 + b'"}')) as (url, _):
        client = RestClient(url)
        with pytest.raises(PolicyError, match="more than 1000 bytes"):
            client.evaluate(b"{}", QUERY)
        client.close()


def test_no_answer_in_time() -> None:
    stop = threading.Event()

    def hang(*_: object) -> Answer:
        stop.wait(10)
        return 200, JSON, b"{}"

    with server(hang) as (url, _):
        client = RestClient(url, seconds=0.2)
        with pytest.raises(PolicyError, match=r"within 0\.2 s"):
            client.evaluate(b"{}", QUERY)
        client.close()
        stop.set()


def test_nobody_there() -> None:
    with server(lambda *_: (200, JSON, b"{}")) as (url, _):
        pass
    client = RestClient(url)
    with pytest.raises(PolicyError, match="cannot be reached"):
        client.evaluate(b"{}", QUERY)
    client.close()


@pytest.mark.parametrize("policy_input", [b"", b"{", b'{}},"input":{"a":1}', b"{} {}", b"\xff"])
def test_the_input_is_one_document(policy_input: bytes) -> None:
    with server(lambda *_: (200, JSON, b'{"result":1}')) as (url, asked):
        client = RestClient(url)
        with pytest.raises(PolicyError, match="policy input"):
            client.evaluate(policy_input, QUERY)
        client.close()
    assert asked == []


@pytest.mark.parametrize("query", ["input.a", "data", "data.a/../b", "data.a.b?x=1", "data.é", ""])
def test_the_query_is_a_path(query: str) -> None:
    client = RestClient("http://127.0.0.1:1")
    with pytest.raises(PolicyError, match="no path into the data"):
        client.evaluate(b"{}", query)
    client.close()


def engine(url: str, token: str | None = None) -> OpaUrlEngine:
    return OpaUrlEngine(url, check=lambda bundle: None, token=token, seconds=5)


@pytest.mark.parametrize(
    "url",
    [
        "http://opa.example:8181",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "ftp://localhost",
        "localhost:8181",
        "https://user:secret@opa.example",
        "https://opa.example/?token=secret",
        "https://opa.example/#secret",
        "https://",
        "http://[::1",
        "https://opa.example:port",
        "https://opa.example/secret\r\nX: y",
        "unix://host/path",
        "unix:relative",
        "",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    """P40: and the message does not repeat what may be a secret."""
    with pytest.raises(UsageError) as e:
        engine(url)
    assert "secret" not in str(e.value) + e.value.hint


@pytest.mark.parametrize(
    "url",
    ["https://opa.example", "http://127.0.0.1:1/opa/", "http://[::1]:8181", "http://localhost", "unix:///run/opa"],
)
def test_addresses_that_are_accepted(url: str) -> None:
    with engine(url) as opened:
        assert (opened.name, opened.ours) == ("opa-url", False)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é"])
def test_tokens_that_are_refused(token: str) -> None:
    with pytest.raises(UsageError, match="token"):
        engine("http://localhost", token)


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "absent.pem"):
        with pytest.raises(PolicyError, match="certificates cannot be read"):
            OpaUrlEngine("https://opa.example", check=lambda bundle: None, ca_file=path)


def test_a_token_does_not_follow_a_redirect() -> None:
    with server(lambda *_: (200, JSON, b"{}")) as (elsewhere, reached):
        redirects = server(lambda *_: (307, {"Location": elsewhere}, b""))
        refused = pytest.raises(PolicyError, match="redirect")
        with redirects as (url, _), engine(url, "secret") as opened, refused as e:
            opened.evaluate(BUNDLE, b"{}", QUERY)
        assert reached == []
    assert "secret" not in str(e.value)


def test_a_list_of_policies_that_is_none() -> None:
    def answer(method: str, path: str, _: bytes) -> Answer:
        if method == "PUT" and path == "/v1/data/sbomgate_turn":
            return 204, {}, b""
        if method == "DELETE":
            return 204, {}, b""
        return 200, JSON, b'{"result":[{"id":"x"}]}' if path == "/v1/policies" else b"{}"

    with server(answer) as (url, _), engine(url) as opened, pytest.raises(PolicyError, match="not OPA's"):
        opened.evaluate(BUNDLE, b"{}", QUERY)


def test_a_server_that_drops_a_module_is_found_out() -> None:
    """P3, P24: a result is only taken where exactly our own modules were there."""
    turn: list[bytes] = []

    def answer(method: str, path: str, body: bytes) -> Answer:
        if path == "/v1/data/sbomgate_turn":
            if method == "PUT":
                turn[:] = [body]
                return 204, {}, b""
            if method == "GET":
                return 200, JSON, json.dumps({"result": json.loads(turn[0])}).encode()
            return 204, {}, b""
        if path == "/v1/policies":
            return 200, JSON, b'{"result":[]}'
        if method == "POST":
            once = path.split("/")[4].removeprefix("answer_")
            return 200, JSON, json.dumps({"result": {"of": once, "is": {"verdict": "allowed"}}}).encode()
        return 200, JSON, b"{}"

    with server(answer) as (url, asked), engine(url) as opened:
        with pytest.raises(PolicyError, match="changed during the evaluation"):
            opened.evaluate(BUNDLE, b"{}", QUERY)
        assert opened.version == "unknown"
    assert ("DELETE", f"/v1/policies/sbomgate/{BUNDLE.sha256}/decision.rego") in asked
    assert ("DELETE", "/v1/data/sbomgate_turn") in asked


def test_engines_are_found_by_their_files(tmp_path: Path) -> None:
    settings = EngineSettings(cache_dir=tmp_path, notify=lambda sentence: None)
    assert names() == ("embedded", "opa", "opa-url")
    for name in ("", "nosuch", "opa_url", "../embedded"):
        with pytest.raises(UsageError, match="there is no engine"):
            open_engine(name, settings)
    for name in ("opa", "opa-url"):
        with pytest.raises(UsageError) as e:
            open_engine(name, settings)
        assert e.value.hint


@pytest.mark.parametrize("lost", range(2), ids=["the answer", "every answer"])
def test_a_connection_that_ends_instead_of_an_answer(lost: int) -> None:
    """A server closes a kept connection when it likes: the request is sent once more, and not for ever."""
    sent: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    request = b""
                    while not request.endswith(b'{"input":{}}') and (chunk := connection.recv(65536)):
                        request += chunk
                    sent.append(request)
                    if len(sent) == 2 and not lost:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + b'{"result":1}')

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        client = RestClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        try:
            if lost:
                with pytest.raises(PolicyError, match="cannot be reached: RemoteProtocolError"):
                    client.evaluate(b"{}", QUERY)
            else:
                assert client.evaluate(b"{}", QUERY) == b"1"
        finally:
            client.close()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert len(sent) == 2
    assert sent[0] == sent[1]
