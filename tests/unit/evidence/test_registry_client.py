"""The registry client against a registry that misbehaves: bounded, refused with a reason, and nothing secret shown."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from sbomgate.addresses import show
from sbomgate.errors import EvidenceError, FetchError, SbomgateError, UsageError
from sbomgate.evidence import registry_client
from sbomgate.evidence.registry_auth import Account
from sbomgate.evidence.registry_client import Client, Repository, repository
from testkit.oci_simulator import INDEX, Asked, Reply, Simulator, sha256, simulator

CANARY = "hunter2-canary"
BLOB = b"a blob of evidence"
DIGEST = sha256(BLOB)


@dataclass
class Bench:
    """A simulator, a client, and how long the client waited."""

    registry: Simulator
    client: Client
    waited: list[float] = field(default_factory=list)


@contextmanager
def bench(account: Account | None = None, total_seconds: float = 600.0, **settings: Any) -> Iterator[Bench]:
    with simulator(**settings) as registry, httpx.Client(trust_env=False, timeout=60, verify=False) as http:
        waited: list[float] = []
        at = repository(f"{registry.host}/acme/evidence")
        client = Client(http, at, lambda: account, writes=True, sleep=waited.append, total_seconds=total_seconds)
        yield Bench(registry, client, waited)


@pytest.fixture
def ordinary() -> Iterator[Bench]:
    with bench() as one:
        one.registry.blobs[DIGEST] = BLOB
        yield one


def said(error: BaseException) -> str:
    """All that anybody is shown of an error, with --debug too."""
    hint = error.hint if isinstance(error, SbomgateError) else ""
    return "".join(traceback.format_exception(error)) + str(error) + hint


# --------------------------------------------------------------------------------------------------------------------
# Names


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("registry.example/acme/web", "https://registry.example/v2/acme/web"),
        ("registry.example:5000/web", "https://registry.example:5000/v2/web"),
        ("Registry.Example/web", "https://registry.example/v2/web"),
        ("docker.io/library/node", "https://registry-1.docker.io/v2/library/node"),
        ("localhost:5000/web", "http://localhost:5000/v2/web"),
        ("127.0.0.1:5000/web", "http://127.0.0.1:5000/v2/web"),
        ("127.9.9.9:5000/web", "https://127.9.9.9:5000/v2/web"),
        ("[::1]:5000/web", "http://[::1]:5000/v2/web"),
        ("10.0.0.1:5000/web", "https://10.0.0.1:5000/v2/web"),
        ("localhost.example:5000/web", "https://localhost.example:5000/v2/web"),
    ],
)
def test_http_is_for_this_machine_alone(text: str, url: str) -> None:
    assert repository(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "registry.example", "registry.example/", "web", "acme/web", "registry.example/Web",
        "registry.example/web:tag", "registry.example/web@sha256:" + "ab" * 32, "registry.example/../v2/x",
        "registry.example/a//b", "registry.example:99999/web", "registry.example:0/web", "https://registry.example/web",
        "registry.example/" + "a" * 256, "registry.example/we b", "registry.example/web\n",
        f"u:{CANARY}@registry.example/w",
    ],
)  # fmt: skip
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        repository(text)
    assert CANARY not in said(refused.value)


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    """P39, P40."""
    assert show(f"https://u:{CANARY}@registry.example:1/v2/x?token={CANARY}#f") == "https://registry.example:1/v2/x"
    assert show("https://registry.example:port/") == "an address that is no URL"
    assert show("https://registry.example/\x1b[31m") == "https://registry.example/\\x1b[31m"


# --------------------------------------------------------------------------------------------------------------------
# Reading


def test_what_is_asked_for_by_its_digest_is_hashed(ordinary: Bench) -> None:
    client, registry = ordinary.client, ordinary.registry
    assert client.blob(DIGEST, limit=100) == BLOB
    assert (
        registry.asked[0].headers["accept-encoding"] == "identity"
    )  # a few bytes that unpack to many are not asked for
    assert client.blob(sha256(b"another"), limit=100) is None
    assert client.manifest(sha256(b"another")) is None
    registry.blobs[DIGEST] = b"other bytes"
    registry.manifests[DIGEST] = ("application/vnd.oci.image.manifest.v1+json", b"{}")
    with pytest.raises(EvidenceError, match=f"{DIGEST}: altered"):
        client.blob(DIGEST, limit=100)
    with pytest.raises(EvidenceError, match=f"{DIGEST}: altered"):
        client.manifest(DIGEST)


READS: dict[str, tuple[Reply, str]] = {
    "too much": (Reply(body=b"x" * 101), "more than the limit of 100 bytes"),
    "too much, unsaid": (Reply(body=b"x" * 101, length=-1), "more than the limit of 100 bytes"),
    "too little": (Reply(body=BLOB, length=50), "broke off the connection (4 attempts)"),
    "in another encoding": (Reply(body=b"x" * 40, headers={"Content-Encoding": "gzip"}), "altered"),
    "no status that is known": (Reply(status=299), "answers 299"),
    "teapot": (
        Reply(status=418, body=b'{"errors":[{"code":"TEAPOT","message":"' + CANARY.encode() + b'"}]}'),
        "418 TEAPOT",
    ),
    "an error for people": (Reply(status=410, body=f"<html>{CANARY}".encode()), "answers 410"),
    "an error of a code that is none": (
        Reply(status=410, body=json.dumps({"errors": [{"code": CANARY}]}).encode()),
        "answers 410",
    ),
    "an endless error": (Reply(status=410, body=b"x" * (1 << 20)), "answers 410"),
    "down": (Reply(status=503), "answers 503 (4 attempts)"),
    "down for long": (Reply(status=503, headers={"Retry-After": "3600"}), "asks to wait 3600 s"),
    "forbidden": (Reply(status=403, body=b'{"errors":[{"code":"DENIED"}]}'), "does not allow this account"),
    "a login of another kind": (Reply(status=401, headers={"WWW-Authenticate": "Negotiate"}), "wants a login"),
    "a redirect to nowhere": (Reply(status=307), "a redirect to nowhere"),
    "a redirect out of http": (Reply(status=302, headers={"Location": "file:///etc/passwd"}), "where nothing is sent"),
    "a redirect to http elsewhere": (
        Reply(status=307, headers={"Location": f"http://storage.example/?x={CANARY}"}),
        "redirects to http://storage.example/, where nothing is sent",
    ),
    "a redirect to the cloud's own services": (
        Reply(status=307, headers={"Location": "https://169.254.169.254/latest"}),
        "where nothing is sent",
    ),
    "a redirect with a user": (
        Reply(status=307, headers={"Location": f"https://u:{CANARY}@storage.example/"}),
        "redirects to https://storage.example/, where nothing is sent",
    ),
    "a redirect that is no URL": (Reply(status=307, headers={"Location": "https://[::1/"}), "broke off"),
    "a redirect to itself": (Reply(status=307, headers={"Location": ""}), "a redirect to nowhere"),
    "redirects without end": (Reply(status=307, headers={"Location": "?again"}), "redirects more than 5 times"),
}


@pytest.mark.parametrize(("reply", "says"), READS.values(), ids=READS)
def test_an_answer_that_is_none_is_refused(ordinary: Bench, reply: Reply, says: str) -> None:
    """P9, P40: bounded, and with a reason that shows nothing of what the registry said."""
    ordinary.registry.fault = lambda _: reply
    with pytest.raises((FetchError, EvidenceError)) as refused:
        ordinary.client.blob(DIGEST, limit=100)
    assert says in str(refused.value)
    assert CANARY not in said(refused.value)
    assert len(ordinary.registry.asked) <= 8


def test_an_answer_that_does_not_end_is_left() -> None:
    slow = bench(total_seconds=0.1, fault=lambda _: Reply(body=b"x" * 10_000, drip=0.03))
    with slow as one, pytest.raises(FetchError, match=r"did not end within 0\.1 s"):
        one.client.blob(DIGEST, limit=20_000)


def test_nobody_listens() -> None:
    with httpx.Client(trust_env=False, verify=False) as http:
        client = Client(http, repository("127.0.0.1:1/acme/web"), lambda: None, sleep=lambda _: None)
        with pytest.raises(FetchError, match=r"cannot be connected to \(4 attempts\)"):
            client.blob(DIGEST, limit=100)


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ({}, [0.5, 1.0]),
        ({"Retry-After": "2"}, [2.0, 2.0]),
        ({"Retry-After": "0"}, [0.5, 1.0]),
        ({"Retry-After": "soon"}, [0.5, 1.0]),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:07 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, [7.0, 7.0]),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:07 GMT"}, [0.5, 1.0]),
    ],
    ids=str,
)
def test_a_busy_registry_is_asked_again(ordinary: Bench, header: dict[str, str], waits: list[float]) -> None:
    def busy(_: Asked) -> Reply | None:
        return Reply(status=429, headers=header) if len(ordinary.registry.asked) <= 2 else None

    ordinary.registry.fault = busy
    assert ordinary.client.blob(DIGEST, limit=100) == BLOB
    assert ordinary.waited == waits


def test_a_redirect_to_another_host_carries_no_login() -> None:
    """P40: tokens never go to another host."""
    with bench(Account(user="builder", password=CANARY)) as one, simulator() as storage:
        storage.fault = lambda _: Reply(body=BLOB)

        def elsewhere(asked: Asked) -> Reply | None:
            if "authorization" not in asked.headers:
                return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return Reply(status=307, headers={"Location": f"{storage.url}/signed?signature={CANARY}"})

        one.registry.fault = elsewhere
        assert one.client.blob(DIGEST, limit=100) == BLOB
        assert [asked.headers.get("authorization") for asked in storage.asked] == [None]
        for wanted in ('Basic realm="x"', f'Bearer realm="{storage.url}/token"'):
            storage.asked.clear()
            storage.fault = lambda _, wanted=wanted: Reply(status=401, headers={"WWW-Authenticate": wanted})
            with pytest.raises(FetchError, match="answers 401") as refused:
                one.client.blob(DIGEST, limit=100)
            assert CANARY not in said(refused.value)
            (asked,) = storage.asked
            assert "authorization" not in asked.headers


# --------------------------------------------------------------------------------------------------------------------
# Logging in


def bearer(realm: str) -> Reply:
    return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="registry.test"'})


def tokens(one: Bench, token: object = CANARY, *, status: int = 200) -> Callable[[Asked], Reply | None]:
    """A registry that is never content with a token."""

    def answer(asked: Asked) -> Reply | None:
        if asked.path == "/token":
            return Reply(status=status, body=json.dumps({"token": token}).encode())
        return bearer(f"{one.registry.url}/token")

    return answer


def test_a_login_that_never_succeeds_ends() -> None:
    """A loop of 401 is not followed: two tokens for one request, then it is refused."""
    with bench(Account(user="builder", password=CANARY)) as one:
        one.registry.fault = tokens(one)
        with pytest.raises(FetchError, match="does not allow this account") as refused:
            one.client.blob(DIGEST, limit=100)
        assert one.registry.count("GET", "/token") == 2
        assert one.registry.count("GET", "/blobs/") == 3
        assert CANARY not in said(refused.value)


def test_a_password_that_is_refused_is_sent_once() -> None:
    """Registries lock an account after a few wrong ones."""
    basic = Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    with bench(Account(user="builder", password=CANARY), fault=lambda _: basic) as one:
        with pytest.raises(FetchError, match="does not allow this account to log in"):
            one.client.blob(DIGEST, limit=100)
        assert [("authorization" in asked.headers) for asked in one.registry.asked] == [False, True]


@pytest.mark.parametrize("token", [None, 7, "", "a b", "a\nb: c", "ü", "x" * 70_000], ids=ascii)
def test_a_token_that_no_header_holds_is_refused(token: object) -> None:
    with bench(Account(user="builder", password=CANARY)) as one:
        one.registry.fault = tokens(one, token)
        with pytest.raises(FetchError, match="gives no token that can be sent") as refused:
            one.client.blob(DIGEST, limit=100)
        assert CANARY not in said(refused.value)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 503])
def test_a_token_service_that_refuses_is_named(status: int) -> None:
    with bench(Account(identity_token=CANARY)) as one:
        one.registry.fault = tokens(one, status=status)
        with pytest.raises(FetchError, match=f"the token service answers {status}") as refused:
            one.client.blob(DIGEST, limit=100)
        assert CANARY not in said(refused.value)


@pytest.mark.parametrize(
    "realm",
    [
        "http://tokens.example/token", "ftp://tokens.example/", "https://169.254.169.254/token", "/token", "",
        f"https://u:{CANARY}@tokens.example/", "https://tokens.example:port/",
    ],
)  # fmt: skip
def test_a_login_goes_only_over_tls(realm: str) -> None:
    """P40."""
    with bench(Account(user="builder", password=CANARY), fault=lambda _: bearer(realm)) as one:
        with pytest.raises(FetchError, match="where nothing is sent") as refused:
            one.client.blob(DIGEST, limit=100)
        assert len(one.registry.asked) == 1
        assert CANARY not in said(refused.value)


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://storage.example/x", True),
        ("https://storage.example:8443/x", True),
        ("/v2/web/blobs/uploads/1", True),
        ("https://registry.example:443/x", True),
        ("http://registry.example/x", False),
        ("http://storage.example/x", False),
        ("https://127.0.0.1/x", False),
        ("https://localhost/x", False),
        ("https://[::ffff:127.0.0.1]/x", False),
        ("https://0.0.0.0/x", False),
        ("https://[fe80::1%25eth0]/x", False),
        ("https://storage.example:0/x", False),
        ("https://storage.example/" + "x" * 9000, False),
    ],
)
def test_a_remote_registry_leads_neither_out_of_tls_nor_in_here(url: str, fits: bool) -> None:
    with httpx.Client(trust_env=False, verify=False) as http:
        client = Client(http, Repository(host="registry.example", name="web"), lambda: None)
        if fits:
            at = "https://registry.example/v2/"
            assert client._allowed(url, at) == urljoin(at, url)
            return
        with pytest.raises(FetchError, match="where nothing is sent"):
            client._allowed(url, "https://registry.example/v2/")


def test_a_token_is_asked_for_once_and_kept() -> None:
    with bench(Account(user="builder", password=CANARY)) as one:
        one.registry.blobs[DIGEST] = BLOB

        def answer(asked: Asked) -> Reply | None:
            if asked.path == "/token":
                assert asked.query == {"service": "registry.test", "scope": "repository:acme/evidence:pull,push"}
                return Reply(body=b'{"access_token":"t1","expires_in":300}')
            if asked.headers.get("authorization") != "Bearer t1":
                return bearer(f"{one.registry.url}/token")
            return None

        one.registry.fault = answer
        for _ in range(3):
            assert one.client.blob(DIGEST, limit=100) == BLOB
        assert one.registry.count("GET", "/token") == 1
        assert one.registry.count("GET", "/blobs/") == 4


# --------------------------------------------------------------------------------------------------------------------
# Listing

ABOUT = sha256(b"about")


def listing(*entries: object, **more: str) -> Reply:
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}
    return Reply(headers={"Content-Type": INDEX, **more}, body=json.dumps(index).encode())


def entry(number: int) -> dict[str, Any]:
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": sha256(b"%d" % number), "size": 1}


def test_a_list_of_several_pages_is_one(ordinary: Bench) -> None:
    for number in range(7):
        data = json.dumps({"subject": {"digest": ABOUT}, "n": number}).encode()
        ordinary.registry.manifests[sha256(data)] = ("application/vnd.oci.image.manifest.v1+json", data)
    ordinary.registry.page = 3
    found = ordinary.client.referrers(ABOUT)
    assert len(found.digests) == 7
    assert found.api
    assert ordinary.registry.count("GET", "/referrers/") == 3


LISTS: dict[str, tuple[Reply, str]] = {
    "pages without end": (listing(entry(1), Link='<?page=2>; rel="next"'), "more than 100 pages"),
    "pages elsewhere": (listing(entry(1), Link='<https://other.example/>; rel="next"'), "on another host"),
    "no list": (Reply(headers={"Content-Type": INDEX}, body=b"[]"), "not an OCI index"),
    "no list inside": (Reply(headers={"Content-Type": INDEX}, body=b'{"manifests":{}}'), "not an OCI index"),
    "no JSON": (Reply(headers={"Content-Type": INDEX}, body=b"<html>"), "not JSON"),
    "a key twice": (Reply(headers={"Content-Type": INDEX}, body=b'{"manifests":[],"manifests":[]}'), "manifests"),
    "an entry that is none": (listing("x"), "manifests[0]: has no digest"),
    "a digest that is none": (listing({"digest": 7}), "manifests[0]: has no digest"),
    "down": (Reply(status=500), "answers 500"),
    "forbidden": (Reply(status=403), "does not allow"),
    "too long": (Reply(headers={"Content-Type": INDEX}, body=b" " * ((8 << 20) + 1)), "more than the limit"),
}


@pytest.mark.parametrize(("reply", "says"), LISTS.values(), ids=LISTS)
def test_a_list_that_is_none_is_refused(ordinary: Bench, reply: Reply, says: str) -> None:
    ordinary.registry.fault = lambda _: reply
    with pytest.raises((FetchError, EvidenceError)) as refused:
        ordinary.client.referrers(ABOUT)
    assert says in str(refused.value)


def test_too_many_referrers_are_refused(ordinary: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_client, "MAX_REFERRERS", 2)
    ordinary.registry.fault = lambda _: listing(*map(entry, range(3)))
    with pytest.raises(FetchError, match="more than 2 referrers"):
        ordinary.client.referrers(ABOUT)


@pytest.mark.parametrize(
    "reply",
    [Reply(status=400), Reply(status=404), Reply(status=405), Reply(status=406), Reply(body=b"<html>welcome")],
    ids=["400", "404", "405", "406", "a page for people"],
)
def test_without_the_api_the_fallback_tag_is_read(ordinary: Bench, reply: Reply) -> None:
    """Specification, "Referrers Tag Schema"."""
    tag = ABOUT.replace(":", "-")
    ordinary.registry.fault = lambda asked: reply if "/referrers/" in asked.path else None
    assert ordinary.client.referrers(ABOUT).entries == ()
    other = {"mediaType": "x/y", "digest": "sha512:" + "ab" * 64, "size": 1, "data": "kept as it is"}
    kept = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [other, entry(1)], "annotations": {"a": "b"}}
    ordinary.registry.manifests[tag] = (INDEX, json.dumps(kept).encode())
    found = ordinary.client.referrers(ABOUT)
    assert not found.api
    assert found.digests == {entry(1)["digest"]}
    # what others wrote there stays as it is
    ordinary.client.put_tag(ABOUT, [entry(1), entry(2)])
    written = json.loads(ordinary.registry.manifests[tag][1])
    assert written == {**kept, "manifests": [other, entry(1), entry(2)]}
    writes = ordinary.registry.count("PUT")
    ordinary.client.put_tag(ABOUT, [entry(2)])
    assert ordinary.registry.count("PUT") == writes
    # what is no index there is no empty one
    ordinary.registry.manifests[tag] = ("text/html", b"<html>")
    with pytest.raises(FetchError, match="text/html, expected application/vnd"):
        ordinary.client.referrers(ABOUT)


# --------------------------------------------------------------------------------------------------------------------
# Writing


@pytest.fixture(params=[True, False], ids=["in one request", "in two"])
def uploads(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(single=request.param) as one:
        yield one


def test_a_blob_arrives_as_it_is(uploads: Bench) -> None:
    for data in (b"", b"small", b"x" * 100_000):
        uploads.client.put_blob(data)
        assert uploads.registry.blobs[sha256(data)] == data
    posts = uploads.registry.count("POST")
    uploads.client.put_blob(b"x" * 100_000)
    assert uploads.registry.count("POST") == posts, "what is there is not sent again"


@pytest.mark.parametrize("wanted", ["", "30", "5", "x", "9" * 30])
def test_a_large_blob_goes_in_pieces(ordinary: Bench, monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    for name, value in {
        "CHUNKED_ABOVE_BYTES": 64,
        "SINGLE_BYTES": 10,
        "CHUNK_BYTES": 20,
        "MAX_CHUNK_BYTES": 40,
    }.items():
        monkeypatch.setattr(registry_client, name, value)
    data, failed = bytes(range(101)), []

    def fault(asked: Asked) -> Reply | None:
        if asked.method == "PATCH" and len(asked.headers) and len(ordinary.registry.asked) == 4:
            failed.append(asked.headers["content-range"])
            return Reply(status=503)
        if asked.method == "POST" and wanted:
            reply = ordinary.registry.serve(asked)
            return replace(reply, headers={**reply.headers, "OCI-Chunk-Min-Length": wanted})
        return None

    ordinary.registry.fault = fault
    ordinary.client.put_blob(data)
    assert ordinary.registry.blobs[sha256(data)] == data
    assert failed, "a piece failed, and the whole began again"
    assert ordinary.registry.count("POST") == 2
    size = {"30": 30, "9" * 30: 40}.get(wanted, 20)
    assert ordinary.registry.count("PATCH") == 2 + -(-101 // size)


WRITES: dict[str, tuple[str, Reply, str]] = {
    "no place": ("POST", Reply(status=202), "does not say where"),
    "a place elsewhere": ("POST", Reply(status=202, headers={"Location": "http://other.example/"}), "nothing is sent"),
    "refused": ("POST", Reply(status=403, body=b'{"errors":[{"code":"DENIED"}]}'), "403 DENIED"),
    "another answer": ("POST", Reply(status=200), "answers 200"),
    "full": ("PUT", Reply(status=507), "answers 507"),
    "a digest that it does not like": (
        "PUT", Reply(status=400, body=b'{"errors":[{"code":"DIGEST_INVALID"}]}'), "400 DIGEST_INVALID",
    ),
    "a redirect that is none": ("PUT", Reply(status=302, headers={"Location": "/"}), "a redirect to nowhere"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "reply", "says"), WRITES.values(), ids=WRITES)
def test_an_upload_that_fails_says_why(uploads: Bench, method: str, reply: Reply, says: str) -> None:
    uploads.registry.single = False
    uploads.registry.fault = lambda asked: reply if asked.method == method else None
    with pytest.raises(FetchError) as refused:
        uploads.client.put_blob(b"some bytes")
    assert says in str(refused.value)


def test_an_upload_elsewhere_carries_no_login() -> None:
    """P40: a registry may have the bytes put on another host; the login stays."""
    with bench(Account(user="builder", password=CANARY)) as one, simulator() as storage:
        storage.fault = lambda _: Reply(status=201)

        def elsewhere(asked: Asked) -> Reply | None:
            if "authorization" not in asked.headers:
                return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return Reply(status=202, headers={"Location": f"{storage.url}/upload?signature={CANARY}"})

        one.registry.fault = elsewhere
        one.client.put_blob(b"some bytes")
        (asked,) = storage.asked
        assert asked.method == "PUT"
        assert "authorization" not in asked.headers
        assert asked.query == {"signature": CANARY, "digest": sha256(b"some bytes")}


def test_a_manifest_that_no_registry_takes_is_not_sent(ordinary: Bench) -> None:
    with pytest.raises(EvidenceError, match="registries take up to"):
        ordinary.client.put_manifest(b"x" * ((4 << 20) + 1))
    assert not ordinary.registry.asked
