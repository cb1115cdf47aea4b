"""Ranges: our evaluation against node-semver, and against npm's own semver where npm is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import nodesemver
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sbomgate.lockfiles import _range

PARTS = ["0", "1", "2", "10", "x", "*", "X"]
PRE = ["", "", "-alpha", "-beta.2", "-rc.1", "-0", "+build"]
VERSION = st.builds("{}.{}.{}{}".format, *[st.sampled_from(["0", "1", "2", "10"])] * 3, st.sampled_from(PRE))
PARTIAL = st.one_of(
    st.sampled_from(PARTS),
    st.builds("{}.{}".format, *[st.sampled_from(PARTS)] * 2),
    st.builds("{}.{}.{}".format, *[st.sampled_from(PARTS)] * 3),
    VERSION,
)
SIMPLE = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "^", "~", ">=", "<=", "<", ">", "=", "~>"]),
    st.sampled_from(["", " "]),
    PARTIAL,
)
SET = st.one_of(SIMPLE, st.builds("{} {}".format, SIMPLE, SIMPLE), st.builds("{} - {}".format, PARTIAL, PARTIAL))
RANGE = st.one_of(SET, st.builds("{} || {}".format, SET, SET), st.builds("{}||{}".format, SET, SET))

TABLE = [
    ("1.2.3", "^1.0.0", True),
    ("2.0.0", "^1.0.0", False),
    ("0.2.0", "^0.1.0", False),
    ("0.0.4", "^0.0.3", False),
    ("1.0.0-beta.2", "^1.0.0-beta.1", True),
    ("1.0.1-beta.2", "^1.0.0-beta.1", False),
    ("2.0.0-alpha", "^1.0.0", False),
    ("1.0.0-beta", ">=0.9.0", False),
    ("1.5.0", "1.x || >=2.5.0", True),
    ("1.2.3", "1.2.0 - 1.2", True),
    ("1.2.3", "> = 1.2", True),
    ("1.0.0+build", "1.0.0", True),
    ("1.2.3", "v1.2.3", True),
    ("1.2.3", "latest", None),
    ("not-a-version", "^1.0.0", None),
]


@pytest.mark.parametrize(("version", "range_", "expected"), TABLE)
def test_table(version: str, range_: str, expected: bool | None) -> None:
    assert _range.satisfies(version, range_) is expected


@pytest.mark.parametrize(
    "text",
    ["a" + " " * 4000 + "b", ">=1.2.3-r2c.1 <0.0" + " " * 109 + "\n>", "= " * 2000, "v=" * 2000, "v " * 2000 + "!"],
    ids=["blanks between", "blanks at the end", "equals", "v=", "v"],
)
def test_P9_no_range_takes_for_ever(text: str) -> None:
    """P9: found by fuzzing; node-semver alone would take minutes, and longer than anybody waits for the first."""
    assert not _range.satisfies("1.2.3", text)
    assert not _range.satisfies(text, "^1.0.0")


def test_blanks_are_one_blank_as_to_npm() -> None:
    assert _range.satisfies("1.2.3", "v1.2.3" + " " * 1000)
    assert _range.satisfies("1.2.3", "v1.0.0" + " " * 300 + "-" + " " * 300 + "v2.0.0")


def npm_semver() -> str | None:
    npm = shutil.which("npm")
    if npm is None:
        return None
    module = Path(npm).resolve().parent.parent / "node_modules" / "semver"
    return str(module) if module.is_dir() else None


@pytest.mark.npm
@pytest.mark.skipif(npm_semver() is None, reason="npm is not installed")
def test_same_as_npm() -> None:
    """Every operator with every shape against every version: npm's own answer."""
    shapes = [
        "1",
        "1.2",
        "1.2.3",
        "1.2.x",
        "1.x",
        "*",
        "0",
        "0.1",
        "0.1.2",
        "0.0.1",
        "1.2.3-beta.2",
        "0.0.1-rc.1",
        "1.2.*",
        "x.1.2",
    ]
    ranges = [f"{op}{shape}" for op in ["", "^", "~", ">=", "<=", "<", ">", "=", "~>", "> "] for shape in shapes]
    ranges += (
        [f"{a} - {b}" for a in shapes for b in shapes]
        + [f">={a} <{b}" for a in shapes for b in shapes]
        + ["", "||", "1 || 2"]
    )
    versions = [
        "0.0.1",
        "0.0.2",
        "0.1.2",
        "0.1.3",
        "0.2.0",
        "1.0.0",
        "1.2.3",
        "1.2.4",
        "1.3.0",
        "2.0.0",
        "1.2.3-beta.2",
    ]
    versions += [
        "1.2.3-beta.10",
        "1.2.3-alpha",
        "2.0.0-0",
        "2.0.0-alpha",
        "0.0.1-rc.1",
        "0.0.1-rc.2",
        "1.3.0-0",
        "0.0.2-0",
    ]
    script = f"""
        const semver = require({json.dumps(npm_semver())});
        const [versions, ranges] = JSON.parse(require('fs').readFileSync(0));
        console.log(JSON.stringify(ranges.map(r => versions.map(v => semver.satisfies(v, r, true)))));
    """
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps([versions, ranges]), capture_output=True, text=True, check=True
    )
    answers = json.loads(done.stdout)
    wrong = [
        (version, range_, answers[i][j])
        for i, range_ in enumerate(ranges)
        for j, version in enumerate(versions)
        if bool(_range.satisfies(version, range_)) is not answers[i][j]
    ]
    assert wrong == [], sorted({range_ for _, range_, _ in wrong})


@given(VERSION, RANGE)
def test_same_as_the_library(version: str, range_: str) -> None:
    """Everywhere but for a number behind an `x`, which npm's semver drops since 7.6 and the port does not yet."""
    assume(not re.search(r"[xX*]\.[0-9]", range_))
    try:
        expected = bool(nodesemver.satisfies(version, range_, loose=True))
    except (ValueError, AttributeError, TypeError):
        return
    ours = _range.satisfies(version, range_)
    assert ours is expected, (version, range_)
