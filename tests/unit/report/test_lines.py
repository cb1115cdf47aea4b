"""Where an entry stands in a lockfile: each format has its own keys."""

from __future__ import annotations

import pytest

from sbomgate.report import _lines
from testkit.reports import package

NPM = """{
  "packages": {
    "": {"dependencies": {"a": "^1.0.0"}},
    "node_modules/a": {
      "version": "1.0.0"
    },
    "node_modules/b/node_modules/a": {
"""
NPM_1 = """{
  "dependencies": {
    "b": {
      "version": "2.0.0",
      "requires": {
        "a": "^1.0.0"
      },
      "dependencies": {
        "a": {
          "version": "1.0.0",
        }
      }
    },
    "a": {
      "version": "0.9.0",
"""
PNPM = """lockfileVersion: '9.0'
packages:

  '@scope/a@1.0.0':
    resolution: {integrity: sha512-x}

  b@2.0.0:
    resolution: {integrity: sha512-y}

snapshots:

  b@2.0.0(peer@1.0.0):
    dependencies:
      '@scope/a': 1.0.0
"""
BUN = """{
  "workspaces": {
    "": {
      "dependencies": {
        "a": "^1.0.0",
      },
    },
  },
  "packages": {
    "a": ["a@1.0.0", "", {}, "sha512-x"],

    "b/a": ["a@0.9.0", "", {}, "sha512-y"],
"""
CASES = {
    "npm": (NPM, "node_modules/a", "a", "1.0.0", 4),
    "npm, nested": (NPM, "node_modules/b/node_modules/a", "a", "0.9.0", 7),
    "npm 1, nested first": (NPM_1, "node_modules/b/node_modules/a", "a", "1.0.0", 9),
    "npm 1, at the top": (NPM_1, "node_modules/a", "a", "0.9.0", 14),
    "pnpm, scoped": (PNPM, "@scope/a@1.0.0", "@scope/a", "1.0.0", 4),
    "pnpm, with peers: where the integrity stands": (PNPM, "b@2.0.0(peer@1.0.0)", "b", "2.0.0", 7),
    "bun": (BUN, "a", "a", "1.0.0", 10),
    "bun, nested": (BUN, "b/a", "a", "0.9.0", 12),
    "not there": (NPM, "node_modules/c", "c", "1.0.0", None),
    "nothing": ("", "node_modules/a", "a", "1.0.0", None),
    "one long line": ("{" + '"a":1,' * 100_000, "node_modules/a", "a", "1.0.0", None),
}


@pytest.mark.parametrize(("text", "id_", "name", "version", "line"), CASES.values(), ids=CASES.keys())
def test_find(text: str, id_: str, name: str, version: str, line: int | None) -> None:
    assert _lines.find(text, [package(name, version, id=id_)]).get(id_) == line


def test_what_the_reader_knew_is_believed() -> None:
    assert _lines.find("", [package("a", "1.0.0", id="a", line=7)]) == {"a": 7}
