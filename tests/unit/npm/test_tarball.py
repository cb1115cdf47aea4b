"""sbomgate.npm.tarball against archives that a library writes, that nobody should write, and tarfile as oracle."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate.model import Absence, Missing, Origin, TarballFacts
from sbomgate.npm import manifest, tarball
from testkit import tarballs
from testkit.tarballs import END, gzip, header, member, pack, package, pax

JSON = b'{"name":"a","version":"1.0.0"}'
OK = member(b"package/package.json", JSON)


def read(data: bytes) -> TarballFacts | Missing:
    return tarball.read(data, sha512=tarballs.sha512(data), origin=Origin.NETWORK)


def facts(data: bytes) -> TarballFacts:
    found = read(data)
    assert isinstance(found, TarballFacts), found
    return found


def malformed(data: bytes) -> str:
    found = read(data)
    assert isinstance(found, Missing), found
    assert found.absence is Absence.MALFORMED
    return found.reason


def test_hash_is_compared_before_anything_is_read() -> None:
    """P10, P11: other bytes are a mismatch, whatever they hold; a broken archive with the right digest is malformed."""
    found = tarball.read(b"not even gzip", sha512=tarballs.sha512(package("a", "1.0.0")), origin=Origin.NETWORK)
    assert isinstance(found, Missing)
    assert found.absence is Absence.MISMATCH
    assert "not gzip" in malformed(b"not even gzip")


def test_what_is_read() -> None:
    data = package(
        "@scope/a",
        "1.2.3",
        scripts={"postinstall": "node x.js", "install": "", "test": "t", "prepare": "p", "preinstall": "é"},
    )
    found = facts(data)
    assert (found.name, found.version, found.licence) == ("@scope/a", "1.2.3", "MIT")
    assert found.scripts == {"postinstall": "node x.js", "preinstall": "é"}  # empty is none, as for npm
    assert found.sha512 == tarballs.sha512(data)
    assert found.origin is Origin.NETWORK
    assert (found.gyp, found.bundled) == (False, ())


@pytest.mark.parametrize(
    ("manifest_fields", "scripts", "gyp"),
    [
        pytest.param({}, None, True, id="binding.gyp alone"),
        pytest.param({"gypfile": True}, None, True, id="gypfile true"),
        pytest.param({"gypfile": "false"}, None, True, id="gypfile text is not false"),
        pytest.param({"gypfile": False}, None, True, id="gypfile false, which npm does not read after a lockfile"),
        pytest.param({}, {"install": "node x"}, False, id="an install script replaces it"),
        pytest.param({}, {"preinstall": "node x"}, False, id="a preinstall script replaces it"),
        pytest.param({}, {"install": ""}, True, id="an empty install script does not"),
        pytest.param({}, {"postinstall": "node x"}, True, id="a postinstall script does not"),
    ],
)
def test_gyp(manifest_fields: dict[str, Any], scripts: dict[str, str] | None, gyp: bool) -> None:
    """CASES I03: what npm would run because of binding.gyp."""
    data = package("a", "1.0.0", files={"binding.gyp": b"{}"}, scripts=scripts, manifest=manifest_fields)
    assert facts(data).gyp is gyp


@pytest.mark.parametrize("where", ["src/binding.gyp", "binding.gyp/x", "deps/node_modules/b/binding.gyp"])
def test_gyp_elsewhere_does_not_count(where: str) -> None:
    assert not facts(package("a", "1.0.0", files={where: b"{}"})).gyp


def test_bundled() -> None:
    inner = b'{"name":"%s","version":"2.0.0","scripts":{"install":"i"}}'
    data = package(
        "a",
        "1.0.0",
        files={
            "node_modules/b/package.json": inner % b"b",
            "node_modules/@s/c/package.json": inner % b"@s/c",
            "node_modules/b/node_modules/d/package.json": inner % b"d",
            "node_modules/b/node_modules/d/lib/package.json": b"{",  # not a package's root: never read
            "node_modules/e/binding.gyp": b"{}",
            "test/node_modules/f/package.json": b"{",
            "node_modules/package.json": b"{",
            "node_modules/@s/package.json": b"{",
        },
    )
    found = facts(data)
    assert [(one.path, one.name, one.version, dict(one.scripts), one.gyp) for one in found.bundled] == [
        ("node_modules/@s/c", "@s/c", "2.0.0", {"install": "i"}, False),
        ("node_modules/b", "b", "2.0.0", {"install": "i"}, False),
        ("node_modules/b/node_modules/d", "d", "2.0.0", {"install": "i"}, False),
        ("node_modules/e", "e", "", {}, True),
    ]


@pytest.mark.parametrize("folder", ["package", "left-pad", "a b", "näme", "."])
def test_first_folder_is_stripped_whatever_its_name(folder: str) -> None:
    assert facts(package("a", "1.0.0", folder=folder)).name == "a"


LONG = "x/" * 70 + "y" * 120


READ_ALIKE = [
    pytest.param(pack([("package/" + LONG, b"1"), ("package/package.json", JSON)]), id="pax long name"),
    pytest.param(
        pack([("package/" + LONG, b"1"), ("package/package.json", JSON)], format=tarfile.GNU_FORMAT),
        id="GNU long name",
    ),
    pytest.param(
        pack([("package/" + "x/" * 60 + "y", b"1"), ("package/package.json", JSON)], format=tarfile.USTAR_FORMAT),
        id="ustar prefix",
    ),
    pytest.param(gzip(pax({"path": "package/package.json"}) + member(b"other", JSON) + END), id="pax path wins"),
    pytest.param(
        gzip(member(b"././@LongLink", b"package/package.json\0", kind=b"L") + member(b"other", JSON) + END),
        id="GNU L",
    ),
    pytest.param(gzip(member(b"package.json", JSON, prefix=b"package") + END), id="prefix"),
    pytest.param(gzip(member(b"package/package.json", JSON, kind=b"\0", magic=b"") + END), id="old file type"),
    pytest.param(gzip(member(b"package/package.json", JSON, kind=b"7") + END), id="contiguous file"),
    pytest.param(gzip(pax({"comment": "x"}, kind=b"g") + OK + END), id="git archive's global header"),
    pytest.param(gzip(header(b"package/", 4096, kind=b"5") + OK + END), id="folder with a size"),
    pytest.param(gzip(header(b"package/x/", 77, kind=b"0") + OK + END), id="folder by its slash"),
    pytest.param(gzip(OK), id="no end blocks"),
    pytest.param(gzip(OK + bytes(512)), id="one end block"),
    pytest.param(gzip(OK + END + bytes(9216)), id="record padding"),
    pytest.param(gzip(OK) + gzip(END), id="two gzip streams"),
    pytest.param(gzip(OK + END) + bytes(512), id="zeros after the gzip stream"),
    pytest.param(gzip(member(b"package//./package.json", JSON) + END), id="empty and dot parts"),
    pytest.param(
        gzip(member(b"package/package.json", JSON, size_field=b"\x80" + len(JSON).to_bytes(11, "big")) + END),
        id="base 256",
    ),
    pytest.param(gzip(OK + member(b"package/big", bytes(range(256)) * 40_000) + END), id="member larger than a window"),
    pytest.param(gzip(member(b"package/package.json", b"\xef\xbb\xbf" + JSON) + END), id="byte order mark"),
]


@pytest.mark.parametrize("data", READ_ALIKE)
def test_read_alike(data: bytes) -> None:
    assert facts(data).name == "a"


EXTRACT = """
const tar = require(process.argv[1]), fs = require('fs'), path = require('path')
for (const file of process.argv.slice(2)) {
  const cwd = file + '.d'
  fs.mkdirSync(cwd)
  const filter = (_, entry) => /File$/.test(entry.type)
  tar.x({ file, cwd, sync: true, strip: 1, filter })
  console.log(JSON.parse(fs.readFileSync(path.join(cwd, 'package.json'), 'utf8').replace(/^\\uFEFF/, '')).name)
}
"""


@pytest.mark.npm
def test_npms_own_reader_reads_them_alike(tmp_path: Path) -> None:
    """npm's node-tar, with the options that npm uses (pacote), is the reader that counts."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    tar = Path(npm).resolve().parent.parent / "node_modules" / "tar"
    if not tar.is_dir():
        pytest.skip("npm's own tar is not where npm keeps it")
    files = []
    for index, case in enumerate(READ_ALIKE):
        files.append(tmp_path / f"{index}.tgz")
        files[-1].write_bytes(case.values[0])  # type: ignore[arg-type]
    done = subprocess.run(
        ["node", "-e", EXTRACT, str(tar), *map(str, files)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["a"] * len(READ_ALIKE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(gzip(OK + OK + END), "twice", id="two manifests"),
        pytest.param(gzip(OK + member(b"other/package.json", JSON) + END), "twice", id="two first folders"),
        pytest.param(gzip(OK + member(b"package/Package.JSON", JSON) + END), "twice", id="case"),
        pytest.param(gzip(OK + member("package/package.jſon".encode(), JSON) + END), "twice", id="case folding"),
        pytest.param(gzip(OK + member(b"package/./package.json", JSON) + END), "twice", id="dot part"),
        pytest.param(gzip(OK + member(b"package/package.json/.", JSON) + END), "twice", id="trailing dot"),
        pytest.param(
            gzip(OK + member(b"package/node_modules/b/package.json", JSON) * 2 + END),
            "twice",
            id="two bundled manifests",
        ),
        pytest.param(gzip(OK + member(b"package/binding.gyp", b"") * 2 + END), "twice", id="two binding.gyp"),
        pytest.param(gzip(OK + header(b"package/x", kind=b"2", link=b"/etc") + END), "symbolic link", id="symlink"),
        pytest.param(gzip(OK + header(b"package/x", kind=b"1", link=b"package/y") + END), "hard link", id="hard link"),
        pytest.param(gzip(OK + header(b"package/x", kind=b"3") + END), "device", id="device"),
        pytest.param(gzip(OK + header(b"package/x", kind=b"6") + END), "named pipe", id="fifo"),
        pytest.param(gzip(OK + header(b"package/x", kind=b"S") + END), "unknown type", id="sparse"),
        pytest.param(gzip(OK + header(b"package/x", kind=b"X") + END), "unknown type", id="Solaris header"),
        pytest.param(
            gzip(member(b"package/package.json", JSON, link=b"x") + END), "link name", id="file with link name"
        ),
        pytest.param(gzip(OK + member(b"package/../../x", b"") + END), "leaves its folder", id="traversal"),
        pytest.param(gzip(OK + member(b"package\\..\\x", b"") + END), "leaves its folder", id="traversal, backslash"),
        pytest.param(gzip(OK + member(b"/package/x", b"") + END), "absolute", id="absolute"),
        pytest.param(gzip(OK + member(b"c:\\x", b"") + END), "absolute", id="drive"),
        pytest.param(
            gzip(OK + member(b"package\\package.json", JSON) + END), "outside|backslash|twice", id="backslash"
        ),
        pytest.param(gzip(OK + member(b"package.json", JSON) + END), "outside of any folder", id="no folder"),
        pytest.param(gzip(member(b"package/index.js", b"1") + END), "no package.json", id="no manifest"),
        pytest.param(gzip(END), "no package.json", id="empty archive"),
        pytest.param(gzip(b""), "no package.json", id="nothing"),
        pytest.param(gzip(OK + bytes(512) + OK + END), "after the end", id="after one end block"),
        pytest.param(gzip(OK + END + member(b"package/binding.gyp", b"") + END), "after the end", id="after the end"),
        pytest.param(gzip(OK + END) + b"garbage", "follow the gzip", id="after the gzip stream"),
        pytest.param(gzip(OK + END) + bytes(300_000) + b"x", "follow the gzip", id="far after the gzip stream"),
        pytest.param(gzip(OK + END)[:-9], "cut short", id="gzip cut"),
        pytest.param(gzip(OK)[:-8] + b"\0" * 8, "broken", id="gzip's own checksum"),
        pytest.param(gzip(header(b"package/package.json", 4000) + b"{}"), "cut short", id="member cut"),
        pytest.param(gzip(header(b"package/x", 0)[:300]), "cut short", id="header cut"),
        pytest.param(gzip(header(b"package/x", 10_000_000) + b"{}"), "cut short", id="skipped member cut"),
        pytest.param(gzip(header(b"package/x", checksum=7) + OK + END), "checksum", id="checksum"),
        pytest.param(gzip(header(b"package/x", size_field=b"0000000000x\0") + END), "size is not a number", id="size"),
        pytest.param(
            gzip(header(b"package/x", size_field=b"\xff" * 12) + END), "size is not a number", id="negative size"
        ),
        pytest.param(
            gzip(header(b"package/x", size_field=b"0x000000012\0") + END), "size is not a number", id="hex size"
        ),
        pytest.param(gzip(member(b"package/x\0y", b"") + OK + END), "goes on after", id="name after NUL"),
        pytest.param(gzip(member(b"", b"") + OK + END), "without a name", id="no name"),
        pytest.param(gzip(member(b"x", b"", prefix=b"p", magic=b"ustar\x0099") + OK), "unknown version", id="version"),
        pytest.param(gzip(pax({"linkpath": "x"}) + OK + END), "linkpath", id="pax linkpath"),
        pytest.param(gzip(pax({"GNU.sparse.name": "x"}) + OK + END), "GNU.sparse", id="pax sparse"),
        pytest.param(gzip(pax({"path": "package/x"}) * 2 + OK + END), "two extended", id="two pax headers"),
        pytest.param(
            gzip(member(b"L", b"package/x\0", kind=b"L") * 2 + OK + END), "two long names", id="two GNU names"
        ),
        pytest.param(gzip(pax({"path": "x\0y"}) + OK + END), "line end or NUL", id="pax NUL"),
        pytest.param(gzip(pax({"path": "x\ny"}) + OK + END), "line end or NUL", id="pax line end"),
        pytest.param(gzip(member(b"p", b"99 path=x\n", kind=b"x") + OK + END), "broken", id="pax length"),
        pytest.param(gzip(member(b"p", b"garbage", kind=b"x") + OK + END), "broken", id="pax garbage"),
        pytest.param(gzip(member(b"p", b"9 path=x\n9 path=y\n", kind=b"x") + OK + END), "twice", id="pax twice"),
        pytest.param(gzip(pax({"size": "1e3"}) + OK + END), "size is not a number", id="pax size"),
        pytest.param(gzip(pax({"size": "5"}, kind=b"g") + OK + END), "global", id="global size"),
        pytest.param(gzip(pax({"path": "x"}, kind=b"g") + OK + END), "global", id="global path"),
        pytest.param(gzip(OK + pax({"path": "x"}) + END), "after an extended header", id="pax at the end"),
        pytest.param(gzip(OK + header(b"p", 2**21, kind=b"x") + END), "over the limit", id="pax limit"),
        pytest.param(
            gzip(OK + pax({"path": "package/" + "x" * 5000}) + member(b"x", b"") + END),
            "over the limit",
            id="name limit",
        ),
        pytest.param(gzip(OK + pax({"path": "x/" * 300 + "y"}) + member(b"x", b"") + END), "parts", id="nesting limit"),
        pytest.param(
            gzip(header(b"package/package.json", manifest.MAX_MANIFEST_BYTES + 1)),
            "over the limit",
            id="manifest limit",
        ),
        pytest.param(gzip(member("package/node_modules/é/package.json".encode(), JSON) + END), "not ASCII", id="name"),
    ],
)
def test_without_one_meaning(data: bytes, reason: str) -> None:
    """P1, P9: what readers take differently is malformed, with the reason."""
    assert re.search(reason, malformed(data))


@pytest.mark.parametrize(
    ("name", "limit", "data"),
    [
        ("MAX_TARBALL_BYTES", 100, gzip(OK + END)),
        ("MAX_UNPACKED_BYTES", 1000, gzip(OK + END)),
        ("MAX_MEMBERS", 3, gzip(OK + member(b"package/x", b"") * 3 + END)),
        ("MAX_BUNDLED", 2, package("a", "1.0.0", files={f"node_modules/{n}/package.json": b"{}" for n in "bcd"})),
    ],
)
def test_limits(monkeypatch: pytest.MonkeyPatch, name: str, limit: int, data: bytes) -> None:
    """P9."""
    assert isinstance(read(data), TarballFacts)
    monkeypatch.setattr(tarball, name, limit)
    assert re.search("limit|more than", malformed(data))


def test_bomb() -> None:
    """P9: a ratio that no source text reaches stops early, long before the unpacked limit."""
    bomb = gzip(OK + member(b"package/x", bytes(tarball.RATIO_APPLIES_BYTES)) + END)
    assert f"{tarball.MAX_RATIO} times" in malformed(bomb)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b'"x"', "not an object"),
        (b'{"name":"a","name":"b","version":"1"}', "'name' twice"),
        (b'{"name":"a","version":"1","scripts":{"install":"x","install":"y"}}', "'install' twice"),
        (b'{"name":"a","version":"1","__proto__":{"x":1}}', "__proto__"),
        (b'{"name":"a","version":"1","x":NaN}', "NaN"),
        (b'{"name":"a","version":"1","x":-Infinity}', "Infinity"),
        (b'{"name":"a","version":"1","scripts":{"install":["x"]}}', "install is not text"),
        (b'{"name":"a","version":1}', "version is not text"),
        (b'{"name":"a"}', "no name or no version"),
        (b'{"name":"a","version":"1","scripts":{"install":"\xff"}}', "not UTF-8"),
        (b'{"name":"a","version":"1","scripts":{"install":"\\ud800"}}', "surrogate"),
        ('{"name":"a","version":"1"}'.encode("utf-16"), "not JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_manifest_without_one_meaning(text: bytes, reason: str) -> None:
    assert reason in malformed(gzip(member(b"package/package.json", text) + END))


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"license": "Apache-2.0 OR MIT"}, "Apache-2.0 OR MIT"),
        ({"license": {"type": "BSD"}}, "BSD"),
        ({"license": None, "licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}, "(MIT OR GPL-2.0)"),
        ({"license": None, "licenses": "MIT"}, "MIT"),
        ({"license": 7}, None),
        ({"license": " "}, None),
    ],
)
def test_licence(fields: dict[str, Any], licence: str | None) -> None:
    assert facts(package("a", "1.0.0", manifest=fields)).licence == licence


