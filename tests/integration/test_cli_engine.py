"""An OPA that is down, absent, or no OPA at all: no decision, never a wrong one (P1, P3, P24)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sbomgate.policy import rest
from testkit.commandline import World, must_be_discreet, refused

CHECK = ("check", "shop", "--offline")
Answer = Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]


class Scripted:
    """A server on loopback that answers what the test says."""

    def __init__(self, answer: Answer) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                return

            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, headers, data = answer(self.command, self.path, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = respond

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def always(status: int, data: bytes, **headers: str) -> Answer:
    return lambda method, path, body: (status, {k.replace("_", "-"): v for k, v in headers.items()}, data)


ALLOWED: dict[str, Any] = {
    "schema": "sbomgate/evaluation/v1",
    "verdict": "allowed",
    "profile": "default",
    "findings": [],
    "rules": ["pinned"],
    "packages": 1,
    "waived_by": {},
    "unused_waivers": [],
}


def impostor(result: object) -> Answer:
    """Play OPA well enough to be asked, and then answer as its owner likes."""
    modules: dict[str, str] = {}
    data: dict[str, bytes] = {}

    def answer(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        name = path.partition("?")[0]
        if name.startswith("/v1/policies"):
            if method == "PUT":
                modules[name.removeprefix("/v1/policies/")] = body.decode()
                return 200, {}, b"{}"
            if method == "DELETE":
                modules.pop(name.removeprefix("/v1/policies/"), None)
                return 200, {}, b"{}"
            package = [{"value": "data"}, {"value": "sbomgate"}, {"value": "x"}]
            listed = [{"id": i, "raw": raw, "ast": {"package": {"path": package}}} for i, raw in modules.items()]
            return 200, {}, json.dumps({"result": listed}).encode()
        if method == "PUT":
            data[name] = body
            return 204, {}, b""
        if method == "DELETE":
            data.pop(name, None)
            return 204, {}, b""
        if method == "GET":
            held = data.get(name)
            return 200, {}, b"{}" if held is None else b'{"result": ' + held + b"}"
        if name == "/v1/query":
            return 200, {}, b'{"result": [{"v": "1.22.0"}]}'
        said = {"of": name.split("/")[4].removeprefix("answer_"), "is": result}
        return 200, {}, b"{}" if result is None else json.dumps({"result": said}).encode()

    return answer


ANSWERS: dict[str, Answer] = {
    "500": always(500, b"oops"),
    "502 with HTML": always(502, b"<html>Bad gateway</html>", content_type="text/html"),
    "200 with HTML": always(200, b"<!DOCTYPE html><html>log in</html>", content_type="text/html"),
    "200 with nothing": always(200, b""),
    "200 with null": always(200, b"null"),
    "200 with a list": always(200, b"[]"),
    "200 with duplicate keys": always(200, b'{"result": {}, "result": {}}'),
    "204 for everything": always(204, b""),
    "401": always(401, b"{}"),
    "404": always(404, b"{}"),
    "a redirect": always(302, b"", location="http://127.0.0.1:1/"),
    "not UTF-8": always(200, b'{"result": "\xff"}'),
    "NaN": always(200, b'{"result": NaN}'),
    "an undefined result": impostor(None),
    "a result of true": impostor(True),
    "allowed, with one rule": impostor(ALLOWED),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_p3_a_server_that_answers_nonsense(world: World, case: str) -> None:
    """P3: an answer that is not OPA's documented one, or not the whole decision, is no decision."""
    server = Scripted(ANSWERS[case])
    try:
        refused(world, *CHECK, "--opa-url", server.url, says=[""], hint=False)
    finally:
        server.close()


def every_rule() -> list[str]:
    from sbomgate.policy import bundle

    return list(bundle.load(None).rules)


@pytest.mark.parametrize("change", [{"packages": 0}, {"verdict": "denied"}, {"more": 1}], ids=str)
def test_p3_a_server_whose_decision_does_not_hold_together(world: World, change: dict[str, Any]) -> None:
    server = Scripted(impostor({**ALLOWED, "rules": every_rule(), **change}))
    try:
        refused(world, *CHECK, "--opa-url", server.url, says=["result"], hint=False)
    finally:
        server.close()


def test_p24_what_an_opa_of_others_says_is_recorded_as_such(world: World) -> None:
    """P24: a server that lies consistently is believed outside `release`, and the decision names it as not ours."""
    server = Scripted(impostor({**ALLOWED, "rules": every_rule()}))
    try:
        made = world.run(*world.gate("--opa-url", server.url))
        assert made.code == 0, made.err
        assert "opa-url" in made.out
        build = made.out.partition("Evidence: ")[2].splitlines()[0]
        again = world.run("replay", build)
        assert again.code == 1, "replay with the embedded engine shows the lie"
        assert "DIFFERENT" in again.out
    finally:
        server.close()


def test_p24_release_decides_again(world: World) -> None:
    result = {**ALLOWED, "rules": every_rule(), "profile": "release"}
    server = Scripted(impostor(result))
    try:
        refused(world, *CHECK, "--profile", "release", "--opa-url", server.url, says=["disagree"])
    finally:
        server.close()


