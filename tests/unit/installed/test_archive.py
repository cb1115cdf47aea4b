"""Artefacts as hostile as they come: refused, or read as whoever unpacks them would find them."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbomgate.errors import InputError
from sbomgate.installed import Tarballs, _archive, read_archive
from sbomgate.link import expected
from sbomgate.model import Kind, Package
from sbomgate.model.link import Inventory
from testkit import images, tarballs, trees

GOOD = tarballs.package("good", "1.0.0")
NEEDED = Package(id="node_modules/needed", name="needed", version="1.0.0", kind=Kind.REGISTRY)
NOTHING = expected([NEEDED], placed=True)
EVIL = b'{"name":"evil","version":"6.6.6"}'
HELD = trees.files_of("node_modules/good", GOOD)


def look(path: Path, data: bytes, part: str = "", **more: Any) -> Inventory:
    path = path / "artefact"
    path.write_bytes(data)
    return read_archive(path, part, NOTHING, sha256=hashlib.sha256(data).hexdigest(), tarballs=Tarballs(), **more)


def held(found: Inventory) -> dict[str, str | None]:
    return {one.place: one.name and f"{one.name}@{one.version}" for one in found.packages}


FORMS: dict[str, bytes] = {
    "tar": trees.tar(HELD, mode="w"),
    "tar.gz": trees.tar(HELD),
    "tar.bz2": trees.tar(HELD, mode="w:bz2"),
    "tar.xz": trees.tar(HELD, mode="w:xz"),
    "zip": trees.zipped(HELD),
    "two gzip members": gzip.compress(trees.tar(HELD, mode="w")[:700]) + gzip.compress(trees.tar(HELD, mode="w")[700:]),
    "gzip with zeros behind it": trees.tar(HELD) + bytes(512),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_that_is_read(tmp_path: Path, form: str) -> None:
    assert held(look(tmp_path, FORMS[form])) == {"node_modules/good": "good@1.0.0"}


def sparse() -> bytes:
    """A file in node_modules that claims eight tebibytes of holes (pax, GNU sparse 1.0)."""
    body = b"0\n".ljust(512, b"\0")
    claims = {
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(8 << 40),
        "GNU.sparse.name": "node_modules/a/big",
    }  # fmt: skip
    members = tarballs.pax(claims) + tarballs.member(b"node_modules/a/GNUSparseFile.0/big", body)
    return members + trees.tar(HELD, mode="w")


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def broken_header() -> bytes:
    data = bytearray(trees.tar({**HELD, "node_modules/evil/package.json": EVIL}, mode="w"))
    at = data.rindex(b"node_modules/evil/package.json")
    data[at + 148] ^= 1  # its checksum
    return bytes(data)


def twice(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, EVIL)
    return buffer.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not an archive"),
    "text": (b"hello" * 400, "not an archive"),
    "gzip of nothing": (gzip.compress(b""), "not an archive"),
    "no node_modules": (trees.tar({"a.js": b"1"}), "holds no node_modules"),
    "a name that leaves": (trees.tar({**HELD, "../a": b"1"}), "leaves the archive"),
    "a name that leaves inside": (trees.tar({**HELD, "a/../../b": b"1"}), "leaves the archive"),
    "a drive": (trees.tar({**HELD, "C:/a": b"1"}), "leaves the archive"),
    "a zip name that leaves": (trees.zipped({**HELD, "../a": b"1"}), "leaves the archive"),
    "a member twice in a zip": (twice("node_modules/a/package.json"), "is there twice"),
    "cut short": (trees.tar(HELD)[:-20], "cut short"),
    "cut short inside a file": (trees.tar(HELD, mode="w")[:1100], "broken header"),
    "a zip that is cut short": (trees.zipped(HELD)[:-30], "not a zip"),
    "text behind the gzip": (trees.tar(HELD) + b"x", "bytes follow"),
    "an archive behind the end": (
        trees.tar(HELD, mode="w") + trees.tar({"node_modules/evil/package.json": EVIL}, mode="w"), "after the end"
    ),
    "a broken header": (broken_header(), "broken header"),
    "through a link that leaves": (
        trees.tar({**HELD, "out": "../..", "out/node_modules/evil/package.json": EVIL}), "out of the archive"
    ),
    "through an absolute link": (
        trees.tar({**HELD, "out": "/srv", "out/node_modules/evil/package.json": EVIL}), "out of the archive"
    ),
    "through links in a circle": (trees.tar({**HELD, "a": "b", "b": "a", "a/x": b"1"}), "in a circle"),
    "a file of holes": (sparse(), "sparse"),
    "xz of noise": (lzma.compress(trees.tar(HELD, mode="w"))[:-40], "cut short"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path: Path, case: str) -> None:
    """P1: what has no one meaning is no artefact without a difference."""
    data, why = REFUSED[case]
    with pytest.raises(InputError, match=why):
        look(tmp_path, data)


def test_P10_the_digest_is_of_the_bytes_that_were_read(tmp_path: Path) -> None:
    for data in (trees.tar(HELD), trees.zipped(HELD)):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(InputError, match="expected 0000"):
            read_archive(tmp_path / "a", "", NOTHING, sha256="0" * 64, tarballs=Tarballs())


SEEN: dict[str, tuple[dict[str, Any], list[tarfile.TarInfo], dict[str, str | None]]] = {
    "the last member of a name counts": (
        {**HELD, "./node_modules/good/package.json": EVIL}, [], {"node_modules/good": "evil@6.6.6"}
    ),
    "a file written through a link lies where it leads": (
        {**HELD, "x": "node_modules/good", "x/package.json": EVIL}, [], {"node_modules/good": "evil@6.6.6"}
    ),
    "a package without package.json": (
        {**HELD, "node_modules/evil/index.js": b"1"}, [], {"node_modules/good": "good@1.0.0", "node_modules/evil": None}
    ),
    "a hard link has the content of its target": (
        {"store/x": EVIL, **HELD}, [link("node_modules/evil/package.json", "store/x", tarfile.LNKTYPE)],
        {"node_modules/good": "good@1.0.0", "node_modules/evil": "evil@6.6.6"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SEEN)
def test_what_is_seen(tmp_path: Path, case: str) -> None:
    files, members, expected = SEEN[case]
    assert held(look(tmp_path, trees.tar(files, members=members), ".")) == expected


def test_what_is_neither_file_nor_folder_is_told(tmp_path: Path) -> None:
    pipe = tarfile.TarInfo("node_modules/good/pipe")
    pipe.type = tarfile.FIFOTYPE
    nowhere = link("node_modules/good/lost.js", "nothing", tarfile.LNKTYPE)
    found = look(tmp_path, trees.tar(HELD, members=[pipe, nowhere]))
    assert {one.kind for one in found.others} == {"special"}
    assert len(found.others) == 2


def test_several_places(tmp_path: Path) -> None:
    """An image's own tools lie beside the project: which part is meant must be said, and the rest is told."""
    data = trees.tar(trees.files_of("app/node_modules/good", GOOD) | trees.files_of("usr/lib/node_modules/npm", GOOD))
    with pytest.raises(InputError, match="app, usr/lib"):
        look(tmp_path, data)
    found = look(tmp_path, data, "./app/")
    assert held(found) == {"node_modules/good": "good@1.0.0"}
    assert [(one.place, one.kind) for one in found.others] == [("usr/lib/node_modules", "outside")]
    with pytest.raises(InputError, match="no node_modules in srv"):
        look(tmp_path, data, "srv")