def test_the_same_key_with_the_same_value_has_one_meaning() -> None:
    """Real packages have it: bl 4.0.3 states its licence twice."""
    text = b'{"name":"a","version":"1","license":"MIT","license":"MIT"}'
    assert facts(gzip(member(b"package/package.json", text) + END)).licence == "MIT"


def test_scripts_that_are_no_object_are_none() -> None:
    values: list[object] = [[], "x", None, 7]
    for value in values:
        assert facts(package("a", "1.0.0", manifest={"scripts": value})).scripts == {}


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0\n", exclude_categories=["Cs"]), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(
    paths=st.lists(st.lists(NAMES, min_size=1, max_size=6), max_size=8),
    sizes=st.lists(st.integers(0, 3000), min_size=8, max_size=8),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    scripts=st.dictionaries(
        st.sampled_from(["install", "preinstall", "test"]), st.text(st.characters(codec="utf-8"), min_size=1)
    ),
)
def test_tarfile_is_the_oracle(paths: list[list[str]], sizes: list[int], form: int, scripts: dict[str, str]) -> None:
    """Where both read an archive, they read the same manifest out of it."""
    document = json.dumps({"name": "a", "version": "1.0.0", "scripts": scripts}).encode()
    members: list[tuple[str, bytes]] = [
        ("package/x/" + "/".join(parts), bytes(size)) for parts, size in zip(paths, sizes, strict=False)
    ]
    data = pack([*members, ("package/package.json", document)], format=form)
    found = read(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        theirs = archive.extractfile("package/package.json")
        assert theirs is not None
        expected = json.load(theirs)
    if isinstance(found, Missing):
        assert found.absence is Absence.MALFORMED
        assert any(".." in parts or "\ufffd" in script for parts in paths for script in [*scripts.values(), ""])
    else:
        assert found.scripts == {name: text for name, text in sorted(expected["scripts"].items()) if name != "test"}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_an_exception(data: st.DataObject) -> None:
    """P1: any change of bytes is a value, never a crash."""
    raw = bytearray(zlib.decompress(package("a", "1.0.0", scripts={"install": "x"}, files={"binding.gyp": b"{}"}), 31))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(read(gzip(bytes(raw[: data.draw(st.integers(0, len(raw)))]))), TarballFacts | Missing)


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("node install.js", {"install.js"}),
        ("node ./install", {"install.js"}),
        ("node install", {"install.js"}),
        ("node scripts/build/run.js && sh x.sh", {"scripts/build/run.js", "x.sh"}),
        ("node 'scripts/build/run'", {"scripts/build/run.js"}),
        ("node -e \"require('./scripts/build')\"", {"scripts/build/index.js"}),
        ("node -e \"try{require('./install')}catch(e){}\"", {"install.js"}),
        ("echo nothing of the kind", set()),
        ("node-gyp rebuild", set()),
    ],
)
def test_files_that_a_script_names(script: str, named: set[str]) -> None:
    """CASES I09: the same text, another file."""
    files = {
        "install.js": b"1",
        "scripts/build/run.js": b"2",
        "scripts/build/index.js": b"3",
        "x.sh": b"4",
        "other.js": b"5",
    }
    found = facts(tarballs.package("a", "1.0.0", scripts={"postinstall": script}, files=files))
    assert set(found.files) == named
    assert all(digest == hashlib.sha256(files[path]).hexdigest() for path, digest in found.files.items())


