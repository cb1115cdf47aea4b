"""What a build job's environment may hold, and where a lockfile may point: neither changes an answer, nor is asked."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import sbomgate
from sbomgate.npm import registry as client
from testkit import commandline, tarballs
from testkit.commandline import PROGRAM, TOKEN, World
from testkit.registry import Simulator

OFFLINE = ("check", "shop", "--trust", "trust.toml", "--offline", "--json")
PROGRAMS = (
    "git", "opa", "node", "npm", "npx", "pnpm", "yarn", "bun", "corepack", "python", "python3", "sh", "bash", "uname",
    "id", "ldconfig", "gcc", "cc", "objdump", "ld", "openssl", "cosign", "docker", "ssh", "env", "lsb_release",
)  # fmt: skip


@pytest.fixture
def trap() -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes whatever comes: its address, and what came."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    came.append(b"somebody")

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", came
        server.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def hostile(folder: Path, address: str) -> dict[str, str]:
    """The variables that tools obey, each pointing at something that leaves a mark in `folder`/ran."""
    folder.mkdir()
    mark = folder / "ran"
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\n: >> '{mark}'\n")
        (folder / name).chmod(0o755)
    (folder / "evil.js").write_text(f"require('fs').writeFileSync({json.dumps(str(mark))}, '')\n")
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (folder / "config").write_text(f"[core]\n\tfsmonitor = {folder}/git\n\tpager = {folder}/git\n")
    (folder / "openssl.cnf").write_text("openssl_conf = default\n[default]\nproviders = nothing\n")
    (folder / "ca.pem").write_text("no certificate\n")
    return {
        "PATH": str(folder),
        "TMPDIR": str(folder / "no such folder"),
        "NODE_OPTIONS": f"--require {folder}/evil.js",
        "NODE_PATH": str(folder),
        "npm_config_registry": address,
        "npm_config_script_shell": str(folder / "sh"),
        "PYTHONSTARTUP": str(folder / "evil.py"),
        "PYTHONBREAKPOINT": "os.abort",
        "PYTHONHASHSEED": "1",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "TZ": "Pacific/Kiritimati",
        "COLUMNS": "1",
        "GIT_DIR": str(folder),
        "GIT_WORK_TREE": "/",
        "GIT_CONFIG_GLOBAL": str(folder / "config"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(folder / "git"),
        "GIT_SSH_COMMAND": str(folder / "ssh"),
        "GIT_EXTERNAL_DIFF": str(folder / "git"),
        "GIT_PROXY_COMMAND": str(folder / "git"),
        "GIT_ASKPASS": str(folder / "git"),
        "HTTPS_PROXY": address,
        "HTTP_PROXY": address,
        "ALL_PROXY": address,
        "https_proxy": address,
        "SSL_CERT_FILE": str(folder / "ca.pem"),
        "SSL_CERT_DIR": str(folder),
        "REQUESTS_CA_BUNDLE": str(folder / "ca.pem"),
        "SSLKEYLOGFILE": str(folder / "ran"),
        "SIGSTORE_ID_TOKEN": "x",
        "TUF_ROOT": str(folder),
        "OPA_CONFIG": str(folder / "config"),
        "SBOMGATE_TRUST": str(folder / "trust.toml"),
        "SBOMGATE_POLICY": str(folder),
        "SBOMGATE_PROFILE": "observe",
        "SBOMGATE_OFFLINE": "0",
        "SBOMGATE_OPA_URL": address,
        "XDG_CONFIG_HOME": str(folder),
        "XDG_CONFIG_DIRS": str(folder),
    }


def test_P21_P26_no_variable_of_the_environment_changes_a_decision(
    world: World, tmp_path: Path, trap: tuple[str, list[bytes]]
) -> None:
    """P21, P26: the same words, bytes and exit codes; nothing is started, nobody is called, no file is left."""
    address, came = trap
    folder = tmp_path / "hostile"
    variables = hostile(folder, address)
    before = sorted(path.name for path in folder.iterdir())
    own = {"PYTHONPATH": str(Path(sbomgate.__file__).resolve().parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    clean, dirty = (world.environment(**own, **more) for more in ({}, variables))
    command = [sys.executable, "-c", PROGRAM]

    def run(env: dict[str, str], *arguments: str) -> tuple[int, bytes]:
        made = subprocess.run([*command, *arguments], cwd=world.root, env=env, capture_output=True, check=False)
        return made.returncode, made.stdout

    expected = run(clean, *OFFLINE)
    assert expected[0] == 0
    assert run(dirty, *OFFLINE) == expected
    shutil.rmtree(world.store)
    assert run(dirty, *world.gate("--json"))[0] == 0
    verified = run(clean, *world.verify("--json"))
    assert verified[0] == 0
    assert run(dirty, *world.verify("--json")) == verified
    assert came == []
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "shop", "--trust", "trust.toml", "--offline", "--baseline", ""),
        ("check", "shop", "--trust", "trust.toml", "--offline", "--policy="),
        ("check", "", "--trust", "trust.toml", "--offline"),
        ("gate", "shop", "--subject", "", "--key", "release.key", "--trust", "trust.toml"),
        ("verify", "file:app.tgz", "--trust", "trust.toml", "--store", ""),
        ("verify", "file:app.tgz", "--trust", "trust.toml", "--environment", ""),
        ("",),
    ],
    ids=lambda arguments: " ".join(arguments)[-30:],
)
def test_P1_a_variable_that_is_not_set_names_nothing(world: World, arguments: tuple[str, ...]) -> None:
    """P1: `--baseline "$STORE"` without STORE was this folder, which holds no baseline; the first run denies less."""
    made = commandline.refused(world, *arguments, says=["is followed by nothing"])
    assert "is a variable not set?" in made.err


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=min,
)
def test_P1_a_locale_without_letters_fails_nothing_that_is_done(world: World, variables: dict[str, str]) -> None:
    """P1: a revocation was stored, and the dot in the line that says so ended it with exit code 2."""
    (decision,) = world.store.glob("*/*/decisions/*")
    own = {"PYTHONPATH": str(Path(sbomgate.__file__).resolve().parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    revoke = ("revoke", decision.name, "--reason", "stolen", "--key", "release.key", "--trust", "trust.toml")
    made = world.spawn(*revoke, env=world.environment(**own, **variables))
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("REVOKED  1 decision on 1 build · by release key · ")


NOT_UTF_8 = "x\udcffy"  # how Python has the byte 0xFF of an argument


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", f"file:{NOT_UTF_8}", "--trust", "trust.toml"),
        ("gate", "shop", "--subject", "file:app.tgz", "--key", "release.key", "--trust", "trust.toml",
         "--repository", f"https://git.example/{NOT_UTF_8}"),
        ("revoke", "a" * 64, "--reason", NOT_UTF_8, "--key", "release.key", "--trust", "trust.toml"),
        ("inventory", "deployed", "file:app.tgz", "--environment", NOT_UTF_8, "--inventory", "inventory"),
        ("policy", "new", "mine", "--out", NOT_UTF_8),
        ("key", "new", "--out", NOT_UTF_8),
        (NOT_UTF_8,),
    ],
    ids=lambda arguments: arguments[0] if arguments[0].isascii() else "a verb",
)  # fmt: skip
def test_P1_what_is_no_text_is_named(world: World, arguments: tuple[str, ...]) -> None:
    """P1: an environment of such bytes went into the inventory, of which nothing could be printed from then on."""
    made = commandline.refused(world, *arguments, says=["is not UTF-8"])
    assert "\\udcff" in made.err


def test_P1_a_folder_whose_name_is_no_text_is_named(world: World) -> None:
    """P1: no argument names it, and the decision would have to."""
    odd = world.project / NOT_UTF_8
    try:
        odd.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(world.project / name, odd / name)
    inside = commandline.World(odd)
    trust = ("--trust", str(world.trust), "--offline")
    for arguments in (("check",), ("gate", "--subject", "file:package.json", "--key", str(world.root / "release.key"))):
        made = inside.run(*arguments, *trust, env=world.environment())
        commandline.must_be_refused(made, says=["the name of a folder is not UTF-8"])


# --------------------------------------------------------------------------------------------------------------------
# SSRF: whoever writes the lockfile, or answers as a registry, names addresses


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BACKOFF_SECONDS", (0.0,))


def project(world: World, registry: Simulator) -> None:
    """One package of a registry that the trust file names."""
    world.write_project([("a", "1.0.0", tarballs.package("a", "1.0.0"))], registry=registry.url)
    (world.project / ".npmrc").write_text(f"registry={registry.url}\n")
    world.trust.write_text(world.trust.read_text() + f'\n[[registries]]\nurl = "{registry.url}"\n')


@pytest.mark.usefixtures("impatient")
def test_what_a_lockfile_names_is_not_asked(world: World, trap: tuple[str, list[bytes]]) -> None:
    """`resolved` of every kind that names an internal service, under a trust file that names the registry."""
    address, came = trap
    shutil.rmtree(world.store)
    with Simulator() as registry:
        registry.publish("a", "1.0.0", tarballs.package("a", "1.0.0"))
        project(world, registry)
        lock = json.loads((world.project / "package-lock.json").read_bytes())
        own = dict(lock["packages"]["node_modules/a"])
        inner = {
            "registry": f"{address}/a/-/a-1.0.0.tgz",
            "tarball": f"{address}/latest/meta-data/iam",
            "git": f"git+{address}/x.git#{'a' * 40}",
            "user": f"http://registry.npmjs.org@{address.removeprefix('http://')}/a/-/a-1.0.0.tgz",
        }
        for name, resolved in inner.items():
            lock["packages"][f"node_modules/{name}"] = {**own, "resolved": resolved}
            lock["packages"][""]["dependencies"][name] = "1.0.0"
        (world.project / "package-lock.json").write_text(json.dumps(lock))
        (world.project / "package.json").write_text(json.dumps(lock["packages"][""]))
        made = world.run("check", "shop", "--trust", "trust.toml", "--json")
        assert made.code == 1, made.err
        assert came == []
        assert registry.asked("/a"), "the registry that is trusted was asked"


@pytest.mark.usefixtures("impatient")
def test_P40_what_a_registry_names_elsewhere_is_not_asked(world: World, trap: tuple[str, list[bytes]]) -> None:
    """P40: `dist.tarball` and `dist.attestations` of another host get no token, and no request at all."""
    address, came = trap
    shutil.rmtree(world.store)
    with Simulator(token=TOKEN) as registry:
        elsewhere = {
            "tarball": f"{address}/a/-/a-1.0.0.tgz",
            "attestations": {
                "url": f"{address}/-/npm/v1/attestations/a@1.0.0",
                "provenance": {"predicateType": "https://slsa.dev/provenance/v1"},
            },
        }
        registry.publish("a", "1.0.0", tarballs.package("a", "1.0.0"), dist=elsewhere)
        project(world, registry)
        with (world.project / ".npmrc").open("a") as npmrc:
            npmrc.write(f"{registry.url.removeprefix('http:')}:_authToken={TOKEN}\n")
        made = world.run("check", "shop", "--trust", "trust.toml", "--json", "--profile", "strict")
        assert made.code == 1, made.err
        assert "advertised-missing" not in made.out, "P6: it was not looked for"
        assert any("authorization" in one.headers for one in registry.asked("/a"))
        assert came == []
