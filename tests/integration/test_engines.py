"""One corpus through every engine and plain `opa eval`: the same canonical JSON, or no result from any of them."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbomgate import canonical, resources
from sbomgate.errors import PolicyError
from sbomgate.model import Engine, PolicyBundle
from sbomgate.policy.bundle import to_tar
from sbomgate.policy.engines.embedded import EmbeddedEngine
from sbomgate.policy.engines.opa import OpaEngine
from sbomgate.policy.engines.opa_url import OpaUrlEngine
from testkit.engines import REPOSITORY, Server, engine_cache, find_opa, pinned_opa

CORPUS = Path(__file__).parent / "corpus"
SNIPPETS = REPOSITORY.parent / "shared" / "data" / "rego-corpus" / "snippets.txt"
# In both corpora: built-ins that read the world. engine/capabilities says why each is forbidden.
FORBIDDEN_SNIPPETS = {
    "http.send",
    "json.match_schema",
    "json.verify_schema",
    "net.cidr_contains",
    "opa.runtime",
    "print",
    "rand.intn",
    "time.now_ns",
    "uuid.parse",
}
INPUT = canonical.dumps(
    {
        "now": "2026-11-20T12:00:00Z",
        "n": 1,
        "components": [
            {
                "name": "a",
                "hashes": [{"alg": "SHA-512", "content": "00"}],
                "properties": [{"name": "p", "value": "v"}, {"name": "q", "value": "w"}],
                "externalReferences": [{"url": "https://evil.example/a.tgz"}, {"url": "https://good.example/a.tgz"}],
            },
            {"name": "b", "hashes": [], "externalReferences": []},
        ],
    }
)
DATA = canonical.dumps(
    {
        "waivers": [
            {"id": "w1", "expires": "2026-11-20T12:00:00Z"},
            {"id": "w2", "expires": "2027-01-01T00:00:00Z"},
        ],
        "policy": {"registries": ["https://good.example/", "xz"]},
    }
)


def module(text: bytes, data: bytes | None = DATA) -> PolicyBundle:
    files = {"decision.rego": text} | ({"data.json": data} if data else {})
    return PolicyBundle(files=files, sha256=hashlib.sha256(text + (data or b"")).hexdigest(), rules=())


def outcome(engine: Engine, bundle: PolicyBundle, query: str) -> bytes | None:
    try:
        return engine.evaluate(bundle, INPUT, query)
    except PolicyError:
        return None


@pytest.fixture(scope="module")
def embedded() -> EmbeddedEngine:
    return EmbeddedEngine(engine_cache(), lambda sentence: None)


@pytest.fixture(scope="module")
def opa() -> Path:
    found = find_opa()
    if found is None:
        pytest.skip(f"no opa {pinned_opa()} in .tools/bin or on PATH (tools/install_parts.sh)")
    return found


@pytest.fixture(scope="module")
def server(opa: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(opa, tmp_path_factory.mktemp("opa"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def remote(server: Server, embedded: EmbeddedEngine) -> Iterator[OpaUrlEngine]:
    with OpaUrlEngine(server.url, check=lambda bundle: embedded.check(bundle, strict=False)) as engine:
        yield engine


def opa_eval(opa: Path, folder: Path, bundle: PolicyBundle, policy_input: bytes, query: str) -> bytes | None:
    """What an auditor types (P23)."""
    (folder / "bundle.tar.gz").write_bytes(to_tar(bundle))
    (folder / "input.json").write_bytes(policy_input)
    capabilities = resources.path("engine", "dist", "capabilities.json")
    command = ["eval", "--strict-builtin-errors", "--format=json", f"--capabilities={capabilities}", "--fail"]
    said = subprocess.run(
        [opa, *command, "--bundle", "bundle.tar.gz", "--input", "input.json", query],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if said.returncode:
        return None
    return canonical.dumps(canonical.loads(said.stdout)["result"][0]["expressions"][0]["value"])


def corpus() -> list[object]:
    return [pytest.param(path, id=path.stem) for path in sorted(CORPUS.glob("*.rego"))]


def expected(path: Path) -> tuple[PolicyBundle, bytes | None, str]:
    text = path.read_bytes()
    wanted = text.partition(b"\n")[0].removeprefix(b"# expect: ")
    if wanted.startswith(b"error "):
        return module(text), None, wanted.removeprefix(b"error ").decode()
    return module(text), canonical.dumps(canonical.loads(wanted)), ""


@pytest.mark.parametrize("path", corpus())
def test_corpus_embedded(embedded: EmbeddedEngine, path: Path) -> None:
    bundle, wanted, code = expected(path)
    if wanted is not None:
        assert embedded.evaluate(bundle, INPUT, "data.sbomgate.corpus") == wanted
        return
    with pytest.raises(PolicyError) as e:
        embedded.evaluate(bundle, INPUT, "data.sbomgate.corpus")
    assert f"[{code}]" in str(e.value)


@pytest.mark.opa
@pytest.mark.parametrize("path", corpus())
def test_corpus_everywhere(remote: OpaUrlEngine, opa: Path, tmp_path: Path, path: Path) -> None:
    bundle, wanted, _ = expected(path)
    assert outcome(remote, bundle, "data.sbomgate.corpus") == wanted
    assert opa_eval(opa, tmp_path, bundle, INPUT, "data.sbomgate.corpus") == wanted
    with OpaEngine(opa) as local:
        assert outcome(local, bundle, "data.sbomgate.corpus") == wanted


def snippets() -> list[str]:
    return SNIPPETS.read_text(encoding="utf-8").split("\n---\n")


@pytest.mark.opa
@pytest.mark.shared
def test_snippets(embedded: EmbeddedEngine, remote: OpaUrlEngine, opa: Path, tmp_path: Path) -> None:
    """P3, P23: identical canonical JSON, or an error everywhere; forbidden built-ins are refused everywhere."""
    if not SNIPPETS.is_file():
        pytest.skip("no ../shared beside this clone")
    found = snippets()
    assert len(found) == 162
    results, forbidden = 0, set()
    for number, text in enumerate(found, 1):
        body = text.removeprefix("import rego.v1\n")
        header = "package sbomgate.snippet\n\n" + ("import rego.v1\n\n" if body != text else "")
        bundle = module((header + body + "\n").encode())
        query = "data.sbomgate.snippet"
        ours = outcome(embedded, bundle, query)
        assert outcome(remote, bundle, query) == ours, f"snippet {number} differs on a server:\n{text}"
        assert opa_eval(opa, tmp_path, bundle, INPUT, query) == ours, f"snippet {number} differs in opa eval:\n{text}"
        results += ours is not None
        if called := [name for name in FORBIDDEN_SNIPPETS if f"{name}(" in text]:
            for engine in (embedded, OpaEngine(opa)):
                with pytest.raises(PolicyError, match="forbidden"):
                    engine.evaluate(bundle, INPUT, query)
            forbidden.update(called)
    assert forbidden == FORBIDDEN_SNIPPETS
    assert results > 120


@pytest.mark.opa
def test_empty_input_and_mistyped_path(embedded: EmbeddedEngine, remote: OpaUrlEngine, opa: Path) -> None:
    """P3: no finding is not the same as no packages to look at; that is the policy's to say, by being undefined."""
    bundle = module(
        b"package sbomgate.decision\n\nresult := [p | some p in input.packages] if count(input.packages) > 0\n"
    )
    with OpaEngine(opa) as local:
        for engine in (embedded, remote, local):
            for policy_input, query in (
                (b"{}", "result"),
                (b'{"packages":[]}', "result"),
                (b'{"packages":[1]}', "resutl"),
            ):
                with pytest.raises(PolicyError, match="undefined"):
                    engine.evaluate(bundle, policy_input, f"data.sbomgate.decision.{query}")
            assert engine.evaluate(bundle, b'{"packages":[1]}', "data.sbomgate.decision.result") == b"[1]"


