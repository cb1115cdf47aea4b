"""P39: what a dependency may call itself, through every output that there is, and nobody who shows it obeys.

One hostile text stands wherever a lockfile, a registry or a publisher may write one. Each output is then read as those
who show it would: a terminal and a CI system every line, a browser the page, a spreadsheet each cell, a program JSON.
"""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from testkit.bench import Bench, Said, entry, known

HOSTILE = (
    "\x1b[2J\r\n::error::x ##vso[task.setvariable variable=a]b ##[set-output name=a]b ##teamcity[x] \u202e\u200b\x9b"
    "<img src=x onerror=alert(1)>[l](http:evil.test)|@team `x`"
)
FORMULA = "=cmd|' !C calc'!A0"

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b-\u200f\u2066-\u2069]")
_COMMANDS = ("##vso[", "##teamcity[", "##[")
COMMON = ("--trust", "trust.toml", "--facts", "facts.json", "--offline")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A project full of it that was gated, an inventory of it, and a project without to compare with."""
    bench = Bench(tmp_path_factory.mktemp("bench"))
    bench.check()  # compiles the engine, which says so
    bench.write(
        {"good": "1.0.0", HOSTILE: f"npm:good@{HOSTILE}", FORMULA: FORMULA},
        {
            "node_modules/good": entry("good", license=HOSTILE, deprecated=HOSTILE, engines={"node": HOSTILE}),
            f"node_modules/{HOSTILE}": {**entry("good"), "name": HOSTILE},
            f"node_modules/{FORMULA}": entry("good", FORMULA),
            "node_modules/x": {"version": HOSTILE, "resolved": f"https://evil.test/{HOSTILE}", "integrity": HOSTILE},
            "node_modules/y": {"version": "1.0.0", "resolved": f"git+ssh://{HOSTILE}"},
            "node_modules/z": {"resolved": f"../{HOSTILE}", "link": True},
        },
        name=HOSTILE,
        version=HOSTILE,
    )
    word: dict[str, Any] = {"deprecated": HOSTILE, "licence": HOSTILE, "publisher": HOSTILE, "maintainers": (HOSTILE,)}
    bench.record(known("good", scripts={"install": HOSTILE}, **word))
    assert bench.gate().code == 1
    assert bench.run("inventory", "add", "evidence", "--trust", "trust.toml").code == 0
    (bench.folder / "feed.csv").write_text("name,version\ngood,1.0.0\n")
    plain = bench.folder / "plain"
    plain.mkdir()
    about = {"name": "shop", "version": "1.0.0"}
    (plain / "package.json").write_text(json.dumps(about))
    (plain / "package-lock.json").write_text(json.dumps({**about, "lockfileVersion": 3, "packages": {"": about}}))
    return bench


def in_a_log(text: str, *, breaks: str = "\n") -> None:
    for line in text.split(breaks):
        assert not _CONTROL.search(line), ascii(line[:300])
        assert not line.lstrip().startswith("::"), ascii(line[:300])
        assert not any(command in line for command in _COMMANDS), ascii(line[:300])


class _Page(HTMLParser):
    """What a browser would make of it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "img"
        assert not any(name.startswith("on") for name, _ in attrs)
        assert not any("evil.test" in (value or "") for name, value in attrs if name in ("href", "src"))


def as_html(text: str) -> None:
    _Page().feed(text)


def as_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) > 1
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row), row


def as_markdown(text: str) -> None:
    """Nothing of it stands outside a code span, whose fence is longer than any run of backticks in it."""
    outside = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", text)
    assert "<img" not in outside
    assert "evil.test" not in outside
    assert "@team" not in outside


def as_json(text: str) -> None:
    def texts(value: Any) -> Any:
        match value:
            case dict():
                yield from value
                for one in value.values():
                    yield from texts(one)
            case list():
                for one in value:
                    yield from texts(one)
            case str():
                yield value

    found = list(texts(json.loads(text)))
    assert found
    assert any(HOSTILE in one or "##vso[" in one for one in found) or "##" not in text, "it says what it is about"


