"""One single meaning, or a refusal with its line; the fast reader and the exact one give the same answer."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sbomgate.errors import InputError
from sbomgate.lockfiles import _yaml
from sbomgate.lockfiles._yaml import Bare, load_documents

B = Bare

VALUES: dict[str, tuple[str, list[Any]]] = {
    "nothing": ("", []),
    "only comments": ("# a\n\n# b\n", []),
    "mapping": ("a: b\n'c d': 'e''f'\n", [{"a": "b", "c d": "e'f"}]),
    "no line break at the end": ("a: b", [{"a": "b"}]),
    "Windows line breaks": ("a: b\r\nc:\r\n  d: e\r\n", [{"a": "b", "c": {"d": "e"}}]),
    "byte order mark": ("\ufeffa: b\n", [{"a": "b"}]),
    "nested": ("a:\n  b:\n    c: d\n  e: f\ng: h\n", [{"a": {"b": {"c": "d"}, "e": "f"}, "g": "h"}]),
    "a list": ("a:\n  - b\n  - 'c'\nd: e\n", [{"a": ["b", "c"], "d": "e"}]),
    "a list at its key's column": ("a:\n- b\n- c\nd: e\n", [{"a": ["b", "c"], "d": "e"}]),
    "a list of mappings": ("a:\n  - b: c\n    d: e\n", [{"a": [{"b": "c", "d": "e"}]}]),
    "two documents": ("---\na: b\n---\nc: d\n", [{"a": "b"}, {"c": "d"}]),
    "an empty document": ("a: b\n---\n", [{"a": "b"}, None]),
    "constants": ("a: true\nb: null\nc:\nd: ~\ne: False\n", [{"a": True, "b": None, "c": None, "d": None, "e": False}]),
    "quoted constants": ("a: 'true'\nb: \"null\"\nc: ''\n", [{"a": "true", "b": "null", "c": ""}]),
    "constants as keys": ("true: a\nnull: b\n", [{"true": "a", "null": "b"}]),
    "numbers keep their text": (
        "a: 1.10\nb: 007\nc: 1e3\nd: 0x1F\ne: 2026-01-02\nf: 1_0\n",
        [{"a": B("1.10"), "b": B("007"), "c": B("1e3"), "d": B("0x1F"), "e": B("2026-01-02"), "f": B("1_0")}],
    ),
    "versions are text": ("a: 1.10.0\nb: 1.10.0-rc.1\nc: '1.10'\n", [{"a": "1.10.0", "b": "1.10.0-rc.1", "c": "1.10"}]),
    "package names that YAML 1.1 misreads": ("yes: on\nn: y\n", [{"yes": "on", "n": "y"}]),
    "numeric key": ("4: a\n", [{B("4"): "a"}]),
    "flow": (
        "r: {integrity: sha512-ab==, tarball: https://e.test/a.tgz}\no: [darwin, '!linux']\ne: {}\nf: []\n",
        [
            {
                "r": {"integrity": "sha512-ab==", "tarball": "https://e.test/a.tgz"},
                "o": ["darwin", "!linux"],
                "e": {},
                "f": [],
            }
        ],
    ),
    "flow, nested": ("a: {b: {c: [d, [e]]}, f: g}\n", [{"a": {"b": {"c": ["d", ["e"]]}, "f": "g"}}]),
    "flow over lines": ("a: {b: c,\n  d: e}\n", [{"a": {"b": "c", "d": "e"}}]),
    "flow, ranges": ("e: {node: ^12 || >=14, npm: '*'}\n", [{"e": {"node": "^12 || >=14", "npm": "*"}}]),
    "one hash only, unpadded": ("r: {integrity: sha1-abc}\n", [{"r": {"integrity": "sha1-abc"}}]),
    "literal": ("a: |-\n  b\n\n    c\nd: |\n  e\nf: g\n", [{"a": "b\n\n  c", "d": "e\n", "f": "g"}]),
    "literal without a line break at the end": ("a: |\n  b", [{"a": "b"}]),
    "folded": ("a: >-\n  b\n  c\nd: e\n", [{"a": "b c", "d": "e"}]),
    "a hash that is no comment": ("a: git+ssh://e.test/b.git#v1\n", [{"a": "git+ssh://e.test/b.git#v1"}]),
    "a comment behind a value": ("a: b # c\n", [{"a": "b"}]),
    "comments behind everything": (
        "a: # b\n  c: 'd' # e\n  f: [g] # [h]\n  i: {} # }\nj: k#l # m\n",
        [{"a": {"c": "d", "f": ["g"], "i": {}}, "j": "k#l"}],
    ),
    "escapes": ('a: "\\u00e9\\n\\"\\e[1m"\n', [{"a": 'é\n"\x1b[1m'}]),
    "long key": (f"? {'k' * 2000}\n: a: b\n  c: d\n", [{"k" * 2000: {"a": "b", "c": "d"}}]),
    "blanks in the text": ("a: use b@2.  See it\n", [{"a": "use b@2.  See it"}]),
    "a list at the top": ("- a\n- b\n", [["a", "b"]]),
    "a scalar at the top": ("a\n", ["a"]),
}

REFUSED: dict[str, tuple[str, str, str]] = {
    "anchor": ("a: b\nc: &x d\n", "line 2", "an anchor (&x)"),
    "alias": ("a: b\nc: *x\n", "line 2", "an alias (*x)"),
    "anchor on a mapping": ("a: &x\n  b: c\n", "line 1", "an anchor"),
    "anchor in flow": ("a: {b: &x c}\n", "line 1", "an anchor"),
    "bomb": ("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "line 1", "an anchor"),
    "tag": ("a: !!python/object:os.system x\n", "line 1", "a tag"),
    "tag on a key": ("!!str a: b\n", "line 1", "a tag"),
    "merge key": ("a:\n  <<: {b: c}\n", "line 2", "a merge key"),
    "duplicate key": ("a: b\nc: d\na: e\n", "line 3", "the key 'a' stands twice, first on line 1"),
    "duplicate key, quoted otherwise": ("a:\n  b: c\n  'b': d\n", "line 3", "stands twice, first on line 2"),
    "duplicate key in flow": ("a: {b: c, 'b': d}\n", "line 1", "stands twice"),
    "duplicate key in the second document": ("a: b\n---\nc: d\nc: e\n", "line 4", "stands twice, first on line 3"),
    "__proto__": ("a: b\n__proto__: c\n", "line 2", "__proto__ is no key"),
    "__proto__ in flow": ("a: {__proto__: b}\n", "line 1", "__proto__ is no key"),
    "list as a key": ("? [a]\n: b\n", "line 1", "a list or mapping as a key"),
    "mapping as a key": ("{a: {b: c}: d}\n", "line 1", "not YAML"),
    "directive": ("%YAML 1.1\n---\na: b\n", "line 1", "a directive"),
    "tab": ("a:\n\tb: c\n", "line 2", "not YAML"),
    "no mapping": ("a: b\nc\n", "line 3", "not YAML"),
    "half closed": ("a: {b: c\n", "line 2", "not YAML"),
    "deep flow": ("a: " + "[" * 100_000, "line 1", "nested deeper"),
    "deep block": ("".join(" " * i + "a:\n" for i in range(1000)), "line 65", "nested deeper"),
    "a line break of YAML 1.1": ("a: b\u2028c: d\n", "line 1", "U+2028"),
    "next line": ("a: b\u0085c: d\n", "line 1", "U+0085"),
    "lone carriage return": ("a: b\n\rc: d\n", "line 2", "U+000D"),
    "escape character": ("a: \x1b[31m\n", "line 1", "U+001B"),
    "NUL": ("abcdef: b\0\n", "line 1", "U+0000"),
    "half a surrogate pair": ('a: b\nc: "\\ud800"\n', "line 2", "not YAML: found invalid Unicode"),
}


def typed(value: Any) -> Any:
    match value:
        case dict():
            return {(key, type(key)): typed(item) for key, item in value.items()}
        case list():
            return [typed(item) for item in value]
        case _:
            return value, type(value)


@pytest.mark.parametrize("case", VALUES)
def test_values(case: str) -> None:
    text, expected = VALUES[case]
    found = load_documents(text.encode(), "x.yaml")
    assert typed(found) == typed(expected)
    if text and text[0] != "\ufeff":
        assert typed(_yaml._exact(text.replace("\r", ""), "x.yaml")) == typed(expected)


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """P1: no single meaning ends without a decision, and says where."""
    text, place, message = REFUSED[case]
    with pytest.raises(InputError) as caught:
        load_documents(text.encode("utf-8", "surrogatepass"), "x.yaml")
    assert (caught.value.where, caught.value.place) == ("x.yaml", place)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a: b\n".encode("utf-16"), "UTF-16"),
        ("a: b\n".encode("utf-16-le"), "UTF-16"),
        ("a: b\n".encode("utf-32"), "UTF-16 or UTF-32"),
        (b"a: b\nc: \xff\n", "not UTF-8"),
        (b"a: \xed\xa0\x80\n", "not UTF-8"),
    ],
)
def test_encodings(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_documents(data, "x.yaml")


def test_surrogate_pairs_are_characters_as_in_javascript() -> None:
    assert load_documents(b'a: "\\ud83d\\ude00"\n', "x.yaml") == [{"a": "\U0001f600"}]


def test_without_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert load_documents(b"a: b \n", "x.yaml") == [{"a": "b"}]
    with pytest.raises(InputError, match="half of a surrogate pair"):
        load_documents(b'a: "\\ud800" \n', "x.yaml")


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    with pytest.raises(InputError, match="6 bytes, at most 5"):
        load_documents(b"a: bc\n", "x.yaml", limit=5)
    monkeypatch.setattr(_yaml, "MAX_EXACT_BYTES", 5)
    assert load_documents(b"a: bc\nd: e\n", "x.yaml") == [{"a": "bc", "d": "e"}]
    with pytest.raises(InputError, match="no package manager writes"):
        load_documents(b"a:  bc\n", "x.yaml")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("1.1." + "1" * 500_000 + " # comment", "1.1." + "1" * 500_000, id="digits"),
        pytest.param("1.1.1" + " a" * 100_000 + "-é", "1.1.1" + " a" * 100_000 + "-é", id="words"),
        pytest.param("^1" + "(a@1)" * 100_000 + " #", "^1" + "(a@1)" * 100_000, id="peers"),
    ],
)
def test_a_long_line_costs_what_it_is_long(written: str, value: str) -> None:
    """P9: what is not in pnpm's own form is found out once, not once for each character (that would take hours)."""
    text = f"snapshots:\n  a@1.0.0:\n    dependencies:\n      b: 1.0.0\n      c: {written}\n"
    assert load_documents(text.encode(), "x.yaml") == [
        {"snapshots": {"a@1.0.0": {"dependencies": {"b": "1.0.0", "c": value}}}}
    ]


