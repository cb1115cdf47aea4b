from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbomgate import version_set
from sbomgate.version_set import decode, encode

CASES = {
    "none": ([], ""),
    "one": (["1.0.0"], "1.0.0"),
    "a run": (["1.0.2", "1.0.0", "1.0.1"], "1.0.0..2"),
    "a gap": (["1.0.0", "1.0.2", "1.0.3"], "1.0.0 1.0.2..3"),
    "nine and ten": (["1.0.9", "1.0.10", "1.0.11"], "1.0.9..11"),
    "prereleases": (["2.0.0-rc.1", "2.0.0-rc.2", "2.0.0-rc", "2.0.0"], "2.0.0 2.0.0-rc 2.0.0-rc.1..2"),
    "nightlies": (["5.4.0-dev.20240101", "5.4.0-dev.20240102"], "5.4.0-dev.20240101..20240102"),
    "a zero in front is no number": (["1.0.01", "1.0.2"], "1.0.2 1.0.01"),
    "longer than a number": (["1.0.0-" + "9" * 20], "1.0.0-" + "9" * 20),
    "no version": (["", "a b", "1..2", "1.0.0\n", "é", "x" * 257, "1.0.0"], "1.0.0"),
}


@pytest.mark.parametrize("name", CASES)
def test_encoded(name: str) -> None:
    versions, text = CASES[name]
    assert encode(versions) == text
    assert decode(text) == {version for version in versions if version_set.is_version(version)}


WORDS = st.text("0129.-a", min_size=1, max_size=12).filter(version_set.is_version)


@given(st.sets(WORDS | st.builds("{}.{}.{}".format, *[st.integers(0, 12)] * 3), max_size=60))
def test_nothing_is_lost(versions: set[str]) -> None:
    text = encode(versions)
    assert decode(text) == versions
    assert encode(decode(text)) == text
    assert re.fullmatch(r"[0-9A-Za-z.+\- ]*", text)


@pytest.mark.parametrize(
    "text",
    [
        "1.0.0..",
        "..3",
        "1.0.0..a",
        "1.0.0..03",
        "a..3",
        "1.0.0  1.0.1",
        " ",
        "1.0.0..999999999999999",
        "1.0.0..1..2",
        "é",
    ],
)
def test_what_is_no_set(text: str) -> None:
    with pytest.raises(ValueError, match="version"):
        decode(text)