def test_workspaces_lie_below_the_part(tmp_path: Path) -> None:
    data = trees.tar(trees.files_of("node_modules/good", GOOD) | trees.files_of("web/node_modules/good", GOOD))
    found = look(tmp_path, data, folders=("", "web"))
    assert sorted(held(found)) == ["node_modules/good", "web/node_modules/good"]


LIMITS: dict[str, tuple[str, int, bytes]] = {
    "unpacked bytes": ("MAX_UNPACKED_BYTES", 4096, trees.tar({**HELD, "a": bytes(9000)})),
    "unpacked bytes of a zip": ("MAX_UNPACKED_BYTES", 10, trees.zipped(HELD)),
    "entries": ("MAX_ENTRIES", 1, trees.tar(HELD)),
    "bytes on disk": ("MAX_ARCHIVE_BYTES", 10, trees.tar(HELD)),
    "package.json together": ("MAX_MANIFESTS_BYTES", 10, trees.tar(HELD)),
    "an extended header": (
        "MAX_HEADER_BYTES", 100, trees.tar({**HELD, f"node_modules/{'a' * 300}/index.js": b"1"}, mode="w")
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITS)
def test_P9_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    name, limit, data = LIMITS[case]
    monkeypatch.setattr(_archive, name, limit)
    if name == "MAX_ENTRIES":
        monkeypatch.setattr(_archive._Budget.__init__, "__defaults__", (limit, 1 << 30))
    if name == "MAX_MANIFESTS_BYTES":
        monkeypatch.setattr(_archive._Budget.__init__, "__defaults__", (1000, limit))
    with pytest.raises(InputError, match=r"more than|larger than|at most"):
        look(tmp_path, data)


def test_a_bomb_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9: it is unpacked a piece at a time, and stopped."""
    monkeypatch.setattr(_archive, "MAX_UNPACKED_BYTES", 32 << 20)
    for compress in (gzip.compress, lzma.compress):
        with pytest.raises(InputError):
            look(tmp_path, compress(trees.tar(HELD, mode="w")[:1024] + bytes(48 << 20)))


# --------------------------------------------------------------------------------------------------------------------
# Layers


def image(tmp_path: Path, *layers: bytes, **more: Any) -> Inventory:
    digest = images.written(tmp_path / "image", images.layout(layers, **more))
    return read_archive(tmp_path / "image", ".", NOTHING, sha256=digest, tarballs=Tarballs(), folders=("", "app"))


LAYERS: dict[str, tuple[list[bytes], dict[str, str | None]]] = {
    "one over the other": (
        [trees.tar(HELD), trees.tar({"node_modules/good/package.json": EVIL})], {"node_modules/good": "evil@6.6.6"}
    ),
    "a package is taken away": (
        [trees.tar(HELD), trees.tar({"node_modules/.wh.good": b"", "node_modules/x/package.json": EVIL})],
        {"node_modules/x": "evil@6.6.6"},
    ),
    "a folder is emptied": (
        [trees.tar(HELD), trees.tar({"node_modules/.wh..wh..opq": b"", "node_modules/x/package.json": EVIL})],
        {"node_modules/x": "evil@6.6.6"},
    ),
    "everything is emptied": (
        [trees.tar(HELD), trees.tar({".wh..wh..opq": b"", "node_modules/x/package.json": EVIL})],
        {"node_modules/x": "evil@6.6.6"},
    ),
    "what is taken away may come again": (
        [trees.tar(HELD), trees.tar({"node_modules/good/package.json": EVIL, "node_modules/.wh.good": b""})],
        {"node_modules/good": "evil@6.6.6"},
    ),
    "through a link of a lower layer": (
        [trees.tar({**HELD, "srv": "/app"}), trees.tar({"srv/node_modules/x/package.json": EVIL})],
        {"node_modules/good": "good@1.0.0", "app/node_modules/x": "evil@6.6.6"},
    ),
    "a link that leads above the root stays in it": (
        [trees.tar({**HELD, "srv": "../../app"}), trees.tar({"srv/node_modules/x/package.json": EVIL})],
        {"node_modules/good": "good@1.0.0", "app/node_modules/x": "evil@6.6.6"},
    ),
    "a folder in the place of a link": (
        [trees.tar({**HELD, "srv": "/app"}, mode="w"), trees.tar({"srv/a": b"1"}), trees.tar({"app/a": b"1"})],
        {"node_modules/good": "good@1.0.0"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYERS)
def test_layers(tmp_path: Path, case: str) -> None:
    layers, expected = LAYERS[case]
    assert held(image(tmp_path, *layers)) == expected


def spoil_layer(folder: Path) -> None:
    biggest = max((folder / "image" / "blobs" / "sha256").iterdir(), key=lambda one: one.stat().st_size)
    biggest.write_bytes(trees.tar({"node_modules/evil/package.json": EVIL}))


def test_P10_an_altered_layer_is_refused(tmp_path: Path) -> None:
    digest = images.written(tmp_path / "image", images.layout([trees.tar(HELD)]))
    spoil_layer(tmp_path)
    with pytest.raises(InputError, match="sha256"):
        read_archive(tmp_path / "image", ".", NOTHING, sha256=digest, tarballs=Tarballs())


BAD: dict[str, Callable[[Path], str]] = {
    "another image": lambda folder: "0" * 64,
    "no tar": lambda folder: images.written(folder, images.layout([trees.tar(HELD)], "application/vnd.other")),
    "zstd": lambda folder: images.written(
        folder, images.layout([trees.tar(HELD, mode="w")], "application/vnd.oci.image.layer.v1.tar+zstd")
    ),
    "no layer": lambda folder: images.written(folder, images.layout([])),
}


@pytest.mark.parametrize("case", BAD)
def test_images_that_cannot_be_looked_into(tmp_path: Path, case: str) -> None:
    (tmp_path / "image").mkdir()
    digest = BAD[case](tmp_path / "image")
    with pytest.raises(InputError):
        read_archive(tmp_path / "image", ".", NOTHING, sha256=digest, tarballs=Tarballs())