READERS = {"html": as_html, "csv": as_csv, "markdown": as_markdown, "json": as_json, "sarif": as_json}
SUBJECT = "file:shop-1.0.0.tgz"
FORMATS = ("text", "json", "csv", "html", "junit", "markdown", "sarif")
WAIVED = ("--until", HOSTILE, "--reason", HOSTILE, "--key", "release.key", "--trust", "trust.toml")
OUTPUTS: list[tuple[str, ...]] = [
    *(("check", "shop", *COMMON, "--format", name) for name in FORMATS),
    ("check", "shop", *COMMON, "--verbose"),
    *(("review", "shop", *COMMON, "--format", name) for name in ("text", "json", "markdown")),
    *(("report", "evidence", "--format", name) for name in FORMATS),
    *(("diff", "plain", "shop", "--format", name) for name in ("text", "json", "markdown")),
    *(("inventory", "sweep", "--feed", "feed.csv", "--format", name) for name in ("text", "json", "markdown", "csv")),
    ("inventory", "find", "good", "--paths"),
    ("inventory", "find", "good", "--json"),
    ("inventory", "find", HOSTILE),
    ("hunt", "shop", "--feed", "feed.csv"),
    ("hunt", "shop", "--feed", "feed.csv", "--json"),
    ("generate", "shop"),
    ("generate", "shop", "--format", "xml"),
    ("generate", "shop", "--conform", "ntia"),
    ("verify", SUBJECT, "--trust", "trust.toml", "--store", "evidence"),
    ("verify", SUBJECT, "--trust", "trust.toml", "--store", "evidence", "--json"),
    ("verify", f"file:{HOSTILE}", "--trust", "trust.toml"),
    ("audit", "evidence", "--trust", "trust.toml"),
    ("audit", "evidence", "--trust", "trust.toml", "--json"),
    ("replay", "evidence", "--all"),
    ("replay", "evidence", "--all", "--json"),
    ("fix", "shop", *COMMON),
    ("waive", HOSTILE, HOSTILE, *WAIVED),
    ("revoke", HOSTILE, "--reason", HOSTILE, "--trust", "trust.toml", "--key", "release.key"),
    ("policy", "explain", HOSTILE),
    ("feed", "import", HOSTILE),
    (HOSTILE,),
    ("check", "shop", "--format", HOSTILE),
]  # fmt: skip


def name_of(arguments: tuple[str, ...]) -> str:
    return " ".join("…" if one == HOSTILE else one for one in arguments if one not in COMMON)[:80]


@pytest.mark.parametrize("arguments", OUTPUTS, ids=name_of)
def test_nobody_obeys_a_name(bench: Bench, arguments: tuple[str, ...]) -> None:
    """P39"""
    said = bench.run(*arguments)
    in_a_log(said.err)
    kind = "json" if "--json" in arguments else arguments[-1] if "--format" in arguments else ""
    in_a_log(said.out, breaks="\r\n" if kind == "csv" else "\n")
    if said.out and kind in READERS:
        READERS[kind](said.out)
    assert said.out or said.err


def test_what_is_written_to_a_file_is_the_same_sbom(bench: Bench) -> None:
    """The escapes of stdout change no meaning: a program reads the same names."""
    shown: Said = bench.run("generate", "shop")
    assert bench.run("generate", "shop", "-o", "sbom.cdx.json").code == 0
    assert shown.json == json.loads((bench.folder / "sbom.cdx.json").read_bytes())
    assert HOSTILE in {one["name"] for one in shown.json["components"]}


def test_a_hostile_name_of_a_folder(bench: Bench, tmp_path: Path) -> None:
    """P39: the place of a lockfile is a name as well."""
    folder = bench.folder / "odd" / HOSTILE.replace("/", "")
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((bench.folder / "plain" / name).read_bytes())
    for arguments in (("check", str(folder)), ("generate", str(folder)), ("check", str(folder / "package.json"))):
        said = bench.run(*arguments)
        in_a_log(said.out)
        in_a_log(said.err)
