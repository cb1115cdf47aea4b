"""What two readers of ours could read differently: YAML by lines and by events, JSON by three parsers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson

from fuzz.inputs import FIXTURES
from sbomgate import strict_json
from sbomgate.errors import InputError
from sbomgate.lockfiles import _yaml
from sbomgate.provenance._encoding import parse_json

JSON = b"""{"a": [1, -0,
 1.5, 1e2, 9007199254740991, true, null], "\\u00e9\\ud83d\\ude00": {"": "\\n\\/"}, "x": "\xc3\xa9"}"""
YAML = b"""lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
importers:

  .:
    dependencies:
      '@a/b':
        specifier: ^1.0.0
        version: 1.0.0(c@2.0.0)
packages:
  c@2.0.0:
    resolution: {integrity: sha512-AA==}
    engines: {node: '>= 0.8', npm: "1.10"}
    os: [linux, '!win32']
    bundledDependencies:
      - x
"""


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return one of each, and a real lock."""
    yield "json", JSON
    yield "yaml", YAML
    yield "lock.yaml", (FIXTURES / "pnpm" / "two-documents" / "pnpm-lock.yaml").read_bytes()[:4096]


def read(data: bytes) -> object:
    """Read it as both, and compare."""
    try:
        return _json(data)
    except InputError:
        return _both(data)


def _json(data: bytes) -> Any:
    value = strict_json.loads(data, "x")
    plain = data.removeprefix(b"\xef\xbb\xbf")
    if (other := orjson.loads(plain)) != value:
        raise AssertionError(f"orjson reads {other!r}, and strict_json {value!r}")
    if (other := parse_json(plain)) != value:
        raise AssertionError(f"provenance reads {other!r}, and strict_json {value!r}")
    for path, line in _lines(value, data):
        if not 1 <= line <= data.count(b"\n") + 1:
            raise AssertionError(f"{path} on line {line}")
    return value


def _lines(value: Any, data: bytes) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        found = strict_json.lines(data)
        if set(found) != set(value):
            raise AssertionError(f"lines of {sorted(found)}, members {sorted(value)}")
        yield from found.items()


def _both(data: bytes) -> Any:
    found = _yaml.load_documents(data, "x")
    text = data.decode("utf-8-sig").replace("\r\n", "\n")
    exact = _yaml._exact(text, "x")
    if _typed(found) != _typed(exact):
        raise AssertionError(f"by lines {found!r}, by events {exact!r}")
    return found


def _typed(value: Any) -> str:
    """Return a value with the types of its scalars: what is `Bare` to one reader is so to the other."""

    def told(one: Any) -> Any:
        if isinstance(one, dict):
            return [[type(key).__name__, key, told(inner)] for key, inner in one.items()]
        return [told(inner) for inner in one] if isinstance(one, list) else [type(one).__name__, str(one)]

    return json.dumps(told(value))
