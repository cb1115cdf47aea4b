"""Images: what lies in a layer is found as on a machine, and what was not looked into is told."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sbomgate.hunt import Found, Wanted, hunt
from testkit.hunting import INTEGRITY, decoys, plant
from testkit.images import archive, docker, layout, packed, saved, sha256

VERSION = "1.14.1"


def wanted(name: str = "axios") -> Wanted:
    return Wanted(ids=lambda a, b: ("MAL-1",) if (a, b) == (name, VERSION) else (), integrities=frozenset())


def look(path: Path, name: str = "axios") -> Found:
    return hunt([path], wanted(name), git=None)


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    path = path.with_suffix(".tar.gz")
    path.write_bytes(gzip.compress(archive(files)))
    return path


def unpacked(path: Path, files: dict[str, bytes]) -> Path:
    folder = path.with_suffix("")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


FORMS: dict[str, Callable[[Path, list[bytes]], Path]] = {
    "docker save": lambda path, layers: saved(path, docker(layers)),
    "docker save | gzip": lambda path, layers: zipped(path, docker(layers)),
    "docker save, since 25": lambda path, layers: saved(
        path, {**layout(layers), "manifest.json": json.dumps(
            [{"Layers": [f"blobs/sha256/{sha256(one)}" for one in layers]}]).encode()}),
    "OCI archive of packed layers": lambda path, layers: saved(path, layout([*map(gzip.compress, layers)])),
    "OCI layout": lambda path, layers: unpacked(path, layout(layers)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_all_that_is_planted_in_a_layer_and_nothing_else(tmp_path: Path, form: str) -> None:
    name = "@scope/evil-name"
    planted = plant(tmp_path / "machine", name, VERSION)
    decoys(tmp_path / "machine" / "more", name, VERSION)
    (tmp_path / "base" / "etc").mkdir(parents=True)
    (tmp_path / "base" / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "images").mkdir()
    layers = [packed(tmp_path / "base"), packed(tmp_path / "machine")]
    made = FORMS[form](tmp_path / "images" / "shop.tar", layers)
    for asked in (made, tmp_path / "images"):
        found = look(asked, name)
        assert found.unread == ()
        assert {one.path for one in found.traces} == {str(made / "oci-layout" if made.is_dir() else made)}
        places = {}
        for one in found.traces:
            layer, _, place = one.mention.place.partition(": /")
            assert layer.startswith("layer ")
            places[place.partition(": ")[0]] = one.mention.kind
        assert places == planted
    (lock,) = (one.mention for one in found.traces if "/web/package-lock.json" in one.mention.place)
    assert lock.integrity == INTEGRITY
    assert lock.time is not None


@pytest.fixture
def layer(tmp_path: Path) -> bytes:
    plant(tmp_path / "machine", "axios", VERSION)
    return packed(tmp_path / "machine")


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str, bool]] = {
    "cut in a layer": (lambda layer: archive(layout([layer]))[: len(layer) // 2], "to its end", True),
    "cut before its manifest": (lambda layer: archive({"blobs/sha256/" + sha256(layer): layer}), "no manifest", True),
    "a layer that is not there": (
        lambda layer: archive({k: v for k, v in docker([layer, b"x" * 600]).items() if v != b"x" * 600}),
        "1 layers are not in it", True),
    "a layer that is none": (lambda layer: archive(layout([layer, b"x" * 600])), "1 layers are not in it", True),
    "a layer packed with zstd": (
        lambda layer: archive(layout([layer, b"\x28\xb5\x2f\xfd" + b"\0" * 600])), "packed with zstd", True),
    "a packed layer that is cut": (
        lambda layer: archive(layout([gzip.compress(layer)[:-300]])), "cannot be read to its end", True),
    "a manifest that is no JSON": (
        lambda layer: archive({**layout([layer]), "manifest.json": b"[{"}), "manifest.json is no JSON", True),
    "a lockfile that cannot be read": (
        lambda layer: archive(layout([layer, archive({"app/bun.lockb": b"#!"})])), "/app/bun.lockb", True),
    "a git repository": (
        lambda layer: archive(layout([layer, archive({"app/.git/HEAD": b"ref: x"})])), "/app/.git is not", True),
    "a header that has no end": (
        lambda layer: archive(layout([layer, header(tarfile.XHDTYPE, 1 << 30)])), "extended header", True),
    "a list of holes that has no end": (
        lambda layer: archive(layout([layer, header(tarfile.GNUTYPE_SPARSE, 10)])), "a sparse file", True),
    "a list of holes before the content": (lambda layer: archive(layout([layer, holes()])), "a sparse file", True),
}  # fmt: skip


def header(kind: bytes, size: int) -> bytes:
    """Return a tar with a header of this type, which says that so many bytes follow."""
    made = tarfile.TarInfo("a")
    made.type, made.size = kind, size
    return made.tobuf(tarfile.GNU_FORMAT) + b"\0" * 10_240


def holes() -> bytes:
    """Return a tar with a sparse file of GNU's format 1.0, whose list is longer than all that follows."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as made:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a",
                              "GNU.sparse.realsize": "9"}  # fmt: skip
        content = b"999999999\n" + b"1\n" * 1000
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    return data.getvalue()


@pytest.mark.parametrize("case", BROKEN)
def test_what_was_not_looked_into_is_told(tmp_path: Path, layer: bytes, case: str) -> None:
    """What was found before is kept, and it is no all-clear."""
    made, says, finds = BROKEN[case]
    path = tmp_path / "image.tar"
    path.write_bytes(made(layer))
    found = look(path)
    assert [says in one.reason for one in found.unread] == [True], found.unread
    assert bool(found.traces) is finds


@pytest.mark.parametrize("limit", ["MAX_ENTRIES", "MAX_UNPACKED_BYTES", "MAX_FILE_BYTES"])
def test_limits(tmp_path: Path, layer: bytes, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    monkeypatch.setattr(f"sbomgate.hunt.image.{limit}", 40)
    saved(tmp_path / "image.tar", docker([layer]))
    assert look(tmp_path / "image.tar").unread


def test_names_that_lead_out_and_links(tmp_path: Path) -> None:
    """Nothing is written anywhere, so a name leads nowhere; links are not followed."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as made:
        for name in ("../../node_modules/axios/package.json", "/abs/node_modules/axios/package.json"):
            member = tarfile.TarInfo(name)
            content = json.dumps({"name": "axios", "version": VERSION}).encode()
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("app/package-lock.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
    found = look(saved(tmp_path / "image.tar", docker([data.getvalue()])))
    assert len(found.traces) == 2
    assert found.unread == ()


def test_other_archives_are_no_images(tmp_path: Path) -> None:
    plant(tmp_path / "machine", "axios", VERSION)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "backup.tar").write_bytes(archive({"home/ann/notes.txt": b"axios@1.14.1"}))
    (tmp_path / "other" / "broken.tar.gz").write_bytes(b"\x1f\x8b\x08\x00nothing")
    (tmp_path / "other" / "short.tar").write_bytes(b"x")
    (tmp_path / "other" / "empty.tar").write_bytes(b"")
    assert look(tmp_path / "other").traces == ()
    assert look(tmp_path / "other").unread == ()
    named = look(tmp_path / "other" / "backup.tar")
    assert named.traces, "one that is named is read as a text"
    assert [one.reason.partition(":")[0] for one in named.unread] == [
        "an archive that is no image, searched as one text"
    ]
    assert look(tmp_path / "other" / "empty.tar").unread, "and is no all-clear"
