"""SPDX expressions: what is one, and what only looks like one."""

from __future__ import annotations

import pytest

from sbomgate import spdx
from sbomgate.spdx._list import EXCEPTIONS, LICENCES

EXPRESSIONS = [
    "MIT",
    "(MIT)",
    "(MIT OR Apache-2.0)",
    "MIT AND (BSD-3-Clause OR (ISC AND Zlib))",
    "GPL-2.0-only WITH Classpath-exception-2.0",
    "(GPL-2.0-or-later WITH GCC-exception-3.1) OR MIT",
    "Apache-1.0+",
    "GPL-2.0+",
    "LicenseRef-acme-1",
    "DocumentRef-x:LicenseRef-y OR MIT",
    "GPL-2.0-only WITH AdditionRef-acme",
    "  MIT   OR\tISC ",
    "GPL-2.0-with-GCC-exception",
]
OTHERS = [
    "",
    " ",
    "mit",
    "Mit",
    "MIT OR",
    "OR MIT",
    "MIT ISC",
    "MIT or ISC",
    "MIT,ISC",
    "MIT/X11",
    "MIT\nOR ISC",
    "(MIT",
    "MIT)",
    "()",
    "(MIT OR) ISC",
    "UNLICENSED",
    "NONE",
    "NOASSERTION",
    "SEE LICENSE IN LICENSE.txt",
    "Classpath-exception-2.0",
    "MIT WITH MIT",
    "GPL-2.0-only WITH",
    "GPL-2.0-only WITH Classpath-exception-2.0 WITH GCC-exception-3.1",
    "Classpath-exception-2.0 WITH GPL-2.0-only",
    "LicenseRef-",
    "MIT\x00",
    "MIT\u2028OR ISC\u00e9",
    "(" * 33 + "MIT" + ")" * 33,
    "MIT OR " * 1000 + "MIT",
    "+",
    "MIT++",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text: str) -> None:
    assert spdx.is_expression(text)


@pytest.mark.parametrize("text", OTHERS, ids=lambda text: ascii(text[:40]))
def test_no_expressions(text: str) -> None:
    assert not spdx.is_expression(text)


def test_an_exception_is_no_licence() -> None:
    assert not LICENCES & EXCEPTIONS
    assert {"MIT", "CAL-1.0-Combined-Work-Exception", "GPL-2.0-with-GCC-exception", "eCos-2.0"} <= LICENCES
    assert {"Classpath-exception-2.0", "Classpath-exception-2.0-short", "LLVM-exception", "LLGPL"} <= EXCEPTIONS
    assert spdx.is_identifier("MIT")
    assert not spdx.is_identifier("Classpath-exception-2.0")


def test_as_license_expression_has_it() -> None:
    """The oracle: license-expression, with the same list, agrees on every text that it can read."""
    from license_expression import get_spdx_licensing

    licensing = get_spdx_licensing()
    for text in EXPRESSIONS:
        # what it reads otherwise: references, `+` of what is not listed with it, the old names of two things in one
        if "Ref-" not in text and "Apache-1.0+" not in text and "-with-" not in text:
            assert licensing.validate(text.strip()).errors == []