# ---------------------------------------------------------------------------------------------------------------------
# `--engine opa`: our own process


def alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        os.waitpid(pid, os.WNOHANG)
        os.kill(pid, 0)
        return True
    return False


GOOD = module(b"package sbomgate.decision\n\nresult := input.n\n", None)
OTHER = module(b"package sbomgate.decision\n\nresult := data.k\n", b'{"k":"other"}')


@pytest.mark.opa
def test_local_server_is_ended_always(opa: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def popen(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = real(*args, **kwargs)  # type: ignore[call-overload]
        if "--server" in process.args:  # type: ignore[operator]
            started.append(process)
        return process

    monkeypatch.setattr(subprocess, "Popen", popen)
    with OpaEngine(opa) as engine:
        assert (engine.name, engine.version, engine.ours) == ("opa", pinned_opa(), True)
        assert engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result") == b"1"
        assert engine.evaluate(GOOD, b'{"n":2}', "data.sbomgate.decision.result") == b"2"
        assert len(started) == 1
        assert engine.evaluate(OTHER, INPUT, "data.sbomgate.decision.result") == b'"other"'
        folders = [Path(str(p.args[3]).removeprefix("--addr=unix://")).parent for p in started]  # type: ignore[index]
        assert folders[1].stat().st_mode & 0o777 == 0o700
    with contextlib.suppress(KeyError), OpaEngine(opa) as engine:
        engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result")
        raise KeyError
    assert len(started) == 3
    assert all(process.returncode is not None for process in started)
    assert not any(folder.exists() for folder in folders)


@pytest.mark.opa
def test_local_server_that_dies_or_hangs(opa: Path) -> None:
    with OpaEngine(opa) as engine:
        engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result")
        assert engine._server
        engine._server.kill()
        engine._server.wait()
        with pytest.raises(PolicyError, match="ended by itself with code -9"):
            engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result")
    with OpaEngine(opa, seconds=3) as engine:
        engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result")
        assert engine._server
        engine._server.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, engine._server.pid, os.WSTOPPED | os.WNOWAIT)  # sent is not yet stopped
        with pytest.raises(PolicyError, match="within 3 s"):
            engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result")
        engine._server.send_signal(signal.SIGCONT)


@pytest.mark.opa
@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
def test_local_binary_that_is_none(tmp_path: Path) -> None:
    for name, text, says in (
        ("absent", None, "cannot be run"),
        ("garbage", "not a program", "cannot be run"),
        ("silent", "#!/bin/sh\n", "which OPA"),
        ("old", "#!/bin/sh\necho 'Version: 0.70.0'\n", "expected 1.0"),
        ("fails", "#!/bin/sh\necho 'Version: 1.22.0'\nexit 1\n", "which OPA"),
    ):
        if text is not None:
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        with pytest.raises(PolicyError, match=says):
            OpaEngine(tmp_path / name)


@pytest.mark.opa
def test_local_server_time_limit(opa: Path) -> None:
    slow = module(
        b"package sbomgate.decision\n\nn := numbers.range(1, 2000)\n\n"
        b"result := count([1 | some a in n; some b in n; some c in n; a + b == c])\n",
        None,
    )
    with OpaEngine(opa, seconds=2) as engine, pytest.raises(PolicyError, match="within 2 s"):
        engine.evaluate(slow, INPUT, "data.sbomgate.decision.result")


# ---------------------------------------------------------------------------------------------------------------------
# `--opa-url`: somebody else's


@pytest.fixture
def clean(server: Server) -> Iterator[Server]:
    """The server, which must be as empty afterwards as before."""
    yield server
    for found in server.client.get("/v1/policies").json()["result"]:
        assert server.client.delete(f"/v1/policies/{found['id']}").status_code == 200
    for name in server.client.get("/v1/data").json()["result"]:
        server.client.delete(f"/v1/data/{name}")


@pytest.mark.opa
def test_remote_leaves_nothing(remote: OpaUrlEngine, clean: Server) -> None:
    clean.client.put("/v1/policies/theirs", content="package theirs\n\nallow := true\n")
    clean.client.put("/v1/data/theirs_too", json={"a": 1})
    before = clean.client.get("/v1/data").json(), clean.client.get("/v1/policies").json()
    assert remote.evaluate(OTHER, INPUT, "data.sbomgate.decision.result") == b'"other"'
    assert (remote.name, remote.version, remote.ours) == ("opa-url", pinned_opa(), False)
    with pytest.raises(PolicyError):
        remote.evaluate(
            module(b"package sbomgate.decision\n\nresult := 1 / 0\n"), INPUT, "data.sbomgate.decision.result"
        )
    assert (clean.client.get("/v1/data").json(), clean.client.get("/v1/policies").json()) == before


@pytest.mark.opa
def test_remote_modules_that_need_each_other(remote: OpaUrlEngine, clean: Server) -> None:
    """OPA takes one module at a time, and refuses a call of a function that it does not have yet."""
    files = {
        "decision.rego": b"package sbomgate.decision\n\nresult := data.sbomgate.lib.a.f(1)\n",
        "lib/a.rego": b"package sbomgate.lib.a\n\nf(x) := data.sbomgate.lib.b.g(x)\n",
        "lib/b.rego": b"package sbomgate.lib.b\n\ng(x) := data.sbomgate.lib.z.h(x) + 1\n",
        "lib/z.rego": b"package sbomgate.lib.z\n\nh(x) := x + 1\n",
    }
    bundle = PolicyBundle(files=files, sha256="cd" * 32, rules=())
    assert remote.evaluate(bundle, INPUT, "data.sbomgate.decision.result") == b"3"
    assert clean.client.get("/v1/policies").json()["result"] == []


@pytest.mark.opa
@pytest.mark.parametrize(
    ("package", "data"),
    [
        pytest.param("sbomgate.rules.extra", None, id="another rule"),
        pytest.param("sbomgate.decision", None, id="the decision itself"),
        pytest.param("sbomgate", None, id="the root"),
        pytest.param(None, "/v1/data/sbomgate/rules/extra", id="data in our place"),
        pytest.param(None, "/v1/data/k", id="other data under a name of ours"),
    ],
)
def test_remote_refuses_what_would_be_merged(
    remote: OpaUrlEngine, clean: Server, package: str | None, data: str | None
) -> None:
    """P3, P24: a foreign module in package sbomgate would become part of the decision."""
    if package:
        clean.client.put("/v1/policies/foreign", content=f"package {package}\n\ndeny contains 1\n").raise_for_status()
    if data:
        clean.client.put(data, json={"deny": []}).raise_for_status()
    with pytest.raises(PolicyError, match=r"not ours|other data"):
        remote.evaluate(OTHER, INPUT, "data.sbomgate.decision.result")
    if package:
        assert [p["id"] for p in clean.client.get("/v1/policies").json()["result"]] == ["foreign"]


@pytest.mark.opa
def test_remote_leftovers_of_a_killed_client(server: Server, embedded: EmbeddedEngine, clean: Server) -> None:
    """Its modules are replaced, and its turn ends when nothing has happened for a while."""
    clean.client.put(
        "/v1/policies/sbomgate/00/rules/old.rego", content="package sbomgate.rules.old\n\ndeny contains 1\n"
    )
    clean.client.put("/v1/data/sbomgate_turn", json={"holder": "killed"})
    with OpaUrlEngine(server.url, check=lambda bundle: None, stale_seconds=0.3) as engine:
        assert engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result") == b"1"
    assert clean.client.get("/v1/policies").json()["result"] == []
    assert clean.client.get("/v1/data").json()["result"] == {}


@pytest.mark.opa
def test_remote_clients_take_turns(server: Server, clean: Server) -> None:
    """Several at once, with different policies: each gets the answer of its own."""
    found: list[tuple[int, bytes]] = []

    def work(number: int) -> None:
        bundle = module(f"package sbomgate.decision\n\nresult := {number}\n".encode(), b'{"k":%d}' % number)
        with OpaUrlEngine(server.url, check=lambda bundle: None) as engine:
            found.extend((number, engine.evaluate(bundle, INPUT, "data.sbomgate.decision.result")) for _ in range(3))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted((n, str(n).encode()) for n in range(4) for _ in range(3))


@pytest.mark.opa
def test_remote_forbidden_builtin_is_never_pushed(remote: OpaUrlEngine, clean: Server) -> None:
    with pytest.raises(PolicyError, match=r"opa\.runtime is forbidden"):
        remote.evaluate(
            module(b"package sbomgate.decision\n\nresult := opa.runtime()\n"), INPUT, "data.sbomgate.decision.result"
        )
    assert clean.client.get("/v1/policies").json()["result"] == []


def certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.opa
def test_remote_with_tls_and_token(opa: Path, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    (tmp_path / "authz.rego").write_text(
        'package system.authz\n\ndefault allow := false\n\nallow if input.identity == "the-token"\n'
    )
    server = Server(
        opa,
        tmp_path,
        "--addr=localhost:0",
        f"--tls-cert-file={cert}",
        f"--tls-private-key-file={key}",
        "--authentication=token",
        "--authorization=basic",
        "--skip-version-check",
        "authz.rego",
    )
    try:
        port = listening_port(server.process.pid)
        url = f"https://localhost:{port}"
        with OpaUrlEngine(url, check=lambda bundle: None, ca_file=cert, token="the-token") as engine:
            assert engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result") == b"1"
        with OpaUrlEngine(url, check=lambda bundle: None, ca_file=cert, token="another") as engine:
            with pytest.raises(PolicyError, match=r"refuses .*\(40[13]\)") as e:
                engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result")
            assert "another" not in str(e.value)
        engine = OpaUrlEngine(url, check=lambda bundle: None, token="the-token")
        with engine, pytest.raises(PolicyError, match="CERTIFICATE_VERIFY_FAILED"):
            engine.evaluate(GOOD, INPUT, "data.sbomgate.decision.result")
    finally:
        server.stop()


def listening_port(pid: int) -> int:
    """The port that a process of ours listens on, from the kernel's table."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("needs /proc")
    for _ in range(6000):
        inodes = set()
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes.add(str(fd.readlink()))
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    return int(fields[1].rpartition(":")[2], 16)
        time.sleep(0.01)
    pytest.fail("OPA does not listen")


# ---------------------------------------------------------------------------------------------------------------------
# The artefact


@pytest.mark.go
def test_the_engine_is_what_its_source_gives() -> None:
    """CI rebuilds it: two builds in two folders give the same module."""
    subprocess.run(["go", "test", "./..."], cwd=REPOSITORY / "engine", check=True)
    subprocess.run(["./verify.sh"], cwd=REPOSITORY / "engine", check=True)


def test_every_allowed_builtin_is_linked(embedded: EmbeddedEngine) -> None:
    """P3: what engine/prune.py takes out is forbidden, so that nothing allowed is missing when a policy runs."""
    linked = embedded._ask({"op": "implemented"}, module(b"package a\n", None), b"", {})
    allowed = json.loads(resources.path("engine", "dist", "capabilities.json").read_bytes())
    assert {builtin["name"] for builtin in allowed["builtins"]} - set(linked) == {"assign", "eq"}  # the evaluator's own


@pytest.mark.opa
def test_capabilities_are_opas_own(opa: Path) -> None:
    """What is allowed is a part of what the pinned OPA has, and nothing that OPA itself calls non-deterministic."""
    every = json.loads(subprocess.run([opa, "capabilities", "--current"], check=True, capture_output=True).stdout)
    allowed = json.loads(resources.path("engine", "dist", "capabilities.json").read_bytes())
    known = {builtin["name"]: builtin for builtin in every["builtins"]}
    assert all(known[builtin["name"]] == builtin for builtin in allowed["builtins"])
    assert not any(builtin.get("nondeterministic") for builtin in allowed["builtins"])
    assert allowed["allow_net"] == []
    gone = set(known) - {builtin["name"] for builtin in allowed["builtins"]}
    assert {"http.send", "opa.runtime", "time.now_ns", "rand.intn", "uuid.rfc4122", "net.lookup_ip_addr"} <= gone
