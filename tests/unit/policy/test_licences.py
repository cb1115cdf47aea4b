"""SPDX expressions as the rule `licences` sees them."""

from __future__ import annotations

import pytest

from sbomgate.policy import licences

MIT, ISC, BSD = ("MIT",), ("ISC",), ("BSD-3-Clause",)
GPL2 = ("GPL-2.0-only", "GPL-2.0")
GPL2_LATER = ("GPL-2.0-or-later", "GPL-2.0+", *GPL2)


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("MIT", {(MIT,)}),
        (" ( mit ) ", {(MIT,)}),
        ("MIT OR ISC", {(MIT,), (ISC,)}),
        ("MIT AND ISC", {(ISC, MIT)}),
        ("MIT AND MIT", {(MIT,)}),
        ("MIT OR ISC AND BSD-3-Clause", {(MIT,), (BSD, ISC)}),
        ("(MIT OR ISC) AND BSD-3-Clause", {(BSD, MIT), (BSD, ISC)}),
        ("mit or isc", {(MIT,), (ISC,)}),
        ("GPL-2.0", {(GPL2,)}),
        ("GPL-2.0-only", {(GPL2,)}),
        ("GPL-2.0+", {(GPL2_LATER,)}),
        ("GPL-2.0-or-later", {(GPL2_LATER,)}),
        ("Apache-2.0+", {(("Apache-2.0+", "Apache-2.0"),)}),
        (
            "GPL-2.0 WITH Classpath-exception-2.0",
            {(("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0 WITH Classpath-exception-2.0", *GPL2),)},
        ),
        ("LicenseRef-acme-1", {(("LicenseRef-acme-1",),)}),
        ("DocumentRef-a:LicenseRef-b OR MIT", {(("DocumentRef-a:LicenseRef-b",),), (MIT,)}),
    ],
)
def test_expressions(text: str, ways: set[licences.Way]) -> None:
    found = licences.ways(text)
    assert found is not None
    assert set(found) == ways
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "UNLICENSED",
        "SEE LICENSE IN LICENSE.md",
        "Apache 2.0",
        "MIT/X11",
        "MIT OR",
        "OR MIT",
        "AND",
        "MIT ISC",
        "(MIT",
        "MIT)",
        "()",
        "MIT WITH",
        "MIT WITH nothing-like-this",
        "MIT OR unheard-of-1.0",
        "MIT\0",
        "MIТ",
        "(" * 17 + "MIT" + ")" * 17,
        "(" * 5000,
        " AND ".join(["(MIT OR ISC)"] * 200),
        " OR ".join(["MIT"] * 500),
        " AND ".join(f"(LicenseRef-{i} OR MIT)" for i in range(8)),
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_what_is_no_expression_or_over_a_limit_is_unknown(text: str) -> None:
    assert licences.ways(text) is None


def test_sixteen_in_each_other_are_read() -> None:
    assert licences.ways("(" * 16 + "MIT" + ")" * 16) == (((MIT),),)
