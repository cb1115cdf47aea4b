"""Package URLs, and what of a URL may leave the process."""

from __future__ import annotations

import pytest

from sbomgate import purl
from sbomgate.errors import InputError

PURLS = [
    ("axios", "1.14.1", "pkg:npm/axios@1.14.1"),
    ("@babel/core", "7.0.0", "pkg:npm/%40babel/core@7.0.0"),
    ("JSONStream", "1.3.5", "pkg:npm/JSONStream@1.3.5"),
    ("x", "1.0.0+build", "pkg:npm/x@1.0.0%2Bbuild"),
    ("x", "2.0.0-rc.1", "pkg:npm/x@2.0.0-rc.1"),
    ("x", None, "pkg:npm/x"),
    ("a b?c#d", "1", "pkg:npm/a%20b%3Fc%23d@1"),
]


@pytest.mark.parametrize(("name", "version", "text"), PURLS)
def test_purl(name: str, version: str | None, text: str) -> None:
    assert purl.purl(name, version) == text
    assert purl.parse(text) == (name, version)


def test_qualifiers() -> None:
    text = purl.purl("x", "1", vcs_url="git+ssh://h/x.git#c")
    assert text == "pkg:npm/x@1?vcs_url=git%2Bssh://h/x.git%23c"
    assert purl.parse(text) == ("x", "1")


def test_other_types_are_refused() -> None:
    with pytest.raises(InputError):
        purl.parse("pkg:pypi/x@1")


URLS = [
    ("https://registry.npmjs.org/a/-/a-1.0.0.tgz", None),
    ("https://u:p@h.test/a.tgz", "https://h.test/a.tgz"),
    ("https://h.test/a.tgz?token=s", "https://h.test/a.tgz"),
    ("https://h.test/a.tgz?token=s#deadbeef", "https://h.test/a.tgz#deadbeef"),
    ("https://h.test/a.tgz#token=s", "https://h.test/a.tgz"),
    ("https://h.test?token=s@x", "https://h.test"),
    ("https://u:p@x@h.test/a", "https://h.test/a"),
    ("HTTPS://u:p@h.test/a", "HTTPS://h.test/a"),
    ("git+ssh://git@github.com/o/r.git#abc", None),
    ("git+ssh://me:pw@github.com/o/r.git#abc", "git+ssh://github.com/o/r.git#abc"),
    ("git+https://token:x-oauth@github.com/o/r.git#main", "git+https://github.com/o/r.git#main"),
    ("git@github.com:o/r.git", None),
    ("secret@github.com:o/r.git", "github.com:o/r.git"),
    ("github:o/r#main", None),
    ("github:token@o/r#main", "github:o/r#main"),
    ("o/r#main", None),
    ("npm:@s/a@^1", None),
    ("^1.0.0 || 2", None),
    ("", None),
    ("file:../a.tgz", None),
    ("file:/home/me/a.tgz", "file:a.tgz"),
    ("file:///home/me/a.tgz", "file:a.tgz"),
    ("file:~/a.tgz", "file:a.tgz"),
    ("/home/me/a", "file:a"),
    ("~/a", "file:a"),
    ("C:\\Users\\me\\a.tgz", "file:a.tgz"),
    ("packages/a", None),
    ("https://mirror.test/https://u:p@h.test/a.tgz", "https://mirror.test/https://h.test/a.tgz"),
    ("git+ssh://git@mirror.test//u:p@h.test/a.git#abc", "git+ssh://git@mirror.test//h.test/a.git#abc"),
    ("x:y/https://u:p@h.test/a", "x:y/https://h.test/a"),
    ("https://h.test/@scope/a/-/a@1.tgz?x", "https://h.test/@scope/a/-/a@1.tgz"),
]


@pytest.mark.parametrize(("url", "public"), URLS)
def test_public_url(url: str, public: str | None) -> None:
    """P40."""
    assert purl.public_url(url) == (url if public is None else public)
    assert purl.public_url(purl.public_url(url)) == purl.public_url(url)