words = st.text(st.sampled_from("ab1.-_@/:#' \"^|>*&!{}[],?%~\n\\é😀"), max_size=8)
scalars = words | st.sampled_from(["true", "null", "1.10", "2026-01-01", "sha512-aa==", "^1 || ^2"]) | st.booleans()
trees = st.recursive(
    st.dictionaries(words, scalars, max_size=3),
    lambda inner: st.dictionaries(words, inner | scalars | st.lists(scalars, max_size=3), max_size=4),
    max_leaves=12,
)


@given(trees, st.sampled_from([None, True, False]))
@settings(max_examples=300, deadline=None)
def test_written_by_another_is_read_back(tree: dict[str, Any], flow: bool | None) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, width=10**6)
    assert load_documents(text.encode(), "x.yaml") == [tree]


LINES = st.sampled_from(
    [
        "a: b", "  a: b", "    c:", "a:", "  - x", "- x", "---", "", "# c", "  b: {c: d}", "b: [x, y]", "d: |-",
        "  text", "    more", "'q': 'r'", "\"s\": \"t\"", "e: &f g", "h: *f", "<<: i", "a: 1.0", " odd: x", "? k",
        ": v", "j: k l # m", "n: {o: p,", "  q: r}", "t: >-", "u: 'v", "  w'", "1: 2", "x: {}", "y: {z}", "...",
        "- a: b", "\tb: c", "a : b", "a: # b", "  - x # y", "c: |- # d", "a: {b: c} # d", "'a': 'b' # c", "a: b# c",
        "a:  b", "a: b ", "b: [c, d", "]", "__proto__: a", "c: {d: e, d: f}", "g: [h,]", "i: {j: }", "k: 'l' m",
        "true: x",
    ]
)  # fmt: skip


