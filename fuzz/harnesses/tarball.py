"""Tarballs of packages (what lies in the gzip, so that changes reach the tar; and the gzip itself)."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Iterator

from sbomgate.model import Missing, Origin, TarballFacts
from sbomgate.npm import tarball
from testkit import tarballs


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return a plain package, one that runs and bundles something, long names, and a gzip."""
    plain = tarballs.package("a", "1.0.0")
    yield "plain.tar", gzip.decompress(plain)
    yield "plain.tgz", plain
    more = tarballs.package(
        "@a/b",
        "1.0.0",
        scripts={"postinstall": "node setup.js && sh x.sh"},
        files={
            "setup.js": b"1",
            "x.sh": b"2",
            "binding.gyp": b"{}",
            "node_modules/c/package.json": b'{"name":"c","version":"1.0.0"}',
            "deep/" + "x" * 120 + "/" + "y" * 120: b"z",
        },
        manifest={"bin": {"x": "setup.js"}, "dependencies": {"c": "1"}, "bundleDependencies": ["c"], "gypfile": True},
    )
    yield "more.tar", gzip.decompress(more)
    link = tarfile.TarInfo("package/link")
    link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
    for name, kind in (("gnu", tarfile.GNU_FORMAT), ("ustar", tarfile.USTAR_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        members: list[tuple[str, bytes] | tuple[tarfile.TarInfo, bytes]] = [
            ("package/package.json", b'{"name":"a","version":"1.0.0"}'),
            (link, b""),
            ("package/\u00e9", b"x"),
        ]
        yield f"{name}.tar", gzip.decompress(tarballs.pack(members, format=kind))


def read(data: bytes) -> object:
    """Read it; a bad one is a value. Its digest is the one that is asked for."""
    packed = data if data[:2] == b"\x1f\x8b" else gzip.compress(data, 1, mtime=0)
    sha512 = hashlib.sha512(packed).hexdigest()
    found = tarball.read(packed, sha512=sha512, origin=Origin.NETWORK)
    if not isinstance(found, TarballFacts | Missing):
        raise AssertionError(f"neither facts nor a state: {found!r}")
    contents = tarball.contents(packed, sha512=sha512)
    if isinstance(found, TarballFacts) and contents is None:
        raise AssertionError("facts are read from what has no contents")
    return found
