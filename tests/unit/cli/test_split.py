"""File names of workspaces: nothing in them leads elsewhere, and no two meet on any file system (P39)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbomgate.cli._split import file_name

HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
NEAR = st.text("aA/.+-_@ ~", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("workspace", "expected"),
    [
        (".", "root.cdx.json"),
        ("services/web", "services+web.cdx.json"),
        ("a", "a.cdx.json"),
        ("packages/v1.2_x-y", "packages+v1.2_x-y.cdx.json"),
    ],
)
def test_plain_names_stay_readable(workspace: str, expected: str) -> None:
    assert file_name(workspace) == expected


@pytest.mark.parametrize(
    "workspace",
    [
        "root",
        "Services/web",
        "a+b",
        "a@b",
        "../up",
        "/etc/passwd",
        "a\\b",
        "con",
        "nul/x",
        "com1.a",
        "a.",
        ".a",
        "a//b",
        "x" * 500,
        "a\nb",
        "café",
        "a\x00b",
        "a b",
        "-",
        "lpt9",
        "\u202egnp",
    ],
)
def test_other_names_have_a_digest(workspace: str) -> None:
    name = file_name(workspace)
    assert re.fullmatch(r"[A-Za-z0-9+_-]{0,100}@[0-9a-f]{16}\.cdx\.json", name) or workspace == "-"
    assert len(name) < 200


@given(st.lists(st.one_of(HOSTILE, NEAR), min_size=2, max_size=8, unique=True))
def test_no_two_meet(workspaces: list[str]) -> None:
    names = [file_name(one).lower() for one in workspaces]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z0-9._+@-]+\.cdx\.json", name)
        assert not name.startswith(".")
