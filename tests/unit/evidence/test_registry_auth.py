"""Docker's config.json, credential helpers and challenges: what is read of them, and that nothing of it is shown."""

from __future__ import annotations

import base64
import json
import os
import traceback
from pathlib import Path

import pytest

from sbomgate.errors import FetchError
from sbomgate.evidence import registry_auth
from sbomgate.evidence.registry_auth import NO_LOGIN, Account, Challenge, Login, challenge, read_config, run_helper
from testkit.oci_registries import credential_helper

CANARY = "hunter2-canary"
AUTH = base64.b64encode(f"builder:{CANARY}".encode()).decode()
BUILDER = Account(user="builder", password=CANARY)
HOST = "registry.example:5000"


def no_helper(name: str, server: str) -> bytes | None:
    raise AssertionError(f"{name} was asked about {server}")


def said(error: FetchError) -> str:
    return "".join(traceback.format_exception(error)) + error.hint


ENTRIES: dict[str, tuple[dict[str, object], Account | None]] = {
    "user and password in one": ({"auth": AUTH}, BUILDER),
    "user and password": ({"username": "builder", "password": CANARY}, BUILDER),
    "a colon in the password": (
        {"auth": base64.b64encode(b"builder:a:b").decode()},
        Account(user="builder", password="a:b"),
    ),
    "filled up with NUL, as old versions did": (
        {"auth": base64.b64encode(f"builder:{CANARY}\0\0".encode()).decode()},
        BUILDER,
    ),
    "an identity token beside it": ({"auth": AUTH, "identitytoken": CANARY}, Account(identity_token=CANARY)),
    "a registry's token": ({"registrytoken": CANARY}, Account(bearer=CANARY)),
    "an e-mail address alone": ({"email": "builder@example.test"}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize(("entry", "expected"), ENTRIES.values(), ids=ENTRIES)
def test_an_entry_of_the_file(entry: dict[str, object], expected: Account | None) -> None:
    config = read_config(json.dumps({"auths": {HOST: entry}}).encode(), "config.json")
    assert config.account(HOST, no_helper) == expected
    assert config.account("registry.example", no_helper) is None
    assert CANARY not in repr(config) + repr(expected)


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("registry.example", "registry.example"),
        ("https://registry.example", "registry.example"),
        ("https://registry.example/v1/", "registry.example"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_host_under_each_of_its_names(key: str, host: str) -> None:
    assert read_config(json.dumps({"auths": {key: {"auth": AUTH}}}).encode(), "-").account(host, no_helper) == BUILDER


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff\xfe{}", b"[]", b'{"auths":', b'{"auths":{},"auths":{}}', b'{"auths":[]}', b'{"auths":{"h":7}}',
        b'{"credHelpers":{"h":7}}', b'{"credHelpers":["x"]}', b'{"credsStore":7}', b"[" * 5000,
        b'{"auths":{"h":"' + CANARY.encode() + b'"}}', b'{"auths":' + CANARY.encode(),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(FetchError) as refused:
        read_config(data, "config.json")
    assert refused.value.where == "config.json"
    assert CANARY not in said(refused.value)


@pytest.mark.parametrize(
    "entry", [{"auth": CANARY + "!"}, {"auth": "YnVpbGRlcg=="}, {"auth": "//79"}, {"auth": 7}, {"password": [CANARY]}]
)
def test_an_entry_that_is_none_is_refused(entry: dict[str, object]) -> None:
    config = read_config(json.dumps({"auths": {HOST: entry}}).encode(), "config.json")
    with pytest.raises(FetchError) as refused:
        config.account(HOST, no_helper)
    assert CANARY not in said(refused.value)


def test_without_a_file_there_is_no_account() -> None:
    assert NO_LOGIN.account(HOST, no_helper) is None
    assert read_config(b"{}", "-").account(HOST, no_helper) is None


def test_a_helper_of_the_host_comes_before_the_general_one() -> None:
    asked: list[tuple[str, str]] = []

    def helper(name: str, server: str) -> bytes | None:
        asked.append((name, server))
        return b'{"Username":"<token>","Secret":"s"}' if name == "own" else None

    text = json.dumps({"credHelpers": {HOST: "own"}, "credsStore": "all", "auths": {"other.example": {"auth": AUTH}}})
    config = read_config(text.encode(), "-")
    assert config.account(HOST, helper) == Account(identity_token="s")
    assert config.account("other.example", helper) == BUILDER, "what the helper does not know may stand in the file"
    assert config.account("docker.io", helper) is None
    assert asked == [("own", HOST), ("all", "other.example"), ("all", "https://index.docker.io/v1/")]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "a b", "x" * 65, "$(id)", "a\0"])
def test_a_helper_is_named_plainly(name: str) -> None:
    config = read_config(json.dumps({"credHelpers": {HOST: name}}).encode(), "config.json")
    with pytest.raises(FetchError, match="no plain name"):
        config.account(HOST, no_helper)


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{}", b'{"Username":"x"}', b'{"Username":1,"Secret":"hunter2-canary"}']
)
def test_a_helper_that_answers_something_else(answer: bytes) -> None:
    config = read_config(json.dumps({"credsStore": "x"}).encode(), "config.json")
    with pytest.raises(FetchError) as refused:
        config.account(HOST, lambda *_: answer)
    assert CANARY not in said(refused.value)