@given(st.lists(LINES, max_size=8), st.booleans())
@settings(max_examples=1500, deadline=None)
def test_the_fast_reader_agrees_or_gives_up(lines: list[str], ended: bool) -> None:
    text = "\n".join(lines) + ("\n" if ended else "")
    fast = _yaml._Plain(text).documents()
    if fast is not None:
        assert typed(fast) == typed(_yaml._exact(text, "x.yaml"))


WRITTEN = st.sampled_from(
    [
        "packages:", "snapshots:", "  a@1.0.0:", "  b@2.0.0(c@1.10):", "  '@s/c@1.0.0':", "  d@1.0.0: {}",
        "  e@1.0.0: {} ",
        "  f: g", "  1.10:", "  __proto__:", "  true:", "    resolution: {integrity: sha512-abc+/==}", "  h@1.0.0: # i",
        "    resolution: {integrity: sha512-abc, tarball: x}", "    engines: {node: '>=8'}", "    engines: {node: >=8}",
        "    engines: {}", "    engines: {a: b, a: c}", "    cpu: [x64, 1.10]", "    os: [true]", "    libc: glibc",
        "    hasBin: true", "    peerDependencies:", "    peerDependenciesMeta:", "    dependencies:",
        "    optional: true",
        "    optionalDependencies:", "    transitivePeerDependencies:", "      a: 1.0.0", "      b: 1.10",
        "      c: 1.0.0(d@1)",
        "      '@s/d': 2.0.0 || ^3.0.0", "      e: ^1", "      e: ~1", "      f: ~", "      g: '1.10'",
        "      h: link:../h",
        "      i: 1.0.0 # i", "      j: 1.0.0:", "      k: workspace:*", "      l: 2020-01-01",
        "      a: '>=1'", "      m: 1.0.0 ",
        "      null: 1.0.0", "      __proto__: 1.0.0", "      - a", "      - true", "      - '@s/b'",
        "      - 1.10", "      - c # d",
        "      n:", "        optional: true", "        optional: false", "        specifier: ^1.0.0",
        "        version: 1.0.0",
        "        specifier: 'catalog:'", "        version: 1.10", "        more", "      more", "", "", " ",
        "# o", "---",
        "    deprecated: p", "    deprecated: |-", "     q", "      r: '1:2'", "      s: 1.0.0  t",
        "      u: '1''2'", "      v: ''",
    ]
)  # fmt: skip
SHAPES = st.one_of(
    WRITTEN.map(lambda line: [line]),
    st.sampled_from(
        [
            ["packages:", ""],
            ["snapshots:", "", "  w@1.0.0:", "    dependencies:"],
            ["  x@1.0.0:", "    resolution: {integrity: sha512-abc==}", "    engines: {node: '>=8'}"],
            ["    peerDependencies:", "      a: ^1.0.0"],
            ["    peerDependenciesMeta:", "      a:", "        optional: true"],
            ["    dependencies:", "      a: 1.0.0", "      '@s/b': 2.0.0(c@1.0.0)"],
            ["    optionalDependencies:", "      a: 1.0.0"],
            ["    transitivePeerDependencies:", "      - a", "      - b"],
            ["    transitivePeerDependencies:", "      - '@s/a'", "      - b"],
            ["    dependencies:", "      a: npm:@s/b@1.0.0", "      c: d-e@1.0.0(f@2)", "      g: h@i #j"],
            ["  .:", "    dependencies:", "      y:", "        specifier: ^1.0.0", "        version: 1.0.0"],
            ["  z@1.0.0: {}", ""],
        ]
    ),
)


