from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sbomgate.errors import PolicyError
from sbomgate.policy import bundle

FILES: dict[str, str | bytes] = {
    "decision.rego": "package sbomgate.decision\nresult := 1\n",
    "lib/a.rego": "package sbomgate.lib.a\n",
    "rules/pinned.rego": "package sbomgate.rules.pinned\n",
    "rules/age.rego": "package sbomgate.rules.age\n",
}


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def archive(files: dict[str, str | bytes], change: Callable[[tarfile.TarInfo], None] = lambda member: None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(path)
            member.size = len(data)
            change(member)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "policies", FILES)


def test_folder(folder: Path) -> None:
    write(
        folder,
        {
            "rules/pinned_test.rego": "package x",
            ".hidden/x.json": "{}",
            "README.md": "text",
            "data/rules.json": "{}",
            "data/list.csv": "a",
            "known/data.json": '{"b": 1.50,\n "a": [1e2]}',
        },
    )
    found = bundle.load(folder)
    assert found.rules == ("age", "pinned")
    assert list(found.files) == sorted([*FILES, "known/data.json"])
    assert found.files["known/data.json"] == b'{"a":[100],"b":1.5}'
    assert bundle.data_document(found) == {"known": {"a": [100], "b": 1.5}}


def test_shipped_policies() -> None:
    """None is what travels with this version."""
    try:
        found = bundle.load(None)
    except Exception as e:  # noqa: BLE001
        pytest.skip(f"no policies in this tree: {e}")
    assert found.rules
    assert bundle.from_tar(bundle.to_tar(found)) == found


def test_folder_and_archives_give_the_same_bundle(folder: Path, tmp_path: Path) -> None:
    """P22: the policy digest is of what the policy is, not of where it came from."""
    expected = bundle.load(folder)
    reordered = dict(reversed(FILES.items()))

    def touch(member: tarfile.TarInfo) -> None:
        member.mtime, member.uid, member.uname, member.mode = 1_700_000_000, 1000, "somebody", 0o600

    for name, data in {
        "ours.tar.gz": bundle.to_tar(expected),
        "other.tgz": archive(reordered, touch),
        "opa-build.tar.gz": archive({f"/{path}": text for path, text in FILES.items()} | {"/.manifest": "{}"}),
        "dotted.tar.gz": archive({f"./{path}": text for path, text in FILES.items()}),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert bundle.load(tmp_path / name) == expected, name
    assert bundle.from_tar(bundle.to_tar(expected)) == expected
    with tarfile.open(fileobj=io.BytesIO(bundle.to_tar(expected)), mode="r:gz") as tar:
        assert [(m.name, m.mtime, m.mode) for m in tar] == [(path, 0, 0o644) for path in sorted(FILES)]
    assert hashlib.sha256(gzip.decompress(bundle.to_tar(expected))).hexdigest() == expected.sha256


def test_bytes_are_pinned(folder: Path) -> None:
    """P38: the same policy has the same digest on every machine and Python."""
    found = bundle.load(folder)
    assert found.sha256 == "ee0c9d1be5f61c4fdbcffe720bbefa61e66ca5705e386b17cd9be4aea30cc3d3"
    assert (
        hashlib.sha256(bundle.to_tar(found)).hexdigest()
        == "d527c203943da0fcf678bf3d22d7141b2fbd5d1a32996cbf696dd06f8b90a83a"
    )


def test_large_bundle_survives_the_archive(folder: Path) -> None:
    """More than one stored block."""
    write(folder, {"lib/big.rego": "package sbomgate.lib.big\n" + "# comment\n" * 30_000})
    found = bundle.load(folder)
    assert bundle.from_tar(bundle.to_tar(found)) == found
    assert gzip.decompress(bundle.to_tar(found))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"decision.rego": None}, "would replace", id="P21 no decision, and rules of ours"),
        pytest.param({"rules/pinned.rego": None, "rules/age.rego": None}, "no rule", id="P3 no rule"),
        pytest.param(dict.fromkeys(FILES), "no policy", id="P3 empty"),
        pytest.param({"lib/a.rego": b"\xff"}, "not UTF-8", id="not UTF-8"),
        pytest.param({"lib/b c.rego": "x"}, "is a name", id="blank in a name"),
        pytest.param({"lib/" + "b" * 100 + ".rego": "x"}, "is a name", id="long name"),
        pytest.param({"lib/known.json": "{}"}, "neither Rego nor data.json", id="data that OPA would not see"),
        pytest.param({"data.yaml": "a: 1"}, "neither Rego nor data.json", id="YAML"),
        pytest.param({"policy.wasm": b"\0asm"}, "neither Rego nor data.json", id="compiled policy"),
        pytest.param({"data.json": "[]"}, "no JSON object", id="data is a list"),
        pytest.param({"data.json": '{"a":1,"a":2}'}, "given twice", id="data with a member twice"),
        pytest.param({"data.json": '{"a":{"b":1}}', "a/data.json": '{"b":2}'}, "also said", id="data that contradict"),
        pytest.param({"lib/big.rego": b"#" * (bundle.MAX_FILE_BYTES + 1)}, "larger than", id="P9 file"),
        pytest.param({f"lib/{i}.rego": b"#" * (3 << 20) for i in range(6)}, "16777216 bytes", id="P9 bytes"),
        pytest.param({f"lib/{i}.rego": b"#" for i in range(bundle.MAX_FILES)}, "more than", id="P9 files"),
    ],
)
def test_refused(folder: Path, tmp_path: Path, change: dict[str, str | bytes | None], says: str) -> None:
    files: dict[str, str | bytes] = {k: v for k, v in ({**FILES, **change}).items() if v is not None}
    write(tmp_path / "other", files)
    (tmp_path / "other").mkdir(exist_ok=True)
    (tmp_path / "other.tar.gz").write_bytes(archive(files))
    for path in (tmp_path / "other", tmp_path / "other.tar.gz"):
        with pytest.raises(PolicyError) as e:
            bundle.load(path)
        assert says in str(e.value)