def test_files_of_a_bundled_script() -> None:
    inner = json.dumps({"name": "b", "version": "1.0.0", "scripts": {"install": "node run"}}).encode()
    files = {"node_modules/b/package.json": inner, "node_modules/b/run.js": b"x", "run.md": b"y"}
    assert set(facts(tarballs.package("a", "1.0.0", files=files)).files) == {"node_modules/b/run.js"}


def test_a_named_file_larger_than_a_window() -> None:
    data = bytes(range(256)) * 40_000  # 10 MB, in several windows
    found = facts(tarballs.package("a", "1.0.0", scripts={"install": "node big.js"}, files={"big.js": data}))
    assert found.files == {"big.js": hashlib.sha256(data).hexdigest()}


def test_dependencies_commands_and_repository() -> None:
    found = facts(
        tarballs.package(
            "@o/a",
            "1.0.0",
            manifest={
                "dependencies": {"x": "^1", "y": "1", "bad": 7},
                "optionalDependencies": {"y": "2"},
                "bin": "cli.js",
                "repository": {"url": "git+https://github.com/o/a.git"},
            },
        )
    )
    assert found.dependencies == {"x": "^1", "y": "2"}
    assert found.bin == ("a",)
    assert found.repository == "git+https://github.com/o/a.git"


@pytest.mark.parametrize(
    ("bin_", "names"),
    [
        ({"node": "x.js", "b": "y.js"}, ("b", "node")),
        ({"../../node": "x.js", "a\\npm": "y.js", "": "z.js"}, ("node", "npm")),
        ({"node": 7, "b": ""}, ()),
        (["x"], ("x",)),
        ("", ()),
    ],
)
def test_commands(bin_: object, names: tuple[str, ...]) -> None:
    assert facts(tarballs.package("a", "1.0.0", manifest={"bin": bin_})).bin == names
