"""What is new in a packument, and how it differs from what was before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sbomgate.errors import FetchError
from sbomgate.watch import releases
from sbomgate.watch.releases import Look
from sbomgate.watch.state import Known, Open

NOW = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
REGISTRY = "https://registry.example/"


def packument(versions: Mapping[str, float | None], name: str = "pad", **manifests: Any) -> bytes:
    """Return a packument: version → published so many days ago; `manifests` by version with `_` for what is no name."""
    times = {v: f"{NOW - timedelta(days=ago):%Y-%m-%dT%H:%M:%S.000Z}" for v, ago in versions.items() if ago is not None}
    said = {version: {"name": name, "version": version, "dist": {}} for version in versions}
    for version, manifest in manifests.items():
        said[version.strip("v").replace("_", ".")].update(manifest)
    return json.dumps({"name": name, "versions": said, "time": times}).encode()


def read(data: bytes, known: Known | None = None, held: Sequence[str] = ("1.0.0",)) -> Look:
    return releases.read(data, name="pad", registry=REGISTRY, known=known, held=held, now=NOW, window=7 * DAY)


def known(*versions: str, **more: Any) -> Known:
    return Known(etag=None, versions=frozenset(versions), **more)


# What the registry has (days ago), what was known → what is new.
NEW: Mapping[str, tuple[Mapping[str, float | None], Known | None, set[str]]] = {
    "first look": ({"1.0.0": 30, "1.0.1": 6.9, "1.0.2": 7.1, "1.0.3": 0}, None, {"1.0.1", "1.0.3"}),
    "first look, without times": ({"1.0.0": None, "1.0.1": None}, None, set()),
    "first look, the future": ({"1.0.0": -400}, None, {"1.0.0"}),
    "nothing": ({"1.0.0": 1}, known("1.0.0"), set()),
    "one more": ({"1.0.0": 1, "1.0.1": 0}, known("1.0.0"), {"1.0.1"}),
    "dated back": ({"1.0.0": 1, "0.9.0": 4000}, known("1.0.0"), {"0.9.0"}),
    "without a time": ({"1.0.0": 1, "1.0.1": None}, known("1.0.0"), {"1.0.1"}),
    "gone": ({}, known("1.0.0"), set()),
    "open": ({"1.0.0": 1}, known(open={"1.0.0": Open(since=NOW), "2.0.0": Open(since=NOW)}), {"1.0.0"}),
    "no version": ({"1.0.0": 1, "../x": 0, "": 0}, known(), {"1.0.0"}),
}


@pytest.mark.parametrize(("versions", "before", "expected"), NEW.values(), ids=list(NEW))
def test_what_is_new(versions: Mapping[str, float | None], before: Known | None, expected: set[str]) -> None:
    look = read(packument(versions), before)
    assert {one.itself.version for one in look.releases} == expected
    assert look.waiting == frozenset()


def test_a_flood_waits_for_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "MAX_NEW", 2)
    look = read(packument({f"1.0.{patch}": 9 - patch for patch in range(5)}), known("1.0.0"))
    assert {one.itself.version for one in look.releases} == {"1.0.3", "1.0.4"}  # the newest first
    assert look.waiting == {"1.0.1", "1.0.2"}


# What was there (days ago), the release → since when it was silent, which newer line there is.
LINES: Mapping[str, tuple[Mapping[str, float | None], bool, str | None]] = {
    "the first": ({"1.0.1": 0}, False, None),
    "after a year": ({"1.0.0": 365, "1.0.1": 0}, False, None),
    "after two years": ({"1.0.0": 731, "1.0.1": 0}, True, None),
    "another line was alive": ({"1.0.0": 731, "2.0.0": 100, "1.0.1": 0}, False, "2.0.0"),
    "a newer line came later": ({"1.0.0": 100, "2.0.0": 0, "1.0.1": 1}, False, None),
    "the newer line has prereleases only": ({"1.0.0": 100, "2.0.0-rc.1": 50, "1.0.1": 1}, False, None),
    "zero, and one is out": ({"1.14.0": 30, "0.30.3": 40, "1.0.1": 0}, False, None),
    "without times": ({"1.0.0": None, "2.0.0": None, "1.0.1": None}, False, "2.0.0"),
}


@pytest.mark.parametrize(("versions", "silent", "newest"), LINES.values(), ids=list(LINES))
def test_silence_and_lines(versions: Mapping[str, float | None], silent: bool, newest: str | None) -> None:
    (release,) = read(packument(versions), known(*(versions.keys() - {"1.0.1"}))).releases
    assert (release.silent_since is not None, release.newest) == (silent, newest)


@pytest.mark.parametrize("held", [(), ("2.0.0",), ("nonsense", "")], ids=["none", "the newer one", "no version"])
def test_a_line_that_no_build_holds_is_nobodys(held: Sequence[str]) -> None:
    data = packument({"1.0.0": 100, "2.0.0": 50, "1.0.1": 0})
    (release,) = read(data, known("1.0.0", "2.0.0"), held).releases
    assert release.newest is None


def test_what_any_of_the_earlier_releases_had_not_is_gained() -> None:
    had, evil = {"dependencies": {"a": "1"}}, {"dependencies": {"a": "1", "b": "^2"}}
    data = packument({"1.0.0": 30, "1.0.1": 0.2, "1.0.2": 0.1}, v1_0_0=had, v1_0_1=evil, v1_0_2=evil)
    first, second = read(data, known("1.0.0")).releases
    assert (first.gained, second.gained) == ({"b": "^2"}, {"b": "^2"})
    assert [one.version for one in second.before] == ["1.0.1", "1.0.0"]


TARGETS = {
    ("a", "^1.0.0"): ("a", "^1.0.0"),
    ("a", ""): ("a", "*"),
    ("a", "latest"): ("a", "*"),
    ("a", "npm:b@^1"): ("b", "^1"),
    ("a", "npm:@s/b@^1"): ("@s/b", "^1"),
    ("a", "npm:b"): ("b", "*"),
    ("a", "npm:@s/b"): ("@s/b", "*"),
    ("a", "git+https://h.example/a.git"): None,
    ("a", "https://h.example/a.tgz"): None,
    ("a", "github:o/a"): None,
    ("a", "o/a"): None,
    ("a", "file:../a"): None,
}


@pytest.mark.parametrize(("declared", "expected"), TARGETS.items(), ids=[range_ or "any" for _, range_ in TARGETS])
def test_where_a_dependency_comes_from(declared: tuple[str, str], expected: tuple[str, str] | None) -> None:
    assert releases.target_of(*declared) == expected


RESOLVED = {"^1.0.0": "1.2.0", "*": "1.2.0", "2.0.0-rc.1": "2.0.0-rc.1", "^3": None}


@pytest.mark.parametrize(("range_", "expected"), RESOLVED.items())
def test_which_version_a_range_takes(range_: str, expected: str | None) -> None:
    data = packument({"1.0.0": 3, "1.2.0": 2, "2.0.0-rc.1": 1, "nonsense": 0})
    found = releases.resolve(data, name="pad", range_=range_, registry=REGISTRY, now=NOW)
    assert (None if found is None else found.version) == expected


BROKEN = {
    "no JSON": b"<html>",
    "cut short": packument({"1.0.0": 1})[:-9],
    "another package": packument({"1.0.0": 1}, name="other"),
    "a list": b"[]",
    "nothing": b"",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=list(BROKEN))
def test_an_answer_that_is_none(data: bytes) -> None:
    with pytest.raises(FetchError):
        read(data)


def test_more_versions_than_any_package_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9: a state must be readable again."""
    monkeypatch.setattr("sbomgate.version_set.MAX_VERSIONS", 2)
    with pytest.raises(FetchError, match="3 versions"):
        read(packument({"1.0.0": 3, "1.0.1": 2, "1.0.2": 1}))