HELPERS: dict[str, tuple[str, bytes | str | None]] = {
    "answers": ("cat; exit 0", f"{HOST}\n".encode()),
    "does not read": ("echo {}", b"{}\n"),
    "knows it not": ("echo credentials not found in native keychain; exit 1", None),
    "fails": (f"echo {CANARY}; echo {CANARY} >&2; exit 4", "exited with 4"),
    "writes without end": (f"exec yes {CANARY}", "wrote more than"),
    "leaves a child behind that does": ("sleep 30; exit 0", "was ended after 0.3 seconds"),
    "takes for ever": ("exec sleep 30", "was ended after 0.3 seconds"),
}


@pytest.mark.parametrize(("body", "expected"), HELPERS.values(), ids=HELPERS)
def test_a_helper_is_bounded(
    body: str,
    expected: bytes | str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """P9, P40: in time and output; what it writes to stderr is shown to nobody."""
    monkeypatch.setattr(registry_auth, "MAX_HELPER_SECONDS", 0.3 if "sleep" in body else 30)
    folder = credential_helper(tmp_path / "bin", "x", body)

    def run() -> bytes | None:
        return run_helper("x", HOST, program=lambda name: str(folder / name), environment=dict(os.environ))

    if isinstance(expected, str):
        with pytest.raises(FetchError) as refused:
            run()
        assert expected in str(refused.value)
        assert CANARY not in said(refused.value)
    else:
        assert run() == expected
    assert CANARY not in "".join(capfd.readouterr())


def test_a_helper_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no such program on PATH"):
        run_helper("x", HOST, program=lambda _: None, environment={})
    with pytest.raises(FetchError, match="cannot be started"):
        run_helper("x", HOST, program=lambda _: str(tmp_path), environment={})


def test_threads_that_are_refused_together_ask_for_one_token() -> None:
    asked: list[str] = []

    def exchange(url: str, headers: object, form: object) -> bytes:
        asked.append(url)
        return b'{"token":"t%d"}' % len(asked)

    login = Login(scope="repository:a:pull", account=lambda: None, exchange=exchange)
    wanted = ['Bearer realm="https://tokens.example/token"']
    assert login.answer(wanted, None)
    assert login.answer(wanted, None), "another thread, whose request was sent before"
    assert asked == ["https://tokens.example/token?scope=repository%3Aa%3Apull"]
    assert login.answer(wanted, "Bearer t1")
    assert login.header == "Bearer t2"
    assert not login.answer(["Basic"], "Bearer t2"), "without an account there is nothing to send"


CHALLENGES: dict[str, tuple[list[str], Challenge | None]] = {
    "none": ([], None),
    "another": (["Negotiate", "Digest realm=x"], None),
    "basic": (['Basic realm="x y"'], Challenge(scheme="basic", parameters={"realm": "x y"})),
    "bearer": (
        ['bearer Realm="https://t.example/token",service="s",scope="repository:a:pull,push"'],
        Challenge(
            scheme="bearer",
            parameters={"realm": "https://t.example/token", "service": "s", "scope": "repository:a:pull,push"},
        ),
    ),
    "both": (['Basic realm="x"', 'Bearer realm="y"'], Challenge(scheme="bearer", parameters={"realm": "y"})),
    "a word that begins so": (['Basically realm="x"'], None),
    "long": (["Basic " + "x" * 100_000], Challenge(scheme="basic", parameters={})),
}


@pytest.mark.parametrize(("headers", "expected"), CHALLENGES.values(), ids=CHALLENGES)
def test_what_a_registry_wants_to_see(headers: list[str], expected: Challenge | None) -> None:
    assert challenge(headers) == expected