def test_links(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.rego"
    outside.write_text("package x")
    (folder / "lib/inside.rego").symlink_to(folder / "lib/a.rego")
    assert "lib/inside.rego" in bundle.load(folder).files
    (folder / "lib/out.rego").symlink_to(outside)
    with pytest.raises(PolicyError, match="leaves the folder"):
        bundle.load(folder)
    (folder / "lib/out.rego").unlink()
    (folder / "rules/more").symlink_to(tmp_path)
    with pytest.raises(PolicyError, match="link to a folder"):
        bundle.load(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "lib/pipe.rego")
    with pytest.raises(PolicyError, match="not a regular file"):
        bundle.load(folder)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        pytest.param("absent", None, "neither a folder", id="absent"),
        pytest.param("absent.tar.gz", None, "cannot be read", id="absent archive"),
        pytest.param("a.zip", b"PK", "neither a folder", id="another format"),
        pytest.param("a.tar.gz", b"", "cut short", id="empty"),
        pytest.param("a.tar.gz", b"hello", "no gzip", id="no gzip"),
        pytest.param("a.tar.gz", gzip.compress(b"hello" * 300), "no tar", id="no tar"),
        pytest.param("a.tar.gz", archive(FILES)[:-9], "cut short", id="cut short"),
        pytest.param("a.tar.gz", archive(FILES) + b"x", "something follows", id="something follows"),
        pytest.param("a.tar.gz", gzip.compress(bytes(64 << 20)), "larger than", id="P9 bomb"),
        pytest.param("a.tar.gz", archive({**FILES, "../x.rego": "x"}), "is a name", id="leaves the folder"),
        pytest.param("a.tar.gz", archive({**FILES, "lib/../x.rego": "x"}), "is a name", id="walks"),
    ],
)
def test_bad_archive(tmp_path: Path, name: str, data: bytes | None, says: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(PolicyError) as e:
        bundle.load(tmp_path / name)
    assert says in str(e.value)


def test_archive_with_a_link_or_a_double(tmp_path: Path) -> None:
    def link(member: tarfile.TarInfo) -> None:
        if member.name == "lib/a.rego":
            member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0

    (tmp_path / "link.tar.gz").write_bytes(archive(FILES, link))
    with pytest.raises(PolicyError, match="link or a device"):
        bundle.load(tmp_path / "link.tar.gz")
    (tmp_path / "twice.tar.gz").write_bytes(archive({**FILES, "./decision.rego": "package x"}))
    with pytest.raises(PolicyError, match="twice"):
        bundle.load(tmp_path / "twice.tar.gz")


def test_altered_in_any_byte(folder: Path) -> None:
    """What is stored as evidence has one form: no byte can change without being refused or changing the digest."""
    found = bundle.load(folder)
    data = bundle.to_tar(found)
    for at in range(0, len(data), 97):
        altered = bytearray(data)
        altered[at] ^= 1
        try:
            other = bundle.from_tar(bytes(altered))
        except PolicyError:
            continue
        pytest.fail(f"byte {at} was altered and {other.sha256} accepted")
    with pytest.raises(PolicyError, match="canonical form"):
        bundle.from_tar(archive(FILES))