def test_a_server_that_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sbomgate.policy.engines import opa_url

    defaults = opa_url.OpaUrlEngine.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "seconds", 0.3)
    stop = threading.Event()

    def answer(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        stop.wait(5)
        return 200, {}, b"{}"

    server = Scripted(answer)
    try:
        refused(world, *CHECK, "--opa-url", server.url, says=["within"])
    finally:
        stop.set()
        server.close()


URLS: dict[str, tuple[str, list[str]]] = {
    "nobody there": ("http://127.0.0.1:9", ["127.0.0.1:9"]),
    "no socket": ("unix:///nowhere/opa.sock", ["nowhere"]),
    "in clear over a network": ("http://opa.example:8181", ["in clear"]),
    "user info": ("https://alice:hunter2-canary@opa.example", ["user info"]),
    "a query": ("http://127.0.0.1:1/?token=hunter2-canary", ["query"]),
    "no scheme": ("127.0.0.1:8181", ["--opa-url"]),
    "a file": ("file:///etc/passwd", ["--opa-url"]),
    "empty": ("", ["--opa-url"]),
    "no number": ("http://127.0.0.1:port", ["--opa-url"]),
}


# httpcore drops a unix socket that it could not connect without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", URLS)
def test_an_address_that_cannot_be_used(world: World, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "CONNECT_RETRIES", 0)
    url, says = URLS[case]
    refused(world, *CHECK, "--opa-url", url, says=says)


def test_two_engines(world: World) -> None:
    refused(world, *CHECK, "--opa-url", "http://127.0.0.1:9", "--engine", "opa", says=["two engines"])


# --------------------------------------------------------------------------------------------------------------------
# An `opa` on PATH

SCRIPTS: dict[str, str] = {
    "says nothing": "exit 0",
    "fails": "echo no >&2; exit 3",
    "is too old": "echo 'Version: 0.70.0'",
    "speaks nonsense": "echo 'Version: banana'",
    "says the version and then ends": 'case "$1" in version) echo "Version: 1.22.0";; *) exit 1;; esac',
    "serves nothing": 'case "$1" in version) echo "Version: 1.22.0";; check) exit 0;; *) exit 0;; esac',
}


@pytest.mark.parametrize("case", SCRIPTS)
def test_an_opa_that_is_none(world: World, case: str) -> None:
    tools = world.root / "bin"
    tools.mkdir()
    (tools / "opa").write_text(f"#!/bin/sh\n{SCRIPTS[case]}\n")
    (tools / "opa").chmod(0o755)
    env = world.environment(PATH=f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin")
    refused(world, *CHECK, "--engine", "opa", says=[], hint=False, env=env)


def test_no_opa_on_path(world: World) -> None:
    refused(world, *CHECK, "--engine", "opa", says=["PATH"], env=world.environment(PATH="/nowhere"))
    (world.root / "opa").mkdir()
    refused(world, *CHECK, "--engine", "opa", says=["PATH"], env=world.environment(PATH=str(world.root)))


@pytest.mark.parametrize("part", ["", ".", "shop/node_modules/.bin", "{project}/node_modules/.bin", "{link}"])
def test_p26_the_tree_under_test_brings_no_engine(world: World, part: str) -> None:
    """An empty part of PATH is the working directory, and `npm run` puts node_modules/.bin in front of all others."""
    folder = world.project / "node_modules" / ".bin"
    folder.mkdir(parents=True)
    (world.root / "link").symlink_to(folder)
    for trap in (world.root / "opa", folder / "opa"):
        trap.write_text(f"#!/bin/sh\ntouch {world.root}/trapped\n")
        trap.chmod(0o755)
    path = part.format(project=world.project, link=world.root / "link") + os.pathsep
    refused(world, *CHECK, "--engine", "opa", says=["opa"], env=world.environment(PATH=path))
    assert not (world.root / "trapped").exists()


@pytest.fixture
def opa(world: World) -> dict[str, str]:
    found = shutil.which("opa")
    assert found
    return world.environment(PATH=str(Path(found).parent))


@pytest.mark.opa
def test_a_real_opa_gives_the_same(world: World, opa: dict[str, str]) -> None:
    """The verdict and the evaluation's digest are the embedded engine's."""
    ours = json.loads(world.run(*CHECK, "--json").out)
    theirs = json.loads(world.run(*CHECK, "--json", "--engine", "opa", env=opa).out)
    assert theirs["verdict"] == ours["verdict"]
    assert theirs["denials"] == ours["denials"]
    assert theirs["warnings"] == ours["warnings"]


@pytest.mark.opa
@pytest.mark.parametrize("number", [2, 15], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_gate_ends_its_opa(world: World, opa: dict[str, str], number: int) -> None:
    """No server is left behind, no socket and no folder."""
    program = (
        "import os, signal, sys, time\nfrom sbomgate.cli import main\nfrom sbomgate.policy.rest import RestClient\n"
        # a shell starts what runs in the background with SIGINT ignored, and so would these tests
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def stopped(self, *arguments):\n    print(self.where, file=sys.stderr, flush=True)\n"
        f"    os.kill(os.getpid(), {number}); time.sleep(60)\n"
        "RestClient.evaluate = stopped\nsys.exit(main())"
    )
    env = {**opa, "PYTHONPATH": os.pathsep.join([str(Path(rest.__file__).resolve().parents[2])])}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": env}
    with world.start(*CHECK, "--engine", "opa", program=program, **pipes) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == b""
    where, *rest_of_it = err.decode().splitlines()
    assert rest_of_it == ["error: interrupted, no decision was made"]
    socket = Path(where.removeprefix("unix://"))
    assert not socket.exists()
    assert not socket.parent.exists()


def test_a_token_for_opa_is_never_shown(world: World) -> None:
    """P40: SBOMGATE_OPA_TOKEN goes into a header, and nowhere else."""
    server = Scripted(always(401, b'{"message": "no"}'))
    try:
        env = world.environment(SBOMGATE_OPA_TOKEN="hunter2-canary")
        refused(world, *CHECK, "--opa-url", server.url, says=["401"], env=env)
        env = world.environment(SBOMGATE_OPA_TOKEN="hunter2-canary\n")
        refused(world, *CHECK, "--opa-url", server.url, says=["token"], hint=False, env=env)
    finally:
        server.close()
    must_be_discreet(world.run(*CHECK))
