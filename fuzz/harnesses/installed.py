"""What artefacts hold: archives (tar, zip), an image's layers, Plug'n'Play's loader, yarn's zips."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sbomgate.errors import InputError
from sbomgate.installed import _archive, _zips
from testkit import images, tarballs, trees


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return an application in each kind of archive."""
    files = {
        f"app/{path}": data for path, data in trees.files_of("node_modules/a", tarballs.package("a", "1.0.0")).items()
    }
    link = tarfile.TarInfo("app/node_modules/b")
    link.type, link.linkname = tarfile.SYMTYPE, "a"
    yield "tree.tar", gzip.decompress(trees.tar(files, members=[link]))
    white = {**files, "app/.wh.x": b"", "app/node_modules/.wh..wh..opq": b""}
    yield "layer.tar", gzip.decompress(trees.tar(white))
    yield "tree.tar.gz", trees.tar(files)
    yield "tree.zip", trees.zipped(files)
    yield "yarn.zip", trees.zipped({"node_modules/a/package.json": b'{"name":"a","scripts":{"install":"x"}}'})


def read(data: bytes) -> object:
    """Read it as an archive, as an image with two such layers, and as one of yarn's."""
    _zips.contents(data, "a")
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        layered: object = None
        try:
            name = images.written(at / "layout", images.layout([data, data]))
            layered = list(_archive.entries_of_layout(at / "layout", sha256=name))
        except InputError:
            pass
        (at / "x").write_bytes(data)
        return layered, list(_archive.entries_of_file(at / "x", sha256=hashlib.sha256(data).hexdigest()))
