"""Hostile bytes in every lockfile format: refused at once, by name and line; what is harmless is read (P1, P9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sbomgate import lockfiles
from sbomgate.errors import InputError
from sbomgate.project import DiskFiles, MemoryFiles

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "every-source"
FORMATS = {
    "npm-3": "package-lock.json",
    "pnpm-6": "pnpm-lock.yaml",
    "pnpm-9": "pnpm-lock.yaml",
    "yarn-1": "yarn.lock",
    "berry-10": "yarn.lock",
    "bun-1": "bun.lock",
}
YAML = {"pnpm-6", "pnpm-9", "berry-10"}
JSON = {"npm-3", "bun-1"}
Spoil = Callable[[bytes], bytes]


def project(name: str, spoil: Spoil) -> MemoryFiles:
    """Return a fixture whose lockfile is spoilt."""
    folder = FIXTURES / name
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    files[FORMATS[name]] = spoil(files[FORMATS[name]])
    return MemoryFiles(files)


def at_end(tail: bytes) -> Spoil:
    return lambda data: data + tail


def in_the_middle(what: bytes) -> Spoil:
    """Put something at the end of a line in the middle."""

    def spoil(data: bytes) -> bytes:
        at = data.index(b"\n", len(data) // 2)
        return data[:at] + what + data[at:]

    return spoil


def first(old: bytes, new: bytes) -> Spoil:
    def spoil(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return spoil


EVERYWHERE: dict[str, tuple[Spoil, str]] = {
    "L05 UTF-16 with a mark": (lambda data: data.decode().encode("utf-16"), ""),
    "L05 UTF-16 without a mark": (lambda data: data.decode().encode("utf-16-le"), ""),
    "L05 UTF-32": (lambda data: data.decode().encode("utf-32"), ""),
    "Latin-1": (in_the_middle(b"\xe9"), ""),
    "half a surrogate pair as bytes": (in_the_middle(b"\xed\xa0\x80"), ""),
    "NUL": (in_the_middle(b"\0"), "line"),
    "escape character": (in_the_middle(b"\x1b[2J"), "line"),
    "empty": (lambda _: b"", ""),
    "blanks": (lambda _: b" \n\n", ""),
    "a second byte order mark": (lambda data: b"\xef\xbb\xbf\xef\xbb\xbf" + data, "?"),
    "an unresolved conflict": (in_the_middle(b"\n<<<<<<< ours\n=======\n>>>>>>> theirs"), "line"),
}
SOME: dict[str, tuple[set[str], Spoil, str]] = {
    "a tab as indentation": ({*YAML, "yarn-1"}, in_the_middle(b"\n\t\tx: y"), "line"),
    "an anchor": (YAML, at_end(b"x: &a y\n"), "line"),
    "an alias": (YAML, at_end(b"x: *a\n"), "line"),
    "a tag": (YAML, at_end(b"x: !!python/object/apply:os.system [id]\n"), "line"),
    "a merge key": (YAML, at_end(b"x:\n  <<: {}\n"), "line"),
    "a bomb": (YAML, at_end(b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"), "line"),
    "a directive": (YAML, lambda data: b"%YAML 1.1\n---\n" + data, "line"),
    "a third document": ({"pnpm-9"}, at_end(b"---\nx: y\n---\nx: y\n"), "?"),
    "a second document": ({"pnpm-6", "berry-10"}, at_end(b"---\nx: y\n"), "?"),
    "a duplicate key": (YAML, at_end(b"x: y\nx: z\n"), "line"),
    "__proto__ in YAML": (YAML, at_end(b"__proto__: y\n"), "line"),
    "a line break of YAML 1.1": ({"pnpm-6", "pnpm-9"}, in_the_middle("\u2028x: y".encode()), "line"),
    "deep nesting of blocks": (YAML, at_end(b"".join(b" " * 2 * i + b"a:\n" for i in range(500))), "line"),
    "deep nesting of brackets": (YAML, at_end(b"a: " + b"[" * 100_000 + b"\n"), "line"),
    "__proto__ in JSON": (JSON, first(b'"lockfileVersion"', b'"__proto__": {}, "lockfileVersion"'), ""),
    "a duplicate key in JSON": (JSON, first(b'"lockfileVersion"', b'"lockfileVersion": 1, "lockfileVersion"'), ""),
    "a block comment": (JSON, first(b"{", b"{ /* x */"), "?"),
    "a line comment": (JSON, first(b"{", b"{ // x"), "?"),
    "single quotes": (JSON, first(b'"lockfileVersion"', b"'lockfileVersion'"), "?"),
    "NaN": (JSON, first(b'"lockfileVersion":', b'"x": NaN, "lockfileVersion":'), ""),
    "a huge integer": (JSON, first(b'"lockfileVersion":', b'"x": ' + b"9" * 5000 + b', "lockfileVersion":'), ""),
    "deep nesting in JSON": (JSON, first(b"{", b'{"x": ' + b"[" * 100_000), "?"),
    "text behind the end": (JSON, at_end(b"{}"), "?"),
}
RUNS = [(name, case) for case in EVERYWHERE for name in FORMATS] + [
    (name, case) for case, (formats, _, _) in SOME.items() for name in sorted(formats)
]


@pytest.mark.parametrize(("name", "case"), RUNS, ids=[f"{name}: {case}" for name, case in RUNS])
def test_refused(name: str, case: str) -> None:
    """P1: exit code 2, with the file and, where the bytes are text at all, the line."""
    spoil, told = EVERYWHERE[case] if case in EVERYWHERE else SOME[case][1:]
    with pytest.raises(InputError) as caught:
        lockfiles.read(project(name, spoil))
    assert caught.value.where == FORMATS[name]
    assert caught.value.hint
    if told == "line":
        assert "line" in f"{caught.value.place} {caught.value.message}"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="L04 a byte order mark"),
        pytest.param(lambda data: data.replace(b"\n", b"\r\n"), id="line ends of Windows"),
        pytest.param(lambda data: data.rstrip(b"\n"), id="no line break at the end"),
    ],
)
def test_read_all_the_same(name: str, spoil: Spoil) -> None:
    """The twins: what an editor or git does to a file is no attack, and changes nothing."""
    plain, found = lockfiles.read(project(name, lambda data: data)), lockfiles.read(project(name, spoil))
    assert found.packages == plain.packages
    assert found.edges == plain.edges
    assert found.findings == plain.findings


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_cut(name: str, part: float) -> None:
    """A file that was cut is refused, or what is left contradicts itself: some forms still read at a line's end."""
    files = project(name, lambda data: data[: int(len(data) * part)])
    try:
        codes = {finding.code for finding in lockfiles.read(files).findings}
    except InputError:
        codes = {"lock-drift"}
    assert {"dependency-missing", "lock-drift"} & codes


@pytest.mark.parametrize("name", FORMATS)
def test_too_large(name: str, tmp_path: Path) -> None:
    """P9: over the limit nothing is read: a sparse file of 300 MiB."""
    folder = FIXTURES / name
    (tmp_path / "package.json").write_bytes((folder / "package.json").read_bytes())
    with (tmp_path / FORMATS[name]).open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(InputError, match=r"MiB|bytes") as caught:
        lockfiles.read(DiskFiles(tmp_path, tmp_path))
    assert caught.value.where == FORMATS[name]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("filling", [b"a", b"[", b'"', b"a: ", b"x\n"], ids=repr)
def test_nonsense_is_refused_in_linear_time(name: str, filling: bytes) -> None:
    """Two megabytes of the same: no expression goes over them again and again."""
    with pytest.raises(InputError) as caught:
        lockfiles.read(project(name, lambda data: data + filling * ((2 << 20) // len(filling))))
    assert caught.value.where == FORMATS[name]