@given(st.lists(SHAPES, max_size=8))
@settings(max_examples=1500, deadline=None)
def test_what_pnpm_writes_is_read_as_it_stands_or_left(shapes: list[list[str]]) -> None:
    text = "\n".join(["a: b", "packages:", *(line for lines in shapes for line in lines), ""])
    fast = _yaml._Plain(text).documents()
    if fast is not None:
        assert typed(fast) == typed(_yaml._exact(text, "x.yaml"))


def test_what_pnpm_writes_is_read_by_the_fast_reader() -> None:
    text = (
        "importers:\n\n  .:\n    dependencies:\n      a:\n        specifier: ^1.0.0\n        version: 1.0.0(b@1.0.0)\n"
        "\npackages:\n\n  '@s/b@1.0.0':\n    resolution: {integrity: sha512-abc==}\n    engines: {node: '>=8'}\n"
        "    cpu: [x64]\n    hasBin: true\n    peerDependencies:\n      c: ^1.0.0 || '>=2'\n      d: '*'\n"
        "    peerDependenciesMeta:\n      d:\n        optional: true\n\nsnapshots:\n\n  '@s/b@1.0.0': {}\n\n"
        "  a@1.0.0(b@1.0.0):\n    dependencies:\n      '@s/b': 1.0.0\n    optionalDependencies:\n      d: 1.0.0\n"
        "    transitivePeerDependencies:\n      - e\n      - f\n    optional: true\n"
    )
    fast = _yaml._Plain(text).documents()
    assert fast is not None
    assert typed(fast) == typed(_yaml._exact(text, "x.yaml"))
