from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sbomgate import resources
from sbomgate.errors import UsageError
from sbomgate.model import Kind, Package
from sbomgate.policy import lists
from testkit import inputs as b

HEAD = b"name,versions,osv_id,wave,sources\n"
IOC = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "ioc" / "npm-malicious.csv"


def load(body: str, name: str = "ours") -> lists.MaliciousList:
    return lists.load(HEAD + body.encode(), name=name, where="list.csv")


def hits(p: Package, body: str = "axios,0.30.4|1.14.1,MAL-1,w,s\n") -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = lists.join([p], [load(body)]).get(p.id, lists.Hits(exact=(), other=()))
    return found.exact, found.other


def test_the_shipped_list_holds_the_incident_and_nothing_else() -> None:
    data = resources.path(*lists.SHIPPED).read_bytes()
    shipped = lists.load(data, name="shipped", where="shipped")
    assert shipped.sha256 == hashlib.sha256(data).hexdigest()
    evil = [b.package("axios", "1.14.1"), b.package("axios", "0.30.4", id="2"), b.package("plain-crypto-js", "4.2.1")]
    found = lists.join([*evil, b.package("plain-crypto-js", "4.2.0", id="4")], [shipped])
    assert {id_: h.exact for id_, h in found.items()} == {
        "node_modules/axios": ("MAL-2026-2307",),
        "2": ("MAL-2026-2307",),
        "node_modules/plain-crypto-js": ("MAL-2026-2306",),
        "4": (),
    }
    assert shipped.entries == 2


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        pytest.param(b.package("axios", "1.14.1"), (("MAL-1",), ()), id="A01"),
        pytest.param(b.package("axios", "1.14.0"), ((), ("MAL-1",)), id="another version"),
        pytest.param(b.package("axios", "1.14.1", id="node_modules/http", alias="http"), (("MAL-1",), ()), id="A05"),
        pytest.param(
            b.package("harmless", "1.0.0", resolved="https://r.test/axios/-/axios-1.14.1.tgz"),
            (("MAL-1",), ()),
            id="A06 by its address",
        ),
        pytest.param(
            b.package("axios", "1.14.0", resolved="https://r.test/axios/-/axios-1.14.1.tgz"), (("MAL-1",), ()), id="A10"
        ),
        pytest.param(b.package("axios", "1.14.1+build"), (("MAL-1",), ()), id="build metadata"),
        pytest.param(b.package("axios", "v1.14.1"), (("MAL-1",), ()), id="v"),
        pytest.param(b.package("axios", "1.14.10"), ((), ("MAL-1",)), id="a longer version"),
        pytest.param(b.package("axios", None), ((), ("MAL-1",)), id="no version"),
        pytest.param(b.package("axios", "1.14.1", kind=Kind.WORKSPACE), ((), ()), id="L30 workspace"),
        pytest.param(b.package("axios", "1.14.1", kind=Kind.LINK), ((), ()), id="L30 link"),
        pytest.param(b.package("axios", "1.14.1", kind=Kind.BUNDLED, resolved=None), (("MAL-1",), ()), id="bundled"),
        pytest.param(b.package("axios2", "1.14.1"), ((), ()), id="another name"),
    ],
)
def test_join(p: Package, expected: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    assert hits(p) == expected


def test_scoped_names_in_addresses() -> None:
    for address in ("https://r.test/@a/b/-/b-1.0.0.tgz", "https://r.test/@a%2fb/-/b-1.0.0.tgz?x=1"):
        assert hits(b.package("x", "9.9.9", resolved=address), "@a/b,1.0.0,,,\n") == (("ours",), ())


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("https://r.test/a/-/a-1.0.0.tgz", ("a", "1.0.0")),
        ("https://r.test/@s/a/-/a-1.0.0.tgz", ("@s/a", "1.0.0")),
        ("https://r.test/npm/a/-/a-1.0.0-rc.1.tgz", ("a", "1.0.0-rc.1")),
        ("https://r.test/%40s%2fa/-/a-1.0.0.tgz?x=/b/-/b-1.0.0.tgz", ("@s/a", "1.0.0")),
        ("https://r.test/a/-/a-1.0.0.tgz#/b/-/b-2.0.0.tgz", ("a", "1.0.0")),
        ("https://r.test/a/-/a-1/evil/-/evil-2.0.0.tgz", ("evil", "2.0.0")),
        ("https://r.test/@/a/-/a-1.0.0.tgz", ("a", "1.0.0")),
        ("https://r.test/-/-/--1.0.0.tgz", ("-", "1.0.0")),
        ("https://r.test/a/-/a-1.0.0.tgz\n", ("a", "1.0.0")),
        ("/a/-/a-1.tgz", ("a", "1")),
        ("a/-/a-1.tgz", None),
        ("https://r.test/a/-/b-1.0.0.tgz", None),
        ("https://r.test/a/-/a-x1.0.0.tgz", None),
        ("https://r.test/a/-/a-.tgz", None),
        ("https://r.test/a/-/a-1.0.0.zip", None),
        ("https://r.test/a/-/a-1/0.tgz", None),
        ("https://r.test/a@b/-/a@b-1.0.0.tgz", None),
        ("https://r.test//-/-1.0.0.tgz", None),
        ("git+ssh://git@r.test/a.git#0123", None),
        ("", None),
        (None, None),
    ],
)
def test_what_an_address_names(address: str | None, named: tuple[str, str] | None) -> None:
    assert lists.addressed(b.package("other", "9.9.9", resolved=address)) == named


