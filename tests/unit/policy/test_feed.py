"""Feeds: what counts as malicious, what ranges come to, and what is refused."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest

from sbomgate.errors import InputError, SbomgateError
from sbomgate.policy import feed, lists
from testkit import inputs as b


def record(identifier: str = "MAL-2026-1", name: str = "evil", **affected: Any) -> dict[str, Any]:
    return {"id": identifier, "affected": [{"package": {"ecosystem": "npm", "name": name}, **affected}]}


def span(*events: tuple[str, str], kind: str = "SEMVER") -> dict[str, Any]:
    return {"ranges": [{"type": kind, "events": [{key: version} for key, version in events]}]}


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def imported(*documents: Any) -> feed.Imported:
    return feed.read({f"{i}.json": json.dumps(document).encode() for i, document in enumerate(documents)})


def rows(made: feed.Imported) -> list[str]:
    return made.data.decode().splitlines()[1:-1]


def hit(made: feed.Imported, name: str, version: str) -> bool:
    found = lists.join([b.package(name, version)], [lists.load(made.data, name="n", where="w")])
    return any(hits.exact for hits in found.values())


@pytest.mark.parametrize(
    ("affected", "versions", "inside", "outside"),
    [
        ({"versions": ["1.0.0", "1.0.1"]}, "1.0.0|1.0.1", ["1.0.0"], ["1.0.2"]),
        (span(("introduced", "0")), "*", ["0.0.1", "99.0.0-x"], []),
        (span(("introduced", "0"), ("fixed", "2.0.0")), "<2.0.0", ["1.9.9", "2.0.0-rc.1"], ["2.0.0", "2.0.0+b"]),
        (span(("introduced", "1.0.0")), ">=1.0.0", ["1.0.0", "10.0.0"], ["1.0.0-rc.1", "0.9.0"]),
        (
            span(("introduced", "1.0.0"), ("last_affected", "1.2.0")),
            ">=1.0.0<=1.2.0",
            ["1.0.0", "1.2.0", "1.10.0-a"][:2],
            ["1.2.1", "1.10.0", "0.9.9"],
        ),
        (
            span(("fixed", "3.1.0"), ("introduced", "3.0.0"), ("fixed", "1.10.0"), ("introduced", "1.2.0")),
            ">=1.2.0<1.10.0|>=3.0.0<3.1.0",
            ["1.9.0", "3.0.5"],
            ["1.10.0", "2.0.0", "3.1.0", "1.1.0"],
        ),
        (span(("introduced", "1.0.0-alpha.2"), ("fixed", "1.0.0-alpha.10"), kind="ECOSYSTEM"), None,
         ["1.0.0-alpha.2", "1.0.0-alpha.9"], ["1.0.0-alpha.10", "1.0.0-alpha", "1.0.0-beta"]),
    ],
    ids=["versions", "all", "up to", "from", "last affected", "two spans", "prereleases"],
)  # fmt: skip
def test_versions(affected: dict[str, Any], versions: str | None, inside: list[str], outside: list[str]) -> None:
    made = imported(record(**affected))
    if versions is not None:
        assert rows(made) == [f"evil,{versions},MAL-2026-1,,"]
    assert [v for v in inside if not hit(made, "evil", v)] == []
    assert [v for v in outside if hit(made, "evil", v)] == []


def test_what_counts_as_malicious_and_what_is_counted_as_left_out() -> None:
    one: dict[str, Any] = {"versions": ["1.0.0"]}
    other = record("MAL-2026-9", **one)
    other["affected"][0]["package"]["ecosystem"] = "PyPI"
    made = imported(
        [
            record("MAL-2026-1", "a", **one),
            record("GHSA-1", "b", **one) | {"aliases": ["MAL-2026-2"]},
            record("GHSA-2", "c", **one) | {"database_specific": {"cwe_ids": ["CWE-506"]}},
            record("GHSA-3", "d", **one, database_specific={"cwe_ids": ["CWE-506"]}),
            record("GHSA-4", "e", **one) | {"database_specific": {"cwe_ids": ["CWE-79"]}, "aliases": ["CVE-1"]},
            record("MAL-2026-3", "f", **one) | {"withdrawn": "2026-01-01T00:00:00Z"},
            other,
            record("MAL-2026-4", "g"),
            record("MAL-2026-5", "h", versions=["1.0"], ranges=[{"type": "GIT", "events": []}]),
        ]
    )
    assert [row.split(",")[0] for row in rows(made)] == ["a", "b", "c", "d"]
    assert made.skipped == {
        "packages of which no version is named": 2,
        "ranges of commits": 1,
        "records of other ecosystems": 1,
        "versions that are not semver": 1,
        "vulnerabilities: not malicious": 1,
        "withdrawn records": 1,
    }


def test_the_same_feeds_in_any_order_and_form_are_the_same_bytes() -> None:
    """P38"""
    records = [record(f"MAL-{i}", f"evil-{i % 7}", versions=["1.0.0", f"1.{i}.0"]) for i in range(20)]
    data = [json.dumps(one).encode() for one in records]
    forms = [
        {"a": json.dumps(records).encode()},
        {"a": json.dumps({"vulns": records[::-1]}).encode()},
        {str(i): one for i, one in enumerate(data)},
        {"a": zipped(*((f"{i}.json", one) for i, one in enumerate(data)))},
    ]
    made = {feed.read(form).data for form in forms}
    assert len(made) == 1
    assert feed.read({"again": made.copy().pop()}).data in made


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Package,Version\na,= 1.0.0 || = 1.0.1\n", "a,1.0.0|1.0.1,,,"),
        ("version,name,note\n1.0.0,@a/b,\"x, y\"\r\n", "@a/b,1.0.0,,,"),
        ("\ufeffname,versions,id\na,*,X-1\n", "a,*,X-1,,"),
        ("name,versions\na,>=1.0.0 <2.0.0\n", "a,>=1.0.0<2.0.0,,,"),
        ("name,versions,osv_id,wave,sources\na,1.0.0|1.0.1,MAL-1,w,s\n", "a,1.0.0|1.0.1,MAL-1,,"),
    ],
)  # fmt: skip
def test_csv(text: str, row: str) -> None:
    assert rows(feed.read({"f": text.encode()})) == [row]


BOMB = zipped(("a.json", b" " * (feed.MAX_RECORD_BYTES + 1)))
GOOD = json.dumps(record(versions=["1.0.0"])).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "columns"),
        (b"\xff\xfe[\0]\0", "UTF-8"),
        (b"<html>", "columns"),
        (b"{", "not JSON"),
        (b'{"id":"MAL-1","id":"MAL-2"}', "id"),
        (b"[1]", "no OSV record"),
        (b'{"id":"MAL 1"}', "no good id"),
        (json.dumps(record(name="../x y")).encode(), "no package name"),
        (json.dumps(record(name="a,1.0.0\nb")).encode(), "no package name"),
        (json.dumps(record(**span(("introduced", "1.x")))).encode(), "no event"),
        (json.dumps(record(**span(("limit", "1.0.0")))).encode(), "no event"),
        (json.dumps(record(ranges={})).encode(), "ranges is no array"),
        (b"[" * 500_000, "nest"),
        (BOMB, "unpacks to more"),
        (zipped(("../a.json", GOOD)), "leads elsewhere"),
        (zipped(("/a.json", GOOD)), "leads elsewhere"),
        (zipped(("a\\b.json", GOOD)), "leads elsewhere"),
        (zipped(("a.exe", GOOD)), "no plain JSON record"),
        (zipped(("a.json", b"{")), "a.json"),
        (zipped(("a.json", GOOD))[:-10], "cannot be read"),
        (zipped(("a.json", GOOD), compression=zipfile.ZIP_STORED).replace(b"evil", b"good"), "cannot be read"),
        (b"name,versions\na,^1.0.0\n", "line 2"),
        (b"name,versions\na,\n", "line 2"),
        (b"name,versions\na\n", "line 2"),
        (b"name,versions\na b,1.0.0\n", "line 2"),
        (b"name,package,versions\na,b,1.0.0\n", "columns"),
        (b'name,versions\na,"1.0.0\n', "not CSV"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_with_its_place(data: bytes, said: str) -> None:
    """P1, P9"""
    with pytest.raises(InputError) as caught:
        feed.read({"feed": data})
    assert said in str(caught.value)
    assert caught.value.where.startswith("feed")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        feed.read({"feed": zipped(("a.json", GOOD), ("a.json", GOOD))})


def test_an_altered_sealed_list_is_refused() -> None:
    """P1: what nobody checks line by line is what was checked."""
    sealed = imported(record(versions=["1.0.0"])).data
    assert lists.load(sealed, name="n", where="w").rows.get("evil")
    altered = {
        "a name": sealed.replace(b"evil", b"good"),
        "a line more": sealed.replace(b"#sealed", b"zoo,1.0.0,,,\n#sealed"),
        "a line less": b"".join(line for line in sealed.splitlines(keepends=True) if not line.startswith(b"evil")),
        "the filter": sealed.replace(b"#sealed,", b"#sealed,AAAA"),
        "the number": sealed.replace(b",1,sha256=", b",2,sha256="),
        "the seal before": re.sub(rb"#sealed,.*,1,(.*),\n", rb"#sealed,\1,,,\n", sealed),
        "no digest": re.sub(rb"sha256=.{64}", b"", sealed),
    }
    for what, data in altered.items():
        assert data != sealed, what
        with pytest.raises(SbomgateError, match="altered after it was sealed"):
            lists.load(data, name="n", where="w")
    for at in range(len(sealed)):  # whatever the byte: not one is free
        with pytest.raises(SbomgateError):
            lists.load(sealed[:at] + bytes([sealed[at] ^ 4]) + sealed[at + 1 :], name="n", where="w")
    cut = sealed[: sealed.index(b"#sealed")]
    assert lists.load(cut, name="n", where="w").rows.get("evil")


def test_a_sealed_list_says_what_its_lines_say() -> None:
    lines = sorted({f"p{i},1.0.0,MAL-{i % 7},," for i in range(0, 90, 3)} | {f"p3,2.0.{i},MAL-{i},," for i in range(3)})
    sealed = lists.load(lists.seal(lines), name="n", where="w")
    plain = lists.load("\n".join((lists.HEADER, *lines)).encode(), name="n", where="w")
    assert sealed.entries == plain.entries == 30
    packages = [b.package(f"p{i}", "1.0.0", id=f"node_modules/p{i}") for i in range(90)]
    found = lists.join(packages, [sealed])
    assert len(found) == 30
    assert found == lists.join(packages, [plain])


def test_the_filter_leaves_out_no_name_and_most_others() -> None:
    """P1: a name that is not looked for would be allowed."""
    for count in (1, 2, 3, 15, 16, 17, 1000, 5000):
        names = [f"n-{i * 7919}" for i in range(count)]
        rows = lists.load(lists.seal(f"{name},*,,," for name in names), name="n", where="w").rows
        assert isinstance(rows, lists._Sealed)
        assert all(rows.may_have(name.encode()) for name in names)
        assert sum(rows.may_have(f"o-{i}".encode()) for i in range(4000)) < 4000 / 20


def test_every_name_of_a_sealed_list_is_found_and_no_other() -> None:
    names = [f"p{i}" for i in range(3000)] + ["@a/b", "Z", "é"]
    lines = [f"{name},1.0.{i},MAL-{i},," for i, name in enumerate(names)]
    lines += [f"many,1.0.{i},MAL-{i},," for i in range(1500)]  # over several blocks
    sealed = lists.load(lists.seal(lines), name="n", where="w")
    assert all(sealed.rows.get(name) == line for name, line in zip(names, lines, strict=False))
    many = sealed.rows.get("many")
    assert many is not None
    assert len(many.split("\n")) == 1500
    for name in ("", "a", "p", "p30000", "zz", "~", "man", "manys", "1.0.0", "#sealed", "name", "\ud800"):
        assert sealed.rows.get(name) is None, name
    assert lists.load(lists.seal([]), name="n", where="w").rows.get("a") is None


def test_a_zip_with_a_member_without_a_name() -> None:
    data = zipped(("x", b"{}")).replace(b"x", b"\0")  # zipfile cuts a name at NUL
    with pytest.raises(InputError, match="no plain JSON record"):
        feed.read({"x.zip": data})


def test_a_zip_whose_compression_is_broken() -> None:
    data = bytearray(zipped(("x.json", b"{}" * 100), compression=zipfile.ZIP_LZMA))
    data[45:60] = b"\xff" * 15
    with pytest.raises(InputError, match="cannot be read"):
        feed.read({"x.zip": bytes(data)})