def test_every_version_no_id_and_lines_of_one_name() -> None:
    assert hits(b.package("evil", "7.0.0"), "evil,*,,,\n") == (("ours",), ())
    body = "evil,1.0.0,MAL-1,,\nother,1.0.0,,,\nevil,2.0.0,MAL-2,,\n"
    assert hits(b.package("evil", "2.0.0"), body) == (("MAL-2",), ("MAL-1",))


def test_quoted_fields_bom_and_crlf() -> None:
    body = 'a,1.0.0,,"wave, one","x;y"\r\nb,2.0.0,,,\r\n'
    assert hits(b.package("a"), body)[0] == ("ours",)
    bom = lists.load(b"\xef\xbb\xbf" + HEAD + b"a,1.0.0,,,", name="n", where="w")
    assert bom.entries == 1


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        ("a,1.0.0,,,\nb,^1.0.0,,,\n", "line 3", "versions is '^1.0.0'"),
        ("a,,,,\n", "line 2", "versions is ''"),
        ("a,1.0.0,,\n", "line 2", "4 fields, expected 5"),
        ("a,1.0.0,,,,\n", "line 2", "6 fields, expected 5"),
        ("a b,1.0.0,,,\n", "line 2", "name is 'a b'"),
        ("@a/b/c,1.0.0,,,\n", "line 2", "name is"),
        ("a,1.0.0|,,,\n", "line 2", "versions is"),
        ("a,1.0.0,MAL 1,,\n", "line 2", "osv_id is"),
        ("a,1.0.0,,,\n\nb,1.0.0,,,\n", "line 3", "1 fields"),
        ("a,1.0.0,,,\n\n", "line 3", "1 fields"),
        ('a,1.0.0,,"x",\nb,^1,,,\n', "line 3", "versions is"),
        ('a,1.0.0,,"x,\n', "line", "not CSV"),
    ],
)
def test_errors_name_the_line(body: str, place: str, message: str) -> None:
    """P1"""
    with pytest.raises(UsageError) as caught:
        load(body)
    assert caught.value.place.startswith(place)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"name\n", b"axios\n1.14.1\n", b"name,versions,osv_id,wave,sources\n\xff,1.0.0,,,"]
)
def test_what_is_no_such_list(data: bytes) -> None:
    with pytest.raises(UsageError):
        lists.load(data, name="n", where="w")


def test_an_empty_list_is_a_list() -> None:
    assert lists.load(HEAD, name="n", where="w").entries == 0


@pytest.mark.shared
def test_the_shared_list_is_read_whole() -> None:
    if not IOC.is_file():
        pytest.skip("../shared/data/ioc is not there")
    found = lists.load(IOC.read_bytes(), name="ioc", where=str(IOC))
    assert found.entries == 877
    assert lists.join([b.package("axios", "1.14.1")], [found])["node_modules/axios"].exact == ("MAL-2026-2307",)
